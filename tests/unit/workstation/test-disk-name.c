/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "workstation/disk-name.h"

static void
test_lineage (void)
{
  static const struct {
    const char *name, *lineage;
  } rows[] = {
    { "dev.vmdk", "dev" },
    { "dev-000003.vmdk", "dev" },
    { "a/b/dev-000003.vmdk", "dev" },
    { "C:\\vms\\dev-000003.VMDK", "dev" },
    { "Virtual Disk.vmdk", "Virtual Disk" },
    { "dev-000003-000001.vmdk", "dev-000003" },
    { "dev-00003.vmdk", "dev-00003" },
    { "-000001.vmdk", "-000001" },
    { ".vmdk", ".vmdk" },
    { "disk", "disk" },
    { "", "" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++) {
    g_autofree char *lineage = ws_disk_lineage (rows[i].name);

    g_assert_cmpstr (lineage, ==, rows[i].lineage);
  }
}

/* Takes a name for a child of @disk where @present is all there is. */
static char *
take (const char *disk, const char *present, guint times)
{
  g_auto (GStrv) words = g_strsplit (present, ",", -1);
  g_autoptr (GPtrArray) names = g_ptr_array_new ();
  g_autoptr (WsDiskNames) taken = NULL;
  char *name = NULL;

  for (guint i = 0; words[i] != NULL; i++)
    g_ptr_array_add (names, words[i]);
  taken = ws_disk_names_new (names);
  for (guint i = 0; i < times; i++) {
    g_free (name);
    name = ws_disk_names_take_child (taken, disk);
  }
  return name;
}

static void
test_take (void)
{
  static const struct {
    const char *disk, *present;
    guint times;
    const char *name;
  } rows[] = {
    { "dev.vmdk", "dev.vmdk", 1, "dev-000001.vmdk" },
    { "dev.vmdk", "dev.vmdk", 3, "dev-000003.vmdk" },
    { "dev-000001.vmdk", "dev-000001.vmdk", 1, "dev-000002.vmdk" },
    /* gaps are filled */
    { "dev-000003.vmdk", "dev-000001.vmdk,dev-000003.vmdk", 1,
      "dev-000002.vmdk" },
    /* an extent without its descriptor takes the number, too */
    { "dev.vmdk", "dev-000001-s002.vmdk", 1, "dev-000002.vmdk" },
    { "dev.vmdk", "dev-000001-delta.vmdk,dev-000002.vmdk.lck", 1,
      "dev-000003.vmdk" },
    /* other disks count for themselves */
    { "dev.vmdk", "data-000001.vmdk", 1, "dev-000001.vmdk" },
    { "/elsewhere/dev.vmdk", "", 1, "dev-000001.vmdk" },
    { "a-000001-b.vmdk", "a-000001-b-000001.vmdk", 1,
      "a-000001-b-000002.vmdk" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++) {
    g_autofree char *name = take (rows[i].disk, rows[i].present, rows[i].times);

    g_assert_cmpstr (name, ==, rows[i].name);
  }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/workstation/disk-name/lineage", test_lineage);
  g_test_add_func ("/workstation/disk-name/first-free-number", test_take);
  return g_test_run ();
}
