/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * inventory.c - the way of a VM from the host through the mirror into the
 * inventory, and waiting for it to get there.
 */
#include "base/error.h"
#include "vsphere/host-private.h"
#include "vsphere/soap/fault.h"

/* How long the host's own news may be behind its answers. */
#define NEWS_US (10 * G_USEC_PER_SEC)

/* ---- publishing ---- */

/* Those who wait for one VM; lives as long as there are any. */
typedef struct {
  GCond changed;
  guint n;
} Waiter;

static void
confirm_locked (VsphereHost *host, const GArray *changes)
{
  for (guint i = 0; i < changes->len; i++) {
    const VsphereChange *change = &g_array_index (changes, VsphereChange, i);
    Waiter *waiter = g_hash_table_lookup (
      host->waiters, change->put != NULL ? change->put->id : change->removed);

    vsphere_mirror_confirm (host->mirror, change);
    if (waiter != NULL)
      g_cond_broadcast (&waiter->changed);
  }
}

void
vsphere_publish (VsphereHost *host, gboolean complete)
{
  g_autoptr (GArray) changes = NULL;

  VIX_MAY_BLOCK ();
  vix_lock (&host->lock);
  while (host->publishing)
    vix_lock_wait (&host->lock, &host->published);
  host->publishing = TRUE;
  changes = vsphere_mirror_take_changes (host->mirror, complete);
  vix_unlock (&host->lock);
  for (guint i = 0; i < changes->len; i++) {
    VsphereChange *change = &g_array_index (changes, VsphereChange, i);

    if (change->files_only)
      vix_inventory_files_changed (host->inventory, change->put->id);
    else if (change->put != NULL)
      vix_inventory_put (host->inventory, vix_vm_record_ref (change->put));
    else
      vix_inventory_remove (host->inventory, change->removed);
  }
  vix_lock (&host->lock);
  host->publishing = FALSE;
  g_cond_broadcast (&host->published);
  confirm_locked (host, changes);
  vix_unlock (&host->lock);
}

/* As the inventory has it, and everybody was told. */
static gboolean
holds_locked (VsphereHost *host, const char *id, VsphereVmCheck check,
              gpointer data, gboolean *ret_gone)
{
  const VsphereVm *vm = vsphere_mirror_get_vm (host->mirror, id);

  *ret_gone = vm == NULL;
  return vm != NULL && vsphere_vm_is_confirmed (vm) && check (vm, data);
}

gboolean
vsphere_await_vm (VsphereHost *host, const char *id, VsphereVmCheck check,
                  gpointer data, gint64 end_time)
{
  Waiter *waiter;
  gboolean gone, holds;

  VIX_MAY_BLOCK ();
  vix_lock (&host->lock);
  waiter = g_hash_table_lookup (host->waiters, id);
  if (waiter == NULL) {
    waiter = g_new0 (Waiter, 1);
    g_cond_init (&waiter->changed);
    g_hash_table_insert (host->waiters, g_strdup (id), waiter);
  }
  waiter->n++;
  for (;;) {
    holds = holds_locked (host, id, check, data, &gone);
    if (holds || gone
        || !vix_lock_wait_until (&host->lock, &waiter->changed, end_time))
      break;
  }
  if (--waiter->n == 0) {
    g_hash_table_remove (host->waiters, id);
    g_cond_clear (&waiter->changed);
    g_free (waiter);
  }
  vix_unlock (&host->lock);
  return holds;
}

/* ---- reading one VM ---- */

typedef struct {
  VsphereHost *host;
  guint since; /* serial of the mirror when the host was asked */
} Reading;

/* What the watch told meanwhile may be newer, and would not come again. */
static void
apply_content (const SoapObjectContent *content, gboolean cut, SoapArena *arena,
               gpointer data)
{
  const Reading *reading = data;
  VsphereHost *host = reading->host;

  vix_lock (&host->lock);
  if (!vsphere_mirror_is_newer (host->mirror, &content->obj, reading->since))
    vsphere_mirror_apply_content (host->mirror, content, cut, arena);
  vix_unlock (&host->lock);
}

static void
set_vm_not_found (VsphereHost *host, const char *id, GError **error)
{
  g_clear_error (error);
  g_set_error (error, VIX_ERROR, VIX_E_VM_NOT_FOUND,
               "%s has no virtual machine \"%s\" (any more)",
               vsphere_session_get_host (host->session), id);
}

/* The host says that it does not exist: so it does not here. */
static void
forget_vm (VsphereHost *host, const char *id)
{
  SoapObjectUpdate update
    = { .kind = "leave", .obj = { "VirtualMachine", id } };

  vix_lock (&host->lock);
  vsphere_mirror_apply (host->mirror, &update, FALSE, NULL);
  vix_unlock (&host->lock);
  vsphere_publish (host, FALSE);
}

