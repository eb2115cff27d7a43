/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "workstation/tree.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/lock.h"
#include "workstation/host-private.h"
#include "workstation/team.h"
#include "workstation/vm-dir.h"

/* What one directory holds. */
typedef struct {
  GPtrArray *dirs; /* names to descend into */
  GPtrArray *vmx;
  GPtrArray *teams;
  gboolean has_lock;
  gboolean has_journal;
} Listing;

/* One run of ws_tree_scan(). */
typedef struct {
  const WsTreeHooks *hooks;
  GHashTable *own_mounts; /* paths where a vixfs is mounted; NULL as yet */
  GPtrArray *found;       /* Found */
  guint n_dirs;
} Scan;

typedef struct {
  WsNode *node;
  char *vmx;
} Found;

/* ---- nodes ---- */

WsNode *
ws_tree_new (const char *root)
{
  WsNode *node = g_new0 (WsNode, 1);

  node->name = g_strdup (root);
  node->wd = -1;
  return node;
}

static WsNode *
node_new_child (WsNode *parent, const char *name)
{
  WsNode *node = ws_tree_new (name);

  node->parent = parent;
  node->depth = (guint8)(parent->depth + 1);
  return node;
}

char *
ws_node_path (const WsNode *node)
{
  g_autofree char *above = NULL;

  if (node->parent == NULL)
    return g_strdup (node->name);
  above = ws_node_path (node->parent);
  return g_strconcat (strcmp (above, "/") == 0 ? "" : above, "/", node->name,
                      NULL);
}

char *
ws_node_vm_id (const WsNode *node, const char *vmx)
{
  g_autofree char *path = ws_node_path (node);

  return g_strconcat (strcmp (path, "/") == 0 ? "" : path, "/", vmx, NULL);
}

static char *
stem_of (const char *vmx)
{
  const char *dot = strrchr (vmx, '.');

  return g_strndup (vmx, (gsize)(dot - vmx));
}

/* Path below the root; "" for the root. */
static char *
node_place (const WsNode *node)
{
  g_autofree char *above = NULL;

  if (node->parent == NULL)
    return g_strdup ("");
  above = node_place (node->parent);
  return above[0] == '\0' ? g_strdup (node->name)
                          : g_strconcat (above, "/", node->name, NULL);
}

static gboolean
node_is_folder (const WsNode *node)
{
  return node->parent == NULL || node->vms_below > 0
         || (node->vmx != NULL && node->vmx[1] != NULL);
}

char *
ws_node_vm_place (const WsNode *node, const char *vmx)
{
  g_autofree char *place = node_place (node);
  g_autofree char *stem = NULL;

  if (!node_is_folder (node))
    return g_steal_pointer (&place);
  stem = stem_of (vmx);
  return place[0] == '\0' ? g_steal_pointer (&stem)
                          : g_strconcat (place, "/", stem, NULL);
}

char *
ws_node_vm_team (const WsNode *node, const char *vmx)
{
  const WsNode *at = node;
  guint level;

  for (level = 0; level < 2 && at != NULL; level++, at = at->parent) {
    g_autofree char *dir = at->teams == NULL ? NULL : ws_node_path (at);
    gsize i;

    for (i = 0; dir != NULL && at->teams[i] != NULL; i++) {
      g_autofree char *path = g_build_filename (dir, at->teams[i], NULL);

      if (ws_team_names (path, level == 0 ? NULL : node->name, vmx))
        return g_steal_pointer (&path);
    }
  }
  return g_strdup ("");
}

void
ws_tree_foreach_vm (WsNode *node,
                    void (*func) (gpointer data, WsNode *node, const char *vmx),
                    gpointer data)
{
  guint i;

  for (i = 0; node->vmx != NULL && node->vmx[i] != NULL; i++)
    func (data, node, node->vmx[i]);
  for (i = 0; node->children != NULL && i < node->children->len; i++)
    ws_tree_foreach_vm (node->children->pdata[i], func, data);
}

