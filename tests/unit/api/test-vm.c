/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host-fixture.h"

static void
test_power_operations (void)
{
  VixHandle host = connect_workstation ();
  VixHandle vm = open_vm (host, "one");

  assert_vix (
    finish (VixVM_PowerOn (vm, VIX_VMPOWEROP_LAUNCH_GUI, 0, NULL, NULL)),
    VIX_OK);
  g_assert_cmpint (power_state (vm), ==, VIX_POWERSTATE_POWERED_ON);
  assert_vix (finish (VixVM_Pause (vm, 0, 0, NULL, NULL)), VIX_OK);
  g_assert_cmpint (power_state (vm), ==,
                   VIX_POWERSTATE_POWERED_ON | VIX_POWERSTATE_PAUSED);
  assert_vix (finish (VixVM_Unpause (vm, 0, 0, NULL, NULL)), VIX_OK);
  assert_vix (finish (VixVM_Reset (vm, VIX_VMPOWEROP_FROM_GUEST, NULL, NULL)),
              VIX_OK);
  assert_vix (finish (VixVM_Suspend (vm, 0, NULL, NULL)), VIX_OK);
  g_assert_cmpint (power_state (vm), ==, VIX_POWERSTATE_SUSPENDED);
  assert_vix (finish (VixVM_PowerOff (vm, 0, NULL, NULL)), VIX_OK);
  assert_vix (finish (VixVM_UpgradeVirtualHardware (vm, 0, NULL, NULL)),
              VIX_OK);
  disconnect_and_check (host);
}

static void
test_power_arguments (void)
{
  VixHandle host = connect_workstation ();
  VixHandle vm = open_vm (host, "one");

  assert_vix (
    finish (VixVM_PowerOn (vm, VIX_VMPOWEROP_FROM_GUEST, 0, NULL, NULL)),
    VIX_E_INVALID_ARG);
  assert_vix (finish (VixVM_PowerOn (vm, 0, host, NULL, NULL)),
              VIX_E_INVALID_ARG);
  assert_vix (
    finish (VixVM_PowerOff (vm, VIX_VMPOWEROP_LAUNCH_GUI, NULL, NULL)),
    VIX_E_INVALID_ARG);
  assert_vix (finish (VixVM_Suspend (vm, 4, NULL, NULL)), VIX_E_INVALID_ARG);
  assert_vix (finish (VixVM_Pause (vm, 1, 0, NULL, NULL)), VIX_E_INVALID_ARG);
  assert_vix (finish (VixVM_Unpause (vm, 0, host, NULL, NULL)),
              VIX_E_INVALID_ARG);
  assert_vix (finish (VixVM_UpgradeVirtualHardware (vm, 3, NULL, NULL)),
              VIX_E_INVALID_ARG);
  g_assert_cmpint (fake_get_log ().changes, ==, 0);
  disconnect_and_check (host);
}

static void
test_delete (void)
{
  VixHandle host = connect_workstation ();
  VixHandle vm = open_vm (host, "one"), out;
  char *name = NULL;

  assert_vix (finish (VixVM_Delete (vm, 1, NULL, NULL)), VIX_E_INVALID_ARG);
  assert_vix (finish (VixVM_Delete (vm, VIX_VMDELETE_DISK_FILES, NULL, NULL)),
              VIX_OK);
  g_assert_cmpint (Vix_GetHandleType (vm), ==, VIX_HANDLETYPE_VM);
  assert_vix (
    Vix_GetProperties (vm, VIX_PROPERTY_VM_NAME, &name, VIX_PROPERTY_NONE),
    VIX_E_VM_NOT_FOUND);
  assert_vix (VixVM_GetCurrentSnapshot (vm, &out), VIX_E_VM_NOT_FOUND);
  assert_vix (finish (VixVM_PowerOn (vm, 0, 0, NULL, NULL)),
              VIX_E_VM_NOT_FOUND);
  assert_vix (finish (VixVM_CreateSnapshot (vm, "s", "", 0, 0, NULL, NULL)),
              VIX_E_VM_NOT_FOUND);
  disconnect_and_check (host);
}

