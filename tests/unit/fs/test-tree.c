/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Records are counted here, in place of the library. */
#include <string.h>

#include "tree.h"

/* Ends a list of arguments. */
#define END ((const char *)NULL)

static int references;

const VixExtVM *
VixExt_RefVM (const VixExtVM *vm)
{
  references++;
  return vm;
}

void
VixExt_UnrefVM (const VixExtVM *vm)
{
  if (vm != NULL)
    references--;
}

/* ---- records ---- */

typedef struct {
  VixExtVM vm;
  VixExtSnapshot snapshots[8];
  const char *path[4];
} Record;

/* "folder/web01" with id "/vms/" and that, and ".vmx". */
static Record *
record_new (const char *path, ...)
{
  Record *self = g_new0 (Record, 1);
  g_auto (GStrv) parts = g_strsplit (path, "/", 0);
  const char *name;
  va_list list;
  guint i;

  for (i = 0; parts[i] != NULL; i++)
    self->path[i] = g_intern_string (parts[i]);
  self->vm.path = self->path;
  self->vm.id = g_strdup_printf ("/vms/%s.vmx", path);
  self->vm.snapshots = self->snapshots;
  va_start (list, path);
  while ((name = va_arg (list, const char *)) != NULL) {
    VixExtSnapshot *snapshot = &self->snapshots[self->vm.numSnapshots++];

    snapshot->id = va_arg (list, int);
    snapshot->name = name;
    snapshot->description = "";
  }
  va_end (list);
  return self;
}

