/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vsphere/soap/multipart.h"

#include <string.h>

#include "vsphere/soap/fault.h"

#define TYPE "multipart/byteranges"
#define MAX_BOUNDARY 70 /* by the standard */
/* Of what is around the bytes of parts. */
#define MAX_LINE 1024
#define MAX_LINES 32
#define MAX_EPILOGUE 1024

typedef enum {
  BEFORE,   /* the first boundary: blank lines */
  HEAD,     /* of a part */
  BODY,     /* of a part */
  BEHIND,   /* that: the end of its last line */
  BOUNDARY, /* the next one */
  OVER,     /* the last one was seen */
} State;

struct SoapMultipart {
  SoapMultipartSink sink;
  gpointer user;
  char *boundary; /* "--" and what the answer chose */
  State state;
  guint n_lines; /* of this state */
  gsize epilogue;
  GString *line; /* the beginning of one */
  gboolean has_range;
  guint64 first, last, size;
  guint64 left; /* of the part's bytes */
};

static gboolean
parse_number (const char *text, guint64 *ret_number)
{
  return g_ascii_string_to_unsigned (text, 10, 0, G_MAXINT64, ret_number, NULL);
}

gboolean
soap_content_range_parse (const char *text, guint64 *ret_first,
                          guint64 *ret_last, guint64 *ret_size)
{
  g_auto (GStrv) parts = NULL;
  guint64 first, last, size;

  if (text == NULL || g_ascii_strncasecmp (text, "bytes ", 6) != 0)
    return FALSE;
  parts = g_strsplit_set (text + 6, "-/", 4);
  if (g_strv_length (parts) != 3 || !parse_number (parts[0], &first)
      || !parse_number (parts[1], &last) || !parse_number (parts[2], &size)
      || last < first || last >= size)
    return FALSE;
  *ret_first = first;
  *ret_last = last;
  *ret_size = size;
  return TRUE;
}

static gboolean
refuse (GError **error, const char *what)
{
  g_set_error (error, SOAP_ERROR, SOAP_ERROR_MALFORMED,
               "the host answered a request for parts of it with %s", what);
  return FALSE;
}

/* ---- the boundary ---- */

/* Behind "boundary=", perhaps in quotes; NULL if it is none. */
static char *
copy_boundary (const char *text)
{
  gboolean quoted = *text == '"';
  gsize n = quoted ? strcspn (++text, "\"\\") : strcspn (text, "; \t\"");

  if (n == 0 || n > MAX_BOUNDARY || (quoted && text[n] != '"'))
    return NULL;
  return g_strdup_printf ("--%.*s", (int)n, text);
}

static char *
find_boundary (const char *content_type)
{
  const char *at;

  if (content_type == NULL
      || g_ascii_strncasecmp (content_type, TYPE, strlen (TYPE)) != 0)
    return NULL;
  at = content_type + strlen (TYPE);
  at += strspn (at, " \t");
  while (*at == ';') {
    at += 1 + strspn (at + 1, " \t");
    if (g_ascii_strncasecmp (at, "boundary=", 9) == 0)
      return copy_boundary (at + 9);
    at += strcspn (at, ";");
  }
  return NULL;
}

SoapMultipart *
soap_multipart_new (const char *content_type, const SoapMultipartSink *sink,
                    gpointer user)
{
  char *boundary = find_boundary (content_type);
  SoapMultipart *self;

  if (boundary == NULL)
    return NULL;
  self = g_new0 (SoapMultipart, 1);
  self->sink = *sink;
  self->user = user;
  self->boundary = boundary;
  self->line = g_string_new (NULL);
  return self;
}

void
soap_multipart_free (SoapMultipart *self)
{
  if (self == NULL)
    return;
  g_free (self->boundary);
  g_string_free (self->line, TRUE);
  g_free (self);
}

/* ---- what is around the bytes ---- */

static void
enter (SoapMultipart *self, State state)
{
  self->state = state;
  self->n_lines = 0;
}

/* FALSE if the line is no boundary. */
static gboolean
take_boundary (SoapMultipart *self, const char *line)
{
  const char *rest;

  if (!g_str_has_prefix (line, self->boundary))
    return FALSE;
  rest = line + strlen (self->boundary);
  if (*rest == '\0')
    enter (self, HEAD);
  else if (g_str_equal (rest, "--"))
    enter (self, OVER);
  else
    return FALSE;
  self->has_range = FALSE;
  return TRUE;
}

static gboolean
take_head (SoapMultipart *self, const char *line, GError **error)
{
  static const char name[] = "Content-Range:";
  const char *value;

  if (*line == '\0') {
    if (!self->has_range)
      return refuse (error, "a part that does not say which it is");
    self->left = self->last - self->first + 1;
    enter (self, BODY);
    return self->sink.begin (self->first, self->last, self->size, self->user,
                             error);
  }
  if (g_ascii_strncasecmp (line, name, strlen (name)) != 0)
    return TRUE;
  value = line + strlen (name);
  value += strspn (value, " \t");
  if (self->has_range
      || !soap_content_range_parse (value, &self->first, &self->last,
                                    &self->size))
    return refuse (error, "a part that does not say which it is");
  self->has_range = TRUE;
  return TRUE;
}

static gboolean
take_line (SoapMultipart *self, const char *line, GError **error)
{
  if (++self->n_lines > MAX_LINES)
    return refuse (error, "too many lines around them");
  switch (self->state) {
  case BEFORE:
    return *line == '\0' || take_boundary (self, line)
           || refuse (error, "something else before them");
  case HEAD:
    return take_head (self, line, error);
  case BEHIND:
    enter (self, BOUNDARY);
    return *line == '\0' || refuse (error, "a part that is too long");
  case BOUNDARY:
    return take_boundary (self, line)
           || refuse (error, "something else between them");
  default:
    g_assert_not_reached ();
  }
}

/* As much of @data as belongs to the present line; 0 with @error. */
static gsize
feed_line (SoapMultipart *self, const char *data, gsize len, GError **error)
{
  const char *end = memchr (data, '\n', len);
  gsize n = end == NULL ? len : (gsize)(end - data) + 1;
  GString *line = self->line;
  gsize last;

  if (n > MAX_LINE - line->len) {
    refuse (error, "too long a line around them");
    return 0;
  }
  g_string_append_len (line, data, (gssize)n);
  if (end == NULL)
    return n;
  last = line->len - 1;
  if (last == 0 || line->str[last - 1] != '\r'
      || memchr (line->str, '\0', line->len) != NULL) {
    refuse (error, "a line around them that is none");
    return 0;
  }
  g_string_truncate (line, last - 1);
  if (self->state != BEHIND)
    g_strchomp (line->str);
  if (!take_line (self, line->str, error))
    return 0;
  g_string_truncate (line, 0);
  return n;
}

gboolean
soap_multipart_feed (SoapMultipart *self, const char *data, gsize len,
                     GError **error)
{
  while (len > 0) {
    gsize n = len;

    if (self->state == OVER) {
      self->epilogue += n;
      if (self->epilogue > MAX_EPILOGUE)
        return refuse (error, "more behind them");
    } else if (self->state == BODY) {
      n = (gsize)MIN (self->left, len);
      self->sink.take (data, n, self->user);
      self->left -= n;
      if (self->left == 0)
        enter (self, BEHIND);
    } else {
      n = feed_line (self, data, len, error);
      if (n == 0)
        return FALSE;
    }
    data += n;
    len -= n;
  }
  return TRUE;
}
