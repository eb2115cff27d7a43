/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/kv-file.h"

#include <string.h>

#include "base/error.h"

static KvFile *
parse (const char *text)
{
  g_autoptr (GError) error = NULL;
  KvFile *file = kv_file_parse (text, strlen (text), "t.vmx", &error);

  g_assert_no_error (error);
  return file;
}

static void
assert_text (const KvFile *file, const char *expected)
{
  g_autoptr (GBytes) bytes = kv_file_to_bytes (file);
  gsize len;
  const char *data = g_bytes_get_data (bytes, &len);

  g_assert_cmpmem (data, len, expected, strlen (expected));
}

static void
set (KvFile *file, const char *name, const char *value)
{
  g_autoptr (GError) error = NULL;

  kv_file_set (file, name, value, &error);
  g_assert_no_error (error);
}

static void
test_lines (void)
{
  static const struct {
    const char *line;
    const char *value; /* of "k"; NULL: not a line of k */
  } rows[] = {
    { "k = \"v\"", "v" },
    { "k=\"v\"", "v" },
    { " \tk\t=  \"v\"\t ", "v" },
    { "k = \"v\" # c", "v" },
    { "k = \"v\"# c", "v" },
    { "k = v", "v" },
    { "k = v#c", "v" },
    { "k =", "" },
    { "k = # c", "" },
    { "k = \"\"", "" },
    { "K = \"v\"", "v" },
    { "k = \"a#b\"", "a#b" },
    { "k = \"a\\\"", "a\\" },
    { "k = \"a|0Ab\"", "a\nb" },
    { "k = \"a|0ab|22|7c\"", "a\nb\"|" },
    { "k = \"a|zz|1\"", "a|zz|1" },
    { "k = \"a|00b\"", "a|00b" },
    { "k = a=b", "a=b" },
    { "k = \"v", NULL },
    { "k = \"v\" x", NULL },
    { "k = v w", NULL },
    { "k v", NULL },
    { "k # = \"v\"", NULL },
    { "# k = \"v\"", NULL },
    { "= \"v\"", NULL },
    { "kk = \"v\"", NULL },
    { "", NULL },
  };
  gsize i;

  for (i = 0; i < G_N_ELEMENTS (rows); i++) {
    g_autoptr (KvFile) file = parse (rows[i].line);

    g_test_message ("%s", rows[i].line);
    g_assert_cmpstr (kv_file_get (file, "k"), ==, rows[i].value);
    assert_text (file, rows[i].line);
  }
}

static void
test_line_ends (void)
{
  static const char text[] = "\357\273\277a = \"1\"\r\nb = \"2\"\rc = \"3\"\n"
                             "\r\n\n\r# x\r\nd = \"4\"";
  g_autoptr (KvFile) file = parse (text);

  g_assert_cmpstr (kv_file_get (file, "a"), ==, "1");
  g_assert_cmpstr (kv_file_get (file, "b"), ==, "2");
  g_assert_cmpstr (kv_file_get (file, "c"), ==, "3");
  g_assert_cmpstr (kv_file_get (file, "d"), ==, "4");
  assert_text (file, text);
  set (file, "b", "two");
  set (file, "e", "5");
  assert_text (file, "\357\273\277a = \"1\"\r\nb = \"two\"\rc = \"3\"\n"
                     "\r\n\n\r# x\r\nd = \"4\"\r\ne = \"5\"");
  kv_file_unset (file, "e");
  kv_file_unset (file, "c");
  assert_text (file, "\357\273\277a = \"1\"\r\nb = \"two\"\r"
                     "\r\n\n\r# x\r\nd = \"4\"");
}

static void
test_edits (void)
{
  static const struct {
    const char *before, *value, *after;
  } rows[] = {
    { "  K=\"v\"\t# c\n", "w", "  K=\"w\"\t# c\n" },
    { "k = v # c\n", "w", "k = \"w\" # c\n" },
    { "k =\n", "w", "k = \"w\"\n" },
    { "k =#c\n", "w", "k = \"w\"#c\n" },
    { "k = \"a\"\nk = \"b\"\n", "w", "k = \"a\"\nk = \"w\"\n" },
    { "k = bare\n", "bare", "k = bare\n" },
    { "k = \"|41\"\n", "A", "k = \"|41\"\n" },
    { "k = \"v\"\n", "a\"|\n\t\r\177", "k = \"a|22|7C|0A\t|0D|7F\"\n" },
    { "x\n", "w", "x\nk = \"w\"\n" },
    { "", "w", "k = \"w\"\n" },
    { "x", "w", "x\nk = \"w\"" },
  };
  gsize i;

  for (i = 0; i < G_N_ELEMENTS (rows); i++) {
    g_autoptr (KvFile) file = parse (rows[i].before);

    set (file, "k", rows[i].value);
    assert_text (file, rows[i].after);
    g_assert_cmpstr (kv_file_get (file, "k"), ==, rows[i].value);
  }
}

