/* SPDX-License-Identifier: LGPL-2.1-or-later */
#define G_LOG_DOMAIN "vixfs"

#include "notify.h"

#include <string.h>

#include "node.h"

/* One is enough unless some are stuck, see notify.h. */
#define MAX_THREADS 8
#define STOP_PATIENCE (2 * G_TIME_SPAN_SECOND)

typedef struct {
  guint count;
  FsStale *put_off; /* NULL or names in the directory */
} Hold;

/* Names to send, and what comes then. */
typedef struct {
  FsStale *stale;
  void (*func) (gpointer data);
  gpointer data;
} Batch;

struct FsNotify {
  GMutex lock; /* level 3: all below but what is const */
  GCond idle;  /* @active became 0 */
  guint active;
  struct fuse_session *session; /* NULL: nobody to tell */
  GHashTable *holds;            /* node id -> Hold */

  FsStats *stats;       /* const */
  GThreadPool *threads; /* const until fs_notify_stop() is through */
};

static void
hold_free (gpointer data)
{
  Hold *hold = data;

  fs_stale_free (hold->put_off);
  g_free (hold);
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

/* Whether @entry is to wait for the release of its directory. */
static gboolean
put_off (FsNotify *self, const FsStaleEntry *entry)
{
  Hold *hold;

  g_mutex_lock (&self->lock);
  hold = g_hash_table_lookup (self->holds, &entry->parent);
  if (hold != NULL) {
    if (hold->put_off == NULL)
      hold->put_off = fs_stale_new ();
    fs_stale_add_entry (hold->put_off, entry->parent, entry->name);
  }
  g_mutex_unlock (&self->lock);
  return hold != NULL;
}

static void
send_entry (FsNotify *self, const FsStaleEntry *entry)
{
  struct fuse_session *session;

  if (put_off (self, entry))
    return;
  session = enter (self);
  if (session == NULL)
    return;
  /* ENOENT: the kernel has no such name. */
  fuse_lowlevel_notify_inval_entry (session, entry->parent, entry->name,
                                    strlen (entry->name));
  fs_stats_add (self->stats, FS_STAT_ENTRIES_SENT, 1);
  leave (self);
}

static void
run_batch (gpointer data, gpointer user_data)
{
  FsNotify *self = user_data;
  Batch *batch = data;
  guint i;

  for (i = 0; i < batch->stale->entries->len; i++)
    send_entry (self, &g_array_index (batch->stale->entries, FsStaleEntry, i));
  if (batch->func != NULL)
    batch->func (batch->data);
  fs_stale_free (batch->stale);
  g_free (batch);
}

/* Pages of VMs' files stay: dropping them could wait for a read under way. The
 * kernel drops them by itself where the new attributes tell another time. */
static void
send_nodes (FsNotify *self, const FsStale *stale)
{
  struct fuse_session *session;
  guint i;

  if (stale->nodes->len == 0)
    return;
  session = enter (self);
  if (session == NULL)
    return;
  for (i = 0; i < stale->nodes->len; i++) {
    guint64 node = g_array_index (stale->nodes, guint64, i);
    FsNodeId id;

    if (fs_node_unpack (node, &id))
      fuse_lowlevel_notify_inval_inode (session, node,
                                        id.kind == FS_KIND_FILE ? -1 : 0, 0);
  }
  fs_stats_add (self->stats, FS_STAT_NODES_SENT, stale->nodes->len);
  leave (self);
}

FsNotify *
fs_notify_new (FsStats *stats)
{
  FsNotify *self = g_new0 (FsNotify, 1);

  g_mutex_init (&self->lock);
  g_cond_init (&self->idle);
  self->holds
    = g_hash_table_new_full (g_int64_hash, g_int64_equal, g_free, hold_free);
  self->stats = stats;
  self->threads = g_thread_pool_new (run_batch, self, MAX_THREADS, FALSE, NULL);
  return self;
}

void
fs_notify_start (FsNotify *self, struct fuse_session *session)
{
  g_mutex_lock (&self->lock);
  self->session = session;
  g_mutex_unlock (&self->lock);
}

gboolean
fs_notify_stop (FsNotify *self)
{
  gint64 end = g_get_monotonic_time () + STOP_PATIENCE;
  gboolean idle;

  g_mutex_lock (&self->lock);
  self->session = NULL;
  while (self->active > 0 && g_cond_wait_until (&self->idle, &self->lock, end))
    ;
  idle = self->active == 0;
  g_mutex_unlock (&self->lock);
  /* What is left sends nothing any more, but may have requests to answer. */
  if (idle)
    g_thread_pool_free (g_steal_pointer (&self->threads), FALSE, TRUE);
  return idle;
}

void
fs_notify_free (FsNotify *self)
{
  if (self == NULL)
    return;
  g_hash_table_unref (self->holds);
  g_mutex_clear (&self->lock);
  g_cond_clear (&self->idle);
  g_free (self);
}

void
fs_notify_send (FsNotify *self, FsStale *stale)
{
  fs_notify_send_then (self, stale, NULL, NULL);
}

void
fs_notify_send_then (FsNotify *self, FsStale *stale,
                     void (*func) (gpointer data), gpointer data)
{
  Batch *batch;

  send_nodes (self, stale);
  if (stale->entries->len == 0) {
    fs_stale_free (stale);
    if (func != NULL)
      func (data);
    return;
  }
  batch = g_new (Batch, 1);
  *batch = (Batch){ stale, func, data };
  g_thread_pool_push (self->threads, batch, NULL);
}

void
fs_notify_hold (FsNotify *self, guint64 directory)
{
  Hold *hold;

  g_mutex_lock (&self->lock);
  hold = g_hash_table_lookup (self->holds, &directory);
  if (hold == NULL) {
    hold = g_new0 (Hold, 1);
    g_hash_table_insert (self->holds, g_memdup2 (&directory, sizeof directory),
                         hold);
  }
  hold->count++;
  g_mutex_unlock (&self->lock);
}

void
fs_notify_release (FsNotify *self, guint64 directory)
{
  FsStale *stale = NULL;
  Hold *hold;

  g_mutex_lock (&self->lock);
  hold = g_hash_table_lookup (self->holds, &directory);
  g_assert (hold != NULL);
  if (--hold->count == 0) {
    stale = g_steal_pointer (&hold->put_off);
    g_hash_table_remove (self->holds, &directory);
  }
  g_mutex_unlock (&self->lock);
  if (stale != NULL)
    fs_notify_send (self, stale);
}
