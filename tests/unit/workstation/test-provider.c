/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "host-fixture.h"
#include "vm-fixture.h"
#include "workstation/state-file.h"

static char *
path_in (const char *dir, const char *name)
{
  return g_build_filename (dir, name, NULL);
}

static const VixExtVM *
lookup (HostFixture *fixture, const char *dir, const char *name)
{
  g_autofree char *id = path_in (dir, name);
  g_autoptr (GError) error = NULL;
  const VixExtVM *record = ws_provider_ops.lookup_vm (
    host_fixture_host (fixture), id, host_fixture_op (), &error);

  g_assert_no_error (error);
  return record;
}

/* ---- connecting ---- */

static void
assert_connect_fails (const char *name, int code)
{
  VixConnectParams params
    = { .host_type = VIX_SERVICEPROVIDER_VMWARE_WORKSTATION,
        .host_name = name,
        .vendor_library = "none" };
  VixInventory *inventory = vix_inventory_new ();
  g_autoptr (GError) error = NULL;

  g_assert_null (
    ws_provider_ops.connect (&params, inventory, host_fixture_op (), &error));
  g_assert_error (error, VIX_ERROR, code);
  vix_inventory_free (inventory);
}

static void
test_connect (void)
{
  char *dir = fixture_new ();
  g_autofree char *none = path_in (dir, "none");
  g_autofree char *file = path_in (dir, "file");
  VixExtHostStatus status = { .size = sizeof status };
  HostFixture *fixture;

  fixture_write (dir, "file", "");
  assert_connect_fails (none, VIX_E_FILE_NOT_FOUND);
  assert_connect_fails (file, VIX_E_NOT_A_DIRECTORY);
  assert_connect_fails ("server.example.com",
                        VIX_E_INVALID_HOSTNAME_SPECIFICATION);
  fixture = host_fixture_new (dir, FALSE, FALSE);
  ws_provider_ops.get_status (host_fixture_host (fixture), &status);
  g_assert_cmpint (status.state, ==, VIXEXT_HOST_CONNECTED);
  g_assert_cmpint (status.capacity, >, 0);
  g_assert_cmpint (status.freeSpace, <=, status.capacity);
  g_assert_cmpstr (status.product, ==, "Workstation directory");
  host_fixture_free (fixture);
  fixture_free (dir);
}

/* No host name: ~/vmware and what the user's preferences name. */
static void
test_default_directories (void)
{
  static const char *const names[] = { NULL, "" };
  char *dir = fixture_new ();
  g_autofree char *elsewhere = path_in (dir, "else");
  g_autofree char *preferences
    = g_strdup_printf ("prefvmx.defaultVMPath = \"%s\"\n", elsewhere);
  gsize i;

  fixture_write (dir, ".vmware/preferences", preferences);
  fixture_vm (dir, "vmware/a/a", 0);
  fixture_vm (dir, "else/b/b", 0);
  fixture_vm (dir, "not/c/c", 0);
  g_setenv ("HOME", dir, TRUE);
  for (i = 0; i < G_N_ELEMENTS (names); i++) {
    HostFixture *fixture = host_fixture_new (names[i], FALSE, FALSE);
    g_autoptr (GPtrArray) ids = ws_provider_ops.find_vms (
      host_fixture_host (fixture), FALSE, host_fixture_op (), NULL);
    g_autofree char *a = path_in (dir, "vmware/a/a.vmx");
    g_autofree char *b = path_in (dir, "else/b/b.vmx");

    g_assert_cmpuint (ids->len, ==, 2);
    g_assert_cmpstr (ids->pdata[0], ==, a);
    g_assert_cmpstr (ids->pdata[1], ==, b);
    host_fixture_free (fixture);
  }
  fixture_free (dir);
}

/* ---- finding ---- */

