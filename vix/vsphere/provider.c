/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * provider.c - the table that makes ESXi, vCenter and VMware Server 2 a kind
 * of host; errors become those of the library here, and nowhere else.
 */
#include "vsphere/provider.h"

#include <string.h>

#include "base/error.h"
#include "vsphere/chore.h"
#include "vsphere/error.h"
#include "vsphere/host-private.h"
#include "vsphere/soap/fault.h"

#define DEFAULT_SETTLE_MS 30000
#define READ_ONLY_REMARK " (free licence: reads only)"

/* ---- a host's life ---- */

static void
host_free (VsphereHost *host)
{
  if (host == NULL)
    return;
  vsphere_watch_free (host->watch);
  vsphere_chores_free (host->chores);
  vsphere_tasks_free (host->tasks);
  vsphere_transfer_free (host->transfer);
  vsphere_session_free (host->session);
  vsphere_mirror_free (host->mirror);
  if (host->waiters != NULL)
    g_hash_table_unref (host->waiters);
  vsphere_snapshot_clear_unsettled (host);
  g_cond_clear (&host->published);
  g_cond_clear (&host->answered);
  g_clear_pointer (&host->asked, g_hash_table_unref);
  vix_lock_clear (&host->lock);
  g_free (host);
}

static VsphereHost *
host_new (VsphereSession *session, VixInventory *inventory,
          const VixConnectParams *params)
{
  g_autoptr (VsphereService) service = vsphere_session_get_service (session);
  VsphereHost *host = g_new0 (VsphereHost, 1);
  gint64 settle_ms = params->settle_timeout_ms > 0 ? params->settle_timeout_ms
                                                   : DEFAULT_SETTLE_MS;

  host->inventory = inventory;
  host->session = session;
  host->is_vcenter = service->is_vcenter;
  host->settle_us = settle_ms * 1000;
  vix_lock_init (&host->lock, VIX_LOCK_HOST);
  g_cond_init (&host->published);
  g_cond_init (&host->answered);
  host->asked = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  g_queue_init (&host->unsettled);
  host->mirror = vsphere_mirror_new (!service->is_vcenter);
  host->waiters = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  host->transfer
    = vsphere_transfer_new (session, (guint64)MAX (params->cache_bytes, 0),
                            (guint)MAX (params->connections, 0));
  host->chores = vsphere_chores_new (host);
  host->tasks = vsphere_tasks_new (host);
  host->watch = vsphere_watch_new (host);
  return host;
}

static gboolean
read_address (const VixConnectParams *params, VsphereAddress *ret,
              GError **error)
{
  if (params->host_name != NULL && *params->host_name != '\0')
    return vsphere_address_parse (params->host_name, ret, error);
  g_set_error_literal (error, VIX_ERROR, VIX_E_INVALID_HOSTNAME_SPECIFICATION,
                       "no host is named; it is given as "
                       "https://HOST[:PORT]/sdk or HOST");
  return FALSE;
}

static gboolean
provider_check (const VixConnectParams *params, GError **error)
{
  g_auto (VsphereAddress) address = { NULL };

  if (read_address (params, &address, error)
      && vsphere_session_check (&address, params, error))
    return TRUE;
  vsphere_error_convert (error);
  return FALSE;
}

static gpointer
provider_connect (const VixConnectParams *params, VixInventory *inventory,
                  const VixOp *op, GError **error)
{
  g_auto (VsphereAddress) address = { NULL };
  g_autoptr (VsphereSession) session = NULL;

  if (!read_address (params, &address, error))
    return NULL;
  session = vsphere_session_new (&address, params, error);
  if (session == NULL
      || !vsphere_session_connect (session, op->cancellable, error)) {
    vsphere_error_convert (error);
    /* Programs know a refused login by this code. */
    if (error != NULL
        && g_error_matches (*error, VIX_ERROR, VIX_E_AUTHENTICATION_FAIL))
      (*error)->code = VIX_E_HOST_USER_PERMISSIONS;
    return NULL;
  }
  return host_new (g_steal_pointer (&session), inventory, params);
}

static void
provider_disconnect (gpointer host)
{
  host_free (host);
}

static gboolean
provider_watch (gpointer data, GError **error)
{
  VsphereHost *host = data;

  vsphere_watch_start (host->watch);
  return TRUE;
}

static void
provider_get_status (gpointer data, VixExtHostStatus *status)
{
  VsphereHost *host = data;
  g_autoptr (VsphereService) service
    = vsphere_session_get_service (host->session);

  const char *remark
    = vsphere_session_is_read_only (host->session) ? READ_ONLY_REMARK : "";
  gsize room = sizeof status->product - strlen (remark);

  g_strlcpy (status->product, service->full_name, room);
  g_strlcat (status->product, remark, sizeof status->product);
  g_strlcpy (status->apiVersion, service->api_version,
             sizeof status->apiVersion);
  vsphere_watch_get_status (host->watch, status);
}

/* ---- the rest: the same functions, with errors of the library ---- */

static char *
provider_open_vm (gpointer host, const char *path, const VixOp *op,
                  GError **error)
{
  char *id = vsphere_open_vm (host, path, op, error);

  if (id == NULL)
    vsphere_error_convert (error);
  return id;
}

static const VixExtVM *
provider_lookup_vm (gpointer host, const char *id, const VixOp *op,
                    GError **error)
{
  const VixExtVM *vm = vsphere_lookup_vm (host, id, op->cancellable, error);

  if (vm == NULL)
    vsphere_error_convert (error);
  return vm;
}

