/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "host-fixture.h"

/* ---- watching ---- */

typedef struct {
  GMutex mutex;
  GString *log;
  VixHandle host;
  int inside;
} Watched;

static void
on_change (VixHandle host, int event, const VixExtVM *vm, void *data)
{
  static const char *const names[]
    = { NULL, "added", "changed", "removed", "files", "loaded", "state" };
  Watched *w = data;

  g_assert_cmpint (g_atomic_int_add (&w->inside, 1), ==, 0);
  g_mutex_lock (&w->mutex);
  g_assert_cmpint (host, ==, w->host);
  g_string_append_printf (w->log, "%s:%s ", names[event],
                          vm != NULL ? vm->displayName : "");
  g_mutex_unlock (&w->mutex);
  g_atomic_int_add (&w->inside, -1);
}

/* What was logged since the last call. */
static char *
take_log (Watched *w)
{
  char *log;

  g_mutex_lock (&w->mutex);
  log = g_strdup (w->log->str);
  g_string_truncate (w->log, 0);
  g_mutex_unlock (&w->mutex);
  return log;
}

static void
assert_log (Watched *w, const char *expected)
{
  g_autofree char *log = take_log (w);

  g_assert_cmpstr (log, ==, expected);
}

static void
test_watch (void)
{
  Watched w = { .log = g_string_new (""), .host = connect_workstation () };
  VixHandle vm = open_vm (w.host, "one"), s, job;
  const VixExtVM *record = NULL;

  /* One was known before; it is told like the others, once. */
  assert_vix (VixExt_Watch (w.host, on_change, &w), VIX_OK);
  assert_log (&w, "added:one added:two added:three added:locked added:quiet "
                  "added:bare loaded: ");
  assert_vix (VixExt_Watch (w.host, on_change, &w),
              VIX_E_OPERATION_ALREADY_IN_PROGRESS);
  /* Told before the job is done. */
  job = VixVM_CreateSnapshot (vm, "s", "", 0, 0, NULL, NULL);
  assert_vix (
    VixJob_Wait (job, VIX_PROPERTY_JOB_RESULT_HANDLE, &s, VIX_PROPERTY_NONE),
    VIX_OK);
  assert_log (&w, "changed:one ");
  assert_vix (VixExt_LookupVM (w.host, "/vms/one/one.vmx", &record), VIX_OK);
  g_assert_cmpuint (record->numSnapshots, ==, 1);
  g_assert_cmpint (record->currentSnapshot, ==, record->snapshots[0].id);
  VixExt_UnrefVM (record);
  assert_vix (finish (VixVM_Delete (vm, 0, NULL, NULL)), VIX_OK);
  assert_log (&w, "removed:one ");
  assert_vix (VixExt_LookupVM (w.host, "/vms/one/one.vmx", &record),
              VIX_E_VM_NOT_FOUND);
  g_assert_null (record);
  VixHost_Disconnect (w.host);
  assert_log (&w, "");
  g_string_free (w.log, TRUE);
  disconnect_and_check (w.host);
}

static void
on_change_disconnect (VixHandle host, int event, const VixExtVM *vm, void *data)
{
  if (event == VIXEXT_EVENT_LOADED)
    VixHost_Disconnect (host);
}

static void
test_disconnect_inside_the_watcher (void)
{
  VixHandle host = connect_workstation ();

  VixExt_Watch (host, on_change_disconnect, NULL);
  for (int i = 0; i < 30000 && fake_get_log ().disconnected == 0; i++)
    g_usleep (1000);
  g_assert_cmpint (fake_get_log ().disconnected, ==, 1);
  disconnect_and_check (host);
}

static void
on_change_release (VixHandle host, int event, const VixExtVM *vm, void *data)
{
  if (event == VIXEXT_EVENT_LOADED)
    Vix_ReleaseHandle (host);
}

static void
test_last_release_inside_the_watcher (void)
{
  VixHandle host = connect_workstation ();

  VixExt_Watch (host, on_change_release, NULL);
  for (int i = 0; i < 30000 && fake_get_log ().disconnected == 0; i++)
    g_usleep (1000);
  g_assert_cmpint (fake_get_log ().disconnected, ==, 1);
  disconnect_and_check (host);
}

/* ---- handles and ids ---- */

