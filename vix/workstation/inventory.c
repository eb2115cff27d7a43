/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reading VMs and publishing their records.
 *
 * Several threads may read one VM at a time: the watch, and the jobs that
 * change it. No lock is held while they read and publish, so the one that
 * read first may publish last. Each therefore looks, after publishing,
 * whether another one published since it began to read, and if so reads
 * again: whoever comes last has read last.
 */
#include <string.h>

#include "base/error.h"
#include "workstation/host-private.h"
#include "workstation/tree.h"
#include "workstation/vm-record.h"

/* Two threads could go on outrunning each other only as long as the VM goes
 * on changing; the watch comes back to it then anyway. */
#define MAX_ROUNDS 16

/* A VM that is being read. */
typedef struct {
  guint users;
  guint published; /* how often since the first user came */
} Refreshing;

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
  host->refreshing
    = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  host->places
    = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
}

void
ws_host_clear_inventory (WsHost *host)
{
  g_hash_table_unref (host->refreshing);
  g_hash_table_unref (host->places);
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

void
ws_host_forget_vm (WsHost *host, const char *id)
{
  Refreshing *refreshing;

  vix_lock (&host->lock);
  g_hash_table_remove (host->places, id);
  refreshing = g_hash_table_lookup (host->refreshing, id);
  if (refreshing != NULL)
    refreshing->published++;
  vix_unlock (&host->lock);
  vix_inventory_remove (host->inventory, id);
}

/* ---- reading ---- */

/* What a round needs to know; the strings are the caller's. */
typedef struct {
  char *path; /* NULL: the watch has not seen it */
  char *team;
  guint published;
  gboolean publish;
} Round;

static void
round_begin (WsHost *host, const char *id, Round *ret_round)
{
  const Place *place;
  const Refreshing *refreshing;

  vix_lock (&host->lock);
  place = g_hash_table_lookup (host->places, id);
  refreshing = g_hash_table_lookup (host->refreshing, id);
  ret_round->path = place == NULL ? NULL : g_strdup (place->path);
  ret_round->team = place == NULL ? NULL : g_strdup (place->team);
  ret_round->published = refreshing->published;
  ret_round->publish = host->watched;
  vix_unlock (&host->lock);
}

/* TRUE: somebody published since round_begin(). */
static gboolean
round_end (WsHost *host, const char *id, Round *round)
{
  Refreshing *refreshing;
  gboolean outrun;

  g_free (round->path);
  g_free (round->team);
  vix_lock (&host->lock);
  refreshing = g_hash_table_lookup (host->refreshing, id);
  outrun = round->publish && refreshing->published != round->published;
  if (round->publish)
    refreshing->published++;
  vix_unlock (&host->lock);
  return outrun;
}

static void
refresh_enter (WsHost *host, const char *id)
{
  Refreshing *refreshing;

  vix_lock (&host->lock);
  refreshing = g_hash_table_lookup (host->refreshing, id);
  if (refreshing == NULL) {
    refreshing = g_new0 (Refreshing, 1);
    g_hash_table_insert (host->refreshing, g_strdup (id), refreshing);
  }
  refreshing->users++;
  vix_unlock (&host->lock);
}

static void
refresh_leave (WsHost *host, const char *id)
{
  Refreshing *refreshing;

  vix_lock (&host->lock);
  refreshing = g_hash_table_lookup (host->refreshing, id);
  if (--refreshing->users == 0)
    g_hash_table_remove (host->refreshing, id);
  vix_unlock (&host->lock);
}

/* Reads, and publishes if the VM is one that the watch finds. */
static const VixExtVM *
read_once (WsHost *host, const char *id, Round *round)
{
  const char *const *roots = (const char *const *)host->roots;
  gboolean in_tree = TRUE;
  const VixExtVM *record;
  WsVmPlace place;

  if (round->path == NULL)
    in_tree = ws_tree_place_of (id, roots, &round->path, &round->team);
  place.path = round->path;
  place.team = round->team;
  record = ws_vm_record_read (id, roots, &place);
  if (!round->publish || !in_tree)
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
  const VixExtVM *record = NULL;
  gboolean outrun = TRUE;
  int n;

  VIX_MAY_BLOCK ();
  refresh_enter (host, id);
  for (n = 0; outrun && n < MAX_ROUNDS; n++) {
    Round round;

    vix_vm_record_unref (record);
    round_begin (host, id, &round);
    record = read_once (host, id, &round);
    outrun = round_end (host, id, &round);
  }
  refresh_leave (host, id);
  return record;
}

void
ws_host_refresh_vm (WsHost *host, const char *id)
{
  vix_vm_record_unref (ws_host_read_vm (host, id));
}
