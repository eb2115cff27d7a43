/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * files/ of a VM and of its snapshots. A file is one node in both: the slot of
 * its name in the VM.
 */
#include <errno.h>
#include <string.h>

#include "attr.h"
#include "entries.h"
#include "errno-map.h"
#include "list.h"
#include "name.h"

static gint64
snapshot_of (const FsNode *dir)
{
  return dir->snapshot != NULL ? dir->snapshot->id : 0;
}

static FsNodeId
file_id (const FsNode *dir, const FsFile *file)
{
  return (FsNodeId){ dir->id.slot, 0, FS_KIND_FILE, file->slot };
}

/* ---- by name ---- */

typedef struct {
  const char *name;
  const FsFile *found;
} Search;

static gboolean
is_not_it (const FsFile *file, gpointer data)
{
  Search *search = data;

  if (strcmp (file->name, search->name) == 0)
    search->found = file;
  return search->found == NULL;
}

int
fs_files_find (FsMount *mount, const FsNode *dir, const char *name,
               FsNodeId *ret_id)
{
  g_autoptr (FsListing) listing = fs_files_get (mount->files, dir);
  Search search = { name, NULL };

  if (listing->error != 0)
    return listing->error;
  fs_listing_foreach (listing, snapshot_of (dir), 0, is_not_it, &search);
  if (search.found == NULL)
    return ENOENT;
  *ret_id = file_id (dir, search.found);
  return 0;
}

/* ---- all of them ---- */

typedef struct {
  FsMount *mount;
  const FsNode *dir;
  FsList *list;
  gboolean room;
} Lister;

static gboolean
list_file (const FsFile *file, gpointer data)
{
  Lister *lister = data;

  lister->room = fs_list_add (lister->mount, lister->list, file->name,
                              file_id (lister->dir, file), file->slot);
  return lister->room;
}

gboolean
fs_files_list (FsMount *mount, const FsNode *dir, guint32 after, FsList *list)
{
  g_autoptr (FsListing) listing = fs_files_get (mount->files, dir);
  Lister lister = { mount, dir, list, TRUE };

  fs_listing_foreach (listing, snapshot_of (dir), after, list_file, &lister);
  return lister.room;
}

/* ---- one of them ---- */

char *
fs_file_label (FsMount *mount, const FsNode *node)
{
  return fs_tree_file_name (mount->tree, node->id.slot, node->id.index);
}

int
fs_file_measure (FsMount *mount, const FsNode *node, struct stat *attr)
{
  g_autoptr (FsListing) listing = fs_files_get (mount->files, node);
  const FsFile *file = fs_listing_find_slot (listing, node->id.index);

  if (file == NULL)
    return listing->error != 0 ? listing->error : ESTALE;
  attr->st_nlink = 1 + file->owners;
  attr->st_size = fs_files_get_length (mount->files, node, file);
  attr->st_blocks = (file->allocated + 511) / 512;
  attr->st_mtim = fs_attr_time (file->modified);
  return 0;
}

/* Whoever has it open is to find it as long as it is. */
static void
learn_length (FsMount *mount, const FsNode *node, const VixExtReader *reader)
{
  g_autoptr (FsListing) listing = fs_files_get (mount->files, node);
  const FsFile *file = fs_listing_find_slot (listing, node->id.index);
  FsStale *stale;

  if (file == NULL
      || !fs_files_note_length (mount->files, node, file,
                                VixExt_GetFileSize (reader)))
    return;
  stale = fs_stale_new ();
  fs_stale_add_node (stale, fs_node_pack (node->id));
  fs_notify_send (mount->notify, stale);
}

int
fs_file_open (FsMount *mount, const FsNode *node, FsOpen *open)
{
  g_autofree char *name
    = fs_tree_file_name (mount->tree, node->id.slot, node->id.index);
  char *message = NULL;
  VixError error;

  if (name == NULL)
    return ESTALE;
  error = VixExt_OpenFile (fs_host_handle (fs_mount_host (mount, node)),
                           node->vm->id, 0, name, &open->reader, &message);
  fs_troubles_tell (mount->troubles, node, name, error, message);
  Vix_FreeBuffer (message);
  if (VIX_SUCCEEDED (error))
    learn_length (mount, node, open->reader);
  return fs_errno_from_vix (error);
}
