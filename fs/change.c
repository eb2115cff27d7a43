/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "change.h"

#include <errno.h>
#include <string.h>

#include "errno-map.h"
#include "json.h"
#include "mount.h"
#include "name.h"
#include "vix-ext.h"

struct FsChanges {
  GMutex lock;        /* level 2: all below, and what change.h says */
  GPtrArray *running; /* (FsChange), a reference each */
  guint64 last_id;
  guint active; /* on the list, or about to be answered */
  gboolean stopping;

  FsMount *mount; /* const */
};

FsChanges *
fs_changes_new (FsMount *mount)
{
  FsChanges *self = g_new0 (FsChanges, 1);

  g_mutex_init (&self->lock);
  self->mount = mount;
  self->running
    = g_ptr_array_new_with_free_func ((GDestroyNotify)fs_change_unref);
  return self;
}

void
fs_changes_free (FsChanges *self)
{
  if (self == NULL)
    return;
  g_ptr_array_unref (self->running);
  g_mutex_clear (&self->lock);
  g_free (self);
}

/* ---- one change ---- */

FsChange *
fs_change_new (FsMount *mount, const FsChangeOps *ops, const FsNode *node,
               FsRequest *rq)
{
  FsChange *self = g_new0 (FsChange, 1);

  g_atomic_ref_count_init (&self->references);
  self->ops = ops;
  self->mount = mount;
  self->host = fs_mount_host (mount, node);
  self->slot = node->id.slot;
  self->alias = node->id.index;
  self->vm_id = g_strdup (node->vm->id);
  self->vm_path = fs_tree_path (mount->tree, node->id.slot);
  self->snapshot = node->snapshot != NULL ? node->snapshot->id : 0;
  self->started = g_get_monotonic_time ();
  self->unclaimed = rq;
  self->caller = fs_request_caller (rq);
  self->percent = -1;
  return self;
}

FsChange *
fs_change_ref (FsChange *self)
{
  g_atomic_ref_count_inc (&self->references);
  return self;
}

void
fs_change_unref (FsChange *self)
{
  if (self == NULL || !g_atomic_ref_count_dec (&self->references))
    return;
  fs_request_free (self->request);
  fs_request_free (self->unclaimed);
  Vix_ReleaseHandle (self->job);
  g_free (self->vm_id);
  g_free (self->vm_path);
  g_free (self->shown);
  g_free (self->new_shown);
  g_free (self->text);
  g_free (self->description);
  g_free (self);
}

/* Makes this thread the one that answers; FALSE if another is. */
static gboolean
claim (FsChange *self)
{
  FsChanges *all = self->mount->changes;
  gboolean mine;

  g_mutex_lock (&all->lock);
  mine = self->unclaimed != NULL;
  if (mine)
    self->request = g_steal_pointer (&self->unclaimed);
  g_mutex_unlock (&all->lock);
  return mine;
}

/* ---- telling ---- */

typedef enum { TELL_START, TELL_PROGRESS, TELL_END } Tell;

static int
errno_of (const FsChange *self, VixError error)
{
  return self->ops->errno_of != NULL ? self->ops->errno_of (error)
                                     : fs_errno_from_vix (error);
}

/* @message: why it failed, or what is to be said of the success; or NULL */
static void
add_event (FsChange *self, Tell what, int percent, VixError error,
           const char *message)
{
  static const char *const states[] = { "started", "progress", "ended" };
  GString *line = g_string_new (NULL);
  g_autofree char *text = NULL;
  FsJson json;
  const char *name = self->new_shown != NULL ? self->new_shown : self->shown;
  g_autofree char *quoted = fs_text_escape (name);

  fs_json_init (&json, line, FALSE);
  fs_json_begin (&json, NULL, '{');
  fs_json_time (&json, "time", g_get_real_time ());
  fs_json_string (&json, "event", "job");
  fs_json_string (&json, "state", states[what]);
  fs_json_int (&json, "job", (gint64)self->id);
  fs_json_string (&json, "vm", self->vm_path);
  fs_json_string (&json, "operation", self->ops->name);
  fs_json_string (&json, "name", name);
  if (what == TELL_PROGRESS)
    fs_json_int (&json, "percent", percent);
  if (what == TELL_END) {
    int number = errno_of (self, error);

    fs_json_string (&json, "errno",
                    number != 0 ? fs_errno_name (number) : NULL);
    fs_json_string (&json, "error",
                    number != 0 ? VixExt_GetErrorName (error) : NULL);
    fs_json_string (&json, "message", message);
    text = g_strdup_printf (
      "%s: %s%s%s%s: %s%s%s", self->vm_path, self->ops->name,
      name != NULL ? " \"" : "", quoted, name != NULL ? "\"" : "",
      number != 0 ? VixExt_GetErrorName (error) : "done",
      message != NULL ? ": " : "", message != NULL ? message : "");
  }
  fs_json_end (&json, '}');
  fs_events_add (self->mount->events, g_string_free (line, FALSE), text);
}

