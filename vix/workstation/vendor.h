/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vendor.h - VMware's own VIX library, where it is installed: it owns the VMs
 * then, and what changes them goes through it. Listing, watching, renaming
 * and describing stay ours; VIX has no call for the last two.
 *
 * Functions take what the entries of VixProviderOps take; the host's vendor
 * is not NULL. They do not publish: the caller calls ws_host_refresh_vm().
 * Any thread; all block until VMware's job is done. VMware's jobs cannot be
 * cancelled once begun. Errors keep VMware's code and text.
 */
#pragma once

#include "workstation/host-private.h"

G_BEGIN_DECLS

/* Where VMware says what it installed. */
#define WS_VENDOR_CONFIG "/etc/vmware/config"

/**
 * ws_vendor_find:
 * @config_file: WS_VENDOR_CONFIG, or a test's
 *
 * The library named by `vix.libdir` there, or else found at the usual paths.
 * A library of this project under VMware's name does not count.
 *
 * Returns: (transfer full) (nullable): its path
 */
char *ws_vendor_find (const char *config_file);

gboolean ws_vendor_create_snapshot (WsHost *host, const char *id,
                                    const VixSnapshotParams *params,
                                    gint64 *ret_id, const VixOp *op,
                                    GError **error);
gboolean ws_vendor_revert_to_snapshot (WsHost *host, const char *id,
                                       gint64 snapshot,
                                       gboolean suppress_power_on,
                                       const VixOp *op, GError **error);
gboolean ws_vendor_remove_snapshot (WsHost *host, const char *id,
                                    gint64 snapshot, gboolean children,
                                    const VixOp *op, GError **error);
gboolean ws_vendor_power (WsHost *host, const char *id, VixPowerOp what,
                          int options, const VixOp *op, GError **error);
gboolean ws_vendor_delete_vm (WsHost *host, const char *id, gboolean disk_files,
                              const VixOp *op, GError **error);
char *ws_vendor_clone_vm (WsHost *host, const char *id, gint64 snapshot,
                          gboolean linked, const char *dest_vmx,
                          const VixOp *op, GError **error);

G_END_DECLS
