/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The inventory of a simulated ESXi and vCenter, as it is and as it changes.
 */
#include <string.h>

#include "base/error.h"
#include "bed.h"

static void
test_esx (void)
{
  g_autoptr (BedServer) sim = bed_sim_new ("-kind esx -vms 3 -snapshots 2 -on");
  g_autoptr (Bed) bed = bed_new (sim, TRUE);
  g_autofree char *dump = bed_dump (bed);
  g_autoptr (VixVmRecord) vm = bed_vm (bed, "vm00001");
  g_autofree char *snapshots = bed_snapshots (vm);
  VixExtHostStatus status = { .size = sizeof status };

  g_test_message ("%s", dump);
  g_assert_cmpuint (g_strv_length ((char **)vm->path), ==, 1);
  g_assert_cmpstr (vm->path[0], ==, "vm00001");
  g_assert_cmpstr (snapshots, ==, "1:snap-1(0),2:snap-2(1)*");
  g_assert_cmpint (vm->powerState, ==, VIX_POWERSTATE_POWERED_ON);
  g_assert_true (g_str_has_prefix (vm->vmxPath, "[ha-datacenter/"));
  g_assert_true (g_uuid_string_is_valid (vm->uuid));
  g_assert_cmpint (vm->numVcpus, >, 0);
  g_assert_cmpint (vm->memoryMiB, >, 0);
  g_assert_cmpint (vm->changed, >, 0);
  bed->ops->get_status (bed->host, &status);
  g_assert_cmpint (status.state, ==, VIXEXT_HOST_CONNECTED);
  g_assert_nonnull (strstr (status.product, "ESX"));
  g_assert_cmpint (status.capacity, >, 0);
  g_assert_cmpint (status.freeSpace, >, 0);
}

static void
test_vcenter_paths (void)
{
  g_autoptr (BedServer) sim
    = bed_sim_new ("-kind vcenter -vms 8 -datacenters 2 -folders 2 -vapps 1");
  g_autoptr (Bed) bed = bed_new (sim, TRUE);
  g_autofree char *dump = bed_dump (bed);

  g_test_message ("%s", dump);
  g_assert_nonnull (strstr (dump, "DC0/"));
  g_assert_nonnull (strstr (dump, "DC1/"));
  g_assert_null (strstr (dump, "/vm/"));
  g_assert_null (strstr (dump, "Datacenters"));
}

static void
test_changes_by_others (void)
{
  g_autoptr (BedServer) sim = bed_sim_new ("-kind vcenter -vms 4");
  g_autoptr (Bed) bed = bed_new (sim, TRUE);
  g_autofree char *before = bed_vm_id (bed, "vm00002");
  g_autofree char *after = NULL;

  g_free (bed_ctl (sim, "snapshot/create?vm=vm00001&name=a%%2fb"));
  bed_await_snapshots (bed, "vm00001", "1:a/b(0)*");
  g_free (bed_ctl (sim, "snapshot/create?vm=vm00001&name=100%%25"));
  bed_await_snapshots (bed, "vm00001", "1:a/b(0),2:100%(1)*");
  g_free (bed_ctl (sim, "snapshot/revert?vm=vm00001&id=1"));
  bed_await_snapshots (bed, "vm00001", "1:a/b(0)*,2:100%(1)");
  g_free (bed_ctl (sim, "snapshot/rename?vm=vm00001&id=1&name=c"));
  bed_await_snapshots (bed, "vm00001", "1:c(0)*,2:100%(1)");
  g_free (bed_ctl (sim, "snapshot/remove?vm=vm00001&id=1"));
  bed_await_snapshots (bed, "vm00001", "2:100%(0)");
  g_free (bed_ctl (sim, "vm/set?vm=vm00001&current=none"));
  g_free (bed_ctl (sim, "snapshot/clear?vm=vm00001"));
  bed_await_snapshots (bed, "vm00001", "");
  g_free (bed_ctl (sim, "vm/rename?vm=vm00002&name=new%%20name"));
  bed_await_snapshots (bed, "new name", "");
  after = bed_vm_id (bed, "new name");
  g_assert_cmpstr (before, ==, after);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/vsphere/inventory/esx", test_esx);
  g_test_add_func ("/vsphere/inventory/vcenter-paths", test_vcenter_paths);
  g_test_add_func ("/vsphere/inventory/changes-by-others",
                   test_changes_by_others);
  return g_test_run ();
}
