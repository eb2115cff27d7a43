/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Being logged in: trust, refused logins, sessions that end, hosts that go
 * away and come back, and what must never show.
 */
#include <string.h>

#include "base/error.h"
#include "bed.h"

/* ---- connecting ---- */

static void
wrong_thumbprint (VixConnectParams *params, gpointer data)
{
  params->thumbprint = "00112233445566778899AABBCCDDEEFF00112233";
}

static void
no_trust (VixConnectParams *params, gpointer data)
{
  params->thumbprint = NULL;
}

static void
by_sha1 (VixConnectParams *params, gpointer data)
{
  params->thumbprint = ((BedServer *)data)->sha1;
}

static void
by_authority (VixConnectParams *params, gpointer data)
{
  params->thumbprint = NULL;
  params->ca_file = ((BedServer *)data)->cert;
}

static void
insecurely (VixConnectParams *params, gpointer data)
{
  params->thumbprint = NULL;
  params->verify_ssl = FALSE;
}

static void
wrong_password (VixConnectParams *params, gpointer data)
{
  params->password = "wrong";
}

static void
no_password (VixConnectParams *params, gpointer data)
{
  params->password = NULL;
}

static void
other_host (VixConnectParams *params, gpointer data)
{
  params->host_name = data;
}

static void
expect_failure (const BedServer *sim,
                void (*adjust) (VixConnectParams *params, gpointer data),
                gpointer data, int code, const char *says)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (Bed) bed = bed_connect (sim, adjust, data, &error);

  g_assert_null (bed);
  g_test_message ("%s", error->message);
  g_assert_error (error, VIX_ERROR, code);
  if (says != NULL)
    g_assert_nonnull (strstr (error->message, says));
}

static void
expect_success (const BedServer *sim,
                void (*adjust) (VixConnectParams *params, gpointer data),
                gpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (Bed) bed = bed_connect (sim, adjust, data, &error);

  g_assert_no_error (error);
  g_assert_nonnull (bed);
}

static void
test_connect (void)
{
  g_autoptr (BedServer) sim = bed_sim_new ("-kind esx -vms 1");
  g_autofree char *bare = g_strdup_printf ("127.0.0.1:%s", sim->port);

  expect_success (sim, NULL, NULL);
  expect_success (sim, by_sha1, sim);
  expect_success (sim, by_authority, sim);
  expect_success (sim, insecurely, NULL);
  expect_success (sim, other_host, bare);
  expect_failure (sim, wrong_thumbprint, NULL, VIX_E_NET_HTTP_SSL_SECURITY,
                  sim->sha256);
  expect_failure (sim, no_trust, NULL, VIX_E_NET_HTTP_SSL_SECURITY,
                  "thumbprint=");
  expect_failure (sim, no_password, NULL, VIX_E_INVALID_ARG, "password");
  expect_failure (sim, other_host, (gpointer) "https://127.0.0.1:1/sdk",
                  VIX_E_NET_HTTP_COULDNT_CONNECT, NULL);
  expect_failure (sim, other_host, (gpointer) "https://no-such.invalid/sdk",
                  VIX_E_NET_HTTP_COULDNT_RESOLVE_HOST, NULL);
  expect_failure (sim, other_host, (gpointer) "ftp://h",
                  VIX_E_INVALID_HOSTNAME_SPECIFICATION, NULL);
  expect_failure (sim, other_host, NULL, VIX_E_INVALID_HOSTNAME_SPECIFICATION,
                  NULL);
  g_assert_cmpint (bed_count (sim, "badLogins"), ==, 0);
  g_assert_cmpint (bed_count (sim, "sessions"), ==, 0);
}

static void
test_refused_login_is_tried_once (void)
{
  g_autoptr (BedServer) sim = bed_sim_new ("-kind esx -vms 1");

  expect_failure (sim, wrong_password, NULL, VIX_E_HOST_USER_PERMISSIONS,
                  "InvalidLogin");
  g_assert_cmpint (bed_count (sim, "badLogins"), ==, 1);
}

/* The password is changed while we are connected: one more try, then never
 * again, whatever is asked for. */
static void
test_refused_again_is_final (void)
{
  g_autoptr (BedServer) sim = bed_sim_new ("-kind esx -vms 2");
  g_autoptr (Bed) bed = bed_new (sim, TRUE);
  g_autofree char *id = bed_vm_id (bed, "vm00000");

  g_free (bed_ctl (sim, "set?password=changed"));
  g_free (bed_ctl (sim, "session/expire"));
  bed_await_state (bed, VIXEXT_HOST_RECONNECTING, 60000);
  for (int i = 0; i < 5; i++) {
    g_autoptr (GError) error = NULL;

    g_assert_cmpint (bed_create (bed, id, "x", &error), ==, 0);
    g_assert_error (error, VIX_ERROR, VIX_E_HOST_CONNECTION_LOST);
    g_assert_nonnull (strstr (error->message, "InvalidLogin"));
    g_usleep (200000);
  }
  g_assert_cmpint (bed_count (sim, "badLogins"), ==, 1);
}

