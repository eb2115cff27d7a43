/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Disks of 2 TiB whose bytes are computed, not stored: in each block of 100
 * grains one is there, another one in each link. However deep the chain is and
 * however many extents it has, it stays within 64 MiB.
 */
#include <malloc.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "disk-fixture.h"
#include "disk/map.h"
#include "image-writer.h"

#define SECTOR 512u
#define GRAIN 128u /* sectors */
#define PER_TABLE 512u
#define DISK_SECTORS (G_GUINT64_CONSTANT (1) << 32)
/* Its first sector; the tables follow, then the grains. */
#define DIRECTORY 1u
#define TABLE_SECTORS (PER_TABLE * 4 / SECTOR)
#define SPREAD 100u /* one grain of so many is there */
#define MEMORY_BYTES (64u << 20)

/* Counted among all threads' reads: there is one. */
typedef struct {
  VmdkResolver base; /* must be first */
  guint extents;
  guint reads;
  guint bad_tables; /* from which one on tables cannot be read; 0: none */
} Folder;

typedef struct {
  VmdkSource base; /* must be first */
  Folder *folder;
  guint link;
  guint64 sectors; /* of the extent */
  guint64 tables;  /* first sector */
  guint64 grains;  /* first sector */
  char *text;      /* a descriptor instead; NULL: an extent */
} Computed;

/* --- what is in an extent ----------------------------------------------- */

/* The grain of @block that @link has. */
static guint64
pick (guint link, guint64 block)
{
  guint64 x = (block + 1) * G_GUINT64_CONSTANT (0x9e3779b97f4a7c15)
              + link * G_GUINT64_CONSTANT (0xbf58476d1ce4e5b9);

  x ^= x >> 29;
  return block * SPREAD + x % SPREAD;
}

static guint8
byte_of (guint link, guint64 grain)
{
  return (guint8)(1 + (link * 37 + grain) % 255);
}

static guint32
entry_of (const Computed *self, guint64 grain)
{
  guint64 block = grain / SPREAD;

  if (grain * GRAIN >= self->sectors || pick (self->link, block) != grain)
    return 0;
  return (guint32)(self->grains + block * GRAIN);
}

static guint32
word_of (const Computed *self, guint64 sector, guint i)
{
  if (sector < self->tables)
    return (guint32)(self->tables
                     + ((sector - DIRECTORY) * (SECTOR / 4) + i)
                         * TABLE_SECTORS);
  return entry_of (self, (sector - self->tables) * (SECTOR / 4) + i);
}

static void
fill_header (const Computed *self, guint8 *out)
{
  g_autoptr (GByteArray) header = disk_model_new (SECTOR);

  memcpy (header->data, "KDMV", 4);
  image_put32 (header, 4, 1);
  image_put32 (header, 8, 1);
  image_put64 (header, 12, self->sectors);
  image_put64 (header, 20, GRAIN);
  image_put32 (header, 44, PER_TABLE);
  image_put64 (header, 56, DIRECTORY);
  image_put64 (header, 64, self->grains);
  memcpy (header->data + 73, "\n \r\n", 4);
  memcpy (out, header->data, SECTOR);
}

static void
fill_sector (const Computed *self, guint64 sector, guint8 *out)
{
  if (sector == 0)
    fill_header (self, out);
  else if (sector < self->grains) {
    for (guint i = 0; i < SECTOR / 4; i++) {
      guint32 word = GUINT32_TO_LE (word_of (self, sector, i));

      memcpy (out + (gsize)i * 4, &word, 4);
    }
  } else {
    guint64 block = (sector - self->grains) / GRAIN;

    memset (out, byte_of (self->link, pick (self->link, block)), SECTOR);
  }
}

static gboolean
computed_pread (VmdkSource *source, guint64 offset, void *buf, gsize len,
                GError **error)
{
  const Computed *self = (Computed *)source;
  guint8 *out = buf;
  guint8 sector[SECTOR];

  g_assert_cmpuint (offset + len, <=, source->size);
  self->folder->reads++;
  if (self->text == NULL && self->folder->bad_tables > 0
      && offset
           >= (self->tables + self->folder->bad_tables * TABLE_SECTORS) * SECTOR
      && offset < self->grains * SECTOR) {
    g_set_error (error, VIX_ERROR, VIX_E_FILE_ERROR, "%s: worn out",
                 source->id);
    return FALSE;
  }
  if (self->text != NULL) {
    memcpy (out, self->text + offset, len);
    return TRUE;
  }
  while (len > 0) {
    gsize skip = offset % SECTOR;
    gsize n = MIN (len, SECTOR - skip);

    fill_sector (self, offset / SECTOR, sector);
    memcpy (out, sector + skip, n);
    out += n;
    offset += n;
    len -= n;
  }
  return TRUE;
}

