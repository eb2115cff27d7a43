/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Every function of the API meets every kind of bad handle.
 */
#include "host-fixture.h"

typedef VixHandle Async (VixHandle handle, VixEventProc *callback, void *data);

typedef struct {
  const char *name;
  Async *call;
  VixHandleType type; /* that it wants */
} AsyncRow;

/* X (function, type it wants, arguments between handle and callback) */
#define ASYNC(X)                                                               \
  X (VixHost_RegisterVM, HOST, "/a.vmx")                                       \
  X (VixHost_UnregisterVM, HOST, "/a.vmx")                                     \
  X (VixHost_FindItems, HOST, 1, 0, -1)                                        \
  X (VixHost_OpenVM, HOST, "/a.vmx", 0, 0)                                     \
  X (VixVM_Open, HOST, "/a.vmx")                                               \
  X (VixVM_PowerOn, VM, 0, 0)                                                  \
  X (VixVM_PowerOff, VM, 0)                                                    \
  X (VixVM_Reset, VM, 0)                                                       \
  X (VixVM_Suspend, VM, 0)                                                     \
  X (VixVM_Pause, VM, 0, 0)                                                    \
  X (VixVM_Unpause, VM, 0, 0)                                                  \
  X (VixVM_Delete, VM, 0)                                                      \
  X (VixVM_Clone, VM, 0, 0, "/b.vmx", 0, 0)                                    \
  X (VixVM_UpgradeVirtualHardware, VM, 0)                                      \
  X (VixVM_CreateSnapshot, VM, "s", "d", 0, 0)                                 \
  X (VixVM_RevertToSnapshot, VM, 0, 0, 0)                                      \
  X (VixVM_RemoveSnapshot, VM, 0, 0)                                           \
  X (VixVM_WaitForToolsInGuest, VM, 1)                                         \
  X (VixVM_LogoutFromGuest, VM)                                                \
  X (VixVM_ReadVariable, VM, 2, "x", 0)                                        \
  UNSUPPORTED (X)

#define UNSUPPORTED(X)                                                         \
  X (VixVM_LoginInGuest, VM, "u", "p", 0)                                      \
  X (VixVM_RunProgramInGuest, VM, "p", "a", 0, 0)                              \
  X (VixVM_RunScriptInGuest, VM, "i", "s", 0, 0)                               \
  X (VixVM_ListProcessesInGuest, VM, 0)                                        \
  X (VixVM_KillProcessInGuest, VM, 1, 0)                                       \
  X (VixVM_CopyFileFromHostToGuest, VM, "a", "b", 0, 0)                        \
  X (VixVM_CopyFileFromGuestToHost, VM, "a", "b", 0, 0)                        \
  X (VixVM_DeleteFileInGuest, VM, "a")                                         \
  X (VixVM_FileExistsInGuest, VM, "a")                                         \
  X (VixVM_RenameFileInGuest, VM, "a", "b", 0, 0)                              \
  X (VixVM_CreateTempFileInGuest, VM, 0, 0)                                    \
  X (VixVM_GetFileInfoInGuest, VM, "a")                                        \
  X (VixVM_ListDirectoryInGuest, VM, "a", 0)                                   \
  X (VixVM_CreateDirectoryInGuest, VM, "a", 0)                                 \
  X (VixVM_DeleteDirectoryInGuest, VM, "a", 0)                                 \
  X (VixVM_DirectoryExistsInGuest, VM, "a")                                    \
  X (VixVM_WriteVariable, VM, 2, "a", "b", 0)                                  \
  X (VixVM_CaptureScreenImage, VM, 1, 0)                                       \
  X (VixVM_InstallTools, VM, 0, "")                                            \
  X (VixVM_OpenUrlInGuest, VM, "u", 0, 0)                                      \
  X (VixVM_EnableSharedFolders, VM, TRUE, 0)                                   \
  X (VixVM_GetNumSharedFolders, VM)                                            \
  X (VixVM_GetSharedFolderState, VM, 0)                                        \
  X (VixVM_SetSharedFolderState, VM, "a", "b", 0)                              \
  X (VixVM_AddSharedFolder, VM, "a", "b", 0)                                   \
  X (VixVM_RemoveSharedFolder, VM, "a", 0)                                     \
  X (VixVM_BeginRecording, VM, "a", "b", 0, 0)                                 \
  X (VixVM_EndRecording, VM, 0, 0)                                             \
  X (VixVM_BeginReplay, VM, 0, 0, 0)                                           \
  X (VixVM_EndReplay, VM, 0, 0)

