/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What is looked at most often costs no request: files, records and the state
 * of a watched host come from memory, also while it is away.
 */
#include <string.h>

#include "base/error.h"
#include "bed.h"

/* "vm.vmx=300 ..."; NULL with @error. */
static char *
list_files (Bed *bed, const char *id, gint64 snapshot, GError **error)
{
  g_autoptr (BedOp) op = bed_op_new ();
  g_autofree VixExtFile *files = NULL;
  GString *text;
  gsize n = 0;

  if (!bed->ops->list_files (bed->host, id, snapshot, &files, &n, &op->op,
                             error))
    return NULL;
  text = g_string_new (NULL);
  for (gsize i = 0; i < n; i++)
    g_string_append_printf (text, "%s%s=%" G_GINT64_FORMAT, i > 0 ? " " : "",
                            files[i].name, files[i].bytes);
  return g_string_free (text, FALSE);
}

static void
await_file (Bed *bed, const char *id, gint64 snapshot, const char *part)
{
  gint64 end = g_get_monotonic_time () + 60 * G_USEC_PER_SEC;

  for (;;) {
    g_autoptr (GError) error = NULL;
    g_autofree char *text = list_files (bed, id, snapshot, &error);

    /* The snapshot may not have come yet. */
    if (text != NULL && strstr (text, part) != NULL)
      return;
    if (g_get_monotonic_time () > end)
      g_error ("no %s in %s", part, text == NULL ? error->message : text);
    g_usleep (10000);
  }
}

static void
await_diary (Bed *bed, const char *entry)
{
  gint64 end = g_get_monotonic_time () + 60 * G_USEC_PER_SEC;

  while (!bed_saw (bed, entry)) {
    if (g_get_monotonic_time () > end)
      g_error ("no %s in %s", entry, bed_tell (bed));
    g_usleep (10000);
  }
}

/* Everything that a full walk asks of the library; the number of files. */
static gsize
walk (Bed *bed, const GPtrArray *ids)
{
  g_autoptr (BedOp) op = bed_op_new ();
  gsize n_files = 0;

  for (guint i = 0; i < ids->len; i++) {
    g_autoptr (GError) error = NULL;
    g_autoptr (VixVmRecord) vm
      = bed->ops->lookup_vm (bed->host, ids->pdata[i], &op->op, &error);
    VixExtHostStatus status = { .size = sizeof status };

    g_assert_no_error (error);
    bed->ops->get_status (bed->host, &status);
    g_assert_cmpint (status.capacity, >, 0);
    for (gsize k = 0; k <= vm->numSnapshots; k++) {
      g_autofree VixExtFile *files = NULL;
      gsize n = 0;

      bed->ops->list_files (bed->host, vm->id,
                            k == 0 ? 0 : vm->snapshots[k - 1].id, &files, &n,
                            &op->op, &error);
      g_assert_no_error (error);
      g_assert_cmpuint (n, >=, 3);
      n_files += n;
    }
  }
  return n_files;
}

static void
test_no_requests (void)
{
  g_autoptr (BedServer) sim = bed_sim_new (
    "-kind vcenter -vms 1000 -snapshots 4 -folders 3 -max-wait 600");
  g_autoptr (BedServer) proxy = bed_proxy_new (sim);
  g_autoptr (GError) error = NULL;
  g_autoptr (Bed) bed = bed_connect (proxy, NULL, NULL, &error);
  g_autoptr (GPtrArray) ids = NULL;
  gint64 before;
  gsize first, second;

  g_assert_no_error (error);
  bed_watch (bed);
  ids = vix_inventory_list_ids (bed->inventory);
  g_assert_cmpuint (ids->len, ==, 1000);
  /* The wait that follows the load has begun. */
  g_free (bed_ctl (sim, "vm/set?vm=vm00000&log=1"));
  await_diary (bed, "Fvm00000 ");
  before = bed_count (sim, "soapTotal");
  first = walk (bed, ids);
  /* A wait may end and begin anew meanwhile; nothing else is sent. */
  g_assert_cmpint (bed_count (sim, "soapTotal") - before, <=, 1);
  g_assert_cmpuint (first, >, 1000 * (5 + 4 * 3));
  /* And where nobody answers, it still is all there. */
  g_free (bed_ctl (proxy, "down"));
  g_free (bed_ctl (proxy, "drop?reset=1"));
  bed_await_state (bed, VIXEXT_HOST_RECONNECTING, 60000);
  second = walk (bed, ids);
  g_assert_cmpuint (first, ==, second);
}

