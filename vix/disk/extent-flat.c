/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Flat extents: the bytes of the disk as they are, from an offset in the file
 * on. And extents of zeros, which have no file.
 */
#include <string.h>

#include "base/error.h"
#include "disk/extent.h"
#include "disk/reservation.h"

/* Zeros are written in pieces of this size into a file without holes. */
#define ZERO_CHUNK (1u << 20)

typedef struct {
  VmdkExtent base;
  guint64 file_offset;          /* bytes */
  VmdkReservation *reservation; /* NULL: none */
  gboolean thick_known;
  gboolean thick; /* the file has no hole and shall not get one */
} Flat;

static gboolean
flat_map (VmdkExtent *extent, guint64 offset, guint64 len, VmdkState *ret_state,
          guint64 *ret_len, GError **error)
{
  *ret_state = VMDK_DATA;
  *ret_len = len;
  return TRUE;
}

static gboolean
flat_read (VmdkExtent *extent, guint64 offset, void *buf, gsize len,
           GError **error)
{
  const Flat *self = (const Flat *)extent;
  VmdkSource *source = extent->source;

  return source->ops->pread (source, self->file_offset + offset, buf, len,
                             error);
}

static gboolean
flat_locate (VmdkExtent *extent, guint64 offset, guint64 len,
             guint64 *ret_where, guint64 *ret_len, GError **error)
{
  *ret_where = ((const Flat *)extent)->file_offset + offset;
  *ret_len = len;
  return TRUE;
}

static gboolean
flat_check (VmdkExtent *extent, GError **error)
{
  return TRUE;
}

static gboolean
flat_reserve (VmdkExtent *extent, guint64 offset, guint64 len, gboolean zero,
              GError **error)
{
  Flat *self = (Flat *)extent;

  if (zero)
    return TRUE;
  if (self->reservation == NULL)
    self->reservation = vmdk_reservation_new (extent->source);
  return vmdk_reservation_add (self->reservation, self->file_offset + offset,
                               len, error);
}

static gboolean
flat_reserve_end (VmdkExtent *extent, GError **error)
{
  return TRUE;
}

static gboolean
flat_release (VmdkExtent *extent, GError **error)
{
  Flat *self = (Flat *)extent;
  gboolean ok = self->reservation == NULL
                || vmdk_reservation_undo (self->reservation, error);

  g_clear_pointer (&self->reservation, vmdk_reservation_free);
  return ok;
}

static gboolean
flat_write (VmdkExtent *extent, guint64 offset, const void *buf, gsize len,
            GError **error)
{
  Flat *self = (Flat *)extent;
  VmdkSource *source = extent->source;

  /* In use from now on: must not be given back any more. */
  g_clear_pointer (&self->reservation, vmdk_reservation_free);
  return source->ops->pwrite (source, self->file_offset + offset, buf, len,
                              error);
}

/* Somebody who allocated the whole file wants to keep it so. */
static gboolean
find_out_thick (Flat *self, GError **error)
{
  VmdkSource *source = self->base.source;
  guint64 end = self->file_offset + self->base.length;
  guint64 hole = end;

  if (self->thick_known)
    return TRUE;
  if (source->ops->seek != NULL
      && !source->ops->seek (source, self->file_offset, TRUE, &hole, error))
    return FALSE;
  self->thick = hole >= end;
  self->thick_known = TRUE;
  return TRUE;
}

static gboolean
flat_zero (VmdkExtent *extent, guint64 offset, guint64 len, GError **error)
{
  Flat *self = (Flat *)extent;
  VmdkSource *source = extent->source;
  g_autofree guint8 *zeros = NULL;

  if (!find_out_thick (self, error))
    return FALSE;
  if (!self->thick)
    return source->ops->punch (source, self->file_offset + offset, len, error);
  zeros = g_malloc0 (MIN (len, ZERO_CHUNK));
  while (len > 0) {
    gsize n = (gsize)MIN (len, ZERO_CHUNK);

    if (!source->ops->pwrite (source, self->file_offset + offset, zeros, n,
                              error))
      return FALSE;
    offset += n;
    len -= n;
  }
  return TRUE;
}

static gboolean
flat_flush (VmdkExtent *extent, GError **error)
{
  return extent->source->ops->sync (extent->source, error);
}

static gboolean
flat_repair (VmdkExtent *extent, GError **error)
{
  return TRUE;
}

static void
flat_free (VmdkExtent *extent)
{
  Flat *self = (Flat *)extent;

  vmdk_reservation_free (self->reservation);
  g_free (self);
}

static const VmdkExtentOps flat_ops = {
  .name = "FLAT",
  .map = flat_map,
  .read = flat_read,
  .locate = flat_locate,
  .check = flat_check,
  .reserve = flat_reserve,
  .reserve_end = flat_reserve_end,
  .release = flat_release,
  .write = flat_write,
  .zero = flat_zero,
  .flush = flat_flush,
  .repair = flat_repair,
  .free = flat_free,
};

VmdkExtent *
vmdk_extent_open_flat (const VmdkExtentLine *line, VmdkSource *source,
                       GError **error)
{
  guint64 start = line->offset_sectors * VMDK_SECTOR;
  guint64 length = line->sectors * VMDK_SECTOR;
  Flat *self;

  if (length > source->size || start > source->size - length) {
    g_set_error (error, VIX_ERROR, VIX_E_DISK_INVALIDDISK,
                 "%s: has %" G_GUINT64_FORMAT
                 " bytes, but its descriptor needs %" G_GUINT64_FORMAT
                 "; the file was cut short",
                 source->id, source->size, start + length);
    return NULL;
  }
  self = g_new0 (Flat, 1);
  self->base.ops = &flat_ops;
  self->base.source = source;
  self->base.length = length;
  self->base.grain = 1;
  self->base.can_write = line->access == VMDK_ACCESS_RW;
  self->base.compact_zeros = TRUE;
  self->base.room = G_MAXUINT64;
  self->file_offset = start;
  return &self->base;
}

static gboolean
zero_map (VmdkExtent *extent, guint64 offset, guint64 len, VmdkState *ret_state,
          guint64 *ret_len, GError **error)
{
  *ret_state = VMDK_ZERO;
  *ret_len = len;
  return TRUE;
}

static gboolean
zero_read (VmdkExtent *extent, guint64 offset, void *buf, gsize len,
           GError **error)
{
  memset (buf, 0, len);
  return TRUE;
}

static void
zero_free (VmdkExtent *extent)
{
  g_free (extent);
}

static const VmdkExtentOps zero_ops = {
  .name = "ZERO",
  .map = zero_map,
  .read = zero_read,
  .free = zero_free,
};

VmdkExtent *
vmdk_extent_open_zero (const VmdkExtentLine *line)
{
  VmdkExtent *self = g_new0 (VmdkExtent, 1);

  self->ops = &zero_ops;
  self->length = line->sectors * VMDK_SECTOR;
  self->grain = 1;
  return self;
}

void
vmdk_extent_free (VmdkExtent *self)
{
  if (self != NULL)
    self->ops->free (self);
}
