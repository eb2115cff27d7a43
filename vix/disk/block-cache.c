/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "disk/block-cache.h"

#include "base/lock.h"

typedef struct {
  guint64 number;
  VmdkBlock *block; /* NULL: empty */
} Slot;

struct VmdkBlockCache {
  VixLock lock; /* VIX_LOCK_POOL: guards the slots */
  guint64 n_slots;
  Slot slots[];
};

VmdkBlock *
vmdk_block_new (gsize bytes)
{
  VmdkBlock *self = g_malloc0 (sizeof *self + bytes);

  g_atomic_ref_count_init (&self->refs);
  return self;
}

VmdkBlock *
vmdk_block_ref (VmdkBlock *self)
{
  g_atomic_ref_count_inc (&self->refs);
  return self;
}

void
vmdk_block_unref (VmdkBlock *self)
{
  if (self != NULL && g_atomic_ref_count_dec (&self->refs))
    g_free (self);
}

VmdkBlockCache *
vmdk_block_cache_new (gsize block_bytes, guint64 n_blocks, gsize max_bytes)
{
  guint64 n_slots = CLAMP (max_bytes / block_bytes, 1, MAX (n_blocks, 1));
  VmdkBlockCache *self
    = g_malloc0 (sizeof *self + (gsize)n_slots * sizeof (Slot));

  vix_lock_init (&self->lock, VIX_LOCK_POOL);
  self->n_slots = n_slots;
  return self;
}

void
vmdk_block_cache_free (VmdkBlockCache *self)
{
  if (self == NULL)
    return;
  for (guint64 i = 0; i < self->n_slots; i++)
    vmdk_block_unref (self->slots[i].block);
  vix_lock_clear (&self->lock);
  g_free (self);
}

VmdkBlock *
vmdk_block_cache_get (VmdkBlockCache *self, guint64 number)
{
  const Slot *slot = &self->slots[number % self->n_slots];
  VmdkBlock *block = NULL;

  vix_lock (&self->lock);
  if (slot->block != NULL && slot->number == number)
    block = vmdk_block_ref (slot->block);
  vix_unlock (&self->lock);
  return block;
}

void
vmdk_block_cache_put (VmdkBlockCache *self, guint64 number, VmdkBlock *block)
{
  Slot *slot = &self->slots[number % self->n_slots];
  VmdkBlock *old;

  vix_lock (&self->lock);
  old = slot->block;
  slot->number = number;
  slot->block = vmdk_block_ref (block);
  vix_unlock (&self->lock);
  vmdk_block_unref (old);
}
