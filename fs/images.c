/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "images.h"

#include <errno.h>
#include <string.h>

#include "attr.h"
#include "errno-map.h"
#include "kept.h"
#include "mount.h"
#include "name.h"
#include "times.h"

struct FsImages {
  FsMount *mount; /* const */
  FsKept *kept;   /* (FsImageList) */
};

/* ---- lists ---- */

static void
image_clear (gpointer data)
{
  FsImage *image = data;

  g_free (image->name);
  g_free (image->node);
}

static FsImageList *
list_new (const FsNode *node)
{
  FsImageList *self = g_new0 (FsImageList, 1);

  g_atomic_ref_count_init (&self->references);
  self->version = node->version;
  self->images = g_array_new (FALSE, FALSE, sizeof (FsImage));
  g_array_set_clear_func (self->images, image_clear);
  return self;
}

void
fs_image_list_unref (FsImageList *self)
{
  if (self == NULL || !g_atomic_ref_count_dec (&self->references))
    return;
  g_array_unref (self->images);
  g_free (self);
}

static gpointer
list_ref (gpointer data)
{
  FsImageList *self = data;

  g_atomic_ref_count_inc (&self->references);
  return self;
}

static void
list_drop (gpointer data)
{
  fs_image_list_unref (data);
}

const FsImage *
fs_image_list_at (const FsImageList *self, guint32 slot)
{
  return slot >= 1 && slot <= self->images->len
           ? &g_array_index (self->images, FsImage, slot - 1)
           : NULL;
}

guint32
fs_image_list_find (const FsImageList *self, const char *name)
{
  guint32 slot = self->images->len;

  while (slot > 0
         && strcmp (g_array_index (self->images, FsImage, slot - 1).name, name)
              != 0)
    slot--;
  return slot;
}

/* ---- making one ---- */

/* "scsi0:0" as "scsi0-0.img"; NULL for what is no such name. */
static char *
image_name (const char *node)
{
  const char *digits = node + strspn (node, "abcdefghijklmnopqrstuvwxyz");
  const char *colon = digits + strspn (digits, "0123456789");
  gsize unit = *colon == ':' ? strspn (colon + 1, "0123456789") : 0;

  if (digits == node || colon == digits || unit == 0 || colon[1 + unit] != '\0'
      || strlen (node) > 64)
    return NULL;
  return g_strdup_printf ("%.*s-%s" FS_IMAGE_SUFFIX, (int)(colon - node), node,
                          colon + 1);
}

static gint64
time_of_snapshot (const FsNode *node, gint64 id)
{
  const VixExtSnapshot *snapshot = fs_record_snapshot (node->vm, id);

  if (snapshot->created <= 0)
    snapshot = node->snapshot;
  return snapshot->created > 0 ? snapshot->created : node->vm->changed;
}

static void
add_image (FsImageList *self, FsImages *images, const FsNode *node,
           const VixExtImage *from)
{
  FsImage image = {
    .name = image_name (from->node),
    .bytes = from->bytes,
    .allocated = from->allocated,
    .changed_by = fs_record_snapshot (node->vm, from->changedBy) != NULL
                    ? from->changedBy
                    : node->snapshot->id,
  };

  if (image.name == NULL || *from->problem != '\0') {
    VixError error = from->error != VIX_OK ? from->error : VIX_E_NOT_SUPPORTED;

    fs_troubles_tell (images->mount->troubles, node, from->node, error,
                      from->problem);
    image.error = fs_errno_from_vix (error);
  }
  if (image.name == NULL)
    return;
  image.changed = from->changed > 0 ? from->changed
                                    : time_of_snapshot (node, image.changed_by);
  image.node = g_strdup (from->node);
  g_array_append_val (self->images, image);
}

/* Hosts that are away are told of elsewhere, and what is gone is gone. */
static gboolean
is_told (int number)
{
  return number != EHOSTDOWN && number != ENOENT && number != EINTR;
}

static FsImageList *
make_list (FsImages *self, const FsNode *node)
{
  FsImageList *list = list_new (node);
  VixExtImage *images = NULL;
  char *message = NULL;
  gsize count = 0;
  gsize i;
  VixError error = VixExt_ListImages (
    fs_host_handle (fs_mount_host (self->mount, node)), node->vm->id,
    node->snapshot->id, &images, &count, &message);

  list->error = fs_errno_from_vix (error);
  if (is_told (list->error))
    fs_troubles_tell (self->mount->troubles, node, "disks", error, message);
  for (i = 0; i < count && list->images->len < FS_INDEX_MAX; i++)
    add_image (list, self, node, &images[i]);
  list->made = g_get_monotonic_time ();
  Vix_FreeBuffer (images);
  Vix_FreeBuffer (message);
  return list;
}

/* ---- keeping them ---- */

