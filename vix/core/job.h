/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * job.h - the one place where something happens later: an operation that runs
 * on a worker thread, or in Vix_PumpEvents(), and what becomes of it.
 *
 * QUEUED -> RUNNING -> DONE. The end of a job, in this order:
 *   1. its results and error are stored, its own references dropped;
 *   2. it is DONE: readable by everybody; the next job of its queue begins;
 *   3. its callback is called once with VIX_EVENTTYPE_JOB_COMPLETED;
 *   4. those who wait for it go on.
 * Callbacks run with no lock held, one at a time for each job.
 *
 * Any thread.
 */
#pragma once

#include "core/property-set.h"
#include "core/provider.h"
#include "core/scope.h"

G_BEGIN_DECLS

typedef struct VixJob VixJob;

/* The changes of one VM, which never overlap. Counted. */
typedef struct VixJobQueue VixJobQueue;

VixJobQueue *vix_job_queue_new (void);
void vix_job_queue_unref (VixJobQueue *self);

/**
 * VixJobFunc:
 *
 * Does the work; may block. Results go into @results. Returns %FALSE with
 * @error set, or after vix_job_again() without.
 */
typedef gboolean (*VixJobFunc) (VixJob *job, gpointer data,
                                VixPropertySet *results, const VixOp *op,
                                GError **error);

typedef struct {
  gpointer host;      /* VixObject it was got through; NULL: none */
  VixScope *scope;    /* of that host; NULL: none */
  VixJobQueue *queue; /* NULL: runs beside all others */
  gboolean looks;     /* changes nothing: closing the scope cancels it */
  VixJobFunc run;
  gpointer data; /* (transfer full): freed on all ways, before DONE */
  GDestroyNotify free_data;
  VixEventProc *callback; /* (nullable) */
  gpointer client_data;
} VixJobSpec;

/* Returns the handle of the new job, which the program owns. */
VixHandle vix_job_start (const VixJobSpec *spec);

/**
 * vix_job_start_failed:
 * @host: (nullable): as in the spec, and so
 * @scope: (nullable)
 * @error: (transfer full): what it ends with
 */
VixHandle vix_job_start_failed (gpointer host, VixScope *scope, GError *error,
                                VixEventProc *callback, gpointer client_data);

/* ---- inside a VixJobFunc ---- */

/* Tells the callback, if there is one, of @event with @more. */
void vix_job_send_event (VixJob *self, VixEventType event, VixHandle more);

/* Has the function called once more after @delay_us, unless cancelled. */
void vix_job_again (VixJob *self, gint64 delay_us);

/* ---- of any job ---- */

void vix_job_cancel (VixJob *self);
/* -1: cannot tell. */
int vix_job_get_progress (VixJob *self);
gboolean vix_job_is_done (VixJob *self);

/* Blocks until the end of the list above; FALSE at once if this thread is
 * inside a callback of a job that is not done. */
gboolean vix_job_wait (VixJob *self);

/* After DONE: (nullable) the error, and the results; borrowed. */
const GError *vix_job_get_error (VixJob *self);
const VixPropertySet *vix_job_get_results (VixJob *self);

/* ---- event pump mode ---- */

/* Runs what waits in @scope now; not what comes meanwhile. Does nothing
 * while another of its jobs runs. */
void vix_scope_pump (VixScope *scope);
/* Ends what waits in @scope with %VIX_E_CANCELLED. */
void vix_scope_cancel_pumped (VixScope *scope);

G_END_DECLS
