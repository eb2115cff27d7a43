/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * change.c - what changes the host is sent once, and found out about.
 *
 * The host makes a task before it answers. When that answer is lost, the VM's
 * tasks and then the VM itself tell what became of the request: a task of the
 * right kind, by our user (or with our operation id), queued after we began,
 * is ours and is followed; else the VM either shows the change or it does
 * not. A request may still be on its way, so we look for a while.
 */
#include <string.h>

#include "base/error.h"
#include "vsphere/host-private.h"
#include "vsphere/soap/fault.h"

/* How long we wait for a host to come back that went away with a request. */
#define AWAY_US (15 * 60 * G_USEC_PER_SEC)
#define AWAY_CANCELLED_US (15 * G_USEC_PER_SEC)
/* Between two looks. */
#define LOOK_MS 500
/* How long the host's own news may be behind its answers. */
#define NEWS_US (10 * G_USEC_PER_SEC)
#define MAX_TASKS 64

/* What was so before the request went out, and what it was. */
typedef struct {
  const char *id;
  VsphereChangeCall *call;
  gint64 not_before; /* by the host's clock; 0 unknown */
  char operation_id[40];
  GHashTable *foreign; /* tasks that turned out not to be ours */
} Lost;

/* ---- looking at the VM ---- */

static void
apply_content (const SoapObjectContent *content, gboolean cut, SoapArena *arena,
               gpointer data)
{
  vsphere_mirror_apply_content (data, content, cut, arena);
}

/* (transfer full): a mirror with that one VM, as the host has it now. */
static VsphereMirror *
read_vm (VsphereHost *host, const char *id, GError **error)
{
  g_autoptr (VsphereService) service
    = vsphere_session_get_service (host->session);
  g_autoptr (VsphereMirror) mirror = vsphere_mirror_new (FALSE);
  SoapRef ref = { "VirtualMachine", id };
  g_auto (VsphereSpec) spec = { .n_props = 0 };
  const char **paths
    = vsphere_mirror_list_paths (service->version, ref.type, FALSE);
  gboolean ok;

  vsphere_spec_init_objects (&spec, paths, &ref, 1);
  g_free (paths);
  ok = vsphere_retrieve (host, &spec, apply_content, mirror, NULL, error);
  return ok ? g_steal_pointer (&mirror) : NULL;
}

static gboolean
look (VsphereHost *host, const char *id, VsphereJudge judge, const char *result,
      gpointer data, GError **error)
{
  g_autoptr (VsphereMirror) mirror = read_vm (host, id, error);
  const VsphereVm *vm
    = mirror == NULL ? NULL : vsphere_mirror_get_vm (mirror, id);

  return vm != NULL && judge != NULL && judge (vm, result, data);
}

gboolean
vsphere_change_look (VsphereHost *host, const char *id, VsphereJudge judge,
                     gpointer data, GError **error)
{
  return look (host, id, judge, NULL, data, error);
}

/* ---- looking at its tasks ---- */

typedef struct {
  GPtrArray *values; /* of the VM's recent tasks */
  const Lost *lost;
  const char *account;
  char *found; /* the one that is ours */
} TaskSearch;

static void
take_recent_tasks (const SoapObjectContent *content, gboolean cut,
                   SoapArena *arena, gpointer data)
{
  TaskSearch *search = data;
  const SoapNode *value = vsphere_content_get (content, "recentTask");
  SoapRefs refs = { NULL, 0 };

  if (value == NULL
      || !soap_decode_value (SOAP_KIND_REFS, NULL, "recentTask", value, arena,
                             &refs, NULL))
    return;
  for (gsize i = 0; i < refs.n && search->values->len < MAX_TASKS; i++)
    if (refs.items[i].value != NULL)
      g_ptr_array_add (search->values, g_strdup (refs.items[i].value));
}

/* "VirtualMachine.createSnapshot", "vm.Snapshot.createSnapshot", ... */
static gboolean
has_name (const SoapTaskInfo *info, const char *const *names)
{
  const char *id = info->descriptionId == NULL ? "" : info->descriptionId;
  const char *dot = strrchr (id, '.');

  id = dot == NULL ? id : dot + 1;
  for (; *names != NULL; names++)
    if (g_ascii_strcasecmp (id, *names) == 0)
      return TRUE;
  return FALSE;
}

static gboolean
is_ours (const SoapTaskInfo *info, const TaskSearch *search)
{
  const Lost *lost = search->lost;
  const char *user = info->reason == NULL ? NULL : info->reason->userName;

  if (g_strcmp0 (info->activationId, lost->operation_id) == 0)
    return TRUE;
  return has_name (info, lost->call->task_names)
         && g_strcmp0 (info->entity.value, lost->id) == 0 && user != NULL
         && search->account != NULL
         && g_ascii_strcasecmp (user, search->account) == 0
         && lost->not_before > 0 && info->queueTime >= lost->not_before;
}