static void
test_find (void)
{
  char *dir = fixture_new ();
  g_autofree char *link = path_in (dir, "link");
  g_autofree char *deep = g_strnfill (2 * 40, 'd');
  HostFixture *fixture;
  g_autoptr (GPtrArray) ids = NULL;
  g_autoptr (GPtrArray) running = NULL;
  static const char *const expected[]
    = { "a b/\303\244.vmx", "f/v/v.vmx", "f/w/T.VMTX" };
  gsize i;

  for (i = 1; i < 80; i += 2)
    deep[i] = '/';
  fixture_vm (dir, "a b/\303\244", 0);
  fixture_vm (dir, "f/v/v", 0);
  fixture_write (dir, "f/w/T.VMTX", "templateVM = \"TRUE\"\n");
  fixture_vm (dir, ".git/hidden", 0);
  fixture_vm (dir, "f/v/v.vmx.lck/x", 0);
  fixture_write (dir, "f/v/._v.vmx", "x");
  fixture_write (dir, "f/v/v.vmx~", "x");
  fixture_write (dir, "f/d.vmx", NULL);
  {
    g_autofree char *too_deep = g_strconcat (deep, "vm", NULL);

    fixture_vm (dir, too_deep, 0);
  }
  g_assert_cmpint (symlink ("f", link), ==, 0);
  fixture = host_fixture_new (dir, FALSE, FALSE);
  ids = ws_provider_ops.find_vms (host_fixture_host (fixture), FALSE,
                                  host_fixture_op (), NULL);
  g_assert_cmpuint (ids->len, ==, G_N_ELEMENTS (expected));
  for (i = 0; i < ids->len; i++) {
    g_autofree char *id = path_in (dir, expected[i]);

    g_assert_cmpstr (ids->pdata[i], ==, id);
  }
  fixture_lock (dir, "f/v/v.vmx");
  fixture_write (dir, "f/v/v-000000.vmdk", "");
  fixture_lock (dir, "f/v/v-000000.vmdk");
  running = ws_provider_ops.find_vms (host_fixture_host (fixture), TRUE,
                                      host_fixture_op (), NULL);
  g_assert_cmpuint (running->len, ==, 1);
  host_fixture_free (fixture);
  fixture_free (dir);
}

static void
test_unreadable_directory (void)
{
  char *dir = fixture_new ();
  g_autofree char *closed = path_in (dir, "closed");
  HostFixture *fixture;

  fixture_vm (dir, "closed/c", 0);
  fixture_vm (dir, "open/o", 0);
  g_assert_cmpint (g_chmod (closed, 0), ==, 0);
  fixture = host_fixture_new (dir, TRUE, FALSE);
  host_fixture_wait (fixture, "open/o", is_there, NULL);
  if (geteuid () != 0)
    host_fixture_wait (fixture, "closed/c", is_gone, NULL);
  g_assert_cmpint (g_chmod (closed, 0700), ==, 0);
  host_fixture_wait (fixture, "closed/c", is_there, NULL);
  host_fixture_free (fixture);
  fixture_free (dir);
}

/* The place of a VM is the same with and without a watch. */
static void
test_places (void)
{
  static const char *const names[][2] = {
    { "top.vmx", "top" },     { "a/a.vmx", "a" },   { "b/one.vmx", "b/one" },
    { "b/two.vmx", "b/two" }, { "c/c.vmx", "c/c" }, { "c/d/e/x.vmx", "c/d/e" },
  };
  char *dir = fixture_new ();
  HostFixture *plain, *watched;
  gsize i;

  for (i = 0; i < G_N_ELEMENTS (names); i++)
    fixture_write (dir, names[i][0], "displayName = \"n\"\n");
  plain = host_fixture_new (dir, FALSE, FALSE);
  watched = host_fixture_new (dir, TRUE, FALSE);
  for (i = 0; i < G_N_ELEMENTS (names); i++) {
    g_autoptr (VixVmRecord) one = lookup (plain, dir, names[i][0]);
    g_autoptr (VixVmRecord) other = lookup (watched, dir, names[i][0]);

    g_assert_true (has_place (one, names[i][1]));
    g_assert_true (has_place (other, names[i][1]));
  }
  host_fixture_free (plain);
  host_fixture_free (watched);
  fixture_free (dir);
}

/* ---- opening ---- */

