/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "workstation/snapshot-state.h"

#include <string.h>
#include <unistd.h>

#include "base/error.h"

static gboolean
is_plain (const char *name)
{
  return *name != '\0' && strpbrk (name, "/\\") == NULL
         && strcmp (name, ".") != 0 && strcmp (name, "..") != 0;
}

static char *
name_or_default (WsChange *change, const char *name, const char *suffix)
{
  if (name == NULL)
    return ws_vm_dir_name (change->dir, suffix);
  return is_plain (name) ? g_strdup (name) : NULL;
}

char *
ws_nvram_name (WsChange *change, const KvFile *vmx)
{
  return name_or_default (change, ws_vmx_get_nvram (vmx), ".nvram");
}

char *
ws_vmxf_name (WsChange *change, const KvFile *vmx)
{
  return name_or_default (change, ws_vmx_get_vmxf (vmx), ".vmxf");
}

/* Leaves *@ret NULL if there is no such file. */
static gboolean
read_optional (WsChange *change, const char *name, gsize max_bytes,
               GBytes **ret, GError **error)
{
  if (name == NULL || !ws_vm_dir_exists (change->dir, name))
    return TRUE;
  *ret = ws_vm_dir_read_file (change->dir, name, max_bytes, error);
  return *ret != NULL;
}

gboolean
ws_collect_state (WsChange *change, WsSavedState *ret_state, GError **error)
{
  g_autofree char *nvram = ws_nvram_name (change, change->vmx);
  g_autofree char *vmxf = ws_vmxf_name (change, change->vmx);

  ret_state->vmx = kv_file_to_bytes (change->vmx);
  return read_optional (change, nvram, WS_NVRAM_MAX_BYTES, &ret_state->nvram,
                        error)
         && read_optional (change, vmxf, WS_VMXF_MAX_BYTES, &ret_state->vmxf,
                           error);
}

gboolean
ws_load_state (WsChange *change, const WsSnapshot *snapshot,
               WsSavedState *ret_state, GError **error)
{
  g_autofree char *sidecar
    = ws_state_name (change->dir->stem, snapshot->uid, WS_STATE_SIDECAR);
  g_autoptr (GBytes) bytes = NULL;
  gboolean ok;
  int fd;

  if (!read_optional (change, sidecar, WS_SIDECAR_MAX_BYTES, &bytes, error))
    return FALSE;
  if (bytes != NULL)
    return ws_sidecar_parse (bytes, sidecar, ret_state, error);
  if (!is_plain (snapshot->state_file)) {
    g_set_error (error, VIX_ERROR, VIX_E_SNAPSHOT_NOT_REVERTABLE,
                 "%s: snapshot \"%s\" (uid %" G_GINT64_FORMAT
                 ") has no state file in the VM's directory (\"%s\")",
                 change->vmsd_name, snapshot->name, snapshot->uid,
                 snapshot->state_file);
    return FALSE;
  }
  fd = ws_vm_dir_open_file (change->dir, snapshot->state_file, error);
  if (fd < 0) {
    g_prefix_error (error,
                    "the configuration of snapshot \"%s\": ", snapshot->name);
    return FALSE;
  }
  ok = ws_vmsn_read (fd, snapshot->state_file, ret_state, error);
  close (fd);
  return ok;
}

gboolean
ws_plan_drop_state (WsChange *change, Txn *txn, const WsSnapshot *snapshot,
                    GError **error)
{
  const char *own = snapshot->state_file;

  for (guint kind = 0; kind < WS_N_STATE_KINDS; kind++) {
    g_autofree char *name
      = ws_state_name (change->dir->stem, snapshot->uid, (WsStateKind)kind);

    if (ws_vm_dir_exists (change->dir, name)
        && !txn_add_unlink (txn, name, error))
      return FALSE;
    if (strcmp (name, own) == 0)
      own = "";
  }
  /* a vendor's name need not follow the rule */
  if (is_plain (own) && ws_vm_dir_exists (change->dir, own)
      && txn_add_unlink (txn, own, NULL)) {
    const char *dot = strrchr (own, '.');
    g_autofree char *vmem = g_strdup_printf (
      "%.*s.vmem", (int)(dot != NULL ? dot - own : (gssize)strlen (own)), own);

    if (ws_vm_dir_exists (change->dir, vmem))
      return txn_add_unlink (txn, vmem, error);
  }
  return TRUE;
}

void
ws_suspend_files_clear (WsSuspendFiles *files)
{
  g_clear_pointer (&files->vmss, g_free);
  g_clear_pointer (&files->vmem, g_free);
}

gboolean
ws_find_suspend_files (WsChange *change, WsSuspendFiles *ret_files,
                       GError **error)
{
  const char *vmss = ws_vmx_get_state_file (change->vmx);
  g_autofree char *vmem = NULL;
  const char *dot;

  if (vmss == NULL)
    return TRUE;
  if (!is_plain (vmss)) {
    g_set_error (error, VIX_ERROR, VIX_E_SNAPSHOT_CONFIG,
                 "%s: checkpoint.vmState \"%s\" is not in the VM's directory",
                 change->dir->vmx_name, vmss);
    return FALSE;
  }
  dot = strrchr (vmss, '.');
  vmem = g_strdup_printf (
    "%.*s.vmem", (int)(dot != NULL ? dot - vmss : (gssize)strlen (vmss)), vmss);
  ret_files->vmss = g_strdup (vmss);
  if (ws_vm_dir_exists (change->dir, vmem))
    ret_files->vmem = g_steal_pointer (&vmem);
  return TRUE;
}
