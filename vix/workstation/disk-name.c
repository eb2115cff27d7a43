/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "workstation/disk-name.h"

#include <string.h>

#define DIGITS 6
#define MAX_NUMBER 999999

struct WsDiskNames {
  GHashTable *taken; /* "dev-000001" */
};

/* Does @s begin with -NNNNNN? */
static gboolean
is_number (const char *s)
{
  return *s == '-' && strspn (s + 1, "0123456789") >= DIGITS;
}

char *
ws_disk_lineage (const char *file_name)
{
  const char *slash = strrchr (file_name, '/');
  const char *backslash = strrchr (file_name, '\\');
  const char *base = MAX (slash, backslash);
  char *stem = g_strdup (base == NULL ? file_name : base + 1);
  gsize len = strlen (stem);

  if (len > 5 && g_ascii_strcasecmp (stem + len - 5, ".vmdk") == 0)
    stem[len -= 5] = '\0';
  if (len > DIGITS + 1 && is_number (stem + len - DIGITS - 1))
    stem[len - DIGITS - 1] = '\0';
  return stem;
}

WsDiskNames *
ws_disk_names_new (const GPtrArray *names)
{
  WsDiskNames *self = g_new0 (WsDiskNames, 1);

  self->taken = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  for (guint i = 0; i < names->len; i++) {
    const char *name = names->pdata[i];

    /* every place a number may end: "a-000001-000002-s001.vmdk" */
    for (const char *p = strchr (name, '-'); p != NULL; p = strchr (p + 1, '-'))
      if (is_number (p))
        g_hash_table_add (self->taken,
                          g_strndup (name, (gsize)(p - name) + DIGITS + 1));
  }
  return self;
}

void
ws_disk_names_free (WsDiskNames *self)
{
  if (self == NULL)
    return;
  g_hash_table_unref (self->taken);
  g_free (self);
}

char *
ws_disk_names_take_child (WsDiskNames *self, const char *file_name)
{
  g_autofree char *stem = ws_disk_lineage (file_name);

  for (guint n = 1; n <= MAX_NUMBER; n++) {
    g_autofree char *name = g_strdup_printf ("%s-%06u", stem, n);

    if (g_hash_table_contains (self->taken, name))
      continue;
    g_hash_table_add (self->taken, g_strdup (name));
    return g_strconcat (name, ".vmdk", NULL);
  }
  return NULL;
}
