/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "workstation/watch.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host-fixture.h"
#include "vm-fixture.h"

static gboolean
snapshots_are (const VixExtVM *vm, gconstpointer count)
{
  return vm != NULL && vm->numSnapshots == GPOINTER_TO_SIZE (count);
}

static gboolean
is_named (const VixExtVM *vm, gconstpointer name)
{
  return vm != NULL && strcmp (vm->displayName, name) == 0;
}

static gboolean
is_locked (const VixExtVM *vm, gconstpointer unused)
{
  return vm != NULL && (vm->flags & VIXEXT_VM_LOCKED) != 0
         && vm->powerState == VIX_POWERSTATE_POWERED_OFF;
}

static gboolean
is_running (const VixExtVM *vm, gconstpointer unused)
{
  return vm != NULL && (vm->flags & VIXEXT_VM_LOCKED) != 0
         && vm->powerState == VIX_POWERSTATE_POWERED_ON;
}

static gboolean
is_unlocked (const VixExtVM *vm, gconstpointer unused)
{
  return vm != NULL && (vm->flags & VIXEXT_VM_LOCKED) == 0
         && vm->powerState == VIX_POWERSTATE_POWERED_OFF;
}

static gboolean
has_problem (const VixExtVM *vm, gconstpointer part)
{
  return vm != NULL && strstr (vm->problem, part) != NULL;
}

static gboolean
is_in_team (const VixExtVM *vm, gconstpointer expected)
{
  return vm != NULL
         && ((vm->flags & VIXEXT_VM_IN_TEAM) != 0) == (expected != NULL);
}

static void
move (const char *dir, const char *from, const char *to)
{
  g_autofree char *a = g_build_filename (dir, from, NULL);
  g_autofree char *b = g_build_filename (dir, to, NULL);

  g_assert_cmpint (g_rename (a, b), ==, 0);
}

static void
wait_for_count (HostFixture *fixture, int event, guint at_least)
{
  gint64 end = g_get_monotonic_time () + 60 * G_USEC_PER_SEC;

  while (host_fixture_count (fixture, event) < at_least) {
    g_assert_cmpint (g_get_monotonic_time (), <, end);
    g_usleep (10000);
  }
}

/* ---- what changes a tree goes through ---- */

static void
run_changes (const char *dir)
{
  HostFixture *fixture;

  fixture_vm (dir, "a/a", 2);
  fixture_vm (dir, "f/b/b", 1);
  fixture = host_fixture_new (dir, TRUE, FALSE);
  host_fixture_wait (fixture, "a/a", snapshots_are, GSIZE_TO_POINTER (2));
  host_fixture_wait (fixture, "f/b/b", has_place, "f/b");

  g_test_message ("dictionaries written in place and by rename");
  fixture_vm (dir, "a/a", 3);
  host_fixture_wait (fixture, "a/a", snapshots_are, GSIZE_TO_POINTER (3));
  fixture_replace (dir, "a/a.vmx", "displayName = \"new\"\n");
  host_fixture_wait (fixture, "a/a", is_named, "new");
  fixture_unlink (dir, "a/a.vmsd");
  host_fixture_wait (fixture, "a/a", snapshots_are, GSIZE_TO_POINTER (0));
  fixture_replace (dir, "a/a.vmx", ".encoding = \"klingon\"\n");
  host_fixture_wait (fixture, "a/a", has_problem, "a.vmx");

  g_test_message ("directories come, are moved and go");
  fixture_vm (dir, "new/deep/er/c", 4);
  host_fixture_wait (fixture, "new/deep/er/c", snapshots_are,
                     GSIZE_TO_POINTER (4));
  move (dir, "new/deep", "f/moved");
  host_fixture_wait (fixture, "new/deep/er/c", is_gone, NULL);
  host_fixture_wait (fixture, "f/moved/er/c", has_place, "f/moved/er");
  fixture_vm (dir, "f/moved/er/c", 5);
  host_fixture_wait (fixture, "f/moved/er/c", snapshots_are,
                     GSIZE_TO_POINTER (5));
  fixture_unlink (dir, "f");
  host_fixture_wait (fixture, "f/b/b", is_gone, NULL);
  host_fixture_wait (fixture, "f/moved/er/c", is_gone, NULL);
  fixture_unlink (dir, "a/a.vmx");
  host_fixture_wait (fixture, "a/a", is_gone, NULL);

  g_test_message ("a second VM, or one below, makes a folder");
  fixture_vm (dir, "x/one", 1);
  host_fixture_wait (fixture, "x/one", has_place, "x");
  fixture_vm (dir, "x/two", 1);
  host_fixture_wait (fixture, "x/two", has_place, "x/two");
  host_fixture_wait (fixture, "x/one", has_place, "x/one");
  fixture_unlink (dir, "x/two.vmx");
  host_fixture_wait (fixture, "x/one", has_place, "x");
  fixture_vm (dir, "x/y/z", 1);
  host_fixture_wait (fixture, "x/one", has_place, "x/one");
  fixture_unlink (dir, "x/y");
  host_fixture_wait (fixture, "x/one", has_place, "x");
  fixture_vm (dir, "top", 1);
  host_fixture_wait (fixture, "top", has_place, "top");

  g_test_message ("the source itself goes and comes back");
  fixture_unlink (dir, "");
  host_fixture_wait (fixture, "x/one", is_gone, NULL);
  host_fixture_wait (fixture, "top", is_gone, NULL);
  fixture_vm (dir, "x/one", 1);
  host_fixture_wait (fixture, "x/one", is_there, NULL);
  host_fixture_free (fixture);
}

