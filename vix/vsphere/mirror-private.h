/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * mirror-private.h - what mirror.c (objects and their tree) and mirror-vm.c
 * (what a virtual machine is made of) share.
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

/* Present or not, made if need be. */
MirrorNode *mirror_get_node (VsphereMirror *self, MirrorKind kind,
                             const char *value);
/* Points *@slot to the object @ref, NULL: nowhere. */
void mirror_set_link (VsphereMirror *self, MirrorNode **slot,
                      const SoapRef *ref);
/* The datacenter above @node; NULL unknown. */
const MirrorNode *mirror_get_datacenter (const MirrorNode *node);

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
