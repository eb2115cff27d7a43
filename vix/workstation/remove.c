/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Removing snapshots, in one transaction:
 *
 *   before the commit: space is reserved; runs that go up are merged
 *   at the commit:     the blocks leave the .vmsd, tops get their new parents,
 *                      what is dead goes
 *   then:              runs that go down are merged, and what took the top's
 *                      place is named in .vmsd, .vmx and children
 *
 * If it is killed in between, the VM works at every moment: before the commit
 * nothing has changed what any disk means, and after it no snapshot is listed
 * whose content is being given up.
 */
#include "workstation/remove.h"

#include <string.h>
#include <sys/statvfs.h>

#include "base/error.h"
#include "workstation/look.h"
#include "workstation/recover.h"
#include "workstation/remove-plan.h"
#include "workstation/snapshot-state.h"
#include "workstation/vendor.h"

/* Steps of consolidation after which something must be wrong. */
#define MAX_ROUNDS 1000

typedef struct {
  WsRemoval *plan; /* borrowed */
  Txn *txn;        /* borrowed */
  WsVmsd *vmsd;    /* as it will be */
  KvFile *vmx;
} Work;

static void
work_clear (Work *work)
{
  g_clear_pointer (&work->vmsd, ws_vmsd_free);
  g_clear_pointer (&work->vmx, kv_file_free);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Work, work_clear)

/* ---- planning the transaction ---- */

/* @link becomes what @identity says, its content stays. */
static gboolean
plan_identity (Work *work, const WsLink *link, const VmdkIdentity *identity,
               GError **error)
{
  g_autoptr (VmdkLink) opened
    = ws_link_open (work->plan->change, link, FALSE, error);
  g_autoptr (GBytes) bytes = NULL;
  guint64 offset;

  if (opened == NULL
      || !vmdk_link_plan_identity (opened, identity, &offset, &bytes, error))
    return FALSE;
  if (vmdk_link_is_embedded (opened))
    return txn_add_patch (work->txn, link->own, offset, bytes, error);
  return txn_add_replace (work->txn, link->own, bytes, error);
}

static gboolean
plan_unlink (Work *work, const WsLink *link, GError **error)
{
  for (guint i = 0; link->files[i] != NULL; i++)
    if (!txn_add_unlink (work->txn, link->files[i], error))
      return FALSE;
  return TRUE;
}

static gboolean
plan_vmsd (Work *work, GError **error)
{
  g_autoptr (GBytes) bytes = ws_vmsd_to_bytes (work->vmsd);

  return txn_add_replace (work->txn, work->plan->change->vmsd_name, bytes,
                          error);
}

static gboolean
plan_up (Work *work, const WsRun *run, GError **error)
{
  const WsLink *lowest = run->links->pdata[0];
  VmdkIdentity identity = { run->top->cid, lowest->parent_cid, lowest->hint };

  if (!plan_identity (work, run->top, &identity, error))
    return FALSE;
  for (guint i = 0; i < run->links->len; i++)
    if (!plan_unlink (work, run->links->pdata[i], error))
      return FALSE;
  return TRUE;
}

static gboolean
plan_merges_down (Work *work, const WsRun *run, GError **error)
{
  const WsLink *lowest = run->links->pdata[0];

  for (guint i = 1; i < run->links->len; i++) {
    const WsLink *link = run->links->pdata[i];

    if (!txn_add_merge (work->txn, link->own, lowest->own, link->cid, error))
      return FALSE;
  }
  work->plan->change->merges_total += run->links->len;
  return txn_add_merge (work->txn, run->top->own, lowest->own, run->top->cid,
                        error);
}

/* Whatever names the top names the lowest link from now on. */
static gboolean
rename_top (Work *work, const WsRun *run, GError **error)
{
  WsChange *change = work->plan->change;
  const WsLink *lowest = run->links->pdata[0];

  for (guint i = 0; i < change->disks->len; i++) {
    const WsVmxDisk *disk = change->disks->pdata[i];
    g_autofree char *id = ws_change_locate (change, disk->file_name, NULL);

    if (g_strcmp0 (id, run->top->id) == 0
        && !ws_vmx_set_disk_file (work->vmx, disk->node, lowest->own, error))
      return FALSE;
  }
  for (gsize i = 0; i < ws_vmsd_get_count (work->vmsd); i++) {
    const WsSnapshot *s = ws_vmsd_get_nth (work->vmsd, i);

    for (guint k = 0; k < s->num_disks; k++) {
      g_autofree char *id
        = ws_change_locate (change, s->disks[k].file_name, NULL);

      if (g_strcmp0 (id, run->top->id) == 0
          && !ws_vmsd_set_disk_file (work->vmsd, s->uid, k, lowest->own, error))
        return FALSE;
      s = ws_vmsd_get_nth (work->vmsd, i);
    }
  }
  return TRUE;
}