static void
test_clone (void)
{
  VixHandle host = connect_workstation ();
  VixHandle vm = open_vm (host, "one"), clone, again;
  VixHandle s = create_snapshot (vm, "s");

  clone = finish_with_handle (VixVM_Clone (vm, s, VIX_CLONETYPE_LINKED,
                                           "/vms/c/c.vmx", 0, 0, NULL, NULL));
  g_assert_cmpint (Vix_GetHandleType (clone), ==, VIX_HANDLETYPE_VM);
  again = finish_with_handle (VixVM_Open (host, "/vms/c/c.vmx", NULL, NULL));
  g_assert_cmpint (again, ==, clone);
  finish_with_handle (
    VixVM_Clone (vm, 0, VIX_CLONETYPE_FULL, "/vms/d/d.vmx", 0, 0, NULL, NULL));
  assert_vix (finish (VixVM_Clone (vm, vm, 0, "/x.vmx", 0, 0, NULL, NULL)),
              VIX_E_NOT_SUPPORTED_ON_HANDLE_TYPE);
  assert_vix (finish (VixVM_Clone (vm, 0, 2, "/x.vmx", 0, 0, NULL, NULL)),
              VIX_E_INVALID_ARG);
  assert_vix (finish (VixVM_Clone (vm, 0, 0, NULL, 0, 0, NULL, NULL)),
              VIX_E_INVALID_ARG);
  assert_vix (finish (VixVM_Clone (vm, 0, 0, "/x.vmx", 1, 0, NULL, NULL)),
              VIX_E_INVALID_ARG);
  assert_vix (finish (VixVM_Clone (vm, 0, 0, "/x.vmx", 0, 5, NULL, NULL)),
              VIX_E_INVALID_ARG);
  disconnect_and_check (host);
}

static void
test_products_that_cannot (void)
{
  static const struct {
    int type;
    VixError clone, pause, upgrade;
  } cases[] = {
    { VIX_SERVICEPROVIDER_VMWARE_PLAYER, VIX_E_NOT_SUPPORTED,
      VIX_E_NOT_SUPPORTED, VIX_E_NOT_SUPPORTED },
    { VIX_SERVICEPROVIDER_VMWARE_SERVER, VIX_E_NOT_SUPPORTED,
      VIX_E_NOT_SUPPORTED, VIX_OK },
    { VIX_SERVICEPROVIDER_VMWARE_WORKSTATION, VIX_OK, VIX_OK, VIX_OK },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++) {
    VixHandle host = connect_host (cases[i].type, 0);
    VixHandle vm = open_vm (host, "one");

    assert_vix (finish (VixVM_Clone (vm, 0, 0, "/c.vmx", 0, 0, NULL, NULL)),
                cases[i].clone);
    assert_vix (finish (VixVM_Pause (vm, 0, 0, NULL, NULL)), cases[i].pause);
    assert_vix (finish (VixVM_Unpause (vm, 0, 0, NULL, NULL)), cases[i].pause);
    assert_vix (finish (VixVM_UpgradeVirtualHardware (vm, 0, NULL, NULL)),
                cases[i].upgrade);
    disconnect_and_check (host);
  }
}

static void
on_nothing (VixHandle host, int event, const VixExtVM *vm, void *data)
{
  g_assert_not_reached ();
}

/* A provider without a function: not supported, not a crash. */
static void
test_provider_that_can_nothing (void)
{
  VixHandle host = connect_host (VIX_SERVICEPROVIDER_VMWARE_VI_SERVER, 0);
  VixHandle vm = open_vm (host, "one"), reader_vm;
  VixExtFile *files;
  VixExtReader *reader;
  char *text, *message = NULL;
  size_t n;

  assert_vix (finish (VixHost_FindItems (host, 4, 0, -1, NULL, NULL)),
              VIX_E_NOT_SUPPORTED);
  assert_vix (finish (VixVM_PowerOn (vm, 0, 0, NULL, NULL)),
              VIX_E_NOT_SUPPORTED);
  assert_vix (finish (VixVM_Delete (vm, 0, NULL, NULL)), VIX_E_NOT_SUPPORTED);
  assert_vix (finish (VixVM_CreateSnapshot (vm, "s", "", 0, 0, NULL, NULL)),
              VIX_E_NOT_SUPPORTED);
  assert_vix (finish (VixVM_ReadVariable (vm, 2, "x", 0, NULL, NULL)),
              VIX_E_NOT_SUPPORTED);
  assert_vix (VixExt_Watch (host, on_nothing, NULL), VIX_E_NOT_SUPPORTED);
  assert_vix (VixExt_GetVM (host, "/vms/one/one.vmx", &reader_vm), VIX_OK);
  assert_vix (VixExt_ListFiles (host, "x", 0, &files, &n, &message),
              VIX_E_NOT_SUPPORTED);
  g_assert_nonnull (message);
  Vix_FreeBuffer (message);
  assert_vix (VixExt_GetConfig (host, "x", 0, &text, &n, NULL),
              VIX_E_NOT_SUPPORTED);
  assert_vix (VixExt_OpenFile (host, "x", 0, "y", &reader, NULL),
              VIX_E_NOT_SUPPORTED);
  disconnect_and_check (host);
}

