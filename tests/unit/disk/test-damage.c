/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Damaged and hostile extents, one case for each check: what is refused, with
 * which error, and that the rest of the disk stays readable where it can.
 */
#include <string.h>

#include "base/error.h"
#include "disk-fixture.h"
#include "image-writer.h"
#include "mem-dir.h"

#define SECTORS 20000u
#define ANYTHING 0x11223344u

typedef enum {
  AT_OPEN,  /* the link is refused */
  AT_READ,  /* reading the damaged part fails */
  AT_LOST,  /* nothing can be read */
  AT_WRITE, /* reading works, a merge into it is refused */
  NOWHERE   /* nothing fails: the redundant copy helps */
} Where;

typedef struct {
  const char *name;
  ImageFormat format;
  void (*damage) (GByteArray *image);
  Where where;
  int code;
  const char *text;
} DamageCase;

/* --- hosted sparse: layout of what image_write() makes ----------------- */

#define KDMV_RGD 21u

static guint32
gd_of (const GByteArray *image)
{
  return (guint32)image_get64 (image, 56);
}

static gsize
gd_entry (const GByteArray *image, guint index)
{
  return gd_of (image) * 512u + index * 4;
}

/* Offset of table entry @index of the first table. */
static gsize
gt_entry (const GByteArray *image, guint index)
{
  return image_get32 (image, gd_entry (image, 0)) * 512u + index * 4;
}

static gsize
rgt_entry (const GByteArray *image, guint index)
{
  return image_get32 (image, KDMV_RGD * 512) * 512u + index * 4;
}

static void
put_both (GByteArray *image, guint index, guint32 value)
{
  image_put32 (image, gt_entry (image, index), value);
  image_put32 (image, rgt_entry (image, index), value);
}

static void
cut_header (GByteArray *image)
{
  g_byte_array_set_size (image, 300);
}

static void
bad_magic (GByteArray *image)
{
  image_put32 (image, 0, ANYTHING);
}

static void
version_4 (GByteArray *image)
{
  image_put32 (image, 4, 4);
}

static void
version_0 (GByteArray *image)
{
  image_put32 (image, 4, 0);
}

static void
mangled_newlines (GByteArray *image)
{
  image->data[75] = '\n';
}

static void
grain_0 (GByteArray *image)
{
  image_put64 (image, 20, 0);
}

static void
grain_100 (GByteArray *image)
{
  image_put64 (image, 20, 100);
}

static void
grain_4 (GByteArray *image)
{
  image_put64 (image, 20, 4);
}

static void
grain_huge (GByteArray *image)
{
  image_put64 (image, 20, G_GUINT64_CONSTANT (1) << 62);
}

static void
per_table_0 (GByteArray *image)
{
  image_put32 (image, 44, 0);
}

static void
per_table_huge (GByteArray *image)
{
  image_put32 (image, 44, G_MAXUINT32);
}

static void
capacity_0 (GByteArray *image)
{
  image_put64 (image, 12, 0);
}

static void
capacity_huge (GByteArray *image)
{
  image_put64 (image, 12, G_GUINT64_CONSTANT (1) << 63);
}

/* So many tables that their number does not fit in 32 bits. */
static void
too_many_tables (GByteArray *image)
{
  image_put64 (image, 12, G_GUINT64_CONSTANT (1) << 43);
  image_put32 (image, 44, 1);
  image_put64 (image, 20, 8);
}

static void
capacity_differs (GByteArray *image)
{
  image_put64 (image, 12, SECTORS - 1);
}

static void
gd_outside (GByteArray *image)
{
  image_put64 (image, 56, image->len / 512);
}

static void
gd_far_outside (GByteArray *image)
{
  image_put64 (image, 56, G_MAXUINT64 - 1);
}

static void
gd_in_header (GByteArray *image)
{
  image_put64 (image, 56, 0);
}

static void
rgd_outside (GByteArray *image)
{
  image_put64 (image, 48, image->len / 512);
}

static void
descriptor_outside (GByteArray *image)
{
  image_put64 (image, 28, image->len / 512);
}

static void
descriptor_huge (GByteArray *image)
{
  image_put64 (image, 36, G_GUINT64_CONSTANT (1) << 55);
}

static void
no_descriptor (GByteArray *image)
{
  image_put64 (image, 28, 0);
}

static void
overhead_0 (GByteArray *image)
{
  image_put64 (image, 64, 0);
}

