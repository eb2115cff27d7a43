/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Taking a snapshot of a VM that is off or suspended: each disk that takes
 * part is frozen as it is and gets an empty child, which the .vmx then names;
 * the .vmsd gets a block; configuration and NVRAM are kept in two small files.
 * Nothing that existed is written but .vmx and .vmsd, so that the time does
 * not depend on the size of the disks.
 */
#include "workstation/create.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "workstation/disk-name.h"
#include "workstation/make-file.h"
#include "workstation/remove.h"
#include "workstation/snapshot-state.h"
#include "workstation/vendor.h"

/* A disk to be frozen, and its child. */
typedef struct {
  const WsVmxDisk *disk; /* borrowed */
  VmdkChain *chain;
  char *child;
} Freeze;

typedef struct {
  WsChange *change;
  const VixSnapshotParams *params;
  GPtrArray *freezes; /* Freeze */
  WsSavedState state;
  WsSuspendFiles suspend;
  gint64 uid;
  char *names[WS_N_STATE_KINDS];
  KvFile *vmx; /* as they will be */
  WsVmsd *vmsd;
} Create;

static void
freeze_free (Freeze *freeze)
{
  g_clear_pointer (&freeze->chain, vmdk_chain_free);
  g_free (freeze->child);
  g_free (freeze);
}

static void
create_clear (Create *c)
{
  g_clear_pointer (&c->freezes, g_ptr_array_unref);
  ws_saved_state_clear (&c->state);
  ws_suspend_files_clear (&c->suspend);
  for (guint i = 0; i < WS_N_STATE_KINDS; i++)
    g_free (c->names[i]);
  g_clear_pointer (&c->vmx, kv_file_free);
  g_clear_pointer (&c->vmsd, ws_vmsd_free);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Create, create_clear)

/* ---- may it be done ---- */

/* A VM that was suspended before its current snapshot was taken has not run
 * since: that snapshot holds this very state. */
static gboolean
check_suspended (Create *c, GError **error)
{
  WsChange *change = c->change;
  const WsSnapshot *current;
  struct stat st;

  if (!ws_find_suspend_files (change, &c->suspend, error))
    return FALSE;
  if (c->suspend.vmss == NULL)
    return TRUE;
  if (fstatat (change->dir->fd, c->suspend.vmss, &st, AT_SYMLINK_NOFOLLOW)
      < 0) {
    vix_set_error_errno (error, errno, "%s: checkpoint.vmState names %s",
                         change->dir->vmx_name, c->suspend.vmss);
    return FALSE;
  }
  current = ws_vmsd_find (change->vmsd, ws_vmsd_get_current (change->vmsd));
  if (current == NULL
      || (strcmp (current->state_file, c->suspend.vmss) != 0
          && (gint64)st.st_mtim.tv_sec * G_USEC_PER_SEC
                 + st.st_mtim.tv_nsec / 1000
               > current->created_us))
    return TRUE;
  g_set_error (error, VIX_ERROR, VIX_E_SNAPSHOT_NOCHANGE,
               "%s: the VM is still suspended as it was when snapshot \"%s\" "
               "was taken; resume it first",
               change->dir->vmx_name, current->name);
  return FALSE;
}

static gboolean
check_policy (Create *c, GError **error)
{
  WsChange *change = c->change;
  gsize count = ws_vmsd_get_count (change->vmsd);
  const WsSnapshot *old;

  if (c->params->replace != 0) {
    old = ws_change_find (change, c->params->replace, error);
    if (old == NULL || !ws_check_no_clones (change, old, error))
      return FALSE;
    count--;
  }
  return ws_vmx_check_policy (change->vmx, change->dir->vmx_name, count, error);
}

/* ---- the plan ---- */

static gboolean
lock_disk (WsChange *change, const char *id, GError **error)
{
  const char *own = ws_vm_dir_own_name (change->dir, id);
  g_autofree char *dir = NULL;
  g_autofree char *name = NULL;
  gboolean ok;
  int fd;

  if (own != NULL)
    return ws_change_lock (change, own, error);
  /* elsewhere nothing is written, but nobody else may be writing either */
  dir = g_path_get_dirname (id);
  name = g_path_get_basename (id);
  fd = open (dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) {
    vix_set_error_errno (error, errno, "%s", dir);
    return FALSE;
  }
  ok = ws_file_lock_check (fd, name, error);
  close (fd);
  return ok;
}

