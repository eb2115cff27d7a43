/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "slots.h"

static gpointer
element (GArray *array, guint at)
{
  return array->data + (gsize)at * g_array_get_element_size (array);
}

guint
fs_slots_position (GArray *array, gsize offset, guint32 slot)
{
  guint low = 0;
  guint high = array->len;

  while (low < high) {
    guint middle = low + (high - low) / 2;

    if (G_STRUCT_MEMBER (guint32, element (array, middle), offset) < slot)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

gpointer
fs_slots_find (GArray *array, gsize offset, guint32 slot)
{
  guint at = fs_slots_position (array, offset, slot);
  gpointer found = at < array->len ? element (array, at) : NULL;

  return found != NULL && G_STRUCT_MEMBER (guint32, found, offset) == slot
           ? found
           : NULL;
}
