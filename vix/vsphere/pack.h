/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pack.h - numbers and texts in few bytes: what is held for each of ten
 * thousand virtual machines. Only what put_* wrote may be taken: nothing is
 * checked.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Seven bits a byte, the low ones first. */
void vsphere_put_number (GByteArray *out, guint64 number);
guint64 vsphere_take_number (const guint8 **at);

/* What @text does not share with the beginning of @before. */
void vsphere_put_text (GByteArray *out, const char *before, const char *text);
/* @text: the one before, that becomes the one here */
void vsphere_take_text (const guint8 **at, GString *text);

/* FNV-1a, to be gone on with: from VSPHERE_HASH. */
#define VSPHERE_HASH G_GUINT64_CONSTANT (0xcbf29ce484222325)
guint64 vsphere_hash (guint64 hash, gconstpointer data, gsize n);

G_END_DECLS
