/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Records are one block each: a count, the struct, its arrays, its strings.
 * Ten thousand VMs of four snapshots are then ten thousand allocations.
 *
 * Events. Changes and the queue of their events are guarded by one lock, so
 * events are queued in the order of the changes. Whoever queues one while
 * nobody delivers becomes the deliverer and empties the queue, others'
 * events included; the others wait until the count of delivered events
 * passes their own. The deliverer itself may come back here from inside the
 * watcher: it must not wait for itself, so its events are left to its outer
 * loop.
 */
#include "core/inventory.h"

#include <stdlib.h>
#include <string.h>

#include "base/lock.h"

/* ---- records ---- */

typedef struct {
  gatomicrefcount refs;
  VixExtVM vm;
} VmRecord;

/* Where the next string goes. With @at NULL it only adds up sizes. */
typedef struct {
  char *at;
  gsize size;
} Packer;

static VmRecord *
record_of (const VixExtVM *vm)
{
  return (VmRecord *)((char *)(guintptr)vm - G_STRUCT_OFFSET (VmRecord, vm));
}

static const char *
pack_string (Packer *p, const char *s)
{
  gsize n;
  char *to = p->at;

  if (s == NULL || *s == '\0')
    return "";
  n = strlen (s) + 1;
  p->size += n;
  if (to != NULL) {
    memcpy (to, s, n);
    p->at += n;
  }
  return to;
}

/* The names of many facts are the same text: store it once. */
static const char *
pack_same (Packer *p, const char *s, const char *other, const char *packed)
{
  if (s != NULL && other != NULL && strcmp (s, other) == 0)
    return packed;
  return pack_string (p, s);
}

/* Walks all strings of @from in one order, whether measuring or copying. */
static void
pack_strings (Packer *p, const VixExtVM *from, VixExtVM *to, const char **path,
              VixExtDisk *disks, VixExtSnapshot *snapshots)
{
  to->id = pack_string (p, from->id);
  to->vmxPath = pack_same (p, from->vmxPath, from->id, to->id);
  to->displayName = pack_string (p, from->displayName);
  for (gsize i = 0; from->path[i] != NULL; i++)
    path[i] = pack_same (p, from->path[i], from->displayName, to->displayName);
  to->uuid = pack_string (p, from->uuid);
  to->guestOS = pack_string (p, from->guestOS);
  to->teamPath = pack_string (p, from->teamPath);
  to->problem = pack_string (p, from->problem);
  for (gsize i = 0; i < from->numDisks; i++) {
    disks[i].node = pack_string (p, from->disks[i].node);
    disks[i].fileName = pack_string (p, from->disks[i].fileName);
    disks[i].mode = pack_string (p, from->disks[i].mode);
  }
  for (gsize i = 0; i < from->numSnapshots; i++) {
    snapshots[i] = from->snapshots[i];
    snapshots[i].name = pack_string (p, from->snapshots[i].name);
    snapshots[i].description = pack_string (p, from->snapshots[i].description);
  }
}

static int
compare_snapshots (const void *a, const void *b)
{
  gint64 x = ((const VixExtSnapshot *)a)->id;
  gint64 y = ((const VixExtSnapshot *)b)->id;

  return (x > y) - (x < y);
}

/* Measured into scratch arrays first, since they need not exist yet. */
static gsize
measure_strings (const VixExtVM *from, gsize n_path)
{
  g_autofree const char **path = g_new (const char *, n_path);
  g_autofree VixExtDisk *disks = g_new (VixExtDisk, from->numDisks);
  g_autofree VixExtSnapshot *snapshots
    = g_new (VixExtSnapshot, from->numSnapshots);
  VixExtVM scratch;
  Packer p = { NULL, 0 };

  pack_strings (&p, from, &scratch, path, disks, snapshots);
  return p.size;
}

const VixExtVM *
vix_vm_record_new (const VixExtVM *from)
{
  gsize n_path = g_strv_length ((char **)(guintptr)from->path);
  gsize fixed = sizeof (VmRecord) + (n_path + 1) * sizeof (char *)
                + from->numDisks * sizeof (VixExtDisk)
                + from->numSnapshots * sizeof (VixExtSnapshot);
  VmRecord *self = g_malloc (fixed + measure_strings (from, n_path));
  VixExtSnapshot *snapshots = (VixExtSnapshot *)(self + 1);
  VixExtDisk *disks = (VixExtDisk *)(snapshots + from->numSnapshots);
  const char **path = (const char **)(disks + from->numDisks);
  Packer p = { (char *)self + fixed, 0 };

  g_assert (n_path > 0);
  g_atomic_ref_count_init (&self->refs);
  self->vm = *from;
  pack_strings (&p, from, &self->vm, path, disks, snapshots);
  path[n_path] = NULL;
  if (from->numSnapshots > 1)
    qsort (snapshots, from->numSnapshots, sizeof *snapshots, compare_snapshots);
  self->vm.path = path;
  self->vm.disks = disks;
  self->vm.snapshots = snapshots;
  return &self->vm;
}

