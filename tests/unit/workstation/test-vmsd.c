/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "workstation/vmsd.h"

#include <string.h>

#include "base/error.h"
#include "vm-fixture.h"

/* Three snapshots in two branches, as VMware leaves it after some deletes. */
static const char example[]
  = ".encoding = \"UTF-8\"\n"
    "snapshot.lastUID = \"5\"\n"
    "snapshot.current = \"5\"\n"
    "snapshot0.uid = \"1\"\n"
    "snapshot0.filename = \"dev-Snapshot1.vmsn\"\n"
    "snapshot0.displayName = \"clean install\"\n"
    "snapshot0.description = \"no updates yet|0Aroot password in the safe\"\n"
    "snapshot0.createTimeHigh = \"412679\"\n"
    "snapshot0.createTimeLow = \"98504016\"\n"
    "snapshot0.numDisks = \"2\"\n"
    "snapshot0.disk0.fileName = \"dev.vmdk\"\n"
    "snapshot0.disk0.node = \"scsi0:0\"\n"
    "snapshot0.disk1.fileName = \"data.vmdk\"\n"
    "snapshot0.disk1.node = \"sata0:1\"\n"
    "snapshot.numSnapshots = \"3\"\n"
    "snapshot1.uid = \"2\"\n"
    "snapshot1.filename = \"dev-Snapshot2.vmsn\"\n"
    "snapshot1.parent = \"1\"\n"
    "snapshot1.displayName = \"with compiler\"\n"
    "snapshot1.type = \"1\"\n"
    "snapshot1.createTimeHigh = \"412826\"\n"
    "snapshot1.createTimeLow = \"-441901280\"\n"
    "snapshot1.numDisks = \"0\"\n"
    "snapshot.mru0.uid = \"5\"\n"
    "snapshot.mru1.uid = \"1\"\n"
    "snapshot2.uid = \"5\"\n"
    "snapshot2.filename = \"dev-Snapshot5.vmsn\"\n"
    "snapshot2.parent = \"1\"\n"
    "snapshot2.displayName = \"before |22big|22 merge\"\n"
    "snapshot2.vendor.extra = \"kept\"\n"
    "snapshot2.createTimeHigh = \"413279\"\n"
    "snapshot2.createTimeLow = \"-884090880\"\n"
    "snapshot2.numDisks = \"0\"\n";

static WsVmsd *
load (const char *text)
{
  return ws_vmsd_new (fixture_kv (text), "test.vmsd");
}

static char *
text_of (const WsVmsd *vmsd)
{
  g_autoptr (GBytes) bytes = ws_vmsd_to_bytes (vmsd);

  return g_strndup (g_bytes_get_data (bytes, NULL), g_bytes_get_size (bytes));
}

static void
assert_writable (const WsVmsd *vmsd)
{
  g_autoptr (GError) error = NULL;

  ws_vmsd_check_writable (vmsd, &error);
  g_assert_no_error (error);
}

static void
test_read (void)
{
  g_autoptr (WsVmsd) vmsd = load (example);
  const WsSnapshot *s = ws_vmsd_get_nth (vmsd, 0);

  assert_writable (vmsd);
  g_assert_cmpuint (ws_vmsd_get_count (vmsd), ==, 3);
  g_assert_cmpint (ws_vmsd_get_current (vmsd), ==, 5);
  g_assert_cmpint (ws_vmsd_get_next_uid (vmsd), ==, 6);
  g_assert_cmpint (s->uid, ==, 1);
  g_assert_cmpint (s->parent, ==, 0);
  g_assert_cmpstr (s->name, ==, "clean install");
  g_assert_cmpstr (s->description, ==,
                   "no updates yet\nroot password in the safe");
  g_assert_cmpint (s->created_us, ==, G_GINT64_CONSTANT (1772442907250000));
  g_assert_cmpuint (s->num_disks, ==, 2);
  g_assert_cmpstr (ws_snapshot_find_disk (s, "SATA0:1")->file_name, ==,
                   "data.vmdk");
  g_assert_false (s->has_memory);
  s = ws_vmsd_find (vmsd, 2);
  g_assert_true (s->has_memory);
  g_assert_cmpint (s->created_us, ==, G_GINT64_CONSTANT (1773078022004512));
  s = ws_vmsd_find (vmsd, 5);
  g_assert_cmpstr (s->name, ==, "before \"big\" merge");
  g_assert_cmpint (s->created_us, ==, G_GINT64_CONSTANT (1775023200000000));
  g_assert_false (ws_vmsd_is_linked_clone (vmsd));
}

