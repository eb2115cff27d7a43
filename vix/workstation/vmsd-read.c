/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Blocks are found by walking the keys that are there, never by counting up
 * to a number that the file claims, so a hostile count costs nothing.
 */
#include "workstation/vmsd-private.h"

#include <string.h>

#include "base/error.h"

/* "snapshot" + number; larger N than a file can have lines are no blocks. */
#define MAX_INDEX 999999u

typedef struct {
  guint index;
  const char *file_name, *node; /* borrowed; NULL: absent */
} DiskBuilder;

/* One snapshotN block as found; strings borrowed from the dictionary. */
typedef struct {
  guint index;
  const char *uid, *parent, *file_name, *name, *description, *type;
  const char *time_high, *time_low, *num_disks, *num_clones;
  GArray *disks;     /* DiskBuilder, unsorted */
  GPtrArray *clones; /* borrowed */
  guint clones_end;  /* highest K + 1 */
} Block;

typedef struct {
  GHashTable *blocks; /* N -> Block */
  gboolean linked_clone;
  GString *problem; /* the first one */
} Reader;

static const struct {
  const char *key;
  gsize offset;
} block_fields[] = {
  { "uid", G_STRUCT_OFFSET (Block, uid) },
  { "parent", G_STRUCT_OFFSET (Block, parent) },
  { "filename", G_STRUCT_OFFSET (Block, file_name) },
  { "displayName", G_STRUCT_OFFSET (Block, name) },
  { "description", G_STRUCT_OFFSET (Block, description) },
  { "type", G_STRUCT_OFFSET (Block, type) },
  { "createTimeHigh", G_STRUCT_OFFSET (Block, time_high) },
  { "createTimeLow", G_STRUCT_OFFSET (Block, time_low) },
  { "numDisks", G_STRUCT_OFFSET (Block, num_disks) },
  { "numClones", G_STRUCT_OFFSET (Block, num_clones) },
};

static void G_GNUC_PRINTF (2, 3)
  note_problem (Reader *reader, const char *format, ...)
{
  va_list args;

  if (reader->problem->len > 0)
    return;
  va_start (args, format);
  g_string_vprintf (reader->problem, format, args);
  va_end (args);
}

static void
block_free (gpointer data)
{
  Block *block = data;

  g_array_unref (block->disks);
  g_ptr_array_unref (block->clones);
  g_free (block);
}

/* ---- keys ---- */

/* Digits without a leading zero, at most MAX_INDEX: what we would write. */
static gboolean
take_index (const char **s, guint *ret)
{
  const char *p = *s;
  guint n = 0;

  while (g_ascii_isdigit (*p) && p - *s < 6)
    n = n * 10 + (guint)(*p++ - '0');
  if (p == *s || g_ascii_isdigit (*p) || (**s == '0' && p - *s > 1))
    return FALSE;
  *s = p;
  *ret = n;
  return n <= MAX_INDEX;
}

/* @word, number, then @end. */
static gboolean
match_indexed (const char *s, const char *word, guint *ret_index,
               const char **ret_rest)
{
  gsize len = strlen (word);

  if (g_ascii_strncasecmp (s, word, len) != 0)
    return FALSE;
  s += len;
  if (!take_index (&s, ret_index))
    return FALSE;
  *ret_rest = s;
  return TRUE;
}

gboolean
ws_vmsd_parse_key (const char *name, guint *ret_index, const char **ret_field)
{
  const char *rest;

  if (!match_indexed (name, "snapshot", ret_index, &rest) || *rest != '.')
    return FALSE;
  *ret_field = rest + 1;
  return TRUE;
}

static DiskBuilder *
block_disk (Block *block, guint index)
{
  DiskBuilder fresh = { .index = index };
  guint i;

  for (i = 0; i < block->disks->len; i++) {
    DiskBuilder *disk = &g_array_index (block->disks, DiskBuilder, i);

    if (disk->index == index)
      return disk;
  }
  g_array_append_val (block->disks, fresh);
  return &g_array_index (block->disks, DiskBuilder, i);
}

