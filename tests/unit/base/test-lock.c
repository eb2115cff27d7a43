/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * With the checks compiled in: lock.c is a source of this program.
 */
#include "base/lock.h"

static VixLock low, high;

static void
may_block (void)
{
  VIX_MAY_BLOCK ();
}

static void
test_rising_order_is_silent (void)
{
  vix_lock (&low);
  vix_lock (&high);
  vix_unlock (&high);
  vix_unlock (&low);
  vix_lock (&high);
  vix_unlock (&high);
  may_block ();
}

static void
falling (void)
{
  vix_lock (&high);
  vix_lock (&low);
}

static void
twice (void)
{
  vix_lock (&low);
  vix_lock (&low);
}

static void
blocking (void)
{
  vix_lock (&low);
  may_block ();
}

static void
wrong_unlock (void)
{
  vix_lock (&low);
  vix_lock (&high);
  vix_unlock (&low);
}

static void
waiting_with_two (void)
{
  GCond cond;

  g_cond_init (&cond);
  vix_lock (&low);
  vix_lock (&high);
  vix_lock_wait_until (&high, &cond, g_get_monotonic_time ());
}

static const struct {
  const char *path;
  void (*violate) (void);
  const char *message;
} violations[] = {
  { "/lock/falling-order-is-fatal", falling, "*level 4 taken while level 8*" },
  { "/lock/same-lock-twice-is-fatal", twice, "*level 4 taken while level 4*" },
  { "/lock/blocking-with-a-lock-is-fatal", blocking,
    "*may_block can block*level 4*" },
  { "/lock/unlock-out-of-order-is-fatal", wrong_unlock, "*did not take last*" },
  { "/lock/waiting-with-two-locks-is-fatal", waiting_with_two,
    "*level 8 with 2 locks held*" },
};

static void
test_violation (gconstpointer data)
{
  gsize i = GPOINTER_TO_SIZE (data);

  if (g_test_subprocess ()) {
    violations[i].violate ();
    return;
  }
  g_test_trap_subprocess (NULL, 0, 0);
  g_test_trap_assert_failed ();
  g_test_trap_assert_stderr (violations[i].message);
}

/* ---- waiting ---- */

typedef struct {
  VixLock lock;
  GCond cond;
  gboolean set; /* guarded by lock */
} Flag;

static gpointer
set_flag (gpointer data)
{
  Flag *flag = data;

  vix_lock (&flag->lock);
  flag->set = TRUE;
  g_cond_broadcast (&flag->cond);
  vix_unlock (&flag->lock);
  return NULL;
}

static void
test_wait (void)
{
  Flag flag = { .set = FALSE };
  GThread *thread;

  vix_lock_init (&flag.lock, VIX_LOCK_POOL);
  g_cond_init (&flag.cond);
  vix_lock (&flag.lock);
  g_assert_false (
    vix_lock_wait_until (&flag.lock, &flag.cond, g_get_monotonic_time ()));
  thread = g_thread_new ("set", set_flag, &flag);
  while (!flag.set)
    vix_lock_wait (&flag.lock, &flag.cond);
  vix_unlock (&flag.lock);
  g_thread_join (thread);
  g_cond_clear (&flag.cond);
  vix_lock_clear (&flag.lock);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  vix_lock_init (&low, VIX_LOCK_HANDLES);
  vix_lock_init (&high, VIX_LOCK_POOL);
  g_test_add_func ("/lock/rising-order-is-silent", test_rising_order_is_silent);
  for (gsize i = 0; i < G_N_ELEMENTS (violations); i++)
    g_test_add_data_func (violations[i].path, GSIZE_TO_POINTER (i),
                          test_violation);
  g_test_add_func ("/lock/wait", test_wait);
  return g_test_run ();
}
