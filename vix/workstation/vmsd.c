/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Each change is made on a copy of the dictionary, which takes the place of
 * the old one, model and all, only when every key could be written.
 */
#include "workstation/vmsd.h"

#include <string.h>

#include "base/error.h"
#include "workstation/vmsd-private.h"

/* The list of recently used snapshots does not grow beyond this by us. */
#define MAX_MRU 8u

WsVmsd *
ws_vmsd_new (KvFile *kv, const char *label)
{
  WsVmsd *self = g_new0 (WsVmsd, 1);

  self->kv = kv != NULL ? kv : kv_file_new (label);
  self->label = g_strdup (label);
  ws_vmsd_model_read (self->kv, &self->model);
  return self;
}

WsVmsd *
ws_vmsd_copy (const WsVmsd *self)
{
  return ws_vmsd_new (kv_file_copy (self->kv), self->label);
}

void
ws_vmsd_free (WsVmsd *self)
{
  if (self == NULL)
    return;
  ws_vmsd_model_clear (&self->model);
  kv_file_free (self->kv);
  g_free (self->label);
  g_free (self);
}

/* ---- reading ---- */

gsize
ws_vmsd_get_count (const WsVmsd *self)
{
  return self->model.snapshots->len;
}

const WsSnapshot *
ws_vmsd_get_nth (const WsVmsd *self, gsize nth)
{
  return self->model.snapshots->pdata[nth];
}

const WsSnapshot *
ws_vmsd_find (const WsVmsd *self, gint64 uid)
{
  guint i;

  for (i = 0; i < self->model.snapshots->len; i++) {
    const WsSnapshot *snapshot = self->model.snapshots->pdata[i];

    if (snapshot->uid == uid)
      return snapshot;
  }
  return NULL;
}

const WsSnapshotDisk *
ws_snapshot_find_disk (const WsSnapshot *snapshot, const char *node)
{
  guint i;

  for (i = 0; i < snapshot->num_disks; i++)
    if (g_ascii_strcasecmp (snapshot->disks[i].node, node) == 0)
      return &snapshot->disks[i];
  return NULL;
}

gint64
ws_vmsd_get_current (const WsVmsd *self)
{
  return self->model.current;
}

gint64
ws_vmsd_get_next_uid (const WsVmsd *self)
{
  return self->model.last_uid + 1;
}

static void
append_children (const WsVmsd *self, gint64 uid, GArray *uids)
{
  guint i;

  for (i = 0; i < self->model.snapshots->len; i++) {
    const WsSnapshot *snapshot = self->model.snapshots->pdata[i];

    if (snapshot->parent == uid)
      g_array_append_val (uids, snapshot->uid);
  }
}

GArray *
ws_vmsd_list_children (const WsVmsd *self, gint64 uid)
{
  GArray *uids = g_array_new (FALSE, FALSE, sizeof (gint64));

  append_children (self, uid, uids);
  return uids;
}

GArray *
ws_vmsd_list_subtree (const WsVmsd *self, gint64 uid)
{
  GArray *uids = g_array_new (FALSE, FALSE, sizeof (gint64));
  guint i;

  if (ws_vmsd_find (self, uid) == NULL)
    return uids;
  g_array_append_val (uids, uid);
  for (i = 0; i < uids->len; i++)
    append_children (self, g_array_index (uids, gint64, i), uids);
  return uids;
}

gboolean
ws_vmsd_is_linked_clone (const WsVmsd *self)
{
  return self->model.linked_clone;
}

const char *
ws_vmsd_get_clone_of (const WsVmsd *self)
{
  return kv_file_get (self->kv, "cloneOf0");
}

gboolean
ws_vmsd_check_writable (const WsVmsd *self, GError **error)
{
  if (self->model.problem != NULL) {
    g_set_error (error, VIX_ERROR, VIX_E_SNAPSHOT_INCONSISTENT,
                 "%s: %s; it is left as it is, repair it by hand or in "
                 "VMware",
                 self->label, self->model.problem);
    return FALSE;
  }
  if (self->model.needs_consolidate) {
    g_set_error (error, VIX_ERROR, VIX_E_SNAPSHOT_INCONSISTENT,
                 "%s: snapshot.needConsolidate: VMware has not finished "
                 "removing a snapshot; let it clean up the disks first",
                 self->label);
    return FALSE;
  }
  return TRUE;
}

GBytes *
ws_vmsd_to_bytes (const WsVmsd *self)
{
  return kv_file_to_bytes (self->kv);
}

/* ---- changing ---- */

/* A dictionary being changed; the first error stays and ends all writing. */
typedef struct {
  KvFile *kv;
  GError *error;
} Edit;

static void
edit_set (Edit *edit, const char *name, const char *value)
{
  if (edit->error == NULL)
    kv_file_set (edit->kv, name, value, &edit->error);
}