static void
overhead_outside (GByteArray *image)
{
  guint n = SECTORS / 128 + 1;

  for (guint i = 0; i < n; i++) {
    guint table = i / 64 * 4;

    image_put32 (
      image,
      image_get32 (image, gd_of (image) * 512u + table) * 512u + i % 64 * 4, 0);
    image_put32 (
      image, image_get32 (image, KDMV_RGD * 512 + table) * 512u + i % 64 * 4,
      0);
  }
  image_put64 (image, 64, G_GUINT64_CONSTANT (1) << 31);
}

static void
unknown_compression (GByteArray *image)
{
  image->data[77] = 2;
}

static void
compressed_flag_only (GByteArray *image)
{
  image_put32 (image, 8, 0x30003);
}

static void
footer_missing (GByteArray *image)
{
  image_put64 (image, 56, G_MAXUINT64);
}

static void
table_outside (GByteArray *image)
{
  image_put32 (image, gd_entry (image, 0), image->len / 512);
}

static void
table_outside_both (GByteArray *image)
{
  image_put32 (image, KDMV_RGD * 512, image->len / 512);
  image_put32 (image, gd_entry (image, 0), image->len / 512);
}

static void
table_in_descriptor (GByteArray *image)
{
  image_put32 (image, KDMV_RGD * 512, 5);
  image_put32 (image, gd_entry (image, 0), 5);
}

static void
grain_outside (GByteArray *image)
{
  image_put32 (image, gt_entry (image, 3), image->len / 512 - 127);
}

static void
grain_outside_both (GByteArray *image)
{
  put_both (image, 3, image->len / 512 - 127);
}

static void
grain_far_outside_both (GByteArray *image)
{
  put_both (image, 3, G_MAXUINT32);
}

static void
grain_in_metadata (GByteArray *image)
{
  put_both (image, 3, (guint32)image_get64 (image, 64) - 1);
}

static void
grain_1_without_flag (GByteArray *image)
{
  put_both (image, 3, 1);
  image_put32 (image, 8, 3);
}

static void
grain_1_without_flag_or_overhead (GByteArray *image)
{
  grain_1_without_flag (image);
  image_put64 (image, 64, 1);
}

static void
shared_grain (GByteArray *image)
{
  put_both (image, 3, image_get32 (image, gt_entry (image, 2)));
}

static void
overlapping_grain (GByteArray *image)
{
  put_both (image, 3, image_get32 (image, gt_entry (image, 2)) + 5);
}

static void
shared_table (GByteArray *image)
{
  image_put32 (image, gd_entry (image, 1),
               image_get32 (image, gd_entry (image, 0)));
}

/* Tables where grains are, which overhead cannot tell. */
static void
table_over_grain (GByteArray *image)
{
  guint32 sector = image_get32 (image, gt_entry (image, 2));

  memset (image->data + sector * 512u, 0, 512);
  memset (image->data + image_get32 (image, gd_entry (image, 1)) * 512u, 0,
          512);
  memset (image->data + image_get32 (image, KDMV_RGD * 512 + 4) * 512u, 0, 512);
  image_put32 (image, gd_entry (image, 1), sector);
}

static void
unclean (GByteArray *image)
{
  image->data[72] = 1;
}

static void
tables_differ (GByteArray *image)
{
  image_put32 (image, rgt_entry (image, 2), 0);
}

static void
longer_than_tables_say (GByteArray *image)
{
  guint len = image->len;

  g_byte_array_set_size (image, len + 129 * 512);
  memset (image->data + len, 0, 129 * 512);
}

static void
cut_short (GByteArray *image)
{
  g_byte_array_set_size (image, image->len - 200 * 512);
}

/* --- stream-optimized -------------------------------------------------- */

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
  image_put32 (image, footer_of (image), ANYTHING);
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
  image_put64 (image, footer_of (image) + 12, SECTORS + 1);
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
  image_put32 (image, stream_grain (image) + 12, ANYTHING);
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

/* --- COWD -------------------------------------------------------------- */

static gsize
cowd_table (const GByteArray *image)
{
  return image_get32 (image, 4 * 512) * 512u;
}

static void
cowd_cut_header (GByteArray *image)
{
  g_byte_array_set_size (image, 2000);
}

static void
cowd_version (GByteArray *image)
{
  image_put32 (image, 4, 2);
}

static void
cowd_grain_0 (GByteArray *image)
{
  image_put32 (image, 16, 0);
}

static void
cowd_grain_3 (GByteArray *image)
{
  image_put32 (image, 16, 3);
}

