/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * block-cache.h - a bounded cache of equally sized blocks by number: grain
 * tables, inflated grains. Direct-mapped: two blocks whose numbers differ by
 * the number of slots displace each other, which costs one more read and saves
 * the bookkeeping of an order of use.
 *
 * Any thread; nothing blocks.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Counted memory; its content is constant once it was inserted. */
typedef struct {
  gatomicrefcount refs;
  guint64 data[]; /* so that tables of 64-bit entries are aligned */
} VmdkBlock;

VmdkBlock *vmdk_block_new (gsize bytes); /* zeroed */
VmdkBlock *vmdk_block_ref (VmdkBlock *self);
void vmdk_block_unref (VmdkBlock *self); /* NULL is ignored */
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VmdkBlock, vmdk_block_unref)

typedef struct VmdkBlockCache VmdkBlockCache;

/* @n_blocks: how many there are at all; at most @max_bytes are kept. */
VmdkBlockCache *vmdk_block_cache_new (gsize block_bytes, guint64 n_blocks,
                                      gsize max_bytes);
void vmdk_block_cache_free (VmdkBlockCache *self);

/* A reference for the caller, or NULL. */
VmdkBlock *vmdk_block_cache_get (VmdkBlockCache *self, guint64 number);
/* Takes a reference of its own. One block may stand for many numbers. */
void vmdk_block_cache_put (VmdkBlockCache *self, guint64 number,
                           VmdkBlock *block);

G_END_DECLS
