/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * reservation.h - space reserved in the holes of a file, with the way back:
 * an operation that turns out too large for the file system leaves nothing
 * allocated. One thread.
 */
#pragma once

#include "disk/source.h"

G_BEGIN_DECLS

typedef struct VmdkReservation VmdkReservation;

/* @source is borrowed. */
VmdkReservation *vmdk_reservation_new (VmdkSource *source);
/* Gives nothing back. */
void vmdk_reservation_free (VmdkReservation *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VmdkReservation, vmdk_reservation_free)

/* Reserves the holes of the range, which lies inside the file. */
gboolean vmdk_reservation_add (VmdkReservation *self, guint64 offset,
                               guint64 len, GError **error);
/* Makes holes again of what was reserved. Only while none of it was written.
 */
gboolean vmdk_reservation_undo (VmdkReservation *self, GError **error);

G_END_DECLS
