/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Several parts of a file are taken only from an answer that has just those,
 * in whatever pieces it comes. */
#include <string.h>

#include "range-bed.h"
#include "vsphere/soap/fault.h"
#include "vsphere/soap/multipart.h"

#define STATUS "HTTP/1.1 206 Partial Content\r\n"
#define TIMED STATUS "Last-Modified: Sun, 09 Sep 2001 01:46:40 GMT\r\n"
#define TYPE "Content-Type: multipart/byteranges; boundary="
#define HEAD TIMED TYPE "x\r\n\r\n"
#define PART(range) "\r\n--x\r\nContent-Range: bytes " range "\r\n\r\n"
#define END "\r\n--x--\r\n"

/* Wanted are bytes 10-13, 14-15 and 40-43 of 50, whose letters go from a at 0
 * round and round to z. */
#define FIRST "klmn"
#define SECOND "op"
#define THIRD "opqr"
#define ALL FIRST SECOND THIRD

typedef struct {
  const char *name;
  const char *answer;
  const char *taken; /* of all parts in a row; NULL: any beginning of FIRST */
  int code;          /* -1: it is taken */
  gboolean changed;
} Case;

static const Case cases[] = {
  { "good",
    HEAD PART ("10-13/50") FIRST PART ("14-15/50") SECOND PART ("40-43/50")
      THIRD END,
    ALL, -1, FALSE },
  { "other-writing",
    TIMED "content-type: Multipart/ByteRanges ; charset=a; Boundary=\"x\"\r\n"
          "\r\n--x \r\ncontent-type: a/b\r\ncontent-range:bytes 10-15/50 "
          "\r\n\r\n" FIRST SECOND "\r\n--x\r\nContent-Range: BYTES 40-43/50"
          "\r\n\r\n" THIRD "\r\n--x--",
    ALL, -1, FALSE },
  { "merged", HEAD PART ("10-15/50") FIRST SECOND PART ("40-43/50") THIRD END,
    ALL, -1, FALSE },
  { "split",
    HEAD PART ("10-11/50") "kl" PART ("12-15/50") "mnop" PART ("40-43/50")
      THIRD END,
    ALL, -1, FALSE },
  { "other-order",
    HEAD PART ("40-43/50") THIRD PART ("14-15/50") SECOND PART ("10-13/50")
      FIRST END,
    ALL, -1, FALSE },
  { "one-missing", HEAD PART ("10-13/50") FIRST PART ("40-43/50") THIRD END,
    FIRST THIRD, SOAP_ERROR_MALFORMED, FALSE },
  { "none", HEAD END, "", SOAP_ERROR_MALFORMED, FALSE },
  { "nothing", HEAD, "", SOAP_ERROR_MALFORMED, FALSE },
  { "cut", HEAD PART ("10-13/50") FIRST PART ("14-15/50") "o", FIRST "o",
    SOAP_ERROR_MALFORMED, FALSE },
  { "twice", HEAD PART ("10-13/50") FIRST PART ("10-13/50") FIRST END, FIRST,
    SOAP_ERROR_MALFORMED, FALSE },
  { "overlap", HEAD PART ("10-13/50") FIRST PART ("12-15/50") "mnop" END, FIRST,
    SOAP_ERROR_MALFORMED, FALSE },
  { "merged-into-what-came",
    HEAD PART ("14-15/50") SECOND PART ("10-15/50") FIRST SECOND END, SECOND,
    SOAP_ERROR_MALFORMED, FALSE },
  { "more-than-was-asked-for", HEAD PART ("10-16/50") FIRST SECOND "q" END, "",
    SOAP_ERROR_MALFORMED, FALSE },
  { "across-a-gap",
    HEAD PART ("10-43/50") "klmnopqrstuvwxyzabcdefghijklmnopqr" END, "",
    SOAP_ERROR_MALFORMED, FALSE },
  { "another-part", HEAD PART ("11-13/50") "lmn" END, "", SOAP_ERROR_MALFORMED,
    FALSE },
  { "backwards", HEAD PART ("13-10/50") FIRST END, "", SOAP_ERROR_MALFORMED,
    FALSE },
  { "behind-the-end", HEAD PART ("10-13/13") FIRST END, "",
    SOAP_ERROR_MALFORMED, FALSE },
  { "of-unknown-size", HEAD PART ("10-13/*") FIRST END, "",
    SOAP_ERROR_MALFORMED, FALSE },
  { "huge", HEAD PART ("10-99999999999999999999/50") FIRST END, "",
    SOAP_ERROR_MALFORMED, FALSE },
  { "without-a-range", HEAD "--x\r\nContent-Type: a/b\r\n\r\n" FIRST END, "",
    SOAP_ERROR_MALFORMED, FALSE },
  { "two-ranges",
    HEAD "--x\r\nContent-Range: bytes 10-13/50\r\nContent-Range: bytes "
         "40-43/50\r\n\r\n" FIRST END,
    "", SOAP_ERROR_MALFORMED, FALSE },
  { "longer-than-its-word", HEAD PART ("10-13/50") FIRST "o" END, FIRST,
    SOAP_ERROR_MALFORMED, FALSE },
  { "shorter-than-its-word", HEAD PART ("10-13/50") "k" END, "k\r\n-",
    SOAP_ERROR_MALFORMED, FALSE },
  { "something-before", HEAD "x" PART ("10-13/50") FIRST END, "",
    SOAP_ERROR_MALFORMED, FALSE },
  { "something-between",
    HEAD PART ("10-13/50") FIRST "\r\nx" PART ("14-15/50") SECOND END, FIRST,
    SOAP_ERROR_MALFORMED, FALSE },
  { "another-boundary",
    HEAD PART ("10-13/50") FIRST "\r\n--xy\r\nContent-Range: bytes "
                                 "14-15/50\r\n\r\n" SECOND END,
    FIRST, SOAP_ERROR_MALFORMED, FALSE },
  { "lines-of-another-kind",
    HEAD "--x\nContent-Range: bytes 10-13/50\n\n" FIRST, "",
    SOAP_ERROR_MALFORMED, FALSE },
  { "another-size", HEAD PART ("10-13/50") FIRST PART ("14-15/51") SECOND END,
    FIRST, SOAP_ERROR_MALFORMED, TRUE },
  { "another-time",
    STATUS "Last-Modified: Sun, 09 Sep 2001 01:46:41 GMT\r\n" TYPE
           "x\r\n\r\n" PART ("10-13/50") FIRST END,
    "", SOAP_ERROR_MALFORMED, TRUE },
  { "no-time", STATUS TYPE "x\r\n\r\n" PART ("10-13/50") FIRST END, "",
    SOAP_ERROR_MALFORMED, TRUE },
  { "compressed",
    TIMED TYPE "x\r\nContent-Encoding: gzip\r\n\r\n" PART ("10-13/50") FIRST,
    "", SOAP_ERROR_MALFORMED, FALSE },
  { "no-boundary",
    TIMED "Content-Type: multipart/byteranges\r\n\r\n" PART ("10-13/50")
      FIRST END,
    "", SOAP_ERROR_MALFORMED, FALSE },
  { "empty-boundary", TIMED TYPE "\"\"\r\n\r\n" PART ("10-13/50") FIRST END, "",
    SOAP_ERROR_MALFORMED, FALSE },
  { "mixed",
    TIMED "Content-Type: multipart/mixed; boundary=x\r\n\r\n" PART ("10-13/50")
      FIRST END,
    "", SOAP_ERROR_MALFORMED, FALSE },
  { "single",
    TIMED "Content-Range: bytes 10-13/50\r\nContent-Length: 4\r\n\r\n" FIRST,
    FIRST, SOAP_ERROR_MALFORMED, FALSE },
  { "single-that-goes-on",
    TIMED
    "Content-Range: bytes 10-13/50\r\nContent-Length: 6\r\n\r\n" FIRST SECOND,
    NULL, SOAP_ERROR_MALFORMED, FALSE },
  { "single-of-another-time",
    STATUS "Content-Range: bytes 10-13/50\r\nContent-Length: 4\r\n\r\n" FIRST,
    "", SOAP_ERROR_MALFORMED, TRUE },
  { "all-of-it",
    "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n"
    "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwx",
    "", SOAP_ERROR_MALFORMED, FALSE },
  { "416", "HTTP/1.1 416 No\r\nContent-Length: 0\r\n\r\n", "",
    SOAP_ERROR_STATUS, FALSE },
  { "400", "HTTP/1.1 400 No\r\nContent-Length: 2\r\n\r\nno", "",
    SOAP_ERROR_STATUS, FALSE },
};

