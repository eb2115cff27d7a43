/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * http.c - each handle is a curl "multi" with a single transfer: that way our
 * own loop owns the clock, and a cancel from another thread wakes it at once.
 */
#include "vsphere/soap/http.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

#include "base/lock.h"
#include "vsphere/soap/fault.h"

#define DEFAULT_CONNECT_MS 10000
#define DEFAULT_ANSWER_MS 60000
#define DEFAULT_STALL_MS 30000
/* An answer that comes at less than this in each stall_ms is a stall too. */
#define STALL_BYTES 1024
/* One that trickles on for so many answer_ms never ends. */
#define WHOLE_ANSWER_FACTOR 20
/* A peer that vanished is noticed after IDLE + COUNT * INTERVAL seconds. */
#define KEEPALIVE_IDLE_S 20
#define KEEPALIVE_INTERVAL_S 10
#define KEEPALIVE_COUNT 3
#define UNACKED_MS 60000
#define MAX_COOKIE_BYTES 4096
/* Of a long answer so much is awaited before it is looked at: the packets of a
 * line with a delay come one by one, and each would wake us. What comes after
 * that is enough for TLS to be in the middle of a record. */
#define LOW_WATER_BYTES 65536
#define LOW_WATER_REST (LOW_WATER_BYTES + 32768)
/* Of one that comes slower than that nothing is held back. */
#define LOW_WATER_MS 1000
#define MAX_HEADER_VALUE 1024

struct SoapHttp {
  CURL *easy;
  CURLM *multi;
  const SoapDeadlines *deadlines;
  SoapTlsPeer peer;
  char says[CURL_ERROR_SIZE];

  /* The exchange under way. */
  const SoapHttpRequest *request;
  SoapHttpAnswer *answer;
  struct curl_slist *headers;
  gsize body_pos;
  gboolean sent;   /* some of the body was handed over */
  gboolean held;   /* begun and not yet to be finished */
  gboolean paused; /* the answer began meanwhile; curl keeps that */
  char *copy;      /* curl's of what it was handed last; NULL: none */
  gsize copy_len;
  gint64 connected_at; /* 0: not yet */
  gint64 answered_at;  /* first byte of the answer; 0: none yet */
  gint64 window_at;    /* the present stall window began */
  gsize window_bytes;
  guint64 received; /* bytes of the answer ... */
  guint64 content;  /* ... and those of its content */
  int low_water;    /* of the connection's socket; 0: unknown */
  gboolean slow;    /* leave that at 1 */
  GError *error;    /* from on_data */
};

void
soap_deadlines_default (SoapDeadlines *deadlines)
{
  if (deadlines->connect_ms <= 0)
    deadlines->connect_ms = DEFAULT_CONNECT_MS;
  if (deadlines->answer_ms <= 0)
    deadlines->answer_ms = DEFAULT_ANSWER_MS;
  if (deadlines->stall_ms <= 0)
    deadlines->stall_ms = DEFAULT_STALL_MS;
}

void
soap_http_answer_clear (SoapHttpAnswer *answer)
{
  g_clear_pointer (&answer->set_cookie, g_free);
  g_clear_pointer (&answer->content_range, g_free);
  g_clear_pointer (&answer->content_type, g_free);
}

/* ---- what curl calls ---- */

static size_t
on_read (char *buffer, size_t size, size_t n, void *data)
{
  SoapHttp *self = data;
  gsize left = self->request->body_len - self->body_pos;
  gsize len = MIN (left, size * n);

  if (len > 0) {
    memcpy (buffer, self->request->body + self->body_pos, len);
    self->body_pos += len;
    self->sent = TRUE;
    self->copy = buffer;
    self->copy_len = len;
  }
  return len;
}

/* The answer begins: the request is gone, and curl has its buffer until the
 * exchange is over. */
static void
forget_secret (SoapHttp *self)
{
  if (self->request->secret && self->copy != NULL
      && self->body_pos == self->request->body_len)
    explicit_bzero (self->copy, self->copy_len);
  self->copy = NULL;
}

/* curl wants to send the body again, on a new connection: only where that
 * does no harm. */
