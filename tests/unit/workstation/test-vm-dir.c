/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "workstation/vm-dir.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "vm-fixture.h"

static const char *const no_roots[] = { NULL };

static void
make_link (const char *dir, const char *name, const char *target)
{
  g_autofree char *path = g_build_filename (dir, name, NULL);

  g_assert_cmpint (symlink (target, path), ==, 0);
}

static WsVmDir *
open_vm (const char *dir, const char *name, const char *const *roots)
{
  g_autofree char *id = g_strconcat (dir, "/", name, ".vmx", NULL);
  g_autoptr (GError) error = NULL;
  WsVmDir *vm = ws_vm_dir_open (id, roots, &error);

  g_assert_no_error (error);
  return vm;
}

static void
test_id (void)
{
  char *dir = fixture_new ();
  g_autofree char *plain = NULL;
  g_autofree char *through = NULL;
  g_autofree char *expected = g_build_filename (dir, "a/a.vmx", NULL);
  g_autofree char *odd = g_build_filename (dir, "./a/..//a/a.vmx", NULL);
  g_autofree char *linked = g_build_filename (dir, "l/file.vmx", NULL);
  g_autofree char *missing = g_build_filename (dir, "none.vmx", NULL);
  g_autoptr (GError) error = NULL;

  fixture_vm (dir, "a/a", 0);
  make_link (dir, "l", "a");
  make_link (dir, "a/file.vmx", "a.vmx");
  plain = ws_vm_id_from_path (odd, NULL);
  through = ws_vm_id_from_path (linked, NULL);
  g_assert_cmpstr (plain, ==, expected);
  g_assert_cmpstr (through, ==, expected);
  g_assert_null (ws_vm_id_from_path (missing, &error));
  g_assert_error (error, VIX_ERROR, VIX_E_FILE_NOT_FOUND);
  g_clear_error (&error);
  g_assert_null (ws_vm_id_from_path (dir, &error));
  g_assert_error (error, VIX_ERROR, VIX_E_CANNOT_READ_VM_CONFIG);
  fixture_free (dir);
}

static void
test_open_refused (void)
{
  char *dir = fixture_new ();
  g_autofree char *pipe_path = g_build_filename (dir, "pipe.vmx", NULL);
  static const struct {
    const char *name;
    int code;
  } rows[] = {
    { "none.vmx", VIX_E_VM_NOT_FOUND },
    { "no/dir.vmx", VIX_E_VM_NOT_FOUND },
    { "link.vmx", VIX_E_CANNOT_READ_VM_CONFIG },
    { "pipe.vmx", VIX_E_CANNOT_READ_VM_CONFIG },
    { "d.vmx", VIX_E_CANNOT_READ_VM_CONFIG },
    { "l/a.vmx", VIX_E_VM_NOT_FOUND }, /* the directory is a link now */
  };
  gsize i;

  fixture_vm (dir, "a/a", 0);
  make_link (dir, "link.vmx", "a/a.vmx");
  make_link (dir, "l", "a");
  fixture_write (dir, "d.vmx", NULL);
  g_assert_cmpint (mkfifo (pipe_path, 0600), ==, 0);
  for (i = 0; i < G_N_ELEMENTS (rows); i++) {
    g_autofree char *id = g_build_filename (dir, rows[i].name, NULL);
    g_autoptr (GError) error = NULL;

    g_test_message ("%s", rows[i].name);
    g_assert_null (ws_vm_dir_open (id, no_roots, &error));
    g_assert_error (error, VIX_ERROR, rows[i].code);
    g_assert_nonnull (strstr (error->message, id));
  }
  g_assert_null (ws_vm_dir_open ("relative.vmx", no_roots, NULL));
  fixture_free (dir);
}

