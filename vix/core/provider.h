/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * provider.h - the one seam between the VIX objects and a kind of host.
 *
 * A provider is a const table of synchronous functions. core/job.c calls them
 * on worker threads, never two changes of one VM at once (the VM's queue in
 * core/job.c orders them) and with no lock held. Everything they return is
 * the caller's; failures are GErrors of domain VIX_ERROR whose text names the
 * file, field or object and the remedy.
 *
 * VMs are named by the id of their record (VixExtVM.id), snapshots by their
 * record's id; a provider looks both up anew in each call.
 */
#pragma once

#include <gio/gio.h>

#include "core/inventory.h"
#include "vix-ext.h"

G_BEGIN_DECLS

/* What a running operation may use of its job. */
typedef struct {
  GCancellable *cancellable; /* borrowed, never NULL */
  /* Reports 0..100; any thread; may be NULL. */
  void (*progress) (gpointer progress_data, int percent);
  gpointer progress_data;
} VixOp;

typedef struct {
  VixServiceProvider host_type; /* never DEFAULT */
  const char *host_name;        /* NULL: the provider's default */
  const char *user_name;        /* NULL if none */
  const char *password;         /* NULL if none */
  const char *vendor_library;   /* see VixExtConnectParams */
  gboolean read_only;
  gboolean verify_ssl;
  /* Network hosts; see VixExtConnectParams. NULL and 0: the default. */
  const char *ca_file;
  const char *thumbprint;
  int connect_timeout_ms;
  int answer_timeout_ms;
  int stall_timeout_ms;
  int settle_timeout_ms;
  gint64 cache_bytes;
  int connections;
} VixConnectParams;

typedef struct {
  const char *name;        /* never NULL, valid UTF-8 */
  const char *description; /* never NULL, valid UTF-8 */
  gboolean memory;
  gboolean quiesce;
  gint64 replace; /* 0, or a snapshot that the new one replaces in the same
                   * all-or-nothing step (VMware Server's single snapshot) */
} VixSnapshotParams;

typedef enum {
  VIX_POWER_ON,
  VIX_POWER_OFF,
  VIX_POWER_RESET,
  VIX_POWER_SUSPEND,
  VIX_POWER_PAUSE,
  VIX_POWER_UNPAUSE,
  VIX_POWER_UPGRADE_HARDWARE /* not power, but the same shape */
} VixPowerOp;

/* A file opened for reading; the provider extends it. Once the host was
 * disconnected it is only freed, and must not need the host for that. */
typedef struct VixFileReader VixFileReader;
struct VixFileReader {
  guint64 size; /* bytes, when it was opened */
  /* Fills @ret_done < @len only at the end of the file. Any thread. */
  gboolean (*read) (VixFileReader *self, guint64 offset, void *buf, gsize len,
                    gsize *ret_done, GError **error);
  /* The run from @offset on, before the end, that is data or a hole; at most
   * @len. Any thread. NULL: all is data. */
  gboolean (*map) (VixFileReader *self, guint64 offset, guint64 len,
                   gboolean *ret_data, guint64 *ret_len, GError **error);
  void (*free) (VixFileReader *self);
};

/**
 * VixProviderOps:
 *
 * @host is what @connect returned. A %NULL function means that this kind of
 * host cannot do it: the API answers %VIX_E_NOT_SUPPORTED.
 */
