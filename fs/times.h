/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * times.h - since when disks of snapshots hold what they hold, for when the
 * snapshot that changed them last is gone, which no host of the network tells
 * then.
 *
 * A snapshot's disks never change: a note holds for as long as the snapshot is
 * there, and what is noted first stays. Notes of hosts are kept in a file of
 * this machine as well, one for each host, so that they outlast the mount; see
 * times-file.h. It is read when the mount begins and written by a thread of
 * its own: only fs_times_flush() waits for disks. Where it cannot be kept, that
 * is told once, and notes last as long as the mount.
 *
 * Any thread. Lock level 2; nothing is called while it is held.
 */
#pragma once

#include <glib.h>

#include "vix-ext.h"

G_BEGIN_DECLS

/* Notes of one host in memory, some 60 bytes each. */
#define FS_TIMES_MAX 500000
/* Those of VMs that the host no longer shows: they may come back. */
#define FS_TIMES_MAX_ABSENT 50000

typedef struct FsTimes FsTimes;
typedef void FsTimesWarn (const char *text, gpointer data);

/**
 * fs_times_directory:
 * @option: (nullable): what the option "state" says; "": nowhere
 *
 * Returns: (transfer full) (nullable): where files are kept; %NULL: nowhere
 */
char *fs_times_directory (const char *option);

/**
 * fs_times_new:
 * @dir: (nullable): where its file is; %NULL: in memory only
 * @host: what the host is called; users may call one by several names, and
 *   then have its disks read once more
 * @warn: says what is wrong with the file, from any thread
 */
FsTimes *fs_times_new (const char *dir, const char *host, FsTimesWarn *warn,
                       gpointer data);
/* Writes what is left to be written. %NULL is ignored. */
void fs_times_free (FsTimes *self);

/* Microseconds since 1970; 0: nothing is noted. */
gint64 fs_times_get (FsTimes *self, const VixExtVM *vm,
                     const VixExtSnapshot *snapshot, const char *disk,
                     gint64 bytes);
/* @changed: as fs_times_get() is to tell from now on */
void fs_times_put (FsTimes *self, const VixExtVM *vm,
                   const VixExtSnapshot *snapshot, const char *disk,
                   gint64 bytes, gint64 changed);

/* What the host has of @vm now: notes of other snapshots go. */
void fs_times_see (FsTimes *self, const VixExtVM *vm);
/* Each VM has been seen: what the file has of others may go. */
void fs_times_settle (FsTimes *self);

/* Waits until what was noted is on the disk, or could not be written; for some
 * seconds at most. */
void fs_times_flush (FsTimes *self);

G_END_DECLS
