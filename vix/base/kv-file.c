/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The file stays in memory as its lines; a line is its bytes, its own line
 * end, and where in it name and value are. An edit replaces one line's bytes.
 * Values are decoded when first asked for. The index finds the last line of
 * each name; it is dropped by edits that move names and rebuilt on the next
 * look-up, so that scanning 10,000 files costs one pass over each.
 */
#include "base/kv-file.h"

#include <string.h>

#include "base/error.h"
#include "base/kv-charset.h"

/* 16 MiB of line feeds would be 16 Mi lines of 64 bytes in memory; with this
 * limit the lines cost 16 MiB at most. Real files have some hundred. */
#define KV_MAX_LINES (1u << 18)

typedef enum { EOL_NONE, EOL_LF, EOL_CRLF, EOL_CR } KvEol;

static const char *const eol_text[] = { "", "\n", "\r\n", "\r" };

typedef struct {
  const char *text; /* in KvFile.data, or .owned */
  char *owned;
  char *value;                /* decoded, or NULL as yet */
  guint32 len;                /* without the line end */
  guint32 name_off, name_len; /* name_len 0: comment, blank or malformed */
  guint32 value_off, value_len;
  guint8 quoted;
  guint8 eol; /* KvEol */
} KvLine;

struct KvFile {
  char *label;
  char *data;
  gsize bytes; /* of the file as it is now */
  gboolean bom;
  KvCharset *charset;
  gboolean guessed; /* no .encoding, and not UTF-8 */
  GArray *lines;    /* KvLine */
  guint32 *index;   /* slots: line number + 1, 0 free; NULL: to be built */
  guint32 index_mask;
  guint32 index_used;
};

/* ---- parsing ---- */

static gboolean
is_blank (char c)
{
  return c == ' ' || c == '\t';
}

static gsize
skip_blanks (const char *s, gsize i, gsize len)
{
  while (i < len && is_blank (s[i]))
    i++;
  return i;
}

/* Is the rest of the line nothing, or a comment? */
static gboolean
at_end (const char *s, gsize i, gsize len)
{
  i = skip_blanks (s, i, len);
  return i == len || s[i] == '#';
}

/* Finds the value that starts at @i. FALSE: malformed. */
static gboolean
line_find_value (KvLine *line, gsize i)
{
  const char *s = line->text;
  gsize start;

  i = skip_blanks (s, i, line->len);
  line->quoted = i < line->len && s[i] == '"';
  start = line->quoted ? ++i : i;
  if (line->quoted) {
    const char *end = memchr (s + i, '"', line->len - i);

    if (end == NULL)
      return FALSE;
    i = (gsize)(end - s);
  } else {
    while (i < line->len && !is_blank (s[i]) && s[i] != '#')
      i++;
  }
  line->value_off = (guint32)start;
  line->value_len = (guint32)(i - start);
  return at_end (s, line->quoted ? i + 1 : i, line->len);
}

/* Sets the spans from the text. */
static void
line_analyse (KvLine *line)
{
  const char *s = line->text;
  gsize i = skip_blanks (s, 0, line->len);
  gsize start = i;

  line->name_len = 0;
  while (i < line->len && !is_blank (s[i]) && s[i] != '#' && s[i] != '=')
    i++;
  if (i == start)
    return;
  line->name_off = (guint32)start;
  start = i;
  i = skip_blanks (s, i, line->len);
  if (i < line->len && s[i] == '=' && line_find_value (line, i + 1))
    line->name_len = (guint32)(start - line->name_off);
}

static void
line_clear (gpointer data)
{
  KvLine *line = data;

  g_free (line->owned);
  g_free (line->value);
}

static KvLine *
line_at (const KvFile *self, guint i)
{
  return &g_array_index (self->lines, KvLine, i);
}

static gboolean
fail_line (const KvFile *self, GError **error, const char *what)
{
  g_set_error (error, VIX_ERROR, VIX_E_INVALID_SERIALIZED_DATA,
               "%s: line %u: %s", self->label, self->lines->len + 1, what);
  return FALSE;
}

