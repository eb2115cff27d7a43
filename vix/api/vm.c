/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "api/call-private.h"
#include "base/error.h"

/* ---- the object ---- */

static void
vm_free (VixObject *object)
{
  VixVM *self = (VixVM *)object;

  vix_job_queue_unref (self->queue);
  g_free (self);
}

static const VixObjectClass vm_class = { VIX_HANDLETYPE_VM, vm_free };

VixVM *
vix_vm_new (VixHost *host, const char *id)
{
  VixVM *self = g_new0 (VixVM, 1);

  self->queue = vix_job_queue_new ();
  vix_object_init (&self->object, &vm_class, host);
  return vix_object_publish (self, id);
}

/* ---- power ---- */

/* Call.number is the VixPowerOp. */
static gboolean
power_run (VixJob *job, gpointer data, VixPropertySet *results, const VixOp *op,
           GError **error)
{
  VixCall *call = data;
  VixHost *host = call->host;

  return host->ops->power (host->provider, vix_vm_get_id (call->vm),
                           (VixPowerOp)call->number, call->options, op, error);
}

static const struct {
  const char *what;
  int allowed; /* options */
  int feature; /* VixFeature, or -1: all products */
} power_ops[] = {
  [VIX_POWER_ON]
  = { "powering on", VIX_VMPOWEROP_LAUNCH_GUI | VIX_VMPOWEROP_START_VM_PAUSED,
      -1 },
  [VIX_POWER_OFF] = { "powering off", VIX_VMPOWEROP_FROM_GUEST, -1 },
  [VIX_POWER_RESET] = { "resetting", VIX_VMPOWEROP_FROM_GUEST, -1 },
  [VIX_POWER_SUSPEND] = { "suspending", 0, -1 },
  [VIX_POWER_PAUSE] = { "pausing", 0, VIX_FEATURE_PAUSE },
  [VIX_POWER_UNPAUSE] = { "unpausing", 0, VIX_FEATURE_PAUSE },
  [VIX_POWER_UPGRADE_HARDWARE]
  = { "upgrading the hardware", 0, VIX_FEATURE_UPGRADE },
};

static VixHandle
start_power (VixHandle vm, VixPowerOp what, int options, VixHandle list,
             VixEventProc *callback, gpointer client_data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (VixCall) call = vix_call_on_vm (vm, &error);
  int feature = power_ops[what].feature;

  if (call == NULL
      || (feature >= 0
          && !vix_call_check_feature (call, (VixFeature)feature, &error))
      || !vix_check_options (options, power_ops[what].allowed, &error)
      || !vix_check_no_list (list, &error)
      || !vix_call_check_function (call->host->ops->power, power_ops[what].what,
                                   &error)
      || !vix_call_check_writable (call, &error))
    return vix_call_fail (call, &error, callback, client_data);
  call->number = what;
  call->options = options;
  return vix_call_start (g_steal_pointer (&call), VIX_CALL_CHANGES, power_run,
                         callback, client_data);
}

VixHandle
VixVM_PowerOn (VixHandle vmHandle, VixVMPowerOpOptions powerOnOptions,
               VixHandle propertyListHandle, VixEventProc *callbackProc,
               void *clientData)
{
  return start_power (vmHandle, VIX_POWER_ON, powerOnOptions,
                      propertyListHandle, callbackProc, clientData);
}

VixHandle
VixVM_PowerOff (VixHandle vmHandle, VixVMPowerOpOptions powerOffOptions,
                VixEventProc *callbackProc, void *clientData)
{
  return start_power (vmHandle, VIX_POWER_OFF, powerOffOptions,
                      VIX_INVALID_HANDLE, callbackProc, clientData);
}

VixHandle
VixVM_Reset (VixHandle vmHandle, VixVMPowerOpOptions resetOptions,
             VixEventProc *callbackProc, void *clientData)
{
  return start_power (vmHandle, VIX_POWER_RESET, resetOptions,
                      VIX_INVALID_HANDLE, callbackProc, clientData);
}

VixHandle
VixVM_Suspend (VixHandle vmHandle, VixVMPowerOpOptions suspendOptions,
               VixEventProc *callbackProc, void *clientData)
{
  return start_power (vmHandle, VIX_POWER_SUSPEND, suspendOptions,
                      VIX_INVALID_HANDLE, callbackProc, clientData);
}

