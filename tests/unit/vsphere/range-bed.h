/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * range-bed.h - asking for parts of a file of a host that gives one answer.
 */
#pragma once

#include "tiny-server.h"
#include "vsphere/soap/range.h"

G_BEGIN_DECLS

/* When the file was changed: Sun, 09 Sep 2001 01:46:40 GMT. */
#define RANGE_TIME 1000000000

typedef struct {
  const char *answer;
  gsize piece; /* as TinyAnswer.piece */
  GString *seen;
  TinyServer *server;
  SoapPool *pool;
  SoapRange range; /* where from, and what it is taken with: a GString each */
} RangeBed;

/* @size: of the file */
void range_bed_init (RangeBed *self, const char *answer, gsize piece,
                     guint64 size);
/* Takes bytes into the GString @user. */
void range_bed_collect (const char *data, gsize len, gpointer user);
/* Checks the outcome, @code -1: it is taken, and that what was asked for is
 * @wanted ("Range: bytes=..."). */
void range_bed_check (const RangeBed *self, gboolean ok, const GError *error,
                      int code, const char *wanted);
void range_bed_clear (RangeBed *self);

G_END_DECLS
