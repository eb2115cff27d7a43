/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * device.h - a virtual machine's devices, as its configuration lists them:
 * how a disk's place is called, and what it is made of.
 */
#pragma once

#include "vsphere/soap/types.h"

G_BEGIN_DECLS

/* No product takes nearly as many. */
#define VSPHERE_MAX_DEVICES 1024u

typedef struct {
  const char *type;        /* of the device */
  const char *prefix;      /* of its slots, in a .vmx */
  const char *virtual_dev; /* as a .vmx calls it; NULL: not at all */
} VsphereController;

/* (nullable): static; %NULL if @device is none */
const VsphereController *
vsphere_controller_of (const SoapVirtualDevice *device);

gboolean vsphere_device_is (const SoapVirtualDevice *device, const char *type);

/* (transfer full) (nullable): "scsi0:0"; %NULL without a controller */
char *vsphere_device_slot (const SoapVirtualHardware *hardware,
                           const SoapVirtualDevice *device);

G_END_DECLS
