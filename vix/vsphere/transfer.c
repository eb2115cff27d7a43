/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vsphere/transfer.h"

#include <string.h>

#include "base/error.h"
#include "base/lock.h"
#include "vsphere/blocks.h"
#include "vsphere/folder.h"
#include "vsphere/stream.h"

#define MIB ((guint64)1 << 20)
#define DEFAULT_CACHE (128 * MIB)
#define MIN_CACHE (4 * MIB)
#define DEFAULT_CONNECTIONS 8
#define MAX_CONNECTIONS 64

/* Blocks that a reader uses, or fetches for itself, at a time. */
#define MAX_READ_BLOCKS 64u
/* A file that changed so shortly before it was opened may change again
 * without getting another time: hosts tell whole seconds. */
#define RACY_US (3 * G_USEC_PER_SEC)
/* Readers are counted anew so often; and one is somebody who read within the
 * second. */
#define COUNT_INTERVAL_US 100000
#define READER_US G_USEC_PER_SEC

struct VsphereFile {
  VsphereTransfer *transfer; /* owned */
  char *key;                 /* datacenter and path */
  char *path;
  char *url;
  guint64 size;
  gint64 modified; /* -1 unknown */
  gboolean constant;

  /* With the lock: */
  guint refs;   /* who has it open, fetches, blocks */
  guint n_open; /* who has it open */
  gboolean stale;
  VsphereStream streams[VSPHERE_STREAMS];
};

/* Blocks of one file, one behind the other, on their way. */
typedef struct {
  VsphereFile *file; /* owned */
  guint64 first;
  guint n;
  guint refs; /* the one who fetches, and those who wait */
  VsphereBlock **blocks;
  gsize filled; /* bytes; only the one who fetches */

  /* Both atomic, and set with the lock but for the first, by the one who
   * fetches: */
  guint done;    /* blocks that are full */
  guint wake_at; /* somebody waits for so many */

  /* With the lock: */
  gboolean ended;
  GCond changed;
} Fetch;

struct VsphereTransfer {
  VsphereSession *session;
  guint n_workers; /* at most */
  GCancellable *closing;

  VixLock lock; /* level POOL: all below */
  guint refs;   /* the host, files */
  VsphereBlocks *blocks;
  GHashTable *shared; /* key → VsphereFile: the newest of each, if constant */
  GPtrArray *files;   /* all that there are */
  GQueue queue;       /* of Fetch: ahead of readers */
  GCond work;         /* a Fetch was queued, or the end */
  GCond freed;        /* blocks became free */
  guint n_waiting;    /* for that */
  GPtrArray *workers; /* GThread */
  guint n_idle;       /* of them */
  gboolean failing;   /* the last fetch ahead of a reader failed */
  gint64 wait_us;     /* see VsphereLine */
  guint n_readers;
  gint64 counted_at;

  gsize n_fetched; /* atomic: bytes */
};

/* ---- files ---- */

static void
transfer_unref_locked (VsphereTransfer *self)
{
  gboolean last = --self->refs == 0;

  vix_unlock (&self->lock);
  if (!last)
    return;
  vsphere_blocks_free (self->blocks);
  g_hash_table_unref (self->shared);
  g_ptr_array_unref (self->files);
  g_ptr_array_unref (self->workers);
  g_object_unref (self->closing);
  g_cond_clear (&self->work);
  g_cond_clear (&self->freed);
  vix_lock_clear (&self->lock);
  g_free (self);
}

/* The last one to let go of it frees it; its transfer outlives it. */
static void
unref_file_locked (VsphereFile *self)
{
  VsphereTransfer *transfer = self->transfer;

  if (--self->refs > 0)
    return;
  g_ptr_array_remove_fast (transfer->files, self);
  if (g_hash_table_lookup (transfer->shared, self->key) == self)
    g_hash_table_remove (transfer->shared, self->key);
  g_free (self->key);
  g_free (self->path);
  g_free (self->url);
  g_free (self);
}

