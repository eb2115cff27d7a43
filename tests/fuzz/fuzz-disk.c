/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fuzz-disk.h"

#include <string.h>

#include "disk/write.h"
#include "image-writer.h"

/* Read from each end and the middle of a disk. */
#define PROBE_BYTES (32u << 10)
/* Disks that are read and merged as a whole. */
#define SMALL_BYTES (256u << 10)
/* Runs asked for by the map; a hostile disk can have billions. */
#define MAX_RUNS 1000u

static void
probe (VmdkChain *chain, guint64 offset)
{
  guint64 capacity = vmdk_chain_get_capacity (chain);
  guint64 end = MIN (capacity, offset + PROBE_BYTES);
  g_autofree guint8 *buf = g_malloc (PROBE_BYTES);

  vmdk_chain_read (chain, offset, buf, (gsize)(end - offset), NULL);
  /* Past a damaged grain by small steps. */
  for (; offset < end; offset += 4096)
    vmdk_chain_read (chain, offset, buf, (gsize)MIN (4096, capacity - offset),
                     NULL);
}

static void
map_all (VmdkChain *chain)
{
  guint64 capacity = vmdk_chain_get_capacity (chain);
  guint64 offset = 0;

  for (guint i = 0; i < MAX_RUNS && offset < capacity; i++) {
    VmdkState state;
    guint64 n;

    if (!vmdk_chain_map (chain, offset, capacity - offset, &state, &n, NULL))
      n = 4096;
    else
      g_assert (n > 0 && n <= capacity - offset && state != VMDK_UNALLOCATED);
    offset += n;
  }
}

void
fuzz_read_chain (MemDir *dir, const char *name)
{
  g_autoptr (VmdkChain) chain
    = vmdk_chain_open (mem_dir_get_resolver (dir), NULL, name, NULL);
  guint64 capacity;

  if (chain == NULL)
    return;
  capacity = vmdk_chain_get_capacity (chain);
  map_all (chain);
  probe (chain, 0);
  probe (chain, capacity / 2);
  probe (chain, capacity - MIN (capacity, PROBE_BYTES));
}

static VmdkLink *
open_link (MemDir *dir, const char *name, gboolean writable)
{
  return vmdk_link_open (mem_dir_get_resolver (dir), NULL, name, VMDK_ROLE_DISK,
                         writable, NULL);
}

/* All that "child" shows, or NULL if some of it cannot be read. */
static guint8 *
read_child (MemDir *dir, guint64 capacity)
{
  g_autoptr (VmdkChain) chain
    = vmdk_chain_open (mem_dir_get_resolver (dir), NULL, "child", NULL);
  g_autofree guint8 *buf = g_malloc ((gsize)capacity);

  if (chain == NULL || !vmdk_chain_read (chain, 0, buf, (gsize)capacity, NULL))
    return NULL;
  return g_steal_pointer (&buf);
}

static gboolean
merge (MemDir *dir, const char *name, gboolean into_parent)
{
  g_autoptr (VmdkLink) parent = open_link (dir, name, into_parent);
  g_autoptr (VmdkLink) child = open_link (dir, "child", !into_parent);
  guint64 costs[2];

  if (parent == NULL || child == NULL)
    return FALSE;
  vmdk_merge_cost (parent, child, &costs[0], &costs[1], NULL);
  if (!into_parent)
    return vmdk_merge_into_child (parent, child, NULL, NULL);
  if (!vmdk_merge_reserve_parent (parent, child, NULL))
    vmdk_link_repair_tables (parent, NULL);
  return vmdk_merge_into_parent (parent, child, NULL, NULL);
}

/* A child with every other grain. */
static void
add_child (MemDir *dir, const char *name, guint64 sectors, guint32 cid)
{
  guint64 n = image_count_grains (sectors, 16);
  g_autoptr (GRand) rand = g_rand_new_with_seed (1);
  g_autofree guint8 *content = g_malloc ((gsize)sectors * VMDK_SECTOR);
  g_autofree guint8 *states = image_random_states (rand, n, TRUE);
  g_autofree char *text = image_descriptor (
    cid + 1, cid, name, "monolithicSparse", sectors, "SPARSE", "child");
  ImageSpec spec
    = { IMAGE_SPARSE, sectors, 16, 512, content, states, text, FALSE };
  g_autoptr (GByteArray) image = NULL;

  for (guint64 i = 0; i < sectors; i++)
    memset (content + i * VMDK_SECTOR, (int)(i % 251) + 1, VMDK_SECTOR);
  image = image_write (&spec);
  mem_dir_set (dir, "child", image->data, image->len);
}

static void
check_merge (MemDir *dir, const char *name, guint64 capacity,
             gboolean into_parent)
{
  g_autofree guint8 *before = read_child (dir, capacity);
  g_autofree guint8 *after = NULL;
  gboolean ok = merge (dir, name, into_parent);

  if (before == NULL)
    return;
  after = read_child (dir, capacity);
  g_assert (after != NULL || !ok);
  g_assert (after == NULL || memcmp (before, after, (gsize)capacity) == 0);
}

void
fuzz_write (MemDir *dir, const char *name)
{
  g_autoptr (VmdkLink) link = open_link (dir, name, FALSE);
  guint64 capacity;
  guint32 cid;

  if (link == NULL || vmdk_link_get_capacity (link) > SMALL_BYTES)
    return;
  capacity = vmdk_link_get_capacity (link);
  cid = vmdk_link_get_cid (link);
  if (cid == VMDK_NO_PARENT_CID)
    return;
  g_clear_pointer (&link, vmdk_link_free);
  add_child (dir, name, capacity / VMDK_SECTOR, cid);
  check_merge (dir, name, capacity, FALSE);
  add_child (dir, name, capacity / VMDK_SECTOR, cid);
  check_merge (dir, name, capacity, TRUE);
}

void
fuzz_add_disk (MemDir *dir, const char *extent_type, guint64 sectors,
               const uint8_t *data, size_t size)
{
  g_autofree char *text = image_descriptor (
    1, VMDK_NO_PARENT_CID, NULL, "custom", sectors, extent_type, "data");

  mem_dir_set (dir, "data", data, size);
  mem_dir_set (dir, "disk", text, strlen (text));
}
