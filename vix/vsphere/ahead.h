/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ahead.h - threads that fetch what is ahead of those who read on, before they
 * ask for it: how far, stream.h says, and the memory that there is for each
 * reader of the host.
 */
#pragma once

#include "vsphere/transfer-private.h"

G_BEGIN_DECLS

/* Somebody reads there; TRUE if it is one who reads on. With the transfer's
 * lock. */
gboolean vsphere_ahead_note_locked (VsphereFile *file, guint64 offset,
                                    gsize len);

/* Joins the threads; what they have not begun is given up. Blocks. */
void vsphere_ahead_stop (VsphereTransfer *self);

G_END_DECLS
