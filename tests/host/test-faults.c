/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The fault matrix: each operation times each way in which its request or
 * its answer can be spoilt, between a mount's worth of provider and a
 * simulated ESXi or vCenter. Whatever happens, a change happens once or not at
 * all, and the result says which.
 */
#include <string.h>

#include "base/error.h"
#include "bed.h"

#define ANSWER_MS 1500

/* ---- operations ---- */

typedef struct {
  const char *name;
  const char *method;
  /* Does it to the VM, which has the snapshots 1 and, above it, 2. */
  gboolean (*run) (Bed *bed, const char *id, GError **error);
  const char *before;
  const char *after;
} Operation;

static gboolean
run_create (Bed *bed, const char *id, GError **error)
{
  return bed_create (bed, id, "new", error) != 0;
}

static gboolean
run_remove (Bed *bed, const char *id, GError **error)
{
  g_autoptr (BedOp) op = bed_op_new ();

  return bed->ops->remove_snapshot (bed->host, id, 1, FALSE, &op->op, error);
}

static gboolean
run_revert (Bed *bed, const char *id, GError **error)
{
  g_autoptr (BedOp) op = bed_op_new ();

  return bed->ops->revert_to_snapshot (bed->host, id, 1, FALSE, &op->op, error);
}

static gboolean
run_rename (Bed *bed, const char *id, GError **error)
{
  g_autoptr (BedOp) op = bed_op_new ();

  return bed->ops->edit_snapshot (bed->host, id, 2, "renamed", NULL, &op->op,
                                  error);
}

static gboolean
run_power (Bed *bed, const char *id, GError **error)
{
  g_autoptr (BedOp) op = bed_op_new ();

  return bed->ops->power (bed->host, id, VIX_POWER_ON, 0, &op->op, error);
}

#define BEFORE "1:snap-1(0),2:snap-2(1)* off"

static const Operation operations[] = {
  { "create", "CreateSnapshot_Task", run_create, BEFORE,
    "1:snap-1(0),2:snap-2(1),3:new(2)* off" },
  { "remove", "RemoveSnapshot_Task", run_remove, BEFORE, "2:snap-2(0)* off" },
  { "revert", "RevertToSnapshot_Task", run_revert, BEFORE,
    "1:snap-1(0)*,2:snap-2(1) off" },
  { "rename", "RenameSnapshot", run_rename, BEFORE,
    "1:snap-1(0),2:renamed(1)* off" },
  { "power", "PowerOnVM_Task", run_power, BEFORE,
    "1:snap-1(0),2:snap-2(1)* on" },
};

/* ---- faults ---- */

typedef enum {
  EITHER,  /* once or not at all, as the result says */
  HAPPENS, /* it must succeed all the same */
  NOTHING, /* it must fail, and nothing is changed */
} Expected;

typedef struct {
  const char *name;
  const char *rule; /* of the proxy; the method and the VM are added */
  Expected expected;
} Fault;

static const Fault faults[] = {
  { "none", NULL, HAPPENS },
  { "delay", "action=delay&ms=300", HAPPENS },
  { "slow answer", "action=slow&rate=2000", HAPPENS },
  { "lost before", "action=drop-before", NOTHING },
  { "reset before", "action=drop-before&reset=1", NOTHING },
  { "lost after", "action=drop-after", HAPPENS },
  { "reset after", "action=drop-after&reset=1", HAPPENS },
  { "lost in the middle", "action=drop-middle", HAPPENS },
  { "reset in the middle", "action=drop-middle&reset=1", HAPPENS },
  { "arrives late", "action=drop-late&ms=700", HAPPENS },
  { "503 before", "action=status&code=503", NOTHING },
  { "503 after", "action=status-after&code=503", HAPPENS },
  { "502 after", "action=status-after&code=502", HAPPENS },
  { "404", "action=status&code=404", NOTHING },
  { "301", "action=redirect&url=https%3A%2F%2Fexample.com%2Fsdk", NOTHING },
  { "no answer", "action=blackhole", NOTHING },
  { "answer stalls", "action=stall", HAPPENS },
  { "garbage", "action=garbage&what=bytes", EITHER },
  { "html", "action=garbage&what=html", EITHER },
  { "cut short", "action=garbage&what=truncated", EITHER },
  { "empty", "action=garbage&what=empty", EITHER },
  { "no UTF-8", "action=garbage&what=utf8", EITHER },
  { "control characters", "action=garbage&what=control", EITHER },
  { "forbidden reference", "action=garbage&what=charref", EITHER },
  { "wrong length", "action=garbage&what=length", EITHER },
  { "bomb: entities", "action=bomb&what=entities", EITHER },
  { "bomb: deep", "action=bomb&what=deep", EITHER },
  { "bomb: attributes", "action=bomb&what=attributes", EITHER },
  { "no task", "action=task&value=", EITHER },
  { "endless", "action=endless", EITHER },
  { "not logged in", "action=fault&fault=NotAuthenticated", HAPPENS },
  { "no permission", "action=fault&fault=NoPermission", NOTHING },
  { "busy", "action=fault&fault=TaskInProgress", NOTHING },
};

