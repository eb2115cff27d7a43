/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Making a child: one sparse file whose descriptor is inside. Layout, in
 * sectors: header 0, descriptor 1, redundant directory 21, its tables, the
 * directory, its tables, then grains from a multiple of 128 on. The tables
 * are a hole of the file.
 */
#include <string.h>

#include "base/error.h"
#include "disk/link-private.h"
#include "disk/sparse-header.h"
#include "disk/write.h"

#define DESCRIPTOR_SECTORS 20u
#define GRAIN_SECTORS 128u
#define ENTRIES_PER_TABLE 512u

guint32
vmdk_new_cid (void)
{
  guint32 cid;

  /* Reserved: "no parent", "see the long id"; and 0, which some take for
   * "none". */
  do
    cid = g_random_int ();
  while (cid == 0 || cid >= 0xfffffffeu);
  return cid;
}

static gboolean
lay_out (const VmdkLink *parent, VmdkSparseHeader *h, GError **error)
{
  guint64 tables;

  *h = (VmdkSparseHeader){
    .version = 1,
    .flags = VMDK_SPARSE_NEWLINE_TEST | VMDK_SPARSE_REDUNDANT,
    .capacity = parent->capacity / VMDK_SECTOR,
    .grain = GRAIN_SECTORS,
    .descriptor_offset = 1,
    .descriptor_size = DESCRIPTOR_SECTORS,
    .per_table = ENTRIES_PER_TABLE,
  };
  if (!vmdk_sparse_header_compute (h)) {
    g_set_error (error, VIX_ERROR, VIX_E_DISK_NOTSUPPORTED,
                 "%s: too large for a sparse child", parent->id);
    return FALSE;
  }
  tables = h->n_tables * h->table_sectors;
  h->rgd = 1 + DESCRIPTOR_SECTORS;
  h->gd = h->rgd + h->directory_sectors + tables;
  h->overhead = h->gd + h->directory_sectors + tables;
  h->overhead
    = (h->overhead + GRAIN_SECTORS - 1) / GRAIN_SECTORS * GRAIN_SECTORS;
  return TRUE;
}

/* A directory at @sector whose tables follow it. */
static void
put_directory (guint8 *out, const VmdkSparseHeader *h, guint64 sector)
{
  guint64 table = sector + h->directory_sectors;

  for (guint64 i = 0; i < h->n_tables; i++, table += h->table_sectors) {
    guint32 raw = GUINT32_TO_LE ((guint32)table);

    memcpy (out + i * sizeof raw, &raw, sizeof raw);
  }
}

static gboolean
write_all (const VmdkSparseHeader *h, const char *text, VmdkSource *dest,
           GError **error)
{
  gsize directory_bytes = (gsize)h->directory_sectors * VMDK_SECTOR;
  gsize head_bytes = (gsize)h->rgd * VMDK_SECTOR + directory_bytes;
  g_autofree guint8 *head = g_malloc0 (head_bytes);
  g_autofree guint8 *directory = g_malloc0 (directory_bytes);

  vmdk_sparse_header_encode (h, head);
  memcpy (head + VMDK_SECTOR, text, strlen (text) + 1);
  put_directory (head + h->rgd * VMDK_SECTOR, h, h->rgd);
  put_directory (directory, h, h->gd);
  return dest->ops->truncate (dest, h->overhead * VMDK_SECTOR, error)
         && dest->ops->pwrite (dest, h->gd * VMDK_SECTOR, directory,
                               directory_bytes, error)
         && dest->ops->pwrite (dest, 0, head, head_bytes, error);
}

gboolean
vmdk_create_child (VmdkLink *parent, const char *parent_hint,
                   const char *file_name, VmdkSource *dest, GError **error)
{
  VmdkSparseHeader h;
  g_autofree char *text = NULL;

  if (!lay_out (parent, &h, error))
    return FALSE;
  text = vmdk_descriptor_format_child (parent->descriptor, vmdk_new_cid (),
                                       parent_hint, file_name, error);
  if (text == NULL)
    return FALSE;
  if (strlen (text) >= DESCRIPTOR_SECTORS * VMDK_SECTOR) {
    g_set_error (error, VIX_ERROR, VIX_E_INVALID_ARG,
                 "%s: the names of the disk and its parent are too long for a "
                 "descriptor",
                 file_name);
    return FALSE;
  }
  return write_all (&h, text, dest, error);
}
