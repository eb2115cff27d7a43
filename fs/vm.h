/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vm.h - what a mount keeps of one VM beside its record: slots, shown names,
 * aliases, markers.
 *
 * No lock of its own: the tree guards it with its own.
 */
#pragma once

#include <glib.h>

#include "node.h"
#include "pairs.h"
#include "stale.h"
#include "vix-ext.h"

G_BEGIN_DECLS

/* How many aliases of "snapshots" are told of changes, the newest first. */
#define FS_ALIASES_KEPT 64

/* A snapshot that is there. */
typedef struct {
  gint64 id;
  guint32 slot;
  guint16 variant; /* of its shown name, see fs_name_shown() */
  guint16 generation;
} FsVmSnapshot;

/* A file that was listed. */
typedef struct {
  guint32 name; /* where in FsVm.file_names */
  guint16 slot;
  guint16 generation;
} FsVmFile;

typedef struct {
  guint32 next;       /* the next slot to give out */
  guint16 generation; /* raised each time that slots ran out */
} FsSlotCounter;

/* The markers below "snapshots"; in seconds since 1970, 0: not there. */
typedef struct {
  gint64 memory;
  gint64 quiesce;
} FsMarks;

typedef struct {
  guint32 slot;
  guint host;             /* number of its host */
  guint32 folder;         /* slot of the folder that it is in */
  const VixExtVM *record; /* a reference */
  char *name;             /* shown, unique in the folder */
  guint64 identity;
  guint32 version; /* raised with each change of what is below */
  guint32 alias;   /* of "snapshots", "current", "power", now */
  FsMarks marks;
  char *description; /* that new snapshots get; NULL if not set */
  char *error;       /* the last failure; NULL if there was none */

  /* What the kernel may have, a bit each: kinds of nodes; aliases, the newest
   * in bit 0. */
  guint64 kinds_asked;
  guint64 aliases_asked;

  GArray *snapshots; /* (FsVmSnapshot) by ascending slot */
  FsPairs *pairs;    /* of snapshots that are there; NULL: none yet */
  guint32 newest;    /* slot of the snapshot that was made last; 0: none */
  FsSlotCounter snapshot_slots;
  gint64 expected_rename; /* id of the snapshot that the kernel has renamed, or
                           * asked to; 0: none */
  /* By name, none until they are listed. A walk over ten thousand VMs leaves
   * some twenty in each of them: no byte more than they take. */
  FsVmFile *files;
  guint n_files;
  char *file_names; /* one after the other, NUL-terminated */
  guint32 file_names_size;
  FsSlotCounter file_slots;
} FsVm;

/* A VM without snapshots yet: fs_vm_update() comes next. */
FsVm *fs_vm_new (guint32 slot, guint32 folder, const char *name,
                 guint64 identity);
void fs_vm_free (FsVm *self);

/**
 * fs_vm_update:
 * @record: the new state; a reference is taken
 * @stale: gets what the kernel may know otherwise
 *
 * Snapshots that are new get a slot, in ascending order of their ids; those
 * that are gone lose theirs. A name once shown stays while the snapshot keeps
 * its name on the host. One that was renamed gets a new slot as well: what the
 * kernel has under the old name is then gone. Only where the kernel itself
 * renames it, and knows it in one directory only, it keeps its slot.
 */
void fs_vm_update (FsVm *self, const VixExtVM *record, FsStale *stale);

/* The index in @self->snapshots of the first with @slot or above. */
guint fs_vm_position (const FsVm *self, guint32 slot);

/* (nullable): borrowed until the next update */
const FsVmSnapshot *fs_vm_find_slot (const FsVm *self, guint32 slot);
const FsVmSnapshot *fs_vm_find_id (const FsVm *self, gint64 id);
const FsVmSnapshot *fs_vm_find_name (const FsVm *self, const char *shown);

/* (transfer full): as what the snapshot is shown */
char *fs_vm_snapshot_name (const FsVm *self, const FsVmSnapshot *snapshot);

/* (nullable): borrowed from @record */
const VixExtSnapshot *fs_record_snapshot (const VixExtVM *record, gint64 id);

/* The slot of a pair of snapshots, see pairs.h; 0 if one is not there. */
guint32 fs_vm_pair (FsVm *self, guint32 newer, guint32 older);

/* The slot of the file @name, a new one if it has none yet; NULL: there are no
 * more. Borrowed until the next. */
const FsVmFile *fs_vm_file (FsVm *self, const char *name);
const char *fs_vm_file_name (const FsVm *self, const FsVmFile *file);
/* (nullable) */
const FsVmFile *fs_vm_file_at (const FsVm *self, guint32 slot);
/* Forgets the slots of files that are not in the set @names. */
void fs_vm_prune_files (FsVm *self, GHashTable *names);

/* The kernel is about to be told of node @id as it is now. */
void fs_vm_note_asked (FsVm *self, FsNodeId id);

/* What the kernel may have of a VM of which anything changed: no more than
 * it ever asked for, since each is a call to it. */
void fs_vm_collect_all (const FsVm *self, FsStale *stale);

/* "snapshots" under every kept alias, and the markers: likewise. */
void fs_vm_collect_snapshots (const FsVm *self, FsStale *stale);

/* Snapshot @id gets a new slot, if it is there. */
void fs_vm_renew_snapshot (FsVm *self, gint64 id, FsStale *stale);

/* "snapshots", "current" and "power" get a new node id. */
void fs_vm_switch_alias (FsVm *self, FsStale *stale);

G_END_DECLS