/* ---- a cell of the table ---- */

typedef struct {
  const Operation *operation;
  const Fault *fault;
  BedServer *sim;
  BedServer *proxy;
  Bed *bed;
  char *vm;
  char *verdict; /* NULL: as it must be */
  char *says;
  int ms;
} Cell;

static char *
state_of (Cell *cell)
{
  g_autoptr (VixVmRecord) vm = bed_vm (cell->bed, cell->vm);
  g_autofree char *snapshots = bed_snapshots (vm);

  return g_strdup_printf ("%s %s", snapshots,
                          vm->powerState == VIX_POWERSTATE_POWERED_ON ? "on"
                                                                      : "off");
}

/* What the host has, which is what counts. */
static char *
host_state (Cell *cell)
{
  g_autofree char *json = bed_ctl (cell->sim, "vm?vm=%s", cell->vm);
  GString *text = g_string_new (NULL);
  const char *at = json;

  while ((at = strstr (at, "\"created\":")) != NULL) {
    g_autofree char *one = g_strndup (at, strcspn (at, "}"));
    const char *name = strstr (one, "\"name\":\"") + 8;

    g_string_append_printf (text, "%s%d:%.*s(%d)%s", text->len > 0 ? "," : "",
                            (int)bed_number (one, "id"),
                            (int)strcspn (name, "\""), name,
                            (int)bed_number (one, "parent"),
                            strstr (one, "\"current\":true") ? "*" : "");
    at += strlen (one);
  }
  g_string_append (text,
                   strstr (json, "\"power\":\"poweredOn\"") ? " on" : " off");
  return g_string_free (text, FALSE);
}

static char *
judge (Cell *cell, gboolean ok, const char *host, const char *ours)
{
  const Operation *operation = cell->operation;

  if (!g_str_equal (host, operation->before)
      && !g_str_equal (host, operation->after))
    return g_strdup_printf ("TORN: the host has %s", host);
  if (ok != g_str_equal (host, operation->after))
    return g_strdup_printf ("LIES: the host has %s", host);
  if (!g_str_equal (host, ours))
    return g_strdup_printf ("STALE: the inventory has %s", ours);
  if (cell->fault->expected == HAPPENS && !ok)
    return g_strdup ("GAVE UP");
  if (cell->fault->expected == NOTHING && ok)
    return g_strdup ("DID NOT FAIL");
  return NULL;
}

/* What the operation's request names: the VM @id, or a snapshot of it. */
static char *
named_object (Cell *cell, const char *id)
{
  const char *method = cell->operation->method;
  g_autofree char *json = bed_ctl (cell->sim, "vm?vm=%s", cell->vm);
  const char *at = strstr (json, "\"snapshots\"");
  int nth = strstr (method, "RenameSnapshot") != NULL ? 2
            : strstr (method, "Remove") != NULL || strstr (method, "Revert")
              ? 1
              : 0;

  for (int i = 0; i < nth; i++) {
    at = strstr (at, "\"moref\":\"");
    g_assert_nonnull (at);
    at += strlen ("\"moref\":\"");
  }
  return nth == 0 ? g_strdup (id) : g_strndup (at, strcspn (at, "\""));
}

