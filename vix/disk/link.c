/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "base/error.h"
#include "disk/link-private.h"
#include "disk/sparse-header.h"

/* Enough to tell the kinds of files apart. */
#define PROBE_BYTES 4u

void
vmdk_link_free (VmdkLink *self)
{
  if (self == NULL)
    return;
  g_free (self->id);
  g_clear_pointer (&self->extents, g_ptr_array_unref);
  g_clear_pointer (&self->sources, g_ptr_array_unref);
  vmdk_descriptor_free (self->descriptor);
  g_free (self);
}

/* --- opening ----------------------------------------------------------- */

static gboolean
fail_disk (const char *id, const char *what, GError **error)
{
  g_set_error (error, VIX_ERROR, VIX_E_DISK_INVALIDDISK, "%s: %s", id, what);
  return FALSE;
}

/* Reads @bytes at @offset and parses them. */
static gboolean
parse_at (VmdkLink *self, VmdkSource *source, guint64 offset, guint64 bytes,
          GError **error)
{
  g_autofree char *text = g_malloc ((gsize)bytes + 1);

  if (!vmdk_source_read_table (source, offset, text, (gsize)bytes, error))
    return FALSE;
  self->descriptor
    = vmdk_descriptor_parse (text, (gsize)bytes, source->id, error);
  if (self->descriptor == NULL)
    return FALSE;
  self->capacity
    = vmdk_descriptor_get_capacity_sectors (self->descriptor) * VMDK_SECTOR;
  return TRUE;
}

static gboolean
load_embedded (VmdkLink *self, VmdkSource *source, GError **error)
{
  VmdkSparseHeader h;

  if (!vmdk_sparse_header_read (source, &h, error))
    return FALSE;
  if (h.descriptor_offset == 0 || h.descriptor_size == 0)
    return fail_disk (
      source->id, "is one extent of a disk; open its descriptor file", error);
  self->embedded = TRUE;
  self->descriptor_offset = h.descriptor_offset * VMDK_SECTOR;
  self->descriptor_bytes = h.descriptor_size * VMDK_SECTOR;
  if (!parse_at (self, source, self->descriptor_offset, self->descriptor_bytes,
                 error))
    return FALSE;
  if (vmdk_descriptor_get_n_extents (self->descriptor) != 1
      || vmdk_descriptor_get_extent (self->descriptor, 0)->type
           != VMDK_EXTENT_SPARSE)
    return fail_disk (
      source->id, "has a descriptor inside that names other extents", error);
  return TRUE;
}

static gboolean
load_descriptor (VmdkLink *self, VmdkSource *source, GError **error)
{
  guint8 probe[PROBE_BYTES];

  if (source->size < sizeof probe)
    return fail_disk (source->id, "is empty, not a disk", error);
  if (!vmdk_source_read_table (source, 0, probe, sizeof probe, error))
    return FALSE;
  if (vmdk_sparse_header_probe (probe, sizeof probe))
    return load_embedded (self, source, error);
  if (source->size > VMDK_DESCRIPTOR_MAX_BYTES)
    return fail_disk (source->id,
                      "is neither a sparse disk nor a descriptor file", error);
  return parse_at (self, source, 0, source->size, error);
}

static VmdkExtent *
open_extent (const VmdkExtentLine *line, VmdkSource *source, gboolean writable,
             GError **error)
{
  switch (line->type) {
  case VMDK_EXTENT_FLAT:
    return vmdk_extent_open_flat (line, source, error);
  case VMDK_EXTENT_SPARSE:
    return vmdk_extent_open_sparse (line, source, writable, error);
  case VMDK_EXTENT_VMFSSPARSE:
    return vmdk_extent_open_cowd (line, source, error);
  case VMDK_EXTENT_SESPARSE:
    return vmdk_extent_open_sesparse (line, source, error);
  case VMDK_EXTENT_ZERO:
    break;
  }
  return vmdk_extent_open_zero (line);
}

/* The file of an extent line; the descriptor's own one if it is embedded,
 * where the name in the line may be that before a rename. */
static VmdkSource *
open_extent_source (VmdkLink *self, VmdkResolver *resolver,
                    const VmdkExtentLine *line, gboolean writable,
                    GError **error)
{
  VmdkSource *source;

  if (self->embedded)
    return self->sources->pdata[0];
  source = resolver->open (resolver, self->id, line->file, VMDK_ROLE_EXTENT,
                           writable, error);
  if (source != NULL)
    g_ptr_array_add (self->sources, source);
  return source;
}

/* One sparse file cannot be two extents, and directories must fit in memory.
 */
static gboolean
check_extent (VmdkLink *self, const VmdkExtent *extent, GHashTable *seen,
              GError **error)
{
  if (extent->n_tables == 0)
    return TRUE;
  if (!g_hash_table_add (seen, extent->source->id))
    return fail_disk (extent->source->id, "is named by two extents", error);
  if (vmdk_link_get_n_tables (self) > VMDK_LINK_MAX_TABLES)
    return fail_disk (self->id, "has more grain tables than can be handled",
                      error);
  return TRUE;
}

