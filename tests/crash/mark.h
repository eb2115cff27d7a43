/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * mark.h - how a program tells inject.c where the operation begins and ends: a
 * prctl() that means nothing to the kernel.
 */
#pragma once

#include <sys/prctl.h>

#define INJECT_MARK 0x56495846

#define INJECT_BEGIN() ((void)prctl (INJECT_MARK, 0, 0, 0, 0))
#define INJECT_END() ((void)prctl (INJECT_MARK, 1, 0, 0, 0))
