/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* snapshots/NAME/disks/: the disks as the guest had them, flat. */
#include <errno.h>
#include <string.h>

#include "entries.h"
#include "errno-map.h"
#include "list.h"
#include "name.h"

static FsNodeId
image_id (const FsNode *dir, guint32 slot)
{
  return (FsNodeId){ dir->id.slot, dir->id.snapshot, FS_KIND_IMAGE, slot };
}

/* Their sizes are told with every stat, and those never wait for a host. */
gboolean
fs_disks_are_present (FsMount *mount, const FsNode *dir)
{
  return fs_host_source (fs_mount_host (mount, dir))->is_local
         && dir->snapshot->numDisks > 0;
}

int
fs_disks_find (FsMount *mount, const FsNode *dir, const char *name,
               FsNodeId *ret_id)
{
  g_autoptr (FsImageList) list = fs_images_get (mount->images, dir);
  guint i;

  for (i = 0; i < list->images->len; i++) {
    if (strcmp (g_array_index (list->images, FsImage, i).name, name) == 0) {
      *ret_id = image_id (dir, i + 1);
      return 0;
    }
  }
  return list->error != 0 ? list->error : ENOENT;
}

gboolean
fs_disks_list (FsMount *mount, const FsNode *dir, guint32 after, FsList *list)
{
  g_autoptr (FsImageList) images = fs_images_get (mount->images, dir);
  guint32 slot;

  for (slot = after; slot <= images->images->len; slot++) {
    if (!fs_list_add (mount, list, fs_image_list_at (images, slot)->name,
                      image_id (dir, slot), slot))
      return FALSE;
  }
  return TRUE;
}

/* What pins the snapshot until the file is closed. */
int
fs_image_open (FsMount *mount, const FsNode *node, FsOpen *open)
{
  g_autoptr (FsImageList) list = fs_images_get (mount->images, node);
  const FsImage *image = fs_image_list_at (list, node->id.index);
  guint64 key = fs_images_pin_key (node);
  char *message = NULL;
  VixError error;

  if (image == NULL)
    return list->error != 0 ? list->error : ESTALE;
  if (!fs_images_pin (mount->images, key))
    return EBUSY;
  open->images = mount->images;
  open->pin = key;
  error = VixExt_OpenImage (fs_host_handle (fs_mount_host (mount, node)),
                            node->vm->id, node->snapshot->id, image->node,
                            &open->reader, &message);
  if (VIX_FAILED (error)) {
    g_autofree char *text = fs_text_escape (message);

    g_warning ("%s: %s: %s: %s", node->vm->displayName, image->name,
               VixExt_GetErrorName (error), text);
  }
  Vix_FreeBuffer (message);
  return fs_errno_from_vix (error);
}
