/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Where disks differ: by their tables, and byte by byte. */
#include <string.h>

#include "base/error.h"
#include "disk-fixture.h"
#include "disk/changes.h"

#define DISK_BYTES ((20u << 20) + 5 * 512)
#define GRAIN 65536u
#define N_GRAINS ((DISK_BYTES + GRAIN - 1) / GRAIN)

/* A disk of a tree of snapshots. */
typedef struct {
  const char *name;
  int parent; /* index; -1: a base */
  GByteArray *model;
  gboolean touched[N_GRAINS]; /* by what was written to this link */
} Disk;

enum { N_DISKS = 7 };

static const Disk tree[N_DISKS] = {
  { .name = "base.vmdk", .parent = -1 },     { .name = "a.vmdk", .parent = 0 },
  { .name = "b.vmdk", .parent = 1 },         { .name = "c.vmdk", .parent = 2 },
  { .name = "d.vmdk", .parent = 1 },         { .name = "e.vmdk", .parent = 4 },
  { .name = "same-as-e.vmdk", .parent = 5 },
};

static void
write_some (DiskFixture *f, Disk *disk, guint n)
{
  for (guint i = 0; i < n; i++) {
    guint offset = (guint)g_rand_int_range (f->rand, 0, DISK_BYTES / 512) * 512;
    guint len = (guint)g_rand_int_range (f->rand, 1, 600) * 512;

    len = MIN (len, DISK_BYTES - offset);
    disk_write (f, disk->name, disk->model, offset, len,
                (guint8)g_rand_int_range (f->rand, 0, 256));
    for (guint g = offset / GRAIN; g <= (offset + len - 1) / GRAIN; g++)
      disk->touched[g] = TRUE;
  }
}

static void
grow (DiskFixture *f, const char *options, Disk *disks)
{
  memcpy (disks, tree, sizeof tree);
  for (guint i = 0; i < N_DISKS; i++) {
    Disk *disk = &disks[i];

    if (disk->parent < 0) {
      disk->model = disk_model_new (DISK_BYTES);
      disk_run (f, "qemu-img create -q -f vmdk -o %s %s %u", options,
                disk->name, DISK_BYTES);
    } else {
      disk->model = disk_model_copy (disks[disk->parent].model);
      disk_create_child (f, disks[disk->parent].name, disk->name);
    }
    write_some (f, disk, i == N_DISKS - 1 ? 0 : 6);
  }
}

static void
drop (Disk *disks)
{
  for (guint i = 0; i < N_DISKS; i++)
    g_byte_array_unref (disks[i].model);
}

/* For each grain, whether one of the two has a link with it that the other
 * has not. */
static void
mark_own (const Disk *disks, int one, int other, gboolean *marks)
{
  gboolean shared[N_DISKS] = { FALSE };

  for (int i = other; i >= 0; i = disks[i].parent)
    shared[i] = TRUE;
  for (int i = one; i >= 0 && !shared[i]; i = disks[i].parent)
    for (guint g = 0; g < N_GRAINS; g++)
      marks[g] = marks[g] || disks[i].touched[g];
}

typedef void (*Visit) (guint64 offset, guint64 len, gboolean changed,
                       gpointer data);

/* Every run from the disk's beginning to its end. @was: (nullable) */
static void
visit_runs (DiskFixture *f, const char *was, const char *is, Visit visit,
            gpointer data)
{
  g_autoptr (VmdkChain) older = was != NULL ? disk_open_chain (f, was) : NULL;
  g_autoptr (VmdkChain) newer = disk_open_chain (f, is);
  VmdkChanges *changes = vmdk_changes_new (older, newer);
  guint64 capacity = vmdk_chain_get_capacity (newer);
  guint64 offset = 0;

  while (offset < capacity) {
    g_autoptr (GError) error = NULL;
    gboolean changed;
    guint64 n;

    vmdk_changes_find (changes, offset, G_MAXUINT64, &changed, &n, &error);
    g_assert_no_error (error);
    g_assert_cmpuint (n, >, 0);
    g_assert_cmpuint (n, <=, capacity - offset);
    visit (offset, n, changed, data);
    offset += n;
  }
  vmdk_changes_free (changes);
}

typedef struct {
  const Disk *older;
  const Disk *newer;
  gboolean marks[N_GRAINS]; /* see mark_own */
} Pair;

/* What is equal is, and nothing is listed that nobody wrote to. */
static void
check_run (guint64 offset, guint64 len, gboolean changed, gpointer data)
{
  const Pair *pair = data;

  if (!changed) {
    g_assert_cmpmem (pair->older->model->data + offset, len,
                     pair->newer->model->data + offset, len);
    return;
  }
  for (guint64 g = offset / GRAIN; g <= (offset + len - 1) / GRAIN; g++)
    g_assert_true (pair->marks[g]);
}

static void
check_pair (DiskFixture *f, const Disk *disks, int was, int is)
{
  Pair pair = { .older = &disks[was], .newer = &disks[is] };

  mark_own (disks, was, is, pair.marks);
  mark_own (disks, is, was, pair.marks);
  visit_runs (f, pair.older->name, pair.newer->name, check_run, &pair);
}

static void
test_pairs (DiskFixture *f, gconstpointer data)
{
  Disk disks[N_DISKS];

  grow (f, data, disks);
  for (int was = 0; was < N_DISKS; was++)
    for (int is = 0; is < N_DISKS; is++)
      check_pair (f, disks, was, is);
  drop (disks);
}

/* Runs that changed, joined where one begins where the other ends. */
typedef struct {
  GString *text; /* " OFFSET+LENGTH" each */
  guint64 start;
  guint64 end; /* of what is not in @text yet; @start: nothing */
} Listing;

