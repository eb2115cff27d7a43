/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * mirror-vm.c - from the properties of a virtual machine to its record.
 */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "vsphere/mirror-private.h"
#include "vsphere/name.h"

/* The most that a VM is shown with. No product makes more than 496. */
#define MAX_SNAPSHOTS 20000u

static VsphereVm *
vm_of (MirrorNode *node)
{
  g_assert (node->kind == MIRROR_VM);
  return (VsphereVm *)node;
}

/* ---- snapshots ---- */

/* A snapshot on its way into the record, with its object. */
typedef struct {
  VixExtSnapshot fact;
  const char *ref;
  char *name; /* owned: decoded */
} Draft;

static void
draft_clear (gpointer data)
{
  g_free (((Draft *)data)->name);
}

static int
compare_drafts (gconstpointer a, gconstpointer b)
{
  gint64 x = ((const Draft *)a)->fact.id;
  gint64 y = ((const Draft *)b)->fact.id;

  return (x > y) - (x < y);
}

static int
snapshot_power_state (const char *state)
{
  if (g_strcmp0 (state, "poweredOn") == 0)
    return VIX_POWERSTATE_POWERED_ON;
  if (g_strcmp0 (state, "suspended") == 0)
    return VIX_POWERSTATE_SUSPENDED;
  return VIX_POWERSTATE_POWERED_OFF;
}

/* The oldest hosts number their objects only: make a number of the object
 * that stays the same. */
static gint64
snapshot_id (const SoapVirtualMachineSnapshotTree *tree)
{
  if (tree->id > 0)
    return tree->id;
  return (gint64)g_str_hash (tree->snapshot.value) + 1;
}

static void
add_tree (GArray *drafts, const SoapVirtualMachineSnapshotTree *tree,
          gint64 parent)
{
  Draft draft = { .ref = tree->snapshot.value };

  if (drafts->len >= MAX_SNAPSHOTS)
    return;
  draft.name = vsphere_name_decode (tree->name == NULL ? "" : tree->name);
  draft.fact = (VixExtSnapshot){
    .id = snapshot_id (tree),
    .parent = parent,
    .created = tree->createTime,
    .name = draft.name,
    .description = tree->description,
    .powerState = snapshot_power_state (tree->state),
  };
  /* The host says what a revert restores: not to be off takes memory. */
  if (draft.fact.powerState != VIX_POWERSTATE_POWERED_OFF)
    draft.fact.flags |= VIXEXT_SNAPSHOT_HAS_MEMORY;
  if (tree->quiesced)
    draft.fact.flags |= VIXEXT_SNAPSHOT_QUIESCED;
  g_array_append_val (drafts, draft);
  for (gsize i = 0; i < tree->childSnapshotList.n; i++)
    add_tree (drafts, &tree->childSnapshotList.items[i], draft.fact.id);
}

/* A host that gives two snapshots one id: the first keeps it. */
static void
drop_duplicates (GArray *drafts)
{
  guint kept = 0;

  g_array_sort (drafts, compare_drafts);
  for (guint i = 0; i < drafts->len; i++) {
    Draft *draft = &g_array_index (drafts, Draft, i);

    if (kept > 0
        && g_array_index (drafts, Draft, kept - 1).fact.id == draft->fact.id) {
      draft_clear (draft);
      continue;
    }
    if (kept != i)
      g_array_index (drafts, Draft, kept) = *draft;
    kept++;
  }
  drafts->len = kept;
}

static char *
pack_refs (const GArray *drafts)
{
  GString *refs = g_string_new (NULL);

  for (guint i = 0; i < drafts->len; i++) {
    const char *ref = g_array_index (drafts, Draft, i).ref;

    g_string_append_len (refs, ref, (gssize)strlen (ref) + 1);
  }
  return g_string_free (refs, FALSE);
}

