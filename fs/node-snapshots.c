/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * snapshots/: mkdir takes a snapshot, rmdir removes it, rename renames it.
 *
 * Each starts a job and returns; the functions called *_done run when the job
 * came off, with the inventory already up to date.
 */
#include <errno.h>
#include <string.h>
#include <sys/xattr.h>

#include "attr.h"
#include "entries.h"
#include "list.h"
#include "name.h"
#include "refuse.h"

/* How long to wait for the kernel to be done with an image that its reader
 * has closed: what it reads ahead of a slow host has to come first. */
#define CLOSING_US (5 * G_USEC_PER_SEC)

/* ---- what is there ---- */

gboolean
fs_mark_memory_is_present (FsMount *mount, const FsNode *dir)
{
  return dir->marks.memory != 0;
}

gboolean
fs_mark_quiesce_is_present (FsMount *mount, const FsNode *dir)
{
  return dir->marks.quiesce != 0;
}

int
fs_mark_print (FsMount *mount, const FsNode *node, GString *out)
{
  gint64 since = node->id.kind == FS_KIND_MARK_MEMORY ? node->marks.memory
                                                      : node->marks.quiesce;

  return since != 0 ? 0 : ESTALE;
}

static FsNodeId
snapshot_node (const FsNode *dir, guint32 snapshot)
{
  return (FsNodeId){ dir->id.slot, snapshot, FS_KIND_SNAPSHOT, dir->id.index };
}

int
fs_snapshots_find (FsMount *mount, const FsNode *dir, const char *name,
                   FsNodeId *ret_id)
{
  guint32 slot = fs_tree_find_snapshot (mount->tree, dir->id.slot, name);

  if (slot == 0)
    return ENOENT;
  *ret_id = snapshot_node (dir, slot);
  return 0;
}

gboolean
fs_snapshots_list (FsMount *mount, const FsNode *dir, guint32 after,
                   FsList *list)
{
  return fs_list_add_slots (mount, list, dir, after, fs_list_fetch_snapshots,
                            NULL);
}

/* The node of what is shown as @name; errno. */
static int
resolve_snapshot (FsMount *mount, const FsNode *dir, const char *name,
                  FsNode *ret_node)
{
  FsNodeId id;
  int number = fs_snapshots_find (mount, dir, name, &id);

  if (number == 0
      && !fs_tree_resolve (mount->tree, fs_node_pack (id), ret_node))
    number = ENOENT;
  return number;
}

/* ---- mkdir ---- */

static VixHandle
start_create (FsChange *self, VixHandle vm, VixHandle snapshot,
              VixEventProc *callback, void *data)
{
  return VixVM_CreateSnapshot (vm, self->text, self->description, self->options,
                               VIX_INVALID_HANDLE, callback, data);
}

/* The id of the snapshot that @job made; 0 if it is gone again. */
static gint64
made_id (VixHandle job)
{
  VixHandle snapshot = VIX_INVALID_HANDLE;
  int64 id = 0;

  if (VIX_SUCCEEDED (Vix_GetProperties (job, VIX_PROPERTY_JOB_RESULT_HANDLE,
                                        &snapshot, VIX_PROPERTY_NONE))
      && VIX_FAILED (VixExt_GetSnapshotId (snapshot, &id)))
    id = 0;
  Vix_ReleaseHandle (snapshot);
  return id;
}

/* Hosts make the snapshot all the same where they cannot do what was asked. */
static const char *
lacking (FsChange *self, VixHandle job)
{
  const VixExtVM *vm = NULL;
  const VixExtSnapshot *snapshot = NULL;
  gboolean no_memory = FALSE;
  gboolean no_quiescing = FALSE;

  if (self->options != 0
      && VIX_SUCCEEDED (
        VixExt_LookupVM (fs_host_handle (self->host), self->vm_id, &vm)))
    snapshot = fs_record_snapshot (vm, made_id (job));
  if (snapshot != NULL) {
    no_memory = (self->options & VIX_SNAPSHOT_INCLUDE_MEMORY)
                && !(snapshot->flags & VIXEXT_SNAPSHOT_HAS_MEMORY);
    no_quiescing = (self->options & VIXEXT_SNAPSHOT_QUIESCE)
                   && !(snapshot->flags & VIXEXT_SNAPSHOT_QUIESCED);
  }
  VixExt_UnrefVM (vm);
  if (no_memory)
    return no_quiescing ? "without memory, without quiescing"
                        : "without memory";
  return no_quiescing ? "without quiescing" : NULL;
}

