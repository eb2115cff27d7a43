/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Snapshots made, renamed, reverted to and removed on a simulated host, with
 * and without a watched inventory.
 */
#include <string.h>

#include "base/error.h"
#include "bed.h"

#define EACH_KIND(test)                                                        \
  test ("-kind esx -vms 2", TRUE);                                             \
  test ("-kind esx -vms 2", FALSE);                                            \
  test ("-kind vcenter -vms 2", TRUE);                                         \
  test ("-kind vcenter -vms 2", FALSE)

/* Not watched, a VM is known once it was looked at. */
static char *
get_id (Bed *bed, const char *name)
{
  g_autoptr (BedOp) op = bed_op_new ();
  g_autoptr (GError) error = NULL;
  g_autofree char *path = g_strdup_printf ("[LocalDS_0] %s/%s.vmx", name, name);
  char *id = bed->ops->open_vm (bed->host, path, &op->op, &error);

  g_assert_no_error (error);
  return id;
}

static void
check_snapshots (Bed *bed, const char *id, const char *wanted)
{
  g_autoptr (VixVmRecord) vm = vix_inventory_lookup (bed->inventory, id);
  g_autofree char *now = bed_snapshots (vm);

  g_assert_cmpstr (now, ==, wanted);
}

static void
life_of_snapshots (const char *options, gboolean watch)
{
  g_autoptr (BedServer) sim = bed_sim_new (options);
  g_autoptr (Bed) bed = bed_new (sim, watch);
  g_autofree char *id = get_id (bed, "vm00001");
  g_autoptr (BedOp) op = bed_op_new ();
  g_autoptr (GError) error = NULL;

  g_assert_cmpint (bed_create (bed, id, "one/1 %25", &error), ==, 1);
  g_assert_no_error (error);
  check_snapshots (bed, id, "1:one/1 %25(0)*");
  g_assert_cmpint (bed_create (bed, id, "two\\", &error), ==, 2);
  check_snapshots (bed, id, "1:one/1 %25(0),2:two\\(1)*");
  g_assert_true (
    bed->ops->revert_to_snapshot (bed->host, id, 1, FALSE, &op->op, &error));
  check_snapshots (bed, id, "1:one/1 %25(0)*,2:two\\(1)");
  g_assert_cmpint (bed_create (bed, id, "three", &error), ==, 3);
  check_snapshots (bed, id, "1:one/1 %25(0),2:two\\(1),3:three(1)*");
  g_assert_true (bed->ops->edit_snapshot (bed->host, id, 2, "<&>\"'", NULL,
                                          &op->op, &error));
  g_assert_true (bed->ops->edit_snapshot (
    bed->host, id, 2, NULL, "line\nline\r\n\303\244", &op->op, &error));
  g_assert_no_error (error);
  check_snapshots (bed, id, "1:one/1 %25(0),2:<&>\"'(1),3:three(1)*");
  {
    g_autoptr (VixVmRecord) vm = vix_inventory_lookup (bed->inventory, id);

    g_assert_cmpstr (vm->snapshots[1].description, ==,
                     "line\nline\r\n\303\244");
  }
  g_assert_true (
    bed->ops->remove_snapshot (bed->host, id, 1, FALSE, &op->op, &error));
  check_snapshots (bed, id, "2:<&>\"'(0),3:three(0)*");
  g_assert_true (
    bed->ops->remove_snapshot (bed->host, id, 2, TRUE, &op->op, &error));
  check_snapshots (bed, id, "3:three(0)*");
  g_assert_false (
    bed->ops->remove_snapshot (bed->host, id, 2, FALSE, &op->op, &error));
  g_assert_error (error, VIX_ERROR, VIX_E_SNAPSHOT_NOTFOUND);
}

static void
test_life (void)
{
  EACH_KIND (life_of_snapshots);
}

/* ---- names ---- */

