/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * disk-graph.h - every disk link in a VM's directory, who its parent is, and
 * who refers to it: snapshots, the running VM, other VMs of the directory,
 * linked clones. What is removed or merged is decided on this, never on names.
 *
 * Links are opened one after the other and closed again; the facts are kept.
 */
#pragma once

#include "workstation/vm-change.h"

G_BEGIN_DECLS

typedef struct WsLink WsLink;
struct WsLink {
  char *id;        /* canonical path */
  const char *own; /* name in the VM's directory; NULL: elsewhere */
  char *problem;   /* why it cannot be opened; NULL: it can. The rest
                    * up to parent is unset then, and elsewhere */
  guint32 cid;
  guint32 parent_cid;
  guint64 capacity;
  gboolean can_write;
  char **files;          /* names in the VM's directory of all its files;
                          * NULL if one lies elsewhere */
  char *hint;            /* as written; NULL: a base */
  WsLink *parent;        /* NULL: a base, or not found */
  GPtrArray *children;   /* WsLink */
  GHashTable *frozen_by; /* set of uids (gint64 keys) of this VM's snapshots */
  gboolean running;      /* a disk of the VM's .vmx */
  const char *reader;    /* who else reads it: a clone's .vmx, another VM's file
                          * in this directory; NULL. Holds for its parents too */
};

typedef struct {
  GHashTable *by_id; /* id -> WsLink */
  GPtrArray *links;  /* WsLink, owned */
  GPtrArray *texts;  /* what WsLink.reader points to */
} WsGraph;

/**
 * ws_graph_load:
 * @gone: set of uids (gint64 keys) whose clones do not count; see
 *   ws_check_no_clones()
 * @error: %VIX_E_DISK_INVALIDDISK naming a file that may be part of a chain
 *   but cannot be read, so that nobody can say whose parent is still needed
 */
WsGraph *ws_graph_load (WsChange *change, GHashTable *gone, GError **error);
void ws_graph_free (WsGraph *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (WsGraph, ws_graph_free)

/* The link that the .vmx or .vmsd call @file_name; an error if it does not
 * exist. A disk elsewhere that nothing else led to is added. Borrowed. */
WsLink *ws_graph_find (WsGraph *self, WsChange *change, const char *file_name,
                       GError **error);

/* Errors name both files: %VIX_E_DISK_CID_MISMATCH,
 * %VIX_E_DISK_CAPACITY_MISMATCH, %VIX_E_DISK_OPENPARENT, or what is wrong
 * with one of them. For links of the VM's directory with a parent. */
gboolean ws_link_check_parent (const WsLink *self, GError **error);

G_END_DECLS
