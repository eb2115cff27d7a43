/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Merging two neighbours of a chain.
 *
 * One walk over the disk divides it into steps: ranges that are skipped,
 * copied, zeroed, or, where the grains of the two do not fit together,
 * composed grain by grain. Costs, reservation and the merge itself are that
 * walk with different things done at each step. What a step writes changes
 * the target at and before its end only, so that the walk sees the same steps
 * while it writes.
 *
 * Why the content seen through the child stays: into the child, only grains
 * that it does not hold are written, with what reading it gave before; into
 * the parent, only what the child hides, or what reading the parent gave.
 */
#include <string.h>

#include "base/error.h"
#include "disk/chain.h"
#include "disk/link-private.h"
#include "disk/write.h"

/* Copied by one read and one write, at least one grain. */
#define COPY_BYTES (G_GUINT64_CONSTANT (4) << 20)

typedef enum { STEP_SKIP, STEP_COPY, STEP_ZERO, STEP_COMPOSE } Action;

typedef struct {
  Action action;
  VmdkExtent *extent; /* of the target */
  guint64 offset;     /* on the disk, as all below */
  guint64 len;
} Step;

typedef struct {
  VmdkLink *parent;
  VmdkLink *from;
  VmdkLink *into;
  gboolean into_parent;
  gboolean parent_is_base;
} Merge;

static Merge
merge_init (VmdkLink *parent, VmdkLink *child, gboolean into_parent)
{
  return (Merge){
    .parent = parent,
    .from = into_parent ? child : parent,
    .into = into_parent ? parent : child,
    .into_parent = into_parent,
    .parent_is_base = vmdk_link_get_parent_hint (parent) == NULL,
  };
}

void
vmdk_merge_set_below (VmdkLink *parent, VmdkChain *below)
{
  parent->below = below;
}

/* --- the walk ---------------------------------------------------------- */

/* Of @len bytes at @pos, a grain's start, those that are whole grains; the
 * extent's last grain may be short. */
static guint64
whole_grains (const VmdkExtent *extent, guint64 pos, guint64 len)
{
  guint64 end = extent->start + extent->length;

  return pos + len >= end ? end - pos : len - len % extent->grain;
}

static void
set_compose (Step *step, guint64 pos)
{
  const VmdkExtent *extent = step->extent;
  guint64 within = pos - extent->start;

  step->action = STEP_COMPOSE;
  within -= within % extent->grain;
  step->offset = extent->start + within;
  step->len = MIN (extent->grain, extent->length - within);
}

static void
set_step (Step *step, Action action, guint64 len)
{
  step->action = action;
  step->len = len;
}

/* Whole grains if there are any at @step->offset, else the one grain there. */
static void
set_whole_or_compose (Step *step, Action action, guint64 len)
{
  guint64 pos = step->offset;
  gboolean aligned = (pos - step->extent->start) % step->extent->grain == 0;
  guint64 n = aligned ? whole_grains (step->extent, pos, len) : 0;

  if (n > 0)
    set_step (step, action, n);
  else
    set_compose (step, pos);
}

static Action
action_for (VmdkState state)
{
  return state == VMDK_DATA ? STEP_COPY : STEP_ZERO;
}

static void
plan_into_child (const Merge *m, Step *step, VmdkState from, guint64 n_from,
                 VmdkState into, guint64 n_into)
{
  guint64 n = MIN (n_from, n_into);

  if (into != VMDK_UNALLOCATED)
    set_step (step, STEP_SKIP, n_into);
  else if (from == VMDK_UNALLOCATED || (from == VMDK_ZERO && m->parent_is_base))
    set_whole_or_compose (step, STEP_SKIP, n);
  else
    set_whole_or_compose (step, action_for (from), n);
}

static void
plan_into_parent (const Merge *m, Step *step, VmdkState from, guint64 n_from,
                  VmdkState into, guint64 n_into)
{
  guint64 n = MIN (n_from, n_into);

  if (from == VMDK_UNALLOCATED)
    set_step (step, STEP_SKIP, n_from);
  else if (into == VMDK_DATA)
    set_step (step, action_for (from), n);
  else if (from == VMDK_ZERO && (into == VMDK_ZERO || m->parent_is_base))
    set_step (step, STEP_SKIP, n);
  else
    set_whole_or_compose (step, action_for (from), n);
}

