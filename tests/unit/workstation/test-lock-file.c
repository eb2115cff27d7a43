/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "workstation/lock-file.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"

typedef struct {
  char *path;
  int fd;
} Fixture;

static void
remove_tree (const char *path)
{
  GDir *dir = g_dir_open (path, 0, NULL);
  const char *name;

  while (dir != NULL && (name = g_dir_read_name (dir)) != NULL) {
    g_autofree char *child = g_build_filename (path, name, NULL);

    if (g_file_test (child, G_FILE_TEST_IS_DIR))
      remove_tree (child);
    else
      g_unlink (child);
  }
  g_clear_pointer (&dir, g_dir_close);
  g_rmdir (path);
}

static void
set_up (Fixture *f, gconstpointer data)
{
  f->path = g_dir_make_tmp ("lock-file-XXXXXX", NULL);
  g_assert_nonnull (f->path);
  f->fd = open (f->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  g_assert_cmpint (f->fd, >=, 0);
}

static void
tear_down (Fixture *f, gconstpointer data)
{
  close (f->fd);
  remove_tree (f->path);
  g_free (f->path);
}

static WsFileLock *
take (Fixture *f, int wait_ms, GError **error)
{
  return ws_file_lock_take (f->fd, f->path, "web.vmx", wait_ms, NULL, error);
}

/* The text of the one member in web.vmx.lck; asserts that it is 512 bytes. */
static char *
only_member (Fixture *f, char **ret_name)
{
  g_autofree char *lck = g_build_filename (f->path, "web.vmx.lck", NULL);
  GDir *dir = g_dir_open (lck, 0, NULL);
  char *text = NULL;
  const char *name;

  g_assert_nonnull (dir);
  while ((name = g_dir_read_name (dir)) != NULL) {
    g_autofree char *path = g_build_filename (lck, name, NULL);
    gsize len;

    g_assert_null (text);
    g_assert_true (g_file_get_contents (path, &text, &len, NULL));
    g_assert_cmpuint (len, ==, 512);
    if (ret_name != NULL)
      *ret_name = g_strdup (name);
  }
  g_dir_close (dir);
  return text;
}

/* Puts a file of 512 bytes (or @len) with @text into web.vmx.lck. */
static void
put_member (Fixture *f, const char *name, const char *text, gsize len)
{
  g_autofree char *lck = g_build_filename (f->path, "web.vmx.lck", NULL);
  g_autofree char *path = g_build_filename (lck, name, NULL);
  g_autofree char *bytes = g_malloc0 (1024);

  g_strlcpy (bytes, text, 1024);
  g_assert_true (g_mkdir (lck, 0777) == 0 || errno == EEXIST);
  g_assert_true (
    g_file_set_contents (path, bytes, (gssize)(len ? len : 512), NULL));
}

static gboolean
lck_exists (Fixture *f)
{
  return faccessat (f->fd, "web.vmx.lck", F_OK, 0) == 0;
}

/* Our own member's fields, so that others can be made up from them. */
static void
own_fields (Fixture *f, char **machine, char **execution)
{
  g_autoptr (WsFileLock) lock = take (f, 0, NULL);
  g_autofree char *text = only_member (f, NULL);
  g_auto (GStrv) tokens = g_strsplit (text, " ", -1);

  g_assert_cmpuint (g_strv_length (tokens), ==, 7);
  *machine = g_strdup (tokens[0]);
  *execution = g_strdup (tokens[1]);
}

/* A pid that no process has: a child that was reaped. */
static int
dead_pid (void)
{
  pid_t pid = fork ();

  if (pid == 0)
    _exit (0);
  g_assert_cmpint (waitpid (pid, NULL, 0), ==, pid);
  return (int)pid;
}

static void
test_member_format (Fixture *f, gconstpointer data)
{
  g_autoptr (WsFileLock) lock = take (f, 0, NULL);
  g_autofree char *name = NULL;
  g_autofree char *text = only_member (f, &name);
  g_auto (GStrv) tokens = g_strsplit (text, " ", -1);
  gsize len = 0;
  g_autofree char *base64 = g_strdelimit (g_strdup (tokens[0]), "-", '/');
  g_autofree guint8 *machine = g_base64_decode (base64, &len);
  g_autofree char *pid = g_strdup_printf ("%d-", (int)getpid ());

  g_assert_true (g_regex_match_simple ("^M[0-9]{5}\\.lck$", name, 0, 0));
  g_assert_cmpuint (g_strv_length (tokens), ==, 7);
  g_assert_cmpuint (len, ==, 12);
  g_assert_true (g_str_has_prefix (tokens[1], pid));
  g_assert_cmpstr (tokens[2], ==, "1");
  g_assert_cmpstr (tokens[3], ==, "X");
  g_assert_true (g_str_has_prefix (tokens[5], "lc="));
  g_assert_cmpstr (tokens[6], ==, "vixfs=1");
}

/* The start time is field 22 of /proc/PID/stat, as cut(1) counts. */
static void
test_start_time_is_the_kernels (Fixture *f, gconstpointer data)
{
  g_autoptr (WsFileLock) lock = take (f, 0, NULL);
  g_autofree char *text = only_member (f, NULL);
  g_auto (GStrv) tokens = g_strsplit (text, " ", -1);
  g_autofree char *stat = NULL;
  g_auto (GStrv) fields = NULL;

  g_assert_true (g_file_get_contents ("/proc/self/stat", &stat, NULL, NULL));
  fields = g_strsplit (strrchr (stat, ')') + 2, " ", -1);
  g_assert_cmpstr (tokens[4], ==, fields[22 - 3]);
}

static void
test_release_leaves_nothing (Fixture *f, gconstpointer data)
{
  WsFileLock *lock = take (f, 0, NULL);

  g_assert_nonnull (lock);
  g_assert_true (lck_exists (f));
  ws_file_lock_release (lock);
  g_assert_false (lck_exists (f));
}

static void
test_free_file_is_free (Fixture *f, gconstpointer data)
{
  g_assert_cmpint (ws_file_lock_inspect (f->fd, "web.vmx", NULL), ==,
                   WS_LOCK_FREE);
  g_assert_true (ws_file_lock_check (f->fd, "web.vmx", NULL));
}

static void
test_second_taker_waits (Fixture *f, gconstpointer data)
{
  g_autoptr (WsFileLock) first = take (f, 0, NULL);
  g_autoptr (GError) error = NULL;
  g_autoptr (WsFileLock) second = NULL;
  g_auto (WsLockOwner) owner = { 0 };
  gint64 start = g_get_monotonic_time ();

  g_assert_null (take (f, 120, &error));
  g_assert_error (error, VIX_ERROR, VIX_E_FILE_ALREADY_LOCKED);
  g_assert_cmpint (g_get_monotonic_time () - start, >=, 120 * 1000);
  g_assert_cmpint (ws_file_lock_inspect (f->fd, "web.vmx", &owner), ==,
                   WS_LOCK_KIN);
  g_assert_cmpint (owner.pid, ==, getpid ());
  ws_file_lock_release (g_steal_pointer (&first));
  second = take (f, 0, NULL);
  g_assert_nonnull (second);
}

static void
test_living_foreigner_holds (Fixture *f, gconstpointer data)
{
  g_autofree char *machine = NULL, *execution = NULL, *text = NULL;
  g_autoptr (GError) error = NULL;
  g_auto (WsLockOwner) owner = { 0 };

  own_fields (f, &machine, &execution);
  text = g_strdup_printf ("%s %d(vmware-vmx) 1 X 0 lc=1", machine,
                          (int)getppid ());
  put_member (f, "M12345.lck", text, 0);
  g_assert_cmpint (ws_file_lock_inspect (f->fd, "web.vmx", &owner), ==,
                   WS_LOCK_HELD);
  g_assert_cmpstr (owner.process, ==, "vmware-vmx");
  g_assert_cmpint (owner.pid, ==, getppid ());
  g_assert_false (ws_file_lock_check (f->fd, "web.vmx", &error));
  g_assert_error (error, VIX_ERROR, VIX_E_FILE_ALREADY_LOCKED);
  g_assert_nonnull (strstr (error->message, "vmware-vmx"));
  g_assert_null (take (f, 0, NULL));
  /* and it is still there, alone */
  g_free (only_member (f, NULL));
}

static void
test_dead_foreigner_is_stale_and_stays (Fixture *f, gconstpointer data)
{
  g_autofree char *machine = NULL, *execution = NULL, *text = NULL;
  g_autofree char *left = NULL;
  g_autoptr (WsFileLock) lock = NULL;

  own_fields (f, &machine, &execution);
  text = g_strdup_printf ("%s %d-77(vmware-vmx) 9 X 77 lc=1", machine,
                          dead_pid ());
  put_member (f, "M12345.lck", text, 0);
  g_assert_cmpint (ws_file_lock_inspect (f->fd, "web.vmx", NULL), ==,
                   WS_LOCK_STALE);
  g_assert_true (ws_file_lock_check (f->fd, "web.vmx", NULL));
  lock = take (f, 0, NULL);
  g_assert_nonnull (lock);
  ws_file_lock_release (g_steal_pointer (&lock));
  left = only_member (f, NULL);
  g_assert_cmpstr (left, ==, text);
}

static void
test_pid_used_again_is_stale (Fixture *f, gconstpointer data)
{
  g_autofree char *machine = NULL, *execution = NULL, *text = NULL;

  own_fields (f, &machine, &execution);
  /* Our own pid, but a start time that is not ours. */
  text = g_strdup_printf ("%s %d-1(vmware-vmx) 1 X 1 lc=1", machine,
                          (int)getpid ());
  put_member (f, "M12345.lck", text, 0);
  g_assert_cmpint (ws_file_lock_inspect (f->fd, "web.vmx", NULL), ==,
                   WS_LOCK_STALE);
}

static void
test_other_machine_is_never_stale (Fixture *f, gconstpointer data)
{
  static const char *const machines[]
    = { "uuid=56-4d-01-02", "AAAAAP7+/v7+/v7+", "short" };
  g_autofree char *machine = NULL, *execution = NULL;
  guint i;

  own_fields (f, &machine, &execution);
  for (i = 0; i < G_N_ELEMENTS (machines); i++) {
    g_autofree char *text = g_strdup_printf (
      "%s %d-5(vmware-vmx) 1 X 5 lc=1 vixfs=1", machines[i], dead_pid ());

    put_member (f, "M12345.lck", text, 0);
    g_assert_cmpint (ws_file_lock_inspect (f->fd, "web.vmx", NULL), ==,
                     WS_LOCK_HELD);
  }
}

static void
test_malformed_member_holds (Fixture *f, gconstpointer data)
{
  static const struct {
    const char *text;
    gsize len;
  } rows[] = {
    { "", 0 },
    { "m 1-2(x) 1 X 2 lc=3", 511 },
    { "m 1-2(x) 1 X 2 lc=3", 513 },
    { "m 1-2(x) 1 Q 2 lc=3", 0 },
    { "m 1-2(x) one X 2 lc=3", 0 },
    { "m -2(x) 1 X 2 lc=3", 0 },
    { "m 1-2(x 1 X 2 lc=3", 0 },
    { "m 99999999999999999999(x) 1 X 2 lc=3", 0 },
    { "m 1-2(x) 1 X 2 lc=3 stray", 0 },
    { "a b c d e f=1 g=1 h=1 i=1 j=1 k=1 l=1 m=1 n=1 o=1 p=1 q=1", 0 },
  };
  guint i;

  for (i = 0; i < G_N_ELEMENTS (rows); i++) {
    put_member (f, "M12345.lck", rows[i].text, rows[i].len);
    g_assert_cmpint (ws_file_lock_inspect (f->fd, "web.vmx", NULL), ==,
                     WS_LOCK_HELD);
    g_assert_null (take (f, 0, NULL));
  }
}

static void
test_names_that_are_no_members_do_not_count (Fixture *f, gconstpointer data)
{
  put_member (f, "M1234.lck", "x", 0);
  put_member (f, "m12345.lck", "x", 0);
  put_member (f, "M12345.lck~", "x", 0);
  g_assert_cmpint (ws_file_lock_inspect (f->fd, "web.vmx", NULL), ==,
                   WS_LOCK_FREE);
}

static void
test_lck_that_is_a_file_holds (Fixture *f, gconstpointer data)
{
  g_autofree char *lck = g_build_filename (f->path, "web.vmx.lck", NULL);
  g_autoptr (GError) error = NULL;

  g_assert_true (g_file_set_contents (lck, "", 0, NULL));
  g_assert_cmpint (ws_file_lock_inspect (f->fd, "web.vmx", NULL), ==,
                   WS_LOCK_HELD);
  g_assert_null (take (f, 0, &error));
  g_assert_error (error, VIX_ERROR, VIX_E_FILE_ALREADY_LOCKED);
}

/* Kills a child of ours that holds the lock, or stands in the middle of it. */
static void
test_killed_kin_is_swept (Fixture *f, gconstpointer data)
{
  int ready[2];
  pid_t pid;
  char byte;
  g_autoptr (WsFileLock) lock = NULL;

  g_assert_cmpint (pipe (ready), ==, 0);
  pid = fork ();
  if (pid == 0) {
    if (take (f, 0, NULL) == NULL)
      _exit (1);
    (void)!write (ready[1], "x", 1);
    pause ();
    _exit (0);
  }
  g_assert_cmpint (read (ready[0], &byte, 1), ==, 1);
  g_assert_cmpint (ws_file_lock_inspect (f->fd, "web.vmx", NULL), ==,
                   WS_LOCK_KIN);
  g_assert_null (take (f, 0, NULL));
  kill (pid, SIGKILL);
  waitpid (pid, NULL, 0);
  close (ready[0]);
  close (ready[1]);
  g_assert_cmpint (ws_file_lock_inspect (f->fd, "web.vmx", NULL), ==,
                   WS_LOCK_STALE);
  ws_file_lock_sweep (f->fd, "web.vmx");
  g_assert_false (lck_exists (f));
  lock = take (f, 0, NULL);
  g_assert_nonnull (lock);
}

static void
put_announcement (Fixture *f, int number, mode_t mode, gint64 age_s)
{
  g_autofree char *lck = g_build_filename (f->path, "web.vmx.lck", NULL);
  g_autofree char *path = g_strdup_printf ("%s/D%05d.lck", lck, number);
  struct timespec times[2] = { { 0, 0 }, { 0, 0 } };

  g_assert_true (g_mkdir (lck, 0777) == 0 || errno == EEXIST);
  g_assert_cmpint (mkdir (path, mode), ==, 0);
  times[0].tv_sec = times[1].tv_sec
    = (time_t)(g_get_real_time () / G_USEC_PER_SEC - age_s);
  g_assert_cmpint (utimensat (AT_FDCWD, path, times, 0), ==, 0);
}

static void
test_entering_program_is_waited_for (Fixture *f, gconstpointer data)
{
  g_autoptr (GError) error = NULL;

  put_announcement (f, 54321, 0777, 0);
  g_assert_null (take (f, 60, &error));
  g_assert_error (error, VIX_ERROR, VIX_E_FILE_ALREADY_LOCKED);
}

static void
test_abandoned_announcement_is_swept (Fixture *f, gconstpointer data)
{
  g_autoptr (WsFileLock) lock = NULL;

  put_announcement (f, 54321, 0777, 60);
  put_announcement (f, dead_pid () % 100000, 01777, 0);
  put_member (f, "E54321.lck", "half", 4);
  lock = take (f, 0, NULL);
  g_assert_nonnull (lock);
  ws_file_lock_release (g_steal_pointer (&lock));
  g_assert_false (lck_exists (f));
}

/* Two processes add to a counter under the lock; not one step is lost. */
static void
test_processes_exclude_each_other (Fixture *f, gconstpointer data)
{
  enum { PROCESSES = 3, ROUNDS = 40 };
  g_autofree char *counter = g_build_filename (f->path, "counter", NULL);
  g_autofree char *text = NULL;
  pid_t pids[PROCESSES];
  int p, i, status;

  g_assert_true (g_file_set_contents (counter, "0", 1, NULL));
  for (p = 0; p < PROCESSES; p++) {
    pids[p] = fork ();
    if (pids[p] != 0)
      continue;
    for (i = 0; i < ROUNDS; i++) {
      WsFileLock *lock = take (f, 60000, NULL);
      FILE *file = fopen (counter, "r+");
      int n = 0;

      if (lock == NULL || file == NULL || fscanf (file, "%d", &n) != 1)
        _exit (1);
      rewind (file);
      fprintf (file, "%d", n + 1);
      fclose (file);
      ws_file_lock_release (lock);
    }
    _exit (0);
  }
  for (p = 0; p < PROCESSES; p++) {
    g_assert_cmpint (waitpid (pids[p], &status, 0), ==, pids[p]);
    g_assert_cmpint (status, ==, 0);
  }
  g_assert_true (g_file_get_contents (counter, &text, NULL, NULL));
  g_assert_cmpint (atoi (text), ==, PROCESSES * ROUNDS);
  g_assert_false (lck_exists (f));
}

static gpointer
cancel_soon (gpointer cancellable)
{
  g_usleep (50 * 1000);
  g_cancellable_cancel (cancellable);
  return NULL;
}

static void
test_waiting_can_be_cancelled (Fixture *f, gconstpointer data)
{
  g_autoptr (WsFileLock) first = take (f, 0, NULL);
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (GError) error = NULL;
  GThread *thread = g_thread_new ("cancel", cancel_soon, cancellable);
  gint64 start = g_get_monotonic_time ();

  g_assert_null (
    ws_file_lock_take (f->fd, f->path, "web.vmx", 60000, cancellable, &error));
  g_thread_join (thread);
  g_assert_error (error, VIX_ERROR, VIX_E_CANCELLED);
  g_assert_cmpint (g_get_monotonic_time () - start, <, 30 * G_USEC_PER_SEC);
}

static void
test_dir_lock_orders (Fixture *f, gconstpointer data)
{
  g_autoptr (WsDirLock) first
    = ws_dir_lock_take (f->fd, f->path, 0, NULL, NULL);
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (GError) error = NULL;
  g_autoptr (WsDirLock) second = NULL;

  g_assert_nonnull (first);
  g_assert_null (ws_dir_lock_take (f->fd, f->path, 30, NULL, &error));
  g_assert_error (error, VIX_ERROR, VIX_E_OBJECT_IS_BUSY);
  g_clear_error (&error);
  g_cancellable_cancel (cancellable);
  g_assert_null (ws_dir_lock_take (f->fd, f->path, -1, cancellable, &error));
  g_assert_error (error, VIX_ERROR, VIX_E_CANCELLED);
  ws_dir_lock_release (g_steal_pointer (&first));
  second = ws_dir_lock_take (f->fd, f->path, 0, NULL, NULL);
  g_assert_nonnull (second);
}

static const struct {
  const char *path;
  void (*test) (Fixture *, gconstpointer);
} tests[] = {
  { "member-has-vmwares-format", test_member_format },
  { "start-time-is-the-kernels", test_start_time_is_the_kernels },
  { "release-leaves-nothing", test_release_leaves_nothing },
  { "no-lock-directory-is-free", test_free_file_is_free },
  { "second-taker-waits", test_second_taker_waits },
  { "living-foreigner-holds", test_living_foreigner_holds },
  { "dead-foreigner-is-stale-and-stays",
    test_dead_foreigner_is_stale_and_stays },
  { "pid-used-again-is-stale", test_pid_used_again_is_stale },
  { "other-machine-is-never-stale", test_other_machine_is_never_stale },
  { "malformed-member-holds", test_malformed_member_holds },
  { "other-names-do-not-count", test_names_that_are_no_members_do_not_count },
  { "lck-that-is-a-file-holds", test_lck_that_is_a_file_holds },
  { "killed-kin-is-swept", test_killed_kin_is_swept },
  { "entering-program-is-waited-for", test_entering_program_is_waited_for },
  { "abandoned-announcement-is-swept", test_abandoned_announcement_is_swept },
  { "processes-exclude-each-other", test_processes_exclude_each_other },
  { "waiting-can-be-cancelled", test_waiting_can_be_cancelled },
  { "dir-lock-orders", test_dir_lock_orders },
};

int
main (int argc, char **argv)
{
  guint i;

  g_test_init (&argc, &argv, NULL);
  for (i = 0; i < G_N_ELEMENTS (tests); i++) {
    g_autofree char *path
      = g_strconcat ("/workstation/lock-file/", tests[i].path, NULL);

    g_test_add (path, Fixture, NULL, set_up, tests[i].test, tear_down);
  }
  return g_test_run ();
}
