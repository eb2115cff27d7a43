/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * snapshots/NAME/.since/OLDER/: the disks of NAME, holding only what may differ
 * from snapshot OLDER, whichever of the VM's that is.
 */
#include <errno.h>
#include <string.h>

#include "attr.h"
#include "entries.h"
#include "list.h"

/* How many names are fetched from the tree at a time. */
#define CHUNK 64

/* ---- .since/ ---- */

/* The directory of @older (a slot); %FALSE if there is none. */
static gboolean
older_id (FsMount *mount, const FsNode *dir, guint32 older, FsNodeId *ret_id)
{
  guint32 pair = older != 0 && older != dir->snapshot_slot ? fs_tree_pair_slot (
                   mount->tree, dir->id.slot, dir->snapshot_slot, older)
                                                           : 0;

  *ret_id = (FsNodeId){ dir->id.slot, pair, FS_KIND_OLDER, dir->id.index };
  return pair != 0;
}

int
fs_since_find (FsMount *mount, const FsNode *dir, const char *name,
               FsNodeId *ret_id)
{
  guint32 older = fs_tree_find_snapshot (mount->tree, dir->id.slot, name);

  return older_id (mount, dir, older, ret_id) ? 0 : ENOENT;
}

gboolean
fs_since_list (FsMount *mount, const FsNode *dir, guint32 after, FsList *list)
{
  FsChild children[CHUNK];
  gboolean room = TRUE;
  guint count;
  guint i;

  do {
    count = fs_tree_list_snapshots (mount->tree, dir->id.slot, after, 0,
                                    children, CHUNK);
    for (i = 0; i < count; i++) {
      guint32 slot = children[i].id.snapshot;
      FsNodeId id;

      if (room && older_id (mount, dir, slot, &id))
        room = fs_list_add (mount, list, children[i].name, id, slot);
      g_free (children[i].name);
      after = slot + 1;
    }
  } while (room && count == CHUNK);
  return room;
}

/* ---- .since/OLDER/ ---- */

char *
fs_older_label (FsMount *mount, const FsNode *node)
{
  return g_strdup_printf ("%" G_GINT64_FORMAT, (gint64)node->older->id);
}

static FsNodeId
difference_id (const FsNode *dir, guint32 slot)
{
  return (FsNodeId){ dir->id.slot, dir->id.snapshot, FS_KIND_DIFFERENCE, slot };
}

int
fs_older_find (FsMount *mount, const FsNode *dir, const char *name,
               FsNodeId *ret_id)
{
  g_autoptr (FsImageList) list = fs_images_get (mount->images, dir);
  guint32 slot;

  for (slot = 1; slot <= list->images->len; slot++) {
    if (strcmp (fs_image_list_at (list, slot)->name, name) == 0) {
      *ret_id = difference_id (dir, slot);
      return 0;
    }
  }
  return list->error != 0 ? list->error : ENOENT;
}

gboolean
fs_older_list (FsMount *mount, const FsNode *dir, guint32 after, FsList *list)
{
  g_autoptr (FsImageList) images = fs_images_get (mount->images, dir);
  guint32 slot;

  list->error = images->error;
  for (slot = after; slot <= images->images->len; slot++) {
    if (!fs_list_add (mount, list, fs_image_list_at (images, slot)->name,
                      difference_id (dir, slot), slot))
      return FALSE;
  }
  return TRUE;
}

/* ---- the images in it ---- */

char *
fs_difference_label (FsMount *mount, const FsNode *node)
{
  g_autofree char *name = fs_image_label (mount, node);
  g_autofree char *older = fs_older_label (mount, node);

  return name != NULL ? g_strdup_printf ("%s/%s", older, name) : NULL;
}

/* As large as the image, and as old; but it holds less. */
int
fs_difference_measure (FsMount *mount, const FsNode *node, struct stat *attr)
{
  g_autoptr (FsImageList) list = fs_images_get (mount->images, node);
  const FsImage *image = fs_image_list_at (list, node->id.index);
  g_autoptr (FsDiff) diff = NULL;
  int number = fs_image_measure (mount, node, attr);

  if (number != 0)
    return number;
  diff = fs_diffs_get (mount->diffs, node, node->older->id, image);
  attr->st_blocks = (diff->bytes + 511) / 512;
  return diff->error;
}
