/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * attr.h - what stat says of a node, and lookups of nodes in directories.
 *
 * May ask the library for files (a local disk). Any thread.
 */
#pragma once

#include <glib.h>

#include "entries.h"

G_BEGIN_DECLS

/* How long the kernel may rely on what it was told: for good, since it is told
 * of changes. */
#define FS_TIMEOUT_SECONDS 1e8

/* errno; ESTALE if the node is gone. Sizes are exact, but for that of a file
 * whose host does not tell it now: 0. */
int fs_attr_fill (FsMount *mount, const FsNode *node, struct stat *ret_attr);

/* From microseconds since 1970. */
struct timespec fs_attr_time (gint64 microseconds);

/* Whether what is told of @node, or what it holds, may have to be asked for
 * from a host of the network. */
gboolean fs_may_wait (FsMount *mount, const FsNode *node);
/* Whether it is of a host of the network. */
gboolean fs_is_remote (FsMount *mount, const FsNode *node);

/* Seconds that @attr of @node may be relied on. */
double fs_attr_timeout (FsMount *mount, const FsNode *node,
                        const struct stat *attr);

/* The inode number and type only, of what was just listed: never blocks. */
int fs_attr_fill_brief (FsMount *mount, const FsNode *node,
                        struct stat *ret_attr);

/* errno; ENOENT if @dir holds no @name. */
int fs_find (FsMount *mount, const FsNode *dir, const char *name,
             FsNodeId *ret_id);

/* The node id of what row @entry of @dir's table stands for. */
FsNodeId fs_entry_id (const FsNode *dir, const FsEntry *entry);

/* What @dir is in; itself for the root. */
FsNodeId fs_parent_of (const FsNode *dir);

/* Fills an answer to a lookup of @id. */
int fs_attr_fill_entry (FsMount *mount, FsNodeId id,
                        struct fuse_entry_param *ret_entry);

G_END_DECLS
