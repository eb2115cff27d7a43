/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Programs for VIX, on hosts of the network: nothing here but the public
 * headers and the library. The simulator is the host.
 */
#include <stdlib.h>
#include <string.h>

#include "servers.h"
#include "vix-ext.h"
#include "vix.h"

#define LONG_US (60 * G_USEC_PER_SEC)

/* ---- in few words ---- */

static int
wait_error (VixHandle job)
{
  VixError error = VixJob_Wait (job, VIX_PROPERTY_NONE);

  Vix_ReleaseHandle (job);
  return (int)VIX_ERROR_CODE (error);
}

static int
wait_handle (VixHandle job, VixHandle *ret_handle)
{
  VixError error = VixJob_Wait (job, VIX_PROPERTY_JOB_RESULT_HANDLE, ret_handle,
                                VIX_PROPERTY_NONE);

  Vix_ReleaseHandle (job);
  return (int)VIX_ERROR_CODE (error);
}

static void
assert_done (VixHandle job)
{
  g_assert_cmpint (wait_error (job), ==, 0);
}

static int
try_connect (VixServiceProvider type, const char *name, int port,
             const char *user, const char *password, int options,
             VixHandle *ret_host)
{
  *ret_host = VIX_INVALID_HANDLE;
  return wait_handle (VixHost_Connect (VIX_API_VERSION, type, name, port, user,
                                       password, options, VIX_INVALID_HANDLE,
                                       NULL, NULL),
                      ret_host);
}

static VixHandle
connect_to (const BedServer *server)
{
  VixHandle host;
  int error = try_connect (VIX_SERVICEPROVIDER_VMWARE_VI_SERVER, server->url, 0,
                           server->user, server->password, 0, &host);

  g_assert_cmpint (error, ==, 0);
  return host;
}

static void
note_item (VixHandle job, VixEventType event, VixHandle info, void *data)
{
  char *path = NULL;

  if (event != VIX_EVENTTYPE_FIND_ITEM)
    return;
  g_assert_cmpint ((int)Vix_GetProperties (info,
                                           VIX_PROPERTY_FOUND_ITEM_LOCATION,
                                           &path, VIX_PROPERTY_NONE),
                   ==, 0);
  g_ptr_array_add (data, g_strdup (path));
  Vix_FreeBuffer (path);
}

/* (transfer full): paths of VMs */
static GPtrArray *
find (VixHandle host, VixFindItemType type)
{
  GPtrArray *paths = g_ptr_array_new_with_free_func (g_free);

  assert_done (
    VixHost_FindItems (host, type, VIX_INVALID_HANDLE, -1, note_item, paths));
  return paths;
}

static VixHandle
open_vm (VixHandle host, const char *path)
{
  VixHandle vm = VIX_INVALID_HANDLE;

  g_assert_cmpint (wait_handle (VixVM_Open (host, path, NULL, NULL), &vm), ==,
                   0);
  return vm;
}

static VixHandle
open_first (VixHandle host)
{
  g_autoptr (GPtrArray) paths = find (host, VIX_FIND_REGISTERED_VMS);

  g_assert_cmpuint (paths->len, >, 0);
  return open_vm (host, paths->pdata[0]);
}

static int
try_create (VixHandle vm, const char *name, const char *text, int options,
            VixHandle *ret_snapshot)
{
  *ret_snapshot = VIX_INVALID_HANDLE;
  return wait_handle (VixVM_CreateSnapshot (vm, name, text, options,
                                            VIX_INVALID_HANDLE, NULL, NULL),
                      ret_snapshot);
}

static VixHandle
create (VixHandle vm, const char *name)
{
  VixHandle snapshot;

  g_assert_cmpint (try_create (vm, name, "", 0, &snapshot), ==, 0);
  return snapshot;
}

static int
get_int (VixHandle handle, VixPropertyID id)
{
  int value = -1;

  g_assert_cmpint (
    (int)Vix_GetProperties (handle, id, &value, VIX_PROPERTY_NONE), ==, 0);
  return value;
}