static void
block_take (Reader *reader, Block *block, const char *field, const char *value)
{
  const char *rest;
  guint index;
  gsize i;

  for (i = 0; i < G_N_ELEMENTS (block_fields); i++)
    if (g_ascii_strcasecmp (field, block_fields[i].key) == 0) {
      G_STRUCT_MEMBER (const char *, block, block_fields[i].offset) = value;
      return;
    }
  if (match_indexed (field, "clone", &index, &rest) && *rest == '\0') {
    g_ptr_array_add (block->clones, (gpointer)value);
    block->clones_end = MAX (block->clones_end, index + 1);
  } else if (match_indexed (field, "disk", &index, &rest) && *rest == '.') {
    if (index >= WS_VMSD_MAX_DISKS) {
      note_problem (reader, "snapshot%u.disk%u: too many disks", block->index,
                    index);
      return;
    }
    if (g_ascii_strcasecmp (rest, ".fileName") == 0)
      block_disk (block, index)->file_name = value;
    else if (g_ascii_strcasecmp (rest, ".node") == 0)
      block_disk (block, index)->node = value;
  }
}

static gboolean
take_key (const char *name, const char *value, gpointer data)
{
  Reader *reader = data;
  const char *field;
  Block *block;
  guint index;

  if (g_ascii_strncasecmp (name, "sentinel", 8) == 0
      || g_ascii_strcasecmp (name, "numSentinels") == 0
      || g_ascii_strcasecmp (name, "cloneOf0") == 0)
    reader->linked_clone = TRUE;
  if (!ws_vmsd_parse_key (name, &index, &field))
    return TRUE;
  block = g_hash_table_lookup (reader->blocks, GUINT_TO_POINTER (index));
  if (block == NULL) {
    if (g_hash_table_size (reader->blocks) >= WS_VMSD_MAX_SNAPSHOTS) {
      note_problem (reader, "%s: more than %u snapshots", name,
                    WS_VMSD_MAX_SNAPSHOTS);
      return TRUE;
    }
    block = g_new0 (Block, 1);
    block->index = index;
    block->disks = g_array_new (FALSE, FALSE, sizeof (DiskBuilder));
    block->clones = g_ptr_array_new ();
    g_hash_table_insert (reader->blocks, GUINT_TO_POINTER (index), block);
  }
  block_take (reader, block, field, value);
  return TRUE;
}

/* ---- blocks to snapshots ---- */

static void
snapshot_free (gpointer data)
{
  WsSnapshot *snapshot = data;
  guint i;

  for (i = 0; i < snapshot->num_disks; i++) {
    g_free (snapshot->disks[i].file_name);
    g_free (snapshot->disks[i].node);
  }
  g_free (snapshot->disks);
  g_strfreev (snapshot->clones);
  g_free (snapshot->name);
  g_free (snapshot->description);
  g_free (snapshot->state_file);
  g_free (snapshot);
}

static gboolean
parse_int (const char *text, gint64 min, gint64 max, gint64 *ret)
{
  return text != NULL
         && g_ascii_string_to_signed (text, 10, min, max, ret, NULL);
}

/* Two halves of which the low one is a signed decimal of 32 bits; writers
 * that print it unsigned are understood too. */
static gint64
block_time (const Block *block)
{
  gint64 high, low;

  if (!parse_int (block->time_high, G_MININT32, G_MAXINT32, &high)
      || !parse_int (block->time_low, G_MININT32, G_MAXUINT32, &low))
    return 0;
  return (gint64)(((guint64)high << 32) | (guint32)low);
}

/* A count that may be absent if nothing is counted. */
static gboolean
count_agrees (const char *text, gint64 found)
{
  gint64 n;

  if (text == NULL)
    return found == 0;
  return parse_int (text, 0, G_MAXINT32, &n) && n == found;
}

static int
compare_disks (gconstpointer a, gconstpointer b)
{
  const DiskBuilder *x = a, *y = b;

  return x->index < y->index ? -1 : x->index > y->index;
}

