/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "range-bed.h"

#include <string.h>

#include "vsphere/soap/fault.h"

static void
play (guint n, const char *request, TinyAnswer *answer, gpointer data)
{
  RangeBed *self = data;

  g_string_append (self->seen, request);
  *answer = (TinyAnswer){ .bytes = self->answer,
                          .piece = self->piece,
                          .close = TRUE };
}

void
range_bed_collect (const char *data, gsize len, gpointer user)
{
  g_string_append_len (user, data, (gssize)len);
}

void
range_bed_init (RangeBed *self, const char *answer, gsize piece, guint64 size)
{
  const SoapDeadlines deadlines = { 2000, 2000, 2000 };

  *self = (RangeBed){ .answer = answer,
                      .piece = piece,
                      .seen = g_string_new (NULL) };
  self->server = tiny_server_new (FALSE, play, self);
  self->pool
    = soap_pool_new (tiny_server_get_url (self->server),
                     soap_trust_new (NULL, NULL, TRUE, NULL), &deadlines, 1);
  self->range = (SoapRange){ .url = tiny_server_get_url (self->server),
                             .cookie = "a=b",
                             .size = size,
                             .modified = RANGE_TIME,
                             .take = range_bed_collect };
}

void
range_bed_check (const RangeBed *self, gboolean ok, const GError *error,
                 int code, const char *wanted)
{
  if (code == -1)
    g_assert_no_error (error);
  else
    g_assert_error (error, SOAP_ERROR, code);
  g_assert_cmpint (ok, ==, code == -1);
  g_assert_nonnull (strstr (self->seen->str, wanted));
  g_assert_nonnull (strstr (self->seen->str, "\r\nCookie: a=b\r\n"));
  g_assert_null (strstr (self->seen->str, "Accept-Encoding"));
}

void
range_bed_clear (RangeBed *self)
{
  soap_pool_free (self->pool);
  tiny_server_free (self->server);
  g_string_free (self->seen, TRUE);
}
