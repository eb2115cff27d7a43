/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tiny-server.h"

#include <netinet/in.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct TinyServer {
  TinyFunc func;
  gpointer data;
  SSL_CTX *context; /* NULL: plain HTTP */
  int fd;
  int stop[2];
  char *url;
  char *pem;
  char sha1[60];
  char sha256[100];
  GThread *thread;
  GMutex lock;
  GPtrArray *threads;
  guint requests;
  guint connections;
  gsize bytes;
};

typedef struct {
  TinyServer *server;
  int fd;
  SSL *ssl;
} Connection;

/* ---- the certificate ---- */

static void
print_digest (X509 *cert, const EVP_MD *algorithm, char *out)
{
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int n, i;

  X509_digest (cert, algorithm, digest, &n);
  for (i = 0; i < n; i++)
    sprintf (out + 3 * i, i + 1 < n ? "%02X:" : "%02X", digest[i]);
}

static void
make_certificate (TinyServer *self)
{
  EVP_PKEY *key = EVP_RSA_gen (2048);
  X509 *cert = X509_new ();
  X509_NAME *name = X509_get_subject_name (cert);
  X509_EXTENSION *san = X509V3_EXT_conf_nid (NULL, NULL, NID_subject_alt_name,
                                             "DNS:localhost.localdomain");
  BIO *bio = BIO_new (BIO_s_mem ());
  char *text;
  long len;

  X509_set_version (cert, 2);
  ASN1_INTEGER_set (X509_get_serialNumber (cert), 1);
  X509_gmtime_adj (X509_getm_notBefore (cert), -3600);
  X509_gmtime_adj (X509_getm_notAfter (cert), 3600);
  X509_set_pubkey (cert, key);
  X509_NAME_add_entry_by_txt (name, "CN", MBSTRING_ASC,
                              (const unsigned char *)"localhost.localdomain",
                              -1, -1, 0);
  X509_set_issuer_name (cert, name);
  X509_add_ext (cert, san, -1);
  X509_sign (cert, key, EVP_sha256 ());
  print_digest (cert, EVP_sha1 (), self->sha1);
  print_digest (cert, EVP_sha256 (), self->sha256);
  PEM_write_bio_X509 (bio, cert);
  len = BIO_get_mem_data (bio, &text);
  self->pem = g_strndup (text, (gsize)len);
  self->context = SSL_CTX_new (TLS_server_method ());
  SSL_CTX_use_certificate (self->context, cert);
  SSL_CTX_use_PrivateKey (self->context, key);
  BIO_free (bio);
  X509_EXTENSION_free (san);
  X509_free (cert);
  EVP_PKEY_free (key);
}

/* ---- connections ---- */

static gssize
conn_read (Connection *conn, char *buffer, gsize len)
{
  struct pollfd fds[] = { { .fd = conn->fd, .events = POLLIN },
                          { .fd = conn->server->stop[0], .events = POLLIN } };

  if (conn->ssl == NULL || SSL_pending (conn->ssl) == 0) {
    poll (fds, 2, -1);
    if (fds[1].revents != 0)
      return -1;
  }
  if (conn->ssl != NULL)
    return SSL_read (conn->ssl, buffer, (int)len);
  return read (conn->fd, buffer, len);
}

static gboolean
conn_write (Connection *conn, const char *data, gsize len)
{
  if (conn->ssl != NULL)
    return SSL_write (conn->ssl, data, (int)len) > 0;
  return send (conn->fd, data, len, MSG_NOSIGNAL) == (gssize)len;
}

/* FALSE when the server ends first. */
static gboolean
conn_sleep (Connection *conn, int ms)
{
  struct pollfd fd = { .fd = conn->server->stop[0], .events = POLLIN };

  return poll (&fd, 1, ms) == 0;
}

/* One request into @request; FALSE when the connection is over. */
static gboolean
read_request (Connection *conn, GString *request)
{
  char buffer[4096];
  gsize body = 0;
  const char *head, *length;
  gssize n;

  g_string_truncate (request, 0);
  for (;;) {
    head = strstr (request->str, "\r\n\r\n");
    if (head != NULL) {
      length = strcasestr (request->str, "Content-Length:");
      body = length == NULL || length > head
               ? 0
               : (gsize)g_ascii_strtoull (length + 15, NULL, 10);
      if (request->len >= (gsize)(head + 4 - request->str) + body)
        return TRUE;
    }
    n = conn_read (conn, buffer, sizeof buffer);
    if (n <= 0)
      return FALSE;
    g_mutex_lock (&conn->server->lock);
    conn->server->bytes += (gsize)n;
    g_mutex_unlock (&conn->server->lock);
    g_string_append_len (request, buffer, n);
  }
}

