/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * watch.c - the thread that holds WaitForUpdatesEx open: when to wait, and what
 * to do when something is wrong. What it asks and is answered: updates.c.
 *
 * When an answer is lost, the same question may be asked again with the same
 * version if that came from a complete set; else, or when the host does not
 * know the version or the collector any more, everything is asked for anew
 * and compared: what is in the mirror and does not come is gone, the rest
 * stays as it is (mark and sweep).
 */
#include "base/error.h"
#include "vsphere/soap/fault.h"
#include "vsphere/watch-private.h"

/* How long a wait right after a reconnect may last: is the host back? */
#define FIRST_WAIT_S 1
/* The longest time without a call while nobody needs the thread; sessions end
 * after 30 minutes. */
#define KEEP_ALIVE_US (10 * 60 * G_USEC_PER_SEC)
#define PROBE_MS 10000
/* Pauses between attempts: the first, and the longest. */
#define FIRST_PAUSE_MS 50
#define LAST_PAUSE_MS 30000
/* Faults in a row before a host that answers counts as away. */
#define PATIENCE 5u
/* Answers of nothing that come sooner than QUICK_US after the question: more
 * than so many in a row, and there is a pause behind each. */
#define EMPTY_ANSWERS 5u
#define QUICK_US (200 * 1000)
#define EMPTY_PAUSE_MS 1000
/* Connections that were idle for so long are closed. */
#define IDLE_US (120 * G_USEC_PER_SEC)

/* ---- state ---- */

static gboolean
is_stopping (VsphereWatch *self)
{
  return g_cancellable_is_cancelled (self->stopping);
}

static void
set_state (VsphereWatch *self, int state, const char *problem)
{
  gboolean changed;

  vix_lock (&self->host->lock);
  changed = self->state != state;
  if (changed) {
    self->state = state;
    self->since = g_get_real_time ();
  }
  g_free (self->problem);
  self->problem = g_strdup (problem);
  g_cond_broadcast (&self->changed);
  vix_unlock (&self->host->lock);
  if (!changed)
    return;
  g_debug ("%s: %s", vsphere_session_get_host (self->host->session),
           state == VIXEXT_HOST_CONNECTED ? "connected" : problem);
  vix_inventory_announce (self->host->inventory, VIXEXT_EVENT_HOST_STATE);
  vsphere_tasks_wake (self->host->tasks);
}

gboolean
vsphere_watch_is_here_locked (VsphereWatch *self)
{
  return self->state == VIXEXT_HOST_CONNECTED;
}

gboolean
vsphere_watch_is_loaded (VsphereWatch *self)
{
  gboolean loaded;

  vix_lock (&self->host->lock);
  loaded = self->loaded;
  vix_unlock (&self->host->lock);
  return loaded;
}

gboolean
vsphere_watch_is_wanted (VsphereWatch *self)
{
  gboolean wanted;

  vix_lock (&self->host->lock);
  wanted = self->wanted;
  vix_unlock (&self->host->lock);
  return wanted;
}

gboolean
vsphere_watch_check_here (VsphereWatch *self, GError **error)
{
  gboolean here;

  vix_lock (&self->host->lock);
  here = vsphere_watch_is_here_locked (self);
  if (!here)
    g_set_error (error, VIX_ERROR, VIX_E_HOST_CONNECTION_LOST, "%s is away: %s",
                 vsphere_session_get_host (self->host->session), self->problem);
  vix_unlock (&self->host->lock);
  return here;
}

void
vsphere_watch_get_status (VsphereWatch *self, VixExtHostStatus *status)
{
  vix_lock (&self->host->lock);
  status->state = self->state;
  status->since = self->since;
  g_strlcpy (status->problem, self->problem == NULL ? "" : self->problem,
             sizeof status->problem);
  vsphere_mirror_get_space (self->host->mirror, &status->capacity,
                            &status->freeSpace);
  vix_unlock (&self->host->lock);
}

char *
vsphere_watch_get_collector_locked (VsphereWatch *self, guint *ret_serial)
{
  *ret_serial = self->serial;
  return g_strdup (self->collector);
}

static void
on_wait_cancelled (GCancellable *cancellable, gpointer data)
{
  VsphereWatch *self = data;

  vix_lock (&self->host->lock);
  g_cond_broadcast (&self->changed);
  vix_unlock (&self->host->lock);
}

