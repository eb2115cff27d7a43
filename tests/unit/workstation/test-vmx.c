/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "workstation/vmx.h"

#include <string.h>

#include "base/error.h"
#include "vm-fixture.h"

static char *
disks_of (const char *text)
{
  g_autoptr (KvFile) vmx = fixture_kv (text);
  g_autoptr (GPtrArray) disks = ws_vmx_list_disks (vmx);
  GString *out = g_string_new (NULL);
  guint i;

  for (i = 0; i < disks->len; i++) {
    const WsVmxDisk *disk = disks->pdata[i];

    g_string_append_printf (out, "%s=%s%s%s%s;", disk->node, disk->file_name,
                            disk->mode[0] != '\0' ? "," : "", disk->mode,
                            disk->in_snapshots ? "" : "!");
  }
  return g_string_free (out, FALSE);
}

#define S00 "scsi0.present = \"TRUE\"\nscsi0:0.fileName = \"a.vmdk\"\n"
#define P00 S00 "scsi0:0.present = \"TRUE\"\n"

static void
test_disks (void)
{
  static const struct {
    const char *text, *disks;
  } rows[] = {
    { P00, "scsi0:0=a.vmdk;" },
    { "SCSI0.Present = true\nScsi0:0.FILENAME = a.vmdk\n"
      "scsi0:0.PRESENT = 1\n",
      "scsi0:0=a.vmdk;" },
    { S00, "scsi0:0=a.vmdk;" },
    { S00 "scsi0:0.present = \"FALSE\"\n", "" },
    { "scsi0:0.fileName = \"a.vmdk\"\n", "" },
    { "scsi0.present = \"FALSE\"\nscsi0:0.present = \"TRUE\"\n"
      "scsi0:0.fileName = \"a.vmdk\"\n",
      "" },
    { "ide0:0.fileName = \"a.vmdk\"\n", "ide0:0=a.vmdk;" },
    { "ide1:0.present = \"TRUE\"\nide1:0.fileName = \"a.iso\"\n"
      "ide1:0.deviceType = \"cdrom-image\"\n",
      "" },
    { "ide1:0.present = \"TRUE\"\nide1:0.fileName = \"a.vmdk\"\n"
      "ide1:0.deviceType = \"atapi-cdrom\"\n",
      "" },
    { "ide1:0.present = \"TRUE\"\nide1:0.fileName = \"auto detect\"\n", "" },
    { P00 "scsi0:0.mode = \"persistent\"\n", "scsi0:0=a.vmdk;" },
    { P00 "scsi0:0.mode = \"Independent-Persistent\"\n",
      "scsi0:0=a.vmdk,independent-persistent!;" },
    { P00 "scsi0:0.mode = \"independent-nonpersistent\"\n",
      "scsi0:0=a.vmdk,independent-nonpersistent!;" },
    { "sata0.present = \"TRUE\"\nsata0:10.present = \"TRUE\"\n"
      "sata0:10.fileName = \"x\"\nsata0:10.deviceType = \"disk\"\n"
      "sata0:2.present = \"TRUE\"\nsata0:2.fileName = \"y.vmdk\"\n"
      "nvme0.present = \"TRUE\"\nnvme0:0.present = \"TRUE\"\n"
      "nvme0:0.fileName = \"z.vmdk\"\n" P00,
      "nvme0:0=z.vmdk;sata0:2=y.vmdk;sata0:10=x;scsi0:0=a.vmdk;" },
    { "scsi9999:0.present = \"TRUE\"\nscsi9999:0.fileName = \"a.vmdk\"\n"
      "scsi0:.fileName = \"a.vmdk\"\nscsi:0.fileName = \"a.vmdk\"\n"
      "scsi0:0fileName = \"a.vmdk\"\n",
      "" },
    { "floppy0.present = \"TRUE\"\nfloppy0.fileName = \"f.vmdk\"\n", "" },
  };
  gsize i;

  for (i = 0; i < G_N_ELEMENTS (rows); i++) {
    g_autofree char *disks = disks_of (rows[i].text);

    g_test_message ("%s", rows[i].text);
    g_assert_cmpstr (disks, ==, rows[i].disks);
  }
}