static void
take_info (const SoapObjectContent *content, gboolean cut, SoapArena *arena,
           gpointer data)
{
  TaskSearch *search = data;
  const SoapNode *value = vsphere_content_get (content, "info");
  const SoapTaskInfo *info;

  if (value == NULL || search->found != NULL
      || g_hash_table_contains (search->lost->foreign, content->obj.value)
      || !soap_decode_value (SOAP_KIND_STRUCT, &soap_type_TaskInfo, "info",
                             value, arena, &info, NULL))
    return;
  if (is_ours (info, search))
    search->found = g_strdup (content->obj.value);
}

/* One by one: a task may be forgotten between being named and being read,
 * which fails the whole question. */
static void
read_infos (VsphereHost *host, TaskSearch *search)
{
  static const char *const paths[] = { "info", NULL };

  for (guint i = search->values->len; i > 0 && search->found == NULL; i--) {
    SoapRef ref = { "Task", search->values->pdata[i - 1] };
    g_auto (VsphereSpec) spec = { .n_props = 0 };

    vsphere_spec_init_objects (&spec, paths, &ref, 1);
    vsphere_retrieve (host, &spec, take_info, search, NULL, NULL);
  }
}

/* (transfer full) (nullable): the task that is ours; NULL without @error if
 * the host has none. */
static char *
find_task (VsphereHost *host, const Lost *lost, GError **error)
{
  static const char *const paths[] = { "recentTask", NULL };
  g_autofree char *account = vsphere_session_get_user (host->session);
  g_autoptr (GPtrArray) values = g_ptr_array_new_with_free_func (g_free);
  TaskSearch search = { .values = values, .lost = lost, .account = account };
  SoapRef vm = { "VirtualMachine", lost->id };
  g_auto (VsphereSpec) spec = { .n_props = 0 };

  if (lost->call->task_names == NULL)
    return NULL;
  vsphere_spec_init_objects (&spec, paths, &vm, 1);
  if (vsphere_retrieve (host, &spec, take_recent_tasks, &search, NULL, error))
    read_infos (host, &search);
  return search.found;
}

/* ---- finding out ---- */

typedef enum {
  FOUND_NOTHING,
  FOUND_DONE,   /* with or without a result */
  FOUND_FAILED, /* the host refused or failed, with error */
} Found;

/* A task that looks like ours: follow it. One whose result turns out to be
 * somebody else's is left alone from then on. */
static Found
adopt (VsphereHost *host, const Lost *lost, const char *task, const VixOp *op,
       char **ret_result, GError **error)
{
  const VsphereChangeCall *call = lost->call;
  SoapRef ref = { "Task", task };
  VsphereTaskEnd end = { .returns = call->returns };
  g_autofree char *result = NULL;

  g_debug ("the answer was lost; %s looks like ours", task);
  if (!vsphere_task_wait (host, &ref, op, &end, error)) {
    lost->call->unknown
      = g_error_matches (*error, VIX_ERROR, VIX_E_HOST_CONNECTION_LOST);
    return FOUND_FAILED;
  }
  result = end.result;
  if (!end.forgotten
      && (result == NULL || call->judge == NULL
          || look (host, lost->id, call->judge, result, call->data, NULL))) {
    *ret_result = g_steal_pointer (&result);
    return FOUND_DONE;
  }
  g_hash_table_add (lost->foreign, g_strdup (task));
  return FOUND_NOTHING;
}

/* One look; @ret_looked: the host answered. */
static Found
find_out_once (VsphereHost *host, const Lost *lost, const VixOp *op,
               char **ret_result, gboolean *ret_looked, GError **error)
{
  const VsphereChangeCall *call = lost->call;
  g_autoptr (GError) local = NULL;
  g_autofree char *task = find_task (host, lost, &local);
  gboolean happened;

  *ret_looked = local == NULL;
  if (task != NULL)
    return adopt (host, lost, task, op, ret_result, error);
  g_clear_error (&local);
  happened = look (host, lost->id, call->judge, NULL, call->data, &local);
  *ret_looked &= local == NULL;
  /* The VM is gone: whatever was to be done, there is nothing to show. */
  if (soap_error_is_fault (local, "ManagedObjectNotFound")) {
    g_propagate_error (error, g_steal_pointer (&local));
    return FOUND_FAILED;
  }
  return happened ? FOUND_DONE : FOUND_NOTHING;
}

static void
set_unknown (const Lost *lost, GError **error, const GError *cause)
{
  lost->call->unknown = TRUE;
  g_set_error (error, VIX_ERROR, VIX_E_HOST_CONNECTION_LOST,
               "%s; the host shows no sign of it: it is not known to have "
               "happened",
               cause->message);
}

/* The thread of its own may not run: then nobody but us sees the host come
 * back. */
static void
sleep_a_little (void)
{
  g_usleep (LOOK_MS * 1000);
}