/* Pieces in which answers come: all at once; and byte by byte, so that each
 * boundary is seen in pieces, too. */
static const gsize pieces[] = { 0, 1 };

static void
check (const Case *self, gsize piece)
{
  RangeBed bed;
  SoapPart parts[] = { { 10, 4, g_string_new (NULL), 7 },
                       { 14, 2, g_string_new (NULL), 7 },
                       { 40, 4, g_string_new (NULL), 7 } };
  g_autoptr (GString) taken = g_string_new (NULL);
  SoapRangeFacts facts;
  g_autoptr (GError) error = NULL;
  gboolean ok;

  range_bed_init (&bed, self->answer, piece, 50);
  ok = soap_range_get_parts (bed.pool, &bed.range, parts, 3, &facts, NULL,
                             &error);
  range_bed_check (&bed, ok, error, self->code,
                   "\r\nRange: bytes=10-13,14-15,40-43\r\n");
  for (gsize i = 0; i < G_N_ELEMENTS (parts); i++) {
    GString *bytes = parts[i].user;

    g_assert_cmpuint (bytes->len, ==, parts[i].done);
    g_assert_cmpuint (bytes->len, <=, parts[i].len);
    g_string_append (taken, bytes->str);
    g_string_free (bytes, TRUE);
  }
  if (self->taken != NULL)
    g_assert_cmpstr (taken->str, ==, self->taken);
  else
    g_assert_true (g_str_has_prefix (FIRST, taken->str));
  g_assert_cmpuint (facts.done, ==, taken->len);
  g_assert_cmpint (facts.changed, ==, self->changed);
  range_bed_clear (&bed);
}

