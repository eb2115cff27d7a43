/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * VIX names a snapshot by a handle, we by the uid of its .vmsd block. The way
 * from ours to theirs is the path from the root: at each level the snapshots
 * with our name and description, of which ours is the k-th (both lists are in
 * order of age). If the two lists do not have the same number of them, the
 * library sees another tree than the file tells, and nothing is done.
 */
#include "workstation/vendor.h"

#include <dlfcn.h>
#include <string.h>

#include "base/error.h"
#include "base/kv-file.h"

/* A tree deeper than this is not searched; VMware stops at about 100. */
#define MAX_DEPTH 1000

typedef VixHandle (*ConnectFunc) (int, VixServiceProvider, const char *, int,
                                  const char *, const char *, VixHostOptions,
                                  VixHandle, VixEventProc *, void *);
typedef void (*HandleFunc) (VixHandle);
typedef VixHandle (*OpenFunc) (VixHandle, const char *, VixEventProc *, void *);
typedef VixHandle (*CreateFunc) (VixHandle, const char *, const char *,
                                 VixCreateSnapshotOptions, VixHandle,
                                 VixEventProc *, void *);
typedef VixHandle (*RevertFunc) (VixHandle, VixHandle, VixVMPowerOpOptions,
                                 VixHandle, VixEventProc *, void *);
typedef VixHandle (*RemoveFunc) (VixHandle, VixHandle, VixRemoveSnapshotOptions,
                                 VixEventProc *, void *);
typedef VixHandle (*CloneFunc) (VixHandle, VixHandle, VixCloneType,
                                const char *, int, VixHandle, VixEventProc *,
                                void *);
typedef VixHandle (*OptionsFunc) (VixHandle, int, VixEventProc *, void *);
typedef VixHandle (*PropsFunc) (VixHandle, int, VixHandle, VixEventProc *,
                                void *);
typedef VixError (*CountFunc) (VixHandle, int *);
typedef VixError (*NthFunc) (VixHandle, int, VixHandle *);
typedef VixError (*PropertiesFunc) (VixHandle, VixPropertyID, ...);
typedef const char *(*TextFunc) (VixError, const char *);
typedef void (*FreeFunc) (void *);

struct WsVendor {
  void *library;
  char *path;
  VixHandle host;

  ConnectFunc connect;
  HandleFunc disconnect;
  HandleFunc release;
  OpenFunc open;
  CreateFunc create;
  RevertFunc revert;
  RemoveFunc remove;
  CloneFunc clone;
  OptionsFunc delete_vm;
  PropsFunc power_on;
  OptionsFunc power_off;
  OptionsFunc reset;
  OptionsFunc suspend;
  PropsFunc pause;
  PropsFunc unpause;
  OptionsFunc upgrade;
  CountFunc count_roots;
  NthFunc nth_root;
  CountFunc count_children;
  NthFunc nth_child;
  PropertiesFunc wait;
  PropertiesFunc get_properties;
  TextFunc error_text;
  FreeFunc free_buffer;
};

