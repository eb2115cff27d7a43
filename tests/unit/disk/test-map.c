/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What reading a chain asks of its files: how many reads, and of which bytes
 * where grains of one link meet those of another, or holes of a file.
 */
#include <string.h>

#include "base/error.h"
#include "disk-fixture.h"
#include "image-writer.h"
#include "mem-dir.h"

#define SECTOR 512u
#define SECTORS 4096u
#define BYTES (SECTORS * SECTOR)
#define DEPTH 30u

/* --- a folder that counts ------------------------------------------------ */

typedef struct {
  VmdkResolver base; /* must be first */
  MemDir *dir;
  guint reads;
  guint table_reads;
  guint64 data_start; /* of all there is in a file; seek says so */
  guint64 data_end;   /* 0: its files cannot seek */

  guint at_once; /* as of files far away; 0: near */
  gsize table;   /* bytes of one */
  gboolean gate; /* holds reads of tables until two are under way */
  GMutex lock;   /* all below, and table_reads */
  GCond cond;
  guint joined; /* reads of several tables */
  guint under_way;
  gboolean met;
} Spy;

typedef struct {
  VmdkSource base; /* must be first */
  VmdkSource *near;
  Spy *spy;
} SpySource;

static gboolean
spy_pread (VmdkSource *source, guint64 offset, void *buf, gsize len,
           GError **error)
{
  SpySource *self = (SpySource *)source;

  self->spy->reads++;
  return self->near->ops->pread (self->near, offset, buf, len, error);
}

static gboolean
spy_pread_table (VmdkSource *source, guint64 offset, void *buf, gsize len,
                 GError **error)
{
  SpySource *self = (SpySource *)source;
  Spy *spy = self->spy;
  gint64 end = g_get_monotonic_time () + 20 * G_USEC_PER_SEC;

  g_mutex_lock (&spy->lock);
  spy->table_reads++;
  spy->joined += spy->table > 0 && len > spy->table;
  spy->under_way++;
  if (spy->under_way > 1)
    spy->met = TRUE;
  g_cond_broadcast (&spy->cond);
  while (spy->gate && !spy->met
         && g_cond_wait_until (&spy->cond, &spy->lock, end))
    continue;
  spy->gate = spy->gate && spy->met; /* whoever waited in vain, did for all */
  spy->under_way--;
  g_mutex_unlock (&spy->lock);
  return self->near->ops->pread (self->near, offset, buf, len, error);
}

static gboolean
spy_seek (VmdkSource *source, guint64 offset, gboolean hole,
          guint64 *ret_offset, GError **error)
{
  const Spy *spy = ((SpySource *)source)->spy;

  if (hole)
    *ret_offset = offset < spy->data_start || offset >= spy->data_end
                    ? offset
                    : spy->data_end;
  else
    *ret_offset
      = offset < spy->data_end ? MAX (offset, spy->data_start) : source->size;
  return TRUE;
}

static void
spy_free (VmdkSource *source)
{
  vmdk_source_free (((SpySource *)source)->near);
  g_free (source->id);
  g_free (source);
}

static const VmdkSourceOps spy_ops
  = { .pread = spy_pread, .pread_table = spy_pread_table, .free = spy_free };
static const VmdkSourceOps seeking_ops = { .pread = spy_pread,
                                           .pread_table = spy_pread_table,
                                           .seek = spy_seek,
                                           .free = spy_free };

static VmdkSource *
spy_open (VmdkResolver *resolver, const char *relative_to, const char *name,
          VmdkRole role, gboolean writable, GError **error)
{
  Spy *spy = (Spy *)resolver;
  VmdkResolver *dir = mem_dir_get_resolver (spy->dir);
  VmdkSource *near = dir->open (dir, relative_to, name, role, writable, error);
  SpySource *self;

  if (near == NULL)
    return NULL;
  self = g_new0 (SpySource, 1);
  self->base.ops
    = spy->data_end > 0 && role == VMDK_ROLE_EXTENT ? &seeking_ops : &spy_ops;
  self->base.size = near->size;
  self->base.at_once = spy->at_once;
  self->base.id = g_strdup (name);
  self->near = near;
  self->spy = spy;
  return &self->base;
}

static void
spy_clear (Spy *self)
{
  mem_dir_free (self->dir);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Spy, spy_clear)

#define SPY_INIT                                                               \
  {                                                                            \
    .base = { spy_open }, .dir = mem_dir_new ()                                \
  }

static VmdkChain *
open_chain (Spy *spy, const char *name)
{
  g_autoptr (GError) error = NULL;
  VmdkChain *chain = vmdk_chain_open (&spy->base, NULL, name, &error);

  g_assert_no_error (error);
  return chain;
}

/* --- links --------------------------------------------------------------- */

typedef struct {
  const char *type; /* word of the extent line */
  ImageFormat format;
  guint32 grain;
  guint32 per_table;
} Kind;