static void
cowd_grain_huge (GByteArray *image)
{
  image_put32 (image, 16, 1u << 31);
}

static void
cowd_capacity (GByteArray *image)
{
  image_put32 (image, 12, SECTORS + 1);
}

static void
cowd_few_entries (GByteArray *image)
{
  image_put32 (image, 24, 0);
}

static void
cowd_gd_outside (GByteArray *image)
{
  image_put32 (image, 20, G_MAXUINT32);
}

static void
cowd_gd_in_header (GByteArray *image)
{
  image_put32 (image, 20, 1);
}

static void
cowd_table_outside (GByteArray *image)
{
  image_put32 (image, 4 * 512, image->len / 512 - 10);
}

static void
cowd_table_in_header (GByteArray *image)
{
  image_put32 (image, 4 * 512, 2);
}

static void
cowd_grain_outside (GByteArray *image)
{
  image_put32 (image, cowd_table (image) + 4, image->len / 512);
}

static void
cowd_grain_in_header (GByteArray *image)
{
  image_put32 (image, cowd_table (image) + 4, 1);
}

/* --- SESparse ---------------------------------------------------------- */

static gsize
se_table (const GByteArray *image)
{
  return (gsize)image_get64 (image, 18 * 8) * 512;
}

static void
se_version (GByteArray *image)
{
  image_put64 (image, 8, 1);
}

static void
se_grain (GByteArray *image)
{
  image_put64 (image, 24, 16);
}

static void
se_flags (GByteArray *image)
{
  image_put64 (image, 40, 1);
}

static void
se_capacity (GByteArray *image)
{
  image_put64 (image, 16, SECTORS + 1);
}

static void
se_volatile_outside (GByteArray *image)
{
  image_put64 (image, 80, G_MAXUINT64);
}

static void
se_volatile_magic (GByteArray *image)
{
  image_put64 (image, 512, ANYTHING);
}

static void
se_replay (GByteArray *image)
{
  image_put64 (image, 512 + 24, 1);
}

static void
se_directory_outside (GByteArray *image)
{
  image_put64 (image, 128, image->len / 512);
}

static void
se_directory_small (GByteArray *image)
{
  image_put64 (image, 136, 0);
}

static void
se_grains_in_header (GByteArray *image)
{
  image_put64 (image, 192, 0);
}

static void
se_l1_mark (GByteArray *image)
{
  image_put32 (image, 16 * 512 + 4, 0x20000000);
}

static void
se_l1_index (GByteArray *image)
{
  image_put32 (image, 16 * 512, 0xfffffffe);
}

/* A product of table number and size that is small again in 32 bits. */
static void
se_l1_wraps (GByteArray *image)
{
  image_put32 (image, 16 * 512, 1u << 26);
  image_put64 (image, 152, G_MAXUINT64 / 2);
}

static void
se_l2_kind (GByteArray *image)
{
  image_put64 (image, se_table (image), G_GUINT64_CONSTANT (4) << 60);
}

static void
se_l2_not_empty (GByteArray *image)
{
  image_put64 (image, se_table (image), 77);
}

static void
se_l2_index (GByteArray *image)
{
  image_put64 (image, se_table (image),
               G_GUINT64_CONSTANT (0x3fffffffffffffff));
}

static void
se_l2_index_wraps (GByteArray *image)
{
  image_put64 (image, 200, G_MAXUINT64);
  image_put64 (image, 192, G_MAXUINT64 - 64);
  image_put64 (image, se_table (image),
               G_GUINT64_CONSTANT (0x3010000000000000));
}

#define S IMAGE_SPARSE
#define C IMAGE_COWD
#define E IMAGE_SESPARSE
#define INVALID VIX_E_DISK_INVALIDDISK
#define VERSION VIX_E_DISK_UNSUPPORTEDDISKVERSION
#define MISMATCH VIX_E_DISK_CAPACITY_MISMATCH
#define REPAIR VIX_E_DISK_NEEDSREPAIR