static const struct {
  const char *name;
  gsize offset;
} symbols[] = {
  { "VixHost_Connect", G_STRUCT_OFFSET (WsVendor, connect) },
  { "VixHost_Disconnect", G_STRUCT_OFFSET (WsVendor, disconnect) },
  { "Vix_ReleaseHandle", G_STRUCT_OFFSET (WsVendor, release) },
  { "VixVM_Open", G_STRUCT_OFFSET (WsVendor, open) },
  { "VixVM_CreateSnapshot", G_STRUCT_OFFSET (WsVendor, create) },
  { "VixVM_RevertToSnapshot", G_STRUCT_OFFSET (WsVendor, revert) },
  { "VixVM_RemoveSnapshot", G_STRUCT_OFFSET (WsVendor, remove) },
  { "VixVM_Clone", G_STRUCT_OFFSET (WsVendor, clone) },
  { "VixVM_Delete", G_STRUCT_OFFSET (WsVendor, delete_vm) },
  { "VixVM_PowerOn", G_STRUCT_OFFSET (WsVendor, power_on) },
  { "VixVM_PowerOff", G_STRUCT_OFFSET (WsVendor, power_off) },
  { "VixVM_Reset", G_STRUCT_OFFSET (WsVendor, reset) },
  { "VixVM_Suspend", G_STRUCT_OFFSET (WsVendor, suspend) },
  { "VixVM_Pause", G_STRUCT_OFFSET (WsVendor, pause) },
  { "VixVM_Unpause", G_STRUCT_OFFSET (WsVendor, unpause) },
  { "VixVM_UpgradeVirtualHardware", G_STRUCT_OFFSET (WsVendor, upgrade) },
  { "VixVM_GetNumRootSnapshots", G_STRUCT_OFFSET (WsVendor, count_roots) },
  { "VixVM_GetRootSnapshot", G_STRUCT_OFFSET (WsVendor, nth_root) },
  { "VixSnapshot_GetNumChildren", G_STRUCT_OFFSET (WsVendor, count_children) },
  { "VixSnapshot_GetChild", G_STRUCT_OFFSET (WsVendor, nth_child) },
  { "VixJob_Wait", G_STRUCT_OFFSET (WsVendor, wait) },
  { "Vix_GetProperties", G_STRUCT_OFFSET (WsVendor, get_properties) },
  { "Vix_GetErrorText", G_STRUCT_OFFSET (WsVendor, error_text) },
  { "Vix_FreeBuffer", G_STRUCT_OFFSET (WsVendor, free_buffer) },
};

/* ---- finding and loading ---- */

/*
 * The library has its own functions under the names that this process has
 * too, so it must bind to itself first. The sanitizers' runtimes refuse
 * RTLD_DEEPBIND. What was loaded stays: a library that has begun threads, or
 * keeps something per thread, cannot be unmapped safely.
 */
static void *
load (const char *path)
{
  int flags = RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE;

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
#if defined(__has_feature)
#if !__has_feature(address_sanitizer) && !__has_feature(thread_sanitizer)
  flags |= RTLD_DEEPBIND;
#endif
#else
  flags |= RTLD_DEEPBIND;
#endif
#endif
  return dlopen (path, flags);
}

static gboolean
is_vmwares (const char *path)
{
  void *library;
  gboolean ours;

  if (!g_file_test (path, G_FILE_TEST_IS_REGULAR))
    return FALSE;
  library = load (path);
  if (library == NULL)
    return FALSE;
  ours = dlsym (library, "VixExt_Watch") != NULL;
  dlclose (library);
  return !ours;
}

static char *
configured_library (const char *config_file)
{
  g_autofree char *text = NULL;
  g_autoptr (KvFile) config = NULL;
  const char *dir;
  gsize len;

  if (!g_file_get_contents (config_file, &text, &len, NULL))
    return NULL;
  config = kv_file_parse (text, len, config_file, NULL);
  dir = config != NULL ? kv_file_get (config, "vix.libdir") : NULL;
  if (dir == NULL || !g_path_is_absolute (dir))
    return NULL;
  return g_build_filename (dir, "libvixAllProducts.so", NULL);
}

char *
ws_vendor_find (const char *config_file)
{
  static const char *const usual[]
    = { "/usr/lib/vmware-vix/libvixAllProducts.so",
        "/usr/lib/libvixAllProducts.so", "/usr/lib64/libvixAllProducts.so",
        "/usr/local/lib/libvixAllProducts.so" };
  g_autofree char *configured = configured_library (config_file);
  gsize i;

  if (configured != NULL && is_vmwares (configured))
    return g_steal_pointer (&configured);
  for (i = 0; i < G_N_ELEMENTS (usual); i++)
    if (is_vmwares (usual[i]))
      return g_strdup (usual[i]);
  return NULL;
}

static gboolean
resolve_symbols (WsVendor *self, GError **error)
{
  gsize i;

  for (i = 0; i < G_N_ELEMENTS (symbols); i++) {
    void *symbol = dlsym (self->library, symbols[i].name);

    if (symbol == NULL) {
      g_set_error (error, VIX_ERROR, VIX_E_WRAPPER_VERSION_NOT_FOUND,
                   "\"%s\" has no function %s: it is no VIX library, or one "
                   "too old",
                   self->path, symbols[i].name);
      return FALSE;
    }
    memcpy ((char *)self + symbols[i].offset, &symbol, sizeof symbol);
  }
  return TRUE;
}

