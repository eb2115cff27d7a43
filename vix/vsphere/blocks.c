/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vsphere/blocks.h"

#include <string.h>
#include <sys/mman.h>

struct VsphereBlocks {
  void (*gone) (gpointer owner);
  guint room;
  guint n_used;      /* of memory: behind that nothing was touched yet */
  guint8 *memory;    /* room * VSPHERE_BLOCK_BYTES; NULL: not yet needed */
  GHashTable *found; /* set of VsphereBlock, by owner and index */
  GPtrArray *spare;  /* memory that was given back */
  /* Blocks without users, the one given back last at the head: a pass over a
   * big file must not push out what is asked for again and again. */
  GQueue idle[2]; /* by used_up */
};

static guint
block_hash (gconstpointer data)
{
  const VsphereBlock *block = data;
  guint64 key = GPOINTER_TO_SIZE (block->owner) / sizeof (gpointer)
                + block->index * G_GUINT64_CONSTANT (0x9e3779b97f4a7c15);

  return (guint)(key ^ (key >> 32));
}

static gboolean
block_equal (gconstpointer a, gconstpointer b)
{
  const VsphereBlock *x = a, *y = b;

  return x->owner == y->owner && x->index == y->index;
}

VsphereBlocks *
vsphere_blocks_new (guint64 bytes, void (*gone) (gpointer owner))
{
  VsphereBlocks *self = g_new0 (VsphereBlocks, 1);

  self->gone = gone;
  self->room = (guint)CLAMP (bytes / VSPHERE_BLOCK_BYTES, 1, G_MAXINT / 2);
  self->found = g_hash_table_new (block_hash, block_equal);
  self->spare = g_ptr_array_new ();
  g_queue_init (&self->idle[FALSE]);
  g_queue_init (&self->idle[TRUE]);
  return self;
}

guint
vsphere_blocks_get_room (const VsphereBlocks *self)
{
  return self->room;
}

/* Guests' data is for no core dump. */
static guint8 *
new_memory (VsphereBlocks *self)
{
  gsize bytes = self->room * VSPHERE_BLOCK_BYTES;

  if (self->memory == NULL) {
    void *memory = mmap (NULL, bytes, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (memory == MAP_FAILED)
      return NULL;
    (void)madvise (memory, bytes, MADV_DONTDUMP);
    /* Touching small pages for the first time costs as much as filling them. */
    (void)madvise (memory, bytes, MADV_HUGEPAGE);
    self->memory = memory;
  }
  return self->n_used == self->room
           ? NULL
           : self->memory + self->n_used++ * VSPHERE_BLOCK_BYTES;
}

static void
forget (VsphereBlocks *self, VsphereBlock *block)
{
  g_hash_table_remove (self->found, block);
  block->dropped = TRUE;
  self->gone (block->owner);
}

static void
free_block (VsphereBlocks *self, VsphereBlock *block)
{
  g_ptr_array_add (self->spare, block->data);
  g_free (block);
}

VsphereBlock *
vsphere_blocks_find (VsphereBlocks *self, gpointer owner, guint64 index)
{
  VsphereBlock key = { .owner = owner, .index = index };

  return g_hash_table_lookup (self->found, &key);
}

static VsphereBlock *
worth_least (VsphereBlocks *self)
{
  VsphereBlock *block = g_queue_peek_tail (&self->idle[TRUE]);

  return block != NULL ? block : g_queue_peek_tail (&self->idle[FALSE]);
}

VsphereBlock *
vsphere_blocks_add (VsphereBlocks *self, gpointer owner, guint64 index)
{
  VsphereBlock *block;
  guint8 *data
    = self->spare->len > 0
        ? g_ptr_array_steal_index_fast (self->spare, self->spare->len - 1)
        : new_memory (self);

  if (data == NULL && (block = worth_least (self)) != NULL) {
    data = block->data;
    g_queue_unlink (&self->idle[block->used_up], &block->link);
    forget (self, block);
    g_free (block);
  }
  if (data == NULL)
    return NULL;
  block = g_new0 (VsphereBlock, 1);
  block->owner = owner;
  block->index = index;
  block->data = data;
  block->to = VSPHERE_BLOCK_BYTES;
  block->link.data = block;
  block->pins = 1;
  g_hash_table_add (self->found, block);
  return block;
}

void
vsphere_blocks_pin (VsphereBlocks *self, VsphereBlock *block)
{
  if (block->pins++ == 0)
    g_queue_unlink (&self->idle[block->used_up], &block->link);
}

void
vsphere_blocks_unpin (VsphereBlocks *self, VsphereBlock *block,
                      gboolean used_up)
{
  if (--block->pins > 0)
    return;
  block->used_up = used_up;
  if (block->dropped)
    free_block (self, block);
  else
    g_queue_push_head_link (&self->idle[used_up], &block->link);
}

void
vsphere_blocks_drop (VsphereBlocks *self, VsphereBlock *block)
{
  if (block->dropped)
    return;
  forget (self, block);
  if (block->pins > 0)
    return;
  g_queue_unlink (&self->idle[block->used_up], &block->link);
  free_block (self, block);
}

void
vsphere_blocks_drop_all (VsphereBlocks *self, gpointer owner)
{
  g_autoptr (GPtrArray) all = g_ptr_array_new ();
  GHashTableIter iter;
  gpointer data;

  g_hash_table_iter_init (&iter, self->found);
  while (g_hash_table_iter_next (&iter, &data, NULL))
    if (((VsphereBlock *)data)->owner == owner)
      g_ptr_array_add (all, data);
  for (guint i = 0; i < all->len; i++)
    vsphere_blocks_drop (self, all->pdata[i]);
}

void
vsphere_blocks_free (VsphereBlocks *self)
{
  VsphereBlock *block;

  if (self == NULL)
    return;
  while ((block = worth_least (self)) != NULL)
    vsphere_blocks_drop (self, block);
  g_assert (g_hash_table_size (self->found) == 0);
  if (self->memory != NULL)
    munmap (self->memory, self->room * VSPHERE_BLOCK_BYTES);
  g_hash_table_unref (self->found);
  g_ptr_array_unref (self->spare);
  g_free (self);
}
