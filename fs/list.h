/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * list.h - the answer to readdir and readdirplus.
 *
 * Each entry's offset follows from what it is (its place in the table, its
 * slot), so that a listing read in pieces stays right while things come and
 * go: nothing is skipped, nothing shown twice.
 */
#pragma once

#include "entries.h"

G_BEGIN_DECLS

struct FsList {
  fuse_req_t req;
  gboolean plus; /* with attributes: readdirplus */
  char *buffer;
  gsize size;
  gsize used;
  gboolean names_move; /* of the directory, see entries.h */
  int error;           /* errno of what it holds that could not be had */
};

/* Fills @list with what @dir holds beyond @offset; errno. */
int fs_list_fill (FsMount *mount, const FsNode *dir, guint64 offset,
                  FsList *list);

/* Adds the child @id with slot @slot; %FALSE if it does not fit any more. */
gboolean fs_list_add (FsMount *mount, FsList *list, const char *name,
                      FsNodeId id, guint32 slot);

/* Fetches up to @max children of @dir with slot @after and up, in slot order;
 * returns how many. Their names are the caller's. */
typedef guint (*FsFetch) (FsMount *mount, const FsNode *dir, guint32 after,
                          FsChild *children, guint max);

guint fs_list_fetch_snapshots (FsMount *mount, const FsNode *dir, guint32 after,
                               FsChild *children, guint max);

/* The node that stands for the child with that slot; %FALSE: none does. */
typedef gboolean (*FsStandIn) (FsMount *mount, const FsNode *dir, guint32 slot,
                               FsNodeId *ret_id);

/* Adds the children from slot @after on; %FALSE if not all of them fit.
 * @stand_in: (nullable): if others stand for them */
gboolean fs_list_add_slots (FsMount *mount, FsList *list, const FsNode *dir,
                            guint32 after, FsFetch fetch, FsStandIn stand_in);

G_END_DECLS
