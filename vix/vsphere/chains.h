/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * chains.h - from a snapshot to its disks, and from a disk to its chain of
 * files on the datastore.
 *
 * Which files a disk is made of is what the host says, not what descriptors
 * say: those name extents beside them and nothing else. Only of a host that
 * names the newest file alone the descriptors are asked for parents, on the
 * datastores that it has.
 */
#pragma once

#include "disk/chain.h"
#include "vsphere/host-private.h"

G_BEGIN_DECLS

/* One snapshot's disks, unpacked. */
typedef struct {
  gint64 snapshot;
  VsphereKnown known; /* without its disks */
  GPtrArray *disks;   /* (VsphereDisk), by node */
} VsphereDiskList;

/* May ask the host, see vsphere_need_known(). */
gboolean vsphere_disk_list_get (VsphereHost *host, const char *id,
                                gint64 snapshot, VsphereDiskList *ret_disks,
                                GCancellable *cancellable, GError **error);
void vsphere_disk_list_clear (VsphereDiskList *self);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (VsphereDiskList, vsphere_disk_list_clear)
/* (nullable): the disk at @node; its number in @ret_index */
const VsphereDisk *vsphere_disk_list_find (const VsphereDiskList *self,
                                           const char *node, guint *ret_index);

/* @id: the VM. %VIX_E_NOT_SUPPORTED for a disk with a problem; if what the
 * files say is not what the host says, %VIX_E_DISK_*. Blocks. */
VmdkChain *vsphere_chain_open (VsphereHost *host, const char *id,
                               const VsphereDisk *disk, GError **error);

/* Whether the newest @n files of the disk hold nothing; what cannot be read is
 * taken for something. Fails if the host cannot be asked. Blocks. */
gboolean vsphere_chain_is_blank (VsphereHost *host, const char *id,
                                 const VsphereDisk *disk, guint n,
                                 gboolean *ret_blank, GError **error);

G_END_DECLS
