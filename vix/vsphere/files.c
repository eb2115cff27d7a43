/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * files.c - the files of a virtual machine, and of each of its snapshots. Of a
 * watched host they are in memory, whether it is there or away.
 */
#include "base/error.h"
#include "vsphere/host-private.h"

static gboolean
list_locked (VsphereHost *host, const char *id, gint64 snapshot,
             VixExtFile **ret_files, gsize *ret_count, GError **error)
{
  const VsphereVm *vm = vsphere_mirror_get_vm (host->mirror, id);
  const VixExtVM *record;
  const VixExtSnapshot *fact;
  const char *ref;

  if (vm == NULL) {
    g_set_error (error, VIX_ERROR, VIX_E_VM_NOT_FOUND,
                 "%s has no virtual machine \"%s\" any more",
                 vsphere_session_get_host (host->session), id);
    return FALSE;
  }
  record = vsphere_vm_get_record (vm);
  if (snapshot == 0) {
    *ret_files = vsphere_vm_list_files (vm, NULL, record->changed, ret_count);
    return TRUE;
  }
  fact = vix_vm_record_find_snapshot (record, snapshot);
  ref = vsphere_vm_get_snapshot_ref (vm, snapshot);
  if (fact == NULL || ref == NULL) {
    g_set_error (error, VIX_ERROR, VIX_E_SNAPSHOT_NOTFOUND,
                 "%s has no snapshot with the id %" G_GINT64_FORMAT
                 " (any more)",
                 record->displayName, snapshot);
    return FALSE;
  }
  *ret_files = vsphere_vm_list_files (vm, ref, fact->created, ret_count);
  return TRUE;
}

gboolean
vsphere_list_files (VsphereHost *host, const char *id, gint64 snapshot,
                    VixExtFile **ret_files, gsize *ret_count, const VixOp *op,
                    GError **error)
{
  gboolean ok;

  if (!vsphere_need_files (host, id, op->cancellable, error))
    return FALSE;
  vix_lock (&host->lock);
  ok = list_locked (host, id, snapshot, ret_files, ret_count, error);
  vix_unlock (&host->lock);
  return ok;
}
