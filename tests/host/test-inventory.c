/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The inventory of a simulated ESXi and vCenter, as it is and as it changes.
 */
#include <string.h>

#include "base/error.h"
#include "bed.h"

static void
test_esx (void)
{
  g_autoptr (BedServer) sim = bed_sim_new ("-kind esx -vms 3 -snapshots 2 -on");
  g_autoptr (Bed) bed = bed_new (sim, TRUE);
  g_autofree char *dump = bed_dump (bed);
  g_autoptr (VixVmRecord) vm = bed_vm (bed, "vm00001");
  g_autofree char *snapshots = bed_snapshots (vm);
  VixExtHostStatus status = { .size = sizeof status };

  g_test_message ("%s", dump);
  g_assert_cmpuint (g_strv_length ((char **)vm->path), ==, 1);
  g_assert_cmpstr (vm->path[0], ==, "vm00001");
  g_assert_cmpstr (snapshots, ==, "1:snap-1(0),2:snap-2(1)*");
  g_assert_cmpint (vm->powerState, ==, VIX_POWERSTATE_POWERED_ON);
  g_assert_true (g_str_has_prefix (vm->vmxPath, "[ha-datacenter/"));
  g_assert_true (g_uuid_string_is_valid (vm->uuid));
  g_assert_cmpint (vm->numVcpus, >, 0);
  g_assert_cmpint (vm->memoryMiB, >, 0);
  g_assert_cmpint (vm->changed, >, 0);
  bed->ops->get_status (bed->host, &status);
  g_assert_cmpint (status.state, ==, VIXEXT_HOST_CONNECTED);
  g_assert_nonnull (strstr (status.product, "ESX"));
  g_assert_cmpint (status.capacity, >, 0);
  g_assert_cmpint (status.freeSpace, >, 0);
}

static void
test_vcenter_paths (void)
{
  g_autoptr (BedServer) sim
    = bed_sim_new ("-kind vcenter -vms 8 -datacenters 2 -folders 2 -vapps 1");
  g_autoptr (Bed) bed = bed_new (sim, TRUE);
  g_autofree char *dump = bed_dump (bed);

  g_test_message ("%s", dump);
  g_assert_nonnull (strstr (dump, "DC0/"));
  g_assert_nonnull (strstr (dump, "DC1/"));
  g_assert_null (strstr (dump, "/vm/"));
  g_assert_null (strstr (dump, "Datacenters"));
}

static void
test_changes_by_others (void)
{
  g_autoptr (BedServer) sim = bed_sim_new ("-kind vcenter -vms 4");
  g_autoptr (Bed) bed = bed_new (sim, TRUE);
  g_autofree char *before = bed_vm_id (bed, "vm00002");
  g_autofree char *after = NULL;

  g_free (bed_ctl (sim, "snapshot/create?vm=vm00001&name=a%%2fb"));
  bed_await_snapshots (bed, "vm00001", "1:a/b(0)*");
  g_free (bed_ctl (sim, "snapshot/create?vm=vm00001&name=100%%25"));
  bed_await_snapshots (bed, "vm00001", "1:a/b(0),2:100%(1)*");
  g_free (bed_ctl (sim, "snapshot/revert?vm=vm00001&id=1"));
  bed_await_snapshots (bed, "vm00001", "1:a/b(0)*,2:100%(1)");
  g_free (bed_ctl (sim, "snapshot/rename?vm=vm00001&id=1&name=c"));
  bed_await_snapshots (bed, "vm00001", "1:c(0)*,2:100%(1)");
  g_free (bed_ctl (sim, "snapshot/remove?vm=vm00001&id=1"));
  bed_await_snapshots (bed, "vm00001", "2:100%(0)");
  g_free (bed_ctl (sim, "vm/set?vm=vm00001&current=none"));
  g_free (bed_ctl (sim, "snapshot/clear?vm=vm00001"));
  bed_await_snapshots (bed, "vm00001", "");
  g_free (bed_ctl (sim, "vm/rename?vm=vm00002&name=new%%20name"));
  bed_await_snapshots (bed, "new name", "");
  after = bed_vm_id (bed, "new name");
  g_assert_cmpstr (before, ==, after);
}