static const DamageCase cases[] = {
  { "sparse/header-cut", S, cut_header, AT_OPEN, INVALID, "too short" },
  { "sparse/magic", S, bad_magic, AT_OPEN, INVALID, "" },
  { "sparse/version-4", S, version_4, AT_OPEN, VERSION, "version" },
  { "sparse/version-0", S, version_0, AT_OPEN, VERSION, "version" },
  { "sparse/newlines-mangled", S, mangled_newlines, AT_OPEN, INVALID, "text" },
  { "sparse/grain-size-0", S, grain_0, AT_OPEN, INVALID, "grain size" },
  { "sparse/grain-size-100", S, grain_100, AT_OPEN, INVALID, "grain size" },
  { "sparse/grain-size-4", S, grain_4, AT_OPEN, INVALID, "grain size" },
  { "sparse/grain-size-2^62", S, grain_huge, AT_OPEN, INVALID, "grain size" },
  { "sparse/entries-per-table-0", S, per_table_0, AT_OPEN, INVALID,
    "entries per grain table" },
  { "sparse/entries-per-table-2^32", S, per_table_huge, AT_OPEN, INVALID,
    "entries per grain table" },
  { "sparse/capacity-0", S, capacity_0, AT_OPEN, INVALID, "capacity" },
  { "sparse/capacity-2^63", S, capacity_huge, AT_OPEN, INVALID, "capacity" },
  { "sparse/2^40-tables", S, too_many_tables, AT_OPEN, INVALID,
    "grain tables" },
  { "sparse/capacity-is-not-the-extent-line's", S, capacity_differs, AT_OPEN,
    MISMATCH, "descriptor" },
  { "sparse/directory-past-end", S, gd_outside, AT_OPEN, INVALID,
    "grain directory" },
  { "sparse/directory-far-past-end", S, gd_far_outside, AT_OPEN, INVALID,
    "grain directory" },
  { "sparse/directory-in-header", S, gd_in_header, AT_OPEN, INVALID,
    "grain directory" },
  { "sparse/redundant-directory-past-end", S, rgd_outside, AT_OPEN, INVALID,
    "redundant" },
  { "sparse/descriptor-past-end", S, descriptor_outside, AT_OPEN, INVALID,
    "descriptor" },
  { "sparse/descriptor-too-large", S, descriptor_huge, AT_OPEN, INVALID,
    "descriptor" },
  { "sparse/no-descriptor", S, no_descriptor, AT_OPEN, INVALID, "one extent" },
  { "sparse/overhead-0", S, overhead_0, AT_OPEN, INVALID, "header" },
  { "sparse/unknown-compression", S, unknown_compression, AT_OPEN, VERSION,
    "compression" },
  { "sparse/compressed-by-flag-only", S, compressed_flag_only, AT_OPEN, VERSION,
    "compression" },
  { "sparse/footer-missing", S, footer_missing, AT_OPEN, INVALID, "footer" },
  { "sparse/grain-table-past-end", S, table_outside, NOWHERE, 0, NULL },
  { "sparse/grain-table-past-end-is-not-written", S, table_outside, AT_WRITE,
    REPAIR, "damaged" },
  { "sparse/grain-table-past-end-in-both", S, table_outside_both, AT_READ,
    INVALID, "grain directory" },
  { "sparse/grain-table-in-descriptor", S, table_in_descriptor, AT_READ,
    INVALID, "grain directory" },
  { "sparse/grain-past-end", S, grain_outside, NOWHERE, 0, NULL },
  { "sparse/grain-past-end-is-not-written", S, grain_outside, AT_WRITE, REPAIR,
    "differ" },
  { "sparse/grain-past-end-in-both", S, grain_outside_both, AT_READ, INVALID,
    "grain 3" },
  { "sparse/grain-far-past-end-in-both", S, grain_far_outside_both, AT_READ,
    INVALID, "grain 3" },
  { "sparse/grain-in-metadata", S, grain_in_metadata, AT_READ, INVALID,
    "grain 3" },
  { "sparse/grain-1-without-flag", S, grain_1_without_flag, AT_READ, INVALID,
    "grain 3" },
  { "sparse/grain-1-without-flag-or-overhead", S,
    grain_1_without_flag_or_overhead, AT_READ, INVALID, "grain 3" },
  { "sparse/file-cut-short", S, cut_short, AT_LOST, INVALID, "grain" },
  { "sparse/shared-grain-is-not-written", S, shared_grain, AT_WRITE, INVALID,
    "same sectors" },
  { "sparse/overlapping-grain-is-not-written", S, overlapping_grain, AT_WRITE,
    INVALID, "same sectors" },
  { "sparse/shared-table-is-not-written", S, shared_table, AT_WRITE, INVALID,
    "same sectors" },
  { "sparse/table-over-grain-is-not-written", S, table_over_grain, AT_WRITE,
    INVALID, "same sectors" },
  { "sparse/overhead-past-end-is-not-written", S, overhead_outside, AT_WRITE,
    INVALID, "behind the end" },
  { "sparse/unclean-is-not-written", S, unclean, AT_WRITE, REPAIR,
    "not closed" },
  { "sparse/differing-tables-are-not-written", S, tables_differ, AT_WRITE,
    REPAIR, "differ" },
  { "sparse/longer-than-its-tables-is-not-written", S, longer_than_tables_say,
    AT_WRITE, REPAIR, "longer" },

  { "stream/footer-magic", IMAGE_STREAM, footer_magic, AT_OPEN, INVALID,
    "footer" },
  { "stream/footer-marker", IMAGE_STREAM, footer_marker, AT_OPEN, INVALID,
    "footer" },
  { "stream/end-marker", IMAGE_STREAM, end_marker, AT_OPEN, INVALID, "footer" },
  { "stream/footer-contradicts-header", IMAGE_STREAM, footer_capacity, AT_OPEN,
    INVALID, "contradicts" },
  { "stream/footer-without-directory", IMAGE_STREAM, footer_without_directory,
    AT_OPEN, INVALID, "footer" },
  { "stream/footer-cut-off", IMAGE_STREAM, footer_cut_off, AT_OPEN, INVALID,
    "footer" },
  { "stream/size-0", IMAGE_STREAM, compressed_size_0, AT_READ, INVALID,
    "impossible length" },
  { "stream/size-2^32", IMAGE_STREAM, compressed_size_huge, AT_READ, INVALID,
    "impossible length" },
  { "stream/marked-as-another-grain", IMAGE_STREAM, compressed_other_grain,
    AT_READ, INVALID, "another" },
  { "stream/garbage", IMAGE_STREAM, compressed_garbage, AT_READ, INVALID,
    "inflate" },
  { "stream/cut-stream", IMAGE_STREAM, compressed_cut_stream, AT_READ, INVALID,
    "inflate" },
  { "stream/input-remains", IMAGE_STREAM, compressed_rest_of_input, AT_READ,
    INVALID, "inflate" },
  { "stream/inflates-to-too-little", IMAGE_STREAM, compressed_too_little,
    AT_READ, INVALID, "less than a grain" },
  { "stream/huge-grain", IMAGE_STREAM, compressed_grain_huge, AT_OPEN, INVALID,
    "4 MiB" },

  { "cowd/header-cut", C, cowd_cut_header, AT_OPEN, INVALID, "short" },
  { "cowd/magic", C, bad_magic, AT_OPEN, INVALID, "magic" },
  { "cowd/version", C, cowd_version, AT_OPEN, VERSION, "version" },
  { "cowd/grain-size-0", C, cowd_grain_0, AT_OPEN, INVALID, "grain size" },
  { "cowd/grain-size-3", C, cowd_grain_3, AT_OPEN, INVALID, "grain size" },
  { "cowd/grain-size-2^31", C, cowd_grain_huge, AT_OPEN, INVALID,
    "grain size" },
  { "cowd/capacity", C, cowd_capacity, AT_OPEN, MISMATCH, "capacity" },
  { "cowd/directory-too-small", C, cowd_few_entries, AT_OPEN, INVALID,
    "too small" },
  { "cowd/directory-past-end", C, cowd_gd_outside, AT_OPEN, INVALID,
    "grain directory" },
  { "cowd/directory-in-header", C, cowd_gd_in_header, AT_OPEN, INVALID,
    "grain directory" },
  { "cowd/table-past-end", C, cowd_table_outside, AT_LOST, INVALID,
    "grain directory" },
  { "cowd/table-in-header", C, cowd_table_in_header, AT_LOST, INVALID,
    "grain directory" },
  { "cowd/grain-past-end", C, cowd_grain_outside, AT_READ, INVALID, "grain 1" },
  { "cowd/grain-in-header", C, cowd_grain_in_header, AT_READ, INVALID,
    "grain 1" },

  { "sesparse/magic", E, bad_magic, AT_OPEN, INVALID, "magic" },
  { "sesparse/version", E, se_version, AT_OPEN, VERSION, "version" },
  { "sesparse/grain-size", E, se_grain, AT_OPEN, VERSION, "grain" },
  { "sesparse/flags", E, se_flags, AT_OPEN, VERSION, "feature" },
  { "sesparse/capacity", E, se_capacity, AT_OPEN, MISMATCH, "capacity" },
  { "sesparse/second-header-past-end", E, se_volatile_outside, AT_OPEN, INVALID,
    "second header" },
  { "sesparse/second-header-magic", E, se_volatile_magic, AT_OPEN, INVALID,
    "second header" },
  { "sesparse/journal-to-replay", E, se_replay, AT_OPEN, REPAIR, "journal" },
  { "sesparse/directory-past-end", E, se_directory_outside, AT_OPEN, INVALID,
    "directory" },
  { "sesparse/directory-too-small", E, se_directory_small, AT_OPEN, INVALID,
    "directory" },
  { "sesparse/grains-in-header", E, se_grains_in_header, AT_OPEN, INVALID,
    "headers" },
  { "sesparse/directory-entry-mark", E, se_l1_mark, AT_LOST, INVALID,
    "grain directory" },
  { "sesparse/directory-entry-past-end", E, se_l1_index, AT_LOST, INVALID,
    "grain directory" },
  { "sesparse/directory-entry-wraps", E, se_l1_wraps, AT_LOST, INVALID,
    "grain directory" },
  { "sesparse/table-entry-kind", E, se_l2_kind, AT_READ, INVALID, "grain 0" },
  { "sesparse/table-entry-not-empty", E, se_l2_not_empty, AT_READ, INVALID,
    "grain 0" },
  { "sesparse/table-entry-past-end", E, se_l2_index, AT_READ, INVALID,
    "grain 0" },
  { "sesparse/table-entry-wraps", E, se_l2_index_wraps, AT_LOST, INVALID,
    "grain" },
};

