/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * find.c - virtual machines by the path of their .vmx: finding, listing,
 * registering, unregistering.
 */
#include <string.h>

#include "base/error.h"
#include "vsphere/chore.h"
#include "vsphere/host-private.h"
#include "vsphere/soap/fault.h"

/* "[store] file" taken apart, blanks behind the bracket squeezed. */
typedef struct {
  char *store; /* maybe with the datacenter in front */
  const char *file;
} StorePath;

static gboolean
parse_path (const char *path, StorePath *ret)
{
  const char *end = *path == '[' ? strchr (path, ']') : NULL;

  if (end == NULL || end == path + 1)
    return FALSE;
  ret->store = g_strndup (path + 1, (gsize)(end - path) - 1);
  ret->file = end + 1 + strspn (end + 1, " ");
  return TRUE;
}

/* ---- datacenters ---- */

typedef struct {
  SoapRef ref;
  char *name;
  char *folder;          /* value of its vmFolder */
  GPtrArray *datastores; /* values */
} Datacenter;

static void
datacenter_clear (gpointer data)
{
  Datacenter *self = data;

  g_free ((char *)self->ref.value);
  g_free (self->name);
  g_free (self->folder);
  g_ptr_array_unref (self->datastores);
}

static void
take_datacenter (const SoapObjectContent *content, gboolean cut,
                 SoapArena *arena, gpointer data)
{
  const SoapNode *name = vsphere_content_get (content, "name");
  const SoapNode *folder = vsphere_content_get (content, "vmFolder");
  const SoapNode *stores = vsphere_content_get (content, "datastore");
  Datacenter made = { .ref = { "Datacenter", g_strdup (content->obj.value) } };

  made.name = g_strdup (name == NULL ? "" : name->text);
  made.folder = g_strdup (folder == NULL ? "" : folder->text);
  made.datastores = g_ptr_array_new_with_free_func (g_free);
  for (const SoapNode *node = stores == NULL ? NULL : stores->first;
       node != NULL; node = node->next)
    g_ptr_array_add (made.datastores, g_strdup (node->text));
  g_array_append_val ((GArray *)data, made);
}

/* (transfer full): array of Datacenter */
static GArray *
list_datacenters (VsphereHost *host, GCancellable *cancellable, GError **error)
{
  static const char *const paths[] = { "name", "vmFolder", "datastore", NULL };
  g_autoptr (VsphereService) service
    = vsphere_session_get_service (host->session);
  g_auto (VsphereSpec) spec = { .n_props = 0 };
  g_autoptr (GArray) found = g_array_new (FALSE, FALSE, sizeof (Datacenter));

  g_array_set_clear_func (found, datacenter_clear);
  vsphere_spec_init_datacenters (&spec, paths, &service->root_folder);
  if (!vsphere_retrieve (host, &spec, take_datacenter, found, cancellable,
                         error))
    return NULL;
  return g_steal_pointer (&found);
}

/* (nullable): what of "DC/store" or "folder/DC/store" is the store, if it is
 * in @datacenter. A path without a datacenter fits any. */
static const char *
store_within (const Datacenter *datacenter, const char *store)
{
  const char *slash = strrchr (store, '/');
  gsize n = strlen (datacenter->name);

  if (slash == NULL)
    return store;
  if ((gsize)(slash - store) < n
      || strncmp (slash - n, datacenter->name, n) != 0
      || (slash - n > store && slash[-(gssize)n - 1] != '/'))
    return NULL;
  return slash + 1;
}

/* ---- finding one ---- */

