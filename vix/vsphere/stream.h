/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * stream.h - who reads a file from front to back, and how far ahead of that
 * reader it is worth to be. A file has several such readers at once, and one
 * reader's requests come out of order, since the kernel sends several at a
 * time.
 *
 * Pure; the caller has the lock.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

#define VSPHERE_STREAMS 8

typedef struct {
  guint64 next;  /* behind what was read */
  guint64 ahead; /* behind what was asked for before it was read */
  guint64 run;   /* bytes read one after the other; 0: unused */
  gint64 used_at;
  /* How fast it is read. */
  gint64 since;
  guint64 bytes;
  guint64 rate; /* bytes a second */
} VsphereStream;

/* What the line to the host is like. */
typedef struct {
  gint64 wait_us;     /* from a request to its first byte */
  guint64 most_bytes; /* that one reader may be ahead */
} VsphereLine;

/**
 * vsphere_streams_note:
 * @streams: those of one file
 * @len: was read at @offset, at the time @now
 * @ret_window: (out): how far ahead to be
 *
 * Returns: (nullable): the stream that it was part of; %NULL if it is the
 *   beginning of one, or of none
 */
VsphereStream *vsphere_streams_note (VsphereStream *streams, guint64 offset,
                                     guint64 len, const VsphereLine *line,
                                     gint64 now, guint64 *ret_window);

/* How much to ask for at once, to be so far ahead. */
guint64 vsphere_stream_get_step (guint64 window);

G_END_DECLS
