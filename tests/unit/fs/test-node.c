/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "node.h"

static void
test_round_trip (void)
{
  int round;

  for (round = 0; round < 100000; round++) {
    FsNodeId id = { (guint32)g_test_rand_int () & FS_SLOT_MAX,
                    (guint32)g_test_rand_int () & FS_SNAPSHOT_SLOT_MAX,
                    (guint32)g_test_rand_int_range (0, FS_N_KINDS),
                    (guint32)g_test_rand_int () & FS_INDEX_MAX };
    guint64 packed = fs_node_pack (id);
    FsNodeId back;

    if (packed == 0)
      continue;
    g_assert_true (fs_node_unpack (packed, &back));
    g_assert_cmpuint (back.slot, ==, id.slot);
    g_assert_cmpuint (back.snapshot, ==, id.snapshot);
    g_assert_cmpuint (back.kind, ==, id.kind);
    g_assert_cmpuint (back.index, ==, id.index);
  }
}

static void
test_root (void)
{
  FsNodeId root = { 0, 0, FS_KIND_FOLDER, 1 };

  g_assert_cmpuint (fs_node_pack (root), ==, FS_ROOT_ID);
}

static void
test_foreign_numbers (void)
{
  FsNodeId id;
  guint64 number;
  guint refused = 0;

  g_assert_false (fs_node_unpack (0, &id));
  for (int round = 0; round < 100000; round++) {
    number = (guint64)(guint32)g_test_rand_int () << 32
             | (guint32)g_test_rand_int ();
    if (fs_node_unpack (number, &id))
      g_assert_cmpuint (fs_node_pack (id), ==, number);
    else
      refused++;
  }
  /* Those of kinds that there are not, of 64. */
  g_assert_cmpuint (refused, >, (64 - FS_N_KINDS) * 1500);
}

/* The kernel hashes node ids by their lower bits. */
static void
test_lower_bits_differ (void)
{
  g_autoptr (GHashTable) seen = g_hash_table_new (NULL, NULL);

  for (guint slot = 0; slot < 10000; slot++) {
    FsNodeId id = { slot, 1, FS_KIND_SNAPSHOT, 0 };

    g_hash_table_add (seen,
                      GUINT_TO_POINTER (fs_node_pack (id) & ((1 << 21) - 1)));
  }
  /* 9,976 of random ones would. */
  g_assert_cmpuint (g_hash_table_size (seen), >, 9900);
}

/* They are on users' backups: never change. */
static void
test_identity_is_for_ever (void)
{
  guint64 base = fs_identity_text ("web01/web01.vmx");

  g_assert_cmpuint (base, ==, fs_identity_text ("web01/web01.vmx"));
  g_assert_cmphex (base, ==, G_GUINT64_CONSTANT (0x685e51cf70b4eec9));
  g_assert_cmphex (fs_identity (base, FS_KIND_SNAPSHOT, 7, 0), ==,
                   G_GUINT64_CONSTANT (0xc86d411534025692));
  g_assert_cmphex (
    fs_identity (base, FS_KIND_FILE, 0, fs_identity_text ("web01.vmdk")), ==,
    G_GUINT64_CONSTANT (0x1e94ae69778e2d64));
}

static void
test_identities_differ (void)
{
  g_autoptr (GHashTable) seen
    = g_hash_table_new_full (g_int64_hash, g_int64_equal, g_free, NULL);
  guint vm;
  guint kind;
  gint64 snapshot;

  for (vm = 0; vm < 500; vm++) {
    g_autofree char *name = g_strdup_printf ("vm%u/vm%u.vmx", vm, vm);
    guint64 base = fs_identity_text (name);

    for (kind = 0; kind < FS_N_KINDS; kind++) {
      for (snapshot = 0; snapshot < 20; snapshot++) {
        guint64 identity = fs_identity (base, kind, snapshot, 0);

        g_assert_cmpuint (identity, >, FS_ROOT_ID);
        g_assert_true (
          g_hash_table_add (seen, g_memdup2 (&identity, sizeof identity)));
      }
    }
  }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/node/ids-go-both-ways", test_round_trip);
  g_test_add_func ("/node/root-is-one", test_root);
  g_test_add_func ("/node/foreign-numbers-are-no-nodes", test_foreign_numbers);
  g_test_add_func ("/node/lower-bits-differ", test_lower_bits_differ);
  g_test_add_func ("/node/inode-numbers-stay-for-ever",
                   test_identity_is_for_ever);
  g_test_add_func ("/node/inode-numbers-differ", test_identities_differ);
  return g_test_run ();
}
