/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "damage.h"

#include <string.h>

#include "base/error.h"

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
MemDir *
damage_make (DiskFixture *f, const DamageCase *c, guint8 **ret_content)
{
  const FormatFacts *fact = &facts[c->format];
  guint64 n = image_count_grains (DAMAGE_SECTORS, fact->grain);
  const char *file = fact->embedded ? "disk" : "data";
  g_autofree guint8 *content = image_random_content (f->rand, DAMAGE_SECTORS);
  g_autofree guint8 *states = g_malloc (n);
  g_autofree char *text
    = image_descriptor (1, VMDK_NO_PARENT_CID, NULL, fact->create_type,
                        DAMAGE_SECTORS, fact->extent_type, file);
  ImageSpec spec = { c->format,
                     DAMAGE_SECTORS,
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
  if (ret_content != NULL)
    *ret_content = g_steal_pointer (&content);
  return dir;
}

/* What is read is right, or an error: the first one, if there is any. That a
 * grain stands in two places only a writer finds out. */
static gboolean
read_all (VmdkChain *chain, const DamageCase *c, const guint8 *content,
          GError **error)
{
  gboolean ok = TRUE;
  guint8 buf[4096];

  for (guint64 at = 0; at < DAMAGE_SECTORS * 512; at += sizeof buf) {
    if (!vmdk_chain_read (chain, at, buf, sizeof buf, ok ? error : NULL))
      ok = FALSE;
    else if (c->where != AT_WRITE)
      g_assert_cmpmem (buf, sizeof buf, content + at, sizeof buf);
  }
  return ok;
}

/* The last sector is far from the damage that is made. */
static void
assert_rest_is_readable (VmdkChain *chain)
{
  g_autoptr (GError) error = NULL;
  guint8 buf[512];

  vmdk_chain_read (chain, (DAMAGE_SECTORS - 1) * 512, buf, sizeof buf, &error);
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
  g_autofree guint8 *content = NULL;
  g_autoptr (MemDir) dir = damage_make (f, c, &content);
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
    g_assert_false (read_all (chain, c, content, &error));
    disk_assert_error (error, c->code, c->text);
  } else
    g_assert_true (read_all (chain, c, content, NULL));
  if (c->where != AT_LOST)
    assert_rest_is_readable (chain);
  if (c->where == AT_WRITE)
    assert_no_merge (c, dir);
}

void
damage_add_tests (const DamageCase *cases, gsize n)
{
  for (gsize i = 0; i < n; i++) {
    g_autofree char *path = g_strconcat ("/vmdk/damage/", cases[i].name, NULL);

    DISK_TEST (path, &cases[i], test_damage);
  }
}