/* ---- reading one directory ---- */

static void
listing_init (Listing *listing)
{
  listing->dirs = g_ptr_array_new_with_free_func (g_free);
  listing->vmx = g_ptr_array_new_with_free_func (g_free);
  listing->teams = g_ptr_array_new_with_free_func (g_free);
  listing->has_lock = listing->has_journal = FALSE;
}

static void
listing_clear (Listing *listing)
{
  g_ptr_array_unref (listing->dirs);
  g_ptr_array_unref (listing->vmx);
  g_ptr_array_unref (listing->teams);
}

static gboolean
ends_in (const char *name, const char *suffix)
{
  gsize n = strlen (name), m = strlen (suffix);

  return n > m && g_ascii_strcasecmp (name + n - m, suffix) == 0;
}

/* The type of an entry; some file systems do not tell it in the listing. */
static int
entry_type (int fd, const struct dirent *entry)
{
  struct stat st;

  if (entry->d_type != DT_UNKNOWN)
    return entry->d_type;
  if (fstatat (fd, entry->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0)
    return DT_UNKNOWN;
  return IFTODT (st.st_mode);
}

static void
listing_take (Listing *listing, int fd, const struct dirent *entry)
{
  const char *name = entry->d_name;
  int type;

  if (ends_in (name, ".lck")) {
    listing->has_lock = TRUE;
    return;
  }
  if (name[0] == '.')
    return;
  if (ends_in (name, WS_JOURNAL_SUFFIX))
    listing->has_journal = TRUE;
  if (entry->d_type == DT_REG && !ws_is_vmx_name (name)
      && !ends_in (name, ".vmtm"))
    return;
  type = entry_type (fd, entry);
  if (type == DT_DIR)
    g_ptr_array_add (listing->dirs, g_strdup (name));
  else if (type == DT_REG && ws_is_vmx_name (name))
    g_ptr_array_add (listing->vmx, g_strdup (name));
  else if (type == DT_REG && ends_in (name, ".vmtm"))
    g_ptr_array_add (listing->teams, g_strdup (name));
}

static int
compare_names (gconstpointer a, gconstpointer b)
{
  return strcmp (*(char *const *)a, *(char *const *)b);
}

/* Opens the directory and tells that it is none of its own ancestors. */
static DIR *
open_node (WsNode *node, const char *path)
{
  int fd = open (path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  const WsNode *up;
  struct stat st;
  DIR *dir = NULL;

  if (fd >= 0 && fstat (fd, &st) == 0) {
    node->dev = st.st_dev;
    node->ino = st.st_ino;
    for (up = node->parent; up != NULL; up = up->parent)
      if (up->dev == node->dev && up->ino == node->ino)
        break;
    if (up == NULL)
      dir = fdopendir (fd);
  }
  if (dir == NULL && fd >= 0)
    close (fd);
  return dir;
}

static void
read_node (WsNode *node, const char *path, Listing *listing)
{
  DIR *dir = open_node (node, path);
  struct dirent *entry;

  node->readable = dir != NULL;
  if (dir == NULL)
    return;
  while ((entry = readdir (dir)) != NULL)
    listing_take (listing, dirfd (dir), entry);
  closedir (dir);
  g_ptr_array_sort (listing->dirs, compare_names);
  g_ptr_array_sort (listing->vmx, compare_names);
}

/* ---- mounts of ourselves ---- */

/* mountinfo escapes blanks and the like as \ooo. */
static char *
unescape_mount (const char *text)
{
  GString *out = g_string_new (NULL);

  for (; *text != '\0'; text++) {
    if (text[0] == '\\' && g_ascii_isdigit (text[1])
        && g_ascii_isdigit (text[2]) && g_ascii_isdigit (text[3])) {
      g_string_append_c (out, (char)((text[1] - '0') * 64 + (text[2] - '0') * 8
                                     + text[3] - '0'));
      text += 3;
    } else {
      g_string_append_c (out, *text);
    }
  }
  return g_string_free (out, FALSE);
}

/* Looking into our own mount would find every VM again, and wait for
 * ourselves. Where the mounts are is known without asking them. */
static GHashTable *
list_own_mounts (void)
{
  GHashTable *mounts
    = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  g_autofree char *text = NULL;
  g_auto (GStrv) lines = NULL;
  gsize i;

  if (!g_file_get_contents ("/proc/self/mountinfo", &text, NULL, NULL))
    return mounts;
  lines = g_strsplit (text, "\n", -1);
  for (i = 0; lines[i] != NULL; i++) {
    const char *type = strstr (lines[i], " - ");
    g_auto (GStrv) fields = NULL;

    if (type == NULL
        || (!g_str_has_prefix (type + 3, "fuse.vixfs ")
            && !g_str_has_prefix (type + 3, "vixfs ")))
      continue;
    fields = g_strsplit (lines[i], " ", 6);
    if (g_strv_length (fields) == 6)
      g_hash_table_add (mounts, unescape_mount (fields[4]));
  }
  return mounts;
}

static gboolean
is_own_mount (Scan *scan, const char *path)
{
  if (scan->own_mounts == NULL)
    scan->own_mounts = list_own_mounts ();
  return g_hash_table_size (scan->own_mounts) > 0
         && g_hash_table_contains (scan->own_mounts, path);
}

/* ---- comparing with what was there ---- */

static void
add_vms_below (const Scan *scan, WsNode *node, int delta)
{
  WsNode *up;

  for (up = node->parent; up != NULL && delta != 0; up = up->parent) {
    gboolean was = up->vms_below > 0;

    up->vms_below = (guint)((int)up->vms_below + delta);
    if (was != (up->vms_below > 0) && up->vmx != NULL
        && scan->hooks->moved != NULL)
      scan->hooks->moved (scan->hooks->data, up);
  }
}

static gboolean
strv_has (char **list, const char *name)
{
  return list != NULL && g_strv_contains ((const char *const *)list, name);
}

static char **
to_strv (GPtrArray *names)
{
  gsize i;
  char **list;

  if (names->len == 0)
    return NULL;
  list = g_new0 (char *, names->len + 1);
  for (i = 0; i < names->len; i++)
    list[i] = g_strdup (names->pdata[i]);
  return list;
}

static guint
count_of (char **list)
{
  return list == NULL ? 0 : g_strv_length (list);
}

static void
note_found (Scan *scan, WsNode *node, const char *vmx)
{
  Found *found = g_new (Found, 1);

  found->node = node;
  found->vmx = g_strdup (vmx);
  g_ptr_array_add (scan->found, found);
}

static void
found_free (gpointer data)
{
  Found *found = data;

  g_free (found->vmx);
  g_free (found);
}

/* One .vmx more or less can make a VM's directory a folder. */
static void
replace_vmx (Scan *scan, WsNode *node, GPtrArray *names)
{
  char **before = node->vmx;
  gboolean was_folder = node_is_folder (node);
  gsize i;

  node->vmx = to_strv (names);
  for (i = 0; before != NULL && before[i] != NULL; i++)
    if (!strv_has (node->vmx, before[i]) && scan->hooks->gone != NULL)
      scan->hooks->gone (scan->hooks->data, node, before[i]);
  for (i = 0; node->vmx != NULL && node->vmx[i] != NULL; i++)
    if (!strv_has (before, node->vmx[i]))
      note_found (scan, node, node->vmx[i]);
  if (was_folder != node_is_folder (node) && before != NULL
      && scan->hooks->moved != NULL)
    scan->hooks->moved (scan->hooks->data, node);
  add_vms_below (scan, node,
                 (int)count_of (node->vmx) - (int)count_of (before));
  g_strfreev (before);
}

static void
replace_teams (Scan *scan, WsNode *node, GPtrArray *names)
{
  guint i;

  if (node->teams == NULL && names->len == 0)
    return;
  g_strfreev (node->teams);
  node->teams = to_strv (names);
  if (scan->hooks->moved == NULL)
    return;
  scan->hooks->moved (scan->hooks->data, node);
  for (i = 0; node->children != NULL && i < node->children->len; i++)
    scan->hooks->moved (scan->hooks->data, node->children->pdata[i]);
}

/* ---- dropping ---- */

static void
drop_node (Scan *scan, WsNode *node)
{
  guint i;

  for (i = 0; node->children != NULL && i < node->children->len; i++)
    drop_node (scan, node->children->pdata[i]);
  g_clear_pointer (&node->children, g_ptr_array_unref);
  for (i = 0; node->vmx != NULL && node->vmx[i] != NULL; i++)
    if (scan->hooks->gone != NULL)
      scan->hooks->gone (scan->hooks->data, node, node->vmx[i]);
  if (scan->hooks->leave != NULL)
    scan->hooks->leave (scan->hooks->data, node);
  g_strfreev (node->vmx);
  g_strfreev (node->teams);
  g_free (node->name);
  g_free (node);
}

static void
drop_child (Scan *scan, WsNode *child)
{
  int vms = (int)(child->vms_below + count_of (child->vmx));

  add_vms_below (scan, child, -vms);
  drop_node (scan, child);
}

void
ws_tree_free (WsNode *node, const WsTreeHooks *hooks)
{
  static const WsTreeHooks none = { 0 };
  Scan scan = { .hooks = hooks == NULL ? &none : hooks };

  if (node != NULL)
    drop_node (&scan, node);
}

/* ---- descending ---- */

static void scan_node (Scan *scan, WsNode *node, const char *path);

static gboolean
stopped (const Scan *scan)
{
  return scan->hooks->stop != NULL && scan->hooks->stop (scan->hooks->data);
}

static WsNode *
scan_child (Scan *scan, WsNode *node, const char *path, const char *name)
{
  g_autofree char *child_path
    = g_strconcat (strcmp (path, "/") == 0 ? "" : path, "/", name, NULL);
  WsNode *child;

  if (scan->n_dirs >= WS_TREE_MAX_DIRS || is_own_mount (scan, child_path))
    return NULL;
  scan->n_dirs++;
  child = node_new_child (node, name);
  scan_node (scan, child, child_path);
  return child;
}

/* Both lists are sorted: one pass finds who came, went and stayed. */
static void
replace_children (Scan *scan, WsNode *node, const char *path, GPtrArray *names)
{
  g_autoptr (GPtrArray) before = node->children;
  guint old = 0, i;

  node->children = names->len == 0 ? NULL : g_ptr_array_sized_new (names->len);
  for (i = 0; i < names->len && !stopped (scan); i++) {
    const char *name = names->pdata[i];
    WsNode *child = NULL;

    while (before != NULL && old < before->len) {
      WsNode *candidate = before->pdata[old];
      int order = strcmp (candidate->name, name);

      if (order > 0)
        break;
      old++;
      if (order == 0) {
        child = candidate;
        break;
      }
      drop_child (scan, candidate);
    }
    if (child == NULL)
      child = scan_child (scan, node, path, name);
    if (child != NULL)
      g_ptr_array_add (node->children, child);
  }
  for (; before != NULL && old < before->len; old++)
    drop_child (scan, before->pdata[old]);
  if (node->children != NULL && node->children->len == 0)
    g_clear_pointer (&node->children, g_ptr_array_unref);
}

static void
scan_node (Scan *scan, WsNode *node, const char *path)
{
  Listing listing;

  if (scan->hooks->enter != NULL)
    scan->hooks->enter (scan->hooks->data, node, path);
  listing_init (&listing);
  read_node (node, path, &listing);
  node->has_lock = listing.has_lock;
  node->has_journal = listing.has_journal;
  if (node->depth >= WS_TREE_MAX_DEPTH)
    g_ptr_array_set_size (listing.dirs, 0);
  replace_vmx (scan, node, listing.vmx);
  replace_children (scan, node, path, listing.dirs);
  replace_teams (scan, node, listing.teams);
  listing_clear (&listing);
}

void
ws_tree_scan (WsNode *node, const WsTreeHooks *hooks)
{
  static const WsTreeHooks none = { 0 };
  g_autofree char *path = ws_node_path (node);
  Scan scan = { .hooks = hooks == NULL ? &none : hooks };
  guint i;

  VIX_MAY_BLOCK ();
  scan.found = g_ptr_array_new_with_free_func (found_free);
  scan_node (&scan, node, path);
  for (i = 0; i < scan.found->len; i++) {
    const Found *found = scan.found->pdata[i];

    if (scan.hooks->found != NULL)
      scan.hooks->found (scan.hooks->data, found->node, found->vmx);
  }
  g_ptr_array_unref (scan.found);
  g_clear_pointer (&scan.own_mounts, g_hash_table_unref);
}

/* ---- one VM, without a tree ---- */

/* Would a scan come to the directory whose components these are? */
static gboolean
is_searched (char **names)
{
  guint depth = 0;
  gsize i;

  for (i = 0; names[i] != NULL; i++) {
    if (names[i][0] == '\0')
      continue;
    if (names[i][0] == '.' || ends_in (names[i], ".lck")
        || ++depth > WS_TREE_MAX_DEPTH)
      return FALSE;
  }
  return TRUE;
}

/* The chain of nodes from @root down to the directory @path: its lowest, or
 * NULL if a scan would not come there. */
static WsNode *
chain_down (const char *root, const char *path)
{
  gsize len = strcmp (root, "/") == 0 ? 0 : strlen (root);
  g_auto (GStrv) names = g_strsplit (path + len, "/", -1);
  WsNode *node;
  gsize i;

  if (!is_searched (names))
    return NULL;
  node = ws_tree_new (root);
  for (i = 0; names[i] != NULL; i++) {
    WsNode *child;

    if (names[i][0] == '\0')
      continue;
    child = node_new_child (node, names[i]);
    node->children = g_ptr_array_new ();
    g_ptr_array_add (node->children, child);
    node = child;
  }
  return node;
}

static gboolean
has_vm_below (gpointer data)
{
  return ((const WsNode *)data)->vms_below > 0;
}

/* The .vmtm files of @node's directory, without reading what is below. */
static void
read_teams (WsNode *node)
{
  g_autofree char *path = ws_node_path (node);
  Listing listing;

  listing_init (&listing);
  read_node (node, path, &listing);
  node->teams = to_strv (listing.teams);
  listing_clear (&listing);
}

static const char *
root_of (const char *dir, const char *const *roots)
{
  const char *best = NULL;
  gsize i;

  for (i = 0; roots[i] != NULL; i++)
    if (ws_path_is_inside (dir, roots[i])
        && (best == NULL || strlen (roots[i]) > strlen (best)))
      best = roots[i];
  return best;
}

gboolean
ws_tree_place_of (const char *id, const char *const *roots, char **ret_place,
                  char **ret_team)
{
  g_autofree char *dir = g_path_get_dirname (id);
  g_autofree char *vmx = g_path_get_basename (id);
  const char *root = root_of (dir, roots);
  WsNode *node = NULL, *top;

  if (root != NULL && ws_is_vmx_name (vmx))
    node = chain_down (root, dir);
  if (node == NULL) {
    *ret_place = ws_is_vmx_name (vmx) ? stem_of (vmx) : g_strdup (vmx);
    *ret_team = g_strdup ("");
    return FALSE;
  }
  if (node->parent == NULL) {
    read_teams (node);
  } else {
    WsTreeHooks hooks = { .stop = has_vm_below, .data = node };

    ws_tree_scan (node, &hooks);
    read_teams (node->parent);
  }
  *ret_place = ws_node_vm_place (node, vmx);
  *ret_team = ws_node_vm_team (node, vmx);
  for (top = node; top->parent != NULL; top = top->parent)
    ;
  ws_tree_free (top, NULL);
  return TRUE;
}
