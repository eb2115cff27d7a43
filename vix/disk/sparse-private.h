/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sparse-private.h - a hosted sparse extent, for the files that read
 * (extent-sparse.c, extent-stream.c), check (sparse-scan.c) and write it
 * (sparse-write.c).
 */
#pragma once

#include "disk/grains.h"
#include "disk/reservation.h"
#include "disk/sparse-header.h"

G_BEGIN_DECLS

typedef struct {
  VmdkGrains grains;
  VmdkSparseHeader header;
  /* Some entry of the first directory or its tables was out of range and the
   * redundant one was taken: reading goes on, writing does not. Set by
   * any thread, never cleared. */
  gint damaged;
  VmdkBlockCache *inflated; /* compressed extents: grains by number */

  /* Of a writable one: */
  guint32 *redundant;     /* second directory; NULL if there is none */
  guint64 next_sector;    /* where the next grain goes */
  guint64 batch_bytes;    /* written since the last flush of tables */
  gboolean checked;       /* vmdk_sparse_check() found nothing */
  gboolean marked;        /* the unclean mark is set in the file */
  guint64 want_bytes;     /* announced to reserve(), not yet reserved */
  guint64 reserved_bytes; /* behind next_sector, by earlier reserve_end() */
  gint64 want_table;      /* last table announced; -1: none */
  VmdkReservation *reservation; /* inside the file; NULL once it is used */
} VmdkSparse;

extern const VmdkExtentOps vmdk_sparse_ops;
extern const VmdkExtentOps vmdk_stream_ops;

/* extent-sparse.c */
gboolean vmdk_sparse_load_table (VmdkGrains *grains, guint64 index,
                                 guint64 *entries, GError **error);
void vmdk_sparse_free (VmdkExtent *extent);
/* As VmdkGrains.count_empty: tables that lie in a hole of the file. */
guint64 vmdk_sparse_count_empty (VmdkGrains *grains, guint64 index);
/* Is a grain table at @sector between the descriptor and the file's end? */
gboolean vmdk_sparse_is_table_inside (const VmdkSparse *self, guint32 sector);
/* A raw table entry of grain number @grain in the common form. */
guint64 vmdk_sparse_decode_entry (const VmdkSparse *self, guint64 grain,
                                  guint32 raw);
/* header.n_tables entries of a directory. */
gboolean vmdk_sparse_read_directory (VmdkSparse *self, guint64 sector,
                                     guint32 *out, GError **error);

/* sparse-scan.c */
gboolean vmdk_sparse_check (VmdkExtent *extent, GError **error);
gboolean vmdk_sparse_repair (VmdkExtent *extent, GError **error);

/* sparse-write.c */
gboolean vmdk_sparse_open_writable (VmdkSparse *self, GError **error);
/* Gives each directory the tables it lacks. */
gboolean vmdk_sparse_fill_directories (VmdkSparse *self, GError **error);
gboolean vmdk_sparse_set_mark (VmdkSparse *self, gboolean unclean,
                               GError **error);
gboolean vmdk_sparse_reserve (VmdkExtent *extent, guint64 offset, guint64 len,
                              gboolean zero, GError **error);
gboolean vmdk_sparse_reserve_end (VmdkExtent *extent, GError **error);
gboolean vmdk_sparse_release (VmdkExtent *extent, GError **error);
gboolean vmdk_sparse_write (VmdkExtent *extent, guint64 offset, const void *buf,
                            gsize len, GError **error);
gboolean vmdk_sparse_zero (VmdkExtent *extent, guint64 offset, guint64 len,
                           GError **error);
gboolean vmdk_sparse_flush (VmdkExtent *extent, GError **error);

G_END_DECLS