/* ---- places ---- */

static void
await_dump (Bed *bed, const char *part, gboolean there)
{
  for (int i = 0;; i++) {
    g_autofree char *dump = bed_dump (bed);

    if ((strstr (dump, part) != NULL) == there)
      return;
    if (i == 6000)
      g_error ("\"%s\" is %sin\n%s", part, there ? "not " : "", dump);
    g_usleep (10000);
  }
}

static void
test_moves (void)
{
  g_autoptr (BedServer) sim = bed_sim_new ("-kind vcenter -vms 4");
  g_autoptr (Bed) bed = bed_new (sim, TRUE);
  g_autofree char *diary = NULL;

  g_free (bed_ctl (sim, "folder/create?folder=DC0%%2FProd%%252fA"));
  g_free (bed_ctl (sim, "vm/move?vm=vm00001&folder=DC0%%2FProd%%252fA"));
  await_dump (bed, " DC0/Prod/A/vm00001 ", TRUE);
  bed_forget (bed);
  g_free (bed_ctl (sim, "folder/rename?folder=DC0%%2FProd%%252fA&name=Test"));
  await_dump (bed, " DC0/Test/vm00001 ", TRUE);
  /* The others did not move. */
  diary = bed_tell (bed);
  g_assert_cmpstr (diary, ==, "~vm00001 ");
  g_free (bed_ctl (sim, "vm/move?vm=vm00001&folder=DC0"));
  await_dump (bed, " DC0/vm00001 ", TRUE);
  g_free (bed_ctl (sim, "vm/create?name=vm00001&folder=DC0%%2FTest"));
  await_dump (bed, " DC0/Test/vm00001 ", TRUE);
  g_free (bed_ctl (sim, "vm/unregister?vm=vm00002"));
  await_dump (bed, "vm00002", FALSE);
}

/* ---- VMs that are not well ---- */

static void
await_vm (Bed *bed, const char *name, int flags, const char *problem)
{
  for (int i = 0;; i++) {
    g_autoptr (VixVmRecord) vm = bed_vm (bed, name);

    if (vm->flags == flags && strstr (vm->problem, problem) != NULL
        && (*problem != '\0' || *vm->problem == '\0'))
      return;
    if (i == 6000)
      g_error ("%s has flags %d, problem \"%s\"", name, vm->flags, vm->problem);
    g_usleep (10000);
  }
}

static void
test_problems (void)
{
  g_autoptr (BedServer) sim
    = bed_sim_new ("-kind vcenter -vms 6 -templates 1 -snapshots 1");
  g_autoptr (Bed) bed = bed_new (sim, TRUE);
  g_autofree char *before = bed_dump (bed);
  g_autofree char *after = NULL;

  g_assert_nonnull (strstr (before, " 1 [")); /* VIXEXT_VM_TEMPLATE */
  g_free (bed_ctl (sim, "vm/set?vm=vm00001&connection=orphaned"));
  await_vm (bed, "vm00001", VIXEXT_VM_INACCESSIBLE, "orphaned");
  g_free (bed_ctl (sim, "vm/set?vm=vm00001&connection=connected"));
  await_vm (bed, "vm00001", 0, "");
  g_free (bed_ctl (sim, "vm/set?vm=vm00001&question=moved%%20or%%20copied"));
  await_vm (bed, "vm00001", 0, "moved or copied");
  g_free (bed_ctl (sim, "vm/set?vm=vm00001&question="));
  await_vm (bed, "vm00001", 0, "");
  g_free (bed_ctl (sim, "vm/set?vm=vm00001&consolidation=1"));
  await_vm (bed, "vm00001", 0, "consolidate");
  g_free (bed_ctl (sim, "vm/set?vm=vm00001&consolidation=0"));
  await_vm (bed, "vm00001", 0, "");
  after = bed_dump (bed);
  g_assert_cmpstr (before, ==, after);
}