static gboolean
plan_down (Work *work, const WsRun *run, GError **error)
{
  const WsLink *lowest = run->links->pdata[0];
  VmdkIdentity identity = { run->top->cid, lowest->parent_cid, lowest->hint };

  if (!plan_identity (work, lowest, &identity, error))
    return FALSE;
  for (guint i = 0; i < run->top->children->len; i++) {
    const WsLink *child = run->top->children->pdata[i];
    VmdkIdentity moved = { child->cid, child->parent_cid, lowest->own };

    if (!ws_removal_dooms (work->plan, child)
        && !plan_identity (work, child, &moved, error))
      return FALSE;
  }
  return rename_top (work, run, error);
}

static gboolean
plan_unlink_down (Work *work, const WsRun *run, GError **error)
{
  for (guint i = 1; i < run->links->len; i++)
    if (!plan_unlink (work, run->links->pdata[i], error))
      return FALSE;
  return plan_unlink (work, run->top, error);
}

typedef gboolean (*RunFunc) (Work *work, const WsRun *run, GError **error);

static gboolean
for_runs (Work *work, gboolean into_top, RunFunc func, GError **error)
{
  for (guint i = 0; i < work->plan->runs->len; i++) {
    const WsRun *run = work->plan->runs->pdata[i];

    if (run->into_top == into_top && !func (work, run, error))
      return FALSE;
  }
  return TRUE;
}

static gboolean
plan_repair (Work *work, const WsRun *run, GError **error)
{
  const WsLink *target = run->into_top ? run->top : run->links->pdata[0];

  return txn_add_repair (work->txn, target->own, error);
}

static gboolean
plan_drops (Work *work, const GArray *uids, GError **error)
{
  WsChange *change = work->plan->change;

  for (guint i = 0; i < work->plan->doomed->len; i++)
    if (!plan_unlink (work, work->plan->doomed->pdata[i], error))
      return FALSE;
  for (guint i = 0; i < uids->len; i++)
    if (!ws_plan_drop_state (
          change, work->txn,
          ws_vmsd_find (change->vmsd, g_array_index (uids, gint64, i)), error))
      return FALSE;
  return TRUE;
}

static gboolean
plan_after_merges (Work *work, GError **error)
{
  g_autoptr (GBytes) vmx = NULL;

  if (!for_runs (work, FALSE, plan_down, error))
    return FALSE;
  vmx = kv_file_to_bytes (work->vmx);
  return plan_vmsd (work, error)
         && txn_add_replace (work->txn, work->plan->change->dir->vmx_name, vmx,
                             error)
         && for_runs (work, FALSE, plan_unlink_down, error);
}

/* With the snapshot @gone goes the time of what it was the last to change: its
 * children that hold the same get it. What cannot be read, or noted, is taken
 * for changed later. */
static void
note_times (Work *work, const WsSnapshot *gone)
{
  WsChange *change = work->plan->change;
  g_autoptr (GArray) children = ws_vmsd_list_children (work->vmsd, gone->uid);

  for (guint i = 0; i < children->len; i++) {
    gint64 uid = g_array_index (children, gint64, i);
    const WsSnapshot *child = ws_vmsd_find (change->vmsd, uid);

    for (guint k = 0; child != NULL && k < child->num_disks; k++) {
      const WsSnapshotDisk *disk = &child->disks[k];
      gint64 changed_by, since;

      if (!ws_image_find_changed_by (change->vmsd, change->resolver, child,
                                     disk, &changed_by, NULL)
          || changed_by != gone->uid)
        continue;
      since = ws_vmsd_get_changed (change->vmsd, gone->uid, disk->node);
      if (since == 0)
        since = gone->created_us;
      if (since > 0)
        (void)ws_vmsd_set_changed (work->vmsd, uid, disk->node, since, NULL);
    }
  }
}