static void
test_changes (void)
{
  g_autoptr (BedServer) sim = bed_sim_new ("-kind vcenter -vms 3 -snapshots 1");
  g_autoptr (Bed) bed = bed_new (sim, TRUE);
  g_autofree char *id = bed_vm_id (bed, "vm00001");
  g_autoptr (GError) error = NULL;
  g_autofree char *diary = NULL;
  gint64 made;

  /* Only the files: an event of its own, for that VM and no other. */
  bed_forget (bed);
  g_free (bed_ctl (sim, "vm/set?vm=vm00001&log=4711"));
  await_diary (bed, "Fvm00001 ");
  await_file (bed, id, 0, "vmware.log=4711");
  diary = bed_tell (bed);
  g_assert_cmpstr (diary, ==, "Fvm00001 ");
  /* The host says it again, and nothing is new. */
  bed_forget (bed);
  g_free (bed_ctl (sim, "vm/set?vm=vm00001&log=4711"));
  g_free (bed_ctl (sim, "vm/set?vm=vm00002&log=1"));
  await_diary (bed, "Fvm00002 ");
  g_assert_false (bed_saw (bed, "Fvm00001 "));
  /* A snapshot of ours has its files. */
  made = bed_create (bed, id, "second", &error);
  g_assert_no_error (error);
  await_file (bed, id, made, "vm00001-000001.vmdk=");
  await_file (bed, id, made, "vm00001-Snapshot2.vmsn=");
  await_file (bed, id, 1, "vm00001-flat.vmdk=");
  /* Those of others, too. */
  g_free (bed_ctl (sim, "snapshot/create?vm=vm00001&name=third&memory=1"));
  await_file (bed, id, 3, "vm00001-000002.vmdk=");
  g_free (bed_ctl (sim, "snapshot/remove?vm=vm00001&id=3"));
  bed_await_snapshots (bed, "vm00001", "1:snap-1(0),2:second(1)*");
  g_clear_error (&error);
  g_assert_null (list_files (bed, id, 3, &error));
  g_assert_error (error, VIX_ERROR, VIX_E_SNAPSHOT_NOTFOUND);
}

/* A reconnect tells everything again: to those who watch, nothing happened. */
static void
test_reload (void)
{
  g_autoptr (BedServer) sim
    = bed_sim_new ("-kind vcenter -vms 20 -snapshots 2");
  g_autoptr (Bed) bed = bed_new (sim, TRUE);
  g_autofree char *diary = NULL;

  bed_forget (bed);
  g_free (bed_ctl (sim, "restart?down=200"));
  bed_await_state (bed, VIXEXT_HOST_CONNECTED, 60000);
  g_free (bed_ctl (sim, "vm/set?vm=vm00007&log=5"));
  await_diary (bed, "Fvm00007 ");
  diary = bed_tell (bed);
  for (const char *at = diary; *at != '\0'; at++)
    g_assert_true (strchr ("~+-", *at) == NULL);
  g_assert_null (strstr (diary, "Fvm00006 "));
}

/* Disks of snapshots are counted without the independent ones. */
static void
test_counts (void)
{
  g_autoptr (BedServer) sim = bed_sim_new ("-kind vcenter -vms 2 -disks 3");
  g_autoptr (Bed) bed = NULL;
  g_autoptr (VixVmRecord) all = NULL;
  g_autoptr (VixVmRecord) some = NULL;

  g_free (bed_ctl (sim, "vm/set?vm=vm00001&independent=1"));
  g_free (bed_ctl (sim, "snapshot/create?vm=vm00000&name=a"));
  g_free (bed_ctl (sim, "snapshot/create?vm=vm00001&name=a"));
  bed = bed_new (sim, TRUE);
  all = bed_vm (bed, "vm00000");
  some = bed_vm (bed, "vm00001");
  g_assert_cmpint (all->snapshots[0].numDisks, ==, 3);
  g_assert_cmpint (some->snapshots[0].numDisks, ==, 2);
}

