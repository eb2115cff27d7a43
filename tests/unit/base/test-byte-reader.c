/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/byte-reader.h"

static const guint8 bytes[] = { 0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x07, 0x88,
                                0x99, 0xaa, 0xbb, 0xcc, 0xdd, 0xee, 0xff };

static void
test_integers (void)
{
  ByteReader r;

  byte_reader_init (&r, bytes, sizeof bytes);
  g_assert_cmphex (byte_reader_u8 (&r), ==, 0x01);
  g_assert_cmphex (byte_reader_le16 (&r), ==, 0x0302);
  g_assert_cmphex (byte_reader_le32 (&r), ==, 0x07060504);
  g_assert_cmphex (byte_reader_le64 (&r), ==,
                   G_GUINT64_CONSTANT (0xffeeddccbbaa9988));
  g_assert_true (byte_reader_ok (&r));
  byte_reader_u8 (&r);
  g_assert_false (byte_reader_ok (&r));
}

static void
test_past_end (void)
{
  ByteReader r;

  byte_reader_init (&r, bytes, 3);
  g_assert_cmphex (byte_reader_le32 (&r), ==, 0);
  g_assert_false (byte_reader_ok (&r));
  /* Sticky: what would fit fails as well. */
  g_assert_cmphex (byte_reader_u8 (&r), ==, 0);
  g_assert_null (byte_reader_take (&r, 0));
  byte_reader_seek (&r, 0);
  g_assert_false (byte_reader_ok (&r));
}

static void
test_huge_steps (void)
{
  ByteReader r;

  byte_reader_init (&r, bytes, sizeof bytes);
  byte_reader_skip (&r, 1);
  byte_reader_skip (&r, G_MAXSIZE);
  g_assert_false (byte_reader_ok (&r));
  byte_reader_init (&r, bytes, sizeof bytes);
  byte_reader_seek (&r, sizeof bytes);
  g_assert_true (byte_reader_ok (&r));
  byte_reader_seek (&r, sizeof bytes + 1);
  g_assert_false (byte_reader_ok (&r));
}

static void
test_take_is_borrowed (void)
{
  ByteReader r;

  byte_reader_init (&r, bytes, sizeof bytes);
  byte_reader_seek (&r, 4);
  g_assert_true (byte_reader_take (&r, 3) == bytes + 4);
  g_assert_cmphex (byte_reader_u8 (&r), ==, 0x88);
}

static void
test_empty (void)
{
  ByteReader r;

  byte_reader_init (&r, NULL, 0);
  g_assert_nonnull (byte_reader_take (&r, 0));
  g_assert_true (byte_reader_ok (&r));
  g_assert_cmphex (byte_reader_u8 (&r), ==, 0);
  g_assert_false (byte_reader_ok (&r));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/byte-reader/integers-are-little-endian", test_integers);
  g_test_add_func ("/byte-reader/past-the-end-is-sticky", test_past_end);
  g_test_add_func ("/byte-reader/huge-steps-do-not-wrap", test_huge_steps);
  g_test_add_func ("/byte-reader/take-is-borrowed", test_take_is_borrowed);
  g_test_add_func ("/byte-reader/empty", test_empty);
  return g_test_run ();
}
