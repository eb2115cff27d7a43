/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What a configuration says of disks, hostile ones included; and that it comes
 * out of its packing as it went in.
 */
#include "vsphere/disks.h"

#include <string.h>

#include "disk/chain.h"

#define FLAT "VirtualDiskFlatVer2BackingInfo"

static const SoapVirtualDevice scsi
  = { .kind = "ParaVirtualSCSIController", .key = 1000, .busNumber = 0 };

static SoapVirtualDevice
disk_at (gint64 unit, const SoapDeviceBacking *backing)
{
  return (SoapVirtualDevice){ .kind = "VirtualDisk",
                              .key = 2000 + unit,
                              .controllerKey = 1000,
                              .unitNumber = unit,
                              .backing = backing,
                              .capacityInBytes = 1 << 20 };
}

/* "scsi0:0 1048576 [ds] a.vmdk < [ds] b.vmdk; ..." */
static char *
tell (const SoapVirtualDevice *devices, gsize n)
{
  const SoapVirtualHardware hardware = { .device = { devices, n } };
  g_autoptr (VsphereDisks) packed = vsphere_disks_new (&hardware);
  g_autoptr (GPtrArray) disks = vsphere_disks_unpack (packed);
  GString *text = g_string_new (NULL);

  for (guint i = 0; i < disks->len; i++) {
    const VsphereDisk *disk = disks->pdata[i];
    g_autofree char *chain = g_strjoinv (" < ", disk->chain);

    g_string_append_printf (text, "%s%s %" G_GINT64_FORMAT " %s%s",
                            i > 0 ? "; " : "", disk->node, disk->bytes, chain,
                            disk->problem);
    g_assert_cmpuint (disk->n_chain, ==, g_strv_length (disk->chain));
    g_assert_true ((disk->n_chain == 0) == (*disk->problem != '\0'));
  }
  return g_string_free (text, FALSE);
}

static void
assert_tells (const SoapVirtualDevice *disk, const char *wanted)
{
  const SoapVirtualDevice devices[] = { scsi, *disk };
  g_autofree char *text = tell (devices, 2);

  g_assert_cmpstr (text, ==, wanted);
}

static void
assert_problem (const SoapDeviceBacking *backing, const char *part)
{
  const SoapVirtualDevice devices[] = { scsi, disk_at (0, backing) };
  g_autofree char *text = tell (devices, 2);

  g_assert_nonnull (strstr (text, part));
}

static void
test_chain (void)
{
  /* Hosts say a parent's type only where it is another. */
  const SoapDeviceBacking base = { .fileName = "[ds] web/web.vmdk" };
  const SoapDeviceBacking delta = { .kind = FLAT,
                                    .fileName = "[ds] web/web-000001.vmdk",
                                    .contentId = "c1",
                                    .diskMode = "persistent",
                                    .parent = &base };
  SoapVirtualDevice disk = disk_at (0, &delta);

  assert_tells (&disk, "scsi0:0 1048576 [ds] web/web-000001.vmdk < "
                       "[ds] web/web.vmdk");
  disk.capacityInBytes = 0;
  disk.capacityInKB = 3;
  assert_tells (&disk, "scsi0:0 3072 [ds] web/web-000001.vmdk < "
                       "[ds] web/web.vmdk");
}

static void
test_which (void)
{
  const SoapDeviceBacking plain = { .kind = FLAT, .fileName = "[ds] a.vmdk" };
  const SoapDeviceBacking alone = { .kind = FLAT,
                                    .fileName = "[ds] b.vmdk",
                                    .diskMode = "independent_persistent" };
  SoapVirtualDevice devices[]
    = { disk_at (9, &plain),  disk_at (10, &plain),     scsi,
        disk_at (1, &alone),  disk_at (9, &plain),      disk_at (2, &plain),
        disk_at (-1, &plain), disk_at (1 << 20, &plain) };
  g_autofree char *text = NULL;

  /* Of no controller; and one that is no disk. */
  devices[1].controllerKey = 7;
  devices[5].kind = "VirtualCdrom";
  text = tell (devices, G_N_ELEMENTS (devices));
  g_assert_cmpstr (text, ==, "scsi0:9 1048576 [ds] a.vmdk");
}

