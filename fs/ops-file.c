/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ops-private.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

#include "attr.h"
#include "entries.h"
#include "errno-map.h"
#include "xattr.h"

/* The most that a file of ours takes: no more than a description can be. */
#define STORE_MAX FS_DESCRIPTION_MAX

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
  open->may_wait = fs_may_wait (mount, node);
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
  fi->noflush = open->pins == NULL;
  fi->fh = (gsize)g_steal_pointer (&open);
  fs_stats_add (&mount->stats, FS_STAT_OPEN_FILES, 1);
  return 0;
}

static void
answer_open (FsLateCall *call)
{
  int number = open_node (call->mount, &call->node, &call->file);

  if (number == 0)
    fs_request_reply_open (call->rq, &call->file);
  else
    fs_request_reply (call->rq, number);
}

void
fs_op_open (fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
  FsLateCall call = { .run = answer_open, .file = *fi };

  fs_op_start (&call, req, FS_OP_OPEN, ino);
}

void
fs_op_create (fuse_req_t req, fuse_ino_t parent, const char *name, mode_t mode,
              struct fuse_file_info *fi)
{
  FsMount *mount = fs_op_mount (req);
  g_autoptr (FsRequest) rq = fs_op_request (req, FS_OP_CREATE, parent, name);
  g_auto (FsNode) dir = { 0 };
  g_auto (FsNode) node = { 0 };
  struct fuse_entry_param entry;
  FsNodeId id = { 0, 0, 0, 0 };
  int number = EPERM;

  if (!fs_op_resolve (mount, rq, parent, &dir))
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

void
fs_op_release (fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
  FsMount *mount = fs_op_mount (req);
  g_autoptr (FsRequest) rq = fs_op_request (req, FS_OP_RELEASE, ino, NULL);

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
read_host_file (const FsLateCall *call, const FsOpen *open)
{
  FsMount *mount = call->mount;
  g_autofree char *buffer = g_malloc (call->size);
  size_t done = 0;
  char *message = NULL;
  VixError error = VixExt_ReadFile (open->reader, call->off, buffer, call->size,
                                    &done, &message);

  if (VIX_FAILED (error)) {
    int number = fs_errno_from_vix (error);

    tell_trouble (mount, call->ino, error, message);
    Vix_FreeBuffer (message);
    /* It was there when it was opened. */
    fs_request_reply (call->rq, number == ENOENT ? ESTALE : number);
    return;
  }
  fs_stats_add (&mount->stats,
                open->pins != NULL ? FS_STAT_IMAGE_BYTES_READ
                                   : FS_STAT_BYTES_READ,
                (gssize)done);
  fs_request_reply_data (call->rq, buffer, done);
}

static void
answer_read (FsLateCall *call)
{
  FsOpen *open = open_of (&call->file);

  if (open->events != NULL) {
    gboolean wait = open->wait && (call->file.flags & O_NONBLOCK) == 0;

    fs_events_read (open->events, g_steal_pointer (&call->rq), call->size,
                    wait);
  } else if (open->reader != NULL) {
    read_host_file (call, open);
  } else {
    /* Its own: once answered, the file may be closed. */
    g_autoptr (GBytes) bytes = g_bytes_ref (open->text);
    gsize len = 0;
    const char *text = g_bytes_get_data (bytes, &len);
    gsize at = MIN ((gsize)call->off, len);

    fs_request_reply_data (call->rq, len > 0 ? text + at : "",
                           MIN (call->size, len - at));
  }
}

/* What is open needs no node. */
void
fs_op_read (fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
            struct fuse_file_info *fi)
{
  FsLateCall call = { .run = answer_read,
                      .mount = fs_op_mount (req),
                      .rq = fs_op_request (req, FS_OP_READ, ino, NULL),
                      .ino = ino,
                      .size = size,
                      .off = off,
                      .file = *fi };

  fs_op_run (&call, open_of (fi)->may_wait);
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
answer_lseek (FsLateCall *call)
{
  const FsOpen *open = open_of (&call->file);
  struct stat attr = { 0 };
  gint64 offset = call->off;
  gboolean hole = call->whence == SEEK_HOLE;
  int number = call->whence == SEEK_DATA || hole
                 ? fs_attr_fill (call->mount, &call->node, &attr)
                 : EINVAL;

  if (number == 0 && (offset < 0 || offset >= attr.st_size))
    number = ENXIO;
  if (number == 0 && open->reader != NULL)
    number = seek_image (open->reader, attr.st_size, hole, &offset);
  else if (number == 0 && hole)
    offset = attr.st_size;
  if (number == 0)
    fs_request_reply_seek (call->rq, offset);
  else
    fs_request_reply (call->rq, number);
}

void
fs_op_lseek (fuse_req_t req, fuse_ino_t ino, off_t off, int whence,
             struct fuse_file_info *fi)
{
  FsLateCall call
    = { .run = answer_lseek, .off = off, .whence = whence, .file = *fi };

  fs_op_start (&call, req, FS_OP_LSEEK, ino);
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

void
fs_op_write (fuse_req_t req, fuse_ino_t ino, const char *buf, size_t size,
             off_t off, struct fuse_file_info *fi)
{
  FsMount *mount = fs_op_mount (req);
  g_autoptr (FsRequest) rq = fs_op_request (req, FS_OP_WRITE, ino, NULL);
  g_auto (FsNode) node = { 0 };
  FsOpen *open = open_of (fi);
  const FsKind *kind;
  int number;

  if (!fs_op_resolve (mount, rq, ino, &node))
    return;
  kind = fs_kind (node.id.kind);
  number = kind->store != NULL ? merge_written (open, buf, size, off) : EPERM;
  if (number != 0)
    fs_request_reply (rq, number);
  else
    kind->store (mount, &node, open->written->str, size, g_steal_pointer (&rq));
}

void
fs_op_flush (fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi)
{
  g_autoptr (FsRequest) rq = fs_op_request (req, FS_OP_FLUSH, ino, NULL);

  fs_open_closed (open_of (fi));
  fs_request_reply (rq, 0);
}

/* What was written is on the host's disk when the write returns. */
void
fs_op_fsync (fuse_req_t req, fuse_ino_t ino, int datasync,
             struct fuse_file_info *fi)
{
  g_autoptr (FsRequest) rq = fs_op_request (req, FS_OP_FSYNC, ino, NULL);

  fs_request_reply (rq, 0);
}

void
fs_op_poll (fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi,
            struct fuse_pollhandle *ph)
{
  g_autoptr (FsRequest) rq = fs_op_request (req, FS_OP_POLL, ino, NULL);
  FsOpen *open = open_of (fi);
  guint ready = POLLIN | POLLRDNORM | POLLOUT | POLLWRNORM;

  if (open->events != NULL)
    ready = fs_events_poll (open->events, ph) ? POLLIN | POLLRDNORM : 0;
  else if (ph != NULL)
    fuse_pollhandle_destroy (ph);
  fs_request_reply_poll (rq, ready);
}
