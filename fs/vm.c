/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vm.h"

#include <string.h>

#include "name.h"
#include "slots.h"

FsVm *
fs_vm_new (guint32 slot, guint32 folder, const char *name, guint64 identity)
{
  FsVm *self = g_new0 (FsVm, 1);

  self->slot = slot;
  self->folder = folder;
  self->name = g_strdup (name);
  self->identity = identity;
  self->snapshots = g_array_new (FALSE, FALSE, sizeof (FsVmSnapshot));
  self->snapshot_slots.next = 1;
  self->file_slots.next = 1;
  return self;
}

void
fs_vm_free (FsVm *self)
{
  if (self == NULL)
    return;
  VixExt_UnrefVM (self->record);
  g_free (self->name);
  g_free (self->description);
  g_free (self->error);
  g_array_unref (self->snapshots);
  fs_pairs_free (self->pairs);
  g_free (self->files);
  g_free (self->file_names);
  g_free (self);
}

/* ---- slots ---- */

/* 0 if @used of the @max slots are all there are. */
static guint32
next_slot (FsSlotCounter *counter, guint32 max, guint used,
           gboolean (*is_used) (gconstpointer, guint32), const FsVm *vm)
{
  guint32 slot;

  if (used >= max)
    return 0;
  do {
    if (counter->next > max) {
      counter->next = 1;
      counter->generation++;
    }
    slot = counter->next++;
  } while (counter->generation > 0 && is_used (vm, slot));
  return slot;
}

guint
fs_vm_position (const FsVm *self, guint32 slot)
{
  return fs_slots_position (self->snapshots,
                            G_STRUCT_OFFSET (FsVmSnapshot, slot), slot);
}

const FsVmSnapshot *
fs_vm_find_slot (const FsVm *self, guint32 slot)
{
  return fs_slots_find (self->snapshots, G_STRUCT_OFFSET (FsVmSnapshot, slot),
                        slot);
}

static gboolean
is_there (gconstpointer data, guint32 slot)
{
  return fs_vm_find_slot (data, slot) != NULL;
}

const FsVmSnapshot *
fs_vm_find_id (const FsVm *self, gint64 id)
{
  guint i;

  for (i = 0; i < self->snapshots->len; i++) {
    const FsVmSnapshot *snapshot
      = &g_array_index (self->snapshots, FsVmSnapshot, i);

    if (snapshot->id == id)
      return snapshot;
  }
  return NULL;
}

/* ---- shown names ---- */

const VixExtSnapshot *
fs_record_snapshot (const VixExtVM *record, gint64 id)
{
  gsize low = 0;
  gsize high = record->numSnapshots;

  while (low < high) {
    gsize middle = low + (high - low) / 2;

    if (record->snapshots[middle].id == id)
      return &record->snapshots[middle];
    if (record->snapshots[middle].id < id)
      low = middle + 1;
    else
      high = middle;
  }
  return NULL;
}

static char *
shown_name (const VixExtSnapshot *snapshot, guint variant)
{
  char id[24];

  g_snprintf (id, sizeof id, "%" G_GINT64_FORMAT, (gint64)snapshot->id);
  return fs_name_shown (snapshot->name, id, variant);
}

char *
fs_vm_snapshot_name (const FsVm *self, const FsVmSnapshot *snapshot)
{
  return shown_name (fs_record_snapshot (self->record, snapshot->id),
                     snapshot->variant);
}

const FsVmSnapshot *
fs_vm_find_name (const FsVm *self, const char *shown)
{
  guint i;

  for (i = 0; i < self->snapshots->len; i++) {
    const FsVmSnapshot *snapshot
      = &g_array_index (self->snapshots, FsVmSnapshot, i);
    g_autofree char *name = fs_vm_snapshot_name (self, snapshot);

    if (strcmp (name, shown) == 0)
      return snapshot;
  }
  return NULL;
}

/* The first variant that is not in @taken, where it then is. */
static guint16
choose_variant (const VixExtSnapshot *snapshot, GHashTable *taken)
{
  guint variant = 0;

  while (variant < G_MAXUINT16) {
    g_autofree char *shown = shown_name (snapshot, variant);

    if (g_hash_table_add (taken, g_steal_pointer (&shown)))
      break;
    variant++;
  }
  return (guint16)variant;
}

/* ---- a new record ---- */

/* Drops what is gone or renamed from the list; returns the shown names of the
 * rest. */