gboolean
vsphere_watch_await_here (VsphereWatch *self, GCancellable *cancellable,
                          gint64 end_time)
{
  gulong id = 0;
  gboolean here;

  VIX_MAY_BLOCK ();
  if (cancellable != NULL)
    id = g_cancellable_connect (cancellable, G_CALLBACK (on_wait_cancelled),
                                self, NULL);
  vix_lock (&self->host->lock);
  while (!vsphere_watch_is_here_locked (self) && !is_stopping (self)
         && !g_cancellable_is_cancelled (cancellable)
         && vix_lock_wait_until (&self->host->lock, &self->changed, end_time))
    ;
  here = vsphere_watch_is_here_locked (self);
  vix_unlock (&self->host->lock);
  g_cancellable_disconnect (cancellable, id);
  return here;
}

/* ---- waiting ---- */

/* (transfer full): for the call that follows; NULL if there is something to
 * be done first. */
static GCancellable *
begin_wait (VsphereWatch *self)
{
  GCancellable *wait = NULL;

  vix_lock (&self->host->lock);
  if (!self->doubted && !self->needed && !is_stopping (self))
    wait = self->wait = g_cancellable_new ();
  self->needed = FALSE;
  vix_unlock (&self->host->lock);
  return wait;
}

static void
end_wait (VsphereWatch *self)
{
  vix_lock (&self->host->lock);
  self->wait = NULL;
  vix_unlock (&self->host->lock);
}

static void
sleep_unless_stopping (VsphereWatch *self, gint64 ms)
{
  gint64 end = g_get_monotonic_time () + ms * 1000;

  vix_lock (&self->host->lock);
  while (!is_stopping (self)
         && vix_lock_wait_until (&self->host->lock, &self->changed, end))
    ;
  vix_unlock (&self->host->lock);
}

/* A host that does not hold the call open, and says nothing at once over and
 * over, shall not keep both of us busy with that. */
static void
slow_down (VsphereWatch *self, gint64 took_us)
{
  if (self->n_records > 0 || took_us > QUICK_US)
    self->empty_answers = 0;
  else if (++self->empty_answers > EMPTY_ANSWERS)
    sleep_unless_stopping (self, EMPTY_PAUSE_MS);
}

static gboolean
wait_once (VsphereWatch *self, const VsphereService *service, GError **error)
{
  gboolean back = self->state != VIXEXT_HOST_CONNECTED;
  g_autoptr (GCancellable) wait = begin_wait (self);
  g_autoptr (SoapReply) reply = NULL;
  gint64 started;

  if (wait == NULL)
    return TRUE;
  /* Hosts whose wait has no end say that they are back by being asked. */
  if (back && !vsphere_service_speaks (service, "4.1") && !self->loading) {
    set_state (self, VIXEXT_HOST_CONNECTED, NULL);
    back = FALSE;
  }
  started = g_get_monotonic_time ();
  reply = vsphere_updates_wait (
    self, service, back ? FIRST_WAIT_S : VSPHERE_WAIT_S, wait, error);
  end_wait (self);
  if (reply == NULL) {
    /* What was applied of half an answer is true all the same. But what it
     * brought and is gone by the next answer would not be taken back there:
     * its version was never ours. Nor can the host be asked twice for what
     * follows a version that it was told we have. */
    vsphere_publish (self->host, FALSE);
    self->reusable &= self->n_records == 0 && self->ahead == NULL;
    vsphere_updates_give_up_ahead (self);
    return FALSE;
  }
  vsphere_updates_take (self, reply);
  self->failures = 0;
  if (back)
    set_state (self, VIXEXT_HOST_CONNECTED, NULL);
  soap_pool_trim (vsphere_session_get_pool (self->host->session), IDLE_US);
  slow_down (self, g_get_monotonic_time () - started);
  return TRUE;
}

/* ---- when something is wrong ---- */

/* Whether the host is there and the collector alive. Also ends a wait that
 * the host may still hold for a connection that is no more. */
