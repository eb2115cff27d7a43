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
#include "images.h"
#include "vix-ext.h"

G_BEGIN_DECLS

typedef struct {
  GBytes *text;           /* printed texts */
  GString *written;       /* since it was opened for writing; NULL: nothing */
  VixExtReader *reader;   /* files of the host */
  FsEventsReader *events; /* .vixfs/events */
  FsImages *images;       /* has @pins; NULL: it is of no disk */
  guint64 pins[2];        /* see images.h */
  guint n_pins;
  gboolean wait;     /* a read may wait for events */
  gboolean may_wait; /* a read may wait for a host */
} FsOpen;

/* %FALSE if what @key stands for is being removed. */
gboolean fs_open_pin (FsOpen *self, FsImages *images, guint64 key);
void fs_open_free (FsOpen *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (FsOpen, fs_open_free)

G_END_DECLS
