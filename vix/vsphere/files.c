/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * files.c - the files of a virtual machine, and of each of its snapshots, as
 * layoutEx lists them.
 */
#include <string.h>

#include "base/error.h"
#include "vsphere/host-private.h"
#include "vsphere/soap/fault.h"

/* Which keys of layoutEx.file are meant; a set of gint64. */
typedef GHashTable KeySet;

typedef struct {
  const VixExtVM *vm;
  gint64 snapshot;
  const char *ref;       /* of the snapshot; NULL for the VM */
  GPtrArray *child_refs; /* of the snapshots that stand on it */
  GArray *files;         /* VixExtFile; the names are owned */
  gboolean found;        /* the snapshot is in layoutEx */
} Listing;

static void
add_key (KeySet *set, gint64 key)
{
  if (key >= 0)
    g_hash_table_add (set, g_memdup2 (&key, sizeof key));
}

static void
add_chain_keys (KeySet *set, const KeySet *except,
                const SoapFileLayoutExDiskLayout *disks, gsize n)
{
  for (gsize i = 0; i < n; i++)
    for (gsize j = 0; j < disks[i].chain.n; j++) {
      const SoapInts *keys = &disks[i].chain.items[j].fileKey;

      for (gsize k = 0; k < keys->n; k++)
        if (except == NULL
            || !g_hash_table_contains ((GHashTable *)except, &keys->items[k]))
          add_key (set, keys->items[k]);
    }
}

static KeySet *
key_set_new (void)
{
  return g_hash_table_new_full (g_int64_hash, g_int64_equal, g_free, NULL);
}

static const SoapFileLayoutExSnapshotLayout *
find_layout (const SoapVirtualMachineFileLayoutEx *layout, const char *ref)
{
  for (gsize i = 0; i < layout->snapshot.n; i++)
    if (g_strcmp0 (layout->snapshot.items[i].key.value, ref) == 0)
      return &layout->snapshot.items[i];
  return NULL;
}

/* A snapshot owns its state and memory, and the deltas written since it was
 * taken: what its children's chains (or the VM's) have beyond its own. */
static KeySet *
keys_of_snapshot (const SoapVirtualMachineFileLayoutEx *layout,
                  Listing *listing)
{
  const SoapFileLayoutExSnapshotLayout *own
    = find_layout (layout, listing->ref);
  g_autoptr (GHashTable) below = key_set_new ();
  KeySet *keys = key_set_new ();

  listing->found = own != NULL;
  if (own == NULL)
    return keys;
  add_key (keys, own->dataKey);
  /* No memory is -1, or absent. */
  if (own->memoryKey > 0)
    add_key (keys, own->memoryKey);
  add_chain_keys (below, NULL, own->disk.items, own->disk.n);
  for (guint i = 0; i < listing->child_refs->len; i++) {
    const SoapFileLayoutExSnapshotLayout *child
      = find_layout (layout, listing->child_refs->pdata[i]);

    if (child != NULL)
      add_chain_keys (keys, below, child->disk.items, child->disk.n);
  }
  if (listing->vm->currentSnapshot == listing->snapshot)
    add_chain_keys (keys, below, layout->disk.items, layout->disk.n);
  return keys;
}

static gint64
time_of (const Listing *listing)
{
  const VixExtSnapshot *snapshot
    = vix_vm_record_find_snapshot (listing->vm, listing->snapshot);

  return snapshot != NULL ? snapshot->created : listing->vm->changed;
}

/* "[ds] dir/web.vmx" is "web.vmx" here. */
static const char *
name_of (const char *path)
{
  const char *slash = strrchr (path, '/');
  const char *bracket = strchr (path, ']');

  if (slash != NULL)
    return slash + 1;
  return bracket == NULL ? path : bracket + 1 + strspn (bracket + 1, " ");
}

static void
add_file (Listing *listing, const SoapFileLayoutExFileInfo *info)
{
  const char *name = name_of (info->name);
  VixExtFile file = { .bytes = MAX (info->size, 0),
                      .allocated = MAX (info->size, 0),
                      .modified = time_of (listing) };

  if (*name == '\0')
    return;
  /* Files of one name in two directories: the first one it is. */
  for (guint i = 0; i < listing->files->len; i++)
    if (g_str_equal (g_array_index (listing->files, VixExtFile, i).name, name))
      return;
  file.name = g_strdup (name);
  g_array_append_val (listing->files, file);
}

