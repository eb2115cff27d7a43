/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "times-file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "node.h"

/* How long others may hold the lock, and how often it is tried. */
#define LOCK_US (5 * G_USEC_PER_SEC)
#define TRY_US 20000
/* Files are replaced at a mount, or once they are mostly of what is gone. */
#define MAX_REPLACED 100

static gboolean
fail (const char *path, const char *what, int number, GError **error)
{
  g_set_error (error, G_FILE_ERROR, g_file_error_from_errno (number),
               "%s: %s%s", path, what, g_strerror (number));
  return FALSE;
}

/* ---- lines ---- */

gboolean
fs_times_disk_is_valid (const char *disk)
{
  gsize len = strspn (disk, "abcdefghijklmnopqrstuvwxyz0123456789:");

  return len > 0 && len < FS_TIMES_DISK_SIZE && disk[len] == '\0';
}

/* With a hash of itself, by which a line that is not whole is known. */
static void
append_line (GString *out, const FsTimesNote *note)
{
  gsize start = out->len;

  g_string_append_printf (out,
                          "%016" G_GINT64_MODIFIER "x %" G_GINT64_FORMAT
                          " %" G_GINT64_FORMAT " %s %" G_GINT64_FORMAT
                          " %" G_GINT64_FORMAT,
                          note->vm, note->snapshot, note->created, note->disk,
                          note->bytes, note->changed);
  g_string_append_printf (out, " %016" G_GINT64_MODIFIER "x\n",
                          fs_identity_text (out->str + start));
}

/* Is taken only if it is just what would be written. */
static gboolean
parse_line (const char *line, gsize len, FsTimesNote *ret_note)
{
  g_autofree char *text = g_strndup (line, len);
  g_autoptr (GString) again = g_string_new (NULL);
  FsTimesNote note = { 0 };
  char *at = text;
  gsize disk_len;

  note.vm = g_ascii_strtoull (at, &at, 16);
  note.snapshot = g_ascii_strtoll (at, &at, 10);
  note.created = g_ascii_strtoll (at, &at, 10);
  at += strspn (at, " ");
  disk_len = strcspn (at, " ");
  if (disk_len >= sizeof note.disk)
    return FALSE;
  memcpy (note.disk, at, disk_len);
  note.bytes = g_ascii_strtoll (at + disk_len, &at, 10);
  note.changed = g_ascii_strtoll (at, &at, 10);
  if (note.snapshot <= 0 || note.created <= 0 || note.bytes < 0
      || note.changed <= 0 || !fs_times_disk_is_valid (note.disk))
    return FALSE;
  append_line (again, &note);
  if (again->len != len + 1 || memcmp (again->str, line, len) != 0)
    return FALSE;
  *ret_note = note;
  return TRUE;
}

/* ---- reading ---- */

/* @text: from self->at on to the end of the file, or to where that is enough */
static void
take_lines (FsTimesFile *self, const char *text, gsize len, FsTimesTake *take,
            gpointer data, char **ret_damage)
{
  guint first = 0;
  guint damaged = 0;
  gsize at = 0;

  while (at < len) {
    const char *end = memchr (text + at, '\n', len - at);
    gsize line_len = end != NULL ? (gsize)(end - text) - at : len - at;
    FsTimesNote note;

    self->lines++;
    if (end != NULL && parse_line (text + at, line_len, &note))
      take (&note, data);
    else if (damaged++ == 0)
      first = self->lines;
    at += line_len + 1;
  }
  if (damaged > 0 && *ret_damage == NULL)
    *ret_damage
      = g_strdup_printf ("%s: line %u is damaged and is left out%s", self->path,
                         first, damaged > 1 ? ", as others are" : "");
}

static gboolean
read_all (int fd, char *buffer, gsize len, off_t at)
{
  gsize done = 0;

  while (done < len) {
    ssize_t n = pread (fd, buffer + done, len - done, at + (off_t)done);

    if (n < 0 && errno == EINTR)
      continue;
    if (n == 0)
      errno = EIO;
    if (n <= 0)
      return FALSE;
    done += (gsize)n;
  }
  return TRUE;
}

/* What is new in it. */
static gboolean
catch_up (FsTimesFile *self, int fd, const struct stat *status,
          FsTimesTake *take, gpointer data, char **ret_damage, GError **error)
{
  g_autofree char *text = NULL;
  gsize len;

  if (status->st_dev != self->device || status->st_ino != self->inode
      || status->st_size < self->at) {
    self->device = status->st_dev;
    self->inode = status->st_ino;
    self->at = 0;
    self->lines = 0;
  }
  len = (gsize)MIN (status->st_size - self->at, FS_TIMES_MAX_BYTES);
  if (len == 0)
    return TRUE;
  text = g_try_malloc (len);
  if (text == NULL || !read_all (fd, text, len, self->at))
    return fail (self->path, "", text == NULL ? ENOMEM : errno, error);
  if (status->st_size - self->at > FS_TIMES_MAX_BYTES) {
    *ret_damage = g_strdup_printf (
      "%s: longer than it can be; what comes after %d MiB is left out",
      self->path, FS_TIMES_MAX_BYTES >> 20);
    self->lines++; /* one more than there are notes, at least */
  }
  take_lines (self, text, len, take, data, ret_damage);
  self->at = status->st_size;
  return TRUE;
}

