/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "disk/preload.h"

#include "base/error.h"
#include "base/parallel.h"
#include "disk/link-private.h"

/* Tables that lie side by side are read together, up to so much: at the speed
 * of a usual line that takes no longer than the answer's way. */
#define READ_BYTES (512u << 10)

guint
vmdk_preload_count (const GPtrArray *links)
{
  guint at_once = 0;

  for (guint i = 0; i < links->len; i++) {
    const VmdkLink *link = links->pdata[i];

    for (guint j = 0; j < link->extents->len; j++) {
      const VmdkExtent *extent = link->extents->pdata[j];

      if (extent->ops->place_tables != NULL)
        at_once = MAX (at_once, extent->source->at_once);
    }
  }
  return at_once > 1 ? at_once : 0;
}

/* ---- where they are ---- */

static void
place_link (const VmdkLink *link, guint64 offset, guint64 end, GArray *places)
{
  end = MIN (end, link->capacity);
  while (offset < end) {
    VmdkExtent *extent = vmdk_link_get_extent_at (link, offset);
    guint64 within = offset - extent->start;
    guint64 n = MIN (end - offset, extent->length - within);

    if (extent->ops->place_tables != NULL)
      extent->ops->place_tables (extent, within, n, places);
    offset += n;
  }
}

static int
compare_places (gconstpointer a, gconstpointer b)
{
  const VmdkPlace *x = a, *y = b;

  if (x->source != y->source)
    return (guintptr)x->source < (guintptr)y->source ? -1 : 1;
  return x->offset < y->offset ? -1 : x->offset > y->offset;
}

/* What lies side by side becomes one; that several entries name one table does
 * no harm. */
static void
join_places (GArray *places)
{
  guint n = 0;

  g_array_sort (places, compare_places);
  for (guint i = 0; i < places->len; i++) {
    const VmdkPlace *next = &g_array_index (places, VmdkPlace, i);
    VmdkPlace *last = n > 0 ? &g_array_index (places, VmdkPlace, n - 1) : NULL;

    if (last != NULL && last->source == next->source
        && last->offset + last->len == next->offset
        && last->len + next->len <= READ_BYTES)
      last->len += next->len;
    else
      g_array_index (places, VmdkPlace, n++) = *next;
  }
  g_array_set_size (places, n);
}

/* ---- reading them ---- */

static gboolean
read_place (gpointer data, guint i)
{
  const VmdkPlace *place = &g_array_index ((GArray *)data, VmdkPlace, i);
  g_autofree void *buf = g_try_malloc ((gsize)place->len);

  return buf != NULL
         && vmdk_source_read_table (place->source, place->offset, buf,
                                    (gsize)place->len, NULL);
}

void
vmdk_preload_tables (const GPtrArray *links, guint64 offset, guint64 len,
                     guint at_once)
{
  g_autoptr (GArray) places = g_array_new (FALSE, FALSE, sizeof (VmdkPlace));

  for (guint i = 0; i < links->len; i++)
    place_link (links->pdata[i], offset, offset + len, places);
  join_places (places);
  /* One alone is read by the one who needs it. */
  if (places->len > 1)
    vix_parallel (places->len, at_once, read_place, places);
}
