/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The check keeps, per thread, the levels of the locks it holds. Levels rise
 * strictly, so that the top of that stack is all that a new lock has to beat.
 */
#include "base/lock.h"

#ifdef VIX_LOCK_CHECKS

#define MAX_HELD 8

typedef struct {
  const VixLock *locks[MAX_HELD];
  guint n;
} HeldLocks;

static _Thread_local HeldLocks held;

static void
check_lock (const VixLock *lock)
{
  if (held.n == MAX_HELD)
    g_error ("a thread takes its lock number %d", MAX_HELD + 1);
  if (held.n > 0 && held.locks[held.n - 1]->level >= lock->level)
    g_error ("lock of level %d taken while level %d is held", lock->level,
             held.locks[held.n - 1]->level);
  held.locks[held.n++] = lock;
}

static void
check_unlock (const VixLock *lock)
{
  if (held.n == 0 || held.locks[held.n - 1] != lock)
    g_error ("unlock of a lock of level %d that this thread did not take "
             "last",
             lock->level);
  held.n--;
}

static void
check_wait (const VixLock *lock)
{
  if (held.n != 1 || held.locks[0] != lock)
    g_error ("waiting on a lock of level %d with %u locks held", lock->level,
             held.n);
}

void
vix_assert_may_block (const char *function)
{
  if (held.n > 0)
    g_error ("%s can block and was called with a lock of level %d held",
             function, held.locks[held.n - 1]->level);
}

#else
#define check_lock(lock) ((void)0)
#define check_unlock(lock) ((void)0)
#define check_wait(lock) ((void)0)
#endif

void
vix_lock_init (VixLock *lock, VixLockLevel level)
{
  g_mutex_init (&lock->mutex);
  lock->level = level;
}

void
vix_lock_clear (VixLock *lock)
{
  g_mutex_clear (&lock->mutex);
}

void
vix_lock (VixLock *lock)
{
  check_lock (lock);
  g_mutex_lock (&lock->mutex);
}

void
vix_unlock (VixLock *lock)
{
  check_unlock (lock);
  g_mutex_unlock (&lock->mutex);
}

void
vix_lock_wait (VixLock *lock, GCond *cond)
{
  check_wait (lock);
  g_cond_wait (cond, &lock->mutex);
}

gboolean
vix_lock_wait_until (VixLock *lock, GCond *cond, gint64 end_time)
{
  check_wait (lock);
  return g_cond_wait_until (cond, &lock->mutex, end_time);
}
