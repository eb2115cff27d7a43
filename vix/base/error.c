/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"

#include <errno.h>

/* GLib reads numbers with a locale that it makes for the first of them, and
 * takes an errno from there for a mistake in the text: a thread that waits for
 * another one to make it is told that "443" is no number (GLib 2.74). So it is
 * made before there are threads. */
__attribute__ ((constructor)) static void
read_a_number (void)
{
  (void)g_ascii_strtoull ("0", NULL, 10);
}

GQuark
vix_error_quark (void)
{
  return g_quark_from_static_string ("vix-error-quark");
}

typedef struct {
  int from;
  int code;
} CodeRow;

static const CodeRow errno_rows[] = {
  { EPERM, VIX_E_FILE_ACCESS_ERROR },
  { EACCES, VIX_E_FILE_ACCESS_ERROR },
  { EAGAIN, VIX_E_OBJECT_IS_BUSY },
  { EBUSY, VIX_E_OBJECT_IS_BUSY },
  { EEXIST, VIX_E_FILE_ALREADY_EXISTS },
  { EFBIG, VIX_E_FILE_TOO_BIG },
  { ENOTEMPTY, VIX_E_DIRECTORY_NOT_EMPTY },
  { ENOTDIR, VIX_E_NOT_A_DIRECTORY },
  { EISDIR, VIX_E_NOT_A_FILE },
  { ENOENT, VIX_E_FILE_NOT_FOUND },
  { ENODEV, VIX_E_FILE_NOT_FOUND },
  { ENOSPC, VIX_E_DISK_FULL },
  { EDQUOT, VIX_E_DISK_FULL },
  { ESRCH, VIX_E_NO_SUCH_PROCESS },
  { ENAMETOOLONG, VIX_E_FILE_NAME_TOO_LONG },
  { EINVAL, VIX_E_INVALID_ARG },
  { EMSGSIZE, VIX_E_INVALID_ARG },
  { ENOMEM, VIX_E_OUT_OF_MEMORY },
  { EROFS, VIX_E_FILE_ERROR },
  { EIO, VIX_E_FILE_ERROR },
  { EMFILE, VIX_E_FILE_ERROR },
  { ENFILE, VIX_E_FILE_ERROR },
  { EMLINK, VIX_E_FILE_ERROR },
  { ENOBUFS, VIX_E_FILE_ERROR },
  { ETIMEDOUT, VIX_E_FILE_ERROR },
};

static const CodeRow gio_rows[] = {
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
};

static const CodeRow file_rows[] = {
  { G_FILE_ERROR_EXIST, VIX_E_FILE_ALREADY_EXISTS },
  { G_FILE_ERROR_ISDIR, VIX_E_NOT_A_FILE },
  { G_FILE_ERROR_ACCES, VIX_E_FILE_ACCESS_ERROR },
  { G_FILE_ERROR_PERM, VIX_E_FILE_ACCESS_ERROR },
  { G_FILE_ERROR_NAMETOOLONG, VIX_E_FILE_NAME_TOO_LONG },
  { G_FILE_ERROR_NOENT, VIX_E_FILE_NOT_FOUND },
  { G_FILE_ERROR_NOTDIR, VIX_E_NOT_A_DIRECTORY },
  { G_FILE_ERROR_NODEV, VIX_E_FILE_NOT_FOUND },
  { G_FILE_ERROR_NOSPC, VIX_E_DISK_FULL },
  { G_FILE_ERROR_NOMEM, VIX_E_OUT_OF_MEMORY },
  { G_FILE_ERROR_INVAL, VIX_E_INVALID_ARG },
  { G_FILE_ERROR_AGAIN, VIX_E_OBJECT_IS_BUSY },
  { G_FILE_ERROR_ROFS, VIX_E_FILE_ERROR },
  { G_FILE_ERROR_IO, VIX_E_FILE_ERROR },
  { G_FILE_ERROR_MFILE, VIX_E_FILE_ERROR },
  { G_FILE_ERROR_NFILE, VIX_E_FILE_ERROR },
};

static int
find_code (const CodeRow *rows, gsize n_rows, int from)
{
  for (gsize i = 0; i < n_rows; i++)
    if (rows[i].from == from)
      return rows[i].code;
  return VIX_E_FAIL;
}

/* VIX_E_FAIL for one that has no row. */
static int
code_from_errno (int err)
{
  return find_code (errno_rows, G_N_ELEMENTS (errno_rows), err);
}

void
vix_set_error_errno (GError **error, int err, const char *format, ...)
{
  g_autofree char *what = NULL;
  va_list args;

  if (error == NULL)
    return;
  va_start (args, format);
  what = g_strdup_vprintf (format, args);
  va_end (args);
  g_set_error (error, VIX_ERROR, code_from_errno (err), "%s: %s", what,
               g_strerror (err));
}

void
vix_error_normalize (GError **error)
{
  GError *other;
  int code = VIX_E_FAIL;

  if (error == NULL || *error == NULL || (*error)->domain == VIX_ERROR)
    return;
  other = *error;
  if (other->domain == G_IO_ERROR)
    code = find_code (gio_rows, G_N_ELEMENTS (gio_rows), other->code);
  else if (other->domain == G_FILE_ERROR)
    code = find_code (file_rows, G_N_ELEMENTS (file_rows), other->code);
  *error = g_error_new_literal (VIX_ERROR, code, other->message);
  g_error_free (other);
}

gboolean
vix_check_cancelled (GCancellable *cancellable, GError **error)
{
  if (!g_cancellable_is_cancelled (cancellable))
    return TRUE;
  g_set_error_literal (error, VIX_ERROR, VIX_E_CANCELLED,
                       "the operation was cancelled");
  return FALSE;
}
