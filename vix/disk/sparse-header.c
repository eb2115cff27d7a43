/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "disk/sparse-header.h"

#include <string.h>

#include "base/byte-reader.h"
#include "base/error.h"
#include "disk/descriptor.h"
#include "disk/grains.h"

#define MAX_PER_TABLE 512u
#define MIN_GRAIN_SECTORS 8u
/* A compressed grain is inflated in memory: 4 MiB. */
#define MAX_COMPRESSED_GRAIN_SECTORS (1u << 13)
#define DEFLATE 1u

/* Behind the unclean mark: a transfer as text changes them. */
static const guint8 newlines[4] = { '\n', ' ', '\r', '\n' };

enum { MARKER_END_OF_STREAM = 0, MARKER_FOOTER = 3 };

gboolean
vmdk_sparse_header_probe (const void *first, gsize len)
{
  return len >= 4 && memcmp (first, "KDMV", 4) == 0;
}

gboolean
vmdk_sparse_header_compute (VmdkSparseHeader *self)
{
  self->n_tables
    = vmdk_grains_count_tables (self->capacity, self->grain, self->per_table);
  self->directory_sectors
    = (self->n_tables * sizeof (guint32) + VMDK_SECTOR - 1) / VMDK_SECTOR;
  self->table_sectors
    = (self->per_table * sizeof (guint32) + VMDK_SECTOR - 1) / VMDK_SECTOR;
  return self->n_tables > 0;
}

/* The fields as they are; FALSE unless magic and newline bytes are right. */
static gboolean
decode (const guint8 raw[VMDK_SPARSE_HEADER_BYTES], VmdkSparseHeader *h)
{
  ByteReader r;
  guint32 magic;

  byte_reader_init (&r, raw, VMDK_SPARSE_HEADER_BYTES);
  magic = byte_reader_le32 (&r);
  h->version = byte_reader_le32 (&r);
  h->flags = byte_reader_le32 (&r);
  h->capacity = byte_reader_le64 (&r);
  h->grain = byte_reader_le64 (&r);
  h->descriptor_offset = byte_reader_le64 (&r);
  h->descriptor_size = byte_reader_le64 (&r);
  h->per_table = byte_reader_le32 (&r);
  h->rgd = byte_reader_le64 (&r);
  h->gd = byte_reader_le64 (&r);
  h->overhead = byte_reader_le64 (&r);
  h->unclean = byte_reader_u8 (&r) != 0;
  byte_reader_skip (&r, sizeof newlines); /* compared below */
  h->compression = byte_reader_le16 (&r);
  return magic == VMDK_SPARSE_MAGIC
         && ((h->flags & VMDK_SPARSE_NEWLINE_TEST) == 0
             || memcmp (raw + VMDK_SPARSE_UNCLEAN_OFFSET + 1, newlines,
                        sizeof newlines)
                  == 0);
}

/* Do @n sectors from @first on lie behind the header and inside the file? */
static gboolean
inside (const VmdkSource *source, guint64 first, guint64 n)
{
  guint64 sectors = source->size / VMDK_SECTOR;

  return first >= 1 && n <= sectors && first <= sectors - n;
}

typedef struct {
  gboolean bad;
  int code;
  const char *what;
} Check;

static gboolean
report (const Check *checks, gsize n, const char *id, GError **error)
{
  for (gsize i = 0; i < n; i++)
    if (checks[i].bad) {
      g_set_error (error, VIX_ERROR, checks[i].code,
                   "%s: sparse extent header: %s", id, checks[i].what);
      return FALSE;
    }
  return TRUE;
}

/* What can be said of the numbers alone. */
static gboolean
check_numbers (const VmdkSparseHeader *h, const char *id, GError **error)
{
  gboolean compressed = (h->flags & VMDK_SPARSE_COMPRESSED) != 0;
  const Check checks[] = {
    { h->version < 1 || h->version > 3, VIX_E_DISK_UNSUPPORTEDDISKVERSION,
      "version is not 1, 2 or 3" },
    { h->capacity == 0 || h->capacity > VMDK_MAX_CAPACITY_SECTORS,
      VIX_E_DISK_INVALIDDISK, "capacity is 0 or larger than any disk" },
    { h->grain < MIN_GRAIN_SECTORS || h->grain > VMDK_MAX_GRAIN_SECTORS
        || (h->grain & (h->grain - 1)) != 0,
      VIX_E_DISK_INVALIDDISK,
      "grain size is not a power of two of at least 8 sectors" },
    { h->per_table < 1 || h->per_table > MAX_PER_TABLE, VIX_E_DISK_INVALIDDISK,
      "entries per grain table are not 1 to 512" },
    { compressed != (h->compression == DEFLATE) || h->compression > DEFLATE,
      VIX_E_DISK_UNSUPPORTEDDISKVERSION, "unknown compression" },
    { compressed && (h->flags & VMDK_SPARSE_MARKERS) == 0,
      VIX_E_DISK_UNSUPPORTEDDISKVERSION, "compressed grains without markers" },
    { compressed && h->grain > MAX_COMPRESSED_GRAIN_SECTORS,
      VIX_E_DISK_INVALIDDISK, "compressed grains of more than 4 MiB" },
  };

  return report (checks, G_N_ELEMENTS (checks), id, error);
}

