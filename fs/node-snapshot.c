/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* snapshots/NAME/: one snapshot. */
#include <errno.h>
#include <string.h>
#include <sys/xattr.h>

#include "entries.h"
#include "errno-map.h"
#include "name.h"

/* ---- description ---- */

int
fs_description_print (FsMount *mount, const FsNode *node, GString *out)
{
  const char *text = node->snapshot->description;

  if (*text != '\0')
    g_string_append_printf (out, "%s\n", text);
  return 0;
}

static VixHandle
start_describe (FsChange *self, VixHandle vm, VixHandle snapshot,
                VixEventProc *callback, void *data)
{
  return VixExt_DescribeSnapshot (snapshot, self->description, callback, data);
}

static const FsChangeOps describe_ops = {
  .name = "describe",
  .start = start_describe,
  .succeed = fs_change_reply_done,
};

/* @text: (transfer full) */
static FsChange *
describe_new (FsMount *mount, const FsNode *node, char *text, FsRequest *rq)
{
  FsChange *change = fs_change_new (mount, &describe_ops, node, rq);

  change->shown
    = fs_tree_snapshot_name (mount->tree, node->id.slot, node->snapshot->id);
  change->description = text;
  return change;
}

void
fs_description_store (FsMount *mount, const FsNode *node, const char *text,
                      gsize len, FsRequest *rq)
{
  g_autoptr (FsRequest) mine = rq;
  g_autofree char *copy = g_strdup (text);
  FsChange *change;

  if (fs_text_check (copy, strlen (copy)) != 0) {
    fs_request_reply (mine, EILSEQ);
    return;
  }
  if (g_str_has_suffix (copy, "\n"))
    copy[strlen (copy) - 1] = '\0';
  change = describe_new (mount, node, g_steal_pointer (&copy),
                         g_steal_pointer (&mine));
  change->written = len;
  fs_change_start (change);
}

void
fs_snapshot_describe (FsMount *mount, const FsNode *node, const char *text,
                      int flags, FsRequest *rq)
{
  g_autoptr (FsRequest) mine = rq;
  gboolean is_set = *node->snapshot->description != '\0';
  FsChange *change;

  if (is_set && (flags & XATTR_CREATE)) {
    fs_request_reply (mine, EEXIST);
    return;
  }
  if (!is_set && (text == NULL || (flags & XATTR_REPLACE))) {
    fs_request_reply (mine, ENODATA);
    return;
  }
  change = describe_new (mount, node, g_strdup (text != NULL ? text : ""),
                         g_steal_pointer (&mine));
  fs_change_start (change);
}

/* ---- parent ---- */

gboolean
fs_parent_is_present (FsMount *mount, const FsNode *dir)
{
  return fs_tree_snapshot_slot (mount->tree, dir->id.slot,
                                dir->snapshot->parent)
         != 0;
}

int
fs_parent_print (FsMount *mount, const FsNode *node, GString *out)
{
  g_autofree char *shown = fs_tree_snapshot_name (mount->tree, node->id.slot,
                                                  node->snapshot->parent);

  if (shown == NULL)
    return ESTALE;
  g_string_append_printf (
    out, fs_kind_is_latest (node->id.kind) ? "../snapshots/%s" : "../%s",
    shown);
  return 0;
}

/* ---- config.vmx ---- */

int
fs_config_print (FsMount *mount, const FsNode *node, GString *out)
{
  char *text = NULL;
  char *message = NULL;
  gsize len = 0;
  VixError error = VixExt_GetConfig (
    fs_host_handle (fs_mount_host (mount, node)), node->vm->id,
    node->snapshot->id, &text, &len, &message);

  if (VIX_SUCCEEDED (error))
    g_string_append_len (out, text, (gssize)len);
  Vix_FreeBuffer (text);
  Vix_FreeBuffer (message);
  return fs_errno_from_vix (error);
}

static int
measure_config (FsMount *mount, const FsNode *node, size_t *ret_size)
{
  return fs_errno_from_vix (
    VixExt_GetConfig (fs_host_handle (fs_mount_host (mount, node)),
                      node->vm->id, node->snapshot->id, NULL, ret_size, NULL));
}

int
fs_config_measure (FsMount *mount, const FsNode *node, struct stat *attr)
{
  size_t size = 0;
  int number = measure_config (mount, node, &size);

  attr->st_size = (off_t)size;
  attr->st_blocks = (blkcnt_t)(size + 511) / 512;
  return number;
}

/* Hosts of the network have one of each snapshot, and are not asked for that.
 */
gboolean
fs_config_is_present (FsMount *mount, const FsNode *dir)
{
  size_t size;

  return !fs_host_source (fs_mount_host (mount, dir))->is_local
         || measure_config (mount, dir, &size) == 0;
}