static void
test_tree (void)
{
  g_autoptr (WsVmsd) vmsd = load (example);
  g_autoptr (GArray) children = ws_vmsd_list_children (vmsd, 1);
  g_autoptr (GArray) roots = ws_vmsd_list_children (vmsd, 0);
  g_autoptr (GArray) all = ws_vmsd_list_subtree (vmsd, 1);
  g_autoptr (GArray) none = ws_vmsd_list_subtree (vmsd, 9);

  g_assert_cmpuint (children->len, ==, 2);
  g_assert_cmpint (g_array_index (children, gint64, 1), ==, 5);
  g_assert_cmpuint (roots->len, ==, 1);
  g_assert_cmpuint (all->len, ==, 3);
  g_assert_cmpint (g_array_index (all, gint64, 0), ==, 1);
  g_assert_cmpuint (none->len, ==, 0);
}

static void
test_none (void)
{
  static const char *const texts[] = { "", ".encoding = \"UTF-8\"\n",
                                       ("snapshot.numSnapshots = \"0\"\n"
                                        "snapshot.current = \"0\"\n") };
  gsize i;

  for (i = 0; i < G_N_ELEMENTS (texts); i++) {
    g_autoptr (WsVmsd) vmsd = load (texts[i]);

    assert_writable (vmsd);
    g_assert_cmpuint (ws_vmsd_get_count (vmsd), ==, 0);
    g_assert_cmpint (ws_vmsd_get_current (vmsd), ==, 0);
    g_assert_cmpint (ws_vmsd_get_next_uid (vmsd), ==, 1);
  }
}

static gint64
add (WsVmsd *vmsd, const char *name, gint64 parent)
{
  WsSnapshotDisk disk = { (char *)"a.vmdk", (char *)"scsi0:0" };
  WsSnapshotNew fresh = { .parent = parent,
                          .created_us = G_GINT64_CONSTANT (1773078022004512),
                          .name = name,
                          .description = "d",
                          .state_file = "x.vmsn",
                          .disks = &disk,
                          .num_disks = 1 };
  g_autoptr (GError) error = NULL;
  gint64 uid = 0;

  ws_vmsd_add (vmsd, &fresh, &uid, &error);
  g_assert_no_error (error);
  return uid;
}

static void
test_first (void)
{
  g_autoptr (WsVmsd) vmsd = ws_vmsd_new (NULL, "new.vmsd");
  g_autofree char *text = NULL;

  g_assert_cmpint (add (vmsd, "a\"b\nc", 0), ==, 1);
  text = text_of (vmsd);
  g_assert_cmpstr (text, ==,
                   ".encoding = \"UTF-8\"\n"
                   "snapshot.lastUID = \"1\"\n"
                   "snapshot.current = \"1\"\n"
                   "snapshot0.uid = \"1\"\n"
                   "snapshot0.filename = \"x.vmsn\"\n"
                   "snapshot0.displayName = \"a|22b|0Ac\"\n"
                   "snapshot0.description = \"d\"\n"
                   "snapshot0.createTimeHigh = \"412826\"\n"
                   "snapshot0.createTimeLow = \"-441901280\"\n"
                   "snapshot0.numDisks = \"1\"\n"
                   "snapshot0.disk0.fileName = \"a.vmdk\"\n"
                   "snapshot0.disk0.node = \"scsi0:0\"\n"
                   "snapshot.numSnapshots = \"1\"\n"
                   "snapshot.mru0.uid = \"1\"\n");
  g_assert_cmpstr (ws_vmsd_get_nth (vmsd, 0)->name, ==, "a\"b\nc");
  assert_writable (vmsd);
}

/* Every line that the change does not own is still there, in order. */
static void
assert_kept (const char *before, const char *after, const char *const *owned)
{
  g_auto (GStrv) lines = g_strsplit (before, "\n", -1);
  const char *at = after;
  gsize i, k;

  for (i = 0; lines[i] != NULL; i++) {
    gboolean skip = FALSE;

    for (k = 0; owned[k] != NULL; k++)
      skip = skip || g_str_has_prefix (lines[i], owned[k]);
    if (skip || lines[i][0] == '\0')
      continue;
    at = strstr (at, lines[i]);
    if (at == NULL)
      g_error ("lost or moved: %s", lines[i]);
  }
}

