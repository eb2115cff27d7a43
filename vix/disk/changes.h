/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * changes.h - where two disks may differ, from the tables of their chains
 * alone: nothing but tables is read.
 *
 * Links that both chains have are the same content. So a range differs only
 * where a link that one chain has for itself holds something. What is not
 * reported as changed is equal in both, to the byte; what is reported may be
 * equal all the same, where a guest wrote what was there before.
 *
 * Any number of threads. Nothing of the chains may be written meanwhile.
 */
#pragma once

#include "disk/chain.h"

G_BEGIN_DECLS

typedef struct VmdkChanges VmdkChanges;

/* @older: (nullable): a disk of zeros stands for it. Both borrowed. */
VmdkChanges *vmdk_changes_new (VmdkChain *older, VmdkChain *newer);
void vmdk_changes_free (VmdkChanges *self); /* NULL is ignored */

/**
 * vmdk_changes_find:
 * @offset: below the capacity of the newer disk; @len: how far to look
 * @ret_len: length of the run from @offset that may differ or does not; at
 *   least 1, at most @len. A long run may come in pieces.
 *
 * What lies beyond the end of the older disk is changed. Blocks on I/O.
 */
gboolean vmdk_changes_find (VmdkChanges *self, guint64 offset, guint64 len,
                            gboolean *ret_changed, guint64 *ret_len,
                            GError **error);

G_END_DECLS
