/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * extent.h - one extent of a link: a contiguous part of the disk kept in one
 * file in one format. A format is a const table of functions; link.c and
 * merge.c know no more than this.
 *
 * Offsets are bytes from the start of the extent. Reading functions may be
 * called from any number of threads while nothing is written.
 */
#pragma once

#include "disk/descriptor.h"
#include "disk/link.h"

G_BEGIN_DECLS

/* A merge holds a whole grain in memory: 16 MiB. Everyone uses 64 KiB. */
#define VMDK_MAX_WRITABLE_GRAIN_SECTORS (1u << 15)

typedef struct VmdkExtent VmdkExtent;

/* Part of a file. */
typedef struct {
  VmdkSource *source; /* borrowed */
  guint64 offset;
  guint64 len;
} VmdkPlace;

typedef struct {
  const char *name;
  /* As vmdk_link_map() and vmdk_link_read(), inside one extent. A run may end
   * early, but not before one whole grain. */
  gboolean (*map) (VmdkExtent *self, guint64 offset, guint64 len,
                   VmdkState *ret_state, guint64 *ret_len, GError **error);
  gboolean (*read) (VmdkExtent *self, guint64 offset, void *buf, gsize len,
                    GError **error);
  /* Where VMDK_DATA at @offset lies in the file, and how much of it from there
   * on. NULL where data is not stored as it is. */
  gboolean (*locate) (VmdkExtent *self, guint64 offset, guint64 len,
                      guint64 *ret_where, guint64 *ret_len, GError **error);
  /* Adds the places, inside the file, of the tables that say where the range
   * is. Reads nothing. NULL where there are no tables. */
  void (*place_tables) (VmdkExtent *self, guint64 offset, guint64 len,
                        GArray *places);

  /* NULL where the format cannot be written: */

  /* Is it sound enough to be written? %VIX_E_DISK_NEEDSREPAIR if not. */
  gboolean (*check) (VmdkExtent *self, GError **error);
  /* Announces that the range will be written or zeroed, without repetition;
   * reserve_end() then makes room for all of it, or for nothing and
   * %VIX_E_DISK_FULL. */
  gboolean (*reserve) (VmdkExtent *self, guint64 offset, guint64 len,
                       gboolean zero, GError **error);
  gboolean (*reserve_end) (VmdkExtent *self, GError **error);
  /* Gives back what is reserved and not used. */
  gboolean (*release) (VmdkExtent *self, GError **error);
  /* Where the range is not VMDK_DATA yet, it must consist of whole grains; the
   * extent's last one may be short. */
  gboolean (*write) (VmdkExtent *self, guint64 offset, const void *buf,
                     gsize len, GError **error);
  /* The same with zeros, which hide what lies below. */
  gboolean (*zero) (VmdkExtent *self, guint64 offset, guint64 len,
                    GError **error);
  /* What was written so far is found by whoever opens the file, and stays
   * there if the power fails. */
  gboolean (*flush) (VmdkExtent *self, GError **error);
  gboolean (*repair) (VmdkExtent *self, GError **error);
  void (*free) (VmdkExtent *self);
} VmdkExtentOps;

struct VmdkExtent {
  const VmdkExtentOps *ops;
  VmdkSource *source; /* borrowed; NULL for zeros */
  guint64 start;      /* on the disk, bytes */
  guint64 length;     /* bytes */
  /* Least unit that is present or not, bytes; 1 where all is present. */
  guint64 grain;
  guint64 n_tables;       /* entries of its directory, a measure of memory */
  guint64 room;           /* bytes by which the file may still grow */
  gboolean can_write;     /* the format, in this version, can be written */
  gboolean compact_zeros; /* zeros need no space in the file */
};

/* All take the line that names the extent and the open file. @start is set by
 * the caller. The file's own idea of its size must be that of @line. */
VmdkExtent *vmdk_extent_open_flat (const VmdkExtentLine *line,
                                   VmdkSource *source, GError **error);
VmdkExtent *vmdk_extent_open_zero (const VmdkExtentLine *line);
VmdkExtent *vmdk_extent_open_sparse (const VmdkExtentLine *line,
                                     VmdkSource *source, gboolean writable,
                                     GError **error);
VmdkExtent *vmdk_extent_open_cowd (const VmdkExtentLine *line,
                                   VmdkSource *source, GError **error);
VmdkExtent *vmdk_extent_open_sesparse (const VmdkExtentLine *line,
                                       VmdkSource *source, GError **error);
void vmdk_extent_free (VmdkExtent *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VmdkExtent, vmdk_extent_free)

G_END_DECLS
