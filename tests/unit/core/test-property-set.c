/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/property-set.h"

static void
object_free (VixObject *object)
{
  g_free (object);
}

static const VixObjectClass klass = { VIX_HANDLETYPE_VM, object_free };

static void
test_values (void)
{
  g_autoptr (VixPropertySet) set = vix_property_set_new ();
  VixObject *object = g_new0 (VixObject, 1);

  vix_object_init (object, &klass, NULL);
  vix_property_set_add_int (set, 1, VIX_PROPERTYTYPE_BOOL, TRUE);
  vix_property_set_add_int64 (set, 2, G_MAXINT64);
  vix_property_set_add_string (set, 3, NULL);
  vix_property_set_take_blob (set, 4, g_bytes_new ("ab", 2));
  vix_property_set_take_object (set, 5, object);
  g_assert_cmpint (vix_property_set_get (set, 1)->integer, ==, TRUE);
  g_assert_cmpint (vix_property_set_get (set, 2)->int64, ==, G_MAXINT64);
  g_assert_cmpstr (vix_property_set_get (set, 3)->string, ==, "");
  g_assert_cmpuint (g_bytes_get_size (vix_property_set_get (set, 4)->blob), ==,
                    2);
  g_assert_true (vix_property_set_get (set, 5)->object == object);
  g_assert_null (vix_property_set_get (set, 6));
}

/* The last one counts, also of another type. */
static void
test_replaced (void)
{
  g_autoptr (VixPropertySet) set = vix_property_set_new ();

  vix_property_set_add_string (set, 1, "first");
  vix_property_set_add_string (set, 1, "second");
  g_assert_cmpstr (vix_property_set_get (set, 1)->string, ==, "second");
  vix_property_set_add_int (set, 1, VIX_PROPERTYTYPE_INTEGER, 3);
  g_assert_cmpint (vix_property_set_get (set, 1)->type, ==,
                   VIX_PROPERTYTYPE_INTEGER);
  g_assert_cmpint (vix_property_set_get (set, 1)->integer, ==, 3);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/property-set/values", test_values);
  g_test_add_func ("/property-set/replaced", test_replaced);
  return g_test_run ();
}
