/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>

#include "name.h"

typedef struct {
  const char *name;
  const char *shown;
} Row;

static const Row rows[] = {
  { "plain", "plain" },       { "a/b", "a%2Fb" }, { "100%", "100%" },
  { "100%41", "100%2541" },   { "%zz", "%zz" },   { "%/", "%%2F" },
  { "%2/", "%2%2F" },         { ".", "%2E" },     { "..", "%2E." },
  { ".hidden", "%2Ehidden" }, { "a.b", "a.b" },   { "größer 🐧", "größer 🐧" },
  { " blank ", " blank " },   { "~5", "~5" },
};

static void
test_rows (void)
{
  gsize i;

  for (i = 0; i < G_N_ELEMENTS (rows); i++) {
    g_autofree char *shown = fs_name_shown (rows[i].name, "7", 0);
    g_autofree char *name = NULL;

    g_assert_cmpstr (shown, ==, rows[i].shown);
    g_assert_cmpint (fs_name_parse (shown, &name), ==, 0);
    g_assert_cmpstr (name, ==, rows[i].name);
  }
}

/* Any text comes back, and no two texts are shown alike. */
static void
test_property (void)
{
  static const char *const pieces[]
    = { "%", "/", ".", "2", "F", "5", "E", "a", "~", "ü", "🐧", " " };
  g_autoptr (GHashTable) seen
    = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  int round;

  for (round = 0; round < 200000; round++) {
    g_autoptr (GString) text = g_string_new (NULL);
    int n = g_test_rand_int_range (1, 8);
    g_autofree char *shown = NULL;
    g_autofree char *name = NULL;
    const char *other;

    while (n-- > 0)
      g_string_append (
        text, pieces[g_test_rand_int_range (0, G_N_ELEMENTS (pieces))]);
    shown = fs_name_shown (text->str, "1", 0);
    g_assert_null (strchr (shown, '/'));
    g_assert_true (*shown != '.');
    g_assert_cmpint (fs_name_parse (shown, &name), ==, 0);
    g_assert_cmpstr (name, ==, text->str);
    other = g_hash_table_lookup (seen, shown);
    if (other != NULL)
      g_assert_cmpstr (other, ==, text->str);
    else
      g_hash_table_insert (seen, g_steal_pointer (&shown),
                           g_strdup (text->str));
  }
}

/* What a user types is shown as typed, or refused. */
static void
test_typed_property (void)
{
  static const char alphabet[] = "%25EeFf41.a/~";
  int round;

  for (round = 0; round < 200000; round++) {
    char typed[9] = "";
    g_autofree char *name = NULL;
    int n = g_test_rand_int_range (1, 9);
    int i;

    for (i = 0; i < n; i++)
      typed[i] = alphabet[g_test_rand_int_range (0, sizeof alphabet - 1)];
    if (fs_name_parse (typed, &name) == 0) {
      g_autofree char *shown = fs_name_shown (name, "1", 0);

      g_assert_cmpstr (shown, ==, typed);
    } else {
      g_assert_null (name);
    }
  }
}

typedef struct {
  const char *typed;
  int number;
} Refusal;

static const Refusal refusals[] = {
  { "", EINVAL },        { ".", EINVAL },     { "..", EINVAL },
  { ".memory", EINVAL }, { "a%2fb", EINVAL }, { "a%41", EINVAL },
  { "a%2Eb", EINVAL },   { "%25", EINVAL },   { "a%00b", EINVAL },
  { "%00", EINVAL },     { "a%FFb", EINVAL }, { "a%0Ab", EINVAL },
  { "a\nb", EILSEQ },    { "a\x7f", EILSEQ }, { "a\tb", EILSEQ },
  { "a\xff", EILSEQ },   { "\xc3", EILSEQ },  { "a\xc2\x85", EILSEQ },
  { "a/b", EINVAL },
};

static void
test_refusals (void)
{
  g_autofree char *long_name = g_strnfill (256, 'x');
  g_autofree char *name = NULL;
  gsize i;

  for (i = 0; i < G_N_ELEMENTS (refusals); i++) {
    g_assert_cmpint (fs_name_parse (refusals[i].typed, &name), ==,
                     refusals[i].number);
    g_assert_null (name);
  }
  g_assert_cmpint (fs_name_parse (long_name, &name), ==, ENAMETOOLONG);
  long_name[255] = '\0';
  g_assert_cmpint (fs_name_parse (long_name, &name), ==, 0);
}

static void
test_variants (void)
{
  g_autofree char *one = fs_name_shown ("twin", "12", 1);
  g_autofree char *two = fs_name_shown ("twin", "12", 2);
  g_autofree char *empty = fs_name_shown ("", "12", 0);

  g_assert_cmpstr (one, ==, "twin~12");
  g_assert_cmpstr (two, ==, "twin~12.2");
  g_assert_cmpstr (empty, ==, "~12");
}

static void
test_long_names (void)
{
  GString *text = g_string_new (NULL);
  guint i;

  for (i = 0; i < 400; i++) {
    g_autofree char *shown = NULL;

    g_string_append (text, i % 3 == 0 ? "🐧" : i % 3 == 1 ? "/" : "x");
    shown = fs_name_shown (text->str, "123456", 0);
    g_assert_cmpuint (strlen (shown), <=, FS_NAME_MAX);
    g_assert_true (g_utf8_validate (shown, -1, NULL));
    if (i > 200)
      g_assert_true (g_str_has_suffix (shown, "~123456"));
  }
  g_string_free (text, TRUE);
}

static void
test_text (void)
{
  g_assert_cmpint (fs_text_check ("line\n\ttab ü", 12), ==, 0);
  g_assert_cmpint (fs_text_check ("a\0b", 3), ==, EILSEQ);
  g_assert_cmpint (fs_text_check ("a\xff", 2), ==, EILSEQ);
}

static void
test_escape (void)
{
  g_autofree char *nothing = fs_text_escape (NULL);
  g_autofree char *accents = fs_text_escape ("vor dem \303\234bergang");
  g_autofree char *hostile = fs_text_escape ("a\n\033[2J\"b\\");
  g_autofree char *broken = fs_text_escape ("\303(");

  g_assert_cmpstr (nothing, ==, "");
  g_assert_cmpstr (accents, ==, "vor dem \303\234bergang");
  g_assert_cmpstr (hostile, ==, "a\\n\\033[2J\\\"b\\\\");
  g_assert_cmpstr (broken, ==, "\\303(");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/name/rows-both-ways", test_rows);
  g_test_add_func ("/name/map-is-one-to-one", test_property);
  g_test_add_func ("/name/what-is-taken-is-shown-alike", test_typed_property);
  g_test_add_func ("/name/other-forms-are-refused", test_refusals);
  g_test_add_func ("/name/taken-names-get-the-id", test_variants);
  g_test_add_func ("/name/long-names-are-cut-at-a-character", test_long_names);
  g_test_add_func ("/name/descriptions-are-utf8-without-nul", test_text);
  g_test_add_func ("/name/lines-for-people-keep-letters", test_escape);
  return g_test_run ();
}
