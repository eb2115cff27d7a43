/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "api/call-private.h"
#include "base/error.h"

/* ---- the object ---- */

static void
snapshot_free (VixObject *object)
{
  g_free (object);
}

static const VixObjectClass snapshot_class
  = { VIX_HANDLETYPE_SNAPSHOT, snapshot_free };

VixSnapshot *
vix_snapshot_new (VixVM *vm, gint64 id)
{
  VixSnapshot *self = g_new0 (VixSnapshot, 1);
  char key[24];

  self->id = id;
  g_snprintf (key, sizeof key, "%" G_GINT64_FORMAT, id);
  vix_object_init (&self->object, &snapshot_class, vm);
  return vix_object_publish (self, key);
}

/* ---- changes ---- */

/*
 * VMware Server keeps one snapshot and overwrites it; a VM that came with
 * several keeps them and gets one more.
 */
static gboolean
find_replaced (const VixCall *call, gint64 *ret_id, const VixOp *op,
               GError **error)
{
  VixHost *host = call->host;
  g_autoptr (VixVmRecord) vm = NULL;

  *ret_id = 0;
  if (host->type != VIX_SERVICEPROVIDER_VMWARE_SERVER)
    return TRUE;
  vm = host->ops->lookup_vm (host->provider, vix_vm_get_id (call->vm), op,
                             error);
  if (vm == NULL)
    return FALSE;
  if (vm->numSnapshots == 1)
    *ret_id = vm->snapshots[0].id;
  return TRUE;
}

static gboolean
create_run (VixJob *job, gpointer data, VixPropertySet *results,
            const VixOp *op, GError **error)
{
  VixCall *call = data;
  VixHost *host = call->host;
  VixSnapshotParams params = {
    .name = call->text,
    .description = call->text2,
    .memory = (call->options & VIX_SNAPSHOT_INCLUDE_MEMORY) != 0,
    .quiesce = (call->options & VIXEXT_SNAPSHOT_QUIESCE) != 0,
  };
  gint64 id;

  if (!find_replaced (call, &params.replace, op, error)
      || !host->ops->create_snapshot (host->provider, vix_vm_get_id (call->vm),
                                      &params, &id, op, error))
    return FALSE;
  vix_property_set_take_object (results, VIX_PROPERTY_JOB_RESULT_HANDLE,
                                vix_snapshot_new (call->vm, id));
  return TRUE;
}

VixHandle
VixVM_CreateSnapshot (VixHandle vmHandle, const char *name,
                      const char *description, VixCreateSnapshotOptions options,
                      VixHandle propertyListHandle, VixEventProc *callbackProc,
                      void *clientData)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (VixCall) call = vix_call_on_vm (vmHandle, &error);

  if (call == NULL
      || !vix_call_check_feature (call, VIX_FEATURE_SNAPSHOTS, &error)
      || !vix_check_options (
        options, VIX_SNAPSHOT_INCLUDE_MEMORY | VIXEXT_SNAPSHOT_QUIESCE, &error)
      || !vix_check_no_list (propertyListHandle, &error)
      || !vix_check_text ("snapshot name", name, FALSE, &error)
      || !vix_check_text ("description", description, FALSE, &error)
      || !vix_call_check_function (call->host->ops->create_snapshot,
                                   "creating snapshots", &error)
      || !vix_call_check_writable (call, &error))
    return vix_call_fail (call, &error, callbackProc, clientData);
  call->text = g_strdup (name != NULL ? name : "");
  call->text2 = g_strdup (description != NULL ? description : "");
  call->options = options;
  return vix_call_start (g_steal_pointer (&call), VIX_CALL_CHANGES, create_run,
                         callbackProc, clientData);
}

static gboolean
revert_run (VixJob *job, gpointer data, VixPropertySet *results,
            const VixOp *op, GError **error)
{
  VixCall *call = data;
  VixHost *host = call->host;

  return host->ops->revert_to_snapshot (
    host->provider, vix_vm_get_id (call->vm), call->snapshot->id,
    call->options == VIX_VMPOWEROP_SUPPRESS_SNAPSHOT_POWERON, op, error);
}