static void
test_open (void)
{
  char *dir = fixture_new ();
  static const struct {
    const char *name;
    int code;
  } rows[] = {
    { "none.vmx", VIX_E_FILE_NOT_FOUND },
    { "a", VIX_E_CANNOT_READ_VM_CONFIG },
    { "a/a.vmsd", VIX_E_CANNOT_READ_VM_CONFIG },
    { "bad/bad.vmx", VIX_E_CANNOT_READ_VM_CONFIG },
  };
  g_autofree char *real = path_in (dir, "a/a.vmx");
  g_autofree char *link = path_in (dir, "other.vmx");
  g_autofree char *encrypted = path_in (dir, "e/e.vmx");
  g_autofree char *cwd = g_get_current_dir ();
  g_autofree char *by_link = NULL;
  g_autofree char *relative = NULL;
  g_autofree char *locked_up = NULL;
  HostFixture *fixture;
  gpointer host;
  gsize i;

  fixture_vm (dir, "a/a", 0);
  fixture_write (dir, "bad/bad.vmx", ".encoding = \"klingon\"\n");
  fixture_write (dir, "e/e.vmx", "encryption.data = \"x\"\n");
  g_assert_cmpint (symlink ("a/a.vmx", link), ==, 0);
  fixture = host_fixture_new (dir, FALSE, FALSE);
  host = host_fixture_host (fixture);
  by_link = ws_provider_ops.open_vm (host, link, host_fixture_op (), NULL);
  g_assert_cmpstr (by_link, ==, real);
  g_assert_cmpint (g_chdir (dir), ==, 0);
  relative
    = ws_provider_ops.open_vm (host, "a/a.vmx", host_fixture_op (), NULL);
  g_assert_cmpint (g_chdir (cwd), ==, 0);
  g_assert_cmpstr (relative, ==, real);
  locked_up
    = ws_provider_ops.open_vm (host, encrypted, host_fixture_op (), NULL);
  g_assert_cmpstr (locked_up, ==, encrypted);
  for (i = 0; i < G_N_ELEMENTS (rows); i++) {
    g_autofree char *path = path_in (dir, rows[i].name);
    g_autoptr (GError) error = NULL;

    g_assert_null (
      ws_provider_ops.open_vm (host, path, host_fixture_op (), &error));
    g_assert_error (error, VIX_ERROR, rows[i].code);
    g_assert_nonnull (strstr (error->message, rows[i].name));
  }
  host_fixture_free (fixture);
  fixture_free (dir);
}

static void
test_facts (void)
{
  char *dir = fixture_new ();
  HostFixture *fixture;
  g_autoptr (VixVmRecord) vm = NULL;

  fixture_vm (dir, "a/a", 2);
  fixture_write (dir, "a/a-Snapshot2.vixfs-vmss", "");
  fixture = host_fixture_new (dir, FALSE, FALSE);
  vm = lookup (fixture, dir, "a/a.vmx");
  g_assert_cmpstr (vm->displayName, ==, "a");
  g_assert_cmpstr (vm->uuid, ==, "564d1a2b-3c4d-5e6f-7081-92a3b4c5d6e7");
  g_assert_cmpstr (vm->guestOS, ==, "debian11-64");
  g_assert_cmpstr (vm->problem, ==, "");
  g_assert_cmpint (vm->flags, ==, 0);
  g_assert_cmpint (vm->powerState, ==, VIX_POWERSTATE_POWERED_OFF);
  g_assert_cmpint (vm->numVcpus, ==, 2);
  g_assert_cmpint (vm->memoryMiB, ==, 2048);
  g_assert_cmpint (vm->hardwareVersion, ==, 19);
  g_assert_cmpint (vm->changed, >, G_GINT64_CONSTANT (1700000000000000));
  g_assert_cmpint (vm->currentSnapshot, ==, 2);
  g_assert_cmpuint (vm->numDisks, ==, 1);
  g_assert_cmpstr (vm->disks[0].node, ==, "scsi0:0");
  g_assert_cmpuint (vm->numSnapshots, ==, 2);
  g_assert_cmpint (vm->snapshots[0].powerState, ==, VIX_POWERSTATE_POWERED_OFF);
  g_assert_cmpint (vm->snapshots[1].powerState, ==, VIX_POWERSTATE_SUSPENDED);
  g_assert_cmpint (vm->snapshots[1].parent, ==, 1);
  host_fixture_free (fixture);
  fixture_free (dir);
}

