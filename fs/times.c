/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "times.h"

#include <string.h>
#include <unistd.h>

#include "node.h"
#include "times-file.h"
#include "vm.h"

/* How long somebody waits for a disk that does not write. */
#define FLUSH_US (10 * G_USEC_PER_SEC)
/* The file is made anew while it is in use, too, if it has so many lines more
 * than twice what is needed. */
#define SPARE_LINES 10000
/* Of all hosts on a machine, for root. */
#define SYSTEM_DIRECTORY "/var/lib/vixfs"

typedef struct {
  FsTimesNote note;
  gboolean known; /* its snapshot was seen, or it is from before the mount:
                   * what others noted may be of one that is still to come */
} Note;

/* The notes of one VM. */
typedef struct {
  guint64 key;
  GPtrArray *notes; /* (Note), borrowed */
  gboolean seen;    /* in this mount */
} Vm;

struct FsTimes {
  GMutex lock;       /* level 2: all below but what is const */
  GCond changed;     /* of @wanted, @busy, @stopping */
  GHashTable *notes; /* (Note) by what it is of */
  GHashTable *vms;   /* Vm.key -> Vm */
  GArray *unsaved;   /* (FsTimesNote): the file has them not yet */
  GThread *thread;   /* once there is something to write */
  gboolean loading;  /* const after fs_times_new() */
  guint n_loaded;    /* lines that the file had then; const likewise */
  gboolean settled;  /* the file is to be made anew if that makes it shorter */
  gboolean wanted;   /* the thread has something to do */
  gboolean busy;     /* it does it */
  gboolean stopping;
  gboolean full; /* and that was told */

  FsTimesWarn *warn; /* const, as the next */
  gpointer data;

  /* Of fs_times_new(), then of the thread: */
  FsTimesFile file; /* .path NULL: there is none */
  char *told;       /* what was wrong last */
};

/* ---- notes in memory ---- */

static void
vm_free (gpointer data)
{
  Vm *vm = data;

  g_ptr_array_unref (vm->notes);
  g_free (vm);
}

static guint64
key_of (const VixExtVM *vm)
{
  return fs_identity (fs_identity_text (vm->id), FS_KIND_VM, 0,
                      fs_identity_text (vm->uuid));
}

static guint
note_hash (gconstpointer key)
{
  const FsTimesNote *note = &((const Note *)key)->note;

  return (guint)fs_identity (note->vm ^ (guint64)note->created, FS_KIND_IMAGE,
                             note->snapshot, fs_identity_text (note->disk));
}

static gboolean
note_equal (gconstpointer key, gconstpointer other)
{
  const FsTimesNote *a = &((const Note *)key)->note;
  const FsTimesNote *b = &((const Note *)other)->note;

  return a->vm == b->vm && a->snapshot == b->snapshot
         && a->created == b->created && a->bytes == b->bytes
         && strcmp (a->disk, b->disk) == 0;
}

static guint
count_locked (FsTimes *self)
{
  return g_hash_table_size (self->notes);
}

/* %FALSE if there is one already, or there are too many. */
static gboolean
add_locked (FsTimes *self, const FsTimesNote *note, gboolean known)
{
  Note wanted = { *note, known };
  Note *added;
  Vm *vm;

  if (count_locked (self) >= FS_TIMES_MAX
      || g_hash_table_contains (self->notes, &wanted))
    return FALSE;
  vm = g_hash_table_lookup (self->vms, &note->vm);
  if (vm == NULL) {
    vm = g_new0 (Vm, 1);
    vm->key = note->vm;
    vm->notes = g_ptr_array_new ();
    g_hash_table_insert (self->vms, &vm->key, vm);
  }
  added = g_memdup2 (&wanted, sizeof wanted);
  g_ptr_array_add (vm->notes, added);
  g_hash_table_add (self->notes, added);
  return TRUE;
}

