/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/error.h"

#define PROCESSES 600
#define THREADS 8

/* The reference's table; "else 1". */
static const struct {
  int err, code;
} rows[] = {
  { EPERM, 13 },        { EACCES, 13 },     { EAGAIN, 5 },
  { EBUSY, 5 },         { EEXIST, 12 },     { EFBIG, 21 },
  { ENOTEMPTY, 20006 }, { ENOTDIR, 20002 }, { EISDIR, 20001 },
  { ENOENT, 4 },        { ENODEV, 4 },      { ENOSPC, 8 },
  { EDQUOT, 8 },        { ESRCH, 20003 },   { ENAMETOOLONG, 20004 },
  { EINVAL, 3 },        { EMSGSIZE, 3 },    { ENOMEM, 2 },
  { EROFS, 7 },         { EIO, 7 },         { EMFILE, 7 },
  { ENFILE, 7 },        { EMLINK, 7 },      { ENOBUFS, 7 },
  { ETIMEDOUT, 7 },     { 0, 1 },           { EXDEV, 1 },
  { 99999, 1 },         { -1, 1 },
};

static void
test_errno_table (void)
{
  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++) {
    g_autoptr (GError) error = NULL;

    vix_set_error_errno (&error, rows[i].err, "row %d", (int)i);
    g_assert_error (error, VIX_ERROR, rows[i].code);
  }
}

static void
test_set_errno (void)
{
  g_autoptr (GError) error = NULL;

  vix_set_error_errno (&error, ENOSPC, "%s: extent %d", "a.vmdk", 2);
  g_assert_error (error, VIX_ERROR, VIX_E_DISK_FULL);
  g_assert_true (g_str_has_prefix (error->message, "a.vmdk: extent 2: "));
  g_assert_nonnull (strstr (error->message, g_strerror (ENOSPC)));
  vix_set_error_errno (NULL, ENOSPC, "nobody asks");
}

static void
test_normalize (void)
{
  static const struct {
    int from, code;
  } gio[] = {
    { G_IO_ERROR_NOT_FOUND, VIX_E_FILE_NOT_FOUND },
    { G_IO_ERROR_EXISTS, VIX_E_FILE_ALREADY_EXISTS },
    { G_IO_ERROR_IS_DIRECTORY, VIX_E_NOT_A_FILE },
    { G_IO_ERROR_NOT_DIRECTORY, VIX_E_NOT_A_DIRECTORY },
    { G_IO_ERROR_NOT_EMPTY, VIX_E_DIRECTORY_NOT_EMPTY },
    { G_IO_ERROR_FILENAME_TOO_LONG, VIX_E_FILE_NAME_TOO_LONG },
    { G_IO_ERROR_INVALID_FILENAME, VIX_E_FILE_NAME_INVALID },
    { G_IO_ERROR_NO_SPACE, VIX_E_DISK_FULL },
    { G_IO_ERROR_INVALID_ARGUMENT, VIX_E_INVALID_ARG },
    { G_IO_ERROR_PERMISSION_DENIED, VIX_E_FILE_ACCESS_ERROR },
    { G_IO_ERROR_NOT_SUPPORTED, VIX_E_NOT_SUPPORTED },
    { G_IO_ERROR_CANCELLED, VIX_E_CANCELLED },
    { G_IO_ERROR_BUSY, VIX_E_OBJECT_IS_BUSY },
    { G_IO_ERROR_WOULD_BLOCK, VIX_E_OBJECT_IS_BUSY },
    { G_IO_ERROR_READ_ONLY, VIX_E_FILE_ERROR },
    { G_IO_ERROR_TOO_MANY_OPEN_FILES, VIX_E_FILE_ERROR },
    { G_IO_ERROR_TIMED_OUT, VIX_E_FILE_ERROR },
    { G_IO_ERROR_INVALID_DATA, VIX_E_INVALID_SERIALIZED_DATA },
    { G_IO_ERROR_CONNECTION_REFUSED, VIX_E_CANNOT_CONNECT_TO_HOST },
    { G_IO_ERROR_HOST_NOT_FOUND, VIX_E_CANNOT_CONNECT_TO_HOST },
    { G_IO_ERROR_FAILED, VIX_E_FAIL },
  };
  static const struct {
    int err, code;
  } file[] = {
    { EEXIST, VIX_E_FILE_ALREADY_EXISTS },
    { EISDIR, VIX_E_NOT_A_FILE },
    { EACCES, VIX_E_FILE_ACCESS_ERROR },
    { EPERM, VIX_E_FILE_ACCESS_ERROR },
    { ENAMETOOLONG, VIX_E_FILE_NAME_TOO_LONG },
    { ENOENT, VIX_E_FILE_NOT_FOUND },
    { ENOTDIR, VIX_E_NOT_A_DIRECTORY },
    { ENODEV, VIX_E_FILE_NOT_FOUND },
    { ENOSPC, VIX_E_DISK_FULL },
    { ENOMEM, VIX_E_OUT_OF_MEMORY },
    { EINVAL, VIX_E_INVALID_ARG },
    { EAGAIN, VIX_E_OBJECT_IS_BUSY },
    { EROFS, VIX_E_FILE_ERROR },
    { EIO, VIX_E_FILE_ERROR },
    { EMFILE, VIX_E_FILE_ERROR },
    { ENFILE, VIX_E_FILE_ERROR },
    { ESPIPE, VIX_E_FAIL },
  };
  GError *error = NULL;

  vix_error_normalize (NULL);
  vix_error_normalize (&error);
  g_assert_null (error);
  for (gsize i = 0; i < G_N_ELEMENTS (gio); i++) {
    error = g_error_new (G_IO_ERROR, gio[i].from, "text %" G_GSIZE_FORMAT, i);
    vix_error_normalize (&error);
    g_assert_error (error, VIX_ERROR, gio[i].code);
    g_assert_true (g_str_has_prefix (error->message, "text "));
    g_clear_error (&error);
  }
  for (gsize i = 0; i < G_N_ELEMENTS (file); i++) {
    error = g_error_new_literal (G_FILE_ERROR,
                                 g_file_error_from_errno (file[i].err), "text");
    vix_error_normalize (&error);
    g_assert_error (error, VIX_ERROR, file[i].code);
    g_clear_error (&error);
  }
  error = g_error_new_literal (G_MARKUP_ERROR, 1, "text");
  vix_error_normalize (&error);
  g_assert_error (error, VIX_ERROR, VIX_E_FAIL);
  g_clear_error (&error);
  error = g_error_new_literal (VIX_ERROR, VIX_E_LICENSE, "text");
  vix_error_normalize (&error);
  g_assert_error (error, VIX_ERROR, VIX_E_LICENSE);
  g_clear_error (&error);
}

