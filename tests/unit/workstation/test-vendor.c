/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The pass-through to VMware's library, with a second build of ours in its
 * place. That calls really go through it is seen from its handle table: handle
 * numbers count upwards, so between two handles that the test draws from it
 * there is a gap only if somebody else drew some.
 *
 * argv[1]: the second build.
 */
#include <dlfcn.h>
#include <glib/gstdio.h>
#include <string.h>

#include "vix-ext.h"
#include "workstation/vendor.h"

static const char *library_path;

typedef struct {
  char *dir; /* holds vm/, and the library under a name of its own */
  char *vmx;
  char *copy;
  void *library; /* the copy, loaded by the test too */
  VixHandle library_host;
  VixHandle host; /* ours, with the copy as its vendor */
} Fixture;

static void
run (const char *const *argv)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *err = NULL;
  int status = -1;

  g_spawn_sync (NULL, (char **)argv, NULL,
                G_SPAWN_SEARCH_PATH | G_SPAWN_STDOUT_TO_DEV_NULL, NULL, NULL,
                NULL, &err, &status, &error);
  g_assert_no_error (error);
  if (status != 0)
    g_error ("%s: %s", argv[0], err);
}

static void
make_vm (Fixture *f)
{
  static const char vmx[] = ".encoding = \"UTF-8\"\n"
                            "config.version = \"8\"\n"
                            "virtualHW.version = \"16\"\n"
                            "displayName = \"vm\"\n"
                            "scsi0.present = \"TRUE\"\n"
                            "scsi0:0.present = \"TRUE\"\n"
                            "scsi0:0.fileName = \"vm.vmdk\"\n";
  g_autofree char *folder = g_build_filename (f->dir, "vm", NULL);
  g_autofree char *disk = g_build_filename (folder, "vm.vmdk", NULL);
  const char *create[]
    = { "qemu-img", "create", "-q", "-f", "vmdk", disk, "8M", NULL };

  g_assert_cmpint (g_mkdir (folder, 0777), ==, 0);
  f->vmx = g_build_filename (folder, "vm.vmx", NULL);
  g_assert_true (g_file_set_contents (f->vmx, vmx, -1, NULL));
  run (create);
}

/* ---- jobs ---- */

static VixError
finish (VixHandle job, VixHandle *ret)
{
  VixError err = ret != NULL ? VixJob_Wait (job, VIX_PROPERTY_JOB_RESULT_HANDLE,
                                            ret, VIX_PROPERTY_NONE)
                             : VixJob_Wait (job, VIX_PROPERTY_NONE);

  if (VIX_FAILED (err)) {
    char *text = NULL;

    Vix_GetProperties (job, VIX_PROPERTY_JOB_RESULT_EXTRA_ERROR_INFO, &text,
                       VIX_PROPERTY_NONE);
    g_test_message ("%s: %s", Vix_GetErrorText (err, NULL), text);
    Vix_FreeBuffer (text);
  }
  Vix_ReleaseHandle (job);
  return err;
}

static VixHandle
connect_with (const Fixture *f, const char *vendor, VixError *ret_err)
{
  VixExtConnectParams params = { sizeof params };
  VixHandle host = VIX_INVALID_HANDLE;

  params.hostType = VIX_SERVICEPROVIDER_VMWARE_WORKSTATION;
  params.hostName = f->dir;
  params.vendorLibrary = vendor;
  *ret_err = finish (VixExt_Connect (&params, NULL, NULL), &host);
  return host;
}

static VixHandle
open_vm (const Fixture *f)
{
  VixHandle vm = VIX_INVALID_HANDLE;

  g_assert_cmpuint (finish (VixVM_Open (f->host, f->vmx, NULL, NULL), &vm), ==,
                    VIX_OK);
  return vm;
}

/* ---- the copy's handle table ---- */

static void *
copy_symbol (Fixture *f, const char *name)
{
  void *symbol = dlsym (f->library, name);

  g_assert_nonnull (symbol);
  return symbol;
}

