/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host-fixture.h"

#include <string.h>

#include "core/inventory.h"

struct HostFixture {
  char *source;
  VixInventory *inventory;
  WsHost *host;
  GMutex mutex; /* guards counts */
  GCond cond;
  guint counts[8];
};

static void
on_event (int event, const VixExtVM *vm, gpointer data)
{
  HostFixture *self = data;

  g_mutex_lock (&self->mutex);
  self->counts[event]++;
  if (event == VIXEXT_EVENT_LOADED)
    g_cond_broadcast (&self->cond);
  g_mutex_unlock (&self->mutex);
}

const VixOp *
host_fixture_op (void)
{
  static VixOp op;

  if (op.cancellable == NULL)
    op.cancellable = g_cancellable_new ();
  return &op;
}

HostFixture *
host_fixture_new (const char *source, gboolean watched, gboolean read_only)
{
  HostFixture *self = g_new0 (HostFixture, 1);
  VixConnectParams params
    = { .host_type = VIX_SERVICEPROVIDER_VMWARE_WORKSTATION,
        .host_name = source,
        .vendor_library = "none",
        .read_only = read_only };
  g_autoptr (GError) error = NULL;

  g_mutex_init (&self->mutex);
  g_cond_init (&self->cond);
  self->source = g_strdup (source);
  self->inventory = vix_inventory_new ();
  vix_inventory_set_watcher (self->inventory, on_event, self);
  self->host = ws_provider_ops.connect (&params, self->inventory,
                                        host_fixture_op (), &error);
  g_assert_no_error (error);
  if (!watched)
    return self;
  g_assert_true (ws_provider_ops.watch (self->host, NULL));
  g_mutex_lock (&self->mutex);
  while (self->counts[VIXEXT_EVENT_LOADED] == 0)
    g_cond_wait (&self->cond, &self->mutex);
  g_mutex_unlock (&self->mutex);
  return self;
}

void
host_fixture_free (HostFixture *self)
{
  vix_inventory_stop (self->inventory);
  ws_provider_ops.disconnect (self->host);
  vix_inventory_free (self->inventory);
  g_mutex_clear (&self->mutex);
  g_cond_clear (&self->cond);
  g_free (self->source);
  g_free (self);
}

WsHost *
host_fixture_host (HostFixture *self)
{
  return self->host;
}

const VixExtVM *
host_fixture_record (HostFixture *self, const char *name)
{
  g_autofree char *id = g_strconcat (self->source, "/", name, ".vmx", NULL);

  return vix_inventory_lookup (self->inventory, id);
}

void
host_fixture_wait (HostFixture *self, const char *name, RecordTest test,
                   gconstpointer data)
{
  gint64 end = g_get_monotonic_time () + 60 * G_USEC_PER_SEC;

  for (;;) {
    g_autoptr (VixVmRecord) record = host_fixture_record (self, name);

    if (test (record, data))
      return;
    if (g_get_monotonic_time () >= end)
      g_error ("%s: a minute went by", name);
    g_usleep (10000);
  }
}

gboolean
is_there (const VixExtVM *vm, gconstpointer unused)
{
  return vm != NULL;
}

gboolean
is_gone (const VixExtVM *vm, gconstpointer unused)
{
  return vm == NULL;
}

gboolean
has_place (const VixExtVM *vm, gconstpointer place)
{
  g_autofree char *path = NULL;

  if (vm == NULL)
    return FALSE;
  path = g_strjoinv ("/", (char **)(guintptr)vm->path);
  return strcmp (path, place) == 0;
}

guint
host_fixture_count (HostFixture *self, int event)
{
  guint n;

  g_mutex_lock (&self->mutex);
  n = self->counts[event];
  g_mutex_unlock (&self->mutex);
  return n;
}