static void
run_cell (gpointer data)
{
  Cell *cell = data;
  g_autofree char *id = bed_vm_id (cell->bed, cell->vm);
  g_autoptr (GError) error = NULL;
  g_autofree char *ours = NULL;
  g_autofree char *host = NULL;
  gint64 start = g_get_monotonic_time ();
  gboolean ok;

  if (cell->fault->rule != NULL) {
    g_autofree char *named = named_object (cell, id);

    g_free (bed_ctl (cell->proxy, "rule?method=%s&body=%%3E%s%%3C&%s",
                     cell->operation->method, named, cell->fault->rule));
  }
  ok = cell->operation->run (cell->bed, id, &error);
  cell->ms = (int)((g_get_monotonic_time () - start) / 1000);
  cell->says = error == NULL ? NULL : g_strdup (error->message);
  /* The inventory may be a moment behind where nothing was waited for. */
  for (int i = 0; i < 3000; i++) {
    g_free (ours);
    g_free (host);
    ours = state_of (cell);
    host = host_state (cell);
    if (g_str_equal (ours, host))
      break;
    g_usleep (10000);
  }
  cell->verdict = judge (cell, ok, host, ours);
}

static gpointer
run_one (gpointer cell)
{
  run_cell (cell);
  return NULL;
}

/* The cells that are left to do, for several threads. */
typedef struct {
  Cell *cells;
  gint n;
  gint next;
} Work;

static gpointer
run_many (gpointer data)
{
  Work *work = data;
  gint i;

  while ((i = g_atomic_int_add (&work->next, 1)) < work->n)
    run_cell (&work->cells[i]);
  return NULL;
}

static void
shorten (VixConnectParams *params, gpointer data)
{
  params->answer_timeout_ms = ANSWER_MS;
  params->stall_timeout_ms = ANSWER_MS;
  params->settle_timeout_ms = 2000;
}

static void
print_table (Cell *cells)
{
  g_autoptr (GString) line = g_string_new ("fault              ");
  gsize n = G_N_ELEMENTS (operations);

  for (gsize j = 0; j < n; j++)
    g_string_append_printf (line, " %-14s", operations[j].name);
  g_test_message ("%s", line->str);
  for (gsize i = 0; i < G_N_ELEMENTS (faults); i++) {
    g_string_printf (line, "%-19s", faults[i].name);
    for (gsize j = 0; j < n; j++) {
      Cell *cell = &cells[i * n + j];
      g_autofree char *text = g_strdup_printf ("%s %d ms",
                                               cell->verdict != NULL ? "WRONG"
                                               : cell->says == NULL  ? "once"
                                                                     : "not",
                                               cell->ms);

      g_string_append_printf (line, " %-14s", text);
    }
    g_test_message ("%s", line->str);
  }
}

/* Cells side by side: one that waits must not keep the others. */
static void
test_matrix (gconstpointer kind)
{
  gsize n = G_N_ELEMENTS (operations) * G_N_ELEMENTS (faults), wrong = 0;
  g_autofree char *options = g_strdup_printf ("-kind %s -vms %d -snapshots 2",
                                              (const char *)kind, (int)n);
  g_autoptr (BedServer) sim = bed_sim_new (options);
  g_autoptr (BedServer) proxy = bed_proxy_new (sim);
  g_autoptr (GError) error = NULL;
  g_autoptr (Bed) bed = bed_connect (proxy, shorten, NULL, &error);
  g_autofree Cell *cells = g_new0 (Cell, n);
  GThread *threads[10];
  Work work = { cells, (gint)n, 0 };

  g_assert_no_error (error);
  bed_watch (bed);
  g_free (bed_ctl (sim, "set?create=100&remove=100&revert=100&power=100"));
  for (gsize i = 0; i < n; i++)
    cells[i] = (Cell){
      .fault = &faults[i / G_N_ELEMENTS (operations)],
      .operation = &operations[i % G_N_ELEMENTS (operations)],
      .sim = sim,
      .proxy = proxy,
      .bed = bed,
      .vm = g_strdup_printf ("vm%05d", (int)i),
    };
  for (gsize i = 0; i < G_N_ELEMENTS (threads); i++)
    threads[i] = g_thread_new ("cells", run_many, &work);
  for (gsize i = 0; i < G_N_ELEMENTS (threads); i++)
    g_thread_join (threads[i]);
  print_table (cells);
  for (gsize i = 0; i < n; i++) {
    if (cells[i].verdict != NULL)
      g_test_message ("%s, %s: %s (%s)", cells[i].operation->name,
                      cells[i].fault->name, cells[i].verdict,
                      cells[i].says == NULL ? "success" : cells[i].says);
    wrong += cells[i].verdict != NULL;
    g_free (cells[i].vm);
    g_free (cells[i].verdict);
    g_free (cells[i].says);
  }
  g_assert_cmpuint (wrong, ==, 0);
  bed_await_state (bed, VIXEXT_HOST_CONNECTED, 10000);
}

