/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Formats that qemu-img reads but does not write, from a writer of our own
 * that QEMU confirms: alone, and as links of a chain.
 */
#include <string.h>

#include "base/error.h"
#include "disk-fixture.h"
#include "image-writer.h"
#include "mem-dir.h"

typedef struct {
  const char *name;
  const char *create_type;
  const char *extent_type;
  ImageFormat format;
  guint32 sectors;
  guint32 grain;
  guint32 per_table;
  gboolean zeros;
  gboolean sparse_tables;
  gboolean embedded;
} FormatCase;

static const FormatCase cases[] = {
  { "stream-export", "streamOptimized", "SPARSE", IMAGE_STREAM, 150001, 128,
    512, FALSE, FALSE, TRUE },
  { "stream-export-without-empty-tables", "streamOptimized", "SPARSE",
    IMAGE_STREAM, 200000, 128, 512, FALSE, TRUE, TRUE },
  { "stream-zeroed-grains", "streamOptimized", "SPARSE", IMAGE_STREAM, 30001,
    128, 512, TRUE, FALSE, TRUE },
  { "cowd-grain-1", "vmfsSparse", "VMFSSPARSE", IMAGE_COWD, 20001, 1, 4096,
    FALSE, FALSE, FALSE },
  { "cowd-grain-8", "vmfsSparse", "VMFSSPARSE", IMAGE_COWD, 100003, 8, 4096,
    FALSE, TRUE, FALSE },
  { "sesparse", "seSparse", "SESPARSE", IMAGE_SESPARSE, 100005, 8, 4096, TRUE,
    FALSE, FALSE },
  { "sesparse-without-empty-tables", "seSparse", "SESPARSE", IMAGE_SESPARSE,
    100005, 8, 4096, TRUE, TRUE, FALSE },
  { "sparse-grain-16", "monolithicSparse", "SPARSE", IMAGE_SPARSE, 50001, 16,
    512, TRUE, FALSE, TRUE },
  { "sparse-grain-1024", "monolithicSparse", "SPARSE", IMAGE_SPARSE, 90001,
    1024, 512, TRUE, FALSE, TRUE },
};

/* Writes a link with random content and changes the model by it. */
static void
write_link (DiskFixture *f, const FormatCase *c, const char *name,
            const char *parent, GByteArray *model)
{
  guint64 n = image_count_grains (c->sectors, c->grain);
  g_autofree guint8 *content = image_random_content (f->rand, c->sectors);
  g_autofree guint8 *states = image_random_states (f->rand, n, c->zeros);
  g_autofree char *data_name
    = c->embedded ? g_strdup (name) : g_strconcat ("data-", name, NULL);
  g_autofree char *text = image_descriptor (
    parent != NULL ? 2 : 1, parent != NULL ? 1 : VMDK_NO_PARENT_CID, parent,
    c->create_type, c->sectors, c->extent_type, data_name);
  ImageSpec spec = { c->format,
                     c->sectors,
                     c->grain,
                     c->per_table,
                     content,
                     states,
                     c->embedded ? text : NULL,
                     c->sparse_tables };
  g_autoptr (MemDir) dir = mem_dir_new ();
  g_autoptr (GByteArray) image = NULL;

  /* A table or two without any grain. */
  memset (states + n / 2, VMDK_UNALLOCATED, n / 2);
  /* Of the last grain the file has what belongs to the disk, if that can be. */
  states[n - 1] = VMDK_DATA;
  image = image_write (&spec);
  if (c->format != IMAGE_STREAM)
    g_byte_array_set_size (image, image->len
                                    - (guint)(n * c->grain - c->sectors) * 512);
  mem_dir_set (dir, data_name, image->data, image->len);
  if (!c->embedded)
    mem_dir_set (dir, name, text, strlen (text));
  mem_dir_save (dir, f->dir);
  for (guint64 i = 0; i < n; i++) {
    gsize at = i * c->grain * 512;
    gsize len = MIN (c->grain * 512, model->len - at);

    if (states[i] == VMDK_DATA)
      memcpy (model->data + at, content + at, len);
    if (states[i] == VMDK_ZERO)
      memset (model->data + at, 0, len);
  }
}

