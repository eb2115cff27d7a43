/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * VMs in local directories, as Workstation, Player and VMware Server 1 keep
 * them: connecting, finding, and the table of operations.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "base/error.h"
#include "workstation/host-private.h"
#include "workstation/tree.h"
#include "workstation/watch.h"

/* A file of preferences is some KiB. */
#define PREFERENCES_MAX_BYTES (1u << 20)

/* ---- where to look ---- */

/* prefvmx.defaultVMPath of the user's preferences; NULL if there is none. */
static char *
preferred_directory (void)
{
  g_autofree char *path
    = g_build_filename (g_get_home_dir (), ".vmware", "preferences", NULL);
  g_autofree char *text = NULL;
  g_autoptr (KvFile) file = NULL;
  const char *dir;
  struct stat st;
  gsize len;

  if (stat (path, &st) != 0 || !S_ISREG (st.st_mode)
      || st.st_size > (off_t)PREFERENCES_MAX_BYTES
      || !g_file_get_contents (path, &text, &len, NULL))
    return NULL;
  file = kv_file_parse (text, len, path, NULL);
  dir = file == NULL ? NULL : kv_file_get (file, "prefvmx.defaultVMPath");
  return dir != NULL && g_path_is_absolute (dir) ? g_strdup (dir) : NULL;
}

/* @path with its links resolved; as it is if it does not exist yet. */
static char *
canonical_directory (const char *path)
{
  char *real = realpath (path, NULL);
  char *copy
    = real != NULL ? g_strdup (real) : g_canonicalize_filename (path, "/");

  free (real);
  return copy;
}

/* A root inside of another one would show its VMs twice. */
static char **
default_roots (void)
{
  g_autofree char *preferred = preferred_directory ();
  g_autofree char *usual = g_build_filename (g_get_home_dir (), "vmware", NULL);
  g_autofree char *first = canonical_directory (usual);
  g_autofree char *second
    = preferred == NULL ? NULL : canonical_directory (preferred);
  char **roots = g_new0 (char *, 3);

  if (second == NULL || ws_path_is_inside (second, first)) {
    roots[0] = g_steal_pointer (&first);
  } else if (ws_path_is_inside (first, second)) {
    roots[0] = g_steal_pointer (&second);
  } else {
    roots[0] = g_steal_pointer (&first);
    roots[1] = g_steal_pointer (&second);
  }
  return roots;
}

static char **
source_roots (const char *source, GError **error)
{
  char **roots;
  struct stat st;

  if (!g_path_is_absolute (source)) {
    g_set_error (error, VIX_ERROR, VIX_E_INVALID_HOSTNAME_SPECIFICATION,
                 "\"%s\": for local VMs give no host name, or the absolute "
                 "path of a directory",
                 source);
    return NULL;
  }
  if (stat (source, &st) != 0) {
    vix_set_error_errno (error, errno, "%s", source);
    return NULL;
  }
  if (!S_ISDIR (st.st_mode)) {
    g_set_error (error, VIX_ERROR, VIX_E_NOT_A_DIRECTORY, "%s: is no directory",
                 source);
    return NULL;
  }
  roots = g_new0 (char *, 2);
  roots[0] = canonical_directory (source);
  return roots;
}

static gboolean
is_default_host (const char *name)
{
  return name == NULL || name[0] == '\0' || strcmp (name, "localhost") == 0;
}

/* ---- connecting ---- */

static void
ws_disconnect (gpointer data)
{
  WsHost *host = data;

  VIX_MAY_BLOCK ();
  ws_merge_queue_free (host->merges);
  ws_watch_free (host->watch);
  ws_vendor_close (host->vendor);
  ws_host_clear_inventory (host);
  g_strfreev (host->roots);
  g_free (host);
}

static gpointer
ws_connect (const VixConnectParams *params, VixInventory *inventory,
            const VixOp *op, GError **error)
{
  g_auto (GStrv) roots = is_default_host (params->host_name)
                           ? default_roots ()
                           : source_roots (params->host_name, error);
  WsVendor *vendor = NULL;
  WsHost *host;

  VIX_MAY_BLOCK ();
  if (roots == NULL || !ws_vendor_open (params, &vendor, op, error))
    return NULL;
  host = g_new0 (WsHost, 1);
  host->inventory = inventory;
  host->type = params->host_type;
  host->roots = g_steal_pointer (&roots);
  host->read_only = params->read_only;
  host->since_us = g_get_real_time ();
  host->vendor = vendor;
  ws_host_init_inventory (host);
  if (!host->read_only)
    host->merges = ws_merge_queue_new (host);
  return host;
}

static gboolean
ws_start_watch (gpointer data, GError **error)
{
  WsHost *host = data;

  host->watch = ws_watch_new (host);
  return TRUE;
}

