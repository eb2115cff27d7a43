/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * lock-file.h - who else is at work on a VM.
 *
 * Two kinds of lock. flock() on the VM's directory orders our own processes
 * and hosts among each other: hold it for the whole of every change. VMware's
 * own lock directories (FILE.lck/M#####.lck) keep VMware out and are honoured:
 * take one on the .vmx and on each disk that is written, after the flock.
 * Ours carry the extra token vixfs=1, by which we know each other's and
 * remove what a killed one of us left. A lock of another program is never
 * removed, stale or not.
 *
 * Stale: same machine, and its process is gone or its pid belongs to a process
 * with another start time. What cannot be decided counts as held.
 *
 * Any thread; taking blocks on I/O and waiting.
 */
#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

/* How long VMware waits for a lock; a good default for ours. */
#define WS_FILE_LOCK_WAIT_MS 3500

/* In rising order: of several members the highest state counts. */
typedef enum {
  WS_LOCK_FREE,  /* nobody */
  WS_LOCK_STALE, /* only dead owners */
  WS_LOCK_KIN,   /* a living process of this project, perhaps this one */
  WS_LOCK_HELD   /* another program, or not decidable */
} WsLockState;

/* The owner that made the state what it is. */
typedef struct {
  char *machine; /* as in the member file; "" if unreadable */
  gint64 pid;    /* 0 unknown */
  char *process; /* "" unknown */
} WsLockOwner;

void ws_lock_owner_clear (WsLockOwner *owner);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (WsLockOwner, ws_lock_owner_clear)

/**
 * ws_file_lock_inspect:
 * @dir_fd: directory of the file
 * @name: the file (not its .lck); one component
 * @ret_owner: (nullable): filled unless FREE
 *
 * Reads only. A .lck that is not a directory counts as held (ESXi's kind of
 * lock cannot be judged from here), one that cannot be read likewise.
 */
WsLockState ws_file_lock_inspect (int dir_fd, const char *name,
                                  WsLockOwner *ret_owner);

/* %VIX_E_FILE_ALREADY_LOCKED naming file, program, pid, machine and remedy
 * if another program holds @name; TRUE else (kin and stale included). */
gboolean ws_file_lock_check (int dir_fd, const char *name, GError **error);

typedef struct WsFileLock WsFileLock;

/**
 * ws_file_lock_take:
 * @dir_path: path of @dir_fd; part of the record's checksum
 * @wait_ms: how long to wait for a holder; 0: do not wait
 * @error: %VIX_E_FILE_ALREADY_LOCKED naming the holder and the remedy,
 *   %VIX_E_CANCELLED, or what the file system said
 *
 * Takes the exclusive lock by VMware's ticket protocol. Copies @dir_fd.
 */
WsFileLock *ws_file_lock_take (int dir_fd, const char *dir_path,
                               const char *name, int wait_ms,
                               GCancellable *cancellable, GError **error);
/* Removes member and directory; NULL is ignored. */
void ws_file_lock_release (WsFileLock *lock);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (WsFileLock, ws_file_lock_release)

/* Removes what killed processes of ours left in the lock directory of @name,
 * and the directory itself if it is then empty. Never another program's
 * lock. The caller holds the flock. Best effort. */
void ws_file_lock_sweep (int dir_fd, const char *name);

/* ---- our own order ---- */

typedef struct WsDirLock WsDirLock;

/**
 * ws_dir_lock_take:
 * @dir_fd: the VM's directory; opened anew, not kept
 * @label: the directory for error texts
 * @wait_ms: -1: until cancelled; 0: do not wait
 * @error: %VIX_E_OBJECT_IS_BUSY when @wait_ms is over, %VIX_E_CANCELLED
 */
WsDirLock *ws_dir_lock_take (int dir_fd, const char *label, int wait_ms,
                             GCancellable *cancellable, GError **error);
void ws_dir_lock_release (WsDirLock *lock);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (WsDirLock, ws_dir_lock_release)

G_END_DECLS
