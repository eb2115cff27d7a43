/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * watch-private.h - what watch.c (when to wait, and what to do when something
 * is wrong) and updates.c (what is asked and answered) share. All functions
 * are for the watch's thread, and but for the last block.
 */
#pragma once

#include "vsphere/host-private.h"

G_BEGIN_DECLS

/* The host ends a wait after this; below what firewalls allow a silent
 * connection. */
#define VSPHERE_WAIT_S 60

struct VsphereWatch {
  VsphereHost *host;
  GThread *thread;        /* guarded by the host's lock until it runs */
  GCancellable *stopping; /* ends everything */

  /* Guarded by the host's lock: */
  GCond changed;      /* anything below */
  gboolean wanted;    /* keep the whole inventory */
  gboolean loaded;    /* it was complete once */
  gboolean needed;    /* somebody waits for the thread */
  gboolean doubted;   /* see whether the host is there */
  GCancellable *wait; /* of the call that is held open, or NULL */
  int state;          /* VIXEXT_HOST_* */
  gint64 since;       /* us since 1970 */
  char *problem;
  char *collector; /* value; NULL: none */
  guint serial;    /* grows with each collector */

  /* Of the thread alone; updates.c's: */
  guint generation;       /* of the session that has the collector */
  gboolean own_collector; /* not the session's only one */
  char *view;             /* value */
  char *filter;           /* value of that of the inventory; NULL: none */
  char *version;
  gboolean reusable;    /* version may be asked with again */
  VsphereCall *ahead;   /* the next wait, sent already; NULL: none */
  char *ahead_version;  /* that it was sent with */
  guint n_records;      /* of the answer under way */
  gboolean loading;     /* a full state is on its way */
  gboolean interrupted; /* the host may still be waiting for us */
  gboolean lacks_session;

  /* And watch.c's: */
  guint failures;      /* in a row */
  guint empty_answers; /* at once, in a row */
};

/* Sees that there is a collector, with a filter of the inventory if that is
 * wanted. */
gboolean vsphere_updates_prepare (VsphereWatch *self,
                                  const VsphereService *service,
                                  GError **error);

/**
 * vsphere_updates_wait:
 * @seconds: how long the host may hold the call open
 * @wait: ends it
 *
 * What is answered goes into the mirror while it arrives; n_records says how
 * much that was.
 *
 * Returns: (transfer full): for vsphere_updates_take()
 */
SoapReply *vsphere_updates_wait (VsphereWatch *self,
                                 const VsphereService *service, int seconds,
                                 GCancellable *wait, GError **error);

/* The answer was complete: to the inventory with it. */
void vsphere_updates_take (VsphereWatch *self, const SoapReply *reply);

/* What was asked ahead is not wanted after all. */
void vsphere_updates_give_up_ahead (VsphereWatch *self);

/* From now on the host tells everything again. */
void vsphere_updates_start_over (VsphereWatch *self);

/* All that was the session's is gone, or given back. Does not block. */
void vsphere_updates_drop (VsphereWatch *self, gboolean give_back);

G_END_DECLS
