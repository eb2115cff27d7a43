/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vsphere/soap/pool.h"

#include "base/lock.h"
#include "vsphere/soap/fault.h"

typedef struct {
  SoapHttp *http;
  gint64 since; /* monotonic: idle since */
} Idle;

struct SoapPool {
  char *base_url;
  SoapTrust *trust;
  SoapDeadlines deadlines;
  guint max_busy;

  VixLock lock;  /* level POOL: all below */
  GCond changed; /* a slot became free, or somebody was cancelled */
  GQueue idle;   /* of Idle, the one used last first */
  guint busy;    /* slots taken */
  guint waiting; /* for one */
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
  g_cond_init (&self->changed);
  g_queue_init (&self->idle);
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
  g_cond_clear (&self->changed);
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
  SoapPool *self = data;

  vix_lock (&self->lock);
  g_cond_broadcast (&self->changed);
  vix_unlock (&self->lock);
}

/* Returns with a slot taken, or FALSE if cancelled. */
static gboolean
take_slot (SoapPool *self, GCancellable *cancellable)
{
  gulong id = 0;
  gboolean taken;

  vix_lock (&self->lock);
  taken = self->busy < self->max_busy;
  self->busy += taken;
  vix_unlock (&self->lock);
  if (taken)
    return TRUE;
  if (cancellable != NULL)
    id = g_cancellable_connect (cancellable, G_CALLBACK (on_cancelled), self,
                                NULL);
  vix_lock (&self->lock);
  self->waiting++;
  while (self->busy >= self->max_busy
         && !g_cancellable_is_cancelled (cancellable))
    vix_lock_wait (&self->lock, &self->changed);
  self->waiting--;
  taken = self->busy < self->max_busy;
  self->busy += taken;
  vix_unlock (&self->lock);
  if (cancellable != NULL)
    g_cancellable_disconnect (cancellable, id);
  return taken;
}

static void
free_slot (SoapPool *self)
{
  vix_lock (&self->lock);
  self->busy--;
  /* All: the one woken might be just the one that is cancelled. */
  if (self->waiting > 0)
    g_cond_broadcast (&self->changed);
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
