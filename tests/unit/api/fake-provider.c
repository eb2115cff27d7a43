/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "fake-provider.h"

#include <string.h>

#include "base/error.h"
#include "base/lock.h"

typedef struct {
  gint64 id, parent;
  char *name, *description;
  int power;
  gboolean memory;
} FakeSnapshot;

typedef struct {
  char *id, *name, *config;
  int power, tools, flags;
  gint64 current, next;
  GPtrArray *snapshots; /* FakeSnapshot, oldest first */
  int changing;
} FakeVM;

typedef struct {
  VixInventory *inventory;
  GPtrArray *vms; /* FakeVM */
  gboolean read_only;
} FakeHost;

static struct {
  GMutex mutex; /* guards all below and all hosts */
  GCond changed;
  FakeLog log;
  gboolean gate_closed;
  int fail_next;
  GPtrArray *hosts; /* FakeHost, connected */
} fake;

/* ---- a VM ---- */

static void
snapshot_free (gpointer data)
{
  FakeSnapshot *s = data;

  g_free (s->name);
  g_free (s->description);
  g_free (s);
}

static void
vm_free (gpointer data)
{
  FakeVM *vm = data;

  g_ptr_array_unref (vm->snapshots);
  g_free (vm->id);
  g_free (vm->name);
  g_free (vm->config);
  g_free (vm);
}

static FakeVM *
vm_new (const char *name, int power, int tools, int flags)
{
  FakeVM *vm = g_new0 (FakeVM, 1);

  vm->id = g_strdup_printf ("/vms/%s/%s.vmx", name, name);
  vm->name = g_strdup (name);
  vm->config = g_strdup_printf (".encoding = \"UTF-8\"\n"
                                "displayName = \"%s\"\n"
                                "memsize = \"512\"\n",
                                name);
  vm->power = power;
  vm->tools = tools;
  vm->flags = flags;
  vm->next = 1;
  vm->snapshots = g_ptr_array_new_with_free_func (snapshot_free);
  return vm;
}

static FakeSnapshot *
vm_find_snapshot (const FakeVM *vm, gint64 id)
{
  for (guint i = 0; i < vm->snapshots->len; i++) {
    FakeSnapshot *s = vm->snapshots->pdata[i];

    if (s->id == id)
      return s;
  }
  return NULL;
}

static FakeVM *
find_vm (const FakeHost *host, const char *id, GError **error)
{
  for (guint i = 0; i < host->vms->len; i++) {
    FakeVM *vm = host->vms->pdata[i];

    if (strcmp (vm->id, id) == 0)
      return vm;
  }
  g_set_error (error, VIX_ERROR, VIX_E_VM_NOT_FOUND, "%s: no such VM", id);
  return NULL;
}

static const VixExtVM *
vm_to_record (const FakeVM *vm)
{
  g_autofree VixExtSnapshot *snapshots
    = g_new0 (VixExtSnapshot, vm->snapshots->len);
  const char *path[] = { vm->name, NULL };
  VixExtVM record = {
    .id = vm->id,
    .path = path,
    .displayName = vm->name,
    .vmxPath = vm->id,
    .guestOS = "otherlinux-64",
    .teamPath = vm->flags & VIXEXT_VM_IN_TEAM ? "/vms/team.vmtm" : "",
    .flags = vm->flags,
    .powerState = vm->power,
    .toolsState = vm->tools,
    .numVcpus = 2,
    .memoryMiB = 512,
    .currentSnapshot = vm->current,
    .numSnapshots = vm->snapshots->len,
    .snapshots = snapshots,
  };

  for (guint i = 0; i < vm->snapshots->len; i++) {
    const FakeSnapshot *s = vm->snapshots->pdata[i];

    snapshots[i] = (VixExtSnapshot){
      .id = s->id,
      .parent = s->parent,
      .name = s->name,
      .description = s->description,
      .powerState = s->power,
      .flags = s->memory ? VIXEXT_SNAPSHOT_HAS_MEMORY : 0,
    };
  }
  return vix_vm_record_new (&record);
}

/* ---- what tests see and set ---- */

FakeLog
fake_get_log (void)
{
  FakeLog log;

  g_mutex_lock (&fake.mutex);
  log = fake.log;
  g_mutex_unlock (&fake.mutex);
  return log;
}

