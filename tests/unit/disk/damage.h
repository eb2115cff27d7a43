/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * damage.h - disks of which every grain is present, damaged in one place, and
 * what has to come of that.
 */
#pragma once

#include "disk-fixture.h"
#include "image-writer.h"
#include "mem-dir.h"

G_BEGIN_DECLS

#define DAMAGE_SECTORS 20000u
/* A number that is wrong wherever it is put. */
#define DAMAGE_ANYTHING 0x11223344u

/* Where it shows. */
typedef enum {
  AT_OPEN,  /* the link is refused */
  AT_READ,  /* reading the damaged part fails */
  AT_LOST,  /* nothing can be read */
  AT_WRITE, /* reading works, a merge into it is refused */
  NOWHERE   /* nothing fails: the redundant copy helps */
} DamageShows;

typedef struct {
  const char *name;
  ImageFormat format;
  void (*damage) (GByteArray *image);
  DamageShows where;
  int code;
  const char *text;
} DamageCase;

/* A disk called "disk", its extent in "data" unless it is embedded.
 * @ret_content: (nullable): its bytes */
MemDir *damage_make (DiskFixture *f, const DamageCase *c, guint8 **ret_content);
/* Adds a test of each case, below /vmdk/damage/. */
void damage_add_tests (const DamageCase *cases, gsize n);

G_END_DECLS
