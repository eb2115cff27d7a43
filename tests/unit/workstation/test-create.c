/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include "bed.h"
#include "vm-fixture.h"

#define WORKSTATION VIX_SERVICEPROVIDER_VMWARE_WORKSTATION
#define SERVER VIX_SERVICEPROVIDER_VMWARE_SERVER
#define PLAYER VIX_SERVICEPROVIDER_VMWARE_PLAYER

static const char *const one_disk[] = { "scsi0:0 monolithicSparse 8M", NULL };

/* ---- the remarks of the reference's CreateSnapshot page ---- */

static void
test_child_of_current (void)
{
  g_autoptr (Bed) bed = bed_new_simple ();
  gint64 first = bed_snap (bed, "first");
  gint64 second = bed_snap (bed, "second");
  gint64 third;

  g_assert_cmpint (bed_parent (bed, first), ==, 0);
  g_assert_cmpint (bed_parent (bed, second), ==, first);
  g_assert_cmpint (bed_current (bed), ==, second);
  assert_code (bed_revert (bed, first, 0), VIX_OK);
  g_assert_cmpint (bed_current (bed), ==, first);
  third = bed_snap (bed, "third");
  g_assert_cmpint (bed_parent (bed, third), ==, first);
  g_assert_cmpint (bed_current (bed), ==, third);
}

static void
test_null_name (void)
{
  g_autoptr (Bed) bed = bed_new_simple ();
  VixHandle snapshot;
  char *name = NULL;
  char *description = NULL;

  assert_code (
    bed_finish (bed, VixVM_CreateSnapshot (bed->vm, NULL, NULL, 0,
                                           VIX_INVALID_HANDLE, NULL, NULL)),
    VIX_OK);
  snapshot = bed_snapshot (bed, 1);
  assert_code (Vix_GetProperties (snapshot, VIX_PROPERTY_SNAPSHOT_DISPLAYNAME,
                                  &name, VIX_PROPERTY_SNAPSHOT_DESCRIPTION,
                                  &description, VIX_PROPERTY_NONE),
               VIX_OK);
  g_assert_cmpstr (name, ==, "");
  g_assert_cmpstr (description, ==, "");
  Vix_FreeBuffer (name);
  Vix_FreeBuffer (description);
  Vix_ReleaseHandle (snapshot);
}

static void
test_equal_names (void)
{
  g_autoptr (Bed) bed = bed_new_simple ();
  gint64 first = bed_snap (bed, "same");
  gint64 second = bed_snap (bed, "same");
  VixHandle snapshot = VIX_INVALID_HANDLE;

  g_assert_cmpint (first, !=, second);
  g_assert_cmpint (bed_count (bed), ==, 2);
  assert_code (VixVM_GetNamedSnapshot (bed->vm, "same", &snapshot),
               VIX_E_SNAPSHOT_NONUNIQUE_NAME);
}

static void
test_property_list (void)
{
  g_autoptr (Bed) bed = bed_new_simple ();
  g_autofree char *before = bed_state (bed);
  g_autofree char *after = NULL;
  VixHandle list = VIX_INVALID_HANDLE;

  assert_code (
    VixPropertyList_AllocPropertyList (bed->host, &list, VIX_PROPERTY_NONE),
    VIX_OK);
  assert_code (bed_finish (bed, VixVM_CreateSnapshot (bed->vm, "x", NULL, 0,
                                                      list, NULL, NULL)),
               VIX_E_INVALID_ARG);
  Vix_ReleaseHandle (list);
  after = bed_state (bed);
  g_assert_cmpstr (after, ==, before);
}

static void
suspend (Bed *bed, gint64 seconds_from_now)
{
  g_autofree char *path = bed_path (bed, "vm-0badf00d.vmss");
  gint64 t = g_get_real_time () / G_USEC_PER_SEC + seconds_from_now;
  struct timeval times[2] = { { t, 0 }, { t, 0 } };

  bed_put (bed, "vm-0badf00d.vmss", "state of devices");
  bed_put (bed, "vm-0badf00d.vmem", "contents of memory");
  g_assert_no_errno (utimes (path, times));
  bed_set (bed, "vm.vmx", "checkpoint.vmState", "vm-0badf00d.vmss");
}

