/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * notify.h - tells the kernel what it must ask for again.
 *
 * Nodes are told of by the thread that made the change, at once: nobody hears
 * that the change is made before the kernel asks for the node again. That takes
 * no lock of the kernel's that a request can hold. What is gone is then found
 * to be gone: its node is answered with ESTALE, upon which the kernel looks
 * the name up anew, as it does by itself before it makes or replaces a name.
 *
 * So names need not be told of, except where one comes to mean another node
 * while the old one stays: a new alias. Telling of a name takes the lock of its
 * directory, which the kernel holds from the moment it sends mkdir or rmdir
 * until the answer; stuck there, the process could not even be killed. So that
 * is done by one thread, and only in directories in which every request is
 * answered at once: those of VMs.
 *
 * A node that the kernel is just being told of with what was true before the
 * change is not yet in its cache when the change is told. So every node is told
 * of a second time, %FS_NOTIFY_AGAIN_MS later.
 *
 * Any thread. Lock level 3; nothing is sent while it is held.
 */
#pragma once

#include <glib.h>

#include "fs-fuse.h"
#include "stale.h"
#include "stats.h"

G_BEGIN_DECLS

#define FS_NOTIFY_AGAIN_MS 500

typedef struct FsNotify FsNotify;

FsNotify *fs_notify_new (FsStats *stats);
/* From here on there is a kernel to tell. @session outlives the call of
 * fs_notify_stop(). */
void fs_notify_start (FsNotify *self, struct fuse_session *session);
/* Nothing is sent any more; waits a moment for what is under way. %FALSE if
 * that is stuck: then session and @self must live as long as the process. */
gboolean fs_notify_stop (FsNotify *self);
/* It was stopped, or never started. */
void fs_notify_free (FsNotify *self);

/* @stale: (transfer full) */
void fs_notify_send (FsNotify *self, FsStale *stale);

G_END_DECLS
