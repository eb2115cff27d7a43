/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Going back to a snapshot: its configuration with fresh, empty children of
 * the disks it froze; the running disks, which nothing can lead back to, go.
 */
#include <string.h>

#include "base/error.h"
#include "workstation/disk-name.h"
#include "workstation/make-file.h"
#include "workstation/remove-plan.h"
#include "workstation/snapshot-state.h"
#include "workstation/vendor.h"

/* A frozen disk, and its new child. */
typedef struct {
  VmdkChain *chain;
  char *child;
} Thaw;

typedef struct {
  WsChange *change;
  const WsSnapshot *snapshot;
  gboolean suppress_power_on;
  WsSavedState state;
  KvFile *vmx; /* as it will be */
  GPtrArray *thaws;
  WsRemoval *removal;
  WsSuspendFiles old_suspend;
  /* The suspended state that comes back: what it was copied to, and new
   * names; NULL if there is none. */
  char *saved_vmss, *saved_vmem;
  char *new_vmss, *new_vmem;
} Revert;

static void
thaw_free (Thaw *thaw)
{
  g_clear_pointer (&thaw->chain, vmdk_chain_free);
  g_free (thaw->child);
  g_free (thaw);
}

static void
revert_clear (Revert *r)
{
  ws_saved_state_clear (&r->state);
  g_clear_pointer (&r->vmx, kv_file_free);
  g_clear_pointer (&r->thaws, g_ptr_array_unref);
  g_clear_pointer (&r->removal, ws_removal_free);
  ws_suspend_files_clear (&r->old_suspend);
  g_free (r->saved_vmss);
  g_free (r->saved_vmem);
  g_free (r->new_vmss);
  g_free (r->new_vmem);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Revert, revert_clear)

static gboolean
not_revertable (const Revert *r, const char *what, const char *which,
                GError **error)
{
  g_set_error (error, VIX_ERROR, VIX_E_SNAPSHOT_NOT_REVERTABLE,
               "snapshot \"%s\" (uid %" G_GINT64_FORMAT "): %s %s",
               r->snapshot->name, r->snapshot->uid, which, what);
  return FALSE;
}

/* ---- the configuration ---- */

static gboolean
load_config (Revert *r, GError **error)
{
  gsize len;
  const char *text;
  g_autofree char *label = g_strdup_printf (
    "configuration of snapshot %" G_GINT64_FORMAT, r->snapshot->uid);

  if (!ws_load_state (r->change, r->snapshot, &r->state, error))
    return FALSE;
  text = g_bytes_get_data (r->state.vmx, &len);
  r->vmx = kv_file_parse (text, len, label, error);
  return r->vmx != NULL && ws_vmx_check_native (r->vmx, label, error);
}

/* A disk that the snapshot does not hold is written to from now on. */
static gboolean
check_own_disk (Revert *r, const WsVmxDisk *disk, GError **error)
{
  WsLink *link;

  if (disk->in_snapshots)
    return not_revertable (r, "takes part in snapshots but was not frozen",
                           disk->node, error);
  link = ws_graph_find (r->removal->graph, r->change, disk->file_name, NULL);
  if (link != NULL
      && (g_hash_table_size (link->frozen_by) > 0 || link->children->len > 0))
    return not_revertable (
      r, "was no part of snapshots then, but others depend on it now",
      disk->file_name, error);
  return TRUE;
}

static gboolean
plan_disk (Revert *r, const WsVmxDisk *disk, WsDiskNames *names, GError **error)
{
  const WsSnapshotDisk *frozen
    = ws_snapshot_find_disk (r->snapshot, disk->node);
  Thaw *thaw;

  if (frozen == NULL)
    return check_own_disk (r, disk, error);
  thaw = g_new0 (Thaw, 1);
  g_ptr_array_add (r->thaws, thaw);
  thaw->chain = vmdk_chain_open (ws_resolver_vmdk (r->change->resolver), NULL,
                                 frozen->file_name, error);
  if (thaw->chain == NULL) {
    g_prefix_error (error, "%s: ", disk->node);
    return FALSE;
  }
  if (vmdk_chain_get_depth (thaw->chain) >= VMDK_MAX_CHAIN) {
    g_set_error (error, VIX_ERROR, VIX_E_SNAPSHOT_HIERARCHY_TOODEEP,
                 "%s: %s has too many links", disk->node, frozen->file_name);
    return FALSE;
  }
  thaw->child = ws_disk_names_take_child (names, frozen->file_name);
  return thaw->child != NULL
           ? ws_vmx_set_disk_file (r->vmx, disk->node, thaw->child, error)
           : not_revertable (r, "has no number left for a child",
                             frozen->file_name, error);
}

