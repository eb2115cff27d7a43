/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vsphere/address.h"

#include <string.h>

#include "base/error.h"

static gboolean
malformed (const char *text, const char *why, GError **error)
{
  g_set_error (error, VIX_ERROR, VIX_E_INVALID_HOSTNAME_SPECIFICATION,
               "\"%s\": %s; a host is named as https://HOST[:PORT]/sdk, HOST "
               "or HOST:PORT",
               text, why);
  return FALSE;
}

/* "/sdk" and what VMware's own programs put there. */
static gboolean
is_known_path (const char *path)
{
  static const char *const known[]
    = { "", "/", "/sdk", "/sdk/", "/sdk/vimService", "/sdk/vimService/" };

  for (gsize i = 0; i < G_N_ELEMENTS (known); i++)
    if (g_ascii_strcasecmp (path, known[i]) == 0)
      return TRUE;
  return FALSE;
}

static gboolean
is_host_name (const char *host)
{
  const char *p = host;

  if (*host == '[') {
    for (p++; g_ascii_isxdigit (*p) || *p == ':' || *p == '.'; p++)
      ;
    return *p == ']' && p[1] == '\0' && p > host + 2;
  }
  /* Names of other scripts are left to the resolver. */
  for (; *p != '\0'; p++)
    if (!g_ascii_isalnum (*p) && strchr ("-._", *p) == NULL
        && (guint8)*p < 0x80)
      return FALSE;
  return p > host;
}

/* Cuts ":PORT" off @host; FALSE if it is no port. */
static gboolean
split_port (char *host, guint64 *ret_port)
{
  char *end = *host == '[' ? strchr (host, ']') : host;
  char *colon = end == NULL ? NULL : strchr (end, ':');

  if (colon == NULL)
    return TRUE;
  *colon = '\0';
  return g_ascii_string_to_unsigned (colon + 1, 10, 1, 65535, ret_port, NULL);
}

gboolean
vsphere_address_parse (const char *text, VsphereAddress *ret, GError **error)
{
  gboolean plain = g_ascii_strncasecmp (text, "http://", 7) == 0;
  gboolean secure = g_ascii_strncasecmp (text, "https://", 8) == 0;
  const char *start = text + (plain ? 7 : secure ? 8 : 0);
  gsize len = strcspn (start, "/?#");
  g_autofree char *host = g_strndup (start, len);
  g_autofree char *user = NULL;
  guint64 port = plain ? 80 : 443;
  gboolean usual;
  char *at = strrchr (host, '@');

  if (!plain && !secure && strstr (text, "://") != NULL)
    return malformed (text, "only https:// and http:// are known", error);
  if (!is_known_path (start + len))
    return malformed (text, "the path is not /sdk", error);
  if (at != NULL) {
    *at = '\0';
    user = g_uri_unescape_string (host, NULL);
    memmove (host, at + 1, strlen (at + 1) + 1);
    if (user == NULL || *user == '\0' || strchr (user, ':') != NULL)
      return malformed (text,
                        "before the @ stands a user's name and nothing else "
                        "(passwords come from a file, the environment or a "
                        "prompt)",
                        error);
  }
  if (!split_port (host, &port))
    return malformed (text, "the port is no number from 1 to 65535", error);
  if (!is_host_name (host))
    return malformed (text, "there is no host's name in it", error);
  usual = port == (plain ? 80 : 443);
  ret->base_url = g_strdup_printf ("%s://%s:%u", plain ? "http" : "https", host,
                                   (guint)port);
  ret->host
    = usual ? g_strdup (host) : g_strdup_printf ("%s:%u", host, (guint)port);
  ret->user = g_steal_pointer (&user);
  return TRUE;
}

void
vsphere_address_clear (VsphereAddress *self)
{
  g_clear_pointer (&self->base_url, g_free);
  g_clear_pointer (&self->host, g_free);
  g_clear_pointer (&self->user, g_free);
}
