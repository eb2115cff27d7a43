/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The local file as a VmdkSource. The descriptor is owned; its file position
 * means nothing, so that any number of threads can read.
 */
#include "disk/source.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/error.h"
#include "base/lock.h"

/* One system call moves at most this much: the kernel stops short of 2 GiB. */
#define MAX_TRANSFER (1u << 30)
/* What is written at once where a hole cannot be punched. */
#define ZERO_CHUNK (1u << 20)

typedef struct {
  VmdkSource base;
  int fd;
} FileSource;

void
vmdk_source_free (VmdkSource *self)
{
  if (self != NULL)
    self->ops->free (self);
}

gboolean
vmdk_source_read_table (VmdkSource *self, guint64 offset, void *buf, gsize len,
                        GError **error)
{
  return self->ops->pread_table != NULL
           ? self->ops->pread_table (self, offset, buf, len, error)
           : self->ops->pread (self, offset, buf, len, error);
}

static int
get_fd (VmdkSource *self)
{
  return ((FileSource *)self)->fd;
}

static gboolean
file_pread (VmdkSource *self, guint64 offset, void *buf, gsize len,
            GError **error)
{
  guint8 *p = buf;

  VIX_MAY_BLOCK ();
  while (len > 0) {
    ssize_t n
      = pread (get_fd (self), p, MIN (len, MAX_TRANSFER), (off_t)offset);

    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0) {
      vix_set_error_errno (error, errno, "%s: read at %" G_GUINT64_FORMAT,
                           self->id, offset);
      return FALSE;
    }
    if (n == 0) {
      g_set_error (error, VIX_ERROR, VIX_E_FILE_ERROR,
                   "%s: ends before byte %" G_GUINT64_FORMAT
                   "; the file was cut short",
                   self->id, offset + len);
      return FALSE;
    }
    p += n;
    offset += (guint64)n;
    len -= (gsize)n;
  }
  return TRUE;
}

static gboolean
file_pwrite (VmdkSource *self, guint64 offset, const void *buf, gsize len,
             GError **error)
{
  const guint8 *p = buf;

  VIX_MAY_BLOCK ();
  while (len > 0) {
    ssize_t n
      = pwrite (get_fd (self), p, MIN (len, MAX_TRANSFER), (off_t)offset);

    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0) {
      vix_set_error_errno (error, errno, "%s: write at %" G_GUINT64_FORMAT,
                           self->id, offset);
      return FALSE;
    }
    p += n;
    offset += (guint64)n;
    len -= (gsize)n;
    self->size = MAX (self->size, offset);
  }
  return TRUE;
}

static gboolean
file_truncate (VmdkSource *self, guint64 size, GError **error)
{
  VIX_MAY_BLOCK ();
  while (ftruncate (get_fd (self), (off_t)size) != 0) {
    if (errno == EINTR)
      continue;
    vix_set_error_errno (error, errno, "%s: set size %" G_GUINT64_FORMAT,
                         self->id, size);
    return FALSE;
  }
  self->size = size;
  return TRUE;
}

static gboolean
check_free_space (VmdkSource *self, guint64 len, GError **error)
{
  struct statvfs st;

  if (fstatvfs (get_fd (self), &st) != 0) {
    vix_set_error_errno (error, errno, "%s: free space", self->id);
    return FALSE;
  }
  if (len / MAX (st.f_frsize, 1) >= st.f_bavail) {
    g_set_error (error, VIX_ERROR, VIX_E_DISK_FULL,
                 "%s: needs %" G_GUINT64_FORMAT
                 " more bytes on its file system; free some space",
                 self->id, len);
    return FALSE;
  }
  return TRUE;
}

static gboolean
file_reserve (VmdkSource *self, guint64 offset, guint64 len, GError **error)
{
  VIX_MAY_BLOCK ();
  if (len == 0)
    return TRUE;
  /* First, and where nothing can be preallocated all there is: ext4 takes what
   * is left before it says that this is too little, and meanwhile nobody else
   * on the file system has any. */
  if (!check_free_space (self, len, error))
    return FALSE;
  while (
    fallocate (get_fd (self), FALLOC_FL_KEEP_SIZE, (off_t)offset, (off_t)len)
    != 0) {
    if (errno == EINTR)
      continue;
    if (errno == EOPNOTSUPP || errno == ENOSYS)
      return TRUE;
    vix_set_error_errno (
      error, errno, "%s: reserve %" G_GUINT64_FORMAT " bytes", self->id, len);
    return FALSE;
  }
  return TRUE;
}

