/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "workstation/vm-change.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/error.h"
#include "workstation/recover.h"

void
ws_op_progress (const VixOp *op, int percent)
{
  if (op->progress != NULL)
    op->progress (op->progress_data, percent);
}

void
ws_change_end (WsChange *self)
{
  if (self == NULL)
    return;
  /* in the reverse order of taking */
  for (guint i = self->file_locks->len; i > 0; i--)
    ws_file_lock_release (self->file_locks->pdata[i - 1]);
  g_ptr_array_unref (self->file_locks);
  g_hash_table_unref (self->locked);
  g_clear_pointer (&self->resolver, ws_resolver_free);
  g_clear_pointer (&self->disks, g_ptr_array_unref);
  g_clear_pointer (&self->vmsd, ws_vmsd_free);
  g_clear_pointer (&self->vmx, kv_file_free);
  g_clear_pointer (&self->dir_lock, ws_dir_lock_release);
  g_clear_pointer (&self->dir, ws_vm_dir_close);
  g_free (self->vmsd_name);
  g_free (self);
}

gboolean
ws_change_lock (WsChange *self, const char *name, GError **error)
{
  WsFileLock *lock;

  if (g_hash_table_contains (self->locked, name))
    return TRUE;
  /* Somebody who has it open keeps it for hours: say so at once. A short
   * clash of two takers is waited out. */
  if (!ws_file_lock_check (self->dir->fd, name, error))
    return FALSE;
  lock = ws_file_lock_take (self->dir->fd, self->dir->path, name,
                            WS_FILE_LOCK_WAIT_MS, self->op->cancellable, error);
  if (lock == NULL)
    return FALSE;
  g_ptr_array_add (self->file_locks, lock);
  g_hash_table_add (self->locked, g_strdup (name));
  return TRUE;
}

Txn *
ws_change_new_txn (WsChange *self)
{
  g_autofree char *journal = ws_vm_dir_name (self->dir, WS_JOURNAL_SUFFIX);
  TxnHandlers handlers = ws_recover_handlers (self);

  return txn_new (self->dir->fd, journal, &self->vmx_stat, &handlers);
}

char *
ws_change_locate (WsChange *self, const char *file_name, GError **error)
{
  return ws_resolver_locate (self->resolver, NULL, file_name, VMDK_ROLE_DISK,
                             error);
}

const char *
ws_change_relative (const WsChange *self, const char *path)
{
  gsize len = strlen (self->dir->path);

  if (strncmp (path, self->dir->path, len) == 0 && path[len] == '/')
    return path + len + 1;
  return path;
}

const WsSnapshot *
ws_change_find (WsChange *self, gint64 uid, GError **error)
{
  const WsSnapshot *snapshot = ws_vmsd_find (self->vmsd, uid);

  if (snapshot == NULL)
    g_set_error (error, VIX_ERROR, VIX_E_SNAPSHOT_NOTFOUND,
                 "%s: there is no snapshot with uid %" G_GINT64_FORMAT,
                 self->vmsd_name, uid);
  return snapshot;
}

/* ---- begin ---- */

gboolean
ws_change_reload (WsChange *self, GError **error)
{
  g_clear_pointer (&self->resolver, ws_resolver_free);
  g_clear_pointer (&self->disks, g_ptr_array_unref);
  g_clear_pointer (&self->vmsd, ws_vmsd_free);
  g_clear_pointer (&self->vmx, kv_file_free);
  self->vmx = ws_vm_dir_read_vmx (self->dir, error);
  if (self->vmx == NULL)
    return FALSE;
  self->vmsd = ws_vm_dir_read_vmsd (self->dir, error);
  if (self->vmsd == NULL)
    return FALSE;
  self->disks = ws_vmx_list_disks (self->vmx);
  self->resolver = ws_resolver_new (self->dir, self->vmx);
  if (fstatat (self->dir->fd, self->dir->vmx_name, &self->vmx_stat,
               AT_SYMLINK_NOFOLLOW)
      < 0) {
    vix_set_error_errno (error, errno, "%s", self->dir->id);
    return FALSE;
  }
  return TRUE;
}

gboolean
ws_change_check_running_disks (WsChange *self, GError **error)
{
  g_autoptr (GHashTable) frozen
    = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);

  for (gsize i = 0; i < ws_vmsd_get_count (self->vmsd); i++) {
    const WsSnapshot *s = ws_vmsd_get_nth (self->vmsd, i);

    for (guint k = 0; k < s->num_disks; k++)
      g_hash_table_insert (
        frozen, ws_vm_dir_resolve_path (self->dir, s->disks[k].file_name),
        (gpointer)s);
  }
  for (guint i = 0; i < self->disks->len; i++) {
    const WsVmxDisk *disk = self->disks->pdata[i];
    g_autofree char *path = ws_vm_dir_resolve_path (self->dir, disk->file_name);
    const WsSnapshot *s = g_hash_table_lookup (frozen, path);

    if (s == NULL)
      continue;
    g_set_error (
      error, VIX_ERROR, VIX_E_SNAPSHOT_INCONSISTENT,
      "%s: %s.fileName is %s, which snapshot \"%s\" (uid %" G_GINT64_FORMAT
      ") has frozen; starting this VM would destroy the snapshot: "
      "revert to it",
      self->dir->vmx_name, disk->node, disk->file_name, s->name, s->uid);
    return FALSE;
  }
  return TRUE;
}

static gboolean
check_vm (WsChange *self, WsChangeKind kind, GError **error)
{
  const char *label = self->dir->vmx_name;

  if (kind == WS_CHANGE_TEXT) {
    if (ws_vmx_is_template (self->vmx)) {
      g_set_error (error, VIX_ERROR, VIX_E_TEMPLATE_VM,
                   "%s: a template is not changed", label);
      return FALSE;
    }
  } else if (!ws_vmx_check_native (self->vmx, label, error))
    return FALSE;
  return kind == WS_CHANGE_DELETE || ws_vmsd_check_writable (self->vmsd, error);
}

WsChange *
ws_change_open (WsHost *host, const char *id, int wait_ms, const VixOp *op,
                GError **error)
{
  g_autoptr (WsChange) self = g_new0 (WsChange, 1);

  VIX_MAY_BLOCK ();
  self->host = host;
  self->op = op;
  self->file_locks = g_ptr_array_new ();
  self->locked = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  if (host->read_only) {
    g_set_error (error, VIX_ERROR, VIX_E_FILE_READ_ONLY,
                 "%s: connected read-only", id);
    return NULL;
  }
  self->dir = ws_host_open_vm_dir (host, id, error);
  if (self->dir == NULL)
    return NULL;
  self->vmsd_name = ws_vm_dir_name (self->dir, ".vmsd");
  self->dir_lock = ws_dir_lock_take (self->dir->fd, self->dir->path, wait_ms,
                                     op->cancellable, error);
  if (self->dir_lock == NULL
      || !ws_change_lock (self, self->dir->vmx_name, error))
    return NULL;
  return g_steal_pointer (&self);
}

WsChange *
ws_change_begin (WsHost *host, const char *id, WsChangeKind kind,
                 const VixOp *op, GError **error)
{
  g_autoptr (WsChange) self = ws_change_open (host, id, -1, op, error);

  if (self == NULL || !ws_recover_locked (self, TRUE, NULL, error)
      || !ws_change_reload (self, error) || !check_vm (self, kind, error))
    return NULL;
  return g_steal_pointer (&self);
}
