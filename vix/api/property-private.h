/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * property-private.h - property lists, and how properties get to the program.
 */
#pragma once

#include <stdarg.h>

#include "core/property-set.h"

G_BEGIN_DECLS

/* An object of type PROPERTY_LIST with @values (transfer full). */
VixObject *vix_property_list_new (gpointer root, VixPropertySet *values);

/* (nullable): the text of @id in the list @handle, to be freed. Fails if
 * @handle is neither 0 nor a list. */
gboolean vix_property_list_read_string (VixHandle handle, VixPropertyID id,
                                        char **ret_text, GError **error);

/* Writes through the pointers of @args: pointer, id, pointer, ... up to
 * VIX_PROPERTY_NONE, the first id being @first. Stops at the first failure. */
gboolean vix_write_properties (gpointer object, VixPropertyID first,
                               va_list *args, GError **error);

G_END_DECLS
