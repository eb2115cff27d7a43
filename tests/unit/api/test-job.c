/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "host-fixture.h"

/* What a callback saw. */
typedef struct {
  GMutex mutex;
  GCond changed;
  int completed, progress, found;
  VixHandle job, more;
  GThread *thread;
  VixError wait_inside;
  Bool done_inside;
  gboolean release, slow;
} Seen;

static void
on_event (VixHandle job, VixEventType event, VixHandle more, void *data)
{
  Seen *seen = data;

  if (seen->slow)
    g_usleep (50000);
  g_mutex_lock (&seen->mutex);
  seen->job = job;
  seen->more = more;
  seen->thread = g_thread_self ();
  if (event == VIX_EVENTTYPE_JOB_COMPLETED)
    seen->completed++;
  else if (event == VIX_EVENTTYPE_JOB_PROGRESS)
    seen->progress++;
  else if (event == VIX_EVENTTYPE_FIND_ITEM)
    seen->found++;
  else
    g_assert_not_reached ();
  g_mutex_unlock (&seen->mutex);
  if (event == VIX_EVENTTYPE_JOB_COMPLETED) {
    VixJob_CheckCompletion (job, &seen->done_inside);
    seen->wait_inside = VixJob_Wait (job, VIX_PROPERTY_NONE);
  }
  if (seen->release)
    Vix_ReleaseHandle (job);
  g_mutex_lock (&seen->mutex);
  g_cond_broadcast (&seen->changed);
  g_mutex_unlock (&seen->mutex);
}

static void
seen_wait_completed (Seen *seen)
{
  g_mutex_lock (&seen->mutex);
  while (seen->completed == 0)
    g_cond_wait (&seen->changed, &seen->mutex);
  g_mutex_unlock (&seen->mutex);
}

static void
test_callback_once_before_wait_returns (void)
{
  VixHandle host = connect_workstation ();
  VixHandle vm = open_vm (host, "one");

  for (int i = 0; i < 20; i++) {
    Seen seen = { .slow = i == 0 };
    VixHandle job = VixVM_CreateSnapshot (vm, "s", NULL, 0, VIX_INVALID_HANDLE,
                                          on_event, &seen);

    assert_vix (VixJob_Wait (job, VIX_PROPERTY_NONE), VIX_OK);
    g_assert_cmpint (seen.completed, ==, 1);
    g_assert_cmpint (seen.job, ==, job);
    g_assert_cmpint (seen.more, ==, VIX_INVALID_HANDLE);
    g_assert_true (seen.thread != g_thread_self ());
    g_assert_true (seen.done_inside == TRUE);
    assert_vix (seen.wait_inside, VIX_OK);
    g_assert_cmpint (seen.progress, >, 0);
    Vix_ReleaseHandle (job);
    g_assert_cmpint (Vix_GetHandleType (job), ==, VIX_HANDLETYPE_NONE);
  }
  disconnect_and_check (host);
}

static void
test_callback_of_a_failed_job (void)
{
  VixHandle host = connect_workstation ();
  Seen seen = { 0 };
  VixHandle job = VixVM_Open (host, "/nowhere.vmx", on_event, &seen);

  assert_vix (VixJob_Wait (job, VIX_PROPERTY_NONE), VIX_E_FILE_NOT_FOUND);
  assert_vix (seen.wait_inside, VIX_E_FILE_NOT_FOUND);
  g_assert_cmpint (seen.completed, ==, 1);
  Vix_ReleaseHandle (job);
  /* Bad arguments get their callback, too. */
  memset (&seen, 0, sizeof seen);
  assert_vix (finish (VixVM_Open (host, NULL, on_event, &seen)),
              VIX_E_INVALID_ARG);
  g_assert_cmpint (seen.completed, ==, 1);
  memset (&seen, 0, sizeof seen);
  assert_vix (finish (VixVM_Open (0, "x", on_event, &seen)),
              VIX_E_INVALID_HANDLE);
  g_assert_cmpint (seen.completed, ==, 1);
  disconnect_and_check (host);
}

