/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * transfer.h - the content of a host's files: read once, kept in memory of a
 * fixed size, and fetched before it is asked for where somebody reads on.
 *
 * A reader that finds its bytes missing fetches them itself, so that a small
 * read costs one exchange and no change of threads. Whoever finds them on
 * their way waits for them. Threads of our own fetch what is ahead of readers
 * that read on (stream.h); what they fail to get, the reader will try for
 * itself, with all the patience of folder.h. Nothing is handed out of a file
 * whose size or time is another than at opening. Any thread.
 */
#pragma once

#include "vsphere/session.h"

G_BEGIN_DECLS

typedef struct VsphereTransfer VsphereTransfer;
typedef struct VsphereFile VsphereFile; /* one version of a file */

/**
 * vsphere_transfer_new:
 * @cache_bytes: memory for content, that in transfer included; 0: 128 MiB
 * @connections: transfers at once; 0: 8
 */
VsphereTransfer *vsphere_transfer_new (VsphereSession *session,
                                       guint64 cache_bytes, guint connections);
guint vsphere_transfer_get_connections (const VsphereTransfer *self);
/* Joins the threads. No read may be under way; files may be open, and are
 * only to be closed from now on. */
void vsphere_transfer_free (VsphereTransfer *self);

/**
 * vsphere_transfer_open:
 * @dc_path: inventory path of the file's datacenter, as on the wire
 * @path: "[datastore] dir/file" as on the wire
 * @constant: its bytes do not change; should they, reading fails. Else what
 *   is read is what the file had at some time since it was opened
 * @error: as vsphere_folder_read(); %VIX_E_FILE_NAME_INVALID
 *
 * One request. Blocks; ends early if @cancellable is cancelled, or, where that
 * is %NULL, the thread's current one, as all that blocks here.
 */
VsphereFile *vsphere_transfer_open (VsphereTransfer *self, const char *dc_path,
                                    const char *path, gboolean constant,
                                    GCancellable *cancellable, GError **error);
void vsphere_file_close (VsphereFile *self);
guint64 vsphere_file_get_size (const VsphereFile *self);

/* All of @len, or an error. Blocks. */
gboolean vsphere_file_read (VsphereFile *self, guint64 offset, void *buf,
                            gsize len, GError **error);

/* The same of what tells nothing of where will be read next. */
gboolean vsphere_file_read_table (VsphereFile *self, guint64 offset, void *buf,
                                  gsize len, GError **error);

/* For tests: bytes fetched so far, those that a reader has seen included. */
gsize vsphere_transfer_get_fetched (VsphereTransfer *self);

G_END_DECLS
