/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <malloc.h>
#include <string.h>

#include "core/inventory.h"

static const VixExtVM *
make_vm (const char *id, int vcpus)
{
  const char *path[] = { "folder", id, NULL };
  VixExtDisk disks[] = { { "scsi0:0", "a.vmdk", "" } };
  VixExtSnapshot snapshots[] = {
    { .id = 9, .parent = 2, .name = "nine" },
    { .id = 2, .name = "two", .description = "zwei" },
    { .id = 5, .parent = 2, .name = "", .numDisks = 3 },
  };
  VixExtVM vm = {
    .id = id,
    .path = path,
    .displayName = id,
    .vmxPath = id,
    .numVcpus = vcpus,
    .currentSnapshot = 9,
    .numDisks = 1,
    .disks = disks,
    .numSnapshots = 3,
    .snapshots = snapshots,
  };

  return vix_vm_record_new (&vm);
}

/* ---- records ---- */

static void
test_record_copies_all (void)
{
  char id[] = "vm1";
  g_autoptr (VixVmRecord) vm = make_vm (id, 4);

  memset (id, 'x', 3);
  g_assert_cmpstr (vm->id, ==, "vm1");
  g_assert_cmpstr (vm->path[0], ==, "folder");
  g_assert_cmpstr (vm->path[1], ==, "vm1");
  g_assert_null (vm->path[2]);
  g_assert_cmpstr (vm->displayName, ==, "vm1");
  g_assert_cmpstr (vm->vmxPath, ==, "vm1");
  /* Strings that were NULL. */
  g_assert_cmpstr (vm->uuid, ==, "");
  g_assert_cmpstr (vm->problem, ==, "");
  g_assert_cmpstr (vm->snapshots[1].description, ==, "");
  g_assert_cmpint (vm->numVcpus, ==, 4);
  g_assert_cmpstr (vm->disks[0].fileName, ==, "a.vmdk");
}

static void
test_record_sorts_snapshots (void)
{
  g_autoptr (VixVmRecord) vm = make_vm ("a", 1);

  g_assert_cmpint (vm->snapshots[0].id, ==, 2);
  g_assert_cmpint (vm->snapshots[1].id, ==, 5);
  g_assert_cmpint (vm->snapshots[2].id, ==, 9);
  g_assert_cmpstr (vix_vm_record_find_snapshot (vm, 2)->description, ==,
                   "zwei");
  g_assert_cmpstr (vix_vm_record_find_snapshot (vm, 9)->name, ==, "nine");
  g_assert_null (vix_vm_record_find_snapshot (vm, 0));
  g_assert_null (vix_vm_record_find_snapshot (vm, 3));
}

static void
test_record_without_anything (void)
{
  const char *path[] = { "", NULL };
  VixExtVM empty = { .path = path };
  g_autoptr (VixVmRecord) a = vix_vm_record_new (&empty);
  g_autoptr (VixVmRecord) b = vix_vm_record_new (&empty);

  g_assert_cmpstr (a->id, ==, "");
  g_assert_cmpstr (a->path[0], ==, "");
  g_assert_true (vix_vm_record_equal (a, b));
  g_assert_null (vix_vm_record_find_snapshot (a, 1));
}

/* Each fact by itself makes a difference. */
static void
test_record_equal (void)
{
  g_autoptr (VixVmRecord) vm = make_vm ("a", 1), same = make_vm ("a", 1);
  const char *other_path[] = { "folder", "b", NULL };
  VixExtDisk disk = vm->disks[0];
  VixExtSnapshot snapshots[3];
  VixExtVM facts[] = {
    *vm, *vm, *vm, *vm, *vm, *vm, *vm, *vm, *vm, *vm,
    *vm, *vm, *vm, *vm, *vm, *vm, *vm, *vm, *vm, *vm,
  };
  VixExtVM *f = facts;

  g_assert_true (vix_vm_record_equal (vm, same));
  memcpy (snapshots, vm->snapshots, sizeof snapshots);
  snapshots[1].name = "renamed";
  disk.mode = "independent-persistent";
  (f++)->id = "b";
  (f++)->path = other_path;
  (f++)->displayName = "b";
  (f++)->vmxPath = "b";
  (f++)->uuid = "b";
  (f++)->guestOS = "b";
  (f++)->teamPath = "b";
  (f++)->problem = "b";
  (f++)->flags = 1;
  (f++)->powerState = 1;
  (f++)->toolsState = 1;
  (f++)->numVcpus = 2;
  (f++)->memoryMiB = 1;
  (f++)->hardwareVersion = 1;
  (f++)->changed = 1;
  (f++)->currentSnapshot = 2;
  (f++)->numDisks = 0;
  (f++)->disks = &disk;
  (f++)->numSnapshots = 2;
  (f++)->snapshots = snapshots;
  g_assert_true (f == facts + G_N_ELEMENTS (facts));
  for (gsize i = 0; i < G_N_ELEMENTS (facts); i++) {
    g_autoptr (VixVmRecord) changed = vix_vm_record_new (&facts[i]);

    g_test_message ("fact %" G_GSIZE_FORMAT, i);
    g_assert_false (vix_vm_record_equal (vm, changed));
  }
}

