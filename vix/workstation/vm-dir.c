/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "workstation/vm-dir.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/lock.h"
#include "workstation/vmx.h"

/* Opening a FIFO or a device of that name must not hang or act. */
#define SAFE_OPEN (O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC)

/* ---- names and paths ---- */

gboolean
ws_is_vmx_name (const char *name)
{
  const char *dot = strrchr (name, '.');

  return name[0] != '.' && dot != NULL
         && (g_ascii_strcasecmp (dot, ".vmx") == 0
             || g_ascii_strcasecmp (dot, ".vmtx") == 0);
}

gboolean
ws_path_is_inside (const char *path, const char *dir)
{
  gsize len = strlen (dir);

  if (strcmp (dir, "/") == 0)
    return path[0] == '/';
  return strncmp (path, dir, len) == 0
         && (path[len] == '\0' || path[len] == '/');
}

static gboolean
is_component (const char *name)
{
  return name[0] != '\0' && strchr (name, '/') == NULL
         && strcmp (name, ".") != 0 && strcmp (name, "..") != 0;
}

char *
ws_vm_id_from_path (const char *path, GError **error)
{
  g_autofree char *canonical = NULL;
  char *real;
  struct stat st;

  VIX_MAY_BLOCK ();
  real = realpath (path, NULL);
  if (real == NULL || stat (real, &st) != 0) {
    int code = errno == ENOENT || errno == ENOTDIR
                 ? VIX_E_FILE_NOT_FOUND
                 : VIX_E_CANNOT_READ_VM_CONFIG;

    g_set_error (error, VIX_ERROR, code, "%s: %s", path, g_strerror (errno));
    free (real);
    return NULL;
  }
  canonical = g_strdup (real);
  free (real);
  if (!S_ISREG (st.st_mode)) {
    g_set_error (error, VIX_ERROR, VIX_E_CANNOT_READ_VM_CONFIG,
                 "%s: is no regular file; name the VM's .vmx", path);
    return NULL;
  }
  return g_steal_pointer (&canonical);
}

/* The canonical path of what @fd is open on. */
static char *
path_of_fd (int fd)
{
  char link[64], buf[PATH_MAX];
  gssize n;

  g_snprintf (link, sizeof link, "/proc/self/fd/%d", fd);
  n = readlink (link, buf, sizeof buf);
  return n <= 0 || n == (gssize)sizeof buf ? NULL : g_strndup (buf, (gsize)n);
}

/* ---- the directory ---- */

static gboolean
fail_no_vm (const char *id, int err, GError **error)
{
  int code = err == ENOENT || err == ENOTDIR ? VIX_E_VM_NOT_FOUND
                                             : VIX_E_CANNOT_READ_VM_CONFIG;

  g_set_error (error, VIX_ERROR, code, "%s: %s", id, g_strerror (err));
  return FALSE;
}

