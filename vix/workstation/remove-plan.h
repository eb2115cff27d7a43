/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * remove-plan.h - which files go and which links merge when snapshots are
 * removed. Decides only; opens disks for reading.
 *
 * A link stays while it is live: a remaining snapshot lists it, the VM runs on
 * it, somebody else reads it, or one of its descendants is live. Dead links of
 * the removed snapshots go, then their dead parents of the same lineage. A
 * live link that nothing lists and that has one child left is merged with it;
 * neighbouring ones make a run:
 *
 *     below <- link 0 <- ... <- link k <- top <- children of top
 *
 * Into the top: every link's content goes up, then the top's parent is what
 * was below. All contents stay valid throughout, so the commit comes last; it
 * can be cancelled. Into the bottom: everything goes down into link 0, which
 * takes the top's content id and its place in the .vmx, the .vmsd and its
 * children. Link 0 by itself is destroyed by the first write, so the commit
 * comes first. A base keeps its place where its format can be written.
 *
 * Bases are never deleted: what the VM does not name any more may still be
 * somebody's disk.
 */
#pragma once

#include "disk/write.h"
#include "workstation/disk-graph.h"

G_BEGIN_DECLS

typedef struct {
  GPtrArray *links; /* WsLink, the lowest first; at least one */
  WsLink *top;
  gboolean into_top;
  guint64 cost; /* bytes to write */
} WsRun;

typedef struct {
  WsChange *change; /* borrowed */
  WsGraph *graph;
  GHashTable *gone;  /* set of uids (gint64 keys) that are removed */
  GPtrArray *doomed; /* WsLink: their files go */
  GPtrArray *runs;   /* WsRun; at most one in each tree of links */
  gboolean more;     /* there is more to merge after this step */
} WsRemoval;

/**
 * ws_removal_plan:
 * @uids: (element-type gint64): may be empty: only merge what can be
 * @error: %VIX_E_OBJECT_IS_BUSY for a disk that a clone reads,
 *   %VIX_E_DISK_* for a damaged chain, %VIX_E_DISK_NOTSUPPORTED for formats
 *   that can be merged in neither direction, %VIX_E_NOT_SUPPORTED for a disk
 *   outside the VM's directory that would have to be written
 */
WsRemoval *ws_removal_plan (WsChange *change, const GArray *uids,
                            GError **error);
void ws_removal_free (WsRemoval *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (WsRemoval, ws_removal_free)

/**
 * ws_removal_plan_revert:
 *
 * For a revert: no snapshot goes, nothing is merged, but the VM's running
 * disks go as far as they are children that nothing else needs, and their dead
 * parents.
 */
WsRemoval *ws_removal_plan_revert (WsChange *change, GError **error);

/* Does @link go? Then nothing else is to be done with it. */
gboolean ws_removal_dooms (const WsRemoval *self, const WsLink *link);

/* Opens a link of the directory. */
VmdkLink *ws_link_open (WsChange *change, const WsLink *link, gboolean writable,
                        GError **error);

G_END_DECLS
