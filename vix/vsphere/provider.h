/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * provider.h - ESXi, vCenter and VMware Server 2 as a kind of host.
 */
#pragma once

#include "core/provider.h"

G_BEGIN_DECLS

extern const VixProviderOps vsphere_provider_ops;

G_END_DECLS
