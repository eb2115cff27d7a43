/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * host-private.h - what the files of this folder share: one connected host.
 *
 * Two ways to know a VM. Once `watch` was called, one thread (watch.c) keeps
 * the mirror equal to the host, and everything is answered from it. Before,
 * a VM is read from the host when it is asked for (inventory.c). Tasks are
 * followed by the same thread either way, which starts with the first need.
 *
 * Functions that can fail return SOAP_ERROR or VIX_ERROR; provider.c makes
 * all of them VIX_ERROR.
 */
#pragma once

#include "base/lock.h"
#include "core/provider.h"
#include "vsphere/mirror.h"
#include "vsphere/session.h"
#include "vsphere/transfer.h"

G_BEGIN_DECLS

typedef struct VsphereWatch VsphereWatch;
typedef struct VsphereTasks VsphereTasks;
typedef struct VsphereChores VsphereChores; /* chore.h */

typedef struct {
  VixInventory *inventory; /* borrowed */
  VsphereSession *session;
  gboolean is_vcenter;
  gint64 settle_us; /* how long to look for what became of a change */
  VsphereWatch *watch;
  VsphereTasks *tasks;
  VsphereChores *chores;
  VsphereTransfer *transfer;

  VixLock lock; /* level HOST: all below, and what watch.c and task.c say */
  VsphereMirror *mirror;
  GHashTable *waiters; /* id of a VM → Waiter, see inventory.c */
  gboolean publishing; /* a thread is between taking and putting */
  GCond published;     /* it is done */
  GQueue unsettled;    /* creates of unknown fate, see snapshot.c */
  GHashTable *asked;   /* ids of VMs whose disks are being asked for ... */
  GCond answered;      /* ... and that ended */
  guint ask_vms;       /* how many VMs the last request asked for ... */
  gint64 ask_at;       /* ... and when (monotonic) */
} VsphereHost;

/* ---- collector.c: the property collector ---- */

/* A PropertyFilterSpec with all it points to; borrows the references. */
typedef struct {
  SoapPropertyFilterSpec spec;
  SoapPropertySpec props[8];
  const char **paths[8]; /* owned: those of props[] */
  gsize n_props;
  SoapObjectSpec *objects; /* owned */
  SoapTraversalSpec traversals[8];
  SoapSelectionSpec selections[24];
} VsphereSpec;

/* Everything that the mirror holds and @view shows; @files: see
 * vsphere_mirror_list_paths(). */
void vsphere_spec_init_inventory (VsphereSpec *self, const char *version,
                                  const SoapRef *view, gboolean files);
/* One VM and everything it is in. */
void vsphere_spec_init_vm (VsphereSpec *self, const char *version,
                           const SoapRef *vm, gboolean files);
/* @paths (static strings, NULL-terminated) of @n objects of one type. */
void vsphere_spec_init_objects (VsphereSpec *self, const char *const *paths,
                                const SoapRef *objects, gsize n);
/* @paths of all of @type below the folder @root. */
void vsphere_spec_init_datacenters (VsphereSpec *self, const char *const *paths,
                                    const SoapRef *root);
void vsphere_spec_clear (VsphereSpec *self);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (VsphereSpec, vsphere_spec_clear)

/* (transfer full): value of a new view of all that the mirror holds. */
char *vsphere_create_view (VsphereHost *host, GCancellable *cancellable,
                           GError **error);

/* Whether one of the missing properties is so because we are not logged in:
 * hosts say that in the middle of an answer that looks well. */
gboolean vsphere_lacks_session (const SoapMissingProperty *missing, gsize n);

typedef void (*VsphereContentFunc) (const SoapObjectContent *content,
                                    gboolean cut, SoapArena *arena,
                                    gpointer data);

/* Reads properties once, in as many pages as the host makes of it. @func runs
 * without locks; after a repetition it sees objects again. Blocks. */
gboolean vsphere_retrieve (VsphereHost *host, const VsphereSpec *spec,
                           VsphereContentFunc func, gpointer data,
                           GCancellable *cancellable, GError **error);

/* (nullable): the value of property @path in @content */
const SoapNode *vsphere_content_get (const SoapObjectContent *content,
                                     const char *path);

/* ---- inventory.c: from the mirror to the inventory ---- */

/* Puts what changed in the mirror into the inventory and wakes who waits for
 * it. One thread at a time; no lock may be held. */
void vsphere_publish (VsphereHost *host, gboolean complete);

/* A question about a VM as the inventory has it; with the lock. */
typedef gboolean (*VsphereVmCheck) (const VsphereVm *vm, gpointer data);
/* Waits until @check says yes, or the VM is gone, or @end_time (monotonic)
 * has come: then FALSE. */
gboolean vsphere_await_vm (VsphereHost *host, const char *id,
                           VsphereVmCheck check, gpointer data,
                           gint64 end_time);

/* Reads a VM from the host into the mirror and publishes it. */
gboolean vsphere_refresh_vm (VsphereHost *host, const char *id,
                             GCancellable *cancellable, GError **error);
/* (transfer full): the VM as it is, from the mirror if that is kept up: then
 * nothing is asked. */
