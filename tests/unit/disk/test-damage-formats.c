/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Damaged and hostile COWD, SESparse and flat extents: see test-damage.c. */
#include <string.h>

#include "base/error.h"
#include "damage.h"

static void
bad_magic (GByteArray *image)
{
  image_put32 (image, 0, DAMAGE_ANYTHING);
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
  image_put32 (image, 12, DAMAGE_SECTORS + 1);
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
  image_put32 (image, 20, 3);
}

static void
cowd_table_outside (GByteArray *image)
{
  image_put32 (image, 4 * 512, image->len / 512 - 10);
}

/* A table may be the last thing in the file. */
static void
cowd_table_at_end (GByteArray *image)
{
  gsize table = cowd_table (image);
  guint at = image->len;

  g_byte_array_set_size (image, at + 4096 * 4);
  memcpy (image->data + at, image->data + table, 4096 * 4);
  image_put32 (image, 4 * 512, at / 512);
}

static void
cowd_cut_table (GByteArray *image)
{
  g_byte_array_set_size (image, (guint)cowd_table (image) + 512);
}

static void
cowd_table_in_header (GByteArray *image)
{
  image_put32 (image, 4 * 512, 3);
}

static void
cowd_grain_outside (GByteArray *image)
{
  image_put32 (image, cowd_table (image) + 4, image->len / 512);
}

