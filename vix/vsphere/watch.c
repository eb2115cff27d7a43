/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * watch.c - the thread that holds WaitForUpdatesEx open.
 *
 * One collector per session. It has one filter with the whole inventory (once
 * that is wanted) and those of the tasks that run for us; a single call waits
 * for all of them. What it answers goes into the mirror while it arrives, and
 * from there to the inventory when it is complete.
 *
 * When an answer is lost, the same question may be asked again with the same
 * version if that came from a complete set; else, or when the host does not
 * know the version or the collector any more, everything is asked for anew
 * and compared: what is in the mirror and does not come is gone, the rest
 * stays as it is (mark and sweep).
 *
 * A full state comes in pieces. Each begins with its version, which is all
 * that the question for the next one needs: that is sent while the piece is
 * still being read, so that the host and we work at the same time. Its answer
 * is not looked at before the piece was taken whole; if it was not, the
 * question is given up, and everything is asked for anew.
 */
#include <string.h>

#include "base/error.h"
#include "vsphere/chore.h"
#include "vsphere/host-private.h"
#include "vsphere/soap/fault.h"

/* The host ends a wait after this; below what firewalls allow a silent
 * connection. And what we give it beyond. */
#define WAIT_S 60
#define GRACE_MS 30000
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

struct VsphereWatch {
  VsphereHost *host;
  GThread *thread;        /* guarded by the host's lock until it runs */
  GCancellable *stopping; /* ends everything */

  /* Guarded by the host's lock: */
  GCond changed;      /* anything below */
  gboolean wanted;    /* keep the whole inventory */
  gboolean loaded;    /* it was complete once */
  gboolean needed;    /* somebody waits for the thread */
  gboolean doubted;   /* see whether the host is there */
  GCancellable *wait; /* of the call that is held open, or NULL */
  int state;          /* VIXEXT_HOST_* */
  gint64 since;       /* us since 1970 */
  char *problem;
  char *collector; /* value; NULL: none */
  guint serial;    /* grows with each collector */

  /* Of the thread alone: */
  guint generation;       /* of the session that has the collector */
  gboolean own_collector; /* not the session's only one */
  char *view;             /* value */
  char *filter;           /* value of that of the inventory; NULL: none */
  char *version;
  gboolean reusable;    /* version may be asked with again */
  VsphereCall *ahead;   /* the next wait, sent already; NULL: none */
  char *ahead_version;  /* that it was sent with */
  guint n_records;      /* of the answer under way */
  gboolean loading;     /* a full state is on its way */
  gboolean interrupted; /* the host may still be waiting for us */
  gboolean lacks_session;
  guint failures;      /* in a row */
  guint empty_answers; /* at once, in a row */
};

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

/* ---- the collector ---- */

/* All that was the session's is gone, or given back. */
static void
drop_collector (VsphereWatch *self, gboolean give_back)
{
  g_autofree char *collector = NULL;
  g_autofree char *filter = g_steal_pointer (&self->filter);
  g_autofree char *view = g_steal_pointer (&self->view);

  vix_lock (&self->host->lock);
  collector = g_steal_pointer (&self->collector);
  self->serial++;
  vix_unlock (&self->host->lock);
  vsphere_tasks_forget_filters (self->host->tasks);
  self->interrupted = FALSE;
  if (!give_back)
    return;
  if (filter != NULL)
    vsphere_chore_push (self->host, &soap_method_DestroyPropertyFilter,
                        "PropertyFilter", filter);
  if (view != NULL)
    vsphere_chore_push (self->host, &soap_method_DestroyView, "ContainerView",
                        view);
  if (collector != NULL && self->own_collector)
    vsphere_chore_push (self->host, &soap_method_DestroyPropertyCollector,
                        "PropertyCollector", collector);
}

/* From now on the host tells everything again. */
static void
start_over (VsphereWatch *self)
{
  g_free (self->version);
  self->version = g_strdup ("");
  self->reusable = TRUE;
  if (self->filter == NULL)
    return;
  self->loading = TRUE;
  vix_lock (&self->host->lock);
  vsphere_mirror_mark (self->host->mirror);
  vix_unlock (&self->host->lock);
}

static gboolean
take_ref (const SoapReply *reply, const char *method, char **ret_value,
          GError **error)
{
  if (reply == NULL)
    return FALSE;
  *ret_value = g_strdup (soap_reply_get_ref (reply)->value);
  if (*ret_value == NULL)
    g_set_error (error, SOAP_ERROR, SOAP_ERROR_MALFORMED,
                 "%s: the answer names no object", method);
  return *ret_value != NULL;
}

/* A collector of our own, so that nothing else moves its versions. Before
 * 4.1 there is only the session's. */