static void
test_problems (void)
{
  const SoapNode key = { .name = "keyId", .text = "" };
  const SoapDeviceBacking rdm
    = { .kind = "VirtualDiskRawDiskMappingVer1BackingInfo",
        .fileName = "[ds] a.vmdk" };
  const SoapDeviceBacking delta
    = { .kind = FLAT, .fileName = "[ds] b.vmdk", .parent = &rdm };
  const SoapDeviceBacking encrypted
    = { .kind = FLAT, .fileName = "[ds] a.vmdk", .keyId = &key };
  const SoapDeviceBacking object
    = { .kind = FLAT, .fileName = "[ds] a.vmdk", .backingObjectId = "52-1" };
  const SoapDeviceBacking other
    = { .kind = "VirtualDiskNewBackingInfo", .fileName = "[ds] a.vmdk" };
  const SoapDeviceBacking nameless = { .kind = FLAT };
  const SoapDeviceBacking outside = { .kind = FLAT, .fileName = "/etc/shadow" };
  const SoapDeviceBacking open = { .kind = FLAT, .fileName = "[ds a.vmdk" };

  assert_problem (&rdm, "raw device mapping");
  assert_problem (&delta, "raw device mapping");
  assert_problem (&encrypted, "encrypted");
  assert_problem (&object, "vSAN");
  assert_problem (&other, "VirtualDiskNewBackingInfo");
  assert_problem (&nameless, "does not name");
  assert_problem (&outside, "does not name");
  assert_problem (&open, "does not name");
  assert_problem (NULL, "where it is kept");
}

static void
test_capacity (void)
{
  const SoapDeviceBacking plain = { .kind = FLAT, .fileName = "[ds] a.vmdk" };
  SoapVirtualDevice disk = disk_at (0, &plain);
  static const gint64 wrong[] = { 0, -1, G_MININT64, G_MAXINT64 };

  disk.capacityInBytes = -5;
  for (gsize i = 0; i < G_N_ELEMENTS (wrong); i++) {
    disk.capacityInKB = wrong[i];
    assert_tells (&disk, "scsi0:0 0 the host does not say how big it is");
  }
}

static void
test_endless (void)
{
  static SoapDeviceBacking chain[VMDK_MAX_CHAIN + 2];
  g_autofree SoapVirtualDevice *many = g_new0 (SoapVirtualDevice, 5000);
  g_autofree char *text = NULL;

  for (gsize i = 0; i < G_N_ELEMENTS (chain); i++)
    chain[i] = (SoapDeviceBacking){ .kind = FLAT,
                                    .fileName = "[ds] a.vmdk",
                                    .parent = &chain[i + 1] };
  chain[G_N_ELEMENTS (chain) - 1].parent = NULL;
  assert_problem (chain, "more than 256");
  /* Devices without end: those that no product has are not looked at. */
  for (gsize i = 0; i < 5000; i++)
    many[i] = i == 0 ? scsi : disk_at (0, &chain[VMDK_MAX_CHAIN + 1]);
  text = tell (many, 5000);
  g_assert_cmpstr (text, ==, "scsi0:0 1048576 [ds] a.vmdk");
}

static void
test_nothing (void)
{
  g_autoptr (VsphereDisks) packed = vsphere_disks_new (NULL);
  g_autoptr (GPtrArray) disks = vsphere_disks_unpack (packed);

  g_assert_cmpuint (disks->len, ==, 0);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/vsphere/disks/chain", test_chain);
  g_test_add_func ("/vsphere/disks/which-are-part", test_which);
  g_test_add_func ("/vsphere/disks/unreadable-ones-say-why", test_problems);
  g_test_add_func ("/vsphere/disks/capacity-makes-sense", test_capacity);
  g_test_add_func ("/vsphere/disks/no-end-is-no-harm", test_endless);
  g_test_add_func ("/vsphere/disks/nothing", test_nothing);
  return g_test_run ();
}