/* Nobody watches: the host is asked, once for each listing. */
static void
test_unwatched (void)
{
  g_autoptr (BedServer) sim = bed_sim_new ("-kind esx -vms 2 -snapshots 2");
  g_autoptr (Bed) bed = bed_new (sim, FALSE);
  g_autoptr (BedOp) op = bed_op_new ();
  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) paths
    = bed->ops->find_vms (bed->host, FALSE, &op->op, &error);
  g_autofree char *id = NULL;
  g_autofree char *text = NULL;
  gint64 before;

  g_assert_no_error (error);
  id = bed->ops->open_vm (bed->host, paths->pdata[1], &op->op, &error);
  g_assert_no_error (error);
  before = bed_count (sim, "RetrievePropertiesEx");
  text = list_files (bed, id, 0, &error);
  g_assert_no_error (error);
  g_assert_nonnull (strstr (text, ".vmx="));
  g_assert_cmpint (bed_count (sim, "RetrievePropertiesEx") - before, ==, 1);
  g_free (bed_ctl (sim, "vm/set?vm=vm00001&log=31"));
  g_free (text);
  text = list_files (bed, id, 0, &error);
  g_assert_nonnull (strstr (text, "vmware.log=31"));
  g_free (text);
  text = list_files (bed, id, 2, &error);
  g_assert_nonnull (strstr (text, "-000001.vmdk="));
  g_assert_null (list_files (bed, "no-such-vm", 0, &error));
  g_assert_error (error, VIX_ERROR, VIX_E_VM_NOT_FOUND);
}

/* Hosts that know no layoutEx do not tell the files; VMs that the host cannot
 * read have none here, and that is no failure. */
static void
test_none (void)
{
  static const char *const options[]
    = { "-kind server2 -vms 1 -snapshots 1", "-kind vcenter -vms 1" };

  for (gsize i = 0; i < G_N_ELEMENTS (options); i++) {
    g_autoptr (BedServer) sim = bed_sim_new (options[i]);
    g_autoptr (Bed) bed = NULL;
    g_autoptr (GPtrArray) ids = NULL;
    g_autoptr (GError) error = NULL;
    g_autofree char *id = NULL;
    g_autofree char *text = NULL;

    if (i == 1)
      g_free (bed_ctl (sim, "vm/set?vm=vm00000&connection=inaccessible"));
    bed = bed_new (sim, TRUE);
    ids = vix_inventory_list_ids (bed->inventory);
    id = g_strdup (ids->pdata[0]);
    text = list_files (bed, id, 0, &error);
    if (i == 0) {
      g_assert_error (error, VIX_ERROR, VIX_E_HOST_USER_PERMISSIONS);
      continue;
    }
    g_assert_no_error (error);
    g_assert_cmpstr (text, ==, "");
  }
}

/* What a watched host does not have is not asked for. */
static void
test_unknown (void)
{
  g_autoptr (BedServer) sim = bed_sim_new ("-kind vcenter -vms 1");
  g_autoptr (Bed) bed = bed_new (sim, TRUE);
  g_autoptr (BedOp) op = bed_op_new ();
  g_autoptr (GError) error = NULL;
  gint64 before = bed_count (sim, "soapTotal");

  g_assert_null (bed->ops->lookup_vm (bed->host, "vm-4711", &op->op, &error));
  g_assert_error (error, VIX_ERROR, VIX_E_VM_NOT_FOUND);
  g_clear_error (&error);
  g_assert_null (list_files (bed, "vm-4711", 0, &error));
  g_assert_error (error, VIX_ERROR, VIX_E_VM_NOT_FOUND);
  g_assert_cmpint (bed_count (sim, "soapTotal") - before, <=, 1);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/vsphere/files/no-requests", test_no_requests);
  g_test_add_func ("/vsphere/files/changes", test_changes);
  g_test_add_func ("/vsphere/files/reload", test_reload);
  g_test_add_func ("/vsphere/files/disks-of-snapshots", test_counts);
  g_test_add_func ("/vsphere/files/unwatched", test_unwatched);
  g_test_add_func ("/vsphere/files/none", test_none);
  g_test_add_func ("/vsphere/files/unknown", test_unknown);
  return g_test_run ();
}
