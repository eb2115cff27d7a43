/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "base/error.h"
#include "base/secret.h"
#include "vsphere/session-private.h"
#include "vsphere/soap/fault.h"

/* Calls in use at once besides the one held open. ESXi before 6.5 had 128
 * handlers for all its clients. */
#define MAX_CALLS 24
/* Transfers at once: a host has buffers for some 50 of all its clients. */
#define DEFAULT_FILE_CONNECTIONS 8
/* How often a read is sent, and the pause before the second time; each
 * further one is twice as long. */
#define READ_ATTEMPTS 3
#define FIRST_PAUSE_MS 200
#define LOGOUT_MS 5000
#define LOCALE "en_US" /* fault texts as people find them on the web */

/* ---- making and freeing ---- */

/* By http:// no certificate says who answers, and the password can be read on
 * the way. */
static gboolean
check_scheme (const VsphereAddress *address, const VixConnectParams *params,
              GError **error)
{
  gboolean pinned = params->thumbprint != NULL && *params->thumbprint != '\0';

  if (!g_str_has_prefix (address->base_url, "http:")
      || (!params->verify_ssl && !pinned))
    return TRUE;
  g_set_error (error, VIX_ERROR, VIX_E_NET_HTTP_SSL_SECURITY,
               "%s: by http:// everybody on the way could read the password; "
               "name it with https://, or accept that with insecure",
               address->host);
  return FALSE;
}

static SoapTrust *
make_trust (const VixConnectParams *params, GError **error)
{
  return soap_trust_new (params->ca_file, params->thumbprint,
                         !params->verify_ssl, error);
}

gboolean
vsphere_session_check (const VsphereAddress *address,
                       const VixConnectParams *params, GError **error)
{
  g_autoptr (SoapTrust) trust = make_trust (params, error);

  return trust != NULL && check_scheme (address, params, error);
}

VsphereSession *
vsphere_session_new (const VsphereAddress *address,
                     const VixConnectParams *params, GError **error)
{
  const char *user
    = params->user_name != NULL ? params->user_name : address->user;
  SoapDeadlines deadlines
    = { params->connect_timeout_ms, params->answer_timeout_ms,
        params->stall_timeout_ms };
  VsphereSession *self;

  if (!vsphere_session_check (address, params, error))
    return NULL;
  if (params->password == NULL || *params->password == '\0') {
    g_set_error (error, VIX_ERROR, VIX_E_INVALID_ARG,
                 "%s: user and password are needed", address->host);
    return NULL;
  }
  self = g_new0 (VsphereSession, 1);
  self->host = g_strdup (address->host);
  self->user = user == NULL || *user == '\0' ? NULL : g_strdup (user);
  self->password = vix_secret_new (params->password);
  self->pool = soap_pool_new (address->base_url, make_trust (params, NULL),
                              &deadlines, MAX_CALLS);
  self->file_pool
    = soap_pool_new (address->base_url, make_trust (params, NULL), &deadlines,
                     params->connections > 0 ? (guint)params->connections
                                             : DEFAULT_FILE_CONNECTIONS);
  self->run_id = g_random_int ();
  vix_lock_init (&self->lock, VIX_LOCK_HOST);
  g_cond_init (&self->logged_in);
  return self;
}

static void
log_out (VsphereSession *self)
{
  VsphereCallExtra extra
    = { .as_is = TRUE, .reserved = TRUE, .answer_ms = LOGOUT_MS };
  SoapReply *reply;

  if (self->cookie == NULL)
    return;
  reply = vsphere_session_call (self, &soap_method_Logout,
                                &self->service->session_manager, NULL, &extra,
                                NULL, NULL);
  soap_reply_free (reply);
}

void
vsphere_session_free (VsphereSession *self)
{
  if (self == NULL)
    return;
  log_out (self);
  soap_pool_free (self->file_pool);
  soap_pool_free (self->pool);
  vsphere_service_unref (self->service);
  vix_secret_free (self->password);
  vix_secret_wipe (self->cookie);
  g_free (self->account);
  g_free (self->user);
  g_free (self->host);
  g_clear_error (&self->refused);
  g_cond_clear (&self->logged_in);
  vix_lock_clear (&self->lock);
  g_free (self);
}

/* ---- facts ---- */

