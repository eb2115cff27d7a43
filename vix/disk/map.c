/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "disk/map.h"

#include <string.h>

#include "base/error.h"
#include "base/lock.h"
#include "disk/link-private.h"
#include "disk/preload.h"

/* 256 MiB: 4,096 grains of the usual size, so that the tables of a segment
 * are a few reads a link and its runs 64 KiB at the most. */
#define SEGMENT_BYTES ((guint64)256 << 20)
/* Where tables are far away: who reads a little waits for those of a segment.
 */
#define FAR_SEGMENT_BYTES ((guint64)64 << 20)
/* How many segments one search goes through. */
#define FIND_SEGMENTS 64

/* Run.kind; all above is an extent, by its number in VmdkMap.extents. */
enum {
  KIND_ZERO,
  KIND_LINK, /* the link reads it: it is not stored as it is */
  KIND_BAD,  /* the link's tables are damaged there */
  KIND_NONE, /* no link says anything: it is up to those that are not here */
  KIND_EXTENT
};

/* Ends where the next begins. */
typedef struct {
  guint32 start; /* sector of the segment */
  guint32 kind;
  guint64 at; /* byte of the extent's file; number of the link */
} Run;

typedef struct {
  gatomicrefcount refs;
  guint64 number;
  GList lru; /* its place among the others; data: itself */
  guint n_runs;
  Run runs[];
} Segment;

struct VmdkMap {
  GPtrArray *links; /* borrowed */
  guint at_once;    /* reads of tables; 0: they are near */
  guint64 capacity;
  guint64 segment_bytes;
  gboolean whole;           /* the last link is a base */
  GPtrArray *extents;       /* VmdkExtent of all links, borrowed */
  GHashTable *extent_index; /* VmdkExtent to its number there */

  VixLock lock;         /* VIX_LOCK_POOL: all below */
  GHashTable *segments; /* number (guint64, in the segment) to Segment */
  GQueue lru;           /* the one used last first */
  gsize bytes;          /* of all */
};

/* --- segments ---------------------------------------------------------- */

static gsize
segment_bytes (const Segment *self)
{
  return sizeof *self + self->n_runs * sizeof (Run);
}

