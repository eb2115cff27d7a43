/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the provider knows without a host: addresses, names, versions, errors.
 */
#include <string.h>

#include "base/error.h"
#include "vsphere/address.h"
#include "vsphere/error.h"
#include "vsphere/name.h"
#include "vsphere/provider.h"
#include "vsphere/session.h"
#include "vsphere/soap/fault.h"

/* ---- addresses ---- */

static void
test_addresses (void)
{
  static const struct {
    const char *text;
    const char *base_url;
    const char *host;
    const char *user;
  } good[] = {
    { "esx1", "https://esx1:443", "esx1", NULL },
    { "esx1:8333", "https://esx1:8333", "esx1:8333", NULL },
    { "https://esx1", "https://esx1:443", "esx1", NULL },
    { "https://esx1/sdk", "https://esx1:443", "esx1", NULL },
    { "HTTPS://esx1:443/sdk/", "https://esx1:443", "esx1", NULL },
    { "https://root@esx1/sdk", "https://esx1:443", "esx1", "root" },
    { "https://administrator@vsphere.local@vc", "https://vc:443", "vc",
      "administrator@vsphere.local" },
    { "https://DOM%5Cann@vc", "https://vc:443", "vc", "DOM\\ann" },
    { "http://127.0.0.1:8222/sdk", "http://127.0.0.1:8222", "127.0.0.1:8222",
      NULL },
    { "http://h", "http://h:80", "h", NULL },
    { "[::1]", "https://[::1]:443", "[::1]", NULL },
    { "https://[fe80::1]:8443/sdk", "https://[fe80::1]:8443", "[fe80::1]:8443",
      NULL },
    { "h\303\266st", "https://h\303\266st:443", "h\303\266st", NULL },
  };
  static const char *const bad[] = { "",
                                     "https://",
                                     "ftp://h",
                                     "h:0",
                                     "h:65536",
                                     "h:x",
                                     "h:",
                                     "h/other",
                                     "https://h/sdk?x=1",
                                     "https://h/sdk#x",
                                     "a b",
                                     "https://u:p@h",
                                     "https://@h",
                                     "[::1",
                                     "[]",
                                     "[x]",
                                     "https://[::1]x",
                                     "h:443:1",
                                     "https:///sdk",
                                     "a\nb" };

  for (gsize i = 0; i < G_N_ELEMENTS (good); i++) {
    g_auto (VsphereAddress) address = { NULL };
    g_autoptr (GError) error = NULL;

    g_assert_true (vsphere_address_parse (good[i].text, &address, &error));
    g_assert_cmpstr (address.base_url, ==, good[i].base_url);
    g_assert_cmpstr (address.host, ==, good[i].host);
    g_assert_cmpstr (address.user, ==, good[i].user);
  }
  for (gsize i = 0; i < G_N_ELEMENTS (bad); i++) {
    g_auto (VsphereAddress) address = { NULL };
    g_autoptr (GError) error = NULL;

    g_test_message ("\"%s\"", bad[i]);
    g_assert_false (vsphere_address_parse (bad[i], &address, &error));
    g_assert_error (error, VIX_ERROR, VIX_E_INVALID_HOSTNAME_SPECIFICATION);
    g_assert_null (address.base_url);
  }
}

/* What is wrong is told without a password, and without asking anybody. */
static void
test_checks (void)
{
  static const struct {
    const char *host;
    const char *thumbprint;
    gboolean insecure;
    int code; /* VIX_OK: a host may be like that */
  } cases[] = {
    { "https://h/sdk", NULL, FALSE, VIX_OK },
    { "h", "", FALSE, VIX_OK },
    { "h", "da39a3ee5e6b4b0d3255bfef95601890afd80709", FALSE, VIX_OK },
    { "http://h", NULL, TRUE, VIX_OK },
    { NULL, NULL, FALSE, VIX_E_INVALID_HOSTNAME_SPECIFICATION },
    { "", NULL, FALSE, VIX_E_INVALID_HOSTNAME_SPECIFICATION },
    { "h:65536", NULL, FALSE, VIX_E_INVALID_HOSTNAME_SPECIFICATION },
    { "h", "AA:BB", FALSE, VIX_E_INVALID_ARG },
    { "h", "AA:BB", TRUE, VIX_E_INVALID_ARG },
    { "http://h", NULL, FALSE, VIX_E_NET_HTTP_SSL_SECURITY },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++) {
    const VixConnectParams params = { .host_name = cases[i].host,
                                      .thumbprint = cases[i].thumbprint,
                                      .verify_ssl = !cases[i].insecure };
    g_autoptr (GError) error = NULL;
    gboolean ok = vsphere_provider_ops.check (&params, &error);

    g_assert_cmpint (ok, ==, cases[i].code == VIX_OK);
    if (!ok)
      g_assert_error (error, VIX_ERROR, cases[i].code);
  }
}