/* ---- opening ---- */

static int
open_file (const char *path, gboolean make, GError **error)
{
  const int flags
    = O_RDWR | O_APPEND | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY;
  g_autofree char *dir = g_path_get_dirname (path);
  int fd = open (path, flags);

  if (fd < 0 && errno == ENOENT && make) {
    if (g_mkdir_with_parents (dir, 0700) != 0) {
      fail (dir, "", errno, error);
      return -1;
    }
    fd = open (path, flags | O_CREAT, 0600);
  }
  if (fd < 0 && (errno == EROFS || errno == EACCES) && !make)
    fd = open (path, (flags & ~(O_RDWR | O_APPEND)) | O_RDONLY);
  if (fd < 0)
    fail (path, "", errno, error);
  return fd;
}

static gboolean
lock_file (const char *path, int fd, struct stat *ret_status, GError **error)
{
  gint64 end = g_get_monotonic_time () + LOCK_US;

  if (fstat (fd, ret_status) != 0)
    return fail (path, "", errno, error);
  if (!S_ISREG (ret_status->st_mode))
    return fail (path, "not a file of vixfs: ", EINVAL, error);
  while (flock (fd, LOCK_EX | LOCK_NB) != 0) {
    if (errno == EINTR)
      continue;
    if (errno != EWOULDBLOCK)
      return fail (path, "", errno, error);
    if (g_get_monotonic_time () > end)
      return fail (path, "another program keeps it locked: ", errno, error);
    g_usleep (TRY_US);
  }
  /* Others may have added to it meanwhile. */
  return fstat (fd, ret_status) == 0 || fail (path, "", errno, error);
}

int
fs_times_file_open (FsTimesFile *self, gboolean make, FsTimesTake *take,
                    gpointer data, char **ret_damage, GError **error)
{
  struct stat status;
  struct stat now;

  *ret_damage = NULL;
  for (guint i = 0; i < MAX_REPLACED; i++) {
    int fd = open_file (self->path, make, error);
    gboolean current;

    if (fd < 0)
      return -1;
    if (!lock_file (self->path, fd, &status, error)) {
      close (fd);
      return -1;
    }
    /* It may have been replaced just before. */
    current = stat (self->path, &now) == 0 && now.st_ino == status.st_ino
              && now.st_dev == status.st_dev;
    if (current && catch_up (self, fd, &status, take, data, ret_damage, error))
      return fd;
    close (fd);
    if (current)
      return -1;
  }
  fail (self->path, "", EBUSY, error);
  return -1;
}

/* ---- writing ---- */

static gboolean
write_all (int fd, const GString *text)
{
  gsize done = 0;

  while (done < text->len) {
    ssize_t n = write (fd, text->str + done, text->len - done);

    if (n < 0 && errno == EINTR)
      continue;
    if (n <= 0)
      return FALSE;
    done += (gsize)n;
  }
  return fdatasync (fd) == 0;
}

static GString *
format_notes (const GArray *notes)
{
  GString *text = g_string_new (NULL);

  for (guint i = 0; i < notes->len; i++)
    append_line (text, &g_array_index (notes, FsTimesNote, i));
  return text;
}

/* What is new in the directory of @path. */
static void
sync_directory (const char *path)
{
  g_autofree char *dir = g_path_get_dirname (path);
  int fd = open (dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

  if (fd < 0)
    return;
  if (fsync (fd) != 0)
    g_debug ("%s: %s", dir, g_strerror (errno));
  close (fd);
}

gboolean
fs_times_file_append (FsTimesFile *self, int fd, const GArray *notes,
                      GError **error)
{
  g_autoptr (GString) text = format_notes (notes);
  off_t start = self->at;
  char last;

  if (start >= FS_TIMES_MAX_BYTES)
    return fail (self->path, "", EFBIG, error);
  /* After a torn line comes a new one. */
  if (start > 0 && read_all (fd, &last, 1, start - 1) && last != '\n')
    g_string_prepend_c (text, '\n');
  if (!write_all (fd, text)) {
    int number = errno;

    if (ftruncate (fd, start) != 0)
      g_debug ("%s: %s", self->path, g_strerror (errno));
    return fail (self->path, "", number, error);
  }
  if (start == 0)
    sync_directory (self->path);
  self->at += (off_t)text->len;
  self->lines += notes->len;
  return TRUE;
}

gboolean
fs_times_file_replace (FsTimesFile *self, int fd, const GArray *notes,
                       GError **error)
{
  g_autofree char *path = g_strconcat (self->path, ".new", NULL);
  g_autoptr (GString) text = format_notes (notes);
  struct stat status;
  gboolean done;
  int number;
  int new_fd;

  /* Left by one that died: the lock says that nobody is at it. */
  if (unlink (path) != 0 && errno != ENOENT)
    return fail (path, "", errno, error);
  new_fd = open (path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (new_fd < 0)
    return fail (path, "", errno, error);
  done = write_all (new_fd, text) && fstat (new_fd, &status) == 0
         && rename (path, self->path) == 0;
  number = errno;
  close (new_fd);
  if (!done) {
    unlink (path);
    return fail (path, "", number, error);
  }
  sync_directory (self->path);
  self->device = status.st_dev;
  self->inode = status.st_ino;
  self->at = (off_t)text->len;
  self->lines = notes->len;
  return TRUE;
}