static gboolean
check_revert_options (int options, GError **error)
{
  /* Keeping it off and telling how to power it on exclude each other. */
  if (options == VIX_VMPOWEROP_SUPPRESS_SNAPSHOT_POWERON)
    return TRUE;
  return vix_check_options (
    options, VIX_VMPOWEROP_LAUNCH_GUI | VIX_VMPOWEROP_START_VM_PAUSED, error);
}

VixHandle
VixVM_RevertToSnapshot (VixHandle vmHandle, VixHandle snapshotHandle,
                        VixVMPowerOpOptions options,
                        VixHandle propertyListHandle,
                        VixEventProc *callbackProc, void *clientData)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (VixCall) call = vix_call_on_vm (vmHandle, &error);

  if (call == NULL
      || !vix_call_check_feature (call, VIX_FEATURE_SNAPSHOTS, &error)
      || !vix_call_take_snapshot (call, snapshotHandle, FALSE, &error)
      || !check_revert_options (options, &error)
      || !vix_check_no_list (propertyListHandle, &error)
      || !vix_call_check_function (call->host->ops->revert_to_snapshot,
                                   "reverting", &error)
      || !vix_call_check_writable (call, &error))
    return vix_call_fail (call, &error, callbackProc, clientData);
  call->options = options;
  return vix_call_start (g_steal_pointer (&call), VIX_CALL_CHANGES, revert_run,
                         callbackProc, clientData);
}

static gboolean
remove_run (VixJob *job, gpointer data, VixPropertySet *results,
            const VixOp *op, GError **error)
{
  VixCall *call = data;
  VixHost *host = call->host;

  return host->ops->remove_snapshot (
    host->provider, vix_vm_get_id (call->vm), call->snapshot->id,
    (call->options & VIX_SNAPSHOT_REMOVE_CHILDREN) != 0, op, error);
}

VixHandle
VixVM_RemoveSnapshot (VixHandle vmHandle, VixHandle snapshotHandle,
                      VixRemoveSnapshotOptions options,
                      VixEventProc *callbackProc, void *clientData)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (VixCall) call = vix_call_on_vm (vmHandle, &error);

  if (call == NULL
      || !vix_call_check_feature (call, VIX_FEATURE_SNAPSHOTS, &error)
      || !vix_call_take_snapshot (call, snapshotHandle, FALSE, &error)
      || !vix_check_options (options, VIX_SNAPSHOT_REMOVE_CHILDREN, &error)
      || !vix_call_check_function (call->host->ops->remove_snapshot,
                                   "removing snapshots", &error)
      || !vix_call_check_writable (call, &error))
    return vix_call_fail (call, &error, callbackProc, clientData);
  call->options = options;
  return vix_call_start (g_steal_pointer (&call), VIX_CALL_CHANGES, remove_run,
                         callbackProc, clientData);
}

/* ---- looking at the tree ---- */

/* The record of now of the call's VM, if the product has snapshots. */
static const VixExtVM *
look_up (const VixCall *call, GError **error)
{
  if (call == NULL
      || !vix_call_check_feature (call, VIX_FEATURE_SNAPSHOTS, error))
    return NULL;
  return vix_call_lookup_vm (call, error);
}

/* As above; also %VIX_E_SNAPSHOT_NOTFOUND if the call's snapshot is gone. */
static const VixExtVM *
look_up_snapshot (const VixCall *call, const VixExtSnapshot **ret_snapshot,
                  GError **error)
{
  const VixExtVM *vm = look_up (call, error);

  if (vm == NULL)
    return NULL;
  *ret_snapshot = vix_vm_record_find_snapshot (vm, call->snapshot->id);
  if (*ret_snapshot != NULL)
    return vm;
  vix_vm_record_unref (vm);
  g_set_error_literal (error, VIX_ERROR, VIX_E_SNAPSHOT_NOTFOUND,
                       "the snapshot was removed");
  return NULL;
}