static void
test_no_name (void)
{
  g_autoptr (BedServer) sim = bed_sim_new ("-kind esx -vms 1");
  g_autoptr (Bed) bed = bed_new (sim, TRUE);
  g_autofree char *id = bed_vm_id (bed, "vm00000");
  g_autoptr (GError) error = NULL;
  g_autoptr (VixVmRecord) vm = NULL;

  g_assert_cmpint (bed_create (bed, id, "", &error), ==, 1);
  vm = bed_vm (bed, "vm00000");
  g_assert_true (g_str_has_prefix (vm->snapshots[0].name, "snapshot 20"));
  /* What XML cannot hold is not sent. */
  g_assert_cmpint (bed_create (bed, id, "a\033b", &error), ==, 0);
  g_assert_error (error, VIX_ERROR, VIX_E_INVALID_ARG);
  g_assert_cmpint (bed_count (sim, "CreateSnapshot_Task"), ==, 1);
}

/* ---- calls ---- */

static void
await_count (const BedServer *sim, const char *key, int wanted)
{
  for (int i = 0; bed_count (sim, key) != wanted; i++) {
    g_assert_cmpint (i, <, 6000);
    g_usleep (10000);
  }
}

/* (transfer full): the counters, for one create alone. */
static char *
count_create (const BedServer *sim, Bed *bed, const char *id, const char *name,
              gint64 wanted)
{
  g_autoptr (GError) error = NULL;

  g_free (bed_ctl (sim, "counters?reset=1"));
  g_assert_cmpint (bed_create (bed, id, name, &error), ==, wanted);
  g_assert_no_error (error);
  await_count (sim, "DestroyPropertyFilter", bed_count (sim, "CreateFilter"));
  return bed_ctl (sim, "counters");
}

static void
check_create (const char *json)
{
  g_test_message ("%s", json);
  g_assert_cmpint (bed_number (json, "CreateSnapshot_Task"), ==, 1);
  g_assert_cmpint (bed_number (json, "RetrieveProperties"), >=, 1);
  g_assert_cmpint (bed_number (json, "RetrieveProperties"), <=, 3);
  g_assert_cmpint (bed_number (json, "RetrievePropertiesEx"), ==, -1);
  g_assert_cmpint (bed_number (json, "Login"), ==, -1);
}

/* How many SOAP calls a create makes: the create and a look at its task, and
 * if that goes on: its filter, the waits that bring the news, and (nobody
 * waits for that) the end of the filter. */
static void
test_calls_of_a_create (void)
{
  g_autoptr (BedServer) sim = bed_sim_new ("-kind vcenter -vms 2");
  g_autoptr (Bed) bed = bed_new (sim, TRUE);
  g_autofree char *id = bed_vm_id (bed, "vm00000");
  g_autofree char *quick = NULL;
  g_autofree char *slow = NULL;

  g_free (bed_ctl (sim, "set?create=0"));
  quick = count_create (sim, bed, id, "quick", 1);
  check_create (quick);
  g_assert_cmpint (bed_number (quick, "CreateFilter"), <=, 1);
  g_assert_cmpint (bed_number (quick, "WaitForUpdatesEx"), <=, 5);
  g_free (bed_ctl (sim, "set?create=1000"));
  slow = count_create (sim, bed, id, "slow", 2);
  check_create (slow);
  g_assert_cmpint (bed_number (slow, "CreateFilter"), ==, 1);
  g_assert_cmpint (bed_number (slow, "DestroyPropertyFilter"), ==, 1);
}

/* At 40 ms a round trip nothing but round trips counts. */
static void
test_round_trips_of_a_create (void)
{
  g_autoptr (BedServer) sim = bed_sim_new ("-kind vcenter -vms 2");
  g_autoptr (BedServer) proxy = bed_proxy_new (sim);
  g_autoptr (Bed) bed = bed_new (proxy, TRUE);
  g_autofree char *id = bed_vm_id (bed, "vm00000");
  g_autoptr (GError) error = NULL;
  gint64 best = G_MAXINT64;

  g_free (bed_ctl (proxy, "latency?ms=300"));
  for (int i = 0; i < 5; i++) {
    g_autofree char *name = g_strdup_printf ("s%d", i);
    gint64 start = g_get_monotonic_time ();

    g_assert_cmpint (bed_create (bed, id, name, &error), ==, i + 1);
    best = MIN (best, g_get_monotonic_time () - start);
  }
  g_test_message ("a create takes %.2f round trips", (double)best / 300000);
  g_assert_cmpint (best, <, 300000 * 3);
}

