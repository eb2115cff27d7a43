/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * host.h - one host of a mount: its connection, from the first attempt to the
 * end.
 *
 * A host once connected stays so for this program: the library itself comes
 * back when it goes away. One that cannot be reached at first is tried again
 * from a thread of its own, so that a hosts file mounts what is there. A
 * login that was refused is not tried again before the credentials file says
 * something else: hosts lock accounts.
 *
 * Any thread. The lock is a leaf; nothing is called while it is held.
 */
#pragma once

#include <glib.h>

#include "credentials.h"
#include "source.h"
#include "times.h"
#include "vix-ext.h"

G_BEGIN_DECLS

typedef struct FsMount FsMount;
typedef struct FsHost FsHost;

/**
 * fs_host_new:
 * @number: in the tree
 * @source: outlives it
 * @credentials: (transfer full) (nullable): of a host on the network
 */
FsHost *fs_host_new (FsMount *mount, guint number, const FsSource *source,
                     FsCredentials *credentials);

/* Connects and waits until its inventory is loaded. %FALSE with a text for the
 * user. */
gboolean fs_host_open (FsHost *self, GError **error);

/* The same in the background, for as long as it takes. */
void fs_host_begin (FsHost *self);
/* Waits until it is loaded, or was seen not to be reachable now; %FALSE only if
 * no attempt will ever do, since what its hosts file says of it makes no sense.
 */
gboolean fs_host_check (FsHost *self, GError **error);

/* No more attempts, no more events; then to be freed. */
void fs_host_close (FsHost *self);
void fs_host_free (FsHost *self);

/* The library's handle; 0: not connected yet. */
VixHandle fs_host_handle (FsHost *self);
guint fs_host_number (const FsHost *self);
const FsSource *fs_host_source (const FsHost *self);
FsMount *fs_host_mount (const FsHost *self);
/* Of its snapshots' disks. */
FsTimes *fs_host_times (const FsHost *self);

/* Like VixExt_GetHostStatus, also before it is connected. */
void fs_host_get_status (FsHost *self, VixExtHostStatus *ret_status);

/* From the watch: its first inventory is complete; it went away before. */
void fs_host_loaded (FsHost *self);
void fs_host_lost (FsHost *self);

G_END_DECLS
