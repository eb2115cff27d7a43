/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/lock.h"
#include "workstation/txn-apply.h"

/* ---- reading the journal ---- */

static GBytes *
read_fd (int fd, const char *journal, GError **error)
{
  g_autofree char *buf = NULL;
  struct stat st;
  gsize len = 0;

  if (fstat (fd, &st) < 0) {
    vix_set_error_errno (error, errno, "%s", journal);
    return NULL;
  }
  if (st.st_size > (off_t)TXN_JOURNAL_MAX_BYTES) {
    g_set_error (error, VIX_ERROR, VIX_E_SNAPSHOT_INCONSISTENT,
                 "%s: too long for a journal; move it away", journal);
    return NULL;
  }
  buf = g_malloc ((gsize)st.st_size + 1);
  while (len < (gsize)st.st_size) {
    gssize n = read (fd, buf + len, (gsize)st.st_size - len);

    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0) {
      vix_set_error_errno (error, errno, "reading %s", journal);
      return NULL;
    }
    if (n == 0)
      break;
    len += (gsize)n;
  }
  return g_bytes_new_take (g_steal_pointer (&buf), len);
}

/* NULL without error if there is none. */
static GBytes *
read_journal (int dir_fd, const char *journal, GError **error)
{
  g_autoptr (GError) local = NULL;
  GBytes *bytes;
  int fd = txn_open_regular (dir_fd, journal, O_RDONLY, &local);

  if (fd < 0) {
    if (!g_error_matches (local, VIX_ERROR, VIX_E_FILE_NOT_FOUND))
      g_propagate_error (error, g_steal_pointer (&local));
    return NULL;
  }
  bytes = read_fd (fd, journal, error);
  close (fd);
  return bytes;
}

/* What to do with it. A journal that says PREPARE or is damaged without
 * claiming more has changed nothing yet: a commit syncs it first. */
static gboolean
load (int dir_fd, const char *journal, gboolean *ret_exists,
      TxnJournal **ret_journal, GError **error)
{
  g_autoptr (GError) local = NULL;
  g_autoptr (GBytes) bytes = read_journal (dir_fd, journal, &local);
  const char *data;
  gsize len;

  *ret_journal = NULL;
  *ret_exists = bytes != NULL;
  if (bytes == NULL) {
    if (local == NULL)
      return TRUE;
    g_propagate_error (error, g_steal_pointer (&local));
    return FALSE;
  }
  data = g_bytes_get_data (bytes, &len);
  *ret_journal = txn_journal_decode (data, len, &local);
  if (*ret_journal == NULL && txn_journal_claims_commit (data, len)) {
    g_set_error (error, VIX_ERROR, VIX_E_SNAPSHOT_INCONSISTENT,
                 "%s: %s; a change was cut off here and cannot be completed: "
                 "check the VM, then delete this file",
                 journal, local->message);
    return FALSE;
  }
  return TRUE;
}

static guint
find_first_merge (GPtrArray *ops)
{
  for (guint i = 0; i < ops->len; i++)
    if (((TxnOp *)ops->pdata[i])->kind == TXN_MERGE)
      return i;
  return ops->len;
}

gboolean
txn_peek (int dir_fd, const char *journal, TxnState *ret_state, GError **error)
{
  g_autoptr (TxnJournal) found = NULL;
  gboolean exists;

  if (!load (dir_fd, journal, &exists, &found, error))
    return FALSE;
  if (!exists)
    *ret_state = TXN_STATE_NONE;
  else if (found == NULL || !found->committed)
    *ret_state = TXN_STATE_UNDO;
  else
    *ret_state = TXN_STATE_REDO;
  for (guint i = 0; *ret_state == TXN_STATE_REDO && i < found->ops->len; i++)
    if (((TxnOp *)found->ops->pdata[i])->kind == TXN_MERGE)
      *ret_state = TXN_STATE_REDO_LONG;
  return TRUE;
}

/* ---- what a committed plan finds ---- */

typedef struct {
  gboolean made_missing; /* a created file is not there */
  gboolean applied;      /* a replacement was carried out */
  gboolean pending;      /* one was not yet */
  gboolean lost;         /* one was not and cannot: its staged file is bad */
  const char *foreign;   /* somebody else changed this one since */
} Findings;

static const TxnOp *
next_replace (GPtrArray *ops, guint after)
{
  const TxnOp *op = g_ptr_array_index (ops, after);

  for (guint i = after + 1; i < ops->len; i++) {
    const TxnOp *other = g_ptr_array_index (ops, i);

    if (other->kind == TXN_REPLACE && strcmp (other->name, op->name) == 0)
      return other;
  }
  return NULL;
}

