/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <stdlib.h>
#include <string.h>

#include "api/call-private.h"
#include "base/error.h"

/* ---- records ---- */

const VixExtVM *
VixExt_RefVM (const VixExtVM *vm)
{
  return vix_vm_record_ref (vm);
}

void
VixExt_UnrefVM (const VixExtVM *vm)
{
  vix_vm_record_unref (vm);
}

/* ---- connecting ---- */

static gboolean
read_params (const VixExtConnectParams *params, VixConnectParams *ret,
             VixHostOptions *ret_options, GError **error)
{
  VixExtConnectParams full = { .size = sizeof full };

  if (params == NULL
      || params->size < G_STRUCT_OFFSET (VixExtConnectParams, caFile)) {
    g_set_error_literal (error, VIX_ERROR, VIX_E_INVALID_ARG,
                         "connection parameters: none, or of a size that does "
                         "not hold them");
    return FALSE;
  }
  /* A program of another version: what its struct lacks is the default. */
  memcpy (&full, params, MIN (params->size, sizeof full));
  *ret_options = full.options;
  *ret = (VixConnectParams){
    .host_type = full.hostType,
    .host_name = full.hostName,
    .user_name = full.userName,
    .password = full.password,
    .vendor_library = full.vendorLibrary,
    .read_only = (full.options & VIXEXT_HOSTOPTION_READ_ONLY) != 0,
    .verify_ssl = (full.options & VIXEXT_HOSTOPTION_INSECURE) == 0,
    .ca_file = full.caFile,
    .thumbprint = full.thumbprint,
    .connect_timeout_ms = full.connectTimeout,
    .answer_timeout_ms = full.answerTimeout,
    .stall_timeout_ms = full.stallTimeout,
    .settle_timeout_ms = full.settleTimeout,
    .cache_bytes = full.cacheBytes,
    .connections = full.connections,
  };
  return TRUE;
}

VixHandle
VixExt_Connect (const VixExtConnectParams *params, VixEventProc *callbackProc,
                void *clientData)
{
  GError *error = NULL;
  VixConnectParams inner;
  VixHostOptions options;

  if (!read_params (params, &inner, &options, &error))
    return vix_job_start_failed (NULL, NULL, error, callbackProc, clientData);
  return vix_host_connect (&inner,
                           (options & VIX_HOSTOPTION_USE_EVENT_PUMP) != 0,
                           callbackProc, clientData);
}

VixError
VixExt_CheckConnect (const VixExtConnectParams *params, char **reason)
{
  g_autoptr (GError) error = NULL;
  VixConnectParams inner;
  VixHostOptions options;

  if (reason == NULL)
    return VIX_E_INVALID_ARG;
  *reason = NULL;
  if (!read_params (params, &inner, &options, &error)
      || !vix_host_check (&inner, &error))
    *reason = g_strdup (error->message);
  return vix_error_to_public (error);
}

VixError
VixExt_GetHostStatus (VixHandle host, VixExtHostStatus *status)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (VixCall) call = vix_call_on_host (host, &error);
  VixExtHostStatus full = { .size = sizeof full };
  VixHost *self;

  if (status == NULL || status->size < sizeof full.size)
    return VIX_E_INVALID_ARG;
  if (call == NULL || !vix_scope_enter (&call->host->scope, &error))
    return vix_error_to_public (error);
  self = call->host;
  self->ops->get_status (self->provider, &full);
  vix_inventory_count (self->inventory, &full.numVMs, &full.numSnapshots);
  vix_scope_leave (&self->scope);
  /* A caller of another version gets what its struct has room for. */
  full.size = status->size;
  memcpy (status, &full, MIN (status->size, sizeof full));
  return VIX_OK;
}

/* ---- the live inventory ---- */

static void
deliver_event (int event, const VixExtVM *vm, gpointer data)
{
  VixHost *host = data;

  vix_callback_enter ();
  host->watch_proc (host->object.handle, event, vm, host->watch_data);
  vix_callback_leave ();
}

/* Once per host, so that the two pointers are const from here on. */
static gboolean
claim_watch (VixHost *self, GError **error)
{
  gboolean first;

  vix_lock (&self->scope.lock);
  first = !self->watch_started;
  self->watch_started = TRUE;
  vix_unlock (&self->scope.lock);
  if (!first)
    g_set_error_literal (error, VIX_ERROR, VIX_E_OPERATION_ALREADY_IN_PROGRESS,
                         "the host is watched already");
  return first;
}

