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

/* One field of a line: no tab, no line end. */
static void
append_field (GString *out, const char *text)
{
  gsize start = out->len;

  g_string_append (out, *text != '\0' ? text : "-");
  for (; start < out->len; start++) {
    if ((guchar)out->str[start] < ' ')
      out->str[start] = ' ';
  }
  g_string_append_c (out, '\t');
}

static void
print_host (FsHost *host, GString *out)
{
  const FsSource *source = fs_host_source (host);
  const char *name = *source->name != '\0' ? source->name
                     : source->is_local    ? source->path
                                           : source->text;
  VixExtHostStatus status;
  g_autofree char *since = NULL;
  g_autofree char *state = NULL;

  fs_host_get_status (host, &status);
  since = fs_time_text (status.since);
  if (status.state == VIXEXT_HOST_RECONNECTING)
    state = g_strdup_printf ("reconnecting since %s: %s",
                             since != NULL ? since : "-", status.problem);
  append_field (out, name);
  append_field (out, status.product);
  append_field (out, status.apiVersion);
  append_field (out, state != NULL ? state : "connected");
  g_string_append_printf (
    out, "%" G_GINT64_FORMAT " VMs\t%" G_GINT64_FORMAT " snapshots\n",
    (gint64)status.numVMs, (gint64)status.numSnapshots);
}

int
fs_hosts_print (FsMount *mount, const FsNode *node, GString *out)
{
  guint i;

  for (i = 0; i < mount->hosts->len; i++)
    print_host (mount->hosts->pdata[i], out);
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
  gint64 vms = 0;
  gint64 snapshots = 0;
  guint i;

  fs_stats_print (&mount->stats, out);
  g_string_append_printf (out,
                          "# HELP vixfs_handles Live handles of the library.\n"
                          "# TYPE vixfs_handles gauge\n"
                          "vixfs_handles %" G_GSIZE_FORMAT "\n",
                          (gsize)VixExt_CountHandles ());
  for (i = 0; i < mount->hosts->len; i++) {
    VixExtHostStatus status;

    fs_host_get_status (mount->hosts->pdata[i], &status);
    vms += status.numVMs;
    snapshots += status.numSnapshots;
  }
  g_string_append_printf (out,
                          "# HELP vixfs_vms VMs of all hosts.\n"
                          "# TYPE vixfs_vms gauge\n"
                          "vixfs_vms %" G_GINT64_FORMAT "\n"
                          "# HELP vixfs_snapshots Snapshots of all VMs.\n"
                          "# TYPE vixfs_snapshots gauge\n"
                          "vixfs_snapshots %" G_GINT64_FORMAT "\n",
                          vms, snapshots);
  return 0;
}
