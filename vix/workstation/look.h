/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * look.h - a VM as a call that only reads finds it on its disk.
 */
#pragma once

#include "workstation/host-private.h"

G_BEGIN_DECLS

typedef struct {
  WsVmDir *dir;
  KvFile *vmx;  /* NULL: cannot be read */
  WsVmsd *vmsd; /* NULL unless a snapshot was asked for */
  WsResolver *resolver;
} WsLook;

/**
 * ws_look_at:
 * @self: zeroed; to be cleared whatever comes back
 * @ret_snapshot: (out) (nullable): set if @snapshot is not 0
 *
 * Blocks on the disk.
 */
gboolean ws_look_at (WsHost *host, const char *id, gint64 snapshot,
                     WsLook *self, const WsSnapshot **ret_snapshot,
                     GError **error);
/* Another snapshot of the same look, for which a snapshot was asked. */
const WsSnapshot *ws_look_find (const WsLook *self, const char *id,
                                gint64 snapshot, GError **error);
/* The snapshot that changed @disk of @snapshot last: see
 * vix_image_find_changed_by(). */
gboolean ws_image_find_changed_by (const WsVmsd *vmsd, WsResolver *resolver,
                                   const WsSnapshot *snapshot,
                                   const WsSnapshotDisk *disk, gint64 *ret_id,
                                   GError **error);
void ws_look_clear (WsLook *self);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (WsLook, ws_look_clear)

G_END_DECLS
