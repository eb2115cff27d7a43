/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Deleting a VM: VMware's files of it, nothing else in the directory. The
 * .vmx goes last, so that a killed run is found and finished.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "workstation/remove-plan.h"
#include "workstation/remove.h"
#include "workstation/snapshot-state.h"
#include "workstation/vendor.h"

static gboolean
plan_name (WsChange *change, Txn *txn, const char *name, GError **error)
{
  return name == NULL || !ws_vm_dir_exists (change->dir, name)
         || txn_add_unlink (txn, name, error);
}

/* ---- disks ---- */

static gboolean
check_clones (WsChange *change, GError **error)
{
  for (gsize i = 0; i < ws_vmsd_get_count (change->vmsd); i++)
    if (!ws_check_no_clones (change, ws_vmsd_get_nth (change->vmsd, i), error))
      return FALSE;
  return TRUE;
}

/* @link and its parents, as far as they are this VM's alone. */
static gboolean
plan_chain (WsChange *change, Txn *txn, WsLink *link, GHashTable *done,
            GError **error)
{
  for (; link != NULL && link->own != NULL && link->reader == NULL;
       link = link->parent) {
    if (!g_hash_table_add (done, link))
      return TRUE;
    if (link->files == NULL) {
      g_set_error (
        error, VIX_ERROR, VIX_E_DISK_INVALIDCHAIN, "%s: %s", link->own,
        link->problem != NULL ? link->problem : "a part of it lies elsewhere");
      return FALSE;
    }
    if (!ws_change_lock (change, link->own, error))
      return FALSE;
    for (guint i = 0; link->files[i] != NULL; i++)
      if (!txn_add_unlink (txn, link->files[i], error))
        return FALSE;
  }
  return TRUE;
}

static gboolean
plan_disks (WsChange *change, Txn *txn, GError **error)
{
  g_autoptr (WsGraph) graph = NULL;
  g_autoptr (GHashTable) done = g_hash_table_new (NULL, NULL);
  g_autoptr (GHashTable) none = g_hash_table_new (g_int64_hash, g_int64_equal);

  if (!check_clones (change, error))
    return FALSE;
  graph = ws_graph_load (change, none, error);
  if (graph == NULL)
    return FALSE;
  for (guint i = 0; i < graph->links->len; i++) {
    WsLink *link = graph->links->pdata[i];

    if ((link->running || g_hash_table_size (link->frozen_by) > 0)
        && !plan_chain (change, txn, link, done, error))
      return FALSE;
  }
  return TRUE;
}

/* ---- the rest ---- */

static gboolean
plan_logs (WsChange *change, Txn *txn, GError **error)
{
  g_autoptr (GPtrArray) names = ws_vm_dir_list (change->dir, error);

  if (names == NULL)
    return FALSE;
  for (guint i = 0; i < names->len; i++)
    if (g_regex_match_simple ("^vmware(-[0-9]+)?\\.log$", names->pdata[i],
                              G_REGEX_RAW | G_REGEX_DOLLAR_ENDONLY, 0)
        && !txn_add_unlink (txn, names->pdata[i], error))
      return FALSE;
  return TRUE;
}

static gboolean
plan_texts (WsChange *change, Txn *txn, GError **error)
{
  g_autofree char *nvram = ws_nvram_name (change, change->vmx);
  g_autofree char *vmxf = ws_vmxf_name (change, change->vmx);
  g_auto (WsSuspendFiles) suspend = { 0 };

  if (!ws_find_suspend_files (change, &suspend, error))
    return FALSE;
  for (gsize i = 0; i < ws_vmsd_get_count (change->vmsd); i++)
    if (!ws_plan_drop_state (change, txn, ws_vmsd_get_nth (change->vmsd, i),
                             error))
      return FALSE;
  return plan_name (change, txn, suspend.vmss, error)
         && plan_name (change, txn, suspend.vmem, error)
         && plan_name (change, txn, nvram, error)
         && plan_name (change, txn, vmxf, error)
         && plan_name (change, txn, change->vmsd_name, error);
}

