/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "entries.h"

#include <errno.h>
#include <string.h>

/* ---- what each directory holds, in the order of listings ---- */

/* MOUNTPOINT/, FOLDER/: and the folders and VMs in it */
static const FsEntry folder_entries[] = {
  { ".vixfs", FS_KIND_CONTROL, TRUE, fs_folder_is_root },
};

/* VM/ */
static const FsEntry vm_entries[] = {
  { "info.json", FS_KIND_VM_INFO, FALSE, NULL },
  { "power", FS_KIND_POWER, FALSE, NULL },
  { "current", FS_KIND_CURRENT, FALSE, NULL },
  { "files", FS_KIND_VM_FILES, FALSE, NULL },
  { "snapshots", FS_KIND_SNAPSHOTS, FALSE, NULL },
  { "latest", FS_KIND_LATEST, FALSE, fs_latest_is_present },
};

/* VM/snapshots/: and the snapshots */
static const FsEntry snapshots_entries[] = {
  { ".memory", FS_KIND_MARK_MEMORY, FALSE, fs_mark_memory_is_present },
  { ".quiesce", FS_KIND_MARK_QUIESCE, FALSE, fs_mark_quiesce_is_present },
  { ".tree", FS_KIND_TREE, TRUE, NULL },
};

/* VM/snapshots/NAME/ */
static const FsEntry snapshot_entries[] = {
  { "info.json", FS_KIND_SNAPSHOT_INFO, FALSE, NULL },
  { "description", FS_KIND_DESCRIPTION, FALSE, NULL },
  { "parent", FS_KIND_PARENT, FALSE, fs_parent_is_present },
  { "config.vmx", FS_KIND_CONFIG, FALSE, fs_config_is_present },
  { "disks", FS_KIND_DISKS, FALSE, fs_disks_are_present },
  { "files", FS_KIND_SNAPSHOT_FILES, FALSE, NULL },
  { ".since", FS_KIND_SINCE, TRUE, fs_disks_are_present },
};

/* VM/latest/: the newest snapshot's, to be read only */
static const FsEntry latest_entries[] = {
  { "info.json", FS_KIND_LATEST_INFO, FALSE, NULL },
  { "description", FS_KIND_LATEST_DESCRIPTION, FALSE, NULL },
  { "parent", FS_KIND_LATEST_PARENT, FALSE, fs_parent_is_present },
  { "config.vmx", FS_KIND_LATEST_CONFIG, FALSE, fs_config_is_present },
  { "disks", FS_KIND_LATEST_DISKS, FALSE, fs_disks_are_present },
  { "files", FS_KIND_LATEST_FILES, FALSE, NULL },
};

/* MOUNTPOINT/.vixfs/ */
static const FsEntry control_entries[] = {
  { "version", FS_KIND_CONTROL_VERSION, FALSE, NULL },
  { "hosts", FS_KIND_CONTROL_HOSTS, FALSE, NULL },
  { "jobs", FS_KIND_CONTROL_JOBS, FALSE, NULL },
  { "log", FS_KIND_CONTROL_LOG, FALSE, NULL },
  { "events", FS_KIND_CONTROL_EVENTS, FALSE, NULL },
  { "stats", FS_KIND_CONTROL_STATS, FALSE, NULL },
};

#define ENTRIES(table) .entries = (table), .n_entries = G_N_ELEMENTS (table)
#define DIRECTORY (S_IFDIR | 0777)
#define READ_ONLY (S_IFREG | 0444)
#define WRITABLE (S_IFREG | 0666)

/* ---- what each kind of node is ---- */

