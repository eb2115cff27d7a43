/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "image/reader.h"

#include <string.h>

#include "base/lock.h"
#include "disk/changes.h"

typedef struct {
  VixFileReader base; /* must be first */
  VmdkChain *chain;
  VmdkChain *older;     /* NULL: none */
  VmdkChanges *changes; /* NULL: the whole disk */
} ImageReader;

static gboolean
whole_map (VixFileReader *base, guint64 offset, guint64 len, gboolean *ret_data,
           guint64 *ret_len, GError **error)
{
  ImageReader *self = (ImageReader *)base;
  VmdkState state;

  VIX_MAY_BLOCK ();
  if (!vmdk_chain_map (self->chain, offset, len, &state, ret_len, error))
    return FALSE;
  *ret_data = state == VMDK_DATA;
  return TRUE;
}

static gboolean
changes_map (VixFileReader *base, guint64 offset, guint64 len,
             gboolean *ret_data, guint64 *ret_len, GError **error)
{
  ImageReader *self = (ImageReader *)base;

  VIX_MAY_BLOCK ();
  return vmdk_changes_find (self->changes, offset, len, ret_data, ret_len,
                            error);
}

static gboolean
read_changes (ImageReader *self, guint64 offset, guint8 *buf, gsize len,
              GError **error)
{
  while (len > 0) {
    gboolean changed;
    guint64 n;

    if (!vmdk_changes_find (self->changes, offset, len, &changed, &n, error))
      return FALSE;
    if (!changed)
      memset (buf, 0, n);
    else if (!vmdk_chain_read (self->chain, offset, buf, n, error))
      return FALSE;
    offset += n;
    buf += n;
    len -= n;
  }
  return TRUE;
}

static gboolean
image_read (VixFileReader *base, guint64 offset, void *buf, gsize len,
            gsize *ret_done, GError **error)
{
  ImageReader *self = (ImageReader *)base;
  guint64 capacity = vmdk_chain_get_capacity (self->chain);

  VIX_MAY_BLOCK ();
  len = (gsize)MIN (len, capacity - MIN (offset, capacity));
  if (len > 0
      && !(self->changes != NULL
             ? read_changes (self, offset, buf, len, error)
             : vmdk_chain_read (self->chain, offset, buf, len, error)))
    return FALSE;
  *ret_done = len;
  return TRUE;
}

static void
image_free (VixFileReader *base)
{
  ImageReader *self = (ImageReader *)base;

  vmdk_changes_free (self->changes);
  vmdk_chain_free (self->older);
  vmdk_chain_free (self->chain);
  g_free (self);
}

VixFileReader *
vix_image_reader_new (VmdkChain *chain)
{
  ImageReader *self = g_new0 (ImageReader, 1);

  self->base.size = vmdk_chain_get_capacity (chain);
  self->base.read = image_read;
  self->base.map = whole_map;
  self->base.free = image_free;
  self->chain = chain;
  return &self->base;
}

VixFileReader *
vix_image_changes_reader_new (VmdkChain *older, VmdkChain *newer)
{
  ImageReader *self = (ImageReader *)vix_image_reader_new (newer);

  self->base.map = changes_map;
  self->older = older;
  self->changes = vmdk_changes_new (older, newer);
  return &self->base;
}
