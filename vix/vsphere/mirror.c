/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vsphere/mirror-private.h"
#include "vsphere/session.h"
#include "vsphere/soap/fault.h"

const char *const vsphere_mirror_types[] = {
  [MIRROR_FOLDER] = "Folder",     [MIRROR_DATACENTER] = "Datacenter",
  [MIRROR_VAPP] = "VirtualApp",   [MIRROR_DATASTORE] = "Datastore",
  [MIRROR_VM] = "VirtualMachine", NULL,
};

/* ---- nodes ---- */

static guint
node_hash (gconstpointer data)
{
  const MirrorNode *node = data;

  return g_str_hash (node->value) + (guint)node->kind;
}

static gboolean
node_equal (gconstpointer a, gconstpointer b)
{
  const MirrorNode *x = a, *y = b;

  return x->kind == y->kind && g_str_equal (x->value, y->value);
}

static MirrorNode *
find_node (VsphereMirror *self, MirrorKind kind, const char *value)
{
  MirrorNode key = { .kind = kind, .value = (char *)value };

  return g_hash_table_lookup (self->nodes, &key);
}

static MirrorNode *
get_node (VsphereMirror *self, MirrorKind kind, const char *value)
{
  static const gsize sizes[] = {
    [MIRROR_FOLDER] = sizeof (MirrorNode),
    [MIRROR_DATACENTER] = sizeof (MirrorNode),
    [MIRROR_VAPP] = sizeof (MirrorNode),
    [MIRROR_DATASTORE] = sizeof (MirrorStore),
    [MIRROR_VM] = sizeof (VsphereVm),
  };
  MirrorNode *node = find_node (self, kind, value);

  if (node != NULL)
    return node;
  node = g_malloc0 (sizes[kind]);
  node->kind = kind;
  node->value = g_strdup (value);
  g_hash_table_add (self->nodes, node);
  return node;
}

static void
free_node (gpointer data)
{
  MirrorNode *node = data;

  if (node->kind == MIRROR_VM)
    mirror_vm_clear ((VsphereVm *)node);
  if (node->kind == MIRROR_DATASTORE)
    g_free (((MirrorStore *)node)->type);
  g_free (node->value);
  g_free (node->name);
  g_free (node);
}

/* Nobody knows it and nobody speaks of it: it is forgotten. */
static void
drop_ref (VsphereMirror *self, MirrorNode *node)
{
  if (--node->refs > 0)
    return;
  g_assert (!node->present && node->parent == NULL && node->vapp == NULL);
  if (node->kind == MIRROR_VM && ((VsphereVm *)node)->dirty
      && !g_ptr_array_remove_fast (self->dirty, node))
    g_ptr_array_remove_fast (self->homeless, node);
  g_hash_table_remove (self->nodes, node);
}

static int
find_kind (const char *type)
{
  for (int i = 0; i < MIRROR_N_KINDS; i++)
    if (g_str_equal (vsphere_mirror_types[i], type))
      return i;
  return -1;
}

void
mirror_set_link (VsphereMirror *self, MirrorNode **slot, const SoapRef *ref)
{
  MirrorNode *old = *slot;
  int kind = ref == NULL || ref->value == NULL ? -1 : find_kind (ref->type);

  *slot = NULL;
  if (kind == MIRROR_FOLDER || kind == MIRROR_DATACENTER
      || kind == MIRROR_VAPP) {
    *slot = get_node (self, (MirrorKind)kind, ref->value);
    (*slot)->refs++;
  }
  if (old != NULL)
    drop_ref (self, old);
}

/* ---- making and freeing ---- */

VsphereMirror *
vsphere_mirror_new (gboolean flat)
{
  VsphereMirror *self = g_new0 (VsphereMirror, 1);

  self->flat = flat;
  self->nodes = g_hash_table_new_full (node_hash, node_equal, NULL, free_node);
  self->dirty = g_ptr_array_new ();
  self->homeless = g_ptr_array_new ();
  self->gone = g_ptr_array_new_with_free_func (g_free);
  return self;
}

void
vsphere_mirror_free (VsphereMirror *self)
{
  if (self == NULL)
    return;
  g_hash_table_unref (self->nodes);
  g_ptr_array_unref (self->dirty);
  g_ptr_array_unref (self->homeless);
  g_ptr_array_unref (self->gone);
  g_free (self);
}

/* ---- properties of what is no VM ---- */