static GPtrArray *
provider_find_vms (gpointer host, gboolean running_only, const VixOp *op,
                   GError **error)
{
  GPtrArray *paths = vsphere_find_vms (host, running_only, op, error);

  if (paths == NULL)
    vsphere_error_convert (error);
  return paths;
}

static gboolean
converted (gboolean ok, GError **error)
{
  if (!ok)
    vsphere_error_convert (error);
  return ok;
}

static gboolean
provider_register_vm (gpointer host, const char *path, const VixOp *op,
                      GError **error)
{
  return converted (vsphere_register_vm (host, path, op, error), error);
}

static gboolean
provider_unregister_vm (gpointer host, const char *path, const VixOp *op,
                        GError **error)
{
  return converted (vsphere_unregister_vm (host, path, op, error), error);
}

static gboolean
provider_power (gpointer host, const char *id, VixPowerOp what, int options,
                const VixOp *op, GError **error)
{
  return converted (vsphere_power (host, id, what, options, op, error), error);
}

static gboolean
provider_delete_vm (gpointer host, const char *id, gboolean disk_files,
                    const VixOp *op, GError **error)
{
  return converted (vsphere_delete_vm (host, id, disk_files, op, error), error);
}

static gboolean
provider_create_snapshot (gpointer host, const char *id,
                          const VixSnapshotParams *params, gint64 *ret_id,
                          const VixOp *op, GError **error)
{
  if (params->replace != 0) {
    g_set_error_literal (error, VIX_ERROR, VIX_E_NOT_SUPPORTED,
                         "this kind of host cannot put one snapshot in the "
                         "place of another");
    return FALSE;
  }
  return converted (
    vsphere_create_snapshot (host, id, params, ret_id, op, error), error);
}

static gboolean
provider_revert_to_snapshot (gpointer host, const char *id, gint64 snapshot,
                             gboolean suppress_power_on, const VixOp *op,
                             GError **error)
{
  return converted (vsphere_revert_to_snapshot (host, id, snapshot,
                                                suppress_power_on, op, error),
                    error);
}

static gboolean
provider_remove_snapshot (gpointer host, const char *id, gint64 snapshot,
                          gboolean children, const VixOp *op, GError **error)
{
  return converted (
    vsphere_remove_snapshot (host, id, snapshot, children, op, error), error);
}

static gboolean
provider_edit_snapshot (gpointer host, const char *id, gint64 snapshot,
                        const char *name, const char *description,
                        const VixOp *op, GError **error)
{
  return converted (
    vsphere_edit_snapshot (host, id, snapshot, name, description, op, error),
    error);
}

static gboolean
provider_list_files (gpointer host, const char *id, gint64 snapshot,
                     VixExtFile **ret_files, gsize *ret_count, const VixOp *op,
                     GError **error)
{
  return converted (
    vsphere_list_files (host, id, snapshot, ret_files, ret_count, op, error),
    error);
}

static GBytes *
provider_get_config (gpointer host, const char *id, gint64 snapshot,
                     const VixOp *op, GError **error)
{
  GBytes *text = vsphere_get_config (host, id, snapshot, op, error);

  if (text == NULL)
    vsphere_error_convert (error);
  return text;
}

static gboolean
provider_measure_config (gpointer host, const char *id, gint64 snapshot,
                         gsize *ret_bytes, const VixOp *op, GError **error)
{
  return converted (
    vsphere_measure_config (host, id, snapshot, ret_bytes, op, error), error);
}

static VixFileReader *
opened (VixFileReader *reader, GError **error)
{
  if (reader == NULL)
    vsphere_error_convert (error);
  return reader;
}

static VixFileReader *
provider_open_file (gpointer host, const char *id, gint64 snapshot,
                    const char *name, const VixOp *op, GError **error)
{
  return opened (vsphere_open_file (host, id, snapshot, name, op, error),
                 error);
}

static gboolean
provider_list_images (gpointer host, const char *id, gint64 snapshot,
                      VixExtImage **ret_images, gsize *ret_count,
                      const VixOp *op, GError **error)
{
  return converted (
    vsphere_list_images (host, id, snapshot, ret_images, ret_count, op, error),
    error);
}

static VixFileReader *
provider_open_image (gpointer host, const char *id, gint64 snapshot,
                     const char *node, const VixOp *op, GError **error)
{
  return opened (vsphere_open_image (host, id, snapshot, node, error), error);
}

static VixFileReader *
provider_open_changes (gpointer host, const char *id, gint64 older,
                       gint64 snapshot, const char *node, const VixOp *op,
                       GError **error)
{
  return opened (vsphere_open_changes (host, id, older, snapshot, node, error),
                 error);
}

/* Cloning is not among what VIX does with these hosts. */
const VixProviderOps vsphere_provider_ops = {
  .name = "vsphere",
  .check = provider_check,
  .connect = provider_connect,
  .disconnect = provider_disconnect,
  .watch = provider_watch,
  .get_status = provider_get_status,
  .open_vm = provider_open_vm,
  .lookup_vm = provider_lookup_vm,
  .find_vms = provider_find_vms,
  .register_vm = provider_register_vm,
  .unregister_vm = provider_unregister_vm,
  .power = provider_power,
  .delete_vm = provider_delete_vm,
  .create_snapshot = provider_create_snapshot,
  .revert_to_snapshot = provider_revert_to_snapshot,
  .remove_snapshot = provider_remove_snapshot,
  .edit_snapshot = provider_edit_snapshot,
  .list_files = provider_list_files,
  .get_config = provider_get_config,
  .measure_config = provider_measure_config,
  .open_file = provider_open_file,
  .list_images = provider_list_images,
  .open_image = provider_open_image,
  .open_changes = provider_open_changes,
};
