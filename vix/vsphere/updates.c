/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * updates.c - what the watch asks and is answered.
 *
 * One collector per session. It has one filter with the whole inventory (once
 * that is wanted) and those of the tasks that run for us; a single call waits
 * for all of them. What it answers goes into the mirror while it arrives, and
 * from there to the inventory when it is complete.
 *
 * A full state comes in pieces. Each begins with its version, which is all
 * that the question for the next one needs: that is sent while the piece is
 * still being read, so that the host and we work at the same time. Its answer
 * is not looked at before the piece was taken whole; if it was not, the
 * question is given up, and everything is asked for anew.
 */
#include "vsphere/chore.h"
#include "vsphere/soap/fault.h"
#include "vsphere/watch-private.h"

/* What we give the host beyond the time it may wait. */
#define GRACE_MS 30000

/* ---- the collector ---- */

void
vsphere_updates_drop (VsphereWatch *self, gboolean give_back)
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

void
vsphere_updates_start_over (VsphereWatch *self)
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
  vsphere_updates_start_over (self);
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

gboolean
vsphere_updates_prepare (VsphereWatch *self, const VsphereService *service,
                         GError **error)
{
  return ensure_collector (self, service, error)
         && ensure_filter (self, service, error);
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
  SoapWaitOptions options = { .maxWaitSeconds = VSPHERE_WAIT_S };
  SoapWaitForUpdatesExArgs args = { .version = version, .options = &options };
  VsphereCallExtra extra
    = describe_wait (self, VSPHERE_WAIT_S * 1000 + GRACE_MS);

  self->ahead
    = vsphere_session_begin (self->host->session, &soap_method_WaitForUpdatesEx,
                             &collector, &args, &extra, NULL);
  if (self->ahead != NULL)
    self->ahead_version = g_strdup (version);
}

void
vsphere_updates_give_up_ahead (VsphereWatch *self)
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

SoapReply *
vsphere_updates_wait (VsphereWatch *self, const VsphereService *service,
                      int seconds, GCancellable *wait, GError **error)
{
  g_autoptr (SoapReply) reply = NULL;

  self->lacks_session = FALSE;
  self->n_records = 0;
  reply = call_wait (self, service, seconds, wait, error);
  if (reply == NULL || !self->lacks_session)
    return g_steal_pointer (&reply);
  set_lacks_session (error);
  return NULL;
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
    vsphere_tasks_apply (self->host->tasks, &update);
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

void
vsphere_updates_take (VsphereWatch *self, const SoapReply *reply)
{
  const SoapUpdateSet *set = soap_reply_get_struct (reply);
  gboolean truncated = set != NULL && set->truncated;

  if (set != NULL) {
    take_missing (self, set);
    g_free (self->version);
    self->version = g_strdup (set->version);
    self->reusable = !truncated;
    if (g_strcmp0 (self->ahead_version, self->version) != 0)
      vsphere_updates_give_up_ahead (self);
  }
  if (self->loading && !truncated)
    finish_loading (self);
  else if (set != NULL)
    vsphere_publish (self->host, !self->loading);
}
