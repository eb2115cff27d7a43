/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vsphere/name.h"

#include <string.h>

static const struct {
  char plain;
  const char *wire;
} escapes[] = { { '%', "%25" }, { '/', "%2f" }, { '\\', "%5c" } };

char *
vsphere_name_encode (const char *name)
{
  GString *out = g_string_new (NULL);

  for (; *name != '\0'; name++) {
    const char *wire = NULL;

    for (gsize i = 0; i < G_N_ELEMENTS (escapes); i++)
      if (escapes[i].plain == *name)
        wire = escapes[i].wire;
    if (wire != NULL)
      g_string_append (out, wire);
    else
      g_string_append_c (out, *name);
  }
  return g_string_free (out, FALSE);
}

char *
vsphere_name_decode (const char *wire)
{
  GString *out = g_string_new (NULL);

  while (*wire != '\0') {
    char plain = '\0';

    for (gsize i = 0; i < G_N_ELEMENTS (escapes); i++)
      if (g_ascii_strncasecmp (wire, escapes[i].wire, 3) == 0)
        plain = escapes[i].plain;
    g_string_append_c (out, plain != '\0' ? plain : *wire);
    wire += plain != '\0' ? 3 : 1;
  }
  return g_string_free (out, FALSE);
}
