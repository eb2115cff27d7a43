/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Three kinds of threads of ours are alive while a mount is served: the main
 * thread, which runs timers, takes signals and interrupts and otherwise
 * sleeps; libfuse's workers, which answer from memory, and some of which wait
 * for hosts (late.h); notify.c's.
 *
 * The end, whoever wants it: no more changes are let in, those under way are
 * cancelled and waited for, with requests still served; then libfuse's loop
 * ends, then the mount goes, then the connection to the host. Unmounted by
 * somebody else, the loop ends first and the rest follows.
 */
#include "serve.h"

#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fs-fuse.h"
#include "ops.h"

/* How often what is waited for at the end is looked at. */
#define POLL_MS 10
/* Threads that answer while others wait for hosts. */
#define N_ANSWERING 10
/* Four of the largest reads that the kernel asks for at once. */
#define READAHEAD_KIB "4096"

typedef struct {
  FsMount *mount;
  struct fuse_session *session;
  GMainLoop *loop;
  pthread_t thread;      /* libfuse's loop */
  gboolean thread_ended; /* atomic */
  guint signals;         /* that asked for the end */
  gboolean ending;
} Server;

/* ---- libfuse's options ---- */

/* fuse_opt's way to have commas and backslashes in a value. */
static void
append_option (GString *options, const char *name, const char *value)
{
  g_string_append_printf (options, "%s%s", options->len > 0 ? "," : "", name);
  for (; value != NULL && *value != '\0'; value++) {
    if (*value == ',' || *value == '\\')
      g_string_append_c (options, '\\');
    g_string_append_c (options, *value);
  }
}

static struct fuse_session *
session_new (FsMount *mount)
{
  g_autoptr (GString) options = g_string_new (NULL);
  struct fuse_args args = FUSE_ARGS_INIT (0, NULL);
  struct fuse_session *session;
  guint i;

  append_option (options, "fsname=", mount->label);
  append_option (options, "subtype=", "vixfs");
  append_option (options, "default_permissions", NULL);
  if (mount->options->read_only)
    append_option (options, "ro", NULL);
  if (mount->options->allow_other)
    append_option (options, "allow_other", NULL);
  for (i = 0; i < mount->options->kernel->len; i++)
    append_option (options, mount->options->kernel->pdata[i], NULL);
  fuse_opt_add_arg (&args, "vixfs");
  fuse_opt_add_arg (&args, "-o");
  fuse_opt_add_arg (&args, options->str);
  session = fuse_session_new (&args, &fs_ops, sizeof fs_ops, mount);
  fuse_opt_free_args (&args);
  return session;
}

/* ---- the end ---- */

/* Goes on with the end; FALSE when all is done. */
static gboolean
end_step (Server *self)
{
  guint active = fs_changes_stop (self->mount->changes);

  if (active > 0 && self->signals < 2)
    return TRUE;
  if (!g_atomic_int_get (&self->thread_ended)) {
    fs_late_leave_session (self->mount->late);
    fuse_session_exit (self->session);
    /* The loop waits where only a signal reaches it; one that comes a moment
     * too early is lost, so they are sent until it has ended. */
    pthread_kill (self->thread, SIGUSR1);
    return TRUE;
  }
  g_main_loop_quit (self->loop);
  return FALSE;
}

static gboolean
on_poll (gpointer data)
{
  return end_step (data);
}

static void
begin_end (Server *self)
{
  if (self->ending)
    return;
  self->ending = TRUE;
  if (end_step (self))
    g_timeout_add (POLL_MS, on_poll, self);
}

static gboolean
on_signal (gpointer data)
{
  Server *self = data;

  self->signals++;
  if (self->signals == 2)
    g_message ("not waiting for jobs any longer; what they leave is "
               "completed or undone when the VM is used next");
  begin_end (self);
  return G_SOURCE_CONTINUE;
}

/* ---- libfuse's loop, in a thread of its own ---- */

static void
wake (int number)
{
  /* Only ends a wait of the thread that it is sent to. */
}

/* Unmounted by somebody else. */
static gboolean
on_loop_ended (gpointer data)
{
  begin_end (data);
  return G_SOURCE_REMOVE;
}

