/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Clones and deletion: what depends on what. */
#include <string.h>

#include "bed.h"
#include "vm-fixture.h"

#define WORKSTATION VIX_SERVICEPROVIDER_VMWARE_WORKSTATION

static const char *const two_disks[]
  = { "scsi0:0 monolithicSparse 8M", "sata0:1 twoGbMaxExtentFlat 4M", NULL };

/* The clone is then what @ret is on; its directory is "copy". */
static VixError
clone_vm (Bed *bed, gint64 uid, VixCloneType type, Bed *ret)
{
  g_autofree char *dest
    = g_build_filename (bed->root, "copy", "copy.vmx", NULL);
  VixHandle snapshot = uid == 0 ? VIX_INVALID_HANDLE : bed_snapshot (bed, uid);
  VixHandle job = VixVM_Clone (bed->vm, snapshot, type, dest, 0,
                               VIX_INVALID_HANDLE, NULL, NULL);

  memset (ret, 0, sizeof *ret);
  (void)VixJob_Wait (job, VIX_PROPERTY_JOB_RESULT_HANDLE, &ret->vm,
                     VIX_PROPERTY_NONE);
  ret->root = bed->root;
  ret->host = bed->host;
  ret->dir = g_build_filename (bed->root, "copy", NULL);
  ret->message = g_strdup ("");
  Vix_ReleaseHandle (snapshot);
  return bed_finish (bed, job);
}

typedef Bed Clone;

static void
clone_clear (Clone *clone)
{
  Vix_ReleaseHandle (clone->vm);
  g_free (clone->dir);
  g_free (clone->message);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Clone, clone_clear)

/* bed.c looks into vm.vmx; the clone's is another. */
static char *
clone_disk (Bed *clone, const char *node)
{
  g_autofree char *key = g_strconcat (node, ".fileName", NULL);

  return bed_get (clone, "copy.vmx", key);
}

static void
assert_holds (Bed *clone, const char *node, const char *sum)
{
  g_autofree char *file = clone_disk (clone, node);
  g_autofree char *found = bed_sum (clone, file);

  g_assert_cmpstr (found, ==, sum);
}

static void
test_full (void)
{
  g_autoptr (Bed) bed = bed_new (WORKSTATION, two_disks);
  g_auto (Clone) clone = { 0 };
  g_autofree char *scsi = NULL;
  g_autofree char *sata = NULL;
  g_autofree char *name = NULL;
  g_autofree char *before = NULL;
  g_autofree char *after = NULL;

  bed_snap (bed, "one");
  bed_snap (bed, "two");
  scsi = bed_sum_running (bed, "scsi0:0");
  sata = bed_sum_running (bed, "sata0:1");
  before = bed_state (bed);
  if (VIX_FAILED (clone_vm (bed, 0, VIX_CLONETYPE_FULL, &clone)))
    g_error ("%s", bed->message);
  after = bed_state (bed);
  g_assert_cmpstr (after, ==, before);
  assert_holds (&clone, "scsi0:0", scsi);
  assert_holds (&clone, "sata0:1", sata);
  name = bed_get (&clone, "copy.vmx", "displayName");
  g_assert_cmpstr (name, ==, "copy");
  g_free (name);
  name = bed_list (&clone);
  g_assert_cmpstr (name, ==,
                   "copy-cl1.vmdk copy-cl2.vmdk copy.nvram copy.vmsd copy.vmx");
  /* it is a VM of its own */
  assert_code (bed_create (&clone, "its own", NULL), VIX_OK);
}

static void
test_full_of_snapshot (void)
{
  g_autoptr (Bed) bed = bed_new (WORKSTATION, two_disks);
  g_auto (Clone) clone = { 0 };
  g_autofree char *scsi = bed_sum_running (bed, "scsi0:0");

  bed_snap (bed, "one");
  bed_snap (bed, "two");
  assert_code (clone_vm (bed, 1, VIX_CLONETYPE_FULL, &clone), VIX_OK);
  assert_holds (&clone, "scsi0:0", scsi);
}

static void
test_linked (void)
{
  g_autoptr (Bed) bed = bed_new (WORKSTATION, two_disks);
  g_auto (Clone) clone = { 0 };
  g_autofree char *scsi = bed_sum_running (bed, "scsi0:0");
  g_autofree char *note = NULL;
  g_autofree char *of = NULL;
  g_autofree char *before = NULL;
  g_autofree char *after = NULL;

  bed_snap (bed, "one");
  bed_snap (bed, "two");
  if (VIX_FAILED (clone_vm (bed, 1, VIX_CLONETYPE_LINKED, &clone)))
    g_error ("%s", bed->message);
  assert_holds (&clone, "scsi0:0", scsi);
  note = bed_get (bed, "vm.vmsd", "snapshot0.clone0");
  g_assert_true (g_str_has_suffix (note, "/copy/copy.vmx"));
  of = bed_get (&clone, "copy.vmsd", "cloneOf0");
  g_assert_true (g_str_has_suffix (of, "/vm/vm.vmx"));
  /* what it needs is kept */
  before = bed_state (bed);
  assert_code (bed_remove (bed, 1, FALSE), VIX_E_OBJECT_IS_BUSY);
  g_assert_nonnull (strstr (bed->message, "/copy/copy.vmx"));
  assert_code (bed_finish (bed, VixVM_Delete (bed->vm, VIX_VMDELETE_DISK_FILES,
                                              NULL, NULL)),
               VIX_E_OBJECT_IS_BUSY);
  after = bed_state (bed);
  g_assert_cmpstr (after, ==, before);
  /* its own snapshots come and go, the base stays as it is */
  assert_code (bed_create (&clone, "its own", NULL), VIX_OK);
  assert_code (bed_remove (&clone, 1, FALSE), VIX_OK);
  assert_holds (&clone, "scsi0:0", scsi);
  /* without it the snapshot is free */
  assert_code (bed_finish (bed, VixVM_Delete (clone.vm, VIX_VMDELETE_DISK_FILES,
                                              NULL, NULL)),
               VIX_OK);
  g_assert_false (g_file_test (clone.dir, G_FILE_TEST_EXISTS));
  assert_code (bed_remove (bed, 1, FALSE), VIX_OK);
}

