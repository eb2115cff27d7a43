/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "attr.h"

#include <errno.h>
#include <string.h>

#define BLOCK_SIZE 4096

static struct timespec
time_of (gint64 microseconds)
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
    return time_of (snapshot_created (node));
  case FS_KIND_MARK_MEMORY:
    return (struct timespec){ node->marks.memory, 0 };
  case FS_KIND_MARK_QUIESCE:
    return (struct timespec){ node->marks.quiesce, 0 };
  default:
    if (node->vm != NULL)
      return time_of (node->vm->changed);
    if (fs_kind (node->id.kind)->is_volatile)
      return time_of (g_get_real_time ());
    return (struct timespec){ mount->started, 0 };
  }
}

static nlink_t
directory_links (const FsNode *node)
{
  const FsKind *kind = fs_kind (node->id.kind);
  nlink_t links = node->id.kind == FS_KIND_FOLDER ? 2 + node->children : 2;
  gsize i;

  for (i = 0; i < kind->n_entries; i++) {
    if (!kind->entries[i].hidden
        && S_ISDIR (fs_kind (kind->entries[i].kind)->mode))
      links++;
  }
  if (node->id.kind == FS_KIND_SNAPSHOTS)
    links += node->vm->numSnapshots;
  return links;
}

static guint64
inode_number (FsMount *mount, const FsNode *node, const char *file)
{
  gint64 snapshot = node->snapshot != NULL ? node->snapshot->id : 0;

  return fs_identity (node->identity, node->id.kind, snapshot,
                      file != NULL ? fs_identity_text (file) : 0);
}

int
fs_attr_fill_brief (FsMount *mount, const FsNode *node, struct stat *ret_attr)
{
  g_autofree char *file = NULL;

  if (node->id.kind == FS_KIND_FILE) {
    file = fs_tree_file_name (mount->tree, node->id.slot, node->id.index);
    if (file == NULL)
      return ESTALE;
  }
  if (node->id.kind == FS_KIND_IMAGE) {
    g_autoptr (FsImageList) list = fs_images_get (mount->images, node);
    const FsImage *image = fs_image_list_at (list, node->id.index);

    if (image == NULL)
      return ESTALE;
    file = g_strdup (image->name);
  }
  memset (ret_attr, 0, sizeof *ret_attr);
  ret_attr->st_ino = inode_number (mount, node, file);
  ret_attr->st_mode = fs_kind (node->id.kind)->mode;
  return 0;
}

static int
fill_file (FsMount *mount, const FsNode *node, struct stat *attr)
{
  g_autoptr (FsListing) listing = fs_files_get (mount->files, node);
  const FsFile *file;

  if (listing->error != 0)
    return listing->error;
  file = fs_listing_find_slot (listing, node->id.index);
  if (file == NULL)
    return ESTALE;
  attr->st_ino = inode_number (mount, node, file->name);
  attr->st_nlink = 1 + file->owners;
  attr->st_size = file->bytes;
  attr->st_blocks = (file->allocated + 511) / 512;
  attr->st_mtim = time_of (file->modified);
  return 0;
}

static int
fill_image (FsMount *mount, const FsNode *node, struct stat *attr)
{
  g_autoptr (FsImageList) list = fs_images_get (mount->images, node);
  const FsImage *image = fs_image_list_at (list, node->id.index);

  if (image == NULL)
    return list->error != 0 ? list->error : ESTALE;
  attr->st_ino = inode_number (mount, node, image->name);
  attr->st_size = image->bytes;
  attr->st_blocks = (image->allocated + 511) / 512;
  attr->st_mtim = time_of (image->changed);
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

int
fs_attr_fill (FsMount *mount, const FsNode *node, struct stat *ret_attr)
{
  const FsKind *kind = fs_kind (node->id.kind);
  mode_t kept = ~mount->options->umask;
  struct stat attr = { 0 };
  int number = 0;

  attr.st_ino = inode_number (mount, node, NULL);
  attr.st_mode
    = S_ISLNK (kind->mode) ? kind->mode : kind->mode & (S_IFMT | kept);
  attr.st_nlink = S_ISDIR (kind->mode) ? directory_links (node) : 1;
  attr.st_uid = mount->options->uid;
  attr.st_gid = mount->options->gid;
  attr.st_blksize = BLOCK_SIZE;
  attr.st_mtim = node_time (mount, node);
  if (node->id.kind == FS_KIND_FILE)
    number = fill_file (mount, node, &attr);
  else if (node->id.kind == FS_KIND_IMAGE)
    number = fill_image (mount, node, &attr);
  else if (kind->print != NULL)
    number = fill_printed (mount, node, &attr);
  attr.st_ctim = attr.st_mtim;
  attr.st_atim = attr.st_mtim;
  if (number == 0)
    *ret_attr = attr;
  return number;
}

double
fs_attr_timeout (const FsNode *node)
{
  return fs_kind (node->id.kind)->is_volatile ? 0 : FS_TIMEOUT_SECONDS;
}

int
fs_find (FsMount *mount, const FsNode *dir, const char *name, FsNodeId *ret_id)
{
  const FsKind *kind = fs_kind (dir->id.kind);
  gsize i;

  for (i = 0; i < kind->n_entries; i++) {
    const FsEntry *entry = &kind->entries[i];

    if (strcmp (entry->name, name) != 0)
      continue;
    if (entry->is_present != NULL && !entry->is_present (mount, dir))
      return ENOENT;
    *ret_id = fs_entry_id (dir, entry);
    return 0;
  }
  return kind->find != NULL ? kind->find (mount, dir, name, ret_id) : ENOENT;
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
    return (FsNodeId){ id.slot, 0, FS_KIND_VM, 0 };
  case FS_KIND_SNAPSHOT:
    return (FsNodeId){ id.slot, 0, FS_KIND_SNAPSHOTS, id.index };
  case FS_KIND_SNAPSHOT_FILES:
  case FS_KIND_DISKS:
    return (FsNodeId){ id.slot, id.snapshot, FS_KIND_SNAPSHOT, id.index };
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
  entry.attr_timeout = fs_attr_timeout (&node);
  entry.entry_timeout = FS_TIMEOUT_SECONDS;
  *ret_entry = entry;
  return 0;
}
