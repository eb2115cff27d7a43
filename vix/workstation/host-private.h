/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * host-private.h - what the files of the workstation provider share: the
 * host, and the operations that the table in provider.c is made of.
 */
#pragma once

#include "base/lock.h"
#include "core/provider.h"
#include "workstation/vm-dir.h"

G_BEGIN_DECLS

typedef struct WsWatch WsWatch;
typedef struct WsVendor WsVendor;
typedef struct WsMergeQueue WsMergeQueue;

typedef struct {
  VixInventory *inventory; /* borrowed */
  VixServiceProvider type; /* const after connect, as all but what is marked */
  char **roots;            /* canonical; where VMs are looked for */
  gboolean read_only;
  gint64 since_us;
  WsVendor *vendor;     /* NULL: our own code does everything */
  WsMergeQueue *merges; /* NULL if read-only */

  VixLock lock;           /* VIX_LOCK_HOST; guards what follows */
  GCond refreshed;        /* an id left the next one */
  GHashTable *refreshing; /* set of ids being read, see inventory.c */
  GHashTable *places;     /* id -> where the watch found it */
  gboolean watched;       /* records are published */
  WsWatch *watch;         /* NULL before watch; not guarded */
} WsHost;

/* ---- inventory.c ---- */

/* Sets up and clears what inventory.c has in @host. */
void ws_host_init_inventory (WsHost *host);
void ws_host_clear_inventory (WsHost *host);

/* ws_vm_dir_open() with the host's roots. */
WsVmDir *ws_host_open_vm_dir (WsHost *host, const char *id, GError **error);

/**
 * ws_host_refresh_vm:
 *
 * Re-reads one VM and, once the host is watched, publishes its record (or
 * that it is gone). To be called without any lock after each change, before
 * the operation returns; of two threads at one VM the newer state stays
 * published. Never fails: a VM that cannot be read has a record that says so.
 */
void ws_host_refresh_vm (WsHost *host, const char *id);

/* As ws_host_refresh_vm(), and returns the record: (transfer full)
 * (nullable): NULL if there is no such VM. */
const VixExtVM *ws_host_read_vm (WsHost *host, const char *id);

/* From now on ws_host_refresh_vm() publishes. */
void ws_host_start_publishing (WsHost *host);
/* Of the watch: where VM @id is in the tree (ws_node_vm_place()). */
void ws_host_set_place (WsHost *host, const char *id, const char *path,
                        const char *team);
/* Of the watch: VM @id is gone. Publishes that. */
void ws_host_forget_vm (WsHost *host, const char *id);

/* ---- operations: signatures as in VixProviderOps ---- */

/* The files snapshot-*.c and clone.c. Each takes the flock, calls the
 * recovery, checks, takes VMware's locks, commits, unlocks, and calls
 * ws_host_refresh_vm() for every VM it changed. */
gboolean ws_create_snapshot (gpointer host, const char *id,
                             const VixSnapshotParams *params, gint64 *ret_id,
                             const VixOp *op, GError **error);
gboolean ws_revert_to_snapshot (gpointer host, const char *id, gint64 snapshot,
                                gboolean suppress_power_on, const VixOp *op,
                                GError **error);
gboolean ws_remove_snapshot (gpointer host, const char *id, gint64 snapshot,
                             gboolean children, const VixOp *op,
                             GError **error);
gboolean ws_edit_snapshot (gpointer host, const char *id, gint64 snapshot,
                           const char *name, const char *description,
                           const VixOp *op, GError **error);
gboolean ws_delete_vm (gpointer host, const char *id, gboolean disk_files,
                       const VixOp *op, GError **error);
char *ws_clone_vm (gpointer host, const char *id, gint64 snapshot,
                   gboolean linked, const char *dest_vmx, const VixOp *op,
                   GError **error);
/* Only through the vendor's library; else %VIX_E_NOT_SUPPORTED. */
gboolean ws_power (gpointer host, const char *id, VixPowerOp what, int options,
                   const VixOp *op, GError **error);

/* Name of the journal of a VM: its stem with this appended. A scan that sees
 * one calls ws_recover_vm(). */
#define WS_JOURNAL_SUFFIX ".vixfs-journal"

/**
 * ws_recover_vm:
 * @dir: borrowed
 * @cancellable: (nullable)
 *
 * Completes or rolls back what a killed process left in @dir, its locks
 * included. Never waits: where the flock or a lock is held, a living process
 * is at work and this returns TRUE with nothing done. Merges, which may take
 * hours, are left to the host's merge queue, which publishes their end; until
 * then the VM is sound. TRUE also if there is no journal. Not to be called on
 * a read-only host. Does not publish.
 */
gboolean ws_recover_vm (WsHost *host, const WsVmDir *dir,
                        GCancellable *cancellable, GError **error);

/* The thread that completes merges of killed processes, one VM after the
 * other; it starts with the first. @host: borrowed. */
WsMergeQueue *ws_merge_queue_new (WsHost *host);
/* Cancels (the next start goes on) and joins; NULL is ignored. */
void ws_merge_queue_free (WsMergeQueue *self);

/* ---- vendor.c ---- */

/**
 * ws_vendor_open:
 * @ret_vendor: NULL if our own code is to be used
 * @error: an explicitly named library that cannot be used
 */
gboolean ws_vendor_open (const VixConnectParams *params, WsVendor **ret_vendor,
                         const VixOp *op, GError **error);
void ws_vendor_close (WsVendor *self);

/* ---- files.c ---- */

gboolean ws_list_files (gpointer host, const char *id, gint64 snapshot,
                        VixExtFile **ret_files, gsize *ret_count,
                        const VixOp *op, GError **error);
GBytes *ws_get_config (gpointer host, const char *id, gint64 snapshot,
                       const VixOp *op, GError **error);
VixFileReader *ws_open_file (gpointer host, const char *id, gint64 snapshot,
                             const char *name, const VixOp *op, GError **error);

/* ---- images.c ---- */

gboolean ws_list_images (gpointer host, const char *id, gint64 snapshot,
                         VixExtImage **ret_images, gsize *ret_count,
                         const VixOp *op, GError **error);
VixFileReader *ws_open_image (gpointer host, const char *id, gint64 snapshot,
                              const char *node, const VixOp *op,
                              GError **error);
VixFileReader *ws_open_changes (gpointer host, const char *id, gint64 older,
                                gint64 snapshot, const char *node,
                                const VixOp *op, GError **error);

/* ---- provider.c ---- */

extern const VixProviderOps ws_provider_ops;

G_END_DECLS
