/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Cloning: a new VM in a directory of its own. A full clone's disks hold all
 * that the chains hold, each in one sparse file; a linked clone's are empty
 * children of a snapshot's disks, and that snapshot notes the clone before the
 * clone appears: its .vmx is the last file to come.
 *
 * Two transactions, one in each directory. If the process is killed between
 * them, the note names a clone that is not there, with a journal beside it
 * that says why: ws_check_no_clones() undoes that clone and passes.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "disk/write.h"
#include "workstation/create.h"
#include "workstation/recover.h"
#include "workstation/remove.h"
#include "workstation/snapshot-state.h"
#include "workstation/txn-apply.h"
#include "workstation/vendor.h"

/* The directory of the clone. */
typedef struct {
  VmdkResolver resolver; /* opens plain names in it */
  int fd;
  char *path;
  char *stem;
  char *vmx_name;
  char *vmx_path;
  gboolean made; /* by us */
  WsDirLock *lock;
} Dest;

typedef struct {
  WsChange *change; /* the source */
  gboolean linked;
  const WsSnapshot *snapshot; /* NULL: the present state */
  WsSavedState state;
  KvFile *vmx;       /* the clone's */
  GPtrArray *names;  /* char *: the clone's disks */
  GPtrArray *chains; /* VmdkChain, what each is made from */
  GArray *as_child;  /* gboolean: an empty child, not a copy */
} Clone;

static void
clone_clear (Clone *c)
{
  ws_saved_state_clear (&c->state);
  g_clear_pointer (&c->vmx, kv_file_free);
  g_clear_pointer (&c->names, g_ptr_array_unref);
  g_clear_pointer (&c->chains, g_ptr_array_unref);
  g_clear_pointer (&c->as_child, g_array_unref);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Clone, clone_clear)

/* ---- the destination ---- */

static VmdkSource *
dest_open_source (VmdkResolver *resolver, const char *relative_to,
                  const char *name, VmdkRole role, gboolean writable,
                  GError **error)
{
  Dest *dest = (Dest *)resolver;
  g_autofree char *id = g_build_filename (dest->path, name, NULL);
  int fd;

  if (strchr (name, '/') != NULL) {
    g_set_error (error, VIX_ERROR, VIX_E_FILE_ACCESS_ERROR,
                 "%s: not in the clone's directory", name);
    return NULL;
  }
  fd = txn_open_regular (dest->fd, name, writable ? O_RDWR : O_RDONLY, error);
  return fd < 0 ? NULL : vmdk_source_new_fd (fd, id, writable, error);
}

static void
dest_clear (Dest *dest)
{
  ws_dir_lock_release (dest->lock);
  if (dest->fd >= 0)
    close (dest->fd);
  g_free (dest->path);
  g_free (dest->stem);
  g_free (dest->vmx_name);
  g_free (dest->vmx_path);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Dest, dest_clear)

/* A bare name means a directory of that name beside the source's. */
static char *
dest_path (const WsVmDir *source, const char *dest_vmx, GError **error)
{
  g_autofree char *stem = NULL;
  g_autofree char *parent = NULL;
  g_autofree char *name = NULL;

  if (g_path_is_absolute (dest_vmx))
    return g_canonicalize_filename (dest_vmx, "/");
  if (*dest_vmx == '\0' || strchr (dest_vmx, '/') != NULL) {
    g_set_error (error, VIX_ERROR, VIX_E_FILE_NAME_INVALID,
                 "\"%s\": the clone needs the absolute path of its .vmx",
                 dest_vmx);
    return NULL;
  }
  stem = g_strdup (dest_vmx);
  if (g_str_has_suffix (stem, ".vmx"))
    stem[strlen (stem) - 4] = '\0';
  name = g_strconcat (stem, ".vmx", NULL);
  parent = g_path_get_dirname (source->path);
  return g_build_filename (parent, stem, name, NULL);
}

static gboolean
dest_name (Dest *dest, const WsVmDir *source, const char *dest_vmx,
           GError **error)
{
  dest->vmx_path = dest_path (source, dest_vmx, error);
  if (dest->vmx_path == NULL)
    return FALSE;
  if (!g_str_has_suffix (dest->vmx_path, ".vmx")) {
    g_set_error (error, VIX_ERROR, VIX_E_FILE_NAME_INVALID,
                 "%s: the name of a clone ends in .vmx", dest->vmx_path);
    return FALSE;
  }
  dest->path = g_path_get_dirname (dest->vmx_path);
  dest->vmx_name = g_path_get_basename (dest->vmx_path);
  dest->stem = g_strndup (dest->vmx_name, strlen (dest->vmx_name) - 4);
  if (strcmp (dest->path, source->path) != 0 && *dest->stem != '\0')
    return TRUE;
  g_set_error (error, VIX_ERROR, VIX_E_FILE_NAME_INVALID,
               "%s: a clone needs a directory of its own", dest->vmx_path);
  return FALSE;
}

