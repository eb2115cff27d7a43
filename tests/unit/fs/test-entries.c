/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "entries.h"

static void
test_every_kind_is_something (void)
{
  guint i;

  for (i = 0; i < FS_N_KINDS; i++) {
    const FsKind *kind = fs_kind (i);

    g_assert_nonnull (kind->name);
    if (S_ISDIR (kind->mode)) {
      g_assert_null (kind->print);
      g_assert_null (kind->open);
      g_assert_cmpint (kind->refusal, >, 0);
      g_assert_true (kind->n_entries > 0 || kind->list != NULL);
      g_assert_true ((kind->find != NULL) == (kind->list != NULL));
    } else {
      g_assert_true ((kind->print != NULL) != (kind->open != NULL));
      g_assert_cmpuint (kind->n_entries, ==, 0);
    }
    if (kind->store != NULL)
      g_assert_cmpuint (kind->mode & 0222, ==, 0222);
  }
}

/* Names are unique in a directory, and what has a dot is no snapshot's. */
static void
test_names (void)
{
  guint i;
  gsize a;
  gsize b;

  for (i = 0; i < FS_N_KINDS; i++) {
    const FsKind *kind = fs_kind (i);

    for (a = 0; a < kind->n_entries; a++) {
      for (b = 0; b < a; b++)
        g_assert_cmpstr (kind->entries[a].name, !=, kind->entries[b].name);
      if (kind->find != NULL)
        g_assert_true (*kind->entries[a].name == '.');
    }
  }
}

/* Each kind but the root has its place, and directories below an aliased one
 * are aliased: the kernel knows no directory with two parents. */
static void
test_places (void)
{
  gboolean placed[FS_N_KINDS] = { FALSE };
  guint i;
  gsize a;

  /* These are found, not listed in a table. */
  placed[FS_KIND_FOLDER] = placed[FS_KIND_VM] = TRUE;
  placed[FS_KIND_SNAPSHOT] = placed[FS_KIND_FILE] = TRUE;
  placed[FS_KIND_IMAGE] = placed[FS_KIND_CHANGES] = TRUE;
  placed[FS_KIND_OLDER] = placed[FS_KIND_DIFFERENCE] = TRUE;
  placed[FS_KIND_LATEST_IMAGE] = placed[FS_KIND_LATEST_CHANGES] = TRUE;
  for (i = 0; i < FS_N_KINDS; i++) {
    const FsKind *kind = fs_kind (i);

    for (a = 0; a < kind->n_entries; a++) {
      const FsKind *child = fs_kind (kind->entries[a].kind);

      g_assert_false (placed[kind->entries[a].kind]);
      placed[kind->entries[a].kind] = TRUE;
      if (kind->aliased && S_ISDIR (child->mode))
        g_assert_true (child->aliased);
    }
  }
  for (i = 0; i < FS_N_KINDS; i++)
    g_assert_true (placed[i]);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/entries/every-kind-is-something",
                   test_every_kind_is_something);
  g_test_add_func ("/entries/names-are-unique", test_names);
  g_test_add_func ("/entries/every-kind-has-its-place", test_places);
  return g_test_run ();
}