/* A directory that was replaced by a link is another one: not this VM. */
static gboolean
open_directory (WsVmDir *self, GError **error)
{
  g_autofree char *real = NULL;

  self->fd = open (self->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (self->fd < 0)
    return fail_no_vm (self->id, errno, error);
  real = path_of_fd (self->fd);
  if (g_strcmp0 (real, self->path) != 0)
    return fail_no_vm (self->id, ENOENT, error);
  return TRUE;
}

WsVmDir *
ws_vm_dir_open (const char *id, const char *const *roots, GError **error)
{
  g_autoptr (WsVmDir) self = g_new0 (WsVmDir, 1);
  struct stat st;
  char *dot;

  VIX_MAY_BLOCK ();
  self->fd = -1;
  self->roots = roots;
  self->id = g_strdup (id);
  self->path = g_path_get_dirname (id);
  self->vmx_name = g_path_get_basename (id);
  self->stem = g_strdup (self->vmx_name);
  dot = strrchr (self->stem, '.');
  if (dot != NULL && dot != self->stem)
    *dot = '\0';
  if (id[0] != '/' || !is_component (self->vmx_name)) {
    fail_no_vm (id, ENOENT, error);
    return NULL;
  }
  if (!open_directory (self, error))
    return NULL;
  if (fstatat (self->fd, self->vmx_name, &st, AT_SYMLINK_NOFOLLOW) != 0) {
    fail_no_vm (id, errno, error);
    return NULL;
  }
  if (!S_ISREG (st.st_mode)) {
    g_set_error (error, VIX_ERROR, VIX_E_CANNOT_READ_VM_CONFIG,
                 "%s: is no regular file", id);
    return NULL;
  }
  return g_steal_pointer (&self);
}

void
ws_vm_dir_close (WsVmDir *self)
{
  if (self == NULL)
    return;
  if (self->fd >= 0)
    close (self->fd);
  g_free (self->path);
  g_free (self->id);
  g_free (self->vmx_name);
  g_free (self->stem);
  g_free (self);
}

char *
ws_vm_dir_name (const WsVmDir *self, const char *suffix)
{
  return g_strconcat (self->stem, suffix, NULL);
}

/* ---- its files ---- */

/* -1 with errno; ELOOP for a link, EINVAL for what is no regular file. */
static int
open_regular (int dir_fd, const char *name, int flags)
{
  struct stat st;
  int fd = openat (dir_fd, name, flags | SAFE_OPEN);

  if (fd < 0)
    return -1;
  if (fstat (fd, &st) == 0 && S_ISREG (st.st_mode))
    return fd;
  close (fd);
  errno = EINVAL;
  return -1;
}

static void
set_open_error (GError **error, const char *path, int err)
{
  if (err == ELOOP || err == EINVAL || err == ENXIO || err == EISDIR)
    g_set_error (error, VIX_ERROR, VIX_E_FILE_ACCESS_ERROR,
                 "%s: is no regular file", path);
  else
    vix_set_error_errno (error, err, "%s", path);
}

int
ws_vm_dir_open_file (const WsVmDir *self, const char *name, GError **error)
{
  g_autofree char *path = g_build_filename (self->path, name, NULL);
  int fd;

  VIX_MAY_BLOCK ();
  if (!is_component (name)) {
    g_set_error (error, VIX_ERROR, VIX_E_FILE_NAME_INVALID,
                 "\"%s\": is no plain file name", name);
    return -1;
  }
  fd = open_regular (self->fd, name, O_RDONLY);
  if (fd < 0)
    set_open_error (error, path, errno);
  return fd;
}

/* Reads to the end, or one byte more than allowed. */
static GByteArray *
read_all (int fd, gsize max_bytes, const char *path, GError **error)
{
  g_autoptr (GByteArray) out = g_byte_array_new ();
  struct stat st;
  gsize step;

  if (fstat (fd, &st) != 0) {
    vix_set_error_errno (error, errno, "%s", path);
    return NULL;
  }
  step = (gsize)CLAMP (st.st_size, 0, (off_t)max_bytes) + 1;
  while (out->len <= max_bytes) {
    guint len = out->len;
    gssize n;

    g_byte_array_set_size (out, (guint)(len + step));
    do
      n = read (fd, out->data + len, step);
    while (n < 0 && errno == EINTR);
    if (n < 0) {
      vix_set_error_errno (error, errno, "%s", path);
      return NULL;
    }
    g_byte_array_set_size (out, (guint)(len + (gsize)n));
    if (n == 0 || (out->len == (guint64)st.st_size && (gsize)n < step))
      return g_steal_pointer (&out);
    step = MIN (max_bytes + 1 - MIN (max_bytes + 1, out->len), 65536);
  }
  g_set_error (error, VIX_ERROR, VIX_E_FILE_TOO_BIG,
               "%s: larger than %" G_GSIZE_FORMAT " bytes", path, max_bytes);
  return NULL;
}

GBytes *
ws_vm_dir_read_file (const WsVmDir *self, const char *name, gsize max_bytes,
                     GError **error)
{
  g_autofree char *path = g_build_filename (self->path, name, NULL);
  GByteArray *data;
  int fd = ws_vm_dir_open_file (self, name, error);

  if (fd < 0)
    return NULL;
  data = read_all (fd, max_bytes, path, error);
  close (fd);
  return data == NULL ? NULL : g_byte_array_free_to_bytes (data);
}

gboolean
ws_vm_dir_exists (const WsVmDir *self, const char *name)
{
  struct stat st;

  return fstatat (self->fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

GPtrArray *
ws_vm_dir_list (const WsVmDir *self, GError **error)
{
  g_autoptr (GPtrArray) names = g_ptr_array_new_with_free_func (g_free);
  int fd = openat (self->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR *dir = fd < 0 ? NULL : fdopendir (fd);
  struct dirent *entry;

  VIX_MAY_BLOCK ();
  if (dir == NULL) {
    vix_set_error_errno (error, errno, "%s", self->path);
    if (fd >= 0)
      close (fd);
    return NULL;
  }
  while ((errno = 0, entry = readdir (dir)) != NULL)
    if (is_component (entry->d_name))
      g_ptr_array_add (names, g_strdup (entry->d_name));
  if (errno != 0) {
    vix_set_error_errno (error, errno, "%s", self->path);
    closedir (dir);
    return NULL;
  }
  closedir (dir);
  return g_steal_pointer (&names);
}

/* ---- the two dictionaries ---- */

KvFile *
ws_vm_dir_read_vmx (const WsVmDir *self, GError **error)
{
  g_autoptr (GError) cause = NULL;
  g_autoptr (GBytes) bytes
    = ws_vm_dir_read_file (self, self->vmx_name, KV_FILE_MAX_BYTES, &cause);
  KvFile *vmx = NULL;

  if (bytes != NULL)
    vmx = kv_file_parse (g_bytes_get_data (bytes, NULL),
                         g_bytes_get_size (bytes), self->id, &cause);
  if (vmx == NULL) {
    int code = g_error_matches (cause, VIX_ERROR, VIX_E_FILE_NOT_FOUND)
                 ? VIX_E_VM_NOT_FOUND
                 : VIX_E_CANNOT_READ_VM_CONFIG;

    g_set_error_literal (error, VIX_ERROR, code, cause->message);
  }
  return vmx;
}

WsVmsd *
ws_vm_dir_read_vmsd (const WsVmDir *self, GError **error)
{
  g_autofree char *name = ws_vm_dir_name (self, ".vmsd");
  g_autofree char *label = g_build_filename (self->path, name, NULL);
  g_autoptr (GError) cause = NULL;
  g_autoptr (GBytes) bytes
    = ws_vm_dir_read_file (self, name, KV_FILE_MAX_BYTES, &cause);
  KvFile *kv;

  if (g_error_matches (cause, VIX_ERROR, VIX_E_FILE_NOT_FOUND))
    return ws_vmsd_new (NULL, label);
  if (bytes == NULL) {
    g_propagate_error (error, g_steal_pointer (&cause));
    return NULL;
  }
  if (g_bytes_get_size (bytes) == 0)
    return ws_vmsd_new (NULL, label);
  kv = kv_file_parse (g_bytes_get_data (bytes, NULL), g_bytes_get_size (bytes),
                      label, error);
  return kv == NULL ? NULL : ws_vmsd_new (kv, label);
}

static char *
with_slashes (const char *name)
{
  return g_strdelimit (g_strdup (name), "\\", '/');
}

char *
ws_vm_dir_resolve_path (const WsVmDir *self, const char *name)
{
  g_autofree char *path
    = strchr (name, '/') == NULL ? with_slashes (name) : g_strdup (name);

  return g_canonicalize_filename (path, self->path);
}

const char *
ws_vm_dir_own_name (const WsVmDir *self, const char *source_id)
{
  gsize len = strlen (self->path);
  const char *name;

  if (!ws_path_is_inside (source_id, self->path))
    return NULL;
  name = source_id + (strcmp (self->path, "/") == 0 ? 0 : len);
  if (*name != '/' || !is_component (name + 1))
    return NULL;
  return name + 1;
}

/* ---- the resolver ---- */

struct WsResolver {
  VmdkResolver base; /* must be first */
  const WsVmDir *dir;
  GPtrArray *allowed; /* canonical directories */
  GPtrArray *search;  /* directories of fileSearchPath, absolute */
};

/* A place where a name may be found. */
typedef struct {
  char *dir;
  char *base;
} Candidate;

static void
candidate_clear (gpointer data)
{
  Candidate *candidate = data;

  g_free (candidate->dir);
  g_free (candidate->base);
}

static void
add_candidate (GArray *candidates, const char *dir, const char *name)
{
  g_autofree char *path
    = name[0] == '/' ? g_strdup (name) : g_strconcat (dir, "/", name, NULL);
  const char *slash = strrchr (path, '/');
  Candidate candidate;

  if (!is_component (slash + 1))
    return;
  candidate.dir
    = slash == path ? g_strdup ("/") : g_strndup (path, (gsize)(slash - path));
  candidate.base = g_strdup (slash + 1);
  g_array_append_val (candidates, candidate);
}

/* A file of the name's last part in @dir, unless that is @child itself: one
 * that bears its parent's name is not its own parent. */
static void
add_namesake (GArray *candidates, const char *child, const char *dir,
              const char *name)
{
  const char *slash = strrchr (name, '/');
  const char *last = slash == NULL ? name : slash + 1;
  g_autofree char *path = g_build_filename (dir, last, NULL);

  if (g_strcmp0 (path, child) != 0)
    add_candidate (candidates, dir, last);
}

/* Where @name may be, in the order it is looked for. */
static GArray *
list_candidates (WsResolver *self, const char *relative_to, const char *name,
                 VmdkRole role)
{
  GArray *candidates = g_array_new (FALSE, FALSE, sizeof (Candidate));
  g_autofree char *slashed = with_slashes (name);
  g_autofree char *dir = relative_to == NULL ? g_strdup (self->dir->path)
                                             : g_path_get_dirname (relative_to);
  guint i;

  g_array_set_clear_func (candidates, candidate_clear);
  add_candidate (candidates, dir, name);
  if (role == VMDK_ROLE_EXTENT)
    return candidates;
  if (role == VMDK_ROLE_PARENT || strchr (name, '/') == NULL)
    if (strcmp (slashed, name) != 0)
      add_candidate (candidates, dir, slashed);
  if (role == VMDK_ROLE_DISK)
    return candidates;
  add_namesake (candidates, relative_to, dir, slashed);
  for (i = 0; i < self->search->len; i++)
    add_namesake (candidates, relative_to, self->search->pdata[i], slashed);
  return candidates;
}

static gboolean
is_allowed (WsResolver *self, const char *dir)
{
  guint i;

  for (i = 0; i < self->allowed->len; i++)
    if (ws_path_is_inside (dir, self->allowed->pdata[i]))
      return TRUE;
  return FALSE;
}

/* -1 and *error set if it is there but must not be used; -1 without error if
 * it is not there. */
static int
open_candidate (WsResolver *self, const Candidate *candidate, int flags,
                char **ret_path, GError **error)
{
  g_autofree char *path = NULL;
  g_autofree char *real_dir = NULL;
  struct stat st;
  int fd = -1, err;
  int dir_fd = open (candidate->dir, O_PATH | O_DIRECTORY | O_CLOEXEC);

  if (dir_fd < 0) {
    if (errno != ENOENT && errno != ENOTDIR && errno != ENAMETOOLONG)
      vix_set_error_errno (error, errno, "%s", candidate->dir);
    return -1;
  }
  real_dir = path_of_fd (dir_fd);
  if (real_dir == NULL || !is_allowed (self, real_dir)) {
    if (fstatat (dir_fd, candidate->base, &st, AT_SYMLINK_NOFOLLOW) == 0)
      g_set_error (error, VIX_ERROR, VIX_E_FILE_ACCESS_ERROR,
                   "%s/%s: lies outside of what this VM may read; put it "
                   "below the source directory, or name its directory in "
                   "fileSearchPath",
                   candidate->dir, candidate->base);
    close (dir_fd);
    return -1;
  }
  path = g_strconcat (strcmp (real_dir, "/") == 0 ? "" : real_dir, "/",
                      candidate->base, NULL);
  fd = open_regular (dir_fd, candidate->base, flags);
  err = errno;
  close (dir_fd);
  if (fd >= 0)
    *ret_path = g_steal_pointer (&path);
  else if (err != ENOENT && err != ENAMETOOLONG)
    set_open_error (error, path, err);
  return fd;
}

static int
resolve (WsResolver *self, const char *relative_to, const char *name,
         VmdkRole role, int flags, char **ret_path, GError **error)
{
  g_autoptr (GArray) candidates = NULL;
  g_autoptr (GError) first = NULL;
  guint i;

  VIX_MAY_BLOCK ();
  if (role == VMDK_ROLE_EXTENT && !is_component (name)) {
    g_set_error (error, VIX_ERROR, VIX_E_FILE_ACCESS_ERROR,
                 "%s: its extent \"%s\" must be a plain name beside it",
                 relative_to == NULL ? self->dir->id : relative_to, name);
    return -1;
  }
  candidates = list_candidates (self, relative_to, name, role);
  for (i = 0; i < candidates->len; i++) {
    g_autoptr (GError) local = NULL;
    int fd = open_candidate (self, &g_array_index (candidates, Candidate, i),
                             flags, ret_path, &local);

    if (fd >= 0)
      return fd;
    if (first == NULL)
      first = g_steal_pointer (&local);
  }
  if (first != NULL)
    g_propagate_error (error, g_steal_pointer (&first));
  else
    g_set_error (error, VIX_ERROR, VIX_E_FILE_NOT_FOUND,
                 "%s: the file \"%s\" that it names is not there; put it back",
                 relative_to == NULL ? self->dir->id : relative_to, name);
  return -1;
}

static VmdkSource *
resolver_open (VmdkResolver *base, const char *relative_to, const char *name,
               VmdkRole role, gboolean writable, GError **error)
{
  WsResolver *self = (WsResolver *)base;
  g_autofree char *path = NULL;
  int fd = resolve (self, relative_to, name, role, writable ? O_RDWR : O_RDONLY,
                    &path, error);

  return fd < 0 ? NULL : vmdk_source_new_fd (fd, path, writable, error);
}

static void
allow (WsResolver *self, const char *path)
{
  char *real = realpath (path, NULL);

  if (real != NULL)
    g_ptr_array_add (self->allowed, g_strdup (real));
  free (real);
}

WsResolver *
ws_resolver_new (const WsVmDir *dir, const KvFile *vmx)
{
  WsResolver *self = g_new0 (WsResolver, 1);
  const char *working_dir = vmx == NULL ? NULL : ws_vmx_get_working_dir (vmx);
  g_auto (GStrv) search = vmx == NULL ? NULL : ws_vmx_list_search_path (vmx);
  gboolean inside = FALSE;
  gsize i;

  VIX_MAY_BLOCK ();
  self->base.open = resolver_open;
  self->dir = dir;
  self->allowed = g_ptr_array_new_with_free_func (g_free);
  self->search = g_ptr_array_new_with_free_func (g_free);
  for (i = 0; search != NULL && search[i] != NULL; i++)
    g_ptr_array_add (self->search, ws_vm_dir_resolve_path (dir, search[i]));
  for (i = 0; dir->roots[i] != NULL; i++)
    inside = inside || ws_path_is_inside (dir->path, dir->roots[i]);
  if (inside) {
    for (i = 0; dir->roots[i] != NULL; i++)
      g_ptr_array_add (self->allowed, g_strdup (dir->roots[i]));
    return self;
  }
  g_ptr_array_add (self->allowed, g_strdup (dir->path));
  if (working_dir != NULL) {
    g_autofree char *path = ws_vm_dir_resolve_path (dir, working_dir);

    allow (self, path);
  }
  for (i = 0; i < self->search->len; i++)
    allow (self, self->search->pdata[i]);
  return self;
}

void
ws_resolver_free (WsResolver *self)
{
  if (self == NULL)
    return;
  g_ptr_array_unref (self->allowed);
  g_ptr_array_unref (self->search);
  g_free (self);
}

VmdkResolver *
ws_resolver_vmdk (WsResolver *self)
{
  return &self->base;
}

char *
ws_resolver_locate (WsResolver *self, const char *relative_to, const char *name,
                    VmdkRole role, GError **error)
{
  g_autofree char *path = NULL;
  int fd = resolve (self, relative_to, name, role, O_RDONLY, &path, error);

  if (fd < 0)
    return NULL;
  close (fd);
  return g_steal_pointer (&path);
}
