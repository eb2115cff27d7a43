/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * write.h - making a child disk, and merging two neighbours of a chain.
 *
 * Callers hold the locks of every file that is written and have planned for
 * a crash at any point; each function says what a killed run leaves behind.
 */
#pragma once

#include "disk/chain.h"

G_BEGIN_DECLS

/* A random content id that is none of the reserved values. */
guint32 vmdk_new_cid (void);

/**
 * vmdk_create_child:
 * @parent: the disk to be frozen
 * @parent_hint: how the child names it
 * @file_name: the child's own name, for its extent line
 * @dest: an empty writable file
 *
 * Writes a monolithicSparse child with the parent's capacity, CID and
 * adapter type, all grains unallocated. Time and space depend on the capacity
 * only by the grain directories (256 KiB each for 2 TiB); grain tables are
 * holes. Does not sync.
 */
gboolean vmdk_create_child (VmdkLink *parent, const char *parent_hint,
                            const char *file_name, VmdkSource *dest,
                            GError **error);

/* Reports 0..100. */
typedef struct {
  GCancellable *cancellable;                     /* may be NULL */
  void (*progress) (gpointer data, int percent); /* may be NULL */
  gpointer data;
} VmdkMergeControl;

/**
 * vmdk_merge_set_below:
 * @below: (nullable): what the unallocated ranges of @parent fall through to,
 *   that is, the chain of @parent's own parent; borrowed until @parent is
 *   freed
 *
 * Only for links of different grain sizes (a COWD or SESparse delta under a
 * hosted child): a grain of the target that the source fills in part takes the
 * rest from there. Without it such a merge is impossible.
 */
void vmdk_merge_set_below (VmdkLink *parent, VmdkChain *below);

/**
 * vmdk_merge_cost:
 * @parent, @child: neighbours, either open mode
 * @ret_into_child, @ret_into_parent: bytes that the target would grow by and
 *   that have to be written, upper bounds to within table sizes; G_MAXUINT64
 *   where that direction is impossible (target's format cannot be written,
 *   would grow beyond 2 TiB, or see vmdk_merge_set_below())
 */
gboolean vmdk_merge_cost (VmdkLink *parent, VmdkLink *child,
                          guint64 *ret_into_child, guint64 *ret_into_parent,
                          GError **error);

/**
 * vmdk_merge_into_child:
 * @child: writable
 *
 * Copies into @child every grain that @parent holds and @child does not.
 * The content seen through @child never changes, so a killed or cancelled run
 * leaves a valid disk and may be repeated (after vmdk_link_repair_tables() if
 * it was killed). @child is checked as by vmdk_merge_reserve_parent(). Space
 * is reserved before the first write: %VIX_E_DISK_FULL leaves the file
 * as it was. Syncs. If @parent is a base, unallocated ranges stay
 * unallocated: both read as zero.
 */
gboolean vmdk_merge_into_child (VmdkLink *parent, VmdkLink *child,
                                const VmdkMergeControl *control,
                                GError **error);

/**
 * vmdk_merge_reserve_parent:
 *
 * Reserves in @parent (writable) all that vmdk_merge_into_parent() will need;
 * %VIX_E_DISK_FULL leaves content and size as they were. With one open @parent
 * it may be called for several children that shall be merged one after the
 * other: the reservations add up. They outlast the process. Also checks that
 * @parent is sound enough to be written: %VIX_E_DISK_NEEDSREPAIR,
 * %VIX_E_DISK_INVALIDDISK.
 */
gboolean vmdk_merge_reserve_parent (VmdkLink *parent, VmdkLink *child,
                                    GError **error);

/* Gives back what vmdk_merge_reserve_parent() took: after the last merge into
 * @parent (writable) the rest of it, and, for a merge that is not going to
 * happen, all that the same open @parent reserved. */
gboolean vmdk_merge_release_parent (VmdkLink *parent, GError **error);

/**
 * vmdk_merge_into_parent:
 * @parent: writable
 *
 * Copies into @parent every grain that @child holds, explicit zeros included.
 * The content seen through @child never changes; the content seen through
 * @parent alone does. Space reserved beyond its need stays reserved until
 * vmdk_merge_release_parent(). May be repeated after a kill and
 * vmdk_link_repair_tables(). Syncs.
 */
gboolean vmdk_merge_into_parent (VmdkLink *parent, VmdkLink *child,
                                 const VmdkMergeControl *control,
                                 GError **error);

G_END_DECLS
