/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <glib.h>

#include "errno-map.h"

typedef struct {
  const char *what;
  int number;
  int codes[24]; /* ends with 0 */
} Group;

/* As the contract says it: one row a clause. */
static const Group groups[] = {
  { "not found",
    ENOENT,
    { VIX_E_FILE_NOT_FOUND, VIX_E_OBJECT_NOT_FOUND, VIX_E_NOT_FOUND,
      VIX_E_VM_NOT_FOUND, VIX_E_SNAPSHOT_NOTFOUND } },
  { "exists",
    EEXIST,
    { VIX_E_FILE_ALREADY_EXISTS, VIX_E_ALREADY_EXISTS, VIX_E_DUPLICATE_NAME,
      VIX_E_SNAPSHOT_EXISTS } },
  { "busy",
    EBUSY,
    { VIX_E_OBJECT_IS_BUSY, VIX_E_FILE_ALREADY_LOCKED,
      VIX_E_OPERATION_ALREADY_IN_PROGRESS, VIX_E_SNAPSHOT_LOCKED,
      VIX_E_SNAPSHOT_DISKLOCKED } },
  { "wrong-power-state",
    EBUSY,
    { VIX_E_VM_IS_RUNNING, VIX_E_VM_NOT_RUNNING, VIX_E_SNAPSHOT_NOCHANGE } },
  { "not-supported",
    EOPNOTSUPP,
    { VIX_E_NOT_SUPPORTED, VIX_E_NOT_SUPPORTED_ON_REMOTE_OBJECT,
      VIX_E_NOT_SUPPORTED_ON_HANDLE_TYPE, VIX_E_NOT_SUPPORTED_FOR_VM_VERSION,
      VIX_E_OP_NOT_SUPPORTED_ON_GUEST, VIX_E_NOT_FOR_REMOTE_HOST,
      VIX_E_INCORRECT_FILE_TYPE, VIX_E_SNAPSHOT_VERSION,
      VIX_E_SNAPSHOT_INDEPENDENTDISK, VIX_E_SNAPSHOT_MEMORY_ON_INDEPENDENT_DISK,
      VIX_E_SNAPSHOT_NOT_REVERTABLE, VIX_E_DISK_NOTSUPPORTED,
      VIX_E_DISK_UNSUPPORTEDDISKVERSION, VIX_E_DISK_UNSUPPORTEDDEVICE } },
  { "no-permission",
    EACCES,
    { VIX_E_FILE_ACCESS_ERROR, VIX_E_HOST_USER_PERMISSIONS,
      VIX_E_AUTHENTICATION_FAIL, VIX_E_SNAPSHOT_NOPERM, VIX_E_NEED_KEY,
      VIX_E_DISK_NEEDKEY, VIX_E_CRYPTO_NEED_PASSWORD, VIX_E_CRYPTO_BAD_PASSWORD,
      VIX_E_NET_HTTP_SSL_SECURITY } },
  { "licence-or-forbidden",
    EPERM,
    { VIX_E_LICENSE, VIX_E_DISK_NOLICENSE, VIX_E_TEMPLATE_VM,
      VIX_E_OPERATION_DISABLED } },
  { "read-only", EROFS, { VIX_E_FILE_READ_ONLY } },
  { "disk-full", ENOSPC, { VIX_E_DISK_FULL, VIX_E_SNAPSHOT_MIN_FREE_SPACE } },
  { "too-many-snapshots",
    EMLINK,
    { VIX_E_SNAPSHOT_MAXSNAPSHOTS, VIX_E_SNAPSHOT_HIERARCHY_TOODEEP,
      VIX_E_DISK_TOOMANYREDO } },
  { "name-too-long",
    ENAMETOOLONG,
    { VIX_E_SNAPSHOT_NAMETOOLONG, VIX_E_FILE_NAME_TOO_LONG } },
  { "bad-argument",
    EINVAL,
    { VIX_E_INVALID_ARG, VIX_E_ARGUMENT_TOO_BIG, VIX_E_FILE_NAME_INVALID,
      VIX_E_SNAPSHOT_INVAL } },
  { "bad-text", EILSEQ, { VIX_E_INVALID_UTF8_STRING } },
  { "cancelled", EINTR, { VIX_E_CANCELLED } },
  { "unreachable",
    EHOSTDOWN,
    { VIX_E_HOST_NOT_CONNECTED, VIX_E_VM_HOST_DISCONNECTED,
      VIX_E_HOST_CONNECTION_LOST, VIX_E_CANNOT_CONNECT_TO_HOST,
      VIX_E_HOST_SERVER_NOT_FOUND, VIX_E_HOST_NETWORK_CONN_REFUSED,
      VIX_E_HOST_TCP_SOCKET_ERROR, VIX_E_HOST_TCP_CONN_LOST,
      VIX_E_HOST_SERVER_SHUTDOWN, VIX_E_HOST_SERVER_NOT_AVAILABLE,
      VIX_E_NET_HTTP_COULDNT_RESOLVE_PROXY, VIX_E_NET_HTTP_COULDNT_RESOLVE_HOST,
      VIX_E_NET_HTTP_COULDNT_CONNECT } },
  { "timed-out",
    ETIMEDOUT,
    { VIX_E_NET_HTTP_OPERATION_TIMEDOUT, VIX_E_TIMEOUT_WAITING_FOR_TOOLS } },
  { "corrupt",
    EUCLEAN,
    { VIX_E_INVALID_SERIALIZED_DATA, VIX_E_INVALID_XML,
      VIX_E_CANNOT_READ_VM_CONFIG, VIX_E_SNAPSHOT_CONFIG,
      VIX_E_SNAPSHOT_CHECKPOINT, VIX_E_SNAPSHOT_INCONSISTENT,
      VIX_E_SNAPSHOT_DUPLICATEDDISK, VIX_E_HOST_FILE_ERROR_EOF,
      VIX_E_DISK_PARTIALCHAIN, VIX_E_DISK_NEEDSREPAIR, VIX_E_DISK_CID_MISMATCH,
      VIX_E_DISK_PARTMISMATCH, VIX_E_DISK_OPENPARENT,
      VIX_E_DISK_INVALIDPARTITIONTABLE, VIX_E_DISK_INVALIDCHAIN,
      VIX_E_DISK_CANTREPAIR, VIX_E_DISK_INVALIDDISK,
      VIX_E_DISK_CAPACITY_MISMATCH, VIX_E_CRYPTO_BAD_FORMAT } },
  { "others",
    EIO,
    { VIX_E_FAIL, VIX_E_FILE_ERROR, VIX_E_VMDB, VIX_E_INVALID_HANDLE,
      VIX_E_DISK_NOIO, VIX_E_SNAPSHOT_DUMPER } },
};

