/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A .vmx or .vmsd: what is read of it is sound, and an edit says what it
 * should, whatever else the file holds. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "workstation/vmsd.h"
#include "workstation/vmx.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

static KvFile *
parse_again (GBytes *bytes)
{
  gsize len;
  const char *text = g_bytes_get_data (bytes, &len);

  return kv_file_parse (text, len, "again", NULL);
}

static void
check_edit (const KvFile *kv)
{
  static const char name[] = "vixfs.fuzz", value[] = "a \"|\" #value";
  g_autoptr (KvFile) edited = kv_file_copy (kv);
  g_autoptr (KvFile) again = NULL;
  g_autoptr (GBytes) bytes = NULL;

  if (!kv_file_set (edited, name, value, NULL))
    return;
  bytes = kv_file_to_bytes (edited);
  /* It may have grown beyond what is accepted. */
  if (g_bytes_get_size (bytes) > KV_FILE_MAX_BYTES)
    return;
  again = parse_again (bytes);
  g_assert (again != NULL);
  g_assert (g_strcmp0 (kv_file_get (again, name), value) == 0);
}

static void
check_vmx (KvFile *kv)
{
  g_autoptr (GPtrArray) disks = ws_vmx_list_disks (kv);

  for (guint i = 0; i < disks->len; i++) {
    const WsVmxDisk *disk = disks->pdata[i];

    g_assert (ws_vmx_find_disk (disks, disk->node) != NULL);
    g_assert (disk->file_name != NULL && disk->mode != NULL);
  }
  if (ws_vmx_check_native (kv, "input", NULL))
    g_assert (!ws_vmx_is_encrypted (kv) && !ws_vmx_is_template (kv));
}

/* Ids rise, parents come first: so no chain of them has a cycle. */
static void
check_model (const WsVmsd *vmsd)
{
  gint64 current = ws_vmsd_get_current (vmsd);
  gint64 last = 0;

  for (gsize i = 0; i < ws_vmsd_get_count (vmsd); i++) {
    const WsSnapshot *snapshot = ws_vmsd_get_nth (vmsd, i);
    gsize depth = 0;

    g_assert (snapshot->uid > last);
    last = snapshot->uid;
    for (const WsSnapshot *s = snapshot; s->parent != 0; depth++) {
      s = ws_vmsd_find (vmsd, s->parent);
      g_assert (s != NULL && depth < ws_vmsd_get_count (vmsd));
    }
    g_assert (g_utf8_validate (snapshot->name, -1, NULL));
    g_assert (g_utf8_validate (snapshot->description, -1, NULL));
  }
  g_assert (current == 0 || ws_vmsd_find (vmsd, current) != NULL);
}

static void
check_change (WsVmsd *vmsd)
{
  const WsSnapshotNew fresh = { .name = "new",
                                .description = "",
                                .state_file = "new.vmsn",
                                .parent = ws_vmsd_get_current (vmsd) };
  gsize count = ws_vmsd_get_count (vmsd);
  g_autoptr (WsVmsd) again = NULL;
  g_autoptr (GBytes) bytes = NULL;
  KvFile *kv;
  gint64 uid;

  if (!ws_vmsd_check_writable (vmsd, NULL)
      || !ws_vmsd_add (vmsd, &fresh, &uid, NULL))
    return;
  bytes = ws_vmsd_to_bytes (vmsd);
  if (g_bytes_get_size (bytes) > KV_FILE_MAX_BYTES)
    return;
  kv = parse_again (bytes);
  g_assert (kv != NULL);
  again = ws_vmsd_new (kv, "again");
  check_model (again);
  g_assert (ws_vmsd_check_writable (again, NULL));
  g_assert (ws_vmsd_get_count (again) == count + 1);
  g_assert (ws_vmsd_get_current (again) == uid);
  g_assert (ws_vmsd_remove (again, uid, NULL));
  g_assert (ws_vmsd_get_count (again) == count);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  g_autoptr (KvFile) kv
    = kv_file_parse ((const char *)data, size, "input", NULL);
  g_autoptr (WsVmsd) vmsd = NULL;
  g_autoptr (GBytes) bytes = NULL;

  if (kv == NULL)
    return 0;
  bytes = kv_file_to_bytes (kv);
  g_assert (g_bytes_get_size (bytes) == size);
  g_assert (size == 0
            || memcmp (g_bytes_get_data (bytes, NULL), data, size) == 0);
  check_edit (kv);
  check_vmx (kv);
  vmsd = ws_vmsd_new (g_steal_pointer (&kv), "input");
  check_model (vmsd);
  check_change (vmsd);
  return 0;
}