VsphereService *
vsphere_session_get_service (VsphereSession *self)
{
  VsphereService *service;

  vix_lock (&self->lock);
  service = vsphere_service_ref (self->service);
  vix_unlock (&self->lock);
  return service;
}

guint
vsphere_session_get_generation (VsphereSession *self)
{
  guint generation;

  vix_lock (&self->lock);
  generation = self->generation;
  vix_unlock (&self->lock);
  return generation;
}

char *
vsphere_session_get_user (VsphereSession *self)
{
  char *account;

  vix_lock (&self->lock);
  account = g_strdup (self->account);
  vix_unlock (&self->lock);
  return account;
}

gboolean
vsphere_session_is_read_only (VsphereSession *self)
{
  gboolean read_only;

  vix_lock (&self->lock);
  read_only = self->read_only;
  vix_unlock (&self->lock);
  return read_only;
}

const char *
vsphere_session_get_host (const VsphereSession *self)
{
  return self->host;
}

SoapPool *
vsphere_session_get_pool (VsphereSession *self)
{
  return self->pool;
}

SoapPool *
vsphere_session_get_file_pool (VsphereSession *self)
{
  return self->file_pool;
}

gint64
vsphere_session_get_host_time (VsphereSession *self)
{
  gint64 now = 0;

  vix_lock (&self->lock);
  if (self->clock_known)
    now = g_get_monotonic_time () + self->clock_offset;
  vix_unlock (&self->lock);
  return now;
}

char *
vsphere_session_get_cookie (VsphereSession *self)
{
  char *cookie;

  vix_lock (&self->lock);
  cookie = g_strdup (self->cookie);
  vix_unlock (&self->lock);
  return cookie;
}

/* The Date header has whole seconds, cut off: the host's clock was there or
 * later when it was written. */
void
vsphere_session_note_date (VsphereSession *self, const SoapHttpAnswer *answer)
{
  if (answer->date_us == 0)
    return;
  vix_lock (&self->lock);
  self->clock_offset = answer->date_us - answer->date_at;
  self->clock_known = TRUE;
  vix_unlock (&self->lock);
}

/* ---- one request ---- */

/* Names in the host's log who asked: unique for each request. */
static void
make_operation_id (VsphereSession *self, VsphereCallExtra *extra)
{
  guint n;

  vix_lock (&self->lock);
  n = ++self->n_calls;
  vix_unlock (&self->lock);
  g_snprintf (extra->operation_id, sizeof extra->operation_id, "vixfs-%08x-%u",
              self->run_id, n);
}

/* The object's value where it is one of the inventory; views and collectors
 * are named after the session, and hosts make their cookie of the same. */
static char *
loggable (const SoapRef *object)
{
  g_autofree char *value = NULL;

  if (strchr (object->value, '[') != NULL)
    return g_strdup (object->type);
  value = g_strescape (object->value, NULL);
  return g_strdup_printf ("%s %s", object->type, value);
}

static void
log_call (const SoapCall *call, gint64 started, const GError *error)
{
  SoapFault *fault = soap_error_get_fault (error);
  g_autofree char *object = loggable (call->object);

  g_debug ("%s %s on %s: %d ms%s%s", call->operation_id, call->method->name,
           object, (int)((g_get_monotonic_time () - started) / 1000),
           error == NULL ? "" : ": ",
           error == NULL   ? ""
           : fault != NULL ? soap_fault_get_type (fault)
                           : "no answer");
}

static SoapCall
describe_call (const SoapMethod *method, const SoapRef *object,
               gconstpointer args, const VsphereCallExtra *extra,
               const VsphereService *service, const char *cookie)
{
  return (SoapCall){
    .method = method,
    .object = object,
    .args = args,
    .operation_id = extra->operation_id,
    .version = service == NULL ? NULL : service->version,
    .cookie = cookie,
    .secret
    = method == &soap_method_Login || method == &soap_method_CloneSession,
    .answer_ms = extra->answer_ms,
    .on_head = extra->on_head,
    .on_record = extra->on_record,
    .record_data = extra->record_data,
  };
}

/* (transfer full) (nullable): NULL before the first connection. */
static VsphereService *
ref_service (VsphereSession *self)
{
  VsphereService *service;

  vix_lock (&self->lock);
  service = self->service == NULL ? NULL : vsphere_service_ref (self->service);
  vix_unlock (&self->lock);
  return service;
}

