/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * snapshot-state.h - what a snapshot keeps of its VM beside the disks: taking
 * it from the VM, reading it back, and dropping it.
 */
#pragma once

#include "workstation/state-file.h"
#include "workstation/vm-change.h"

G_BEGIN_DECLS

/* Keys of WsSavedState.notes. */
#define WS_NOTE_STATE_FILE "suspended.stateFile"

/* The VM's .vmx, .nvram and .vmxf as they are now; no notes. */
gboolean ws_collect_state (WsChange *change, WsSavedState *ret_state,
                           GError **error);

/**
 * ws_load_state:
 *
 * What the snapshot saved: from the sidecar, or where there is none from the
 * .vmsn that VMware wrote.
 */
gboolean ws_load_state (WsChange *change, const WsSnapshot *snapshot,
                        WsSavedState *ret_state, GError **error);

/* Name of the .nvram or .vmxf of a VM with this dictionary, or NULL if it lies
 * elsewhere; (transfer full). */
char *ws_nvram_name (WsChange *change, const KvFile *vmx);
char *ws_vmxf_name (WsChange *change, const KvFile *vmx);

/* Plans the removal of all state files of @snapshot. */
gboolean ws_plan_drop_state (WsChange *change, Txn *txn,
                             const WsSnapshot *snapshot, GError **error);

/* The state file (.vmss) of a suspended VM and the RAM beside it (.vmem, may
 * be absent): plain names in the VM's directory. */
typedef struct {
  char *vmss; /* NULL: not suspended */
  char *vmem; /* NULL: there is none */
} WsSuspendFiles;

void ws_suspend_files_clear (WsSuspendFiles *files);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (WsSuspendFiles, ws_suspend_files_clear)

/* %VIX_E_SNAPSHOT_CONFIG if they lie elsewhere. A file that is missing is no
 * error here. */
gboolean ws_find_suspend_files (WsChange *change, WsSuspendFiles *ret_files,
                                GError **error);

G_END_DECLS
