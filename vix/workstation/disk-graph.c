/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "workstation/disk-graph.h"

#include <string.h>
#include <unistd.h>

#include "base/byte-reader.h"
#include "base/error.h"
#include "disk/descriptor.h"

/* Header and embedded descriptor; a descriptor alone that is longer is cut,
 * its identity stands at the top. */
#define SNIFF_BYTES (VMDK_EMBEDDED_MAX_BYTES + (64u << 10))
#define SPARSE_MAGIC 0x564d444bu
#define DESCRIPTOR_HEAD "# Disk DescriptorFile"

static void
link_free (WsLink *link)
{
  g_free (link->id);
  g_free (link->problem);
  g_strfreev (link->files);
  g_free (link->hint);
  g_ptr_array_unref (link->children);
  g_hash_table_unref (link->frozen_by);
  g_free (link);
}

void
ws_graph_free (WsGraph *self)
{
  if (self == NULL)
    return;
  g_hash_table_unref (self->by_id);
  g_ptr_array_unref (self->links);
  g_ptr_array_unref (self->texts);
  g_free (self);
}

static WsLink *
add_link (WsGraph *self, const WsVmDir *dir, const char *id)
{
  WsLink *link = g_hash_table_lookup (self->by_id, id);

  if (link != NULL)
    return link;
  link = g_new0 (WsLink, 1);
  link->id = g_strdup (id);
  link->own = ws_vm_dir_own_name (dir, link->id);
  link->children = g_ptr_array_new ();
  link->frozen_by
    = g_hash_table_new_full (g_int64_hash, g_int64_equal, g_free, NULL);
  g_hash_table_insert (self->by_id, link->id, link);
  g_ptr_array_add (self->links, link);
  return link;
}

/* ---- the links of the directory ---- */

/* NULL if one of the files lies elsewhere. */
static char **
own_files (const WsVmDir *dir, const VmdkLink *link)
{
  g_autoptr (GPtrArray) ids = vmdk_link_list_files (link);
  g_autoptr (GPtrArray) names = g_ptr_array_new_with_free_func (g_free);

  for (guint i = 0; i < ids->len; i++) {
    const char *own = ws_vm_dir_own_name (dir, ids->pdata[i]);

    if (own == NULL)
      return NULL;
    g_ptr_array_add (names, g_strdup (own));
  }
  g_ptr_array_add (names, NULL);
  return (char **)g_ptr_array_steal (names, NULL);
}

static void
add_opened (WsGraph *self, const WsVmDir *dir, const VmdkLink *opened)
{
  WsLink *link = add_link (self, dir, vmdk_link_get_id (opened));

  link->cid = vmdk_link_get_cid (opened);
  link->parent_cid = vmdk_link_get_parent_cid (opened);
  link->capacity = vmdk_link_get_capacity (opened);
  link->can_write = vmdk_link_can_write (opened);
  link->files = own_files (dir, opened);
  link->hint = g_strdup (vmdk_link_get_parent_hint (opened));
}

/* (nullable): the descriptor text in the first bytes of a file. */
static const char *
find_descriptor (const guint8 *data, gsize len, gsize *ret_len)
{
  ByteReader r;
  guint64 sector;

  if (len >= strlen (DESCRIPTOR_HEAD)
      && g_ascii_strncasecmp ((const char *)data, DESCRIPTOR_HEAD,
                              strlen (DESCRIPTOR_HEAD))
           == 0) {
    *ret_len = len;
    return (const char *)data;
  }
  byte_reader_init (&r, data, len);
  if (byte_reader_le32 (&r) != SPARSE_MAGIC)
    return NULL;
  byte_reader_skip (&r, 24); /* version, flags, capacity, grain size */
  sector = byte_reader_le64 (&r);
  if (!byte_reader_ok (&r) || sector == 0 || sector >= len / VMDK_SECTOR)
    return NULL;
  data += sector * VMDK_SECTOR;
  *ret_len = MIN (len - sector * VMDK_SECTOR, VMDK_EMBEDDED_MAX_BYTES);
  return g_ascii_strncasecmp ((const char *)data, DESCRIPTOR_HEAD,
                              strlen (DESCRIPTOR_HEAD))
             == 0
           ? (const char *)data
           : NULL;
}

static gboolean
read_start (const WsVmDir *dir, const char *name, GByteArray *buf,
            GError **error)
{
  int fd = ws_vm_dir_open_file (dir, name, error);
  gssize n;

  if (fd < 0)
    return FALSE;
  g_byte_array_set_size (buf, SNIFF_BYTES);
  n = pread (fd, buf->data, SNIFF_BYTES, 0);
  close (fd);
  g_byte_array_set_size (buf, n > 0 ? (guint)n : 0);
  return TRUE;
}

