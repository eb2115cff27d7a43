/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Everything here but the waking up happens on the watch's own thread, which
 * owns the trees. Events only mark directories; what is due is then read
 * anew, so that no event has to be understood exactly, and a lost one costs
 * no more than a look at everything.
 *
 * A directory's watch is made before it is read. A moved directory keeps its
 * inode and so its watch descriptor: the descriptor belongs to the node that
 * asked for it last.
 */
#include "workstation/watch.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "workstation/lock-file.h"
#include "workstation/tree.h"

#define GATHER_US (80 * 1000)           /* events of a directory */
#define FILES_EVERY_US (G_USEC_PER_SEC) /* FILES_CHANGED of a VM */
#define POLL_EVERY_US (1500 * 1000)     /* directories without a watch */
#define GUARD_EVERY_US (G_USEC_PER_SEC) /* VMs with locks */
#define OVERFLOW_EVERY_US (G_USEC_PER_SEC)
#define BREATH_MS 10 /* between two reads of the event queue */
/* A journal whose owner lives is looked at again soon, a lock that stays
 * stale because it is another program's rarely. */
#define JOURNAL_AGAIN_US (2 * G_USEC_PER_SEC)
#define STALE_AGAIN_US (30 * G_USEC_PER_SEC)

#define WATCH_NAMES                                                            \
  (IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_CLOSE_WRITE        \
   | IN_ATTRIB | IN_DELETE_SELF | IN_MOVE_SELF)
#define WATCH_FLAGS (IN_ONLYDIR | IN_DONT_FOLLOW | IN_EXCL_UNLINK)

enum {
  DIRTY_SCAN = 1, /* names of directories or VMs */
  DIRTY_READ = 2  /* content of its VMs' records */
};

struct WsWatch {
  WsHost *host;
  GThread *thread;
  int inotify;         /* -1: the kernel has none left */
  int wake;            /* eventfd */
  gint quit;           /* atomic */
  GPtrArray *roots;    /* WsNode */
  GHashTable *by_wd;   /* descriptor -> WsNode */
  GHashTable *pending; /* nodes with something due */
  GHashTable *polled;  /* nodes without a watch */
  GHashTable *guarded; /* nodes with locks or a journal */
  GPtrArray *batch;    /* nodes being worked on; NULL: freed meanwhile */
  gint64 poll_us, guard_us, overflow_us; /* when next; 0: not at all */
  WsTreeHooks hooks;
};

static gint watch_limit = G_MAXINT;

void
ws_watch_set_limit (guint directories)
{
  g_atomic_int_set (&watch_limit, (gint)MIN (directories, G_MAXINT));
}

static gboolean
quitting (gpointer data)
{
  return g_atomic_int_get (&((WsWatch *)data)->quit) != 0;
}

/* ---- what is due when ---- */

static void
mark (WsWatch *self, WsNode *node, guint dirty, gint64 delay_us)
{
  gint64 due = g_get_monotonic_time () + delay_us;

  node->dirty |= (guint8)dirty;
  if (node->due_us == 0 || due < node->due_us)
    node->due_us = due;
  g_hash_table_add (self->pending, node);
}

static void
mark_files (WsWatch *self, WsNode *node)
{
  if (node->files_due_us != 0 || node->vmx == NULL)
    return;
  node->files_due_us = MAX (g_get_monotonic_time () + GATHER_US,
                            node->files_last_us + FILES_EVERY_US);
  g_hash_table_add (self->pending, node);
}

static void
mark_all (WsWatch *self, WsNode *node)
{
  guint i;

  mark (self, node, DIRTY_SCAN | DIRTY_READ, 0);
  mark_files (self, node);
  for (i = 0; node->children != NULL && i < node->children->len; i++)
    mark_all (self, node->children->pdata[i]);
}

/* ---- watch descriptors ---- */

static guint64
mix_stat (guint64 hash, const char *path)
{
  guint64 values[4] = { 0 };
  struct stat st;
  gsize i;

  if (lstat (path, &st) == 0) {
    values[0] = st.st_ino;
    values[1] = (guint64)st.st_size;
    values[2]
      = (guint64)st.st_mtim.tv_sec * 1000000000u + (guint64)st.st_mtim.tv_nsec;
    values[3]
      = (guint64)st.st_ctim.tv_sec * 1000000000u + (guint64)st.st_ctim.tv_nsec;
  }
  for (i = 0; i < G_N_ELEMENTS (values); i++)
    hash = (hash ^ values[i]) * 1099511628211u;
  return hash;
}