static void
test_changes (void)
{
  char *dir = fixture_new ();

  run_changes (dir);
  fixture_free (dir);
}

static void
test_without_watches (void)
{
  guint limit;

  for (limit = 0; limit < 4; limit += 2) {
    char *dir = fixture_new ();

    g_test_message ("%u watches", limit);
    ws_watch_set_limit (limit);
    run_changes (dir);
    ws_watch_set_limit (G_MAXUINT);
    fixture_free (dir);
  }
}

/* Watches that become free are used: a file that grows shows only to one. */
static void
test_watches_return (void)
{
  char *dir = fixture_new ();
  gint64 end = g_get_monotonic_time () + 60 * G_USEC_PER_SEC;
  g_autoptr (GString) text = g_string_new ("x");
  HostFixture *fixture;

  fixture_vm (dir, "a/a", 1);
  ws_watch_set_limit (0);
  fixture = host_fixture_new (dir, TRUE, FALSE);
  ws_watch_set_limit (G_MAXUINT);
  while (host_fixture_count (fixture, VIXEXT_EVENT_FILES_CHANGED) == 0) {
    g_assert_cmpint (g_get_monotonic_time (), <, end);
    g_usleep (100000);
    fixture_write (dir, "a/log", text->str);
    g_string_append_c (text, 'x');
  }
  host_fixture_free (fixture);
  fixture_free (dir);
}

/* ---- locks ---- */

static void
test_locks (void)
{
  char *dir = fixture_new ();
  HostFixture *fixture;

  fixture_vm (dir, "a/a", 1);
  fixture_write (dir, "a/a-000001.vmdk", "");
  fixture = host_fixture_new (dir, TRUE, FALSE);
  fixture_lock (dir, "a/a.vmx");
  host_fixture_wait (fixture, "a/a", is_locked, NULL);
  fixture_lock (dir, "a/a-000001.vmdk");
  host_fixture_wait (fixture, "a/a", is_running, NULL);
  fixture_unlock (dir, "a/a-000001.vmdk");
  fixture_unlock (dir, "a/a.vmx");
  host_fixture_wait (fixture, "a/a", is_unlocked, NULL);

  g_test_message ("the member appears long after its directory");
  fixture_write (dir, "a/a.vmx.lck", NULL);
  g_usleep (300000);
  fixture_lock (dir, "a/a.vmx");
  host_fixture_wait (fixture, "a/a", is_locked, NULL);
  host_fixture_free (fixture);
  fixture_free (dir);
}

static void
test_team (void)
{
  char *dir = fixture_new ();
  HostFixture *fixture;

  fixture_vm (dir, "a/a", 1);
  fixture = host_fixture_new (dir, TRUE, FALSE);
  host_fixture_wait (fixture, "a/a", is_in_team, NULL);
  fixture_write (dir, "t.vmtm", "<VM><path>a/a.vmx</path></VM>");
  host_fixture_wait (fixture, "a/a", is_in_team, "yes");
  fixture_write (dir, "t.vmtm", "<VM><path>a/ba.vmx</path></VM>");
  host_fixture_wait (fixture, "a/a", is_in_team, NULL);
  host_fixture_free (fixture);
  fixture_free (dir);
}

/* ---- what it costs ---- */

static gint64
process_cpu_us (void)
{
  struct rusage usage;

  getrusage (RUSAGE_SELF, &usage);
  return (gint64)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec)
           * G_USEC_PER_SEC
         + usage.ru_utime.tv_usec + usage.ru_stime.tv_usec;
}