/* Sums up the file systems below the roots, each once. */
static void
add_space (WsHost *host, VixExtHostStatus *status)
{
  unsigned long seen[2] = { 0 };
  gsize i, k, n = 0;

  for (i = 0; i < G_N_ELEMENTS (seen) && host->roots[i] != NULL; i++) {
    gboolean known = FALSE;
    struct statvfs fs;

    if (statvfs (host->roots[i], &fs) != 0)
      continue;
    for (k = 0; k < n; k++)
      known = known || seen[k] == fs.f_fsid;
    if (known)
      continue;
    seen[n++] = fs.f_fsid;
    status->capacity += (gint64)((guint64)fs.f_blocks * fs.f_frsize);
    status->freeSpace += (gint64)((guint64)fs.f_bavail * fs.f_frsize);
  }
}

static void
ws_get_status (gpointer data, VixExtHostStatus *status)
{
  WsHost *host = data;

  VIX_MAY_BLOCK ();
  status->state = VIXEXT_HOST_CONNECTED;
  status->since = host->since_us;
  g_strlcpy (status->product, "Workstation directory", sizeof status->product);
  status->apiVersion[0] = '\0';
  status->problem[0] = '\0';
  status->capacity = 0;
  status->freeSpace = 0;
  add_space (host, status);
}

/* ---- finding and opening ---- */

static char *
ws_open_vm (gpointer data, const char *path, const VixOp *op, GError **error)
{
  g_autofree char *id = ws_vm_id_from_path (path, error);
  g_autofree char *name = NULL;
  g_autoptr (WsVmDir) dir = NULL;
  g_autoptr (KvFile) vmx = NULL;

  if (id == NULL)
    return NULL;
  name = g_path_get_basename (id);
  if (!ws_is_vmx_name (name)) {
    g_set_error (error, VIX_ERROR, VIX_E_CANNOT_READ_VM_CONFIG,
                 "%s: is not called like a VM's configuration (.vmx)", path);
    return NULL;
  }
  dir = ws_host_open_vm_dir (data, id, error);
  vmx = dir == NULL ? NULL : ws_vm_dir_read_vmx (dir, error);
  return vmx == NULL ? NULL : g_steal_pointer (&id);
}

static const VixExtVM *
ws_lookup_vm (gpointer data, const char *id, const VixOp *op, GError **error)
{
  const VixExtVM *record = ws_host_read_vm (data, id);

  if (record == NULL)
    g_set_error (error, VIX_ERROR, VIX_E_VM_NOT_FOUND,
                 "%s: there is no such VM any more", id);
  return record;
}

static void
collect_id (gpointer data, WsNode *node, const char *vmx)
{
  g_ptr_array_add (data, ws_node_vm_id (node, vmx));
}

static gboolean
is_running (WsHost *host, const char *id)
{
  g_autoptr (VixVmRecord) record = ws_host_read_vm (host, id);

  return record != NULL
         && (record->powerState & VIX_POWERSTATE_POWERED_ON) != 0;
}

static gboolean
is_cancelled (gpointer data)
{
  return g_cancellable_is_cancelled (data);
}

static GPtrArray *
ws_find_vms (gpointer data, gboolean running_only, const VixOp *op,
             GError **error)
{
  WsHost *host = data;
  g_autoptr (GPtrArray) ids = g_ptr_array_new_with_free_func (g_free);
  WsTreeHooks hooks = { .stop = is_cancelled, .data = op->cancellable };
  guint i;

  VIX_MAY_BLOCK ();
  for (i = 0; host->roots[i] != NULL; i++) {
    WsNode *tree = ws_tree_new (host->roots[i]);

    ws_tree_scan (tree, &hooks);
    ws_tree_foreach_vm (tree, collect_id, ids);
    ws_tree_free (tree, NULL);
  }
  for (i = 0; running_only && i < ids->len
              && !g_cancellable_is_cancelled (op->cancellable);) {
    if (is_running (host, ids->pdata[i]))
      i++;
    else
      g_ptr_array_remove_index (ids, i);
  }
  if (!vix_check_cancelled (op->cancellable, error))
    return NULL;
  return g_steal_pointer (&ids);
}

/* ---- the table ---- */

const VixProviderOps ws_provider_ops = {
  .name = "workstation",
  .connect = ws_connect,
  .disconnect = ws_disconnect,
  .watch = ws_start_watch,
  .get_status = ws_get_status,
  .open_vm = ws_open_vm,
  .lookup_vm = ws_lookup_vm,
  .find_vms = ws_find_vms,
  /* Registering has no effect on local VMs: the API says so by itself. */
  .power = ws_power,
  .delete_vm = ws_delete_vm,
  .clone_vm = ws_clone_vm,
  .create_snapshot = ws_create_snapshot,
  .revert_to_snapshot = ws_revert_to_snapshot,
  .remove_snapshot = ws_remove_snapshot,
  .edit_snapshot = ws_edit_snapshot,
  .list_files = ws_list_files,
  .get_config = ws_get_config,
  .open_file = ws_open_file,
  .list_images = ws_list_images,
  .open_image = ws_open_image,
  .open_changes = ws_open_changes,
};