/* The line at the start of @s, of which @len bytes are left. */
static KvLine
split_line (const char *s, gsize len)
{
  KvLine line = { .text = s };
  gsize n = 0;

  while (n < len && s[n] != '\n' && s[n] != '\r' && s[n] != '\0')
    n++;
  line.len = (guint32)n;
  if (n == len)
    line.eol = EOL_NONE;
  else if (s[n] == '\n')
    line.eol = EOL_LF;
  else
    line.eol = n + 1 < len && s[n + 1] == '\n' ? EOL_CRLF : EOL_CR;
  return line;
}

static gboolean
check_line (const KvFile *self, const KvLine *line, gsize left, GError **error)
{
  if (line->len < left && line->text[line->len] == '\0')
    return fail_line (self, error, "a NUL byte; this is no dictionary");
  if (line->len > KV_LINE_MAX_BYTES)
    return fail_line (self, error, "longer than 1 MiB");
  if (self->lines->len >= KV_MAX_LINES)
    return fail_line (self, error, "too many lines");
  return TRUE;
}

/* @trusted: a copy of a dictionary in memory, which edits may have made a
 * few bytes longer than what is read from outside. */
static KvFile *
parse (const char *data, gsize len, const char *label, gboolean trusted,
       GError **error)
{
  g_autoptr (KvFile) self = g_new0 (KvFile, 1);
  const char *s, *end;

  self->label = g_strdup (label);
  self->lines = g_array_new (FALSE, FALSE, sizeof (KvLine));
  g_array_set_clear_func (self->lines, line_clear);
  self->data = g_malloc (len + 1);
  if (len > 0)
    memcpy (self->data, data, len);
  self->data[len] = '\0';
  self->bytes = len;
  self->bom = len >= 3 && memcmp (self->data, "\357\273\277", 3) == 0;
  s = self->data + (self->bom ? 3 : 0);
  end = self->data + len;
  while (s < end) {
    KvLine line = split_line (s, (gsize)(end - s));

    if (!trusted && !check_line (self, &line, (gsize)(end - s), error))
      return NULL;
    line_analyse (&line);
    g_array_append_val (self->lines, line);
    s += line.len + strlen (eol_text[line.eol]);
  }
  return g_steal_pointer (&self);
}

static gboolean
choose_charset (KvFile *self, GError **error)
{
  g_autofree char *name = NULL;

  /* Encodings are named in ASCII: any charset can read the value. */
  self->charset = kv_charset_open ("UTF-8");
  name = g_strdup (kv_file_get (self, ".encoding"));
  if (name == NULL
      && !g_utf8_validate (self->data, (gssize)self->bytes, NULL)) {
    self->guessed = TRUE;
    name = g_strdup ("windows-1252");
  }
  if (name == NULL)
    return TRUE;
  kv_charset_free (self->charset);
  self->charset = kv_charset_open (name);
  if (self->charset != NULL)
    return TRUE;
  g_set_error (error, VIX_ERROR, VIX_E_INVALID_SERIALIZED_DATA,
               "%s: .encoding \"%s\" is not known here", self->label, name);
  return FALSE;
}

KvFile *
kv_file_parse (const char *data, gsize len, const char *label, GError **error)
{
  g_autoptr (KvFile) self = NULL;

  if (len > KV_FILE_MAX_BYTES) {
    g_set_error (error, VIX_ERROR, VIX_E_INVALID_SERIALIZED_DATA,
                 "%s: larger than 16 MiB; this is no dictionary", label);
    return NULL;
  }
  self = parse (data, len, label, FALSE, error);
  if (self == NULL || !choose_charset (self, error))
    return NULL;
  return g_steal_pointer (&self);
}

KvFile *
kv_file_new (const char *label)
{
  static const char text[] = ".encoding = \"UTF-8\"\n";

  return kv_file_parse (text, strlen (text), label, NULL);
}

KvFile *
kv_file_copy (const KvFile *self)
{
  g_autoptr (GBytes) bytes = kv_file_to_bytes (self);
  gsize len;
  const char *data = g_bytes_get_data (bytes, &len);
  KvFile *copy = parse (data, len, self->label, TRUE, NULL);

  copy->charset = kv_charset_open (kv_charset_get_name (self->charset));
  copy->guessed = self->guessed;
  return copy;
}

