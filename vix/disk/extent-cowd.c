/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * COWD extents: the deltas of older ESX hosts. One directory, tables of 4096
 * entries, grains of a sector or some more. Read only.
 */
#include <string.h>

#include "base/byte-reader.h"
#include "base/error.h"
#include "disk/grains.h"

#define HEADER_BYTES 2048u
#define HEADER_SECTORS 4u
#define PER_TABLE 4096u
#define TABLE_BYTES (PER_TABLE * 4u)

typedef struct {
  guint32 capacity; /* these four in sectors */
  guint32 grain;
  guint32 directory;
  guint32 n_entries;
} Header;

static gboolean
fail (const VmdkSource *source, int code, const char *what, GError **error)
{
  g_set_error (error, VIX_ERROR, code, "%s: COWD extent: %s", source->id, what);
  return FALSE;
}

static gboolean
read_header (VmdkSource *source, Header *h, GError **error)
{
  guint8 raw[HEADER_BYTES];
  ByteReader r;
  const guint8 *magic;
  guint32 version;

  if (source->size < sizeof raw)
    return fail (source, VIX_E_DISK_INVALIDDISK, "too short", error);
  if (!vmdk_source_read_table (source, 0, raw, sizeof raw, error))
    return FALSE;
  byte_reader_init (&r, raw, sizeof raw);
  magic = byte_reader_take (&r, 4);
  version = byte_reader_le32 (&r);
  byte_reader_skip (&r, 4); /* flags: no meaning for a reader */
  h->capacity = byte_reader_le32 (&r);
  h->grain = byte_reader_le32 (&r);
  h->directory = byte_reader_le32 (&r);
  h->n_entries = byte_reader_le32 (&r);
  if (memcmp (magic, "COWD", 4) != 0)
    return fail (source, VIX_E_DISK_INVALIDDISK, "wrong magic number", error);
  if (version != 1)
    return fail (source, VIX_E_DISK_UNSUPPORTEDDISKVERSION, "version is not 1",
                 error);
  return TRUE;
}

/* *ret_n: tables that the capacity needs. */
static gboolean
check_header (const VmdkSource *source, const VmdkExtentLine *line,
              const Header *h, guint64 *ret_n, GError **error)
{
  guint64 bytes;

  if (h->capacity == 0 || h->capacity != line->sectors)
    return fail (source, VIX_E_DISK_CAPACITY_MISMATCH,
                 "its capacity is not that of the descriptor", error);
  if (h->grain == 0 || h->grain > VMDK_MAX_GRAIN_SECTORS
      || (h->grain & (h->grain - 1)) != 0)
    return fail (source, VIX_E_DISK_INVALIDDISK,
                 "grain size is not a power of two", error);
  *ret_n = vmdk_grains_count_tables (h->capacity, h->grain, PER_TABLE);
  if (*ret_n == 0 || *ret_n > h->n_entries)
    return fail (source, VIX_E_DISK_INVALIDDISK,
                 "grain directory is too small for the capacity", error);
  bytes = *ret_n * sizeof (guint32);
  if (h->directory < HEADER_SECTORS || bytes > source->size
      || (guint64)h->directory * VMDK_SECTOR > source->size - bytes)
    return fail (source, VIX_E_DISK_INVALIDDISK,
                 "grain directory lies outside the file", error);
  return TRUE;
}

static gboolean
cowd_load_table (VmdkGrains *self, guint64 index, guint64 *entries,
                 GError **error)
{
  VmdkSource *source = self->base.source;
  g_autofree guint32 *raw = g_new (guint32, PER_TABLE);

  if (!vmdk_source_read_table (source,
                               (guint64)self->directory[index] * VMDK_SECTOR,
                               raw, TABLE_BYTES, error))
    return FALSE;
  for (guint32 i = 0; i < PER_TABLE; i++) {
    guint32 sector = GUINT32_FROM_LE (raw[i]);

    if (sector == 0)
      entries[i] = VMDK_GRAIN_NONE;
    else if (vmdk_grains_is_inside (self, index * PER_TABLE + i, sector,
                                    HEADER_SECTORS))
      entries[i] = sector;
    else
      entries[i] = VMDK_GRAIN_BAD;
  }
  return TRUE;
}

static gboolean
load_directory (VmdkGrains *self, guint32 sector, GError **error)
{
  VmdkSource *source = self->base.source;

  if (!vmdk_source_read_table (
        source, (guint64)sector * VMDK_SECTOR, self->directory,
        (gsize)self->base.n_tables * sizeof (guint32), error))
    return FALSE;
  for (guint64 i = 0; i < self->base.n_tables; i++) {
    guint64 table = GUINT32_FROM_LE (self->directory[i]);

    if (table != VMDK_NO_TABLE
        && (table < HEADER_SECTORS || source->size < TABLE_BYTES
            || table * VMDK_SECTOR > source->size - TABLE_BYTES))
      table = VMDK_BAD_TABLE;
    self->directory[i] = (guint32)table;
  }
  return TRUE;
}

static void
cowd_free (VmdkExtent *extent)
{
  vmdk_grains_clear ((VmdkGrains *)extent);
  g_free ((VmdkGrains *)extent);
}

static const VmdkExtentOps cowd_ops = {
  .name = "VMFSSPARSE",
  .map = vmdk_grains_map,
  .read = vmdk_grains_read,
  .locate = vmdk_grains_locate,
  .place_tables = vmdk_grains_place_tables,
  .free = cowd_free,
};

VmdkExtent *
vmdk_extent_open_cowd (const VmdkExtentLine *line, VmdkSource *source,
                       GError **error)
{
  g_autoptr (VmdkExtent) owner = NULL;
  VmdkGrains *self;
  Header h;
  guint64 n_tables;

  if (!read_header (source, &h, error)
      || !check_header (source, line, &h, &n_tables, error))
    return NULL;
  self = g_new0 (VmdkGrains, 1);
  owner = &self->base;
  self->base.ops = &cowd_ops;
  self->base.source = source;
  self->base.length = line->sectors * VMDK_SECTOR;
  self->base.grain = (guint64)h.grain * VMDK_SECTOR;
  self->base.n_tables = n_tables;
  self->per_table = PER_TABLE;
  self->table_bytes = TABLE_BYTES;
  self->load_table = cowd_load_table;
  vmdk_grains_init (self);
  if (!load_directory (self, h.directory, error))
    return NULL;
  return g_steal_pointer (&owner);
}
