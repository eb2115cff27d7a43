/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "workstation/vmx.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"

/* In the order disks are listed. */
static const struct {
  const char *name;
  gboolean always_present; /* its controllers need no `present` key */
} buses[] = {
  { "ide", TRUE }, { "nvme", FALSE }, { "sata", FALSE }, { "scsi", FALSE }
};

/* What is said of one device node, or of a controller (unit -1). */
typedef struct {
  gsize bus;
  int controller, unit;
  const char *present; /* all borrowed from the dictionary; NULL: absent */
  const char *file_name;
  const char *device_type;
  const char *mode;
  const char *redo;
  const char *sharing;
  const char *ctk;
  const char *shared_bus;
} Node;

static const struct {
  const char *key;
  gsize offset;
} node_fields[] = {
  { "present", G_STRUCT_OFFSET (Node, present) },
  { "fileName", G_STRUCT_OFFSET (Node, file_name) },
  { "deviceType", G_STRUCT_OFFSET (Node, device_type) },
  { "mode", G_STRUCT_OFFSET (Node, mode) },
  { "redo", G_STRUCT_OFFSET (Node, redo) },
  { "sharing", G_STRUCT_OFFSET (Node, sharing) },
  { "ctkEnabled", G_STRUCT_OFFSET (Node, ctk) },
  { "sharedBus", G_STRUCT_OFFSET (Node, shared_bus) },
};

/* ---- reading the nodes ---- */

/* A number of at most three digits; no controller has more units. */
static gboolean
take_number (const char **s, int *ret)
{
  int n = 0, digits = 0;

  while (g_ascii_isdigit (**s) && digits < 4) {
    n = n * 10 + (**s - '0');
    digits++;
    (*s)++;
  }
  *ret = n;
  return digits >= 1 && digits <= 3;
}

/* "scsi0:1.fileName" or "scsi0.present"; @ret_key points behind the dot. */
static gboolean
parse_node (const char *name, Node *ret_node, const char **ret_key)
{
  gsize i;

  for (i = 0; i < G_N_ELEMENTS (buses); i++) {
    const char *s = name + strlen (buses[i].name);

    if (g_ascii_strncasecmp (name, buses[i].name, (gsize)(s - name)) != 0)
      continue;
    ret_node->bus = i;
    ret_node->unit = -1;
    if (!take_number (&s, &ret_node->controller))
      return FALSE;
    if (*s == ':' && (s++, !take_number (&s, &ret_node->unit)))
      return FALSE;
    *ret_key = s + 1;
    return *s == '.';
  }
  return FALSE;
}

static int
compare_nodes (gconstpointer a, gconstpointer b)
{
  const Node *x = a, *y = b;

  if (x->bus != y->bus)
    return x->bus < y->bus ? -1 : 1;
  if (x->controller != y->controller)
    return x->controller - y->controller;
  return x->unit - y->unit;
}

static guint
hash_node (gconstpointer key)
{
  const Node *node = key;

  return ((guint)node->bus << 20) + ((guint)node->controller << 10)
         + (guint)(node->unit + 1);
}

static gboolean
equal_nodes (gconstpointer a, gconstpointer b)
{
  return compare_nodes (a, b) == 0;
}

static gboolean
collect_node (const char *name, const char *value, gpointer data)
{
  GHashTable *nodes = data;
  Node like = { 0 };
  Node *node;
  const char *key;
  gsize i;

  if (!parse_node (name, &like, &key))
    return TRUE;
  node = g_hash_table_lookup (nodes, &like);
  if (node == NULL) {
    node = g_memdup2 (&like, sizeof like);
    g_hash_table_add (nodes, node);
  }
  for (i = 0; i < G_N_ELEMENTS (node_fields); i++)
    if (g_ascii_strcasecmp (key, node_fields[i].key) == 0)
      G_STRUCT_MEMBER (const char *, node, node_fields[i].offset) = value;
  return TRUE;
}

/* All nodes and controllers, by bus, controller, unit. */
static GArray *
list_nodes (const KvFile *vmx)
{
  g_autoptr (GHashTable) found
    = g_hash_table_new_full (hash_node, equal_nodes, g_free, NULL);
  GArray *nodes = g_array_new (FALSE, TRUE, sizeof (Node));
  GHashTableIter iter;
  gpointer node;

  kv_file_foreach (vmx, collect_node, found);
  g_hash_table_iter_init (&iter, found);
  while (g_hash_table_iter_next (&iter, &node, NULL))
    g_array_append_vals (nodes, node, 1);
  g_array_sort (nodes, compare_nodes);
  return nodes;
}

