/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>

#include "base/kv-file.h"
#include "workstation/vmsd.h"

static char *
read_file (const char *path, gsize *ret_len)
{
  g_autoptr (GError) error = NULL;
  char *text = NULL;

  g_file_get_contents (path, &text, ret_len, &error);
  g_assert_no_error (error);
  return text;
}

static KvFile *
parse (const char *path)
{
  g_autoptr (GError) error = NULL;
  gsize len;
  g_autofree char *text = read_file (path, &len);
  KvFile *file = kv_file_parse (text, len, path, &error);

  g_assert_no_error (error);
  return file;
}

static void
assert_is_file (GBytes *bytes, const char *path)
{
  gsize len;
  g_autofree char *expected = read_file (path, &len);

  g_assert_cmpmem (g_bytes_get_data (bytes, NULL), g_bytes_get_size (bytes),
                   expected, len);
}

/* ---- edits ---- */

static void
edit_kv (KvFile *file, char **words)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *value
    = words[1] == NULL || words[2] == NULL ? NULL : g_strcompress (words[2]);

  if (strcmp (words[0], "set") == 0)
    kv_file_set (file, words[1], value == NULL ? "" : value, &error);
  else if (strcmp (words[0], "unset") == 0)
    kv_file_unset (file, words[1]);
  else if (strcmp (words[0], "rename") == 0)
    kv_file_rename (file, words[1], words[2]);
  else
    g_error ("no such edit: %s", words[0]);
  g_assert_no_error (error);
}

static void
add_snapshot (WsVmsd *vmsd, const char *name, GError **error)
{
  WsSnapshotDisk disk = { (char *)"disk.vmdk", (char *)"scsi0:0" };
  WsSnapshotNew fresh = { .parent = ws_vmsd_get_current (vmsd),
                          .created_us = G_GINT64_CONSTANT (1772442907250000),
                          .name = name,
                          .description = "",
                          .state_file = "vm.vmsn",
                          .disks = &disk,
                          .num_disks = 1 };
  gint64 uid;

  ws_vmsd_add (vmsd, &fresh, &uid, error);
}

static gboolean
edit_vmsd (WsVmsd *vmsd, char **words)
{
  g_autoptr (GError) error = NULL;
  gint64 uid = words[1] == NULL ? 0 : g_ascii_strtoll (words[1], NULL, 10);

  if (strcmp (words[0], "add") == 0)
    add_snapshot (vmsd, words[1], &error);
  else if (strcmp (words[0], "remove") == 0)
    ws_vmsd_remove (vmsd, uid, &error);
  else if (strcmp (words[0], "name") == 0)
    ws_vmsd_set_name (vmsd, uid, words[2], &error);
  else if (strcmp (words[0], "current") == 0)
    ws_vmsd_set_current (vmsd, uid, &error);
  else
    return FALSE;
  g_assert_no_error (error);
  return TRUE;
}

static GBytes *
edited (const char *path, const char *edits)
{
  g_auto (GStrv) lines = g_strsplit (edits, "\n", -1);
  g_autoptr (KvFile) file = parse (path);
  g_autoptr (WsVmsd) vmsd = ws_vmsd_new (parse (path), path);
  gboolean is_vmsd = FALSE;

  for (gsize i = 0; lines[i] != NULL; i++) {
    g_auto (GStrv) words = g_strsplit (lines[i], " ", 3);

    if (lines[i][0] == '\0')
      continue;
    if (edit_vmsd (vmsd, words))
      is_vmsd = TRUE;
    else
      edit_kv (file, words);
  }
  return is_vmsd ? ws_vmsd_to_bytes (vmsd) : kv_file_to_bytes (file);
}

static void
test_file (gconstpointer data)
{
  const char *path = data;
  g_autofree char *edit = g_strconcat (path, ".edit", NULL);
  g_autofree char *expect = g_strconcat (path, ".expect", NULL);
  g_autoptr (KvFile) file = parse (path);
  g_autoptr (GBytes) same = kv_file_to_bytes (file);

  assert_is_file (same, path);
  if (g_file_test (edit, G_FILE_TEST_EXISTS)) {
    g_autofree char *edits = read_file (edit, NULL);
    g_autoptr (GBytes) changed = edited (path, edits);

    assert_is_file (changed, expect);
  }
}

int
main (int argc, char **argv)
{
  g_autoptr (GDir) dir = NULL;
  const char *name;
  guint n = 0;

  g_test_init (&argc, &argv, NULL);
  dir = g_dir_open (argv[1], 0, NULL);
  while (dir != NULL && (name = g_dir_read_name (dir)) != NULL) {
    g_autofree char *test = g_strconcat ("/dictionaries/", name, NULL);

    if (g_str_has_suffix (name, ".edit") || g_str_has_suffix (name, ".expect"))
      continue;
    g_test_add_data_func_full (test, g_build_filename (argv[1], name, NULL),
                               test_file, g_free);
    n++;
  }
  g_assert_cmpuint (n, >, 0);
  return g_test_run ();
}
