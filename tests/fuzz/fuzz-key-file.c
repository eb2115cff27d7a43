/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Credentials and hosts files, line by line: what is given out lies in the
 * text, and the lines rise to its end. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "key-file.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

static void
check_text (const char *part, const char *text, gsize len)
{
  g_assert (part >= text && part <= text + len);
  g_assert (part + strlen (part) <= text + len);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  /* As its callers read a file: up to the first NUL. */
  g_autofree char *text = g_strndup ((const char *)data, size);
  gsize len = strlen (text);
  guint lines = 1;
  guint last = 0;
  FsKeyFileLine what;
  FsKeyFile file;

  for (const char *c = text; *c != '\0'; c++)
    lines += *c == '\n';
  fs_key_file_begin (&file, text);
  do {
    const char *name = NULL;
    const char *value = NULL;

    what = fs_key_file_next (&file, &name, &value);
    if (what == FS_KEY_FILE_END)
      break;
    g_assert (file.line > last && file.line <= lines);
    last = file.line;
    if (what == FS_KEY_FILE_BAD)
      continue;
    check_text (name, text, len);
    g_assert (*name != '\0');
    if (what == FS_KEY_FILE_KEY)
      check_text (value, text, len);
  } while (TRUE);
  return 0;
}