static void
test_linked_without_snapshot (void)
{
  g_autoptr (Bed) bed = bed_new_simple ();
  g_auto (Clone) clone = { 0 };
  g_autofree char *scsi = bed_sum_running (bed, "scsi0:0");

  assert_code (clone_vm (bed, 0, VIX_CLONETYPE_LINKED, &clone), VIX_OK);
  g_assert_cmpint (bed_count (bed), ==, 1);
  bed_fill (bed, "scsi0-0-000001.vmdk", 4, 44);
  assert_holds (&clone, "scsi0:0", scsi);
}

static void
test_linked_of_suspended (void)
{
  g_autoptr (Bed) bed = bed_new_simple ();
  g_auto (Clone) clone = { 0 };

  bed_put (bed, "vm.vmss", "devices");
  bed_set (bed, "vm.vmx", "checkpoint.vmState", "vm.vmss");
  assert_code (clone_vm (bed, 0, VIX_CLONETYPE_LINKED, &clone),
               VIX_E_VM_IS_RUNNING);
  g_assert_false (g_file_test (clone.dir, G_FILE_TEST_EXISTS));
}

static void
test_destination_taken (void)
{
  g_autoptr (Bed) bed = bed_new_simple ();
  g_auto (Clone) clone = { 0 };
  g_autofree char *text = NULL;

  fixture_write (bed->root, "copy/copy.vmx", "somebody's");
  assert_code (clone_vm (bed, 0, VIX_CLONETYPE_FULL, &clone),
               VIX_E_FILE_ALREADY_EXISTS);
  text = bed_read (&clone, "copy.vmx");
  g_assert_cmpstr (text, ==, "somebody's");
}

/* A process was killed between the note and the clone's appearing. */
static void
test_half_made (void)
{
  static const char body[] = "create copy-cl1.vmdk\n";
  g_autoptr (Bed) bed = bed_new_simple ();
  g_autofree char *copy = g_build_filename (bed->root, "copy", NULL);
  g_autofree char *vmx = g_build_filename (copy, "copy.vmx", NULL);
  g_autofree char *sha
    = g_compute_checksum_for_string (G_CHECKSUM_SHA256, body, -1);
  g_autofree char *journal = g_strdup_printf (
    "vixfs-journal 1 PREPARE\nsha256 %s %zu\n%s", sha, strlen (body), body);

  bed_snap (bed, "one");
  bed_set (bed, "vm.vmsd", "snapshot0.clone0", vmx);
  bed_set (bed, "vm.vmsd", "snapshot0.numClones", "1");
  fixture_write (copy, "copy-cl1.vmdk", "half a disk");
  fixture_write (copy, "copy.vixfs-journal", journal);
  if (VIX_FAILED (bed_remove (bed, 1, FALSE)))
    g_error ("%s", bed->message);
  g_assert_false (g_file_test (copy, G_FILE_TEST_EXISTS));
}

static void
test_delete (void)
{
  g_autoptr (Bed) bed = bed_new (WORKSTATION, two_disks);
  g_autofree char *files = NULL;

  bed_snap (bed, "one");
  bed_snap (bed, "two");
  bed_put (bed, "vmware.log", "log");
  bed_put (bed, "notes.txt", "not VMware's");
  assert_code (bed_finish (bed, VixVM_Delete (bed->vm, VIX_VMDELETE_DISK_FILES,
                                              NULL, NULL)),
               VIX_OK);
  files = bed_list (bed);
  g_assert_cmpstr (files, ==, "notes.txt");
  assert_code (bed_create (bed, "x", NULL), VIX_E_VM_NOT_FOUND);
}

static void
test_delete_keeps_disks (void)
{
  g_autoptr (Bed) bed = bed_new_simple ();
  g_autofree char *files = NULL;

  bed_snap (bed, "one");
  assert_code (bed_finish (bed, VixVM_Delete (bed->vm, 0, NULL, NULL)), VIX_OK);
  files = bed_list (bed);
  g_assert_cmpstr (files, ==, "scsi0-0-000001.vmdk scsi0-0.vmdk");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/workstation/clone/full-holds-all", test_full);
  g_test_add_func ("/workstation/clone/full-of-a-snapshot",
                   test_full_of_snapshot);
  g_test_add_func ("/workstation/clone/linked-is-respected", test_linked);
  g_test_add_func ("/workstation/clone/linked-makes-its-snapshot",
                   test_linked_without_snapshot);
  g_test_add_func ("/workstation/clone/linked-of-suspended-is-refused",
                   test_linked_of_suspended);
  g_test_add_func ("/workstation/clone/destination-must-be-free",
                   test_destination_taken);
  g_test_add_func ("/workstation/clone/half-made-one-is-undone",
                   test_half_made);
  g_test_add_func ("/workstation/delete/only-the-vms-files", test_delete);
  g_test_add_func ("/workstation/delete/disks-may-stay",
                   test_delete_keeps_disks);
  return g_test_run ();
}
