/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pool.h - the worker threads: as many as there is work, started with the
 * first piece of it and not before (a program may fork until then).
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef void (*VixPoolFunc) (gpointer data);

/* Calls @func (@data) on a worker; never waits, unless no thread can be
 * made at all: then @func runs here and now. No lock may be held. */
void vix_pool_push (VixPoolFunc func, gpointer data);

G_END_DECLS