/* A new handle number of the copy's. */
static VixHandle
draw_handle (Fixture *f)
{
  VixError (*alloc) (VixHandle, VixHandle *, int, ...);
  void (*release) (VixHandle);
  void *symbol;
  VixHandle list = VIX_INVALID_HANDLE;

  symbol = copy_symbol (f, "VixPropertyList_AllocPropertyList");
  memcpy (&alloc, &symbol, sizeof symbol);
  symbol = copy_symbol (f, "Vix_ReleaseHandle");
  memcpy (&release, &symbol, sizeof symbol);
  g_assert_cmpuint (alloc (f->library_host, &list, VIX_PROPERTY_NONE), ==,
                    VIX_OK);
  release (list);
  return list;
}

static void
load_copy (Fixture *f)
{
  VixHandle (*connect) (int, VixServiceProvider, const char *, int,
                        const char *, const char *, VixHostOptions, VixHandle,
                        VixEventProc *, void *);
  VixError (*wait) (VixHandle, VixPropertyID, ...);
  VixHandle job;
  void *symbol;

  /* The one that our host has loaded already, not another. */
  f->library = dlopen (f->copy, RTLD_NOW | RTLD_NOLOAD);
  g_assert_nonnull (f->library);
  symbol = copy_symbol (f, "VixHost_Connect");
  memcpy (&connect, &symbol, sizeof symbol);
  g_assert_true (connect != VixHost_Connect);
  symbol = copy_symbol (f, "VixJob_Wait");
  memcpy (&wait, &symbol, sizeof symbol);
  job = connect (VIX_API_VERSION, VIX_SERVICEPROVIDER_VMWARE_WORKSTATION, NULL,
                 0, NULL, NULL, 0, VIX_INVALID_HANDLE, NULL, NULL);
  g_assert_cmpuint (wait (job, VIX_PROPERTY_JOB_RESULT_HANDLE, &f->library_host,
                          VIX_PROPERTY_NONE),
                    ==, VIX_OK);
}

static void
set_up (Fixture *f, gconstpointer data)
{
  VixError err;

  f->dir = g_dir_make_tmp ("vendor-XXXXXX", NULL);
  f->copy = g_build_filename (f->dir, "libvmware.so", NULL);
  make_vm (f);
  {
    const char *cp[] = { "cp", "-L", library_path, f->copy, NULL };

    run (cp);
  }
  f->host = connect_with (f, f->copy, &err);
  g_assert_cmpuint (err, ==, VIX_OK);
  load_copy (f);
}

static void
tear_down (Fixture *f, gconstpointer data)
{
  const char *rm[] = { "rm", "-rf", f->dir, NULL };
  void (*disconnect) (VixHandle);
  void *symbol = copy_symbol (f, "VixHost_Disconnect");

  memcpy (&disconnect, &symbol, sizeof symbol);
  VixHost_Disconnect (f->host);
  disconnect (f->library_host);
  dlclose (f->library);
  run (rm);
  g_free (f->dir);
  g_free (f->vmx);
  g_free (f->copy);
}

/* ---- tests ---- */

static VixHandle
create (VixHandle vm, const char *name)
{
  VixHandle snapshot = VIX_INVALID_HANDLE;

  g_assert_cmpuint (finish (VixVM_CreateSnapshot (
                              vm, name, "d", 0, VIX_INVALID_HANDLE, NULL, NULL),
                            &snapshot),
                    ==, VIX_OK);
  return snapshot;
}

static int
count_roots (VixHandle vm)
{
  int n = -1;

  g_assert_cmpuint (VixVM_GetNumRootSnapshots (vm, &n), ==, VIX_OK);
  return n;
}

