/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "servers.h"

#include <curl/curl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>

/* KEY='value' of a ready file. */
static char *
ready_word (const char *text, const char *key)
{
  g_autofree char *start = g_strdup_printf ("HOST_%s='", key);
  const char *at = strstr (text, start);

  if (at == NULL)
    return NULL;
  at += strlen (start);
  return g_strndup (at, strcspn (at, "'"));
}

/* A test that aborts leaves no server behind. */
static void
end_with_test (gpointer data)
{
  prctl (PR_SET_PDEATHSIG, SIGTERM);
}

static BedServer *
launch (const char *program, const char *options)
{
  BedServer *self = g_new0 (BedServer, 1);
  g_autoptr (GError) error = NULL;
  const char *bin = g_getenv ("HOST_BIN");
  g_autofree char *ready = NULL;
  g_autofree char *cert = NULL;
  g_autofree char *path = NULL;
  g_autofree char *quoted = NULL;
  g_autofree char *command = NULL;
  g_autofree char *text = NULL;
  g_auto (GStrv) argv = NULL;
  g_auto (GStrv) env = g_get_environ ();

  if (bin == NULL)
    g_error ("HOST_BIN is not set: run this test by ctest.sh");
  self->dir = g_dir_make_tmp ("bed-XXXXXX", &error);
  g_assert_no_error (error);
  ready = g_build_filename (self->dir, "ready", NULL);
  cert = g_build_filename (self->dir, "cert.pem", NULL);
  path = g_build_filename (bin, program, NULL);
  quoted = g_shell_quote (path);
  command = g_strdup_printf ("%s -ready %s -cert %s %s", quoted, ready, cert,
                             options);
  g_shell_parse_argv (command, NULL, &argv, &error);
  g_assert_no_error (error);
  env = g_environ_setenv (env, "TMPDIR", self->dir, TRUE);
  g_spawn_async (NULL, argv, env, G_SPAWN_DO_NOT_REAP_CHILD, end_with_test,
                 NULL, &self->pid, &error);
  g_assert_no_error (error);
  for (int i = 0; !g_file_get_contents (ready, &text, NULL, NULL); i++) {
    g_assert_cmpint (i, <, 6000);
    g_assert_cmpint (waitpid (self->pid, NULL, WNOHANG), ==, 0);
    g_usleep (10000);
  }
  self->url = ready_word (text, "URL");
  self->port = ready_word (text, "PORT");
  self->control = ready_word (text, "CONTROL");
  self->cert = ready_word (text, "CERT");
  self->sha1 = ready_word (text, "SHA1");
  self->sha256 = ready_word (text, "SHA256");
  self->user = ready_word (text, "USER");
  self->password = ready_word (text, "PASSWORD");
  return self;
}

BedServer *
bed_sim_new (const char *options)
{
  return launch ("hostsim", options);
}

BedServer *
bed_proxy_new (const BedServer *upstream)
{
  g_autofree char *options
    = g_strdup_printf ("-upstream 127.0.0.1:%s", upstream->port);
  BedServer *self = launch ("hostproxy", options);

  g_free (self->user);
  g_free (self->password);
  self->user = g_strdup (upstream->user);
  self->password = g_strdup (upstream->password);
  return self;
}

static void
remove_tree (const char *dir)
{
  g_autofree char *command = g_strdup_printf ("rm -rf '%s'", dir);

  g_assert_cmpint (system (command), ==, 0);
}

void
bed_server_free (BedServer *self)
{
  if (self == NULL)
    return;
  kill (self->pid, SIGTERM);
  waitpid (self->pid, NULL, 0);
  remove_tree (self->dir);
  g_free (self->dir);
  g_free (self->url);
  g_free (self->port);
  g_free (self->control);
  g_free (self->cert);
  g_free (self->sha1);
  g_free (self->sha256);
  g_free (self->user);
  g_free (self->password);
  g_free (self);
}

static size_t
collect (char *data, size_t size, size_t n, void *user)
{
  g_string_append_len (user, data, (gssize)(size * n));
  return size * n;
}

/* @put: (nullable): the body of a PUT; else it is a GET */
static char *
ask (const BedServer *self, const char *path, const char *put, gsize len)
{
  g_autofree char *url = g_strdup_printf ("%s/%s", self->control, path);
  GString *body = g_string_new (NULL);
  CURL *curl = curl_easy_init ();
  long status = 0;

  if (put != NULL) {
    curl_easy_setopt (curl, CURLOPT_CUSTOMREQUEST, "PUT");
    curl_easy_setopt (curl, CURLOPT_POSTFIELDS, put);
    curl_easy_setopt (curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)len);
  }
  curl_easy_setopt (curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt (curl, CURLOPT_NOPROXY, "*");
  curl_easy_setopt (curl, CURLOPT_URL, url);
  curl_easy_setopt (curl, CURLOPT_WRITEFUNCTION, collect);
  curl_easy_setopt (curl, CURLOPT_WRITEDATA, body);
  if (curl_easy_perform (curl) != CURLE_OK)
    g_error ("%s: no answer", url);
  curl_easy_getinfo (curl, CURLINFO_RESPONSE_CODE, &status);
  curl_easy_cleanup (curl);
  if (status != 200)
    g_error ("%s: %ld: %s", url, status, body->str);
  return g_string_free (body, FALSE);
}

char *
bed_ctl (const BedServer *self, const char *format, ...)
{
  g_autofree char *path = NULL;
  va_list args;

  va_start (args, format);
  path = g_strdup_vprintf (format, args);
  va_end (args);
  return ask (self, path, NULL, 0);
}

void
bed_put_file (const BedServer *self, const char *path, gconstpointer data,
              gsize len, gint64 modified)
{
  g_autofree char *name = g_uri_escape_string (path, NULL, FALSE);
  g_autofree char *order = g_strdup_printf ("file?path=%s", name);
  g_autofree char *timed
    = g_strdup_printf ("%s&modified=%" G_GINT64_FORMAT, order, modified);

  g_free (ask (self, modified != 0 ? timed : order, data, len));
}

gint64
bed_number (const char *json, const char *key)
{
  g_autofree char *start = g_strdup_printf ("\"%s\":", key);
  const char *at = strstr (json, start);

  return at == NULL ? -1 : g_ascii_strtoll (at + strlen (start), NULL, 10);
}

gint64
bed_count (const BedServer *self, const char *key)
{
  g_autofree char *json = bed_ctl (self, "counters");

  return MAX (bed_number (json, key), 0);
}
