/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * request.h - one request of the kernel, from its arrival to its one answer.
 *
 * Whoever holds an FsRequest owes the answer. Freed without one it answers EIO
 * and logs a critical; answering twice is an assertion failure. Each answer
 * leaves one debug line: what, node, name, errno, milliseconds.
 *
 * Any thread, but one at a time.
 */
#pragma once

#include <glib.h>

#include "fs-fuse.h"
#include "stats.h"

G_BEGIN_DECLS

typedef struct FsRequest FsRequest;

/**
 * fs_request_new:
 * @stats: counts it; outlives it
 * @node: what it is about
 * @name: (nullable): copied
 */
FsRequest *fs_request_new (fuse_req_t req, FsStats *stats, FsOp op,
                           guint64 node, const char *name);
void fs_request_free (FsRequest *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (FsRequest, fs_request_free)

/* For libfuse's functions that prepare an answer. */
fuse_req_t fs_request_get_fuse (const FsRequest *self);

/* Different from that of every other request. */
guint64 fs_request_id (const FsRequest *self);

/**
 * fs_request_watch_interrupt:
 * @func: called once if the caller gets a signal before the answer, from any
 *   thread, with a lock of libfuse held: it must neither answer a request nor
 *   call what may (the library may end a job right there)
 *
 * Ends with the answer: @func is not running any more when that was given.
 */
void fs_request_watch_interrupt (FsRequest *self,
                                 void (*func) (guint64 id, gpointer data),
                                 gpointer data);

/* The thread that waits for the answer; 0 if it cannot be seen from here. Not
 * after the answer. */
pid_t fs_request_caller (const FsRequest *self);

/* Whether @caller, interrupted by a signal, is only to take note of something:
 * a child has ended, its window got another size, it is to pause, the machine
 * goes to sleep. Reads /proc; %FALSE where that tells nothing. */
gboolean fs_caller_goes_on (pid_t caller);

/* Whether a signal ends @caller as soon as it is answered. */
gboolean fs_caller_is_dying (pid_t caller);

/* ---- answers ---- */

/* @number: a positive errno; 0: done, nothing to tell */
void fs_request_reply (FsRequest *self, int number);
void fs_request_reply_entry (FsRequest *self,
                             const struct fuse_entry_param *entry);
void fs_request_reply_create (FsRequest *self,
                              const struct fuse_entry_param *entry,
                              const struct fuse_file_info *file);
void fs_request_reply_attr (FsRequest *self, const struct stat *attr,
                            double timeout);
void fs_request_reply_open (FsRequest *self, const struct fuse_file_info *file);
void fs_request_reply_data (FsRequest *self, gconstpointer data, gsize len);
void fs_request_reply_link (FsRequest *self, const char *target);
void fs_request_reply_written (FsRequest *self, gsize count);
void fs_request_reply_statfs (FsRequest *self, const struct statvfs *status);
void fs_request_reply_poll (FsRequest *self, guint events);
void fs_request_reply_seek (FsRequest *self, off_t offset);

/* An attribute's value or the list of names: its size if @size is 0, itself if
 * it fits into @size, else ERANGE. */
void fs_request_reply_xattr (FsRequest *self, gconstpointer data, gsize len,
                             gsize size);

G_END_DECLS