/* What a directory without a watch looks like: changes of names and of the
 * dictionaries show in it. */
static guint64
fingerprint (const WsNode *node, const char *path)
{
  guint64 hash = mix_stat (14695981039346656037u, path);
  gsize i;

  for (i = 0; node->vmx != NULL && node->vmx[i] != NULL; i++) {
    g_autofree char *vmx = g_build_filename (path, node->vmx[i], NULL);
    g_autofree char *stem = g_strndup (vmx, (gsize)(strrchr (vmx, '.') - vmx));
    g_autofree char *vmsd = g_strconcat (stem, ".vmsd", NULL);

    hash = mix_stat (mix_stat (hash, vmx), vmsd);
  }
  return hash;
}

static void
forget_descriptor (WsWatch *self, WsNode *node, gboolean remove)
{
  gpointer key = GINT_TO_POINTER (node->wd);

  if (node->wd < 0)
    return;
  if (g_hash_table_lookup (self->by_wd, key) == node) {
    g_hash_table_remove (self->by_wd, key);
    if (remove)
      inotify_rm_watch (self->inotify, node->wd);
  }
  node->wd = -1;
}

/* A descriptor, or -1 with errno. */
static int
add_watch (WsWatch *self, const WsNode *node, const char *path)
{
  guint32 mask
    = WATCH_NAMES | WATCH_FLAGS | (node->muted ? 0 : (guint32)IN_MODIFY);
  guint limit = (guint)g_atomic_int_get (&watch_limit);

  errno = ENOSPC;
  if (self->inotify < 0
      || (node->wd < 0 && g_hash_table_size (self->by_wd) >= limit))
    return -1;
  return inotify_add_watch (self->inotify, path, mask);
}

/* Gives @node a watch, or the one it has another mask; else it is polled and
 * errno says why. */
static gboolean
watch_node (WsWatch *self, WsNode *node, const char *path)
{
  int wd = add_watch (self, node, path);
  int err = errno;
  WsNode *other;

  if (wd != node->wd)
    forget_descriptor (self, node, TRUE);
  if (wd < 0) {
    node->fingerprint = fingerprint (node, path);
    g_hash_table_add (self->polled, node);
    errno = err;
    return FALSE;
  }
  other = g_hash_table_lookup (self->by_wd, GINT_TO_POINTER (wd));
  if (other != NULL && other != node) {
    other->wd = -1;
    g_hash_table_add (self->polled, other);
  }
  node->wd = wd;
  g_hash_table_insert (self->by_wd, GINT_TO_POINTER (wd), node);
  g_hash_table_remove (self->polled, node);
  return TRUE;
}

/* While enough is known, or where no VM is, writes to files wake nobody. */
static void
set_muted (WsWatch *self, WsNode *node, gboolean muted)
{
  g_autofree char *path = NULL;

  if (node->muted == muted)
    return;
  node->muted = muted;
  if (node->wd < 0)
    return;
  path = ws_node_path (node);
  watch_node (self, node, path);
}

/* ---- publishing ---- */

/* What killed processes left is completed or undone before it is shown. */
static void
recover (WsWatch *self, WsNode *node, const char *id)
{
  gint64 now = g_get_monotonic_time ();
  g_autoptr (GError) error = NULL;
  g_autoptr (WsVmDir) dir = NULL;

  if (self->host->read_only || now < node->recover_due_us
      || (!node->has_journal && !node->has_lock))
    return;
  dir = ws_host_open_vm_dir (self->host, id, NULL);
  if (dir == NULL)
    return;
  node->recover_due_us
    = now + (node->has_journal ? JOURNAL_AGAIN_US : STALE_AGAIN_US);
  if (!ws_recover_vm (self->host, dir, NULL, &error))
    g_debug ("%s: recovery: %s", id, error->message);
}

static void
publish (WsWatch *self, WsNode *node, const char *vmx)
{
  g_autofree char *id = ws_node_vm_id (node, vmx);
  g_autofree char *place = ws_node_vm_place (node, vmx);
  g_autofree char *team = ws_node_vm_team (node, vmx);

  ws_host_set_place (self->host, id, place, team);
  recover (self, node, id);
  ws_host_refresh_vm (self->host, id);
}

