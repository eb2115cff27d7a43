/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "workstation/remove-plan.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "workstation/disk-name.h"
#include "workstation/recover.h"
#include "workstation/remove.h"

static void
run_free (WsRun *run)
{
  g_ptr_array_unref (run->links);
  g_free (run);
}

void
ws_removal_free (WsRemoval *self)
{
  if (self == NULL)
    return;
  g_clear_pointer (&self->runs, g_ptr_array_unref);
  g_clear_pointer (&self->doomed, g_ptr_array_unref);
  g_clear_pointer (&self->gone, g_hash_table_unref);
  g_clear_pointer (&self->graph, ws_graph_free);
  g_free (self);
}

VmdkLink *
ws_link_open (WsChange *change, const WsLink *link, gboolean writable,
              GError **error)
{
  return vmdk_link_open (ws_resolver_vmdk (change->resolver), NULL, link->own,
                         VMDK_ROLE_DISK, writable, error);
}

/* A clone that was being made when its process was killed: its files go. */
static gboolean
undo_half_clone (const char *vmx_path)
{
  g_autofree char *dir = g_path_get_dirname (vmx_path);
  g_autofree char *name = g_path_get_basename (vmx_path);
  g_autofree char *journal = NULL;
  g_autoptr (WsDirLock) lock = NULL;
  TxnHandlers handlers = { 0 };
  TxnState state;
  gboolean ok;
  int fd;

  if (!g_str_has_suffix (name, ".vmx"))
    return FALSE;
  name[strlen (name) - strlen (".vmx")] = '\0';
  journal = g_strconcat (name, WS_JOURNAL_SUFFIX, NULL);
  fd = open (dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0)
    return FALSE;
  lock = ws_dir_lock_take (fd, dir, 0, NULL, NULL);
  ok = lock != NULL && txn_peek (fd, journal, &state, NULL)
       && state == TXN_STATE_UNDO
       && txn_recover (fd, journal, &handlers, NULL, NULL);
  close (fd);
  if (ok)
    rmdir (dir);
  return ok;
}

static gboolean
check_clone (WsChange *change, const WsSnapshot *snapshot, const char *clone,
             GError **error)
{
  g_autofree char *path = ws_vm_dir_resolve_path (change->dir, clone);
  gboolean there = g_file_test (path, G_FILE_TEST_EXISTS);

  if (!there && undo_half_clone (path))
    return TRUE;
  g_set_error (error, VIX_ERROR, VIX_E_OBJECT_IS_BUSY,
               "snapshot \"%s\" is needed by the linked clone %s%s",
               snapshot->name, path,
               there ? ""
                     : ", which is not there: if it is gone for good, remove "
                       "its cloneN line from the .vmsd");
  return FALSE;
}

gboolean
ws_check_no_clones (WsChange *change, const WsSnapshot *snapshot,
                    GError **error)
{
  for (guint i = 0; snapshot->clones != NULL && snapshot->clones[i] != NULL;
       i++)
    if (!check_clone (change, snapshot, snapshot->clones[i], error))
      return FALSE;
  return TRUE;
}

/* ---- what is needed ---- */

/* By a snapshot that stays, or by the VM as it runs. */
static gboolean
is_kept (const WsRemoval *self, const WsLink *link, gboolean running_goes)
{
  GHashTableIter iter;
  gpointer uid;

  if ((link->running && !running_goes) || link->reader != NULL)
    return TRUE;
  g_hash_table_iter_init (&iter, link->frozen_by);
  while (g_hash_table_iter_next (&iter, &uid, NULL))
    if (!g_hash_table_contains (self->gone, uid))
      return TRUE;
  return FALSE;
}

static gboolean
is_affected (const WsRemoval *self, const WsLink *link)
{
  GHashTableIter iter;
  gpointer uid;

  g_hash_table_iter_init (&iter, link->frozen_by);
  while (g_hash_table_iter_next (&iter, &uid, NULL))
    if (g_hash_table_contains (self->gone, uid))
      return TRUE;
  return FALSE;
}

/* The kept links and all they are made of. */
static GHashTable *
find_live (const WsRemoval *self, gboolean running_goes)
{
  GHashTable *live = g_hash_table_new (NULL, NULL);

  for (guint i = 0; i < self->graph->links->len; i++) {
    WsLink *link = self->graph->links->pdata[i];

    if (!is_kept (self, link, running_goes))
      continue;
    while (link != NULL && g_hash_table_add (live, link))
      link = link->parent;
  }
  return live;
}

