/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * files.c - the files of a virtual machine, and of each of its snapshots. Of a
 * watched host the list is in memory, whether it is there or away; what is in
 * them is read from the datastore.
 */
#include <string.h>

#include "base/error.h"
#include "vsphere/datastore.h"
#include "vsphere/host-private.h"

static gboolean
check_told (VsphereHost *host, const VsphereVm *vm, GError **error)
{
  if (!vsphere_vm_lacks_files (vm))
    return TRUE;
  g_set_error (
    error, VIX_ERROR, VIX_E_HOST_USER_PERMISSIONS,
    "%s does not tell which files \"%s\" has (no layoutEx): the role "
    "of this user needs System.Read on it, and the host the API 4.0; "
    "its snapshots' disks do not depend on that",
    vsphere_session_get_host (host->session),
    vsphere_vm_get_record (vm)->displayName);
  return FALSE;
}

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
  if (!check_told (host, vm, error))
    return FALSE;
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

/* ---- content ---- */

typedef struct {
  VixFileReader base; /* must be first */
  VmdkSource *source;
} FileReader;

static gboolean
file_read (VixFileReader *base, guint64 offset, void *buf, gsize len,
           gsize *ret_done, GError **error)
{
  FileReader *self = (FileReader *)base;
  guint64 size = self->source->size;

  VIX_MAY_BLOCK ();
  len = (gsize)MIN (len, size - MIN (offset, size));
  if (len > 0
      && !self->source->ops->pread (self->source, offset, buf, len, error))
    return FALSE;
  *ret_done = len;
  return TRUE;
}

static void
file_free (VixFileReader *base)
{
  FileReader *self = (FileReader *)base;

  vmdk_source_free (self->source);
  g_free (self);
}

static gboolean
has_name (const VixExtFile *files, gsize n, const char *name)
{
  for (gsize i = 0; i < n; i++)
    if (strcmp (files[i].name, name) == 0)
      return TRUE;
  return FALSE;
}

/* (transfer full) (nullable): where the listed file @name is. */
static char *
find_locked (VsphereHost *host, const char *id, gint64 snapshot,
             const char *name, char **ret_dc_path, GError **error)
{
  g_autofree VixExtFile *files = NULL;
  const VsphereVm *vm;
  gsize n = 0;

  if (!list_locked (host, id, snapshot, &files, &n, error))
    return NULL;
  if (!has_name (files, n, name)) {
    g_set_error (error, VIX_ERROR, VIX_E_FILE_NOT_FOUND,
                 "\"%s\" is not among the files that %s lists (any more)", name,
                 vsphere_session_get_host (host->session));
    return NULL;
  }
  vm = vsphere_mirror_get_vm (host->mirror, id);
  *ret_dc_path = vsphere_vm_dup_datacenter_path (vm);
  return vsphere_vm_find_file (vm, name);
}

VixFileReader *
vsphere_open_file (VsphereHost *host, const char *id, gint64 snapshot,
                   const char *name, const VixOp *op, GError **error)
{
  g_autofree char *path = NULL;
  g_autofree char *dc_path = NULL;
  VmdkSource *source;
  FileReader *reader;

  if (!vsphere_need_files (host, id, op->cancellable, error))
    return NULL;
  vix_lock (&host->lock);
  path = find_locked (host, id, snapshot, name, &dc_path, error);
  vix_unlock (&host->lock);
  if (path == NULL || !vsphere_watch_check_here (host->watch, error))
    return NULL;
  source = vsphere_datastore_open (host, dc_path, path, FALSE, op->cancellable,
                                   error);
  if (source == NULL)
    return NULL;
  reader = g_new0 (FileReader, 1);
  reader->base.size = source->size;
  reader->base.read = file_read;
  reader->base.free = file_free;
  reader->source = source;
  return &reader->base;
}
