/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * watch.h - keeps the inventory of a host true to its directories.
 *
 * One thread per host: it loads the tree, announces LOADED, and then follows
 * inotify, one watch per directory. A change shows within about 0.1 s: events
 * of one directory are gathered for that long. A VM that writes its disks
 * causes one FILES_CHANGED a second and one wake-up for it, however much it
 * writes.
 *
 * Directories for which the kernel has no watch left (or that inotify cannot
 * watch) are looked at every 1.5 s instead: names, and the .vmx and .vmsd in
 * them; growing disks do not show there. VMs with lock directories are looked
 * at every second, since no event tells that the owner of a lock died.
 */
#pragma once

#include "workstation/host-private.h"

G_BEGIN_DECLS

/* Starts the thread; from now on the host publishes. */
WsWatch *ws_watch_new (WsHost *host);
/* Ends it; nothing is published for this end. NULL is ignored. */
void ws_watch_free (WsWatch *self);

/**
 * ws_watch_set_limit:
 *
 * At most @directories watches; before ws_watch_new(). For tests: stands for
 * the kernel's limit, for all watches made from now on in this process.
 */
void ws_watch_set_limit (guint directories);

G_END_DECLS