static void
test_suspended_once (void)
{
  g_autoptr (Bed) bed = bed_new_simple ();
  g_autofree char *vmss = NULL;
  g_autofree char *vmem = NULL;
  VixHandle snapshot;
  int power = 0;

  suspend (bed, -10);
  assert_code (bed_create (bed, "asleep", NULL), VIX_OK);
  assert_code (bed_create (bed, "asleep again", NULL), VIX_E_SNAPSHOT_NOCHANGE);
  g_assert_nonnull (strstr (bed->message, "asleep"));
  g_assert_cmpint (bed_count (bed), ==, 1);
  vmss = bed_read (bed, "vm-Snapshot1.vixfs-vmss");
  vmem = bed_read (bed, "vm-Snapshot1.vixfs-vmem");
  g_assert_cmpstr (vmss, ==, "state of devices");
  g_assert_cmpstr (vmem, ==, "contents of memory");
  snapshot = bed_snapshot (bed, 1);
  assert_code (Vix_GetProperties (snapshot, VIX_PROPERTY_SNAPSHOT_POWERSTATE,
                                  &power, VIX_PROPERTY_NONE),
               VIX_OK);
  Vix_ReleaseHandle (snapshot);
  g_assert_cmpint (power & VIX_POWERSTATE_SUSPENDED, !=, 0);
  /* resumed and suspended again it is another state */
  suspend (bed, 10);
  assert_code (bed_create (bed, "asleep another time", NULL), VIX_OK);
}

static void
test_revert_leaves_off (void)
{
  g_autoptr (Bed) bed = bed_new_simple ();
  g_autofree char *type = NULL;
  int power = 0;

  /* of a VM that is off the flag asks for nothing */
  assert_code (
    bed_finish (bed, VixVM_CreateSnapshot (bed->vm, "s", NULL,
                                           VIX_SNAPSHOT_INCLUDE_MEMORY,
                                           VIX_INVALID_HANDLE, NULL, NULL)),
    VIX_OK);
  type = bed_get (bed, "vm.vmsd", "snapshot0.type");
  g_assert_null (type);
  suspend (bed, 10);
  assert_code (bed_revert (bed, 1, 0), VIX_OK);
  assert_code (Vix_GetProperties (bed->vm, VIX_PROPERTY_VM_POWER_STATE, &power,
                                  VIX_PROPERTY_NONE),
               VIX_OK);
  g_assert_cmpint (power, ==, VIX_POWERSTATE_POWERED_OFF);
  /* the suspended state was given up with the rest */
  g_assert_false (bed_exists (bed, "vm-0badf00d.vmss"));
  g_assert_false (bed_exists (bed, "vm-0badf00d.vmem"));
}

static void
test_server_overwrites (void)
{
  g_autoptr (Bed) bed = bed_new (SERVER, one_disk);
  g_autofree char *first = bed_sum_running (bed, "scsi0:0");
  g_autofree char *frozen = NULL;
  g_autofree char *before = NULL;
  g_autofree char *files = NULL;
  gint64 uid = 0;

  g_assert_cmpint (bed_snap (bed, "first"), ==, 1);
  before = bed_sum_running (bed, "scsi0:0");
  g_assert_cmpstr (before, !=, first);
  assert_code (bed_create (bed, "second", &uid), VIX_OK);
  g_assert_cmpint (bed_count (bed), ==, 1);
  g_assert_cmpint (uid, ==, 2);
  g_assert_cmpint (bed_current (bed), ==, 2);
  g_assert_cmpint (bed_parent (bed, 2), ==, 0);
  frozen = bed_sum_frozen (bed, 2, "scsi0:0");
  g_assert_cmpstr (frozen, ==, before);
  /* and the space of the first is given back */
  files = bed_list (bed);
  g_assert_cmpstr (files, ==,
                   "scsi0-0-000002.vmdk scsi0-0.vmdk vm-Snapshot2.vixfs "
                   "vm-Snapshot2.vmsn vm.nvram vm.vmsd vm.vmx");
}

static void
test_server_adds (void)
{
  g_autoptr (Bed) bed = bed_new_simple ();

  bed_snap (bed, "first");
  bed_snap (bed, "second");
  bed_disconnect (bed);
  bed->type = SERVER;
  bed_connect (bed);
  bed_snap (bed, "third");
  g_assert_cmpint (bed_count (bed), ==, 3);
  g_assert_cmpint (bed_parent (bed, 3), ==, 2);
}

