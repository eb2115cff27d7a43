/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bed.h"

#include <string.h>

#include "vsphere/provider.h"

/* How long a test waits for what comes at once on a machine that is not
 * busy. */
#define PATIENCE_US (60 * G_USEC_PER_SEC)

static void
note_event (int event, const VixExtVM *vm, gpointer data)
{
  static const char marks[] = "?+~-FLS";
  Bed *self = data;

  g_mutex_lock (&self->lock);
  g_string_append_c (self->diary, marks[event]);
  if (vm != NULL)
    g_string_append (self->diary, vm->displayName);
  g_string_append_c (self->diary, ' ');
  self->n_events++;
  g_cond_broadcast (&self->changed);
  g_mutex_unlock (&self->lock);
}

Bed *
bed_connect (const BedServer *server,
             void (*adjust) (VixConnectParams *params, gpointer data),
             gpointer data, GError **error)
{
  g_autoptr (BedOp) op = bed_op_new ();
  Bed *self = g_new0 (Bed, 1);
  VixConnectParams params = {
    .host_type = VIX_SERVICEPROVIDER_VMWARE_VI_SERVER,
    .host_name = server->url,
    .user_name = server->user,
    .password = server->password,
    .verify_ssl = TRUE,
    .thumbprint = server->sha256,
    .settle_timeout_ms = 3000,
  };

  if (adjust != NULL)
    adjust (&params, data);
  self->ops = &vsphere_provider_ops;
  self->diary = g_string_new (NULL);
  g_mutex_init (&self->lock);
  g_cond_init (&self->changed);
  self->inventory = vix_inventory_new ();
  self->host = self->ops->connect (&params, self->inventory, &op->op, error);
  if (self->host != NULL)
    return self;
  bed_free (self);
  return NULL;
}

void
bed_watch (Bed *self)
{
  g_autoptr (GError) error = NULL;
  gint64 end = g_get_monotonic_time () + PATIENCE_US;

  vix_inventory_set_watcher (self->inventory, note_event, self);
  g_assert_true (self->ops->watch (self->host, &error));
  g_mutex_lock (&self->lock);
  while (strchr (self->diary->str, 'L') == NULL)
    if (!g_cond_wait_until (&self->changed, &self->lock, end))
      g_error ("the inventory is not loaded: %s", self->diary->str);
  g_mutex_unlock (&self->lock);
}

gboolean
bed_saw (Bed *self, const char *entry)
{
  g_autofree char *diary = bed_tell (self);

  return strstr (diary, entry) != NULL;
}

void
bed_forget (Bed *self)
{
  g_mutex_lock (&self->lock);
  g_string_truncate (self->diary, 0);
  g_mutex_unlock (&self->lock);
}

char *
bed_tell (Bed *self)
{
  char *diary;

  g_mutex_lock (&self->lock);
  diary = g_strdup (self->diary->str);
  g_mutex_unlock (&self->lock);
  return diary;
}

Bed *
bed_new (const BedServer *server, gboolean watch)
{
  g_autoptr (GError) error = NULL;
  Bed *self = bed_connect (server, NULL, NULL, &error);

  g_assert_no_error (error);
  if (watch)
    bed_watch (self);
  return self;
}

void
bed_free (Bed *self)
{
  if (self == NULL)
    return;
  vix_inventory_stop (self->inventory);
  if (self->host != NULL)
    self->ops->disconnect (self->host);
  vix_inventory_free (self->inventory);
  g_string_free (self->diary, TRUE);
  g_cond_clear (&self->changed);
  g_mutex_clear (&self->lock);
  g_free (self);
}

static void
note_progress (gpointer data, int percent)
{
  BedOp *self = data;

  self->percent = percent;
  self->n_percent++;
}

BedOp *
bed_op_new (void)
{
  BedOp *self = g_new0 (BedOp, 1);

  self->cancellable = g_cancellable_new ();
  self->op.cancellable = self->cancellable;
  self->op.progress = note_progress;
  self->op.progress_data = self;
  return self;
}

void
bed_op_free (BedOp *self)
{
  if (self == NULL)
    return;
  g_object_unref (self->cancellable);
  g_free (self);
}