/* From the file: what was there before the mount, or another program noted. */
static void
take_note (const FsTimesNote *note, gpointer data)
{
  FsTimes *self = data;

  g_mutex_lock (&self->lock);
  add_locked (self, note, self->loading);
  g_mutex_unlock (&self->lock);
}

/* %FALSE if it is nothing that can be noted. */
static gboolean
describe (const VixExtVM *vm, const VixExtSnapshot *snapshot, const char *disk,
          gint64 bytes, FsTimesNote *ret_note)
{
  FsTimesNote note = {
    .vm = key_of (vm),
    .snapshot = snapshot->id,
    .created = snapshot->created,
    .bytes = bytes,
  };

  if (snapshot->id <= 0 || snapshot->created <= 0 || bytes < 0
      || !fs_times_disk_is_valid (disk))
    return FALSE;
  g_strlcpy (note.disk, disk, sizeof note.disk);
  *ret_note = note;
  return TRUE;
}

gint64
fs_times_get (FsTimes *self, const VixExtVM *vm, const VixExtSnapshot *snapshot,
              const char *disk, gint64 bytes)
{
  Note wanted = { .known = FALSE };
  const Note *found;
  gint64 changed;

  if (!describe (vm, snapshot, disk, bytes, &wanted.note))
    return 0;
  g_mutex_lock (&self->lock);
  found = g_hash_table_lookup (self->notes, &wanted);
  changed = found != NULL ? found->note.changed : 0;
  g_mutex_unlock (&self->lock);
  return changed;
}

/* ---- the file ---- */

/* Once, until something else is wrong. */
static void
warn_once (FsTimes *self, const char *text)
{
  if (g_strcmp0 (self->told, text) == 0)
    return;
  g_free (self->told);
  self->told = g_strdup (text);
  self->warn (text, self->data);
}

static void
warn_of_failure (FsTimes *self, const char *text)
{
  g_autofree char *whole = g_strdup_printf (
    "%s; times of unchanged disks will not outlast this mount (the option "
    "\"state\" names another directory, or \"none\")",
    text);

  warn_once (self, whole);
}

static int
open_file (FsTimes *self, gboolean make, GError **error)
{
  g_autofree char *damage = NULL;
  int fd
    = fs_times_file_open (&self->file, make, take_note, self, &damage, error);

  if (damage != NULL)
    warn_once (self, damage);
  return fd;
}

/* (transfer full): of all, what a line is written of */
static GArray *
list_locked (FsTimes *self)
{
  GArray *notes = g_array_sized_new (FALSE, FALSE, sizeof (FsTimesNote),
                                     count_locked (self));
  GHashTableIter iter;
  gpointer note;

  g_hash_table_iter_init (&iter, self->notes);
  while (g_hash_table_iter_next (&iter, &note, NULL))
    g_array_append_val (notes, ((Note *)note)->note);
  return notes;
}

/* (transfer full) (nullable): what the file is to hold instead */
static GArray *
choose_instead (FsTimes *self, gboolean settled)
{
  GArray *notes = NULL;
  guint lines = self->file.lines;

  g_mutex_lock (&self->lock);
  if (settled ? lines > count_locked (self)
              : lines > SPARE_LINES + 2 * count_locked (self))
    notes = list_locked (self);
  g_mutex_unlock (&self->lock);
  return notes;
}

static gboolean
save (FsTimes *self, const GArray *unsaved, gboolean settled, GError **error)
{
  g_autoptr (GArray) instead = NULL;
  int fd = open_file (self, unsaved->len > 0, error);
  gboolean done = fd >= 0;

  if (fd < 0 && g_error_matches (*error, G_FILE_ERROR, G_FILE_ERROR_NOENT)
      && unsaved->len == 0) {
    g_clear_error (error);
    return TRUE;
  }
  if (done && unsaved->len > 0)
    done = fs_times_file_append (&self->file, fd, unsaved, error);
  if (done)
    instead = choose_instead (self, settled);
  if (instead != NULL)
    done = fs_times_file_replace (&self->file, fd, instead, error);
  if (fd >= 0)
    close (fd);
  return done;
}

