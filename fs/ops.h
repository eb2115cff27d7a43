/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ops.h - the kernel's requests: each finds its node, checks that its kind
 * can, and calls it. Called by libfuse's threads; the user data of the session
 * is the FsMount.
 */
#pragma once

#include "fs-fuse.h"

extern const struct fuse_lowlevel_ops fs_ops;
