/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * VMware's lock directory is a bakery: whoever enters announces itself with a
 * directory D#####.lck, draws a ticket above all that are out, writes it as
 * E#####.lck, renames that to M#####.lck, takes the announcement away, and
 * waits until nobody with a smaller (ticket, name) is left and nobody is
 * still drawing.
 *
 * What a killed one of us leaves has to be told from VMware's. A member
 * carries the token vixfs=1. An announcement has no content, so ours has the
 * sticky bit, which mkdir() sets together with the name, and its number is our
 * pid modulo 100,000.
 */
#include "workstation/lock-file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/lock.h"
#include "workstation/lock-member.h"

#define NUMBERS 100000       /* five digits */
#define MAX_MEMBERS 1024     /* more than this is no lock directory */
#define ANNOUNCEMENT_MAX_S 8 /* VMware drops one that makes no progress */
#define PID_LIMIT (4 * 1024 * 1024) /* the kernel's upper bound of a pid */
#define POLL_MIN_MS 2
#define POLL_MAX_MS 50

/* One letter, five digits, ".lck"; -1 if @name is none of that letter. */
static int
entry_number (const char *name, char letter)
{
  int number = 0, i;

  if (strlen (name) != strlen ("M00000.lck") || name[0] != letter
      || strcmp (name + 6, ".lck") != 0)
    return -1;
  for (i = 1; i <= 5; i++) {
    if (!g_ascii_isdigit (name[i]))
      return -1;
    number = number * 10 + (name[i] - '0');
  }
  return number;
}

/* ---- the lock directory ---- */

typedef struct {
  GPtrArray *members;       /* of WsLockMember */
  GPtrArray *announcements; /* names D#####.lck */
  GPtrArray *entering;      /* names E#####.lck */
} LckContents;

static void
lck_contents_clear (LckContents *c)
{
  g_clear_pointer (&c->members, g_ptr_array_unref);
  g_clear_pointer (&c->announcements, g_ptr_array_unref);
  g_clear_pointer (&c->entering, g_ptr_array_unref);
}
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (LckContents, lck_contents_clear)