/* 10,000 VMs of four snapshots: well below 30 MiB of records. */
static void
test_records_are_compact (void)
{
  enum { N = 10000 };
  VixInventory *inventory = vix_inventory_new ();
  VixExtSnapshot snapshots[4];
  struct mallinfo2 before = mallinfo2 (), after;

  for (int i = 0; i < 4; i++)
    snapshots[i] = (VixExtSnapshot){ .id = i + 1,
                                     .name = "before-upgrade",
                                     .description = "nightly, by cron" };
  for (int i = 0; i < N; i++) {
    g_autofree char *name = g_strdup_printf ("machine-%05d", i);
    g_autofree char *id = g_strdup_printf ("/srv/vmware/%s/%s.vmx", name, name);
    const char *path[] = { name, NULL };
    VixExtDisk disk = { "scsi0:0", "machine-000004.vmdk", "" };
    VixExtVM vm = { .id = id,
                    .vmxPath = id,
                    .path = path,
                    .displayName = name,
                    .guestOS = "debian12-64",
                    .uuid = "564d1234-5678-9abc-def0-123456789abc",
                    .numDisks = 1,
                    .disks = &disk,
                    .numSnapshots = 4,
                    .snapshots = snapshots };

    vix_inventory_put (inventory, vix_vm_record_new (&vm));
  }
  after = mallinfo2 ();
  g_test_message ("%zu bytes", after.uordblks - before.uordblks);
  if (after.uordblks > 0) /* another allocator does not count */
    g_assert_cmpuint (after.uordblks - before.uordblks, <, 15 << 20);
  vix_inventory_free (inventory);
}

/* ---- the inventory ---- */

typedef struct {
  VixInventory *inventory;
  GString *log;
  int inside;
  const char *put_inside; /* id to put once from inside the watcher */
} Watcher;

static void
on_event (int event, const VixExtVM *vm, gpointer data)
{
  Watcher *w = data;

  g_assert_cmpint (g_atomic_int_add (&w->inside, 1), ==, 0);
  g_string_append_printf (w->log, "%d:%s ", event, vm != NULL ? vm->id : "");
  if (w->put_inside != NULL) {
    const char *id = g_steal_pointer (&w->put_inside);

    vix_inventory_put (w->inventory, make_vm (id, 1));
  }
  g_atomic_int_add (&w->inside, -1);
}

static void
watcher_init (Watcher *w)
{
  *w = (Watcher){ .inventory = vix_inventory_new (), .log = g_string_new ("") };
}

static void
watcher_clear (Watcher *w)
{
  vix_inventory_stop (w->inventory);
  vix_inventory_free (w->inventory);
  g_string_free (w->log, TRUE);
}

static void
test_events (void)
{
  Watcher w;
  gint64 vms, snapshots;
  g_autoptr (GPtrArray) ids = NULL;

  watcher_init (&w);
  vix_inventory_put (w.inventory, make_vm ("early", 1));
  vix_inventory_set_watcher (w.inventory, on_event, &w);
  g_assert_cmpstr (w.log->str, ==, "");
  vix_inventory_put (w.inventory, make_vm ("a", 1));
  vix_inventory_put (w.inventory, make_vm ("a", 1)); /* equal: nothing */
  vix_inventory_put (w.inventory, make_vm ("a", 2));
  vix_inventory_files_changed (w.inventory, "a");
  vix_inventory_files_changed (w.inventory, "none");
  vix_inventory_count (w.inventory, &vms, &snapshots);
  g_assert_cmpint (vms, ==, 2);
  g_assert_cmpint (snapshots, ==, 6);
  ids = vix_inventory_list_ids (w.inventory);
  g_assert_cmpuint (ids->len, ==, 2);
  vix_inventory_remove (w.inventory, "a");
  vix_inventory_remove (w.inventory, "a");
  vix_inventory_announce (w.inventory, VIXEXT_EVENT_LOADED);
  g_assert_cmpstr (w.log->str, ==, "1:early 1:a 2:a 4:a 3:a 5: ");
  g_assert_null (vix_inventory_lookup (w.inventory, "a"));
  vix_inventory_count (w.inventory, &vms, &snapshots);
  g_assert_cmpint (vms, ==, 1);
  g_assert_cmpint (snapshots, ==, 3);
  vix_inventory_stop (w.inventory);
  vix_inventory_put (w.inventory, make_vm ("late", 1));
  g_assert_cmpstr (w.log->str, ==, "1:early 1:a 2:a 4:a 3:a 5: ");
  watcher_clear (&w);
}