static Freeze *
plan_freeze (Create *c, const WsVmxDisk *disk, WsDiskNames *names,
             GError **error)
{
  WsChange *change = c->change;
  Freeze *freeze = g_new0 (Freeze, 1);

  g_ptr_array_add (c->freezes, freeze);
  freeze->disk = disk;
  freeze->chain = vmdk_chain_open (ws_resolver_vmdk (change->resolver), NULL,
                                   disk->file_name, error);
  if (freeze->chain == NULL
      || !lock_disk (change,
                     vmdk_link_get_id (vmdk_chain_get_link (freeze->chain, 0)),
                     error)) {
    g_prefix_error (error, "%s: ", disk->node);
    return NULL;
  }
  if (vmdk_chain_get_depth (freeze->chain) >= VMDK_MAX_CHAIN) {
    g_set_error (error, VIX_ERROR, VIX_E_SNAPSHOT_HIERARCHY_TOODEEP,
                 "%s: %s has %u links already; remove snapshots first",
                 disk->node, disk->file_name,
                 vmdk_chain_get_depth (freeze->chain));
    return NULL;
  }
  freeze->child = ws_disk_names_take_child (names, disk->file_name);
  if (freeze->child == NULL) {
    g_set_error (error, VIX_ERROR, VIX_E_SNAPSHOT_MAXSNAPSHOTS,
                 "%s: no number is left for a child", disk->file_name);
    return NULL;
  }
  return freeze;
}

static gboolean
plan_disks (Create *c, GError **error)
{
  g_autoptr (GPtrArray) files = ws_vm_dir_list (c->change->dir, error);
  g_autoptr (WsDiskNames) names = NULL;

  if (files == NULL)
    return FALSE;
  names = ws_disk_names_new (files);
  c->freezes = g_ptr_array_new_with_free_func ((GDestroyNotify)freeze_free);
  c->vmx = kv_file_copy (c->change->vmx);
  for (guint i = 0; i < c->change->disks->len; i++) {
    const WsVmxDisk *disk = c->change->disks->pdata[i];
    Freeze *freeze;

    if (!disk->in_snapshots)
      continue;
    if (!vix_check_cancelled (c->change->op->cancellable, error))
      return FALSE;
    freeze = plan_freeze (c, disk, names, error);
    if (freeze == NULL
        || !ws_vmx_set_disk_file (c->vmx, disk->node, freeze->child, error))
      return FALSE;
  }
  return TRUE;
}

/* A uid whose files do not exist: a power cut may have left some that no
 * .vmsd knows, and they may be somebody's. */
static void
choose_uid (Create *c)
{
  WsChange *change = c->change;
  gboolean taken = TRUE;

  c->uid = ws_vmsd_get_next_uid (change->vmsd);
  while (taken) {
    taken = FALSE;
    for (guint kind = 0; kind < WS_N_STATE_KINDS; kind++) {
      g_free (c->names[kind]);
      c->names[kind]
        = ws_state_name (change->dir->stem, c->uid, (WsStateKind)kind);
      taken |= ws_vm_dir_exists (change->dir, c->names[kind]);
    }
    if (taken)
      c->uid++;
  }
}

static gboolean
plan_vmsd (Create *c, GError **error)
{
  WsChange *change = c->change;
  g_autofree WsSnapshotDisk *disks
    = g_new0 (WsSnapshotDisk, c->freezes->len + 1);
  WsSnapshotNew added = {
    .uid = c->uid,
    .parent = ws_vmsd_get_current (change->vmsd),
    .created_us = g_get_real_time (),
    .name = c->params->name,
    .description = c->params->description,
    .state_file = c->names[WS_STATE_VMSN],
    .disks = disks,
    .num_disks = c->freezes->len,
  };

  for (guint i = 0; i < c->freezes->len; i++) {
    const Freeze *freeze = c->freezes->pdata[i];

    disks[i].file_name = freeze->disk->file_name;
    disks[i].node = freeze->disk->node;
  }
  c->vmsd = ws_vmsd_copy (change->vmsd);
  return ws_vmsd_add (c->vmsd, &added, &c->uid, error)
         && (c->params->replace == 0
             || ws_vmsd_remove (c->vmsd, c->params->replace, error));
}

static GBytes *
make_notes (Create *c, GError **error)
{
  g_autoptr (KvFile) notes = kv_file_new ("notes");

  if (!kv_file_set (notes, WS_NOTE_STATE_FILE, c->suspend.vmss, error))
    return NULL;
  return kv_file_to_bytes (notes);
}