static gpointer
run_session (gpointer data)
{
  Server *self = data;
  struct fuse_loop_config *config = fuse_loop_cfg_create ();
  sigset_t wake_set;
  int result;

  sigemptyset (&wake_set);
  sigaddset (&wake_set, SIGUSR1);
  pthread_sigmask (SIG_UNBLOCK, &wake_set, NULL);
  fuse_loop_cfg_set_max_threads (config, FS_LATE_HERE + N_ANSWERING);
  result = fuse_session_loop_mt (self->session, config);
  if (result < 0)
    g_warning ("requests of the kernel cannot be read any more: %s",
               g_strerror (-result));
  fuse_loop_cfg_destroy (config);
  g_atomic_int_set (&self->thread_ended, TRUE);
  g_idle_add (on_loop_ended, self);
  return NULL;
}

/* ---- reading ahead ---- */

/* The default of 128 KiB halves the speed of whoever reads a disk from its
 * start to its end. Only root may change it, and only once the kernel has
 * agreed with libfuse, which sets it: what it asks of the root comes later. */
static void
raise_readahead (const char *mountpoint)
{
  g_autofree char *path = NULL;
  struct statx attr;
  int fd;

  if (statx (AT_FDCWD, mountpoint, AT_STATX_FORCE_SYNC, STATX_TYPE, &attr) != 0
      || (attr.stx_attributes & STATX_ATTR_MOUNT_ROOT) == 0)
    return; /* unmounted again already */
  path = g_strdup_printf ("/sys/class/bdi/%u:%u/read_ahead_kb",
                          attr.stx_dev_major, attr.stx_dev_minor);
  fd = open (path, O_WRONLY | O_CLOEXEC);
  if (fd < 0 || write (fd, READAHEAD_KIB, strlen (READAHEAD_KIB)) < 0)
    g_debug ("%s stays as it is: %s", path, g_strerror (errno));
  if (fd >= 0)
    close (fd);
}

/* ---- all of it ---- */

static void
run (Server *self, const char *mountpoint, void (*ready) (gpointer data),
     gpointer data)
{
  static const int signals[] = { SIGINT, SIGTERM, SIGHUP };
  struct sigaction action = { .sa_handler = wake };
  guint sources[G_N_ELEMENTS (signals)];
  guint i;

  sigaction (SIGUSR1, &action, NULL);
  signal (SIGPIPE, SIG_IGN);
  signal (SIGXFSZ, SIG_IGN); /* the write fails, which is enough */
  for (i = 0; i < G_N_ELEMENTS (signals); i++)
    sources[i] = g_unix_signal_add (signals[i], on_signal, self);
  self->loop = g_main_loop_new (NULL, FALSE);
  pthread_create (&self->thread, NULL, run_session, self);
  raise_readahead (mountpoint);
  ready (data);
  g_main_loop_run (self->loop);
  pthread_join (self->thread, NULL);
  for (i = 0; i < G_N_ELEMENTS (signals); i++)
    g_source_remove (sources[i]);
  g_main_loop_unref (self->loop);
}

/* What fuse_session_mount() prints itself is the reason. */
static gboolean
refuse (FsMount *mount, const char *mountpoint, GError **error)
{
  g_set_error (error, G_FILE_ERROR, G_FILE_ERROR_FAILED,
               "%s: it cannot be mounted here", mountpoint);
  fs_notify_stop (mount->notify);
  fs_mount_close (mount);
  return FALSE;
}

gboolean
fs_serve (FsMount *mount, const char *mountpoint, void (*ready) (gpointer data),
          gpointer data, GError **error)
{
  Server self = { .mount = mount, .session = session_new (mount) };
  gboolean drained;

  if (self.session == NULL)
    return refuse (mount, mountpoint, error);
  if (fuse_session_mount (self.session, mountpoint) != 0) {
    fuse_session_destroy (self.session);
    return refuse (mount, mountpoint, error);
  }
  fs_notify_start (mount->notify, self.session);
  fs_late_join_session (mount->late, self.session);
  run (&self, mountpoint, ready, data);
  fs_late_leave_session (mount->late);

  drained = fs_notify_stop (mount->notify);
  fuse_session_unmount (self.session);
  if (!drained || self.signals >= 2) {
    /* Something still uses them; the process ends anyway. */
    g_debug ("leaving without waiting");
    return TRUE;
  }
  fs_mount_close (mount);
  fuse_session_destroy (self.session);
  return TRUE;
}