void
ws_vendor_close (WsVendor *self)
{
  if (self == NULL)
    return;
  if (self->host != VIX_INVALID_HANDLE)
    self->disconnect (self->host);
  /* Its threads may still be on their way out: it stays loaded. */
  g_free (self->path);
  g_free (self);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC (WsVendor, ws_vendor_close)

/* ---- calls ---- */

/* VMware's error as ours: the code stays, the text is its own. */
static gboolean
check (WsVendor *self, VixError err, const char *what, GError **error)
{
  int code = (int)VIX_ERROR_CODE (err);
  const char *text;

  if (VIX_SUCCEEDED (err))
    return TRUE;
  text = self->error_text (err, NULL);
  g_set_error (error, VIX_ERROR, code != VIX_OK ? code : VIX_E_FAIL,
               "%s through \"%s\": %s (error %d)", what, self->path,
               text != NULL ? text : "unknown error", code);
  return FALSE;
}

/* Waits for @job, releases it; @ret_handle (nullable) gets its result. */
static gboolean
finish (WsVendor *self, VixHandle job, const char *what, VixHandle *ret_handle,
        GError **error)
{
  VixError err;

  VIX_MAY_BLOCK ();
  if (ret_handle != NULL)
    err = self->wait (job, VIX_PROPERTY_JOB_RESULT_HANDLE, ret_handle,
                      VIX_PROPERTY_NONE);
  else
    err = self->wait (job, VIX_PROPERTY_NONE);
  self->release (job);
  return check (self, err, what, error);
}

gboolean
ws_vendor_open (const VixConnectParams *params, WsVendor **ret_vendor,
                const VixOp *op, GError **error)
{
  g_autoptr (WsVendor) self = NULL;
  const char *choice = params->vendor_library;
  gboolean named = choice != NULL && strcmp (choice, "auto") != 0;
  g_autofree char *path = NULL;
  g_autoptr (GError) local = NULL;

  VIX_MAY_BLOCK ();
  *ret_vendor = NULL;
  if (choice != NULL && strcmp (choice, "none") == 0)
    return TRUE;
  path = named ? g_strdup (choice) : ws_vendor_find (WS_VENDOR_CONFIG);
  if (path == NULL)
    return TRUE;
  self = g_new0 (WsVendor, 1);
  self->path = g_steal_pointer (&path);
  self->library = load (self->path);
  if (self->library == NULL)
    g_set_error (&local, VIX_ERROR, VIX_E_WRAPPER_SERVICEPROVIDER_NOT_FOUND,
                 "VMware's library cannot be loaded: %s", dlerror ());
  else if (resolve_symbols (self, &local))
    (void)finish (self,
                  self->connect (VIX_API_VERSION, params->host_type, NULL, 0,
                                 NULL, NULL, 0, VIX_INVALID_HANDLE, NULL, NULL),
                  "connecting", &self->host, &local);
  if (local == NULL) {
    *ret_vendor = g_steal_pointer (&self);
    return TRUE;
  }
  if (named) {
    g_propagate_error (error, g_steal_pointer (&local));
    return FALSE;
  }
  g_debug ("VMware's library is not used: %s", local->message);
  return TRUE;
}

static VixHandle
open_vm (WsVendor *self, const char *id, GError **error)
{
  VixHandle vm = VIX_INVALID_HANDLE;

  (void)finish (self, self->open (self->host, id, NULL, NULL), "opening the VM",
                &vm, error);
  return vm;
}

/* ---- from a uid to a handle ---- */

/* @parent 0: the VM's roots. */
static VixError
count_level (WsVendor *self, VixHandle vm, VixHandle parent, int *ret)
{
  return parent != VIX_INVALID_HANDLE ? self->count_children (parent, ret)
                                      : self->count_roots (vm, ret);
}

static gboolean
has_texts (WsVendor *self, VixHandle handle, const WsSnapshot *snapshot)
{
  char *name = NULL, *description = NULL;
  VixError err = self->get_properties (
    handle, VIX_PROPERTY_SNAPSHOT_DISPLAYNAME, &name,
    VIX_PROPERTY_SNAPSHOT_DESCRIPTION, &description, VIX_PROPERTY_NONE);
  gboolean same = VIX_SUCCEEDED (err) && g_strcmp0 (name, snapshot->name) == 0
                  && g_strcmp0 (description, snapshot->description) == 0;

  if (VIX_SUCCEEDED (err)) {
    self->free_buffer (name);
    self->free_buffer (description);
  }
  return same;
}

/* How many siblings of @snapshot have its texts, and which of them it is. */
static void
rank (const WsVmsd *vmsd, const WsSnapshot *snapshot, guint *ret_total,
      guint *ret_rank)
{
  g_autoptr (GArray) siblings = ws_vmsd_list_children (vmsd, snapshot->parent);
  guint i;

  *ret_total = *ret_rank = 0;
  for (i = 0; i < siblings->len; i++) {
    gint64 uid = g_array_index (siblings, gint64, i);
    const WsSnapshot *other = ws_vmsd_find (vmsd, uid);

    if (strcmp (other->name, snapshot->name) != 0
        || strcmp (other->description, snapshot->description) != 0)
      continue;
    if (uid < snapshot->uid)
      (*ret_rank)++;
    (*ret_total)++;
  }
}

/* The child of @parent (0: a root) that is @snapshot, or 0. */
static VixHandle
match_level (WsVendor *self, const WsVmsd *vmsd, VixHandle vm, VixHandle parent,
             const WsSnapshot *snapshot)
{
  VixHandle found = VIX_INVALID_HANDLE;
  guint total, wanted, seen = 0;
  int n = 0, i;

  rank (vmsd, snapshot, &total, &wanted);
  if (VIX_FAILED (count_level (self, vm, parent, &n)))
    return VIX_INVALID_HANDLE;
  for (i = 0; i < n; i++) {
    VixHandle child = VIX_INVALID_HANDLE;
    VixError err = parent != VIX_INVALID_HANDLE
                     ? self->nth_child (parent, i, &child)
                     : self->nth_root (vm, i, &child);

    if (VIX_FAILED (err))
      break;
    if (has_texts (self, child, snapshot) && seen++ == wanted)
      found = child;
    else
      self->release (child);
  }
  if (seen == total)
    return found;
  self->release (found);
  return VIX_INVALID_HANDLE;
}

static VixHandle
find_snapshot (WsHost *host, VixHandle vm, const char *id, gint64 uid,
               GError **error)
{
  WsVendor *self = host->vendor;
  g_autoptr (WsVmDir) dir = ws_host_open_vm_dir (host, id, error);
  g_autoptr (WsVmsd) vmsd
    = dir != NULL ? ws_vm_dir_read_vmsd (dir, error) : NULL;
  g_autoptr (GPtrArray) way = g_ptr_array_new ();
  const WsSnapshot *s;
  VixHandle at = VIX_INVALID_HANDLE;

  if (vmsd == NULL)
    return VIX_INVALID_HANDLE;
  for (s = ws_vmsd_find (vmsd, uid); s != NULL && way->len < MAX_DEPTH;
       s = ws_vmsd_find (vmsd, s->parent))
    g_ptr_array_add (way, (gpointer)s);
  if (way->len == 0) {
    g_set_error (error, VIX_ERROR, VIX_E_SNAPSHOT_NOTFOUND,
                 "\"%s\" has no snapshot %" G_GINT64_FORMAT, id, uid);
    return VIX_INVALID_HANDLE;
  }
  while (way->len > 0) {
    VixHandle next = match_level (self, vmsd, vm, at, way->pdata[way->len - 1]);

    self->release (at);
    at = next;
    if (at == VIX_INVALID_HANDLE) {
      g_set_error (error, VIX_ERROR, VIX_E_SNAPSHOT_INCONSISTENT,
                   "VMware's library lists other snapshots than the .vmsd of "
                   "\"%s\": close the VM in VMware and try again",
                   id);
      return VIX_INVALID_HANDLE;
    }
    g_ptr_array_set_size (way, (int)way->len - 1);
  }
  return at;
}

/* ---- operations ---- */

/* The uids that the .vmsd has now; a set of gint64. */
static GHashTable *
list_uids (WsHost *host, const char *id, gint64 *ret_current, GError **error)
{
  g_autoptr (WsVmDir) dir = ws_host_open_vm_dir (host, id, error);
  g_autoptr (WsVmsd) vmsd
    = dir != NULL ? ws_vm_dir_read_vmsd (dir, error) : NULL;
  GHashTable *uids;
  gsize i;

  if (vmsd == NULL)
    return NULL;
  uids = g_hash_table_new_full (g_int64_hash, g_int64_equal, g_free, NULL);
  for (i = 0; i < ws_vmsd_get_count (vmsd); i++)
    g_hash_table_add (
      uids, g_memdup2 (&ws_vmsd_get_nth (vmsd, i)->uid, sizeof (gint64)));
  if (ret_current != NULL)
    *ret_current = ws_vmsd_get_current (vmsd);
  return uids;
}

/* The one snapshot that was not there before: the current one. */
static gboolean
find_created (WsHost *host, const char *id, GHashTable *before, gint64 *ret_id,
              GError **error)
{
  gint64 current = 0;
  g_autoptr (GHashTable) after = list_uids (host, id, &current, error);

  if (after == NULL)
    return FALSE;
  if (current == 0 || g_hash_table_contains (before, &current)) {
    g_set_error (error, VIX_ERROR, VIX_E_SNAPSHOT_INCONSISTENT,
                 "VMware's library says that the snapshot was made, but the "
                 ".vmsd of \"%s\" does not have it as the current one",
                 id);
    return FALSE;
  }
  *ret_id = current;
  return TRUE;
}

gboolean
ws_vendor_create_snapshot (WsHost *host, const char *id,
                           const VixSnapshotParams *params, gint64 *ret_id,
                           const VixOp *op, GError **error)
{
  WsVendor *self = host->vendor;
  g_autoptr (GHashTable) before = list_uids (host, id, NULL, error);
  VixHandle vm, snapshot = VIX_INVALID_HANDLE;
  gboolean ok;

  if (before == NULL || !vix_check_cancelled (op->cancellable, error))
    return FALSE;
  vm = open_vm (self, id, error);
  if (vm == VIX_INVALID_HANDLE)
    return FALSE;
  /* A single snapshot that is to be replaced is VMware Server's own affair. */
  ok = finish (self,
               self->create (vm, params->name, params->description,
                             params->memory ? VIX_SNAPSHOT_INCLUDE_MEMORY : 0,
                             VIX_INVALID_HANDLE, NULL, NULL),
               "creating the snapshot", &snapshot, error);
  self->release (snapshot);
  self->release (vm);
  return ok && find_created (host, id, before, ret_id, error);
}

/* What is done with a snapshot of a VM; returns the job. */
typedef VixHandle (*SnapshotCall) (WsVendor *self, VixHandle vm,
                                   VixHandle snapshot, gboolean option);

static VixHandle
call_revert (WsVendor *self, VixHandle vm, VixHandle snapshot,
             gboolean suppress_power_on)
{
  return self->revert (
    vm, snapshot,
    suppress_power_on ? VIX_VMPOWEROP_SUPPRESS_SNAPSHOT_POWERON : 0,
    VIX_INVALID_HANDLE, NULL, NULL);
}

static VixHandle
call_remove (WsVendor *self, VixHandle vm, VixHandle snapshot,
             gboolean children)
{
  return self->remove (vm, snapshot,
                       children ? VIX_SNAPSHOT_REMOVE_CHILDREN : 0, NULL, NULL);
}

static gboolean
with_snapshot (WsHost *host, const char *id, gint64 uid, SnapshotCall call,
               gboolean option, const char *what, const VixOp *op,
               GError **error)
{
  WsVendor *self = host->vendor;
  VixHandle vm, snapshot;
  gboolean ok = FALSE;

  if (!vix_check_cancelled (op->cancellable, error))
    return FALSE;
  vm = open_vm (self, id, error);
  if (vm == VIX_INVALID_HANDLE)
    return FALSE;
  snapshot = find_snapshot (host, vm, id, uid, error);
  if (snapshot != VIX_INVALID_HANDLE)
    ok = finish (self, call (self, vm, snapshot, option), what, NULL, error);
  self->release (snapshot);
  self->release (vm);
  return ok;
}

gboolean
ws_vendor_revert_to_snapshot (WsHost *host, const char *id, gint64 snapshot,
                              gboolean suppress_power_on, const VixOp *op,
                              GError **error)
{
  return with_snapshot (host, id, snapshot, call_revert, suppress_power_on,
                        "reverting", op, error);
}

gboolean
ws_vendor_remove_snapshot (WsHost *host, const char *id, gint64 snapshot,
                           gboolean children, const VixOp *op, GError **error)
{
  return with_snapshot (host, id, snapshot, call_remove, children,
                        "removing the snapshot", op, error);
}

static VixHandle
start_power (WsVendor *self, VixHandle vm, VixPowerOp what, int options)
{
  const OptionsFunc plain[] = {
    [VIX_POWER_OFF] = self->power_off,
    [VIX_POWER_RESET] = self->reset,
    [VIX_POWER_SUSPEND] = self->suspend,
    [VIX_POWER_UPGRADE_HARDWARE] = self->upgrade,
  };
  const PropsFunc with_properties[] = {
    [VIX_POWER_ON] = self->power_on,
    [VIX_POWER_PAUSE] = self->pause,
    [VIX_POWER_UNPAUSE] = self->unpause,
  };

  if (what < G_N_ELEMENTS (with_properties) && with_properties[what] != NULL)
    return with_properties[what](vm, options, VIX_INVALID_HANDLE, NULL, NULL);
  return plain[what](vm, options, NULL, NULL);
}

gboolean
ws_vendor_power (WsHost *host, const char *id, VixPowerOp what, int options,
                 const VixOp *op, GError **error)
{
  WsVendor *self = host->vendor;
  VixHandle vm = open_vm (self, id, error);
  gboolean ok;

  if (vm == VIX_INVALID_HANDLE)
    return FALSE;
  ok = finish (self, start_power (self, vm, what, options),
               "changing the power state", NULL, error);
  self->release (vm);
  return ok;
}

gboolean
ws_vendor_delete_vm (WsHost *host, const char *id, gboolean disk_files,
                     const VixOp *op, GError **error)
{
  WsVendor *self = host->vendor;
  VixHandle vm = open_vm (self, id, error);
  gboolean ok;

  if (vm == VIX_INVALID_HANDLE)
    return FALSE;
  ok = finish (
    self,
    self->delete_vm (vm, disk_files ? VIX_VMDELETE_DISK_FILES : 0, NULL, NULL),
    "deleting the VM", NULL, error);
  self->release (vm);
  return ok;
}

char *
ws_vendor_clone_vm (WsHost *host, const char *id, gint64 snapshot,
                    gboolean linked, const char *dest_vmx, const VixOp *op,
                    GError **error)
{
  WsVendor *self = host->vendor;
  VixHandle vm = open_vm (self, id, error);
  VixHandle source = VIX_INVALID_HANDLE, clone = VIX_INVALID_HANDLE;
  gboolean ok = vm != VIX_INVALID_HANDLE;

  if (ok && snapshot != 0) {
    source = find_snapshot (host, vm, id, snapshot, error);
    ok = source != VIX_INVALID_HANDLE;
  }
  ok = ok
       && finish (
         self,
         self->clone (vm, source,
                      linked ? VIX_CLONETYPE_LINKED : VIX_CLONETYPE_FULL,
                      dest_vmx, 0, VIX_INVALID_HANDLE, NULL, NULL),
         "cloning the VM", &clone, error);
  self->release (clone);
  self->release (source);
  if (vm != VIX_INVALID_HANDLE)
    self->release (vm);
  return ok ? ws_vm_id_from_path (dest_vmx, error) : NULL;
}
