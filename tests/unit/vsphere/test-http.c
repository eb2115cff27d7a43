/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vsphere/soap/http.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "tiny-server.h"
#include "vsphere/soap/fault.h"
#include "vsphere/soap/pool.h"

#define OK_HEAD "HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\n"
#define OK_ANSWER OK_HEAD "Content-Length: 2\r\n\r\nok"

/* One answer for all requests, or a list of them. */
typedef struct {
  const TinyAnswer *answers;
  guint n_answers; /* the last one repeats */
  GMutex lock;
  GString *seen; /* the requests */
} Script;

static void
play (guint n, const char *request, TinyAnswer *answer, gpointer data)
{
  Script *script = data;

  g_mutex_lock (&script->lock);
  if (script->seen != NULL)
    g_string_append (script->seen, request);
  g_mutex_unlock (&script->lock);
  *answer = script->answers[MIN (n, script->n_answers - 1)];
}

static SoapTrust *
trust_new (const char *thumbprint, gboolean insecure)
{
  g_autoptr (GError) error = NULL;
  SoapTrust *trust = soap_trust_new (NULL, thumbprint, insecure, &error);

  g_assert_no_error (error);
  return trust;
}

typedef struct {
  SoapTrust *trust;
  SoapDeadlines deadlines;
  SoapHttp *http;
  SoapHttpAnswer answer;
  GString *body;
} Client;

static Client *
client_new (SoapTrust *trust)
{
  Client *self = g_new0 (Client, 1);
  g_autoptr (GError) error = NULL;

  self->trust = trust;
  self->deadlines = (SoapDeadlines){ 60000, 60000, 60000 };
  self->http = soap_http_new (trust, &self->deadlines, &error);
  g_assert_no_error (error);
  self->body = g_string_new (NULL);
  return self;
}

static void
client_free (Client *self)
{
  soap_http_free (self->http);
  soap_trust_free (self->trust);
  soap_http_answer_clear (&self->answer);
  g_string_free (self->body, TRUE);
  g_free (self);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Client, client_free)

static gboolean
collect (int status, const char *data, gsize len, gpointer user, GError **error)
{
  g_string_append_len (user, data, (gssize)len);
  return TRUE;
}

static gboolean
post (Client *self, const char *url, gboolean once, GCancellable *cancellable,
      GError **error)
{
  SoapHttpRequest request = {
    .method = "POST",
    .url = url,
    .body = "<body/>",
    .body_len = 7,
    .once = once,
    .on_data = collect,
    .user = self->body,
  };

  g_string_truncate (self->body, 0);
  soap_http_answer_clear (&self->answer);
  return soap_http_perform (self->http, &request, &self->answer, cancellable,
                            error);
}

/* ---- exchanges ---- */

static void
test_facts (void)
{
  static const TinyAnswer answer
    = { .bytes = OK_HEAD "Set-Cookie: vmware_soap_session=\"52b1-x\"; Path=/; "
                         "HttpOnly; Secure\r\n"
                         "set-cookie:other=1\r\n"
                         "Date: Sun, 22 Nov 2026 08:47:06 GMT\r\n"
                         "Last-Modified: Sun, 22 Nov 2026 08:47:05 GMT\r\n"
                         "Content-Range: bytes 0-1/9\r\n"
                         "Content-Length: 2\r\n\r\nok" };
  Script script
    = { .answers = &answer, .n_answers = 1, .seen = g_string_new (NULL) };
  g_autoptr (TinyServer) server = tiny_server_new (FALSE, play, &script);
  g_autoptr (Client) client = client_new (trust_new (NULL, FALSE));
  g_autoptr (GError) error = NULL;

  g_assert_true (
    post (client, tiny_server_get_url (server), FALSE, NULL, &error));
  g_assert_no_error (error);
  g_assert_cmpint (client->answer.status, ==, 200);
  g_assert_cmpstr (client->answer.set_cookie, ==,
                   "vmware_soap_session=\"52b1-x\"; other=1");
  g_assert_cmpint (client->answer.date_us, ==, 1795337226000000);
  g_assert_cmpint (client->answer.last_modified, ==, 1795337225);
  g_assert_cmpstr (client->answer.content_range, ==, "bytes 0-1/9");
  g_assert_cmpint (client->answer.content_length, ==, 2);
  g_assert_cmpstr (client->body->str, ==, "ok");
  g_assert_nonnull (strstr (script.seen->str, "<body/>"));
  g_assert_nonnull (strstr (script.seen->str, "Accept-Encoding: gzip"));
  g_assert_null (strcasestr (script.seen->str, "Expect:"));
  g_string_free (script.seen, TRUE);
}

