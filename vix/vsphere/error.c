/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vsphere/error.h"

#include <string.h>

#include "base/error.h"
#include "vsphere/soap/fault.h"

/* Only the concrete type of a fault is on the wire, never its ancestors: a
 * child that has no row of its own must stand here by name. */
static const struct {
  const char *fault;
  int code;
  const char *remedy; /* appended to the host's words; NULL: nothing to add */
} faults[] = {
  { "NotAuthenticated", VIX_E_AUTHENTICATION_FAIL, NULL },
  { "InvalidLogin", VIX_E_AUTHENTICATION_FAIL,
    "check user and password; it is not tried again, since accounts lock" },
  { "PasswordExpired", VIX_E_AUTHENTICATION_FAIL, NULL },
  { "NoPermission", VIX_E_HOST_USER_PERMISSIONS, NULL },
  { "NoPermissionOnHost", VIX_E_HOST_USER_PERMISSIONS, NULL },
  { "RestrictedVersion", VIX_E_LICENSE,
    "the host's licence does not let programs change anything" },
  { "RestrictedByAdministrator", VIX_E_HOST_USER_PERMISSIONS, NULL },
  { "NotEnoughLicenses", VIX_E_LICENSE, NULL },
  { "LicenseRestricted", VIX_E_LICENSE, NULL },
  { "LicenseExpired", VIX_E_LICENSE, NULL },
  { "InvalidLicense", VIX_E_LICENSE, NULL },
  { "NoLicenseServerConfigured", VIX_E_LICENSE, NULL },
  { "LicenseServerUnavailable", VIX_E_LICENSE, NULL },
  { "InvalidEdition", VIX_E_LICENSE, NULL },
  { "ExpiredFeatureLicense", VIX_E_LICENSE, NULL },
  { "ExpiredEditionLicense", VIX_E_LICENSE, NULL },
  { "ManagedObjectNotFound", VIX_E_OBJECT_NOT_FOUND, NULL }, /* by its type */
  { "NotFound", VIX_E_SNAPSHOT_NOTFOUND, NULL },
  { "TaskInProgress", VIX_E_OBJECT_IS_BUSY,
    "another task is changing this virtual machine" },
  { "VAppTaskInProgress", VIX_E_OBJECT_IS_BUSY, NULL },
  { "ConcurrentAccess", VIX_E_OBJECT_IS_BUSY, NULL },
  { "ResourceInUse", VIX_E_OBJECT_IS_BUSY, NULL },
  { "InvalidPowerState", VIX_E_VM_NOT_RUNNING, NULL }, /* by existingState */
  { "InvalidState", VIX_E_OBJECT_IS_BUSY, NULL },
  { "InvalidHostState", VIX_E_OBJECT_IS_BUSY, NULL },
  { "InvalidHostConnectionState", VIX_E_VM_HOST_DISCONNECTED, NULL },
  { "VAppNotRunning", VIX_E_OBJECT_IS_BUSY, NULL },
  { "VmValidateMaxDevice", VIX_E_CANNOT_READ_VM_CONFIG, NULL },
  { "InvalidName", VIX_E_INVALID_ARG, NULL }, /* by length */
  { "DuplicateName", VIX_E_DUPLICATE_NAME, NULL },
  { "AlreadyExists", VIX_E_ALREADY_EXISTS, NULL },
  { "TooManySnapshotLevels", VIX_E_SNAPSHOT_HIERARCHY_TOODEEP,
    "remove snapshots of this virtual machine first" },
  { "MultipleSnapshotsNotSupported", VIX_E_SNAPSHOT_MAXSNAPSHOTS,
    "this host keeps one snapshot of a virtual machine: remove it first" },
  { "SnapshotNoChange", VIX_E_SNAPSHOT_NOCHANGE, NULL },
  { "SnapshotLocked", VIX_E_SNAPSHOT_LOCKED, NULL },
  { "SnapshotDisabled", VIX_E_NOT_SUPPORTED, NULL },
  { "SnapshotIncompatibleDeviceInVm", VIX_E_NOT_SUPPORTED, NULL },
  { "SnapshotMoveFromNonHomeNotSupported", VIX_E_NOT_SUPPORTED, NULL },
  { "SnapshotMoveNotSupported", VIX_E_NOT_SUPPORTED, NULL },
  { "SnapshotMoveToNonHomeNotSupported", VIX_E_NOT_SUPPORTED, NULL },
  { "SnapshotCopyNotSupported", VIX_E_NOT_SUPPORTED, NULL },
  { "SnapshotCloneNotSupported", VIX_E_NOT_SUPPORTED, NULL },
  { "SnapshotRevertIssue", VIX_E_SNAPSHOT_NOT_REVERTABLE, NULL },
  { "MemorySnapshotOnIndependentDisk",
    VIX_E_SNAPSHOT_MEMORY_ON_INDEPENDENT_DISK,
    "take it without memory, or make the disk dependent" },
  { "ApplicationQuiesceFault", VIX_E_GUEST_VOLUMES_NOT_FROZEN,
    "take it without quiescing, or see VMware Tools in the guest" },
  { "FilesystemQuiesceFault", VIX_E_GUEST_VOLUMES_NOT_FROZEN,
    "take it without quiescing, or see VMware Tools in the guest" },
  { "InvalidSnapshotFormat", VIX_E_SNAPSHOT_CONFIG, NULL },
  { "SnapshotFault", VIX_E_SNAPSHOT_CHECKPOINT, NULL },
  { "NoDiskSpace", VIX_E_DISK_FULL, NULL }, /* names the datastore */
  { "FileLocked", VIX_E_FILE_ALREADY_LOCKED, NULL },
  { "FileNotFound", VIX_E_FILE_NOT_FOUND, NULL },
  { "FileAlreadyExists", VIX_E_FILE_ALREADY_EXISTS, NULL },
  { "CannotAccessFile", VIX_E_FILE_ACCESS_ERROR, NULL },
  { "CannotAccessLocalSource", VIX_E_FILE_ACCESS_ERROR, NULL },
  { "FileNotWritable", VIX_E_FILE_READ_ONLY, NULL },
  { "FileTooLarge", VIX_E_FILE_TOO_BIG, NULL },
  { "FileNameTooLong", VIX_E_FILE_NAME_TOO_LONG, NULL },
  { "CannotCreateFile", VIX_E_FILE_ERROR, NULL },
  { "CannotDeleteFile", VIX_E_FILE_ERROR, NULL },
  { "DirectoryNotEmpty", VIX_E_FILE_ERROR, NULL },
  { "FileFault", VIX_E_FILE_ERROR, NULL },
  { "NetworkCopyFault", VIX_E_FILE_ERROR, NULL },
  { "InaccessibleDatastore", VIX_E_FILE_ERROR, NULL },
  { "InvalidDatastore", VIX_E_FILE_ERROR, NULL },
  { "InvalidDatastorePath", VIX_E_FILE_ERROR, NULL },
  { "DatastoreNotWritableOnHost", VIX_E_FILE_ERROR, NULL },
  { "VmConfigFault", VIX_E_CANNOT_READ_VM_CONFIG, NULL },
  { "GenericVmConfigFault", VIX_E_CANNOT_READ_VM_CONFIG, NULL },
  { "InvalidDeviceSpec", VIX_E_CANNOT_READ_VM_CONFIG, NULL },
  { "InvalidDeviceBacking", VIX_E_CANNOT_READ_VM_CONFIG, NULL },
  { "CannotAccessVmComponent", VIX_E_CANNOT_READ_VM_CONFIG, NULL },
  { "CannotAccessVmConfig", VIX_E_CANNOT_READ_VM_CONFIG, NULL },
  { "CannotAccessVmDisk", VIX_E_CANNOT_READ_VM_CONFIG, NULL },
  { "InvalidFormat", VIX_E_CANNOT_READ_VM_CONFIG, NULL },
  { "InsufficientResourcesFault", VIX_E_VM_INSUFFICIENT_HOST_MEMORY, NULL },
  { "InsufficientMemoryResourcesFault", VIX_E_VM_INSUFFICIENT_HOST_MEMORY,
    NULL },
  { "InsufficientHostMemoryCapacityFault", VIX_E_VM_INSUFFICIENT_HOST_MEMORY,
    NULL },
  { "InsufficientHostCapacityFault", VIX_E_VM_INSUFFICIENT_HOST_MEMORY, NULL },
  { "InsufficientHostCpuCapacityFault", VIX_E_VM_INSUFFICIENT_HOST_MEMORY,
    NULL },
  { "InsufficientPerCpuCapacity", VIX_E_VM_INSUFFICIENT_HOST_MEMORY, NULL },
  { "InsufficientCpuResourcesFault", VIX_E_VM_INSUFFICIENT_HOST_MEMORY, NULL },
  { "InsufficientFailoverResourcesFault", VIX_E_VM_INSUFFICIENT_HOST_MEMORY,
    NULL },
  { "InsufficientStandbyCpuResource", VIX_E_VM_INSUFFICIENT_HOST_MEMORY, NULL },
  { "InsufficientStandbyMemoryResource", VIX_E_VM_INSUFFICIENT_HOST_MEMORY,
    NULL },
  { "InsufficientGraphicsResourcesFault", VIX_E_VM_INSUFFICIENT_HOST_MEMORY,
    NULL },
  { "InsufficientVFlashResourcesFault", VIX_E_VM_INSUFFICIENT_HOST_MEMORY,
    NULL },
  { "NotSupported", VIX_E_NOT_SUPPORTED, NULL },
  { "NotImplemented", VIX_E_NOT_SUPPORTED, NULL },
  { "MethodNotFound", VIX_E_NOT_SUPPORTED, NULL },
  { "MethodDisabled", VIX_E_NOT_SUPPORTED, NULL },
  { "FaultToleranceVmNotDasProtected", VIX_E_NOT_SUPPORTED, NULL },
  { "DisallowedOperationOnFailoverHost", VIX_E_NOT_SUPPORTED, NULL },
  { "ToolsUnavailable", VIX_E_TOOLS_NOT_RUNNING, NULL },
  { "InvalidArgument", VIX_E_INVALID_ARG, NULL },
  { "InvalidProperty", VIX_E_INVALID_ARG, NULL },
  { "InvalidRequest", VIX_E_INVALID_ARG, NULL },
  { "InvalidType", VIX_E_INVALID_ARG, NULL },
  { "HostNotConnected", VIX_E_VM_HOST_DISCONNECTED, NULL },
  { "HostCommunication", VIX_E_VM_HOST_DISCONNECTED, NULL },
  { "HostConnectFault", VIX_E_VM_HOST_DISCONNECTED, NULL },
  { "HostNotReachable", VIX_E_VM_HOST_DISCONNECTED, NULL },
  { "Timedout", VIX_E_NET_HTTP_OPERATION_TIMEDOUT, NULL },
  { "RequestCanceled", VIX_E_CANCELLED, NULL },
  { "SystemError", VIX_E_FAIL, NULL },
  { "RuntimeFault", VIX_E_FAIL, NULL },
};

