/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/object.h"

#include "base/error.h"
#include "base/lock.h"

/* Small numbers are what variables that were never set hold. */
#define FIRST_HANDLE 1000

/*
 * The handle table: the one mutable global of the library. All counts are
 * guarded by its lock too, so that finding an object and taking a reference,
 * or dropping the last one and taking it off the table, are one step.
 */
static struct {
  VixLock lock;
  GHashTable *objects; /* handle → VixObject */
  GHashTable *keyed;   /* set of VixObject by parent, type, key */
  VixHandle next;
  guint n_alive; /* in memory, dead ones included */
} table = { .lock = { .level = VIX_LOCK_HANDLES }, .next = FIRST_HANDLE };

static guint
keyed_hash (gconstpointer data)
{
  const VixObject *self = data;

  return g_str_hash (self->key) ^ g_direct_hash (self->parent)
         ^ (guint)self->klass->type;
}

static gboolean
keyed_equal (gconstpointer a, gconstpointer b)
{
  const VixObject *x = a, *y = b;

  return x->parent == y->parent && x->klass->type == y->klass->type
         && g_str_equal (x->key, y->key);
}

/* With the lock held. */
static VixHandle
next_handle (void)
{
  VixHandle handle;

  if (table.objects == NULL) {
    table.objects = g_hash_table_new (NULL, NULL);
    table.keyed = g_hash_table_new (keyed_hash, keyed_equal);
  }
  do {
    handle = table.next;
    table.next = handle == G_MAXINT ? FIRST_HANDLE : handle + 1;
  } while (g_hash_table_contains (table.objects, GINT_TO_POINTER (handle)));
  return handle;
}

/* With the lock held; of a handle that leads nowhere NULL. */
static VixObject *
find (VixHandle handle)
{
  if (table.objects == NULL)
    return NULL;
  return g_hash_table_lookup (table.objects, GINT_TO_POINTER (handle));
}

static void
link_member (VixObject *root, VixObject *self)
{
  self->next = root->members;
  if (self->next != NULL)
    self->next->prev = self;
  root->members = self;
}

static void
unlink_member (VixObject *root, VixObject *self)
{
  if (self->prev != NULL)
    self->prev->next = self->next;
  else if (root->members == self)
    root->members = self->next;
  if (self->next != NULL)
    self->next->prev = self->prev;
  self->next = self->prev = NULL;
}

/* With the lock held. */
static void
take_off_table (VixObject *self)
{
  if (self->dead)
    return;
  self->dead = TRUE;
  g_hash_table_remove (table.objects, GINT_TO_POINTER (self->handle));
  if (self->key != NULL)
    g_hash_table_remove (table.keyed, self);
  if (self->root != self)
    unlink_member (self->root, self);
}

void
vix_object_init (VixObject *self, const VixObjectClass *klass, gpointer parent)
{
  VixObject *above = parent;

  self->klass = klass;
  self->refs = 1;
  vix_lock (&table.lock);
  table.n_alive++;
  self->handle = next_handle ();
  self->root = self;
  if (above != NULL) {
    above->refs++;
    self->parent = above;
    self->root = above->root;
    self->dead = above->root->dead;
  }
  if (!self->dead) {
    g_hash_table_insert (table.objects, GINT_TO_POINTER (self->handle), self);
    if (self->root != self)
      link_member (self->root, self);
  }
  vix_unlock (&table.lock);
}

gpointer
vix_object_publish (gpointer object, const char *key)
{
  VixObject *self = object, *other = NULL;

  self->key = g_strdup (key);
  vix_lock (&table.lock);
  if (!self->dead) {
    other = g_hash_table_lookup (table.keyed, self);
    if (other == NULL) {
      g_hash_table_add (table.keyed, self);
    } else {
      other->refs++;
      g_clear_pointer (&self->key, g_free);
    }
  }
  vix_unlock (&table.lock);
  if (other == NULL)
    return self;
  vix_object_unref (self);
  return other;
}

gpointer
vix_object_ref (gpointer object)
{
  VixObject *self = object;

  vix_lock (&table.lock);
  self->refs++;
  vix_unlock (&table.lock);
  return self;
}

/* With the lock held: does the caller have to free it? */
static gboolean
drop_refs (VixObject *self, guint n)
{
  g_assert (self->refs >= n);
  self->refs -= n;
  if (self->refs > 0)
    return FALSE;
  take_off_table (self);
  table.n_alive--;
  return TRUE;
}

static void
free_object (VixObject *self)
{
  VixObject *parent = self->parent;

  g_free (self->key);
  self->klass->free (self);
  vix_object_unref (parent);
}

void
vix_object_unref (gpointer object)
{
  VixObject *self = object;
  gboolean last;

  VIX_MAY_BLOCK ();
  if (self == NULL)
    return;
  vix_lock (&table.lock);
  last = drop_refs (self, 1);
  vix_unlock (&table.lock);
  if (last)
    free_object (self);
}

VixHandle
vix_object_give (gpointer object)
{
  VixObject *self = object;
  VixHandle handle = VIX_INVALID_HANDLE;

  vix_lock (&table.lock);
  if (!self->dead && self->lent_refs < G_MAXINT) {
    self->refs++;
    self->lent_refs++;
    handle = self->handle;
  }
  vix_unlock (&table.lock);
  return handle;
}

void
vix_object_kill (VixObject *root)
{
  g_autoptr (GPtrArray) unused = g_ptr_array_new ();
  VixObject *self;

  VIX_MAY_BLOCK ();
  vix_lock (&table.lock);
  /* The root goes first, so that nothing new joins. */
  for (self = root; self != NULL; self = root->members) {
    guint lent = self->lent_refs;

    take_off_table (self);
    self->lent_refs = 0;
    if (lent > 0 && drop_refs (self, lent))
      g_ptr_array_add (unused, self);
  }
  vix_unlock (&table.lock);
  for (guint i = 0; i < unused->len; i++)
    free_object (unused->pdata[i]);
}

gpointer
vix_handle_get (VixHandle handle, VixHandleType type, GError **error)
{
  VixObject *self;
  int code = VIX_E_INVALID_HANDLE;

  vix_lock (&table.lock);
  self = find (handle);
  if (self != NULL && type != VIX_HANDLETYPE_NONE
      && self->klass->type != type) {
    self = NULL;
    code = VIX_E_NOT_SUPPORTED_ON_HANDLE_TYPE;
  }
  if (self != NULL)
    self->refs++;
  vix_unlock (&table.lock);
  if (self == NULL)
    g_set_error (error, VIX_ERROR, code,
                 code == VIX_E_INVALID_HANDLE
                   ? "handle %d: there is no such object"
                   : "handle %d: the object is of another type",
                 handle);
  return self;
}

void
vix_handle_add_ref (VixHandle handle)
{
  VixObject *self;

  vix_lock (&table.lock);
  self = find (handle);
  if (self != NULL && self->lent_refs < G_MAXINT) {
    self->refs++;
    self->lent_refs++;
  }
  vix_unlock (&table.lock);
}

void
vix_handle_release (VixHandle handle)
{
  VixObject *self;
  gboolean last = FALSE;

  VIX_MAY_BLOCK ();
  vix_lock (&table.lock);
  self = find (handle);
  if (self != NULL && self->lent_refs > 0) {
    self->lent_refs--;
    last = drop_refs (self, 1);
  }
  vix_unlock (&table.lock);
  if (last)
    free_object (self);
}

guint
vix_object_count (void)
{
  guint n;

  vix_lock (&table.lock);
  n = table.n_alive;
  vix_unlock (&table.lock);
  return n;
}