/* Broken VMs are listed, with a text that names file and cause. */
static void
test_problems (void)
{
  static const struct {
    const char *vmx, *vmsd;
    int flags;
    const char *problem;
  } rows[] = {
    { ".encoding = \"klingon\"\n", "", VIXEXT_VM_INACCESSIBLE, "p.vmx" },
    { "x = \"1\"\n", "snapshot.numSnapshots = \"7\"\n", 0, "p.vmsd" },
    { "x = \"1\"\n", ".encoding = \"klingon\"\n", 0, "p.vmsd" },
    { "x = \"1\"\n", "snapshot.needConsolidate = \"TRUE\"\n", 0,
      "needConsolidate" },
    { "encryption.data = \"1\"\n", "", VIXEXT_VM_ENCRYPTED, "encrypted" },
    { "templateVM = \"TRUE\"\n", "", VIXEXT_VM_TEMPLATE, "" },
    { "x = \"1\"\n", "numSentinels = \"1\"\nsentinel0 = \"a.vmdk\"\n",
      VIXEXT_VM_LINKED_CLONE, "" },
  };
  gsize i;

  for (i = 0; i < G_N_ELEMENTS (rows); i++) {
    char *dir = fixture_new ();
    HostFixture *fixture;
    g_autoptr (VixVmRecord) vm = NULL;

    fixture_write (dir, "p/p.vmx", rows[i].vmx);
    fixture_write (dir, "p/p.vmsd", rows[i].vmsd);
    fixture_vm (dir, "q/q", 1);
    fixture = host_fixture_new (dir, TRUE, FALSE);
    host_fixture_wait (fixture, "p/p", is_there, NULL);
    host_fixture_wait (fixture, "q/q", is_there, NULL);
    vm = host_fixture_record (fixture, "p/p");
    g_assert_cmpint (vm->flags, ==, rows[i].flags);
    g_assert_nonnull (strstr (vm->problem, rows[i].problem));
    g_assert_cmpint (vm->problem[0] == '\0', ==, rows[i].problem[0] == '\0');
    host_fixture_free (fixture);
    fixture_free (dir);
  }
}

/* ---- files ---- */

static char *
list (HostFixture *fixture, const char *dir, const char *vm, gint64 snapshot)
{
  g_autofree char *id = path_in (dir, vm);
  g_autoptr (GError) error = NULL;
  g_autofree VixExtFile *files = NULL;
  GString *names = g_string_new (NULL);
  gsize n, i;

  ws_provider_ops.list_files (host_fixture_host (fixture), id, snapshot, &files,
                              &n, host_fixture_op (), &error);
  g_assert_no_error (error);
  for (i = 0; i < n; i++)
    g_string_append_printf (names, "%s:%d ", files[i].name,
                            (int)files[i].bytes);
  return g_string_free (names, FALSE);
}

static const char flat_descriptor[]
  = "# Disk DescriptorFile\nversion=1\nCID=11223344\nparentCID=ffffffff\n"
    "createType=\"monolithicFlat\"\nRW 2048 FLAT \"%s-flat.vmdk\" 0\n";