static void
test_put_inside_the_watcher (void)
{
  Watcher w;

  watcher_init (&w);
  vix_inventory_set_watcher (w.inventory, on_event, &w);
  w.put_inside = "b";
  vix_inventory_put (w.inventory, make_vm ("a", 1));
  g_assert_cmpstr (w.log->str, ==, "1:a 1:b ");
  watcher_clear (&w);
}

static void
on_event_stop (int event, const VixExtVM *vm, gpointer data)
{
  Watcher *w = data;

  g_string_append_printf (w->log, "%d ", event);
  vix_inventory_stop (w->inventory);
}

static void
test_stop_inside_the_watcher (void)
{
  Watcher w;

  watcher_init (&w);
  vix_inventory_put (w.inventory, make_vm ("a", 1));
  vix_inventory_put (w.inventory, make_vm ("b", 1));
  vix_inventory_set_watcher (w.inventory, on_event_stop, &w);
  vix_inventory_announce (w.inventory, VIXEXT_EVENT_LOADED);
  g_assert_cmpstr (w.log->str, ==, "1 ");
  watcher_clear (&w);
}

/* Four publish; each finds its own event delivered when it is back. */
typedef struct {
  VixInventory *inventory;
  int seen[4]; /* atomic: numVcpus last delivered, by VM */
  int inside;
} Crowd;

static void
on_crowd (int event, const VixExtVM *vm, gpointer data)
{
  Crowd *crowd = data;
  int i = vm->id[0] - '0';

  g_assert_cmpint (g_atomic_int_add (&crowd->inside, 1), ==, 0);
  g_assert_cmpint (vm->numVcpus, ==, g_atomic_int_get (&crowd->seen[i]) + 1);
  g_atomic_int_set (&crowd->seen[i], vm->numVcpus);
  g_atomic_int_add (&crowd->inside, -1);
}

typedef struct {
  Crowd *crowd;
  int number;
} Publisher;

static gpointer
publish (gpointer data)
{
  Publisher *p = data;
  char id[] = { (char)('0' + p->number), 0 };

  for (int i = 1; i <= 500; i++) {
    g_autoptr (VixVmRecord) found = NULL;

    vix_inventory_put (p->crowd->inventory, make_vm (id, i));
    g_assert_cmpint (g_atomic_int_get (&p->crowd->seen[p->number]), ==, i);
    found = vix_inventory_lookup (p->crowd->inventory, id);
    g_assert_cmpint (found->numVcpus, ==, i);
  }
  return NULL;
}

static void
test_many_publishers (void)
{
  Crowd crowd = { .inventory = vix_inventory_new () };
  Publisher publishers[4];
  GThread *threads[4];

  vix_inventory_set_watcher (crowd.inventory, on_crowd, &crowd);
  for (int i = 0; i < 4; i++) {
    publishers[i] = (Publisher){ &crowd, i };
    threads[i] = g_thread_new ("publish", publish, &publishers[i]);
  }
  for (int i = 0; i < 4; i++)
    g_thread_join (threads[i]);
  vix_inventory_stop (crowd.inventory);
  vix_inventory_free (crowd.inventory);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define ADD(path, func) g_test_add_func ("/inventory/" path, test_##func)
  ADD ("record/copies-all", record_copies_all);
  ADD ("record/sorts-snapshots", record_sorts_snapshots);
  ADD ("record/without-anything", record_without_anything);
  ADD ("record/equal", record_equal);
  ADD ("record/compact", records_are_compact);
  ADD ("events", events);
  ADD ("events/put-inside-the-watcher", put_inside_the_watcher);
  ADD ("events/stop-inside-the-watcher", stop_inside_the_watcher);
  ADD ("events/many-publishers", many_publishers);
  return g_test_run ();
}
