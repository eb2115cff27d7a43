/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A job lives as long as its handle; whoever runs it holds a reference too,
 * so that it ends properly if the program lets go early. Waiters sleep on a
 * latch that is counted apart: the runner drops its reference to the job and
 * leaves the host before it opens the latch. When VixJob_Wait() returns, the
 * library is done with the job, and releasing the handle really frees it.
 */
#include "core/job.h"

#include "base/error.h"
#include "core/pool.h"

/* ---- latch ---- */

typedef struct {
  gatomicrefcount refs;
  VixLock lock; /* VIX_LOCK_JOB; guards open */
  GCond opened;
  gboolean open;
} Latch;

static Latch *
latch_new (void)
{
  Latch *self = g_new0 (Latch, 1);

  g_atomic_ref_count_init (&self->refs);
  vix_lock_init (&self->lock, VIX_LOCK_JOB);
  g_cond_init (&self->opened);
  return self;
}

static Latch *
latch_ref (Latch *self)
{
  g_atomic_ref_count_inc (&self->refs);
  return self;
}

static void
latch_unref (Latch *self)
{
  if (!g_atomic_ref_count_dec (&self->refs))
    return;
  g_cond_clear (&self->opened);
  vix_lock_clear (&self->lock);
  g_free (self);
}

static void
latch_open (Latch *self)
{
  vix_lock (&self->lock);
  self->open = TRUE;
  g_cond_broadcast (&self->opened);
  vix_unlock (&self->lock);
}

static void
latch_wait (Latch *self)
{
  VIX_MAY_BLOCK ();
  vix_lock (&self->lock);
  while (!self->open)
    vix_lock_wait (&self->lock, &self->opened);
  vix_unlock (&self->lock);
}

/* ---- the job ---- */

typedef enum { JOB_QUEUED, JOB_RUNNING, JOB_DONE } JobState;

struct VixJobQueue {
  gatomicrefcount refs;
  VixLock lock; /* VIX_LOCK_JOB; guards the next two */
  gboolean busy;
  GQueue waiting; /* VixJob, with the runner's reference */
};

struct VixJob {
  VixObject object;

  /* const */
  VixScope *scope;
  VixJobQueue *queue; /* owned */
  gboolean looks;
  VixJobFunc run;
  VixEventProc *callback;
  gpointer client_data;
  GCancellable *cancellable; /* owned */
  Latch *latch;              /* owned */

  /* The runner's alone, handed on through the queues. */
  gpointer data;
  GDestroyNotify free_data;
  gboolean holds_queue; /* the queue's turn is ours */
  GError *refusal;      /* what a job ends with that never ran */
  gint64 again_us, due_us;

  VixLock lock; /* VIX_LOCK_JOB; guards all below */
  GCond idle;   /* caller became NULL */
  JobState state;
  GThread *runner; /* while RUNNING */
  GThread *caller; /* the thread inside the callback */
  int percent;
  GError *error; /* const once DONE, as the results */
  VixPropertySet *results;
};

static void
job_free (VixObject *object)
{
  VixJob *self = (VixJob *)object;

  g_clear_error (&self->error);
  vix_property_set_free (self->results);
  if (self->queue != NULL)
    vix_job_queue_unref (self->queue);
  g_object_unref (self->cancellable);
  latch_unref (self->latch);
  g_cond_clear (&self->idle);
  vix_lock_clear (&self->lock);
  g_free (self);
}

static const VixObjectClass job_class = { VIX_HANDLETYPE_JOB, job_free };

static VixJob *
job_new (gpointer host, VixScope *scope, VixEventProc *callback,
         gpointer client_data)
{
  VixJob *self = g_new0 (VixJob, 1);

  vix_lock_init (&self->lock, VIX_LOCK_JOB);
  g_cond_init (&self->idle);
  self->scope = scope;
  self->callback = callback;
  self->client_data = client_data;
  self->cancellable = g_cancellable_new ();
  self->latch = latch_new ();
  self->percent = -1;
  vix_object_init (&self->object, &job_class, host);
  return self;
}

/* ---- telling the program ---- */