static void
test_read (void)
{
  char *dir = fixture_new ();
  g_autoptr (WsVmDir) vm = NULL;
  g_autoptr (GBytes) bytes = NULL;
  g_autoptr (GError) error = NULL;

  fixture_vm (dir, "my vm/\303\244 \"q\"", 0);
  fixture_write (dir, "my vm/f", "12345");
  make_link (dir, "my vm/l", "f");
  vm = open_vm (dir, "my vm/\303\244 \"q\"", no_roots);
  g_assert_cmpstr (vm->stem, ==, "\303\244 \"q\"");
  bytes = ws_vm_dir_read_file (vm, "f", 5, NULL);
  g_assert_cmpuint (g_bytes_get_size (bytes), ==, 5);
  g_assert_null (ws_vm_dir_read_file (vm, "f", 4, &error));
  g_assert_error (error, VIX_ERROR, VIX_E_FILE_TOO_BIG);
  g_clear_error (&error);
  g_assert_null (ws_vm_dir_read_file (vm, "l", 9, &error));
  g_assert_error (error, VIX_ERROR, VIX_E_FILE_ACCESS_ERROR);
  g_clear_error (&error);
  g_assert_null (ws_vm_dir_read_file (vm, "../x", 9, &error));
  g_assert_error (error, VIX_ERROR, VIX_E_FILE_NAME_INVALID);
  g_clear_error (&error);
  g_assert_null (ws_vm_dir_read_file (vm, "none", 9, &error));
  g_assert_error (error, VIX_ERROR, VIX_E_FILE_NOT_FOUND);
  fixture_free (dir);
}

static void
test_own_name (void)
{
  WsVmDir vm = { .path = (char *)"/a/b" };

  g_assert_cmpstr (ws_vm_dir_own_name (&vm, "/a/b/c.vmdk"), ==, "c.vmdk");
  g_assert_null (ws_vm_dir_own_name (&vm, "/a/b/c/d.vmdk"));
  g_assert_null (ws_vm_dir_own_name (&vm, "/a/bc.vmdk"));
  g_assert_null (ws_vm_dir_own_name (&vm, "/a/b/"));
  g_assert_null (ws_vm_dir_own_name (&vm, "/a/b"));
}

/* ---- the path policy ---- */

typedef struct {
  const char *what;
  VmdkRole role;
  int code;          /* if it is refused */
  const char *from;  /* name of the descriptor below the directory; NULL */
  const char *name;  /* %D is the directory */
  const char *found; /* below the directory; NULL: refused */
} Row;

static char *
expand (const char *dir, const char *name)
{
  return g_str_has_prefix (name, "%D") ? g_strconcat (dir, name + 2, NULL)
                                       : g_strdup (name);
}

static void
run_rows (const char *dir, WsResolver *resolver, const Row *rows, gsize n)
{
  gsize i;

  for (i = 0; i < n; i++) {
    const Row *row = &rows[i];
    g_autofree char *from
      = row->from == NULL ? NULL : g_build_filename (dir, row->from, NULL);
    g_autofree char *name = expand (dir, row->name);
    g_autofree char *expected
      = row->found == NULL ? NULL : g_build_filename (dir, row->found, NULL);
    g_autoptr (GError) error = NULL;
    g_autofree char *found
      = ws_resolver_locate (resolver, from, name, row->role, &error);

    g_test_message ("%s", row->what);
    g_assert_cmpstr (found, ==, expected);
    if (found == NULL)
      g_assert_error (error, VIX_ERROR, row->code);
  }
}

static void
make_files (const char *dir)
{
  fixture_vm (dir, "src/vm/vm", 0);
  fixture_write (dir, "src/vm/disk.vmdk", "d");
  fixture_write (dir, "src/vm/disk-s001.vmdk", "d");
  fixture_write (dir, "src/vm/sub/in.vmdk", "d");
  fixture_write (dir, "src/base/base.vmdk", "d");
  fixture_write (dir, "out/secret.vmdk", "d");
  fixture_write (dir, "srcs/secret.vmdk", "d");
  fixture_write (dir, "out/search/found.vmdk", "d");
  make_link (dir, "src/vm/link.vmdk", "disk.vmdk");
  make_link (dir, "src/vm/away", "../../out");
  make_link (dir, "src/vm/near", "../base");
}

