/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Writing to a hosted sparse extent.
 *
 * New grains go to the end of the file, one after the other; where they lie
 * is kept in memory, in the tables that are "dirty". A flush makes the data
 * durable, then writes the tables of the first directory in runs, then those
 * of the second. Whoever kills us in between leaves tables in which each entry
 * is the old or the new one, and both are right: the old says "not here",
 * which by the contract of the merge reads the same. What has been written
 * behind the last referenced grain is then lost space, which a repair cuts
 * off. The unclean mark is set in the file from before the first table is
 * written until all are.
 */
#include <string.h>

#include "base/error.h"
#include "disk/sparse-private.h"

/* Data between two flushes: long enough that their syncs cost nothing beside
 * it, short enough that a kill does not lose much work. */
#define BATCH_BYTES (G_GUINT64_CONSTANT (128) << 20)
/* Tables held between two flushes: 4 MiB. */
#define BATCH_TABLES 1024u
/* Tables written by one call. */
#define RUN_BYTES (1u << 20)

static guint64
round_up (guint64 n, guint64 unit)
{
  return (n + unit - 1) / unit * unit;
}

gboolean
vmdk_sparse_open_writable (VmdkSparse *self, GError **error)
{
  VmdkSource *source = self->grains.base.source;
  const VmdkSparseHeader *h = &self->header;

  if ((h->flags & VMDK_SPARSE_REDUNDANT) != 0) {
    g_autofree guint32 *redundant = g_new (guint32, h->n_tables);

    if (!vmdk_sparse_read_directory (self, h->rgd, redundant, error))
      return FALSE;
    for (guint64 i = 0; i < h->n_tables; i++)
      if (redundant[i] != VMDK_NO_TABLE
          && !vmdk_sparse_is_table_inside (self, redundant[i]))
        self->damaged = TRUE;
    self->redundant = g_steal_pointer (&redundant);
  }
  self->grains.dirty = g_hash_table_new_full (
    g_int64_hash, g_int64_equal, g_free, (GDestroyNotify)vmdk_block_unref);
  self->next_sector = round_up (
    MAX (round_up (source->size, VMDK_SECTOR) / VMDK_SECTOR, h->overhead),
    h->grain);
  self->marked = h->unclean;
  self->want_table = -1;
  return TRUE;
}

/* --- small writes ------------------------------------------------------ */

gboolean
vmdk_sparse_set_mark (VmdkSparse *self, gboolean unclean, GError **error)
{
  VmdkSource *source = self->grains.base.source;
  guint8 mark = unclean ? 1 : 0;

  if (self->marked == unclean)
    return TRUE;
  if (!source->ops->pwrite (source, VMDK_SPARSE_UNCLEAN_OFFSET, &mark, 1,
                            error))
    return FALSE;
  self->marked = unclean;
  return TRUE;
}

/* Lets the file reach to where the next grain goes, so that all grains lie
 * inside it. A write and not a truncate, which would give back what is
 * reserved further on. */
static gboolean
extend_file (VmdkSparse *self, GError **error)
{
  static const guint8 zeros[VMDK_SECTOR];
  VmdkSource *source = self->grains.base.source;
  guint64 end = self->next_sector * VMDK_SECTOR;

  if (source->size >= end)
    return TRUE;
  return source->ops->pwrite (source, end - sizeof zeros, zeros, sizeof zeros,
                              error);
}

static gboolean
write_directory (VmdkSparse *self, guint64 sector, const guint32 *directory,
                 GError **error)
{
  VmdkSource *source = self->grains.base.source;
  gsize n = (gsize)self->header.n_tables;
  g_autofree guint32 *raw = g_new (guint32, n);

  for (gsize i = 0; i < n; i++)
    raw[i] = GUINT32_TO_LE (directory[i]);
  return source->ops->pwrite (source, sector * VMDK_SECTOR, raw,
                              n * sizeof *raw, error);
}

