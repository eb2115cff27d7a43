/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "bed.h"
#include "vm-fixture.h"

static VixError
rename_to (Bed *bed, gint64 uid, const char *name)
{
  VixHandle snapshot = bed_snapshot (bed, uid);
  VixError err
    = bed_finish (bed, VixExt_RenameSnapshot (snapshot, name, NULL, NULL));

  Vix_ReleaseHandle (snapshot);
  return err;
}

static VixError
describe (Bed *bed, gint64 uid, const char *text)
{
  VixHandle snapshot = bed_snapshot (bed, uid);
  VixError err
    = bed_finish (bed, VixExt_DescribeSnapshot (snapshot, text, NULL, NULL));

  Vix_ReleaseHandle (snapshot);
  return err;
}

/* Lines of @after that are not in @before. */
static guint
count_new_lines (const char *before, const char *after)
{
  g_auto (GStrv) old = g_strsplit (before, "\n", -1);
  g_auto (GStrv) new = g_strsplit (after, "\n", -1);
  guint count = 0;

  for (guint i = 0; new[i] != NULL; i++)
    count += !g_strv_contains ((const char *const *)old, new[i]);
  return count;
}

static void
test_rename (void)
{
  g_autoptr (Bed) bed = bed_new_simple ();
  g_autofree char *before = NULL;
  g_autofree char *after = NULL;
  g_autofree char *name = NULL;
  g_autofree char *files = NULL;
  g_autofree char *now = NULL;

  bed_snap (bed, "one");
  bed_snap (bed, "two");
  before = bed_read (bed, "vm.vmsd");
  files = bed_list (bed);
  assert_code (rename_to (bed, 1, "a \"new\"\nname | of / it \xc3\xa4"),
               VIX_OK);
  after = bed_read (bed, "vm.vmsd");
  g_assert_cmpuint (count_new_lines (before, after), ==, 1);
  name = bed_get (bed, "vm.vmsd", "snapshot0.displayName");
  g_assert_cmpstr (name, ==, "a \"new\"\nname | of / it \xc3\xa4");
  now = bed_list (bed);
  g_assert_cmpstr (now, ==, files);
}

static void
test_describe (void)
{
  g_autoptr (Bed) bed = bed_new_simple ();
  g_autofree char *text = NULL;
  g_autofree char *name = NULL;

  bed_snap (bed, "one");
  assert_code (describe (bed, 1, "first line\nsecond line"), VIX_OK);
  text = bed_get (bed, "vm.vmsd", "snapshot0.description");
  g_assert_cmpstr (text, ==, "first line\nsecond line");
  assert_code (describe (bed, 1, ""), VIX_OK);
  g_free (text);
  text = bed_get (bed, "vm.vmsd", "snapshot0.description");
  g_assert_cmpstr (text, ==, "");
  name = bed_get (bed, "vm.vmsd", "snapshot0.displayName");
  g_assert_cmpstr (name, ==, "one");
}

static void
test_equal (void)
{
  g_autoptr (Bed) bed = bed_new_simple ();
  g_autofree char *before = NULL;
  g_autofree char *after = NULL;

  bed_snap (bed, "one");
  before = bed_state (bed);
  assert_code (rename_to (bed, 1, "one"), VIX_OK);
  assert_code (describe (bed, 1, "by a test"), VIX_OK);
  after = bed_state (bed);
  g_assert_cmpstr (after, ==, before);
}

static void
test_encoding (void)
{
  g_autoptr (Bed) bed = bed_new_simple ();
  g_autoptr (GString) text = NULL;
  g_autofree char *before = NULL;
  g_autofree char *after = NULL;

  bed_snap (bed, "one");
  before = bed_read (bed, "vm.vmsd");
  text = g_string_new (before);
  g_assert_cmpuint (g_string_replace (text, "\"UTF-8\"", "\"windows-1252\"", 1),
                    ==, 1);
  bed_put (bed, "vm.vmsd", text->str);
  g_free (before);
  before = bed_state (bed);
  g_assert_true (VIX_FAILED (rename_to (bed, 1, "\xe6\xbc\xa2")));
  g_assert_nonnull (strstr (bed->message, "vm.vmsd"));
  after = bed_state (bed);
  g_assert_cmpstr (after, ==, before);
}

static void
test_locked (void)
{
  g_autoptr (Bed) bed = bed_new_simple ();
  g_autofree char *before = NULL;
  g_autofree char *after = NULL;

  bed_snap (bed, "one");
  fixture_lock (bed->dir, "vm.vmx");
  before = bed_state (bed);
  assert_code (rename_to (bed, 1, "two"), VIX_E_FILE_ALREADY_LOCKED);
  after = bed_state (bed);
  g_assert_cmpstr (after, ==, before);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/workstation/edit/rename-changes-one-line", test_rename);
  g_test_add_func ("/workstation/edit/description-may-be-long-or-empty",
                   test_describe);
  g_test_add_func ("/workstation/edit/equal-text-writes-nothing", test_equal);
  g_test_add_func ("/workstation/edit/name-the-encoding-lacks-is-refused",
                   test_encoding);
  g_test_add_func ("/workstation/edit/locked-vm-is-refused", test_locked);
  return g_test_run ();
}
