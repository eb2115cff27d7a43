/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>

#include "entries.h"
#include "list.h"

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

static guint
fetch (FsMount *mount, const FsNode *dir, guint32 after, FsChild *children,
       guint max)
{
  return fs_tree_list_folder (mount->tree, dir->id.slot, after, children, max);
}

gboolean
fs_folder_list (FsMount *mount, const FsNode *dir, guint32 after, FsList *list)
{
  return fs_list_add_slots (mount, list, dir, after, fetch, NULL);
}