/* What the source holds of the range. */
static gboolean
inspect (const Merge *m, guint64 offset, guint64 len, gboolean *ret_data,
         gboolean *ret_zero, gboolean *ret_hole, GError **error)
{
  gboolean found[VMDK_DATA + 1] = { FALSE };

  while (len > 0) {
    VmdkState state;
    guint64 n;

    if (!vmdk_link_map (m->from, offset, len, &state, &n, error))
      return FALSE;
    found[state] = TRUE;
    offset += n;
    len -= n;
  }
  *ret_data = found[VMDK_DATA];
  *ret_zero = found[VMDK_ZERO];
  *ret_hole = found[VMDK_UNALLOCATED];
  return TRUE;
}

/* Is there anything to compose, and can it be? */
static gboolean
check_compose (const Merge *m, Step *step, GError **error)
{
  gboolean data;
  gboolean zero;
  gboolean hole;

  if (!inspect (m, step->offset, step->len, &data, &zero, &hole, error))
    return FALSE;
  if (!data && (!zero || m->parent_is_base)) {
    step->action = STEP_SKIP;
    return TRUE;
  }
  if (!hole || m->parent_is_base || m->parent->below != NULL)
    return TRUE;
  g_set_error (error, VIX_ERROR, VIX_E_DISK_NOTSUPPORTED,
               "%s: its grains do not fit those of %s; merging them needs the "
               "whole chain",
               m->from->id, m->into->id);
  return FALSE;
}

/* The step at @pos; the next one is at *ret_next. */
static gboolean
next_step (const Merge *m, guint64 pos, Step *step, guint64 *ret_next,
           GError **error)
{
  VmdkExtent *extent = vmdk_link_get_extent_at (m->into, pos);
  guint64 left = extent->start + extent->length - pos;
  VmdkState from;
  VmdkState into;
  guint64 n_from;
  guint64 n_into;

  if (!vmdk_link_map (m->from, pos, left, &from, &n_from, error)
      || !extent->ops->map (extent, pos - extent->start, left, &into, &n_into,
                            error))
    return FALSE;
  step->extent = extent;
  step->offset = pos;
  if (m->into_parent)
    plan_into_parent (m, step, from, n_from, into, n_into);
  else
    plan_into_child (m, step, from, n_from, into, n_into);
  *ret_next = step->offset + step->len;
  return step->action != STEP_COMPOSE || check_compose (m, step, error);
}

typedef gboolean (*StepFunc) (const Merge *m, const Step *step, gpointer data,
                              GError **error);

static gboolean
walk (const Merge *m, StepFunc func, gpointer data, GError **error)
{
  guint64 pos = 0;

  while (pos < m->into->capacity) {
    Step step;

    if (!next_step (m, pos, &step, &pos, error))
      return FALSE;
    if (step.action != STEP_SKIP && !func (m, &step, data, error))
      return FALSE;
  }
  return TRUE;
}

/* --- cost and reservation ---------------------------------------------- */

typedef struct {
  guint64 total;
  VmdkExtent *extent; /* the one under way */
  guint64 growth;     /* of it */
  gboolean too_big;
} Cost;

static gboolean
add_cost (const Merge *m, const Step *step, gpointer data, GError **error)
{
  Cost *cost = data;
  guint64 end = step->offset + step->len;
  guint64 bytes = step->len;

  /* The extent's last grain may be short, but not in the file. */
  if (end == step->extent->start + step->extent->length)
    bytes += (step->extent->grain - bytes % step->extent->grain)
             % step->extent->grain;
  if (step->extent != cost->extent) {
    cost->extent = step->extent;
    cost->growth = 0;
  }
  if (step->action == STEP_ZERO && step->extent->compact_zeros)
    bytes = 0;
  cost->total += bytes;
  cost->growth += bytes;
  cost->too_big |= cost->growth > step->extent->room;
  return TRUE;
}

/* As add_cost(), counting zeros too: what the progress is measured against. */
static gboolean
add_work (const Merge *m, const Step *step, gpointer data, GError **error)
{
  *(guint64 *)data += step->len;
  return TRUE;
}

static gboolean
reserve_step (const Merge *m, const Step *step, gpointer data, GError **error)
{
  VmdkExtent *extent = step->extent;

  *(guint64 *)data += step->len;
  return extent->ops->reserve (extent, step->offset - extent->start, step->len,
                               step->action == STEP_ZERO, error);
}

static gboolean
check_capacities (const VmdkLink *parent, const VmdkLink *child, GError **error)
{
  if (parent->capacity == child->capacity)
    return TRUE;
  g_set_error (error, VIX_ERROR, VIX_E_DISK_CAPACITY_MISMATCH,
               "%s: is not as large as its parent %s", child->id, parent->id);
  return FALSE;
}

