/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "trouble.h"

#include "kept.h"
#include "name.h"
#include "vix-ext.h"

struct FsTroubles {
  FsTree *tree; /* const */
  FsKept *told; /* the VixError as a pointer; NULL is VIX_OK */
};

static gpointer
keep_code (gpointer code)
{
  return code;
}

static void
drop_code (gpointer code)
{
}

FsTroubles *
fs_troubles_new (FsTree *tree)
{
  FsTroubles *self = g_new0 (FsTroubles, 1);

  self->tree = tree;
  self->told = fs_kept_new (FS_TROUBLES_KEPT, keep_code, drop_code);
  return self;
}

void
fs_troubles_free (FsTroubles *self)
{
  if (self == NULL)
    return;
  fs_kept_free (self->told);
  g_free (self);
}

/* Whether @error is another than what was told of @what last. */
static gboolean
is_new (FsTroubles *self, const FsNode *node, const char *what, VixError error)
{
  gpointer code = GSIZE_TO_POINTER ((gsize)VIX_ERROR_CODE (error));
  g_autofree char *key = g_strdup_printf (
    "%u %" G_GINT64_FORMAT " %s", node->id.slot,
    node->snapshot != NULL ? (gint64)node->snapshot->id : 0, what);

  if (fs_kept_get (self->told, key) == code)
    return FALSE;
  fs_kept_put (self->told, key, code, 1);
  return TRUE;
}

void
fs_trouble_set_error (FsTree *tree, guint32 slot, VixError error,
                      const char *message)
{
  g_autofree char *text = NULL;

  if (VIX_FAILED (error))
    text = g_strdup_printf ("%s (%d): %s", VixExt_GetErrorName (error),
                            (int)VIX_ERROR_CODE (error), message);
  fs_tree_set_error (tree, slot, text);
}

void
fs_troubles_tell (FsTroubles *self, const FsNode *node, const char *what,
                  VixError error, const char *message)
{
  g_autofree char *where = NULL;
  g_autofree char *text = NULL;

  if (VIX_ERROR_CODE (error) == VIX_E_CANCELLED)
    return;
  if (message == NULL || *message == '\0')
    message = Vix_GetErrorText (error, NULL);
  if (VIX_FAILED (error))
    fs_trouble_set_error (self->tree, node->id.slot, error, message);
  if (!is_new (self, node, what, error) || VIX_SUCCEEDED (error))
    return;
  text = fs_text_escape (message);
  if (node->snapshot != NULL)
    where = g_strdup_printf ("snapshot %" G_GINT64_FORMAT ": ",
                             (gint64)node->snapshot->id);
  g_warning ("%s: %s%s cannot be read: %s: %s", node->vm->displayName,
             where != NULL ? where : "", what, VixExt_GetErrorName (error),
             text);
}
