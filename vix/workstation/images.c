/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The disks of a snapshot as the guest had them: which there are, and their
 * bytes.
 */
#include <string.h>

#include "base/error.h"
#include "image/image.h"
#include "image/reader.h"
#include "workstation/look.h"

static const WsSnapshotDisk *
find_node (const WsSnapshot *snapshot, const char *node)
{
  for (guint i = 0; i < snapshot->num_disks; i++)
    if (strcmp (snapshot->disks[i].node, node) == 0)
      return &snapshot->disks[i];
  return NULL;
}

static VmdkChain *
open_chain (WsResolver *resolver, const WsSnapshotDisk *disk, GError **error)
{
  return vmdk_chain_open (ws_resolver_vmdk (resolver), NULL, disk->file_name,
                          error);
}

/* ---- the list ---- */

/* How far up the snapshots somebody asked. */
typedef struct {
  const WsVmsd *vmsd;
  WsResolver *resolver;
  const WsSnapshot *snapshot;
  const char *node;
} Climb;

/* A VixImageParentFunc. Ids rise from parent to child: so it ends. */
static gboolean
climb (gpointer data, gint64 *ret_snapshot, char **ret_link_id)
{
  Climb *self = data;
  const WsSnapshot *parent = ws_vmsd_find (self->vmsd, self->snapshot->parent);
  const WsSnapshotDisk *disk
    = parent != NULL && parent->uid < self->snapshot->uid
        ? find_node (parent, self->node)
        : NULL;

  if (disk == NULL)
    return FALSE;
  self->snapshot = parent;
  *ret_snapshot = parent->uid;
  *ret_link_id = ws_resolver_locate (self->resolver, NULL, disk->file_name,
                                     VMDK_ROLE_DISK, NULL);
  return *ret_link_id != NULL;
}

gboolean
ws_image_find_changed_by (const WsVmsd *vmsd, WsResolver *resolver,
                          const WsSnapshot *snapshot,
                          const WsSnapshotDisk *disk, gint64 *ret_id,
                          GError **error)
{
  g_autoptr (VmdkChain) chain = open_chain (resolver, disk, error);
  Climb data = { vmsd, resolver, snapshot, disk->node };

  return chain != NULL
         && vix_image_find_changed_by (chain, snapshot->uid, climb, &data,
                                       ret_id, error);
}

static void
describe_image (WsLook *look, const WsSnapshot *snapshot,
                const WsSnapshotDisk *disk, VixExtImage *image)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (VmdkChain) chain = open_chain (look->resolver, disk, &error);
  Climb data = { look->vmsd, look->resolver, snapshot, disk->node };

  image->node = g_strdup (disk->node);
  image->changedBy = snapshot->uid;
  if (chain != NULL
      && vix_image_describe (chain, snapshot->uid, climb, &data, image, &error))
    image->changed
      = ws_vmsd_get_changed (look->vmsd, image->changedBy, disk->node);
  vix_image_set_problem (image, error);
}

gboolean
ws_list_images (gpointer host, const char *id, gint64 snapshot,
                VixExtImage **ret_images, gsize *ret_count, const VixOp *op,
                GError **error)
{
  g_auto (WsLook) look = { 0 };
  g_autoptr (GArray) images = vix_images_new ();
  const WsSnapshot *record;

  VIX_MAY_BLOCK ();
  if (!ws_look_at (host, id, snapshot, &look, &record, error))
    return FALSE;
  for (guint i = 0; i < record->num_disks; i++) {
    VixExtImage image = { 0 };

    describe_image (&look, record, &record->disks[i], &image);
    g_array_append_val (images, image);
  }
  *ret_images = vix_images_pack (images);
  *ret_count = images->len;
  return TRUE;
}

/* ---- reading one ---- */

/* The disk that was @node of @record. */
static VmdkChain *
open_node (WsLook *look, const char *id, const WsSnapshot *record,
           const char *node, GError **error)
{
  const WsSnapshotDisk *disk = find_node (record, node);

  if (disk != NULL)
    return open_chain (look->resolver, disk, error);
  g_set_error (error, VIX_ERROR, VIX_E_FILE_NOT_FOUND,
               "%s: snapshot %" G_GINT64_FORMAT " has no disk at \"%s\"", id,
               record->uid, node);
  return NULL;
}

VixFileReader *
ws_open_image (gpointer host, const char *id, gint64 snapshot, const char *node,
               const VixOp *op, GError **error)
{
  g_auto (WsLook) look = { 0 };
  const WsSnapshot *record;
  VmdkChain *chain;

  VIX_MAY_BLOCK ();
  if (!ws_look_at (host, id, snapshot, &look, &record, error))
    return NULL;
  chain = open_node (&look, id, record, node, error);
  return chain != NULL ? vix_image_reader_new (chain) : NULL;
}

VixFileReader *
ws_open_changes (gpointer host, const char *id, gint64 older, gint64 snapshot,
                 const char *node, const VixOp *op, GError **error)
{
  g_auto (WsLook) look = { 0 };
  g_autoptr (VmdkChain) newer_chain = NULL;
  g_autoptr (VmdkChain) older_chain = NULL;
  const WsSnapshotDisk *disk = NULL;
  const WsSnapshot *record;

  VIX_MAY_BLOCK ();
  if (!ws_look_at (host, id, snapshot, &look, &record, error))
    return NULL;
  newer_chain = open_node (&look, id, record, node, error);
  if (newer_chain == NULL)
    return NULL;
  if (older != 0) {
    record = ws_look_find (&look, id, older, error);
    if (record == NULL)
      return NULL;
    disk = find_node (record, node);
  }
  if (disk != NULL) {
    older_chain = open_chain (look.resolver, disk, error);
    if (older_chain == NULL)
      return NULL;
  }
  return vix_image_changes_reader_new (g_steal_pointer (&older_chain),
                                       g_steal_pointer (&newer_chain));
}