/* Replaces the snapshots in the record. */
static void
take_snapshots (VsphereVm *self, const GArray *drafts, const SoapRef *current)
{
  VixExtVM from = *self->record;
  const VixExtVM *old = self->record;
  g_autofree VixExtSnapshot *facts = g_new (VixExtSnapshot, drafts->len);

  from.currentSnapshot = 0;
  for (guint i = 0; i < drafts->len; i++) {
    const Draft *draft = &g_array_index (drafts, Draft, i);

    facts[i] = draft->fact;
    if (g_strcmp0 (draft->ref, current->value) == 0)
      from.currentSnapshot = draft->fact.id;
  }
  from.snapshots = facts;
  from.numSnapshots = drafts->len;
  self->record = vix_vm_record_new (&from);
  vix_vm_record_unref (old);
  g_free (self->snapshot_refs);
  self->snapshot_refs = pack_refs (drafts);
  mirror_vm_forget_gone (self);
}

static void
set_snapshot (VsphereMirror *mirror, MirrorNode *node, gconstpointer value)
{
  static const SoapVirtualMachineSnapshotInfo none
    = { .rootSnapshotList = { NULL, 0 } };
  const SoapVirtualMachineSnapshotInfo *info
    = value == NULL ? &none
                    : *(const SoapVirtualMachineSnapshotInfo *const *)value;
  GArray *drafts = g_array_new (FALSE, FALSE, sizeof (Draft));

  for (gsize i = 0; i < info->rootSnapshotList.n; i++)
    add_tree (drafts, &info->rootSnapshotList.items[i], 0);
  drop_duplicates (drafts);
  take_snapshots (vm_of (node), drafts, &info->currentSnapshot);
  g_array_set_clear_func (drafts, draft_clear);
  g_array_unref (drafts);
}

/* Where the files are known, so is which disks a snapshot has. A host that does
 * not tell them, or not yet, does tell what its configuration was; of a VM that
 * it cannot get at it tells neither. */
static VixExtSnapshot *
count_disks (const VsphereVm *self, const VixExtVM *from)
{
  g_autoptr (GHashTable) counts = vsphere_layout_count_disks (self->layout);
  VixExtSnapshot *snapshots = g_new (VixExtSnapshot, from->numSnapshots);
  const char *ref = self->snapshot_refs;

  for (gsize i = 0; i < from->numSnapshots; i++, ref += strlen (ref) + 1) {
    gpointer count;

    snapshots[i] = from->snapshots[i];
    snapshots[i].numDisks = self->connection != NULL ? 0 : -1;
    if (counts != NULL
        && g_hash_table_lookup_extended (counts, ref, NULL, &count))
      snapshots[i].numDisks = GPOINTER_TO_INT (count);
  }
  return snapshots;
}

const char *
vsphere_vm_get_snapshot_ref (const VsphereVm *self, gint64 id)
{
  const char *ref = self->snapshot_refs;

  for (gsize i = 0; i < self->record->numSnapshots;
       i++, ref += strlen (ref) + 1)
    if (self->record->snapshots[i].id == id)
      return ref;
  return NULL;
}

gint64
vsphere_vm_find_snapshot_id (const VsphereVm *self, const char *ref)
{
  const char *at = self->snapshot_refs;

  for (gsize i = 0; i < self->record->numSnapshots; i++, at += strlen (at) + 1)
    if (g_str_equal (at, ref))
      return self->record->snapshots[i].id;
  return 0;
}

/* ---- the other properties ---- */

static const char *
text_of (gconstpointer value)
{
  return value == NULL ? NULL : *(const char *const *)value;
}

static void
set_text (char **slot, gconstpointer value)
{
  g_free (*slot);
  *slot = g_strdup (text_of (value));
}

static int
int_of (gconstpointer value)
{
  return value == NULL ? 0 : (int)CLAMP (*(const gint64 *)value, 0, G_MAXINT);
}

static gboolean
bool_of (gconstpointer value)
{
  return value != NULL && *(const gboolean *)value;
}

static void
set_name (VsphereMirror *mirror, MirrorNode *node, gconstpointer value)
{
  set_text (&node->name, value);
}