static gboolean
same_lineage (const WsLink *a, const WsLink *b)
{
  g_autofree char *x = ws_disk_lineage (a->id);
  g_autofree char *y = ws_disk_lineage (b->id);

  return strcmp (x, y) == 0;
}

gboolean
ws_removal_dooms (const WsRemoval *self, const WsLink *link)
{
  return g_ptr_array_find (self->doomed, link, NULL);
}

/* (nullable): the only child that stays; NULL if there are none or several. */
static WsLink *
find_only_child (const WsRemoval *self, const WsLink *link)
{
  WsLink *only = NULL;

  for (guint i = 0; i < link->children->len; i++) {
    WsLink *child = link->children->pdata[i];

    if (ws_removal_dooms (self, child))
      continue;
    if (only != NULL)
      return NULL;
    only = child;
  }
  return only;
}

/* ---- what goes ---- */

/* All children go already, and it is either one of those that lose their last
 * reason to be or was kept by such a one. */
static gboolean
may_doom (const WsRemoval *self, const WsLink *link, GHashTable *live,
          gboolean running_goes)
{
  gboolean reason = is_affected (self, link) || (running_goes && link->running);

  if (link->own == NULL || link->hint == NULL || link->files == NULL
      || g_hash_table_contains (live, link) || ws_removal_dooms (self, link))
    return FALSE;
  for (guint i = 0; i < link->children->len; i++) {
    const WsLink *child = link->children->pdata[i];

    if (!ws_removal_dooms (self, child))
      return FALSE;
    reason |= same_lineage (link, child);
  }
  return reason;
}

static void
doom (WsRemoval *self, gboolean running_goes)
{
  g_autoptr (GHashTable) live = find_live (self, running_goes);
  gboolean again = TRUE;

  while (again) {
    again = FALSE;
    for (guint i = 0; i < self->graph->links->len; i++) {
      WsLink *link = self->graph->links->pdata[i];

      if (may_doom (self, link, live, running_goes)) {
        g_ptr_array_add (self->doomed, link);
        again = TRUE;
      }
    }
  }
}

static gboolean
lock_doomed (WsRemoval *self, GError **error)
{
  for (guint i = 0; i < self->doomed->len; i++) {
    const WsLink *link = self->doomed->pdata[i];

    if (!ws_change_lock (self->change, link->own, error))
      return FALSE;
  }
  return TRUE;
}

/* ---- what merges ---- */

static gboolean
is_candidate (const WsRemoval *self, const WsLink *link, GHashTable *live)
{
  const WsLink *child = find_only_child (self, link);

  return link->own != NULL && link->files != NULL && link->problem == NULL
         && g_hash_table_contains (live, link) && !is_kept (self, link, FALSE)
         && child != NULL && g_hash_table_contains (live, child)
         && (is_affected (self, link) || same_lineage (link, child));
}

static gboolean
run_is_affected (const WsRemoval *self, const WsRun *run)
{
  for (guint i = 0; i < run->links->len; i++)
    if (is_affected (self, run->links->pdata[i]))
      return TRUE;
  return FALSE;
}

static const WsLink *
find_root (const WsLink *link)
{
  for (guint depth = 0; link->parent != NULL && depth < VMDK_MAX_CHAIN; depth++)
    link = link->parent;
  return link;
}

static WsRun *
make_run (const WsRemoval *self, WsLink *bottom, GHashTable *live)
{
  WsRun *run = g_new0 (WsRun, 1);
  WsLink *link = bottom;

  run->links = g_ptr_array_new ();
  do {
    g_ptr_array_add (run->links, link);
    link = find_only_child (self, link);
  } while (run->links->len < VMDK_MAX_CHAIN && is_candidate (self, link, live));
  run->top = link;
  return run;
}

/* Of several in one tree the one that the removed snapshots are about. */
static void
add_run (WsRemoval *self, WsRun *run)
{
  const WsLink *root = find_root (run->top);

  for (guint i = 0; i < self->runs->len; i++) {
    WsRun *other = self->runs->pdata[i];

    if (find_root (other->top) != root)
      continue;
    self->more = TRUE;
    if (!run_is_affected (self, other) && run_is_affected (self, run)) {
      self->runs->pdata[i] = run;
      run = other;
    }
    run_free (run);
    return;
  }
  g_ptr_array_add (self->runs, run);
}

