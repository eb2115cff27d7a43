/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "key-file.h"

#include <string.h>

#define BYTE_ORDER_MARK "\xef\xbb\xbf"

void
fs_key_file_begin (FsKeyFile *self, char *text)
{
  self->next = text;
  self->line = 0;
  if (g_str_has_prefix (text, BYTE_ORDER_MARK))
    self->next += strlen (BYTE_ORDER_MARK);
}

/* [NAME]: blanks may follow. */
static FsKeyFileLine
cut_group (char *line, const char **ret_name)
{
  gsize len = strcspn (line + 1, "[]");
  char *end = line + 1 + len;
  const char *c;

  if (len == 0 || *end != ']' || end[1 + strspn (end + 1, " \t")] != '\0')
    return FS_KEY_FILE_BAD;
  for (c = line + 1; c < end; c++) {
    if (g_ascii_iscntrl (*c))
      return FS_KEY_FILE_BAD;
  }
  *end = '\0';
  *ret_name = line + 1;
  return FS_KEY_FILE_GROUP;
}

/* In place; FALSE for a backslash that means nothing. */
static gboolean
unescape (char *text)
{
  static const char letters[] = "sntr\\";
  static const char meant[] = " \n\t\r\\";
  char *to = text;
  const char *from;

  for (from = text; *from != '\0'; from++) {
    const char *letter;

    if (*from != '\\') {
      *to++ = *from;
      continue;
    }
    letter = from[1] != '\0' ? strchr (letters, from[1]) : NULL;
    if (letter == NULL)
      return FALSE;
    *to++ = meant[letter - letters];
    from++;
  }
  *to = '\0';
  return TRUE;
}

static FsKeyFileLine
cut_key (char *line, const char **ret_name, const char **ret_value)
{
  char *equals = strchr (line, '=');
  char *end = equals;
  char *value;

  while (end != NULL && end > line && g_ascii_isspace (end[-1]))
    end--;
  if (end == NULL || end == line)
    return FS_KEY_FILE_BAD;
  *end = '\0';
  value = equals + 1;
  while (g_ascii_isspace (*value))
    value++;
  *ret_name = line;
  *ret_value = value;
  return unescape (value) ? FS_KEY_FILE_KEY : FS_KEY_FILE_BAD;
}

FsKeyFileLine
fs_key_file_next (FsKeyFile *self, const char **ret_name,
                  const char **ret_value)
{
  while (*self->next != '\0') {
    char *line = self->next;
    gsize len = strcspn (line, "\n");

    self->next += len + (line[len] == '\n');
    self->line++;
    line[len] = '\0';
    if (len > 0 && line[len - 1] == '\r')
      line[len - 1] = '\0';
    while (g_ascii_isspace (*line))
      line++;
    if (*line == '\0' || *line == '#')
      continue;
    if (!g_utf8_validate (line, -1, NULL))
      return FS_KEY_FILE_BAD;
    return *line == '[' ? cut_group (line, ret_name)
                        : cut_key (line, ret_name, ret_value);
  }
  return FS_KEY_FILE_END;
}