static gboolean
plan_disks (Revert *r, GError **error)
{
  g_autoptr (GPtrArray) files = ws_vm_dir_list (r->change->dir, error);
  g_autoptr (GPtrArray) disks = NULL;
  g_autoptr (WsDiskNames) names = NULL;

  if (files == NULL)
    return FALSE;
  names = ws_disk_names_new (files);
  disks = ws_vmx_list_disks (r->vmx);
  r->thaws = g_ptr_array_new_with_free_func ((GDestroyNotify)thaw_free);
  for (guint i = 0; i < disks->len; i++)
    if (!plan_disk (r, disks->pdata[i], names, error))
      return FALSE;
  for (guint k = 0; k < r->snapshot->num_disks; k++)
    if (ws_vmx_find_disk (disks, r->snapshot->disks[k].node) == NULL)
      return not_revertable (r, "is frozen, but not in its configuration",
                             r->snapshot->disks[k].node, error);
  return TRUE;
}

/* ---- suspended states ---- */

static void
plan_suspended (Revert *r)
{
  WsChange *change = r->change;
  g_autofree char *vmss
    = ws_state_name (change->dir->stem, r->snapshot->uid, WS_STATE_SAVED_VMSS);
  g_autofree char *vmem
    = ws_state_name (change->dir->stem, r->snapshot->uid, WS_STATE_SAVED_VMEM);
  guint32 number;

  if (r->suppress_power_on || !ws_vm_dir_exists (change->dir, vmss))
    return;
  r->saved_vmss = g_steal_pointer (&vmss);
  if (ws_vm_dir_exists (change->dir, vmem))
    r->saved_vmem = g_steal_pointer (&vmem);
  do {
    number = g_random_int ();
    g_free (r->new_vmss);
    g_free (r->new_vmem);
    r->new_vmss = g_strdup_printf ("%s-%08x.vmss", change->dir->stem, number);
    r->new_vmem = g_strdup_printf ("%s-%08x.vmem", change->dir->stem, number);
  } while (ws_vm_dir_exists (change->dir, r->new_vmss)
           || ws_vm_dir_exists (change->dir, r->new_vmem));
}

/* What the VM wakes up with: nothing, the memory of a snapshot that VMware
 * took, or a suspended state. */
static gboolean
plan_vm_state (Revert *r, GError **error)
{
  const char *state = "";

  plan_suspended (r);
  if (r->new_vmss != NULL)
    state = r->new_vmss;
  else if (r->snapshot->has_memory && !r->suppress_power_on)
    state = r->snapshot->state_file;
  if (*state == '\0' && ws_vmx_get_state_file (r->vmx) == NULL)
    return TRUE;
  return kv_file_set (r->vmx, "checkpoint.vmState", state, error);
}

/* The suspended state that is given up; a snapshot's own is not. */
static gboolean
plan_drop_suspended (Revert *r, Txn *txn, GError **error)
{
  const char *vmss = r->old_suspend.vmss;

  if (vmss == NULL || g_str_has_suffix (vmss, ".vmsn")
      || kv_file_get_bool (r->change->vmx, "checkpoint.vmState.readOnly",
                           FALSE))
    return TRUE;
  for (gsize i = 0; i < ws_vmsd_get_count (r->change->vmsd); i++)
    if (strcmp (ws_vmsd_get_nth (r->change->vmsd, i)->state_file, vmss) == 0)
      return TRUE;
  return txn_add_unlink (txn, vmss, error)
         && (r->old_suspend.vmem == NULL
             || txn_add_unlink (txn, r->old_suspend.vmem, error));
}

/* ---- the transaction ---- */

static gboolean
plan_creates (Revert *r, Txn *txn, GError **error)
{
  for (guint i = 0; i < r->thaws->len; i++)
    if (!txn_add_create (txn, ((Thaw *)r->thaws->pdata[i])->child, error))
      return FALSE;
  return (r->saved_vmss == NULL || txn_add_create (txn, r->new_vmss, error))
         && (r->saved_vmem == NULL || txn_add_create (txn, r->new_vmem, error));
}

