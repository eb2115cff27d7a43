/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * snapshots/.tree: the snapshots drawn as a tree.
 *
 * A record can come from a damaged file: a snapshot whose parent is not there
 * is drawn as a root, a ring of snapshots is left out, and depth costs memory,
 * not stack.
 */
#include "entries.h"

typedef struct {
  const VixExtSnapshot *snapshot;
  char *prefix; /* of its line, without its own branch */
  gboolean is_root;
  gboolean is_last;
} Pending;

static gint64
parent_of (const VixExtVM *vm, const VixExtSnapshot *snapshot)
{
  return fs_record_snapshot (vm, snapshot->parent) != NULL ? snapshot->parent
                                                           : 0;
}

/* Snapshots by parent: of each parent an array of its children. */
static GHashTable *
sort_by_parent (const VixExtVM *vm)
{
  GHashTable *children = g_hash_table_new_full (
    g_int64_hash, g_int64_equal, g_free, (GDestroyNotify)g_ptr_array_unref);
  gsize i;

  for (i = 0; i < vm->numSnapshots; i++) {
    gint64 parent = parent_of (vm, &vm->snapshots[i]);
    GPtrArray *array = g_hash_table_lookup (children, &parent);

    if (array == NULL) {
      array = g_ptr_array_new ();
      g_hash_table_insert (children, g_memdup2 (&parent, sizeof parent), array);
    }
    g_ptr_array_add (array, (gpointer)&vm->snapshots[i]);
  }
  return children;
}

/* The last one first: what is pushed last is drawn next. */
static void
push_children (GArray *stack, GHashTable *children, gint64 parent,
               const char *prefix)
{
  GPtrArray *array = g_hash_table_lookup (children, &parent);
  guint i;

  for (i = array != NULL ? array->len : 0; i-- > 0;) {
    Pending pending = { array->pdata[i], g_strdup (prefix), parent == 0,
                        i == array->len - 1 };

    g_array_append_val (stack, pending);
  }
}

static void
draw (FsMount *mount, const FsNode *node, const Pending *pending, GString *out)
{
  const VixExtSnapshot *snapshot = pending->snapshot;
  g_autofree char *shown
    = fs_tree_snapshot_name (mount->tree, node->id.slot, snapshot->id);

  g_string_append (out, pending->prefix);
  if (!pending->is_root)
    g_string_append (out, pending->is_last ? "└── " : "├── ");
  g_string_append_printf (
    out, "%s%s\n", shown != NULL ? shown : "",
    snapshot->id == node->vm->currentSnapshot ? "  [current]" : "");
}

int
fs_tree_print (FsMount *mount, const FsNode *node, GString *out)
{
  g_autoptr (GHashTable) children = sort_by_parent (node->vm);
  g_autoptr (GArray) stack = g_array_new (FALSE, FALSE, sizeof (Pending));

  push_children (stack, children, 0, "");
  while (stack->len > 0) {
    Pending pending = g_array_index (stack, Pending, stack->len - 1);
    g_autofree char *prefix = NULL;

    g_array_set_size (stack, stack->len - 1);
    draw (mount, node, &pending, out);
    prefix = g_strconcat (pending.prefix,
                          pending.is_root   ? ""
                          : pending.is_last ? "    "
                                            : "│   ",
                          NULL);
    push_children (stack, children, pending.snapshot->id, prefix);
    g_free (pending.prefix);
  }
  return 0;
}
