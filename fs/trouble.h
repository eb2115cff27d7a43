/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * trouble.h - what cannot be read, told where people look for it: in the log of
 * the system, .vixfs/log and .vixfs/events, once for each thing and cause
 * however often a walk comes by, and by user.vix.error, which has what failed
 * last.
 *
 * Any thread. Lock level 2, and nothing is called while it is held.
 */
#pragma once

#include <glib.h>

#include "events.h"
#include "tree.h"
#include "vix.h"

G_BEGIN_DECLS

/* How many things are remembered, some 100 bytes each. */
#define FS_TROUBLES_KEPT 8192

typedef struct FsTroubles FsTroubles;

/* @tree and @events outlive it. */
FsTroubles *fs_troubles_new (FsTree *tree, FsEvents *events);
void fs_troubles_free (FsTroubles *self); /* NULL is ignored */

/**
 * fs_troubles_tell:
 * @node: of the VM, and of the snapshot if it has one
 * @what: the disk ("scsi0:0") or file
 * @error: VIX_OK: it can be read, and is told of when that ends. Nothing is
 *   told of who gave up waiting
 * @message: (nullable): as the library gave it
 */
void fs_troubles_tell (FsTroubles *self, const FsNode *node, const char *what,
                       VixError error, const char *message);

/* What user.vix.error is to say from now on; VIX_OK: nothing. */
void fs_trouble_set_error (FsTree *tree, guint32 slot, VixError error,
                           const char *message);

G_END_DECLS