static void
test_native (void)
{
  static const struct {
    const char *text;
    int code;
    const char *key; /* in the error's text */
  } rows[] = {
    { P00, VIX_OK, "" },
    { P00 "scsi0:0.redo = \"\"\nscsi0.sharedBus = \"none\"\n", VIX_OK, "" },
    { P00 "scsi0:0.redo = \"a.vmdk.REDO_x\"\n", VIX_E_SNAPSHOT_CONFIG, "redo" },
    { P00 "scsi0:0.mode = \"undoable\"\n", VIX_E_SNAPSHOT_CONFIG, "mode" },
    { P00 "scsi0:0.mode = \"nonpersistent\"\n", VIX_E_SNAPSHOT_CONFIG, "mode" },
    { P00 "scsi0:0.mode = \"append\"\n", VIX_E_SNAPSHOT_CONFIG, "mode" },
    { P00 "scsi0:0.deviceType = \"rawDisk\"\n", VIX_E_SNAPSHOT_CONFIG,
      "deviceType" },
    { P00 "scsi0:0.deviceType = \"rawDisk\"\n"
          "scsi0:0.mode = \"independent-persistent\"\n",
      VIX_OK, "" },
    { P00 "scsi0:0.sharing = \"multi-writer\"\n", VIX_E_SNAPSHOT_CONFIG,
      "sharing" },
    { P00 "scsi0.sharedBus = \"virtual\"\n", VIX_E_SNAPSHOT_CONFIG,
      "sharedBus" },
    { P00 "scsi0:0.ctkEnabled = \"TRUE\"\n", VIX_E_SNAPSHOT_CONFIG,
      "ctkEnabled" },
    { P00 "ctkEnabled = \"TRUE\"\n", VIX_E_SNAPSHOT_CONFIG, "ctkEnabled" },
    { P00 "encryption.keySafe = \"x\"\n", VIX_E_NEED_KEY, "encrypted" },
    { "encryption.data = \"x\"\n", VIX_E_NEED_KEY, "encrypted" },
    { "encryptedVM.guid = \"x\"\n", VIX_E_NEED_KEY, "encrypted" },
    { "cryptedVM.guid = \"x\"\n", VIX_E_NEED_KEY, "encrypted" },
    { "vmx.encryptionType = \"partial\"\n", VIX_E_NEED_KEY, "encrypted" },
    { "vtpm.present = \"TRUE\"\n", VIX_E_NEED_KEY, "vTPM" },
    { "vtpm.present = \"FALSE\"\n", VIX_OK, "" },
    { "templateVM = \"TRUE\"\n", VIX_E_TEMPLATE_VM, "templateVM" },
    { "policy.vm.mvmtid = \"x\"\n", VIX_E_TEMPLATE_VM, "mvmtid" },
    { P00 "snapshot.redoNotWithParent = \"TRUE\"\n", VIX_OK, "" },
    { P00 "snapshot.redoNotWithParent = \"TRUE\"\nworkingDir = \"/x\"\n",
      VIX_E_SNAPSHOT_CONFIG, "redoNotWithParent" },
  };
  gsize i;

  for (i = 0; i < G_N_ELEMENTS (rows); i++) {
    g_autoptr (KvFile) vmx = fixture_kv (rows[i].text);
    g_autoptr (GError) error = NULL;

    g_test_message ("%s", rows[i].text);
    g_assert_cmpint (ws_vmx_check_native (vmx, "t.vmx", &error), ==,
                     rows[i].code == VIX_OK);
    if (rows[i].code == VIX_OK)
      continue;
    g_assert_error (error, VIX_ERROR, rows[i].code);
    g_assert_nonnull (strstr (error->message, rows[i].key));
    g_assert_nonnull (strstr (error->message, "t.vmx"));
  }
}

