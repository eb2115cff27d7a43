/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "disk/grains.h"

#include <string.h>

#include "base/error.h"

/* A run ends after so many tables: 8 GiB of a hosted format. Keeps one call
 * short on a huge empty disk. */
#define MAP_MAX_TABLES 256u
/* Of known_empty. */
#define WORD_BITS 32u

guint64
vmdk_grains_count_tables (guint64 sectors, guint64 grain_sectors,
                          guint64 per_table)
{
  guint64 span = grain_sectors * per_table;
  guint64 n = sectors / span + (sectors % span != 0);

  return n <= VMDK_MAX_TABLES ? n : 0;
}

void
vmdk_grains_init (VmdkGrains *self)
{
  gsize bytes = self->per_table * sizeof (guint64);

  self->directory = g_new0 (guint32, self->base.n_tables);
  self->empty = vmdk_block_new (bytes);
  self->known_empty = g_new0 (guint, self->base.n_tables / WORD_BITS + 1);
  self->cache = vmdk_block_cache_new (bytes, self->base.n_tables,
                                      self->base.ops->locate != NULL
                                        ? VMDK_TABLES_KEPT * bytes
                                        : VMDK_TABLE_CACHE_BYTES);
}

void
vmdk_grains_clear (VmdkGrains *self)
{
  g_clear_pointer (&self->directory, g_free);
  g_clear_pointer (&self->empty, vmdk_block_unref);
  g_clear_pointer (&self->known_empty, g_free);
  g_clear_pointer (&self->cache, vmdk_block_cache_free);
  g_clear_pointer (&self->dirty, g_hash_table_unref);
}

static gboolean
is_empty (const VmdkGrains *self, const VmdkBlock *table)
{
  return memcmp (table->data, self->empty->data,
                 self->per_table * sizeof (guint64))
         == 0;
}

static gboolean
is_known_empty (const VmdkGrains *self, guint64 index)
{
  guint word = (guint)g_atomic_int_get (
    (const gint *)&self->known_empty[index / WORD_BITS]);

  return (word >> (index % WORD_BITS) & 1) != 0;
}

static void
remember_empty (VmdkGrains *self, guint64 index, guint64 n)
{
  for (guint64 i = index; i < index + n; i++)
    g_atomic_int_or (&self->known_empty[i / WORD_BITS], 1u << (i % WORD_BITS));
}

void
vmdk_grains_forget_empty (VmdkGrains *self, guint64 index)
{
  g_atomic_int_and (&self->known_empty[index / WORD_BITS],
                    ~(1u << (index % WORD_BITS)));
}

static VmdkBlock *
load_table (VmdkGrains *self, guint64 index, GError **error)
{
  g_autoptr (VmdkBlock) table = NULL;
  guint64 n_empty = 0;

  if (self->directory[index] == VMDK_BAD_TABLE) {
    g_set_error (error, VIX_ERROR, VIX_E_DISK_INVALIDDISK,
                 "%s: entry %" G_GUINT64_FORMAT
                 " of the grain directory points outside the file",
                 self->base.source->id, index);
    return NULL;
  }
  if (self->count_empty != NULL)
    n_empty = self->count_empty (self, index);
  if (n_empty == 0) {
    table = vmdk_block_new (self->per_table * sizeof (guint64));
    if (!self->load_table (self, index, table->data, error))
      return NULL;
    n_empty = is_empty (self, table) ? 1 : 0;
  }
  if (n_empty == 0)
    return g_steal_pointer (&table);
  remember_empty (self, index, n_empty);
  return vmdk_block_ref (self->empty);
}

VmdkBlock *
vmdk_grains_get_table (VmdkGrains *self, guint64 index, GError **error)
{
  gint64 key = (gint64)index;
  VmdkBlock *table = NULL;

  if (self->dirty != NULL)
    table = g_hash_table_lookup (self->dirty, &key);
  if (table != NULL)
    return vmdk_block_ref (table);
  if (self->directory[index] == VMDK_NO_TABLE || is_known_empty (self, index))
    return vmdk_block_ref (self->empty);
  table = vmdk_block_cache_get (self->cache, index);
  if (table != NULL)
    return table;
  table = load_table (self, index, error);
  if (table != NULL && table != self->empty)
    vmdk_block_cache_put (self->cache, index, table);
  return table;
}

static gboolean
fail_bad_grain (const VmdkGrains *self, guint64 grain, GError **error)
{
  g_set_error (error, VIX_ERROR, VIX_E_DISK_INVALIDDISK,
               "%s: the table entry of grain %" G_GUINT64_FORMAT
               " is not valid; the disk is damaged there",
               self->base.source->id, grain);
  return FALSE;
}

gboolean
vmdk_grains_lookup (VmdkGrains *self, guint64 offset, guint64 *ret_entry,
                    GError **error)
{
  guint64 grain = offset / self->base.grain;
  g_autoptr (VmdkBlock) table
    = vmdk_grains_get_table (self, grain / self->per_table, error);
  guint64 entry;

  if (table == NULL)
    return FALSE;
  entry = table->data[grain % self->per_table];
  if (entry == VMDK_GRAIN_BAD)
    return fail_bad_grain (self, grain, error);
  *ret_entry = entry;
  return TRUE;
}

/* Entries of @table from @first on that are in one state. */
static guint32
count_same (const VmdkGrains *self, const VmdkBlock *table, guint32 first)
{
  guint64 kind = MIN (table->data[first], 2);
  gboolean bad = table->data[first] == VMDK_GRAIN_BAD;
  guint32 i = first + 1;

  if (table == self->empty)
    return self->per_table - first;
  while (i < self->per_table && MIN (table->data[i], 2) == kind
         && (table->data[i] == VMDK_GRAIN_BAD) == bad)
    i++;
  return i - first;
}

