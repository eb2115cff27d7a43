/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "workstation/txn-apply.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"

#define COPY_CHUNK (256u << 10)

int
txn_open_regular (int dir_fd, const char *name, int flags, GError **error)
{
  struct stat st;
  int fd = openat (dir_fd, name, flags | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);

  if (fd < 0) {
    vix_set_error_errno (error, errno, "%s", name);
    return -1;
  }
  if (fstat (fd, &st) < 0 || !S_ISREG (st.st_mode)) {
    g_set_error (error, VIX_ERROR, VIX_E_FILE_ACCESS_ERROR,
                 "%s: not a regular file", name);
    close (fd);
    return -1;
  }
  return fd;
}

gboolean
txn_write_all (int fd, guint64 offset, const void *data, gsize len,
               const char *name, GError **error)
{
  const char *p = data;

  while (len > 0) {
    gssize n = pwrite (fd, p, len, (off_t)offset);

    if (n < 0 && errno == EINTR)
      continue;
    if (n <= 0) {
      vix_set_error_errno (error, n < 0 ? errno : EIO, "writing %s", name);
      return FALSE;
    }
    p += n;
    offset += (guint64)n;
    len -= (gsize)n;
  }
  return TRUE;
}

static gboolean
hash_fd (int fd, GChecksum *sum, const char *name, GError **error)
{
  g_autofree guchar *buf = g_malloc (COPY_CHUNK);
  gssize n;

  do {
    n = read (fd, buf, COPY_CHUNK);
    if (n > 0)
      g_checksum_update (sum, buf, n);
  } while (n > 0 || (n < 0 && errno == EINTR));
  if (n < 0)
    vix_set_error_errno (error, errno, "reading %s", name);
  return n == 0;
}

gboolean
txn_file_sha (int dir_fd, const char *name, char ret_sha[TXN_SHA_LEN + 1],
              GError **error)
{
  g_autoptr (GChecksum) sum = NULL;
  g_autoptr (GError) local = NULL;
  gboolean ok;
  int fd = txn_open_regular (dir_fd, name, O_RDONLY, &local);

  if (fd < 0) {
    if (g_error_matches (local, VIX_ERROR, VIX_E_FILE_NOT_FOUND)) {
      g_strlcpy (ret_sha, TXN_ABSENT, TXN_SHA_LEN + 1);
      return TRUE;
    }
    g_propagate_error (error, g_steal_pointer (&local));
    return FALSE;
  }
  sum = g_checksum_new (G_CHECKSUM_SHA256);
  ok = hash_fd (fd, sum, name, error);
  close (fd);
  if (ok)
    g_strlcpy (ret_sha, g_checksum_get_string (sum), TXN_SHA_LEN + 1);
  return ok;
}

void
txn_start_writeback (int fd)
{
  /* Only a hint: the fsync() that follows reports what matters. */
  (void)!sync_file_range (fd, 0, 0, SYNC_FILE_RANGE_WRITE);
}

gboolean
txn_sync_dir (int dir_fd, GError **error)
{
  if (fsync (dir_fd) == 0)
    return TRUE;
  vix_set_error_errno (error, errno, "syncing the VM's directory");
  return FALSE;
}

gboolean
txn_remove_file (int dir_fd, const char *name, GError **error)
{
  if (unlinkat (dir_fd, name, 0) == 0 || errno == ENOENT)
    return TRUE;
  vix_set_error_errno (error, errno, "removing %s", name);
  return FALSE;
}

/* ---- forward ---- */

static gboolean
apply_replace (int dir_fd, const TxnOp *op, GError **error)
{
  if (renameat (dir_fd, op->other, dir_fd, op->name) == 0)
    return TRUE;
  /* Renamed before, by us or by the process that was killed: a staged file
   * is made before the commit and goes only here. */
  if (errno == ENOENT)
    return TRUE;
  vix_set_error_errno (error, errno, "renaming %s to %s", op->other, op->name);
  return FALSE;
}

static gboolean
apply_patch (int dir_fd, const TxnOp *op, GError **error)
{
  gsize len;
  const void *data = g_bytes_get_data (op->bytes, &len);
  gboolean ok;
  int fd = txn_open_regular (dir_fd, op->name, O_WRONLY, error);

  if (fd < 0)
    return FALSE;
  ok = txn_write_all (fd, op->offset, data, len, op->name, error);
  if (ok && fsync (fd) < 0) {
    vix_set_error_errno (error, errno, "syncing %s", op->name);
    ok = FALSE;
  }
  close (fd);
  return ok;
}

static gboolean
apply_merge (const TxnOp *op, const TxnHandlers *handlers, GError **error)
{
  if (handlers->merge == NULL) {
    g_set_error (error, VIX_ERROR, VIX_E_FAIL, "%s: nobody to merge it",
                 op->name);
    return FALSE;
  }
  return handlers->merge (handlers->data, op->name, op->other,
                          (guint32)op->offset, error);
}

gboolean
txn_apply (int dir_fd, GPtrArray *ops, guint count, const TxnHandlers *handlers,
           gboolean *ret_merge_failed, GError **error)
{
  *ret_merge_failed = FALSE;
  for (guint i = 0; i < MIN (count, ops->len); i++) {
    const TxnOp *op = g_ptr_array_index (ops, i);
    gboolean ok = TRUE;

    switch (op->kind) {
    case TXN_CREATE:
    case TXN_REPAIR:
      break;
    case TXN_REPLACE:
      ok = apply_replace (dir_fd, op, error);
      break;
    case TXN_PATCH:
      ok = apply_patch (dir_fd, op, error);
      break;
    case TXN_UNLINK:
      ok = txn_remove_file (dir_fd, op->name, error);
      break;
    case TXN_MERGE:
      ok = apply_merge (op, handlers, error);
      *ret_merge_failed = !ok;
      break;
    }
    if (!ok)
      return FALSE;
  }
  return txn_sync_dir (dir_fd, error);
}

/* ---- back ---- */

gboolean
txn_drop_staged (int dir_fd, GPtrArray *ops, GError **error)
{
  for (guint i = 0; i < ops->len; i++) {
    const TxnOp *op = g_ptr_array_index (ops, i);

    if (op->kind == TXN_REPLACE && !txn_remove_file (dir_fd, op->other, error))
      return FALSE;
  }
  return TRUE;
}

static gboolean
undo_op (int dir_fd, const TxnOp *op, const TxnHandlers *handlers,
         GError **error)
{
  switch (op->kind) {
  case TXN_CREATE:
    return txn_remove_file (dir_fd, op->name, error);
  case TXN_REPLACE:
    return txn_remove_file (dir_fd, op->other, error);
  case TXN_REPAIR:
    return handlers->repair == NULL
           || handlers->repair (handlers->data, op->name, error);
  default:
    return TRUE;
  }
}

gboolean
txn_undo (int dir_fd, GPtrArray *ops, const TxnHandlers *handlers,
          GError **error)
{
  g_autoptr (GError) first = NULL;

  for (guint i = 0; i < ops->len; i++)
    undo_op (dir_fd, g_ptr_array_index (ops, i), handlers,
             first == NULL ? &first : NULL);
  if (first == NULL)
    return TRUE;
  g_propagate_error (error, g_steal_pointer (&first));
  return FALSE;
}