static void
publish_all (WsWatch *self, WsNode *node)
{
  gsize i;

  for (i = 0; node->vmx != NULL && node->vmx[i] != NULL; i++)
    if (!quitting (self))
      publish (self, node, node->vmx[i]);
}

static void
publish_files (WsWatch *self, WsNode *node)
{
  gsize i;

  node->files_last_us = g_get_monotonic_time ();
  node->files_due_us = 0;
  /* Before it is told: what is written from now on is news again. */
  set_muted (self, node, FALSE);
  for (i = 0; node->vmx != NULL && node->vmx[i] != NULL; i++) {
    g_autofree char *id = ws_node_vm_id (node, node->vmx[i]);

    vix_inventory_files_changed (self->host->inventory, id);
  }
}

/* ---- what the trees tell ---- */

static void
update_guard (WsWatch *self, WsNode *node)
{
  if (node->vmx != NULL && (node->has_lock || node->has_journal))
    g_hash_table_add (self->guarded, node);
  else
    g_hash_table_remove (self->guarded, node);
}

static void
on_enter (gpointer data, WsNode *node, const char *path)
{
  watch_node (data, node, path);
}

static void
on_leave (gpointer data, WsNode *node)
{
  WsWatch *self = data;
  guint i;

  forget_descriptor (self, node, TRUE);
  g_hash_table_remove (self->pending, node);
  g_hash_table_remove (self->polled, node);
  g_hash_table_remove (self->guarded, node);
  for (i = 0; i < self->batch->len; i++)
    if (self->batch->pdata[i] == node)
      self->batch->pdata[i] = NULL;
}

static void
on_found (gpointer data, WsNode *node, const char *vmx)
{
  WsWatch *self = data;

  if (quitting (self))
    return;
  set_muted (self, node, FALSE);
  update_guard (self, node);
  publish (self, node, vmx);
}

static void
on_gone (gpointer data, WsNode *node, const char *vmx)
{
  WsWatch *self = data;
  g_autofree char *id = NULL;

  if (quitting (self))
    return;
  id = ws_node_vm_id (node, vmx);
  ws_host_forget_vm (self->host, id);
}

static void
on_moved (gpointer data, WsNode *node)
{
  mark (data, node, DIRTY_READ, 0);
}

/* ---- events ---- */

static gboolean
ends_in (const char *name, const char *suffix)
{
  gsize n = strlen (name), m = strlen (suffix);

  return n >= m && g_ascii_strcasecmp (name + n - m, suffix) == 0;
}

/* What a change of the file of that name may change. */
static guint
dirty_of_name (const char *name)
{
  static const struct {
    const char *suffix;
    guint dirty;
  } rows[] = {
    { ".vmx", DIRTY_SCAN | DIRTY_READ },
    { ".vmtx", DIRTY_SCAN | DIRTY_READ },
    { ".vmsd", DIRTY_READ },
    { ".vixfs-vmss", DIRTY_READ },
    { WS_JOURNAL_SUFFIX, DIRTY_SCAN | DIRTY_READ },
    { ".lck", DIRTY_SCAN | DIRTY_READ },
    { ".vmtm", DIRTY_SCAN },
  };
  gsize i;

  for (i = 0; i < G_N_ELEMENTS (rows); i++)
    if (ends_in (name, rows[i].suffix))
      return rows[i].dirty;
  return 0;
}

static void
take_self_event (WsWatch *self, WsNode *node, guint32 mask)
{
  if ((mask & IN_IGNORED) != 0) {
    forget_descriptor (self, node, FALSE);
    g_hash_table_add (self->polled, node);
  }
  if ((mask & (IN_DELETE_SELF | IN_MOVE_SELF | IN_IGNORED | IN_UNMOUNT)) != 0)
    mark (self, node->parent == NULL ? node : node->parent,
          DIRTY_SCAN | DIRTY_READ, GATHER_US);
  else
    mark (self, node, DIRTY_SCAN, GATHER_US);
}

