/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * files.h - what the files/ directories hold: listings of the VMs looked at
 * last.
 *
 * A listing is made by asking the library, which may read a local disk; of a
 * host on the network it knows it by heart. A walk over thousands of VMs keeps
 * only the last %FS_FILES_KEPT. How long a file of such a host is shows when it
 * is opened: what is listed is what it takes on the datastore. Any thread.
 */
#pragma once

#include <glib.h>

#include "tree.h"

G_BEGIN_DECLS

#define FS_FILES_KEPT 128
/* Lengths, a hundred bytes each. */
#define FS_FILES_LENGTHS_KEPT 8192

typedef struct {
  char *name;
  guint32 slot; /* of the node, see node.h */
  guint32 generation;
  gint64 bytes;
  gint64 allocated;
  gint64 modified; /* microseconds since 1970 */
  guint owners;    /* snapshots that own it */
} FsFile;

/* Counted and immutable. */
typedef struct {
  gatomicrefcount references;
  guint32 vm_slot;
  guint32 version; /* of the VM when the listing began */
  int error;       /* errno if there is no listing */
  GArray *files;   /* (FsFile) by ascending slot */
  GArray *owned;   /* (FsOwned) by snapshot, then slot */
  gint64 bytes;    /* of all */
  gint64 allocated;
} FsListing;

/* Snapshot @snapshot owns the file at @index of @files. */
typedef struct {
  gint64 snapshot;
  guint index;
} FsOwned;

typedef struct FsMount FsMount;
typedef struct FsFiles FsFiles;

FsFiles *fs_files_new (FsMount *mount);
void fs_files_free (FsFiles *self);

/* (transfer full): the files of @node's VM. May block on a local disk, not on
 * a host of the network. */
FsListing *fs_files_get (FsFiles *self, const FsNode *node);
void fs_listing_unref (FsListing *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (FsListing, fs_listing_unref)

/* (nullable): borrowed */
const FsFile *fs_listing_find_slot (const FsListing *self, guint32 slot);

/* How long @file of @node's VM is, as far as known. */
gint64 fs_files_get_length (FsFiles *self, const FsNode *node,
                            const FsFile *file);
/* %FALSE if that was known. */
gboolean fs_files_note_length (FsFiles *self, const FsNode *node,
                               const FsFile *file, gint64 length);

/* Calls @func for each file that @snapshot owns (0: each file of the VM) with
 * a slot of @after and up, in slot order, until it returns %FALSE. */
void fs_listing_foreach (const FsListing *self, gint64 snapshot, guint32 after,
                         gboolean (*func) (const FsFile *file, gpointer data),
                         gpointer data);

G_END_DECLS
