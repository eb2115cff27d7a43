/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "bed.h"

#include <glib/gstdio.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include "vm-fixture.h"

#define BLOCK 65536u
#define TEXT_LIMIT 65536

char *
bed_run (const char *first, ...)
{
  g_autoptr (GPtrArray) argv = g_ptr_array_new ();
  g_autoptr (GError) error = NULL;
  g_autofree char *err = NULL;
  char *out = NULL;
  const char *arg;
  int status;
  va_list args;

  va_start (args, first);
  for (arg = first; arg != NULL; arg = va_arg (args, const char *))
    g_ptr_array_add (argv, (gpointer)arg);
  va_end (args);
  g_ptr_array_add (argv, NULL);
  g_spawn_sync (NULL, (char **)argv->pdata, NULL, G_SPAWN_SEARCH_PATH, NULL,
                NULL, &out, &err, &status, &error);
  g_assert_no_error (error);
  if (!g_spawn_check_wait_status (status, &error))
    g_error ("%s %s: %s\n%s%s", first, (char *)argv->pdata[1], error->message,
             out, err);
  return out;
}

/* ---- making it ---- */

static void
fill_path (const char *path, guint block, int byte)
{
  g_autofree char *command
    = g_strdup_printf ("write -P %d %uk 64k", byte, block * BLOCK / 1024);
  g_autofree char *out
    = bed_run ("qemu-io", "-f", "vmdk", "-c", command, path, NULL);

  g_assert_nonnull (strstr (out, "wrote"));
}

static void
make_disk (const char *dir, const char *node, char **words)
{
  g_autofree char *name = g_strdelimit (g_strdup (node), ":", '-');
  g_autofree char *path = g_strdup_printf ("%s/%s.vmdk", dir, name);
  g_autofree char *plain = g_strdup_printf ("%s/%s.tmp", dir, name);
  g_autofree char *option = g_strconcat ("subformat=", words[1], NULL);
  gboolean stream = strcmp (words[1], "streamOptimized") == 0;

  g_free (bed_run ("qemu-img", "create", "-f", "vmdk", "-o",
                   stream ? "subformat=monolithicSparse" : option,
                   stream ? plain : path, words[2], NULL));
  for (guint i = 0; i < 8; i++)
    fill_path (stream ? plain : path, i * 3, (int)(i + 1));
  if (!stream)
    return;
  g_free (bed_run ("qemu-img", "convert", "-f", "vmdk", "-O", "vmdk", "-o",
                   option, plain, path, NULL));
  g_unlink (plain);
}

static void
add_disk (GString *vmx, const char *dir, const char *spec)
{
  g_auto (GStrv) words = g_strsplit (spec, " ", 4);
  g_autofree char *file = g_strdelimit (g_strdup (words[0]), ":", '-');
  g_autofree char *controller = g_strndup (words[0], strcspn (words[0], ":"));

  make_disk (dir, words[0], words);
  if (strstr (vmx->str, controller) == NULL)
    g_string_append_printf (vmx, "%s.present = \"TRUE\"\n", controller);
  g_string_append_printf (vmx,
                          "%s.present = \"TRUE\"\n"
                          "%s.fileName = \"%s.vmdk\"\n",
                          words[0], words[0], file);
  if (words[3] != NULL)
    g_string_append_printf (vmx, "%s.mode = \"%s\"\n", words[0], words[3]);
}

Bed *
bed_new (VixServiceProvider type, const char *const *disks)
{
  Bed *self = g_new0 (Bed, 1);
  g_autoptr (GString) vmx
    = g_string_new ("#!/usr/bin/vmware\n.encoding = \"UTF-8\"\n"
                    "config.version = \"8\"\nvirtualHW.version = \"19\"\n"
                    "displayName = \"test\"\nguestOS = \"debian11-64\"\n"
                    "memsize = \"64\"\nnvram = \"vm.nvram\"\n");

  self->root = fixture_new ();
  self->dir = g_build_filename (self->root, "vm", NULL);
  self->type = type;
  self->message = g_strdup ("");
  g_assert_no_errno (g_mkdir (self->dir, 0700));
  for (guint i = 0; disks[i] != NULL; i++)
    add_disk (vmx, self->dir, disks[i]);
  bed_put (self, "vm.vmx", vmx->str);
  bed_put (self, "vm.nvram", "nvram as it was");
  bed_connect (self);
  return self;
}

