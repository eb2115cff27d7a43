/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "late.h"

/* The kernel tells of a caller's first signal only. If that did not kill it,
 * it is looked at so often. */
#define LOOK_MS 200

/* A thread that has nothing to do for so long ends. */
#define IDLE_US (10 * G_USEC_PER_SEC)

/* Threads are joined, not only told to end: what OpenSSL keeps for each of them
 * has to be given back before the process ends. */
struct FsLate {
  GMutex lock; /* leaf: all below */
  GCond work;  /* a call was pushed, or the end */
  GQueue calls;
  GPtrArray *threads; /* GThread */
  GPtrArray *ended;   /* of them: to be joined */
  guint n_idle;
  gboolean ending;
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
run_call (FsLateCall *call)
{
  g_private_set (&current, call);
  VixExt_UseInterrupt (call->interrupt);
  call->run (call);
  VixExt_UseInterrupt (NULL);
  g_private_set (&current, NULL);
  g_atomic_int_set (&call->done, TRUE);
  call_unref (call);
}

/* (nullable): the next call; NULL: the thread is to end. */
static FsLateCall *
pop_locked (FsLate *self)
{
  gint64 end = g_get_monotonic_time () + IDLE_US;
  gboolean in_time = TRUE;

  self->n_idle++;
  while (self->calls.length == 0 && !self->ending && in_time)
    in_time = g_cond_wait_until (&self->work, &self->lock, end);
  self->n_idle--;
  return g_queue_pop_head (&self->calls);
}

static gpointer
run_thread (gpointer data)
{
  FsLate *self = data;
  FsLateCall *call;

  g_mutex_lock (&self->lock);
  while ((call = pop_locked (self)) != NULL) {
    g_mutex_unlock (&self->lock);
    run_call (call);
    g_mutex_lock (&self->lock);
  }
  if (g_ptr_array_remove_fast (self->threads, g_thread_self ()))
    g_ptr_array_add (self->ended, g_thread_self ());
  g_mutex_unlock (&self->lock);
  return NULL;
}

static void
join_all (GPtrArray *threads)
{
  for (guint i = 0; i < threads->len; i++)
    g_thread_join (threads->pdata[i]);
  g_ptr_array_unref (threads);
}

FsLate *
fs_late_new (void)
{
  FsLate *self = g_new0 (FsLate, 1);

  g_mutex_init (&self->lock);
  g_cond_init (&self->work);
  g_queue_init (&self->calls);
  self->threads = g_ptr_array_new ();
  self->ended = g_ptr_array_new ();
  return self;
}

void
fs_late_free (FsLate *self)
{
  if (self == NULL)
    return;
  g_mutex_lock (&self->lock);
  self->ending = TRUE;
  g_cond_broadcast (&self->work);
  while (self->threads->len > 0)
    g_ptr_array_add (self->ended,
                     g_ptr_array_steal_index_fast (self->threads, 0));
  g_mutex_unlock (&self->lock);
  join_all (self->ended);
  g_ptr_array_unref (self->threads);
  g_mutex_clear (&self->lock);
  g_cond_clear (&self->work);
  g_free (self);
}

/* Sees that somebody runs what was pushed; FALSE if there is nobody. */
static gboolean
find_thread_locked (FsLate *self)
{
  GThread *thread;

  if (self->calls.length <= self->n_idle) {
    g_cond_signal (&self->work);
    return TRUE;
  }
  thread = g_thread_try_new ("vixfs-late", run_thread, self, NULL);
  if (thread != NULL)
    g_ptr_array_add (self->threads, thread);
  return self->threads->len > 0;
}

void
fs_late_push (FsLate *self, const FsLateCall *call)
{
  FsLateCall *mine = g_atomic_rc_box_new (FsLateCall);
  GPtrArray *ended = NULL;
  gboolean found;

  *mine = *call;
  mine->name = g_strdup (call->name);
  mine->interrupt = VixExt_NewInterrupt ();
  g_mutex_lock (&self->lock);
  g_queue_push_tail (&self->calls, mine);
  found = find_thread_locked (self);
  if (!found)
    g_queue_remove (&self->calls, mine);
  if (self->ended->len > 0) {
    ended = self->ended;
    self->ended = g_ptr_array_new ();
  }
  g_mutex_unlock (&self->lock);
  if (!found)
    run_call (mine);
  if (ended != NULL)
    join_all (ended);
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
