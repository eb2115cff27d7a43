/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sparse-header.h - the header of hosted sparse extents ("KDMV"): decoding,
 * checking against the file it is in, encoding.
 */
#pragma once

#include "disk/source.h"

G_BEGIN_DECLS

#define VMDK_SPARSE_HEADER_BYTES 512u
#define VMDK_SPARSE_MAGIC 0x564d444bu /* "KDMV" */
#define VMDK_SPARSE_GD_AT_END G_MAXUINT64

enum {
  VMDK_SPARSE_NEWLINE_TEST = 1u << 0,
  VMDK_SPARSE_REDUNDANT = 1u << 1,
  VMDK_SPARSE_ZERO_GRAINS = 1u << 2,
  VMDK_SPARSE_COMPRESSED = 1u << 16,
  VMDK_SPARSE_MARKERS = 1u << 17
};

/* All places and sizes in sectors. */
typedef struct {
  guint32 version;
  guint32 flags;
  guint64 capacity;
  guint64 grain;
  guint64 descriptor_offset; /* 0: no descriptor inside */
  guint64 descriptor_size;
  guint32 per_table; /* entries of a table */
  guint64 rgd;       /* meaningless without VMDK_SPARSE_REDUNDANT */
  guint64 gd;
  guint64 overhead; /* where grains begin */
  gboolean unclean;
  guint16 compression;
  /* Computed: */
  guint64 n_tables;
  guint64 directory_sectors;
  guint64 table_sectors;
} VmdkSparseHeader;

/* Table entries are sectors of 32 bits. */
#define VMDK_SPARSE_MAX_FILE_BYTES (G_GUINT64_CONSTANT (0xffffffff) * 512)

/* Offset of the unclean mark, one byte. */
#define VMDK_SPARSE_UNCLEAN_OFFSET 72u

/* Do the first bytes of a file say that it is one of these? */
gboolean vmdk_sparse_header_probe (const void *first, gsize len);

/**
 * vmdk_sparse_header_read:
 *
 * Reads the header, or the footer that replaces it, and checks every field:
 * afterwards descriptor and directories lie inside the file and all sizes are
 * small enough to multiply.
 */
gboolean vmdk_sparse_header_read (VmdkSource *source, VmdkSparseHeader *ret,
                                  GError **error);

void vmdk_sparse_header_encode (const VmdkSparseHeader *self,
                                guint8 out[VMDK_SPARSE_HEADER_BYTES]);

/* Sets the computed fields; FALSE if the tables are too many. */
gboolean vmdk_sparse_header_compute (VmdkSparseHeader *self);

G_END_DECLS
