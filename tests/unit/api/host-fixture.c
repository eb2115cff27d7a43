/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host-fixture.h"

VixError
finish (VixHandle job)
{
  VixError err;

  g_assert_cmpint (Vix_GetHandleType (job), ==, VIX_HANDLETYPE_JOB);
  err = VixJob_Wait (job, VIX_PROPERTY_NONE);
  Vix_ReleaseHandle (job);
  return err;
}

VixHandle
finish_with_handle (VixHandle job)
{
  VixHandle result = VIX_INVALID_HANDLE;

  g_assert_cmpint (Vix_GetHandleType (job), ==, VIX_HANDLETYPE_JOB);
  assert_vix (VixJob_Wait (job, VIX_PROPERTY_JOB_RESULT_HANDLE, &result,
                           VIX_PROPERTY_NONE),
              VIX_OK);
  Vix_ReleaseHandle (job);
  g_assert_cmpint (result, !=, VIX_INVALID_HANDLE);
  return result;
}

VixHandle
connect_host (VixServiceProvider type, VixHostOptions options)
{
  return finish_with_handle (VixHost_Connect (VIX_API_VERSION, type, NULL, 0,
                                              NULL, NULL, options,
                                              VIX_INVALID_HANDLE, NULL, NULL));
}

VixHandle
connect_workstation (void)
{
  return connect_host (VIX_SERVICEPROVIDER_VMWARE_WORKSTATION, 0);
}

VixHandle
open_vm (VixHandle host, const char *name)
{
  g_autofree char *path = g_strdup_printf ("/vms/%s/%s.vmx", name, name);

  return finish_with_handle (VixVM_Open (host, path, NULL, NULL));
}

VixHandle
create_snapshot (VixHandle vm, const char *name)
{
  return finish_with_handle (
    VixVM_CreateSnapshot (vm, name, NULL, 0, VIX_INVALID_HANDLE, NULL, NULL));
}

char *
snapshot_name (VixHandle snapshot)
{
  char *name = NULL;

  assert_vix (Vix_GetProperties (snapshot, VIX_PROPERTY_SNAPSHOT_DISPLAYNAME,
                                 &name, VIX_PROPERTY_NONE),
              VIX_OK);
  return name;
}

int
power_state (VixHandle vm)
{
  int state = 0;

  assert_vix (Vix_GetProperties (vm, VIX_PROPERTY_VM_POWER_STATE, &state,
                                 VIX_PROPERTY_NONE),
              VIX_OK);
  return state;
}

void
assert_no_objects (void)
{
  for (int i = 0; i < 6000 && VixExt_CountHandles () > 0; i++)
    g_usleep (5000);
  g_assert_cmpint (VixExt_CountHandles (), ==, 0);
}

void
disconnect_and_check (VixHandle host)
{
  FakeLog log;

  VixHost_Disconnect (host);
  g_assert_cmpint (Vix_GetHandleType (host), ==, VIX_HANDLETYPE_NONE);
  assert_no_objects ();
  log = fake_get_log ();
  g_assert_cmpint (log.connected, ==, log.disconnected);
  g_assert_cmpint (log.running, ==, 0);
  fake_reset ();
}