static void
edit_set_int (Edit *edit, const char *name, gint64 value)
{
  g_autofree char *text = g_strdup_printf ("%" G_GINT64_FORMAT, value);

  edit_set (edit, name, text);
}

static void G_GNUC_PRINTF (3, 4)
  edit_field (Edit *edit, const char *value, const char *format, ...)
{
  g_autofree char *name = NULL;
  va_list args;

  va_start (args, format);
  name = g_strdup_vprintf (format, args);
  va_end (args);
  edit_set (edit, name, value);
}

static gboolean
edit_begin (const WsVmsd *self, Edit *edit, GError **error)
{
  memset (edit, 0, sizeof *edit);
  if (!ws_vmsd_check_writable (self, error))
    return FALSE;
  edit->kv = kv_file_copy (self->kv);
  return TRUE;
}

/* Takes the changes over, or drops them all. */
static gboolean
edit_end (WsVmsd *self, Edit *edit, GError **error)
{
  if (edit->error != NULL) {
    g_propagate_error (error, edit->error);
    kv_file_free (edit->kv);
    return FALSE;
  }
  kv_file_free (self->kv);
  self->kv = edit->kv;
  ws_vmsd_model_clear (&self->model);
  ws_vmsd_model_read (self->kv, &self->model);
  return TRUE;
}

static const WsSnapshot *
find_or_fail (const WsVmsd *self, gint64 uid, GError **error)
{
  const WsSnapshot *snapshot = ws_vmsd_find (self, uid);

  if (snapshot == NULL)
    g_set_error (error, VIX_ERROR, VIX_E_SNAPSHOT_NOTFOUND,
                 "%s: there is no snapshot %" G_GINT64_FORMAT, self->label,
                 uid);
  return snapshot;
}

/* ---- the list of recently used ones ---- */

/* The uids in it, each once, without @leave_out. */
static GArray *
mru_read (const KvFile *kv, gint64 leave_out)
{
  GArray *uids = g_array_new (FALSE, FALSE, sizeof (gint64));
  guint n;

  for (n = 0; n < WS_VMSD_MAX_SNAPSHOTS; n++) {
    g_autofree char *name = g_strdup_printf ("snapshot.mru%u.uid", n);
    gboolean known = FALSE;
    gint64 uid;
    guint i;

    if (!kv_file_get_int (kv, name, 1, G_MAXINT32, &uid))
      break;
    for (i = 0; i < uids->len; i++)
      known = known || g_array_index (uids, gint64, i) == uid;
    if (uid != leave_out && !known)
      g_array_append_val (uids, uid);
  }
  return uids;
}

static void
mru_write (Edit *edit, GArray *uids)
{
  guint n;

  for (n = 0; n < uids->len; n++) {
    g_autofree char *name = g_strdup_printf ("snapshot.mru%u.uid", n);

    edit_set_int (edit, name, g_array_index (uids, gint64, n));
  }
  for (;; n++) {
    g_autofree char *name = g_strdup_printf ("snapshot.mru%u.uid", n);

    if (kv_file_get (edit->kv, name) == NULL)
      break;
    kv_file_unset (edit->kv, name);
  }
}

static void
mru_touch (Edit *edit, gint64 uid)
{
  g_autoptr (GArray) uids = mru_read (edit->kv, uid);

  g_array_prepend_val (uids, uid);
  if (uids->len > MAX_MRU)
    g_array_set_size (uids, MAX_MRU);
  mru_write (edit, uids);
}

static void
mru_drop (Edit *edit, gint64 uid)
{
  g_autoptr (GArray) uids = mru_read (edit->kv, uid);

  mru_write (edit, uids);
}

/* ---- one snapshot more ---- */

/* Text of the low half: a signed decimal, as VMware writes it. */
static void
write_time (Edit *edit, guint n, gint64 created_us)
{
  g_autofree char *high = g_strdup_printf ("%d", (gint32)(created_us >> 32));
  g_autofree char *low
    = g_strdup_printf ("%d", (gint32)(created_us & 0xffffffff));

  edit_field (edit, high, "snapshot%u.createTimeHigh", n);
  edit_field (edit, low, "snapshot%u.createTimeLow", n);
}