static void
test_team_member (void)
{
  g_autoptr (Bed) bed = bed_new_simple ();
  Bool in_team = FALSE;

  fixture_write (bed->root, "both.vmtm",
                 "<Foundry><VM><vmxPath type=\"string\">vm/vm.vmx</vmxPath>"
                 "</VM></Foundry>");
  assert_code (Vix_GetProperties (bed->vm, VIX_PROPERTY_VM_IN_VMTEAM, &in_team,
                                  VIX_PROPERTY_NONE),
               VIX_OK);
  bed_snap (bed, "a member by itself");
  g_assert_cmpint (bed_count (bed), ==, 1);
}

static void
test_player (void)
{
  g_autoptr (Bed) bed = bed_new (PLAYER, one_disk);
  g_autofree char *before = bed_state (bed);
  g_autofree char *after = NULL;

  assert_code (bed_create (bed, "x", NULL), VIX_E_NOT_SUPPORTED);
  after = bed_state (bed);
  g_assert_cmpstr (after, ==, before);
}

/* ---- disks ---- */

static void
test_kind (gconstpointer kind)
{
  g_autofree char *spec = g_strdup_printf ("scsi0:0 %s 9M", (char *)kind);
  const char *disks[] = { spec, NULL };
  g_autoptr (Bed) bed = bed_new (WORKSTATION, disks);
  g_autofree char *before = bed_sum_running (bed, "scsi0:0");
  g_autofree char *path = bed_path (bed, "scsi0-0-000001.vmdk");
  g_autofree char *info = NULL;
  g_autofree char *running = NULL;
  g_autofree char *frozen = NULL;
  g_autofree char *state = NULL;

  assert_code (bed_create (bed, "s", NULL), VIX_OK);
  state = bed_running (bed, "scsi0:0");
  g_assert_cmpstr (state, ==, "scsi0-0-000001.vmdk");
  info = bed_run ("qemu-img", "info", path, NULL);
  g_assert_nonnull (strstr (info, "create type: monolithicSparse"));
  running = bed_sum_running (bed, "scsi0:0");
  g_assert_cmpstr (running, ==, before);
  bed_fill (bed, "scsi0-0-000001.vmdk", 2, 77);
  frozen = bed_sum_frozen (bed, 1, "scsi0:0");
  g_assert_cmpstr (frozen, ==, before);
}

static void
test_buses (void)
{
  static const char *const disks[] = {
    "scsi0:0 monolithicSparse 8M",     "scsi0:1 monolithicFlat 4M",
    "sata0:1 twoGbMaxExtentSparse 8M", "ide0:0 twoGbMaxExtentFlat 4M",
    "nvme0:0 streamOptimized 8M",      NULL,
  };
  g_autoptr (Bed) bed = bed_new (WORKSTATION, disks);
  g_autofree char *number = NULL;
  g_autoptr (GPtrArray) sums = g_ptr_array_new_with_free_func (g_free);

  for (guint i = 0; disks[i] != NULL; i++) {
    g_autofree char *node = g_strndup (disks[i], strcspn (disks[i], " "));

    g_ptr_array_add (sums, bed_sum_running (bed, node));
  }
  bed_snap (bed, "all of them");
  number = bed_get (bed, "vm.vmsd", "snapshot0.numDisks");
  g_assert_cmpstr (number, ==, "5");
  for (guint i = 0; disks[i] != NULL; i++) {
    g_autofree char *node = g_strndup (disks[i], strcspn (disks[i], " "));
    g_autofree char *frozen = bed_sum_frozen (bed, 1, node);
    g_autofree char *running = bed_sum_running (bed, node);

    g_assert_cmpstr (frozen, ==, sums->pdata[i]);
    g_assert_cmpstr (running, !=, sums->pdata[i]);
  }
}

static void
test_independent (void)
{
  static const char *const disks[] = {
    "scsi0:0 monolithicSparse 8M",
    "scsi0:1 monolithicSparse 8M independent-persistent",
    NULL,
  };
  g_autoptr (Bed) bed = bed_new (WORKSTATION, disks);
  g_autofree char *number = NULL;
  g_autofree char *file = NULL;

  assert_code (bed_create (bed, "s", NULL), VIX_OK);
  number = bed_get (bed, "vm.vmsd", "snapshot0.numDisks");
  g_assert_cmpstr (number, ==, "1");
  file = bed_running (bed, "scsi0:1");
  g_assert_cmpstr (file, ==, "scsi0-1.vmdk");
}

