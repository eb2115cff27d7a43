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

static guint64
unmix (guint64 x)
{
  x ^= x >> 31 ^ x >> 62;
  x *= G_GUINT64_CONSTANT (0x319642b2d24d8ec3);
  x ^= x >> 27 ^ x >> 54;
  x *= G_GUINT64_CONSTANT (0x96de1b173f119089);
  x ^= x >> 30 ^ x >> 60;
  return x;
}

/* The kernel finds nodes by a hash that knows the lower 42 bits of a node id
 * and little more. Ids of ten thousand VMs that differ above would share a
 * chain there; mixed they do not. The root remains 1. */
static guint64
scatter (guint64 plain)
{
  return mix (plain) ^ mix (FS_ROOT_ID) ^ FS_ROOT_ID;
}

static guint64
gather (guint64 scattered)
{
  return unmix (scattered ^ mix (FS_ROOT_ID) ^ FS_ROOT_ID);
}

guint64
fs_node_pack (FsNodeId id)
{
  g_assert (id.slot <= FS_SLOT_MAX && id.snapshot <= FS_SNAPSHOT_SLOT_MAX
            && id.kind < FS_N_KINDS && id.index <= FS_INDEX_MAX);
  return scatter ((guint64)id.slot << SLOT_SHIFT
                  | (guint64)id.snapshot << SNAPSHOT_SHIFT
                  | (guint64)id.kind << KIND_SHIFT | id.index);
}

gboolean
fs_node_unpack (guint64 packed, FsNodeId *ret_id)
{
  guint64 plain = gather (packed);
  FsNodeId id = {
    .slot = (guint32)(plain >> SLOT_SHIFT),
    .snapshot = plain >> SNAPSHOT_SHIFT & FS_SNAPSHOT_SLOT_MAX,
    .kind = plain >> KIND_SHIFT & ((1 << KIND_BITS) - 1),
    .index = plain & FS_INDEX_MAX,
  };

  if (packed == 0 || id.kind >= FS_N_KINDS)
    return FALSE;
  *ret_id = id;
  return TRUE;
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
