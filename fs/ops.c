/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ops-private.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "attr.h"
#include "entries.h"
#include "list.h"
#include "xattr.h"

#define MAX_BACKGROUND 1024

FsMount *
fs_op_mount (fuse_req_t req)
{
  return fuse_req_userdata (req);
}

FsRequest *
fs_op_request (fuse_req_t req, FsOp op, fuse_ino_t ino, const char *name)
{
  return fs_request_new (req, &fs_op_mount (req)->stats, op, ino, name);
}

gboolean
fs_op_resolve (FsMount *mount, FsRequest *rq, fuse_ino_t ino, FsNode *ret_node)
{
  if (fs_tree_resolve (mount->tree, ino, ret_node))
    return TRUE;
  fs_request_reply (rq, ESTALE);
  return FALSE;
}

/* Whether to answer may take a host of the network. @name: (nullable): what is
 * looked up in @node */
static gboolean
may_wait (FsMount *mount, const FsNode *node, const char *name)
{
  const FsEntry *entry
    = name != NULL ? fs_kind_entry (fs_kind (node->id.kind), name) : NULL;
  FsNode child = *node;

  if (entry != NULL)
    child.id.kind = entry->kind;
  return fs_may_wait (mount, &child);
}

void
fs_op_run (FsLateCall *call, gboolean late)
{
  if (late) {
    fs_late_run (call->mount->late, call);
  } else {
    call->run (call);
    fs_late_call_clear (call);
  }
}

void
fs_op_start (FsLateCall *call, fuse_req_t req, FsOp op, fuse_ino_t ino)
{
  call->mount = fs_op_mount (req);
  call->ino = ino;
  call->rq = fs_op_request (req, op, ino, call->name);
  if (fs_op_resolve (call->mount, call->rq, ino, &call->node))
    fs_op_run (call, may_wait (call->mount, &call->node, call->name));
  else
    fs_late_call_clear (call);
}

static void
op_init (void *userdata, struct fuse_conn_info *conn)
{
  /* All entries with their attributes, always: who lists will stat. */
  conn->want &= ~(unsigned)FUSE_CAP_READDIRPLUS_AUTO;
  conn->time_gran = 1;
  /* What is read ahead of hosts that do not answer must not use up what others
   * may have under way; threads are made for as many. */
  conn->max_background = MAX_BACKGROUND;
  conn->congestion_threshold = MAX_BACKGROUND;
}

/* ---- names ---- */

static void
answer_lookup (FsLateCall *call)
{
  FsMount *mount = call->mount;
  struct fuse_entry_param entry;
  FsNodeId id;
  int number = fs_find (mount, &call->node, call->name, &id);

  if (number == 0)
    number = fs_attr_fill_entry (mount, id, &entry);
  if (fs_kind (call->node.id.kind)->names_move)
    entry.entry_timeout = 0;
  if (number == 0)
    fs_request_reply_entry (call->rq, &entry);
  else
    fs_request_reply (call->rq, number);
}

static void
op_lookup (fuse_req_t req, fuse_ino_t parent, const char *name)
{
  FsLateCall call = { .run = answer_lookup, .name = (char *)name };

  fs_op_start (&call, req, FS_OP_LOOKUP, parent);
}

static void
op_forget (fuse_req_t req, fuse_ino_t ino, uint64_t nlookup)
{
  fs_stats_count (&fs_op_mount (req)->stats, FS_OP_FORGET);
  fuse_reply_none (req);
}

static void
op_forget_multi (fuse_req_t req, size_t count, struct fuse_forget_data *forgets)
{
  fs_stats_count (&fs_op_mount (req)->stats, FS_OP_FORGET);
  fuse_reply_none (req);
}

static void
op_mkdir (fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode)
{
  FsMount *mount = fs_op_mount (req);
  g_autoptr (FsRequest) rq = fs_op_request (req, FS_OP_MKDIR, parent, name);
  g_auto (FsNode) dir = { 0 };

  if (!fs_op_resolve (mount, rq, parent, &dir))
    return;
  if (fs_kind (dir.id.kind)->make_dir == NULL)
    fs_request_reply (rq, EPERM);
  else
    fs_kind (dir.id.kind)->make_dir (mount, &dir, name, g_steal_pointer (&rq));
}

