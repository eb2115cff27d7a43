/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tiny-server.h - an HTTP server on a loopback port whose every answer is the
 * test's, byte by byte, with or without TLS. Takes any number of connections.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct {
  const char *bytes; /* sent as they are; NULL: nothing */
  gsize len;         /* 0: strlen */
  int delay_ms;      /* before the bytes */
  int pause_ms;      /* between pieces */
  gsize piece;       /* 0: all at once */
  gboolean close;    /* afterwards; else the connection is kept */
  gboolean hang;     /* afterwards say nothing more, keep the connection */
} TinyAnswer;

/* The answer to request @n (from 0, over all connections) whose head and body
 * are in @request. Any thread. */
typedef void (*TinyFunc) (guint n, const char *request, TinyAnswer *answer,
                          gpointer data);

typedef struct TinyServer TinyServer;

TinyServer *tiny_server_new (gboolean tls, TinyFunc func, gpointer data);
void tiny_server_free (TinyServer *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (TinyServer, tiny_server_free)

/* "https://127.0.0.1:PORT" */
const char *tiny_server_get_url (TinyServer *self);
/* Whole requests seen, connections taken, bytes of requests decrypted. */
guint tiny_server_get_requests (TinyServer *self);
guint tiny_server_get_connections (TinyServer *self);
gsize tiny_server_get_bytes (TinyServer *self);
/* "AA:BB:..." of its certificate, which is for "localhost.localdomain". */
const char *tiny_server_get_sha1 (TinyServer *self);
const char *tiny_server_get_sha256 (TinyServer *self);
/* The certificate as PEM, to be trusted as an authority. */
const char *tiny_server_get_pem (TinyServer *self);

G_END_DECLS
