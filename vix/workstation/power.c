/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/error.h"
#include "workstation/vendor.h"

gboolean
ws_power (gpointer data, const char *id, VixPowerOp what, int options,
          const VixOp *op, GError **error)
{
  WsHost *host = data;
  gboolean ok;

  if (host->vendor == NULL) {
    g_set_error (error, VIX_ERROR, VIX_E_NOT_SUPPORTED,
                 "%s: running VMs needs VMware's own library, which is not "
                 "installed here",
                 id);
    return FALSE;
  }
  ok = ws_vendor_power (host, id, what, options, op, error);
  ws_host_refresh_vm (host, id);
  return ok;
}
