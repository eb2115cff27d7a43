/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * chain.h - a disk as the guest sees it: a link and all its parents.
 */
#pragma once

#include "disk/link.h"

G_BEGIN_DECLS

typedef struct VmdkChain VmdkChain;

/**
 * vmdk_chain_open:
 * @name: the newest link
 *
 * Opens and checks every link, newest first: CID against the child's
 * parentCID, no cycle, at most VMDK_MAX_CHAIN links. Read only. Links may
 * differ in capacity, as those of a disk that was enlarged do: what lies behind
 * the end of a link reads as zeros through its child, whatever older links hold
 * there. Errors: %VIX_E_DISK_CID_MISMATCH, %VIX_E_DISK_INVALIDCHAIN,
 * %VIX_E_DISK_OPENPARENT, %VIX_E_DISK_PARTIALCHAIN if a file of the newest link
 * is missing, and the others of vmdk_link_open(), each naming the files.
 */
VmdkChain *vmdk_chain_open (VmdkResolver *resolver, const char *relative_to,
                            const char *name, GError **error);

/**
 * vmdk_chain_open_known:
 * @names: of all links, newest first, which the resolver opens by name;
 *   @n of them, at least 1
 * @at_once: how many links to open at a time; the resolver takes calls of
 *   several threads then
 *
 * As vmdk_chain_open(), where the links are known before their descriptors are
 * read. %VIX_E_DISK_INVALIDCHAIN if those say that there are more, or fewer.
 */
VmdkChain *vmdk_chain_open_known (VmdkResolver *resolver,
                                  const char *const *names, guint n,
                                  guint at_once, GError **error);
void vmdk_chain_free (VmdkChain *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VmdkChain, vmdk_chain_free)

guint vmdk_chain_get_depth (const VmdkChain *self);
/* 0 is the newest. Borrowed. */
VmdkLink *vmdk_chain_get_link (const VmdkChain *self, guint index);
/* That of the newest link. */
guint64 vmdk_chain_get_capacity (const VmdkChain *self);

/**
 * vmdk_chain_read:
 * @offset: bytes into the virtual disk, any alignment
 * @error: %VIX_E_INVALID_ARG past the end, %VIX_E_DISK_* on a bad image
 *
 * Fills all of @buf; what no link holds reads as zero. Any thread, reads do
 * not exclude each other. Blocks on I/O.
 */
gboolean vmdk_chain_read (VmdkChain *self, guint64 offset, void *buf, gsize len,
                          GError **error);

/* As vmdk_link_map() for the whole chain; VMDK_UNALLOCATED is never
 * returned. A long run may come in pieces. */
gboolean vmdk_chain_map (VmdkChain *self, guint64 offset, guint64 len,
                         VmdkState *ret_state, guint64 *ret_len,
                         GError **error);

/* How much of it is VMDK_DATA. Reads all tables. */
gboolean vmdk_chain_count_data (VmdkChain *self, guint64 *ret_bytes,
                                GError **error);

G_END_DECLS
