/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vm-change.h - what every change of a VM starts and ends with: the locks, the
 * recovery of what a killed process left, the VM as it is now, and what
 * forbids changing it.
 */
#pragma once

#include "disk/chain.h"
#include "workstation/host-private.h"
#include "workstation/lock-file.h"
#include "workstation/txn.h"
#include "workstation/vmx.h"

G_BEGIN_DECLS

typedef struct {
  WsHost *host;    /* borrowed */
  const VixOp *op; /* borrowed */
  WsVmDir *dir;
  WsDirLock *dir_lock;
  GPtrArray *file_locks; /* WsFileLock */
  GHashTable *locked;    /* names that file_locks are on */
  KvFile *vmx;
  WsVmsd *vmsd;
  GPtrArray *disks; /* WsVmxDisk, all of the .vmx */
  WsResolver *resolver;
  char *vmsd_name;
  struct stat vmx_stat; /* new files take after it */
  /* For the merges of a transaction: how far they are, and what may stop
   * them; NULL: nothing does, they are past the point of no return. */
  guint merges_total;
  guint merges_done;
  GCancellable *merge_cancellable; /* borrowed */
} WsChange;

typedef enum {
  WS_CHANGE_DISKS, /* refuses what ws_vmx_check_native() refuses */
  WS_CHANGE_TEXT,  /* touches no disk and nothing that depends on them */
  WS_CHANGE_DELETE /* as DISKS, but whatever the .vmsd looks like */
} WsChangeKind;

/**
 * ws_change_open:
 * @wait_ms: as ws_dir_lock_take()
 *
 * Opens the directory, takes its lock and VMware's on the .vmx; reads nothing.
 */
WsChange *ws_change_open (WsHost *host, const char *id, int wait_ms,
                          const VixOp *op, GError **error);

/**
 * ws_change_begin:
 * @error: %VIX_E_FILE_ALREADY_LOCKED, %VIX_E_FILE_READ_ONLY for a host
 *   connected so, %VIX_E_CANCELLED while waiting for another change of ours,
 *   what ws_vmx_check_native(), ws_vmsd_check_writable() and ws_recover_vm()
 *   refuse
 *
 * Waits for our own changes of the VM, never for another program. Writes
 * nothing but locks, unless there is something to recover.
 */
WsChange *ws_change_begin (WsHost *host, const char *id, WsChangeKind kind,
                           const VixOp *op, GError **error);
/* Reads .vmx and .vmsd anew, after a commit. Nothing borrowed from @self's
 * fields survives it. */
gboolean ws_change_reload (WsChange *self, GError **error);

/* Releases the locks. Publishes nothing. */
void ws_change_end (WsChange *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (WsChange, ws_change_end)

/* %VIX_E_SNAPSHOT_INCONSISTENT if a disk of the .vmx is one that a snapshot
 * has frozen: the state that a crash between two steps of another program
 * leaves. Starting the VM would destroy the snapshot. */
gboolean ws_change_check_running_disks (WsChange *self, GError **error);

/* Takes VMware's lock on @name, a file of the directory; kept to the end.
 * Nothing happens if it is taken already. */
gboolean ws_change_lock (WsChange *self, const char *name, GError **error);

/* A transaction on this VM, with what merges and repairs need. */
Txn *ws_change_new_txn (WsChange *self);

/* Canonical path of a disk as the .vmx or .vmsd spell it. */
char *ws_change_locate (WsChange *self, const char *file_name, GError **error);

/* As the .vmx or a descriptor of this VM would name the file at @path: plain
 * or relative if it lies below the VM's directory, else absolute. Borrowed
 * from @path. */
const char *ws_change_relative (const WsChange *self, const char *path);

/* %VIX_E_SNAPSHOT_NOTFOUND unless the VM has it. Borrowed. */
const WsSnapshot *ws_change_find (WsChange *self, gint64 uid, GError **error);

void ws_op_progress (const VixOp *op, int percent);

G_END_DECLS
