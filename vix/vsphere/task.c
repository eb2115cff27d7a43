/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * task.c - following what the host does for us.
 *
 * All tasks are followed by the one collector that watch.c waits on. Each
 * needs a filter there; who starts a task makes it, for all tasks that have
 * none by then, so that five hundred at once need a few filters and not five
 * hundred. A task's first report is its present state: one that ended before
 * its filter was made is not missed. One that stays silent is asked after.
 *
 * A task that is alone is asked after before all that: one that is over by
 * then, as those are that fail early, needs no filter.
 */
#include <string.h>

#include "base/error.h"
#include "vsphere/chore.h"
#include "vsphere/host-private.h"
#include "vsphere/soap/fault.h"

/* Tasks under one filter at most. */
#define MAX_BATCH 200u
/* A task of which nothing was heard for so long is read. */
#define SILENCE_US (60 * G_USEC_PER_SEC)
/* How long it may take to learn that a task is over already; and, of a host
 * that answers within GLANCE_QUICK_US, how often it is asked. */
#define GLANCE_MS 2000
#define GLANCES 3
#define GLANCE_QUICK_US 2000
/* How long a host may be away before we give up, and before we do when the
 * operation was cancelled. */
#define AWAY_US (15 * 60 * G_USEC_PER_SEC)
#define AWAY_CANCELLED_US (15 * G_USEC_PER_SEC)

/* Tasks that came under a filter together. */
typedef struct {
  char *filter; /* value; NULL while it is being made, or after it is gone */
  guint n_tasks;
} Group;

typedef enum { TASK_RUNS, TASK_SUCCEEDED, TASK_FAILED, TASK_FORGOTTEN } State;

typedef struct {
  char *value;
  Group *group; /* NULL: under no filter */
  State state;
  char *result;
  SoapFault *fault;
  int progress; /* -1 unknown */
  gboolean cancelable;
  gboolean glanced; /* its thread asks; it needs no filter yet */
  gint64 news_at;   /* monotonic */
  GCond changed;
} Task;

struct VsphereTasks {
  VsphereHost *host;
  /* Guarded by the host's lock: */
  GHashTable *tasks;  /* value → Task of the waiting thread */
  gboolean filtering; /* a thread is making filters, for all */
};

static const char *const task_paths[]
  = { "info.state",  "info.progress",   "info.error",
      "info.result", "info.cancelable", NULL };

VsphereTasks *
vsphere_tasks_new (VsphereHost *host)
{
  VsphereTasks *self = g_new0 (VsphereTasks, 1);

  self->host = host;
  self->tasks = g_hash_table_new (g_str_hash, g_str_equal);
  return self;
}

void
vsphere_tasks_free (VsphereTasks *self)
{
  if (self == NULL)
    return;
  g_assert (g_hash_table_size (self->tasks) == 0);
  g_hash_table_unref (self->tasks);
  g_free (self);
}

gboolean
vsphere_tasks_pending_locked (VsphereTasks *self)
{
  return g_hash_table_size (self->tasks) > 0;
}

/* ---- what the host tells ---- */

static void
set_state (Task *task, const char *text)
{
  if (g_str_equal (text, "success"))
    task->state = TASK_SUCCEEDED;
  else if (g_str_equal (text, "error"))
    task->state = TASK_FAILED;
}

static void
set_task_property (Task *task, const char *path, const SoapNode *value)
{
  gint64 number;

  if (value == NULL)
    return;
  if (g_str_equal (path, "info.state")) {
    set_state (task, value->text);
  } else if (g_str_equal (path, "info.progress")) {
    if (g_ascii_string_to_signed (value->text, 10, 0, 100, &number, NULL))
      task->progress = (int)number;
  } else if (g_str_equal (path, "info.cancelable")) {
    task->cancelable = g_str_equal (value->text, "true");
  } else if (g_str_equal (path, "info.result")) {
    g_free (task->result);
    task->result = *value->text == '\0' ? NULL : g_strdup (value->text);
  } else if (g_str_equal (path, "info.error")) {
    soap_fault_unref (task->fault);
    task->fault = soap_fault_new (value);
  }
}

/* With the lock; something about @task is known that was not. */
static void
touch_locked (Task *task)
{
  task->news_at = g_get_monotonic_time ();
  g_cond_broadcast (&task->changed);
}

