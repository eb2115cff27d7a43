/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "stats.h"

static void
test_counts (void)
{
  g_autoptr (GString) out = g_string_new (NULL);
  FsStats stats = { 0 };
  guint i;

  for (i = 0; i < FS_N_OPS; i++)
    g_assert_nonnull (fs_op_name (i));
  fs_stats_count (&stats, FS_OP_LOOKUP);
  fs_stats_count (&stats, FS_OP_LOOKUP);
  fs_stats_add (&stats, FS_STAT_JOBS, 3);
  fs_stats_add (&stats, FS_STAT_JOBS, -2);
  fs_stats_print (&stats, out);
  g_assert_nonnull (
    strstr (out->str, "\nvixfs_requests_total{op=\"lookup\"} 2\n"));
  g_assert_nonnull (
    strstr (out->str, "\nvixfs_requests_total{op=\"mkdir\"} 0\n"));
  g_assert_nonnull (strstr (out->str, "\nvixfs_jobs 1\n"));
}

/* Each line is a comment or NAME[{LABELS}] NUMBER, and each is told once. */
static void
test_format (void)
{
  g_autoptr (GString) out = g_string_new (NULL);
  g_autoptr (GHashTable) seen = g_hash_table_new (g_str_hash, g_str_equal);
  g_auto (GStrv) lines = NULL;
  FsStats stats = { 0 };
  guint i;

  fs_stats_print (&stats, out);
  g_assert_true (g_str_has_suffix (out->str, "\n"));
  lines = g_strsplit (out->str, "\n", 0);
  for (i = 0; lines[i] != NULL && *lines[i] != '\0'; i++) {
    g_assert_true (g_hash_table_add (seen, lines[i]));
    if (*lines[i] != '#')
      g_assert_true (g_regex_match_simple (
        "^vixfs_[a-z_]+(\\{op=\"[a-z]+\"\\})? [0-9]+$", lines[i], 0, 0));
  }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/stats/counts", test_counts);
  g_test_add_func ("/stats/format-is-prometheus", test_format);
  return g_test_run ();
}