VixError
VixExt_Watch (VixHandle host, VixExtWatchProc *proc, void *clientData)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (VixCall) call = vix_call_on_host (host, &error);
  VixHost *self;

  if (proc == NULL)
    return VIX_E_INVALID_ARG;
  if (call == NULL
      || !vix_call_check_function (call->host->ops->watch, "watching", &error)
      || !vix_scope_enter (&call->host->scope, &error))
    return vix_error_to_public (error);
  self = call->host;
  if (claim_watch (self, &error)) {
    self->watch_proc = proc;
    self->watch_data = clientData;
    vix_inventory_set_watcher (self->inventory, deliver_event, self);
    self->ops->watch (self->provider, &error);
  }
  vix_scope_leave (&self->scope);
  return vix_error_to_public (error);
}

VixError
VixExt_LookupVM (VixHandle host, const char *id, const VixExtVM **vm)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (VixCall) call = vix_call_on_host (host, &error);

  if (id == NULL || vm == NULL)
    return VIX_E_INVALID_ARG;
  *vm = NULL;
  if (call == NULL)
    return vix_error_to_public (error);
  *vm = vix_inventory_lookup (call->host->inventory, id);
  return *vm != NULL ? VIX_OK : VIX_E_VM_NOT_FOUND;
}

/* ---- from records to handles and back ---- */

static VixError
give (gpointer object, VixHandle *to)
{
  *to = vix_object_give (object);
  vix_object_unref (object);
  return *to != VIX_INVALID_HANDLE ? VIX_OK : VIX_E_INVALID_HANDLE;
}

VixError
VixExt_GetVM (VixHandle host, const char *id, VixHandle *vm)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (VixCall) call = vix_call_on_host (host, &error);
  g_autoptr (VixVmRecord) record = NULL;

  if (id == NULL || vm == NULL)
    return VIX_E_INVALID_ARG;
  *vm = VIX_INVALID_HANDLE;
  if (call == NULL)
    return vix_error_to_public (error);
  record = vix_inventory_lookup (call->host->inventory, id);
  if (record == NULL)
    return VIX_E_VM_NOT_FOUND;
  return give (vix_vm_new (call->host, id), vm);
}

VixError
VixExt_GetSnapshot (VixHandle vm, int64 id, VixHandle *snapshot)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (VixCall) call = vix_call_on_vm (vm, &error);
  g_autoptr (VixVmRecord) record = NULL;

  if (snapshot == NULL)
    return VIX_E_INVALID_ARG;
  *snapshot = VIX_INVALID_HANDLE;
  if (call == NULL
      || !vix_call_check_feature (call, VIX_FEATURE_SNAPSHOTS, &error))
    return vix_error_to_public (error);
  record
    = vix_inventory_lookup (call->host->inventory, vix_vm_get_id (call->vm));
  /* A host that is not watched remembers nothing. */
  if (record == NULL) {
    record = vix_call_lookup_vm (call, &error);
    if (record == NULL)
      return vix_error_to_public (error);
  }
  if (vix_vm_record_find_snapshot (record, id) == NULL)
    return VIX_E_SNAPSHOT_NOTFOUND;
  return give (vix_snapshot_new (call->vm, id), snapshot);
}

VixError
VixExt_GetSnapshotId (VixHandle snapshot, int64 *id)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (VixCall) call = vix_call_on_snapshot (snapshot, &error);

  if (id == NULL)
    return VIX_E_INVALID_ARG;
  if (call == NULL)
    return vix_error_to_public (error);
  *id = call->snapshot->id;
  return VIX_OK;
}

/* ---- jobs ---- */

VixError
VixExt_CancelJob (VixHandle job)
{
  g_autoptr (GError) error = NULL;
  VixJob *self = vix_handle_get (job, VIX_HANDLETYPE_JOB, &error);

  if (self == NULL)
    return vix_error_to_public (error);
  vix_job_cancel (self);
  vix_object_unref (self);
  return VIX_OK;
}

VixError
VixExt_GetJobProgress (VixHandle job, int *percent)
{
  g_autoptr (GError) error = NULL;
  VixJob *self;

  if (percent == NULL)
    return VIX_E_INVALID_ARG;
  self = vix_handle_get (job, VIX_HANDLETYPE_JOB, &error);
  if (self == NULL)
    return vix_error_to_public (error);
  *percent = vix_job_get_progress (self);
  vix_object_unref (self);
  return VIX_OK;
}

/* ---- snapshots ---- */

