/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * multipart.h - what an answer says of the parts of a file that it has: one
 * part, by the header Content-Range, or several, in multipart/byteranges.
 *
 * The bytes of a part may be anything, the boundary too: how many there are is
 * what the part's own Content-Range says. Everything around them has to be as
 * the standard has it, and short. Pure.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/**
 * soap_content_range_parse:
 * @text: (nullable): "bytes 0-99/1000"
 *
 * Returns: %FALSE if that names no part of a file whose size is known, or one
 *   that is not within it; nothing was set then
 */
gboolean soap_content_range_parse (const char *text, guint64 *ret_first,
                                   guint64 *ret_last, guint64 *ret_size);

/* A part, bytes @first to @last of a file of @size; FALSE with @error: it is
 * not wanted. And its bytes, in order; between them another part never
 * begins. */
typedef struct {
  gboolean (*begin) (guint64 first, guint64 last, guint64 size, gpointer user,
                     GError **error);
  void (*take) (const char *data, gsize len, gpointer user);
} SoapMultipartSink;

typedef struct SoapMultipart SoapMultipart;

/**
 * soap_multipart_new:
 * @content_type: (nullable): the header
 *
 * Returns: (nullable): %NULL if that is not multipart/byteranges with a
 *   boundary
 */
SoapMultipart *soap_multipart_new (const char *content_type,
                                   const SoapMultipartSink *sink,
                                   gpointer user);
void soap_multipart_free (SoapMultipart *self);

/* The next bytes of the answer; %SOAP_ERROR_MALFORMED, after which there must
 * be no more. */
gboolean soap_multipart_feed (SoapMultipart *self, const char *data, gsize len,
                              GError **error);

G_END_DECLS
