/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * pool.h - the connections to one host. Whoever needs one takes it, has it
 * alone while in use, and gives it back; the one used last is the first to go
 * out again, since it is the one surely still open. At most so many are in
 * use at once: hosts have few handlers, and a queue here is cheaper than one
 * there. Any thread.
 */
#pragma once

#include "vsphere/soap/http.h"

G_BEGIN_DECLS

typedef struct SoapPool SoapPool;

/**
 * soap_pool_new:
 * @base_url: "https://host:443", without a path
 * @trust: (transfer full)
 * @max_busy: connections in use at once, not counting reserved ones
 */
SoapPool *soap_pool_new (const char *base_url, SoapTrust *trust,
                         const SoapDeadlines *deadlines, guint max_busy);
/* No connection may be in use. */
void soap_pool_free (SoapPool *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (SoapPool, soap_pool_free)

const char *soap_pool_get_base_url (const SoapPool *self);
const SoapDeadlines *soap_pool_get_deadlines (const SoapPool *self);

/**
 * soap_pool_take:
 * @reserved: do not count this one, and do not wait for one: for the call
 *   that the host holds open
 *
 * Waits until one is free; blocks. %SOAP_ERROR_CANCELLED.
 */
SoapHttp *soap_pool_take (SoapPool *self, gboolean reserved,
                          GCancellable *cancellable, GError **error);
/* @http: (transfer full) (nullable); @reserved as when taken */
void soap_pool_give (SoapPool *self, SoapHttp *http, gboolean reserved);

/* Closes what has not been used for so long. */
void soap_pool_trim (SoapPool *self, gint64 idle_us);

/* Connections idle now, for tests. */
guint soap_pool_get_idle (SoapPool *self);

G_END_DECLS