/* ---- sessions ---- */

static void
test_logout_always (void)
{
  g_autoptr (BedServer) sim = bed_sim_new ("-kind vcenter -vms 2");

  for (int i = 0; i < 4; i++) {
    Bed *bed = bed_new (sim, i % 2 == 0);

    g_assert_cmpint (bed_count (sim, "sessions"), ==, 1);
    if (i == 2)
      g_free (bed_ctl (sim, "session/expire"));
    bed_free (bed);
    g_assert_cmpint (bed_count (sim, "sessions"), ==, 0);
  }
}

static void
test_session_ends (void)
{
  g_autoptr (BedServer) sim
    = bed_sim_new ("-kind vcenter -vms 20 -snapshots 2");
  g_autoptr (Bed) bed = bed_new (sim, TRUE);
  g_autofree char *id = bed_vm_id (bed, "vm00003");
  g_autofree char *before = bed_dump (bed);
  g_autofree char *diary = NULL;
  g_autofree char *after = NULL;
  g_autoptr (GError) error = NULL;

  bed_forget (bed);
  for (int i = 0; i < 5; i++) {
    g_free (bed_ctl (sim, "session/expire"));
    g_usleep (300000);
  }
  g_free (bed_ctl (sim, "snapshot/create?vm=vm00001&name=later"));
  bed_await_snapshots (bed, "vm00001", "1:snap-1(0),2:snap-2(1),3:later(2)*");
  /* Nothing but that was news, and the host was never away. */
  diary = bed_tell (bed);
  g_assert_cmpstr (diary, ==, "~vm00001 ");
  g_free (bed_ctl (sim, "session/expire"));
  g_assert_cmpint (bed_create (bed, id, "mine", &error), ==, 3);
  g_assert_no_error (error);
  g_assert_cmpint (bed_count (sim, "sessions"), ==, 1);
  g_free (bed_ctl (sim, "snapshot/remove?vm=vm00001&id=3"));
  g_free (bed_ctl (sim, "snapshot/remove?vm=vm00003&id=3"));
  bed_await_snapshots (bed, "vm00003", "1:snap-1(0),2:snap-2(1)*");
  bed_await_snapshots (bed, "vm00001", "1:snap-1(0),2:snap-2(1)*");
  after = bed_dump (bed);
  g_assert_cmpstr (before, ==, after);
}

