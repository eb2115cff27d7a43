/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vm-record.h - from a VM's files to its record.
 */
#pragma once

#include "vix-ext.h"
#include "workstation/vm-dir.h"

G_BEGIN_DECLS

/* What a VM's files do not say: where it hangs in the tree. */
typedef struct {
  const char *path; /* below its root, components separated by '/' */
  const char *team; /* path of the .vmtm that names it; "" */
} WsVmPlace;

/**
 * ws_vm_record_read:
 * @id: canonical path of the .vmx
 * @roots: as for ws_vm_dir_open()
 *
 * Reads .vmx, .vmsd and locks as they are now. What cannot be read is told in
 * the record's .problem, which names file and cause. Blocks on I/O; any
 * thread.
 *
 * Returns: (transfer full) (nullable): %NULL if there is no such VM any more
 */
const VixExtVM *ws_vm_record_read (const char *id, const char *const *roots,
                                   const WsVmPlace *place);

G_END_DECLS