static int
on_seek (void *data, curl_off_t offset, int origin)
{
  SoapHttp *self = data;

  if ((self->request->once && self->sent) || origin != SEEK_SET || offset < 0
      || (guint64)offset > self->request->body_len)
    return CURL_SEEKFUNC_FAIL;
  self->body_pos = (gsize)offset;
  return CURL_SEEKFUNC_OK;
}

static int
on_connected (void *data, char *remote_ip, char *local_ip, int remote_port,
              int local_port)
{
  SoapHttp *self = data;

  self->connected_at = g_get_monotonic_time ();
  return CURL_PREREQFUNC_OK;
}

static void
count_bytes (SoapHttp *self, gsize n)
{
  gint64 now = g_get_monotonic_time ();

  if (self->answered_at == 0)
    self->answered_at = self->window_at = now;
  self->window_bytes += n;
  self->received += n;
  if (self->window_bytes >= STALL_BYTES) {
    self->window_bytes = 0;
    self->window_at = now;
  }
}

static size_t
on_write (char *data, size_t size, size_t n, void *user)
{
  SoapHttp *self = user;
  long status = 0;

  if (self->held) {
    self->paused = TRUE;
    return CURL_WRITEFUNC_PAUSE;
  }
  count_bytes (self, size * n);
  self->content += size * n;
  if (self->request->on_data == NULL)
    return size * n;
  curl_easy_getinfo (self->easy, CURLINFO_RESPONSE_CODE, &status);
  if (!self->request->on_data ((int)status, data, size * n, self->request->user,
                               &self->error))
    return CURL_WRITEFUNC_ERROR;
  return size * n;
}

/* The value of a header line if it is that header. */
static char *
header_value (const char *line, gsize len, const char *name)
{
  gsize n = strlen (name);

  if (len <= n || len > MAX_HEADER_VALUE + n || line[n] != ':'
      || g_ascii_strncasecmp (line, name, n) != 0)
    return NULL;
  return g_strstrip (g_strndup (line + n + 1, len - n - 1));
}

/* Only name and value of a cookie matter: it goes back to this host alone,
 * and it ends with the session. */
static void
take_cookie (SoapHttpAnswer *answer, char *value)
{
  char *end = strchr (value, ';');
  gsize have = answer->set_cookie == NULL ? 0 : strlen (answer->set_cookie);
  char *joined;

  if (end != NULL)
    *end = '\0';
  g_strchomp (value);
  if (strchr (value, '=') == NULL || have + strlen (value) > MAX_COOKIE_BYTES)
    return;
  joined = have == 0 ? g_strdup (value)
                     : g_strconcat (answer->set_cookie, "; ", value, NULL);
  g_free (answer->set_cookie);
  answer->set_cookie = joined;
}

static size_t
on_header (char *data, size_t size, size_t n, void *user)
{
  SoapHttp *self = user;
  SoapHttpAnswer *answer = self->answer;
  gsize len = size * n;
  g_autofree char *cookie = header_value (data, len, "Set-Cookie");
  g_autofree char *date = header_value (data, len, "Date");
  g_autofree char *range = header_value (data, len, "Content-Range");
  g_autofree char *type = header_value (data, len, "Content-Type");
  g_autofree char *encoding = header_value (data, len, "Content-Encoding");
  g_autofree char *modified = header_value (data, len, "Last-Modified");
  time_t when;

  forget_secret (self);
  count_bytes (self, len);
  if (cookie != NULL)
    take_cookie (answer, cookie);
  when = date == NULL ? -1 : curl_getdate (date, NULL);
  if (when > 0) {
    answer->date_us = (gint64)when * G_USEC_PER_SEC;
    answer->date_at = g_get_monotonic_time ();
  }
  if (range != NULL) {
    g_free (answer->content_range);
    answer->content_range = g_steal_pointer (&range);
  }
  if (type != NULL) {
    g_free (answer->content_type);
    answer->content_type = g_steal_pointer (&type);
  }
  if (encoding != NULL)
    answer->encoded = g_ascii_strcasecmp (encoding, "identity") != 0;
  if (modified != NULL)
    answer->last_modified = curl_getdate (modified, NULL);
  return len;
}

