/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "host-fixture.h"

typedef struct {
  VixPropertyID id;
  VixPropertyType type;
} Row;

/* By the reference, not by the library's table. */
static const Row host_rows[] = {
  { 50, VIX_PROPERTYTYPE_INTEGER },
  { 51, VIX_PROPERTYTYPE_INTEGER },
  { 52, VIX_PROPERTYTYPE_STRING },
};
static const Row vm_rows[] = {
  { 101, VIX_PROPERTYTYPE_INTEGER }, { 103, VIX_PROPERTYTYPE_STRING },
  { 105, VIX_PROPERTYTYPE_STRING },  { 106, VIX_PROPERTYTYPE_INTEGER },
  { 107, VIX_PROPERTYTYPE_BOOL },    { 108, VIX_PROPERTYTYPE_STRING },
  { 109, VIX_PROPERTYTYPE_STRING },  { 128, VIX_PROPERTYTYPE_BOOL },
  { 129, VIX_PROPERTYTYPE_INTEGER }, { 152, VIX_PROPERTYTYPE_INTEGER },
  { 196, VIX_PROPERTYTYPE_BOOL },    { 197, VIX_PROPERTYTYPE_INTEGER },
  { 236, VIX_PROPERTYTYPE_BOOL },    { 237, VIX_PROPERTYTYPE_BOOL },
  { 293, VIX_PROPERTYTYPE_BOOL },    { 4525, VIX_PROPERTYTYPE_STRING },
};
static const Row snapshot_rows[] = {
  { 4200, VIX_PROPERTYTYPE_STRING },
  { 4201, VIX_PROPERTYTYPE_STRING },
  { 4205, VIX_PROPERTYTYPE_INTEGER },
  { 4207, VIX_PROPERTYTYPE_BOOL },
};
static const Row job_rows[] = {
  { 3000, VIX_PROPERTYTYPE_INT64 },   { 3001, VIX_PROPERTYTYPE_HANDLE },
  { 3002, VIX_PROPERTYTYPE_STRING },  { 3004, VIX_PROPERTYTYPE_INTEGER },
  { 3005, VIX_PROPERTYTYPE_STRING },  { 3010, VIX_PROPERTYTYPE_HANDLE },
  { 3011, VIX_PROPERTYTYPE_BOOL },    { 3017, VIX_PROPERTYTYPE_INTEGER },
  { 3018, VIX_PROPERTYTYPE_INTEGER }, { 3035, VIX_PROPERTYTYPE_STRING },
  { 3036, VIX_PROPERTYTYPE_STRING },  { 3046, VIX_PROPERTYTYPE_INTEGER },
  { 3048, VIX_PROPERTYTYPE_STRING },  { 3049, VIX_PROPERTYTYPE_INTEGER },
  { 3051, VIX_PROPERTYTYPE_INT64 },   { 3052, VIX_PROPERTYTYPE_STRING },
  { 3053, VIX_PROPERTYTYPE_STRING },  { 3054, VIX_PROPERTYTYPE_INTEGER },
  { 3055, VIX_PROPERTYTYPE_INTEGER }, { 3056, VIX_PROPERTYTYPE_STRING },
  { 3057, VIX_PROPERTYTYPE_BOOL },    { 3058, VIX_PROPERTYTYPE_INTEGER },
  { 3059, VIX_PROPERTYTYPE_BLOB },    { 3061, VIX_PROPERTYTYPE_INT64 },
  { 3062, VIX_PROPERTYTYPE_INT64 },   { 3084, VIX_PROPERTYTYPE_STRING },
};

static gsize
width_of (VixPropertyType type)
{
  switch (type) {
  case VIX_PROPERTYTYPE_BOOL:
    return 1;
  case VIX_PROPERTYTYPE_INTEGER:
  case VIX_PROPERTYTYPE_HANDLE:
    return 4;
  default:
    return 8;
  }
}

/* The type is as told, and just that many bytes are written. */
static void
check_read (VixHandle handle, const Row *row)
{
  union {
    guint8 bytes[24];
    char *string;
    VixHandle handle;
    gint64 align;
  } a, b;
  VixPropertyType type = -1;
  gsize width = width_of (row->type);

  assert_vix (Vix_GetPropertyType (handle, row->id, &type), VIX_OK);
  g_assert_cmpint (type, ==, row->type);
  memset (&a, 0xaa, sizeof a);
  memset (&b, 0x55, sizeof b);
  assert_vix (
    Vix_GetProperties (handle, row->id, &a, row->id, &b, VIX_PROPERTY_NONE),
    VIX_OK);
  for (gsize i = width; i < sizeof a; i++) {
    g_assert_cmphex (a.bytes[i], ==, 0xaa);
    g_assert_cmphex (b.bytes[i], ==, 0x55);
  }
  if (type == VIX_PROPERTYTYPE_STRING) {
    g_assert_cmpstr (a.string, ==, b.string);
    g_assert_true (a.string != b.string);
    Vix_FreeBuffer (a.string);
    Vix_FreeBuffer (b.string);
    return;
  }
  g_assert_cmpmem (a.bytes, width, b.bytes, width);
  if (type == VIX_PROPERTYTYPE_BOOL)
    g_assert_cmpint (a.bytes[0], <=, 1);
}