static gboolean
find_in_datacenter (VsphereHost *host, const Datacenter *datacenter,
                    const char *store, const char *file, char **ret_id,
                    GCancellable *cancellable, GError **error)
{
  g_autoptr (VsphereService) service
    = vsphere_session_get_service (host->session);
  g_autofree char *path = g_strdup_printf ("[%s] %s", store, file);
  SoapFindByDatastorePathArgs args
    = { .datacenter = datacenter->ref, .path = path };
  g_autoptr (GError) failure = NULL;
  g_autoptr (SoapReply) reply = vsphere_session_call (
    host->session, &soap_method_FindByDatastorePath, &service->search_index,
    &args, NULL, cancellable, &failure);

  if (reply != NULL) {
    *ret_id = g_strdup (soap_reply_get_ref (reply)->value);
    return TRUE;
  }
  /* A datastore that this datacenter does not have is no failure. */
  if (soap_error_get_fault (failure) != NULL
      && !soap_error_is_fault (failure, "NoPermission"))
    return TRUE;
  g_propagate_error (error, g_steal_pointer (&failure));
  return FALSE;
}

static void
set_not_found (VsphereHost *host, const char *path, GError **error)
{
  g_set_error (error, VIX_ERROR, VIX_E_VM_NOT_FOUND,
               "%s has no virtual machine registered with \"%s\"; paths are "
               "written \"[datastore] directory/name.vmx\" or "
               "\"[datacenter/datastore] ...\"",
               vsphere_session_get_host (host->session), path);
}

/* (transfer full): by asking the host */
static char *
search_host (VsphereHost *host, const char *path, GCancellable *cancellable,
             GError **error)
{
  g_autoptr (GArray) datacenters = NULL;
  StorePath parts;
  g_autofree char *store = NULL;
  char *id = NULL;

  if (!parse_path (path, &parts)) {
    set_not_found (host, path, error);
    return NULL;
  }
  store = parts.store;
  datacenters = list_datacenters (host, cancellable, error);
  if (datacenters == NULL)
    return NULL;
  for (guint i = 0; i < datacenters->len && id == NULL; i++) {
    const Datacenter *at = &g_array_index (datacenters, Datacenter, i);
    const char *within = store_within (at, store);

    if (within != NULL
        && !find_in_datacenter (host, at, within, parts.file, &id, cancellable,
                                error))
      return NULL;
  }
  if (id == NULL)
    set_not_found (host, path, error);
  return id;
}

static gboolean
has_path (const VsphereVm *vm, gpointer path)
{
  return vsphere_vm_has_path (vm, path);
}

static int
compare_text (gconstpointer a, gconstpointer b)
{
  return strcmp (*(const char *const *)a, *(const char *const *)b);
}

char *
vsphere_open_vm (VsphereHost *host, const char *path, const VixOp *op,
                 GError **error)
{
  g_autoptr (GPtrArray) ids = NULL;
  g_autofree char *id = NULL;
  const VsphereVm *vm;
  gboolean right;

  if (vsphere_watch_is_loaded (host->watch)) {
    vix_lock (&host->lock);
    ids = vsphere_mirror_find_vms (host->mirror, has_path, (gpointer)path);
    vix_unlock (&host->lock);
    /* Several: any, but always the same one. */
    g_ptr_array_sort (ids, compare_text);
    if (ids->len > 0)
      return g_strdup (ids->pdata[0]);
  }
  if (!vsphere_watch_check_here (host->watch, error))
    return NULL;
  id = search_host (host, path, op->cancellable, error);
  if (id == NULL || !vsphere_refresh_vm (host, id, op->cancellable, error))
    return NULL;
  /* Some hosts look beyond the datacenter that they are asked about. */
  vix_lock (&host->lock);
  vm = vsphere_mirror_get_vm (host->mirror, id);
  right = vm != NULL && vsphere_vm_has_path (vm, path);
  vix_unlock (&host->lock);
  if (right)
    return g_steal_pointer (&id);
  set_not_found (host, path, error);
  return NULL;
}

/* ---- listing ---- */

static gboolean
take_all (const VsphereVm *vm, gpointer data)
{
  return TRUE;
}

