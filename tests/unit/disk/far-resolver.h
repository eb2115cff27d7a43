/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * far-resolver.h - the files of another resolver, but said to be far away: some
 * of their tables are worth reading at once.
 */
#pragma once

#include "disk/source.h"

G_BEGIN_DECLS

typedef struct {
  VmdkResolver base; /* must be first */
  VmdkResolver *near;
  guint at_once;
} FarResolver;

/* @near: outlives it */
void far_resolver_init (FarResolver *self, VmdkResolver *near, guint at_once);

G_END_DECLS
