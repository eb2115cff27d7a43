/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vmsd-private.h - from a dictionary to the model of vmsd.h.
 */
#pragma once

#include "workstation/vmsd.h"

G_BEGIN_DECLS

/* What a dictionary says about snapshots. */
typedef struct {
  GPtrArray *snapshots; /* WsSnapshot by ascending uid */
  gint64 current;
  gint64 last_uid; /* the highest of lastUID and all uids */
  gboolean needs_consolidate;
  gboolean linked_clone;
  char *problem; /* NULL: consistent */
} WsVmsdModel;

struct WsVmsd {
  KvFile *kv;
  char *label;
  WsVmsdModel model;
};

void ws_vmsd_model_read (const KvFile *kv, WsVmsdModel *ret_model);
void ws_vmsd_model_clear (WsVmsdModel *model);

/* Is @name a key of a block, "snapshot12.uid"? Then its N, and where in @name
 * the field begins. */
gboolean ws_vmsd_parse_key (const char *name, guint *ret_index,
                            const char **ret_field);

/* vmsd-notes.c: all of @uid. */
void ws_vmsd_drop_notes (KvFile *kv, gint64 uid);

G_END_DECLS
