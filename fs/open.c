/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "open.h"

gboolean
fs_open_pin (FsOpen *self, FsPins *pins, guint32 slot, gint64 id)
{
  guint64 key = fs_pins_key (slot, id);

  g_assert (self->n_pinned < G_N_ELEMENTS (self->pinned));
  if (!fs_pins_add (pins, key))
    return FALSE;
  self->pins = pins;
  self->pinned[self->n_pinned++] = key;
  return TRUE;
}

void
fs_open_closed (FsOpen *self)
{
  guint i;

  if (!g_atomic_int_compare_and_exchange (&self->is_closed, FALSE, TRUE))
    return;
  for (i = 0; i < self->n_pinned; i++)
    fs_pins_expect_drop (self->pins, self->pinned[i]);
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
  while (self->n_pinned > 0)
    fs_pins_drop (self->pins, self->pinned[--self->n_pinned],
                  g_atomic_int_get (&self->is_closed));
  if (self->events != NULL)
    fs_events_close (self->events);
  g_free (self);
}
