/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "base/error.h"
#include "disk/chain.h"
#include "disk/link-private.h"
#include "disk/map.h"

/* Directories of all links together, 4 bytes an entry: 30 links of 62 TiB.
 * More is an attack on memory. */
#define MAX_CHAIN_TABLES (1u << 26)

struct VmdkChain {
  GPtrArray *links; /* VmdkLink, newest first */
  guint64 capacity;
  VmdkMap *map;
};

static void
free_link (gpointer data)
{
  vmdk_link_free (data);
}

void
vmdk_chain_free (VmdkChain *self)
{
  if (self == NULL)
    return;
  vmdk_map_free (self->map);
  g_ptr_array_unref (self->links);
  g_free (self);
}

/* --- opening ----------------------------------------------------------- */

static gboolean
check_limits (const VmdkChain *self, GError **error)
{
  const VmdkLink *newest = self->links->pdata[0];
  guint64 n_tables = 0;

  if (self->links->len >= VMDK_MAX_CHAIN) {
    g_set_error (error, VIX_ERROR, VIX_E_DISK_INVALIDCHAIN,
                 "%s: has more than %d ancestors", newest->id,
                 VMDK_MAX_CHAIN - 1);
    return FALSE;
  }
  for (guint i = 0; i < self->links->len; i++)
    n_tables += vmdk_link_get_n_tables (self->links->pdata[i]);
  if (n_tables > MAX_CHAIN_TABLES) {
    g_set_error (error, VIX_ERROR, VIX_E_DISK_INVALIDCHAIN,
                 "%s: its chain has more than %u grain tables", newest->id,
                 MAX_CHAIN_TABLES);
    return FALSE;
  }
  return TRUE;
}

static gboolean
check_pair (const VmdkLink *child, const VmdkLink *parent, GError **error)
{
  guint32 wanted = vmdk_link_get_parent_cid (child);
  guint32 cid = vmdk_link_get_cid (parent);

  if (cid != wanted) {
    g_set_error (error, VIX_ERROR, VIX_E_DISK_CID_MISMATCH,
                 "%s: was made on content %08x of %s, which now has %08x; "
                 "the parent was changed after it got a child",
                 child->id, wanted, parent->id, cid);
    return FALSE;
  }
  return TRUE;
}

static gboolean
check_cycle (const VmdkChain *self, const VmdkLink *next, GError **error)
{
  for (guint i = 0; i < self->links->len; i++) {
    const VmdkLink *link = self->links->pdata[i];

    if (strcmp (link->id, next->id) != 0)
      continue;
    g_set_error (error, VIX_ERROR, VIX_E_DISK_INVALIDCHAIN,
                 "%s: is its own ancestor", next->id);
    return FALSE;
  }
  return TRUE;
}

/* A missing parent is the chain's fault, whatever the resolver calls it. */
static void
blame_parent (const VmdkLink *child, GError **error)
{
  if (error == NULL || *error == NULL)
    return;
  g_prefix_error (error, "%s: parent: ", child->id);
  if (g_error_matches (*error, VIX_ERROR, VIX_E_FILE_NOT_FOUND)
      || g_error_matches (*error, VIX_ERROR, VIX_E_FILE_ACCESS_ERROR))
    (*error)->code = VIX_E_DISK_OPENPARENT;
}

static gboolean
add_parent (VmdkChain *self, VmdkResolver *resolver, GError **error)
{
  const VmdkLink *child = self->links->pdata[self->links->len - 1];
  g_autoptr (VmdkLink) parent = NULL;

  if (!check_limits (self, error))
    return FALSE;
  parent
    = vmdk_link_open (resolver, child->id, vmdk_link_get_parent_hint (child),
                      VMDK_ROLE_PARENT, FALSE, error);
  if (parent == NULL) {
    blame_parent (child, error);
    return FALSE;
  }
  if (!check_cycle (self, parent, error) || !check_pair (child, parent, error))
    return FALSE;
  g_ptr_array_add (self->links, g_steal_pointer (&parent));
  return TRUE;
}

VmdkChain *
vmdk_chain_open (VmdkResolver *resolver, const char *relative_to,
                 const char *name, GError **error)
{
  g_autoptr (VmdkChain) self = g_new0 (VmdkChain, 1);
  VmdkLink *link;

  self->links = g_ptr_array_new_with_free_func (free_link);
  link = vmdk_link_open (resolver, relative_to, name, VMDK_ROLE_DISK, FALSE,
                         error);
  if (link == NULL)
    return NULL;
  g_ptr_array_add (self->links, link);
  self->capacity = link->capacity;
  while (vmdk_link_get_parent_hint (self->links->pdata[self->links->len - 1])
         != NULL)
    if (!add_parent (self, resolver, error))
      return NULL;
  self->map = vmdk_map_new (self->links, self->capacity, TRUE);
  return g_steal_pointer (&self);
}

guint
vmdk_chain_get_depth (const VmdkChain *self)
{
  return self->links->len;
}

VmdkLink *
vmdk_chain_get_link (const VmdkChain *self, guint index)
{
  g_assert (index < self->links->len);
  return self->links->pdata[index];
}

guint64
vmdk_chain_get_capacity (const VmdkChain *self)
{
  return self->capacity;
}

/* --- content ----------------------------------------------------------- */

static gboolean
check_range (const VmdkChain *self, guint64 offset, guint64 len, GError **error)
{
  const VmdkLink *newest = self->links->pdata[0];

  if (offset <= self->capacity && len <= self->capacity - offset)
    return TRUE;
  g_set_error (error, VIX_ERROR, VIX_E_INVALID_ARG,
               "%s: %" G_GUINT64_FORMAT " bytes at %" G_GUINT64_FORMAT
               " are not inside the disk",
               newest->id, len, offset);
  return FALSE;
}

gboolean
vmdk_chain_read (VmdkChain *self, guint64 offset, void *buf, gsize len,
                 GError **error)
{
  return check_range (self, offset, len, error)
         && vmdk_map_read (self->map, offset, buf, len, error);
}

gboolean
vmdk_chain_map (VmdkChain *self, guint64 offset, guint64 len,
                VmdkState *ret_state, guint64 *ret_len, GError **error)
{
  len = MIN (len, self->capacity - MIN (offset, self->capacity));
  if (len == 0)
    return check_range (self, offset, 1, error);
  return vmdk_map_find (self->map, offset, len, ret_state, ret_len, error);
}

gboolean
vmdk_chain_count_data (VmdkChain *self, guint64 *ret_bytes, GError **error)
{
  guint64 offset = 0;
  guint64 sum = 0;

  while (offset < self->capacity) {
    VmdkState state;
    guint64 n;

    if (!vmdk_chain_map (self, offset, self->capacity - offset, &state, &n,
                         error))
      return FALSE;
    if (state == VMDK_DATA)
      sum += n;
    offset += n;
  }
  *ret_bytes = sum;
  return TRUE;
}
