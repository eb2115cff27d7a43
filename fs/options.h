/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * options.h - the command line: what a mount is asked to be. Options that are
 * about a host are keys of a hosts file, too.
 */
#pragma once

#include <glib.h>
#include <sys/types.h>

G_BEGIN_DECLS

/* How a host is to be reached; each field may be left out. */
typedef struct {
  char *credentials;     /* absolute path of a file */
  char *cacert;          /* absolute path of a PEM file */
  char *thumbprint;      /* of the certificate */
  gboolean insecure;     /* any certificate will do */
  guint connect_timeout; /* seconds, as the next; 0: the library's own */
  guint answer_timeout;
  guint stall_timeout;
  guint settle_timeout;
  guint64 cache;     /* bytes; 0: the library's own */
  guint connections; /* likewise */
  char *vendor;      /* NULL: look for VMware's library; "none"; a path */
} FsHostOptions;

void fs_host_options_copy (FsHostOptions *to, const FsHostOptions *from);
void fs_host_options_clear (FsHostOptions *self);

/**
 * fs_host_options_set:
 * @value: (nullable): "NAME" without "="
 * @dir: what a relative path in @value is relative to
 *
 * Returns: %FALSE with %G_OPTION_ERROR, G_OPTION_ERROR_UNKNOWN_OPTION if there
 *   is no option @name of hosts
 */
gboolean fs_host_options_set (FsHostOptions *self, const char *name,
                              const char *value, const char *dir,
                              GError **error);

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
  char *state;  /* absolute path of a directory; "": none; NULL: the usual */
  mode_t umask; /* permission bits that nobody gets; default 077 */
  FsHostOptions host; /* of every host, unless its own say otherwise */

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