typedef struct {
  const char *name; /* "workstation", "vsphere" */

  /* Is wrong with @params what no host need be asked for? User and password
   * may be missing. NULL: nothing can be. */
  gboolean (*check) (const VixConnectParams *params, GError **error);
  /* Connects; publishes into @inventory (borrowed, outlives the host) once
   * @watch was called. */
  gpointer (*connect) (const VixConnectParams *params, VixInventory *inventory,
                       const VixOp *op, GError **error);
  /* Ends the watch, joins its threads, frees @host. May block. */
  void (*disconnect) (gpointer host);
  /* Starts loading and watching, then returns. Called at most once. */
  gboolean (*watch) (gpointer host, GError **error);
  /* Fills all of @status but size, numVMs and numSnapshots. */
  void (*get_status) (gpointer host, VixExtHostStatus *status);

  /* VixHost_OpenVM: from any accepted spelling of a .vmx path to the id. */
  char *(*open_vm) (gpointer host, const char *path, const VixOp *op,
                    GError **error);
  /* What the VM is *now*; may read disks or ask the host. Also publishes. */
  const VixExtVM *(*lookup_vm) (gpointer host, const char *id, const VixOp *op,
                                GError **error);
  /* Paths for VixHost_FindItems, in the form open_vm takes. */
  GPtrArray *(*find_vms) (gpointer host, gboolean running_only, const VixOp *op,
                          GError **error);
  gboolean (*register_vm) (gpointer host, const char *path, const VixOp *op,
                           GError **error);
  gboolean (*unregister_vm) (gpointer host, const char *path, const VixOp *op,
                             GError **error);

  gboolean (*power) (gpointer host, const char *id, VixPowerOp what,
                     int options, const VixOp *op, GError **error);
  gboolean (*delete_vm) (gpointer host, const char *id, gboolean disk_files,
                         const VixOp *op, GError **error);
  /* @snapshot 0: the present state. Returns the clone's id. */
  char *(*clone_vm) (gpointer host, const char *id, gint64 snapshot,
                     gboolean linked, const char *dest_vmx, const VixOp *op,
                     GError **error);

  gboolean (*create_snapshot) (gpointer host, const char *id,
                               const VixSnapshotParams *params, gint64 *ret_id,
                               const VixOp *op, GError **error);
  gboolean (*revert_to_snapshot) (gpointer host, const char *id,
                                  gint64 snapshot, gboolean suppress_power_on,
                                  const VixOp *op, GError **error);
  gboolean (*remove_snapshot) (gpointer host, const char *id, gint64 snapshot,
                               gboolean children, const VixOp *op,
                               GError **error);
  /* %NULL @name or @description: leave as it is. */
  gboolean (*edit_snapshot) (gpointer host, const char *id, gint64 snapshot,
                             const char *name, const char *description,
                             const VixOp *op, GError **error);

  /* Array of VixExtFile sorted by name, in one g_malloc block. */
  gboolean (*list_files) (gpointer host, const char *id, gint64 snapshot,
                          VixExtFile **ret_files, gsize *ret_count,
                          const VixOp *op, GError **error);
  /* The .vmx bytes as they are; @snapshot 0: now. */
  GBytes *(*get_config) (gpointer host, const char *id, gint64 snapshot,
                         const VixOp *op, GError **error);
  /* How long that is, where it is known without making it; may be %NULL where
   * get_config costs nothing. */
  gboolean (*measure_config) (gpointer host, const char *id, gint64 snapshot,
                              gsize *ret_bytes, const VixOp *op,
                              GError **error);
  VixFileReader *(*open_file) (gpointer host, const char *id, gint64 snapshot,
                               const char *name, const VixOp *op,
                               GError **error);
  /* Array of VixExtImage in the order of nodes, in one g_malloc block.
   * @snapshot is not 0. */
  gboolean (*list_images) (gpointer host, const char *id, gint64 snapshot,
                           VixExtImage **ret_images, gsize *ret_count,
                           const VixOp *op, GError **error);
  /* The disk that was @node. Has @map. */
  VixFileReader *(*open_image) (gpointer host, const char *id, gint64 snapshot,
                                const char *node, const VixOp *op,
                                GError **error);
  /* The same, but data only where it may differ from what @node was in
   * snapshot @older; 0, or a snapshot without that disk: where it is data. */
  VixFileReader *(*open_changes) (gpointer host, const char *id, gint64 older,
                                  gint64 snapshot, const char *node,
                                  const VixOp *op, GError **error);
} VixProviderOps;

/**
 * vix_provider_find:
 * @params: how VixHost_Connect was called; host_type may be DEFAULT
 * @ret_type: the type the host reports from now on, never DEFAULT
 *
 * The only place that knows the providers: vix/providers.c.
 *
 * Returns: (nullable): %NULL with %VIX_E_INVALID_ARG for an unknown type
 */
const VixProviderOps *vix_provider_find (VixServiceProvider type,
                                         const char *host_name,
                                         VixServiceProvider *ret_type,
                                         GError **error);

G_END_DECLS
