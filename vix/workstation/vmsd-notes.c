/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vmsd-notes.c - notes of our own in a .vmsd. VMware does not know them and
 * numbers its blocks anew: they go by uid, which is never used again.
 */
#include "workstation/vmsd-private.h"

static char *
name_note (gint64 uid, const char *node)
{
  return g_strdup_printf ("vixfs.%" G_GINT64_FORMAT ".%s.changed", uid, node);
}

gint64
ws_vmsd_get_changed (const WsVmsd *self, gint64 uid, const char *node)
{
  g_autofree char *name = name_note (uid, node);
  const char *text = kv_file_get (self->kv, name);
  gint64 changed_us = 0;

  if (text != NULL)
    g_ascii_string_to_signed (text, 10, 1, G_MAXINT64, &changed_us, NULL);
  return changed_us;
}

gboolean
ws_vmsd_set_changed (WsVmsd *self, gint64 uid, const char *node,
                     gint64 changed_us, GError **error)
{
  g_autofree char *name = name_note (uid, node);
  g_autofree char *text = g_strdup_printf ("%" G_GINT64_FORMAT, changed_us);

  return ws_vmsd_check_writable (self, error)
         && kv_file_set (self->kv, name, text, error);
}

typedef struct {
  const char *prefix;
  GPtrArray *names;
} Search;

static gboolean
collect (const char *name, const char *value, gpointer data)
{
  Search *search = data;

  if (g_str_has_prefix (name, search->prefix))
    g_ptr_array_add (search->names, g_strdup (name));
  return TRUE;
}

void
ws_vmsd_drop_notes (KvFile *kv, gint64 uid)
{
  g_autoptr (GPtrArray) names = g_ptr_array_new_with_free_func (g_free);
  g_autofree char *prefix
    = g_strdup_printf ("vixfs.%" G_GINT64_FORMAT ".", uid);
  Search search = { prefix, names };

  kv_file_foreach (kv, collect, &search);
  for (guint i = 0; i < names->len; i++)
    kv_file_unset (kv, names->pdata[i]);
}
