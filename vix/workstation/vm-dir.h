/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vm-dir.h - an opened VM: its directory, its names, and what its files may
 * lead to.
 *
 * Everything is reached through the directory's descriptor, without following
 * a symbolic link in the last component, and only if it is a regular file.
 *
 * Where a disk name may lead (after resolving every link on the way):
 *   - an extent: only beside its descriptor, by a plain name;
 *   - a disk of the .vmx or .vmsd, or a parent: inside @roots if the VM itself
 *     lies inside one of them; else the VM's directory, workingDir, and the
 *     directories of fileSearchPath, each with what is below it.
 * A disk's name is taken as written, relative to the VM's directory; if it has
 * no slash, backslashes count as such when the plain reading finds nothing.
 * A parent's hint is looked up as written if absolute, else from the child's
 * directory with both slashes as separators, then by its last component in
 * the child's directory, then in each directory of fileSearchPath.
 */
#pragma once

#include "base/kv-file.h"
#include "disk/source.h"
#include "workstation/vmsd.h"

G_BEGIN_DECLS

/* Immutable once opened; any thread. */
typedef struct {
  int fd;                   /* the directory, O_RDONLY */
  char *path;               /* its canonical path */
  char *id;                 /* canonical path of the .vmx: the VM's id */
  char *vmx_name;           /* last component of @id */
  char *stem;               /* vmx_name without its extension */
  const char *const *roots; /* borrowed; may be empty, never NULL */
} WsVmDir;

/**
 * ws_vm_dir_open:
 * @id: canonical path of a .vmx, as ws_vm_id_from_path() gives it
 * @roots: canonical directories; borrowed, must outlive the result
 * @error: %VIX_E_VM_NOT_FOUND if directory or .vmx do not exist,
 *   %VIX_E_CANNOT_READ_VM_CONFIG if the .vmx is no regular file
 */
WsVmDir *ws_vm_dir_open (const char *id, const char *const *roots,
                         GError **error);
void ws_vm_dir_close (WsVmDir *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (WsVmDir, ws_vm_dir_close)

/* Does the name end as a configuration does (.vmx, .vmtx; any case), and is
 * it not a hidden file? */
gboolean ws_is_vmx_name (const char *name);

/* Is @path @dir or below it? Both canonical. */
gboolean ws_path_is_inside (const char *path, const char *dir);

/**
 * ws_vm_id_from_path:
 * @path: any spelling: relative, with links
 * @error: %VIX_E_FILE_NOT_FOUND, %VIX_E_CANNOT_READ_VM_CONFIG for what is no
 *   regular file
 *
 * Returns: (transfer full): the canonical path; the same for all paths to one
 * file
 */
char *ws_vm_id_from_path (const char *path, GError **error);

/* ---- files of the directory ---- */

/* "<stem>.vmsd" and the like; (transfer full). @suffix with its dot. */
char *ws_vm_dir_name (const WsVmDir *self, const char *suffix);

/* O_RDONLY, O_NOFOLLOW, regular files only; -1 and error
 * (%VIX_E_FILE_NOT_FOUND, %VIX_E_FILE_ACCESS_ERROR, ...). @name: one
 * component. */
int ws_vm_dir_open_file (const WsVmDir *self, const char *name, GError **error);
/* The whole file; %VIX_E_FILE_TOO_BIG over @max_bytes. */
GBytes *ws_vm_dir_read_file (const WsVmDir *self, const char *name,
                             gsize max_bytes, GError **error);
gboolean ws_vm_dir_exists (const WsVmDir *self, const char *name);
/* (transfer full): all names in it but . and .., unsorted; NULL and error */
GPtrArray *ws_vm_dir_list (const WsVmDir *self, GError **error);

/* %VIX_E_VM_NOT_FOUND if it is gone, else %VIX_E_CANNOT_READ_VM_CONFIG,
 * naming the cause. */
KvFile *ws_vm_dir_read_vmx (const WsVmDir *self, GError **error);
/* A .vmsd that is missing or empty is a model without snapshots. Fails only
 * if it cannot be read or parsed as a dictionary. */
WsVmsd *ws_vm_dir_read_vmsd (const WsVmDir *self, GError **error);

/* The absolute path that a name in the .vmx or .vmsd (a clone's .vmx, a
 * sentinel, workingDir) stands for: lexical, both slashes; (transfer full).
 * Not checked against any policy. */
char *ws_vm_dir_resolve_path (const WsVmDir *self, const char *name);

/* (nullable): the plain name if @source_id (VmdkSource.id, a canonical path)
 * lies directly in this directory; points into @source_id. */
const char *ws_vm_dir_own_name (const WsVmDir *self, const char *source_id);

/* ---- for vix/disk ---- */

typedef struct WsResolver WsResolver;

/**
 * ws_resolver_new:
 * @dir: borrowed, must outlive the resolver and what it opened
 * @vmx: (nullable): for workingDir and fileSearchPath, read now
 *
 * With relative_to NULL names are looked up from the VM's directory. The ids
 * of its sources are canonical paths. Any thread.
 */
WsResolver *ws_resolver_new (const WsVmDir *dir, const KvFile *vmx);
void ws_resolver_free (WsResolver *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (WsResolver, ws_resolver_free)

/* Borrowed. */
VmdkResolver *ws_resolver_vmdk (WsResolver *self);

/**
 * ws_resolver_locate:
 *
 * As the resolver's open(), but only says where it would lead: the canonical
 * path, (transfer full). The file exists and is regular.
 */
char *ws_resolver_locate (WsResolver *self, const char *relative_to,
                          const char *name, VmdkRole role, GError **error);

G_END_DECLS
