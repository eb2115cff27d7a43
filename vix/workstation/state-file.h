/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * state-file.h - what a snapshot keeps of the VM beside its disks.
 *
 * Two files per snapshot. The sidecar (.vixfs) is ours and authoritative: the
 * .vmx, .nvram and .vmxf bytes with lengths and SHA-256, all or nothing. The
 * .vmsn is VMware's container; we write the minimum (best effort) and read
 * those of VMware. Both are small enough to be built in memory.
 *
 * The sidecar, all integers little-endian:
 *   8  magic "VIXFSSC1"
 *   4  number of sections, 1..16
 *   then per section 64 bytes: name 16 (NUL-padded), offset 8, length 8,
 *   SHA-256 of the section 32
 *   32 SHA-256 of all the bytes before it
 *   the sections, one after the other without gaps, to the end of the file
 * Unknown section names are skipped.
 */
#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

/* Limits on what is kept: a .vmx by KV_FILE_MAX_BYTES; NVRAM is some hundred
 * KiB, a .vmxf some KiB. */
#define WS_NVRAM_MAX_BYTES (64u << 20)
#define WS_VMXF_MAX_BYTES (16u << 20)
/* A sidecar holds the three, its table and a small dictionary. */
#define WS_SIDECAR_MAX_BYTES (128u << 20)

/* The files that belong to snapshot @uid of the VM with .vmx stem @stem. */
typedef enum {
  WS_STATE_VMSN,       /* <stem>-Snapshot<uid>.vmsn */
  WS_STATE_VMEM,       /* <stem>-Snapshot<uid>.vmem, VMware's only */
  WS_STATE_SIDECAR,    /* <stem>-Snapshot<uid>.vixfs */
  WS_STATE_SAVED_VMSS, /* <stem>-Snapshot<uid>.vixfs-vmss: copy of the state
                        * of a VM that was suspended; its existence is what
                        * makes the snapshot one of a suspended VM */
  WS_STATE_SAVED_VMEM, /* <stem>-Snapshot<uid>.vixfs-vmem: copy of its RAM */
  WS_N_STATE_KINDS
} WsStateKind;

/* (transfer full) */
char *ws_state_name (const char *stem, gint64 uid, WsStateKind kind);

/* What is saved. Members are counted; NULL: there is no such file. */
typedef struct {
  GBytes *vmx; /* never NULL in a valid one */
  GBytes *nvram;
  GBytes *vmxf;
  GBytes *notes; /* a small dictionary (kv-file.h) for ourselves, e.g. which
                  * name the suspended state had; not in the .vmsn */
} WsSavedState;

void ws_saved_state_clear (WsSavedState *state);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (WsSavedState, ws_saved_state_clear)

/* ---- the sidecar ---- */

GBytes *ws_sidecar_build (const WsSavedState *state);

/**
 * ws_sidecar_parse:
 * @error: %VIX_E_SNAPSHOT_INCONSISTENT naming @label and the section: bad
 *   magic, bad bounds, checksum, no .vmx
 */
gboolean ws_sidecar_parse (GBytes *bytes, const char *label,
                           WsSavedState *ret_state, GError **error);

/* ---- the .vmsn ---- */

/* A container of normal magic with the groups Checkpoint and Snapshot only
 * (cfgFile, nvramFile, extendedConfigFile). */
GBytes *ws_vmsn_build (const WsSavedState *state);

/**
 * ws_vmsn_read:
 * @fd: borrowed, a regular file opened for reading
 * @error: %VIX_E_SNAPSHOT_INCONSISTENT naming @label and the field
 *
 * Reads the three files out of a container of either layout; .notes is NULL.
 * A container without cfgFile is an error. Blocks on I/O; reads only group
 * table, tag headers and the three values, whatever the file's size.
 */
gboolean ws_vmsn_read (int fd, const char *label, WsSavedState *ret_state,
                       GError **error);

G_END_DECLS
