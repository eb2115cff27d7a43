/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vsphere/stream.h"

#define KIB ((guint64)1 << 10)
#define MIB ((guint64)1 << 20)

/* How far off a reader's next request may be, at least and at most. */
#define MIN_SLACK (256 * KIB)
#define MAX_SLACK (4 * MIB)
/* Never be further ahead than so many times what was read in order. */
#define TRUST 4
/* Where the line has no delay: what is in transfer and what is being used. */
#define BASE_WINDOW (16 * MIB)
/* Of what the line holds at the reader's speed. Each connection is idle for one
 * delay between two requests, so what it is asked for at once has to be several
 * times what it carries in that time. */
#define LINE_FACTOR 32
#define MIN_STEP (128 * KIB)
#define MAX_STEP (8 * MIB)
#define STEPS 8
#define RATE_INTERVAL_US 50000

static VsphereStream *
find_stream (VsphereStream *streams, guint64 offset, guint64 len)
{
  for (guint i = 0; i < VSPHERE_STREAMS; i++) {
    VsphereStream *stream = &streams[i];
    guint64 slack = CLAMP (stream->run, MIN_SLACK, MAX_SLACK);

    if (stream->run > 0 && offset <= stream->next + slack
        && offset + len + slack >= stream->next)
      return stream;
  }
  return NULL;
}

/* The one that was not read from for the longest time becomes another. */
static void
begin_stream (VsphereStream *streams, guint64 offset, guint64 len, gint64 now)
{
  VsphereStream *oldest = &streams[0];

  for (guint i = 1; i < VSPHERE_STREAMS; i++)
    if (streams[i].used_at < oldest->used_at)
      oldest = &streams[i];
  *oldest = (VsphereStream){ .next = offset + len,
                             .ahead = offset + len,
                             .run = MAX (len, 1),
                             .used_at = now,
                             .since = now };
}

static void
measure (VsphereStream *self, guint64 len, gint64 now)
{
  self->bytes += len;
  if (now - self->since < RATE_INTERVAL_US)
    return;
  self->rate = self->bytes * G_USEC_PER_SEC / (guint64)(now - self->since);
  self->bytes = 0;
  self->since = now;
}

VsphereStream *
vsphere_streams_note (VsphereStream *streams, guint64 offset, guint64 len,
                      const VsphereLine *line, gint64 now, guint64 *ret_window)
{
  VsphereStream *stream = find_stream (streams, offset, len);
  guint64 held;

  if (stream == NULL) {
    begin_stream (streams, offset, len, now);
    return NULL;
  }
  stream->next = MAX (stream->next, offset + len);
  stream->ahead = MAX (stream->ahead, stream->next);
  stream->run += len;
  stream->used_at = now;
  measure (stream, len, now);
  held = stream->rate / G_USEC_PER_SEC * (guint64)MAX (line->wait_us, 0);
  *ret_window = MIN (stream->run * TRUST, BASE_WINDOW + held * LINE_FACTOR);
  *ret_window = MIN (*ret_window, line->most_bytes);
  return stream;
}

guint64
vsphere_stream_get_step (guint64 window)
{
  return CLAMP (window / STEPS, MIN_STEP, MAX_STEP);
}