static gboolean
write_zeros (VmdkSource *self, guint64 offset, guint64 len, GError **error)
{
  g_autofree guint8 *zeros = g_malloc0 (MIN (len, ZERO_CHUNK));

  while (len > 0) {
    gsize n = MIN (len, ZERO_CHUNK);

    if (!file_pwrite (self, offset, zeros, n, error))
      return FALSE;
    offset += n;
    len -= n;
  }
  return TRUE;
}

static gboolean
file_punch (VmdkSource *self, guint64 offset, guint64 len, GError **error)
{
  VIX_MAY_BLOCK ();
  if (len == 0)
    return TRUE;
  while (fallocate (get_fd (self), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                    (off_t)offset, (off_t)len)
         != 0) {
    if (errno == EINTR)
      continue;
    if (errno == EOPNOTSUPP || errno == ENOSYS)
      return write_zeros (self, offset, len, error);
    vix_set_error_errno (error, errno,
                         "%s: zero %" G_GUINT64_FORMAT
                         " bytes at %" G_GUINT64_FORMAT,
                         self->id, len, offset);
    return FALSE;
  }
  return TRUE;
}

static gboolean
file_sync (VmdkSource *self, GError **error)
{
  VIX_MAY_BLOCK ();
  while (fdatasync (get_fd (self)) != 0) {
    if (errno == EINTR)
      continue;
    vix_set_error_errno (error, errno, "%s: sync", self->id);
    return FALSE;
  }
  return TRUE;
}

static gboolean
file_seek (VmdkSource *self, guint64 offset, gboolean hole, guint64 *ret_offset,
           GError **error)
{
  off_t at;

  VIX_MAY_BLOCK ();
  if (offset >= self->size) {
    *ret_offset = self->size;
    return TRUE;
  }
  at = lseek (get_fd (self), (off_t)offset, hole ? SEEK_HOLE : SEEK_DATA);
  if (at >= 0)
    *ret_offset = MIN ((guint64)at, self->size);
  else if (errno == ENXIO)
    *ret_offset = self->size;
  else if (errno == EINVAL || errno == EOPNOTSUPP) /* cannot tell */
    *ret_offset = hole ? self->size : offset;
  else {
    vix_set_error_errno (error, errno, "%s: seek", self->id);
    return FALSE;
  }
  return TRUE;
}

static void
file_free (VmdkSource *self)
{
  close (get_fd (self));
  g_free (self->id);
  g_free ((FileSource *)self);
}

static const VmdkSourceOps read_ops = {
  .pread = file_pread,
  .seek = file_seek,
  .free = file_free,
};

static const VmdkSourceOps write_ops = {
  .pread = file_pread,
  .pwrite = file_pwrite,
  .truncate = file_truncate,
  .reserve = file_reserve,
  .punch = file_punch,
  .sync = file_sync,
  .seek = file_seek,
  .free = file_free,
};

VmdkSource *
vmdk_source_new_fd (int fd, const char *id, gboolean writable, GError **error)
{
  FileSource *self;
  struct stat st;

  if (fstat (fd, &st) != 0) {
    vix_set_error_errno (error, errno, "%s", id);
    close (fd);
    return NULL;
  }
  if (!S_ISREG (st.st_mode)) {
    g_set_error (error, VIX_ERROR, VIX_E_INCORRECT_FILE_TYPE,
                 "%s: not a regular file", id);
    close (fd);
    return NULL;
  }
  self = g_new0 (FileSource, 1);
  self->base.ops = writable ? &write_ops : &read_ops;
  self->base.size = (guint64)st.st_size;
  self->base.id = g_strdup (id);
  self->fd = fd;
  return &self->base;
}
