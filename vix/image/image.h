/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * image.h - what a provider tells of a snapshot's disks.
 */
#pragma once

#include "core/provider.h"
#include "disk/chain.h"

G_BEGIN_DECLS

/* What is wrong with a disk that cannot be read; NULL: nothing. */
void vix_image_set_problem (VixExtImage *image, const GError *problem);

/* (VixExtImage) with texts of its own: frees them. */
GArray *vix_images_new (void);
/* All of @images by node, in one g_malloc block. */
VixExtImage *vix_images_pack (GArray *images);

/* Asks which snapshot is the parent of the one asked of last (of the first
 * call: of the snapshot whose disk it is), and which link was its disk; %FALSE
 * if there is no such snapshot, or it had another disk. */
typedef gboolean (*VixImageParentFunc) (gpointer data, gint64 *ret_snapshot,
                                        char **ret_link_id);

/**
 * vix_image_find_changed_by:
 * @chain: the disk of @snapshot
 *
 * The newest snapshot, up from @snapshot while what was frozen holds nothing of
 * its own and is as large as what it is on. Reads the tables of those.
 */
gboolean vix_image_find_changed_by (VmdkChain *chain, gint64 snapshot,
                                    VixImageParentFunc parent, gpointer data,
                                    gint64 *ret_id, GError **error);

/**
 * vix_image_describe:
 * @chain: the disk of @snapshot
 * @ret_image: (out): bytes, allocated and changedBy
 *
 * Reads all tables.
 */
gboolean vix_image_describe (VmdkChain *chain, gint64 snapshot,
                             VixImageParentFunc parent, gpointer data,
                             VixExtImage *ret_image, GError **error);

G_END_DECLS