/* A file that is no whole link: an extent, somebody's raw data, or a damaged
 * disk. Only the last matters, and of it what it depends on. */
static gboolean
add_unopened (WsGraph *self, const WsVmDir *dir, const char *name,
              const GError *problem, GError **error)
{
  g_autoptr (GByteArray) start = g_byte_array_new ();
  g_autoptr (VmdkDescriptor) descriptor = NULL;
  g_autofree char *id = g_build_filename (dir->path, name, NULL);
  const char *text;
  WsLink *link;
  gsize len = 0;

  if (!read_start (dir, name, start, error))
    return FALSE;
  text = find_descriptor (start->data, start->len, &len);
  if (text == NULL)
    return TRUE;
  descriptor = vmdk_descriptor_parse (text, len, name, NULL);
  if (descriptor == NULL) {
    g_set_error (error, VIX_ERROR, VIX_E_DISK_INVALIDDISK,
                 "%s: damaged (%s); it may need another disk of this VM: move "
                 "it away first",
                 name, problem->message);
    return FALSE;
  }
  link = add_link (self, dir, id);
  link->problem = g_strdup (problem->message);
  link->parent_cid = vmdk_descriptor_get_parent_cid (descriptor);
  link->hint = g_strdup (vmdk_descriptor_get_parent_hint (descriptor));
  return TRUE;
}

static gboolean
is_disk_name (const char *name)
{
  gsize len = strlen (name);

  return len > 5 && g_ascii_strcasecmp (name + len - 5, ".vmdk") == 0;
}

static gboolean
add_directory (WsGraph *self, WsChange *change, GPtrArray *names,
               GError **error)
{
  for (guint i = 0; i < names->len; i++) {
    const char *name = names->pdata[i];
    g_autoptr (VmdkLink) opened = NULL;
    g_autoptr (GError) local = NULL;

    if (!is_disk_name (name))
      continue;
    if (!vix_check_cancelled (change->op->cancellable, error))
      return FALSE;
    opened = vmdk_link_open (ws_resolver_vmdk (change->resolver), NULL, name,
                             VMDK_ROLE_DISK, FALSE, &local);
    if (opened != NULL)
      add_opened (self, change->dir, opened);
    else if (!g_error_matches (local, VIX_ERROR, VIX_E_FILE_ACCESS_ERROR)
             && !add_unopened (self, change->dir, name, local, error))
      return FALSE;
  }
  return TRUE;
}

static void
connect_parents (WsGraph *self, WsChange *change)
{
  guint n = self->links->len; /* those of the directory; more come behind */

  for (guint i = 0; i < n; i++) {
    WsLink *link = self->links->pdata[i];
    g_autofree char *id = NULL;

    if (link->hint == NULL)
      continue;
    id = ws_resolver_locate (change->resolver, link->id, link->hint,
                             VMDK_ROLE_PARENT, NULL);
    if (id == NULL)
      continue;
    link->parent = add_link (self, change->dir, id);
    g_ptr_array_add (link->parent->children, link);
  }
}

/* ---- who refers to them ---- */

WsLink *
ws_graph_find (WsGraph *self, WsChange *change, const char *file_name,
               GError **error)
{
  g_autofree char *id = ws_change_locate (change, file_name, error);

  return id == NULL ? NULL : add_link (self, change->dir, id);
}

/* Bounded: a cycle of hints ends at a link that is marked already. */
static void
mark_reader (WsGraph *self, WsChange *change, const char *file_name,
             const char *reader)
{
  WsLink *link = ws_graph_find (self, change, file_name, NULL);

  for (; link != NULL && link->reader == NULL; link = link->parent)
    link->reader = reader;
}

static void
mark_snapshots (WsGraph *self, WsChange *change, GHashTable *gone)
{
  for (gsize i = 0; i < ws_vmsd_get_count (change->vmsd); i++) {
    const WsSnapshot *s = ws_vmsd_get_nth (change->vmsd, i);

    for (guint k = 0; k < s->num_disks; k++) {
      WsLink *link = ws_graph_find (self, change, s->disks[k].file_name, NULL);

      if (link != NULL)
        g_hash_table_add (link->frozen_by, g_memdup2 (&s->uid, sizeof s->uid));
      for (guint c = 0; !g_hash_table_contains (gone, &s->uid)
                        && s->clones != NULL && s->clones[c] != NULL;
           c++)
        mark_reader (self, change, s->disks[k].file_name, s->clones[c]);
    }
  }
}