/* More than 80 characters are not sent to any host. */
static void
test_long_names (void)
{
  g_autoptr (BedServer) sim = bed_sim_new ("-kind vcenter -vms 1");
  g_autoptr (Bed) bed = bed_new (sim, TRUE);
  g_autofree char *id = bed_vm_id (bed, "vm00000");
  g_autoptr (BedOp) op = bed_op_new ();
  g_autoptr (GString) name = g_string_new (NULL);
  g_autoptr (GError) error = NULL;

  /* Two bytes each here, and three on the wire. */
  for (int i = 0; i < 40; i++)
    g_string_append (name, "\303\244/");
  g_assert_cmpint (bed_create (bed, id, name->str, &error), ==, 1);
  g_assert_no_error (error);
  g_string_append_c (name, 'x');
  g_assert_cmpint (bed_create (bed, id, name->str, &error), ==, 0);
  g_assert_error (error, VIX_ERROR, VIX_E_SNAPSHOT_NAMETOOLONG);
  g_clear_error (&error);
  g_assert_false (bed->ops->edit_snapshot (bed->host, id, 1, name->str, NULL,
                                           &op->op, &error));
  g_assert_error (error, VIX_ERROR, VIX_E_SNAPSHOT_NAMETOOLONG);
  g_assert_cmpint (bed_count (sim, "CreateSnapshot_Task"), ==, 1);
  g_assert_cmpint (bed_count (sim, "RenameSnapshot"), ==, 0);
}

/* A host that names no task, or one that there is not: what was asked for has
 * happened all the same, once, and is found. */
static void
test_no_such_task (void)
{
  static const char *const values[] = { "", "task-no-such" };
  g_autoptr (BedServer) sim = bed_sim_new ("-kind vcenter -vms 2");
  g_autoptr (BedServer) proxy = bed_proxy_new (sim);
  g_autoptr (Bed) bed = bed_new (proxy, TRUE);
  g_autofree char *id = bed_vm_id (bed, "vm00001");
  g_autoptr (BedOp) op = bed_op_new ();
  g_autoptr (GError) error = NULL;

  for (gsize i = 0; i < G_N_ELEMENTS (values); i++) {
    g_autoptr (VixVmRecord) vm = bed_vm (bed, "vm00000");
    g_autofree char *name = g_strdup_printf ("s%d", (int)i);

    g_free (bed_ctl (proxy,
                     "rule?method=CreateSnapshot_Task&action=task"
                     "&value=%s",
                     values[i]));
    g_assert_cmpint (bed_create (bed, id, name, &error), ==, i + 1);
    g_assert_no_error (error);
    g_free (bed_ctl (sim, "vm/unregister?vm=vm00000"));
    g_free (bed_ctl (proxy, "rule?method=RegisterVM_Task&action=task&value=%s",
                     values[i]));
    g_assert_true (
      bed->ops->register_vm (bed->host, vm->vmxPath, &op->op, &error));
    g_assert_no_error (error);
  }
  g_assert_cmpint (bed_count (sim, "CreateSnapshot_Task"), ==, 2);
  g_assert_cmpint (bed_count (sim, "RegisterVM_Task"), ==, 2);
}

/* ---- tasks that take their time ---- */

static void
test_progress (void)
{
  g_autoptr (BedServer) sim = bed_sim_new ("-kind vcenter -vms 1");
  g_autoptr (Bed) bed = bed_new (sim, TRUE);
  g_autofree char *id = bed_vm_id (bed, "vm00000");
  g_autoptr (BedOp) op = bed_op_new ();
  VixSnapshotParams params = { .name = "slow", .description = "d" };
  g_autoptr (GError) error = NULL;
  gint64 snapshot = 0;

  g_free (bed_ctl (sim, "set?create=3000"));
  g_assert_true (bed->ops->create_snapshot (bed->host, id, &params, &snapshot,
                                            &op->op, &error));
  g_assert_cmpint (snapshot, ==, 1);
  g_assert_cmpint (op->n_percent, >, 2);
}

static gpointer
cancel_soon (gpointer cancellable)
{
  g_usleep (300000);
  g_cancellable_cancel (cancellable);
  return NULL;
}