/* Snapshots are sorted by id, which rises with age: oldest first. */
static int
count_children (const VixExtVM *vm, gint64 parent)
{
  int n = 0;

  for (gsize i = 0; i < vm->numSnapshots; i++)
    n += vm->snapshots[i].parent == parent;
  return n;
}

/* 0 if there is none. */
static gint64
nth_child (const VixExtVM *vm, gint64 parent, int index)
{
  for (gsize i = 0; i < vm->numSnapshots; i++)
    if (vm->snapshots[i].parent == parent && index-- == 0)
      return vm->snapshots[i].id;
  return 0;
}

/* Hands out the snapshot @id, or %VIX_E_SNAPSHOT_NOTFOUND for 0. */
static VixError
give_snapshot (const VixCall *call, gint64 id, VixHandle *to)
{
  VixSnapshot *snapshot;

  if (id == 0)
    return VIX_E_SNAPSHOT_NOTFOUND;
  snapshot = vix_snapshot_new (call->vm, id);
  *to = vix_object_give (snapshot);
  vix_object_unref (snapshot);
  return *to != VIX_INVALID_HANDLE ? VIX_OK : VIX_E_INVALID_HANDLE;
}

VixError
VixVM_GetNumRootSnapshots (VixHandle vmHandle, int *result)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (VixCall) call = vix_call_on_vm (vmHandle, &error);
  g_autoptr (VixVmRecord) vm = NULL;

  if (result == NULL)
    return VIX_E_INVALID_ARG;
  vm = look_up (call, &error);
  if (vm == NULL)
    return vix_error_to_public (error);
  *result = count_children (vm, 0);
  return VIX_OK;
}

VixError
VixVM_GetRootSnapshot (VixHandle vmHandle, int index, VixHandle *snapshotHandle)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (VixCall) call = vix_call_on_vm (vmHandle, &error);
  g_autoptr (VixVmRecord) vm = NULL;

  if (snapshotHandle == NULL)
    return VIX_E_INVALID_ARG;
  *snapshotHandle = VIX_INVALID_HANDLE;
  vm = look_up (call, &error);
  if (vm == NULL)
    return vix_error_to_public (error);
  return give_snapshot (call, nth_child (vm, 0, index), snapshotHandle);
}

VixError
VixVM_GetCurrentSnapshot (VixHandle vmHandle, VixHandle *snapshotHandle)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (VixCall) call = vix_call_on_vm (vmHandle, &error);
  g_autoptr (VixVmRecord) vm = NULL;

  if (snapshotHandle == NULL)
    return VIX_E_INVALID_ARG;
  *snapshotHandle = VIX_INVALID_HANDLE;
  vm = look_up (call, &error);
  if (vm == NULL)
    return vix_error_to_public (error);
  return give_snapshot (call, vm->currentSnapshot, snapshotHandle);
}

/*
 * Is @path, of @len bytes, the name of @snapshot, or a path that ends in it
 * and goes on with its parent? Names may contain the separator themselves.
 */
static gboolean
matches_path (const VixExtVM *vm, const VixExtSnapshot *snapshot,
              const char *path, gsize len, char separator)
{
  while (snapshot != NULL) {
    gsize n = strlen (snapshot->name);

    if (n > len || memcmp (path + len - n, snapshot->name, n) != 0)
      return FALSE;
    len -= n;
    if (len == 0)
      return TRUE;
    if (path[--len] != separator)
      return FALSE;
    snapshot = vix_vm_record_find_snapshot (vm, snapshot->parent);
  }
  return FALSE;
}

/* The separator of @name as a path; 0 if it can be none. */
static char
path_separator (const char *name)
{
  gboolean slash = strchr (name, '/') != NULL;
  gboolean backslash = strchr (name, '\\') != NULL;

  if (slash == backslash)
    return '\0';
  return slash ? '/' : '\\';
}