/*
 * Progress is dropped where it would have to wait for another thread's
 * callback, and once the job ends; the other events are certain.
 */
static void
call_program (VixJob *self, VixEventType event, VixHandle more)
{
  gboolean optional = event == VIX_EVENTTYPE_JOB_PROGRESS;

  VIX_MAY_BLOCK ();
  if (self->callback == NULL)
    return;
  vix_lock (&self->lock);
  if (optional && (self->caller != NULL || self->state != JOB_RUNNING)) {
    vix_unlock (&self->lock);
    return;
  }
  while (self->caller != NULL)
    vix_lock_wait (&self->lock, &self->idle);
  self->caller = g_thread_self ();
  vix_unlock (&self->lock);

  vix_callback_enter ();
  self->callback (self->object.handle, event, more, self->client_data);
  vix_callback_leave ();

  vix_lock (&self->lock);
  self->caller = NULL;
  g_cond_broadcast (&self->idle);
  vix_unlock (&self->lock);
}

void
vix_job_send_event (VixJob *self, VixEventType event, VixHandle more)
{
  call_program (self, event, more);
}

static void
job_progress (gpointer data, int percent)
{
  VixJob *self = data;
  gboolean news, here;

  percent = CLAMP (percent, 0, 100);
  vix_lock (&self->lock);
  news = self->state == JOB_RUNNING && percent > self->percent;
  if (news)
    self->percent = percent;
  here = self->scope == NULL || !self->scope->pump
         || self->runner == g_thread_self ();
  vix_unlock (&self->lock);
  if (news && here)
    call_program (self, VIX_EVENTTYPE_JOB_PROGRESS, VIX_INVALID_HANDLE);
}

/* ---- running ---- */

static void job_work (gpointer data);

static void
queue_next (VixJobQueue *queue)
{
  VixJob *next;

  vix_lock (&queue->lock);
  next = g_queue_pop_head (&queue->waiting);
  queue->busy = next != NULL;
  if (next != NULL)
    next->holds_queue = TRUE;
  vix_unlock (&queue->lock);
  if (next != NULL)
    vix_pool_push (job_work, next);
}

static void
job_store (VixJob *self, VixPropertySet *results, GError *error)
{
  vix_error_normalize (&error);
  if (error != NULL) {
    vix_property_set_free (results);
    results = vix_property_set_new ();
  }
  vix_property_set_add_int64 (results, VIX_PROPERTY_JOB_RESULT_ERROR_CODE,
                              error != NULL ? error->code : VIX_OK);
  vix_property_set_add_string (results,
                               VIX_PROPERTY_JOB_RESULT_EXTRA_ERROR_INFO,
                               error != NULL ? error->message : "");
  vix_lock (&self->lock);
  while (self->caller != NULL)
    vix_lock_wait (&self->lock, &self->idle);
  self->state = JOB_DONE;
  self->runner = NULL;
  self->error = error;
  self->results = results;
  vix_unlock (&self->lock);
}

/* FALSE if it has to run once more, after again_us. */
static gboolean
job_run (VixJob *self)
{
  g_autoptr (VixPropertySet) results = vix_property_set_new ();
  VixOp op = { self->cancellable, job_progress, self };
  GError *error = g_steal_pointer (&self->refusal);

  VIX_MAY_BLOCK ();
  vix_lock (&self->lock);
  self->state = JOB_RUNNING;
  self->runner = g_thread_self ();
  vix_unlock (&self->lock);

  self->again_us = 0;
  if (error == NULL && vix_check_cancelled (self->cancellable, &error)
      && !self->run (self, self->data, results, &op, &error) && error == NULL) {
    g_assert (self->again_us > 0);
    return FALSE;
  }
  if (self->holds_queue)
    queue_next (self->queue);
  if (self->looks)
    vix_scope_remove_looker (self->scope, self->cancellable);
  if (self->free_data != NULL)
    self->free_data (self->data);
  job_store (self, g_steal_pointer (&results), error);
  return TRUE;
}