static void
assert_text (VixHandle handle, VixPropertyID id, const char *wanted)
{
  char *text = NULL;

  g_assert_cmpint (
    (int)Vix_GetProperties (handle, id, &text, VIX_PROPERTY_NONE), ==, 0);
  g_assert_cmpstr (text, ==, wanted);
  Vix_FreeBuffer (text);
}

/* ---- connecting ---- */

static void
assert_serves (const char *name, int port, VixServiceProvider type,
               const BedServer *sim)
{
  VixHandle host;
  g_autoptr (GPtrArray) paths = NULL;
  int error
    = try_connect (type, name, port, sim->user, sim->password, 0, &host);

  g_test_message ("%s, port %d", name, port);
  g_assert_cmpint (error, ==, 0);
  g_assert_cmpint (get_int (host, VIX_PROPERTY_HOST_HOSTTYPE), ==,
                   VIX_SERVICEPROVIDER_VMWARE_VI_SERVER);
  paths = find (host, VIX_FIND_REGISTERED_VMS);
  g_assert_cmpuint (paths->len, ==, 2);
  VixHost_Disconnect (host);
}

static void
test_names (void)
{
  g_autoptr (BedServer) sim = bed_sim_new ("-kind esx -vms 2");
  g_autoptr (BedServer) plain = bed_sim_new ("-kind esx -vms 2 -no-tls");
  g_autofree char *bare = g_strdup_printf ("127.0.0.1:%s", sim->port);
  g_autofree char *short_url = g_strdup_printf ("https://%s", bare);
  g_autofree char *slash = g_strdup_printf ("https://%s/sdk/", bare);
  g_autofree char *http
    = g_strdup_printf ("http://127.0.0.1:%s/sdk", plain->port);
  VixServiceProvider vi = VIX_SERVICEPROVIDER_VMWARE_VI_SERVER;

  assert_serves (sim->url, 0, vi, sim);
  assert_serves (short_url, 0, vi, sim);
  assert_serves (slash, 0, vi, sim);
  assert_serves (bare, 0, vi, sim);
  /* The port is in the name; what else is passed does not count. */
  assert_serves (sim->url, 902, vi, sim);
  assert_serves (bare, 443, vi, sim);
  assert_serves (http, 0, vi, plain);
  assert_serves (sim->url, 0, VIX_SERVICEPROVIDER_DEFAULT, sim);
}

static void
test_refused (void)
{
  static const struct {
    const char *name; /* NULL: the host; "-": none */
    const char *user, *password;
    int code;
  } rows[] = {
    { "-", "root", "x", VIX_E_INVALID_HOSTNAME_SPECIFICATION },
    { "", "root", "x", VIX_E_INVALID_HOSTNAME_SPECIFICATION },
    { "https://", "root", "x", VIX_E_INVALID_HOSTNAME_SPECIFICATION },
    { "ftp://h", "root", "x", VIX_E_INVALID_HOSTNAME_SPECIFICATION },
    { "no-such-host.invalid", "root", "x",
      VIX_E_NET_HTTP_COULDNT_RESOLVE_HOST },
    { "127.0.0.1:1", "root", "x", VIX_E_NET_HTTP_COULDNT_CONNECT },
    { NULL, "root", "wrong-secret", VIX_E_HOST_USER_PERMISSIONS },
    { NULL, "nobody", "wrong-secret", VIX_E_HOST_USER_PERMISSIONS },
    { NULL, NULL, NULL, VIX_E_INVALID_ARG },
    { NULL, "", "", VIX_E_INVALID_ARG },
    { NULL, "root", NULL, VIX_E_INVALID_ARG },
  };
  g_autoptr (BedServer) sim = bed_sim_new ("-kind esx -vms 1");

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++) {
    const char *name = rows[i].name == NULL ? sim->url : rows[i].name;
    VixHandle host;
    int error = try_connect (VIX_SERVICEPROVIDER_VMWARE_VI_SERVER,
                             *name == '-' ? NULL : name, 0, rows[i].user,
                             rows[i].password, 0, &host);

    g_test_message ("row %d", (int)i);
    g_assert_cmpint (error, ==, rows[i].code);
    g_assert_cmpint (host, ==, VIX_INVALID_HANDLE);
  }
  g_assert_cmpint (bed_count (sim, "Login"), ==, 2);
}

