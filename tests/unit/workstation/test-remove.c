/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "bed.h"
#include "vm-fixture.h"

#define WORKSTATION VIX_SERVICEPROVIDER_VMWARE_WORKSTATION

/* What every snapshot and the running VM (0) hold on scsi0:0, by uid. */
static GHashTable *
take_contents (Bed *bed, gint64 last)
{
  GHashTable *sums
    = g_hash_table_new_full (g_direct_hash, g_direct_equal, NULL, g_free);

  g_hash_table_insert (sums, GINT_TO_POINTER (0),
                       bed_sum_running (bed, "scsi0:0"));
  for (gint64 uid = 1; uid <= last; uid++) {
    g_autofree char *file = bed_frozen (bed, uid, "scsi0:0");

    if (file != NULL)
      g_hash_table_insert (sums, GINT_TO_POINTER ((int)uid),
                           bed_sum (bed, file));
  }
  return sums;
}

/* All that is there now is as it was then. */
static void
assert_contents (Bed *bed, GHashTable *then, gint64 last, guint count)
{
  g_autoptr (GHashTable) now = take_contents (bed, last);
  GHashTableIter iter;
  gpointer uid, sum;

  g_assert_cmpuint (g_hash_table_size (now), ==, count + 1);
  g_hash_table_iter_init (&iter, now);
  while (g_hash_table_iter_next (&iter, &uid, &sum))
    g_assert_cmpstr (sum, ==, g_hash_table_lookup (then, uid));
}

/* 1 - 2 - 3 - running */
static Bed *
three_in_a_row (const char *kind)
{
  g_autofree char *spec = g_strdup_printf ("scsi0:0 %s 8M", kind);
  const char *disks[] = { spec, NULL };
  Bed *bed = bed_new (WORKSTATION, disks);

  bed_snap (bed, "one");
  bed_snap (bed, "two");
  bed_snap (bed, "three");
  return bed;
}

/* Each one alone, from each kind of base; then the rest down to nothing. */
static void
test_kind (gconstpointer kind)
{
  for (gint64 uid = 1; uid <= 3; uid++) {
    g_autoptr (Bed) bed = three_in_a_row (kind);
    g_autoptr (GHashTable) then = take_contents (bed, 3);
    g_autofree char *files = NULL;
    g_autofree char *running = NULL;
    guint left = 3;

    for (gint64 k = uid; left > 0; k = k % 3 + 1) {
      if (VIX_FAILED (bed_remove (bed, k, FALSE)))
        g_error ("%d: %s", (int)k, bed->message);
      assert_contents (bed, then, 3, --left);
    }
    files = bed_list (bed);
    g_assert_null (strstr (files, "Snapshot"));
    g_assert_cmpint (bed_current (bed), ==, 0);
    /* where the base can be written it is what the VM runs on again */
    running = bed_running (bed, "scsi0:0");
    if (strcmp (kind, "streamOptimized") != 0) {
      g_assert_cmpstr (running, ==, "scsi0-0.vmdk");
      g_assert_null (strstr (files, "-00000"));
    } else {
      g_assert_null (strstr (files, "scsi0-0.vmdk"));
    }
  }
}

static void
test_parent_of_children (void)
{
  g_autoptr (Bed) bed = three_in_a_row ("monolithicSparse");

  assert_code (bed_remove (bed, 2, FALSE), VIX_OK);
  g_assert_cmpint (bed_parent (bed, 3), ==, 1);
  assert_code (bed_remove (bed, 3, FALSE), VIX_OK);
  g_assert_cmpint (bed_current (bed), ==, 1);
}

