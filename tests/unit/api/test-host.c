/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "host-fixture.h"

static VixHandle
start_connect (VixServiceProvider type, const char *name, const char *user,
               VixHandle list)
{
  return VixHost_Connect (1, type, name, 0, user, user, 0, list, NULL, NULL);
}

static void
test_connect_takes_empty_as_null (void)
{
  VixHandle host = finish_with_handle (
    start_connect (VIX_SERVICEPROVIDER_DEFAULT, "", "", VIX_INVALID_HANDLE));
  FakeLog log = fake_get_log ();
  int type = 0;

  g_assert_null (log.params.host_name);
  g_assert_null (log.params.user_name);
  g_assert_null (log.params.password);
  g_assert_null (log.params.vendor_library);
  assert_vix (Vix_GetProperties (host, VIX_PROPERTY_HOST_HOSTTYPE, &type,
                                 VIX_PROPERTY_NONE),
              VIX_OK);
  g_assert_cmpint (type, ==, VIX_SERVICEPROVIDER_VMWARE_WORKSTATION);
  disconnect_and_check (host);
}

static void
test_connect_passes_names (void)
{
  VixExtConnectParams params = {
    .size = sizeof params,
    .hostType = VIX_SERVICEPROVIDER_VMWARE_WORKSTATION,
    .hostName = "/höst",
    .userName = "ann",
    .password = "secret",
    .options = VIXEXT_HOSTOPTION_READ_ONLY,
    .thumbprint = "AB:CD",
    .answerTimeout = 7,
  };
  VixHandle host = finish_with_handle (VixExt_Connect (&params, NULL, NULL));
  FakeLog log = fake_get_log ();

  g_assert_cmpstr (log.params.host_name, ==, "/höst");
  g_assert_cmpstr (log.params.user_name, ==, "ann");
  g_assert_cmpstr (log.params.password, ==, "secret");
  g_assert_true (log.params.read_only);
  g_assert_true (log.params.verify_ssl);
  g_assert_cmpint (log.params.answer_timeout_ms, ==, 7);
  assert_vix (finish (VixExt_Connect (NULL, NULL, NULL)), VIX_E_INVALID_ARG);
  disconnect_and_check (host);
}

/* What a program of the first version does not know of is the default. */
static void
test_connect_of_another_version (void)
{
  VixExtConnectParams params = {
    .size = G_STRUCT_OFFSET (VixExtConnectParams, caFile),
    .hostType = VIX_SERVICEPROVIDER_VMWARE_WORKSTATION,
    .hostName = "/host",
    .options = VIXEXT_HOSTOPTION_INSECURE,
    .thumbprint = (const char *)1,
    .answerTimeout = 7,
  };
  VixHandle host = finish_with_handle (VixExt_Connect (&params, NULL, NULL));
  FakeLog log = fake_get_log ();

  g_assert_false (log.params.verify_ssl);
  g_assert_cmpint (log.params.answer_timeout_ms, ==, 0);
  params.size--;
  assert_vix (finish (VixExt_Connect (&params, NULL, NULL)), VIX_E_INVALID_ARG);
  disconnect_and_check (host);
}

static void
test_connect_failures (void)
{
  assert_vix (finish (start_connect (VIX_SERVICEPROVIDER_DEFAULT, "refuse",
                                     NULL, VIX_INVALID_HANDLE)),
              VIX_E_CANNOT_CONNECT_TO_HOST);
  assert_vix (finish (start_connect (77, NULL, NULL, VIX_INVALID_HANDLE)),
              VIX_E_INVALID_ARG);
  assert_vix (finish (start_connect (3, NULL, NULL, 4711)), VIX_E_INVALID_ARG);
  assert_vix (finish (start_connect (3, "\xff", NULL, VIX_INVALID_HANDLE)),
              VIX_E_INVALID_UTF8_STRING);
  assert_no_objects ();
}

