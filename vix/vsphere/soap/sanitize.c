/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vsphere/soap/sanitize.h"

#include <string.h>

#define REPLACEMENT "\357\277\275" /* U+FFFD */
#define EACH(byte) ((guint64)(byte)*G_GUINT64_CONSTANT (0x0101010101010101))

static gboolean
is_xml_char (gunichar c)
{
  return c == '\t' || c == '\n' || c == '\r' || (c >= 0x20 && c <= 0xD7FF)
         || (c >= 0xE000 && c <= 0xFFFD) || (c >= 0x10000 && c <= 0x10FFFF);
}

/* Bytes that pass as they are, whatever stands around them. */
static gboolean
is_plain (guint8 c)
{
  return (c >= 0x20 && c < 0x7F && c != '&') || c == '\n' || c == '\r'
         || c == '\t';
}

/* The highest bit of each byte of @word that is 0; perhaps of those above such
 * a byte, too. */
static guint64
find_zero (guint64 word)
{
  return (word - EACH (0x01)) & ~word & EACH (0x80);
}

/* Whether eight bytes are all plain and no blank but a space: nearly all of an
 * answer is, and an inventory may be a hundred megabytes. */
static gboolean
is_plain_word (const char *p)
{
  guint64 word;

  memcpy (&word, p, sizeof word);
  return ((word & EACH (0x80)) | ((word - EACH (0x20)) & ~word & EACH (0x80))
          | find_zero (word ^ EACH (0x7F)) | find_zero (word ^ EACH ('&')))
         == 0;
}

typedef enum { PIECE_OK, PIECE_BAD, PIECE_SHORT } Piece;

/* One character outside ASCII, or a control character. */
static Piece
take_char (const char *p, gsize n, gsize *ret_len)
{
  gunichar c;

  *ret_len = 1;
  if ((guint8)*p < 0x80)
    return is_xml_char ((guint8)*p) ? PIECE_OK : PIECE_BAD;
  c = g_utf8_get_char_validated (p, (gssize)n);
  /* GLib calls a sequence that a NUL interrupts incomplete as well. */
  if (c == (gunichar)-2)
    return n < 4 && memchr (p, '\0', n) == NULL ? PIECE_SHORT : PIECE_BAD;
  if (c == (gunichar)-1)
    return PIECE_BAD;
  *ret_len = (gsize)(g_utf8_next_char (p) - p);
  return is_xml_char (c) ? PIECE_OK : PIECE_BAD;
}

/* "&#13;", "&#xb;" and the like. Anything else that starts with '&' is one
 * plain character here: the parser judges it. */
static Piece
take_reference (const char *p, gsize n, gsize *ret_len)
{
  gsize i = 2;
  guint base = 10;
  guint64 value = 0;

  *ret_len = 1;
  if (n < 2)
    return PIECE_SHORT;
  if (p[1] != '#')
    return PIECE_OK;
  if (n > 2 && p[2] == 'x') {
    base = 16;
    i = 3;
  }
  for (; i < n && i < SOAP_SANITIZE_HOLD; i++) {
    int digit = g_ascii_xdigit_value (p[i]);

    if (p[i] == ';') {
      *ret_len = i + 1;
      return is_xml_char ((gunichar)MIN (value, 0x110000)) ? PIECE_OK
                                                           : PIECE_BAD;
    }
    if (digit < 0 || digit >= (int)base)
      return PIECE_OK;
    value = MIN (value * base + (guint)digit, 0x110000);
  }
  return i < SOAP_SANITIZE_HOLD ? PIECE_SHORT : PIECE_OK;
}

/* Returns how many bytes of @p were dealt with: all, or all but the beginning
 * of something that goes on in the next piece. */
static gsize
sanitize (const char *p, gsize n, GString *out)
{
  gsize pos = 0, clean = 0, len;
  Piece piece;

  while (pos < n) {
    while (n - pos >= sizeof (guint64) && is_plain_word (p + pos))
      pos += sizeof (guint64);
    if (pos == n)
      break;
    if (is_plain ((guint8)p[pos])) {
      pos++;
      continue;
    }
    piece = p[pos] == '&' ? take_reference (p + pos, n - pos, &len)
                          : take_char (p + pos, n - pos, &len);
    if (piece == PIECE_SHORT)
      break;
    if (piece == PIECE_BAD) {
      g_string_append_len (out, p + clean, (gssize)(pos - clean));
      g_string_append (out, REPLACEMENT);
      clean = pos + len;
    }
    pos += len;
  }
  g_string_append_len (out, p + clean, (gssize)(pos - clean));
  return pos;
}

void
soap_sanitize_feed (SoapSanitizer *self, const char *data, gsize len,
                    GString *out)
{
  gsize done;

  /* Complete what was held byte by byte: it is a few bytes at most. */
  while (self->n_held > 0 && len > 0) {
    self->held[self->n_held++] = *data++;
    len--;
    done = sanitize (self->held, self->n_held, out);
    memmove (self->held, self->held + done, self->n_held - done);
    self->n_held -= done;
  }
  done = sanitize (data, len, out);
  g_assert (len - done < SOAP_SANITIZE_HOLD);
  if (len > done)
    memcpy (self->held, data + done, len - done);
  self->n_held += len - done;
}

void
soap_sanitize_finish (SoapSanitizer *self, GString *out)
{
  gsize i;

  for (i = 0; i < self->n_held; i++)
    if (is_plain ((guint8)self->held[i]) || self->held[i] == '&')
      g_string_append_c (out, self->held[i]);
    else
      g_string_append (out, REPLACEMENT);
  self->n_held = 0;
}