static void
check_rows (VixHandle handle, const Row *rows, gsize n)
{
  for (gsize i = 0; i < n; i++)
    check_read (handle, &rows[i]);
}

static void
test_types_and_widths (void)
{
  VixHandle host = connect_workstation ();
  VixHandle vm = open_vm (host, "one");
  VixHandle snapshot = create_snapshot (vm, "s");

  check_rows (host, host_rows, G_N_ELEMENTS (host_rows));
  check_rows (vm, vm_rows, G_N_ELEMENTS (vm_rows));
  check_rows (snapshot, snapshot_rows, G_N_ELEMENTS (snapshot_rows));
  disconnect_and_check (host);
}

static void
test_types_of_job_properties (void)
{
  VixHandle host = connect_workstation ();
  VixHandle vm = open_vm (host, "one");
  VixHandle job = VixVM_CreateSnapshot (vm, "s", NULL, 0, 0, NULL, NULL);
  static const Row always[]
    = { { 3000, VIX_PROPERTYTYPE_INT64 }, { 3084, VIX_PROPERTYTYPE_STRING } };
  VixPropertyType type;

  VixJob_Wait (job, VIX_PROPERTY_NONE);
  for (gsize i = 0; i < G_N_ELEMENTS (job_rows); i++) {
    assert_vix (Vix_GetPropertyType (job, job_rows[i].id, &type), VIX_OK);
    g_assert_cmpint (type, ==, job_rows[i].type);
  }
  check_rows (job, always, G_N_ELEMENTS (always));
  check_read (job, &(Row){ 3010, VIX_PROPERTYTYPE_HANDLE });
  disconnect_and_check (host);
}

static void
test_of_another_kind_is_unrecognized (void)
{
  VixHandle host = connect_workstation ();
  VixHandle vm = open_vm (host, "one");
  VixHandle snapshot = create_snapshot (vm, "s");
  VixHandle job = VixVM_LogoutFromGuest (vm, NULL, NULL);
  struct {
    VixHandle handle;
    VixPropertyID id;
  } cases[] = {
    { host, 101 },     { vm, 50 },   { vm, 3000 },  { vm, 7001 },
    { snapshot, 108 }, { job, 108 }, { job, 4010 }, { job, 3010 },
    { host, 2 },       { host, 53 }, { host, -1 },  { vm, G_MAXINT },
    { job, 4200 },
  };
  gint64 out = 77;
  VixPropertyType type = 55;

  VixJob_Wait (job, VIX_PROPERTY_NONE);
  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++) {
    assert_vix (
      Vix_GetProperties (cases[i].handle, cases[i].id, &out, VIX_PROPERTY_NONE),
      VIX_E_UNRECOGNIZED_PROPERTY);
    g_assert_cmpint (out, ==, 77);
    /* A job has all ids of jobs until it is read. */
    if (cases[i].id == 3010)
      continue;
    assert_vix (Vix_GetPropertyType (cases[i].handle, cases[i].id, &type),
                VIX_E_UNRECOGNIZED_PROPERTY);
    g_assert_cmpint (type, ==, 55);
  }
  assert_vix (Vix_GetPropertyType (vm, 108, NULL), VIX_E_INVALID_ARG);
  disconnect_and_check (host);
}

static void
test_stops_at_the_first_failure (void)
{
  VixHandle host = connect_workstation ();
  VixHandle vm = open_vm (host, "one");
  int vcpus = -1, memory = -1, bad = -1;
  char **nowhere = NULL;

  assert_vix (Vix_GetProperties (vm, VIX_PROPERTY_VM_NUM_VCPUS, &vcpus,
                                 VIX_PROPERTY_HOST_HOSTTYPE, &bad,
                                 VIX_PROPERTY_VM_MEMORY_SIZE, &memory,
                                 VIX_PROPERTY_NONE),
              VIX_E_UNRECOGNIZED_PROPERTY);
  g_assert_cmpint (vcpus, ==, 2);
  g_assert_cmpint (bad, ==, -1);
  g_assert_cmpint (memory, ==, -1);
  assert_vix (
    Vix_GetProperties (vm, VIX_PROPERTY_VM_NAME, nowhere, VIX_PROPERTY_NONE),
    VIX_E_INVALID_ARG);
  assert_vix (Vix_GetProperties (vm, VIX_PROPERTY_NONE), VIX_OK);
  disconnect_and_check (host);
}