/* What is wrong for sure is told without a job; nothing connects. */
static void
test_check (void)
{
  VixExtConnectParams params = {
    .size = sizeof params,
    .hostType = VIX_SERVICEPROVIDER_VMWARE_WORKSTATION,
    .hostName = "impossible",
  };
  int before = fake_get_log ().connected;
  char *reason = NULL;

  assert_vix (VixExt_CheckConnect (&params, &reason),
              VIX_E_INVALID_HOSTNAME_SPECIFICATION);
  g_assert_cmpstr (reason, ==, "impossible: no host is called that");
  Vix_FreeBuffer (reason);
  params.hostName = "/host";
  assert_vix (VixExt_CheckConnect (&params, &reason), VIX_OK);
  g_assert_null (reason);
  /* A provider with nothing to say. */
  params.hostType = VIX_SERVICEPROVIDER_VMWARE_VI_SERVER;
  params.hostName = "impossible";
  assert_vix (VixExt_CheckConnect (&params, &reason), VIX_OK);
  params.hostType = 77;
  assert_vix (VixExt_CheckConnect (&params, &reason), VIX_E_INVALID_ARG);
  Vix_FreeBuffer (reason);
  params.hostName = "\xff";
  assert_vix (VixExt_CheckConnect (&params, &reason),
              VIX_E_INVALID_UTF8_STRING);
  Vix_FreeBuffer (reason);
  assert_vix (VixExt_CheckConnect (NULL, &reason), VIX_E_INVALID_ARG);
  Vix_FreeBuffer (reason);
  assert_vix (VixExt_CheckConnect (&params, NULL), VIX_E_INVALID_ARG);
  g_assert_cmpint (fake_get_log ().connected, ==, before);
  assert_no_objects ();
}

static void
test_each_connection_is_its_own (void)
{
  VixHandle a = connect_workstation (), b = connect_workstation ();

  g_assert_cmpint (a, !=, b);
  VixHost_Disconnect (a);
  g_assert_cmpint (Vix_GetHandleType (b), ==, VIX_HANDLETYPE_HOST);
  assert_vix (finish (VixVM_Open (a, "/vms/one/one.vmx", NULL, NULL)),
              VIX_E_INVALID_HANDLE);
  open_vm (b, "one");
  disconnect_and_check (b);
}

/* Nobody disconnects: the last handle ends it. */
static void
test_releasing_everything_disconnects (void)
{
  VixHandle host = connect_workstation ();
  VixHandle vm = open_vm (host, "one"), snapshot;

  Vix_ReleaseHandle (host);
  snapshot = create_snapshot (vm, "still there");
  Vix_ReleaseHandle (vm);
  g_assert_cmpint (fake_get_log ().disconnected, ==, 0);
  Vix_ReleaseHandle (snapshot);
  assert_no_objects ();
  for (int i = 0; i < 30000 && fake_get_log ().disconnected == 0; i++)
    g_usleep (1000);
  g_assert_cmpint (fake_get_log ().disconnected, ==, 1);
  fake_reset ();
}

/* ---- FindItems ---- */

typedef struct {
  GString *paths;
  int completed;
  VixHandle kept;
  gboolean release_job;
  VixError wait_inside;
} Found;

static void
on_found (VixHandle job, VixEventType event, VixHandle item, void *data)
{
  Found *found = data;
  char *path = NULL;

  if (event == VIX_EVENTTYPE_JOB_COMPLETED) {
    found->completed++;
    return;
  }
  g_assert_cmpint (event, ==, VIX_EVENTTYPE_FIND_ITEM);
  g_assert_cmpint (found->completed, ==, 0);
  found->wait_inside = VixJob_Wait (job, VIX_PROPERTY_NONE);
  assert_vix (Vix_GetProperties (item, VIX_PROPERTY_FOUND_ITEM_LOCATION, &path,
                                 VIX_PROPERTY_NONE),
              VIX_OK);
  g_string_append_printf (found->paths, "%s;", path);
  Vix_FreeBuffer (path);
  if (found->kept == VIX_INVALID_HANDLE) {
    Vix_AddRefHandle (item);
    found->kept = item;
  }
  if (found->release_job)
    Vix_ReleaseHandle (job);
}

