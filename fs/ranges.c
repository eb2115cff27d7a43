/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ranges.h"

typedef struct {
  gint64 start;
  gint64 end;
} Range;

struct FsRanges {
  GArray *ranges; /* (Range) */
  guint max;
  gint64 gap; /* what lies this close together is one */
};

FsRanges *
fs_ranges_new (guint max)
{
  FsRanges *self = g_new0 (FsRanges, 1);

  self->ranges = g_array_new (FALSE, FALSE, sizeof (Range));
  self->max = max;
  return self;
}

void
fs_ranges_free (FsRanges *self)
{
  if (self == NULL)
    return;
  g_array_unref (self->ranges);
  g_free (self);
}

static gint64
least_gap (const FsRanges *self)
{
  gint64 least = G_MAXINT64;
  guint i;

  for (i = 1; i < self->ranges->len; i++) {
    const Range *range = &g_array_index (self->ranges, Range, i);

    least = MIN (least, range->start - (range - 1)->end);
  }
  return least;
}

/* Twice the least gap at least, so that it is not done often. */
static void
thin (FsRanges *self)
{
  Range *ranges = (Range *)(gpointer)self->ranges->data;
  guint kept = 0;
  guint i;

  self->gap = 2 * MAX (self->gap, least_gap (self));
  for (i = 1; i < self->ranges->len; i++) {
    if (ranges[i].start - ranges[kept].end <= self->gap)
      ranges[kept].end = ranges[i].end;
    else
      ranges[++kept] = ranges[i];
  }
  g_array_set_size (self->ranges, kept + 1);
}

void
fs_ranges_add (FsRanges *self, gint64 start, gint64 length)
{
  Range range = { start, start + length };
  Range *last = NULL;

  if (self->ranges->len > 0)
    last = &g_array_index (self->ranges, Range, self->ranges->len - 1);
  if (last != NULL && start - last->end <= self->gap) {
    last->end = range.end;
    return;
  }
  g_array_append_val (self->ranges, range);
  while (self->ranges->len > self->max)
    thin (self);
}

gint64
fs_ranges_sum (const FsRanges *self)
{
  gint64 sum = 0;
  guint i;

  for (i = 0; i < self->ranges->len; i++) {
    const Range *range = &g_array_index (self->ranges, Range, i);

    sum += range->end - range->start;
  }
  return sum;
}

GBytes *
fs_ranges_print (const FsRanges *self)
{
  GString *text = g_string_new (NULL);
  guint i;

  for (i = 0; i < self->ranges->len; i++) {
    const Range *range = &g_array_index (self->ranges, Range, i);

    g_string_append_printf (text, "%" G_GINT64_FORMAT " %" G_GINT64_FORMAT "\n",
                            range->start, range->end - range->start);
  }
  return g_string_free_to_bytes (text);
}
