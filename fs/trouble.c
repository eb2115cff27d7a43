/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "trouble.h"

#include "errno-map.h"
#include "json.h"
#include "kept.h"
#include "name.h"
#include "vix-ext.h"

struct FsTroubles {
  FsTree *tree;     /* const */
  FsEvents *events; /* const */
  FsKept *told;     /* the VixError as a pointer; NULL is VIX_OK */
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
fs_troubles_new (FsTree *tree, FsEvents *events)
{
  FsTroubles *self = g_new0 (FsTroubles, 1);

  self->tree = tree;
  self->events = events;
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

/* An event about the disk or file @what; @text: the line for people. */
static void
add_event (FsTroubles *self, const char *vm_path, const char *snapshot,
           const char *what, VixError error, const char *message,
           const char *text)
{
  GString *line = g_string_new (NULL);
  FsJson json;

  fs_json_init (&json, line, FALSE);
  fs_json_begin (&json, NULL, '{');
  fs_json_time (&json, "time", g_get_real_time ());
  fs_json_string (&json, "event", "unreadable");
  fs_json_string (&json, "vm", vm_path);
  fs_json_string (&json, "snapshot", snapshot);
  fs_json_string (&json, "name", what);
  fs_json_string (&json, "errno", fs_errno_name (fs_errno_from_vix (error)));
  fs_json_string (&json, "error", VixExt_GetErrorName (error));
  fs_json_string (&json, "message", message);
  fs_json_end (&json, '}');
  fs_events_add (self->events, g_string_free (line, FALSE), text);
}

/* Where people look: the log of the system, .vixfs/log and .vixfs/events. */
static void
tell_all (FsTroubles *self, const FsNode *node, const char *what,
          VixError error, const char *message)
{
  g_autofree char *vm_path = fs_tree_path (self->tree, node->id.slot);
  g_autofree char *snapshot
    = node->snapshot != NULL
        ? fs_tree_snapshot_name (self->tree, node->id.slot, node->snapshot->id)
        : NULL;
  g_autofree char *quoted = fs_text_escape (snapshot);
  g_autofree char *reason = fs_text_escape (message);
  g_autofree char *text = NULL;

  if (vm_path == NULL)
    return; /* it is gone */
  text = g_strdup_printf (
    "%s: %s%s%s%s cannot be read: %s: %s", vm_path,
    snapshot != NULL ? "snapshot \"" : "", snapshot != NULL ? quoted : "",
    snapshot != NULL ? "\": " : "", what, VixExt_GetErrorName (error), reason);
  g_warning ("%s", text);
  add_event (self, vm_path, snapshot, what, error, message, text);
}

void
fs_troubles_tell (FsTroubles *self, const FsNode *node, const char *what,
                  VixError error, const char *message)
{
  if (VIX_ERROR_CODE (error) == VIX_E_CANCELLED)
    return;
  if (message == NULL || *message == '\0')
    message = Vix_GetErrorText (error, NULL);
  if (VIX_FAILED (error))
    fs_trouble_set_error (self->tree, node->id.slot, error, message);
  if (is_new (self, node, what, error) && VIX_FAILED (error))
    tell_all (self, node, what, error, message);
}