static void
test_find_items_complete_before_wait_returns (void)
{
  VixHandle host = connect_workstation ();
  Found found = { .paths = g_string_new ("") };
  char *path = NULL;
  VixError err = finish (
    VixHost_FindItems (host, VIX_FIND_RUNNING_VMS, 0, -1, on_found, &found));

  assert_vix (err, VIX_OK);
  g_assert_cmpstr (found.paths->str, ==,
                   "/vms/two/two.vmx;/vms/quiet/quiet.vmx;"
                   "/vms/bare/bare.vmx;");
  g_assert_cmpint (found.completed, ==, 1);
  assert_vix (found.wait_inside, VIX_E_UNFINISHED_JOB);
  /* The item was lent; this one was kept. */
  assert_vix (Vix_GetProperties (found.kept, VIX_PROPERTY_FOUND_ITEM_LOCATION,
                                 &path, VIX_PROPERTY_NONE),
              VIX_OK);
  g_assert_cmpstr (path, ==, "/vms/two/two.vmx");
  Vix_FreeBuffer (path);
  g_string_truncate (found.paths, 0);
  found.completed = 0;
  err = finish (
    VixHost_FindItems (host, VIX_FIND_REGISTERED_VMS, 0, -1, on_found, &found));
  assert_vix (err, VIX_OK);
  g_assert_nonnull (strstr (found.paths->str, "/vms/one/one.vmx;"));
  g_string_free (found.paths, TRUE);
  disconnect_and_check (host);
}

/* As old programs do: once per item, then once more. */
static void
test_find_items_job_released_inside (void)
{
  VixHandle host = connect_workstation ();
  Found found = { .paths = g_string_new (""), .release_job = TRUE };
  VixHandle job = VixHost_FindItems (host, VIX_FIND_REGISTERED_VMS, 0, -1,
                                     on_found, &found);

  VixJob_Wait (job, VIX_PROPERTY_NONE);
  Vix_ReleaseHandle (job);
  VixHost_Disconnect (host);
  g_assert_cmpint (found.completed, ==, 1);
  g_string_free (found.paths, TRUE);
  disconnect_and_check (host);
}

static void
test_find_items_arguments (void)
{
  VixHandle host = connect_workstation ();

  assert_vix (finish (VixHost_FindItems (host, 4, 0, -1, NULL, NULL)), VIX_OK);
  assert_vix (finish (VixHost_FindItems (host, 3, 0, -1, NULL, NULL)),
              VIX_E_INVALID_ARG);
  assert_vix (finish (VixHost_FindItems (host, 1, host, -1, NULL, NULL)),
              VIX_E_INVALID_ARG);
  disconnect_and_check (host);
}

/* ---- open, register ---- */

static void
test_open_failures (void)
{
  VixHandle host = connect_workstation (), list, vm;

  assert_vix (finish (VixVM_Open (host, "/nowhere.vmx", NULL, NULL)),
              VIX_E_FILE_NOT_FOUND);
  assert_vix (finish (VixVM_Open (host, "", NULL, NULL)), VIX_E_INVALID_ARG);
  assert_vix (finish (VixVM_Open (host, "\xc0\x80", NULL, NULL)),
              VIX_E_INVALID_UTF8_STRING);
  assert_vix (
    finish (VixHost_OpenVM (host, "/vms/one/one.vmx", 1, 0, NULL, NULL)),
    VIX_E_INVALID_ARG);
  assert_vix (
    finish (VixHost_OpenVM (host, "/vms/one/one.vmx", 0, host, NULL, NULL)),
    VIX_E_NOT_SUPPORTED_ON_HANDLE_TYPE);
  assert_vix (finish (VixVM_Open (host, "/vms/locked/locked.vmx", NULL, NULL)),
              VIX_E_NEED_KEY);
  VixPropertyList_AllocPropertyList (host, &list,
                                     VIX_PROPERTY_VM_ENCRYPTION_PASSWORD,
                                     "open sesame", VIX_PROPERTY_NONE);
  vm = finish_with_handle (
    VixHost_OpenVM (host, "/vms/locked/locked.vmx", 0, list, NULL, NULL));
  g_assert_cmpint (Vix_GetHandleType (vm), ==, VIX_HANDLETYPE_VM);
  finish_with_handle (
    VixHost_OpenVM (host, "/vms/one/one.vmx", 0, list, NULL, NULL));
  disconnect_and_check (host);
}

static void
test_register_and_unregister (void)
{
  static const int types[]
    = { VIX_SERVICEPROVIDER_VMWARE_WORKSTATION,
        VIX_SERVICEPROVIDER_VMWARE_PLAYER, VIX_SERVICEPROVIDER_VMWARE_SERVER };

  for (gsize i = 0; i < G_N_ELEMENTS (types); i++) {
    VixHandle host = connect_host (types[i], 0);
    gboolean server = types[i] == VIX_SERVICEPROVIDER_VMWARE_SERVER;

    assert_vix (
      finish (VixHost_RegisterVM (host, "/vms/one/one.vmx", NULL, NULL)),
      VIX_OK);
    assert_vix (finish (VixHost_RegisterVM (host, "/no.vmx", NULL, NULL)),
                server ? VIX_E_NOT_FOUND : VIX_OK);
    assert_vix (finish (VixHost_UnregisterVM (host, "/no.vmx", NULL, NULL)),
                VIX_OK);
    assert_vix (finish (VixHost_RegisterVM (host, NULL, NULL, NULL)),
                VIX_E_INVALID_ARG);
    disconnect_and_check (host);
  }
}

