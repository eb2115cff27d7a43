/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/scope.h"

#include "base/error.h"

void
vix_scope_init (VixScope *self, gboolean pump)
{
  vix_lock_init (&self->lock, VIX_LOCK_HOST);
  g_cond_init (&self->changed);
  self->lookers = g_hash_table_new_full (NULL, NULL, g_object_unref, NULL);
  self->pump = pump;
  g_queue_init (&self->pumped);
}

void
vix_scope_clear (VixScope *self)
{
  g_assert (self->n_inside == 0 && g_queue_is_empty (&self->pumped));
  g_hash_table_unref (self->lookers);
  g_cond_clear (&self->changed);
  vix_lock_clear (&self->lock);
}

gboolean
vix_scope_enter (VixScope *self, GError **error)
{
  gboolean closing;

  vix_lock (&self->lock);
  closing = self->closing;
  if (!closing)
    self->n_inside++;
  vix_unlock (&self->lock);
  if (closing)
    g_set_error_literal (error, VIX_ERROR, VIX_E_HOST_NOT_CONNECTED,
                         "the host is being disconnected");
  return !closing;
}

void
vix_scope_leave (VixScope *self)
{
  vix_lock (&self->lock);
  if (--self->n_inside == 0)
    g_cond_broadcast (&self->changed);
  vix_unlock (&self->lock);
}

void
vix_scope_add_looker (VixScope *self, GCancellable *cancellable)
{
  gboolean closing;

  vix_lock (&self->lock);
  closing = self->closing;
  if (!closing)
    g_hash_table_add (self->lookers, g_object_ref (cancellable));
  vix_unlock (&self->lock);
  if (closing)
    g_cancellable_cancel (cancellable);
}

void
vix_scope_remove_looker (VixScope *self, GCancellable *cancellable)
{
  vix_lock (&self->lock);
  g_hash_table_remove (self->lookers, cancellable);
  vix_unlock (&self->lock);
}

gboolean
vix_scope_close (VixScope *self)
{
  g_autoptr (GPtrArray) lookers = g_ptr_array_new ();
  GHashTableIter iter;
  gpointer looker;
  gboolean first;

  g_ptr_array_set_free_func (lookers, g_object_unref);
  vix_lock (&self->lock);
  first = !self->closing;
  self->closing = TRUE;
  g_hash_table_iter_init (&iter, self->lookers);
  while (g_hash_table_iter_next (&iter, &looker, NULL))
    g_ptr_array_add (lookers, g_object_ref (looker));
  vix_unlock (&self->lock);
  for (guint i = 0; i < lookers->len; i++)
    g_cancellable_cancel (lookers->pdata[i]);
  return first;
}

void
vix_scope_wait_empty (VixScope *self)
{
  VIX_MAY_BLOCK ();
  vix_lock (&self->lock);
  while (self->n_inside > 0)
    vix_lock_wait (&self->lock, &self->changed);
  vix_unlock (&self->lock);
}

/* How many calls into the program this thread is inside of. */
static _Thread_local guint callback_depth;

void
vix_callback_enter (void)
{
  callback_depth++;
}

void
vix_callback_leave (void)
{
  callback_depth--;
}

gboolean
vix_callback_is_inside (void)
{
  return callback_depth > 0;
}