/* Call.text is the new name or NULL, Call.text2 the new description. */
static gboolean
edit_run (VixJob *job, gpointer data, VixPropertySet *results, const VixOp *op,
          GError **error)
{
  VixCall *call = data;
  VixHost *host = call->host;
  const char *vm_id = vix_vm_get_id (call->vm);
  g_autoptr (VixVmRecord) vm = NULL;
  const VixExtSnapshot *now;

  vm = host->ops->lookup_vm (host->provider, vm_id, op, error);
  if (vm == NULL)
    return FALSE;
  now = vix_vm_record_find_snapshot (vm, call->snapshot->id);
  if (now != NULL && (call->text == NULL || strcmp (call->text, now->name) == 0)
      && (call->text2 == NULL || strcmp (call->text2, now->description) == 0))
    return TRUE;
  return host->ops->edit_snapshot (host->provider, vm_id, call->snapshot->id,
                                   call->text, call->text2, op, error);
}

static VixHandle
start_edit (VixHandle snapshot, const char *name, const char *description,
            VixEventProc *callback, gpointer client_data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (VixCall) call = vix_call_on_snapshot (snapshot, &error);

  if (call == NULL || !vix_check_text ("snapshot name", name, FALSE, &error)
      || !vix_check_text ("description", description, FALSE, &error)
      || !vix_call_check_function (call->host->ops->edit_snapshot,
                                   "changing snapshots", &error)
      || !vix_call_check_writable (call, &error))
    return vix_call_fail (call, &error, callback, client_data);
  call->text = g_strdup (name);
  call->text2 = g_strdup (description);
  return vix_call_start (g_steal_pointer (&call), VIX_CALL_CHANGES, edit_run,
                         callback, client_data);
}

VixHandle
VixExt_RenameSnapshot (VixHandle snapshot, const char *name,
                       VixEventProc *callbackProc, void *clientData)
{
  return start_edit (snapshot, name != NULL ? name : "", NULL, callbackProc,
                     clientData);
}

VixHandle
VixExt_DescribeSnapshot (VixHandle snapshot, const char *description,
                         VixEventProc *callbackProc, void *clientData)
{
  return start_edit (snapshot, NULL, description != NULL ? description : "",
                     callbackProc, clientData);
}

/* ---- files ---- */

/* What the calling thread uses; not owned. */
static GPrivate used_interrupt;

VixExtInterrupt *
VixExt_NewInterrupt (void)
{
  return (VixExtInterrupt *)g_cancellable_new ();
}

void
VixExt_Interrupt (VixExtInterrupt *interrupt)
{
  g_cancellable_cancel ((GCancellable *)interrupt);
}

void
VixExt_UseInterrupt (VixExtInterrupt *interrupt)
{
  g_private_set (&used_interrupt, interrupt);
}

void
VixExt_FreeInterrupt (VixExtInterrupt *interrupt)
{
  if (interrupt != NULL)
    g_object_unref (interrupt);
}

/* Inside the host, with something that ends waits: disconnecting, or whoever
 * interrupts the thread. It is the thread's current GCancellable, which is how
 * it reaches functions that take none. */
static gboolean
begin_waiting (VixHost *host, GCancellable **ret_cancellable, GError **error)
{
  GCancellable *used = g_private_get (&used_interrupt);

  if (!vix_scope_enter (&host->scope, error))
    return FALSE;
  *ret_cancellable = used != NULL ? g_object_ref (used) : g_cancellable_new ();
  vix_scope_add_looker (&host->scope, *ret_cancellable);
  g_cancellable_push_current (*ret_cancellable);
  return TRUE;
}

static void
end_waiting (VixHost *host, GCancellable *cancellable)
{
  g_cancellable_pop_current (cancellable);
  vix_scope_remove_looker (&host->scope, cancellable);
  vix_scope_leave (&host->scope);
  g_object_unref (cancellable);
}

/* Files are read on the caller's thread: a call that is inside the host and
 * that disconnecting cancels. */
typedef struct {
  VixCall *call; /* owned */
  GCancellable *cancellable;
  VixOp op;
} FileCall;

static gboolean
file_call_begin (FileCall *self, VixHandle handle, const char *vm_id,
                 gint64 snapshot, GError **error)
{
  g_autoptr (VixCall) call = vix_call_on_host (handle, error);

  if (call == NULL)
    return FALSE;
  if (snapshot < 0 || vm_id == NULL) {
    g_set_error_literal (error, VIX_ERROR, VIX_E_INVALID_ARG,
                         "no VM, or a negative snapshot");
    return FALSE;
  }
  if (!begin_waiting (call->host, &self->cancellable, error))
    return FALSE;
  self->op = (VixOp){ .cancellable = self->cancellable };
  self->call = g_steal_pointer (&call);
  return TRUE;
}