static void
test_subtree (void)
{
  g_autoptr (Bed) bed = three_in_a_row ("monolithicFlat");
  g_autoptr (GHashTable) then = NULL;
  g_autofree char *files = NULL;

  assert_code (bed_revert (bed, 2, 0), VIX_OK);
  bed_snap (bed, "four");
  then = take_contents (bed, 4);
  assert_code (bed_remove (bed, 2, TRUE), VIX_OK);
  assert_contents (bed, then, 4, 1);
  g_assert_cmpint (bed_current (bed), ==, 1);
  files = bed_list (bed);
  /* one link for the VM, and the base: 2, 3 and 4 gave back all */
  g_assert_cmpstr (files, ==,
                   "scsi0-0-000003.vmdk scsi0-0-flat.vmdk scsi0-0.vmdk "
                   "vm-Snapshot1.vixfs vm-Snapshot1.vmsn vm.nvram vm.vmsd "
                   "vm.vmx");
}

static void
test_everything (void)
{
  g_autoptr (Bed) bed = three_in_a_row ("monolithicFlat");
  g_autoptr (GHashTable) then = take_contents (bed, 3);
  g_autofree char *files = NULL;
  g_autofree char *last = NULL;

  assert_code (bed_remove (bed, 1, TRUE), VIX_OK);
  assert_contents (bed, then, 3, 0);
  files = bed_list (bed);
  g_assert_cmpstr (files, ==,
                   "scsi0-0-flat.vmdk scsi0-0.vmdk vm.nvram vm.vmsd vm.vmx");
  /* uids are never used again */
  last = bed_get (bed, "vm.vmsd", "snapshot.lastUID");
  g_assert_cmpstr (last, ==, "3");
  g_assert_cmpint (bed_snap (bed, "next"), ==, 4);
}

/* With several children the disk stays as a link that nothing lists; when one
 * child is left, it is merged with that. */
static void
test_branches (void)
{
  g_autoptr (Bed) bed = three_in_a_row ("monolithicSparse");
  g_autoptr (GHashTable) then = NULL;
  g_autofree char *files = NULL;

  assert_code (bed_revert (bed, 1, 0), VIX_OK);
  bed_snap (bed, "four");
  then = take_contents (bed, 4);
  /* base <- (2, (3, -)) and (4, running) */
  assert_code (bed_remove (bed, 1, FALSE), VIX_OK);
  assert_contents (bed, then, 4, 3);
  g_assert_cmpint (bed_parent (bed, 2), ==, 0);
  g_assert_cmpint (bed_parent (bed, 4), ==, 0);
  assert_code (bed_remove (bed, 3, FALSE), VIX_OK);
  assert_contents (bed, then, 4, 2);
  assert_code (bed_remove (bed, 2, FALSE), VIX_OK);
  assert_contents (bed, then, 4, 1);
  files = bed_list (bed);
  g_assert_cmpstr (files, ==,
                   "scsi0-0-000003.vmdk scsi0-0.vmdk vm-Snapshot4.vixfs "
                   "vm-Snapshot4.vmsn vm.nvram vm.vmsd vm.vmx");
}

/* The middle one of many children's parent: all of them follow. */
static void
test_grandchildren (void)
{
  g_autoptr (Bed) bed = three_in_a_row ("monolithicSparse");
  g_autoptr (GHashTable) then = NULL;

  assert_code (bed_revert (bed, 2, 0), VIX_OK);
  bed_snap (bed, "four");
  assert_code (bed_revert (bed, 2, 0), VIX_OK);
  bed_snap (bed, "five");
  then = take_contents (bed, 5);
  assert_code (bed_remove (bed, 1, FALSE), VIX_OK);
  assert_contents (bed, then, 5, 4);
  for (gint64 uid = 3; uid <= 5; uid++)
    g_assert_cmpint (bed_parent (bed, uid), ==, 2);
}

