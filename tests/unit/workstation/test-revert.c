/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <glib/gstdio.h>
#include <string.h>

#include "bed.h"
#include "vm-fixture.h"

#define WORKSTATION VIX_SERVICEPROVIDER_VMWARE_WORKSTATION

static void
test_content (void)
{
  static const char *const disks[]
    = { "scsi0:0 monolithicSparse 8M", "sata0:1 monolithicFlat 4M", NULL };
  g_autoptr (Bed) bed = bed_new (WORKSTATION, disks);
  g_autofree char *at_first = bed_sum_running (bed, "scsi0:0");
  g_autofree char *at_second = NULL;
  g_autofree char *now = NULL;
  g_autofree char *other = NULL;
  g_autofree char *files = NULL;

  bed_snap (bed, "first");
  at_second = bed_sum_running (bed, "scsi0:0");
  bed_snap (bed, "second");
  assert_code (bed_revert (bed, 1, 0), VIX_OK);
  now = bed_sum_running (bed, "scsi0:0");
  g_assert_cmpstr (now, ==, at_first);
  other = bed_sum_frozen (bed, 2, "scsi0:0");
  g_assert_cmpstr (other, ==, at_second);
  /* what the VM ran on is gone, the branch stays */
  files = bed_list (bed);
  g_assert_cmpstr (files, ==,
                   "sata0-1-000001.vmdk sata0-1-000003.vmdk "
                   "sata0-1-flat.vmdk sata0-1.vmdk scsi0-0-000001.vmdk "
                   "scsi0-0-000003.vmdk scsi0-0.vmdk vm-Snapshot1.vixfs "
                   "vm-Snapshot1.vmsn vm-Snapshot2.vixfs vm-Snapshot2.vmsn "
                   "vm.nvram vm.vmsd vm.vmx");
  g_assert_cmpint (bed_current (bed), ==, 1);
}

static void
test_configuration (void)
{
  g_autoptr (Bed) bed = bed_new_simple ();
  g_autofree char *before = NULL;
  g_autofree char *after = NULL;
  g_autofree char *nvram = NULL;
  g_autofree char *mru = NULL;

  bed_snap (bed, "first");
  bed_set (bed, "vm.vmx", "memsize", "4096");
  bed_put (bed, "vm.nvram", "boots from the network now");
  bed_snap (bed, "second");
  assert_code (bed_revert (bed, 1, 0), VIX_OK);
  before = bed_get (bed, "vm.vmx", "memsize");
  nvram = bed_read (bed, "vm.nvram");
  g_assert_cmpstr (before, ==, "64");
  g_assert_cmpstr (nvram, ==, "nvram as it was");
  mru = bed_get (bed, "vm.vmsd", "snapshot.mru0.uid");
  g_assert_cmpstr (mru, ==, "1");
  assert_code (bed_revert (bed, 2, 0), VIX_OK);
  after = bed_get (bed, "vm.vmx", "memsize");
  g_assert_cmpstr (after, ==, "4096");
}

/* A .vmsn as VMware writes it is the only source of its settings. */
static void
test_vendor_made (void)
{
  g_autoptr (Bed) bed = bed_new_simple ();
  g_autofree char *sidecar = NULL;
  g_autofree char *size = NULL;

  bed_snap (bed, "first");
  sidecar = bed_path (bed, "vm-Snapshot1.vixfs");
  g_assert_no_errno (g_unlink (sidecar));
  bed_set (bed, "vm.vmx", "memsize", "4096");
  assert_code (bed_revert (bed, 1, 0), VIX_OK);
  size = bed_get (bed, "vm.vmx", "memsize");
  g_assert_cmpstr (size, ==, "64");
}

static void
test_vendor_memory (void)
{
  g_autoptr (Bed) bed = bed_new_simple ();
  g_autofree char *sidecar = NULL;
  g_autofree char *state = NULL;
  g_autofree char *off = NULL;
  int power = 0;

  bed_snap (bed, "running");
  sidecar = bed_path (bed, "vm-Snapshot1.vixfs");
  g_assert_no_errno (g_unlink (sidecar));
  bed_put (bed, "vm-Snapshot1.vmem", "memory");
  bed_set (bed, "vm.vmsd", "snapshot0.type", "1");
  assert_code (bed_revert (bed, 1, 0), VIX_OK);
  state = bed_get (bed, "vm.vmx", "checkpoint.vmState");
  g_assert_cmpstr (state, ==, "vm-Snapshot1.vmsn");
  assert_code (Vix_GetProperties (bed->vm, VIX_PROPERTY_VM_POWER_STATE, &power,
                                  VIX_PROPERTY_NONE),
               VIX_OK);
  g_assert_cmpint (power & VIX_POWERSTATE_SUSPENDED, !=, 0);
  /* the very state that the snapshot holds */
  assert_code (bed_create (bed, "again", NULL), VIX_E_SNAPSHOT_NOCHANGE);
  assert_code (bed_revert (bed, 1, VIX_VMPOWEROP_SUPPRESS_SNAPSHOT_POWERON),
               VIX_OK);
  off = bed_get (bed, "vm.vmx", "checkpoint.vmState");
  g_assert_true (off == NULL || *off == '\0');
  /* the snapshot's own files are not the suspended VM's to drop */
  g_assert_true (bed_exists (bed, "vm-Snapshot1.vmsn"));
  g_assert_true (bed_exists (bed, "vm-Snapshot1.vmem"));
}

