/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "diffs.h"

#include <errno.h>

#include "errno-map.h"
#include "kept.h"
#include "mount.h"
#include "name.h"
#include "ranges.h"

struct FsDiffs {
  FsMount *mount; /* const */
  FsKept *kept;   /* (FsDiff) */
};

static gpointer
diff_ref (gpointer data)
{
  FsDiff *self = data;

  g_atomic_ref_count_inc (&self->references);
  return self;
}

void
fs_diff_unref (FsDiff *self)
{
  if (self == NULL || !g_atomic_ref_count_dec (&self->references))
    return;
  g_clear_pointer (&self->text, g_bytes_unref);
  g_free (self);
}

static void
diff_drop (gpointer data)
{
  fs_diff_unref (data);
}

FsDiffs *
fs_diffs_new (FsMount *mount)
{
  FsDiffs *self = g_new0 (FsDiffs, 1);

  self->mount = mount;
  self->kept = fs_kept_new (FS_DIFFS_BYTES, diff_ref, diff_drop);
  return self;
}

void
fs_diffs_free (FsDiffs *self)
{
  if (self == NULL)
    return;
  fs_kept_free (self->kept);
  g_free (self);
}

/* ---- finding one out ---- */

static VixError
collect_ranges (VixExtReader *reader, gint64 size, FsRanges *ranges,
                char **ret_message)
{
  VixError error = VIX_OK;
  gint64 offset = 0;

  while (offset < size && VIX_SUCCEEDED (error)) {
    int differs = 0;
    int64 run = 0;

    error = VixExt_MapFile (reader, offset, size - offset, &differs, &run,
                            ret_message);
    if (VIX_SUCCEEDED (error) && differs != 0)
      fs_ranges_add (ranges, offset, run);
    offset += run;
  }
  return error;
}

static FsDiff *
make_diff (FsDiffs *self, const FsNode *node, gint64 older,
           const FsImage *image)
{
  FsDiff *diff = g_new0 (FsDiff, 1);
  g_autoptr (FsRanges) ranges = fs_ranges_new (FS_DIFF_RANGES);
  VixExtReader *reader = NULL;
  char *message = NULL;
  VixError error = VixExt_OpenChanges (
    fs_host_handle (fs_mount_host (self->mount, node)), node->vm->id, older,
    node->snapshot->id, image->node, &reader, &message);

  if (VIX_SUCCEEDED (error))
    error = collect_ranges (reader, image->bytes, ranges, &message);
  fs_troubles_tell (self->mount->troubles, node, image->node, error, message);
  VixExt_CloseFile (reader);
  Vix_FreeBuffer (message);
  g_atomic_ref_count_init (&diff->references);
  diff->error = fs_errno_from_vix (error);
  diff->bytes = fs_ranges_sum (ranges);
  diff->text = fs_ranges_print (ranges);
  return diff;
}

static char *
make_key (const FsNode *node, gint64 older, const FsImage *image)
{
  return g_strdup_printf ("%u %" G_GINT64_FORMAT " %" G_GINT64_FORMAT " %s",
                          node->id.slot, older, (gint64)node->snapshot->id,
                          image->node);
}

FsDiff *
fs_diffs_get_kept (FsDiffs *self, const FsNode *node, gint64 older,
                   const FsImage *image)
{
  g_autofree char *key = make_key (node, older, image);

  return fs_kept_get (self->kept, key);
}

FsDiff *
fs_diffs_get (FsDiffs *self, const FsNode *node, gint64 older,
              const FsImage *image)
{
  g_autofree char *key = make_key (node, older, image);
  FsPins *pins = self->mount->pins;
  guint64 keys[2] = { fs_pins_key (node->id.slot, older),
                      fs_pins_key (node->id.slot, node->snapshot->id) };
  FsDiff *diff = fs_kept_get (self->kept, key);
  guint seals;

  if (diff != NULL)
    return diff;
  seals = fs_pins_count_seals (pins);
  diff = make_diff (self, node, older, image);
  /* Not pinned, as nobody is to find a snapshot busy because it was listed:
   * but what was read while its files were merged is not what it was. */
  if (fs_pins_is_sealed (pins, keys[0]) || fs_pins_is_sealed (pins, keys[1]))
    diff->error = EBUSY;
  if (diff->error == 0 && seals == fs_pins_count_seals (pins))
    fs_kept_put (self->kept, key, diff,
                 sizeof *diff + g_bytes_get_size (diff->text));
  return diff;
}
