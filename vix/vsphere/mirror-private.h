/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * mirror-private.h - what mirror.c (objects and how hosts tell of them),
 * mirror-vm.c (what a virtual machine is made of), mirror-path.c (where things
 * are) and mirror-changes.c (what others have to be told) share.
 */
#pragma once

#include "vsphere/layout.h"
#include "vsphere/mirror.h"

G_BEGIN_DECLS

typedef enum {
  MIRROR_FOLDER,
  MIRROR_DATACENTER,
  MIRROR_VAPP,
  MIRROR_DATASTORE,
  MIRROR_VM,
  MIRROR_N_KINDS
} MirrorKind;

typedef struct MirrorNode MirrorNode;
struct MirrorNode {
  MirrorKind kind;
  guint refs;         /* nodes that point here, and one if it is present */
  gboolean present;   /* the host told of it; else it is only referred to */
  gboolean marked;    /* in doubt since vsphere_mirror_mark() */
  guint serial;       /* of the newest update of it */
  char *value;        /* of its reference; identity within its kind */
  char *name;         /* as on the wire; NULL unknown */
  MirrorNode *parent; /* folder or datacenter; NULL if none */
  MirrorNode *vapp;   /* the vApp it is in */
};

typedef struct {
  MirrorNode node;
  gint64 capacity;
  gint64 free_space;
  gboolean accessible;
  char *type;
} MirrorStore;

struct VsphereMirror {
  gboolean flat;
  GHashTable *nodes;   /* set of MirrorNode, by kind and value */
  GPtrArray *dirty;    /* VsphereVm whose record may differ from `taken` */
  GPtrArray *homeless; /* those of them whose place has not come yet */
  GPtrArray *gone;     /* ids of VMs that were taken and are no more */
  gboolean moved;      /* a folder or the like changed: paths may have too */
  guint serial;        /* of the newest update */
  guint last_leave;    /* of the newest that took something away */
};

/* Points *@slot to the object @ref, NULL: nowhere. */
void mirror_set_link (VsphereMirror *self, MirrorNode **slot,
                      const SoapRef *ref);
/* What it is made of changed, or where it is. */
void mirror_mark_dirty (VsphereMirror *self, VsphereVm *vm);

/* ---- mirror-path.c ---- */

/* (transfer full): from the top down, decoded, the VM's own name last. FALSE
 * if something on the way up has not come yet. */
gboolean mirror_make_path (const VsphereMirror *self, const VsphereVm *vm,
                           char ***ret_path);
/* (transfer full): "[ds] dir/vm.vmx" with the datacenter:
 * "[DC/ds] dir/vm.vmx". */
char *mirror_make_vmx_path (const VsphereVm *vm);

/* ---- virtual machines ---- */

/* What was asked of one snapshot, see mirror-disks.c. */
typedef struct MirrorKnown MirrorKnown;

struct VsphereVm {
  MirrorNode node;
  gboolean dirty; /* in VsphereMirror.dirty */
  const VixExtVM *record;
  const VixExtVM *taken;
  guint taken_serial;     /* counts what was taken */
  guint confirmed_serial; /* the last of them that reached everybody */
  /* The objects of record->snapshots, in that order, NUL-terminated each. */
  char *snapshot_refs;
  guint serial;              /* counts the changes of its properties */
  GArray *known;             /* (MirrorKnown); NULL: none */
  guint known_serial;        /* as of that, nothing is not known */
  VsphereLayout *layout;     /* NULL: not known */
  guint64 taken_layout_hash; /* of the layout that was there when taken */

  /* Properties, from which the record is made. */
  char *wire_path;
  char *uuid;
  char *guest_id;
  char *connection;            /* NULL: connected */
  char *question;              /* what it waits for an answer to */
  char *unreadable;            /* a property that made no sense: why ... */
  const char *unreadable_path; /* ... and which; static */
  gint64 config_changed;       /* us since 1970 */
  int power_state;
  int tools_state;
  int vcpus;
  int memory_mib;
  int hardware_version;
  gboolean is_template;
  gboolean needs_consolidation;
  gboolean cut;
  gboolean layout_cut;
};

typedef struct {
  MirrorKind kind;
  const char *path;
  const char *since; /* API version */
  SoapKind value_kind;
  const SoapType *type; /* of a STRUCT */
  /* @value: as soap_decode_value() made it; NULL: unset. */
  void (*set) (VsphereMirror *mirror, MirrorNode *node, gconstpointer value);
} MirrorProperty;

extern const MirrorProperty mirror_vm_properties[];
extern const gsize mirror_n_vm_properties;

void mirror_vm_clear (VsphereVm *self);
/* Drops what was asked of snapshots that are gone. */
void mirror_vm_forget_gone (VsphereVm *self);
/* All properties unset; the record stays until the next rebuild. */
void mirror_vm_reset (VsphereVm *self);
/* Makes the record anew from the properties, except path and .vmx path. */
void mirror_vm_rebuild (VsphereVm *self);
/* Gives the record that path and .vmx path. */
void mirror_vm_set_path (VsphereVm *self, const char *const *path,
                         const char *vmx_path);

G_END_DECLS