static gboolean
is_set (const char *value)
{
  return value != NULL && value[0] != '\0';
}

static gboolean
is_true (const char *value)
{
  return value != NULL
         && (g_ascii_strcasecmp (value, "TRUE") == 0
             || g_ascii_strcasecmp (value, "yes") == 0
             || strcmp (value, "1") == 0);
}

static gboolean
ends_in_vmdk (const char *name)
{
  gsize len = strlen (name);

  return len > 5 && g_ascii_strcasecmp (name + len - 5, ".vmdk") == 0;
}

static const Node *
node_controller (GArray *nodes, const Node *node)
{
  Node like = { .bus = node->bus, .controller = node->controller, .unit = -1 };
  guint i;

  if (!g_array_binary_search (nodes, &like, compare_nodes, &i))
    return NULL;
  return &g_array_index (nodes, Node, i);
}

/* A missing `present` means absent, except for a disk file at a controller
 * that is there. */
static gboolean
node_is_present (GArray *nodes, const Node *node)
{
  const Node *controller = node_controller (nodes, node);
  const char *present = controller == NULL ? NULL : controller->present;

  if (present != NULL && !is_true (present))
    return FALSE;
  if (node->present != NULL)
    return is_true (node->present);
  return (present != NULL || buses[node->bus].always_present)
         && ends_in_vmdk (node->file_name);
}

static gboolean
node_is_disk (const Node *node)
{
  static const char *const types[]
    = { "disk",         "hardDisk", "scsi-hardDisk",
        "ata-hardDisk", "rawDisk",  "plainDisk" };
  gsize i;

  if (!is_set (node->device_type))
    return ends_in_vmdk (node->file_name);
  for (i = 0; i < G_N_ELEMENTS (types); i++)
    if (g_ascii_strcasecmp (node->device_type, types[i]) == 0)
      return TRUE;
  return FALSE;
}

static gboolean
node_is_listed (GArray *nodes, const Node *node)
{
  return node->unit >= 0 && is_set (node->file_name)
         && node_is_present (nodes, node) && node_is_disk (node);
}

static gboolean
node_in_snapshots (const Node *node)
{
  return node->mode == NULL
         || g_ascii_strncasecmp (node->mode, "independent", 11) != 0;
}

/* ---- disks ---- */

static void
disk_free (WsVmxDisk *disk)
{
  if (disk == NULL)
    return;
  g_free (disk->node);
  g_free (disk->file_name);
  g_free (disk->mode);
  g_free (disk);
}

GPtrArray *
ws_vmx_list_disks (const KvFile *vmx)
{
  g_autoptr (GArray) nodes = list_nodes (vmx);
  GPtrArray *disks = g_ptr_array_new_with_free_func ((GDestroyNotify)disk_free);
  guint i;

  for (i = 0; i < nodes->len; i++) {
    const Node *node = &g_array_index (nodes, Node, i);
    WsVmxDisk *disk;

    if (!node_is_listed (nodes, node))
      continue;
    disk = g_new0 (WsVmxDisk, 1);
    disk->node = g_strdup_printf ("%s%d:%d", buses[node->bus].name,
                                  node->controller, node->unit);
    disk->file_name = g_strdup (node->file_name);
    disk->mode = g_ascii_strdown (node->mode == NULL ? "" : node->mode, -1);
    if (strcmp (disk->mode, "persistent") == 0)
      disk->mode[0] = '\0';
    disk->in_snapshots = node_in_snapshots (node);
    g_ptr_array_add (disks, disk);
  }
  return disks;
}

const WsVmxDisk *
ws_vmx_find_disk (const GPtrArray *disks, const char *node)
{
  guint i;

  for (i = 0; i < disks->len; i++) {
    const WsVmxDisk *disk = disks->pdata[i];

    if (g_ascii_strcasecmp (disk->node, node) == 0)
      return disk;
  }
  return NULL;
}

