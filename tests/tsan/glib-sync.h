/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * glib-sync.h - tells ThreadSanitizer about GLib's locks.
 *
 * GLib builds its locks on futexes inside a library that was not compiled for
 * ThreadSanitizer, so it sees neither lock nor unlock and reports correct
 * programs. In a build with -Db_sanitize=thread this header is included ahead
 * of every file of the project. It renames the GLib functions before GLib
 * declares them, so that GLib's own inline functions (GMutexLocker, ...) are
 * renamed too, and defines each as the real one between an acquire and a
 * release of what it hands over.
 *
 * Definitions are weak: every object brings them, the linker keeps one.
 * racy.c and correct.c beside this file prove that races are still found and
 * that correct use is silent.
 */
#pragma once

#define g_mutex_lock tsan_mutex_lock
#define g_mutex_unlock tsan_mutex_unlock
#define g_cond_wait tsan_cond_wait
#define g_cond_wait_until tsan_cond_wait_until
#define g_thread_pool_new tsan_thread_pool_new
#define g_thread_pool_push tsan_thread_pool_push
#define g_thread_pool_free tsan_thread_pool_free
#define g_bytes_unref tsan_bytes_unref
#define g_atomic_ref_count_dec tsan_atomic_ref_count_dec
#define g_cancellable_cancel tsan_cancellable_cancel
#define g_cancellable_connect tsan_cancellable_connect
#define g_cancellable_disconnect tsan_cancellable_disconnect
#define g_cancellable_is_cancelled tsan_cancellable_is_cancelled
#define g_cancellable_make_pollfd tsan_cancellable_make_pollfd
#define g_cancellable_release_fd tsan_cancellable_release_fd

#include <gio/gio.h>
#include <sanitizer/tsan_interface.h>

/* The runtime has them and its header has not. */
void AnnotateIgnoreWritesBegin (const char *file, int line);
void AnnotateIgnoreWritesEnd (const char *file, int line);

/* The real function is a weak reference: not every program uses, or is linked
 * with, all of them. */
#define TSAN_REAL(type, name, args)                                            \
  extern __attribute__ ((weak)) type real_##name args __asm__("g_" #name);     \
  __attribute__ ((weak)) type tsan_##name args

TSAN_REAL (void, mutex_lock, (GMutex * lock))
{
  real_mutex_lock (lock);
  __tsan_acquire (lock);
}

TSAN_REAL (void, mutex_unlock, (GMutex * lock))
{
  __tsan_release (lock);
  real_mutex_unlock (lock);
}

TSAN_REAL (void, cond_wait, (GCond * cond, GMutex *mutex))
{
  __tsan_release (mutex);
  real_cond_wait (cond, mutex);
  __tsan_acquire (mutex);
}

TSAN_REAL (gboolean, cond_wait_until,
           (GCond * cond, GMutex *mutex, gint64 end_time))
{
  gboolean signalled;

  __tsan_release (mutex);
  signalled = real_cond_wait_until (cond, mutex, end_time);
  __tsan_acquire (mutex);
  return signalled;
}

/* g_once_init_enter and _leave are macros around functions of their name. */
static inline gboolean
tsan_once_init_enter (volatile void *location)
{
  gboolean first = (g_once_init_enter)(location);

  if (!first)
    __tsan_acquire ((void *)location);
  return first;
}

static inline void
tsan_once_init_leave (volatile void *location, gsize result)
{
  __tsan_release ((void *)location);
  (g_once_init_leave) (location, result);
}

#undef g_once_init_enter
#undef g_once_init_leave
#define g_once_init_enter(location) tsan_once_init_enter (location)
#define g_once_init_leave(location, result)                                    \
  tsan_once_init_leave ((location), (gsize)(result))

/*
 * Thread pools hand each task's data to a worker; freeing a pool waits for
 * all of them. The pool's own function is replaced by one that says so.
 */
typedef struct {
  GFunc func;
  gpointer user_data;
} TsanPool;

void tsan_pool_run (gpointer data, gpointer pool_data);
__attribute__ ((weak)) void
tsan_pool_run (gpointer data, gpointer pool_data)
{
  TsanPool *pool = pool_data;

  __tsan_acquire (data);
  pool->func (data, pool->user_data);
  __tsan_release (pool);
}

TSAN_REAL (GThreadPool *, thread_pool_new,
           (GFunc func, gpointer user_data, gint max_threads,
            gboolean exclusive, GError **error))
{
  TsanPool *pool = g_new0 (TsanPool, 1);

  pool->func = func;
  pool->user_data = user_data;
  return real_thread_pool_new (tsan_pool_run, pool, max_threads, exclusive,
                               error);
}

