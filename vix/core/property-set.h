/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * property-set.h - typed values by property id: a property list of the
 * program, a result of a job. Filled by one thread, then only read.
 */
#pragma once

#include "core/object.h"

G_BEGIN_DECLS

typedef struct {
  VixPropertyID id;
  VixPropertyType type; /* says which member counts */
  union {
    int integer; /* BOOL too */
    gint64 int64;
    char *string;      /* owned, never NULL */
    GBytes *blob;      /* owned, never NULL */
    VixObject *object; /* (nullable): owned */
  };
} VixValue;

typedef struct VixPropertySet VixPropertySet;

VixPropertySet *vix_property_set_new (void);
void vix_property_set_free (VixPropertySet *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VixPropertySet, vix_property_set_free)

/* Each replaces a value of the same id. @type is INTEGER or BOOL. */
void vix_property_set_add_int (VixPropertySet *self, VixPropertyID id,
                               VixPropertyType type, int value);
void vix_property_set_add_int64 (VixPropertySet *self, VixPropertyID id,
                                 gint64 value);
/* %NULL becomes "". */
void vix_property_set_add_string (VixPropertySet *self, VixPropertyID id,
                                  const char *value);
/* (transfer full) */
void vix_property_set_take_blob (VixPropertySet *self, VixPropertyID id,
                                 GBytes *value);
/* @object: (transfer full) (nullable) */
void vix_property_set_take_object (VixPropertySet *self, VixPropertyID id,
                                   gpointer object);

/* (nullable): borrowed */
const VixValue *vix_property_set_get (const VixPropertySet *self,
                                      VixPropertyID id);

G_END_DECLS
