/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vsphere/device.h"

static const VsphereController controllers[] = {
  { "ParaVirtualSCSIController", "scsi", "pvscsi" },
  { "VirtualLsiLogicSASController", "scsi", "lsisas1068" },
  { "VirtualLsiLogicController", "scsi", "lsilogic" },
  { "VirtualBusLogicController", "scsi", "buslogic" },
  { "VirtualAHCIController", "sata", NULL },
  { "VirtualNVMEController", "nvme", NULL },
  { "VirtualIDEController", "ide", NULL },
};

gboolean
vsphere_device_is (const SoapVirtualDevice *device, const char *type)
{
  return g_strcmp0 (device->kind, type) == 0;
}

const VsphereController *
vsphere_controller_of (const SoapVirtualDevice *device)
{
  for (gsize i = 0; i < G_N_ELEMENTS (controllers); i++)
    if (vsphere_device_is (device, controllers[i].type))
      return &controllers[i];
  return NULL;
}

char *
vsphere_device_slot (const SoapVirtualHardware *hardware,
                     const SoapVirtualDevice *device)
{
  gsize n = MIN (hardware->device.n, VSPHERE_MAX_DEVICES);

  for (gsize i = 0; i < n; i++) {
    const SoapVirtualDevice *at = &hardware->device.items[i];
    const VsphereController *controller = vsphere_controller_of (at);

    if (controller == NULL || at->key != device->controllerKey)
      continue;
    /* What no product has would not be a name. */
    if (at->busNumber < 0 || at->busNumber > 255 || device->unitNumber < 0
        || device->unitNumber > 255)
      return NULL;
    return g_strdup_printf ("%s%d:%d", controller->prefix, (int)at->busNumber,
                            (int)device->unitNumber);
  }
  return NULL;
}
