/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vm-private.h - the objects of a VM and of a snapshot, for the files of
 * api/. They hold names only: what a VM is like is looked up when asked.
 */
#pragma once

#include "api/host-private.h"

G_BEGIN_DECLS

typedef struct {
  VixObject object;   /* its parent is the host, its key VixExtVM.id */
  VixJobQueue *queue; /* changes of this VM */
} VixVM;

typedef struct {
  VixObject object; /* its parent is the VM */
  gint64 id;        /* VixExtSnapshot.id */
} VixSnapshot;

/* (transfer full): the one object of that name; whether there is such a VM
 * or snapshot is not asked. */
VixVM *vix_vm_new (VixHost *host, const char *id);
VixSnapshot *vix_snapshot_new (VixVM *vm, gint64 id);

static inline const char *
vix_vm_get_id (const VixVM *self)
{
  return self->object.key;
}

static inline VixHost *
vix_vm_get_host (const VixVM *self)
{
  return (VixHost *)self->object.parent;
}

static inline VixVM *
vix_snapshot_get_vm (const VixSnapshot *self)
{
  return (VixVM *)self->object.parent;
}

G_END_DECLS