/* Does what there is to do; what cannot be written waits for the next time. */
static void
save_locked (FsTimes *self)
{
  g_autoptr (GArray) unsaved = self->unsaved;
  g_autoptr (GError) error = NULL;
  gboolean settled = self->settled;
  gboolean done;

  self->unsaved = g_array_new (FALSE, FALSE, sizeof (FsTimesNote));
  self->settled = FALSE;
  self->wanted = FALSE;
  self->busy = TRUE;
  g_mutex_unlock (&self->lock);
  done = save (self, unsaved, settled, &error);
  if (done && unsaved->len > 0)
    g_clear_pointer (&self->told, g_free);
  else if (!done)
    warn_of_failure (self, error->message);
  g_mutex_lock (&self->lock);
  if (!done)
    g_array_prepend_vals (self->unsaved, unsaved->data, unsaved->len);
  self->busy = FALSE;
  g_cond_broadcast (&self->changed);
}

static gpointer
run (gpointer data)
{
  FsTimes *self = data;

  g_mutex_lock (&self->lock);
  for (;;) {
    while (!self->wanted && !self->stopping)
      g_cond_wait (&self->changed, &self->lock);
    if (!self->wanted)
      break;
    save_locked (self);
  }
  g_mutex_unlock (&self->lock);
  return NULL;
}

static void
want_locked (FsTimes *self)
{
  if (self->file.path == NULL)
    return;
  self->wanted = TRUE;
  if (self->thread == NULL)
    self->thread = g_thread_new ("vixfs-times", run, self);
  g_cond_broadcast (&self->changed);
}

void
fs_times_flush (FsTimes *self)
{
  gint64 end = g_get_monotonic_time () + FLUSH_US;

  g_mutex_lock (&self->lock);
  if (self->unsaved->len > 0)
    want_locked (self);
  while ((self->wanted || self->busy)
         && g_cond_wait_until (&self->changed, &self->lock, end))
    ;
  g_mutex_unlock (&self->lock);
}

/* ---- what is noted, and what goes ---- */

void
fs_times_put (FsTimes *self, const VixExtVM *vm, const VixExtSnapshot *snapshot,
              const char *disk, gint64 bytes, gint64 changed)
{
  FsTimesNote note;
  gboolean full;

  if (changed <= 0 || !describe (vm, snapshot, disk, bytes, &note))
    return;
  note.changed = changed;
  g_mutex_lock (&self->lock);
  if (add_locked (self, &note, TRUE) && self->file.path != NULL) {
    g_array_append_val (self->unsaved, note);
    want_locked (self);
  }
  full = count_locked (self) >= FS_TIMES_MAX && !self->full;
  if (full)
    self->full = TRUE;
  g_mutex_unlock (&self->lock);
  if (full)
    self->warn ("so many times of unchanged disks are noted that no more can "
                "be",
                self->data);
}

static gboolean
is_there (const VixExtVM *vm, const FsTimesNote *note)
{
  const VixExtSnapshot *snapshot = fs_record_snapshot (vm, note->snapshot);

  return snapshot != NULL && snapshot->created == note->created;
}

void
fs_times_see (FsTimes *self, const VixExtVM *vm)
{
  guint64 key = key_of (vm);
  Vm *kept;

  /* What is not accessible has no snapshots to show. */
  if ((vm->flags & VIXEXT_VM_INACCESSIBLE) != 0)
    return;
  g_mutex_lock (&self->lock);
  kept = g_hash_table_lookup (self->vms, &key);
  if (kept != NULL)
    kept->seen = TRUE;
  for (guint i = kept != NULL ? kept->notes->len : 0; i-- > 0;) {
    Note *note = kept->notes->pdata[i];

    if (is_there (vm, &note->note)) {
      note->known = TRUE;
    } else if (note->known) {
      g_ptr_array_remove_index_fast (kept->notes, i);
      g_hash_table_remove (self->notes, note);
    }
  }
  g_mutex_unlock (&self->lock);
}

