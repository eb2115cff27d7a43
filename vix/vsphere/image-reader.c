/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * image-reader.c - the bytes of a snapshot's disk.
 *
 * When an older snapshot is removed the host merges files that open images are
 * read from. The content of the image stays the same, so it is opened anew, and
 * what was read across such a change is read again.
 */
#include "image/reader.h"

#include "base/error.h"
#include "vsphere/chains.h"
#include "vsphere/error.h"

/* How long the host's news may be behind what it does to files. */
#define NEWS_US (10 * G_USEC_PER_SEC)
#define NEWS_SLICE_US (100 * 1000)
/* As it is; asked anew; after waiting for news. */
#define MAX_TRIES 3u
/* How often the files may change under one reading. */
#define MAX_CHANGES 32u

/* ---- opening one ---- */

/* The disk at @node; (nullable) without @error if @optional and the snapshot
 * has none. */
static VmdkChain *
open_node (VsphereHost *host, const char *id, gint64 snapshot, const char *node,
           gboolean optional, GError **error)
{
  g_auto (VsphereDiskList) disks = { .disks = NULL };
  const VsphereDisk *disk;
  guint index;

  if (!vsphere_disk_list_get (host, id, snapshot, &disks,
                              g_cancellable_get_current (), error))
    return NULL;
  disk = vsphere_disk_list_find (&disks, node, &index);
  if (disk != NULL)
    return vsphere_chain_open (host, id, disk, error);
  if (!optional)
    g_set_error (error, VIX_ERROR, VIX_E_FILE_NOT_FOUND,
                 "%s: snapshot %" G_GINT64_FORMAT " has no disk at \"%s\"", id,
                 snapshot, node);
  return NULL;
}

/* A chain, or two of them, as they were opened at one time. Counted: reads go
 * on in one while the next is being opened. */
typedef struct {
  VixFileReader *file;
  guint64 state;       /* of the snapshot when that was opened ... */
  guint64 older_state; /* ... and of the older one */
  guint serial;        /* atomic: of the VM when that was still so */
} Opened;

static void
opened_clear (gpointer data)
{
  Opened *self = data;

  self->file->free (self->file);
}

