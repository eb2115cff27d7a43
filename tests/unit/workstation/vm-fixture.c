/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vm-fixture.h"

#include <glib/gstdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

char *
fixture_new (void)
{
  g_autofree char *made = g_dir_make_tmp ("vixfs-test-XXXXXX", NULL);
  char *real, *path;

  g_assert_nonnull (made);
  real = realpath (made, NULL);
  path = g_strdup (real);
  free (real);
  return path;
}

static void
remove_tree (const char *path)
{
  if (!g_file_test (path, G_FILE_TEST_IS_SYMLINK)
      && g_file_test (path, G_FILE_TEST_IS_DIR)) {
    GDir *dir;
    const char *name;

    g_chmod (path, 0700);
    dir = g_dir_open (path, 0, NULL);
    while (dir != NULL && (name = g_dir_read_name (dir)) != NULL) {
      g_autofree char *child = g_build_filename (path, name, NULL);

      remove_tree (child);
    }
    if (dir != NULL)
      g_dir_close (dir);
    g_rmdir (path);
  } else {
    g_unlink (path);
  }
}

void
fixture_free (char *dir)
{
  remove_tree (dir);
  g_free (dir);
}

void
fixture_write (const char *dir, const char *name, const char *text)
{
  g_autofree char *path = g_build_filename (dir, name, NULL);
  g_autofree char *parent
    = text == NULL ? g_strdup (path) : g_path_get_dirname (path);

  g_assert_cmpint (g_mkdir_with_parents (parent, 0755), ==, 0);
  if (text != NULL)
    g_assert_true (g_file_set_contents_full (
      path, text, -1, G_FILE_SET_CONTENTS_NONE, 0644, NULL));
}

void
fixture_replace (const char *dir, const char *name, const char *text)
{
  g_autofree char *temp = g_strconcat (name, ".new", NULL);
  g_autofree char *from = g_build_filename (dir, temp, NULL);
  g_autofree char *to = g_build_filename (dir, name, NULL);

  fixture_write (dir, temp, text);
  g_assert_cmpint (g_rename (from, to), ==, 0);
}

void
fixture_unlink (const char *dir, const char *name)
{
  g_autofree char *path = g_build_filename (dir, name, NULL);

  remove_tree (path);
}

void
fixture_vm (const char *dir, const char *name, int snapshots)
{
  g_autofree char *vmx = g_strconcat (name, ".vmx", NULL);
  g_autofree char *vmsd = g_strconcat (name, ".vmsd", NULL);
  g_autofree char *stem = g_path_get_basename (name);
  g_autofree char *config = g_strdup_printf (
    ".encoding = \"UTF-8\"\nconfig.version = \"8\"\n"
    "virtualHW.version = \"19\"\ndisplayName = \"%s\"\nmemsize = \"2048\"\n"
    "numvcpus = \"2\"\nguestOS = \"debian11-64\"\n"
    "uuid.bios = \"56 4d 1a 2b 3c 4d 5e 6f-70 81 92 a3 b4 c5 d6 e7\"\n"
    "scsi0.present = \"TRUE\"\nscsi0:0.present = \"TRUE\"\n"
    "scsi0:0.fileName = \"%s-%06d.vmdk\"\n",
    stem, stem, snapshots);
  GString *text = g_string_new (".encoding = \"UTF-8\"\n");
  int i;

  g_string_append_printf (text,
                          "snapshot.lastUID = \"%d\"\n"
                          "snapshot.current = \"%d\"\n"
                          "snapshot.numSnapshots = \"%d\"\n",
                          snapshots, snapshots, snapshots);
  for (i = 0; i < snapshots; i++) {
    g_string_append_printf (
      text,
      "snapshot%d.uid = \"%d\"\nsnapshot%d.filename = \"%s-Snapshot%d.vmsn\"\n"
      "snapshot%d.displayName = \"snap %d\"\n"
      "snapshot%d.description = \"\"\n"
      "snapshot%d.createTimeHigh = \"412679\"\n"
      "snapshot%d.createTimeLow = \"98504016\"\n"
      "snapshot%d.numDisks = \"1\"\n"
      "snapshot%d.disk0.fileName = \"%s-%06d.vmdk\"\n"
      "snapshot%d.disk0.node = \"scsi0:0\"\n",
      i, i + 1, i, stem, i + 1, i, i + 1, i, i, i, i, i, stem, i, i);
    if (i > 0)
      g_string_append_printf (text, "snapshot%d.parent = \"%d\"\n", i, i);
  }
  fixture_write (dir, vmx, config);
  fixture_write (dir, vmsd, text->str);
  g_string_free (text, TRUE);
}

void
fixture_lock (const char *dir, const char *name)
{
  g_autofree char *member = g_strconcat (name, ".lck/M12345.lck", NULL);
  g_autofree char *path = g_build_filename (dir, member, NULL);
  g_autofree char *parent = g_path_get_dirname (path);
  char record[512] = "uuid=56-4d-aa-bb-cc-dd-ee-ff 4711-99(vmware-vmx) 1 X 99 "
                     "lc=1";

  g_assert_cmpint (g_mkdir_with_parents (parent, 0777), ==, 0);
  g_assert_true (g_file_set_contents (path, record, sizeof record, NULL));
}

void
fixture_unlock (const char *dir, const char *name)
{
  g_autofree char *lock = g_strconcat (name, ".lck", NULL);

  fixture_unlink (dir, lock);
}

KvFile *
fixture_kv (const char *text)
{
  g_autoptr (GError) error = NULL;
  KvFile *kv = kv_file_parse (text, strlen (text), "test", &error);

  g_assert_no_error (error);
  return kv;
}