static void
test_any_status_is_an_answer (void)
{
  static const TinyAnswer answers[] = {
    { .bytes = "HTTP/1.1 500 Oops\r\nContent-Length: 5\r\n\r\nfault" },
    { .bytes = "HTTP/1.1 301 Gone\r\nLocation: http://127.0.0.1:1/\r\n"
               "Content-Length: 0\r\n\r\n" },
  };
  Script script = { .answers = answers, .n_answers = 2 };
  g_autoptr (TinyServer) server = tiny_server_new (FALSE, play, &script);
  g_autoptr (Client) client = client_new (trust_new (NULL, FALSE));
  g_autoptr (GError) error = NULL;

  g_assert_true (
    post (client, tiny_server_get_url (server), FALSE, NULL, &error));
  g_assert_cmpint (client->answer.status, ==, 500);
  g_assert_cmpstr (client->body->str, ==, "fault");
  /* Not followed: there is a password in it. */
  g_assert_true (
    post (client, tiny_server_get_url (server), FALSE, NULL, &error));
  g_assert_cmpint (client->answer.status, ==, 301);
  g_assert_cmpuint (tiny_server_get_connections (server), ==, 1);
}

/* ---- in two halves ---- */

/* The host works as soon as it was asked; nothing is handed out before the
 * second half, however late that comes. */
static void
test_halves (void)
{
  static const TinyAnswer answers[] = { { .bytes = OK_ANSWER },
                                        { .bytes = OK_ANSWER },
                                        { .bytes = OK_ANSWER } };
  Script script = { .answers = answers, .n_answers = 3 };
  g_autoptr (TinyServer) server = tiny_server_new (TRUE, play, &script);
  g_autoptr (Client) client = client_new (trust_new (NULL, TRUE));
  g_autoptr (GCancellable) cancelled = g_cancellable_new ();
  g_autoptr (GError) error = NULL;
  SoapHttpRequest request = { .method = "POST",
                              .url = tiny_server_get_url (server),
                              .body = "<body/>",
                              .body_len = 7,
                              .on_data = collect,
                              .user = client->body };

  client->deadlines.answer_ms = 2000;
  soap_http_begin (client->http, &request, &client->answer);
  while (tiny_server_get_requests (server) < 1)
    soap_http_push (client->http);
  /* Longer than the deadline for answers. */
  g_usleep (2200000);
  soap_http_push (client->http);
  g_assert_cmpuint (client->body->len, ==, 0);
  g_assert_true (soap_http_finish (client->http, NULL, &error));
  g_assert_no_error (error);
  g_assert_cmpstr (client->body->str, ==, "ok");
  g_assert_cmpint (client->answer.status, ==, 200);

  soap_http_answer_clear (&client->answer);
  soap_http_begin (client->http, &request, &client->answer);
  g_cancellable_cancel (cancelled);
  g_assert_false (soap_http_finish (client->http, cancelled, &error));
  g_assert_error (error, SOAP_ERROR, SOAP_ERROR_CANCELLED);
  g_assert_cmpstr (client->body->str, ==, "ok");
  g_clear_error (&error);
  g_assert_true (
    post (client, tiny_server_get_url (server), FALSE, NULL, &error));
  g_assert_cmpstr (client->body->str, ==, "ok");
}

/* ---- sending once ---- */

/* The server closes a kept connection when the second request comes. */
static void
test_once_is_not_repeated (void)
{
  static const TinyAnswer answers[]
    = { { .bytes = OK_ANSWER }, { .close = TRUE }, { .bytes = OK_ANSWER } };
  Script script = { .answers = answers, .n_answers = 3 };
  g_autoptr (TinyServer) server = tiny_server_new (TRUE, play, &script);
  g_autoptr (Client) client = client_new (trust_new (NULL, TRUE));
  g_autoptr (GError) error = NULL;

  g_assert_true (
    post (client, tiny_server_get_url (server), TRUE, NULL, &error));
  g_assert_false (
    post (client, tiny_server_get_url (server), TRUE, NULL, &error));
  g_assert_error (error, SOAP_ERROR, SOAP_ERROR_LOST);
  g_assert_true (soap_error_get_sent (error));
  g_assert_true (soap_error_is_transport (error));
  g_assert_cmpuint (tiny_server_get_requests (server), ==, 2);
  g_clear_error (&error);
  /* The handle is good for another exchange. */
  g_assert_true (
    post (client, tiny_server_get_url (server), TRUE, NULL, &error));
  g_assert_cmpuint (tiny_server_get_requests (server), ==, 3);
}