static gboolean
never (const VsphereVm *vm, gpointer data)
{
  return FALSE;
}

void
vsphere_vm_gone (VsphereHost *host, const char *id)
{
  if (vsphere_watch_is_loaded (host->watch)) {
    vsphere_await_vm (host, id, never, NULL, g_get_monotonic_time () + NEWS_US);
    /* Gone from the mirror: the rest of the way is ours to go as well. */
    vsphere_publish (host, FALSE);
  } else {
    forget_vm (host, id);
  }
}

static gboolean
read_vm (VsphereHost *host, const char *id, gboolean files,
         GCancellable *cancellable, GError **error)
{
  g_autoptr (VsphereService) service
    = vsphere_session_get_service (host->session);
  SoapRef ref = { "VirtualMachine", id };
  g_auto (VsphereSpec) spec = { .n_props = 0 };
  g_autoptr (GError) failure = NULL;
  Reading reading = { .host = host };
  gboolean known;

  vix_lock (&host->lock);
  reading.since = vsphere_mirror_get_serial (host->mirror);
  vix_unlock (&host->lock);
  vsphere_spec_init_vm (&spec, service->version, &ref, files);
  if (!vsphere_retrieve (host, &spec, apply_content, &reading, cancellable,
                         &failure)) {
    if (soap_error_is_fault (failure, "ManagedObjectNotFound")) {
      forget_vm (host, id);
      set_vm_not_found (host, id, error);
    } else {
      g_propagate_error (error, g_steal_pointer (&failure));
    }
    return FALSE;
  }
  /* While the rest of the tree is on its way, its places are not known. */
  vsphere_publish (host, !vsphere_watch_is_wanted (host->watch)
                           || vsphere_watch_is_loaded (host->watch));
  vix_lock (&host->lock);
  known = vsphere_mirror_get_vm (host->mirror, id) != NULL;
  vix_unlock (&host->lock);
  if (!known)
    set_vm_not_found (host, id, error);
  return known;
}

gboolean
vsphere_refresh_vm (VsphereHost *host, const char *id,
                    GCancellable *cancellable, GError **error)
{
  /* What is read replaces what is held, files and all. */
  return read_vm (host, id, vsphere_watch_is_wanted (host->watch), cancellable,
                  error);
}

/* (transfer full) (nullable) */
static const VixExtVM *
get_vm (VsphereHost *host, const char *id)
{
  const VixExtVM *record = NULL;
  const VsphereVm *vm;

  vix_lock (&host->lock);
  vm = vsphere_mirror_get_vm (host->mirror, id);
  if (vm != NULL)
    record = vix_vm_record_ref (vsphere_vm_get_record (vm));
  vix_unlock (&host->lock);
  return record;
}

/* Sees that the mirror has the VM: kept up, or read just now. */
static gboolean
need_vm (VsphereHost *host, const char *id, gboolean files,
         GCancellable *cancellable, GError **error)
{
  gboolean wanted = vsphere_watch_is_wanted (host->watch);
  g_autoptr (VixVmRecord) record = wanted ? get_vm (host, id) : NULL;

  if (record != NULL)
    return TRUE;
  if (vsphere_watch_is_loaded (host->watch)) {
    set_vm_not_found (host, id, error);
    return FALSE;
  }
  return vsphere_watch_check_here (host->watch, error)
         && read_vm (host, id, wanted || files, cancellable, error);
}

gboolean
vsphere_need_files (VsphereHost *host, const char *id,
                    GCancellable *cancellable, GError **error)
{
  return need_vm (host, id, TRUE, cancellable, error);
}

const VixExtVM *
vsphere_lookup_vm (VsphereHost *host, const char *id, GCancellable *cancellable,
                   GError **error)
{
  const VixExtVM *record;

  if (!need_vm (host, id, FALSE, cancellable, error))
    return NULL;
  record = get_vm (host, id);
  if (record == NULL)
    set_vm_not_found (host, id, error);
  return record;
}

char *
vsphere_lookup_snapshot (VsphereHost *host, const char *id, gint64 snapshot,
                         GCancellable *cancellable, GError **error)
{
  g_autoptr (VixVmRecord) record
    = vsphere_lookup_vm (host, id, cancellable, error);
  const VsphereVm *vm;
  char *ref = NULL;

  if (record == NULL)
    return NULL;
  vix_lock (&host->lock);
  vm = vsphere_mirror_get_vm (host->mirror, id);
  if (vm != NULL)
    ref = g_strdup (vsphere_vm_get_snapshot_ref (vm, snapshot));
  vix_unlock (&host->lock);
  if (ref == NULL)
    g_set_error (error, VIX_ERROR, VIX_E_SNAPSHOT_NOTFOUND,
                 "%s has no snapshot with the id %" G_GINT64_FORMAT
                 " (any more)",
                 record->displayName, snapshot);
  return ref;
}
