/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * byte-reader.h - takes numbers out of bytes that somebody else wrote.
 *
 * A cursor over borrowed memory with a sticky failure flag: a step past the
 * end fails, and so does everything after it, with zeros for values. Take all
 * fields, then ask byte_reader_ok() once. No alignment is needed; integers are
 * little-endian.
 *
 * Lives on the stack; one thread at a time.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct {
  const guint8 *data;
  gsize len;
  gsize pos;
  gboolean failed;
} ByteReader;

/* @data is borrowed and must outlive the reader; it may be NULL if @len is 0.
 */
void byte_reader_init (ByteReader *self, const void *data, gsize len);

/* The next @n bytes, borrowed, or NULL. */
const guint8 *byte_reader_take (ByteReader *self, gsize n);
void byte_reader_skip (ByteReader *self, gsize n);
/* To an absolute position; the end itself is allowed. */
void byte_reader_seek (ByteReader *self, gsize pos);

guint8 byte_reader_u8 (ByteReader *self);
guint16 byte_reader_le16 (ByteReader *self);
guint32 byte_reader_le32 (ByteReader *self);
guint64 byte_reader_le64 (ByteReader *self);

/* Did every step so far stay inside? */
gboolean byte_reader_ok (const ByteReader *self);

G_END_DECLS
