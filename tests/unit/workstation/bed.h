/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * bed.h - a real VM in a temporary directory, worked on through the public
 * API and judged with QEMU's tools.
 */
#pragma once

#include <glib.h>

#include "base/kv-file.h"
#include "vix-ext.h"
#include "vix.h"

typedef struct {
  char *root; /* what the host searches */
  char *dir;  /* of the VM "vm" in it */
  VixServiceProvider type;
  VixHandle host;
  VixHandle vm;
  char *message; /* what the last failed job said, or "" */
} Bed;

#define assert_code(err, code)                                                 \
  g_assert_cmpstr (VixExt_GetErrorName (err), ==, VixExt_GetErrorName (code))

/**
 * bed_new:
 * @disks: "scsi0:0 SUBFORMAT SIZE [MODE]", ..., NULL; the file is named after
 *   the node ("scsi0-0.vmdk"), its content differs from block to block
 */
Bed *bed_new (VixServiceProvider type, const char *const *disks);
/* One monolithicSparse disk of 8 MiB at scsi0:0. */
Bed *bed_new_simple (void);
void bed_free (Bed *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (Bed, bed_free)

void bed_connect (Bed *self);
void bed_disconnect (Bed *self);

/* ---- the operations; each waits for its job ---- */

/* @ret_uid: (nullable) */
VixError bed_create (Bed *self, const char *name, gint64 *ret_uid);
VixError bed_revert (Bed *self, gint64 uid, int options);
VixError bed_remove (Bed *self, gint64 uid, gboolean children);
/* bed_create() that must succeed, then a block of the disk at scsi0:0 (and
 * every other that takes part) is overwritten. */
gint64 bed_snap (Bed *self, const char *name);
/* Waits for @job, keeps its text, releases it. */
VixError bed_finish (Bed *self, VixHandle job);
VixHandle bed_snapshot (Bed *self, gint64 uid);
/* uids of parent and current; 0: none */
gint64 bed_parent (Bed *self, gint64 uid);
gint64 bed_current (Bed *self);
int bed_count (Bed *self);

/* ---- its files ---- */

/* Paths and names: g_free. */
char *bed_path (Bed *self, const char *name);
gboolean bed_exists (Bed *self, const char *name);
char *bed_read (Bed *self, const char *name);
void bed_put (Bed *self, const char *name, const char *text);
/* All names, sorted, separated by blanks. */
char *bed_list (Bed *self);
/* Names, and of all but big files the content: to tell that nothing changed. */
char *bed_state (Bed *self);

char *bed_get (Bed *self, const char *file, const char *key);
/* NULL @value: the key goes */
void bed_set (Bed *self, const char *file, const char *key, const char *value);

/* The file that the VM runs on, or that snapshot @uid froze. */
char *bed_running (Bed *self, const char *node);
char *bed_frozen (Bed *self, gint64 uid, const char *node);

/* Overwrites 64 KiB at @block times 64 KiB of a disk with a byte. */
void bed_fill (Bed *self, const char *file, guint block, int byte);
/* The content as QEMU sees it, as a checksum; asserts qemu-img check. */
char *bed_sum (Bed *self, const char *file);
char *bed_sum_running (Bed *self, const char *node);
char *bed_sum_frozen (Bed *self, gint64 uid, const char *node);

/* Runs a program, asserts that it succeeds; its output, g_free. */
char *bed_run (const char *first, ...) G_GNUC_NULL_TERMINATED;
