/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "workstation/txn-journal.h"

#include <string.h>

#include "base/error.h"

#define HEADER_FORMAT "vixfs-journal 1 %s\n"
/* "vixfs-journal 1 PREPARE\n" */
#define HEADER_LEN 24
#define MAX_NAME 255
#define MAX_FIELDS 5

/* What follows a kind's keyword, one letter a field: n a name of the kind's
 * pattern, t a staged file, s a SHA-256 or -, S a SHA-256, o an offset, b
 * bytes. */
typedef struct {
  const char *word;
  const char *fields;
  const char *pattern;
} OpSpec;

/* The names that this program writes to. Children of a disk, what a snapshot
 * keeps, and a suspended state brought back are made; the rest exists. */
#define MADE_NAMES                                                             \
  "(-[0-9]{6}\\.vmdk|-cl[0-9]+\\.vmdk|-[0-9a-f]{8}\\.(vmss|vmem)"              \
  "|-Snapshot[0-9]+\\.(vmsn|vixfs|vixfs-vmss|vixfs-vmem))$"
#define TEXT_NAMES "(\\.(vmx|vmtx|cfg|vmsd|vmxf|vmdk)|(^|\\.)nvram)$"
#define GONE_NAMES                                                             \
  "(\\.(vmx|vmtx|cfg|vmsd|vmxf|vmdk|vmsn|vmss|vmem|std|cpt|log|vswp"           \
  "|vixfs|vixfs-vmss|vixfs-vmem)|(^|\\.)nvram)$"

static const OpSpec specs[] = {
  [TXN_CREATE] = { "create", "n", MADE_NAMES },
  [TXN_REPAIR] = { "repair", "n", "\\.vmdk$" },
  [TXN_REPLACE] = { "replace", "ntsS", TEXT_NAMES },
  [TXN_PATCH] = { "patch", "nob", "\\.vmdk$" },
  [TXN_UNLINK] = { "unlink", "n", GONE_NAMES },
  [TXN_MERGE] = { "merge", "nno", "\\.vmdk$" },
};

void
txn_op_free (TxnOp *op)
{
  if (op == NULL)
    return;
  g_free (op->name);
  g_free (op->other);
  g_clear_pointer (&op->bytes, g_bytes_unref);
  g_free (op);
}

void
txn_journal_free (TxnJournal *journal)
{
  if (journal == NULL)
    return;
  g_clear_pointer (&journal->ops, g_ptr_array_unref);
  g_free (journal);
}

static gboolean
is_plain_name (const char *name)
{
  gsize len = strlen (name);

  return len > 0 && len <= MAX_NAME && strchr (name, '/') == NULL
         && strcmp (name, ".") != 0 && strcmp (name, "..") != 0;
}

static gboolean
name_matches (const char *pattern, const char *name)
{
  return is_plain_name (name)
         && g_regex_match_simple (
           pattern, name,
           G_REGEX_RAW | G_REGEX_CASELESS | G_REGEX_DOLLAR_ENDONLY, 0);
}

gboolean
txn_check_name (TxnOpKind kind, const char *name, GError **error)
{
  if (name_matches (specs[kind].pattern, name))
    return TRUE;
  g_set_error (error, VIX_ERROR, VIX_E_FILE_NAME_INVALID,
               "%s: no name of a file that a change of a VM may %s", name,
               specs[kind].word);
  return FALSE;
}

/* ---- writing ---- */

static void
append_field (GString *s, const TxnOp *op, char field, guint nth_name)
{
  const char *name = nth_name == 0 ? op->name : op->other;
  g_autofree char *encoded = NULL;

  g_string_append_c (s, ' ');
  switch (field) {
  case 't':
    name = op->other;
    G_GNUC_FALLTHROUGH;
  case 'n':
    encoded = g_uri_escape_bytes ((const guint8 *)name, strlen (name), NULL);
    g_string_append (s, encoded);
    break;
  case 's':
    g_string_append (s, op->old_sha);
    break;
  case 'S':
    g_string_append (s, op->new_sha);
    break;
  case 'o':
    g_string_append_printf (s, "%" G_GUINT64_FORMAT, op->offset);
    break;
  default:
    encoded = g_base64_encode (g_bytes_get_data (op->bytes, NULL),
                               g_bytes_get_size (op->bytes));
    g_string_append (s, encoded);
  }
}

