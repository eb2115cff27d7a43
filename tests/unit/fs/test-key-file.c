/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "key-file.h"

/* What is read, a word a line: "G name", "K name value", "B"; up to a bad line,
 * as GKeyFile reads nothing at all then. */
static char *
read_all (const char *text, guint *ret_line)
{
  g_autofree char *copy = g_strdup (text);
  GString *out = g_string_new (NULL);
  const char *name;
  const char *value;
  FsKeyFile file;
  FsKeyFileLine line;

  fs_key_file_begin (&file, copy);
  while ((line = fs_key_file_next (&file, &name, &value)) != FS_KEY_FILE_END
         && line != FS_KEY_FILE_BAD) {
    if (line == FS_KEY_FILE_GROUP)
      g_string_append_printf (out, "G %s\n", name);
    else
      g_string_append_printf (out, "K %s %s\n", name, value);
  }
  if (line == FS_KEY_FILE_BAD)
    g_string_assign (out, "B");
  *ret_line = file.line;
  return g_string_free (out, FALSE);
}

static const struct {
  const char *text;
  const char *read;
  guint line;
} rows[] = {
  { "", "", 0 },
  { "\n# c\n\n[a]\nb=c", "G a\nK b c\n", 5 },
  { "[a b]\r\n  x \t=  y z \r\n", "G a b\nK x y z \n", 2 },
  { "\xef\xbb\xbf[a]\nb=\n", "G a\nK b \n", 2 },
  { "[a] \nb=c=d\n", "G a\nK b c=d\n", 2 },
  { "[a]\nb=\\s\\t\\\\n\n", "G a\nK b  \t\\n\n", 2 },
  { "[a]\nb=#no comment\n", "G a\nK b #no comment\n", 2 },
  { "[a]\n\nb=\\x\n", "B", 3 },
  { "[a]\nb=\\\n", "B", 2 },
  { "[a]\nb\n", "B", 2 },
  { "[a]\n=b\n", "B", 2 },
  { "[a\n", "B", 1 },
  { "[]\n", "B", 1 },
  { "[a]b\n", "B", 1 },
  { "[[a]\n", "B", 1 },
  { "[a]\nb=\xff\n", "B", 2 },
};

static void
test_rows (void)
{
  gsize i;

  for (i = 0; i < G_N_ELEMENTS (rows); i++) {
    guint line;
    g_autofree char *read = read_all (rows[i].text, &line);

    g_assert_cmpstr (read, ==, rows[i].read);
    g_assert_cmpuint (line, ==, rows[i].line);
  }
}

/* Whether @text, which GKeyFile takes, is read alike; how many keys it has. The
 * last value counts of a key that is there twice. */
static guint
assert_alike (GKeyFile *judge, const char *text)
{
  g_autofree char *copy = g_strdup (text);
  g_autoptr (GHashTable) values = g_hash_table_new (g_str_hash, g_str_equal);
  const char *group = "";
  const char *name;
  const char *value;
  FsKeyFile file;
  FsKeyFileLine line;
  GHashTableIter iter;

  fs_key_file_begin (&file, copy);
  while ((line = fs_key_file_next (&file, &name, &value)) != FS_KEY_FILE_END) {
    g_assert_cmpint (line, !=, FS_KEY_FILE_BAD);
    if (line == FS_KEY_FILE_GROUP) {
      g_assert_true (g_key_file_has_group (judge, name));
      group = name;
    } else if (!g_str_has_suffix (name, "]")) { /* those are translations */
      g_assert_true (g_key_file_has_key (judge, group, name, NULL));
      if (strcmp (group, "first") == 0)
        g_hash_table_insert (values, (gpointer)name, (gpointer)value);
    }
  }
  g_hash_table_iter_init (&iter, values);
  while (
    g_hash_table_iter_next (&iter, (gpointer *)&name, (gpointer *)&value)) {
    g_autofree char *wanted
      = g_key_file_get_string (judge, "first", name, NULL);

    g_assert_cmpstr (value, ==, wanted);
  }
  return g_hash_table_size (values);
}

static void
test_judged (void)
{
  static const char *const pieces[]
    = { "[g]", "key", "=", " ", "\n", "\\s", "\\\\", "#", "w", "\t", "\r\n" };
  guint keys = 0;
  int i;

  for (i = 0; i < 20000; i++) {
    g_autoptr (GString) text = g_string_new ("[first]\n");
    g_autoptr (GKeyFile) judge = g_key_file_new ();
    int n = g_test_rand_int_range (1, 12);

    while (n-- > 0)
      g_string_append (
        text, pieces[g_test_rand_int_range (0, (int)G_N_ELEMENTS (pieces))]);
    if (g_key_file_load_from_data (judge, text->str, text->len, G_KEY_FILE_NONE,
                                   NULL))
      keys += assert_alike (judge, text->str);
  }
  g_assert_cmpuint (keys, >, 100);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/key-file/lines", test_rows);
  g_test_add_func ("/key-file/as-glib-reads-it", test_judged);
  return g_test_run ();
}
