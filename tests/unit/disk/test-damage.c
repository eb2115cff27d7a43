/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Damaged and hostile hosted sparse extents, one case for each check: what is
 * refused, with which error, and that the rest of the disk stays readable
 * where it can; what a repair mends and what it leaves alone.
 */
#include <string.h>

#include "base/error.h"
#include "damage.h"

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
other_extent_inside (GByteArray *image)
{
  char *text = (char *)image->data + 512;

  g_assert_cmpuint (strlen (text), <, 4096);
  memcpy (text + strlen (text), "RW 8 ZERO\n", 11);
}

static void
cut_header (GByteArray *image)
{
  g_byte_array_set_size (image, 300);
}

static void
other_type_inside (GByteArray *image)
{
  char *word = strstr ((char *)image->data + 512, "SPARSE \"");

  g_assert_nonnull (word);
  memcpy (word, "FLAT  ", 6);
}

static void
no_descriptor_sectors (GByteArray *image)
{
  image_put64 (image, 36, 0);
}

static void
bad_magic (GByteArray *image)
{
  image_put32 (image, 0, DAMAGE_ANYTHING);
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
newlines_without_flag (GByteArray *image)
{
  mangled_newlines (image);
  image_put32 (image, 8, image_get32 (image, 8) & ~1u);
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
  image_put64 (image, 12, DAMAGE_SECTORS - 1);
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
  guint n = DAMAGE_SECTORS / 128 + 1;

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

/* The other directory is said not to be there. */
static void
grain_outside_the_only (GByteArray *image)
{
  image_put32 (image, 8, image_get32 (image, 8) & ~2u);
  grain_outside (image);
}

/* Of a table with a bad entry the others count all the same. */
static void
grain_outside_others_differ (GByteArray *image)
{
  image_put32 (image, rgt_entry (image, 4), 0);
  grain_outside (image);
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

/* Of the last grain the file has what belongs to the disk. */
static void
last_grain_short (GByteArray *image)
{
  g_byte_array_set_size (image,
                         image->len - (128 - DAMAGE_SECTORS % 128) * 512);
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

#define S IMAGE_SPARSE
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
  { "sparse/newlines-not-to-be-tested", S, newlines_without_flag, NOWHERE, 0,
    NULL },
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
  { "sparse/descriptor-names-other-extents", S, other_extent_inside, AT_OPEN,
    INVALID, "other extents" },
  { "sparse/descriptor-names-a-flat-extent", S, other_type_inside, AT_OPEN,
    INVALID, "other extents" },
  { "sparse/descriptor-of-no-sectors", S, no_descriptor_sectors, AT_OPEN,
    INVALID, "one extent" },
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
  { "sparse/grain-past-end-in-the-only-table", S, grain_outside_the_only,
    AT_READ, INVALID, "grain 3" },
  { "sparse/grain-past-end-and-tables-differ", S, grain_outside_others_differ,
    NOWHERE, 0, NULL },
  { "sparse/last-grain-ends-with-the-disk", S, last_grain_short, NOWHERE, 0,
    NULL },
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
};

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
  g_autoptr (MemDir) dir = damage_make (f, &c, NULL);
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
  g_autoptr (MemDir) dir = damage_make (f, &c, NULL);
  g_autoptr (GByteArray) before = disk_model_copy (mem_dir_get (dir, "disk"));
  GError *error = NULL;

  g_assert_false (repair (dir, &error));
  g_assert_true (g_error_matches (error, VIX_ERROR, VIX_E_DISK_CANTREPAIR)
                 || g_error_matches (error, VIX_ERROR, INVALID));
  g_error_free (error);
  g_assert_cmpmem (before->data, before->len, mem_dir_get (dir, "disk")->data,
                   mem_dir_get (dir, "disk")->len);
}

static void
test_extent_twice (DiskFixture *f, gconstpointer data)
{
  DamageCase c = { "", S, no_descriptor, AT_OPEN, 0, NULL };
  g_autoptr (MemDir) dir = damage_make (f, &c, NULL);
  g_autofree char *text = g_strdup_printf (
    "# Disk DescriptorFile\nversion=1\nCID=1\nparentCID=ffffffff\n"
    "createType=\"twoGbMaxExtentSparse\"\nRW %u SPARSE \"disk\"\n"
    "RW %u SPARSE \"disk\"\n",
    DAMAGE_SECTORS, DAMAGE_SECTORS);
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
    { "/vmdk/damage/no-repair/overhead-past-end", overhead_outside },
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
  damage_add_tests (cases, G_N_ELEMENTS (cases));
  DISK_TEST ("/vmdk/damage/sparse-file-named-twice", NULL, test_extent_twice);
  add_repair_cases ();
  return g_test_run ();
}