GBytes *
txn_journal_encode (GPtrArray *ops, GError **error)
{
  g_autoptr (GString) body = g_string_new (NULL);
  g_autofree char *sha = NULL;
  GString *text;

  for (guint i = 0; i < ops->len; i++) {
    const TxnOp *op = g_ptr_array_index (ops, i);
    guint names = 0;

    g_string_append (body, specs[op->kind].word);
    for (const char *f = specs[op->kind].fields; *f != '\0'; f++)
      append_field (body, op, *f, *f == 'n' ? names++ : 0);
    g_string_append_c (body, '\n');
  }
  sha = g_compute_checksum_for_string (G_CHECKSUM_SHA256, body->str,
                                       (gssize)body->len);
  text = g_string_sized_new (body->len + 256);
  g_string_printf (text, HEADER_FORMAT, TXN_WORD_PREPARE);
  g_string_append_printf (text, "sha256 %s %" G_GSIZE_FORMAT "\n", sha,
                          body->len);
  g_string_append_len (text, body->str, (gssize)body->len);
  if (text->len > TXN_JOURNAL_MAX_BYTES) {
    g_set_error (
      error, VIX_ERROR, VIX_E_FILE_TOO_BIG,
      "the change touches too many files for one step (%" G_GSIZE_FORMAT
      " bytes of plan)",
      text->len);
    g_string_free (text, TRUE);
    return NULL;
  }
  return g_string_free_to_bytes (text);
}

/* ---- reading ---- */

static gboolean
bad (GError **error, const char *what)
{
  g_set_error (error, VIX_ERROR, VIX_E_INVALID_SERIALIZED_DATA, "journal: %s",
               what);
  return FALSE;
}

static gboolean
is_sha (const char *s)
{
  return strlen (s) == TXN_SHA_LEN
         && strspn (s, "0123456789abcdef") == TXN_SHA_LEN;
}

static gboolean
parse_name (TxnOp *op, const char *text, gboolean staged, GError **error)
{
  g_autoptr (GBytes) raw = g_uri_unescape_bytes (text, -1, NULL, NULL);
  g_autofree char *name = NULL;

  if (raw == NULL || g_bytes_get_size (raw) == 0
      || memchr (g_bytes_get_data (raw, NULL), 0, g_bytes_get_size (raw))
           != NULL)
    return bad (error, "malformed name");
  name = g_strndup (g_bytes_get_data (raw, NULL), g_bytes_get_size (raw));
  if (staged) {
    /* exactly what txn_add_replace() names it */
    if (!is_plain_name (name) || !g_str_has_prefix (name, op->name)
        || !g_regex_match_simple ("^\\.vixfs-tmp[12]$",
                                  name + strlen (op->name),
                                  G_REGEX_RAW | G_REGEX_DOLLAR_ENDONLY, 0))
      return bad (error, "no name of a staged file");
  } else if (!txn_check_name (op->kind, name, error))
    return FALSE;
  if (op->name == NULL)
    op->name = g_steal_pointer (&name);
  else
    op->other = g_steal_pointer (&name);
  return TRUE;
}

static gboolean
parse_field (TxnOp *op, char field, const char *text, GError **error)
{
  gsize len = 0;
  guchar *raw;

  switch (field) {
  case 'n':
  case 't':
    return parse_name (op, text, field == 't', error);
  case 's':
    if (!is_sha (text) && strcmp (text, TXN_ABSENT) != 0)
      return bad (error, "malformed checksum");
    g_strlcpy (op->old_sha, text, sizeof op->old_sha);
    return TRUE;
  case 'S':
    if (!is_sha (text))
      return bad (error, "malformed checksum");
    g_strlcpy (op->new_sha, text, sizeof op->new_sha);
    return TRUE;
  case 'o':
    if (!g_ascii_string_to_unsigned (text, 10, 0, G_MAXINT64 - (64 << 20),
                                     &op->offset, NULL))
      return bad (error, "malformed offset");
    return TRUE;
  default:
    raw = g_base64_decode (text, &len);
    op->bytes = g_bytes_new_take (raw, len);
    return len > 0 || bad (error, "malformed bytes");
  }
}