static void
read_disks (Reader *reader, Block *block, WsSnapshot *snapshot)
{
  guint i;

  g_array_sort (block->disks, compare_disks);
  snapshot->disks = g_new0 (WsSnapshotDisk, block->disks->len);
  for (i = 0; i < block->disks->len; i++) {
    const DiskBuilder *disk = &g_array_index (block->disks, DiskBuilder, i);

    if (disk->file_name == NULL || disk->node == NULL || disk->index != i) {
      note_problem (reader,
                    "snapshot%u.disk%u: fileName or node is missing, or a "
                    "number left out",
                    block->index, disk->index);
      continue;
    }
    snapshot->disks[snapshot->num_disks].file_name = g_strdup (disk->file_name);
    snapshot->disks[snapshot->num_disks].node = g_strdup (disk->node);
    snapshot->num_disks++;
  }
  if (!count_agrees (block->num_disks, (gint64)block->disks->len))
    note_problem (reader, "snapshot%u.numDisks: is not the number of disks",
                  block->index);
}

static WsSnapshot *
read_block (Reader *reader, Block *block)
{
  WsSnapshot *snapshot = g_new0 (WsSnapshot, 1);

  snapshot->index = block->index;
  if (!parse_int (block->uid, 1, G_MAXINT32, &snapshot->uid))
    note_problem (reader, "snapshot%u.uid: missing or no number above 0",
                  block->index);
  if (block->parent != NULL && block->parent[0] != '\0'
      && !parse_int (block->parent, 0, G_MAXINT32, &snapshot->parent))
    note_problem (reader, "snapshot%u.parent: no uid", block->index);
  snapshot->created_us = block_time (block);
  snapshot->name = g_strdup (block->name != NULL ? block->name : "");
  snapshot->description
    = g_strdup (block->description != NULL ? block->description : "");
  snapshot->state_file
    = g_strdup (block->file_name != NULL ? block->file_name : "");
  snapshot->has_memory = g_strcmp0 (block->type, "1") == 0;
  read_disks (reader, block, snapshot);
  if (!count_agrees (block->num_clones, (gint64)block->clones->len)
      || block->clones_end != block->clones->len)
    note_problem (reader, "snapshot%u.numClones: is not the number of clones",
                  block->index);
  g_ptr_array_add (block->clones, NULL);
  snapshot->clones = g_strdupv ((char **)block->clones->pdata);
  return snapshot;
}

static int
compare_snapshots (gconstpointer a, gconstpointer b)
{
  const WsSnapshot *x = *(WsSnapshot *const *)a;
  const WsSnapshot *y = *(WsSnapshot *const *)b;

  if (x->uid != y->uid)
    return x->uid < y->uid ? -1 : 1;
  return x->index < y->index ? -1 : x->index > y->index;
}

/* All blocks with a uid, sorted, each uid once: the lowest N wins. */
static void
read_snapshots (Reader *reader, GPtrArray *snapshots)
{
  GHashTableIter iter;
  gpointer value;
  guint i = 0;

  g_hash_table_iter_init (&iter, reader->blocks);
  while (g_hash_table_iter_next (&iter, NULL, &value))
    g_ptr_array_add (snapshots, read_block (reader, value));
  g_ptr_array_sort (snapshots, compare_snapshots);
  while (i < snapshots->len) {
    const WsSnapshot *snapshot = snapshots->pdata[i];
    const WsSnapshot *before = i > 0 ? snapshots->pdata[i - 1] : NULL;

    if (before != NULL && before->uid == snapshot->uid)
      note_problem (reader, "snapshot%u.uid: snapshot%u has the same uid",
                    snapshot->index, before->index);
    else if (snapshot->uid > 0) {
      i++;
      continue;
    }
    g_ptr_array_remove_index (snapshots, i);
  }
}

/* ---- the tree ---- */

static WsSnapshot *
find_uid (const GPtrArray *snapshots, gint64 uid, guint *ret_at)
{
  guint low = 0, high = snapshots->len;

  while (low < high) {
    guint mid = low + (high - low) / 2;
    WsSnapshot *snapshot = snapshots->pdata[mid];

    if (snapshot->uid == uid) {
      *ret_at = mid;
      return snapshot;
    }
    if (snapshot->uid < uid)
      low = mid + 1;
    else
      high = mid;
  }
  return NULL;
}

