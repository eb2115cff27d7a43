/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tree-update.c - what hosts tell of becomes the tree: folders and VMs come,
 * move and go, and nodes that the kernel has become others.
 */
#include "tree-private.h"

#include <string.h>

/* ---- folders and VMs ---- */

/* A slot for something new; 0 if there were too many. */
static guint32
new_slot (FsTree *self)
{
  FsSlot empty = { NULL, NULL };

  if (self->slots->len > FS_SLOT_MAX)
    return 0;
  g_array_append_val (self->slots, empty);
  return self->slots->len - 1;
}

/* The folder called @raw_name, made if it is not there yet. */
static FsFolder *
enter_folder (FsTree *self, FsFolder *parent, const char *raw_name,
              FsStale *stale)
{
  gpointer known = g_hash_table_lookup (parent->by_raw, raw_name);
  guint64 identity = fs_identity (parent->identity, FS_KIND_FOLDER, 0,
                                  fs_identity_text (raw_name));
  g_autofree char *id = g_strdup_printf ("%08x", (guint)identity);
  g_autofree char *name = NULL;
  FsFolder *folder;
  guint32 slot;

  if (known != NULL)
    return fs_tree_get_folder_locked (self, GPOINTER_TO_UINT (known));
  slot = new_slot (self);
  if (slot == 0)
    return NULL;
  name = fs_folder_free_name (parent, raw_name, id);
  folder = fs_folder_new (slot, parent->slot, name, raw_name, identity);
  folder->host = parent->host;
  g_array_index (self->slots, FsSlot, slot).folder = folder;
  g_hash_table_insert (parent->by_raw, folder->raw_name,
                       GUINT_TO_POINTER (slot));
  fs_folder_add_child (parent, folder->name, slot, stale);
  return folder;
}

/* Removes folders that hold nothing and need not stay, from @slot upwards. */
static void
leave_folder (FsTree *self, guint32 slot, FsStale *stale)
{
  while (slot != 0) {
    FsFolder *folder = fs_tree_get_folder_locked (self, slot);
    FsFolder *parent = fs_tree_get_folder_locked (self, folder->parent);

    if (folder->children->len > 0 || folder->stays)
      return;
    g_hash_table_remove (parent->by_raw, folder->raw_name);
    fs_folder_remove_child (parent, folder->name, slot, stale);
    g_array_index (self->slots, FsSlot, slot).folder = NULL;
    slot = folder->parent;
    fs_folder_free (folder);
  }
}

/* Hash of the id, relative to the source: a moved directory stays the same. Of
 * several hosts, together with the host's name. */
static guint64
vm_identity (const FsTreeHost *host, const VixExtVM *vm)
{
  const char *id = vm->id;
  gsize len = strlen (host->source);

  if (len > 0 && strncmp (id, host->source, len) == 0 && id[len] == '/')
    id += len + 1;
  if (*host->name == '\0')
    return fs_identity_text (id);
  return fs_identity (fs_identity_text (host->name), FS_KIND_VM, 0,
                      fs_identity_text (id));
}

static FsVm *
add_vm (FsTree *self, guint number, const VixExtVM *record, FsStale *stale)
{
  FsTreeHost *host = fs_tree_get_host_locked (self, number);
  FsFolder *folder = fs_tree_get_folder_locked (self, host->folder);
  const char *const *part = record->path;
  g_autofree char *id = fs_folder_child_id (record->id);
  g_autofree char *name = NULL;
  guint32 slot;
  FsVm *vm;

  for (; folder != NULL && part[1] != NULL; part++)
    folder = enter_folder (self, folder, *part, stale);
  slot = folder != NULL ? new_slot (self) : 0;
  if (slot == 0)
    return NULL;
  name = fs_folder_free_name (folder, *part, id);
  vm = fs_vm_new (slot, folder->slot, name, vm_identity (host, record));
  vm->host = number;
  fs_vm_update (vm, record, stale);
  g_array_index (self->slots, FsSlot, slot).vm = vm;
  g_hash_table_insert (host->by_id, (gpointer)vm->record->id, vm);
  fs_folder_add_child (folder, vm->name, slot, stale);
  return vm;
}

static void
remove_vm (FsTree *self, FsVm *vm, FsStale *stale)
{
  g_hash_table_remove (fs_tree_get_host_locked (self, vm->host)->by_id,
                       vm->record->id);
  fs_vm_collect_all (vm, stale);
  fs_folder_remove_child (fs_tree_get_folder_locked (self, vm->folder),
                          vm->name, vm->slot, stale);
  leave_folder (self, vm->folder, stale);
  g_array_index (self->slots, FsSlot, vm->slot).vm = NULL;
  fs_vm_free (vm);
}

/* The VM is somewhere else: what users set goes along. */
static void
move_vm (FsTree *self, FsVm *old, const VixExtVM *record, FsStale *stale)
{
  FsMarks marks = old->marks;
  guint host = old->host;
  g_autofree char *description = g_steal_pointer (&old->description);
  g_autofree char *error = g_steal_pointer (&old->error);
  FsVm *vm;

  remove_vm (self, old, stale);
  vm = add_vm (self, host, record, stale);
  if (vm == NULL)
    return;
  vm->marks = marks;
  vm->description = g_steal_pointer (&description);
  vm->error = g_steal_pointer (&error);
}