static void
test_read_may_be_repeated (void)
{
  static const TinyAnswer answers[]
    = { { .bytes = OK_ANSWER }, { .close = TRUE }, { .bytes = OK_ANSWER } };
  Script script = { .answers = answers, .n_answers = 3 };
  g_autoptr (TinyServer) server = tiny_server_new (TRUE, play, &script);
  g_autoptr (Client) client = client_new (trust_new (NULL, TRUE));
  g_autoptr (GError) error = NULL;

  g_assert_true (
    post (client, tiny_server_get_url (server), FALSE, NULL, &error));
  g_assert_true (
    post (client, tiny_server_get_url (server), FALSE, NULL, &error));
  g_assert_no_error (error);
  g_assert_cmpstr (client->body->str, ==, "ok");
}

static void
test_unreachable_was_not_sent (void)
{
  static const struct {
    const char *url;
    int code;
  } hosts[] = {
    { "https://127.0.0.1:1", SOAP_ERROR_CONNECT },
    { "https://no-such-host.invalid", SOAP_ERROR_RESOLVE },
    { "ftp://127.0.0.1", SOAP_ERROR_URL },
    { "https://a b", SOAP_ERROR_URL },
  };
  gsize i;

  for (i = 0; i < G_N_ELEMENTS (hosts); i++) {
    g_autoptr (Client) client = client_new (trust_new (NULL, TRUE));
    g_autoptr (GError) error = NULL;

    g_assert_false (post (client, hosts[i].url, TRUE, NULL, &error));
    g_assert_error (error, SOAP_ERROR, hosts[i].code);
    g_assert_false (soap_error_get_sent (error));
  }
}

/* ---- deadlines ---- */

/* What is no test of them has deadlines that no machine is too slow for. */
static void
make_impatient (Client *self)
{
  self->deadlines.answer_ms = 300;
  self->deadlines.stall_ms = 300;
}

static void
check_failure (const TinyAnswer *answer, int code, int min_ms, int max_ms,
               const char *says)
{
  Script script = { .answers = answer, .n_answers = 1 };
  g_autoptr (TinyServer) server = tiny_server_new (FALSE, play, &script);
  g_autoptr (Client) client = client_new (trust_new (NULL, FALSE));
  g_autoptr (GError) error = NULL;
  gint64 start = g_get_monotonic_time (), ms;

  make_impatient (client);
  g_assert_false (
    post (client, tiny_server_get_url (server), TRUE, NULL, &error));
  ms = (g_get_monotonic_time () - start) / 1000;
  g_test_message ("%s", error->message);
  g_assert_error (error, SOAP_ERROR, code);
  g_assert_true (soap_error_get_sent (error));
  g_assert_nonnull (strstr (error->message, says));
  g_assert_cmpint (ms, >=, min_ms);
  g_assert_cmpint (ms, <, max_ms);
}

static void
test_deadlines (void)
{
  static const TinyAnswer silent = { .hang = TRUE };
  static const TinyAnswer stalled
    = { .bytes = OK_HEAD "Content-Length: 100\r\n\r\nhalf", .hang = TRUE };
  static const TinyAnswer broken
    = { .bytes = OK_HEAD "Content-Length: 100\r\n\r\nhalf", .close = TRUE };
  static const TinyAnswer trickle
    = { .bytes = OK_HEAD "Content-Length: 1000\r\n\r\nxxxxxxxxxxxxxxxxxxxxxxxx"
                         "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
        .piece = 20,
        .pause_ms = 50,
        .hang = TRUE };
  static const TinyAnswer garbage
    = { .bytes = "\001\002nonsense\r\n\r\n", .close = TRUE };

  check_failure (&silent, SOAP_ERROR_TIMEOUT, 290, 30000, "did not answer");
  check_failure (&stalled, SOAP_ERROR_TIMEOUT, 290, 30000, "stopped");
  check_failure (&trickle, SOAP_ERROR_TIMEOUT, 290, 30000, "stopped");
  check_failure (&broken, SOAP_ERROR_LOST, 0, 30000, "127.0.0.1");
  check_failure (&garbage, SOAP_ERROR_MALFORMED, 0, 30000, "127.0.0.1");
}

/* ---- cancelling ---- */

