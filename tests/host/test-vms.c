/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Virtual machines by path, their power, their files; with and without a
 * watched inventory.
 */
#include <string.h>

#include "base/error.h"
#include "bed.h"

/* ---- paths ---- */

static void
check_opens (Bed *bed, const char *path, const char *name)
{
  g_autoptr (BedOp) op = bed_op_new ();
  g_autoptr (GError) error = NULL;
  g_autofree char *id = bed->ops->open_vm (bed->host, path, &op->op, &error);
  g_autoptr (VixVmRecord) vm = NULL;

  if (name == NULL) {
    g_assert_error (error, VIX_ERROR, VIX_E_VM_NOT_FOUND);
    return;
  }
  g_test_message ("%s", path);
  g_assert_no_error (error);
  vm = bed->ops->lookup_vm (bed->host, id, &op->op, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (vm->displayName, ==, name);
}

static void
open_by_path (gboolean watch)
{
  g_autoptr (BedServer) sim
    = bed_sim_new ("-kind vcenter -vms 4 -datacenters 2 -snapshots 1");
  g_autoptr (Bed) bed = bed_new (sim, watch);

  check_opens (bed, "[DC0/LocalDS_0] vm00000/vm00000.vmx", "vm00000");
  check_opens (bed, "[DC1/LocalDS_0] vm00001/vm00001.vmx", "vm00001");
  check_opens (bed, "[LocalDS_0] vm00001/vm00001.vmx", "vm00001");
  check_opens (bed, "[LocalDS_0]vm00001/vm00001.vmx", "vm00001");
  check_opens (bed, "[LocalDS_0]   vm00002/vm00002.vmx", "vm00002");
  check_opens (bed, "[DC0/LocalDS_0] vm00001/vm00001.vmx", NULL);
  check_opens (bed, "[nowhere] vm00001/vm00001.vmx", NULL);
  check_opens (bed, "[LocalDS_0] vm00001/other.vmx", NULL);
  check_opens (bed, "/vmfs/volumes/x/y.vmx", NULL);
  check_opens (bed, "[", NULL);
  check_opens (bed, "", NULL);
}

static void
test_open (void)
{
  open_by_path (TRUE);
  open_by_path (FALSE);
}

static void
find_and_open (const char *options, gboolean watch)
{
  g_autoptr (BedServer) sim = bed_sim_new (options);
  g_autoptr (Bed) bed = bed_new (sim, watch);
  g_autoptr (BedOp) op = bed_op_new ();
  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) all = NULL;
  g_autoptr (GPtrArray) running = NULL;

  g_free (bed_ctl (sim, "power?vm=vm00002&state=on"));
  if (watch)
    for (int i = 0; !bed_saw (bed, "~vm00002"); i++) {
      g_assert_cmpint (i, <, 6000);
      g_usleep (10000);
    }
  all = bed->ops->find_vms (bed->host, FALSE, &op->op, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (all->len, ==, 5);
  running = bed->ops->find_vms (bed->host, TRUE, &op->op, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (running->len, ==, 1);
  /* What is reported can be opened as it is, and is the VM's own spelling. */
  for (guint i = 0; i < all->len; i++) {
    g_autofree char *id
      = bed->ops->open_vm (bed->host, all->pdata[i], &op->op, &error);
    g_autoptr (VixVmRecord) vm
      = bed->ops->lookup_vm (bed->host, id, &op->op, &error);

    g_assert_no_error (error);
    g_assert_cmpstr (vm->vmxPath, ==, all->pdata[i]);
  }
}

static void
test_find (void)
{
  find_and_open ("-kind esx -vms 5", TRUE);
  find_and_open ("-kind esx -vms 5", FALSE);
  find_and_open ("-kind vcenter -vms 5 -datacenters 2 -folders 1", TRUE);
  find_and_open ("-kind vcenter -vms 5 -datacenters 2 -folders 1", FALSE);
  find_and_open ("-kind server2 -vms 5", TRUE);
  find_and_open ("-kind server2 -vms 5", FALSE);
}

static void
register_and_unregister (const char *options, gboolean watch)
{
  static const char path[] = "[LocalDS_0] vm00001/vm00001.vmx";
  g_autoptr (BedServer) sim = bed_sim_new (options);
  g_autoptr (Bed) bed = bed_new (sim, watch);
  g_autoptr (BedOp) op = bed_op_new ();
  g_autoptr (GError) error = NULL;

  g_assert_true (bed->ops->unregister_vm (bed->host, path, &op->op, &error));
  g_assert_no_error (error);
  check_opens (bed, path, NULL);
  g_assert_true (bed->ops->unregister_vm (bed->host, path, &op->op, &error));
  g_assert_no_error (error);
  g_assert_true (bed->ops->register_vm (bed->host, path, &op->op, &error));
  g_assert_no_error (error);
  check_opens (bed, path, "vm00001");
  g_assert_true (bed->ops->register_vm (bed->host, path, &op->op, &error));
  g_assert_no_error (error);
  g_assert_false (bed->ops->register_vm (bed->host, "[LocalDS_0] none/none.vmx",
                                         &op->op, &error));
  g_assert_error (error, VIX_ERROR, VIX_E_NOT_FOUND);
  g_clear_error (&error);
  g_assert_false (bed->ops->register_vm (bed->host, "[nowhere] none/none.vmx",
                                         &op->op, &error));
  g_assert_error (error, VIX_ERROR, VIX_E_NOT_FOUND);
}

static void
test_register (void)
{
  register_and_unregister ("-kind esx -vms 3", TRUE);
  register_and_unregister ("-kind esx -vms 3", FALSE);
  register_and_unregister ("-kind vcenter -vms 3", TRUE);
  register_and_unregister ("-kind vcenter -vms 3", FALSE);
}

/* ---- power ---- */

static int
power_of (Bed *bed, const char *id)
{
  g_autoptr (VixVmRecord) vm = vix_inventory_lookup (bed->inventory, id);

  return vm->powerState;
}

static void
check_power (Bed *bed, const char *id, VixPowerOp what, int options, int code,
             int state)
{
  g_autoptr (BedOp) op = bed_op_new ();
  g_autoptr (GError) error = NULL;
  gboolean ok = bed->ops->power (bed->host, id, what, options, &op->op, &error);

  if (code == VIX_OK)
    g_assert_no_error (error);
  else
    g_assert_error (error, VIX_ERROR, code);
  g_assert_cmpint (ok, ==, code == VIX_OK);
  g_assert_cmpint (power_of (bed, id), ==, state);
}

static void
power_cycle (const char *options, gboolean watch)
{
  g_autoptr (BedServer) sim = bed_sim_new (options);
  g_autoptr (Bed) bed = bed_new (sim, watch);
  g_autoptr (BedOp) op = bed_op_new ();
  g_autoptr (GError) error = NULL;
  g_autofree char *id = bed->ops->open_vm (
    bed->host, "[LocalDS_0] vm00000/vm00000.vmx", &op->op, &error);
  enum {
    ON = VIX_POWERSTATE_POWERED_ON,
    OFF = VIX_POWERSTATE_POWERED_OFF,
    SUSPENDED = VIX_POWERSTATE_SUSPENDED
  };

  g_assert_no_error (error);
  check_power (bed, id, VIX_POWER_OFF, 0, VIX_E_VM_NOT_RUNNING, OFF);
  check_power (bed, id, VIX_POWER_ON, 0, VIX_OK, ON);
  check_power (bed, id, VIX_POWER_ON, 0, VIX_E_VM_IS_RUNNING, ON);
  check_power (bed, id, VIX_POWER_RESET, 0, VIX_OK, ON);
  check_power (bed, id, VIX_POWER_SUSPEND, 0, VIX_OK, SUSPENDED);
  check_power (bed, id, VIX_POWER_SUSPEND, 0, VIX_E_VM_NOT_RUNNING, SUSPENDED);
  check_power (bed, id, VIX_POWER_OFF, 0, VIX_E_VM_NOT_RUNNING, SUSPENDED);
  check_power (bed, id, VIX_POWER_ON, 0, VIX_OK, ON);
  check_power (bed, id, VIX_POWER_PAUSE, 0, VIX_E_NOT_SUPPORTED, ON);
  g_free (bed_ctl (sim, "vm/set?vm=vm00000&tools=ok"));
  check_power (bed, id, VIX_POWER_OFF, VIX_VMPOWEROP_FROM_GUEST, VIX_OK, OFF);
  check_power (bed, id, VIX_POWER_ON, 0, VIX_OK, ON);
  g_free (bed_ctl (sim, "vm/set?vm=vm00000&tools=none"));
  check_power (bed, id, VIX_POWER_OFF, VIX_VMPOWEROP_FROM_GUEST,
               VIX_E_TOOLS_NOT_RUNNING, ON);
  check_power (bed, id, VIX_POWER_OFF, 0, VIX_OK, OFF);
}

static void
test_power (void)
{
  power_cycle ("-kind esx -vms 2", TRUE);
  power_cycle ("-kind esx -vms 2", FALSE);
  power_cycle ("-kind vcenter -vms 2", TRUE);
}

/* A running VM with memory comes back on; without, it ends off. */
static void
test_memory (void)
{
  g_autoptr (BedServer) sim = bed_sim_new ("-kind vcenter -vms 1 -on");
  g_autoptr (Bed) bed = bed_new (sim, TRUE);
  g_autofree char *id = bed_vm_id (bed, "vm00000");
  g_autoptr (BedOp) op = bed_op_new ();
  g_autoptr (GError) error = NULL;
  VixSnapshotParams params
    = { .name = "with", .description = "", .memory = TRUE };
  g_autoptr (VixVmRecord) vm = NULL;
  gint64 with = 0, without = 0;

  g_assert_true (
    bed->ops->create_snapshot (bed->host, id, &params, &with, &op->op, &error));
  params.memory = FALSE;
  params.name = "without";
  g_assert_true (bed->ops->create_snapshot (bed->host, id, &params, &without,
                                            &op->op, &error));
  vm = bed_vm (bed, "vm00000");
  g_assert_cmpint (vm->snapshots[0].flags & VIXEXT_SNAPSHOT_HAS_MEMORY, !=, 0);
  g_assert_cmpint (vm->snapshots[0].powerState, ==, VIX_POWERSTATE_POWERED_ON);
  g_assert_cmpint (vm->snapshots[1].flags & VIXEXT_SNAPSHOT_HAS_MEMORY, ==, 0);
  g_assert_true (bed->ops->revert_to_snapshot (bed->host, id, without, FALSE,
                                               &op->op, &error));
  g_assert_cmpint (power_of (bed, id), ==, VIX_POWERSTATE_POWERED_OFF);
  g_assert_true (
    bed->ops->revert_to_snapshot (bed->host, id, with, FALSE, &op->op, &error));
  g_assert_cmpint (power_of (bed, id), ==, VIX_POWERSTATE_POWERED_ON);
  g_assert_true (
    bed->ops->revert_to_snapshot (bed->host, id, with, TRUE, &op->op, &error));
  g_assert_cmpint (power_of (bed, id), !=, VIX_POWERSTATE_POWERED_ON);
}

static void
test_delete (void)
{
  g_autoptr (BedServer) sim = bed_sim_new ("-kind vcenter -vms 2");
  g_autoptr (Bed) bed = bed_new (sim, TRUE);
  g_autofree char *id = bed_vm_id (bed, "vm00000");
  g_autoptr (BedOp) op = bed_op_new ();
  g_autoptr (GError) error = NULL;
  const VixExtVM *gone;

  g_assert_false (bed->ops->delete_vm (bed->host, id, FALSE, &op->op, &error));
  g_assert_error (error, VIX_ERROR, VIX_E_NOT_SUPPORTED);
  g_clear_error (&error);
  g_assert_true (bed->ops->delete_vm (bed->host, id, TRUE, &op->op, &error));
  g_assert_no_error (error);
  gone = vix_inventory_lookup (bed->inventory, id);
  g_assert_null (gone);
  g_assert_false (bed->ops->delete_vm (bed->host, id, TRUE, &op->op, &error));
  g_assert_error (error, VIX_ERROR, VIX_E_VM_NOT_FOUND);
}

/* ---- files and configuration ---- */

static char *
list_files (Bed *bed, const char *id, gint64 snapshot)
{
  g_autoptr (BedOp) op = bed_op_new ();
  g_autoptr (GError) error = NULL;
  g_autofree VixExtFile *files = NULL;
  GString *text = g_string_new (NULL);
  gsize n = 0;

  g_assert_true (bed->ops->list_files (bed->host, id, snapshot, &files, &n,
                                       &op->op, &error));
  g_assert_no_error (error);
  for (gsize i = 0; i < n; i++) {
    g_string_append_printf (text, "%s%s", i > 0 ? " " : "", files[i].name);
    g_assert_cmpint (files[i].bytes, >=, 0);
    g_assert_null (strchr (files[i].name, '/'));
    if (i > 0)
      g_assert_cmpstr (files[i - 1].name, <, files[i].name);
  }
  return g_string_free (text, FALSE);
}

static void
test_files (void)
{
  g_autoptr (BedServer) sim = bed_sim_new ("-kind vcenter -vms 1 -snapshots 2");
  g_autoptr (Bed) bed = bed_new (sim, TRUE);
  g_autofree char *id = bed_vm_id (bed, "vm00000");
  g_autofree char *all = list_files (bed, id, 0);
  g_autofree char *first = list_files (bed, id, 1);
  g_autofree char *second = list_files (bed, id, 2);
  g_autoptr (BedOp) op = bed_op_new ();
  g_autoptr (GError) error = NULL;
  g_autofree VixExtFile *files = NULL;
  gsize n;

  g_test_message ("%s / %s / %s", all, first, second);
  g_assert_nonnull (strstr (all, "vm00000.vmx"));
  /* What each froze; what is written now is nobody's. */
  g_assert_cmpstr (first, ==,
                   "vm00000-Snapshot1.vmsn vm00000-flat.vmdk vm00000.vmdk");
  g_assert_cmpstr (second, ==,
                   "vm00000-000001-sesparse.vmdk vm00000-000001.vmdk "
                   "vm00000-Snapshot2.vmsn");
  g_assert_nonnull (strstr (all, "vm00000-000002.vmdk"));
  g_assert_false (
    bed->ops->list_files (bed->host, id, 99, &files, &n, &op->op, &error));
  g_assert_error (error, VIX_ERROR, VIX_E_SNAPSHOT_NOTFOUND);
}

static void
test_config (void)
{
  g_autoptr (BedServer) sim = bed_sim_new ("-kind vcenter -vms 1 -snapshots 1");
  g_autoptr (Bed) bed = bed_new (sim, TRUE);
  g_autofree char *id = bed_vm_id (bed, "vm00000");
  g_autoptr (BedOp) op = bed_op_new ();
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) now
    = bed->ops->get_config (bed->host, id, 0, &op->op, &error);
  g_autoptr (GBytes) then = NULL;
  g_autofree char *text = NULL;

  g_assert_no_error (error);
  g_test_message ("%.*s", (int)g_bytes_get_size (now),
                  (const char *)g_bytes_get_data (now, NULL));
  then = bed->ops->get_config (bed->host, id, 1, &op->op, &error);
  g_assert_no_error (error);
  text = g_strndup (g_bytes_get_data (then, NULL), g_bytes_get_size (then));
  g_test_message ("%s", text);
  g_assert_nonnull (strstr (text, "displayName = \"vm00000\""));
  g_assert_nonnull (strstr (text, "scsi0:0.fileName = \"vm00000.vmdk\""));
  g_assert_nonnull (strstr (text, "memSize"));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/vsphere/vms/open", test_open);
  g_test_add_func ("/vsphere/vms/find", test_find);
  g_test_add_func ("/vsphere/vms/register", test_register);
  g_test_add_func ("/vsphere/vms/power", test_power);
  g_test_add_func ("/vsphere/vms/memory", test_memory);
  g_test_add_func ("/vsphere/vms/delete", test_delete);
  g_test_add_func ("/vsphere/vms/files", test_files);
  g_test_add_func ("/vsphere/vms/config", test_config);
  return g_test_run ();
}
