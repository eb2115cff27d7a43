/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mount.h"

FsMount *
fs_mount_new (const FsOptions *options, const char *label)
{
  FsMount *self = g_new0 (FsMount, 1);

  self->options = options;
  self->label = g_strdup (label);
  self->started = g_get_real_time () / G_USEC_PER_SEC;
  self->hosts = g_ptr_array_new_with_free_func ((GDestroyNotify)fs_host_free);
  self->tree = fs_tree_new ();
  self->events = fs_events_new (fs_mount_interrupted, self);
  self->troubles = fs_troubles_new (self->tree, self->events);
  self->files = fs_files_new (self);
  self->images = fs_images_new (self);
  self->pins = fs_pins_new ();
  self->diffs = fs_diffs_new (self);
  self->changes = fs_changes_new (self);
  self->notify = fs_notify_new (&self->stats);
  self->late = fs_late_new ();
  return self;
}

void
fs_mount_add_host (FsMount *self, const FsSource *source,
                   FsCredentials *credentials)
{
  guint number = fs_tree_add_host (self->tree, source->name,
                                   source->is_local ? source->path : "");

  g_ptr_array_add (self->hosts,
                   fs_host_new (self, number, source, credentials));
}

gboolean
fs_mount_open (FsMount *self, GError **error)
{
  FsHost *first = self->hosts->pdata[0];
  guint i;

  if (*fs_host_source (first)->name == '\0')
    return fs_host_open (first, error);
  for (i = 0; i < self->hosts->len; i++)
    fs_host_begin (self->hosts->pdata[i]);
  for (i = 0; i < self->hosts->len; i++) {
    if (!fs_host_check (self->hosts->pdata[i], error))
      return FALSE;
  }
  return TRUE;
}

void
fs_mount_close (FsMount *self)
{
  guint i;

  if (self == NULL)
    return;
  for (i = 0; i < self->hosts->len; i++)
    fs_host_close (self->hosts->pdata[i]);
  fs_late_free (self->late);
  g_ptr_array_unref (self->hosts);
  fs_notify_free (self->notify);
  fs_changes_free (self->changes);
  fs_files_free (self->files);
  fs_diffs_free (self->diffs);
  fs_images_free (self->images);
  fs_pins_free (self->pins);
  fs_troubles_free (self->troubles);
  fs_events_free (self->events);
  fs_tree_free (self->tree);
  g_free (self->label);
  g_free (self);
}

FsHost *
fs_mount_host (const FsMount *self, const FsNode *node)
{
  return node->host != FS_NO_HOST ? self->hosts->pdata[node->host] : NULL;
}

/* ---- interrupts ---- */

typedef struct {
  FsMount *mount;
  guint64 request_id;
} Interrupt;

static gboolean
on_interrupt (gpointer data)
{
  const Interrupt *interrupt = data;

  fs_changes_interrupt (interrupt->mount->changes, interrupt->request_id);
  fs_events_interrupt (interrupt->mount->events, interrupt->request_id);
  return G_SOURCE_REMOVE;
}

void
fs_mount_interrupted (guint64 request_id, gpointer mount)
{
  Interrupt *interrupt = g_new (Interrupt, 1);

  *interrupt = (Interrupt){ mount, request_id };
  g_idle_add_full (G_PRIORITY_DEFAULT, on_interrupt, interrupt, g_free);
}
