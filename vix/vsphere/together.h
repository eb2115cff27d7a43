/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * together.h - small reads of several readers in one request.
 *
 * Where a host is near, what a small read costs is the request. So no more of
 * those are sent at once than the line needs, and those who have to wait for
 * one to end go together: the first of them takes along what the others want
 * of its file. What fails so each does again by itself, with all the patience
 * and the words of folder.h. Hosts that take but one part a request are found
 * out, and asked for one from then on.
 *
 * "locked" is the transfer's lock.
 */
#pragma once

#include "vsphere/fetch.h"

G_BEGIN_DECLS

/* Whether @fetch is one of those, and the host one that takes them. */
gboolean vsphere_together_may_locked (const VsphereFetch *fetch);

/* Whether bytes are what small reads cost there now: the host is near, and
 * others wait for it as well. */
gboolean vsphere_together_is_busy_locked (const VsphereTransfer *self);

/**
 * vsphere_together_get_locked:
 * @fetch: (transfer full): if %TRUE is returned
 *
 * Waits until it is @fetch's turn, or somebody took it along.
 *
 * Returns: %TRUE once it came, failed or was given up with @cancellable;
 *   %FALSE if nobody else waits: the caller runs it by itself, and calls
 *   vsphere_together_leave_locked() then. Blocks; the lock is released
 *   meanwhile
 */
gboolean vsphere_together_get_locked (VsphereFetch *fetch,
                                      GCancellable *cancellable);
void vsphere_together_leave_locked (VsphereTransfer *self);

G_END_DECLS