static void
set_parent (VsphereMirror *mirror, MirrorNode *node, gconstpointer value)
{
  mirror_set_link (mirror, &node->parent, value);
}

static void
set_vapp (VsphereMirror *mirror, MirrorNode *node, gconstpointer value)
{
  mirror_set_link (mirror, &node->vapp, value);
}

static void
set_path (VsphereMirror *mirror, MirrorNode *node, gconstpointer value)
{
  set_text (&vm_of (node)->wire_path, value);
}

static void
set_template (VsphereMirror *mirror, MirrorNode *node, gconstpointer value)
{
  vm_of (node)->is_template = bool_of (value);
}

static void
set_uuid (VsphereMirror *mirror, MirrorNode *node, gconstpointer value)
{
  VsphereVm *vm = vm_of (node);
  const char *text = text_of (value);

  g_free (vm->uuid);
  vm->uuid = text == NULL || !g_uuid_string_is_valid (text)
               ? NULL
               : g_ascii_strdown (text, -1);
}

static void
set_guest_id (VsphereMirror *mirror, MirrorNode *node, gconstpointer value)
{
  set_text (&vm_of (node)->guest_id, value);
}

static void
set_vcpus (VsphereMirror *mirror, MirrorNode *node, gconstpointer value)
{
  vm_of (node)->vcpus = int_of (value);
}

static void
set_memory (VsphereMirror *mirror, MirrorNode *node, gconstpointer value)
{
  vm_of (node)->memory_mib = int_of (value);
}

/* "vmx-21" */
static void
set_version (VsphereMirror *mirror, MirrorNode *node, gconstpointer value)
{
  const char *text = text_of (value);
  const char *dash = text == NULL ? NULL : strrchr (text, '-');
  guint64 number = 0;

  if (dash != NULL)
    g_ascii_string_to_unsigned (dash + 1, 10, 0, 999, &number, NULL);
  vm_of (node)->hardware_version = (int)number;
}

/* A time on all products that were seen; then it is when the configuration
 * changed last. */
static void
set_change_version (VsphereMirror *mirror, MirrorNode *node,
                    gconstpointer value)
{
  const char *text = text_of (value);

  vm_of (node)->config_changed = 0;
  if (text != NULL)
    soap_parse_time (text, &vm_of (node)->config_changed);
}

static int
look_up (const char *text, int fallback, const char *const *words,
         const int *values)
{
  for (gsize i = 0; text != NULL && words[i] != NULL; i++)
    if (g_str_equal (text, words[i]))
      return values[i];
  return fallback;
}

static void
set_power_state (VsphereMirror *mirror, MirrorNode *node, gconstpointer value)
{
  static const char *const words[]
    = { "poweredOn", "poweredOff", "suspended", NULL };
  static const int values[]
    = { VIX_POWERSTATE_POWERED_ON, VIX_POWERSTATE_POWERED_OFF,
        VIX_POWERSTATE_SUSPENDED };

  vm_of (node)->power_state
    = look_up (text_of (value), VIX_POWERSTATE_POWERED_OFF, words, values);
}

static void
set_tools (VsphereMirror *mirror, MirrorNode *node, gconstpointer value)
{
  static const char *const words[]
    = { "guestToolsRunning", "guestToolsExecutingScripts",
        "guestToolsNotRunning", NULL };
  static const int values[] = { VIX_TOOLSSTATE_RUNNING, VIX_TOOLSSTATE_RUNNING,
                                VIX_TOOLSSTATE_NOT_INSTALLED };

  vm_of (node)->tools_state
    = look_up (text_of (value), VIX_TOOLSSTATE_UNKNOWN, words, values);
}

static void
set_connection (VsphereMirror *mirror, MirrorNode *node, gconstpointer value)
{
  VsphereVm *vm = vm_of (node);
  const char *text = text_of (value);

  set_text (&vm->connection, value);
  if (text != NULL && g_str_equal (text, "connected"))
    g_clear_pointer (&vm->connection, g_free);
}

