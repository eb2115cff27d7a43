/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * xattr.h - the user.vix.* attributes of directories: facts, the description,
 * the last error.
 */
#pragma once

#include "entries.h"

G_BEGIN_DECLS

/* What a description may take. */
#define FS_DESCRIPTION_MAX 65536

/* errno; ENODATA if @node has no attribute @name. */
int fs_xattr_get (FsMount *mount, const FsNode *node, const char *name,
                  char **ret_value);

/* Names, each with its NUL. */
void fs_xattr_list (FsMount *mount, const FsNode *node, GString *out);

/* Both take over @rq and answer it, perhaps later. */
void fs_xattr_set (FsMount *mount, const FsNode *node, const char *name,
                   const char *value, gsize len, int flags, FsRequest *rq);
void fs_xattr_remove (FsMount *mount, const FsNode *node, const char *name,
                      FsRequest *rq);

G_END_DECLS
