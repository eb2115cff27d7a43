/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * disk-name.h - how children of a disk are named: the disk's stem without
 * -NNNNNN, then the first free number. Pure.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* "a/dev-000003.vmdk" to "dev"; (transfer full). Both slashes separate. */
char *ws_disk_lineage (const char *file_name);

/* The numbers taken in a directory. */
typedef struct WsDiskNames WsDiskNames;

/* @names: of all files there; an extent takes its disk's number too. */
WsDiskNames *ws_disk_names_new (const GPtrArray *names);
void ws_disk_names_free (WsDiskNames *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (WsDiskNames, ws_disk_names_free)

/* (transfer full): a name for a child of @file_name, taken from now on.
 * (nullable): NULL if all numbers are taken. */
char *ws_disk_names_take_child (WsDiskNames *self, const char *file_name);

G_END_DECLS
