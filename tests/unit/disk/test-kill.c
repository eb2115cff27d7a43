/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A merge is stopped at each of its writes in turn, as by SIGKILL, with and
 * without the last write done in half, and by a power failure that loses any
 * part of what was not synced. The disk that stays must show the same as
 * before, to us and to QEMU; after a repair the merge must go through.
 */
#include <glib/gstdio.h>
#include <string.h>

#include "base/error.h"
#include "disk-fixture.h"
#include "image-writer.h"
#include "mem-dir.h"

typedef struct {
  const char *name;
  guint64 sectors;
  guint32 parent_grain; /* 0: the parent is a flat base */
  guint32 child_grain;
  guint32 per_table;
  gboolean sparse_tables; /* tables are made while merging */
  gboolean into_parent;
  guint max_cuts; /* more writes than this: random ones of them */
} KillCase;

static const KillCase cases[] = {
  { "into-child", 10003, 128, 128, 8, FALSE, FALSE, 200 },
  { "into-child-without-tables", 10003, 128, 128, 8, TRUE, FALSE, 200 },
  { "into-child-of-larger-grains", 10003, 16, 64, 16, FALSE, FALSE, 100 },
  { "into-child-many-tables", 50003, 8, 8, 1, FALSE, FALSE, 12 },
  { "into-parent", 10003, 128, 128, 8, FALSE, TRUE, 200 },
  { "into-parent-without-tables", 10003, 128, 128, 8, TRUE, TRUE, 200 },
  { "into-parent-of-larger-grains", 10003, 64, 16, 16, FALSE, TRUE, 100 },
  { "into-flat-parent", 10003, 0, 128, 8, FALSE, TRUE, 200 },
};

static void
apply (GByteArray *model, const guint8 *content, const guint8 *states,
       guint32 grain)
{
  for (gsize i = 0; i * grain * 512 < model->len; i++) {
    gsize at = i * grain * 512;
    gsize len = MIN (grain * 512, model->len - at);

    if (states[i] == VMDK_DATA)
      memcpy (model->data + at, content + at, len);
    if (states[i] == VMDK_ZERO)
      memset (model->data + at, 0, len);
  }
}

/* The header word that says whether tables know zeros: off, so that zeros
 * must be written. */
static void
forget_zero_flag (GByteArray *image)
{
  image_put32 (image, 4, 1);
  image_put32 (image, 8, image_get32 (image, 8) & ~4u);
}

static void
add_sparse (DiskFixture *f, MemDir *dir, const KillCase *c, guint32 cid,
            const char *name, const char *parent, guint32 grain,
            GByteArray *model)
{
  gboolean zeros = strcmp (name, "c") == 0 ? c->into_parent : !c->into_parent;
  guint64 n = image_count_grains (c->sectors, grain);
  g_autofree guint8 *content = image_random_content (f->rand, c->sectors);
  g_autofree guint8 *states = image_random_states (f->rand, n, zeros);
  g_autofree char *text
    = image_descriptor (cid, parent != NULL ? cid - 1 : VMDK_NO_PARENT_CID,
                        parent, "monolithicSparse", c->sectors, "SPARSE", name);
  ImageSpec spec = { IMAGE_SPARSE, c->sectors, grain, c->per_table,
                     content,      states,     text,  c->sparse_tables };
  g_autoptr (GByteArray) image = NULL;

  /* Tables without any grain. */
  memset (states + n / 3, VMDK_UNALLOCATED, n / 3);
  image = image_write (&spec);
  if (!zeros)
    forget_zero_flag (image);
  mem_dir_set (dir, name, image->data, image->len);
  apply (model, content, states, grain);
}

static void
add_flat (DiskFixture *f, MemDir *dir, const KillCase *c, GByteArray *model)
{
  g_autofree guint8 *content = image_random_content (f->rand, c->sectors);
  g_autofree char *text
    = image_descriptor (2, VMDK_NO_PARENT_CID, NULL, "monolithicFlat",
                        c->sectors, "FLAT", "f-flat");

  mem_dir_set (dir, "f-flat", content, c->sectors * 512);
  mem_dir_set (dir, "f", text, strlen (text));
  memcpy (model->data, content, model->len);
}

/* base <- f <- c, or a flat f <- c. */
static MemDir *
make_chain (DiskFixture *f, const KillCase *c, GByteArray *model)
{
  MemDir *dir = mem_dir_new ();

  if (c->parent_grain == 0)
    add_flat (f, dir, c, model);
  else {
    add_sparse (f, dir, c, 1, "base", NULL, 128, model);
    add_sparse (f, dir, c, 2, "f", "base", c->parent_grain, model);
  }
  add_sparse (f, dir, c, 3, "c", "f", c->child_grain, model);
  return dir;
}