static void
cowd_grain_in_header (GByteArray *image)
{
  image_put32 (image, cowd_table (image) + 4, 3);
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
se_last_flag (GByteArray *image)
{
  image_put64 (image, 72, 1);
}

static void
se_table_sectors (GByteArray *image)
{
  image_put64 (image, 32, 32);
}

static void
se_capacity (GByteArray *image)
{
  image_put64 (image, 16, DAMAGE_SECTORS + 1);
}

static void
se_huge (GByteArray *image)
{
  image_put64 (image, 16, G_GUINT64_CONSTANT (17592186044416));
}

static void
se_volatile_outside (GByteArray *image)
{
  image_put64 (image, 80, G_MAXUINT64);
}

static void
se_volatile_magic (GByteArray *image)
{
  image_put64 (image, 512, DAMAGE_ANYTHING);
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
se_directory_in_header (GByteArray *image)
{
  image_put64 (image, 128, 0);
}

static void
se_directory_small (GByteArray *image)
{
  image_put64 (image, 136, 0);
}

static void
se_grains_in_header (GByteArray *image)
{
  image_put64 (image, 192, 1);
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

/* There is one table, number 0. */
static void
se_l1_next (GByteArray *image)
{
  image_put32 (image, 16 * 512, 1);
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

/* Grains of the file: one. */
static void
se_l2_next (GByteArray *image)
{
  image_put64 (image, 200, 8);
}

static void
se_l2_index_wraps (GByteArray *image)
{
  image_put64 (image, 200, G_MAXUINT64);
  image_put64 (image, 192, G_MAXUINT64 - 64);
  image_put64 (image, se_table (image),
               G_GUINT64_CONSTANT (0x3010000000000000));
}

#define C IMAGE_COWD
#define E IMAGE_SESPARSE
#define INVALID VIX_E_DISK_INVALIDDISK
#define VERSION VIX_E_DISK_UNSUPPORTEDDISKVERSION
#define MISMATCH VIX_E_DISK_CAPACITY_MISMATCH
#define REPAIR VIX_E_DISK_NEEDSREPAIR

static const DamageCase cases[] = {
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
  { "cowd/table-at-end", C, cowd_table_at_end, NOWHERE, 0, NULL },
  { "cowd/table-cut", C, cowd_cut_table, AT_LOST, INVALID, "grain directory" },
  { "cowd/table-in-header", C, cowd_table_in_header, AT_LOST, INVALID,
    "grain directory" },
  { "cowd/grain-past-end", C, cowd_grain_outside, AT_READ, INVALID, "grain 1" },
  { "cowd/grain-in-header", C, cowd_grain_in_header, AT_READ, INVALID,
    "grain 1" },

  { "sesparse/magic", E, bad_magic, AT_OPEN, INVALID, "magic" },
  { "sesparse/version", E, se_version, AT_OPEN, VERSION, "version" },
  { "sesparse/grain-size", E, se_grain, AT_OPEN, VERSION, "grain" },
  { "sesparse/table-size", E, se_table_sectors, AT_OPEN, VERSION,
    "table size" },
  { "sesparse/flags", E, se_flags, AT_OPEN, VERSION, "feature" },
  { "sesparse/last-flag", E, se_last_flag, AT_OPEN, VERSION, "feature" },
  { "sesparse/capacity", E, se_capacity, AT_OPEN, MISMATCH, "capacity" },
  { "sesparse/second-header-past-end", E, se_volatile_outside, AT_OPEN, INVALID,
    "second header" },
  { "sesparse/second-header-magic", E, se_volatile_magic, AT_OPEN, INVALID,
    "second header" },
  { "sesparse/journal-to-replay", E, se_replay, AT_OPEN, REPAIR, "journal" },
  { "sesparse/directory-past-end", E, se_directory_outside, AT_OPEN, INVALID,
    "directory" },
  { "sesparse/directory-in-header", E, se_directory_in_header, AT_OPEN, INVALID,
    "directory" },
  { "sesparse/directory-too-small", E, se_directory_small, AT_OPEN, INVALID,
    "directory" },
  { "sesparse/grains-in-header", E, se_grains_in_header, AT_OPEN, INVALID,
    "headers" },
  { "sesparse/directory-entry-mark", E, se_l1_mark, AT_LOST, INVALID,
    "grain directory" },
  { "sesparse/directory-entry-past-end", E, se_l1_index, AT_LOST, INVALID,
    "grain directory" },
  { "sesparse/directory-entry-is-no-table", E, se_l1_next, AT_LOST, INVALID,
    "grain directory" },
  { "sesparse/directory-entry-wraps", E, se_l1_wraps, AT_LOST, INVALID,
    "grain directory" },
  { "sesparse/table-entry-kind", E, se_l2_kind, AT_READ, INVALID, "grain 0" },
  { "sesparse/table-entry-not-empty", E, se_l2_not_empty, AT_READ, INVALID,
    "grain 0" },
  { "sesparse/table-entry-past-end", E, se_l2_index, AT_READ, INVALID,
    "grain 0" },
  { "sesparse/table-entry-is-no-grain", E, se_l2_next, AT_LOST, INVALID,
    "of grain 1 " },
  { "sesparse/table-entry-wraps", E, se_l2_index_wraps, AT_LOST, INVALID,
    "grain" },
};

/* A disk of more tables than can be counted in memory: none are made. */
static void
test_too_many_tables (DiskFixture *f, gconstpointer data)
{
  DamageCase c = { "", E, se_huge, AT_OPEN, 0, NULL };
  g_autoptr (MemDir) dir = damage_make (f, &c, NULL);
  static const char text[]
    = "version=1\nCID=1\nparentCID=ffffffff\ncreateType=\"seSparse\"\n"
      "RW 17592186044416 SESPARSE \"data\"\n";
  GError *error = NULL;

  mem_dir_set (dir, "disk", text, strlen (text));
  g_assert_null (
    vmdk_chain_open (mem_dir_get_resolver (dir), NULL, "disk", &error));
  disk_assert_error (error, INVALID, "directory");
}

/* --- flat -------------------------------------------------------------- */

typedef struct {
  const char *line;
  int code; /* VIX_OK: opens */
  const char *text;
  guint seven; /* the sector that is not zeros */
} LineCase;

static const LineCase line_cases[] = {
  { "RW 100 FLAT \"data\" 0", VIX_OK, NULL, 10 },
  { "RW 100 FLAT \"data\"", VIX_OK, NULL, 10 },
  { "RW 90 FLAT \"data\" 10", VIX_OK, NULL, 0 },
  { "RW 100 VMFS \"data\"", VIX_OK, NULL, 10 },
  { "RW 10 ZERO\nRW 90 FLAT \"data\" 10", VIX_OK, NULL, 10 },
  { "RW 101 FLAT \"data\" 0", INVALID, "cut short" },
  { "RW 100 FLAT \"data\" 1", INVALID, "cut short" },
  { "RW 100 FLAT \"data\" 17592186044415", INVALID, "cut short" },
  { "RW 100 SPARSE \"data\"", INVALID, "sparse extent" },
  { "RW 100 SPARSE \"tiny\"", INVALID, "too short" },
  { "RW 100 VMFSSPARSE \"tiny\"", INVALID, "too short" },
  { "RW 100 SESPARSE \"tiny\"", INVALID, "too short" },
  { "RW 100 FLAT \"missing\" 0", VIX_E_DISK_PARTIALCHAIN, "missing" },
};

/* The chain reads by its map, a merge by its links. */
static void
assert_seven (VmdkChain *chain, guint sector)
{
  VmdkLink *link = vmdk_chain_get_link (chain, 0);
  gsize len = (gsize)vmdk_chain_get_capacity (chain);
  g_autofree guint8 *expected = g_malloc0 (len);
  g_autofree guint8 *buf = g_malloc (len);
  g_autoptr (GError) error = NULL;

  memset (expected + sector * 512, 7, 512);
  vmdk_chain_read (chain, 0, buf, len, &error);
  g_assert_no_error (error);
  g_assert_cmpmem (buf, len, expected, len);
  vmdk_link_read (link, 0, buf, len, &error);
  g_assert_no_error (error);
  g_assert_cmpmem (buf, len, expected, len);
}

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
  assert_seven (chain, c->seven);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  damage_add_tests (cases, G_N_ELEMENTS (cases));
  DISK_TEST ("/vmdk/damage/sesparse/too-many-tables", NULL,
             test_too_many_tables);
  for (gsize i = 0; i < G_N_ELEMENTS (line_cases); i++) {
    g_autofree char *path
      = g_strdup_printf ("/vmdk/damage/line/%s", line_cases[i].line);

    DISK_TEST (g_strdelimit (path, "\n", '|'), &line_cases[i], test_line);
  }
  return g_test_run ();
}
