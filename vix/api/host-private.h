/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * host-private.h - the host object, for the files of api/.
 */
#pragma once

#include "core/job.h"
#include "core/object.h"
#include "core/provider.h"
#include "core/scope.h"

G_BEGIN_DECLS

typedef struct {
  VixObject object;
  VixScope scope; /* calls and jobs inside; guards watch_started */
  gboolean watch_started;

  /* const once connected */
  VixServiceProvider type; /* never DEFAULT */
  gboolean read_only;
  const VixProviderOps *ops;
  gpointer provider; /* what ops->connect gave; valid inside the scope */
  VixInventory *inventory;
  VixExtWatchProc *watch_proc;
  gpointer watch_data;
} VixHost;

static inline void
vix_host_unref (VixHost *self)
{
  vix_object_unref (self);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VixHost, vix_host_unref)

/* VixExt_CheckConnect(). */
gboolean vix_host_check (const VixConnectParams *params, GError **error);

/* VixHost_Connect() and VixExt_Connect(). */
VixHandle vix_host_connect (const VixConnectParams *params, gboolean pump,
                            VixEventProc *callback, gpointer client_data);

G_END_DECLS