SoapReply *
vsphere_session_call_once (VsphereSession *self, const SoapMethod *method,
                           const SoapRef *object, gconstpointer args,
                           VsphereCallExtra *extra, const char *cookie,
                           char **ret_cookie, GCancellable *cancellable,
                           GError **error)
{
  g_autoptr (VsphereService) service = ref_service (self);
  g_auto (SoapHttpAnswer) answer = { .status = 0 };
  gint64 started = g_get_monotonic_time ();
  GError *failure = NULL;
  SoapReply *reply;
  SoapCall call = describe_call (method, object, args, extra, service, cookie);

  make_operation_id (self, extra);
  reply = soap_call (self->pool, &call, extra->reserved, &answer, cancellable,
                     &failure);
  log_call (&call, started, failure);
  vsphere_session_note_date (self, &answer);
  if (ret_cookie != NULL)
    *ret_cookie = g_steal_pointer (&answer.set_cookie);
  if (failure != NULL)
    g_propagate_error (error, failure);
  return reply;
}

/* ---- one request in two halves ---- */

struct VsphereCall {
  SoapPending *pending;
  VsphereService *service;
  SoapHttpAnswer answer;
  VsphereCallExtra extra;
  SoapCall call; /* for the log */
  char *type;    /* of the object; for the log as well */
  char *value;
  SoapRef object;
  char *cookie;
  gint64 started;
};

static void
call_free (VsphereCall *call)
{
  vsphere_service_unref (call->service);
  soap_http_answer_clear (&call->answer);
  g_free (call->type);
  g_free (call->value);
  vix_secret_wipe (call->cookie);
  g_free (call);
}

VsphereCall *
vsphere_session_begin (VsphereSession *self, const SoapMethod *method,
                       const SoapRef *object, gconstpointer args,
                       VsphereCallExtra *extra, GError **error)
{
  VsphereCall *call = g_new0 (VsphereCall, 1);

  make_operation_id (self, extra);
  call->service = ref_service (self);
  call->extra = *extra;
  call->type = g_strdup (object->type);
  call->value = g_strdup (object->value);
  call->object = (SoapRef){ call->type, call->value };
  call->cookie = vsphere_session_get_cookie (self);
  call->started = g_get_monotonic_time ();
  call->call = describe_call (method, &call->object, args, &call->extra,
                              call->service, call->cookie);
  call->pending = soap_call_begin (self->pool, &call->call, extra->reserved,
                                   &call->answer, error);
  if (call->pending != NULL)
    return call;
  call_free (call);
  return NULL;
}

void
vsphere_session_push (VsphereCall *call)
{
  soap_call_push (call->pending);
}

SoapReply *
vsphere_session_finish (VsphereSession *self, VsphereCall *call,
                        GCancellable *cancellable, GError **error)
{
  GError *failure = NULL;
  SoapReply *reply = soap_call_finish (call->pending, cancellable, &failure);

  log_call (&call->call, call->started, failure);
  vsphere_session_note_date (self, &call->answer);
  call_free (call);
  if (failure != NULL)
    g_propagate_error (error, failure);
  return reply;
}

/* ---- logging in ---- */

/* Without the lock. Old cookies stay out: a login within a session that the
 * host still knows is refused. */
static SoapReply *
send_login (VsphereSession *self, char **ret_cookie, GCancellable *cancellable,
            GError **error)
{
  g_autoptr (VsphereService) service = vsphere_session_get_service (self);
  SoapLoginArgs login
    = { .userName = self->user, .password = self->password, .locale = LOCALE };
  SoapCloneSessionArgs clone = { .cloneTicket = self->password };
  VsphereCallExtra extra = { .reserved = TRUE };
  gboolean by_ticket = self->user == NULL;

  return vsphere_session_call_once (
    self, by_ticket ? &soap_method_CloneSession : &soap_method_Login,
    &service->session_manager, by_ticket ? (gconstpointer)&clone : &login,
    &extra, NULL, ret_cookie, cancellable, error);
}

/* What must not be tried again by itself. */
static gboolean
is_refusal (const GError *error)
{
  return soap_error_is_fault (error, "InvalidLogin")
         || soap_error_is_fault (error, "PasswordExpired");
}

