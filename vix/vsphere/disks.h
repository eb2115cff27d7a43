/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * disks.h - the disks of a snapshot as its configuration lists them: where
 * they sit, how big they are, and the chain of files that each is made of.
 *
 * Packed, since a host with ten thousand virtual machines has forty thousand
 * of these: a disk takes some 60 bytes. Immutable and counted. Nothing here
 * blocks.
 */
#pragma once

#include "vsphere/soap/types.h"

G_BEGIN_DECLS

/* One disk, unpacked. */
typedef struct {
  char *node;    /* "scsi0:0" */
  gint64 key;    /* of the device, as layoutEx has it */
  gint64 bytes;  /* capacity */
  char *content; /* the host's name for what it holds; "" unknown. Equal only
                  * for equal content, but it may lag behind */
  char *problem; /* "" or why it cannot be read; then it has no chain */
  char **chain;  /* "[ds] dir/disk.vmdk", the newest first */
  guint n_chain;
} VsphereDisk;

void vsphere_disk_free (VsphereDisk *self);

typedef struct VsphereDisks VsphereDisks;

/* Of @hardware those that are part of a snapshot: not what is independent. */
VsphereDisks *vsphere_disks_new (const SoapVirtualHardware *hardware);
VsphereDisks *vsphere_disks_ref (VsphereDisks *self);
void vsphere_disks_unref (VsphereDisks *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VsphereDisks, vsphere_disks_unref)

/* (transfer full): (VsphereDisk), by node as text, no two of one node */
GPtrArray *vsphere_disks_unpack (const VsphereDisks *self);

G_END_DECLS