void
kv_file_free (KvFile *self)
{
  if (self == NULL)
    return;
  if (self->lines != NULL)
    g_array_unref (self->lines);
  kv_charset_free (self->charset);
  g_free (self->index);
  g_free (self->data);
  g_free (self->label);
  g_free (self);
}

/* ---- the index ---- */

static guint32
name_hash (const char *name, gsize len)
{
  guint32 hash = 2166136261u;
  gsize i;

  for (i = 0; i < len; i++)
    hash = (hash ^ (guchar)g_ascii_tolower (name[i])) * 16777619u;
  return hash;
}

static gboolean
line_has_name (const KvLine *line, const char *name, gsize len)
{
  return line->name_len == len
         && g_ascii_strncasecmp (line->text + line->name_off, name, len) == 0;
}

/* The slot of @name: its line, or the free one where it belongs. */
static guint32 *
index_slot (const KvFile *self, const char *name, gsize len)
{
  guint32 i = name_hash (name, len) & self->index_mask;

  while (self->index[i] != 0
         && !line_has_name (line_at (self, self->index[i] - 1), name, len))
    i = (i + 1) & self->index_mask;
  return &self->index[i];
}

static void
index_add (KvFile *self, guint number)
{
  const KvLine *line = line_at (self, number);
  guint32 *slot;

  if (line->name_len == 0)
    return;
  slot = index_slot (self, line->text + line->name_off, line->name_len);
  if (*slot == 0)
    self->index_used++;
  *slot = number + 1;
}

static void
index_drop (KvFile *self)
{
  g_clear_pointer (&self->index, g_free);
}

static void
index_build (KvFile *self)
{
  guint32 slots = 64;
  guint i;

  while (slots < self->lines->len * 2)
    slots *= 2;
  self->index = g_new0 (guint32, slots);
  self->index_mask = slots - 1;
  self->index_used = 0;
  for (i = 0; i < self->lines->len; i++)
    index_add (self, i);
}

/* (nullable): the last line of @name. The index and decoded values are caches
 * and may appear in a const dictionary. */
static KvLine *
find_line (const KvFile *self, const char *name)
{
  guint32 slot;

  if (self->index == NULL)
    index_build ((KvFile *)self);
  slot = *index_slot (self, name, strlen (name));
  return slot == 0 ? NULL : line_at (self, slot - 1);
}

/* ---- reading ---- */

static const char *
line_value (const KvFile *self, KvLine *line)
{
  if (line->value == NULL)
    line->value = kv_charset_decode (
      self->charset, line->text + line->value_off, line->value_len);
  return line->value;
}

const char *
kv_file_get (const KvFile *self, const char *name)
{
  KvLine *line = find_line (self, name);

  return line == NULL ? NULL : line_value (self, line);
}

const char *
kv_file_get_default (const KvFile *self, const char *name, const char *fallback)
{
  const char *value = kv_file_get (self, name);

  return value == NULL ? fallback : value;
}

gboolean
kv_file_get_bool (const KvFile *self, const char *name, gboolean fallback)
{
  static const struct {
    const char *text;
    gboolean value;
  } words[] = { { "TRUE", TRUE },   { "yes", TRUE }, { "1", TRUE },
                { "FALSE", FALSE }, { "no", FALSE }, { "0", FALSE } };
  const char *value = kv_file_get (self, name);
  gsize i;

  for (i = 0; value != NULL && i < G_N_ELEMENTS (words); i++)
    if (g_ascii_strcasecmp (value, words[i].text) == 0)
      return words[i].value;
  return fallback;
}

gboolean
kv_file_get_int (const KvFile *self, const char *name, gint64 min, gint64 max,
                 gint64 *ret)
{
  const char *value = kv_file_get (self, name);

  return value != NULL
         && g_ascii_string_to_signed (value, 10, min, max, ret, NULL);
}

void
kv_file_foreach (const KvFile *self, KvFileFunc func, gpointer data)
{
  g_autoptr (GString) name = g_string_new (NULL);
  guint i;

  for (i = 0; i < self->lines->len; i++) {
    KvLine *line = line_at (self, i);

    if (line->name_len == 0)
      continue;
    g_string_truncate (name, 0);
    g_string_append_len (name, line->text + line->name_off, line->name_len);
    if (!func (name->str, line_value (self, line), data))
      return;
  }
}