/* Children go before their parents, so that "current" moves up to what is
 * left. */
static gboolean
plan_blocks (Work *work, const GArray *uids, GError **error)
{
  WsChange *change = work->plan->change;

  work->vmx = kv_file_copy (change->vmx);
  work->vmsd = ws_vmsd_copy (change->vmsd);
  for (guint i = uids->len; i > 0; i--) {
    gint64 uid = g_array_index (uids, gint64, i - 1);
    const WsSnapshot *gone = ws_vmsd_find (change->vmsd, uid);

    if (gone != NULL)
      note_times (work, gone);
    if (!ws_vmsd_remove (work->vmsd, uid, error))
      return FALSE;
  }
  return uids->len == 0 || plan_vmsd (work, error);
}

static gboolean
plan_txn (Work *work, const GArray *uids, GError **error)
{
  work->plan->change->merges_total = 0;
  work->plan->change->merges_done = 0;
  return for_runs (work, TRUE, plan_repair, error)
         && for_runs (work, FALSE, plan_repair, error)
         && plan_blocks (work, uids, error)
         && for_runs (work, TRUE, plan_up, error)
         && plan_drops (work, uids, error)
         && for_runs (work, FALSE, plan_merges_down, error)
         && plan_after_merges (work, error);
}

/* ---- before the commit ---- */

/* Room in the file system for all that is going to be merged upwards; what
 * goes down is reserved in its files. */
static gboolean
check_space (Work *work, GError **error)
{
  struct statvfs fs;
  guint64 need = 0;
  guint64 have;

  for (guint i = 0; i < work->plan->runs->len; i++) {
    const WsRun *run = work->plan->runs->pdata[i];

    if (run->into_top)
      need += MIN (run->cost, G_MAXINT64 / (VMDK_MAX_CHAIN * 4));
  }
  if (need == 0 || fstatvfs (work->plan->change->dir->fd, &fs) < 0)
    return TRUE;
  have = (guint64)fs.f_bavail * fs.f_frsize;
  if (need <= have)
    return TRUE;
  g_set_error (error, VIX_ERROR, VIX_E_DISK_FULL,
               "%s: merging needs %" G_GUINT64_FORMAT " MiB, %" //
               G_GUINT64_FORMAT " are free",
               work->plan->change->dir->path, (need >> 20) + 1, have >> 20);
  return FALSE;
}

/* Reserves for every link that goes down into @bottom. */
static gboolean
reserve_all (Work *work, const WsRun *run, VmdkLink *bottom, GError **error)
{
  WsChange *change = work->plan->change;

  for (guint i = 1; i <= run->links->len; i++) {
    const WsLink *link = i < run->links->len ? run->links->pdata[i] : run->top;
    g_autoptr (VmdkLink) opened = ws_link_open (change, link, FALSE, error);

    if (opened == NULL || !vmdk_merge_reserve_parent (bottom, opened, error))
      return FALSE;
  }
  return TRUE;
}

static gboolean
reserve_down (Work *work, const WsRun *run, GError **error)
{
  WsChange *change = work->plan->change;
  g_autoptr (VmdkChain) below = NULL;
  g_autoptr (VmdkLink) bottom
    = ws_link_open (change, run->links->pdata[0], TRUE, error);

  if (bottom == NULL
      || !ws_open_below (change->resolver, bottom, &below, error))
    return FALSE;
  vmdk_merge_set_below (bottom, below);
  if (reserve_all (work, run, bottom, error))
    return TRUE;
  vmdk_merge_release_parent (bottom, NULL);
  return FALSE;
}

static gboolean
merge_up (Work *work, const WsRun *run, GError **error)
{
  WsChange *change = work->plan->change;
  VmdkMergeControl control
    = ws_change_merge_control (change, change->op->cancellable);
  g_autoptr (VmdkLink) top = ws_link_open (change, run->top, TRUE, error);

  if (top == NULL)
    return FALSE;
  /* from the highest down: what a link hides must get there first */
  for (guint i = run->links->len; i > 0; i--) {
    const WsLink *link = run->links->pdata[i - 1];
    g_autoptr (VmdkChain) below = NULL;
    g_autoptr (VmdkLink) opened = ws_link_open (change, link, FALSE, error);

    if (opened == NULL
        || !ws_open_below (change->resolver, opened, &below, error))
      return FALSE;
    vmdk_merge_set_below (opened, below);
    if (!vmdk_merge_into_child (opened, top, &control, error)) {
      g_prefix_error (error, "merging %s into %s: ", link->own, run->top->own);
      return FALSE;
    }
    change->merges_done++;
  }
  return TRUE;
}