/* What removing says where @dir's kind has no function for it. */
static void
refuse_removal (FsMount *mount, const FsNode *dir, const char *name,
                FsRequest *rq)
{
  FsNodeId id;
  int number = fs_find (mount, dir, name, &id);

  fs_request_reply (rq, number != 0 ? number : fs_kind (dir->id.kind)->refusal);
}

static void
answer_rmdir (FsLateCall *call)
{
  const FsKind *kind = fs_kind (call->node.id.kind);

  if (kind->remove_dir == NULL)
    refuse_removal (call->mount, &call->node, call->name, call->rq);
  else
    kind->remove_dir (call->mount, &call->node, call->name,
                      g_steal_pointer (&call->rq));
}

static void
op_rmdir (fuse_req_t req, fuse_ino_t parent, const char *name)
{
  FsLateCall call = {
    .run = answer_rmdir,
    .mount = fs_op_mount (req),
    .ino = parent,
    .rq = fs_op_request (req, FS_OP_RMDIR, parent, name),
    .name = (char *)name,
  };

  /* Before a host of the network removes a snapshot, it is asked for what will
   * be lost with it: fs_images_note_times(). */
  if (fs_op_resolve (call.mount, call.rq, parent, &call.node))
    fs_op_run (&call, fs_is_remote (call.mount, &call.node));
  else
    fs_late_call_clear (&call);
}

static void
op_unlink (fuse_req_t req, fuse_ino_t parent, const char *name)
{
  FsMount *mount = fs_op_mount (req);
  g_autoptr (FsRequest) rq = fs_op_request (req, FS_OP_UNLINK, parent, name);
  g_auto (FsNode) dir = { 0 };
  const FsKind *kind;

  if (!fs_op_resolve (mount, rq, parent, &dir))
    return;
  kind = fs_kind (dir.id.kind);
  if (kind->remove == NULL)
    refuse_removal (mount, &dir, name, rq);
  else
    fs_request_reply (rq, kind->remove (mount, &dir, name));
}

/* Another alias of "snapshots" is the same directory. */
static gboolean
is_same_directory (const FsNode *a, const FsNode *b)
{
  return a->id.slot == b->id.slot && a->id.snapshot == b->id.snapshot
         && a->id.kind == b->id.kind;
}

static void
op_rename (fuse_req_t req, fuse_ino_t parent, const char *name,
           fuse_ino_t newparent, const char *newname, unsigned int flags)
{
  FsMount *mount = fs_op_mount (req);
  g_autoptr (FsRequest) rq = fs_op_request (req, FS_OP_RENAME, parent, name);
  g_auto (FsNode) dir = { 0 };
  g_auto (FsNode) target = { 0 };

  if (!fs_op_resolve (mount, rq, parent, &dir)
      || !fs_op_resolve (mount, rq, newparent, &target))
    return;
  if (!is_same_directory (&dir, &target) || (flags & ~RENAME_NOREPLACE) != 0)
    fs_request_reply (rq, EINVAL);
  else if (fs_kind (dir.id.kind)->rename == NULL)
    refuse_removal (mount, &dir, name, rq);
  else
    fs_kind (dir.id.kind)
      ->rename (mount, &dir, name, newname, g_steal_pointer (&rq));
}

static void
op_mknod (fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
          dev_t rdev)
{
  g_autoptr (FsRequest) rq = fs_op_request (req, FS_OP_MKNOD, parent, name);

  fs_request_reply (rq, EPERM);
}

static void
op_symlink (fuse_req_t req, const char *link, fuse_ino_t parent,
            const char *name)
{
  g_autoptr (FsRequest) rq = fs_op_request (req, FS_OP_SYMLINK, parent, name);

  fs_request_reply (rq, EPERM);
}

static void
op_link (fuse_req_t req, fuse_ino_t ino, fuse_ino_t newparent,
         const char *newname)
{
  g_autoptr (FsRequest) rq
    = fs_op_request (req, FS_OP_LINK, newparent, newname);

  fs_request_reply (rq, EPERM);
}

/* ---- attributes ---- */

