/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Every line is one of: blank or comment; an extent, which starts with a word
 * of access; `key = value` with optional quotes and blanks; anything else,
 * which is kept and means nothing. Of the keys that make a link part of a
 * chain each may occur once: readers differ in which of two they would take.
 */
#include "disk/descriptor.h"

#include <limits.h>
#include <string.h>

#include "base/error.h"

typedef struct {
  gsize start; /* of the line */
  gsize end;   /* behind its line end */
  gsize value; /* of the value, without quotes */
  gsize value_len;
  gboolean quoted;
} Line;

/* The keys that may occur once, in the order of their enum. */
enum { KEY_VERSION, KEY_CID, KEY_PARENT_CID, KEY_HINT, KEY_TYPE, N_KEYS };
static const char *const key_names[N_KEYS]
  = { "version", "CID", "parentCID", "parentFileNameHint", "createType" };

struct VmdkDescriptor {
  char *text;
  gsize len;
  Line keys[N_KEYS]; /* end 0: absent */
  Line long_cid;
  guint32 cid;
  guint32 parent_cid;
  char *hint;
  char *create_type;
  GHashTable *ddb; /* lower-case key to value */
  GArray *extents; /* VmdkExtentLine */
  guint64 capacity_sectors;
};

/* Disk database of a parent that a child takes over: the child may become a
 * base one day. */
static const char *const inherited_ddb[] = {
  "ddb.adapterType",
  "ddb.geometry.cylinders",
  "ddb.geometry.heads",
  "ddb.geometry.sectors",
  "ddb.geometry.biosCylinders",
  "ddb.geometry.biosHeads",
  "ddb.geometry.biosSectors",
  "ddb.virtualHWVersion",
  "ddb.toolsVersion",
  "ddb.toolsInstallType",
  "ddb.uuid",
};
/* Of one value: all of them together must fit into a child's descriptor. */
#define INHERITED_MAX_BYTES 128u
#define LONG_CID_DIGITS 32u
#define CID_DIGITS 8u

typedef struct {
  const char *word;
  VmdkExtentType type;
  gboolean has_file;
  gboolean has_offset;
} TypeRow;

static const TypeRow type_rows[] = {
  { "FLAT", VMDK_EXTENT_FLAT, TRUE, TRUE },
  { "VMFS", VMDK_EXTENT_FLAT, TRUE, TRUE },
  { "ZERO", VMDK_EXTENT_ZERO, FALSE, FALSE },
  { "SPARSE", VMDK_EXTENT_SPARSE, TRUE, FALSE },
  { "VMFSSPARSE", VMDK_EXTENT_VMFSSPARSE, TRUE, FALSE },
  { "SESPARSE", VMDK_EXTENT_SESPARSE, TRUE, FALSE },
};

static void
clear_extent_line (gpointer data)
{
  g_free (((VmdkExtentLine *)data)->file);
}

void
vmdk_descriptor_free (VmdkDescriptor *self)
{
  if (self == NULL)
    return;
  g_free (self->text);
  g_free (self->hint);
  g_free (self->create_type);
  g_clear_pointer (&self->ddb, g_hash_table_unref);
  g_clear_pointer (&self->extents, g_array_unref);
  g_free (self);
}

static gboolean
is_blank (char c)
{
  return c == ' ' || c == '\t' || c == '\r';
}

/* Text of [start, start + len), fit to be shown. */
static char *
show (const char *start, gsize len)
{
  g_autofree char *copy = g_strndup (start, MIN (len, 120));

  return g_strescape (copy, NULL);
}

static gboolean
fail_line (GError **error, int code, const char *label, const char *what,
           const char *start, gsize len)
{
  g_autofree char *shown = show (start, len);

  g_set_error (error, VIX_ERROR, code, "%s: descriptor: %s: \"%s\"", label,
               what, shown);
  return FALSE;
}

/* --- extent lines ------------------------------------------------------ */

/* The next word of [*p, end): returns its length, *p behind it. */
static gsize
next_word (const char **p, const char *end, const char **ret_word)
{
  while (*p < end && is_blank (**p))
    (*p)++;
  *ret_word = *p;
  while (*p < end && !is_blank (**p))
    (*p)++;
  return (gsize)(*p - *ret_word);
}

