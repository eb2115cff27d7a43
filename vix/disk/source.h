/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * source.h - where the disk code gets its bytes: a pread-like table of
 * functions, and a resolver that opens the files which descriptors name.
 * Nothing in disk/ knows paths, SOAP or locks.
 */
#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

typedef struct VmdkSource VmdkSource;

/* Any number of threads may read at once; writing excludes everything. */
typedef struct {
  /* All of @len or an error; past the end is VIX_E_FILE_ERROR. */
  gboolean (*pread) (VmdkSource *self, guint64 offset, void *buf, gsize len,
                     GError **error);
  /* The same for tables: of those nobody tells what is read next. NULL where
   * there is no difference. */
  gboolean (*pread_table) (VmdkSource *self, guint64 offset, void *buf,
                           gsize len, GError **error);
  /* NULL on sources that are only read: */
  gboolean (*pwrite) (VmdkSource *self, guint64 offset, const void *buf,
                      gsize len, GError **error);
  /* Grows or shrinks; new bytes read as zero. */
  gboolean (*truncate) (VmdkSource *self, guint64 size, GError **error);
  /* Makes sure that later writes to the range cannot fail for lack of space;
   * VIX_E_DISK_FULL. Never changes size or content; what was reserved behind
   * the end is given back by the next truncate, even to the same size. */
  gboolean (*reserve) (VmdkSource *self, guint64 offset, guint64 len,
                       GError **error);
  /* The range, inside the size, reads as zeros from now on and its space is
   * given back if the store can. */
  gboolean (*punch) (VmdkSource *self, guint64 offset, guint64 len,
                     GError **error);
  gboolean (*sync) (VmdkSource *self, GError **error);
  /* Next data (or hole) at or after @offset, as lseek SEEK_DATA/SEEK_HOLE,
   * the size if there is none; may be NULL: everything is data. */
  gboolean (*seek) (VmdkSource *self, guint64 offset, gboolean hole,
                    guint64 *ret_offset, GError **error);
  void (*free) (VmdkSource *self);
} VmdkSourceOps;

struct VmdkSource {
  const VmdkSourceOps *ops;
  guint64 size;  /* bytes; kept up to date by truncate and pwrite */
  guint at_once; /* reads that are worth doing at a time, as each waits for an
                  * answer from far away; 0 or 1: one after the other */
  char *id;      /* unique name of the file, for cycles and error texts */
};

/* As pread, for headers, directories and tables. */
gboolean vmdk_source_read_table (VmdkSource *self, guint64 offset, void *buf,
                                 gsize len, GError **error);
void vmdk_source_free (VmdkSource *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VmdkSource, vmdk_source_free)

/**
 * vmdk_source_new_fd:
 * @fd: (transfer full): a regular file
 * @id: copied
 *
 * The local file source. Has @pwrite and its kin only if @writable.
 */
VmdkSource *vmdk_source_new_fd (int fd, const char *id, gboolean writable,
                                GError **error);

/* What a name is looked up as: parents may live in other directories by the
 * resolver's policy, extents only beside their descriptor. */
typedef enum { VMDK_ROLE_DISK, VMDK_ROLE_EXTENT, VMDK_ROLE_PARENT } VmdkRole;

typedef struct VmdkResolver VmdkResolver;
struct VmdkResolver {
  /**
   * @relative_to: id of the source whose descriptor holds @name, or %NULL
   * @name: as written in the descriptor, hostile
   * @error: %VIX_E_FILE_NOT_FOUND; %VIX_E_FILE_ACCESS_ERROR for one that
   *   leads out of where this VM may read
   *
   * Opens it without following a link in the last component; regular files
   * only.
   */
  VmdkSource *(*open) (VmdkResolver *self, const char *relative_to,
                       const char *name, VmdkRole role, gboolean writable,
                       GError **error);
};

G_END_DECLS
