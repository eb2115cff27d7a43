/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vsphere/chains.h"

#include <string.h>

#include "base/error.h"
#include "vsphere/datastore.h"

/* ---- the disks of a snapshot ---- */

void
vsphere_disk_list_clear (VsphereDiskList *self)
{
  g_clear_pointer (&self->disks, g_ptr_array_unref);
}

gboolean
vsphere_disk_list_get (VsphereHost *host, const char *id, gint64 snapshot,
                       VsphereDiskList *ret_disks, GCancellable *cancellable,
                       GError **error)
{
  if (!vsphere_need_known (host, id, snapshot, &ret_disks->known, cancellable,
                           error))
    return FALSE;
  ret_disks->snapshot = snapshot;
  ret_disks->disks = vsphere_disks_unpack (ret_disks->known.disks);
  g_clear_pointer (&ret_disks->known.disks, vsphere_disks_unref);
  return TRUE;
}

const VsphereDisk *
vsphere_disk_list_find (const VsphereDiskList *self, const char *node,
                        guint *ret_index)
{
  for (guint i = 0; i < self->disks->len; i++) {
    const VsphereDisk *disk = self->disks->pdata[i];

    if (strcmp (disk->node, node) == 0) {
      *ret_index = i;
      return disk;
    }
  }
  return NULL;
}

/* ---- from the files of a disk to a chain ---- */

typedef struct {
  VmdkResolver base; /* must be first */
  VsphereHost *host;
  char *dc_path;
} Resolver;

/* The length of "[ds] dir/" in the path of a descriptor. */
static gsize
measure_directory (const char *descriptor)
{
  const char *slash = strrchr (descriptor, '/');
  const char *bracket = strchr (descriptor, ']');

  if (slash != NULL)
    return (gsize)(slash + 1 - descriptor);
  return (gsize)(bracket + 1 - descriptor) + strspn (bracket + 1, " ");
}

/* (transfer full) (nullable): extents lie beside their descriptor. */
static char *
find_extent (const char *descriptor, const char *name, GError **error)
{
  if (*name == '\0' || strpbrk (name, "/\\") != NULL || strcmp (name, ".") == 0
      || strcmp (name, "..") == 0) {
    g_set_error (error, VIX_ERROR, VIX_E_FILE_ACCESS_ERROR,
                 "%s: the extent \"%s\" is not beside it: that is not read",
                 descriptor, name);
    return NULL;
  }
  return g_strdup_printf ("%.*s%s", (int)measure_directory (descriptor),
                          descriptor, name);
}

static gboolean
has_store (const Resolver *self, const char *name)
{
  gboolean has;

  vix_lock (&self->host->lock);
  has = vsphere_mirror_get_store_type (self->host->mirror, self->dc_path, name)
        != NULL;
  vix_unlock (&self->host->lock);
  return has;
}

#define VOLUMES "/vmfs/volumes/"

/* (transfer full) (nullable): "/store/dir/file" for the hint in @descriptor,
 * which may still lead anywhere. */
static char *
join_hint (const char *descriptor, const char *hint)
{
  const char *bracket = strchr (descriptor, ']');
  const char *dir = bracket + 1 + strspn (bracket + 1, " ");
  gsize n = measure_directory (descriptor);

  if (g_str_has_prefix (hint, VOLUMES))
    return g_strdup (hint + strlen (VOLUMES) - 1);
  if (*hint == '/' || *hint == '[' || strchr (hint, '\\') != NULL)
    return NULL;
  return g_strdup_printf ("/%.*s/%.*s%s", (int)(bracket - descriptor - 1),
                          descriptor + 1, (int)(n - (gsize)(dir - descriptor)),
                          dir, hint);
}

/* (transfer full) (nullable): a parent is on a datastore of that datacenter,
 * wherever there. */
static char *
find_parent (const Resolver *self, const char *descriptor, const char *hint,
             GError **error)
{
  g_autofree char *joined = join_hint (descriptor, hint);
  g_autofree char *path
    = joined == NULL ? NULL : g_canonicalize_filename (joined, "/");
  const char *rest = path == NULL ? NULL : strchr (path + 1, '/');
  g_autofree char *store
    = rest == NULL ? NULL : g_strndup (path + 1, (gsize)(rest - path) - 1);
  g_autofree char *first
    = joined == NULL ? NULL : g_strndup (joined + 1, strcspn (joined + 1, "/"));

  /* What climbs out of its datastore is not looked for in another. */
  if (store != NULL && g_str_equal (store, first) && has_store (self, store))
    return g_strdup_printf ("[%s] %s", store, rest + 1);
  g_set_error (error, VIX_ERROR, VIX_E_FILE_ACCESS_ERROR,
               "%s: %s does not tell the files of the disk, and its parent "
               "\"%s\" is on no datastore that is known by that name",
               descriptor, vsphere_session_get_host (self->host->session),
               hint);
  return NULL;
}

