/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bed.h"

#include <curl/curl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "vsphere/provider.h"

/* How long a test waits for what comes at once on a machine that is not
 * busy. */
#define PATIENCE_US (60 * G_USEC_PER_SEC)

/* ---- servers ---- */

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
  command = g_strdup_printf ("%s/%s -ready %s -cert %s %s", bin, program, ready,
                             cert, options);
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

char *
bed_ctl (const BedServer *self, const char *format, ...)
{
  g_autofree char *path = NULL;
  g_autofree char *url = NULL;
  GString *body = g_string_new (NULL);
  CURL *curl = curl_easy_init ();
  long status = 0;
  va_list args;

  va_start (args, format);
  path = g_strdup_vprintf (format, args);
  va_end (args);
  url = g_strdup_printf ("%s/%s", self->control, path);
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

/* ---- hosts ---- */

static void
note_event (int event, const VixExtVM *vm, gpointer data)
{
  static const char marks[] = "?+~-FLS";
  Bed *self = data;

  g_mutex_lock (&self->lock);
  g_string_append_c (self->diary, marks[event]);
  if (vm != NULL)
    g_string_append (self->diary, vm->displayName);
  g_string_append_c (self->diary, ' ');
  self->n_events++;
  g_cond_broadcast (&self->changed);
  g_mutex_unlock (&self->lock);
}

Bed *
bed_connect (const BedServer *server,
             void (*adjust) (VixConnectParams *params, gpointer data),
             gpointer data, GError **error)
{
  g_autoptr (BedOp) op = bed_op_new ();
  Bed *self = g_new0 (Bed, 1);
  VixConnectParams params = {
    .host_type = VIX_SERVICEPROVIDER_VMWARE_VI_SERVER,
    .host_name = server->url,
    .user_name = server->user,
    .password = server->password,
    .verify_ssl = TRUE,
    .thumbprint = server->sha256,
    .settle_timeout_ms = 3000,
  };

  if (adjust != NULL)
    adjust (&params, data);
  self->ops = &vsphere_provider_ops;
  self->diary = g_string_new (NULL);
  g_mutex_init (&self->lock);
  g_cond_init (&self->changed);
  self->inventory = vix_inventory_new ();
  self->host = self->ops->connect (&params, self->inventory, &op->op, error);
  if (self->host != NULL)
    return self;
  bed_free (self);
  return NULL;
}

void
bed_watch (Bed *self)
{
  g_autoptr (GError) error = NULL;
  gint64 end = g_get_monotonic_time () + PATIENCE_US;

  vix_inventory_set_watcher (self->inventory, note_event, self);
  g_assert_true (self->ops->watch (self->host, &error));
  g_mutex_lock (&self->lock);
  while (strchr (self->diary->str, 'L') == NULL)
    if (!g_cond_wait_until (&self->changed, &self->lock, end))
      g_error ("the inventory is not loaded: %s", self->diary->str);
  g_mutex_unlock (&self->lock);
}

gboolean
bed_saw (Bed *self, const char *entry)
{
  g_autofree char *diary = bed_tell (self);

  return strstr (diary, entry) != NULL;
}

void
bed_forget (Bed *self)
{
  g_mutex_lock (&self->lock);
  g_string_truncate (self->diary, 0);
  g_mutex_unlock (&self->lock);
}

char *
bed_tell (Bed *self)
{
  char *diary;

  g_mutex_lock (&self->lock);
  diary = g_strdup (self->diary->str);
  g_mutex_unlock (&self->lock);
  return diary;
}

Bed *
bed_new (const BedServer *server, gboolean watch)
{
  g_autoptr (GError) error = NULL;
  Bed *self = bed_connect (server, NULL, NULL, &error);

  g_assert_no_error (error);
  if (watch)
    bed_watch (self);
  return self;
}

void
bed_free (Bed *self)
{
  if (self == NULL)
    return;
  vix_inventory_stop (self->inventory);
  if (self->host != NULL)
    self->ops->disconnect (self->host);
  vix_inventory_free (self->inventory);
  g_string_free (self->diary, TRUE);
  g_cond_clear (&self->changed);
  g_mutex_clear (&self->lock);
  g_free (self);
}

static void
note_progress (gpointer data, int percent)
{
  BedOp *self = data;

  self->percent = percent;
  self->n_percent++;
}

BedOp *
bed_op_new (void)
{
  BedOp *self = g_new0 (BedOp, 1);

  self->cancellable = g_cancellable_new ();
  self->op.cancellable = self->cancellable;
  self->op.progress = note_progress;
  self->op.progress_data = self;
  return self;
}

void
bed_op_free (BedOp *self)
{
  if (self == NULL)
    return;
  g_object_unref (self->cancellable);
  g_free (self);
}

/* (nullable) */
static const VixExtVM *
find_vm (Bed *self, const char *name)
{
  g_autoptr (GPtrArray) ids = vix_inventory_list_ids (self->inventory);

  for (guint i = 0; i < ids->len; i++) {
    const VixExtVM *vm = vix_inventory_lookup (self->inventory, ids->pdata[i]);

    if (vm != NULL && g_str_equal (vm->displayName, name))
      return vm;
    vix_vm_record_unref (vm);
  }
  return NULL;
}

const VixExtVM *
bed_vm (Bed *self, const char *name)
{
  gint64 end = g_get_monotonic_time () + PATIENCE_US;
  const VixExtVM *vm;

  while ((vm = find_vm (self, name)) == NULL) {
    if (g_get_monotonic_time () > end)
      g_error ("no VM %s", name);
    g_usleep (10000);
  }
  return vm;
}

char *
bed_vm_id (Bed *self, const char *name)
{
  g_autoptr (VixVmRecord) vm = bed_vm (self, name);

  return g_strdup (vm->id);
}

char *
bed_snapshots (const VixExtVM *vm)
{
  GString *text = g_string_new (NULL);

  for (size_t i = 0; i < vm->numSnapshots; i++)
    g_string_append_printf (
      text, "%s%d:%s(%d)%s", i > 0 ? "," : "", (int)vm->snapshots[i].id,
      vm->snapshots[i].name, (int)vm->snapshots[i].parent,
      vm->snapshots[i].id == vm->currentSnapshot ? "*" : "");
  return g_string_free (text, FALSE);
}

gint64
bed_create (Bed *self, const char *vm_id, const char *name, GError **error)
{
  g_autoptr (BedOp) op = bed_op_new ();
  VixSnapshotParams params = { .name = name, .description = "" };
  gint64 id = 0;

  self->ops->create_snapshot (self->host, vm_id, &params, &id, &op->op, error);
  return id;
}

void
bed_await_snapshots (Bed *self, const char *name, const char *wanted)
{
  gint64 end = g_get_monotonic_time () + PATIENCE_US;

  for (;;) {
    g_autoptr (VixVmRecord) vm = bed_vm (self, name);
    g_autofree char *now = bed_snapshots (vm);

    if (g_str_equal (now, wanted))
      return;
    if (g_get_monotonic_time () > end)
      g_error ("%s has %s, not %s", name, now, wanted);
    g_usleep (10000);
  }
}

void
bed_await_state (Bed *self, int state, int ms)
{
  gint64 end = g_get_monotonic_time () + (gint64)ms * 1000;

  for (;;) {
    VixExtHostStatus status = { .size = sizeof status };

    self->ops->get_status (self->host, &status);
    if (status.state == state)
      return;
    if (g_get_monotonic_time () > end)
      g_error ("the state is %d: %s", status.state, status.problem);
    g_usleep (10000);
  }
}

static int
compare_lines (gconstpointer a, gconstpointer b)
{
  return strcmp (*(const char *const *)a, *(const char *const *)b);
}

char *
bed_dump (Bed *self)
{
  g_autoptr (GPtrArray) ids = vix_inventory_list_ids (self->inventory);
  g_autoptr (GPtrArray) lines = g_ptr_array_new_with_free_func (g_free);

  for (guint i = 0; i < ids->len; i++) {
    g_autoptr (VixVmRecord) vm
      = vix_inventory_lookup (self->inventory, ids->pdata[i]);
    g_autofree char *path = g_strjoinv ("/", (char **)vm->path);
    g_autofree char *snapshots = bed_snapshots (vm);

    g_ptr_array_add (lines, g_strdup_printf ("%s %s %s %d %s %d [%s]", vm->id,
                                             path, vm->vmxPath, vm->powerState,
                                             vm->uuid, vm->flags, snapshots));
  }
  g_ptr_array_sort (lines, compare_lines);
  g_ptr_array_add (lines, NULL);
  return g_strjoinv ("\n", (char **)lines->pdata);
}
