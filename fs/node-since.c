/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * snapshots/NAME/.since/OLDER/: the disks of NAME, holding only what may differ
 * from snapshot OLDER, whichever of the VM's that is.
 */
#include <errno.h>

#include "attr.h"
#include "entries.h"
#include "list.h"

/* ---- .since/ ---- */

/* The directory of @older (a slot); %FALSE if there is none. */
static gboolean
older_id (FsMount *mount, const FsNode *dir, guint32 older, FsNodeId *ret_id)
{
  guint32 pair = 0;

  if (older != 0 && older != dir->snapshot_slot)
    pair = fs_tree_pair_slot (mount->tree, dir->id.slot, dir->snapshot_slot,
                              older);
  if (pair == 0)
    return FALSE;
  *ret_id = (FsNodeId){ dir->id.slot, pair, FS_KIND_OLDER, dir->id.index };
  return TRUE;
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
  return fs_list_add_slots (mount, list, dir, after, fs_list_fetch_snapshots,
                            older_id);
}

/* ---- .since/OLDER/ ---- */

char *
fs_older_label (FsMount *mount, const FsNode *node)
{
  return g_strdup_printf ("%" G_GINT64_FORMAT, (gint64)node->older->id);
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

  if (number != 0 || image == NULL)
    return number != 0 ? number : ESTALE;
  diff = fs_diffs_get (mount->diffs, node, node->older->id, image);
  attr->st_blocks = (diff->bytes + 511) / 512;
  return diff->error;
}