static gpointer
cancel_soon (gpointer cancellable)
{
  g_usleep (100000);
  g_cancellable_cancel (cancellable);
  return NULL;
}

static void
test_cancel (void)
{
  static const TinyAnswer silent = { .hang = TRUE };
  Script script = { .answers = &silent, .n_answers = 1 };
  g_autoptr (TinyServer) server = tiny_server_new (FALSE, play, &script);
  g_autoptr (Client) client = client_new (trust_new (NULL, FALSE));
  g_autoptr (GError) error = NULL;
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  GThread *thread;
  gint64 start;

  start = g_get_monotonic_time ();
  thread = g_thread_new ("cancel", cancel_soon, cancellable);
  g_assert_false (
    post (client, tiny_server_get_url (server), FALSE, cancellable, &error));
  g_assert_error (error, SOAP_ERROR, SOAP_ERROR_CANCELLED);
  g_assert_cmpint (g_get_monotonic_time () - start, <, 30000000);
  g_thread_join (thread);
}

typedef struct {
  TinyServer *server;
  GCancellable *cancellable;
} Asked;

static gpointer
cancel_once_asked (gpointer data)
{
  Asked *asked = data;

  while (tiny_server_get_requests (asked->server) == 0)
    g_usleep (1000);
  g_cancellable_cancel (asked->cancellable);
  return NULL;
}

/* Once it is on its way, the answer is worth more than a quick end. */
static void
test_cancel_does_not_disturb_once (void)
{
  static const TinyAnswer slow = { .bytes = OK_ANSWER, .delay_ms = 250 };
  Script script = { .answers = &slow, .n_answers = 1 };
  g_autoptr (TinyServer) server = tiny_server_new (FALSE, play, &script);
  g_autoptr (Client) client = client_new (trust_new (NULL, FALSE));
  g_autoptr (GError) error = NULL;
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  Asked asked = { server, cancellable };
  GThread *thread;

  thread = g_thread_new ("cancel", cancel_once_asked, &asked);
  g_assert_true (
    post (client, tiny_server_get_url (server), TRUE, cancellable, &error));
  g_assert_cmpstr (client->body->str, ==, "ok");
  g_thread_join (thread);
  /* Cancelled before: never sent. */
  g_assert_false (
    post (client, tiny_server_get_url (server), TRUE, cancellable, &error));
  g_assert_error (error, SOAP_ERROR, SOAP_ERROR_CANCELLED);
  g_assert_false (soap_error_get_sent (error));
  g_assert_cmpuint (tiny_server_get_requests (server), ==, 1);
}

/* ---- trust ---- */

static void
test_pins (void)
{
  static const TinyAnswer answer = { .bytes = OK_ANSWER };
  Script script = { .answers = &answer, .n_answers = 1 };
  g_autoptr (TinyServer) server = tiny_server_new (TRUE, play, &script);
  const char *sha1 = tiny_server_get_sha1 (server);
  const char *sha256 = tiny_server_get_sha256 (server);
  g_autofree char *lower = g_ascii_strdown (sha256, -1);
  g_autofree char *prefixed = g_strconcat ("SHA256:", sha256, NULL);
  g_auto (GStrv) parts = g_strsplit (sha1, ":", -1);
  g_autofree char *bare = g_strjoinv ("", parts);
  const char *good[] = { sha1, sha256, lower, prefixed, bare };
  gsize i;

  for (i = 0; i < G_N_ELEMENTS (good); i++) {
    g_autoptr (Client) client = client_new (trust_new (good[i], FALSE));
    g_autoptr (GError) error = NULL;

    g_assert_true (
      post (client, tiny_server_get_url (server), TRUE, NULL, &error));
    g_assert_no_error (error);
  }
}

/* Nothing of the request leaves when the certificate is not the right one,
 * even where `insecure` stands beside the pin. */
