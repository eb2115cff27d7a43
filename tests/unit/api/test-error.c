/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "host-fixture.h"

/* Every code of the header by name, value and text. codes.txt is the list of
 * the reference: "VALUE NAME" a line. */
static void
test_every_code_has_its_name_and_a_text (void)
{
  g_autofree char *path
    = g_test_build_filename (G_TEST_DIST, "codes.txt", NULL);
  g_autofree char *all = NULL;
  g_auto (GStrv) lines = NULL;
  g_autoptr (GHashTable) texts = g_hash_table_new (g_str_hash, g_str_equal);
  guint n = 0;

  g_assert_true (g_file_get_contents (path, &all, NULL, NULL));
  lines = g_strsplit (all, "\n", -1);
  for (gsize i = 0; lines[i] != NULL && *lines[i] != '\0'; i++) {
    char *name;
    guint64 code = g_ascii_strtoull (lines[i], &name, 10);
    const char *text = Vix_GetErrorText (code, NULL);

    name++;
    g_assert_cmpstr (VixExt_GetErrorName (code), ==, name);
    g_assert_cmpstr (text, !=, "");
    /* No two codes share a text. */
    g_assert_true (g_hash_table_add (texts, (gpointer)text));
    n++;
  }
  g_assert_cmpuint (n, ==, 275);
}

static void
test_unknown_codes_have_a_text (void)
{
  g_assert_cmpstr (Vix_GetErrorText (9999, NULL), !=, "");
  g_assert_cmpstr (Vix_GetErrorText ((VixError)-1, "de"), !=, "");
  g_assert_cmpstr (VixExt_GetErrorName (9999), ==, "VIX_E_FAIL");
}

static void
test_upper_bits_are_masked (void)
{
  VixError full = ((VixError)7 << 32) | (2 << 24) | VIX_E_DISK_FULL;

  g_assert_true (Vix_GetErrorText (full, NULL)
                 == Vix_GetErrorText (VIX_E_DISK_FULL, NULL));
  g_assert_cmpint (VIX_ERROR_CODE (full), ==, VIX_E_DISK_FULL);
  g_assert_true (VIX_FAILED (full));
  g_assert_true (VIX_SUCCEEDED (VIX_OK));
}

static void
test_errors_are_bare_codes (void)
{
  VixHandle host = connect_workstation ();
  VixHandle vm = open_vm (host, "one");
  VixError err;

  fake_fail_next (VIX_E_SNAPSHOT_MAXSNAPSHOTS);
  err = finish (VixVM_CreateSnapshot (vm, "s", "", 0, 0, NULL, NULL));
  g_assert_true (err == VIX_E_SNAPSHOT_MAXSNAPSHOTS);
  disconnect_and_check (host);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/error/every-code-has-its-name-and-a-text",
                   test_every_code_has_its_name_and_a_text);
  g_test_add_func ("/error/unknown-codes-have-a-text",
                   test_unknown_codes_have_a_text);
  g_test_add_func ("/error/upper-bits-are-masked", test_upper_bits_are_masked);
  g_test_add_func ("/error/bare-codes", test_errors_are_bare_codes);
  return g_test_run ();
}