/* The second replacement of a file, with the first still to be done. */
static gboolean
waits_for_another (int dir_fd, const TxnOp *op)
{
  g_autofree char *first = g_strconcat (op->name, ".vixfs-tmp1", NULL);
  struct stat st;

  return strcmp (first, op->other) != 0
         && fstatat (dir_fd, first, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

/* A staged file exists from before the commit until its rename, so that it
 * tells whether that was done. */
static gboolean
look_at_replace (int dir_fd, GPtrArray *ops, guint i, Findings *found,
                 GError **error)
{
  const TxnOp *op = g_ptr_array_index (ops, i);
  const TxnOp *next = next_replace (ops, i);
  char now[TXN_SHA_LEN + 1];
  char staged[TXN_SHA_LEN + 1];

  if (!txn_file_sha (dir_fd, op->name, now, error)
      || !txn_file_sha (dir_fd, op->other, staged, error))
    return FALSE;
  if (strcmp (staged, TXN_ABSENT) == 0) {
    if (strcmp (now, op->new_sha) == 0
        || (next != NULL && strcmp (now, next->new_sha) == 0))
      found->applied = TRUE;
    else if (strcmp (now, op->old_sha) == 0)
      found->lost = TRUE;
    else
      found->foreign = op->name;
    return TRUE;
  }
  if (strcmp (staged, op->new_sha) != 0)
    found->lost = TRUE;
  else
    found->pending = TRUE;
  if (strcmp (now, op->old_sha) != 0 && !waits_for_another (dir_fd, op))
    found->foreign = op->name;
  return TRUE;
}

/* Of the steps from index @first up to @end. */
static gboolean
look (int dir_fd, GPtrArray *ops, guint first, guint end, Findings *found,
      GError **error)
{
  struct stat st;

  for (guint i = first; i < end; i++) {
    const TxnOp *op = g_ptr_array_index (ops, i);

    if (op->kind == TXN_CREATE
        && fstatat (dir_fd, op->name, &st, AT_SYMLINK_NOFOLLOW) < 0)
      found->made_missing = TRUE;
    if (op->kind == TXN_REPLACE
        && !look_at_replace (dir_fd, ops, i, found, error))
      return FALSE;
  }
  return TRUE;
}

/* ---- doing it ---- */

static gboolean
finish (int dir_fd, const char *journal, GError **error)
{
  return txn_remove_file (dir_fd, journal, error);
}

static gboolean
undo (int dir_fd, const char *journal, const TxnJournal *found,
      const TxnHandlers *handlers, GError **error)
{
  return (found == NULL || txn_undo (dir_fd, found->ops, handlers, error))
         && finish (dir_fd, journal, error);
}

/* The plan before the first merge is sound by itself; what follows is given
 * up. */
static gboolean
drop_rest (int dir_fd, const char *journal, const TxnJournal *found,
           const TxnHandlers *handlers, GError **error)
{
  gboolean merge_failed;

  return txn_apply (dir_fd, found->ops, find_first_merge (found->ops), handlers,
                    &merge_failed, error)
         && txn_drop_staged (dir_fd, found->ops, error)
         && finish (dir_fd, journal, error);
}

static gboolean
redo (int dir_fd, const char *journal, const TxnJournal *found,
      const TxnHandlers *handlers, GError **ret_dropped, GError **error)
{
  g_autoptr (GError) local = NULL;
  gboolean merge_failed;

  if (txn_apply (dir_fd, found->ops, G_MAXUINT, handlers, &merge_failed,
                 &local))
    return finish (dir_fd, journal, error);
  /* what stops a merge now may let it pass at the next start */
  if (!merge_failed || g_error_matches (local, VIX_ERROR, VIX_E_CANCELLED)
      || g_error_matches (local, VIX_ERROR, VIX_E_FILE_ALREADY_LOCKED)) {
    g_propagate_error (error, g_steal_pointer (&local));
    return FALSE;
  }
  if (ret_dropped != NULL)
    *ret_dropped = g_steal_pointer (&local);
  return drop_rest (dir_fd, journal, found, handlers, error);
}

/* Neither way is safe any more. */
static gboolean
is_stuck (Findings *found)
{
  /* Everything was renamed and then edited: the change had been made. */
  if (found->foreign != NULL && !found->pending && !found->lost)
    found->foreign = NULL;
  return found->foreign != NULL
         || ((found->lost || found->made_missing) && found->applied);
}

static void
set_stuck_error (const char *journal, const Findings *found, GError **error)
{
  g_set_error (error, VIX_ERROR, VIX_E_SNAPSHOT_INCONSISTENT,
               "%s: changed by another program after a change of this VM was "
               "cut off; check the VM, then delete %s",
               found->foreign != NULL ? found->foreign : "a file", journal);
}

gboolean
txn_recover (int dir_fd, const char *journal, const TxnHandlers *handlers,
             GError **ret_dropped, GError **error)
{
  g_autoptr (TxnJournal) found = NULL;
  Findings before = { 0 };
  Findings after = { 0 };
  gboolean exists;
  guint merge;

  VIX_MAY_BLOCK ();
  if (!load (dir_fd, journal, &exists, &found, error))
    return FALSE;
  if (!exists)
    return TRUE;
  if (found == NULL || !found->committed)
    return undo (dir_fd, journal, found, handlers, error);
  merge = find_first_merge (found->ops);
  if (!look (dir_fd, found->ops, 0, merge, &before, error)
      || !look (dir_fd, found->ops, merge, found->ops->len, &after, error))
    return FALSE;
  if (is_stuck (&before)) {
    set_stuck_error (journal, &before, error);
    return FALSE;
  }
  if (before.lost || before.made_missing)
    return undo (dir_fd, journal, found, handlers, error);
  if (is_stuck (&after) || after.lost) {
    if (ret_dropped != NULL)
      set_stuck_error (journal, &after, ret_dropped);
    return drop_rest (dir_fd, journal, found, handlers, error);
  }
  return redo (dir_fd, journal, found, handlers, ret_dropped, error);
}