static gboolean
probe (VsphereWatch *self, GError **error)
{
  const SoapRef instance = { "ServiceInstance", "ServiceInstance" };
  SoapRef collector = { "PropertyCollector", self->collector };
  VsphereCallExtra extra
    = { .reserved = TRUE, .as_is = TRUE, .answer_ms = PROBE_MS };
  g_autoptr (SoapReply) reply = NULL;

  reply = vsphere_session_call (
    self->host->session,
    self->collector != NULL ? &soap_method_CancelWaitForUpdates
                            : &soap_method_CurrentTime,
    self->collector != NULL ? &collector : &instance, NULL, &extra,
    self->stopping, error);
  if (reply == NULL)
    return FALSE;
  self->interrupted = FALSE;
  vix_lock (&self->host->lock);
  self->doubted = FALSE;
  vix_unlock (&self->host->lock);
  return TRUE;
}

/* The session is gone with all it had. The host may have been replaced by a
 * newer one meanwhile. Others may have logged in since; if theirs is gone too,
 * it is our turn. */
static gboolean
log_in_again (VsphereWatch *self, GError **error)
{
  guint generation = vsphere_session_get_generation (self->host->session);

  vsphere_updates_drop (self, FALSE);
  if (generation != self->generation) {
    self->generation = generation;
    return TRUE;
  }
  return vsphere_session_connect (self->host->session, self->stopping, error);
}

static void
pause_before_retry (VsphereWatch *self)
{
  guint shift = MIN (self->failures, 10);
  gint64 ms = MIN (FIRST_PAUSE_MS << shift, LAST_PAUSE_MS);

  /* So that a thousand mounts do not come back at the same moment. */
  ms = ms * 3 / 4 + g_random_int_range (0, (gint32)(ms / 2));
  sleep_unless_stopping (self, ms);
}

/* Decides what is left to build on after @error. */
static void
fall_back (VsphereWatch *self, const GError *error)
{
  self->interrupted = TRUE;
  if (soap_error_is_fault (error, "InvalidCollectorVersion")) {
    vsphere_updates_start_over (self);
    self->interrupted = FALSE;
  } else if (soap_error_get_fault (error) != NULL) {
    vsphere_updates_drop (
      self, !soap_error_is_fault (error, "ManagedObjectNotFound"));
  } else if (!self->reusable) {
    vsphere_updates_start_over (self);
  }
}

/* A host that answers is there. It may be that others' logins take away our
 * collector time and again; only a host that goes on refusing is as good as
 * away. Without an answer the first failure may be a hiccup. */
static gboolean
is_patient (VsphereWatch *self, const GError *error)
{
  if (soap_error_is_fault (error, "InvalidLogin"))
    return FALSE;
  return soap_error_get_fault (error) != NULL ? self->failures < PATIENCE
                                              : self->failures == 0;
}

static void
handle_failure (VsphereWatch *self, GError *failure)
{
  g_autoptr (GError) error = failure;
  g_autoptr (GError) again = NULL;

  vsphere_updates_give_up_ahead (self);
  if (is_stopping (self))
    return;
  if (g_error_matches (error, SOAP_ERROR, SOAP_ERROR_CANCELLED)
      || soap_error_is_fault (error, "RequestCanceled")) {
    self->interrupted = TRUE;
    return;
  }
  if (soap_error_is_fault (error, "NotAuthenticated")
      && !log_in_again (self, &again)) {
    g_clear_error (&error);
    error = g_steal_pointer (&again);
  }
  fall_back (self, error);
  if (is_patient (self, error)) {
    if (self->failures++ > 0)
      pause_before_retry (self);
    return;
  }
  self->failures++;
  set_state (self, VIXEXT_HOST_RECONNECTING, error->message);
  pause_before_retry (self);
}

/* ---- the thread ---- */

/* Sleeps while there is nothing to wait for on the host. */
static void
sleep_until_needed (VsphereWatch *self)
{
  VsphereHost *host = self->host;
  const SoapRef instance = { "ServiceInstance", "ServiceInstance" };
  gboolean idle = TRUE;

  while (idle) {
    gint64 end = g_get_monotonic_time () + KEEP_ALIVE_US;

    vix_lock (&host->lock);
    while (!self->wanted && !self->doubted && !is_stopping (self)
           && !vsphere_tasks_pending_locked (host->tasks)
           && vix_lock_wait_until (&host->lock, &self->changed, end))
      ;
    idle = !self->wanted && !self->doubted && !is_stopping (self)
           && !vsphere_tasks_pending_locked (host->tasks);
    vix_unlock (&host->lock);
    if (!idle)
      return;
    soap_reply_free (vsphere_session_call (host->session,
                                           &soap_method_CurrentTime, &instance,
                                           NULL, NULL, self->stopping, NULL));
    soap_pool_trim (vsphere_session_get_pool (host->session), IDLE_US);
  }
}

