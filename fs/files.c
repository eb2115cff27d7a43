/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "files.h"

#include <errno.h>
#include <string.h>

#include "errno-map.h"
#include "kept.h"
#include "mount.h"
#include "name.h"
#include "slots.h"
#include "trouble.h"

struct FsFiles {
  FsMount *mount;  /* const */
  FsKept *kept;    /* (FsListing) */
  FsKept *lengths; /* (gint64) of files that are not as long as listed */
};

/* ---- listings ---- */

static void
file_clear (gpointer data)
{
  FsFile *file = data;

  g_free (file->name);
}

static FsListing *
listing_new (const FsNode *node)
{
  FsListing *self = g_new0 (FsListing, 1);

  g_atomic_ref_count_init (&self->references);
  self->vm_slot = node->id.slot;
  self->version = node->version;
  self->files = g_array_new (FALSE, FALSE, sizeof (FsFile));
  g_array_set_clear_func (self->files, file_clear);
  self->owned = g_array_new (FALSE, FALSE, sizeof (FsOwned));
  return self;
}

static gpointer
listing_ref (gpointer data)
{
  FsListing *self = data;

  g_atomic_ref_count_inc (&self->references);
  return self;
}

void
fs_listing_unref (FsListing *self)
{
  if (self == NULL || !g_atomic_ref_count_dec (&self->references))
    return;
  g_array_unref (self->files);
  g_array_unref (self->owned);
  g_free (self);
}

static void
listing_drop (gpointer data)
{
  fs_listing_unref (data);
}

const FsFile *
fs_listing_find_slot (const FsListing *self, guint32 slot)
{
  return fs_slots_find (self->files, G_STRUCT_OFFSET (FsFile, slot), slot);
}

static void
foreach_owned (const FsListing *self, gint64 snapshot, guint32 after,
               gboolean (*func) (const FsFile *file, gpointer data),
               gpointer data)
{
  guint i;

  for (i = 0; i < self->owned->len; i++) {
    const FsOwned *owned = &g_array_index (self->owned, FsOwned, i);
    const FsFile *file = &g_array_index (self->files, FsFile, owned->index);

    if (owned->snapshot == snapshot && file->slot >= after
        && !func (file, data))
      return;
  }
}

void
fs_listing_foreach (const FsListing *self, gint64 snapshot, guint32 after,
                    gboolean (*func) (const FsFile *file, gpointer data),
                    gpointer data)
{
  guint i;

  if (snapshot != 0) {
    foreach_owned (self, snapshot, after, func, data);
    return;
  }
  for (i
       = fs_slots_position (self->files, G_STRUCT_OFFSET (FsFile, slot), after);
       i < self->files->len; i++) {
    if (!func (&g_array_index (self->files, FsFile, i), data))
      return;
  }
}

/* ---- making one ---- */

static int
compare_slots (gconstpointer a, gconstpointer b)
{
  const FsFile *one = a;
  const FsFile *two = b;

  return one->slot < two->slot ? -1 : one->slot > two->slot;
}

static int
compare_owned (gconstpointer a, gconstpointer b)
{
  const FsOwned *one = a;
  const FsOwned *two = b;

  if (one->snapshot != two->snapshot)
    return one->snapshot < two->snapshot ? -1 : 1;
  return one->index < two->index ? -1 : one->index > two->index;
}

/* What a directory of ours cannot hold is not shown. */
static gboolean
name_is_plain (const char *name)
{
  return *name != '\0' && strcmp (name, ".") != 0 && strcmp (name, "..") != 0
         && strchr (name, '/') == NULL && strlen (name) <= 255;
}

/* Files with their slots; FALSE if the VM is gone. */
static gboolean
add_files (FsListing *self, FsTree *tree, const VixExtFile *files, gsize count)
{
  g_autoptr (GPtrArray) names = g_ptr_array_new ();
  g_autoptr (GArray) slots = NULL;
  guint at = 0;
  gsize i;

  for (i = 0; i < count; i++) {
    if (name_is_plain (files[i].name))
      g_ptr_array_add (names, (gpointer)files[i].name);
  }
  slots = fs_tree_file_slots (tree, self->vm_slot, names);
  for (i = 0; slots != NULL && i < count; i++) {
    FsFileSlot slot;
    FsFile file = { 0 };

    if (!name_is_plain (files[i].name))
      continue;
    slot = g_array_index (slots, FsFileSlot, at++);
    if (slot.slot == 0)
      continue;
    file.name = g_strdup (files[i].name);
    file.slot = slot.slot;
    file.generation = slot.generation;
    file.bytes = files[i].bytes;
    file.allocated = files[i].allocated;
    file.modified = files[i].modified;
    self->bytes += file.bytes;
    self->allocated += file.allocated;
    g_array_append_val (self->files, file);
  }
  g_array_sort (self->files, compare_slots);
  return slots != NULL;
}

static void
add_owned (FsListing *self, GHashTable *by_name, gint64 snapshot,
           const VixExtFile *files, gsize count)
{
  gsize i;

  for (i = 0; i < count; i++) {
    FsOwned owned = { .snapshot = snapshot };
    gpointer index;

    if (!g_hash_table_lookup_extended (by_name, files[i].name, NULL, &index))
      continue;
    owned.index = GPOINTER_TO_UINT (index);
    g_array_index (self->files, FsFile, owned.index).owners++;
    g_array_append_val (self->owned, owned);
  }
}