const VixExtVM *vsphere_lookup_vm (VsphereHost *host, const char *id,
                                   GCancellable *cancellable, GError **error);
/* Sees that the mirror has the VM with its files; asks the host where nobody
 * watches it. */
gboolean vsphere_need_files (VsphereHost *host, const char *id,
                             GCancellable *cancellable, GError **error);
/* The VM was deleted or unregistered: the inventory knows when this returns. */
void vsphere_vm_gone (VsphereHost *host, const char *id);
/* (transfer full): the object of a snapshot. %VIX_E_SNAPSHOT_NOTFOUND. */
char *vsphere_lookup_snapshot (VsphereHost *host, const char *id,
                               gint64 snapshot, GCancellable *cancellable,
                               GError **error);

/* ---- disk-table.c: the disks of snapshots, asked for once ---- */

/**
 * vsphere_need_known:
 * @ret_known: (out): with a reference to its disks
 * @error: %VIX_E_SNAPSHOT_NOTFOUND; %VIX_E_HOST_CONNECTION_LOST at once if it
 *   is not known and the host is away
 *
 * What is known of a snapshot. Asks the host if need be, then for all
 * snapshots of that VM and, when VM after VM is asked for, of ever more others.
 */
gboolean vsphere_need_known (VsphereHost *host, const char *id, gint64 snapshot,
                             VsphereKnown *ret_known, GCancellable *cancellable,
                             GError **error);
/* Remembers whether anything was written to disk @index between the parent
 * and the snapshot, if it is still @known. */
void vsphere_settle_known (VsphereHost *host, const char *id, gint64 snapshot,
                           const VsphereKnown *known, guint index,
                           gboolean unwritten);
/* Something is not as was told: ask again. */
void vsphere_forget_known (VsphereHost *host, const char *id);
/* (transfer full): the .vmx text for @config; @directory of the VM, "[ds]
 * dir/" (config.c) */
GBytes *vsphere_write_config (const SoapVirtualMachineConfigInfo *config,
                              const char *directory);

/* ---- watch.c: the thread that holds the call open ---- */

VsphereWatch *vsphere_watch_new (VsphereHost *host);
/* Joins the thread. */
void vsphere_watch_free (VsphereWatch *self);
/* From now on keep the whole inventory. */
void vsphere_watch_start (VsphereWatch *self);
/* See that the thread runs and knows of new work. */
void vsphere_watch_need (VsphereWatch *self);
/* A call failed for want of the host: see whether it is there. */
void vsphere_watch_doubt (VsphereWatch *self);
/* Whether the mirror is the whole inventory and kept up to date. */
gboolean vsphere_watch_is_loaded (VsphereWatch *self);
/* Whether it is, or will be: what is there is kept up already. */
gboolean vsphere_watch_is_wanted (VsphereWatch *self);
/* %VIX_E_HOST_CONNECTION_LOST at once while the host is away. */
gboolean vsphere_watch_check_here (VsphereWatch *self, GError **error);
/* Waits until the host is there; FALSE if it is not at @end_time. */
gboolean vsphere_watch_await_here (VsphereWatch *self,
                                   GCancellable *cancellable, gint64 end_time);
void vsphere_watch_get_status (VsphereWatch *self, VixExtHostStatus *status);
/* With the lock: whether the host is there, as far as we know. */
gboolean vsphere_watch_is_here_locked (VsphereWatch *self);
/* (nullable) (transfer full): the collector's value, with the lock; @serial
 * tells collectors apart. */
char *vsphere_watch_get_collector_locked (VsphereWatch *self,
                                          guint *ret_serial);

/* ---- task.c: what the host is doing for us ---- */

VsphereTasks *vsphere_tasks_new (VsphereHost *host);
void vsphere_tasks_free (VsphereTasks *self);

/* How a task ended. */
typedef struct {
  gboolean returns;   /* in: it ends with a result, if it ends well */
  gboolean forgotten; /* the host does not know it any more */
  char *result;       /* value of the reference that it returned, or NULL */
} VsphereTaskEnd;

/**
 * vsphere_task_wait:
 *
 * Follows the task to its end, hands on its progress, and asks the host to
 * cancel it when @op is cancelled. As long as the host is there it waits
 * however long that takes.
 *
 * Returns: %FALSE with the task's fault, or %VIX_E_HOST_CONNECTION_LOST when
 * the host did not come back
 */
gboolean vsphere_task_wait (VsphereHost *host, const SoapRef *ref,
                            const VixOp *op, VsphereTaskEnd *ret_end,
                            GError **error);

/* For watch.c. Whether any task is followed; with the lock. */
gboolean vsphere_tasks_pending_locked (VsphereTasks *self);
/* The collector is another one: all filters are gone. */
void vsphere_tasks_forget_filters (VsphereTasks *self);
/* Puts tasks that have none under a filter of the present collector. */
gboolean vsphere_tasks_filter (VsphereTasks *self, GError **error);
/* An update of an object of type Task. */
void vsphere_tasks_apply (VsphereTasks *self, const SoapObjectUpdate *update);
/* The host does not know the task; FALSE if we were not waiting for it. */
gboolean vsphere_tasks_missing (VsphereTasks *self, const SoapRef *ref);
/* The host came, or went: those who wait look again. */
void vsphere_tasks_wake (VsphereTasks *self);

