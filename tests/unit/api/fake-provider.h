/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fake-provider.h - hosts in memory, for tests of what lies above providers.
 *
 * Every connection has VMs of its own:
 *
 *   one        off
 *   two        on, Tools running
 *   three      suspended
 *   locked     encrypted
 *   quiet      on, Tools unknown
 *   bare       on, Tools not installed
 *
 * "/vms/NAME/NAME.vmx" is the id and the path of VM NAME. Host types SERVER,
 * WORKSTATION and PLAYER do all; VI_SERVER leaves out each function that a
 * provider may leave out. The host name "refuse" cannot be connected to.
 */
#pragma once

#include "core/provider.h"

G_BEGIN_DECLS

/* What happened, over all hosts; guarded by a lock of its own. */
typedef struct {
  int connected, disconnected; /* hosts */
  int running;                 /* operations under way */
  int most_at_once;            /* changes of one VM at the same time */
  int changes;                 /* begun in all */
  VixConnectParams params;     /* of the last connect; strings owned */
  VixSnapshotParams snapshot;  /* of the last create; strings not kept */
  gboolean suppress_power_on;  /* of the last revert */
  gboolean remove_children;    /* of the last remove */
} FakeLog;

FakeLog fake_get_log (void);
/* Clean slate for a test; no host may be connected. */
void fake_reset (void);

/* From now on operations that change something stop at their begin... */
void fake_close_gate (void);
/* ... until this, or until they are cancelled. */
void fake_open_gate (void);
/* Waits until @n operations are under way. */
void fake_wait_running (int n);

/* The next change fails with @code and a text that says "as asked for". */
void fake_fail_next (int code);

/* As if somebody else had done it. */
void fake_import_snapshot (const char *vm, const char *snapshot);
void fake_import_root (const char *vm, const char *snapshot);
void fake_set_power (const char *name, int power_state, int tools_state);

G_END_DECLS
