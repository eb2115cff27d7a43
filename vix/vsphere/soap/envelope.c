/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vsphere/soap/envelope.h"

#include <string.h>

#include "base/lock.h"
#include "vsphere/soap/fault.h"

#define ENVELOPE_START                                                         \
  "<?xml version=\"1.0\" encoding=\"UTF-8\"?>"                                 \
  "<soapenv:Envelope"                                                          \
  " xmlns:soapenv=\"http://schemas.xmlsoap.org/soap/envelope/\""               \
  " xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\">"
#define ENVELOPE_END "</soapenv:Body></soapenv:Envelope>"
#define NAMESPACE "urn:vim25"

/* ---- requests ---- */

static gboolean
write_call (const SoapCall *call, GString *out, GError **error)
{
  const char *name = call->method->name;

  g_string_append (out, ENVELOPE_START);
  if (call->operation_id != NULL) {
    g_string_append (out,
                     "<soapenv:Header><operationID xmlns=\"" NAMESPACE "\">");
    if (!soap_encode_text (call->operation_id, out, error))
      return FALSE;
    g_string_append (out, "</operationID></soapenv:Header>");
  }
  g_string_append_printf (out, "<soapenv:Body><%s xmlns=\"" NAMESPACE "\">",
                          name);
  if (!soap_encode_ref ("_this", call->object, out, error))
    return FALSE;
  if (call->args != NULL
      && !soap_encode_struct (call->method->args, call->args, out, error))
    return FALSE;
  g_string_append_printf (out, "</%s>" ENVELOPE_END, name);
  return TRUE;
}

static void
free_request (GString *request, gboolean secret)
{
  if (secret)
    explicit_bzero (request->str, request->allocated_len);
  g_string_free (request, TRUE);
}

GString *
soap_envelope_write (const SoapCall *call, GError **error)
{
  /* Room enough from the start: growing would leave copies of a secret. */
  GString *out = g_string_sized_new (call->secret ? 16384 : 1024);

  if (write_call (call, out, error))
    return out;
  free_request (out, call->secret);
  return NULL;
}

/* ---- answers ---- */

struct SoapReply {
  SoapDecoder *decoder;
  gconstpointer made;
  SoapRef ref;
};

void
soap_reply_free (SoapReply *self)
{
  if (self == NULL)
    return;
  soap_decoder_free (self->decoder);
  g_free (self);
}

gconstpointer
soap_reply_get_struct (const SoapReply *self)
{
  return self->made;
}

const SoapRef *
soap_reply_get_ref (const SoapReply *self)
{
  return &self->ref;
}

static gboolean
set_fault (const SoapNode *node, GError **error)
{
  g_autoptr (SoapFault) fault = soap_fault_new (node);

  soap_set_error_fault (error, fault);
  return FALSE;
}

/* Of a method with records the struct was cut down to what is no record: a
 * repeated returnval is a record, and there is nothing else to decode. */
static gboolean
read_result (SoapReply *self, const SoapMethod *method, const SoapNode *root,
             GError **error)
{
  const SoapNode *value = soap_node_child (root, "returnval");
  SoapArena *arena = soap_decoder_get_arena (self->decoder);

  if (value == NULL)
    return TRUE;
  switch (method->result_kind) {
  case SOAP_KIND_STRUCT:
    return soap_decode_value (SOAP_KIND_STRUCT, method->result, method->name,
                              value, arena, &self->made, error);
  case SOAP_KIND_REF:
    return soap_decode_value (SOAP_KIND_REF, NULL, method->name, value, arena,
                              &self->ref, error);
  default:
    return TRUE;
  }
}

/* The answer is complete: what does it say? */
static gboolean
read_answer (SoapReply *self, const SoapMethod *method, int status,
             GError **error)
{
  const SoapNode *root = soap_decoder_finish (self->decoder, error);
  gsize len = strlen (method->name);

  if (root == NULL)
    return FALSE;
  if (g_str_equal (root->name, "Fault"))
    return set_fault (root, error);
  if (status != 200 || strncmp (root->name, method->name, len) != 0
      || !g_str_equal (root->name + len, "Response")) {
    g_set_error (error, SOAP_ERROR, SOAP_ERROR_MALFORMED,
                 "HTTP status %d with the answer \"%.60s\"", status,
                 root->name);
    return FALSE;
  }
  return read_result (self, method, root, error);
}

static SoapReply *
new_reply (const SoapCall *call)
{
  SoapReply *self = g_new0 (SoapReply, 1);

  self->decoder = soap_decoder_new (call->method->records, call->on_head,
                                    call->on_record, call->record_data);
  return self;
}

/* A body that is SOAP comes with 200 or 500; the rest is for browsers. */
static gboolean
has_soap (int status)
{
  return status == 200 || status == 500;
}

static gboolean
take_data (int status, const char *data, gsize len, gpointer user,
           GError **error)
{
  SoapReply *self = user;

  return !has_soap (status)
         || soap_decoder_feed (self->decoder, data, len, error);
}

static void
set_status_error (GError **error, int status)
{
  if (status >= 300 && status < 400)
    g_set_error (error, SOAP_ERROR, SOAP_ERROR_STATUS,
                 "HTTP status %d: the host sends us elsewhere; give the "
                 "address that it really has",
                 status);
  else if (status == 503)
    g_set_error (error, SOAP_ERROR, SOAP_ERROR_STATUS,
                 "HTTP status 503: the host's service is not available");
  else
    g_set_error (error, SOAP_ERROR, SOAP_ERROR_STATUS,
                 "HTTP status %d without a SOAP answer", status);
}