static GHashTable *
drop_changed (FsVm *self, const VixExtVM *record, GArray *renamed)
{
  GHashTable *taken
    = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  guint i = 0;

  while (self->record != NULL && i < self->snapshots->len) {
    const FsVmSnapshot *old = &g_array_index (self->snapshots, FsVmSnapshot, i);
    const VixExtSnapshot *now = fs_record_snapshot (record, old->id);
    g_autofree char *shown = fs_vm_snapshot_name (self, old);

    if (now != NULL
        && strcmp (now->name, fs_record_snapshot (self->record, old->id)->name)
             == 0) {
      g_hash_table_add (taken, g_steal_pointer (&shown));
      i++;
      continue;
    }
    if (now != NULL)
      g_array_append_val (renamed, *old);
    g_array_remove_index (self->snapshots, i);
  }
  return taken;
}

static void
insert_snapshot (FsVm *self, FsVmSnapshot snapshot)
{
  g_array_insert_val (self->snapshots, fs_vm_position (self, snapshot.slot),
                      snapshot);
}

/* If there is one; with a million of snapshots it keeps the old one. */
static void
renew_slot (FsVm *self, FsVmSnapshot *snapshot)
{
  guint32 slot = next_slot (&self->snapshot_slots, FS_SNAPSHOT_SLOT_MAX,
                            self->snapshots->len, is_there, self);

  if (slot == 0)
    return;
  snapshot->slot = slot;
  snapshot->generation = self->snapshot_slots.generation;
}

/* ---- what follows from which snapshots there are ---- */

guint32
fs_vm_pair (FsVm *self, guint32 newer, guint32 older)
{
  if (!is_there (self, newer) || !is_there (self, older))
    return 0;
  if (self->pairs == NULL)
    self->pairs = fs_pairs_new ();
  return fs_pairs_enter (self->pairs, newer, older);
}

/* Pairs of snapshots that are gone go, and another may be the newest. */
static void
follow_snapshots (FsVm *self)
{
  const FsVmSnapshot *newest = NULL;

  if (self->pairs != NULL)
    fs_pairs_prune (self->pairs, is_there, self);
  if (self->record->numSnapshots > 0)
    newest = fs_vm_find_id (
      self, self->record->snapshots[self->record->numSnapshots - 1].id);
  self->newest = newest != NULL ? newest->slot : 0;
}

void
fs_vm_renew_snapshot (FsVm *self, gint64 id, FsStale *stale)
{
  const FsVmSnapshot *found = fs_vm_find_id (self, id);
  FsVmSnapshot snapshot;

  if (self->expected_rename == id)
    self->expected_rename = 0;
  if (found == NULL)
    return;
  fs_vm_collect_all (self, stale);
  snapshot = *found;
  g_array_remove_index (self->snapshots, fs_vm_position (self, snapshot.slot));
  renew_slot (self, &snapshot);
  insert_snapshot (self, snapshot);
  follow_snapshots (self);
  self->version++;
}

static void
add_new (FsVm *self, const VixExtVM *record, GHashTable *known,
         GHashTable *taken)
{
  gsize i;

  for (i = 0; i < record->numSnapshots; i++) {
    const VixExtSnapshot *from = &record->snapshots[i];
    FsVmSnapshot snapshot = { .id = from->id };

    if (g_hash_table_contains (known, &from->id))
      continue;
    snapshot.slot = next_slot (&self->snapshot_slots, FS_SNAPSHOT_SLOT_MAX,
                               self->snapshots->len, is_there, self);
    if (snapshot.slot == 0)
      return;
    snapshot.generation = self->snapshot_slots.generation;
    snapshot.variant = choose_variant (from, taken);
    insert_snapshot (self, snapshot);
  }
}

static GHashTable *
known_ids (const FsVm *self)
{
  GHashTable *known
    = g_hash_table_new_full (g_int64_hash, g_int64_equal, g_free, NULL);
  guint i;

  for (i = 0; i < self->snapshots->len; i++)
    g_hash_table_add (
      known, g_memdup2 (&g_array_index (self->snapshots, FsVmSnapshot, i).id,
                        sizeof (gint64)));
  return known;
}

void
fs_vm_update (FsVm *self, const VixExtVM *record, FsStale *stale)
{
  g_autoptr (GArray) renamed
    = g_array_new (FALSE, FALSE, sizeof (FsVmSnapshot));
  g_autoptr (GHashTable) taken = NULL;
  g_autoptr (GHashTable) known = NULL;
  const VixExtVM *old = self->record;
  guint i;

  /* What is gone is asked for once more, too: somebody may have it open. */
  if (old != NULL)
    fs_vm_collect_all (self, stale);
  taken = drop_changed (self, record, renamed);
  self->record = VixExt_RefVM (record);
  VixExt_UnrefVM (old);
  for (i = 0; i < renamed->len; i++) {
    FsVmSnapshot *snapshot = &g_array_index (renamed, FsVmSnapshot, i);

    snapshot->variant
      = choose_variant (fs_record_snapshot (record, snapshot->id), taken);
    if (self->alias > 0 || snapshot->id != self->expected_rename)
      renew_slot (self, snapshot);
    if (snapshot->id == self->expected_rename)
      self->expected_rename = 0;
    insert_snapshot (self, *snapshot);
  }
  known = known_ids (self);
  if (record->numSnapshots > g_hash_table_size (known))
    add_new (self, record, known, taken);
  follow_snapshots (self);
  self->version++;
}