Bed *
bed_new_simple (void)
{
  static const char *const disks[] = { "scsi0:0 monolithicSparse 8M", NULL };

  return bed_new (VIX_SERVICEPROVIDER_VMWARE_WORKSTATION, disks);
}

static VixHandle
result_of (VixHandle job)
{
  VixHandle handle = VIX_INVALID_HANDLE;
  VixError err = VixJob_Wait (job, VIX_PROPERTY_JOB_RESULT_HANDLE, &handle,
                              VIX_PROPERTY_NONE);

  assert_code (err, VIX_OK);
  Vix_ReleaseHandle (job);
  return handle;
}

void
bed_connect (Bed *self)
{
  g_autofree char *vmx = bed_path (self, "vm.vmx");
  VixExtConnectParams params = { sizeof params };

  params.hostType = self->type;
  params.hostName = self->root;
  params.vendorLibrary = "none";
  self->host = result_of (VixExt_Connect (&params, NULL, NULL));
  self->vm = result_of (VixVM_Open (self->host, vmx, NULL, NULL));
}

void
bed_disconnect (Bed *self)
{
  Vix_ReleaseHandle (self->vm);
  VixHost_Disconnect (self->host);
  self->vm = self->host = VIX_INVALID_HANDLE;
}

void
bed_free (Bed *self)
{
  if (self == NULL)
    return;
  bed_disconnect (self);
  fixture_free (self->root);
  g_free (self->dir);
  g_free (self->message);
  g_free (self);
}

/* ---- operations ---- */

VixError
bed_finish (Bed *self, VixHandle job)
{
  VixError err = VixJob_Wait (job, VIX_PROPERTY_NONE);
  char *text = NULL;

  g_free (self->message);
  self->message = g_strdup ("");
  if (VIX_FAILED (err)
      && VIX_SUCCEEDED (
        Vix_GetProperties (job, VIX_PROPERTY_JOB_RESULT_EXTRA_ERROR_INFO, &text,
                           VIX_PROPERTY_NONE))) {
    g_free (self->message);
    self->message = g_strdup (text);
    Vix_FreeBuffer (text);
  }
  Vix_ReleaseHandle (job);
  return err;
}

VixHandle
bed_snapshot (Bed *self, gint64 uid)
{
  VixHandle snapshot = VIX_INVALID_HANDLE;

  assert_code (VixExt_GetSnapshot (self->vm, uid, &snapshot), VIX_OK);
  return snapshot;
}

static gint64
id_of (VixHandle snapshot)
{
  int64 id = 0;

  if (snapshot != VIX_INVALID_HANDLE)
    assert_code (VixExt_GetSnapshotId (snapshot, &id), VIX_OK);
  Vix_ReleaseHandle (snapshot);
  return id;
}

VixError
bed_create (Bed *self, const char *name, gint64 *ret_uid)
{
  VixHandle job = VixVM_CreateSnapshot (self->vm, name, "by a test", 0,
                                        VIX_INVALID_HANDLE, NULL, NULL);
  VixHandle snapshot = VIX_INVALID_HANDLE;

  (void)VixJob_Wait (job, VIX_PROPERTY_JOB_RESULT_HANDLE, &snapshot,
                     VIX_PROPERTY_NONE);
  if (ret_uid != NULL && snapshot != VIX_INVALID_HANDLE)
    *ret_uid = id_of (snapshot);
  else
    Vix_ReleaseHandle (snapshot);
  return bed_finish (self, job);
}

VixError
bed_revert (Bed *self, gint64 uid, int options)
{
  VixHandle snapshot = bed_snapshot (self, uid);
  VixError err = bed_finish (
    self, VixVM_RevertToSnapshot (self->vm, snapshot, options,
                                  VIX_INVALID_HANDLE, NULL, NULL));

  Vix_ReleaseHandle (snapshot);
  return err;
}