static void
find_runs (WsRemoval *self)
{
  g_autoptr (GHashTable) live = find_live (self, FALSE);

  for (guint i = 0; i < self->graph->links->len; i++) {
    WsLink *link = self->graph->links->pdata[i];

    if (is_candidate (self, link, live)
        && (link->parent == NULL || !is_candidate (self, link->parent, live)))
      add_run (self, make_run (self, link, live));
  }
}

/* ---- is it sound, and in which direction ---- */

/* Every link from @link down to its base. */
static gboolean
check_chain (const WsLink *link, GError **error)
{
  guint depth = 0;

  for (; link != NULL && link->own != NULL; link = link->parent) {
    if (link->problem != NULL) {
      g_set_error (error, VIX_ERROR, VIX_E_DISK_INVALIDCHAIN, "%s: %s",
                   link->own, link->problem);
      return FALSE;
    }
    if (link->hint != NULL && !ws_link_check_parent (link, error))
      return FALSE;
    if (++depth > VMDK_MAX_CHAIN) {
      g_set_error (error, VIX_ERROR, VIX_E_DISK_INVALIDCHAIN,
                   "%s: its chain of parents does not end", link->own);
      return FALSE;
    }
  }
  return TRUE;
}

static guint64
add_saturated (guint64 a, guint64 b)
{
  return a > G_MAXUINT64 - b ? G_MAXUINT64 : a + b;
}

/* What both directions cost; @top and @bottom are open. */
static gboolean
sum_costs (WsChange *change, WsRun *run, VmdkLink *bottom, VmdkLink *top,
           guint64 *ret_up, guint64 *ret_down, GError **error)
{
  guint64 up;
  guint64 down;
  guint64 unused;

  if (!vmdk_merge_cost (bottom, top, &up, &down, error))
    return FALSE;
  for (guint i = 1; i < run->links->len; i++) {
    g_autoptr (VmdkLink) link
      = ws_link_open (change, run->links->pdata[i], FALSE, error);
    g_autoptr (VmdkChain) below = NULL;
    guint64 link_up;
    guint64 link_down;

    if (link == NULL || !ws_open_below (change->resolver, link, &below, error))
      return FALSE;
    vmdk_merge_set_below (link, below);
    if (!vmdk_merge_cost (link, top, &link_up, &unused, error)
        || !vmdk_merge_cost (bottom, link, &unused, &link_down, error))
      return FALSE;
    up = add_saturated (up, link_up);
    down = add_saturated (down, link_down);
  }
  *ret_up = up;
  *ret_down = down;
  return TRUE;
}

static gboolean
choose_direction (WsChange *change, WsRun *run, GError **error)
{
  const WsLink *lowest = run->links->pdata[0];
  g_autoptr (VmdkChain) below = NULL;
  g_autoptr (VmdkLink) bottom = ws_link_open (change, lowest, FALSE, error);
  g_autoptr (VmdkLink) top = NULL;
  guint64 up;
  guint64 down;

  if (bottom == NULL
      || !ws_open_below (change->resolver, bottom, &below, error))
    return FALSE;
  vmdk_merge_set_below (bottom, below);
  top = ws_link_open (change, run->top, FALSE, error);
  if (top == NULL || !sum_costs (change, run, bottom, top, &up, &down, error))
    return FALSE;
  if (up == G_MAXUINT64 && down == G_MAXUINT64) {
    g_set_error (error, VIX_ERROR, VIX_E_DISK_NOTSUPPORTED,
                 "%s and %s cannot be merged: neither format (%s, %s) can be "
                 "written",
                 lowest->own, run->top->own, vmdk_link_get_create_type (bottom),
                 vmdk_link_get_create_type (top));
    return FALSE;
  }
  if (lowest->hint == NULL && down != G_MAXUINT64)
    run->into_top = FALSE;
  else
    run->into_top = up <= down;
  run->cost = run->into_top ? up : down;
  return TRUE;
}

static gboolean
check_children (WsRemoval *self, const WsRun *run, GError **error)
{
  for (guint i = 0; !run->into_top && i < run->top->children->len; i++) {
    const WsLink *child = run->top->children->pdata[i];

    if (ws_removal_dooms (self, child))
      continue;
    if (!check_chain (child, error)
        || !ws_change_lock (self->change, child->own, error))
      return FALSE;
  }
  return TRUE;
}