static const int soap_codes[] = {
  [SOAP_ERROR_URL] = VIX_E_INVALID_HOSTNAME_SPECIFICATION,
  [SOAP_ERROR_CANCELLED] = VIX_E_CANCELLED,
  [SOAP_ERROR_RESOLVE] = VIX_E_NET_HTTP_COULDNT_RESOLVE_HOST,
  [SOAP_ERROR_CONNECT] = VIX_E_NET_HTTP_COULDNT_CONNECT,
  [SOAP_ERROR_CONNECT_TIMEOUT] = VIX_E_NET_HTTP_COULDNT_CONNECT,
  [SOAP_ERROR_TLS] = VIX_E_NET_HTTP_SSL_SECURITY,
  [SOAP_ERROR_TRUST] = VIX_E_NET_HTTP_SSL_SECURITY,
  [SOAP_ERROR_LOST] = VIX_E_HOST_CONNECTION_LOST,
  [SOAP_ERROR_TIMEOUT] = VIX_E_NET_HTTP_OPERATION_TIMEDOUT,
  [SOAP_ERROR_STATUS] = VIX_E_NET_HTTP_HTTP_RETURNED_ERROR,
  [SOAP_ERROR_MALFORMED] = VIX_E_INVALID_XML,
  [SOAP_ERROR_TOO_BIG] = VIX_E_INVALID_XML,
  [SOAP_ERROR_ARGUMENT] = VIX_E_INVALID_ARG,
};