static gboolean
word_is (const char *word, gsize len, const char *text)
{
  return len == strlen (text) && g_ascii_strncasecmp (word, text, len) == 0;
}

static gboolean
word_to_number (const char *word, gsize len, guint64 *ret)
{
  char digits[21]; /* 2^64 has 20 digits */

  if (len == 0 || len >= sizeof digits)
    return FALSE;
  memcpy (digits, word, len);
  digits[len] = '\0';
  return g_ascii_string_to_unsigned (digits, 10, 0, G_MAXUINT64, ret, NULL);
}

static const TypeRow *
find_type (const char *word, gsize len)
{
  for (gsize i = 0; i < G_N_ELEMENTS (type_rows); i++)
    if (word_is (word, len, type_rows[i].word))
      return &type_rows[i];
  return NULL;
}

/* The quoted file name at *p; NULL unless it is one. */
static char *
take_file_name (const char **p, const char *end)
{
  const char *start;
  const char *quote;

  while (*p < end && is_blank (**p))
    (*p)++;
  if (*p == end || **p != '"')
    return NULL;
  start = *p + 1;
  quote = memchr (start, '"', (gsize)(end - start));
  if (quote == NULL || quote == start || quote - start >= PATH_MAX)
    return NULL;
  *p = quote + 1;
  return g_strndup (start, (gsize)(quote - start));
}

/* What follows the type: file name and offset. */
static const char *
parse_extent_tail (const TypeRow *row, const char *p, const char *end,
                   VmdkExtentLine *ext)
{
  const char *word;
  gsize n;

  if (!row->has_file)
    return NULL;
  ext->file = take_file_name (&p, end);
  if (ext->file == NULL)
    return "file name missing or not usable";
  n = next_word (&p, end, &word);
  if (n == 0 || !row->has_offset)
    return NULL;
  if (!word_to_number (word, n, &ext->offset_sectors)
      || ext->offset_sectors > VMDK_MAX_CAPACITY_SECTORS)
    return "bad offset";
  return NULL;
}

/* NULL, or what is wrong. */
static const char *
parse_extent (const char *p, const char *end, VmdkExtentLine *ext,
              const TypeRow **ret_row)
{
  const char *word;
  gsize n = next_word (&p, end, &word);

  ext->access
    = word_is (word, n, "RDONLY") ? VMDK_ACCESS_RDONLY : VMDK_ACCESS_RW;
  n = next_word (&p, end, &word);
  if (!word_to_number (word, n, &ext->sectors) || ext->sectors == 0
      || ext->sectors > VMDK_MAX_CAPACITY_SECTORS)
    return "bad size";
  n = next_word (&p, end, &word);
  *ret_row = find_type (word, n);
  if (*ret_row == NULL)
    return NULL;
  ext->type = (*ret_row)->type;
  return parse_extent_tail (*ret_row, p, end, ext);
}

static gboolean
add_extent (VmdkDescriptor *self, const char *start, const char *end,
            const char *label, GError **error)
{
  VmdkExtentLine ext = { 0 };
  const TypeRow *row = NULL;
  const char *problem = parse_extent (start, end, &ext, &row);
  gsize len = (gsize)(end - start);

  if (problem == NULL && self->extents->len >= VMDK_MAX_EXTENTS)
    problem = "too many extents";
  if (problem == NULL
      && ext.sectors > VMDK_MAX_CAPACITY_SECTORS - self->capacity_sectors)
    problem = "the disk is larger than any can be";
  if (problem != NULL) {
    g_free (ext.file);
    return fail_line (error, VIX_E_DISK_INVALIDDISK, label, problem, start,
                      len);
  }
  if (row == NULL)
    return fail_line (error, VIX_E_DISK_UNSUPPORTEDDEVICE, label,
                      "an extent of a kind that cannot be read", start, len);
  self->capacity_sectors += ext.sectors;
  g_array_append_val (self->extents, ext);
  return TRUE;
}

/* --- keys -------------------------------------------------------------- */

static gboolean
parse_cid (const char *value, guint32 *ret)
{
  guint64 n;

  /* Numbers, not text: QEMU writes them without leading zeros. */
  if (strlen (value) > CID_DIGITS
      || !g_ascii_string_to_unsigned (value, 16, 0, G_MAXUINT32, &n, NULL))
    return FALSE;
  *ret = (guint32)n;
  return TRUE;
}

