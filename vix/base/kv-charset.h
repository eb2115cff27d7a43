/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * kv-charset.h - values of a dictionary between its bytes and UTF-8.
 *
 * Two steps each way. Reading: |XX escapes to bytes, then bytes to UTF-8.
 * Writing: UTF-8 to bytes, then what needs it is escaped. The escapes are on
 * the byte level because the second byte of a Shift_JIS or GBK character can
 * be a '|'.
 *
 * One thread at a time.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct KvCharset KvCharset;

/* (nullable): NULL if @name is no encoding, or none in which ASCII is
 * ASCII. */
KvCharset *kv_charset_open (const char *name);
void kv_charset_free (KvCharset *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (KvCharset, kv_charset_free)

/* As given to kv_charset_open(). */
const char *kv_charset_get_name (const KvCharset *self);

/**
 * kv_charset_decode:
 * @bytes: the value between its quotes; not NUL-terminated
 *
 * Never fails: what the encoding does not have becomes U+FFFD, an escape for
 * NUL or without two hex digits stays as it is.
 *
 * Returns: (transfer full): valid UTF-8
 */
char *kv_charset_decode (KvCharset *self, const char *bytes, gsize len);

/**
 * kv_charset_encode:
 * @text: valid UTF-8
 *
 * Returns: (transfer full) (nullable): NULL if @text cannot be expressed so
 * that kv_charset_decode() gives it back
 */
char *kv_charset_encode (KvCharset *self, const char *text);

G_END_DECLS