static void
test_policy (void)
{
  static const struct {
    const char *text;
    gsize count;
    int code;
  } rows[] = {
    { "", 1000, VIX_OK },
    { "snapshot.disabled = \"TRUE\"\n", 0, VIX_E_SNAPSHOT_NOPERM },
    { "snapshot.maxSnapshots = \"0\"\n", 0, VIX_E_SNAPSHOT_MAXSNAPSHOTS },
    { "snapshot.maxSnapshots = \"2\"\n", 1, VIX_OK },
    { "snapshot.maxSnapshots = \"2\"\n", 2, VIX_E_SNAPSHOT_MAXSNAPSHOTS },
    { "snapshot.maxSnapshots = \"lots\"\n", 2, VIX_OK },
  };
  gsize i;

  for (i = 0; i < G_N_ELEMENTS (rows); i++) {
    g_autoptr (KvFile) vmx = fixture_kv (rows[i].text);
    g_autoptr (GError) error = NULL;

    ws_vmx_check_policy (vmx, "t.vmx", rows[i].count, &error);
    g_assert_cmpint (error == NULL ? VIX_OK : error->code, ==, rows[i].code);
  }
}

static void
test_facts (void)
{
  g_autoptr (KvFile) vmx = fixture_kv (
    "uuid.bios = \"56 4D 1a 2b 3c 4d 5e 6f-70 81 92 a3 b4 c5 d6 e7\"\n"
    "fileSearchPath = \".;/a b; ;/c\"\nworkingDir = \".\"\n"
    "checkpoint.vmState = \"\"\nnvram = \"x.nvram\"\n");
  g_auto (GStrv) dirs = ws_vmx_list_search_path (vmx);
  g_autofree char *uuid = ws_vmx_get_uuid (vmx);
  g_autoptr (KvFile) other = fixture_kv ("uuid.bios = \"56 4d\"\n"
                                         "workingDir = \"/w\"\n"
                                         "checkpoint.vmState = \"s.vmss\"\n");
  g_autofree char *no_uuid = ws_vmx_get_uuid (other);

  g_assert_cmpstr (uuid, ==, "564d1a2b-3c4d-5e6f-7081-92a3b4c5d6e7");
  g_assert_cmpstr (no_uuid, ==, "");
  g_assert_cmpuint (g_strv_length (dirs), ==, 3);
  g_assert_cmpstr (dirs[1], ==, "/a b");
  g_assert_null (ws_vmx_get_working_dir (vmx));
  g_assert_cmpstr (ws_vmx_get_working_dir (other), ==, "/w");
  g_assert_null (ws_vmx_get_state_file (vmx));
  g_assert_cmpstr (ws_vmx_get_state_file (other), ==, "s.vmss");
  g_assert_cmpstr (ws_vmx_get_nvram (vmx), ==, "x.nvram");
  g_assert_null (ws_vmx_get_vmxf (vmx));
  g_assert_cmpstr (ws_vmx_get_display_name (vmx, "stem"), ==, "stem");
}

static void
test_set_disk (void)
{
  g_autoptr (KvFile) vmx
    = fixture_kv ("Scsi0:0.FileName = old.vmdk # first\nx = \"1\"\n");
  g_autoptr (GBytes) bytes = NULL;
  static const char expected[]
    = "Scsi0:0.FileName = \"new.vmdk\" # first\nx = \"1\"\n";

  g_assert_true (ws_vmx_set_disk_file (vmx, "scsi0:0", "new.vmdk", NULL));
  bytes = kv_file_to_bytes (vmx);
  g_assert_cmpmem (g_bytes_get_data (bytes, NULL), g_bytes_get_size (bytes),
                   expected, strlen (expected));
}

/* Each of many nodes takes a line; looking for each must not take all. */
static void
test_many_nodes (void)
{
  g_autoptr (GString) text = g_string_new (NULL);
  g_autoptr (KvFile) vmx = NULL;
  g_autoptr (GPtrArray) disks = NULL;
  int i;

  for (i = 0; i < 100000; i++)
    g_string_append_printf (text, "ide%d:%d.fileName = \"a.vmdk\"\n", i / 1000,
                            i % 1000);
  vmx = fixture_kv (text->str);
  disks = ws_vmx_list_disks (vmx);
  g_assert_cmpuint (disks->len, ==, 100000);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/vmx/which-devices-are-disks", test_disks);
  g_test_add_func ("/vmx/what-forbids-native-work", test_native);
  g_test_add_func ("/vmx/snapshot-policy", test_policy);
  g_test_add_func ("/vmx/facts", test_facts);
  g_test_add_func ("/vmx/set-disk-file", test_set_disk);
  g_test_add_func ("/vmx/many-nodes", test_many_nodes);
  return g_test_run ();
}
