/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * http.h - one HTTP exchange at a time on one kept-alive connection.
 *
 * Has the deadlines, the cancelling, and the promise that matters most: a
 * request marked `once` leaves this process at most once. libcurl repeats a
 * request by itself when a connection that it had kept turns out closed; for
 * such a request it is not let, and whether any of it may have gone out is
 * part of the error (soap_error_get_sent).
 *
 * A SoapHttp is for one thread at a time.
 */
#pragma once

#include <gio/gio.h>

#include "vsphere/soap/tls.h"

G_BEGIN_DECLS

typedef struct {
  int connect_ms; /* name, TCP, TLS */
  int answer_ms;  /* from the request to the answer's first byte */
  int stall_ms;   /* an answer that pauses for so long is given up */
} SoapDeadlines;

/* Where they are 0 in the argument: 10 s, 60 s, 30 s. */
void soap_deadlines_default (SoapDeadlines *deadlines);

typedef struct {
  const char *method;         /* "POST", "GET", "HEAD" */
  const char *url;            /* whole; http:// or https:// */
  const char *const *headers; /* NULL-terminated "Name: value", or NULL */
  const char *cookie;         /* "a=b; c=d" or NULL */
  const char *body;           /* of a POST; lent */
  gsize body_len;
  gboolean secret; /* leave no copy of the body in memory */
  gboolean stored; /* the content as it is stored: no compression */
  gboolean once;   /* must not be sent twice; once its body began to leave,
                    * @cancellable is not looked at any more */
  int answer_ms;   /* instead of the deadline for all; 0: that */
  /* Takes the decoded content as it comes; FALSE ends the exchange with
   * @error. Called with the HTTP status of the answer. */
  gboolean (*on_data) (int status, const char *data, gsize len, gpointer user,
                       GError **error);
  gpointer user;
} SoapHttpRequest;

typedef struct {
  int status;
  char *set_cookie;    /* "a=b" of each Set-Cookie, joined by "; "; or NULL */
  char *content_range; /* NULL if none; so too ... */
  char *content_type;
  gboolean encoded;      /* the content is compressed or the like */
  gint64 content_length; /* -1 unknown */
  gint64 last_modified;  /* seconds since 1970, -1 unknown */
  gint64 date_us;        /* the host's clock, 0 unknown; and ... */
  gint64 date_at;        /* ... g_get_monotonic_time() when it said so */
  gint64 waited_us;      /* from the request to the answer's first byte */
} SoapHttpAnswer;

void soap_http_answer_clear (SoapHttpAnswer *answer);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (SoapHttpAnswer, soap_http_answer_clear)

typedef struct SoapHttp SoapHttp;

/* @trust and @deadlines are lent for the life of the handle. */
SoapHttp *soap_http_new (const SoapTrust *trust, const SoapDeadlines *deadlines,
                         GError **error);
void soap_http_free (SoapHttp *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (SoapHttp, soap_http_free)

/**
 * soap_http_perform:
 * @ret_answer: (out): also filled, as far as it came, on failure; what its
 *   headers say is there when on_data is called
 * @error: any transport code of SoapErrorCode, with its "sent" set
 *
 * Any complete answer is success, whatever its status. Blocks.
 */
gboolean soap_http_perform (SoapHttp *self, const SoapHttpRequest *request,
                            SoapHttpAnswer *ret_answer,
                            GCancellable *cancellable, GError **error);

/* The same in two halves, so that the host works while we do something else.
 * soap_http_begin() sends what can be sent at once and soap_http_push() what
 * can be sent by then; neither blocks nor hands out anything.
 * soap_http_finish() does the rest, and must be called: to give the exchange
 * up, with a @cancellable that is cancelled. @request, which has a body, and
 * @ret_answer are lent until then; deadlines count anew from there on. */
void soap_http_begin (SoapHttp *self, const SoapHttpRequest *request,
                      SoapHttpAnswer *ret_answer);
void soap_http_push (SoapHttp *self);
gboolean soap_http_finish (SoapHttp *self, GCancellable *cancellable,
                           GError **error);

G_END_DECLS