/* Their .vmx paths, sorted. */
static GPtrArray *
list_paths (VsphereMirror *mirror, gboolean running_only)
{
  g_autoptr (GPtrArray) ids = vsphere_mirror_find_vms (mirror, take_all, NULL);
  GPtrArray *paths = g_ptr_array_new_with_free_func (g_free);

  for (guint i = 0; i < ids->len; i++) {
    const VsphereVm *vm = vsphere_mirror_get_vm (mirror, ids->pdata[i]);
    const VixExtVM *record = vsphere_vm_get_record (vm);

    if (*record->vmxPath != '\0'
        && (!running_only
            || (record->powerState & VIX_POWERSTATE_POWERED_ON) != 0))
      g_ptr_array_add (paths, g_strdup (record->vmxPath));
  }
  g_ptr_array_sort (paths, compare_text);
  return paths;
}

static void
take_content (const SoapObjectContent *content, gboolean cut, SoapArena *arena,
              gpointer data)
{
  vsphere_mirror_apply_content (data, content, cut, arena);
}

/* Reads the whole inventory once, into a mirror of its own. */
static VsphereMirror *
read_inventory (VsphereHost *host, GCancellable *cancellable, GError **error)
{
  g_autoptr (VsphereService) service
    = vsphere_session_get_service (host->session);
  g_autoptr (VsphereMirror) mirror = vsphere_mirror_new (!host->is_vcenter);
  g_auto (VsphereSpec) spec = { .n_props = 0 };
  g_autofree char *view = vsphere_create_view (host, cancellable, error);
  GArray *changes;
  gboolean ok;

  if (view == NULL)
    return NULL;
  vsphere_spec_init_inventory (&spec, service->version,
                               &(SoapRef){ "ContainerView", view }, FALSE);
  ok = vsphere_retrieve (host, &spec, take_content, mirror, cancellable, error);
  vsphere_chore_push (host, &soap_method_DestroyView, "ContainerView", view);
  if (!ok)
    return NULL;
  /* Which gives the records their paths. */
  changes = vsphere_mirror_take_changes (mirror, TRUE);
  g_array_unref (changes);
  return g_steal_pointer (&mirror);
}

GPtrArray *
vsphere_find_vms (VsphereHost *host, gboolean running_only, const VixOp *op,
                  GError **error)
{
  g_autoptr (VsphereMirror) mirror = NULL;
  GPtrArray *paths;

  if (!vsphere_watch_is_loaded (host->watch)) {
    mirror = read_inventory (host, op->cancellable, error);
    return mirror == NULL ? NULL : list_paths (mirror, running_only);
  }
  vix_lock (&host->lock);
  paths = list_paths (host->mirror, running_only);
  vix_unlock (&host->lock);
  return paths;
}

/* ---- registering ---- */

/* Where a VM on a datastore can run. */
typedef struct {
  const char *wanted; /* name of the datastore */
  char *store;        /* its value */
  GPtrArray *hosts;   /* values of those that have it mounted */
  char *host;         /* that is connected */
  char *compute_type; /* its ComputeResource */
  char *compute;
  char *pool;
} Place;

static void
place_clear (Place *self)
{
  g_free (self->store);
  g_ptr_array_unref (self->hosts);
  g_free (self->host);
  g_free (self->compute_type);
  g_free (self->compute);
  g_free (self->pool);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Place, place_clear)

static void
take_store (const SoapObjectContent *content, gboolean cut, SoapArena *arena,
            gpointer data)
{
  Place *place = data;
  const SoapNode *name = vsphere_content_get (content, "name");
  const SoapNode *mounts = vsphere_content_get (content, "host");

  if (place->store != NULL || name == NULL
      || !g_str_equal (name->text, place->wanted))
    return;
  place->store = g_strdup (content->obj.value);
  for (const SoapNode *mount = mounts == NULL ? NULL : mounts->first;
       mount != NULL; mount = mount->next) {
    const char *key = soap_node_child_text (mount, "key");

    if (key != NULL)
      g_ptr_array_add (place->hosts, g_strdup (key));
  }
}

