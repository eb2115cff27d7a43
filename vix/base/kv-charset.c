/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/kv-charset.h"

#include <errno.h>
#include <string.h>

struct KvCharset {
  char *name;
  gboolean utf8;
  GIConv to_utf8;   /* unless utf8 */
  GIConv from_utf8; /* unless utf8 */
};

/* Names that Windows products write, where the C library's idea of the name
 * lacks the characters that Windows has added. */
static const struct {
  const char *name;
  const char *iconv_name;
} kv_aliases[] = {
  { "Shift_JIS", "CP932" },   { "windows-932", "CP932" },
  { "windows-949", "CP949" }, { "windows-936", "GBK" },
  { "windows-950", "BIG5" },  { "GB2312", "GBK" },
};

/* Letters only: iconv takes suffixes such as //IGNORE, and looks some names
 * up in its configuration. */
static gboolean
charset_name_valid (const char *name)
{
  gsize i;

  for (i = 0; name[i] != '\0'; i++)
    if (!g_ascii_isalnum (name[i]) && strchr ("-_.:", name[i]) == NULL)
      return FALSE;
  return i >= 1 && i <= 40;
}

static const char *
charset_iconv_name (const char *name)
{
  gsize i;

  for (i = 0; i < G_N_ELEMENTS (kv_aliases); i++)
    if (g_ascii_strcasecmp (kv_aliases[i].name, name) == 0)
      return kv_aliases[i].iconv_name;
  return name;
}

/* The text of a dictionary is split at ASCII characters before it is
 * converted, so they must mean themselves (UTF-16, EBCDIC, ... do not). */
static gboolean
charset_keeps_ascii (KvCharset *self)
{
  static const char sample[]
    = " !\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[]^_`"
      "abcdefghijklmnopqrstuvwxyz{|}";
  g_autofree char *text = g_convert_with_iconv (
    sample, strlen (sample), self->to_utf8, NULL, NULL, NULL);

  return text != NULL && strcmp (text, sample) == 0;
}

KvCharset *
kv_charset_open (const char *name)
{
  g_autoptr (KvCharset) self = g_new0 (KvCharset, 1);
  const char *iconv_name;

  self->name = g_strdup (name);
  self->to_utf8 = self->from_utf8 = (GIConv)-1;
  self->utf8 = g_ascii_strcasecmp (name, "UTF-8") == 0
               || g_ascii_strcasecmp (name, "UTF8") == 0;
  if (self->utf8)
    return g_steal_pointer (&self);
  if (!charset_name_valid (name))
    return NULL;
  iconv_name = charset_iconv_name (name);
  self->to_utf8 = g_iconv_open ("UTF-8", iconv_name);
  self->from_utf8 = g_iconv_open (iconv_name, "UTF-8");
  if (self->to_utf8 == (GIConv)-1 || self->from_utf8 == (GIConv)-1
      || !charset_keeps_ascii (self))
    return NULL;
  return g_steal_pointer (&self);
}

void
kv_charset_free (KvCharset *self)
{
  if (self == NULL)
    return;
  if (self->to_utf8 != (GIConv)-1)
    g_iconv_close (self->to_utf8);
  if (self->from_utf8 != (GIConv)-1)
    g_iconv_close (self->from_utf8);
  g_free (self->name);
  g_free (self);
}

const char *
kv_charset_get_name (const KvCharset *self)
{
  return self->name;
}

/* ---- escapes ---- */

static gboolean
byte_needs_escape (guchar c)
{
  return c == '"' || c == '|' || c == 0x7f || (c < 0x20 && c != '\t');
}

/* @out has room for @len bytes and a NUL. Returns the length. */
static gsize
unescape (const char *bytes, gsize len, char *out)
{
  gsize i, n = 0;

  for (i = 0; i < len; i++) {
    if (bytes[i] == '|' && len - i > 2 && g_ascii_isxdigit (bytes[i + 1])
        && g_ascii_isxdigit (bytes[i + 2])) {
      int value = g_ascii_xdigit_value (bytes[i + 1]) * 16
                  + g_ascii_xdigit_value (bytes[i + 2]);

      if (value != 0) {
        out[n++] = (char)value;
        i += 2;
        continue;
      }
    }
    out[n++] = bytes[i];
  }
  out[n] = '\0';
  return n;
}

static char *
escape (const char *bytes, gsize len)
{
  GString *out = g_string_sized_new (len + 16);
  gsize i;

  for (i = 0; i < len; i++) {
    guchar c = (guchar)bytes[i];

    if (byte_needs_escape (c))
      g_string_append_printf (out, "|%02X", c);
    else
      g_string_append_c (out, (char)c);
  }
  return g_string_free (out, FALSE);
}

/* ---- conversion ---- */

/* One byte that cannot be read costs one U+FFFD; reading goes on behind
 * it. */
static char *
decode_lossy (KvCharset *self, const char *bytes, gsize len)
{
  GString *out = g_string_sized_new (len + 16);

  while (len > 0) {
    char buf[256];
    char *in = (char *)bytes, *to = buf;
    gsize in_left = len, out_left = sizeof buf;
    gsize rc = g_iconv (self->to_utf8, &in, &in_left, &to, &out_left);

    g_string_append_len (out, buf, to - buf);
    bytes = in;
    len = in_left;
    if (rc == (gsize)-1 && errno != E2BIG && len > 0) {
      g_string_append (out, "\357\277\275");
      bytes++;
      len--;
      g_iconv (self->to_utf8, NULL, NULL, NULL, NULL);
    }
  }
  g_iconv (self->to_utf8, NULL, NULL, NULL, NULL);
  return g_string_free (out, FALSE);
}

static gboolean
is_ascii (const char *bytes, gsize len)
{
  gsize i;

  for (i = 0; i < len; i++)
    if ((guchar)bytes[i] >= 0x80)
      return FALSE;
  return TRUE;
}

char *
kv_charset_decode (KvCharset *self, const char *bytes, gsize len)
{
  g_autofree char *plain = g_malloc (len + 1);
  gsize n = unescape (bytes, len, plain);

  if (is_ascii (plain, n))
    return g_steal_pointer (&plain);
  if (self->utf8) {
    if (g_utf8_validate (plain, (gssize)n, NULL))
      return g_steal_pointer (&plain);
    return g_utf8_make_valid (plain, (gssize)n);
  }
  return decode_lossy (self, plain, n);
}

char *
kv_charset_encode (KvCharset *self, const char *text)
{
  g_autofree char *bytes = NULL;
  g_autofree char *escaped = NULL;
  g_autofree char *back = NULL;
  gsize len = strlen (text);

  if (self->utf8 || is_ascii (text, len))
    return escape (text, len);
  bytes = g_convert_with_iconv (text, (gssize)len, self->from_utf8, NULL, &len,
                                NULL);
  if (bytes == NULL) {
    g_iconv (self->from_utf8, NULL, NULL, NULL, NULL);
    return NULL;
  }
  escaped = escape (bytes, len);
  back = kv_charset_decode (self, escaped, strlen (escaped));
  return strcmp (back, text) == 0 ? g_steal_pointer (&escaped) : NULL;
}
