/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * images.h - what the disks/ directories hold: the images of the snapshots
 * looked at last.
 *
 * What an image is does not change while its snapshot is there, so a listing
 * once made holds; one with an image that cannot be read holds until something
 * of the VM changed, or for some seconds: its file may be put back, in whatever
 * directory. Any thread.
 */
#pragma once

#include <glib.h>

#include "tree.h"

G_BEGIN_DECLS

/* A few hundred bytes each. */
#define FS_IMAGES_KEPT 8192
/* A walk that asks for each file of disks/ several times does not open all the
 * chains each time. */
#define FS_IMAGES_RETRY_US (2 * G_USEC_PER_SEC)

#define FS_IMAGE_SUFFIX ".img"

typedef struct {
  char *name; /* "scsi0-0.img", for each @node another */
  char *node; /* "scsi0:0" */
  gint64 bytes;
  gint64 allocated;  /* bytes */
  gint64 changed_by; /* id of the newest snapshot with other content than its
                      * parent */
  gint64 changed;    /* microseconds since 1970: when that was made, or one
                      * before it that is gone */
  int error;         /* errno if it cannot be read; it has a name all the same,
                      * so that nobody takes the rest for all */
} FsImage;

/* Counted and immutable. */
typedef struct {
  gatomicrefcount references;
  int error;       /* errno if there is no listing */
  GArray *images;  /* (FsImage); the slot of a node is the index + 1 */
  guint32 version; /* of the VM when it was made */
  gint64 made;     /* monotonic microseconds */
} FsImageList;

typedef struct FsMount FsMount;
typedef struct FsImages FsImages;

FsImages *fs_images_new (FsMount *mount);
void fs_images_free (FsImages *self);

/* (transfer full): the images of @node's snapshot. May block on a local disk.
 * What cannot be read is told in the log. */
FsImageList *fs_images_get (FsImages *self, const FsNode *node);
void fs_image_list_unref (FsImageList *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (FsImageList, fs_image_list_unref)

/* Before @snapshot of VM @slot is removed, on a host of the network: sees to it
 * that the times of what it changed are noted for those that hold the same.
 * May wait for the host. */
void fs_images_note_times (FsImages *self, guint32 slot, gint64 snapshot);

/* (nullable): borrowed */
const FsImage *fs_image_list_at (const FsImageList *self, guint32 slot);
/* The slot of image @name; 0 if there is none. */
guint32 fs_image_list_find (const FsImageList *self, const char *name);

G_END_DECLS