static void
test_wrong_pin_sends_nothing (void)
{
  static const TinyAnswer answer = { .bytes = OK_ANSWER };
  Script script = { .answers = &answer, .n_answers = 1 };
  g_autoptr (TinyServer) server = tiny_server_new (TRUE, play, &script);
  g_autofree char *wrong256 = g_strdup (tiny_server_get_sha256 (server));
  g_autofree char *wrong1 = g_strdup (tiny_server_get_sha1 (server));
  const char *pins[] = { wrong256, wrong1 };
  gsize i;

  wrong256[0] = wrong256[0] == 'A' ? 'B' : 'A';
  wrong1[strlen (wrong1) - 1] ^= 1;
  if (!g_ascii_isxdigit (wrong1[strlen (wrong1) - 1]))
    wrong1[strlen (wrong1) - 1] = '0';
  for (i = 0; i < 4; i++) {
    g_autoptr (Client) client = client_new (trust_new (pins[i / 2], i % 2));
    g_autoptr (GError) error = NULL;

    g_assert_false (
      post (client, tiny_server_get_url (server), TRUE, NULL, &error));
    g_assert_error (error, SOAP_ERROR, SOAP_ERROR_TRUST);
    g_assert_false (soap_error_get_sent (error));
    g_assert_nonnull (strstr (error->message, tiny_server_get_sha256 (server)));
    g_assert_nonnull (strstr (error->message, "thumbprint="));
  }
  g_assert_cmpuint (tiny_server_get_bytes (server), ==, 0);
}

static void
test_untrusted_by_default (void)
{
  static const TinyAnswer answer = { .bytes = OK_ANSWER };
  Script script = { .answers = &answer, .n_answers = 1 };
  g_autoptr (TinyServer) server = tiny_server_new (TRUE, play, &script);
  g_autoptr (Client) client = client_new (trust_new (NULL, FALSE));
  g_autoptr (Client) insecure = client_new (trust_new (NULL, TRUE));
  g_autoptr (GError) error = NULL;

  g_assert_false (
    post (client, tiny_server_get_url (server), TRUE, NULL, &error));
  g_assert_error (error, SOAP_ERROR, SOAP_ERROR_TRUST);
  g_assert_nonnull (strstr (error->message, "self-signed"));
  g_assert_nonnull (strstr (error->message, tiny_server_get_sha256 (server)));
  g_assert_nonnull (strstr (error->message, tiny_server_get_sha1 (server)));
  g_assert_cmpuint (tiny_server_get_bytes (server), ==, 0);
  g_clear_error (&error);
  g_assert_true (
    post (insecure, tiny_server_get_url (server), TRUE, NULL, &error));
}

/* The authority is right, the name in the certificate is not. */
static void
test_authority_file (void)
{
  static const TinyAnswer answer = { .bytes = OK_ANSWER };
  Script script = { .answers = &answer, .n_answers = 1 };
  g_autoptr (TinyServer) server = tiny_server_new (TRUE, play, &script);
  g_autofree char *dir = g_dir_make_tmp ("vsphere-XXXXXX", NULL);
  g_autofree char *file = g_build_filename (dir, "ca.pem", NULL);
  g_autoptr (GError) error = NULL;
  g_autoptr (Client) client = NULL;
  g_autoptr (Client) missing = NULL;

  g_file_set_contents (file, tiny_server_get_pem (server), -1, &error);
  g_assert_no_error (error);
  client = client_new (soap_trust_new (file, NULL, FALSE, &error));
  g_assert_false (
    post (client, tiny_server_get_url (server), TRUE, NULL, &error));
  g_assert_error (error, SOAP_ERROR, SOAP_ERROR_TRUST);
  g_assert_nonnull (strstr (error->message, "name"));
  g_assert_cmpuint (tiny_server_get_bytes (server), ==, 0);
  g_clear_error (&error);
  missing
    = client_new (soap_trust_new ("/nonexistent/ca.pem", NULL, FALSE, &error));
  g_assert_false (
    post (missing, tiny_server_get_url (server), TRUE, NULL, &error));
  g_assert_error (error, SOAP_ERROR, SOAP_ERROR_TRUST);
  g_assert_nonnull (strstr (error->message, "/nonexistent/ca.pem"));
  remove (file);
  remove (dir);
}

static void
test_bad_thumbprints (void)
{
  static const char *const bad[]
    = { "12",
        "AA:BB",
        "zz",
        "0123456789012345678901234567890123456789x",
        "012345678901234567890123456789012345678",
        "sha256:" };
  gsize i;

  for (i = 0; i < G_N_ELEMENTS (bad); i++) {
    g_autoptr (GError) error = NULL;

    g_assert_null (soap_trust_new (NULL, bad[i], FALSE, &error));
    g_assert_error (error, SOAP_ERROR, SOAP_ERROR_ARGUMENT);
  }
}

/* ---- the pool ---- */

typedef struct {
  SoapPool *pool;
  GCancellable *cancellable;
  gint running;
  gint most;
} Crowd;

