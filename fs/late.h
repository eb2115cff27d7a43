/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * late.h - requests that may wait for a host of the network.
 *
 * Each is done by a thread of its own, of which there are as many as there are
 * callers: libfuse's workers are few, and one host that does not answer would
 * soon have them all. A wait ends when its caller is killed; other signals do
 * not end it, as a file that is read is no slow device.
 */
#pragma once

#include <glib.h>

#include "request.h"
#include "vix-ext.h"

G_BEGIN_DECLS

/* A request with its arguments. */
typedef struct FsLateCall FsLateCall;
struct FsLateCall {
  void (*run) (FsLateCall *call); /* answers @req */
  fuse_req_t req;
  fuse_ino_t ino;
  char *name; /* NULL if it has none */
  size_t size;
  off_t off;
  int whence;
  struct fuse_file_info file;

  /* late.c's own: */
  VixExtInterrupt *interrupt;
  pid_t caller;
  gboolean done; /* atomic */
};

typedef struct FsLate FsLate;

FsLate *fs_late_new (void);
/* Waits for all: the hosts are disconnected, which ends what they do. */
void fs_late_free (FsLate *self);

/* Runs a copy of @call. */
void fs_late_push (FsLate *self, const FsLateCall *call);

/* Whether this thread is one of those. */
gboolean fs_late_is_here (void);
/* If it is: the call that it runs is answered by @rq, whose caller may be
 * killed. */
void fs_late_watch (FsRequest *rq);

G_END_DECLS
