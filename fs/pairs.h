/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pairs.h - the pairs of snapshots of one VM whose difference somebody asked
 * for, by slot: what .since/ leads to. Snapshots are known by their slots.
 *
 * No lock of its own: the tree guards it with its own.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct {
  guint32 slot;
  guint32 newer;
  guint32 older;
  guint16 generation;
} FsPair;

typedef struct FsPairs FsPairs;

FsPairs *fs_pairs_new (void);
void fs_pairs_free (FsPairs *self); /* NULL is ignored */

/* The slot of the pair, a new one if it has none yet; 0: none was left. */
guint32 fs_pairs_enter (FsPairs *self, guint32 newer, guint32 older);
/* (nullable): borrowed until the next change */
const FsPair *fs_pairs_at (const FsPairs *self, guint32 slot);

/* Forgets those of which @is_there (@data, snapshot) says that one is gone. */
void fs_pairs_prune (FsPairs *self,
                     gboolean (*is_there) (gconstpointer data, guint32 slot),
                     gconstpointer data);

/* All of them, by ascending slot: borrowed until the next change. */
const FsPair *fs_pairs_list (const FsPairs *self, guint *ret_count);

G_END_DECLS