/* ---- large ---- */

static gint64
resident_kb (void)
{
  g_autofree char *status = NULL;

  g_file_get_contents ("/proc/self/status", &status, NULL, NULL);
  return g_ascii_strtoll (strstr (status, "VmRSS:") + 6, NULL, 10);
}

static void
test_large (void)
{
  g_autoptr (BedServer) sim = bed_sim_new (
    "-kind vcenter -vms 3000 -snapshots 4 -folders 20 -truncate 100");
  g_autoptr (Bed) bed = NULL;
  gint64 before = resident_kb (), start = g_get_monotonic_time (), vms, snaps;
  g_autofree char *json = NULL;

  bed = bed_new (sim, TRUE);
  vix_inventory_count (bed->inventory, &vms, &snaps);
  g_assert_cmpint (vms, ==, 3000);
  g_assert_cmpint (snaps, ==, 12000);
  json = bed_ctl (sim, "counters");
  g_test_message ("loaded in %d ms, %d KiB, %d waits",
                  (int)((g_get_monotonic_time () - start) / 1000),
                  (int)(resident_kb () - before),
                  (int)bed_number (json, "WaitForUpdatesEx"));
  g_assert_cmpint (bed_number (json, "soapTotal"), <,
                   bed_number (json, "WaitForUpdatesEx") + 7);
}

/* The load is cut off in the middle, several times. */
static void
test_load_is_cut_off (void)
{
  g_autoptr (BedServer) sim = bed_sim_new (
    "-kind vcenter -vms 400 -snapshots 2 -folders 5 -truncate 50");
  g_autoptr (BedServer) proxy = bed_proxy_new (sim);
  g_autoptr (GError) error = NULL;
  g_autoptr (Bed) bed = bed_connect (proxy, NULL, NULL, &error);
  g_autofree char *diary = NULL;

  g_assert_no_error (error);
  g_free (bed_ctl (
    proxy, "rule?method=WaitForUpdatesEx&action=drop-middle&skip=3&times=1"));
  g_free (bed_ctl (
    proxy, "rule?method=WaitForUpdatesEx&action=drop-after&skip=7&times=1"));
  bed_watch (bed);
  bed_assert_complete (bed, sim);
  /* Nothing came twice. */
  diary = bed_tell (bed);
  for (int i = 0; i < 400; i += 37) {
    g_autofree char *plus = g_strdup_printf ("+vm%05d ", i);
    const char *first = strstr (diary, plus);

    g_assert_nonnull (first);
    g_assert_null (strstr (first + 1, plus));
  }
}

static void
be_patient (VixConnectParams *params, gpointer data)
{
  params->stall_timeout_ms = 600000;
}

static gpointer
watch (gpointer bed)
{
  bed_watch (bed);
  return NULL;
}

/* While a piece of the load is still on its way, the next one was asked for
 * already. The one under way is lost then: what was asked counts for nothing.
 */
static void
test_next_piece_is_asked_ahead (void)
{
  g_autoptr (BedServer) sim = bed_sim_new (
    "-kind vcenter -vms 400 -snapshots 2 -folders 5 -truncate 50");
  g_autoptr (BedServer) proxy = bed_proxy_new (sim);
  g_autoptr (GError) error = NULL;
  g_autoptr (Bed) bed = bed_connect (proxy, be_patient, NULL, &error);
  GThread *thread;

  g_assert_no_error (error);
  g_free (bed_ctl (proxy, "rule?method=WaitForUpdatesEx&action=stall&skip=1"));
  thread = g_thread_new ("watch", watch, bed);
  for (int i = 0;; i++) {
    g_autofree char *json = bed_ctl (proxy, "counters");

    if (bed_number (json, "WaitForUpdatesEx") >= 3)
      break;
    if (i == 3000)
      g_error ("not asked ahead: %s", json);
    g_usleep (10000);
  }
  g_free (bed_ctl (proxy, "clear"));
  g_thread_join (thread);
  bed_assert_complete (bed, sim);
}