/* Any thread: nothing of it changes. */
static VmdkSource *
resolver_open (VmdkResolver *base, const char *relative_to, const char *name,
               VmdkRole role, gboolean writable, GError **error)
{
  Resolver *self = (Resolver *)base;
  g_autofree char *path = NULL;

  g_assert (!writable);
  if (role == VMDK_ROLE_EXTENT)
    path = find_extent (relative_to, name, error);
  else if (role == VMDK_ROLE_PARENT)
    path = find_parent (self, relative_to, name, error);
  else
    path = g_strdup (name);
  return path == NULL ? NULL
                      : vsphere_datastore_open (self->host, self->dc_path, path,
                                                TRUE, NULL, error);
}

static void
resolver_clear (Resolver *self)
{
  g_free (self->dc_path);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Resolver, resolver_clear)

static void
resolver_init (Resolver *self, VsphereHost *host, const char *id)
{
  const VsphereVm *vm;

  *self = (Resolver){ { resolver_open }, host, NULL };
  vix_lock (&host->lock);
  vm = vsphere_mirror_get_vm (host->mirror, id);
  if (vm != NULL)
    self->dc_path = vsphere_vm_dup_datacenter_path (vm);
  vix_unlock (&host->lock);
  if (self->dc_path == NULL)
    self->dc_path = g_strdup ("");
}

/* A host that names one file either means all there are, or does not tell the
 * others (so before API 4.0): then the files say it. */
static VmdkChain *
open_links (Resolver *resolver, const VsphereDisk *disk, GError **error)
{
  if (disk->n_chain == 1)
    return vmdk_chain_open (&resolver->base, NULL, disk->chain[0], error);
  return vmdk_chain_open_known (
    &resolver->base, (const char *const *)disk->chain, disk->n_chain,
    vsphere_datastore_get_at_once (resolver->host), error);
}

VmdkChain *
vsphere_chain_open (VsphereHost *host, const char *id, const VsphereDisk *disk,
                    GError **error)
{
  g_auto (Resolver) resolver = { .host = NULL };
  g_autoptr (VmdkChain) chain = NULL;

  if (*disk->problem != '\0') {
    g_set_error (error, VIX_ERROR, VIX_E_NOT_SUPPORTED, "%s: %s", disk->node,
                 disk->problem);
    return NULL;
  }
  resolver_init (&resolver, host, id);
  chain = open_links (&resolver, disk, error);
  if (chain == NULL)
    return NULL;
  if (vmdk_chain_get_capacity (chain) != (guint64)disk->bytes) {
    g_set_error (error, VIX_ERROR, VIX_E_DISK_CAPACITY_MISMATCH,
                 "%s: the host says that the disk has %" G_GINT64_FORMAT
                 " bytes, its descriptor says %" G_GUINT64_FORMAT,
                 disk->chain[0], disk->bytes, vmdk_chain_get_capacity (chain));
    return NULL;
  }
  return g_steal_pointer (&chain);
}

gboolean
vsphere_chain_is_blank (VsphereHost *host, const char *id,
                        const VsphereDisk *disk, guint n, gboolean *ret_blank,
                        GError **error)
{
  g_auto (Resolver) resolver = { .host = NULL };

  resolver_init (&resolver, host, id);
  *ret_blank = TRUE;
  for (guint i = 0; i < n && *ret_blank; i++) {
    g_autoptr (GError) failure = NULL;
    g_autoptr (VmdkLink) link = vmdk_link_open (
      &resolver.base, NULL, disk->chain[i], VMDK_ROLE_DISK, FALSE, &failure);

    if (link != NULL && vmdk_link_is_blank (link, ret_blank, &failure))
      continue;
    *ret_blank = FALSE;
    if (g_error_matches (failure, VIX_ERROR, VIX_E_CANCELLED)
        || !vsphere_watch_check_here (host->watch, NULL)) {
      g_propagate_error (error, g_steal_pointer (&failure));
      return FALSE;
    }
    g_debug ("%s: %s", disk->chain[i], failure->message);
  }
  return TRUE;
}