void
fake_reset (void)
{
  g_mutex_lock (&fake.mutex);
  g_free ((char *)fake.log.params.host_name);
  g_free ((char *)fake.log.params.user_name);
  g_free ((char *)fake.log.params.password);
  memset (&fake.log, 0, sizeof fake.log);
  fake.gate_closed = FALSE;
  fake.fail_next = 0;
  g_mutex_unlock (&fake.mutex);
}

static void
set_gate (gboolean closed)
{
  g_mutex_lock (&fake.mutex);
  fake.gate_closed = closed;
  g_cond_broadcast (&fake.changed);
  g_mutex_unlock (&fake.mutex);
}

void
fake_close_gate (void)
{
  set_gate (TRUE);
}

void
fake_open_gate (void)
{
  set_gate (FALSE);
}

void
fake_wait_running (int n)
{
  g_mutex_lock (&fake.mutex);
  while (fake.log.running != n)
    g_cond_wait (&fake.changed, &fake.mutex);
  g_mutex_unlock (&fake.mutex);
}

void
fake_fail_next (int code)
{
  g_mutex_lock (&fake.mutex);
  fake.fail_next = code;
  g_mutex_unlock (&fake.mutex);
}

/* The VM of that name of each host. */
static void
for_each_vm (const char *name, void (*func) (FakeVM *, gconstpointer),
             gconstpointer data)
{
  g_mutex_lock (&fake.mutex);
  for (guint i = 0; fake.hosts != NULL && i < fake.hosts->len; i++) {
    FakeHost *host = fake.hosts->pdata[i];

    for (guint j = 0; j < host->vms->len; j++) {
      FakeVM *vm = host->vms->pdata[j];

      if (strcmp (vm->name, name) == 0)
        func (vm, data);
    }
  }
  g_mutex_unlock (&fake.mutex);
}

static FakeSnapshot *
add_snapshot (FakeVM *vm, const char *name, gint64 parent)
{
  FakeSnapshot *s = g_new0 (FakeSnapshot, 1);

  s->id = vm->next++;
  s->parent = parent;
  s->name = g_strdup (name);
  s->description = g_strdup ("");
  s->power = VIX_POWERSTATE_POWERED_OFF;
  g_ptr_array_add (vm->snapshots, s);
  vm->current = s->id;
  return s;
}

static void
import_below (FakeVM *vm, gconstpointer name)
{
  add_snapshot (vm, name, vm->current);
}

static void
import_root (FakeVM *vm, gconstpointer name)
{
  add_snapshot (vm, name, 0);
}

static void
set_power (FakeVM *vm, gconstpointer states)
{
  vm->power = ((const int *)states)[0];
  vm->tools = ((const int *)states)[1];
}

void
fake_import_snapshot (const char *vm, const char *snapshot)
{
  for_each_vm (vm, import_below, snapshot);
}

void
fake_import_root (const char *vm, const char *snapshot)
{
  for_each_vm (vm, import_root, snapshot);
}

void
fake_set_power (const char *name, int power_state, int tools_state)
{
  const int states[] = { power_state, tools_state };

  for_each_vm (name, set_power, states);
}

/* ---- the host ---- */

static gboolean
fake_check (const VixConnectParams *params, GError **error)
{
  if (g_strcmp0 (params->host_name, "impossible") != 0)
    return TRUE;
  g_set_error (error, VIX_ERROR, VIX_E_INVALID_HOSTNAME_SPECIFICATION,
               "%s: no host is called that", params->host_name);
  return FALSE;
}

