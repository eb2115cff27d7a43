/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * mirror.h - a host's inventory in memory: folders, datacenters, vApps,
 * datastores and virtual machines, each with the few properties that the
 * tree needs, kept up to date property by property.
 *
 * Of a VM it holds its record (core/inventory.h), the managed objects of its
 * snapshots, and what the record does not tell. Objects refer to parents that
 * may come later or never. Not locked: whoever uses it holds the lock of its
 * VsphereHost. Nothing here blocks.
 */
#pragma once

#include "core/inventory.h"
#include "vsphere/disks.h"
#include "vsphere/soap/types.h"

G_BEGIN_DECLS

typedef struct VsphereMirror VsphereMirror;
typedef struct VsphereVm VsphereVm;

/* @flat: a host without datacenters worth showing (ESXi) */
VsphereMirror *vsphere_mirror_new (gboolean flat);
void vsphere_mirror_free (VsphereMirror *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VsphereMirror, vsphere_mirror_free)

/* ---- which properties ---- */

/**
 * vsphere_mirror_list_paths:
 * @version: the API version spoken; newer properties are left out
 * @type: "VirtualMachine", "Folder", ...
 * @files: with that of which the files are listed: most of all bytes
 *
 * Returns: (transfer full): the paths to ask for, a NULL-terminated array of
 * static strings; NULL for a type that the mirror does not hold
 */
const char **vsphere_mirror_list_paths (const char *version, const char *type,
                                        gboolean files);
/* The types that the mirror holds, NULL-terminated. */
extern const char *const vsphere_mirror_types[];

/* ---- from the wire ---- */

/**
 * vsphere_mirror_apply:
 * @update: an ObjectUpdate; "enter" replaces all, "modify" what it names
 * @cut: something of it was too much and is missing
 *
 * Properties that cannot be read become the VM's problem, never a failure.
 */
void vsphere_mirror_apply (VsphereMirror *self, const SoapObjectUpdate *update,
                           gboolean cut, SoapArena *arena);
/* As an "enter", but of no update. */
void vsphere_mirror_apply_content (VsphereMirror *self,
                                   const SoapObjectContent *content,
                                   gboolean cut, SoapArena *arena);

/* Grows with each update. */
guint vsphere_mirror_get_serial (const VsphereMirror *self);
/* Whether an update told of @ref, or took it away, when the serial had been
 * @since. Content asked for then may be older, and must not be applied. */
gboolean vsphere_mirror_is_newer (VsphereMirror *self, const SoapRef *ref,
                                  guint since);

/* Everything known is in doubt until it is applied again ... */
void vsphere_mirror_mark (VsphereMirror *self);
/* ... and what still is, is gone. */
void vsphere_mirror_sweep (VsphereMirror *self);

/* ---- to the inventory ---- */

/* One difference between what was taken last and what is. */
typedef struct {
  const VixExtVM *put; /* owned; NULL: */
  char *removed;       /* owned: the id of a VM that is gone */
  gboolean files_only; /* with put: that is as it was, its files changed */
  guint serial;        /* of the VM's changes */
} VsphereChange;

/**
 * vsphere_mirror_take_changes:
 * @complete: all parents that there are have come; else a VM whose path is
 *   not known yet is left for later
 *
 * Returns: (transfer full): array of VsphereChange, in no order
 */
GArray *vsphere_mirror_take_changes (VsphereMirror *self, gboolean complete);

/* @change of this VM has reached everybody. */
void vsphere_mirror_confirm (VsphereMirror *self, const VsphereChange *change);

/* ---- looking ---- */

/* (nullable) */
VsphereVm *vsphere_mirror_get_vm (VsphereMirror *self, const char *id);
/* The newest record; never NULL. Borrowed while the lock is held. */
const VixExtVM *vsphere_vm_get_record (const VsphereVm *self);
/* Whether the newest record was taken, and vsphere_mirror_confirm()ed. */
gboolean vsphere_vm_is_confirmed (const VsphereVm *self);
/* (nullable): the object of snapshot @id, as of the newest record. */
const char *vsphere_vm_get_snapshot_ref (const VsphereVm *self, gint64 id);
/* 0 if there is none. */
gint64 vsphere_vm_find_snapshot_id (const VsphereVm *self, const char *ref);
/* Whether the host does not tell its files, though it can get at it. */
gboolean vsphere_vm_lacks_files (const VsphereVm *self);
/* (transfer full): its files, or those of the snapshot whose object is @ref;
 * see vsphere_layout_list(). */
