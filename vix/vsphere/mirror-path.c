/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * mirror-path.c - where things are: VMs in the tree that users see, and in
 * their datacenter, by whose path and datastores hosts find files.
 */
#include <string.h>

#include "vsphere/mirror-private.h"
#include "vsphere/name.h"

/* Folders within folders; a cycle that a host tells of ends here too. */
#define MAX_DEPTH 64

/* What @node is in. */
static MirrorNode *
container_of (const MirrorNode *node)
{
  return node->vapp != NULL ? node->vapp : node->parent;
}

/* The datacenter above @node; NULL unknown. */
static const MirrorNode *
get_datacenter (const MirrorNode *node)
{
  for (int depth = 0; node != NULL && depth < MAX_DEPTH; depth++) {
    if (node->kind == MIRROR_DATACENTER)
      return node;
    node = container_of (node);
  }
  return NULL;
}

/* ---- paths ---- */

/* Whether @node shows in the tree: not the root folder, nor the folder that
 * a datacenter keeps its VMs in, nor the one datacenter of ESXi. */
static gboolean
is_shown (const VsphereMirror *self, const MirrorNode *node)
{
  if (node->kind == MIRROR_DATACENTER)
    return !self->flat;
  if (node->kind == MIRROR_FOLDER)
    return node->parent != NULL && node->parent->kind != MIRROR_DATACENTER;
  return TRUE;
}

gboolean
mirror_make_path (const VsphereMirror *self, const VsphereVm *vm,
                  char ***ret_path)
{
  const MirrorNode *shown[MAX_DEPTH];
  const MirrorNode *node = container_of (&vm->node);
  gboolean known = TRUE;
  guint n = 0;
  char **path;

  for (int depth = 0; node != NULL && depth < MAX_DEPTH; depth++) {
    if (!node->present) {
      known = FALSE;
      break;
    }
    if (is_shown (self, node))
      shown[n++] = node;
    node = container_of (node);
  }
  path = g_new0 (char *, n + 2);
  for (guint i = 0; i < n; i++) {
    const MirrorNode *at = shown[n - 1 - i];

    path[i] = vsphere_name_decode (
      at->name == NULL || *at->name == '\0' ? at->value : at->name);
  }
  path[n] = g_strdup (vm->record->displayName);
  *ret_path = path;
  return known;
}

char *
mirror_make_vmx_path (const VsphereVm *vm)
{
  const MirrorNode *datacenter = get_datacenter (&vm->node);
  const char *wire = vsphere_vm_get_wire_path (vm);

  if (*wire != '[' || datacenter == NULL || datacenter->name == NULL)
    return g_strdup (wire);
  return g_strdup_printf ("[%s/%s", datacenter->name, wire + 1);
}

/* "North/DC1" of the datacenter that @at is in. */
static char *
make_datacenter_path (const MirrorNode *at)
{
  const MirrorNode *node = get_datacenter (at);
  GString *path = g_string_new (NULL);

  /* Up to the root folder, which has no name here. */
  for (int depth = 0; node != NULL && depth < MAX_DEPTH; depth++) {
    if (node->kind == MIRROR_FOLDER && node->parent == NULL)
      break;
    if (path->len > 0)
      g_string_prepend_c (path, '/');
    g_string_prepend (path, node->name == NULL ? "" : node->name);
    node = node->parent;
  }
  return g_string_free (path, FALSE);
}

char *
vsphere_vm_dup_datacenter_path (const VsphereVm *self)
{
  return make_datacenter_path (&self->node);
}

const char *
vsphere_mirror_get_store_type (VsphereMirror *self, const char *dc_path,
                               const char *name)
{
  GHashTableIter iter;
  gpointer key;

  g_hash_table_iter_init (&iter, self->nodes);
  while (g_hash_table_iter_next (&iter, &key, NULL)) {
    const MirrorNode *node = key;
    g_autofree char *path = NULL;

    if (node->kind != MIRROR_DATASTORE || g_strcmp0 (node->name, name) != 0)
      continue;
    path = make_datacenter_path (node);
    if (g_str_equal (path, dc_path))
      return ((const MirrorStore *)node)->type;
  }
  return NULL;
}

/* Whether "[@store] ..." is in brackets of @path, blanks behind aside. */
static gboolean
path_equals (const char *path, const char *prefix, const char *wire)
{
  gsize n = strlen (prefix);
  const char *file = strchr (wire, ']');
  gsize store = file == NULL ? 0 : (gsize)(file - wire) - 1;

  if (file == NULL || *path != '[' || strncmp (path + 1, prefix, n) != 0
      || strncmp (path + 1 + n, wire + 1, store) != 0
      || path[1 + n + store] != ']')
    return FALSE;
  path += 1 + n + store + 1;
  file++;
  path += strspn (path, " ");
  file += strspn (file, " ");
  return g_str_equal (path, file);
}

gboolean
vsphere_vm_has_path (const VsphereVm *vm, const char *path)
{
  const char *wire = vsphere_vm_get_wire_path (vm);
  const MirrorNode *datacenter = get_datacenter (&vm->node);
  g_autofree char *by_name = NULL;
  g_autofree char *inventory = NULL;
  g_autofree char *by_path = NULL;

  if (*wire != '[')
    return FALSE;
  if (path_equals (path, "", wire))
    return TRUE;
  if (datacenter == NULL || datacenter->name == NULL)
    return FALSE;
  by_name = g_strconcat (datacenter->name, "/", NULL);
  inventory = vsphere_vm_dup_datacenter_path (vm);
  by_path = g_strconcat (inventory, "/", NULL);
  return path_equals (path, by_name, wire) || path_equals (path, by_path, wire);
}
