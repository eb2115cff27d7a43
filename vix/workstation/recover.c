/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "workstation/recover.h"

#include <string.h>

#include "base/error.h"
#include "disk/write.h"

/* ---- what transactions do to disks ---- */

static void
on_merge_progress (gpointer data, int percent)
{
  WsChange *change = data;
  guint total = MAX (change->merges_total, 1);

  ws_op_progress (change->op,
                  (int)((change->merges_done * 100 + (guint)percent) / total));
}

VmdkMergeControl
ws_change_merge_control (WsChange *change, GCancellable *cancellable)
{
  return (VmdkMergeControl){ cancellable, on_merge_progress, change };
}

static VmdkLink *
open_own (WsChange *change, WsResolver *resolver, const char *name,
          gboolean writable, GError **error)
{
  if (writable && !ws_change_lock (change, name, error))
    return NULL;
  return vmdk_link_open (ws_resolver_vmdk (resolver), NULL, name,
                         VMDK_ROLE_DISK, writable, error);
}

gboolean
ws_open_below (WsResolver *resolver, VmdkLink *link, VmdkChain **ret_chain,
               GError **error)
{
  const char *hint = vmdk_link_get_parent_hint (link);
  g_autofree char *path = NULL;

  *ret_chain = NULL;
  if (hint == NULL)
    return TRUE;
  path = ws_resolver_locate (resolver, vmdk_link_get_id (link), hint,
                             VMDK_ROLE_PARENT, error);
  if (path != NULL)
    *ret_chain
      = vmdk_chain_open (ws_resolver_vmdk (resolver), NULL, path, error);
  return *ret_chain != NULL;
}

static gboolean
check_child (VmdkLink *child, VmdkLink *parent, const char *name, guint32 cid,
             GError **error)
{
  if (vmdk_link_get_cid (child) != cid) {
    g_set_error (error, VIX_ERROR, VIX_E_DISK_CID_MISMATCH,
                 "%s: written to since its merge was begun (CID %08x, then "
                 "%08x); it stays as it is",
                 name, vmdk_link_get_cid (child), cid);
    return FALSE;
  }
  if (vmdk_link_get_capacity (child) != vmdk_link_get_capacity (parent)) {
    g_set_error (error, VIX_ERROR, VIX_E_DISK_CAPACITY_MISMATCH,
                 "%s: not of its parent's capacity", name);
    return FALSE;
  }
  return TRUE;
}

/* A merge that was killed leaves the parent to be repaired first. */
static gboolean
merge_repairing (VmdkLink *parent, VmdkLink *child,
                 const VmdkMergeControl *control, GError **error)
{
  g_autoptr (GError) local = NULL;

  if (vmdk_merge_into_parent (parent, child, control, &local))
    return TRUE;
  if (g_error_matches (local, VIX_ERROR, VIX_E_DISK_NEEDSREPAIR))
    return vmdk_link_repair_tables (parent, error)
           && vmdk_merge_into_parent (parent, child, control, error);
  g_propagate_error (error, g_steal_pointer (&local));
  return FALSE;
}

static gboolean
merge_files (WsChange *change, const char *child_name, const char *parent_name,
             guint32 cid, GError **error)
{
  g_autoptr (WsResolver) resolver = ws_resolver_new (change->dir, change->vmx);
  VmdkMergeControl control
    = ws_change_merge_control (change, change->merge_cancellable);
  g_autoptr (VmdkChain) below = NULL;
  g_autoptr (VmdkLink) child = NULL;
  g_autoptr (VmdkLink) parent = NULL;

  child = open_own (change, resolver, child_name, FALSE, error);
  if (child == NULL)
    return FALSE;
  parent = open_own (change, resolver, parent_name, TRUE, error);
  if (parent == NULL || !check_child (child, parent, child_name, cid, error)
      || !ws_open_below (resolver, parent, &below, error))
    return FALSE;
  vmdk_merge_set_below (parent, below);
  if (!merge_repairing (parent, child, &control, error))
    return FALSE;
  /* Of several merges the removal gives back the rest itself, see remove.c. */
  return change->merges_total > 0 || vmdk_merge_release_parent (parent, error);
}

static gboolean
handle_merge (gpointer data, const char *child, const char *parent, guint32 cid,
              GError **error)
{
  WsChange *change = data;

  if (!ws_vm_dir_exists (change->dir, child))
    return TRUE;
  if (!merge_files (change, child, parent, cid, error)) {
    g_prefix_error (error, "merging %s into %s: ", child, parent);
    return FALSE;
  }
  change->merges_done++;
  return TRUE;
}

