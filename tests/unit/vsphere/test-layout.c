/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A VM's files, packed: what comes out is what layoutEx said.
 */
#include <string.h>

#include "vsphere/layout.h"

/* ---- layouts in a few words ---- */

#define FILE_OF(k, path, kind, bytes)                                          \
  {                                                                            \
    .key = k, .name = path, .type = kind, .size = bytes                        \
  }

static SoapFileLayoutExDiskUnit
unit_of (const gint64 *keys, gsize n)
{
  return (SoapFileLayoutExDiskUnit){ .fileKey = { keys, n } };
}

/* "a.vmdk 5, b.vmdk 6" */
static char *
tell (const VsphereLayout *layout, const char *ref)
{
  GString *text = g_string_new (NULL);
  g_autofree VixExtFile *files = NULL;
  gsize n = 99;

  files = vsphere_layout_list (layout, ref, 77, &n);
  for (gsize i = 0; i < n; i++) {
    g_string_append_printf (text, "%s%s %" G_GINT64_FORMAT, i > 0 ? ", " : "",
                            files[i].name, files[i].bytes);
    g_assert_cmpint (files[i].allocated, ==, files[i].bytes);
    g_assert_cmpint (files[i].modified, ==, 77);
  }
  return g_string_free (text, FALSE);
}

static void
assert_tells (const VsphereLayout *layout, const char *ref, const char *wanted)
{
  g_autofree char *text = tell (layout, ref);

  g_assert_cmpstr (text, ==, wanted);
}

/* A VM with two snapshots, one disk in them and an independent one. */
static const SoapFileLayoutExFileInfo files[] = {
  FILE_OF (10, "[ds] web/web.vmx", "config", 300),
  FILE_OF (11, "[ds] web/web.vmdk", "diskDescriptor", 500),
  FILE_OF (12, "[ds] web/web-flat.vmdk", "diskExtent",
           G_GINT64_CONSTANT (1) << 40),
  FILE_OF (13, "[ds] web/web-000001.vmdk", "diskDescriptor", 501),
  FILE_OF (14, "[ds] web/web-000002.vmdk", "diskDescriptor", 502),
  FILE_OF (15, "[other] web/log.vmdk", "diskDescriptor", 503),
  FILE_OF (16, "[ds] web/web-Snapshot1.vmsn", "snapshotData", 128),
  FILE_OF (17, "[ds] web/web-Snapshot2.vmsn", "snapshotData", 129),
  FILE_OF (18, "[ds] web/web-Snapshot2.vmem", "snapshotMemory", 1 << 20),
};
static const gint64 base_keys[] = { 11, 12 }, first_keys[] = { 13 },
                    second_keys[] = { 14 }, other_keys[] = { 15 };

static VsphereLayout *
make_web (const SoapFileLayoutExFileInfo *from, gsize n_files)
{
  SoapFileLayoutExDiskUnit chain[]
    = { unit_of (base_keys, 2), unit_of (first_keys, 1),
        unit_of (second_keys, 1) };
  SoapFileLayoutExDiskUnit other[] = { unit_of (other_keys, 1) };
  SoapFileLayoutExDiskLayout now[] = { { .key = 2000, .chain = { chain, 3 } },
                                       { .key = 2001, .chain = { other, 1 } } };
  SoapFileLayoutExDiskLayout first[]
    = { { .key = 2000, .chain = { chain, 1 } },
        { .key = 2001, .chain = { other, 1 } } };
  SoapFileLayoutExDiskLayout second[]
    = { { .key = 2000, .chain = { chain, 2 } } };
  SoapFileLayoutExSnapshotLayout snapshots[]
    = { { .key = { "VirtualMachineSnapshot", "snapshot-1" },
          .dataKey = 16,
          .memoryKey = -1,
          .disk = { first, 2 } },
        { .key = { "VirtualMachineSnapshot", "snapshot-2" },
          .dataKey = 17,
          .memoryKey = 18,
          .disk = { second, 1 } } };
  SoapVirtualMachineFileLayoutEx layout = { .file = { from, n_files },
                                            .disk = { now, 2 },
                                            .snapshot = { snapshots, 2 } };
  gboolean cut = TRUE;
  VsphereLayout *made = vsphere_layout_new (&layout, &cut);

  g_assert_false (cut);
  return made;
}

static void
test_all (void)
{
  g_autofree VsphereLayout *layout = make_web (files, G_N_ELEMENTS (files));

  assert_tells (layout, NULL,
                "log.vmdk 503, web-000001.vmdk 501, web-000002.vmdk 502, "
                "web-Snapshot1.vmsn 128, web-Snapshot2.vmem 1048576, "
                "web-Snapshot2.vmsn 129, web-flat.vmdk 1099511627776, "
                "web.vmdk 500, web.vmx 300");
}