static void
test_case (gconstpointer data)
{
  for (gsize i = 0; i < G_N_ELEMENTS (pieces); i++)
    check (data, pieces[i]);
}

/* ---- what comes without end, or is in the bytes themselves ---- */

static gboolean
begin_any (guint64 first, guint64 last, guint64 size, gpointer user,
           GError **error)
{
  return TRUE;
}

/* Whether it is refused, and before so many bytes of @line came again and
 * again. */
static gboolean
is_refused (const char *beginning, const char *line, gsize most)
{
  static const SoapMultipartSink sink = { begin_any, range_bed_collect };
  g_autoptr (GString) body = g_string_new (NULL);
  SoapMultipart *parser
    = soap_multipart_new ("multipart/byteranges; boundary=x", &sink, body);
  g_autoptr (GError) error = NULL;
  gsize fed = 0;

  g_assert_true (
    soap_multipart_feed (parser, beginning, strlen (beginning), NULL));
  while (fed < most
         && soap_multipart_feed (parser, line, strlen (line), &error))
    fed += strlen (line);
  soap_multipart_free (parser);
  g_assert_true (error == NULL
                 || g_error_matches (error, SOAP_ERROR, SOAP_ERROR_MALFORMED));
  return error != NULL;
}

static void
test_what_has_no_end_is_refused (void)
{
  const char *head = "--x\r\nContent-Range: bytes 0-0/9\r\n";
  g_autofree char *over = g_strconcat (head, "\r\na\r\n--x--\r\n", NULL);

  g_assert_true (is_refused ("", "\r\n", 1000));
  g_assert_true (is_refused ("", "y", 2000));
  g_assert_true (is_refused (head, "y", 2000));
  g_assert_true (is_refused (head, "y: z\r\n", 1000));
  g_assert_true (is_refused (over, "y\r\n", 2000));
  /* Bytes of a part are no lines. */
  g_assert_false (is_refused (
    "--x\r\nContent-Range: bytes 0-999999/9999999\r\n\r\n", "y", 9000));
}

/* The boundary within a part is part of it. */
static void
test_boundary_within_a_part (void)
{
  static const SoapMultipartSink sink = { begin_any, range_bed_collect };
  static const char text[]
    = "--x\r\nContent-Range: bytes 0-34/99\r\n\r\n"
      "\r\n--x\r\nContent-Range: bytes 5-6/9\r\n"
      "\r\n--x\r\nContent-Range: bytes 50-51/99\r\n\r\nab\r\n--x--\r\n";
  g_autoptr (GString) body = g_string_new (NULL);
  SoapMultipart *parser
    = soap_multipart_new ("multipart/byteranges; boundary=x", &sink, body);
  g_autoptr (GError) error = NULL;

  soap_multipart_feed (parser, text, strlen (text), &error);
  g_assert_no_error (error);
  soap_multipart_free (parser);
  g_assert_cmpstr (body->str, ==,
                   "\r\n--x\r\nContent-Range: bytes 5-6/9\r\nab");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autofree char *name = g_strconcat ("/parts/", cases[i].name, NULL);

    g_test_add_data_func (name, &cases[i], test_case);
  }
  g_test_add_func ("/parts/what-has-no-end-is-refused",
                   test_what_has_no_end_is_refused);
  g_test_add_func ("/parts/boundary-within-a-part",
                   test_boundary_within_a_part);
  return g_test_run ();
}