static const Kind sparse = { "SPARSE", IMAGE_SPARSE, 8, 64 };
static const Kind coarse = { "SPARSE", IMAGE_SPARSE, 128, 64 };
static const Kind cowd = { "VMFSSPARSE", IMAGE_COWD, 8, 4096 };

/* Link @number, a child of the one before, of what @states says; its extent in
 * "data-NUMBER". */
static void
make_link (MemDir *dir, const Kind *kind, guint number, const guint8 *content,
           const guint8 *states)
{
  g_autofree char *name = g_strdup_printf ("link-%u", number);
  g_autofree char *file = g_strdup_printf ("data-%u", number);
  g_autofree char *parent
    = number > 0 ? g_strdup_printf ("link-%u", number - 1) : NULL;
  g_autofree char *text = image_descriptor (
    100 + number, number > 0 ? 99 + number : VMDK_NO_PARENT_CID, parent,
    "custom", SECTORS, kind->type, file);
  ImageSpec spec = { kind->format, SECTORS, kind->grain, kind->per_table,
                     content,      states,  NULL,        FALSE };
  g_autoptr (GByteArray) image = image_write (&spec);

  mem_dir_set (dir, name, text, strlen (text));
  mem_dir_set (dir, file, image->data, image->len);
}

static void
assert_read (VmdkChain *chain, guint64 offset, const guint8 *expected,
             gsize len)
{
  g_autofree guint8 *buf = g_malloc (len);
  g_autoptr (GError) error = NULL;

  vmdk_chain_read (chain, offset, buf, len, &error);
  g_assert_no_error (error);
  g_assert_cmpmem (buf, len, expected, len);
}

/* --- tests --------------------------------------------------------------- */

/* Eight tables of grains that lie side by side. */
static void
test_adjacent (DiskFixture *f, gconstpointer data)
{
  g_autofree guint8 *content = image_random_content (f->rand, SECTORS);
  g_auto (Spy) spy = SPY_INIT;
  g_autoptr (VmdkChain) chain = NULL;
  guint8 states[SECTORS / 8];

  memset (states, VMDK_DATA, sizeof states);
  make_link (spy.dir, &sparse, 0, content, states);
  chain = open_chain (&spy, "link-0");
  spy.reads = 0;
  assert_read (chain, 0, content, BYTES);
  g_assert_cmpuint (spy.reads, ==, 1);
}

/* Each link has a grain of its own; a second base lacks the rest. */
static void
test_deep (DiskFixture *f, gconstpointer data)
{
  g_autofree guint8 *content = image_random_content (f->rand, SECTORS);
  g_auto (Spy) spy = SPY_INIT;
  g_autoptr (VmdkChain) chain = NULL;

  for (guint i = 0; i < DEPTH; i++) {
    guint8 states[SECTORS / 8] = { VMDK_UNALLOCATED };

    states[2 * i] = VMDK_DATA;
    make_link (spy.dir, &sparse, i, content, states);
  }
  chain = open_chain (&spy, "link-29");
  assert_read (chain, 0, content, 4096);
  spy.reads = spy.table_reads = 0;
  for (guint i = 0; i < DEPTH; i++) {
    gsize at = 2 * i * 4096;
    guint8 zeros[4096] = { 0 };

    assert_read (chain, at, content + at, 4096);
    assert_read (chain, at + 4096, zeros, sizeof zeros);
  }
  g_assert_cmpuint (spy.reads, ==, DEPTH);
  g_assert_cmpuint (spy.table_reads, ==, 0);
}

/* Tables that are far away: those of a link in one read, of links at once. */
static void
test_far (DiskFixture *f, gconstpointer data)
{
  g_autofree guint8 *content = image_random_content (f->rand, SECTORS);
  g_auto (Spy) spy = SPY_INIT;
  g_autoptr (VmdkChain) chain = NULL;
  guint8 states[SECTORS / 8] = { VMDK_UNALLOCATED };

  for (guint i = 0; i < SECTORS / 8; i += 64)
    states[i] = VMDK_DATA;
  for (guint i = 0; i < DEPTH; i++)
    make_link (spy.dir, &sparse, i, content, states);
  spy.at_once = 8;
  spy.table = 64 * 4;
  chain = open_chain (&spy, "link-29");
  spy.gate = TRUE;
  spy.joined = 0;
  spy.met = FALSE;
  assert_read (chain, 0, content, 4096);
  g_assert_true (spy.met);
  g_assert_cmpuint (spy.joined, ==, DEPTH);
}

/* Gives entry @index of the first table, in both directories, another value. */
static void
put_entry (MemDir *dir, guint index, guint32 value)
{
  GByteArray *image = mem_dir_get (dir, "data-0");

  for (gsize field = 48; field <= 56; field += 8) {
    gsize directory = (gsize)image_get64 (image, field) * SECTOR;

    if (directory != 0)
      image_put32 (image, image_get32 (image, directory) * SECTOR + index * 4,
                   value);
  }
}