static void
take_event (WsWatch *self, const struct inotify_event *event)
{
  const char *name = event->len > 0 ? event->name : "";
  WsNode *node;
  guint dirty;

  if ((event->mask & IN_Q_OVERFLOW) != 0) {
    if (self->overflow_us == 0)
      self->overflow_us = g_get_monotonic_time ();
    return;
  }
  node = g_hash_table_lookup (self->by_wd, GINT_TO_POINTER (event->wd));
  if (node == NULL)
    return;
  if (name[0] == '\0') {
    take_self_event (self, node, event->mask);
    return;
  }
  dirty = dirty_of_name (name);
  if ((event->mask & IN_ISDIR) != 0 && name[0] != '.')
    dirty |= DIRTY_SCAN;
  if (dirty != 0)
    mark (self, node, dirty, GATHER_US);
  mark_files (self, node);
  if ((event->mask & IN_MODIFY) != 0)
    set_muted (self, node, TRUE);
}

static void
read_events (WsWatch *self)
{
  char buf[65536] __attribute__ ((aligned (__alignof__(struct inotify_event))));
  gssize n = read (self->inotify, buf, sizeof buf);
  gssize at = 0;

  while (at < n) {
    const struct inotify_event *event = (const void *)(buf + at);

    take_event (self, event);
    at += (gssize)(sizeof *event + event->len);
  }
}

/* ---- working on what is due ---- */

static void
work_on (WsWatch *self, guint at, gint64 now)
{
  WsNode *node = self->batch->pdata[at];
  guint dirty = node->dirty;

  if (node->due_us != 0 && node->due_us <= now) {
    node->due_us = 0;
    node->dirty = 0;
    if ((dirty & DIRTY_SCAN) != 0) {
      ws_tree_scan (node, &self->hooks);
      node = self->batch->pdata[at];
      if (node == NULL)
        return;
      update_guard (self, node);
    }
    if ((dirty & DIRTY_READ) != 0)
      publish_all (self, node);
  }
  if (node->files_due_us != 0 && node->files_due_us <= now)
    publish_files (self, node);
  if (node->due_us == 0 && node->files_due_us == 0)
    g_hash_table_remove (self->pending, node);
}

static gboolean
is_due (const WsNode *node, gint64 now)
{
  return (node->due_us != 0 && node->due_us <= now)
         || (node->files_due_us != 0 && node->files_due_us <= now);
}

static void
work (WsWatch *self)
{
  gint64 now = g_get_monotonic_time ();
  GHashTableIter iter;
  gpointer node;
  guint i;

  g_ptr_array_set_size (self->batch, 0);
  g_hash_table_iter_init (&iter, self->pending);
  while (g_hash_table_iter_next (&iter, &node, NULL))
    if (is_due (node, now))
      g_ptr_array_add (self->batch, node);
  for (i = 0; i < self->batch->len && !quitting (self); i++)
    if (self->batch->pdata[i] != NULL)
      work_on (self, i, now);
  g_ptr_array_set_size (self->batch, 0);
}

/* Directories without a watch: look whether they changed, and whether the
 * kernel has a watch for them now. */
static void
poll_directories (WsWatch *self)
{
  g_autofree gpointer *nodes = NULL;
  gboolean exhausted = FALSE;
  guint i, n;

  nodes = g_hash_table_get_keys_as_array (self->polled, &n);
  for (i = 0; i < n && !quitting (self); i++) {
    WsNode *node = nodes[i];
    g_autofree char *path = ws_node_path (node);
    guint64 before = node->fingerprint;

    node->fingerprint = fingerprint (node, path);
    if (before != node->fingerprint) {
      mark (self, node, DIRTY_SCAN | DIRTY_READ, 0);
      mark_files (self, node);
    }
    if (exhausted)
      continue;
    if (watch_node (self, node, path))
      mark (self, node, DIRTY_SCAN | DIRTY_READ, 0);
    else
      exhausted = errno == ENOSPC || errno == ENOMEM;
  }
}

static void
look_at_guarded (WsWatch *self)
{
  GHashTableIter iter;
  gpointer node;

  g_hash_table_iter_init (&iter, self->guarded);
  while (g_hash_table_iter_next (&iter, &node, NULL))
    mark (self, node, DIRTY_READ, 0);
}

static gboolean
timer_over (gint64 *timer, gboolean wanted, gint64 every_us)
{
  gint64 now = g_get_monotonic_time ();

  if (!wanted) {
    *timer = 0;
    return FALSE;
  }
  if (*timer != 0 && now < *timer)
    return FALSE;
  if (*timer == 0) {
    *timer = now + every_us;
    return FALSE;
  }
  *timer = now + every_us;
  return TRUE;
}

