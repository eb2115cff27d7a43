/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Hosted sparse extents: opening, and loading of grain tables.
 *
 * The file has two complete sets of directory and tables. The first is read;
 * an entry of it that cannot be right is looked up in the second.
 */
#include <string.h>

#include "base/error.h"
#include "disk/sparse-private.h"

const VmdkExtentOps vmdk_sparse_ops = {
  .name = "SPARSE",
  .map = vmdk_grains_map,
  .read = vmdk_grains_read,
  .locate = vmdk_grains_locate,
  .place_tables = vmdk_grains_place_tables,
  .check = vmdk_sparse_check,
  .reserve = vmdk_sparse_reserve,
  .reserve_end = vmdk_sparse_reserve_end,
  .release = vmdk_sparse_release,
  .write = vmdk_sparse_write,
  .zero = vmdk_sparse_zero,
  .flush = vmdk_sparse_flush,
  .repair = vmdk_sparse_repair,
  .free = vmdk_sparse_free,
};

gboolean
vmdk_sparse_is_table_inside (const VmdkSparse *self, guint32 sector)
{
  const VmdkSparseHeader *h = &self->header;
  guint64 sectors = self->grains.base.source->size / VMDK_SECTOR;
  guint64 first = 1;

  if (h->descriptor_offset != 0)
    first = MAX (first, h->descriptor_offset + h->descriptor_size);
  return sector >= first && sector <= sectors
         && h->table_sectors <= sectors - sector;
}

/* @n little-endian entries at @sector, in place. */
static gboolean
read_entries (VmdkSource *source, guint64 sector, guint32 *out, gsize n,
              GError **error)
{
  if (!vmdk_source_read_table (source, sector * VMDK_SECTOR, out,
                               n * sizeof (guint32), error))
    return FALSE;
  for (gsize i = 0; i < n; i++)
    out[i] = GUINT32_FROM_LE (out[i]);
  return TRUE;
}

gboolean
vmdk_sparse_read_directory (VmdkSparse *self, guint64 sector, guint32 *out,
                            GError **error)
{
  return read_entries (self->grains.base.source, sector, out,
                       (gsize)self->header.n_tables, error);
}

guint64
vmdk_sparse_decode_entry (const VmdkSparse *self, guint64 grain, guint32 raw)
{
  if (raw == 0)
    return VMDK_GRAIN_NONE;
  if (raw == 1 && (self->header.flags & VMDK_SPARSE_ZERO_GRAINS) != 0)
    return VMDK_GRAIN_ZERO;
  if (!vmdk_grains_is_inside (&self->grains, grain, raw, self->header.overhead))
    return VMDK_GRAIN_BAD;
  return raw;
}

/* The first sector of a compressed grain: it has its own length. */
static guint64
decode_compressed_entry (const VmdkSparse *self, guint32 raw)
{
  guint64 sectors = self->grains.base.source->size / VMDK_SECTOR;

  if (raw == 0)
    return VMDK_GRAIN_NONE;
  if (raw == 1 && (self->header.flags & VMDK_SPARSE_ZERO_GRAINS) != 0)
    return VMDK_GRAIN_ZERO;
  return raw >= MAX (self->header.overhead, 2) && raw < sectors
           ? raw
           : VMDK_GRAIN_BAD;
}

/* Decodes table @index, found at @sector; returns the number of bad entries,
 * or -1 on a read error. Entries that are not bad already are left alone if
 * @only_bad. */
static gint64
decode_table (VmdkSparse *self, guint64 index, guint32 sector,
              gboolean only_bad, guint64 *entries, GError **error)
{
  guint32 per_table = self->grains.per_table;
  g_autofree guint32 *raw = g_new (guint32, per_table);
  gboolean compressed = self->inflated != NULL;
  gint64 n_bad = 0;

  if (!read_entries (self->grains.base.source, sector, raw, per_table, error))
    return -1;
  for (guint32 i = 0; i < per_table; i++) {
    if (only_bad && entries[i] != VMDK_GRAIN_BAD)
      continue;
    entries[i]
      = compressed
          ? decode_compressed_entry (self, raw[i])
          : vmdk_sparse_decode_entry (self, index * per_table + i, raw[i]);
    n_bad += entries[i] == VMDK_GRAIN_BAD;
  }
  return n_bad;
}

/* Entry @index of the second directory, or VMDK_NO_TABLE if it is no help. */
static guint32
lookup_redundant (VmdkSparse *self, guint64 index)
{
  guint32 sector;

  if ((self->header.flags & VMDK_SPARSE_REDUNDANT) == 0)
    return VMDK_NO_TABLE;
  if (self->redundant != NULL)
    sector = self->redundant[index];
  else {
    VmdkSource *source = self->grains.base.source;
    guint64 at = self->header.rgd * VMDK_SECTOR + index * sizeof sector;

    if (!vmdk_source_read_table (source, at, &sector, sizeof sector, NULL))
      return VMDK_NO_TABLE;
    sector = GUINT32_FROM_LE (sector);
  }
  return vmdk_sparse_is_table_inside (self, sector) ? sector : VMDK_NO_TABLE;
}