static void
create_done (FsChange *self, VixHandle job)
{
  FsTree *tree = self->mount->tree;
  guint32 slot = fs_tree_snapshot_slot (tree, self->slot, made_id (job));
  FsNodeId id = { self->slot, slot, FS_KIND_SNAPSHOT, self->alias };
  struct fuse_entry_param entry;
  int number
    = slot != 0 ? fs_attr_fill_entry (self->mount, id, &entry) : ENOENT;

  if (number != 0) {
    fs_request_reply (self->request, number);
    return;
  }
  /* If somebody else made one of that name meanwhile, ours is NAME~ID: the
   * kernel looks the name up again when it is used next. */
  if (fs_tree_find_snapshot (tree, self->slot, self->new_shown) != slot)
    entry.entry_timeout = 0;
  fs_request_reply_entry (self->request, &entry);
}

static const FsChangeOps create_ops = {
  .name = "create",
  .start = start_create,
  .succeed = create_done,
  .remark = lacking,
};

/* Whether a snapshot can have that name now; if not, says why. */
static gboolean
check_new_name (FsMount *mount, const FsNode *dir, const char *name,
                FsRequest *rq, char **ret_text)
{
  int number = fs_name_parse (name, ret_text);

  if (number != 0)
    fs_refuse_name (mount, dir, rq, name, number);
  else if (fs_tree_find_snapshot (mount->tree, dir->id.slot, name) == 0)
    return TRUE;
  else
    fs_refuse (mount, dir, rq, VIX_E_ALREADY_EXISTS,
               "there is a snapshot \"%s\" already", name);
  return FALSE;
}

void
fs_snapshots_mkdir (FsMount *mount, const FsNode *dir, const char *name,
                    FsRequest *rq)
{
  g_autoptr (FsRequest) mine = rq;
  g_autofree char *text = NULL;
  FsChange *change;

  if (!check_new_name (mount, dir, name, mine, &text))
    return;
  change = fs_change_new (mount, &create_ops, dir, g_steal_pointer (&mine));
  change->new_shown = g_strdup (name);
  change->text = g_steal_pointer (&text);
  change->description = fs_tree_get_description (mount->tree, dir->id.slot);
  change->options = (dir->marks.memory != 0 ? VIX_SNAPSHOT_INCLUDE_MEMORY : 0)
                    | (dir->marks.quiesce != 0 ? VIXEXT_SNAPSHOT_QUIESCE : 0);
  fs_change_start (change);
}

/* ---- rmdir and rename ---- */

static VixHandle
start_remove (FsChange *self, VixHandle vm, VixHandle snapshot,
              VixEventProc *callback, void *data)
{
  return VixVM_RemoveSnapshot (vm, snapshot, 0, callback, data);
}

static VixHandle
start_rename (FsChange *self, VixHandle vm, VixHandle snapshot,
              VixEventProc *callback, void *data)
{
  return VixExt_RenameSnapshot (snapshot, self->text, callback, data);
}

/* The kernel gives the directory its new name only if it hears of the success:
 * then its node stays the same. */
static void
rename_not_told (FsChange *self)
{
  FsStale *stale = fs_stale_new ();

  fs_tree_renew_snapshot (self->mount->tree, self->slot, self->snapshot, stale);
  fs_notify_send (self->mount->notify, stale);
}

/* Not while one of its images is open; one that is being closed is waited for.
 * What is to be asked of the host is asked the first time: later it is the main
 * thread that tries again. */
static VixError
seal (FsChange *self, char **ret_message)
{
  gint64 waited = g_get_monotonic_time () - self->started;
  FsSeal seal;

  if (!self->noted)
    fs_images_note_times (self->mount->images, self->slot, self->snapshot);
  self->noted = TRUE;
  seal = fs_pins_seal (self->mount->pins, self->pin);

  if (seal == FS_SEAL_CLOSING && waited < CLOSING_US)
    return VIX_E_OBJECT_IS_BUSY;
  self->sealed = seal == FS_SEAL_DONE;
  if (self->sealed)
    return VIX_OK;
  *ret_message = g_strdup_printf (
    "\"%s\" cannot be removed while one of its disks is open", self->shown);
  return VIX_E_SNAPSHOT_LOCKED;
}

