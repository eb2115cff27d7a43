/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "workstation/vendor.h"

gboolean
ws_power (gpointer host, const char *id, VixPowerOp what, int options,
          const VixOp *op, GError **error)
{
  WsHost *self = host;
  gboolean ok;

  if (self->vendor == NULL) {
    g_set_error (error, VIX_ERROR, VIX_E_NOT_SUPPORTED,
                 "%s: running VMs needs VMware's own library, which is not "
                 "installed here",
                 id);
    return FALSE;
  }
  ok = ws_vendor_power (self, id, what, options, op, error);
  ws_host_refresh_vm (self, id);
  return ok;
}
