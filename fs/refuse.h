/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * refuse.h - changes of a VM that fail before anything is sent; the reason is
 * in user.vix.error.
 */
#pragma once

#include "mount.h"
#include "request.h"

G_BEGIN_DECLS

/* Answers with the errno of @code; @format and what follows is the reason. */
void fs_refuse (FsMount *mount, const FsNode *node, FsRequest *request,
                int code, const char *format, ...) G_GNUC_PRINTF (5, 6);

/* The same for a name of which fs_name_parse() says @number. */
void fs_refuse_name (FsMount *mount, const FsNode *node, FsRequest *request,
                     const char *name, int number);

G_END_DECLS
