/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * watch.h - what the library says of its host becomes the tree, what the
 * kernel is told, and events.
 */
#pragma once

#include "mount.h"

G_BEGIN_DECLS

/* An event about @host, for .vixfs/log and .vixfs/events; @key may be NULL. */
void fs_watch_tell (FsHost *host, const char *event, const char *key,
                    const char *value);

/* A VixExtWatchProc; @data: FsHost. What it changed is what readers see, and
 * what the kernel knows of nodes, when it returns. */
void fs_watch_event (VixHandle handle, int event, const VixExtVM *vm,
                     void *data);

G_END_DECLS
