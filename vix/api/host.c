/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The life of a host. Connecting makes it on a worker. It ends in three
 * steps: nobody gets in any more and those inside leave; its provider
 * disconnects; its handles die. Whoever is inside of a callback cannot wait
 * for the first step, so a worker takes over the rest, as it does when a
 * program only releases the last handle.
 */
#include "api/host-private.h"

#include <string.h>

#include "api/call-private.h"
#include "api/property-private.h"
#include "base/error.h"
#include "base/secret.h"
#include "core/pool.h"

/* ---- the object ---- */

static void
close_provider (VixHost *self)
{
  VIX_MAY_BLOCK ();
  vix_inventory_stop (self->inventory);
  if (self->provider != NULL)
    self->ops->disconnect (self->provider);
  self->provider = NULL;
}

static void
free_on_worker (gpointer data)
{
  VixHost *self = data;

  close_provider (self);
  vix_inventory_free (self->inventory);
  vix_scope_clear (&self->scope);
  g_free (self);
}

/* The last reference may go inside of a watcher's callback, whose thread
 * disconnecting has to wait for. */
static void
host_free (VixObject *object)
{
  VixHost *self = (VixHost *)object;

  if (self->provider != NULL)
    vix_pool_push (free_on_worker, self);
  else
    free_on_worker (self);
}

static const VixObjectClass host_class = { VIX_HANDLETYPE_HOST, host_free };

static VixHost *
host_new (const VixProviderOps *ops, VixServiceProvider type,
          gboolean read_only, gboolean pump)
{
  VixHost *self = g_new0 (VixHost, 1);

  self->ops = ops;
  self->type = type;
  self->read_only = read_only;
  self->inventory = vix_inventory_new ();
  vix_scope_init (&self->scope, pump);
  vix_object_init (&self->object, &host_class, NULL);
  return self;
}

/* ---- connecting ---- */

typedef struct {
  VixConnectParams params; /* its strings are owned */
  gboolean pump;
} ConnectData;

static void
connect_data_free (gpointer data)
{
  ConnectData *self = data;

  vix_secret_free ((char *)self->params.password);
  g_free ((char *)self->params.user_name);
  g_free ((char *)self->params.host_name);
  g_free ((char *)self->params.vendor_library);
  g_free ((char *)self->params.ca_file);
  g_free ((char *)self->params.thumbprint);
  g_free (self);
}

static gboolean
connect_run (VixJob *job, gpointer data, VixPropertySet *results,
             const VixOp *op, GError **error)
{
  ConnectData *self = data;
  VixServiceProvider type;
  const VixProviderOps *ops;
  VixHost *host;

  ops = vix_provider_find (self->params.host_type, self->params.host_name,
                           &type, error);
  if (ops == NULL)
    return FALSE;
  self->params.host_type = type;
  host = host_new (ops, type, self->params.read_only, self->pump);
  host->provider = ops->connect (&self->params, host->inventory, op, error);
  if (host->provider == NULL) {
    vix_object_unref (host);
    return FALSE;
  }
  vix_property_set_take_object (results, VIX_PROPERTY_JOB_RESULT_HANDLE, host);
  return TRUE;
}

/* NULL and "" mean the same. */
static char *
copy_or_null (const char *text)
{
  return text != NULL && *text != '\0' ? g_strdup (text) : NULL;
}

static gboolean
check_params (const VixConnectParams *params, GError **error)
{
  return vix_check_text ("host name", params->host_name, FALSE, error)
         && vix_check_text ("user name", params->user_name, FALSE, error)
         && vix_check_text ("password", params->password, FALSE, error)
         && vix_check_text ("vendor library", params->vendor_library, FALSE,
                            error)
         && vix_check_text ("file of authorities", params->ca_file, FALSE,
                            error)
         && vix_check_text ("thumbprint", params->thumbprint, FALSE, error);
}

gboolean
vix_host_check (const VixConnectParams *params, GError **error)
{
  VixServiceProvider type;
  const VixProviderOps *ops;

  if (!check_params (params, error))
    return FALSE;
  ops = vix_provider_find (params->host_type, params->host_name, &type, error);
  return ops != NULL && (ops->check == NULL || ops->check (params, error));
}

VixHandle
vix_host_connect (const VixConnectParams *params, gboolean pump,
                  VixEventProc *callback, gpointer client_data)
{
  GError *error = NULL;
  ConnectData *data;
  VixJobSpec spec = {
    .run = connect_run,
    .free_data = connect_data_free,
    .callback = callback,
    .client_data = client_data,
  };

  if (!check_params (params, &error))
    return vix_job_start_failed (NULL, NULL, error, callback, client_data);
  spec.data = data = g_new0 (ConnectData, 1);
  data->params = *params;
  data->params.host_name = copy_or_null (params->host_name);
  data->params.user_name = copy_or_null (params->user_name);
  data->params.password = params->password != NULL && *params->password != '\0'
                            ? vix_secret_new (params->password)
                            : NULL;
  data->params.vendor_library = copy_or_null (params->vendor_library);
  data->params.ca_file = copy_or_null (params->ca_file);
  data->params.thumbprint = copy_or_null (params->thumbprint);
  data->pump = pump;
  return vix_job_start (&spec);
}

