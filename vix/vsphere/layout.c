/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The block is a string of numbers (seven bits a byte, the low ones first) and
 * texts:
 *
 *   for each directory that files are in, by first use: its path
 *   for each file, sorted by name:
 *     its name, as far as it differs from the one before; size, directory
 *   for each snapshot:
 *     the object's value with its NUL, a number that stands for the files its
 *     disks are made of, number of its disks, for each the device's key and
 *     the bytes of its chain; number of its files, for each the distance of
 *     its index from the one before
 *
 * What a snapshot froze is the end of each disk's chain as it was then, if the
 * VM does not write there (an independent disk, which is in no snapshot).
 */
#include "vsphere/layout.h"

#include <stdlib.h>
#include <string.h>

#include "vsphere/pack.h"

/* 496 snapshots of the 64 disks that a VM can have, two files each. */
#define MAX_FILES 65536u
/* As many as the mirror shows. */
#define MAX_SNAPSHOTS 20000u

struct VsphereLayout {
  guint64 hash; /* of data */
  guint32 n_dirs;
  guint32 n_files;
  guint32 n_snapshots;
  guint8 data[];
};

/* ---- packing ---- */

/* A file on its way into the block. */
typedef struct {
  const char *name; /* without its directory */
  const char *path;
  gint64 key;
  gint64 bytes;
  guint dir;
  gboolean foreign; /* not in the directory of the .vmx */
  guint order;      /* as the host lists them */
} Entry;

