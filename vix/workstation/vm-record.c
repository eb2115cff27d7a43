/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "workstation/vm-record.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "core/inventory.h"
#include "workstation/lock-file.h"
#include "workstation/state-file.h"
#include "workstation/vmx.h"

/* What is collected before it is packed; strings live until then. */
typedef struct {
  VixExtVM vm;
  GArray *disks;     /* VixExtDisk */
  GArray *snapshots; /* VixExtSnapshot */
  char *problem;     /* the first one */
} Draft;

static void
note_problem (Draft *draft, const char *text)
{
  if (draft->problem == NULL)
    draft->problem = g_utf8_make_valid (text, -1);
}

/* ---- the .vmx ---- */

static int
get_int (const KvFile *vmx, const char *name, int fallback)
{
  gint64 value;

  return kv_file_get_int (vmx, name, 0, G_MAXINT32, &value) ? (int)value
                                                            : fallback;
}

static void
take_vmx (Draft *draft, const KvFile *vmx, const char *id, GPtrArray *disks)
{
  VixExtVM *vm = &draft->vm;
  guint i;

  vm->displayName = ws_vmx_get_display_name (vmx, vm->displayName);
  vm->guestOS = kv_file_get_default (vmx, "guestOS", "");
  vm->numVcpus = get_int (vmx, "numvcpus", 1);
  vm->memoryMiB = get_int (vmx, "memsize", 0);
  vm->hardwareVersion = get_int (vmx, "virtualHW.version", 0);
  if (ws_vmx_is_template (vmx))
    vm->flags |= VIXEXT_VM_TEMPLATE;
  if (ws_vmx_is_encrypted (vmx)) {
    g_autofree char *text = g_strdup_printf (
      "%s: the VM is encrypted, or has a vTPM; only VMware can change it", id);

    vm->flags |= VIXEXT_VM_ENCRYPTED;
    note_problem (draft, text);
  }
  if (ws_vmx_get_state_file (vmx) != NULL)
    vm->powerState = VIX_POWERSTATE_SUSPENDED;
  for (i = 0; i < disks->len; i++) {
    const WsVmxDisk *from = disks->pdata[i];
    VixExtDisk disk
      = { .node = from->node, .fileName = from->file_name, .mode = from->mode };

    g_array_append_val (draft->disks, disk);
  }
}

/* ---- the .vmsd ---- */

static int
snapshot_power_state (const WsVmDir *dir, const WsSnapshot *snapshot)
{
  g_autofree char *saved
    = ws_state_name (dir->stem, snapshot->uid, WS_STATE_SAVED_VMSS);

  if (snapshot->has_memory)
    return VIX_POWERSTATE_POWERED_ON;
  return ws_vm_dir_exists (dir, saved) ? VIX_POWERSTATE_SUSPENDED
                                       : VIX_POWERSTATE_POWERED_OFF;
}

static void
take_vmsd (Draft *draft, const WsVmDir *dir, const WsVmsd *vmsd)
{
  g_autoptr (GError) error = NULL;
  gsize i;

  for (i = 0; i < ws_vmsd_get_count (vmsd); i++) {
    const WsSnapshot *from = ws_vmsd_get_nth (vmsd, i);
    VixExtSnapshot snapshot = {
      .id = from->uid,
      .parent = from->parent,
      .created = from->created_us,
      .name = from->name,
      .description = from->description,
      .powerState = snapshot_power_state (dir, from),
      .flags
      = (from->has_memory ? VIXEXT_SNAPSHOT_HAS_MEMORY : 0)
        | (from->clones[0] != NULL ? VIXEXT_SNAPSHOT_NEEDED_BY_CLONE : 0),
      .numDisks = (int)from->num_disks,
    };

    g_array_append_val (draft->snapshots, snapshot);
  }
  draft->vm.currentSnapshot = ws_vmsd_get_current (vmsd);
  if (ws_vmsd_is_linked_clone (vmsd))
    draft->vm.flags |= VIXEXT_VM_LINKED_CLONE;
  if (!ws_vmsd_check_writable (vmsd, &error))
    note_problem (draft, error->message);
}

/* ---- locks ---- */

/* Is the disk locked by another program? It may lie in another directory. */
static gboolean
disk_is_held (WsResolver *resolver, const char *file_name)
{
  g_autofree char *path
    = ws_resolver_locate (resolver, NULL, file_name, VMDK_ROLE_DISK, NULL);
  g_autofree char *dir = NULL;
  g_autofree char *name = NULL;
  gboolean held;
  int fd;

  if (path == NULL)
    return FALSE;
  dir = g_path_get_dirname (path);
  name = g_path_get_basename (path);
  fd = open (dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0)
    return FALSE;
  held = ws_file_lock_inspect (fd, name, NULL) == WS_LOCK_HELD;
  close (fd);
  return held;
}

/* The .vmx may be locked just because a window shows it; disks are only
 * locked while the VM runs. */