static void
test_check_cancelled (void)
{
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (GError) error = NULL;

  g_assert_true (vix_check_cancelled (NULL, &error));
  g_assert_true (vix_check_cancelled (cancellable, &error));
  g_assert_no_error (error);
  g_cancellable_cancel (cancellable);
  g_assert_false (vix_check_cancelled (cancellable, &error));
  g_assert_error (error, VIX_ERROR, VIX_E_CANCELLED);
}

/* ---- numbers ---- */

static pthread_barrier_t all_there;

static void *
read_number (void *data)
{
  guint64 number = 0;

  pthread_barrier_wait (&all_there);
  return g_ascii_string_to_unsigned ("443", 10, 1, 65535, &number, NULL)
             && number == 443
           ? NULL
           : data;
}

/* Each the first that this process reads, in as many threads at once; whether
 * all were taken for numbers. */
static gboolean
read_in_threads (void)
{
  pthread_t threads[THREADS];
  gboolean good = TRUE;

  pthread_barrier_init (&all_there, NULL, THREADS);
  for (gsize i = 0; i < THREADS; i++)
    if (pthread_create (&threads[i], NULL, read_number, threads) != 0)
      _exit (2);
  for (gsize i = 0; i < THREADS; i++) {
    void *failed = NULL;

    pthread_join (threads[i], &failed);
    good = good && failed == NULL;
  }
  return good;
}

/* How many processes failed; before this one reads any number itself. */
static int
count_failed (void)
{
  int failed = 0;

  for (int i = 0; i < PROCESSES; i++) {
    pid_t child = fork ();
    int status = -1;

    if (child == 0)
      _exit (read_in_threads () ? 0 : 1);
    failed += waitpid (child, &status, 0) != child || status != 0;
  }
  return failed;
}

static void
test_numbers_in_threads (gconstpointer data)
{
  g_assert_cmpint (*(const int *)data, ==, 0);
}

int
main (int argc, char **argv)
{
  const int failed = count_failed ();

  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/error/errno-table", test_errno_table);
  g_test_add_func ("/error/set-errno", test_set_errno);
  g_test_add_func ("/error/normalize", test_normalize);
  g_test_add_func ("/error/check-cancelled", test_check_cancelled);
  g_test_add_data_func ("/error/numbers-in-threads", &failed,
                        test_numbers_in_threads);
  return g_test_run ();
}
