/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "request.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "errno-map.h"

struct FsRequest {
  fuse_req_t req; /* NULL once answered */
  FsStats *stats;
  FsOp op;
  guint64 id;
  guint64 node;
  char *name;
  gint64 started;
  void (*interrupted) (guint64 id, gpointer data);
  gpointer interrupted_data;
};

FsRequest *
fs_request_new (fuse_req_t req, FsStats *stats, FsOp op, guint64 node,
                const char *name)
{
  static gsize last_id; /* atomic */
  FsRequest *self = g_new0 (FsRequest, 1);

  self->req = req;
  self->stats = stats;
  self->op = op;
  self->id = (gsize)g_atomic_pointer_add (&last_id, 1) + 1;
  self->node = node;
  self->name = g_strdup (name);
  self->started = g_get_monotonic_time ();
  fs_stats_count (stats, op);
  return self;
}

void
fs_request_free (FsRequest *self)
{
  if (self == NULL)
    return;
  if (self->req != NULL) {
    g_critical ("request %s of node %" G_GINT64_MODIFIER "x was not answered",
                fs_op_name (self->op), self->node);
    fs_request_reply (self, EIO);
  }
  g_free (self->name);
  g_free (self);
}

fuse_req_t
fs_request_get_fuse (const FsRequest *self)
{
  return self->req;
}

guint64
fs_request_id (const FsRequest *self)
{
  return self->id;
}

pid_t
fs_request_caller (const FsRequest *self)
{
  return fuse_req_ctx (self->req)->pid;
}

/* What happens by default for these does not end a process. */
static const int harmless[]
  = { SIGCHLD, SIGWINCH, SIGURG, SIGCONT, SIGSTOP, SIGTSTP, SIGTTIN, SIGTTOU };

/* "SigPnd:\t0000000000010000": a bit for each signal, the first for 1 */
static guint64
take_signals (const char *status, const char *name)
{
  const char *line = strstr (status, name);

  return line != NULL ? strtoull (line + strlen (name), NULL, 16) : 0;
}

/* Those that wait for @caller and are not harmless; FALSE if that cannot be
 * seen. @ret_handled: that it has a handler for, ignores or blocks. */
static gboolean
get_signals (pid_t caller, guint64 *ret_pending, guint64 *ret_handled)
{
  g_autofree char *path = g_strdup_printf ("/proc/%d/status", (int)caller);
  g_autofree char *status = NULL;
  gsize i;

  if (caller <= 0 || !g_file_get_contents (path, &status, NULL, NULL))
    return FALSE;
  *ret_pending
    = take_signals (status, "\nSigPnd:") | take_signals (status, "\nShdPnd:");
  *ret_handled = take_signals (status, "\nSigBlk:")
                 | take_signals (status, "\nSigIgn:")
                 | take_signals (status, "\nSigCgt:");
  for (i = 0; i < G_N_ELEMENTS (harmless); i++)
    *ret_pending &= ~(G_GUINT64_CONSTANT (1) << (harmless[i] - 1));
  return TRUE;
}

gboolean
fs_caller_goes_on (pid_t caller)
{
  guint64 pending, handled;

  return get_signals (caller, &pending, &handled) && pending == 0;
}

gboolean
fs_caller_is_dying (pid_t caller)
{
  guint64 pending, handled;

  if (get_signals (caller, &pending, &handled))
    return (pending & ~handled) != 0;
  /* One of another PID namespace is not seen; one that was has ended. */
  return caller > 0;
}

static void
on_interrupt (fuse_req_t req, void *data)
{
  FsRequest *self = data;

  self->interrupted (self->id, self->interrupted_data);
}

void
fs_request_watch_interrupt (FsRequest *self,
                            void (*func) (guint64 id, gpointer data),
                            gpointer data)
{
  /* Who watched before is not called while this is written. */
  if (self->interrupted != NULL)
    fuse_req_interrupt_func (self->req, NULL, NULL);
  self->interrupted = func;
  self->interrupted_data = data;
  fuse_req_interrupt_func (self->req, on_interrupt, self);
}

/* The request to answer, for the last time. */
static fuse_req_t
take (FsRequest *self, int number)
{
  fuse_req_t req = g_steal_pointer (&self->req);

  g_assert (req != NULL);
  if (self->interrupted != NULL)
    fuse_req_interrupt_func (req, NULL, NULL);
  if (number != 0)
    fs_stats_add (self->stats, FS_STAT_ERRORS, 1);
  if (!g_log_writer_default_would_drop (G_LOG_LEVEL_DEBUG, G_LOG_DOMAIN)) {
    g_autofree char *name
      = self->name != NULL ? g_strescape (self->name, NULL) : g_strdup ("");

    g_debug ("%-11s %16" G_GINT64_MODIFIER "x \"%s\" %s %.1f ms",
             fs_op_name (self->op), self->node, name,
             number == 0 ? "ok" : fs_errno_name (number),
             (double)(g_get_monotonic_time () - self->started) / 1000);
  }
  return req;
}

/* What libfuse says of an answer that nobody waits for any more (ENOENT: the
 * caller was killed; ENODEV: unmounted) is of no interest. */

void
fs_request_reply (FsRequest *self, int number)
{
  fuse_reply_err (take (self, number), number);
}

void
fs_request_reply_entry (FsRequest *self, const struct fuse_entry_param *entry)
{
  fuse_reply_entry (take (self, 0), entry);
}

void
fs_request_reply_create (FsRequest *self, const struct fuse_entry_param *entry,
                         const struct fuse_file_info *file)
{
  fuse_reply_create (take (self, 0), entry, file);
}

void
fs_request_reply_attr (FsRequest *self, const struct stat *attr, double timeout)
{
  fuse_reply_attr (take (self, 0), attr, timeout);
}

void
fs_request_reply_open (FsRequest *self, const struct fuse_file_info *file)
{
  fuse_reply_open (take (self, 0), file);
}

void
fs_request_reply_data (FsRequest *self, gconstpointer data, gsize len)
{
  fuse_reply_buf (take (self, 0), data, len);
}

void
fs_request_reply_link (FsRequest *self, const char *target)
{
  fuse_reply_readlink (take (self, 0), target);
}

void
fs_request_reply_written (FsRequest *self, gsize count)
{
  fuse_reply_write (take (self, 0), count);
}

void
fs_request_reply_statfs (FsRequest *self, const struct statvfs *status)
{
  fuse_reply_statfs (take (self, 0), status);
}

void
fs_request_reply_poll (FsRequest *self, guint events)
{
  fuse_reply_poll (take (self, 0), events);
}

void
fs_request_reply_seek (FsRequest *self, off_t offset)
{
  fuse_reply_lseek (take (self, 0), offset);
}

void
fs_request_reply_xattr (FsRequest *self, gconstpointer data, gsize len,
                        gsize size)
{
  if (size == 0)
    fuse_reply_xattr (take (self, 0), len);
  else if (len <= size)
    fuse_reply_buf (take (self, 0), data, len);
  else
    fs_request_reply (self, ERANGE);
}
