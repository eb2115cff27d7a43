/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/parallel.h"

#include <gio/gio.h>

#include "base/lock.h"

/* More would not be noticed. */
#define MAX_THREADS 64u

typedef struct {
  VixParallelFunc func;
  gpointer data;
  GCancellable *cancellable;
  guint n;
  gint next;    /* atomic: never above @n by more than one for each thread */
  gint stopped; /* atomic */
} Work;

static gpointer
run (gpointer data)
{
  Work *work = data;

  while (g_atomic_int_get (&work->stopped) == 0) {
    guint i = (guint)g_atomic_int_add (&work->next, 1);

    if (i >= work->n)
      break;
    if (!work->func (work->data, i))
      g_atomic_int_set (&work->stopped, 1);
  }
  return NULL;
}

static gpointer
run_thread (gpointer data)
{
  Work *work = data;

  if (work->cancellable != NULL)
    g_cancellable_push_current (work->cancellable);
  run (work);
  if (work->cancellable != NULL)
    g_cancellable_pop_current (work->cancellable);
  return NULL;
}

void
vix_parallel (guint n, guint n_threads, VixParallelFunc func, gpointer data)
{
  Work work = { func, data, g_cancellable_get_current (), n, 0, 0 };
  GThread *threads[MAX_THREADS];
  guint n_others = MIN (MIN (n, n_threads), MAX_THREADS);
  guint started = 0;

  VIX_MAY_BLOCK ();
  g_assert (n <= G_MAXINT - MAX_THREADS);
  /* Where there are no more threads, those that there are do all. */
  for (; started + 1 < n_others; started++) {
    threads[started]
      = g_thread_try_new ("vix-parallel", run_thread, &work, NULL);
    if (threads[started] == NULL)
      break;
  }
  run (&work);
  for (guint i = 0; i < started; i++)
    g_thread_join (threads[i]);
}