static void
on_block_gone (gpointer owner)
{
  unref_file_locked (owner);
}

/* Its blocks are of no use to anybody. */
static void
drop_blocks_locked (VsphereFile *self)
{
  self->refs++;
  vsphere_blocks_drop_all (self->transfer->blocks, self);
  unref_file_locked (self);
}

static void
make_stale_locked (VsphereFile *self)
{
  if (g_hash_table_lookup (self->transfer->shared, self->key) == self)
    g_hash_table_remove (self->transfer->shared, self->key);
  if (self->constant)
    self->stale = TRUE;
  drop_blocks_locked (self);
}

guint64
vsphere_file_get_size (const VsphereFile *self)
{
  return self->size;
}

gboolean
vsphere_file_is_stale (VsphereFile *self)
{
  gboolean stale;

  vix_lock (&self->transfer->lock);
  stale = self->stale;
  vix_unlock (&self->transfer->lock);
  return stale;
}

void
vsphere_file_close (VsphereFile *self)
{
  VsphereTransfer *transfer;

  if (self == NULL)
    return;
  transfer = self->transfer;
  vix_lock (&transfer->lock);
  /* What others may open again keeps its content. */
  if (--self->n_open == 0
      && g_hash_table_lookup (transfer->shared, self->key) != self)
    drop_blocks_locked (self);
  unref_file_locked (self);
  transfer_unref_locked (transfer);
}

void
vsphere_transfer_forget (VsphereTransfer *self, const char *prefix)
{
  g_autoptr (GPtrArray) hit = g_ptr_array_new ();

  vix_lock (&self->lock);
  for (guint i = 0; i < self->files->len; i++) {
    VsphereFile *file = self->files->pdata[i];

    if (g_str_has_prefix (file->path, prefix)) {
      file->refs++;
      g_ptr_array_add (hit, file);
    }
  }
  for (guint i = 0; i < hit->len; i++) {
    make_stale_locked (hit->pdata[i]);
    unref_file_locked (hit->pdata[i]);
  }
  vix_unlock (&self->lock);
}

/* ---- fetching ---- */

static Fetch *
fetch_new (VsphereFile *file, guint64 first)
{
  Fetch *self = g_new0 (Fetch, 1);

  self->file = file;
  file->refs++;
  self->first = first;
  self->refs = 1;
  self->wake_at = G_MAXUINT;
  g_cond_init (&self->changed);
  return self;
}

static void
fetch_unref_locked (Fetch *self)
{
  if (--self->refs > 0)
    return;
  unref_file_locked (self->file);
  g_cond_clear (&self->changed);
  g_free (self->blocks);
  g_free (self);
}

static guint64
count_blocks (const VsphereFile *file)
{
  return (file->size + VSPHERE_BLOCK_BYTES - 1) / VSPHERE_BLOCK_BYTES;
}

/* A fetch of what is missing from block @first on, at most @most blocks; NULL
 * if there is no memory. The block @first must be missing. */
static Fetch *
begin_fetch_locked (VsphereTransfer *self, VsphereFile *file, guint64 first,
                    guint most)
{
  Fetch *fetch = fetch_new (file, first);
  guint64 end = MIN (first + most, count_blocks (file));

  fetch->blocks = g_new (VsphereBlock *, end - first);
  while (first + fetch->n < end
         && vsphere_blocks_find (self->blocks, file, first + fetch->n)
              == NULL) {
    VsphereBlock *block
      = vsphere_blocks_add (self->blocks, file, first + fetch->n);

    if (block == NULL)
      break;
    file->refs++;
    block->fetch = fetch;
    fetch->blocks[fetch->n++] = block;
  }
  if (fetch->n > 0)
    return fetch;
  fetch_unref_locked (fetch);
  return NULL;
}

/* Telling nobody is a system call, too. */
static void
wake_waiters_locked (Fetch *self)
{
  g_atomic_int_set (&self->wake_at, G_MAXUINT);
  if (self->refs > 1)
    g_cond_broadcast (&self->changed);
}

