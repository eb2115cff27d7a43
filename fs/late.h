/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * late.h - requests that may wait for a host of the network.
 *
 * libfuse's thread that took one does it, since waking another costs as much as
 * a small read. Only so many at a time, or one host that does not answer would
 * soon have them all: the others are done by threads of their own, of which
 * there are as many as there are callers. A wait ends when its caller is
 * killed; other signals do not end it, as a file that is read is no slow
 * device.
 */
#pragma once

#include <glib.h>

#include "request.h"
#include "tree.h"
#include "vix-ext.h"

G_BEGIN_DECLS

/* How many calls libfuse's threads run at once. */
#define FS_LATE_HERE 16

typedef struct FsMount FsMount;

/* A request with its arguments. */
typedef struct FsLateCall FsLateCall;
struct FsLateCall {
  void (*run) (FsLateCall *call); /* answers @rq */
  FsMount *mount;
  FsRequest *rq; /* owned */
  fuse_ino_t ino;
  FsNode node; /* owned: what that is; of some requests blank */
  char *name;  /* NULL if it has none */
  size_t size;
  off_t off;
  int whence;
  struct fuse_file_info file;

  /* late.c's own: */
  VixExtInterrupt *interrupt;
  pid_t caller;
  gboolean done; /* atomic */
  GList link;    /* while a thread of the session runs it */
};

typedef struct FsLate FsLate;

FsLate *fs_late_new (void);
/* Waits for all: the hosts are disconnected, which ends what they do. */
void fs_late_free (FsLate *self);

/* From now on the threads of @session run calls themselves. */
void fs_late_join_session (FsLate *self, struct fuse_session *session);
/* No more: interrupts those that do, so that the session can end. By the main
 * thread. */
void fs_late_leave_session (FsLate *self);

/* Runs a copy of @call, at once or by and by, which takes over what that owns.
 */
void fs_late_run (FsLate *self, const FsLateCall *call);

/* Lets go of what @call owns. */
void fs_late_call_clear (FsLateCall *call);

/* Whether this thread is running one. */
gboolean fs_late_is_here (void);

G_END_DECLS