#define DEFINE(function, kind, ...)                                            \
  static VixHandle call_##function (VixHandle handle, VixEventProc *callback,  \
                                    void *data)                                \
  {                                                                            \
    return function (handle, ##__VA_ARGS__, callback, data);                   \
  }
#define ROW(function, kind, ...)                                               \
  { #function, call_##function, VIX_HANDLETYPE_##kind },

/* clang-format off */
ASYNC (DEFINE)

static const AsyncRow async_rows[] = { ASYNC (ROW) };
static const AsyncRow unsupported_rows[] = { UNSUPPORTED (ROW) };
/* clang-format on */

static void
count_completed (VixHandle job, VixEventType event, VixHandle more, void *data)
{
  if (event == VIX_EVENTTYPE_JOB_COMPLETED)
    g_atomic_int_inc ((int *)data);
}

static VixError
try (const AsyncRow *row, VixHandle handle)
{
  int completed = 0;
  VixError err, again;

  g_test_message ("%s (%d)", row->name, handle);
  err = finish (row->call (handle, count_completed, &completed));
  g_assert_cmpint (g_atomic_int_get (&completed), ==, 1);
  again = finish (row->call (handle, NULL, NULL));
  assert_vix (err, again);
  return err;
}

static void
test_asynchronous_functions (void)
{
  VixHandle host = connect_workstation (), vm = open_vm (host, "one");
  VixHandle stale = open_vm (host, "two");

  Vix_ReleaseHandle (stale);
  for (gsize i = 0; i < G_N_ELEMENTS (async_rows); i++) {
    const AsyncRow *row = &async_rows[i];
    VixHandle wrong = row->type == VIX_HANDLETYPE_VM ? host : vm;

    assert_vix (try (row, 0), VIX_E_INVALID_HANDLE);
    assert_vix (try (row, stale), VIX_E_INVALID_HANDLE);
    assert_vix (try (row, -17), VIX_E_INVALID_HANDLE);
    assert_vix (try (row, G_MAXINT), VIX_E_INVALID_HANDLE);
    assert_vix (try (row, wrong), VIX_E_NOT_SUPPORTED_ON_HANDLE_TYPE);
  }
  disconnect_and_check (host);
}

static void
test_groups_that_no_host_has (void)
{
  static const int types[]
    = { VIX_SERVICEPROVIDER_VMWARE_WORKSTATION,
        VIX_SERVICEPROVIDER_VMWARE_PLAYER, VIX_SERVICEPROVIDER_VMWARE_SERVER };

  for (gsize t = 0; t < G_N_ELEMENTS (types); t++) {
    VixHandle host = connect_host (types[t], 0), vm = open_vm (host, "one");

    for (gsize i = 0; i < G_N_ELEMENTS (unsupported_rows); i++)
      assert_vix (try (&unsupported_rows[i], vm), VIX_E_NOT_SUPPORTED);
    disconnect_and_check (host);
  }
}

/* The others: a code, and nothing written. */
static void
check_synchronous (VixHandle bad, VixError expected_vm,
                   VixError expected_snapshot, VixError expected_job)
{
  VixHandle out = 5;
  int n = -9;
  Bool complete = 7;

  assert_vix (VixVM_GetNumRootSnapshots (bad, &n), expected_vm);
  assert_vix (VixVM_GetRootSnapshot (bad, 0, &out), expected_vm);
  g_assert_cmpint (out, ==, VIX_INVALID_HANDLE);
  out = 5;
  assert_vix (VixVM_GetCurrentSnapshot (bad, &out), expected_vm);
  g_assert_cmpint (out, ==, VIX_INVALID_HANDLE);
  out = 5;
  assert_vix (VixVM_GetNamedSnapshot (bad, "x", &out), expected_vm);
  g_assert_cmpint (out, ==, VIX_INVALID_HANDLE);
  assert_vix (VixSnapshot_GetNumChildren (bad, &n), expected_snapshot);
  out = 5;
  assert_vix (VixSnapshot_GetChild (bad, 0, &out), expected_snapshot);
  g_assert_cmpint (out, ==, VIX_INVALID_HANDLE);
  out = 5;
  assert_vix (VixSnapshot_GetParent (bad, &out), expected_snapshot);
  g_assert_cmpint (out, ==, VIX_INVALID_HANDLE);
  assert_vix (VixJob_Wait (bad, VIX_PROPERTY_NONE), expected_job);
  assert_vix (VixJob_CheckCompletion (bad, &complete), expected_job);
  assert_vix (VixJob_GetError (bad), expected_job);
  assert_vix (VixJob_GetNthProperties (bad, 0, VIX_PROPERTY_NONE),
              expected_job);
  g_assert_cmpint (VixJob_GetNumProperties (bad, 3010), ==, 0);
  g_assert_cmpint (n, ==, -9);
  g_assert_true (complete == 7);
}

static void
check_dead (VixHandle bad)
{
  VixPropertyType type = 55;
  VixHandle list = 5;
  char *name = NULL;

  check_synchronous (bad, VIX_E_INVALID_HANDLE, VIX_E_INVALID_HANDLE,
                     VIX_E_INVALID_HANDLE);
  g_assert_cmpint (Vix_GetHandleType (bad), ==, VIX_HANDLETYPE_NONE);
  assert_vix (
    Vix_GetProperties (bad, VIX_PROPERTY_VM_NAME, &name, VIX_PROPERTY_NONE),
    VIX_E_INVALID_HANDLE);
  g_assert_null (name);
  assert_vix (Vix_GetPropertyType (bad, VIX_PROPERTY_VM_NAME, &type),
              VIX_E_INVALID_HANDLE);
  g_assert_cmpint (type, ==, 55);
  assert_vix (VixPropertyList_AllocPropertyList (bad, &list, VIX_PROPERTY_NONE),
              VIX_E_INVALID_HANDLE);
  g_assert_cmpint (list, ==, VIX_INVALID_HANDLE);
  Vix_AddRefHandle (bad);
  Vix_ReleaseHandle (bad);
  VixHost_Disconnect (bad);
  Vix_PumpEvents (bad, 0);
}

static void
test_synchronous_functions (void)
{
  VixHandle host = connect_workstation (), vm = open_vm (host, "one");
  VixHandle stale = open_vm (host, "two");

  Vix_ReleaseHandle (stale);
  check_dead (0);
  check_dead (stale);
  check_dead (-17);
  check_dead (G_MAXINT);
  check_synchronous (host, VIX_E_NOT_SUPPORTED_ON_HANDLE_TYPE,
                     VIX_E_NOT_SUPPORTED_ON_HANDLE_TYPE,
                     VIX_E_NOT_SUPPORTED_ON_HANDLE_TYPE);
  /* Not hosts: ignored. */
  VixHost_Disconnect (vm);
  Vix_PumpEvents (vm, 0);
  g_assert_cmpint (Vix_GetHandleType (vm), ==, VIX_HANDLETYPE_VM);
  disconnect_and_check (host);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/arguments/asynchronous-functions",
                   test_asynchronous_functions);
  g_test_add_func ("/arguments/groups-that-no-host-has",
                   test_groups_that_no_host_has);
  g_test_add_func ("/arguments/synchronous-functions",
                   test_synchronous_functions);
  return g_test_run ();
}
