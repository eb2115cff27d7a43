/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The block is a string of numbers (seven bits a byte, the low ones first) and
 * texts:
 *
 *   for each file, sorted by name:
 *     bytes that its name shares with the one before, number of the others,
 *     those, size
 *   for each snapshot:
 *     the object's value with its NUL, number of its disks, number of its
 *     files, for each the distance of its index from the one before
 *
 * What a snapshot froze is the end of each disk's chain as it was then, if the
 * VM does not write there (an independent disk, which is in no snapshot).
 */
#include "vsphere/layout.h"

#include <stdlib.h>
#include <string.h>

/* 496 snapshots of the 64 disks that a VM can have, two files each. */
#define MAX_FILES 65536u
/* As many as the mirror shows. */
#define MAX_SNAPSHOTS 20000u

struct VsphereLayout {
  guint64 hash; /* of data */
  guint32 n_files;
  guint32 n_snapshots;
  guint8 data[];
};

/* ---- packing ---- */

/* A file on its way into the block. */
typedef struct {
  const char *name; /* without its directory */
  gint64 key;
  gint64 bytes;
  gboolean foreign; /* not in the directory of the .vmx */
  guint order;      /* as the host lists them */
} Entry;

typedef struct {
  Entry *entries;
  guint n;
  GHashTable *by_key; /* Entry.key → index + 1 */
  guint8 *live;       /* for each, whether the VM writes there */
  GByteArray *out;
} Packing;

/* "[ds] dir/web.vmx" is "web.vmx" here. */
static const char *
name_of (const char *path)
{
  const char *slash = strrchr (path, '/');
  const char *bracket = strchr (path, ']');

  if (slash != NULL)
    return slash + 1;
  return bracket == NULL ? path : bracket + 1 + strspn (bracket + 1, " ");
}

static int
compare_entries (const void *a, const void *b)
{
  const Entry *x = a, *y = b;
  int by_name = strcmp (x->name, y->name);

  if (by_name != 0)
    return by_name;
  if (x->foreign != y->foreign)
    return x->foreign ? 1 : -1;
  return (x->order > y->order) - (x->order < y->order);
}

/* (nullable): the .vmx, which lies in the VM's own directory. */
static const SoapFileLayoutExFileInfo *
find_config (const SoapVirtualMachineFileLayoutEx *from)
{
  for (gsize i = 0; i < from->file.n; i++)
    if (g_strcmp0 (from->file.items[i].type, "config") == 0)
      return &from->file.items[i];
  return NULL;
}

static gboolean
is_in_directory_of (const char *path, const char *other)
{
  gsize n = (gsize)(name_of (other) - other);

  return (gsize)(name_of (path) - path) == n && strncmp (path, other, n) == 0;
}

/* Of files of one name in two directories one can be shown: the VM's own, or
 * the first one. */
static void
collect_entries (Packing *self, const SoapVirtualMachineFileLayoutEx *from)
{
  const SoapFileLayoutExFileInfo *config = find_config (from);
  gsize most = MIN (from->file.n, MAX_FILES);
  guint kept = 0;

  self->entries = g_new (Entry, MAX (most, 1));
  for (gsize i = 0; i < most; i++) {
    const SoapFileLayoutExFileInfo *info = &from->file.items[i];
    Entry *entry = &self->entries[self->n];

    entry->name = name_of (info->name);
    entry->key = info->key;
    entry->bytes = MAX (info->size, 0);
    entry->foreign
      = config != NULL && !is_in_directory_of (info->name, config->name);
    entry->order = self->n;
    if (*entry->name != '\0')
      self->n++;
  }
  qsort (self->entries, self->n, sizeof *self->entries, compare_entries);
  for (guint i = 0; i < self->n; i++)
    if (kept == 0
        || strcmp (self->entries[kept - 1].name, self->entries[i].name) != 0)
      self->entries[kept++] = self->entries[i];
  self->n = kept;
}

/* FALSE if the file is not listed. */
static gboolean
find_index (const Packing *self, gint64 key, guint *ret_index)
{
  gpointer found = g_hash_table_lookup (self->by_key, &key);

  *ret_index = GPOINTER_TO_UINT (found) - 1;
  return found != NULL;
}

static void
put_number (GByteArray *out, guint64 number)
{
  guint8 byte;

  for (; number >= 0x80; number >>= 7) {
    byte = (guint8)(number | 0x80);
    g_byte_array_append (out, &byte, 1);
  }
  byte = (guint8)number;
  g_byte_array_append (out, &byte, 1);
}

