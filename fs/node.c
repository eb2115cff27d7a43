/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "node.h"

enum {
  INDEX_BITS = 16,
  KIND_BITS = 6,
  SNAPSHOT_BITS = 20,
  KIND_SHIFT = INDEX_BITS,
  SNAPSHOT_SHIFT = KIND_SHIFT + KIND_BITS,
  SLOT_SHIFT = SNAPSHOT_SHIFT + SNAPSHOT_BITS,
};

G_STATIC_ASSERT (FS_N_KINDS <= 1 << KIND_BITS);
G_STATIC_ASSERT (FS_INDEX_MAX == (1 << INDEX_BITS) - 1);
G_STATIC_ASSERT (FS_SNAPSHOT_SLOT_MAX == (1 << SNAPSHOT_BITS) - 1);
G_STATIC_ASSERT (FS_SLOT_MAX == (1 << (64 - SLOT_SHIFT)) - 1);

guint64
fs_node_pack (FsNodeId id)
{
  g_assert (id.slot <= FS_SLOT_MAX && id.snapshot <= FS_SNAPSHOT_SLOT_MAX
            && id.kind < FS_N_KINDS && id.index <= FS_INDEX_MAX);
  return (guint64)id.slot << SLOT_SHIFT | (guint64)id.snapshot << SNAPSHOT_SHIFT
         | (guint64)id.kind << KIND_SHIFT | id.index;
}

gboolean
fs_node_unpack (guint64 packed, FsNodeId *ret_id)
{
  FsNodeId id = {
    .slot = (guint32)(packed >> SLOT_SHIFT),
    .snapshot = packed >> SNAPSHOT_SHIFT & FS_SNAPSHOT_SLOT_MAX,
    .kind = packed >> KIND_SHIFT & ((1 << KIND_BITS) - 1),
    .index = packed & FS_INDEX_MAX,
  };

  if (packed == 0 || id.kind >= FS_N_KINDS)
    return FALSE;
  *ret_id = id;
  return TRUE;
}

/* Every bit of @x touches every bit of the result (the finisher of
 * SplitMix64; a bijection, so that different @x stay different). */
static guint64
mix (guint64 x)
{
  x ^= x >> 30;
  x *= G_GUINT64_CONSTANT (0xbf58476d1ce4e5b9);
  x ^= x >> 27;
  x *= G_GUINT64_CONSTANT (0x94d049bb133111eb);
  x ^= x >> 31;
  return x;
}

guint64
fs_identity_text (const char *text)
{
  guint64 hash = G_GUINT64_CONSTANT (0xcbf29ce484222325); /* FNV-1a */

  for (; *text != '\0'; text++) {
    hash ^= (guchar)*text;
    hash *= G_GUINT64_CONSTANT (0x100000001b3);
  }
  return mix (hash);
}

guint64
fs_identity (guint64 base, FsKindId kind, gint64 snapshot, guint64 name)
{
  guint64 hash = mix (base + kind + 1);

  hash = mix (hash ^ (guint64)snapshot);
  hash = mix (hash + name);
  return hash > FS_ROOT_ID ? hash : hash + 2;
}
