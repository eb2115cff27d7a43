/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What needs a channel into the guest, and shared folders, record and replay.
 * No host that we know offers one, so that these jobs end with
 * VIX_E_NOT_SUPPORTED; but programs that do no guest work use a few of them,
 * and those are answered from what the host does know.
 */
#include "api/call-private.h"
#include "base/error.h"
#include "base/kv-file.h"

/* ---- answered without the guest ---- */

/* How often a VM is asked whether its Tools came up. */
#define TOOLS_POLL_US (G_USEC_PER_SEC / 2)

/* Call.number: when to give up, in monotonic time; 0: never. */
static gboolean
wait_for_tools_run (VixJob *job, gpointer data, VixPropertySet *results,
                    const VixOp *op, GError **error)
{
  VixCall *call = data;
  VixHost *host = call->host;
  g_autoptr (VixVmRecord) vm = NULL;
  gint64 left = G_MAXINT64;

  vm = host->ops->lookup_vm (host->provider, vix_vm_get_id (call->vm), op,
                             error);
  if (vm == NULL)
    return FALSE;
  if ((vm->powerState & VIX_POWERSTATE_POWERED_ON) == 0) {
    g_set_error (error, VIX_ERROR, VIX_E_VM_NOT_RUNNING,
                 "%s: the VM is not powered on", vm->displayName);
    return FALSE;
  }
  if (vm->toolsState & VIX_TOOLSSTATE_RUNNING)
    return TRUE;
  if (vm->toolsState & VIX_TOOLSSTATE_NOT_INSTALLED) {
    g_set_error (error, VIX_ERROR, VIX_E_TOOLS_NOT_RUNNING,
                 "%s: VMware Tools is not installed", vm->displayName);
    return FALSE;
  }
  if (call->number != 0)
    left = call->number - g_get_monotonic_time ();
  if (left > 0)
    vix_job_again (job, MIN (left, TOOLS_POLL_US));
  else
    g_set_error (error, VIX_ERROR, VIX_E_TIMEOUT_WAITING_FOR_TOOLS,
                 "%s: VMware Tools did not start in time", vm->displayName);
  return FALSE;
}

VixHandle
VixVM_WaitForToolsInGuest (VixHandle vmHandle, int timeoutInSeconds,
                           VixEventProc *callbackProc, void *clientData)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (VixCall) call = vix_call_on_vm (vmHandle, &error);

  if (call == NULL)
    return vix_call_fail (call, &error, callbackProc, clientData);
  if (timeoutInSeconds > 0)
    call->number
      = g_get_monotonic_time () + (gint64)timeoutInSeconds * G_USEC_PER_SEC;
  return vix_call_start (g_steal_pointer (&call), VIX_CALL_LOOKS,
                         wait_for_tools_run, callbackProc, clientData);
}

static gboolean
logout_run (VixJob *job, gpointer data, VixPropertySet *results,
            const VixOp *op, GError **error)
{
  return TRUE;
}

VixHandle
VixVM_LogoutFromGuest (VixHandle vmHandle, VixEventProc *callbackProc,
                       void *clientData)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (VixCall) call = vix_call_on_vm (vmHandle, &error);

  if (call == NULL)
    return vix_call_fail (call, &error, callbackProc, clientData);
  return vix_call_start (g_steal_pointer (&call), VIX_CALL_LOOKS, logout_run,
                         callbackProc, clientData);
}

/* Reads the .vmx anew each time: programs edit it themselves. */
static gboolean
read_variable_run (VixJob *job, gpointer data, VixPropertySet *results,
                   const VixOp *op, GError **error)
{
  VixCall *call = data;
  VixHost *host = call->host;
  g_autoptr (GBytes) bytes = NULL;
  g_autoptr (KvFile) vmx = NULL;
  gconstpointer text;
  gsize len;

  bytes = host->ops->get_config (host->provider, vix_vm_get_id (call->vm), 0,
                                 op, error);
  if (bytes == NULL)
    return FALSE;
  text = g_bytes_get_data (bytes, &len);
  vmx = kv_file_parse (text != NULL ? text : "", len, vix_vm_get_id (call->vm),
                       error);
  if (vmx == NULL)
    return FALSE;
  vix_property_set_add_string (results,
                               VIX_PROPERTY_JOB_RESULT_VM_VARIABLE_STRING,
                               kv_file_get (vmx, call->text));
  return TRUE;
}

static gboolean
check_variable_type (const VixCall *call, int type, GError **error)
{
  switch (type) {
  case VIX_VM_CONFIG_RUNTIME_ONLY:
    return vix_call_check_function (call->host->ops->get_config,
                                    "reading the configuration", error);
  case VIX_VM_GUEST_VARIABLE:
  case VIX_GUEST_ENVIRONMENT_VARIABLE:
    return vix_call_check_function (NULL, "guest variables", error);
  default:
    g_set_error (error, VIX_ERROR, VIX_E_INVALID_ARG,
                 "variable type %d: there is none of that number", type);
    return FALSE;
  }
}

