/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mem-dir.h"

#include <string.h>

#include "base/error.h"

/* A hostile image must not make the test itself run out of memory. */
#define MAX_FILE_BYTES (1u << 30)

/* What a change overwrote, to be undone. */
typedef struct {
  guint64 offset;
  guint64 len;
  guint64 old_size;
  GBytes *old; /* bytes at @offset; shorter where the file ended */
} Undo;

typedef struct {
  char *name;
  GByteArray *data;
  GPtrArray *unsynced; /* Undo */
} MemFile;

struct MemDir {
  VmdkResolver resolver;
  GHashTable *files; /* name to MemFile */
  guint64 free_space;
  guint changes;
  guint stop_after;
  gboolean torn;
};

typedef struct {
  VmdkSource base;
  MemDir *dir;
  MemFile *file;
  guint64 reserved; /* counted against the free space */
} MemSource;

static void
undo_free (gpointer data)
{
  Undo *undo = data;

  g_bytes_unref (undo->old);
  g_free (undo);
}

static void
mem_file_free (gpointer data)
{
  MemFile *file = data;

  g_free (file->name);
  g_byte_array_unref (file->data);
  g_ptr_array_unref (file->unsynced);
  g_free (file);
}

static MemFile *
add_file (MemDir *self, const char *name)
{
  MemFile *file = g_new0 (MemFile, 1);

  file->name = g_strdup (name);
  file->data = g_byte_array_new ();
  file->unsynced = g_ptr_array_new_with_free_func (undo_free);
  g_hash_table_replace (self->files, file->name, file);
  return file;
}

/* --- sources ----------------------------------------------------------- */

static void
resize (GByteArray *data, guint64 size)
{
  guint old = data->len;

  g_assert_cmpuint (size, <=, MAX_FILE_BYTES);
  g_byte_array_set_size (data, (guint)size);
  if (size > old)
    memset (data->data + old, 0, (gsize)size - old);
}

static gboolean
mem_pread (VmdkSource *source, guint64 offset, void *buf, gsize len,
           GError **error)
{
  const GByteArray *data = ((MemSource *)source)->file->data;

  if (offset > data->len || len > data->len - offset) {
    g_set_error (error, VIX_ERROR, VIX_E_FILE_ERROR, "%s: read past the end",
                 source->id);
    return FALSE;
  }
  if (len > 0)
    memcpy (buf, data->data + offset, len);
  return TRUE;
}

/* Counts a change; *ret_torn: only half of it happens. */
static gboolean
begin_change (VmdkSource *source, guint64 offset, guint64 len,
              gboolean *ret_torn, GError **error)
{
  MemSource *self = (MemSource *)source;
  MemDir *dir = self->dir;
  MemFile *file = self->file;
  Undo *undo;
  guint64 have;

  *ret_torn = FALSE;
  if (dir->changes >= dir->stop_after) {
    g_set_error (error, VIX_ERROR, VIX_E_FILE_ERROR, "%s: stopped", source->id);
    return FALSE;
  }
  dir->changes++;
  *ret_torn = dir->torn && dir->changes == dir->stop_after;
  have = offset < file->data->len ? file->data->len - offset : 0;
  undo = g_new0 (Undo, 1);
  undo->offset = offset;
  undo->len = len;
  undo->old_size = file->data->len;
  undo->old = g_bytes_new (have > 0 ? file->data->data + offset : NULL,
                           MIN (have, len));
  g_ptr_array_add (file->unsynced, undo);
  return TRUE;
}

static gboolean
take_space (MemSource *self, guint64 bytes, GError **error)
{
  guint64 from_reserve = MIN (bytes, self->reserved);

  self->reserved -= from_reserve;
  bytes -= from_reserve;
  if (bytes > self->dir->free_space) {
    g_set_error (error, VIX_ERROR, VIX_E_DISK_FULL, "%s: no space",
                 self->base.id);
    return FALSE;
  }
  if (self->dir->free_space != G_MAXUINT64)
    self->dir->free_space -= bytes;
  return TRUE;
}

