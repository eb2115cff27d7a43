/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * config.c - the .vmx of a virtual machine.
 *
 * As it is now it is a file on the datastore. As of a snapshot the host has
 * it only inside of its own file format, and tells it as a data object: then
 * the text is written anew from that, with the keys that name the same
 * things.
 */
#include <string.h>

#include "base/error.h"
#include "base/kv-file.h"
#include "vsphere/datastore.h"
#include "vsphere/device.h"

/* ---- from the data object ---- */

static const struct {
  const char *type;
  const char *virtual_dev;
} nics[] = {
  { "VirtualVmxnet3", "vmxnet3" }, { "VirtualVmxnet2", "vmxnet" },
  { "VirtualE1000e", "e1000e" },   { "VirtualE1000", "e1000" },
  { "VirtualPCNet32", "vlance" },
};

static gboolean G_GNUC_PRINTF (3, 4)
  set (KvFile *vmx, const char *key, const char *format, ...)
{
  g_autofree char *value = NULL;
  va_list args;

  va_start (args, format);
  value = g_strdup_vprintf (format, args);
  va_end (args);
  return kv_file_set (vmx, key, value, NULL);
}

static void
set_text (KvFile *vmx, const char *key, const char *value)
{
  if (value != NULL && *value != '\0')
    kv_file_set (vmx, key, value, NULL);
}

static void
write_controller (KvFile *vmx, const SoapVirtualDevice *device,
                  const VsphereController *controller)
{
  g_autofree char *present = g_strdup_printf (
    "%s%d.present", controller->prefix, (int)device->busNumber);
  g_autofree char *virtual_dev = g_strdup_printf (
    "%s%d.virtualDev", controller->prefix, (int)device->busNumber);

  if (g_str_equal (controller->prefix, "ide"))
    return;
  set (vmx, present, "TRUE");
  set_text (vmx, virtual_dev, controller->virtual_dev);
}

/* A file beside the .vmx is named alone. */
static const char *
relative_name (const char *file, const char *directory)
{
  gsize n = strlen (directory);

  return n > 0 && strncmp (file, directory, n) == 0
             && strchr (file + n, '/') == NULL
           ? file + n
           : file;
}

static const char *
disk_mode (const char *mode)
{
  if (g_strcmp0 (mode, "independent_persistent") == 0)
    return "independent-persistent";
  if (g_strcmp0 (mode, "independent_nonpersistent") == 0)
    return "independent-nonpersistent";
  return NULL;
}

/* A disk or CD drive on a controller: "scsi0:0.fileName" and so on. */
static void
write_drive (KvFile *vmx, const SoapVirtualHardware *hardware,
             const SoapVirtualDevice *device, const char *directory)
{
  gboolean disk = vsphere_device_is (device, "VirtualDisk");
  g_autofree char *slot = vsphere_device_slot (hardware, device);
  g_autofree char *key = NULL;
  const SoapDeviceBacking *backing = device->backing;

  if (slot == NULL)
    return;
  key = g_strconcat (slot, ".present", NULL);
  set (vmx, key, "TRUE");
  g_free (key);
  key = g_strconcat (slot, ".deviceType", NULL);
  set_text (vmx, key,
            !disk                             ? "cdrom-image"
            : g_str_has_prefix (slot, "scsi") ? "scsi-hardDisk"
                                              : "disk");
  g_free (key);
  key = g_strconcat (slot, ".fileName", NULL);
  if (backing != NULL && backing->fileName != NULL)
    set_text (vmx, key, relative_name (backing->fileName, directory));
  g_free (key);
  key = g_strconcat (slot, ".mode", NULL);
  set_text (vmx, key,
            disk && backing != NULL ? disk_mode (backing->diskMode) : NULL);
}

static void
write_nic (KvFile *vmx, const SoapVirtualDevice *device, const char *dev,
           guint number)
{
  g_autofree char *prefix = g_strdup_printf ("ethernet%u", number);
  gboolean generated = g_strcmp0 (device->addressType, "manual") != 0;
  g_autofree char *present = g_strconcat (prefix, ".present", NULL);
  g_autofree char *virtual_dev = g_strconcat (prefix, ".virtualDev", NULL);
  g_autofree char *address
    = g_strconcat (prefix, generated ? ".generatedAddress" : ".address", NULL);
  g_autofree char *network = g_strconcat (prefix, ".networkName", NULL);

  set (vmx, present, "TRUE");
  set_text (vmx, virtual_dev, dev);
  set_text (vmx, address, device->macAddress);
  set_text (vmx, network,
            device->backing == NULL ? NULL : device->backing->deviceName);
}

static void
write_devices (KvFile *vmx, const SoapVirtualHardware *hardware,
               const char *directory)
{
  guint n_nics = 0;

  for (gsize i = 0; i < MIN (hardware->device.n, VSPHERE_MAX_DEVICES); i++) {
    const SoapVirtualDevice *device = &hardware->device.items[i];
    const VsphereController *controller = vsphere_controller_of (device);

    if (controller != NULL)
      write_controller (vmx, device, controller);
    else if (vsphere_device_is (device, "VirtualDisk")
             || vsphere_device_is (device, "VirtualCdrom"))
      write_drive (vmx, hardware, device, directory);
    for (gsize j = 0; j < G_N_ELEMENTS (nics); j++)
      if (vsphere_device_is (device, nics[j].type))
        write_nic (vmx, device, nics[j].virtual_dev, n_nics++);
  }
}