static gpointer
write_disk (gpointer data)
{
  struct rusage usage;
  gint64 end = g_get_monotonic_time () + 3 * G_USEC_PER_SEC;
  int fd = open (data, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

  g_assert_cmpint (fd, >=, 0);
  while (g_get_monotonic_time () < end)
    g_assert_cmpint (pwrite (fd, "x", 1, 0), ==, 1);
  close (fd);
  g_assert_cmpint (getrusage (RUSAGE_THREAD, &usage), ==, 0);
  return GSIZE_TO_POINTER (
    (gsize)((usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * G_USEC_PER_SEC
            + usage.ru_utime.tv_usec + usage.ru_stime.tv_usec));
}

static void
test_busy_vm (void)
{
  char *dir = fixture_new ();
  g_autofree char *disk = g_build_filename (dir, "a/a.vmdk", NULL);
  HostFixture *fixture;
  gint64 before, writer, watcher, start;
  guint events, seconds;

  fixture_vm (dir, "a/a", 1);
  fixture_write (dir, "a/a.vmdk", "");
  fixture = host_fixture_new (dir, TRUE, FALSE);
  start = g_get_monotonic_time ();
  before = process_cpu_us ();
  writer = (gint64)GPOINTER_TO_SIZE (
    g_thread_join (g_thread_new ("writer", write_disk, disk)));
  watcher = process_cpu_us () - before - writer;
  events = host_fixture_count (fixture, VIXEXT_EVENT_FILES_CHANGED);
  seconds = (guint)((g_get_monotonic_time () - start) / G_USEC_PER_SEC);
  g_test_message ("%u events, watch took %" G_GINT64_FORMAT " us of %u s",
                  events, watcher, seconds);
  g_assert_cmpuint (events, >=, 1);
  g_assert_cmpuint (events, <=, seconds + 2);
  /* Who looked at each write would have as much to do as who writes. */
  g_assert_cmpint (watcher, <, MAX (300000, writer / 2));
  wait_for_count (fixture, VIXEXT_EVENT_FILES_CHANGED, events + 1);
  host_fixture_free (fixture);
  fixture_free (dir);
}

/* Ends at once, also in the middle of loading. */
static void
test_disconnect (void)
{
  char *dir = fixture_new ();
  int i;

  for (i = 0; i < 200; i++) {
    g_autofree char *name = g_strdup_printf ("vm%d/vm", i);

    fixture_vm (dir, name, 1);
  }
  for (i = 0; i < 20; i++) {
    HostFixture *fixture = host_fixture_new (dir, FALSE, FALSE);

    g_assert_true (ws_provider_ops.watch (host_fixture_host (fixture), NULL));
    g_usleep ((gulong)i * 500);
    host_fixture_free (fixture);
  }
  fixture_free (dir);
}

/* ---- threads ---- */

static gpointer
refresh_often (gpointer data)
{
  HostFixture *fixture = data;
  g_autoptr (VixVmRecord) record = host_fixture_record (fixture, "a/a");
  int i;

  for (i = 0; i < 300; i++)
    ws_host_refresh_vm (host_fixture_host (fixture), record->id);
  return NULL;
}

/* However many threads re-read it, the last state is what stays. */
static void
test_refresh_from_many_threads (void)
{
  char *dir = fixture_new ();
  HostFixture *fixture;
  GThread *threads[4];
  gsize i;
  int n;

  fixture_vm (dir, "a/a", 0);
  fixture = host_fixture_new (dir, TRUE, FALSE);
  for (i = 0; i < G_N_ELEMENTS (threads); i++)
    threads[i] = g_thread_new ("refresh", refresh_often, fixture);
  for (n = 1; n <= 50; n++) {
    g_autoptr (VixVmRecord) record = NULL;

    fixture_vm (dir, "a/a", n);
    record = host_fixture_record (fixture, "a/a");
    ws_host_refresh_vm (host_fixture_host (fixture), record->id);
  }
  for (i = 0; i < G_N_ELEMENTS (threads); i++)
    g_thread_join (threads[i]);
  host_fixture_wait (fixture, "a/a", snapshots_are, GSIZE_TO_POINTER (50));
  host_fixture_free (fixture);
  fixture_free (dir);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/watch/changes-show-within-two-seconds", test_changes);
  g_test_add_func ("/watch/changes-show-without-watches", test_without_watches);
  g_test_add_func ("/watch/free-watches-are-used", test_watches_return);
  g_test_add_func ("/watch/locks-show", test_locks);
  g_test_add_func ("/watch/team-membership-shows", test_team);
  g_test_add_func ("/watch/busy-vm-costs-little", test_busy_vm);
  g_test_add_func ("/watch/disconnect-at-any-time", test_disconnect);
  g_test_add_func ("/watch/refresh-from-many-threads",
                   test_refresh_from_many_threads);
  return g_test_run ();
}