static gboolean
dest_open (Dest *dest, const VixOp *op, GError **error)
{
  g_autofree char *journal = g_strconcat (dest->stem, WS_JOURNAL_SUFFIX, NULL);
  TxnHandlers handlers = { 0 };

  dest->made = mkdir (dest->path, 0777) == 0;
  if (!dest->made && errno != EEXIST) {
    vix_set_error_errno (error, errno, "making %s", dest->path);
    return FALSE;
  }
  dest->fd = open (dest->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (dest->fd < 0) {
    vix_set_error_errno (error, errno, "%s", dest->path);
    return FALSE;
  }
  dest->lock
    = ws_dir_lock_take (dest->fd, dest->path, -1, op->cancellable, error);
  if (dest->lock == NULL
      || !txn_recover (dest->fd, journal, &handlers, NULL, error))
    return FALSE;
  if (faccessat (dest->fd, dest->vmx_name, F_OK, AT_SYMLINK_NOFOLLOW) < 0)
    return TRUE;
  g_set_error (error, VIX_ERROR, VIX_E_FILE_ALREADY_EXISTS,
               "%s: exists already", dest->vmx_path);
  return FALSE;
}

/* ---- what the clone is made of ---- */

static gboolean
add_disk (Clone *c, const Dest *dest, const WsVmxDisk *disk, GError **error)
{
  const WsSnapshotDisk *frozen
    = c->snapshot == NULL ? NULL
                          : ws_snapshot_find_disk (c->snapshot, disk->node);
  gboolean as_child = c->linked && frozen != NULL;
  VmdkChain *chain;
  char *name;

  if (c->snapshot != NULL && frozen == NULL && disk->in_snapshots) {
    g_set_error (error, VIX_ERROR, VIX_E_SNAPSHOT_INCONSISTENT,
                 "%s: no part of snapshot \"%s\"", disk->node,
                 c->snapshot->name);
    return FALSE;
  }
  chain = vmdk_chain_open (ws_resolver_vmdk (c->change->resolver), NULL,
                           frozen != NULL ? frozen->file_name : disk->file_name,
                           error);
  if (chain == NULL) {
    g_prefix_error (error, "%s: ", disk->node);
    return FALSE;
  }
  name = g_strdup_printf ("%s-cl%u.vmdk", dest->stem, c->names->len + 1);
  g_ptr_array_add (c->chains, chain);
  g_ptr_array_add (c->names, name);
  g_array_append_val (c->as_child, as_child);
  return ws_vmx_set_disk_file (c->vmx, disk->node, name, error);
}

static gboolean
set_text (KvFile *vmx, const char *name, const char *value, GError **error)
{
  return kv_file_set (vmx, name, value, error);
}

/* What must not be the same in two VMs, and what does not follow the clone. */
static gboolean
edit_config (Clone *c, const Dest *dest, GError **error)
{
  g_autofree char *nvram = g_strconcat (dest->stem, ".nvram", NULL);
  g_autofree char *vmxf = g_strconcat (dest->stem, ".vmxf", NULL);
  g_autofree char *search = g_strconcat (".;", c->change->dir->path, NULL);

  kv_file_unset (c->vmx, "workingDir");
  kv_file_unset (c->vmx, "fileSearchPath");
  return set_text (c->vmx, "displayName", dest->stem, error)
         && set_text (c->vmx, "uuid.action", "create", error)
         && (ws_vmx_get_state_file (c->vmx) == NULL
             || set_text (c->vmx, "checkpoint.vmState", "", error))
         && (c->state.nvram == NULL || set_text (c->vmx, "nvram", nvram, error))
         && (c->state.vmxf == NULL
             || set_text (c->vmx, "extendedConfigFile", vmxf, error))
         && (!c->linked || set_text (c->vmx, "fileSearchPath", search, error));
}

static gboolean
plan_clone (Clone *c, const Dest *dest, GError **error)
{
  g_autoptr (GPtrArray) disks = NULL;
  const char *text;
  gsize len;

  c->names = g_ptr_array_new_with_free_func (g_free);
  c->chains = g_ptr_array_new_with_free_func ((GDestroyNotify)vmdk_chain_free);
  c->as_child = g_array_new (FALSE, FALSE, sizeof (gboolean));
  if (!(c->snapshot != NULL
          ? ws_load_state (c->change, c->snapshot, &c->state, error)
          : ws_collect_state (c->change, &c->state, error)))
    return FALSE;
  text = g_bytes_get_data (c->state.vmx, &len);
  c->vmx = kv_file_parse (text, len, dest->vmx_name, error);
  if (c->vmx == NULL || !ws_vmx_check_native (c->vmx, dest->vmx_name, error))
    return FALSE;
  disks = ws_vmx_list_disks (c->vmx);
  for (guint i = 0; i < disks->len; i++)
    if (!add_disk (c, dest, disks->pdata[i], error))
      return FALSE;
  return edit_config (c, dest, error);
}

static gboolean
plan_file (Txn *txn, const Dest *dest, const char *suffix, GBytes *content,
           GError **error)
{
  g_autofree char *name = g_strconcat (dest->stem, suffix, NULL);

  return content == NULL || txn_add_replace (txn, name, content, error);
}

static gboolean
plan_dest_txn (Clone *c, const Dest *dest, Txn *txn, GError **error)
{
  g_autofree char *vmsd_name = g_strconcat (dest->stem, ".vmsd", NULL);
  g_autoptr (WsVmsd) vmsd = ws_vmsd_new (NULL, vmsd_name);
  g_autoptr (GBytes) vmx = kv_file_to_bytes (c->vmx);
  g_autoptr (GBytes) vmsd_bytes = NULL;
  g_autoptr (GPtrArray) sentinels = g_ptr_array_new ();

  for (guint i = 0; i < c->names->len; i++) {
    if (!txn_add_create (txn, c->names->pdata[i], error))
      return FALSE;
    if (g_array_index (c->as_child, gboolean, i))
      g_ptr_array_add (sentinels, c->names->pdata[i]);
  }
  g_ptr_array_add (sentinels, NULL);
  if (c->linked
      && !ws_vmsd_set_clone_of (vmsd, c->change->dir->id,
                                (const char *const *)sentinels->pdata, error))
    return FALSE;
  vmsd_bytes = ws_vmsd_to_bytes (vmsd);
  return plan_file (txn, dest, ".vmsd", vmsd_bytes, error)
         && plan_file (txn, dest, ".nvram", c->state.nvram, error)
         && plan_file (txn, dest, ".vmxf", c->state.vmxf, error)
         && txn_add_replace (txn, dest->vmx_name, vmx, error);
}

/* ---- the disks ---- */

static gboolean
make_child (Clone *c, Txn *txn, guint i, GError **error)
{
  VmdkLink *parent = vmdk_chain_get_link (c->chains->pdata[i], 0);
  g_autoptr (VmdkSource) source = NULL;
  int fd = txn_open (txn, c->names->pdata[i], error);

  if (fd < 0)
    return FALSE;
  source = vmdk_source_new_fd (fd, c->names->pdata[i], TRUE, error);
  return source != NULL
         && vmdk_create_child (parent, vmdk_link_get_id (parent),
                               c->names->pdata[i], source, error);
}

/* Everything that the chain holds, the newest first. */
static gboolean
fill_child (Clone *c, VmdkLink *child, guint i, GError **error)
{
  WsChange *change = c->change;
  VmdkMergeControl control
    = ws_change_merge_control (change, change->op->cancellable);
  VmdkChain *chain = c->chains->pdata[i];

  for (guint k = 0; k < vmdk_chain_get_depth (chain); k++) {
    VmdkLink *link = vmdk_chain_get_link (chain, k);
    g_autoptr (VmdkChain) below = NULL;
    gboolean ok;

    if (!ws_open_below (change->resolver, link, &below, error))
      return FALSE;
    vmdk_merge_set_below (link, below);
    ok = vmdk_merge_into_child (link, child, &control, error);
    vmdk_merge_set_below (link, NULL);
    if (!ok)
      return FALSE;
    change->merges_done++;
  }
  return TRUE;
}

/* The child needs no parent any more. */
static gboolean
make_base (Clone *c, Dest *dest, guint i, VmdkLink *child, GError **error)
{
  VmdkIdentity identity = { vmdk_new_cid (), VMDK_NO_PARENT_CID, NULL };
  const char *name = c->names->pdata[i];
  g_autoptr (GBytes) bytes = NULL;
  guint64 offset;
  gboolean ok;
  int fd;

  if (!vmdk_link_plan_identity (child, &identity, &offset, &bytes, error))
    return FALSE;
  fd = txn_open_regular (dest->fd, name, O_WRONLY, error);
  if (fd < 0)
    return FALSE;
  ok = txn_write_all (fd, offset, g_bytes_get_data (bytes, NULL),
                      g_bytes_get_size (bytes), name, error);
  close (fd);
  return ok;
}

static gboolean
make_disk (Clone *c, Dest *dest, Txn *txn, guint i, GError **error)
{
  g_autoptr (VmdkLink) child = NULL;

  if (!make_child (c, txn, i, error))
    return FALSE;
  if (g_array_index (c->as_child, gboolean, i))
    return TRUE;
  child = vmdk_link_open (&dest->resolver, NULL, c->names->pdata[i],
                          VMDK_ROLE_DISK, TRUE, error);
  return child != NULL && fill_child (c, child, i, error)
         && make_base (c, dest, i, child, error);
}

static gboolean
make_disks (Clone *c, Dest *dest, Txn *txn, GError **error)
{
  c->change->merges_total = 0;
  c->change->merges_done = 0;
  for (guint i = 0; i < c->chains->len; i++)
    if (!g_array_index (c->as_child, gboolean, i))
      c->change->merges_total += vmdk_chain_get_depth (c->chains->pdata[i]);
  for (guint i = 0; i < c->names->len; i++)
    if (!make_disk (c, dest, txn, i, error))
      return FALSE;
  return TRUE;
}

/* ---- the operation ---- */

static gboolean
note_clone (Clone *c, const Dest *dest, GError **error)
{
  g_autoptr (WsVmsd) vmsd = ws_vmsd_copy (c->change->vmsd);
  g_autoptr (GBytes) bytes = NULL;
  g_autoptr (Txn) txn = ws_change_new_txn (c->change);

  if (!ws_vmsd_add_clone (vmsd, c->snapshot->uid, dest->vmx_path, error))
    return FALSE;
  bytes = ws_vmsd_to_bytes (vmsd);
  return txn_add_replace (txn, c->change->vmsd_name, bytes, error)
         && (txn_is_empty (txn)
             || (txn_prepare (txn, error) && txn_commit (txn, NULL, error)));
}

static gboolean
make_clone (Clone *c, Dest *dest, GError **error)
{
  g_autofree char *journal = g_strconcat (dest->stem, WS_JOURNAL_SUFFIX, NULL);
  TxnHandlers handlers = { 0 };
  g_autoptr (Txn) txn
    = txn_new (dest->fd, journal, &c->change->vmx_stat, &handlers);

  return plan_clone (c, dest, error) && plan_dest_txn (c, dest, txn, error)
         && txn_prepare (txn, error) && make_disks (c, dest, txn, error)
         && vix_check_cancelled (c->change->op->cancellable, error)
         && (!c->linked || note_clone (c, dest, error))
         && txn_commit (txn, NULL, error);
}

/* A linked clone needs a snapshot: of a VM without one it is made first. */
static gboolean
find_snapshot (Clone *c, gint64 uid, const Dest *dest, GError **error)
{
  VixSnapshotParams params = { .description = "" };
  g_autofree char *name = NULL;

  if (c->linked && uid == 0) {
    if (ws_vmx_get_state_file (c->change->vmx) != NULL) {
      g_set_error (error, VIX_ERROR, VIX_E_VM_IS_RUNNING,
                   "%s: a suspended VM has no linked clones; resume it and "
                   "shut it down",
                   c->change->dir->vmx_name);
      return FALSE;
    }
    name = g_strdup_printf ("for the clone %s", dest->stem);
    params.name = name;
    if (!ws_create_locked (c->change, &params, &uid, error)
        || !ws_change_reload (c->change, error))
      return FALSE;
  }
  if (uid == 0)
    return TRUE;
  c->snapshot = ws_change_find (c->change, uid, error);
  return c->snapshot != NULL;
}

static char *
clone_native (WsHost *host, const char *id, gint64 snapshot, gboolean linked,
              const char *dest_vmx, const VixOp *op, GError **error)
{
  g_autoptr (WsChange) change
    = ws_change_begin (host, id, WS_CHANGE_DISKS, op, error);
  g_auto (Dest) dest = { .resolver = { dest_open_source }, .fd = -1 };
  g_auto (Clone) c = { .change = change, .linked = linked };
  gboolean ok;

  if (change == NULL || !dest_name (&dest, change->dir, dest_vmx, error))
    return NULL;
  ok = dest_open (&dest, op, error)
       && find_snapshot (&c, snapshot, &dest, error)
       && make_clone (&c, &dest, error);
  if (!ok && dest.made)
    rmdir (dest.path);
  return ok ? ws_vm_id_from_path (dest.vmx_path, error) : NULL;
}

char *
ws_clone_vm (gpointer host, const char *id, gint64 snapshot, gboolean linked,
             const char *dest_vmx, const VixOp *op, GError **error)
{
  WsHost *self = host;
  char *clone
    = self->vendor != NULL
        ? ws_vendor_clone_vm (self, id, snapshot, linked, dest_vmx, op, error)
        : clone_native (self, id, snapshot, linked, dest_vmx, op, error);

  ws_host_refresh_vm (self, id);
  if (clone != NULL)
    ws_host_refresh_vm (self, clone);
  return clone;
}
