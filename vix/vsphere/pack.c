/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vsphere/pack.h"

#include <string.h>

void
vsphere_put_number (GByteArray *out, guint64 number)
{
  guint8 byte;

  for (; number >= 0x80; number >>= 7) {
    byte = (guint8)(number | 0x80);
    g_byte_array_append (out, &byte, 1);
  }
  byte = (guint8)number;
  g_byte_array_append (out, &byte, 1);
}

guint64
vsphere_take_number (const guint8 **at)
{
  guint64 number = 0;
  guint shift = 0;

  for (; (**at & 0x80) != 0; shift += 7)
    number |= (guint64)(*(*at)++ & 0x7f) << shift;
  return number | (guint64) * (*at)++ << shift;
}

void
vsphere_put_text (GByteArray *out, const char *before, const char *text)
{
  gsize shared = 0;

  while (before[shared] != '\0' && before[shared] == text[shared])
    shared++;
  vsphere_put_number (out, shared);
  vsphere_put_number (out, strlen (text + shared));
  g_byte_array_append (out, (const guint8 *)text + shared,
                       (guint)strlen (text + shared));
}

void
vsphere_take_text (const guint8 **at, GString *text)
{
  gsize shared = (gsize)vsphere_take_number (at);
  gsize n = (gsize)vsphere_take_number (at);

  g_string_truncate (text, shared);
  g_string_append_len (text, (const char *)*at, (gssize)n);
  *at += n;
}

guint64
vsphere_hash (guint64 hash, gconstpointer data, gsize n)
{
  const guint8 *bytes = data;

  for (gsize i = 0; i < n; i++)
    hash = (hash ^ bytes[i]) * G_GUINT64_CONSTANT (0x100000001b3);
  return hash;
}