typedef struct {
  const char *create_type;
  const char *extent_type;
  guint32 grain;
  guint32 per_table;
  gboolean embedded;
} FormatFacts;

static const FormatFacts facts[] = {
  [IMAGE_SPARSE] = { "monolithicSparse", "SPARSE", 128, 64, TRUE },
  [IMAGE_STREAM] = { "streamOptimized", "SPARSE", 128, 64, TRUE },
  [IMAGE_COWD] = { "vmfsSparse", "VMFSSPARSE", 8, 4096, FALSE },
  [IMAGE_SESPARSE] = { "seSparse", "SESPARSE", 8, 4096, FALSE },
};

/* A disk of which every grain is present. */
static MemDir *
make_damaged (DiskFixture *f, const DamageCase *c)
{
  const FormatFacts *fact = &facts[c->format];
  guint64 n = image_count_grains (SECTORS, fact->grain);
  const char *file = fact->embedded ? "disk" : "data";
  g_autofree guint8 *content = image_random_content (f->rand, SECTORS);
  g_autofree guint8 *states = g_malloc (n);
  g_autofree char *text
    = image_descriptor (1, VMDK_NO_PARENT_CID, NULL, fact->create_type, SECTORS,
                        fact->extent_type, file);
  ImageSpec spec = { c->format,
                     SECTORS,
                     fact->grain,
                     fact->per_table,
                     content,
                     states,
                     fact->embedded ? text : NULL,
                     FALSE };
  MemDir *dir = mem_dir_new ();
  g_autoptr (GByteArray) image = NULL;

  memset (states, VMDK_DATA, n);
  image = image_write (&spec);
  c->damage (image);
  mem_dir_set (dir, file, image->data, image->len);
  if (!fact->embedded)
    mem_dir_set (dir, "disk", text, strlen (text));
  return dir;
}

