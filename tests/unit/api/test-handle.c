/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host-fixture.h"

static void
test_bad_handles_are_ignored (void)
{
  static const VixHandle bad[] = { 0, 1, -1, 12345678, G_MAXINT, G_MININT };

  for (gsize i = 0; i < G_N_ELEMENTS (bad); i++) {
    Vix_ReleaseHandle (bad[i]);
    Vix_AddRefHandle (bad[i]);
    VixHost_Disconnect (bad[i]);
    Vix_PumpEvents (bad[i], VIX_PUMPEVENTOPTION_NONE);
    g_assert_cmpint (Vix_GetHandleType (bad[i]), ==, VIX_HANDLETYPE_NONE);
  }
}

static void
test_types (void)
{
  VixHandle host = connect_workstation ();
  VixHandle vm = open_vm (host, "one");
  VixHandle snapshot = create_snapshot (vm, "s");
  VixHandle job = VixVM_LogoutFromGuest (vm, NULL, NULL), list;

  assert_vix (VixPropertyList_AllocPropertyList (vm, &list, VIX_PROPERTY_NONE),
              VIX_OK);
  g_assert_cmpint (Vix_GetHandleType (host), ==, VIX_HANDLETYPE_HOST);
  g_assert_cmpint (Vix_GetHandleType (vm), ==, VIX_HANDLETYPE_VM);
  g_assert_cmpint (Vix_GetHandleType (snapshot), ==, VIX_HANDLETYPE_SNAPSHOT);
  g_assert_cmpint (Vix_GetHandleType (job), ==, VIX_HANDLETYPE_JOB);
  g_assert_cmpint (Vix_GetHandleType (list), ==, VIX_HANDLETYPE_PROPERTY_LIST);
  disconnect_and_check (host);
}

static void
test_one_object_one_value (void)
{
  VixHandle host = connect_workstation (), other = connect_workstation ();
  VixHandle vm = open_vm (host, "one"), again = open_vm (host, "one");
  VixHandle elsewhere = open_vm (other, "one");
  VixHandle snapshot = create_snapshot (vm, "s"), found;

  g_assert_cmpint (vm, ==, again);
  g_assert_cmpint (vm, !=, elsewhere);
  g_assert_cmpint (vm, !=, open_vm (host, "two"));
  assert_vix (VixVM_GetCurrentSnapshot (vm, &found), VIX_OK);
  g_assert_cmpint (found, ==, snapshot);
  assert_vix (VixVM_GetRootSnapshot (vm, 0, &found), VIX_OK);
  g_assert_cmpint (found, ==, snapshot);
  assert_vix (VixExt_GetSnapshot (vm, 1, &found), VIX_OK);
  g_assert_cmpint (found, ==, snapshot);
  VixHost_Disconnect (other);
  disconnect_and_check (host);
}

static void
test_counts_are_the_programs (void)
{
  VixHandle host = connect_workstation ();
  VixHandle vm = open_vm (host, "one");

  Vix_AddRefHandle (vm);
  open_vm (host, "one");
  for (int i = 0; i < 3; i++) {
    g_assert_cmpint (Vix_GetHandleType (vm), ==, VIX_HANDLETYPE_VM);
    Vix_ReleaseHandle (vm);
  }
  g_assert_cmpint (Vix_GetHandleType (vm), ==, VIX_HANDLETYPE_NONE);
  Vix_ReleaseHandle (vm);
  g_assert_cmpint (open_vm (host, "one"), !=, vm);
  disconnect_and_check (host);
}

static void
test_result_handle_counts_each_time (void)
{
  VixHandle host = connect_workstation (), first, second;
  VixHandle job = VixVM_Open (host, "/vms/one/one.vmx", NULL, NULL);

  assert_vix (VixJob_Wait (job, VIX_PROPERTY_JOB_RESULT_HANDLE, &first,
                           VIX_PROPERTY_NONE),
              VIX_OK);
  assert_vix (Vix_GetProperties (job, VIX_PROPERTY_JOB_RESULT_HANDLE, &second,
                                 VIX_PROPERTY_NONE),
              VIX_OK);
  g_assert_cmpint (first, ==, second);
  /* The job holds its result, whatever the program releases. */
  for (int i = 0; i < 5; i++)
    Vix_ReleaseHandle (first);
  g_assert_cmpint (Vix_GetHandleType (first), ==, VIX_HANDLETYPE_VM);
  assert_vix (Vix_GetProperties (job, VIX_PROPERTY_JOB_RESULT_HANDLE, &second,
                                 VIX_PROPERTY_NONE),
              VIX_OK);
  Vix_ReleaseHandle (job);
  g_assert_cmpint (Vix_GetHandleType (first), ==, VIX_HANDLETYPE_VM);
  Vix_ReleaseHandle (first);
  g_assert_cmpint (Vix_GetHandleType (first), ==, VIX_HANDLETYPE_NONE);
  disconnect_and_check (host);
}

