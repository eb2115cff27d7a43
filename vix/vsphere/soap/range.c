/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vsphere/soap/range.h"

#include <string.h>

#include "base/lock.h"
#include "vsphere/soap/fault.h"

#define HTTP_OK 200
#define HTTP_PARTIAL 206
#define HTTP_PAST_THE_END 416
/* What an answer without content may say to people. */
#define MAX_REMARK_BYTES 65536

/* An exchange under way. */
typedef struct {
  const SoapRange *range;
  const SoapHttpAnswer *answer;
  SoapRangeFacts *facts;
  gsize expected; /* bytes that the answer promised; 0: not looked at yet */
  gsize remark;   /* bytes that are not content */
} Exchange;

/* "bytes 0-99/1000"; "bytes * /1000" (without the blank) has no part. */
static gboolean
parse_content_range (const char *text, guint64 *ret_first, guint64 *ret_last,
                     guint64 *ret_size)
{
  g_auto (GStrv) parts = NULL;

  if (text == NULL || g_ascii_strncasecmp (text, "bytes ", 6) != 0)
    return FALSE;
  parts = g_strsplit_set (text + 6, "-/", 4);
  return g_strv_length (parts) == 3
         && g_ascii_string_to_unsigned (parts[0], 10, 0, G_MAXINT64, ret_first,
                                        NULL)
         && g_ascii_string_to_unsigned (parts[1], 10, 0, G_MAXINT64, ret_last,
                                        NULL)
         && g_ascii_string_to_unsigned (parts[2], 10, 0, G_MAXINT64, ret_size,
                                        NULL);
}

static gboolean
refuse (GError **error, const char *what)
{
  g_set_error (error, SOAP_ERROR, SOAP_ERROR_MALFORMED,
               "the host answered a request for a part of it with %s", what);
  return FALSE;
}

/* Looks at the head of an answer that has content. */
static gboolean
check_head (Exchange *self, GError **error)
{
  const SoapRange *range = self->range;
  const SoapHttpAnswer *answer = self->answer;
  SoapRangeFacts *facts = self->facts;
  guint64 first, last, size;

  if (answer->encoded)
    return refuse (error, "compressed content");
  if (!parse_content_range (answer->content_range, &first, &last, &size)
      || last < first || last >= size)
    return refuse (error, "no word on which part that is");
  facts->size = size;
  if (!range->unsure
      && ((range->size != (guint64)-1 && size != range->size)
          || (range->modified != -1
              && answer->last_modified != range->modified))) {
    facts->changed = TRUE;
    return refuse (error, "a file that has changed");
  }
  if (first != range->offset
      || last - first + 1
           != (range->unsure ? MIN (range->len, size - MIN (size, first))
                             : range->len))
    return refuse (error, "another part");
  self->expected = (gsize)(last - first + 1);
  return TRUE;
}

static gboolean
on_data (int status, const char *data, gsize len, gpointer user, GError **error)
{
  Exchange *self = user;

  if (status == HTTP_OK)
    return refuse (error, "all of it");
  if (status != HTTP_PARTIAL) {
    self->remark += len;
    return self->remark <= MAX_REMARK_BYTES || refuse (error, "a long page");
  }
  if (self->expected == 0 && !check_head (self, error))
    return FALSE;
  if (len > self->expected - self->facts->done)
    return refuse (error, "more than that");
  self->range->take (data, len, self->range->user);
  self->facts->done += len;
  return TRUE;
}

/* An empty file has no parts: hosts say so in one way or the other. */
static gboolean
is_empty_file (const SoapHttpAnswer *answer)
{
  if (answer->status == HTTP_OK)
    return answer->content_length == 0;
  return answer->status == HTTP_PAST_THE_END && answer->content_range != NULL
         && g_ascii_strcasecmp (answer->content_range, "bytes */0") == 0;
}

/* The answer is complete. */
static gboolean
check_end (Exchange *self, GError **error)
{
  int status = self->answer->status;

  if (self->range->unsure && is_empty_file (self->answer))
    return TRUE;
  if (status == HTTP_OK)
    return refuse (error, "all of it");
  if (status != HTTP_PARTIAL) {
    self->facts->changed = status == HTTP_PAST_THE_END;
    g_set_error (error, SOAP_ERROR, SOAP_ERROR_STATUS, "HTTP status %d",
                 status);
    return FALSE;
  }
  if (self->expected == 0)
    return refuse (error, "nothing");
  if (self->facts->done < self->expected) {
    g_set_error_literal (error, SOAP_ERROR, SOAP_ERROR_LOST,
                         "the answer ended too soon");
    return FALSE;
  }
  return TRUE;
}

gboolean
soap_range_get (SoapPool *pool, const SoapRange *range, SoapRangeFacts *facts,
                GCancellable *cancellable, GError **error)
{
  g_auto (SoapHttpAnswer) answer = { .last_modified = -1 };
  Exchange exchange = { range, &answer, facts, 0, 0 };
  g_autofree char *header
    = g_strdup_printf ("Range: bytes=%" G_GUINT64_FORMAT "-%" G_GUINT64_FORMAT,
                       range->offset, range->offset + range->len - 1);
  const char *headers[] = { header, NULL };
  SoapHttpRequest request = { .method = "GET",
                              .url = range->url,
                              .headers = headers,
                              .cookie = range->cookie,
                              .stored = TRUE,
                              .on_data = on_data,
                              .user = &exchange };
  SoapHttp *http;
  gboolean ok;

  VIX_MAY_BLOCK ();
  memset (facts, 0, sizeof *facts);
  facts->modified = facts->age_us = -1;
  http = soap_pool_take (pool, FALSE, cancellable, error);
  if (http == NULL)
    return FALSE;
  ok = soap_http_perform (http, &request, &answer, cancellable, error);
  soap_pool_give (pool, http, FALSE);
  facts->status = answer.status;
  facts->modified = answer.last_modified;
  facts->waited_us = answer.waited_us;
  if (answer.last_modified != -1 && answer.date_us != 0)
    facts->age_us = answer.date_us - answer.last_modified * G_USEC_PER_SEC;
  return ok && check_end (&exchange, error);
}