/* ---- disconnecting ---- */

static void
on_slow (VixHandle job, VixEventType event, VixHandle more, void *data)
{
  if (event != VIX_EVENTTYPE_JOB_COMPLETED)
    return;
  g_usleep (100000);
  g_atomic_int_set ((int *)data, 1);
}

static void
test_disconnect_waits_for_callbacks (void)
{
  VixHandle host = connect_workstation ();
  VixHandle vm = open_vm (host, "one");
  int returned = 0;

  Vix_ReleaseHandle (
    VixVM_CreateSnapshot (vm, "s", NULL, 0, 0, on_slow, &returned));
  VixHost_Disconnect (host);
  g_assert_cmpint (g_atomic_int_get (&returned), ==, 1);
  disconnect_and_check (host);
}

typedef struct {
  VixHandle host;
  int completed; /* atomic */
  VixHandleType type_after;
} Quit;

static void
on_done_disconnect (VixHandle job, VixEventType event, VixHandle more,
                    void *data)
{
  Quit *quit = data;

  if (event != VIX_EVENTTYPE_JOB_COMPLETED)
    return;
  VixHost_Disconnect (quit->host);
  quit->type_after = Vix_GetHandleType (quit->host);
  Vix_ReleaseHandle (job);
  g_atomic_int_inc (&quit->completed);
}

static void
test_disconnect_inside_a_callback (void)
{
  Quit quit = { .host = connect_workstation (), .type_after = -1 };
  VixHandle vm = open_vm (quit.host, "one");
  VixHandle job
    = VixVM_CreateSnapshot (vm, "s", NULL, 0, 0, on_done_disconnect, &quit);

  VixJob_Wait (job, VIX_PROPERTY_NONE);
  while (g_atomic_int_get (&quit.completed) == 0)
    g_usleep (1000);
  g_assert_cmpint (quit.type_after, ==, VIX_HANDLETYPE_NONE);
  assert_vix (finish (VixVM_LogoutFromGuest (vm, NULL, NULL)),
              VIX_E_INVALID_HANDLE);
  disconnect_and_check (quit.host);
}

/* A wait for Tools that never come does not keep the host. */
static void
test_disconnect_ends_those_who_only_look (void)
{
  VixHandle host = connect_workstation ();
  VixHandle vm = open_vm (host, "quiet");
  Quit quit = { 0 };

  VixVM_WaitForToolsInGuest (vm, 0, NULL, NULL);
  on_done_disconnect (0, VIX_EVENTTYPE_JOB_PROGRESS, 0, &quit);
  disconnect_and_check (host);
}

/* ... but what was begun or waits in the VM's queue is done. */
static void
test_disconnect_lets_changes_finish (void)
{
  VixHandle host = connect_workstation ();
  VixHandle vm = open_vm (host, "one");

  for (int i = 0; i < 5; i++)
    Vix_ReleaseHandle (VixVM_CreateSnapshot (vm, "s", NULL, 0, 0, NULL, NULL));
  VixHost_Disconnect (host);
  g_assert_cmpint (fake_get_log ().changes, ==, 5);
  disconnect_and_check (host);
}

static gpointer
disconnect_thread (gpointer data)
{
  VixHost_Disconnect (GPOINTER_TO_INT (data));
  return NULL;
}

static void
test_disconnect_from_many_threads (void)
{
  for (int round = 0; round < 20; round++) {
    VixHandle host = connect_workstation ();
    VixHandle vm = open_vm (host, "one");
    GThread *threads[3];

    for (gsize i = 0; i < G_N_ELEMENTS (threads); i++)
      threads[i]
        = g_thread_new ("quit", disconnect_thread, GINT_TO_POINTER (host));
    for (int i = 0; i < 10; i++) {
      VixHandle job = VixVM_CreateSnapshot (vm, "s", NULL, 0, 0, NULL, NULL);

      g_assert_cmpint (job, !=, VIX_INVALID_HANDLE);
      VixJob_Wait (job, VIX_PROPERTY_NONE);
      Vix_ReleaseHandle (job);
    }
    for (gsize i = 0; i < G_N_ELEMENTS (threads); i++)
      g_thread_join (threads[i]);
    disconnect_and_check (host);
  }
}