VixHandle
VixVM_ReadVariable (VixHandle vmHandle, int variableType, const char *name,
                    int options, VixEventProc *callbackProc, void *clientData)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (VixCall) call = vix_call_on_vm (vmHandle, &error);

  if (call == NULL || !check_variable_type (call, variableType, &error)
      || !vix_check_text ("name of the variable", name, TRUE, &error)
      || !vix_check_options (options, 0, &error))
    return vix_call_fail (call, &error, callbackProc, clientData);
  call->text = g_strdup (name);
  return vix_call_start (g_steal_pointer (&call), VIX_CALL_LOOKS,
                         read_variable_run, callbackProc, clientData);
}

/* Type 2 would change the running VM only, which nobody can reach. */
VixHandle
VixVM_WriteVariable (VixHandle vmHandle, int variableType,
                     const char *valueName, const char *value, int options,
                     VixEventProc *callbackProc, void *clientData)
{
  return vix_call_unsupported (vmHandle, "guest variables", callbackProc,
                               clientData);
}

/* ---- what nobody offers ---- */

VixHandle
VixVM_LoginInGuest (VixHandle vmHandle, const char *userName,
                    const char *password, int options,
                    VixEventProc *callbackProc, void *clientData)
{
  return vix_call_unsupported (vmHandle, "guest operations", callbackProc,
                               clientData);
}

VixHandle
VixVM_RunProgramInGuest (VixHandle vmHandle, const char *guestProgramName,
                         const char *commandLineArgs,
                         VixRunProgramOptions options,
                         VixHandle propertyListHandle,
                         VixEventProc *callbackProc, void *clientData)
{
  return vix_call_unsupported (vmHandle, "guest operations", callbackProc,
                               clientData);
}

VixHandle
VixVM_RunScriptInGuest (VixHandle vmHandle, const char *interpreter,
                        const char *scriptText, VixRunProgramOptions options,
                        VixHandle propertyListHandle,
                        VixEventProc *callbackProc, void *clientData)
{
  return vix_call_unsupported (vmHandle, "guest operations", callbackProc,
                               clientData);
}

VixHandle
VixVM_ListProcessesInGuest (VixHandle vmHandle, int options,
                            VixEventProc *callbackProc, void *clientData)
{
  return vix_call_unsupported (vmHandle, "guest operations", callbackProc,
                               clientData);
}

VixHandle
VixVM_KillProcessInGuest (VixHandle vmHandle, uint64 pid, int options,
                          VixEventProc *callbackProc, void *clientData)
{
  return vix_call_unsupported (vmHandle, "guest operations", callbackProc,
                               clientData);
}

VixHandle
VixVM_CopyFileFromHostToGuest (VixHandle vmHandle, const char *hostPathName,
                               const char *guestPathName, int options,
                               VixHandle propertyListHandle,
                               VixEventProc *callbackProc, void *clientData)
{
  return vix_call_unsupported (vmHandle, "guest operations", callbackProc,
                               clientData);
}

VixHandle
VixVM_CopyFileFromGuestToHost (VixHandle vmHandle, const char *guestPathName,
                               const char *hostPathName, int options,
                               VixHandle propertyListHandle,
                               VixEventProc *callbackProc, void *clientData)
{
  return vix_call_unsupported (vmHandle, "guest operations", callbackProc,
                               clientData);
}

VixHandle
VixVM_DeleteFileInGuest (VixHandle vmHandle, const char *guestPathName,
                         VixEventProc *callbackProc, void *clientData)
{
  return vix_call_unsupported (vmHandle, "guest operations", callbackProc,
                               clientData);
}

VixHandle
VixVM_FileExistsInGuest (VixHandle vmHandle, const char *guestPathName,
                         VixEventProc *callbackProc, void *clientData)
{
  return vix_call_unsupported (vmHandle, "guest operations", callbackProc,
                               clientData);
}

VixHandle
VixVM_RenameFileInGuest (VixHandle vmHandle, const char *oldName,
                         const char *newName, int options,
                         VixHandle propertyListHandle,
                         VixEventProc *callbackProc, void *clientData)
{
  return vix_call_unsupported (vmHandle, "guest operations", callbackProc,
                               clientData);
}

VixHandle
VixVM_CreateTempFileInGuest (VixHandle vmHandle, int options,
                             VixHandle propertyListHandle,
                             VixEventProc *callbackProc, void *clientData)
{
  return vix_call_unsupported (vmHandle, "guest operations", callbackProc,
                               clientData);
}

VixHandle
VixVM_GetFileInfoInGuest (VixHandle vmHandle, const char *pathName,
                          VixEventProc *callbackProc, void *clientData)
{
  return vix_call_unsupported (vmHandle, "guest operations", callbackProc,
                               clientData);
}

