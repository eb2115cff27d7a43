/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* .vixfs/: what the mount tells of itself. */
#include "entries.h"
#include "json.h"

int
fs_version_print (FsMount *mount, const FsNode *node, GString *out)
{
  g_string_append (out, "vixfs " VIXFS_VERSION "\n");
  return 0;
}

int
fs_hosts_print (FsMount *mount, const FsNode *node, GString *out)
{
  VixExtHostStatus status = { .size = sizeof status };
  g_autofree char *since = NULL;

  if (VIX_FAILED (VixExt_GetHostStatus (mount->host, &status)))
    return 0;
  since = fs_time_text (status.since);
  g_string_append_printf (out, "%s\t%s\t%s\t", mount->source, status.product,
                          *status.apiVersion != '\0' ? status.apiVersion : "-");
  if (status.state == VIXEXT_HOST_RECONNECTING)
    g_string_append_printf (out, "reconnecting since %s: %s",
                            since != NULL ? since : "-", status.problem);
  else
    g_string_append (out, "connected");
  g_string_append_printf (
    out, "\t%" G_GINT64_FORMAT " VMs\t%" G_GINT64_FORMAT " snapshots\n",
    (gint64)status.numVMs, (gint64)status.numSnapshots);
  return 0;
}

int
fs_jobs_print (FsMount *mount, const FsNode *node, GString *out)
{
  fs_changes_print (mount->changes, out);
  return 0;
}

int
fs_log_print (FsMount *mount, const FsNode *node, GString *out)
{
  fs_events_print_log (mount->events, out);
  return 0;
}

int
fs_events_open_node (FsMount *mount, const FsNode *node, FsOpen *open)
{
  open->events = fs_events_open (mount->events);
  return 0;
}

int
fs_stats_print_node (FsMount *mount, const FsNode *node, GString *out)
{
  VixExtHostStatus status = { .size = sizeof status };

  fs_stats_print (&mount->stats, out);
  g_string_append_printf (out,
                          "# HELP vixfs_handles Live handles of the library.\n"
                          "# TYPE vixfs_handles gauge\n"
                          "vixfs_handles %" G_GSIZE_FORMAT "\n",
                          (gsize)VixExt_CountHandles ());
  if (VIX_FAILED (VixExt_GetHostStatus (mount->host, &status)))
    return 0;
  g_string_append_printf (out,
                          "# HELP vixfs_vms VMs of the host.\n"
                          "# TYPE vixfs_vms gauge\n"
                          "vixfs_vms %" G_GINT64_FORMAT "\n"
                          "# HELP vixfs_snapshots Snapshots of all VMs.\n"
                          "# TYPE vixfs_snapshots gauge\n"
                          "vixfs_snapshots %" G_GINT64_FORMAT "\n",
                          (gint64)status.numVMs, (gint64)status.numSnapshots);
  return 0;
}