static void
test_operations_go_through (Fixture *f, gconstpointer data)
{
  VixHandle vm = open_vm (f), first, second, before;

  before = draw_handle (f);
  g_assert_cmpint (draw_handle (f), ==, before + 1);

  first = create (vm, "one");
  g_assert_cmpint (draw_handle (f), >, before + 2);
  g_assert_cmpint (count_roots (vm), ==, 1);

  second = create (vm, "two");
  before = draw_handle (f);
  g_assert_cmpuint (finish (VixVM_RevertToSnapshot (
                              vm, first, 0, VIX_INVALID_HANDLE, NULL, NULL),
                            NULL),
                    ==, VIX_OK);
  g_assert_cmpint (draw_handle (f), >, before + 1);

  before = draw_handle (f);
  g_assert_cmpuint (
    finish (VixVM_RemoveSnapshot (vm, second, 0, NULL, NULL), NULL), ==,
    VIX_OK);
  g_assert_cmpint (draw_handle (f), >, before + 1);

  /* What VIX has no call for stays with us. */
  before = draw_handle (f);
  g_assert_cmpuint (
    finish (VixExt_RenameSnapshot (first, "renamed", NULL, NULL), NULL), ==,
    VIX_OK);
  g_assert_cmpint (draw_handle (f), ==, before + 1);
  Vix_ReleaseHandle (first);
  Vix_ReleaseHandle (second);
  Vix_ReleaseHandle (vm);
}

static void
test_power_asks_the_vendor (Fixture *f, gconstpointer data)
{
  VixHandle vm = open_vm (f), before = draw_handle (f);
  VixError err = finish (
    VixVM_PowerOn (vm, VIX_VMPOWEROP_NORMAL, VIX_INVALID_HANDLE, NULL, NULL),
    NULL);

  /* A second build of ours cannot either; its code comes back. */
  g_assert_cmpuint (VIX_ERROR_CODE (err), ==, VIX_E_NOT_SUPPORTED);
  g_assert_cmpint (draw_handle (f), >, before + 1);
  Vix_ReleaseHandle (vm);
}

/* Three of one name under one parent: the right one goes. */
static void
test_equal_names_are_told_apart (Fixture *f, gconstpointer data)
{
  VixHandle vm = open_vm (f), base = create (vm, "base");
  VixHandle twins[3], current;
  int64 id = 0, left[2] = { 0 }, ids[3];
  int i, n = 0;

  for (i = 0; i < 3; i++) {
    twins[i] = create (vm, "twin");
    g_assert_cmpuint (VixExt_GetSnapshotId (twins[i], &ids[i]), ==, VIX_OK);
    g_assert_cmpuint (finish (VixVM_RevertToSnapshot (
                                vm, base, 0, VIX_INVALID_HANDLE, NULL, NULL),
                              NULL),
                      ==, VIX_OK);
  }
  g_assert_cmpuint (
    finish (VixVM_RemoveSnapshot (vm, twins[1], 0, NULL, NULL), NULL), ==,
    VIX_OK);
  g_assert_cmpuint (VixSnapshot_GetNumChildren (base, &n), ==, VIX_OK);
  g_assert_cmpint (n, ==, 2);
  for (i = 0; i < 2; i++) {
    VixHandle child = VIX_INVALID_HANDLE;

    g_assert_cmpuint (VixSnapshot_GetChild (base, i, &child), ==, VIX_OK);
    g_assert_cmpuint (VixExt_GetSnapshotId (child, &left[i]), ==, VIX_OK);
    Vix_ReleaseHandle (child);
  }
  g_assert_cmpint (left[0], ==, ids[0]);
  g_assert_cmpint (left[1], ==, ids[2]);
  g_assert_cmpuint (VixVM_GetCurrentSnapshot (vm, &current), ==, VIX_OK);
  g_assert_cmpuint (VixExt_GetSnapshotId (current, &id), ==, VIX_OK);
  Vix_ReleaseHandle (current);
  for (i = 0; i < 3; i++)
    Vix_ReleaseHandle (twins[i]);
  Vix_ReleaseHandle (base);
  Vix_ReleaseHandle (vm);
}

