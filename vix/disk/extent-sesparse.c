/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * SESparse extents: the deltas of ESXi. A header of 64-bit numbers, of which
 * all but the places of the parts are constant; a second header that says
 * whether a journal has to be replayed first, which we leave to ESXi. Read
 * only.
 */
#include <string.h>

#include "base/byte-reader.h"
#include "base/error.h"
#include "disk/grains.h"

#define MAGIC G_GUINT64_CONSTANT (0xcafebabe)
#define VOLATILE_MAGIC G_GUINT64_CONSTANT (0xcafecafe)
#define VERSION G_GUINT64_CONSTANT (0x0000000200000001)
#define GRAIN_SECTORS 8u
#define TABLE_SECTORS 64u
#define PER_TABLE 4096u
#define TABLE_BYTES (PER_TABLE * 8u)

/* Directory entries: this in the upper half, the table's number below. */
#define DIRECTORY_MARK 0x10000000u

enum { KIND_NONE = 0, KIND_UNMAPPED = 1, KIND_ZERO = 2, KIND_DATA = 3 };

typedef struct {
  guint64 offset; /* sectors */
  guint64 size;
} Part;

/* In the order of the header; the number is the index of its 64-bit words. */
enum {
  WORD_MAGIC = 0,
  WORD_VERSION = 1,
  WORD_CAPACITY = 2,
  WORD_GRAIN = 3,
  WORD_TABLE = 4,
  WORD_VOLATILE = 10,
  WORD_DIRECTORY = 16,
  WORD_TABLES = 18,
  WORD_GRAINS = 24
};

typedef struct {
  VmdkGrains grains;
  Part directory;
  Part tables;
  Part data;
} SeSparse;

static gboolean
fail (const VmdkSource *source, int code, const char *what, GError **error)
{
  g_set_error (error, VIX_ERROR, code, "%s: SESparse extent: %s", source->id,
               what);
  return FALSE;
}

static guint64
get_word (const guint8 raw[VMDK_SECTOR], guint index)
{
  ByteReader r;

  byte_reader_init (&r, raw, VMDK_SECTOR);
  byte_reader_seek (&r, index * sizeof (guint64));
  return byte_reader_le64 (&r);
}

static Part
get_part (const guint8 raw[VMDK_SECTOR], guint index)
{
  return (Part){ get_word (raw, index), get_word (raw, index + 1) };
}

/* Does the part begin behind the header, and its first @need sectors lie in
 * the file? */
static gboolean
is_inside (const VmdkSource *source, const Part *part, guint64 need)
{
  guint64 sectors = source->size / VMDK_SECTOR;

  return part->offset >= 1 && need <= part->size && need <= sectors
         && part->offset <= sectors - need
         && part->size <= G_MAXUINT64 - part->offset;
}

static gboolean
check_header (VmdkSource *source, const VmdkExtentLine *line,
              const guint8 raw[VMDK_SECTOR], GError **error)
{
  if (get_word (raw, WORD_MAGIC) != MAGIC)
    return fail (source, VIX_E_DISK_INVALIDDISK, "wrong magic number", error);
  if (get_word (raw, WORD_VERSION) != VERSION)
    return fail (source, VIX_E_DISK_UNSUPPORTEDDISKVERSION,
                 "version is not 2.1", error);
  if (get_word (raw, WORD_CAPACITY) != line->sectors)
    return fail (source, VIX_E_DISK_CAPACITY_MISMATCH,
                 "its capacity is not that of the descriptor", error);
  if (get_word (raw, WORD_GRAIN) != GRAIN_SECTORS
      || get_word (raw, WORD_TABLE) != TABLE_SECTORS)
    return fail (source, VIX_E_DISK_UNSUPPORTEDDISKVERSION,
                 "grain or table size is not the only known one", error);
  for (guint i = WORD_TABLE + 1; i < WORD_VOLATILE; i++)
    if (get_word (raw, i) != 0)
      return fail (source, VIX_E_DISK_UNSUPPORTEDDISKVERSION,
                   "uses a feature that is not known", error);
  return TRUE;
}

static gboolean
check_volatile (VmdkSource *source, const Part *part, GError **error)
{
  guint8 raw[VMDK_SECTOR];

  if (!is_inside (source, part, 1))
    return fail (source, VIX_E_DISK_INVALIDDISK,
                 "its second header lies outside the file", error);
  if (!vmdk_source_read_table (source, part->offset * VMDK_SECTOR, raw,
                               sizeof raw, error))
    return FALSE;
  if (get_word (raw, 0) != VOLATILE_MAGIC)
    return fail (source, VIX_E_DISK_INVALIDDISK,
                 "wrong magic number in its second header", error);
  if (get_word (raw, 3) != 0)
    return fail (source, VIX_E_DISK_NEEDSREPAIR,
                 "its journal has to be replayed by ESXi first", error);
  return TRUE;
}

/* Number of the data grain in an entry: its lower 12 bits stand above the
 * others. */
static guint64
decode_index (guint64 entry)
{
  return (entry >> 48 & 0xfff)
         | (entry & G_GUINT64_CONSTANT (0xffffffffffff)) << 12;
}

static guint64
decode_entry (const SeSparse *self, guint64 grain, guint64 entry)
{
  guint64 index = decode_index (entry);
  guint64 sector;

  switch (entry >> 60) {
  case KIND_NONE:
    return entry == 0 ? VMDK_GRAIN_NONE : VMDK_GRAIN_BAD;
  case KIND_UNMAPPED:
  case KIND_ZERO:
    return VMDK_GRAIN_ZERO;
  case KIND_DATA:
    break;
  default:
    return VMDK_GRAIN_BAD;
  }
  if (index >= self->data.size / GRAIN_SECTORS)
    return VMDK_GRAIN_BAD;
  sector = self->data.offset + index * GRAIN_SECTORS;
  return vmdk_grains_is_inside (&self->grains, grain, sector, self->data.offset)
           ? sector
           : VMDK_GRAIN_BAD;
}

