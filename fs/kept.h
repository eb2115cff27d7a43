/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * kept.h - the things looked at last, by a text, within a bound.
 *
 * What is kept is counted and immutable. Any thread. Lock level 2; only the
 * functions that count are called while it is held.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct FsKept FsKept;

/* @max_cost: of all together; what was kept last stays whatever it costs. */
FsKept *fs_kept_new (gsize max_cost, gpointer (*ref) (gpointer value),
                     void (*unref) (gpointer value));
void fs_kept_free (FsKept *self); /* NULL is ignored */

/* (transfer full) (nullable) */
gpointer fs_kept_get (FsKept *self, const char *key);

/* Keeps @value, to which it adds a reference, in place of what it had. */
void fs_kept_put (FsKept *self, const char *key, gpointer value, gsize cost);

G_END_DECLS