static gboolean
store_key (VmdkDescriptor *self, int key, const Line *line, char *value,
           const char *label, GError **error)
{
  g_autofree char *owned = value;
  const char *start = self->text + line->start;
  gsize len = line->end - line->start;
  guint64 version;

  if (self->keys[key].end != 0)
    return fail_line (error, VIX_E_DISK_INVALIDDISK, label,
                      "a key that was there before", start, len);
  self->keys[key] = *line;
  switch (key) {
  case KEY_VERSION:
    if (!g_ascii_string_to_unsigned (owned, 10, 1, 3, &version, NULL))
      return fail_line (error, VIX_E_DISK_UNSUPPORTEDDISKVERSION, label,
                        "a version other than 1, 2 and 3", start, len);
    return TRUE;
  case KEY_CID:
  case KEY_PARENT_CID:
    if (!parse_cid (owned, key == KEY_CID ? &self->cid : &self->parent_cid))
      return fail_line (error, VIX_E_DISK_INVALIDDISK, label,
                        "a content id is up to 8 hex digits", start, len);
    return TRUE;
  case KEY_HINT:
    if (strlen (owned) >= PATH_MAX)
      return fail_line (error, VIX_E_DISK_INVALIDDISK, label,
                        "too long a file name", start, len);
    self->hint = g_steal_pointer (&owned);
    return TRUE;
  default:
    self->create_type = g_steal_pointer (&owned);
    return TRUE;
  }
}

/* Finds the value of `key = value`; FALSE if the line is not one. */
static gboolean
split_line (const VmdkDescriptor *self, gsize start, gsize end, Line *line,
            char **ret_key)
{
  const char *text = self->text;
  const char *equals = memchr (text + start, '=', end - start);
  const char *quote;
  gsize key_end;

  if (equals == NULL)
    return FALSE;
  key_end = (gsize)(equals - text);
  line->value = key_end + 1;
  while (key_end > start && is_blank (text[key_end - 1]))
    key_end--;
  while (line->value < end && is_blank (text[line->value]))
    line->value++;
  while (end > line->value && is_blank (text[end - 1]))
    end--;
  line->quoted = line->value < end && text[line->value] == '"';
  if (line->quoted) {
    line->value++;
    quote = memchr (text + line->value, '"', end - line->value);
    if (quote == NULL)
      return FALSE;
    end = (gsize)(quote - text);
  }
  line->value_len = end - line->value;
  *ret_key = g_strndup (text + start, key_end - start);
  return key_end > start;
}

static gboolean
add_key (VmdkDescriptor *self, gsize start, gsize end, Line *line,
         const char *label, GError **error)
{
  g_autofree char *key = NULL;
  char *lower;

  if (!split_line (self, start, end, line, &key))
    return TRUE;
  for (int i = 0; i < N_KEYS; i++)
    if (g_ascii_strcasecmp (key, key_names[i]) == 0)
      return store_key (self, i, line,
                        g_strndup (self->text + line->value, line->value_len),
                        label, error);
  lower = g_ascii_strdown (key, -1);
  if (strcmp (lower, "ddb.longcontentid") == 0)
    self->long_cid = *line;
  g_hash_table_replace (self->ddb, lower,
                        g_strndup (self->text + line->value, line->value_len));
  return TRUE;
}

static gboolean
starts_extent (const char *p, const char *end)
{
  static const char *const words[] = { "RW", "RDONLY", "NOACCESS" };
  const char *word;
  gsize n = next_word (&p, end, &word);

  for (gsize i = 0; p < end && i < G_N_ELEMENTS (words); i++)
    if (word_is (word, n, words[i]))
      return TRUE;
  return FALSE;
}