char **
kv_file_list_duplicates (const KvFile *self)
{
  g_autoptr (GHashTable) seen = g_hash_table_new (NULL, NULL);
  GPtrArray *names = g_ptr_array_new ();
  guint i;

  if (self->index == NULL)
    index_build ((KvFile *)self);
  for (i = 0; i < self->lines->len; i++) {
    const KvLine *line = line_at (self, i);
    guint32 last;

    if (line->name_len == 0)
      continue;
    last = *index_slot (self, line->text + line->name_off, line->name_len);
    if (last != i + 1 && g_hash_table_add (seen, GUINT_TO_POINTER (last)))
      g_ptr_array_add (names,
                       g_strndup (line->text + line->name_off, line->name_len));
  }
  g_ptr_array_add (names, NULL);
  return (char **)g_ptr_array_free (names, FALSE);
}

GBytes *
kv_file_to_bytes (const KvFile *self)
{
  GByteArray *out = g_byte_array_sized_new ((guint)self->bytes);
  guint i;

  if (self->bom)
    g_byte_array_append (out, (const guint8 *)"\357\273\277", 3);
  for (i = 0; i < self->lines->len; i++) {
    const KvLine *line = line_at (self, i);
    const char *eol = eol_text[line->eol];

    g_byte_array_append (out, (const guint8 *)line->text, line->len);
    g_byte_array_append (out, (const guint8 *)eol, (guint)strlen (eol));
  }
  return g_byte_array_free_to_bytes (out);
}

/* ---- editing ---- */

/* @text (transfer full) becomes the line; it must be well-formed. */
static void
line_replace (KvLine *line, char *text)
{
  g_clear_pointer (&line->value, g_free);
  g_free (line->owned);
  line->text = line->owned = text;
  line->len = (guint32)strlen (text);
  line_analyse (line);
  g_assert (line->name_len > 0);
}

static gboolean
fail_set (const KvFile *self, const char *name, int code, GError **error,
          const char *what)
{
  g_set_error (error, VIX_ERROR, code, "%s: %s: %s", self->label, name, what);
  return FALSE;
}

static gboolean
name_valid (const char *name)
{
  return name[0] != '\0' && strpbrk (name, " \t#=\r\n") == NULL;
}

/* The value as it stands between the quotes; NULL and error. */
static char *
encode_value (const KvFile *self, const char *name, const char *value,
              GError **error)
{
  g_autofree char *encoded = NULL;

  if (!g_utf8_validate (value, -1, NULL)) {
    fail_set (self, name, VIX_E_INVALID_UTF8_STRING, error,
              "the value is not UTF-8");
    return NULL;
  }
  encoded = kv_charset_encode (self->charset, value);
  if (encoded == NULL) {
    g_set_error (error, VIX_ERROR, VIX_E_INVALID_UTF8_STRING,
                 "%s: %s: the file's encoding, %s, has no way to write "
                 "\"%s\"; use characters of that encoding",
                 self->label, name, kv_charset_get_name (self->charset), value);
    return NULL;
  }
  return g_steal_pointer (&encoded);
}

/* The line with another value; name, blanks and comment stay. */
static char *
edited_text (const KvLine *line, const char *encoded)
{
  const char *s = line->text;
  gsize before = line->value_off;
  gsize after = (gsize)line->value_off + line->value_len;
  const char *open = line->quoted ? "" : "\"";
  const char *blank = "";

  if (!line->quoted && s[before - 1] == '=')
    blank = " ";
  return g_strdup_printf ("%.*s%s%s%s%s%.*s", (int)before, s, blank, open,
                          encoded, open, (int)(line->len - after), s + after);
}

static KvEol
file_eol (const KvFile *self)
{
  KvEol eol = self->lines->len == 0 ? EOL_NONE : line_at (self, 0)->eol;

  return eol == EOL_NONE ? EOL_LF : eol;
}

/* A guess that holds only while some bytes are no UTF-8 is written down before
 * an edit could change that. */
