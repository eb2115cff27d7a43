/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * images.c - the disks of a snapshot: which there are, how big, and since when
 * they hold what they hold. Costs the host nothing but what disk-table.c asks
 * once, and a look at files that are said to be empty.
 */
#include "image/image.h"

#include <string.h>

#include "base/error.h"
#include "vsphere/chains.h"

/* ---- since when a disk has its content ---- */

/* Whether nothing was written between @older and @disks. The host's names for
 * contents tell where something was; that nothing was is believed only when the
 * files, which are small then, say it as well. */
static gboolean
is_unwritten (VsphereHost *host, const char *id, const VsphereDiskList *disks,
              guint index, const VsphereDisk *older, gboolean *ret_unwritten,
              GError **error)
{
  const VsphereDisk *disk = disks->disks->pdata[index];
  guint64 bit = index < 64 ? G_GUINT64_CONSTANT (1) << index : 0;
  guint n = 0;

  *ret_unwritten = FALSE;
  if (*disk->problem != '\0' || *older->problem != '\0'
      || disk->bytes != older->bytes)
    return TRUE;
  while (n < disk->n_chain && strcmp (disk->chain[n], older->chain[0]) != 0)
    n++;
  if (n == disk->n_chain
      || (n > 0 && *disk->content != '\0' && *older->content != '\0'
          && strcmp (disk->content, older->content) != 0))
    return TRUE;
  if (n == 0 || (disks->known.settled & bit) != 0) {
    *ret_unwritten = n == 0 || (disks->known.unwritten & bit) != 0;
    return TRUE;
  }
  if (!vsphere_chain_is_blank (host, id, disk, n, ret_unwritten, error))
    return FALSE;
  vsphere_settle_known (host, id, disks->snapshot, &disks->known, index,
                        *ret_unwritten);
  return TRUE;
}

/* Goes up from @snapshot while nothing was written. */
static gboolean
find_changed_by (VsphereHost *host, const char *id, const VixExtVM *record,
                 gint64 snapshot, const char *node, gint64 *ret_id,
                 GCancellable *cancellable, GError **error)
{
  gboolean unwritten = TRUE;

  /* As often as there are snapshots: what a host says may go in circles. */
  for (gsize i = 0; unwritten && i < record->numSnapshots; i++) {
    const VixExtSnapshot *fact = vix_vm_record_find_snapshot (record, snapshot);
    g_auto (VsphereDiskList) disks = { .disks = NULL };
    g_auto (VsphereDiskList) parent = { .disks = NULL };
    const VsphereDisk *older;
    guint index = 0, older_index;

    *ret_id = snapshot;
    if (fact == NULL || fact->parent == 0)
      return TRUE;
    if (!vsphere_disk_list_get (host, id, snapshot, &disks, cancellable, error)
        || !vsphere_disk_list_get (host, id, fact->parent, &parent, cancellable,
                                   error))
      return FALSE;
    older = vsphere_disk_list_find (&parent, node, &older_index);
    if (older == NULL || vsphere_disk_list_find (&disks, node, &index) == NULL)
      return TRUE;
    if (!is_unwritten (host, id, &disks, index, older, &unwritten, error))
      return FALSE;
    snapshot = fact->parent;
  }
  return TRUE;
}

/* ---- the list ---- */

/* What the disk's files take on the datastore: no less than it holds. Where the
 * host does not tell, all of it: programs take what has no blocks for zeros. */
static gint64
get_allocated (VsphereHost *host, const char *id, gint64 snapshot,
               const VsphereDisk *disk)
{
  const char *ref = NULL;
  gint64 bytes = 0;
  const VsphereVm *vm;

  vix_lock (&host->lock);
  vm = vsphere_mirror_get_vm (host->mirror, id);
  if (vm != NULL)
    ref = vsphere_vm_get_snapshot_ref (vm, snapshot);
  if (ref != NULL)
    bytes = vsphere_vm_get_chain_bytes (vm, ref, disk->key);
  vix_unlock (&host->lock);
  return bytes > 0 ? MIN (bytes, disk->bytes) : disk->bytes;
}

gboolean
vsphere_list_images (VsphereHost *host, const char *id, gint64 snapshot,
                     VixExtImage **ret_images, gsize *ret_count,
                     const VixOp *op, GError **error)
{
  g_autoptr (GArray) images = vix_images_new ();
  g_autoptr (VixVmRecord) record = NULL;
  g_auto (VsphereDiskList) disks = { .disks = NULL };

  VIX_MAY_BLOCK ();
  if (!vsphere_disk_list_get (host, id, snapshot, &disks, op->cancellable,
                              error))
    return FALSE;
  record = vsphere_lookup_vm (host, id, op->cancellable, error);
  if (record == NULL)
    return FALSE;
  for (guint i = 0; i < disks.disks->len; i++) {
    const VsphereDisk *disk = disks.disks->pdata[i];
    gboolean readable = *disk->problem == '\0';
    VixExtImage image = { .changedBy = snapshot };

    if (readable
        && !find_changed_by (host, id, record, snapshot, disk->node,
                             &image.changedBy, op->cancellable, error))
      return FALSE;
    if (readable) {
      image.bytes = disk->bytes;
      image.allocated = get_allocated (host, id, snapshot, disk);
    }
    image.node = g_strdup (disk->node);
    image.problem = g_strdup (disk->problem);
    image.error = readable ? VIX_OK : VIX_E_NOT_SUPPORTED;
    g_array_append_val (images, image);
  }
  *ret_images = vix_images_pack (images);
  *ret_count = images->len;
  return TRUE;
}