static void
test_add (void)
{
  static const char *const owned[] = { "snapshot.", NULL };
  g_autoptr (WsVmsd) vmsd = load (example);
  g_autofree char *text = NULL;

  g_assert_cmpint (add (vmsd, "", 5), ==, 6);
  text = text_of (vmsd);
  assert_kept (example, text, owned);
  g_assert_nonnull (strstr (text, "snapshot3.parent = \"5\"\n"));
  g_assert_nonnull (strstr (text, "snapshot.numSnapshots = \"4\"\n"));
  g_assert_nonnull (strstr (text, "snapshot.mru0.uid = \"6\"\n"));
  g_assert_nonnull (strstr (text, "snapshot.mru2.uid = \"1\"\n"));
  g_assert_cmpint (ws_vmsd_get_current (vmsd), ==, 6);
  assert_writable (vmsd);
}

static void
test_remove_root (void)
{
  g_autoptr (WsVmsd) vmsd = load (example);
  g_autoptr (GError) error = NULL;
  g_autofree char *text = NULL;

  ws_vmsd_remove (vmsd, 1, &error);
  g_assert_no_error (error);
  assert_writable (vmsd);
  text = text_of (vmsd);
  g_assert_cmpuint (ws_vmsd_get_count (vmsd), ==, 2);
  g_assert_cmpint (ws_vmsd_find (vmsd, 2)->parent, ==, 0);
  g_assert_cmpint (ws_vmsd_find (vmsd, 5)->parent, ==, 0);
  g_assert_cmpuint (ws_vmsd_find (vmsd, 5)->index, ==, 1);
  g_assert_null (strstr (text, "parent"));
  g_assert_null (strstr (text, "clean install"));
  g_assert_nonnull (strstr (text, "snapshot1.vendor.extra = \"kept\"\n"));
  g_assert_nonnull (strstr (text, "snapshot.mru0.uid = \"5\"\n"));
  g_assert_null (strstr (text, "snapshot.mru1.uid"));
  g_assert_cmpint (ws_vmsd_get_next_uid (vmsd), ==, 6);
}

static void
test_remove_current (void)
{
  g_autoptr (WsVmsd) vmsd = load (example);
  g_autoptr (GError) error = NULL;

  g_assert_true (ws_vmsd_remove (vmsd, 5, &error));
  g_assert_cmpint (ws_vmsd_get_current (vmsd), ==, 1);
  g_assert_true (ws_vmsd_remove (vmsd, 1, &error));
  g_assert_cmpint (ws_vmsd_get_current (vmsd), ==, 0);
  g_assert_true (ws_vmsd_remove (vmsd, 2, &error));
  g_assert_cmpuint (ws_vmsd_get_count (vmsd), ==, 0);
  /* uids are never used again */
  g_assert_cmpint (ws_vmsd_get_next_uid (vmsd), ==, 6);
  g_assert_false (ws_vmsd_remove (vmsd, 2, &error));
  g_assert_error (error, VIX_ERROR, VIX_E_SNAPSHOT_NOTFOUND);
  assert_writable (vmsd);
}

/* They stay with their snapshot, whatever number its block gets. */
static void
test_notes (void)
{
  g_autoptr (WsVmsd) vmsd = load (example);
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) bytes = NULL;

  g_assert_cmpint (ws_vmsd_get_changed (vmsd, 5, "scsi0:0"), ==, 0);
  g_assert_true (ws_vmsd_set_changed (vmsd, 5, "scsi0:0", 77, &error));
  g_assert_true (ws_vmsd_set_changed (vmsd, 1, "scsi0:0", 78, &error));
  g_assert_false (ws_vmsd_set_changed (vmsd, 1, "a=b\n", 79, &error));
  g_assert_nonnull (error);
  g_clear_error (&error);
  assert_writable (vmsd);
  g_assert_true (ws_vmsd_remove (vmsd, 1, &error));
  g_assert_cmpint (ws_vmsd_get_changed (vmsd, 5, "scsi0:0"), ==, 77);
  g_assert_cmpint (ws_vmsd_get_changed (vmsd, 5, "scsi0:1"), ==, 0);
  g_assert_cmpint (ws_vmsd_get_changed (vmsd, 1, "scsi0:0"), ==, 0);
  g_assert_true (ws_vmsd_remove (vmsd, 5, &error));
  bytes = ws_vmsd_to_bytes (vmsd);
  g_assert_null (g_strstr_len (g_bytes_get_data (bytes, NULL),
                               (gssize)g_bytes_get_size (bytes), "vixfs."));
}

