/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "notify.h"

#include <string.h>

#include "entries.h"

#define STOP_PATIENCE (2 * G_TIME_SPAN_SECOND)
#define AGAIN (FS_NOTIFY_AGAIN_MS * G_TIME_SPAN_MILLISECOND)

struct FsNotify {
  GMutex lock;                  /* level 3: all below but what is const */
  GCond news;                   /* something to do for the thread */
  GCond idle;                   /* @active became 0 */
  guint active;                 /* threads that use @session */
  struct fuse_session *session; /* NULL: nobody to tell */
  gboolean stopping;
  GPtrArray *entries;      /* (FsStale) with names to send */
  GHashTable *nodes_again; /* (guint64) to send once more, after the next */
  GHashTable *nodes_due;   /* (guint64) to send once more at @again_at */
  gint64 again_at;         /* monotonic, microseconds; 0: never */

  FsStats *stats;  /* const */
  GThread *thread; /* const from start to stop */
};

static GHashTable *
node_set_new (void)
{
  return g_hash_table_new_full (g_int64_hash, g_int64_equal, g_free, NULL);
}

FsNotify *
fs_notify_new (FsStats *stats)
{
  FsNotify *self = g_new0 (FsNotify, 1);

  g_mutex_init (&self->lock);
  g_cond_init (&self->news);
  g_cond_init (&self->idle);
  self->entries
    = g_ptr_array_new_with_free_func ((GDestroyNotify)fs_stale_free);
  self->nodes_again = node_set_new ();
  self->nodes_due = node_set_new ();
  self->stats = stats;
  return self;
}

void
fs_notify_free (FsNotify *self)
{
  if (self == NULL)
    return;
  g_ptr_array_unref (self->entries);
  g_hash_table_unref (self->nodes_again);
  g_hash_table_unref (self->nodes_due);
  g_mutex_clear (&self->lock);
  g_cond_clear (&self->news);
  g_cond_clear (&self->idle);
  g_free (self);
}

/* The session, which stays until leave(); NULL if there is none. */
static struct fuse_session *
enter (FsNotify *self)
{
  struct fuse_session *session;

  g_mutex_lock (&self->lock);
  session = self->session;
  if (session != NULL)
    self->active++;
  g_mutex_unlock (&self->lock);
  return session;
}

static void
leave (FsNotify *self)
{
  g_mutex_lock (&self->lock);
  if (--self->active == 0)
    g_cond_broadcast (&self->idle);
  g_mutex_unlock (&self->lock);
}

/* That the kernel has no such node, or name, is the common case. */

/* Only listings have pages that must go. Those of files could have to wait for
 * a read under way; the kernel drops them where the new attributes tell another
 * time. */
static void
send_nodes (FsNotify *self, const guint64 *nodes, gsize count)
{
  struct fuse_session *session = enter (self);
  gsize i;

  if (session == NULL)
    return;
  for (i = 0; i < count; i++) {
    FsNodeId id;
    gboolean is_listing
      = fs_node_unpack (nodes[i], &id) && S_ISDIR (fs_kind (id.kind)->mode);

    fuse_lowlevel_notify_inval_inode (session, nodes[i], is_listing ? 0 : -1,
                                      0);
  }
  leave (self);
  fs_stats_add (self->stats, FS_STAT_NODES_SENT, (gssize)count);
}

static void
send_entries (FsNotify *self, const FsStale *stale)
{
  guint i;

  for (i = 0; i < stale->entries->len; i++) {
    const FsStaleEntry *entry
      = &g_array_index (stale->entries, FsStaleEntry, i);
    struct fuse_session *session = enter (self);

    if (session == NULL)
      return;
    fuse_lowlevel_notify_inval_entry (session, entry->parent, entry->name,
                                      strlen (entry->name));
    leave (self);
    fs_stats_add (self->stats, FS_STAT_ENTRIES_SENT, 1);
  }
}

