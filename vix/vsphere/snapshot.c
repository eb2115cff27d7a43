/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "base/error.h"
#include "vsphere/host-private.h"
#include "vsphere/name.h"
#include "vsphere/soap/fault.h"

/* Characters of a snapshot's name, however they are escaped on the wire: as
 * many as other names have, and as the products' own dialogs take. */
#define MAX_NAME 80
/* Creates of unknown fate that are remembered. */
#define MAX_UNSETTLED 64

/* ---- creating ---- */

/* By what a snapshot of ours is known when its answer was lost. */
typedef struct {
  char *vm;
  char *name;
  char *description;
  const VixExtVM *before; /* the VM before the request; owned */
  gint64 not_before;      /* by the host's clock; 0 unknown */
  gint64 found;           /* id */
} Create;

static void
create_free (gpointer data)
{
  Create *self = data;

  g_free (self->vm);
  g_free (self->name);
  g_free (self->description);
  vix_vm_record_unref (self->before);
  g_free (self);
}

static gboolean
looks_ours (const VixExtSnapshot *snapshot, const Create *self)
{
  return vix_vm_record_find_snapshot (self->before, snapshot->id) == NULL
         && g_str_equal (snapshot->name, self->name)
         && g_str_equal (snapshot->description, self->description)
         && (self->before->currentSnapshot == 0
             || snapshot->parent == self->before->currentSnapshot)
         && (self->not_before == 0 || snapshot->created == 0
             || snapshot->created >= self->not_before);
}

static gboolean
judge_create (const VsphereVm *vm, const char *result, gpointer data)
{
  Create *self = data;
  const VixExtVM *record = vsphere_vm_get_record (vm);
  gint64 wanted = result == NULL ? 0 : vsphere_vm_find_snapshot_id (vm, result);

  for (size_t i = 0; i < record->numSnapshots; i++) {
    const VixExtSnapshot *snapshot = &record->snapshots[i];

    if ((result == NULL || snapshot->id == wanted)
        && looks_ours (snapshot, self)) {
      self->found = snapshot->id;
      return TRUE;
    }
  }
  return FALSE;
}

/* A create of the same snapshot that ended in the dark: was it made after
 * all? (transfer full) (nullable) */
static Create *
take_unsettled (VsphereHost *host, const char *id,
                const VixSnapshotParams *params)
{
  Create *found = NULL;

  vix_lock (&host->lock);
  for (GList *link = host->unsettled.head; link != NULL; link = link->next) {
    Create *create = link->data;

    if (g_str_equal (create->vm, id) && g_str_equal (create->name, params->name)
        && g_str_equal (create->description, params->description)) {
      found = create;
      g_queue_delete_link (&host->unsettled, link);
      break;
    }
  }
  vix_unlock (&host->lock);
  return found;
}

static void
remember_unsettled (VsphereHost *host, Create *create)
{
  Create *oldest = NULL;

  vix_lock (&host->lock);
  g_queue_push_tail (&host->unsettled, create);
  if (host->unsettled.length > MAX_UNSETTLED)
    oldest = g_queue_pop_head (&host->unsettled);
  vix_unlock (&host->lock);
  if (oldest != NULL)
    create_free (oldest);
}

void
vsphere_snapshot_clear_unsettled (VsphereHost *host)
{
  g_queue_clear_full (&host->unsettled, create_free);
}

static gboolean
has_snapshot_ref (const VsphereVm *vm, gpointer ref)
{
  return vsphere_vm_find_snapshot_id (vm, ref) != 0;
}

static gboolean
has_snapshot_id (const VsphereVm *vm, gpointer id)
{
  return vix_vm_record_find_snapshot (vsphere_vm_get_record (vm), *(gint64 *)id)
         != NULL;
}

/* The id of the new snapshot, once the inventory shows it. */
static gboolean
settle_create (VsphereHost *host, const char *id, const char *ref, gint64 found,
               gint64 *ret_id, const VixOp *op, GError **error)
{
  const VsphereVm *vm;

  if (ref == NULL)
    vsphere_change_settle (host, id, has_snapshot_id, &found);
  else
    vsphere_change_settle (host, id, has_snapshot_ref, (gpointer)ref);
  if (ref != NULL) {
    vix_lock (&host->lock);
    vm = vsphere_mirror_get_vm (host->mirror, id);
    found = vm == NULL ? 0 : vsphere_vm_find_snapshot_id (vm, ref);
    vix_unlock (&host->lock);
  }
  if (found == 0) {
    g_set_error_literal (error, VIX_ERROR, VIX_E_SNAPSHOT_NOTFOUND,
                         "the snapshot was made, and is not there any more");
    return FALSE;
  }
  *ret_id = found;
  return TRUE;
}

