/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vsphere/waker.h"

static void
on_cancelled (GCancellable *cancellable, gpointer data)
{
  VsphereWaker *self = data;

  vix_lock (self->lock);
  g_cond_broadcast (self->cond);
  vix_unlock (self->lock);
}

void
vsphere_waker_begin_locked (VsphereWaker *self, VixLock *lock, GCond *cond,
                            GCancellable *cancellable)
{
  *self = (VsphereWaker){ lock, cond, cancellable, 0 };
  if (cancellable == NULL)
    return;
  vix_unlock (lock);
  self->id = g_cancellable_connect (cancellable, G_CALLBACK (on_cancelled),
                                    self, NULL);
  vix_lock (lock);
}

void
vsphere_waker_end_locked (VsphereWaker *self)
{
  if (self->cancellable == NULL)
    return;
  vix_unlock (self->lock);
  g_cancellable_disconnect (self->cancellable, self->id);
  vix_lock (self->lock);
}
