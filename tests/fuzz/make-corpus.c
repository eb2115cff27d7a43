/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Writes the corpus that fuzzing starts from: small valid inputs of each
 * target. Run by hand after a change of the formats: make-corpus DIRECTORY
 */
#include <string.h>

#include "image-writer.h"

#define SECTORS 100u

typedef struct {
  const char *target;
  const char *name;
  ImageFormat format;
  guint32 grain;
  guint32 per_table;
  gboolean sparse_tables;
  gboolean embedded;
} Seed;

static const Seed seeds[] = {
  { "sparse", "small-tables", IMAGE_SPARSE, 8, 4, FALSE, TRUE },
  { "sparse", "missing-tables", IMAGE_SPARSE, 8, 2, TRUE, TRUE },
  { "sparse", "one-table", IMAGE_SPARSE, 16, 16, FALSE, TRUE },
  { "sparse", "extent", IMAGE_SPARSE, 8, 16, FALSE, FALSE },
  { "sparse", "stream", IMAGE_STREAM, 8, 4, FALSE, TRUE },
  { "sparse", "stream-missing-tables", IMAGE_STREAM, 16, 2, TRUE, TRUE },
  { "cowd", "grain-1", IMAGE_COWD, 1, 4096, FALSE, FALSE },
  { "cowd", "grain-8", IMAGE_COWD, 8, 4096, FALSE, FALSE },
  { "sesparse", "plain", IMAGE_SESPARSE, 8, 4096, FALSE, FALSE },
};

static const char *const texts[][2] = {
  { "flat", "# Disk DescriptorFile\nversion=1\nCID=1\nparentCID=ffffffff\n"
            "createType=\"monolithicFlat\"\nRW 100 FLAT \"a-flat.vmdk\" 0\n"
            "ddb.adapterType = \"ide\"\n" },
  { "child-crlf",
    "# Disk DescriptorFile\r\nversion=3\r\nencoding=\"UTF-8\"\r\nCID=12\r\n"
    "parentCID=00000001\r\nisNativeSnapshot=\"no\"\r\n"
    "createType=\"monolithicSparse\"\r\nparentFileNameHint=\"a.vmdk\"\r\n"
    "RW 100 SPARSE \"b.vmdk\"\r\n"
    "ddb.longContentID = \"0123456789abcdef0123456700000012\"\r\n" },
  { "mixed", "version = 2\ncid=ab\ncreateType=custom\nRDONLY 5 ZERO\n"
             "RW 7 VMFS \"x\"\nRW 9 SESPARSE \"y\"\nRW 3 VMFSSPARSE \"z\"\n"
             "odd line\nparentCID = ffffffff" },
};

static GByteArray *
make_image (const Seed *seed, guint32 sectors, guint32 cid, const char *hint)
{
  g_autoptr (GRand) rand = g_rand_new_with_seed (cid);
  guint64 n = image_count_grains (sectors, seed->grain);
  g_autofree guint8 *content = g_malloc0 ((gsize)sectors * 512);
  g_autofree guint8 *states = image_random_states (
    rand, n, seed->format != IMAGE_COWD && seed->format != IMAGE_STREAM);
  g_autofree char *text
    = image_descriptor (cid, hint != NULL ? cid - 1 : VMDK_NO_PARENT_CID, hint,
                        "monolithicSparse", sectors, "SPARSE", "disk");
  ImageSpec spec = { seed->format,
                     sectors,
                     seed->grain,
                     seed->per_table,
                     content,
                     states,
                     seed->embedded ? text : NULL,
                     seed->sparse_tables };

  for (guint i = 0; i < sectors; i++)
    memset (content + i * 512, 'A' + (int)(i % 26), 40);
  return image_write (&spec);
}

static void
save (const char *dir, const char *target, const char *name, const void *data,
      gsize len)
{
  g_autofree char *folder = g_build_filename (dir, target, NULL);
  g_autofree char *path = g_build_filename (folder, name, NULL);
  g_autoptr (GError) error = NULL;

  g_mkdir_with_parents (folder, 0755);
  if (!g_file_set_contents_full (path, data, (gssize)len,
                                 G_FILE_SET_CONTENTS_NONE, 0644, &error))
    g_error ("%s", error->message);
}

static void
append_file (GByteArray *input, char name, const void *data, gsize len)
{
  guint8 head[4]
    = { (guint8)name, (guint8)len, (guint8)(len >> 8), (guint8)(len >> 16) };

  g_byte_array_append (input, head, sizeof head);
  g_byte_array_append (input, data, (guint)len);
}

static void
make_chains (const char *dir)
{
  g_autoptr (GByteArray) input = g_byte_array_new ();
  g_autoptr (GByteArray) base = make_image (&seeds[0], SECTORS, 1, NULL);
  g_autoptr (GByteArray) child = make_image (&seeds[2], SECTORS, 2, "c");
  g_autoptr (GByteArray) loop = make_image (&seeds[0], SECTORS, 7, "a");
  g_autofree char *flat = image_descriptor (
    1, VMDK_NO_PARENT_CID, NULL, "monolithicFlat", SECTORS, "FLAT", "d");
  g_autofree guint8 *content = g_malloc0 (SECTORS * 512);

  append_file (input, 'a', child->data, child->len);
  append_file (input, 'c', base->data, base->len);
  save (dir, "chain", "two-sparse", input->data, input->len);
  g_byte_array_set_size (input, 0);
  append_file (input, 'a', child->data, child->len);
  append_file (input, 'c', flat, strlen (flat));
  append_file (input, 'd', content, SECTORS * 512);
  save (dir, "chain", "on-flat", input->data, input->len);
  g_byte_array_set_size (input, 0);
  append_file (input, 'a', loop->data, loop->len);
  save (dir, "chain", "loop", input->data, input->len);
}

/* Two disks on a common link; in the second seed that is longer than what one
 * of them has in between. */
static void
make_branches (const char *dir)
{
  static const guint32 between[] = { SECTORS, SECTORS / 2 };
  static const char *const names[] = { "branches", "shorter-between" };

  for (guint i = 0; i < G_N_ELEMENTS (names); i++) {
    g_autoptr (GByteArray) input = g_byte_array_new ();
    g_autoptr (GByteArray) base = make_image (&seeds[0], SECTORS, 4, NULL);
    g_autoptr (GByteArray) middle = make_image (&seeds[2], between[i], 5, "d");
    g_autoptr (GByteArray) newer = make_image (&seeds[1], SECTORS, 6, "c");
    g_autoptr (GByteArray) older = make_image (&seeds[2], SECTORS, 5, "d");

    append_file (input, 'a', newer->data, newer->len);
    append_file (input, 'b', older->data, older->len);
    append_file (input, 'c', middle->data, middle->len);
    append_file (input, 'd', base->data, base->len);
    save (dir, "chain", names[i], input->data, input->len);
  }
}

int
main (int argc, char **argv)
{
  if (argc != 2)
    g_error ("usage: %s DIRECTORY", argv[0]);
  for (gsize i = 0; i < G_N_ELEMENTS (seeds); i++) {
    g_autoptr (GByteArray) image = make_image (&seeds[i], SECTORS, 1, NULL);

    save (argv[1], seeds[i].target, seeds[i].name, image->data, image->len);
  }
  for (gsize i = 0; i < G_N_ELEMENTS (texts); i++)
    save (argv[1], "descriptor", texts[i][0], texts[i][1],
          strlen (texts[i][1]));
  make_chains (argv[1]);
  make_branches (argv[1]);
  return 0;
}
