/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "late.h"

/* The kernel tells of a caller's first signal only. If that did not kill it,
 * it is looked at so often. */
#define LOOK_MS 200

struct FsLate {
  GThreadPool *threads;
};

/* The call that this thread runs; not owned. */
static GPrivate current;

static void
call_clear (gpointer data)
{
  FsLateCall *call = data;

  VixExt_FreeInterrupt (call->interrupt);
  g_free (call->name);
}

static void
call_unref (gpointer call)
{
  g_atomic_rc_box_release_full (call, call_clear);
}

static void
run_call (gpointer data, gpointer user_data)
{
  FsLateCall *call = data;

  g_private_set (&current, call);
  VixExt_UseInterrupt (call->interrupt);
  call->run (call);
  VixExt_UseInterrupt (NULL);
  g_private_set (&current, NULL);
  g_atomic_int_set (&call->done, TRUE);
  call_unref (call);
}

FsLate *
fs_late_new (void)
{
  FsLate *self = g_new0 (FsLate, 1);

  self->threads = g_thread_pool_new (run_call, NULL, -1, FALSE, NULL);
  return self;
}

void
fs_late_free (FsLate *self)
{
  if (self == NULL)
    return;
  g_thread_pool_free (self->threads, FALSE, TRUE);
  g_free (self);
}

void
fs_late_push (FsLate *self, const FsLateCall *call)
{
  FsLateCall *mine = g_atomic_rc_box_new (FsLateCall);

  *mine = *call;
  mine->name = g_strdup (call->name);
  mine->interrupt = VixExt_NewInterrupt ();
  g_thread_pool_push (self->threads, mine, NULL);
}

gboolean
fs_late_is_here (void)
{
  return g_private_get (&current) != NULL;
}

/* ---- callers that are killed ---- */

static gboolean
look (gpointer data)
{
  FsLateCall *call = data;

  if (g_atomic_int_get (&call->done))
    return G_SOURCE_REMOVE;
  if (!fs_caller_is_dying (call->caller))
    return G_SOURCE_CONTINUE;
  VixExt_Interrupt (call->interrupt);
  return G_SOURCE_REMOVE;
}

static gboolean
look_first (gpointer data)
{
  if (look (data) == G_SOURCE_CONTINUE)
    g_timeout_add_full (G_PRIORITY_DEFAULT, LOOK_MS, look,
                        g_atomic_rc_box_acquire (data), call_unref);
  return G_SOURCE_REMOVE;
}

static void
on_interrupt (guint64 id, gpointer data)
{
  g_idle_add_full (G_PRIORITY_DEFAULT, look_first,
                   g_atomic_rc_box_acquire (data), call_unref);
}

void
fs_late_watch (FsRequest *rq)
{
  FsLateCall *call = g_private_get (&current);

  if (call == NULL)
    return;
  call->caller = fs_request_caller (rq);
  fs_request_watch_interrupt (rq, on_interrupt, call);
}