/* ---- event pump ---- */

typedef struct {
  GThread *thread;
  int completed, other;
  VixHandle vm;
} Pumped;

static void
on_pumped (VixHandle job, VixEventType event, VixHandle more, void *data)
{
  Pumped *pumped = data;

  pumped->thread = g_thread_self ();
  if (event == VIX_EVENTTYPE_JOB_COMPLETED) {
    pumped->completed++;
    VixJob_Wait (job, VIX_PROPERTY_JOB_RESULT_HANDLE, &pumped->vm,
                 VIX_PROPERTY_NONE);
  } else {
    pumped->other++;
  }
}

static void
test_pump_runs_nothing_unpumped (void)
{
  VixHandle host = connect_host (VIX_SERVICEPROVIDER_VMWARE_WORKSTATION,
                                 VIX_HOSTOPTION_USE_EVENT_PUMP);
  Pumped pumped = { 0 };
  VixHandle job = VixVM_Open (host, "/vms/one/one.vmx", on_pumped, &pumped), vm;
  VixHandle failed = VixVM_Open (host, NULL, on_pumped, &pumped);
  Bool complete = 5;

  g_usleep (50000);
  assert_vix (VixJob_CheckCompletion (job, &complete), VIX_OK);
  g_assert_true (complete == FALSE);
  g_assert_cmpint (pumped.completed, ==, 0);
  Vix_PumpEvents (host, VIX_PUMPEVENTOPTION_NONE);
  g_assert_cmpint (pumped.completed, ==, 2);
  g_assert_true (pumped.thread == g_thread_self ());
  assert_vix (VixJob_GetError (job), VIX_OK);
  assert_vix (VixJob_GetError (failed), VIX_E_INVALID_ARG);
  vm = pumped.vm;
  VixVM_CreateSnapshot (vm, "s", NULL, 0, 0, on_pumped, &pumped);
  g_usleep (20000);
  g_assert_cmpint (fake_get_log ().changes, ==, 0);
  Vix_PumpEvents (host, VIX_PUMPEVENTOPTION_NONE);
  g_assert_cmpint (fake_get_log ().changes, ==, 1);
  g_assert_cmpint (pumped.completed, ==, 3);
  g_assert_cmpint (pumped.other, ==, 2);
  disconnect_and_check (host);
}

static gpointer
pump_thread (gpointer data)
{
  int *state = data; /* host; 0 ends it */
  VixHandle host;

  while ((host = g_atomic_int_get (state)) != 0) {
    Vix_PumpEvents (host, VIX_PUMPEVENTOPTION_NONE);
    g_usleep (1000);
  }
  return NULL;
}

static void
test_pump_while_another_thread_waits (void)
{
  VixHandle host = connect_host (VIX_SERVICEPROVIDER_VMWARE_WORKSTATION,
                                 VIX_HOSTOPTION_USE_EVENT_PUMP);
  int state = host;
  GThread *threads[2];
  VixHandle vm;

  for (int i = 0; i < 2; i++)
    threads[i] = g_thread_new ("pump", pump_thread, &state);
  vm = open_vm (host, "one");
  for (int i = 0; i < 50; i++)
    Vix_ReleaseHandle (create_snapshot (vm, "s"));
  g_assert_cmpint (fake_get_log ().most_at_once, ==, 1);
  g_atomic_int_set (&state, 0);
  for (int i = 0; i < 2; i++)
    g_thread_join (threads[i]);
  disconnect_and_check (host);
}