static void
test_kept_by_another_keeps_its_value (void)
{
  VixHandle host = connect_workstation ();
  VixHandle vm = open_vm (host, "one");
  VixHandle snapshot = create_snapshot (vm, "s");

  Vix_ReleaseHandle (vm);
  g_assert_cmpint (open_vm (host, "one"), ==, vm);
  Vix_ReleaseHandle (vm);
  Vix_ReleaseHandle (snapshot);
  g_assert_cmpint (Vix_GetHandleType (snapshot), ==, VIX_HANDLETYPE_NONE);
  g_assert_cmpint (Vix_GetHandleType (vm), ==, VIX_HANDLETYPE_NONE);
  disconnect_and_check (host);
}

static void
test_all_dead_after_disconnect (void)
{
  VixHandle host = connect_workstation ();
  VixHandle vm = open_vm (host, "one");
  VixHandle snapshot = create_snapshot (vm, "s");
  VixHandle job = VixVM_LogoutFromGuest (vm, NULL, NULL), list;
  VixHandle all[] = { host, vm, snapshot, job, 0 };

  VixPropertyList_AllocPropertyList (host, &list, VIX_PROPERTY_NONE);
  all[4] = list;
  VixHost_Disconnect (host);
  for (gsize i = 0; i < G_N_ELEMENTS (all); i++) {
    g_assert_cmpint (Vix_GetHandleType (all[i]), ==, VIX_HANDLETYPE_NONE);
    Vix_ReleaseHandle (all[i]);
    assert_vix (Vix_GetProperties (all[i], VIX_PROPERTY_NONE),
                VIX_E_INVALID_HANDLE);
  }
  VixHost_Disconnect (host);
  assert_no_objects ();
}

static void
test_a_million_live_handles (void)
{
  enum { N = 1000000 };
  VixHandle host = connect_workstation ();
  VixHandle *lists = g_new (VixHandle, N);
  gint64 start = g_get_monotonic_time ();

  for (int i = 0; i < N; i++) {
    assert_vix (
      VixPropertyList_AllocPropertyList (host, &lists[i], VIX_PROPERTY_NONE),
      VIX_OK);
    if (i > 0)
      g_assert_cmpint (lists[i], >, lists[i - 1]);
  }
  g_assert_cmpint (VixExt_CountHandles (), >=, N);
  for (int i = 0; i < N; i += 2)
    Vix_ReleaseHandle (lists[i]);
  for (int i = 0; i < N; i++)
    g_assert_cmpint (Vix_GetHandleType (lists[i]), ==,
                     i % 2 == 0 ? VIX_HANDLETYPE_NONE
                                : VIX_HANDLETYPE_PROPERTY_LIST);
  g_test_message ("%d handles in %" G_GINT64_FORMAT " ms", N,
                  (g_get_monotonic_time () - start) / 1000);
  g_free (lists);
  disconnect_and_check (host);
}

/* One thread opens and releases what the others release too often. */
static gpointer
churn (gpointer data)
{
  VixHandle host = GPOINTER_TO_INT (data);

  for (int i = 0; i < 500; i++) {
    VixHandle vm = open_vm (host, i % 2 ? "one" : "two");
    char *name = NULL;

    /* Another thread may have released ours once too often. */
    if (Vix_GetProperties (vm, VIX_PROPERTY_VM_NAME, &name, VIX_PROPERTY_NONE)
        == VIX_OK)
      g_assert_cmpstr (name, ==, i % 2 ? "one" : "two");
    Vix_FreeBuffer (name);
    Vix_ReleaseHandle (vm);
    Vix_ReleaseHandle (vm);
    Vix_GetHandleType (vm);
  }
  return NULL;
}

static void
test_threads_that_over_release (void)
{
  VixHandle host = connect_workstation ();
  GThread *threads[4];

  for (gsize i = 0; i < G_N_ELEMENTS (threads); i++)
    threads[i] = g_thread_new ("churn", churn, GINT_TO_POINTER (host));
  for (gsize i = 0; i < G_N_ELEMENTS (threads); i++)
    g_thread_join (threads[i]);
  disconnect_and_check (host);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/handle/bad-ones-are-ignored",
                   test_bad_handles_are_ignored);
  g_test_add_func ("/handle/types", test_types);
  g_test_add_func ("/handle/one-object-one-value", test_one_object_one_value);
  g_test_add_func ("/handle/counts-are-the-programs",
                   test_counts_are_the_programs);
  g_test_add_func ("/handle/result-handle-counts-each-time",
                   test_result_handle_counts_each_time);
  g_test_add_func ("/handle/kept-by-another-keeps-its-value",
                   test_kept_by_another_keeps_its_value);
  g_test_add_func ("/handle/all-dead-after-disconnect",
                   test_all_dead_after_disconnect);
  g_test_add_func ("/handle/a-million-live", test_a_million_live_handles);
  g_test_add_func ("/handle/threads-that-over-release",
                   test_threads_that_over_release);
  return g_test_run ();
}