static gboolean
check_run (WsRemoval *self, WsRun *run, GError **error)
{
  if (!check_chain (run->top, error)
      || !ws_change_lock (self->change, run->top->own, error))
    return FALSE;
  for (guint i = 0; i < run->links->len; i++) {
    const WsLink *link = run->links->pdata[i];

    if (!ws_change_lock (self->change, link->own, error))
      return FALSE;
  }
  return choose_direction (self->change, run, error)
         && check_children (self, run, error);
}

/* A run that only tidies up must not be what a removal fails for. */
static gboolean
check_runs (WsRemoval *self, GError **error)
{
  for (guint i = self->runs->len; i > 0; i--) {
    WsRun *run = self->runs->pdata[i - 1];
    g_autoptr (GError) local = NULL;

    if (!vix_check_cancelled (self->change->op->cancellable, error))
      return FALSE;
    if (check_run (self, run, &local))
      continue;
    if (run_is_affected (self, run)) {
      g_propagate_error (error, g_steal_pointer (&local));
      return FALSE;
    }
    g_debug ("not merged: %s", local->message);
    g_ptr_array_remove_index (self->runs, i - 1);
  }
  return TRUE;
}

/* ---- the removed snapshots ---- */

static gboolean
check_frozen (WsRemoval *self, const WsSnapshot *snapshot,
              const WsSnapshotDisk *disk, GError **error)
{
  WsLink *link
    = ws_graph_find (self->graph, self->change, disk->file_name, error);

  if (link == NULL) {
    g_prefix_error (error, "snapshot \"%s\", %s: ", snapshot->name, disk->node);
    return FALSE;
  }
  if (link->reader != NULL) {
    g_set_error (error, VIX_ERROR, VIX_E_OBJECT_IS_BUSY,
                 "%s of snapshot \"%s\" is needed by %s", disk->file_name,
                 snapshot->name, link->reader);
    return FALSE;
  }
  if (link->problem != NULL) {
    g_set_error (error, VIX_ERROR, VIX_E_DISK_INVALIDCHAIN, "%s: %s",
                 disk->file_name, link->problem);
    return FALSE;
  }
  if ((link->own == NULL || link->files == NULL)
      && find_only_child (self, link) != NULL) {
    g_set_error (error, VIX_ERROR, VIX_E_NOT_SUPPORTED,
                 "%s lies outside the VM's directory %s: it is not merged with "
                 "its child",
                 link->id, self->change->dir->path);
    return FALSE;
  }
  return TRUE;
}

static gboolean
check_gone (WsRemoval *self, const GArray *uids, GError **error)
{
  for (guint i = 0; i < uids->len; i++) {
    const WsSnapshot *snapshot
      = ws_change_find (self->change, g_array_index (uids, gint64, i), error);

    if (snapshot == NULL || !ws_check_no_clones (self->change, snapshot, error))
      return FALSE;
    for (guint k = 0; k < snapshot->num_disks; k++)
      if (!check_frozen (self, snapshot, &snapshot->disks[k], error))
        return FALSE;
  }
  return TRUE;
}

static WsRemoval *
removal_new (WsChange *change, const GArray *uids, GError **error)
{
  g_autoptr (WsRemoval) self = g_new0 (WsRemoval, 1);

  self->change = change;
  self->gone
    = g_hash_table_new_full (g_int64_hash, g_int64_equal, g_free, NULL);
  self->doomed = g_ptr_array_new ();
  self->runs = g_ptr_array_new_with_free_func ((GDestroyNotify)run_free);
  for (guint i = 0; uids != NULL && i < uids->len; i++)
    g_hash_table_add (self->gone, g_memdup2 (&g_array_index (uids, gint64, i),
                                             sizeof (gint64)));
  self->graph = ws_graph_load (change, self->gone, error);
  return self->graph == NULL ? NULL : g_steal_pointer (&self);
}

WsRemoval *
ws_removal_plan (WsChange *change, const GArray *uids, GError **error)
{
  g_autoptr (WsRemoval) self = removal_new (change, uids, error);

  if (self == NULL)
    return NULL;
  doom (self, FALSE);
  if (!check_gone (self, uids, error) || !lock_doomed (self, error))
    return NULL;
  find_runs (self);
  if (!check_runs (self, error))
    return NULL;
  return g_steal_pointer (&self);
}

WsRemoval *
ws_removal_plan_revert (WsChange *change, GError **error)
{
  g_autoptr (WsRemoval) self = removal_new (change, NULL, error);

  if (self == NULL)
    return NULL;
  doom (self, TRUE);
  return lock_doomed (self, error) ? g_steal_pointer (&self) : NULL;
}
