/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/lock.h"
#include "workstation/recover.h"

struct WsMergeQueue {
  WsHost *host;         /* borrowed */
  GCancellable *cancel; /* triggered once: no more work */
  VixLock lock;         /* VIX_LOCK_POOL; guards the rest */
  GCond wake;
  GQueue ids;      /* char *; the first is being worked on */
  GThread *thread; /* NULL until the first push */
};

WsMergeQueue *
ws_merge_queue_new (WsHost *host)
{
  WsMergeQueue *self = g_new0 (WsMergeQueue, 1);

  self->host = host;
  self->cancel = g_cancellable_new ();
  vix_lock_init (&self->lock, VIX_LOCK_POOL);
  g_cond_init (&self->wake);
  g_queue_init (&self->ids);
  return self;
}

static void
complete (WsMergeQueue *self, const char *id)
{
  g_autoptr (GError) error = NULL;
  gboolean merges_left;

  if (ws_recover_with (self->host, id, TRUE, self->cancel, &merges_left,
                       &error))
    ws_host_refresh_vm (self->host, id);
  else
    g_debug ("%s: merges stay for the next start: %s", id, error->message);
}

static gpointer
run (gpointer data)
{
  WsMergeQueue *self = data;

  vix_lock (&self->lock);
  while (!g_cancellable_is_cancelled (self->cancel)) {
    g_autofree char *id = g_strdup (g_queue_peek_head (&self->ids));

    if (id == NULL) {
      vix_lock_wait (&self->lock, &self->wake);
      continue;
    }
    vix_unlock (&self->lock);
    complete (self, id);
    vix_lock (&self->lock);
    g_free (g_queue_pop_head (&self->ids));
  }
  vix_unlock (&self->lock);
  return NULL;
}

void
ws_merge_queue_push (WsMergeQueue *self, const char *id)
{
  vix_lock (&self->lock);
  if (g_queue_find_custom (&self->ids, id, (GCompareFunc)g_strcmp0) == NULL)
    g_queue_push_tail (&self->ids, g_strdup (id));
  if (self->thread == NULL && !g_cancellable_is_cancelled (self->cancel))
    self->thread = g_thread_new ("vix-merge", run, self);
  g_cond_signal (&self->wake);
  vix_unlock (&self->lock);
}

void
ws_merge_queue_free (WsMergeQueue *self)
{
  GThread *thread;

  if (self == NULL)
    return;
  vix_lock (&self->lock);
  g_cancellable_cancel (self->cancel);
  thread = g_steal_pointer (&self->thread);
  g_cond_signal (&self->wake);
  vix_unlock (&self->lock);
  if (thread != NULL)
    g_thread_join (thread);
  g_queue_clear_full (&self->ids, g_free);
  g_cond_clear (&self->wake);
  vix_lock_clear (&self->lock);
  g_object_unref (self->cancel);
  g_free (self);
}
