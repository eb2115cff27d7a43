/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Renaming and describing a snapshot: one file replaced. VIX has no call for
 * it, so this is ours also where VMware's library does the rest.
 */
#include <string.h>

#include "base/error.h"
#include "workstation/vm-change.h"

static gboolean
edit (WsChange *change, gint64 uid, const char *name, const char *description,
      GError **error)
{
  const WsSnapshot *snapshot = ws_change_find (change, uid, error);
  g_autoptr (WsVmsd) vmsd = NULL;
  g_autoptr (GBytes) bytes = NULL;
  g_autoptr (Txn) txn = NULL;

  if (snapshot == NULL)
    return FALSE;
  if ((name == NULL || strcmp (name, snapshot->name) == 0)
      && (description == NULL
          || strcmp (description, snapshot->description) == 0))
    return TRUE;
  vmsd = ws_vmsd_copy (change->vmsd);
  if ((name != NULL && !ws_vmsd_set_name (vmsd, uid, name, error))
      || (description != NULL
          && !ws_vmsd_set_description (vmsd, uid, description, error)))
    return FALSE;
  bytes = ws_vmsd_to_bytes (vmsd);
  txn = ws_change_new_txn (change);
  return txn_add_replace (txn, change->vmsd_name, bytes, error)
         && (txn_is_empty (txn)
             || (txn_prepare (txn, error) && txn_commit (txn, NULL, error)));
}

static gboolean
edit_native (WsHost *host, const char *id, gint64 snapshot, const char *name,
             const char *description, const VixOp *op, GError **error)
{
  g_autoptr (WsChange) change
    = ws_change_begin (host, id, WS_CHANGE_TEXT, op, error);

  return change != NULL && edit (change, snapshot, name, description, error);
}

gboolean
ws_edit_snapshot (gpointer host, const char *id, gint64 snapshot,
                  const char *name, const char *description, const VixOp *op,
                  GError **error)
{
  gboolean ok = edit_native (host, id, snapshot, name, description, op, error);

  ws_host_refresh_vm (host, id);
  return ok;
}
