/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vsphere/chore.h"

typedef struct {
  const SoapMethod *method;
  const char *type; /* static */
  char *value;
} Chore;

struct VsphereChores {
  VsphereHost *host;

  VixLock lock;    /* level POOL: all below */
  GCond changed;   /* a chore came, or the end */
  GQueue queue;    /* of Chore */
  GThread *thread; /* NULL until the first chore */
  GCancellable *stopping;
  gboolean ending;
};

static void
chore_free (gpointer data)
{
  Chore *chore = data;

  g_free (chore->value);
  g_free (chore);
}

VsphereChores *
vsphere_chores_new (VsphereHost *host)
{
  VsphereChores *self = g_new0 (VsphereChores, 1);

  self->host = host;
  vix_lock_init (&self->lock, VIX_LOCK_POOL);
  g_cond_init (&self->changed);
  g_queue_init (&self->queue);
  self->stopping = g_cancellable_new ();
  return self;
}

void
vsphere_chores_free (VsphereChores *self)
{
  if (self == NULL)
    return;
  vix_lock (&self->lock);
  self->ending = TRUE;
  g_cond_broadcast (&self->changed);
  vix_unlock (&self->lock);
  /* A host that is away is not waited for. */
  g_cancellable_cancel (self->stopping);
  if (self->thread != NULL)
    g_thread_join (self->thread);
  g_object_unref (self->stopping);
  g_queue_clear_full (&self->queue, chore_free);
  g_cond_clear (&self->changed);
  vix_lock_clear (&self->lock);
  g_free (self);
}

/* NULL at the end. */
static Chore *
take_chore (VsphereChores *self)
{
  Chore *chore;

  vix_lock (&self->lock);
  while (!self->ending && self->queue.length == 0)
    vix_lock_wait (&self->lock, &self->changed);
  chore = self->ending ? NULL : g_queue_pop_head (&self->queue);
  vix_unlock (&self->lock);
  return chore;
}

static gpointer
run (gpointer data)
{
  VsphereChores *self = data;
  Chore *chore;

  while ((chore = take_chore (self)) != NULL) {
    SoapRef object = { chore->type, chore->value };
    VsphereCallExtra extra = { .as_is = TRUE, .reserved = TRUE };

    soap_reply_free (vsphere_session_call (self->host->session, chore->method,
                                           &object, NULL, &extra,
                                           self->stopping, NULL));
    chore_free (chore);
  }
  return NULL;
}

void
vsphere_chore_push (VsphereHost *host, const SoapMethod *method,
                    const char *type, const char *value)
{
  VsphereChores *self = host->chores;
  Chore *chore = g_new (Chore, 1);

  chore->method = method;
  chore->type = type;
  chore->value = g_strdup (value);
  vix_lock (&self->lock);
  g_queue_push_tail (&self->queue, chore);
  if (self->thread == NULL)
    self->thread = g_thread_new ("vsphere-chores", run, self);
  g_cond_broadcast (&self->changed);
  vix_unlock (&self->lock);
}
