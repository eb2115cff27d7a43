/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The one list of providers: which of them serves which kind of host.
 */
#include "base/error.h"
#include "core/provider.h"

extern const VixProviderOps ws_provider_ops;
#ifdef HAVE_VSPHERE
extern const VixProviderOps vsphere_provider_ops;
#endif

static const struct {
  VixServiceProvider type;
  const VixProviderOps *ops;
} providers[] = {
  { VIX_SERVICEPROVIDER_VMWARE_SERVER, &ws_provider_ops },
  { VIX_SERVICEPROVIDER_VMWARE_WORKSTATION, &ws_provider_ops },
  { VIX_SERVICEPROVIDER_VMWARE_PLAYER, &ws_provider_ops },
#ifdef HAVE_VSPHERE
  { VIX_SERVICEPROVIDER_VMWARE_VI_SERVER, &vsphere_provider_ops },
  { VIX_SERVICEPROVIDER_VMWARE_WORKSTATION_SHARED, &vsphere_provider_ops },
#endif
};

/* Nothing, or a directory, means local VMs; any other name a remote host. */
static VixServiceProvider
choose_type (const char *host_name)
{
  if (host_name == NULL || *host_name == '\0' || *host_name == '/')
    return VIX_SERVICEPROVIDER_VMWARE_WORKSTATION;
  return VIX_SERVICEPROVIDER_VMWARE_VI_SERVER;
}

const VixProviderOps *
vix_provider_find (VixServiceProvider type, const char *host_name,
                   VixServiceProvider *ret_type, GError **error)
{
  if (type == VIX_SERVICEPROVIDER_DEFAULT)
    type = choose_type (host_name);
  for (gsize i = 0; i < G_N_ELEMENTS (providers); i++) {
    if (providers[i].type == type) {
      *ret_type = type;
      return providers[i].ops;
    }
  }
  g_set_error (error, VIX_ERROR, VIX_E_INVALID_ARG,
               "host type %d: no provider for such hosts; local VMs are "
               "types %d, %d and %d",
               type, VIX_SERVICEPROVIDER_VMWARE_SERVER,
               VIX_SERVICEPROVIDER_VMWARE_WORKSTATION,
               VIX_SERVICEPROVIDER_VMWARE_PLAYER);
  return NULL;
}