static void
test_several_disks (void)
{
  static const char *const disks[]
    = { "scsi0:0 monolithicSparse 8M", "sata0:1 monolithicFlat 4M",
        "nvme0:0 streamOptimized 8M", "ide0:0 twoGbMaxExtentSparse 4M", NULL };
  g_autoptr (Bed) bed = bed_new (WORKSTATION, disks);
  char *then[4], *frozen[4];

  bed_snap (bed, "one");
  bed_snap (bed, "two");
  for (guint i = 0; i < 4; i++) {
    g_autofree char *node = g_strndup (disks[i], strcspn (disks[i], " "));

    then[i] = bed_sum_running (bed, node);
    frozen[i] = bed_sum_frozen (bed, 2, node);
  }
  assert_code (bed_remove (bed, 1, FALSE), VIX_OK);
  for (guint i = 0; i < 4; i++) {
    g_autofree char *node = g_strndup (disks[i], strcspn (disks[i], " "));
    g_autofree char *a = bed_sum_running (bed, node);
    g_autofree char *b = bed_sum_frozen (bed, 2, node);

    g_assert_cmpstr (a, ==, then[i]);
    g_assert_cmpstr (b, ==, frozen[i]);
    g_free (then[i]);
    g_free (frozen[i]);
  }
}

static void
test_space (void)
{
  g_autoptr (Bed) bed = bed_new_simple ();
  g_autofree char *path = bed_path (bed, "scsi0-0.vmdk");
  struct stat before, after;

  bed_snap (bed, "one");
  for (guint i = 0; i < 40; i++)
    bed_fill (bed, "scsi0-0-000001.vmdk", i, 60);
  bed_snap (bed, "two");
  g_assert_no_errno (stat (path, &before));
  assert_code (bed_remove (bed, 2, FALSE), VIX_OK);
  assert_code (bed_remove (bed, 1, FALSE), VIX_OK);
  g_assert_no_errno (stat (path, &after));
  /* no more than what it holds now: nothing reserved is left over */
  g_assert_cmpint (after.st_blocks * 512, <=, after.st_size + 65536);
  g_assert_cmpint (after.st_size, <=, before.st_size + 41 * 65536);
}

/* ---- a full disk ---- */

/* Moves the VM to a file system of its own. */
static char *
move_to_small (Bed *bed)
{
  char *small = g_build_filename (bed->root, "small", NULL);
  g_autofree char *dir = g_build_filename (small, "vm", NULL);

  bed_disconnect (bed);
  g_assert_no_errno (g_mkdir (small, 0700));
  g_assert_no_errno (mount ("none", small, "tmpfs", 0, "size=64m"));
  g_free (bed_run ("cp", "-a", bed->dir, dir, NULL));
  g_free (bed_run ("rm", "-r", bed->dir, NULL));
  g_free (bed->dir);
  bed->dir = g_steal_pointer (&dir);
  bed_connect (bed);
  return small;
}

