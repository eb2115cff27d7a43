/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * txn-apply.h - carrying out and undoing a plan; what txn.c does with its own
 * and txn-recover.c with one it found.
 */
#pragma once

#include "workstation/txn-journal.h"

G_BEGIN_DECLS

/* Opens a regular file of the directory without following links; -1 and an
 * error that names it. ENOENT: %VIX_E_FILE_NOT_FOUND. */
int txn_open_regular (int dir_fd, const char *name, int flags, GError **error);

gboolean txn_write_all (int fd, guint64 offset, const void *data, gsize len,
                        const char *name, GError **error);

/* SHA-256 of the file as hex, TXN_ABSENT if there is none. */
gboolean txn_file_sha (int dir_fd, const char *name,
                       char ret_sha[TXN_SHA_LEN + 1], GError **error);

/* Starts writing out @fd's data, so that the fsync()s of several files cost
 * little more than that of one. */
void txn_start_writeback (int fd);

gboolean txn_sync_dir (int dir_fd, GError **error);

/**
 * txn_apply:
 * @count: how many of @ops; all if there are fewer
 * @ret_merge_failed: set to %TRUE if it was a merge that failed
 *
 * Carries out @ops in order and makes the result durable. May be
 * repeated.
 */
gboolean txn_apply (int dir_fd, GPtrArray *ops, guint count,
                    const TxnHandlers *handlers, gboolean *ret_merge_failed,
                    GError **error);

/* Removes the staged files of @ops. */
gboolean txn_drop_staged (int dir_fd, GPtrArray *ops, GError **error);

/* Removes what was made for @ops and repairs what was written to. May be
 * repeated; goes on after a failure and reports the first. */
gboolean txn_undo (int dir_fd, GPtrArray *ops, const TxnHandlers *handlers,
                   GError **error);

/* ENOENT is success. */
gboolean txn_remove_file (int dir_fd, const char *name, GError **error);

G_END_DECLS
