/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * inventory.h - the records of a host's VMs, and who is told of changes.
 *
 * One per host. Providers put records in; the API looks them up; one watcher
 * is told, one event at a time and in the order the changes were made. Any
 * thread. No lock is held while the watcher runs; a thread that publishes
 * returns only after its own event was delivered (unless it is itself inside
 * the watcher).
 */
#pragma once

#include <glib.h>

#include "vix-ext.h"

G_BEGIN_DECLS

/* ---- records ---- */

/**
 * vix_vm_record_new:
 * @from: any strings and arrays, copied; NULL strings become ""
 *
 * Packs @from and all it points to into one counted block. Snapshots are
 * sorted by id; paths need at least one component.
 *
 * Returns: (transfer full): free with vix_vm_record_unref()
 */
const VixExtVM *vix_vm_record_new (const VixExtVM *from);

/* Adds a reference and returns @vm. */
const VixExtVM *vix_vm_record_ref (const VixExtVM *vm);
/* Drops a reference; %NULL is ignored. */
void vix_vm_record_unref (const VixExtVM *vm);

/* For g_autoptr (VixVmRecord). */
typedef const VixExtVM VixVmRecord;
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VixVmRecord, vix_vm_record_unref)

/* Same facts, strings and arrays included. */
gboolean vix_vm_record_equal (const VixExtVM *a, const VixExtVM *b);

/* (nullable): borrowed from @vm */
const VixExtSnapshot *vix_vm_record_find_snapshot (const VixExtVM *vm,
                                                   gint64 id);

/* ---- the inventory ---- */

typedef struct VixInventory VixInventory;
typedef void (*VixInventoryFunc) (int event, const VixExtVM *vm, gpointer data);

VixInventory *vix_inventory_new (void);
void vix_inventory_free (VixInventory *self);

/* Sets the one watcher. VM_ADDED of the present records is queued: it is
 * delivered ahead of the next change or announcement. */
void vix_inventory_set_watcher (VixInventory *self, VixInventoryFunc func,
                                gpointer data);

/* From now on nothing is delivered; waits for an event under way. */
void vix_inventory_stop (VixInventory *self);

/**
 * vix_inventory_put:
 * @vm: (transfer full): replaces the record of the same id
 *
 * Delivers VM_ADDED, VM_CHANGED, or nothing if equal.
 */
void vix_inventory_put (VixInventory *self, const VixExtVM *vm);

/* Delivers VM_REMOVED if it was there. */
void vix_inventory_remove (VixInventory *self, const char *id);

/* Delivers FILES_CHANGED if it is there. */
void vix_inventory_files_changed (VixInventory *self, const char *id);

/* Delivers LOADED or HOST_STATE. */
void vix_inventory_announce (VixInventory *self, int event);

/* (transfer full) (nullable) */
const VixExtVM *vix_inventory_lookup (VixInventory *self, const char *id);

/* (transfer full): ids; for tests */
GPtrArray *vix_inventory_list_ids (VixInventory *self);

void vix_inventory_count (VixInventory *self, gint64 *ret_vms,
                          gint64 *ret_snapshots);

G_END_DECLS