static gboolean
send_answer (Connection *conn, const TinyAnswer *answer)
{
  gsize len = answer->len > 0         ? answer->len
              : answer->bytes == NULL ? 0
                                      : strlen (answer->bytes);
  gsize piece = answer->piece > 0 ? answer->piece : len;
  gsize pos;

  if (!conn_sleep (conn, answer->delay_ms))
    return FALSE;
  for (pos = 0; pos < len; pos += piece) {
    if (pos > 0 && !conn_sleep (conn, answer->pause_ms))
      return FALSE;
    if (!conn_write (conn, answer->bytes + pos, MIN (piece, len - pos)))
      return FALSE;
  }
  if (answer->hang)
    conn_sleep (conn, -1);
  return !answer->close && !answer->hang;
}

static gpointer
run_connection (gpointer data)
{
  Connection *conn = data;
  TinyServer *self = conn->server;
  GString *request = g_string_new (NULL);
  gboolean open = TRUE;
  guint n;

  if (self->context != NULL) {
    conn->ssl = SSL_new (self->context);
    SSL_set_fd (conn->ssl, conn->fd);
    open = SSL_accept (conn->ssl) == 1;
  }
  while (open && read_request (conn, request)) {
    TinyAnswer answer = { .bytes = NULL };

    g_mutex_lock (&self->lock);
    n = self->requests++;
    g_mutex_unlock (&self->lock);
    self->func (n, request->str, &answer, self->data);
    open = send_answer (conn, &answer);
  }
  if (conn->ssl != NULL)
    SSL_free (conn->ssl);
  close (conn->fd);
  g_string_free (request, TRUE);
  g_free (conn);
  return NULL;
}

static gpointer
run_server (gpointer data)
{
  TinyServer *self = data;
  struct pollfd fds[] = { { .fd = self->fd, .events = POLLIN },
                          { .fd = self->stop[0], .events = POLLIN } };

  while (poll (fds, 2, -1) > 0 && fds[1].revents == 0) {
    Connection *conn = g_new0 (Connection, 1);

    conn->server = self;
    conn->fd = accept (self->fd, NULL, NULL);
    g_mutex_lock (&self->lock);
    self->connections++;
    g_mutex_unlock (&self->lock);
    g_ptr_array_add (self->threads,
                     g_thread_new ("tiny", run_connection, conn));
  }
  return NULL;
}

TinyServer *
tiny_server_new (gboolean tls, TinyFunc func, gpointer data)
{
  TinyServer *self = g_new0 (TinyServer, 1);
  struct sockaddr_in address = { .sin_family = AF_INET };
  socklen_t len = sizeof address;

  self->func = func;
  self->data = data;
  g_mutex_init (&self->lock);
  self->threads = g_ptr_array_new ();
  if (tls)
    make_certificate (self);
  address.sin_addr.s_addr = htonl (INADDR_LOOPBACK);
  self->fd = socket (AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  g_assert_cmpint (bind (self->fd, (struct sockaddr *)&address, len), ==, 0);
  g_assert_cmpint (listen (self->fd, 64), ==, 0);
  getsockname (self->fd, (struct sockaddr *)&address, &len);
  self->url = g_strdup_printf ("%s://127.0.0.1:%d", tls ? "https" : "http",
                               ntohs (address.sin_port));
  g_assert_cmpint (pipe (self->stop), ==, 0);
  self->thread = g_thread_new ("tiny-accept", run_server, self);
  return self;
}

void
tiny_server_free (TinyServer *self)
{
  guint i;

  if (self == NULL)
    return;
  g_assert_cmpint (write (self->stop[1], "x", 1), ==, 1);
  g_thread_join (self->thread);
  for (i = 0; i < self->threads->len; i++)
    g_thread_join (self->threads->pdata[i]);
  g_ptr_array_unref (self->threads);
  close (self->fd);
  close (self->stop[0]);
  close (self->stop[1]);
  SSL_CTX_free (self->context);
  g_mutex_clear (&self->lock);
  g_free (self->url);
  g_free (self->pem);
  g_free (self);
}

const char *
tiny_server_get_url (TinyServer *self)
{
  return self->url;
}

guint
tiny_server_get_requests (TinyServer *self)
{
  guint n;

  g_mutex_lock (&self->lock);
  n = self->requests;
  g_mutex_unlock (&self->lock);
  return n;
}

guint
tiny_server_get_connections (TinyServer *self)
{
  guint n;

  g_mutex_lock (&self->lock);
  n = self->connections;
  g_mutex_unlock (&self->lock);
  return n;
}

gsize
tiny_server_get_bytes (TinyServer *self)
{
  gsize n;

  g_mutex_lock (&self->lock);
  n = self->bytes;
  g_mutex_unlock (&self->lock);
  return n;
}

const char *
tiny_server_get_sha1 (TinyServer *self)
{
  return self->sha1;
}

const char *
tiny_server_get_sha256 (TinyServer *self)
{
  return self->sha256;
}

const char *
tiny_server_get_pem (TinyServer *self)
{
  return self->pem;
}
