/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/object.h"
#include "vix-ext.h"

void
Vix_ReleaseHandle (VixHandle handle)
{
  vix_handle_release (handle);
}

void
Vix_AddRefHandle (VixHandle handle)
{
  vix_handle_add_ref (handle);
}

VixHandleType
Vix_GetHandleType (VixHandle handle)
{
  VixObject *object = vix_handle_get (handle, VIX_HANDLETYPE_NONE, NULL);
  VixHandleType type;

  if (object == NULL)
    return VIX_HANDLETYPE_NONE;
  type = object->klass->type;
  vix_object_unref (object);
  return type;
}

int
VixExt_CountHandles (void)
{
  return (int)MIN (vix_object_count (), (guint)G_MAXINT);
}
