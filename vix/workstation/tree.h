/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tree.h - the directories below a root, and which of them hold VMs.
 *
 * A directory that holds exactly one .vmx and has no VM further below is that
 * VM; else each .vmx in it is a VM inside a folder; a root is always a folder.
 *
 * Searched are real directories only: no symbolic link is followed (a VM that
 * lies behind one is found where it really is), hidden directories and lock
 * directories (.lck) are left out, so are mounts of vixfs itself, what is more
 * than WS_TREE_MAX_DEPTH levels down and a directory that is its own ancestor
 * (bind mounts). A .vmx must be a regular file whose name does not start with
 * a dot. A directory that cannot be read counts as empty.
 *
 * One thread at a time per tree. Scanning blocks on I/O.
 */
#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

#define WS_TREE_MAX_DEPTH 32u
/* Beyond this many directories nothing more is entered: a source such as "/"
 * must not fill the memory (200 bytes each). */
#define WS_TREE_MAX_DIRS 1000000u

typedef struct WsNode WsNode;
struct WsNode {
  WsNode *parent;
  char *name;          /* of a root: its canonical path */
  GPtrArray *children; /* WsNode by name; NULL: none */
  char **vmx;          /* names of the .vmx in it, sorted; NULL: none */
  char **teams;        /* names of the .vmtm in it; NULL: none */
  guint64 dev, ino;
  guint vms_below; /* VMs further down, its own not counted */
  guint8 depth;
  gboolean readable;    /* FALSE: could not be opened at the last scan */
  gboolean has_lock;    /* a .lck is in it */
  gboolean has_journal; /* so is a journal of ours */

  /* watch.c */
  int wd; /* -1: not watched */
  guint8 dirty;
  gboolean muted;
  gint64 due_us, files_due_us, files_last_us; /* monotonic; 0: none */
  gint64 recover_due_us;
  guint64 fingerprint;
};

/* Called while a tree changes. Any may be NULL. */
typedef struct {
  /* @node is about to be read: a watch must be there first. */
  void (*enter) (gpointer data, WsNode *node, const char *path);
  /* @node is about to be freed; it has no children any more. */
  void (*leave) (gpointer data, WsNode *node);
  /* The VM's .vmx appeared. */
  void (*found) (gpointer data, WsNode *node, const char *vmx);
  /* The VM's .vmx is gone. */
  void (*gone) (gpointer data, WsNode *node, const char *vmx);
  /* The VMs that were in @node before may have another place in the tree. */
  void (*moved) (gpointer data, WsNode *node);
  /* TRUE: end the scan early. */
  gboolean (*stop) (gpointer data);
  gpointer data;
} WsTreeHooks;

WsNode *ws_tree_new (const char *root);

/**
 * ws_tree_scan:
 * @node: read anew; children that were there stay as they are
 *
 * New children are read all the way down, lost ones are dropped. Calls the
 * hooks for what differs; @found only after all of @node's subtree is known.
 */
void ws_tree_scan (WsNode *node, const WsTreeHooks *hooks);

/* Calls @gone and @leave for all of it. */
void ws_tree_free (WsNode *node, const WsTreeHooks *hooks);

/* All (transfer full). */
char *ws_node_path (const WsNode *node);
char *ws_node_vm_id (const WsNode *node, const char *vmx);
/* Where the VM is in the tree, below the root. */
char *ws_node_vm_place (const WsNode *node, const char *vmx);
/* Path of the .vmtm in the directory or its parent that names the VM; "". */
char *ws_node_vm_team (const WsNode *node, const char *vmx);

/* Calls @func for each VM in the tree, parents before children. */
void ws_tree_foreach_vm (WsNode *node,
                         void (*func) (gpointer data, WsNode *node,
                                       const char *vmx),
                         gpointer data);

/**
 * ws_tree_place_of:
 * @id: canonical path of a .vmx
 * @ret_place, @ret_team: as ws_node_vm_place(), ws_node_vm_team()
 *
 * The same for one VM without a tree in memory, by reading directories. FALSE
 * if a scan of @roots would not find it there; the place then is its stem.
 */
gboolean ws_tree_place_of (const char *id, const char *const *roots,
                           char **ret_place, char **ret_team);

G_END_DECLS
