/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tree-private.h - what tree.c, which looks things up, and tree-update.c, which
 * follows the hosts, share.
 */
#pragma once

#include "folder.h"
#include "tree.h"

G_BEGIN_DECLS

/* One of both, or neither: whoever had the slot is gone. */
typedef struct {
  FsFolder *folder;
  FsVm *vm;
} FsSlot;

typedef struct {
  char *name;   /* of its directory; "": the root */
  char *source; /* what VM ids are relative to, or "" */
  guint32 folder;
  GHashTable *by_id;     /* VM id (of the record's) -> FsVm */
  GHashTable *unsettled; /* id -> (const VixExtVM); NULL once settled */
} FsTreeHost;

struct FsTree {
  GMutex lock;   /* level 1: all below */
  GArray *slots; /* (FsSlot) */
  GArray *hosts; /* (FsTreeHost) */
};

/* NULL if the slot has none. */
FsFolder *fs_tree_get_folder_locked (FsTree *self, guint32 slot);
FsVm *fs_tree_get_vm_locked (FsTree *self, guint32 slot);
FsTreeHost *fs_tree_get_host_locked (FsTree *self, guint number);

G_END_DECLS