static guint64
count_missing (const VmdkSparse *self, const guint32 *directory)
{
  guint64 n = 0;

  for (guint64 i = 0; directory != NULL && i < self->header.n_tables; i++)
    n += directory[i] == VMDK_NO_TABLE;
  return n;
}

static void
place_missing (VmdkSparse *self, guint32 *directory)
{
  for (guint64 i = 0; i < self->header.n_tables; i++)
    if (directory[i] == VMDK_NO_TABLE) {
      directory[i] = (guint32)self->next_sector;
      self->next_sector += self->header.table_sectors;
    }
}

static gboolean
fail_too_big (const VmdkSparse *self, GError **error)
{
  g_set_error (error, VIX_ERROR, VIX_E_FILE_TOO_BIG,
               "%s: a sparse extent cannot grow beyond 2 TiB",
               self->grains.base.source->id);
  return FALSE;
}

gboolean
vmdk_sparse_fill_directories (VmdkSparse *self, GError **error)
{
  VmdkSource *source = self->grains.base.source;
  guint32 *first = self->grains.directory;
  guint64 n_first = count_missing (self, first);
  guint64 n_second = count_missing (self, self->redundant);

  if (n_first + n_second == 0)
    return TRUE;
  if (self->next_sector + (n_first + n_second) * self->header.table_sectors
      > G_MAXUINT32)
    return fail_too_big (self, error);
  place_missing (self, first);
  if (self->redundant != NULL)
    place_missing (self, self->redundant);
  self->next_sector = round_up (self->next_sector, self->header.grain);
  /* New tables are zeros before a directory knows them, and the second
   * directory knows none that the first does not. */
  if (!extend_file (self, error) || !source->ops->sync (source, error))
    return FALSE;
  if (n_first > 0
      && (!write_directory (self, self->header.gd, first, error)
          || !source->ops->sync (source, error)))
    return FALSE;
  return n_second == 0 || self->redundant == NULL
         || write_directory (self, self->header.rgd, self->redundant, error);
}

/* --- flushing tables --------------------------------------------------- */

static void
encode_table (const VmdkSparse *self, const VmdkBlock *table, guint8 *out)
{
  for (guint32 i = 0; i < self->grains.per_table; i++) {
    guint32 raw = GUINT32_TO_LE ((guint32)table->data[i]);

    memcpy (out + i * sizeof raw, &raw, sizeof raw);
  }
}

static int
compare_keys (gconstpointer a, gconstpointer b)
{
  gint64 x = **(gint64 *const *)a;
  gint64 y = **(gint64 *const *)b;

  return x < y ? -1 : x > y;
}

/* The numbers of all dirty tables, ascending; borrowed pointers. */
static GPtrArray *
list_dirty (VmdkSparse *self)
{
  GPtrArray *keys = g_ptr_array_new ();
  GHashTableIter iter;
  gpointer key;

  g_hash_table_iter_init (&iter, self->grains.dirty);
  while (g_hash_table_iter_next (&iter, &key, NULL))
    g_ptr_array_add (keys, key);
  g_ptr_array_sort (keys, compare_keys);
  return keys;
}

/* Writes the dirty tables to where @directory has them; neighbours in the
 * file by one call. */
static gboolean
write_tables (VmdkSparse *self, const GPtrArray *keys, const guint32 *directory,
              GError **error)
{
  VmdkSource *source = self->grains.base.source;
  gsize bytes = self->grains.per_table * sizeof (guint32);
  gsize stride = (gsize)self->header.table_sectors * VMDK_SECTOR;
  guint max_run = MIN ((guint)(RUN_BYTES / stride), MAX (keys->len, 1));
  g_autofree guint8 *run = g_malloc0 (max_run * stride);

  for (guint i = 0; i < keys->len;) {
    guint64 first = directory[*(gint64 *)keys->pdata[i]];
    guint n = 0;

    while (i < keys->len && n < max_run
           && directory[*(gint64 *)keys->pdata[i]]
                == first + n * self->header.table_sectors) {
      encode_table (self,
                    g_hash_table_lookup (self->grains.dirty, keys->pdata[i]),
                    run + n * stride);
      n++;
      i++;
    }
    if (!source->ops->pwrite (source, first * VMDK_SECTOR, run,
                              (n - 1) * stride + bytes, error))
      return FALSE;
  }
  return TRUE;
}

