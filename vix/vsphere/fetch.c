/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vsphere/fetch.h"

#include <string.h>

static VsphereFetch *
fetch_new (VsphereFile *file, guint64 first)
{
  VsphereFetch *self = g_new0 (VsphereFetch, 1);

  self->file = file;
  file->refs++;
  self->first = first;
  self->refs = 1;
  self->wake_at = G_MAXUINT;
  g_cond_init (&self->changed);
  return self;
}

void
vsphere_fetch_unref_locked (VsphereFetch *self)
{
  if (--self->refs > 0)
    return;
  vsphere_file_unref_locked (self->file);
  g_cond_clear (&self->changed);
  g_free (self->blocks);
  g_free (self);
}

static guint64
count_blocks (const VsphereFile *file)
{
  return (file->size + VSPHERE_BLOCK_BYTES - 1) / VSPHERE_BLOCK_BYTES;
}

gboolean
vsphere_fetch_is_missing_locked (VsphereFile *file, guint64 index)
{
  VsphereBlocks *blocks = file->transfer->blocks;
  VsphereBlock *block = vsphere_blocks_find (blocks, file, index);

  if (block == NULL)
    return TRUE;
  if (block->fetch != NULL
      || (block->from == 0 && block->to == VSPHERE_BLOCK_BYTES))
    return FALSE;
  vsphere_blocks_drop (blocks, block);
  return TRUE;
}

VsphereFetch *
vsphere_fetch_begin_locked (VsphereFile *file, guint64 first, guint most)
{
  VsphereBlocks *blocks = file->transfer->blocks;
  VsphereFetch *fetch = fetch_new (file, first);
  guint64 end = MIN (first + most, count_blocks (file));

  fetch->blocks = g_new (VsphereBlock *, end - first);
  while (first + fetch->n < end
         && vsphere_fetch_is_missing_locked (file, first + fetch->n)) {
    VsphereBlock *block = vsphere_blocks_add (blocks, file, first + fetch->n);

    if (block == NULL)
      break;
    file->refs++;
    block->fetch = fetch;
    fetch->blocks[fetch->n++] = block;
  }
  fetch->len = MIN (fetch->n * VSPHERE_BLOCK_BYTES,
                    file->size - first * VSPHERE_BLOCK_BYTES);
  if (fetch->n > 0)
    return fetch;
  vsphere_fetch_unref_locked (fetch);
  return NULL;
}

void
vsphere_fetch_narrow_locked (VsphereFetch *self, guint64 offset, gsize len)
{
  VsphereBlock *block = self->blocks[0];
  gsize at = (gsize)(offset - self->first * VSPHERE_BLOCK_BYTES);

  g_assert (self->n == 1 && at + len <= self->len);
  self->skip = at / VSPHERE_PAGE_BYTES * VSPHERE_PAGE_BYTES;
  self->len = MIN ((at + len + VSPHERE_PAGE_BYTES - 1) / VSPHERE_PAGE_BYTES
                     * VSPHERE_PAGE_BYTES,
                   self->len)
              - self->skip;
  block->from = (guint)self->skip;
  block->to = (guint)(self->skip + self->len);
}

/* Telling nobody is a system call, too. */
static void
wake_waiters_locked (VsphereFetch *self)
{
  g_atomic_int_set (&self->wake_at, G_MAXUINT);
  if (self->refs > 1)
    g_cond_broadcast (&self->changed);
}

/* In the file. */
static guint64
get_offset (const VsphereFetch *self)
{
  return self->first * VSPHERE_BLOCK_BYTES + self->skip;
}

guint
vsphere_fetch_get_done (const VsphereFetch *self)
{
  return (guint)g_atomic_int_get (&self->done);
}

/* Bytes have come. Taking the lock for each of them would have all threads
 * wait for each other: who waits says so first, and looks again. */