/* ---- the end ---- */

/* Takes it off the list: from now on nothing waits for it, and its name is
 * free again. */
static void
leave_list (FsChange *self)
{
  FsChanges *all = self->mount->changes;
  GSource *timer;

  g_mutex_lock (&all->lock);
  self->done = TRUE;
  timer = g_steal_pointer (&self->timer);
  g_ptr_array_remove (all->running, self);
  g_mutex_unlock (&all->lock);
  if (timer != NULL) {
    g_source_destroy (timer);
    g_source_unref (timer);
  }
}

static void
leave_active (FsChange *self)
{
  FsChanges *all = self->mount->changes;

  fs_stats_add (&self->mount->stats, FS_STAT_JOBS, -1);
  g_mutex_lock (&all->lock);
  all->active--;
  g_mutex_unlock (&all->lock);
}

/* (transfer full): @job: 0 if it did not even start */
static void
complete (FsChange *self, VixHandle job, VixError error, const char *message)
{
  g_autoptr (FsChange) mine G_GNUC_UNUSED = self;
  gboolean failed = VIX_FAILED (error);
  const char *text = NULL;

  if (failed)
    text = message != NULL && *message != '\0' ? message
                                               : Vix_GetErrorText (error, NULL);
  else if (self->ops->remark != NULL)
    text = self->ops->remark (self, job);
  if (failed && VIX_ERROR_CODE (error) != VIX_E_CANCELLED)
    fs_trouble_set_error (self->mount->tree, self->slot, error, text);
  fs_stats_add (&self->mount->stats,
                failed ? FS_STAT_CHANGES_FAILED : FS_STAT_CHANGES_OK, 1);
  leave_list (self);
  add_event (self, TELL_END, 100, error, text);
  if (claim (self)) {
    if (failed)
      fs_request_reply (self->request, errno_of (self, error));
    else
      self->ops->succeed (self, job);
  } else {
    failed = TRUE;
  }
  if (failed && self->ops->not_told != NULL)
    self->ops->not_told (self);
  if (self->ops->ended != NULL)
    self->ops->ended (self);
  leave_active (self);
}

static void
on_progress (FsChange *self, VixHandle job)
{
  FsChanges *all = self->mount->changes;
  int percent = -1;
  gboolean news;

  if (VIX_FAILED (VixExt_GetJobProgress (job, &percent)) || percent < 0)
    return;
  g_mutex_lock (&all->lock);
  news = percent > self->percent;
  if (news)
    self->percent = percent;
  g_mutex_unlock (&all->lock);
  if (news)
    add_event (self, TELL_PROGRESS, percent, VIX_OK, NULL);
}

static void
on_job_event (VixHandle job, VixEventType type, VixHandle info, void *data)
{
  FsChange *self = data;
  VixError error;
  char *message = NULL;

  if (type == VIX_EVENTTYPE_JOB_PROGRESS)
    on_progress (self, job);
  if (type != VIX_EVENTTYPE_JOB_COMPLETED)
    return;
  error = VixJob_GetError (job);
  if (VIX_FAILED (error)
      && VIX_FAILED (
        Vix_GetProperties (job, VIX_PROPERTY_JOB_RESULT_EXTRA_ERROR_INFO,
                           &message, VIX_PROPERTY_NONE)))
    message = NULL;
  complete (self, job, error, message);
  Vix_FreeBuffer (message);
}

void
fs_change_reply_done (FsChange *self, VixHandle job)
{
  if (self->written > 0)
    fs_request_reply_written (self->request, self->written);
  else
    fs_request_reply (self->request, 0);
}

/* ---- the start ---- */

/* Readers no longer meet the directory that this one keeps locked. */
static void
lead_around (FsChange *self)
{
  FsStale *stale = fs_stale_new ();

  fs_tree_switch_alias (self->mount->tree, self->slot, self->alias, stale);
  fs_notify_send (self->mount->notify, stale);
}

static gboolean
on_slow (gpointer data)
{
  FsChange *self = data;
  FsChanges *all = self->mount->changes;
  gboolean slow;

  g_mutex_lock (&all->lock);
  slow = !self->done && self->unclaimed != NULL;
  self->slow = slow;
  g_mutex_unlock (&all->lock);
  if (slow) {
    fs_stats_add (&self->mount->stats, FS_STAT_SLOW, 1);
    lead_around (self);
  }
  return G_SOURCE_REMOVE;
}