static void
state_encoding (KvFile *self)
{
  KvLine line = { .eol = file_eol (self) };
  guint at = self->lines->len > 0 && line_at (self, 0)->len >= 2
                 && strncmp (line_at (self, 0)->text, "#!", 2) == 0
               ? 1
               : 0;

  line_replace (&line, g_strdup_printf (".encoding = \"%s\"",
                                        kv_charset_get_name (self->charset)));
  if (at == 1 && line_at (self, 0)->eol == EOL_NONE)
    line_at (self, 0)->eol = line.eol;
  g_array_insert_val (self->lines, at, line);
  self->bytes += line.len + strlen (eol_text[line.eol]);
  self->guessed = FALSE;
  index_drop (self);
}

/* A file whose last line has no end keeps that property. */
static void
append_line (KvFile *self, char *text)
{
  KvLine line = { .eol = file_eol (self) };
  guint n = self->lines->len;

  if (n > 0 && line_at (self, n - 1)->eol == EOL_NONE) {
    line_at (self, n - 1)->eol = line.eol;
    line.eol = EOL_NONE;
  }
  line_replace (&line, text);
  g_array_append_val (self->lines, line);
  self->bytes += line.len + strlen (eol_text[file_eol (self)]);
  if (self->index != NULL) {
    index_add (self, n);
    if (self->index_used * 2 > self->index_mask)
      index_drop (self);
  }
}

gboolean
kv_file_set (KvFile *self, const char *name, const char *value, GError **error)
{
  KvLine *line;
  g_autofree char *encoded = NULL;
  g_autofree char *text = NULL;

  if (!name_valid (name) || g_ascii_strcasecmp (name, ".encoding") == 0)
    return fail_set (self, name, VIX_E_INVALID_ARG, error,
                     "a key of this name cannot be set");
  line = find_line (self, name);
  if (line != NULL && strcmp (line_value (self, line), value) == 0)
    return TRUE;
  encoded = encode_value (self, name, value, error);
  if (encoded == NULL)
    return FALSE;
  text = line == NULL ? g_strdup_printf ("%s = \"%s\"", name, encoded)
                      : edited_text (line, encoded);
  if (strlen (text) > KV_LINE_MAX_BYTES
      || self->bytes + strlen (text) + 40 > KV_FILE_MAX_BYTES
      || (line == NULL && self->lines->len + 2 > KV_MAX_LINES))
    return fail_set (self, name, VIX_E_ARGUMENT_TOO_BIG, error,
                     "the value makes the line or the file too long");
  if (self->guessed) {
    state_encoding (self);
    line = find_line (self, name);
  }
  if (line == NULL) {
    append_line (self, g_steal_pointer (&text));
    return TRUE;
  }
  self->bytes = self->bytes - line->len + strlen (text);
  line_replace (line, g_steal_pointer (&text));
  return TRUE;
}

void
kv_file_unset (KvFile *self, const char *name)
{
  gsize len = strlen (name);
  guint i = self->lines->len;

  if (find_line (self, name) == NULL
      || g_ascii_strcasecmp (name, ".encoding") == 0)
    return;
  while (i-- > 0) {
    KvLine *line = line_at (self, i);

    if (!line_has_name (line, name, len))
      continue;
    self->bytes -= line->len + strlen (eol_text[line->eol]);
    /* The new last line takes over whether there is a last line end. */
    if (i > 0 && i + 1 == self->lines->len && line->eol == EOL_NONE) {
      KvLine *last = line_at (self, i - 1);

      self->bytes -= strlen (eol_text[last->eol]);
      last->eol = EOL_NONE;
    }
    g_array_remove_index (self->lines, i);
  }
  index_drop (self);
}

void
kv_file_rename (KvFile *self, const char *name, const char *to)
{
  gsize len = strlen (name);
  guint i;

  g_return_if_fail (name_valid (to));
  if (find_line (self, name) == NULL)
    return;
  for (i = 0; i < self->lines->len; i++) {
    KvLine *line = line_at (self, i);
    gsize after;

    if (!line_has_name (line, name, len))
      continue;
    after = (gsize)line->name_off + line->name_len;
    self->bytes = self->bytes - line->name_len + strlen (to);
    line_replace (
      line, g_strdup_printf ("%.*s%s%.*s", (int)line->name_off, line->text, to,
                             (int)(line->len - after), line->text + after));
  }
  index_drop (self);
}
