/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vsphere/soap/tls.h"

#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <string.h>

#include "vsphere/soap/fault.h"

struct SoapTrust {
  char *ca_file;
  char *pin; /* hexadecimal digits in lower case */
  gboolean insecure;
};

/* ---- trust ---- */

/* The digits of @text, or NULL if it holds anything but pairs of them,
 * colons and blanks, or is not as long as a digest. */
static char *
parse_thumbprint (const char *text)
{
  static const char *const prefixes[]
    = { "sha256:", "sha256=", "sha-256:", "sha1:", "sha1=", "sha-1:" };
  GString *digits = g_string_new (NULL);
  gsize i;
  gboolean good = TRUE;

  while (*text == ' ')
    text++;
  for (i = 0; i < G_N_ELEMENTS (prefixes); i++)
    if (g_ascii_strncasecmp (text, prefixes[i], strlen (prefixes[i])) == 0) {
      text += strlen (prefixes[i]);
      break;
    }
  for (; *text != '\0' && good; text++)
    if (g_ascii_isxdigit (*text))
      g_string_append_c (digits, g_ascii_tolower (*text));
    else
      good = strchr (": \n", *text) != NULL;
  good = good && (digits->len == 40 || digits->len == 64);
  return g_string_free (digits, !good);
}

SoapTrust *
soap_trust_new (const char *ca_file, const char *thumbprint, gboolean insecure,
                GError **error)
{
  g_autoptr (SoapTrust) self = g_new0 (SoapTrust, 1);

  if (thumbprint != NULL && *thumbprint != '\0') {
    self->pin = parse_thumbprint (thumbprint);
    if (self->pin == NULL) {
      g_set_error (error, SOAP_ERROR, SOAP_ERROR_ARGUMENT,
                   "\"%s\" is no thumbprint: give the SHA-256 (64 hexadecimal "
                   "digits) or SHA-1 (40) of the host's certificate",
                   thumbprint);
      return NULL;
    }
  }
  self->ca_file
    = ca_file != NULL && *ca_file != '\0' ? g_strdup (ca_file) : NULL;
  self->insecure = insecure && self->pin == NULL;
  return g_steal_pointer (&self);
}

void
soap_trust_free (SoapTrust *self)
{
  if (self == NULL)
    return;
  g_free (self->ca_file);
  g_free (self->pin);
  g_free (self);
}

/* ---- the handshake ---- */

/* @out: "AA:BB:..." of the DER certificate. */
static void
print_digest (X509 *cert, const EVP_MD *algorithm, char *out, gsize size)
{
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int n = 0, i;

  *out = '\0';
  if (cert == NULL || !X509_digest (cert, algorithm, digest, &n)
      || n * 3 > size)
    return;
  for (i = 0; i < n; i++)
    g_snprintf (out + i * 3, size - i * 3, i + 1 < n ? "%02X:" : "%02X",
                digest[i]);
}

static gboolean
matches_pin (const char *pin, const char *printed)
{
  for (; *printed != '\0'; printed++)
    if (*printed != ':' && *pin++ != g_ascii_tolower (*printed))
      return FALSE;
  return *pin == '\0';
}

/* Runs instead of OpenSSL's own check of the chain, within the handshake. */
static int
verify_certificate (X509_STORE_CTX *store, void *data)
{
  SoapTlsPeer *peer = data;
  X509 *cert = X509_STORE_CTX_get0_cert (store);
  const char *pin = peer->trust->pin;
  int ok;

  print_digest (cert, EVP_sha1 (), peer->sha1, sizeof peer->sha1);
  print_digest (cert, EVP_sha256 (), peer->sha256, sizeof peer->sha256);
  if (pin != NULL) {
    ok = *peer->sha1 != '\0'
         && matches_pin (pin, strlen (pin) == 64 ? peer->sha256 : peer->sha1);
    peer->mismatch = !ok;
    X509_STORE_CTX_set_error (store, ok ? X509_V_OK : X509_V_ERR_CERT_REJECTED);
    return ok;
  }
  if (peer->trust->insecure) {
    X509_STORE_CTX_set_error (store, X509_V_OK);
    return 1;
  }
  ok = X509_verify_cert (store) == 1;
  peer->verify_error = ok ? 0 : X509_STORE_CTX_get_error (store);
  return ok;
}

static CURLcode
set_up_context (CURL *curl, void *context, void *data)
{
  SSL_CTX_set_cert_verify_callback (context, verify_certificate, data);
  return CURLE_OK;
}

gboolean
soap_tls_apply (SoapTlsPeer *peer, CURL *curl, GError **error)
{
  const SoapTrust *trust = peer->trust;
  gboolean by_authority = trust->pin == NULL && !trust->insecure;

  /* Also for a pin: a handshake whose check failed must not go on. */
  curl_easy_setopt (curl, CURLOPT_SSL_VERIFYPEER, trust->insecure ? 0L : 1L);
  curl_easy_setopt (curl, CURLOPT_SSL_VERIFYHOST, by_authority ? 2L : 0L);
  if (!by_authority || trust->ca_file != NULL) {
    curl_easy_setopt (curl, CURLOPT_CAPATH, NULL);
    curl_easy_setopt (curl, CURLOPT_CAINFO,
                      by_authority ? trust->ca_file : NULL);
  }
  if (curl_easy_setopt (curl, CURLOPT_SSL_CTX_FUNCTION, set_up_context)
        != CURLE_OK
      || curl_easy_setopt (curl, CURLOPT_SSL_CTX_DATA, peer) != CURLE_OK) {
    g_set_error_literal (error, SOAP_ERROR, SOAP_ERROR_TLS,
                         "this libcurl was built without OpenSSL: "
                         "certificates cannot be checked");
    return FALSE;
  }
  return TRUE;
}

char *
soap_tls_explain (const SoapTlsPeer *peer, const char *host,
                  const char *curl_says)
{
  if (*peer->sha256 == '\0')
    return g_strdup_printf ("%s: %s", host, curl_says);
  if (peer->mismatch)
    return g_strdup_printf (
      "%s does not have the certificate with the given thumbprint. Its "
      "certificate's is SHA-256 %s, SHA-1 %s. If the host got a new "
      "certificate, use thumbprint=%s",
      host, peer->sha256, peer->sha1, peer->sha256);
  return g_strdup_printf (
    "the certificate of %s is not trusted: %s. If SHA-256 %s (SHA-1 %s) is "
    "the thumbprint of the host's certificate, accept it with thumbprint=%s, "
    "or name its authority's file with cacert=",
    host,
    peer->verify_error != 0 ? X509_verify_cert_error_string (peer->verify_error)
                            : curl_says,
    peer->sha256, peer->sha1, peer->sha256);
}