static gboolean
cost_of (VmdkLink *parent, VmdkLink *child, gboolean into_parent, guint64 *ret,
         GError **error)
{
  Merge m = merge_init (parent, child, into_parent);
  g_autoptr (GError) local = NULL;
  Cost cost = { 0 };

  *ret = G_MAXUINT64;
  if (!vmdk_link_can_write (m.into))
    return TRUE;
  if (!walk (&m, add_cost, &cost, &local)) {
    if (g_error_matches (local, VIX_ERROR, VIX_E_DISK_NOTSUPPORTED))
      return TRUE;
    g_propagate_error (error, g_steal_pointer (&local));
    return FALSE;
  }
  if (!cost.too_big)
    *ret = cost.total;
  return TRUE;
}

gboolean
vmdk_merge_cost (VmdkLink *parent, VmdkLink *child, guint64 *ret_into_child,
                 guint64 *ret_into_parent, GError **error)
{
  guint64 into_child;
  guint64 into_parent;

  if (!check_capacities (parent, child, error)
      || !cost_of (parent, child, FALSE, &into_child, error)
      || !cost_of (parent, child, TRUE, &into_parent, error))
    return FALSE;
  *ret_into_child = into_child;
  *ret_into_parent = into_parent;
  return TRUE;
}

typedef gboolean (*ExtentFunc) (VmdkExtent *self, GError **error);

/* Calls a function of each extent's table; all of them even if one fails. */
static gboolean
for_extents (VmdkLink *link, gsize func_offset, GError **error)
{
  gboolean ok = TRUE;

  for (guint i = 0; i < link->extents->len; i++) {
    VmdkExtent *extent = link->extents->pdata[i];
    ExtentFunc func
      = *(const ExtentFunc *)((const guint8 *)extent->ops + func_offset);

    ok &= func (extent, ok ? error : NULL);
  }
  return ok;
}

#define FOR_EXTENTS(link, name, error)                                         \
  for_extents (link, G_STRUCT_OFFSET (VmdkExtentOps, name), error)

static gboolean
check_target (const Merge *m, GError **error)
{
  if (m->into->writable)
    return FOR_EXTENTS (m->into, check, error);
  g_set_error (error, VIX_ERROR, VIX_E_FILE_READ_ONLY,
               "%s: not opened for writing", m->into->id);
  return FALSE;
}

/* Makes room for the whole merge, or for nothing. */
static gboolean
reserve (const Merge *m, guint64 *ret_work, GError **error)
{
  *ret_work = 0;
  if (walk (m, reserve_step, ret_work, error)
      && FOR_EXTENTS (m->into, reserve_end, error))
    return TRUE;
  FOR_EXTENTS (m->into, release, NULL);
  return FALSE;
}

/* --- carrying out ------------------------------------------------------ */

typedef struct {
  const VmdkMergeControl *control; /* may be NULL */
  guint8 *buf;
  gsize buf_bytes;
  guint64 done;
  guint64 work;
  int percent;
} Run;

static gboolean
advance (Run *run, guint64 n, GError **error)
{
  const VmdkMergeControl *control = run->control;
  int percent;

  run->done += n;
  if (control == NULL)
    return TRUE;
  percent = (int)(run->done / MAX (run->work / 100, 1));
  percent = MIN (percent, 99); /* 100 is said when all is on the disk */
  if (control->progress != NULL && percent != run->percent)
    control->progress (control->data, percent);
  run->percent = percent;
  return vix_check_cancelled (control->cancellable, error);
}

static gboolean
copy_step (const Merge *m, const Step *step, Run *run, GError **error)
{
  VmdkExtent *extent = step->extent;
  gsize chunk = run->buf_bytes - run->buf_bytes % extent->grain;
  guint64 offset = step->offset;
  guint64 left = step->len;

  while (left > 0) {
    gsize n = (gsize)MIN (left, chunk);

    if (!vmdk_link_read (m->from, offset, run->buf, n, error)
        || !extent->ops->write (extent, offset - extent->start, run->buf, n,
                                error)
        || !advance (run, n, error))
      return FALSE;
    offset += n;
    left -= n;
  }
  return TRUE;
}

/* What @below shows of the range, which may end before it does. */
static gboolean
read_below (VmdkChain *below, guint64 offset, guint8 *out, guint64 n,
            GError **error)
{
  guint64 capacity = vmdk_chain_get_capacity (below);
  guint64 held = MIN (n, capacity - MIN (offset, capacity));

  memset (out + held, 0, (gsize)(n - held));
  return held == 0 || vmdk_chain_read (below, offset, out, (gsize)held, error);
}