static gsize
get_bytes (const Fetch *self)
{
  guint64 offset = self->first * VSPHERE_BLOCK_BYTES;

  return MIN (self->n * VSPHERE_BLOCK_BYTES, self->file->size - offset);
}

static guint
get_done (const Fetch *self)
{
  return (guint)g_atomic_int_get (&self->done);
}

/* Bytes have come. Taking the lock for each of them would have all threads
 * wait for each other: who waits says so first, and looks again. */
static void
take (const char *data, gsize len, gpointer user)
{
  Fetch *self = user;
  VsphereTransfer *transfer = self->file->transfer;
  gsize total = get_bytes (self);
  gsize before = self->filled;
  guint done;

  while (len > 0 && self->filled < total) {
    gsize at = self->filled % VSPHERE_BLOCK_BYTES;
    gsize n = MIN (len, VSPHERE_BLOCK_BYTES - at);

    memcpy (self->blocks[self->filled / VSPHERE_BLOCK_BYTES]->data + at, data,
            n);
    data += n;
    len -= n;
    self->filled += n;
  }
  done = self->filled == total ? self->n
                               : (guint)(self->filled / VSPHERE_BLOCK_BYTES);
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
end_fetch_locked (VsphereTransfer *self, Fetch *fetch,
                  const SoapRangeFacts *facts)
{
  for (guint i = 0; i < fetch->n; i++) {
    fetch->blocks[i]->fetch = NULL;
    if (i < get_done (fetch))
      continue;
    vsphere_blocks_drop (self->blocks, fetch->blocks[i]);
    vsphere_blocks_unpin (self->blocks, fetch->blocks[i], TRUE);
  }
  fetch->n = get_done (fetch);
  fetch->ended = TRUE;
  if (facts->changed)
    make_stale_locked (fetch->file);
  if (facts->waited_us > 0)
    self->wait_us = self->wait_us == 0 || facts->waited_us < self->wait_us
                      ? facts->waited_us
                      : self->wait_us + (facts->waited_us - self->wait_us) / 16;
  wake_waiters_locked (fetch);
}

static void
release_blocks_locked (VsphereTransfer *self, Fetch *fetch)
{
  for (guint i = 0; i < fetch->n; i++)
    vsphere_blocks_unpin (self->blocks, fetch->blocks[i], FALSE);
  if (self->n_waiting > 0)
    g_cond_broadcast (&self->freed);
}

static gboolean
run_fetch (VsphereTransfer *self, Fetch *fetch, gboolean patient,
           GCancellable *cancellable, GError **error)
{
  VsphereFile *file = fetch->file;
  SoapRange part = { .url = file->url,
                     .offset = fetch->first * VSPHERE_BLOCK_BYTES,
                     .len = get_bytes (fetch),
                     .size = file->constant ? file->size : (guint64)-1,
                     .modified = file->constant ? file->modified : -1,
                     .take = take,
                     .user = fetch };
  SoapRangeFacts facts = { .status = 0 };
  gboolean ok = vsphere_folder_read (self->session, file->path, &part, patient,
                                     &facts, cancellable, error);

  vix_lock (&self->lock);
  end_fetch_locked (self, fetch, &facts);
  vix_unlock (&self->lock);
  return ok;
}

/* Nobody is going to fetch it. */
static void
give_up_locked (VsphereTransfer *self, Fetch *fetch)
{
  const SoapRangeFacts none = { .status = 0 };

  end_fetch_locked (self, fetch, &none);
  fetch_unref_locked (fetch);
}

/* ---- ahead of readers ---- */

static gpointer
run_worker (gpointer data)
{
  VsphereTransfer *self = data;

  vix_lock (&self->lock);
  while (!g_cancellable_is_cancelled (self->closing)) {
    Fetch *fetch = g_queue_pop_head (&self->queue);
    gboolean ok;

    if (fetch == NULL) {
      self->n_idle++;
      vix_lock_wait (&self->lock, &self->work);
      self->n_idle--;
      continue;
    }
    if (fetch->file->n_open == 0 || fetch->file->stale) {
      give_up_locked (self, fetch);
      continue;
    }
    vix_unlock (&self->lock);
    ok = run_fetch (self, fetch, FALSE, self->closing, NULL);
    vix_lock (&self->lock);
    self->failing = !ok;
    release_blocks_locked (self, fetch);
    fetch_unref_locked (fetch);
  }
  vix_unlock (&self->lock);
  return NULL;
}

static void
push_work_locked (VsphereTransfer *self, Fetch *fetch)
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
      self->n_readers += file->streams[k].run > MIB
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
    Fetch *fetch;

    if (vsphere_blocks_find (self->blocks, file, at) != NULL) {
      at++;
      continue;
    }
    fetch = begin_fetch_locked (
      self, file, at, (guint)MIN (step / VSPHERE_BLOCK_BYTES, last - at));
    if (fetch == NULL)
      break;
    at += fetch->n;
    push_work_locked (self, fetch);
  }
  stream->ahead = MAX (stream->ahead, MIN (at * VSPHERE_BLOCK_BYTES, end));
}

