/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tree-private.h"

/* ---- the table ---- */

static void
host_clear (gpointer data)
{
  FsTreeHost *host = data;

  g_free (host->name);
  g_free (host->source);
  g_hash_table_unref (host->by_id);
  if (host->unsettled != NULL)
    g_hash_table_unref (host->unsettled);
}

FsTree *
fs_tree_new (void)
{
  FsTree *self = g_new0 (FsTree, 1);
  FsSlot root = { fs_folder_new (0, 0, "", "", fs_identity_text ("")), NULL };

  g_mutex_init (&self->lock);
  root.folder->host = FS_NO_HOST;
  self->slots = g_array_new (FALSE, TRUE, sizeof (FsSlot));
  g_array_append_val (self->slots, root);
  self->hosts = g_array_new (FALSE, FALSE, sizeof (FsTreeHost));
  g_array_set_clear_func (self->hosts, host_clear);
  return self;
}

void
fs_tree_free (FsTree *self)
{
  guint i;

  if (self == NULL)
    return;
  for (i = 0; i < self->slots->len; i++) {
    FsSlot *slot = &g_array_index (self->slots, FsSlot, i);

    fs_folder_free (slot->folder);
    fs_vm_free (slot->vm);
  }
  g_array_unref (self->slots);
  g_array_unref (self->hosts);
  g_mutex_clear (&self->lock);
  g_free (self);
}

FsFolder *
fs_tree_get_folder_locked (FsTree *self, guint32 slot)
{
  if (slot >= self->slots->len)
    return NULL;
  return g_array_index (self->slots, FsSlot, slot).folder;
}

FsVm *
fs_tree_get_vm_locked (FsTree *self, guint32 slot)
{
  if (slot >= self->slots->len)
    return NULL;
  return g_array_index (self->slots, FsSlot, slot).vm;
}

FsTreeHost *
fs_tree_get_host_locked (FsTree *self, guint number)
{
  return &g_array_index (self->hosts, FsTreeHost, number);
}

guint
fs_tree_add_host (FsTree *self, const char *name, const char *source)
{
  FsTreeHost host = { .name = g_strdup (name), .source = g_strdup (source) };
  guint number;

  host.by_id = g_hash_table_new (g_str_hash, g_str_equal);
  host.unsettled = g_hash_table_new_full (g_str_hash, g_str_equal, NULL,
                                          (GDestroyNotify)VixExt_UnrefVM);
  g_mutex_lock (&self->lock);
  number = self->hosts->len;
  if (*name == '\0')
    fs_tree_get_folder_locked (self, 0)->host = number;
  g_array_append_val (self->hosts, host);
  g_mutex_unlock (&self->lock);
  return number;
}

/* ---- nodes ---- */

static void
resolve_folder (const FsFolder *folder, FsNode *node)
{
  node->host = folder->host;
  node->identity = folder->identity;
  node->version = folder->version;
  node->folder = folder->parent;
  node->children = folder->children->len;
  node->changed = folder->changed;
}

static gboolean
resolve_snapshot (const FsVm *vm, guint32 slot, FsNode *node)
{
  const FsVmSnapshot *snapshot = fs_vm_find_slot (vm, slot);

  if (snapshot == NULL)
    return FALSE;
  node->snapshot = fs_record_snapshot (vm->record, snapshot->id);
  node->snapshot_slot = snapshot->slot;
  node->generation = snapshot->generation;
  return TRUE;
}

static gboolean
resolve_pair (const FsVm *vm, FsNode *node)
{
  const FsPair *pair
    = vm->pairs != NULL ? fs_pairs_at (vm->pairs, node->id.snapshot) : NULL;

  if (pair == NULL)
    return FALSE;
  node->snapshot
    = fs_record_snapshot (vm->record, fs_vm_find_slot (vm, pair->newer)->id);
  node->older
    = fs_record_snapshot (vm->record, fs_vm_find_slot (vm, pair->older)->id);
  node->snapshot_slot = pair->newer;
  node->generation = pair->generation;
  return TRUE;
}

