/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * parallel.h - some calls of a function, several of them at a time: for what
 * waits for answers from far away.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* FALSE: no further calls are worth it. */
typedef gboolean (*VixParallelFunc) (gpointer data, guint i);

/**
 * vix_parallel:
 * @n_threads: at most, the caller's included
 *
 * Calls @func for 0 to @n - 1, beginning in this order, until one returns
 * %FALSE; returns when all that began have ended. The caller's current
 * GCancellable is that of all calls.
 */
void vix_parallel (guint n, guint n_threads, VixParallelFunc func,
                   gpointer data);

G_END_DECLS
