/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "image/image.h"

#include <string.h>

#include "base/error.h"

/* ---- since when a disk has its content ---- */

/* The number of the link @id, from @first on; the depth if there is none. */
static guint
find_link (const VmdkChain *chain, guint first, const char *id)
{
  guint i = first;

  while (i < vmdk_chain_get_depth (chain)
         && strcmp (vmdk_link_get_id (vmdk_chain_get_link (chain, i)), id) != 0)
    i++;
  return i;
}

gboolean
vix_image_find_changed_by (VmdkChain *chain, gint64 snapshot,
                           VixImageParentFunc parent, gpointer data,
                           gint64 *ret_id, GError **error)
{
  gboolean blank = TRUE;
  guint i = 0;

  while (blank) {
    g_autofree char *link_id = NULL;
    gint64 older;
    guint next;

    *ret_id = snapshot;
    if (!parent (data, &older, &link_id))
      return TRUE;
    next = find_link (chain, i, link_id);
    if (next == vmdk_chain_get_depth (chain))
      return TRUE;
    for (; blank && i < next; i++) {
      VmdkLink *link = vmdk_chain_get_link (chain, i);

      if (!vmdk_link_is_blank (link, &blank, error))
        return FALSE;
      /* A disk that grew is another one. */
      blank
        = blank
          && vmdk_link_get_capacity (link)
               == vmdk_link_get_capacity (vmdk_chain_get_link (chain, i + 1));
    }
    snapshot = older;
  }
  return TRUE;
}

gboolean
vix_image_describe (VmdkChain *chain, gint64 snapshot,
                    VixImageParentFunc parent, gpointer data,
                    VixExtImage *ret_image, GError **error)
{
  guint64 allocated;
  gint64 changed_by;

  if (!vmdk_chain_count_data (chain, &allocated, error)
      || !vix_image_find_changed_by (chain, snapshot, parent, data, &changed_by,
                                     error))
    return FALSE;
  ret_image->bytes = (gint64)vmdk_chain_get_capacity (chain);
  ret_image->allocated = (gint64)allocated;
  ret_image->changedBy = changed_by;
  return TRUE;
}

/* ---- the list ---- */

void
vix_image_set_problem (VixExtImage *image, const GError *problem)
{
  image->problem = g_strdup (problem != NULL ? problem->message : "");
  image->error = VIX_OK;
  if (problem != NULL)
    image->error
      = problem->domain == VIX_ERROR ? (VixError)problem->code : VIX_E_FAIL;
}

static void
image_clear (gpointer data)
{
  VixExtImage *image = data;

  g_free ((char *)image->node);
  g_free ((char *)image->problem);
}

GArray *
vix_images_new (void)
{
  GArray *images = g_array_new (FALSE, TRUE, sizeof (VixExtImage));

  g_array_set_clear_func (images, image_clear);
  return images;
}

static int
compare_images (gconstpointer a, gconstpointer b)
{
  return strcmp (((const VixExtImage *)a)->node,
                 ((const VixExtImage *)b)->node);
}

VixExtImage *
vix_images_pack (GArray *images)
{
  gsize size = MAX (images->len, 1) * sizeof (VixExtImage);
  VixExtImage *packed;
  char *text;

  g_array_sort (images, compare_images);
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
