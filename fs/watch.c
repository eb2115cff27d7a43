/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "watch.h"

#include <string.h>

#include "facts.h"
#include "json.h"

/* ---- events for people and programs ---- */

/* An event about @vm_path, with one more text if @key is not NULL. */
static void
tell (FsMount *mount, const char *event, const char *vm_path, const char *key,
      const char *value)
{
  GString *line = g_string_new (NULL);
  g_autofree char *quoted = g_strescape (value != NULL ? value : "", NULL);
  g_autofree char *text = NULL;
  FsJson json;

  fs_json_init (&json, line, FALSE);
  fs_json_begin (&json, NULL, '{');
  fs_json_time (&json, "time", g_get_real_time ());
  fs_json_string (&json, "event", event);
  if (vm_path != NULL)
    fs_json_string (&json, "vm", vm_path);
  if (key != NULL)
    fs_json_string (&json, key, value);
  fs_json_end (&json, '}');
  text = g_strdup_printf ("%s%s%s%s%s", vm_path != NULL ? vm_path : "",
                          vm_path != NULL ? ": " : "", event,
                          key != NULL ? " " : "", key != NULL ? quoted : "");
  fs_events_add (mount->events, g_string_free (line, FALSE), text);
}

static void
tell_gone_snapshots (FsMount *mount, const char *path, const VixExtVM *old,
                     guint32 slot, const VixExtVM *now)
{
  gsize i;

  for (i = 0; i < old->numSnapshots; i++) {
    g_autofree char *shown = NULL;

    if (fs_record_snapshot (now, old->snapshots[i].id) != NULL)
      continue;
    shown = fs_tree_snapshot_name (mount->tree, slot, old->snapshots[i].id);
    tell (mount, "snapshot-removed", path, "name", shown);
  }
}

static void
tell_snapshots (FsMount *mount, const char *path, const VixExtVM *old,
                guint32 slot, const VixExtVM *now)
{
  gsize i;

  for (i = 0; i < now->numSnapshots; i++) {
    const VixExtSnapshot *is = &now->snapshots[i];
    const VixExtSnapshot *was = fs_record_snapshot (old, is->id);
    g_autofree char *shown = NULL;

    if (was != NULL && strcmp (was->name, is->name) == 0
        && strcmp (was->description, is->description) == 0)
      continue;
    shown = fs_tree_snapshot_name (mount->tree, slot, is->id);
    tell (mount, was == NULL ? "snapshot-added" : "snapshot-changed", path,
          "name", shown);
  }
}

static void
tell_changes (FsMount *mount, const char *path, const VixExtVM *old,
              guint32 slot, const VixExtVM *now)
{
  g_autofree char *shown = NULL;

  tell_snapshots (mount, path, old, slot, now);
  if (old->powerState != now->powerState)
    tell (mount, "power", path, "state", fs_power_text (now->powerState));
  if (old->currentSnapshot != now->currentSnapshot) {
    shown = fs_tree_snapshot_name (mount->tree, slot, now->currentSnapshot);
    tell (mount, "current", path, "name", shown != NULL ? shown : "");
  }
  if (strcmp (old->problem, now->problem) != 0)
    tell (mount, "problem", path, "text", now->problem);
}

/* ---- the tree ---- */

static void
put (FsMount *mount, const VixExtVM *vm)
{
  FsStale *stale = fs_stale_new ();
  guint32 slot = 0;
  const VixExtVM *old = fs_tree_get_record (mount->tree, vm->id, &slot);
  g_autofree char *path = NULL;

  if (old != NULL) {
    g_autofree char *before = fs_tree_path (mount->tree, slot);

    tell_gone_snapshots (mount, before, old, slot, vm);
  }
  fs_tree_put (mount->tree, vm, stale);
  fs_notify_send (mount->notify, stale);
  if (!fs_tree_find_record (mount->tree, vm->id, &slot)) {
    VixExt_UnrefVM (old);
    return;
  }
  path = fs_tree_path (mount->tree, slot);
  if (old == NULL) {
    tell (mount, "vm-added", path, NULL, NULL);
  } else {
    tell_changes (mount, path, old, slot, vm);
    tell (mount, "vm-changed", path, NULL, NULL);
  }
  VixExt_UnrefVM (old);
}

static void
remove_vm (FsMount *mount, const VixExtVM *vm)
{
  FsStale *stale = fs_stale_new ();
  g_autofree char *path = NULL;
  guint32 slot = 0;

  if (fs_tree_find_record (mount->tree, vm->id, &slot))
    path = fs_tree_path (mount->tree, slot);
  fs_tree_remove (mount->tree, vm, stale);
  fs_notify_send (mount->notify, stale);
  if (path != NULL)
    tell (mount, "vm-removed", path, NULL, NULL);
}

static void
host_changed (FsMount *mount)
{
  VixExtHostStatus status = { .size = sizeof status };

  if (VIX_FAILED (VixExt_GetHostStatus (mount->host, &status)))
    return;
  if (status.state == VIXEXT_HOST_RECONNECTING)
    tell (mount, "connection-lost", NULL, "reason", status.problem);
  else
    tell (mount, "connected", NULL, NULL, NULL);
}

void
fs_watch_event (VixHandle host, int event, const VixExtVM *vm, void *data)
{
  FsMount *mount = data;
  FsStale *stale;

  switch (event) {
  case VIXEXT_EVENT_VM_ADDED:
  case VIXEXT_EVENT_VM_CHANGED:
    put (mount, vm);
    break;
  case VIXEXT_EVENT_VM_REMOVED:
    remove_vm (mount, vm);
    break;
  case VIXEXT_EVENT_FILES_CHANGED:
    stale = fs_stale_new ();
    fs_tree_touch_files (mount->tree, vm, stale);
    fs_notify_send (mount->notify, stale);
    break;
  case VIXEXT_EVENT_LOADED:
    fs_tree_settle (mount->tree);
    fs_mount_loaded (mount);
    break;
  case VIXEXT_EVENT_HOST_STATE:
    host_changed (mount);
    break;
  default:
    break;
  }
}