/* ---- files ---- */

const char *
fs_vm_file_name (const FsVm *self, const FsVmFile *file)
{
  return self->file_names + file->name;
}

static guint
position_of_file (const FsVm *self, const char *name, gboolean *ret_found)
{
  guint low = 0;
  guint high = self->n_files;

  *ret_found = FALSE;
  while (low < high) {
    guint middle = low + (high - low) / 2;
    int order = strcmp (fs_vm_file_name (self, &self->files[middle]), name);

    if (order == 0) {
      *ret_found = TRUE;
      return middle;
    }
    if (order < 0)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

const FsVmFile *
fs_vm_file_at (const FsVm *self, guint32 slot)
{
  guint i;

  for (i = 0; i < self->n_files; i++)
    if (self->files[i].slot == slot)
      return &self->files[i];
  return NULL;
}

static gboolean
file_slot_is_used (gconstpointer data, guint32 slot)
{
  return fs_vm_file_at (data, slot) != NULL;
}

static guint32
add_file_name (FsVm *self, const char *name)
{
  guint32 at = self->file_names_size;
  guint32 size = (guint32)strlen (name) + 1;

  self->file_names = g_realloc (self->file_names, at + size);
  memcpy (self->file_names + at, name, size);
  self->file_names_size += size;
  return at;
}

const FsVmFile *
fs_vm_file (FsVm *self, const char *name)
{
  FsVmFile file = { 0 };
  gboolean found;
  guint at = position_of_file (self, name, &found);

  if (!found) {
    file.slot = (guint16)next_slot (&self->file_slots, FS_INDEX_MAX,
                                    self->n_files, file_slot_is_used, self);
    if (file.slot == 0)
      return NULL;
    file.generation = self->file_slots.generation;
    file.name = add_file_name (self, name);
    self->files = g_renew (FsVmFile, self->files, self->n_files + 1);
    memmove (self->files + at + 1, self->files + at,
             (self->n_files - at) * sizeof *self->files);
    self->files[at] = file;
    self->n_files++;
  }
  return &self->files[at];
}

void
fs_vm_prune_files (FsVm *self, GHashTable *names)
{
  g_autofree char *old_names = g_steal_pointer (&self->file_names);
  guint kept = 0;
  guint i;

  self->file_names_size = 0;
  for (i = 0; i < self->n_files; i++) {
    FsVmFile file = self->files[i];
    const char *name = old_names + file.name;

    if (!g_hash_table_contains (names, name))
      continue;
    file.name = add_file_name (self, name);
    self->files[kept++] = file;
  }
  self->n_files = kept;
}

/* ---- what the kernel may have ---- */

/* Node id of something of this VM. */
static guint64
vm_node (const FsVm *self, guint32 snapshot, FsKindId kind, guint32 index)
{
  return fs_node_pack ((FsNodeId){ self->slot, snapshot, kind, index });
}

G_STATIC_ASSERT (FS_N_KINDS <= 64);
G_STATIC_ASSERT (FS_ALIASES_KEPT <= 64);

void
fs_vm_note_asked (FsVm *self, FsNodeId id)
{
  guint32 behind = (self->alias - id.index) & FS_INDEX_MAX;

  self->kinds_asked |= G_GUINT64_CONSTANT (1) << id.kind;
  /* The ways into an alias: nobody gets to the rest without them. */
  if ((id.kind == FS_KIND_SNAPSHOTS || id.kind == FS_KIND_CURRENT
       || id.kind == FS_KIND_POWER)
      && behind < FS_ALIASES_KEPT)
    self->aliases_asked |= G_GUINT64_CONSTANT (1) << behind;
}

static void
collect (const FsVm *self, guint32 slot, FsKindId kind, guint32 index,
         FsStale *stale)
{
  if (self->kinds_asked >> kind & 1)
    fs_stale_add_node (stale, vm_node (self, slot, kind, index));
}

/* Whether the kernel may have anything under the alias @behind the newest. */
static gboolean
is_alias_asked (const FsVm *self, guint32 behind)
{
  return behind <= self->alias && self->aliases_asked >> behind & 1;
}

static void
collect_alias (const FsVm *self, guint32 alias, FsStale *stale)
{
  guint n_pairs = 0;
  const FsPair *pairs
    = self->pairs != NULL ? fs_pairs_list (self->pairs, &n_pairs) : NULL;
  guint i;

  collect (self, 0, FS_KIND_CURRENT, alias, stale);
  collect (self, 0, FS_KIND_POWER, alias, stale);
  collect (self, 0, FS_KIND_SNAPSHOTS, alias, stale);
  for (i = 0; i < self->snapshots->len; i++) {
    guint32 slot = g_array_index (self->snapshots, FsVmSnapshot, i).slot;

    collect (self, slot, FS_KIND_SNAPSHOT, alias, stale);
    collect (self, slot, FS_KIND_DESCRIPTION, alias, stale);
    collect (self, slot, FS_KIND_SNAPSHOT_FILES, alias, stale);
    collect (self, slot, FS_KIND_DISKS, alias, stale);
    collect (self, slot, FS_KIND_SINCE, alias, stale);
  }
  for (i = 0; i < n_pairs; i++)
    collect (self, pairs[i].slot, FS_KIND_OLDER, alias, stale);
}

/* More than a VM can have: four SCSI controllers of 64, and others. */
#define MANY_DISKS 512

/* Files that tell what a snapshot changed tell of its parent, which may become
 * another. */
static void
collect_changes (const FsVm *self, guint32 slot, gint64 id, FsStale *stale)
{
  const VixExtSnapshot *snapshot = fs_record_snapshot (self->record, id);
  int n = snapshot->numDisks >= 0 ? snapshot->numDisks : MANY_DISKS;
  int i;

  for (i = 1; i <= MIN (n, FS_INDEX_MAX); i++) {
    collect (self, slot, FS_KIND_CHANGES, (guint32)i, stale);
    if (slot == self->newest)
      collect (self, slot, FS_KIND_LATEST_CHANGES, (guint32)i, stale);
  }
}

static void
collect_latest (const FsVm *self, FsStale *stale)
{
  static const FsKindId kinds[] = {
    FS_KIND_LATEST,        FS_KIND_LATEST_INFO,   FS_KIND_LATEST_DESCRIPTION,
    FS_KIND_LATEST_PARENT, FS_KIND_LATEST_CONFIG, FS_KIND_LATEST_DISKS,
    FS_KIND_LATEST_FILES
  };
  guint i;

  for (i = 0; self->newest != 0 && i < G_N_ELEMENTS (kinds); i++)
    collect (self, 0, kinds[i], 0, stale);
}

void
fs_vm_collect_all (const FsVm *self, FsStale *stale)
{
  static const FsKindId of_vm[]
    = { FS_KIND_VM, FS_KIND_VM_INFO, FS_KIND_VM_FILES, FS_KIND_TREE };
  guint i;

  for (i = 0; i < G_N_ELEMENTS (of_vm); i++)
    collect (self, 0, of_vm[i], 0, stale);
  for (i = 0; i < self->snapshots->len; i++) {
    guint32 slot = g_array_index (self->snapshots, FsVmSnapshot, i).slot;

    collect (self, slot, FS_KIND_SNAPSHOT_INFO, 0, stale);
    collect (self, slot, FS_KIND_PARENT, 0, stale);
    /* It names files, which a merge may call otherwise. */
    collect (self, slot, FS_KIND_CONFIG, 0, stale);
    collect_changes (
      self, slot, g_array_index (self->snapshots, FsVmSnapshot, i).id, stale);
  }
  collect_latest (self, stale);
  for (i = 0; i < FS_ALIASES_KEPT; i++)
    if (is_alias_asked (self, i))
      collect_alias (self, (self->alias - i) & FS_INDEX_MAX, stale);
  for (i = 0; i < self->n_files; i++)
    collect (self, 0, FS_KIND_FILE, self->files[i].slot, stale);
}

void
fs_vm_collect_snapshots (const FsVm *self, FsStale *stale)
{
  guint i;

  collect (self, 0, FS_KIND_MARK_MEMORY, 0, stale);
  collect (self, 0, FS_KIND_MARK_QUIESCE, 0, stale);
  for (i = 0; i < FS_ALIASES_KEPT; i++)
    if (is_alias_asked (self, i))
      collect (self, 0, FS_KIND_SNAPSHOTS, (self->alias - i) & FS_INDEX_MAX,
               stale);
}

void
fs_vm_switch_alias (FsVm *self, FsStale *stale)
{
  guint64 directory = vm_node (self, 0, FS_KIND_VM, 0);

  self->alias++;
  self->aliases_asked <<= 1;
  fs_stale_add_entry (stale, directory, "snapshots");
  fs_stale_add_entry (stale, directory, "current");
  fs_stale_add_entry (stale, directory, "power");
}