static void
file_call_end (FileCall *self)
{
  end_waiting (self->call->host, self->cancellable);
  vix_call_free (self->call);
}

/* The code of *@error, and its text where it is wanted. */
static VixError
report (const GError *error, char **message)
{
  if (message != NULL)
    *message = error != NULL ? g_strdup (error->message) : NULL;
  return vix_error_to_public (error);
}

VixError
VixExt_ListFiles (VixHandle host, const char *vmId, int64 snapshot,
                  VixExtFile **files, size_t *count, char **message)
{
  g_autoptr (GError) error = NULL;
  FileCall call;
  const VixProviderOps *ops;

  if (files == NULL || count == NULL)
    return VIX_E_INVALID_ARG;
  *files = NULL;
  *count = 0;
  if (!file_call_begin (&call, host, vmId, snapshot, &error))
    return report (error, message);
  ops = call.call->host->ops;
  if (vix_call_check_function (ops->list_files, "listing files", &error))
    ops->list_files (call.call->host->provider, vmId, snapshot, files, count,
                     &call.op, &error);
  file_call_end (&call);
  return report (error, message);
}

/* Only its length. */
static void
measure_config (FileCall *call, const char *vm_id, gint64 snapshot,
                size_t *length, GError **error)
{
  const VixProviderOps *ops = call->call->host->ops;
  gpointer provider = call->call->host->provider;
  g_autoptr (GBytes) bytes = NULL;

  if (ops->measure_config != NULL && snapshot != 0) {
    ops->measure_config (provider, vm_id, snapshot, length, &call->op, error);
    return;
  }
  bytes = ops->get_config (provider, vm_id, snapshot, &call->op, error);
  *length = bytes != NULL ? g_bytes_get_size (bytes) : 0;
}

VixError
VixExt_GetConfig (VixHandle host, const char *vmId, int64 snapshot, char **text,
                  size_t *length, char **message)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) bytes = NULL;
  FileCall call;
  const VixProviderOps *ops;
  gboolean has;

  if (length == NULL)
    return VIX_E_INVALID_ARG;
  if (text != NULL)
    *text = NULL;
  *length = 0;
  if (!file_call_begin (&call, host, vmId, snapshot, &error))
    return report (error, message);
  ops = call.call->host->ops;
  has = vix_call_check_function (ops->get_config, "reading the configuration",
                                 &error);
  if (has && text == NULL)
    measure_config (&call, vmId, snapshot, length, &error);
  else if (has)
    bytes = ops->get_config (call.call->host->provider, vmId, snapshot,
                             &call.op, &error);
  file_call_end (&call);
  if (bytes != NULL) {
    gconstpointer data = g_bytes_get_data (bytes, length);

    /* With a NUL that is not counted, for those who take it as a string. */
    *text = g_malloc0 (*length + 1);
    memcpy (*text, data != NULL ? data : "", *length);
  }
  return report (error, message);
}

struct VixExtReader {
  VixHost *host; /* owned */
  VixFileReader *file;
};

/* Ends a call that opened @file, or failed to. */
static VixError
give_reader (FileCall *call, VixFileReader *file, const GError *error,
             VixExtReader **reader, char **message)
{
  if (file != NULL) {
    *reader = g_new (VixExtReader, 1);
    (*reader)->host = vix_object_ref (call->call->host);
    (*reader)->file = file;
  }
  file_call_end (call);
  return report (error, message);
}

/* A function of the provider that opens something of a VM by name. */
typedef VixFileReader *(*OpenFunc) (gpointer host, const char *id,
                                    gint64 snapshot, const char *name,
                                    const VixOp *op, GError **error);

static VixError
open_reader (FileCall *call, OpenFunc open, const char *what, const char *vm_id,
             gint64 snapshot, const char *name, VixExtReader **reader,
             char **message)
{
  g_autoptr (GError) error = NULL;
  VixFileReader *file = NULL;

  if (vix_call_check_function (open, what, &error))
    file = open (call->call->host->provider, vm_id, snapshot, name, &call->op,
                 &error);
  return give_reader (call, file, error, reader, message);
}