static void
put_locked (FsTree *self, guint number, const VixExtVM *record, FsStale *stale)
{
  GHashTable *by_id = fs_tree_get_host_locked (self, number)->by_id;
  FsVm *vm = g_hash_table_lookup (by_id, record->id);

  if (vm == NULL) {
    add_vm (self, number, record, stale);
  } else if (!g_strv_equal (vm->record->path, record->path)) {
    move_vm (self, vm, record, stale);
  } else {
    /* The key is the record's. */
    g_hash_table_remove (by_id, record->id);
    fs_vm_update (vm, record, stale);
    g_hash_table_insert (by_id, (gpointer)vm->record->id, vm);
  }
}

void
fs_tree_put (FsTree *self, guint host, const VixExtVM *vm, FsStale *stale)
{
  GHashTable *unsettled;

  g_mutex_lock (&self->lock);
  unsettled = fs_tree_get_host_locked (self, host)->unsettled;
  if (unsettled != NULL)
    g_hash_table_replace (unsettled, (gpointer)vm->id,
                          (gpointer)VixExt_RefVM (vm));
  else
    put_locked (self, host, vm, stale);
  g_mutex_unlock (&self->lock);
}

static int
compare_ids (gconstpointer a, gconstpointer b)
{
  const VixExtVM *const *one = a;
  const VixExtVM *const *two = b;

  return strcmp ((*one)->id, (*two)->id);
}

/* The directory that @host's VMs are in. */
static void
enter_host (FsTree *self, FsTreeHost *host, FsStale *stale)
{
  FsFolder *folder = fs_tree_get_folder_locked (self, 0);

  if (*host->name == '\0')
    return;
  folder = enter_folder (self, folder, host->name, stale);
  if (folder == NULL)
    return;
  folder->host = (guint)(host - fs_tree_get_host_locked (self, 0));
  folder->stays = TRUE;
  host->folder = folder->slot;
}

void
fs_tree_settle (FsTree *self, guint number, FsStale *stale)
{
  g_autoptr (FsStale) nobody = fs_stale_new ();
  g_autoptr (GHashTable) unsettled = NULL;
  g_autoptr (GPtrArray) records = g_ptr_array_new ();
  GHashTableIter iter;
  gpointer record;
  guint i;

  g_mutex_lock (&self->lock);
  unsettled
    = g_steal_pointer (&fs_tree_get_host_locked (self, number)->unsettled);
  if (unsettled != NULL) {
    enter_host (self, fs_tree_get_host_locked (self, number), stale);
    g_hash_table_iter_init (&iter, unsettled);
    while (g_hash_table_iter_next (&iter, NULL, &record))
      g_ptr_array_add (records, record);
    g_ptr_array_sort (records, compare_ids);
  }
  for (i = 0; i < records->len; i++)
    put_locked (self, number, records->pdata[i], nobody);
  g_mutex_unlock (&self->lock);
}

void
fs_tree_remove (FsTree *self, guint number, const VixExtVM *vm, FsStale *stale)
{
  const FsTreeHost *host;
  FsVm *known;

  g_mutex_lock (&self->lock);
  host = fs_tree_get_host_locked (self, number);
  known = g_hash_table_lookup (host->by_id, vm->id);
  if (host->unsettled != NULL)
    g_hash_table_remove (host->unsettled, vm->id);
  else if (known != NULL)
    remove_vm (self, known, stale);
  g_mutex_unlock (&self->lock);
}

void
fs_tree_touch_files (FsTree *self, guint host, const VixExtVM *vm,
                     FsStale *stale)
{
  FsVm *known;

  g_mutex_lock (&self->lock);
  known
    = g_hash_table_lookup (fs_tree_get_host_locked (self, host)->by_id, vm->id);
  if (known != NULL) {
    known->version++;
    fs_vm_collect_all (known, stale);
  }
  g_mutex_unlock (&self->lock);
}

void
fs_tree_switch_alias (FsTree *self, guint32 slot, guint32 alias, FsStale *stale)
{
  FsVm *vm;

  g_mutex_lock (&self->lock);
  vm = fs_tree_get_vm_locked (self, slot);
  if (vm != NULL && (vm->alias & FS_INDEX_MAX) == alias)
    fs_vm_switch_alias (vm, stale);
  g_mutex_unlock (&self->lock);
}

void
fs_tree_expect_rename (FsTree *self, guint32 slot, gint64 id)
{
  FsVm *vm;

  g_mutex_lock (&self->lock);
  vm = fs_tree_get_vm_locked (self, slot);
  if (vm != NULL)
    vm->expected_rename = id;
  g_mutex_unlock (&self->lock);
}

void
fs_tree_renew_snapshot (FsTree *self, guint32 slot, gint64 id, FsStale *stale)
{
  FsVm *vm;

  g_mutex_lock (&self->lock);
  vm = fs_tree_get_vm_locked (self, slot);
  if (vm != NULL)
    fs_vm_renew_snapshot (vm, id, stale);
  g_mutex_unlock (&self->lock);
}
