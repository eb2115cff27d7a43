/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * disks/ of a snapshot and of latest/: the disks as the guest had them, flat,
 * and what changed since the parent. .since/OLDER/ holds images, too.
 */
#include <errno.h>
#include <string.h>

#include "attr.h"
#include "entries.h"
#include "errno-map.h"
#include "list.h"
#include "name.h"

gboolean
fs_disks_are_present (FsMount *mount, const FsNode *dir)
{
  return dir->snapshot->numDisks != 0;
}

/* ---- which node is which ---- */

/* The image in latest/: of the snapshot that changed it last, so that it stays
 * the same node, with its pages, for as long as nothing changes it. */
static FsNodeId
latest_image_id (FsMount *mount, const FsNode *dir, const FsImage *image,
                 guint32 slot)
{
  FsNodeId id
    = { dir->id.slot, dir->snapshot_slot, FS_KIND_LATEST_IMAGE, slot };
  FsNodeId changed = { dir->id.slot, 0, FS_KIND_DISKS, 0 };
  g_autoptr (FsImageList) list = NULL;
  g_auto (FsNode) node = { 0 };
  guint32 found;

  if (image->changed_by == dir->snapshot->id)
    return id;
  changed.snapshot
    = fs_tree_snapshot_slot (mount->tree, dir->id.slot, image->changed_by);
  if (changed.snapshot == 0
      || !fs_tree_resolve (mount->tree, fs_node_pack (changed), &node))
    return id;
  list = fs_images_get (mount->images, &node);
  found = fs_image_list_find (list, image->name);
  if (found == 0)
    return id;
  id.snapshot = changed.snapshot;
  id.index = found;
  return id;
}

static FsNodeId
image_id (FsMount *mount, const FsNode *dir, const FsImage *image, guint32 slot)
{
  if (dir->id.kind == FS_KIND_LATEST_DISKS)
    return latest_image_id (mount, dir, image, slot);
  return (FsNodeId){ dir->id.slot, dir->id.snapshot,
                     dir->id.kind == FS_KIND_OLDER ? FS_KIND_DIFFERENCE
                                                   : FS_KIND_IMAGE,
                     slot };
}

static FsNodeId
changes_id (const FsNode *dir, guint32 slot)
{
  return (FsNodeId){ dir->id.slot, dir->snapshot_slot,
                     dir->id.kind == FS_KIND_LATEST_DISKS
                       ? FS_KIND_LATEST_CHANGES
                       : FS_KIND_CHANGES,
                     slot };
}

/* ---- what disks/ holds ---- */

#define CHANGES ".changes"

/* Differences have no changes of their own. */
static gboolean
holds_changes (const FsNode *dir)
{
  return dir->id.kind != FS_KIND_OLDER;
}

/* (transfer full): "scsi0-0.changes" of "scsi0-0.img", or the other way. */
static char *
with_suffix (const char *name, const char *old, const char *suffix)
{
  return g_strdup_printf ("%.*s%s", (int)(strlen (name) - strlen (old)), name,
                          suffix);
}

int
fs_disks_find (FsMount *mount, const FsNode *dir, const char *name,
               FsNodeId *ret_id)
{
  g_autoptr (FsImageList) list = fs_images_get (mount->images, dir);
  gboolean is_changes = holds_changes (dir) && g_str_has_suffix (name, CHANGES);
  g_autofree char *image_name
    = is_changes ? with_suffix (name, CHANGES, FS_IMAGE_SUFFIX) : NULL;
  guint32 slot
    = fs_image_list_find (list, image_name != NULL ? image_name : name);

  if (slot == 0)
    return list->error != 0 ? list->error : ENOENT;
  *ret_id = is_changes
              ? changes_id (dir, slot)
              : image_id (mount, dir, fs_image_list_at (list, slot), slot);
  return 0;
}

/* Places in the listing: of the image 2 * slot, of its changes the next. */
gboolean
fs_disks_list (FsMount *mount, const FsNode *dir, guint32 after, FsList *list)
{
  g_autoptr (FsImageList) images = fs_images_get (mount->images, dir);
  guint32 slot;

  list->error = images->error;
  for (slot = MAX (after / 2, 1); slot <= images->images->len; slot++) {
    const FsImage *image = fs_image_list_at (images, slot);
    g_autofree char *changes
      = with_suffix (image->name, FS_IMAGE_SUFFIX, CHANGES);

    if (after <= 2 * slot
        && !fs_list_add (mount, list, image->name,
                         image_id (mount, dir, image, slot), 2 * slot))
      return FALSE;
    if (holds_changes (dir)
        && !fs_list_add (mount, list, changes, changes_id (dir, slot),
                         2 * slot + 1))
      return FALSE;
  }
  return TRUE;
}

/* ---- images ---- */