static void
flush (Listing *self)
{
  if (self->end > self->start)
    g_string_append_printf (self->text,
                            " %" G_GUINT64_FORMAT "+%" G_GUINT64_FORMAT,
                            self->start, self->end - self->start);
}

static void
list_run (guint64 offset, guint64 len, gboolean changed, gpointer data)
{
  Listing *listing = data;

  if (!changed)
    return;
  if (offset != listing->end) {
    flush (listing);
    listing->start = offset;
  }
  listing->end = offset + len;
}

static char *
list_changes (DiskFixture *f, const char *was, const char *is)
{
  Listing listing = { .text = g_string_new (NULL) };

  visit_runs (f, was, is, list_run, &listing);
  flush (&listing);
  return g_string_free (listing.text, FALSE);
}

static void
assert_changes (DiskFixture *f, const char *was, const char *is,
                const char *expected)
{
  g_autofree char *got = list_changes (f, was, is);

  g_assert_cmpstr (got, ==, expected);
}

static void
make_disk (DiskFixture *f, const char *name, const char *size,
           const char *commands)
{
  disk_run (f, "qemu-img create -q -f vmdk %s %s", name, size);
  disk_run (f, "qemu-io -t unsafe -f vmdk %s %s", commands, name);
}

static void
test_nothing_older (DiskFixture *f, gconstpointer data)
{
  make_disk (f, "base.vmdk", "4M", "-c 'write -P 1 65536 131072'");
  disk_create_child (f, "base.vmdk", "child.vmdk");
  disk_run (f, "qemu-io -t unsafe -f vmdk -c 'write -P 2 1M 512' child.vmdk");
  assert_changes (f, NULL, "child.vmdk", " 65536+131072 1048576+65536");
}

/* The base was exchanged for another: both are looked at from the ground. */
static void
test_nothing_shared (DiskFixture *f, gconstpointer data)
{
  make_disk (f, "one.vmdk", "4M", "-c 'write -P 1 0 65536'");
  make_disk (f, "two.vmdk", "4M", "-c 'write -P 1 131072 65536'");
  assert_changes (f, "one.vmdk", "two.vmdk", " 0+65536 131072+65536");
}

static void
test_other_capacity (DiskFixture *f, gconstpointer data)
{
  make_disk (f, "small.vmdk", "1M", "-c 'write -P 1 0 65536'");
  make_disk (f, "large.vmdk", "4M", "-c 'write -P 1 2M 65536'");
  assert_changes (f, "small.vmdk", "large.vmdk", " 0+65536 1048576+3145728");
  assert_changes (f, "large.vmdk", "small.vmdk", " 0+65536");
}

/* What a smaller link in between has cut off is gone. */
static void
test_cut_off (DiskFixture *f, gconstpointer data)
{
  make_disk (f, "base.vmdk", "4M", "-c 'write -P 1 3M 65536'");
  disk_run (f, "qemu-img create -q -f vmdk -b base.vmdk -F vmdk cut.vmdk 2M");
  disk_run (f, "qemu-img create -q -f vmdk -b cut.vmdk -F vmdk again.vmdk 4M");
  assert_changes (f, "base.vmdk", "cut.vmdk", "");
  assert_changes (f, "base.vmdk", "again.vmdk", " 2097152+2097152");
  assert_changes (f, "cut.vmdk", "again.vmdk", " 2097152+2097152");
}

/* Zeros that hide what the parent holds are a change; zeros in both are not. */
static void
test_zeros (DiskFixture *f, gconstpointer data)
{
  make_disk (f, "base.vmdk", "4M", "-c 'write -P 1 0 1M'");
  for (guint i = 0; i < 2; i++) {
    g_autofree char *name = g_strdup_printf ("child-%u.vmdk", i);

    disk_run (f,
              "qemu-img create -q -f vmdk -b base.vmdk -F vmdk -o "
              "zeroed_grain=on %s",
              name);
    disk_run (f, "qemu-io -t unsafe -f vmdk -c 'write -z 0 %uk' %s",
              128 + i * 64, name);
  }
  assert_changes (f, "base.vmdk", "child-0.vmdk", " 0+131072");
  assert_changes (f, "child-0.vmdk", "base.vmdk", " 0+131072");
  assert_changes (f, "child-0.vmdk", "child-1.vmdk", " 131072+65536");
}

/* Far beyond what is looked at in one go. */
static void
test_large (DiskFixture *f, gconstpointer data)
{
  make_disk (f, "base.vmdk", "2040G", "-c 'write -P 1 0 64k'");
  disk_create_child (f, "base.vmdk", "child.vmdk");
  disk_run (f, "qemu-io -t unsafe -f vmdk -c 'write -P 1 1000G 512' "
               "-c 'write -P 1 1500G 64k' child.vmdk");
  assert_changes (f, "base.vmdk", "child.vmdk",
                  " 1073741824000+65536 1610612736000+65536");
  assert_changes (f, "child.vmdk", "child.vmdk", "");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  DISK_TEST ("/disk/changes/pairs-on-sparse", "subformat=monolithicSparse",
             test_pairs);
  DISK_TEST ("/disk/changes/pairs-on-flat", "subformat=monolithicFlat",
             test_pairs);
  DISK_TEST ("/disk/changes/nothing-older", NULL, test_nothing_older);
  DISK_TEST ("/disk/changes/nothing-shared", NULL, test_nothing_shared);
  DISK_TEST ("/disk/changes/other-capacity", NULL, test_other_capacity);
  DISK_TEST ("/disk/changes/cut-off", NULL, test_cut_off);
  DISK_TEST ("/disk/changes/zeros", NULL, test_zeros);
  DISK_TEST ("/disk/changes/large", NULL, test_large);
  return g_test_run ();
}