static gboolean
delete_files (WsChange *change, gboolean disk_files, GError **error)
{
  g_autoptr (Txn) txn = ws_change_new_txn (change);

  return (!disk_files || plan_disks (change, txn, error))
         && plan_texts (change, txn, error) && plan_logs (change, txn, error)
         && txn_add_unlink (txn, change->dir->vmx_name, error)
         && txn_prepare (txn, error)
         && vix_check_cancelled (change->op->cancellable, error)
         && txn_commit (txn, NULL, error);
}

/* ---- the VM it was cloned from ---- */

static gboolean
forget_clone (WsChange *parent, const char *clone_id, GError **error)
{
  g_autoptr (WsVmsd) vmsd = ws_vmsd_copy (parent->vmsd);
  g_autoptr (GBytes) bytes = NULL;
  g_autoptr (Txn) txn = ws_change_new_txn (parent);

  for (gsize i = 0; i < ws_vmsd_get_count (parent->vmsd); i++) {
    const WsSnapshot *s = ws_vmsd_get_nth (parent->vmsd, i);

    for (guint k = 0; s->clones != NULL && s->clones[k] != NULL; k++) {
      g_autofree char *path
        = ws_vm_dir_resolve_path (parent->dir, s->clones[k]);

      if (strcmp (path, clone_id) == 0
          && !ws_vmsd_remove_clone (vmsd, s->uid, s->clones[k], error))
        return FALSE;
    }
  }
  bytes = ws_vmsd_to_bytes (vmsd);
  return txn_add_replace (txn, parent->vmsd_name, bytes, error)
         && (txn_is_empty (txn)
             || (txn_prepare (txn, error) && txn_commit (txn, NULL, error)));
}

/* Best effort: an entry of a clone that is gone only makes that snapshot ask
 * before it is removed. */
static void
tell_parent (WsHost *host, const char *parent_vmx, const char *clone_id,
             const VixOp *op)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *id = ws_vm_id_from_path (parent_vmx, &error);
  g_autoptr (WsChange) parent
    = id == NULL ? NULL
                 : ws_change_begin (host, id, WS_CHANGE_TEXT, op, &error);

  if (parent == NULL || !forget_clone (parent, clone_id, &error))
    g_debug ("%s: still names the clone %s: %s", parent_vmx, clone_id,
             error->message);
  g_clear_pointer (&parent, ws_change_end);
  if (id != NULL)
    ws_host_refresh_vm (host, id);
}

static gboolean
delete_native (WsHost *host, const char *id, gboolean disk_files,
               const VixOp *op, GError **error)
{
  WsChange *change = ws_change_begin (host, id, WS_CHANGE_DELETE, op, error);
  g_autofree char *parent = NULL;
  g_autofree char *path = NULL;
  gboolean ok;

  if (change == NULL)
    return FALSE;
  path = g_strdup (change->dir->path);
  if (ws_vmsd_get_clone_of (change->vmsd) != NULL)
    parent = ws_vm_dir_resolve_path (change->dir,
                                     ws_vmsd_get_clone_of (change->vmsd));
  ok = delete_files (change, disk_files, error);
  ws_change_end (change);
  if (!ok)
    return FALSE;
  /* only if nothing else was in it */
  if (rmdir (path) < 0 && errno != ENOTEMPTY && errno != EEXIST)
    g_debug ("%s: %s", path, g_strerror (errno));
  if (parent != NULL)
    tell_parent (host, parent, id, op);
  return TRUE;
}

gboolean
ws_delete_vm (gpointer host, const char *id, gboolean disk_files,
              const VixOp *op, GError **error)
{
  WsHost *self = host;
  gboolean ok = self->vendor != NULL
                  ? ws_vendor_delete_vm (self, id, disk_files, op, error)
                  : delete_native (self, id, disk_files, op, error);

  ws_host_refresh_vm (self, id);
  return ok;
}
