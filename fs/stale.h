/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * stale.h - what the kernel may have cached and must ask for again.
 *
 * Filled by whoever changes the tree, sent by notify.c. One thread.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct {
  guint64 parent; /* node id of the directory */
  char *name;
} FsStaleEntry;

typedef struct {
  GArray *nodes;   /* (guint64): attributes, listings, link targets */
  GArray *entries; /* (FsStaleEntry): names that came to mean something else */
} FsStale;

FsStale *fs_stale_new (void);
void fs_stale_free (FsStale *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (FsStale, fs_stale_free)

void fs_stale_add_node (FsStale *self, guint64 node);
void fs_stale_add_entry (FsStale *self, guint64 parent, const char *name);

G_END_DECLS