static gboolean
count_merges_up (Work *work, const WsRun *run, GError **error)
{
  work->plan->change->merges_total += run->links->len;
  return TRUE;
}

/* What the merges did not need after all. */
static gboolean
release_down (Work *work, const WsRun *run, GError **error)
{
  g_autoptr (VmdkLink) bottom
    = ws_link_open (work->plan->change, run->links->pdata[0], TRUE, error);

  return bottom != NULL && vmdk_merge_release_parent (bottom, error);
}

static gboolean
carry_out (WsRemoval *plan, const GArray *uids, GError **error)
{
  g_autoptr (Txn) txn = ws_change_new_txn (plan->change);
  g_auto (Work) work = { .plan = plan, .txn = txn };
  g_autoptr (GError) unused = NULL;

  if (!plan_txn (&work, uids, error) || !txn_prepare (txn, error)
      || !for_runs (&work, TRUE, count_merges_up, error)
      || !for_runs (&work, FALSE, reserve_down, error)
      || !check_space (&work, error) || !for_runs (&work, TRUE, merge_up, error)
      || !vix_check_cancelled (plan->change->op->cancellable, error)
      || !txn_commit (txn, NULL, error))
    return FALSE;
  if (!for_runs (&work, FALSE, release_down, &unused))
    g_debug ("%s: reserved space stays: %s", plan->change->dir->id,
             unused->message);
  return TRUE;
}

/* ---- the operations ---- */

/* One round; @ret_more: %TRUE if another may find something to do. */
static gboolean
consolidate_once (WsChange *change, gboolean *ret_more, GError **error)
{
  g_autoptr (GArray) none = g_array_new (FALSE, FALSE, sizeof (gint64));
  g_autoptr (WsRemoval) plan = NULL;

  *ret_more = FALSE;
  if (!ws_change_reload (change, error))
    return FALSE;
  plan = ws_removal_plan (change, none, error);
  if (plan == NULL)
    return FALSE;
  if (plan->runs->len == 0)
    return TRUE;
  *ret_more = plan->more;
  return carry_out (plan, none, error);
}

void
ws_consolidate (WsChange *change)
{
  g_autoptr (GError) error = NULL;
  gboolean more = TRUE;

  for (guint i = 0; more && i < MAX_ROUNDS; i++)
    if (!consolidate_once (change, &more, &error))
      break;
  if (error != NULL)
    g_debug ("%s: links stay unmerged: %s", change->dir->id, error->message);
}

static GArray *
list_uids (WsChange *change, gint64 snapshot, gboolean children)
{
  GArray *uids;

  if (children)
    return ws_vmsd_list_subtree (change->vmsd, snapshot);
  uids = g_array_new (FALSE, FALSE, sizeof (gint64));
  g_array_append_val (uids, snapshot);
  return uids;
}

static gboolean
remove_native (WsHost *host, const char *id, gint64 snapshot, gboolean children,
               const VixOp *op, GError **error)
{
  g_autoptr (WsChange) change
    = ws_change_begin (host, id, WS_CHANGE_DISKS, op, error);
  g_autoptr (WsRemoval) plan = NULL;
  g_autoptr (GArray) uids = NULL;

  if (change == NULL || ws_change_find (change, snapshot, error) == NULL
      || !ws_change_check_running_disks (change, error))
    return FALSE;
  uids = list_uids (change, snapshot, children);
  plan = ws_removal_plan (change, uids, error);
  if (plan == NULL || !carry_out (plan, uids, error))
    return FALSE;
  if (plan->more)
    ws_consolidate (change);
  return TRUE;
}

gboolean
ws_remove_snapshot (gpointer host, const char *id, gint64 snapshot,
                    gboolean children, const VixOp *op, GError **error)
{
  WsHost *self = host;
  gboolean ok
    = self->vendor != NULL
        ? ws_vendor_remove_snapshot (self, id, snapshot, children, op, error)
        : remove_native (self, id, snapshot, children, op, error);

  ws_host_refresh_vm (self, id);
  return ok;
}
