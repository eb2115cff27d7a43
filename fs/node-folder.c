/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>

#include "entries.h"
#include "list.h"

/* How many names are fetched from the tree at a time. */
#define CHUNK 64

gboolean
fs_folder_is_root (FsMount *mount, const FsNode *dir)
{
  return dir->id.slot == 0;
}

int
fs_folder_find (FsMount *mount, const FsNode *dir, const char *name,
                FsNodeId *ret_id)
{
  return fs_tree_find_child (mount->tree, dir->id.slot, name, ret_id) ? 0
                                                                      : ENOENT;
}

gboolean
fs_folder_list (FsMount *mount, const FsNode *dir, guint32 after, FsList *list)
{
  FsChild children[CHUNK];
  gboolean room = TRUE;
  guint count;
  guint i;

  do {
    count
      = fs_tree_list_folder (mount->tree, dir->id.slot, after, children, CHUNK);
    for (i = 0; i < count; i++) {
      guint32 slot = children[i].id.slot;

      room
        = room
          && fs_list_add (mount, list, children[i].name, children[i].id, slot);
      g_free (children[i].name);
      after = slot + 1;
    }
  } while (room && count == CHUNK);
  return room;
}
