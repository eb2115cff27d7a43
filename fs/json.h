/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * json.h - writes JSON text, value after value.
 *
 * A value at the top or in an array has the name NULL, one in an object its
 * key. Text that is not UTF-8 is mended with U+FFFD. One thread.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct {
  GString *out;    /* borrowed */
  gboolean indent; /* one member a line, or all on one line */
  guint depth;
  gboolean first; /* nothing yet in the innermost array or object */
  gboolean plain; /* a value that is all there is: text without quotes, 1 and 0
                   * for yes and no, nothing for null */
} FsJson;

/* Appends to @out. */
void fs_json_init (FsJson *self, GString *out, gboolean indent);
/* The same for one value as an attribute has it; see FsJson.plain. */
void fs_json_init_plain (FsJson *self, GString *out);

void fs_json_begin (FsJson *self, const char *name, char bracket);
/* @bracket: ']' or '}'. At depth 0 a line end follows. */
void fs_json_end (FsJson *self, char bracket);

/* %NULL @value: null. */
void fs_json_string (FsJson *self, const char *name, const char *value);
void fs_json_int (FsJson *self, const char *name, gint64 value);
void fs_json_bool (FsJson *self, const char *name, gboolean value);
/* "2024-05-01T12:00:00.000000Z"; null for 0 and what no calendar has. */
void fs_json_time (FsJson *self, const char *name, gint64 microseconds);

/* (transfer full) (nullable): the text that fs_json_time() writes. */
char *fs_time_text (gint64 microseconds);

G_END_DECLS
