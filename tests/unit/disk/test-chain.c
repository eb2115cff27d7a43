/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Chains on bases of every kind that qemu-img makes, read by us and by QEMU.
 */
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "disk-fixture.h"
#include "far-resolver.h"

/* Three grain tables, the last grain short: capacity is no multiple of it. */
#define DISK_BYTES ((70u << 20) + 5 * 512)

typedef struct {
  const char *name; /* of the case */
  const char *options;
  const char *size; /* NULL: DISK_BYTES */
} BaseKind;

static const BaseKind base_kinds[] = {
  { "sparse", "subformat=monolithicSparse", NULL },
  { "zeroed-grain", "subformat=monolithicSparse,zeroed_grain=on", NULL },
  { "flat", "subformat=monolithicFlat", NULL },
  { "split-flat", "subformat=twoGbMaxExtentFlat", NULL },
  { "split-sparse", "subformat=twoGbMaxExtentSparse", NULL },
  { "scsi", "subformat=monolithicSparse,adapter_type=lsilogic", NULL },
};

static void
make_base (DiskFixture *f, const BaseKind *kind, GByteArray *model)
{
  disk_run (f, "qemu-img create -q -f vmdk -o %s base.vmdk %u", kind->options,
            DISK_BYTES);
  disk_write_random (f, "base.vmdk", model, 25);
}

/* Children of ours on each other, written by qemu-io in between; the last is
 * called child-N.vmdk. */
static void
grow_chain (DiskFixture *f, GByteArray *model, guint depth, guint writes)
{
  g_autofree char *parent = g_strdup ("base.vmdk");

  for (guint i = 1; i <= depth; i++) {
    g_autofree char *name = g_strdup_printf ("child-%u.vmdk", i);

    disk_create_child (f, parent, name);
    disk_write_random (f, name, model, writes);
    g_free (parent);
    parent = g_steal_pointer (&name);
  }
}

static void
test_base_kind (DiskFixture *f, gconstpointer data)
{
  g_autoptr (GByteArray) model = disk_model_new (DISK_BYTES);
  g_autofree char *info = NULL;

  make_base (f, data, model);
  disk_assert_content (f, "base.vmdk", model);
  grow_chain (f, model, 3, 8);
  disk_assert_content (f, "child-3.vmdk", model);
  info = disk_run_output (
    f, "qemu-img info --backing-chain --output=json child-3.vmdk");
  g_assert_nonnull (strstr (info, "child-2.vmdk"));
  g_assert_nonnull (strstr (info, "base.vmdk"));
}

static void
test_stream_optimized_base (DiskFixture *f, gconstpointer data)
{
  g_autoptr (GByteArray) model = disk_model_new (DISK_BYTES);

  make_base (f, &base_kinds[0], model);
  disk_run (f, "qemu-img convert -O vmdk -o subformat=streamOptimized "
               "base.vmdk stream.vmdk");
  disk_run (f, "mv stream.vmdk base.vmdk");
  disk_assert_content (f, "base.vmdk", model);
  grow_chain (f, model, 2, 8);
  disk_assert_content (f, "child-2.vmdk", model);
}

static void
test_zeroed_grains (DiskFixture *f, gconstpointer data)
{
  g_autoptr (GByteArray) model = disk_model_new (DISK_BYTES);

  make_base (f, &base_kinds[0], model);
  disk_run (f, "qemu-img create -q -f vmdk -b base.vmdk -F vmdk -o "
               "zeroed_grain=on child-1.vmdk");
  disk_run (
    f, "qemu-io -t unsafe -f vmdk -c 'write -z 0 10M' -c 'write -z 40M 8M' "
       "child-1.vmdk");
  memset (model->data, 0, 10 << 20);
  memset (model->data + (40 << 20), 0, 8 << 20);
  disk_write_random (f, "child-1.vmdk", model, 5);
  disk_assert_content (f, "child-1.vmdk", model);
}

static void
test_depth_30 (DiskFixture *f, gconstpointer data)
{
  g_autoptr (GByteArray) model = disk_model_new (DISK_BYTES);
  g_autoptr (VmdkChain) chain = NULL;

  make_base (f, &base_kinds[0], model);
  grow_chain (f, model, 29, 4);
  disk_assert_content (f, "child-29.vmdk", model);
  chain = disk_open_chain (f, "child-29.vmdk");
  g_assert_cmpuint (vmdk_chain_get_depth (chain), ==, 30);
  g_assert_cmpstr (vmdk_link_get_id (vmdk_chain_get_link (chain, 29)), ==,
                   "base.vmdk");
}