/* Old programs trust any certificate; those who ask for it are told whose the
 * refused one is. */
static void
test_certificates (void)
{
  g_autoptr (BedServer) sim = bed_sim_new ("-kind esx -vms 1");
  VixHandle host, job;
  char *text = NULL;
  VixExtConnectParams params = {
    .size = sizeof params,
    .hostType = VIX_SERVICEPROVIDER_VMWARE_VI_SERVER,
    .hostName = sim->url,
    .userName = sim->user,
    .password = sim->password,
  };

  g_assert_cmpint (try_connect (VIX_SERVICEPROVIDER_VMWARE_VI_SERVER, sim->url,
                                0, sim->user, sim->password,
                                VIX_HOSTOPTION_VERIFY_SSL_CERT, &host),
                   ==, VIX_E_NET_HTTP_SSL_SECURITY);
  g_assert_cmpint (host, ==, VIX_INVALID_HANDLE);
  job = VixExt_Connect (&params, NULL, NULL);
  g_assert_cmpint ((int)VIX_ERROR_CODE (VixJob_Wait (job, VIX_PROPERTY_NONE)),
                   ==, VIX_E_NET_HTTP_SSL_SECURITY);
  g_assert_cmpint (
    (int)Vix_GetProperties (job, VIX_PROPERTY_JOB_RESULT_EXTRA_ERROR_INFO,
                            &text, VIX_PROPERTY_NONE),
    ==, 0);
  g_test_message ("%s", text);
  g_assert_nonnull (strstr (text, sim->sha256));
  g_assert_null (strstr (text, sim->password));
  Vix_FreeBuffer (text);
  Vix_ReleaseHandle (job);
  g_assert_cmpint (bed_count (sim, "Login"), ==, 0);
  params.thumbprint = sim->sha1;
  g_assert_cmpint (wait_handle (VixExt_Connect (&params, NULL, NULL), &host),
                   ==, 0);
  VixHost_Disconnect (host);
  params.thumbprint = NULL;
  params.caFile = sim->cert;
  g_assert_cmpint (wait_handle (VixExt_Connect (&params, NULL, NULL), &host),
                   ==, 0);
  VixHost_Disconnect (host);
  params.caFile = NULL;
  params.options = VIXEXT_HOSTOPTION_INSECURE;
  g_assert_cmpint (wait_handle (VixExt_Connect (&params, NULL, NULL), &host),
                   ==, 0);
  VixHost_Disconnect (host);
}

/* ---- finding and opening ---- */

static void
test_find (void)
{
  g_autoptr (BedServer) sim
    = bed_sim_new ("-kind vcenter -vms 4 -datacenters 2 -folders 1");
  VixHandle host = connect_to (sim), vm, again;
  g_autoptr (GPtrArray) all = find (host, VIX_FIND_REGISTERED_VMS);
  g_autoptr (GPtrArray) running = find (host, VIX_FIND_RUNNING_VMS);
  g_autoptr (GPtrArray) one = NULL;
  char *store;

  g_assert_cmpuint (all->len, ==, 4);
  g_assert_cmpuint (running->len, ==, 0);
  for (guint i = 0; i < all->len; i++) {
    vm = open_vm (host, all->pdata[i]);
    assert_text (vm, VIX_PROPERTY_VM_VMX_PATHNAME, all->pdata[i]);
    Vix_ReleaseHandle (vm);
  }
  vm = open_vm (host, all->pdata[2]);
  assert_done (VixVM_PowerOn (vm, VIX_VMPOWEROP_LAUNCH_GUI, VIX_INVALID_HANDLE,
                              NULL, NULL));
  one = find (host, VIX_FIND_RUNNING_VMS);
  g_assert_cmpuint (one->len, ==, 1);
  g_assert_cmpstr (one->pdata[0], ==, all->pdata[2]);
  /* "[DC0/ds] a/b.vmx" without the datacenter is the first that fits. */
  store = strchr (all->pdata[0], '/');
  *store = '[';
  again = open_vm (host, store);
  Vix_ReleaseHandle (again);
  g_assert_cmpint (
    wait_handle (VixVM_Open (host, "[no] such/vm.vmx", NULL, NULL), &again), ==,
    VIX_E_VM_NOT_FOUND);
  Vix_ReleaseHandle (vm);
  VixHost_Disconnect (host);
}