static void
test_rename_and_unset (void)
{
  g_autoptr (KvFile) file
    = parse ("a.x = \"1\"\n A.x=2 # c\nb = \"3\"\na.y = \"4\"\n");

  kv_file_rename (file, "a.X", "long.name");
  assert_text (file, "long.name = \"1\"\n long.name=2 # c\nb = \"3\"\n"
                     "a.y = \"4\"\n");
  g_assert_cmpstr (kv_file_get (file, "long.name"), ==, "2");
  g_assert_null (kv_file_get (file, "a.x"));
  kv_file_unset (file, "LONG.NAME");
  kv_file_unset (file, "none");
  assert_text (file, "b = \"3\"\na.y = \"4\"\n");
}

static gboolean
collect (const char *name, const char *value, gpointer data)
{
  g_string_append_printf (data, "%s:%s,", name, value);
  return strcmp (name, "stop") != 0;
}

static void
test_queries (void)
{
  g_autoptr (KvFile) file
    = parse ("a = \"yes\"\nA = \"FALSE\"\nn = \"-12\"\nbig = \"99999999999\"\n"
             "bad = \"1x\"\nt = \"True\"\nstop = \"1\"\nz = \"0\"\nZ = 1\n");
  g_autoptr (GString) seen = g_string_new (NULL);
  g_auto (GStrv) twice = kv_file_list_duplicates (file);
  gint64 n = 77;

  g_assert_false (kv_file_get_bool (file, "a", TRUE));
  g_assert_true (kv_file_get_bool (file, "t", FALSE));
  g_assert_true (kv_file_get_bool (file, "n", TRUE));
  g_assert_true (kv_file_get_bool (file, "none", TRUE));
  g_assert_true (kv_file_get_int (file, "n", -20, 20, &n));
  g_assert_cmpint (n, ==, -12);
  g_assert_false (kv_file_get_int (file, "n", 0, 20, &n));
  g_assert_false (kv_file_get_int (file, "big", 0, G_MAXINT32, &n));
  g_assert_false (kv_file_get_int (file, "bad", 0, 9, &n));
  g_assert_false (kv_file_get_int (file, "none", 0, 9, &n));
  g_assert_cmpint (n, ==, -12);
  kv_file_foreach (file, collect, seen);
  g_assert_cmpstr (seen->str, ==,
                   "a:yes,A:FALSE,n:-12,big:99999999999,bad:1x,t:True,"
                   "stop:1,");
  g_assert_cmpuint (g_strv_length (twice), ==, 2);
  g_assert_cmpstr (twice[0], ==, "a");
  g_assert_cmpstr (twice[1], ==, "z");
  g_assert_cmpstr (kv_file_get_default (file, "none", "f"), ==, "f");
}

static void
test_encodings (void)
{
  static const struct {
    const char *encoding, *bytes, *text;
  } rows[] = {
    { "UTF-8", "\303\251", "\303\251" },
    { "windows-1252", "\351", "\303\251" },
    { "windows-1251", "\344", "\320\264" },
    { "GBK", "\326\320", "\344\270\255" },
    /* second bytes that are | and \ */
    { "Shift_JIS", "\203|7C", "\343\203\235" },
    { "Shift_JIS", "\203\\", "\343\202\275" },
    { "Big5", "\244\244", "\344\270\255" },
    { "EUC-KR", "\307\321", "\355\225\234" },
    { "iso-8859-1", "\351", "\303\251" },
  };
  gsize i;

  for (i = 0; i < G_N_ELEMENTS (rows); i++) {
    g_autofree char *text = g_strdup_printf (".encoding = \"%s\"\nk = \"%s\"\n",
                                             rows[i].encoding, rows[i].bytes);
    g_autofree char *empty
      = g_strdup_printf (".encoding = \"%s\"\nk = \"\"\n", rows[i].encoding);
    g_autoptr (KvFile) file = parse (text);
    g_autoptr (KvFile) fresh = parse (empty);

    g_test_message ("%s", rows[i].encoding);
    g_assert_cmpstr (kv_file_get (file, "k"), ==, rows[i].text);
    set (fresh, "k", rows[i].text);
    assert_text (fresh, text);
  }
}

