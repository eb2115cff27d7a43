/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "name.h"

#include <errno.h>
#include <string.h>

static gboolean
starts_an_escape (const char *s)
{
  return s[0] == '%' && g_ascii_isxdigit (s[1]) && g_ascii_isxdigit (s[2]);
}

/* How the character at @s is shown: as itself (NULL) or as what is returned.
 */
static const char *
escape_of (const char *s, gboolean first)
{
  if (*s == '/')
    return "%2F";
  if (*s == '.' && first)
    return "%2E";
  return starts_an_escape (s) ? "%25" : NULL;
}

/* Appends what fits into @max bytes; FALSE if that is not all of @name. */
static gboolean
append_escaped (GString *out, const char *name, gsize max)
{
  const char *s = name;

  while (*s != '\0') {
    const char *escape = escape_of (s, s == name);
    const char *next = g_utf8_next_char (s);
    const char *piece = escape != NULL ? escape : s;
    gsize len = escape != NULL ? 3 : strnlen (s, next - s);

    if (len > max - out->len)
      return FALSE;
    g_string_append_len (out, piece, len);
    s += escape != NULL ? 1 : len;
  }
  return TRUE;
}

char *
fs_name_shown (const char *name, const char *id, guint variant)
{
  GString *out = g_string_sized_new (FS_NAME_MAX);
  g_autofree char *tail = NULL;

  if (variant == 0 && *name != '\0' && append_escaped (out, name, FS_NAME_MAX))
    return g_string_free (out, FALSE);

  tail = variant <= 1 ? g_strdup_printf ("~%s", id)
                      : g_strdup_printf ("~%s.%u", id, variant);
  g_string_truncate (out, 0);
  append_escaped (out, name, FS_NAME_MAX - strlen (tail));
  g_string_append (out, tail);
  return g_string_free (out, FALSE);
}

static gboolean
has_control (const char *text)
{
  const char *s;

  for (s = text; *s != '\0'; s = g_utf8_next_char (s)) {
    if (g_unichar_iscntrl (g_utf8_get_char (s)))
      return TRUE;
  }
  return FALSE;
}

static char *
unescape (const char *shown)
{
  GString *out = g_string_new (NULL);
  const char *s = shown;

  while (*s != '\0') {
    if (starts_an_escape (s)) {
      g_string_append_c (out, (char)(g_ascii_xdigit_value (s[1]) << 4
                                     | g_ascii_xdigit_value (s[2])));
      s += 3;
    } else {
      g_string_append_c (out, *s++);
    }
  }
  return g_string_free (out, FALSE);
}

int
fs_name_parse (const char *shown, char **ret_name)
{
  g_autofree char *name = NULL;
  g_autofree char *again = NULL;

  if (strlen (shown) > FS_NAME_MAX)
    return ENAMETOOLONG;
  if (!g_utf8_validate (shown, -1, NULL) || has_control (shown))
    return EILSEQ;
  if (*shown == '\0' || *shown == '.')
    return EINVAL;
  name = unescape (shown);
  if (!g_utf8_validate (name, -1, NULL) || *name == '\0')
    return EINVAL;
  again = fs_name_shown (name, "", 0);
  if (strcmp (again, shown) != 0)
    return EINVAL;
  *ret_name = g_steal_pointer (&name);
  return 0;
}

int
fs_text_check (const char *text, gsize len)
{
  return g_utf8_validate_len (text, len, NULL) ? 0 : EILSEQ;
}

char *
fs_text_escape (const char *text)
{
  char kept[0x81];
  guint i;

  if (text == NULL)
    return g_strdup ("");
  /* The bytes of what is not ASCII; broken text is shown byte by byte. */
  for (i = 0; i < 0x80; i++)
    kept[i] = (char)(0x80 + i);
  kept[0x80] = '\0';
  return g_strescape (text, g_utf8_validate (text, -1, NULL) ? kept : NULL);
}