gboolean
ws_vmx_set_disk_file (KvFile *vmx, const char *node, const char *file_name,
                      GError **error)
{
  g_autofree char *key = g_strconcat (node, ".fileName", NULL);

  return kv_file_set (vmx, key, file_name, error);
}

/* ---- what forbids working on it ---- */

gboolean
ws_vmx_is_encrypted (const KvFile *vmx)
{
  static const char *const marks[]
    = { "encryption.keySafe", "encryption.data", "encryption.encryptedKey",
        "encryptedVM.guid",   "cryptedVM.guid",  "vmx.encryptionType" };
  gsize i;

  for (i = 0; i < G_N_ELEMENTS (marks); i++)
    if (is_set (kv_file_get (vmx, marks[i])))
      return TRUE;
  return kv_file_get_bool (vmx, "vtpm.present", FALSE);
}

gboolean
ws_vmx_is_template (const KvFile *vmx)
{
  return kv_file_get_bool (vmx, "templateVM", FALSE)
         || is_set (kv_file_get (vmx, "policy.vm.mvmtid"));
}

static gboolean
is_legacy_mode (const char *mode)
{
  static const char *const modes[] = { "undoable", "nonpersistent", "append" };
  gsize i;

  for (i = 0; mode != NULL && i < G_N_ELEMENTS (modes); i++)
    if (g_ascii_strcasecmp (mode, modes[i]) == 0)
      return TRUE;
  return FALSE;
}

static gboolean
is_sharing (const char *value)
{
  return is_set (value) && g_ascii_strcasecmp (value, "none") != 0
         && g_ascii_strcasecmp (value, "nobus") != 0;
}

/* Why our code cannot work on this disk, and what to do; NULL: it can. */
static const char *
node_obstacle (GArray *nodes, const Node *node, const char **ret_key)
{
  const Node *controller = node_controller (nodes, node);

  *ret_key = "redo";
  if (is_set (node->redo))
    return "has an undo log; power the VM on and off in VMware, which applies "
           "or discards it";
  *ret_key = "mode";
  if (is_legacy_mode (node->mode))
    return "is a mode of old products; set it to persistent";
  if (!node_in_snapshots (node))
    return NULL;
  *ret_key = "deviceType";
  if (node->device_type != NULL
      && (g_ascii_strcasecmp (node->device_type, "rawDisk") == 0
          || g_ascii_strcasecmp (node->device_type, "plainDisk") == 0))
    return "is a physical disk; make it independent";
  *ret_key = "sharing";
  if (is_sharing (node->sharing))
    return "other VMs may write to it; end the sharing";
  *ret_key = "ctkEnabled";
  if (is_true (node->ctk))
    return "its changes are tracked; turn the tracking off";
  if (controller != NULL && is_sharing (controller->shared_bus)) {
    *ret_key = "sharedBus";
    return "its bus is shared with other VMs; end the sharing";
  }
  return NULL;
}

static gboolean
check_disks (const KvFile *vmx, const char *label, GError **error)
{
  g_autoptr (GArray) nodes = list_nodes (vmx);
  guint i;

  for (i = 0; i < nodes->len; i++) {
    const Node *node = &g_array_index (nodes, Node, i);
    const char *key, *obstacle;

    if (!node_is_listed (nodes, node))
      continue;
    obstacle = node_obstacle (nodes, node, &key);
    if (obstacle == NULL)
      continue;
    g_set_error (error, VIX_ERROR, VIX_E_SNAPSHOT_CONFIG,
                 "%s: disk %s%d:%d: %s: %s", label, buses[node->bus].name,
                 node->controller, node->unit, key, obstacle);
    return FALSE;
  }
  return TRUE;
}

