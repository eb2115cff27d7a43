/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * datastore.h - files of a host's datastores, opened for reading.
 *
 * Paths are "[datastore] dir/file" as on the wire; @dc_path is the inventory
 * path of the file's datacenter (vsphere_vm_dup_datacenter_path()). Errors are
 * VIX_ERROR and name file, host and remedy:
 *   %VIX_E_FILE_NOT_FOUND
 *   %VIX_E_FILE_ALREADY_LOCKED   a running virtual machine holds it
 *   %VIX_E_NOT_SUPPORTED         an object of vSAN or vVols, which is no file
 *   %VIX_E_HOST_USER_PERMISSIONS
 *   %VIX_E_FILE_ERROR            it changed, or is shorter than it was
 * What blocks ends with %VIX_E_CANCELLED when the thread's current GCancellable
 * is cancelled. Any thread.
 */
#pragma once

#include "disk/source.h"
#include "vsphere/host-private.h"

G_BEGIN_DECLS

/**
 * vsphere_datastore_open:
 * @constant: a file that nobody writes: a link of a snapshot's chain. Should
 *   it be changed all the same, each read fails from then on; its content is
 *   kept for the next one who opens it
 * @cancellable: (nullable): of opening
 *
 * One request. The source's id is @path. It may outlive the host, only to be
 * freed then. Blocks.
 */
VmdkSource *vsphere_datastore_open (VsphereHost *host, const char *dc_path,
                                    const char *path, gboolean constant,
                                    GCancellable *cancellable, GError **error);

/* How many of its files, or parts of them, are worth reading at a time. */
guint vsphere_datastore_get_at_once (VsphereHost *host);

/* All of a small file that may be changed by others. Blocks. */
GBytes *vsphere_datastore_read_all (VsphereHost *host, const char *dc_path,
                                    const char *path, gsize max_bytes,
                                    GCancellable *cancellable, GError **error);

G_END_DECLS
