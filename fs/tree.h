/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tree.h - the folders and VMs of a mount, by slot: the mount's only memory.
 *
 * VMs come from hosts, known by the number that fs_tree_add_host() gave them.
 * One without a name fills the root; others have a directory each, named as
 * they are, from fs_tree_settle() on.
 *
 * Any thread. Everything here answers from memory; nothing is sent or called
 * while the lock (level 1) is held. What comes back is copied or counted.
 *
 * Changes of one host come from one thread at a time (the library delivers one
 * event after the other) and fill an FsStale, which is to be sent once they
 * return.
 */
#pragma once

#include <glib.h>

#include "node.h"
#include "stale.h"
#include "vix-ext.h"
#include "vm.h"

G_BEGIN_DECLS

typedef struct FsTree FsTree;

FsTree *fs_tree_new (void);
void fs_tree_free (FsTree *self);

/**
 * fs_tree_add_host:
 * @name: of its directory; "": the root is, and there is no other host
 * @source: what its VM ids are relative to in inode numbers, or ""
 *
 * Returns: its number, from 0 upwards
 */
guint fs_tree_add_host (FsTree *self, const char *name, const char *source);

/* Of the root above several hosts. */
#define FS_NO_HOST G_MAXUINT

/* ---- nodes ---- */

/* What a node id stands for. To be cleared. */
typedef struct {
  guint64 node;
  FsNodeId id;
  guint host;                     /* its number, or FS_NO_HOST */
  const VixExtVM *vm;             /* a reference; NULL: folder, .vixfs */
  const VixExtSnapshot *snapshot; /* of @vm; NULL */
  const VixExtSnapshot *older; /* of a pair, of which @snapshot is the other */
  guint32 snapshot_slot;       /* of @snapshot; 0 */
  guint32 newest;              /* slot of @vm's newest snapshot; 0: none */
  guint64 identity;            /* of the VM or folder */
  guint32 generation;
  guint32 version;
  guint32 alias;  /* that "snapshots", "current", "power" have now */
  guint32 folder; /* slot of the folder of a VM; of a folder: its parent */
  guint children; /* of a folder */
  gint64 changed; /* of a folder: seconds since 1970 */
  FsMarks marks;
} FsNode;

/* %FALSE if it is gone, or never was. */
gboolean fs_tree_resolve (FsTree *self, guint64 node, FsNode *ret_node);
void fs_node_clear (FsNode *node);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (FsNode, fs_node_clear)

/* ---- what directories hold ---- */

typedef struct {
  FsNodeId id;
  char *name;
} FsChild;

/* The subfolder or VM shown as @name in folder @slot. */
gboolean fs_tree_find_child (FsTree *self, guint32 slot, const char *name,
                             FsNodeId *ret_id);
/* The slot of the snapshot shown as @name; 0 if there is none. */
guint32 fs_tree_find_snapshot (FsTree *self, guint32 slot, const char *name);

/* Up to @max children of slot @after and up, in slot order; returns how many.
 * Names are the caller's. */
guint fs_tree_list_folder (FsTree *self, guint32 slot, guint32 after,
                           FsChild *children, guint max);
guint fs_tree_list_snapshots (FsTree *self, guint32 slot, guint32 after,
                              guint32 alias, FsChild *children, guint max);

/* (transfer full) (nullable): what snapshot @id is shown as. */
char *fs_tree_snapshot_name (FsTree *self, guint32 slot, gint64 id);
/* The slot of snapshot @id, 0 if it is gone. */
guint32 fs_tree_snapshot_slot (FsTree *self, guint32 slot, gint64 id);
/* The slot of a pair of snapshots, by their slots, made if it is not there yet;
 * 0 if there is no such snapshot, or no slot was left. */
guint32 fs_tree_pair_slot (FsTree *self, guint32 slot, guint32 newer,
                           guint32 older);
/* (transfer full) (nullable): "folder/web01", as shown. */
char *fs_tree_path (FsTree *self, guint32 slot);

/* ---- files ---- */

/* Gives each of @names (char *) a slot and forgets those of others. Returns
 * slots and generations in the order of @names; 0: no slot was left. %NULL if
 * the VM is gone. */
GArray *fs_tree_file_slots (FsTree *self, guint32 slot, GPtrArray *names);
/* (transfer full) (nullable) */
char *fs_tree_file_name (FsTree *self, guint32 slot, guint32 file);

typedef struct {
  guint16 slot;
  guint16 generation;
} FsFileSlot;

/* ---- what users set ---- */

/* @mark: FS_KIND_MARK_*; @since 0 removes it. */
void fs_tree_set_mark (FsTree *self, guint32 slot, FsKindId mark, gint64 since,
                       FsStale *stale);
/* (transfer full) (nullable) */
char *fs_tree_get_description (FsTree *self, guint32 slot);
void fs_tree_set_description (FsTree *self, guint32 slot, const char *text);
char *fs_tree_get_error (FsTree *self, guint32 slot);
void fs_tree_set_error (FsTree *self, guint32 slot, const char *text);

/* ---- changes ---- */

/* (transfer full) (nullable): the record of VM @id, and its slot. */
const VixExtVM *fs_tree_get_record (FsTree *self, guint host, const char *id,
                                    guint32 *ret_slot);
/* The same, without the record. */
gboolean fs_tree_find_record (FsTree *self, guint host, const char *id,
                              guint32 *ret_slot);

/* Adds or replaces a VM. What comes before fs_tree_settle() is only kept. */
void fs_tree_put (FsTree *self, guint host, const VixExtVM *vm, FsStale *stale);
void fs_tree_remove (FsTree *self, guint number, const VixExtVM *vm,
                     FsStale *stale);
void fs_tree_touch_files (FsTree *self, guint host, const VixExtVM *vm,
                          FsStale *stale);
/* The first inventory of host @number is complete: names are given, lowest id
 * first, and its directory appears. */
void fs_tree_settle (FsTree *self, guint number, FsStale *stale);

/* "snapshots", "current" and "power" of the VM get a new node id, unless @alias
 * is no longer theirs: then nothing is in the way. */
void fs_tree_switch_alias (FsTree *self, guint32 slot, guint32 alias,
                           FsStale *stale);

/* The kernel asks for snapshot @id to be renamed: if that comes about, its
 * node stays the same. */
void fs_tree_expect_rename (FsTree *self, guint32 slot, gint64 id);
/* Snapshot @id gets another node: the kernel knows the old one by a name that
 * it no longer has. */
void fs_tree_renew_snapshot (FsTree *self, guint32 slot, gint64 id,
                             FsStale *stale);

G_END_DECLS