VixHandle
VixHost_Connect (int apiVersion, VixServiceProvider hostType,
                 const char *hostName, int hostPort, const char *userName,
                 const char *password, VixHostOptions options,
                 VixHandle propertyListHandle, VixEventProc *callbackProc,
                 void *clientData)
{
  GError *error = NULL;
  VixConnectParams params = {
    .host_type = hostType,
    .host_name = hostName,
    .user_name = userName,
    .password = password,
    .read_only = (options & VIXEXT_HOSTOPTION_READ_ONLY) != 0,
    .verify_ssl = (options & VIX_HOSTOPTION_VERIFY_SSL_CERT) != 0,
  };

  if (!vix_check_no_list (propertyListHandle, &error))
    return vix_job_start_failed (NULL, NULL, error, callbackProc, clientData);
  return vix_host_connect (&params,
                           (options & VIX_HOSTOPTION_USE_EVENT_PUMP) != 0,
                           callbackProc, clientData);
}

/* ---- disconnecting ---- */

/* What VixHost_Disconnect() has yet to do when all jobs and calls are over. */
static void
shut_down (VixHost *self)
{
  vix_scope_wait_empty (&self->scope);
  close_provider (self);
  vix_object_kill (&self->object);
}

static void
shut_down_on_worker (gpointer data)
{
  shut_down (data);
  vix_object_unref (data);
}

void
VixHost_Disconnect (VixHandle hostHandle)
{
  g_autoptr (VixHost) host
    = vix_handle_get (hostHandle, VIX_HANDLETYPE_HOST, NULL);
  gboolean first;

  if (host == NULL)
    return;
  first = vix_scope_close (&host->scope);
  if (first && host->scope.pump)
    vix_scope_cancel_pumped (&host->scope);
  if (vix_callback_is_inside ()) {
    vix_object_kill (&host->object);
    if (first)
      vix_pool_push (shut_down_on_worker, vix_object_ref (host));
  } else if (first) {
    shut_down (host);
  } else {
    vix_scope_wait_empty (&host->scope);
  }
}

void
Vix_PumpEvents (VixHandle hostHandle, VixPumpEventsOptions options)
{
  g_autoptr (VixHost) host
    = vix_handle_get (hostHandle, VIX_HANDLETYPE_HOST, NULL);

  if (host != NULL && host->scope.pump)
    vix_scope_pump (&host->scope);
}

/* ---- what a host has ---- */

static gboolean
find_run (VixJob *job, gpointer data, VixPropertySet *results, const VixOp *op,
          GError **error)
{
  VixCall *call = data;
  VixHost *host = call->host;
  g_autoptr (GPtrArray) paths = NULL;

  paths = host->ops->find_vms (
    host->provider, call->options == VIX_FIND_RUNNING_VMS, op, error);
  if (paths == NULL)
    return FALSE;
  for (guint i = 0; i < paths->len; i++) {
    VixPropertySet *found = vix_property_set_new ();
    VixObject *list;

    if (!vix_check_cancelled (op->cancellable, error)) {
      vix_property_set_free (found);
      return FALSE;
    }
    vix_property_set_add_string (found, VIX_PROPERTY_FOUND_ITEM_LOCATION,
                                 paths->pdata[i]);
    list = vix_property_list_new (host, found);
    vix_job_send_event (job, VIX_EVENTTYPE_FIND_ITEM, list->handle);
    vix_object_unref (list);
  }
  return TRUE;
}

static gboolean
check_search (VixFindItemType type, VixHandle criteria, GError **error)
{
  if (criteria == VIX_INVALID_HANDLE
      && (type == VIX_FIND_RUNNING_VMS || type == VIX_FIND_REGISTERED_VMS))
    return TRUE;
  g_set_error_literal (error, VIX_ERROR, VIX_E_INVALID_ARG,
                       "search: neither running nor registered VMs, or with "
                       "criteria");
  return FALSE;
}

VixHandle
VixHost_FindItems (VixHandle hostHandle, VixFindItemType searchType,
                   VixHandle searchCriteria, int32 timeout,
                   VixEventProc *callbackProc, void *clientData)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (VixCall) call = vix_call_on_host (hostHandle, &error);

  if (call == NULL || !check_search (searchType, searchCriteria, &error)
      || !vix_call_check_function (call->host->ops->find_vms, "finding VMs",
                                   &error))
    return vix_call_fail (call, &error, callbackProc, clientData);
  call->options = searchType;
  return vix_call_start (g_steal_pointer (&call), VIX_CALL_LOOKS, find_run,
                         callbackProc, clientData);
}