static gboolean
resolve_vm (FsVm *vm, FsNode *node)
{
  if (fs_kind_is_pairs (node->id.kind)) {
    if (!resolve_pair (vm, node))
      return FALSE;
  } else if (fs_kind_is_newest (node->id.kind)) {
    if (!resolve_snapshot (vm, vm->newest, node))
      return FALSE;
    node->generation = 0;
  } else if (node->id.snapshot != 0) {
    if (!resolve_snapshot (vm, node->id.snapshot, node))
      return FALSE;
  }
  if (node->id.kind == FS_KIND_FILE) {
    const FsVmFile *file = fs_vm_file_at (vm, node->id.index);

    if (file == NULL)
      return FALSE;
    node->generation = file->generation;
  }
  node->host = vm->host;
  node->vm = VixExt_RefVM (vm->record);
  node->identity = vm->identity;
  node->version = vm->version;
  node->alias = vm->alias & FS_INDEX_MAX;
  node->newest = vm->newest;
  node->folder = vm->folder;
  node->marks = vm->marks;
  fs_vm_note_asked (vm, node->id);
  return TRUE;
}

/* Whether the parts of a node id go together. */
static gboolean
id_is_coherent (FsNodeId id)
{
  if (fs_kind_is_control (id.kind))
    return id.slot == 0 && id.snapshot == 0;
  return fs_kind_is_snapshots (id.kind) == (id.snapshot != 0);
}

static gboolean
resolve_locked (FsTree *self, FsNode *node)
{
  const FsFolder *folder = fs_tree_get_folder_locked (self, node->id.slot);
  FsVm *vm = fs_tree_get_vm_locked (self, node->id.slot);

  if (node->id.kind == FS_KIND_FOLDER || fs_kind_is_control (node->id.kind)) {
    if (folder != NULL)
      resolve_folder (folder, node);
    return folder != NULL;
  }
  return vm != NULL && resolve_vm (vm, node);
}

gboolean
fs_tree_resolve (FsTree *self, guint64 node, FsNode *ret_node)
{
  FsNode found = { .node = node };
  gboolean there;

  if (!fs_node_unpack (node, &found.id) || !id_is_coherent (found.id))
    return FALSE;
  g_mutex_lock (&self->lock);
  there = resolve_locked (self, &found);
  g_mutex_unlock (&self->lock);
  if (there)
    *ret_node = found;
  return there;
}

void
fs_node_clear (FsNode *node)
{
  g_clear_pointer (&node->vm, VixExt_UnrefVM);
  node->snapshot = NULL;
  node->older = NULL;
}

/* ---- what directories hold ---- */

static FsNodeId
child_id (FsTree *self, guint32 slot)
{
  gboolean is_vm = fs_tree_get_vm_locked (self, slot) != NULL;

  return (FsNodeId){ slot, 0, is_vm ? FS_KIND_VM : FS_KIND_FOLDER,
                     is_vm ? 0 : 1 };
}

gboolean
fs_tree_find_child (FsTree *self, guint32 slot, const char *name,
                    FsNodeId *ret_id)
{
  const FsFolder *folder;
  gpointer child = NULL;

  g_mutex_lock (&self->lock);
  folder = fs_tree_get_folder_locked (self, slot);
  if (folder != NULL)
    child = g_hash_table_lookup (folder->by_name, name);
  if (child != NULL)
    *ret_id = child_id (self, GPOINTER_TO_UINT (child));
  g_mutex_unlock (&self->lock);
  return child != NULL;
}

guint32
fs_tree_find_snapshot (FsTree *self, guint32 slot, const char *name)
{
  const FsVmSnapshot *snapshot = NULL;
  const FsVm *vm;
  guint32 found = 0;

  g_mutex_lock (&self->lock);
  vm = fs_tree_get_vm_locked (self, slot);
  if (vm != NULL)
    snapshot = fs_vm_find_name (vm, name);
  if (snapshot != NULL)
    found = snapshot->slot;
  g_mutex_unlock (&self->lock);
  return found;
}

