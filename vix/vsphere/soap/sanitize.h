/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sanitize.h - makes of a host's bytes what XML 1.0 lets through.
 *
 * Hosts put into their answers what people and guests put into annotations
 * and names: control characters, raw or as character references, and bytes
 * that are not UTF-8. A parser rejects the whole answer for one of them, and
 * with it an inventory of thousands. Each such character becomes U+FFFD here,
 * before the parser sees it; all else passes untouched.
 *
 * Works on pieces of any size, which may end within a character or within a
 * reference. One thread at a time.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* The longest thing that is looked at as one: "&#x10FFFF;" and some zeros. */
#define SOAP_SANITIZE_HOLD 32

typedef struct {
  char held[SOAP_SANITIZE_HOLD]; /* the beginning of something undecided */
  gsize n_held;
} SoapSanitizer;

/* Appends the clean form of @data to @out. */
void soap_sanitize_feed (SoapSanitizer *self, const char *data, gsize len,
                         GString *out);
/* What was held back at the end of the answer. */
void soap_sanitize_finish (SoapSanitizer *self, GString *out);

G_END_DECLS