static void
test_group (gconstpointer data)
{
  const Group *group = data;
  const int *code;

  for (code = group->codes; *code != 0; code++)
    g_assert_cmpint (fs_errno_from_vix ((VixError)*code), ==, group->number);
}

static void
test_other_numbers (void)
{
  g_assert_cmpint (fs_errno_from_vix (VIX_OK), ==, 0);
  g_assert_cmpint (fs_errno_from_vix (65535), ==, EIO);
  /* What is above the low 16 bits tells more, not something else. */
  g_assert_cmpint (fs_errno_from_vix ((VixError)7 << 32 | VIX_E_DISK_FULL), ==,
                   ENOSPC);
  g_assert_cmpint (fs_errno_from_vix (VIX_E_NOT_A_DIRECTORY), ==, ENOTDIR);
  g_assert_cmpint (fs_errno_from_vix (VIX_E_OUT_OF_MEMORY), ==, ENOMEM);
  g_assert_cmpint (fs_errno_from_vix (VIX_E_FILE_TOO_BIG), ==, EFBIG);
}

static void
test_names (void)
{
  g_assert_cmpstr (fs_errno_name (EBUSY), ==, "EBUSY");
  g_assert_cmpstr (fs_errno_name (EUCLEAN), ==, "EUCLEAN");
  g_assert_cmpstr (fs_errno_name (123456), ==, "EIO");
}

int
main (int argc, char **argv)
{
  gsize i;

  g_test_init (&argc, &argv, NULL);
  for (i = 0; i < G_N_ELEMENTS (groups); i++) {
    g_autofree char *path = g_strdup_printf ("/errno-map/%s", groups[i].what);

    g_test_add_data_func (path, &groups[i], test_group);
  }
  g_test_add_func ("/errno-map/other-numbers", test_other_numbers);
  g_test_add_func ("/errno-map/names", test_names);
  return g_test_run ();
}
