/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Children as we make them: their cost, their form, what QEMU makes of them.
 */
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/error.h"
#include "disk-fixture.h"
#include "mem-dir.h"

typedef struct {
  const char *name;
  const char *size; /* of qemu-img create */
} SizeCase;

static const SizeCase size_cases[] = {
  { "one-sector", "512" }, { "odd", "100000512" }, { "1G", "1G" },
  { "2T", "2T" },          { "8T", "8T" },
};

/* The layout is that of qemu-img, field by field. */
static void
test_header (DiskFixture *f, gconstpointer data)
{
  const SizeCase *c = data;
  g_autofree char *ours_path = disk_path (f, "ours.vmdk");
  g_autofree char *theirs_path = disk_path (f, "base.vmdk");
  g_autofree char *ours = NULL;
  g_autofree char *theirs = NULL;
  GStatBuf st_ours;
  GStatBuf st_theirs;

  disk_run (f, "qemu-img create -q -f vmdk base.vmdk %s", c->size);
  disk_create_child (f, "base.vmdk", "ours.vmdk");
  g_assert_cmpint (g_stat (ours_path, &st_ours), ==, 0);
  g_assert_cmpint (g_stat (theirs_path, &st_theirs), ==, 0);
  g_assert_cmpint (st_ours.st_size, ==, st_theirs.st_size);
  ours = disk_run_output (f, "od -An -tx1 -N512 ours.vmdk");
  theirs = disk_run_output (f, "od -An -tx1 -N512 base.vmdk");
  g_assert_cmpstr (ours, ==, theirs);
  g_free (ours);
  g_free (theirs);
  ours = disk_run_output (f, "od -An -tx1 -j10752 -N65536 ours.vmdk");
  theirs = disk_run_output (f, "od -An -tx1 -j10752 -N65536 base.vmdk");
  g_assert_cmpstr (ours, ==, theirs);
  disk_run (f, "qemu-img check -q -f vmdk ours.vmdk");
}

static guint64
blocks_of_child (DiskFixture *f, const char *size)
{
  g_autofree char *path = disk_path (f, "child.vmdk");
  GStatBuf st;

  disk_run (f, "qemu-img create -q -f vmdk base.vmdk %s", size);
  disk_create_child (f, "base.vmdk", "child.vmdk");
  disk_run (f, "sync child.vmdk");
  g_assert_cmpint (g_stat (path, &st), ==, 0);
  disk_run (f, "rm base.vmdk child.vmdk");
  return (guint64)st.st_blocks * 512;
}

/* Two directories of 4 bytes for each 32 MiB, whatever the size. */
static void
test_cost (DiskFixture *f, gconstpointer data)
{
  g_assert_cmpuint (blocks_of_child (f, "1G"), <=, 32 << 10);
  g_assert_cmpuint (blocks_of_child (f, "2T"), <=, (512 << 10) + (32 << 10));
}

/* Writes at the ends of a child of 2 TiB, by QEMU, read back by us. */
static void
test_2t_content (DiskFixture *f, gconstpointer data)
{
  const guint64 last = (G_GUINT64_CONSTANT (2) << 40) - 512;
  g_autoptr (VmdkChain) chain = NULL;
  g_autoptr (GError) error = NULL;
  VmdkState state = VMDK_ZERO;
  guint8 buf[512];
  guint64 at = 65536;
  guint64 n;

  disk_run (f, "qemu-img create -q -f vmdk base.vmdk 2T");
  disk_create_child (f, "base.vmdk", "child.vmdk");
  disk_run (f, "qemu-io -t unsafe -f vmdk -c 'write -P 9 2199023255040 512' -c "
               "'write -P 8 0 512' child.vmdk");
  disk_run (f, "qemu-img check -q -f vmdk child.vmdk");
  chain = disk_open_chain (f, "child.vmdk");
  vmdk_chain_read (chain, last, buf, sizeof buf, &error);
  g_assert_no_error (error);
  g_assert_cmpint (buf[0], ==, 9);
  g_assert_cmpint (buf[511], ==, 9);
  while (state == VMDK_ZERO) {
    vmdk_chain_map (chain, at, G_MAXUINT64, &state, &n, &error);
    g_assert_no_error (error);
    at += n;
  }
  g_assert_cmpuint (at - n, ==, last + 512 - 65536);
}

