/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "workstation/look.h"

#include "base/error.h"

void
ws_look_clear (WsLook *self)
{
  g_clear_pointer (&self->dir, ws_vm_dir_close);
  g_clear_pointer (&self->vmx, kv_file_free);
  g_clear_pointer (&self->vmsd, ws_vmsd_free);
  g_clear_pointer (&self->resolver, ws_resolver_free);
}

const WsSnapshot *
ws_look_find (const WsLook *self, const char *id, gint64 snapshot,
              GError **error)
{
  const WsSnapshot *found = ws_vmsd_find (self->vmsd, snapshot);

  if (found == NULL)
    g_set_error (error, VIX_ERROR, VIX_E_SNAPSHOT_NOTFOUND,
                 "%s: there is no snapshot %" G_GINT64_FORMAT, id, snapshot);
  return found;
}

gboolean
ws_look_at (WsHost *host, const char *id, gint64 snapshot, WsLook *self,
            const WsSnapshot **ret_snapshot, GError **error)
{
  *ret_snapshot = NULL;
  self->dir = ws_host_open_vm_dir (host, id, error);
  if (self->dir == NULL)
    return FALSE;
  self->vmx = ws_vm_dir_read_vmx (self->dir, NULL);
  self->resolver = ws_resolver_new (self->dir, self->vmx);
  if (snapshot == 0)
    return TRUE;
  self->vmsd = ws_vm_dir_read_vmsd (self->dir, error);
  if (self->vmsd == NULL)
    return FALSE;
  *ret_snapshot = ws_look_find (self, id, snapshot, error);
  return *ret_snapshot != NULL;
}
