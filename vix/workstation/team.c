/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "workstation/team.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TEAM_MAX_BYTES (1u << 20)

static char *
read_text (const char *path)
{
  g_autofree char *text = NULL;
  struct stat st;
  gssize n = -1;
  int fd
    = open (path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

  if (fd < 0)
    return NULL;
  if (fstat (fd, &st) == 0 && S_ISREG (st.st_mode)
      && st.st_size <= (off_t)TEAM_MAX_BYTES) {
    text = g_malloc0 (TEAM_MAX_BYTES + 1);
    do
      n = read (fd, text, TEAM_MAX_BYTES);
    while (n < 0 && errno == EINTR);
  }
  close (fd);
  return n <= 0 ? NULL : g_steal_pointer (&text);
}

/* May @c stand before or behind a path in an XML text? */
static gboolean
is_border (char c)
{
  return c == '\0' || strchr ("<>\"' \t\r\n", c) != NULL;
}

/* @word as a whole; a leading "./" or ".\" belongs to it. */
static gboolean
has_word (const char *text, const char *word)
{
  gsize len = strlen (word);
  const char *at;

  for (at = text; (at = strstr (at, word)) != NULL; at++) {
    const char *start = at;

    if (start - text >= 2 && start[-2] == '.'
        && (start[-1] == '/' || start[-1] == '\\'))
      start -= 2;
    if (is_border (at[len]) && (start == text || is_border (start[-1])))
      return TRUE;
  }
  return FALSE;
}

gboolean
ws_team_names (const char *path, const char *dir, const char *vmx)
{
  static const char *const slashes[] = { "/", "\\" };
  g_autofree char *text = read_text (path);
  gsize i;

  for (i = 0; text != NULL && i < G_N_ELEMENTS (slashes); i++) {
    g_autofree char *member
      = dir == NULL ? g_strdup (vmx) : g_strconcat (dir, slashes[i], vmx, NULL);
    g_autofree char *escaped = g_markup_escape_text (member, -1);

    if (has_word (text, member) || has_word (text, escaped))
      return TRUE;
  }
  return FALSE;
}
