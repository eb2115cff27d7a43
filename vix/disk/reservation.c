/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "disk/reservation.h"

typedef struct {
  guint64 start;
  guint64 end;
} Range;

struct VmdkReservation {
  VmdkSource *source;
  GArray *holes; /* Range, in the order they were reserved */
};

VmdkReservation *
vmdk_reservation_new (VmdkSource *source)
{
  VmdkReservation *self = g_new0 (VmdkReservation, 1);

  self->source = source;
  self->holes = g_array_new (FALSE, FALSE, sizeof (Range));
  return self;
}

void
vmdk_reservation_free (VmdkReservation *self)
{
  if (self == NULL)
    return;
  g_array_unref (self->holes);
  g_free (self);
}

/* Remembers it first: a reservation that fails may be made in part. */
static gboolean
reserve_hole (VmdkReservation *self, guint64 start, guint64 end, GError **error)
{
  Range *last = NULL;
  Range fresh = { start, end };

  if (self->holes->len > 0)
    last = &g_array_index (self->holes, Range, self->holes->len - 1);
  if (last != NULL && last->end == start)
    last->end = end;
  else
    g_array_append_val (self->holes, fresh);
  return self->source->ops->reserve (self->source, start, end - start, error);
}

gboolean
vmdk_reservation_add (VmdkReservation *self, guint64 offset, guint64 len,
                      GError **error)
{
  VmdkSource *source = self->source;
  guint64 end = offset + len;

  /* Without a way to find holes everything is data, which is there. */
  while (offset < end && source->ops->seek != NULL) {
    guint64 hole;
    guint64 data;

    if (!source->ops->seek (source, offset, TRUE, &hole, error))
      return FALSE;
    if (hole >= end)
      break;
    if (!source->ops->seek (source, hole, FALSE, &data, error))
      return FALSE;
    data = MIN (data, end);
    /* A file that changes meanwhile must not keep us here. */
    if (data <= hole)
      break;
    if (!reserve_hole (self, hole, data, error))
      return FALSE;
    offset = data;
  }
  return TRUE;
}

gboolean
vmdk_reservation_undo (VmdkReservation *self, GError **error)
{
  gboolean ok = TRUE;

  for (guint i = 0; i < self->holes->len; i++) {
    const Range *r = &g_array_index (self->holes, Range, i);

    ok &= self->source->ops->punch (self->source, r->start, r->end - r->start,
                                    ok ? error : NULL);
  }
  g_array_set_size (self->holes, 0);
  return ok;
}