static void
set_consolidation (VsphereMirror *mirror, MirrorNode *node, gconstpointer value)
{
  vm_of (node)->needs_consolidation = bool_of (value);
}

static void
set_question (VsphereMirror *mirror, MirrorNode *node, gconstpointer value)
{
  VsphereVm *vm = vm_of (node);
  const SoapVirtualMachineQuestionInfo *info
    = value == NULL ? NULL
                    : *(const SoapVirtualMachineQuestionInfo *const *)value;

  g_clear_pointer (&vm->question, g_free);
  if (info != NULL)
    vm->question = g_strdup (info->text == NULL ? "" : info->text);
}

static void
set_layout (VsphereMirror *mirror, MirrorNode *node, gconstpointer value)
{
  VsphereVm *vm = vm_of (node);

  g_clear_pointer (&vm->layout, g_free);
  vm->layout_cut = FALSE;
  if (value != NULL)
    vm->layout = vsphere_layout_new (
      *(const SoapVirtualMachineFileLayoutEx *const *)value, &vm->layout_cut);
}

#define VM(path, since, kind, type, set)                                       \
  {                                                                            \
    MIRROR_VM, path, since, SOAP_KIND_##kind, type, set                        \
  }

/* Each is paid for by the host on every change of a VM: the fewest that the
 * tree can do with. */
const MirrorProperty mirror_vm_properties[] = {
  VM ("name", "2.5", STRING, NULL, set_name),
  VM ("parent", "2.5", REF, NULL, set_parent),
  VM ("parentVApp", "4.0", REF, NULL, set_vapp),
  VM ("summary.config.vmPathName", "2.5", STRING, NULL, set_path),
  VM ("config.template", "2.5", BOOL, NULL, set_template),
  VM ("config.uuid", "2.5", STRING, NULL, set_uuid),
  VM ("config.version", "2.5", STRING, NULL, set_version),
  VM ("config.changeVersion", "2.5", STRING, NULL, set_change_version),
  VM ("summary.config.guestId", "2.5", STRING, NULL, set_guest_id),
  VM ("summary.config.numCpu", "2.5", INT, NULL, set_vcpus),
  VM ("summary.config.memorySizeMB", "2.5", INT, NULL, set_memory),
  VM ("guest.toolsRunningStatus", "4.0", STRING, NULL, set_tools),
  VM ("runtime.powerState", "2.5", STRING, NULL, set_power_state),
  VM ("runtime.connectionState", "2.5", STRING, NULL, set_connection),
  VM ("runtime.consolidationNeeded", "5.0", BOOL, NULL, set_consolidation),
  VM ("runtime.question", "2.5", STRUCT, &soap_type_VirtualMachineQuestionInfo,
      set_question),
  VM ("snapshot", "2.5", STRUCT, &soap_type_VirtualMachineSnapshotInfo,
      set_snapshot),
  VM ("layoutEx", "4.0", STRUCT, &soap_type_VirtualMachineFileLayoutEx,
      set_layout),
};
const gsize mirror_n_vm_properties = G_N_ELEMENTS (mirror_vm_properties);

/* ---- the record ---- */

void
mirror_vm_reset (VsphereVm *self)
{
  for (gsize i = 0; i < mirror_n_vm_properties; i++)
    if (mirror_vm_properties[i].set != set_parent
        && mirror_vm_properties[i].set != set_vapp
        && mirror_vm_properties[i].set != set_snapshot)
      mirror_vm_properties[i].set (NULL, &self->node, NULL);
  g_clear_pointer (&self->unreadable, g_free);
  self->unreadable_path = NULL;
  self->cut = FALSE;
}

void
mirror_vm_clear (VsphereVm *self)
{
  mirror_vm_reset (self);
  vix_vm_record_unref (self->record);
  vix_vm_record_unref (self->taken);
  g_free (self->snapshot_refs);
  if (self->known != NULL)
    g_array_unref (self->known);
}