/* ---- faults whose fields decide ---- */

static const char *
field_value (const SoapFault *fault, const char *name)
{
  const SoapFaultField *field = soap_fault_get_field (fault, name);

  return field == NULL ? "" : field->value;
}

static int
code_of_missing_object (const SoapFault *fault)
{
  static const struct {
    const char *type;
    int code;
  } types[] = {
    { "VirtualMachine", VIX_E_VM_NOT_FOUND },
    { "VirtualMachineSnapshot", VIX_E_SNAPSHOT_NOTFOUND },
  };
  const SoapFaultField *object = soap_fault_get_field (fault, "obj");

  for (gsize i = 0; object != NULL && i < G_N_ELEMENTS (types); i++)
    if (g_str_equal (object->type, types[i].type))
      return types[i].code;
  return VIX_E_OBJECT_NOT_FOUND;
}

static int
code_of_power_state (const SoapFault *fault)
{
  return g_str_equal (field_value (fault, "existingState"), "poweredOn")
           ? VIX_E_VM_IS_RUNNING
           : VIX_E_VM_NOT_RUNNING;
}

static int
code_of_name (const SoapFault *fault)
{
  const char *name = field_value (fault, "name");

  return g_utf8_strlen (name, -1) > 80 ? VIX_E_SNAPSHOT_NAMETOOLONG
                                       : VIX_E_INVALID_ARG;
}