void
vsphere_tasks_apply (VsphereTasks *self, const SoapObjectUpdate *update)
{
  Task *task;

  vix_lock (&self->host->lock);
  task = g_hash_table_lookup (self->tasks, update->obj.value);
  if (task != NULL) {
    for (gsize i = 0; i < update->changeSet.n; i++)
      set_task_property (task, update->changeSet.items[i].name,
                         update->changeSet.items[i].val);
    if (g_str_equal (update->kind, "leave") && task->state == TASK_RUNS)
      task->state = TASK_FORGOTTEN;
    touch_locked (task);
  }
  vix_unlock (&self->host->lock);
}

gboolean
vsphere_tasks_missing (VsphereTasks *self, const SoapRef *ref)
{
  Task *task;
  gboolean ours;

  if (g_strcmp0 (ref->type, "Task") != 0 || ref->value == NULL)
    return FALSE;
  vix_lock (&self->host->lock);
  task = g_hash_table_lookup (self->tasks, ref->value);
  ours = task != NULL && task->state == TASK_RUNS;
  if (ours) {
    task->state = TASK_FORGOTTEN;
    touch_locked (task);
  }
  vix_unlock (&self->host->lock);
  return ours;
}

void
vsphere_tasks_wake (VsphereTasks *self)
{
  GHashTableIter iter;
  gpointer task;

  vix_lock (&self->host->lock);
  g_hash_table_iter_init (&iter, self->tasks);
  while (g_hash_table_iter_next (&iter, NULL, &task))
    g_cond_broadcast (&((Task *)task)->changed);
  vix_unlock (&self->host->lock);
}

/* ---- filters ---- */

static void
leave_group_locked (VsphereTasks *self, Task *task)
{
  Group *group = task->group;

  task->group = NULL;
  if (group == NULL || --group->n_tasks > 0)
    return;
  if (group->filter != NULL)
    vsphere_chore_push (self->host, &soap_method_DestroyPropertyFilter,
                        "PropertyFilter", group->filter);
  g_free (group->filter);
  g_free (group);
}

void
vsphere_tasks_forget_filters (VsphereTasks *self)
{
  GHashTableIter iter;
  gpointer data;

  vix_lock (&self->host->lock);
  g_hash_table_iter_init (&iter, self->tasks);
  while (g_hash_table_iter_next (&iter, NULL, &data)) {
    Task *task = data;

    if (task->group != NULL)
      g_clear_pointer (&task->group->filter, g_free);
    leave_group_locked (self, task);
  }
  vix_unlock (&self->host->lock);
}

/* Takes tasks without a filter; @group gets a reference of our own, so that
 * it lives until its filter is known. */
static GPtrArray *
take_batch_locked (VsphereTasks *self, Group *group)
{
  GPtrArray *values = g_ptr_array_new_with_free_func (g_free);
  GHashTableIter iter;
  gpointer data;

  g_hash_table_iter_init (&iter, self->tasks);
  while (values->len < MAX_BATCH
         && g_hash_table_iter_next (&iter, NULL, &data)) {
    Task *task = data;

    if (task->group != NULL || task->glanced || task->state != TASK_RUNS)
      continue;
    task->group = group;
    group->n_tasks++;
    g_ptr_array_add (values, g_strdup (task->value));
  }
  return values;
}

/* (transfer full): value of the new filter */
static char *
create_filter (VsphereTasks *self, const char *collector,
               const GPtrArray *values, GError **error)
{
  g_autofree SoapRef *refs = g_new (SoapRef, values->len);
  g_auto (VsphereSpec) spec = { .n_props = 0 };
  SoapRef object = { "PropertyCollector", collector };
  SoapCreateFilterArgs args = { .spec = &spec.spec };
  VsphereCallExtra extra = { .as_is = TRUE };
  g_autoptr (VsphereService) service
    = vsphere_session_get_service (self->host->session);
  g_autoptr (SoapReply) reply = NULL;

  for (guint i = 0; i < values->len; i++)
    refs[i] = (SoapRef){ "Task", values->pdata[i] };
  vsphere_spec_init_objects (&spec, task_paths, refs, values->len);
  spec.spec.reportMissingObjectsInResults
    = vsphere_service_speaks (service, "4.1");
  reply = vsphere_session_call (self->host->session, &soap_method_CreateFilter,
                                &object, &args, &extra, NULL, error);
  if (reply == NULL)
    return NULL;
  if (soap_reply_get_ref (reply)->value == NULL)
    g_set_error_literal (error, SOAP_ERROR, SOAP_ERROR_MALFORMED,
                         "CreateFilter: the answer names no filter");
  return g_strdup (soap_reply_get_ref (reply)->value);
}