static void
test_states_while_running (void)
{
  VixHandle host = connect_workstation (), result = -5;
  VixHandle vm = open_vm (host, "one"), job;
  struct {
    Bool complete;
    char guard;
  } c = { 7, 7 };

  fake_close_gate ();
  job = VixVM_CreateSnapshot (vm, "s", NULL, 0, VIX_INVALID_HANDLE, NULL, NULL);
  fake_wait_running (1);
  assert_vix (VixJob_CheckCompletion (job, &c.complete), VIX_OK);
  g_assert_true (c.complete == FALSE);
  g_assert_true (c.guard == 7);
  assert_vix (VixJob_GetError (job), VIX_E_UNFINISHED_JOB);
  assert_vix (Vix_GetProperties (job, VIX_PROPERTY_JOB_RESULT_HANDLE, &result,
                                 VIX_PROPERTY_NONE),
              VIX_E_UNFINISHED_JOB);
  g_assert_cmpint (result, ==, -5);
  assert_vix (Vix_GetProperties (job, VIX_PROPERTY_NONE), VIX_OK);
  g_assert_cmpint (
    VixJob_GetNumProperties (job, VIX_PROPERTY_JOB_RESULT_HANDLE), ==, 0);
  assert_vix (VixJob_GetNthProperties (job, 0, VIX_PROPERTY_JOB_RESULT_HANDLE,
                                       &result, VIX_PROPERTY_NONE),
              VIX_E_UNFINISHED_JOB);
  fake_open_gate ();
  assert_vix (VixJob_Wait (job, VIX_PROPERTY_NONE), VIX_OK);
  assert_vix (VixJob_CheckCompletion (job, &c.complete), VIX_OK);
  g_assert_true (c.complete == TRUE);
  g_assert_true (c.guard == 7);
  assert_vix (VixJob_CheckCompletion (job, NULL), VIX_E_INVALID_ARG);
  g_assert_cmpint (
    VixJob_GetNumProperties (job, VIX_PROPERTY_JOB_RESULT_HANDLE), ==, 1);
  assert_vix (VixJob_GetNthProperties (job, 0, VIX_PROPERTY_JOB_RESULT_HANDLE,
                                       &result, VIX_PROPERTY_NONE),
              VIX_OK);
  g_assert_cmpint (Vix_GetHandleType (result), ==, VIX_HANDLETYPE_SNAPSHOT);
  assert_vix (VixJob_GetNthProperties (job, 1, VIX_PROPERTY_JOB_RESULT_HANDLE,
                                       &result, VIX_PROPERTY_NONE),
              VIX_E_BAD_VM_INDEX);
  assert_vix (VixJob_GetNthProperties (job, -1, VIX_PROPERTY_NONE),
              VIX_E_BAD_VM_INDEX);
  disconnect_and_check (host);
}

static void
test_failure_writes_nothing_but_tells (void)
{
  VixHandle host = connect_workstation (), result = -5;
  VixHandle vm = open_vm (host, "one"), job;
  int64 code = 0;
  char *text = NULL;

  fake_fail_next (VIX_E_DISK_FULL);
  job = VixVM_CreateSnapshot (vm, "s", NULL, 0, VIX_INVALID_HANDLE, NULL, NULL);
  assert_vix (VixJob_Wait (job, VIX_PROPERTY_JOB_RESULT_HANDLE, &result,
                           VIX_PROPERTY_NONE),
              VIX_E_DISK_FULL);
  g_assert_cmpint (result, ==, -5);
  assert_vix (VixJob_GetError (job), VIX_E_DISK_FULL);
  assert_vix (Vix_GetProperties (job, VIX_PROPERTY_JOB_RESULT_ERROR_CODE, &code,
                                 VIX_PROPERTY_JOB_RESULT_EXTRA_ERROR_INFO,
                                 &text, VIX_PROPERTY_JOB_RESULT_HANDLE, &result,
                                 VIX_PROPERTY_NONE),
              VIX_E_UNRECOGNIZED_PROPERTY);
  assert_vix (code, VIX_E_DISK_FULL);
  g_assert_cmpstr (text, ==, "as asked for");
  g_assert_cmpint (result, ==, -5);
  Vix_FreeBuffer (text);
  Vix_ReleaseHandle (job);
  disconnect_and_check (host);
}