static void
run_timers (WsWatch *self)
{
  guint i;

  if (timer_over (&self->poll_us, g_hash_table_size (self->polled) > 0,
                  POLL_EVERY_US))
    poll_directories (self);
  if (timer_over (&self->guard_us, g_hash_table_size (self->guarded) > 0,
                  GUARD_EVERY_US))
    look_at_guarded (self);
  if (self->overflow_us != 0 && g_get_monotonic_time () >= self->overflow_us) {
    self->overflow_us = 0;
    for (i = 0; i < self->roots->len; i++)
      mark_all (self, self->roots->pdata[i]);
  }
}

static void
sooner (gint64 *at, gint64 other)
{
  if (other != 0 && (*at == 0 || other < *at))
    *at = other;
}

/* Milliseconds to what comes next; -1: nothing. */
static int
next_timeout (WsWatch *self)
{
  gint64 at = 0, now = g_get_monotonic_time ();
  GHashTableIter iter;
  gpointer key;

  sooner (&at, self->poll_us);
  sooner (&at, self->guard_us);
  sooner (&at, self->overflow_us);
  g_hash_table_iter_init (&iter, self->pending);
  while (g_hash_table_iter_next (&iter, &key, NULL)) {
    const WsNode *node = key;

    sooner (&at, node->due_us);
    sooner (&at, node->files_due_us);
  }
  if (at == 0)
    return -1;
  return at <= now ? 0 : (int)((at - now + 999) / 1000);
}

static void
follow (WsWatch *self)
{
  struct pollfd fds[] = { { .fd = self->wake, .events = POLLIN },
                          { .fd = self->inotify, .events = POLLIN } };

  while (!quitting (self)) {
    run_timers (self);
    work (self);
    if (poll (fds, 2, next_timeout (self)) <= 0)
      continue;
    if ((fds[1].revents & POLLIN) != 0) {
      read_events (self);
      poll (fds, 1, BREATH_MS);
    }
  }
}

static gpointer
run (gpointer data)
{
  WsWatch *self = data;
  guint i;

  for (i = 0; i < self->roots->len && !quitting (self); i++) {
    WsNode *root = self->roots->pdata[i];

    ws_tree_scan (root, &self->hooks);
    update_guard (self, root);
  }
  if (!quitting (self))
    vix_inventory_announce (self->host->inventory, VIXEXT_EVENT_LOADED);
  follow (self);
  return NULL;
}

/* ---- life ---- */

WsWatch *
ws_watch_new (WsHost *host)
{
  WsWatch *self = g_new0 (WsWatch, 1);
  gsize i;

  self->host = host;
  self->inotify = inotify_init1 (IN_CLOEXEC | IN_NONBLOCK);
  self->wake = eventfd (0, EFD_CLOEXEC | EFD_NONBLOCK);
  self->roots = g_ptr_array_new ();
  self->by_wd = g_hash_table_new (NULL, NULL);
  self->pending = g_hash_table_new (NULL, NULL);
  self->polled = g_hash_table_new (NULL, NULL);
  self->guarded = g_hash_table_new (NULL, NULL);
  self->batch = g_ptr_array_new ();
  self->hooks = (WsTreeHooks){ .enter = on_enter,
                               .leave = on_leave,
                               .found = on_found,
                               .gone = on_gone,
                               .moved = on_moved,
                               .stop = quitting,
                               .data = self };
  for (i = 0; host->roots[i] != NULL; i++)
    g_ptr_array_add (self->roots, ws_tree_new (host->roots[i]));
  ws_host_start_publishing (host);
  self->thread = g_thread_new ("vix-watch", run, self);
  return self;
}

void
ws_watch_free (WsWatch *self)
{
  guint i;

  if (self == NULL)
    return;
  g_atomic_int_set (&self->quit, 1);
  eventfd_write (self->wake, 1);
  g_thread_join (self->thread);
  for (i = 0; i < self->roots->len; i++)
    ws_tree_free (self->roots->pdata[i], &self->hooks);
  if (self->inotify >= 0)
    close (self->inotify);
  close (self->wake);
  g_ptr_array_unref (self->roots);
  g_ptr_array_unref (self->batch);
  g_hash_table_unref (self->by_wd);
  g_hash_table_unref (self->pending);
  g_hash_table_unref (self->polled);
  g_hash_table_unref (self->guarded);
  g_free (self);
}