static gboolean
mem_pwrite (VmdkSource *source, guint64 offset, const void *buf, gsize len,
            GError **error)
{
  MemSource *self = (MemSource *)source;
  GByteArray *data = self->file->data;
  guint64 growth = offset + len > data->len ? offset + len - data->len : 0;
  gboolean torn;

  if (!take_space (self, growth, error)
      || !begin_change (source, offset, len, &torn, error))
    return FALSE;
  if (torn) /* at a sector, if it has one */
    len = len >= 2 * 512 ? len / 2 / 512 * 512 : len / 2;
  if (offset + len > data->len)
    resize (data, offset + len);
  memcpy (data->data + offset, buf, len);
  source->size = data->len;
  return TRUE;
}

static gboolean
mem_truncate (VmdkSource *source, guint64 size, GError **error)
{
  MemSource *self = (MemSource *)source;
  GByteArray *data = self->file->data;
  guint64 from = MIN (size, data->len);
  gboolean torn;

  if (!begin_change (source, from, data->len - from, &torn, error))
    return FALSE;
  if (!torn)
    resize (data, size);
  if (self->dir->free_space != G_MAXUINT64)
    self->dir->free_space += self->reserved;
  self->reserved = 0;
  source->size = data->len;
  return TRUE;
}

static gboolean
mem_reserve (VmdkSource *source, guint64 offset, guint64 len, GError **error)
{
  MemSource *self = (MemSource *)source;
  guint64 size = self->file->data->len;
  guint64 behind = offset + len > size ? offset + len - size : 0;
  guint64 have = self->reserved;

  if (behind <= have)
    return TRUE;
  self->reserved = 0; /* to be added to, not to be taken */
  if (!take_space (self, behind - have, error)) {
    self->reserved = have;
    return FALSE;
  }
  self->reserved = behind;
  return TRUE;
}

static gboolean
mem_punch (VmdkSource *source, guint64 offset, guint64 len, GError **error)
{
  GByteArray *data = ((MemSource *)source)->file->data;
  gboolean torn;

  g_assert_cmpuint (offset + len, <=, data->len);
  if (!begin_change (source, offset, len, &torn, error))
    return FALSE;
  memset (data->data + offset, 0, (gsize)(torn ? len / 2 : len));
  return TRUE;
}

static gboolean
mem_sync (VmdkSource *source, GError **error)
{
  MemSource *self = (MemSource *)source;
  MemDir *dir = self->dir;

  if (dir->changes >= dir->stop_after) {
    g_set_error (error, VIX_ERROR, VIX_E_FILE_ERROR, "%s: stopped", source->id);
    return FALSE;
  }
  g_ptr_array_set_size (self->file->unsynced, 0);
  return TRUE;
}

static void
mem_free (VmdkSource *source)
{
  g_free (source->id);
  g_free ((MemSource *)source);
}

static const VmdkSourceOps read_ops = {
  .pread = mem_pread,
  .free = mem_free,
};

static const VmdkSourceOps write_ops = {
  .pread = mem_pread,
  .pwrite = mem_pwrite,
  .truncate = mem_truncate,
  .reserve = mem_reserve,
  .punch = mem_punch,
  .sync = mem_sync,
  .free = mem_free,
};

static VmdkSource *
new_source (MemDir *self, MemFile *file, gboolean writable)
{
  MemSource *source = g_new0 (MemSource, 1);

  source->base.ops = writable ? &write_ops : &read_ops;
  source->base.size = file->data->len;
  source->base.id = g_strdup (file->name);
  source->dir = self;
  source->file = file;
  return &source->base;
}

static VmdkSource *
resolve (VmdkResolver *resolver, const char *relative_to, const char *name,
         VmdkRole role, gboolean writable, GError **error)
{
  MemDir *self = (MemDir *)resolver;
  MemFile *file = g_hash_table_lookup (self->files, name);

  if (file == NULL) {
    g_set_error (error, VIX_ERROR, VIX_E_FILE_NOT_FOUND, "%s: not found", name);
    return NULL;
  }
  return new_source (self, file, writable);
}

/* --- the directory ----------------------------------------------------- */

MemDir *
mem_dir_new (void)
{
  MemDir *self = g_new0 (MemDir, 1);

  self->resolver.open = resolve;
  self->files
    = g_hash_table_new_full (g_str_hash, g_str_equal, NULL, mem_file_free);
  self->free_space = G_MAXUINT64;
  self->stop_after = G_MAXUINT;
  return self;
}