/* ---- change.c: changes that happen once ---- */

/**
 * VsphereJudge:
 * @vm: the VM as the host has it now
 * @result: (nullable): what a task returned that may be ours
 *
 * Asked only when the host's answer was lost, or its task forgotten.
 *
 * Returns: whether the VM shows that the change was made; with @result:
 * whether that is what the change made
 */
typedef gboolean (*VsphereJudge) (const VsphereVm *vm, const char *result,
                                  gpointer data);

typedef struct {
  const SoapMethod *method;
  SoapRef object;
  gconstpointer args;
  /* Its task's descriptionId after the last dot, NULL-terminated; NULL: it
   * has no task. */
  const char *const *task_names;
  VsphereJudge judge; /* NULL: the VM does not show it */
  gpointer data;
  gboolean returns;   /* its task ends with a result, if it ends well */
  gboolean looked_up; /* out: the host's answer was lost */
  gboolean unknown;   /* out: it failed, and may have happened all the same */
} VsphereChangeCall;

/**
 * vsphere_change_run:
 * @id: the VM that is changed
 * @ret_result: (out) (nullable): value of what the task returned, or NULL;
 *   also NULL when the change was only seen to have happened
 *
 * Sends the change once and says what became of it. When the answer is lost
 * it is looked up; "not known to have happened" is part of the text when
 * nothing was found.
 */
gboolean vsphere_change_run (VsphereHost *host, const char *id,
                             VsphereChangeCall *call, const VixOp *op,
                             char **ret_result, GError **error);

/* Looks once whether the VM shows what @judge asks for; FALSE without @error
 * if it does not. */
gboolean vsphere_change_look (VsphereHost *host, const char *id,
                              VsphereJudge judge, gpointer data,
                              GError **error);

/* Waits until the inventory shows what @check asks for, since a job is not
 * done before its changes can be seen. A host that does not tell is asked. */
void vsphere_change_settle (VsphereHost *host, const char *id,
                            VsphereVmCheck check, gpointer data);

/* ---- what the provider table points to ---- */

gboolean vsphere_create_snapshot (VsphereHost *host, const char *id,
                                  const VixSnapshotParams *params,
                                  gint64 *ret_id, const VixOp *op,
                                  GError **error);
gboolean vsphere_revert_to_snapshot (VsphereHost *host, const char *id,
                                     gint64 snapshot,
                                     gboolean suppress_power_on,
                                     const VixOp *op, GError **error);
gboolean vsphere_remove_snapshot (VsphereHost *host, const char *id,
                                  gint64 snapshot, gboolean children,
                                  const VixOp *op, GError **error);
gboolean vsphere_edit_snapshot (VsphereHost *host, const char *id,
                                gint64 snapshot, const char *name,
                                const char *description, const VixOp *op,
                                GError **error);
gboolean vsphere_power (VsphereHost *host, const char *id, VixPowerOp what,
                        int options, const VixOp *op, GError **error);
gboolean vsphere_delete_vm (VsphereHost *host, const char *id,
                            gboolean disk_files, const VixOp *op,
                            GError **error);
/* At the end of the host. */
void vsphere_snapshot_clear_unsettled (VsphereHost *host);
char *vsphere_open_vm (VsphereHost *host, const char *path, const VixOp *op,
                       GError **error);
GPtrArray *vsphere_find_vms (VsphereHost *host, gboolean running_only,
                             const VixOp *op, GError **error);
gboolean vsphere_register_vm (VsphereHost *host, const char *path,
                              const VixOp *op, GError **error);
gboolean vsphere_unregister_vm (VsphereHost *host, const char *path,
                                const VixOp *op, GError **error);
gboolean vsphere_list_files (VsphereHost *host, const char *id, gint64 snapshot,
                             VixExtFile **ret_files, gsize *ret_count,
                             const VixOp *op, GError **error);
GBytes *vsphere_get_config (VsphereHost *host, const char *id, gint64 snapshot,
                            const VixOp *op, GError **error);
gboolean vsphere_measure_config (VsphereHost *host, const char *id,
                                 gint64 snapshot, gsize *ret_bytes,
                                 const VixOp *op, GError **error);
VixFileReader *vsphere_open_file (VsphereHost *host, const char *id,
                                  gint64 snapshot, const char *name,
                                  const VixOp *op, GError **error);
gboolean vsphere_list_images (VsphereHost *host, const char *id,
                              gint64 snapshot, VixExtImage **ret_images,
                              gsize *ret_count, const VixOp *op,
                              GError **error);
VixFileReader *vsphere_open_image (VsphereHost *host, const char *id,
                                   gint64 snapshot, const char *node,
                                   GError **error);
VixFileReader *vsphere_open_changes (VsphereHost *host, const char *id,
                                     gint64 older, gint64 snapshot,
                                     const char *node, GError **error);

G_END_DECLS
