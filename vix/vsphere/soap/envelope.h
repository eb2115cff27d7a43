/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * envelope.h - one call: its request as bytes, its answer as a struct.
 *
 * soap_call() is the only way from the rest of vsphere/ to a SOAP method. It
 * sends exactly one request; who retries, logs in again or looks up what was
 * lost is above.
 */
#pragma once

#include "vsphere/soap/pool.h"
#include "vsphere/soap/types.h"

G_BEGIN_DECLS

typedef struct {
  const SoapMethod *method;
  const SoapRef *object;
  gconstpointer args;       /* of method->args, NULL if it has no fields */
  const char *operation_id; /* in the host's log; NULL: none */
  const char *version;      /* "8.0.3.0", NULL: the oldest */
  const char *cookie;       /* NULL: none */
  gboolean secret;          /* wipe the request after use */
  int answer_ms;            /* 0: the deadline for all */
  SoapHeadFunc on_head;     /* for methods with records; NULL: none */
  SoapRecordFunc on_record; /* likewise */
  gpointer record_data;     /* of both */
} SoapCall;

typedef struct SoapReply SoapReply;

/**
 * soap_call:
 * @reserved: see soap_pool_take()
 * @ret_answer: (out): facts of the HTTP exchange, also on failure
 * @error: SOAP_ERROR
 *
 * Blocks. Any thread.
 */
SoapReply *soap_call (SoapPool *pool, const SoapCall *call, gboolean reserved,
                      SoapHttpAnswer *ret_answer, GCancellable *cancellable,
                      GError **error);

/* The same in two halves, as those of soap_http_perform(). What is sent of
 * @call is copied; its cookie, texts and @ret_answer are lent until the end.
 * soap_call_finish() consumes @self. One thread at a time. */
typedef struct SoapPending SoapPending;
SoapPending *soap_call_begin (SoapPool *pool, const SoapCall *call,
                              gboolean reserved, SoapHttpAnswer *ret_answer,
                              GError **error);
void soap_call_push (SoapPending *self);
SoapReply *soap_call_finish (SoapPending *self, GCancellable *cancellable,
                             GError **error);

void soap_reply_free (SoapReply *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (SoapReply, soap_reply_free)

/* (nullable): the struct that the method returns; NULL if it returned
 * nothing. Valid as long as @self. */
gconstpointer soap_reply_get_struct (const SoapReply *self);
/* .value NULL if it returned nothing. */
const SoapRef *soap_reply_get_ref (const SoapReply *self);

/* The request of @call, for soap_call() and tests. */
GString *soap_envelope_write (const SoapCall *call, GError **error);
/* An answer from its bytes in one piece, for tests. */
SoapReply *soap_envelope_read (const SoapCall *call, int status,
                               const char *data, gsize len, GError **error);

G_END_DECLS