static void
test_none_means_ours (Fixture *f, gconstpointer data)
{
  VixHandle host, vm = VIX_INVALID_HANDLE, snapshot, before;
  VixError err;

  host = connect_with (f, "none", &err);
  g_assert_cmpuint (err, ==, VIX_OK);
  g_assert_cmpuint (finish (VixVM_Open (host, f->vmx, NULL, NULL), &vm), ==,
                    VIX_OK);
  before = draw_handle (f);
  snapshot = create (vm, "native");
  g_assert_cmpint (draw_handle (f), ==, before + 1);
  Vix_ReleaseHandle (snapshot);
  Vix_ReleaseHandle (vm);
  VixHost_Disconnect (host);
}

static void
test_named_library_must_load (Fixture *f, gconstpointer data)
{
  g_autofree char *missing = g_build_filename (f->dir, "missing.so", NULL);
  VixError err;

  g_assert_cmpint (connect_with (f, missing, &err), ==, VIX_INVALID_HANDLE);
  g_assert_cmpuint (err, ==, VIX_E_WRAPPER_SERVICEPROVIDER_NOT_FOUND);
  /* A library, but of something else. */
  g_assert_cmpint (connect_with (f, "libz.so.1", &err), ==, VIX_INVALID_HANDLE);
  g_assert_cmpuint (err, ==, VIX_E_WRAPPER_VERSION_NOT_FOUND);
}

/* One of ours under VMware's name is not taken for VMware's. */
static void
test_auto_skips_our_own (Fixture *f, gconstpointer data)
{
  g_autofree char *config = g_build_filename (f->dir, "config", NULL);
  g_autofree char *libdir = g_build_filename (f->dir, "lib", NULL);
  g_autofree char *library
    = g_build_filename (libdir, "libvixAllProducts.so", NULL);
  g_autofree char *text = g_strdup_printf ("vix.libdir = \"%s\"\n", libdir);
  g_autofree char *found = NULL;
  const char *cp[] = { "cp", "-L", library_path, library, NULL };

  g_assert_cmpint (g_mkdir (libdir, 0777), ==, 0);
  run (cp);
  g_assert_true (g_file_set_contents (config, text, -1, NULL));
  found = ws_vendor_find (config);
  g_assert_cmpstr (found, !=, library);
}

/* Any library without VixExt_Watch there is VMware's. */
static void
test_auto_takes_what_vmware_installed (Fixture *f, gconstpointer data)
{
  g_autofree char *config = g_build_filename (f->dir, "config", NULL);
  g_autofree char *library
    = g_build_filename (f->dir, "libvixAllProducts.so", NULL);
  g_autofree char *source = g_build_filename (f->dir, "stub.c", NULL);
  g_autofree char *text = g_strdup_printf ("vix.libdir = \"%s\"\n", f->dir);
  g_autofree char *found = NULL;
  const char *cc[] = { "cc", "-shared", "-fPIC", "-o", library, source, NULL };

  g_assert_true (g_file_set_contents (source, "int x;\n", -1, NULL));
  run (cc);
  g_assert_true (g_file_set_contents (config, text, -1, NULL));
  found = ws_vendor_find (config);
  g_assert_cmpstr (found, ==, library);
}

static const struct {
  const char *path;
  void (*test) (Fixture *, gconstpointer);
} tests[] = {
  { "operations-go-through-it", test_operations_go_through },
  { "power-asks-it", test_power_asks_the_vendor },
  { "equal-names-are-told-apart", test_equal_names_are_told_apart },
  { "none-means-our-own-code", test_none_means_ours },
  { "named-library-must-load", test_named_library_must_load },
  { "auto-skips-our-own", test_auto_skips_our_own },
  { "auto-takes-what-vmware-installed", test_auto_takes_what_vmware_installed },
};

int
main (int argc, char **argv)
{
  guint i;

  g_test_init (&argc, &argv, NULL);
  g_assert_cmpint (argc, ==, 2);
  library_path = argv[1];
  for (i = 0; i < G_N_ELEMENTS (tests); i++) {
    g_autofree char *path
      = g_strconcat ("/workstation/vendor/", tests[i].path, NULL);

    g_test_add (path, Fixture, NULL, set_up, tests[i].test, tear_down);
  }
  return g_test_run ();
}
