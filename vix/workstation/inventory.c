/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reading VMs and publishing their records.
 *
 * Several threads may want to read one VM at a time: the watch, and the jobs
 * that change it. They take turns, each reading after the one before it has
 * published, so that an older state is never published over a newer one and
 * whoever returns has published what was true after it came.
 */
#include <string.h>

#include "base/error.h"
#include "core/scope.h"
#include "workstation/host-private.h"
#include "workstation/tree.h"
#include "workstation/vm-record.h"

/* Both strings are in this block. */
typedef struct {
  const char *path;
  const char *team;
  char text[];
} Place;

void
ws_host_init_inventory (WsHost *host)
{
  vix_lock_init (&host->lock, VIX_LOCK_HOST);
  g_cond_init (&host->refreshed);
  host->refreshing
    = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  host->places
    = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
}

void
ws_host_clear_inventory (WsHost *host)
{
  g_hash_table_unref (host->refreshing);
  g_hash_table_unref (host->places);
  g_cond_clear (&host->refreshed);
  vix_lock_clear (&host->lock);
}

WsVmDir *
ws_host_open_vm_dir (WsHost *host, const char *id, GError **error)
{
  return ws_vm_dir_open (id, (const char *const *)host->roots, error);
}

void
ws_host_start_publishing (WsHost *host)
{
  vix_lock (&host->lock);
  host->watched = TRUE;
  vix_unlock (&host->lock);
}

void
ws_host_set_place (WsHost *host, const char *id, const char *path,
                   const char *team)
{
  gsize n = strlen (path) + 1, m = strlen (team) + 1;
  Place *place = g_malloc (sizeof *place + n + m);

  place->path = memcpy (place->text, path, n);
  place->team = memcpy (place->text + n, team, m);
  vix_lock (&host->lock);
  g_hash_table_replace (host->places, g_strdup (id), place);
  vix_unlock (&host->lock);
}

/* ---- turns ---- */

/* Waits for this thread's turn at @id. FALSE, without waiting, if it comes from
 * inside a callback: whoever has the turn may be waiting for that one to
 * return. It may read then, but not publish. */
static gboolean
turn_begin (WsHost *host, const char *id)
{
  if (vix_callback_is_inside ())
    return FALSE;
  vix_lock (&host->lock);
  while (g_hash_table_contains (host->refreshing, id))
    vix_lock_wait (&host->lock, &host->refreshed);
  g_hash_table_add (host->refreshing, g_strdup (id));
  vix_unlock (&host->lock);
  return TRUE;
}

static void
turn_end (WsHost *host, const char *id)
{
  vix_lock (&host->lock);
  g_hash_table_remove (host->refreshing, id);
  g_cond_broadcast (&host->refreshed);
  vix_unlock (&host->lock);
}

void
ws_host_forget_vm (WsHost *host, const char *id)
{
  gboolean mine = turn_begin (host, id);

  vix_lock (&host->lock);
  g_hash_table_remove (host->places, id);
  vix_unlock (&host->lock);
  vix_inventory_remove (host->inventory, id);
  if (mine)
    turn_end (host, id);
}

/* ---- reading ---- */

/* Where the watch saw the VM; both NULL if it did not. */
static gboolean
find_place (WsHost *host, const char *id, char **ret_path, char **ret_team)
{
  const Place *place;
  gboolean watched;

  vix_lock (&host->lock);
  place = g_hash_table_lookup (host->places, id);
  *ret_path = place == NULL ? NULL : g_strdup (place->path);
  *ret_team = place == NULL ? NULL : g_strdup (place->team);
  watched = host->watched;
  vix_unlock (&host->lock);
  return watched;
}

/* Reads, and publishes if the VM is one that the watch finds. */
static const VixExtVM *
read_once (WsHost *host, const char *id, gboolean publish)
{
  const char *const *roots = (const char *const *)host->roots;
  g_autofree char *path = NULL;
  g_autofree char *team = NULL;
  gboolean in_tree = TRUE;
  const VixExtVM *record;
  WsVmPlace place;

  publish = find_place (host, id, &path, &team) && publish;
  if (path == NULL)
    in_tree = ws_tree_place_of (id, roots, &path, &team);
  place.path = path;
  place.team = team;
  record = ws_vm_record_read (id, roots, &place);
  if (!publish || !in_tree)
    return record;
  if (record == NULL)
    vix_inventory_remove (host->inventory, id);
  else
    vix_inventory_put (host->inventory, vix_vm_record_ref (record));
  return record;
}

const VixExtVM *
ws_host_read_vm (WsHost *host, const char *id)
{
  const VixExtVM *record;
  gboolean mine;

  VIX_MAY_BLOCK ();
  mine = turn_begin (host, id);
  record = read_once (host, id, mine);
  if (mine)
    turn_end (host, id);
  return record;
}

void
ws_host_refresh_vm (WsHost *host, const char *id)
{
  vix_vm_record_unref (ws_host_read_vm (host, id));
}