/* ---- while a task runs ---- */

static const struct {
  const char *name;
  const char *server; /* "sim" or "proxy" */
  const char *command;
  Expected expected;
} events[] = {
  { "nothing", "sim", "tasks", HAPPENS },
  { "session ends", "sim", "session/expire", HAPPENS },
  { "connections drop", "proxy", "drop", HAPPENS },
  { "connections reset", "proxy", "drop?reset=1", HAPPENS },
  { "no news: 503", "proxy",
    "rule?method=WaitForUpdatesEx&action=status&code=503", HAPPENS },
  { "no news: garbage", "proxy",
    "rule?method=WaitForUpdatesEx&action=garbage&what=bytes", HAPPENS },
  { "no news: bomb", "proxy",
    "rule?method=WaitForUpdatesEx&action=bomb&what=entities", HAPPENS },
  { "no news: answer stalls", "proxy",
    "rule?method=WaitForUpdatesEx&action=stall", HAPPENS },
  { "no news: not logged in", "proxy",
    "rule?method=WaitForUpdatesEx&action=fault&fault=NotAuthenticated",
    HAPPENS },
  { "host restarts, keeps tasks", "sim", "restart?down=300&tasks=keep",
    HAPPENS },
  { "host restarts, forgets tasks", "sim",
    "restart?down=300&starting=300&tasks=forget", EITHER },
  { "host restarts, fails tasks", "sim", "restart?down=300&tasks=fail",
    EITHER },
};

/* All operations side by side, each on a VM of its own. */
static gsize
run_event (const char *options, gsize event)
{
  g_autoptr (BedServer) sim = bed_sim_new (options);
  g_autoptr (BedServer) proxy = bed_proxy_new (sim);
  g_autoptr (GError) error = NULL;
  g_autoptr (Bed) bed = bed_connect (proxy, shorten, NULL, &error);
  Fault fault = { events[event].name, NULL, events[event].expected };
  Cell cells[G_N_ELEMENTS (operations)];
  GThread *threads[G_N_ELEMENTS (operations)];
  gsize wrong = 0;

  g_assert_no_error (error);
  bed_watch (bed);
  g_free (bed_ctl (sim, "set?create=800&remove=800&revert=800&power=800"));
  for (gsize i = 0; i < G_N_ELEMENTS (operations); i++) {
    cells[i] = (Cell){ .operation = &operations[i],
                       .fault = &fault,
                       .sim = sim,
                       .proxy = proxy,
                       .bed = bed,
                       .vm = g_strdup_printf ("vm%05d", (int)i) };
    threads[i] = g_thread_new ("cell", run_one, &cells[i]);
  }
  g_usleep (300000);
  g_free (bed_ctl (g_str_equal (events[event].server, "sim") ? sim : proxy,
                   "%s", events[event].command));
  for (gsize i = 0; i < G_N_ELEMENTS (operations); i++) {
    g_thread_join (threads[i]);
    g_test_message ("%-30s %-8s %s %d ms %s", events[event].name,
                    operations[i].name,
                    cells[i].verdict != NULL ? cells[i].verdict
                    : cells[i].says == NULL  ? "once"
                                             : "not",
                    cells[i].ms, cells[i].says == NULL ? "" : cells[i].says);
    wrong += cells[i].verdict != NULL;
    g_free (cells[i].vm);
    g_free (cells[i].verdict);
    g_free (cells[i].says);
  }
  return wrong;
}