static const Row common_rows[] = {
  { "a plain name", VMDK_ROLE_DISK, 0, NULL, "disk.vmdk", "src/vm/disk.vmdk" },
  { "below the VM", VMDK_ROLE_DISK, 0, NULL, "sub/in.vmdk",
    "src/vm/sub/in.vmdk" },
  { "backslashes", VMDK_ROLE_DISK, 0, NULL, "sub\\in.vmdk",
    "src/vm/sub/in.vmdk" },
  { "absolute", VMDK_ROLE_DISK, 0, NULL, "%D/src/vm/disk.vmdk",
    "src/vm/disk.vmdk" },
  { "a link", VMDK_ROLE_DISK, VIX_E_FILE_ACCESS_ERROR, NULL, "link.vmdk",
    NULL },
  { "a directory", VMDK_ROLE_DISK, VIX_E_FILE_ACCESS_ERROR, NULL, "sub", NULL },
  { "out by ..", VMDK_ROLE_DISK, VIX_E_FILE_ACCESS_ERROR, NULL,
    "../../out/secret.vmdk", NULL },
  { "out by a link", VMDK_ROLE_DISK, VIX_E_FILE_ACCESS_ERROR, NULL,
    "away/secret.vmdk", NULL },
  { "out, absolute", VMDK_ROLE_DISK, VIX_E_FILE_ACCESS_ERROR, NULL,
    "%D/out/secret.vmdk", NULL },
  { "out, by a name that begins alike", VMDK_ROLE_DISK, VIX_E_FILE_ACCESS_ERROR,
    NULL, "%D/srcs/secret.vmdk", NULL },
  { "a device", VMDK_ROLE_DISK, VIX_E_FILE_ACCESS_ERROR, NULL, "/dev/zero",
    NULL },
  { "a URL", VMDK_ROLE_PARENT, VIX_E_FILE_NOT_FOUND, "src/vm/disk.vmdk",
    "nbd://h/x", NULL },
  { "missing", VMDK_ROLE_DISK, VIX_E_FILE_NOT_FOUND, NULL, "none.vmdk", NULL },
  { "no name", VMDK_ROLE_DISK, VIX_E_FILE_NOT_FOUND, NULL, "", NULL },
  { "dot dot", VMDK_ROLE_DISK, VIX_E_FILE_NOT_FOUND, NULL, "..", NULL },
  { "extent beside", VMDK_ROLE_EXTENT, 0, "src/vm/disk.vmdk", "disk-s001.vmdk",
    "src/vm/disk-s001.vmdk" },
  { "extent elsewhere", VMDK_ROLE_EXTENT, VIX_E_FILE_ACCESS_ERROR,
    "src/vm/disk.vmdk", "sub/in.vmdk", NULL },
  { "extent /etc/passwd", VMDK_ROLE_EXTENT, VIX_E_FILE_ACCESS_ERROR,
    "src/vm/disk.vmdk", "/etc/passwd", NULL },
  { "extent ..", VMDK_ROLE_EXTENT, VIX_E_FILE_ACCESS_ERROR, "src/vm/disk.vmdk",
    "..", NULL },
  { "extent link", VMDK_ROLE_EXTENT, VIX_E_FILE_ACCESS_ERROR,
    "src/vm/disk.vmdk", "link.vmdk", NULL },
  { "Windows parent by its last component", VMDK_ROLE_PARENT, 0,
    "src/vm/disk-s001.vmdk", "C:\\VMs\\disk.vmdk", "src/vm/disk.vmdk" },
  { "no file is its own missing parent", VMDK_ROLE_PARENT, VIX_E_FILE_NOT_FOUND,
    "src/vm/disk.vmdk", "../none/disk.vmdk", NULL },
  { "parent out by ..", VMDK_ROLE_PARENT, VIX_E_FILE_ACCESS_ERROR,
    "src/vm/disk.vmdk", "../../out/secret.vmdk", NULL },
  { "parent out by a link", VMDK_ROLE_PARENT, VIX_E_FILE_ACCESS_ERROR,
    "src/vm/disk.vmdk", "away/secret.vmdk", NULL },
  { "parent out, absolute", VMDK_ROLE_PARENT, VIX_E_FILE_ACCESS_ERROR,
    "src/vm/disk.vmdk", "%D/out/secret.vmdk", NULL },
  { "a parent that is a link", VMDK_ROLE_PARENT, VIX_E_FILE_ACCESS_ERROR,
    "src/vm/disk.vmdk", "link.vmdk", NULL },
};