char *
fs_image_label (FsMount *mount, const FsNode *node)
{
  g_autoptr (FsImageList) list = fs_images_get (mount->images, node);
  const FsImage *image = fs_image_list_at (list, node->id.index);

  return image != NULL ? g_strdup (image->name) : NULL;
}

/* In latest/ the time of the newest snapshot's image, which may be of one that
 * is gone. */
static gint64
changed_time (FsMount *mount, const FsNode *node, const FsImage *image)
{
  FsNodeId id = { node->id.slot, 0, FS_KIND_LATEST_DISKS, 0 };
  g_autoptr (FsImageList) list = NULL;
  g_auto (FsNode) newest = { 0 };
  const FsImage *latest;

  if (node->id.kind != FS_KIND_LATEST_IMAGE
      || !fs_tree_resolve (mount->tree, fs_node_pack (id), &newest))
    return image->changed;
  list = fs_images_get (mount->images, &newest);
  latest = fs_image_list_at (list, fs_image_list_find (list, image->name));
  if (latest == NULL || latest->changed_by != node->snapshot->id)
    return image->changed;
  return latest->changed;
}

int
fs_image_measure (FsMount *mount, const FsNode *node, struct stat *attr)
{
  g_autoptr (FsImageList) list = fs_images_get (mount->images, node);
  const FsImage *image = fs_image_list_at (list, node->id.index);

  if (image == NULL)
    return list->error != 0 ? list->error : ESTALE;
  if (image->error != 0)
    return image->error;
  attr->st_size = image->bytes;
  attr->st_blocks = (image->allocated + 511) / 512;
  attr->st_mtim = fs_attr_time (changed_time (mount, node, image));
  return 0;
}

/* Opens the reader of an open file that has pinned all it needs. */
static int
open_reader (FsMount *mount, const FsNode *node, const FsImage *image,
             FsOpen *open)
{
  VixHandle host = fs_host_handle (fs_mount_host (mount, node));
  char *message = NULL;
  VixError error;

  if (node->older != NULL)
    error = VixExt_OpenChanges (host, node->vm->id, node->older->id,
                                node->snapshot->id, image->node, &open->reader,
                                &message);
  else
    error = VixExt_OpenImage (host, node->vm->id, node->snapshot->id,
                              image->node, &open->reader, &message);
  fs_troubles_tell (mount->troubles, node, image->node, error, message);
  Vix_FreeBuffer (message);
  return fs_errno_from_vix (error);
}

/* What pins the snapshot, or both of a pair, until the file is closed. */
int
fs_image_open (FsMount *mount, const FsNode *node, FsOpen *open)
{
  g_autoptr (FsImageList) list = fs_images_get (mount->images, node);
  const FsImage *image = fs_image_list_at (list, node->id.index);

  if (image == NULL)
    return list->error != 0 ? list->error : ESTALE;
  if (!fs_open_pin (open, mount->pins, node->id.slot, node->snapshot->id))
    return EBUSY;
  if (node->older != NULL
      && !fs_open_pin (open, mount->pins, node->id.slot, node->older->id))
    return EBUSY;
  return open_reader (mount, node, image, open);
}

/* ---- changes ---- */

/* (transfer full) (nullable): since the parent; of a root snapshot: all that is
 * data. @only_kept: NULL if it is not known yet */
static FsDiff *
get_changes (FsMount *mount, const FsNode *node, gboolean only_kept)
{
  g_autoptr (FsImageList) list = fs_images_get (mount->images, node);
  const FsImage *image = fs_image_list_at (list, node->id.index);
  gint64 parent = node->snapshot->parent;

  if (image == NULL)
    return NULL;
  if (fs_record_snapshot (node->vm, parent) == NULL)
    parent = 0;
  return only_kept ? fs_diffs_get_kept (mount->diffs, node, parent, image)
                   : fs_diffs_get (mount->diffs, node, parent, image);
}

/* A walk over a host of the network does not read the tables of all disks:
 * the size is known once somebody has opened the file. */
int
fs_changes_measure (FsMount *mount, const FsNode *node, struct stat *attr)
{
  gboolean only_kept = fs_may_wait (mount, node);
  g_autoptr (FsDiff) diff = get_changes (mount, node, only_kept);

  if (diff == NULL)
    return only_kept ? EAGAIN : ESTALE;
  attr->st_size = (off_t)g_bytes_get_size (diff->text);
  attr->st_blocks = (attr->st_size + 511) / 512;
  return diff->error;
}

int
fs_changes_open (FsMount *mount, const FsNode *node, FsOpen *open)
{
  g_autoptr (FsDiff) diff = get_changes (mount, node, FALSE);

  if (diff == NULL)
    return ESTALE;
  if (diff->error == 0)
    open->text = g_bytes_ref (diff->text);
  return diff->error;
}