const VixExtVM *
vix_vm_record_ref (const VixExtVM *vm)
{
  g_atomic_ref_count_inc (&record_of (vm)->refs);
  return vm;
}

void
vix_vm_record_unref (const VixExtVM *vm)
{
  if (vm != NULL && g_atomic_ref_count_dec (&record_of (vm)->refs))
    g_free (record_of (vm));
}

static gboolean
disks_equal (const VixExtVM *a, const VixExtVM *b)
{
  if (a->numDisks != b->numDisks)
    return FALSE;
  for (gsize i = 0; i < a->numDisks; i++)
    if (strcmp (a->disks[i].node, b->disks[i].node) != 0
        || strcmp (a->disks[i].fileName, b->disks[i].fileName) != 0
        || strcmp (a->disks[i].mode, b->disks[i].mode) != 0)
      return FALSE;
  return TRUE;
}

static gboolean
snapshots_equal (const VixExtVM *a, const VixExtVM *b)
{
  if (a->numSnapshots != b->numSnapshots)
    return FALSE;
  for (gsize i = 0; i < a->numSnapshots; i++) {
    const VixExtSnapshot *s = &a->snapshots[i], *t = &b->snapshots[i];

    if (s->id != t->id || s->parent != t->parent || s->created != t->created
        || s->powerState != t->powerState || s->flags != t->flags
        || s->numDisks != t->numDisks || strcmp (s->name, t->name) != 0
        || strcmp (s->description, t->description) != 0)
      return FALSE;
  }
  return TRUE;
}

gboolean
vix_vm_record_equal (const VixExtVM *a, const VixExtVM *b)
{
  return a->flags == b->flags && a->powerState == b->powerState
         && a->toolsState == b->toolsState && a->numVcpus == b->numVcpus
         && a->memoryMiB == b->memoryMiB
         && a->hardwareVersion == b->hardwareVersion && a->changed == b->changed
         && a->currentSnapshot == b->currentSnapshot
         && strcmp (a->id, b->id) == 0 && g_strv_equal (a->path, b->path)
         && strcmp (a->displayName, b->displayName) == 0
         && strcmp (a->vmxPath, b->vmxPath) == 0
         && strcmp (a->uuid, b->uuid) == 0
         && strcmp (a->guestOS, b->guestOS) == 0
         && strcmp (a->teamPath, b->teamPath) == 0
         && strcmp (a->problem, b->problem) == 0 && disks_equal (a, b)
         && snapshots_equal (a, b);
}

const VixExtSnapshot *
vix_vm_record_find_snapshot (const VixExtVM *vm, gint64 id)
{
  VixExtSnapshot key = { .id = id };

  if (vm->numSnapshots == 0)
    return NULL;
  return bsearch (&key, vm->snapshots, vm->numSnapshots, sizeof key,
                  compare_snapshots);
}

/* ---- the inventory ---- */

typedef struct {
  int event;
  const VixExtVM *vm; /* owned, may be NULL */
} QueuedEvent;

struct VixInventory {
  VixLock lock;        /* VIX_LOCK_INVENTORY; guards all below */
  GCond delivered;     /* n_delivered grew, or the deliverer left */
  GHashTable *records; /* VixExtVM.id (in the record) → VixExtVM */
  gint64 n_snapshots;
  VixInventoryFunc func; /* NULL: nothing is queued */
  gpointer func_data;
  GQueue events; /* QueuedEvent */
  guint64 n_queued, n_delivered;
  GThread *deliverer; /* the thread inside func, or between two calls */
};

VixInventory *
vix_inventory_new (void)
{
  VixInventory *self = g_new0 (VixInventory, 1);

  vix_lock_init (&self->lock, VIX_LOCK_INVENTORY);
  g_cond_init (&self->delivered);
  g_queue_init (&self->events);
  self->records = g_hash_table_new_full (g_str_hash, g_str_equal, NULL,
                                         (GDestroyNotify)vix_vm_record_unref);
  return self;
}

static void
queued_event_free (gpointer data)
{
  QueuedEvent *e = data;

  vix_vm_record_unref (e->vm);
  g_free (e);
}

void
vix_inventory_free (VixInventory *self)
{
  if (self == NULL)
    return;
  g_queue_clear_full (&self->events, queued_event_free);
  g_hash_table_unref (self->records);
  g_cond_clear (&self->delivered);
  vix_lock_clear (&self->lock);
  g_free (self);
}

/* With the lock held. */
static void
queue_event (VixInventory *self, int event, const VixExtVM *vm)
{
  QueuedEvent *e;

  if (self->func == NULL)
    return;
  e = g_new (QueuedEvent, 1);
  e->event = event;
  e->vm = vm != NULL ? vix_vm_record_ref (vm) : NULL;
  g_queue_push_tail (&self->events, e);
  self->n_queued++;
}

