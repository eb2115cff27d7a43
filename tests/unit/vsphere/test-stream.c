/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vsphere/stream.h"

#define KIB ((guint64)1024)
#define MIB (1024 * KIB)

static const VsphereLine near_line = { .wait_us = 200, .most_bytes = 64 * MIB };
static const VsphereLine far_line
  = { .wait_us = 20000, .most_bytes = 64 * MIB };

/* Reads @n pieces of @len one behind the other, one each @us; the window at
 * the end, 0 if it is no stream. */
static guint64
read_on (VsphereStream *streams, guint64 offset, guint64 len, guint n,
         const VsphereLine *line, gint64 us)
{
  guint64 window = 0;
  gint64 now = G_USEC_PER_SEC;

  for (guint i = 0; i < n; i++, now += us) {
    guint64 at = 0;

    if (vsphere_streams_note (streams, offset + i * len, len, line, now, &at)
        != NULL)
      window = at;
  }
  return window;
}

static void
test_grows_with_what_was_read (void)
{
  VsphereStream streams[VSPHERE_STREAMS] = { { 0 } };

  g_assert_cmpuint (read_on (streams, 0, 4 * KIB, 1, &near_line, 10), ==, 0);
  g_assert_cmpuint (read_on (streams, 4 * KIB, 4 * KIB, 1, &near_line, 10), ==,
                    32 * KIB);
  g_assert_cmpuint (read_on (streams, 8 * KIB, 128 * KIB, 7, &near_line, 10),
                    ==, 4 * (8 + 7 * 128) * KIB);
}

/* The further away the host, the more has to be under way. */
static void
test_fills_the_line (void)
{
  VsphereStream near_streams[VSPHERE_STREAMS] = { { 0 } };
  VsphereStream far_streams[VSPHERE_STREAMS] = { { 0 } };
  guint64 nearby = read_on (near_streams, 0, MIB, 2000, &near_line, 2000);
  guint64 far = read_on (far_streams, 0, MIB, 2000, &far_line, 2000);

  /* 500 MB/s, of which a line of 20 ms holds 10 MB. */
  g_assert_cmpuint (nearby, <, 20 * MIB);
  g_assert_cmpuint (far, >, 40 * MIB);
  g_assert_cmpuint (far, <=, 64 * MIB);
}

static void
test_slow_reader_needs_little (void)
{
  VsphereStream streams[VSPHERE_STREAMS] = { { 0 } };

  g_assert_cmpuint (read_on (streams, 0, MIB, 200, &far_line, 200000), <,
                    20 * MIB);
}

/* Requests of one reader, as the kernel sends them. */
static void
test_out_of_order (void)
{
  static const guint order[] = { 0, 2, 1, 3, 6, 4, 5, 8, 7, 9 };
  VsphereStream streams[VSPHERE_STREAMS] = { { 0 } };
  VsphereStream *last = NULL;
  guint64 window;
  guint used = 0;

  for (guint i = 0; i < G_N_ELEMENTS (order); i++)
    last = vsphere_streams_note (streams, order[i] * MIB, MIB, &near_line, i,
                                 &window);
  g_assert_nonnull (last);
  g_assert_cmpuint (last->next, ==, 10 * MIB);
  for (guint i = 0; i < VSPHERE_STREAMS; i++)
    used += streams[i].run > 0;
  g_assert_cmpuint (used, <=, 2);
}

/* Several readers of one file, each with its own place. */
static void
test_interleaved (void)
{
  VsphereStream streams[VSPHERE_STREAMS] = { { 0 } };
  guint64 window = 0;

  for (guint i = 0; i < 10; i++)
    for (guint k = 0; k < 5; k++) {
      VsphereStream *stream
        = vsphere_streams_note (streams, k * 1000 * MIB + i * MIB, MIB,
                                &near_line, i * 5 + k + 1, &window);

      g_assert_cmpint (stream != NULL, ==, i > 0);
      if (stream != NULL)
        g_assert_cmpuint (stream->next, ==, k * 1000 * MIB + (i + 1) * MIB);
    }
}

/* Nobody fetches ahead of those who jump about. */
static void
test_random (void)
{
  VsphereStream streams[VSPHERE_STREAMS] = { { 0 } };
  g_autoptr (GRand) rand = g_rand_new_with_seed (1);
  guint far_ahead = 0;

  for (guint i = 0; i < 10000; i++) {
    guint64 at = (guint64)g_rand_int_range (rand, 0, 1 << 20) * 4 * KIB;
    guint64 window = 0;

    if (vsphere_streams_note (streams, at, 4 * KIB, &near_line, i, &window)
          != NULL
        && window >= vsphere_stream_get_step (window))
      far_ahead++;
  }
  g_assert_cmpuint (far_ahead, <, 50);
}

static void
test_steps (void)
{
  g_assert_cmpuint (vsphere_stream_get_step (0), ==, 128 * KIB);
  g_assert_cmpuint (vsphere_stream_get_step (8 * MIB), ==, MIB);
  g_assert_cmpuint (vsphere_stream_get_step (1000 * MIB), ==, 8 * MIB);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/stream/grows-with-what-was-read",
                   test_grows_with_what_was_read);
  g_test_add_func ("/stream/fills-the-line", test_fills_the_line);
  g_test_add_func ("/stream/slow-reader-needs-little",
                   test_slow_reader_needs_little);
  g_test_add_func ("/stream/out-of-order", test_out_of_order);
  g_test_add_func ("/stream/interleaved", test_interleaved);
  g_test_add_func ("/stream/random", test_random);
  g_test_add_func ("/stream/steps", test_steps);
  return g_test_run ();
}