static void
test_churn (void)
{
  g_autoptr (BedServer) sim
    = bed_sim_new ("-kind vcenter -vms 100 -snapshots 2");
  g_autoptr (Bed) bed = bed_new (sim, TRUE);
  g_autoptr (Bed) fresh = NULL;
  g_autofree char *theirs = NULL;
  gint64 before;

  g_free (bed_ctl (sim, "churn?count=500&seed=1&vms=100"));
  g_usleep (500000);
  before = resident_kb ();
  for (int i = 0; i < 10; i++)
    g_free (bed_ctl (sim, "churn?count=500&seed=%d&vms=100", i));
  fresh = bed_new (sim, TRUE);
  theirs = bed_dump (fresh);
  await_dump (bed, theirs, TRUE);
  g_test_message ("5,000 changes: %d KiB more", (int)(resident_kb () - before));
}

/* A host that tells of more snapshots than any product makes. */
static void
test_huge_trees (void)
{
  static const struct {
    int count, depth;
  } trees[] = { { 496, 496 }, { 3000, 30 }, { 100000, 100 }, { 5000, 5000 } };
  g_autoptr (BedServer) sim = bed_sim_new ("-kind vcenter -vms 2 -snapshots 1");

  for (gsize i = 0; i < G_N_ELEMENTS (trees); i++) {
    g_autoptr (BedServer) proxy = bed_proxy_new (sim);
    g_autoptr (GError) error = NULL;
    g_autoptr (Bed) bed = bed_connect (proxy, NULL, NULL, &error);
    g_autoptr (VixVmRecord) vm = NULL;

    g_assert_no_error (error);
    g_free (bed_ctl (proxy,
                     "rule?method=WaitForUpdatesEx&action=snapshots&count=%d"
                     "&depth=%d&times=0",
                     trees[i].count, trees[i].depth));
    bed_watch (bed);
    vm = bed_vm (bed, "vm00001");
    g_test_message ("%d, %d deep: %d snapshots, %s", trees[i].count,
                    trees[i].depth, (int)vm->numSnapshots, vm->problem);
    if (trees[i].depth <= 496 && trees[i].count <= 3000)
      g_assert_cmpuint (vm->numSnapshots, ==, trees[i].count);
    else
      g_assert_true (vm->numSnapshots == (gsize)trees[i].count
                     || *vm->problem != '\0');
  }
}

/* Some properties are hidden from this user. */
static void
test_hidden (void)
{
  g_autoptr (BedServer) sim
    = bed_sim_new ("-kind vcenter -vms 3 -snapshots 1 -folders 1");
  g_autoptr (Bed) bed = NULL;
  g_autofree char *dump = NULL;

  g_free (bed_ctl (sim, "set?hide=config.uuid,config.changeVersion,parent,"
                        "guest.toolsRunningStatus"));
  bed = bed_new (sim, TRUE);
  dump = bed_dump (bed);
  g_test_message ("%s", dump);
  g_assert_nonnull (strstr (dump, "vm00001"));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/vsphere/inventory/esx", test_esx);
  g_test_add_func ("/vsphere/inventory/vcenter-paths", test_vcenter_paths);
  g_test_add_func ("/vsphere/inventory/changes-by-others",
                   test_changes_by_others);
  g_test_add_func ("/vsphere/inventory/moves", test_moves);
  g_test_add_func ("/vsphere/inventory/problems", test_problems);
  g_test_add_func ("/vsphere/inventory/large", test_large);
  g_test_add_func ("/vsphere/inventory/load-is-cut-off", test_load_is_cut_off);
  g_test_add_func ("/vsphere/inventory/next-piece-is-asked-ahead",
                   test_next_piece_is_asked_ahead);
  g_test_add_func ("/vsphere/inventory/churn", test_churn);
  g_test_add_func ("/vsphere/inventory/huge-trees", test_huge_trees);
  g_test_add_func ("/vsphere/inventory/hidden-properties", test_hidden);
  return g_test_run ();
}