static void
test_files (void)
{
  char *dir = fixture_new ();
  g_autofree char *zeros = g_strnfill (2048 * 512, 'z');
  g_autofree char *descriptor = g_strdup_printf (flat_descriptor, "a-000000");
  HostFixture *fixture;
  g_autofree char *all = NULL;
  g_autofree char *first = NULL;
  g_autofree char *second = NULL;
  g_autofree char *expected = NULL;

  fixture_write (dir, "src/a/a.vmx",
                 "displayName = \"a\"\nworkingDir = \"../wdir\"\n");
  fixture_write (dir, "src/wdir/w.log", "12");
  fixture_write (dir, "src/wdir/a.vmx", "not this one");
  fixture_write (dir, "src/a/a.vmsd",
                 "snapshot.numSnapshots = \"2\"\nsnapshot0.uid = \"1\"\n"
                 "snapshot0.filename = \"a-Snapshot1.vmsn\"\n"
                 "snapshot0.numDisks = \"1\"\n"
                 "snapshot0.disk0.fileName = \"a-000000.vmdk\"\n"
                 "snapshot0.disk0.node = \"scsi0:0\"\n"
                 "snapshot1.uid = \"2\"\nsnapshot1.parent = \"1\"\n"
                 "snapshot1.filename = \"../../etc/x.vmsn\"\n"
                 "snapshot1.numDisks = \"1\"\n"
                 "snapshot1.disk0.fileName = \"broken.vmdk\"\n"
                 "snapshot1.disk0.node = \"scsi0:0\"\n");
  fixture_write (dir, "src/a/a-000000.vmdk", descriptor);
  fixture_write (dir, "src/a/a-000000-flat.vmdk", zeros);
  fixture_write (dir, "src/a/broken.vmdk", "garbage");
  fixture_write (dir, "src/a/broken-s001.vmdk", "x");
  fixture_write (dir, "src/a/broken-other.vmdk", "x");
  fixture_write (dir, "src/a/a-Snapshot1.vmsn", "123");
  fixture_write (dir, "src/a/a-Snapshot1.vmem", "1234");
  fixture_write (dir, "src/a/a-Snapshot2.vixfs", "12345");
  fixture_write (dir, "src/a/a.vmx.lck/M1", "");
  {
    g_autofree char *source = path_in (dir, "src");

    fixture = host_fixture_new (source, FALSE, FALSE);
  }
  all = list (fixture, dir, "src/a/a.vmx", 0);
  g_assert_true (g_str_has_prefix (all, "a-000000-flat.vmdk:1048576 a-000000"));
  g_assert_nonnull (strstr (all, " w.log:2 "));
  g_assert_nonnull (strstr (all, " a.vmx:41 "));
  g_assert_null (strstr (all, "lck"));
  first = list (fixture, dir, "src/a/a.vmx", 1);
  expected = g_strdup_printf ("a-000000-flat.vmdk:1048576 a-000000.vmdk:%d "
                              "a-Snapshot1.vmem:4 a-Snapshot1.vmsn:3 ",
                              (int)strlen (descriptor));
  g_assert_cmpstr (first, ==, expected);
  second = list (fixture, dir, "src/a/a.vmx", 2);
  g_assert_cmpstr (second, ==,
                   "a-Snapshot2.vixfs:5 broken-s001.vmdk:1 "
                   "broken.vmdk:7 ");
  host_fixture_free (fixture);
  fixture_free (dir);
}

static VixFileReader *
open_file (HostFixture *fixture, const char *dir, const char *name, int code)
{
  g_autofree char *id = path_in (dir, "a/a.vmx");
  g_autoptr (GError) error = NULL;
  VixFileReader *reader = ws_provider_ops.open_file (
    host_fixture_host (fixture), id, 0, name, host_fixture_op (), &error);

  g_assert_cmpint (error == NULL ? VIX_OK : error->code, ==, code);
  return reader;
}

static void
test_open_file (void)
{
  char *dir = fixture_new ();
  g_autofree char *zeros = g_strnfill (2048 * 512, 'z');
  g_autofree char *descriptor = g_strdup_printf (flat_descriptor, "a-000001");
  g_autofree char *link = path_in (dir, "a/link");
  HostFixture *fixture;
  VixFileReader *reader;
  char buf[8];
  gsize done;

  fixture_vm (dir, "a/a", 1);
  fixture_write (dir, "a/f", "0123456789");
  fixture_write (dir, "a/a-000000.vmdk", "frozen");
  fixture_write (dir, "a/a-000001.vmdk", descriptor);
  fixture_write (dir, "a/a-000001-flat.vmdk", zeros);
  g_assert_cmpint (symlink ("/etc/passwd", link), ==, 0);
  fixture = host_fixture_new (dir, FALSE, FALSE);
  reader = open_file (fixture, dir, "f", VIX_OK);
  g_assert_true (reader->read (reader, 4, buf, 8, &done, NULL));
  g_assert_cmpmem (buf, done, "456789", 6);
  g_assert_true (reader->read (reader, 400, buf, 8, &done, NULL));
  g_assert_cmpuint (done, ==, 0);
  reader->free (reader);
  open_file (fixture, dir, "link", VIX_E_FILE_ACCESS_ERROR);
  open_file (fixture, dir, "../a/f", VIX_E_FILE_NOT_FOUND);
  open_file (fixture, dir, "none", VIX_E_FILE_NOT_FOUND);

  g_test_message ("the VM runs: its disk is written, the frozen one is not");
  fixture_lock (dir, "a/a.vmx");
  fixture_lock (dir, "a/a-000001.vmdk");
  fixture_lock (dir, "a/a-000000.vmdk");
  open_file (fixture, dir, "a-000001.vmdk", VIX_E_FILE_ALREADY_LOCKED);
  open_file (fixture, dir, "a-000001-flat.vmdk", VIX_E_FILE_ALREADY_LOCKED);
  reader = open_file (fixture, dir, "a-000000.vmdk", VIX_OK);
  reader->free (reader);
  host_fixture_free (fixture);
  fixture_free (dir);
}

