/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fuzz-disk.h - what all targets of the disk code do with an image: look at
 * all that it says, read where it may hurt, write into it.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "disk/chain.h"
#include "mem-dir.h"

G_BEGIN_DECLS

/* The libFuzzer entry of every target. */
int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

/* Opens the chain of @name; maps and reads parts of it. */
void fuzz_read_chain (MemDir *dir, const char *name);
/* Puts a child on it, merges both ways, repairs; what is read through the
 * child must not change. Only small disks. */
void fuzz_write (MemDir *dir, const char *name);
/* The image as the only extent, of @sectors, of a disk called "disk". */
void fuzz_add_disk (MemDir *dir, const char *extent_type, guint64 sectors,
                    const uint8_t *data, size_t size);

G_END_DECLS
