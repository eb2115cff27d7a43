/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vmx.h - what a .vmx says, read from and written to its dictionary.
 *
 * Stateless: every function looks the keys up anew, so a dictionary may be
 * edited in between. One thread at a time per dictionary, none blocks.
 * Nothing here opens a file; names are returned as written and are hostile.
 */
#pragma once

#include "base/kv-file.h"

G_BEGIN_DECLS

/* A disk of the VM: a present device whose file is a disk. CD-ROMs, floppies
 * and pass-through devices are no disks. */
typedef struct {
  char *node;      /* "scsi0:0", "sata0:1", "ide0:0", "nvme0:0"; lower case */
  char *file_name; /* as written; relative to the .vmx, or absolute */
  char *mode;      /* lower case; "" if absent (persistent) */
  gboolean in_snapshots; /* FALSE: independent, left out of snapshots */
} WsVmxDisk;

/**
 * ws_vmx_list_disks:
 *
 * Returns: (transfer full): #WsVmxDisk by node: ide, nvme, sata, scsi, then
 * the numbers as numbers. Empty for a fully encrypted VM, whose disks do not
 * show: ask ws_vmx_is_encrypted() first.
 */
GPtrArray *ws_vmx_list_disks (const KvFile *vmx);

/* Of a list from ws_vmx_list_disks(); (nullable), borrowed. @node: any case */
const WsVmxDisk *ws_vmx_find_disk (const GPtrArray *disks, const char *node);

/* Writes <node>.fileName in the spelling the file has. */
gboolean ws_vmx_set_disk_file (KvFile *vmx, const char *node,
                               const char *file_name, GError **error);

/* ---- what forbids working on it ---- */

/* Any mark of encryption: VM, disks or vTPM. */
gboolean ws_vmx_is_encrypted (const KvFile *vmx);
gboolean ws_vmx_is_template (const KvFile *vmx);

/**
 * ws_vmx_check_native:
 * @label: the file's name for the text
 * @error: names @label, the key and the remedy: %VIX_E_NEED_KEY encrypted,
 *   %VIX_E_TEMPLATE_VM, %VIX_E_SNAPSHOT_CONFIG for an active redo log, an
 *   undoable/append/nonpersistent disk, a physical disk, change tracking,
 *   a shared disk or bus, deltas directed to another directory
 *   (snapshot.redoNotWithParent)
 *
 * May our own code change this VM's disks at all? Says nothing about being
 * suspended, nor about snapshot policy.
 */
gboolean ws_vmx_check_native (const KvFile *vmx, const char *label,
                              GError **error);

/**
 * ws_vmx_check_policy:
 * @count: snapshots there are
 * @error: %VIX_E_SNAPSHOT_NOPERM for snapshot.disabled,
 *   %VIX_E_SNAPSHOT_MAXSNAPSHOTS when snapshot.maxSnapshots is reached
 *
 * May one more snapshot be made?
 */
gboolean ws_vmx_check_policy (const KvFile *vmx, const char *label, gsize count,
                              GError **error);

/* ---- single facts ---- */

/* checkpoint.vmState: the file to resume from. (nullable): NULL if the VM is
 * not suspended. Borrowed until the next change. */
const char *ws_vmx_get_state_file (const KvFile *vmx);

/* (nullable): NULL when absent, empty or "."; as written. */
const char *ws_vmx_get_working_dir (const KvFile *vmx);

/* (transfer full): directories of fileSearchPath, as written; never NULL. */
char **ws_vmx_list_search_path (const KvFile *vmx);

/* displayName, or @fallback where absent or empty. */
const char *ws_vmx_get_display_name (const KvFile *vmx, const char *fallback);

/* uuid.bios as 8-4-4-4-12 lower case, "" if absent or malformed; g_free. */
char *ws_vmx_get_uuid (const KvFile *vmx);

/* nvram and extendedConfigFile as written; (nullable) when the key is absent
 * or empty: then the stem of the .vmx with .nvram, .vmxf is the custom. */
const char *ws_vmx_get_nvram (const KvFile *vmx);
const char *ws_vmx_get_vmxf (const KvFile *vmx);

G_END_DECLS
