/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Looking at all tables of a hosted sparse extent: is it sound enough to be
 * written to, and, after a writer was killed, making it so.
 */
#include <string.h>

#include "base/error.h"
#include "disk/sparse-private.h"

/* Tables looked at by one read. */
#define WINDOW_BYTES (1u << 20)

typedef struct {
  guint64 start; /* sectors */
  guint64 n;
} Area;

/* What to do where the second tables differ from the first. */
typedef enum { DIFFERENCE_FAILS, DIFFERENCE_PASSES, DIFFERENCE_IS_MENDED } Mode;

typedef struct {
  VmdkSparse *sparse;
  Mode mode;
  guint8 *window; /* of first tables */
  guint8 *other;  /* of second tables */
  /* Grains seen. All writers place them at distances that are multiples of
   * the grain; each is then one bit, and the exceptions are listed. */
  guint8 *bits;
  guint64 n_bits;
  guint64 phase; /* sector of a grain modulo the grain */
  gboolean have_phase;
  GArray *odd;   /* guint32: sectors of grains out of phase */
  GArray *areas; /* Area: metadata */
  guint64 end;   /* sector behind the last thing referenced */
} Scan;

static gboolean
fail (const VmdkSparse *self, int code, const char *what, GError **error)
{
  g_set_error (error, VIX_ERROR, code, "%s: %s", self->grains.base.source->id,
               what);
  return FALSE;
}

static gboolean
fail_overlap (const VmdkSparse *self, GError **error)
{
  return fail (self, VIX_E_DISK_INVALIDDISK,
               "two things claim the same sectors; the disk is damaged", error);
}

/* --- metadata ---------------------------------------------------------- */

static void
add_area (Scan *scan, guint64 start, guint64 n)
{
  Area area = { start, n };

  if (n == 0)
    return;
  g_array_append_val (scan->areas, area);
  scan->end = MAX (scan->end, start + n);
}

static void
add_tables (Scan *scan, const guint32 *directory)
{
  const VmdkSparseHeader *h = &scan->sparse->header;

  for (guint64 i = 0; directory != NULL && i < h->n_tables; i++)
    if (directory[i] != VMDK_NO_TABLE)
      add_area (scan, directory[i], h->table_sectors);
}

static int
compare_areas (gconstpointer a, gconstpointer b)
{
  const Area *x = a;
  const Area *y = b;

  return x->start < y->start ? -1 : x->start > y->start;
}

static gboolean
scan_metadata (Scan *scan, GError **error)
{
  VmdkSparse *self = scan->sparse;
  const VmdkSparseHeader *h = &self->header;

  add_area (scan, 0, 1);
  if (h->descriptor_offset != 0)
    add_area (scan, h->descriptor_offset, h->descriptor_size);
  add_area (scan, h->gd, h->directory_sectors);
  if (self->redundant != NULL)
    add_area (scan, h->rgd, h->directory_sectors);
  add_tables (scan, self->grains.directory);
  add_tables (scan, self->redundant);
  g_array_sort (scan->areas, compare_areas);
  for (guint i = 1; i < scan->areas->len; i++) {
    const Area *a = &g_array_index (scan->areas, Area, i - 1);

    if (a->start + a->n > g_array_index (scan->areas, Area, i).start)
      return fail_overlap (self, error);
  }
  scan->end = MAX (scan->end, h->overhead);
  if (h->overhead > VMDK_SPARSE_MAX_FILE_BYTES / VMDK_SECTOR
      || h->overhead * VMDK_SECTOR > self->grains.base.source->size)
    return fail (self, VIX_E_DISK_INVALIDDISK,
                 "sparse extent header: grains would begin behind the end of "
                 "the file",
                 error);
  return TRUE;
}

/* --- grains ------------------------------------------------------------ */

static gboolean
has_bit (const Scan *scan, guint64 bit)
{
  return bit < scan->n_bits && (scan->bits[bit / 8] >> (bit % 8) & 1) != 0;
}

static gboolean
add_grain (Scan *scan, guint32 sector)
{
  guint64 size = scan->sparse->header.grain;
  guint64 bit = sector / size;

  if (!scan->have_phase) {
    scan->phase = sector % size;
    scan->have_phase = TRUE;
  }
  scan->end = MAX (scan->end, sector + size);
  if (sector % size != scan->phase) {
    g_array_append_val (scan->odd, sector);
    return TRUE;
  }
  if (has_bit (scan, bit))
    return FALSE;
  scan->bits[bit / 8] |= (guint8)(1u << (bit % 8));
  return TRUE;
}

/* Does any grain in phase touch [start, start + n)? */
static gboolean
touches_grain (const Scan *scan, guint64 start, guint64 n)
{
  guint64 size = scan->sparse->header.grain;
  guint64 bit = start >= scan->phase ? (start - scan->phase) / size : 0;

  for (; bit * size + scan->phase < start + n; bit++)
    if (has_bit (scan, bit) && (bit + 1) * size + scan->phase > start)
      return TRUE;
  return FALSE;
}

