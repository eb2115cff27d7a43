/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pins.h - which snapshots have an image open, and which are being removed:
 * one keeps the other out, as removing rewrites files that images are read
 * from.
 *
 * The kernel tells that a file is closed for good (RELEASE) some time after
 * close() has returned, and once what it reads ahead has come; but that
 * somebody closes it (FLUSH) it tells before. Who closes an image and removes
 * its snapshot right away does not find it open: the removal waits.
 *
 * Any thread. Lock level 2; nothing is called while it is held.
 */
#pragma once

#include <glib.h>

#include "node.h"

G_BEGIN_DECLS

typedef struct FsPins FsPins;

typedef enum {
  FS_SEAL_DONE,
  FS_SEAL_CLOSING, /* all that is open is being closed, as far as known */
  FS_SEAL_OPEN,    /* it is open, or being removed already */
} FsSeal;

FsPins *fs_pins_new (void);
void fs_pins_free (FsPins *self);

/* What stands for snapshot @id of the VM in @slot below. */
guint64 fs_pins_key (guint32 slot, gint64 id);

/* An image is opened; %FALSE if its snapshot is being removed. */
gboolean fs_pins_add (FsPins *self, guint64 key);
/* Somebody closes it: at most once for each fs_pins_add(). */
void fs_pins_expect_drop (FsPins *self, guint64 key);
/* @expected: fs_pins_expect_drop() was called for it */
void fs_pins_drop (FsPins *self, guint64 key, gboolean expected);

/* To remove a snapshot, up to fs_pins_unseal(). */
FsSeal fs_pins_seal (FsPins *self, guint64 key);
void fs_pins_unseal (FsPins *self, guint64 key);
gboolean fs_pins_is_sealed (FsPins *self, guint64 key);
/* How often something was sealed or unsealed. */
guint fs_pins_count_seals (FsPins *self);

G_END_DECLS
