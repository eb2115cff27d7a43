/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "disk/changes.h"

#include <string.h>

#include "disk/map.h"

/* One of the two disks. */
typedef struct {
  VmdkChain *chain; /* borrowed; NULL: zeros */
  GPtrArray *own;   /* VmdkLink that the other has not, newest first */
  gboolean shares;  /* there are others below */
  VmdkMap *map;     /* of @own where @shares; NULL if there are none */
} Side;

struct VmdkChanges {
  Side older;
  Side newer;
};

/* How many links at the bottom of both chains are the same files. What a link
 * stands on is part of it, so the first that differs ends it. */
static guint
count_shared (const VmdkChain *a, const VmdkChain *b)
{
  guint depth_a = vmdk_chain_get_depth (a);
  guint depth_b = vmdk_chain_get_depth (b);
  guint n = 0;

  while (n < MIN (depth_a, depth_b)
         && strcmp (vmdk_link_get_id (vmdk_chain_get_link (a, depth_a - 1 - n)),
                    vmdk_link_get_id (vmdk_chain_get_link (b, depth_b - 1 - n)))
              == 0)
    n++;
  return n;
}

static void
side_init (Side *self, VmdkChain *chain, guint n_shared)
{
  self->chain = chain;
  self->shares = n_shared > 0;
  if (!self->shares)
    return;
  self->own = g_ptr_array_new ();
  for (guint i = 0; i < vmdk_chain_get_depth (chain) - n_shared; i++)
    g_ptr_array_add (self->own, vmdk_chain_get_link (chain, i));
  if (self->own->len > 0)
    self->map
      = vmdk_map_new (self->own, vmdk_chain_get_capacity (chain), FALSE);
}

static void
side_clear (Side *self)
{
  vmdk_map_free (self->map);
  g_clear_pointer (&self->own, g_ptr_array_unref);
}

/* VMDK_UNALLOCATED: what both have says. */
static gboolean
side_find (Side *self, guint64 offset, guint64 len, VmdkState *ret_state,
           guint64 *ret_len, GError **error)
{
  if (self->map != NULL)
    return vmdk_map_find (self->map, offset, len, ret_state, ret_len, error);
  if (self->chain != NULL && !self->shares)
    return vmdk_chain_map (self->chain, offset, len, ret_state, ret_len, error);
  *ret_state = self->shares ? VMDK_UNALLOCATED : VMDK_ZERO;
  *ret_len = len;
  return TRUE;
}

VmdkChanges *
vmdk_changes_new (VmdkChain *older, VmdkChain *newer)
{
  VmdkChanges *self = g_new0 (VmdkChanges, 1);
  guint n = older != NULL ? count_shared (older, newer) : 0;

  side_init (&self->older, older, n);
  side_init (&self->newer, newer, n);
  return self;
}

void
vmdk_changes_free (VmdkChanges *self)
{
  if (self == NULL)
    return;
  side_clear (&self->older);
  side_clear (&self->newer);
  g_free (self);
}

gboolean
vmdk_changes_find (VmdkChanges *self, guint64 offset, guint64 len,
                   gboolean *ret_changed, guint64 *ret_len, GError **error)
{
  guint64 capacity = vmdk_chain_get_capacity (self->newer.chain);
  guint64 older = self->older.chain != NULL
                    ? vmdk_chain_get_capacity (self->older.chain)
                    : capacity;
  VmdkState was;
  VmdkState is;
  guint64 n;

  len = MIN (len, capacity - MIN (offset, capacity));
  if (offset >= older) {
    *ret_changed = TRUE;
    *ret_len = len;
    return TRUE;
  }
  if (!side_find (&self->newer, offset, MIN (len, older - offset), &is, &n,
                  error)
      || !side_find (&self->older, offset, n, &was, ret_len, error))
    return FALSE;
  *ret_changed = was != is || is == VMDK_DATA;
  return TRUE;
}