static gint64
allocated (Bed *bed, const char *name)
{
  g_autofree char *path = bed_path (bed, name);
  struct stat st;

  g_assert_no_errno (stat (path, &st));
  return (gint64)st.st_blocks * 512;
}

static void
test_two_tib (void)
{
  static const char *const disks[] = { "scsi0:0 monolithicSparse 2047G", NULL };
  g_autoptr (Bed) bed = bed_new (WORKSTATION, disks);

  assert_code (bed_create (bed, "s", NULL), VIX_OK);
  /* two grain directories of 256 KiB */
  g_assert_cmpint (allocated (bed, "scsi0-0-000001.vmdk"), <, 1 << 20);
}

static void
test_disk_elsewhere (void)
{
  g_autoptr (Bed) bed = bed_new_simple ();
  g_autofree char *from = bed_path (bed, "scsi0-0.vmdk");
  g_autofree char *other = g_build_filename (bed->root, "disks", NULL);
  g_autofree char *to = g_build_filename (other, "big.vmdk", NULL);
  g_autofree char *before = bed_sum (bed, "scsi0-0.vmdk");
  g_autofree char *frozen = NULL;
  g_autofree char *before_remove = NULL;
  g_autofree char *after_remove = NULL;

  g_assert_no_errno (g_mkdir (other, 0700));
  g_assert_no_errno (g_rename (from, to));
  bed_set (bed, "vm.vmx", "scsi0:0.fileName", to);
  assert_code (bed_create (bed, "s", NULL), VIX_OK);
  frozen = bed_sum_running (bed, "scsi0:0");
  g_assert_cmpstr (frozen, ==, before);
  /* but it is not written to */
  before_remove = bed_state (bed);
  assert_code (bed_remove (bed, 1, FALSE), VIX_E_NOT_SUPPORTED);
  g_assert_nonnull (strstr (bed->message, to));
  after_remove = bed_state (bed);
  g_assert_cmpstr (after_remove, ==, before_remove);
}

/* ---- what it refuses, and that nothing was written then ---- */

static void
set_vmx (Bed *bed, const char *key, const char *value)
{
  bed_set (bed, "vm.vmx", key, value);
}

static void
make_locked (Bed *bed)
{
  fixture_lock (bed->dir, "vm.vmx");
}

static void
make_disk_locked (Bed *bed)
{
  fixture_lock (bed->dir, "scsi0-0.vmdk");
}

static void
make_encrypted (Bed *bed)
{
  set_vmx (bed, "encryption.keySafe", "vmware:key/list/(pair/...)");
}

static void
make_template (Bed *bed)
{
  set_vmx (bed, "templateVM", "TRUE");
}

static void
make_redo (Bed *bed)
{
  set_vmx (bed, "scsi0:0.redo", "./scsi0-0.vmdk.REDO_a04");
}

static void
make_shared_bus (Bed *bed)
{
  set_vmx (bed, "scsi0.sharedBus", "virtual");
}

static void
make_multi_writer (Bed *bed)
{
  set_vmx (bed, "scsi0:0.sharing", "multi-writer");
}

static void
make_tracked (Bed *bed)
{
  set_vmx (bed, "ctkEnabled", "TRUE");
}

static void
make_disabled (Bed *bed)
{
  set_vmx (bed, "snapshot.disabled", "TRUE");
}

static void
make_limited (Bed *bed)
{
  set_vmx (bed, "snapshot.maxSnapshots", "0");
}

static void
make_pending (Bed *bed)
{
  bed_set (bed, "vm.vmsd", "snapshot.needConsolidate", "TRUE");
}

static void
make_inconsistent (Bed *bed)
{
  bed_set (bed, "vm.vmsd", "snapshot.numSnapshots", "3");
}

static void
make_cid_mismatch (Bed *bed)
{
  bed_snap (bed, "s");
  bed_fill (bed, "scsi0-0.vmdk", 1, 99);
}

static void
make_parent_missing (Bed *bed)
{
  g_autofree char *path = NULL;

  bed_snap (bed, "s");
  path = bed_path (bed, "scsi0-0.vmdk");
  g_assert_no_errno (g_unlink (path));
}

static void
make_unknown_format (Bed *bed)
{
  bed_put (bed, "scsi0-0.vmdk", "conectix is another format altogether");
}

static void
make_frozen_running (Bed *bed)
{
  bed_snap (bed, "s");
  set_vmx (bed, "scsi0:0.fileName", "scsi0-0.vmdk");
}

