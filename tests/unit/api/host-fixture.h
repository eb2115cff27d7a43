/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * host-fixture.h - short ways to hosts, VMs and snapshots of the fake
 * provider. Each asserts that it works.
 */
#pragma once

#include <glib.h>

#include "fake-provider.h"
#include "vix-ext.h"
#include "vix.h"

G_BEGIN_DECLS

#define assert_vix(err, code)                                                  \
  g_assert_cmpstr (VixExt_GetErrorName (err), ==, VixExt_GetErrorName (code))

/* Waits for @job, releases it, returns its error. */
VixError finish (VixHandle job);
/* Asserts that @job ends well and gives its RESULT_HANDLE. */
VixHandle finish_with_handle (VixHandle job);

VixHandle connect_host (VixServiceProvider type, VixHostOptions options);
VixHandle connect_workstation (void);
/* "/vms/NAME/NAME.vmx" */
VixHandle open_vm (VixHandle host, const char *name);
VixHandle create_snapshot (VixHandle vm, const char *name);
/* VIX_POWERSTATE_* */
int power_state (VixHandle vm);
/* Of a snapshot; free with Vix_FreeBuffer. */
char *snapshot_name (VixHandle snapshot);

/* Disconnects and checks that every object is gone and nothing is running. */
void disconnect_and_check (VixHandle host);

/* Waits a while for the library to let go of its last objects. */
void assert_no_objects (void);

G_END_DECLS