/*
 * Without an inventory of its own (local products) there is nothing to do:
 * whatever is below the host's directories is registered. A program of
 * VMware Server still learns whether there is such a VM.
 */
static gboolean
register_run (VixJob *job, gpointer data, VixPropertySet *results,
              const VixOp *op, GError **error)
{
  VixCall *call = data;
  VixHost *host = call->host;
  g_autofree char *id = NULL;

  if (host->ops->register_vm != NULL)
    return host->ops->register_vm (host->provider, call->text, op, error);
  if (host->type != VIX_SERVICEPROVIDER_VMWARE_SERVER)
    return TRUE;
  id = host->ops->open_vm (host->provider, call->text, op, error);
  if (id == NULL && error != NULL
      && g_error_matches (*error, VIX_ERROR, VIX_E_FILE_NOT_FOUND))
    (*error)->code = VIX_E_NOT_FOUND;
  return id != NULL;
}

static gboolean
unregister_run (VixJob *job, gpointer data, VixPropertySet *results,
                const VixOp *op, GError **error)
{
  VixCall *call = data;
  VixHost *host = call->host;

  return host->ops->unregister_vm == NULL
         || host->ops->unregister_vm (host->provider, call->text, op, error);
}

static VixHandle
start_on_path (VixHandle handle, const char *path, VixJobFunc run,
               VixEventProc *callback, gpointer client_data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (VixCall) call = vix_call_on_host (handle, &error);

  if (call == NULL || !vix_check_text (".vmx path", path, TRUE, &error)
      || !vix_call_check_writable (call, &error))
    return vix_call_fail (call, &error, callback, client_data);
  call->text = g_strdup (path);
  return vix_call_start (g_steal_pointer (&call), VIX_CALL_CHANGES, run,
                         callback, client_data);
}

VixHandle
VixHost_RegisterVM (VixHandle hostHandle, const char *vmxFilePath,
                    VixEventProc *callbackProc, void *clientData)
{
  return start_on_path (hostHandle, vmxFilePath, register_run, callbackProc,
                        clientData);
}

VixHandle
VixHost_UnregisterVM (VixHandle hostHandle, const char *vmxFilePath,
                      VixEventProc *callbackProc, void *clientData)
{
  return start_on_path (hostHandle, vmxFilePath, unregister_run, callbackProc,
                        clientData);
}

/* ---- opening VMs ---- */

static gboolean
open_run (VixJob *job, gpointer data, VixPropertySet *results, const VixOp *op,
          GError **error)
{
  VixCall *call = data;
  VixHost *host = call->host;
  g_autoptr (VixVmRecord) record = NULL;
  g_autofree char *id = NULL;

  id = host->ops->open_vm (host->provider, call->text, op, error);
  if (id == NULL)
    return FALSE;
  record = host->ops->lookup_vm (host->provider, id, op, error);
  if (record == NULL)
    return FALSE;
  if ((record->flags & VIXEXT_VM_ENCRYPTED) && call->text2 == NULL) {
    g_set_error (error, VIX_ERROR, VIX_E_NEED_KEY,
                 "%s: the VM is encrypted; give its password in a property "
                 "list",
                 call->text);
    return FALSE;
  }
  vix_property_set_take_object (results, VIX_PROPERTY_JOB_RESULT_HANDLE,
                                vix_vm_new (host, id));
  return TRUE;
}

VixHandle
VixHost_OpenVM (VixHandle hostHandle, const char *vmxFilePathName,
                VixVMOpenOptions options, VixHandle propertyListHandle,
                VixEventProc *callbackProc, void *clientData)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (VixCall) call = vix_call_on_host (hostHandle, &error);

  if (call == NULL
      || !vix_check_text (".vmx path", vmxFilePathName, TRUE, &error)
      || !vix_check_options (options, VIX_VMOPEN_NORMAL, &error)
      || !vix_property_list_read_string (propertyListHandle,
                                         VIX_PROPERTY_VM_ENCRYPTION_PASSWORD,
                                         &call->text2, &error))
    return vix_call_fail (call, &error, callbackProc, clientData);
  call->text = g_strdup (vmxFilePathName);
  return vix_call_start (g_steal_pointer (&call), VIX_CALL_LOOKS, open_run,
                         callbackProc, clientData);
}

VixHandle
VixVM_Open (VixHandle hostHandle, const char *vmxFilePathName,
            VixEventProc *callbackProc, void *clientData)
{
  return VixHost_OpenVM (hostHandle, vmxFilePathName, VIX_VMOPEN_NORMAL,
                         VIX_INVALID_HANDLE, callbackProc, clientData);
}