static void
make_state_missing (Bed *bed)
{
  set_vmx (bed, "checkpoint.vmState", "gone.vmss");
}

static const struct {
  const char *name;
  void (*make) (Bed *bed);
  int code;
  const char *says; /* a part of the text */
} refusals[] = {
  { "locked", make_locked, VIX_E_FILE_ALREADY_LOCKED, "vm.vmx" },
  { "disk-locked", make_disk_locked, VIX_E_FILE_ALREADY_LOCKED,
    "scsi0-0.vmdk" },
  { "encrypted", make_encrypted, VIX_E_NEED_KEY, "vm.vmx" },
  { "template", make_template, VIX_E_TEMPLATE_VM, "vm.vmx" },
  { "redo-pending", make_redo, VIX_E_SNAPSHOT_CONFIG, "scsi0:0" },
  { "shared-bus", make_shared_bus, VIX_E_SNAPSHOT_CONFIG, "sharedBus" },
  { "multi-writer", make_multi_writer, VIX_E_SNAPSHOT_CONFIG, "sharing" },
  { "change-tracking", make_tracked, VIX_E_SNAPSHOT_CONFIG, "ctkEnabled" },
  { "disabled", make_disabled, VIX_E_SNAPSHOT_NOPERM, "snapshot.disabled" },
  { "limit-reached", make_limited, VIX_E_SNAPSHOT_MAXSNAPSHOTS,
    "snapshot.maxSnapshots" },
  { "consolidation-pending", make_pending, VIX_E_SNAPSHOT_INCONSISTENT,
    "needConsolidate" },
  { "inconsistent-vmsd", make_inconsistent, VIX_E_SNAPSHOT_INCONSISTENT,
    "vm.vmsd" },
  { "cid-mismatch", make_cid_mismatch, VIX_E_DISK_CID_MISMATCH,
    "scsi0-0.vmdk" },
  { "parent-missing", make_parent_missing, VIX_E_DISK_OPENPARENT,
    "scsi0-0.vmdk" },
  { "unknown-format", make_unknown_format, VIX_E_DISK_INVALIDDISK,
    "scsi0-0.vmdk" },
  { "running-on-a-frozen-disk", make_frozen_running,
    VIX_E_SNAPSHOT_INCONSISTENT, "scsi0:0.fileName" },
  { "suspended-without-state", make_state_missing, VIX_E_FILE_NOT_FOUND,
    "gone.vmss" },
};

static void
test_refusal (gconstpointer data)
{
  guint i = GPOINTER_TO_UINT (data);
  g_autoptr (Bed) bed = bed_new_simple ();
  g_autofree char *before = NULL;
  g_autofree char *after = NULL;

  refusals[i].make (bed);
  before = bed_state (bed);
  assert_code (bed_create (bed, "x", NULL), refusals[i].code);
  if (strstr (bed->message, refusals[i].says) == NULL)
    g_error ("\"%s\" does not name %s", bed->message, refusals[i].says);
  after = bed_state (bed);
  g_assert_cmpstr (after, ==, before);
}

/* ---- text ---- */

/* Every line of @before is in @after, in its place, but those of @changed. */
static void
assert_lines_kept (const char *before, const char *after, const char *changed)
{
  g_auto (GStrv) old = g_strsplit (before, "\n", -1);
  g_auto (GStrv) new = g_strsplit (after, "\n", -1);

  g_assert_cmpuint (g_strv_length (old), ==, g_strv_length (new));
  for (guint i = 0; old[i] != NULL; i++)
    if (!g_str_has_prefix (old[i], changed))
      g_assert_cmpstr (new[i], ==, old[i]);
}

static void
test_text_kept (void)
{
  g_autoptr (Bed) bed = bed_new_simple ();
  g_autofree char *before = NULL;
  g_autofree char *after = NULL;

  bed_put (bed, "vm.vmx",
           "#!/usr/bin/vmware\r\n.encoding = \"windows-1252\"\r\n"
           "# a comment\r\n\r\ndisplayName=\"caf\xe9\"\r\nmystery line\r\n"
           "SCSI0.Present = \"true\"\r\nscsi0:0.PRESENT = \"TRUE\"\r\n"
           "SCSI0:0.filename   =   \"scsi0-0.vmdk\"   # here\r\n"
           "unknown.key = \"|22x|0A\"");
  before = bed_read (bed, "vm.vmx");
  assert_code (bed_create (bed, "s", NULL), VIX_OK);
  after = bed_read (bed, "vm.vmx");
  assert_lines_kept (before, after, "SCSI0:0.filename");
  g_assert_nonnull (strstr (
    after, "SCSI0:0.filename   =   \"scsi0-0-000001.vmdk\"   # here\r\n"));
}

