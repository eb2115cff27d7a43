/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vsphere/together.h"

#include "vsphere/folder.h"
#include "vsphere/waker.h"

/* In one request. Some servers take many ranges for an attack. */
#define MAX_PARTS 16u
/* Of what is larger than that the bytes are what costs. */
#define MAX_BLOCKS 4u
/* A host that answers sooner than that is near: what requests cost it and us
 * is then more than what is gained by sending more of them at once. */
#define NEAR_US 1000
#define NEAR_REQUESTS 2u
/* Who waited so long, and for so many answers, waits for no other request any
 * more: that may be one that hangs. */
#define PATIENCE_US 5000
#define PATIENCE 2
/* So many requests for several parts have to fail, one after the other, before
 * a host that never answered one is taken for one that cannot. */
#define MAX_REFUSALS 3u

gboolean
vsphere_together_may_locked (const VsphereFetch *fetch)
{
  const VsphereFile *file = fetch->file;

  return fetch->n <= MAX_BLOCKS && file->constant
         && file->transfer->refusals < MAX_REFUSALS;
}

static gboolean
is_near (const VsphereTransfer *self)
{
  return self->wait_us > 0 && self->wait_us < NEAR_US;
}

gboolean
vsphere_together_is_busy_locked (const VsphereTransfer *self)
{
  return is_near (self) && self->n_small > 0;
}

static guint
get_limit (VsphereTransfer *self)
{
  guint n = vsphere_transfer_get_connections (self);

  return is_near (self) ? MIN (n, NEAR_REQUESTS) : n;
}

/* ---- one request ---- */

typedef struct {
  VsphereFetch *fetches[MAX_PARTS]; /* (transfer full), by their offset */
  guint n;
} Batch;

static void
batch_add (Batch *self, VsphereFetch *fetch)
{
  guint at = self->n++;

  for (; at > 0 && self->fetches[at - 1]->first > fetch->first; at--)
    self->fetches[at] = self->fetches[at - 1];
  self->fetches[at] = fetch;
}

static void
wake_first_locked (VsphereTransfer *self)
{
  const GList *link = self->small.head;

  if (link != NULL)
    g_cond_broadcast (&((VsphereFetch *)link->data)->changed);
}

static void
unqueue_locked (VsphereFetch *fetch)
{
  g_queue_unlink (&fetch->file->transfer->small, &fetch->link);
  fetch->queued = FALSE;
}

/* The one that waits and those that it takes along. */
static Batch
collect_locked (VsphereFetch *leader)
{
  VsphereTransfer *self = leader->file->transfer;
  Batch batch = { .n = 0 };
  GList *next;

  unqueue_locked (leader);
  batch_add (&batch, leader);
  for (GList *at = self->small.head; at != NULL && batch.n < MAX_PARTS;
       at = next) {
    VsphereFetch *fetch = at->data;

    next = at->next;
    if (fetch->file != leader->file)
      continue;
    unqueue_locked (fetch);
    batch_add (&batch, fetch);
  }
  self->n_small++;
  wake_first_locked (self);
  return batch;
}

/* What its answer says of the host. */
static void
learn_locked (VsphereTransfer *self, VsphereParts outcome)
{
  switch (outcome) {
  case VSPHERE_PARTS_GOT:
    self->proven = TRUE;
    self->refusals = 0;
    break;
  case VSPHERE_PARTS_REFUSED:
    self->refusals += self->proven ? 1 : MAX_REFUSALS;
    break;
  case VSPHERE_PARTS_LOST:
    self->refusals += self->proven ? 0 : 1;
    break;
  case VSPHERE_PARTS_FAILED:
    break;
  }
}

/* The lock is released meanwhile. */
static void
run_batch_locked (VsphereTransfer *self, Batch *batch,
                  GCancellable *cancellable)
{
  VsphereParts outcome;

  vix_unlock (&self->lock);
  outcome = vsphere_fetch_run_several (batch->fetches, batch->n, cancellable);
  vix_lock (&self->lock);
  learn_locked (self, outcome);
  for (guint i = 0; i < batch->n; i++)
    vsphere_fetch_finish_locked (batch->fetches[i]);
  vsphere_together_leave_locked (self);
}

/* ---- waiting for it ---- */

/* Whether @fetch, which is the first that waits, is to wait on. */
static gboolean
wait_as_first_locked (VsphereFetch *fetch, gint64 since)
{
  VsphereTransfer *self = fetch->file->transfer;
  gint64 patience = PATIENCE_US + PATIENCE * self->wait_us;

  return self->n_small >= get_limit (self)
         && vix_lock_wait_until (&self->lock, &fetch->changed,
                                 since + patience);
}

/* TRUE: it is @fetch's turn to go. */
static gboolean
await_turn_locked (VsphereFetch *fetch, GCancellable *cancellable)
{
  VsphereTransfer *self = fetch->file->transfer;
  gint64 since = g_get_monotonic_time ();

  while (fetch->queued && !g_cancellable_is_cancelled (cancellable)) {
    if (self->small.head != &fetch->link)
      vix_lock_wait (&self->lock, &fetch->changed);
    else if (!wait_as_first_locked (fetch, since))
      return TRUE;
  }
  while (!fetch->queued && !fetch->ended
         && !g_cancellable_is_cancelled (cancellable)
         && vsphere_fetch_get_done (fetch) < fetch->n) {
    g_atomic_int_set (&fetch->wake_at, MIN (fetch->wake_at, fetch->n));
    if (vsphere_fetch_get_done (fetch) < fetch->n)
      vix_lock_wait (&self->lock, &fetch->changed);
  }
  return FALSE;
}

/* The same as vsphere_together_get_locked(), where somebody has to wait. */
static gboolean
get_queued_locked (VsphereFetch *fetch, GCancellable *cancellable)
{
  VsphereTransfer *self = fetch->file->transfer;
  gboolean alone = FALSE;
  Batch batch;

  fetch->queued = TRUE;
  fetch->link.data = fetch;
  g_queue_push_tail_link (&self->small, &fetch->link);
  if (await_turn_locked (fetch, cancellable)) {
    batch = collect_locked (fetch);
    alone = batch.n == 1;
    if (!alone)
      run_batch_locked (self, &batch, cancellable);
  } else if (fetch->queued) {
    unqueue_locked (fetch);
    wake_first_locked (self);
    vsphere_fetch_give_up_locked (fetch);
  }
  return !alone;
}

gboolean
vsphere_together_get_locked (VsphereFetch *fetch, GCancellable *cancellable)
{
  VsphereTransfer *self = fetch->file->transfer;
  VsphereWaker waker;
  gboolean ended;

  if (self->small.length == 0 && self->n_small < get_limit (self)) {
    self->n_small++;
    return FALSE;
  }
  fetch->refs++;
  vsphere_waker_begin_locked (&waker, &self->lock, &fetch->changed,
                              cancellable);
  ended = get_queued_locked (fetch, cancellable);
  vsphere_waker_end_locked (&waker);
  vsphere_fetch_unref_locked (fetch);
  return ended;
}

void
vsphere_together_leave_locked (VsphereTransfer *self)
{
  self->n_small--;
  wake_first_locked (self);
}