static void
test_policy_with_root (void)
{
  static const Row rows[] = {
    { "parent in the source", VMDK_ROLE_PARENT, 0, "src/vm/disk.vmdk",
      "../base/base.vmdk", "src/base/base.vmdk" },
    { "parent in the source, backslashes", VMDK_ROLE_PARENT, 0,
      "src/vm/disk.vmdk", "..\\base\\base.vmdk", "src/base/base.vmdk" },
    { "by a link inside", VMDK_ROLE_DISK, 0, NULL, "near/base.vmdk",
      "src/base/base.vmdk" },
    { "search path leads out", VMDK_ROLE_PARENT, VIX_E_FILE_ACCESS_ERROR,
      "src/vm/disk.vmdk", "found.vmdk", NULL },
  };
  char *dir = fixture_new ();
  g_autofree char *root = g_build_filename (dir, "src", NULL);
  const char *const roots[] = { root, NULL };
  g_autofree char *text = g_strdup_printf (
    "fileSearchPath = \".;%s/out/search\"\nworkingDir = \"%s/out\"\n", dir,
    dir);
  g_autoptr (KvFile) vmx = fixture_kv (text);
  g_autoptr (WsVmDir) vm = NULL;
  g_autoptr (WsResolver) resolver = NULL;

  make_files (dir);
  vm = open_vm (dir, "src/vm/vm", roots);
  resolver = ws_resolver_new (vm, vmx);
  run_rows (dir, resolver, common_rows, G_N_ELEMENTS (common_rows));
  run_rows (dir, resolver, rows, G_N_ELEMENTS (rows));
  fixture_free (dir);
}

static void
test_policy_without_root (void)
{
  static const Row rows[] = {
    { "parent outside of the VM", VMDK_ROLE_PARENT, VIX_E_FILE_ACCESS_ERROR,
      "src/vm/disk.vmdk", "../base/base.vmdk", NULL },
    { "parent by the search path", VMDK_ROLE_PARENT, 0, "src/vm/disk.vmdk",
      "whatever/found.vmdk", "out/search/found.vmdk" },
    { "absolute in the search path", VMDK_ROLE_PARENT, 0, "src/vm/disk.vmdk",
      "%D/out/search/found.vmdk", "out/search/found.vmdk" },
  };
  char *dir = fixture_new ();
  g_autofree char *text
    = g_strdup_printf ("fileSearchPath = \".;%s/out/search\"\n", dir);
  g_autoptr (KvFile) vmx = fixture_kv (text);
  g_autoptr (WsVmDir) vm = NULL;
  g_autoptr (WsResolver) resolver = NULL;

  make_files (dir);
  vm = open_vm (dir, "src/vm/vm", no_roots);
  resolver = ws_resolver_new (vm, vmx);
  run_rows (dir, resolver, common_rows, G_N_ELEMENTS (common_rows));
  run_rows (dir, resolver, rows, G_N_ELEMENTS (rows));
  fixture_free (dir);
}

static void
test_source (void)
{
  char *dir = fixture_new ();
  g_autoptr (WsVmDir) vm = NULL;
  g_autoptr (WsResolver) resolver = NULL;
  g_autoptr (VmdkSource) source = NULL;
  g_autofree char *expected = g_build_filename (dir, "src/vm/disk.vmdk", NULL);
  VmdkResolver *vmdk;
  char c = 0;

  make_files (dir);
  vm = open_vm (dir, "src/vm/vm", no_roots);
  resolver = ws_resolver_new (vm, NULL);
  vmdk = ws_resolver_vmdk (resolver);
  source = vmdk->open (vmdk, NULL, "disk.vmdk", VMDK_ROLE_DISK, FALSE, NULL);
  g_assert_cmpstr (source->id, ==, expected);
  g_assert_true (source->ops->pread (source, 0, &c, 1, NULL));
  g_assert_true (c == 'd');
  g_assert_cmpstr (ws_vm_dir_own_name (vm, source->id), ==, "disk.vmdk");
  fixture_free (dir);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/vm-dir/all-paths-to-one-file-are-one-vm", test_id);
  g_test_add_func ("/vm-dir/what-is-no-vm", test_open_refused);
  g_test_add_func ("/vm-dir/reading-files", test_read);
  g_test_add_func ("/vm-dir/own-name", test_own_name);
  g_test_add_func ("/vm-dir/policy-inside-a-source", test_policy_with_root);
  g_test_add_func ("/vm-dir/policy-outside-of-sources",
                   test_policy_without_root);
  g_test_add_func ("/vm-dir/sources", test_source);
  return g_test_run ();
}
