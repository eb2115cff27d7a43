/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * An answer with several parts of a file. Input: one byte that says in which
 * pieces it comes, the line of its Content-Type, its body.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "vsphere/soap/multipart.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

typedef struct {
  guint64 left;      /* of the part that was begun */
  guint64 refuse_at; /* no part may begin behind that */
} Seen;

static gboolean
begin (guint64 first, guint64 last, guint64 size, gpointer user, GError **error)
{
  Seen *seen = user;

  g_assert_cmpuint (first, <=, last);
  g_assert_cmpuint (last, <, size);
  g_assert_cmpuint (seen->left, ==, 0);
  if (first > seen->refuse_at) {
    g_set_error_literal (error, G_OPTION_ERROR, 0, "refused");
    return FALSE;
  }
  seen->left = last - first + 1;
  return TRUE;
}

static void
take (const char *data, gsize len, gpointer user)
{
  Seen *seen = user;

  g_assert_cmpuint (len, >, 0);
  g_assert_cmpuint (len, <=, seen->left);
  seen->left -= len;
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  static const SoapMultipartSink sink = { begin, take };
  const uint8_t *end = size > 0 ? memchr (data, '\n', size) : NULL;
  g_autofree char *type = NULL;
  SoapMultipart *parser;
  Seen seen = { 0, 1 << 30 };
  gboolean ok = TRUE;

  if (end == NULL || end == data)
    return 0;
  type = g_strndup ((const char *)data + 1, (gsize)(end - data) - 1);
  parser = soap_multipart_new (type, &sink, &seen);
  if (parser == NULL)
    return 0;
  for (const uint8_t *at = end + 1; ok && at < data + size;) {
    gsize n = MIN ((gsize)(data + size - at), 1 + (gsize)data[0]);
    g_autoptr (GError) error = NULL;

    ok = soap_multipart_feed (parser, (const char *)at, n, &error);
    g_assert_cmpint (ok, ==, error == NULL);
    at += n;
  }
  soap_multipart_free (parser);
  return 0;
}
