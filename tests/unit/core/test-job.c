/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What only shows below the API: progress from other threads, jobs that are
 * called again, threads that wait do not use up the pool.
 */
#include "base/error.h"
#include "core/job.h"
#include "core/pool.h"

typedef struct {
  int runs, freed, completed, progress; /* atomic */
  int progress_after_end;
  GThread *reporter;
  int stop;
  const VixOp *op;
} Data;

static void
on_event (VixHandle job, VixEventType event, VixHandle more, void *data)
{
  Data *d = data;

  if (event == VIX_EVENTTYPE_JOB_COMPLETED) {
    g_assert_cmpint (g_atomic_int_add (&d->completed, 1), ==, 0);
  } else if (g_atomic_int_get (&d->completed) > 0) {
    g_atomic_int_inc (&d->progress_after_end);
  } else {
    g_atomic_int_inc (&d->progress);
    /* The data goes before the callback comes. */
    g_assert_cmpint (g_atomic_int_get (&d->freed), ==, 0);
  }
}

static void
count_freed (gpointer data)
{
  g_atomic_int_inc (&((Data *)data)->freed);
}

static VixError
run_job (VixJobFunc run, Data *data)
{
  VixJobSpec spec = { .run = run,
                      .data = data,
                      .free_data = count_freed,
                      .callback = on_event,
                      .client_data = data };
  VixHandle handle = vix_job_start (&spec);
  VixJob *job = vix_handle_get (handle, VIX_HANDLETYPE_JOB, NULL);
  VixError code = VIX_OK;

  g_assert_true (vix_job_wait (job));
  if (vix_job_get_error (job) != NULL)
    code = (VixError)vix_job_get_error (job)->code;
  vix_object_unref (job);
  vix_handle_release (handle);
  g_assert_cmpint (data->freed, ==, 1);
  g_assert_cmpint (data->completed, ==, 1);
  return code;
}

static gboolean
run_again (VixJob *job, gpointer data, VixPropertySet *results, const VixOp *op,
           GError **error)
{
  Data *d = data;

  if (g_atomic_int_add (&d->runs, 1) == 4)
    return TRUE;
  vix_job_again (job, 1000);
  return FALSE;
}

static void
test_again (void)
{
  Data data = { 0 };

  g_assert_cmpuint (run_job (run_again, &data), ==, VIX_OK);
  g_assert_cmpint (data.runs, ==, 5);
}

static gboolean
run_foreign_error (VixJob *job, gpointer data, VixPropertySet *results,
                   const VixOp *op, GError **error)
{
  g_set_error (error, G_IO_ERROR, G_IO_ERROR_NO_SPACE, "no room");
  return FALSE;
}

static void
test_foreign_errors_become_codes (void)
{
  Data data = { 0 };

  g_assert_cmpuint (run_job (run_foreign_error, &data), ==, VIX_E_DISK_FULL);
}

static gpointer
report_forever (gpointer data)
{
  Data *d = data;

  for (int i = 0; !g_atomic_int_get (&d->stop); i++)
    d->op->progress (d->op->progress_data, i / 1000);
  return NULL;
}

/* A provider's thread that goes on reporting for as long as it may. */
static gboolean
run_reporting (VixJob *job, gpointer data, VixPropertySet *results,
               const VixOp *op, GError **error)
{
  Data *d = data;

  d->op = op;
  d->reporter = g_thread_new ("report", report_forever, d);
  for (int i = 0; i < 100; i += 3)
    op->progress (op->progress_data, i);
  op->progress (op->progress_data, 1000);
  g_usleep (5000);
  g_atomic_int_set (&d->stop, 1);
  g_thread_join (d->reporter);
  return TRUE;
}

static void
test_progress_from_another_thread (void)
{
  for (int i = 0; i < 20; i++) {
    Data data = { 0 };
    VixError err = run_job (run_reporting, &data);

    g_assert_cmpuint (err, ==, VIX_OK);
    g_assert_cmpint (data.progress, >, 0);
    g_assert_cmpint (data.progress, <=, 101);
    g_assert_cmpint (data.progress_after_end, ==, 0);
  }
}

/* ---- the pool ---- */

typedef struct {
  GMutex mutex;
  GCond changed;
  int inside;
} Meeting;

enum { MEMBERS = 40 };

static void
meet (gpointer data)
{
  Meeting *m = data;

  g_mutex_lock (&m->mutex);
  m->inside++;
  g_cond_broadcast (&m->changed);
  while (m->inside < MEMBERS)
    g_cond_wait (&m->changed, &m->mutex);
  m->inside++;
  g_cond_broadcast (&m->changed);
  g_mutex_unlock (&m->mutex);
}

static void
test_pool_has_a_thread_for_everyone (void)
{
  static Meeting m;

  for (int i = 0; i < MEMBERS; i++)
    vix_pool_push (meet, &m);
  g_mutex_lock (&m.mutex);
  while (m.inside < 2 * MEMBERS)
    g_cond_wait (&m.changed, &m.mutex);
  g_mutex_unlock (&m.mutex);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/core-job/again", test_again);
  g_test_add_func ("/core-job/foreign-errors-become-codes",
                   test_foreign_errors_become_codes);
  g_test_add_func ("/core-job/progress-from-another-thread",
                   test_progress_from_another_thread);
  g_test_add_func ("/pool/a-thread-for-everyone",
                   test_pool_has_a_thread_for_everyone);
  return g_test_run ();
}