/* What GLib allocates here a worker frees before it says that it has it. */
TSAN_REAL (gboolean, thread_pool_push,
           (GThreadPool * pool, gpointer data, GError **error))
{
  gboolean pushed;

  __tsan_release (data);
  AnnotateIgnoreWritesBegin (__FILE__, __LINE__);
  pushed = real_thread_pool_push (pool, data, error);
  AnnotateIgnoreWritesEnd (__FILE__, __LINE__);
  return pushed;
}

/* Not watched: GLib frees the pool on its last worker's thread. */
TsanPool *tsan_pool_of (GThreadPool *pool);
__attribute__ ((weak, noinline, no_sanitize ("thread"))) TsanPool *
tsan_pool_of (GThreadPool *pool)
{
  return pool->user_data;
}

TSAN_REAL (void, thread_pool_free,
           (GThreadPool * pool, gboolean immediate, gboolean wait))
{
  TsanPool *ours = tsan_pool_of (pool);

  /* It wakes workers by what they free, as above. */
  AnnotateIgnoreWritesBegin (__FILE__, __LINE__);
  real_thread_pool_free (pool, immediate, wait);
  AnnotateIgnoreWritesEnd (__FILE__, __LINE__);
  if (wait) {
    __tsan_acquire (ours);
    g_free (ours);
  }
}

/* Whoever drops the last reference frees what the others read before. */
TSAN_REAL (void, bytes_unref, (GBytes * bytes))
{
  if (bytes != NULL) {
    __tsan_release (bytes);
    __tsan_acquire (bytes);
  }
  real_bytes_unref (bytes);
}

TSAN_REAL (gboolean, atomic_ref_count_dec, (gatomicrefcount * refs))
{
  gboolean last;

  __tsan_release (refs);
  last = real_atomic_ref_count_dec (refs);
  if (last)
    __tsan_acquire (refs);
  return last;
}

/*
 * Canceling writes to the descriptor that make_pollfd opened. GLib does it,
 * and closes the descriptor, under a lock of its own between which nothing
 * can be put: the closing is not watched.
 */
void AnnotateIgnoreWritesBegin (const char *file, int line);
void AnnotateIgnoreWritesEnd (const char *file, int line);

TSAN_REAL (void, cancellable_cancel, (GCancellable * cancellable))
{
  if (cancellable != NULL) {
    __tsan_release (cancellable);
    __tsan_acquire (cancellable);
  }
  real_cancellable_cancel (cancellable);
  if (cancellable != NULL)
    __tsan_release (cancellable);
}

/* What is connected runs in the thread that cancels, and not any more once it
 * is disconnected. The list of all that is connected to anything is under a
 * lock of GObject's own, like the closing above. */
TSAN_REAL (gulong, cancellable_connect,
           (GCancellable * cancellable, GCallback callback, gpointer data,
            GDestroyNotify free_data))
{
  gulong id;

  if (cancellable != NULL)
    __tsan_release (cancellable);
  AnnotateIgnoreWritesBegin (__FILE__, __LINE__);
  id = real_cancellable_connect (cancellable, callback, data, free_data);
  AnnotateIgnoreWritesEnd (__FILE__, __LINE__);
  return id;
}

TSAN_REAL (void, cancellable_disconnect,
           (GCancellable * cancellable, gulong id))
{
  AnnotateIgnoreWritesBegin (__FILE__, __LINE__);
  real_cancellable_disconnect (cancellable, id);
  AnnotateIgnoreWritesEnd (__FILE__, __LINE__);
  if (cancellable != NULL)
    __tsan_acquire (cancellable);
}

TSAN_REAL (gboolean, cancellable_make_pollfd,
           (GCancellable * cancellable, GPollFD *fd))
{
  gboolean made = real_cancellable_make_pollfd (cancellable, fd);

  if (made)
    __tsan_release (cancellable);
  return made;
}

TSAN_REAL (void, cancellable_release_fd, (GCancellable * cancellable))
{
  AnnotateIgnoreWritesBegin (__FILE__, __LINE__);
  real_cancellable_release_fd (cancellable);
  AnnotateIgnoreWritesEnd (__FILE__, __LINE__);
}

TSAN_REAL (gboolean, cancellable_is_cancelled, (GCancellable * cancellable))
{
  gboolean cancelled = real_cancellable_is_cancelled (cancellable);

  if (cancelled)
    __tsan_acquire (cancellable);
  return cancelled;
}
