/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "kept.h"

typedef struct {
  int references;
} Thing;

static gpointer
thing_ref (gpointer data)
{
  ((Thing *)data)->references++;
  return data;
}

static void
thing_unref (gpointer data)
{
  ((Thing *)data)->references--;
}

static gboolean
has (FsKept *kept, const char *key)
{
  Thing *thing = fs_kept_get (kept, key);

  if (thing != NULL)
    thing_unref (thing);
  return thing != NULL;
}

static void
test_used_last_stay (void)
{
  FsKept *kept = fs_kept_new (3, thing_ref, thing_unref);
  Thing things[4] = { { 0 } };

  fs_kept_put (kept, "a", &things[0], 1);
  fs_kept_put (kept, "b", &things[1], 1);
  fs_kept_put (kept, "c", &things[2], 1);
  g_assert_true (has (kept, "a"));
  fs_kept_put (kept, "d", &things[3], 1);
  g_assert_false (has (kept, "b"));
  g_assert_cmpint (things[1].references, ==, 0);
  g_assert_true (has (kept, "a") && has (kept, "c") && has (kept, "d"));
  fs_kept_free (kept);
  for (guint i = 0; i < 4; i++)
    g_assert_cmpint (things[i].references, ==, 0);
}

static void
test_costs (void)
{
  FsKept *kept = fs_kept_new (10, thing_ref, thing_unref);
  Thing things[3] = { { 0 } };

  fs_kept_put (kept, "a", &things[0], 4);
  fs_kept_put (kept, "b", &things[1], 4);
  /* In place of the first: nothing has to go. */
  fs_kept_put (kept, "a", &things[2], 6);
  g_assert_cmpint (things[0].references, ==, 0);
  g_assert_true (has (kept, "a") && has (kept, "b"));
  /* More than all: it alone stays. */
  fs_kept_put (kept, "c", &things[0], 11);
  g_assert_false (has (kept, "a") || has (kept, "b"));
  g_assert_true (has (kept, "c"));
  fs_kept_free (kept);
  g_assert_cmpint (things[0].references, ==, 0);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/kept/used-last-stay", test_used_last_stay);
  g_test_add_func ("/kept/costs-are-bounded", test_costs);
  return g_test_run ();
}
