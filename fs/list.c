/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "list.h"

#include <errno.h>

#include "attr.h"

/* Offsets: "." is 1, ".." 2, the rows of the table from 3, slots above. */
enum { FIRST_ROW = 3, FIRST_SLOT = 32 };

/* How many names are fetched from the tree at a time. */
#define CHUNK 64

static gboolean
add (FsList *list, const char *name, const struct fuse_entry_param *entry,
     guint64 offset)
{
  char *at = list->buffer + list->used;
  gsize left = list->size - list->used;
  gsize needed = list->plus ? fuse_add_direntry_plus (list->req, at, left, name,
                                                      entry, (off_t)offset)
                            : fuse_add_direntry (list->req, at, left, name,
                                                 &entry->attr, (off_t)offset);

  if (needed > left)
    return FALSE;
  list->used += needed;
  return TRUE;
}

/* "." and "..": the kernel wants no node for them. */
static gboolean
add_dots (FsMount *mount, FsList *list, const char *name, FsNodeId id,
          guint64 offset)
{
  struct fuse_entry_param entry = { .ino = 0 };
  g_auto (FsNode) node = { 0 };

  entry.attr.st_mode = S_IFDIR;
  if (fs_tree_resolve (mount->tree, fs_node_pack (id), &node))
    fs_attr_fill_brief (mount, &node, &entry.attr);
  return add (list, name, &entry, offset);
}

/* Whether to tell more than the name may take long, where nobody minds. */
static gboolean
is_costly (FsMount *mount, FsNodeId id)
{
  const FsKind *kind = fs_kind (id.kind);
  g_auto (FsNode) node = { 0 };

  if (kind->is_costly || !kind->may_wait || kind->comes_listed
      || fs_late_is_here ())
    return kind->is_costly;
  return fs_tree_resolve (mount->tree, fs_node_pack (id), &node)
         && fs_may_wait (mount, &node);
}

/* A node that goes meanwhile is left out. */
static gboolean
add_child (FsMount *mount, FsList *list, const char *name, FsNodeId id,
           guint64 offset)
{
  struct fuse_entry_param entry = { .ino = 0 };
  g_auto (FsNode) node = { 0 };

  if (list->plus && !is_costly (mount, id)
      && fs_attr_fill_entry (mount, id, &entry) == 0) {
    if (list->names_move)
      entry.entry_timeout = 0;
    return add (list, name, &entry, offset);
  }
  if (!fs_tree_resolve (mount->tree, fs_node_pack (id), &node)
      || fs_attr_fill_brief (mount, &node, &entry.attr) != 0)
    return TRUE;
  return add (list, name, &entry, offset);
}

gboolean
fs_list_add (FsMount *mount, FsList *list, const char *name, FsNodeId id,
             guint32 slot)
{
  return add_child (mount, list, name, id, FIRST_SLOT + (guint64)slot);
}

guint
fs_list_fetch_snapshots (FsMount *mount, const FsNode *dir, guint32 after,
                         FsChild *children, guint max)
{
  return fs_tree_list_snapshots (mount->tree, dir->id.slot, after,
                                 dir->id.index, children, max);
}

gboolean
fs_list_add_slots (FsMount *mount, FsList *list, const FsNode *dir,
                   guint32 after, FsFetch fetch, FsStandIn stand_in)
{
  FsChild children[CHUNK];
  gboolean room = TRUE;
  guint count;
  guint i;

  do {
    count = fetch (mount, dir, after, children, CHUNK);
    for (i = 0; i < count; i++) {
      FsNodeId id = children[i].id;
      /* Of a snapshot its own, not its VM's. */
      guint32 slot = id.snapshot != 0 ? id.snapshot : id.slot;

      if (room && (stand_in == NULL || stand_in (mount, dir, slot, &id)))
        room = fs_list_add (mount, list, children[i].name, id, slot);
      g_free (children[i].name);
      after = slot + 1;
    }
  } while (room && count == CHUNK);
  return room;
}

static gboolean
add_rows (FsMount *mount, const FsNode *dir, guint64 offset, FsList *list)
{
  const FsKind *kind = fs_kind (dir->id.kind);
  gsize i;

  for (i = 0; i < kind->n_entries; i++) {
    const FsEntry *entry = &kind->entries[i];

    if (offset >= FIRST_ROW + i || entry->hidden
        || !fs_entry_is_present (entry, mount, dir))
      continue;
    if (!add_child (mount, list, entry->name, fs_entry_id (dir, entry),
                    FIRST_ROW + i))
      return FALSE;
  }
  return TRUE;
}

int
fs_list_fill (FsMount *mount, const FsNode *dir, guint64 offset, FsList *list)
{
  const FsKind *kind = fs_kind (dir->id.kind);
  guint64 after = offset > FIRST_SLOT ? offset - FIRST_SLOT + 1 : 1;

  list->names_move = kind->names_move;
  if (offset < 1 && !add_dots (mount, list, ".", dir->id, 1))
    return 0;
  if (offset < 2 && !add_dots (mount, list, "..", fs_parent_of (dir), 2))
    return 0;
  if (!add_rows (mount, dir, offset, list) || kind->list == NULL
      || after > FS_SLOT_MAX)
    return 0;
  kind->list (mount, dir, (guint32)after, list);
  /* Never a part: the kernel keeps for good what it gets. */
  return list->error;
}