static gpointer
wait_for (gpointer data)
{
  return GINT_TO_POINTER (
    (int)VixJob_Wait (GPOINTER_TO_INT (data), VIX_PROPERTY_NONE));
}

static void
test_many_waiters (void)
{
  VixHandle host = connect_workstation ();
  VixHandle vm = open_vm (host, "one"), job;
  GThread *threads[8];

  fake_close_gate ();
  job = VixVM_CreateSnapshot (vm, "s", NULL, 0, VIX_INVALID_HANDLE, NULL, NULL);
  for (gsize i = 0; i < G_N_ELEMENTS (threads); i++)
    threads[i] = g_thread_new ("wait", wait_for, GINT_TO_POINTER (job));
  fake_open_gate ();
  for (gsize i = 0; i < G_N_ELEMENTS (threads); i++)
    g_assert_cmpint (GPOINTER_TO_INT (g_thread_join (threads[i])), ==, 0);
  assert_vix (finish (job), VIX_OK);
  disconnect_and_check (host);
}

/* The library works on a reference of its own. */
static void
test_released_while_running (void)
{
  VixHandle host = connect_workstation ();
  VixHandle vm = open_vm (host, "one"), job, current;
  Seen seen = { .release = TRUE };

  fake_close_gate ();
  job = VixVM_CreateSnapshot (vm, "s", NULL, 0, VIX_INVALID_HANDLE, on_event,
                              &seen);
  fake_wait_running (1);
  for (int i = 0; i < 10; i++)
    Vix_ReleaseHandle (job);
  Vix_ReleaseHandle (vm);
  fake_open_gate ();
  seen_wait_completed (&seen);
  vm = open_vm (host, "one");
  assert_vix (VixVM_GetCurrentSnapshot (vm, &current), VIX_OK);
  disconnect_and_check (host);
  g_assert_cmpint (seen.completed, ==, 1);
}

static void
test_changes_of_one_vm_never_overlap (void)
{
  VixHandle host = connect_workstation ();
  VixHandle vm = open_vm (host, "one"), other = open_vm (host, "two");
  VixHandle jobs[20], snapshot;
  int n;

  fake_close_gate ();
  for (gsize i = 0; i < G_N_ELEMENTS (jobs); i++) {
    g_autofree char *name = g_strdup_printf ("%02" G_GSIZE_FORMAT, i);

    jobs[i] = VixVM_CreateSnapshot (i == 19 ? other : vm, name, NULL, 0,
                                    VIX_INVALID_HANDLE, NULL, NULL);
  }
  /* One of each VM begins; the others wait without a thread. */
  fake_wait_running (2);
  fake_open_gate ();
  for (gsize i = 0; i < G_N_ELEMENTS (jobs); i++)
    assert_vix (finish (jobs[i]), VIX_OK);
  g_assert_cmpint (fake_get_log ().most_at_once, ==, 1);
  /* In the order they came. */
  assert_vix (VixVM_GetNumRootSnapshots (vm, &n), VIX_OK);
  g_assert_cmpint (n, ==, 1);
  assert_vix (VixVM_GetRootSnapshot (vm, 0, &snapshot), VIX_OK);
  for (int i = 0; i < 19; i++) {
    g_autofree char *name = g_strdup_printf ("%02d", i);
    char *got = snapshot_name (snapshot);

    g_assert_cmpstr (got, ==, name);
    Vix_FreeBuffer (got);
    VixSnapshot_GetChild (snapshot, 0, &snapshot);
  }
  disconnect_and_check (host);
}

