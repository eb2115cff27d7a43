/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * open.h - an open file: what a file handle of the kernel stands for.
 *
 * A printed text is printed once, when it is opened: whoever reads it in
 * pieces gets pieces of one text. Threads may read at the same time; the
 * kernel lets only one write.
 */
#pragma once

#include <glib.h>

#include "events.h"
#include "pins.h"
#include "vix-ext.h"

G_BEGIN_DECLS

typedef struct {
  GBytes *text;           /* printed texts */
  GString *written;       /* since it was opened for writing; NULL: nothing */
  VixExtReader *reader;   /* files of the host */
  FsEventsReader *events; /* .vixfs/events */
  FsPins *pins;           /* has @pinned; NULL: it is of no disk */
  guint64 pinned[2];      /* keys */
  guint n_pinned;
  int is_closed;     /* atomic: somebody who had it has closed it */
  gboolean wait;     /* a read may wait for events */
  gboolean may_wait; /* a read may wait for a host */
} FsOpen;

/* %FALSE if snapshot @id of the VM in @slot is being removed. */
gboolean fs_open_pin (FsOpen *self, FsPins *pins, guint32 slot, gint64 id);
/* Somebody closes it, most likely for good. */
void fs_open_closed (FsOpen *self);
void fs_open_free (FsOpen *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (FsOpen, fs_open_free)

G_END_DECLS