static void
answer_getattr (FsLateCall *call)
{
  struct stat attr;
  int number = fs_attr_fill (call->mount, &call->node, &attr);

  if (number == 0)
    fs_request_reply_attr (call->rq, &attr,
                           fs_attr_timeout (call->mount, &call->node, &attr));
  else
    fs_request_reply (call->rq, number);
}

static void
op_getattr (fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
  FsLateCall call = { .run = answer_getattr };

  fs_op_start (&call, req, FS_OP_GETATTR, ino);
}

/* Owners and modes are options of the mount. A size or time of what can be
 * written is taken and forgotten: what is written says all. */
static void
op_setattr (fuse_req_t req, fuse_ino_t ino, struct stat *attr, int to_set,
            struct fuse_file_info *fi)
{
  FsMount *mount = fs_op_mount (req);
  g_autoptr (FsRequest) rq = fs_op_request (req, FS_OP_SETATTR, ino, NULL);
  g_auto (FsNode) node = { 0 };
  struct stat now;
  int number;

  if (!fs_op_resolve (mount, rq, ino, &node))
    return;
  if (to_set & (FUSE_SET_ATTR_MODE | FUSE_SET_ATTR_UID | FUSE_SET_ATTR_GID))
    number = EPERM;
  else if (mount->options->read_only
           || (fs_kind (node.id.kind)->mode & 0222) == 0
           || !S_ISREG (fs_kind (node.id.kind)->mode))
    number = EROFS;
  else
    number = fs_attr_fill (mount, &node, &now);
  if (number == 0)
    fs_request_reply_attr (rq, &now, fs_attr_timeout (mount, &node, &now));
  else
    fs_request_reply (rq, number);
}

static void
op_readlink (fuse_req_t req, fuse_ino_t ino)
{
  FsMount *mount = fs_op_mount (req);
  g_autoptr (FsRequest) rq = fs_op_request (req, FS_OP_READLINK, ino, NULL);
  g_autoptr (GString) target = g_string_new (NULL);
  g_auto (FsNode) node = { 0 };
  int number;

  if (!fs_op_resolve (mount, rq, ino, &node))
    return;
  number = S_ISLNK (fs_kind (node.id.kind)->mode)
             ? fs_kind (node.id.kind)->print (mount, &node, target)
             : EINVAL;
  if (number == 0)
    fs_request_reply_link (rq, target->str);
  else
    fs_request_reply (rq, number);
}

static void
op_statfs (fuse_req_t req, fuse_ino_t ino)
{
  FsMount *mount = fs_op_mount (req);
  g_autoptr (FsRequest) rq = fs_op_request (req, FS_OP_STATFS, ino, NULL);
  struct statvfs answer = { .f_bsize = 4096, .f_frsize = 4096 };
  g_auto (FsNode) node = { 0 };
  guint i;

  if (!fs_op_resolve (mount, rq, ino, &node))
    return;
  /* Of the host; at the root of several, of all together. */
  for (i = 0; i < mount->hosts->len; i++) {
    VixExtHostStatus status;

    if (node.host != FS_NO_HOST && node.host != i)
      continue;
    fs_host_get_status (mount->hosts->pdata[i], &status);
    answer.f_blocks += (fsblkcnt_t)status.capacity / answer.f_frsize;
    answer.f_bfree += (fsblkcnt_t)status.freeSpace / answer.f_frsize;
  }
  answer.f_bavail = answer.f_bfree;
  answer.f_namemax = NAME_MAX;
  fs_request_reply_statfs (rq, &answer);
}

/* ---- directories ---- */

/* The kernel then opens directories by itself, and keeps their listings. */
static void
op_opendir (fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
  g_autoptr (FsRequest) rq = fs_op_request (req, FS_OP_OPENDIR, ino, NULL);

  fs_request_reply (rq, ENOSYS);
}

static void
read_directory (FsLateCall *call, gboolean plus)
{
  g_autofree char *buffer = g_malloc (call->size);
  FsList list = {
    .req = fs_request_get_fuse (call->rq),
    .plus = plus,
    .buffer = buffer,
    .size = call->size,
  };
  int number
    = S_ISDIR (fs_kind (call->node.id.kind)->mode)
        ? fs_list_fill (call->mount, &call->node, (guint64)call->off, &list)
        : ENOTDIR;

  if (number == 0)
    fs_request_reply_data (call->rq, buffer, list.used);
  else
    fs_request_reply (call->rq, number);
}

