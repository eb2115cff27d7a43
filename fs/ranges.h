/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ranges.h - ranges of bytes in ascending order, as many as there may be.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct FsRanges FsRanges;

/* @max: at least 2. Where more come, those with the least between them become
 * one. */
FsRanges *fs_ranges_new (guint max);
void fs_ranges_free (FsRanges *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (FsRanges, fs_ranges_free)

/* Begins at or behind the end of the last one; at its end, it goes on. */
void fs_ranges_add (FsRanges *self, gint64 start, gint64 length);

/* Bytes in all of them. */
gint64 fs_ranges_sum (const FsRanges *self);
/* (transfer full): "START LENGTH\n" each */
GBytes *fs_ranges_print (const FsRanges *self);

G_END_DECLS
