/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vsphere/soap/pool.h"

#include "base/lock.h"
#include "vsphere/soap/fault.h"

typedef struct {
  SoapHttp *http;
  gint64 since; /* monotonic: idle since */
} Idle;

/* Who waits for a slot. */
typedef struct {
  SoapPool *pool;
  GCond changed;
  GList link;        /* while it waits */
  gboolean has_slot; /* was given one */
} Waiter;

struct SoapPool {
  char *base_url;
  SoapTrust *trust;
  SoapDeadlines deadlines;
  guint max_busy;

  VixLock lock;   /* level POOL: all below */
  GQueue idle;    /* of Idle, the one used last first */
  guint busy;     /* slots taken */
  GQueue waiters; /* of Waiter, in the order in which they came */
};

SoapPool *
soap_pool_new (const char *base_url, SoapTrust *trust,
               const SoapDeadlines *deadlines, guint max_busy)
{
  SoapPool *self = g_new0 (SoapPool, 1);

  self->base_url = g_strdup (base_url);
  self->trust = trust;
  self->deadlines = *deadlines;
  soap_deadlines_default (&self->deadlines);
  self->max_busy = MAX (max_busy, 1);
  vix_lock_init (&self->lock, VIX_LOCK_POOL);
  g_queue_init (&self->idle);
  g_queue_init (&self->waiters);
  return self;
}

static void
idle_free (gpointer data)
{
  Idle *idle = data;

  soap_http_free (idle->http);
  g_free (idle);
}

void
soap_pool_free (SoapPool *self)
{
  if (self == NULL)
    return;
  g_assert (self->busy == 0);
  g_queue_clear_full (&self->idle, idle_free);
  vix_lock_clear (&self->lock);
  soap_trust_free (self->trust);
  g_free (self->base_url);
  g_free (self);
}

const char *
soap_pool_get_base_url (const SoapPool *self)
{
  return self->base_url;
}

const SoapDeadlines *
soap_pool_get_deadlines (const SoapPool *self)
{
  return &self->deadlines;
}

static void
on_cancelled (GCancellable *cancellable, gpointer data)
{
  Waiter *waiter = data;

  vix_lock (&waiter->pool->lock);
  g_cond_signal (&waiter->changed);
  vix_unlock (&waiter->pool->lock);
}

/* TRUE: a slot was taken; else @waiter is in the queue. */
static gboolean
take_or_queue (SoapPool *self, Waiter *waiter)
{
  gboolean taken;

  vix_lock (&self->lock);
  taken = self->busy < self->max_busy;
  if (taken)
    self->busy++;
  else
    g_queue_push_tail_link (&self->waiters, &waiter->link);
  vix_unlock (&self->lock);
  return taken;
}

/* Returns with a slot taken, or FALSE if cancelled. */
static gboolean
take_slot (SoapPool *self, GCancellable *cancellable)
{
  Waiter waiter = { .pool = self, .link.data = &waiter };
  gulong id = 0;

  if (take_or_queue (self, &waiter))
    return TRUE;
  g_cond_init (&waiter.changed);
  if (cancellable != NULL)
    id = g_cancellable_connect (cancellable, G_CALLBACK (on_cancelled), &waiter,
                                NULL);
  vix_lock (&self->lock);
  while (!waiter.has_slot && !g_cancellable_is_cancelled (cancellable))
    vix_lock_wait (&self->lock, &waiter.changed);
  if (!waiter.has_slot)
    g_queue_unlink (&self->waiters, &waiter.link);
  vix_unlock (&self->lock);
  if (cancellable != NULL)
    g_cancellable_disconnect (cancellable, id);
  g_cond_clear (&waiter.changed);
  return waiter.has_slot;
}

/* Goes to the one that waits for the longest time: waking more than one, or
 * letting others in between, costs more than what many requests take. */
static void
free_slot (SoapPool *self)
{
  GList *link;

  vix_lock (&self->lock);
  link = g_queue_pop_head_link (&self->waiters);
  if (link == NULL) {
    self->busy--;
  } else {
    Waiter *waiter = link->data;

    waiter->has_slot = TRUE;
    g_cond_signal (&waiter->changed);
  }
  vix_unlock (&self->lock);
}

SoapHttp *
soap_pool_take (SoapPool *self, gboolean reserved, GCancellable *cancellable,
                GError **error)
{
  Idle *idle;
  SoapHttp *http;

  VIX_MAY_BLOCK ();
  if (!reserved && !take_slot (self, cancellable)) {
    g_set_error_literal (error, SOAP_ERROR, SOAP_ERROR_CANCELLED, "cancelled");
    return NULL;
  }
  vix_lock (&self->lock);
  idle = g_queue_pop_head (&self->idle);
  vix_unlock (&self->lock);
  if (idle != NULL) {
    http = idle->http;
    g_free (idle);
    return http;
  }
  http = soap_http_new (self->trust, &self->deadlines, error);
  if (http == NULL && !reserved)
    free_slot (self);
  return http;
}

void
soap_pool_give (SoapPool *self, SoapHttp *http, gboolean reserved)
{
  Idle *idle;

  if (http == NULL)
    return;
  idle = g_new (Idle, 1);
  idle->http = http;
  idle->since = g_get_monotonic_time ();
  vix_lock (&self->lock);
  g_queue_push_head (&self->idle, idle);
  vix_unlock (&self->lock);
  if (!reserved)
    free_slot (self);
}

void
soap_pool_trim (SoapPool *self, gint64 idle_us)
{
  gint64 limit = g_get_monotonic_time () - idle_us;
  GQueue old = G_QUEUE_INIT;
  Idle *idle;

  vix_lock (&self->lock);
  while ((idle = g_queue_peek_tail (&self->idle)) != NULL
         && idle->since <= limit)
    g_queue_push_tail (&old, g_queue_pop_tail (&self->idle));
  vix_unlock (&self->lock);
  g_queue_clear_full (&old, idle_free);
}

guint
soap_pool_get_idle (SoapPool *self)
{
  guint n;

  vix_lock (&self->lock);
  n = self->idle.length;
  vix_unlock (&self->lock);
  return n;
}