static GSource *
timer_new (guint ms, GSourceFunc func, FsChange *self)
{
  GSource *timer = g_timeout_source_new (ms);

  g_source_set_priority (timer, G_PRIORITY_DEFAULT);
  g_source_set_callback (timer, func, fs_change_ref (self),
                         (GDestroyNotify)fs_change_unref);
  return timer;
}

/* Puts it on the list; an errno if it is not to run. @ret_is_slow: it will
 * be, as all are on hosts over the network, or one before it is. */
static int
enter_list (FsChange *self, gboolean *ret_is_slow)
{
  FsChanges *all = self->mount->changes;
  int number = all->stopping ? ESHUTDOWN : 0;
  guint i;

  *ret_is_slow = !fs_host_source (self->host)->is_local;
  for (i = 0; number == 0 && i < all->running->len; i++) {
    const FsChange *other = all->running->pdata[i];

    if (other->slot != self->slot)
      continue;
    if (other->slow)
      *ret_is_slow = TRUE;
    if (self->new_shown != NULL && other->new_shown != NULL
        && strcmp (self->new_shown, other->new_shown) == 0)
      number = EEXIST;
  }
  if (number == 0) {
    self->id = ++all->last_id;
    all->active++;
    g_ptr_array_add (all->running, fs_change_ref (self));
    /* Not before: an interrupt that came already is looked for at once. */
    fs_request_watch_interrupt (self->unclaimed, fs_mount_interrupted,
                                self->mount);
  }
  return number;
}

/* Has it count as slow in a while, from the first call. */
static void
watch_time_locked (FsChange *self)
{
  if (self->done || self->timer != NULL)
    return;
  self->timer = timer_new (FS_SLOW_MS, on_slow, self);
  g_source_attach (self->timer, NULL);
}

/* Hands the job over to the change, or back if that is through already. */
static void
keep_job (FsChange *self, VixHandle job)
{
  FsChanges *all = self->mount->changes;
  gboolean cancelled;

  g_mutex_lock (&all->lock);
  self->job = job;
  cancelled = self->cancelled;
  watch_time_locked (self);
  g_mutex_unlock (&all->lock);
  if (cancelled)
    VixExt_CancelJob (job);
}

static void
start_job (FsChange *self)
{
  g_autoptr (FsChange) mine G_GNUC_UNUSED = fs_change_ref (self);
  VixHandle vm = VIX_INVALID_HANDLE;
  VixHandle snapshot = VIX_INVALID_HANDLE;
  VixError error = VixExt_GetVM (fs_host_handle (self->host), self->vm_id, &vm);

  if (VIX_SUCCEEDED (error) && self->snapshot != 0)
    error = VixExt_GetSnapshot (vm, self->snapshot, &snapshot);
  if (VIX_SUCCEEDED (error))
    keep_job (self, self->ops->start (self, vm, snapshot, on_job_event, self));
  else
    complete (self, VIX_INVALID_HANDLE, error, NULL);
  Vix_ReleaseHandle (snapshot);
  Vix_ReleaseHandle (vm);
}

static VixError
prepare (FsChange *self, char **ret_message)
{
  FsChanges *all = self->mount->changes;
  VixError error = self->ops->prepare != NULL
                     ? self->ops->prepare (self, ret_message)
                     : VIX_OK;
  gboolean cancelled;

  /* Not before: preparing may take a while. */
  g_mutex_lock (&all->lock);
  cancelled = self->cancelled;
  g_mutex_unlock (&all->lock);
  if (cancelled && (VIX_SUCCEEDED (error) || error == VIX_E_OBJECT_IS_BUSY))
    return VIX_E_CANCELLED;
  return error;
}

/* FALSE: not yet. */
static gboolean
try_to_start (FsChange *self)
{
  g_autofree char *message = NULL;
  VixError error = prepare (self, &message);

  if (error == VIX_E_OBJECT_IS_BUSY)
    return FALSE;
  if (VIX_SUCCEEDED (error))
    start_job (self);
  else
    complete (self, VIX_INVALID_HANDLE, error, message);
  return TRUE;
}

static gboolean
on_try_again (gpointer data)
{
  return try_to_start (data) ? G_SOURCE_REMOVE : G_SOURCE_CONTINUE;
}

static void
try_again_later (FsChange *self)
{
  FsChanges *all = self->mount->changes;
  g_autoptr (GSource) timer = timer_new (FS_TRY_AGAIN_MS, on_try_again, self);

  g_mutex_lock (&all->lock);
  watch_time_locked (self);
  g_mutex_unlock (&all->lock);
  g_source_attach (timer, NULL);
}

