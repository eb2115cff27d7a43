/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Merging in both directions, over bases of every kind: what each remaining
 * disk shows must not change, to us and to QEMU.
 */
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/error.h"
#include "disk-fixture.h"
#include "disk/link-private.h"
#include "image-writer.h"
#include "mem-dir.h"

/* Two grain tables, the last grain short. */
#define DISK_BYTES ((38u << 20) + 5 * 512)
#define N_CHILDREN 4u

typedef struct {
  const char *name;
  const char *options; /* of qemu-img create */
  gboolean stream;     /* then made stream-optimized */
} BaseKind;

static const BaseKind base_kinds[] = {
  { "sparse", "subformat=monolithicSparse", FALSE },
  { "zeroed-grain", "subformat=monolithicSparse,zeroed_grain=on", FALSE },
  { "flat", "subformat=monolithicFlat", FALSE },
  { "split-flat", "subformat=twoGbMaxExtentFlat", FALSE },
  { "split-sparse", "subformat=twoGbMaxExtentSparse", FALSE },
  { "stream", "subformat=monolithicSparse", TRUE },
};

/* The disks of a chain, oldest first, and what each should show. */
typedef struct {
  char *names[N_CHILDREN + 1];
  GByteArray *models[N_CHILDREN + 1];
  guint n;
} Series;

static void
series_clear (Series *s)
{
  for (guint i = 0; i < s->n; i++) {
    g_free (s->names[i]);
    g_byte_array_unref (s->models[i]);
  }
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Series, series_clear)

static void
make_base (DiskFixture *f, const BaseKind *kind, GByteArray *model)
{
  disk_run (f, "qemu-img create -q -f vmdk -o %s base.vmdk %u", kind->options,
            DISK_BYTES);
  disk_write_random (f, "base.vmdk", model, 20);
  if (!kind->stream)
    return;
  disk_run (f, "qemu-img convert -O vmdk -o subformat=streamOptimized "
               "base.vmdk stream.vmdk");
  disk_run (f, "mv stream.vmdk base.vmdk");
}

static void
make_series (DiskFixture *f, const BaseKind *kind, Series *s)
{
  s->n = N_CHILDREN + 1;
  s->names[0] = g_strdup ("base.vmdk");
  s->models[0] = disk_model_new (DISK_BYTES);
  make_base (f, kind, s->models[0]);
  for (guint i = 1; i < s->n; i++) {
    s->names[i] = g_strdup_printf ("child-%u.vmdk", i);
    s->models[i] = disk_model_copy (s->models[i - 1]);
    disk_create_child (f, s->names[i - 1], s->names[i]);
    disk_write_random (f, s->names[i], s->models[i], 12);
  }
}

static void
series_drop (DiskFixture *f, Series *s, guint file, guint model)
{
  g_autofree char *path = disk_path (f, s->names[file]);

  g_assert_cmpint (g_unlink (path), ==, 0);
  g_free (s->names[file]);
  g_byte_array_unref (s->models[model]);
  for (guint i = file; i + 1 < s->n; i++)
    s->names[i] = s->names[i + 1];
  for (guint i = model; i + 1 < s->n; i++)
    s->models[i] = s->models[i + 1];
  s->n--;
}

static void
series_assert (DiskFixture *f, const Series *s)
{
  for (guint i = 0; i < s->n; i++)
    disk_assert_content (f, s->names[i], s->models[i]);
}

/* In between, our own reading is enough: QEMU takes its time. */
static void
series_assert_chains (DiskFixture *f, const Series *s)
{
  for (guint i = 0; i < s->n; i++)
    disk_assert_chain (f, s->names[i], s->models[i]);
}

static guint64
file_size (DiskFixture *f, const char *name)
{
  g_autofree char *path = disk_path (f, name);
  GStatBuf st;

  g_assert_cmpint (g_stat (path, &st), ==, 0);
  return (guint64)st.st_size;
}