/* "564d1234-..." is kept as "56 4d 12 34 ...-..." there. */
static void
write_uuid (KvFile *vmx, const char *key, const char *uuid)
{
  GString *text = g_string_new (NULL);

  for (guint n = 0; uuid != NULL && *uuid != '\0'; uuid++) {
    if (!g_ascii_isxdigit (*uuid))
      continue;
    g_string_append_c (text, *uuid);
    if (++n % 2 == 0 && n < 32)
      g_string_append_c (text, n == 16 ? '-' : ' ');
  }
  set_text (vmx, key, text->str);
  g_string_free (text, TRUE);
}

GBytes *
vsphere_write_config (const SoapVirtualMachineConfigInfo *config,
                      const char *directory)
{
  g_autoptr (KvFile) vmx = kv_file_new ("configuration of a snapshot");
  const SoapVirtualHardware *hardware = config->hardware;
  const char *dash
    = config->version == NULL ? NULL : strrchr (config->version, '-');

  set (vmx, "config.version", "8");
  set_text (vmx, "virtualHW.version", dash == NULL ? NULL : dash + 1);
  set_text (vmx, "displayName", config->name);
  set_text (vmx, "guestOS", config->guestId);
  set_text (vmx, "firmware", config->firmware);
  set_text (vmx, "annotation", config->annotation);
  write_uuid (vmx, "uuid.bios", config->uuid);
  write_uuid (vmx, "vc.uuid", config->instanceUuid);
  if (hardware != NULL) {
    set (vmx, "numvcpus", "%" G_GINT64_FORMAT, hardware->numCPU);
    if (hardware->numCoresPerSocket > 0)
      set (vmx, "cpuid.coresPerSocket", "%" G_GINT64_FORMAT,
           hardware->numCoresPerSocket);
    set (vmx, "memSize", "%" G_GINT64_FORMAT, hardware->memoryMB);
    write_devices (vmx, hardware, directory);
  }
  for (gsize i = 0; i < config->extraConfig.n; i++)
    set_text (vmx, config->extraConfig.items[i].key,
              config->extraConfig.items[i].value);
  return kv_file_to_bytes (vmx);
}

typedef struct {
  const char *directory; /* of the VM, "[ds] dir/" */
  GBytes *text;
  GError *error;
} Rebuild;

static void
take_config (const SoapObjectContent *content, gboolean cut, SoapArena *arena,
             gpointer data)
{
  Rebuild *rebuild = data;
  const SoapNode *value = vsphere_content_get (content, "config");
  const SoapVirtualMachineConfigInfo *config;

  if (value == NULL || rebuild->text != NULL || rebuild->error != NULL)
    return;
  if (soap_decode_value (SOAP_KIND_STRUCT, &soap_type_VirtualMachineConfigInfo,
                         "config", value, arena, &config, &rebuild->error))
    rebuild->text = vsphere_write_config (config, rebuild->directory);
}

static GBytes *
rebuild_config (VsphereHost *host, const SoapRef *object, const char *directory,
                GCancellable *cancellable, GError **error)
{
  static const char *const paths[] = { "config", NULL };
  g_auto (VsphereSpec) spec = { .n_props = 0 };
  Rebuild rebuild = { directory, NULL, NULL };

  vsphere_spec_init_objects (&spec, paths, object, 1);
  if (!vsphere_retrieve (host, &spec, take_config, &rebuild, cancellable,
                         error)) {
    g_clear_pointer (&rebuild.text, g_bytes_unref);
    g_clear_error (&rebuild.error);
    return NULL;
  }
  if (rebuild.error != NULL)
    g_propagate_error (error, rebuild.error);
  else if (rebuild.text == NULL)
    g_set_error_literal (error, VIX_ERROR, VIX_E_CANNOT_READ_VM_CONFIG,
                         "the host does not tell the configuration");
  return rebuild.text;
}

GBytes *
vsphere_get_config (VsphereHost *host, const char *id, gint64 snapshot,
                    const VixOp *op, GError **error)
{
  g_autoptr (VixVmRecord) record
    = vsphere_lookup_vm (host, id, op->cancellable, error);
  g_autofree char *ref = NULL;
  g_autofree char *path = NULL;
  g_autofree char *datacenter = NULL;
  g_autofree char *directory = NULL;
  SoapRef object = { "VirtualMachine", id };
  const VsphereVm *vm;
  GBytes *text = NULL;

  if (record == NULL || !vsphere_watch_check_here (host->watch, error))
    return NULL;
  if (snapshot != 0) {
    ref = vsphere_lookup_snapshot (host, id, snapshot, op->cancellable, error);
    if (ref == NULL)
      return NULL;
    object = (SoapRef){ "VirtualMachineSnapshot", ref };
  }
  vix_lock (&host->lock);
  vm = vsphere_mirror_get_vm (host->mirror, id);
  if (vm != NULL) {
    const char *slash;

    path = g_strdup (vsphere_vm_get_wire_path (vm));
    slash = strrchr (path, '/');
    directory = slash == NULL ? NULL : g_strndup (path, slash + 1 - path);
    datacenter = vsphere_vm_dup_datacenter_path (vm);
  }
  vix_unlock (&host->lock);
  if (snapshot == 0 && path != NULL)
    text = vsphere_datastore_read_all (
      host, datacenter, path, KV_FILE_MAX_BYTES, op->cancellable, NULL);
  /* A role may look at virtual machines and not at datastores. */
  return text != NULL
           ? text
           : rebuild_config (host, &object, directory == NULL ? "" : directory,
                             op->cancellable, error);
}

gboolean
vsphere_measure_config (VsphereHost *host, const char *id, gint64 snapshot,
                        gsize *ret_bytes, const VixOp *op, GError **error)
{
  VsphereKnown known;

  if (!vsphere_need_known (host, id, snapshot, &known, op->cancellable, error))
    return FALSE;
  *ret_bytes = known.config_bytes;
  vsphere_disks_unref (known.disks);
  return TRUE;
}
