/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * ops-private.h - what ops.c (names, attributes, directories) and ops-file.c
 * (open files) share: how a request of the kernel becomes one of ours, and who
 * answers it.
 */
#pragma once

#include "mount.h"
#include "ops.h"
#include "request.h"

G_BEGIN_DECLS

FsMount *fs_op_mount (fuse_req_t req);
FsRequest *fs_op_request (fuse_req_t req, FsOp op, fuse_ino_t ino,
                          const char *name);

/* Finds the node, or answers: ESTALE makes the kernel look the path up again.
 */
gboolean fs_op_resolve (FsMount *mount, FsRequest *rq, fuse_ino_t ino,
                        FsNode *ret_node);

/* Finds the node and runs @call: now, or as late.h does what may take a host of
 * the network. @call has its run() and what that needs besides. */
void fs_op_start (FsLateCall *call, fuse_req_t req, FsOp op, fuse_ino_t ino);
/* The second half: of a request that needs no node. */
void fs_op_run (FsLateCall *call, gboolean late);

/* ---- ops-file.c ---- */

void fs_op_open (fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void fs_op_create (fuse_req_t req, fuse_ino_t parent, const char *name,
                   mode_t mode, struct fuse_file_info *fi);
void fs_op_release (fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void fs_op_read (fuse_req_t req, fuse_ino_t ino, size_t size, off_t off,
                 struct fuse_file_info *fi);
void fs_op_lseek (fuse_req_t req, fuse_ino_t ino, off_t off, int whence,
                  struct fuse_file_info *fi);
void fs_op_write (fuse_req_t req, fuse_ino_t ino, const char *buf, size_t size,
                  off_t off, struct fuse_file_info *fi);
void fs_op_flush (fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi);
void fs_op_fsync (fuse_req_t req, fuse_ino_t ino, int datasync,
                  struct fuse_file_info *fi);
void fs_op_poll (fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *fi,
                 struct fuse_pollhandle *ph);

G_END_DECLS
