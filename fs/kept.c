/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "kept.h"

typedef struct {
  char *key;
  gpointer value;
  gsize cost;
  GList link; /* its place in the queue; data: itself */
} Item;

struct FsKept {
  GMutex lock;       /* level 2: all below but what is const */
  GHashTable *items; /* key (the item's) -> Item, borrowed */
  GQueue queue;      /* (Item), the one used last first */
  gsize cost;        /* of all */

  gsize max_cost; /* const */
  gpointer (*ref) (gpointer value);
  void (*unref) (gpointer value);
};

FsKept *
fs_kept_new (gsize max_cost, gpointer (*ref) (gpointer value),
             void (*unref) (gpointer value))
{
  FsKept *self = g_new0 (FsKept, 1);

  g_mutex_init (&self->lock);
  self->items = g_hash_table_new (g_str_hash, g_str_equal);
  g_queue_init (&self->queue);
  self->max_cost = max_cost;
  self->ref = ref;
  self->unref = unref;
  return self;
}

static void
drop_locked (FsKept *self, Item *item)
{
  g_hash_table_remove (self->items, item->key);
  g_queue_unlink (&self->queue, &item->link);
  self->cost -= item->cost;
  self->unref (item->value);
  g_free (item->key);
  g_free (item);
}

void
fs_kept_free (FsKept *self)
{
  if (self == NULL)
    return;
  while (self->queue.head != NULL)
    drop_locked (self, self->queue.head->data);
  g_hash_table_unref (self->items);
  g_mutex_clear (&self->lock);
  g_free (self);
}

gpointer
fs_kept_get (FsKept *self, const char *key)
{
  gpointer value = NULL;
  Item *item;

  g_mutex_lock (&self->lock);
  item = g_hash_table_lookup (self->items, key);
  if (item != NULL) {
    g_queue_unlink (&self->queue, &item->link);
    g_queue_push_head_link (&self->queue, &item->link);
    value = self->ref (item->value);
  }
  g_mutex_unlock (&self->lock);
  return value;
}

void
fs_kept_put (FsKept *self, const char *key, gpointer value, gsize cost)
{
  Item *item = g_new0 (Item, 1);
  Item *old;

  item->key = g_strdup (key);
  item->value = self->ref (value);
  item->cost = cost;
  item->link.data = item;
  g_mutex_lock (&self->lock);
  old = g_hash_table_lookup (self->items, key);
  if (old != NULL)
    drop_locked (self, old);
  g_hash_table_insert (self->items, item->key, item);
  g_queue_push_head_link (&self->queue, &item->link);
  self->cost += cost;
  while (self->cost > self->max_cost && self->queue.length > 1)
    drop_locked (self, self->queue.tail->data);
  g_mutex_unlock (&self->lock);
}