static void
test_encoding_guess (void)
{
  g_autoptr (KvFile) utf8 = parse ("k = \"\303\251\"\n");
  g_autoptr (KvFile) latin = parse ("#!/usr/bin/vmware\nk = \"\351\"\n");
  g_autoptr (KvFile) again = NULL;
  g_autoptr (GBytes) bytes = NULL;

  g_assert_cmpstr (kv_file_get (utf8, "k"), ==, "\303\251");
  g_assert_cmpstr (kv_file_get (latin, "k"), ==, "\303\251");
  /* The bytes of this value happen to be valid UTF-8. */
  set (latin, "k", "\303\203\302\251");
  bytes = kv_file_to_bytes (latin);
  again = kv_file_parse (g_bytes_get_data (bytes, NULL),
                         g_bytes_get_size (bytes), "t", NULL);
  g_assert_cmpstr (kv_file_get (again, "k"), ==, "\303\203\302\251");
  assert_text (latin, "#!/usr/bin/vmware\n.encoding = \"windows-1252\"\n"
                      "k = \"\303\251\"\n");
}

static void
test_undecodable (void)
{
  g_autoptr (KvFile) utf8
    = parse (".encoding = \"UTF-8\"\nk = \"a\377b\"\ne = \"|ff\"\n");
  g_autoptr (KvFile) sjis
    = parse (".encoding = \"Shift_JIS\"\nk = \"a\375b\"\n");

  g_assert_cmpstr (kv_file_get (utf8, "k"), ==, "a\357\277\275b");
  g_assert_cmpstr (kv_file_get (utf8, "e"), ==, "\357\277\275");
  g_assert_true (g_utf8_validate (kv_file_get (sjis, "k"), -1, NULL));
  set (utf8, "x", "1");
  assert_text (utf8, ".encoding = \"UTF-8\"\nk = \"a\377b\"\ne = \"|ff\"\n"
                     "x = \"1\"\n");
}

static void
assert_set_fails (KvFile *file, const char *name, const char *value, int code)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) before = kv_file_to_bytes (file);
  g_autoptr (GBytes) after = NULL;

  g_assert_false (kv_file_set (file, name, value, &error));
  g_assert_error (error, VIX_ERROR, code);
  g_assert_nonnull (strstr (error->message, "t.vmx"));
  after = kv_file_to_bytes (file);
  g_assert_true (g_bytes_equal (before, after));
}

static void
test_set_refused (void)
{
  g_autoptr (KvFile) file = parse (".encoding = \"windows-1252\"\nk = \"v\"\n");
  g_autofree char *huge = g_strnfill (KV_LINE_MAX_BYTES, 'x');

  assert_set_fails (file, "k", "\344\270\255", VIX_E_INVALID_UTF8_STRING);
  assert_set_fails (file, "k", "\377", VIX_E_INVALID_UTF8_STRING);
  assert_set_fails (file, "k", huge, VIX_E_ARGUMENT_TOO_BIG);
  assert_set_fails (file, "n", huge, VIX_E_ARGUMENT_TOO_BIG);
  assert_set_fails (file, ".Encoding", "UTF-8", VIX_E_INVALID_ARG);
  assert_set_fails (file, "a b", "1", VIX_E_INVALID_ARG);
  assert_set_fails (file, "", "1", VIX_E_INVALID_ARG);
}

static void
assert_refused (const char *data, gsize len, const char *part)
{
  g_autoptr (GError) error = NULL;

  g_assert_null (kv_file_parse (data, len, "bad.vmx", &error));
  g_assert_error (error, VIX_ERROR, VIX_E_INVALID_SERIALIZED_DATA);
  g_assert_nonnull (strstr (error->message, "bad.vmx"));
  g_assert_nonnull (strstr (error->message, part));
}

static void
test_refused (void)
{
  static const char *const encodings[]
    = { "UTF-16",  "UCS-4LE", "UTF-7",         "IBM037",
        "klingon", "",        "UTF-8//IGNORE", "../x" };
  g_autofree char *line = g_strnfill (KV_LINE_MAX_BYTES + 1, 'x');
  g_autofree char *lines = g_strnfill (1 << 19, '\n');
  gsize i;

  assert_refused ("a = \"1\"\nb\0c", 11, "line 2");
  assert_refused (line, KV_LINE_MAX_BYTES + 1, "1 MiB");
  assert_refused (lines, 1 << 19, "lines");
  assert_refused (line, KV_FILE_MAX_BYTES + 1, "16 MiB");
  for (i = 0; i < G_N_ELEMENTS (encodings); i++) {
    g_autofree char *text
      = g_strdup_printf (".encoding = \"%s\"\n", encodings[i]);

    assert_refused (text, strlen (text), ".encoding");
  }
}

