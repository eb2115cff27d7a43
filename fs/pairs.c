/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "pairs.h"

#include "node.h"
#include "slots.h"

struct FsPairs {
  GArray *pairs;       /* (FsPair) by ascending slot */
  GHashTable *by_both; /* both slots (guint64) -> slot */
  guint32 next;        /* slot to give out, if it is free */
  guint16 generation;  /* raised each time that slots ran out */
};

static guint64 *
key_of (guint32 newer, guint32 older)
{
  guint64 *key = g_new (guint64, 1);

  *key = (guint64)newer << 32 | older;
  return key;
}

FsPairs *
fs_pairs_new (void)
{
  FsPairs *self = g_new0 (FsPairs, 1);

  self->pairs = g_array_new (FALSE, FALSE, sizeof (FsPair));
  self->by_both
    = g_hash_table_new_full (g_int64_hash, g_int64_equal, g_free, NULL);
  self->next = 1;
  return self;
}

void
fs_pairs_free (FsPairs *self)
{
  if (self == NULL)
    return;
  g_array_unref (self->pairs);
  g_hash_table_unref (self->by_both);
  g_free (self);
}

const FsPair *
fs_pairs_at (const FsPairs *self, guint32 slot)
{
  return fs_slots_find (self->pairs, G_STRUCT_OFFSET (FsPair, slot), slot);
}

static guint32
next_slot (FsPairs *self)
{
  if (self->pairs->len >= FS_SNAPSHOT_SLOT_MAX)
    return 0;
  do {
    if (self->next > FS_SNAPSHOT_SLOT_MAX) {
      self->next = 1;
      self->generation++;
    }
  } while (fs_pairs_at (self, self->next++) != NULL);
  return self->next - 1;
}

guint32
fs_pairs_enter (FsPairs *self, guint32 newer, guint32 older)
{
  g_autofree guint64 *key = key_of (newer, older);
  gpointer known = g_hash_table_lookup (self->by_both, key);
  FsPair pair = { 0, newer, older, 0 };

  if (known != NULL)
    return GPOINTER_TO_UINT (known);
  pair.slot = next_slot (self);
  pair.generation = self->generation;
  if (pair.slot == 0)
    return 0;
  g_array_insert_val (
    self->pairs,
    fs_slots_position (self->pairs, G_STRUCT_OFFSET (FsPair, slot), pair.slot),
    pair);
  g_hash_table_insert (self->by_both, g_steal_pointer (&key),
                       GUINT_TO_POINTER (pair.slot));
  return pair.slot;
}

void
fs_pairs_prune (FsPairs *self,
                gboolean (*is_there) (gconstpointer data, guint32 slot),
                gconstpointer data)
{
  guint kept = 0;
  guint i;

  for (i = 0; i < self->pairs->len; i++) {
    FsPair pair = g_array_index (self->pairs, FsPair, i);

    if (is_there (data, pair.newer) && is_there (data, pair.older)) {
      g_array_index (self->pairs, FsPair, kept++) = pair;
    } else {
      g_autofree guint64 *key = key_of (pair.newer, pair.older);

      g_hash_table_remove (self->by_both, key);
    }
  }
  g_array_set_size (self->pairs, kept);
}

const FsPair *
fs_pairs_list (const FsPairs *self, guint *ret_count)
{
  *ret_count = self->pairs->len;
  return (const FsPair *)(gpointer)self->pairs->data;
}
