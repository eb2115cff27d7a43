/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * correct.c - shares data in every way that glib-sync.h knows, correctly.
 * ThreadSanitizer must have nothing to say.
 */
#include <gio/gio.h>

enum { THREADS = 4, ROUNDS = 2000 };

static GMutex mutex;
static GCond cond;
static gsize initialised;

static struct {
  int by_mutex, by_locker, by_pool;
  int turn;
  int *by_once_init;
} shared;

static int *
make_number (void)
{
  int *number = g_new (int, 1);

  *number = 7;
  return number;
}

static void
use_once (void)
{
  if (g_once_init_enter (&initialised)) {
    shared.by_once_init = make_number ();
    g_once_init_leave (&initialised, 1);
  }
  g_assert_cmpint (*shared.by_once_init, ==, 7);
}

static void
use_locks (void)
{
  g_mutex_lock (&mutex);
  shared.by_mutex++;
  g_mutex_unlock (&mutex);
  {
    g_autoptr (GMutexLocker) locker = g_mutex_locker_new (&mutex);

    shared.by_locker += locker != NULL;
  }
}

/* Passes a turn around, by both forms of waiting. */
static void
take_turn (int who, int round)
{
  g_mutex_lock (&mutex);
  while (shared.turn % THREADS != who) {
    if (round % 2 == 0)
      g_cond_wait (&cond, &mutex);
    else
      g_cond_wait_until (&cond, &mutex, g_get_monotonic_time () + 1000);
  }
  shared.turn++;
  g_cond_broadcast (&cond);
  g_mutex_unlock (&mutex);
}

static gpointer
worker (gpointer data)
{
  int who = GPOINTER_TO_INT (data);
  int i;

  use_once ();
  for (i = 0; i < ROUNDS; i++)
    use_locks ();
  for (i = 0; i < 20; i++)
    take_turn (who, i);
  return NULL;
}

static void
pool_task (gpointer data, gpointer user_data)
{
  int *number = data;

  *number += 1;
}

static void
use_pool (void)
{
  int *numbers[100];
  GThreadPool *pool = g_thread_pool_new (pool_task, NULL, THREADS, FALSE, NULL);
  guint i;

  for (i = 0; i < G_N_ELEMENTS (numbers); i++) {
    numbers[i] = make_number ();
    g_thread_pool_push (pool, numbers[i], NULL);
  }
  g_thread_pool_free (pool, FALSE, TRUE);
  for (i = 0; i < G_N_ELEMENTS (numbers); i++) {
    shared.by_pool += *numbers[i];
    g_free (numbers[i]);
  }
  g_assert_cmpint (shared.by_pool, ==, 800);
}

static gpointer
poll_cancel (gpointer data)
{
  GPollFD fd;

  g_assert_true (g_cancellable_make_pollfd (data, &fd));
  while (g_poll (&fd, 1, -1) != 1)
    continue;
  g_cancellable_release_fd (data);
  return NULL;
}

static gpointer
await_cancel (gpointer data)
{
  while (!g_cancellable_is_cancelled (data))
    g_thread_yield ();
  return GINT_TO_POINTER (shared.by_pool);
}

static void
use_cancellable (void)
{
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  GThread *thread = g_thread_new ("cancel", await_cancel, cancellable);
  GThread *poller = g_thread_new ("poll", poll_cancel, cancellable);

  g_usleep (10000); /* the poller is to be there first, mostly */
  shared.by_pool = 42;
  g_cancellable_cancel (cancellable);
  g_assert_cmpint (GPOINTER_TO_INT (g_thread_join (thread)), ==, 42);
  g_thread_join (poller);
}

static gpointer
read_bytes (gpointer data)
{
  GBytes *bytes = data;

  g_assert_cmpint (*(const char *)g_bytes_get_data (bytes, NULL), ==, 'x');
  g_bytes_unref (bytes);
  return NULL;
}

static void
use_bytes (void)
{
  char *block = g_strdup ("x");
  GBytes *bytes = g_bytes_new_with_free_func (block, 2, g_free, block);
  GThread *thread = g_thread_new ("bytes", read_bytes, g_bytes_ref (bytes));

  g_thread_join (thread);
  g_bytes_unref (bytes);
}

int
main (void)
{
  GThread *threads[THREADS];
  int i;

  for (i = 0; i < THREADS; i++)
    threads[i] = g_thread_new ("worker", worker, GINT_TO_POINTER (i));
  for (i = 0; i < THREADS; i++)
    g_thread_join (threads[i]);
  g_assert_cmpint (shared.by_mutex, ==, THREADS * ROUNDS);
  use_pool ();
  use_cancellable ();
  use_bytes ();
  g_free (shared.by_once_init);
  g_print ("correct: done\n");
  return 0;
}
