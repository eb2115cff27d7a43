/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "xattr.h"

#include <errno.h>
#include <string.h>

#include "facts.h"
#include "name.h"

#define PREFIX "user.vix."

static gboolean
keeps_error (const FsNode *node)
{
  return node->id.kind == FS_KIND_SNAPSHOTS || node->id.kind == FS_KIND_VM;
}

/* The attributes that are no facts. */
static char *
get_kept (FsMount *mount, const FsNode *node, const char *name)
{
  if (strcmp (name, "error") == 0 && keeps_error (node))
    return fs_tree_get_error (mount->tree, node->id.slot);
  if (strcmp (name, "description") == 0 && node->id.kind == FS_KIND_SNAPSHOTS)
    return fs_tree_get_description (mount->tree, node->id.slot);
  return NULL;
}

int
fs_xattr_get (FsMount *mount, const FsNode *node, const char *name,
              char **ret_value)
{
  const char *rest = name + strlen (PREFIX);
  char *value;

  if (!g_str_has_prefix (name, PREFIX))
    return ENODATA;
  value = get_kept (mount, node, rest);
  if (value == NULL && fs_kind (node->id.kind)->has_facts)
    value = fs_facts_get (mount, node, rest);
  if (value == NULL)
    return ENODATA;
  *ret_value = value;
  return 0;
}

void
fs_xattr_list (FsMount *mount, const FsNode *node, GString *out)
{
  static const char *const kept[] = { "description", "error" };
  gsize i;

  if (fs_kind (node->id.kind)->has_facts)
    fs_facts_list (mount, node, out);
  for (i = 0; i < G_N_ELEMENTS (kept); i++) {
    g_autofree char *value = get_kept (mount, node, kept[i]);

    if (value != NULL)
      g_string_append_printf (out, PREFIX "%s%c", kept[i], '\0');
  }
}

/* Why @name of @node cannot be changed. */
static int
refusal (FsMount *mount, const FsNode *node, const char *name)
{
  g_autofree char *value = NULL;

  if (!g_str_has_prefix (name, PREFIX))
    return EOPNOTSUPP;
  return fs_xattr_get (mount, node, name, &value) == 0 ? EPERM : EOPNOTSUPP;
}

void
fs_xattr_set (FsMount *mount, const FsNode *node, const char *name,
              const char *value, gsize len, int flags, FsRequest *rq)
{
  const FsKind *kind = fs_kind (node->id.kind);
  g_autoptr (FsRequest) mine = rq;
  g_autofree char *text = g_strndup (value, len);

  if (kind->describe == NULL || strcmp (name, PREFIX "description") != 0)
    fs_request_reply (mine, refusal (mount, node, name));
  else if (len > FS_DESCRIPTION_MAX)
    fs_request_reply (mine, E2BIG);
  else if (fs_text_check (value, len) != 0)
    fs_request_reply (mine, EILSEQ);
  else
    kind->describe (mount, node, text, flags, g_steal_pointer (&mine));
}

void
fs_xattr_remove (FsMount *mount, const FsNode *node, const char *name,
                 FsRequest *rq)
{
  const FsKind *kind = fs_kind (node->id.kind);
  g_autoptr (FsRequest) mine = rq;

  if (kind->describe != NULL && strcmp (name, PREFIX "description") == 0) {
    kind->describe (mount, node, NULL, 0, g_steal_pointer (&mine));
  } else if (keeps_error (node) && strcmp (name, PREFIX "error") == 0) {
    g_autofree char *old = fs_tree_get_error (mount->tree, node->id.slot);

    fs_tree_set_error (mount->tree, node->id.slot, NULL);
    fs_request_reply (mine, old != NULL ? 0 : ENODATA);
  } else {
    fs_request_reply (mine, refusal (mount, node, name));
  }
}
