/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vsphere/ahead.h"

#include "vsphere/fetch.h"

/* Readers are counted anew so often; and one is somebody who read so much in a
 * row, the last of it within the second. */
#define COUNT_INTERVAL_US 100000
#define READER_BYTES ((guint64)1 << 20)
#define READER_US G_USEC_PER_SEC

static gpointer
run_worker (gpointer data)
{
  VsphereTransfer *self = data;

  vix_lock (&self->lock);
  while (!g_cancellable_is_cancelled (self->closing)) {
    VsphereFetch *fetch = g_queue_pop_head (&self->queue);
    gboolean ok;

    if (fetch == NULL) {
      self->n_idle++;
      vix_lock_wait (&self->lock, &self->work);
      self->n_idle--;
      continue;
    }
    if (fetch->file->n_open == 0 || fetch->file->stale) {
      vsphere_fetch_give_up_locked (fetch);
      continue;
    }
    vix_unlock (&self->lock);
    ok = vsphere_fetch_run (fetch, FALSE, self->closing, NULL);
    vix_lock (&self->lock);
    self->failing = !ok;
    vsphere_fetch_finish_locked (fetch);
  }
  vix_unlock (&self->lock);
  return NULL;
}

static void
push_work_locked (VsphereTransfer *self, VsphereFetch *fetch)
{
  g_queue_push_tail (&self->queue, fetch);
  if (self->queue.length > self->n_idle && self->workers->len < self->n_workers)
    g_ptr_array_add (self->workers,
                     g_thread_new ("vix-transfer", run_worker, self));
  else
    g_cond_signal (&self->work);
}

static void
count_readers_locked (VsphereTransfer *self, gint64 now)
{
  if (now - self->counted_at < COUNT_INTERVAL_US)
    return;
  self->counted_at = now;
  self->n_readers = 0;
  for (guint i = 0; i < self->files->len; i++) {
    const VsphereFile *file = self->files->pdata[i];

    for (guint k = 0; k < VSPHERE_STREAMS; k++)
      self->n_readers += file->streams[k].run > READER_BYTES
                         && now - file->streams[k].used_at < READER_US;
  }
}

/* Asks for what @stream is going to read, in pieces; as far as there are
 * threads for it and memory. */
static void
fetch_ahead_locked (VsphereTransfer *self, VsphereFile *file,
                    VsphereStream *stream, guint64 window)
{
  guint64 end = MIN (stream->next + window, file->size);
  guint64 step = vsphere_stream_get_step (window);
  guint64 last = (end + VSPHERE_BLOCK_BYTES - 1) / VSPHERE_BLOCK_BYTES;
  guint64 at = (stream->ahead + VSPHERE_BLOCK_BYTES - 1) / VSPHERE_BLOCK_BYTES;

  if (end < stream->ahead + step && end < file->size)
    return;
  while (at < last && self->queue.length < self->n_workers) {
    VsphereFetch *fetch;

    if (!vsphere_fetch_is_missing_locked (file, at)) {
      at++;
      continue;
    }
    fetch = vsphere_fetch_begin_locked (
      file, at, (guint)MIN (step / VSPHERE_BLOCK_BYTES, last - at));
    if (fetch == NULL)
      break;
    at += fetch->n;
    push_work_locked (self, fetch);
  }
  stream->ahead = MAX (stream->ahead, MIN (at * VSPHERE_BLOCK_BYTES, end));
}

gboolean
vsphere_ahead_note_locked (VsphereFile *file, guint64 offset, gsize len)
{
  VsphereTransfer *self = file->transfer;
  gint64 now = g_get_monotonic_time ();
  VsphereLine line = { .wait_us = self->wait_us };
  VsphereStream *stream;
  guint64 window;

  count_readers_locked (self, now);
  line.most_bytes = vsphere_blocks_get_room (self->blocks) * VSPHERE_BLOCK_BYTES
                    / 2 / MAX (self->n_readers, 1);
  stream
    = vsphere_streams_note (file->streams, offset, len, &line, now, &window);
  if (stream == NULL)
    return FALSE;
  /* Of a host in trouble only what somebody waits for. */
  if (!self->failing)
    fetch_ahead_locked (self, file, stream, window);
  return TRUE;
}

void
vsphere_ahead_stop (VsphereTransfer *self)
{
  VsphereFetch *fetch;

  g_cancellable_cancel (self->closing);
  vix_lock (&self->lock);
  g_cond_broadcast (&self->work);
  vix_unlock (&self->lock);
  for (guint i = 0; i < self->workers->len; i++)
    g_thread_join (self->workers->pdata[i]);
  vix_lock (&self->lock);
  while ((fetch = g_queue_pop_head (&self->queue)) != NULL)
    vsphere_fetch_give_up_locked (fetch);
  vix_unlock (&self->lock);
}
