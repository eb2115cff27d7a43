/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * host-fixture.h - a connected and watched host, and what it told.
 */
#pragma once

#include "core/provider.h"
#include "workstation/host-private.h"

typedef struct HostFixture HostFixture;

/* Connects to directory @source; @watched: also waits for LOADED. */
HostFixture *host_fixture_new (const char *source, gboolean watched,
                               gboolean read_only);
void host_fixture_free (HostFixture *self);

WsHost *host_fixture_host (HostFixture *self);
const VixOp *host_fixture_op (void);

/* The record of SOURCE/NAME.vmx in the inventory; NULL. vix_vm_record_unref */
const VixExtVM *host_fixture_record (HostFixture *self, const char *name);

/* What @test says of the record (NULL: there is none) becomes true within two
 * seconds. */
typedef gboolean (*RecordTest) (const VixExtVM *vm, gconstpointer data);
void host_fixture_wait (HostFixture *self, const char *name, RecordTest test,
                        gconstpointer data);

gboolean is_there (const VixExtVM *vm, gconstpointer unused);
gboolean is_gone (const VixExtVM *vm, gconstpointer unused);
/* The components of its place, joined by '/'. */
gboolean has_place (const VixExtVM *vm, gconstpointer place);

/* Events of that kind so far, of all VMs. */
guint host_fixture_count (HostFixture *self, int event);