static gboolean
ensure_collector (VsphereWatch *self, const VsphereService *service,
                  GError **error)
{
  g_autoptr (SoapReply) reply = NULL;
  char *collector = NULL;

  if (self->collector != NULL)
    return TRUE;
  self->generation = vsphere_session_get_generation (self->host->session);
  self->own_collector = vsphere_service_speaks (service, "4.1");
  if (self->own_collector) {
    reply = vsphere_session_call (
      self->host->session, &soap_method_CreatePropertyCollector,
      &service->property_collector, NULL, &(VsphereCallExtra){ 0 },
      self->stopping, error);
    if (!take_ref (reply, "CreatePropertyCollector", &collector, error))
      return FALSE;
  } else {
    collector = g_strdup (service->property_collector.value);
  }
  vix_lock (&self->host->lock);
  self->collector = collector;
  self->serial++;
  vix_unlock (&self->host->lock);
  start_over (self);
  return TRUE;
}

/* The filter that shows the whole inventory. */
static gboolean
ensure_filter (VsphereWatch *self, const VsphereService *service,
               GError **error)
{
  SoapRef collector = { "PropertyCollector", self->collector };
  SoapRef view = { "ContainerView", NULL };
  g_auto (VsphereSpec) spec = { .n_props = 0 };
  SoapCreateFilterArgs args = { .spec = &spec.spec };
  VsphereCallExtra extra = { .as_is = TRUE };
  g_autoptr (SoapReply) reply = NULL;
  gboolean wanted;

  vix_lock (&self->host->lock);
  wanted = self->wanted;
  vix_unlock (&self->host->lock);
  if (!wanted || self->filter != NULL)
    return TRUE;
  g_free (self->view);
  self->view = vsphere_create_view (self->host, self->stopping, error);
  if (self->view == NULL)
    return FALSE;
  view.value = self->view;
  vsphere_spec_init_inventory (&spec, service->version, &view, TRUE);
  reply
    = vsphere_session_call (self->host->session, &soap_method_CreateFilter,
                            &collector, &args, &extra, self->stopping, error);
  if (!take_ref (reply, "CreateFilter", &self->filter, error))
    return FALSE;
  /* It tells all that it has whatever the version. */
  self->loading = TRUE;
  vix_lock (&self->host->lock);
  vsphere_mirror_mark (self->host->mirror);
  vix_unlock (&self->host->lock);
  return TRUE;
}

/* ---- asking ---- */

static gboolean on_record (const SoapNode *record, SoapArena *arena,
                           gpointer data, GError **error);
static void on_head (const SoapNode *response, gpointer data);

static VsphereCallExtra
describe_wait (VsphereWatch *self, int answer_ms)
{
  return (VsphereCallExtra){ .reserved = TRUE,
                             .as_is = TRUE,
                             .answer_ms = answer_ms,
                             .on_head = on_head,
                             .on_record = on_record,
                             .record_data = self };
}

/* Sends the question for what comes after @version. Failing costs nothing: it
 * is asked again in its turn. */
static void
ask_ahead (VsphereWatch *self, const char *version)
{
  SoapRef collector = { "PropertyCollector", self->collector };
  SoapWaitOptions options = { .maxWaitSeconds = WAIT_S };
  SoapWaitForUpdatesExArgs args = { .version = version, .options = &options };
  VsphereCallExtra extra = describe_wait (self, WAIT_S * 1000 + GRACE_MS);

  self->ahead
    = vsphere_session_begin (self->host->session, &soap_method_WaitForUpdatesEx,
                             &collector, &args, &extra, NULL);
  if (self->ahead != NULL)
    self->ahead_version = g_strdup (version);
}

/* What was asked ahead is not wanted after all. */
static void
give_up_ahead (VsphereWatch *self)
{
  g_autoptr (GCancellable) cancelled = NULL;

  if (self->ahead == NULL)
    return;
  cancelled = g_cancellable_new ();
  g_cancellable_cancel (cancelled);
  soap_reply_free (vsphere_session_finish (
    self->host->session, g_steal_pointer (&self->ahead), cancelled, NULL));
  g_clear_pointer (&self->ahead_version, g_free);
  self->interrupted = TRUE;
}

/* The call that is held open. The oldest hosts have one without an end. */
static SoapReply *
call_wait (VsphereWatch *self, const VsphereService *service, int seconds,
           GCancellable *wait, GError **error)
{
  SoapRef collector = { "PropertyCollector", self->collector };
  SoapWaitOptions options = { .maxWaitSeconds = seconds };
  SoapWaitForUpdatesExArgs args
    = { .version = self->version, .options = &options };
  SoapWaitForUpdatesArgs old_args = { .version = self->version };
  gboolean old = !vsphere_service_speaks (service, "4.1");
  VsphereCallExtra extra
    = describe_wait (self, seconds * 1000 + (old ? 0 : GRACE_MS));

  if (self->ahead != NULL) {
    g_clear_pointer (&self->ahead_version, g_free);
    return vsphere_session_finish (self->host->session,
                                   g_steal_pointer (&self->ahead), wait, error);
  }
  return vsphere_session_call (
    self->host->session,
    old ? &soap_method_WaitForUpdates : &soap_method_WaitForUpdatesEx,
    &collector, old ? (gconstpointer)&old_args : &args, &extra, wait, error);
}

/* ---- what a wait answers ---- */

/* Before the first record. A host without WaitForUpdatesEx tells everything
 * at once. */
