/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * reader.h - a chain as a file that is read: flat, as large as the disk.
 */
#pragma once

#include "core/provider.h"
#include "disk/chain.h"

G_BEGIN_DECLS

/* The whole disk. @chain: (transfer full) */
VixFileReader *vix_image_reader_new (VmdkChain *chain);

/**
 * vix_image_changes_reader_new:
 * @older: (transfer full) (nullable): a disk of zeros stands for it
 * @newer: (transfer full)
 *
 * As large as @newer, and data only where it may differ from @older (see
 * disk/changes.h): there it reads as @newer, zeros that are new included, and
 * all else is a hole.
 */
VixFileReader *vix_image_changes_reader_new (VmdkChain *older,
                                             VmdkChain *newer);

G_END_DECLS