static void
test_handles_of_records (void)
{
  VixHandle host = connect_workstation (), vm, other, s, found = 5;
  int64 id = 0;

  assert_vix (VixExt_GetVM (host, "/vms/one/one.vmx", &found),
              VIX_E_VM_NOT_FOUND);
  g_assert_cmpint (found, ==, VIX_INVALID_HANDLE);
  vm = open_vm (host, "one");
  assert_vix (VixExt_GetVM (host, "/vms/one/one.vmx", &other), VIX_OK);
  g_assert_cmpint (other, ==, vm);
  s = create_snapshot (vm, "s");
  assert_vix (VixExt_GetSnapshotId (s, &id), VIX_OK);
  assert_vix (VixExt_GetSnapshot (vm, id, &found), VIX_OK);
  g_assert_cmpint (found, ==, s);
  assert_vix (VixExt_GetSnapshot (vm, 77, &found), VIX_E_SNAPSHOT_NOTFOUND);
  assert_vix (VixExt_GetSnapshot (vm, 0, &found), VIX_E_SNAPSHOT_NOTFOUND);
  g_assert_cmpint (found, ==, VIX_INVALID_HANDLE);
  assert_vix (VixExt_GetVM (host, NULL, &found), VIX_E_INVALID_ARG);
  assert_vix (VixExt_GetVM (host, "x", NULL), VIX_E_INVALID_ARG);
  assert_vix (VixExt_GetSnapshot (vm, 1, NULL), VIX_E_INVALID_ARG);
  assert_vix (VixExt_GetSnapshotId (s, NULL), VIX_E_INVALID_ARG);
  assert_vix (VixExt_GetSnapshotId (vm, &id),
              VIX_E_NOT_SUPPORTED_ON_HANDLE_TYPE);
  disconnect_and_check (host);
}

static void
test_bad_handles (void)
{
  const VixExtVM *record = (const VixExtVM *)1;
  VixExtHostStatus status = { .size = sizeof status };
  VixHandle out = 5;
  int percent;
  size_t n;
  char *text, *message;
  VixExtReader *reader;
  VixExtFile *files;
  int64 id;

  assert_vix (VixExt_GetHostStatus (7, &status), VIX_E_INVALID_HANDLE);
  assert_vix (VixExt_Watch (7, on_change, NULL), VIX_E_INVALID_HANDLE);
  assert_vix (VixExt_Watch (7, NULL, NULL), VIX_E_INVALID_ARG);
  assert_vix (VixExt_LookupVM (7, "x", &record), VIX_E_INVALID_HANDLE);
  g_assert_null (record);
  assert_vix (VixExt_GetVM (7, "x", &out), VIX_E_INVALID_HANDLE);
  assert_vix (VixExt_GetSnapshot (7, 1, &out), VIX_E_INVALID_HANDLE);
  assert_vix (VixExt_GetSnapshotId (7, &id), VIX_E_INVALID_HANDLE);
  assert_vix (VixExt_CancelJob (7), VIX_E_INVALID_HANDLE);
  assert_vix (VixExt_GetJobProgress (7, &percent), VIX_E_INVALID_HANDLE);
  assert_vix (finish (VixExt_RenameSnapshot (7, "x", NULL, NULL)),
              VIX_E_INVALID_HANDLE);
  assert_vix (finish (VixExt_DescribeSnapshot (7, "x", NULL, NULL)),
              VIX_E_INVALID_HANDLE);
  assert_vix (VixExt_ListFiles (7, "x", 0, &files, &n, &message),
              VIX_E_INVALID_HANDLE);
  Vix_FreeBuffer (message);
  assert_vix (VixExt_GetConfig (7, "x", 0, &text, &n, NULL),
              VIX_E_INVALID_HANDLE);
  assert_vix (VixExt_OpenFile (7, "x", 0, "y", &reader, NULL),
              VIX_E_INVALID_HANDLE);
  VixExt_CloseFile (NULL);
  VixExt_UnrefVM (NULL);
}

/* ---- status, edits, files ---- */

static void
test_host_status (void)
{
  VixHandle host = connect_workstation ();
  VixExtHostStatus status = { .size = sizeof status };
  struct {
    VixExtHostStatus status;
    char guard;
  } small = { .guard = 9 };

  create_snapshot (open_vm (host, "one"), "s");
  assert_vix (VixExt_GetHostStatus (host, &status), VIX_OK);
  g_assert_cmpint (status.state, ==, VIXEXT_HOST_CONNECTED);
  g_assert_cmpstr (status.product, ==, "Fake");
  g_assert_cmpint (status.capacity, ==, 1000);
  g_assert_cmpint (status.numVMs, ==, 1);
  g_assert_cmpint (status.numSnapshots, ==, 1);
  /* A program compiled with a shorter struct. */
  memset (&small.status, 0x7f, sizeof small.status);
  small.status.size = G_STRUCT_OFFSET (VixExtHostStatus, capacity);
  assert_vix (VixExt_GetHostStatus (host, &small.status), VIX_OK);
  g_assert_cmpuint (small.status.size, ==,
                    G_STRUCT_OFFSET (VixExtHostStatus, capacity));
  g_assert_cmpstr (small.status.product, ==, "Fake");
  g_assert_cmphex (small.status.capacity, ==, 0x7f7f7f7f7f7f7f7f);
  assert_vix (VixExt_GetHostStatus (host, NULL), VIX_E_INVALID_ARG);
  disconnect_and_check (host);
}