static gboolean
lck_read (int lck_fd, LckContents *ret, GError **error)
{
  int fd = openat (lck_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR *dir = fd < 0 ? NULL : fdopendir (fd);
  struct dirent *entry;

  if (dir == NULL) {
    vix_set_error_errno (error, errno, "reading a lock directory");
    if (fd >= 0)
      close (fd);
    return FALSE;
  }
  ret->members
    = g_ptr_array_new_with_free_func ((GDestroyNotify)ws_lock_member_free);
  ret->announcements = g_ptr_array_new_with_free_func (g_free);
  ret->entering = g_ptr_array_new_with_free_func (g_free);
  while ((entry = readdir (dir)) != NULL && ret->members->len < MAX_MEMBERS) {
    if (entry_number (entry->d_name, 'M') >= 0) {
      WsLockMember *m = ws_lock_member_read (lck_fd, entry->d_name);

      if (m != NULL)
        g_ptr_array_add (ret->members, m);
    } else if (entry_number (entry->d_name, 'D') >= 0) {
      g_ptr_array_add (ret->announcements, g_strdup (entry->d_name));
    } else if (entry_number (entry->d_name, 'E') >= 0) {
      g_ptr_array_add (ret->entering, g_strdup (entry->d_name));
    }
  }
  closedir (dir);
  return TRUE;
}

static WsLockState
member_state (const WsLockMember *m)
{
  if (!m->readable)
    return WS_LOCK_HELD;
  if (m->dead)
    return WS_LOCK_STALE;
  /* A living process of ours on another machine is another host's. */
  return m->ours && m->here ? WS_LOCK_KIN : WS_LOCK_HELD;
}

void
ws_lock_owner_clear (WsLockOwner *owner)
{
  g_clear_pointer (&owner->machine, g_free);
  g_clear_pointer (&owner->process, g_free);
  owner->pid = 0;
}

static void
set_owner (WsLockOwner *owner, const WsLockMember *m)
{
  ws_lock_owner_clear (owner);
  owner->machine = g_strdup (m != NULL && m->readable ? m->machine : "");
  owner->process = g_strdup (m != NULL && m->process != NULL ? m->process : "");
  owner->pid = m != NULL && m->readable ? m->pid : 0;
}

static WsLockState
judge_members (const GPtrArray *members, WsLockOwner *ret_owner)
{
  const WsLockMember *worst = NULL;
  WsLockState state = WS_LOCK_FREE;
  guint i;

  for (i = 0; i < members->len; i++) {
    const WsLockMember *m = members->pdata[i];

    if (member_state (m) > state) {
      worst = m;
      state = member_state (m);
    }
  }
  if (state != WS_LOCK_FREE && ret_owner != NULL)
    set_owner (ret_owner, worst);
  return state;
}

WsLockState
ws_file_lock_inspect (int dir_fd, const char *name, WsLockOwner *ret_owner)
{
  g_autofree char *lck = g_strconcat (name, ".lck", NULL);
  g_auto (LckContents) contents = { 0 };
  WsLockState state = WS_LOCK_HELD;
  int fd
    = openat (dir_fd, lck, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

  if (fd < 0 && errno == ENOENT)
    return WS_LOCK_FREE;
  if (fd >= 0 && lck_read (fd, &contents, NULL))
    state = judge_members (contents.members, ret_owner);
  else if (ret_owner != NULL)
    set_owner (ret_owner, NULL);
  if (fd >= 0)
    close (fd);
  return state;
}

static void
set_held_error (GError **error, const char *name, const WsLockOwner *owner)
{
  if (owner->pid != 0)
    g_set_error (error, VIX_ERROR, VIX_E_FILE_ALREADY_LOCKED,
                 "\"%s\" is in use by %s (process %" G_GINT64_FORMAT
                 ", machine %s): close the VM there and try again; if that "
                 "program is gone, remove the directory \"%s.lck\"",
                 name, *owner->process ? owner->process : "another program",
                 owner->pid, owner->machine, name);
  else
    g_set_error (error, VIX_ERROR, VIX_E_FILE_ALREADY_LOCKED,
                 "\"%s\" is locked by \"%s.lck\", whose owner cannot be told: "
                 "close the VM, or remove that lock if nobody uses it",
                 name, name);
}

gboolean
ws_file_lock_check (int dir_fd, const char *name, GError **error)
{
  g_auto (WsLockOwner) owner = { 0 };

  if (ws_file_lock_inspect (dir_fd, name, &owner) != WS_LOCK_HELD)
    return TRUE;
  set_held_error (error, name, &owner);
  return FALSE;
}

/* ---- taking and releasing ---- */

struct WsFileLock {
  int dir_fd;
  int lck_fd;
  char *name; /* the file */
  char *lck;  /* its lock directory */
  char member[sizeof "M00000.lck"];
  guint64 ticket; /* 0: none drawn yet */
};

void
ws_file_lock_release (WsFileLock *lock)
{
  if (lock == NULL)
    return;
  if (lock->lck_fd >= 0) {
    if (lock->ticket != 0)
      (void)unlinkat (lock->lck_fd, lock->member, 0);
    close (lock->lck_fd);
    /* Fails while others have their member in it. */
    (void)unlinkat (lock->dir_fd, lock->lck, AT_REMOVEDIR);
  }
  if (lock->dir_fd >= 0)
    close (lock->dir_fd);
  g_free (lock->name);
  g_free (lock->lck);
  g_free (lock);
}

/* Could a living process have made the announcement with this number? */
static gboolean
number_has_process (int number)
{
  int pid;

  for (pid = number; pid < PID_LIMIT; pid += NUMBERS)
    if (pid > 1 && (kill (pid, 0) == 0 || errno != ESRCH))
      return TRUE;
  return FALSE;
}

/* An announcement that nobody will take away: ours with its process gone, or
 * anybody's that stood still for longer than VMware waits. */
static gboolean
is_abandoned (int lck_fd, const char *name)
{
  struct stat st;

  if (fstatat (lck_fd, name, &st, AT_SYMLINK_NOFOLLOW) != 0)
    return FALSE;
  if (S_ISDIR (st.st_mode) && (st.st_mode & S_ISVTX) != 0
      && !number_has_process (entry_number (name, 'D')))
    return TRUE;
  return g_get_real_time () / G_USEC_PER_SEC - st.st_mtime > ANNOUNCEMENT_MAX_S;
}

/* Removes what killed processes of ours, and abandoned announcements, left. */
static void
sweep (int lck_fd, LckContents *contents)
{
  guint i;

  for (i = 0; i < contents->members->len;) {
    const WsLockMember *m = contents->members->pdata[i];

    if (m->readable && m->ours && m->dead
        && (unlinkat (lck_fd, m->name, 0) == 0 || errno == ENOENT))
      g_ptr_array_remove_index_fast (contents->members, i);
    else
      i++;
  }
  for (i = 0; i < contents->announcements->len;) {
    const char *name = contents->announcements->pdata[i];
    char entering[sizeof "E00000.lck"];

    if (is_abandoned (lck_fd, name)) {
      g_strlcpy (entering, name, sizeof entering);
      entering[0] = 'E';
      (void)unlinkat (lck_fd, entering, 0);
      (void)unlinkat (lck_fd, name, AT_REMOVEDIR);
      g_ptr_array_remove_index_fast (contents->announcements, i);
    } else {
      i++;
    }
  }
}

static gboolean
lck_read_swept (int lck_fd, LckContents *ret, GError **error)
{
  if (!lck_read (lck_fd, ret, error))
    return FALSE;
  sweep (lck_fd, ret);
  return TRUE;
}

static gboolean
write_all (int fd, const char *data, gsize len)
{
  while (len > 0) {
    gssize n = TEMP_FAILURE_RETRY (write (fd, data, len));

    if (n < 0)
      return FALSE;
    data += n;
    len -= (gsize)n;
  }
  return TRUE;
}

/* Draws the ticket above all that are out and shows it as E, then as M. */
static gboolean
show_ticket (WsFileLock *lock, const char *dir_path, const char *entering,
             GError **error)
{
  g_auto (LckContents) contents = { 0 };
  char text[WS_LOCK_MEMBER_BYTES];
  guint64 highest = 0;
  gboolean ok;
  guint i;
  int fd;

  if (!lck_read_swept (lock->lck_fd, &contents, error))
    return FALSE;
  for (i = 0; i < contents.members->len; i++)
    highest
      = MAX (highest, ((WsLockMember *)contents.members->pdata[i])->ticket);
  if (highest > G_MAXINT64) {
    g_set_error (error, VIX_ERROR, VIX_E_FILE_ALREADY_LOCKED,
                 "\"%s\" has a member with an absurd ticket; remove that lock "
                 "if nobody uses the VM",
                 lock->lck);
    return FALSE;
  }
  fd = openat (lock->lck_fd, entering,
               O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
  if (fd < 0) {
    vix_set_error_errno (error, errno, "creating \"%s/%s\"", lock->lck,
                         entering);
    return FALSE;
  }
  lock->ticket = highest + 1;
  ws_lock_member_format (lock->ticket, dir_path, lock->lck, text);
  ok = write_all (fd, text, sizeof text);
  ok = close (fd) == 0 && ok;
  ok = ok && renameat (lock->lck_fd, entering, lock->lck_fd, lock->member) == 0;
  if (!ok) {
    vix_set_error_errno (error, errno, "writing \"%s/%s\"", lock->lck,
                         lock->member);
    (void)unlinkat (lock->lck_fd, entering, 0);
    lock->ticket = 0;
  }
  return ok;
}

/* Opens the lock directory, made if need be, and announces us in it. */
static gboolean
announce (WsFileLock *lock, const char *announcement, GError **error)
{
  int tries;

  for (tries = 0; tries < 100; tries++) {
    if (mkdirat (lock->dir_fd, lock->lck, 0777) != 0 && errno != EEXIST)
      break;
    lock->lck_fd = openat (lock->dir_fd, lock->lck,
                           O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (lock->lck_fd < 0) {
      if (errno == ENOENT) /* its last member just left */
        continue;
      break;
    }
    if (mkdirat (lock->lck_fd, announcement, 0777 | S_ISVTX) == 0)
      return TRUE;
    if (errno == EEXIST) {
      g_auto (LckContents) contents = { 0 };

      /* Another thread of ours, or what a process of this number left. */
      if (is_abandoned (lock->lck_fd, announcement))
        (void)lck_read_swept (lock->lck_fd, &contents, NULL);
      else
        g_usleep (1000 * POLL_MIN_MS);
    } else if (errno != ENOENT) {
      break;
    }
    close (lock->lck_fd);
    lock->lck_fd = -1;
  }
  if (errno == ENOTDIR)
    g_set_error (error, VIX_ERROR, VIX_E_FILE_ALREADY_LOCKED,
                 "\"%s\" is not a lock directory: remove it if nobody uses "
                 "\"%s\"",
                 lock->lck, lock->name);
  else
    vix_set_error_errno (error, errno, "locking \"%s\" with \"%s\"", lock->name,
                         lock->lck);
  return FALSE;
}

static gboolean
enter (WsFileLock *lock, const char *dir_path, GError **error)
{
  int number = (int)getpid () % NUMBERS, i;
  char announcement[sizeof "D00000.lck"], entering[sizeof "E00000.lck"];
  gboolean ok;

  snprintf (announcement, sizeof announcement, "D%05u.lck",
            (unsigned)number % NUMBERS);
  if (!announce (lock, announcement, error))
    return FALSE;
  /* The first member number that is free, from ours on. */
  for (i = 0; i < MAX_MEMBERS; i++) {
    snprintf (lock->member, sizeof lock->member, "M%05u.lck",
              (unsigned)(number + i) % NUMBERS);
    if (faccessat (lock->lck_fd, lock->member, F_OK, AT_SYMLINK_NOFOLLOW) != 0)
      break;
  }
  g_strlcpy (entering, lock->member, sizeof entering);
  entering[0] = 'E';
  /* With our announcement up nobody else of this number is entering: what
   * stands there under it is a killed one's. */
  if (i == 0)
    (void)unlinkat (lock->lck_fd, entering, 0);
  ok = show_ticket (lock, dir_path, entering, error);
  (void)unlinkat (lock->lck_fd, announcement, AT_REMOVEDIR);
  return ok;
}

/* Is somebody before us in the queue, or still drawing a ticket? */
static gboolean
must_wait (const WsFileLock *lock, const LckContents *contents,
           WsLockOwner *owner)
{
  guint i;

  for (i = 0; i < contents->members->len; i++) {
    const WsLockMember *m = contents->members->pdata[i];

    if (strcmp (m->name, lock->member) == 0
        || member_state (m) == WS_LOCK_STALE)
      continue;
    if (!m->readable || m->ticket < lock->ticket
        || (m->ticket == lock->ticket && strcmp (m->name, lock->member) < 0)) {
      set_owner (owner, m);
      return TRUE;
    }
  }
  if (contents->announcements->len == 0)
    return FALSE;
  set_owner (owner, NULL);
  return TRUE;
}

/* Sleeps until @cancellable or for @ms. */
static gboolean
nap (int ms, GCancellable *cancellable, GError **error)
{
  GPollFD fd = { .fd = -1 };

  if (cancellable != NULL && g_cancellable_make_pollfd (cancellable, &fd)) {
    (void)g_poll (&fd, 1, ms);
    g_cancellable_release_fd (cancellable);
  } else {
    g_usleep ((gulong)ms * 1000);
  }
  return vix_check_cancelled (cancellable, error);
}

static gboolean
wait_for_turn (WsFileLock *lock, int wait_ms, GCancellable *cancellable,
               GError **error)
{
  gint64 end = g_get_monotonic_time () + (gint64)wait_ms * 1000;
  int pause = POLL_MIN_MS;

  for (;;) {
    g_auto (LckContents) contents = { 0 };
    g_auto (WsLockOwner) owner = { 0 };

    if (!lck_read_swept (lock->lck_fd, &contents, error))
      return FALSE;
    if (!must_wait (lock, &contents, &owner))
      return TRUE;
    if (g_get_monotonic_time () >= end) {
      set_held_error (error, lock->name, &owner);
      return FALSE;
    }
    if (!nap (pause, cancellable, error))
      return FALSE;
    pause = MIN (pause * 2, POLL_MAX_MS);
  }
}

WsFileLock *
ws_file_lock_take (int dir_fd, const char *dir_path, const char *name,
                   int wait_ms, GCancellable *cancellable, GError **error)
{
  g_autoptr (WsFileLock) lock = g_new0 (WsFileLock, 1);

  VIX_MAY_BLOCK ();
  lock->lck_fd = -1;
  lock->name = g_strdup (name);
  lock->lck = g_strconcat (name, ".lck", NULL);
  lock->dir_fd = fcntl (dir_fd, F_DUPFD_CLOEXEC, 3);
  if (lock->dir_fd < 0) {
    vix_set_error_errno (error, errno, "locking \"%s\"", name);
    return NULL;
  }
  if (!vix_check_cancelled (cancellable, error)
      || !enter (lock, dir_path, error)
      || !wait_for_turn (lock, wait_ms, cancellable, error))
    return NULL;
  return g_steal_pointer (&lock);
}

void
ws_file_lock_sweep (int dir_fd, const char *name)
{
  g_autofree char *lck = g_strconcat (name, ".lck", NULL);
  g_auto (LckContents) contents = { 0 };
  int fd
    = openat (dir_fd, lck, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

  VIX_MAY_BLOCK ();
  if (fd < 0)
    return;
  (void)lck_read_swept (fd, &contents, NULL);
  close (fd);
  (void)unlinkat (dir_fd, lck, AT_REMOVEDIR); /* only if nothing is in it */
}

/* ---- our own order ---- */

struct WsDirLock {
  int fd;
};

void
ws_dir_lock_release (WsDirLock *lock)
{
  if (lock == NULL)
    return;
  if (lock->fd >= 0)
    close (lock->fd); /* and with it the lock */
  g_free (lock);
}

WsDirLock *
ws_dir_lock_take (int dir_fd, const char *label, int wait_ms,
                  GCancellable *cancellable, GError **error)
{
  g_autoptr (WsDirLock) lock = g_new0 (WsDirLock, 1);
  gint64 end = g_get_monotonic_time () + (gint64)wait_ms * 1000;
  int pause = POLL_MIN_MS;

  VIX_MAY_BLOCK ();
  lock->fd = openat (dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (lock->fd < 0) {
    vix_set_error_errno (error, errno, "opening \"%s\"", label);
    return NULL;
  }
  if (!vix_check_cancelled (cancellable, error))
    return NULL;
  while (flock (lock->fd, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK && errno != EINTR) {
      vix_set_error_errno (error, errno, "locking \"%s\"", label);
      return NULL;
    }
    if (wait_ms >= 0 && g_get_monotonic_time () >= end) {
      g_set_error (error, VIX_ERROR, VIX_E_OBJECT_IS_BUSY,
                   "another operation is at work in \"%s\": try again when "
                   "it is done",
                   label);
      return NULL;
    }
    if (!nap (pause, cancellable, error))
      return NULL;
    pause = MIN (pause * 2, POLL_MAX_MS);
  }
  return g_steal_pointer (&lock);
}