/* Whoever else writes them. */
static void
test_notes_that_are_none (void)
{
  static const char *const texts[]
    = { "", "-5", "0", "9x", "99999999999999999999" };

  for (gsize i = 0; i < G_N_ELEMENTS (texts); i++) {
    g_autofree char *text
      = g_strdup_printf ("vixfs.5.scsi0:0.changed = \"%s\"\n", texts[i]);
    g_autoptr (WsVmsd) vmsd = load (text);

    g_assert_cmpint (ws_vmsd_get_changed (vmsd, 5, "scsi0:0"), ==, 0);
  }
}

static void
test_edit (void)
{
  static const char *const owned[]
    = { "snapshot0.displayName", "snapshot0.description",
        "snapshot0.disk1.fileName", "snapshot.", NULL };
  g_autoptr (WsVmsd) vmsd = load (example);
  g_autofree char *text = NULL;

  g_assert_true (ws_vmsd_set_name (vmsd, 1, "x/y", NULL));
  g_assert_true (ws_vmsd_set_description (vmsd, 1, "", NULL));
  g_assert_true (ws_vmsd_set_disk_file (vmsd, 1, 1, "new.vmdk", NULL));
  g_assert_true (ws_vmsd_set_current (vmsd, 2, NULL));
  g_assert_cmpstr (ws_vmsd_find (vmsd, 1)->name, ==, "x/y");
  g_assert_cmpstr (ws_vmsd_find (vmsd, 1)->disks[1].file_name, ==, "new.vmdk");
  g_assert_cmpint (ws_vmsd_get_current (vmsd), ==, 2);
  text = text_of (vmsd);
  assert_kept (example, text, owned);
  g_assert_nonnull (strstr (text, "snapshot.mru0.uid = \"2\"\n"));
  g_assert_true (ws_vmsd_set_current (vmsd, 0, NULL));
  assert_writable (vmsd);
}

static void
test_clones (void)
{
  static const char *const sentinels[] = { "c-cl1.vmdk", NULL };
  g_autoptr (WsVmsd) vmsd = load (example);
  g_autoptr (WsVmsd) clone = ws_vmsd_new (NULL, "c.vmsd");

  g_assert_true (ws_vmsd_add_clone (vmsd, 1, "/a/c.vmx", NULL));
  g_assert_true (ws_vmsd_add_clone (vmsd, 1, "/b/d.vmx", NULL));
  g_assert_true (ws_vmsd_add_clone (vmsd, 1, "/a/c.vmx", NULL));
  g_assert_cmpuint (g_strv_length (ws_vmsd_find (vmsd, 1)->clones), ==, 2);
  assert_writable (vmsd);
  g_assert_true (ws_vmsd_remove_clone (vmsd, 1, "/a/c.vmx", NULL));
  g_assert_cmpstr (ws_vmsd_find (vmsd, 1)->clones[0], ==, "/b/d.vmx");
  assert_writable (vmsd);
  g_assert_true (ws_vmsd_set_clone_of (clone, "/p/p.vmx", sentinels, NULL));
  g_assert_true (ws_vmsd_is_linked_clone (clone));
  g_assert_cmpstr (ws_vmsd_get_clone_of (clone), ==, "/p/p.vmx");
  assert_writable (clone);
}

#define ONE "snapshot.numSnapshots = \"1\"\nsnapshot0.uid = \"1\"\n"
#define TWO                                                                    \
  "snapshot.numSnapshots = \"2\"\nsnapshot0.uid = \"1\"\n"                     \
  "snapshot1.uid = \"2\"\n"

