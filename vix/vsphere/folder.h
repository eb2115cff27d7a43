/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * folder.h - parts of datastore files, by the host's /folder.
 *
 * Whoever reads does not notice that a session ends, a connection breaks or
 * the host restarts: the transfer goes on where it stopped, until nothing
 * came for twice the time that the host has for an answer. Any thread.
 */
#pragma once

#include "vsphere/session.h"
#include "vsphere/soap/range.h"

G_BEGIN_DECLS

/**
 * vsphere_folder_make_url:
 * @dc_path: inventory path of the datacenter, names as on the wire
 * @path: "[datastore] dir/file" as on the wire
 *
 * Returns: (transfer full) (nullable): NULL if @path is none
 */
char *vsphere_folder_make_url (VsphereSession *session, const char *dc_path,
                               const char *path);

/**
 * vsphere_folder_read:
 * @path: for error texts
 * @part: its cookie is not looked at
 * @patient: else one request is sent, in the session that there is
 * @facts: (out): of the last request, but @done of all
 * @error: VIX_ERROR, whose text names file, host and remedy:
 *   %VIX_E_FILE_NOT_FOUND; %VIX_E_FILE_ALREADY_LOCKED for a file that a
 *   running virtual machine holds; %VIX_E_HOST_USER_PERMISSIONS;
 *   %VIX_E_FILE_ERROR for one that changed; the codes of connections
 *
 * Blocks.
 */
gboolean vsphere_folder_read (VsphereSession *session, const char *path,
                              const SoapRange *part, gboolean patient,
                              SoapRangeFacts *facts, GCancellable *cancellable,
                              GError **error);

typedef enum {
  VSPHERE_PARTS_GOT,
  VSPHERE_PARTS_REFUSED, /* as a host does that takes one part a request */
  VSPHERE_PARTS_LOST,    /* nothing, or an error: that may be why, or not */
  VSPHERE_PARTS_FAILED,  /* cancelled, changed, or the session ended */
} VsphereParts;

/**
 * vsphere_folder_read_parts:
 * @file: as soap_range_get_parts(); its cookie is not looked at
 *
 * Several parts in one request, which is sent once, in the session that there
 * is. @parts tell what came, however that ended. Blocks.
 */
VsphereParts vsphere_folder_read_parts (VsphereSession *session,
                                        const SoapRange *file, SoapPart *parts,
                                        guint n_parts, SoapRangeFacts *facts,
                                        GCancellable *cancellable);

G_END_DECLS
