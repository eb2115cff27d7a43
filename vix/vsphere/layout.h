/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * layout.h - the files of a virtual machine as layoutEx tells of them, packed.
 *
 * A host holds one for each VM, so that listing files costs no request. A VM
 * of four snapshots has some twenty files; they take about 500 bytes here and
 * 8 KB on the wire. Immutable. Nothing here blocks.
 */
#pragma once

#include "vix-ext.h"
#include "vsphere/soap/types.h"

G_BEGIN_DECLS

typedef struct VsphereLayout VsphereLayout;

/**
 * vsphere_layout_new:
 * @ret_cut: (out): it had more files than are kept
 *
 * Returns: (transfer full): one block, free with g_free()
 */
VsphereLayout *vsphere_layout_new (const SoapVirtualMachineFileLayoutEx *from,
                                   gboolean *ret_cut);

/* Tells layouts apart; 0 for %NULL. */
guint64 vsphere_layout_hash (const VsphereLayout *self);

/**
 * vsphere_layout_list:
 * @self: (nullable): then there are none
 * @ref: (nullable): the object of a snapshot, for the files that it froze and
 *   its state and memory; %NULL: all files of the VM
 * @modified: what they all have as their time
 *
 * Returns: (transfer full): sorted by name, in one block, free with g_free()
 */
VixExtFile *vsphere_layout_list (const VsphereLayout *self, const char *ref,
                                 gint64 modified, gsize *ret_n);

/* (transfer full) (nullable): "[ds] dir/file" of the listed @file. */
char *vsphere_layout_find_path (const VsphereLayout *self, const char *file);

/* Stands for the files, by name and size, that the disks of the snapshot are
 * made of; 0 if it is not told of. */
guint64 vsphere_layout_hash_chains (const VsphereLayout *self, const char *ref);
/* What the files of the chain of device @key come to together; 0 unknown. */
gint64 vsphere_layout_get_chain_bytes (const VsphereLayout *self,
                                       const char *ref, gint64 key);

/* (transfer full) (nullable): from the objects of snapshots (keys in @self) to
 * how many disks are part of each. */
GHashTable *vsphere_layout_count_disks (const VsphereLayout *self);

G_END_DECLS
