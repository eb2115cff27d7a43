/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * diffs.h - what of a disk may differ between two snapshots.
 *
 * Found from the disks' tables when somebody first looks, which may block on a
 * local disk or on a host; those looked at last are kept. Two snapshots never
 * change, so it always comes out the same. Any thread.
 */
#pragma once

#include <glib.h>

#include "images.h"
#include "tree.h"

G_BEGIN_DECLS

/* What all that is kept may take: more than one disk of 2 TiB with 1 % changed
 * in single grains, 330,000 lines. */
#define FS_DIFFS_BYTES (16u << 20)
/* Ranges of one disk. Where there are more, those with the least between them
 * become one: all that differs is still inside. */
#define FS_DIFF_RANGES (1u << 19)

/* Counted and immutable. */
typedef struct {
  gatomicrefcount references;
  int error;    /* errno if it cannot be told */
  gint64 bytes; /* that may differ */
  GBytes *text; /* "OFFSET LENGTH\n" each, in bytes, ascending */
} FsDiff;

typedef struct FsDiffs FsDiffs;

FsDiffs *fs_diffs_new (FsMount *mount);
void fs_diffs_free (FsDiffs *self);

/**
 * fs_diffs_get:
 * @node: of the newer snapshot
 * @older: id of the other; 0: what is data at all
 * @image: which of the newer one's disks
 *
 * EBUSY while one of the two is being removed.
 *
 * Returns: (transfer full)
 */
FsDiff *fs_diffs_get (FsDiffs *self, const FsNode *node, gint64 older,
                      const FsImage *image);
/* The same, if somebody has looked at it already: never blocks.
 *
 * Returns: (transfer full) (nullable) */
FsDiff *fs_diffs_get_kept (FsDiffs *self, const FsNode *node, gint64 older,
                           const FsImage *image);
void fs_diff_unref (FsDiff *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (FsDiff, fs_diff_unref)

G_END_DECLS