static gboolean
read_all (VmdkChain *chain, GError **error)
{
  guint8 buf[4096];

  for (guint64 at = 0; at < SECTORS * 512; at += sizeof buf)
    if (!vmdk_chain_read (chain, at, buf, sizeof buf, error))
      return FALSE;
  return TRUE;
}

/* The last sector is far from the damage that is made. */
static void
assert_rest_is_readable (VmdkChain *chain)
{
  g_autoptr (GError) error = NULL;
  guint8 buf[512];

  vmdk_chain_read (chain, (SECTORS - 1) * 512, buf, sizeof buf, &error);
  g_assert_no_error (error);
}

/* Merging an equally large child into it: refused before anything changes. */
static void
assert_no_merge (const DamageCase *c, MemDir *dir)
{
  g_autoptr (GByteArray) before = disk_model_copy (mem_dir_get (dir, "disk"));
  VmdkResolver *resolver = mem_dir_get_resolver (dir);
  g_autoptr (VmdkLink) parent = NULL;
  g_autoptr (VmdkLink) child = NULL;
  g_autoptr (VmdkSource) dest = mem_dir_open (dir, "child");
  GError *error = NULL;

  parent
    = vmdk_link_open (resolver, NULL, "disk", VMDK_ROLE_DISK, TRUE, &error);
  g_assert_no_error (error);
  g_assert_true (vmdk_create_child (parent, "disk", "child", dest, &error));
  child
    = vmdk_link_open (resolver, NULL, "child", VMDK_ROLE_DISK, FALSE, &error);
  g_assert_no_error (error);
  g_assert_false (vmdk_merge_reserve_parent (parent, child, &error));
  disk_assert_error (error, c->code, c->text);
  error = NULL;
  g_assert_false (vmdk_merge_into_parent (parent, child, NULL, &error));
  disk_assert_error (error, c->code, c->text);
  g_assert_cmpmem (before->data, before->len, mem_dir_get (dir, "disk")->data,
                   mem_dir_get (dir, "disk")->len);
}

