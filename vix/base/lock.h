/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * lock.h - mutexes with levels, checked in debug builds.
 *
 * Locks are taken only in rising order of level, and none is held where a
 * function can block: VIX_MAY_BLOCK () opens every such function. With
 * VIX_LOCK_CHECKS defined (debug builds) a violation is a g_error; without,
 * the checks cost nothing.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Rising order. The struct field of each lock says what it guards. */
typedef enum {
  VIX_LOCK_HANDLES = 4,   /* handle table */
  VIX_LOCK_HOST = 5,      /* a host's session state */
  VIX_LOCK_INVENTORY = 6, /* records, queue of undelivered events */
  VIX_LOCK_JOB = 7,       /* a job's state, a VM's queue */
  VIX_LOCK_POOL = 8       /* leaf locks of a provider */
} VixLockLevel;

typedef struct {
  GMutex mutex;
  VixLockLevel level;
} VixLock;

/* A static lock needs no init: { .level = ... } will do. */
void vix_lock_init (VixLock *lock, VixLockLevel level);
void vix_lock_clear (VixLock *lock);
void vix_lock (VixLock *lock);
void vix_unlock (VixLock *lock);
/* Waits for @cond with @lock held, as g_cond_wait; @lock must be the only
 * lock held. */
void vix_lock_wait (VixLock *lock, GCond *cond);
/* As g_cond_wait_until. */
gboolean vix_lock_wait_until (VixLock *lock, GCond *cond, gint64 end_time);

#ifdef VIX_LOCK_CHECKS
void vix_assert_may_block (const char *function);
#define VIX_MAY_BLOCK() vix_assert_may_block (G_STRFUNC)
#else
#define VIX_MAY_BLOCK() ((void)0)
#endif

G_END_DECLS
