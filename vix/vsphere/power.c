/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "vsphere/host-private.h"
#include "vsphere/soap/fault.h"

/* How long a guest gets to shut down by itself. */
#define SHUTDOWN_US (10 * 60 * G_USEC_PER_SEC)
/* How often we look meanwhile, where nobody watches. */
#define LOOK_US (2 * G_USEC_PER_SEC)

typedef struct {
  const SoapMethod *method;     /* NULL: this kind of host cannot */
  const SoapMethod *from_guest; /* with VIX_VMPOWEROP_FROM_GUEST; or NULL */
  int expected;                 /* VIX_POWERSTATE_*; 0: as before */
  const char *task_names[4];
} PowerRow;

static const PowerRow rows[] = {
  [VIX_POWER_ON] = { &soap_method_PowerOnVM_Task,
                     NULL,
                     VIX_POWERSTATE_POWERED_ON,
                     { "powerOn", "powerOnVM" } },
  [VIX_POWER_OFF] = { &soap_method_PowerOffVM_Task,
                      &soap_method_ShutdownGuest,
                      VIX_POWERSTATE_POWERED_OFF,
                      { "powerOff", "powerOffVM" } },
  [VIX_POWER_RESET] = { &soap_method_ResetVM_Task,
                        &soap_method_RebootGuest,
                        0,
                        { "reset", "resetVM" } },
  [VIX_POWER_SUSPEND] = { &soap_method_SuspendVM_Task,
                          NULL,
                          VIX_POWERSTATE_SUSPENDED,
                          { "suspend", "suspendVM" } },
  [VIX_POWER_PAUSE] = { NULL, NULL, 0, { NULL } },
  [VIX_POWER_UNPAUSE] = { NULL, NULL, 0, { NULL } },
  [VIX_POWER_UPGRADE_HARDWARE] = { &soap_method_UpgradeVM_Task,
                                   NULL,
                                   0,
                                   { "upgradeVirtualHardware", "upgradeVM" } },
};

typedef struct {
  int expected;
  int before;
} Power;

static gboolean
has_state (const VsphereVm *vm, gpointer data)
{
  const Power *power = data;

  return power->expected == 0
         || vsphere_vm_get_record (vm)->powerState == power->expected;
}

static gboolean
judge_power (const VsphereVm *vm, const char *result, gpointer data)
{
  const Power *power = data;

  return power->expected != 0 && power->expected != power->before
         && has_state (vm, data);
}

static gboolean
is_known (VsphereHost *host, const char *id)
{
  gboolean known;

  vix_lock (&host->lock);
  known = vsphere_mirror_get_vm (host->mirror, id) != NULL;
  vix_unlock (&host->lock);
  return known;
}

/* The host only passed the wish on to the guest. */
static gboolean
await_guest (VsphereHost *host, const char *id, Power *power, const VixOp *op,
             GError **error)
{
  gint64 end = g_get_monotonic_time () + SHUTDOWN_US, now;

  do {
    if (!vix_check_cancelled (op->cancellable, error))
      return FALSE;
    now = g_get_monotonic_time ();
    if (vsphere_await_vm (host, id, has_state, power, now + LOOK_US))
      return TRUE;
    if ((!vsphere_watch_is_loaded (host->watch) || !is_known (host, id))
        && !vsphere_refresh_vm (host, id, op->cancellable, error))
      return FALSE;
  } while (now < end);
  g_set_error_literal (error, VIX_ERROR, VIX_E_NET_HTTP_OPERATION_TIMEDOUT,
                       "the guest was asked to shut down and did not within "
                       "10 minutes");
  return FALSE;
}

/* Hosts turn a suspended VM off and lose what was suspended; VIX does not. */
static gboolean
check_state (const VixExtVM *vm, VixPowerOp what, GError **error)
{
  if (what == VIX_POWER_OFF && vm->powerState == VIX_POWERSTATE_SUSPENDED) {
    g_set_error (error, VIX_ERROR, VIX_E_VM_NOT_RUNNING,
                 "%s is suspended: power it on first", vm->displayName);
    return FALSE;
  }
  return TRUE;
}

gboolean
vsphere_power (VsphereHost *host, const char *id, VixPowerOp what, int options,
               const VixOp *op, GError **error)
{
  const PowerRow *row = &rows[what];
  gboolean from_guest = (options & VIX_VMPOWEROP_FROM_GUEST) != 0;
  const SoapMethod *method = from_guest ? row->from_guest : row->method;
  g_autoptr (VixVmRecord) before = NULL;
  Power power = { row->expected, 0 };
  VsphereChangeCall call = { .method = method,
                             .object = { "VirtualMachine", id },
                             .task_names = from_guest ? NULL : row->task_names,
                             .judge = judge_power,
                             .data = &power };
  g_autoptr (GError) failure = NULL;

  if (method == NULL) {
    g_set_error_literal (error, VIX_ERROR, VIX_E_NOT_SUPPORTED,
                         "this kind of host cannot do that");
    return FALSE;
  }
  before = vsphere_lookup_vm (host, id, op->cancellable, error);
  if (before == NULL || !check_state (before, what, error))
    return FALSE;
  power.before = before->powerState;
  if (!vsphere_change_run (host, id, &call, op, NULL, &failure)) {
    /* The newest hardware already: nothing to do, says VIX. */
    if (soap_error_is_fault (failure, "AlreadyUpgraded"))
      return TRUE;
    g_propagate_error (error, g_steal_pointer (&failure));
    return FALSE;
  }
  if (from_guest && what == VIX_POWER_OFF)
    return await_guest (host, id, &power, op, error);
  vsphere_change_settle (host, id, has_state, &power);
  return TRUE;
}

static gboolean
is_there (const VsphereVm *vm, const char *result, gpointer data)
{
  return FALSE;
}

gboolean
vsphere_delete_vm (VsphereHost *host, const char *id, gboolean disk_files,
                   const VixOp *op, GError **error)
{
  static const char *const names[] = { "destroy", NULL };
  VsphereChangeCall call = { .method = &soap_method_Destroy_Task,
                             .object = { "VirtualMachine", id },
                             .task_names = names,
                             .judge = is_there };
  g_autoptr (GError) failure = NULL;

  if (!disk_files) {
    g_set_error_literal (error, VIX_ERROR, VIX_E_NOT_SUPPORTED,
                         "this kind of host deletes a virtual machine only "
                         "with its disks: use VIX_VMDELETE_DISK_FILES");
    return FALSE;
  }
  if (!vsphere_change_run (host, id, &call, op, NULL, &failure)
      /* Its answer was lost, and it is gone: what more could one want? */
      && !(call.looked_up
           && soap_error_is_fault (failure, "ManagedObjectNotFound"))) {
    g_propagate_error (error, g_steal_pointer (&failure));
    return FALSE;
  }
  vsphere_vm_gone (host, id);
  return TRUE;
}