/* Real 2 GB pieces: reads and our child's grains beyond the first. */
static void
test_second_extent (DiskFixture *f, gconstpointer data)
{
  const char *options = data;
  static const guint64 places[] = { 0, (G_GUINT64_CONSTANT (2) << 30) - 512,
                                    (G_GUINT64_CONSTANT (2) << 30) + 4096,
                                    (G_GUINT64_CONSTANT (4) << 30) + 70000 };
  g_autoptr (VmdkChain) chain = NULL;

  disk_run (f, "qemu-img create -q -f vmdk -o %s base.vmdk 5G", options);
  disk_run (f, "qemu-io -t unsafe -f vmdk -c 'write -P 17 2147482624 3000' -c "
               "'write -P 18 4294967296 200000' base.vmdk");
  disk_create_child (f, "base.vmdk", "child.vmdk");
  disk_run (
    f, "qemu-io -t unsafe -f vmdk -c 'write -P 33 2147487744 512' child.vmdk");
  disk_run (f, "qemu-img convert -f vmdk -O raw child.vmdk child.raw");
  chain = disk_open_chain (f, "child.vmdk");
  for (gsize i = 0; i < G_N_ELEMENTS (places); i++) {
    g_autofree char *path = disk_path (f, "child.raw");
    g_autoptr (GError) error = NULL;
    guint8 ours[8192];
    guint8 theirs[8192];
    FILE *raw = fopen (path, "r");

    g_assert_nonnull (raw);
    g_assert_cmpint (fseeko (raw, (off_t)places[i], SEEK_SET), ==, 0);
    g_assert_cmpuint (fread (theirs, 1, sizeof theirs, raw), ==, sizeof theirs);
    fclose (raw);
    vmdk_chain_read (chain, places[i], ours, sizeof ours, &error);
    g_assert_no_error (error);
    g_assert_cmpmem (ours, sizeof ours, theirs, sizeof theirs);
  }
}

/* QEMU writes a new CID without leading zeros and pads the file with NULs. */
static void
test_descriptor_after_qemu (DiskFixture *f, gconstpointer data)
{
  g_autofree char *path = disk_path (f, "base.vmdk");
  g_autoptr (GByteArray) model = disk_model_new (DISK_BYTES);
  g_autoptr (VmdkLink) before = NULL;
  g_autoptr (VmdkLink) after = NULL;
  g_autofree char *text = NULL;
  gsize len;

  disk_run (f,
            "qemu-img create -q -f vmdk -o subformat=monolithicFlat "
            "base.vmdk %u",
            DISK_BYTES);
  before = disk_open_link (f, "base.vmdk", FALSE);
  disk_write_random (f, "base.vmdk", model, 1);
  g_assert_true (g_file_get_contents (path, &text, &len, NULL));
  g_assert_cmpuint (len % 512, ==, 0);
  g_assert_cmpuint (strlen (text), <, len);
  after = disk_open_link (f, "base.vmdk", FALSE);
  g_assert_cmpuint (vmdk_link_get_cid (after), !=, vmdk_link_get_cid (before));
  disk_create_child (f, "base.vmdk", "child.vmdk");
  disk_assert_content (f, "child.vmdk", model);
}

static void
assert_no_chain (DiskFixture *f, const char *name, int code, const char *text)
{
  GError *error = NULL;

  g_assert_null (vmdk_chain_open (&f->resolver, NULL, name, &error));
  disk_assert_error (error, code, text);
}

static void
make_pair (DiskFixture *f)
{
  disk_run (f, "qemu-img create -q -f vmdk base.vmdk 1M");
  disk_create_child (f, "base.vmdk", "child.vmdk");
}

static void
test_changed_parent (DiskFixture *f, gconstpointer data)
{
  make_pair (f);
  disk_run (f, "qemu-io -t unsafe -f vmdk -c 'write 0 512' base.vmdk");
  assert_no_chain (f, "child.vmdk", VIX_E_DISK_CID_MISMATCH, "base.vmdk");
}

/* A disk that was enlarged, cut and enlarged again: what was cut off does not
 * come back. */
