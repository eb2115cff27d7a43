/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * source.h - what is to be mounted: one host, or those of a hosts file.
 */
#pragma once

#include <glib.h>

#include "options.h"
#include "vix-ext.h"

G_BEGIN_DECLS

typedef struct {
  char *name;        /* of its directory; "": the root of the mount */
  char *text;        /* as given, for people */
  char *origin;      /* the file, line and group that it is from; NULL */
  gboolean is_local; /* a directory, or else a host on the network */
  char *path;        /* of a directory: absolute, without symbolic links */
  char *address;     /* of a host: its URL without the user, or its name */
  char *host; /* of a host: its name alone, as credentials files say it */
  char *user; /* of a host: from the URL; NULL */
  FsHostOptions options;
} FsSource;

/**
 * fs_sources_find:
 * @ret_label: (out) (transfer full): what the mount as a whole is of
 *
 * Reads @options->source: a directory, the URL or name of a host, or a hosts
 * file. Nothing is asked of a host; all that can be wrong without that is told
 * here, before anybody is asked for a password.
 *
 * Returns: (transfer full): FsSource, at least one; %NULL with a text that
 *   names the file, line, group and key
 */
GPtrArray *fs_sources_find (const FsOptions *options, char **ret_label,
                            GError **error);

/* How the library is to be told of it; strings are borrowed. Who logs in is
 * left out. */
void fs_source_fill_params (const FsSource *self, VixExtConnectParams *params);

/* The text if @path is a directory, absolute and without symbolic links. */
char *fs_source_resolve (const char *path, GError **error);

G_END_DECLS
