/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * disk-table.c - the disks of snapshots, asked for when somebody looks.
 *
 * A snapshot's configuration is heavier than all that is mirrored of its VM
 * together, so it is not: it is asked for at the first look, for all snapshots
 * of the VM at once, and what matters of it is kept in the mirror until the
 * files change. Whoever goes from VM to VM makes each request fetch more
 * neighbours ahead, so that a walk over thousands costs a request for each 64.
 */
#include "base/error.h"
#include "vsphere/host-private.h"
#include "vsphere/soap/fault.h"

#define MAX_VMS 64u
/* Who looks so long after the last time is not on the same walk. */
#define WALK_US (10 * G_USEC_PER_SEC)
/* The files may change just while the host is asked; not every time. */
#define MAX_TRIES 3u

/* ---- one request ---- */

typedef struct {
  VsphereHost *host;
  GPtrArray *wants;   /* (VsphereWant) */
  GHashTable *by_ref; /* ref -> VsphereWant */
} Request;

static void
keep (VsphereHost *host, const VsphereWant *want, const VsphereKnown *known)
{
  VsphereVm *vm;

  vix_lock (&host->lock);
  vm = vsphere_mirror_get_vm (host->mirror, want->vm);
  if (vm != NULL
      && vsphere_vm_get_chain_state (vm, want->snapshot) == want->state)
    vsphere_vm_put_known (vm, want->snapshot, known);
  vix_unlock (&host->lock);
}

static void
take_config (const SoapObjectContent *content, gboolean cut, SoapArena *arena,
             gpointer data)
{
  Request *self = data;
  const VsphereWant *want
    = g_hash_table_lookup (self->by_ref, content->obj.value);
  const SoapNode *value = vsphere_content_get (content, "config");
  const SoapVirtualMachineConfigInfo *config;
  g_autoptr (VsphereDisks) disks = NULL;
  g_autoptr (GBytes) text = NULL;
  g_autoptr (GError) error = NULL;
  VsphereKnown known = { 0 };

  if (value == NULL || want == NULL || cut)
    return;
  if (!soap_decode_value (SOAP_KIND_STRUCT, &soap_type_VirtualMachineConfigInfo,
                          "config", value, arena, &config, &error)) {
    g_debug ("%s: %s", want->ref, error->message);
    return;
  }
  disks = vsphere_disks_new (config->hardware);
  text = vsphere_write_config (config, want->directory);
  known.state = want->state;
  known.disks = disks;
  known.config_bytes = g_bytes_get_size (text);
  keep (self->host, want, &known);
}

static gboolean
send_request (VsphereHost *host, GPtrArray *wants, GCancellable *cancellable,
              GError **error)
{
  static const char *const paths[] = { "config", NULL };
  g_autoptr (GHashTable) by_ref = g_hash_table_new (g_str_hash, g_str_equal);
  g_autofree SoapRef *objects = g_new (SoapRef, wants->len);
  g_auto (VsphereSpec) spec = { .n_props = 0 };
  Request self = { host, wants, by_ref };

  for (guint i = 0; i < wants->len; i++) {
    VsphereWant *want = wants->pdata[i];

    objects[i] = (SoapRef){ "VirtualMachineSnapshot", want->ref };
    g_hash_table_insert (by_ref, want->ref, want);
  }
  vsphere_spec_init_objects (&spec, paths, objects, wants->len);
  return vsphere_retrieve (host, &spec, take_config, &self, cancellable, error);
}

/* ---- who asks for what ---- */

static guint
grow_locked (VsphereHost *host)
{
  gint64 now = g_get_monotonic_time ();

  host->ask_vms = host->ask_vms > 0 && now - host->ask_at < WALK_US
                    ? MIN (2 * host->ask_vms, MAX_VMS)
                    : 1;
  host->ask_at = now;
  return host->ask_vms;
}

static void
mark_locked (VsphereHost *host, const GPtrArray *wants, gboolean asked)
{
  for (guint i = 0; i < wants->len; i++) {
    const VsphereWant *want = wants->pdata[i];

    if (asked)
      g_hash_table_add (host->asked, g_strdup (want->vm));
    else
      g_hash_table_remove (host->asked, want->vm);
  }
  if (!asked)
    g_cond_broadcast (&host->answered);
}

static void
leave_only (GPtrArray *wants, gint64 snapshot)
{
  for (guint i = wants->len; i-- > 0;) {
    const VsphereWant *want = wants->pdata[i];

    if (want->snapshot != snapshot)
      g_ptr_array_remove_index (wants, i);
  }
}

/* Asks for what is not known of @id, if that is anything. Another snapshot that
 * has just gone, of the VM or of a neighbour, spoils the whole request: @alone
 * is the way to ask again, for @snapshot only. */
static gboolean
ask (VsphereHost *host, const char *id, gint64 snapshot, gboolean alone,
     GCancellable *cancellable, GError **error)
{
  g_autoptr (GPtrArray) wants = NULL;
  gboolean ok = TRUE;

  vix_lock (&host->lock);
  if (!g_hash_table_contains (host->asked, id)
      && vsphere_mirror_get_vm (host->mirror, id) != NULL) {
    wants = vsphere_mirror_want_disks (
      host->mirror, id, alone ? 1 : grow_locked (host), host->asked);
    if (alone)
      leave_only (wants, snapshot);
    mark_locked (host, wants, TRUE);
  }
  vix_unlock (&host->lock);
  if (wants != NULL && wants->len > 0)
    ok = send_request (host, wants, cancellable, error);
  if (wants != NULL) {
    vix_lock (&host->lock);
    mark_locked (host, wants, FALSE);
    vix_unlock (&host->lock);
  }
  return ok;
}