typedef struct {
  Entry *entries;
  guint n;
  GHashTable *by_key; /* Entry.key → index + 1 */
  guint8 *live;       /* for each, whether the VM writes there */
  GPtrArray *dirs;    /* "[ds] dir/" */
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
    entry->path = info->name;
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

/* Few: mostly one. */
static void
find_dirs (Packing *self)
{
  g_autoptr (GHashTable) seen = g_hash_table_new (g_str_hash, g_str_equal);

  for (guint i = 0; i < self->n; i++) {
    Entry *entry = &self->entries[i];
    g_autofree char *dir
      = g_strndup (entry->path, (gsize)(entry->name - entry->path));
    gpointer index = g_hash_table_lookup (seen, dir);

    if (index == NULL) {
      index = GUINT_TO_POINTER (self->dirs->len + 1);
      g_ptr_array_add (self->dirs, g_strdup (dir));
      g_hash_table_insert (seen, self->dirs->pdata[self->dirs->len - 1], index);
    }
    entry->dir = GPOINTER_TO_UINT (index) - 1;
  }
}

static void
put_dirs (Packing *self)
{
  const char *before = "";

  find_dirs (self);
  for (guint i = 0; i < self->dirs->len; i++) {
    vsphere_put_text (self->out, before, self->dirs->pdata[i]);
    before = self->dirs->pdata[i];
  }
}

static void
put_files (Packing *self)
{
  const char *before = "";

  for (guint i = 0; i < self->n; i++) {
    vsphere_put_text (self->out, before, self->entries[i].name);
    vsphere_put_number (self->out, (guint64)self->entries[i].bytes);
    vsphere_put_number (self->out, self->entries[i].dir);
    before = self->entries[i].name;
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

/* Counts the files of a disk's chain in, and goes on with their hash. */
static gint64
measure_chain (const Packing *self, const SoapFileLayoutExDiskLayout *disk,
               guint64 *hash)
{
  gint64 bytes = 0;
  guint index;

  *hash = vsphere_hash (*hash, &disk->key, sizeof disk->key);
  for (gsize i = 0; i < disk->chain.n; i++) {
    const SoapInts *keys = &disk->chain.items[i].fileKey;

    for (gsize k = 0; k < keys->n; k++) {
      const Entry *entry;

      if (!find_index (self, keys->items[k], &index))
        continue;
      entry = &self->entries[index];
      *hash = vsphere_hash (*hash, entry->path, strlen (entry->path) + 1);
      *hash = vsphere_hash (*hash, &entry->bytes, sizeof entry->bytes);
      if (bytes < G_MAXINT64 - entry->bytes)
        bytes += entry->bytes;
    }
  }
  return bytes;
}

/* The disks that are part of it; their files go into @indexes. */
static void
put_disks (Packing *self, const SoapFileLayoutExSnapshotLayout *from,
           GArray *indexes)
{
  g_autoptr (GByteArray) disks = g_byte_array_new ();
  guint64 hash = VSPHERE_HASH;
  guint n_disks = 0;

  for (gsize i = 0; i < from->disk.n; i++) {
    const SoapFileLayoutExDiskLayout *disk = &from->disk.items[i];

    if (!add_frozen (self, disk, indexes))
      continue;
    n_disks++;
    vsphere_put_number (disks, (guint64)disk->key);
    vsphere_put_number (disks, (guint64)measure_chain (self, disk, &hash));
  }
  g_byte_array_append (self->out, (const guint8 *)&hash, sizeof hash);
  vsphere_put_number (self->out, n_disks);
  g_byte_array_append (self->out, disks->data, disks->len);
}

static void
put_indexes (Packing *self, GArray *indexes)
{
  guint before = 0, kept = 0, index;

  g_array_sort (indexes, compare_indexes);
  for (guint i = 0; i < indexes->len; i++) {
    index = g_array_index (indexes, guint, i);
    if (kept == 0 || index != g_array_index (indexes, guint, kept - 1))
      g_array_index (indexes, guint, kept++) = index;
  }
  vsphere_put_number (self->out, kept);
  for (guint i = 0; i < kept; i++) {
    index = g_array_index (indexes, guint, i);
    vsphere_put_number (self->out, index - before);
    before = index;
  }
}

static void
put_snapshot (Packing *self, const SoapFileLayoutExSnapshotLayout *from)
{
  g_autoptr (GArray) indexes = g_array_new (FALSE, FALSE, sizeof (guint));
  guint index;

  if (find_index (self, from->dataKey, &index))
    g_array_append_val (indexes, index);
  /* No memory is -1, or absent. */
  if (from->memoryKey > 0 && find_index (self, from->memoryKey, &index))
    g_array_append_val (indexes, index);
  g_byte_array_append (self->out, (const guint8 *)from->key.value,
                       (guint)strlen (from->key.value) + 1);
  put_disks (self, from, indexes);
  put_indexes (self, indexes);
}

/* Collisions by chance only, and then a listing is late. */
static guint64
hash_of (const guint8 *data, gsize n)
{
  guint64 hash = vsphere_hash (VSPHERE_HASH, data, n);

  return hash == 0 ? 1 : hash;
}

static VsphereLayout *
seal (const Packing *self, guint n_snapshots)
{
  VsphereLayout *made = g_malloc (sizeof *made + self->out->len);

  made->hash = hash_of (self->out->data, self->out->len);
  made->n_dirs = self->dirs->len;
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
  g_autoptr (GPtrArray) dirs = g_ptr_array_new_with_free_func (g_free);
  Packing self = { .by_key = by_key, .dirs = dirs, .out = out };
  guint n_snapshots = 0;
  VsphereLayout *made;

  collect_entries (&self, from);
  for (guint i = 0; i < self.n; i++)
    g_hash_table_insert (by_key, &self.entries[i].key,
                         GUINT_TO_POINTER (i + 1));
  self.live = g_new0 (guint8, MAX (self.n, 1));
  mark_live (&self, from);
  put_dirs (&self);
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

/* @at is behind the file. */
typedef struct {
  const guint8 *at;
  GString *name;
  gint64 bytes;
  guint dir;
} Cursor;

/* Sets @at behind the first @n directories; returns the last of these in @dir,
 * which is scratch. */
static void
take_dirs (const VsphereLayout *self, guint n, const guint8 **at, GString *dir)
{
  *at = self->data;
  for (guint i = 0; i < n; i++)
    vsphere_take_text (at, dir);
}

static void
take_file (Cursor *self)
{
  vsphere_take_text (&self->at, self->name);
  self->bytes = (gint64)vsphere_take_number (&self->at);
  self->dir = (guint)vsphere_take_number (&self->at);
}

/* One snapshot of the block. */
typedef struct {
  const char *ref;
  guint64 hash;
  guint n_disks;
  const guint8 *disks;
  const guint8 *files;
} Snapshot;

static void
take_snapshot (const guint8 **at, Snapshot *snapshot)
{
  guint n;

  snapshot->ref = (const char *)*at;
  *at += strlen (snapshot->ref) + 1;
  memcpy (&snapshot->hash, *at, sizeof snapshot->hash);
  *at += sizeof snapshot->hash;
  snapshot->n_disks = (guint)vsphere_take_number (at);
  snapshot->disks = *at;
  for (guint i = 0; i < 2 * snapshot->n_disks; i++)
    vsphere_take_number (at);
  snapshot->files = *at;
  n = (guint)vsphere_take_number (at);
  for (guint i = 0; i < n; i++)
    vsphere_take_number (at);
}

static void
mark_files (const Snapshot *snapshot, guint8 *wanted)
{
  const guint8 *at = snapshot->files;
  guint n = (guint)vsphere_take_number (&at), index = 0;

  for (guint i = 0; i < n; i++) {
    index += (guint)vsphere_take_number (&at);
    wanted[index] = TRUE;
  }
}

/* Walks the files; those that are @wanted (NULL: all) go into @files and their
 * names to @names, unless that is NULL. Returns the bytes of their names. */
static gsize
walk (const VsphereLayout *self, const guint8 *wanted, gint64 modified,
      VixExtFile *files, char *names, const guint8 **ret_end, gsize *ret_n)
{
  g_autoptr (GString) name = g_string_new (NULL);
  Cursor cursor = { .name = name };
  gsize size = 0, n = 0;

  take_dirs (self, self->n_dirs, &cursor.at, name);
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

/* FALSE if there is none. */
static gboolean
find_snapshot (const VsphereLayout *self, const char *ref, Snapshot *snapshot)
{
  const guint8 *at;
  gsize n;

  if (self == NULL)
    return FALSE;
  walk (self, NULL, 0, NULL, NULL, &at, &n);
  for (guint i = 0; i < self->n_snapshots; i++) {
    take_snapshot (&at, snapshot);
    if (g_str_equal (snapshot->ref, ref))
      return TRUE;
  }
  return FALSE;
}

VixExtFile *
vsphere_layout_list (const VsphereLayout *self, const char *ref,
                     gint64 modified, gsize *ret_n)
{
  g_autofree guint8 *wanted = NULL;
  VixExtFile *files;
  const guint8 *end;
  Snapshot snapshot;
  gsize size;

  *ret_n = 0;
  if (self == NULL)
    return g_new0 (VixExtFile, 1);
  if (ref != NULL) {
    wanted = g_new0 (guint8, (gsize)self->n_files + 1);
    if (find_snapshot (self, ref, &snapshot))
      mark_files (&snapshot, wanted);
  }
  size = walk (self, wanted, modified, NULL, NULL, &end, ret_n);
  files = g_malloc0 (MAX (*ret_n, 1) * sizeof *files + size);
  walk (self, wanted, modified, files, (char *)(files + MAX (*ret_n, 1)), &end,
        ret_n);
  return files;
}

char *
vsphere_layout_find_path (const VsphereLayout *self, const char *file)
{
  g_autoptr (GString) name = g_string_new (NULL);
  Cursor cursor = { .name = name };
  const guint8 *end;

  if (self == NULL)
    return NULL;
  take_dirs (self, self->n_dirs, &cursor.at, name);
  for (guint i = 0; i < self->n_files; i++) {
    take_file (&cursor);
    if (!g_str_equal (name->str, file))
      continue;
    take_dirs (self, cursor.dir + 1, &end, name);
    return g_strconcat (name->str, file, NULL);
  }
  return NULL;
}

GHashTable *
vsphere_layout_count_disks (const VsphereLayout *self)
{
  GHashTable *counts;
  const guint8 *at;
  Snapshot snapshot;
  gsize n;

  if (self == NULL || self->n_snapshots == 0)
    return NULL;
  counts = g_hash_table_new (g_str_hash, g_str_equal);
  walk (self, NULL, 0, NULL, NULL, &at, &n);
  for (guint i = 0; i < self->n_snapshots; i++) {
    take_snapshot (&at, &snapshot);
    g_hash_table_insert (counts, (gpointer)snapshot.ref,
                         GUINT_TO_POINTER (snapshot.n_disks));
  }
  return counts;
}

guint64
vsphere_layout_hash_chains (const VsphereLayout *self, const char *ref)
{
  Snapshot snapshot;

  return find_snapshot (self, ref, &snapshot) ? snapshot.hash : 0;
}

gint64
vsphere_layout_get_chain_bytes (const VsphereLayout *self, const char *ref,
                                gint64 key)
{
  Snapshot snapshot;
  const guint8 *at;

  if (!find_snapshot (self, ref, &snapshot))
    return 0;
  at = snapshot.disks;
  for (guint i = 0; i < snapshot.n_disks; i++) {
    gint64 here = (gint64)vsphere_take_number (&at);
    gint64 bytes = (gint64)vsphere_take_number (&at);

    if (here == key)
      return bytes;
  }
  return 0;
}
