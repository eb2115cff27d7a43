/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * node.h - node ids and inode numbers: arithmetic, no table.
 *
 * What the kernel calls a node id is computed from what the node is:
 *
 *   bits 42..63  slot of the VM or folder (0: the root folder)
 *   bits 22..41  slot of the snapshot, or of a pair of two; slots start at 1
 *   bits 16..21  kind
 *   bits  0..15  index: of a folder always 1 (so that the root is node 1);
 *                alias of what is below "snapshots"; slot of a file
 *
 * and then mixed, one to one, for the sake of the kernel's hash tables.
 * So half a million nodes in the kernel's cache cost the daemon nothing, and
 * FORGET is of no interest. Slots are given out upwards; should they ever run
 * out, those that are free are used again with a new generation, so that a
 * node that the kernel still has never comes to mean something else. README.md
 * tells what an alias is.
 *
 * The inode number that users see is another thing: a hash of what identifies
 * the object on its host, the same on every mount and under every alias.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* The numbers go into inode numbers: new kinds come last. */
typedef enum {
  FS_KIND_FOLDER = 0, /* the root, too */
  FS_KIND_VM,
  FS_KIND_VM_INFO,
  FS_KIND_CURRENT, /* with alias */
  FS_KIND_VM_FILES,
  FS_KIND_FILE,      /* index: file slot; the same node in both files/ */
  FS_KIND_SNAPSHOTS, /* with alias */
  FS_KIND_MARK_MEMORY,
  FS_KIND_MARK_QUIESCE,
  FS_KIND_TREE,
  FS_KIND_SNAPSHOT, /* with alias */
  FS_KIND_SNAPSHOT_INFO,
  FS_KIND_DESCRIPTION, /* with alias */
  FS_KIND_PARENT,
  FS_KIND_CONFIG,
  FS_KIND_SNAPSHOT_FILES, /* with alias */
  FS_KIND_CONTROL,        /* .vixfs */
  FS_KIND_CONTROL_VERSION,
  FS_KIND_CONTROL_HOSTS,
  FS_KIND_CONTROL_JOBS,
  FS_KIND_CONTROL_LOG,
  FS_KIND_CONTROL_EVENTS,
  FS_KIND_CONTROL_STATS,
  FS_KIND_POWER,   /* of a VM, with alias */
  FS_KIND_DISKS,   /* of a snapshot, with alias */
  FS_KIND_IMAGE,   /* index: which */
  FS_KIND_CHANGES, /* index: of which image */
  FS_KIND_SINCE,   /* of a snapshot, with alias */
  /* Below .since, of a pair of snapshots: */
  FS_KIND_OLDER,      /* with alias */
  FS_KIND_DIFFERENCE, /* index: of which image */
  /* Of the newest snapshot, whichever that is; no slot: */
  FS_KIND_LATEST,
  FS_KIND_LATEST_INFO,
  FS_KIND_LATEST_DESCRIPTION,
  FS_KIND_LATEST_PARENT,
  FS_KIND_LATEST_CONFIG,
  FS_KIND_LATEST_DISKS,
  FS_KIND_LATEST_FILES,
  /* In latest/disks, with the slot of the snapshot that changed it last, so
   * that it stays the same node until it is changed again: */
  FS_KIND_LATEST_IMAGE,   /* index: which */
  FS_KIND_LATEST_CHANGES, /* of the newest's slot; index: of which image */
  FS_N_KINDS
} FsKindId;

enum {
  FS_SLOT_MAX = (1 << 22) - 1,
  FS_SNAPSHOT_SLOT_MAX = (1 << 20) - 1,
  FS_INDEX_MAX = (1 << 16) - 1,
};

#define FS_ROOT_ID 1

typedef struct {
  guint32 slot;
  guint32 snapshot; /* 0: none */
  guint32 kind;     /* FsKindId */
  guint32 index;
} FsNodeId;

/* .vixfs and what is in it: of the root folder. */
static inline gboolean
fs_kind_is_control (guint32 kind)
{
  return kind >= FS_KIND_CONTROL && kind <= FS_KIND_CONTROL_STATS;
}

/* Has the slot of a snapshot or of a pair of them. */
static inline gboolean
fs_kind_is_snapshots (guint32 kind)
{
  return (kind >= FS_KIND_SNAPSHOT && kind <= FS_KIND_SNAPSHOT_FILES)
         || (kind >= FS_KIND_DISKS && kind < FS_KIND_LATEST)
         || kind == FS_KIND_LATEST_IMAGE || kind == FS_KIND_LATEST_CHANGES;
}

/* Its id has the slot of a pair where others have a snapshot's. */
static inline gboolean
fs_kind_is_pairs (guint32 kind)
{
  return kind == FS_KIND_OLDER || kind == FS_KIND_DIFFERENCE;
}

/* What the newest snapshot is meant by without its slot. */
static inline gboolean
fs_kind_is_newest (guint32 kind)
{
  return kind >= FS_KIND_LATEST && kind <= FS_KIND_LATEST_FILES;
}

/* "latest" and what is in it: the inode number knows no snapshot. */
static inline gboolean
fs_kind_is_latest (guint32 kind)
{
  return kind >= FS_KIND_LATEST && kind <= FS_KIND_LATEST_CHANGES;
}

guint64 fs_node_pack (FsNodeId id);

/* %FALSE if fs_node_pack() gives no such number. */
gboolean fs_node_unpack (guint64 packed, FsNodeId *ret_id);

/* 64-bit hash of @text, the same for all time. */
guint64 fs_identity_text (const char *text);

/**
 * fs_identity:
 * @base: of the VM or folder that the object is part of
 * @snapshot: id of its snapshot, or 0
 * @name: hash of its name where there are several of a kind, or 0
 *
 * Returns: its inode number; never 0 or %FS_ROOT_ID
 */
guint64 fs_identity (guint64 base, FsKindId kind, gint64 snapshot,
                     guint64 name);

G_END_DECLS