/* Takes the runner's reference of a job that is DONE. */
static void
job_finish (VixJob *self)
{
  VixScope *scope = self->scope;
  VixObject *host = scope != NULL ? vix_object_ref (self->object.root) : NULL;
  Latch *latch = latch_ref (self->latch);

  call_program (self, VIX_EVENTTYPE_JOB_COMPLETED, VIX_INVALID_HANDLE);
  vix_object_unref (self);
  if (scope != NULL)
    vix_scope_leave (scope);
  vix_object_unref (host);
  latch_open (latch);
  latch_unref (latch);
}

/* Until @delay_us is over or somebody cancels. */
static void
sleep_cancellable (GCancellable *cancellable, gint64 delay_us)
{
  GPollFD fd;

  VIX_MAY_BLOCK ();
  if (!g_cancellable_make_pollfd (cancellable, &fd)) {
    g_usleep (MIN (delay_us, G_USEC_PER_SEC));
    return;
  }
  g_poll (&fd, 1, (gint)MIN (delay_us / 1000 + 1, G_MAXINT));
  g_cancellable_release_fd (cancellable);
}

/* On a worker, with the runner's reference. */
static void
job_work (gpointer data)
{
  VixJob *self = data;

  while (!job_run (self))
    sleep_cancellable (self->cancellable, self->again_us);
  job_finish (self);
}

void
vix_job_again (VixJob *self, gint64 delay_us)
{
  self->again_us = MAX (delay_us, 1);
}

/* ---- starting ---- */

/* FALSE if the scope is about to throw out what waits there. */
static gboolean
push_pumped (VixScope *scope, VixJob *self)
{
  gboolean open;

  vix_lock (&scope->lock);
  open = !scope->closing;
  if (open)
    g_queue_push_tail (&scope->pumped, self);
  vix_unlock (&scope->lock);
  return open;
}

/* Takes the runner's reference. */
static void
job_dispatch (VixJob *self)
{
  VixJobQueue *queue = self->queue;

  if (self->scope != NULL && self->scope->pump) {
    if (push_pumped (self->scope, self))
      return;
    g_cancellable_cancel (self->cancellable);
  } else if (queue != NULL) {
    vix_lock (&queue->lock);
    self->holds_queue = !queue->busy;
    if (queue->busy)
      g_queue_push_tail (&queue->waiting, self);
    queue->busy = TRUE;
    vix_unlock (&queue->lock);
    if (!self->holds_queue)
      return;
  }
  vix_pool_push (job_work, self);
}

VixHandle
vix_job_start (const VixJobSpec *spec)
{
  g_autoptr (GError) error = NULL;
  VixJob *self;
  VixHandle handle;

  if (spec->scope != NULL && !vix_scope_enter (spec->scope, &error)) {
    if (spec->free_data != NULL)
      spec->free_data (spec->data);
    return vix_job_start_failed (NULL, NULL, g_steal_pointer (&error),
                                 spec->callback, spec->client_data);
  }
  self = job_new (spec->host, spec->scope, spec->callback, spec->client_data);
  self->queue = spec->queue;
  if (spec->queue != NULL)
    g_atomic_ref_count_inc (&spec->queue->refs);
  self->run = spec->run;
  self->data = spec->data;
  self->free_data = spec->free_data;
  self->looks = spec->looks && spec->scope != NULL;
  if (self->looks)
    vix_scope_add_looker (spec->scope, self->cancellable);
  handle = vix_object_give (self);
  job_dispatch (self);
  if (handle != VIX_INVALID_HANDLE)
    return handle;
  /* Disconnected inside a callback just now: the job runs to its end, but its
   * handle is as dead as all others of that host. */
  g_set_error_literal (&error, VIX_ERROR, VIX_E_HOST_NOT_CONNECTED,
                       "the host was disconnected");
  return vix_job_start_failed (NULL, NULL, g_steal_pointer (&error), NULL,
                               NULL);
}

VixHandle
vix_job_start_failed (gpointer host, VixScope *scope, GError *error,
                      VixEventProc *callback, gpointer client_data)
{
  VixJob *self;
  VixHandle handle;

  if (scope != NULL && !vix_scope_enter (scope, NULL)) {
    host = NULL;
    scope = NULL;
  }
  self = job_new (host, scope, callback, client_data);
  handle = vix_object_give (self);
  if (handle == VIX_INVALID_HANDLE) {
    vix_object_unref (self);
    if (scope != NULL)
      vix_scope_leave (scope);
    return vix_job_start_failed (NULL, NULL, error, callback, client_data);
  }
  self->refusal = error;
  if (callback != NULL) {
    job_dispatch (self);
  } else {
    job_run (self);
    job_finish (self);
  }
  return handle;
}