/* Why people should look at it; "" if they need not. */
static char *
describe_problem (const VsphereVm *self)
{
  if (self->connection != NULL)
    return g_strdup_printf ("the host says that it is %s", self->connection);
  if (self->cut || self->layout_cut)
    return g_strdup ("the host tells more of it than can be held: some is "
                     "missing here");
  if (self->unreadable != NULL)
    return g_strdup_printf ("what the host tells of it makes no sense: %s",
                            self->unreadable);
  if (self->question != NULL)
    return g_strdup_printf ("it waits for an answer to: %s", self->question);
  if (self->needs_consolidation)
    return g_strdup ("disks of removed snapshots are left: consolidate them");
  return g_strdup ("");
}

static gint64
newest_change (const VsphereVm *self, const VixExtVM *from)
{
  gint64 newest = self->config_changed;

  for (gsize i = 0; i < from->numSnapshots; i++)
    newest = MAX (newest, from->snapshots[i].created);
  return newest;
}

void
mirror_vm_rebuild (VsphereVm *self)
{
  const VixExtVM *old = self->record;
  g_autofree char *name = vsphere_name_decode (
    self->node.name == NULL || *self->node.name == '\0' ? self->node.value
                                                        : self->node.name);
  g_autofree char *problem = describe_problem (self);
  g_autofree VixExtSnapshot *snapshots = NULL;
  const char *const path[] = { name, NULL };
  VixExtVM from = { .path = path };

  /* What depends on the tree, and the snapshots, are as they were. */
  if (old != NULL)
    from = *old;
  if (from.numSnapshots > 0) {
    snapshots = count_disks (self, &from);
    from.snapshots = snapshots;
  }
  from.id = self->node.value;
  from.displayName = name;
  from.uuid = self->uuid;
  from.guestOS = self->guest_id;
  from.problem = problem;
  from.flags = (self->is_template ? VIXEXT_VM_TEMPLATE : 0)
               | (self->connection != NULL ? VIXEXT_VM_INACCESSIBLE : 0);
  from.powerState = self->power_state;
  from.toolsState = self->tools_state;
  from.numVcpus = self->vcpus;
  from.memoryMiB = self->memory_mib;
  from.hardwareVersion = self->hardware_version;
  from.changed = newest_change (self, &from);
  self->serial++;
  self->record = vix_vm_record_new (&from);
  vix_vm_record_unref (old);
}

void
mirror_vm_set_path (VsphereVm *self, const char *const *path,
                    const char *vmx_path)
{
  const VixExtVM *old = self->record;
  VixExtVM from = *old;

  if (g_strv_equal (old->path, path) && g_str_equal (old->vmxPath, vmx_path))
    return;
  from.path = path;
  from.vmxPath = vmx_path;
  self->record = vix_vm_record_new (&from);
  vix_vm_record_unref (old);
}

const VixExtVM *
vsphere_vm_get_record (const VsphereVm *self)
{
  return self->record;
}

gboolean
vsphere_vm_is_confirmed (const VsphereVm *self)
{
  return self->taken != NULL && self->confirmed_serial == self->taken_serial
         && vix_vm_record_equal (self->taken, self->record);
}

gboolean
vsphere_vm_lacks_files (const VsphereVm *self)
{
  return self->layout == NULL && self->connection == NULL;
}

VixExtFile *
vsphere_vm_list_files (const VsphereVm *self, const char *ref, gint64 modified,
                       gsize *ret_n)
{
  return vsphere_layout_list (self->layout, ref, modified, ret_n);
}

guint
vsphere_vm_get_serial (const VsphereVm *self)
{
  return self->serial;
}

char *
vsphere_vm_find_file (const VsphereVm *self, const char *file)
{
  return vsphere_layout_find_path (self->layout, file);
}

gint64
vsphere_vm_get_chain_bytes (const VsphereVm *self, const char *ref, gint64 key)
{
  return vsphere_layout_get_chain_bytes (self->layout, ref, key);
}

const char *
vsphere_vm_get_wire_path (const VsphereVm *self)
{
  return self->wire_path == NULL ? "" : self->wire_path;
}