/* ---- power ---- */

static void
test_power (void)
{
  g_autoptr (BedServer) sim = bed_sim_new ("-kind esx -vms 1");
  VixHandle host = connect_to (sim), vm = open_first (host);
  int on = VIX_POWERSTATE_POWERED_ON, off = VIX_POWERSTATE_POWERED_OFF;

  g_assert_cmpint (get_int (vm, VIX_PROPERTY_VM_POWER_STATE) & off, !=, 0);
  g_assert_cmpint (
    wait_error (VixVM_PowerOff (vm, VIX_VMPOWEROP_NORMAL, NULL, NULL)), ==,
    VIX_E_VM_NOT_RUNNING);
  g_assert_cmpint (
    wait_error (VixVM_Reset (vm, VIX_VMPOWEROP_NORMAL, NULL, NULL)), ==,
    VIX_E_VM_NOT_RUNNING);
  g_assert_cmpint (wait_error (VixVM_Suspend (vm, 0, NULL, NULL)), ==,
                   VIX_E_VM_NOT_RUNNING);
  assert_done (VixVM_UpgradeVirtualHardware (vm, 0, NULL, NULL));
  assert_done (
    VixVM_PowerOn (vm, VIX_VMPOWEROP_NORMAL, VIX_INVALID_HANDLE, NULL, NULL));
  g_assert_cmpint (get_int (vm, VIX_PROPERTY_VM_POWER_STATE) & on, !=, 0);
  g_assert_cmpint (wait_error (VixVM_PowerOn (vm, VIX_VMPOWEROP_NORMAL,
                                              VIX_INVALID_HANDLE, NULL, NULL)),
                   ==, VIX_E_VM_IS_RUNNING);
  assert_done (VixVM_Reset (vm, VIX_VMPOWEROP_NORMAL, NULL, NULL));
  assert_done (VixVM_Suspend (vm, 0, NULL, NULL));
  g_assert_cmpint (get_int (vm, VIX_PROPERTY_VM_POWER_STATE)
                     & VIX_POWERSTATE_SUSPENDED,
                   !=, 0);
  g_assert_cmpint (
    wait_error (VixVM_PowerOff (vm, VIX_VMPOWEROP_NORMAL, NULL, NULL)), ==,
    VIX_E_VM_NOT_RUNNING);
  assert_done (
    VixVM_PowerOn (vm, VIX_VMPOWEROP_NORMAL, VIX_INVALID_HANDLE, NULL, NULL));
  assert_done (VixVM_PowerOff (vm, VIX_VMPOWEROP_FROM_GUEST, NULL, NULL));
  g_assert_cmpint (get_int (vm, VIX_PROPERTY_VM_POWER_STATE) & off, !=, 0);
  g_assert_cmpint (
    wait_error (VixVM_Pause (vm, 0, VIX_INVALID_HANDLE, NULL, NULL)), ==,
    VIX_E_NOT_SUPPORTED);
  g_assert_cmpint (wait_error (VixVM_Delete (vm, 0, NULL, NULL)), ==,
                   VIX_E_NOT_SUPPORTED);
  assert_done (VixVM_Delete (vm, VIX_VMDELETE_DISK_FILES, NULL, NULL));
  g_assert_cmpint (wait_error (VixVM_PowerOn (vm, VIX_VMPOWEROP_NORMAL,
                                              VIX_INVALID_HANDLE, NULL, NULL)),
                   ==, VIX_E_VM_NOT_FOUND);
  Vix_ReleaseHandle (vm);
  VixHost_Disconnect (host);
}