/* ---- the thread ---- */

/* What is to be sent again now; NULL: nothing, or not yet. What was sent since
 * then waits for the next time, so that nothing waits less than AGAIN. */
static GArray *
take_due_locked (FsNotify *self)
{
  GHashTable *due = self->nodes_due;
  GHashTableIter iter;
  gpointer node;
  GArray *nodes;

  if (self->again_at == 0 || g_get_monotonic_time () < self->again_at)
    return NULL;
  nodes = g_array_new (FALSE, FALSE, sizeof (guint64));
  g_hash_table_iter_init (&iter, due);
  while (g_hash_table_iter_next (&iter, &node, NULL))
    g_array_append_vals (nodes, node, 1);
  g_hash_table_remove_all (due);
  self->nodes_due = self->nodes_again;
  self->nodes_again = due;
  self->again_at = g_hash_table_size (self->nodes_due) > 0
                     ? g_get_monotonic_time () + AGAIN
                     : 0;
  return nodes;
}

static gpointer
run (gpointer data)
{
  FsNotify *self = data;

  g_mutex_lock (&self->lock);
  while (!self->stopping) {
    g_autoptr (GArray) nodes = take_due_locked (self);
    FsStale *stale = NULL;

    if (self->entries->len > 0)
      stale = g_ptr_array_steal_index (self->entries, 0);
    if (stale == NULL && nodes == NULL) {
      if (self->again_at != 0)
        g_cond_wait_until (&self->news, &self->lock, self->again_at);
      else
        g_cond_wait (&self->news, &self->lock);
      continue;
    }
    g_mutex_unlock (&self->lock);
    if (stale != NULL)
      send_entries (self, stale);
    fs_stale_free (stale);
    if (nodes != NULL)
      send_nodes (self, (const guint64 *)(gpointer)nodes->data, nodes->len);
    g_mutex_lock (&self->lock);
  }
  g_mutex_unlock (&self->lock);
  return NULL;
}

void
fs_notify_start (FsNotify *self, struct fuse_session *session)
{
  g_mutex_lock (&self->lock);
  self->session = session;
  g_mutex_unlock (&self->lock);
  self->thread = g_thread_new ("notify", run, self);
}

gboolean
fs_notify_stop (FsNotify *self)
{
  gint64 end = g_get_monotonic_time () + STOP_PATIENCE;
  gboolean is_idle;

  g_mutex_lock (&self->lock);
  self->session = NULL;
  self->stopping = TRUE;
  g_cond_broadcast (&self->news);
  while (self->active > 0 && g_cond_wait_until (&self->idle, &self->lock, end))
    ;
  is_idle = self->active == 0;
  g_mutex_unlock (&self->lock);
  if (is_idle && self->thread != NULL)
    g_thread_join (g_steal_pointer (&self->thread));
  return is_idle;
}

/* ---- sending ---- */

void
fs_notify_send (FsNotify *self, FsStale *stale)
{
  g_autoptr (FsStale) mine = stale;
  const guint64 *nodes = (const guint64 *)(gpointer)stale->nodes->data;
  guint i;

  if (stale->nodes->len > 0)
    send_nodes (self, nodes, stale->nodes->len);
  g_mutex_lock (&self->lock);
  if (self->session != NULL) {
    if (self->again_at == 0 && stale->nodes->len > 0)
      self->again_at = g_get_monotonic_time () + AGAIN;
    for (i = 0; i < stale->nodes->len; i++) {
      if (!g_hash_table_contains (self->nodes_again, &nodes[i]))
        g_hash_table_add (self->nodes_again,
                          g_memdup2 (&nodes[i], sizeof nodes[i]));
    }
    if (stale->entries->len > 0)
      g_ptr_array_add (self->entries, g_steal_pointer (&mine));
    g_cond_signal (&self->news);
  }
  g_mutex_unlock (&self->lock);
}
