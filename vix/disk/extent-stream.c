/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Stream-optimized extents: tables as in any hosted sparse extent, but each
 * entry leads to a marker (disk sector, length) and a zlib stream of one
 * grain. Read only.
 */
#include <string.h>
#include <zlib.h>

#include "base/byte-reader.h"
#include "base/error.h"
#include "disk/sparse-private.h"

#define MARKER_BYTES 12u
/* Deflate of data that does not compress grows by less than this. */
#define SLACK_BYTES 4096u

static gboolean
fail_grain (const VmdkSparse *self, guint64 grain, const char *what,
            GError **error)
{
  g_set_error (error, VIX_ERROR, VIX_E_DISK_INVALIDDISK,
               "%s: compressed grain %" G_GUINT64_FORMAT ": %s",
               self->grains.base.source->id, grain, what);
  return FALSE;
}

/* Reads and checks the marker; *ret_bytes: of the stream that follows. */
static gboolean
read_marker (VmdkSparse *self, guint64 grain, guint64 sector,
             guint32 *ret_bytes, GError **error)
{
  VmdkSource *source = self->grains.base.source;
  guint64 at = sector * VMDK_SECTOR;
  guint8 raw[MARKER_BYTES];
  ByteReader r;
  guint64 lba;
  guint32 bytes;

  if (source->size < MARKER_BYTES || at > source->size - MARKER_BYTES)
    return fail_grain (self, grain, "lies outside the file", error);
  if (!source->ops->pread (source, at, raw, sizeof raw, error))
    return FALSE;
  byte_reader_init (&r, raw, sizeof raw);
  lba = byte_reader_le64 (&r);
  bytes = byte_reader_le32 (&r);
  if (lba != grain * self->header.grain)
    return fail_grain (self, grain, "is marked as another one", error);
  if (bytes == 0 || bytes > 2 * self->grains.base.grain + SLACK_BYTES)
    return fail_grain (self, grain, "has an impossible length", error);
  if (bytes > source->size - MARKER_BYTES - at)
    return fail_grain (self, grain, "is cut off", error);
  *ret_bytes = bytes;
  return TRUE;
}

/* Inflates exactly one grain; @out is as large as one. */
static gboolean
inflate_grain (const VmdkSparse *self, guint64 grain, guint8 *in,
               guint32 in_bytes, guint8 *out, GError **error)
{
  guint64 size = self->grains.base.grain;
  z_stream z = { 0 };
  int rc;

  z.next_in = in;
  z.avail_in = in_bytes;
  z.next_out = out;
  z.avail_out = (uInt)size;
  if (inflateInit (&z) != Z_OK)
    return fail_grain (self, grain, "out of memory while inflating", error);
  rc = inflate (&z, Z_FINISH);
  inflateEnd (&z);
  if (rc != Z_STREAM_END || z.avail_in >= VMDK_SECTOR)
    return fail_grain (self, grain, "does not inflate to one grain", error);
  /* The last one may hold only what belongs to the disk. */
  if (z.total_out != size
      && grain * size + z.total_out < self->grains.base.length)
    return fail_grain (self, grain, "inflates to less than a grain", error);
  return TRUE;
}

static VmdkBlock *
get_inflated (VmdkSparse *self, guint64 grain, guint64 sector, GError **error)
{
  VmdkSource *source = self->grains.base.source;
  VmdkBlock *cached = vmdk_block_cache_get (self->inflated, grain);
  g_autoptr (VmdkBlock) block = NULL;
  g_autofree guint8 *in = NULL;
  guint32 bytes;

  if (cached != NULL)
    return cached;
  if (!read_marker (self, grain, sector, &bytes, error))
    return NULL;
  in = g_malloc (bytes);
  if (!source->ops->pread (source, sector * VMDK_SECTOR + MARKER_BYTES, in,
                           bytes, error))
    return NULL;
  block = vmdk_block_new ((gsize)self->grains.base.grain);
  if (!inflate_grain (self, grain, in, bytes, (guint8 *)block->data, error))
    return NULL;
  vmdk_block_cache_put (self->inflated, grain, block);
  return g_steal_pointer (&block);
}

static gboolean
stream_read (VmdkExtent *extent, guint64 offset, void *buf, gsize len,
             GError **error)
{
  VmdkSparse *self = (VmdkSparse *)extent;
  guint8 *out = buf;

  while (len > 0) {
    guint64 within = offset % extent->grain;
    gsize n = (gsize)MIN (extent->grain - within, len);
    g_autoptr (VmdkBlock) block = NULL;
    guint64 entry;

    if (!vmdk_grains_lookup (&self->grains, offset, &entry, error))
      return FALSE;
    if (entry <= VMDK_GRAIN_ZERO)
      memset (out, 0, n);
    else {
      block = get_inflated (self, offset / extent->grain, entry, error);
      if (block == NULL)
        return FALSE;
      memcpy (out, (const guint8 *)block->data + within, n);
    }
    out += n;
    offset += n;
    len -= n;
  }
  return TRUE;
}

const VmdkExtentOps vmdk_stream_ops = {
  .name = "stream-optimized SPARSE",
  .map = vmdk_grains_map,
  .read = stream_read,
  .place_tables = vmdk_grains_place_tables,
  .free = vmdk_sparse_free,
};
