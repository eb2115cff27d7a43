/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * link-private.h - the parts of a link, for chain.c, create.c and merge.c.
 */
#pragma once

#include "disk/chain.h"
#include "disk/extent.h"

G_BEGIN_DECLS

/* Entries of all directories of a link, 4 bytes each: 62 TiB in the smallest
 * usual tables, of 2 MiB, are 2^25. */
#define VMDK_LINK_MAX_TABLES (1u << 25)

struct VmdkLink {
  char *id;
  VmdkDescriptor *descriptor;
  /* Every open file; the descriptor's first. */
  GPtrArray *sources;
  GPtrArray *extents; /* VmdkExtent, in disk order, without gaps */
  guint64 capacity;
  gboolean embedded;
  gboolean writable;
  /* Where an embedded descriptor lies. */
  guint64 descriptor_offset;
  guint64 descriptor_bytes;
  VmdkChain *below; /* borrowed; see vmdk_merge_set_below() */
};

/* The extent that holds @offset, which lies below the capacity. */
VmdkExtent *vmdk_link_get_extent_at (const VmdkLink *self, guint64 offset);
/* %VIX_E_INVALID_ARG unless the range lies inside the disk. */
gboolean vmdk_link_check_range (const VmdkLink *self, guint64 offset,
                                guint64 len, GError **error);
/* Entries of all grain directories. */
guint64 vmdk_link_get_n_tables (const VmdkLink *self);

G_END_DECLS