static void
move_dirty_to_cache (VmdkSparse *self, const GPtrArray *keys)
{
  for (guint i = 0; i < keys->len; i++)
    vmdk_block_cache_put (
      self->grains.cache, (guint64) * (gint64 *)keys->pdata[i],
      g_hash_table_lookup (self->grains.dirty, keys->pdata[i]));
}

static gboolean
flush_tables (VmdkSparse *self, GError **error)
{
  VmdkSource *source = self->grains.base.source;
  g_autoptr (GPtrArray) keys = list_dirty (self);

  self->batch_bytes = 0;
  if (keys->len == 0)
    return TRUE;
  if (!extend_file (self, error) || !vmdk_sparse_set_mark (self, TRUE, error)
      || !source->ops->sync (source, error))
    return FALSE;
  if (!write_tables (self, keys, self->grains.directory, error))
    return FALSE;
  if (self->redundant != NULL
      && !write_tables (self, keys, self->redundant, error))
    return FALSE;
  move_dirty_to_cache (self, keys);
  g_hash_table_remove_all (self->grains.dirty);
  return TRUE;
}

gboolean
vmdk_sparse_flush (VmdkExtent *extent, GError **error)
{
  VmdkSparse *self = (VmdkSparse *)extent;
  VmdkSource *source = extent->source;

  if (!flush_tables (self, error) || !source->ops->sync (source, error))
    return FALSE;
  if (!self->marked || self->header.unclean)
    return TRUE;
  return vmdk_sparse_set_mark (self, FALSE, error)
         && source->ops->sync (source, error);
}

/* --- writing grains ---------------------------------------------------- */

/* Table @index to be changed; borrowed. */
static VmdkBlock *
get_dirty (VmdkSparse *self, guint64 index, GError **error)
{
  gsize bytes = self->grains.per_table * sizeof (guint64);
  gint64 key = (gint64)index;
  VmdkBlock *dirty = g_hash_table_lookup (self->grains.dirty, &key);
  g_autoptr (VmdkBlock) table = NULL;

  if (dirty != NULL)
    return dirty;
  table = vmdk_grains_get_table (&self->grains, index, error);
  if (table == NULL)
    return NULL;
  vmdk_grains_forget_empty (&self->grains, index);
  dirty = vmdk_block_new (bytes);
  memcpy (dirty->data, table->data, bytes);
  g_hash_table_insert (self->grains.dirty, g_memdup2 (&key, sizeof key), dirty);
  return dirty;
}

/* Gives @n_grains grains from @grain on, all of one table, the places from
 * next_sector on, or makes them zero grains. */
static gboolean
set_entries (VmdkSparse *self, guint64 grain, guint64 n_grains, gboolean zero,
             GError **error)
{
  guint32 per_table = self->grains.per_table;
  VmdkBlock *table = get_dirty (self, grain / per_table, error);

  if (table == NULL)
    return FALSE;
  for (guint64 i = 0; i < n_grains; i++) {
    guint64 *entry = &table->data[grain % per_table + i];

    if (zero)
      *entry = VMDK_GRAIN_ZERO;
    else {
      *entry = self->next_sector;
      self->next_sector += self->header.grain;
    }
  }
  return TRUE;
}

