/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * waker.h - while there is one, a cancel wakes those who wait for a condition.
 *
 * "locked" is @lock, which both release meanwhile: connecting may call.
 */
#pragma once

#include <gio/gio.h>

#include "base/lock.h"

G_BEGIN_DECLS

typedef struct {
  VixLock *lock;
  GCond *cond;
  GCancellable *cancellable; /* or NULL */
  gulong id;
} VsphereWaker;

void vsphere_waker_begin_locked (VsphereWaker *self, VixLock *lock, GCond *cond,
                                 GCancellable *cancellable);
void vsphere_waker_end_locked (VsphereWaker *self);

G_END_DECLS