static void
test_suspended (void)
{
  g_autoptr (Bed) bed = bed_new_simple ();
  g_autofree char *vmss = NULL;
  g_autofree char *vmem = NULL;
  g_autofree char *text = NULL;

  bed_put (bed, "vm.vmss", "devices");
  bed_put (bed, "vm.vmem", "memory");
  bed_set (bed, "vm.vmx", "checkpoint.vmState", "vm.vmss");
  bed_snap (bed, "asleep");
  bed_set (bed, "vm.vmx", "checkpoint.vmState", "");
  bed_snap (bed, "off");
  assert_code (bed_revert (bed, 1, 0), VIX_OK);
  vmss = bed_get (bed, "vm.vmx", "checkpoint.vmState");
  g_assert_true (g_str_has_suffix (vmss, ".vmss"));
  text = bed_read (bed, vmss);
  g_assert_cmpstr (text, ==, "devices");
  vmem = g_strdup_printf ("%.*s.vmem", (int)strlen (vmss) - 5, vmss);
  g_free (text);
  text = bed_read (bed, vmem);
  g_assert_cmpstr (text, ==, "memory");
  /* resumed by VMware it may do with these what it likes */
  g_assert_true (bed_exists (bed, "vm-Snapshot1.vixfs-vmss"));
  assert_code (bed_revert (bed, 2, 0), VIX_OK);
  g_assert_false (bed_exists (bed, vmss));
  g_assert_false (bed_exists (bed, vmem));
}

static void
test_running_disk_lost (void)
{
  g_autoptr (Bed) bed = bed_new_simple ();
  g_autofree char *before = bed_sum_running (bed, "scsi0:0");
  g_autofree char *path = bed_path (bed, "scsi0-0-000001.vmdk");
  g_autofree char *after = NULL;

  bed_snap (bed, "s");
  g_assert_no_errno (g_unlink (path));
  assert_code (bed_revert (bed, 1, 0), VIX_OK);
  after = bed_sum_running (bed, "scsi0:0");
  g_assert_cmpstr (after, ==, before);
}

static void
test_running_on_frozen (void)
{
  g_autoptr (Bed) bed = bed_new_simple ();
  g_autofree char *before = bed_sum_running (bed, "scsi0:0");
  g_autofree char *after = NULL;
  g_autofree char *running = NULL;

  bed_snap (bed, "s");
  bed_set (bed, "vm.vmx", "scsi0:0.fileName", "scsi0-0.vmdk");
  assert_code (bed_revert (bed, 1, 0), VIX_OK);
  running = bed_running (bed, "scsi0:0");
  g_assert_cmpstr (running, !=, "scsi0-0.vmdk");
  after = bed_sum_running (bed, "scsi0:0");
  g_assert_cmpstr (after, ==, before);
}

/* A base disk is never deleted, even if only the given up state named it. */
static void
test_added_base_stays (void)
{
  g_autoptr (Bed) bed = bed_new_simple ();
  g_autofree char *path = bed_path (bed, "added.vmdk");

  bed_snap (bed, "s");
  g_free (bed_run ("qemu-img", "create", "-f", "vmdk", path, "4M", NULL));
  bed_set (bed, "vm.vmx", "scsi0:3.present", "TRUE");
  bed_set (bed, "vm.vmx", "scsi0:3.fileName", "added.vmdk");
  assert_code (bed_revert (bed, 1, 0), VIX_OK);
  g_assert_true (bed_exists (bed, "added.vmdk"));
}

static void
test_not_revertable (void)
{
  static const char *const disks[]
    = { "scsi0:0 monolithicSparse 8M",
        "scsi0:1 monolithicSparse 8M independent-persistent", NULL };
  g_autoptr (Bed) bed = bed_new (WORKSTATION, disks);
  g_autofree char *before = NULL;
  g_autofree char *after = NULL;

  bed_snap (bed, "without the second disk");
  bed_set (bed, "vm.vmx", "scsi0:1.mode", "persistent");
  bed_snap (bed, "with it");
  before = bed_state (bed);
  /* the first one's configuration would write to what the second froze */
  assert_code (bed_revert (bed, 1, 0), VIX_E_SNAPSHOT_NOT_REVERTABLE);
  g_assert_nonnull (strstr (bed->message, "scsi0-1.vmdk"));
  after = bed_state (bed);
  g_assert_cmpstr (after, ==, before);
}

static void
test_damaged_sidecar (void)
{
  g_autoptr (Bed) bed = bed_new_simple ();
  g_autofree char *before = NULL;
  g_autofree char *after = NULL;

  bed_snap (bed, "s");
  bed_put (bed, "vm-Snapshot1.vixfs", "VIXFSSC1 but nothing else of it");
  before = bed_state (bed);
  assert_code (bed_revert (bed, 1, 0), VIX_E_SNAPSHOT_INCONSISTENT);
  g_assert_nonnull (strstr (bed->message, "vm-Snapshot1.vixfs"));
  after = bed_state (bed);
  g_assert_cmpstr (after, ==, before);
}

static void
add (const char *name, GTestFunc func)
{
  g_autofree char *path = g_strconcat ("/workstation/revert/", name, NULL);

  g_test_add_func (path, func);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  add ("content-is-the-snapshots-and-other-branches-stay", test_content);
  add ("configuration-and-nvram-come-back", test_configuration);
  add ("vendor-made-snapshot-by-its-vmsn", test_vendor_made);
  add ("vendor-made-snapshot-with-memory", test_vendor_memory);
  add ("suspended-state-comes-back", test_suspended);
  add ("works-when-the-running-disk-is-lost", test_running_disk_lost);
  add ("mends-a-vm-that-runs-on-a-frozen-disk", test_running_on_frozen);
  add ("added-base-disk-is-not-deleted", test_added_base_stays);
  add ("disk-that-others-need-is-not-revertable", test_not_revertable);
  add ("damaged-sidecar-is-refused", test_damaged_sidecar);
  return g_test_run ();
}
