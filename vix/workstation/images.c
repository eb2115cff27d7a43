/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The disks of a snapshot as the guest had them: which there are, and their
 * bytes.
 */
#include <string.h>

#include "base/error.h"
#include "disk/chain.h"
#include "workstation/look.h"

/* ---- since when a disk has its content ---- */

static gboolean
holds_something (VmdkLink *link, gboolean *ret_something, GError **error)
{
  guint64 capacity = vmdk_link_get_capacity (link);
  guint64 offset = 0;

  *ret_something = FALSE;
  while (offset < capacity && !*ret_something) {
    VmdkState state;
    guint64 n;

    if (!vmdk_link_map (link, offset, capacity - offset, &state, &n, error))
      return FALSE;
    *ret_something = state != VMDK_UNALLOCATED;
    offset += n;
  }
  return TRUE;
}

static const WsSnapshotDisk *
find_node (const WsSnapshot *snapshot, const char *node)
{
  for (guint i = 0; i < snapshot->num_disks; i++)
    if (strcmp (snapshot->disks[i].node, node) == 0)
      return &snapshot->disks[i];
  return NULL;
}

/* The number of the link that is the disk of @snapshot's parent; the depth if
 * that is none of them. */
static guint
find_parent_link (WsLook *look, const VmdkChain *chain,
                  const WsSnapshot *parent, const char *node)
{
  const WsSnapshotDisk *disk = find_node (parent, node);
  g_autofree char *path
    = disk == NULL ? NULL
                   : ws_resolver_locate (look->resolver, NULL, disk->file_name,
                                         VMDK_ROLE_DISK, NULL);
  guint i = 0;

  while (path != NULL && i < vmdk_chain_get_depth (chain)
         && strcmp (vmdk_link_get_id (vmdk_chain_get_link (chain, i)), path)
              != 0)
    i++;
  return path != NULL ? i : vmdk_chain_get_depth (chain);
}

/* Goes up from @snapshot while what it froze holds nothing of its own. */
static gboolean
find_changed_by (WsLook *look, const VmdkChain *chain,
                 const WsSnapshot *snapshot, const char *node, gint64 *ret_id,
                 GError **error)
{
  guint first = 0;

  for (;;) {
    const WsSnapshot *parent = ws_vmsd_find (look->vmsd, snapshot->parent);
    guint next;

    *ret_id = snapshot->uid;
    if (parent == NULL || parent->uid >= snapshot->uid)
      return TRUE;
    next = find_parent_link (look, chain, parent, node);
    if (next >= vmdk_chain_get_depth (chain) || next < first)
      return TRUE;
    for (; first < next; first++) {
      gboolean something;

      if (!holds_something (vmdk_chain_get_link (chain, first), &something,
                            error))
        return FALSE;
      if (something)
        return TRUE;
    }
    snapshot = parent;
  }
}

/* ---- the list ---- */

static gboolean
count_data (VmdkChain *chain, gint64 *ret_bytes, GError **error)
{
  guint64 capacity = vmdk_chain_get_capacity (chain);
  guint64 offset = 0;
  guint64 sum = 0;

  while (offset < capacity) {
    VmdkState state;
    guint64 n;

    if (!vmdk_chain_map (chain, offset, capacity - offset, &state, &n, error))
      return FALSE;
    if (state == VMDK_DATA)
      sum += n;
    offset += n;
  }
  *ret_bytes = (gint64)sum;
  return TRUE;
}

static void
describe_image (WsLook *look, const WsSnapshot *snapshot,
                const WsSnapshotDisk *disk, VixExtImage *image)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (VmdkChain) chain = vmdk_chain_open (
    ws_resolver_vmdk (look->resolver), NULL, disk->file_name, &error);

  image->node = g_strdup (disk->node);
  image->changedBy = snapshot->uid;
  if (chain != NULL && count_data (chain, &image->allocated, &error)
      && find_changed_by (look, chain, snapshot, disk->node, &image->changedBy,
                          &error))
    image->bytes = (gint64)vmdk_chain_get_capacity (chain);
  else
    image->allocated = 0;
  image->problem = g_strdup (error != NULL ? error->message : "");
}

static int
compare_images (gconstpointer a, gconstpointer b)
{
  return strcmp (((const VixExtImage *)a)->node,
                 ((const VixExtImage *)b)->node);
}