static void
test_cancel (void)
{
  g_autoptr (BedServer) sim = bed_sim_new ("-kind vcenter -vms 1");
  g_autoptr (Bed) bed = bed_new (sim, TRUE);
  g_autofree char *id = bed_vm_id (bed, "vm00000");
  g_autoptr (BedOp) op = bed_op_new ();
  VixSnapshotParams params = { .name = "never", .description = "" };
  gint64 snapshot = 0, start = g_get_monotonic_time ();
  g_autoptr (GError) error = NULL;
  GThread *thread = g_thread_new ("cancel", cancel_soon, op->cancellable);

  g_free (bed_ctl (sim, "set?create=600000"));
  g_assert_false (bed->ops->create_snapshot (bed->host, id, &params, &snapshot,
                                             &op->op, &error));
  g_thread_join (thread);
  g_assert_error (error, VIX_ERROR, VIX_E_CANCELLED);
  g_assert_cmpint (g_get_monotonic_time () - start, <, 60 * G_USEC_PER_SEC);
  check_snapshots (bed, id, "");
}

/* A merge cannot be undone: it goes on to its end. */
static void
test_cancel_of_what_cannot_be (void)
{
  g_autoptr (BedServer) sim = bed_sim_new ("-kind vcenter -vms 1 -snapshots 1");
  g_autoptr (Bed) bed = bed_new (sim, TRUE);
  g_autofree char *id = bed_vm_id (bed, "vm00000");
  g_autoptr (BedOp) op = bed_op_new ();
  g_autoptr (GError) error = NULL;
  GThread *thread = g_thread_new ("cancel", cancel_soon, op->cancellable);

  g_free (bed_ctl (sim, "set?remove=2000&cancelable=0"));
  g_assert_true (
    bed->ops->remove_snapshot (bed->host, id, 1, FALSE, &op->op, &error));
  g_assert_no_error (error);
  g_thread_join (thread);
  check_snapshots (bed, id, "");
}

/* ---- many at once ---- */

typedef struct {
  Bed *bed;
  char *name;
} Job;

static gpointer
create_one (gpointer data)
{
  Job *job = data;
  g_autofree char *id = bed_vm_id (job->bed, job->name);
  g_autoptr (GError) error = NULL;

  g_assert_cmpint (bed_create (job->bed, id, "together", &error), ==, 1);
  g_assert_no_error (error);
  check_snapshots (job->bed, id, "1:together(0)*");
  return NULL;
}

enum { MANY = 200 };

/* One on each of the first @n VMs. */
static void
create_all (Bed *bed, int n)
{
  GThread *threads[MANY];
  Job jobs[MANY];

  for (int i = 0; i < n; i++) {
    jobs[i] = (Job){ bed, g_strdup_printf ("vm%05d", i) };
    threads[i] = g_thread_new ("job", create_one, &jobs[i]);
  }
  for (int i = 0; i < n; i++) {
    g_thread_join (threads[i]);
    g_free (jobs[i].name);
  }
}

static void
test_side_by_side (void)
{
  enum { N = MANY };
  g_autoptr (BedServer) sim = bed_sim_new ("-kind vcenter -vms 200");
  g_autoptr (Bed) bed = bed_new (sim, TRUE);
  gint64 start;

  g_free (bed_ctl (sim, "set?create=1000"));
  g_free (bed_ctl (sim, "counters?reset=1"));
  start = g_get_monotonic_time ();
  create_all (bed, N);
  g_test_message ("%d creates of 1 s each took %d ms, %d filters", N,
                  (int)((g_get_monotonic_time () - start) / 1000),
                  (int)bed_count (sim, "CreateFilter"));
  g_assert_cmpint (bed_count (sim, "CreateSnapshot_Task"), ==, N);
  g_assert_cmpint (bed_count (sim, "CreateFilter"), <=, N);
}

/* Where news are cut into pieces, that a task succeeded may come long before
 * what it returned. */
static void
test_late_results (void)
{
  enum { N = 60 };
  g_autoptr (BedServer) sim = bed_sim_new ("-vms 60 -truncate 1 -slots 8");
  g_autoptr (Bed) bed = bed_new (sim, TRUE);

  g_free (bed_ctl (sim, "set?create=30"));
  create_all (bed, N);
  g_assert_cmpint (bed_count (sim, "CreateSnapshot_Task"), ==, N);
}

/* ---- faults of tasks ---- */