static void
put_files (Packing *self)
{
  const char *before = "";

  for (guint i = 0; i < self->n; i++) {
    const char *name = self->entries[i].name;
    gsize shared = 0;

    while (before[shared] != '\0' && before[shared] == name[shared])
      shared++;
    put_number (self->out, shared);
    put_number (self->out, strlen (name + shared));
    g_byte_array_append (self->out, (const guint8 *)name + shared,
                         (guint)strlen (name + shared));
    put_number (self->out, (guint64)self->entries[i].bytes);
    before = name;
  }
}

/* (nullable): the files that a disk's writes go to, or went to. */
static const SoapInts *
last_unit (const SoapFileLayoutExDiskLayout *disk)
{
  return disk->chain.n == 0 ? NULL
                            : &disk->chain.items[disk->chain.n - 1].fileKey;
}

static void
mark_live (Packing *self, const SoapVirtualMachineFileLayoutEx *from)
{
  guint index;

  for (gsize i = 0; i < from->disk.n; i++) {
    const SoapInts *keys = last_unit (&from->disk.items[i]);

    for (gsize k = 0; keys != NULL && k < keys->n; k++)
      if (find_index (self, keys->items[k], &index))
        self->live[index] = TRUE;
  }
}

static int
compare_indexes (gconstpointer a, gconstpointer b)
{
  guint x = *(const guint *)a, y = *(const guint *)b;

  return (x > y) - (x < y);
}

/* FALSE if the disk is not part of the snapshot. */
static gboolean
add_frozen (const Packing *self, const SoapFileLayoutExDiskLayout *disk,
            GArray *indexes)
{
  const SoapInts *keys = last_unit (disk);
  guint before = indexes->len, index;

  for (gsize k = 0; keys != NULL && k < keys->n; k++) {
    if (!find_index (self, keys->items[k], &index))
      continue;
    if (self->live[index]) {
      g_array_set_size (indexes, before);
      return FALSE;
    }
    g_array_append_val (indexes, index);
  }
  return TRUE;
}

static void
put_snapshot (Packing *self, const SoapFileLayoutExSnapshotLayout *from)
{
  g_autoptr (GArray) indexes = g_array_new (FALSE, FALSE, sizeof (guint));
  guint n_disks = 0, before = 0, kept = 0, index;

  if (find_index (self, from->dataKey, &index))
    g_array_append_val (indexes, index);
  /* No memory is -1, or absent. */
  if (from->memoryKey > 0 && find_index (self, from->memoryKey, &index))
    g_array_append_val (indexes, index);
  for (gsize i = 0; i < from->disk.n; i++)
    n_disks += add_frozen (self, &from->disk.items[i], indexes);
  g_array_sort (indexes, compare_indexes);
  for (guint i = 0; i < indexes->len; i++) {
    index = g_array_index (indexes, guint, i);
    if (kept == 0 || index != g_array_index (indexes, guint, kept - 1))
      g_array_index (indexes, guint, kept++) = index;
  }
  g_byte_array_append (self->out, (const guint8 *)from->key.value,
                       (guint)strlen (from->key.value) + 1);
  put_number (self->out, n_disks);
  put_number (self->out, kept);
  for (guint i = 0; i < kept; i++) {
    index = g_array_index (indexes, guint, i);
    put_number (self->out, index - before);
    before = index;
  }
}

/* FNV-1a: collisions by chance only, and then a listing is late. */
static guint64
hash_of (const guint8 *data, gsize n)
{
  guint64 hash = G_GUINT64_CONSTANT (0xcbf29ce484222325);

  for (gsize i = 0; i < n; i++)
    hash = (hash ^ data[i]) * G_GUINT64_CONSTANT (0x100000001b3);
  return hash == 0 ? 1 : hash;
}

static VsphereLayout *
seal (const Packing *self, guint n_snapshots)
{
  VsphereLayout *made = g_malloc (sizeof *made + self->out->len);

  made->hash = hash_of (self->out->data, self->out->len);
  made->n_files = self->n;
  made->n_snapshots = n_snapshots;
  if (self->out->len > 0)
    memcpy (made->data, self->out->data, self->out->len);
  return made;
}

VsphereLayout *
vsphere_layout_new (const SoapVirtualMachineFileLayoutEx *from,
                    gboolean *ret_cut)
{
  g_autoptr (GHashTable) by_key
    = g_hash_table_new (g_int64_hash, g_int64_equal);
  g_autoptr (GByteArray) out = g_byte_array_new ();
  Packing self = { .by_key = by_key, .out = out };
  guint n_snapshots = 0;
  VsphereLayout *made;

  collect_entries (&self, from);
  for (guint i = 0; i < self.n; i++)
    g_hash_table_insert (by_key, &self.entries[i].key,
                         GUINT_TO_POINTER (i + 1));
  self.live = g_new0 (guint8, MAX (self.n, 1));
  mark_live (&self, from);
  put_files (&self);
  for (gsize i = 0; i < from->snapshot.n && n_snapshots < MAX_SNAPSHOTS; i++) {
    if (from->snapshot.items[i].key.value == NULL)
      continue;
    put_snapshot (&self, &from->snapshot.items[i]);
    n_snapshots++;
  }
  *ret_cut = from->file.n > MAX_FILES;
  made = seal (&self, n_snapshots);
  g_free (self.entries);
  g_free (self.live);
  return made;
}