static void
test_registering (void)
{
  g_autoptr (BedServer) sim = bed_sim_new ("-kind esx -vms 2");
  VixHandle host = connect_to (sim), vm = VIX_INVALID_HANDLE;
  g_autoptr (GPtrArray) paths = find (host, VIX_FIND_REGISTERED_VMS);
  g_autoptr (GPtrArray) fewer = NULL;

  assert_done (VixHost_UnregisterVM (host, paths->pdata[0], NULL, NULL));
  fewer = find (host, VIX_FIND_REGISTERED_VMS);
  g_assert_cmpuint (fewer->len, ==, 1);
  g_assert_cmpint (
    wait_handle (VixVM_Open (host, paths->pdata[0], NULL, NULL), &vm), ==,
    VIX_E_VM_NOT_FOUND);
  /* Not registered: no error; and twice registered is none either. */
  assert_done (VixHost_UnregisterVM (host, paths->pdata[0], NULL, NULL));
  assert_done (VixHost_RegisterVM (host, paths->pdata[0], NULL, NULL));
  assert_done (VixHost_RegisterVM (host, paths->pdata[0], NULL, NULL));
  vm = open_vm (host, paths->pdata[0]);
  Vix_ReleaseHandle (vm);
  VixHost_Disconnect (host);
}

/* ---- snapshots ---- */

static void
assert_named (VixHandle vm, const char *name, VixHandle wanted)
{
  VixHandle found = VIX_INVALID_HANDLE;

  g_assert_cmpint ((int)VixVM_GetNamedSnapshot (vm, name, &found), ==, 0);
  g_assert_cmpint (found, ==, wanted);
  Vix_ReleaseHandle (found);
}

/* A root with two children, the second of which has one. */
static void
check_tree (VixHandle vm, const VixHandle *made)
{
  VixHandle at = VIX_INVALID_HANDLE;
  int n = -1;

  g_assert_cmpint ((int)VixVM_GetNumRootSnapshots (vm, &n), ==, 0);
  g_assert_cmpint (n, ==, 1);
  g_assert_cmpint ((int)VixVM_GetRootSnapshot (vm, 0, &at), ==, 0);
  g_assert_cmpint (at, ==, made[0]);
  Vix_ReleaseHandle (at);
  g_assert_cmpint ((int)VixVM_GetRootSnapshot (vm, 1, &at), ==,
                   VIX_E_SNAPSHOT_NOTFOUND);
  g_assert_cmpint ((int)VixSnapshot_GetNumChildren (made[0], &n), ==, 0);
  g_assert_cmpint (n, ==, 2);
  g_assert_cmpint ((int)VixSnapshot_GetChild (made[0], 1, &at), ==, 0);
  g_assert_cmpint (at, ==, made[2]);
  Vix_ReleaseHandle (at);
  g_assert_cmpint ((int)VixSnapshot_GetParent (made[3], &at), ==, 0);
  g_assert_cmpint (at, ==, made[2]);
  Vix_ReleaseHandle (at);
  g_assert_cmpint ((int)VixSnapshot_GetParent (made[0], &at), ==, 0);
  g_assert_cmpint (at, ==, VIX_INVALID_HANDLE);
  g_assert_cmpint ((int)VixVM_GetCurrentSnapshot (vm, &at), ==, 0);
  g_assert_cmpint (at, ==, made[3]);
  Vix_ReleaseHandle (at);
  assert_named (vm, "a/b", made[1]);
  assert_named (vm, "\303\244 root/100% more", made[2]);
}

