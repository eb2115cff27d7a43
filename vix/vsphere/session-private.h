/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * session-private.h - what session.c (being logged in, calls) and service.c
 * (what the host is) share.
 */
#pragma once

#include "base/lock.h"
#include "vsphere/session.h"

G_BEGIN_DECLS

struct VsphereSession {
  char *host;
  char *user;     /* NULL: the password is a clone ticket */
  char *password; /* of vix_secret_new(), for the next login */
  SoapPool *pool;
  SoapPool *file_pool;
  guint32 run_id; /* in operation ids */

  VixLock lock; /* level HOST: all below */
  GCond logged_in;
  VsphereService *service; /* NULL: not connected yet */
  char *cookie;            /* NULL: not logged in */
  char *account;           /* as the host spells it */
  guint generation;
  gboolean logging_in; /* somebody is at it; wait for logged_in */
  GError *refused;     /* the host does not let us in; final */
  guint n_calls;
  gint64 clock_offset; /* host's clock less g_get_monotonic_time() */
  gboolean clock_known;
  gboolean read_only; /* says the licence */
};

/* Sends one request, once, in the present session; @ret_cookie (nullable): as
 * the host set it. Blocks. */
SoapReply *vsphere_session_call_once (
  VsphereSession *self, const SoapMethod *method, const SoapRef *object,
  gconstpointer args, VsphereCallExtra *extra, const char *cookie,
  char **ret_cookie, GCancellable *cancellable, GError **error);

/* What time the host says it is. */
void vsphere_session_note_date (VsphereSession *self,
                                const SoapHttpAnswer *answer);

G_END_DECLS
