/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fetch.h - blocks of one file, one behind the other, on their way from the
 * host: one exchange. Others may use each block as soon as it is full.
 *
 * "locked" is the transfer's lock.
 */
#pragma once

#include "vsphere/folder.h"
#include "vsphere/transfer-private.h"

G_BEGIN_DECLS

typedef struct {
  VsphereFile *file; /* owned */
  guint64 first;
  guint n;
  guint refs; /* the one who fetches, and those who wait */
  VsphereBlock **blocks;
  gsize skip;   /* bytes of the first block that it is not for */
  gsize len;    /* bytes, from there on */
  gsize filled; /* bytes; only the one who fetches */

  /* Both atomic, and set with the lock but for the first, by the one who
   * fetches: */
  guint done;    /* blocks that are full */
  guint wake_at; /* somebody waits for so many */

  /* With the lock: */
  gboolean ended;
  gboolean queued; /* see together.h; and ... */
  GList link;      /* ... while it is */
  GCond changed;
} VsphereFetch;

/* (nullable): of what is missing from block @first on, at most @most blocks;
 * NULL if there is no memory. The block @first must be missing. */
VsphereFetch *vsphere_fetch_begin_locked (VsphereFile *file, guint64 first,
                                          guint most);
/* Whether block @index is to be fetched, as it is not there and not on its way.
 * One of which a part is known is, and makes room: all of it is wanted now. */
gboolean vsphere_fetch_is_missing_locked (VsphereFile *file, guint64 index);

/* Of its one block only the pages with the @len bytes at @offset of the file,
 * which are in that block. Before it is run or queued. */
void vsphere_fetch_narrow_locked (VsphereFetch *self, guint64 offset,
                                  gsize len);

void vsphere_fetch_unref_locked (VsphereFetch *self);

/* How many of its blocks are full, from the first on. */
guint vsphere_fetch_get_done (const VsphereFetch *self);

/* Gets them; on failure those that came are full, and it has no others any
 * more. @patient: as vsphere_folder_read(). Blocks. */
gboolean vsphere_fetch_run (VsphereFetch *self, gboolean patient,
                            GCancellable *cancellable, GError **error);

/* The same of several of one file, which is constant, in one request and at
 * once; @fetches by their offset. */
VsphereParts vsphere_fetch_run_several (VsphereFetch *const *fetches, guint n,
                                        GCancellable *cancellable);

/* After that: lets go of it and its blocks. */
void vsphere_fetch_finish_locked (VsphereFetch *self);

/* Instead of both: nobody is going to fetch it. */
void vsphere_fetch_give_up_locked (VsphereFetch *self);

G_END_DECLS