static void
take_host (const SoapObjectContent *content, gboolean cut, SoapArena *arena,
           gpointer data)
{
  Place *place = data;
  const SoapNode *parent = vsphere_content_get (content, "parent");
  const SoapNode *state
    = vsphere_content_get (content, "runtime.connectionState");

  if (place->host != NULL || parent == NULL || parent->type == NULL
      || state == NULL || !g_str_equal (state->text, "connected"))
    return;
  place->host = g_strdup (content->obj.value);
  place->compute_type = g_strdup (parent->type);
  place->compute = g_strdup (parent->text);
}

static void
take_pool (const SoapObjectContent *content, gboolean cut, SoapArena *arena,
           gpointer data)
{
  Place *place = data;
  const SoapNode *pool = vsphere_content_get (content, "resourcePool");

  if (place->pool == NULL && pool != NULL)
    place->pool = g_strdup (pool->text);
}

static gboolean
read_objects (VsphereHost *host, const char *const *paths, const char *type,
              const GPtrArray *values, VsphereContentFunc func, gpointer data,
              GCancellable *cancellable, GError **error)
{
  g_autofree SoapRef *refs = g_new (SoapRef, values->len);
  g_auto (VsphereSpec) spec = { .n_props = 0 };

  if (values->len == 0)
    return TRUE;
  for (guint i = 0; i < values->len; i++)
    refs[i] = (SoapRef){ type, values->pdata[i] };
  vsphere_spec_init_objects (&spec, paths, refs, values->len);
  return vsphere_retrieve (host, &spec, func, data, cancellable, error);
}

/* FALSE without @error if the datacenter has no such datastore. */
static gboolean
find_place (VsphereHost *host, const Datacenter *datacenter, Place *place,
            GCancellable *cancellable, GError **error)
{
  static const char *const store_paths[] = { "name", "host", NULL };
  static const char *const host_paths[]
    = { "parent", "runtime.connectionState", NULL };
  static const char *const compute_paths[] = { "resourcePool", NULL };
  g_autoptr (GPtrArray) compute = g_ptr_array_new ();

  if (!read_objects (host, store_paths, "Datastore", datacenter->datastores,
                     take_store, place, cancellable, error)
      || place->store == NULL)
    return FALSE;
  if (!read_objects (host, host_paths, "HostSystem", place->hosts, take_host,
                     place, cancellable, error))
    return FALSE;
  if (place->compute == NULL)
    return FALSE;
  g_ptr_array_add (compute, place->compute);
  return read_objects (host, compute_paths, place->compute_type, compute,
                       take_pool, place, cancellable, error)
         && place->pool != NULL;
}

/* The answer was lost: the VM is registered, or it is not. */
static gboolean
find_registered (VsphereHost *host, const char *path, const GError *cause,
                 GError **error)
{
  gint64 end = g_get_monotonic_time () + host->settle_us;

  vsphere_watch_doubt (host->watch);
  do {
    g_autofree char *id = NULL;

    if (vsphere_watch_await_here (host->watch, NULL, end))
      id = search_host (host, path, NULL, NULL);
    if (id != NULL)
      return TRUE;
    g_usleep (G_USEC_PER_SEC / 2);
  } while (g_get_monotonic_time () < end);
  g_set_error (error, VIX_ERROR, VIX_E_HOST_CONNECTION_LOST,
               "%s; it is not known to have happened", cause->message);
  return FALSE;
}

static gboolean
is_missing_file (const GError *error)
{
  static const char *const faults[]
    = { "NotFound", "FileNotFound", "InvalidDatastore",
        "InvalidDatastorePath" };

  for (gsize i = 0; i < G_N_ELEMENTS (faults); i++)
    if (soap_error_is_fault (error, faults[i]))
      return TRUE;
  return FALSE;
}