static gboolean
begin_write (VmdkSparse *self, GError **error)
{
  /* In use from now on: must not be given back any more. */
  g_clear_pointer (&self->reservation, vmdk_reservation_free);
  self->reserved_bytes = 0;
  if (g_atomic_int_get (&self->damaged)) {
    g_set_error (error, VIX_ERROR, VIX_E_DISK_NEEDSREPAIR,
                 "%s: grain directories or tables are damaged",
                 self->grains.base.source->id);
    return FALSE;
  }
  return vmdk_sparse_fill_directories (self, error);
}

static gboolean
end_write (VmdkSparse *self, GError **error)
{
  if (self->batch_bytes < BATCH_BYTES
      && g_hash_table_size (self->grains.dirty) < BATCH_TABLES)
    return TRUE;
  return flush_tables (self, error);
}

/* Room for @n more grains? */
static gboolean
check_room (const VmdkSparse *self, guint64 n, GError **error)
{
  if (self->next_sector + n * self->header.grain > G_MAXUINT32)
    return fail_too_big (self, error);
  return TRUE;
}

static gboolean
append_grains (VmdkSparse *self, guint64 offset, const void *buf, guint64 bytes,
               GError **error)
{
  VmdkExtent *base = &self->grains.base;
  VmdkSource *source = base->source;
  guint64 n = (bytes + base->grain - 1) / base->grain;

  g_assert (offset % base->grain == 0);
  g_assert (bytes % base->grain == 0 || offset + bytes == base->length);
  if (!check_room (self, n, error))
    return FALSE;
  if (buf != NULL
      && !source->ops->pwrite (source, self->next_sector * VMDK_SECTOR, buf,
                               (gsize)bytes, error))
    return FALSE;
  self->batch_bytes += buf != NULL ? bytes : 0;
  return set_entries (self, offset / base->grain, n, FALSE, error);
}

gboolean
vmdk_sparse_write (VmdkExtent *extent, guint64 offset, const void *buf,
                   gsize len, GError **error)
{
  VmdkSparse *self = (VmdkSparse *)extent;
  VmdkSource *source = extent->source;
  const guint8 *in = buf;

  if (!begin_write (self, error))
    return FALSE;
  while (len > 0) {
    guint64 entry;
    guint64 n;
    gboolean ok;

    if (!vmdk_grains_find_piece (&self->grains, offset, len, &entry, &n, error))
      return FALSE;
    if (entry > VMDK_GRAIN_ZERO)
      ok = source->ops->pwrite (source,
                                entry * VMDK_SECTOR + offset % extent->grain,
                                in, (gsize)n, error);
    else
      ok = append_grains (self, offset, in, n, error);
    if (!ok)
      return FALSE;
    in += n;
    offset += n;
    len -= (gsize)n;
  }
  return end_write (self, error);
}

static gboolean
zero_piece (VmdkSparse *self, guint64 offset, guint64 entry, guint64 n,
            GError **error)
{
  VmdkExtent *base = &self->grains.base;
  VmdkSource *source = base->source;

  if (entry > VMDK_GRAIN_ZERO)
    return source->ops->punch (
      source, entry * VMDK_SECTOR + offset % base->grain, n, error);
  if (entry == VMDK_GRAIN_ZERO)
    return TRUE;
  if (base->compact_zeros)
    return set_entries (self, offset / base->grain,
                        (n + base->grain - 1) / base->grain, TRUE, error);
  /* Grains that are holes of the file. */
  return append_grains (self, offset, NULL, n, error);
}

gboolean
vmdk_sparse_zero (VmdkExtent *extent, guint64 offset, guint64 len,
                  GError **error)
{
  VmdkSparse *self = (VmdkSparse *)extent;

  if (!begin_write (self, error))
    return FALSE;
  while (len > 0) {
    guint64 entry;
    guint64 n;

    if (!vmdk_grains_find_piece (&self->grains, offset, len, &entry, &n, error)
        || !zero_piece (self, offset, entry, n, error)
        || !end_write (self, error))
      return FALSE;
    offset += n;
    len -= n;
  }
  return TRUE;
}

