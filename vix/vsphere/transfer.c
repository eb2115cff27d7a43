/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "base/error.h"
#include "vsphere/ahead.h"
#include "vsphere/folder.h"

#define MIB ((guint64)1 << 20)
#define DEFAULT_CACHE (128 * MIB)
#define MIN_CACHE (4 * MIB)
#define DEFAULT_CONNECTIONS 8
#define MAX_CONNECTIONS 64

/* A file that changed so shortly before it was opened may change again
 * without getting another time: hosts tell whole seconds. */
#define RACY_US (3 * G_USEC_PER_SEC)

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

void
vsphere_file_unref_locked (VsphereFile *self)
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
  vsphere_file_unref_locked (owner);
}

/* Its blocks are of no use to anybody. */
static void
drop_blocks_locked (VsphereFile *self)
{
  self->refs++;
  vsphere_blocks_drop_all (self->transfer->blocks, self);
  vsphere_file_unref_locked (self);
}

void
vsphere_file_make_stale_locked (VsphereFile *self)
{
  if (g_hash_table_lookup (self->transfer->shared, self->key) == self)
    g_hash_table_remove (self->transfer->shared, self->key);
  if (self->constant)
    self->stale = TRUE;
  drop_blocks_locked (self);
}

void
vsphere_transfer_tell_freed_locked (VsphereTransfer *self)
{
  if (self->n_waiting > 0)
    g_cond_broadcast (&self->freed);
}

guint64
vsphere_file_get_size (const VsphereFile *self)
{
  return self->size;
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
  vsphere_file_unref_locked (self);
  transfer_unref_locked (transfer);
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
    vsphere_file_make_stale_locked (file);
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
  g_queue_init (&self->small);
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
  if (self == NULL)
    return;
  vsphere_ahead_stop (self);
  vix_lock (&self->lock);
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
