/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * serve.h - the session with the kernel: from mounting to unmounting.
 */
#pragma once

#include "mount.h"

G_BEGIN_DECLS

/**
 * fs_serve:
 * @mount: (transfer full)
 * @mountpoint: an absolute path
 * @ready: called once it is mounted and served
 *
 * Mounts and serves until it is unmounted or a signal asks for the end (INT,
 * TERM, HUP): then jobs are cancelled and waited for; a second signal does not
 * wait. Runs the default main context.
 *
 * Returns: %FALSE with a text for the user if it could not be mounted
 */
gboolean fs_serve (FsMount *mount, const char *mountpoint,
                   void (*ready) (gpointer data), gpointer data,
                   GError **error);

G_END_DECLS
