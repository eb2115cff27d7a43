/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * make-file.h - the big files that a transaction creates: children of disks,
 * and copies.
 */
#pragma once

#include "disk/chain.h"
#include "workstation/vm-change.h"

G_BEGIN_DECLS

/* Makes the planned file @child an empty child of the newest link of @chain.
 */
gboolean ws_make_child (WsChange *change, Txn *txn, const VmdkChain *chain,
                        const char *child, GError **error);

/**
 * ws_make_copy:
 * @from: (nullable): a file of the VM's directory; NULL: nothing is done
 *
 * Makes the planned file @to a copy: by reference where the file system can,
 * else keeping the holes. Content and modification time. Can be cancelled;
 * blocks.
 */
gboolean ws_make_copy (WsChange *change, Txn *txn, const char *from,
                       const char *to, GError **error);

G_END_DECLS