static void
write_block (Edit *edit, guint n, gint64 uid, const WsSnapshotNew *snapshot)
{
  g_autofree char *uid_text = g_strdup_printf ("%" G_GINT64_FORMAT, uid);
  g_autofree char *parent
    = g_strdup_printf ("%" G_GINT64_FORMAT, snapshot->parent);
  g_autofree char *count = g_strdup_printf ("%u", snapshot->num_disks);
  guint k;

  edit_field (edit, uid_text, "snapshot%u.uid", n);
  edit_field (edit, snapshot->state_file, "snapshot%u.filename", n);
  if (snapshot->parent != 0)
    edit_field (edit, parent, "snapshot%u.parent", n);
  edit_field (edit, snapshot->name, "snapshot%u.displayName", n);
  edit_field (edit, snapshot->description, "snapshot%u.description", n);
  write_time (edit, n, snapshot->created_us);
  edit_field (edit, count, "snapshot%u.numDisks", n);
  for (k = 0; k < snapshot->num_disks; k++) {
    edit_field (edit, snapshot->disks[k].file_name,
                "snapshot%u.disk%u.fileName", n, k);
    edit_field (edit, snapshot->disks[k].node, "snapshot%u.disk%u.node", n, k);
  }
}

gboolean
ws_vmsd_add (WsVmsd *self, const WsSnapshotNew *snapshot, gint64 *ret_uid,
             GError **error)
{
  guint n = (guint)ws_vmsd_get_count (self);
  gint64 uid = MAX (snapshot->uid, ws_vmsd_get_next_uid (self));
  Edit edit;

  if (snapshot->parent != 0
      && find_or_fail (self, snapshot->parent, error) == NULL)
    return FALSE;
  if (n >= WS_VMSD_MAX_SNAPSHOTS || uid > G_MAXINT32) {
    g_set_error (error, VIX_ERROR, VIX_E_SNAPSHOT_MAXSNAPSHOTS,
                 "%s: it cannot hold another snapshot", self->label);
    return FALSE;
  }
  if (!edit_begin (self, &edit, error))
    return FALSE;
  edit_set_int (&edit, "snapshot.lastUID", uid);
  edit_set_int (&edit, "snapshot.current", uid);
  write_block (&edit, n, uid, snapshot);
  edit_set_int (&edit, "snapshot.numSnapshots", n + 1);
  mru_touch (&edit, uid);
  if (!edit_end (self, &edit, error))
    return FALSE;
  *ret_uid = uid;
  return TRUE;
}

/* ---- one snapshot less ---- */

typedef struct {
  guint index;
  char *name;
} BlockKey;

static void
block_key_clear (gpointer data)
{
  g_free (((BlockKey *)data)->name);
}

static gboolean
collect_key (const char *name, const char *value, gpointer data)
{
  BlockKey key = { 0 };
  const char *field;

  if (ws_vmsd_parse_key (name, &key.index, &field)) {
    key.name = g_strdup (name);
    g_array_append_val ((GArray *)data, key);
  }
  return TRUE;
}

static int
compare_keys (gconstpointer a, gconstpointer b)
{
  const BlockKey *x = a, *y = b;

  return x->index < y->index ? -1 : x->index > y->index;
}

/* Takes block @n out and moves those behind it up; in rising order, so that
 * each number is free when it is given. */
static void
remove_block (KvFile *kv, guint n)
{
  g_autoptr (GArray) keys = g_array_new (FALSE, FALSE, sizeof (BlockKey));
  guint i;

  g_array_set_clear_func (keys, block_key_clear);
  kv_file_foreach (kv, collect_key, keys);
  g_array_sort (keys, compare_keys);
  for (i = 0; i < keys->len; i++) {
    const BlockKey *key = &g_array_index (keys, BlockKey, i);

    if (key->index == n) {
      kv_file_unset (kv, key->name);
    } else if (key->index > n) {
      g_autofree char *to = g_strdup_printf (
        "%.8s%u%s", key->name, key->index - 1, strchr (key->name, '.'));

      kv_file_rename (kv, key->name, to);
    }
  }
}

static void
set_parent (Edit *edit, const WsSnapshot *snapshot, gint64 parent)
{
  g_autofree char *name
    = g_strdup_printf ("snapshot%u.parent", snapshot->index);

  if (parent == 0)
    kv_file_unset (edit->kv, name);
  else
    edit_set_int (edit, name, parent);
}

gboolean
ws_vmsd_remove (WsVmsd *self, gint64 uid, GError **error)
{
  const WsSnapshot *gone = find_or_fail (self, uid, error);
  gsize i, count = ws_vmsd_get_count (self);
  Edit edit;

  if (gone == NULL || !edit_begin (self, &edit, error))
    return FALSE;
  for (i = 0; i < count; i++) {
    const WsSnapshot *child = ws_vmsd_get_nth (self, i);

    if (child->parent == uid)
      set_parent (&edit, child, gone->parent);
  }
  if (self->model.current == uid)
    edit_set_int (&edit, "snapshot.current", gone->parent);
  /* lastUID may lag behind the highest uid, which must not be used again. */
  edit_set_int (&edit, "snapshot.lastUID", self->model.last_uid);
  mru_drop (&edit, uid);
  edit_set_int (&edit, "snapshot.numSnapshots", (gint64)count - 1);
  remove_block (edit.kv, gone->index);
  ws_vmsd_drop_notes (edit.kv, uid);
  return edit_end (self, &edit, error);
}