static gboolean
send_register (VsphereHost *host, const Datacenter *datacenter,
               const Place *place, const char *file, const char *path,
               const VixOp *op, GError **error)
{
  g_autofree char *wire = g_strdup_printf ("[%s] %s", place->wanted, file);
  SoapRef folder = { "Folder", datacenter->folder };
  SoapRegisterVMArgs args = { .path = wire,
                              .pool = { "ResourcePool", place->pool },
                              .host = { "HostSystem", place->host } };
  VsphereTaskEnd end = { .returns = TRUE };
  g_autoptr (GError) failure = NULL;
  g_autoptr (SoapReply) reply
    = vsphere_session_call (host->session, &soap_method_RegisterVM_Task,
                            &folder, &args, NULL, op->cancellable, &failure);

  if (reply == NULL && soap_error_get_sent (failure))
    return find_registered (host, path, failure, error);
  if (reply != NULL
      && vsphere_task_wait (host, soap_reply_get_ref (reply), op, &end,
                            &failure)) {
    if (end.forgotten) {
      g_set_error_literal (&failure, VIX_ERROR, VIX_E_HOST_CONNECTION_LOST,
                           "the host has forgotten the task");
      return find_registered (host, path, failure, error);
    }
    if (end.result != NULL)
      vsphere_refresh_vm (host, end.result, NULL, NULL);
    g_free (end.result);
    return TRUE;
  }
  if (soap_error_is_fault (failure, "AlreadyExists"))
    return TRUE;
  if (is_missing_file (failure))
    g_set_error (error, VIX_ERROR, VIX_E_NOT_FOUND, "%s: %s", path,
                 failure->message);
  else
    g_propagate_error (error, g_steal_pointer (&failure));
  return FALSE;
}

gboolean
vsphere_register_vm (VsphereHost *host, const char *path, const VixOp *op,
                     GError **error)
{
  g_autoptr (GArray) datacenters = NULL;
  StorePath parts;
  g_autofree char *store = NULL;

  if (!parse_path (path, &parts)) {
    g_set_error (error, VIX_ERROR, VIX_E_NOT_FOUND,
                 "\"%s\": paths are written \"[datastore] "
                 "directory/name.vmx\"",
                 path);
    return FALSE;
  }
  store = parts.store;
  if (!vsphere_watch_check_here (host->watch, error))
    return FALSE;
  datacenters = list_datacenters (host, op->cancellable, error);
  if (datacenters == NULL)
    return FALSE;
  for (guint i = 0; i < datacenters->len; i++) {
    const Datacenter *at = &g_array_index (datacenters, Datacenter, i);
    g_autoptr (GError) failure = NULL;
    g_auto (Place) place = { .wanted = store_within (at, store),
                             .hosts = g_ptr_array_new_with_free_func (g_free) };

    if (place.wanted == NULL)
      continue;
    if (find_place (host, at, &place, op->cancellable, &failure))
      return send_register (host, at, &place, parts.file, path, op, error);
    if (failure != NULL) {
      g_propagate_error (error, g_steal_pointer (&failure));
      return FALSE;
    }
  }
  g_set_error (error, VIX_ERROR, VIX_E_NOT_FOUND,
               "%s: %s has no datastore of that name on a connected host", path,
               vsphere_session_get_host (host->session));
  return FALSE;
}

gboolean
vsphere_unregister_vm (VsphereHost *host, const char *path, const VixOp *op,
                       GError **error)
{
  g_autoptr (GError) failure = NULL;
  g_autofree char *id = vsphere_open_vm (host, path, op, &failure);
  VsphereChangeCall call = { .method = &soap_method_UnregisterVM,
                             .object = { "VirtualMachine", id } };

  if (id != NULL && vsphere_change_run (host, id, &call, op, NULL, &failure)) {
    vsphere_vm_gone (host, id);
    return TRUE;
  }
  /* Not registered is what was asked for. */
  if (g_error_matches (failure, VIX_ERROR, VIX_E_VM_NOT_FOUND)
      || soap_error_is_fault (failure, "ManagedObjectNotFound")) {
    if (id != NULL)
      vsphere_vm_gone (host, id);
    return TRUE;
  }
  g_propagate_error (error, g_steal_pointer (&failure));
  return FALSE;
}
