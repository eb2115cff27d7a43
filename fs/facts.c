/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "facts.h"

#include <string.h>

#include "json.h"

/* A fact being told. */
typedef struct {
  FsMount *mount;
  const FsNode *node;
  FsListing *files; /* NULL until a fact wants it */
} Teller;

/* Writes the value as @json's next, under @name; nothing if there is none. */
typedef void (*FactFunc) (Teller *self, FsJson *json, const char *name);

typedef struct {
  const char *name;
  FactFunc tell;
} Fact;

static const FsListing *
get_files (Teller *self)
{
  if (self->files == NULL)
    self->files = fs_files_get (self->mount->files, self->node);
  return self->files;
}

const char *
fs_power_text (int power_state)
{
  if (power_state & VIX_POWERSTATE_SUSPENDED)
    return "suspended";
  return power_state & VIX_POWERSTATE_POWERED_ON ? "on" : "off";
}

/* ---- of a VM ---- */

static void
string_or_nothing (FsJson *json, const char *name, const char *value)
{
  if (value != NULL && *value != '\0')
    fs_json_string (json, name, value);
}

static void
vm_name (Teller *self, FsJson *json, const char *name)
{
  fs_json_string (json, name, self->node->vm->displayName);
}

static void
vm_path (Teller *self, FsJson *json, const char *name)
{
  g_autofree char *path = fs_tree_path (self->mount->tree, self->node->id.slot);

  fs_json_string (json, name, path);
}

static void
vm_id (Teller *self, FsJson *json, const char *name)
{
  fs_json_string (json, name, self->node->vm->id);
}

static void
vm_uuid (Teller *self, FsJson *json, const char *name)
{
  fs_json_string (json, name, self->node->vm->uuid);
}

static void
vm_vmx (Teller *self, FsJson *json, const char *name)
{
  fs_json_string (json, name, self->node->vm->vmxPath);
}

static void
vm_power (Teller *self, FsJson *json, const char *name)
{
  fs_json_string (json, name, fs_power_text (self->node->vm->powerState));
}

static void
vm_tools (Teller *self, FsJson *json, const char *name)
{
  int state = self->node->vm->toolsState;

  fs_json_string (json, name,
                  state == VIX_TOOLSSTATE_RUNNING         ? "running"
                  : state == VIX_TOOLSSTATE_NOT_INSTALLED ? "not installed"
                                                          : "unknown");
}

static void
vm_guest (Teller *self, FsJson *json, const char *name)
{
  fs_json_string (json, name, self->node->vm->guestOS);
}

static void
vm_vcpus (Teller *self, FsJson *json, const char *name)
{
  fs_json_int (json, name, self->node->vm->numVcpus);
}

static void
vm_memory (Teller *self, FsJson *json, const char *name)
{
  fs_json_int (json, name, self->node->vm->memoryMiB);
}

static void
vm_hardware (Teller *self, FsJson *json, const char *name)
{
  fs_json_int (json, name, self->node->vm->hardwareVersion);
}

static void
vm_flag (Teller *self, FsJson *json, const char *name, int flag)
{
  fs_json_bool (json, name, (self->node->vm->flags & flag) != 0);
}

static void
vm_template (Teller *self, FsJson *json, const char *name)
{
  vm_flag (self, json, name, VIXEXT_VM_TEMPLATE);
}

static void
vm_encrypted (Teller *self, FsJson *json, const char *name)
{
  vm_flag (self, json, name, VIXEXT_VM_ENCRYPTED);
}

static void
vm_linked_clone (Teller *self, FsJson *json, const char *name)
{
  vm_flag (self, json, name, VIXEXT_VM_LINKED_CLONE);
}

static void
vm_locked (Teller *self, FsJson *json, const char *name)
{
  vm_flag (self, json, name, VIXEXT_VM_LOCKED);
}

static void
vm_team (Teller *self, FsJson *json, const char *name)
{
  string_or_nothing (json, name, self->node->vm->teamPath);
}

static void
vm_problem (Teller *self, FsJson *json, const char *name)
{
  string_or_nothing (json, name, self->node->vm->problem);
}

static void
vm_changed (Teller *self, FsJson *json, const char *name)
{
  fs_json_time (json, name, self->node->vm->changed);
}

static void
vm_snapshots (Teller *self, FsJson *json, const char *name)
{
  fs_json_int (json, name, (gint64)self->node->vm->numSnapshots);
}

static void
vm_current (Teller *self, FsJson *json, const char *name)
{
  g_autofree char *shown = fs_tree_snapshot_name (
    self->mount->tree, self->node->id.slot, self->node->vm->currentSnapshot);

  fs_json_string (json, name, shown);
}

