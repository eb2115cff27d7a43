/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tls.h - whom we trust with a password.
 *
 * Checked within the TLS handshake, before a byte of the request leaves: by
 * the certificate authorities of the system or of a file, or by the
 * fingerprint of the host's certificate, as VMware prints it.
 */
#pragma once

#include <curl/curl.h>
#include <glib.h>

G_BEGIN_DECLS

/* Const once made; shared by all connections of a host. */
typedef struct SoapTrust SoapTrust;

/**
 * soap_trust_new:
 * @ca_file: (nullable): PEM file of authorities, instead of the system's
 * @thumbprint: (nullable): SHA-256 or SHA-1 of the host's certificate in
 *   hexadecimal, colons or blanks allowed; then nothing else is asked for:
 *   neither authorities, nor names, nor dates
 * @insecure: take any certificate; ignored with @thumbprint
 * @error: %SOAP_ERROR_ARGUMENT if @thumbprint is none
 */
SoapTrust *soap_trust_new (const char *ca_file, const char *thumbprint,
                           gboolean insecure, GError **error);
void soap_trust_free (SoapTrust *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (SoapTrust, soap_trust_free)

/* What the host presented last, on one connection. */
typedef struct {
  const SoapTrust *trust;
  char sha1[60];     /* "AA:BB:...", "" if it presented nothing */
  char sha256[100];  /* likewise */
  gboolean mismatch; /* it is not the pinned one */
  long verify_error; /* of OpenSSL, 0: none */
} SoapTlsPeer;

/* Sets up @curl; @peer must live as long as @curl. */
gboolean soap_tls_apply (SoapTlsPeer *peer, CURL *curl, GError **error);

/* Why the handshake failed and what can be done, for people. */
char *soap_tls_explain (const SoapTlsPeer *peer, const char *host,
                        const char *curl_says);

G_END_DECLS
