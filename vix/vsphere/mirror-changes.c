/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * mirror-changes.c - what the inventory has not been told yet of what is in the
 * mirror.
 */
#include "vsphere/mirror-private.h"

/* ---- changes ---- */

static void
clear_change (gpointer data)
{
  VsphereChange *self = data;

  vix_vm_record_unref (self->put);
  g_free (self->removed);
}

/* FALSE if its place in the tree is not known yet. */
static gboolean
take_vm (VsphereMirror *self, VsphereVm *vm, gboolean complete, GArray *changes)
{
  g_auto (GStrv) path = NULL;
  g_autofree char *vmx_path = NULL;
  guint64 hash = vsphere_layout_hash (vm->layout);
  VsphereChange change = { .removed = NULL };

  if (!mirror_make_path (self, vm, &path) && !complete)
    return FALSE;
  vmx_path = mirror_make_vmx_path (vm);
  mirror_vm_set_path (vm, (const char *const *)path, vmx_path);
  change.files_only
    = vm->taken != NULL && vix_vm_record_equal (vm->taken, vm->record);
  if (change.files_only && hash == vm->taken_layout_hash)
    return TRUE;
  vm->taken_layout_hash = hash;
  if (!change.files_only) {
    vix_vm_record_unref (vm->taken);
    vm->taken = vix_vm_record_ref (vm->record);
    vm->taken_serial++;
  }
  change.put = vix_vm_record_ref (vm->taken);
  change.serial = vm->taken_serial;
  g_array_append_val (changes, change);
  return TRUE;
}

static void
take_gone (VsphereMirror *self, GArray *changes)
{
  for (guint i = 0; i < self->gone->len; i++) {
    VsphereChange change = { .removed = g_strdup (self->gone->pdata[i]) };

    /* It may have come back meanwhile. */
    if (vsphere_mirror_get_vm (self, change.removed) != NULL)
      g_free (change.removed);
    else
      g_array_append_val (changes, change);
  }
  g_ptr_array_set_size (self->gone, 0);
}

static void
mark_all_dirty (VsphereMirror *self)
{
  GHashTableIter iter;
  gpointer node;

  g_hash_table_iter_init (&iter, self->nodes);
  while (g_hash_table_iter_next (&iter, &node, NULL))
    if (((MirrorNode *)node)->kind == MIRROR_VM
        && ((MirrorNode *)node)->present)
      mirror_mark_dirty (self, node);
}

GArray *
vsphere_mirror_take_changes (VsphereMirror *self, gboolean complete)
{
  GArray *changes = g_array_new (FALSE, FALSE, sizeof (VsphereChange));

  g_array_set_clear_func (changes, clear_change);
  if (self->moved)
    mark_all_dirty (self);
  /* A host may tell of all VMs before it tells of a folder: trying each of
   * them after each part of that would take the square of the time. */
  if (self->moved || complete) {
    g_ptr_array_extend (self->dirty, self->homeless, NULL, NULL);
    g_ptr_array_set_size (self->homeless, 0);
  }
  self->moved = FALSE;
  for (guint i = 0; i < self->dirty->len; i++) {
    VsphereVm *vm = self->dirty->pdata[i];

    vm->dirty = !take_vm (self, vm, complete, changes);
    if (vm->dirty)
      g_ptr_array_add (self->homeless, vm);
  }
  g_ptr_array_set_size (self->dirty, 0);
  take_gone (self, changes);
  return changes;
}

void
vsphere_mirror_confirm (VsphereMirror *self, const VsphereChange *change)
{
  VsphereVm *vm = change->put == NULL
                    ? NULL
                    : vsphere_mirror_get_vm (self, change->put->id);

  if (vm != NULL)
    vm->confirmed_serial = change->serial;
}