static void
computed_free (VmdkSource *source)
{
  g_free (((Computed *)source)->text);
  g_free (source->id);
  g_free (source);
}

static const VmdkSourceOps computed_ops
  = { .pread = computed_pread, .free = computed_free };

/* --- a folder of them: "link-3", its extents "3-0", "3-1", ... ---------- */

static char *
describe (const Folder *self, guint link)
{
  GString *text = g_string_new (NULL);

  g_string_append_printf (
    text, "# Disk DescriptorFile\nversion=1\nCID=%08x\nparentCID=%08x\n",
    100 + link, link > 0 ? 99 + link : VMDK_NO_PARENT_CID);
  if (link > 0)
    g_string_append_printf (text, "parentFileNameHint=\"link-%u\"\n", link - 1);
  g_string_append (text, "createType=\"twoGbMaxExtentSparse\"\n");
  for (guint i = 0; i < self->extents; i++)
    g_string_append_printf (text, "RW %" G_GUINT64_FORMAT " SPARSE \"%u-%u\"\n",
                            DISK_SECTORS / self->extents, link, i);
  return g_string_free (text, FALSE);
}

static VmdkSource *
folder_open (VmdkResolver *resolver, const char *relative_to, const char *name,
             VmdkRole role, gboolean writable, GError **error)
{
  Folder *folder = (Folder *)resolver;
  Computed *self = g_new0 (Computed, 1);

  self->base.ops = &computed_ops;
  self->folder = folder;
  self->base.id = g_strdup (name);
  if (sscanf (name, "link-%u", &self->link) == 1) {
    self->text = describe (folder, self->link);
    self->base.size = strlen (self->text);
  } else {
    guint64 n_tables;

    g_assert_cmpint (sscanf (name, "%u-", &self->link), ==, 1);
    self->sectors = DISK_SECTORS / folder->extents;
    n_tables = self->sectors / GRAIN / PER_TABLE;
    self->tables = DIRECTORY + (n_tables * 4 + SECTOR - 1) / SECTOR;
    self->grains = self->tables + n_tables * TABLE_SECTORS;
    self->grains = (self->grains + GRAIN - 1) / GRAIN * GRAIN;
    self->base.size
      = (self->grains + (self->sectors / GRAIN / SPREAD + 1) * GRAIN) * SECTOR;
  }
  return &self->base;
}

static VmdkChain *
open_chain (Folder *folder, guint depth)
{
  g_autofree char *name = g_strdup_printf ("link-%u", depth - 1);
  g_autoptr (GError) error = NULL;
  VmdkChain *chain = vmdk_chain_open (&folder->base, NULL, name, &error);

  g_assert_no_error (error);
  return chain;
}

/* --- tests --------------------------------------------------------------- */

static gsize
allocated (void)
{
  struct mallinfo2 info = mallinfo2 ();

  return info.uordblks + info.hblkhd;
}

static void
assert_memory (gsize before)
{
  gsize now = allocated ();

  g_assert_cmpuint (now, >=, before);
  g_assert_cmpuint (now - before, <=, MEMORY_BYTES);
}

/* What the newest link says that has grain @grain; grains are counted in each
 * extent anew. */
static guint8
expected (const Folder *folder, guint depth, guint64 grain)
{
  guint64 per_extent = DISK_SECTORS / folder->extents / GRAIN;
  guint64 own = grain % per_extent;

  for (guint link = depth; link-- > 0;)
    if (pick (link, own / SPREAD) == own)
      return byte_of (link, own);
  return 0;
}

static void
read_some (VmdkChain *chain, const Folder *folder, guint depth, guint n,
           gsize before)
{
  g_autoptr (GRand) rand = g_rand_new_with_seed (depth);

  for (guint i = 0; i < n; i++) {
    guint64 grain
      = (guint64)g_rand_int_range (rand, 0, (gint32)(DISK_SECTORS / GRAIN));
    guint8 buf[SECTOR];
    g_autoptr (GError) error = NULL;
    guint8 want;

    /* Half of them where something is. */
    if (i % 2 == 0)
      grain
        = grain / SPREAD * SPREAD + pick (depth - 1, grain / SPREAD) % SPREAD;
    grain = MIN (grain, DISK_SECTORS / GRAIN - 1);
    want = expected (folder, depth, grain);
    vmdk_chain_read (chain, grain * GRAIN * SECTOR + 512 * (i % GRAIN), buf,
                     sizeof buf, &error);
    g_assert_no_error (error);
    g_assert_cmpuint (buf[0], ==, want);
    g_assert_cmpuint (buf[SECTOR - 1], ==, want);
    if (i % 16 == 0)
      assert_memory (before);
  }
}