static gboolean
merge (MemDir *dir, const KillCase *c, gboolean repair, GError **error)
{
  VmdkResolver *resolver = mem_dir_get_resolver (dir);
  g_autoptr (VmdkLink) parent = vmdk_link_open (
    resolver, NULL, "f", VMDK_ROLE_DISK, c->into_parent, error);
  g_autoptr (VmdkLink) child = vmdk_link_open (
    resolver, NULL, "c", VMDK_ROLE_DISK, !c->into_parent, error);
  g_autoptr (VmdkChain) below = NULL;

  g_assert_nonnull (parent);
  g_assert_nonnull (child);
  if (c->parent_grain != 0) {
    below = vmdk_chain_open (resolver, NULL, "base", error);
    vmdk_merge_set_below (parent, below);
  }
  if (repair
      && !vmdk_link_repair_tables (c->into_parent ? parent : child, error))
    return FALSE;
  if (!c->into_parent)
    return vmdk_merge_into_child (parent, child, NULL, error);
  return vmdk_merge_reserve_parent (parent, child, error)
         && vmdk_merge_into_parent (parent, child, NULL, error);
}

static void
assert_shows (MemDir *dir, const char *name, const GByteArray *model)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (VmdkChain) chain
    = vmdk_chain_open (mem_dir_get_resolver (dir), NULL, name, &error);
  g_autofree guint8 *buf = g_malloc (model->len);

  g_assert_no_error (error);
  vmdk_chain_read (chain, 0, buf, model->len, &error);
  g_assert_no_error (error);
  g_assert_true (memcmp (buf, model->data, model->len) == 0);
}

static void
assert_shows_to_qemu (DiskFixture *f, MemDir *dir, const char *name,
                      const GByteArray *model)
{
  mem_dir_save (dir, f->dir);
  disk_assert_qemu (f, name, model);
}

typedef enum { KILL, KILL_TORN, POWER_FAILURE, N_WAYS } Way;

static void
cut_at (DiskFixture *f, MemDir *start, const KillCase *c,
        const GByteArray *model, guint n, Way way, gboolean ask_qemu)
{
  g_autoptr (MemDir) dir = mem_dir_copy (start);
  g_autoptr (GError) error = NULL;

  mem_dir_stop_after (dir, n, way == KILL_TORN);
  g_assert_false (merge (dir, c, FALSE, &error));
  g_assert_error (error, VIX_ERROR, VIX_E_FILE_ERROR);
  g_clear_error (&error);
  if (way == POWER_FAILURE)
    mem_dir_lose_unsynced (dir, f->rand);
  mem_dir_stop_after (dir, G_MAXUINT, FALSE);
  assert_shows (dir, "c", model);
  if (ask_qemu)
    assert_shows_to_qemu (f, dir, "c", model);
  merge (dir, c, TRUE, &error);
  g_assert_no_error (error);
  assert_shows (dir, "c", model);
  if (c->into_parent)
    assert_shows (dir, "f", model);
  if (ask_qemu)
    assert_shows_to_qemu (f, dir, c->into_parent ? "f" : "c", model);
}

static void
test_kill (DiskFixture *f, gconstpointer data)
{
  const KillCase *c = data;
  g_autoptr (GByteArray) model = disk_model_new (c->sectors * 512);
  g_autoptr (MemDir) start = make_chain (f, c, model);
  g_autoptr (MemDir) whole = mem_dir_copy (start);
  g_autoptr (GError) error = NULL;
  guint n_changes;
  guint n_cuts;

  assert_shows (start, "c", model);
  mem_dir_stop_after (whole, G_MAXUINT, FALSE);
  merge (whole, c, FALSE, &error);
  g_assert_no_error (error);
  n_changes = mem_dir_count_changes (whole);
  assert_shows (whole, "c", model);
  n_cuts = MIN (n_changes, c->max_cuts);
  g_test_message ("%u writes, cut at %u", n_changes, n_cuts);
  for (guint i = 0; i < n_cuts; i++) {
    guint n = i;

    if (n_cuts < n_changes)
      n = (guint)g_rand_int_range (f->rand, 0, (gint32)n_changes);
    for (Way way = KILL; way < N_WAYS; way++)
      cut_at (f, start, c, model, n, way, way == KILL && i % 16 == 15);
  }
  /* The last writes are those of the tables: each of them, always. */
  for (guint i = 1; i <= MIN (n_changes, MIN (c->max_cuts, 12)); i++)
    for (Way way = KILL; way < N_WAYS; way++)
      cut_at (f, start, c, model, n_changes - i, way,
              way == KILL && i % 4 == 0);
}

static void
test_repair_is_asked_for (DiskFixture *f, gconstpointer data)
{
  const KillCase *c = &cases[0];
  g_autoptr (GByteArray) model = disk_model_new (c->sectors * 512);
  g_autoptr (MemDir) dir = make_chain (f, c, model);
  GError *error = NULL;

  mem_dir_stop_after (dir, 4, FALSE);
  g_assert_false (merge (dir, c, FALSE, NULL));
  mem_dir_stop_after (dir, G_MAXUINT, FALSE);
  g_assert_false (merge (dir, c, FALSE, &error));
  disk_assert_error (error, VIX_E_DISK_NEEDSREPAIR, "interrupted");
  g_assert_true (merge (dir, c, TRUE, NULL));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autofree char *path = g_strconcat ("/vmdk/kill/", cases[i].name, NULL);

    DISK_TEST (path, &cases[i], test_kill);
  }
  DISK_TEST ("/vmdk/kill/repair-is-asked-for", NULL, test_repair_is_asked_for);
  return g_test_run ();
}
