/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * disk-fixture.h - a temporary directory of disks, QEMU's tools as the judge
 * of what is in them, and a model: the bytes that a disk should have.
 *
 * All functions fail the test instead of returning errors.
 */
#pragma once

#include "disk/chain.h"
#include "disk/write.h"

G_BEGIN_DECLS

typedef struct {
  VmdkResolver resolver; /* plain names in the directory */
  char *dir;
  GRand *rand; /* seeded: runs repeat */
} DiskFixture;

/* For g_test_add(). */
void disk_fixture_set_up (DiskFixture *self, gconstpointer data);
void disk_fixture_tear_down (DiskFixture *self, gconstpointer data);
#define DISK_TEST(path, data, func)                                            \
  g_test_add (path, DiskFixture, data, disk_fixture_set_up, func,              \
              disk_fixture_tear_down)

char *disk_path (DiskFixture *self, const char *name);
/* Runs a command line in the directory; its exit status must be 0. */
void disk_run (DiskFixture *self, const char *format, ...)
  __attribute__ ((format (printf, 2, 3)));
/* The same, returning its output. */
char *disk_run_output (DiskFixture *self, const char *format, ...)
  __attribute__ ((format (printf, 2, 3)));

VmdkLink *disk_open_link (DiskFixture *self, const char *name,
                          gboolean writable);
VmdkChain *disk_open_chain (DiskFixture *self, const char *name);
/* Creates @name as a child of @parent with our code. */
void disk_create_child (DiskFixture *self, const char *parent,
                        const char *name);
/* Gives @name the identity, in place or by replacing the file. */
void disk_set_identity (DiskFixture *self, const char *name, guint32 cid,
                        guint32 parent_cid, const char *hint);

/* @n writes of random place, length and value by qemu-io, done to the model
 * as well. */
void disk_write_random (DiskFixture *self, const char *name, GByteArray *model,
                        guint n);
/* One write of @value by qemu-io and to the model. */
void disk_write (DiskFixture *self, const char *name, GByteArray *model,
                 guint64 offset, guint64 len, guint8 value);
GByteArray *disk_model_new (guint64 bytes);
GByteArray *disk_model_copy (const GByteArray *model);

/* The disk reads as the model, in pieces of odd sizes, and what its map calls
 * zero is. */
void disk_assert_chain (DiskFixture *self, const char *name,
                        const GByteArray *model);
/* QEMU reads it as the model, and finds it sound if it is sparse. */
void disk_assert_qemu (DiskFixture *self, const char *name,
                       const GByteArray *model);
/* Both. */
void disk_assert_content (DiskFixture *self, const char *name,
                          const GByteArray *model);

/* @error is of VIX_ERROR and @code, and its text holds @text; frees it. */
void disk_assert_error (GError *error, int code, const char *text);

G_END_DECLS
