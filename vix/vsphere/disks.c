/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vsphere/disks.h"

#include <string.h>

#include "disk/chain.h"
#include "vsphere/device.h"
#include "vsphere/pack.h"

struct VsphereDisks {
  guint n;
  guint8 data[];
};

/* ---- from the wire ---- */

void
vsphere_disk_free (VsphereDisk *self)
{
  g_free (self->node);
  g_free (self->content);
  g_free (self->problem);
  g_strfreev (self->chain);
  g_free (self);
}

/* Backings whose files can be read by name. */
static const char *const readable[]
  = { "VirtualDiskFlatVer1BackingInfo",   "VirtualDiskFlatVer2BackingInfo",
      "VirtualDiskSparseVer1BackingInfo", "VirtualDiskSparseVer2BackingInfo",
      "VirtualDiskSeSparseBackingInfo",   NULL };

/* (transfer full) (nullable): why a file of the chain cannot be read. */
static char *
find_problem (const SoapDeviceBacking *backing, const char *kind)
{
  if (g_str_equal (kind, "VirtualDiskRawDiskMappingVer1BackingInfo"))
    return g_strdup ("it is a raw device mapping: what it holds is not in "
                     "files of the datastore");
  if (!g_strv_contains (readable, kind))
    return g_strdup_printf ("disks kept as %s cannot be read",
                            *kind == '\0' ? "the host does not say what"
                                          : kind);
  if (backing->keyId != NULL)
    return g_strdup ("it is encrypted");
  if (backing->backingObjectId != NULL && *backing->backingObjectId != '\0')
    return g_strdup ("it is an object of vSAN or a virtual volume, not files");
  if (backing->fileName == NULL || *backing->fileName != '['
      || strchr (backing->fileName, ']') == NULL)
    return g_strdup ("the host does not name its files");
  return NULL;
}

static gint64
capacity_of (const SoapVirtualDevice *device)
{
  if (device->capacityInBytes > 0)
    return device->capacityInBytes;
  return device->capacityInKB > 0 && device->capacityInKB <= G_MAXINT64 / 1024
           ? device->capacityInKB * 1024
           : 0;
}

/* (transfer full) (nullable): the problem; @chain gets the files. */
static char *
collect_chain (const SoapDeviceBacking *backing, GPtrArray *chain)
{
  const char *kind = "";
  char *problem = NULL;

  for (; backing != NULL && problem == NULL; backing = backing->parent) {
    /* A parent is of its child's type where it does not say another. */
    if (backing->kind != NULL)
      kind = backing->kind;
    problem = find_problem (backing, kind);
    if (problem == NULL && chain->len == VMDK_MAX_CHAIN)
      problem
        = g_strdup_printf ("its chain has more than %d files", VMDK_MAX_CHAIN);
    if (problem == NULL)
      g_ptr_array_add (chain, (gpointer)backing->fileName);
  }
  return problem;
}

static void
put_disk (GByteArray *out, const SoapVirtualDevice *device, const char *node)
{
  g_autoptr (GPtrArray) chain = g_ptr_array_new ();
  g_autofree char *problem = NULL;
  const char *content = NULL;
  const char *before = "";
  gint64 bytes = capacity_of (device);

  if (device->backing == NULL)
    problem = g_strdup ("the host does not say where it is kept");
  else if (bytes == 0)
    problem = g_strdup ("the host does not say how big it is");
  else
    problem = collect_chain (device->backing, chain);
  if (problem != NULL)
    g_ptr_array_set_size (chain, 0);
  else
    content = device->backing->contentId;
  vsphere_put_text (out, "", node);
  vsphere_put_number (out, (guint64)device->key);
  vsphere_put_number (out, (guint64)bytes);
  vsphere_put_text (out, "", content == NULL ? "" : content);
  vsphere_put_text (out, "", problem == NULL ? "" : problem);
  vsphere_put_number (out, chain->len);
  for (guint i = 0; i < chain->len; i++) {
    vsphere_put_text (out, before, chain->pdata[i]);
    before = chain->pdata[i];
  }
}

static gboolean
is_part (const SoapVirtualDevice *device)
{
  const char *mode = device->backing == NULL ? NULL : device->backing->diskMode;

  return vsphere_device_is (device, "VirtualDisk")
         && (mode == NULL || !g_str_has_prefix (mode, "independent_"));
}

VsphereDisks *
vsphere_disks_new (const SoapVirtualHardware *hardware)
{
  g_autoptr (GByteArray) out = g_byte_array_new ();
  gsize n_devices
    = hardware == NULL ? 0 : MIN (hardware->device.n, VSPHERE_MAX_DEVICES);
  VsphereDisks *self;
  guint n = 0;

  for (gsize i = 0; i < n_devices; i++) {
    const SoapVirtualDevice *device = &hardware->device.items[i];
    g_autofree char *node
      = is_part (device) ? vsphere_device_slot (hardware, device) : NULL;

    if (node == NULL)
      continue;
    put_disk (out, device, node);
    n++;
  }
  self = g_atomic_rc_box_alloc (sizeof *self + out->len);
  self->n = n;
  if (out->len > 0)
    memcpy (self->data, out->data, out->len);
  return self;
}

VsphereDisks *
vsphere_disks_ref (VsphereDisks *self)
{
  return g_atomic_rc_box_acquire (self);
}

void
vsphere_disks_unref (VsphereDisks *self)
{
  if (self != NULL)
    g_atomic_rc_box_release (self);
}

/* ---- unpacking ---- */

static char *
take_string (const guint8 **at)
{
  GString *text = g_string_new (NULL);

  vsphere_take_text (at, text);
  return g_string_free (text, FALSE);
}

static VsphereDisk *
take_disk (const guint8 **at)
{
  g_autoptr (GString) file = g_string_new (NULL);
  VsphereDisk *disk = g_new0 (VsphereDisk, 1);

  disk->node = take_string (at);
  disk->key = (gint64)vsphere_take_number (at);
  disk->bytes = (gint64)vsphere_take_number (at);
  disk->content = take_string (at);
  disk->problem = take_string (at);
  disk->n_chain = (guint)vsphere_take_number (at);
  disk->chain = g_new0 (char *, disk->n_chain + 1);
  for (guint i = 0; i < disk->n_chain; i++) {
    vsphere_take_text (at, file);
    disk->chain[i] = g_strdup (file->str);
  }
  return disk;
}

static int
compare_disks (gconstpointer a, gconstpointer b)
{
  const VsphereDisk *const *x = a, *const *y = b;

  return strcmp ((*x)->node, (*y)->node);
}

GPtrArray *
vsphere_disks_unpack (const VsphereDisks *self)
{
  GPtrArray *disks
    = g_ptr_array_new_with_free_func ((GDestroyNotify)vsphere_disk_free);
  const guint8 *at = self->data;

  for (guint i = 0; i < self->n; i++)
    g_ptr_array_add (disks, take_disk (&at));
  g_ptr_array_sort (disks, compare_disks);
  for (guint i = disks->len; i > 1; i--)
    if (compare_disks (&disks->pdata[i - 1], &disks->pdata[i - 2]) == 0)
      g_ptr_array_remove_index (disks, i - 1);
  return disks;
}