static VmdkState
state_of (guint64 entry)
{
  if (entry == VMDK_GRAIN_NONE)
    return VMDK_UNALLOCATED;
  return entry == VMDK_GRAIN_ZERO ? VMDK_ZERO : VMDK_DATA;
}

/* The run of one state from @grain on, inside one table. */
static gboolean
map_in_table (VmdkGrains *self, guint64 grain, VmdkState *ret_state,
              guint32 *ret_n, GError **error)
{
  guint32 first = (guint32)(grain % self->per_table);
  g_autoptr (VmdkBlock) table
    = vmdk_grains_get_table (self, grain / self->per_table, error);

  if (table == NULL)
    return FALSE;
  if (table->data[first] == VMDK_GRAIN_BAD)
    return fail_bad_grain (self, grain, error);
  *ret_state = state_of (table->data[first]);
  *ret_n = count_same (self, table, first);
  return TRUE;
}

gboolean
vmdk_grains_map (VmdkExtent *extent, guint64 offset, guint64 len,
                 VmdkState *ret_state, guint64 *ret_len, GError **error)
{
  VmdkGrains *self = (VmdkGrains *)extent;
  guint64 size = self->base.grain;
  guint64 grain = offset / size;
  guint64 end = (offset + len - 1) / size + 1;
  VmdkState state;
  guint32 n;

  if (!map_in_table (self, grain, &state, &n, error))
    return FALSE;
  grain += n;
  for (guint i = 1; i < MAP_MAX_TABLES && grain < end; i++) {
    VmdkState next;

    /* What is wrong further on is reported when it is asked for. */
    if (!map_in_table (self, grain, &next, &n, NULL) || next != state)
      break;
    grain += n;
  }
  *ret_state = state;
  *ret_len = MIN (grain * size - offset, len);
  return TRUE;
}

void
vmdk_grains_place_tables (VmdkExtent *extent, guint64 offset, guint64 len,
                          GArray *places)
{
  const VmdkGrains *self = (const VmdkGrains *)extent;
  guint64 span = extent->grain * self->per_table;
  guint64 size = extent->source->size;

  for (guint64 i = offset / span; i <= (offset + len - 1) / span; i++) {
    VmdkPlace place = { extent->source, 0, self->table_bytes };

    if (self->directory[i] == VMDK_NO_TABLE
        || self->directory[i] == VMDK_BAD_TABLE || is_known_empty (self, i))
      continue;
    place.offset = self->place_table != NULL
                     ? self->place_table (self, i)
                     : (guint64)self->directory[i] * VMDK_SECTOR;
    if (place.len <= size && place.offset <= size - place.len)
      g_array_append_val (places, place);
  }
}

gboolean
vmdk_grains_find_piece (VmdkGrains *self, guint64 offset, guint64 len,
                        guint64 *ret_entry, guint64 *ret_len, GError **error)
{
  guint64 size = self->base.grain;
  guint64 grain = offset / size;
  guint32 i = (guint32)(grain % self->per_table);
  g_autoptr (VmdkBlock) table
    = vmdk_grains_get_table (self, grain / self->per_table, error);
  guint64 entry;
  guint64 n;

  if (table == NULL)
    return FALSE;
  entry = table->data[i];
  if (entry == VMDK_GRAIN_BAD)
    return fail_bad_grain (self, grain, error);
  for (n = size - offset % size; n < len && ++i < self->per_table; n += size) {
    guint64 step
      = entry > VMDK_GRAIN_ZERO ? (n + offset % size) / VMDK_SECTOR : 0;

    if (table->data[i] != entry + step)
      break;
  }
  *ret_entry = entry;
  *ret_len = MIN (n, len);
  return TRUE;
}

gboolean
vmdk_grains_locate (VmdkExtent *extent, guint64 offset, guint64 len,
                    guint64 *ret_where, guint64 *ret_len, GError **error)
{
  guint64 entry;

  if (!vmdk_grains_find_piece ((VmdkGrains *)extent, offset, len, &entry,
                               ret_len, error))
    return FALSE;
  *ret_where = entry * VMDK_SECTOR + offset % extent->grain;
  return TRUE;
}

gboolean
vmdk_grains_read (VmdkExtent *extent, guint64 offset, void *buf, gsize len,
                  GError **error)
{
  VmdkGrains *self = (VmdkGrains *)extent;
  VmdkSource *source = extent->source;
  guint8 *out = buf;

  while (len > 0) {
    guint64 entry;
    guint64 piece;
    gsize n;

    if (!vmdk_grains_find_piece (self, offset, len, &entry, &piece, error))
      return FALSE;
    n = (gsize)piece;
    if (entry <= VMDK_GRAIN_ZERO)
      memset (out, 0, n);
    else if (!source->ops->pread (source,
                                  entry * VMDK_SECTOR + offset % extent->grain,
                                  out, n, error))
      return FALSE;
    out += n;
    offset += n;
    len -= n;
  }
  return TRUE;
}

gboolean
vmdk_grains_is_inside (const VmdkGrains *self, guint64 index, guint64 sector,
                       guint64 first_sector)
{
  guint64 size = self->base.grain;
  guint64 length = self->base.length;
  guint64 used;

  if (index > length / size)
    return FALSE;
  used = MIN (size, length - index * size);
  /* Sectors 0 and 1 are no places but marks, and headers in every format. */
  return sector >= MAX (first_sector, 2) && sector <= VMDK_MAX_CAPACITY_SECTORS
         && used <= self->base.source->size
         && sector * VMDK_SECTOR <= self->base.source->size - used;
}