/* Here and there, so that what was kept of one place is asked for at others. */
static void
assert_to_and_fro (DiskFixture *f, const GByteArray *model)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (VmdkChain) chain
    = vmdk_chain_open (&f->resolver, NULL, "base.vmdk", &error);
  gint32 sectors = (gint32)(model->len / 512);

  g_assert_no_error (error);
  for (guint i = 0; i < 400; i++) {
    gsize at = (gsize)g_rand_int_range (f->rand, 0, sectors) * 512;
    guint8 buf[512];

    /* Half of them close together. */
    if (i % 2 == 0)
      at %= MIN (model->len, 512 * 1024);
    vmdk_chain_read (chain, at, buf, sizeof buf, &error);
    g_assert_no_error (error);
    g_assert_cmpmem (buf, sizeof buf, model->data + at, sizeof buf);
  }
}

static void
test_base (DiskFixture *f, gconstpointer data)
{
  const FormatCase *c = data;
  g_autoptr (GByteArray) model = disk_model_new (c->sectors * 512);

  write_link (f, c, "base.vmdk", NULL, model);
  disk_assert_content (f, "base.vmdk", model);
  assert_to_and_fro (f, model);
}

static void
test_in_chain (DiskFixture *f, gconstpointer data)
{
  const FormatCase *c = data;
  g_autoptr (GByteArray) model = disk_model_new (c->sectors * 512);
  g_autoptr (GByteArray) flat = NULL;
  g_autoptr (MemDir) dir = mem_dir_new ();
  g_autofree char *text
    = image_descriptor (1, VMDK_NO_PARENT_CID, NULL, "monolithicFlat",
                        c->sectors, "FLAT", "flat.vmdk");
  g_autofree guint8 *content = image_random_content (f->rand, c->sectors);

  memcpy (model->data, content, model->len);
  mem_dir_set (dir, "flat.vmdk", content, model->len);
  mem_dir_set (dir, "base.vmdk", text, strlen (text));
  mem_dir_save (dir, f->dir);
  if (c->format == IMAGE_STREAM) {
    /* Cannot have a parent: is the base itself. */
    memset (model->data, 0, model->len);
    write_link (f, c, "delta.vmdk", NULL, model);
  } else
    write_link (f, c, "delta.vmdk", "base.vmdk", model);
  disk_create_child (f, "delta.vmdk", "child.vmdk");
  disk_write_random (f, "child.vmdk", model, 8);
  disk_assert_content (f, "child.vmdk", model);
}

static void
test_can_write (DiskFixture *f, gconstpointer data)
{
  const FormatCase *c = data;
  g_autoptr (GByteArray) model = disk_model_new (c->sectors * 512);
  g_autoptr (VmdkLink) link = NULL;
  GError *error = NULL;

  write_link (f, c, "base.vmdk", NULL, model);
  link = disk_open_link (f, "base.vmdk", FALSE);
  g_assert_cmpint (vmdk_link_can_write (link), ==, c->format == IMAGE_SPARSE);
  g_clear_pointer (&link, vmdk_link_free);
  link = vmdk_link_open (&f->resolver, NULL, "base.vmdk", VMDK_ROLE_DISK, TRUE,
                         &error);
  if (c->format == IMAGE_SPARSE)
    g_assert_no_error (error);
  else
    disk_assert_error (error, VIX_E_DISK_NOTSUPPORTED, "base.vmdk");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autofree char *base
      = g_strconcat ("/vmdk/formats/base/", cases[i].name, NULL);
    g_autofree char *chain
      = g_strconcat ("/vmdk/formats/in-chain/", cases[i].name, NULL);
    g_autofree char *write
      = g_strconcat ("/vmdk/formats/can-write/", cases[i].name, NULL);

    DISK_TEST (base, &cases[i], test_base);
    DISK_TEST (chain, &cases[i], test_in_chain);
    DISK_TEST (write, &cases[i], test_can_write);
  }
  return g_test_run ();
}
