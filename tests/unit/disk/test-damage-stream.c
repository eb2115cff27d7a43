/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Damaged and hostile stream-optimized extents: see test-damage.c. */
#include <string.h>
#include <zlib.h>

#include "base/error.h"
#include "damage.h"

static gsize
footer_of (const GByteArray *image)
{
  return image->len - 1024;
}

/* Offset of the table entry of @grain; tables have 64. */
static gsize
entry_of (const GByteArray *image, guint grain)
{
  guint32 gd = (guint32)image_get64 (image, footer_of (image) + 56);
  guint32 table = image_get32 (image, gd * 512u + grain / 64 * 4);

  return table * 512u + grain % 64 * 4;
}

/* Offset of the first grain's marker. */
static gsize
stream_grain (const GByteArray *image)
{
  return image_get32 (image, entry_of (image, 0)) * 512u;
}

/* Of the last one's, which belongs to the disk in part. */
static gsize
last_grain (const GByteArray *image)
{
  return image_get32 (image, entry_of (image, DAMAGE_SECTORS / 128)) * 512u;
}

/* The same number in the header and in the footer. */
static void
put32_both (GByteArray *image, gsize offset, guint32 value)
{
  image_put32 (image, offset, value);
  image_put32 (image, footer_of (image) + offset, value);
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
footer_marker_sectors (GByteArray *image)
{
  image_put64 (image, footer_of (image) - 512, 2);
}

static void
footer_marker_bytes (GByteArray *image)
{
  image_put32 (image, footer_of (image) - 512 + 8, 1);
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
footer_version (GByteArray *image)
{
  image_put32 (image, footer_of (image) + 4, 2);
}

static void
footer_flags (GByteArray *image)
{
  image_put32 (image, footer_of (image) + 8, 0x30003);
}

static void
footer_grain (GByteArray *image)
{
  image_put64 (image, footer_of (image) + 20, 256);
}

static void
footer_per_table (GByteArray *image)
{
  image_put32 (image, footer_of (image) + 44, 65);
}

static void
footer_compression (GByteArray *image)
{
  image->data[footer_of (image) + 77] = 0;
}

/* Where the second directory is only the footer knows, too. */
static void
footer_redundant (GByteArray *image)
{
  put32_both (image, 8, 0x30007);
  image_put64 (image, footer_of (image) + 48,
               image_get64 (image, footer_of (image) + 56));
}

static void
without_markers (GByteArray *image)
{
  put32_both (image, 8, 0x10005);
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
header_only (GByteArray *image)
{
  g_byte_array_set_size (image, 1024);
}

static void
grain_outside (GByteArray *image)
{
  image_put32 (image, entry_of (image, 0), image->len / 512);
}

static void
grain_in_header (GByteArray *image)
{
  image_put32 (image, entry_of (image, 0), 64);
}

/* Without the flag an entry 1 is a place, and no grain is there. */
static void
grain_1_without_flag (GByteArray *image)
{
  put32_both (image, 8, 0x30001);
  image_put32 (image, entry_of (image, 0), 1);
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

/* One more than data that does not compress takes; the file has as much. */
static void
compressed_size_large (GByteArray *image)
{
  image_put32 (image, stream_grain (image) + 8, 2 * 65536 + 4096 + 1);
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

/* Replaces the last grain by its first @sectors. */
static void
shorten_last_grain (GByteArray *image, guint sectors)
{
  gsize at = last_grain (image);
  guint32 room = image_get32 (image, at + 8);
  guint8 grain[65536];
  uLongf grain_bytes = sizeof grain;
  uLongf bytes = room;

  g_assert_cmpint (
    uncompress (grain, &grain_bytes, image->data + at + 12, room), ==, Z_OK);
  g_assert_cmpint (
    compress2 (image->data + at + 12, &bytes, grain, sectors * 512, 9), ==,
    Z_OK);
  image_put32 (image, at + 8, (guint32)bytes);
}

static void
last_grain_short (GByteArray *image)
{
  shorten_last_grain (image, DAMAGE_SECTORS % 128);
}

static void
last_grain_too_short (GByteArray *image)
{
  shorten_last_grain (image, DAMAGE_SECTORS % 128 - 1);
}

/* Behind the end of the file, though no longer than a grain may be. */
static void
last_grain_cut_off (GByteArray *image)
{
  gsize at = last_grain (image);

  image_put32 (image, at + 8, (guint32)(image->len - at - 12 + 1));
}

/* Some programs count what fills the sector. */
static void
compressed_with_padding (GByteArray *image)
{
  gsize at = stream_grain (image);
  guint32 bytes = image_get32 (image, at + 8);

  image_put32 (image, at + 8, (bytes + 12 + 511) / 512 * 512 - 12);
}

static void
compressed_without_checksum (GByteArray *image)
{
  gsize at = stream_grain (image) + 8;

  image_put32 (image, at, image_get32 (image, at) - 4);
}

static void
compressed_other_checksum (GByteArray *image)
{
  gsize at = stream_grain (image);

  image->data[at + 12 + image_get32 (image, at + 8) - 1] ^= 1;
}

static void
compressed_grain_huge (GByteArray *image)
{
  put32_both (image, 20, 1 << 14);
}

#define S IMAGE_STREAM
#define INVALID VIX_E_DISK_INVALIDDISK
#define VERSION VIX_E_DISK_UNSUPPORTEDDISKVERSION

static const DamageCase cases[] = {
  { "stream/footer-magic", S, footer_magic, AT_OPEN, INVALID, "footer" },
  { "stream/footer-marker", S, footer_marker, AT_OPEN, INVALID, "footer" },
  { "stream/end-marker", S, end_marker, AT_OPEN, INVALID, "footer" },
  { "stream/footer-contradicts-header", S, footer_capacity, AT_OPEN, INVALID,
    "contradicts" },
  { "stream/footer-marker-of-2-sectors", S, footer_marker_sectors, AT_OPEN,
    INVALID, "footer" },
  { "stream/footer-marker-with-bytes", S, footer_marker_bytes, AT_OPEN, INVALID,
    "footer" },
  { "stream/footer-version", S, footer_version, AT_OPEN, INVALID,
    "contradicts" },
  { "stream/footer-flags", S, footer_flags, AT_OPEN, INVALID, "contradicts" },
  { "stream/footer-grain-size", S, footer_grain, AT_OPEN, INVALID,
    "contradicts" },
  { "stream/footer-entries-per-table", S, footer_per_table, AT_OPEN, INVALID,
    "contradicts" },
  { "stream/footer-compression", S, footer_compression, AT_OPEN, INVALID,
    "contradicts" },
  { "stream/footer-has-the-redundant-directory", S, footer_redundant, NOWHERE,
    0, NULL },
  { "stream/header-only", S, header_only, AT_OPEN, INVALID, "no footer" },
  { "stream/without-markers", S, without_markers, AT_OPEN, VERSION,
    "without markers" },
  { "stream/footer-without-directory", S, footer_without_directory, AT_OPEN,
    INVALID, "footer" },
  { "stream/footer-cut-off", S, footer_cut_off, AT_OPEN, INVALID, "footer" },
  { "stream/grain-past-end", S, grain_outside, AT_READ, INVALID,
    "entry of grain 0" },
  { "stream/grain-in-header", S, grain_in_header, AT_READ, INVALID,
    "entry of grain 0" },
  { "stream/grain-1-without-flag", S, grain_1_without_flag, AT_READ, INVALID,
    "entry of grain 0" },
  { "stream/size-0", S, compressed_size_0, AT_READ, INVALID,
    "impossible length" },
  { "stream/size-2^32", S, compressed_size_huge, AT_READ, INVALID,
    "impossible length" },
  { "stream/size-too-large", S, compressed_size_large, AT_READ, INVALID,
    "impossible length" },
  { "stream/size-with-padding", S, compressed_with_padding, NOWHERE, 0, NULL },
  { "stream/marked-as-another-grain", S, compressed_other_grain, AT_READ,
    INVALID, "another" },
  { "stream/garbage", S, compressed_garbage, AT_READ, INVALID, "inflate" },
  { "stream/cut-stream", S, compressed_cut_stream, AT_READ, INVALID,
    "inflate" },
  { "stream/checksum-missing", S, compressed_without_checksum, AT_READ, INVALID,
    "does not inflate" },
  { "stream/checksum-differs", S, compressed_other_checksum, AT_READ, INVALID,
    "does not inflate" },
  { "stream/last-grain-ends-with-the-disk", S, last_grain_short, NOWHERE, 0,
    NULL },
  { "stream/last-grain-ends-before-the-disk", S, last_grain_too_short, AT_LOST,
    INVALID, "less than a grain" },
  { "stream/last-grain-cut-off", S, last_grain_cut_off, AT_LOST, INVALID,
    "cut off" },
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