static void
set_name (VsphereMirror *mirror, MirrorNode *node, gconstpointer value)
{
  const char *name = value == NULL ? NULL : *(const char *const *)value;

  if (g_strcmp0 (node->name, name) == 0)
    return;
  g_free (node->name);
  node->name = g_strdup (name);
  mirror->moved = TRUE;
}

static void
set_parent (VsphereMirror *mirror, MirrorNode *node, gconstpointer value)
{
  MirrorNode *old = node->parent;

  mirror_set_link (mirror, &node->parent, value);
  mirror->moved |= node->parent != old;
}

static void
set_vapp (VsphereMirror *mirror, MirrorNode *node, gconstpointer value)
{
  MirrorNode *old = node->vapp;

  mirror_set_link (mirror, &node->vapp, value);
  mirror->moved |= node->vapp != old;
}

static void
set_capacity (VsphereMirror *mirror, MirrorNode *node, gconstpointer value)
{
  ((MirrorStore *)node)->capacity
    = value == NULL ? 0 : MAX (*(const gint64 *)value, 0);
}

static void
set_free_space (VsphereMirror *mirror, MirrorNode *node, gconstpointer value)
{
  ((MirrorStore *)node)->free_space
    = value == NULL ? 0 : MAX (*(const gint64 *)value, 0);
}

static void
set_accessible (VsphereMirror *mirror, MirrorNode *node, gconstpointer value)
{
  ((MirrorStore *)node)->accessible = value != NULL && *(const gboolean *)value;
}

/* Where datastores are changes no VM's path. */
static void
set_store_parent (VsphereMirror *mirror, MirrorNode *node, gconstpointer value)
{
  mirror_set_link (mirror, &node->parent, value);
}

static void
set_text (char **field, gconstpointer value)
{
  g_free (*field);
  *field = value == NULL ? NULL : g_strdup (*(const char *const *)value);
}

static void
set_store_name (VsphereMirror *mirror, MirrorNode *node, gconstpointer value)
{
  set_text (&node->name, value);
}

static void
set_store_type (VsphereMirror *mirror, MirrorNode *node, gconstpointer value)
{
  set_text (&((MirrorStore *)node)->type, value);
}

static const MirrorProperty properties[] = {
  { MIRROR_FOLDER, "name", "2.5", SOAP_KIND_STRING, NULL, set_name },
  { MIRROR_FOLDER, "parent", "2.5", SOAP_KIND_REF, NULL, set_parent },
  { MIRROR_DATACENTER, "name", "2.5", SOAP_KIND_STRING, NULL, set_name },
  { MIRROR_DATACENTER, "parent", "2.5", SOAP_KIND_REF, NULL, set_parent },
  { MIRROR_VAPP, "name", "4.0", SOAP_KIND_STRING, NULL, set_name },
  { MIRROR_VAPP, "parentFolder", "4.0", SOAP_KIND_REF, NULL, set_parent },
  { MIRROR_VAPP, "parentVApp", "4.0", SOAP_KIND_REF, NULL, set_vapp },
  { MIRROR_DATASTORE, "summary.capacity", "2.5", SOAP_KIND_INT, NULL,
    set_capacity },
  { MIRROR_DATASTORE, "summary.freeSpace", "2.5", SOAP_KIND_INT, NULL,
    set_free_space },
  { MIRROR_DATASTORE, "summary.accessible", "2.5", SOAP_KIND_BOOL, NULL,
    set_accessible },
  { MIRROR_DATASTORE, "name", "2.5", SOAP_KIND_STRING, NULL, set_store_name },
  { MIRROR_DATASTORE, "parent", "2.5", SOAP_KIND_REF, NULL, set_store_parent },
  { MIRROR_DATASTORE, "summary.type", "2.5", SOAP_KIND_STRING, NULL,
    set_store_type },
};

/* The @i-th of all properties; NULL behind the last. */
static const MirrorProperty *
property_at (gsize i)
{
  if (i < G_N_ELEMENTS (properties))
    return &properties[i];
  i -= G_N_ELEMENTS (properties);
  return i < mirror_n_vm_properties ? &mirror_vm_properties[i] : NULL;
}