static gboolean
plan_text (Txn *txn, char *name, GBytes *content, GError **error)
{
  g_autofree char *owned = name;

  return owned == NULL || content == NULL
         || txn_add_replace (txn, owned, content, error);
}

static gboolean
plan_texts (Revert *r, Txn *txn, GError **error)
{
  WsChange *change = r->change;
  g_autoptr (GBytes) vmx = kv_file_to_bytes (r->vmx);
  g_autoptr (WsVmsd) vmsd = ws_vmsd_copy (change->vmsd);
  g_autoptr (GBytes) vmsd_bytes = NULL;

  if (!ws_vmsd_set_current (vmsd, r->snapshot->uid, error))
    return FALSE;
  vmsd_bytes = ws_vmsd_to_bytes (vmsd);
  return txn_add_replace (txn, change->dir->vmx_name, vmx, error)
         && txn_add_replace (txn, change->vmsd_name, vmsd_bytes, error)
         && plan_text (txn, ws_nvram_name (change, r->vmx), r->state.nvram,
                       error)
         && plan_text (txn, ws_vmxf_name (change, r->vmx), r->state.vmxf,
                       error);
}

static gboolean
plan_drops (Revert *r, Txn *txn, GError **error)
{
  for (guint i = 0; i < r->removal->doomed->len; i++) {
    const WsLink *link = r->removal->doomed->pdata[i];

    for (guint k = 0; link->files[k] != NULL; k++)
      if (!txn_add_unlink (txn, link->files[k], error))
        return FALSE;
  }
  return plan_drop_suspended (r, txn, error);
}

static gboolean
make_files (Revert *r, Txn *txn, GError **error)
{
  for (guint i = 0; i < r->thaws->len; i++) {
    const Thaw *thaw = r->thaws->pdata[i];

    if (!ws_make_child (r->change, txn, thaw->chain, thaw->child, error))
      return FALSE;
  }
  return ws_make_copy (r->change, txn, r->saved_vmss, r->new_vmss, error)
         && ws_make_copy (r->change, txn, r->saved_vmem, r->new_vmem, error);
}

static gboolean
revert (WsChange *change, const WsSnapshot *snapshot,
        gboolean suppress_power_on, GError **error)
{
  g_auto (Revert) r = { .change = change,
                        .snapshot = snapshot,
                        .suppress_power_on = suppress_power_on };
  g_autoptr (Txn) txn = NULL;

  r.removal = ws_removal_plan_revert (change, error);
  if (r.removal == NULL || !load_config (&r, error) || !plan_disks (&r, error)
      || !plan_vm_state (&r, error)
      || !ws_find_suspend_files (change, &r.old_suspend, error))
    return FALSE;
  txn = ws_change_new_txn (change);
  return plan_creates (&r, txn, error) && plan_texts (&r, txn, error)
         && plan_drops (&r, txn, error) && txn_prepare (txn, error)
         && make_files (&r, txn, error)
         && vix_check_cancelled (change->op->cancellable, error)
         && txn_commit (txn, NULL, error);
}

static gboolean
revert_native (WsHost *host, const char *id, gint64 uid,
               gboolean suppress_power_on, const VixOp *op, GError **error)
{
  g_autoptr (WsChange) change
    = ws_change_begin (host, id, WS_CHANGE_DISKS, op, error);
  const WsSnapshot *snapshot;

  if (change == NULL)
    return FALSE;
  snapshot = ws_change_find (change, uid, error);
  return snapshot != NULL
         && revert (change, snapshot, suppress_power_on, error);
}

gboolean
ws_revert_to_snapshot (gpointer host, const char *id, gint64 snapshot,
                       gboolean suppress_power_on, const VixOp *op,
                       GError **error)
{
  WsHost *self = host;
  gboolean ok
    = self->vendor != NULL
        ? ws_vendor_revert_to_snapshot (self, id, snapshot, suppress_power_on,
                                        op, error)
        : revert_native (self, id, snapshot, suppress_power_on, op, error);

  ws_host_refresh_vm (self, id);
  return ok;
}
