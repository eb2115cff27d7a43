/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * scope.h - what goes on at one host: how many calls and jobs are inside, so
 * that disconnecting can wait for them, and in event pump mode the jobs that
 * wait to be pumped.
 *
 * Part of the host's object, which whoever is inside keeps alive. Any thread.
 */
#pragma once

#include <gio/gio.h>

#include "base/lock.h"

G_BEGIN_DECLS

typedef struct {
  VixLock lock;   /* VIX_LOCK_HOST; guards all below but pump */
  GCond changed;  /* n_inside fell to 0 */
  guint n_inside; /* calls and unfinished jobs */
  gboolean closing;
  GHashTable *lookers; /* set of GCancellable: jobs that end at closing */

  gboolean pump;         /* const: jobs wait in the next for vix_scope_pump() */
  GQueue pumped;         /* VixJob */
  gboolean pump_running; /* a thread runs one of them */
} VixScope;

void vix_scope_init (VixScope *self, gboolean pump);
void vix_scope_clear (VixScope *self);

/* Fails with %VIX_E_HOST_NOT_CONNECTED once it closes. */
gboolean vix_scope_enter (VixScope *self, GError **error);
void vix_scope_leave (VixScope *self);

/* While they are in the set, closing cancels them. */
void vix_scope_add_looker (VixScope *self, GCancellable *cancellable);
void vix_scope_remove_looker (VixScope *self, GCancellable *cancellable);

/* Lets nobody in any more and cancels the lookers. %FALSE if it was closing
 * already. */
gboolean vix_scope_close (VixScope *self);

/* Until nobody is inside. Blocks. */
void vix_scope_wait_empty (VixScope *self);

/* ---- callbacks of the program ---- */

/* Around every call into the program, for the thread that makes it. */
void vix_callback_enter (void);
void vix_callback_leave (void);
/* Is this thread inside one? Then it must not wait for others to return. */
gboolean vix_callback_is_inside (void);

G_END_DECLS