static gboolean
handle_repair (gpointer data, const char *name, GError **error)
{
  WsChange *change = data;
  g_autoptr (WsResolver) resolver = ws_resolver_new (change->dir, NULL);
  g_autoptr (VmdkLink) link = NULL;

  if (!ws_vm_dir_exists (change->dir, name))
    return TRUE;
  link = open_own (change, resolver, name, TRUE, error);
  return link != NULL && vmdk_link_repair_tables (link, error)
         && vmdk_link_sync (link, error);
}

TxnHandlers
ws_recover_handlers (WsChange *change)
{
  return (TxnHandlers){ handle_merge, handle_repair, change };
}

/* ---- recovery ---- */

gboolean
ws_recover_locked (WsChange *change, gboolean merges, gboolean *ret_merges_left,
                   GError **error)
{
  g_autofree char *journal = ws_vm_dir_name (change->dir, WS_JOURNAL_SUFFIX);
  TxnHandlers handlers = ws_recover_handlers (change);
  g_autoptr (GError) dropped = NULL;
  TxnState state;

  if (ret_merges_left != NULL)
    *ret_merges_left = FALSE;
  if (!txn_peek (change->dir->fd, journal, &state, error))
    return FALSE;
  if (state == TXN_STATE_NONE)
    return TRUE;
  if (state == TXN_STATE_REDO_LONG && !merges) {
    if (ret_merges_left != NULL)
      *ret_merges_left = TRUE;
    return TRUE;
  }
  change->merge_cancellable = change->op->cancellable;
  if (!txn_recover (change->dir->fd, journal, &handlers, &dropped, error)) {
    g_prefix_error (error, "%s: recovering: ", change->dir->id);
    return FALSE;
  }
  change->merge_cancellable = NULL;
  change->merges_done = 0;
  if (dropped != NULL)
    g_debug ("%s: a merge was given up: %s", change->dir->id, dropped->message);
  return TRUE;
}

static gboolean
is_at_work (const GError *error)
{
  return g_error_matches (error, VIX_ERROR, VIX_E_OBJECT_IS_BUSY)
         || g_error_matches (error, VIX_ERROR, VIX_E_FILE_ALREADY_LOCKED)
         || g_error_matches (error, VIX_ERROR, VIX_E_VM_NOT_FOUND);
}

/* Locks that killed ones of us left; takes none of VMware's for it. */
static void
sweep_locks (WsHost *host, const char *id, gboolean *ret_journal)
{
  g_autoptr (WsVmDir) dir = ws_host_open_vm_dir (host, id, NULL);
  g_autoptr (WsDirLock) lock = NULL;
  g_autoptr (GPtrArray) names = NULL;
  g_autofree char *journal = NULL;

  *ret_journal = FALSE;
  if (dir == NULL)
    return;
  lock = ws_dir_lock_take (dir->fd, dir->path, 0, NULL, NULL);
  if (lock == NULL)
    return;
  names = ws_vm_dir_list (dir, NULL);
  journal = ws_vm_dir_name (dir, WS_JOURNAL_SUFFIX);
  for (guint i = 0; names != NULL && i < names->len; i++) {
    g_autofree char *name = g_strdup (names->pdata[i]);

    *ret_journal |= strcmp (name, journal) == 0;
    if (!g_str_has_suffix (name, ".lck"))
      continue;
    name[strlen (name) - strlen (".lck")] = '\0';
    if (*name != '\0')
      ws_file_lock_sweep (dir->fd, name);
  }
}

gboolean
ws_recover_with (WsHost *host, const char *id, gboolean merges,
                 GCancellable *cancellable, gboolean *ret_merges_left,
                 GError **error)
{
  g_autoptr (GCancellable) never
    = cancellable == NULL ? g_cancellable_new () : g_object_ref (cancellable);
  VixOp op = { .cancellable = never };
  g_autoptr (GError) local = NULL;
  g_autoptr (WsChange) change = NULL;
  gboolean journal;

  *ret_merges_left = FALSE;
  sweep_locks (host, id, &journal);
  if (!journal)
    return TRUE;
  change = ws_change_open (host, id, 0, &op, &local);
  if (change != NULL)
    return ws_recover_locked (change, merges, ret_merges_left, error);
  if (is_at_work (local))
    return TRUE;
  g_propagate_error (error, g_steal_pointer (&local));
  return FALSE;
}

gboolean
ws_recover_vm (WsHost *host, const WsVmDir *dir, GCancellable *cancellable,
               GError **error)
{
  gboolean merges_left;

  if (!ws_recover_with (host, dir->id, FALSE, cancellable, &merges_left, error))
    return FALSE;
  if (merges_left && host->merges != NULL)
    ws_merge_queue_push (host->merges, dir->id);
  return TRUE;
}
