/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * preload.h - the tables of many links, brought near all at once.
 *
 * One after the other, each of them would be waited for. Where they lie is in
 * the directories, which are read when a link is opened.
 */
#pragma once

#include "disk/link.h"

G_BEGIN_DECLS

/* How many reads of tables are worth doing at a time; 0 where they are near. */
guint vmdk_preload_count (const GPtrArray *links);

/**
 * vmdk_preload_tables:
 * @links: VmdkLink
 * @at_once: vmdk_preload_count()
 *
 * Reads the tables that say where the range is, so that whoever reads them next
 * finds them near. What is wrong with them is left to that one to find. Blocks.
 */
void vmdk_preload_tables (const GPtrArray *links, guint64 offset, guint64 len,
                          guint at_once);

G_END_DECLS