/* Hosts of the network are not asked for them; an empty list would be a lie. */
static void
vm_disks (Teller *self, FsJson *json, const char *name)
{
  const VixExtVM *vm = self->node->vm;
  gsize i;

  if (!fs_host_source (fs_mount_host (self->mount, self->node))->is_local)
    return;
  fs_json_begin (json, name, '[');
  for (i = 0; i < vm->numDisks; i++) {
    fs_json_begin (json, NULL, '{');
    fs_json_string (json, "node", vm->disks[i].node);
    fs_json_string (json, "file", vm->disks[i].fileName);
    string_or_nothing (json, "mode", vm->disks[i].mode);
    fs_json_end (json, '}');
  }
  fs_json_end (json, ']');
}

static void
vm_bytes (Teller *self, FsJson *json, const char *name)
{
  if (get_files (self)->error == 0)
    fs_json_int (json, name, get_files (self)->bytes);
}

static void
vm_allocated (Teller *self, FsJson *json, const char *name)
{
  if (get_files (self)->error == 0)
    fs_json_int (json, name, get_files (self)->allocated);
}

static const Fact vm_facts[] = {
  { "name", vm_name },
  { "path", vm_path },
  { "id", vm_id },
  { "uuid", vm_uuid },
  { "vmx", vm_vmx },
  { "power_state", vm_power },
  { "tools", vm_tools },
  { "guest", vm_guest },
  { "vcpus", vm_vcpus },
  { "memory_mib", vm_memory },
  { "hardware_version", vm_hardware },
  { "template", vm_template },
  { "encrypted", vm_encrypted },
  { "linked_clone", vm_linked_clone },
  { "locked", vm_locked },
  { "team", vm_team },
  { "problem", vm_problem },
  { "changed", vm_changed },
  { "snapshots", vm_snapshots },
  { "current", vm_current },
  { "disks", vm_disks },
  { "bytes", vm_bytes },
  { "allocated", vm_allocated },
};

/* ---- of a snapshot ---- */

static void
snapshot_name (Teller *self, FsJson *json, const char *name)
{
  fs_json_string (json, name, self->node->snapshot->name);
}

static void
snapshot_id (Teller *self, FsJson *json, const char *name)
{
  fs_json_int (json, name, self->node->snapshot->id);
}

static void
snapshot_description (Teller *self, FsJson *json, const char *name)
{
  fs_json_string (json, name, self->node->snapshot->description);
}

static void
snapshot_created (Teller *self, FsJson *json, const char *name)
{
  fs_json_time (json, name, self->node->snapshot->created);
}

static void
snapshot_power (Teller *self, FsJson *json, const char *name)
{
  fs_json_string (json, name, fs_power_text (self->node->snapshot->powerState));
}

static void
snapshot_memory (Teller *self, FsJson *json, const char *name)
{
  fs_json_bool (json, name,
                (self->node->snapshot->flags & VIXEXT_SNAPSHOT_HAS_MEMORY)
                  != 0);
}

static void
snapshot_quiesced (Teller *self, FsJson *json, const char *name)
{
  fs_json_bool (json, name,
                (self->node->snapshot->flags & VIXEXT_SNAPSHOT_QUIESCED) != 0);
}

static void
snapshot_needed (Teller *self, FsJson *json, const char *name)
{
  fs_json_bool (json, name,
                (self->node->snapshot->flags & VIXEXT_SNAPSHOT_NEEDED_BY_CLONE)
                  != 0);
}

static void
snapshot_current (Teller *self, FsJson *json, const char *name)
{
  fs_json_bool (json, name,
                self->node->vm->currentSnapshot == self->node->snapshot->id);
}

/* How the snapshots begin that programs make for themselves, and are at a loss
 * when somebody removes them. */
static const struct {
  const char *prefix;
  const char *owner;
} foreign_snapshots[] = {
  { "Consolidate Helper", "VMware consolidation" },
  { "_VCB-BACKUP_", "VMware Consolidated Backup" },
  { "VEEAM BACKUP TEMPORARY SNAPSHOT", "Veeam Backup" },
  { "NBU_SNAPSHOT", "NetBackup" },
  { "__GX_BACKUP__", "Commvault" },
};

static void
snapshot_owner (Teller *self, FsJson *json, const char *name)
{
  const char *owner = NULL;
  gsize i;

  for (i = 0; i < G_N_ELEMENTS (foreign_snapshots); i++) {
    if (g_str_has_prefix (self->node->snapshot->name,
                          foreign_snapshots[i].prefix))
      owner = foreign_snapshots[i].owner;
  }
  string_or_nothing (json, name, owner);
}