/* Leaves about half a MiB free. */
static char *
fill_up (const char *small)
{
  char *path = g_build_filename (small, "ballast", NULL);
  int fd = g_open (path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  struct statvfs fs;

  g_assert_no_errno (fstatvfs (fd, &fs));
  g_assert_no_errno (
    fallocate (fd, 0, 0, (off_t)(fs.f_bavail * fs.f_bsize) - (512 << 10)));
  close (fd);
  return path;
}

/* Snapshot @uid, once without the space that its merge needs, then with it. */
static void
test_full (gconstpointer data)
{
  gint64 uid = GPOINTER_TO_INT (data);
  g_autoptr (Bed) bed = bed_new_simple ();
  g_autoptr (GHashTable) then = NULL;
  g_autofree char *before = NULL;
  g_autofree char *after = NULL;
  g_autofree char *small = NULL;
  g_autofree char *ballast = NULL;

  for (guint n = 1; n <= 2; n++) {
    g_autofree char *file = g_strdup_printf ("scsi0-0-%06u.vmdk", n);

    bed_snap (bed, "s");
    for (guint i = 0; i < 24; i++)
      bed_fill (bed, file, 30 + n * 30 + i, (int)(10 + n));
  }
  small = move_to_small (bed);
  ballast = fill_up (small);
  then = take_contents (bed, 2);
  before = bed_state (bed);
  assert_code (bed_remove (bed, uid, FALSE), VIX_E_DISK_FULL);
  after = bed_state (bed);
  g_assert_cmpstr (after, ==, before);
  g_assert_no_errno (g_unlink (ballast));
  assert_code (bed_remove (bed, uid, FALSE), VIX_OK);
  assert_contents (bed, then, 2, 1);
  bed_disconnect (bed);
  g_assert_no_errno (umount (small));
}

/* ---- refusals ---- */

static void
assert_refused (Bed *bed, gint64 uid, gboolean children, int code,
                const char *says)
{
  g_autofree char *before = bed_state (bed);
  g_autofree char *after = NULL;

  assert_code (bed_remove (bed, uid, children), code);
  if (strstr (bed->message, says) == NULL)
    g_error ("\"%s\" does not name %s", bed->message, says);
  after = bed_state (bed);
  g_assert_cmpstr (after, ==, before);
}

static void
test_clone_needs_it (void)
{
  g_autoptr (Bed) bed = three_in_a_row ("monolithicSparse");

  bed_set (bed, "vm.vmsd", "snapshot1.clone0", "/vms/clone/clone.vmx");
  bed_set (bed, "vm.vmsd", "snapshot1.numClones", "1");
  /* the one that is cloned, what its disk is made of, and all at once */
  assert_refused (bed, 2, FALSE, VIX_E_OBJECT_IS_BUSY, "/vms/clone/clone.vmx");
  assert_refused (bed, 1, FALSE, VIX_E_OBJECT_IS_BUSY, "/vms/clone/clone.vmx");
  assert_refused (bed, 1, TRUE, VIX_E_OBJECT_IS_BUSY, "/vms/clone/clone.vmx");
  /* what is above it may go */
  assert_code (bed_remove (bed, 3, FALSE), VIX_OK);
}

static void
test_neighbour_needs_it (void)
{
  g_autoptr (Bed) bed = three_in_a_row ("monolithicSparse");

  bed_put (bed, "other.vmx",
           "scsi0.present = \"TRUE\"\nscsi0:0.present = \"TRUE\"\n"
           "scsi0:0.fileName = \"scsi0-0-000001.vmdk\"\n");
  assert_refused (bed, 2, FALSE, VIX_E_OBJECT_IS_BUSY, "other.vmx");
  assert_refused (bed, 1, FALSE, VIX_E_OBJECT_IS_BUSY, "other.vmx");
}

static void
test_unknown_child (void)
{
  g_autoptr (Bed) bed = three_in_a_row ("monolithicSparse");
  g_autofree char *base = bed_path (bed, "scsi0-0.vmdk");
  g_autofree char *mine = bed_path (bed, "mine.vmdk");
  g_autofree char *then = NULL;
  g_autofree char *now = NULL;

  g_free (bed_run ("qemu-img", "create", "-q", "-f", "vmdk", "-F", "vmdk", "-b",
                   base, mine, NULL));
  bed_fill (bed, "mine.vmdk", 3, 200);
  then = bed_sum (bed, "mine.vmdk");
  /* somebody made it: the base is not touched, the block goes */
  assert_code (bed_remove (bed, 1, FALSE), VIX_OK);
  now = bed_sum (bed, "mine.vmdk");
  g_assert_cmpstr (now, ==, then);
}

static void
test_damaged (void)
{
  g_autoptr (Bed) bed = three_in_a_row ("monolithicSparse");

  bed_fill (bed, "scsi0-0.vmdk", 1, 99);
  assert_refused (bed, 2, FALSE, VIX_E_DISK_CID_MISMATCH, "scsi0-0.vmdk");
  assert_refused (bed, 1, FALSE, VIX_E_DISK_CID_MISMATCH, "scsi0-0.vmdk");
}

static void
test_locked (void)
{
  g_autoptr (Bed) bed = three_in_a_row ("monolithicSparse");

  fixture_lock (bed->dir, "scsi0-0-000001.vmdk");
  assert_refused (bed, 1, FALSE, VIX_E_FILE_ALREADY_LOCKED,
                  "scsi0-0-000001.vmdk");
}

static void
test_gone (void)
{
  g_autoptr (Bed) bed = three_in_a_row ("monolithicSparse");
  VixHandle snapshot = bed_snapshot (bed, 2);

  assert_code (bed_remove (bed, 2, FALSE), VIX_OK);
  assert_code (
    bed_finish (bed, VixVM_RemoveSnapshot (bed->vm, snapshot, 0, NULL, NULL)),
    VIX_E_SNAPSHOT_NOTFOUND);
  Vix_ReleaseHandle (snapshot);
}

/* A chain that somebody made without snapshots is not ours to merge. */
static void
test_foreign_chain (void)
{
  g_autoptr (Bed) bed = bed_new_simple ();
  g_autofree char *base = bed_path (bed, "scsi0-0.vmdk");
  g_autofree char *top = bed_path (bed, "overlay.vmdk");
  g_autofree char *then = bed_sum (bed, "scsi0-0.vmdk");
  g_autofree char *now = NULL;
  g_autofree char *running = NULL;

  g_free (bed_run ("qemu-img", "create", "-q", "-f", "vmdk", "-F", "vmdk", "-b",
                   base, top, NULL));
  bed_set (bed, "vm.vmx", "scsi0:0.fileName", "overlay.vmdk");
  bed_snap (bed, "one");
  assert_code (bed_remove (bed, 1, FALSE), VIX_OK);
  now = bed_sum (bed, "scsi0-0.vmdk");
  g_assert_cmpstr (now, ==, then);
  running = bed_running (bed, "scsi0:0");
  g_assert_true (g_str_has_prefix (running, "overlay"));
}

static void
add (const char *name, GTestFunc func)
{
  g_autofree char *path = g_strconcat ("/workstation/remove/", name, NULL);

  g_test_add_func (path, func);
}

int
main (int argc, char **argv)
{
  static const char *const kinds[]
    = { "monolithicSparse", "monolithicFlat", "twoGbMaxExtentSparse",
        "twoGbMaxExtentFlat", "streamOptimized" };

  g_test_init (&argc, &argv, NULL);
  for (guint i = 0; i < G_N_ELEMENTS (kinds); i++) {
    g_autofree char *path
      = g_strconcat ("/workstation/remove/each-and-all/", kinds[i], NULL);

    g_test_add_data_func (path, kinds[i], test_kind);
  }
  add ("children-move-up", test_parent_of_children);
  add ("with-children-keeps-the-running-state", test_subtree);
  add ("everything-leaves-the-base-alone", test_everything);
  add ("branches-are-kept-apart-until-one-is-left", test_branches);
  add ("all-children-follow-their-parent", test_grandchildren);
  add ("several-disks-of-several-kinds", test_several_disks);
  add ("space-is-given-back", test_space);
  g_test_add_data_func ("/workstation/remove/disk-full-before-a-merge-down",
                        GINT_TO_POINTER (1), test_full);
  g_test_add_data_func ("/workstation/remove/disk-full-before-a-merge-up",
                        GINT_TO_POINTER (2), test_full);
  add ("linked-clone-needs-it", test_clone_needs_it);
  add ("vm-in-the-same-directory-needs-it", test_neighbour_needs_it);
  add ("unknown-child-keeps-its-parent", test_unknown_child);
  add ("damaged-chain-is-refused", test_damaged);
  add ("locked-disk-is-refused", test_locked);
  add ("removed-snapshot-is-not-found", test_gone);
  add ("foreign-chain-is-not-merged", test_foreign_chain);
  return g_test_run ();
}
