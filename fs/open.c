/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "open.h"

gboolean
fs_open_pin (FsOpen *self, FsImages *images, guint64 key)
{
  g_assert (self->n_pins < G_N_ELEMENTS (self->pins));
  if (!fs_images_pin (images, key))
    return FALSE;
  self->images = images;
  self->pins[self->n_pins++] = key;
  return TRUE;
}

void
fs_open_free (FsOpen *self)
{
  if (self == NULL)
    return;
  g_clear_pointer (&self->text, g_bytes_unref);
  if (self->written != NULL)
    g_string_free (self->written, TRUE);
  VixExt_CloseFile (self->reader);
  while (self->n_pins > 0)
    fs_images_unpin (self->images, self->pins[--self->n_pins]);
  if (self->events != NULL)
    fs_events_close (self->events);
  g_free (self);
}