static gpointer
use_pool (gpointer data)
{
  Crowd *crowd = data;
  g_autoptr (GError) error = NULL;
  SoapHttp *http
    = soap_pool_take (crowd->pool, FALSE, crowd->cancellable, &error);
  gint now;

  if (http == NULL) {
    g_assert_error (error, SOAP_ERROR, SOAP_ERROR_CANCELLED);
    return GINT_TO_POINTER (1);
  }
  now = g_atomic_int_add (&crowd->running, 1) + 1;
  while (now > g_atomic_int_get (&crowd->most))
    g_atomic_int_set (&crowd->most, now);
  g_usleep (1000);
  g_atomic_int_add (&crowd->running, -1);
  soap_pool_give (crowd->pool, http, FALSE);
  return NULL;
}

static void
test_pool (void)
{
  SoapDeadlines deadlines = { 0 };
  Crowd crowd = { .pool = soap_pool_new ("https://h", trust_new (NULL, FALSE),
                                         &deadlines, 4) };
  GThread *threads[40];
  SoapHttp *held[4], *extra;
  gsize i;

  g_assert_cmpint (soap_pool_get_deadlines (crowd.pool)->connect_ms, ==, 10000);
  for (i = 0; i < G_N_ELEMENTS (threads); i++)
    threads[i] = g_thread_new ("user", use_pool, &crowd);
  for (i = 0; i < G_N_ELEMENTS (threads); i++)
    g_assert_null (g_thread_join (threads[i]));
  g_assert_cmpint (crowd.most, <=, 4);
  g_assert_cmpuint (soap_pool_get_idle (crowd.pool), <=, 4);

  /* All taken: one more waits until cancelled; a reserved one does not. */
  for (i = 0; i < 4; i++)
    held[i] = soap_pool_take (crowd.pool, FALSE, NULL, NULL);
  crowd.cancellable = g_cancellable_new ();
  threads[0] = g_thread_new ("user", use_pool, &crowd);
  extra = soap_pool_take (crowd.pool, TRUE, NULL, NULL);
  g_assert_nonnull (extra);
  g_usleep (20000);
  g_cancellable_cancel (crowd.cancellable);
  g_assert_nonnull (g_thread_join (threads[0]));
  for (i = 0; i < 4; i++)
    soap_pool_give (crowd.pool, held[i], FALSE);
  soap_pool_give (crowd.pool, extra, TRUE);
  soap_pool_trim (crowd.pool, 600 * G_USEC_PER_SEC);
  g_assert_cmpuint (soap_pool_get_idle (crowd.pool), ==, 5);
  soap_pool_trim (crowd.pool, 0);
  g_assert_cmpuint (soap_pool_get_idle (crowd.pool), ==, 0);
  g_object_unref (crowd.cancellable);
  soap_pool_free (crowd.pool);
}

int
main (int argc, char **argv)
{
  static const char *const proxies[]
    = { "http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY" };
  gsize i;

  g_test_init (&argc, &argv, NULL);
  signal (SIGPIPE, SIG_IGN);
  for (i = 0; i < G_N_ELEMENTS (proxies); i++)
    unsetenv (proxies[i]);
  g_test_add_func ("/soap/http/facts-of-an-answer", test_facts);
  g_test_add_func ("/soap/http/any-status-is-an-answer",
                   test_any_status_is_an_answer);
  g_test_add_func ("/soap/http/two-halves", test_halves);
  g_test_add_func ("/soap/http/once-is-not-repeated",
                   test_once_is_not_repeated);
  g_test_add_func ("/soap/http/read-may-be-repeated",
                   test_read_may_be_repeated);
  g_test_add_func ("/soap/http/unreachable-was-not-sent",
                   test_unreachable_was_not_sent);
  g_test_add_func ("/soap/http/deadlines", test_deadlines);
  g_test_add_func ("/soap/http/cancel-ends-at-once", test_cancel);
  g_test_add_func ("/soap/http/cancel-does-not-disturb-once",
                   test_cancel_does_not_disturb_once);
  g_test_add_func ("/soap/tls/pins-of-any-spelling", test_pins);
  g_test_add_func ("/soap/tls/wrong-pin-sends-nothing",
                   test_wrong_pin_sends_nothing);
  g_test_add_func ("/soap/tls/self-signed-is-not-trusted",
                   test_untrusted_by_default);
  g_test_add_func ("/soap/tls/authority-does-not-excuse-a-wrong-name",
                   test_authority_file);
  g_test_add_func ("/soap/tls/bad-thumbprints-are-refused",
                   test_bad_thumbprints);
  g_test_add_func ("/soap/pool/limits-and-cancels", test_pool);
  return g_test_run ();
}
