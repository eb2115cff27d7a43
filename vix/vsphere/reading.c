/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * reading.c - readers of files: each gets its bytes from memory, waits for
 * them if they are on their way, and fetches them itself otherwise.
 */
#include <string.h>

#include "base/error.h"
#include "vsphere/ahead.h"
#include "vsphere/together.h"
#include "vsphere/waker.h"

/* Blocks that a reader uses, or fetches for itself, at a time. */
#define MAX_READ_BLOCKS 64u
/* Who waits for memory looks again so often. */
#define LOOK_AGAIN_US 100000

/* What a reader wants: moves on as it gets it. */
typedef struct {
  VsphereFile *file;
  guint64 offset;
  guint8 *buf;
  gsize len;
  gboolean streaming; /* nobody will want it again */
  gboolean scattered; /* nobody is likely to want what is beside it */
  gboolean alone;     /* it was asked for together with others already */
  GCancellable *cancellable;
} Want;

static void
copy_block (Want *want, const VsphereBlock *block)
{
  gsize at = (gsize)(want->offset - block->index * VSPHERE_BLOCK_BYTES);
  gsize n = MIN (want->len, VSPHERE_BLOCK_BYTES - at);

  memcpy (want->buf, block->data + at, n);
  want->offset += n;
  want->buf += n;
  want->len -= n;
}

/* Whether @block has what is wanted of it, or will have. */
static gboolean
covers (const VsphereBlock *block, const Want *want)
{
  guint64 start = block->index * VSPHERE_BLOCK_BYTES;
  guint64 end = MIN (want->offset + want->len, start + VSPHERE_BLOCK_BYTES);

  return MAX (want->offset, start) >= start + block->from
         && end <= start + block->to;
}

/* Whether it came; with the lock. */
static gboolean
is_full (const VsphereBlock *block)
{
  const VsphereFetch *fetch = block->fetch;

  return fetch == NULL
         || block->index - fetch->first < vsphere_fetch_get_done (fetch);
}

/* Copies what there is, from the beginning. The lock is released meanwhile. */
static gboolean
copy_present_locked (VsphereTransfer *self, Want *want)
{
  VsphereBlock *blocks[MAX_READ_BLOCKS];
  guint64 first = want->offset / VSPHERE_BLOCK_BYTES;
  guint64 last = (want->offset + want->len - 1) / VSPHERE_BLOCK_BYTES;
  guint n = 0;

  while (n < MAX_READ_BLOCKS && first + n <= last) {
    VsphereBlock *block
      = vsphere_blocks_find (self->blocks, want->file, first + n);

    if (block == NULL || !covers (block, want) || !is_full (block))
      break;
    vsphere_blocks_pin (self->blocks, block);
    blocks[n++] = block;
  }
  if (n == 0)
    return FALSE;
  vix_unlock (&self->lock);
  for (guint i = 0; i < n; i++)
    copy_block (want, blocks[i]);
  vix_lock (&self->lock);
  for (guint i = 0; i < n; i++)
    vsphere_blocks_unpin (self->blocks, blocks[i],
                          want->streaming
                            && want->offset >= (blocks[i]->index + 1)
                                                 * VSPHERE_BLOCK_BYTES);
  vsphere_transfer_tell_freed_locked (self);
  return TRUE;
}

/* Somebody else fetches @block, where @want begins: perhaps another part of
 * it. */
static void
await_fetch_locked (VsphereTransfer *self, Want *want,
                    const VsphereBlock *block)
{
  VsphereFetch *fetch = block->fetch;
  VsphereWaker waker;
  guint64 last = (want->offset + want->len - 1) / VSPHERE_BLOCK_BYTES;
  guint wanted = covers (block, want)
                   ? (guint)MIN (last - fetch->first + 1, fetch->n)
                   : G_MAXUINT;

  fetch->refs++;
  vsphere_waker_begin_locked (&waker, &self->lock, &fetch->changed,
                              want->cancellable);
  while (!fetch->ended && !g_cancellable_is_cancelled (want->cancellable)) {
    g_atomic_int_set (&fetch->wake_at, MIN (fetch->wake_at, wanted));
    if (vsphere_fetch_get_done (fetch) >= wanted)
      break;
    vix_lock_wait (&self->lock, &fetch->changed);
  }
  vsphere_waker_end_locked (&waker);
  vsphere_fetch_unref_locked (fetch);
}

