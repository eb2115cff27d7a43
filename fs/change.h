/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * change.h - an operation under way that changes something on the host: from
 * the request that asked for it, over the library's job, to the answer.
 *
 * Nobody waits: the thread that got the request starts the job and is free,
 * the job's callback answers. The kernel keeps directories locked meanwhile; on
 * a host over the network, and if it takes longer than %FS_SLOW_MS, everybody
 * else is led around them (README.md, Aliases). A signal that ends or
 * interrupts the caller cancels the job; if it does not end soon the caller
 * gets EINTR and the job goes on alone.
 *
 * Any thread. Lock level 2; nothing is answered or called while it is held.
 */
#pragma once

#include <glib.h>

#include "host.h"
#include "request.h"
#include "tree.h"

G_BEGIN_DECLS

/* What an operation may take before it counts as slow. */
#define FS_SLOW_MS 100
/* How often a caller that was told of a child's end or the like, and waits on,
 * is looked at again: the kernel tells only of its first signal. */
#define FS_LOOK_AGAIN_MS 200
/* How long a cancelled job may take to end before its caller is let go. */
#define FS_CANCEL_MS 1000
/* How often one that cannot start yet tries again. */
#define FS_TRY_AGAIN_MS 5

typedef struct FsMount FsMount;
typedef struct FsChanges FsChanges;
typedef struct FsChange FsChange;

typedef struct {
  const char *name; /* "create", in .vixfs/jobs */

  /* What has to be had before the job may start. VIX_E_OBJECT_IS_BUSY: not yet,
   * it is called again soon. Another error, with a message (transfer full):
   * never. May be NULL. */
  VixError (*prepare) (FsChange *self, char **ret_message);

  /* Starts the job. @snapshot is 0 unless the change is about one. */
  VixHandle (*start) (FsChange *self, VixHandle vm, VixHandle snapshot,
                      VixEventProc *callback, void *data);

  /* The job came off: answers self->request. @job is lent. */
  void (*succeed) (FsChange *self, VixHandle job);

  /* It failed, or the caller had already given up: the kernel was not told of a
   * success. May be NULL. */
  void (*not_told) (FsChange *self);

  /* What the log adds to "done" (static); NULL: nothing. May be NULL. */
  const char *(*remark) (FsChange *self, VixHandle job);

  /* NULL: fs_errno_from_vix() */
  int (*errno_of) (VixError error);

  /* Called last, whatever came of it, also if it was not even begun. May be
   * NULL. */
  void (*ended) (FsChange *self);
} FsChangeOps;

struct FsChange {
  /* ---- const ---- */
  gatomicrefcount references;
  const FsChangeOps *ops;
  FsMount *mount;
  FsHost *host;
  guint64 id;
  guint32 slot;      /* of the VM */
  guint32 alias;     /* of "snapshots" or the like through which it came */
  pid_t caller;      /* who waits for it; 0: not known */
  char *vm_id;       /* of its record */
  char *vm_path;     /* in the tree */
  gint64 snapshot;   /* id that it is about, or 0 */
  guint64 pin;       /* key of what to seal, see pins.h */
  gboolean sealed;   /* by the one that prepares */
  gboolean noted;    /* likewise: what will be lost */
  char *shown;       /* name that it is about; may be NULL */
  char *new_shown;   /* name that is to be; NULL unless one is to come */
  char *text;        /* name or description on the host; may be NULL */
  char *description; /* of a snapshot to come */
  int options;       /* of a snapshot to come: VIX_SNAPSHOT_*, VIXEXT_* */
  gsize written;     /* how much a write is to be told was taken */
  gint64 started;    /* monotonic, microseconds */

  FsRequest *request; /* to be answered by whoever claimed it */

  /* ---- guarded by FsChanges.lock ---- */
  FsRequest *unclaimed; /* until somebody is to answer */
  VixHandle job;
  GSource *timer; /* until it counts as slow */
  gboolean done;
  gboolean cancelled;
  gboolean slow;
  int percent; /* -1: not known */
};

FsChanges *fs_changes_new (FsMount *mount);
/* None is under way any more. */
void fs_changes_free (FsChanges *self);

/**
 * fs_change_new:
 * @node: what the request came through: its VM, its snapshot, its alias
 * @rq: (transfer full)
 *
 * The caller fills in what the operation needs and calls fs_change_start().
 */
FsChange *fs_change_new (FsMount *mount, const FsChangeOps *ops,
                         const FsNode *node, FsRequest *rq);
FsChange *fs_change_ref (FsChange *self);
void fs_change_unref (FsChange *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (FsChange, fs_change_unref)

/* FsChangeOps.succeed of most: how much was written, or that it is done. */
void fs_change_reply_done (FsChange *self, VixHandle job);

/* (transfer full): runs it. EROFS on a read-only mount, EEXIST if another
 * change is making a snapshot of that name, ESHUTDOWN while unmounting. */
void fs_change_start (FsChange *self);

/* @request_id: whose caller got a signal. Has the job cancelled, if it is a
 * change's, and answers EINTR if that takes long; a caller that is only to
 * take note of something goes on waiting. */
void fs_changes_interrupt (FsChanges *self, guint64 request_id);

/* "ID VM OPERATION NAME PERCENT AGE", a line for each. */
void fs_changes_print (FsChanges *self, GString *out);

/**
 * fs_changes_stop:
 *
 * Lets no more in and cancels what is there.
 *
 * Returns: how many are still under way
 */
guint fs_changes_stop (FsChanges *self);

G_END_DECLS