static const FsKind kinds[FS_N_KINDS] = {
  [FS_KIND_FOLDER] = {
    .name = "folder", .mode = DIRECTORY, ENTRIES (folder_entries),
    .find = fs_folder_find, .list = fs_folder_list, .refusal = EPERM,
  },
  [FS_KIND_VM] = {
    .name = "VM", .mode = DIRECTORY, ENTRIES (vm_entries), .refusal = EPERM,
    .has_facts = TRUE,
  },
  [FS_KIND_VM_INFO] = {
    .name = "info.json", .mode = READ_ONLY, .print = fs_info_print,
  },
  [FS_KIND_CURRENT] = {
    .name = "current", .mode = WRITABLE, .aliased = TRUE, .print = fs_current_print,
    .store = fs_current_store,
  },
  [FS_KIND_POWER] = {
    .name = "power", .mode = WRITABLE, .aliased = TRUE, .print = fs_power_print,
    .store = fs_power_store,
  },
  [FS_KIND_VM_FILES] = {
    .name = "files", .mode = DIRECTORY, .find = fs_files_find, .list = fs_files_list,
    .refusal = EROFS,
  },
  [FS_KIND_FILE] = {
    .name = "file", .mode = READ_ONLY, .may_wait = TRUE, .comes_listed = TRUE,
    .open = fs_file_open,
    .label = fs_file_label, .measure = fs_file_measure,
  },
  [FS_KIND_SNAPSHOTS] = {
    .name = "snapshots", .mode = DIRECTORY, .aliased = TRUE,
    ENTRIES (snapshots_entries), .find = fs_snapshots_find,
    .list = fs_snapshots_list, .refusal = EPERM,
    .make_dir = fs_snapshots_mkdir, .remove_dir = fs_snapshots_rmdir,
    .rename = fs_snapshots_rename, .create = fs_snapshots_create,
    .remove = fs_snapshots_remove, .describe = fs_snapshots_describe,
  },
  [FS_KIND_MARK_MEMORY] = {
    .name = ".memory", .mode = WRITABLE, .print = fs_mark_print,
  },
  [FS_KIND_MARK_QUIESCE] = {
    .name = ".quiesce", .mode = WRITABLE, .print = fs_mark_print,
  },
  [FS_KIND_TREE] = {
    .name = ".tree", .mode = READ_ONLY, .print = fs_tree_print,
  },
  [FS_KIND_SNAPSHOT] = {
    .name = "snapshot", .mode = DIRECTORY, .aliased = TRUE,
    ENTRIES (snapshot_entries), .refusal = EROFS, .has_facts = TRUE,
    .describe = fs_snapshot_describe,
  },
  [FS_KIND_SNAPSHOT_INFO] = {
    .name = "info.json", .mode = READ_ONLY, .print = fs_info_print,
  },
  [FS_KIND_DESCRIPTION] = {
    .name = "description", .mode = WRITABLE, .aliased = TRUE,
    .print = fs_description_print, .store = fs_description_store,
  },
  [FS_KIND_PARENT] = {
    .name = "parent", .mode = S_IFLNK | 0777, .print = fs_parent_print,
  },
  [FS_KIND_CONFIG] = {
    .name = "config.vmx", .mode = READ_ONLY, .may_wait = TRUE,
    .may_lack_size = TRUE,
    .print = fs_config_print, .measure = fs_config_measure,
  },
  [FS_KIND_SNAPSHOT_FILES] = {
    .name = "files", .mode = DIRECTORY, .aliased = TRUE, .find = fs_files_find,
    .list = fs_files_list, .refusal = EROFS,
  },
  [FS_KIND_DISKS] = {
    .name = "disks", .mode = DIRECTORY, .aliased = TRUE, .may_wait = TRUE,
    .find = fs_disks_find, .list = fs_disks_list, .refusal = EROFS,
  },
  [FS_KIND_IMAGE] = {
    .name = "image", .mode = READ_ONLY, .may_wait = TRUE, .open = fs_image_open,
    .label = fs_image_label, .measure = fs_image_measure,
  },
  [FS_KIND_CHANGES] = {
    .name = "changes", .mode = READ_ONLY, .may_wait = TRUE, .is_costly = TRUE,
    .may_lack_size = TRUE,
    .open = fs_changes_open,
    .label = fs_image_label, .measure = fs_changes_measure,
  },
  [FS_KIND_SINCE] = {
    .name = ".since", .mode = DIRECTORY, .aliased = TRUE, .find = fs_since_find,
    .list = fs_since_list, .refusal = EROFS,
  },
  [FS_KIND_OLDER] = {
    .name = "older", .mode = DIRECTORY, .may_wait = TRUE, .aliased = TRUE,
    .find = fs_disks_find, .list = fs_disks_list, .refusal = EROFS,
    .label = fs_older_label,
  },
  [FS_KIND_DIFFERENCE] = {
    .name = "difference", .mode = READ_ONLY, .may_wait = TRUE, .is_costly = TRUE,
    .open = fs_image_open,
    .label = fs_difference_label, .measure = fs_difference_measure,
  },
  [FS_KIND_LATEST] = {
    .name = "latest", .mode = DIRECTORY, ENTRIES (latest_entries),
    .refusal = EROFS, .has_facts = TRUE,
  },
  [FS_KIND_LATEST_INFO] = {
    .name = "info.json", .mode = READ_ONLY, .print = fs_info_print,
  },
  [FS_KIND_LATEST_DESCRIPTION] = {
    .name = "description", .mode = READ_ONLY, .print = fs_description_print,
  },
  [FS_KIND_LATEST_PARENT] = {
    .name = "parent", .mode = S_IFLNK | 0777, .print = fs_parent_print,
  },
  [FS_KIND_LATEST_CONFIG] = {
    .name = "config.vmx", .mode = READ_ONLY, .may_wait = TRUE,
    .may_lack_size = TRUE,
    .print = fs_config_print, .measure = fs_config_measure,
  },
  [FS_KIND_LATEST_DISKS] = {
    .name = "disks", .mode = DIRECTORY, .may_wait = TRUE, .names_move = TRUE,
    .find = fs_disks_find, .list = fs_disks_list, .refusal = EROFS,
  },
  [FS_KIND_LATEST_FILES] = {
    .name = "files", .mode = DIRECTORY, .find = fs_files_find, .list = fs_files_list,
    .refusal = EROFS,
  },
  [FS_KIND_LATEST_IMAGE] = {
    .name = "image", .mode = READ_ONLY, .may_wait = TRUE, .open = fs_image_open,
    .label = fs_image_label, .measure = fs_image_measure,
  },
  [FS_KIND_LATEST_CHANGES] = {
    .name = "changes", .mode = READ_ONLY, .may_wait = TRUE, .is_costly = TRUE,
    .may_lack_size = TRUE,
    .open = fs_changes_open,
    .label = fs_image_label, .measure = fs_changes_measure,
  },
  [FS_KIND_CONTROL] = {
    .name = ".vixfs", .mode = DIRECTORY, ENTRIES (control_entries), .refusal = EPERM,
  },
  [FS_KIND_CONTROL_VERSION] = {
    .name = "version", .mode = READ_ONLY, .print = fs_version_print,
  },
  [FS_KIND_CONTROL_HOSTS] = {
    .name = "hosts", .mode = READ_ONLY, .is_volatile = TRUE, .print = fs_hosts_print,
  },
  [FS_KIND_CONTROL_JOBS] = {
    .name = "jobs", .mode = READ_ONLY, .is_volatile = TRUE, .print = fs_jobs_print,
  },
  [FS_KIND_CONTROL_LOG] = {
    .name = "log", .mode = READ_ONLY, .is_volatile = TRUE, .print = fs_log_print,
  },
  [FS_KIND_CONTROL_EVENTS] = {
    .name = "events", .mode = READ_ONLY, .is_volatile = TRUE,
    .open = fs_events_open_node,
  },
  [FS_KIND_CONTROL_STATS] = {
    .name = "stats", .mode = READ_ONLY, .is_volatile = TRUE,
    .print = fs_stats_print_node,
  },
};

const FsKind *
fs_kind (FsKindId kind)
{
  return &kinds[kind];
}

const FsEntry *
fs_kind_entry (const FsKind *kind, const char *name)
{
  gsize i;

  for (i = 0; i < kind->n_entries; i++) {
    if (strcmp (kind->entries[i].name, name) == 0)
      return &kind->entries[i];
  }
  return NULL;
}

gboolean
fs_entry_is_present (const FsEntry *entry, FsMount *mount, const FsNode *dir)
{
  return entry->is_present == NULL || entry->is_present (mount, dir);
}
