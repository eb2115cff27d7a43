/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "far-resolver.h"

static VmdkSource *
open_far (VmdkResolver *base, const char *relative_to, const char *name,
          VmdkRole role, gboolean writable, GError **error)
{
  FarResolver *self = (FarResolver *)base;
  VmdkSource *source
    = self->near->open (self->near, relative_to, name, role, writable, error);

  if (source != NULL)
    source->at_once = self->at_once;
  return source;
}

void
far_resolver_init (FarResolver *self, VmdkResolver *near, guint at_once)
{
  *self = (FarResolver){ { open_far }, near, at_once };
}