static void
test_pump_waiting_does_not_block (void)
{
  VixHandle host = connect_host (VIX_SERVICEPROVIDER_VMWARE_WORKSTATION,
                                 VIX_HOSTOPTION_USE_EVENT_PUMP);
  Pumped pumped = { 0 };
  VixHandle job,
    opened = VixVM_Open (host, "/vms/quiet/quiet.vmx", on_pumped, &pumped);

  Vix_PumpEvents (host, VIX_PUMPEVENTOPTION_NONE);
  job = VixVM_WaitForToolsInGuest (pumped.vm, 0, on_pumped, &pumped);
  for (int i = 0; i < 10; i++)
    Vix_PumpEvents (host, VIX_PUMPEVENTOPTION_NONE);
  assert_vix (VixJob_GetError (job), VIX_E_UNFINISHED_JOB);
  fake_set_power ("quiet", VIX_POWERSTATE_POWERED_ON, VIX_TOOLSSTATE_RUNNING);
  while (pumped.completed < 2) {
    Vix_PumpEvents (host, VIX_PUMPEVENTOPTION_NONE);
    g_usleep (1000);
  }
  assert_vix (VixJob_GetError (job), VIX_OK);
  Vix_ReleaseHandle (opened);
  disconnect_and_check (host);
}

static void
test_pump_disconnect_calls_back (void)
{
  VixHandle host = connect_host (VIX_SERVICEPROVIDER_VMWARE_WORKSTATION,
                                 VIX_HOSTOPTION_USE_EVENT_PUMP);
  Pumped pumped = { 0 };

  VixVM_Open (host, "/vms/one/one.vmx", on_pumped, &pumped);
  VixHost_Disconnect (host);
  g_assert_cmpint (pumped.completed, ==, 1);
  g_assert_cmpint (pumped.vm, ==, 0);
  disconnect_and_check (host);
}

/* A callback starts the next job and pumps until it is done. */
static void
on_pumped_pump (VixHandle job, VixEventType event, VixHandle more, void *data)
{
  VixHandle host = *(VixHandle *)data, next;
  Bool complete = FALSE;

  if (event != VIX_EVENTTYPE_JOB_COMPLETED)
    return;
  next = VixVM_Open (host, "/vms/one/one.vmx", NULL, NULL);
  while (!complete) {
    Vix_PumpEvents (host, VIX_PUMPEVENTOPTION_NONE);
    VixJob_CheckCompletion (next, &complete);
  }
  *(VixHandle *)data = finish_with_handle (next);
}

static void
test_pump_inside_a_callback (void)
{
  VixHandle host = connect_host (VIX_SERVICEPROVIDER_VMWARE_WORKSTATION,
                                 VIX_HOSTOPTION_USE_EVENT_PUMP);
  VixHandle data = host;

  VixVM_Open (host, "/vms/two/two.vmx", on_pumped_pump, &data);
  Vix_PumpEvents (host, VIX_PUMPEVENTOPTION_NONE);
  g_assert_cmpint (Vix_GetHandleType (data), ==, VIX_HANDLETYPE_VM);
  disconnect_and_check (host);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define ADD(path, func) g_test_add_func ("/host/" path, test_##func)
  ADD ("connect/takes-empty-as-null", connect_takes_empty_as_null);
  ADD ("connect/passes-names", connect_passes_names);
  ADD ("connect/of-another-version", connect_of_another_version);
  ADD ("connect/failures", connect_failures);
  ADD ("connect/check", check);
  ADD ("connect/each-is-its-own", each_connection_is_its_own);
  ADD ("find/complete-before-wait-returns",
       find_items_complete_before_wait_returns);
  ADD ("find/job-released-inside", find_items_job_released_inside);
  ADD ("find/arguments", find_items_arguments);
  ADD ("open/failures", open_failures);
  ADD ("register", register_and_unregister);
  ADD ("disconnect/waits-for-callbacks", disconnect_waits_for_callbacks);
  ADD ("disconnect/inside-a-callback", disconnect_inside_a_callback);
  ADD ("disconnect/ends-those-who-only-look",
       disconnect_ends_those_who_only_look);
  ADD ("disconnect/lets-changes-finish", disconnect_lets_changes_finish);
  ADD ("disconnect/from-many-threads", disconnect_from_many_threads);
  ADD ("pump/runs-nothing-unpumped", pump_runs_nothing_unpumped);
  ADD ("pump/while-another-thread-waits", pump_while_another_thread_waits);
  ADD ("pump/waiting-does-not-block", pump_waiting_does_not_block);
  ADD ("pump/inside-a-callback", pump_inside_a_callback);
  ADD ("pump/disconnect-calls-back", pump_disconnect_calls_back);
  ADD ("releasing-everything-disconnects", releasing_everything_disconnects);
  return g_test_run ();
}