/* Where things are said to be, against the file. */
static gboolean
check_places (const VmdkSparseHeader *h, const VmdkSource *source,
              GError **error)
{
  gboolean redundant = (h->flags & VMDK_SPARSE_REDUNDANT) != 0;
  const Check checks[] = {
    { h->descriptor_size > VMDK_EMBEDDED_MAX_BYTES / VMDK_SECTOR,
      VIX_E_DISK_INVALIDDISK, "descriptor is larger than 64 KiB" },
    { h->descriptor_offset != 0
        && !inside (source, h->descriptor_offset, h->descriptor_size),
      VIX_E_DISK_INVALIDDISK, "descriptor lies outside the file" },
    { !inside (source, h->gd, h->directory_sectors), VIX_E_DISK_INVALIDDISK,
      "grain directory lies outside the file" },
    { redundant && !inside (source, h->rgd, h->directory_sectors),
      VIX_E_DISK_INVALIDDISK,
      "redundant grain directory lies outside the file" },
    { h->overhead < 1, VIX_E_DISK_INVALIDDISK,
      "grains would begin in the header" },
  };

  return report (checks, G_N_ELEMENTS (checks), source->id, error);
}

static gboolean
is_marker (const guint8 *sector, guint64 n_sectors, guint32 type)
{
  ByteReader r;

  byte_reader_init (&r, sector, VMDK_SECTOR);
  return byte_reader_le64 (&r) == n_sectors && byte_reader_le32 (&r) == 0
         && byte_reader_le32 (&r) == type;
}

/* The last three sectors: marker, footer, end of stream. */
static gboolean
read_footer (VmdkSource *source, VmdkSparseHeader *h, GError **error)
{
  guint8 raw[3 * VMDK_SECTOR];
  VmdkSparseHeader footer = { 0 };
  gboolean ok;

  if (source->size % VMDK_SECTOR != 0 || source->size < 5 * VMDK_SECTOR) {
    g_set_error (error, VIX_ERROR, VIX_E_DISK_INVALIDDISK,
                 "%s: has no footer; the file is not complete", source->id);
    return FALSE;
  }
  if (!vmdk_source_read_table (source, source->size - sizeof raw, raw,
                               sizeof raw, error))
    return FALSE;
  ok = is_marker (raw, 1, MARKER_FOOTER)
       && is_marker (raw + 2 * VMDK_SECTOR, 0, MARKER_END_OF_STREAM)
       && decode (raw + VMDK_SECTOR, &footer);
  if (!ok || footer.version != h->version || footer.flags != h->flags
      || footer.capacity != h->capacity || footer.grain != h->grain
      || footer.per_table != h->per_table
      || footer.compression != h->compression
      || footer.gd == VMDK_SPARSE_GD_AT_END) {
    g_set_error (error, VIX_ERROR, VIX_E_DISK_INVALIDDISK,
                 "%s: footer is missing or contradicts the header; the file "
                 "is not complete",
                 source->id);
    return FALSE;
  }
  h->gd = footer.gd;
  h->rgd = footer.rgd;
  return TRUE;
}

gboolean
vmdk_sparse_header_read (VmdkSource *source, VmdkSparseHeader *ret,
                         GError **error)
{
  guint8 raw[VMDK_SPARSE_HEADER_BYTES];
  VmdkSparseHeader h = { 0 };

  if (source->size < sizeof raw) {
    g_set_error (error, VIX_ERROR, VIX_E_DISK_INVALIDDISK,
                 "%s: too short for a sparse extent", source->id);
    return FALSE;
  }
  if (!vmdk_source_read_table (source, 0, raw, sizeof raw, error))
    return FALSE;
  if (!decode (raw, &h)) {
    g_set_error (error, VIX_ERROR, VIX_E_DISK_INVALIDDISK,
                 "%s: not a sparse extent, or damaged by a transfer as text",
                 source->id);
    return FALSE;
  }
  if (!check_numbers (&h, source->id, error))
    return FALSE;
  if (!vmdk_sparse_header_compute (&h)) {
    g_set_error (error, VIX_ERROR, VIX_E_DISK_INVALIDDISK,
                 "%s: sparse extent header: more than %u grain tables",
                 source->id, VMDK_MAX_TABLES);
    return FALSE;
  }
  if (h.gd == VMDK_SPARSE_GD_AT_END && !read_footer (source, &h, error))
    return FALSE;
  if (!check_places (&h, source, error))
    return FALSE;
  *ret = h;
  return TRUE;
}

static void
put_le (guint8 *out, gsize offset, guint64 value, gsize n)
{
  for (gsize i = 0; i < n; i++)
    out[offset + i] = (guint8)(value >> (8 * i));
}

void
vmdk_sparse_header_encode (const VmdkSparseHeader *self,
                           guint8 out[VMDK_SPARSE_HEADER_BYTES])
{
  memset (out, 0, VMDK_SPARSE_HEADER_BYTES);
  put_le (out, 0, VMDK_SPARSE_MAGIC, 4);
  put_le (out, 4, self->version, 4);
  put_le (out, 8, self->flags, 4);
  put_le (out, 12, self->capacity, 8);
  put_le (out, 20, self->grain, 8);
  put_le (out, 28, self->descriptor_offset, 8);
  put_le (out, 36, self->descriptor_size, 8);
  put_le (out, 44, self->per_table, 4);
  put_le (out, 48, self->rgd, 8);
  put_le (out, 56, self->gd, 8);
  put_le (out, 64, self->overhead, 8);
  out[VMDK_SPARSE_UNCLEAN_OFFSET] = self->unclean ? 1 : 0;
  memcpy (out + VMDK_SPARSE_UNCLEAN_OFFSET + 1, newlines, sizeof newlines);
  put_le (out, 77, self->compression, 2);
}
