/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Damaged and hostile stream-optimized extents: see test-damage.c. */
#include <string.h>

#include "base/error.h"
#include "damage.h"

static gsize
footer_of (const GByteArray *image)
{
  return image->len - 1024;
}

static gsize
stream_grain (const GByteArray *image)
{
  guint32 gd = (guint32)image_get64 (image, footer_of (image) + 56);
  guint32 table = image_get32 (image, gd * 512u);

  return image_get32 (image, table * 512u) * 512u;
}

static void
footer_magic (GByteArray *image)
{
  image_put32 (image, footer_of (image), DAMAGE_ANYTHING);
}

static void
footer_marker (GByteArray *image)
{
  image_put32 (image, footer_of (image) - 512 + 12, 2);
}

static void
end_marker (GByteArray *image)
{
  image_put32 (image, image->len - 512 + 12, 3);
}

static void
footer_capacity (GByteArray *image)
{
  image_put64 (image, footer_of (image) + 12, DAMAGE_SECTORS + 1);
}

static void
footer_without_directory (GByteArray *image)
{
  image_put64 (image, footer_of (image) + 56, G_MAXUINT64);
}

static void
footer_cut_off (GByteArray *image)
{
  g_byte_array_set_size (image, image->len - 512);
}

static void
compressed_size_0 (GByteArray *image)
{
  image_put32 (image, stream_grain (image) + 8, 0);
}

static void
compressed_size_huge (GByteArray *image)
{
  image_put32 (image, stream_grain (image) + 8, G_MAXUINT32);
}

static void
compressed_other_grain (GByteArray *image)
{
  image_put64 (image, stream_grain (image), 128);
}

static void
compressed_garbage (GByteArray *image)
{
  image_put32 (image, stream_grain (image) + 12, DAMAGE_ANYTHING);
}

static void
compressed_cut_stream (GByteArray *image)
{
  image_put32 (image, stream_grain (image) + 8, 100);
}

static void
compressed_rest_of_input (GByteArray *image)
{
  gsize at = stream_grain (image) + 8;

  image_put32 (image, at, image_get32 (image, at) + 1024);
}

/* A valid stream, but of half a grain; @more: of two. */
static void
put_stream (GByteArray *image, const char *hex)
{
  gsize at = stream_grain (image);
  gsize n = strlen (hex) / 2;

  for (gsize i = 0; i < n; i++)
    image->data[at + 12 + i]
      = (guint8)(g_ascii_xdigit_value (hex[2 * i]) << 4
                 | g_ascii_xdigit_value (hex[2 * i + 1]));
  image_put32 (image, at + 8, (guint32)n);
}

static void
compressed_too_little (GByteArray *image)
{
  /* zlib of three zero bytes */
  put_stream (image, "789c63606000000003"
                     "0001");
}

static void
compressed_grain_huge (GByteArray *image)
{
  image_put64 (image, 20, 1 << 20);
  image_put64 (image, footer_of (image) + 20, 1 << 20);
}

#define S IMAGE_STREAM
#define INVALID VIX_E_DISK_INVALIDDISK

static const DamageCase cases[] = {
  { "stream/footer-magic", S, footer_magic, AT_OPEN, INVALID, "footer" },
  { "stream/footer-marker", S, footer_marker, AT_OPEN, INVALID, "footer" },
  { "stream/end-marker", S, end_marker, AT_OPEN, INVALID, "footer" },
  { "stream/footer-contradicts-header", S, footer_capacity, AT_OPEN, INVALID,
    "contradicts" },
  { "stream/footer-without-directory", S, footer_without_directory, AT_OPEN,
    INVALID, "footer" },
  { "stream/footer-cut-off", S, footer_cut_off, AT_OPEN, INVALID, "footer" },
  { "stream/size-0", S, compressed_size_0, AT_READ, INVALID,
    "impossible length" },
  { "stream/size-2^32", S, compressed_size_huge, AT_READ, INVALID,
    "impossible length" },
  { "stream/marked-as-another-grain", S, compressed_other_grain, AT_READ,
    INVALID, "another" },
  { "stream/garbage", S, compressed_garbage, AT_READ, INVALID, "inflate" },
  { "stream/cut-stream", S, compressed_cut_stream, AT_READ, INVALID,
    "inflate" },
  { "stream/input-remains", S, compressed_rest_of_input, AT_READ, INVALID,
    "inflate" },
  { "stream/inflates-to-too-little", S, compressed_too_little, AT_READ, INVALID,
    "less than a grain" },
  { "stream/huge-grain", S, compressed_grain_huge, AT_OPEN, INVALID, "4 MiB" },
};

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  damage_add_tests (cases, G_N_ELEMENTS (cases));
  return g_test_run ();
}