static void
opened_unref (Opened *self)
{
  if (self != NULL)
    g_atomic_rc_box_release_full (self, opened_clear);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC (Opened, opened_unref)

typedef struct {
  VixFileReader base; /* must be first */
  VsphereHost *host;
  char *id;
  char *node;
  gint64 snapshot;
  gint64 older;   /* what changed since; -1: the whole disk */
  VixLock lock;   /* level POOL: all below */
  GCond reopened; /* reopening is FALSE again */
  gboolean reopening;
  Opened *opened;
} ImageReader;

/* The states of its snapshots; FALSE if one is gone. */
static gboolean
get_states (const ImageReader *self, Opened *states)
{
  const VsphereVm *vm;

  vix_lock (&self->host->lock);
  vm = vsphere_mirror_get_vm (self->host->mirror, self->id);
  states->state
    = vm == NULL ? 0 : vsphere_vm_get_chain_state (vm, self->snapshot);
  states->older_state = vm == NULL || self->older <= 0
                          ? 1
                          : vsphere_vm_get_chain_state (vm, self->older);
  states->serial = vm == NULL ? 0 : vsphere_vm_get_serial (vm);
  vix_unlock (&self->host->lock);
  return states->state != 0 && states->older_state != 0;
}

static gboolean
has_serial (const ImageReader *self, guint serial)
{
  const VsphereVm *vm;
  gboolean has;

  vix_lock (&self->host->lock);
  vm = vsphere_mirror_get_vm (self->host->mirror, self->id);
  has = vm != NULL && vsphere_vm_get_serial (vm) == serial;
  vix_unlock (&self->host->lock);
  return has;
}

static gboolean
is_current (const ImageReader *self, Opened *opened)
{
  Opened now = { .file = NULL };

  if (has_serial (self, (guint)g_atomic_int_get (&opened->serial)))
    return TRUE;
  if (!get_states (self, &now) || now.state != opened->state
      || now.older_state != opened->older_state)
    return FALSE;
  g_atomic_int_set (&opened->serial, now.serial);
  return TRUE;
}

static VixFileReader *
open_file (ImageReader *self, GError **error)
{
  g_autoptr (GError) failure = NULL;
  g_autoptr (VmdkChain) older = NULL;
  VmdkChain *chain = open_node (self->host, self->id, self->snapshot,
                                self->node, FALSE, error);

  if (chain == NULL || self->older < 0)
    return chain == NULL ? NULL : vix_image_reader_new (chain);
  if (self->older > 0)
    older = open_node (self->host, self->id, self->older, self->node, TRUE,
                       &failure);
  if (failure != NULL) {
    g_propagate_error (error, g_steal_pointer (&failure));
    vmdk_chain_free (chain);
    return NULL;
  }
  return vix_image_changes_reader_new (g_steal_pointer (&older), chain);
}

static Opened *
open_now (ImageReader *self, GError **error)
{
  Opened blank = { .file = NULL };

  if (!get_states (self, &blank)) {
    g_set_error (error, VIX_ERROR, VIX_E_SNAPSHOT_NOTFOUND,
                 "the snapshot was removed while its disk \"%s\" was being "
                 "read",
                 self->node);
    return NULL;
  }
  blank.file = open_file (self, error);
  return blank.file == NULL ? NULL : g_atomic_rc_box_dup (sizeof blank, &blank);
}

/* ---- reading it ---- */

static void
on_cancelled (GCancellable *cancellable, gpointer data)
{
  ImageReader *self = data;

  vix_lock (&self->lock);
  g_cond_broadcast (&self->reopened);
  vix_unlock (&self->lock);
}

/* Until it is this thread's turn to open, or another's was opened: that, with
 * a reference. FALSE if it was cancelled. */
static gboolean
await_turn (ImageReader *self, const Opened *bad, Opened **ret_opened,
            GError **error)
{
  GCancellable *cancellable = g_cancellable_get_current ();
  gulong handler = 0;
  gboolean is_over;

  if (cancellable != NULL)
    handler = g_cancellable_connect (cancellable, G_CALLBACK (on_cancelled),
                                     self, NULL);
  vix_lock (&self->lock);
  while (self->reopening && !g_cancellable_is_cancelled (cancellable))
    vix_lock_wait (&self->lock, &self->reopened);
  *ret_opened = NULL;
  is_over = self->reopening;
  if (!is_over && self->opened != NULL && self->opened != bad)
    *ret_opened = g_atomic_rc_box_acquire (self->opened);
  else
    self->reopening = TRUE;
  vix_unlock (&self->lock);
  if (cancellable != NULL)
    g_cancellable_disconnect (cancellable, handler);
  if (is_over)
    (void)g_cancellable_set_error_if_cancelled (cancellable, error);
  return !is_over;
}

/* (transfer full) (nullable): what was opened last, unless that is @bad. One
 * thread opens, the others wait for it. */
static Opened *
get_opened (ImageReader *self, const Opened *bad, GError **error)
{
  Opened *old = NULL;
  Opened *opened;

  if (!await_turn (self, bad, &opened, error) || opened != NULL)
    return opened;
  opened = open_now (self, error);
  vix_lock (&self->lock);
  if (opened != NULL) {
    old = self->opened;
    self->opened = g_atomic_rc_box_acquire (opened);
  }
  self->reopening = FALSE;
  g_cond_broadcast (&self->reopened);
  vix_unlock (&self->lock);
  opened_unref (old);
  return opened;
}

/* What may come of files that were merged, replaced or deleted. */
static gboolean
may_be_moved (const GError *error)
{
  static const int codes[] = {
    VIX_E_FILE_ERROR,
    VIX_E_FILE_NOT_FOUND,
    VIX_E_FILE_ALREADY_LOCKED,
    VIX_E_DISK_INVAL,
    VIX_E_DISK_INVALIDCHAIN,
    VIX_E_DISK_CID_MISMATCH,
    VIX_E_DISK_CAPACITY_MISMATCH,
    VIX_E_DISK_OPENPARENT,
    VIX_E_DISK_PARTIALCHAIN,
  };

  for (gsize i = 0; i < G_N_ELEMENTS (codes); i++)
    if (g_error_matches (error, VIX_ERROR, codes[i]))
      return TRUE;
  return FALSE;
}

typedef struct {
  const ImageReader *self;
  const Opened *opened;
} News;

static gboolean
has_news (const VsphereVm *vm, gpointer data)
{
  const News *news = data;

  return vsphere_vm_get_chain_state (vm, news->self->snapshot)
         != news->opened->state;
}

/* One reading or mapping. */
typedef gboolean (*Attempt) (VixFileReader *file, gpointer data,
                             GError **error);

/* Waits for what the host may not have told yet. */
static void
await_news (ImageReader *self, const Opened *opened)
{
  gint64 end_time = g_get_monotonic_time () + NEWS_US;
  GCancellable *cancellable = g_cancellable_get_current ();
  News news = { self, opened };

  while (g_get_monotonic_time () < end_time
         && !g_cancellable_is_cancelled (cancellable)
         && vsphere_watch_is_loaded (self->host->watch)
         && !vsphere_await_vm (self->host, self->id, has_news, &news,
                               g_get_monotonic_time () + NEWS_SLICE_US))
    ;
}

/* Whether to try again after @failure: at first with what the host says when it
 * is asked anew, then after its news. */
static gboolean
prepare_again (ImageReader *self, const Opened *opened, guint tries,
               const GError *failure)
{
  if (tries >= MAX_TRIES || !may_be_moved (failure))
    return FALSE;
  if (tries > 1 && opened != NULL
      && (g_error_matches (failure, VIX_ERROR, VIX_E_FILE_NOT_FOUND)
          || g_error_matches (failure, VIX_ERROR, VIX_E_DISK_PARTIALCHAIN)
          || g_error_matches (failure, VIX_ERROR, VIX_E_FILE_ERROR)))
    await_news (self, opened);
  vsphere_forget_known (self->host, self->id);
  return TRUE;
}

/* What was got across a change of the files is got again. */
static gboolean
attempt (ImageReader *self, Attempt func, gpointer data, GError **error)
{
  g_autoptr (Opened) opened = NULL;
  g_autoptr (Opened) bad = NULL;
  guint failures = 0;

  for (guint i = 0; i < MAX_CHANGES; i++) {
    g_autoptr (GError) failure = NULL;

    g_clear_pointer (&opened, opened_unref);
    opened = get_opened (self, bad, &failure);
    if (opened != NULL && is_current (self, opened)
        && func (opened->file, data, &failure) && is_current (self, opened))
      return TRUE;
    if (failure != NULL && !prepare_again (self, opened, ++failures, failure)) {
      g_propagate_error (error, g_steal_pointer (&failure));
      return FALSE;
    }
    if (opened != NULL) {
      g_clear_pointer (&bad, opened_unref);
      bad = g_steal_pointer (&opened);
    }
  }
  g_set_error (error, VIX_ERROR, VIX_E_FILE_ERROR,
               "%s: the files of the disk \"%s\" keep changing", self->id,
               self->node);
  return FALSE;
}

static gboolean
converted (gboolean ok, GError **error)
{
  if (!ok)
    vsphere_error_convert (error);
  return ok;
}

typedef struct {
  guint64 offset;
  void *buf;
  gsize len;
  gsize done; /* out */
} Reading;

static gboolean
read_once (VixFileReader *file, gpointer data, GError **error)
{
  Reading *reading = data;

  return file->read (file, reading->offset, reading->buf, reading->len,
                     &reading->done, error);
}

static gboolean
image_read (VixFileReader *base, guint64 offset, void *buf, gsize len,
            gsize *ret_done, GError **error)
{
  Reading reading = { offset, buf, len, 0 };

  VIX_MAY_BLOCK ();
  if (!converted (attempt ((ImageReader *)base, read_once, &reading, error),
                  error))
    return FALSE;
  *ret_done = reading.done;
  return TRUE;
}

typedef struct {
  guint64 offset;
  guint64 len;
  gboolean is_data; /* out */
  guint64 run;      /* out */
} Mapping;

static gboolean
map_once (VixFileReader *file, gpointer data, GError **error)
{
  Mapping *mapping = data;

  return file->map (file, mapping->offset, mapping->len, &mapping->is_data,
                    &mapping->run, error);
}

static gboolean
image_map (VixFileReader *base, guint64 offset, guint64 len, gboolean *ret_data,
           guint64 *ret_len, GError **error)
{
  Mapping mapping = { offset, len, FALSE, 0 };

  VIX_MAY_BLOCK ();
  if (!converted (attempt ((ImageReader *)base, map_once, &mapping, error),
                  error))
    return FALSE;
  *ret_data = mapping.is_data;
  *ret_len = mapping.run;
  return TRUE;
}

static void
image_free (VixFileReader *base)
{
  ImageReader *self = (ImageReader *)base;

  opened_unref (self->opened);
  g_cond_clear (&self->reopened);
  vix_lock_clear (&self->lock);
  g_free (self->id);
  g_free (self->node);
  g_free (self);
}

static gboolean
get_size (VixFileReader *file, gpointer data, GError **error)
{
  guint64 *size = data;

  *size = file->size;
  return TRUE;
}

static VixFileReader *
reader_new (VsphereHost *host, const char *id, gint64 snapshot,
            const char *node, gint64 older, GError **error)
{
  ImageReader *self;

  VIX_MAY_BLOCK ();
  if (!vsphere_watch_check_here (host->watch, error))
    return NULL;
  self = g_new0 (ImageReader, 1);
  self->base = (VixFileReader){
    .read = image_read,
    .map = image_map,
    .free = image_free,
  };
  self->host = host;
  self->id = g_strdup (id);
  self->node = g_strdup (node);
  self->snapshot = snapshot;
  self->older = older;
  vix_lock_init (&self->lock, VIX_LOCK_POOL);
  g_cond_init (&self->reopened);
  if (attempt (self, get_size, &self->base.size, error))
    return &self->base;
  image_free (&self->base);
  return NULL;
}

VixFileReader *
vsphere_open_image (VsphereHost *host, const char *id, gint64 snapshot,
                    const char *node, GError **error)
{
  return reader_new (host, id, snapshot, node, -1, error);
}

VixFileReader *
vsphere_open_changes (VsphereHost *host, const char *id, gint64 older,
                      gint64 snapshot, const char *node, GError **error)
{
  return reader_new (host, id, snapshot, node, older, error);
}