VixError
bed_remove (Bed *self, gint64 uid, gboolean children)
{
  VixHandle snapshot = bed_snapshot (self, uid);
  VixError err = bed_finish (
    self, VixVM_RemoveSnapshot (self->vm, snapshot,
                                children ? VIX_SNAPSHOT_REMOVE_CHILDREN : 0,
                                NULL, NULL));

  Vix_ReleaseHandle (snapshot);
  return err;
}

gint64
bed_snap (Bed *self, const char *name)
{
  static const char *const nodes[]
    = { "scsi0:0", "scsi0:1", "sata0:1", "ide0:0", "nvme0:0" };
  gint64 uid = 0;
  VixError err = bed_create (self, name, &uid);

  if (VIX_FAILED (err))
    g_error ("%s: %s: %s", name, VixExt_GetErrorName (err), self->message);
  for (guint i = 0; i < G_N_ELEMENTS (nodes); i++) {
    g_autofree char *file = bed_frozen (self, uid, nodes[i]);
    g_autofree char *running = bed_running (self, nodes[i]);

    if (file != NULL)
      bed_fill (self, running, (guint)uid * 5 + i, (int)(100 + uid));
  }
  return uid;
}

gint64
bed_parent (Bed *self, gint64 uid)
{
  VixHandle snapshot = bed_snapshot (self, uid);
  VixHandle parent = VIX_INVALID_HANDLE;

  assert_code (VixSnapshot_GetParent (snapshot, &parent), VIX_OK);
  Vix_ReleaseHandle (snapshot);
  return id_of (parent);
}

gint64
bed_current (Bed *self)
{
  VixHandle current = VIX_INVALID_HANDLE;
  VixError err = VixVM_GetCurrentSnapshot (self->vm, &current);

  if (err != VIX_E_SNAPSHOT_NOTFOUND)
    assert_code (err, VIX_OK);
  return id_of (current);
}

int
bed_count (Bed *self)
{
  g_autofree char *count = bed_get (self, "vm.vmsd", "snapshot.numSnapshots");

  return count == NULL ? 0 : (int)g_ascii_strtoll (count, NULL, 10);
}

/* ---- files ---- */

char *
bed_path (Bed *self, const char *name)
{
  return g_build_filename (self->dir, name, NULL);
}

gboolean
bed_exists (Bed *self, const char *name)
{
  g_autofree char *path = bed_path (self, name);

  return g_file_test (path, G_FILE_TEST_EXISTS);
}

char *
bed_read (Bed *self, const char *name)
{
  g_autofree char *path = bed_path (self, name);
  char *text = NULL;

  g_file_get_contents (path, &text, NULL, NULL);
  return text;
}

void
bed_put (Bed *self, const char *name, const char *text)
{
  fixture_write (self->dir, name, text);
}

static int
compare_names (gconstpointer a, gconstpointer b)
{
  return strcmp (*(char *const *)a, *(char *const *)b);
}

static GPtrArray *
list_names (Bed *self)
{
  GPtrArray *names = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GDir) dir = g_dir_open (self->dir, 0, NULL);
  const char *name;

  while ((name = g_dir_read_name (dir)) != NULL)
    g_ptr_array_add (names, g_strdup (name));
  g_ptr_array_sort (names, compare_names);
  return names;
}

char *
bed_list (Bed *self)
{
  g_autoptr (GPtrArray) names = list_names (self);

  g_ptr_array_add (names, NULL);
  return g_strjoinv (" ", (char **)names->pdata);
}

char *
bed_state (Bed *self)
{
  g_autoptr (GPtrArray) names = list_names (self);
  GString *state = g_string_new (NULL);

  for (guint i = 0; i < names->len; i++) {
    g_autofree char *path = bed_path (self, names->pdata[i]);
    g_autofree char *text = NULL;
    g_autofree char *sum = NULL;
    gsize len = 0;

    if (g_file_get_contents (path, &text, &len, NULL))
      sum = g_compute_checksum_for_data (G_CHECKSUM_SHA256,
                                         (const guchar *)text, len);
    g_string_append_printf (state, "%s %s\n", (char *)names->pdata[i],
                            sum == NULL ? "-" : sum);
  }
  return g_string_free (state, FALSE);
}

