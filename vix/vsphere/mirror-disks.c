/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What was asked of snapshots besides the mirrored properties: their disks.
 * It holds as long as the files that they are made of are the same, which the
 * mirror knows: nobody has to ask again.
 */
#include <string.h>

#include "vsphere/mirror-private.h"
#include "vsphere/pack.h"

/* Of one request: many enough, and an answer of some megabytes. */
#define MAX_WANTS 512u

struct MirrorKnown {
  gint64 id;
  VsphereKnown facts;
};

static void
known_clear (gpointer data)
{
  vsphere_disks_unref (((MirrorKnown *)data)->facts.disks);
}

guint64
vsphere_vm_get_chain_state (const VsphereVm *self, gint64 id)
{
  const char *ref = vsphere_vm_get_snapshot_ref (self, id);
  guint64 state = VSPHERE_HASH;
  guint64 chains;

  if (ref == NULL)
    return 0;
  chains = vsphere_layout_hash_chains (self->layout, ref);
  state = vsphere_hash (state, &chains, sizeof chains);
  /* What is not told of files may have changed with all else. */
  if (chains == 0)
    state = vsphere_hash (state, &self->config_changed,
                          sizeof self->config_changed);
  state = vsphere_hash (state, &self->needs_consolidation,
                        sizeof self->needs_consolidation);
  /* What a removed ancestor had is merged, perhaps under the same names. */
  for (gsize i = 0; i < self->record->numSnapshots; i++) {
    const VixExtSnapshot *snapshot
      = vix_vm_record_find_snapshot (self->record, id);

    if (snapshot == NULL)
      break;
    state = vsphere_hash (state, &id, sizeof id);
    id = snapshot->parent;
  }
  return state == 0 ? 1 : state;
}

static MirrorKnown *
find_known (const VsphereVm *self, gint64 id)
{
  for (guint i = 0; self->known != NULL && i < self->known->len; i++)
    if (g_array_index (self->known, MirrorKnown, i).id == id)
      return &g_array_index (self->known, MirrorKnown, i);
  return NULL;
}

VsphereKnown *
vsphere_vm_get_known (const VsphereVm *self, gint64 id)
{
  MirrorKnown *known = find_known (self, id);

  return known != NULL
             && known->facts.state == vsphere_vm_get_chain_state (self, id)
           ? &known->facts
           : NULL;
}

void
vsphere_vm_put_known (VsphereVm *self, gint64 id, const VsphereKnown *facts)
{
  MirrorKnown *known = find_known (self, id);

  if (known == NULL) {
    MirrorKnown blank = { .id = id };

    if (self->known == NULL) {
      self->known = g_array_new (FALSE, TRUE, sizeof (MirrorKnown));
      g_array_set_clear_func (self->known, known_clear);
    }
    g_array_append_val (self->known, blank);
    known = &g_array_index (self->known, MirrorKnown, self->known->len - 1);
  }
  vsphere_disks_unref (known->facts.disks);
  known->facts = *facts;
  vsphere_disks_ref (known->facts.disks);
}

void
mirror_vm_forget_gone (VsphereVm *self)
{
  for (guint i = self->known == NULL ? 0 : self->known->len; i > 0; i--)
    if (vsphere_vm_get_snapshot_ref (
          self, g_array_index (self->known, MirrorKnown, i - 1).id)
        == NULL)
      g_array_remove_index_fast (self->known, i - 1);
}

void
vsphere_vm_forget_known (VsphereVm *self)
{
  if (self->known != NULL)
    g_array_set_size (self->known, 0);
  self->known_serial = self->serial - 1;
}

/* ---- what to ask for ---- */

static void
want_free (gpointer data)
{
  VsphereWant *want = data;

  g_free (want->vm);
  g_free (want->ref);
  g_free (want->directory);
  g_free (want);
}

/* Adds what is not known of the VM; FALSE if that is nothing. */
static gboolean
want_vm (VsphereVm *vm, GPtrArray *wants)
{
  const char *path = vsphere_vm_get_wire_path (vm);
  const char *slash = strrchr (path, '/');
  guint before = wants->len;

  for (gsize i = 0; i < vm->record->numSnapshots && wants->len < MAX_WANTS;
       i++) {
    gint64 id = vm->record->snapshots[i].id;
    VsphereWant *want;

    if (vsphere_vm_get_known (vm, id) != NULL)
      continue;
    want = g_new0 (VsphereWant, 1);
    want->vm = g_strdup (vm->node.value);
    want->snapshot = id;
    want->ref = g_strdup (vsphere_vm_get_snapshot_ref (vm, id));
    want->state = vsphere_vm_get_chain_state (vm, id);
    want->directory = slash == NULL
                        ? g_strdup ("")
                        : g_strndup (path, (gsize)(slash + 1 - path));
    g_ptr_array_add (wants, want);
  }
  if (wants->len == before && before < MAX_WANTS)
    vm->known_serial = vm->serial;
  return wants->len > before;
}

typedef struct {
  VsphereMirror *mirror;
  const VsphereVm *self;
  gboolean siblings; /* only, or else only others */
  guint room;        /* for so many VMs */
  GHashTable *busy;
  GPtrArray *wants;
} Choice;

/* All VMs there are come by: what is known to be known is not looked at. */
static gboolean
choose (const VsphereVm *vm, gpointer data)
{
  Choice *choice = data;
  gboolean sibling = vm->node.parent == choice->self->node.parent
                     && vm->node.vapp == choice->self->node.vapp;

  if (choice->room == 0 || choice->wants->len >= MAX_WANTS
      || sibling != choice->siblings || vm == choice->self || vm->record == NULL
      || vm->record->numSnapshots == 0 || vm->known_serial == vm->serial
      || g_hash_table_contains (choice->busy, vm->node.value))
    return FALSE;
  if (want_vm (vsphere_mirror_get_vm (choice->mirror, vm->node.value),
               choice->wants))
    choice->room--;
  return FALSE;
}

GPtrArray *
vsphere_mirror_want_disks (VsphereMirror *self, const char *id, guint n_vms,
                           GHashTable *busy)
{
  VsphereVm *vm = vsphere_mirror_get_vm (self, id);
  GPtrArray *wants = g_ptr_array_new_with_free_func (want_free);
  Choice choice = { self, vm, TRUE, n_vms - 1, busy, wants };

  want_vm (vm, wants);
  for (guint pass = 0; pass < 2 && choice.room > 0; pass++) {
    g_ptr_array_unref (vsphere_mirror_find_vms (self, choose, &choice));
    choice.siblings = FALSE;
  }
  return wants;
}