static void
snapshot_parent (Teller *self, FsJson *json, const char *name)
{
  g_autofree char *shown = fs_tree_snapshot_name (
    self->mount->tree, self->node->id.slot, self->node->snapshot->parent);

  fs_json_string (json, name, shown);
}

static void
snapshot_children (Teller *self, FsJson *json, const char *name)
{
  const VixExtVM *vm = self->node->vm;
  gsize i;

  fs_json_begin (json, name, '[');
  for (i = 0; i < vm->numSnapshots; i++) {
    g_autofree char *shown = NULL;

    if (vm->snapshots[i].parent != self->node->snapshot->id)
      continue;
    shown = fs_tree_snapshot_name (self->mount->tree, self->node->id.slot,
                                   vm->snapshots[i].id);
    if (shown != NULL)
      fs_json_string (json, NULL, shown);
  }
  fs_json_end (json, ']');
}

static void
snapshot_disks (Teller *self, FsJson *json, const char *name)
{
  if (self->node->snapshot->numDisks >= 0)
    fs_json_int (json, name, self->node->snapshot->numDisks);
}

typedef struct {
  gint64 bytes;
  gint64 allocated;
} Sizes;

static gboolean
add_sizes (const FsFile *file, gpointer data)
{
  Sizes *sizes = data;

  sizes->bytes += file->bytes;
  sizes->allocated += file->allocated;
  return TRUE;
}

static Sizes
get_sizes (Teller *self)
{
  Sizes sizes = { 0, 0 };

  fs_listing_foreach (get_files (self), self->node->snapshot->id, 0, add_sizes,
                      &sizes);
  return sizes;
}

static void
snapshot_bytes (Teller *self, FsJson *json, const char *name)
{
  if (get_files (self)->error == 0)
    fs_json_int (json, name, get_sizes (self).bytes);
}

static void
snapshot_allocated (Teller *self, FsJson *json, const char *name)
{
  if (get_files (self)->error == 0)
    fs_json_int (json, name, get_sizes (self).allocated);
}

static const Fact snapshot_facts[] = {
  { "name", snapshot_name },
  { "id", snapshot_id },
  { "description", snapshot_description },
  { "created", snapshot_created },
  { "power_state", snapshot_power },
  { "memory", snapshot_memory },
  { "quiesced", snapshot_quiesced },
  { "needed_by_clone", snapshot_needed },
  { "current", snapshot_current },
  { "belongs_to", snapshot_owner },
  { "parent", snapshot_parent },
  { "children", snapshot_children },
  { "disks", snapshot_disks },
  { "bytes", snapshot_bytes },
  { "allocated", snapshot_allocated },
};

/* ---- both ---- */

static const Fact *
facts_of (const FsNode *node, gsize *ret_count)
{
  *ret_count = node->snapshot != NULL ? G_N_ELEMENTS (snapshot_facts)
                                      : G_N_ELEMENTS (vm_facts);
  return node->snapshot != NULL ? snapshot_facts : vm_facts;
}

void
fs_facts_print (FsMount *mount, const FsNode *node, GString *out)
{
  Teller self = { mount, node, NULL };
  gsize count;
  const Fact *facts = facts_of (node, &count);
  FsJson json;
  gsize i;

  fs_json_init (&json, out, TRUE);
  fs_json_begin (&json, NULL, '{');
  for (i = 0; i < count; i++)
    facts[i].tell (&self, &json, facts[i].name);
  fs_json_end (&json, '}');
  fs_listing_unref (self.files);
}

/* The attribute's text; NULL for nothing, null and "". */
static char *
fact_text (Teller *self, const Fact *fact)
{
  g_autoptr (GString) out = g_string_new (NULL);
  FsJson json;

  fs_json_init_plain (&json, out);
  fact->tell (self, &json, NULL);
  if (out->len == 0)
    return NULL;
  return g_strdup (out->str);
}

char *
fs_facts_get (FsMount *mount, const FsNode *node, const char *name)
{
  Teller self = { mount, node, NULL };
  gsize count;
  const Fact *facts = facts_of (node, &count);
  char *text = NULL;
  gsize i;

  for (i = 0; i < count; i++) {
    if (strcmp (facts[i].name, name) == 0) {
      text = fact_text (&self, &facts[i]);
      break;
    }
  }
  fs_listing_unref (self.files);
  return text;
}

void
fs_facts_list (FsMount *mount, const FsNode *node, GString *out)
{
  Teller self = { mount, node, NULL };
  gsize count;
  const Fact *facts = facts_of (node, &count);
  gsize i;

  for (i = 0; i < count; i++) {
    g_autofree char *text = fact_text (&self, &facts[i]);

    if (text != NULL)
      g_string_append_printf (out, "user.vix.%s%c", facts[i].name, '\0');
  }
  fs_listing_unref (self.files);
}