static TxnOp *
parse_line (const char *line, GError **error)
{
  g_auto (GStrv) words = g_strsplit (line, " ", MAX_FIELDS + 1);
  g_autoptr (TxnOp) op = g_new0 (TxnOp, 1);
  const OpSpec *spec = NULL;

  for (guint i = 0; words[0] != NULL && i < G_N_ELEMENTS (specs); i++) {
    if (strcmp (words[0], specs[i].word) == 0) {
      op->kind = (TxnOpKind)i;
      spec = &specs[i];
    }
  }
  if (spec == NULL || g_strv_length (words) != strlen (spec->fields) + 1) {
    bad (error, "unknown step");
    return NULL;
  }
  for (guint i = 0; spec->fields[i] != '\0'; i++)
    if (!parse_field (op, spec->fields[i], words[i + 1], error))
      return NULL;
  return g_steal_pointer (&op);
}

gboolean
txn_journal_claims_commit (const char *data, gsize len)
{
  return len >= HEADER_LEN
         && memcmp (data, "vixfs-journal 1 ", TXN_STATE_OFFSET) == 0
         && memcmp (data + TXN_STATE_OFFSET, TXN_WORD_COMMIT, 7) == 0;
}

/* The two header lines; @ret_body points behind them. */
static gboolean
parse_header (const char *data, gsize len, gboolean *ret_committed,
              const char **ret_body, GError **error)
{
  const char *eol;
  g_autofree char *line = NULL;
  g_autofree char *sha = NULL;
  g_auto (GStrv) words = NULL;
  guint64 body_len;

  if (len < HEADER_LEN
      || memcmp (data, "vixfs-journal 1 ", TXN_STATE_OFFSET) != 0
      || data[HEADER_LEN - 1] != '\n')
    return bad (error, "no header");
  *ret_committed = txn_journal_claims_commit (data, len);
  if (!*ret_committed
      && memcmp (data + TXN_STATE_OFFSET, TXN_WORD_PREPARE, 7) != 0)
    return bad (error, "unknown state");
  data += HEADER_LEN;
  len -= HEADER_LEN;
  eol = memchr (data, '\n', len);
  if (eol == NULL)
    return bad (error, "no checksum");
  line = g_strndup (data, (gsize)(eol - data));
  words = g_strsplit (line, " ", 4);
  len -= (gsize)(eol + 1 - data);
  if (g_strv_length (words) != 3 || strcmp (words[0], "sha256") != 0
      || !g_ascii_string_to_unsigned (words[2], 10, 0, TXN_JOURNAL_MAX_BYTES,
                                      &body_len, NULL)
      || body_len != len)
    return bad (error, "malformed checksum line");
  sha = g_compute_checksum_for_data (G_CHECKSUM_SHA256, (const guchar *)eol + 1,
                                     len);
  if (strcmp (sha, words[1]) != 0)
    return bad (error, "wrong checksum");
  *ret_body = eol + 1;
  return TRUE;
}

TxnJournal *
txn_journal_decode (const char *data, gsize len, GError **error)
{
  g_autoptr (TxnJournal) journal = g_new0 (TxnJournal, 1);
  const char *body;
  const char *end = data + len;

  journal->ops = g_ptr_array_new_with_free_func ((GDestroyNotify)txn_op_free);
  if (len > TXN_JOURNAL_MAX_BYTES) {
    bad (error, "too long");
    return NULL;
  }
  if (!parse_header (data, len, &journal->committed, &body, error))
    return NULL;
  while (body < end) {
    const char *eol = memchr (body, '\n', (gsize)(end - body));
    g_autofree char *line = NULL;
    TxnOp *op;

    if (eol == NULL) {
      bad (error, "cut off");
      return NULL;
    }
    line = g_strndup (body, (gsize)(eol - body));
    op = parse_line (line, error);
    if (op == NULL)
      return NULL;
    g_ptr_array_add (journal->ops, op);
    body = eol + 1;
  }
  return g_steal_pointer (&journal);
}
