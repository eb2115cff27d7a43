/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * main.c - options, then the source, then the mount, then serving it.
 *
 * In the background the process forks before it has threads: the parent waits
 * until the child serves or has failed, and exits accordingly; what goes wrong
 * until then is written to the terminal.
 */
#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <syslog.h>
#include <unistd.h>

#include "credentials.h"
#include "mount.h"
#include "options.h"
#include "serve.h"
#include "source.h"

static void
complain (const char *text)
{
  fprintf (stderr, "vixfs: %s\n", text);
}

static gboolean
fail (GError **error, const char *path, const char *text)
{
  g_set_error (error, G_FILE_ERROR, G_FILE_ERROR_FAILED, "%s: %s", path, text);
  return FALSE;
}

/* ---- where from, where to ---- */

/* Whether @path is the directory @status or somewhere below it. */
static gboolean
is_inside (const char *path, const struct stat *status)
{
  g_autofree char *at = g_strdup (path);

  for (;;) {
    g_autofree char *parent = NULL;
    struct stat here;

    if (stat (at, &here) == 0 && here.st_dev == status->st_dev
        && here.st_ino == status->st_ino)
      return TRUE;
    if (strcmp (at, "/") == 0)
      return FALSE;
    parent = g_path_get_dirname (at);
    g_free (at);
    at = g_steal_pointer (&parent);
  }
}

/* Something else is mounted there already. */
static gboolean
is_mount (const char *path)
{
  g_autofree char *above = g_build_filename (path, "..", NULL);
  struct stat here;
  struct stat there;

  return stat (path, &here) == 0 && stat (above, &there) == 0
         && here.st_dev != there.st_dev;
}

static gboolean
is_empty (const char *path)
{
  g_autoptr (GDir) dir = g_dir_open (path, 0, NULL);

  return dir == NULL || g_dir_read_name (dir) == NULL;
}

/* What is to be mounted, and where. */
typedef struct {
  GPtrArray *sources;     /* (FsSource) */
  GPtrArray *credentials; /* (FsCredentials) of each; NULL for directories */
  char *label;
  char *mountpoint;
} Plan;

static gboolean
check_place (const FsOptions *options, const Plan *plan, const FsSource *source,
             GError **error)
{
  struct stat from;
  struct stat to;

  if (!source->is_local)
    return TRUE;
  if (stat (source->path, &from) != 0)
    return fail (error, source->text, g_strerror (errno));
  if (stat (plan->mountpoint, &to) != 0)
    return fail (error, options->mountpoint, g_strerror (errno));
  if (is_inside (plan->mountpoint, &from))
    return fail (error, options->mountpoint,
                 "the mount point is inside the source; choose one outside");
  if (is_inside (source->path, &to))
    return fail (error, options->mountpoint,
                 "a mount here would hide the source; choose another place");
  return TRUE;
}

static gboolean
find_places (const FsOptions *options, Plan *plan, GError **error)
{
  guint i;

  plan->sources = fs_sources_find (options, &plan->label, error);
  if (plan->sources == NULL)
    return FALSE;
  plan->mountpoint = fs_source_resolve (options->mountpoint, error);
  if (plan->mountpoint == NULL)
    return FALSE;
  for (i = 0; i < plan->sources->len; i++) {
    if (!check_place (options, plan, plan->sources->pdata[i], error))
      return FALSE;
  }
  if (!options->nonempty && !is_empty (plan->mountpoint))
    return fail (error, options->mountpoint,
                 is_mount (plan->mountpoint)
                   ? "something is mounted here already; unmount it first, or "
                     "\"-o nonempty\" mounts over it"
                   : "the directory is not empty; \"-o nonempty\" mounts over "
                     "it");
  if (access ("/dev/fuse", F_OK) != 0)
    return fail (error, "/dev/fuse",
                 "it is not there; load the kernel's module \"fuse\"");
  if (access ("/dev/fuse", R_OK | W_OK) != 0)
    return fail (error, "/dev/fuse",
                 "you may not use it; root lets everybody with \"chmod 666\"");
  return TRUE;
}

/* Asks for passwords, where that is how they come, while there is a terminal.
 * What holds one is not to be in a core file, or read by a debugger. */
static gboolean
find_credentials (Plan *plan, GError **error)
{
  guint i;

  plan->credentials = g_ptr_array_new ();
  for (i = 0; i < plan->sources->len; i++) {
    const FsSource *source = plan->sources->pdata[i];
    FsCredentials *credentials = NULL;

    if (!source->is_local) {
      if (prctl (PR_SET_DUMPABLE, 0) != 0)
        return fail (error, "prctl", g_strerror (errno));
      credentials
        = fs_credentials_find (source, plan->sources->len == 1, error);
      if (credentials == NULL) {
        if (source->origin != NULL)
          g_prefix_error (error, "%s: ", source->origin);
        return FALSE;
      }
    }
    g_ptr_array_add (plan->credentials, credentials);
  }
  fs_credentials_forget_environment ();
  return TRUE;
}