static void
mark_other_vmx (WsGraph *self, WsChange *change, GBytes *bytes,
                const char *name)
{
  gsize len;
  const char *data = g_bytes_get_data (bytes, &len);
  g_autoptr (KvFile) vmx = kv_file_parse (data, len, name, NULL);
  g_autoptr (GPtrArray) disks = NULL;

  if (vmx == NULL)
    return;
  disks = ws_vmx_list_disks (vmx);
  for (guint i = 0; i < disks->len; i++)
    mark_reader (self, change, ((WsVmxDisk *)disks->pdata[i])->file_name, name);
}

static void
mark_other_vmsd (WsGraph *self, WsChange *change, GBytes *bytes,
                 const char *name)
{
  gsize len;
  const char *data = g_bytes_get_data (bytes, &len);
  KvFile *kv = len == 0 ? NULL : kv_file_parse (data, len, name, NULL);
  g_autoptr (WsVmsd) vmsd = NULL;

  if (kv == NULL)
    return;
  vmsd = ws_vmsd_new (kv, name);
  for (gsize i = 0; i < ws_vmsd_get_count (vmsd); i++) {
    const WsSnapshot *s = ws_vmsd_get_nth (vmsd, i);

    for (guint k = 0; k < s->num_disks; k++)
      mark_reader (self, change, s->disks[k].file_name, name);
  }
}

/* Other VMs that live in this directory. */
static void
mark_neighbours (WsGraph *self, WsChange *change, GPtrArray *names)
{
  for (guint i = 0; i < names->len; i++) {
    const char *name = names->pdata[i];
    gboolean vmx
      = g_str_has_suffix (name, ".vmx") || g_str_has_suffix (name, ".vmtx");
    g_autoptr (GBytes) bytes = NULL;
    char *text;

    if ((!vmx && !g_str_has_suffix (name, ".vmsd"))
        || strcmp (name, change->dir->vmx_name) == 0
        || strcmp (name, change->vmsd_name) == 0)
      continue;
    bytes = ws_vm_dir_read_file (change->dir, name, KV_FILE_MAX_BYTES, NULL);
    if (bytes == NULL)
      continue;
    text = g_strdup (name);
    g_ptr_array_add (self->texts, text);
    if (vmx)
      mark_other_vmx (self, change, bytes, text);
    else
      mark_other_vmsd (self, change, bytes, text);
  }
}

/* A running disk that is missing is for those to report who need it; a revert
 * does not. */
static void
mark_running (WsGraph *self, WsChange *change)
{
  for (guint i = 0; i < change->disks->len; i++) {
    const WsVmxDisk *disk = change->disks->pdata[i];
    WsLink *link = ws_graph_find (self, change, disk->file_name, NULL);

    if (link != NULL)
      link->running = TRUE;
  }
}

WsGraph *
ws_graph_load (WsChange *change, GHashTable *gone, GError **error)
{
  g_autoptr (WsGraph) self = g_new0 (WsGraph, 1);
  g_autoptr (GPtrArray) names = NULL;

  self->by_id = g_hash_table_new (g_str_hash, g_str_equal);
  self->links = g_ptr_array_new_with_free_func ((GDestroyNotify)link_free);
  self->texts = g_ptr_array_new_with_free_func (g_free);
  names = ws_vm_dir_list (change->dir, error);
  if (names == NULL || !add_directory (self, change, names, error))
    return NULL;
  connect_parents (self, change);
  mark_running (self, change);
  mark_snapshots (self, change, gone);
  mark_neighbours (self, change, names);
  return g_steal_pointer (&self);
}

gboolean
ws_link_check_parent (const WsLink *self, GError **error)
{
  const WsLink *parent = self->parent;

  if (self->problem != NULL) {
    g_set_error (error, VIX_ERROR, VIX_E_DISK_INVALIDCHAIN, "%s: %s", self->own,
                 self->problem);
    return FALSE;
  }
  if (parent == NULL) {
    g_set_error (error, VIX_ERROR, VIX_E_DISK_OPENPARENT,
                 "%s: its parent \"%s\" is not there", self->own, self->hint);
    return FALSE;
  }
  if (parent->own == NULL)
    return TRUE;
  if (parent->problem != NULL) {
    g_set_error (error, VIX_ERROR, VIX_E_DISK_INVALIDCHAIN, "%s: %s",
                 parent->own, parent->problem);
    return FALSE;
  }
  if (self->parent_cid != parent->cid) {
    g_set_error (error, VIX_ERROR, VIX_E_DISK_CID_MISMATCH,
                 "%s: its parentCID is %08x, but the CID of %s is %08x: the "
                 "parent was changed after the child was made",
                 self->own, self->parent_cid, parent->own, parent->cid);
    return FALSE;
  }
  if (self->capacity != parent->capacity) {
    g_set_error (error, VIX_ERROR, VIX_E_DISK_CAPACITY_MISMATCH,
                 "%s: not of the size of its parent %s", self->own,
                 parent->own);
    return FALSE;
  }
  return TRUE;
}
