/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * mount.h - one mount: what its parts need to find each other.
 *
 * All fields are const from fs_mount_new() to fs_mount_close(); what they
 * point to guards itself.
 */
#pragma once

#include <glib.h>

#include "change.h"
#include "diffs.h"
#include "events.h"
#include "files.h"
#include "host.h"
#include "images.h"
#include "late.h"
#include "notify.h"
#include "options.h"
#include "pins.h"
#include "stats.h"
#include "tree.h"
#include "trouble.h"
#include "vix.h"

G_BEGIN_DECLS

struct FsMount {
  const FsOptions *options;
  char *label;      /* what it is of, for the kernel's table of mounts */
  GPtrArray *hosts; /* (FsHost) by their number in the tree */
  FsTree *tree;
  FsFiles *files;
  FsImages *images;
  FsPins *pins;
  FsDiffs *diffs;
  FsTroubles *troubles;
  FsChanges *changes;
  FsNotify *notify;
  FsEvents *events;
  FsLate *late;
  FsStats stats;
  gint64 started; /* seconds since 1970 */
};

/* Starts no thread. All arguments outlive the mount. */
FsMount *fs_mount_new (const FsOptions *options, const char *label);

/**
 * fs_mount_add_host:
 * @source: outlives the mount
 * @credentials: (transfer full) (nullable)
 *
 * All are added before fs_mount_open().
 */
void fs_mount_add_host (FsMount *self, const FsSource *source,
                        FsCredentials *credentials);

/**
 * fs_mount_open:
 *
 * Connects to what is to be mounted and waits until all of it is known. Of
 * several hosts, those that cannot be reached now come later.
 *
 * Returns: %FALSE with a text for the user
 */
gboolean fs_mount_open (FsMount *self, GError **error);

/* The host that @node is of; %NULL: none, or all. */
FsHost *fs_mount_host (const FsMount *self, const FsNode *node);

/* Changes have ended, and fs_notify_stop() was called. %NULL is ignored. */
void fs_mount_close (FsMount *self);

/* Has @request_id looked for among what waits, and its caller's wish met, by
 * the main thread: see fs_request_watch_interrupt(). @mount: FsMount */
void fs_mount_interrupted (guint64 request_id, gpointer mount);

G_END_DECLS