static void
test_of_snapshots (void)
{
  g_autofree VsphereLayout *layout = make_web (files, G_N_ELEMENTS (files));
  g_autoptr (GHashTable) disks = vsphere_layout_count_disks (layout);

  assert_tells (layout, "snapshot-1",
                "web-Snapshot1.vmsn 128, web-flat.vmdk 1099511627776, "
                "web.vmdk 500");
  assert_tells (layout, "snapshot-2",
                "web-000001.vmdk 501, web-Snapshot2.vmem 1048576, "
                "web-Snapshot2.vmsn 129");
  assert_tells (layout, "snapshot-3", "");
  g_assert_cmpint (GPOINTER_TO_INT (g_hash_table_lookup (disks, "snapshot-1")),
                   ==, 1);
  g_assert_cmpint (GPOINTER_TO_INT (g_hash_table_lookup (disks, "snapshot-2")),
                   ==, 1);
}

static void
assert_found (const VsphereLayout *layout, const char *name, const char *wanted)
{
  g_autofree char *path = vsphere_layout_find_path (layout, name);

  g_assert_cmpstr (path, ==, wanted);
}

static void
test_paths (void)
{
  g_autofree VsphereLayout *layout = make_web (files, G_N_ELEMENTS (files));

  assert_found (layout, "web.vmx", "[ds] web/web.vmx");
  assert_found (layout, "web-flat.vmdk", "[ds] web/web-flat.vmdk");
  assert_found (layout, "log.vmdk", "[other] web/log.vmdk");
  assert_found (layout, "web", NULL);
  assert_found (layout, "[ds] web/web.vmx", NULL);
  assert_found (NULL, "web.vmx", NULL);
}

/* What a snapshot's disks are made of: another number when a file of theirs is
 * another, and the same whatever happens to other files. */
static void
test_chains (void)
{
  SoapFileLayoutExFileInfo moved[G_N_ELEMENTS (files)];
  g_autofree VsphereLayout *layout = make_web (files, G_N_ELEMENTS (files));
  g_autofree VsphereLayout *other = NULL;
  gint64 base = 500 + (G_GINT64_CONSTANT (1) << 40);

  memcpy (moved, files, sizeof files);
  moved[3].name = "[ds] web/web-000009.vmdk";
  other = make_web (moved, G_N_ELEMENTS (moved));
  g_assert_cmpuint (vsphere_layout_hash_chains (layout, "snapshot-1"), ==,
                    vsphere_layout_hash_chains (other, "snapshot-1"));
  g_assert_cmpuint (vsphere_layout_hash_chains (layout, "snapshot-2"), !=,
                    vsphere_layout_hash_chains (other, "snapshot-2"));
  g_assert_cmpuint (vsphere_layout_hash_chains (layout, "snapshot-3"), ==, 0);
  g_assert_cmpint (vsphere_layout_get_chain_bytes (layout, "snapshot-1", 2000),
                   ==, base);
  g_assert_cmpint (vsphere_layout_get_chain_bytes (layout, "snapshot-2", 2000),
                   ==, base + 501);
  /* Independent, and no disk at all. */
  g_assert_cmpint (vsphere_layout_get_chain_bytes (layout, "snapshot-1", 2001),
                   ==, 0);
  g_assert_cmpint (vsphere_layout_get_chain_bytes (layout, "snapshot-3", 2000),
                   ==, 0);
}

static void
test_nothing (void)
{
  const SoapVirtualMachineFileLayoutEx none = { .file = { NULL, 0 } };
  gboolean cut = TRUE;
  g_autofree VsphereLayout *layout = vsphere_layout_new (&none, &cut);

  assert_tells (layout, NULL, "");
  assert_tells (layout, "snapshot-1", "");
  assert_tells (NULL, NULL, "");
  assert_tells (NULL, "snapshot-1", "");
  g_assert_null (vsphere_layout_count_disks (NULL));
  g_assert_null (vsphere_layout_count_disks (layout));
  g_assert_cmpuint (vsphere_layout_hash (NULL), ==, 0);
  g_assert_cmpuint (vsphere_layout_hash (layout), !=, 0);
}

static void
test_hash (void)
{
  SoapFileLayoutExFileInfo grown[G_N_ELEMENTS (files)];
  g_autofree VsphereLayout *layout = make_web (files, G_N_ELEMENTS (files));
  g_autofree VsphereLayout *same = make_web (files, G_N_ELEMENTS (files));
  g_autofree VsphereLayout *other = NULL;
  g_autofree VsphereLayout *fewer = make_web (files, G_N_ELEMENTS (files) - 1);

  memcpy (grown, files, sizeof files);
  grown[1].size++;
  other = make_web (grown, G_N_ELEMENTS (grown));
  g_assert_cmpuint (vsphere_layout_hash (layout), ==,
                    vsphere_layout_hash (same));
  g_assert_cmpuint (vsphere_layout_hash (layout), !=,
                    vsphere_layout_hash (other));
  g_assert_cmpuint (vsphere_layout_hash (layout), !=,
                    vsphere_layout_hash (fewer));
}

