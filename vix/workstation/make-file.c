/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "workstation/make-file.h"

#include <errno.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/lock.h"
#include "disk/write.h"

/* How much is copied between two looks at the cancellable. */
#define CHUNK (16u << 20)
#define BUFFER (1u << 20)

static gboolean
write_chunk (int to, const char *buf, gsize len, off_t offset)
{
  while (len > 0) {
    gssize n = pwrite (to, buf, len, offset);

    if (n < 0 && errno == EINTR)
      continue;
    if (n <= 0)
      return FALSE;
    buf += n;
    offset += n;
    len -= (gsize)n;
  }
  return TRUE;
}

static gboolean
copy_by_hand (int from, int to, off_t start, off_t end)
{
  g_autofree char *buf = g_malloc (BUFFER);

  while (start < end) {
    gsize want = (gsize)MIN ((off_t)BUFFER, end - start);
    gssize n = pread (from, buf, want, start);

    if (n < 0 && errno == EINTR)
      continue;
    if (n == 0)
      errno = EIO; /* it was longer a moment ago */
    if (n <= 0 || !write_chunk (to, buf, (gsize)n, start))
      return FALSE;
    start += n;
  }
  return TRUE;
}

static gboolean
copy_range (int from, int to, off_t start, off_t end)
{
  while (start < end) {
    off_t in = start;
    off_t out = start;
    gssize n = copy_file_range (from, &in, to, &out, (gsize)(end - start), 0);

    if (n < 0 && errno == EINTR)
      continue;
    if (n <= 0) /* other file systems, old kernels */
      return copy_by_hand (from, to, start, end);
    start += n;
  }
  return TRUE;
}

static gboolean
copy_data (int from, int to, off_t size, const VixOp *op, gboolean *ret_stopped)
{
  off_t start = 0;

  while (start < size) {
    off_t end;

    *ret_stopped = g_cancellable_is_cancelled (op->cancellable);
    if (*ret_stopped)
      return FALSE;
    start = lseek (from, start, SEEK_DATA);
    if (start < 0)
      return errno == ENXIO; /* a hole up to the end */
    end = lseek (from, start, SEEK_HOLE);
    if (end < 0)
      return FALSE;
    end = MIN (end, start + (off_t)CHUNK);
    if (!copy_range (from, to, start, end))
      return FALSE;
    start = end;
  }
  return TRUE;
}

static gboolean
copy_file (int from, int to, const char *name, const VixOp *op, GError **error)
{
  struct stat st;
  gboolean stopped = FALSE;

  if (fstat (from, &st) == 0
      && (ioctl (to, FICLONE, from) == 0
          || (ftruncate (to, st.st_size) == 0
              && copy_data (from, to, st.st_size, op, &stopped)))
      && futimens (to, (const struct timespec[]){ st.st_atim, st.st_mtim })
           == 0)
    return TRUE;
  if (stopped)
    return vix_check_cancelled (op->cancellable, error);
  vix_set_error_errno (error, errno, "copying %s", name);
  return FALSE;
}

gboolean
ws_make_copy (WsChange *change, Txn *txn, const char *from, const char *to,
              GError **error)
{
  gboolean ok;
  int in;
  int out;

  VIX_MAY_BLOCK ();
  if (from == NULL)
    return TRUE;
  in = ws_vm_dir_open_file (change->dir, from, error);
  if (in < 0)
    return FALSE;
  out = txn_open (txn, to, error);
  ok = out >= 0 && copy_file (in, out, from, change->op, error);
  if (out >= 0)
    close (out);
  close (in);
  return ok;
}

gboolean
ws_make_child (WsChange *change, Txn *txn, const VmdkChain *chain,
               const char *child, GError **error)
{
  VmdkLink *parent = vmdk_chain_get_link (chain, 0);
  const char *hint = ws_change_relative (change, vmdk_link_get_id (parent));
  g_autoptr (VmdkSource) dest = NULL;
  int fd;

  VIX_MAY_BLOCK ();
  fd = txn_open (txn, child, error);
  if (fd < 0)
    return FALSE;
  dest = vmdk_source_new_fd (fd, child, TRUE, error);
  return dest != NULL && vmdk_create_child (parent, hint, child, dest, error);
}
