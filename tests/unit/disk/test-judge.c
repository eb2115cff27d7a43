/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Chains of every mix, judged: links by qemu-img and by the suite's own
 * writer, of any format, grain, capacity and number of extents, 1 to 30 deep.
 * Our bytes, QEMU's and the model's are the same, and so are the two maps.
 *
 * VIXFS_JUDGE=N judges N chains, VIXFS_JUDGE_SEED=S begins with seed S.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "disk-fixture.h"
#include "image-writer.h"
#include "mem-dir.h"

#define SECTOR 512u
#define DEFAULT_CHAINS 16u
/* 1.5 to 5 MiB: tables that are cut short, and a run that lasts seconds. */
#define LEAST_SECTORS 3000
#define MOST_SECTORS 10000
#define MOST_GRAIN 1024u

typedef struct {
  DiskFixture *f;
  GByteArray *model;
  guint depth;
  char *name; /* of the newest link */
} Chain;

static guint
roll (Chain *c, guint n)
{
  return (guint)g_rand_int_range (c->f->rand, 0, (gint32)n);
}

/* The next link's capacity, mostly that of the one before; what is cut off
 * is gone for all that follow. */
static guint64
next_sectors (Chain *c)
{
  if (c->depth == 0 || roll (c, 6) == 0) {
    guint old = c->model->len;
    guint size
      = (LEAST_SECTORS + roll (c, MOST_SECTORS - LEAST_SECTORS)) * SECTOR;

    g_byte_array_set_size (c->model, size);
    if (size > old)
      memset (c->model->data + old, 0, size - old);
  }
  return c->model->len / SECTOR;
}

static void
push (Chain *c, char *name)
{
  g_free (c->name);
  c->name = name;
  c->depth++;
}

/* --- links by QEMU ------------------------------------------------------ */

/* Zeros that hide the parent, or that are stored where there are no zeroed
 * grains. */
static void
zero_random (Chain *c, const char *name)
{
  guint offset = roll (c, c->model->len / SECTOR) * SECTOR;
  guint len = (1 + roll (c, 1500)) * SECTOR;

  len = MIN (len, c->model->len - offset);
  disk_run (c->f, "qemu-io -t unsafe -f vmdk -c 'write -z %u %u' %s", offset,
            len, name);
  memset (c->model->data + offset, 0, len);
}

static void
add_qemu_base (Chain *c, const char *name, guint64 bytes)
{
  static const char *const kinds[]
    = { "monolithicSparse", "monolithicFlat", "twoGbMaxExtentSparse",
        "twoGbMaxExtentFlat", "streamOptimized" };
  const char *kind = kinds[roll (c, G_N_ELEMENTS (kinds))];
  gboolean stream = strcmp (kind, "streamOptimized") == 0;
  const char *made = stream ? "plain.vmdk" : name;

  disk_run (c->f,
            "qemu-img create -q -f vmdk -o subformat=%s %s %" G_GUINT64_FORMAT,
            stream ? kinds[0] : kind, made, bytes);
  disk_write_random (c->f, made, c->model, 6);
  if (stream) {
    disk_run (c->f, "qemu-img convert -f vmdk -O vmdk -o subformat=%s %s %s",
              kind, made, name);
    disk_run (c->f, "rm %s", made);
  }
}

static void
add_qemu_link (Chain *c, char *name)
{
  guint64 bytes = next_sectors (c) * SECTOR;

  if (c->name == NULL)
    add_qemu_base (c, name, bytes);
  else {
    disk_run (c->f,
              "qemu-img create -q -f vmdk -o zeroed_grain=%s -b %s -F vmdk %s "
              "%" G_GUINT64_FORMAT,
              roll (c, 2) == 0 ? "on" : "off", c->name, name, bytes);
    disk_write_random (c->f, name, c->model, 4);
    zero_random (c, name);
  }
  push (c, name);
}

/* --- links by the suite ------------------------------------------------- */

typedef struct {
  const char *word; /* of the extent line */
  ImageFormat format;
  guint32 grains[4]; /* to choose from, sectors */
  guint32 per_table;
  gboolean zeros;
} Format;

static const Format formats[] = {
  { "SPARSE", IMAGE_SPARSE, { 8, 16, 128, MOST_GRAIN }, 512, TRUE },
  { "SPARSE", IMAGE_SPARSE, { 32, 64, 256, 512 }, 512, TRUE },
  { "VMFSSPARSE", IMAGE_COWD, { 1, 8, 16, 128 }, 4096, FALSE },
  { "SESPARSE", IMAGE_SESPARSE, { 8, 8, 8, 8 }, 4096, TRUE },
};

