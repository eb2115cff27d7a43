/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "core/object.h"

typedef struct {
  VixObject object;
  int *freed;
} Thing;

static void
thing_free (VixObject *object)
{
  Thing *self = (Thing *)object;

  (*self->freed)++;
  g_free (self);
}

static const VixObjectClass host_class = { VIX_HANDLETYPE_HOST, thing_free };
static const VixObjectClass vm_class = { VIX_HANDLETYPE_VM, thing_free };

static Thing *
thing_new (const VixObjectClass *klass, gpointer parent, int *freed)
{
  Thing *self = g_new0 (Thing, 1);

  self->freed = freed;
  vix_object_init (&self->object, klass, parent);
  return self;
}

static void
test_life (void)
{
  int freed = 0;
  Thing *thing = thing_new (&vm_class, NULL, &freed);
  VixHandle handle = vix_object_give (thing);
  g_autoptr (GError) error = NULL;

  g_assert_cmpint (handle, ==, thing->object.handle);
  vix_object_unref (thing);
  g_assert_cmpint (freed, ==, 0);
  g_assert_null (vix_handle_get (handle, VIX_HANDLETYPE_HOST, &error));
  g_assert_error (error, VIX_ERROR, VIX_E_NOT_SUPPORTED_ON_HANDLE_TYPE);
  g_clear_error (&error);
  g_assert_true (vix_handle_get (handle, VIX_HANDLETYPE_VM, &error) == thing);
  vix_handle_release (handle);
  /* Not the program's to release. */
  vix_handle_release (handle);
  g_assert_cmpint (freed, ==, 0);
  vix_object_unref (thing);
  g_assert_cmpint (freed, ==, 1);
  g_assert_null (vix_handle_get (handle, VIX_HANDLETYPE_NONE, &error));
  g_assert_error (error, VIX_ERROR, VIX_E_INVALID_HANDLE);
  g_assert_cmpuint (vix_object_count (), ==, 0);
}

static void
test_published_is_one (void)
{
  int freed = 0;
  Thing *host = thing_new (&host_class, NULL, &freed);
  Thing *other_host = thing_new (&host_class, NULL, &freed);
  Thing *a = vix_object_publish (thing_new (&vm_class, host, &freed), "a");
  Thing *b = vix_object_publish (thing_new (&vm_class, host, &freed), "b");
  Thing *again = vix_object_publish (thing_new (&vm_class, host, &freed), "a");
  Thing *elsewhere
    = vix_object_publish (thing_new (&vm_class, other_host, &freed), "a");

  g_assert_true (a == again);
  g_assert_true (a != b);
  g_assert_true (a != elsewhere);
  g_assert_cmpint (freed, ==, 1);
  vix_object_unref (a);
  vix_object_unref (again);
  g_assert_cmpint (freed, ==, 2);
  a = vix_object_publish (thing_new (&vm_class, host, &freed), "a");
  g_assert_cmpint (freed, ==, 2);
  vix_object_unref (a);
  vix_object_unref (b);
  vix_object_unref (elsewhere);
  vix_object_unref (host);
  vix_object_unref (other_host);
  g_assert_cmpint (freed, ==, 7);
  g_assert_cmpuint (vix_object_count (), ==, 0);
}

static void
test_kill (void)
{
  int freed = 0;
  Thing *host = thing_new (&host_class, NULL, &freed);
  Thing *a = vix_object_publish (thing_new (&vm_class, host, &freed), "a");
  Thing *below = thing_new (&vm_class, a, &freed), *late;
  VixHandle handle = vix_object_give (a);

  vix_object_give (a);
  vix_object_give (below);
  vix_object_unref (a);
  g_assert_true (below->object.root == &host->object);
  vix_object_unref (below);
  /* Only the program held them. */
  vix_object_kill (&host->object);
  g_assert_cmpint (freed, ==, 2);
  g_assert_null (vix_handle_get (handle, VIX_HANDLETYPE_NONE, NULL));
  g_assert_cmpint (vix_object_give (host), ==, VIX_INVALID_HANDLE);
  vix_object_kill (&host->object);
  /* Born dead, and no twin of the one before. */
  late = vix_object_publish (thing_new (&vm_class, host, &freed), "a");
  g_assert_cmpint (vix_object_give (late), ==, VIX_INVALID_HANDLE);
  g_assert_null (
    vix_handle_get (late->object.handle, VIX_HANDLETYPE_NONE, NULL));
  vix_object_unref (late);
  vix_object_unref (host);
  g_assert_cmpint (freed, ==, 4);
  g_assert_cmpuint (vix_object_count (), ==, 0);
}

static void
test_numbers_are_not_used_again (void)
{
  int freed = 0;
  VixHandle last = 0;

  for (int i = 0; i < 10000; i++) {
    Thing *thing = thing_new (&vm_class, NULL, &freed);
    VixHandle handle = vix_object_give (thing);

    g_assert_cmpint (handle, >, last);
    last = handle;
    vix_object_unref (thing);
    vix_handle_release (handle);
  }
  g_assert_cmpint (freed, ==, 10000);
}

/* All open the same name at once: never two objects. */
typedef struct {
  Thing *host;
  VixHandle first; /* atomic */
} Race;

static gpointer
open_same (gpointer data)
{
  Race *race = data;
  int freed = 0;
  Thing *thing
    = vix_object_publish (thing_new (&vm_class, race->host, &freed), "x");

  if (!g_atomic_int_compare_and_exchange (&race->first, 0,
                                          thing->object.handle))
    g_assert_cmpint (g_atomic_int_get (&race->first), ==, thing->object.handle);
  g_assert_true (thing->freed == &freed || freed == 1);
  return thing;
}

static void
test_race_to_publish (void)
{
  for (int round = 0; round < 200; round++) {
    int freed = 0;
    Race race = { thing_new (&host_class, NULL, &freed), 0 };
    GThread *threads[4];
    Thing *things[4];

    for (int i = 0; i < 4; i++)
      threads[i] = g_thread_new ("open", open_same, &race);
    for (int i = 0; i < 4; i++)
      things[i] = g_thread_join (threads[i]);
    things[0]->freed = &freed; /* the thread's own counter is gone */
    for (int i = 0; i < 4; i++)
      vix_object_unref (things[i]);
    vix_object_unref (race.host);
    g_assert_cmpint (freed, ==, 2);
  }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/object/life", test_life);
  g_test_add_func ("/object/published-is-one", test_published_is_one);
  g_test_add_func ("/object/kill", test_kill);
  g_test_add_func ("/object/numbers-are-not-used-again",
                   test_numbers_are_not_used_again);
  g_test_add_func ("/object/race-to-publish", test_race_to_publish);
  return g_test_run ();
}
