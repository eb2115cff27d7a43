/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * credentials.h - who to log in as, and with what password. One thread.
 *
 * A password is never taken from arguments and never part of a text.
 */
#pragma once

#include <glib.h>

#include "source.h"

G_BEGIN_DECLS

typedef struct {
  char *user;
  char *password;
  char *origin; /* where they are from, for people */
} FsCredentials;

/**
 * fs_credentials_find:
 * @source: a host on the network
 * @is_only: it is the only one of the mount
 *
 * From the first that there is: the file that the options name; VIXFS_USER and
 * VIXFS_PASSWORD, for an only host; the service's credential "vixfs"
 * (systemd.exec(5)), a file like the first; the terminal. A user in the URL
 * goes before all of them.
 *
 * Returns: (transfer full) (nullable)
 */
FsCredentials *fs_credentials_find (const FsSource *source, gboolean is_only,
                                    GError **error);

/* The same from files alone, for when a host is tried again. */
FsCredentials *fs_credentials_read (const FsSource *source, GError **error);

/* Overwrites the environment's password; no credentials are found in it from
 * then on. */
void fs_credentials_forget_environment (void);

gboolean fs_credentials_equal (const FsCredentials *a, const FsCredentials *b);

/* Wipes it. %NULL is ignored. */
void fs_credentials_free (FsCredentials *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (FsCredentials, fs_credentials_free)

G_END_DECLS