/* What grain @i, at sector @start of the disk, does to the model. */
static void
apply (Chain *c, const ImageSpec *spec, guint64 start, guint64 i)
{
  guint64 at = i * spec->grain;
  gsize len = (gsize)MIN (spec->grain, spec->sectors - at) * SECTOR;
  guint8 *out = c->model->data + (start + at) * SECTOR;

  if (spec->states[i] == VMDK_DATA)
    memcpy (out, spec->content + at * SECTOR, len);
  else if (spec->states[i] == VMDK_ZERO)
    memset (out, 0, len);
}

/* States in runs, so that tables are missing and grains adjoin. */
static guint8 *
make_states (Chain *c, guint64 n, gboolean zeros)
{
  guint8 *states = image_random_states (c->f->rand, n, zeros);
  guint64 at = roll (c, (guint)n);
  guint64 len = 1 + roll (c, (guint)n);

  memset (states + at, roll (c, 2) == 0 ? VMDK_UNALLOCATED : VMDK_DATA,
          (gsize)MIN (n - at, len));
  return states;
}

/* One extent of @sectors at @start, its line appended to @lines. @inside: the
 * descriptor goes into it. */
static void
add_extent (Chain *c, MemDir *dir, const char *file, guint64 start,
            guint64 sectors, const char *inside, GString *lines)
{
  const Format *format
    = &formats[inside != NULL ? 0 : roll (c, G_N_ELEMENTS (formats))];
  guint32 grain = format->grains[roll (c, 4)];
  guint64 n = image_count_grains (sectors, grain);
  g_autofree guint8 *content = image_random_content (c->f->rand, sectors);
  g_autofree guint8 *states = make_states (c, n, format->zeros);
  ImageSpec spec = { format->format, sectors, grain,  format->per_table,
                     content,        states,  inside, roll (c, 2) == 0 };
  g_autoptr (GByteArray) image = image_write (&spec);

  mem_dir_set (dir, file, image->data, image->len);
  g_string_append_printf (lines, "RW %" G_GUINT64_FORMAT " %s \"%s\"\n",
                          sectors, format->word, file);
  for (guint64 i = 0; i < n; i++)
    apply (c, &spec, start, i);
}

static void
add_flat_extent (Chain *c, MemDir *dir, const char *file, guint64 start,
                 guint64 sectors, GString *lines)
{
  g_autofree guint8 *content = image_random_content (c->f->rand, sectors);

  memcpy (c->model->data + start * SECTOR, content, sectors * SECTOR);
  mem_dir_set (dir, file, content, sectors * SECTOR);
  g_string_append_printf (lines, "RW %" G_GUINT64_FORMAT " FLAT \"%s\" 0\n",
                          sectors, file);
}

static guint32
parent_cid (Chain *c)
{
  g_autoptr (VmdkLink) link = NULL;

  if (c->name == NULL)
    return VMDK_NO_PARENT_CID;
  link = disk_open_link (c->f, c->name, FALSE);
  return vmdk_link_get_cid (link);
}

/* One file with the descriptor inside. */
static void
add_embedded_link (Chain *c, char *name)
{
  guint64 sectors = next_sectors (c);
  g_autofree char *text
    = image_descriptor (100 + c->depth, parent_cid (c), c->name,
                        "monolithicSparse", sectors, "SPARSE", name);
  g_autoptr (GString) lines = g_string_new (NULL);
  g_autoptr (MemDir) dir = mem_dir_new ();

  add_extent (c, dir, name, 0, sectors, text, lines);
  mem_dir_save (dir, c->f->dir);
  push (c, name);
}

/* Extents of any formats. Each but the last is of whole grains: of others,
 * QEMU reads what lies in the file behind their ends. */
static void
add_split_link (Chain *c, char *name)
{
  guint64 sectors = next_sectors (c);
  g_autoptr (GString) lines = g_string_new (NULL);
  g_autoptr (MemDir) dir = mem_dir_new ();
  g_autofree char *hint
    = c->name != NULL ? g_strdup_printf ("parentFileNameHint=\"%s\"\n", c->name)
                      : g_strdup ("");
  g_autofree char *text = NULL;
  guint64 start = 0;

  for (guint i = 0; start < sectors; i++) {
    guint64 left = sectors - start;
    guint64 n = (1 + roll (c, 4)) * MOST_GRAIN;
    g_autofree char *file = g_strdup_printf ("%u-e%u-%s", c->depth, i, name);

    n = MIN (left, n);
    if (roll (c, 5) == 0)
      add_flat_extent (c, dir, file, start, n, lines);
    else
      add_extent (c, dir, file, start, n, NULL, lines);
    start += n;
  }
  text = g_strdup_printf (
    "# Disk DescriptorFile\nversion=1\nCID=%08x\nparentCID=%08x\n"
    "createType=\"vmfsSparse\"\n%s# Extent description\n%s\n"
    "ddb.adapterType = \"lsilogic\"\n",
    100 + c->depth, parent_cid (c), hint, lines->str);
  mem_dir_set (dir, name, text, strlen (text));
  mem_dir_save (dir, c->f->dir);
  push (c, name);
}

