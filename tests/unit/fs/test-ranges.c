/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ranges.h"

#include <string.h>

static void
assert_text (const FsRanges *ranges, const char *expected)
{
  g_autoptr (GBytes) text = fs_ranges_print (ranges);
  gsize len;
  const char *got = g_bytes_get_data (text, &len);

  g_assert_cmpmem (got, len, expected, strlen (expected));
}

static void
test_adjacent (void)
{
  g_autoptr (FsRanges) ranges = fs_ranges_new (8);

  assert_text (ranges, "");
  fs_ranges_add (ranges, 0, 512);
  fs_ranges_add (ranges, 512, 512);
  fs_ranges_add (ranges, 2048, 1);
  assert_text (ranges, "0 1024\n2048 1\n");
  g_assert_cmpint (fs_ranges_sum (ranges), ==, 1025);
}

static void
test_closest_become_one (void)
{
  g_autoptr (FsRanges) ranges = fs_ranges_new (3);

  fs_ranges_add (ranges, 0, 10);
  fs_ranges_add (ranges, 15, 5);
  fs_ranges_add (ranges, 1000, 10);
  fs_ranges_add (ranges, 2000, 10);
  assert_text (ranges, "0 20\n1000 10\n2000 10\n");
}

/* However many come: all of them are inside, and they are few. */
static void
test_bound (void)
{
  g_autoptr (FsRanges) ranges = fs_ranges_new (100);
  g_autofree gboolean *marked = g_new0 (gboolean, 1000000);
  g_autoptr (GBytes) text = NULL;
  g_auto (GStrv) lines = NULL;
  gint64 at = 0;
  gint64 end = 0;
  guint i;

  while (at < 999990) {
    fs_ranges_add (ranges, at, 3);
    marked[at] = marked[at + 1] = marked[at + 2] = TRUE;
    at += 3 + g_test_rand_int_range (0, 1 << g_test_rand_int_range (1, 14));
  }
  text = fs_ranges_print (ranges);
  lines = g_strsplit (g_bytes_get_data (text, NULL), "\n", -1);
  for (i = 0; lines[i] != NULL && *lines[i] != '\0'; i++) {
    char *rest;
    gint64 start = g_ascii_strtoll (lines[i], &rest, 10);

    for (; end < start; end++)
      g_assert_false (marked[end]);
    end = start + g_ascii_strtoll (rest, NULL, 10);
  }
  for (; end < 1000000; end++)
    g_assert_false (marked[end]);
  g_assert_cmpuint (i, >, 1);
  g_assert_cmpuint (i, <=, 100);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/ranges/adjacent-ones-are-one", test_adjacent);
  g_test_add_func ("/ranges/closest-become-one", test_closest_become_one);
  g_test_add_func ("/ranges/no-more-than-asked-for", test_bound);
  return g_test_run ();
}