static void
test_leftover_uid (void)
{
  g_autoptr (Bed) bed = bed_new_simple ();
  g_autofree char *kept = NULL;
  gint64 uid = 0;

  bed_put (bed, "vm-Snapshot1.vmsn", "somebody's");
  assert_code (bed_create (bed, "s", &uid), VIX_OK);
  g_assert_cmpint (uid, ==, 2);
  kept = bed_read (bed, "vm-Snapshot1.vmsn");
  g_assert_cmpstr (kept, ==, "somebody's");
}

static void
test_read_only (void)
{
  g_autoptr (Bed) bed = bed_new_simple ();
  g_autofree char *vmx = bed_path (bed, "vm.vmx");
  g_autofree char *before = bed_state (bed);
  g_autofree char *after = NULL;
  VixExtConnectParams params = { sizeof params };
  VixHandle job;

  bed_disconnect (bed);
  params.hostType = WORKSTATION;
  params.hostName = bed->root;
  params.vendorLibrary = "none";
  params.options = VIXEXT_HOSTOPTION_READ_ONLY;
  job = VixExt_Connect (&params, NULL, NULL);
  assert_code (VixJob_Wait (job, VIX_PROPERTY_JOB_RESULT_HANDLE, &bed->host,
                            VIX_PROPERTY_NONE),
               VIX_OK);
  Vix_ReleaseHandle (job);
  job = VixVM_Open (bed->host, vmx, NULL, NULL);
  assert_code (VixJob_Wait (job, VIX_PROPERTY_JOB_RESULT_HANDLE, &bed->vm,
                            VIX_PROPERTY_NONE),
               VIX_OK);
  Vix_ReleaseHandle (job);
  assert_code (bed_create (bed, "x", NULL), VIX_E_FILE_READ_ONLY);
  after = bed_state (bed);
  g_assert_cmpstr (after, ==, before);
}

static void
add (const char *name, GTestFunc func)
{
  g_autofree char *path = g_strconcat ("/workstation/create/", name, NULL);

  g_test_add_func (path, func);
}

static void
add_data (const char *format, const char *name, gconstpointer data,
          GTestDataFunc func)
{
  g_autofree char *path
    = g_strdup_printf ("/workstation/create/%s%s", format, name);

  g_test_add_data_func (path, data, func);
}

int
main (int argc, char **argv)
{
  static const char *const kinds[]
    = { "monolithicSparse", "monolithicFlat", "twoGbMaxExtentSparse",
        "twoGbMaxExtentFlat", "streamOptimized" };

  g_test_init (&argc, &argv, NULL);
  add ("child-of-the-current-snapshot", test_child_of_current);
  add ("name-may-be-null", test_null_name);
  add ("names-need-not-be-unique", test_equal_names);
  add ("property-list-must-be-invalid-handle", test_property_list);
  add ("suspended-vm-cannot-be-snapshotted-twice", test_suspended_once);
  add ("without-memory-revert-leaves-off", test_revert_leaves_off);
  add ("server-keeps-one-and-overwrites", test_server_overwrites);
  add ("server-adds-to-imported-series", test_server_adds);
  add ("team-members", test_team_member);
  add ("player-is-refused", test_player);
  for (guint i = 0; i < G_N_ELEMENTS (kinds); i++)
    add_data ("base-of-kind/", kinds[i], kinds[i], test_kind);
  add ("every-bus-at-once", test_buses);
  add ("independent-disks-are-left-out", test_independent);
  add ("two-tib-take-no-more-space", test_two_tib);
  add ("disk-elsewhere-is-frozen-but-never-written", test_disk_elsewhere);
  for (guint i = 0; i < G_N_ELEMENTS (refusals); i++)
    add_data ("refuses/", refusals[i].name, GUINT_TO_POINTER (i), test_refusal);
  add ("vmx-keeps-what-it-does-not-own", test_text_kept);
  add ("files-of-a-lost-vmsd-are-not-touched", test_leftover_uid);
  add ("read-only-host-changes-nothing", test_read_only);
  return g_test_run ();
}