static guint64
sesparse_place_table (const VmdkGrains *grains, guint64 index)
{
  const SeSparse *self = (const SeSparse *)grains;
  guint64 table = grains->directory[index] - 1;

  return (self->tables.offset + table * TABLE_SECTORS) * VMDK_SECTOR;
}

static gboolean
sesparse_load_table (VmdkGrains *grains, guint64 index, guint64 *entries,
                     GError **error)
{
  const SeSparse *self = (const SeSparse *)grains;
  VmdkSource *source = grains->base.source;

  if (!vmdk_source_read_table (source, sesparse_place_table (grains, index),
                               entries, TABLE_BYTES, error))
    return FALSE;
  for (guint32 i = 0; i < PER_TABLE; i++)
    entries[i] = decode_entry (self, index * PER_TABLE + i,
                               GUINT64_FROM_LE (entries[i]));
  return TRUE;
}

/* Kept as the table's number + 1, so that 0 is none. */
static guint32
decode_directory_entry (const SeSparse *self, guint64 entry)
{
  const VmdkSource *source = self->grains.base.source;
  guint64 table = entry & G_MAXUINT32;
  Part part = { self->tables.offset, self->tables.size };

  if (entry == 0)
    return VMDK_NO_TABLE;
  if (entry >> 32 != DIRECTORY_MARK || table >= G_MAXUINT32 - 1
      || !is_inside (source, &part, (table + 1) * TABLE_SECTORS))
    return VMDK_BAD_TABLE;
  return (guint32)table + 1;
}

static gboolean
load_directory (SeSparse *self, GError **error)
{
  VmdkGrains *grains = &self->grains;
  VmdkSource *source = grains->base.source;
  gsize n = (gsize)grains->base.n_tables;
  g_autofree guint64 *raw = g_new (guint64, n);

  if (!vmdk_source_read_table (source, self->directory.offset * VMDK_SECTOR,
                               raw, n * sizeof *raw, error))
    return FALSE;
  for (gsize i = 0; i < n; i++)
    grains->directory[i]
      = decode_directory_entry (self, GUINT64_FROM_LE (raw[i]));
  return TRUE;
}

static void
sesparse_free (VmdkExtent *extent)
{
  vmdk_grains_clear ((VmdkGrains *)extent);
  g_free ((SeSparse *)extent);
}

static const VmdkExtentOps sesparse_ops = {
  .name = "SESPARSE",
  .map = vmdk_grains_map,
  .read = vmdk_grains_read,
  .locate = vmdk_grains_locate,
  .place_tables = vmdk_grains_place_tables,
  .free = sesparse_free,
};

static SeSparse *
new_sesparse (const VmdkExtentLine *line, VmdkSource *source, guint64 n_tables,
              const guint8 raw[VMDK_SECTOR])
{
  SeSparse *self = g_new0 (SeSparse, 1);
  VmdkExtent *base = &self->grains.base;

  base->ops = &sesparse_ops;
  base->source = source;
  base->length = line->sectors * VMDK_SECTOR;
  base->grain = GRAIN_SECTORS * VMDK_SECTOR;
  base->n_tables = n_tables;
  self->grains.per_table = PER_TABLE;
  self->grains.table_bytes = TABLE_BYTES;
  self->grains.place_table = sesparse_place_table;
  self->grains.load_table = sesparse_load_table;
  self->directory = get_part (raw, WORD_DIRECTORY);
  self->tables = get_part (raw, WORD_TABLES);
  self->data = get_part (raw, WORD_GRAINS);
  vmdk_grains_init (&self->grains);
  return self;
}

VmdkExtent *
vmdk_extent_open_sesparse (const VmdkExtentLine *line, VmdkSource *source,
                           GError **error)
{
  guint8 raw[VMDK_SECTOR];
  g_autoptr (VmdkExtent) owner = NULL;
  Part volatile_part;
  Part directory;
  SeSparse *self;
  guint64 n;

  if (source->size < sizeof raw) {
    fail (source, VIX_E_DISK_INVALIDDISK, "too short", error);
    return NULL;
  }
  if (!vmdk_source_read_table (source, 0, raw, sizeof raw, error)
      || !check_header (source, line, raw, error))
    return NULL;
  volatile_part = get_part (raw, WORD_VOLATILE);
  if (!check_volatile (source, &volatile_part, error))
    return NULL;
  n = vmdk_grains_count_tables (line->sectors, GRAIN_SECTORS, PER_TABLE);
  directory = get_part (raw, WORD_DIRECTORY);
  if (get_word (raw, WORD_GRAINS) < 2) {
    fail (source, VIX_E_DISK_INVALIDDISK, "grains would lie in its headers",
          error);
    return NULL;
  }
  if (n == 0
      || !is_inside (source, &directory,
                     (n * sizeof (guint64) + VMDK_SECTOR - 1) / VMDK_SECTOR)) {
    fail (source, VIX_E_DISK_INVALIDDISK,
          "its directory is too small, or lies outside the file", error);
    return NULL;
  }
  self = new_sesparse (line, source, n, raw);
  owner = &self->grains.base;
  if (!load_directory (self, error))
    return NULL;
  return g_steal_pointer (&owner);
}
