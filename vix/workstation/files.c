/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The files of a VM and of a snapshot: their list, their bytes, and the
 * configuration as of a snapshot.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "disk/link.h"
#include "workstation/host-private.h"
#include "workstation/lock-file.h"
#include "workstation/look.h"
#include "workstation/state-file.h"
#include "workstation/vmx.h"

/* The VM, and the files of it that were found. */
typedef struct {
  WsLook vm;
  GHashTable *paths; /* name -> path */
} Look;

static void
look_clear (Look *look)
{
  ws_look_clear (&look->vm);
  g_clear_pointer (&look->paths, g_hash_table_unref);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Look, look_clear)

static gboolean
look_at (WsHost *host, const char *id, gint64 snapshot, Look *look,
         const WsSnapshot **ret_snapshot, GError **error)
{
  look->paths = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  return ws_look_at (host, id, snapshot, &look->vm, ret_snapshot, error);
}

/* ---- finding ---- */

/* Of two files of one name the first counts. */
static void
add_path (Look *look, const char *path)
{
  g_autofree char *name = g_path_get_basename (path);

  if (!g_hash_table_contains (look->paths, name))
    g_hash_table_insert (look->paths, g_steal_pointer (&name), g_strdup (path));
}

static void
add_directory (Look *look, const char *path)
{
  g_autoptr (GDir) dir = g_dir_open (path, 0, NULL);
  const char *name;

  while (dir != NULL && (name = g_dir_read_name (dir)) != NULL) {
    g_autofree char *file = g_build_filename (path, name, NULL);

    add_path (look, file);
  }
}

/* workingDir, if it is another directory inside of what the host searches. */
static void
add_working_dir (Look *look)
{
  const char *name
    = look->vm.vmx == NULL ? NULL : ws_vmx_get_working_dir (look->vm.vmx);
  g_autofree char *path = NULL;
  char *real;
  gsize i;

  if (name == NULL)
    return;
  path = ws_vm_dir_resolve_path (look->vm.dir, name);
  real = realpath (path, NULL);
  for (i = 0; real != NULL && look->vm.dir->roots[i] != NULL; i++)
    if (strcmp (real, look->vm.dir->path) != 0
        && ws_path_is_inside (real, look->vm.dir->roots[i])) {
      add_directory (look, real);
      break;
    }
  free (real);
}

/* Is @name what an extent of the descriptor with @stem is called? */
static gboolean
is_extent_name (const char *name, const char *stem)
{
  static const char *const endings[]
    = { "flat.vmdk", "delta.vmdk", "sesparse.vmdk", "ctk.vmdk" };
  gsize len = strlen (stem), i;

  if (strncmp (name, stem, len) != 0 || name[len] != '-')
    return FALSE;
  name += len + 1;
  for (i = 0; i < G_N_ELEMENTS (endings); i++)
    if (strcmp (name, endings[i]) == 0)
      return TRUE;
  return (name[0] == 's' || name[0] == 'f')
         && strspn (name + 1, "0123456789") == 3
         && strcmp (name + 4, ".vmdk") == 0;
}

/* A disk that cannot be opened: its descriptor, and what is called like its
 * extents. */
static void
add_damaged_disk (Look *look, const char *file_name)
{
  g_autofree char *path = ws_resolver_locate (look->vm.resolver, NULL,
                                              file_name, VMDK_ROLE_DISK, NULL);
  g_autofree char *parent = NULL;
  g_autofree char *stem = NULL;
  g_autoptr (GDir) dir = NULL;
  const char *name;

  if (path == NULL)
    return;
  add_path (look, path);
  parent = g_path_get_dirname (path);
  stem = g_path_get_basename (path);
  if (!g_str_has_suffix (stem, ".vmdk"))
    return;
  stem[strlen (stem) - strlen (".vmdk")] = '\0';
  dir = g_dir_open (parent, 0, NULL);
  while (dir != NULL && (name = g_dir_read_name (dir)) != NULL) {
    g_autofree char *extent = g_build_filename (parent, name, NULL);

    if (is_extent_name (name, stem))
      add_path (look, extent);
  }
}