/* What reading the target's range gives where the source has nothing: it is
 * all in one grain that is not VMDK_DATA. */
static gboolean
read_around (const Merge *m, const Step *step, guint64 offset, guint8 *out,
             guint64 n, GError **error)
{
  VmdkExtent *extent = step->extent;
  VmdkState state;
  guint64 run;

  if (!extent->ops->map (extent, offset - extent->start, n, &state, &run,
                         error))
    return FALSE;
  if (state != VMDK_ZERO && !m->parent_is_base && m->parent->below != NULL)
    return read_below (m->parent->below, offset, out, n, error);
  memset (out, 0, (gsize)n);
  return TRUE;
}

static gboolean
compose_step (const Merge *m, const Step *step, Run *run, GError **error)
{
  VmdkExtent *extent = step->extent;
  guint64 done = 0;

  while (done < step->len) {
    guint64 offset = step->offset + done;
    VmdkState state;
    gboolean ok;
    guint64 n;

    if (!vmdk_link_map (m->from, offset, step->len - done, &state, &n, error))
      return FALSE;
    if (state == VMDK_UNALLOCATED)
      ok = read_around (m, step, offset, run->buf + done, n, error);
    else
      ok = vmdk_link_read (m->from, offset, run->buf + done, (gsize)n, error);
    if (!ok)
      return FALSE;
    done += n;
  }
  return extent->ops->write (extent, step->offset - extent->start, run->buf,
                             (gsize)step->len, error)
         && advance (run, step->len, error);
}

static gboolean
run_step (const Merge *m, const Step *step, gpointer data, GError **error)
{
  VmdkExtent *extent = step->extent;
  Run *run = data;

  if (step->action == STEP_COPY)
    return copy_step (m, step, run, error);
  if (step->action == STEP_COMPOSE)
    return compose_step (m, step, run, error);
  return extent->ops->zero (extent, step->offset - extent->start, step->len,
                            error)
         && advance (run, step->len, error);
}

static gsize
buffer_size (const Merge *m)
{
  guint64 n = MIN (COPY_BYTES, m->into->capacity);

  for (guint i = 0; i < m->into->extents->len; i++)
    n = MAX (n, ((const VmdkExtent *)m->into->extents->pdata[i])->grain);
  return (gsize)n;
}

static gboolean
carry_out (const Merge *m, const VmdkMergeControl *control, guint64 work,
           GError **error)
{
  gsize buf_bytes = buffer_size (m);
  g_autofree guint8 *buf = g_malloc (buf_bytes);
  Run run = { .control = control,
              .buf = buf,
              .buf_bytes = buf_bytes,
              .work = work,
              .percent = -1 };
  gboolean ok = advance (&run, 0, error) && walk (m, run_step, &run, error);

  /* After a failure too: what has been written becomes part of the disk. The
   * rest of the space is given back, or may be meant for the next child. */
  ok &= FOR_EXTENTS (m->into, flush, ok ? error : NULL);
  if (!m->into_parent)
    ok &= FOR_EXTENTS (m->into, release, ok ? error : NULL);
  if (ok && control != NULL && control->progress != NULL)
    control->progress (control->data, 100);
  return ok;
}

gboolean
vmdk_merge_into_child (VmdkLink *parent, VmdkLink *child,
                       const VmdkMergeControl *control, GError **error)
{
  Merge m = merge_init (parent, child, FALSE);
  guint64 work;

  return check_capacities (parent, child, error) && check_target (&m, error)
         && reserve (&m, &work, error) && carry_out (&m, control, work, error);
}

gboolean
vmdk_merge_reserve_parent (VmdkLink *parent, VmdkLink *child, GError **error)
{
  Merge m = merge_init (parent, child, TRUE);
  guint64 work;

  return check_capacities (parent, child, error) && check_target (&m, error)
         && reserve (&m, &work, error);
}

gboolean
vmdk_merge_release_parent (VmdkLink *parent, GError **error)
{
  return !parent->writable || FOR_EXTENTS (parent, release, error);
}

gboolean
vmdk_merge_into_parent (VmdkLink *parent, VmdkLink *child,
                        const VmdkMergeControl *control, GError **error)
{
  Merge m = merge_init (parent, child, TRUE);
  guint64 work = 0;

  return check_capacities (parent, child, error) && check_target (&m, error)
         && walk (&m, add_work, &work, error)
         && carry_out (&m, control, work, error);
}