static void
take_layout (const SoapObjectContent *content, gboolean cut, SoapArena *arena,
             gpointer data)
{
  Listing *listing = data;
  const SoapNode *value = vsphere_content_get (content, "layoutEx");
  const SoapVirtualMachineFileLayoutEx *layout;
  g_autoptr (GHashTable) keys = NULL;

  if (value == NULL
      || !soap_decode_value (SOAP_KIND_STRUCT,
                             &soap_type_VirtualMachineFileLayoutEx, "layoutEx",
                             value, arena, &layout, NULL))
    return;
  if (listing->ref != NULL)
    keys = keys_of_snapshot (layout, listing);
  for (gsize i = 0; i < layout->file.n; i++)
    if (keys == NULL
        || g_hash_table_contains (keys, &layout->file.items[i].key))
      add_file (listing, &layout->file.items[i]);
}

static int
compare_files (gconstpointer a, gconstpointer b)
{
  return strcmp (((const VixExtFile *)a)->name, ((const VixExtFile *)b)->name);
}

/* All in one block: the array, then the names. */
static VixExtFile *
pack_files (GArray *files)
{
  gsize bytes = sizeof (VixExtFile) * MAX (files->len, 1);
  VixExtFile *packed;
  char *at;
  gsize n;

  g_array_sort (files, compare_files);
  for (guint i = 0; i < files->len; i++)
    bytes += strlen (g_array_index (files, VixExtFile, i).name) + 1;
  packed = g_malloc0 (bytes);
  at = (char *)(packed + MAX (files->len, 1));
  for (guint i = 0; i < files->len; i++) {
    packed[i] = g_array_index (files, VixExtFile, i);
    n = strlen (packed[i].name) + 1;
    packed[i].name = memcpy (at, packed[i].name, n);
    at += n;
  }
  return packed;
}

static void
free_name (gpointer data)
{
  g_free ((char *)((VixExtFile *)data)->name);
}

static void
collect_child_refs (VsphereHost *host, Listing *listing)
{
  const VsphereVm *vm;

  vix_lock (&host->lock);
  vm = vsphere_mirror_get_vm (host->mirror, listing->vm->id);
  for (size_t i = 0; vm != NULL && i < listing->vm->numSnapshots; i++) {
    const VixExtSnapshot *snapshot = &listing->vm->snapshots[i];
    const char *ref = vsphere_vm_get_snapshot_ref (vm, snapshot->id);

    if (snapshot->parent == listing->snapshot && ref != NULL)
      g_ptr_array_add (listing->child_refs, g_strdup (ref));
  }
  vix_unlock (&host->lock);
}

gboolean
vsphere_list_files (VsphereHost *host, const char *id, gint64 snapshot,
                    VixExtFile **ret_files, gsize *ret_count, const VixOp *op,
                    GError **error)
{
  static const char *const paths[] = { "layoutEx", NULL };
  g_autoptr (VixVmRecord) vm
    = vsphere_lookup_vm (host, id, op->cancellable, error);
  g_autoptr (GArray) files = g_array_new (FALSE, FALSE, sizeof (VixExtFile));
  g_autoptr (GPtrArray) child_refs = g_ptr_array_new_with_free_func (g_free);
  g_autofree char *ref = NULL;
  Listing listing = {
    .vm = vm, .snapshot = snapshot, .child_refs = child_refs, .files = files
  };
  SoapRef object = { "VirtualMachine", id };
  g_auto (VsphereSpec) spec = { .n_props = 0 };

  g_array_set_clear_func (files, free_name);
  if (vm == NULL || !vsphere_watch_check_here (host->watch, error))
    return FALSE;
  if (snapshot != 0) {
    ref = vsphere_lookup_snapshot (host, id, snapshot, op->cancellable, error);
    if (ref == NULL)
      return FALSE;
    listing.ref = ref;
    collect_child_refs (host, &listing);
  }
  vsphere_spec_init_objects (&spec, paths, &object, 1);
  if (!vsphere_retrieve (host, &spec, take_layout, &listing, op->cancellable,
                         error))
    return FALSE;
  *ret_files = pack_files (files);
  *ret_count = files->len;
  return TRUE;
}