gboolean
ws_vmx_check_native (const KvFile *vmx, const char *label, GError **error)
{
  if (ws_vmx_is_encrypted (vmx)) {
    g_set_error (error, VIX_ERROR, VIX_E_NEED_KEY,
                 "%s: the VM is encrypted, or has a vTPM; only VMware can "
                 "change it",
                 label);
    return FALSE;
  }
  if (ws_vmx_is_template (vmx)) {
    g_set_error (error, VIX_ERROR, VIX_E_TEMPLATE_VM,
                 "%s: templateVM or policy.vm.mvmtid: the VM is a template "
                 "or managed; turn that off to change it",
                 label);
    return FALSE;
  }
  if (kv_file_get_bool (vmx, "ctkEnabled", FALSE)) {
    g_set_error (error, VIX_ERROR, VIX_E_SNAPSHOT_CONFIG,
                 "%s: ctkEnabled: changes of the disks are tracked; turn the "
                 "tracking off",
                 label);
    return FALSE;
  }
  if (kv_file_get_bool (vmx, "snapshot.redoNotWithParent", FALSE)
      && ws_vmx_get_working_dir (vmx) != NULL) {
    g_set_error (error, VIX_ERROR, VIX_E_SNAPSHOT_CONFIG,
                 "%s: snapshot.redoNotWithParent: new disks belong into "
                 "workingDir, which only VMware does; remove one of the keys",
                 label);
    return FALSE;
  }
  return check_disks (vmx, label, error);
}

gboolean
ws_vmx_check_policy (const KvFile *vmx, const char *label, gsize count,
                     GError **error)
{
  gint64 max;

  if (kv_file_get_bool (vmx, "snapshot.disabled", FALSE)) {
    g_set_error (error, VIX_ERROR, VIX_E_SNAPSHOT_NOPERM,
                 "%s: snapshot.disabled: this VM may have no snapshots", label);
    return FALSE;
  }
  if (kv_file_get_int (vmx, "snapshot.maxSnapshots", 0, G_MAXINT32, &max)
      && count >= (guint64)max) {
    g_set_error (error, VIX_ERROR, VIX_E_SNAPSHOT_MAXSNAPSHOTS,
                 "%s: snapshot.maxSnapshots: there are %" G_GSIZE_FORMAT
                 " snapshots, %" G_GINT64_FORMAT
                 " are allowed; remove one or raise the limit",
                 label, count, max);
    return FALSE;
  }
  return TRUE;
}

/* ---- single facts ---- */

static const char *
get_nonempty (const KvFile *vmx, const char *name)
{
  const char *value = kv_file_get (vmx, name);

  return is_set (value) ? value : NULL;
}

const char *
ws_vmx_get_state_file (const KvFile *vmx)
{
  return get_nonempty (vmx, "checkpoint.vmState");
}

const char *
ws_vmx_get_working_dir (const KvFile *vmx)
{
  const char *dir = get_nonempty (vmx, "workingDir");

  return dir != NULL && strcmp (dir, ".") == 0 ? NULL : dir;
}

char **
ws_vmx_list_search_path (const KvFile *vmx)
{
  g_auto (GStrv) parts
    = g_strsplit (kv_file_get_default (vmx, "fileSearchPath", ""), ";", -1);
  GPtrArray *dirs = g_ptr_array_new ();
  gsize i;

  for (i = 0; parts[i] != NULL; i++)
    if (g_strstrip (parts[i])[0] != '\0')
      g_ptr_array_add (dirs, g_strdup (parts[i]));
  g_ptr_array_add (dirs, NULL);
  return (char **)g_ptr_array_free (dirs, FALSE);
}

const char *
ws_vmx_get_display_name (const KvFile *vmx, const char *fallback)
{
  const char *name = get_nonempty (vmx, "displayName");

  return name == NULL ? fallback : name;
}

/* Written as "56 4d 1a ... 05-8f ..."; what counts are 32 hex digits. */
char *
ws_vmx_get_uuid (const KvFile *vmx)
{
  const char *s = kv_file_get_default (vmx, "uuid.bios", "");
  GString *uuid = g_string_sized_new (37);
  guint digits = 0;

  for (; *s != '\0'; s++) {
    if (*s == ' ' || *s == '-')
      continue;
    if (!g_ascii_isxdigit (*s) || digits == 32) {
      digits = 0;
      break;
    }
    if (digits == 8 || digits == 12 || digits == 16 || digits == 20)
      g_string_append_c (uuid, '-');
    g_string_append_c (uuid, g_ascii_tolower (*s));
    digits++;
  }
  if (digits != 32)
    g_string_truncate (uuid, 0);
  return g_string_free (uuid, FALSE);
}

const char *
ws_vmx_get_nvram (const KvFile *vmx)
{
  return get_nonempty (vmx, "nvram");
}

const char *
ws_vmx_get_vmxf (const KvFile *vmx)
{
  return get_nonempty (vmx, "extendedConfigFile");
}
