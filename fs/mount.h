/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * mount.h - one mount: what its parts need to find each other.
 *
 * All fields are const from fs_mount_open() to fs_mount_close(); what they
 * point to guards itself.
 */
#pragma once

#include <glib.h>

#include "change.h"
#include "events.h"
#include "files.h"
#include "notify.h"
#include "options.h"
#include "stats.h"
#include "tree.h"
#include "vix.h"

G_BEGIN_DECLS

struct FsMount {
  const FsOptions *options;
  char *source; /* absolute, without symbolic links */
  VixHandle host;
  FsTree *tree;
  FsFiles *files;
  FsChanges *changes;
  FsNotify *notify;
  FsEvents *events;
  FsStats stats;
  gint64 started; /* seconds since 1970 */

  GMutex loading_lock; /* leaf: the next, until fs_mount_open() returns */
  GCond loading_cond;
  gboolean loaded;
};

/**
 * fs_mount_open:
 * @options: outlives the mount
 * @source: an absolute path without symbolic links
 *
 * Connects to what is to be mounted and waits until all of it is known.
 *
 * Returns: (nullable): %NULL with a text for the user
 */
FsMount *fs_mount_open (const FsOptions *options, const char *source,
                        GError **error);

/* Changes have ended, and fs_notify_stop() was called. %NULL is ignored. */
void fs_mount_close (FsMount *self);

/* The first inventory is complete. */
void fs_mount_loaded (FsMount *self);

/* Has @request_id looked for among what waits, and its caller's wish met, by
 * the main thread: see fs_request_watch_interrupt(). @mount: FsMount */
void fs_mount_interrupted (guint64 request_id, gpointer mount);

G_END_DECLS