/* Makes every parent known and every walk upwards end. Each snapshot gets the
 * number of the walk that first came by; a walk that meets its own number has
 * found a cycle. */
static void
check_tree (Reader *reader, const GPtrArray *snapshots)
{
  g_autofree guint *walk = g_new0 (guint, snapshots->len + 1);
  guint i;

  for (i = 0; i < snapshots->len; i++) {
    guint at = i;

    while (walk[at] == 0) {
      WsSnapshot *here = snapshots->pdata[at];

      walk[at] = i + 1;
      if (here->parent == 0)
        break;
      if (find_uid (snapshots, here->parent, &at) == NULL) {
        note_problem (reader,
                      "snapshot%u.parent: there is no uid %" G_GINT64_FORMAT,
                      here->index, here->parent);
        here->parent = 0;
      } else if (walk[at] == i + 1) {
        note_problem (reader, "snapshot%u.parent: leads back to itself",
                      here->index);
        here->parent = 0;
      }
    }
  }
}

/* ---- the whole ---- */

static void
check_count (Reader *reader, const KvFile *kv)
{
  const char *text = kv_file_get (kv, "snapshot.numSnapshots");
  guint count = g_hash_table_size (reader->blocks), i;

  if (!count_agrees (text, count))
    note_problem (reader,
                  "snapshot.numSnapshots: says %s, %u snapshots are there",
                  text == NULL ? "nothing" : text, count);
  for (i = 0; i < count; i++)
    if (!g_hash_table_contains (reader->blocks, GUINT_TO_POINTER (i))) {
      note_problem (reader, "snapshot%u: this number is left out", i);
      return;
    }
}

static void
check_duplicates (Reader *reader, const KvFile *kv)
{
  g_auto (GStrv) names = kv_file_list_duplicates (kv);

  if (names[0] != NULL)
    note_problem (reader, "%s: is there more than once", names[0]);
}

static void
read_globals (Reader *reader, const KvFile *kv, WsVmsdModel *model)
{
  const char *current = kv_file_get (kv, "snapshot.current");
  const char *last = kv_file_get (kv, "snapshot.lastUID");
  guint at;

  model->needs_consolidate
    = kv_file_get_bool (kv, "snapshot.needConsolidate", FALSE);
  model->linked_clone = reader->linked_clone;
  if (last != NULL && last[0] != '\0'
      && !parse_int (last, 0, G_MAXINT32, &model->last_uid))
    note_problem (reader, "snapshot.lastUID: no uid");
  if (model->snapshots->len > 0) {
    const WsSnapshot *newest
      = model->snapshots->pdata[model->snapshots->len - 1];

    model->last_uid = MAX (model->last_uid, newest->uid);
  }
  if (current != NULL && current[0] != '\0' && strcmp (current, "0") != 0
      && (!parse_int (current, 1, G_MAXINT32, &model->current)
          || find_uid (model->snapshots, model->current, &at) == NULL)) {
    note_problem (reader, "snapshot.current: there is no such snapshot");
    model->current = 0;
  }
}

void
ws_vmsd_model_read (const KvFile *kv, WsVmsdModel *ret_model)
{
  Reader reader = { 0 };

  memset (ret_model, 0, sizeof *ret_model);
  reader.blocks = g_hash_table_new_full (NULL, NULL, NULL, block_free);
  reader.problem = g_string_new (NULL);
  ret_model->snapshots = g_ptr_array_new_with_free_func (snapshot_free);
  kv_file_foreach (kv, take_key, &reader);
  check_count (&reader, kv);
  read_snapshots (&reader, ret_model->snapshots);
  check_tree (&reader, ret_model->snapshots);
  read_globals (&reader, kv, ret_model);
  check_duplicates (&reader, kv);
  ret_model->problem
    = reader.problem->len > 0 ? g_strdup (reader.problem->str) : NULL;
  g_string_free (reader.problem, TRUE);
  g_hash_table_unref (reader.blocks);
}

void
ws_vmsd_model_clear (WsVmsdModel *model)
{
  g_clear_pointer (&model->snapshots, g_ptr_array_unref);
  g_clear_pointer (&model->problem, g_free);
}