static void
plan_clear (Plan *plan)
{
  guint i;

  g_clear_pointer (&plan->sources, g_ptr_array_unref);
  for (i = 0; plan->credentials != NULL && i < plan->credentials->len; i++)
    fs_credentials_free (plan->credentials->pdata[i]);
  g_clear_pointer (&plan->credentials, g_ptr_array_unref);
  g_free (plan->label);
  g_free (plan->mountpoint);
}

/* ---- background ---- */

static gboolean has_terminal = TRUE; /* atomic */

/* Warnings: for people without what GLib tells of itself, and to the system's
 * log once there is no terminal. */
static GLogWriterOutput
write_log (GLogLevelFlags level, const GLogField *fields, gsize n_fields,
           gpointer data)
{
  const GLogLevelFlags shown
    = G_LOG_LEVEL_ERROR | G_LOG_LEVEL_CRITICAL | G_LOG_LEVEL_WARNING;
  gboolean plain = (level & (G_LOG_LEVEL_WARNING | G_LOG_LEVEL_MESSAGE)) != 0
                   && (level & G_LOG_FLAG_FATAL) == 0;
  gsize i;

  if (!g_atomic_int_get (&has_terminal)) {
    g_autofree char *text
      = g_log_writer_format_fields (level, fields, n_fields, FALSE);

    if (level & shown)
      syslog (LOG_WARNING, "%s", text);
    return G_LOG_WRITER_HANDLED;
  }
  if (!plain)
    return g_log_writer_default (level, fields, n_fields, data);
  for (i = 0; i < n_fields; i++) {
    if (strcmp (fields[i].key, "MESSAGE") == 0)
      complain (fields[i].value);
  }
  return G_LOG_WRITER_HANDLED;
}

/* In the parent: waits for the child's word, and exits. */
static void
await_child (int pipe_fd, pid_t child)
{
  int status = 0;
  char word;

  if (read (pipe_fd, &word, 1) == 1)
    _exit (EXIT_SUCCESS);
  waitpid (child, &status, 0);
  _exit (WIFEXITED (status) && WEXITSTATUS (status) != 0 ? WEXITSTATUS (status)
                                                         : EXIT_FAILURE);
}

/* Returns in the child; what it returns takes the word that it serves. */
static int
go_to_background (void)
{
  int ends[2];
  pid_t child;

  if (pipe2 (ends, O_CLOEXEC) != 0 || (child = fork ()) < 0) {
    complain (g_strerror (errno));
    exit (EXIT_FAILURE);
  }
  if (child > 0) {
    close (ends[1]);
    await_child (ends[0], child);
  }
  close (ends[0]);
  return ends[1];
}

/* @data: what go_to_background() returned, or -1 in the foreground */
static void
on_ready (gpointer data)
{
  int *word_fd = data;
  int null_fd;

  if (*word_fd < 0)
    return;
  /* Until now Ctrl-C was meant for it as well. */
  setsid ();
  openlog ("vixfs", LOG_PID, LOG_DAEMON);
  g_atomic_int_set (&has_terminal, FALSE);
  null_fd = open ("/dev/null", O_RDWR | O_CLOEXEC);
  if (null_fd >= 0) {
    dup2 (null_fd, STDIN_FILENO);
    dup2 (null_fd, STDOUT_FILENO);
    dup2 (null_fd, STDERR_FILENO);
    if (null_fd > STDERR_FILENO)
      close (null_fd);
  }
  if (chdir ("/") != 0 || write (*word_fd, "", 1) != 1)
    g_warning ("%s", g_strerror (errno));
  close (*word_fd);
  *word_fd = -1;
}

/* ---- all of it ---- */

static gboolean
mount_and_serve (const FsOptions *options, Plan *plan, int word_fd,
                 GError **error)
{
  FsMount *mount = fs_mount_new (options, plan->label);
  guint i;

  for (i = 0; i < plan->sources->len; i++)
    fs_mount_add_host (mount, plan->sources->pdata[i],
                       g_steal_pointer (&plan->credentials->pdata[i]));
  if (!fs_mount_open (mount, error)) {
    fs_notify_stop (mount->notify);
    fs_mount_close (mount);
    return FALSE;
  }
  return fs_serve (mount, plan->mountpoint, on_ready, &word_fd, error);
}

int
main (int argc, char **argv)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (FsOptions) options = fs_options_parse (argc, argv, &error);
  Plan plan = { NULL, NULL, NULL, NULL };
  int word_fd = -1;
  gboolean done;

  /* By default each of many short-lived threads keeps memory of its own. */
  mallopt (M_ARENA_MAX, 2);
  if (options == NULL) {
    complain (error->message);
    return EXIT_FAILURE;
  }
  if (options->show_help || options->show_version) {
    fputs (options->show_help ? fs_options_help ()
                              : "vixfs " VIXFS_VERSION "\n",
           stdout);
    return EXIT_SUCCESS;
  }
  if (options->debug)
    g_log_set_debug_enabled (TRUE);
  g_log_set_writer_func (write_log, NULL, NULL);
  done
    = find_places (options, &plan, &error) && find_credentials (&plan, &error);
  if (done) {
    if (!options->foreground)
      word_fd = go_to_background ();
    done = mount_and_serve (options, &plan, word_fd, &error);
  }
  if (!done)
    complain (error->message);
  plan_clear (&plan);
  return done ? EXIT_SUCCESS : EXIT_FAILURE;
}