static void
on_cancelled (GCancellable *cancellable, gpointer data)
{
  VsphereHost *host = data;

  vix_lock (&host->lock);
  g_cond_broadcast (&host->answered);
  vix_unlock (&host->lock);
}

/* Another thread is asking for that VM: waits for what it gets. */
static void
await_answer (VsphereHost *host, const char *id, GCancellable *cancellable)
{
  gulong handler = cancellable == NULL
                     ? 0
                     : g_cancellable_connect (
                       cancellable, G_CALLBACK (on_cancelled), host, NULL);

  vix_lock (&host->lock);
  while (g_hash_table_contains (host->asked, id)
         && !g_cancellable_is_cancelled (cancellable))
    vix_lock_wait (&host->lock, &host->answered);
  vix_unlock (&host->lock);
  if (cancellable != NULL)
    g_cancellable_disconnect (cancellable, handler);
}

/* ---- looking ---- */

typedef enum { LOOK_KNOWN, LOOK_ASKED, LOOK_UNKNOWN, LOOK_GONE } Look;

static Look
look (VsphereHost *host, const char *id, gint64 snapshot,
      VsphereKnown *ret_known)
{
  const VsphereVm *vm;
  const VsphereKnown *known = NULL;
  Look found = LOOK_GONE;

  vix_lock (&host->lock);
  vm = vsphere_mirror_get_vm (host->mirror, id);
  if (vm != NULL && vsphere_vm_get_snapshot_ref (vm, snapshot) != NULL) {
    known = vsphere_vm_get_known (vm, snapshot);
    found = g_hash_table_contains (host->asked, id) ? LOOK_ASKED : LOOK_UNKNOWN;
  }
  if (known != NULL) {
    *ret_known = *known;
    vsphere_disks_ref (known->disks);
    found = LOOK_KNOWN;
  }
  vix_unlock (&host->lock);
  return found;
}

static gboolean
set_gone (VsphereHost *host, gint64 snapshot, GError **error)
{
  g_set_error (error, VIX_ERROR, VIX_E_SNAPSHOT_NOTFOUND,
               "%s has no snapshot with the id %" G_GINT64_FORMAT
               " there (any more)",
               vsphere_session_get_host (host->session), snapshot);
  return FALSE;
}

/* Whether to ask again after @error, which it then clears. */
static gboolean
may_ask_again (guint tries, GError **error)
{
  if (tries + 1 >= MAX_TRIES
      || !soap_error_is_fault (*error, "ManagedObjectNotFound"))
    return FALSE;
  g_clear_error (error);
  return TRUE;
}

gboolean
vsphere_need_known (VsphereHost *host, const char *id, gint64 snapshot,
                    VsphereKnown *ret_known, GCancellable *cancellable,
                    GError **error)
{
  guint tries = 0;

  VIX_MAY_BLOCK ();
  if (!vsphere_need_files (host, id, cancellable, error))
    return FALSE;
  while (tries < MAX_TRIES) {
    g_autoptr (GError) failure = NULL;
    Look found = look (host, id, snapshot, ret_known);

    if (found == LOOK_KNOWN)
      return TRUE;
    if (found == LOOK_GONE)
      return set_gone (host, snapshot, error);
    if (g_cancellable_set_error_if_cancelled (cancellable, error)
        || !vsphere_watch_check_here (host->watch, error))
      return FALSE;
    if (found == LOOK_ASKED) {
      await_answer (host, id, cancellable);
      continue;
    }
    if (!ask (host, id, snapshot, tries > 0, cancellable, &failure)
        && !may_ask_again (tries, &failure)) {
      g_propagate_error (error, g_steal_pointer (&failure));
      return FALSE;
    }
    tries++;
  }
  g_set_error (
    error, VIX_ERROR, VIX_E_CANNOT_READ_VM_CONFIG,
    "%s does not tell the configuration of snapshot %" G_GINT64_FORMAT
    " of \"%s\": the role needs System.Read on the virtual machine",
    vsphere_session_get_host (host->session), snapshot, id);
  return FALSE;
}

void
vsphere_settle_known (VsphereHost *host, const char *id, gint64 snapshot,
                      const VsphereKnown *known, guint index,
                      gboolean unwritten)
{
  VsphereKnown *mine = NULL;
  VsphereVm *vm;

  if (index >= 64)
    return;
  vix_lock (&host->lock);
  vm = vsphere_mirror_get_vm (host->mirror, id);
  if (vm != NULL)
    mine = vsphere_vm_get_known (vm, snapshot);
  if (mine != NULL && mine->state == known->state) {
    mine->settled |= G_GUINT64_CONSTANT (1) << index;
    if (unwritten)
      mine->unwritten |= G_GUINT64_CONSTANT (1) << index;
  }
  vix_unlock (&host->lock);
}

void
vsphere_forget_known (VsphereHost *host, const char *id)
{
  VsphereVm *vm;

  vix_lock (&host->lock);
  vm = vsphere_mirror_get_vm (host->mirror, id);
  if (vm != NULL)
    vsphere_vm_forget_known (vm);
  vix_unlock (&host->lock);
}