VixError
VixExt_OpenFile (VixHandle host, const char *vmId, int64 snapshot,
                 const char *name, VixExtReader **reader, char **message)
{
  g_autoptr (GError) error = NULL;
  FileCall call;

  if (name == NULL || reader == NULL)
    return VIX_E_INVALID_ARG;
  *reader = NULL;
  if (!file_call_begin (&call, host, vmId, snapshot, &error))
    return report (error, message);
  return open_reader (&call, call.call->host->ops->open_file, "reading files",
                      vmId, snapshot, name, reader, message);
}

VixError
VixExt_OpenImage (VixHandle host, const char *vmId, int64 snapshot,
                  const char *node, VixExtReader **reader, char **message)
{
  g_autoptr (GError) error = NULL;
  FileCall call;

  if (node == NULL || reader == NULL || snapshot == 0)
    return VIX_E_INVALID_ARG;
  *reader = NULL;
  if (!file_call_begin (&call, host, vmId, snapshot, &error))
    return report (error, message);
  return open_reader (&call, call.call->host->ops->open_image, "reading disks",
                      vmId, snapshot, node, reader, message);
}

VixError
VixExt_OpenChanges (VixHandle host, const char *vmId, int64 older,
                    int64 snapshot, const char *node, VixExtReader **reader,
                    char **message)
{
  g_autoptr (GError) error = NULL;
  VixFileReader *file = NULL;
  const VixProviderOps *ops;
  FileCall call;

  if (node == NULL || reader == NULL || snapshot == 0 || older < 0)
    return VIX_E_INVALID_ARG;
  *reader = NULL;
  if (!file_call_begin (&call, host, vmId, snapshot, &error))
    return report (error, message);
  ops = call.call->host->ops;
  if (vix_call_check_function (ops->open_changes, "reading disks", &error))
    file = ops->open_changes (call.call->host->provider, vmId, older, snapshot,
                              node, &call.op, &error);
  return give_reader (&call, file, error, reader, message);
}

VixError
VixExt_ListImages (VixHandle host, const char *vmId, int64 snapshot,
                   VixExtImage **images, size_t *count, char **message)
{
  g_autoptr (GError) error = NULL;
  FileCall call;
  const VixProviderOps *ops;

  if (images == NULL || count == NULL || snapshot == 0)
    return VIX_E_INVALID_ARG;
  *images = NULL;
  *count = 0;
  if (!file_call_begin (&call, host, vmId, snapshot, &error))
    return report (error, message);
  ops = call.call->host->ops;
  if (vix_call_check_function (ops->list_images, "reading disks", &error))
    ops->list_images (call.call->host->provider, vmId, snapshot, images, count,
                      &call.op, &error);
  file_call_end (&call);
  return report (error, message);
}

int64
VixExt_GetFileSize (const VixExtReader *reader)
{
  return reader != NULL ? (int64)MIN (reader->file->size, (guint64)G_MAXINT64)
                        : 0;
}

VixError
VixExt_ReadFile (VixExtReader *reader, int64 offset, void *buffer,
                 size_t length, size_t *done, char **message)
{
  g_autoptr (GError) error = NULL;
  GCancellable *cancellable;
  gsize n = 0;

  if (reader == NULL || offset < 0 || (buffer == NULL && length > 0)
      || done == NULL)
    return VIX_E_INVALID_ARG;
  if (!begin_waiting (reader->host, &cancellable, &error))
    return report (error, message);
  reader->file->read (reader->file, (guint64)offset, buffer, length, &n,
                      &error);
  end_waiting (reader->host, cancellable);
  *done = error == NULL ? n : 0;
  return report (error, message);
}

VixError
VixExt_MapFile (VixExtReader *reader, int64 offset, int64 length, int *isData,
                int64 *run, char **message)
{
  g_autoptr (GError) error = NULL;
  GCancellable *cancellable;
  gboolean data = TRUE;
  guint64 n = (guint64)length;

  if (reader == NULL || offset < 0 || length <= 0 || isData == NULL
      || run == NULL)
    return VIX_E_INVALID_ARG;
  if (!begin_waiting (reader->host, &cancellable, &error))
    return report (error, message);
  if (reader->file->map != NULL)
    reader->file->map (reader->file, (guint64)offset, (guint64)length, &data,
                       &n, &error);
  end_waiting (reader->host, cancellable);
  *isData = data;
  *run = (int64)n;
  return report (error, message);
}

void
VixExt_CloseFile (VixExtReader *reader)
{
  if (reader == NULL)
    return;
  reader->file->free (reader->file);
  vix_object_unref (reader->host);
  g_free (reader);
}