static int
compare_sectors (gconstpointer a, gconstpointer b)
{
  guint32 x = *(const guint32 *)a;
  guint32 y = *(const guint32 *)b;

  return x < y ? -1 : x > y;
}

/* Grains against each other and against metadata. */
static gboolean
check_overlaps (Scan *scan, GError **error)
{
  guint64 size = scan->sparse->header.grain;
  guint64 last_end = 0;
  guint k = 0;

  g_array_sort (scan->odd, compare_sectors);
  for (guint i = 0; i < scan->odd->len; i++) {
    guint32 sector = g_array_index (scan->odd, guint32, i);

    if (sector < last_end || touches_grain (scan, sector, size))
      return fail_overlap (scan->sparse, error);
    last_end = sector + size;
  }
  for (guint i = 0; i < scan->areas->len; i++) {
    const Area *area = &g_array_index (scan->areas, Area, i);

    /* Below overHead no entry is valid. */
    if (area->start + area->n <= scan->sparse->header.overhead)
      continue;
    while (k < scan->odd->len
           && g_array_index (scan->odd, guint32, k) + size <= area->start)
      k++;
    if (touches_grain (scan, area->start, area->n)
        || (k < scan->odd->len
            && g_array_index (scan->odd, guint32, k) < area->start + area->n))
      return fail_overlap (scan->sparse, error);
  }
  return TRUE;
}

/* --- tables ------------------------------------------------------------ */

/* Reads tables from @first on that follow each other in the file into @buf,
 * *ret_n of them. Holes are not read. */
static gboolean
read_window (const VmdkSparse *self, const guint32 *directory, guint64 first,
             guint64 max, guint8 *buf, guint64 *ret_n, GError **error)
{
  VmdkSource *source = self->grains.base.source;
  guint64 step = self->header.table_sectors;
  guint64 at = (guint64)directory[first] * VMDK_SECTOR;
  gboolean none = directory[first] == VMDK_NO_TABLE;
  guint64 data = at;
  guint64 n = 1;
  gsize bytes;

  while (n < max
         && directory[first + n] == (none ? 0 : directory[first] + n * step))
    n++;
  bytes = (gsize)(n * step * VMDK_SECTOR);
  *ret_n = n;
  if (!none && source->ops->seek != NULL
      && !source->ops->seek (source, at, FALSE, &data, error))
    return FALSE;
  if (none || data >= at + bytes) {
    memset (buf, 0, bytes);
    return TRUE;
  }
  return source->ops->pread (source, at, buf, bytes, error);
}

/* Compares the second copies of @n tables from @first on to the window. */
static gboolean
compare_window (Scan *scan, guint64 first, guint64 n, GError **error)
{
  VmdkSparse *self = scan->sparse;
  VmdkSource *source = self->grains.base.source;
  gsize stride = (gsize)self->header.table_sectors * VMDK_SECTOR;

  for (guint64 i = 0; i < n;) {
    guint64 step;
    const guint8 *want = scan->window + i * stride;

    if (!read_window (self, self->redundant, first + i, n - i, scan->other,
                      &step, error))
      return FALSE;
    if (memcmp (scan->other, want, step * stride) == 0) {
      i += step;
      continue;
    }
    if (scan->mode == DIFFERENCE_FAILS)
      return fail (self, VIX_E_DISK_NEEDSREPAIR,
                   "the two sets of grain tables differ; its last writer was "
                   "interrupted",
                   error);
    if (!source->ops->pwrite (source,
                              (guint64)self->redundant[first + i] * VMDK_SECTOR,
                              want, step * stride, error))
      return FALSE;
    i += step;
  }
  return TRUE;
}

static gboolean
scan_entries (Scan *scan, guint64 first, guint64 n, GError **error)
{
  VmdkSparse *self = scan->sparse;
  gsize stride = (gsize)self->header.table_sectors * VMDK_SECTOR;
  guint32 per_table = self->grains.per_table;

  for (guint64 t = 0; t < n; t++)
    for (guint32 i = 0; i < per_table; i++) {
      guint64 entry;
      guint32 raw;

      memcpy (&raw, scan->window + t * stride + i * sizeof raw, sizeof raw);
      if (raw == 0)
        continue;
      raw = GUINT32_FROM_LE (raw);
      entry = vmdk_sparse_decode_entry (self, (first + t) * per_table + i, raw);
      if (entry == VMDK_GRAIN_BAD)
        return fail (self, VIX_E_DISK_INVALIDDISK,
                     "a grain table points outside the file", error);
      if (entry != VMDK_GRAIN_ZERO && !add_grain (scan, raw))
        return fail_overlap (self, error);
    }
  return TRUE;
}

