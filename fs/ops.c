/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ops.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "attr.h"
#include "entries.h"
#include "errno-map.h"
#include "list.h"
#include "xattr.h"

/* The most that a file of ours takes: no more than a description can be. */
#define STORE_MAX FS_DESCRIPTION_MAX

#define MAX_BACKGROUND 1024

static FsMount *
mount_of (fuse_req_t req)
{
  return fuse_req_userdata (req);
}

static FsRequest *
request_new (fuse_req_t req, FsOp op, fuse_ino_t ino, const char *name)
{
  FsRequest *rq = fs_request_new (req, &mount_of (req)->stats, op, ino, name);

  fs_late_watch (rq);
  return rq;
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

/* Then the request is one of late.h. */
static gboolean
defer (const FsLateCall *call)
{
  FsMount *mount = mount_of (call->req);
  g_auto (FsNode) node = { 0 };

  if (fs_late_is_here () || !fs_tree_resolve (mount->tree, call->ino, &node)
      || !may_wait (mount, &node, call->name))
    return FALSE;
  fs_late_run (mount->late, call);
  return TRUE;
}

/* Finds the node, or answers: ESTALE makes the kernel look the path up again.
 */
static gboolean
resolve (FsMount *mount, FsRequest *rq, fuse_ino_t ino, FsNode *ret_node)
{
  if (fs_tree_resolve (mount->tree, ino, ret_node))
    return TRUE;
  fs_request_reply (rq, ESTALE);
  return FALSE;
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
lookup_now (fuse_req_t req, fuse_ino_t parent, const char *name)
{
  FsMount *mount = mount_of (req);
  g_autoptr (FsRequest) rq = request_new (req, FS_OP_LOOKUP, parent, name);
  g_auto (FsNode) dir = { 0 };
  struct fuse_entry_param entry;
  FsNodeId id;
  int number;

  if (!resolve (mount, rq, parent, &dir))
    return;
  number = fs_find (mount, &dir, name, &id);
  if (number == 0)
    number = fs_attr_fill_entry (mount, id, &entry);
  if (fs_kind (dir.id.kind)->names_move)
    entry.entry_timeout = 0;
  if (number == 0)
    fs_request_reply_entry (rq, &entry);
  else
    fs_request_reply (rq, number);
}

static void
lookup_late (FsLateCall *call)
{
  lookup_now (call->req, call->ino, call->name);
}

static void
op_lookup (fuse_req_t req, fuse_ino_t parent, const char *name)
{
  FsLateCall call
    = { .run = lookup_late, .req = req, .ino = parent, .name = (char *)name };

  if (!defer (&call))
    lookup_now (req, parent, name);
}

static void
op_forget (fuse_req_t req, fuse_ino_t ino, uint64_t nlookup)
{
  fs_stats_count (&mount_of (req)->stats, FS_OP_FORGET);
  fuse_reply_none (req);
}

static void
op_forget_multi (fuse_req_t req, size_t count, struct fuse_forget_data *forgets)
{
  fs_stats_count (&mount_of (req)->stats, FS_OP_FORGET);
  fuse_reply_none (req);
}

static void
op_mkdir (fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode)
{
  FsMount *mount = mount_of (req);
  g_autoptr (FsRequest) rq = request_new (req, FS_OP_MKDIR, parent, name);
  g_auto (FsNode) dir = { 0 };

  if (!resolve (mount, rq, parent, &dir))
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
op_rmdir (fuse_req_t req, fuse_ino_t parent, const char *name)
{
  FsMount *mount = mount_of (req);
  g_autoptr (FsRequest) rq = request_new (req, FS_OP_RMDIR, parent, name);
  g_auto (FsNode) dir = { 0 };

  if (!resolve (mount, rq, parent, &dir))
    return;
  if (fs_kind (dir.id.kind)->remove_dir == NULL)
    refuse_removal (mount, &dir, name, rq);
  else
    fs_kind (dir.id.kind)
      ->remove_dir (mount, &dir, name, g_steal_pointer (&rq));
}

static void
op_unlink (fuse_req_t req, fuse_ino_t parent, const char *name)
{
  FsMount *mount = mount_of (req);
  g_autoptr (FsRequest) rq = request_new (req, FS_OP_UNLINK, parent, name);
  g_auto (FsNode) dir = { 0 };
  const FsKind *kind;

  if (!resolve (mount, rq, parent, &dir))
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
  FsMount *mount = mount_of (req);
  g_autoptr (FsRequest) rq = request_new (req, FS_OP_RENAME, parent, name);
  g_auto (FsNode) dir = { 0 };
  g_auto (FsNode) target = { 0 };

  if (!resolve (mount, rq, parent, &dir)
      || !resolve (mount, rq, newparent, &target))
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
  g_autoptr (FsRequest) rq = request_new (req, FS_OP_MKNOD, parent, name);

  fs_request_reply (rq, EPERM);
}

static void
op_symlink (fuse_req_t req, const char *link, fuse_ino_t parent,
            const char *name)
{
  g_autoptr (FsRequest) rq = request_new (req, FS_OP_SYMLINK, parent, name);

  fs_request_reply (rq, EPERM);
}

static void
op_link (fuse_req_t req, fuse_ino_t ino, fuse_ino_t newparent,
         const char *newname)
{
  g_autoptr (FsRequest) rq = request_new (req, FS_OP_LINK, newparent, newname);

  fs_request_reply (rq, EPERM);
}

/* ---- attributes ---- */

static void
getattr_now (fuse_req_t req, fuse_ino_t ino)
{
  FsMount *mount = mount_of (req);
  g_autoptr (FsRequest) rq = request_new (req, FS_OP_GETATTR, ino, NULL);
  g_auto (FsNode) node = { 0 };
  struct stat attr;
  int number;

  if (!resolve (mount, rq, ino, &node))
    return;
  number = fs_attr_fill (mount, &node, &attr);
  if (number == 0)
    fs_request_reply_attr (rq, &attr, fs_attr_timeout (mount, &node, &attr));
  else
    fs_request_reply (rq, number);
}

static void
getattr_late (FsLateCall *call)
{
  getattr_now (call->req, call->ino);
}

static void
op_getattr (fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
  FsLateCall call = { .run = getattr_late, .req = req, .ino = ino };

  if (!defer (&call))
    getattr_now (req, ino);
}

/* Owners and modes are options of the mount. A size or time of what can be
 * written is taken and forgotten: what is written says all. */
static void
op_setattr (fuse_req_t req, fuse_ino_t ino, struct stat *attr, int to_set,
            struct fuse_file_info *fi)
{
  FsMount *mount = mount_of (req);
  g_autoptr (FsRequest) rq = request_new (req, FS_OP_SETATTR, ino, NULL);
  g_auto (FsNode) node = { 0 };
  struct stat now;
  int number;

  if (!resolve (mount, rq, ino, &node))
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
  FsMount *mount = mount_of (req);
  g_autoptr (FsRequest) rq = request_new (req, FS_OP_READLINK, ino, NULL);
  g_autoptr (GString) target = g_string_new (NULL);
  g_auto (FsNode) node = { 0 };
  int number;

  if (!resolve (mount, rq, ino, &node))
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
  FsMount *mount = mount_of (req);
  g_autoptr (FsRequest) rq = request_new (req, FS_OP_STATFS, ino, NULL);
  struct statvfs answer = { .f_bsize = 4096, .f_frsize = 4096 };
  g_auto (FsNode) node = { 0 };
  guint i;

  if (!resolve (mount, rq, ino, &node))
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
  g_autoptr (FsRequest) rq = request_new (req, FS_OP_OPENDIR, ino, NULL);

  fs_request_reply (rq, ENOSYS);
}

static void
read_directory (fuse_req_t req, FsOp op, fuse_ino_t ino, size_t size, off_t off)
{
  FsMount *mount = mount_of (req);
  g_autoptr (FsRequest) rq = request_new (req, op, ino, NULL);
  g_autofree char *buffer = g_malloc (size);
  FsList list = {
    .req = req,
    .plus = op == FS_OP_READDIRPLUS,
    .buffer = buffer,
    .size = size,
  };
  g_auto (FsNode) dir = { 0 };
  int number;

  if (!resolve (mount, rq, ino, &dir))
    return;
  number = S_ISDIR (fs_kind (dir.id.kind)->mode)
             ? fs_list_fill (mount, &dir, (guint64)off, &list)
             : ENOTDIR;
  if (number == 0)
    fs_request_reply_data (rq, buffer, list.used);
  else
    fs_request_reply (rq, number);
}

static void
readdir_late (FsLateCall *call)
{
  read_directory (call->req, FS_OP_READDIR, call->ino, call->size, call->off);
}

static void
op_readdir (fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
            struct fuse_file_info *fi)
{
  FsLateCall call
    = { .run = readdir_late, .req = req, .ino = ino, .size = size, .off = off };

  if (!defer (&call))
    read_directory (req, FS_OP_READDIR, ino, size, off);
}

static void
readdirplus_late (FsLateCall *call)
{
  read_directory (call->req, FS_OP_READDIRPLUS, call->ino, call->size,
                  call->off);
}

static void
op_readdirplus (fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
                struct fuse_file_info *fi)
{
  FsLateCall call = {
    .run = readdirplus_late, .req = req, .ino = ino, .size = size, .off = off
  };

  if (!defer (&call))
    read_directory (req, FS_OP_READDIRPLUS, ino, size, off);
}

/* ---- files ---- */

static FsOpen *
open_of (const struct fuse_file_info *fi)
{
  return (FsOpen *)(gsize)fi->fh;
}

/* Opens @node; errno. */
static int
open_node (FsMount *mount, const FsNode *node, struct fuse_file_info *fi)
{
  const FsKind *kind = fs_kind (node->id.kind);
  g_autoptr (FsOpen) open = g_new0 (FsOpen, 1);
  gboolean writes = (fi->flags & O_ACCMODE) != O_RDONLY;
  int number = 0;

  if (writes && (mount->options->read_only || (kind->mode & 0222) == 0))
    return EROFS;
  open->wait = (fi->flags & O_NONBLOCK) == 0;
  open->may_wait = may_wait (mount, node, NULL);
  if (kind->open != NULL) {
    number = kind->open (mount, node, open);
  } else if (kind->print != NULL) {
    GString *text = g_string_new (NULL);

    number = kind->print (mount, node, text);
    open->text = g_string_free_to_bytes (text);
  }
  if (number != 0)
    return number;
  /* Texts have no pages in the kernel: each open reads it anew. */
  fi->direct_io = open->reader == NULL;
  fi->nonseekable = open->events != NULL;
  fi->keep_cache = open->reader != NULL;
  fi->noflush = 1;
  fi->fh = (gsize)g_steal_pointer (&open);
  fs_stats_add (&mount->stats, FS_STAT_OPEN_FILES, 1);
  return 0;
}

static void
open_now (fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
  FsMount *mount = mount_of (req);
  g_autoptr (FsRequest) rq = request_new (req, FS_OP_OPEN, ino, NULL);
  g_auto (FsNode) node = { 0 };
  int number;

  if (!resolve (mount, rq, ino, &node))
    return;
  number = open_node (mount, &node, fi);
  if (number == 0)
    fs_request_reply_open (rq, fi);
  else
    fs_request_reply (rq, number);
}

static void
open_late (FsLateCall *call)
{
  open_now (call->req, call->ino, &call->file);
}

static void
op_open (fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
  FsLateCall call = { .run = open_late, .req = req, .ino = ino, .file = *fi };

  if (!defer (&call))
    open_now (req, ino, fi);
}

static void
op_create (fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
           struct fuse_file_info *fi)
{
  FsMount *mount = mount_of (req);
  g_autoptr (FsRequest) rq = request_new (req, FS_OP_CREATE, parent, name);
  g_auto (FsNode) dir = { 0 };
  g_auto (FsNode) node = { 0 };
  struct fuse_entry_param entry;
  FsNodeId id = { 0, 0, 0, 0 };
  int number = EPERM;

  if (!resolve (mount, rq, parent, &dir))
    return;
  if (fs_kind (dir.id.kind)->create != NULL)
    number = fs_kind (dir.id.kind)->create (mount, &dir, name, &id);
  if (number == 0)
    number = fs_attr_fill_entry (mount, id, &entry);
  if (number == 0 && !fs_tree_resolve (mount->tree, entry.ino, &node))
    number = ENOENT;
  if (number == 0)
    number = open_node (mount, &node, fi);
  if (number == 0)
    fs_request_reply_create (rq, &entry, fi);
  else
    fs_request_reply (rq, number);
}

static void
op_release (fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
  FsMount *mount = mount_of (req);
  g_autoptr (FsRequest) rq = request_new (req, FS_OP_RELEASE, ino, NULL);

  fs_open_free (open_of (fi));
  fs_stats_add (&mount->stats, FS_STAT_OPEN_FILES, -1);
  fs_request_reply (rq, 0);
}

/* Of what was open: where it is damaged, or why the host refuses. */
static void
tell_trouble (FsMount *mount, fuse_ino_t ino, VixError error,
              const char *message)
{
  g_auto (FsNode) node = { 0 };
  g_autofree char *label = NULL;
  const FsKind *kind;

  if (!fs_tree_resolve (mount->tree, ino, &node) || node.vm == NULL)
    return;
  kind = fs_kind (node.id.kind);
  if (kind->label != NULL)
    label = kind->label (mount, &node);
  fs_troubles_tell (mount->troubles, &node, label != NULL ? label : kind->name,
                    error, message);
}

static void
read_host_file (FsMount *mount, FsRequest *rq, fuse_ino_t ino,
                const FsOpen *open, size_t size, off_t off)
{
  g_autofree char *buffer = g_malloc (size);
  size_t done = 0;
  char *message = NULL;
  VixError error
    = VixExt_ReadFile (open->reader, off, buffer, size, &done, &message);

  if (VIX_FAILED (error)) {
    int number = fs_errno_from_vix (error);

    tell_trouble (mount, ino, error, message);
    Vix_FreeBuffer (message);
    /* It was there when it was opened. */
    fs_request_reply (rq, number == ENOENT ? ESTALE : number);
    return;
  }
  fs_stats_add (&mount->stats,
                open->images != NULL ? FS_STAT_IMAGE_BYTES_READ
                                     : FS_STAT_BYTES_READ,
                (gssize)done);
  fs_request_reply_data (rq, buffer, done);
}

static void
read_now (fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
          const struct fuse_file_info *fi)
{
  FsMount *mount = mount_of (req);
  g_autoptr (FsRequest) rq = request_new (req, FS_OP_READ, ino, NULL);
  FsOpen *open = open_of (fi);

  if (open->events != NULL) {
    gboolean wait = open->wait && (fi->flags & O_NONBLOCK) == 0;

    fs_events_read (open->events, g_steal_pointer (&rq), size, wait);
  } else if (open->reader != NULL) {
    read_host_file (mount, rq, ino, open, size, off);
  } else {
    /* Its own: once answered, the file may be closed. */
    g_autoptr (GBytes) bytes = g_bytes_ref (open->text);
    gsize len = 0;
    const char *text = g_bytes_get_data (bytes, &len);
    gsize at = MIN ((gsize)off, len);

    fs_request_reply_data (rq, len > 0 ? text + at : "", MIN (size, len - at));
  }
}

static void
read_late (FsLateCall *call)
{
  read_now (call->req, call->ino, call->size, call->off, &call->file);
}

static void
op_read (fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
         struct fuse_file_info *fi)
{
  FsLateCall call = { .run = read_late,
                      .req = req,
                      .ino = ino,
                      .size = size,
                      .off = off,
                      .file = *fi };

  if (open_of (fi)->may_wait)
    fs_late_run (mount_of (req)->late, &call);
  else
    read_now (req, ino, size, off, fi);
}

/* SEEK_DATA and SEEK_HOLE in what has holes; the rest of the seeking is the
 * kernel's own. The end is a hole. */
static int
seek_image (VixExtReader *reader, gint64 size, gboolean hole, gint64 *offset)
{
  while (*offset < size) {
    int is_data = 1;
    int64 run = 0;
    VixError error
      = VixExt_MapFile (reader, *offset, size - *offset, &is_data, &run, NULL);

    if (VIX_FAILED (error))
      return fs_errno_from_vix (error);
    if ((is_data == 0) == hole)
      return 0;
    *offset += run;
  }
  return hole ? 0 : ENXIO;
}

static void
lseek_now (fuse_req_t req, fuse_ino_t ino, off_t off, int whence,
           const struct fuse_file_info *fi)
{
  FsMount *mount = mount_of (req);
  g_autoptr (FsRequest) rq = request_new (req, FS_OP_LSEEK, ino, NULL);
  const FsOpen *open = open_of (fi);
  g_auto (FsNode) node = { 0 };
  struct stat attr = { 0 };
  gint64 offset = off;
  gboolean hole = whence == SEEK_HOLE;
  int number;

  if (!resolve (mount, rq, ino, &node))
    return;
  number
    = whence == SEEK_DATA || hole ? fs_attr_fill (mount, &node, &attr) : EINVAL;
  if (number == 0 && (off < 0 || off >= attr.st_size))
    number = ENXIO;
  if (number == 0 && open->reader != NULL)
    number = seek_image (open->reader, attr.st_size, hole, &offset);
  else if (number == 0 && hole)
    offset = attr.st_size;
  if (number == 0)
    fs_request_reply_seek (rq, offset);
  else
    fs_request_reply (rq, number);
}

static void
lseek_late (FsLateCall *call)
{
  lseek_now (call->req, call->ino, call->off, call->whence, &call->file);
}

static void
op_lseek (fuse_req_t req, fuse_ino_t ino, off_t off, int whence,
          struct fuse_file_info *fi)
{
  FsLateCall call = { .run = lseek_late,
                      .req = req,
                      .ino = ino,
                      .off = off,
                      .whence = whence,
                      .file = *fi };

  if (open_of (fi)->may_wait)
    fs_late_run (mount_of (req)->late, &call);
  else
    lseek_now (req, ino, off, whence, fi);
}

/* What the file holds once @size bytes at @off are written: up to there what
 * it held before, and nothing beyond. */
static int
merge_written (FsOpen *open, const char *buf, size_t size, off_t off)
{
  gsize at = (gsize)off;

  if (off < 0 || size > STORE_MAX || at > STORE_MAX - size)
    return EFBIG;
  if (memchr (buf, '\0', size) != NULL)
    return EILSEQ;
  if (open->written == NULL) {
    gsize len = 0;
    const char *old = g_bytes_get_data (open->text, &len);

    open->written = g_string_new_len (old, (gssize)len);
  }
  if (at > open->written->len)
    return EINVAL;
  g_string_truncate (open->written, at);
  g_string_append_len (open->written, buf, (gssize)size);
  return 0;
}

static void
op_write (fuse_req_t req, fuse_ino_t ino, const char *buf, size_t size,
          off_t off, struct fuse_file_info *fi)
{
  FsMount *mount = mount_of (req);
  g_autoptr (FsRequest) rq = request_new (req, FS_OP_WRITE, ino, NULL);
  g_auto (FsNode) node = { 0 };
  FsOpen *open = open_of (fi);
  const FsKind *kind;
  int number;

  if (!resolve (mount, rq, ino, &node))
    return;
  kind = fs_kind (node.id.kind);
  number = kind->store != NULL ? merge_written (open, buf, size, off) : EPERM;
  if (number != 0)
    fs_request_reply (rq, number);
  else
    kind->store (mount, &node, open->written->str, size, g_steal_pointer (&rq));
}

static void
op_flush (fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
  g_autoptr (FsRequest) rq = request_new (req, FS_OP_FLUSH, ino, NULL);

  fs_request_reply (rq, 0);
}

/* What was written is on the host's disk when the write returns. */
static void
op_fsync (fuse_req_t req, fuse_ino_t ino, int datasync,
          struct fuse_file_info *fi)
{
  g_autoptr (FsRequest) rq = request_new (req, FS_OP_FSYNC, ino, NULL);

  fs_request_reply (rq, 0);
}

static void
op_poll (fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi,
         struct fuse_pollhandle *ph)
{
  g_autoptr (FsRequest) rq = request_new (req, FS_OP_POLL, ino, NULL);
  FsOpen *open = open_of (fi);
  guint ready = POLLIN | POLLRDNORM | POLLOUT | POLLWRNORM;

  if (open->events != NULL)
    ready = fs_events_poll (open->events, ph) ? POLLIN | POLLRDNORM : 0;
  else if (ph != NULL)
    fuse_pollhandle_destroy (ph);
  fs_request_reply_poll (rq, ready);
}

/* ---- extended attributes ---- */

static void
op_getxattr (fuse_req_t req, fuse_ino_t ino, const char *name, size_t size)
{
  FsMount *mount = mount_of (req);
  g_autoptr (FsRequest) rq = request_new (req, FS_OP_GETXATTR, ino, name);
  g_autofree char *value = NULL;
  g_auto (FsNode) node = { 0 };
  int number;

  if (!resolve (mount, rq, ino, &node))
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
  FsMount *mount = mount_of (req);
  g_autoptr (FsRequest) rq = request_new (req, FS_OP_LISTXATTR, ino, NULL);
  g_autoptr (GString) names = g_string_new (NULL);
  g_auto (FsNode) node = { 0 };

  if (!resolve (mount, rq, ino, &node))
    return;
  fs_xattr_list (mount, &node, names);
  fs_request_reply_xattr (rq, names->str, names->len, size);
}

static void
op_setxattr (fuse_req_t req, fuse_ino_t ino, const char *name,
             const char *value, size_t size, int flags)
{
  FsMount *mount = mount_of (req);
  g_autoptr (FsRequest) rq = request_new (req, FS_OP_SETXATTR, ino, name);
  g_auto (FsNode) node = { 0 };

  if (!resolve (mount, rq, ino, &node))
    return;
  fs_xattr_set (mount, &node, name, value, size, flags, g_steal_pointer (&rq));
}

static void
op_removexattr (fuse_req_t req, fuse_ino_t ino, const char *name)
{
  FsMount *mount = mount_of (req);
  g_autoptr (FsRequest) rq = request_new (req, FS_OP_REMOVEXATTR, ino, name);
  g_auto (FsNode) node = { 0 };

  if (!resolve (mount, rq, ino, &node))
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
  .create = op_create,
  .open = op_open,
  .read = op_read,
  .write = op_write,
  .flush = op_flush,
  .release = op_release,
  .fsync = op_fsync,
  .opendir = op_opendir,
  .readdir = op_readdir,
  .readdirplus = op_readdirplus,
  .statfs = op_statfs,
  .setxattr = op_setxattr,
  .getxattr = op_getxattr,
  .listxattr = op_listxattr,
  .removexattr = op_removexattr,
  .poll = op_poll,
  .lseek = op_lseek,
};