static gboolean
work (VsphereWatch *self, GError **error)
{
  g_autoptr (VsphereService) service = NULL;
  gboolean doubted;

  vix_lock (&self->host->lock);
  doubted = self->doubted || self->state != VIXEXT_HOST_CONNECTED;
  vix_unlock (&self->host->lock);
  if (doubted)
    vsphere_updates_give_up_ahead (self);
  if ((doubted || self->interrupted) && !probe (self, error))
    return FALSE;
  service = vsphere_session_get_service (self->host->session);
  return vsphere_updates_prepare (self, service, error)
         && vsphere_tasks_filter (self->host->tasks, error)
         && wait_once (self, service, error);
}

/* A wait without an end that we ended ourselves. */
static gboolean
is_end_of_old_wait (VsphereWatch *self, const GError *error)
{
  g_autoptr (VsphereService) service
    = vsphere_session_get_service (self->host->session);

  return g_error_matches (error, SOAP_ERROR, SOAP_ERROR_TIMEOUT)
         && !vsphere_service_speaks (service, "4.1") && self->failures == 0;
}

static gpointer
run (gpointer data)
{
  VsphereWatch *self = data;

  for (;;) {
    GError *error = NULL;

    sleep_until_needed (self);
    if (is_stopping (self)) {
      vsphere_updates_give_up_ahead (self);
      return NULL;
    }
    if (work (self, &error))
      continue;
    if (is_end_of_old_wait (self, error)) {
      self->interrupted = TRUE;
      g_clear_error (&error);
    } else {
      handle_failure (self, error);
    }
  }
}

/* ---- for the others ---- */

VsphereWatch *
vsphere_watch_new (VsphereHost *host)
{
  VsphereWatch *self = g_new0 (VsphereWatch, 1);

  self->host = host;
  self->stopping = g_cancellable_new ();
  g_cond_init (&self->changed);
  self->state = VIXEXT_HOST_CONNECTED;
  self->since = g_get_real_time ();
  self->reusable = TRUE;
  return self;
}

/* With the lock: something is to be done. (transfer full) (nullable): what to
 * cancel without the lock. */
static GCancellable *
rouse_locked (VsphereWatch *self, gboolean interrupt)
{
  if (self->thread == NULL && !is_stopping (self))
    self->thread = g_thread_new ("vsphere-watch", run, self);
  g_cond_broadcast (&self->changed);
  return interrupt && self->wait != NULL ? g_object_ref (self->wait) : NULL;
}

static void
cancel_wait (GCancellable *wait)
{
  if (wait == NULL)
    return;
  g_cancellable_cancel (wait);
  g_object_unref (wait);
}

void
vsphere_watch_start (VsphereWatch *self)
{
  GCancellable *wait;

  vix_lock (&self->host->lock);
  self->wanted = TRUE;
  self->needed = TRUE;
  wait = rouse_locked (self, TRUE);
  vix_unlock (&self->host->lock);
  cancel_wait (wait);
}

void
vsphere_watch_need (VsphereWatch *self)
{
  vix_lock (&self->host->lock);
  rouse_locked (self, FALSE);
  vix_unlock (&self->host->lock);
}

void
vsphere_watch_doubt (VsphereWatch *self)
{
  GCancellable *wait;

  vix_lock (&self->host->lock);
  self->doubted = TRUE;
  wait = rouse_locked (self, TRUE);
  vix_unlock (&self->host->lock);
  cancel_wait (wait);
}

void
vsphere_watch_free (VsphereWatch *self)
{
  GCancellable *wait;
  GThread *thread;

  if (self == NULL)
    return;
  g_cancellable_cancel (self->stopping);
  vix_lock (&self->host->lock);
  thread = self->thread;
  wait = self->wait != NULL ? g_object_ref (self->wait) : NULL;
  g_cond_broadcast (&self->changed);
  vix_unlock (&self->host->lock);
  cancel_wait (wait);
  if (thread != NULL)
    g_thread_join (thread);
  g_object_unref (self->stopping);
  g_cond_clear (&self->changed);
  g_free (self->problem);
  g_free (self->collector);
  g_free (self->view);
  g_free (self->filter);
  g_free (self->version);
  g_free (self);
}