static gboolean
parse_line (VmdkDescriptor *self, Line *line, gsize end, const char *label,
            GError **error)
{
  const char *text = self->text;
  gsize start = line->start;
  const char *word;
  const char *p;
  gsize n;

  while (start < end && is_blank (text[start]))
    start++;
  if (start == end || text[start] == '#')
    return TRUE;
  if (!starts_extent (text + start, text + end))
    return add_key (self, start, end, line, label, error);
  p = text + start;
  n = next_word (&p, text + end, &word);
  if (word_is (word, n, "NOACCESS"))
    return fail_line (error, VIX_E_DISK_NOTSUPPORTED, label,
                      "an extent that may not be read", text + start,
                      end - start);
  return add_extent (self, text + start, text + end, label, error);
}

static gboolean
parse_lines (VmdkDescriptor *self, const char *label, GError **error)
{
  gsize pos = 0;

  while (pos < self->len) {
    const char *nl = memchr (self->text + pos, '\n', self->len - pos);
    gsize end = nl != NULL ? (gsize)(nl - self->text) : self->len;
    Line line = { .start = pos, .end = nl != NULL ? end + 1 : end };

    if (!parse_line (self, &line, end, label, error))
      return FALSE;
    pos = line.end;
  }
  return TRUE;
}

static gboolean
check (VmdkDescriptor *self, const char *label, GError **error)
{
  static const int required[] = { KEY_VERSION, KEY_CID, KEY_TYPE };

  for (gsize i = 0; i < G_N_ELEMENTS (required); i++) {
    if (self->keys[required[i]].end != 0)
      continue;
    g_set_error (error, VIX_ERROR, VIX_E_DISK_INVALIDDISK,
                 "%s: descriptor: no %s; not a disk, or a damaged one", label,
                 key_names[required[i]]);
    return FALSE;
  }
  if (self->extents->len == 0) {
    g_set_error (error, VIX_ERROR, VIX_E_DISK_INVALIDDISK,
                 "%s: descriptor: no extent", label);
    return FALSE;
  }
  if (self->hint != NULL && self->hint[0] == '\0')
    g_clear_pointer (&self->hint, g_free);
  if ((self->hint == NULL) != (self->parent_cid == VMDK_NO_PARENT_CID)) {
    g_set_error (error, VIX_ERROR, VIX_E_DISK_INVALIDCHAIN,
                 "%s: descriptor: parentCID %08x and parentFileNameHint "
                 "\"%s\" disagree on whether it has a parent",
                 label, self->parent_cid, self->hint != NULL ? self->hint : "");
    return FALSE;
  }
  return TRUE;
}

VmdkDescriptor *
vmdk_descriptor_parse (const void *data, gsize len, const char *label,
                       GError **error)
{
  g_autoptr (VmdkDescriptor) self = g_new0 (VmdkDescriptor, 1);

  self->len = len > 0 ? strnlen (data, len) : 0;
  self->text = g_strndup (data, self->len);
  self->parent_cid = VMDK_NO_PARENT_CID;
  self->ddb = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  self->extents = g_array_new (FALSE, FALSE, sizeof (VmdkExtentLine));
  g_array_set_clear_func (self->extents, clear_extent_line);
  if (self->len > VMDK_DESCRIPTOR_MAX_BYTES) {
    g_set_error (error, VIX_ERROR, VIX_E_DISK_INVALIDDISK,
                 "%s: descriptor: larger than %u bytes", label,
                 VMDK_DESCRIPTOR_MAX_BYTES);
    return NULL;
  }
  if (!parse_lines (self, label, error) || !check (self, label, error))
    return NULL;
  return g_steal_pointer (&self);
}

/* --- reading ----------------------------------------------------------- */

guint32
vmdk_descriptor_get_cid (const VmdkDescriptor *self)
{
  return self->cid;
}

guint32
vmdk_descriptor_get_parent_cid (const VmdkDescriptor *self)
{
  return self->parent_cid;
}

const char *
vmdk_descriptor_get_parent_hint (const VmdkDescriptor *self)
{
  return self->hint;
}

const char *
vmdk_descriptor_get_create_type (const VmdkDescriptor *self)
{
  return self->create_type;
}

const char *
vmdk_descriptor_get_ddb (const VmdkDescriptor *self, const char *key)
{
  g_autofree char *lower = g_ascii_strdown (key, -1);

  return g_hash_table_lookup (self->ddb, lower);
}

guint
vmdk_descriptor_get_n_extents (const VmdkDescriptor *self)
{
  return self->extents->len;
}

