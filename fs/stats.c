/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "stats.h"

static const char *const op_names[FS_N_OPS] = {
  [FS_OP_LOOKUP] = "lookup",
  [FS_OP_FORGET] = "forget",
  [FS_OP_GETATTR] = "getattr",
  [FS_OP_SETATTR] = "setattr",
  [FS_OP_READLINK] = "readlink",
  [FS_OP_MKNOD] = "mknod",
  [FS_OP_MKDIR] = "mkdir",
  [FS_OP_UNLINK] = "unlink",
  [FS_OP_RMDIR] = "rmdir",
  [FS_OP_SYMLINK] = "symlink",
  [FS_OP_RENAME] = "rename",
  [FS_OP_LINK] = "link",
  [FS_OP_CREATE] = "create",
  [FS_OP_OPEN] = "open",
  [FS_OP_READ] = "read",
  [FS_OP_WRITE] = "write",
  [FS_OP_FLUSH] = "flush",
  [FS_OP_RELEASE] = "release",
  [FS_OP_FSYNC] = "fsync",
  [FS_OP_POLL] = "poll",
  [FS_OP_LSEEK] = "lseek",
  [FS_OP_OPENDIR] = "opendir",
  [FS_OP_READDIR] = "readdir",
  [FS_OP_READDIRPLUS] = "readdirplus",
  [FS_OP_STATFS] = "statfs",
  [FS_OP_SETXATTR] = "setxattr",
  [FS_OP_GETXATTR] = "getxattr",
  [FS_OP_LISTXATTR] = "listxattr",
  [FS_OP_REMOVEXATTR] = "removexattr",
};

typedef struct {
  const char *name;
  const char *type;
  const char *help;
} StatRow;

static const StatRow stat_rows[FS_N_STATS] = {
  [FS_STAT_ERRORS] = { "vixfs_request_errors_total", "counter",
                       "Requests answered with an error." },
  [FS_STAT_NODES_SENT] = { "vixfs_invalidated_nodes_total", "counter",
                           "Nodes the kernel was told to ask for again." },
  [FS_STAT_ENTRIES_SENT] = { "vixfs_invalidated_names_total", "counter",
                             "Names the kernel was told to look up again." },
  [FS_STAT_SLOW] = { "vixfs_slow_operations_total", "counter",
                     "Operations that took more than a moment." },
  [FS_STAT_CHANGES_OK]
  = { "vixfs_changes_total", "counter", "Changes made on the host." },
  [FS_STAT_CHANGES_FAILED] = { "vixfs_changes_failed_total", "counter",
                               "Changes that failed or were cancelled." },
  [FS_STAT_BYTES_READ] = { "vixfs_file_bytes_read_total", "counter",
                           "Bytes read from files of VMs." },
  [FS_STAT_IMAGE_BYTES_READ] = { "vixfs_image_bytes_read_total", "counter",
                                 "Bytes read from images of disks." },
  [FS_STAT_JOBS] = { "vixfs_jobs", "gauge", "Jobs under way." },
  [FS_STAT_OPEN_FILES] = { "vixfs_open_files", "gauge", "Open files." },
};

const char *
fs_op_name (FsOp op)
{
  return op_names[op];
}

void
fs_stats_count (FsStats *self, FsOp op)
{
  g_atomic_pointer_add (&self->requests[op], 1);
}

void
fs_stats_add (FsStats *self, FsStat stat, gssize n)
{
  g_atomic_pointer_add (&self->values[stat], n);
}

void
fs_stats_print (FsStats *self, GString *out)
{
  guint i;

  g_string_append (out, "# HELP vixfs_requests_total Requests of the kernel.\n"
                        "# TYPE vixfs_requests_total counter\n");
  for (i = 0; i < FS_N_OPS; i++)
    g_string_append_printf (
      out, "vixfs_requests_total{op=\"%s\"} %" G_GSIZE_FORMAT "\n", op_names[i],
      (gsize)g_atomic_pointer_get (&self->requests[i]));
  for (i = 0; i < FS_N_STATS; i++)
    g_string_append_printf (
      out, "# HELP %s %s\n# TYPE %s %s\n%s %" G_GSIZE_FORMAT "\n",
      stat_rows[i].name, stat_rows[i].help, stat_rows[i].name,
      stat_rows[i].type, stat_rows[i].name,
      (gsize)g_atomic_pointer_get (&self->values[i]));
}