static gpointer
fake_connect (const VixConnectParams *params, VixInventory *inventory,
              const VixOp *op, GError **error)
{
  FakeHost *host;

  VIX_MAY_BLOCK ();
  if (g_strcmp0 (params->host_name, "refuse") == 0) {
    g_set_error (error, VIX_ERROR, VIX_E_CANNOT_CONNECT_TO_HOST,
                 "%s: connection refused", params->host_name);
    return NULL;
  }
  host = g_new0 (FakeHost, 1);
  host->inventory = inventory;
  host->vms = g_ptr_array_new_with_free_func (vm_free);
  g_ptr_array_add (host->vms, vm_new ("one", VIX_POWERSTATE_POWERED_OFF, 0,
                                      VIXEXT_VM_IN_TEAM));
  g_ptr_array_add (
    host->vms,
    vm_new ("two", VIX_POWERSTATE_POWERED_ON | VIX_POWERSTATE_TOOLS_RUNNING,
            VIX_TOOLSSTATE_RUNNING, 0));
  g_ptr_array_add (host->vms, vm_new ("three", VIX_POWERSTATE_SUSPENDED, 0, 0));
  g_ptr_array_add (host->vms, vm_new ("locked", VIX_POWERSTATE_POWERED_OFF, 0,
                                      VIXEXT_VM_ENCRYPTED));
  g_ptr_array_add (host->vms, vm_new ("quiet", VIX_POWERSTATE_POWERED_ON,
                                      VIX_TOOLSSTATE_UNKNOWN, 0));
  g_ptr_array_add (host->vms, vm_new ("bare", VIX_POWERSTATE_POWERED_ON,
                                      VIX_TOOLSSTATE_NOT_INSTALLED, 0));
  g_mutex_lock (&fake.mutex);
  if (fake.hosts == NULL)
    fake.hosts = g_ptr_array_new ();
  g_ptr_array_add (fake.hosts, host);
  fake.log.connected++;
  g_free ((char *)fake.log.params.host_name);
  g_free ((char *)fake.log.params.user_name);
  g_free ((char *)fake.log.params.password);
  fake.log.params = *params;
  fake.log.params.host_name = g_strdup (params->host_name);
  fake.log.params.user_name = g_strdup (params->user_name);
  fake.log.params.password = g_strdup (params->password);
  g_mutex_unlock (&fake.mutex);
  return host;
}

static void
fake_disconnect (gpointer data)
{
  FakeHost *host = data;

  VIX_MAY_BLOCK ();
  g_mutex_lock (&fake.mutex);
  g_ptr_array_remove (fake.hosts, host);
  if (fake.hosts->len == 0) {
    g_ptr_array_unref (fake.hosts);
    fake.hosts = NULL;
  }
  fake.log.disconnected++;
  g_cond_broadcast (&fake.changed);
  g_mutex_unlock (&fake.mutex);
  g_ptr_array_unref (host->vms);
  g_free (host);
}

static void
publish (FakeHost *host, const char *id)
{
  const VixExtVM *record = NULL;
  FakeVM *vm;

  g_mutex_lock (&fake.mutex);
  vm = find_vm (host, id, NULL);
  if (vm != NULL)
    record = vm_to_record (vm);
  g_mutex_unlock (&fake.mutex);
  if (record != NULL)
    vix_inventory_put (host->inventory, record);
  else
    vix_inventory_remove (host->inventory, id);
}

static gboolean
fake_watch (gpointer data, GError **error)
{
  FakeHost *host = data;

  for (guint i = 0; i < host->vms->len; i++)
    publish (host, ((FakeVM *)host->vms->pdata[i])->id);
  vix_inventory_announce (host->inventory, VIXEXT_EVENT_LOADED);
  return TRUE;
}

static void
fake_get_status (gpointer data, VixExtHostStatus *status)
{
  status->state = VIXEXT_HOST_CONNECTED;
  status->since = 1;
  status->capacity = 1000;
  status->freeSpace = 400;
  g_strlcpy (status->product, "Fake", sizeof status->product);
}

static char *
fake_open_vm (gpointer data, const char *path, const VixOp *op, GError **error)
{
  char *id = NULL;

  g_mutex_lock (&fake.mutex);
  if (find_vm (data, path, NULL) != NULL)
    id = g_strdup (path);
  g_mutex_unlock (&fake.mutex);
  if (id == NULL)
    g_set_error (error, VIX_ERROR, VIX_E_FILE_NOT_FOUND, "%s: no such file",
                 path);
  return id;
}

static const VixExtVM *
fake_lookup_vm (gpointer data, const char *id, const VixOp *op, GError **error)
{
  FakeHost *host = data;
  const VixExtVM *record = NULL;
  FakeVM *vm;

  VIX_MAY_BLOCK ();
  g_mutex_lock (&fake.mutex);
  vm = find_vm (host, id, error);
  if (vm != NULL)
    record = vm_to_record (vm);
  g_mutex_unlock (&fake.mutex);
  if (record != NULL)
    vix_inventory_put (host->inventory, vix_vm_record_ref (record));
  return record;
}