static void
test_other_capacity (DiskFixture *f, gconstpointer data)
{
  static const guint sizes[]
    = { (3 << 20) + 512, (5 << 20) + 1024, (2 << 20) + 1536, 6 << 20 };
  g_autoptr (GByteArray) model = disk_model_new (4 << 20);

  disk_run (f, "qemu-img create -q -f vmdk link-0.vmdk 4M");
  disk_write (f, "link-0.vmdk", model, 0, 4 << 20, 7);
  for (guint i = 0; i < G_N_ELEMENTS (sizes); i++) {
    g_autofree char *name = g_strdup_printf ("link-%u.vmdk", i + 1);
    guint old = model->len;

    disk_run (f, "qemu-img create -q -f vmdk -b link-%u.vmdk -F vmdk %s %u", i,
              name, sizes[i]);
    g_byte_array_set_size (model, sizes[i]);
    if (sizes[i] > old)
      memset (model->data + old, 0, sizes[i] - old);
    disk_assert_content (f, name, model);
  }
  disk_write (f, "link-4.vmdk", model, (2 << 20) - 512, 4096, 9);
  disk_assert_content (f, "link-4.vmdk", model);
}

static void
test_missing_parent (DiskFixture *f, gconstpointer data)
{
  make_pair (f);
  disk_run (f, "rm base.vmdk");
  assert_no_chain (f, "child.vmdk", VIX_E_DISK_OPENPARENT, "base.vmdk");
}

static void
test_missing_extent (DiskFixture *f, gconstpointer data)
{
  disk_run (f, "qemu-img create -q -f vmdk -o subformat=monolithicFlat "
               "base.vmdk 1M");
  disk_run (f, "rm base-flat.vmdk");
  assert_no_chain (f, "base.vmdk", VIX_E_DISK_PARTIALCHAIN, "base-flat.vmdk");
  assert_no_chain (f, "none.vmdk", VIX_E_DISK_PARTIALCHAIN, "none.vmdk");
}

static void
test_cycle (DiskFixture *f, gconstpointer data)
{
  make_pair (f);
  disk_create_child (f, "child.vmdk", "third.vmdk");
  disk_set_identity (f, "child.vmdk", 7, 7, "third.vmdk");
  disk_set_identity (f, "third.vmdk", 7, 7, "child.vmdk");
  assert_no_chain (f, "third.vmdk", VIX_E_DISK_INVALIDCHAIN, "ancestor");
}

static void
test_own_parent (DiskFixture *f, gconstpointer data)
{
  make_pair (f);
  disk_set_identity (f, "child.vmdk", 7, 7, "child.vmdk");
  assert_no_chain (f, "child.vmdk", VIX_E_DISK_INVALIDCHAIN, "ancestor");
}

/* A cycle that names do not show ends at the limit of depth. */
static void
test_too_deep (DiskFixture *f, gconstpointer data)
{
  g_autofree char *parent = g_strdup ("base.vmdk");

  disk_run (f, "qemu-img create -q -f vmdk base.vmdk 1M");
  for (guint i = 1; i <= VMDK_MAX_CHAIN; i++) {
    g_autofree char *name = g_strdup_printf ("child-%u.vmdk", i);

    disk_create_child (f, parent, name);
    g_free (parent);
    parent = g_steal_pointer (&name);
  }
  assert_no_chain (f, parent, VIX_E_DISK_INVALIDCHAIN, "ancestors");
  g_free (parent);
  parent = g_strdup_printf ("child-%d.vmdk", VMDK_MAX_CHAIN - 1);
  vmdk_chain_free (disk_open_chain (f, parent));
}

/* ---- links whose names are known ---- */

/* "child-N.vmdk" and all below it; @n of them, of which there are more. */
static char **
name_links (guint depth, guint n)
{
  char **names = g_new0 (char *, n + 1);

  for (guint i = 0; i < n; i++)
    names[i] = i < depth ? g_strdup_printf ("child-%u.vmdk", depth - i)
                         : g_strdup ("base.vmdk");
  return names;
}

static VmdkChain *
open_known (DiskFixture *f, char **names, GError **error)
{
  FarResolver far;

  far_resolver_init (&far, &f->resolver, 8);
  return vmdk_chain_open_known (&far.base, (const char *const *)names,
                                g_strv_length (names), 8, error);
}