static void
test_damage (DiskFixture *f, gconstpointer data)
{
  const DamageCase *c = data;
  g_autoptr (MemDir) dir = make_damaged (f, c);
  g_autoptr (VmdkChain) chain = NULL;
  GError *error = NULL;

  chain = vmdk_chain_open (mem_dir_get_resolver (dir), NULL, "disk", &error);
  if (c->where == AT_OPEN) {
    g_assert_null (chain);
    disk_assert_error (error, c->code, c->text);
    return;
  }
  g_assert_no_error (error);
  if (c->where == AT_READ || c->where == AT_LOST) {
    g_assert_false (read_all (chain, &error));
    disk_assert_error (error, c->code, c->text);
  } else
    g_assert_true (read_all (chain, NULL));
  if (c->where != AT_LOST)
    assert_rest_is_readable (chain);
  if (c->where == AT_WRITE)
    assert_no_merge (c, dir);
}

/* --- repair ------------------------------------------------------------ */

static gboolean
repair (MemDir *dir, GError **error)
{
  g_autoptr (VmdkLink) link = vmdk_link_open (
    mem_dir_get_resolver (dir), NULL, "disk", VMDK_ROLE_DISK, TRUE, error);

  g_assert_nonnull (link);
  return vmdk_link_repair_tables (link, error);
}

static void
test_repair (DiskFixture *f, gconstpointer data)
{
  DamageCase c = { "", S, data, AT_WRITE, 0, NULL };
  g_autoptr (MemDir) dir = make_damaged (f, &c);
  g_autoptr (VmdkLink) parent = NULL;
  g_autoptr (VmdkLink) child = NULL;
  g_autoptr (VmdkSource) dest = mem_dir_open (dir, "child");
  g_autoptr (GError) error = NULL;

  repair (dir, &error);
  g_assert_no_error (error);
  parent = vmdk_link_open (mem_dir_get_resolver (dir), NULL, "disk",
                           VMDK_ROLE_DISK, TRUE, &error);
  g_assert_true (vmdk_create_child (parent, "disk", "child", dest, &error));
  child = vmdk_link_open (mem_dir_get_resolver (dir), NULL, "child",
                          VMDK_ROLE_DISK, FALSE, &error);
  vmdk_merge_into_parent (parent, child, NULL, &error);
  g_assert_no_error (error);
}

static void
test_cannot_repair (DiskFixture *f, gconstpointer data)
{
  DamageCase c = { "", S, data, AT_WRITE, 0, NULL };
  g_autoptr (MemDir) dir = make_damaged (f, &c);
  g_autoptr (GByteArray) before = disk_model_copy (mem_dir_get (dir, "disk"));
  GError *error = NULL;

  g_assert_false (repair (dir, &error));
  g_assert_true (g_error_matches (error, VIX_ERROR, VIX_E_DISK_CANTREPAIR)
                 || g_error_matches (error, VIX_ERROR, INVALID));
  g_error_free (error);
  g_assert_cmpmem (before->data, before->len, mem_dir_get (dir, "disk")->data,
                   mem_dir_get (dir, "disk")->len);
}

/* --- flat -------------------------------------------------------------- */

typedef struct {
  const char *line;
  int code; /* VIX_OK: opens */
  const char *text;
} LineCase;