static GPtrArray *
fake_find_vms (gpointer data, gboolean running_only, const VixOp *op,
               GError **error)
{
  FakeHost *host = data;
  GPtrArray *paths = g_ptr_array_new_with_free_func (g_free);

  g_mutex_lock (&fake.mutex);
  for (guint i = 0; i < host->vms->len; i++) {
    FakeVM *vm = host->vms->pdata[i];

    if (!running_only || (vm->power & VIX_POWERSTATE_POWERED_ON))
      g_ptr_array_add (paths, g_strdup (vm->id));
  }
  g_mutex_unlock (&fake.mutex);
  return paths;
}

/* ---- changes ---- */

static void
open_gate_cancelled (GCancellable *cancellable, gpointer unused)
{
  g_mutex_lock (&fake.mutex);
  g_cond_broadcast (&fake.changed);
  g_mutex_unlock (&fake.mutex);
}

/* With the mutex held on success. */
static FakeVM *
begin_change (FakeHost *host, const char *id, const VixOp *op, GError **error)
{
  gulong handler;
  FakeVM *vm;

  VIX_MAY_BLOCK ();
  if (op->progress != NULL)
    op->progress (op->progress_data, 10);
  handler = g_cancellable_connect (
    op->cancellable, G_CALLBACK (open_gate_cancelled), NULL, NULL);
  g_mutex_lock (&fake.mutex);
  fake.log.changes++;
  fake.log.running++;
  vm = find_vm (host, id, error);
  if (vm != NULL) {
    vm->changing++;
    fake.log.most_at_once = MAX (fake.log.most_at_once, vm->changing);
  }
  g_cond_broadcast (&fake.changed);
  while (fake.gate_closed && !g_cancellable_is_cancelled (op->cancellable))
    g_cond_wait (&fake.changed, &fake.mutex);
  if (vm != NULL)
    vm->changing--;
  fake.log.running--;
  g_cond_broadcast (&fake.changed);
  g_mutex_unlock (&fake.mutex);
  g_cancellable_disconnect (op->cancellable, handler);

  if (vm == NULL || !vix_check_cancelled (op->cancellable, error))
    return NULL;
  if (op->progress != NULL)
    op->progress (op->progress_data, 90);
  g_mutex_lock (&fake.mutex);
  if (fake.fail_next != 0) {
    g_set_error_literal (error, VIX_ERROR, fake.fail_next, "as asked for");
    fake.fail_next = 0;
    vm = NULL;
    g_mutex_unlock (&fake.mutex);
  }
  return vm;
}

static gboolean
end_change (FakeHost *host, const char *id)
{
  g_mutex_unlock (&fake.mutex);
  publish (host, id);
  return TRUE;
}

static gboolean
fake_power (gpointer data, const char *id, VixPowerOp what, int options,
            const VixOp *op, GError **error)
{
  static const int states[] = {
    [VIX_POWER_ON] = VIX_POWERSTATE_POWERED_ON,
    [VIX_POWER_OFF] = VIX_POWERSTATE_POWERED_OFF,
    [VIX_POWER_RESET] = VIX_POWERSTATE_POWERED_ON,
    [VIX_POWER_SUSPEND] = VIX_POWERSTATE_SUSPENDED,
    [VIX_POWER_PAUSE] = VIX_POWERSTATE_POWERED_ON | VIX_POWERSTATE_PAUSED,
    [VIX_POWER_UNPAUSE] = VIX_POWERSTATE_POWERED_ON,
    [VIX_POWER_UPGRADE_HARDWARE] = VIX_POWERSTATE_POWERED_OFF,
  };
  FakeVM *vm = begin_change (data, id, op, error);

  if (vm == NULL)
    return FALSE;
  vm->power = states[what];
  return end_change (data, id);
}

static gboolean
fake_delete_vm (gpointer data, const char *id, gboolean disk_files,
                const VixOp *op, GError **error)
{
  FakeHost *host = data;
  FakeVM *vm = begin_change (host, id, op, error);

  if (vm == NULL)
    return FALSE;
  g_ptr_array_remove (host->vms, vm);
  return end_change (host, id);
}

