/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "attr.h"

#include <errno.h>
#include <string.h>

#define BLOCK_SIZE 4096

struct timespec
fs_attr_time (gint64 microseconds)
{
  return (struct timespec){ microseconds / G_USEC_PER_SEC,
                            microseconds % G_USEC_PER_SEC * 1000 };
}

static gint64
snapshot_created (const FsNode *node)
{
  return node->snapshot->created > 0 ? node->snapshot->created
                                     : node->vm->changed;
}

static struct timespec
node_time (FsMount *mount, const FsNode *node)
{
  switch (node->id.kind) {
  case FS_KIND_FOLDER:
    return (struct timespec){ node->changed, node->version % 1000000000 };
  case FS_KIND_SNAPSHOT:
  case FS_KIND_CONFIG:
  case FS_KIND_CHANGES:
  case FS_KIND_LATEST:
  case FS_KIND_LATEST_CONFIG:
  case FS_KIND_LATEST_CHANGES:
    return fs_attr_time (snapshot_created (node));
  case FS_KIND_MARK_MEMORY:
    return (struct timespec){ node->marks.memory, 0 };
  case FS_KIND_MARK_QUIESCE:
    return (struct timespec){ node->marks.quiesce, 0 };
  default:
    if (node->vm != NULL)
      return fs_attr_time (node->vm->changed);
    if (fs_kind (node->id.kind)->is_volatile)
      return fs_attr_time (g_get_real_time ());
    return (struct timespec){ mount->started, 0 };
  }
}

static nlink_t
directory_links (FsMount *mount, const FsNode *node)
{
  const FsKind *kind = fs_kind (node->id.kind);
  nlink_t links = node->id.kind == FS_KIND_FOLDER ? 2 + node->children : 2;
  gsize i;

  for (i = 0; i < kind->n_entries; i++) {
    const FsEntry *entry = &kind->entries[i];

    if (!entry->hidden && S_ISDIR (fs_kind (entry->kind)->mode)
        && fs_entry_is_present (entry, mount, node))
      links++;
  }
  if (node->id.kind == FS_KIND_SNAPSHOTS)
    links += node->vm->numSnapshots;
  return links;
}

static int
get_inode_number (FsMount *mount, const FsNode *node, ino_t *ret_number)
{
  const FsKind *kind = fs_kind (node->id.kind);
  g_autofree char *label
    = kind->label != NULL ? kind->label (mount, node) : NULL;
  gint64 snapshot = 0;

  if (kind->label != NULL && label == NULL)
    return ESTALE;
  if (node->snapshot != NULL && !fs_kind_is_latest (node->id.kind))
    snapshot = node->snapshot->id;
  *ret_number = fs_identity (node->identity, node->id.kind, snapshot,
                             label != NULL ? fs_identity_text (label) : 0);
  return 0;
}

int
fs_attr_fill_brief (FsMount *mount, const FsNode *node, struct stat *ret_attr)
{
  ino_t ino;
  int number = get_inode_number (mount, node, &ino);

  if (number != 0)
    return number;
  memset (ret_attr, 0, sizeof *ret_attr);
  ret_attr->st_ino = ino;
  ret_attr->st_mode = fs_kind (node->id.kind)->mode;
  return 0;
}

static int
fill_printed (FsMount *mount, const FsNode *node, struct stat *attr)
{
  g_autoptr (GString) text = g_string_new (NULL);
  int number = fs_kind (node->id.kind)->print (mount, node, text);

  attr->st_size = (off_t)text->len;
  attr->st_blocks = (blkcnt_t)(text->len + 511) / 512;
  return number;
}

/* Whoever walks a host that is away gets no errors; whoever reads does. */
static gboolean
may_lack_size (FsMount *mount, const FsNode *node)
{
  return fs_kind (node->id.kind)->may_lack_size && fs_may_wait (mount, node);
}

