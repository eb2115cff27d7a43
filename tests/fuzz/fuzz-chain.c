/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A directory of files, the chain of the file "a" in it, and what changed
 * since the chain of "b". Input: for each file its name, one byte, its length,
 * three bytes little-endian, its bytes.
 */
#include <string.h>

#include "disk/changes.h"
#include "far-resolver.h"
#include "fuzz-disk.h"

/* Disks that are compared as a whole. */
#define SMALL_BYTES (256u << 10)

static VmdkChain *
open_chain (MemDir *dir, const char *name)
{
  return vmdk_chain_open (mem_dir_get_resolver (dir), NULL, name, NULL);
}

/* The sector as the links themselves have it, one after the other. */
static gboolean
read_links (VmdkChain *chain, guint64 offset, guint8 out[VMDK_SECTOR])
{
  memset (out, 0, VMDK_SECTOR);
  for (guint i = 0; i < vmdk_chain_get_depth (chain); i++) {
    VmdkLink *link = vmdk_chain_get_link (chain, i);
    VmdkState state;
    guint64 n;

    if (offset >= vmdk_link_get_capacity (link))
      return TRUE;
    if (!vmdk_link_map (link, offset, VMDK_SECTOR, &state, &n, NULL))
      return FALSE;
    g_assert (n == VMDK_SECTOR);
    if (state == VMDK_DATA)
      return vmdk_link_read (link, offset, out, VMDK_SECTOR, NULL);
    if (state == VMDK_ZERO)
      return TRUE;
  }
  return TRUE;
}

/* The chain's map gives what the links have, and calls no other byte zero. */
static void
check_map (VmdkChain *chain)
{
  guint64 capacity = vmdk_chain_get_capacity (chain);

  for (guint64 at = 0; at < capacity; at += VMDK_SECTOR) {
    static const guint8 zeros[VMDK_SECTOR];
    guint8 ours[VMDK_SECTOR];
    guint8 theirs[VMDK_SECTOR];
    gboolean ok = vmdk_chain_read (chain, at, ours, sizeof ours, NULL);
    VmdkState state;
    guint64 n;

    g_assert (ok == read_links (chain, at, theirs));
    g_assert (!ok || memcmp (ours, theirs, sizeof ours) == 0);
    if (vmdk_chain_map (chain, at, VMDK_SECTOR, &state, &n, NULL)
        && state == VMDK_ZERO)
      g_assert (ok && memcmp (ours, zeros, sizeof ours) == 0);
  }
}

/* Where nothing changed, both are the same. */
static void
check_changes (VmdkChain *older, VmdkChain *newer)
{
  VmdkChanges *changes = vmdk_changes_new (older, newer);
  guint64 capacity = vmdk_chain_get_capacity (newer);
  guint8 was[VMDK_SECTOR];
  guint8 is[VMDK_SECTOR];

  for (guint64 at = 0; at < capacity; at += VMDK_SECTOR) {
    gboolean changed = TRUE;
    guint64 n = 0;

    if (!vmdk_changes_find (changes, at, capacity - at, &changed, &n, NULL)
        || changed)
      continue;
    g_assert (n > 0 && n <= capacity - at);
    memset (was, 0, sizeof was);
    if (older != NULL && at >= vmdk_chain_get_capacity (older))
      g_assert_not_reached ();
    if ((older == NULL || vmdk_chain_read (older, at, was, sizeof was, NULL))
        && vmdk_chain_read (newer, at, is, sizeof is, NULL))
      g_assert (memcmp (was, is, sizeof is) == 0);
  }
  vmdk_changes_free (changes);
}

/* ---- the same chain, its links known and far away ---- */

/* It reads as it does when each link tells the next. */
static void
check_known (MemDir *dir, VmdkChain *chain)
{
  FarResolver far;
  guint depth = vmdk_chain_get_depth (chain);
  g_autofree const char **names = g_new (const char *, depth);
  g_autoptr (VmdkChain) known = NULL;
  guint64 capacity = vmdk_chain_get_capacity (chain);

  far_resolver_init (&far, mem_dir_get_resolver (dir), 2);
  for (guint i = 0; i < depth; i++)
    names[i] = vmdk_link_get_id (vmdk_chain_get_link (chain, i));
  known = vmdk_chain_open_known (&far.base, names, depth, 1, NULL);
  g_assert (known != NULL && vmdk_chain_get_capacity (known) == capacity);
  for (guint64 at = 0; at < capacity; at += VMDK_SECTOR) {
    guint8 ours[VMDK_SECTOR];
    guint8 theirs[VMDK_SECTOR];
    gboolean ok = vmdk_chain_read (known, at, ours, sizeof ours, NULL);

    g_assert (ok == vmdk_chain_read (chain, at, theirs, sizeof theirs, NULL));
    g_assert (!ok || memcmp (ours, theirs, sizeof ours) == 0);
  }
}

static void
compare_chains (MemDir *dir)
{
  g_autoptr (VmdkChain) newer = open_chain (dir, "a");
  g_autoptr (VmdkChain) older = open_chain (dir, "b");

  if (newer == NULL || vmdk_chain_get_capacity (newer) > SMALL_BYTES)
    return;
  check_map (newer);
  check_known (dir, newer);
  check_changes (NULL, newer);
  if (older != NULL)
    check_changes (older, newer);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  g_autoptr (MemDir) dir = mem_dir_new ();

  while (size >= 4) {
    char name[2] = { (char)data[0], '\0' };
    gsize len = data[1] | (gsize)data[2] << 8 | (gsize)data[3] << 16;

    data += 4;
    size -= 4;
    len = MIN (len, size);
    mem_dir_set (dir, name, data, len);
    data += len;
    size -= len;
  }
  fuzz_read_chain (dir, "a");
  compare_chains (dir);
  fuzz_write (dir, "a");
  return 0;
}