static void
image_clear (gpointer data)
{
  VixExtImage *image = data;

  g_free ((char *)image->node);
  g_free ((char *)image->problem);
}

/* The array and its texts in one block. */
static VixExtImage *
pack_images (const GArray *images)
{
  gsize size = MAX (images->len, 1) * sizeof (VixExtImage);
  VixExtImage *packed;
  char *text;

  for (guint i = 0; i < images->len; i++) {
    const VixExtImage *image = &g_array_index (images, VixExtImage, i);

    size += strlen (image->node) + strlen (image->problem) + 2;
  }
  packed = g_malloc0 (size);
  text = (char *)(packed + images->len);
  for (guint i = 0; i < images->len; i++) {
    packed[i] = g_array_index (images, VixExtImage, i);
    packed[i].node = text;
    text = g_stpcpy (text, g_array_index (images, VixExtImage, i).node) + 1;
    packed[i].problem = text;
    text = g_stpcpy (text, g_array_index (images, VixExtImage, i).problem) + 1;
  }
  return packed;
}

gboolean
ws_list_images (gpointer host, const char *id, gint64 snapshot,
                VixExtImage **ret_images, gsize *ret_count, const VixOp *op,
                GError **error)
{
  g_auto (WsLook) look = { 0 };
  g_autoptr (GArray) images = g_array_new (FALSE, TRUE, sizeof (VixExtImage));
  const WsSnapshot *record;

  VIX_MAY_BLOCK ();
  g_array_set_clear_func (images, image_clear);
  if (!ws_look_at (host, id, snapshot, &look, &record, error))
    return FALSE;
  for (guint i = 0; i < record->num_disks; i++) {
    VixExtImage image = { 0 };

    describe_image (&look, record, &record->disks[i], &image);
    g_array_append_val (images, image);
  }
  g_array_sort (images, compare_images);
  *ret_images = pack_images (images);
  *ret_count = images->len;
  return TRUE;
}

/* ---- reading one ---- */

typedef struct {
  VixFileReader base; /* must be first */
  VmdkChain *chain;
} ImageReader;

static gboolean
image_read (VixFileReader *base, guint64 offset, void *buf, gsize len,
            gsize *ret_done, GError **error)
{
  ImageReader *self = (ImageReader *)base;
  guint64 capacity = vmdk_chain_get_capacity (self->chain);

  VIX_MAY_BLOCK ();
  len = (gsize)MIN (len, capacity - MIN (offset, capacity));
  if (len > 0 && !vmdk_chain_read (self->chain, offset, buf, len, error))
    return FALSE;
  *ret_done = len;
  return TRUE;
}

static gboolean
image_map (VixFileReader *base, guint64 offset, guint64 len, gboolean *ret_data,
           guint64 *ret_len, GError **error)
{
  ImageReader *self = (ImageReader *)base;
  VmdkState state;

  VIX_MAY_BLOCK ();
  if (!vmdk_chain_map (self->chain, offset, len, &state, ret_len, error))
    return FALSE;
  *ret_data = state == VMDK_DATA;
  return TRUE;
}

static void
image_free (VixFileReader *base)
{
  ImageReader *self = (ImageReader *)base;

  vmdk_chain_free (self->chain);
  g_free (self);
}

VixFileReader *
ws_open_image (gpointer host, const char *id, gint64 snapshot, const char *node,
               const VixOp *op, GError **error)
{
  g_auto (WsLook) look = { 0 };
  const WsSnapshotDisk *disk;
  const WsSnapshot *record;
  ImageReader *reader;
  VmdkChain *chain;

  VIX_MAY_BLOCK ();
  if (!ws_look_at (host, id, snapshot, &look, &record, error))
    return NULL;
  disk = find_node (record, node);
  if (disk == NULL) {
    g_set_error (error, VIX_ERROR, VIX_E_FILE_NOT_FOUND,
                 "%s: snapshot %" G_GINT64_FORMAT " has no disk at \"%s\"", id,
                 snapshot, node);
    return NULL;
  }
  chain = vmdk_chain_open (ws_resolver_vmdk (look.resolver), NULL,
                           disk->file_name, error);
  if (chain == NULL)
    return NULL;
  reader = g_new0 (ImageReader, 1);
  reader->base.read = image_read;
  reader->base.map = image_map;
  reader->base.free = image_free;
  reader->chain = chain;
  return &reader->base;
}
