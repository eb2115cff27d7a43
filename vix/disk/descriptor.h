/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * descriptor.h - the text that describes a link: its identity, its extents,
 * its database. Parsed line by line into keys; an edit changes only the spans
 * it names and keeps every other byte. Strings are bytes as written: no
 * encoding is assumed, and all of them are hostile.
 *
 * Immutable once parsed: any thread.
 */
#pragma once

#include "disk/link.h"

G_BEGIN_DECLS

/* 2^53 bytes: offsets stay exact in a double, and far from overflow. */
#define VMDK_MAX_CAPACITY_SECTORS (G_GUINT64_CONSTANT (1) << 44)
/* A descriptor in its own file; inside an extent it is at most 64 KiB. */
#define VMDK_DESCRIPTOR_MAX_BYTES (1u << 20)
#define VMDK_EMBEDDED_MAX_BYTES (64u << 10)
/* 62 TiB in pieces of 2047 MiB are 31,760. */
#define VMDK_MAX_EXTENTS 32768u

typedef enum { VMDK_ACCESS_RW, VMDK_ACCESS_RDONLY } VmdkAccess;

typedef enum {
  VMDK_EXTENT_FLAT, /* FLAT and VMFS */
  VMDK_EXTENT_ZERO,
  VMDK_EXTENT_SPARSE,
  VMDK_EXTENT_VMFSSPARSE,
  VMDK_EXTENT_SESPARSE
} VmdkExtentType;

typedef struct {
  VmdkAccess access;
  VmdkExtentType type;
  guint64 sectors;
  guint64 offset_sectors; /* start in the file; flat ones only */
  char *file;             /* NULL for VMDK_EXTENT_ZERO */
} VmdkExtentLine;

typedef struct VmdkDescriptor VmdkDescriptor;

/**
 * vmdk_descriptor_parse:
 * @data: copied up to the first NUL
 * @label: for error texts
 * @error: %VIX_E_DISK_INVALIDDISK, %VIX_E_DISK_UNSUPPORTEDDISKVERSION or
 *   %VIX_E_DISK_UNSUPPORTEDDEVICE, naming @label and the line
 */
VmdkDescriptor *vmdk_descriptor_parse (const void *data, gsize len,
                                       const char *label, GError **error);
void vmdk_descriptor_free (VmdkDescriptor *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VmdkDescriptor, vmdk_descriptor_free)

guint32 vmdk_descriptor_get_cid (const VmdkDescriptor *self);
guint32 vmdk_descriptor_get_parent_cid (const VmdkDescriptor *self);
const char *vmdk_descriptor_get_parent_hint (const VmdkDescriptor *self);
const char *vmdk_descriptor_get_create_type (const VmdkDescriptor *self);
const char *vmdk_descriptor_get_ddb (const VmdkDescriptor *self,
                                     const char *key);
guint vmdk_descriptor_get_n_extents (const VmdkDescriptor *self);
const VmdkExtentLine *vmdk_descriptor_get_extent (const VmdkDescriptor *self,
                                                  guint index);
guint64 vmdk_descriptor_get_capacity_sectors (const VmdkDescriptor *self);

/**
 * vmdk_descriptor_with_identity:
 *
 * The text with another identity. A long content id keeps agreeing with the
 * CID; lines that are missing are added in the file's style of line end.
 *
 * Returns: (transfer full): NUL-terminated; %NULL with %VIX_E_INVALID_ARG if
 * the hint cannot be written
 */
char *vmdk_descriptor_with_identity (const VmdkDescriptor *self,
                                     const VmdkIdentity *identity,
                                     GError **error);

/**
 * vmdk_descriptor_format_child:
 * @parent: its adapter, geometry and the like are taken over
 *
 * The canonical text of a monolithicSparse child. %NULL as above.
 */
char *vmdk_descriptor_format_child (const VmdkDescriptor *parent, guint32 cid,
                                    const char *parent_hint,
                                    const char *file_name, GError **error);

G_END_DECLS
