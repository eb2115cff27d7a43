/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/secret.h"

#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* (transfer full) (nullable): the VmFlags of the mapping that @at lies in. */
static char *
flags_of (const char *at)
{
  g_autofree char *smaps = NULL;
  g_auto (GStrv) lines = NULL;
  gboolean inside = FALSE;

  g_assert_true (g_file_get_contents ("/proc/self/smaps", &smaps, NULL, NULL));
  lines = g_strsplit (smaps, "\n", -1);
  for (gsize i = 0; lines[i] != NULL; i++) {
    unsigned long start, end;

    if (sscanf (lines[i], "%lx-%lx ", &start, &end) == 2)
      inside = (unsigned long)at >= start && (unsigned long)at < end;
    else if (inside && g_str_has_prefix (lines[i], "VmFlags:"))
      return g_strdup (lines[i]);
  }
  return NULL;
}

static void
test_pages (void)
{
  g_autofree char *big = g_strnfill (10000, 'x');
  char *secret = vix_secret_new ("open sesame");
  char *large = vix_secret_new (big);
  g_autofree char *flags = flags_of (secret);
  g_autofree char *end_flags = flags_of (large + 9999);
  g_autofree char *after = NULL;

  g_assert_cmpstr (secret, ==, "open sesame");
  g_assert_cmpstr (large, ==, big);
  g_assert_cmpuint ((gsize)secret % (gsize)sysconf (_SC_PAGESIZE), ==, 0);
  /* "do not dump", "wipe on fork" */
  g_assert_nonnull (strstr (flags, " dd"));
  g_assert_nonnull (strstr (flags, " wf"));
  g_assert_nonnull (strstr (end_flags, " dd"));
  vix_secret_free (large);
  vix_secret_free (secret);
  after = flags_of (secret);
  g_assert_true (after == NULL || strstr (after, " wf") == NULL);
}

static void
test_nothing (void)
{
  char *empty = vix_secret_new ("");

  g_assert_null (vix_secret_new (NULL));
  g_assert_cmpstr (empty, ==, "");
  vix_secret_free (empty);
  vix_secret_free (NULL);
  vix_secret_wipe (NULL);
  vix_secret_wipe (g_strdup ("x"));
}

/* A page's worth of text needs its NUL on the next page. */
static void
test_whole_pages (void)
{
  gsize page = (gsize)sysconf (_SC_PAGESIZE);

  for (gsize len = page - 1; len <= page + 1; len++) {
    g_autofree char *text = g_strnfill (len, 'y');
    char *secret = vix_secret_new (text);

    g_assert_cmpuint (strlen (secret), ==, len);
    vix_secret_free (secret);
  }
}

static void
test_fork (void)
{
  char *secret = vix_secret_new ("open sesame");
  pid_t child = fork ();
  int status = -1;

  g_assert_cmpint (child, >=, 0);
  if (child == 0)
    _exit (*secret == '\0' ? 0 : 1);
  g_assert_cmpint (waitpid (child, &status, 0), ==, child);
  g_assert_cmpint (status, ==, 0);
  g_assert_cmpstr (secret, ==, "open sesame");
  vix_secret_free (secret);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/base/secret/pages-of-its-own", test_pages);
  g_test_add_func ("/base/secret/nothing", test_nothing);
  g_test_add_func ("/base/secret/whole-pages", test_whole_pages);
  g_test_add_func ("/base/secret/not-for-children", test_fork);
  return g_test_run ();
}