static gboolean
check_name (const char *name, GError **error)
{
  glong n = g_utf8_strlen (name, -1);

  if (n <= MAX_NAME)
    return TRUE;
  g_set_error (error, VIX_ERROR, VIX_E_SNAPSHOT_NAMETOOLONG,
               "names of snapshots have at most %d characters on this kind of "
               "host; this one has %ld",
               MAX_NAME, n);
  return FALSE;
}

/* A host insists on a name. */
static char *
wire_name (const char *name)
{
  g_autoptr (GDateTime) now = NULL;

  if (*name != '\0')
    return vsphere_name_encode (name);
  now = g_date_time_new_now_utc ();
  return g_date_time_format (now, "snapshot %Y-%m-%dT%H:%M:%SZ");
}

static Create *
create_new (VsphereHost *host, const char *id, const char *wire,
            const VixSnapshotParams *params, const VixExtVM *before)
{
  Create *self = g_new0 (Create, 1);

  self->vm = g_strdup (id);
  self->name = vsphere_name_decode (wire);
  self->description = g_strdup (params->description);
  self->before = vix_vm_record_ref (before);
  self->not_before = vsphere_session_get_host_time (host->session);
  return self;
}

gboolean
vsphere_create_snapshot (VsphereHost *host, const char *id,
                         const VixSnapshotParams *params, gint64 *ret_id,
                         const VixOp *op, GError **error)
{
  static const char *const names[]
    = { "createSnapshot", "createSnapshotEx", NULL };
  g_autoptr (VixVmRecord) before = NULL;
  g_autofree char *wire = wire_name (params->name);
  g_autofree char *ref = NULL;
  SoapCreateSnapshotArgs args = {
    .name = wire,
    .description = *params->description == '\0' ? NULL : params->description,
    .memory = params->memory,
    .quiesce = params->quiesce,
  };
  VsphereChangeCall call = { .method = &soap_method_CreateSnapshot_Task,
                             .object = { "VirtualMachine", id },
                             .args = &args,
                             .task_names = names,
                             .judge = judge_create,
                             .returns = TRUE };
  g_autoptr (GError) failure = NULL;
  Create *create;
  gint64 found;
  gboolean ok;

  if (!check_name (params->name, error))
    return FALSE;
  create = take_unsettled (host, id, params);
  if (create != NULL
      && vsphere_change_look (host, id, judge_create, create, NULL)) {
    found = create->found;
    create_free (create);
    return settle_create (host, id, NULL, found, ret_id, op, error);
  }
  if (create != NULL)
    create_free (create);
  before = vsphere_lookup_vm (host, id, op->cancellable, error);
  if (before == NULL)
    return FALSE;
  call.data = create = create_new (host, id, wire, params, before);
  ok = vsphere_change_run (host, id, &call, op, &ref, &failure);
  found = create->found;
  if (!ok && call.unknown && *params->name != '\0')
    remember_unsettled (host, create);
  else
    create_free (create);
  if (!ok) {
    g_propagate_error (error, g_steal_pointer (&failure));
    return FALSE;
  }
  return settle_create (host, id, ref, found, ret_id, op, error);
}

/* ---- reverting ---- */

typedef struct {
  gint64 snapshot;
  gint64 before; /* the current one then */
} Current;

static gboolean
is_current (const VsphereVm *vm, gpointer data)
{
  const Current *wanted = data;

  return vsphere_vm_get_record (vm)->currentSnapshot == wanted->snapshot;
}

/* Going back to where one came from leaves no trace but the task. */
static gboolean
judge_revert (const VsphereVm *vm, const char *result, gpointer data)
{
  const Current *wanted = data;

  return wanted->before != wanted->snapshot && is_current (vm, data);
}

