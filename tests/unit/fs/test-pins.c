/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Open images and snapshots that are to be removed. */
#include "pins.h"

static void
test_open (void)
{
  FsPins *pins = fs_pins_new ();
  guint64 key = fs_pins_key (3, 7);

  g_assert_true (fs_pins_add (pins, key));
  g_assert_true (fs_pins_add (pins, key));
  g_assert_cmpint (fs_pins_seal (pins, key), ==, FS_SEAL_OPEN);
  fs_pins_drop (pins, key, FALSE);
  g_assert_cmpint (fs_pins_seal (pins, key), ==, FS_SEAL_OPEN);
  fs_pins_drop (pins, key, FALSE);
  g_assert_cmpuint (fs_pins_count_seals (pins), ==, 0);
  g_assert_cmpint (fs_pins_seal (pins, key), ==, FS_SEAL_DONE);
  g_assert_cmpuint (fs_pins_count_seals (pins), ==, 1);
  fs_pins_free (pins);
}

static void
test_sealed (void)
{
  FsPins *pins = fs_pins_new ();
  guint64 key = fs_pins_key (3, 7);
  guint64 others[] = { fs_pins_key (3, 8), fs_pins_key (4, 7) };
  guint i;

  g_assert_false (fs_pins_is_sealed (pins, key));
  g_assert_cmpint (fs_pins_seal (pins, key), ==, FS_SEAL_DONE);
  g_assert_true (fs_pins_is_sealed (pins, key));
  g_assert_false (fs_pins_add (pins, key));
  g_assert_cmpint (fs_pins_seal (pins, key), ==, FS_SEAL_OPEN);
  for (i = 0; i < G_N_ELEMENTS (others); i++) {
    g_assert_false (fs_pins_is_sealed (pins, others[i]));
    g_assert_true (fs_pins_add (pins, others[i]));
    fs_pins_drop (pins, others[i], FALSE);
  }
  fs_pins_unseal (pins, key);
  g_assert_false (fs_pins_is_sealed (pins, key));
  g_assert_cmpuint (fs_pins_count_seals (pins), ==, 2);
  g_assert_true (fs_pins_add (pins, key));
  fs_pins_drop (pins, key, FALSE);
  fs_pins_free (pins);
}

/* Two files are open; the snapshot is free once both are closed for good. */
static void
test_closing (void)
{
  FsPins *pins = fs_pins_new ();
  guint64 key = fs_pins_key (3, 7);

  g_assert_true (fs_pins_add (pins, key));
  g_assert_true (fs_pins_add (pins, key));
  fs_pins_expect_drop (pins, key);
  g_assert_cmpint (fs_pins_seal (pins, key), ==, FS_SEAL_OPEN);
  fs_pins_expect_drop (pins, key);
  g_assert_cmpint (fs_pins_seal (pins, key), ==, FS_SEAL_CLOSING);
  fs_pins_drop (pins, key, TRUE);
  g_assert_cmpint (fs_pins_seal (pins, key), ==, FS_SEAL_CLOSING);

  /* Meanwhile it is opened again. */
  g_assert_true (fs_pins_add (pins, key));
  g_assert_cmpint (fs_pins_seal (pins, key), ==, FS_SEAL_OPEN);
  fs_pins_drop (pins, key, FALSE);
  g_assert_cmpint (fs_pins_seal (pins, key), ==, FS_SEAL_CLOSING);

  fs_pins_drop (pins, key, TRUE);
  g_assert_false (fs_pins_is_sealed (pins, key));
  g_assert_cmpint (fs_pins_seal (pins, key), ==, FS_SEAL_DONE);
  fs_pins_unseal (pins, key);
  fs_pins_free (pins);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/fs/pins/open", test_open);
  g_test_add_func ("/fs/pins/sealed", test_sealed);
  g_test_add_func ("/fs/pins/closing", test_closing);
  return g_test_run ();
}
