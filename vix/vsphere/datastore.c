/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vsphere/datastore.h"

#include <string.h>

#include "base/error.h"

/* Enough for a link that is far away, and few enough that hostile tables which
 * are read at a time do not fill the memory. */
#define MAX_AT_ONCE 16u

typedef struct {
  VmdkSource source;
  VsphereFile *file;
} FileSource;

static gboolean
source_pread (VmdkSource *source, guint64 offset, void *buf, gsize len,
              GError **error)
{
  return vsphere_file_read (((FileSource *)source)->file, offset, buf, len,
                            error);
}

static gboolean
source_pread_table (VmdkSource *source, guint64 offset, void *buf, gsize len,
                    GError **error)
{
  return vsphere_file_read_table (((FileSource *)source)->file, offset, buf,
                                  len, error);
}

static void
source_free (VmdkSource *source)
{
  vsphere_file_close (((FileSource *)source)->file);
  g_free (source->id);
  g_free (source);
}

static const VmdkSourceOps source_ops = {
  .pread = source_pread,
  .pread_table = source_pread_table,
  .free = source_free,
};

/* Kinds of stores whose disks are objects, with descriptors that look like
 * files; and how descriptors name those. */
static const struct {
  const char *type;
  const char *scheme;
  const char *name;
} object_stores[] = {
  { "vsan", "vsan://", "vSAN" },
  { "VVOL", "vvol://", "vVol" },
};

/* (nullable): the kind of store, if that is why @path cannot be read. */
static const char *
find_object_store (VsphereHost *host, const char *dc_path, const char *path)
{
  const char *end = strchr (path, ']');
  const char *name = NULL;
  g_autofree char *store = NULL;
  const char *type;

  if (end == NULL || !g_str_has_suffix (path, ".vmdk"))
    type = NULL;
  else {
    store = g_strndup (path + 1, (gsize)(end - path) - 1);
    vix_lock (&host->lock);
    type = vsphere_mirror_get_store_type (host->mirror, dc_path, store);
    for (gsize i = 0; type != NULL && i < G_N_ELEMENTS (object_stores); i++)
      if (g_ascii_strcasecmp (type, object_stores[i].type) == 0)
        name = object_stores[i].name;
    vix_unlock (&host->lock);
  }
  for (gsize i = 0; i < G_N_ELEMENTS (object_stores); i++)
    if (strstr (path, object_stores[i].scheme) != NULL)
      name = object_stores[i].name;
  return name;
}

/* What says only that the host does not give it. */
static gboolean
is_refusal (const GError *error)
{
  return error->code == VIX_E_FILE_NOT_FOUND
         || error->code == VIX_E_FILE_ALREADY_LOCKED
         || error->code == VIX_E_FILE_NAME_INVALID
         || error->code == VIX_E_NET_HTTP_HTTP_RETURNED_ERROR;
}

static VsphereFile *
open_file (VsphereHost *host, const char *dc_path, const char *path,
           gboolean constant, GCancellable *cancellable, GError **error)
{
  g_autoptr (GError) failure = NULL;
  VsphereFile *file = vsphere_transfer_open (host->transfer, dc_path, path,
                                             constant, cancellable, &failure);
  const char *kind;

  if (file != NULL)
    return file;
  kind = is_refusal (failure) ? find_object_store (host, dc_path, path) : NULL;
  if (kind == NULL)
    g_propagate_error (error, g_steal_pointer (&failure));
  else
    g_set_error (error, VIX_ERROR, VIX_E_NOT_SUPPORTED,
                 "%s on %s: the disks of a %s datastore are objects, which "
                 "hosts do not give out as files; move the disk to a VMFS or "
                 "NFS datastore to read it (%s)",
                 path, vsphere_session_get_host (host->session), kind,
                 failure->message);
  return NULL;
}

guint
vsphere_datastore_get_at_once (VsphereHost *host)
{
  return MIN (vsphere_transfer_get_connections (host->transfer), MAX_AT_ONCE);
}

VmdkSource *
vsphere_datastore_open (VsphereHost *host, const char *dc_path,
                        const char *path, gboolean constant,
                        GCancellable *cancellable, GError **error)
{
  VsphereFile *file
    = open_file (host, dc_path, path, constant, cancellable, error);
  FileSource *self;

  if (file == NULL)
    return NULL;
  self = g_new0 (FileSource, 1);
  self->source.ops = &source_ops;
  self->source.size = vsphere_file_get_size (file);
  self->source.id = g_strdup (path);
  self->source.at_once = vsphere_datastore_get_at_once (host);
  self->file = file;
  return &self->source;
}

GBytes *
vsphere_datastore_read_all (VsphereHost *host, const char *dc_path,
                            const char *path, gsize max_bytes,
                            GCancellable *cancellable, GError **error)
{
  g_autoptr (VmdkSource) source
    = vsphere_datastore_open (host, dc_path, path, FALSE, cancellable, error);
  g_autofree void *data = NULL;

  if (source == NULL)
    return NULL;
  if (source->size > max_bytes) {
    g_set_error (error, VIX_ERROR, VIX_E_FILE_TOO_BIG,
                 "%s: %" G_GUINT64_FORMAT " bytes are too many for what it is",
                 path, source->size);
    return NULL;
  }
  data = g_malloc (source->size + 1);
  if (!source->ops->pread (source, 0, data, (gsize)source->size, error))
    return NULL;
  return g_bytes_new_take (g_steal_pointer (&data), (gsize)source->size);
}