static void
test_known_links (DiskFixture *f, gconstpointer data)
{
  g_auto (GStrv) names = name_links (29, 30);
  g_autoptr (GByteArray) model = disk_model_new (DISK_BYTES);
  g_autofree guint8 *content = g_malloc (DISK_BYTES);
  g_autoptr (VmdkChain) chain = NULL;
  g_autoptr (GError) error = NULL;

  make_base (f, &base_kinds[0], model);
  grow_chain (f, model, 29, 4);
  chain = open_known (f, names, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (vmdk_chain_get_depth (chain), ==, 30);
  g_assert_cmpuint (vmdk_chain_get_capacity (chain), ==, DISK_BYTES);
  g_assert_cmpstr (vmdk_link_get_id (vmdk_chain_get_link (chain, 0)), ==,
                   "child-29.vmdk");
  vmdk_chain_read (chain, 0, content, DISK_BYTES, &error);
  g_assert_no_error (error);
  g_assert_cmpmem (content, DISK_BYTES, model->data, model->len);
}

static void
assert_not_known (DiskFixture *f, char **names, int code, const char *text)
{
  GError *error = NULL;

  g_assert_null (open_known (f, names, &error));
  disk_assert_error (error, code, text);
}

static void
test_known_links_are_checked (DiskFixture *f, gconstpointer data)
{
  g_autoptr (GByteArray) model = disk_model_new (DISK_BYTES);
  g_auto (GStrv) few = name_links (3, 3);
  g_auto (GStrv) many = name_links (3, 5);
  g_auto (GStrv) right = name_links (3, 4);
  g_auto (GStrv) others = name_links (3, 4);
  g_auto (GStrv) lacking = name_links (3, 4);

  make_base (f, &base_kinds[0], model);
  grow_chain (f, model, 3, 4);
  assert_not_known (f, few, VIX_E_DISK_INVALIDCHAIN, "said to end there");
  assert_not_known (f, many, VIX_E_DISK_INVALIDCHAIN, "said to go on");
  g_free (g_steal_pointer (&others[2]));
  others[2] = g_strdup ("child-3.vmdk");
  assert_not_known (f, others, VIX_E_DISK_INVALIDCHAIN, "ancestor");
  g_free (others[2]);
  others[2] = g_strdup ("base.vmdk");
  assert_not_known (f, others, VIX_E_DISK_CID_MISMATCH, "base.vmdk");
  g_free (lacking[2]);
  lacking[2] = g_strdup ("none.vmdk");
  assert_not_known (f, lacking, VIX_E_DISK_OPENPARENT, "none.vmdk");
  g_free (lacking[0]);
  lacking[0] = g_strdup ("none-too.vmdk");
  assert_not_known (f, lacking, VIX_E_DISK_PARTIALCHAIN, "none-too.vmdk");
  vmdk_chain_free (open_known (f, right, NULL));
}

/* A base of which a table is damaged: the rest of it is read all the same. */
static void
test_known_links_with_damage (DiskFixture *f, gconstpointer data)
{
  g_autoptr (GByteArray) model = disk_model_new (DISK_BYTES);
  g_auto (GStrv) names = name_links (2, 3);
  g_autofree char *path = disk_path (f, "base.vmdk");
  g_autoptr (VmdkChain) chain = NULL;
  g_autoptr (GError) error = NULL;
  g_autofree char *file = NULL;
  gsize len;
  guint8 buf[4096];

  make_base (f, &base_kinds[0], model);
  disk_write (f, "base.vmdk", model, 0, 65536, 5);
  disk_write (f, "base.vmdk", model, 40 << 20, 65536, 6);
  disk_create_child (f, "base.vmdk", "child-1.vmdk");
  disk_create_child (f, "child-1.vmdk", "child-2.vmdk");
  g_assert_true (g_file_get_contents (path, &file, &len, NULL));
  /* The first entries of both directories. */
  for (gsize field = 48; field <= 56; field += 8) {
    guint64 sector;

    memcpy (&sector, file + field, sizeof sector);
    memset (file + GUINT64_FROM_LE (sector) * 512, 0x7f, 4);
  }
  g_assert_true (g_file_set_contents (path, file, (gssize)len, NULL));
  chain = open_known (f, names, &error);
  g_assert_no_error (error);
  g_assert_true (vmdk_chain_read (chain, 40 << 20, buf, sizeof buf, NULL));
  g_assert_cmpmem (buf, sizeof buf, model->data + (40 << 20), sizeof buf);
  g_assert_false (vmdk_chain_read (chain, 0, buf, sizeof buf, &error));
  g_assert_error (error, VIX_ERROR, VIX_E_DISK_INVALIDDISK);
}

static void
test_range (DiskFixture *f, gconstpointer data)
{
  g_autoptr (VmdkChain) chain = NULL;
  GError *error = NULL;
  VmdkState state;
  guint8 buf[16];
  guint64 n;

  make_pair (f);
  chain = disk_open_chain (f, "child.vmdk");
  g_assert_false (
    vmdk_chain_read (chain, (1 << 20) - 8, buf, sizeof buf, &error));
  disk_assert_error (error, VIX_E_INVALID_ARG, "not inside");
  error = NULL;
  g_assert_false (
    vmdk_chain_read (chain, G_MAXUINT64 - 4, buf, sizeof buf, &error));
  disk_assert_error (error, VIX_E_INVALID_ARG, "not inside");
  error = NULL;
  g_assert_false (vmdk_chain_map (chain, 1 << 20, 1, &state, &n, &error));
  disk_assert_error (error, VIX_E_INVALID_ARG, "not inside");
  g_assert_true (vmdk_chain_map (chain, 0, G_MAXUINT64, &state, &n, NULL));
  g_assert_cmpuint (n, ==, 1 << 20);
  g_assert_cmpint (state, ==, VMDK_ZERO);
}

typedef struct {
  VmdkChain *chain;
  const GByteArray *model;
  guint32 seed;
} Reader;

static gpointer
read_randomly (gpointer data)
{
  const Reader *reader = data;
  g_autoptr (GRand) rand = g_rand_new_with_seed (reader->seed);
  guint8 buf[70000];

  for (guint i = 0; i < 2000; i++) {
    gsize len = (gsize)g_rand_int_range (rand, 1, sizeof buf);
    gsize offset
      = (gsize)g_rand_int_range (rand, 0, (gint32)(reader->model->len - len));

    if (!vmdk_chain_read (reader->chain, offset, buf, len, NULL)
        || memcmp (buf, reader->model->data + offset, len) != 0)
      return GINT_TO_POINTER (FALSE);
  }
  return GINT_TO_POINTER (TRUE);
}

static void
test_threads (DiskFixture *f, gconstpointer data)
{
  g_autoptr (GByteArray) model = disk_model_new (DISK_BYTES);
  g_autoptr (VmdkChain) chain = NULL;
  Reader readers[4];
  GThread *threads[4];

  make_base (f, &base_kinds[0], model);
  disk_run (f, "qemu-img convert -O vmdk -o subformat=streamOptimized "
               "base.vmdk stream.vmdk");
  disk_run (f, "mv stream.vmdk base.vmdk");
  grow_chain (f, model, 2, 20);
  chain = disk_open_chain (f, "child-2.vmdk");
  for (guint i = 0; i < 4; i++) {
    readers[i] = (Reader){ chain, model, i };
    threads[i] = g_thread_new ("reader", read_randomly, &readers[i]);
  }
  for (guint i = 0; i < 4; i++)
    g_assert_true (GPOINTER_TO_INT (g_thread_join (threads[i])));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (gsize i = 0; i < G_N_ELEMENTS (base_kinds); i++) {
    g_autofree char *path
      = g_strconcat ("/vmdk/chain/base/", base_kinds[i].name, NULL);

    DISK_TEST (path, &base_kinds[i], test_base_kind);
  }
  DISK_TEST ("/vmdk/chain/base/stream-optimized", NULL,
             test_stream_optimized_base);
  DISK_TEST ("/vmdk/chain/zeroed-grains-hide-the-parent", NULL,
             test_zeroed_grains);
  DISK_TEST ("/vmdk/chain/depth-30", NULL, test_depth_30);
  DISK_TEST ("/vmdk/chain/split-sparse-beyond-first-extent",
             "subformat=twoGbMaxExtentSparse", test_second_extent);
  DISK_TEST ("/vmdk/chain/split-flat-beyond-first-extent",
             "subformat=twoGbMaxExtentFlat", test_second_extent);
  DISK_TEST ("/vmdk/chain/descriptor-as-qemu-leaves-it", NULL,
             test_descriptor_after_qemu);
  DISK_TEST ("/vmdk/chain/changed-parent-is-refused", NULL,
             test_changed_parent);
  DISK_TEST ("/vmdk/chain/other-capacity", NULL, test_other_capacity);
  DISK_TEST ("/vmdk/chain/missing-parent-is-named", NULL, test_missing_parent);
  DISK_TEST ("/vmdk/chain/missing-extent-is-named", NULL, test_missing_extent);
  DISK_TEST ("/vmdk/chain/cycle-is-refused", NULL, test_cycle);
  DISK_TEST ("/vmdk/chain/own-parent-is-refused", NULL, test_own_parent);
  DISK_TEST ("/vmdk/chain/depth-limit", NULL, test_too_deep);
  DISK_TEST ("/vmdk/chain/known/depth-30", NULL, test_known_links);
  DISK_TEST ("/vmdk/chain/known/links-are-checked", NULL,
             test_known_links_are_checked);
  DISK_TEST ("/vmdk/chain/known/damage-ends-where-it-is", NULL,
             test_known_links_with_damage);
  DISK_TEST ("/vmdk/chain/reads-past-the-end-are-refused", NULL, test_range);
  DISK_TEST ("/vmdk/chain/threads-read-at-once", NULL, test_threads);
  return g_test_run ();
}