/* ---- of any job ---- */

void
vix_job_cancel (VixJob *self)
{
  VixJobQueue *queue = self->queue;
  gboolean waited = FALSE;

  VIX_MAY_BLOCK ();
  g_cancellable_cancel (self->cancellable);
  if (queue == NULL)
    return;
  vix_lock (&queue->lock);
  waited = g_queue_remove (&queue->waiting, self);
  vix_unlock (&queue->lock);
  if (waited)
    vix_pool_push (job_work, self);
}

int
vix_job_get_progress (VixJob *self)
{
  int percent;

  vix_lock (&self->lock);
  percent = self->percent;
  vix_unlock (&self->lock);
  return percent;
}

gboolean
vix_job_is_done (VixJob *self)
{
  gboolean done;

  vix_lock (&self->lock);
  done = self->state == JOB_DONE;
  vix_unlock (&self->lock);
  return done;
}

gboolean
vix_job_wait (VixJob *self)
{
  gboolean done, inside;

  vix_lock (&self->lock);
  done = self->state == JOB_DONE;
  inside = self->caller == g_thread_self ();
  vix_unlock (&self->lock);
  if (inside)
    return done;
  latch_wait (self->latch);
  return TRUE;
}

const GError *
vix_job_get_error (VixJob *self)
{
  g_assert (vix_job_is_done (self));
  return self->error;
}

const VixPropertySet *
vix_job_get_results (VixJob *self)
{
  g_assert (vix_job_is_done (self));
  return self->results;
}

/* ---- queues ---- */

VixJobQueue *
vix_job_queue_new (void)
{
  VixJobQueue *self = g_new0 (VixJobQueue, 1);

  g_atomic_ref_count_init (&self->refs);
  vix_lock_init (&self->lock, VIX_LOCK_JOB);
  g_queue_init (&self->waiting);
  return self;
}

void
vix_job_queue_unref (VixJobQueue *self)
{
  if (!g_atomic_ref_count_dec (&self->refs))
    return;
  g_assert (g_queue_is_empty (&self->waiting));
  vix_lock_clear (&self->lock);
  g_free (self);
}

/* ---- event pump mode ---- */

/*
 * One job at a time, whoever pumps: that also keeps the changes of a VM
 * apart. While its last callback runs another may begin, so that a callback
 * may pump, too.
 */
void
vix_scope_pump (VixScope *scope)
{
  guint n;

  VIX_MAY_BLOCK ();
  vix_lock (&scope->lock);
  for (n = g_queue_get_length (&scope->pumped); n > 0; n--) {
    VixJob *job;
    gboolean ended = FALSE, due;

    if (scope->pump_running)
      break;
    job = g_queue_pop_head (&scope->pumped);
    if (job == NULL)
      break;
    scope->pump_running = TRUE;
    vix_unlock (&scope->lock);

    due = job->due_us <= g_get_monotonic_time ()
          || g_cancellable_is_cancelled (job->cancellable);
    if (due) {
      ended = job_run (job);
      job->due_us = g_get_monotonic_time () + job->again_us;
    }

    vix_lock (&scope->lock);
    scope->pump_running = FALSE;
    vix_unlock (&scope->lock);
    if (ended)
      job_finish (job);
    else
      job_dispatch (job);
    vix_lock (&scope->lock);
  }
  vix_unlock (&scope->lock);
}

void
vix_scope_cancel_pumped (VixScope *scope)
{
  VixJob *job;

  VIX_MAY_BLOCK ();
  for (;;) {
    vix_lock (&scope->lock);
    job = g_queue_pop_head (&scope->pumped);
    vix_unlock (&scope->lock);
    if (job == NULL)
      break;
    g_cancellable_cancel (job->cancellable);
    job_run (job);
    job_finish (job);
  }
}