static void
test_rename_and_describe (void)
{
  VixHandle host = connect_workstation ();
  VixHandle vm = open_vm (host, "one"), s = create_snapshot (vm, "old");
  char *name, *description;
  int changes = fake_get_log ().changes;

  assert_vix (finish (VixExt_RenameSnapshot (s, "old", NULL, NULL)), VIX_OK);
  assert_vix (finish (VixExt_DescribeSnapshot (s, NULL, NULL, NULL)), VIX_OK);
  g_assert_cmpint (fake_get_log ().changes, ==, changes);
  assert_vix (finish (VixExt_RenameSnapshot (s, "neu", NULL, NULL)), VIX_OK);
  assert_vix (finish (VixExt_DescribeSnapshot (s, "a\nb", NULL, NULL)), VIX_OK);
  assert_vix (Vix_GetProperties (s, VIX_PROPERTY_SNAPSHOT_DISPLAYNAME, &name,
                                 VIX_PROPERTY_SNAPSHOT_DESCRIPTION,
                                 &description, VIX_PROPERTY_NONE),
              VIX_OK);
  g_assert_cmpstr (name, ==, "neu");
  g_assert_cmpstr (description, ==, "a\nb");
  Vix_FreeBuffer (name);
  Vix_FreeBuffer (description);
  assert_vix (finish (VixExt_RenameSnapshot (s, "\xff", NULL, NULL)),
              VIX_E_INVALID_UTF8_STRING);
  assert_vix (finish (VixVM_RemoveSnapshot (vm, s, 0, NULL, NULL)), VIX_OK);
  assert_vix (finish (VixExt_RenameSnapshot (s, "x", NULL, NULL)),
              VIX_E_SNAPSHOT_NOTFOUND);
  disconnect_and_check (host);
}

static void
test_files (void)
{
  VixHandle host = connect_workstation ();
  const char *id = "/vms/one/one.vmx";
  VixExtFile *files = NULL;
  VixExtReader *reader = NULL;
  char *text = NULL, *message = NULL, buf[20];
  size_t n = 0, done = 9;

  assert_vix (VixExt_ListFiles (host, id, 0, &files, &n, &message), VIX_OK);
  g_assert_null (message);
  g_assert_cmpuint (n, ==, 1);
  g_assert_cmpstr (files[0].name, ==, "one.vmx");
  Vix_FreeBuffer (files);
  assert_vix (VixExt_ListFiles (host, "/no", 0, &files, &n, &message),
              VIX_E_VM_NOT_FOUND);
  g_assert_nonnull (strstr (message, "/no"));
  g_assert_null (files);
  Vix_FreeBuffer (message);
  assert_vix (VixExt_ListFiles (host, id, -1, &files, &n, NULL),
              VIX_E_INVALID_ARG);
  assert_vix (VixExt_ListFiles (host, NULL, 0, &files, &n, NULL),
              VIX_E_INVALID_ARG);
  assert_vix (VixExt_GetConfig (host, id, 0, &text, &n, NULL), VIX_OK);
  g_assert_cmpuint (strlen (text), ==, n);
  g_assert_nonnull (strstr (text, "displayName = \"one\""));
  Vix_FreeBuffer (text);
  assert_vix (VixExt_OpenFile (host, id, 0, "../x", &reader, &message),
              VIX_E_FILE_NOT_FOUND);
  Vix_FreeBuffer (message);
  assert_vix (VixExt_OpenFile (host, id, 0, "x", &reader, NULL), VIX_OK);
  g_assert_cmpint (VixExt_GetFileSize (reader), ==, 11);
  g_assert_cmpint (VixExt_GetFileSize (NULL), ==, 0);
  assert_vix (VixExt_ReadFile (reader, 6, buf, sizeof buf, &done, NULL),
              VIX_OK);
  g_assert_cmpmem (buf, done, "world", 5);
  assert_vix (VixExt_ReadFile (reader, 600, buf, sizeof buf, &done, NULL),
              VIX_OK);
  g_assert_cmpuint (done, ==, 0);
  assert_vix (VixExt_ReadFile (reader, -1, buf, 1, &done, NULL),
              VIX_E_INVALID_ARG);
  assert_vix (VixExt_ReadFile (reader, 0, NULL, 1, &done, NULL),
              VIX_E_INVALID_ARG);
  assert_vix (VixExt_ReadFile (NULL, 0, buf, 1, &done, NULL),
              VIX_E_INVALID_ARG);
  /* A reader that outlives its host. */
  VixHost_Disconnect (host);
  assert_vix (VixExt_ReadFile (reader, 0, buf, 1, &done, NULL),
              VIX_E_HOST_NOT_CONNECTED);
  VixExt_CloseFile (reader);
  disconnect_and_check (host);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define ADD(path, func) g_test_add_func ("/ext/" path, test_##func)
  ADD ("watch", watch);
  ADD ("watch/disconnect-inside", disconnect_inside_the_watcher);
  ADD ("watch/last-release-inside", last_release_inside_the_watcher);
  ADD ("handles-of-records", handles_of_records);
  ADD ("bad-handles", bad_handles);
  ADD ("host-status", host_status);
  ADD ("rename-and-describe", rename_and_describe);
  ADD ("files", files);
  return g_test_run ();
}
