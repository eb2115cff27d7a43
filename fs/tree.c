/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "tree.h"

#include <string.h>

#include "folder.h"

/* One of both, or neither: whoever had the slot is gone. */
typedef struct {
  FsFolder *folder;
  FsVm *vm;
} FsSlot;

typedef struct {
  char *name;   /* of its directory; "": the root */
  char *source; /* what VM ids are relative to, or "" */
  guint32 folder;
  GHashTable *by_id;     /* VM id (of the record's) -> FsVm */
  GHashTable *unsettled; /* id -> (const VixExtVM); NULL once settled */
} Host;

struct FsTree {
  GMutex lock;   /* level 1: all below */
  GArray *slots; /* (FsSlot) */
  GArray *hosts; /* (Host) */
};

/* ---- the table ---- */

static void
host_clear (gpointer data)
{
  Host *host = data;

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
  self->hosts = g_array_new (FALSE, FALSE, sizeof (Host));
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

static FsFolder *
get_folder (FsTree *self, guint32 slot)
{
  if (slot >= self->slots->len)
    return NULL;
  return g_array_index (self->slots, FsSlot, slot).folder;
}

static FsVm *
get_vm (FsTree *self, guint32 slot)
{
  if (slot >= self->slots->len)
    return NULL;
  return g_array_index (self->slots, FsSlot, slot).vm;
}

static Host *
get_host (FsTree *self, guint number)
{
  return &g_array_index (self->hosts, Host, number);
}

guint
fs_tree_add_host (FsTree *self, const char *name, const char *source)
{
  Host host = { .name = g_strdup (name), .source = g_strdup (source) };
  guint number;

  host.by_id = g_hash_table_new (g_str_hash, g_str_equal);
  host.unsettled = g_hash_table_new_full (g_str_hash, g_str_equal, NULL,
                                          (GDestroyNotify)VixExt_UnrefVM);
  g_mutex_lock (&self->lock);
  number = self->hosts->len;
  if (*name == '\0')
    get_folder (self, 0)->host = number;
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
resolve_vm (const FsVm *vm, FsNode *node)
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
  const FsFolder *folder = get_folder (self, node->id.slot);
  const FsVm *vm = get_vm (self, node->id.slot);

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
  gboolean is_vm = get_vm (self, slot) != NULL;

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
  folder = get_folder (self, slot);
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
  vm = get_vm (self, slot);
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
  folder = get_folder (self, slot);
  for (i = folder != NULL ? fs_folder_position (folder, after) : 0;
       folder != NULL && i < folder->children->len && count < max; i++) {
    guint32 child = g_array_index (folder->children, guint32, i);
    const FsVm *vm = get_vm (self, child);

    children[count].id = child_id (self, child);
    children[count++].name
      = g_strdup (vm != NULL ? vm->name : get_folder (self, child)->name);
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
  vm = get_vm (self, slot);
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
  vm = get_vm (self, slot);
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
  vm = get_vm (self, slot);
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
  vm = get_vm (self, slot);
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
  vm = get_vm (self, slot);
  folder = vm != NULL ? get_folder (self, vm->folder) : get_folder (self, slot);
  if (vm != NULL)
    g_ptr_array_add (parts, vm->name);
  for (; folder != NULL && folder->slot != 0;
       folder = get_folder (self, folder->parent))
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
  vm = get_vm (self, slot);
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
  vm = get_vm (self, slot);
  found = vm != NULL ? fs_vm_file_at (vm, file) : NULL;
  name = found != NULL ? g_strdup (found->name) : NULL;
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
  vm = get_vm (self, slot);
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
  vm = get_vm (self, slot);
  text = vm != NULL ? g_strdup (vm->description) : NULL;
  g_mutex_unlock (&self->lock);
  return text;
}

void
fs_tree_set_description (FsTree *self, guint32 slot, const char *text)
{
  FsVm *vm;

  g_mutex_lock (&self->lock);
  vm = get_vm (self, slot);
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
  vm = get_vm (self, slot);
  text = vm != NULL ? g_strdup (vm->error) : NULL;
  g_mutex_unlock (&self->lock);
  return text;
}

void
fs_tree_set_error (FsTree *self, guint32 slot, const char *text)
{
  FsVm *vm;

  g_mutex_lock (&self->lock);
  vm = get_vm (self, slot);
  if (vm != NULL) {
    g_free (vm->error);
    vm->error = g_strdup (text);
  }
  g_mutex_unlock (&self->lock);
}

/* ---- changes ---- */

const VixExtVM *
fs_tree_get_record (FsTree *self, guint host, const char *id, guint32 *ret_slot)
{
  const VixExtVM *record = NULL;
  const FsVm *vm;

  g_mutex_lock (&self->lock);
  vm = g_hash_table_lookup (get_host (self, host)->by_id, id);
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
    return get_folder (self, GPOINTER_TO_UINT (known));
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
    FsFolder *folder = get_folder (self, slot);
    FsFolder *parent = get_folder (self, folder->parent);

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
vm_identity (const Host *host, const VixExtVM *vm)
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
  Host *host = get_host (self, number);
  FsFolder *folder = get_folder (self, host->folder);
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
  g_hash_table_remove (get_host (self, vm->host)->by_id, vm->record->id);
  fs_vm_collect_all (vm, stale);
  fs_folder_remove_child (get_folder (self, vm->folder), vm->name, vm->slot,
                          stale);
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
  GHashTable *by_id = get_host (self, number)->by_id;
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
  unsettled = get_host (self, host)->unsettled;
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
enter_host (FsTree *self, Host *host, FsStale *stale)
{
  FsFolder *folder = get_folder (self, 0);

  if (*host->name == '\0')
    return;
  folder = enter_folder (self, folder, host->name, stale);
  if (folder == NULL)
    return;
  folder->host = (guint)(host - get_host (self, 0));
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
  unsettled = g_steal_pointer (&get_host (self, number)->unsettled);
  if (unsettled != NULL) {
    enter_host (self, get_host (self, number), stale);
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
  const Host *host;
  FsVm *known;

  g_mutex_lock (&self->lock);
  host = get_host (self, number);
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
  known = g_hash_table_lookup (get_host (self, host)->by_id, vm->id);
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
  vm = get_vm (self, slot);
  if (vm != NULL && (vm->alias & FS_INDEX_MAX) == alias)
    fs_vm_switch_alias (vm, stale);
  g_mutex_unlock (&self->lock);
}

void
fs_tree_expect_rename (FsTree *self, guint32 slot, gint64 id)
{
  FsVm *vm;

  g_mutex_lock (&self->lock);
  vm = get_vm (self, slot);
  if (vm != NULL)
    vm->expected_rename = id;
  g_mutex_unlock (&self->lock);
}

void
fs_tree_renew_snapshot (FsTree *self, guint32 slot, gint64 id, FsStale *stale)
{
  FsVm *vm;

  g_mutex_lock (&self->lock);
  vm = get_vm (self, slot);
  if (vm != NULL)
    fs_vm_renew_snapshot (vm, id, stale);
  g_mutex_unlock (&self->lock);
}
