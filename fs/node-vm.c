/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <string.h>

#include "entries.h"
#include "errno-map.h"
#include "facts.h"
#include "name.h"
#include "refuse.h"

/* ---- info.json, of VMs and of snapshots ---- */

int
fs_info_print (FsMount *mount, const FsNode *node, GString *out)
{
  fs_facts_print (mount, node, out);
  return 0;
}

/* ---- latest ---- */

gboolean
fs_latest_is_present (FsMount *mount, const FsNode *dir)
{
  return dir->newest != 0;
}

/* ---- power ---- */

int
fs_power_print (FsMount *mount, const FsNode *node, GString *out)
{
  g_string_append_printf (out, "%s\n", fs_power_text (node->vm->powerState));
  return 0;
}

static VixHandle
start_on (FsChange *self, VixHandle vm, VixHandle snapshot,
          VixEventProc *callback, void *data)
{
  return VixVM_PowerOn (vm, VIX_VMPOWEROP_NORMAL, VIX_INVALID_HANDLE, callback,
                        data);
}

static VixHandle
start_off (FsChange *self, VixHandle vm, VixHandle snapshot,
           VixEventProc *callback, void *data)
{
  return VixVM_PowerOff (vm, VIX_VMPOWEROP_NORMAL, callback, data);
}

static VixHandle
start_shutdown (FsChange *self, VixHandle vm, VixHandle snapshot,
                VixEventProc *callback, void *data)
{
  return VixVM_PowerOff (vm, VIX_VMPOWEROP_FROM_GUEST, callback, data);
}

static VixHandle
start_suspend (FsChange *self, VixHandle vm, VixHandle snapshot,
               VixEventProc *callback, void *data)
{
  return VixVM_Suspend (vm, VIX_VMPOWEROP_NORMAL, callback, data);
}

static VixHandle
start_reset (FsChange *self, VixHandle vm, VixHandle snapshot,
             VixEventProc *callback, void *data)
{
  return VixVM_Reset (vm, VIX_VMPOWEROP_NORMAL, callback, data);
}

#define POWER_OP(word)                                                         \
  {                                                                            \
    .name = #word, .start = start_##word, .succeed = fs_change_reply_done,     \
    .errno_of = fs_errno_from_power                                            \
  }

/* Their names are the words that are written. */
static const FsChangeOps power_ops[] = {
  POWER_OP (on),    POWER_OP (off),      POWER_OP (suspend),
  POWER_OP (reset), POWER_OP (shutdown),
};

void
fs_power_store (FsMount *mount, const FsNode *node, const char *text, gsize len,
                FsRequest *rq)
{
  gsize word = strcspn (text, "\n");
  g_autofree char *other = NULL;
  g_autofree char *shown = NULL;
  FsChange *change;
  gsize i;

  for (i = 0; i < G_N_ELEMENTS (power_ops); i++) {
    if (strlen (power_ops[i].name) != word
        || strncmp (power_ops[i].name, text, word) != 0)
      continue;
    change = fs_change_new (mount, &power_ops[i], node, rq);
    change->written = len;
    fs_change_start (change);
    return;
  }
  other = g_strndup (text, MIN (word, 32));
  shown = fs_text_escape (other);
  fs_refuse (mount, node, rq, VIX_E_INVALID_ARG,
             "\"%s\" is none of on, off, suspend, reset, shutdown", shown);
  fs_request_free (rq);
}

/* ---- current ---- */

int
fs_current_print (FsMount *mount, const FsNode *node, GString *out)
{
  g_autofree char *shown = fs_tree_snapshot_name (mount->tree, node->id.slot,
                                                  node->vm->currentSnapshot);

  g_string_append_printf (out, "%s\n", shown != NULL ? shown : "");
  return 0;
}

static VixHandle
start_revert (FsChange *self, VixHandle vm, VixHandle snapshot,
              VixEventProc *callback, void *data)
{
  return VixVM_RevertToSnapshot (vm, snapshot, VIX_VMPOWEROP_NORMAL,
                                 VIX_INVALID_HANDLE, callback, data);
}

static const FsChangeOps revert_ops = {
  .name = "revert",
  .start = start_revert,
  .succeed = fs_change_reply_done,
};

void
fs_current_store (FsMount *mount, const FsNode *node, const char *text,
                  gsize len, FsRequest *rq)
{
  g_autoptr (FsRequest) mine = rq;
  g_autofree char *shown = g_strdup (text);
  FsChange *change;
  guint32 slot;
  g_auto (FsNode) target = { 0 };

  if (g_str_has_suffix (shown, "\n"))
    shown[strlen (shown) - 1] = '\0';
  if (*shown == '\0') {
    fs_refuse (mount, node, mine, VIX_E_INVALID_ARG,
               "the name of a snapshot is wanted");
    return;
  }
  slot = fs_tree_find_snapshot (mount->tree, node->id.slot, shown);
  if (slot == 0
      || !fs_tree_resolve (
        mount->tree,
        fs_node_pack (
          (FsNodeId){ node->id.slot, slot, FS_KIND_SNAPSHOT, node->id.index }),
        &target)) {
    g_autofree char *other = fs_text_escape (shown);

    fs_refuse (mount, node, mine, VIX_E_SNAPSHOT_NOTFOUND,
               "there is no snapshot \"%s\"", other);
    return;
  }
  change = fs_change_new (mount, &revert_ops, &target, g_steal_pointer (&mine));
  change->shown = g_steal_pointer (&shown);
  change->written = len;
  fs_change_start (change);
}