static gboolean
judge (SoapReply *self, const SoapMethod *method, int status, GError **error)
{
  GError *failure = NULL;

  if (!has_soap (status))
    set_status_error (&failure, status);
  else if (read_answer (self, method, status, &failure))
    return TRUE;
  soap_error_set_status (failure, status);
  /* Unless the host itself refused, or the request was turned away before it
   * got to the service, it may have been done. */
  soap_error_set_sent (failure, failure->code != SOAP_ERROR_FAULT
                                  && (status < 300 || status >= 500));
  g_propagate_error (error, failure);
  return FALSE;
}

/* A status 500 whose body is no SOAP is what a proxy says. */
static void
explain_500 (GError **error)
{
  gboolean sent = soap_error_get_sent (*error);

  if (soap_error_get_status (*error) != 500
      || (*error)->code != SOAP_ERROR_MALFORMED)
    return;
  g_clear_error (error);
  set_status_error (error, 500);
  soap_error_set_status (*error, 500);
  soap_error_set_sent (*error, sent);
}

SoapReply *
soap_envelope_read (const SoapCall *call, int status, const char *data,
                    gsize len, GError **error)
{
  g_autoptr (SoapReply) self = new_reply (call);
  GError *failure = NULL;

  if (take_data (status, data, len, self, &failure)
      && judge (self, call->method, status, &failure))
    return g_steal_pointer (&self);
  soap_error_set_status (failure, status);
  explain_500 (&failure);
  g_propagate_error (error, failure);
  return NULL;
}

/* ---- calls ---- */

struct SoapPending {
  SoapPool *pool;
  SoapCall call;
  gboolean reserved;
  GString *body;
  char *url;
  char *action;
  const char *headers[3];
  SoapHttpRequest request;
  SoapHttpAnswer *answer;
  SoapReply *reply;
  SoapHttp *http; /* NULL: not taken from the pool yet */
};

static void
pending_free (SoapPending *self)
{
  if (self->body != NULL)
    free_request (self->body, self->call.secret);
  g_free (self->url);
  g_free (self->action);
  soap_reply_free (self->reply);
  g_free (self);
}

/* Ready to be sent, on a connection that is ours. */
static gboolean
prepare (SoapPending *self, GCancellable *cancellable, GError **error)
{
  const SoapCall *call = &self->call;

  self->body = soap_envelope_write (call, error);
  if (self->body == NULL)
    return FALSE;
  self->url = g_strconcat (soap_pool_get_base_url (self->pool), "/sdk", NULL);
  self->action = g_strdup_printf ("SOAPAction: \"" NAMESPACE "%s%s\"",
                                  call->version == NULL ? "" : "/",
                                  call->version == NULL ? "" : call->version);
  self->headers[0] = "Content-Type: text/xml; charset=utf-8";
  self->headers[1] = self->action;
  self->request = (SoapHttpRequest){
    .method = "POST",
    .url = self->url,
    .headers = self->headers,
    .cookie = call->cookie,
    .body = self->body->str,
    .body_len = self->body->len,
    .secret = call->secret,
    .once = call->method->effect == SOAP_EFFECT_CHANGES,
    .answer_ms = call->answer_ms,
    .on_data = take_data,
    .user = self->reply,
  };
  self->http = soap_pool_take (self->pool, self->reserved, cancellable, error);
  return self->http != NULL;
}

/* (transfer full): NULL with @error */
static SoapPending *
pending_new (SoapPool *pool, const SoapCall *call, gboolean reserved,
             SoapHttpAnswer *ret_answer, GCancellable *cancellable,
             GError **error)
{
  SoapPending *self = g_new0 (SoapPending, 1);
  GError *failure = NULL;

  memset (ret_answer, 0, sizeof *ret_answer);
  self->pool = pool;
  self->call = *call;
  self->reserved = reserved;
  self->answer = ret_answer;
  self->reply = new_reply (call);
  if (prepare (self, cancellable, &failure))
    return self;
  pending_free (self);
  g_propagate_prefixed_error (error, failure, "%s: ", call->method->name);
  return NULL;
}

/* What came of the exchange; consumes @self. */
static SoapReply *
conclude (SoapPending *self, gboolean ok, GError *failure, GError **error)
{
  const SoapMethod *method = self->call.method;
  SoapReply *reply = NULL;

  soap_pool_give (self->pool, self->http, self->reserved);
  if (ok && judge (self->reply, method, self->answer->status, &failure))
    reply = g_steal_pointer (&self->reply);
  pending_free (self);
  if (reply != NULL)
    return reply;
  explain_500 (&failure);
  g_propagate_prefixed_error (error, failure, "%s: ", method->name);
  return NULL;
}

SoapPending *
soap_call_begin (SoapPool *pool, const SoapCall *call, gboolean reserved,
                 SoapHttpAnswer *ret_answer, GError **error)
{
  SoapPending *self
    = pending_new (pool, call, reserved, ret_answer, NULL, error);

  if (self != NULL)
    soap_http_begin (self->http, &self->request, ret_answer);
  return self;
}

void
soap_call_push (SoapPending *self)
{
  soap_http_push (self->http);
}

SoapReply *
soap_call_finish (SoapPending *self, GCancellable *cancellable, GError **error)
{
  GError *failure = NULL;
  gboolean ok = soap_http_finish (self->http, cancellable, &failure);

  return conclude (self, ok, failure, error);
}

SoapReply *
soap_call (SoapPool *pool, const SoapCall *call, gboolean reserved,
           SoapHttpAnswer *ret_answer, GCancellable *cancellable,
           GError **error)
{
  SoapPending *self;
  GError *failure = NULL;
  gboolean ok;

  VIX_MAY_BLOCK ();
  self = pending_new (pool, call, reserved, ret_answer, cancellable, error);
  if (self == NULL)
    return NULL;
  ok = soap_http_perform (self->http, &self->request, ret_answer, cancellable,
                          &failure);
  return conclude (self, ok, failure, error);
}