/* A base of large grains below a child that has the first half of one. */
static VmdkChain *
open_halves (Spy *spy, const guint8 *content, guint grain)
{
  guint8 base[SECTORS / 128];
  guint8 child[SECTORS / 8] = { VMDK_UNALLOCATED };

  memset (base, VMDK_DATA, sizeof base);
  memset (child + grain * 16, VMDK_DATA, 8);
  if (mem_dir_get (spy->dir, "data-0") == NULL)
    make_link (spy->dir, &coarse, 0, content, base);
  make_link (spy->dir, &cowd, 1, content, child);
  return open_chain (spy, "link-1");
}

/* A piece that is entered in the middle of a grain ends with that grain. */
static void
test_middle_of_a_grain (DiskFixture *f, gconstpointer data)
{
  g_autofree guint8 *content = image_random_content (f->rand, SECTORS);
  g_autofree guint8 *swapped = g_memdup2 (content, BYTES);
  g_auto (Spy) spy = SPY_INIT;
  g_autoptr (VmdkChain) chain = NULL;
  GByteArray *image;
  guint32 first;

  vmdk_chain_free (open_halves (&spy, content, 0));
  image = mem_dir_get (spy.dir, "data-0");
  first = image_get32 (
    image, image_get32 (image, image_get64 (image, 56) * SECTOR) * SECTOR);
  put_entry (spy.dir, 1, first + 2 * 128);
  put_entry (spy.dir, 2, first + 128);
  memcpy (swapped + 65536, content + 131072, 65536);
  memcpy (swapped + 131072, content + 65536, 65536);
  chain = open_halves (&spy, content, 0);
  assert_read (chain, 0, swapped, BYTES);
}

/* Damage entered in the middle of a grain ends with that grain. */
static void
test_damage_below (DiskFixture *f, gconstpointer data)
{
  g_autofree guint8 *content = image_random_content (f->rand, SECTORS);
  g_auto (Spy) spy = SPY_INIT;
  g_autoptr (VmdkChain) chain = NULL;
  GError *error = NULL;
  guint8 buf[512];

  vmdk_chain_free (open_halves (&spy, content, 1));
  put_entry (spy.dir, 1, G_MAXINT32);
  chain = open_halves (&spy, content, 1);
  assert_read (chain, 0, content, 65536 + 32768);
  assert_read (chain, 131072, content + 131072, BYTES - 131072);
  for (gsize at = 65536 + 32768; at < 131072; at += 32768 - 512) {
    g_assert_false (vmdk_chain_read (chain, at, buf, sizeof buf, &error));
    disk_assert_error (g_steal_pointer (&error), VIX_E_DISK_INVALIDDISK,
                       "grain 1");
  }
}

/* Holes of a flat file are holes of the disk, to the sector that data begins
 * or ends in. */
static void
test_odd_holes (DiskFixture *f, gconstpointer data)
{
  g_autofree guint8 *content = g_malloc0 (BYTES);
  g_autofree char *text = image_descriptor (
    1, VMDK_NO_PARENT_CID, NULL, "monolithicFlat", SECTORS, "FLAT", "data");
  g_auto (Spy) spy = SPY_INIT;
  g_autoptr (VmdkChain) chain = NULL;
  g_autoptr (GError) error = NULL;
  guint64 ends[3] = { 5 * SECTOR, 20 * SECTOR, BYTES };
  guint64 at = 0;

  spy.data_start = 5 * SECTOR + 100;
  spy.data_end = 19 * SECTOR + 1;
  memset (content + spy.data_start, 7, spy.data_end - spy.data_start);
  mem_dir_set (spy.dir, "data", content, BYTES);
  mem_dir_set (spy.dir, "disk", text, strlen (text));
  chain = open_chain (&spy, "disk");
  for (guint i = 0; i < G_N_ELEMENTS (ends); i++) {
    VmdkState state;
    guint64 n;

    vmdk_chain_map (chain, at, G_MAXUINT64, &state, &n, &error);
    g_assert_no_error (error);
    g_assert_cmpint (state, ==, i == 1 ? VMDK_DATA : VMDK_ZERO);
    at += n;
    g_assert_cmpuint (at, ==, ends[i]);
  }
  spy.reads = 0;
  assert_read (chain, 0, content, BYTES);
  g_assert_cmpuint (spy.reads, ==, 1);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  DISK_TEST ("/vmdk/map/adjacent-grains-are-one-read", NULL, test_adjacent);
  DISK_TEST ("/vmdk/map/depth-costs-no-read", NULL, test_deep);
  DISK_TEST ("/vmdk/map/far-tables-at-once", NULL, test_far);
  DISK_TEST ("/vmdk/map/pieces-end-with-their-grain", NULL,
             test_middle_of_a_grain);
  DISK_TEST ("/vmdk/map/damage-ends-with-its-grain", NULL, test_damage_below);
  DISK_TEST ("/vmdk/map/holes-at-odd-places", NULL, test_odd_holes);
  return g_test_run ();
}
