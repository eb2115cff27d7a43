/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "json.h"

static void
test_object (void)
{
  g_autoptr (GString) out = g_string_new (NULL);
  FsJson json;

  fs_json_init (&json, out, FALSE);
  fs_json_begin (&json, NULL, '{');
  fs_json_string (&json, "text", "a\"b\\c\nd\te\x01");
  fs_json_string (&json, "none", NULL);
  fs_json_int (&json, "number", -5);
  fs_json_bool (&json, "yes", TRUE);
  fs_json_begin (&json, "list", '[');
  fs_json_int (&json, NULL, 1);
  fs_json_begin (&json, NULL, '{');
  fs_json_end (&json, '}');
  fs_json_end (&json, ']');
  fs_json_begin (&json, "empty", '[');
  fs_json_end (&json, ']');
  fs_json_end (&json, '}');
  g_assert_cmpstr (out->str, ==,
                   "{\"text\": \"a\\\"b\\\\c\\nd\\te\\u0001\", \"none\": null, "
                   "\"number\": -5, \"yes\": true, \"list\": [1, {}], "
                   "\"empty\": []}\n");
}

static void
test_indented (void)
{
  g_autoptr (GString) out = g_string_new (NULL);
  FsJson json;

  fs_json_init (&json, out, TRUE);
  fs_json_begin (&json, NULL, '{');
  fs_json_int (&json, "a", 1);
  fs_json_begin (&json, "b", '[');
  fs_json_int (&json, NULL, 2);
  fs_json_end (&json, ']');
  fs_json_end (&json, '}');
  g_assert_cmpstr (out->str, ==, "{\n  \"a\": 1,\n  \"b\": [\n    2\n  ]\n}\n");
}

static void
test_plain (void)
{
  g_autoptr (GString) out = g_string_new (NULL);
  FsJson json;

  fs_json_init_plain (&json, out);
  fs_json_string (&json, NULL, "as it \"is\"");
  fs_json_init_plain (&json, out);
  fs_json_bool (&json, NULL, FALSE);
  fs_json_init_plain (&json, out);
  fs_json_string (&json, NULL, NULL);
  fs_json_init_plain (&json, out);
  fs_json_begin (&json, NULL, '[');
  fs_json_string (&json, NULL, "x");
  fs_json_end (&json, ']');
  g_assert_cmpstr (out->str, ==, "as it \"is\"0[\"x\"]");
}

static void
test_bad_text (void)
{
  g_autoptr (GString) out = g_string_new (NULL);
  FsJson json;

  fs_json_init (&json, out, FALSE);
  fs_json_string (&json, NULL, "a\xff\xc3z");
  g_assert_true (g_utf8_validate (out->str, -1, NULL));
}

static void
test_time (void)
{
  g_autofree char *text = fs_time_text (G_GINT64_CONSTANT (1700000000123456));
  g_autofree char *none = fs_time_text (0);
  g_autofree char *far = fs_time_text (G_MAXINT64);

  g_assert_cmpstr (text, ==, "2023-11-14T22:13:20.123456Z");
  g_assert_null (none);
  g_assert_null (far);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/json/one-line", test_object);
  g_test_add_func ("/json/one-member-a-line", test_indented);
  g_test_add_func ("/json/attributes-are-plain", test_plain);
  g_test_add_func ("/json/bad-utf8-is-mended", test_bad_text);
  g_test_add_func ("/json/times-are-utc", test_time);
  return g_test_run ();
}
