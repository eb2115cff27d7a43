/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "open.h"

void
fs_open_free (FsOpen *self)
{
  if (self == NULL)
    return;
  g_clear_pointer (&self->text, g_bytes_unref);
  if (self->written != NULL)
    g_string_free (self->written, TRUE);
  VixExt_CloseFile (self->reader);
  if (self->images != NULL)
    fs_images_unpin (self->images, self->pin);
  if (self->events != NULL)
    fs_events_close (self->events);
  g_free (self);
}