static void
test_names (DiskFixture *f, gconstpointer data)
{
  g_autofree char *long_name = g_strnfill (4000, 'x');
  g_autoptr (MemDir) dir = mem_dir_new ();
  g_autoptr (VmdkSource) dest = mem_dir_open (dir, "child");
  g_autoptr (VmdkLink) base = NULL;
  GError *error = NULL;

  disk_run (f, "qemu-img create -q -f vmdk 'b a s \xc3\xa9.vmdk' 1M");
  disk_create_child (f, "b a s \xc3\xa9.vmdk", "c (1).vmdk");
  disk_run (f, "qemu-img info --backing-chain 'c (1).vmdk'");
  vmdk_chain_free (disk_open_chain (f, "c (1).vmdk"));
  base = disk_open_link (f, "b a s \xc3\xa9.vmdk", FALSE);
  /* Two names of 4000 bytes fit, of 4 KiB and more they do not. */
  g_assert_true (vmdk_create_child (base, long_name, long_name, dest, &error));
  g_free (long_name);
  long_name = g_strnfill (5000, 'x');
  g_assert_false (vmdk_create_child (base, long_name, "child", dest, &error));
  disk_assert_error (error, VIX_E_INVALID_ARG, "5000");
}

static void
test_too_large (DiskFixture *f, gconstpointer data)
{
  static const char text[]
    = "version=1\nCID=1\nparentCID=ffffffff\ncreateType=\"custom\"\n"
      "RW 17592186044416 ZERO\n";
  g_autoptr (MemDir) dir = mem_dir_new ();
  g_autoptr (VmdkSource) dest = mem_dir_open (dir, "child");
  g_autoptr (VmdkLink) base = NULL;
  GError *error = NULL;

  mem_dir_set (dir, "base", text, sizeof text);
  base = vmdk_link_open (mem_dir_get_resolver (dir), NULL, "base",
                         VMDK_ROLE_DISK, FALSE, &error);
  g_assert_no_error (error);
  g_assert_false (vmdk_create_child (base, "base", "child", dest, &error));
  disk_assert_error (error, VIX_E_DISK_NOTSUPPORTED, "too large");
}

static void
test_files (DiskFixture *f, gconstpointer data)
{
  g_autoptr (VmdkLink) link = NULL;
  g_autoptr (GPtrArray) files = NULL;

  disk_run (f, "qemu-img create -q -f vmdk -o "
               "subformat=twoGbMaxExtentSparse base.vmdk 5G");
  link = disk_open_link (f, "base.vmdk", FALSE);
  files = vmdk_link_list_files (link);
  g_assert_cmpuint (files->len, ==, 4);
  g_assert_cmpstr (files->pdata[0], ==, "base.vmdk");
  g_assert_cmpstr (files->pdata[3], ==, "base-s003.vmdk");
  g_assert_false (vmdk_link_is_embedded (link));
  g_assert_true (vmdk_link_can_write (link));
  g_assert_cmpstr (vmdk_link_get_create_type (link), ==,
                   "twoGbMaxExtentSparse");
}

static void
test_new_cids (DiskFixture *f, gconstpointer data)
{
  for (guint i = 0; i < 10000; i++) {
    guint32 cid = vmdk_new_cid ();

    g_assert_cmpuint (cid, >, 0);
    g_assert_cmpuint (cid, <, 0xfffffffe);
  }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (gsize i = 0; i < G_N_ELEMENTS (size_cases); i++) {
    g_autofree char *path
      = g_strconcat ("/vmdk/create/as-qemu-img/", size_cases[i].name, NULL);

    DISK_TEST (path, &size_cases[i], test_header);
  }
  DISK_TEST ("/vmdk/create/costs-only-directories", NULL, test_cost);
  DISK_TEST ("/vmdk/create/2T-is-written-by-qemu", NULL, test_2t_content);
  DISK_TEST ("/vmdk/create/names", NULL, test_names);
  DISK_TEST ("/vmdk/create/too-large-is-refused", NULL, test_too_large);
  DISK_TEST ("/vmdk/create/files-of-a-split-disk", NULL, test_files);
  DISK_TEST ("/vmdk/create/cids-are-not-reserved-ones", NULL, test_new_cids);
  return g_test_run ();
}
