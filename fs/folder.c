/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "folder.h"

#include <string.h>

#include "name.h"
#include "node.h"

FsFolder *
fs_folder_new (guint32 slot, guint32 parent, const char *name,
               const char *raw_name, guint64 identity)
{
  FsFolder *self = g_new0 (FsFolder, 1);

  self->slot = slot;
  self->parent = parent;
  self->name = g_strdup (name);
  self->raw_name = g_strdup (raw_name);
  self->identity = identity;
  self->changed = g_get_real_time () / G_USEC_PER_SEC;
  self->children = g_array_new (FALSE, FALSE, sizeof (guint32));
  self->by_name = g_hash_table_new (g_str_hash, g_str_equal);
  self->by_raw = g_hash_table_new (g_str_hash, g_str_equal);
  return self;
}

void
fs_folder_free (FsFolder *self)
{
  if (self == NULL)
    return;
  g_free (self->name);
  g_free (self->raw_name);
  g_array_unref (self->children);
  g_hash_table_unref (self->by_name);
  g_hash_table_unref (self->by_raw);
  g_free (self);
}

static guint64
node_of (const FsFolder *self)
{
  return fs_node_pack ((FsNodeId){ self->slot, 0, FS_KIND_FOLDER, 1 });
}

static void
folder_changed (FsFolder *self, FsStale *stale)
{
  self->version++;
  self->changed = g_get_real_time () / G_USEC_PER_SEC;
  fs_stale_add_node (stale, node_of (self));
}

guint
fs_folder_position (const FsFolder *self, guint32 slot)
{
  guint low = 0;
  guint high = self->children->len;

  while (low < high) {
    guint middle = low + (high - low) / 2;

    if (g_array_index (self->children, guint32, middle) < slot)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

char *
fs_folder_free_name (const FsFolder *self, const char *raw_name, const char *id)
{
  guint variant = 0;

  for (;;) {
    g_autofree char *shown = fs_name_shown (raw_name, id, variant);

    if (!g_hash_table_contains (self->by_name, shown))
      return g_steal_pointer (&shown);
    variant++;
  }
}

char *
fs_folder_child_id (const char *id)
{
  if (strlen (id) <= 32 && strchr (id, '/') == NULL)
    return g_strdup (id);
  return g_strdup_printf ("%08x", (guint)fs_identity_text (id));
}

void
fs_folder_add_child (FsFolder *self, const char *name, guint32 slot,
                     FsStale *stale)
{
  g_hash_table_insert (self->by_name, (gpointer)name, GUINT_TO_POINTER (slot));
  g_array_insert_val (self->children, fs_folder_position (self, slot), slot);
  folder_changed (self, stale);
}

void
fs_folder_remove_child (FsFolder *self, const char *name, guint32 slot,
                        FsStale *stale)
{
  g_hash_table_remove (self->by_name, name);
  g_array_remove_index (self->children, fs_folder_position (self, slot));
  folder_changed (self, stale);
}