static void
test_new_and_copy (void)
{
  g_autoptr (KvFile) file = kv_file_new ("t.vmsd");
  g_autoptr (KvFile) copy = NULL;

  assert_text (file, ".encoding = \"UTF-8\"\n");
  set (file, "a", "1");
  copy = kv_file_copy (file);
  set (copy, "a", "2");
  g_assert_cmpstr (kv_file_get (file, "a"), ==, "1");
  assert_text (copy, ".encoding = \"UTF-8\"\na = \"2\"\n");
}

static void
test_many_keys (void)
{
  g_autoptr (KvFile) file = kv_file_new ("t");
  int i;

  for (i = 0; i < 2000; i++) {
    g_autofree char *name = g_strdup_printf ("key%d", i);

    set (file, name, name);
  }
  for (i = 0; i < 2000; i++) {
    g_autofree char *name = g_strdup_printf ("KEY%d", i);

    g_assert_cmpstr (kv_file_get (file, name) + 3, ==, name + 3);
  }
}

/* ---- properties ---- */

static char *
random_text (const char *alphabet, int max)
{
  GString *s = g_string_new (NULL);
  int n = g_test_rand_int_range (0, max);

  while (n-- > 0)
    g_string_append_c (
      s, alphabet[g_test_rand_int_range (0, (gint32)strlen (alphabet))]);
  return g_string_free (s, FALSE);
}

static GPtrArray *
lines_of (const KvFile *file)
{
  g_autoptr (GBytes) bytes = kv_file_to_bytes (file);
  gsize len;
  const char *data = g_bytes_get_data (bytes, &len);
  g_autofree char *text = len > 0 ? g_strndup (data, len) : g_strdup ("");
  char **parts = g_strsplit_set (text, "\r\n", -1);
  GPtrArray *lines = g_ptr_array_new_with_free_func (g_free);
  int i;

  for (i = 0; parts[i] != NULL; i++)
    if (parts[i][0] != '\0')
      g_ptr_array_add (lines, g_strdup (parts[i]));
  g_strfreev (parts);
  return lines;
}

/* An edit may change or add one line; all others stay, in order. */
static void
assert_one_line_differs (GPtrArray *before, GPtrArray *after)
{
  guint i, differ = 0;

  g_assert_cmpuint (after->len, >=, before->len);
  g_assert_cmpuint (after->len, <=, before->len + 1);
  for (i = 0; i < before->len; i++)
    if (strcmp (before->pdata[i], after->pdata[i]) != 0)
      differ++;
  g_assert_cmpuint (differ + after->len - before->len, <=, 1);
}

static void
test_property (void)
{
  static const char hostile[] = "aAbk=\"# \t|012\\\r\n\n.";
  static const char values[] = "ab\"|#=\n\r\t \\0Af";
  int round;

  for (round = 0; round < 3000; round++) {
    g_autofree char *text = random_text (hostile, 80);
    g_autofree char *value = random_text (values, 12);
    g_autoptr (KvFile) file = parse (text);
    g_autoptr (KvFile) again = NULL;
    g_autoptr (GPtrArray) before = lines_of (file);
    g_autoptr (GPtrArray) after = NULL;
    g_autoptr (GBytes) bytes = NULL;

    assert_text (file, text);
    set (file, "k", value);
    g_assert_cmpstr (kv_file_get (file, "K"), ==, value);
    after = lines_of (file);
    assert_one_line_differs (before, after);
    bytes = kv_file_to_bytes (file);
    again = kv_file_parse (g_bytes_get_data (bytes, NULL),
                           g_bytes_get_size (bytes), "again", NULL);
    g_assert_cmpstr (kv_file_get (again, "k"), ==, value);
    kv_file_unset (file, "k");
    g_assert_null (kv_file_get (file, "k"));
  }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/kv-file/lines-by-the-grammar", test_lines);
  g_test_add_func ("/kv-file/line-ends-and-bom-stay", test_line_ends);
  g_test_add_func ("/kv-file/set-changes-only-the-value", test_edits);
  g_test_add_func ("/kv-file/rename-and-unset", test_rename_and_unset);
  g_test_add_func ("/kv-file/queries", test_queries);
  g_test_add_func ("/kv-file/encodings", test_encodings);
  g_test_add_func ("/kv-file/encoding-guess-is-written", test_encoding_guess);
  g_test_add_func ("/kv-file/undecodable-bytes-stay", test_undecodable);
  g_test_add_func ("/kv-file/set-refused-changes-nothing", test_set_refused);
  g_test_add_func ("/kv-file/hostile-files-are-refused", test_refused);
  g_test_add_func ("/kv-file/new-and-copy", test_new_and_copy);
  g_test_add_func ("/kv-file/many-keys", test_many_keys);
  g_test_add_func ("/kv-file/property-round-trip", test_property);
  return g_test_run ();
}