static void
on_head (const SoapNode *response, gpointer data)
{
  VsphereWatch *self = data;
  const SoapNode *set = soap_node_child (response, "returnval");
  const char *version
    = set == NULL ? NULL : soap_node_child_text (set, "version");

  if (self->loading && version != NULL && *version != '\0'
      && g_str_equal (response->name, "WaitForUpdatesExResponse"))
    ask_ahead (self, version);
}

static gboolean
on_record (const SoapNode *record, SoapArena *arena, gpointer data,
           GError **error)
{
  VsphereWatch *self = data;
  SoapObjectUpdate update;

  self->n_records++;
  if (self->ahead != NULL)
    vsphere_session_push (self->ahead);
  if (!soap_decode_struct (&soap_type_ObjectUpdate, record, arena, &update,
                           error))
    return FALSE;
  if (vsphere_lacks_session (update.missingSet.items, update.missingSet.n)) {
    self->lacks_session = TRUE;
    return TRUE;
  }
  if (g_str_equal (update.obj.type, "Task")) {
    vsphere_tasks_apply (self->host->tasks, &update, arena);
    return TRUE;
  }
  vix_lock (&self->host->lock);
  vsphere_mirror_apply (self->host->mirror, &update, record->cut, arena);
  vix_unlock (&self->host->lock);
  return TRUE;
}

static void
take_missing (VsphereWatch *self, const SoapUpdateSet *set)
{
  for (gsize i = 0; i < set->filterSet.n; i++) {
    const SoapPropertyFilterUpdate *update = &set->filterSet.items[i];

    for (gsize j = 0; j < update->missingSet.n; j++)
      vsphere_tasks_missing (self->host->tasks,
                             &update->missingSet.items[j].obj);
  }
}

/* The full state has come: what was in the mirror and did not come is gone. */
static void
finish_loading (VsphereWatch *self)
{
  gboolean first;

  self->loading = FALSE;
  vix_lock (&self->host->lock);
  vsphere_mirror_sweep (self->host->mirror);
  vix_unlock (&self->host->lock);
  vsphere_publish (self->host, TRUE);
  vix_lock (&self->host->lock);
  first = !self->loaded;
  self->loaded = TRUE;
  vix_unlock (&self->host->lock);
  if (first)
    vix_inventory_announce (self->host->inventory, VIXEXT_EVENT_LOADED);
}

static void
take_answer (VsphereWatch *self, const SoapUpdateSet *set)
{
  gboolean truncated = set != NULL && set->truncated;

  if (set != NULL) {
    take_missing (self, set);
    g_free (self->version);
    self->version = g_strdup (set->version);
    self->reusable = !truncated;
    if (g_strcmp0 (self->ahead_version, self->version) != 0)
      give_up_ahead (self);
  }
  if (self->loading && !truncated)
    finish_loading (self);
  else if (set != NULL)
    vsphere_publish (self->host, !self->loading);
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
set_lacks_session (GError **error)
{
  static const SoapNode fault = { .name = "NotAuthenticatedFault", .text = "" };
  static const SoapNode detail
    = { .name = "detail", .text = "", .first = (SoapNode *)&fault };
  static const SoapNode node
    = { .name = "Fault", .text = "", .first = (SoapNode *)&detail };
  g_autoptr (SoapFault) made = soap_fault_new (&node);

  soap_set_error_fault (error, made);
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
  g_autoptr (GError) failure = NULL;
  gint64 started;

  if (wait == NULL)
    return TRUE;
  /* Hosts whose wait has no end say that they are back by being asked. */
  if (back && !vsphere_service_speaks (service, "4.1") && !self->loading) {
    set_state (self, VIXEXT_HOST_CONNECTED, NULL);
    back = FALSE;
  }
  self->lacks_session = FALSE;
  self->n_records = 0;
  started = g_get_monotonic_time ();
  reply
    = call_wait (self, service, back ? FIRST_WAIT_S : WAIT_S, wait, &failure);
  end_wait (self);
  if (reply != NULL && self->lacks_session)
    set_lacks_session (&failure);
  if (failure != NULL) {
    /* What was applied of half an answer is true all the same. But what it
     * brought and is gone by the next answer would not be taken back there:
     * its version was never ours. Nor can the host be asked twice for what
     * follows a version that it was told we have. */
    vsphere_publish (self->host, FALSE);
    self->reusable &= self->n_records == 0 && self->ahead == NULL;
    give_up_ahead (self);
    g_propagate_error (error, g_steal_pointer (&failure));
    return FALSE;
  }
  take_answer (self, soap_reply_get_struct (reply));
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

  drop_collector (self, FALSE);
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
    start_over (self);
    self->interrupted = FALSE;
  } else if (soap_error_get_fault (error) != NULL) {
    drop_collector (self,
                    !soap_error_is_fault (error, "ManagedObjectNotFound"));
  } else if (!self->reusable) {
    start_over (self);
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

  give_up_ahead (self);
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
    give_up_ahead (self);
  if ((doubted || self->interrupted) && !probe (self, error))
    return FALSE;
  service = vsphere_session_get_service (self->host->session);
  return ensure_collector (self, service, error)
         && ensure_filter (self, service, error)
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
      give_up_ahead (self);
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