VixExtFile *vsphere_vm_list_files (const VsphereVm *self, const char *ref,
                                   gint64 modified, gsize *ret_n);
/* Another one once anything of it changed. */
guint vsphere_vm_get_serial (const VsphereVm *self);
/* (transfer full) (nullable): "[ds] dir/file" of the listed @file. */
char *vsphere_vm_find_file (const VsphereVm *self, const char *file);
/* What the files of that disk's chain come to together; 0 unknown. */
gint64 vsphere_vm_get_chain_bytes (const VsphereVm *self, const char *ref,
                                   gint64 key);
/* "[ds] dir/vm.vmx" as on the wire; "" unknown. */
const char *vsphere_vm_get_wire_path (const VsphereVm *self);
/* (transfer full): its path for dcPath: "North/DC1", names as on the wire. */
char *vsphere_vm_dup_datacenter_path (const VsphereVm *self);

/* ---- the disks of snapshots, which are asked for (mirror-disks.c) ---- */

/* What is known of one snapshot. */
typedef struct {
  guint64 state; /* vsphere_vm_get_chain_state() when that was so */
  VsphereDisks *disks;
  gsize config_bytes; /* length of its .vmx as we write it */
  /* Of the disks by number, up to 64: whether it was found out that nothing
   * was written between the parent and it, and whether that is so. */
  guint64 settled;
  guint64 unwritten;
} VsphereKnown;

/* Stands for the files that the disks of snapshot @id are made of, and never
 * changes as long as they are the same; 0: there is no such snapshot. */
guint64 vsphere_vm_get_chain_state (const VsphereVm *self, gint64 id);
/* (nullable): borrowed while the lock is held */
VsphereKnown *vsphere_vm_get_known (const VsphereVm *self, gint64 id);
/* @facts: copied */
void vsphere_vm_put_known (VsphereVm *self, gint64 id,
                           const VsphereKnown *facts);
/* Of all its snapshots. */
void vsphere_vm_forget_known (VsphereVm *self);

/* A snapshot of which the disks are to be asked for. */
typedef struct {
  char *vm;
  gint64 snapshot;
  char *ref;
  char *directory; /* of the VM: "[ds] dir/" */
  guint64 state;
} VsphereWant;

/**
 * vsphere_mirror_want_disks:
 * @id: a VM that there is
 * @n_vms: with that, how many VMs at most
 * @busy: ids of VMs to leave out
 *
 * Returns: (transfer full): (VsphereWant), what is not known of the VM, then
 * of others: first of its own folder
 */
GPtrArray *vsphere_mirror_want_disks (VsphereMirror *self, const char *id,
                                      guint n_vms, GHashTable *busy);

/* The ids of all VMs whose path @matches says TRUE to; (transfer full). */
typedef gboolean (*VsphereVmTest) (const VsphereVm *vm, gpointer data);
GPtrArray *vsphere_mirror_find_vms (VsphereMirror *self, VsphereVmTest test,
                                    gpointer data);

/* (nullable): the type of that datastore ("VMFS", "NFS", "vsan"), as the host
 * writes it; @dc_path as vsphere_vm_dup_datacenter_path(). */
const char *vsphere_mirror_get_store_type (VsphereMirror *self,
                                           const char *dc_path,
                                           const char *name);

/* Whether @path, in any accepted spelling, names @vm's .vmx. */
gboolean vsphere_vm_has_path (const VsphereVm *vm, const char *path);

/* The sums over all datastores that can be reached, bytes. */
void vsphere_mirror_get_space (VsphereMirror *self, gint64 *ret_capacity,
                               gint64 *ret_free);

G_END_DECLS