/* With the lock held, which it gives up around each call. */
static void
deliver_all (VixInventory *self)
{
  QueuedEvent *e;

  self->deliverer = g_thread_self ();
  while ((e = g_queue_pop_head (&self->events)) != NULL) {
    VixInventoryFunc func = self->func;
    gpointer data = self->func_data;

    vix_unlock (&self->lock);
    if (func != NULL)
      func (e->event, e->vm, data);
    queued_event_free (e);
    vix_lock (&self->lock);
    self->n_delivered++;
    g_cond_broadcast (&self->delivered);
  }
  self->deliverer = NULL;
  g_cond_broadcast (&self->delivered);
}

/* With the lock held; until everything queued so far was delivered. */
static void
flush_events (VixInventory *self)
{
  guint64 mine = self->n_queued;

  if (self->deliverer == g_thread_self ())
    return;
  while (self->n_delivered < mine) {
    if (self->deliverer == NULL)
      deliver_all (self);
    else
      vix_lock_wait (&self->lock, &self->delivered);
  }
}

void
vix_inventory_set_watcher (VixInventory *self, VixInventoryFunc func,
                           gpointer data)
{
  GHashTableIter iter;
  gpointer vm;

  vix_lock (&self->lock);
  self->func = func;
  self->func_data = data;
  g_hash_table_iter_init (&iter, self->records);
  while (g_hash_table_iter_next (&iter, NULL, &vm))
    queue_event (self, VIXEXT_EVENT_VM_ADDED, vm);
  vix_unlock (&self->lock);
}

void
vix_inventory_stop (VixInventory *self)
{
  VIX_MAY_BLOCK ();
  vix_lock (&self->lock);
  self->func = NULL;
  self->n_delivered += g_queue_get_length (&self->events);
  g_queue_clear_full (&self->events, queued_event_free);
  g_cond_broadcast (&self->delivered);
  while (self->deliverer != NULL && self->deliverer != g_thread_self ())
    vix_lock_wait (&self->lock, &self->delivered);
  vix_unlock (&self->lock);
}

void
vix_inventory_put (VixInventory *self, const VixExtVM *vm)
{
  const VixExtVM *old;

  VIX_MAY_BLOCK ();
  vix_lock (&self->lock);
  old = g_hash_table_lookup (self->records, vm->id);
  if (old != NULL && vix_vm_record_equal (old, vm)) {
    /* Another thread put it, perhaps just now: it has to be told first. */
    flush_events (self);
    vix_unlock (&self->lock);
    vix_vm_record_unref (vm);
    return;
  }
  queue_event (
    self, old != NULL ? VIXEXT_EVENT_VM_CHANGED : VIXEXT_EVENT_VM_ADDED, vm);
  self->n_snapshots += vm->numSnapshots;
  if (old != NULL)
    self->n_snapshots -= old->numSnapshots;
  /* The key lies in the record, so that it has to change with it. */
  g_hash_table_replace (self->records, (gpointer)vm->id, (gpointer)vm);
  flush_events (self);
  vix_unlock (&self->lock);
}

void
vix_inventory_remove (VixInventory *self, const char *id)
{
  const VixExtVM *old;

  VIX_MAY_BLOCK ();
  vix_lock (&self->lock);
  old = g_hash_table_lookup (self->records, id);
  if (old != NULL) {
    queue_event (self, VIXEXT_EVENT_VM_REMOVED, old);
    self->n_snapshots -= old->numSnapshots;
    g_hash_table_remove (self->records, id);
    flush_events (self);
  }
  vix_unlock (&self->lock);
}

void
vix_inventory_files_changed (VixInventory *self, const char *id)
{
  const VixExtVM *vm;

  VIX_MAY_BLOCK ();
  vix_lock (&self->lock);
  vm = g_hash_table_lookup (self->records, id);
  if (vm != NULL) {
    queue_event (self, VIXEXT_EVENT_FILES_CHANGED, vm);
    flush_events (self);
  }
  vix_unlock (&self->lock);
}

void
vix_inventory_announce (VixInventory *self, int event)
{
  VIX_MAY_BLOCK ();
  vix_lock (&self->lock);
  queue_event (self, event, NULL);
  flush_events (self);
  vix_unlock (&self->lock);
}

const VixExtVM *
vix_inventory_lookup (VixInventory *self, const char *id)
{
  const VixExtVM *vm;

  vix_lock (&self->lock);
  vm = g_hash_table_lookup (self->records, id);
  if (vm != NULL)
    vix_vm_record_ref (vm);
  vix_unlock (&self->lock);
  return vm;
}

GPtrArray *
vix_inventory_list_ids (VixInventory *self)
{
  GPtrArray *ids = g_ptr_array_new_with_free_func (g_free);
  GHashTableIter iter;
  gpointer id;

  vix_lock (&self->lock);
  g_hash_table_iter_init (&iter, self->records);
  while (g_hash_table_iter_next (&iter, &id, NULL))
    g_ptr_array_add (ids, g_strdup (id));
  vix_unlock (&self->lock);
  return ids;
}

void
vix_inventory_count (VixInventory *self, gint64 *ret_vms, gint64 *ret_snapshots)
{
  vix_lock (&self->lock);
  *ret_vms = g_hash_table_size (self->records);
  *ret_snapshots = self->n_snapshots;
  vix_unlock (&self->lock);
}