gboolean
vsphere_revert_to_snapshot (VsphereHost *host, const char *id, gint64 snapshot,
                            gboolean suppress_power_on, const VixOp *op,
                            GError **error)
{
  static const char *const names[] = { "revertToSnapshot", NULL };
  g_autoptr (VixVmRecord) before
    = vsphere_lookup_vm (host, id, op->cancellable, error);
  SoapRevertToSnapshotArgs args = { .suppressPowerOn = suppress_power_on };
  Current wanted = { snapshot, 0 };
  VsphereChangeCall call = { .method = &soap_method_RevertToSnapshot_Task,
                             .args = &args,
                             .task_names = names,
                             .judge = judge_revert,
                             .data = &wanted };
  g_autofree char *ref = NULL;

  if (before == NULL)
    return FALSE;
  ref = vsphere_lookup_snapshot (host, id, snapshot, op->cancellable, error);
  if (ref == NULL)
    return FALSE;
  wanted.before = before->currentSnapshot;
  call.object = (SoapRef){ "VirtualMachineSnapshot", ref };
  if (!vsphere_change_run (host, id, &call, op, NULL, error))
    return FALSE;
  /* Back to where the VM came from, no news would tell that they are all
   * there: it may have another power state and configuration. */
  vsphere_refresh_vm (host, id, NULL, NULL);
  return TRUE;
}

/* ---- removing ---- */

static gboolean
is_removed (const VsphereVm *vm, gpointer id)
{
  return !has_snapshot_id (vm, id);
}

static gboolean
judge_remove (const VsphereVm *vm, const char *result, gpointer id)
{
  return is_removed (vm, id);
}

gboolean
vsphere_remove_snapshot (VsphereHost *host, const char *id, gint64 snapshot,
                         gboolean children, const VixOp *op, GError **error)
{
  static const char *const names[] = { "removeSnapshot", NULL };
  SoapRemoveSnapshotArgs args = { .removeChildren = children };
  VsphereChangeCall call = { .method = &soap_method_RemoveSnapshot_Task,
                             .args = &args,
                             .task_names = names,
                             .judge = judge_remove,
                             .data = &snapshot };
  g_autofree char *ref
    = vsphere_lookup_snapshot (host, id, snapshot, op->cancellable, error);

  if (ref == NULL)
    return FALSE;
  call.object = (SoapRef){ "VirtualMachineSnapshot", ref };
  if (!vsphere_change_run (host, id, &call, op, NULL, error))
    return FALSE;
  vsphere_change_settle (host, id, is_removed, &snapshot);
  return TRUE;
}

/* ---- renaming and describing ---- */

typedef struct {
  gint64 snapshot;
  const char *name;        /* NULL: any */
  const char *description; /* likewise */
} Edit;

static gboolean
is_edited (const VsphereVm *vm, gpointer data)
{
  const Edit *edit = data;
  const VixExtSnapshot *snapshot
    = vix_vm_record_find_snapshot (vsphere_vm_get_record (vm), edit->snapshot);

  return snapshot != NULL
         && (edit->name == NULL || g_str_equal (snapshot->name, edit->name))
         && (edit->description == NULL
             || g_str_equal (snapshot->description, edit->description));
}

static gboolean
judge_edit (const VsphereVm *vm, const char *result, gpointer data)
{
  return is_edited (vm, data);
}

gboolean
vsphere_edit_snapshot (VsphereHost *host, const char *id, gint64 snapshot,
                       const char *name, const char *description,
                       const VixOp *op, GError **error)
{
  g_autofree char *wire = name == NULL ? NULL : vsphere_name_encode (name);
  g_autofree char *ref = NULL;
  /* What is left as it is must not be sent: "" would wipe it. */
  SoapRenameSnapshotArgs args = { .name = wire, .description = description };
  Edit edit = { snapshot, name, description };
  VsphereChangeCall call = { .method = &soap_method_RenameSnapshot,
                             .args = &args,
                             .judge = judge_edit,
                             .data = &edit };

  if (name != NULL && !check_name (name, error))
    return FALSE;
  ref = vsphere_lookup_snapshot (host, id, snapshot, op->cancellable, error);
  if (ref == NULL)
    return FALSE;
  call.object = (SoapRef){ "VirtualMachineSnapshot", ref };
  if (!vsphere_change_run (host, id, &call, op, NULL, error))
    return FALSE;
  vsphere_change_settle (host, id, is_edited, &edit);
  return TRUE;
}