const char **
vsphere_mirror_list_paths (const char *version, const char *type,
                           gboolean files)
{
  int kind = find_kind (type);
  GPtrArray *paths;
  const MirrorProperty *property;

  if (kind < 0)
    return NULL;
  paths = g_ptr_array_new ();
  for (gsize i = 0; (property = property_at (i)) != NULL; i++)
    if ((int)property->kind == kind
        && (files || property->type != &soap_type_VirtualMachineFileLayoutEx)
        && vsphere_version_compare (property->since, version) <= 0)
      g_ptr_array_add (paths, (gpointer)property->path);
  g_ptr_array_add (paths, NULL);
  return (const char **)g_ptr_array_free (paths, FALSE);
}

/* ---- from the wire ---- */

static const MirrorProperty *
find_property (MirrorKind kind, const char *path)
{
  const MirrorProperty *property;

  for (gsize i = 0; (property = property_at (i)) != NULL; i++)
    if (property->kind == kind && g_str_equal (property->path, path))
      return property;
  return NULL;
}

static void
set_property (VsphereMirror *self, MirrorNode *node, const char *path,
              const SoapNode *value, SoapArena *arena)
{
  const MirrorProperty *property = find_property (node->kind, path);
  VsphereVm *vm = node->kind == MIRROR_VM ? (VsphereVm *)node : NULL;
  g_autoptr (GError) error = NULL;
  union {
    const char *text;
    gboolean flag;
    gint64 number;
    SoapRef ref;
    gconstpointer pointer;
  } decoded;

  if (property == NULL)
    return;
  if (vm != NULL && vm->unreadable_path == property->path) {
    g_clear_pointer (&vm->unreadable, g_free);
    vm->unreadable_path = NULL;
  }
  if (value == NULL) {
    property->set (self, node, NULL);
    return;
  }
  if (soap_decode_value (property->value_kind, property->type, path, value,
                         arena, &decoded, &error)) {
    property->set (self, node, &decoded);
    return;
  }
  /* One VM that is told of in riddles must not hide the others. */
  if (vm != NULL) {
    g_free (vm->unreadable);
    vm->unreadable = g_strdup (error->message);
    vm->unreadable_path = property->path;
  }
}

void
mirror_mark_dirty (VsphereMirror *self, VsphereVm *vm)
{
  if (vm->dirty)
    return;
  vm->dirty = TRUE;
  g_ptr_array_add (self->dirty, vm);
}

/* It is gone from sight. What points to it still may. */
static void
leave (VsphereMirror *self, MirrorNode *node)
{
  VsphereVm *vm = node->kind == MIRROR_VM ? (VsphereVm *)node : NULL;

  if (!node->present)
    return;
  node->present = FALSE;
  if (vm != NULL && vm->taken != NULL)
    g_ptr_array_add (self->gone, g_strdup (node->value));
  else if (vm == NULL)
    self->moved = TRUE;
  mirror_set_link (self, &node->parent, NULL);
  mirror_set_link (self, &node->vapp, NULL);
  drop_ref (self, node);
}

/* It is there, and what it was before does not count. */
static void
enter (VsphereMirror *self, MirrorNode *node)
{
  const MirrorProperty *property;
  gboolean blank
    = node->kind == MIRROR_VM && ((VsphereVm *)node)->record == NULL;

  if (!node->present) {
    node->present = TRUE;
    node->refs++;
    self->moved |= node->kind != MIRROR_VM;
  }
  node->marked = FALSE;
  if (node->kind == MIRROR_VM) {
    mirror_vm_reset ((VsphereVm *)node);
    mirror_vm_rebuild ((VsphereVm *)node);
  }
  if (blank)
    return;
  for (gsize i = 0; (property = property_at (i)) != NULL; i++)
    if (property->kind == node->kind)
      property->set (self, node, NULL);
}

/* Properties of @node were set. */
static void
settle (VsphereMirror *self, MirrorNode *node, gboolean cut)
{
  VsphereVm *vm;

  if (node->kind != MIRROR_VM)
    return;
  vm = (VsphereVm *)node;
  vm->cut |= cut;
  mirror_vm_rebuild (vm);
  mirror_mark_dirty (self, vm);
}