static void
run_snapshots (const char *options)
{
  g_autoptr (BedServer) sim = bed_sim_new (options);
  VixHandle host = connect_to (sim), vm = open_first (host), found;
  VixHandle made[4];

  g_assert_cmpint ((int)VixVM_GetCurrentSnapshot (vm, &found), ==,
                   VIX_E_SNAPSHOT_NOTFOUND);
  assert_done (
    VixVM_PowerOn (vm, VIX_VMPOWEROP_NORMAL, VIX_INVALID_HANDLE, NULL, NULL));
  g_assert_cmpint (try_create (vm, "\303\244 root", "line\nline",
                               VIX_SNAPSHOT_INCLUDE_MEMORY, &made[0]),
                   ==, 0);
  made[1] = create (vm, "a/b");
  assert_done (VixVM_RevertToSnapshot (vm, made[0], VIX_VMPOWEROP_NORMAL,
                                       VIX_INVALID_HANDLE, NULL, NULL));
  g_assert_cmpint (get_int (vm, VIX_PROPERTY_VM_POWER_STATE)
                     & VIX_POWERSTATE_POWERED_ON,
                   !=, 0);
  made[2] = create (vm, "100% more");
  made[3] = create (vm, NULL);
  check_tree (vm, made);
  assert_text (made[0], VIX_PROPERTY_SNAPSHOT_DISPLAYNAME, "\303\244 root");
  assert_text (made[0], VIX_PROPERTY_SNAPSHOT_DESCRIPTION, "line\nline");
  g_assert_cmpint (get_int (made[0], VIX_PROPERTY_SNAPSHOT_POWERSTATE)
                     & VIX_POWERSTATE_POWERED_ON,
                   !=, 0);
  assert_done (VixExt_RenameSnapshot (made[1], "a\\b/c%2f", NULL, NULL));
  assert_text (made[1], VIX_PROPERTY_SNAPSHOT_DISPLAYNAME, "a\\b/c%2f");
  assert_done (VixVM_RevertToSnapshot (vm, made[0],
                                       VIX_VMPOWEROP_SUPPRESS_SNAPSHOT_POWERON,
                                       VIX_INVALID_HANDLE, NULL, NULL));
  g_assert_cmpint (get_int (vm, VIX_PROPERTY_VM_POWER_STATE)
                     & VIX_POWERSTATE_POWERED_OFF,
                   !=, 0);
  /* Without its children, then with them. */
  assert_done (VixVM_RemoveSnapshot (vm, made[2], 0, NULL, NULL));
  g_assert_cmpint ((int)VixSnapshot_GetParent (made[3], &found), ==, 0);
  g_assert_cmpint (found, ==, made[0]);
  Vix_ReleaseHandle (found);
  g_assert_cmpint (
    wait_error (VixVM_RemoveSnapshot (vm, made[2], 0, NULL, NULL)), ==,
    VIX_E_SNAPSHOT_NOTFOUND);
  assert_done (VixVM_RemoveSnapshot (vm, made[0], VIX_SNAPSHOT_REMOVE_CHILDREN,
                                     NULL, NULL));
  g_assert_cmpint ((int)VixVM_GetRootSnapshot (vm, 0, &found), ==,
                   VIX_E_SNAPSHOT_NOTFOUND);
  for (gsize i = 0; i < G_N_ELEMENTS (made); i++)
    Vix_ReleaseHandle (made[i]);
  Vix_ReleaseHandle (vm);
  VixHost_Disconnect (host);
}

static void
test_snapshots (void)
{
  run_snapshots ("-kind esx -vms 1");
  run_snapshots ("-kind vcenter -vms 1");
}

/* One snapshot for each VM; what is more is refused by the host. */
static void
test_server2 (void)
{
  g_autoptr (BedServer) sim = bed_sim_new ("-kind server2 -vms 1");
  VixHandle host = connect_to (sim), vm = open_first (host), first, second;
  int n = -1;

  first = create (vm, "only");
  g_assert_cmpint (try_create (vm, "more", "", 0, &second), ==,
                   VIX_E_SNAPSHOT_MAXSNAPSHOTS);
  g_assert_cmpint (second, ==, VIX_INVALID_HANDLE);
  g_assert_cmpint ((int)VixVM_GetNumRootSnapshots (vm, &n), ==, 0);
  g_assert_cmpint (n, ==, 1);
  assert_done (VixVM_RevertToSnapshot (vm, first, VIX_VMPOWEROP_NORMAL,
                                       VIX_INVALID_HANDLE, NULL, NULL));
  assert_done (VixVM_RemoveSnapshot (vm, first, 0, NULL, NULL));
  g_assert_cmpint (try_create (vm, "another", "", 0, &second), ==, 0);
  Vix_ReleaseHandle (first);
  Vix_ReleaseHandle (second);
  Vix_ReleaseHandle (vm);
  VixHost_Disconnect (host);
}

/* ---- jobs ---- */

typedef struct {
  int n_progress, n_completed, last;
} Events;