/* Without a filter they are nobody's again. */
static void
return_batch_locked (VsphereTasks *self, Group *group)
{
  GHashTableIter iter;
  gpointer data;

  g_hash_table_iter_init (&iter, self->tasks);
  while (g_hash_table_iter_next (&iter, NULL, &data))
    if (((Task *)data)->group == group)
      leave_group_locked (self, data);
}

/* A host may refuse a filter because a task of it is forgotten. */
static gboolean
is_forgotten_task (VsphereTasks *self, const GError *error)
{
  SoapFault *fault = soap_error_get_fault (error);
  const SoapFaultField *object
    = fault == NULL ? NULL : soap_fault_get_field (fault, "obj");
  SoapRef ref;

  if (object == NULL || !g_str_equal (object->type, "Task")
      || !soap_error_is_fault (error, "ManagedObjectNotFound"))
    return FALSE;
  ref = (SoapRef){ object->type, object->value };
  return vsphere_tasks_missing (self, &ref);
}

/* One filter; FALSE on failure, and *@ret_more FALSE if there is nothing more
 * to do. The lock is held before and after, not in between. */
static gboolean
filter_batch_locked (VsphereTasks *self, gboolean *ret_more, GError **error)
{
  VixLock *lock = &self->host->lock;
  guint serial, now;
  g_autofree char *collector
    = vsphere_watch_get_collector_locked (self->host->watch, &serial);
  g_autoptr (GPtrArray) values = NULL;
  g_autoptr (GError) failure = NULL;
  Group *group;
  char *filter;

  *ret_more = FALSE;
  if (collector == NULL)
    return TRUE;
  group = g_new0 (Group, 1);
  group->n_tasks = 1;
  values = take_batch_locked (self, group);
  if (values->len == 0) {
    g_free (group);
    return TRUE;
  }
  *ret_more = TRUE;
  vix_unlock (lock);
  filter = create_filter (self, collector, values, &failure);
  if (filter == NULL && is_forgotten_task (self, failure))
    g_clear_error (&failure);
  vix_lock (lock);
  g_free (vsphere_watch_get_collector_locked (self->host->watch, &now));
  if (now == serial)
    group->filter = filter;
  else
    g_free (filter); /* it went with its collector */
  if (group->filter == NULL)
    return_batch_locked (self, group);
  leave_group_locked (self, &(Task){ .group = group });
  if (failure == NULL || now != serial)
    return TRUE;
  g_propagate_error (error, g_steal_pointer (&failure));
  return FALSE;
}

gboolean
vsphere_tasks_filter (VsphereTasks *self, GError **error)
{
  gboolean more = TRUE, ok = TRUE;

  VIX_MAY_BLOCK ();
  vix_lock (&self->host->lock);
  if (!self->filtering) {
    self->filtering = TRUE;
    while (ok && more)
      ok = filter_batch_locked (self, &more, error);
    self->filtering = FALSE;
  }
  vix_unlock (&self->host->lock);
  return ok;
}

/* ---- waiting ---- */

static void
take_content (const SoapObjectContent *content, gboolean cut, SoapArena *arena,
              gpointer data)
{
  VsphereTasks *self = data;
  Task *task;

  vix_lock (&self->host->lock);
  task = g_hash_table_lookup (self->tasks, content->obj.value);
  if (task != NULL) {
    for (gsize i = 0; i < content->propSet.n; i++)
      set_task_property (task, content->propSet.items[i].name,
                         content->propSet.items[i].val);
    touch_locked (task);
  }
  vix_unlock (&self->host->lock);
}

/* Nothing was heard for long: ask. What comes of it is in the task. */
static void
read_task (VsphereTasks *self, const char *value)
{
  SoapRef ref = { "Task", value };
  g_auto (VsphereSpec) spec = { .n_props = 0 };
  g_autoptr (GError) error = NULL;

  vsphere_spec_init_objects (&spec, task_paths, &ref, 1);
  if (vsphere_retrieve (self->host, &spec, take_content, self, NULL, &error))
    return;
  if (soap_error_is_fault (error, "ManagedObjectNotFound"))
    vsphere_tasks_missing (self, &ref);
  else
    vsphere_watch_doubt (self->host->watch);
}