/* ---- single keys ---- */

gboolean
ws_vmsd_set_current (WsVmsd *self, gint64 uid, GError **error)
{
  Edit edit;

  if (uid != 0 && find_or_fail (self, uid, error) == NULL)
    return FALSE;
  if (!edit_begin (self, &edit, error))
    return FALSE;
  edit_set_int (&edit, "snapshot.current", uid);
  if (uid != 0)
    mru_touch (&edit, uid);
  return edit_end (self, &edit, error);
}

static gboolean
set_field (WsVmsd *self, gint64 uid, const char *field, const char *value,
           GError **error)
{
  const WsSnapshot *snapshot = find_or_fail (self, uid, error);
  Edit edit;

  if (snapshot == NULL || !edit_begin (self, &edit, error))
    return FALSE;
  edit_field (&edit, value, "snapshot%u.%s", snapshot->index, field);
  return edit_end (self, &edit, error);
}

gboolean
ws_vmsd_set_name (WsVmsd *self, gint64 uid, const char *name, GError **error)
{
  return set_field (self, uid, "displayName", name, error);
}

gboolean
ws_vmsd_set_description (WsVmsd *self, gint64 uid, const char *description,
                         GError **error)
{
  return set_field (self, uid, "description", description, error);
}

gboolean
ws_vmsd_set_disk_file (WsVmsd *self, gint64 uid, guint disk,
                       const char *file_name, GError **error)
{
  g_autofree char *field = g_strdup_printf ("disk%u.fileName", disk);
  const WsSnapshot *snapshot = find_or_fail (self, uid, error);

  if (snapshot == NULL)
    return FALSE;
  g_return_val_if_fail (disk < snapshot->num_disks, FALSE);
  return set_field (self, uid, field, file_name, error);
}

/* ---- clones ---- */

static gboolean
set_clones (WsVmsd *self, const WsSnapshot *snapshot, GPtrArray *clones,
            GError **error)
{
  guint n = snapshot->index, k;
  guint before = g_strv_length (snapshot->clones);
  g_autofree char *count = g_strdup_printf ("%u", clones->len);
  Edit edit;

  if (!edit_begin (self, &edit, error))
    return FALSE;
  for (k = 0; k < MAX (before, clones->len); k++) {
    g_autofree char *name = g_strdup_printf ("snapshot%u.clone%u", n, k);

    if (k < clones->len)
      edit_set (&edit, name, clones->pdata[k]);
    else
      kv_file_unset (edit.kv, name);
  }
  edit_field (&edit, count, "snapshot%u.numClones", n);
  return edit_end (self, &edit, error);
}

gboolean
ws_vmsd_add_clone (WsVmsd *self, gint64 uid, const char *vmx_path,
                   GError **error)
{
  const WsSnapshot *snapshot = find_or_fail (self, uid, error);
  g_autoptr (GPtrArray) clones = g_ptr_array_new ();
  guint k;

  if (snapshot == NULL)
    return FALSE;
  for (k = 0; snapshot->clones[k] != NULL; k++) {
    if (strcmp (snapshot->clones[k], vmx_path) == 0)
      return TRUE;
    g_ptr_array_add (clones, snapshot->clones[k]);
  }
  g_ptr_array_add (clones, (gpointer)vmx_path);
  return set_clones (self, snapshot, clones, error);
}

gboolean
ws_vmsd_remove_clone (WsVmsd *self, gint64 uid, const char *vmx_path,
                      GError **error)
{
  const WsSnapshot *snapshot = find_or_fail (self, uid, error);
  g_autoptr (GPtrArray) clones = g_ptr_array_new ();
  guint k;

  if (snapshot == NULL)
    return FALSE;
  for (k = 0; snapshot->clones[k] != NULL; k++)
    if (strcmp (snapshot->clones[k], vmx_path) != 0)
      g_ptr_array_add (clones, snapshot->clones[k]);
  return clones->len == k || set_clones (self, snapshot, clones, error);
}

gboolean
ws_vmsd_set_clone_of (WsVmsd *self, const char *parent_vmx,
                      const char *const *sentinels, GError **error)
{
  Edit edit;
  guint k;

  if (!edit_begin (self, &edit, error))
    return FALSE;
  edit_set (&edit, "cloneOf0", parent_vmx);
  edit_set (&edit, "numCloneOf", "1");
  for (k = 0; sentinels[k] != NULL; k++)
    edit_field (&edit, sentinels[k], "sentinel%u", k);
  edit_set_int (&edit, "numSentinels", k);
  return edit_end (self, &edit, error);
}
