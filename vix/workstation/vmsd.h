/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vmsd.h - the snapshot dictionary of a VM.
 *
 * A model (snapshots by ascending uid) beside the dictionary it was read
 * from; changes go to the dictionary, which keeps the order and every key it
 * does not know, and the model follows. Reading never fails on content: what
 * can be shown is shown, and ws_vmsd_check_writable() says why it must not be
 * changed. In the model uids are positive and unique, parents exist or are 0,
 * and there is no cycle, whatever the file says.
 *
 * One thread at a time. Nothing here does I/O.
 */
#pragma once

#include "base/kv-file.h"

G_BEGIN_DECLS

/* More snapshots than this are neither shown nor written. */
#define WS_VMSD_MAX_SNAPSHOTS 10000u
/* Disks of one snapshot; more than any controller layout has. */
#define WS_VMSD_MAX_DISKS 1024u

/* A disk frozen by the snapshot. */
typedef struct {
  char *file_name; /* relative to the .vmsd, or absolute; hostile */
  char *node;      /* "scsi0:0" */
} WsSnapshotDisk;

typedef struct {
  gint64 uid;          /* > 0 */
  gint64 parent;       /* 0: a root */
  gint64 created_us;   /* microseconds since 1970 UTC, 0 unknown */
  char *name;          /* UTF-8, may be "" */
  char *description;   /* UTF-8, may be "" */
  char *state_file;    /* the .vmsn as written; "" if absent */
  gboolean has_memory; /* type 1: made while running, with memory */
  guint num_disks;
  WsSnapshotDisk *disks; /* by K */
  char **clones;         /* .vmx paths of linked clones; NULL-terminated */
  guint index;           /* N of its block */
} WsSnapshot;

typedef struct WsVmsd WsVmsd;

/**
 * ws_vmsd_new:
 * @kv: (transfer full) (nullable): NULL: there is no .vmsd yet
 * @label: the file's name for error texts
 */
WsVmsd *ws_vmsd_new (KvFile *kv, const char *label);
WsVmsd *ws_vmsd_copy (const WsVmsd *self);
void ws_vmsd_free (WsVmsd *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (WsVmsd, ws_vmsd_free)

/* ---- reading; all borrowed until the next change ---- */

gsize ws_vmsd_get_count (const WsVmsd *self);
/* By ascending uid. */
const WsSnapshot *ws_vmsd_get_nth (const WsVmsd *self, gsize nth);
/* (nullable) */
const WsSnapshot *ws_vmsd_find (const WsVmsd *self, gint64 uid);
/* (nullable): the disk of @node (any case) */
const WsSnapshotDisk *ws_snapshot_find_disk (const WsSnapshot *snapshot,
                                             const char *node);
/* 0: none. Always the uid of a snapshot in the model, or 0. */
gint64 ws_vmsd_get_current (const WsVmsd *self);
/* Microseconds since 1970: since when the disk @node of @uid is what it is, as
 * noted when the snapshot that changed it was removed; 0: not noted. */
gint64 ws_vmsd_get_changed (const WsVmsd *self, gint64 uid, const char *node);
/* The uid that the next snapshot gets: above lastUID and any uid found. */
gint64 ws_vmsd_get_next_uid (const WsVmsd *self);
/* Uids of the children of @uid (0: the roots), ascending; g_array_unref of
 * gint64. */
GArray *ws_vmsd_list_children (const WsVmsd *self, gint64 uid);
/* @uid and all below it, parents before children. */
GArray *ws_vmsd_list_subtree (const WsVmsd *self, gint64 uid);

/* cloneOf0 or numSentinels: the base disk belongs to another VM. */
gboolean ws_vmsd_is_linked_clone (const WsVmsd *self);
/* cloneOf0 as written: the .vmx this one was cloned from. (nullable) */
const char *ws_vmsd_get_clone_of (const WsVmsd *self);

/**
 * ws_vmsd_check_writable:
 * @error: %VIX_E_SNAPSHOT_INCONSISTENT naming the file, the key and what is
 *   wrong: numSnapshots or numDisks that disagree with the blocks, gaps, uid
 *   absent, 0 or twice, parent unknown or in a cycle, current unknown, a
 *   name twice in the file, more than the limits, a pending consolidation
 */
gboolean ws_vmsd_check_writable (const WsVmsd *self, GError **error);

/* ---- changing; all refuse what ws_vmsd_check_writable() refuses, and on
 * failure (an encoding that cannot express a text, too) nothing changed ---- */

/* A new snapshot; strings are copied. */
typedef struct {
  gint64 uid;    /* 0: ws_vmsd_get_next_uid(); never less than that */
  gint64 parent; /* 0: a root */
  gint64 created_us;
  const char *name;
  const char *description;
  const char *state_file;
  const WsSnapshotDisk *disks; /* the disks it freezes */
  guint num_disks;
} WsSnapshotNew;

/**
 * ws_vmsd_add:
 *
 * Appends a block; makes it lastUID, current and most recently used. No
 * `type` key is written: our snapshots hold no running state.
 */
gboolean ws_vmsd_add (WsVmsd *self, const WsSnapshotNew *snapshot,
                      gint64 *ret_uid, GError **error);

/**
 * ws_vmsd_remove:
 *
 * Takes one block out: its children move up to its parent, later blocks are
 * renumbered, mru entries go, and if it was current its parent becomes
 * current. lastUID stays.
 */
gboolean ws_vmsd_remove (WsVmsd *self, gint64 uid, GError **error);

/* @uid 0: none. Also makes it most recently used. */
gboolean ws_vmsd_set_current (WsVmsd *self, gint64 uid, GError **error);
gboolean ws_vmsd_set_name (WsVmsd *self, gint64 uid, const char *name,
                           GError **error);
gboolean ws_vmsd_set_description (WsVmsd *self, gint64 uid,
                                  const char *description, GError **error);
/* Disk @disk (index into .disks) of @uid is now @file_name. */
gboolean ws_vmsd_set_disk_file (WsVmsd *self, gint64 uid, guint disk,
                                const char *file_name, GError **error);
/* Notes that; forgotten with the snapshot. */
gboolean ws_vmsd_set_changed (WsVmsd *self, gint64 uid, const char *node,
                              gint64 changed_us, GError **error);
/* Notes that the clone at @vmx_path reads the disks of @uid; no-op if it is
 * noted already. */
gboolean ws_vmsd_add_clone (WsVmsd *self, gint64 uid, const char *vmx_path,
                            GError **error);
gboolean ws_vmsd_remove_clone (WsVmsd *self, gint64 uid, const char *vmx_path,
                               GError **error);
/* For the .vmsd of a new linked clone: cloneOf0, numCloneOf, sentinel0…,
 * numSentinels. @sentinels: NULL-terminated names of the clone's disks. */
gboolean ws_vmsd_set_clone_of (WsVmsd *self, const char *parent_vmx,
                               const char *const *sentinels, GError **error);

/* The file's new content; a .vmsd that did not exist gets `.encoding`
 * first. */
GBytes *ws_vmsd_to_bytes (const WsVmsd *self);

G_END_DECLS
