/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "pins.h"

/* Of one snapshot. */
typedef struct {
  guint64 key;
  guint open;
  guint closing; /* of these */
  gboolean sealed;
} Pin;

struct FsPins {
  GMutex lock;      /* level 2: all below */
  GHashTable *pins; /* (Pin) by its key; none that is all 0 */
  guint seals;      /* how often something was sealed or unsealed */
};

FsPins *
fs_pins_new (void)
{
  FsPins *self = g_new0 (FsPins, 1);

  g_mutex_init (&self->lock);
  self->pins
    = g_hash_table_new_full (g_int64_hash, g_int64_equal, NULL, g_free);
  return self;
}

void
fs_pins_free (FsPins *self)
{
  if (self == NULL)
    return;
  g_hash_table_unref (self->pins);
  g_mutex_clear (&self->lock);
  g_free (self);
}

guint64
fs_pins_key (guint32 slot, gint64 id)
{
  return (guint64)slot << 40 ^ (guint64)id;
}

static Pin *
get_locked (FsPins *self, guint64 key)
{
  Pin *pin = g_hash_table_lookup (self->pins, &key);

  if (pin == NULL) {
    pin = g_new0 (Pin, 1);
    pin->key = key;
    g_hash_table_insert (self->pins, &pin->key, pin);
  }
  return pin;
}

static void
settle_locked (FsPins *self, Pin *pin)
{
  if (pin->open == 0 && !pin->sealed)
    g_hash_table_remove (self->pins, &pin->key);
}

gboolean
fs_pins_add (FsPins *self, guint64 key)
{
  gboolean added;
  Pin *pin;

  g_mutex_lock (&self->lock);
  pin = get_locked (self, key);
  added = !pin->sealed;
  if (added)
    pin->open++;
  g_mutex_unlock (&self->lock);
  return added;
}

void
fs_pins_expect_drop (FsPins *self, guint64 key)
{
  g_mutex_lock (&self->lock);
  get_locked (self, key)->closing++;
  g_mutex_unlock (&self->lock);
}

void
fs_pins_drop (FsPins *self, guint64 key, gboolean expected)
{
  Pin *pin;

  g_mutex_lock (&self->lock);
  pin = get_locked (self, key);
  pin->open--;
  if (expected)
    pin->closing--;
  settle_locked (self, pin);
  g_mutex_unlock (&self->lock);
}

FsSeal
fs_pins_seal (FsPins *self, guint64 key)
{
  FsSeal seal = FS_SEAL_DONE;
  Pin *pin;

  g_mutex_lock (&self->lock);
  pin = get_locked (self, key);
  if (pin->sealed || pin->open > pin->closing)
    seal = FS_SEAL_OPEN;
  else if (pin->open > 0)
    seal = FS_SEAL_CLOSING;
  if (seal == FS_SEAL_DONE) {
    pin->sealed = TRUE;
    self->seals++;
  }
  g_mutex_unlock (&self->lock);
  return seal;
}

void
fs_pins_unseal (FsPins *self, guint64 key)
{
  Pin *pin;

  g_mutex_lock (&self->lock);
  pin = get_locked (self, key);
  pin->sealed = FALSE;
  self->seals++;
  settle_locked (self, pin);
  g_mutex_unlock (&self->lock);
}

gboolean
fs_pins_is_sealed (FsPins *self, guint64 key)
{
  const Pin *pin;
  gboolean sealed;

  g_mutex_lock (&self->lock);
  pin = g_hash_table_lookup (self->pins, &key);
  sealed = pin != NULL && pin->sealed;
  g_mutex_unlock (&self->lock);
  return sealed;
}

guint
fs_pins_count_seals (FsPins *self)
{
  guint count;

  g_mutex_lock (&self->lock);
  count = self->seals;
  g_mutex_unlock (&self->lock);
  return count;
}
