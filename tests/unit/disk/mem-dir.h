/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * mem-dir.h - a directory of files in memory, with a resolver and sources for
 * the disk code. It can stop at any write, as if the process were killed, and
 * then lose what was not synced, as if the power failed.
 *
 * Not thread-safe.
 */
#pragma once

#include "disk/source.h"

G_BEGIN_DECLS

typedef struct MemDir MemDir;

MemDir *mem_dir_new (void);
void mem_dir_free (MemDir *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (MemDir, mem_dir_free)

VmdkResolver *mem_dir_get_resolver (MemDir *self);

/* Creates or replaces. */
void mem_dir_set (MemDir *self, const char *name, const void *data, gsize len);
/* (nullable): borrowed; may be changed in place while nothing is open. */
GByteArray *mem_dir_get (MemDir *self, const char *name);
void mem_dir_remove (MemDir *self, const char *name);
/* Opens @name for writing; creates it. */
VmdkSource *mem_dir_open (MemDir *self, const char *name);

/* Every file of a real directory, and back. */
void mem_dir_load (MemDir *self, const char *path);
void mem_dir_save (MemDir *self, const char *path);
MemDir *mem_dir_copy (MemDir *self);

/* Bytes that all files together may grow by before VIX_E_DISK_FULL; what is
 * reserved counts. G_MAXUINT64 at first. */
void mem_dir_set_free_space (MemDir *self, guint64 bytes);

/* After @n more changes of files every change fails; with @torn the last one
 * that succeeds takes effect only in its first half. G_MAXUINT: never. */
void mem_dir_stop_after (MemDir *self, guint n, gboolean torn);
/* Changes since the last call of mem_dir_stop_after(). */
guint mem_dir_count_changes (MemDir *self);

/* Of the changes not yet synced, file by file, undoes those that @rand picks
 * and ends the stop. */
void mem_dir_lose_unsynced (MemDir *self, GRand *rand);

G_END_DECLS