guint
fs_tree_list_folder (FsTree *self, guint32 slot, guint32 after,
                     FsChild *children, guint max)
{
  const FsFolder *folder;
  guint count = 0;
  guint i;

  g_mutex_lock (&self->lock);
  folder = fs_tree_get_folder_locked (self, slot);
  for (i = folder != NULL ? fs_folder_position (folder, after) : 0;
       folder != NULL && i < folder->children->len && count < max; i++) {
    guint32 child = g_array_index (folder->children, guint32, i);
    const FsVm *vm = fs_tree_get_vm_locked (self, child);

    children[count].id = child_id (self, child);
    children[count++].name = g_strdup (
      vm != NULL ? vm->name : fs_tree_get_folder_locked (self, child)->name);
  }
  g_mutex_unlock (&self->lock);
  return count;
}

guint
fs_tree_list_snapshots (FsTree *self, guint32 slot, guint32 after,
                        guint32 alias, FsChild *children, guint max)
{
  const FsVm *vm;
  guint count = 0;
  guint i;

  g_mutex_lock (&self->lock);
  vm = fs_tree_get_vm_locked (self, slot);
  for (i = vm != NULL ? fs_vm_position (vm, after) : 0;
       vm != NULL && i < vm->snapshots->len && count < max; i++) {
    const FsVmSnapshot *snapshot
      = &g_array_index (vm->snapshots, FsVmSnapshot, i);

    children[count].id
      = (FsNodeId){ slot, snapshot->slot, FS_KIND_SNAPSHOT, alias };
    children[count++].name = fs_vm_snapshot_name (vm, snapshot);
  }
  g_mutex_unlock (&self->lock);
  return count;
}

char *
fs_tree_snapshot_name (FsTree *self, guint32 slot, gint64 id)
{
  const FsVmSnapshot *snapshot;
  const FsVm *vm;
  char *name = NULL;

  g_mutex_lock (&self->lock);
  vm = fs_tree_get_vm_locked (self, slot);
  snapshot = vm != NULL ? fs_vm_find_id (vm, id) : NULL;
  if (snapshot != NULL)
    name = fs_vm_snapshot_name (vm, snapshot);
  g_mutex_unlock (&self->lock);
  return name;
}

guint32
fs_tree_snapshot_slot (FsTree *self, guint32 slot, gint64 id)
{
  const FsVmSnapshot *snapshot;
  const FsVm *vm;
  guint32 found;

  g_mutex_lock (&self->lock);
  vm = fs_tree_get_vm_locked (self, slot);
  snapshot = vm != NULL ? fs_vm_find_id (vm, id) : NULL;
  found = snapshot != NULL ? snapshot->slot : 0;
  g_mutex_unlock (&self->lock);
  return found;
}

guint32
fs_tree_pair_slot (FsTree *self, guint32 slot, guint32 newer, guint32 older)
{
  guint32 pair = 0;
  FsVm *vm;

  g_mutex_lock (&self->lock);
  vm = fs_tree_get_vm_locked (self, slot);
  if (vm != NULL)
    pair = fs_vm_pair (vm, newer, older);
  g_mutex_unlock (&self->lock);
  return pair;
}

char *
fs_tree_path (FsTree *self, guint32 slot)
{
  g_autoptr (GPtrArray) parts = g_ptr_array_new ();
  GString *path = NULL;
  const FsFolder *folder;
  const FsVm *vm;
  guint i;

  g_mutex_lock (&self->lock);
  vm = fs_tree_get_vm_locked (self, slot);
  folder = vm != NULL ? fs_tree_get_folder_locked (self, vm->folder)
                      : fs_tree_get_folder_locked (self, slot);
  if (vm != NULL)
    g_ptr_array_add (parts, vm->name);
  for (; folder != NULL && folder->slot != 0;
       folder = fs_tree_get_folder_locked (self, folder->parent))
    g_ptr_array_add (parts, folder->name);
  if (folder != NULL)
    path = g_string_new (NULL);
  for (i = parts->len; path != NULL && i-- > 0;)
    g_string_append_printf (path, "%s%s", path->len > 0 ? "/" : "",
                            (const char *)parts->pdata[i]);
  g_mutex_unlock (&self->lock);
  return path != NULL ? g_string_free (path, FALSE) : NULL;
}

/* ---- files ---- */