static void
take_locks (Draft *draft, const WsVmDir *dir, const KvFile *vmx,
            GPtrArray *disks)
{
  g_autoptr (WsResolver) resolver = NULL;
  guint i;

  if (ws_file_lock_inspect (dir->fd, dir->vmx_name, NULL) != WS_LOCK_HELD)
    return;
  draft->vm.flags |= VIXEXT_VM_LOCKED;
  resolver = ws_resolver_new (dir, vmx);
  for (i = 0; i < disks->len; i++) {
    const WsVmxDisk *disk = disks->pdata[i];

    if (disk_is_held (resolver, disk->file_name)) {
      draft->vm.powerState = VIX_POWERSTATE_POWERED_ON;
      return;
    }
  }
}

/* ---- the whole ---- */

static gint64
changed_us (const WsVmDir *dir)
{
  g_autofree char *vmsd = ws_vm_dir_name (dir, ".vmsd");
  const char *const names[] = { dir->vmx_name, vmsd };
  gint64 newest = 0;
  gsize i;

  for (i = 0; i < G_N_ELEMENTS (names); i++) {
    struct stat st;

    if (fstatat (dir->fd, names[i], &st, AT_SYMLINK_NOFOLLOW) == 0)
      newest = MAX (newest, (gint64)st.st_mtim.tv_sec * G_USEC_PER_SEC
                              + st.st_mtim.tv_nsec / 1000);
  }
  return newest;
}

static const VixExtVM *
pack (Draft *draft)
{
  draft->vm.problem = draft->problem;
  draft->vm.disks = (const VixExtDisk *)(gpointer)draft->disks->data;
  draft->vm.numDisks = draft->disks->len;
  draft->vm.snapshots
    = (const VixExtSnapshot *)(gpointer)draft->snapshots->data;
  draft->vm.numSnapshots = draft->snapshots->len;
  return vix_vm_record_new (&draft->vm);
}

/* NULL if the .vmx vanished. */
static const VixExtVM *
read_opened (Draft *draft, const WsVmDir *dir)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (KvFile) vmx = ws_vm_dir_read_vmx (dir, &error);
  g_autoptr (WsVmsd) vmsd = NULL;
  g_autoptr (GPtrArray) disks = NULL;
  g_autofree char *uuid = NULL;

  if (g_error_matches (error, VIX_ERROR, VIX_E_VM_NOT_FOUND))
    return NULL;
  draft->vm.changed = changed_us (dir);
  if (vmx != NULL) {
    disks = ws_vmx_list_disks (vmx);
    take_vmx (draft, vmx, dir->id, disks);
    uuid = ws_vmx_get_uuid (vmx);
    draft->vm.uuid = uuid;
    take_locks (draft, dir, vmx, disks);
  } else {
    draft->vm.flags |= VIXEXT_VM_INACCESSIBLE;
    note_problem (draft, error->message);
    g_clear_error (&error);
  }
  vmsd = ws_vm_dir_read_vmsd (dir, &error);
  if (vmsd != NULL)
    take_vmsd (draft, dir, vmsd);
  else
    note_problem (draft, error->message);
  return pack (draft);
}

static char *
stem_of (const char *id)
{
  char *stem = g_path_get_basename (id);
  char *dot = strrchr (stem, '.');

  if (dot != NULL && dot != stem)
    *dot = '\0';
  return stem;
}

const VixExtVM *
ws_vm_record_read (const char *id, const char *const *roots,
                   const WsVmPlace *place)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (WsVmDir) dir = ws_vm_dir_open (id, roots, &error);
  g_auto (GStrv) path = g_strsplit (place->path, "/", -1);
  g_autofree char *stem = stem_of (id);
  g_autofree char *name = g_utf8_make_valid (stem, -1);
  const VixExtVM *record;
  Draft draft = { 0 };

  if (g_error_matches (error, VIX_ERROR, VIX_E_VM_NOT_FOUND))
    return NULL;
  draft.vm.id = draft.vm.vmxPath = id;
  draft.vm.path = (const char *const *)path;
  draft.vm.displayName = name;
  draft.vm.teamPath = place->team;
  draft.vm.flags = place->team[0] != '\0' ? VIXEXT_VM_IN_TEAM : 0;
  draft.vm.powerState = VIX_POWERSTATE_POWERED_OFF;
  draft.vm.toolsState = VIX_TOOLSSTATE_UNKNOWN;
  draft.disks = g_array_new (FALSE, FALSE, sizeof (VixExtDisk));
  draft.snapshots = g_array_new (FALSE, FALSE, sizeof (VixExtSnapshot));
  if (dir != NULL) {
    record = read_opened (&draft, dir);
  } else {
    draft.vm.flags |= VIXEXT_VM_INACCESSIBLE;
    note_problem (&draft, error->message);
    record = pack (&draft);
  }
  g_array_unref (draft.disks);
  g_array_unref (draft.snapshots);
  g_free (draft.problem);
  return record;
}