/* Whether it stays so until the VM is another. */
static gboolean
is_lasting (int number)
{
  return number == 0 || number == EACCES;
}

/* Who lists the directory gets an empty one: here is why. */
static void
tell (FsFiles *self, const FsNode *node, VixError error, const char *message)
{
  FsNode vm = *node; /* borrowed: files/ of a snapshot is of the same list */

  vm.snapshot = NULL;
  if (is_lasting (fs_errno_from_vix (error)))
    fs_troubles_tell (self->mount->troubles, &vm, "files", error, message);
}

static VixError
list_files (FsFiles *self, const FsNode *node, gint64 snapshot,
            VixExtFile **ret_files, gsize *ret_count)
{
  char *message = NULL;
  VixError error
    = VixExt_ListFiles (fs_host_handle (fs_mount_host (self->mount, node)),
                        node->vm->id, snapshot, ret_files, ret_count, &message);

  if (VIX_FAILED (error)) {
    g_autofree char *text = fs_text_escape (message);

    g_debug ("files of %s: %s: %s", node->vm->displayName,
             VixExt_GetErrorName (error), text);
  }
  if (snapshot == 0)
    tell (self, node, error, message);
  Vix_FreeBuffer (message);
  return error;
}

static void
add_all_owned (FsFiles *self, FsListing *listing, const FsNode *node)
{
  g_autoptr (GHashTable) by_name = g_hash_table_new (g_str_hash, g_str_equal);
  gsize i;

  for (i = 0; i < listing->files->len; i++)
    g_hash_table_insert (by_name,
                         g_array_index (listing->files, FsFile, i).name,
                         GUINT_TO_POINTER (i));
  for (i = 0; i < node->vm->numSnapshots; i++) {
    gint64 snapshot = node->vm->snapshots[i].id;
    VixExtFile *files = NULL;
    gsize count = 0;

    if (VIX_FAILED (list_files (self, node, snapshot, &files, &count)))
      continue;
    add_owned (listing, by_name, snapshot, files, count);
    Vix_FreeBuffer (files);
  }
  g_array_sort (listing->owned, compare_owned);
}

static FsListing *
make_listing (FsFiles *self, const FsNode *node)
{
  FsListing *listing = listing_new (node);
  VixExtFile *files = NULL;
  gsize count = 0;
  VixError error = list_files (self, node, 0, &files, &count);

  if (VIX_FAILED (error))
    listing->error = fs_errno_from_vix (error);
  else if (!add_files (listing, self->mount->tree, files, count))
    listing->error = ESTALE;
  else
    add_all_owned (self, listing, node);
  Vix_FreeBuffer (files);
  return listing;
}

/* ---- keeping them ---- */

FsFiles *
fs_files_new (FsMount *mount)
{
  FsFiles *self = g_new0 (FsFiles, 1);

  self->mount = mount;
  self->kept = fs_kept_new (FS_FILES_KEPT, listing_ref, listing_drop);
  self->lengths = fs_kept_new (FS_FILES_LENGTHS_KEPT, g_atomic_rc_box_acquire,
                               g_atomic_rc_box_release);
  return self;
}

void
fs_files_free (FsFiles *self)
{
  if (self == NULL)
    return;
  fs_kept_free (self->kept);
  fs_kept_free (self->lengths);
  g_free (self);
}

FsListing *
fs_files_get (FsFiles *self, const FsNode *node)
{
  g_autofree char *key = g_strdup_printf ("%u", node->id.slot);
  FsListing *listing = fs_kept_get (self->kept, key);

  if (listing != NULL && listing->version == node->version)
    return listing;
  fs_listing_unref (listing);
  listing = make_listing (self, node);
  if (is_lasting (listing->error))
    fs_kept_put (self->kept, key, listing, 1);
  return listing;
}

/* ---- how long they are ---- */

/* Once it is listed with another size, it is another file, or was written to.
 */
static char *
length_key (const FsNode *node, const FsFile *file)
{
  return g_strdup_printf ("%" G_GINT64_MODIFIER "x %u %u %" G_GINT64_FORMAT,
                          node->identity, file->slot, file->generation,
                          file->bytes);
}

gint64
fs_files_get_length (FsFiles *self, const FsNode *node, const FsFile *file)
{
  g_autofree char *key = length_key (node, file);
  gint64 *known = fs_kept_get (self->lengths, key);
  gint64 length = known != NULL ? *known : file->bytes;

  if (known != NULL)
    g_atomic_rc_box_release (known);
  return length;
}

gboolean
fs_files_note_length (FsFiles *self, const FsNode *node, const FsFile *file,
                      gint64 length)
{
  g_autofree char *key = length_key (node, file);
  gint64 *box;

  if (fs_files_get_length (self, node, file) == length)
    return FALSE;
  box = g_atomic_rc_box_dup (sizeof length, &length);
  fs_kept_put (self->lengths, key, box, 1);
  g_atomic_rc_box_release (box);
  return TRUE;
}
