/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/byte-reader.h"

void
byte_reader_init (ByteReader *self, const void *data, gsize len)
{
  /* Arithmetic on NULL is undefined even for a distance of 0. */
  *self = (ByteReader){ .data = len > 0 ? data : (const void *)"", .len = len };
}

const guint8 *
byte_reader_take (ByteReader *self, gsize n)
{
  const guint8 *p;

  if (self->failed || n > self->len - self->pos) {
    self->failed = TRUE;
    return NULL;
  }
  p = self->data + self->pos;
  self->pos += n;
  return p;
}

void
byte_reader_skip (ByteReader *self, gsize n)
{
  byte_reader_take (self, n);
}

void
byte_reader_seek (ByteReader *self, gsize pos)
{
  if (self->failed || pos > self->len)
    self->failed = TRUE;
  else
    self->pos = pos;
}

/* An integer of @n bytes, least significant first; 0 past the end. */
static guint64
take_little_endian (ByteReader *self, gsize n)
{
  const guint8 *p = byte_reader_take (self, n);
  guint64 value = 0;

  if (p == NULL)
    return 0;
  while (n-- > 0)
    value = value << 8 | p[n];
  return value;
}

guint8
byte_reader_u8 (ByteReader *self)
{
  return (guint8)take_little_endian (self, 1);
}

guint16
byte_reader_le16 (ByteReader *self)
{
  return (guint16)take_little_endian (self, 2);
}

guint32
byte_reader_le32 (ByteReader *self)
{
  return (guint32)take_little_endian (self, 4);
}

guint64
byte_reader_le64 (ByteReader *self)
{
  return take_little_endian (self, 8);
}

gboolean
byte_reader_ok (const ByteReader *self)
{
  return !self->failed;
}