static gboolean
scan_tables (Scan *scan, GError **error)
{
  VmdkSparse *self = scan->sparse;
  guint64 max = WINDOW_BYTES / (self->header.table_sectors * VMDK_SECTOR);

  for (guint64 i = 0; i < self->header.n_tables;) {
    guint64 n;

    if (!read_window (self, self->grains.directory, i,
                      MIN (max, self->header.n_tables - i), scan->window, &n,
                      error))
      return FALSE;
    if (self->redundant != NULL && scan->mode != DIFFERENCE_PASSES
        && !compare_window (scan, i, n, error))
      return FALSE;
    if (!scan_entries (scan, i, n, error))
      return FALSE;
    i += n;
  }
  return TRUE;
}

/* --- the two operations ------------------------------------------------ */

/* *ret_end: sector behind the last thing referenced. */
static gboolean
scan_all (VmdkSparse *self, Mode mode, guint64 *ret_end, GError **error)
{
  guint64 sectors = self->grains.base.source->size / VMDK_SECTOR + 1;
  gsize bytes = (gsize)MIN (self->header.n_tables * self->header.table_sectors
                              * VMDK_SECTOR,
                            WINDOW_BYTES);
  g_autofree guint8 *window = g_malloc (bytes);
  g_autofree guint8 *other = g_malloc (bytes);
  g_autofree guint8 *bits = NULL;
  g_autoptr (GArray) odd = g_array_new (FALSE, FALSE, sizeof (guint32));
  g_autoptr (GArray) areas = g_array_new (FALSE, FALSE, sizeof (Area));
  Scan scan = { .sparse = self,
                .mode = mode,
                .window = window,
                .other = other,
                .odd = odd,
                .areas = areas };

  /* A valid entry is below 2^32 and inside the file: with the least grain of
   * 8 sectors that is 64 MiB of bits for a file of 2 TiB. */
  scan.n_bits = MIN (sectors, G_MAXUINT32) / self->header.grain + 1;
  bits = g_malloc0 ((gsize)(scan.n_bits / 8 + 1));
  scan.bits = bits;
  if (!scan_metadata (&scan, error) || !scan_tables (&scan, error)
      || !check_overlaps (&scan, error))
    return FALSE;
  *ret_end = scan.end;
  return TRUE;
}

gboolean
vmdk_sparse_check (VmdkExtent *extent, GError **error)
{
  VmdkSparse *self = (VmdkSparse *)extent;
  guint64 end;

  if (self->checked)
    return TRUE;
  if (self->header.unclean)
    return fail (self, VIX_E_DISK_NEEDSREPAIR,
                 "was not closed by its last writer", error);
  if (g_atomic_int_get (&self->damaged))
    return fail (self, VIX_E_DISK_NEEDSREPAIR,
                 "grain directories or tables are damaged", error);
  if (!scan_all (self, DIFFERENCE_FAILS, &end, error))
    return FALSE;
  if (extent->source->size > (end + self->header.grain) * VMDK_SECTOR)
    return fail (self, VIX_E_DISK_NEEDSREPAIR,
                 "is longer than its grain tables account for; its last "
                 "writer was interrupted, or another one is active",
                 error);
  self->checked = TRUE;
  return TRUE;
}

/* A directory that has an entry where the first has none was not left by a
 * killed writer, who writes the first one first. */
static gboolean
check_repairable (const VmdkSparse *self, GError **error)
{
  gboolean ok = !g_atomic_int_get (&self->damaged);

  for (guint64 i = 0;
       ok && self->redundant != NULL && i < self->header.n_tables; i++)
    ok = self->grains.directory[i] != VMDK_NO_TABLE
         || self->redundant[i] == VMDK_NO_TABLE;
  if (!ok)
    return fail (self, VIX_E_DISK_CANTREPAIR,
                 "grain directories or tables are damaged; take the disk "
                 "from a backup",
                 error);
  return TRUE;
}

gboolean
vmdk_sparse_repair (VmdkExtent *extent, GError **error)
{
  VmdkSparse *self = (VmdkSparse *)extent;
  VmdkSource *source = extent->source;
  guint64 end;

  /* Nothing is written before all is known to be sound but the copies. */
  if (!check_repairable (self, error)
      || !scan_all (self, DIFFERENCE_PASSES, &end, error)
      || !vmdk_sparse_fill_directories (self, error)
      || !scan_all (self, DIFFERENCE_IS_MENDED, &end, error))
    return FALSE;
  end = MIN (end * VMDK_SECTOR, source->size);
  if (!source->ops->truncate (source, end, error)
      || !source->ops->sync (source, error)
      || !vmdk_sparse_set_mark (self, FALSE, error))
    return FALSE;
  self->header.unclean = FALSE;
  self->next_sector = (end / VMDK_SECTOR + self->header.grain - 1)
                      / self->header.grain * self->header.grain;
  return source->ops->sync (source, error);
}