static char *
fake_clone_vm (gpointer data, const char *id, gint64 snapshot, gboolean linked,
               const char *dest_vmx, const VixOp *op, GError **error)
{
  FakeHost *host = data;
  FakeVM *vm = begin_change (host, id, op, error), *clone;
  char *clone_id;

  if (vm == NULL)
    return NULL;
  clone = vm_new ("clone", VIX_POWERSTATE_POWERED_OFF, 0,
                  linked ? VIXEXT_VM_LINKED_CLONE : 0);
  g_free (clone->id);
  clone->id = g_strdup (dest_vmx);
  clone_id = g_strdup (dest_vmx);
  g_ptr_array_add (host->vms, clone);
  end_change (host, clone_id);
  return clone_id;
}

static gboolean
fake_create_snapshot (gpointer data, const char *id,
                      const VixSnapshotParams *params, gint64 *ret_id,
                      const VixOp *op, GError **error)
{
  FakeVM *vm = begin_change (data, id, op, error);
  FakeSnapshot *s, *replaced;

  if (vm == NULL)
    return FALSE;
  fake.log.snapshot = *params;
  fake.log.snapshot.name = fake.log.snapshot.description = NULL;
  s = add_snapshot (vm, params->name, vm->current);
  g_free (s->description);
  s->description = g_strdup (params->description);
  s->memory = params->memory && (vm->power & VIX_POWERSTATE_POWERED_ON);
  s->power = s->memory ? VIX_POWERSTATE_POWERED_ON : VIX_POWERSTATE_POWERED_OFF;
  replaced = vm_find_snapshot (vm, params->replace);
  if (replaced != NULL) {
    s->parent = replaced->parent;
    g_ptr_array_remove (vm->snapshots, replaced);
  }
  *ret_id = s->id;
  return end_change (data, id);
}

/* With the mutex held on success. */
static FakeSnapshot *
begin_snapshot_change (FakeHost *host, const char *id, gint64 snapshot,
                       FakeVM **ret_vm, const VixOp *op, GError **error)
{
  FakeVM *vm = begin_change (host, id, op, error);
  FakeSnapshot *s;

  if (vm == NULL)
    return NULL;
  s = vm_find_snapshot (vm, snapshot);
  *ret_vm = vm;
  if (s == NULL) {
    g_mutex_unlock (&fake.mutex);
    g_set_error (error, VIX_ERROR, VIX_E_SNAPSHOT_NOTFOUND,
                 "%s: no snapshot %" G_GINT64_FORMAT, id, snapshot);
  }
  return s;
}

static gboolean
fake_revert (gpointer data, const char *id, gint64 snapshot,
             gboolean suppress_power_on, const VixOp *op, GError **error)
{
  FakeVM *vm;
  FakeSnapshot *s = begin_snapshot_change (data, id, snapshot, &vm, op, error);

  if (s == NULL)
    return FALSE;
  fake.log.suppress_power_on = suppress_power_on;
  vm->current = s->id;
  vm->power = suppress_power_on ? VIX_POWERSTATE_POWERED_OFF : s->power;
  return end_change (data, id);
}

static void
remove_one (FakeVM *vm, FakeSnapshot *s, gboolean children)
{
  for (guint i = vm->snapshots->len; i-- > 0;) {
    FakeSnapshot *child = vm->snapshots->pdata[i];

    if (child->parent != s->id)
      continue;
    if (children) {
      remove_one (vm, child, TRUE);
      i = vm->snapshots->len;
    } else {
      child->parent = s->parent;
    }
  }
  if (vm->current == s->id)
    vm->current = s->parent;
  g_ptr_array_remove (vm->snapshots, s);
}

static gboolean
fake_remove (gpointer data, const char *id, gint64 snapshot, gboolean children,
             const VixOp *op, GError **error)
{
  FakeVM *vm;
  FakeSnapshot *s = begin_snapshot_change (data, id, snapshot, &vm, op, error);

  if (s == NULL)
    return FALSE;
  fake.log.remove_children = children;
  remove_one (vm, s, children);
  return end_change (data, id);
}

static gboolean
fake_edit (gpointer data, const char *id, gint64 snapshot, const char *name,
           const char *description, const VixOp *op, GError **error)
{
  FakeVM *vm;
  FakeSnapshot *s = begin_snapshot_change (data, id, snapshot, &vm, op, error);

  if (s == NULL)
    return FALSE;
  if (name != NULL) {
    g_free (s->name);
    s->name = g_strdup (name);
  }
  if (description != NULL) {
    g_free (s->description);
    s->description = g_strdup (description);
  }
  return end_change (data, id);
}