static KvFile *
load_kv (Bed *self, const char *file)
{
  g_autofree char *text = bed_read (self, file);
  g_autoptr (GError) error = NULL;
  KvFile *kv;

  if (text == NULL)
    return NULL;
  kv = kv_file_parse (text, strlen (text), file, &error);
  g_assert_no_error (error);
  return kv;
}

char *
bed_get (Bed *self, const char *file, const char *key)
{
  g_autoptr (KvFile) kv = load_kv (self, file);

  return kv == NULL ? NULL : g_strdup (kv_file_get (kv, key));
}

void
bed_set (Bed *self, const char *file, const char *key, const char *value)
{
  g_autoptr (KvFile) kv = load_kv (self, file);
  g_autoptr (GBytes) bytes = NULL;
  g_autofree char *text = NULL;

  if (kv == NULL)
    kv = kv_file_new (file);
  if (value == NULL)
    kv_file_unset (kv, key);
  else
    g_assert_true (kv_file_set (kv, key, value, NULL));
  bytes = kv_file_to_bytes (kv);
  text = g_strndup (g_bytes_get_data (bytes, NULL), g_bytes_get_size (bytes));
  bed_put (self, file, text);
}

char *
bed_running (Bed *self, const char *node)
{
  g_autofree char *key = g_strconcat (node, ".fileName", NULL);

  return bed_get (self, "vm.vmx", key);
}

char *
bed_frozen (Bed *self, gint64 uid, const char *node)
{
  int count = bed_count (self);

  for (int i = 0; i < count; i++) {
    g_autofree char *key = g_strdup_printf ("snapshot%d.uid", i);
    g_autofree char *found = bed_get (self, "vm.vmsd", key);

    if (found == NULL || g_ascii_strtoll (found, NULL, 10) != uid)
      continue;
    for (int k = 0; k < 16; k++) {
      g_autofree char *node_key
        = g_strdup_printf ("snapshot%d.disk%d.node", i, k);
      g_autofree char *file_key
        = g_strdup_printf ("snapshot%d.disk%d.fileName", i, k);
      g_autofree char *n = bed_get (self, "vm.vmsd", node_key);

      if (n != NULL && strcmp (n, node) == 0)
        return bed_get (self, "vm.vmsd", file_key);
    }
  }
  return NULL;
}

void
bed_fill (Bed *self, const char *file, guint block, int byte)
{
  g_autofree char *path = bed_path (self, file);

  fill_path (path, block, byte);
}

char *
bed_sum (Bed *self, const char *file)
{
  g_autofree char *path = bed_path (self, file);
  g_autofree char *raw = g_build_filename (self->root, "flat.raw", NULL);
  g_autofree char *descriptor = NULL;
  g_autofree char *text = NULL;
  gsize len;

  g_free (bed_run ("qemu-img", "convert", "-f", "vmdk", "-O", "raw", path, raw,
                   NULL));
  descriptor = bed_run ("qemu-img", "info", "-f", "vmdk", path, NULL);
  /* QEMU has no check for flat extents */
  if (strstr (descriptor, "create type: monolithicSparse") != NULL)
    g_free (bed_run ("qemu-img", "check", "-q", "-f", "vmdk", path, NULL));
  g_assert_true (g_file_get_contents (raw, &text, &len, NULL));
  g_unlink (raw);
  return g_compute_checksum_for_data (G_CHECKSUM_SHA256, (const guchar *)text,
                                      len);
}

char *
bed_sum_running (Bed *self, const char *node)
{
  g_autofree char *file = bed_running (self, node);

  return bed_sum (self, file);
}

char *
bed_sum_frozen (Bed *self, gint64 uid, const char *node)
{
  g_autofree char *file = bed_frozen (self, uid, node);

  g_assert_nonnull (file);
  return bed_sum (self, file);
}
