/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "json.h"

void
fs_json_init (FsJson *self, GString *out, gboolean indent)
{
  self->out = out;
  self->indent = indent;
  self->depth = 0;
  self->first = TRUE;
  self->plain = FALSE;
}

void
fs_json_init_plain (FsJson *self, GString *out)
{
  fs_json_init (self, out, FALSE);
  self->plain = TRUE;
}

static void
append_quoted (GString *out, const char *value)
{
  g_autofree char *valid = g_utf8_make_valid (value, -1);
  const char *s;

  g_string_append_c (out, '"');
  for (s = valid; *s != '\0'; s++) {
    if (*s == '"' || *s == '\\')
      g_string_append_printf (out, "\\%c", *s);
    else if (*s == '\n')
      g_string_append (out, "\\n");
    else if (*s == '\t')
      g_string_append (out, "\\t");
    else if ((guchar)*s < 0x20 || *s == 0x7f)
      g_string_append_printf (out, "\\u%04x", (guchar)*s);
    else
      g_string_append_c (out, *s);
  }
  g_string_append_c (out, '"');
}

static void
append_break (FsJson *self)
{
  guint i;

  if (!self->indent)
    return;
  g_string_append_c (self->out, '\n');
  for (i = 0; i < self->depth; i++)
    g_string_append (self->out, "  ");
}

/* What comes before a value: comma, line break, name. */
static void
open_value (FsJson *self, const char *name)
{
  if (!self->first)
    g_string_append (self->out, self->indent ? "," : ", ");
  if (self->depth > 0)
    append_break (self);
  self->first = FALSE;
  if (name != NULL) {
    append_quoted (self->out, name);
    g_string_append (self->out, ": ");
  }
}

void
fs_json_begin (FsJson *self, const char *name, char bracket)
{
  open_value (self, name);
  g_string_append_c (self->out, bracket);
  self->depth++;
  self->first = TRUE;
}

void
fs_json_end (FsJson *self, char bracket)
{
  self->depth--;
  if (!self->first)
    append_break (self);
  g_string_append_c (self->out, bracket);
  self->first = FALSE;
  if (self->depth == 0) {
    if (!self->plain)
      g_string_append_c (self->out, '\n');
    self->first = TRUE;
  }
}

void
fs_json_string (FsJson *self, const char *name, const char *value)
{
  if (self->plain && self->depth == 0) {
    g_string_append (self->out, value != NULL ? value : "");
    return;
  }
  open_value (self, name);
  if (value != NULL)
    append_quoted (self->out, value);
  else
    g_string_append (self->out, "null");
}

void
fs_json_int (FsJson *self, const char *name, gint64 value)
{
  open_value (self, name);
  g_string_append_printf (self->out, "%" G_GINT64_FORMAT, value);
}

void
fs_json_bool (FsJson *self, const char *name, gboolean value)
{
  if (self->plain && self->depth == 0) {
    g_string_append_c (self->out, value ? '1' : '0');
    return;
  }
  open_value (self, name);
  g_string_append (self->out, value ? "true" : "false");
}

char *
fs_time_text (gint64 microseconds)
{
  g_autoptr (GDateTime) time = NULL;
  g_autoptr (GDateTime) full = NULL;
  gint64 rest = microseconds % G_USEC_PER_SEC;

  if (microseconds <= 0)
    return NULL;
  time = g_date_time_new_from_unix_utc (microseconds / G_USEC_PER_SEC);
  if (time == NULL)
    return NULL;
  full = g_date_time_add (time, rest);
  return g_date_time_format (full, "%Y-%m-%dT%H:%M:%S.%fZ");
}

void
fs_json_time (FsJson *self, const char *name, gint64 microseconds)
{
  g_autofree char *text = fs_time_text (microseconds);

  fs_json_string (self, name, text);
}
