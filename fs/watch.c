/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "watch.h"

#include <string.h>

#include "facts.h"
#include "json.h"
#include "name.h"

/* ---- events for people and programs ---- */

/* An event about @vm_path, or about @host, with one more text if @key is not
 * NULL. */
static void
tell_of (FsMount *mount, const char *event, const char *host,
         const char *vm_path, const char *key, const char *value)
{
  GString *line = g_string_new (NULL);
  g_autofree char *quoted = fs_text_escape (value);
  g_autofree char *text = NULL;
  FsJson json;

  fs_json_init (&json, line, FALSE);
  fs_json_begin (&json, NULL, '{');
  fs_json_time (&json, "time", g_get_real_time ());
  fs_json_string (&json, "event", event);
  if (host != NULL)
    fs_json_string (&json, "host", host);
  if (vm_path != NULL)
    fs_json_string (&json, "vm", vm_path);
  if (key != NULL)
    fs_json_string (&json, key, value);
  fs_json_end (&json, '}');
  if (vm_path == NULL)
    vm_path = host;
  text = g_strdup_printf ("%s%s%s%s%s", vm_path != NULL ? vm_path : "",
                          vm_path != NULL ? ": " : "", event,
                          key != NULL ? " " : "", key != NULL ? quoted : "");
  fs_events_add (mount->events, g_string_free (line, FALSE), text);
}

static void
tell (FsMount *mount, const char *event, const char *vm_path, const char *key,
      const char *value)
{
  tell_of (mount, event, NULL, vm_path, key, value);
}

void
fs_watch_tell (FsHost *host, const char *event, const char *key,
               const char *value)
{
  const char *name = fs_host_source (host)->name;

  tell_of (fs_host_mount (host), event, *name != '\0' ? name : NULL, NULL, key,
           value);
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
put (FsHost *host, const VixExtVM *vm)
{
  FsMount *mount = fs_host_mount (host);
  guint number = fs_host_number (host);
  FsStale *stale = fs_stale_new ();
  guint32 slot = 0;
  const VixExtVM *old = fs_tree_get_record (mount->tree, number, vm->id, &slot);
  g_autofree char *path = NULL;

  fs_times_see (fs_host_times (host), vm);
  if (old != NULL) {
    g_autofree char *before = fs_tree_path (mount->tree, slot);

    tell_gone_snapshots (mount, before, old, slot, vm);
  }
  fs_tree_put (mount->tree, number, vm, stale);
  fs_notify_send (mount->notify, stale);
  if (!fs_tree_find_record (mount->tree, number, vm->id, &slot)) {
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
remove_vm (FsHost *host, const VixExtVM *vm)
{
  FsMount *mount = fs_host_mount (host);
  guint number = fs_host_number (host);
  FsStale *stale = fs_stale_new ();
  g_autofree char *path = NULL;
  guint32 slot = 0;

  if (fs_tree_find_record (mount->tree, number, vm->id, &slot))
    path = fs_tree_path (mount->tree, slot);
  fs_tree_remove (mount->tree, number, vm, stale);
  fs_notify_send (mount->notify, stale);
  if (path != NULL)
    tell (mount, "vm-removed", path, NULL, NULL);
}

static void
host_changed (FsHost *host)
{
  VixExtHostStatus status;

  fs_host_get_status (host, &status);
  if (status.state == VIXEXT_HOST_RECONNECTING) {
    fs_watch_tell (host, "connection-lost", "reason", status.problem);
    fs_host_lost (host);
  } else {
    fs_watch_tell (host, "connected", "product", status.product);
  }
}

static void
touch_files (FsHost *host, const VixExtVM *vm)
{
  FsMount *mount = fs_host_mount (host);
  FsStale *stale = fs_stale_new ();

  fs_tree_touch_files (mount->tree, fs_host_number (host), vm, stale);
  fs_notify_send (mount->notify, stale);
}

static void
settle (FsHost *host)
{
  FsMount *mount = fs_host_mount (host);
  FsStale *stale = fs_stale_new ();
  VixExtHostStatus status;

  fs_tree_settle (mount->tree, fs_host_number (host), stale);
  fs_notify_send (mount->notify, stale);
  fs_times_settle (fs_host_times (host));
  fs_host_get_status (host, &status);
  fs_watch_tell (host, "connected", "product", status.product);
  fs_host_loaded (host);
}

void
fs_watch_event (VixHandle handle, int event, const VixExtVM *vm, void *data)
{
  switch (event) {
  case VIXEXT_EVENT_VM_ADDED:
  case VIXEXT_EVENT_VM_CHANGED:
    put (data, vm);
    break;
  case VIXEXT_EVENT_VM_REMOVED:
    remove_vm (data, vm);
    break;
  case VIXEXT_EVENT_FILES_CHANGED:
    touch_files (data, vm);
    break;
  case VIXEXT_EVENT_LOADED:
    settle (data);
    break;
  case VIXEXT_EVENT_HOST_STATE:
    host_changed (data);
    break;
  default:
    break;
  }
}
