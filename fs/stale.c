/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "stale.h"

static void
entry_clear (gpointer data)
{
  FsStaleEntry *entry = data;

  g_free (entry->name);
}

FsStale *
fs_stale_new (void)
{
  FsStale *self = g_new (FsStale, 1);

  self->nodes = g_array_new (FALSE, FALSE, sizeof (guint64));
  self->entries = g_array_new (FALSE, FALSE, sizeof (FsStaleEntry));
  g_array_set_clear_func (self->entries, entry_clear);
  return self;
}

void
fs_stale_free (FsStale *self)
{
  if (self == NULL)
    return;
  g_array_unref (self->nodes);
  g_array_unref (self->entries);
  g_free (self);
}

void
fs_stale_add_node (FsStale *self, guint64 node)
{
  g_array_append_val (self->nodes, node);
}

void
fs_stale_add_entry (FsStale *self, guint64 parent, const char *name)
{
  FsStaleEntry entry = { parent, g_strdup (name) };

  g_array_append_val (self->entries, entry);
}