static gboolean
plan_state (Create *c, GError **error)
{
  if (!ws_collect_state (c->change, &c->state, error))
    return FALSE;
  if (c->suspend.vmss == NULL)
    return TRUE;
  c->state.notes = make_notes (c, error);
  return c->state.notes != NULL;
}

static gboolean
plan_creates (Create *c, Txn *txn, GError **error)
{
  for (guint i = 0; i < c->freezes->len; i++) {
    Freeze *freeze = c->freezes->pdata[i];

    if (!txn_add_create (txn, freeze->child, error))
      return FALSE;
  }
  return txn_add_create (txn, c->names[WS_STATE_SIDECAR], error)
         && txn_add_create (txn, c->names[WS_STATE_VMSN], error)
         && (c->suspend.vmss == NULL
             || txn_add_create (txn, c->names[WS_STATE_SAVED_VMSS], error))
         && (c->suspend.vmem == NULL
             || txn_add_create (txn, c->names[WS_STATE_SAVED_VMEM], error));
}

/* The .vmx first: what a half-made change of another program would leave is
 * then the milder fault, a running child without a snapshot. */
static gboolean
plan_txn (Create *c, Txn *txn, GError **error)
{
  WsChange *change = c->change;
  g_autoptr (GBytes) vmx = kv_file_to_bytes (c->vmx);
  g_autoptr (GBytes) vmsd = ws_vmsd_to_bytes (c->vmsd);
  const WsSnapshot *old = ws_vmsd_find (change->vmsd, c->params->replace);

  return plan_creates (c, txn, error)
         && txn_add_replace (txn, change->dir->vmx_name, vmx, error)
         && txn_add_replace (txn, change->vmsd_name, vmsd, error)
         && (old == NULL || ws_plan_drop_state (change, txn, old, error));
}

/* ---- carrying it out ---- */

static gboolean
make_files (Create *c, Txn *txn, GError **error)
{
  g_autoptr (GBytes) sidecar = ws_sidecar_build (&c->state);
  g_autoptr (GBytes) vmsn = ws_vmsn_build (&c->state);

  for (guint i = 0; i < c->freezes->len; i++) {
    const Freeze *freeze = c->freezes->pdata[i];

    if (!ws_make_child (c->change, txn, freeze->chain, freeze->child, error))
      return FALSE;
  }
  return txn_write (txn, c->names[WS_STATE_SIDECAR], sidecar, error)
         && txn_write (txn, c->names[WS_STATE_VMSN], vmsn, error)
         && ws_make_copy (c->change, txn, c->suspend.vmss,
                          c->names[WS_STATE_SAVED_VMSS], error)
         && ws_make_copy (c->change, txn, c->suspend.vmem,
                          c->names[WS_STATE_SAVED_VMEM], error);
}

gboolean
ws_create_locked (WsChange *change, const VixSnapshotParams *params,
                  gint64 *ret_id, GError **error)
{
  g_auto (Create) c = { .change = change, .params = params };
  g_autoptr (Txn) txn = NULL;

  if (!ws_change_check_running_disks (change, error)
      || !check_policy (&c, error) || !check_suspended (&c, error))
    return FALSE;
  choose_uid (&c);
  if (!plan_disks (&c, error) || !plan_state (&c, error)
      || !plan_vmsd (&c, error))
    return FALSE;
  txn = ws_change_new_txn (change);
  if (!plan_txn (&c, txn, error) || !txn_prepare (txn, error)
      || !make_files (&c, txn, error)
      || !vix_check_cancelled (change->op->cancellable, error)
      || !txn_commit (txn, NULL, error))
    return FALSE;
  *ret_id = c.uid;
  return TRUE;
}

static gboolean
create_native (WsHost *host, const char *id, const VixSnapshotParams *params,
               gint64 *ret_id, const VixOp *op, GError **error)
{
  g_autoptr (WsChange) change
    = ws_change_begin (host, id, WS_CHANGE_DISKS, op, error);

  if (change == NULL || !ws_create_locked (change, params, ret_id, error))
    return FALSE;
  /* The replaced snapshot is gone with the commit; giving back its space is
   * a step of its own. */
  if (params->replace != 0)
    ws_consolidate (change);
  return TRUE;
}

gboolean
ws_create_snapshot (gpointer host, const char *id,
                    const VixSnapshotParams *params, gint64 *ret_id,
                    const VixOp *op, GError **error)
{
  WsHost *self = host;
  gboolean ok
    = self->vendor != NULL
        ? ws_vendor_create_snapshot (self, id, params, ret_id, op, error)
        : create_native (self, id, params, ret_id, op, error);

  ws_host_refresh_vm (self, id);
  return ok;
}