/* Nobody watches, and the session ended of idleness long ago. */
static void
test_session_ends_unwatched (void)
{
  g_autoptr (BedServer) sim = bed_sim_new ("-kind esx -vms 2");
  g_autoptr (Bed) bed = bed_new (sim, FALSE);
  g_autoptr (BedOp) op = bed_op_new ();
  g_autoptr (GError) error = NULL;
  g_autofree char *id = NULL;
  g_autoptr (GPtrArray) paths = NULL;

  g_free (bed_ctl (sim, "session/expire"));
  id = bed->ops->open_vm (bed->host, "[LocalDS_0] vm00000/vm00000.vmx", &op->op,
                          &error);
  g_assert_no_error (error);
  g_free (bed_ctl (sim, "session/expire"));
  paths = bed->ops->find_vms (bed->host, FALSE, &op->op, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (paths->len, ==, 2);
  g_free (bed_ctl (sim, "session/expire"));
  g_assert_cmpint (bed_create (bed, id, "a", &error), ==, 1);
  g_assert_no_error (error);
  g_free (bed_ctl (sim, "session/expire"));
  g_assert_cmpint (bed_create (bed, id, "b", &error), ==, 2);
  g_assert_no_error (error);
}

/* ---- away and back ---- */

static void
quickly (VixConnectParams *params, gpointer data)
{
  params->connect_timeout_ms = 5000;
  params->answer_timeout_ms = 4000;
  params->stall_timeout_ms = 2000;
}

static Bed *
watch_quickly (const BedServer *server)
{
  g_autoptr (GError) error = NULL;
  Bed *bed = bed_connect (server, quickly, NULL, &error);

  g_assert_no_error (error);
  bed_watch (bed);
  return bed;
}

static void
test_away_and_back (void)
{
  g_autoptr (BedServer) sim
    = bed_sim_new ("-kind vcenter -vms 20 -snapshots 2");
  g_autoptr (BedServer) proxy = bed_proxy_new (sim);
  g_autoptr (Bed) bed = watch_quickly (proxy);
  g_autoptr (BedOp) op = bed_op_new ();
  g_autofree char *id = bed_vm_id (bed, "vm00003");
  g_autofree char *diary = NULL;
  g_autoptr (GError) error = NULL;
  g_autoptr (VixVmRecord) vm = NULL;
  VixExtHostStatus status = { .size = sizeof status };
  gint64 start;

  bed_forget (bed);
  g_free (bed_ctl (proxy, "down"));
  bed_await_state (bed, VIXEXT_HOST_RECONNECTING, 60000);
  bed->ops->get_status (bed->host, &status);
  g_assert_cmpstr (status.problem, !=, "");
  g_test_message ("away: %s", status.problem);
  /* A change fails at once; what is known stays. */
  start = g_get_monotonic_time ();
  g_assert_cmpint (bed_create (bed, id, "x", &error), ==, 0);
  g_assert_error (error, VIX_ERROR, VIX_E_HOST_CONNECTION_LOST);
  g_assert_cmpint (g_get_monotonic_time () - start, <, 20 * G_USEC_PER_SEC);
  vm = bed->ops->lookup_vm (bed->host, id, &op->op, NULL);
  g_assert_nonnull (vm);
  g_free (bed_ctl (sim, "snapshot/create?vm=vm00001&name=meanwhile"));
  g_free (bed_ctl (sim, "vm/destroy?vm=vm00005"));
  g_free (bed_ctl (sim, "vm/create?name=newcomer&folder=DC0"));
  g_usleep (700000);
  g_free (bed_ctl (proxy, "up"));
  bed_await_state (bed, VIXEXT_HOST_CONNECTED, 120000);
  bed_await_snapshots (bed, "vm00001",
                       "1:snap-1(0),2:snap-2(1),3:meanwhile(2)*");
  bed_await_snapshots (bed, "newcomer", "");
  g_usleep (200000);
  diary = bed_tell (bed);
  g_test_message ("%s", diary);
  g_assert_false (bed_saw (bed, "vm00002"));
  g_assert_true (bed_saw (bed, "-vm00005"));
  bed_assert_complete (bed, sim);
}

static void
test_restarts (void)
{
  static const char *const ways[]
    = { "restart?down=200&tasks=keep",
        "restart?down=100&starting=1000&tasks=forget", "restart" };
  g_autoptr (BedServer) sim
    = bed_sim_new ("-kind vcenter -vms 50 -snapshots 2");
  g_autoptr (Bed) bed = watch_quickly (sim);
  g_autofree char *before = bed_dump (bed);

  for (gsize i = 0; i < G_N_ELEMENTS (ways); i++) {
    g_autofree char *diary = NULL;
    g_autofree char *after = NULL;

    bed_forget (bed);
    g_free (bed_ctl (sim, "%s", ways[i]));
    g_usleep (300000);
    g_free (bed_ctl (sim, "counters"));
    bed_await_state (bed, VIXEXT_HOST_CONNECTED, 120000);
    g_free (bed_ctl (sim, "snapshot/create?vm=vm00001&name=s"));
    for (int j = 0; !bed_saw (bed, "~vm00001"); j++) {
      g_assert_cmpint (j, <, 12000);
      g_usleep (10000);
    }
    g_free (bed_ctl (sim, "snapshot/remove?vm=vm00001&snapshot=s"));
    bed_await_snapshots (bed, "vm00001", "1:snap-1(0),2:snap-2(1)*");
    after = bed_dump (bed);
    g_assert_cmpstr (before, ==, after);
    /* Of the other 49 there was no news. */
    diary = bed_tell (bed);
    g_test_message ("%s: %s", ways[i], diary);
    g_assert_false (bed_saw (bed, "vm00002"));
  }
  g_assert_cmpint (bed_count (sim, "sessions"), ==, 1);
}

/* ---- answers to the wait that are spoilt ---- */

static void
test_spoilt_waits (void)
{
  static const char *const rules[] = {
    "action=drop-before",
    "action=drop-after",
    "action=drop-middle",
    "action=drop-after&reset=1",
    "action=status&code=503",
    "action=garbage&what=bytes",
    "action=garbage&what=html",
    "action=garbage&what=truncated",
    "action=garbage&what=empty",
    "action=garbage&what=length",
    "action=bomb&what=entities&size=1000",
    "action=bomb&what=external",
    "action=bomb&what=deep&size=100000",
    "action=bomb&what=wide&size=10000000",
    "action=bomb&what=text&size=200000000",
    "action=bomb&what=attributes&size=1000000",
    "action=endless",
    "action=stall",
    "action=slow&rate=500",
    "action=fault&fault=NotAuthenticated",
    "action=fault&fault=InvalidCollectorVersion",
    "action=fault&fault=ManagedObjectNotFound",
    "action=fault&fault=SystemError",
    "action=fault&fault=RequestCanceled",
  };
  g_autoptr (BedServer) sim
    = bed_sim_new ("-kind vcenter -vms 10 -snapshots 1");
  g_autoptr (BedServer) proxy = bed_proxy_new (sim);
  g_autoptr (Bed) bed = watch_quickly (proxy);
  g_autofree char *before = bed_dump (bed);

  for (gsize i = 0; i < G_N_ELEMENTS (rules); i++) {
    g_autofree char *diary = NULL;
    g_autofree char *after = NULL;
    gint64 start = g_get_monotonic_time ();

    bed_forget (bed);
    g_free (bed_ctl (proxy, "rule?method=WaitForUpdatesEx&%s", rules[i]));
    g_free (bed_ctl (sim, "snapshot/create?vm=vm00001&name=s"));
    g_usleep (20000);
    g_free (bed_ctl (sim, "snapshot/create?vm=vm00002&name=s"));
    for (int j = 0;; j++) {
      g_autoptr (VixVmRecord) vm = bed_vm (bed, "vm00002");

      if (vm->numSnapshots == 2)
        break;
      g_assert_cmpint (j, <, 12000);
      g_usleep (10000);
    }
    diary = bed_tell (bed);
    g_test_message ("%s: %d ms: %s", rules[i],
                    (int)((g_get_monotonic_time () - start) / 1000), diary);
    g_free (bed_ctl (proxy, "clear"));
    g_free (bed_ctl (sim, "snapshot/remove?vm=vm00001&snapshot=s"));
    g_free (bed_ctl (sim, "snapshot/remove?vm=vm00002&snapshot=s"));
    bed_await_snapshots (bed, "vm00001", "1:snap-1(0)*");
    bed_await_snapshots (bed, "vm00002", "1:snap-1(0)*");
    bed_await_state (bed, VIXEXT_HOST_CONNECTED, 20000);
    after = bed_dump (bed);
    g_assert_cmpstr (before, ==, after);
    g_assert_false (bed_saw (bed, "vm00003"));
  }
}

/* ---- the log ---- */

static GMutex log_lock;
static GString *log_text;

static GLogWriterOutput
collect_log (GLogLevelFlags level, const GLogField *fields, gsize n,
             gpointer data)
{
  g_mutex_lock (&log_lock);
  for (gsize i = 0; i < n; i++)
    if (g_str_equal (fields[i].key, "MESSAGE"))
      g_string_append_printf (log_text, "%s\n", (const char *)fields[i].value);
  g_mutex_unlock (&log_lock);
  return G_LOG_WRITER_HANDLED;
}

static void
run_in_log (void)
{
  g_autoptr (BedServer) sim
    = bed_sim_new ("-kind vcenter -vms 3 -password pa55-w0rd.x");
  g_autoptr (Bed) bed = NULL;
  g_autofree char *id = NULL;
  g_autofree char *sessions = NULL;
  const char *key;

  log_text = g_string_new (NULL);
  g_log_set_writer_func (collect_log, NULL, NULL);
  bed = bed_new (sim, TRUE);
  id = bed_vm_id (bed, "vm00000");
  bed_create (bed, id, "x", NULL);
  g_free (bed_ctl (sim, "session/expire"));
  bed_create (bed, id, "y", NULL);
  sessions = bed_ctl (sim, "sessions");
  key = strstr (sessions, "\"key\":\"") + 7;
  g_mutex_lock (&log_lock);
  g_assert_nonnull (strstr (log_text->str, "CreateSnapshot_Task"));
  g_assert_null (strstr (log_text->str, "pa55"));
  {
    g_autofree char *cookie = g_strndup (key, strcspn (key, "\""));

    g_assert_cmpuint (strlen (cookie), >, 10);
    g_assert_null (strstr (log_text->str, cookie));
  }
  g_mutex_unlock (&log_lock);
}

static void
test_secrets_are_not_logged (void)
{
  if (g_test_subprocess ()) {
    run_in_log ();
    return;
  }
  g_test_trap_subprocess (NULL, 0, G_TEST_SUBPROCESS_INHERIT_STDERR);
  g_test_trap_assert_passed ();
}

static gint64
count_waits (const BedServer *sim)
{
  return bed_count (sim, "WaitForUpdatesEx");
}

/* A connection that was lost costs one more question, not the inventory. */
static void
test_resumes (void)
{
  g_autoptr (BedServer) sim
    = bed_sim_new ("-kind vcenter -vms 300 -snapshots 1 -truncate 10");
  g_autoptr (BedServer) proxy = bed_proxy_new (sim);
  g_autoptr (Bed) bed = watch_quickly (proxy);
  gint64 before;

  g_free (bed_ctl (sim, "snapshot/create?vm=vm00001&name=s"));
  bed_await_snapshots (bed, "vm00001", "1:snap-1(0),2:s(1)*");
  for (int i = 0; i < 3; i++) {
    g_autofree char *wanted = g_strdup_printf ("1:snap-1(0),%d:s(1)*", i + 3);

    before = count_waits (sim);
    g_free (bed_ctl (proxy, "drop?reset=1"));
    g_free (bed_ctl (sim, "snapshot/remove?vm=vm00001&id=%d", i + 2));
    g_free (bed_ctl (sim, "snapshot/create?vm=vm00001&name=s"));
    bed_await_snapshots (bed, "vm00001", wanted);
    bed_await_state (bed, VIXEXT_HOST_CONNECTED, 60000);
    g_assert_cmpint (count_waits (sim) - before, <, 10);
  }
}

/* A host that answers each wait at once is not asked without a pause. */
static void
test_hasty_host (void)
{
  g_autoptr (BedServer) sim = bed_sim_new ("-kind vcenter -vms 2 -snapshots 1");
  g_autoptr (Bed) bed = bed_new (sim, TRUE);
  gint64 before;

  g_free (bed_ctl (sim, "set?max-wait=-1"));
  g_free (bed_ctl (sim, "snapshot/create?vm=vm00001&name=s"));
  bed_await_snapshots (bed, "vm00001", "1:snap-1(0),2:s(1)*");
  before = count_waits (sim);
  g_usleep (2000000);
  g_assert_cmpint (count_waits (sim) - before, <, 20);
  /* And news still come. */
  g_free (bed_ctl (sim, "snapshot/create?vm=vm00001&name=t"));
  bed_await_snapshots (bed, "vm00001", "1:snap-1(0),2:s(1),3:t(2)*");
}

/* The free licence is found out when connecting, and what changes something
 * is told by that word. */
static void
test_free_licence (void)
{
  static const char *const options[]
    = { "-kind esx -vms 1 -licence", "-kind esx -vms 1",
        "-kind vcenter -vms 1 -licence" };

  for (gsize i = 0; i < G_N_ELEMENTS (options); i++) {
    g_autoptr (BedServer) sim = bed_sim_new (options[i]);
    g_autoptr (Bed) bed = bed_new (sim, TRUE);
    g_autofree char *id = bed_vm_id (bed, "vm00000");
    g_autoptr (GError) error = NULL;
    VixExtHostStatus status = { .size = sizeof status };

    bed->ops->get_status (bed->host, &status);
    g_test_message ("%s", status.product);
    g_assert_cmpint (strstr (status.product, "(free licence: reads only)")
                       != NULL,
                     ==, i == 0);
    g_assert_cmpint (bed_create (bed, id, "a", &error), ==, i == 1);
    if (i == 1)
      continue;
    g_assert_error (error, VIX_ERROR, VIX_E_LICENSE);
    g_assert_nonnull (strstr (error->message, "licence"));
  }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/vsphere/session/connect", test_connect);
  g_test_add_func ("/vsphere/session/refused-login-is-tried-once",
                   test_refused_login_is_tried_once);
  g_test_add_func ("/vsphere/session/refused-again-is-final",
                   test_refused_again_is_final);
  g_test_add_func ("/vsphere/session/logout-always", test_logout_always);
  g_test_add_func ("/vsphere/session/ends", test_session_ends);
  g_test_add_func ("/vsphere/session/ends-unwatched",
                   test_session_ends_unwatched);
  g_test_add_func ("/vsphere/session/away-and-back", test_away_and_back);
  g_test_add_func ("/vsphere/session/restarts", test_restarts);
  g_test_add_func ("/vsphere/session/spoilt-waits", test_spoilt_waits);
  g_test_add_func ("/vsphere/session/secrets-are-not-logged",
                   test_secrets_are_not_logged);
  g_test_add_func ("/vsphere/session/resumes", test_resumes);
  g_test_add_func ("/vsphere/session/hasty-host", test_hasty_host);
  g_test_add_func ("/vsphere/session/free-licence", test_free_licence);
  return g_test_run ();
}
