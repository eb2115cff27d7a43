/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "images.h"

#include <errno.h>
#include <string.h>

#include "errno-map.h"
#include "mount.h"
#include "name.h"

struct FsImages {
  GMutex lock;      /* level 2: all below but what is const */
  GQueue kept;      /* (FsImageList), the one used last first */
  GHashTable *pins; /* key (guint64) -> how often */

  FsMount *mount; /* const */
};

FsImages *
fs_images_new (FsMount *mount)
{
  FsImages *self = g_new0 (FsImages, 1);

  g_mutex_init (&self->lock);
  g_queue_init (&self->kept);
  self->pins
    = g_hash_table_new_full (g_int64_hash, g_int64_equal, g_free, NULL);
  self->mount = mount;
  return self;
}

void
fs_images_free (FsImages *self)
{
  if (self == NULL)
    return;
  g_queue_clear_full (&self->kept, (GDestroyNotify)fs_image_list_unref);
  g_hash_table_unref (self->pins);
  g_mutex_clear (&self->lock);
  g_free (self);
}

/* ---- lists ---- */

static void
image_clear (gpointer data)
{
  FsImage *image = data;

  g_free (image->name);
  g_free (image->node);
}

static FsImageList *
list_new (guint64 key)
{
  FsImageList *self = g_new0 (FsImageList, 1);

  g_atomic_ref_count_init (&self->references);
  self->key = key;
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

const FsImage *
fs_image_list_at (const FsImageList *self, guint32 slot)
{
  return slot >= 1 && slot <= self->images->len
           ? &g_array_index (self->images, FsImage, slot - 1)
           : NULL;
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
  return g_strdup_printf ("%.*s-%s.img", (int)(colon - node), node, colon + 1);
}

static gint64
time_of_snapshot (const FsNode *node, gint64 id)
{
  const VixExtSnapshot *snapshot = fs_record_snapshot (node->vm, id);

  if (snapshot == NULL || snapshot->created <= 0)
    snapshot = node->snapshot;
  return snapshot->created > 0 ? snapshot->created : node->vm->changed;
}

static void
add_image (FsImageList *self, const FsNode *node, const VixExtImage *from)
{
  FsImage image = {
    .name = image_name (from->node),
    .bytes = from->bytes,
    .allocated = from->allocated,
    .changed = time_of_snapshot (node, from->changedBy),
  };

  if (image.name == NULL || *from->problem != '\0') {
    g_autofree char *text = fs_text_escape (from->problem);

    g_warning ("%s: snapshot %" G_GINT64_FORMAT ": disk %s is not shown: %s",
               node->vm->displayName, (gint64)node->snapshot->id, from->node,
               text);
    g_free (image.name);
    return;
  }
  image.node = g_strdup (from->node);
  g_array_append_val (self->images, image);
}

static FsImageList *
make_list (FsImages *self, const FsNode *node, guint64 key)
{
  FsImageList *list = list_new (key);
  VixExtImage *images = NULL;
  char *message = NULL;
  gsize count = 0;
  gsize i;
  VixError error = VixExt_ListImages (
    fs_host_handle (fs_mount_host (self->mount, node)), node->vm->id,
    node->snapshot->id, &images, &count, &message);

  if (VIX_FAILED (error))
    g_debug ("disks of %s: %s", node->vm->displayName,
             VixExt_GetErrorName (error));
  list->error = fs_errno_from_vix (error);
  for (i = 0; i < count && list->images->len < FS_INDEX_MAX; i++)
    add_image (list, node, &images[i]);
  Vix_FreeBuffer (images);
  Vix_FreeBuffer (message);
  return list;
}

/* ---- keeping them ---- */

static FsImageList *
find_kept_locked (FsImages *self, guint64 key)
{
  GList *link;

  for (link = self->kept.head; link != NULL; link = link->next) {
    FsImageList *list = link->data;

    if (list->key != key)
      continue;
    g_queue_unlink (&self->kept, link);
    g_queue_push_head_link (&self->kept, link);
    g_atomic_ref_count_inc (&list->references);
    return list;
  }
  return NULL;
}

static void
keep (FsImages *self, FsImageList *list)
{
  FsImageList *last = NULL;

  g_atomic_ref_count_inc (&list->references);
  g_mutex_lock (&self->lock);
  g_queue_push_head (&self->kept, list);
  if (self->kept.length > FS_IMAGES_KEPT)
    last = g_queue_pop_tail (&self->kept);
  g_mutex_unlock (&self->lock);
  fs_image_list_unref (last);
}

FsImageList *
fs_images_get (FsImages *self, const FsNode *node)
{
  guint64 key = (guint64)node->id.slot << 32 | node->id.snapshot;
  FsImageList *list;

  g_mutex_lock (&self->lock);
  list = find_kept_locked (self, key);
  g_mutex_unlock (&self->lock);
  if (list != NULL)
    return list;
  list = make_list (self, node, key);
  if (list->error == 0)
    keep (self, list);
  return list;
}

/* ---- pins ---- */

/* Of a snapshot that is being removed. */
#define SEALED G_MAXUINT

guint64
fs_images_pin_key (const FsNode *node)
{
  return (guint64)node->id.slot << 40 ^ (guint64)node->snapshot->id;
}

static guint
get_count_locked (FsImages *self, guint64 key)
{
  return GPOINTER_TO_UINT (g_hash_table_lookup (self->pins, &key));
}

static void
set_count_locked (FsImages *self, guint64 key, guint count)
{
  if (count > 0)
    g_hash_table_replace (self->pins, g_memdup2 (&key, sizeof key),
                          GUINT_TO_POINTER (count));
  else
    g_hash_table_remove (self->pins, &key);
}

gboolean
fs_images_pin (FsImages *self, guint64 key)
{
  guint count;

  g_mutex_lock (&self->lock);
  count = get_count_locked (self, key);
  if (count != SEALED)
    set_count_locked (self, key, count + 1);
  g_mutex_unlock (&self->lock);
  return count != SEALED;
}

void
fs_images_unpin (FsImages *self, guint64 key)
{
  g_mutex_lock (&self->lock);
  set_count_locked (self, key, get_count_locked (self, key) - 1);
  g_mutex_unlock (&self->lock);
}

gboolean
fs_images_seal (FsImages *self, guint64 key)
{
  guint count;

  g_mutex_lock (&self->lock);
  count = get_count_locked (self, key);
  if (count == 0)
    set_count_locked (self, key, SEALED);
  g_mutex_unlock (&self->lock);
  return count == 0;
}

void
fs_images_unseal (FsImages *self, guint64 key)
{
  g_mutex_lock (&self->lock);
  set_count_locked (self, key, 0);
  g_mutex_unlock (&self->lock);
}