static gboolean
open_extents (VmdkLink *self, VmdkResolver *resolver, gboolean writable,
              GError **error)
{
  g_autoptr (GHashTable) seen = g_hash_table_new (g_str_hash, g_str_equal);
  guint n = vmdk_descriptor_get_n_extents (self->descriptor);
  guint64 start = 0;

  for (guint i = 0; i < n; i++) {
    const VmdkExtentLine *line
      = vmdk_descriptor_get_extent (self->descriptor, i);
    VmdkSource *source = NULL;
    VmdkExtent *extent;

    if (line->type != VMDK_EXTENT_ZERO) {
      source = open_extent_source (self, resolver, line, writable, error);
      if (source == NULL) {
        g_prefix_error (error, "%s: ", self->id);
        return FALSE;
      }
    }
    extent = open_extent (line, source, writable, error);
    if (extent == NULL)
      return FALSE;
    extent->start = start;
    start += extent->length;
    g_ptr_array_add (self->extents, extent);
    if (!check_extent (self, extent, seen, error))
      return FALSE;
  }
  return TRUE;
}

static void
free_source (gpointer data)
{
  vmdk_source_free (data);
}

static void
free_extent (gpointer data)
{
  vmdk_extent_free (data);
}

/* Opens everything; extents and embedded descriptors writable if so asked. */
static VmdkLink *
open_all (VmdkResolver *resolver, const char *relative_to, const char *name,
          VmdkRole role, gboolean writable, GError **error)
{
  g_autoptr (VmdkLink) self = g_new0 (VmdkLink, 1);
  VmdkSource *source
    = resolver->open (resolver, relative_to, name, role, FALSE, error);

  if (source == NULL)
    return NULL;
  self->sources = g_ptr_array_new_with_free_func (free_source);
  self->extents = g_ptr_array_new_with_free_func (free_extent);
  g_ptr_array_add (self->sources, source);
  self->id = g_strdup (source->id);
  self->writable = writable;
  if (!load_descriptor (self, source, error))
    return NULL;
  if (writable && self->embedded) {
    /* The same file once more; what it says is read anew with it. */
    source = resolver->open (resolver, relative_to, name, role, TRUE, error);
    if (source == NULL)
      return NULL;
    g_ptr_array_set_size (self->sources, 0);
    g_ptr_array_add (self->sources, source);
    g_clear_pointer (&self->descriptor, vmdk_descriptor_free);
    if (!load_descriptor (self, source, error))
      return NULL;
  }
  if (!open_extents (self, resolver, writable, error))
    return NULL;
  return g_steal_pointer (&self);
}

VmdkLink *
vmdk_link_open (VmdkResolver *resolver, const char *relative_to,
                const char *name, VmdkRole role, gboolean writable,
                GError **error)
{
  g_autoptr (VmdkLink) self
    = open_all (resolver, relative_to, name, role, FALSE, error);

  if (self == NULL || !writable)
    return g_steal_pointer (&self);
  /* Known to be writable before any file is opened for writing. */
  if (!vmdk_link_can_write (self)) {
    g_set_error (error, VIX_ERROR, VIX_E_DISK_NOTSUPPORTED,
                 "%s: a disk of type \"%s\" cannot be written", self->id,
                 vmdk_link_get_create_type (self));
    return NULL;
  }
  g_clear_pointer (&self, vmdk_link_free);
  return open_all (resolver, relative_to, name, role, TRUE, error);
}

/* --- what it says ------------------------------------------------------ */

const char *
vmdk_link_get_id (const VmdkLink *self)
{
  return self->id;
}

guint32
vmdk_link_get_cid (const VmdkLink *self)
{
  return vmdk_descriptor_get_cid (self->descriptor);
}

guint32
vmdk_link_get_parent_cid (const VmdkLink *self)
{
  return vmdk_descriptor_get_parent_cid (self->descriptor);
}

const char *
vmdk_link_get_parent_hint (const VmdkLink *self)
{
  return vmdk_descriptor_get_parent_hint (self->descriptor);
}

guint64
vmdk_link_get_capacity (const VmdkLink *self)
{
  return self->capacity;
}

const char *
vmdk_link_get_create_type (const VmdkLink *self)
{
  return vmdk_descriptor_get_create_type (self->descriptor);
}

gboolean
vmdk_link_is_embedded (const VmdkLink *self)
{
  return self->embedded;
}

gboolean
vmdk_link_can_write (const VmdkLink *self)
{
  for (guint i = 0; i < self->extents->len; i++)
    if (!((const VmdkExtent *)self->extents->pdata[i])->can_write)
      return FALSE;
  return TRUE;
}

GPtrArray *
vmdk_link_list_files (const VmdkLink *self)
{
  GPtrArray *files = g_ptr_array_new ();
  g_autoptr (GHashTable) seen = g_hash_table_new (g_str_hash, g_str_equal);

  for (guint i = 0; i < self->sources->len; i++) {
    VmdkSource *source = self->sources->pdata[i];

    /* Two extents may lie in one file. */
    if (g_hash_table_add (seen, source->id))
      g_ptr_array_add (files, source->id);
  }
  return files;
}