/* A child as a snapshot makes it, written to by QEMU. */
static void
add_our_link (Chain *c, char *name)
{
  disk_create_child (c->f, c->name, name);
  disk_write_random (c->f, name, c->model, 5);
  push (c, name);
}

static void
add_link (Chain *c)
{
  char *name = g_strdup_printf ("link-%02u.vmdk", c->depth);

  switch (roll (c, 8)) {
  case 0:
    if (c->name != NULL)
      add_our_link (c, name);
    else
      add_qemu_link (c, name);
    break;
  case 1:
    add_qemu_link (c, name);
    break;
  case 2:
  case 3:
  case 4:
    add_split_link (c, name);
    break;
  default:
    add_embedded_link (c, name);
  }
}

/* --- the maps ----------------------------------------------------------- */

/* A map is a byte for each sector: is it known to be zero? */
static void
mark (GByteArray *map, guint64 offset, guint64 len, gboolean zero)
{
  g_assert_cmpuint (offset % SECTOR, ==, 0);
  g_assert_cmpuint (len % SECTOR, ==, 0);
  g_assert_cmpuint ((offset + len) / SECTOR, <=, map->len);
  memset (map->data + offset / SECTOR, zero, len / SECTOR);
}

static guint64
member (const char *line, const char *name)
{
  const char *at = strstr (line, name);

  g_assert_nonnull (at);
  return g_ascii_strtoull (at + strlen (name), NULL, 10);
}

static GByteArray *
map_of_qemu (Chain *c)
{
  g_autofree char *json
    = disk_run_output (c->f, "qemu-img map -f vmdk --output=json %s", c->name);
  g_auto (GStrv) lines = g_strsplit (json, "\n", -1);
  GByteArray *map = disk_model_new (c->model->len / SECTOR);

  for (guint i = 0; lines[i] != NULL; i++)
    if (strstr (lines[i], "\"start\"") != NULL)
      mark (map, member (lines[i], "\"start\": "),
            member (lines[i], "\"length\": "),
            strstr (lines[i], "\"zero\": true") != NULL);
  return map;
}

static GByteArray *
map_of_ours (Chain *c)
{
  g_autoptr (VmdkChain) chain = disk_open_chain (c->f, c->name);
  GByteArray *map = disk_model_new (c->model->len / SECTOR);
  guint64 at = 0;

  g_assert_cmpuint (vmdk_chain_get_depth (chain), ==, c->depth);
  while (at < c->model->len) {
    g_autoptr (GError) error = NULL;
    VmdkState state;
    guint64 n;

    vmdk_chain_map (chain, at, c->model->len - at, &state, &n, &error);
    g_assert_no_error (error);
    mark (map, at, n, state == VMDK_ZERO);
    at += n;
  }
  return map;
}

/* The same, but that QEMU takes all of the page for data in which a file
 * ends that is shorter than the disk. */
static void
assert_maps (Chain *c)
{
  g_autoptr (GByteArray) ours = map_of_ours (c);
  g_autoptr (GByteArray) theirs = map_of_qemu (c);

  for (guint i = 0; i < ours->len; i++) {
    gboolean same_page = i % 8 != 0 && ours->data[i] && !theirs->data[i - 1];

    if (ours->data[i] != theirs->data[i] && !same_page)
      g_error ("sector %u is %s here, %s in QEMU's map", i,
               ours->data[i] ? "zero" : "data",
               theirs->data[i] ? "zero" : "data");
  }
}

static void
test_chain (DiskFixture *f, gconstpointer data)
{
  static const guint depths[] = { 1, 2, 30, 4, 7, 1, 12, 20 };
  guint seed = GPOINTER_TO_UINT (data);
  Chain c = { .f = f, .model = disk_model_new (0) };
  guint depth = depths[seed % G_N_ELEMENTS (depths)];

  g_rand_set_seed (f->rand, seed);
  while (c.depth < depth)
    add_link (&c);
  disk_assert_content (f, c.name, c.model);
  assert_maps (&c);
  g_byte_array_unref (c.model);
  g_free (c.name);
}

static guint
number_of (const char *variable, guint otherwise)
{
  const char *text = g_getenv (variable);

  return text != NULL ? (guint)g_ascii_strtoull (text, NULL, 10) : otherwise;
}

int
main (int argc, char **argv)
{
  guint first = number_of ("VIXFS_JUDGE_SEED", 1);
  guint n = number_of ("VIXFS_JUDGE", DEFAULT_CHAINS);

  g_test_init (&argc, &argv, NULL);
  for (guint seed = first; seed < first + n; seed++) {
    g_autofree char *path = g_strdup_printf ("/vmdk/judge/seed-%u", seed);

    DISK_TEST (path, GUINT_TO_POINTER (seed), test_chain);
  }
  return g_test_run ();
}