/* Somebody reads there; TRUE if it is one who reads on. */
static gboolean
note_reader_locked (VsphereTransfer *self, VsphereFile *file, guint64 offset,
                    gsize len)
{
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

/* ---- reading ---- */

/* What a reader wants: moves on as it gets it. */
typedef struct {
  VsphereFile *file;
  guint64 offset;
  guint8 *buf;
  gsize len;
  gboolean streaming; /* nobody will want it again */
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

/* Whether @block is full; with the lock. */
static gboolean
is_full (const VsphereBlock *block)
{
  const Fetch *fetch = block->fetch;

  return fetch == NULL || block->index - fetch->first < get_done (fetch);
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

    if (block == NULL || !is_full (block))
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
  if (self->n_waiting > 0)
    g_cond_broadcast (&self->freed);
  return TRUE;
}

typedef struct {
  VsphereTransfer *transfer;
  GCond *cond;
} Waker;

static void
on_cancelled (GCancellable *cancellable, gpointer data)
{
  Waker *waker = data;

  vix_lock (&waker->transfer->lock);
  g_cond_broadcast (waker->cond);
  vix_unlock (&waker->transfer->lock);
}

/* With the lock, which is released meanwhile: connecting may call. */
static gulong
connect_locked (Waker *waker, GCancellable *cancellable)
{
  gulong id = 0;

  if (cancellable == NULL)
    return 0;
  vix_unlock (&waker->transfer->lock);
  id = g_cancellable_connect (cancellable, G_CALLBACK (on_cancelled), waker,
                              NULL);
  vix_lock (&waker->transfer->lock);
  return id;
}

static void
disconnect_locked (Waker *waker, GCancellable *cancellable, gulong id)
{
  if (cancellable == NULL)
    return;
  vix_unlock (&waker->transfer->lock);
  g_cancellable_disconnect (cancellable, id);
  vix_lock (&waker->transfer->lock);
}

/* Somebody else fetches the block where @want begins. */
static void
await_fetch_locked (VsphereTransfer *self, Want *want, Fetch *fetch)
{
  Waker waker = { self, &fetch->changed };
  guint64 last = (want->offset + want->len - 1) / VSPHERE_BLOCK_BYTES;
  guint wanted = (guint)MIN (last - fetch->first + 1, fetch->n);
  gulong id;

  fetch->refs++;
  id = connect_locked (&waker, want->cancellable);
  while (!fetch->ended && !g_cancellable_is_cancelled (want->cancellable)) {
    g_atomic_int_set (&fetch->wake_at, MIN (fetch->wake_at, wanted));
    if (get_done (fetch) >= wanted)
      break;
    vix_lock_wait (&self->lock, &fetch->changed);
  }
  disconnect_locked (&waker, want->cancellable, id);
  fetch_unref_locked (fetch);
}

/* All memory is in use. */
static void
await_room_locked (VsphereTransfer *self, Want *want)
{
  Waker waker = { self, &self->freed };
  gulong id = connect_locked (&waker, want->cancellable);

  self->n_waiting++;
  if (!g_cancellable_is_cancelled (want->cancellable))
    vix_lock_wait_until (&self->lock, &self->freed,
                         g_get_monotonic_time () + COUNT_INTERVAL_US);
  self->n_waiting--;
  disconnect_locked (&waker, want->cancellable, id);
}

/* Nobody fetches the block where @want begins: we do. */
static gboolean
fetch_wanted_locked (VsphereTransfer *self, Want *want, GError **error)
{
  guint64 first = want->offset / VSPHERE_BLOCK_BYTES;
  guint64 last = (want->offset + want->len - 1) / VSPHERE_BLOCK_BYTES;
  Fetch *fetch = begin_fetch_locked (
    self, want->file, first, (guint)MIN (last - first + 1, MAX_READ_BLOCKS));
  gboolean ok;

  if (fetch == NULL) {
    await_room_locked (self, want);
    return TRUE;
  }
  vix_unlock (&self->lock);
  ok = run_fetch (self, fetch, TRUE, want->cancellable, error);
  for (guint i = 0; i < fetch->n && want->len > 0; i++)
    copy_block (want, fetch->blocks[i]);
  vix_lock (&self->lock);
  self->failing = self->failing && !ok;
  release_blocks_locked (self, fetch);
  fetch_unref_locked (fetch);
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
  want.streaming = ordered && note_reader_locked (transfer, self, offset, len);
  while (ok && want.len > 0 && (ok = check_locked (&want, error))) {
    VsphereBlock *block;

    if (copy_present_locked (transfer, &want))
      continue;
    block = vsphere_blocks_find (transfer->blocks, self,
                                 want.offset / VSPHERE_BLOCK_BYTES);
    if (block != NULL)
      await_fetch_locked (transfer, &want, block->fetch);
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

/* ---- opening ---- */

static void
take_beginning (const char *data, gsize len, gpointer user)
{
  g_byte_array_append (user, (const guint8 *)data, (guint)len);
}

static VsphereFile *
file_new_locked (VsphereTransfer *self, const char *path, const char *url,
                 char *key, const SoapRangeFacts *facts, gboolean constant)
{
  VsphereFile *file = g_new0 (VsphereFile, 1);

  file->transfer = self;
  file->path = g_strdup (path);
  file->url = g_strdup (url);
  file->key = g_strdup (key);
  file->size = facts->size;
  file->modified = facts->modified;
  file->constant = constant;
  g_ptr_array_add (self->files, file);
  return file;
}

/* What came with the answer is the file's first block. */
static void
keep_beginning_locked (VsphereTransfer *self, VsphereFile *file,
                       const GByteArray *data)
{
  VsphereBlock *block;

  if (data->len < MIN (file->size, VSPHERE_BLOCK_BYTES) || data->len == 0
      || vsphere_blocks_find (self->blocks, file, 0) != NULL)
    return;
  block = vsphere_blocks_add (self->blocks, file, 0);
  if (block == NULL)
    return;
  file->refs++;
  memcpy (block->data, data->data, data->len);
  vsphere_blocks_unpin (self->blocks, block, FALSE);
}

/* The file as it is now: the one we know, if it is the same. */
static VsphereFile *
settle_file (VsphereTransfer *self, const char *path, const char *url,
             char *key, const SoapRangeFacts *facts, gboolean constant,
             const GByteArray *beginning)
{
  VsphereFile *file = NULL;

  vix_lock (&self->lock);
  if (constant)
    file = g_hash_table_lookup (self->shared, key);
  if (file != NULL
      && (file->size != facts->size || file->modified != facts->modified)) {
    make_stale_locked (file);
    file = NULL;
  }
  if (file == NULL) {
    file = file_new_locked (self, path, url, key, facts, constant);
    if (constant && facts->modified != -1
        && (facts->age_us == -1 || facts->age_us > RACY_US))
      g_hash_table_insert (self->shared, file->key, file);
  }
  file->refs++;
  file->n_open++;
  self->refs++;
  keep_beginning_locked (self, file, beginning);
  vix_unlock (&self->lock);
  return file;
}

VsphereFile *
vsphere_transfer_open (VsphereTransfer *self, const char *dc_path,
                       const char *path, gboolean constant,
                       GCancellable *cancellable, GError **error)
{
  g_autofree char *url = vsphere_folder_make_url (self->session, dc_path, path);
  g_autofree char *key = g_strconcat (dc_path, "\n", path, NULL);
  g_autoptr (GByteArray) beginning = g_byte_array_new ();
  SoapRange part = { .url = url,
                     .len = VSPHERE_BLOCK_BYTES,
                     .unsure = TRUE,
                     .take = take_beginning,
                     .user = beginning };
  SoapRangeFacts facts;

  VIX_MAY_BLOCK ();
  if (url == NULL) {
    g_set_error (error, VIX_ERROR, VIX_E_FILE_NAME_INVALID,
                 "\"%s\" is no file of a datastore: those are named "
                 "\"[datastore] directory/file\"",
                 path);
    return NULL;
  }
  if (cancellable == NULL)
    cancellable = g_cancellable_get_current ();
  if (!vsphere_folder_read (self->session, path, &part, TRUE, &facts,
                            cancellable, error))
    return NULL;
  return settle_file (self, path, url, key, &facts, constant, beginning);
}

/* ---- making and freeing ---- */

VsphereTransfer *
vsphere_transfer_new (VsphereSession *session, guint64 cache_bytes,
                      guint connections)
{
  VsphereTransfer *self = g_new0 (VsphereTransfer, 1);

  if (cache_bytes == 0)
    cache_bytes = DEFAULT_CACHE;
  if (connections == 0)
    connections = DEFAULT_CONNECTIONS;
  self->session = session;
  /* One is left for readers that have to have something now. */
  self->n_workers = CLAMP (connections, 2, MAX_CONNECTIONS) - 1;
  self->closing = g_cancellable_new ();
  vix_lock_init (&self->lock, VIX_LOCK_POOL);
  self->refs = 1;
  self->blocks
    = vsphere_blocks_new (MAX (cache_bytes, MIN_CACHE), on_block_gone);
  self->shared = g_hash_table_new (g_str_hash, g_str_equal);
  self->files = g_ptr_array_new ();
  self->workers = g_ptr_array_new ();
  g_queue_init (&self->queue);
  g_cond_init (&self->work);
  g_cond_init (&self->freed);
  return self;
}

guint
vsphere_transfer_get_connections (const VsphereTransfer *self)
{
  return self->n_workers + 1;
}

void
vsphere_transfer_free (VsphereTransfer *self)
{
  Fetch *fetch;

  if (self == NULL)
    return;
  g_cancellable_cancel (self->closing);
  vix_lock (&self->lock);
  g_cond_broadcast (&self->work);
  vix_unlock (&self->lock);
  for (guint i = 0; i < self->workers->len; i++)
    g_thread_join (self->workers->pdata[i]);
  vix_lock (&self->lock);
  while ((fetch = g_queue_pop_head (&self->queue)) != NULL)
    give_up_locked (self, fetch);
  for (guint i = 0; i < self->files->len; i++) {
    VsphereFile *file = self->files->pdata[i];

    file->stale = TRUE;
  }
  transfer_unref_locked (self);
}

gsize
vsphere_transfer_get_fetched (VsphereTransfer *self)
{
  return GPOINTER_TO_SIZE (g_atomic_pointer_get (&self->n_fetched));
}