static void
add_disk (Look *look, const char *file_name)
{
  g_autoptr (VmdkLink) link
    = vmdk_link_open (ws_resolver_vmdk (look->vm.resolver), NULL, file_name,
                      VMDK_ROLE_DISK, FALSE, NULL);
  g_autoptr (GPtrArray) files = NULL;
  guint i;

  if (link == NULL) {
    add_damaged_disk (look, file_name);
    return;
  }
  files = vmdk_link_list_files (link);
  for (i = 0; i < files->len; i++)
    add_path (look, files->pdata[i]);
}

/* The state file that the .vmsd names, and its .vmem. */
static void
add_state_file (Look *look, const char *file_name)
{
  g_autofree char *path = NULL;
  g_autofree char *memory = NULL;
  char *dot;

  if (file_name[0] == '\0')
    return;
  path = ws_resolver_locate (look->vm.resolver, NULL, file_name, VMDK_ROLE_DISK,
                             NULL);
  if (path == NULL)
    return;
  add_path (look, path);
  dot = strrchr (path, '.');
  if (dot == NULL || strchr (dot, '/') != NULL)
    return;
  *dot = '\0';
  memory = g_strconcat (path, ".vmem", NULL);
  add_path (look, memory);
}

static void
find_files (Look *look, const WsSnapshot *snapshot)
{
  guint i;

  if (snapshot == NULL) {
    add_directory (look, look->vm.dir->path);
    add_working_dir (look);
    return;
  }
  for (i = 0; i < snapshot->num_disks; i++)
    add_disk (look, snapshot->disks[i].file_name);
  add_state_file (look, snapshot->state_file);
  for (i = 0; i < WS_N_STATE_KINDS; i++) {
    g_autofree char *name
      = ws_state_name (look->vm.dir->stem, snapshot->uid, (WsStateKind)i);
    g_autofree char *path = g_build_filename (look->vm.dir->path, name, NULL);

    add_path (look, path);
  }
}

/* ---- the list ---- */

static int
compare_files (gconstpointer a, gconstpointer b)
{
  return strcmp (((const VixExtFile *)a)->name, ((const VixExtFile *)b)->name);
}

/* What of it exists and is a regular file; names point into the table. */
static GArray *
stat_files (Look *look)
{
  GArray *files = g_array_new (FALSE, FALSE, sizeof (VixExtFile));
  GHashTableIter iter;
  gpointer name, path;

  g_hash_table_iter_init (&iter, look->paths);
  while (g_hash_table_iter_next (&iter, &name, &path)) {
    VixExtFile file = { .name = name };
    struct stat st;

    if (lstat (path, &st) != 0 || !S_ISREG (st.st_mode))
      continue;
    file.bytes = st.st_size;
    file.allocated = (gint64)st.st_blocks * 512;
    file.modified
      = (gint64)st.st_mtim.tv_sec * G_USEC_PER_SEC + st.st_mtim.tv_nsec / 1000;
    g_array_append_val (files, file);
  }
  g_array_sort (files, compare_files);
  return files;
}

/* The array and its names in one block. */
static VixExtFile *
pack_files (const GArray *files)
{
  gsize size = MAX (files->len, 1) * sizeof (VixExtFile);
  VixExtFile *packed;
  char *text;
  guint i;

  for (i = 0; i < files->len; i++)
    size += strlen (g_array_index (files, VixExtFile, i).name) + 1;
  packed = g_malloc0 (size);
  text = (char *)(packed + files->len);
  for (i = 0; i < files->len; i++) {
    packed[i] = g_array_index (files, VixExtFile, i);
    packed[i].name = text;
    text = g_stpcpy (text, g_array_index (files, VixExtFile, i).name) + 1;
  }
  return packed;
}

gboolean
ws_list_files (gpointer host, const char *id, gint64 snapshot,
               VixExtFile **ret_files, gsize *ret_count, const VixOp *op,
               GError **error)
{
  g_auto (Look) look = { 0 };
  g_autoptr (GArray) files = NULL;
  const WsSnapshot *record;

  VIX_MAY_BLOCK ();
  if (!look_at (host, id, snapshot, &look, &record, error))
    return FALSE;
  find_files (&look, record);
  files = stat_files (&look);
  *ret_files = pack_files (files);
  *ret_count = files->len;
  return TRUE;
}