/* ---- names ---- */

static void
test_names (void)
{
  static const struct {
    const char *plain;
    const char *wire;
  } pairs[] = {
    { "", "" },
    { "plain", "plain" },
    { "a/b\\c%d", "a%2fb%5cc%25d" },
    { "%2f", "%252f" },
    { "100%", "100%25" },
    { "VM Snapshot 8/23/2023, 8:38:26 AM",
      "VM Snapshot 8%2f23%2f2023, 8:38:26 AM" },
  };
  static const struct {
    const char *wire;
    const char *plain;
  } decoded[] = {
    { "a%2Fb%5Cc", "a/b\\c" }, /* capitals */
    { "%252f", "%2f" },        /* once */
    { "%41%20%zz%", "%41%20%zz%" },
    { "%2", "%2" },
    { "%%2f", "%/" },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (pairs); i++) {
    g_autofree char *wire = vsphere_name_encode (pairs[i].plain);
    g_autofree char *plain = vsphere_name_decode (pairs[i].wire);

    g_assert_cmpstr (wire, ==, pairs[i].wire);
    g_assert_cmpstr (plain, ==, pairs[i].plain);
  }
  for (gsize i = 0; i < G_N_ELEMENTS (decoded); i++) {
    g_autofree char *plain = vsphere_name_decode (decoded[i].wire);

    g_assert_cmpstr (plain, ==, decoded[i].plain);
  }
}

static void
test_any_name_comes_back (void)
{
  static const char alphabet[] = "%25fFcC/\\ aé2";
  GRand *rand = g_rand_new_with_seed (7);

  for (int round = 0; round < 20000; round++) {
    char name[12];
    int n = g_rand_int_range (rand, 0, sizeof name);

    for (int i = 0; i < n; i++)
      name[i] = alphabet[g_rand_int_range (rand, 0, sizeof alphabet - 1)];
    name[n] = '\0';
    {
      g_autofree char *wire = vsphere_name_encode (name);
      g_autofree char *back = vsphere_name_decode (wire);

      g_assert_cmpstr (back, ==, name);
      g_assert_null (strpbrk (wire, "/\\"));
    }
  }
  g_rand_free (rand);
}

/* ---- versions ---- */

#define VERSIONS(version, prior)                                               \
  "<namespaces version=\"1.0\"><namespace><name>urn:sms</name>"                \
  "<version>9.0.0.0</version></namespace><namespace><name>urn:vim25</name>"    \
  "<version>" version "</version><priorVersions>" prior                        \
  "</priorVersions></namespace></namespaces>"

static void
test_versions (void)
{
  static const struct {
    const char *xml;
    const char *version;
  } cases[] = {
    { VERSIONS ("6.5", "<version>6.0</version><version>5.5</version>"), "6.5" },
    { VERSIONS ("12.0.0.0", "<version>8.0.3.0</version>"
                            "<version>7.0</version>"),
      "8.0.3.0" },
    { VERSIONS ("2.5", ""), "2.5" },
    { VERSIONS ("2.0", ""), NULL },
    { "<html/>", NULL },
    { "", NULL },
  };
  static const struct {
    const char *a, *b;
    int order;
  } pairs[] = {
    { "8.0.3.0", "8.0.3", 0 }, { "6.7.1", "6.7", 1 },  { "4.1", "4.0", 1 },
    { "10.0", "9.0", 1 },      { "6.5", "6.7.3", -1 }, { "2.5", "2.5", 0 },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++)
    g_assert_cmpstr (
      vsphere_version_choose (cases[i].xml, strlen (cases[i].xml)), ==,
      cases[i].version);
  for (gsize i = 0; i < G_N_ELEMENTS (pairs); i++) {
    g_assert_cmpint (vsphere_version_compare (pairs[i].a, pairs[i].b), ==,
                     pairs[i].order);
    g_assert_cmpint (vsphere_version_compare (pairs[i].b, pairs[i].a), ==,
                     -pairs[i].order);
  }
}

