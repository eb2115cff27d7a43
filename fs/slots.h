/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * slots.h - arrays of what has a slot (node.h), sorted by that.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Of the first element with @slot or above. @offset: of the guint32 in it. */
guint fs_slots_position (GArray *array, gsize offset, guint32 slot);

/* (nullable): the element with @slot */
gpointer fs_slots_find (GArray *array, gsize offset, guint32 slot);

G_END_DECLS