const VmdkExtentLine *
vmdk_descriptor_get_extent (const VmdkDescriptor *self, guint index)
{
  return &g_array_index (self->extents, VmdkExtentLine, index);
}

guint64
vmdk_descriptor_get_capacity_sectors (const VmdkDescriptor *self)
{
  return self->capacity_sectors;
}

/* --- writing ----------------------------------------------------------- */

static gboolean
check_name (const char *name, GError **error)
{
  for (const char *p = name; *p != '\0'; p++)
    if (*p == '"' || (guchar)*p < 0x20 || *p == 0x7f) {
      g_autofree char *shown = show (name, strlen (name));

      g_set_error (error, VIX_ERROR, VIX_E_INVALID_ARG,
                   "\"%s\": a disk descriptor cannot hold a file name with "
                   "quotes or control characters",
                   shown);
      return FALSE;
    }
  if (name[0] == '\0' || strlen (name) >= PATH_MAX) {
    g_set_error (error, VIX_ERROR, VIX_E_INVALID_ARG,
                 "a disk descriptor cannot hold a file name of %" G_GSIZE_FORMAT
                 " bytes",
                 strlen (name));
    return FALSE;
  }
  return TRUE;
}

/* Is the long content id of the usual form, ending in the CID? */
static gboolean
has_long_cid (const VmdkDescriptor *self)
{
  const Line *line = &self->long_cid;

  if (line->end == 0 || line->value_len != LONG_CID_DIGITS)
    return FALSE;
  for (gsize i = 0; i < LONG_CID_DIGITS; i++)
    if (!g_ascii_isxdigit (self->text[line->value + i]))
      return FALSE;
  return TRUE;
}

static void
replace_span (GString *text, gsize pos, gsize len, const char *with)
{
  g_string_erase (text, (gssize)pos, (gssize)len);
  g_string_insert (text, (gssize)pos, with);
}

/* Inserts `what` as a line of its own behind @after. */
static void
insert_line (GString *text, const Line *after, const char *what)
{
  gboolean open_end = text->str[after->end - 1] != '\n';
  gboolean crlf = !open_end && after->end - after->start >= 2
                  && text->str[after->end - 2] == '\r';
  g_autofree char *line = g_strconcat (
    open_end ? "\n" : "", what, open_end ? "" : (crlf ? "\r\n" : "\n"), NULL);

  g_string_insert (text, (gssize)after->end, line);
}

static void
edit_hint (const VmdkDescriptor *self, GString *text, const char *hint)
{
  const Line *line = &self->keys[KEY_HINT];

  if (hint == NULL && line->end != 0)
    replace_span (text, line->start, line->end - line->start, "");
  else if (hint != NULL && line->end != 0) {
    g_autofree char *value
      = line->quoted ? g_strdup (hint) : g_strconcat ("\"", hint, "\"", NULL);

    replace_span (text, line->value, line->value_len, value);
  } else if (hint != NULL) {
    g_autofree char *fresh
      = g_strconcat (key_names[KEY_HINT], "=\"", hint, "\"", NULL);

    insert_line (text, &self->keys[KEY_TYPE], fresh);
  }
}

static void
edit_parent_cid (const VmdkDescriptor *self, GString *text, guint32 parent_cid)
{
  const Line *line = &self->keys[KEY_PARENT_CID];
  g_autofree char *value = g_strdup_printf ("%08x", parent_cid);

  if (parent_cid == self->parent_cid)
    return;
  if (line->end != 0)
    replace_span (text, line->value, line->value_len, value);
  else {
    g_autofree char *fresh
      = g_strconcat (key_names[KEY_PARENT_CID], "=", value, NULL);

    insert_line (text, &self->keys[KEY_CID], fresh);
  }
}

static void
edit_cid (const VmdkDescriptor *self, GString *text, guint32 cid)
{
  const Line *line = &self->keys[KEY_CID];
  g_autofree char *value = g_strdup_printf ("%08x", cid);

  if (cid != self->cid)
    replace_span (text, line->value, line->value_len, value);
}

static void
edit_long_cid (const VmdkDescriptor *self, GString *text, guint32 cid)
{
  g_autofree char *value = g_strdup_printf ("%08x", cid);

  if (cid != self->cid && has_long_cid (self))
    replace_span (text, self->long_cid.value + LONG_CID_DIGITS - CID_DIGITS,
                  CID_DIGITS, value);
}