static void
record_free (Record *self)
{
  g_free ((char *)self->vm.id);
  g_free (self);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC (Record, record_free)

static void
put (FsTree *tree, const Record *record)
{
  g_autoptr (FsStale) stale = fs_stale_new ();

  fs_tree_put (tree, 0, &record->vm, stale);
}

static void
settle (FsTree *tree, guint host)
{
  g_autoptr (FsStale) stale = fs_stale_new ();

  fs_tree_settle (tree, host, stale);
}

static FsTree *
new_tree (void)
{
  FsTree *tree = fs_tree_new ();

  g_assert_cmpuint (fs_tree_add_host (tree, "", "/vms"), ==, 0);
  return tree;
}

static FsTree *
settled_tree (void)
{
  FsTree *tree = new_tree ();

  settle (tree, 0);
  return tree;
}

static void
finish (FsTree *tree)
{
  fs_tree_free (tree);
  g_assert_cmpint (references, ==, 0);
}

/* "a,b,c" */
static char *
list_folder (FsTree *tree, guint32 slot)
{
  GString *names = g_string_new (NULL);
  FsChild children[2];
  guint32 after = 1;
  guint count;
  guint i;

  do {
    count = fs_tree_list_folder (tree, slot, after, children, 2);
    for (i = 0; i < count; i++) {
      g_string_append_printf (names, "%s%s", names->len > 0 ? "," : "",
                              children[i].name);
      after = children[i].id.slot + 1;
      g_free (children[i].name);
    }
  } while (count == 2);
  return g_string_free (names, FALSE);
}

static char *
list_snapshots (FsTree *tree, guint32 slot)
{
  GString *names = g_string_new (NULL);
  FsChild children[32];
  guint count = fs_tree_list_snapshots (tree, slot, 1, 0, children, 32);
  guint i;

  for (i = 0; i < count; i++) {
    g_string_append_printf (names, "%s%s", names->len > 0 ? "," : "",
                            children[i].name);
    g_free (children[i].name);
  }
  return g_string_free (names, FALSE);
}

static void
assert_text (char *text, const char *wanted)
{
  g_assert_cmpstr (text, ==, wanted);
  g_free (text);
}

static FsNodeId
find (FsTree *tree, guint32 folder, const char *name)
{
  FsNodeId id = { 0, 0, 0, 0 };

  g_assert_true (fs_tree_find_child (tree, folder, name, &id));
  return id;
}

/* ---- folders and VMs ---- */

static void
test_folders (void)
{
  FsTree *tree = settled_tree ();
  g_autoptr (Record) deep = record_new ("a/b/vm", END);
  g_autoptr (Record) top = record_new ("vm", END);
  g_autoptr (FsStale) stale = fs_stale_new ();
  FsNodeId id;

  put (tree, deep);
  put (tree, top);
  assert_text (list_folder (tree, 0), "a,vm");
  id = find (tree, find (tree, find (tree, 0, "a").slot, "b").slot, "vm");
  g_assert_cmpint (id.kind, ==, FS_KIND_VM);
  assert_text (fs_tree_path (tree, id.slot), "a/b/vm");
  fs_tree_remove (tree, 0, &deep->vm, stale);
  assert_text (list_folder (tree, 0), "vm");
  finish (tree);
}

static void
test_settle_sorts (void)
{
  FsTree *tree = new_tree ();
  g_autoptr (Record) b = record_new ("b", END);
  g_autoptr (Record) a = record_new ("a", END);
  g_autoptr (Record) gone = record_new ("gone", END);
  g_autoptr (FsStale) stale = fs_stale_new ();

  put (tree, b);
  put (tree, gone);
  put (tree, a);
  fs_tree_remove (tree, 0, &gone->vm, stale);
  assert_text (list_folder (tree, 0), "");
  settle (tree, 0);
  assert_text (list_folder (tree, 0), "a,b");
  finish (tree);
}

/* Records of one id on two hosts; the second host comes later. */
static void
test_hosts (void)
{
  FsTree *tree = fs_tree_new ();
  g_autoptr (Record) one = record_new ("web", END);
  g_autoptr (Record) other = record_new ("web", END);
  g_autoptr (FsStale) stale = fs_stale_new ();
  guint32 esx;
  FsNode first;
  FsNode second;

  g_assert_cmpuint (fs_tree_add_host (tree, "esx", ""), ==, 0);
  g_assert_cmpuint (fs_tree_add_host (tree, "lab", ""), ==, 1);
  put (tree, one);
  assert_text (list_folder (tree, 0), "");
  settle (tree, 0);
  assert_text (list_folder (tree, 0), "esx");
  esx = find (tree, 0, "esx").slot;
  fs_tree_put (tree, 1, &other->vm, stale);
  settle (tree, 1);
  assert_text (list_folder (tree, 0), "esx,lab");
  g_assert_true (
    fs_tree_resolve (tree, fs_node_pack (find (tree, esx, "web")), &first));
  g_assert_true (fs_tree_resolve (
    tree, fs_node_pack (find (tree, find (tree, 0, "lab").slot, "web")),
    &second));
  g_assert_cmpuint (first.host, ==, 0);
  g_assert_cmpuint (second.host, ==, 1);
  g_assert_cmpuint (first.identity, !=, second.identity);
  fs_node_clear (&first);
  fs_node_clear (&second);
  /* Its directory stays when its last VM goes. */
  fs_tree_remove (tree, 0, &one->vm, stale);
  assert_text (list_folder (tree, 0), "esx,lab");
  assert_text (list_folder (tree, esx), "");
  g_assert_true (fs_tree_resolve (tree, FS_ROOT_ID, &first));
  g_assert_cmpuint (first.host, ==, FS_NO_HOST);
  fs_node_clear (&first);
  finish (tree);
}

static void
test_twin_vms (void)
{
  FsTree *tree = settled_tree ();
  g_autoptr (Record) one = record_new ("x", END);
  g_autoptr (Record) two = record_new ("x", END);
  g_autoptr (Record) inside = record_new ("x/y", END);
  g_autofree char *names = NULL;
  g_auto (GStrv) parts = NULL;

  g_free ((char *)two->vm.id);
  two->vm.id = g_strdup ("vm-17");
  put (tree, one);
  put (tree, two);
  put (tree, inside);
  names = list_folder (tree, 0);
  parts = g_strsplit (names, ",", 0);
  g_assert_cmpuint (g_strv_length (parts), ==, 3);
  g_assert_cmpstr (parts[0], ==, "x");
  g_assert_cmpstr (parts[1], ==, "x~vm-17");
  g_assert_true (g_str_has_prefix (parts[2], "x~"));
  assert_text (list_folder (tree, find (tree, 0, parts[2]).slot), "y");
  finish (tree);
}

static void
test_moved_vm (void)
{
  FsTree *tree = settled_tree ();
  g_autoptr (Record) before = record_new ("web", "s", 1, END);
  g_autoptr (Record) after = record_new ("web/web", "s", 1, END);
  guint32 slot;
  guint32 moved;

  g_free ((char *)after->vm.id);
  after->vm.id = g_strdup (before->vm.id);
  put (tree, before);
  slot = find (tree, 0, "web").slot;
  fs_tree_set_description (tree, slot, "kept");
  put (tree, after);
  moved = find (tree, find (tree, 0, "web").slot, "web").slot;
  g_assert_cmpuint (moved, !=, slot);
  assert_text (fs_tree_get_description (tree, moved), "kept");
  g_assert_null (fs_tree_get_description (tree, slot));
  finish (tree);
}

/* ---- nodes ---- */

static void
test_resolve (void)
{
  FsTree *tree = settled_tree ();
  g_autoptr (Record) record = record_new ("web", "one", 1, "two", 2, END);
  g_autoptr (Record) less = record_new ("web", "two", 2, END);
  g_autoptr (FsStale) stale = fs_stale_new ();
  guint32 slot;
  guint64 node;
  FsNode found;

  put (tree, record);
  slot = find (tree, 0, "web").slot;
  node = fs_node_pack ((FsNodeId){
    slot, fs_tree_find_snapshot (tree, slot, "one"), FS_KIND_SNAPSHOT, 5 });
  g_assert_true (fs_tree_resolve (tree, node, &found));
  g_assert_cmpstr (found.snapshot->name, ==, "one");
  g_assert_true (found.vm == &record->vm);
  fs_node_clear (&found);

  put (tree, less);
  g_assert_false (fs_tree_resolve (tree, node, &found));
  g_assert_cmpuint (fs_tree_find_snapshot (tree, slot, "one"), ==, 0);
  fs_tree_remove (tree, 0, &less->vm, stale);
  node = fs_node_pack ((FsNodeId){ slot, 0, FS_KIND_VM, 0 });
  g_assert_false (fs_tree_resolve (tree, node, &found));
  finish (tree);
}

/* Whatever number the kernel comes with, it is a node or it is not. */
static void
test_any_node (void)
{
  FsTree *tree = settled_tree ();
  g_autoptr (Record) record = record_new ("web", "one", 1, END);
  FsNode found;
  guint32 slot;
  guint32 snapshot;
  guint32 kind;

  put (tree, record);
  for (slot = 0; slot < 4; slot++) {
    for (snapshot = 0; snapshot < 3; snapshot++) {
      for (kind = 0; kind < FS_N_KINDS; kind++) {
        guint64 node
          = fs_node_pack ((FsNodeId){ slot, snapshot, kind, kind == 0 });

        if (node == 0 || !fs_tree_resolve (tree, node, &found))
          continue;
        g_assert_true (
          (found.vm != NULL)
          == (kind != FS_KIND_FOLDER && !fs_kind_is_control (kind)));
        g_assert_true ((found.snapshot != NULL)
                       == (snapshot != 0 || fs_kind_is_newest (kind)));
        fs_node_clear (&found);
      }
    }
  }
  finish (tree);
}

/* ---- names of snapshots ---- */

static void
test_twin_snapshots (void)
{
  FsTree *tree = settled_tree ();
  g_autoptr (Record) first = record_new ("web", "twin", 1, "twin", 2, "twin~4",
                                         3, "twin", 4, "", 5, END);
  g_autoptr (Record) without
    = record_new ("web", "twin", 2, "twin~4", 3, "twin", 4, END);
  g_autoptr (Record) again
    = record_new ("web", "twin", 2, "twin~4", 3, "twin", 4, "twin", 6, END);
  guint32 slot;

  put (tree, first);
  slot = find (tree, 0, "web").slot;
  assert_text (list_snapshots (tree, slot), "twin,twin~2,twin~4,twin~4.2,~5");
  put (tree, without);
  assert_text (list_snapshots (tree, slot), "twin~2,twin~4,twin~4.2");
  put (tree, again);
  assert_text (list_snapshots (tree, slot), "twin~2,twin~4,twin~4.2,twin");
  finish (tree);
}

static guint32
slot_after_rename (gboolean expected, gboolean aliased)
{
  FsTree *tree = settled_tree ();
  g_autoptr (Record) before = record_new ("web", "a", 1, END);
  g_autoptr (Record) after = record_new ("web", "b", 1, END);
  g_autoptr (FsStale) stale = fs_stale_new ();
  guint32 slot;
  guint32 old;
  guint32 now;

  put (tree, before);
  slot = find (tree, 0, "web").slot;
  old = fs_tree_find_snapshot (tree, slot, "a");
  if (aliased)
    fs_tree_switch_alias (tree, slot, 0, stale);
  if (expected)
    fs_tree_expect_rename (tree, slot, 1);
  put (tree, after);
  now = fs_tree_find_snapshot (tree, slot, "b");
  g_assert_cmpuint (now, !=, 0);
  if (expected && !aliased) {
    fs_tree_renew_snapshot (tree, slot, 1, stale);
    g_assert_cmpuint (fs_tree_find_snapshot (tree, slot, "b"), !=, old);
  }
  finish (tree);
  return now == old;
}

static void
test_rename (void)
{
  g_assert_true (slot_after_rename (TRUE, FALSE));
  g_assert_false (slot_after_rename (FALSE, FALSE));
  g_assert_false (slot_after_rename (TRUE, TRUE));
}

/* ---- the newest, pairs ---- */

/* How often @stale tells of @kind of the VM. */
static guint
count_told (const FsStale *stale, guint32 slot, guint32 snapshot, FsKindId kind)
{
  guint64 node = fs_node_pack ((FsNodeId){ slot, snapshot, kind, 0 });
  guint count = 0;
  guint i;

  for (i = 0; i < stale->nodes->len; i++)
    count += g_array_index (stale->nodes, guint64, i) == node;
  return count;
}

static void
test_newest (void)
{
  FsTree *tree = settled_tree ();
  g_autoptr (Record) one = record_new ("web", "a", 1, END);
  g_autoptr (Record) two = record_new ("web", "a", 1, "b", 2, END);
  g_autoptr (Record) none = record_new ("web", END);
  g_autoptr (FsStale) stale = fs_stale_new ();
  FsNodeId id = { 0, 0, FS_KIND_LATEST_INFO, 0 };
  FsNode found;

  put (tree, one);
  id.slot = find (tree, 0, "web").slot;
  g_assert_true (fs_tree_resolve (tree, fs_node_pack (id), &found));
  g_assert_cmpstr (found.snapshot->name, ==, "a");
  fs_node_clear (&found);
  fs_tree_put (tree, 0, &two->vm, stale);
  g_assert_cmpuint (count_told (stale, id.slot, 0, FS_KIND_LATEST_INFO), ==, 1);
  g_assert_true (fs_tree_resolve (tree, fs_node_pack (id), &found));
  g_assert_cmpstr (found.snapshot->name, ==, "b");
  g_assert_cmpuint (found.snapshot_slot, ==, found.newest);
  fs_node_clear (&found);
  put (tree, none);
  g_assert_false (fs_tree_resolve (tree, fs_node_pack (id), &found));
  finish (tree);
}

static void
test_pairs (void)
{
  FsTree *tree = settled_tree ();
  g_autoptr (Record) record = record_new ("web", "a", 1, "b", 2, "c", 3, END);
  g_autoptr (Record) less = record_new ("web", "b", 2, "c", 3, END);
  FsNodeId id = { 0, 0, FS_KIND_OLDER, 0 };
  guint32 slots[3];
  guint32 other;
  FsNode found;

  put (tree, record);
  id.slot = find (tree, 0, "web").slot;
  slots[0] = fs_tree_find_snapshot (tree, id.slot, "a");
  slots[1] = fs_tree_find_snapshot (tree, id.slot, "b");
  slots[2] = fs_tree_find_snapshot (tree, id.slot, "c");
  g_assert_cmpuint (fs_tree_pair_slot (tree, id.slot, slots[0], 77), ==, 0);
  id.snapshot = fs_tree_pair_slot (tree, id.slot, slots[1], slots[0]);
  other = fs_tree_pair_slot (tree, id.slot, slots[2], slots[1]);
  g_assert_cmpuint (other, !=, id.snapshot);
  g_assert_cmpuint (fs_tree_pair_slot (tree, id.slot, slots[1], slots[0]), ==,
                    id.snapshot);
  g_assert_true (fs_tree_resolve (tree, fs_node_pack (id), &found));
  g_assert_cmpstr (found.snapshot->name, ==, "b");
  g_assert_cmpstr (found.older->name, ==, "a");
  fs_node_clear (&found);
  put (tree, less);
  g_assert_false (fs_tree_resolve (tree, fs_node_pack (id), &found));
  id.snapshot = other;
  g_assert_true (fs_tree_resolve (tree, fs_node_pack (id), &found));
  fs_node_clear (&found);
  finish (tree);
}

/* ---- aliases, files ---- */

static void
test_alias (void)
{
  FsTree *tree = settled_tree ();
  g_autoptr (Record) record = record_new ("web", "a", 1, END);
  g_autoptr (FsStale) stale = fs_stale_new ();
  guint32 slot;
  FsNode found;

  put (tree, record);
  slot = find (tree, 0, "web").slot;
  fs_tree_switch_alias (tree, slot, 0, stale);
  g_assert_cmpuint (stale->entries->len, ==, 3);
  /* It is out of the way already. */
  fs_tree_switch_alias (tree, slot, 0, stale);
  g_assert_cmpuint (stale->entries->len, ==, 3);
  g_assert_true (fs_tree_resolve (
    tree, fs_node_pack ((FsNodeId){ slot, 0, FS_KIND_VM, 0 }), &found));
  g_assert_cmpuint (found.alias, ==, 1);
  fs_node_clear (&found);
  finish (tree);
}

/* The nodes of the VM that a change of it is told of. */
static guint
told_by_put (FsTree *tree, const Record *record)
{
  g_autoptr (FsStale) stale = fs_stale_new ();

  fs_tree_put (tree, 0, &record->vm, stale);
  return stale->nodes->len;
}

static void
ask (FsTree *tree, FsNodeId id)
{
  FsNode found;

  g_assert_true (fs_tree_resolve (tree, fs_node_pack (id), &found));
  fs_node_clear (&found);
}

static void
test_told_of_what_was_asked (void)
{
  FsTree *tree = settled_tree ();
  g_autoptr (Record) record = record_new ("web", "a", 1, "b", 2, END);
  g_autoptr (FsStale) stale = fs_stale_new ();
  FsNodeId id = { 0, 0, FS_KIND_SNAPSHOTS, 0 };

  put (tree, record);
  id.slot = find (tree, 0, "web").slot;
  g_assert_cmpuint (told_by_put (tree, record), ==, 0);
  ask (tree, id);
  g_assert_cmpuint (told_by_put (tree, record), ==, 1);
  /* Nobody came by the new alias yet; the old one is still told of. */
  fs_tree_switch_alias (tree, id.slot, 0, stale);
  g_assert_cmpuint (told_by_put (tree, record), ==, 1);
  id.index = 1;
  ask (tree, id);
  g_assert_cmpuint (told_by_put (tree, record), ==, 2);
  /* A node of each of the snapshots, by both aliases. */
  id.kind = FS_KIND_SNAPSHOT;
  id.snapshot = fs_tree_find_snapshot (tree, id.slot, "a");
  ask (tree, id);
  g_assert_cmpuint (told_by_put (tree, record), ==, 6);
  finish (tree);
}

static void
test_files (void)
{
  FsTree *tree = settled_tree ();
  g_autoptr (Record) record = record_new ("web", END);
  g_autoptr (GPtrArray) names = g_ptr_array_new ();
  g_autoptr (GArray) slots = NULL;
  g_autoptr (GArray) later = NULL;
  guint32 slot;

  put (tree, record);
  slot = find (tree, 0, "web").slot;
  g_ptr_array_add (names, (gpointer) "b");
  g_ptr_array_add (names, (gpointer) "a");
  slots = fs_tree_file_slots (tree, slot, names);
  assert_text (
    fs_tree_file_name (tree, slot, g_array_index (slots, FsFileSlot, 1).slot),
    "a");
  names->pdata[0] = (gpointer) "c";
  later = fs_tree_file_slots (tree, slot, names);
  g_assert_cmpuint (g_array_index (later, FsFileSlot, 1).slot, ==,
                    g_array_index (slots, FsFileSlot, 1).slot);
  g_assert_cmpuint (g_array_index (later, FsFileSlot, 0).slot, !=,
                    g_array_index (slots, FsFileSlot, 0).slot);
  g_assert_null (
    fs_tree_file_name (tree, slot, g_array_index (slots, FsFileSlot, 0).slot));
  finish (tree);
}

/* 16 bits of slots are used again, with another generation. */
static void
test_files_wrap (void)
{
  FsTree *tree = settled_tree ();
  g_autoptr (Record) record = record_new ("web", END);
  g_autoptr (GHashTable) seen = g_hash_table_new (NULL, NULL);
  guint32 slot;
  int round;

  put (tree, record);
  slot = find (tree, 0, "web").slot;
  for (round = 0; round < 70000; round++) {
    g_autoptr (GPtrArray) names = g_ptr_array_new_with_free_func (g_free);
    g_autoptr (GArray) slots = NULL;
    FsFileSlot got;

    g_ptr_array_add (names, g_strdup ("stays"));
    g_ptr_array_add (names, g_strdup_printf ("log-%d", round));
    slots = fs_tree_file_slots (tree, slot, names);
    got = g_array_index (slots, FsFileSlot, 1);
    g_assert_cmpuint (g_array_index (slots, FsFileSlot, 0).slot, ==, 1);
    g_assert_cmpuint (got.slot, >, 1);
    g_assert_true (g_hash_table_add (
      seen, GUINT_TO_POINTER ((guint)got.generation << 16 | got.slot)));
  }
  finish (tree);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/tree/folders-come-and-go-with-vms", test_folders);
  g_test_add_func ("/tree/first-inventory-is-sorted", test_settle_sorts);
  g_test_add_func ("/tree/hosts-have-a-directory-each", test_hosts);
  g_test_add_func ("/tree/twin-vms-get-their-id", test_twin_vms);
  g_test_add_func ("/tree/moved-vm-keeps-what-users-set", test_moved_vm);
  g_test_add_func ("/tree/gone-nodes-do-not-resolve", test_resolve);
  g_test_add_func ("/tree/any-node-id-is-safe", test_any_node);
  g_test_add_func ("/tree/shown-names-stay", test_twin_snapshots);
  g_test_add_func ("/tree/renamed-snapshots-get-a-new-node", test_rename);
  g_test_add_func ("/tree/newest-follows-the-snapshots", test_newest);
  g_test_add_func ("/tree/pairs-end-with-one-of-them", test_pairs);
  g_test_add_func ("/tree/alias-switches-once", test_alias);
  g_test_add_func ("/tree/the-kernel-is-told-of-what-it-asked-for",
                   test_told_of_what_was_asked);
  g_test_add_func ("/tree/files-keep-their-slots", test_files);
  g_test_add_func ("/tree/file-slots-wrap", test_files_wrap);
  return g_test_run ();
}