/* All memory is in use. */
static void
await_room_locked (VsphereTransfer *self, Want *want)
{
  VsphereWaker waker;

  vsphere_waker_begin_locked (&waker, &self->lock, &self->freed,
                              want->cancellable);
  self->n_waiting++;
  if (!g_cancellable_is_cancelled (want->cancellable))
    vix_lock_wait_until (&self->lock, &self->freed,
                         g_get_monotonic_time () + LOOK_AGAIN_US);
  self->n_waiting--;
  vsphere_waker_end_locked (&waker);
}

/* By itself, with all patience. */
static gboolean
run_wanted_locked (VsphereTransfer *self, Want *want, VsphereFetch *fetch,
                   GError **error)
{
  gboolean ok;

  vix_unlock (&self->lock);
  ok = vsphere_fetch_run (fetch, TRUE, want->cancellable, error);
  for (guint i = 0; i < fetch->n && want->len > 0; i++)
    copy_block (want, fetch->blocks[i]);
  vix_lock (&self->lock);
  self->failing = self->failing && !ok;
  vsphere_fetch_finish_locked (fetch);
  return ok;
}

/* Nobody fetches the block where @want begins: we do. */
static gboolean
fetch_wanted_locked (VsphereTransfer *self, Want *want, GError **error)
{
  guint64 first = want->offset / VSPHERE_BLOCK_BYTES;
  guint64 last = (want->offset + want->len - 1) / VSPHERE_BLOCK_BYTES;
  VsphereFetch *fetch = vsphere_fetch_begin_locked (
    want->file, first, (guint)MIN (last - first + 1, MAX_READ_BLOCKS));
  gboolean ok;

  if (fetch == NULL) {
    await_room_locked (self, want);
    return TRUE;
  }
  if (want->alone || !vsphere_together_may_locked (fetch))
    return run_wanted_locked (self, want, fetch, error);
  if (want->scattered && first == last
      && vsphere_together_is_busy_locked (self))
    vsphere_fetch_narrow_locked (fetch, want->offset, want->len);
  want->alone = vsphere_together_get_locked (fetch, want->cancellable);
  if (want->alone)
    return TRUE;
  ok = run_wanted_locked (self, want, fetch, error);
  vsphere_together_leave_locked (self);
  return ok;
}

static gboolean
check_locked (const Want *want, GError **error)
{
  if (g_cancellable_is_cancelled (want->cancellable)) {
    g_set_error (error, VIX_ERROR, VIX_E_CANCELLED, "%s: cancelled",
                 want->file->path);
    return FALSE;
  }
  if (!want->file->stale)
    return TRUE;
  g_set_error (error, VIX_ERROR, VIX_E_FILE_ERROR,
               "%s: the file was changed on the host while it was open; open "
               "it again",
               want->file->path);
  return FALSE;
}

/* @ordered: who reads there may well read on */
static gboolean
read_file (VsphereFile *self, guint64 offset, void *buf, gsize len,
           gboolean ordered, GError **error)
{
  VsphereTransfer *transfer = self->transfer;
  Want want = { .file = self,
                .offset = offset,
                .buf = buf,
                .len = len,
                .cancellable = g_cancellable_get_current () };
  gboolean ok = TRUE;

  VIX_MAY_BLOCK ();
  if (len == 0)
    return TRUE;
  if (offset > self->size || len > self->size - offset) {
    g_set_error (error, VIX_ERROR, VIX_E_FILE_ERROR,
                 "%s: ends before byte %" G_GUINT64_FORMAT, self->path,
                 offset + len);
    return FALSE;
  }
  vix_lock (&transfer->lock);
  want.streaming = ordered && vsphere_ahead_note_locked (self, offset, len);
  want.scattered = ordered && !want.streaming;
  while (ok && want.len > 0 && (ok = check_locked (&want, error))) {
    VsphereBlock *block;

    if (copy_present_locked (transfer, &want))
      continue;
    block = vsphere_blocks_find (transfer->blocks, self,
                                 want.offset / VSPHERE_BLOCK_BYTES);
    if (block != NULL && block->fetch != NULL)
      await_fetch_locked (transfer, &want, block);
    else
      ok = fetch_wanted_locked (transfer, &want, error);
  }
  ok = ok && check_locked (&want, error);
  vix_unlock (&transfer->lock);
  return ok;
}

gboolean
vsphere_file_read (VsphereFile *self, guint64 offset, void *buf, gsize len,
                   GError **error)
{
  return read_file (self, offset, buf, len, TRUE, error);
}

gboolean
vsphere_file_read_table (VsphereFile *self, guint64 offset, void *buf,
                         gsize len, GError **error)
{
  return read_file (self, offset, buf, len, FALSE, error);
}