static gboolean
take_glance (const SoapNode *record, SoapArena *arena, gpointer data,
             GError **error)
{
  SoapObjectContent content;

  if (!soap_decode_struct (&soap_type_ObjectContent, record, arena, &content,
                           error))
    return FALSE;
  take_content (&content, record->cut, arena, data);
  return TRUE;
}

/* One question; whatever comes of it, the task can still be followed. */
static void
glance_once (VsphereTasks *self, const char *value, GCancellable *cancellable)
{
  VsphereSession *session = self->host->session;
  g_autoptr (VsphereService) service = vsphere_session_get_service (session);
  SoapRef ref = { "Task", value };
  g_auto (VsphereSpec) spec = { .n_props = 0 };
  SoapRetrievePropertiesArgs args = { .specSet = { &spec.spec, 1 } };
  VsphereCallExtra extra = { .as_is = TRUE,
                             .answer_ms = GLANCE_MS,
                             .on_record = take_glance,
                             .record_data = self };

  vsphere_spec_init_objects (&spec, task_paths, &ref, 1);
  soap_reply_free (vsphere_session_call (
    session, &soap_method_RetrieveProperties, &service->property_collector,
    &args, &extra, cancellable, NULL));
}

static gboolean
is_running (VsphereTasks *self, const Task *task)
{
  gboolean runs;

  vix_lock (&self->host->lock);
  runs = task->state == TASK_RUNS;
  vix_unlock (&self->host->lock);
  return runs;
}

static void
glance_at_task (VsphereTasks *self, Task *task, GCancellable *cancellable)
{
  for (int i = 0; i < GLANCES && task->glanced && is_running (self, task);
       i++) {
    gint64 asked = g_get_monotonic_time ();

    glance_once (self, task->value, cancellable);
    if (g_get_monotonic_time () - asked > GLANCE_QUICK_US)
      break;
  }
  vix_lock (&self->host->lock);
  task->glanced = FALSE;
  vix_unlock (&self->host->lock);
}

/* The host may refuse: then the task goes on to its end. */
static void
cancel_task (VsphereTasks *self, const char *value)
{
  SoapRef ref = { "Task", value };
  g_autoptr (SoapReply) reply = vsphere_session_call (
    self->host->session, &soap_method_CancelTask, &ref, NULL, NULL, NULL, NULL);

  (void)reply;
}

static void
on_cancelled (GCancellable *cancellable, gpointer data)
{
  VsphereTasks *self = data;

  vsphere_tasks_wake (self);
}

/* What a waiting thread has to do next. */
typedef enum {
  DO_NOTHING,
  DO_END,
  DO_CANCEL,
  DO_PROGRESS,
  DO_READ,
  DO_GIVE_UP
} Step;

typedef struct {
  const VixOp *op;
  gboolean cancel_sent;
  int progress; /* reported last */
  gint64 read_at;
  gint64 away_since; /* 0: the host is here */
} Wait;

static gboolean
is_away_too_long (Wait *wait, gboolean here, gint64 now)
{
  gint64 limit = g_cancellable_is_cancelled (wait->op->cancellable)
                   ? AWAY_CANCELLED_US
                   : AWAY_US;

  if (here)
    wait->away_since = 0;
  else if (wait->away_since == 0)
    wait->away_since = now;
  return wait->away_since > 0 && now - wait->away_since > limit;
}

static Step
next_step_locked (const Task *task, Wait *wait, gboolean here)
{
  gint64 now = g_get_monotonic_time ();

  if (task->state != TASK_RUNS)
    return DO_END;
  if (is_away_too_long (wait, here, now))
    return DO_GIVE_UP;
  if (task->progress >= 0 && task->progress != wait->progress)
    return DO_PROGRESS;
  if (!here)
    return DO_NOTHING;
  /* Hosts that do not say whether it can be are asked once. */
  if (!wait->cancel_sent && g_cancellable_is_cancelled (wait->op->cancellable)
      && (task->cancelable || now - task->news_at > G_USEC_PER_SEC))
    return DO_CANCEL;
  if (now - MAX (task->news_at, wait->read_at) > SILENCE_US)
    return DO_READ;
  return DO_NOTHING;
}