static void
drop_absent_locked (FsTimes *self)
{
  GHashTableIter iter;
  gpointer value;
  guint absent = 0;

  g_hash_table_iter_init (&iter, self->vms);
  while (g_hash_table_iter_next (&iter, NULL, &value))
    absent += ((Vm *)value)->seen ? 0 : ((Vm *)value)->notes->len;
  if (absent <= FS_TIMES_MAX_ABSENT)
    return;
  g_hash_table_iter_init (&iter, self->vms);
  while (g_hash_table_iter_next (&iter, NULL, &value)) {
    Vm *vm = value;

    if (vm->seen)
      continue;
    for (guint i = 0; i < vm->notes->len; i++)
      g_hash_table_remove (self->notes, vm->notes->pdata[i]);
    g_hash_table_iter_remove (&iter);
  }
}

void
fs_times_settle (FsTimes *self)
{
  g_mutex_lock (&self->lock);
  drop_absent_locked (self);
  if (self->file.path != NULL && self->n_loaded > count_locked (self)) {
    self->settled = TRUE;
    want_locked (self);
  }
  g_mutex_unlock (&self->lock);
}

/* ---- all ---- */

char *
fs_times_directory (const char *option)
{
  const char *state = g_getenv ("XDG_STATE_HOME");

  if (option != NULL)
    return *option != '\0' ? g_strdup (option) : NULL;
  if (state != NULL && g_path_is_absolute (state))
    return g_build_filename (state, "vixfs", NULL);
  if (geteuid () == 0)
    return g_strdup (SYSTEM_DIRECTORY);
  return g_path_is_absolute (g_get_home_dir ()) ? g_build_filename (
           g_get_home_dir (), ".local", "state", "vixfs", NULL)
                                                : NULL;
}

static void
load (FsTimes *self)
{
  g_autoptr (GError) error = NULL;
  int fd;

  self->loading = TRUE;
  fd = open_file (self, FALSE, &error);
  self->loading = FALSE;
  self->n_loaded = self->file.lines;
  if (fd >= 0)
    close (fd);
  else if (!g_error_matches (error, G_FILE_ERROR, G_FILE_ERROR_NOENT))
    warn_of_failure (self, error->message);
}

FsTimes *
fs_times_new (const char *dir, const char *host, FsTimesWarn *warn,
              gpointer data)
{
  FsTimes *self = g_new0 (FsTimes, 1);
  g_autofree char *lower = g_ascii_strdown (host, -1);
  g_autofree char *name = g_strdup_printf ("times-%016" G_GINT64_MODIFIER "x",
                                           fs_identity_text (lower));

  g_mutex_init (&self->lock);
  g_cond_init (&self->changed);
  self->notes = g_hash_table_new_full (note_hash, note_equal, g_free, NULL);
  self->vms
    = g_hash_table_new_full (g_int64_hash, g_int64_equal, NULL, vm_free);
  self->unsaved = g_array_new (FALSE, FALSE, sizeof (FsTimesNote));
  self->warn = warn;
  self->data = data;
  if (dir != NULL) {
    self->file.path = g_build_filename (dir, name, NULL);
    load (self);
  }
  return self;
}

void
fs_times_free (FsTimes *self)
{
  if (self == NULL)
    return;
  g_mutex_lock (&self->lock);
  self->stopping = TRUE;
  if (self->unsaved->len > 0)
    self->wanted = TRUE;
  g_cond_broadcast (&self->changed);
  g_mutex_unlock (&self->lock);
  if (self->thread != NULL)
    g_thread_join (self->thread);
  g_hash_table_unref (self->vms);
  g_hash_table_unref (self->notes);
  g_array_unref (self->unsaved);
  g_mutex_clear (&self->lock);
  g_cond_clear (&self->changed);
  g_free (self->file.path);
  g_free (self->told);
  g_free (self);
}