void
mem_dir_free (MemDir *self)
{
  if (self == NULL)
    return;
  g_hash_table_unref (self->files);
  g_free (self);
}

VmdkResolver *
mem_dir_get_resolver (MemDir *self)
{
  return &self->resolver;
}

void
mem_dir_set (MemDir *self, const char *name, const void *data, gsize len)
{
  MemFile *file = add_file (self, name);

  g_byte_array_append (file->data, data, (guint)len);
}

GByteArray *
mem_dir_get (MemDir *self, const char *name)
{
  MemFile *file = g_hash_table_lookup (self->files, name);

  return file != NULL ? file->data : NULL;
}

void
mem_dir_remove (MemDir *self, const char *name)
{
  g_hash_table_remove (self->files, name);
}

VmdkSource *
mem_dir_open (MemDir *self, const char *name)
{
  MemFile *file = g_hash_table_lookup (self->files, name);

  return new_source (self, file != NULL ? file : add_file (self, name), TRUE);
}

void
mem_dir_load (MemDir *self, const char *path)
{
  g_autoptr (GDir) dir = g_dir_open (path, 0, NULL);
  const char *name;

  g_assert_nonnull (dir);
  while ((name = g_dir_read_name (dir)) != NULL) {
    g_autofree char *full = g_build_filename (path, name, NULL);
    g_autoptr (GError) error = NULL;
    g_autofree char *data = NULL;
    gsize len;

    g_file_get_contents (full, &data, &len, &error);
    g_assert_no_error (error);
    mem_dir_set (self, name, data, len);
  }
}

void
mem_dir_save (MemDir *self, const char *path)
{
  GHashTableIter iter;
  gpointer value;

  g_hash_table_iter_init (&iter, self->files);
  while (g_hash_table_iter_next (&iter, NULL, &value)) {
    const MemFile *file = value;
    g_autofree char *full = g_build_filename (path, file->name, NULL);
    g_autoptr (GError) error = NULL;

    g_file_set_contents_full (full, (const char *)file->data->data,
                              file->data->len, G_FILE_SET_CONTENTS_NONE, 0600,
                              &error);
    g_assert_no_error (error);
  }
}

MemDir *
mem_dir_copy (MemDir *self)
{
  MemDir *copy = mem_dir_new ();
  GHashTableIter iter;
  gpointer value;

  g_hash_table_iter_init (&iter, self->files);
  while (g_hash_table_iter_next (&iter, NULL, &value)) {
    const MemFile *file = value;

    mem_dir_set (copy, file->name, file->data->data, file->data->len);
  }
  return copy;
}

void
mem_dir_set_free_space (MemDir *self, guint64 bytes)
{
  self->free_space = bytes;
}

void
mem_dir_stop_after (MemDir *self, guint n, gboolean torn)
{
  self->changes = 0;
  self->stop_after = n;
  self->torn = torn;
}

guint
mem_dir_count_changes (MemDir *self)
{
  return self->changes;
}

static void
undo_change (GByteArray *data, const Undo *undo)
{
  gsize len;
  const guint8 *old = g_bytes_get_data (undo->old, &len);
  guint64 from;
  guint64 end;

  /* The size is kept: which of two changes of it was last is not known. */
  if (undo->offset + len > data->len)
    resize (data, undo->offset + len);
  if (len > 0)
    memcpy (data->data + undo->offset, old, len);
  /* What was behind the end then is zeros if it did not arrive. */
  from = MAX (undo->old_size, undo->offset);
  end = MIN (undo->offset + undo->len, data->len);
  if (from < end)
    memset (data->data + from, 0, (gsize)(end - from));
}

void
mem_dir_lose_unsynced (MemDir *self, GRand *rand)
{
  GHashTableIter iter;
  gpointer value;

  g_hash_table_iter_init (&iter, self->files);
  while (g_hash_table_iter_next (&iter, NULL, &value)) {
    MemFile *file = value;

    for (guint i = file->unsynced->len; i-- > 0;)
      if (g_rand_boolean (rand))
        undo_change (file->data, file->unsynced->pdata[i]);
    g_ptr_array_set_size (file->unsynced, 0);
  }
  self->stop_after = G_MAXUINT;
}