/* Until the task ended (TRUE) or there is no point in waiting (FALSE). */
static gboolean
wait_for_end (VsphereTasks *self, Task *task, const VixOp *op)
{
  VixLock *lock = &self->host->lock;
  Wait wait = { .op = op, .progress = -1 };
  Step step;
  int progress;

  vix_lock (lock);
  for (;;) {
    step = next_step_locked (task, &wait,
                             vsphere_watch_is_here_locked (self->host->watch));
    if (step == DO_END || step == DO_GIVE_UP)
      break;
    if (step == DO_NOTHING) {
      vix_lock_wait_until (lock, &task->changed,
                           g_get_monotonic_time () + G_USEC_PER_SEC);
      continue;
    }
    progress = wait.progress = task->progress;
    vix_unlock (lock);
    if (step == DO_PROGRESS && op->progress != NULL)
      op->progress (op->progress_data, progress);
    if (step == DO_CANCEL)
      cancel_task (self, task->value);
    if (step == DO_READ)
      read_task (self, task->value);
    vix_lock (lock);
    wait.cancel_sent |= step == DO_CANCEL;
    if (step == DO_READ)
      wait.read_at = g_get_monotonic_time ();
  }
  vix_unlock (lock);
  return step == DO_END;
}

/* A host that has more to tell than fits one answer may tell of the new state
 * first and of the rest later. With the lock. */
static gboolean
lacks_outcome_locked (const Task *task, gboolean returns)
{
  return (task->state == TASK_SUCCEEDED && returns && task->result == NULL)
         || (task->state == TASK_FAILED && task->fault == NULL);
}

static void
set_outcome (Task *task, gboolean ended, VsphereHost *host,
             VsphereTaskEnd *ret_end, GError **error)
{
  g_autoptr (SoapFault) unknown = NULL;

  if (!ended) {
    g_set_error (error, VIX_ERROR, VIX_E_HOST_CONNECTION_LOST,
                 "%s went away while %s was running and did not come back: it "
                 "is not known how that ended",
                 vsphere_session_get_host (host->session), task->value);
  } else if (task->state == TASK_FAILED && task->fault != NULL) {
    soap_set_error_fault (error, task->fault);
  } else if (task->state == TASK_FAILED) {
    g_set_error (error, VIX_ERROR, VIX_E_FAIL,
                 "%s failed, and the host does not say why", task->value);
  } else {
    ret_end->forgotten = task->state == TASK_FORGOTTEN;
    ret_end->result = g_steal_pointer (&task->result);
  }
}

static void
task_clear (Task *task)
{
  g_free (task->value);
  g_free (task->result);
  soap_fault_unref (task->fault);
  g_cond_clear (&task->changed);
}

/* Sees that the thread of watch.c hears of it. */
static void
follow (VsphereTasks *self, const Task *task)
{
  if (!is_running (self, task))
    return;
  vsphere_watch_need (self->host->watch);
  if (!vsphere_tasks_filter (self, NULL))
    vsphere_watch_doubt (self->host->watch);
}

gboolean
vsphere_task_wait (VsphereHost *host, const SoapRef *ref, const VixOp *op,
                   VsphereTaskEnd *ret_end, GError **error)
{
  VsphereTasks *self = host->tasks;
  Task task = { .value = g_strdup (ref->value),
                .progress = -1,
                .news_at = g_get_monotonic_time () };
  GError *failure = NULL;
  gulong id;
  gboolean known, ended, partial;

  VIX_MAY_BLOCK ();
  vix_lock (&host->lock);
  known
    = task.value != NULL && !g_hash_table_contains (self->tasks, task.value);
  task.glanced = g_hash_table_size (self->tasks) == 0;
  if (known)
    g_hash_table_insert (self->tasks, task.value, &task);
  vix_unlock (&host->lock);
  /* The host names no task, or another's: nothing will be heard of ours. */
  if (!known) {
    g_free (task.value);
    ret_end->forgotten = TRUE;
    return TRUE;
  }
  g_cond_init (&task.changed);
  glance_at_task (self, &task, op->cancellable);
  follow (self, &task);
  id = g_cancellable_connect (op->cancellable, G_CALLBACK (on_cancelled), self,
                              NULL);
  ended = wait_for_end (self, &task, op);
  g_cancellable_disconnect (op->cancellable, id);
  vix_lock (&host->lock);
  partial = ended && lacks_outcome_locked (&task, ret_end->returns);
  vix_unlock (&host->lock);
  if (partial)
    read_task (self, task.value);
  vix_lock (&host->lock);
  g_hash_table_remove (self->tasks, task.value);
  leave_group_locked (self, &task);
  vix_unlock (&host->lock);
  set_outcome (&task, ended, host, ret_end, &failure);
  task_clear (&task);
  if (failure == NULL)
    return TRUE;
  g_propagate_error (error, failure);
  return FALSE;
}