static int
on_socket (void *data, curl_socket_t fd, curlsocktype purpose)
{
  static const struct {
    int level, name, value;
  } options[] = {
    { SOL_SOCKET, SO_KEEPALIVE, 1 },
    { IPPROTO_TCP, TCP_KEEPIDLE, KEEPALIVE_IDLE_S },
    { IPPROTO_TCP, TCP_KEEPINTVL, KEEPALIVE_INTERVAL_S },
    { IPPROTO_TCP, TCP_KEEPCNT, KEEPALIVE_COUNT },
    { IPPROTO_TCP, TCP_USER_TIMEOUT, UNACKED_MS },
  };
  SoapHttp *self = data;
  gsize i;

  self->low_water = 1;
  /* Without them a vanished host is only noticed later. */
  for (i = 0; i < G_N_ELEMENTS (options); i++)
    (void)setsockopt (fd, options[i].level, options[i].name, &options[i].value,
                      sizeof options[i].value);
  return CURL_SOCKOPT_OK;
}

/* ---- the handle ---- */

SoapHttp *
soap_http_new (const SoapTrust *trust, const SoapDeadlines *deadlines,
               GError **error)
{
  static gsize once;
  g_autoptr (SoapHttp) self = g_new0 (SoapHttp, 1);

  if (g_once_init_enter (&once)) {
    curl_global_init (CURL_GLOBAL_ALL);
    g_once_init_leave (&once, 1);
  }
  self->deadlines = deadlines;
  self->peer.trust = trust;
  self->easy = curl_easy_init ();
  self->multi = curl_multi_init ();
  if (self->easy == NULL || self->multi == NULL)
    g_error ("out of memory for a connection");
  curl_multi_setopt (self->multi, CURLMOPT_MAXCONNECTS, 1L);
  curl_easy_setopt (self->easy, CURLOPT_NOSIGNAL, 1L);
  /* Do not wait for a resolver that hangs. */
  curl_easy_setopt (self->easy, CURLOPT_QUICK_EXIT, 1L);
  curl_easy_setopt (self->easy, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt (self->easy, CURLOPT_FOLLOWLOCATION, 0L);
  curl_easy_setopt (self->easy, CURLOPT_HTTP_VERSION,
                    (long)CURL_HTTP_VERSION_1_1);
  curl_easy_setopt (self->easy, CURLOPT_ERRORBUFFER, self->says);
  curl_easy_setopt (self->easy, CURLOPT_CONNECTTIMEOUT_MS,
                    (long)deadlines->connect_ms);
  curl_easy_setopt (self->easy, CURLOPT_READFUNCTION, on_read);
  curl_easy_setopt (self->easy, CURLOPT_READDATA, self);
  curl_easy_setopt (self->easy, CURLOPT_SEEKFUNCTION, on_seek);
  curl_easy_setopt (self->easy, CURLOPT_SEEKDATA, self);
  curl_easy_setopt (self->easy, CURLOPT_PREREQFUNCTION, on_connected);
  curl_easy_setopt (self->easy, CURLOPT_PREREQDATA, self);
  curl_easy_setopt (self->easy, CURLOPT_WRITEFUNCTION, on_write);
  curl_easy_setopt (self->easy, CURLOPT_WRITEDATA, self);
  curl_easy_setopt (self->easy, CURLOPT_HEADERFUNCTION, on_header);
  curl_easy_setopt (self->easy, CURLOPT_HEADERDATA, self);
  curl_easy_setopt (self->easy, CURLOPT_SOCKOPTFUNCTION, on_socket);
  curl_easy_setopt (self->easy, CURLOPT_SOCKOPTDATA, self);
  if (!soap_tls_apply (&self->peer, self->easy, error))
    return NULL;
  return g_steal_pointer (&self);
}

void
soap_http_free (SoapHttp *self)
{
  if (self == NULL)
    return;
  curl_easy_cleanup (self->easy);
  curl_multi_cleanup (self->multi);
  g_clear_error (&self->error);
  g_free (self);
}

/* ---- an exchange ---- */

static struct curl_slist *
set_request (SoapHttp *self, const SoapHttpRequest *request)
{
  struct curl_slist *headers = NULL;
  gboolean post = g_str_equal (request->method, "POST");
  gsize i;

  for (i = 0; request->headers != NULL && request->headers[i] != NULL; i++)
    headers = curl_slist_append (headers, request->headers[i]);
  /* Hosts do not answer 100-continue, and curl would wait for it. */
  headers = curl_slist_append (headers, "Expect:");
  curl_easy_setopt (self->easy, CURLOPT_HTTPHEADER, headers);
  curl_easy_setopt (self->easy, CURLOPT_URL, request->url);
  curl_easy_setopt (self->easy, CURLOPT_COOKIE, request->cookie);
  curl_easy_setopt (self->easy, CURLOPT_ACCEPT_ENCODING,
                    request->stored ? NULL : "gzip");
  curl_easy_setopt (self->easy, CURLOPT_NOBODY, 0L);
  curl_easy_setopt (self->easy, CURLOPT_HTTPGET, 1L);
  if (post) {
    curl_easy_setopt (self->easy, CURLOPT_POST, 1L);
    curl_easy_setopt (self->easy, CURLOPT_POSTFIELDSIZE_LARGE,
                      (curl_off_t)request->body_len);
  } else if (g_str_equal (request->method, "HEAD")) {
    curl_easy_setopt (self->easy, CURLOPT_NOBODY, 1L);
  }
  return headers;
}

static const struct {
  CURLcode curl;
  SoapErrorCode code;
} curl_codes[] = {
  { CURLE_UNSUPPORTED_PROTOCOL, SOAP_ERROR_URL },
  { CURLE_URL_MALFORMAT, SOAP_ERROR_URL },
  { CURLE_COULDNT_RESOLVE_HOST, SOAP_ERROR_RESOLVE },
  { CURLE_COULDNT_RESOLVE_PROXY, SOAP_ERROR_RESOLVE },
  { CURLE_COULDNT_CONNECT, SOAP_ERROR_CONNECT },
  { CURLE_PROXY, SOAP_ERROR_CONNECT },
  { CURLE_SSL_CONNECT_ERROR, SOAP_ERROR_TLS },
  { CURLE_SSL_CIPHER, SOAP_ERROR_TLS },
  { CURLE_SSL_ENGINE_NOTFOUND, SOAP_ERROR_TLS },
  { CURLE_SSL_CACERT_BADFILE, SOAP_ERROR_TRUST },
  { CURLE_PEER_FAILED_VERIFICATION, SOAP_ERROR_TRUST },
  { CURLE_BAD_CONTENT_ENCODING, SOAP_ERROR_MALFORMED },
  { CURLE_WEIRD_SERVER_REPLY, SOAP_ERROR_MALFORMED },
};

static const char *
host_of (const char *url)
{
  const char *slashes = strstr (url, "://");

  return slashes == NULL ? url : slashes + 3;
}

/* The error for a transfer that curl ended. */
static GError *
translate (SoapHttp *self, CURLcode result)
{
  const char *host = host_of (self->request->url);
  g_autofree char *name = g_strndup (host, strcspn (host, "/"));
  const char *says
    = *self->says != '\0' ? self->says : curl_easy_strerror (result);
  SoapErrorCode code = SOAP_ERROR_LOST;
  g_autofree char *text = NULL;
  gsize i;

  if (self->error != NULL)
    return g_steal_pointer (&self->error);
  /* It would have sent the request again, and may not. */
  if (result == CURLE_SEND_FAIL_REWIND)
    says = "the connection was lost before an answer came";
  for (i = 0; i < G_N_ELEMENTS (curl_codes); i++)
    if (curl_codes[i].curl == result)
      code = curl_codes[i].code;
  if (result == CURLE_OPERATION_TIMEDOUT)
    code = self->connected_at == 0 ? SOAP_ERROR_CONNECT_TIMEOUT
                                   : SOAP_ERROR_TIMEOUT;
  /* What is no HTTP at all goes by the same code as ftp://. */
  if (code == SOAP_ERROR_URL && self->connected_at > 0)
    code = SOAP_ERROR_MALFORMED;
  /* A handshake that our check ended looks like any failed one. */
  if (code == SOAP_ERROR_TLS
      && (self->peer.mismatch || self->peer.verify_error != 0))
    code = SOAP_ERROR_TRUST;
  text = code == SOAP_ERROR_TRUST ? soap_tls_explain (&self->peer, name, says)
                                  : g_strdup_printf ("%s: %s", name, says);
  return g_error_new_literal (SOAP_ERROR, (int)code, text);
}

static int
answer_limit_ms (SoapHttp *self)
{
  return self->request->answer_ms > 0 ? self->request->answer_ms
                                      : self->deadlines->answer_ms;
}

/* When, as things stand, the exchange is to be given up. */
static gint64
next_deadline (SoapHttp *self)
{
  gint64 whole;

  if (self->answered_at > 0) {
    whole = self->answered_at
            + (gint64)self->deadlines->answer_ms * 1000 * WHOLE_ANSWER_FACTOR;
    return MIN (whole,
                self->window_at + (gint64)self->deadlines->stall_ms * 1000);
  }
  if (self->connected_at > 0)
    return self->connected_at + (gint64)answer_limit_ms (self) * 1000;
  return G_MAXINT64; /* curl has the limit for connecting */
}

static GError *
deadline_error (SoapHttp *self)
{
  const char *host = host_of (self->request->url);
  g_autofree char *name = g_strndup (host, strcspn (host, "/"));

  if (self->answered_at > 0)
    return g_error_new (SOAP_ERROR, SOAP_ERROR_TIMEOUT,
                        "%s began to answer and then stopped", name);
  return g_error_new (SOAP_ERROR, SOAP_ERROR_TIMEOUT,
                      "%s did not answer within %d s", name,
                      (answer_limit_ms (self) + 999) / 1000);
}

/* ---- waiting for the host ---- */

static void
set_low_water (SoapHttp *self, int bytes)
{
  curl_socket_t fd = CURL_SOCKET_BAD;

  if (bytes == self->low_water)
    return;
  curl_easy_getinfo (self->easy, CURLINFO_ACTIVESOCKET, &fd);
  if (fd != CURL_SOCKET_BAD
      && setsockopt (fd, SOL_SOCKET, SO_RCVLOWAT, &bytes, sizeof bytes) == 0)
    self->low_water = bytes;
}

/* How much of the answer to wait for: no more than is sure to come. */
static int
get_wanted (SoapHttp *self)
{
  curl_off_t length = -1;

  if (!self->request->stored || self->slow || self->content == 0)
    return 1;
  curl_easy_getinfo (self->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
  return length - (curl_off_t)self->content >= LOW_WATER_REST ? LOW_WATER_BYTES
                                                              : 1;
}

static void
await_more (SoapHttp *self, gint64 most_us)
{
  gint64 ms = MIN (most_us / 1000 + 1, 60000);
  int n = 0;

  set_low_water (self, get_wanted (self));
  if (self->low_water > 1)
    ms = MIN (ms, LOW_WATER_MS);
  curl_multi_poll (self->multi, NULL, 0, (int)ms, &n);
  if (n == 0 && self->low_water > 1)
    self->slow = TRUE;
}

/* Whether curl is done; its verdict then. */
static gboolean
is_done (SoapHttp *self, CURLcode *ret_result)
{
  CURLMsg *message;
  int left;

  while ((message = curl_multi_info_read (self->multi, &left)) != NULL)
    if (message->msg == CURLMSG_DONE) {
      *ret_result = message->data.result;
      return TRUE;
    }
  return FALSE;
}

/* Returns NULL when the answer is complete. */
static GError *
run (SoapHttp *self, GCancellable *cancellable)
{
  int running;
  CURLcode result;
  CURLMcode rc;
  gint64 now, deadline;
  guint64 before;

  for (;;) {
    if (g_cancellable_is_cancelled (cancellable)
        && !(self->request->once && self->sent))
      return g_error_new_literal (SOAP_ERROR, SOAP_ERROR_CANCELLED,
                                  "cancelled");
    before = self->received;
    rc = curl_multi_perform (self->multi, &running);
    if (rc != CURLM_OK)
      return g_error_new (SOAP_ERROR, SOAP_ERROR_LOST, "%s",
                          curl_multi_strerror (rc));
    if (is_done (self, &result))
      return result == CURLE_OK ? NULL : translate (self, result);
    now = g_get_monotonic_time ();
    deadline = next_deadline (self);
    if (now >= deadline)
      return deadline_error (self);
    /* Curl takes one TLS record at a time: there may be more. */
    if (self->received != before)
      continue;
    await_more (self, deadline - now);
  }
}

static void
take_facts (SoapHttp *self)
{
  long status = 0;
  curl_off_t length = -1;

  curl_easy_getinfo (self->easy, CURLINFO_RESPONSE_CODE, &status);
  curl_easy_getinfo (self->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
  self->answer->status = (int)status;
  self->answer->content_length = length;
  if (self->answered_at > 0)
    self->answer->waited_us = self->answered_at - self->connected_at;
}

static void
wake (GCancellable *cancellable, gpointer multi)
{
  curl_multi_wakeup (multi);
}

/* What happened while nobody could look after it does not count. */
static void
restart_clocks (SoapHttp *self)
{
  gint64 now = g_get_monotonic_time ();

  if (self->connected_at > 0)
    self->connected_at = now;
  if (self->answered_at > 0)
    self->answered_at = self->window_at = now;
}

/* Lets curl hand out what it kept. */
static GError *
resume (SoapHttp *self)
{
  CURLcode result = CURLE_OK;

  self->held = FALSE;
  restart_clocks (self);
  if (self->paused)
    result = curl_easy_pause (self->easy, CURLPAUSE_CONT);
  self->paused = FALSE;
  return result == CURLE_OK ? NULL : translate (self, result);
}

static void
set_exchange (SoapHttp *self, const SoapHttpRequest *request,
              SoapHttpAnswer *ret_answer)
{
  memset (ret_answer, 0, sizeof *ret_answer);
  ret_answer->last_modified = -1;
  self->request = request;
  self->answer = ret_answer;
  self->body_pos = 0;
  self->sent = self->held = self->paused = FALSE;
  self->copy = NULL;
  self->connected_at = self->answered_at = self->window_at = 0;
  self->window_bytes = 0;
  self->received = self->content = 0;
  self->slow = FALSE;
  self->peer.mismatch = FALSE;
  self->peer.verify_error = 0;
  *self->says = '\0';
  self->headers = set_request (self, request);
  curl_multi_add_handle (self->multi, self->easy);
}

void
soap_http_begin (SoapHttp *self, const SoapHttpRequest *request,
                 SoapHttpAnswer *ret_answer)
{
  set_exchange (self, request, ret_answer);
  self->held = TRUE;
  soap_http_push (self);
}

void
soap_http_push (SoapHttp *self)
{
  int running;

  /* The answer stays with the kernel. A failure is found again later. */
  if (self->body_pos < self->request->body_len)
    curl_multi_perform (self->multi, &running);
}

gboolean
soap_http_finish (SoapHttp *self, GCancellable *cancellable, GError **error)
{
  GError *failure = NULL;
  gulong waker = 0;
  int status;

  VIX_MAY_BLOCK ();
  if (cancellable != NULL)
    waker = g_cancellable_connect (cancellable, G_CALLBACK (wake), self->multi,
                                   NULL);
  if (self->held && !g_cancellable_is_cancelled (cancellable))
    failure = resume (self);
  if (failure == NULL)
    failure = run (self, cancellable);
  curl_multi_remove_handle (self->multi, self->easy);
  if (cancellable != NULL)
    g_cancellable_disconnect (cancellable, waker);
  take_facts (self);
  status = self->answer->status;
  curl_easy_setopt (self->easy, CURLOPT_HTTPHEADER, NULL);
  g_clear_pointer (&self->headers, curl_slist_free_all);
  g_clear_error (&self->error);
  self->request = NULL;
  self->answer = NULL;
  if (failure == NULL)
    return TRUE;
  soap_error_set_sent (failure, self->sent);
  soap_error_set_status (failure, status);
  g_propagate_error (error, failure);
  return FALSE;
}

gboolean
soap_http_perform (SoapHttp *self, const SoapHttpRequest *request,
                   SoapHttpAnswer *ret_answer, GCancellable *cancellable,
                   GError **error)
{
  set_exchange (self, request, ret_answer);
  return soap_http_finish (self, cancellable, error);
}