/* ---- errors ---- */

static GError *
fault_error (const char *type, const char *fields)
{
  g_autofree char *xml = g_strdup_printf (
    "<Fault xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\">"
    "<faultstring>The host's words.</faultstring><detail>"
    "<XFault xsi:type=\"%s\">%s</XFault></detail></Fault>",
    type, fields);
  g_autoptr (SoapArena) arena = soap_arena_new (1 << 20);
  g_autoptr (GError) error = NULL;
  const SoapNode *node = soap_decode_plain (xml, strlen (xml), arena, &error);
  g_autoptr (SoapFault) fault = NULL;
  GError *made = NULL;

  g_assert_no_error (error);
  fault = soap_fault_new (node);
  soap_set_error_fault (&made, fault);
  return made;
}

static const struct {
  const char *fault;
  const char *fields;
  int code;
  const char *says;
} faults[] = {
  { "NotAuthenticated", "", VIX_E_AUTHENTICATION_FAIL, NULL },
  { "InvalidLogin", "", VIX_E_AUTHENTICATION_FAIL, "accounts lock" },
  { "PasswordExpired", "", VIX_E_AUTHENTICATION_FAIL, NULL },
  { "NoPermission",
    "<object type=\"VirtualMachine\">vm-1</object>"
    "<privilegeId>VirtualMachine.State.CreateSnapshot</privilegeId>",
    VIX_E_HOST_USER_PERMISSIONS,
    "lacks the privilege VirtualMachine.State.CreateSnapshot on vm-1" },
  { "RestrictedVersion", "", VIX_E_LICENSE, "licence" },
  { "NotEnoughLicenses", "", VIX_E_LICENSE, NULL },
  { "LicenseRestricted", "", VIX_E_LICENSE, NULL },
  { "ManagedObjectNotFound", "<obj type=\"VirtualMachine\">vm-1</obj>",
    VIX_E_VM_NOT_FOUND, NULL },
  { "ManagedObjectNotFound", "<obj type=\"VirtualMachineSnapshot\">s</obj>",
    VIX_E_SNAPSHOT_NOTFOUND, NULL },
  { "ManagedObjectNotFound", "<obj type=\"Task\">t</obj>",
    VIX_E_OBJECT_NOT_FOUND, NULL },
  { "NotFound", "", VIX_E_SNAPSHOT_NOTFOUND, NULL },
  { "TaskInProgress", "<task type=\"Task\">task-9</task>", VIX_E_OBJECT_IS_BUSY,
    "task-9" },
  { "VAppTaskInProgress", "", VIX_E_OBJECT_IS_BUSY, NULL },
  { "ConcurrentAccess", "", VIX_E_OBJECT_IS_BUSY, NULL },
  { "ResourceInUse", "", VIX_E_OBJECT_IS_BUSY, NULL },
  { "InvalidPowerState", "<existingState>poweredOn</existingState>",
    VIX_E_VM_IS_RUNNING, NULL },
  { "InvalidPowerState", "<existingState>suspended</existingState>",
    VIX_E_VM_NOT_RUNNING, "suspended" },
  { "InvalidState", "", VIX_E_OBJECT_IS_BUSY, NULL },
  { "InvalidHostState", "", VIX_E_OBJECT_IS_BUSY, NULL },
  { "InvalidName", "<name>a</name>", VIX_E_INVALID_ARG, NULL },
  { "InvalidName",
    "<name>aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
    "aaaaaaaaaaaaa</name>",
    VIX_E_SNAPSHOT_NAMETOOLONG, NULL },
  { "DuplicateName", "", VIX_E_DUPLICATE_NAME, NULL },
  { "TooManySnapshotLevels", "", VIX_E_SNAPSHOT_HIERARCHY_TOODEEP, NULL },
  { "MultipleSnapshotsNotSupported", "", VIX_E_SNAPSHOT_MAXSNAPSHOTS, NULL },
  { "SnapshotNoChange", "", VIX_E_SNAPSHOT_NOCHANGE, NULL },
  { "SnapshotLocked", "", VIX_E_SNAPSHOT_LOCKED, NULL },
  { "SnapshotDisabled", "", VIX_E_NOT_SUPPORTED, NULL },
  { "SnapshotIncompatibleDeviceInVm", "", VIX_E_NOT_SUPPORTED, NULL },
  { "MemorySnapshotOnIndependentDisk", "",
    VIX_E_SNAPSHOT_MEMORY_ON_INDEPENDENT_DISK, NULL },
  { "ApplicationQuiesceFault", "", VIX_E_GUEST_VOLUMES_NOT_FROZEN, NULL },
  { "FilesystemQuiesceFault", "", VIX_E_GUEST_VOLUMES_NOT_FROZEN, NULL },
  { "InvalidSnapshotFormat", "", VIX_E_SNAPSHOT_CONFIG, NULL },
  { "SnapshotFault", "", VIX_E_SNAPSHOT_CHECKPOINT, NULL },
  { "NoDiskSpace", "<file>[d] f</file><datastore>ds9</datastore>",
    VIX_E_DISK_FULL, "datastore ds9 is full" },
  { "FileLocked", "<file>[d] f</file>", VIX_E_FILE_ALREADY_LOCKED, "[d] f" },
  { "FileNotFound", "", VIX_E_FILE_NOT_FOUND, NULL },
  { "FileAlreadyExists", "", VIX_E_FILE_ALREADY_EXISTS, NULL },
  { "CannotAccessFile", "", VIX_E_FILE_ACCESS_ERROR, NULL },
  { "FileNotWritable", "", VIX_E_FILE_READ_ONLY, NULL },
  { "FileTooLarge", "", VIX_E_FILE_TOO_BIG, NULL },
  { "FileFault", "<file>[d] f</file>", VIX_E_FILE_ERROR, "[d] f" },
  { "InaccessibleDatastore", "", VIX_E_FILE_ERROR, NULL },
  { "InvalidDatastore", "", VIX_E_FILE_ERROR, NULL },
  { "VmConfigFault", "", VIX_E_CANNOT_READ_VM_CONFIG, NULL },
  { "GenericVmConfigFault", "<reason>bad disk</reason>",
    VIX_E_CANNOT_READ_VM_CONFIG, "bad disk" },
  { "InsufficientResourcesFault", "", VIX_E_VM_INSUFFICIENT_HOST_MEMORY, NULL },
  { "InsufficientMemoryResourcesFault", "", VIX_E_VM_INSUFFICIENT_HOST_MEMORY,
    NULL },
  { "NotSupported", "", VIX_E_NOT_SUPPORTED, NULL },
  { "NotImplemented", "", VIX_E_NOT_SUPPORTED, NULL },
  { "MethodNotFound", "", VIX_E_NOT_SUPPORTED, NULL },
  { "MethodDisabled", "", VIX_E_NOT_SUPPORTED, NULL },
  { "ToolsUnavailable", "", VIX_E_TOOLS_NOT_RUNNING, NULL },
  { "InvalidArgument", "<invalidProperty>name</invalidProperty>",
    VIX_E_INVALID_ARG, "name" },
  { "InvalidProperty", "", VIX_E_INVALID_ARG, NULL },
  { "InvalidRequest", "", VIX_E_INVALID_ARG, NULL },
  { "InvalidType", "", VIX_E_INVALID_ARG, NULL },
  { "HostNotConnected", "", VIX_E_VM_HOST_DISCONNECTED, NULL },
  { "HostCommunication", "", VIX_E_VM_HOST_DISCONNECTED, NULL },
  { "HostConnectFault", "", VIX_E_VM_HOST_DISCONNECTED, NULL },
  { "HostNotReachable", "", VIX_E_VM_HOST_DISCONNECTED, NULL },
  { "Timedout", "", VIX_E_NET_HTTP_OPERATION_TIMEDOUT, NULL },
  { "RequestCanceled", "", VIX_E_CANCELLED, NULL },
  { "SystemError", "<reason>vpxd</reason>", VIX_E_FAIL, "vpxd" },
  { "RuntimeFault", "", VIX_E_FAIL, NULL },
  { "NeverHeardOf", "", VIX_E_FAIL, NULL },
};