/* ---- the configuration ---- */

/* From our own file of the snapshot; NULL without error if it has none. */
static GBytes *
config_from_sidecar (Look *look, const WsSnapshot *snapshot, GError **error)
{
  g_autofree char *name
    = ws_state_name (look->vm.dir->stem, snapshot->uid, WS_STATE_SIDECAR);
  g_autofree char *label = g_build_filename (look->vm.dir->path, name, NULL);
  g_auto (WsSavedState) state = { 0 };
  g_autoptr (GError) cause = NULL;
  g_autoptr (GBytes) bytes
    = ws_vm_dir_read_file (look->vm.dir, name, WS_SIDECAR_MAX_BYTES, &cause);

  if (g_error_matches (cause, VIX_ERROR, VIX_E_FILE_NOT_FOUND))
    return NULL;
  if (bytes == NULL) {
    g_propagate_error (error, g_steal_pointer (&cause));
    return NULL;
  }
  if (!ws_sidecar_parse (bytes, label, &state, error))
    return NULL;
  return g_bytes_ref (state.vmx);
}

static int
open_path (const char *path, guint64 *ret_size, GError **error)
{
  struct stat st;
  int fd
    = open (path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

  if (fd < 0 && errno != ELOOP) {
    vix_set_error_errno (error, errno, "%s", path);
    return -1;
  }
  if (fd >= 0 && fstat (fd, &st) == 0 && S_ISREG (st.st_mode)) {
    if (ret_size != NULL)
      *ret_size = (guint64)st.st_size;
    return fd;
  }
  g_set_error (error, VIX_ERROR, VIX_E_FILE_ACCESS_ERROR,
               "%s: is no regular file", path);
  if (fd >= 0)
    close (fd);
  return -1;
}

static GBytes *
config_from_vmsn (Look *look, const WsSnapshot *snapshot, GError **error)
{
  g_auto (WsSavedState) state = { 0 };
  g_autofree char *path = NULL;
  gboolean ok;
  int fd;

  if (snapshot->state_file[0] == '\0') {
    g_set_error (error, VIX_ERROR, VIX_E_FILE_NOT_FOUND,
                 "%s: snapshot %" G_GINT64_FORMAT
                 " names no state file, so its configuration is not known",
                 look->vm.dir->id, snapshot->uid);
    return NULL;
  }
  path = ws_resolver_locate (look->vm.resolver, NULL, snapshot->state_file,
                             VMDK_ROLE_DISK, error);
  fd = path == NULL ? -1 : open_path (path, NULL, error);
  if (fd < 0)
    return NULL;
  ok = ws_vmsn_read (fd, path, &state, error);
  close (fd);
  return ok ? g_bytes_ref (state.vmx) : NULL;
}

GBytes *
ws_get_config (gpointer host, const char *id, gint64 snapshot, const VixOp *op,
               GError **error)
{
  g_auto (Look) look = { 0 };
  g_autoptr (GError) cause = NULL;
  const WsSnapshot *record;
  GBytes *config;

  VIX_MAY_BLOCK ();
  if (!look_at (host, id, snapshot, &look, &record, error))
    return NULL;
  if (record == NULL)
    return ws_vm_dir_read_file (look.vm.dir, look.vm.dir->vmx_name,
                                KV_FILE_MAX_BYTES, error);
  config = config_from_sidecar (&look, record, &cause);
  if (config == NULL)
    config = config_from_vmsn (&look, record, cause == NULL ? &cause : NULL);
  if (config == NULL)
    g_propagate_error (error, g_steal_pointer (&cause));
  return config;
}

/* ---- reading a file ---- */

typedef struct {
  VixFileReader base; /* must be first */
  int fd;
  char *path;
} FileReader;

static gboolean
reader_read (VixFileReader *base, guint64 offset, void *buf, gsize len,
             gsize *ret_done, GError **error)
{
  FileReader *self = (FileReader *)base;
  gsize done = 0;

  VIX_MAY_BLOCK ();
  if (offset > (guint64)G_MAXINT64) {
    g_set_error (error, VIX_ERROR, VIX_E_INVALID_ARG, "%s: offset", self->path);
    return FALSE;
  }
  while (done < len) {
    gssize n = pread (self->fd, (char *)buf + done, len - done,
                      (off_t)(offset + done));

    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0) {
      vix_set_error_errno (error, errno, "%s: read", self->path);
      return FALSE;
    }
    if (n == 0)
      break;
    done += (gsize)n;
  }
  *ret_done = done;
  return TRUE;
}

