/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fs-fuse.h - libfuse's low-level interface, in the version that we speak.
 */
#pragma once

#define FUSE_USE_VERSION 314
#include <fuse_lowlevel.h>
