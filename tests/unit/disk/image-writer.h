/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * image-writer.h - extents that qemu-img cannot write: other grain sizes,
 * COWD, SESparse, stream-optimized files as exporters lay them out.
 */
#pragma once

#include "disk/link.h"

G_BEGIN_DECLS

typedef enum {
  IMAGE_SPARSE, /* KDMV; with a descriptor inside if one is given */
  IMAGE_STREAM, /* directory at the end, footer, markers */
  IMAGE_COWD,
  IMAGE_SESPARSE
} ImageFormat;

typedef struct {
  ImageFormat format;
  guint64 sectors;
  guint32 grain;     /* sectors; SESparse has 8 */
  guint32 per_table; /* 512; COWD and SESparse have 4096 */
  const guint8 *content;
  /* One VmdkState a grain. */
  const guint8 *states;
  const char *descriptor; /* may be NULL */
  gboolean sparse_tables; /* no table where no grain is */
} ImageSpec;

GByteArray *image_write (const ImageSpec *spec);

/* A descriptor of one extent. @hint NULL: a base. */
char *image_descriptor (guint32 cid, guint32 parent_cid, const char *hint,
                        const char *create_type, guint64 sectors,
                        const char *extent_type, const char *file);

/* Number of grains, and a random state for each: VMDK_ZERO only if @zeros. */
guint64 image_count_grains (guint64 sectors, guint32 grain);
guint8 *image_random_states (GRand *rand, guint64 n, gboolean zeros);
/* Random bytes. */
guint8 *image_random_content (GRand *rand, guint64 sectors);

/* Little-endian numbers in an image. */
void image_put32 (GByteArray *image, gsize offset, guint32 value);
void image_put64 (GByteArray *image, gsize offset, guint64 value);
guint32 image_get32 (const GByteArray *image, gsize offset);
guint64 image_get64 (const GByteArray *image, gsize offset);

G_END_DECLS