static void
test_faults (void)
{
  for (gsize i = 0; i < G_N_ELEMENTS (faults); i++) {
    GError *error = fault_error (faults[i].fault, faults[i].fields);

    g_prefix_error (&error, "CreateSnapshot_Task: ");
    vsphere_error_convert (&error);
    g_test_message ("%s", error->message);
    g_assert_error (error, VIX_ERROR, faults[i].code);
    g_assert_true (g_str_has_prefix (error->message, "CreateSnapshot_Task: "));
    g_assert_nonnull (strstr (error->message, "The host's words"));
    if (faults[i].says != NULL)
      g_assert_nonnull (strstr (error->message, faults[i].says));
    g_clear_error (&error);
  }
}

static void
test_below_soap (void)
{
  static const struct {
    int soap;
    int code;
  } rows[] = {
    { SOAP_ERROR_URL, VIX_E_INVALID_HOSTNAME_SPECIFICATION },
    { SOAP_ERROR_CANCELLED, VIX_E_CANCELLED },
    { SOAP_ERROR_RESOLVE, VIX_E_NET_HTTP_COULDNT_RESOLVE_HOST },
    { SOAP_ERROR_CONNECT, VIX_E_NET_HTTP_COULDNT_CONNECT },
    { SOAP_ERROR_CONNECT_TIMEOUT, VIX_E_NET_HTTP_COULDNT_CONNECT },
    { SOAP_ERROR_TLS, VIX_E_NET_HTTP_SSL_SECURITY },
    { SOAP_ERROR_TRUST, VIX_E_NET_HTTP_SSL_SECURITY },
    { SOAP_ERROR_LOST, VIX_E_HOST_CONNECTION_LOST },
    { SOAP_ERROR_TIMEOUT, VIX_E_NET_HTTP_OPERATION_TIMEDOUT },
    { SOAP_ERROR_STATUS, VIX_E_NET_HTTP_HTTP_RETURNED_ERROR },
    { SOAP_ERROR_MALFORMED, VIX_E_INVALID_XML },
    { SOAP_ERROR_TOO_BIG, VIX_E_INVALID_XML },
    { SOAP_ERROR_ARGUMENT, VIX_E_INVALID_ARG },
    { 4711, VIX_E_FAIL },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++) {
    GError *error = g_error_new_literal (SOAP_ERROR, rows[i].soap, "why");

    vsphere_error_convert (&error);
    g_assert_error (error, VIX_ERROR, rows[i].code);
    g_assert_cmpstr (error->message, ==, "why");
    g_clear_error (&error);
  }
}

static void
test_other_domains_stay (void)
{
  GError *error = g_error_new_literal (VIX_ERROR, VIX_E_CANCELLED, "x");

  vsphere_error_convert (&error);
  g_assert_error (error, VIX_ERROR, VIX_E_CANCELLED);
  g_clear_error (&error);
  vsphere_error_convert (&error);
  vsphere_error_convert (NULL);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/vsphere/address/spellings", test_addresses);
  g_test_add_func ("/vsphere/address/checks", test_checks);
  g_test_add_func ("/vsphere/name/pairs", test_names);
  g_test_add_func ("/vsphere/name/any-comes-back", test_any_name_comes_back);
  g_test_add_func ("/vsphere/version/choice", test_versions);
  g_test_add_func ("/vsphere/error/every-fault", test_faults);
  g_test_add_func ("/vsphere/error/below-soap", test_below_soap);
  g_test_add_func ("/vsphere/error/other-domains-stay",
                   test_other_domains_stay);
  return g_test_run ();
}