/* ---- files ---- */

static gboolean
fake_list_files (gpointer data, const char *id, gint64 snapshot,
                 VixExtFile **ret_files, gsize *ret_count, const VixOp *op,
                 GError **error)
{
  FakeVM *vm;
  VixExtFile *files;
  const char *base;
  char *name;

  g_mutex_lock (&fake.mutex);
  vm = find_vm (data, id, error);
  g_mutex_unlock (&fake.mutex);
  if (vm == NULL)
    return FALSE;
  base = strrchr (id, '/') + 1;
  files = g_malloc0 (sizeof *files + strlen (base) + 1);
  name = (char *)(files + 1);
  memcpy (name, base, strlen (base) + 1);
  files[0] = (VixExtFile){ .name = name, .bytes = 11 };
  *ret_files = files;
  *ret_count = 1;
  return TRUE;
}

static GBytes *
fake_get_config (gpointer data, const char *id, gint64 snapshot,
                 const VixOp *op, GError **error)
{
  GBytes *bytes = NULL;
  FakeVM *vm;

  g_mutex_lock (&fake.mutex);
  vm = find_vm (data, id, error);
  if (vm != NULL)
    bytes = g_bytes_new (vm->config, strlen (vm->config));
  g_mutex_unlock (&fake.mutex);
  return bytes;
}

static const char file_text[] = "hello world";

static gboolean
reader_read (VixFileReader *self, guint64 offset, void *buf, gsize len,
             gsize *ret_done, GError **error)
{
  gsize size = strlen (file_text);

  *ret_done = offset < size ? MIN (len, size - offset) : 0;
  memcpy (buf, file_text + MIN (offset, size), *ret_done);
  return TRUE;
}

static void
reader_free (VixFileReader *self)
{
  g_free (self);
}

static VixFileReader *
fake_open_file (gpointer data, const char *id, gint64 snapshot,
                const char *name, const VixOp *op, GError **error)
{
  VixFileReader *reader;

  if (strchr (name, '/') != NULL) {
    g_set_error (error, VIX_ERROR, VIX_E_FILE_NOT_FOUND, "%s: no such file",
                 name);
    return NULL;
  }
  reader = g_new0 (VixFileReader, 1);
  reader->size = strlen (file_text);
  reader->read = reader_read;
  reader->free = reader_free;
  return reader;
}

/* ---- tables ---- */

static const VixProviderOps full_ops = {
  .name = "fake",
  .check = fake_check,
  .connect = fake_connect,
  .disconnect = fake_disconnect,
  .watch = fake_watch,
  .get_status = fake_get_status,
  .open_vm = fake_open_vm,
  .lookup_vm = fake_lookup_vm,
  .find_vms = fake_find_vms,
  .power = fake_power,
  .delete_vm = fake_delete_vm,
  .clone_vm = fake_clone_vm,
  .create_snapshot = fake_create_snapshot,
  .revert_to_snapshot = fake_revert,
  .remove_snapshot = fake_remove,
  .edit_snapshot = fake_edit,
  .list_files = fake_list_files,
  .get_config = fake_get_config,
  .open_file = fake_open_file,
};

static const VixProviderOps bare_ops = {
  .name = "bare",
  .connect = fake_connect,
  .disconnect = fake_disconnect,
  .get_status = fake_get_status,
  .open_vm = fake_open_vm,
  .lookup_vm = fake_lookup_vm,
};

const VixProviderOps *
vix_provider_find (VixServiceProvider type, const char *host_name,
                   VixServiceProvider *ret_type, GError **error)
{
  *ret_type = type == VIX_SERVICEPROVIDER_DEFAULT
                ? VIX_SERVICEPROVIDER_VMWARE_WORKSTATION
                : type;
  switch (*ret_type) {
  case VIX_SERVICEPROVIDER_VMWARE_SERVER:
  case VIX_SERVICEPROVIDER_VMWARE_WORKSTATION:
  case VIX_SERVICEPROVIDER_VMWARE_PLAYER:
    return &full_ops;
  case VIX_SERVICEPROVIDER_VMWARE_VI_SERVER:
    return &bare_ops;
  default:
    g_set_error (error, VIX_ERROR, VIX_E_INVALID_ARG, "type %d", type);
    return NULL;
  }
}
