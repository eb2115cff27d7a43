/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vsphere/soap/arena.h"

#include <string.h>

#define FIRST_BLOCK_BYTES (4u << 10)
#define LAST_BLOCK_BYTES (256u << 10)
#define ALIGN_BYTES 16u

typedef struct Block Block;
struct Block {
  Block *next;
  gsize size; /* of the bytes behind the header */
  gsize used;
};

/* Keeps what follows the header aligned as malloc aligns the header. */
#define HEADER_BYTES                                                           \
  ((sizeof (Block) + ALIGN_BYTES - 1) / ALIGN_BYTES * ALIGN_BYTES)

struct SoapArena {
  Block *blocks; /* the one that is filled comes first */
  gsize block_bytes;
  gsize max_bytes;
  gsize used;
};

SoapArena *
soap_arena_new (gsize max_bytes)
{
  SoapArena *self = g_new0 (SoapArena, 1);

  self->max_bytes = max_bytes;
  self->block_bytes = FIRST_BLOCK_BYTES;
  return self;
}

void
soap_arena_set_limit (SoapArena *self, gsize max_bytes)
{
  self->max_bytes = max_bytes;
}

static void
free_blocks (Block *block)
{
  while (block != NULL) {
    Block *next = block->next;

    g_free (block);
    block = next;
  }
}

void
soap_arena_free (SoapArena *self)
{
  if (self == NULL)
    return;
  free_blocks (self->blocks);
  g_free (self);
}

void
soap_arena_reset (SoapArena *self)
{
  if (self->blocks != NULL) {
    free_blocks (self->blocks->next);
    self->blocks->next = NULL;
    /* One giant record must not hold its memory for ever. */
    if (self->blocks->size > LAST_BLOCK_BYTES)
      g_clear_pointer (&self->blocks, free_blocks);
    else
      self->blocks->used = 0;
  }
  self->used = 0;
}

static void
add_block (SoapArena *self, gsize size)
{
  gsize bytes = MAX (size, self->block_bytes);
  Block *block = g_malloc (HEADER_BYTES + bytes);

  block->size = bytes;
  block->used = 0;
  block->next = self->blocks;
  self->blocks = block;
  self->block_bytes = MIN (self->block_bytes * 2, LAST_BLOCK_BYTES);
}

gpointer
soap_arena_alloc (SoapArena *self, gsize size)
{
  gsize padded;
  char *p;

  if (self->used > self->max_bytes || size > self->max_bytes - self->used)
    return NULL;
  padded = (size + ALIGN_BYTES - 1) / ALIGN_BYTES * ALIGN_BYTES;
  if (self->blocks == NULL || padded > self->blocks->size - self->blocks->used)
    add_block (self, padded);
  p = (char *)self->blocks + HEADER_BYTES + self->blocks->used;
  self->blocks->used += padded;
  self->used += padded;
  memset (p, 0, size);
  return p;
}

gpointer
soap_arena_alloc_n (SoapArena *self, gsize n, gsize size)
{
  gsize bytes;

  if (!g_size_checked_mul (&bytes, n, size))
    return NULL;
  return soap_arena_alloc (self, bytes);
}

const char *
soap_arena_strndup (SoapArena *self, const char *text, gsize len)
{
  char *copy;

  if (len == G_MAXSIZE)
    return NULL;
  copy = soap_arena_alloc (self, len + 1);
  if (copy != NULL && len > 0)
    memcpy (copy, text, len);
  return copy;
}

gsize
soap_arena_get_used (const SoapArena *self)
{
  return self->used;
}
