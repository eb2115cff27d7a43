/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * options.h - the command line: what a mount is asked to be.
 */
#pragma once

#include <glib.h>
#include <sys/types.h>

G_BEGIN_DECLS

typedef struct {
  char *source;     /* as given; NULL with -h and -V */
  char *mountpoint; /* as given; NULL with -h and -V */

  gboolean show_help;
  gboolean show_version;
  gboolean foreground; /* -f; -d as well */
  gboolean debug;      /* -d */

  gboolean read_only;
  gboolean allow_other;
  gboolean nonempty; /* mount over a directory that holds something */
  uid_t uid;         /* whose the tree is; default: the caller */
  gid_t gid;
  mode_t umask; /* permission bits that nobody gets; default 077 */
  char *vendor; /* NULL: look for VMware's library; "none"; a path */

  GPtrArray *kernel; /* (char *): options that the kernel acts on */
} FsOptions;

/**
 * fs_options_parse:
 * @error: %G_OPTION_ERROR, with a text that names the option
 *
 * Returns: (transfer full): const from now on; %NULL on failure
 */
FsOptions *fs_options_parse (int argc, char **argv, GError **error);
void fs_options_free (FsOptions *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (FsOptions, fs_options_free)

/* What -h prints. */
const char *fs_options_help (void);

G_END_DECLS