static void
test_values_of_a_vm (void)
{
  VixHandle host = connect_workstation ();
  VixHandle vm = open_vm (host, "one");
  char *name, *path, *team, *guest, *shares;
  int memory, features, tools;
  Bool in_team, read_only, recording;

  assert_vix (
    Vix_GetProperties (
      vm, VIX_PROPERTY_VM_NAME, &name, VIX_PROPERTY_VM_VMX_PATHNAME, &path,
      VIX_PROPERTY_VM_VMTEAM_PATHNAME, &team, VIX_PROPERTY_VM_GUESTOS, &guest,
      VIX_PROPERTY_GUEST_SHAREDFOLDERS_SHARES_PATH, &shares,
      VIX_PROPERTY_VM_MEMORY_SIZE, &memory, VIX_PROPERTY_VM_SUPPORTED_FEATURES,
      &features, VIX_PROPERTY_VM_TOOLS_STATE, &tools, VIX_PROPERTY_VM_IN_VMTEAM,
      &in_team, VIX_PROPERTY_VM_READ_ONLY, &read_only,
      VIX_PROPERTY_VM_IS_RECORDING, &recording, VIX_PROPERTY_NONE),
    VIX_OK);
  g_assert_cmpstr (name, ==, "one");
  g_assert_cmpstr (path, ==, "/vms/one/one.vmx");
  g_assert_cmpstr (team, ==, "/vms/team.vmtm");
  g_assert_cmpstr (guest, ==, "otherlinux-64");
  g_assert_cmpstr (shares, ==, "");
  g_assert_cmpint (memory, ==, 512);
  g_assert_cmpint (features, ==, VIX_VM_SUPPORT_MULTIPLE_SNAPSHOTS);
  g_assert_cmpint (tools, ==, VIX_TOOLSSTATE_UNKNOWN);
  g_assert_true (in_team == TRUE);
  g_assert_true (read_only == FALSE);
  g_assert_true (recording == FALSE);
  Vix_FreeBuffer (name);
  Vix_FreeBuffer (path);
  Vix_FreeBuffer (team);
  Vix_FreeBuffer (guest);
  Vix_FreeBuffer (shares);
  disconnect_and_check (host);
}

static void
test_power_state_is_of_now_and_plain (void)
{
  static const struct {
    int raw, expected;
    Bool running;
  } cases[] = {
    { 0, VIX_POWERSTATE_POWERED_OFF, FALSE },
    { VIX_POWERSTATE_POWERED_OFF | VIX_POWERSTATE_TOOLS_RUNNING,
      VIX_POWERSTATE_POWERED_OFF, FALSE },
    { VIX_POWERSTATE_SUSPENDED | VIX_POWERSTATE_POWERED_OFF,
      VIX_POWERSTATE_SUSPENDED, FALSE },
    { VIX_POWERSTATE_POWERED_ON | VIX_POWERSTATE_PAUSED,
      VIX_POWERSTATE_POWERED_ON | VIX_POWERSTATE_PAUSED, TRUE },
  };
  VixHandle host = connect_workstation ();
  VixHandle vm = open_vm (host, "one");

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++) {
    int state;
    Bool running;

    fake_set_power ("one", cases[i].raw, 0);
    assert_vix (Vix_GetProperties (vm, VIX_PROPERTY_VM_POWER_STATE, &state,
                                   VIX_PROPERTY_VM_IS_RUNNING, &running,
                                   VIX_PROPERTY_NONE),
                VIX_OK);
    g_assert_cmphex (state, ==, cases[i].expected);
    g_assert_true (running == cases[i].running);
  }
  disconnect_and_check (host);
}

/* ---- lists ---- */

