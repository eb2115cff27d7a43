/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "base/error.h"
#include "base/parallel.h"
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

/* A file that is not there is the chain's fault, whatever the resolver calls
 * it: the disk that it is a part of exists, and is not whole. @child: NULL for
 * the newest link */
static void
blame_chain (const VmdkLink *child, GError **error)
{
  gboolean missing;

  if (error == NULL || *error == NULL)
    return;
  missing = g_error_matches (*error, VIX_ERROR, VIX_E_FILE_NOT_FOUND);
  if (child == NULL && missing)
    (*error)->code = VIX_E_DISK_PARTIALCHAIN;
  if (child == NULL)
    return;
  g_prefix_error (error, "%s: parent: ", child->id);
  if (missing || g_error_matches (*error, VIX_ERROR, VIX_E_FILE_ACCESS_ERROR))
    (*error)->code = VIX_E_DISK_OPENPARENT;
}

/* The oldest so far; NULL: none yet. */
static const VmdkLink *
get_last (const VmdkChain *self)
{
  return self->links->len > 0 ? self->links->pdata[self->links->len - 1] : NULL;
}

/* @link: (transfer full) (nullable): NULL with @error, which says why */
static gboolean
add_link (VmdkChain *self, VmdkLink *link, GError **error)
{
  const VmdkLink *child = get_last (self);
  g_autoptr (VmdkLink) mine = link;

  if (link == NULL) {
    blame_chain (child, error);
    return FALSE;
  }
  if (child != NULL
      && (!check_cycle (self, link, error) || !check_pair (child, link, error)))
    return FALSE;
  g_ptr_array_add (self->links, g_steal_pointer (&mine));
  return TRUE;
}

static VmdkChain *
chain_new (void)
{
  VmdkChain *self = g_new0 (VmdkChain, 1);

  self->links = g_ptr_array_new_with_free_func (free_link);
  return self;
}

static void
complete (VmdkChain *self)
{
  self->capacity = ((const VmdkLink *)self->links->pdata[0])->capacity;
  self->map = vmdk_map_new (self->links, self->capacity, TRUE);
}

VmdkChain *
vmdk_chain_open (VmdkResolver *resolver, const char *relative_to,
                 const char *name, GError **error)
{
  g_autoptr (VmdkChain) self = chain_new ();
  VmdkRole role = VMDK_ROLE_DISK;

  while (name != NULL) {
    const VmdkLink *last;

    if (!add_link (
          self,
          vmdk_link_open (resolver, relative_to, name, role, FALSE, error),
          error))
      return NULL;
    last = get_last (self);
    relative_to = last->id;
    name = vmdk_link_get_parent_hint (last);
    role = VMDK_ROLE_PARENT;
    if (name != NULL && !check_limits (self, error))
      return NULL;
  }
  complete (self);
  return g_steal_pointer (&self);
}

/* --- opening links whose names are known ------------------------------- */

typedef struct {
  VmdkResolver *resolver;
  const char *const *names;
  VmdkLink **links;
  GError **errors;
  gsize n_tables; /* atomic: of all that are open */
} Opening;

/* What is too much for a chain is not even opened. */
static gboolean
open_one (gpointer data, guint i)
{
  Opening *opening = data;
  gsize n;

  opening->links[i]
    = vmdk_link_open (opening->resolver, NULL, opening->names[i],
                      VMDK_ROLE_DISK, FALSE, &opening->errors[i]);
  if (opening->links[i] == NULL)
    return FALSE;
  n = (gsize)vmdk_link_get_n_tables (opening->links[i]);
  return (gsize)g_atomic_pointer_add (&opening->n_tables, (gssize)n) + n
         <= MAX_CHAIN_TABLES;
}

/* Whether @last, the link @i of @n, has a parent just if there is one more. */
static gboolean
check_end (const VmdkLink *last, const Opening *opening, guint i, guint n,
           GError **error)
{
  const char *hint = vmdk_link_get_parent_hint (last);

  if ((hint != NULL) == (i + 1 < n))
    return TRUE;
  if (hint != NULL)
    g_set_error (error, VIX_ERROR, VIX_E_DISK_INVALIDCHAIN,
                 "%s: it has the parent \"%s\", but the disk is said to end "
                 "there",
                 last->id, hint);
  else
    g_set_error (error, VIX_ERROR, VIX_E_DISK_INVALIDCHAIN,
                 "%s: it has no parent, but the disk is said to go on with %s",
                 last->id, opening->names[i + 1]);
  return FALSE;
}

/* Takes what was opened, in the order of the chain: the first thing that is
 * wrong there is told. */
static gboolean
add_opened (VmdkChain *self, Opening *opening, guint n, GError **error)
{
  for (guint i = 0; i < n; i++) {
    GError *failure = g_steal_pointer (&opening->errors[i]);

    if (failure != NULL)
      g_propagate_error (error, failure);
    if (!add_link (self, g_steal_pointer (&opening->links[i]), error)
        || !check_end (get_last (self), opening, i, n, error)
        || (i + 1 < n && !check_limits (self, error)))
      return FALSE;
  }
  return TRUE;
}

VmdkChain *
vmdk_chain_open_known (VmdkResolver *resolver, const char *const *names,
                       guint n, guint at_once, GError **error)
{
  g_autofree VmdkLink **links = g_new0 (VmdkLink *, n);
  g_autofree GError **errors = g_new0 (GError *, n);
  Opening opening = { resolver, names, links, errors, 0 };
  g_autoptr (VmdkChain) self = chain_new ();
  gboolean ok;

  g_assert (n > 0);
  vix_parallel (MIN (n, VMDK_MAX_CHAIN), at_once, open_one, &opening);
  ok = add_opened (self, &opening, n, error);
  for (guint i = 0; i < n; i++) {
    vmdk_link_free (links[i]);
    g_clear_error (&errors[i]);
  }
  if (!ok)
    return NULL;
  complete (self);
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

gboolean
vmdk_chain_read (VmdkChain *self, guint64 offset, void *buf, gsize len,
                 GError **error)
{
  return vmdk_link_check_range (self->links->pdata[0], offset, len, error)
         && vmdk_map_read (self->map, offset, buf, len, error);
}

gboolean
vmdk_chain_map (VmdkChain *self, guint64 offset, guint64 len,
                VmdkState *ret_state, guint64 *ret_len, GError **error)
{
  len = MIN (len, self->capacity - MIN (offset, self->capacity));
  return vmdk_link_check_range (self->links->pdata[0], offset, MAX (len, 1),
                                error)
         && vmdk_map_find (self->map, offset, len, ret_state, ret_len, error);
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