/* --- reserving --------------------------------------------------------- */

/* Space for the two copies of table @index, which may be holes. */
static gboolean
reserve_tables (VmdkSparse *self, guint64 index, GError **error)
{
  guint64 bytes = self->header.table_sectors * VMDK_SECTOR;
  guint32 first = self->grains.directory[index];
  guint32 second = self->redundant != NULL ? self->redundant[index] : 0;

  if ((gint64)index == self->want_table)
    return TRUE;
  self->want_table = (gint64)index;
  if (first != VMDK_NO_TABLE && first != VMDK_BAD_TABLE
      && !vmdk_reservation_add (self->reservation, (guint64)first * VMDK_SECTOR,
                                bytes, error))
    return FALSE;
  return second == VMDK_NO_TABLE
         || vmdk_reservation_add (self->reservation,
                                  (guint64)second * VMDK_SECTOR, bytes, error);
}

static gboolean
reserve_piece (VmdkSparse *self, guint64 offset, guint64 entry, guint64 n,
               gboolean zero, GError **error)
{
  VmdkExtent *base = &self->grains.base;

  if (entry > VMDK_GRAIN_ZERO && zero)
    return TRUE;
  if (entry > VMDK_GRAIN_ZERO)
    return vmdk_reservation_add (
      self->reservation, entry * VMDK_SECTOR + offset % base->grain, n, error);
  if (entry == VMDK_GRAIN_ZERO && zero)
    return TRUE;
  if (!(zero && base->compact_zeros))
    self->want_bytes += round_up (n, base->grain);
  return reserve_tables (self, offset / base->grain / self->grains.per_table,
                         error);
}

gboolean
vmdk_sparse_reserve (VmdkExtent *extent, guint64 offset, guint64 len,
                     gboolean zero, GError **error)
{
  VmdkSparse *self = (VmdkSparse *)extent;

  if (self->reservation == NULL)
    self->reservation = vmdk_reservation_new (extent->source);
  while (len > 0) {
    guint64 entry;
    guint64 n;

    if (!vmdk_grains_find_piece (&self->grains, offset, len, &entry, &n, error)
        || !reserve_piece (self, offset, entry, n, zero, error))
      return FALSE;
    offset += n;
    len -= n;
  }
  return TRUE;
}

gboolean
vmdk_sparse_reserve_end (VmdkExtent *extent, GError **error)
{
  VmdkSparse *self = (VmdkSparse *)extent;
  VmdkSource *source = extent->source;
  guint64 tables = count_missing (self, self->grains.directory)
                   + count_missing (self, self->redundant);
  guint64 bytes = self->want_bytes;

  if (bytes > 0 && self->reserved_bytes == 0)
    bytes += round_up (tables * self->header.table_sectors * VMDK_SECTOR,
                       extent->grain);
  self->want_bytes = 0;
  self->want_table = -1;
  if (bytes == 0)
    return TRUE;
  bytes += self->reserved_bytes;
  if (bytes > VMDK_SPARSE_MAX_FILE_BYTES
      || self->next_sector + bytes / VMDK_SECTOR > G_MAXUINT32)
    return fail_too_big (self, error);
  if (!source->ops->reserve (source, self->next_sector * VMDK_SECTOR, bytes,
                             error))
    return FALSE;
  self->reserved_bytes = bytes;
  return TRUE;
}

gboolean
vmdk_sparse_release (VmdkExtent *extent, GError **error)
{
  VmdkSparse *self = (VmdkSparse *)extent;
  VmdkSource *source = extent->source;
  gboolean ok = self->reservation == NULL
                || vmdk_reservation_undo (self->reservation, error);

  g_clear_pointer (&self->reservation, vmdk_reservation_free);
  self->want_bytes = 0;
  self->want_table = -1;
  self->reserved_bytes = 0;
  return ok && source->ops->truncate (source, source->size, error);
}
