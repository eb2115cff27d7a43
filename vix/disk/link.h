/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * link.h - one link of a chain: a descriptor and its extents, no parent.
 *
 * Opened read-only a link may be used by any number of threads; opened
 * writable by one. All lengths and offsets are bytes unless the name says
 * sectors (512 bytes).
 */
#pragma once

#include "disk/source.h"

G_BEGIN_DECLS

#define VMDK_SECTOR 512u
#define VMDK_NO_PARENT_CID 0xffffffffu
#define VMDK_MAX_CHAIN 256 /* links; VMware documents 100 and more */

typedef struct VmdkLink VmdkLink;

/**
 * vmdk_link_open:
 * @relative_to: (nullable): see #VmdkResolver
 * @writable: extents and an embedded descriptor can be written; refused for
 *   formats that cannot (stream-optimized, COWD, SESparse) with
 *   %VIX_E_DISK_NOTSUPPORTED
 * @error: %VIX_E_DISK_* naming the file and the field
 *
 * Reads and validates descriptor, extent headers and grain directories.
 */
VmdkLink *vmdk_link_open (VmdkResolver *resolver, const char *relative_to,
                          const char *name, VmdkRole role, gboolean writable,
                          GError **error);
void vmdk_link_free (VmdkLink *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VmdkLink, vmdk_link_free)

/* Id of the source that holds the descriptor. Borrowed. */
const char *vmdk_link_get_id (const VmdkLink *self);
guint32 vmdk_link_get_cid (const VmdkLink *self);
/* VMDK_NO_PARENT_CID: a base. */
guint32 vmdk_link_get_parent_cid (const VmdkLink *self);
/* (nullable): NULL for a base. Borrowed, as written, hostile. */
const char *vmdk_link_get_parent_hint (const VmdkLink *self);
guint64 vmdk_link_get_capacity (const VmdkLink *self);
const char *vmdk_link_get_create_type (const VmdkLink *self);
/* Is everything in one file (monolithicSparse, streamOptimized)? */
gboolean vmdk_link_is_embedded (const VmdkLink *self);
/* Can vmdk_link_open() make it writable? */
gboolean vmdk_link_can_write (const VmdkLink *self);
/* Ids of all files it consists of, descriptor first. Borrowed strings,
 * (transfer container). */
GPtrArray *vmdk_link_list_files (const VmdkLink *self);

typedef enum {
  VMDK_UNALLOCATED, /* falls through to the parent; zeros in a base */
  VMDK_ZERO,        /* zeros, hides the parent */
  VMDK_DATA
} VmdkState;

/**
 * vmdk_link_map:
 * @offset: below the capacity
 * @len: how far to look
 * @ret_len: length of the run from @offset that has one state; at least 1,
 *   at most @len
 *
 * A flat extent is VMDK_DATA throughout (its holes are data that is zero).
 */
gboolean vmdk_link_map (VmdkLink *self, guint64 offset, guint64 len,
                        VmdkState *ret_state, guint64 *ret_len, GError **error);

/* Whether it holds nothing: all of it is VMDK_UNALLOCATED. */
gboolean vmdk_link_is_blank (VmdkLink *self, gboolean *ret_blank,
                             GError **error);

/* Reads what the link itself holds; the whole range must be VMDK_DATA or
 * VMDK_ZERO. */
gboolean vmdk_link_read (VmdkLink *self, guint64 offset, void *buf, gsize len,
                         GError **error);

/* What makes a link part of a chain; see vmdk_link_plan_identity(). */
typedef struct {
  guint32 cid;
  guint32 parent_cid;
  const char *parent_hint; /* NULL: becomes a base */
} VmdkIdentity;

/**
 * vmdk_link_plan_identity:
 * @ret_offset: where in the file vmdk_link_get_id() the new bytes go
 * @ret_bytes: for an embedded descriptor the whole descriptor area, to be
 *   written over the old one; for a descriptor file its whole new content
 *   (@ret_offset 0, to be replaced by rename)
 *
 * Computes, but does not write, the descriptor with another identity; every
 * other line stays to the byte.
 */
gboolean vmdk_link_plan_identity (VmdkLink *self, const VmdkIdentity *identity,
                                  guint64 *ret_offset, GBytes **ret_bytes,
                                  GError **error);

/**
 * vmdk_link_repair_tables:
 *
 * After a writer was killed: makes the redundant grain tables equal to the
 * first ones, cuts off what no table refers to and clears the unclean mark.
 * Never while somebody else may be writing. Syncs. Sparse writable links only;
 * no-op for flat ones. %VIX_E_DISK_CANTREPAIR for damage of another kind.
 */
gboolean vmdk_link_repair_tables (VmdkLink *self, GError **error);

gboolean vmdk_link_sync (VmdkLink *self, GError **error);

G_END_DECLS
