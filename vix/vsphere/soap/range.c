/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vsphere/soap/range.h"

#include <string.h>

#include "base/lock.h"
#include "vsphere/soap/fault.h"
#include "vsphere/soap/multipart.h"

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

  /* Of several parts: */
  SoapPart *parts;
  guint n_parts;
  guint at;                 /* the one whose bytes are coming */
  SoapMultipart *multipart; /* NULL: the answer is no such, or not looked at */
} Exchange;

static gboolean
refuse (GError **error, const char *what)
{
  g_set_error (error, SOAP_ERROR, SOAP_ERROR_MALFORMED,
               "the host answered a request for a part of it with %s", what);
  return FALSE;
}

/* Whether the answer is of the file that was asked for, which has @size. */
static gboolean
check_file (Exchange *self, guint64 size, GError **error)
{
  const SoapRange *range = self->range;

  self->facts->size = size;
  if ((range->size == (guint64)-1 || size == range->size)
      && (range->modified == -1
          || self->answer->last_modified == range->modified))
    return TRUE;
  self->facts->changed = TRUE;
  return refuse (error, "a file that has changed");
}

/* Looks at the head of an answer that has content. */
static gboolean
check_head (Exchange *self, GError **error)
{
  const SoapRange *range = self->range;
  const SoapHttpAnswer *answer = self->answer;
  guint64 first, last, size;

  if (answer->encoded)
    return refuse (error, "compressed content");
  if (!soap_content_range_parse (answer->content_range, &first, &last, &size))
    return refuse (error, "no word on which part that is");
  self->facts->size = size;
  if (!range->unsure && !check_file (self, size, error))
    return FALSE;
  if (first != range->offset
      || last - first + 1
           != (range->unsure ? MIN (range->len, size - MIN (size, first))
                             : range->len))
    return refuse (error, "another part");
  self->expected = (gsize)(last - first + 1);
  return TRUE;
}

/* The body of an answer that is no part. */
static gboolean
take_remark (Exchange *self, int status, gsize len, GError **error)
{
  if (status == HTTP_OK)
    return refuse (error, "all of it");
  self->remark += len;
  return self->remark <= MAX_REMARK_BYTES || refuse (error, "a long page");
}

static gboolean
on_data (int status, const char *data, gsize len, gpointer user, GError **error)
{
  Exchange *self = user;

  if (status != HTTP_PARTIAL)
    return take_remark (self, status, len, error);
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

static gboolean
has_all_parts (const Exchange *self)
{
  for (guint i = 0; i < self->n_parts; i++)
    if (self->parts[i].done < self->parts[i].len)
      return FALSE;
  return TRUE;
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
    self->facts->changed = status == HTTP_PAST_THE_END && self->parts == NULL;
    g_set_error (error, SOAP_ERROR, SOAP_ERROR_STATUS, "HTTP status %d",
                 status);
    return FALSE;
  }
  if (self->parts != NULL)
    return has_all_parts (self) || refuse (error, "some of it");
  if (self->expected == 0)
    return refuse (error, "nothing");
  if (self->facts->done < self->expected) {
    g_set_error_literal (error, SOAP_ERROR, SOAP_ERROR_LOST,
                         "the answer ended too soon");
    return FALSE;
  }
  return TRUE;
}

static gboolean
exchange (Exchange *self, SoapPool *pool, const char *header,
          gboolean (*take) (int status, const char *data, gsize len,
                            gpointer user, GError **error),
          GCancellable *cancellable, GError **error)
{
  g_auto (SoapHttpAnswer) answer = { .last_modified = -1 };
  const char *headers[] = { header, NULL };
  SoapHttpRequest request = { .method = "GET",
                              .url = self->range->url,
                              .headers = headers,
                              .cookie = self->range->cookie,
                              .stored = TRUE,
                              .on_data = take,
                              .user = self };
  SoapRangeFacts *facts = self->facts;
  SoapHttp *http;
  gboolean ok;

  memset (facts, 0, sizeof *facts);
  facts->modified = facts->age_us = -1;
  http = soap_pool_take (pool, FALSE, cancellable, error);
  if (http == NULL)
    return FALSE;
  self->answer = &answer;
  ok = soap_http_perform (http, &request, &answer, cancellable, error);
  soap_pool_give (pool, http, FALSE);
  facts->status = answer.status;
  facts->modified = answer.last_modified;
  facts->waited_us = answer.waited_us;
  if (answer.last_modified != -1 && answer.date_us != 0)
    facts->age_us = answer.date_us - answer.last_modified * G_USEC_PER_SEC;
  ok = ok && check_end (self, error);
  self->answer = NULL;
  return ok;
}

