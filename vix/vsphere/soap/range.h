/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * range.h - a part of a file by HTTP, or several: one request, one answer,
 * checked before a byte of it is handed on. An answer that is not exactly that
 * part of that file is refused: what is read here are disks.
 */
#pragma once

#include "vsphere/soap/pool.h"

G_BEGIN_DECLS

typedef struct {
  const char *url;
  const char *cookie; /* NULL: none */
  guint64 offset;
  gsize len;       /* > 0 */
  gboolean unsure; /* the size is not known: an answer may end with the file,
                    * and be empty */
  /* If not @unsure; and -1: any. */
  guint64 size;
  gint64 modified;
  /* Takes the bytes, in order; from @offset on. */
  void (*take) (const char *data, gsize len, gpointer user);
  gpointer user;
} SoapRange;

typedef struct {
  int status;       /* of HTTP, 0 none */
  gboolean changed; /* it is not the file of that size and time any more */
  guint64 size;     /* of the file */
  gint64 modified;  /* seconds since 1970; -1 unknown */
  gint64 age_us;    /* between that and the host's clock; -1 unknown */
  gsize done;       /* bytes taken, also on failure */
  gint64 waited_us; /* until the first byte */
} SoapRangeFacts;

/**
 * soap_range_get:
 * @facts: (out): also filled, as far as it came, on failure
 * @error: %SOAP_ERROR: the codes of soap_http_perform(); %SOAP_ERROR_STATUS
 *   for an answer without content, %SOAP_ERROR_MALFORMED for one that is not
 *   the part that was asked for
 *
 * Sends one request. Blocks. Any thread.
 */
gboolean soap_range_get (SoapPool *pool, const SoapRange *range,
                         SoapRangeFacts *facts, GCancellable *cancellable,
                         GError **error);

typedef struct {
  guint64 offset;
  gsize len;     /* > 0 */
  gpointer user; /* for take, instead of the range's */
  gsize done;    /* (out): bytes taken, in order */
} SoapPart;

/**
 * soap_range_get_parts:
 * @range: of which file; its offset, len and user are not looked at, and it is
 *   not unsure
 * @parts: in the order of the file; they do not overlap
 * @error: as soap_range_get(); %SOAP_ERROR_MALFORMED also for an answer that
 *   has some of them only: what that has is taken
 *
 * The same with several parts in one request, which servers need not support.
 * An answer with all of the file is not read to its end.
 */
gboolean soap_range_get_parts (SoapPool *pool, const SoapRange *range,
                               SoapPart *parts, guint n_parts,
                               SoapRangeFacts *facts, GCancellable *cancellable,
                               GError **error);

G_END_DECLS
