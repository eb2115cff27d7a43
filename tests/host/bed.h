/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * bed.h - a host of the vSphere provider, connected to a simulator, with a
 * diary of what its inventory says.
 */
#pragma once

#include "core/provider.h"
#include "servers.h"

G_BEGIN_DECLS

typedef struct {
  const VixProviderOps *ops;
  gpointer host;
  VixInventory *inventory;
  GMutex lock;
  GString *diary; /* "+a", "~a", "-a", "L", "S", "F" as events came */
  GCond changed;
  guint n_events;
} Bed;

/* Connects to @server and, if @watch, waits until the inventory is loaded. */
Bed *bed_new (const BedServer *server, gboolean watch);
/* As bed_new with parameters changed by @adjust; NULL with @error. */
Bed *bed_connect (const BedServer *server,
                  void (*adjust) (VixConnectParams *params, gpointer data),
                  gpointer data, GError **error);
void bed_watch (Bed *self);
/* Whether the diary has @entry; forgetting what it has; a copy of it. */
gboolean bed_saw (Bed *self, const char *entry);
void bed_forget (Bed *self);
char *bed_tell (Bed *self);
void bed_free (Bed *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (Bed, bed_free)

/* An operation without progress; its cancellable is new. */
typedef struct {
  VixOp op;
  GCancellable *cancellable;
  int percent; /* reported last */
  int n_percent;
} BedOp;
BedOp *bed_op_new (void);
void bed_op_free (BedOp *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (BedOp, bed_op_free)

/* The record of that display name; (transfer full); fails the test if there
 * is none in time. */
const VixExtVM *bed_vm (Bed *self, const char *name);
char *bed_vm_id (Bed *self, const char *name);
/* "1:snap-1(0),2:snap-2(1)*": id, name, parent, current. */
char *bed_snapshots (const VixExtVM *vm);
/* Creates a snapshot; 0 with @error. */
gint64 bed_create (Bed *self, const char *vm_id, const char *name,
                   GError **error);
/* Waits until bed_snapshots of that VM is @wanted; fails the test after long.
 */
void bed_await_snapshots (Bed *self, const char *name, const char *wanted);
/* Waits until the state is VIXEXT_HOST_*; fails the test after @ms. */
void bed_await_state (Bed *self, int state, int ms);

/* All that the inventory has, a line for each VM, sorted. */
char *bed_dump (Bed *self);
/* It has what somebody sees there who connects now. */
void bed_assert_complete (Bed *self, const BedServer *server);

G_END_DECLS