/* (nullable) */
static const VixExtVM *
find_vm (Bed *self, const char *name)
{
  g_autoptr (GPtrArray) ids = vix_inventory_list_ids (self->inventory);

  for (guint i = 0; i < ids->len; i++) {
    const VixExtVM *vm = vix_inventory_lookup (self->inventory, ids->pdata[i]);

    if (vm != NULL && g_str_equal (vm->displayName, name))
      return vm;
    vix_vm_record_unref (vm);
  }
  return NULL;
}

const VixExtVM *
bed_vm (Bed *self, const char *name)
{
  gint64 end = g_get_monotonic_time () + PATIENCE_US;
  const VixExtVM *vm;

  while ((vm = find_vm (self, name)) == NULL) {
    if (g_get_monotonic_time () > end)
      g_error ("no VM %s", name);
    g_usleep (10000);
  }
  return vm;
}

char *
bed_vm_id (Bed *self, const char *name)
{
  g_autoptr (VixVmRecord) vm = bed_vm (self, name);

  return g_strdup (vm->id);
}

char *
bed_snapshots (const VixExtVM *vm)
{
  GString *text = g_string_new (NULL);

  for (size_t i = 0; i < vm->numSnapshots; i++)
    g_string_append_printf (
      text, "%s%d:%s(%d)%s", i > 0 ? "," : "", (int)vm->snapshots[i].id,
      vm->snapshots[i].name, (int)vm->snapshots[i].parent,
      vm->snapshots[i].id == vm->currentSnapshot ? "*" : "");
  return g_string_free (text, FALSE);
}

gint64
bed_create (Bed *self, const char *vm_id, const char *name, GError **error)
{
  g_autoptr (BedOp) op = bed_op_new ();
  VixSnapshotParams params = { .name = name, .description = "" };
  gint64 id = 0;

  self->ops->create_snapshot (self->host, vm_id, &params, &id, &op->op, error);
  return id;
}

void
bed_await_snapshots (Bed *self, const char *name, const char *wanted)
{
  gint64 end = g_get_monotonic_time () + PATIENCE_US;

  for (;;) {
    g_autoptr (VixVmRecord) vm = bed_vm (self, name);
    g_autofree char *now = bed_snapshots (vm);

    if (g_str_equal (now, wanted))
      return;
    if (g_get_monotonic_time () > end)
      g_error ("%s has %s, not %s", name, now, wanted);
    g_usleep (10000);
  }
}

void
bed_await_state (Bed *self, int state, int ms)
{
  gint64 end = g_get_monotonic_time () + (gint64)ms * 1000;

  for (;;) {
    VixExtHostStatus status = { .size = sizeof status };

    self->ops->get_status (self->host, &status);
    if (status.state == state)
      return;
    if (g_get_monotonic_time () > end)
      g_error ("the state is %d: %s", status.state, status.problem);
    g_usleep (10000);
  }
}

static int
compare_lines (gconstpointer a, gconstpointer b)
{
  return strcmp (*(const char *const *)a, *(const char *const *)b);
}

char *
bed_dump (Bed *self)
{
  g_autoptr (GPtrArray) ids = vix_inventory_list_ids (self->inventory);
  g_autoptr (GPtrArray) lines = g_ptr_array_new_with_free_func (g_free);

  for (guint i = 0; i < ids->len; i++) {
    g_autoptr (VixVmRecord) vm
      = vix_inventory_lookup (self->inventory, ids->pdata[i]);
    g_autofree char *path = g_strjoinv ("/", (char **)vm->path);
    g_autofree char *snapshots = bed_snapshots (vm);

    g_ptr_array_add (lines, g_strdup_printf ("%s %s %s %d %s %d [%s]", vm->id,
                                             path, vm->vmxPath, vm->powerState,
                                             vm->uuid, vm->flags, snapshots));
  }
  g_ptr_array_sort (lines, compare_lines);
  g_ptr_array_add (lines, NULL);
  return g_strjoinv ("\n", (char **)lines->pdata);
}

void
bed_assert_complete (Bed *self, const BedServer *server)
{
  g_autoptr (Bed) fresh = bed_new (server, TRUE);
  g_autofree char *ours = bed_dump (self);
  g_autofree char *theirs = bed_dump (fresh);

  g_assert_cmpstr (ours, ==, theirs);
}