static gboolean
log_in (VsphereSession *self, GCancellable *cancellable, GError **error)
{
  g_autofree char *cookie = NULL;
  g_autoptr (SoapReply) reply = NULL;
  const SoapUserSession *session;
  GError *failure = NULL;

  reply = send_login (self, &cookie, cancellable, &failure);
  session = reply == NULL ? NULL : soap_reply_get_struct (reply);
  vix_lock (&self->lock);
  if (reply != NULL) {
    vix_secret_wipe (self->cookie);
    self->cookie = g_steal_pointer (&cookie);
    g_free (self->account);
    self->account = g_strdup (session == NULL ? self->user : session->userName);
    self->generation++;
  } else if (is_refusal (failure) && self->refused == NULL) {
    self->refused = g_error_copy (failure);
  }
  vix_unlock (&self->lock);
  if (failure == NULL)
    return TRUE;
  g_propagate_error (error, failure);
  return FALSE;
}

gboolean
vsphere_session_renew (VsphereSession *self, guint generation,
                       GCancellable *cancellable, GError **error)
{
  gboolean ours = FALSE, ok;

  VIX_MAY_BLOCK ();
  vix_lock (&self->lock);
  while (self->logging_in)
    vix_lock_wait (&self->lock, &self->logged_in);
  ok = self->generation != generation;
  if (!ok && self->refused != NULL)
    g_propagate_error (error, g_error_copy (self->refused));
  else if (!ok)
    ours = self->logging_in = TRUE;
  vix_unlock (&self->lock);
  if (!ours)
    return ok;
  ok = log_in (self, cancellable, error);
  vix_lock (&self->lock);
  self->logging_in = FALSE;
  g_cond_broadcast (&self->logged_in);
  vix_unlock (&self->lock);
  return ok;
}

/* ---- calls ---- */

void
vsphere_sleep (int ms, GCancellable *cancellable)
{
  GPollFD fd;
  gboolean has_fd = g_cancellable_make_pollfd (cancellable, &fd);

  g_poll (has_fd ? &fd : NULL, has_fd, ms);
  if (has_fd)
    g_cancellable_release_fd (cancellable);
}

/* Once in the present session, and once more in a new one if it is gone. */
static SoapReply *
call_in_session (VsphereSession *self, const SoapMethod *method,
                 const SoapRef *object, gconstpointer args,
                 VsphereCallExtra *extra, GCancellable *cancellable,
                 GError **error)
{
  for (int attempt = 0;; attempt++) {
    char *cookie;
    g_autoptr (GError) failure = NULL;
    guint generation;
    SoapReply *reply;

    vix_lock (&self->lock);
    cookie = g_strdup (self->cookie);
    generation = self->generation;
    vix_unlock (&self->lock);
    reply = vsphere_session_call_once (self, method, object, args, extra,
                                       cookie, NULL, cancellable, &failure);
    vix_secret_wipe (cookie);
    if (reply != NULL)
      return reply;
    if (extra->as_is || attempt > 0
        || !soap_error_is_fault (failure, "NotAuthenticated")) {
      g_propagate_error (error, g_steal_pointer (&failure));
      return NULL;
    }
    if (!vsphere_session_renew (self, generation, cancellable, error)) {
      g_prefix_error (error, "%s: the session ended: ", method->name);
      return NULL;
    }
  }
}

SoapReply *
vsphere_session_call (VsphereSession *self, const SoapMethod *method,
                      const SoapRef *object, gconstpointer args,
                      VsphereCallExtra *extra, GCancellable *cancellable,
                      GError **error)
{
  VsphereCallExtra none = { .reserved = FALSE };
  int pause_ms = FIRST_PAUSE_MS;

  VIX_MAY_BLOCK ();
  if (extra == NULL)
    extra = &none;
  for (int attempt = 1;; attempt++, pause_ms *= 2) {
    g_autoptr (GError) failure = NULL;
    SoapReply *reply = call_in_session (self, method, object, args, extra,
                                        cancellable, &failure);

    if (reply != NULL)
      return reply;
    if (extra->as_is || method->effect != SOAP_EFFECT_READS
        || attempt == READ_ATTEMPTS || !soap_error_is_transport (failure)) {
      g_propagate_error (error, g_steal_pointer (&failure));
      return NULL;
    }
    vsphere_sleep (pause_ms, cancellable);
  }
}