void
fs_change_start (FsChange *self)
{
  FsChanges *all = self->mount->changes;
  gboolean is_slow = FALSE;
  int number;

  g_mutex_lock (&all->lock);
  number
    = self->mount->options->read_only ? EROFS : enter_list (self, &is_slow);
  g_mutex_unlock (&all->lock);
  if (number != 0) {
    claim (self);
    fs_request_reply (self->request, number);
    if (self->ops->ended != NULL)
      self->ops->ended (self);
    fs_change_unref (self);
    return;
  }
  fs_stats_add (&self->mount->stats, FS_STAT_JOBS, 1);
  add_event (self, TELL_START, 0, VIX_OK, NULL);
  if (is_slow)
    lead_around (self);
  if (!try_to_start (self))
    try_again_later (self);
}

/* ---- cancelling ---- */

static gboolean
on_patience_end (gpointer data)
{
  FsChange *self = data;

  if (claim (self))
    fs_request_reply (self->request, EINTR);
  return G_SOURCE_REMOVE;
}

/* A reference; NULL if @request_id is not one of ours. */
static FsChange *
find_request (FsChanges *self, guint64 request_id)
{
  FsChange *found = NULL;
  guint i;

  g_mutex_lock (&self->lock);
  for (i = 0; found == NULL && i < self->running->len; i++) {
    FsChange *change = self->running->pdata[i];

    if (change->unclaimed != NULL
        && fs_request_id (change->unclaimed) == request_id)
      found = fs_change_ref (change);
  }
  g_mutex_unlock (&self->lock);
  return found;
}

static void
cancel (FsChange *self)
{
  FsChanges *all = self->mount->changes;
  g_autoptr (GSource) timer = timer_new (FS_CANCEL_MS, on_patience_end, self);
  VixHandle job;

  g_mutex_lock (&all->lock);
  self->cancelled = TRUE;
  job = self->job;
  g_mutex_unlock (&all->lock);
  g_source_attach (timer, NULL);
  if (job != VIX_INVALID_HANDLE)
    VixExt_CancelJob (job);
}

/* Whether somebody still waits for the answer. */
static gboolean
is_awaited (FsChange *self)
{
  FsChanges *all = self->mount->changes;
  gboolean awaited;

  g_mutex_lock (&all->lock);
  awaited = self->unclaimed != NULL;
  g_mutex_unlock (&all->lock);
  return awaited;
}

static gboolean
on_look_again (gpointer data)
{
  FsChange *self = data;

  if (!is_awaited (self))
    return G_SOURCE_REMOVE;
  if (fs_caller_goes_on (self->caller))
    return G_SOURCE_CONTINUE;
  cancel (self);
  return G_SOURCE_REMOVE;
}

void
fs_changes_interrupt (FsChanges *self, guint64 request_id)
{
  g_autoptr (FsChange) change = find_request (self, request_id);

  if (change == NULL)
    return;
  if (fs_caller_goes_on (change->caller)) {
    g_autoptr (GSource) timer
      = timer_new (FS_LOOK_AGAIN_MS, on_look_again, change);

    g_source_attach (timer, NULL);
  } else {
    cancel (change);
  }
}

guint
fs_changes_stop (FsChanges *self)
{
  g_autoptr (GPtrArray) running
    = g_ptr_array_new_with_free_func ((GDestroyNotify)fs_change_unref);
  guint active;
  guint i;

  g_mutex_lock (&self->lock);
  self->stopping = TRUE;
  active = self->active;
  for (i = 0; i < self->running->len; i++) {
    FsChange *change = self->running->pdata[i];

    change->cancelled = TRUE;
    g_ptr_array_add (running, fs_change_ref (change));
  }
  g_mutex_unlock (&self->lock);
  for (i = 0; i < running->len; i++) {
    const FsChange *change = running->pdata[i];
    VixHandle job;

    g_mutex_lock (&self->lock);
    job = change->job;
    g_mutex_unlock (&self->lock);
    if (job != VIX_INVALID_HANDLE)
      VixExt_CancelJob (job);
  }
  return active;
}

void
fs_changes_print (FsChanges *self, GString *out)
{
  gint64 now = g_get_monotonic_time ();
  guint i;

  g_mutex_lock (&self->lock);
  for (i = 0; i < self->running->len; i++) {
    const FsChange *change = self->running->pdata[i];
    const char *name
      = change->new_shown != NULL ? change->new_shown : change->shown;
    g_autofree char *percent = change->percent >= 0
                                 ? g_strdup_printf ("%d%%", change->percent)
                                 : g_strdup ("-");

    g_string_append_printf (
      out, "%" G_GUINT64_FORMAT "\t%s\t%s\t%s\t%s\t%.1fs%s\n", change->id,
      change->vm_path, change->ops->name, name != NULL ? name : "", percent,
      (double)(now - change->started) / G_USEC_PER_SEC,
      change->cancelled ? "\tcancelling" : "");
  }
  g_mutex_unlock (&self->lock);
}
