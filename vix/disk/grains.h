/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * grains.h - what all sparse formats share: a directory of tables, each
 * entry of a table saying where one grain lies. A format brings a function
 * that loads a table into the common form below; looking up, runs of equal
 * state and reading of plain grains are done here.
 */
#pragma once

#include "disk/block-cache.h"
#include "disk/extent.h"

G_BEGIN_DECLS

/* Tables of one extent that are kept, of 64-bit entries. Readers ask the map of
 * the chain, which needs a table only while it finds out the segment that the
 * table is of: 8 are one segment of a hosted format, and little even for the
 * 1,024 extents of a split disk or the links of a deep chain. */
#define VMDK_TABLES_KEPT 8u
/* Where each read looks at the tables: 32 GiB at full speed, more with a read
 * each. */
#define VMDK_TABLE_CACHE_BYTES (4u << 20)
/* 64 TiB at 32 MiB a table are 2^21; their directory takes 16 MiB. */
#define VMDK_MAX_TABLES (1u << 22)
#define VMDK_MAX_GRAIN_SECTORS (1u << 21)

/* Entries of VmdkGrains.directory besides the format's own values. */
#define VMDK_NO_TABLE 0u
#define VMDK_BAD_TABLE G_MAXUINT32

/* Entries of a loaded table; all else is the grain's first sector. */
#define VMDK_GRAIN_NONE G_GUINT64_CONSTANT (0)
#define VMDK_GRAIN_ZERO G_GUINT64_CONSTANT (1)
#define VMDK_GRAIN_BAD G_MAXUINT64

typedef struct VmdkGrains VmdkGrains;
struct VmdkGrains {
  VmdkExtent base;
  guint32 *directory; /* base.n_tables values */
  guint32 per_table;
  gsize table_bytes; /* of a table in the file */
  /* Where table @index lies in the file, under the same condition; NULL: its
   * directory entry is the sector. */
  guint64 (*place_table) (const VmdkGrains *self, guint64 index);
  /* Fills per_table entries of table @index, whose directory entry is neither
   * of the two constants. */
  gboolean (*load_table) (VmdkGrains *self, guint64 index, guint64 *entries,
                          GError **error);
  /* (nullable): how many tables from @index on, itself included, certainly
   * have no grain; 0 if that takes reading them. */
  guint64 (*count_empty) (VmdkGrains *self, guint64 index);
  VmdkBlockCache *cache;
  VmdkBlock *empty; /* stands for each table without a grain */
  /* A bit for each table known to be one of those, so that a huge empty disk
   * costs neither reads nor cache. Changed atomically. */
  guint *known_empty;
  GHashTable *dirty; /* index (gint64) to VmdkBlock not yet written; or NULL */
};

/* Tables needed for @sectors; 0 if that is more than can be handled. */
guint64 vmdk_grains_count_tables (guint64 sectors, guint64 grain_sectors,
                                  guint64 per_table);

/* With base.ops, base.grain, base.n_tables, per_table, table_bytes and
 * load_table set, makes the rest; directory is zeroed. */
void vmdk_grains_init (VmdkGrains *self);
void vmdk_grains_clear (VmdkGrains *self);

/* Table @index is about to get a grain. */
void vmdk_grains_forget_empty (VmdkGrains *self, guint64 index);

/* Table @index, with a reference. */
VmdkBlock *vmdk_grains_get_table (VmdkGrains *self, guint64 index,
                                  GError **error);
/* The entry of the grain that holds @offset; a bad one is an error. */
gboolean vmdk_grains_lookup (VmdkGrains *self, guint64 offset,
                             guint64 *ret_entry, GError **error);
gboolean vmdk_grains_map (VmdkExtent *extent, guint64 offset, guint64 len,
                          VmdkState *ret_state, guint64 *ret_len,
                          GError **error);
void vmdk_grains_place_tables (VmdkExtent *extent, guint64 offset, guint64 len,
                               GArray *places);
/* The part of the range that has one state and is contiguous in the file:
 * its first grain's entry (a bad one is an error) and its length, not beyond
 * one table. */
gboolean vmdk_grains_find_piece (VmdkGrains *self, guint64 offset, guint64 len,
                                 guint64 *ret_entry, guint64 *ret_len,
                                 GError **error);
/* For grains that are stored as they are. */
gboolean vmdk_grains_locate (VmdkExtent *extent, guint64 offset, guint64 len,
                             guint64 *ret_where, guint64 *ret_len,
                             GError **error);
gboolean vmdk_grains_read (VmdkExtent *extent, guint64 offset, void *buf,
                           gsize len, GError **error);

/* Does the grain at @sector, up to its part that belongs to the disk, lie
 * between @first_sector and the end of the file? @index: of the grain. */
gboolean vmdk_grains_is_inside (const VmdkGrains *self, guint64 index,
                                guint64 sector, guint64 first_sector);

G_END_DECLS
