/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * chore.h - calls that nobody waits for: giving back what the host keeps for
 * us. They run on a thread of their own one after the other; whether they
 * succeed does not matter, since the end of the session does the same.
 */
#pragma once

#include "vsphere/host-private.h"

G_BEGIN_DECLS

VsphereChores *vsphere_chores_new (VsphereHost *host);
/* Joins the thread; chores not begun are dropped, since the session goes. */
void vsphere_chores_free (VsphereChores *self);

/* Calls @method, which has no arguments, on the object. The host's lock may
 * be held. */
void vsphere_chore_push (VsphereHost *host, const SoapMethod *method,
                         const char *type, const char *value);

G_END_DECLS
