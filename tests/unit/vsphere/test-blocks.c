/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vsphere/blocks.h"

#include <string.h>

#define ROOM 8u

/* Owners count what they lost. */
static void
note_gone (gpointer owner)
{
  (*(guint *)owner)++;
}

static VsphereBlocks *
blocks_new (void)
{
  VsphereBlocks *self
    = vsphere_blocks_new (ROOM * VSPHERE_BLOCK_BYTES, note_gone);

  g_assert_cmpuint (vsphere_blocks_get_room (self), ==, ROOM);
  return self;
}

static VsphereBlock *
add (VsphereBlocks *self, gpointer owner, guint64 index)
{
  VsphereBlock *block = vsphere_blocks_add (self, owner, index);

  g_assert_nonnull (block);
  memset (block->data, (int)index, VSPHERE_BLOCK_BYTES);
  return block;
}

static void
test_never_more_than_room (void)
{
  VsphereBlocks *self = blocks_new ();
  VsphereBlock *blocks[ROOM];
  guint gone = 0;

  for (guint i = 0; i < ROOM; i++)
    blocks[i] = add (self, &gone, i);
  g_assert_null (vsphere_blocks_add (self, &gone, ROOM));
  for (guint i = 0; i < ROOM; i++) {
    g_assert_true (vsphere_blocks_find (self, &gone, i) == blocks[i]);
    g_assert_cmpuint (blocks[i]->data[VSPHERE_BLOCK_BYTES - 1], ==, i);
    vsphere_blocks_unpin (self, blocks[i], FALSE);
  }
  g_assert_cmpuint (gone, ==, 0);
  vsphere_blocks_unpin (self, add (self, &gone, ROOM), FALSE);
  g_assert_cmpuint (gone, ==, 1);
  vsphere_blocks_free (self);
  g_assert_cmpuint (gone, ==, ROOM + 1);
}

/* What was read through goes before what was not, the oldest of it first;
 * what was used last goes last. */
static void
test_who_goes_first (void)
{
  VsphereBlocks *self = blocks_new ();
  guint gone = 0;

  for (guint i = 0; i < ROOM; i++)
    vsphere_blocks_unpin (self, add (self, &gone, i), i == 5 || i == 6);
  vsphere_blocks_pin (self, vsphere_blocks_find (self, &gone, 0));
  vsphere_blocks_unpin (self, vsphere_blocks_find (self, &gone, 0), FALSE);
  for (guint i = 0; i < 4; i++) {
    static const guint64 victims[] = { 5, 6, 1, 2 };

    g_assert_nonnull (vsphere_blocks_find (self, &gone, victims[i]));
    vsphere_blocks_unpin (self, add (self, &gone, 100 + i), FALSE);
    g_assert_null (vsphere_blocks_find (self, &gone, victims[i]));
  }
  g_assert_nonnull (vsphere_blocks_find (self, &gone, 0));
  vsphere_blocks_free (self);
}

/* A block that is dropped under a reader stays until the reader is done. */
static void
test_drop (void)
{
  VsphereBlocks *self = blocks_new ();
  guint one = 0, other = 0;
  VsphereBlock *used = add (self, &one, 7);

  vsphere_blocks_unpin (self, add (self, &one, 8), FALSE);
  vsphere_blocks_unpin (self, add (self, &other, 7), FALSE);
  vsphere_blocks_drop_all (self, &one);
  g_assert_cmpuint (one, ==, 2);
  g_assert_cmpuint (other, ==, 0);
  g_assert_null (vsphere_blocks_find (self, &one, 7));
  g_assert_nonnull (vsphere_blocks_find (self, &other, 7));
  for (guint i = 0; i < ROOM; i++)
    vsphere_blocks_unpin (self, add (self, &other, 20 + i), FALSE);
  g_assert_cmpuint (used->data[0], ==, 7);
  vsphere_blocks_unpin (self, used, FALSE);
  vsphere_blocks_free (self);
  g_assert_cmpuint (one, ==, 2);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/blocks/never-more-than-room", test_never_more_than_room);
  g_test_add_func ("/blocks/who-goes-first", test_who_goes_first);
  g_test_add_func ("/blocks/drop", test_drop);
  return g_test_run ();
}
