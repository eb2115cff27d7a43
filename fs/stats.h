/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * stats.h - counters of a mount, shown in .vixfs/stats. Any thread, no lock.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* Requests of the kernel. */
typedef enum {
  FS_OP_LOOKUP,
  FS_OP_FORGET,
  FS_OP_GETATTR,
  FS_OP_SETATTR,
  FS_OP_READLINK,
  FS_OP_MKNOD,
  FS_OP_MKDIR,
  FS_OP_UNLINK,
  FS_OP_RMDIR,
  FS_OP_SYMLINK,
  FS_OP_RENAME,
  FS_OP_LINK,
  FS_OP_CREATE,
  FS_OP_OPEN,
  FS_OP_READ,
  FS_OP_WRITE,
  FS_OP_FLUSH,
  FS_OP_RELEASE,
  FS_OP_FSYNC,
  FS_OP_POLL,
  FS_OP_LSEEK,
  FS_OP_OPENDIR,
  FS_OP_READDIR,
  FS_OP_READDIRPLUS,
  FS_OP_STATFS,
  FS_OP_SETXATTR,
  FS_OP_GETXATTR,
  FS_OP_LISTXATTR,
  FS_OP_REMOVEXATTR,
  FS_N_OPS
} FsOp;

const char *fs_op_name (FsOp op);

/* What else is counted. */
typedef enum {
  FS_STAT_ERRORS,           /* requests answered with an errno */
  FS_STAT_NODES_SENT,       /* invalidations of nodes */
  FS_STAT_ENTRIES_SENT,     /* invalidations of names */
  FS_STAT_SLOW,             /* operations beyond FS_SLOW_MS */
  FS_STAT_CHANGES_OK,       /* operations that changed something */
  FS_STAT_CHANGES_FAILED,   /* ... that did not come off */
  FS_STAT_BYTES_READ,       /* of files/ */
  FS_STAT_IMAGE_BYTES_READ, /* of images of disks */
  FS_STAT_JOBS,             /* now: jobs under way */
  FS_STAT_OPEN_FILES,       /* now */
  FS_N_STATS
} FsStat;

typedef struct {
  gsize requests[FS_N_OPS]; /* atomic */
  gsize values[FS_N_STATS]; /* atomic */
} FsStats;

void fs_stats_count (FsStats *self, FsOp op);
void fs_stats_add (FsStats *self, FsStat stat, gssize n);

/* Prometheus' text format. */
void fs_stats_print (FsStats *self, GString *out);

G_END_DECLS