/* How many match; of one its id. */
static guint
find_named (const VixExtVM *vm, const char *name, gboolean as_path,
            gint64 *ret_id)
{
  char separator = as_path ? path_separator (name) : '\0';
  gsize len = strlen (name);
  guint n = 0;

  for (gsize i = 0; i < vm->numSnapshots; i++) {
    const VixExtSnapshot *snapshot = &vm->snapshots[i];
    gboolean hit = as_path
                     ? separator != '\0'
                         && matches_path (vm, snapshot, name, len, separator)
                     : strcmp (snapshot->name, name) == 0;

    if (hit) {
      *ret_id = snapshot->id;
      n++;
    }
  }
  return n;
}

VixError
VixVM_GetNamedSnapshot (VixHandle vmHandle, const char *name,
                        VixHandle *snapshotHandle)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (VixCall) call = vix_call_on_vm (vmHandle, &error);
  g_autoptr (VixVmRecord) vm = NULL;
  gint64 id = 0;
  guint n;

  if (snapshotHandle == NULL)
    return VIX_E_INVALID_ARG;
  *snapshotHandle = VIX_INVALID_HANDLE;
  if (call == NULL || !vix_check_text ("snapshot name", name, TRUE, &error))
    return vix_error_to_public (error);
  vm = look_up (call, &error);
  if (vm == NULL)
    return vix_error_to_public (error);
  n = find_named (vm, name, FALSE, &id);
  if (n == 0)
    n = find_named (vm, name, TRUE, &id);
  if (n > 1)
    return VIX_E_SNAPSHOT_NONUNIQUE_NAME;
  return give_snapshot (call, n == 1 ? id : 0, snapshotHandle);
}

VixError
VixSnapshot_GetNumChildren (VixHandle parentSnapshotHandle,
                            int *numChildSnapshots)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (VixCall) call
    = vix_call_on_snapshot (parentSnapshotHandle, &error);
  g_autoptr (VixVmRecord) vm = NULL;
  const VixExtSnapshot *snapshot;

  if (numChildSnapshots == NULL)
    return VIX_E_INVALID_ARG;
  vm = look_up_snapshot (call, &snapshot, &error);
  if (vm == NULL)
    return vix_error_to_public (error);
  *numChildSnapshots = count_children (vm, snapshot->id);
  return VIX_OK;
}

VixError
VixSnapshot_GetChild (VixHandle parentSnapshotHandle, int index,
                      VixHandle *childSnapshotHandle)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (VixCall) call
    = vix_call_on_snapshot (parentSnapshotHandle, &error);
  g_autoptr (VixVmRecord) vm = NULL;
  const VixExtSnapshot *snapshot;

  if (childSnapshotHandle == NULL)
    return VIX_E_INVALID_ARG;
  *childSnapshotHandle = VIX_INVALID_HANDLE;
  vm = look_up_snapshot (call, &snapshot, &error);
  if (vm == NULL)
    return vix_error_to_public (error);
  return give_snapshot (call, nth_child (vm, snapshot->id, index),
                        childSnapshotHandle);
}

VixError
VixSnapshot_GetParent (VixHandle snapshotHandle,
                       VixHandle *parentSnapshotHandle)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (VixCall) call = vix_call_on_snapshot (snapshotHandle, &error);
  g_autoptr (VixVmRecord) vm = NULL;
  const VixExtSnapshot *snapshot;

  if (parentSnapshotHandle == NULL)
    return VIX_E_INVALID_ARG;
  *parentSnapshotHandle = VIX_INVALID_HANDLE;
  vm = look_up_snapshot (call, &snapshot, &error);
  if (vm == NULL)
    return vix_error_to_public (error);
  if (snapshot->parent == 0)
    return VIX_OK;
  return give_snapshot (call, snapshot->parent, parentSnapshotHandle);
}