static void
take (const char *data, gsize len, gpointer user)
{
  VsphereFetch *self = user;
  VsphereTransfer *transfer = self->file->transfer;
  gsize before = self->filled;
  guint done;

  while (len > 0 && self->filled < self->len) {
    gsize pos = self->skip + self->filled;
    gsize at = pos % VSPHERE_BLOCK_BYTES;
    gsize n
      = MIN (MIN (len, self->len - self->filled), VSPHERE_BLOCK_BYTES - at);

    memcpy (self->blocks[pos / VSPHERE_BLOCK_BYTES]->data + at, data, n);
    data += n;
    len -= n;
    self->filled += n;
  }
  done = self->filled == self->len
           ? self->n
           : (guint)((self->skip + self->filled) / VSPHERE_BLOCK_BYTES);
  (void)g_atomic_pointer_add (&transfer->n_fetched, self->filled - before);
  g_atomic_int_set (&self->done, done);
  if (done < (guint)g_atomic_int_get (&self->wake_at))
    return;
  vix_lock (&transfer->lock);
  wake_waiters_locked (self);
  vix_unlock (&transfer->lock);
}

/* Nobody fills the blocks any more; those that are not full are gone. The
 * full ones stay pinned. */
static void
end_locked (VsphereFetch *self, const SoapRangeFacts *facts)
{
  VsphereTransfer *transfer = self->file->transfer;

  for (guint i = 0; i < self->n; i++) {
    self->blocks[i]->fetch = NULL;
    if (i < vsphere_fetch_get_done (self))
      continue;
    vsphere_blocks_drop (transfer->blocks, self->blocks[i]);
    vsphere_blocks_unpin (transfer->blocks, self->blocks[i], TRUE);
  }
  self->n = vsphere_fetch_get_done (self);
  self->ended = TRUE;
  if (facts->changed)
    vsphere_file_make_stale_locked (self->file);
  if (facts->waited_us > 0)
    transfer->wait_us
      = transfer->wait_us == 0 || facts->waited_us < transfer->wait_us
          ? facts->waited_us
          : transfer->wait_us + (facts->waited_us - transfer->wait_us) / 16;
  wake_waiters_locked (self);
}

/* What of the file is not for one of its parts alone. */
static SoapRange
describe (const VsphereFile *file)
{
  return (SoapRange){ .url = file->url,
                      .size = file->constant ? file->size : (guint64)-1,
                      .modified = file->constant ? file->modified : -1,
                      .take = take };
}

gboolean
vsphere_fetch_run (VsphereFetch *self, gboolean patient,
                   GCancellable *cancellable, GError **error)
{
  VsphereFile *file = self->file;
  VsphereTransfer *transfer = file->transfer;
  SoapRange range = describe (file);
  SoapRangeFacts facts = { .status = 0 };
  gboolean ok;

  range.offset = get_offset (self);
  range.len = self->len;
  range.user = self;
  ok = vsphere_folder_read (transfer->session, file->path, &range, patient,
                            &facts, cancellable, error);
  vix_lock (&transfer->lock);
  end_locked (self, &facts);
  vix_unlock (&transfer->lock);
  return ok;
}

VsphereParts
vsphere_fetch_run_several (VsphereFetch *const *fetches, guint n,
                           GCancellable *cancellable)
{
  const VsphereFile *file = fetches[0]->file;
  VsphereTransfer *transfer = file->transfer;
  SoapRange range = describe (file);
  g_autofree SoapPart *parts = g_new0 (SoapPart, n);
  SoapRangeFacts facts;
  VsphereParts outcome;

  for (guint i = 0; i < n; i++)
    parts[i] = (SoapPart){ .offset = get_offset (fetches[i]),
                           .len = fetches[i]->len,
                           .user = fetches[i] };
  outcome = vsphere_folder_read_parts (transfer->session, &range, parts, n,
                                       &facts, cancellable);
  vix_lock (&transfer->lock);
  for (guint i = 0; i < n; i++) {
    end_locked (fetches[i], &facts);
    /* They are the same for all. */
    facts = (SoapRangeFacts){ .status = 0 };
  }
  vix_unlock (&transfer->lock);
  return outcome;
}

void
vsphere_fetch_finish_locked (VsphereFetch *self)
{
  VsphereTransfer *transfer = self->file->transfer;

  for (guint i = 0; i < self->n; i++)
    vsphere_blocks_unpin (transfer->blocks, self->blocks[i], FALSE);
  vsphere_transfer_tell_freed_locked (transfer);
  vsphere_fetch_unref_locked (self);
}

void
vsphere_fetch_give_up_locked (VsphereFetch *self)
{
  const SoapRangeFacts none = { .status = 0 };

  end_locked (self, &none);
  vsphere_fetch_unref_locked (self);
}
