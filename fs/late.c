/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "late.h"

/* The kernel tells of a caller's first signal only. If that did not kill it,
 * it is looked at so often. */
#define LOOK_MS 200

/* A thread that has nothing to do for so long ends. */
#define IDLE_US (10 * G_USEC_PER_SEC)

/* How often it is looked whether somebody else has ended the session, while
 * calls may hold up its threads. */
#define LOOK_OVER_S 1

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

  struct fuse_session *session; /* whose threads may run calls; NULL: none */
  GQueue here;                  /* calls that they run */
  gboolean busy;                /* some ran since it was looked last */
  guint look_over;              /* the source that looks; 0: nobody does */
};

/* The call that this thread runs; not owned. */
static GPrivate current;

void
fs_late_call_clear (FsLateCall *call)
{
  g_clear_pointer (&call->rq, fs_request_free);
  fs_node_clear (&call->node);
}

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

static void
watch_caller (FsLateCall *call)
{
  call->caller = fs_request_caller (call->rq);
  fs_request_watch_interrupt (call->rq, on_interrupt, call);
}

/* ---- threads of our own ---- */

static void
run_call (FsLateCall *call)
{
  g_private_set (&current, call);
  VixExt_UseInterrupt (call->interrupt);
  watch_caller (call);
  call->run (call);
  fs_late_call_clear (call);
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
  g_queue_init (&self->here);
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

static FsLateCall *
call_new (const FsLateCall *call)
{
  FsLateCall *self = g_atomic_rc_box_new (FsLateCall);

  *self = *call;
  self->name = g_strdup (call->name);
  self->interrupt = VixExt_NewInterrupt ();
  return self;
}

static void
push (FsLate *self, FsLateCall *call)
{
  GPtrArray *ended = NULL;
  gboolean found;

  g_mutex_lock (&self->lock);
  g_queue_push_tail (&self->calls, call);
  found = find_thread_locked (self);
  if (!found)
    g_queue_remove (&self->calls, call);
  if (self->ended->len > 0) {
    ended = self->ended;
    self->ended = g_ptr_array_new ();
  }
  g_mutex_unlock (&self->lock);
  if (!found)
    run_call (call);
  if (ended != NULL)
    join_all (ended);
}

/* ---- calls that the session's own threads run ---- */

/* No more of them; (transfer full): those under way. */
static GPtrArray *
leave_locked (FsLate *self)
{
  GPtrArray *calls = g_ptr_array_new_with_free_func (call_unref);

  self->session = NULL;
  for (GList *at = self->here.head; at != NULL; at = at->next)
    g_ptr_array_add (calls, g_atomic_rc_box_acquire (at->data));
  return calls;
}

static void
interrupt_all (GPtrArray *calls)
{
  for (guint i = 0; i < calls->len; i++)
    VixExt_Interrupt (((FsLateCall *)calls->pdata[i])->interrupt);
  g_ptr_array_unref (calls);
}

/* The session waits for its threads, and nobody says when somebody else ended
 * it. */
static gboolean
look_over (gpointer data)
{
  FsLate *self = data;
  GPtrArray *calls = NULL;
  gboolean go_on;

  g_mutex_lock (&self->lock);
  if (self->session != NULL && fuse_session_exited (self->session))
    calls = leave_locked (self);
  go_on = self->session != NULL && (self->busy || self->here.length > 0);
  self->busy = FALSE;
  if (!go_on)
    self->look_over = 0;
  g_mutex_unlock (&self->lock);
  if (calls != NULL)
    interrupt_all (calls);
  return go_on ? G_SOURCE_CONTINUE : G_SOURCE_REMOVE;
}

/* FALSE if as many are under way as may be. */
static gboolean
begin_here (FsLate *self, FsLateCall *call)
{
  gboolean may;

  g_mutex_lock (&self->lock);
  may = self->session != NULL && self->here.length < FS_LATE_HERE;
  if (may) {
    call->link.data = call;
    g_queue_push_tail_link (&self->here, &call->link);
    self->busy = TRUE;
    if (self->look_over == 0)
      self->look_over = g_timeout_add_seconds (LOOK_OVER_S, look_over, self);
  }
  g_mutex_unlock (&self->lock);
  return may;
}

void
fs_late_run (FsLate *self, const FsLateCall *call)
{
  FsLateCall *mine = call_new (call);

  if (!begin_here (self, mine)) {
    push (self, mine);
    return;
  }
  g_atomic_rc_box_acquire (mine);
  run_call (mine);
  g_mutex_lock (&self->lock);
  g_queue_unlink (&self->here, &mine->link);
  g_mutex_unlock (&self->lock);
  call_unref (mine);
}

void
fs_late_join_session (FsLate *self, struct fuse_session *session)
{
  g_mutex_lock (&self->lock);
  self->session = session;
  g_mutex_unlock (&self->lock);
}

void
fs_late_leave_session (FsLate *self)
{
  GPtrArray *calls;
  guint source;

  g_mutex_lock (&self->lock);
  calls = leave_locked (self);
  source = self->look_over;
  self->look_over = 0;
  g_mutex_unlock (&self->lock);
  interrupt_all (calls);
  if (source != 0)
    g_source_remove (source);
}

gboolean
fs_late_is_here (void)
{
  return g_private_get (&current) != NULL;
}
