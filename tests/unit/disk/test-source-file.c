/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/error.h"
#include "disk-fixture.h"

static VmdkSource *
open_file (DiskFixture *f, const char *name, gboolean writable)
{
  g_autofree char *path = disk_path (f, name);
  g_autoptr (GError) error = NULL;
  int fd = open (path, writable ? O_RDWR | O_CREAT : O_RDONLY, 0600);
  VmdkSource *source;

  g_assert_cmpint (fd, >=, 0);
  source = vmdk_source_new_fd (fd, name, writable, &error);
  g_assert_no_error (error);
  return source;
}

static void
test_write_and_read (DiskFixture *f, gconstpointer data)
{
  g_autoptr (VmdkSource) w = open_file (f, "a", TRUE);
  g_autoptr (VmdkSource) r = NULL;
  guint8 buf[8];

  g_assert_cmpuint (w->size, ==, 0);
  g_assert_true (w->ops->pwrite (w, 100, "abcdefgh", 8, NULL));
  g_assert_cmpuint (w->size, ==, 108);
  g_assert_true (w->ops->truncate (w, 200, NULL));
  g_assert_cmpuint (w->size, ==, 200);
  g_assert_true (w->ops->sync (w, NULL));
  r = open_file (f, "a", FALSE);
  g_assert_null (r->ops->pwrite);
  g_assert_cmpuint (r->size, ==, 200);
  g_assert_true (r->ops->pread (r, 100, buf, sizeof buf, NULL));
  g_assert_cmpmem (buf, sizeof buf, "abcdefgh", 8);
}

static void
test_read_past_end (DiskFixture *f, gconstpointer data)
{
  g_autoptr (VmdkSource) w = open_file (f, "a", TRUE);
  GError *error = NULL;
  guint8 buf[8];

  g_assert_true (w->ops->pwrite (w, 0, "abcd", 4, NULL));
  g_assert_false (w->ops->pread (w, 0, buf, sizeof buf, &error));
  disk_assert_error (error, VIX_E_FILE_ERROR, "cut short");
  error = NULL;
  g_assert_false (w->ops->pread (w, 1000, buf, 1, &error));
  disk_assert_error (error, VIX_E_FILE_ERROR, "a: ");
}

static void
test_only_regular_files (DiskFixture *f, gconstpointer data)
{
  GError *error = NULL;
  int ends[2];

  g_assert_cmpint (pipe (ends), ==, 0);
  g_assert_null (vmdk_source_new_fd (ends[0], "pipe", FALSE, &error));
  disk_assert_error (error, VIX_E_INCORRECT_FILE_TYPE, "pipe");
  /* It was consumed all the same. */
  g_assert_cmpint (close (ends[0]), ==, -1);
  close (ends[1]);
}

static void
test_reserve (DiskFixture *f, gconstpointer data)
{
  g_autofree char *path = disk_path (f, "a");
  g_autoptr (VmdkSource) w = open_file (f, "a", TRUE);
  struct stat st;

  g_assert_true (w->ops->pwrite (w, 0, "abcd", 4, NULL));
  g_assert_true (w->ops->reserve (w, 0, 4 << 20, NULL));
  g_assert_cmpint (stat (path, &st), ==, 0);
  g_assert_cmpint (st.st_size, ==, 4);
  g_assert_cmpint (st.st_blocks * 512, >=, 4 << 20);
  g_assert_true (w->ops->truncate (w, w->size, NULL));
  g_assert_cmpint (stat (path, &st), ==, 0);
  g_assert_cmpint (st.st_blocks * 512, <, 1 << 20);
}

static void
test_reserve_too_much (DiskFixture *f, gconstpointer data)
{
  g_autoptr (VmdkSource) w = open_file (f, "a", TRUE);
  g_autofree char *path = g_build_filename (f->dir, "a", NULL);
  GError *error = NULL;
  struct statvfs fs;
  struct stat st;

  g_assert_cmpint (statvfs (f->dir, &fs), ==, 0);
  g_assert_false (
    w->ops->reserve (w, 0, ((guint64)fs.f_bfree + 1000) * fs.f_frsize, &error));
  disk_assert_error (error, VIX_E_DISK_FULL, "a: ");
  /* Others on the file system go on. */
  g_assert_cmpint (stat (path, &st), ==, 0);
  g_assert_cmpint (st.st_blocks, ==, 0);
}

static void
test_seek_and_punch (DiskFixture *f, gconstpointer data)
{
  g_autofree guint8 *buf = g_malloc (1 << 20);
  g_autoptr (VmdkSource) w = open_file (f, "a", TRUE);
  guint64 at;

  memset (buf, 7, 1 << 20);
  g_assert_true (w->ops->truncate (w, 8 << 20, NULL));
  g_assert_true (w->ops->pwrite (w, 2 << 20, buf, 1 << 20, NULL));
  g_assert_true (w->ops->seek (w, 0, FALSE, &at, NULL));
  g_assert_cmpuint (at, ==, 2 << 20);
  g_assert_true (w->ops->seek (w, 2 << 20, TRUE, &at, NULL));
  g_assert_cmpuint (at, ==, 3 << 20);
  g_assert_true (w->ops->seek (w, 3 << 20, FALSE, &at, NULL));
  g_assert_cmpuint (at, ==, 8 << 20);
  g_assert_true (w->ops->seek (w, 9 << 20, TRUE, &at, NULL));
  g_assert_cmpuint (at, ==, 8 << 20);
  g_assert_true (w->ops->punch (w, 2 << 20, 1 << 20, NULL));
  g_assert_cmpuint (w->size, ==, 8 << 20);
  g_assert_true (w->ops->pread (w, 2 << 20, buf, 1 << 20, NULL));
  for (gsize i = 0; i < 1 << 20; i++)
    g_assert_cmpint (buf[i], ==, 0);
  g_assert_true (w->ops->seek (w, 0, FALSE, &at, NULL));
  g_assert_cmpuint (at, ==, 8 << 20);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  DISK_TEST ("/vmdk/source-file/write-and-read", NULL, test_write_and_read);
  DISK_TEST ("/vmdk/source-file/read-past-end", NULL, test_read_past_end);
  DISK_TEST ("/vmdk/source-file/only-regular-files", NULL,
             test_only_regular_files);
  DISK_TEST ("/vmdk/source-file/reserve-keeps-the-size", NULL, test_reserve);
  DISK_TEST ("/vmdk/source-file/reserve-too-much-is-disk-full", NULL,
             test_reserve_too_much);
  DISK_TEST ("/vmdk/source-file/seek-and-punch", NULL, test_seek_and_punch);
  return g_test_run ();
}
