/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * map.h - where the bytes of a chain, or of its upper links, lie: the tables
 * of all of them merged into runs, so that a read costs the same at any depth.
 *
 * The disk is cut into segments; the runs of a segment are found when it is
 * first looked at, and the segments used last are kept within a bound. A run
 * that is one piece in a file is one read, however many grains it spans; what
 * is a hole is known without reading.
 *
 * Any number of threads. Nothing of the chain may be written meanwhile.
 */
#pragma once

#include "disk/link.h"

G_BEGIN_DECLS

typedef struct VmdkMap VmdkMap;

/* What the runs of one map may take; all of a disk of 2 TiB with 1 % data in
 * single grains is 10 MiB. */
#define VMDK_MAP_BYTES (16u << 20)

/* @links: VmdkLink, newest first; borrowed, complete from the first read on
 * @whole: the last of them is a base, below which all is zero */
VmdkMap *vmdk_map_new (GPtrArray *links, guint64 capacity, gboolean whole);
void vmdk_map_free (VmdkMap *self); /* NULL is ignored */

/* Fills all of @buf; the range lies inside the disk. Damage is an error where
 * it is, and nowhere else. Blocks on I/O. */
gboolean vmdk_map_read (VmdkMap *self, guint64 offset, void *buf, gsize len,
                        GError **error);

/* The run from @offset on, inside the disk, that is VMDK_DATA, VMDK_ZERO or, in
 * a map that is not whole, VMDK_UNALLOCATED: none of the links holds it. At
 * least 1, at most @len, and not longer than is found quickly. */
gboolean vmdk_map_find (VmdkMap *self, guint64 offset, guint64 len,
                        VmdkState *ret_state, guint64 *ret_len, GError **error);

G_END_DECLS
