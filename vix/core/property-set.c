/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/property-set.h"

struct VixPropertySet {
  GArray *values; /* VixValue; a handful, so that looking is a loop */
};

static void
value_clear (gpointer data)
{
  VixValue *value = data;

  switch (value->type) {
  case VIX_PROPERTYTYPE_STRING:
    g_free (value->string);
    break;
  case VIX_PROPERTYTYPE_BLOB:
    g_bytes_unref (value->blob);
    break;
  case VIX_PROPERTYTYPE_HANDLE:
    vix_object_unref (value->object);
    break;
  default:
    break;
  }
}

VixPropertySet *
vix_property_set_new (void)
{
  VixPropertySet *self = g_new (VixPropertySet, 1);

  self->values = g_array_new (FALSE, FALSE, sizeof (VixValue));
  g_array_set_clear_func (self->values, value_clear);
  return self;
}

void
vix_property_set_free (VixPropertySet *self)
{
  if (self == NULL)
    return;
  g_array_unref (self->values);
  g_free (self);
}

const VixValue *
vix_property_set_get (const VixPropertySet *self, VixPropertyID id)
{
  for (guint i = 0; i < self->values->len; i++) {
    const VixValue *value = &g_array_index (self->values, VixValue, i);

    if (value->id == id)
      return value;
  }
  return NULL;
}

static void
add (VixPropertySet *self, VixValue value)
{
  VixValue *old = (VixValue *)vix_property_set_get (self, value.id);

  if (old == NULL) {
    g_array_append_val (self->values, value);
    return;
  }
  value_clear (old);
  *old = value;
}

void
vix_property_set_add_int (VixPropertySet *self, VixPropertyID id,
                          VixPropertyType type, int value)
{
  add (self, (VixValue){ .id = id, .type = type, .integer = value });
}

void
vix_property_set_add_int64 (VixPropertySet *self, VixPropertyID id,
                            gint64 value)
{
  add (self,
       (VixValue){ .id = id, .type = VIX_PROPERTYTYPE_INT64, .int64 = value });
}

void
vix_property_set_add_string (VixPropertySet *self, VixPropertyID id,
                             const char *value)
{
  add (self, (VixValue){ .id = id,
                         .type = VIX_PROPERTYTYPE_STRING,
                         .string = g_strdup (value != NULL ? value : "") });
}

void
vix_property_set_take_blob (VixPropertySet *self, VixPropertyID id,
                            GBytes *value)
{
  add (self,
       (VixValue){ .id = id, .type = VIX_PROPERTYTYPE_BLOB, .blob = value });
}

void
vix_property_set_take_object (VixPropertySet *self, VixPropertyID id,
                              gpointer object)
{
  add (self, (VixValue){
               .id = id, .type = VIX_PROPERTYTYPE_HANDLE, .object = object });
}