gboolean
vmdk_sparse_load_table (VmdkGrains *grains, guint64 index, guint64 *entries,
                        GError **error)
{
  VmdkSparse *self = (VmdkSparse *)grains;
  gint64 n_bad = decode_table (self, index, grains->directory[index], FALSE,
                               entries, error);
  guint32 other;

  if (n_bad < 0)
    return FALSE;
  if (n_bad == 0)
    return TRUE;
  g_atomic_int_set (&self->damaged, TRUE);
  other = lookup_redundant (self, index);
  if (other != VMDK_NO_TABLE)
    return decode_table (self, index, other, TRUE, entries, error) >= 0;
  return TRUE;
}

guint64
vmdk_sparse_count_empty (VmdkGrains *grains, guint64 index)
{
  const VmdkSparse *self = (const VmdkSparse *)grains;
  VmdkSource *source = grains->base.source;
  const guint32 *directory = grains->directory;
  guint64 step = self->header.table_sectors;
  guint64 first = directory[index];
  guint64 data;
  guint64 n = 0;

  if (source->ops->seek == NULL
      || !source->ops->seek (source, first * VMDK_SECTOR, FALSE, &data, NULL))
    return 0;
  while (index + n < self->header.n_tables
         && directory[index + n] == first + n * step
         && (first + (n + 1) * step) * VMDK_SECTOR <= data)
    n++;
  return n;
}

/* Entries that cannot be right are taken from the second directory. */
static gboolean
load_directory (VmdkSparse *self, GError **error)
{
  guint32 *directory = self->grains.directory;

  if (!vmdk_sparse_read_directory (self, self->header.gd, directory, error))
    return FALSE;
  for (guint64 i = 0; i < self->header.n_tables; i++) {
    guint32 other;

    if (directory[i] == VMDK_NO_TABLE
        || vmdk_sparse_is_table_inside (self, directory[i]))
      continue;
    self->damaged = TRUE;
    other = lookup_redundant (self, i);
    directory[i] = other != VMDK_NO_TABLE ? other : VMDK_BAD_TABLE;
  }
  return TRUE;
}

void
vmdk_sparse_free (VmdkExtent *extent)
{
  VmdkSparse *self = (VmdkSparse *)extent;

  vmdk_grains_clear (&self->grains);
  vmdk_block_cache_free (self->inflated);
  g_free (self->redundant);
  vmdk_reservation_free (self->reservation);
  g_free (self);
}

/* An inflated grain is worth a read and an inflation: 4 MiB of them. */
#define INFLATED_CACHE_BYTES (4u << 20)

static VmdkSparse *
new_sparse (const VmdkExtentLine *line, VmdkSource *source,
            const VmdkSparseHeader *header)
{
  VmdkSparse *self = g_new0 (VmdkSparse, 1);
  VmdkExtent *base = &self->grains.base;
  gboolean compressed = (header->flags & VMDK_SPARSE_COMPRESSED) != 0;

  self->header = *header;
  self->grains.per_table = header->per_table;
  self->grains.table_bytes = (gsize)(header->table_sectors * VMDK_SECTOR);
  self->grains.load_table = vmdk_sparse_load_table;
  self->grains.count_empty = vmdk_sparse_count_empty;
  base->ops = compressed ? &vmdk_stream_ops : &vmdk_sparse_ops;
  base->source = source;
  base->length = header->capacity * VMDK_SECTOR;
  base->grain = header->grain * VMDK_SECTOR;
  base->n_tables = header->n_tables;
  base->compact_zeros = (header->flags & VMDK_SPARSE_ZERO_GRAINS) != 0;
  base->can_write = !compressed && header->version <= 2
                    && header->grain <= VMDK_MAX_WRITABLE_GRAIN_SECTORS
                    && line->access == VMDK_ACCESS_RW;
  base->room = VMDK_SPARSE_MAX_FILE_BYTES
               - MIN (source->size, VMDK_SPARSE_MAX_FILE_BYTES);
  if (compressed)
    self->inflated = vmdk_block_cache_new (
      (gsize)base->grain, base->length / base->grain + 1, INFLATED_CACHE_BYTES);
  vmdk_grains_init (&self->grains);
  return self;
}

VmdkExtent *
vmdk_extent_open_sparse (const VmdkExtentLine *line, VmdkSource *source,
                         gboolean writable, GError **error)
{
  VmdkSparseHeader header;
  g_autoptr (VmdkExtent) owner = NULL;
  VmdkSparse *self;

  if (!vmdk_sparse_header_read (source, &header, error))
    return NULL;
  if (header.capacity != line->sectors) {
    g_set_error (error, VIX_ERROR, VIX_E_DISK_CAPACITY_MISMATCH,
                 "%s: holds %" G_GUINT64_FORMAT
                 " sectors, but its descriptor says %" G_GUINT64_FORMAT,
                 source->id, header.capacity, line->sectors);
    return NULL;
  }
  self = new_sparse (line, source, &header);
  owner = &self->grains.base;
  if (!load_directory (self, error))
    return NULL;
  if (writable && owner->can_write && !vmdk_sparse_open_writable (self, error))
    return NULL;
  return g_steal_pointer (&owner);
}