static void
note_progress (VixHandle job, VixEventType event, VixHandle info, void *data)
{
  Events *events = data;
  int percent = -1;

  if (event == VIX_EVENTTYPE_JOB_PROGRESS) {
    g_assert_cmpint ((int)VixExt_GetJobProgress (job, &percent), ==, 0);
    g_assert_cmpint (percent, >=, events->last);
    g_assert_cmpint (events->n_completed, ==, 0);
    events->last = percent;
    events->n_progress++;
  } else if (event == VIX_EVENTTYPE_JOB_COMPLETED) {
    events->n_completed++;
  }
}

static void
test_progress (void)
{
  g_autoptr (BedServer) sim = bed_sim_new ("-kind vcenter -vms 1");
  VixHandle host = connect_to (sim), vm = open_first (host);
  Events events = { 0, 0, 0 };

  g_free (bed_ctl (sim, "set?create=3000"));
  assert_done (VixVM_CreateSnapshot (vm, "slow", "", 0, VIX_INVALID_HANDLE,
                                     note_progress, &events));
  g_assert_cmpint (events.n_progress, >, 0);
  g_assert_cmpint (events.n_completed, ==, 1);
  Vix_ReleaseHandle (vm);
  VixHost_Disconnect (host);
}

static void
pump (VixHandle host, VixHandle job)
{
  gint64 end = g_get_monotonic_time () + LONG_US;
  char done = 0;

  while (!done) {
    g_assert_cmpint (g_get_monotonic_time (), <, end);
    Vix_PumpEvents (host, VIX_PUMPEVENTOPTION_NONE);
    g_assert_cmpint ((int)VixJob_CheckCompletion (job, &done), ==, 0);
  }
}

/* Nothing runs before it is pumped. */
static void
test_pump (void)
{
  g_autoptr (BedServer) sim = bed_sim_new ("-kind esx -vms 1");
  VixHandle host = VIX_INVALID_HANDLE, vm, job;
  g_autoptr (GPtrArray) paths = g_ptr_array_new_with_free_func (g_free);
  Events events = { 0, 0, 0 };
  char done = 0;

  g_assert_cmpint (try_connect (VIX_SERVICEPROVIDER_VMWARE_VI_SERVER, sim->url,
                                0, sim->user, sim->password,
                                VIX_HOSTOPTION_USE_EVENT_PUMP, &host),
                   ==, 0);
  job = VixHost_FindItems (host, VIX_FIND_REGISTERED_VMS, VIX_INVALID_HANDLE,
                           -1, note_item, paths);
  g_usleep (100000);
  g_assert_cmpint ((int)VixJob_CheckCompletion (job, &done), ==, 0);
  g_assert_false (done);
  pump (host, job);
  Vix_ReleaseHandle (job);
  g_assert_cmpuint (paths->len, ==, 1);
  job = VixVM_Open (host, paths->pdata[0], NULL, NULL);
  pump (host, job);
  g_assert_cmpint (wait_handle (job, &vm), ==, 0);
  job = VixVM_CreateSnapshot (vm, "pumped", "", 0, VIX_INVALID_HANDLE,
                              note_progress, &events);
  g_assert_cmpint (bed_count (sim, "CreateSnapshot_Task"), ==, 0);
  pump (host, job);
  assert_done (job);
  g_assert_cmpint (events.n_completed, ==, 1);
  g_assert_cmpint (bed_count (sim, "CreateSnapshot_Task"), ==, 1);
  Vix_ReleaseHandle (vm);
  VixHost_Disconnect (host);
}

