/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * blocks.h - content of files in memory: blocks of one size, found by file and
 * number, in memory that never grows beyond what it was made with, those that
 * are being filled included. Whoever uses a block pins it; of the others the
 * one that is worth least makes room.
 *
 * The caller has the lock.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* What a small read costs at least: one TLS record. */
#define VSPHERE_BLOCK_BYTES ((gsize)16384)

/* Of a block, what is asked for alone where bytes are what costs. */
#define VSPHERE_PAGE_BYTES ((gsize)4096)

typedef struct VsphereBlocks VsphereBlocks;

typedef struct {
  gpointer owner;
  guint64 index;
  guint8 *data;     /* VSPHERE_BLOCK_BYTES */
  guint from, to;   /* the caller's: of those, what it has or will have */
  gpointer fetch;   /* the caller's: who fills it; NULL: it is full */
  guint pins;       /* users */
  gboolean dropped; /* not to be found any more */
  gboolean used_up; /* of those that nobody uses: in which queue it is */
  GList link;       /* while nobody uses it */
} VsphereBlock;

/* @gone: called for each block that @owner has no more. */
VsphereBlocks *vsphere_blocks_new (guint64 bytes,
                                   void (*gone) (gpointer owner));
/* No block may be pinned. */
void vsphere_blocks_free (VsphereBlocks *self);

/* How many there can be. */
guint vsphere_blocks_get_room (const VsphereBlocks *self);

/* (nullable): not pinned */
VsphereBlock *vsphere_blocks_find (VsphereBlocks *self, gpointer owner,
                                   guint64 index);
/* (nullable): a new one, pinned; NULL if all are in use. It must not be
 * there. */
VsphereBlock *vsphere_blocks_add (VsphereBlocks *self, gpointer owner,
                                  guint64 index);
void vsphere_blocks_pin (VsphereBlocks *self, VsphereBlock *block);
/* @used_up: nobody is likely to ask for it again: it goes first. */
void vsphere_blocks_unpin (VsphereBlocks *self, VsphereBlock *block,
                           gboolean used_up);
/* It is not to be found any more; its memory stays while it is pinned. */
void vsphere_blocks_drop (VsphereBlocks *self, VsphereBlock *block);
/* All of @owner. */
void vsphere_blocks_drop_all (VsphereBlocks *self, gpointer owner);

G_END_DECLS