gboolean
soap_range_get (SoapPool *pool, const SoapRange *range, SoapRangeFacts *facts,
                GCancellable *cancellable, GError **error)
{
  Exchange self = { .range = range, .facts = facts };
  g_autofree char *header
    = g_strdup_printf ("Range: bytes=%" G_GUINT64_FORMAT "-%" G_GUINT64_FORMAT,
                       range->offset, range->offset + range->len - 1);

  VIX_MAY_BLOCK ();
  return exchange (&self, pool, header, on_data, cancellable, error);
}

/* ---- several parts ---- */

static guint64
get_end (const SoapPart *part)
{
  return part->offset + part->len;
}

/* A part of the answer. It goes on where one of ours stopped, up to its end at
 * most or into those that are right behind it: so nothing comes twice, and no
 * more than was asked for. */
static gboolean
begin_part (guint64 first, guint64 last, guint64 size, gpointer user,
            GError **error)
{
  Exchange *self = user;
  guint i = 0;

  if (!check_file (self, size, error))
    return FALSE;
  while (i < self->n_parts
         && (self->parts[i].offset + self->parts[i].done != first
             || self->parts[i].done == self->parts[i].len))
    i++;
  self->at = i;
  while (i + 1 < self->n_parts && last >= get_end (&self->parts[i])
         && self->parts[i + 1].offset == get_end (&self->parts[i])
         && self->parts[i + 1].done == 0)
    i++;
  return (i < self->n_parts && last < get_end (&self->parts[i]))
         || refuse (error, "another part");
}

static void
take_part (const char *data, gsize len, gpointer user)
{
  Exchange *self = user;

  while (len > 0) {
    SoapPart *part = &self->parts[self->at];
    gsize n = MIN (len, part->len - part->done);

    self->range->take (data, n, part->user);
    part->done += n;
    self->facts->done += n;
    self->at += part->done == part->len;
    data += n;
    len -= n;
  }
}

/* Looks at the head of an answer that has parts, or one of them. */
static gboolean
check_parts_head (Exchange *self, GError **error)
{
  static const SoapMultipartSink sink = { begin_part, take_part };
  const SoapHttpAnswer *answer = self->answer;
  guint64 first, last, size;

  if (answer->encoded)
    return refuse (error, "compressed content");
  self->multipart = soap_multipart_new (answer->content_type, &sink, self);
  if (self->multipart != NULL)
    return TRUE;
  if (!soap_content_range_parse (answer->content_range, &first, &last, &size))
    return refuse (error, "no word on which part that is");
  self->expected = (gsize)(last - first + 1);
  return begin_part (first, last, size, self, error);
}

static gboolean
on_parts_data (int status, const char *data, gsize len, gpointer user,
               GError **error)
{
  Exchange *self = user;

  if (status != HTTP_PARTIAL)
    return take_remark (self, status, len, error);
  if (self->multipart == NULL && self->expected == 0
      && !check_parts_head (self, error))
    return FALSE;
  if (self->multipart != NULL)
    return soap_multipart_feed (self->multipart, data, len, error);
  if (len > self->expected - self->facts->done)
    return refuse (error, "more than that");
  take_part (data, len, self);
  return TRUE;
}

static char *
describe_parts (const SoapPart *parts, guint n_parts)
{
  GString *text = g_string_new ("Range: bytes=");

  for (guint i = 0; i < n_parts; i++)
    g_string_append_printf (text, "%s%" G_GUINT64_FORMAT "-%" G_GUINT64_FORMAT,
                            i > 0 ? "," : "", parts[i].offset,
                            get_end (&parts[i]) - 1);
  return g_string_free (text, FALSE);
}

gboolean
soap_range_get_parts (SoapPool *pool, const SoapRange *range, SoapPart *parts,
                      guint n_parts, SoapRangeFacts *facts,
                      GCancellable *cancellable, GError **error)
{
  Exchange self
    = { .range = range, .facts = facts, .parts = parts, .n_parts = n_parts };
  g_autofree char *header = describe_parts (parts, n_parts);
  gboolean ok;

  VIX_MAY_BLOCK ();
  for (guint i = 0; i < n_parts; i++)
    parts[i].done = 0;
  ok = exchange (&self, pool, header, on_parts_data, cancellable, error);
  soap_multipart_free (self.multipart);
  return ok;
}