static void
test_cancel_running_and_queued (void)
{
  VixHandle host = connect_workstation ();
  VixHandle vm = open_vm (host, "one"), running, queued, last, current;
  Seen seen = { 0 };

  fake_close_gate ();
  running = VixVM_CreateSnapshot (vm, "a", NULL, 0, 0, NULL, NULL);
  queued = VixVM_CreateSnapshot (vm, "b", NULL, 0, 0, on_event, &seen);
  last = VixVM_CreateSnapshot (vm, "c", NULL, 0, 0, NULL, NULL);
  fake_wait_running (1);
  /* At once, though the one before still runs. */
  assert_vix (VixExt_CancelJob (queued), VIX_OK);
  assert_vix (finish (queued), VIX_E_CANCELLED);
  g_assert_cmpint (seen.completed, ==, 1);
  g_assert_cmpint (fake_get_log ().changes, ==, 1);
  assert_vix (VixExt_CancelJob (running), VIX_OK);
  assert_vix (finish (running), VIX_E_CANCELLED);
  fake_open_gate ();
  assert_vix (VixJob_Wait (last, VIX_PROPERTY_NONE), VIX_OK);
  /* Too late is no error. */
  assert_vix (VixExt_CancelJob (last), VIX_OK);
  assert_vix (VixJob_GetError (last), VIX_OK);
  assert_vix (VixVM_GetCurrentSnapshot (vm, &current), VIX_OK);
  disconnect_and_check (host);
}

static void
test_progress (void)
{
  VixHandle host = connect_workstation ();
  VixHandle vm = open_vm (host, "one"), job;
  int percent = -7;

  fake_close_gate ();
  job = VixVM_CreateSnapshot (vm, "a", NULL, 0, 0, NULL, NULL);
  fake_wait_running (1);
  assert_vix (VixExt_GetJobProgress (job, &percent), VIX_OK);
  g_assert_cmpint (percent, ==, 10);
  assert_vix (VixExt_GetJobProgress (job, NULL), VIX_E_INVALID_ARG);
  fake_open_gate ();
  VixJob_Wait (job, VIX_PROPERTY_NONE);
  assert_vix (VixExt_GetJobProgress (job, &percent), VIX_OK);
  g_assert_cmpint (percent, ==, 90);
  Vix_ReleaseHandle (job);
  job = VixVM_LogoutFromGuest (vm, NULL, NULL);
  VixJob_Wait (job, VIX_PROPERTY_NONE);
  assert_vix (VixExt_GetJobProgress (job, &percent), VIX_OK);
  g_assert_cmpint (percent, ==, -1);
  disconnect_and_check (host);
}

/* A callback may start the next operation on the same VM and wait for it. */
static void
on_done_do_more (VixHandle job, VixEventType event, VixHandle more, void *data)
{
  VixHandle *vm = data;

  if (event == VIX_EVENTTYPE_JOB_COMPLETED)
    *vm = create_snapshot (*vm, "from the callback");
}

static void
test_waiting_for_another_job_in_a_callback (void)
{
  VixHandle host = connect_workstation ();
  VixHandle vm = open_vm (host, "one"), data = vm;

  assert_vix (
    finish (VixVM_CreateSnapshot (vm, "a", NULL, 0, 0, on_done_do_more, &data)),
    VIX_OK);
  g_assert_cmpint (Vix_GetHandleType (data), ==, VIX_HANDLETYPE_SNAPSHOT);
  disconnect_and_check (host);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/job/callback-once-before-wait-returns",
                   test_callback_once_before_wait_returns);
  g_test_add_func ("/job/callback-of-a-failed-job",
                   test_callback_of_a_failed_job);
  g_test_add_func ("/job/states-while-running", test_states_while_running);
  g_test_add_func ("/job/failure-writes-nothing-but-tells",
                   test_failure_writes_nothing_but_tells);
  g_test_add_func ("/job/many-waiters", test_many_waiters);
  g_test_add_func ("/job/released-while-running", test_released_while_running);
  g_test_add_func ("/job/changes-of-one-vm-never-overlap",
                   test_changes_of_one_vm_never_overlap);
  g_test_add_func ("/job/cancel-running-and-queued",
                   test_cancel_running_and_queued);
  g_test_add_func ("/job/progress", test_progress);
  g_test_add_func ("/job/waiting-for-another-job-in-a-callback",
                   test_waiting_for_another_job_in_a_callback);
  return g_test_run ();
}
