/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * remove.h - merging what no snapshot keeps apart any more.
 */
#pragma once

#include "workstation/vm-change.h"

G_BEGIN_DECLS

/* %VIX_E_OBJECT_IS_BUSY naming the linked clone that needs @snapshot. */
gboolean ws_check_no_clones (WsChange *change, const WsSnapshot *snapshot,
                             GError **error);

/* Merges every link of @change that no snapshot lists and that has one child
 * left. Best effort: what does not work now stays for a later removal. */
void ws_consolidate (WsChange *change);

G_END_DECLS