static void
test_hostile (void)
{
  static const struct {
    const char *text;
    gsize shown;         /* snapshots */
    const char *problem; /* part of the text */
  } rows[] = {
    { "snapshot.numSnapshots = \"2147483647\"\n", 0, "numSnapshots" },
    { "snapshot.numSnapshots = \"-1\"\n", 0, "numSnapshots" },
    { "snapshot.numSnapshots = \"99999999999999999999\"\n", 0, "numSnap" },
    { "snapshot0.uid = \"1\"\n", 1, "numSnapshots" },
    { ONE "snapshot1.uid = \"2\"\n", 2, "numSnapshots" },
    { "snapshot.numSnapshots = \"1\"\nsnapshot5.uid = \"1\"\n", 1,
      "snapshot0" },
    { "snapshot.numSnapshots = \"1\"\nsnapshot0.uid = \"0\"\n", 0, "uid" },
    { "snapshot.numSnapshots = \"1\"\nsnapshot0.uid = \"-3\"\n", 0, "uid" },
    { "snapshot.numSnapshots = \"1\"\nsnapshot0.uid = \"1e9\"\n", 0, "uid" },
    { "snapshot.numSnapshots = \"1\"\nsnapshot0.displayName = \"x\"\n", 0,
      "uid" },
    { "snapshot.numSnapshots = \"2\"\nsnapshot0.uid = \"1\"\n"
      "snapshot1.uid = \"1\"\n",
      1, "same uid" },
    { TWO "snapshot0.parent = \"2\"\nsnapshot1.parent = \"1\"\n", 2,
      "leads back" },
    { ONE "snapshot0.parent = \"1\"\n", 1, "leads back" },
    { ONE "snapshot0.parent = \"7\"\n", 1, "no uid 7" },
    { ONE "snapshot0.parent = \"x\"\n", 1, "parent" },
    { ONE "snapshot.current = \"9\"\n", 1, "current" },
    { ONE "snapshot.lastUID = \"abc\"\n", 1, "lastUID" },
    { ONE "snapshot0.numDisks = \"1000000000\"\n", 1, "numDisks" },
    { ONE "snapshot0.disk0.fileName = \"a\"\n", 1, "disk0" },
    { ONE "snapshot0.numDisks = \"1\"\nsnapshot0.disk7.fileName = \"a\"\n"
          "snapshot0.disk7.node = \"b\"\n",
      1, "disk7" },
    { ONE "snapshot0.disk99999.fileName = \"a\"\n", 1, "too many" },
    { ONE "snapshot0.numClones = \"2\"\nsnapshot0.clone0 = \"a\"\n", 1,
      "numClones" },
    { ONE "snapshot0.numClones = \"2\"\nsnapshot0.clone0 = \"a\"\n"
          "snapshot0.clone2 = \"b\"\n",
      1, "numClones" },
    { ONE "snapshot0.uid = \"1\"\n", 1, "more than once" },
    { ONE "snapshot.needConsolidate = \"TRUE\"\n", 1, "needConsolidate" },
  };
  gsize i;

  for (i = 0; i < G_N_ELEMENTS (rows); i++) {
    g_autoptr (WsVmsd) vmsd = load (rows[i].text);
    g_autoptr (GError) error = NULL;
    g_autofree char *before = text_of (vmsd);
    g_autofree char *after = NULL;
    gint64 uid;
    WsSnapshotNew fresh = { .name = "n", .description = "", .state_file = "" };

    g_test_message ("%s", rows[i].text);
    g_assert_cmpuint (ws_vmsd_get_count (vmsd), ==, rows[i].shown);
    g_assert_false (ws_vmsd_add (vmsd, &fresh, &uid, &error));
    g_assert_error (error, VIX_ERROR, VIX_E_SNAPSHOT_INCONSISTENT);
    g_assert_nonnull (strstr (error->message, rows[i].problem));
    g_assert_nonnull (strstr (error->message, "test.vmsd"));
    after = text_of (vmsd);
    g_assert_cmpstr (before, ==, after);
  }
}

