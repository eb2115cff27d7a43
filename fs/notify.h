/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * notify.h - tells the kernel what it must ask for again.
 *
 * Invalidating a node takes no lock of the kernel's that a request can hold:
 * the thread that made the change does it, so that it holds before anybody is
 * told that the change is made. Invalidating a name takes the lock of its
 * directory, which the kernel holds from the moment that it sends mkdir, rmdir
 * or rename until the answer: notifier threads do that. They put off names in
 * directories that are known to be held (fs_notify_hold()); should one get
 * stuck on a request that has not reached us yet, it waits alone: there are
 * some more. Order does not matter: an invalidation says only "ask again".
 *
 * Any thread. Lock level 3; nothing is sent while it is held.
 */
#pragma once

#include <glib.h>

#include "fs-fuse.h"
#include "stale.h"
#include "stats.h"

G_BEGIN_DECLS

typedef struct FsNotify FsNotify;

FsNotify *fs_notify_new (FsStats *stats);
/* From here on there is a kernel to tell. @session outlives @self or the call
 * of fs_notify_stop(). */
void fs_notify_start (FsNotify *self, struct fuse_session *session);
/* Nothing is sent any more, and nobody calls the functions below any more;
 * waits a moment for what is under way. %FALSE if that is stuck: then session
 * and @self must live as long as the process. */
gboolean fs_notify_stop (FsNotify *self);
/* It was stopped. */
void fs_notify_free (FsNotify *self);

/* @stale: (transfer full) */
void fs_notify_send (FsNotify *self, FsStale *stale);

/* The same, and calls @func when the last name was sent or put off, perhaps
 * before this returns. */
void fs_notify_send_then (FsNotify *self, FsStale *stale,
                          void (*func) (gpointer data), gpointer data);

/* A request that holds the lock of @directory is under way; until the same
 * number of releases names in it are put off. */
void fs_notify_hold (FsNotify *self, guint64 directory);
void fs_notify_release (FsNotify *self, guint64 directory);

G_END_DECLS