VixHandle
VixVM_Pause (VixHandle vmHandle, int options, VixHandle propertyList,
             VixEventProc *callbackProc, void *clientData)
{
  return start_power (vmHandle, VIX_POWER_PAUSE, options, propertyList,
                      callbackProc, clientData);
}

VixHandle
VixVM_Unpause (VixHandle vmHandle, int options, VixHandle propertyList,
               VixEventProc *callbackProc, void *clientData)
{
  return start_power (vmHandle, VIX_POWER_UNPAUSE, options, propertyList,
                      callbackProc, clientData);
}

VixHandle
VixVM_UpgradeVirtualHardware (VixHandle vmHandle, int options,
                              VixEventProc *callbackProc, void *clientData)
{
  return start_power (vmHandle, VIX_POWER_UPGRADE_HARDWARE, options,
                      VIX_INVALID_HANDLE, callbackProc, clientData);
}

/* ---- delete and clone ---- */

static gboolean
delete_run (VixJob *job, gpointer data, VixPropertySet *results,
            const VixOp *op, GError **error)
{
  VixCall *call = data;
  VixHost *host = call->host;

  return host->ops->delete_vm (host->provider, vix_vm_get_id (call->vm),
                               (call->options & VIX_VMDELETE_DISK_FILES) != 0,
                               op, error);
}

VixHandle
VixVM_Delete (VixHandle vmHandle, VixVMDeleteOptions deleteOptions,
              VixEventProc *callbackProc, void *clientData)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (VixCall) call = vix_call_on_vm (vmHandle, &error);

  if (call == NULL
      || !vix_check_options (deleteOptions, VIX_VMDELETE_DISK_FILES, &error)
      || !vix_call_check_function (call->host->ops->delete_vm, "deleting VMs",
                                   &error)
      || !vix_call_check_writable (call, &error))
    return vix_call_fail (call, &error, callbackProc, clientData);
  call->options = deleteOptions;
  return vix_call_start (g_steal_pointer (&call), VIX_CALL_CHANGES, delete_run,
                         callbackProc, clientData);
}

static gboolean
clone_run (VixJob *job, gpointer data, VixPropertySet *results, const VixOp *op,
           GError **error)
{
  VixCall *call = data;
  VixHost *host = call->host;
  g_autofree char *id = NULL;

  id = host->ops->clone_vm (host->provider, vix_vm_get_id (call->vm),
                            call->snapshot != NULL ? call->snapshot->id : 0,
                            call->number == VIX_CLONETYPE_LINKED, call->text,
                            op, error);
  if (id == NULL)
    return FALSE;
  vix_property_set_take_object (results, VIX_PROPERTY_JOB_RESULT_HANDLE,
                                vix_vm_new (host, id));
  return TRUE;
}

static gboolean
check_clone_type (VixCloneType type, GError **error)
{
  if (type == VIX_CLONETYPE_FULL || type == VIX_CLONETYPE_LINKED)
    return TRUE;
  g_set_error (error, VIX_ERROR, VIX_E_INVALID_ARG,
               "clone type %d: neither full nor linked", type);
  return FALSE;
}

VixHandle
VixVM_Clone (VixHandle vmHandle, VixHandle snapshotHandle,
             VixCloneType cloneType, const char *destConfigPathName,
             int options, VixHandle propertyListHandle,
             VixEventProc *callbackProc, void *clientData)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (VixCall) call = vix_call_on_vm (vmHandle, &error);

  if (call == NULL || !vix_call_check_feature (call, VIX_FEATURE_CLONE, &error)
      || !vix_call_take_snapshot (call, snapshotHandle, TRUE, &error)
      || !check_clone_type (cloneType, &error)
      || !vix_check_text ("path of the clone", destConfigPathName, TRUE, &error)
      || !vix_check_options (options, 0, &error)
      || !vix_check_no_list (propertyListHandle, &error)
      || !vix_call_check_function (call->host->ops->clone_vm, "cloning", &error)
      || !vix_call_check_writable (call, &error))
    return vix_call_fail (call, &error, callbackProc, clientData);
  call->number = cloneType;
  call->text = g_strdup (destConfigPathName);
  return vix_call_start (g_steal_pointer (&call), VIX_CALL_CHANGES, clone_run,
                         callbackProc, clientData);
}