static const LineCase line_cases[] = {
  { "RW 100 FLAT \"data\" 0", VIX_OK, NULL },
  { "RW 100 FLAT \"data\"", VIX_OK, NULL },
  { "RW 90 FLAT \"data\" 10", VIX_OK, NULL },
  { "RW 100 VMFS \"data\"", VIX_OK, NULL },
  { "RW 10 ZERO\nRW 90 FLAT \"data\" 10", VIX_OK, NULL },
  { "RW 101 FLAT \"data\" 0", INVALID, "cut short" },
  { "RW 100 FLAT \"data\" 1", INVALID, "cut short" },
  { "RW 100 FLAT \"data\" 17592186044415", INVALID, "cut short" },
  { "RW 100 SPARSE \"data\"", INVALID, "sparse extent" },
  { "RW 100 SPARSE \"tiny\"", INVALID, "too short" },
  { "RW 100 VMFSSPARSE \"tiny\"", INVALID, "too short" },
  { "RW 100 SESPARSE \"tiny\"", INVALID, "too short" },
  { "RW 100 FLAT \"missing\" 0", VIX_E_FILE_NOT_FOUND, "missing" },
};

static void
test_line (DiskFixture *f, gconstpointer data)
{
  const LineCase *c = data;
  g_autofree char *text = g_strdup_printf (
    "# Disk DescriptorFile\nversion=1\nCID=1\nparentCID=ffffffff\n"
    "createType=\"custom\"\n%s\n",
    c->line);
  g_autoptr (MemDir) dir = mem_dir_new ();
  guint8 bytes[100 * 512] = { 0 };
  g_autoptr (VmdkChain) chain = NULL;
  GError *error = NULL;

  memset (bytes + 10 * 512, 7, 512);
  mem_dir_set (dir, "data", bytes, sizeof bytes);
  mem_dir_set (dir, "tiny", bytes, 100);
  mem_dir_set (dir, "disk", text, strlen (text));
  chain = vmdk_chain_open (mem_dir_get_resolver (dir), NULL, "disk", &error);
  if (c->code != VIX_OK) {
    g_assert_null (chain);
    disk_assert_error (error, c->code, c->text);
    return;
  }
  g_assert_no_error (error);
  g_assert_true (vmdk_chain_read (
    chain, 0, bytes, (gsize)vmdk_chain_get_capacity (chain), &error));
}

static void
test_extent_twice (DiskFixture *f, gconstpointer data)
{
  DamageCase c = { "", S, no_descriptor, AT_OPEN, 0, NULL };
  g_autoptr (MemDir) dir = make_damaged (f, &c);
  g_autofree char *text = g_strdup_printf (
    "# Disk DescriptorFile\nversion=1\nCID=1\nparentCID=ffffffff\n"
    "createType=\"twoGbMaxExtentSparse\"\nRW %u SPARSE \"disk\"\n"
    "RW %u SPARSE \"disk\"\n",
    SECTORS, SECTORS);
  GError *error = NULL;

  mem_dir_set (dir, "twice", text, strlen (text));
  g_assert_null (
    vmdk_chain_open (mem_dir_get_resolver (dir), NULL, "twice", &error));
  disk_assert_error (error, INVALID, "two extents");
}

typedef struct {
  const char *path;
  void (*damage) (GByteArray *image);
} RepairCase;

static void
add_repair_cases (void)
{
  static const RepairCase good[] = {
    { "/vmdk/damage/repair/unclean", unclean },
    { "/vmdk/damage/repair/tables-differ", tables_differ },
    { "/vmdk/damage/repair/longer-than-its-tables", longer_than_tables_say },
  };
  static const RepairCase bad[] = {
    { "/vmdk/damage/no-repair/grain-table-past-end", table_outside },
    { "/vmdk/damage/no-repair/grain-past-end", grain_outside_both },
    { "/vmdk/damage/no-repair/shared-grain", shared_grain },
    { "/vmdk/damage/no-repair/shared-table", shared_table },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (good); i++)
    DISK_TEST (good[i].path, good[i].damage, test_repair);
  for (gsize i = 0; i < G_N_ELEMENTS (bad); i++)
    DISK_TEST (bad[i].path, bad[i].damage, test_cannot_repair);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autofree char *path = g_strconcat ("/vmdk/damage/", cases[i].name, NULL);

    DISK_TEST (path, &cases[i], test_damage);
  }
  for (gsize i = 0; i < G_N_ELEMENTS (line_cases); i++) {
    g_autofree char *path
      = g_strdup_printf ("/vmdk/damage/line/%s", line_cases[i].line);

    DISK_TEST (g_strdelimit (path, "\n", '|'), &line_cases[i], test_line);
  }
  DISK_TEST ("/vmdk/damage/sparse-file-named-twice", NULL, test_extent_twice);
  add_repair_cases ();
  return g_test_run ();
}
