/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * create.h - taking a snapshot as a part of another operation.
 */
#pragma once

#include "workstation/vm-change.h"

G_BEGIN_DECLS

/* What ws_create_snapshot() does, with the locks held. The change's own view
 * of the VM is as before: see ws_change_reload(). */
gboolean ws_create_locked (WsChange *change, const VixSnapshotParams *params,
                           gint64 *ret_id, GError **error);

G_END_DECLS