VixHandle
VixVM_ListDirectoryInGuest (VixHandle vmHandle, const char *pathName,
                            int options, VixEventProc *callbackProc,
                            void *clientData)
{
  return vix_call_unsupported (vmHandle, "guest operations", callbackProc,
                               clientData);
}

VixHandle
VixVM_CreateDirectoryInGuest (VixHandle vmHandle, const char *pathName,
                              VixHandle propertyListHandle,
                              VixEventProc *callbackProc, void *clientData)
{
  return vix_call_unsupported (vmHandle, "guest operations", callbackProc,
                               clientData);
}

VixHandle
VixVM_DeleteDirectoryInGuest (VixHandle vmHandle, const char *pathName,
                              int options, VixEventProc *callbackProc,
                              void *clientData)
{
  return vix_call_unsupported (vmHandle, "guest operations", callbackProc,
                               clientData);
}

VixHandle
VixVM_DirectoryExistsInGuest (VixHandle vmHandle, const char *pathName,
                              VixEventProc *callbackProc, void *clientData)
{
  return vix_call_unsupported (vmHandle, "guest operations", callbackProc,
                               clientData);
}

VixHandle
VixVM_CaptureScreenImage (VixHandle vmHandle, int captureType,
                          VixHandle additionalProperties,
                          VixEventProc *callbackProc, void *clientData)
{
  return vix_call_unsupported (vmHandle, "guest operations", callbackProc,
                               clientData);
}

VixHandle
VixVM_InstallTools (VixHandle vmHandle, int options,
                    const char *commandLineArgs, VixEventProc *callbackProc,
                    void *clientData)
{
  return vix_call_unsupported (vmHandle, "installing VMware Tools",
                               callbackProc, clientData);
}

VixHandle
VixVM_OpenUrlInGuest (VixHandle vmHandle, const char *url, int windowState,
                      VixHandle propertyListHandle, VixEventProc *callbackProc,
                      void *clientData)
{
  return vix_call_unsupported (vmHandle, "guest operations", callbackProc,
                               clientData);
}

VixHandle
VixVM_EnableSharedFolders (VixHandle vmHandle, Bool enabled, int options,
                           VixEventProc *callbackProc, void *clientData)
{
  return vix_call_unsupported (vmHandle, "shared folders", callbackProc,
                               clientData);
}

VixHandle
VixVM_GetNumSharedFolders (VixHandle vmHandle, VixEventProc *callbackProc,
                           void *clientData)
{
  return vix_call_unsupported (vmHandle, "shared folders", callbackProc,
                               clientData);
}

VixHandle
VixVM_GetSharedFolderState (VixHandle vmHandle, int index,
                            VixEventProc *callbackProc, void *clientData)
{
  return vix_call_unsupported (vmHandle, "shared folders", callbackProc,
                               clientData);
}

VixHandle
VixVM_SetSharedFolderState (VixHandle vmHandle, const char *shareName,
                            const char *hostPathName,
                            VixMsgSharedFolderOptions flags,
                            VixEventProc *callbackProc, void *clientData)
{
  return vix_call_unsupported (vmHandle, "shared folders", callbackProc,
                               clientData);
}

VixHandle
VixVM_AddSharedFolder (VixHandle vmHandle, const char *shareName,
                       const char *hostPathName,
                       VixMsgSharedFolderOptions flags,
                       VixEventProc *callbackProc, void *clientData)
{
  return vix_call_unsupported (vmHandle, "shared folders", callbackProc,
                               clientData);
}

VixHandle
VixVM_RemoveSharedFolder (VixHandle vmHandle, const char *shareName, int flags,
                          VixEventProc *callbackProc, void *clientData)
{
  return vix_call_unsupported (vmHandle, "shared folders", callbackProc,
                               clientData);
}

VixHandle
VixVM_BeginRecording (VixHandle vmHandle, const char *name,
                      const char *description, int options,
                      VixHandle propertyListHandle, VixEventProc *callbackProc,
                      void *clientData)
{
  return vix_call_unsupported (vmHandle, "record and replay", callbackProc,
                               clientData);
}

VixHandle
VixVM_EndRecording (VixHandle vmHandle, int options,
                    VixHandle propertyListHandle, VixEventProc *callbackProc,
                    void *clientData)
{
  return vix_call_unsupported (vmHandle, "record and replay", callbackProc,
                               clientData);
}

VixHandle
VixVM_BeginReplay (VixHandle vmHandle, VixHandle snapshotHandle, int options,
                   VixHandle propertyListHandle, VixEventProc *callbackProc,
                   void *clientData)
{
  return vix_call_unsupported (vmHandle, "record and replay", callbackProc,
                               clientData);
}

VixHandle
VixVM_EndReplay (VixHandle vmHandle, int options, VixHandle propertyListHandle,
                 VixEventProc *callbackProc, void *clientData)
{
  return vix_call_unsupported (vmHandle, "record and replay", callbackProc,
                               clientData);
}