guint64
vsphere_layout_hash (const VsphereLayout *self)
{
  return self == NULL ? 0 : self->hash;
}

/* ---- reading the block, which we made ---- */

/* @at is behind the file; its name is in @name. */
typedef struct {
  const guint8 *at;
  GString *name;
  gint64 bytes;
} Cursor;

static guint64
take_number (const guint8 **at)
{
  guint64 number = 0;
  guint shift = 0;

  for (; (**at & 0x80) != 0; shift += 7)
    number |= (guint64)(*(*at)++ & 0x7f) << shift;
  return number | (guint64) * (*at)++ << shift;
}

static void
take_file (Cursor *self)
{
  gsize shared = (gsize)take_number (&self->at);
  gsize n = (gsize)take_number (&self->at);

  g_string_truncate (self->name, shared);
  g_string_append_len (self->name, (const char *)self->at, (gssize)n);
  self->at += n;
  self->bytes = (gint64)take_number (&self->at);
}

/* @at is behind the snapshot; its files are set in @wanted, if that is one. */
static const char *
take_snapshot (const guint8 **at, guint *ret_disks, guint8 *wanted)
{
  const char *ref = (const char *)*at;
  guint n, index = 0;

  *at += strlen (ref) + 1;
  *ret_disks = (guint)take_number (at);
  n = (guint)take_number (at);
  for (guint i = 0; i < n; i++) {
    index += (guint)take_number (at);
    if (wanted != NULL)
      wanted[index] = TRUE;
  }
  return ref;
}

static void
find_wanted (const VsphereLayout *self, const guint8 *snapshots,
             const char *ref, guint8 *wanted)
{
  guint n_disks;

  for (guint i = 0; i < self->n_snapshots; i++) {
    const guint8 *again = snapshots;

    if (g_str_equal (take_snapshot (&snapshots, &n_disks, NULL), ref)) {
      take_snapshot (&again, &n_disks, wanted);
      return;
    }
  }
}

/* Walks the files; those that are @wanted (NULL: all) go into @files and their
 * names to @names, unless that is NULL. Returns the bytes of their names. */
static gsize
walk (const VsphereLayout *self, const guint8 *wanted, gint64 modified,
      VixExtFile *files, char *names, const guint8 **ret_end, gsize *ret_n)
{
  g_autoptr (GString) name = g_string_new (NULL);
  Cursor cursor = { .at = self->data, .name = name };
  gsize size = 0, n = 0;

  for (guint i = 0; i < self->n_files; i++) {
    take_file (&cursor);
    if (wanted != NULL && !wanted[i])
      continue;
    if (files != NULL)
      files[n] = (VixExtFile){ memcpy (names + size, name->str, name->len + 1),
                               cursor.bytes, cursor.bytes, modified };
    size += name->len + 1;
    n++;
  }
  *ret_end = cursor.at;
  *ret_n = n;
  return size;
}

VixExtFile *
vsphere_layout_list (const VsphereLayout *self, const char *ref,
                     gint64 modified, gsize *ret_n)
{
  g_autofree guint8 *wanted = NULL;
  VixExtFile *files;
  const guint8 *end;
  gsize size;

  *ret_n = 0;
  if (self == NULL)
    return g_new0 (VixExtFile, 1);
  size = walk (self, NULL, modified, NULL, NULL, &end, ret_n);
  if (ref != NULL) {
    wanted = g_new0 (guint8, (gsize)self->n_files + 1);
    find_wanted (self, end, ref, wanted);
    size = walk (self, wanted, modified, NULL, NULL, &end, ret_n);
  }
  files = g_malloc0 (MAX (*ret_n, 1) * sizeof *files + size);
  walk (self, wanted, modified, files, (char *)(files + MAX (*ret_n, 1)), &end,
        ret_n);
  return files;
}

GHashTable *
vsphere_layout_count_disks (const VsphereLayout *self)
{
  GHashTable *counts;
  const guint8 *at;
  gsize n;

  if (self == NULL || self->n_snapshots == 0)
    return NULL;
  counts = g_hash_table_new (g_str_hash, g_str_equal);
  walk (self, NULL, 0, NULL, NULL, &at, &n);
  for (guint i = 0; i < self->n_snapshots; i++) {
    guint n_disks;
    const char *ref = take_snapshot (&at, &n_disks, NULL);

    g_hash_table_insert (counts, (gpointer)ref, GUINT_TO_POINTER (n_disks));
  }
  return counts;
}