/* One name in two directories: the VM's own file is the one that shows, and a
 * key of the other one is nobody's. */
static void
test_names_twice (void)
{
  static const SoapFileLayoutExFileInfo twice[] = {
    FILE_OF (1, "[ds] base/web.vmdk", "diskDescriptor", 1),
    FILE_OF (2, "[ds] web/web.vmdk", "diskDescriptor", 2),
    FILE_OF (3, "[ds] web/web.vmx", "config", 3),
    FILE_OF (4, "[ds] web.vmsd", NULL, 4),
    FILE_OF (5, "[ds] web/", "log", 5),
    FILE_OF (6, "odd", "log", -6),
  };
  static const gint64 foreign_keys[] = { 1 };
  SoapFileLayoutExDiskUnit unit = unit_of (foreign_keys, 1);
  SoapFileLayoutExDiskLayout disk = { .chain = { &unit, 1 } };
  SoapFileLayoutExSnapshotLayout snapshot
    = { .key = { "VirtualMachineSnapshot", "s" },
        .dataKey = -1,
        .disk = { &disk, 1 } };
  SoapVirtualMachineFileLayoutEx from
    = { .file = { twice, G_N_ELEMENTS (twice) }, .snapshot = { &snapshot, 1 } };
  gboolean cut;
  g_autofree VsphereLayout *layout = vsphere_layout_new (&from, &cut);

  assert_tells (layout, NULL, "odd 0, web.vmdk 2, web.vmsd 4, web.vmx 3");
  assert_tells (layout, "s", "");
}

/* More than is kept, and keys that point nowhere. */
static void
test_hostile (void)
{
  gsize n = 70000;
  g_autofree SoapFileLayoutExFileInfo *many
    = g_new0 (SoapFileLayoutExFileInfo, n);
  g_autoptr (GPtrArray) names = g_ptr_array_new_with_free_func (g_free);
  static const gint64 keys[] = { -5, 1 << 30, 3, 3, 3, 0, G_MAXINT64 };
  SoapFileLayoutExDiskUnit unit = unit_of (keys, G_N_ELEMENTS (keys));
  SoapFileLayoutExDiskLayout disks[]
    = { { .chain = { &unit, 1 } }, { .chain = { NULL, 0 } } };
  SoapFileLayoutExSnapshotLayout snapshots[] = {
    { .key = { "VirtualMachineSnapshot", NULL } },
    { .key = { "VirtualMachineSnapshot", "s" },
      .dataKey = G_MAXINT64,
      .memoryKey = 3,
      .disk = { disks, 2 } },
  };
  SoapVirtualMachineFileLayoutEx from
    = { .file = { many, n }, .snapshot = { snapshots, 2 } };
  g_autofree VsphereLayout *layout = NULL;
  g_autofree VixExtFile *all = NULL;
  gboolean cut = FALSE;
  gsize n_all;

  for (gsize i = 0; i < n; i++) {
    g_ptr_array_add (names, g_strdup_printf ("[ds] a/%05d.log", (int)i));
    many[i] = (SoapFileLayoutExFileInfo){ .key = (gint64)i,
                                          .name = names->pdata[i],
                                          .size = G_MAXINT64 };
  }
  layout = vsphere_layout_new (&from, &cut);
  g_assert_true (cut);
  all = vsphere_layout_list (layout, NULL, 0, &n_all);
  g_assert_cmpuint (n_all, ==, 65536);
  g_assert_cmpstr (all[65535].name, ==, "65535.log");
  g_assert_cmpint (all[65535].bytes, ==, G_MAXINT64);
  assert_tells (layout, "s",
                "00000.log 9223372036854775807, 00003.log 9223372036854775807");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/vsphere/layout/all-files", test_all);
  g_test_add_func ("/vsphere/layout/files-of-snapshots", test_of_snapshots);
  g_test_add_func ("/vsphere/layout/paths", test_paths);
  g_test_add_func ("/vsphere/layout/chains", test_chains);
  g_test_add_func ("/vsphere/layout/nothing", test_nothing);
  g_test_add_func ("/vsphere/layout/hash", test_hash);
  g_test_add_func ("/vsphere/layout/names-twice", test_names_twice);
  g_test_add_func ("/vsphere/layout/hostile", test_hostile);
  return g_test_run ();
}
