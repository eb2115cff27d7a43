/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * transfer-private.h - what the parts of transfer.h share: transfer.c opens
 * and shares files, fetch.h gets parts of them, ahead.h does so before they are
 * asked for, together.h several at once, reading.c gives them to readers.
 */
#pragma once

#include "base/lock.h"
#include "vsphere/blocks.h"
#include "vsphere/stream.h"
#include "vsphere/transfer.h"

G_BEGIN_DECLS

struct VsphereFile {
  VsphereTransfer *transfer; /* owned */
  char *key;                 /* datacenter and path */
  char *path;
  char *url;
  guint64 size;
  gint64 modified; /* -1 unknown */
  gboolean constant;

  /* With the lock: */
  guint refs;   /* who has it open, fetches, blocks */
  guint n_open; /* who has it open */
  gboolean stale;
  VsphereStream streams[VSPHERE_STREAMS];
};

struct VsphereTransfer {
  VsphereSession *session;
  guint n_workers; /* at most */
  GCancellable *closing;

  VixLock lock; /* level POOL: all below */
  guint refs;   /* the host, files */
  VsphereBlocks *blocks;
  GHashTable *shared; /* key → VsphereFile: the newest of each, if constant */
  GPtrArray *files;   /* all that there are */
  GQueue queue;       /* of VsphereFetch: ahead of readers */
  GCond work;         /* one was queued, or the end */
  GCond freed;        /* blocks became free */
  guint n_waiting;    /* for that */
  GPtrArray *workers; /* GThread */
  guint n_idle;       /* of them */
  gboolean failing;   /* the last fetch ahead of a reader failed */
  gint64 wait_us;     /* see VsphereLine */
  GQueue small;       /* of VsphereFetch: see together.h */
  guint n_small;      /* requests for those under way */
  gboolean proven;    /* the host answered one for several parts */
  guint refusals;     /* of those since then */
  guint n_readers;
  gint64 counted_at;

  gsize n_fetched; /* atomic: bytes */
};

/* The last one to let go of it frees it; its transfer outlives it. */
void vsphere_file_unref_locked (VsphereFile *self);

/* The host has another file by now: nothing known of it is used again, and if
 * it is constant, who has it open must open it anew. */
void vsphere_file_make_stale_locked (VsphereFile *self);

/* Tells who waits for memory that some may be free. */
void vsphere_transfer_tell_freed_locked (VsphereTransfer *self);

G_END_DECLS