GArray *
fs_tree_file_slots (FsTree *self, guint32 slot, GPtrArray *names)
{
  g_autoptr (GHashTable) set = g_hash_table_new (g_str_hash, g_str_equal);
  GArray *slots = NULL;
  FsVm *vm;
  guint i;

  for (i = 0; i < names->len; i++)
    g_hash_table_add (set, names->pdata[i]);
  g_mutex_lock (&self->lock);
  vm = fs_tree_get_vm_locked (self, slot);
  if (vm != NULL) {
    slots = g_array_sized_new (FALSE, TRUE, sizeof (FsFileSlot), names->len);
    fs_vm_prune_files (vm, set);
    for (i = 0; i < names->len; i++) {
      const FsVmFile *file = fs_vm_file (vm, names->pdata[i]);
      FsFileSlot got = { file != NULL ? file->slot : 0,
                         file != NULL ? file->generation : 0 };

      g_array_append_val (slots, got);
    }
  }
  g_mutex_unlock (&self->lock);
  return slots;
}

char *
fs_tree_file_name (FsTree *self, guint32 slot, guint32 file)
{
  const FsVmFile *found;
  const FsVm *vm;
  char *name;

  g_mutex_lock (&self->lock);
  vm = fs_tree_get_vm_locked (self, slot);
  found = vm != NULL ? fs_vm_file_at (vm, file) : NULL;
  name = found != NULL ? g_strdup (fs_vm_file_name (vm, found)) : NULL;
  g_mutex_unlock (&self->lock);
  return name;
}

/* ---- what users set ---- */

void
fs_tree_set_mark (FsTree *self, guint32 slot, FsKindId mark, gint64 since,
                  FsStale *stale)
{
  FsVm *vm;

  g_mutex_lock (&self->lock);
  vm = fs_tree_get_vm_locked (self, slot);
  if (vm != NULL) {
    if (mark == FS_KIND_MARK_MEMORY)
      vm->marks.memory = since;
    else
      vm->marks.quiesce = since;
    vm->version++;
    fs_vm_collect_snapshots (vm, stale);
  }
  g_mutex_unlock (&self->lock);
}

char *
fs_tree_get_description (FsTree *self, guint32 slot)
{
  const FsVm *vm;
  char *text;

  g_mutex_lock (&self->lock);
  vm = fs_tree_get_vm_locked (self, slot);
  text = vm != NULL ? g_strdup (vm->description) : NULL;
  g_mutex_unlock (&self->lock);
  return text;
}

void
fs_tree_set_description (FsTree *self, guint32 slot, const char *text)
{
  FsVm *vm;

  g_mutex_lock (&self->lock);
  vm = fs_tree_get_vm_locked (self, slot);
  if (vm != NULL) {
    g_free (vm->description);
    vm->description = g_strdup (text);
  }
  g_mutex_unlock (&self->lock);
}

char *
fs_tree_get_error (FsTree *self, guint32 slot)
{
  const FsVm *vm;
  char *text;

  g_mutex_lock (&self->lock);
  vm = fs_tree_get_vm_locked (self, slot);
  text = vm != NULL ? g_strdup (vm->error) : NULL;
  g_mutex_unlock (&self->lock);
  return text;
}

void
fs_tree_set_error (FsTree *self, guint32 slot, const char *text)
{
  FsVm *vm;

  g_mutex_lock (&self->lock);
  vm = fs_tree_get_vm_locked (self, slot);
  if (vm != NULL) {
    g_free (vm->error);
    vm->error = g_strdup (text);
  }
  g_mutex_unlock (&self->lock);
}

/* ---- records ---- */

const VixExtVM *
fs_tree_get_record (FsTree *self, guint host, const char *id, guint32 *ret_slot)
{
  const VixExtVM *record = NULL;
  const FsVm *vm;

  g_mutex_lock (&self->lock);
  vm = g_hash_table_lookup (fs_tree_get_host_locked (self, host)->by_id, id);
  if (vm != NULL) {
    record = VixExt_RefVM (vm->record);
    *ret_slot = vm->slot;
  }
  g_mutex_unlock (&self->lock);
  return record;
}

gboolean
fs_tree_find_record (FsTree *self, guint host, const char *id,
                     guint32 *ret_slot)
{
  const VixExtVM *record = fs_tree_get_record (self, host, id, ret_slot);

  VixExt_UnrefVM (record);
  return record != NULL;
}
