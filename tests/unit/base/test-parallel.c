/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <gio/gio.h>

#include "base/parallel.h"

#define N 200u

typedef struct {
  gint calls[N];
  gint together; /* calls that wait for each other */
  guint wanted;
  guint stop_at;
  GCancellable *cancellable;
  gint others; /* calls with another GCancellable */
  GMutex lock;
  GCond met;
} Calls;

static gboolean
count (gpointer data, guint i)
{
  Calls *calls = data;

  g_atomic_int_inc (&calls->calls[i]);
  if (g_cancellable_get_current () != calls->cancellable)
    g_atomic_int_inc (&calls->others);
  return i < calls->stop_at;
}

/* Returns when @wanted calls are under way. */
static gboolean
meet (gpointer data, guint i)
{
  Calls *calls = data;
  gint64 end_time = g_get_monotonic_time () + 60 * G_USEC_PER_SEC;

  g_mutex_lock (&calls->lock);
  calls->together++;
  g_cond_broadcast (&calls->met);
  while (calls->together < (gint)calls->wanted
         && g_cond_wait_until (&calls->met, &calls->lock, end_time))
    ;
  g_mutex_unlock (&calls->lock);
  return count (data, i);
}

static void
test_each_is_called_once (gconstpointer data)
{
  guint n_threads = GPOINTER_TO_UINT (data);
  Calls calls = { .stop_at = N };

  vix_parallel (N, n_threads, count, &calls);
  for (guint i = 0; i < N; i++)
    g_assert_cmpint (calls.calls[i], ==, 1);
}

static void
test_they_run_at_once (void)
{
  Calls calls = { .stop_at = N, .wanted = 8 };

  g_mutex_init (&calls.lock);
  g_cond_init (&calls.met);
  vix_parallel (8, 8, meet, &calls);
  g_assert_cmpint (calls.together, ==, 8);
  for (guint i = 0; i < 8; i++)
    g_assert_cmpint (calls.calls[i], ==, 1);
  g_cond_clear (&calls.met);
  g_mutex_clear (&calls.lock);
}

/* What has a lower number than the one that failed has been called, and not
 * much that has a higher one. */
static void
test_failure_ends_it (void)
{
  Calls calls = { .stop_at = 20 };
  gint n = 0;

  vix_parallel (N, 4, count, &calls);
  for (guint i = 0; i <= 20; i++)
    g_assert_cmpint (calls.calls[i], ==, 1);
  for (guint i = 21; i < N; i++)
    n += calls.calls[i];
  g_assert_cmpint (n, <, 4);
}

static void
test_all_have_the_cancellable (void)
{
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  Calls calls = { .stop_at = N, .cancellable = cancellable };

  g_cancellable_push_current (cancellable);
  vix_parallel (N, 8, count, &calls);
  g_cancellable_pop_current (cancellable);
  g_assert_cmpint (calls.others, ==, 0);
}

static void
test_nothing_to_do (void)
{
  Calls calls = { .stop_at = N };

  vix_parallel (0, 8, count, &calls);
  g_assert_cmpint (calls.calls[0], ==, 0);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_data_func ("/parallel/each-once/in-one-thread",
                        GUINT_TO_POINTER (1), test_each_is_called_once);
  g_test_add_data_func ("/parallel/each-once/in-eight", GUINT_TO_POINTER (8),
                        test_each_is_called_once);
  g_test_add_data_func ("/parallel/each-once/in-more-than-there-are",
                        GUINT_TO_POINTER (5000), test_each_is_called_once);
  g_test_add_func ("/parallel/they-run-at-once", test_they_run_at_once);
  g_test_add_func ("/parallel/failure-ends-it", test_failure_ends_it);
  g_test_add_func ("/parallel/all-have-the-cancellable",
                   test_all_have_the_cancellable);
  g_test_add_func ("/parallel/nothing-to-do", test_nothing_to_do);
  return g_test_run ();
}