static void
segment_unref (Segment *self)
{
  if (self != NULL && g_atomic_ref_count_dec (&self->refs))
    g_free (self);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC (Segment, segment_unref)

VmdkMap *
vmdk_map_new (GPtrArray *links, guint64 capacity, gboolean whole)
{
  VmdkMap *self = g_new0 (VmdkMap, 1);

  self->links = links;
  self->capacity = capacity;
  self->whole = whole;
  self->at_once = vmdk_preload_count (links);
  self->segment_bytes = self->at_once > 0 ? FAR_SEGMENT_BYTES : SEGMENT_BYTES;
  self->extents = g_ptr_array_new ();
  self->extent_index = g_hash_table_new (NULL, NULL);
  for (guint i = 0; i < links->len; i++) {
    const VmdkLink *link = links->pdata[i];

    for (guint j = 0; j < link->extents->len; j++) {
      g_hash_table_insert (self->extent_index, link->extents->pdata[j],
                           GUINT_TO_POINTER (self->extents->len));
      g_ptr_array_add (self->extents, link->extents->pdata[j]);
    }
  }
  vix_lock_init (&self->lock, VIX_LOCK_POOL);
  self->segments = g_hash_table_new (g_int64_hash, g_int64_equal);
  g_queue_init (&self->lru);
  return self;
}

void
vmdk_map_free (VmdkMap *self)
{
  GList *link;

  if (self == NULL)
    return;
  while ((link = g_queue_pop_head_link (&self->lru)) != NULL)
    segment_unref (link->data);
  g_hash_table_unref (self->segments);
  g_hash_table_unref (self->extent_index);
  g_ptr_array_unref (self->extents);
  vix_lock_clear (&self->lock);
  g_free (self);
}

/* --- finding the runs of a segment ------------------------------------- */

typedef struct {
  VmdkMap *map;
  guint64 start; /* of the segment on the disk, bytes */
  GArray *runs;  /* Run */
} Build;

/* Goes on with what the last run says? */
static gboolean
continues (const Run *last, guint32 start, guint32 kind, guint64 at)
{
  guint64 step = 0;

  if (kind >= KIND_EXTENT)
    step = (guint64)(start - last->start) * VMDK_SECTOR;
  return last->kind == kind && last->at + step == at;
}

static void
append (Build *b, guint64 offset, guint32 kind, guint64 at)
{
  Run run = { (guint32)((offset - b->start) / VMDK_SECTOR), kind, at };

  if (b->runs->len > 0
      && continues (&g_array_index (b->runs, Run, b->runs->len - 1), run.start,
                    kind, at))
    return;
  g_array_append_val (b->runs, run);
}

/* Data that lies in the file as it is. Where the disk is the file, the file's
 * own holes are the disk's. */
static gboolean
append_plain (Build *b, VmdkExtent *extent, guint64 offset, guint64 where,
              guint64 len, GError **error)
{
  const VmdkSourceOps *ops = extent->source->ops;
  guint32 kind
    = KIND_EXTENT
      + GPOINTER_TO_UINT (g_hash_table_lookup (b->map->extent_index, extent));
  guint64 end = where + len;

  if (extent->grain > 1 || ops->seek == NULL) {
    append (b, offset, kind, where);
    return TRUE;
  }
  while (where < end) {
    guint64 data;
    guint64 hole = end;

    if (!ops->seek (extent->source, where, FALSE, &data, error)
        || (data < end
            && !ops->seek (extent->source, data, TRUE, &hole, error)))
      return FALSE;
    /* Data begins in the sector that its first byte is in, and ends with the
     * one that its last is in. */
    data = MIN (where + (MAX (data, where) - where) / VMDK_SECTOR * VMDK_SECTOR,
                end);
    hole = MIN (where
                  + (MAX (hole, data) - where + VMDK_SECTOR - 1) / VMDK_SECTOR
                      * VMDK_SECTOR,
                end);
    if (data > where)
      append (b, offset, KIND_ZERO, 0);
    if (data < hole)
      append (b, offset + (data - where), kind, data);
    offset += hole - where;
    where = hole;
  }
  return TRUE;
}

/* A run that @extent of link @i says is data. */
static gboolean
append_data (Build *b, guint i, VmdkExtent *extent, guint64 offset, guint64 len,
             GError **error)
{
  if (extent->ops->locate == NULL) {
    append (b, offset, KIND_LINK, i);
    return TRUE;
  }
  while (len > 0) {
    guint64 where;
    guint64 n;

    if (!extent->ops->locate (extent, offset - extent->start, len, &where, &n,
                              error)
        || !append_plain (b, extent, offset, where, n, error))
      return FALSE;
    offset += n;
    len -= n;
  }
  return TRUE;
}

/* What link @i says of the range up to @end, in one state: how far that
 * goes. Damage ends with the grain that it is in. */
static gboolean
map_link (VmdkLink *link, guint64 offset, guint64 end, VmdkState *ret_state,
          gboolean *ret_bad, guint64 *ret_len, GError **error)
{
  const VmdkExtent *extent = vmdk_link_get_extent_at (link, offset);
  guint64 grain = MAX (extent->grain, VMDK_SECTOR);
  g_autoptr (GError) local = NULL;

  *ret_bad
    = !vmdk_link_map (link, offset, end - offset, ret_state, ret_len, &local);
  if (!*ret_bad)
    return TRUE;
  if (!g_error_matches (local, VIX_ERROR, VIX_E_DISK_INVALIDDISK)) {
    g_propagate_error (error, g_steal_pointer (&local));
    return FALSE;
  }
  *ret_len = MIN (grain - (offset - extent->start) % grain, end - offset);
  return TRUE;
}

static gboolean
fill (Build *b, guint i, guint64 offset, guint64 end, GError **error)
{
  while (offset < end) {
    VmdkLink *link = i < b->map->links->len ? b->map->links->pdata[i] : NULL;
    VmdkState state;
    gboolean bad;
    guint64 n;

    if (link == NULL || offset >= link->capacity) {
      append (b, offset, link != NULL || b->map->whole ? KIND_ZERO : KIND_NONE,
              0);
      return TRUE;
    }
    if (!map_link (link, offset, MIN (end, link->capacity), &state, &bad, &n,
                   error))
      return FALSE;
    if (bad)
      append (b, offset, KIND_BAD, i);
    else if (state == VMDK_ZERO)
      append (b, offset, KIND_ZERO, 0);
    else if (state == VMDK_UNALLOCATED) {
      if (!fill (b, i + 1, offset, offset + n, error))
        return FALSE;
    } else if (!append_data (b, i, vmdk_link_get_extent_at (link, offset),
                             offset, n, error)) {
      return FALSE;
    }
    offset += n;
  }
  return TRUE;
}

static Segment *
build (VmdkMap *self, guint64 number, GError **error)
{
  g_autoptr (GArray) runs = g_array_new (FALSE, FALSE, sizeof (Run));
  Build b = { self, number * self->segment_bytes, runs };
  Segment *segment;

  if (self->at_once > 0)
    vmdk_preload_tables (self->links, b.start, self->segment_bytes,
                         self->at_once);
  if (!fill (&b, 0, b.start,
             MIN (b.start + self->segment_bytes, self->capacity), error))
    return NULL;
  segment = g_malloc0 (sizeof *segment + runs->len * sizeof (Run));
  g_atomic_ref_count_init (&segment->refs);
  segment->number = number;
  segment->lru.data = segment;
  segment->n_runs = runs->len;
  memcpy (segment->runs, runs->data, runs->len * sizeof (Run));
  return segment;
}

/* --- keeping them ------------------------------------------------------ */

static Segment *
find_locked (VmdkMap *self, guint64 number)
{
  Segment *segment = g_hash_table_lookup (self->segments, &number);

  if (segment == NULL)
    return NULL;
  g_queue_unlink (&self->lru, &segment->lru);
  g_queue_push_head_link (&self->lru, &segment->lru);
  g_atomic_ref_count_inc (&segment->refs);
  return segment;
}

static void
insert_locked (VmdkMap *self, Segment *segment)
{
  g_atomic_ref_count_inc (&segment->refs);
  g_hash_table_insert (self->segments, &segment->number, segment);
  g_queue_push_head_link (&self->lru, &segment->lru);
  self->bytes += segment_bytes (segment);
  while (self->bytes > VMDK_MAP_BYTES && self->lru.length > 1) {
    Segment *last = g_queue_pop_tail_link (&self->lru)->data;

    g_hash_table_remove (self->segments, &last->number);
    self->bytes -= segment_bytes (last);
    segment_unref (last);
  }
}

/* With a reference for the caller. Two threads may find out the same. */
static Segment *
get_segment (VmdkMap *self, guint64 number, GError **error)
{
  Segment *segment;
  Segment *made;

  vix_lock (&self->lock);
  segment = find_locked (self, number);
  vix_unlock (&self->lock);
  if (segment != NULL)
    return segment;
  made = build (self, number, error);
  if (made == NULL)
    return NULL;
  vix_lock (&self->lock);
  segment = find_locked (self, number);
  if (segment == NULL)
    insert_locked (self, made);
  vix_unlock (&self->lock);
  if (segment == NULL)
    return made;
  segment_unref (made);
  return segment;
}

/* --- reading ----------------------------------------------------------- */

/* The run that holds @sector of the segment. */
static guint
find_run (const Segment *segment, guint32 sector)
{
  guint low = 0;
  guint high = segment->n_runs - 1;

  while (low < high) {
    guint middle = low + (high - low + 1) / 2;

    if (segment->runs[middle].start <= sector)
      low = middle;
    else
      high = middle - 1;
  }
  return low;
}

/* Where on the disk run @i ends. */
static guint64
run_end (const VmdkMap *self, const Segment *segment, guint i)
{
  guint64 start = segment->number * self->segment_bytes;

  if (i + 1 < segment->n_runs)
    return start + (guint64)segment->runs[i + 1].start * VMDK_SECTOR;
  return MIN (start + self->segment_bytes, self->capacity);
}

static gboolean
read_run (VmdkMap *self, const Segment *segment, const Run *run, guint64 offset,
          void *buf, gsize len, GError **error)
{
  guint64 start
    = segment->number * self->segment_bytes + (guint64)run->start * VMDK_SECTOR;
  VmdkExtent *extent;
  VmdkState state;
  guint64 n;

  switch (run->kind) {
  case KIND_ZERO:
  case KIND_NONE:
    memset (buf, 0, len);
    return TRUE;
  case KIND_LINK:
    return vmdk_link_read (self->links->pdata[run->at], offset, buf, len,
                           error);
  case KIND_BAD:
    /* The link tells again what is wrong. */
    if (vmdk_link_map (self->links->pdata[run->at], offset, 1, &state, &n,
                       error))
      g_set_error (error, VIX_ERROR, VIX_E_DISK_INVALIDDISK,
                   "%s: the disk is damaged at %" G_GUINT64_FORMAT,
                   vmdk_link_get_id (self->links->pdata[run->at]), offset);
    return FALSE;
  default:
    extent = self->extents->pdata[run->kind - KIND_EXTENT];
    return extent->source->ops->pread (
      extent->source, run->at + (offset - start), buf, len, error);
  }
}

gboolean
vmdk_map_read (VmdkMap *self, guint64 offset, void *buf, gsize len,
               GError **error)
{
  guint8 *out = buf;

  while (len > 0) {
    g_autoptr (Segment) segment
      = get_segment (self, offset / self->segment_bytes, error);
    guint i;

    if (segment == NULL)
      return FALSE;
    i = find_run (segment,
                  (guint32)(offset % self->segment_bytes / VMDK_SECTOR));
    for (; i < segment->n_runs && len > 0; i++) {
      gsize n = (gsize)MIN (run_end (self, segment, i) - offset, len);

      if (!read_run (self, segment, &segment->runs[i], offset, out, n, error))
        return FALSE;
      out += n;
      offset += n;
      len -= n;
    }
  }
  return TRUE;
}

static VmdkState
run_state (const Run *run)
{
  switch (run->kind) {
  case KIND_ZERO:
    return VMDK_ZERO;
  case KIND_NONE:
    return VMDK_UNALLOCATED;
  default:
    return VMDK_DATA;
  }
}

gboolean
vmdk_map_find (VmdkMap *self, guint64 offset, guint64 len, VmdkState *ret_state,
               guint64 *ret_len, GError **error)
{
  guint64 at = offset;
  guint64 end = offset + len;
  VmdkState state = VMDK_UNALLOCATED;

  for (guint n = 0; n < FIND_SEGMENTS && at < end; n++) {
    g_autoptr (Segment) segment = get_segment (self, at / self->segment_bytes,
                                               at == offset ? error : NULL);
    guint i;

    /* What is wrong further on is reported when it is asked for. */
    if (segment == NULL && at == offset)
      return FALSE;
    if (segment == NULL)
      break;
    i = find_run (segment, (guint32)(at % self->segment_bytes / VMDK_SECTOR));
    if (at == offset)
      state = run_state (&segment->runs[i]);
    while (i < segment->n_runs && run_state (&segment->runs[i]) == state)
      at = run_end (self, segment, i++);
    if (i < segment->n_runs)
      break;
  }
  *ret_state = state;
  *ret_len = MIN (at, end) - offset;
  return TRUE;
}
