/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Work waits in a queue of our own; what goes through GLib's pool is only the
 * wish that somebody looks there. So work that no thread could be made for
 * can be taken back, and is run by whoever brought it.
 */
#include "core/pool.h"

#include "base/lock.h"

typedef struct {
  VixPoolFunc func;
  gpointer data;
} Work;

static struct {
  VixLock lock;
  GThreadPool *threads;
  GQueue waiting; /* Work */
} pool = { .lock = { .level = VIX_LOCK_POOL }, .waiting = G_QUEUE_INIT };

static gboolean
run_next (void)
{
  Work *work;

  vix_lock (&pool.lock);
  work = g_queue_pop_head (&pool.waiting);
  vix_unlock (&pool.lock);
  if (work == NULL)
    return FALSE;
  work->func (work->data);
  g_free (work);
  return TRUE;
}

static void
worker (gpointer token, gpointer unused)
{
  run_next ();
}

void
vix_pool_push (VixPoolFunc func, gpointer data)
{
  Work *work = g_new (Work, 1);
  gboolean started;

  VIX_MAY_BLOCK ();
  work->func = func;
  work->data = data;
  vix_lock (&pool.lock);
  if (pool.threads == NULL)
    pool.threads = g_thread_pool_new (worker, NULL, -1, FALSE, NULL);
  g_queue_push_tail (&pool.waiting, work);
  vix_unlock (&pool.lock);
  started = g_thread_pool_push (pool.threads, &pool, NULL);
  if (!started)
    run_next ();
}
