/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A part of a file is taken only from an answer that is just that. */
#include "range-bed.h"
#include "vsphere/soap/fault.h"

#define TIME_TEXT "Last-Modified: Sun, 09 Sep 2001 01:46:40 GMT\r\n"
#define HEAD "HTTP/1.1 206 Partial Content\r\n" TIME_TEXT

typedef struct {
  const char *name;
  const char *answer;
  gsize len; /* of what is asked for, from 10 on, of 20 */
  gboolean unsure;
  int code;   /* -1: it is taken */
  gsize done; /* bytes */
  gboolean changed;
} Case;

static const Case cases[] = {
  { "good",
    HEAD "Content-Range: bytes 10-13/20\r\nContent-Length: 4\r\n\r\nabcd", 4,
    FALSE, -1, 4, FALSE },
  { "unsure",
    HEAD
    "Content-Range: bytes 10-19/20\r\nContent-Length: 10\r\n\r\nabcdefghij",
    100, TRUE, -1, 10, FALSE },
  { "empty-200", "HTTP/1.1 200 OK\r\n" TIME_TEXT "Content-Length: 0\r\n\r\n", 4,
    TRUE, -1, 0, FALSE },
  { "empty-416",
    "HTTP/1.1 416 No\r\nContent-Range: bytes */0\r\nContent-Length: 0\r\n\r\n",
    4, TRUE, -1, 0, FALSE },
  { "shorter-by-its-word",
    HEAD "Content-Range: bytes 10-12/20\r\nContent-Length: 3\r\n\r\nabc", 4,
    FALSE, SOAP_ERROR_MALFORMED, 0, FALSE },
  { "shorter-than-its-word",
    HEAD "Content-Range: bytes 10-13/20\r\nContent-Length: 3\r\n\r\nabc", 4,
    FALSE, SOAP_ERROR_LOST, 3, FALSE },
  { "longer-than-its-word",
    HEAD "Content-Range: bytes 10-13/20\r\nContent-Length: 6\r\n\r\nabcdef", 4,
    FALSE, SOAP_ERROR_MALFORMED, 0, FALSE },
  { "shifted",
    HEAD "Content-Range: bytes 11-14/20\r\nContent-Length: 4\r\n\r\nabcd", 4,
    FALSE, SOAP_ERROR_MALFORMED, 0, FALSE },
  { "backwards",
    HEAD "Content-Range: bytes 13-10/20\r\nContent-Length: 4\r\n\r\nabcd", 4,
    FALSE, SOAP_ERROR_MALFORMED, 0, FALSE },
  { "behind-the-end",
    HEAD "Content-Range: bytes 10-20/20\r\nContent-Length: 4\r\n\r\nabcd", 4,
    FALSE, SOAP_ERROR_MALFORMED, 0, FALSE },
  { "huge",
    HEAD "Content-Range: bytes 10-99999999999999999999/20\r\n"
         "Content-Length: 4\r\n\r\nabcd",
    4, FALSE, SOAP_ERROR_MALFORMED, 0, FALSE },
  { "of-unknown-size",
    HEAD "Content-Range: bytes 10-13/*\r\nContent-Length: 4\r\n\r\nabcd", 4,
    FALSE, SOAP_ERROR_MALFORMED, 0, FALSE },
  { "of-no-range", HEAD "Content-Length: 4\r\n\r\nabcd", 4, FALSE,
    SOAP_ERROR_MALFORMED, 0, FALSE },
  { "multipart",
    HEAD "Content-Type: multipart/byteranges; boundary=x\r\n"
         "Content-Length: 4\r\n\r\nabcd",
    4, FALSE, SOAP_ERROR_MALFORMED, 0, FALSE },
  { "compressed",
    HEAD "Content-Encoding: gzip\r\nContent-Range: bytes 10-13/20\r\n"
         "Content-Length: 4\r\n\r\nabcd",
    4, FALSE, SOAP_ERROR_MALFORMED, 0, FALSE },
  { "all-of-it",
    "HTTP/1.1 200 OK\r\n" TIME_TEXT "Content-Length: 20\r\n\r\n"
    "abcdefghijabcdefghij",
    4, FALSE, SOAP_ERROR_MALFORMED, 0, FALSE },
  { "other-size",
    HEAD "Content-Range: bytes 10-13/21\r\nContent-Length: 4\r\n\r\nabcd", 4,
    FALSE, SOAP_ERROR_MALFORMED, 0, TRUE },
  { "other-time",
    "HTTP/1.1 206 Partial Content\r\n"
    "Last-Modified: Sun, 09 Sep 2001 01:46:41 GMT\r\n"
    "Content-Range: bytes 10-13/20\r\nContent-Length: 4\r\n\r\nabcd",
    4, FALSE, SOAP_ERROR_MALFORMED, 0, TRUE },
  { "shrunk", "HTTP/1.1 416 No\r\nContent-Length: 0\r\n\r\n", 4, FALSE,
    SOAP_ERROR_STATUS, 0, TRUE },
  { "refused", "HTTP/1.1 401 No\r\nContent-Length: 2\r\n\r\nno", 4, FALSE,
    SOAP_ERROR_STATUS, 0, FALSE },
  { "moved",
    "HTTP/1.1 302 Found\r\nLocation: https://127.0.0.1:1/\r\n"
    "Content-Length: 0\r\n\r\n",
    4, FALSE, SOAP_ERROR_STATUS, 0, FALSE },
};

static void
test_case (gconstpointer data)
{
  const Case *self = data;
  GString *body = g_string_new (NULL);
  RangeBed bed;
  SoapRangeFacts facts;
  g_autoptr (GError) error = NULL;
  gboolean ok;

  range_bed_init (&bed, self->answer, 0, 20);
  bed.range.offset = 10;
  bed.range.len = self->len;
  bed.range.unsure = self->unsure;
  bed.range.user = body;
  ok = soap_range_get (bed.pool, &bed.range, &facts, NULL, &error);
  range_bed_check (&bed, ok, error, self->code, "\r\nRange: bytes=10-");
  g_assert_cmpuint (facts.done, ==, self->done);
  g_assert_cmpmem (body->str, body->len, "abcdefghij", self->done);
  g_assert_cmpint (facts.changed, ==, self->changed);
  range_bed_clear (&bed);
  g_string_free (body, TRUE);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autofree char *name = g_strconcat ("/range/", cases[i].name, NULL);

    g_test_add_data_func (name, &cases[i], test_case);
  }
  return g_test_run ();
}