/* The host ends the task, nothing is left of it, and the job says so. */
static void
test_cancel (void)
{
  g_autoptr (BedServer) sim = bed_sim_new ("-kind vcenter -vms 1");
  VixHandle host = connect_to (sim), vm = open_first (host), job, old;
  gint64 end = g_get_monotonic_time () + LONG_US;
  int n = -1, percent = -1;

  g_free (bed_ctl (sim, "set?create=600000&cancelable=1"));
  job
    = VixVM_CreateSnapshot (vm, "never", "", 0, VIX_INVALID_HANDLE, NULL, NULL);
  while (bed_count (sim, "CreateSnapshot_Task") == 0) {
    g_assert_cmpint (g_get_monotonic_time (), <, end);
    g_usleep (10000);
  }
  g_assert_cmpint ((int)VixExt_GetJobProgress (job, &percent), ==, 0);
  g_assert_cmpint (percent, <, 100);
  g_assert_cmpint ((int)VixExt_CancelJob (job), ==, 0);
  g_assert_cmpint (wait_error (job), ==, VIX_E_CANCELLED);
  g_assert_cmpint (bed_count (sim, "CancelTask"), >=, 1);
  g_assert_cmpint ((int)VixVM_GetNumRootSnapshots (vm, &n), ==, 0);
  g_assert_cmpint (n, ==, 0);
  /* What cannot be cancelled goes on, and ends as it ends. */
  g_free (bed_ctl (sim, "set?create=0&remove=1500&cancelable=0"));
  old = create (vm, "old");
  job = VixVM_RemoveSnapshot (vm, old, 0, NULL, NULL);
  while (bed_count (sim, "RemoveSnapshot_Task") == 0) {
    g_assert_cmpint (g_get_monotonic_time (), <, end);
    g_usleep (10000);
  }
  g_assert_cmpint ((int)VixExt_CancelJob (job), ==, 0);
  assert_done (job);
  Vix_ReleaseHandle (old);
  Vix_ReleaseHandle (vm);
  VixHost_Disconnect (host);
}

/* ---- the rest of the extensions ---- */

typedef struct {
  GMutex lock;
  GCond changed;
  gboolean loaded;
} Watch;

static void
note_watch (VixHandle host, int event, const VixExtVM *vm, void *data)
{
  Watch *watch = data;

  g_mutex_lock (&watch->lock);
  watch->loaded |= event == VIXEXT_EVENT_LOADED;
  g_cond_broadcast (&watch->changed);
  g_mutex_unlock (&watch->lock);
}

static void
test_watch (void)
{
  g_autoptr (BedServer) sim = bed_sim_new ("-kind vcenter -vms 5 -snapshots 2");
  VixHandle host = connect_to (sim), vm = open_first (host);
  VixExtHostStatus status = { .size = sizeof status };
  const VixExtVM *record = NULL;
  VixExtFile *files = NULL;
  size_t n = 0;
  Watch watch = { .loaded = FALSE };

  g_assert_cmpint ((int)VixExt_Watch (host, note_watch, &watch), ==, 0);
  g_mutex_lock (&watch.lock);
  while (!watch.loaded)
    g_cond_wait (&watch.changed, &watch.lock);
  g_mutex_unlock (&watch.lock);
  g_assert_cmpint ((int)VixExt_GetHostStatus (host, &status), ==, 0);
  g_assert_cmpint (status.numVMs, ==, 5);
  g_assert_cmpint (status.numSnapshots, ==, 10);
  g_assert_cmpint (status.capacity, >, status.freeSpace);
  g_assert_cmpint ((int)VixExt_LookupVM (host, "no-such", &record), ==,
                   VIX_E_VM_NOT_FOUND);
  g_assert_cmpint ((int)VixExt_ListFiles (host, "no-such", 0, &files, &n, NULL),
                   ==, VIX_E_VM_NOT_FOUND);
  Vix_ReleaseHandle (vm);
  VixHost_Disconnect (host);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/vsphere/api/names", test_names);
  g_test_add_func ("/vsphere/api/refused", test_refused);
  g_test_add_func ("/vsphere/api/certificates", test_certificates);
  g_test_add_func ("/vsphere/api/find", test_find);
  g_test_add_func ("/vsphere/api/power", test_power);
  g_test_add_func ("/vsphere/api/registering", test_registering);
  g_test_add_func ("/vsphere/api/snapshots", test_snapshots);
  g_test_add_func ("/vsphere/api/server2", test_server2);
  g_test_add_func ("/vsphere/api/progress", test_progress);
  g_test_add_func ("/vsphere/api/pump", test_pump);
  g_test_add_func ("/vsphere/api/cancel", test_cancel);
  g_test_add_func ("/vsphere/api/watch", test_watch);
  return g_test_run ();
}
