/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * kv-file.h - VMware's dictionary text (.vmx, .vmsd, .vmtx): a list of lines
 * of which an edit changes only the value it names.
 *
 * Keeps what it does not own to the byte: order, comments, blank and malformed
 * lines, unknown keys, spelling of names, line ends (LF, CRLF, CR), byte order
 * mark, missing last newline. Names compare without case (ASCII). Values are
 * decoded (|XX escapes) and converted to UTF-8 by the file's `.encoding`
 * (absent: UTF-8 if valid, else Windows-1252); they are encoded back on
 * writing, and a value that the encoding cannot express is an error.
 *
 * One thread at a time.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* A .vmx or .vmsd over 16 MiB, or a line over 1 MiB, is refused. */
#define KV_FILE_MAX_BYTES (16u << 20)
#define KV_LINE_MAX_BYTES (1u << 20)

typedef struct KvFile KvFile;

/**
 * kv_file_parse:
 * @data: the bytes of the file; copied
 * @label: the file's name for error texts
 * @error: %VIX_E_INVALID_SERIALIZED_DATA naming @label and the line: too long,
 *   a NUL byte, an encoding that is not known
 */
KvFile *kv_file_parse (const char *data, gsize len, const char *label,
                       GError **error);
/* An empty dictionary whose only line is `.encoding = "UTF-8"`. */
KvFile *kv_file_new (const char *label);
KvFile *kv_file_copy (const KvFile *self);
void kv_file_free (KvFile *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (KvFile, kv_file_free)

/* (nullable): borrowed UTF-8 until the next change; of a repeated name the
 * last. */
const char *kv_file_get (const KvFile *self, const char *name);
const char *kv_file_get_default (const KvFile *self, const char *name,
                                 const char *fallback);
/* TRUE, yes and 1 in any case are TRUE, FALSE, no and 0 are FALSE; absent or
 * other: @fallback. */
gboolean kv_file_get_bool (const KvFile *self, const char *name,
                           gboolean fallback);
/* Decimal, sign allowed; %FALSE if absent or no number in the range. */
gboolean kv_file_get_int (const KvFile *self, const char *name, gint64 min,
                          gint64 max, gint64 *ret);

/* Replaces the value in its line, or appends a line in the file's style. An
 * equal value changes nothing. `.encoding` cannot be set; a guessed one is
 * written down with the first change. Failure (%VIX_E_INVALID_UTF8_STRING for
 * what the encoding cannot express, %VIX_E_ARGUMENT_TOO_BIG) changes
 * nothing. */
gboolean kv_file_set (KvFile *self, const char *name, const char *value,
                      GError **error);
/* Removes every line of that name; not `.encoding`. */
void kv_file_unset (KvFile *self, const char *name);
/* Gives all lines of @name the name @to, in place. */
void kv_file_rename (KvFile *self, const char *name, const char *to);

/* Calls @func for each name/value in file order; FALSE from it stops. */
typedef gboolean (*KvFileFunc) (const char *name, const char *value,
                                gpointer data);
void kv_file_foreach (const KvFile *self, KvFileFunc func, gpointer data);

/* Names that occur more than once; (transfer full), g_strfreev. */
char **kv_file_list_duplicates (const KvFile *self);

GBytes *kv_file_to_bytes (const KvFile *self);

G_END_DECLS