/* Whatever a file says, walks up and down end. */
static void
test_random (void)
{
  int round;

  for (round = 0; round < 500; round++) {
    GString *text = g_string_new (NULL);
    int n = g_test_rand_int_range (0, 8), i;
    gsize k;

    g_string_append_printf (text, "snapshot.numSnapshots = \"%d\"\n", n);
    for (i = 0; i < n; i++)
      g_string_append_printf (
        text, "snapshot%d.uid = \"%d\"\nsnapshot%d.parent = \"%d\"\n", i,
        g_test_rand_int_range (0, 8), i, g_test_rand_int_range (0, 8));
    {
      g_autoptr (WsVmsd) vmsd = load (text->str);
      g_autoptr (GArray) all = NULL;

      for (k = 0; k < ws_vmsd_get_count (vmsd); k++) {
        const WsSnapshot *s = ws_vmsd_get_nth (vmsd, k);
        guint steps = 0;

        all = ws_vmsd_list_subtree (vmsd, s->uid);
        g_assert_cmpuint (all->len, <=, ws_vmsd_get_count (vmsd));
        g_clear_pointer (&all, g_array_unref);
        while (s->parent != 0) {
          s = ws_vmsd_find (vmsd, s->parent);
          g_assert_nonnull (s);
          g_assert_cmpuint (++steps, <, 8);
        }
      }
    }
    g_string_free (text, TRUE);
  }
}

static void
test_many (void)
{
  g_autoptr (GString) text
    = g_string_new ("snapshot.numSnapshots = \"20000\"\n");
  g_autoptr (WsVmsd) vmsd = NULL;
  g_autoptr (GError) error = NULL;
  int i;

  for (i = 0; i < 20000; i++)
    g_string_append_printf (
      text, "snapshot%d.uid = \"%d\"\nsnapshot%d.parent = \"%d\"\n", i, i + 1,
      i, i);
  vmsd = load (text->str);
  g_assert_cmpuint (ws_vmsd_get_count (vmsd), ==, WS_VMSD_MAX_SNAPSHOTS);
  g_assert_false (ws_vmsd_check_writable (vmsd, &error));
  g_assert_error (error, VIX_ERROR, VIX_E_SNAPSHOT_INCONSISTENT);
}

static void
test_uid_given (void)
{
  g_autoptr (WsVmsd) vmsd = load (example);
  WsSnapshotNew fresh
    = { .uid = 9, .name = "", .description = "", .state_file = "" };
  gint64 uid = 0;

  g_assert_true (ws_vmsd_add (vmsd, &fresh, &uid, NULL));
  g_assert_cmpint (uid, ==, 9);
  g_assert_cmpint (ws_vmsd_get_next_uid (vmsd), ==, 10);
}

static void
test_inexpressible_name (void)
{
  g_autoptr (WsVmsd) vmsd = load (".encoding = \"windows-1252\"\n" ONE
                                  "snapshot0.displayName = \"a\"\n");
  g_autoptr (GError) error = NULL;

  g_assert_false (ws_vmsd_set_name (vmsd, 1, "\344\270\255", &error));
  g_assert_error (error, VIX_ERROR, VIX_E_INVALID_UTF8_STRING);
  g_assert_cmpstr (ws_vmsd_find (vmsd, 1)->name, ==, "a");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/vmsd/reads-what-vmware-writes", test_read);
  g_test_add_func ("/vmsd/children-and-subtrees", test_tree);
  g_test_add_func ("/vmsd/no-snapshots", test_none);
  g_test_add_func ("/vmsd/first-snapshot", test_first);
  g_test_add_func ("/vmsd/add-keeps-every-other-line", test_add);
  g_test_add_func ("/vmsd/remove-root-moves-children-up", test_remove_root);
  g_test_add_func ("/vmsd/remove-current", test_remove_current);
  g_test_add_func ("/vmsd/edits-keep-every-other-line", test_edit);
  g_test_add_func ("/vmsd/clones", test_clones);
  g_test_add_func ("/vmsd/inconsistent-files-are-shown-not-written",
                   test_hostile);
  g_test_add_func ("/vmsd/random-trees-have-no-cycle", test_random);
  g_test_add_func ("/vmsd/too-many-snapshots", test_many);
  g_test_add_func ("/vmsd/uid-given", test_uid_given);
  g_test_add_func ("/vmsd/notes", test_notes);
  g_test_add_func ("/vmsd/notes-that-are-none", test_notes_that_are_none);
  g_test_add_func ("/vmsd/name-that-the-encoding-lacks",
                   test_inexpressible_name);
  return g_test_run ();
}