FsImages *
fs_images_new (FsMount *mount)
{
  FsImages *self = g_new0 (FsImages, 1);

  self->mount = mount;
  self->kept = fs_kept_new (FS_IMAGES_KEPT, list_ref, list_drop);
  return self;
}

void
fs_images_free (FsImages *self)
{
  if (self == NULL)
    return;
  fs_kept_free (self->kept);
  g_free (self);
}

/* Whether it is time to try again what could not be read. */
static gboolean
is_due (const FsImageList *self, const FsNode *node)
{
  return self->version != node->version
         || g_get_monotonic_time () - self->made >= FS_IMAGES_RETRY_US;
}

/* With an ancestor the time of what it changed goes, and the snapshot that
 * stands for the content. */
static gboolean
still_holds (const FsImageList *self, const FsNode *node)
{
  guint i;

  for (i = 0; i < self->images->len; i++) {
    const FsImage *image = &g_array_index (self->images, FsImage, i);

    if (fs_record_snapshot (node->vm, image->changed_by) == NULL
        || (image->error != 0 && is_due (self, node)))
      return FALSE;
  }
  return TRUE;
}

static char *
key_of (const FsNode *node, gint64 snapshot)
{
  return g_strdup_printf ("%u %" G_GINT64_FORMAT, node->id.slot, snapshot);
}

/* Since when @node's disk has held what it holds, if that was noted while the
 * snapshot was there that changed it: of this one, or of one that it is like,
 * up to the one that it has its content from. 0: it was not. */
static gint64
noted_time (FsTimes *times, const FsNode *node, const FsImage *image)
{
  const VixExtSnapshot *at = node->snapshot;
  gint64 noted = 0;
  gsize i;

  /* What a host says may go in circles. */
  for (i = 0; at != NULL && i < node->vm->numSnapshots; i++) {
    if (noted == 0)
      noted = fs_times_get (times, node->vm, at, image->node, image->bytes);
    if (at->id == image->changed_by)
      return noted;
    at = fs_record_snapshot (node->vm, at->parent);
  }
  return 0;
}

/* The time of what a snapshot changed is not to be lost with it: of nightly
 * snapshots the oldest go. */
static void
note_times (FsImages *self, const FsNode *node, FsImageList *list)
{
  FsTimes *times = fs_host_times (fs_mount_host (self->mount, node));
  guint i;

  for (i = 0; i < list->images->len; i++) {
    FsImage *image = &g_array_index (list->images, FsImage, i);
    gint64 noted = image->error == 0 ? noted_time (times, node, image) : 0;

    if (noted != 0)
      image->changed = noted;
    if (image->error == 0 && image->changed != node->snapshot->created)
      fs_times_put (times, node->vm, node->snapshot, image->node, image->bytes,
                    image->changed);
  }
}

/* Whether it would come out the same again at once: what is damaged stays so
 * for a while, but a host that was away comes back. */
static gboolean
is_final (const FsImageList *self)
{
  guint i;

  for (i = 0; i < self->images->len; i++) {
    int error = g_array_index (self->images, FsImage, i).error;

    if (error != 0 && error != EUCLEAN && error != EOPNOTSUPP)
      return FALSE;
  }
  return self->error == 0;
}

FsImageList *
fs_images_get (FsImages *self, const FsNode *node)
{
  gint64 id = node->snapshot->id;
  g_autofree char *key = key_of (node, id);
  g_autoptr (FsImageList) old = fs_kept_get (self->kept, key);
  FsImageList *list;

  if (old != NULL && still_holds (old, node))
    return g_steal_pointer (&old);
  list = make_list (self, node);
  if (is_final (list)) {
    note_times (self, node, list);
    fs_kept_put (self->kept, key, list, 1);
  }
  return list;
}

void
fs_images_note_times (FsImages *self, guint32 slot, gint64 snapshot)
{
  FsNodeId id = { slot, 0, FS_KIND_VM, 0 };
  g_auto (FsNode) vm = { 0 };
  gsize i;

  if (!fs_tree_resolve (self->mount->tree, fs_node_pack (id), &vm)
      || !fs_is_remote (self->mount, &vm))
    return;
  for (i = 0; i < vm.vm->numSnapshots; i++) {
    const VixExtSnapshot *child = &vm.vm->snapshots[i];
    g_auto (FsNode) node = { 0 };

    if (child->parent != snapshot)
      continue;
    id = (FsNodeId){ slot, 0, FS_KIND_DISKS, 0 };
    id.snapshot = fs_tree_snapshot_slot (self->mount->tree, slot, child->id);
    if (id.snapshot != 0
        && fs_tree_resolve (self->mount->tree, fs_node_pack (id), &node))
      fs_image_list_unref (fs_images_get (self, &node));
  }
  fs_times_flush (fs_host_times (fs_mount_host (self->mount, &vm)));
}
