/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * error.h - the one form of failure inside vix/: a GError of domain VIX_ERROR
 * whose code is a VIX_E_* value and whose text reads from the operation down
 * to the cause. Foreign codes are converted where they enter, here for errno
 * and GIO.
 */
#pragma once

#include <gio/gio.h>

#include "vix.h"

G_BEGIN_DECLS

#define VIX_ERROR (vix_error_quark ())
GQuark vix_error_quark (void);

/* Sets VIX_ERROR with the code for @err (VIX_E_FAIL for one that is not known)
 * and "<formatted>: <strerror>". */
void vix_set_error_errno (GError **error, int err, const char *format, ...)
  G_GNUC_PRINTF (3, 4);

/* A GError of any domain becomes one of VIX_ERROR; the text stays. */
void vix_error_normalize (GError **error);

/* FALSE and VIX_E_CANCELLED if @cancellable (may be NULL) was triggered. */
gboolean vix_check_cancelled (GCancellable *cancellable, GError **error);

G_END_DECLS