static int
code_of_fault (const SoapFault *fault)
{
  const char *type = soap_fault_get_type (fault);

  if (g_str_equal (type, "ManagedObjectNotFound"))
    return code_of_missing_object (fault);
  if (g_str_equal (type, "InvalidPowerState"))
    return code_of_power_state (fault);
  if (g_str_equal (type, "InvalidName"))
    return code_of_name (fault);
  for (gsize i = 0; i < G_N_ELEMENTS (faults); i++)
    if (g_str_equal (faults[i].fault, type))
      return faults[i].code;
  return VIX_E_FAIL;
}

/* ---- what to say ---- */

/* What the fault's fields tell beyond the host's sentence. */
static const struct {
  const char *fault;
  const char *field;
  const char *format;
} details[] = {
  { "NoPermission", "privilegeId",
    "the role of this user lacks the privilege %s" },
  { "NoPermission", "object", "on %s" },
  { "NoDiskSpace", "datastore", "datastore %s is full" },
  { "TaskInProgress", "task", "it is %s" },
  { "InvalidArgument", "invalidProperty", "the argument is %s" },
  { "InvalidProperty", "name", "the property is %s" },
  { "FileLocked", "file", "the file is %s" },
  { "FileNotFound", "file", "the file is %s" },
  { "CannotAccessFile", "file", "the file is %s" },
  { "FileFault", "file", "the file is %s" },
  { "GenericVmConfigFault", "reason", "the reason is: %s" },
  { "SystemError", "reason", "the reason is: %s" },
  { "InvalidPowerState", "existingState", "the virtual machine is %s" },
};

static void
append_details (const SoapFault *fault, GString *text)
{
  const char *type = soap_fault_get_type (fault);
  const char *separator = "; ";

  /* The host's sentence goes on. */
  if (text->len > 0 && text->str[text->len - 1] == '.')
    g_string_truncate (text, text->len - 1);
  for (gsize i = 0; i < G_N_ELEMENTS (details); i++) {
    const char *value = field_value (fault, details[i].field);
    const char *slot = strstr (details[i].format, "%s");

    if (!g_str_equal (details[i].fault, type) || *value == '\0'
        || strstr (text->str, value) != NULL)
      continue;
    g_string_append (text, separator);
    g_string_append_len (text, details[i].format, slot - details[i].format);
    g_string_append (text, value);
    g_string_append (text, slot + 2);
    separator = " ";
  }
  for (gsize i = 0; i < G_N_ELEMENTS (faults); i++)
    if (g_str_equal (faults[i].fault, type) && faults[i].remedy != NULL)
      g_string_append_printf (text, "; %s", faults[i].remedy);
}

int
vsphere_error_code (const GError *error)
{
  const SoapFault *fault = soap_error_get_fault (error);

  if (fault != NULL)
    return code_of_fault (fault);
  if (error->code < 0 || (gsize)error->code >= G_N_ELEMENTS (soap_codes))
    return VIX_E_FAIL;
  return soap_codes[error->code];
}

void
vsphere_error_convert (GError **error)
{
  const SoapFault *fault;
  GString *text;
  GError *converted;

  if (error == NULL || *error == NULL || (*error)->domain != SOAP_ERROR)
    return;
  text = g_string_new ((*error)->message);
  fault = soap_error_get_fault (*error);
  if (fault != NULL)
    append_details (fault, text);
  converted
    = g_error_new_literal (VIX_ERROR, vsphere_error_code (*error), text->str);
  g_string_free (text, TRUE);
  g_clear_error (error);
  *error = converted;
}
