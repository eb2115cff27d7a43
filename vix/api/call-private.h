/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * call-private.h - one call of the API: what it works on, what it was given,
 * and the checks that most calls share.
 *
 * An asynchronous function makes a call from its handle, checks arguments,
 * and either starts the job, which owns the call from then on, or fails it:
 * both give the program a job.
 */
#pragma once

#include "api/vm-private.h"

G_BEGIN_DECLS

typedef struct {
  VixHost *host;         /* owned, never NULL */
  VixVM *vm;             /* owned, NULL if the host was meant */
  VixSnapshot *snapshot; /* owned, NULL if none was meant */
  char *text, *text2;    /* owned; what they are is up to the function */
  int options;
  gint64 number;
} VixCall;

/* From a handle of that type; %NULL and an error for all others. */
VixCall *vix_call_on_host (VixHandle handle, GError **error);
VixCall *vix_call_on_vm (VixHandle handle, GError **error);
VixCall *vix_call_on_snapshot (VixHandle handle, GError **error);
void vix_call_free (VixCall *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VixCall, vix_call_free)

/* Adds a snapshot to a call on its VM; 0 is allowed where @optional. */
gboolean vix_call_take_snapshot (VixCall *self, VixHandle handle,
                                 gboolean optional, GError **error);

/* ---- checks ---- */

/* What some products cannot do (the table is in call.c). */
typedef enum {
  VIX_FEATURE_SNAPSHOTS,
  VIX_FEATURE_CLONE,
  VIX_FEATURE_PAUSE,
  VIX_FEATURE_UPGRADE
} VixFeature;

gboolean vix_call_check_feature (const VixCall *self, VixFeature feature,
                                 GError **error);
/* %VIX_E_FILE_READ_ONLY on a host connected for reading only. */
gboolean vix_call_check_writable (const VixCall *self, GError **error);
/* %VIX_E_NOT_SUPPORTED unless the provider's @function is there. */
gboolean vix_call_check_function (gconstpointer function, const char *what,
                                  GError **error);

gboolean vix_check_no_list (VixHandle list, GError **error);
gboolean vix_check_options (int options, int allowed, GError **error);
/* Valid UTF-8; %NULL and "" unless @required. @what is for the message. */
gboolean vix_check_text (const char *what, const char *text, gboolean required,
                         GError **error);

/* ---- doing it ---- */

typedef enum {
  VIX_CALL_LOOKS,  /* changes nothing, runs beside all others */
  VIX_CALL_CHANGES /* in the queue of its VM, if it has one */
} VixCallKind;

/* @self: (transfer full). The job's data is the call. */
VixHandle vix_call_start (VixCall *self, VixCallKind kind, VixJobFunc run,
                          VixEventProc *callback, gpointer client_data);
/* @self: (nullable), borrowed; takes *@error. */
VixHandle vix_call_fail (const VixCall *self, GError **error,
                         VixEventProc *callback, gpointer client_data);
/* A job on @handle, of a VM, that ends with %VIX_E_NOT_SUPPORTED. */
VixHandle vix_call_unsupported (VixHandle handle, const char *what,
                                VixEventProc *callback, gpointer client_data);

/* (transfer full): the record of now. Asks the host; for callers outside of
 * jobs. */
const VixExtVM *vix_call_lookup_vm (const VixCall *self, GError **error);

/* ---- errors ---- */

/* What the program gets for @error, which may be %NULL: success. */
VixError vix_error_to_public (const GError *error);

G_END_DECLS