static void
test_list_keeps_values_of_each_type (void)
{
  VixHandle host = connect_workstation (), list = 5, got_handle;
  VixHandle vm = open_vm (host, "one");
  char text[] = "päss", *got_text;
  unsigned char data[] = { 1, 0, 255 }, *got_data;
  int number, size;
  int64 big;
  Bool flag;

  assert_vix (VixPropertyList_AllocPropertyList (
                host, &list, VIX_PROPERTY_VM_ENCRYPTION_PASSWORD, text,
                VIX_PROPERTY_VM_NUM_VCPUS, 7, VIX_PROPERTY_VM_READ_ONLY, TRUE,
                VIX_PROPERTY_JOB_RESULT_FILE_SIZE, (int64)1 << 40,
                VIX_PROPERTY_JOB_RESULT_HANDLE, vm,
                VIX_PROPERTY_JOB_RESULT_SCREEN_IMAGE_DATA, 3, data,
                VIX_PROPERTY_VM_NUM_VCPUS, 8, VIX_PROPERTY_NONE),
              VIX_OK);
  memset (text, 'x', 2);
  memset (data, 9, sizeof data);
  assert_vix (Vix_GetProperties (list, VIX_PROPERTY_VM_ENCRYPTION_PASSWORD,
                                 &got_text, VIX_PROPERTY_VM_NUM_VCPUS, &number,
                                 VIX_PROPERTY_VM_READ_ONLY, &flag,
                                 VIX_PROPERTY_JOB_RESULT_FILE_SIZE, &big,
                                 VIX_PROPERTY_JOB_RESULT_HANDLE, &got_handle,
                                 VIX_PROPERTY_JOB_RESULT_SCREEN_IMAGE_DATA,
                                 &size, &got_data, VIX_PROPERTY_NONE),
              VIX_OK);
  g_assert_cmpstr (got_text, ==, "päss");
  g_assert_cmpint (number, ==, 8);
  g_assert_true (flag == TRUE);
  g_assert_cmpint (big, ==, (int64)1 << 40);
  g_assert_cmpint (got_handle, ==, vm);
  g_assert_cmpmem (got_data, size, "\1\0\377", 3);
  Vix_FreeBuffer (got_text);
  Vix_FreeBuffer (got_data);
  assert_vix (Vix_GetProperties (list, VIX_PROPERTY_VM_NAME, &got_text,
                                 VIX_PROPERTY_NONE),
              VIX_E_UNRECOGNIZED_PROPERTY);
  disconnect_and_check (host);
}

static void
test_list_failures (void)
{
  VixHandle host = connect_workstation (), list = 5;

  assert_vix (VixPropertyList_AllocPropertyList (0, &list, VIX_PROPERTY_NONE),
              VIX_E_INVALID_HANDLE);
  g_assert_cmpint (list, ==, 0);
  assert_vix (VixPropertyList_AllocPropertyList (host, NULL, VIX_PROPERTY_NONE),
              VIX_E_INVALID_ARG);
  assert_vix (VixPropertyList_AllocPropertyList (host, &list, 99999, 1,
                                                 VIX_PROPERTY_NONE),
              VIX_E_UNRECOGNIZED_PROPERTY);
  assert_vix (VixPropertyList_AllocPropertyList (
                host, &list, VIX_PROPERTY_VM_NAME, "\xff", VIX_PROPERTY_NONE),
              VIX_E_INVALID_UTF8_STRING);
  assert_vix (VixPropertyList_AllocPropertyList (host, &list,
                                                 VIX_PROPERTY_JOB_RESULT_HANDLE,
                                                 12345, VIX_PROPERTY_NONE),
              VIX_E_INVALID_HANDLE);
  assert_vix (VixPropertyList_AllocPropertyList (
                host, &list, VIX_PROPERTY_JOB_RESULT_SCREEN_IMAGE_DATA, -1, "x",
                VIX_PROPERTY_NONE),
              VIX_E_INVALID_ARG);
  g_assert_cmpint (list, ==, 0);
  disconnect_and_check (host);
}

static void
test_list_keeps_its_objects (void)
{
  VixHandle host = connect_workstation (), list;
  VixHandle vm = open_vm (host, "one");

  VixPropertyList_AllocPropertyList (
    host, &list, VIX_PROPERTY_JOB_RESULT_HANDLE, vm, VIX_PROPERTY_NONE);
  Vix_ReleaseHandle (vm);
  g_assert_cmpint (open_vm (host, "one"), ==, vm);
  Vix_ReleaseHandle (vm);
  Vix_ReleaseHandle (list);
  g_assert_cmpint (Vix_GetHandleType (vm), ==, VIX_HANDLETYPE_NONE);
  disconnect_and_check (host);
}

static void
test_free_buffer (void)
{
  Vix_FreeBuffer (NULL);
  Vix_FreeBuffer (strdup ("from malloc"));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define ADD(path, func) g_test_add_func ("/property/" path, test_##func)
  ADD ("types-and-widths", types_and_widths);
  ADD ("types-of-job-properties", types_of_job_properties);
  ADD ("of-another-kind-is-unrecognized", of_another_kind_is_unrecognized);
  ADD ("stops-at-the-first-failure", stops_at_the_first_failure);
  ADD ("values-of-a-vm", values_of_a_vm);
  ADD ("power-state-is-of-now-and-plain", power_state_is_of_now_and_plain);
  ADD ("list/keeps-values-of-each-type", list_keeps_values_of_each_type);
  ADD ("list/failures", list_failures);
  ADD ("list/keeps-its-objects", list_keeps_its_objects);
  ADD ("free-buffer-takes-malloc", free_buffer);
  return g_test_run ();
}