static void
test_faults (void)
{
  static const struct {
    const char *rule;
    int code;
    const char *says;
  } cases[] = {
    { "fault=TaskInProgress", VIX_E_OBJECT_IS_BUSY, "" },
    { "fault=NoPermission&field.privilegeId=VirtualMachine.State.Create",
      VIX_E_HOST_USER_PERMISSIONS, "VirtualMachine.State.Create" },
    { "fault=RestrictedVersion", VIX_E_LICENSE, "licence" },
    { "fault=TooManySnapshotLevels", VIX_E_SNAPSHOT_HIERARCHY_TOODEEP, "" },
    { "fault=ApplicationQuiesceFault&message=VSS%20says%20no",
      VIX_E_GUEST_VOLUMES_NOT_FROZEN, "VSS says no" },
    { "fault=NoDiskSpace&field.datastore=ds9", VIX_E_DISK_FULL, "ds9" },
  };
  g_autoptr (BedServer) sim = bed_sim_new ("-kind vcenter -vms 1");
  g_autoptr (Bed) bed = bed_new (sim, TRUE);
  g_autofree char *id = bed_vm_id (bed, "vm00000");

  for (gsize i = 0; i < 2 * G_N_ELEMENTS (cases); i++) {
    g_autoptr (GError) error = NULL;

    g_free (bed_ctl (sim, "fail?method=CreateSnapshot_Task&when=%s&%s",
                     i % 2 == 0 ? "call" : "task", cases[i / 2].rule));
    g_assert_cmpint (bed_create (bed, id, "x", &error), ==, 0);
    g_test_message ("%s", error->message);
    g_assert_error (error, VIX_ERROR, cases[i / 2].code);
    g_assert_nonnull (strstr (error->message, cases[i / 2].says));
  }
  check_snapshots (bed, id, "");
}

/* ---- VMware Server 2 ---- */

static void
test_server2 (void)
{
  g_autoptr (BedServer) sim = bed_sim_new ("-kind server2 -vms 2");
  g_autoptr (Bed) bed = bed_new (sim, TRUE);
  g_autofree char *id = bed_vm_id (bed, "vm00000");
  g_autoptr (BedOp) op = bed_op_new ();
  g_autoptr (GError) error = NULL;
  VixExtHostStatus status = { .size = sizeof status };

  bed->ops->get_status (bed->host, &status);
  g_test_message ("%s, API %s", status.product, status.apiVersion);
  g_assert_cmpint (bed_create (bed, id, "only", &error), ==, 1);
  g_assert_no_error (error);
  check_snapshots (bed, id, "1:only(0)*");
  g_assert_cmpint (bed_create (bed, id, "second", &error), ==, 0);
  g_assert_error (error, VIX_ERROR, VIX_E_SNAPSHOT_MAXSNAPSHOTS);
  g_clear_error (&error);
  g_free (bed_ctl (sim, "vm/rename?vm=vm00001&name=other"));
  bed_await_snapshots (bed, "other", "");
  g_assert_true (
    bed->ops->remove_snapshot (bed->host, id, 1, FALSE, &op->op, &error));
  check_snapshots (bed, id, "");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/vsphere/snapshots/life", test_life);
  g_test_add_func ("/vsphere/snapshots/no-name", test_no_name);
  g_test_add_func ("/vsphere/snapshots/calls-of-a-create",
                   test_calls_of_a_create);
  g_test_add_func ("/vsphere/snapshots/round-trips-of-a-create",
                   test_round_trips_of_a_create);
  g_test_add_func ("/vsphere/snapshots/progress", test_progress);
  g_test_add_func ("/vsphere/snapshots/cancel", test_cancel);
  g_test_add_func ("/vsphere/snapshots/cancel-of-what-cannot-be",
                   test_cancel_of_what_cannot_be);
  g_test_add_func ("/vsphere/snapshots/side-by-side", test_side_by_side);
  g_test_add_func ("/vsphere/snapshots/late-results", test_late_results);
  g_test_add_func ("/vsphere/snapshots/faults", test_faults);
  g_test_add_func ("/vsphere/snapshots/server2-keeps-one", test_server2);
  g_test_add_func ("/vsphere/snapshots/no-such-task", test_no_such_task);
  g_test_add_func ("/vsphere/snapshots/long-names", test_long_names);
  return g_test_run ();
}