/* ---- configurations ---- */

static char *
config (HostFixture *fixture, const char *dir, gint64 snapshot, int code)
{
  g_autofree char *id = path_in (dir, "a/a.vmx");
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) bytes = ws_provider_ops.get_config (
    host_fixture_host (fixture), id, snapshot, host_fixture_op (), &error);

  g_assert_cmpint (error == NULL ? VIX_OK : error->code, ==, code);
  return bytes == NULL ? NULL
                       : g_strndup (g_bytes_get_data (bytes, NULL),
                                    g_bytes_get_size (bytes));
}

static void
write_bytes (const char *dir, const char *name, GBytes *bytes)
{
  g_autofree char *path = path_in (dir, name);

  g_assert_true (g_file_set_contents (path, g_bytes_get_data (bytes, NULL),
                                      (gssize)g_bytes_get_size (bytes), NULL));
}

static void
test_config (void)
{
  char *dir = fixture_new ();
  WsSavedState state = { .vmx = g_bytes_new_static ("from-sidecar", 12) };
  WsSavedState other = { .vmx = g_bytes_new_static ("from-vmsn", 9) };
  g_autoptr (GBytes) sidecar = ws_sidecar_build (&state);
  g_autoptr (GBytes) vmsn = ws_vmsn_build (&other);
  g_autofree char *now = NULL;
  g_autofree char *one = NULL;
  g_autofree char *two = NULL;
  g_autofree char *three = NULL;
  HostFixture *fixture;

  fixture_vm (dir, "a/a", 4);
  write_bytes (dir, "a/a-Snapshot1.vixfs", sidecar);
  write_bytes (dir, "a/a-Snapshot1.vmsn", vmsn);
  write_bytes (dir, "a/a-Snapshot2.vmsn", vmsn);
  fixture_write (dir, "a/a-Snapshot3.vixfs", "damaged");
  write_bytes (dir, "a/a-Snapshot3.vmsn", vmsn);
  fixture = host_fixture_new (dir, FALSE, FALSE);
  now = config (fixture, dir, 0, VIX_OK);
  one = config (fixture, dir, 1, VIX_OK);
  two = config (fixture, dir, 2, VIX_OK);
  three = config (fixture, dir, 3, VIX_OK);
  g_assert_nonnull (strstr (now, "config.version"));
  g_assert_cmpstr (one, ==, "from-sidecar");
  g_assert_cmpstr (two, ==, "from-vmsn");
  g_assert_cmpstr (three, ==, "from-vmsn");
  g_assert_null (config (fixture, dir, 4, VIX_E_FILE_NOT_FOUND));
  g_assert_null (config (fixture, dir, 5, VIX_E_SNAPSHOT_NOTFOUND));
  host_fixture_free (fixture);
  g_bytes_unref (state.vmx);
  g_bytes_unref (other.vmx);
  fixture_free (dir);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/provider/connect", test_connect);
  g_test_add_func ("/provider/find", test_find);
  g_test_add_func ("/provider/unreadable-directory", test_unreadable_directory);
  g_test_add_func ("/provider/places", test_places);
  g_test_add_func ("/provider/open", test_open);
  g_test_add_func ("/provider/facts", test_facts);
  g_test_add_func ("/provider/broken-vms-stay-listed", test_problems);
  g_test_add_func ("/provider/files", test_files);
  g_test_add_func ("/provider/open-file", test_open_file);
  g_test_add_func ("/provider/config", test_config);
  /* last: g_get_home_dir() remembers what it saw first */
  g_test_add_func ("/provider/default-directories", test_default_directories);
  return g_test_run ();
}