static void
test_during_task (gconstpointer kind)
{
  g_autofree char *options
    = g_strdup_printf ("-kind %s -vms %d -snapshots 2", (const char *)kind,
                       (int)G_N_ELEMENTS (operations));
  gsize wrong = 0;

  for (gsize i = 0; i < G_N_ELEMENTS (events); i++)
    wrong += run_event (options, i);
  g_assert_cmpuint (wrong, ==, 0);
}

/* A task may take as long as it likes: longer than all that we wait for. */
static void
test_long_task (gconstpointer kind)
{
  g_autofree char *options
    = g_strdup_printf ("-kind %s -vms 1", (const char *)kind);
  g_autoptr (BedServer) sim = bed_sim_new (options);
  g_autoptr (GError) error = NULL;
  g_autoptr (Bed) bed = bed_connect (sim, shorten, NULL, &error);
  g_autofree char *id = NULL;

  g_assert_no_error (error);
  bed_watch (bed);
  id = bed_vm_id (bed, "vm00000");
  g_free (bed_ctl (sim, "set?create=%d", 3 * ANSWER_MS));
  g_assert_cmpint (bed_create (bed, id, "long", &error), ==, 1);
  g_assert_no_error (error);
  g_assert_cmpint (bed_count (sim, "CreateSnapshot_Task"), ==, 1);
  g_assert_cmpint (bed_count (sim, "Login"), ==, 1);
}

/* ---- a create that ended in the dark ---- */

/* It arrives after we gave up; the next try finds it. */
static void
test_next_try_looks (void)
{
  g_autoptr (BedServer) sim = bed_sim_new ("-kind vcenter -vms 1");
  g_autoptr (BedServer) proxy = bed_proxy_new (sim);
  g_autoptr (GError) error = NULL;
  g_autoptr (Bed) bed = bed_connect (proxy, shorten, NULL, &error);
  g_autofree char *id = NULL;

  g_assert_no_error (error);
  bed_watch (bed);
  id = bed_vm_id (bed, "vm00000");
  g_free (bed_ctl (proxy,
                   "rule?method=CreateSnapshot_Task&action=drop-late&ms=4000"));
  g_assert_cmpint (bed_create (bed, id, "late", &error), ==, 0);
  g_assert_error (error, VIX_ERROR, VIX_E_HOST_CONNECTION_LOST);
  g_assert_nonnull (strstr (error->message, "not known to have happened"));
  g_clear_error (&error);
  bed_await_snapshots (bed, "vm00000", "1:late(0)*");
  g_assert_cmpint (bed_create (bed, id, "late", &error), ==, 1);
  g_assert_no_error (error);
  g_assert_cmpint (bed_count (sim, "CreateSnapshot_Task"), ==, 1);
}

int
main (int argc, char **argv)
{
  static const char *const kinds[] = { "esx", "vcenter" };

  g_test_init (&argc, &argv, NULL);
  for (gsize i = 0; i < G_N_ELEMENTS (kinds); i++) {
    g_autofree char *matrix
      = g_strconcat ("/vsphere/faults/matrix-", kinds[i], NULL);
    g_autofree char *during
      = g_strconcat ("/vsphere/faults/during-a-task-", kinds[i], NULL);
    g_autofree char *takes_long
      = g_strconcat ("/vsphere/faults/long-task-", kinds[i], NULL);

    g_test_add_data_func (matrix, kinds[i], test_matrix);
    g_test_add_data_func (during, kinds[i], test_during_task);
    g_test_add_data_func (takes_long, kinds[i], test_long_task);
  }
  g_test_add_func ("/vsphere/faults/next-try-looks", test_next_try_looks);
  return g_test_run ();
}