int
fs_attr_fill (FsMount *mount, const FsNode *node, struct stat *ret_attr)
{
  const FsKind *kind = fs_kind (node->id.kind);
  mode_t kept = ~mount->options->umask;
  struct stat attr = { 0 };
  int number = get_inode_number (mount, node, &attr.st_ino);

  if (number != 0)
    return number;
  attr.st_mode
    = S_ISLNK (kind->mode) ? kind->mode : kind->mode & (S_IFMT | kept);
  attr.st_nlink = S_ISDIR (kind->mode) ? directory_links (mount, node) : 1;
  attr.st_uid = mount->options->uid;
  attr.st_gid = mount->options->gid;
  attr.st_blksize = BLOCK_SIZE;
  attr.st_mtim = node_time (mount, node);
  if (kind->measure != NULL)
    number = kind->measure (mount, node, &attr);
  else if (kind->print != NULL)
    number = fill_printed (mount, node, &attr);
  if (number != 0 && number != ESTALE && may_lack_size (mount, node))
    attr.st_size = attr.st_blocks = number = 0;
  attr.st_ctim = attr.st_mtim;
  attr.st_atim = attr.st_mtim;
  if (number == 0)
    *ret_attr = attr;
  return number;
}

gboolean
fs_is_remote (FsMount *mount, const FsNode *node)
{
  return node->host != FS_NO_HOST
         && !fs_host_source (fs_mount_host (mount, node))->is_local;
}

gboolean
fs_may_wait (FsMount *mount, const FsNode *node)
{
  return fs_kind (node->id.kind)->may_wait && fs_is_remote (mount, node);
}

double
fs_attr_timeout (FsMount *mount, const FsNode *node, const struct stat *attr)
{
  return fs_kind (node->id.kind)->is_volatile
             || (attr->st_size == 0 && may_lack_size (mount, node))
           ? 0
           : FS_TIMEOUT_SECONDS;
}

int
fs_find (FsMount *mount, const FsNode *dir, const char *name, FsNodeId *ret_id)
{
  const FsKind *kind = fs_kind (dir->id.kind);
  const FsEntry *entry = fs_kind_entry (kind, name);

  if (entry == NULL)
    return kind->find != NULL ? kind->find (mount, dir, name, ret_id) : ENOENT;
  if (!fs_entry_is_present (entry, mount, dir))
    return ENOENT;
  *ret_id = fs_entry_id (dir, entry);
  return 0;
}

FsNodeId
fs_entry_id (const FsNode *dir, const FsEntry *entry)
{
  FsNodeId id = { dir->id.slot, dir->id.snapshot, entry->kind, 0 };

  if (fs_kind (entry->kind)->aliased)
    id.index = dir->id.kind == FS_KIND_VM ? dir->alias : dir->id.index;
  return id;
}

FsNodeId
fs_parent_of (const FsNode *dir)
{
  FsNodeId id = dir->id;

  switch (id.kind) {
  case FS_KIND_SNAPSHOTS:
  case FS_KIND_VM_FILES:
  case FS_KIND_LATEST:
    return (FsNodeId){ id.slot, 0, FS_KIND_VM, 0 };
  case FS_KIND_SNAPSHOT:
    return (FsNodeId){ id.slot, 0, FS_KIND_SNAPSHOTS, id.index };
  case FS_KIND_SNAPSHOT_FILES:
  case FS_KIND_DISKS:
  case FS_KIND_SINCE:
    return (FsNodeId){ id.slot, id.snapshot, FS_KIND_SNAPSHOT, id.index };
  case FS_KIND_OLDER:
    return (FsNodeId){ id.slot, dir->snapshot_slot, FS_KIND_SINCE, id.index };
  case FS_KIND_LATEST_DISKS:
  case FS_KIND_LATEST_FILES:
    return (FsNodeId){ id.slot, 0, FS_KIND_LATEST, 0 };
  default:
    return (FsNodeId){ dir->folder, 0, FS_KIND_FOLDER, 1 };
  }
}

int
fs_attr_fill_entry (FsMount *mount, FsNodeId id,
                    struct fuse_entry_param *ret_entry)
{
  g_auto (FsNode) node = { 0 };
  struct fuse_entry_param entry = { .ino = fs_node_pack (id) };
  int number;

  if (!fs_tree_resolve (mount->tree, entry.ino, &node))
    return ENOENT;
  number = fs_attr_fill (mount, &node, &entry.attr);
  if (number != 0)
    return number == ESTALE ? ENOENT : number;
  entry.generation = 1 + node.generation;
  entry.attr_timeout = fs_attr_timeout (mount, &node, &entry.attr);
  entry.entry_timeout = FS_TIMEOUT_SECONDS;
  *ret_entry = entry;
  return 0;
}