static gboolean
find_out (VsphereHost *host, const Lost *lost, const VixOp *op,
          const GError *cause, char **ret_result, GError **error)
{
  gint64 start = g_get_monotonic_time (), first_look = 0, now;

  vsphere_watch_doubt (host->watch);
  for (;;) {
    gboolean cancelled = g_cancellable_is_cancelled (op->cancellable);
    gint64 patience = cancelled ? AWAY_CANCELLED_US : AWAY_US;
    gboolean looked = FALSE;

    if (vsphere_watch_await_here (host->watch, NULL,
                                  g_get_monotonic_time () + LOOK_MS * 1000))
      switch (find_out_once (host, lost, op, ret_result, &looked, error)) {
      case FOUND_DONE:
        return TRUE;
      case FOUND_FAILED:
        return FALSE;
      case FOUND_NOTHING:
        break;
      }
    now = g_get_monotonic_time ();
    if (looked && first_look == 0)
      first_look = now;
    if ((first_look > 0 && now - first_look >= host->settle_us)
        || now - start > patience) {
      set_unknown (lost, error, cause);
      return FALSE;
    }
    sleep_a_little ();
  }
}

/* ---- the change ---- */

/* The task is not known any more, but may still be at work: the VM shows how
 * it ended, in time, or nothing does. */
static gboolean
judge_forgotten (VsphereHost *host, const Lost *lost, const VixOp *op,
                 GError **error)
{
  gint64 end = g_get_monotonic_time () + host->settle_us;
  g_autoptr (GError) local = NULL;

  for (;;) {
    g_clear_error (&local);
    if (look (host, lost->id, lost->call->judge, NULL, lost->call->data,
              &local))
      return TRUE;
    if (g_get_monotonic_time () >= end
        || g_cancellable_is_cancelled (op->cancellable))
      break;
    sleep_a_little ();
  }
  lost->call->unknown = TRUE;
  g_set_error (error, VIX_ERROR, VIX_E_HOST_CONNECTION_LOST,
               "%s: the host has forgotten the task, and shows no sign of "
               "what it did: it is not known to have happened%s%s",
               lost->call->method->name, local == NULL ? "" : ": ",
               local == NULL ? "" : local->message);
  return FALSE;
}

static gboolean
follow (VsphereHost *host, const Lost *lost, SoapReply *reply, const VixOp *op,
        char **ret_result, GError **error)
{
  const SoapMethod *method = lost->call->method;
  const SoapRef *task = soap_reply_get_ref (reply);
  VsphereTaskEnd end = { .returns = lost->call->returns };

  if (method->result_kind != SOAP_KIND_REF)
    return TRUE;
  if (task->value == NULL)
    return judge_forgotten (host, lost, op, error);
  if (!vsphere_task_wait (host, task, op, &end, error)) {
    lost->call->unknown
      = g_error_matches (*error, VIX_ERROR, VIX_E_HOST_CONNECTION_LOST);
    g_prefix_error (error, "%s: ", method->name);
    return FALSE;
  }
  if (end.forgotten)
    return judge_forgotten (host, lost, op, error);
  *ret_result = end.result;
  return TRUE;
}

gboolean
vsphere_change_run (VsphereHost *host, const char *id, VsphereChangeCall *call,
                    const VixOp *op, char **ret_result, GError **error)
{
  g_autoptr (GHashTable) foreign
    = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  Lost lost = { .id = id,
                .call = call,
                .not_before = vsphere_session_get_host_time (host->session),
                .foreign = foreign };
  VsphereCallExtra extra = { .answer_ms = 0 };
  g_autoptr (SoapReply) reply = NULL;
  GError *failure = NULL, *lookup = NULL;
  g_autofree char *result = NULL;
  gboolean ok = FALSE;

  VIX_MAY_BLOCK ();
  call->unknown = call->looked_up = FALSE;
  if (!vsphere_watch_check_here (host->watch, error))
    return FALSE;
  reply = vsphere_session_call (host->session, call->method, &call->object,
                                call->args, &extra, op->cancellable, &failure);
  memcpy (lost.operation_id, extra.operation_id, sizeof lost.operation_id);
  if (reply != NULL) {
    ok = follow (host, &lost, reply, op, &result, &lookup);
  } else if (soap_error_get_sent (failure)) {
    call->looked_up = TRUE;
    ok = find_out (host, &lost, op, failure, &result, &lookup);
    g_clear_error (&failure);
  } else if (soap_error_is_transport (failure)) {
    vsphere_watch_doubt (host->watch);
  }
  if (!ok)
    g_propagate_error (error, failure != NULL ? failure : lookup);
  if (ok && ret_result != NULL)
    *ret_result = g_steal_pointer (&result);
  return ok;
}

void
vsphere_change_settle (VsphereHost *host, const char *id, VsphereVmCheck check,
                       gpointer data)
{
  /* Where nobody watches, or the watch is slow, the VM is read. */
  if (vsphere_watch_is_loaded (host->watch)
      && vsphere_await_vm (host, id, check, data,
                           g_get_monotonic_time () + NEWS_US))
    return;
  vsphere_refresh_vm (host, id, NULL, NULL);
}