guint64
vmdk_link_get_n_tables (const VmdkLink *self)
{
  guint64 n = 0;

  for (guint i = 0; i < self->extents->len; i++)
    n += ((const VmdkExtent *)self->extents->pdata[i])->n_tables;
  return n;
}

/* --- content ----------------------------------------------------------- */

VmdkExtent *
vmdk_link_get_extent_at (const VmdkLink *self, guint64 offset)
{
  guint low = 0;
  guint high = self->extents->len - 1;

  while (low < high) {
    guint mid = (low + high + 1) / 2;

    if (((const VmdkExtent *)self->extents->pdata[mid])->start <= offset)
      low = mid;
    else
      high = mid - 1;
  }
  return self->extents->pdata[low];
}

gboolean
vmdk_link_check_range (const VmdkLink *self, guint64 offset, guint64 len,
                       GError **error)
{
  if (offset <= self->capacity && len <= self->capacity - offset)
    return TRUE;
  g_set_error (error, VIX_ERROR, VIX_E_INVALID_ARG,
               "%s: %" G_GUINT64_FORMAT " bytes at %" G_GUINT64_FORMAT
               " are not inside the disk",
               self->id, len, offset);
  return FALSE;
}

gboolean
vmdk_link_map (VmdkLink *self, guint64 offset, guint64 len,
               VmdkState *ret_state, guint64 *ret_len, GError **error)
{
  VmdkExtent *extent;

  len = MIN (len, self->capacity - MIN (offset, self->capacity));
  if (!vmdk_link_check_range (self, offset, MAX (len, 1), error))
    return FALSE;
  extent = vmdk_link_get_extent_at (self, offset);
  offset -= extent->start;
  return extent->ops->map (extent, offset, MIN (len, extent->length - offset),
                           ret_state, ret_len, error);
}

gboolean
vmdk_link_is_blank (VmdkLink *self, gboolean *ret_blank, GError **error)
{
  VmdkState state = VMDK_UNALLOCATED;
  guint64 offset = 0;

  while (offset < self->capacity && state == VMDK_UNALLOCATED) {
    guint64 n;

    if (!vmdk_link_map (self, offset, self->capacity - offset, &state, &n,
                        error))
      return FALSE;
    offset += n;
  }
  *ret_blank = state == VMDK_UNALLOCATED;
  return TRUE;
}

gboolean
vmdk_link_read (VmdkLink *self, guint64 offset, void *buf, gsize len,
                GError **error)
{
  guint8 *out = buf;

  if (!vmdk_link_check_range (self, offset, len, error))
    return FALSE;
  while (len > 0) {
    VmdkExtent *extent = vmdk_link_get_extent_at (self, offset);
    guint64 within = offset - extent->start;
    gsize n = (gsize)MIN (len, extent->length - within);

    if (!extent->ops->read (extent, within, out, n, error))
      return FALSE;
    out += n;
    offset += n;
    len -= n;
  }
  return TRUE;
}

/* --- identity, repair, sync -------------------------------------------- */

gboolean
vmdk_link_plan_identity (VmdkLink *self, const VmdkIdentity *identity,
                         guint64 *ret_offset, GBytes **ret_bytes,
                         GError **error)
{
  g_autofree char *text
    = vmdk_descriptor_with_identity (self->descriptor, identity, error);
  gsize len;
  char *area;

  if (text == NULL) {
    g_prefix_error (error, "%s: ", self->id);
    return FALSE;
  }
  len = strlen (text);
  if (!self->embedded) {
    *ret_offset = 0;
    *ret_bytes = g_bytes_new_take (g_steal_pointer (&text), len);
    return TRUE;
  }
  if (len > self->descriptor_bytes) {
    g_set_error (error, VIX_ERROR, VIX_E_INVALID_ARG,
                 "%s: its descriptor has no room for so long a file name as "
                 "\"%s\"",
                 self->id, identity->parent_hint);
    return FALSE;
  }
  area = g_malloc0 ((gsize)self->descriptor_bytes);
  memcpy (area, text, len);
  *ret_offset = self->descriptor_offset;
  *ret_bytes = g_bytes_new_take (area, (gsize)self->descriptor_bytes);
  return TRUE;
}

gboolean
vmdk_link_repair_tables (VmdkLink *self, GError **error)
{
  if (!self->writable) {
    g_set_error (error, VIX_ERROR, VIX_E_FILE_READ_ONLY,
                 "%s: not opened for writing", self->id);
    return FALSE;
  }
  for (guint i = 0; i < self->extents->len; i++) {
    VmdkExtent *extent = self->extents->pdata[i];

    if (!extent->ops->repair (extent, error))
      return FALSE;
  }
  return TRUE;
}

gboolean
vmdk_link_sync (VmdkLink *self, GError **error)
{
  if (!self->writable)
    return TRUE;
  for (guint i = 0; i < self->extents->len; i++) {
    VmdkExtent *extent = self->extents->pdata[i];

    if (!extent->ops->flush (extent, error))
      return FALSE;
  }
  return TRUE;
}
