/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * folder.h - a folder of the VM tree: which slots are in it, under what names.
 *
 * No lock of its own: the tree guards it with its own.
 */
#pragma once

#include <glib.h>

#include "stale.h"

G_BEGIN_DECLS

typedef struct {
  guint32 slot;
  guint32 parent;
  guint host;     /* number of the host that it is of, or FS_NO_HOST */
  gboolean stays; /* also when nothing is in it */
  char *name;     /* shown */
  char *raw_name; /* as the host has it */
  guint64 identity;
  guint32 version;
  gint64 changed;      /* seconds since 1970: something came or went */
  GArray *children;    /* (guint32) slots, ascending */
  GHashTable *by_name; /* shown name (of the child) -> slot */
  GHashTable *by_raw;  /* raw name (of the child) -> slot; folders only */
} FsFolder;

FsFolder *fs_folder_new (guint32 slot, guint32 parent, const char *name,
                         const char *raw_name, guint64 identity);
void fs_folder_free (FsFolder *self);

/* The index in @self->children of the first with @slot or above. */
guint fs_folder_position (const FsFolder *self, guint32 slot);

/* (transfer full): how a child called @raw_name is shown, with "~ID" where
 * the name is taken. */
char *fs_folder_free_name (const FsFolder *self, const char *raw_name,
                           const char *id);

/* (transfer full): what follows "~" for a VM: its id if that is short and
 * plain (a moref), or else some digits of its hash. */
char *fs_folder_child_id (const char *id);

/* @name stays the child's, which outlives its place here. */
void fs_folder_add_child (FsFolder *self, const char *name, guint32 slot,
                          FsStale *stale);
void fs_folder_remove_child (FsFolder *self, const char *name, guint32 slot,
                             FsStale *stale);

G_END_DECLS