static void
answer_readdir (FsLateCall *call)
{
  read_directory (call, FALSE);
}

static void
op_readdir (fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
            struct fuse_file_info *fi)
{
  FsLateCall call = { .run = answer_readdir, .size = size, .off = off };

  fs_op_start (&call, req, FS_OP_READDIR, ino);
}

static void
answer_readdirplus (FsLateCall *call)
{
  read_directory (call, TRUE);
}

static void
op_readdirplus (fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
                struct fuse_file_info *fi)
{
  FsLateCall call = { .run = answer_readdirplus, .size = size, .off = off };

  fs_op_start (&call, req, FS_OP_READDIRPLUS, ino);
}

/* ---- extended attributes ---- */

static void
op_getxattr (fuse_req_t req, fuse_ino_t ino, const char *name, size_t size)
{
  FsMount *mount = fs_op_mount (req);
  g_autoptr (FsRequest) rq = fs_op_request (req, FS_OP_GETXATTR, ino, name);
  g_autofree char *value = NULL;
  g_auto (FsNode) node = { 0 };
  int number;

  if (!fs_op_resolve (mount, rq, ino, &node))
    return;
  number = fs_xattr_get (mount, &node, name, &value);
  if (number == 0)
    fs_request_reply_xattr (rq, value, strlen (value), size);
  else
    fs_request_reply (rq, number);
}

static void
op_listxattr (fuse_req_t req, fuse_ino_t ino, size_t size)
{
  FsMount *mount = fs_op_mount (req);
  g_autoptr (FsRequest) rq = fs_op_request (req, FS_OP_LISTXATTR, ino, NULL);
  g_autoptr (GString) names = g_string_new (NULL);
  g_auto (FsNode) node = { 0 };

  if (!fs_op_resolve (mount, rq, ino, &node))
    return;
  fs_xattr_list (mount, &node, names);
  fs_request_reply_xattr (rq, names->str, names->len, size);
}

static void
op_setxattr (fuse_req_t req, fuse_ino_t ino, const char *name,
             const char *value, size_t size, int flags)
{
  FsMount *mount = fs_op_mount (req);
  g_autoptr (FsRequest) rq = fs_op_request (req, FS_OP_SETXATTR, ino, name);
  g_auto (FsNode) node = { 0 };

  if (!fs_op_resolve (mount, rq, ino, &node))
    return;
  fs_xattr_set (mount, &node, name, value, size, flags, g_steal_pointer (&rq));
}

static void
op_removexattr (fuse_req_t req, fuse_ino_t ino, const char *name)
{
  FsMount *mount = fs_op_mount (req);
  g_autoptr (FsRequest) rq = fs_op_request (req, FS_OP_REMOVEXATTR, ino, name);
  g_auto (FsNode) node = { 0 };

  if (!fs_op_resolve (mount, rq, ino, &node))
    return;
  fs_xattr_remove (mount, &node, name, g_steal_pointer (&rq));
}

const struct fuse_lowlevel_ops fs_ops = {
  .init = op_init,
  .lookup = op_lookup,
  .forget = op_forget,
  .forget_multi = op_forget_multi,
  .getattr = op_getattr,
  .setattr = op_setattr,
  .readlink = op_readlink,
  .mknod = op_mknod,
  .mkdir = op_mkdir,
  .unlink = op_unlink,
  .rmdir = op_rmdir,
  .symlink = op_symlink,
  .rename = op_rename,
  .link = op_link,
  .create = fs_op_create,
  .open = fs_op_open,
  .read = fs_op_read,
  .write = fs_op_write,
  .flush = fs_op_flush,
  .release = fs_op_release,
  .fsync = fs_op_fsync,
  .opendir = op_opendir,
  .readdir = op_readdir,
  .readdirplus = op_readdirplus,
  .statfs = op_statfs,
  .setxattr = op_setxattr,
  .getxattr = op_getxattr,
  .listxattr = op_listxattr,
  .removexattr = op_removexattr,
  .poll = fs_op_poll,
  .lseek = fs_op_lseek,
};