/* Where an edit of each kind happens: edits are made from the end of the text
 * to its start, so that the spans found by the parser stay right. */
typedef struct {
  gsize pos;
  int key;         /* N_KEYS: the long content id */
  gboolean insert; /* a new line: after the edit of the line that starts here */
} Edit;

static int
compare_edits (const void *a, const void *b)
{
  const Edit *x = a;
  const Edit *y = b;

  if (x->pos != y->pos)
    return x->pos < y->pos ? 1 : -1;
  return (int)x->insert - (int)y->insert;
}

char *
vmdk_descriptor_with_identity (const VmdkDescriptor *self,
                               const VmdkIdentity *identity, GError **error)
{
  const Line *keys = self->keys;
  gboolean add_parent = keys[KEY_PARENT_CID].end == 0;
  gboolean add_hint = keys[KEY_HINT].end == 0;
  Edit edits[] = {
    { keys[KEY_CID].start, KEY_CID, FALSE },
    { add_parent ? keys[KEY_CID].end : keys[KEY_PARENT_CID].start,
      KEY_PARENT_CID, add_parent },
    { add_hint ? keys[KEY_TYPE].end : keys[KEY_HINT].start, KEY_HINT,
      add_hint },
    { self->long_cid.start, N_KEYS, FALSE },
  };
  GString *text;

  if (identity->parent_hint != NULL
      && !check_name (identity->parent_hint, error))
    return NULL;
  text = g_string_new_len (self->text, (gssize)self->len);
  qsort (edits, G_N_ELEMENTS (edits), sizeof edits[0], compare_edits);
  for (gsize i = 0; i < G_N_ELEMENTS (edits); i++) {
    if (edits[i].key == KEY_CID)
      edit_cid (self, text, identity->cid);
    else if (edits[i].key == KEY_PARENT_CID)
      edit_parent_cid (self, text, identity->parent_cid);
    else if (edits[i].key == KEY_HINT)
      edit_hint (self, text, identity->parent_hint);
    else
      edit_long_cid (self, text, identity->cid);
  }
  return g_string_free (text, FALSE);
}

static gboolean
is_plain (const char *value)
{
  gsize len = strlen (value);

  for (gsize i = 0; i < len; i++)
    if (!g_ascii_isprint (value[i]) || value[i] == '"')
      return FALSE;
  return len <= INHERITED_MAX_BYTES;
}

static void
append_inherited (GString *text, const VmdkDescriptor *parent)
{
  for (gsize i = 0; i < G_N_ELEMENTS (inherited_ddb); i++) {
    const char *value = vmdk_descriptor_get_ddb (parent, inherited_ddb[i]);

    if (value != NULL && is_plain (value))
      g_string_append_printf (text, "%s = \"%s\"\n", inherited_ddb[i], value);
  }
}

char *
vmdk_descriptor_format_child (const VmdkDescriptor *parent, guint32 cid,
                              const char *parent_hint, const char *file_name,
                              GError **error)
{
  GString *text;

  if (!check_name (parent_hint, error) || !check_name (file_name, error))
    return NULL;
  text = g_string_new (NULL);
  g_string_append_printf (text,
                          "# Disk DescriptorFile\n"
                          "version=1\n"
                          "encoding=\"UTF-8\"\n"
                          "CID=%08x\n"
                          "parentCID=%08x\n"
                          "isNativeSnapshot=\"no\"\n"
                          "createType=\"monolithicSparse\"\n"
                          "parentFileNameHint=\"%s\"\n"
                          "# Extent description\n"
                          "RW %" G_GUINT64_FORMAT " SPARSE \"%s\"\n"
                          "\n"
                          "# The Disk Data Base \n"
                          "#DDB\n"
                          "\n",
                          cid, parent->cid, parent_hint,
                          parent->capacity_sectors, file_name);
  append_inherited (text, parent);
  g_string_append_printf (text, "ddb.longContentID = \"%08x%08x%08x%08x\"\n",
                          g_random_int (), g_random_int (), g_random_int (),
                          cid);
  return g_string_free (text, FALSE);
}
