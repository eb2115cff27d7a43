/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "disk/block-cache.h"

static VmdkBlock *
block_of (guint64 value)
{
  VmdkBlock *block = vmdk_block_new (sizeof value);

  block->data[0] = value;
  return block;
}

static void
put (VmdkBlockCache *cache, guint64 number, guint64 value)
{
  g_autoptr (VmdkBlock) block = block_of (value);

  vmdk_block_cache_put (cache, number, block);
}

static void
test_get (void)
{
  VmdkBlockCache *cache = vmdk_block_cache_new (8, 100, 80);
  g_autoptr (VmdkBlock) found = NULL;

  g_assert_null (vmdk_block_cache_get (cache, 3));
  put (cache, 3, 33);
  found = vmdk_block_cache_get (cache, 3);
  g_assert_cmpuint (found->data[0], ==, 33);
  /* A block in use outlives its slot and the cache. */
  put (cache, 13, 1313);
  g_assert_null (vmdk_block_cache_get (cache, 3));
  vmdk_block_cache_free (cache);
  g_assert_cmpuint (found->data[0], ==, 33);
}

static void
test_bounds (void)
{
  VmdkBlockCache *one = vmdk_block_cache_new (1 << 20, 5, 10);
  VmdkBlockCache *none = vmdk_block_cache_new (8, 0, 1 << 20);
  g_autoptr (VmdkBlock) found = NULL;

  put (one, G_MAXUINT64, 1);
  found = vmdk_block_cache_get (one, G_MAXUINT64);
  g_assert_nonnull (found);
  put (none, 0, 1);
  vmdk_block_cache_free (one);
  vmdk_block_cache_free (none);
  vmdk_block_cache_free (NULL);
}

static gpointer
hammer (gpointer data)
{
  VmdkBlockCache *cache = data;
  g_autoptr (GRand) rand = g_rand_new ();

  for (guint i = 0; i < 100000; i++) {
    guint64 number = g_rand_int (rand) % 64;
    g_autoptr (VmdkBlock) block = vmdk_block_cache_get (cache, number);

    if (block == NULL)
      put (cache, number, number * 7);
    else
      g_assert_cmpuint (block->data[0], ==, number * 7);
  }
  return NULL;
}

static void
test_threads (void)
{
  VmdkBlockCache *cache = vmdk_block_cache_new (8, 64, 16 * 8);
  GThread *threads[4];

  for (guint i = 0; i < 4; i++)
    threads[i] = g_thread_new ("hammer", hammer, cache);
  for (guint i = 0; i < 4; i++)
    g_thread_join (threads[i]);
  vmdk_block_cache_free (cache);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/vmdk/block-cache/get", test_get);
  g_test_add_func ("/vmdk/block-cache/bounds", test_bounds);
  g_test_add_func ("/vmdk/block-cache/threads", test_threads);
  return g_test_run ();
}