static void
unseal (FsChange *self)
{
  if (self->sealed)
    fs_pins_unseal (self->mount->pins, self->pin);
}

static const FsChangeOps remove_ops = {
  .name = "remove",
  .prepare = seal,
  .start = start_remove,
  .succeed = fs_change_reply_done,
  .ended = unseal,
};
static const FsChangeOps rename_ops = {
  .name = "rename",
  .start = start_rename,
  .succeed = fs_change_reply_done,
  .not_told = rename_not_told,
};

void
fs_snapshots_rmdir (FsMount *mount, const FsNode *dir, const char *name,
                    FsRequest *rq)
{
  g_autoptr (FsRequest) mine = rq;
  g_auto (FsNode) target = { 0 };
  int number = resolve_snapshot (mount, dir, name, &target);
  FsChange *change;

  if (number != 0) {
    fs_request_reply (mine, number);
    return;
  }
  change = fs_change_new (mount, &remove_ops, &target, g_steal_pointer (&mine));
  change->pin = fs_pins_key (target.id.slot, target.snapshot->id);
  change->shown = g_strdup (name);
  fs_change_start (change);
}

void
fs_snapshots_rename (FsMount *mount, const FsNode *dir, const char *name,
                     const char *new_name, FsRequest *rq)
{
  g_autoptr (FsRequest) mine = rq;
  g_autofree char *text = NULL;
  g_auto (FsNode) target = { 0 };
  int number = resolve_snapshot (mount, dir, name, &target);
  FsChange *change;

  if (number != 0) {
    fs_request_reply (mine, number);
    return;
  }
  if (!check_new_name (mount, dir, new_name, mine, &text))
    return;
  change = fs_change_new (mount, &rename_ops, &target, g_steal_pointer (&mine));
  change->shown = g_strdup (name);
  change->new_shown = g_strdup (new_name);
  change->text = g_steal_pointer (&text);
  fs_tree_expect_rename (mount->tree, change->slot, change->snapshot);
  fs_change_start (change);
}

/* ---- markers ---- */

/* errno; @since 0 removes it. */
static int
set_mark (FsMount *mount, const FsNode *dir, const char *name, gint64 since,
          FsKindId *ret_mark)
{
  const FsEntry *entry = fs_kind_entry (fs_kind (dir->id.kind), name);
  FsStale *stale;

  if (entry == NULL
      || (entry->kind != FS_KIND_MARK_MEMORY
          && entry->kind != FS_KIND_MARK_QUIESCE))
    return EPERM;
  if (mount->options->read_only)
    return EROFS;
  if (since == 0 && !fs_entry_is_present (entry, mount, dir))
    return ENOENT;
  stale = fs_stale_new ();
  fs_tree_set_mark (mount->tree, dir->id.slot, entry->kind, since, stale);
  fs_notify_send (mount->notify, stale);
  *ret_mark = entry->kind;
  return 0;
}

int
fs_snapshots_create (FsMount *mount, const FsNode *dir, const char *name,
                     FsNodeId *ret_id)
{
  FsKindId mark;
  int number
    = set_mark (mount, dir, name, g_get_real_time () / G_USEC_PER_SEC, &mark);

  if (number == 0)
    *ret_id = (FsNodeId){ dir->id.slot, 0, mark, 0 };
  return number;
}

int
fs_snapshots_remove (FsMount *mount, const FsNode *dir, const char *name)
{
  FsKindId mark;

  return set_mark (mount, dir, name, 0, &mark);
}

/* ---- the description that new snapshots get ---- */

void
fs_snapshots_describe (FsMount *mount, const FsNode *node, const char *text,
                       int flags, FsRequest *rq)
{
  g_autoptr (FsRequest) mine = rq;
  g_autofree char *old = fs_tree_get_description (mount->tree, node->id.slot);
  int number = 0;

  if (mount->options->read_only)
    number = EROFS;
  else if (old != NULL && (flags & XATTR_CREATE))
    number = EEXIST;
  else if (old == NULL && (text == NULL || (flags & XATTR_REPLACE)))
    number = ENODATA;
  else
    fs_tree_set_description (mount->tree, node->id.slot, text);
  fs_request_reply (mine, number);
}
