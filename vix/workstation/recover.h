/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * recover.h - completing or undoing what a killed process left of a change.
 */
#pragma once

#include "disk/write.h"
#include "workstation/vm-change.h"

G_BEGIN_DECLS

/* What transactions on @change need to do to disks; borrows @change. */
TxnHandlers ws_recover_handlers (WsChange *change);

/* Progress of one of change->merges_total merges goes to the operation. */
VmdkMergeControl ws_change_merge_control (WsChange *change,
                                          GCancellable *cancellable);

/* The chain under @link, NULL for a base; for vmdk_merge_set_below(). */
gboolean ws_open_below (WsResolver *resolver, VmdkLink *link,
                        VmdkChain **ret_chain, GError **error);

/**
 * ws_recover_locked:
 * @change: from ws_change_open()
 * @merges: also complete merges, which may take hours
 * @ret_merges_left: (nullable): %TRUE if there are some and @merges is %FALSE
 *
 * What ws_recover_vm() does once it has the locks.
 */
gboolean ws_recover_locked (WsChange *change, gboolean merges,
                            gboolean *ret_merges_left, GError **error);

/* As ws_recover_vm(), for the merge queue, which sets @merges. */
gboolean ws_recover_with (WsHost *host, const char *id, gboolean merges,
                          GCancellable *cancellable, gboolean *ret_merges_left,
                          GError **error);

/* Any thread. A VM that is in the queue already is not added again. */
void ws_merge_queue_push (WsMergeQueue *self, const char *id);

G_END_DECLS