/* The state of disk @i goes, its data into disk @i + 1. */
static void
merge_into_child (DiskFixture *f, Series *s, guint i)
{
  g_autoptr (VmdkLink) parent = disk_open_link (f, s->names[i], FALSE);
  g_autoptr (VmdkLink) child = disk_open_link (f, s->names[i + 1], TRUE);
  guint64 before = file_size (f, s->names[i + 1]);
  g_autoptr (GError) error = NULL;
  guint64 into_child;
  guint64 into_parent;

  vmdk_merge_cost (parent, child, &into_child, &into_parent, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (into_child, >, 0);
  vmdk_merge_into_child (parent, child, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (file_size (f, s->names[i + 1]), ==, before + into_child);
  disk_set_identity (f, s->names[i + 1], vmdk_link_get_cid (child),
                     vmdk_link_get_parent_cid (parent),
                     vmdk_link_get_parent_hint (parent));
  series_drop (f, s, i, i);
}

/* The same, but the data of disk @i + 1 goes into disk @i. */
static void
merge_into_parent (DiskFixture *f, Series *s, guint i)
{
  g_autoptr (VmdkLink) parent = disk_open_link (f, s->names[i], TRUE);
  g_autoptr (VmdkLink) child = disk_open_link (f, s->names[i + 1], FALSE);
  g_autoptr (GError) error = NULL;

  vmdk_merge_reserve_parent (parent, child, &error);
  g_assert_no_error (error);
  vmdk_merge_into_parent (parent, child, NULL, &error);
  g_assert_no_error (error);
  disk_set_identity (f, s->names[i], vmdk_link_get_cid (child),
                     vmdk_link_get_parent_cid (parent),
                     vmdk_link_get_parent_hint (parent));
  if (i + 2 < s->n) {
    g_autoptr (VmdkLink) next = disk_open_link (f, s->names[i + 2], FALSE);

    disk_set_identity (f, s->names[i + 2], vmdk_link_get_cid (next),
                       vmdk_link_get_parent_cid (next), s->names[i]);
  }
  series_drop (f, s, i + 1, i);
}

static void
test_into_child (DiskFixture *f, gconstpointer data)
{
  g_auto (Series) s = { 0 };

  make_series (f, data, &s);
  merge_into_child (f, &s, 2);
  series_assert_chains (f, &s);
  merge_into_child (f, &s, 1);
  series_assert_chains (f, &s);
  /* Writes on top of it, by QEMU. */
  disk_write_random (f, s.names[2], s.models[2], 10);
  series_assert (f, &s);
}

/* The base's role moves into a sparse child. */
static void
test_base_into_child (DiskFixture *f, gconstpointer data)
{
  g_auto (Series) s = { 0 };
  g_autoptr (VmdkLink) base = NULL;

  make_series (f, data, &s);
  merge_into_child (f, &s, 0);
  series_assert (f, &s);
  base = disk_open_link (f, s.names[0], FALSE);
  g_assert_null (vmdk_link_get_parent_hint (base));
  g_assert_cmpstr (
    vmdk_descriptor_get_ddb (base->descriptor, "ddb.geometry.heads"), ==, "16");
}

static void
test_into_parent (DiskFixture *f, gconstpointer data)
{
  g_auto (Series) s = { 0 };

  make_series (f, data, &s);
  merge_into_parent (f, &s, 1);
  series_assert_chains (f, &s);
  merge_into_parent (f, &s, 0);
  series_assert_chains (f, &s);
  merge_into_parent (f, &s, 0);
  series_assert_chains (f, &s);
  disk_write_random (f, s.names[1], s.models[1], 10);
  series_assert (f, &s);
}

static void
test_stream_target (DiskFixture *f, gconstpointer data)
{
  g_auto (Series) s = { 0 };
  g_autoptr (VmdkLink) parent = NULL;
  g_autoptr (VmdkLink) child = NULL;
  guint64 into_child;
  guint64 into_parent;
  GError *error = NULL;

  make_series (f, &base_kinds[5], &s);
  parent = disk_open_link (f, s.names[0], FALSE);
  child = disk_open_link (f, s.names[1], FALSE);
  g_assert_true (
    vmdk_merge_cost (parent, child, &into_child, &into_parent, NULL));
  g_assert_cmpuint (into_parent, ==, G_MAXUINT64);
  g_assert_cmpuint (into_child, <, G_MAXUINT64);
  g_assert_false (vmdk_merge_into_parent (parent, child, NULL, &error));
  disk_assert_error (error, VIX_E_FILE_READ_ONLY, "base.vmdk");
}

/* --- zeros ------------------------------------------------------------- */

static void
make_zero_child (DiskFixture *f, const char *base_options, GByteArray *base,
                 GByteArray *child)
{
  disk_run (f, "qemu-img create -q -f vmdk -o %s base.vmdk %u", base_options,
            DISK_BYTES);
  disk_write_random (f, "base.vmdk", base, 30);
  g_byte_array_set_size (child, 0);
  g_byte_array_append (child, base->data, base->len);
  disk_run (f, "qemu-img create -q -f vmdk -b base.vmdk -F vmdk -o "
               "zeroed_grain=on zero.vmdk");
  disk_run (
    f, "qemu-io -t unsafe -f vmdk -c 'write -z 0 20M' -c 'write -z 32M 3M' "
       "zero.vmdk");
  memset (child->data, 0, 20 << 20);
  memset (child->data + (32 << 20), 0, 3 << 20);
  disk_write_random (f, "zero.vmdk", child, 5);
}

/* Zeros that hide the parent, into bases with and without a word for them. */
static void
test_zeros_into_parent (DiskFixture *f, gconstpointer data)
{
  const BaseKind *kind = data;
  g_auto (Series) s = { .n = 2 };

  s.names[0] = g_strdup ("base.vmdk");
  s.names[1] = g_strdup ("zero.vmdk");
  s.models[0] = disk_model_new (DISK_BYTES);
  s.models[1] = disk_model_new (0);
  make_zero_child (f, kind->options, s.models[0], s.models[1]);
  merge_into_parent (f, &s, 0);
  series_assert (f, &s);
}

/* Zeros between a base and a child without a word for them. */
static void
test_zeros_through_deltas (DiskFixture *f, gconstpointer data)
{
  gboolean into_child = GPOINTER_TO_INT (data);
  g_auto (Series) s = { .n = 4 };

  s.names[0] = g_strdup ("base.vmdk");
  s.names[1] = g_strdup (into_child ? "zero.vmdk" : "plain.vmdk");
  s.names[2] = g_strdup (into_child ? "plain.vmdk" : "zero.vmdk");
  s.names[3] = g_strdup ("top.vmdk");
  s.models[0] = disk_model_new (DISK_BYTES);
  s.models[1] = disk_model_new (0);
  make_zero_child (f, "subformat=monolithicSparse", s.models[0], s.models[1]);
  if (into_child) {
    s.models[2] = disk_model_copy (s.models[1]);
    disk_create_child (f, "zero.vmdk", "plain.vmdk");
    disk_write_random (f, "plain.vmdk", s.models[2], 5);
  } else {
    /* A delta of ours slipped in between: it holds nothing yet. */
    g_autoptr (VmdkLink) plain = NULL;
    g_autoptr (VmdkLink) zero = disk_open_link (f, "zero.vmdk", FALSE);

    s.models[2] = s.models[1];
    s.models[1] = disk_model_copy (s.models[0]);
    disk_create_child (f, "base.vmdk", "plain.vmdk");
    plain = disk_open_link (f, "plain.vmdk", FALSE);
    disk_set_identity (f, "zero.vmdk", vmdk_link_get_cid (zero),
                       vmdk_link_get_cid (plain), "plain.vmdk");
  }
  s.models[3] = disk_model_copy (s.models[2]);
  disk_create_child (f, s.names[2], "top.vmdk");
  disk_write_random (f, "top.vmdk", s.models[3], 5);
  series_assert_chains (f, &s);
  if (into_child)
    merge_into_child (f, &s, 1);
  else
    merge_into_parent (f, &s, 1);
  series_assert (f, &s);
}

static void
test_holes_stay (DiskFixture *f, gconstpointer data)
{
  g_autofree char *path = disk_path (f, "base-flat.vmdk");
  g_auto (Series) s = { .n = 2 };
  GStatBuf st;

  disk_run (f,
            "qemu-img create -q -f vmdk -o subformat=monolithicFlat "
            "base.vmdk %u",
            DISK_BYTES);
  s.names[0] = g_strdup ("base.vmdk");
  s.names[1] = g_strdup ("child.vmdk");
  s.models[0] = disk_model_new (DISK_BYTES);
  disk_create_child (f, "base.vmdk", "child.vmdk");
  s.models[1] = disk_model_new (DISK_BYTES);
  disk_write (f, "child.vmdk", s.models[1], 30 << 20, 1 << 20, 77);
  merge_into_parent (f, &s, 0);
  series_assert (f, &s);
  g_assert_cmpint (g_stat (path, &st), ==, 0);
  g_assert_cmpint (st.st_blocks * 512, <, 3 << 20);
}

/* Zeros give space back to a thin file, and take none from a thick one. */
static void
test_zeros_thin_and_thick (DiskFixture *f, gconstpointer data)
{
  gboolean thick = GPOINTER_TO_INT (data);
  g_autofree char *path = disk_path (f, "base-flat.vmdk");
  g_auto (Series) s = { .n = 2 };
  GStatBuf before;
  GStatBuf after;

  s.names[0] = g_strdup ("base.vmdk");
  s.names[1] = g_strdup ("zero.vmdk");
  s.models[0] = disk_model_new (DISK_BYTES);
  s.models[1] = disk_model_new (0);
  make_zero_child (f, "subformat=monolithicFlat", s.models[0], s.models[1]);
  if (thick) {
    disk_run (f, "cp --sparse=never base-flat.vmdk thick");
    disk_run (f, "mv thick base-flat.vmdk");
  }
  disk_run (f, "sync base-flat.vmdk");
  g_assert_cmpint (g_stat (path, &before), ==, 0);
  merge_into_parent (f, &s, 0);
  series_assert (f, &s);
  g_assert_cmpint (g_stat (path, &after), ==, 0);
  if (thick)
    g_assert_cmpint (after.st_blocks, >=, before.st_blocks);
  else
    g_assert_cmpint (after.st_blocks, <, before.st_blocks);
}

/* --- grains that do not fit -------------------------------------------- */

typedef struct {
  const char *name;
  guint32 parent_grain;
  guint32 child_grain;
  gboolean into_parent;
  guint32 below; /* sectors of another link below; 0: none */
} GrainCase;

#define GRAIN_SECTORS 30001u

static const GrainCase grain_cases[] = {
  { "small-base-into-large-child", 16, 128, FALSE, 0 },
  { "small-delta-into-large-child", 16, 128, FALSE, GRAIN_SECTORS },
  { "large-delta-into-small-child", 128, 16, FALSE, GRAIN_SECTORS },
  { "small-child-into-large-base", 128, 16, TRUE, 0 },
  { "small-child-into-large-delta", 128, 16, TRUE, GRAIN_SECTORS },
  { "large-child-into-small-delta", 16, 128, TRUE, GRAIN_SECTORS },
  { "small-delta-of-shorter-into-large-child", 16, 128, FALSE, 15003 },
  { "small-child-into-large-delta-of-shorter", 128, 16, TRUE, 15003 },
  { "small-child-into-large-delta-of-longer", 128, 16, TRUE, 40000 },
};

static void
write_grain_link (DiskFixture *f, const char *name, guint32 cid,
                  const char *parent, guint32 sectors, guint32 grain,
                  GByteArray *model)
{
  guint64 n = image_count_grains (sectors, grain);
  g_autofree guint8 *content = image_random_content (f->rand, sectors);
  g_autofree guint8 *states = image_random_states (f->rand, n, TRUE);
  g_autofree char *text
    = image_descriptor (cid, parent != NULL ? cid - 1 : VMDK_NO_PARENT_CID,
                        parent, "monolithicSparse", sectors, "SPARSE", name);
  ImageSpec spec
    = { IMAGE_SPARSE, sectors, grain, 512, content, states, text, FALSE };
  g_autoptr (MemDir) dir = mem_dir_new ();
  g_autoptr (GByteArray) image = image_write (&spec);

  mem_dir_set (dir, name, image->data, image->len);
  mem_dir_save (dir, f->dir);
  for (guint64 i = 0; i < n; i++) {
    gsize at = i * grain * 512;
    gsize end = MIN (at + grain * 512, MIN (sectors * 512, model->len));
    gsize len = end - MIN (at, end);

    if (states[i] == VMDK_DATA)
      memcpy (model->data + at, content + at, len);
    if (states[i] == VMDK_ZERO)
      memset (model->data + at, 0, len);
  }
}

static void
run_grain_merge (DiskFixture *f, const GrainCase *c)
{
  g_autoptr (VmdkLink) parent = disk_open_link (f, "f.vmdk", c->into_parent);
  g_autoptr (VmdkLink) child = disk_open_link (f, "c.vmdk", !c->into_parent);
  g_autoptr (VmdkChain) below
    = c->below > 0 ? disk_open_chain (f, "below.vmdk") : NULL;
  gboolean needs = c->below > 0
                   && (c->into_parent ? c->child_grain < c->parent_grain
                                      : c->parent_grain < c->child_grain);
  g_autoptr (GError) error = NULL;
  guint64 costs[2];

  vmdk_merge_cost (parent, child, &costs[0], &costs[1], &error);
  g_assert_no_error (error);
  g_assert_cmpint (costs[c->into_parent] == G_MAXUINT64, ==, needs);
  vmdk_merge_set_below (parent, below);
  vmdk_merge_cost (parent, child, &costs[0], &costs[1], &error);
  g_assert_no_error (error);
  g_assert_cmpuint (costs[c->into_parent], <, G_MAXUINT64);
  if (c->into_parent)
    vmdk_merge_into_parent (parent, child, NULL, &error);
  else
    vmdk_merge_into_child (parent, child, NULL, &error);
  g_assert_no_error (error);
}

static void
test_grains (DiskFixture *f, gconstpointer data)
{
  const GrainCase *c = data;
  g_autoptr (GByteArray) model = disk_model_new (GRAIN_SECTORS * 512);
  const char *bottom = c->below > 0 ? "below.vmdk" : NULL;

  if (c->below > 0)
    write_grain_link (f, "below.vmdk", 1, NULL, c->below, 64, model);
  write_grain_link (f, "f.vmdk", 2, bottom, GRAIN_SECTORS, c->parent_grain,
                    model);
  write_grain_link (f, "c.vmdk", 3, "f.vmdk", GRAIN_SECTORS, c->child_grain,
                    model);
  disk_assert_content (f, "c.vmdk", model);
  run_grain_merge (f, c);
  disk_assert_content (f, "c.vmdk", model);
  if (c->into_parent)
    disk_assert_content (f, "f.vmdk", model);
  else {
    disk_set_identity (f, "c.vmdk", 3, c->below > 0 ? 1 : VMDK_NO_PARENT_CID,
                       bottom);
    disk_assert_content (f, "c.vmdk", model);
  }
}

/* Neither can take what the other holds behind its end. */
static void
test_other_capacity (DiskFixture *f, gconstpointer data)
{
  g_autoptr (VmdkLink) parent = NULL;
  g_autoptr (VmdkLink) child = NULL;
  GError *error = NULL;

  disk_run (f, "qemu-img create -q -f vmdk f.vmdk 2M");
  disk_run (f, "qemu-img create -q -f vmdk -b f.vmdk -F vmdk c.vmdk %s",
            (const char *)data);
  parent = disk_open_link (f, "f.vmdk", TRUE);
  child = disk_open_link (f, "c.vmdk", TRUE);
  g_assert_false (vmdk_merge_into_child (parent, child, NULL, &error));
  disk_assert_error (error, VIX_E_DISK_CAPACITY_MISMATCH, "f.vmdk");
  error = NULL;
  g_assert_false (vmdk_merge_reserve_parent (parent, child, &error));
  disk_assert_error (error, VIX_E_DISK_CAPACITY_MISMATCH, "f.vmdk");
  error = NULL;
  g_assert_false (vmdk_merge_into_parent (parent, child, NULL, &error));
  disk_assert_error (error, VIX_E_DISK_CAPACITY_MISMATCH, "f.vmdk");
}

/* --- space, cancelling, soundness -------------------------------------- */

typedef struct {
  GCancellable *cancellable;
  int last;
} Progress;

static void
cancel_at_half (gpointer data, int percent)
{
  Progress *progress = data;

  g_assert_cmpint (percent, >=, progress->last);
  progress->last = percent;
  if (percent >= 50 && progress->cancellable != NULL)
    g_cancellable_cancel (progress->cancellable);
}

static void
test_cancel (DiskFixture *f, gconstpointer data)
{
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  Progress progress = { cancellable, 0 };
  VmdkMergeControl control = { cancellable, cancel_at_half, &progress };
  g_autoptr (VmdkLink) parent = NULL;
  g_autoptr (VmdkLink) child = NULL;
  g_auto (Series) s = { 0 };
  GError *error = NULL;

  make_series (f, &base_kinds[0], &s);
  parent = disk_open_link (f, s.names[1], FALSE);
  child = disk_open_link (f, s.names[2], TRUE);
  g_assert_false (vmdk_merge_into_child (parent, child, &control, &error));
  disk_assert_error (error, VIX_E_CANCELLED, "");
  g_assert_cmpint (progress.last, <, 100);
  g_clear_pointer (&child, vmdk_link_free);
  series_assert (f, &s);
  /* And once more, to the end; no repair is needed. */
  progress = (Progress){ NULL, 0 };
  control.cancellable = NULL;
  child = disk_open_link (f, s.names[2], TRUE);
  g_assert_true (vmdk_merge_into_child (parent, child, &control, NULL));
  g_assert_cmpint (progress.last, ==, 100);
  series_assert (f, &s);
  disk_set_identity (f, s.names[2], vmdk_link_get_cid (child),
                     vmdk_link_get_parent_cid (parent),
                     vmdk_link_get_parent_hint (parent));
  series_drop (f, &s, 1, 1);
  series_assert (f, &s);
}

/* A small chain in memory: base, f, c with grains of 64 KiB here and there. */
static MemDir *
make_mem_chain (GRand *rand, guint64 sectors)
{
  static const char *const names[] = { "base", "f", "c" };
  MemDir *dir = mem_dir_new ();

  for (guint i = 0; i < 3; i++) {
    guint64 n = image_count_grains (sectors, 128);
    g_autofree guint8 *content = image_random_content (rand, sectors);
    g_autofree guint8 *states = image_random_states (rand, n, FALSE);
    g_autofree char *text = image_descriptor (
      i, i > 0 ? i - 1 : VMDK_NO_PARENT_CID, i > 0 ? names[i - 1] : NULL,
      "monolithicSparse", sectors, "SPARSE", names[i]);
    ImageSpec spec
      = { IMAGE_SPARSE, sectors, 128, 512, content, states, text, FALSE };
    g_autoptr (GByteArray) image = image_write (&spec);

    mem_dir_set (dir, names[i], image->data, image->len);
  }
  return dir;
}

static VmdkLink *
open_mem (MemDir *dir, const char *name, gboolean writable)
{
  g_autoptr (GError) error = NULL;
  VmdkLink *link = vmdk_link_open (mem_dir_get_resolver (dir), NULL, name,
                                   VMDK_ROLE_DISK, writable, &error);

  g_assert_no_error (error);
  return link;
}

static void
test_disk_full (DiskFixture *f, gconstpointer data)
{
  gboolean into_parent = GPOINTER_TO_INT (data);
  const char *target = into_parent ? "f" : "c";
  g_autoptr (MemDir) dir = make_mem_chain (f->rand, 20000);
  g_autoptr (VmdkLink) parent = open_mem (dir, "f", into_parent);
  g_autoptr (VmdkLink) child = open_mem (dir, "c", !into_parent);
  g_autoptr (GByteArray) before = disk_model_copy (mem_dir_get (dir, target));
  const GByteArray *after = mem_dir_get (dir, target);
  guint64 costs[2];
  GError *error = NULL;
  gboolean ok;

  g_assert_true (vmdk_merge_cost (parent, child, &costs[0], &costs[1], NULL));
  g_assert_cmpuint (costs[into_parent], >, 1 << 20);
  mem_dir_set_free_space (dir, (1 << 20) - 1);
  if (into_parent)
    ok = vmdk_merge_reserve_parent (parent, child, &error);
  else
    ok = vmdk_merge_into_child (parent, child, NULL, &error);
  g_assert_false (ok);
  disk_assert_error (error, VIX_E_DISK_FULL, target);
  g_assert_cmpmem (before->data, before->len, after->data, after->len);
}

/* Reserved for two children, then merged one after the other with not a byte
 * to spare; the first merge must not give away what the second needs. */
static void
test_reservations_add_up (DiskFixture *f, gconstpointer data)
{
  g_autoptr (MemDir) dir = make_mem_chain (f->rand, 20000);
  g_autoptr (VmdkLink) base = open_mem (dir, "base", TRUE);
  g_autoptr (VmdkLink) middle = open_mem (dir, "f", FALSE);
  g_autoptr (VmdkLink) top = open_mem (dir, "c", FALSE);
  g_autoptr (GError) error = NULL;
  guint64 need[2];
  guint64 unused;

  g_assert_true (vmdk_merge_cost (base, middle, &unused, &need[0], NULL));
  g_assert_true (vmdk_merge_cost (base, top, &unused, &need[1], NULL));
  mem_dir_set_free_space (dir, need[0] + need[1]);
  vmdk_merge_reserve_parent (base, middle, &error);
  g_assert_no_error (error);
  vmdk_merge_reserve_parent (base, top, &error);
  g_assert_no_error (error);
  mem_dir_set_free_space (dir, 0);
  vmdk_merge_into_parent (base, middle, NULL, &error);
  g_assert_no_error (error);
  mem_dir_set_free_space (dir, 0); /* somebody else took what was given back */
  vmdk_merge_into_parent (base, top, NULL, &error);
  g_assert_no_error (error);
  vmdk_merge_release_parent (base, &error);
  g_assert_no_error (error);
}

static void
test_reservation_is_given_back (DiskFixture *f, gconstpointer data)
{
  g_autofree char *path = disk_path (f, "base-flat.vmdk");
  g_autoptr (VmdkLink) parent = NULL;
  g_autoptr (VmdkLink) child = NULL;
  g_autoptr (GByteArray) model = disk_model_new (DISK_BYTES);
  g_autoptr (GError) error = NULL;
  GStatBuf st;

  disk_run (f,
            "qemu-img create -q -f vmdk -o subformat=monolithicFlat "
            "base.vmdk %u",
            DISK_BYTES);
  disk_create_child (f, "base.vmdk", "child.vmdk");
  disk_write (f, "child.vmdk", model, 10 << 20, 20 << 20, 5);
  parent = disk_open_link (f, "base.vmdk", TRUE);
  child = disk_open_link (f, "child.vmdk", FALSE);
  vmdk_merge_reserve_parent (parent, child, &error);
  g_assert_no_error (error);
  g_assert_cmpint (g_stat (path, &st), ==, 0);
  g_assert_cmpint (st.st_blocks * 512, >=, 20 << 20);
  vmdk_merge_release_parent (parent, &error);
  g_assert_no_error (error);
  g_assert_cmpint (g_stat (path, &st), ==, 0);
  g_assert_cmpint (st.st_blocks * 512, <, 1 << 20);
  disk_assert_content (f, "child.vmdk", model);
}

static void
test_sparse_reservation_is_given_back (DiskFixture *f, gconstpointer data)
{
  g_autofree char *path = disk_path (f, "child-1.vmdk");
  g_autoptr (VmdkLink) parent = NULL;
  g_autoptr (VmdkLink) child = NULL;
  g_auto (Series) s = { 0 };
  GStatBuf before;
  GStatBuf during;
  GStatBuf after;

  make_series (f, &base_kinds[0], &s);
  disk_write (f, s.names[2], s.models[2], 0, 8 << 20, 9);
  disk_run (f, "sync child-1.vmdk");
  g_assert_cmpint (g_stat (path, &before), ==, 0);
  parent = disk_open_link (f, s.names[1], TRUE);
  child = disk_open_link (f, s.names[2], FALSE);
  g_assert_true (vmdk_merge_reserve_parent (parent, child, NULL));
  g_assert_cmpint (g_stat (path, &during), ==, 0);
  g_assert_cmpint (during.st_size, ==, before.st_size);
  g_assert_cmpint (during.st_blocks * 512, >=,
                   before.st_blocks * 512 + (7 << 20));
  g_assert_true (vmdk_merge_release_parent (parent, NULL));
  g_assert_cmpint (g_stat (path, &after), ==, 0);
  g_assert_cmpint (after.st_size, ==, before.st_size);
  g_assert_cmpint (after.st_blocks, <=, before.st_blocks);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (gsize i = 0; i < G_N_ELEMENTS (base_kinds); i++) {
    const BaseKind *kind = &base_kinds[i];
    g_autofree char *a
      = g_strconcat ("/vmdk/merge/into-child/on-", kind->name, NULL);
    g_autofree char *b
      = g_strconcat ("/vmdk/merge/base-into-child/", kind->name, NULL);
    g_autofree char *c
      = g_strconcat ("/vmdk/merge/into-parent/", kind->name, NULL);
    g_autofree char *d
      = g_strconcat ("/vmdk/merge/zeros-into-parent/", kind->name, NULL);

    DISK_TEST (a, kind, test_into_child);
    DISK_TEST (b, kind, test_base_into_child);
    if (!kind->stream) {
      DISK_TEST (c, kind, test_into_parent);
      DISK_TEST (d, kind, test_zeros_into_parent);
    }
  }
  for (gsize i = 0; i < G_N_ELEMENTS (grain_cases); i++) {
    g_autofree char *path
      = g_strconcat ("/vmdk/merge/grains/", grain_cases[i].name, NULL);

    DISK_TEST (path, &grain_cases[i], test_grains);
  }
  DISK_TEST ("/vmdk/merge/stream-optimized-is-no-target", NULL,
             test_stream_target);
  DISK_TEST ("/vmdk/merge/zeros-of-a-delta-into-child", GINT_TO_POINTER (TRUE),
             test_zeros_through_deltas);
  DISK_TEST ("/vmdk/merge/zeros-into-a-delta", GINT_TO_POINTER (FALSE),
             test_zeros_through_deltas);
  DISK_TEST ("/vmdk/merge/holes-of-a-flat-base-stay", NULL, test_holes_stay);
  DISK_TEST ("/vmdk/merge/zeros-shrink-a-thin-base", GINT_TO_POINTER (FALSE),
             test_zeros_thin_and_thick);
  DISK_TEST ("/vmdk/merge/zeros-keep-a-thick-base", GINT_TO_POINTER (TRUE),
             test_zeros_thin_and_thick);
  DISK_TEST ("/vmdk/merge/larger-child-is-refused", "3M", test_other_capacity);
  DISK_TEST ("/vmdk/merge/smaller-child-is-refused", "1M", test_other_capacity);
  DISK_TEST ("/vmdk/merge/cancelled-leaves-a-valid-disk", NULL, test_cancel);
  DISK_TEST ("/vmdk/merge/disk-full-into-child-changes-nothing",
             GINT_TO_POINTER (FALSE), test_disk_full);
  DISK_TEST ("/vmdk/merge/disk-full-into-parent-changes-nothing",
             GINT_TO_POINTER (TRUE), test_disk_full);
  DISK_TEST ("/vmdk/merge/reservations-add-up", NULL, test_reservations_add_up);
  DISK_TEST ("/vmdk/merge/flat-reservation-is-given-back", NULL,
             test_reservation_is_given_back);
  DISK_TEST ("/vmdk/merge/sparse-reservation-is-given-back", NULL,
             test_sparse_reservation_is_given_back);
  return g_test_run ();
}