/* ---- guest ---- */

static void
test_wait_for_tools (void)
{
  VixHandle host = connect_workstation ();
  VixHandle quiet = open_vm (host, "quiet"), job;
  gint64 start;

  assert_vix (
    finish (VixVM_WaitForToolsInGuest (open_vm (host, "one"), 0, NULL, NULL)),
    VIX_E_VM_NOT_RUNNING);
  assert_vix (
    finish (VixVM_WaitForToolsInGuest (open_vm (host, "three"), 0, NULL, NULL)),
    VIX_E_VM_NOT_RUNNING);
  assert_vix (
    finish (VixVM_WaitForToolsInGuest (open_vm (host, "two"), 0, NULL, NULL)),
    VIX_OK);
  assert_vix (
    finish (VixVM_WaitForToolsInGuest (open_vm (host, "bare"), 0, NULL, NULL)),
    VIX_E_TOOLS_NOT_RUNNING);
  start = g_get_monotonic_time ();
  assert_vix (finish (VixVM_WaitForToolsInGuest (quiet, 1, NULL, NULL)),
              VIX_E_TIMEOUT_WAITING_FOR_TOOLS);
  g_assert_cmpint (g_get_monotonic_time () - start, >=, 900000);
  job = VixVM_WaitForToolsInGuest (quiet, 0, NULL, NULL);
  fake_set_power ("quiet", VIX_POWERSTATE_POWERED_ON, VIX_TOOLSSTATE_RUNNING);
  assert_vix (finish (job), VIX_OK);
  fake_set_power ("quiet", VIX_POWERSTATE_POWERED_ON, VIX_TOOLSSTATE_UNKNOWN);
  job = VixVM_WaitForToolsInGuest (quiet, -1, NULL, NULL);
  g_usleep (10000);
  assert_vix (VixExt_CancelJob (job), VIX_OK);
  assert_vix (finish (job), VIX_E_CANCELLED);
  disconnect_and_check (host);
}

static char *
read_variable (VixHandle vm, const char *name)
{
  char *value = NULL;
  VixHandle job
    = VixVM_ReadVariable (vm, VIX_VM_CONFIG_RUNTIME_ONLY, name, 0, NULL, NULL);

  assert_vix (VixJob_Wait (job, VIX_PROPERTY_JOB_RESULT_VM_VARIABLE_STRING,
                           &value, VIX_PROPERTY_NONE),
              VIX_OK);
  Vix_ReleaseHandle (job);
  return value;
}

static void
test_read_variable (void)
{
  VixHandle host = connect_workstation ();
  VixHandle vm = open_vm (host, "one");
  char *a = read_variable (vm, "displayname");
  char *b = read_variable (vm, "MEMSIZE"), *c = read_variable (vm, "none");

  g_assert_cmpstr (a, ==, "one");
  g_assert_cmpstr (b, ==, "512");
  g_assert_cmpstr (c, ==, "");
  Vix_FreeBuffer (a);
  Vix_FreeBuffer (b);
  Vix_FreeBuffer (c);
  assert_vix (finish (VixVM_ReadVariable (vm, 1, "ip", 0, NULL, NULL)),
              VIX_E_NOT_SUPPORTED);
  assert_vix (finish (VixVM_ReadVariable (vm, 3, "PATH", 0, NULL, NULL)),
              VIX_E_NOT_SUPPORTED);
  assert_vix (finish (VixVM_ReadVariable (vm, 4, "x", 0, NULL, NULL)),
              VIX_E_INVALID_ARG);
  assert_vix (finish (VixVM_ReadVariable (vm, 2, NULL, 0, NULL, NULL)),
              VIX_E_INVALID_ARG);
  disconnect_and_check (host);
}

static void
test_logout (void)
{
  VixHandle host = connect_workstation ();

  assert_vix (
    finish (VixVM_LogoutFromGuest (open_vm (host, "one"), NULL, NULL)), VIX_OK);
  disconnect_and_check (host);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define ADD(path, func) g_test_add_func ("/vm/" path, test_##func)
  ADD ("power/operations", power_operations);
  ADD ("power/arguments", power_arguments);
  ADD ("delete", delete);
  ADD ("clone", clone);
  ADD ("products-that-cannot", products_that_cannot);
  ADD ("provider-that-can-nothing", provider_that_can_nothing);
  ADD ("guest/wait-for-tools", wait_for_tools);
  ADD ("guest/read-variable", read_variable);
  ADD ("guest/logout", logout);
  return g_test_run ();
}