void
vsphere_mirror_apply (VsphereMirror *self, const SoapObjectUpdate *update,
                      gboolean cut, SoapArena *arena)
{
  int kind = find_kind (update->obj.type);
  gboolean enters = g_str_equal (update->kind, "enter");
  MirrorNode *node;

  if (kind < 0)
    return;
  node = find_node (self, (MirrorKind)kind, update->obj.value);
  self->serial++;
  if (g_str_equal (update->kind, "leave")) {
    self->last_leave = self->serial;
    if (node != NULL)
      leave (self, node);
    return;
  }
  if (!enters && (node == NULL || !node->present))
    return;
  if (node == NULL)
    node = get_node (self, (MirrorKind)kind, update->obj.value);
  if (enters)
    enter (self, node);
  node->serial = self->serial;
  for (gsize i = 0; i < update->changeSet.n; i++) {
    const SoapPropertyChange *change = &update->changeSet.items[i];
    gboolean unset = !g_str_equal (change->op, "assign");

    set_property (self, node, change->name, unset ? NULL : change->val, arena);
  }
  settle (self, node, cut);
}

void
vsphere_mirror_apply_content (VsphereMirror *self,
                              const SoapObjectContent *content, gboolean cut,
                              SoapArena *arena)
{
  int kind = find_kind (content->obj.type);
  MirrorNode *node;

  if (kind < 0)
    return;
  node = get_node (self, (MirrorKind)kind, content->obj.value);
  enter (self, node);
  for (gsize i = 0; i < content->propSet.n; i++)
    set_property (self, node, content->propSet.items[i].name,
                  content->propSet.items[i].val, arena);
  settle (self, node, cut);
}

guint
vsphere_mirror_get_serial (const VsphereMirror *self)
{
  return self->serial;
}

gboolean
vsphere_mirror_is_newer (VsphereMirror *self, const SoapRef *ref, guint since)
{
  int kind = find_kind (ref->type);
  const MirrorNode *node
    = kind < 0 ? NULL : find_node (self, (MirrorKind)kind, ref->value);

  /* Serials may wrap around. What left is not known by name any more. */
  if (node == NULL || !node->present)
    return (gint)(self->last_leave - since) > 0;
  return (gint)(node->serial - since) > 0;
}

void
vsphere_mirror_mark (VsphereMirror *self)
{
  GHashTableIter iter;
  gpointer node;

  g_hash_table_iter_init (&iter, self->nodes);
  while (g_hash_table_iter_next (&iter, &node, NULL))
    ((MirrorNode *)node)->marked = TRUE;
}

void
vsphere_mirror_sweep (VsphereMirror *self)
{
  g_autoptr (GPtrArray) lost = g_ptr_array_new ();
  GHashTableIter iter;
  gpointer data;

  g_hash_table_iter_init (&iter, self->nodes);
  while (g_hash_table_iter_next (&iter, &data, NULL)) {
    MirrorNode *node = data;

    if (node->marked && node->present) {
      node->refs++; /* leaving one may be the end of another */
      g_ptr_array_add (lost, node);
    }
  }
  for (guint i = 0; i < lost->len; i++) {
    leave (self, lost->pdata[i]);
    drop_ref (self, lost->pdata[i]);
  }
}

/* ---- looking ---- */

VsphereVm *
vsphere_mirror_get_vm (VsphereMirror *self, const char *id)
{
  MirrorNode *node = find_node (self, MIRROR_VM, id);

  return node != NULL && node->present ? (VsphereVm *)node : NULL;
}

GPtrArray *
vsphere_mirror_find_vms (VsphereMirror *self, VsphereVmTest test, gpointer data)
{
  GPtrArray *ids = g_ptr_array_new_with_free_func (g_free);
  GHashTableIter iter;
  gpointer key;

  g_hash_table_iter_init (&iter, self->nodes);
  while (g_hash_table_iter_next (&iter, &key, NULL)) {
    MirrorNode *node = key;

    if (node->kind == MIRROR_VM && node->present
        && test ((VsphereVm *)node, data))
      g_ptr_array_add (ids, g_strdup (node->value));
  }
  return ids;
}

void
vsphere_mirror_get_space (VsphereMirror *self, gint64 *ret_capacity,
                          gint64 *ret_free)
{
  GHashTableIter iter;
  gpointer key;

  *ret_capacity = *ret_free = 0;
  g_hash_table_iter_init (&iter, self->nodes);
  while (g_hash_table_iter_next (&iter, &key, NULL)) {
    const MirrorNode *node = key;
    const MirrorStore *store = key;

    if (node->kind != MIRROR_DATASTORE || !store->accessible)
      continue;
    *ret_capacity += MIN (store->capacity, G_MAXINT64 - *ret_capacity);
    *ret_free += MIN (store->free_space, G_MAXINT64 - *ret_free);
  }
}