static void
reader_free (VixFileReader *base)
{
  FileReader *self = (FileReader *)base;

  close (self->fd);
  g_free (self->path);
  g_free (self);
}

static gboolean
is_held (const char *path)
{
  g_autofree char *parent = g_path_get_dirname (path);
  g_autofree char *name = g_path_get_basename (path);
  int fd = open (parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  gboolean held;

  if (fd < 0)
    return FALSE;
  held = ws_file_lock_inspect (fd, name, NULL) == WS_LOCK_HELD;
  close (fd);
  return held;
}

/* Does the disk at @disk_path, which the running VM writes, consist of
 * @path, among others? */
static gboolean
disk_has_file (Look *look, const char *disk_path, const char *path)
{
  g_autoptr (VmdkLink) link
    = vmdk_link_open (ws_resolver_vmdk (look->vm.resolver), NULL, disk_path,
                      VMDK_ROLE_DISK, FALSE, NULL);
  g_autoptr (GPtrArray) files
    = link == NULL ? NULL : vmdk_link_list_files (link);
  guint i;

  for (i = 0; files != NULL && i < files->len; i++)
    if (strcmp (files->pdata[i], path) == 0)
      return TRUE;
  return strcmp (disk_path, path) == 0;
}

/* Frozen links do not change and may be read; the disks of the .vmx and the
 * memory of a running VM do. */
static gboolean
is_being_written (Look *look, const char *path)
{
  g_autoptr (GPtrArray) disks = NULL;
  guint i;

  if (look->vm.vmx == NULL
      || ws_file_lock_inspect (look->vm.dir->fd, look->vm.dir->vmx_name, NULL)
           != WS_LOCK_HELD)
    return FALSE;
  if (g_str_has_suffix (path, ".vmem") && is_held (path))
    return TRUE;
  disks = ws_vmx_list_disks (look->vm.vmx);
  for (i = 0; i < disks->len; i++) {
    const WsVmxDisk *disk = disks->pdata[i];
    g_autofree char *disk_path = ws_resolver_locate (
      look->vm.resolver, NULL, disk->file_name, VMDK_ROLE_DISK, NULL);

    if (disk_path != NULL && is_held (disk_path)
        && disk_has_file (look, disk_path, path))
      return TRUE;
  }
  return FALSE;
}

VixFileReader *
ws_open_file (gpointer host, const char *id, gint64 snapshot, const char *name,
              const VixOp *op, GError **error)
{
  g_auto (Look) look = { 0 };
  const WsSnapshot *record;
  const char *path;
  FileReader *reader;
  guint64 size = 0;
  int fd;

  VIX_MAY_BLOCK ();
  if (!look_at (host, id, snapshot, &look, &record, error))
    return NULL;
  find_files (&look, record);
  path = g_hash_table_lookup (look.paths, name);
  if (path == NULL) {
    g_set_error (error, VIX_ERROR, VIX_E_FILE_NOT_FOUND,
                 "%s: has no file \"%s\"", id, name);
    return NULL;
  }
  if (is_being_written (&look, path)) {
    g_set_error (error, VIX_ERROR, VIX_E_FILE_ALREADY_LOCKED,
                 "%s: the running VM writes to it; take a snapshot and read "
                 "that, or power the VM off",
                 path);
    return NULL;
  }
  fd = open_path (path, &size, error);
  if (fd < 0)
    return NULL;
  reader = g_new0 (FileReader, 1);
  reader->base.size = size;
  reader->base.read = reader_read;
  reader->base.free = reader_free;
  reader->fd = fd;
  reader->path = g_strdup (path);
  return &reader->base;
}