/* Asks for the whole map, piece by piece; returns the bytes of data. */
static guint64
walk_map (VmdkChain *chain, gsize before)
{
  guint64 sum = 0;
  guint64 at = 0;
  guint calls = 0;

  while (at < DISK_SECTORS * SECTOR) {
    g_autoptr (GError) error = NULL;
    VmdkState state;
    guint64 n;

    vmdk_chain_map (chain, at, G_MAXUINT64, &state, &n, &error);
    g_assert_no_error (error);
    if (state == VMDK_DATA)
      sum += n;
    at += n;
    if (++calls % 4096 == 0)
      assert_memory (before);
  }
  return sum;
}

/* All of its map: 1 % of the disk is data, in pieces of one grain. */
static void
test_whole_map (gconstpointer data)
{
  Folder folder = { { folder_open }, GPOINTER_TO_UINT (data) };
  gsize before = allocated ();
  g_autoptr (VmdkChain) chain = open_chain (&folder, 1);
  guint64 sum = walk_map (chain, before);

  g_assert_cmpuint (sum, >, DISK_SECTORS * SECTOR / SPREAD / 100 * 99);
  g_assert_cmpuint (sum, <, DISK_SECTORS * SECTOR / SPREAD / 100 * 101);
  read_some (chain, &folder, 1, 200, before);
  assert_memory (before);
}

static void
test_deep (gconstpointer data)
{
  Folder folder = { { folder_open }, GPOINTER_TO_UINT (data) };
  gsize before = allocated ();
  g_autoptr (VmdkChain) chain = open_chain (&folder, 30);

  g_assert_cmpuint (vmdk_chain_get_depth (chain), ==, 30);
  assert_memory (before);
  read_some (chain, &folder, 30, 400, before);
}

#define SEGMENT_BYTES (G_GUINT64_CONSTANT (256) << 20)
#define TABLE_SPANS (PER_TABLE * GRAIN * SECTOR)

/* Twice what may be kept, of a chain of three: the map stays within its bound.
 */
static void
test_bound (void)
{
  Folder folder = { { folder_open }, 1 };
  gsize before = allocated ();
  g_autoptr (VmdkChain) chain = open_chain (&folder, 3);
  gsize opened = allocated ();

  walk_map (chain, before);
  g_assert_cmpuint (allocated (), <=, opened + VMDK_MAP_BYTES + (4u << 20));
}

/* Going to and fro between places reads no table twice. */
static void
test_places (void)
{
  Folder folder = { { folder_open }, 1 };
  g_autoptr (VmdkChain) chain = open_chain (&folder, 1);

  for (guint round = 0; round < 3; round++) {
    for (guint64 i = 0; i < 16; i++) {
      guint64 grain = pick (0, i * 20000);
      g_autoptr (GError) error = NULL;
      guint8 byte;

      folder.reads = 0;
      vmdk_chain_read (chain, grain * GRAIN * SECTOR, &byte, 1, &error);
      g_assert_no_error (error);
      g_assert_cmpuint (byte, ==, byte_of (0, grain));
      if (round > 0)
        g_assert_cmpuint (folder.reads, ==, 1);
    }
  }
}

/* What cannot be read further on is no error before. */
static void
test_error_further_on (void)
{
  Folder folder
    = { { folder_open }, 1, 0, (guint)(SEGMENT_BYTES / TABLE_SPANS) };
  g_autoptr (VmdkChain) chain = open_chain (&folder, 1);
  g_autoptr (GError) error = NULL;
  guint64 at = 0;
  VmdkState state;
  guint64 n;

  while (at < SEGMENT_BYTES) {
    g_assert_true (vmdk_chain_map (chain, at, G_MAXUINT64, &state, &n, &error));
    g_assert_no_error (error);
    at += n;
  }
  g_assert_cmpuint (at, ==, SEGMENT_BYTES);
  g_assert_false (vmdk_chain_map (chain, at, 1, &state, &n, &error));
  g_assert_error (error, VIX_ERROR, VIX_E_FILE_ERROR);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_data_func ("/vmdk/large/one-extent", GUINT_TO_POINTER (1),
                        test_whole_map);
  g_test_add_data_func ("/vmdk/large/1024-extents", GUINT_TO_POINTER (1024),
                        test_whole_map);
  g_test_add_data_func ("/vmdk/large/depth-30", GUINT_TO_POINTER (1),
                        test_deep);
  g_test_add_func ("/vmdk/large/the-map-is-bounded", test_bound);
  g_test_add_func ("/vmdk/large/segments-are-kept", test_places);
  g_test_add_func ("/vmdk/large/an-error-further-on", test_error_further_on);
  return g_test_run ();
}
