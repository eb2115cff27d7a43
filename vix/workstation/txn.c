/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The order in which things become durable, with the price of each step:
 *
 *   1. journal in state PREPARE, staged and created files: written, not synced
 *   2. all of them: write-out started, then one fsync() each; on a journalling
 *      file system the first commits for all, the others find little to do
 *   3. the directory: one fsync()
 *   4. the journal's word, in place: one fdatasync() that touches no metadata
 *   5. renames, patches, removals; the directory: one fsync()
 *   6. the journal goes, unsynced: redoing a finished plan changes nothing
 *
 * A kill before 4 leaves a journal that says PREPARE; a power cut before 3 may
 * leave none, and then files that nothing refers to.
 *
 * A plan of one replaced file needs no journal to be atomic, the rename is
 * enough; there the journal only tells what to clean up.
 */
#include "workstation/txn.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/lock.h"
#include "workstation/txn-apply.h"

/* A file made in this run, kept open for its fsync(). */
typedef struct {
  char *name;
  int fd;
} MadeFile;

struct Txn {
  int dir_fd; /* borrowed */
  char *journal;
  mode_t mode;
  uid_t uid; /* new files are given to, if root; else (uid_t) -1 */
  gid_t gid;
  TxnHandlers handlers;
  GPtrArray *ops;
  GPtrArray *made; /* MadeFile */
  int journal_fd;  /* -1 until prepared */
  gboolean prepared;
  gboolean committed;
};

static void
made_file_free (MadeFile *file)
{
  if (file->fd >= 0)
    close (file->fd);
  g_free (file->name);
  g_free (file);
}

Txn *
txn_new (int dir_fd, const char *journal, const struct stat *like,
         const TxnHandlers *handlers)
{
  Txn *self = g_new0 (Txn, 1);

  self->dir_fd = dir_fd;
  self->journal = g_strdup (journal);
  self->mode = 0600;
  self->uid = (uid_t)-1;
  self->gid = (gid_t)-1;
  if (like != NULL) {
    self->mode = (like->st_mode & 0666) | 0600;
    if (geteuid () == 0) {
      self->uid = like->st_uid;
      self->gid = like->st_gid;
    }
  }
  self->handlers = *handlers;
  self->ops = g_ptr_array_new_with_free_func ((GDestroyNotify)txn_op_free);
  self->made = g_ptr_array_new_with_free_func ((GDestroyNotify)made_file_free);
  self->journal_fd = -1;
  return self;
}

void
txn_free (Txn *self)
{
  if (self == NULL)
    return;
  /* What cannot be undone now is left to txn_recover(): the journal stays. */
  if (self->prepared && !self->committed
      && txn_undo (self->dir_fd, self->ops, &self->handlers, NULL))
    txn_remove_file (self->dir_fd, self->journal, NULL);
  if (self->journal_fd >= 0)
    close (self->journal_fd);
  g_ptr_array_unref (self->made);
  g_ptr_array_unref (self->ops);
  g_free (self->journal);
  g_free (self);
}

/* ---- the plan ---- */

static TxnOp *
add_op (Txn *self, TxnOpKind kind, const char *name, GError **error)
{
  TxnOp *op;

  g_assert (!self->prepared);
  if (!txn_check_name (kind, name, error))
    return NULL;
  op = g_new0 (TxnOp, 1);
  op->kind = kind;
  op->name = g_strdup (name);
  g_ptr_array_add (self->ops, op);
  return op;
}

gboolean
txn_add_create (Txn *self, const char *name, GError **error)
{
  return add_op (self, TXN_CREATE, name, error) != NULL;
}

gboolean
txn_add_repair (Txn *self, const char *name, GError **error)
{
  return add_op (self, TXN_REPAIR, name, error) != NULL;
}

/* (nullable): the last replacement of @name planned so far. */
static const TxnOp *
find_replace (const Txn *self, const char *name)
{
  for (guint i = self->ops->len; i > 0; i--) {
    const TxnOp *op = g_ptr_array_index (self->ops, i - 1);

    if (op->kind == TXN_REPLACE && strcmp (op->name, name) == 0)
      return op;
  }
  return NULL;
}

gboolean
txn_add_replace (Txn *self, const char *name, GBytes *content, GError **error)
{
  g_autofree char *sha
    = g_compute_checksum_for_bytes (G_CHECKSUM_SHA256, content);
  const TxnOp *before = find_replace (self, name);
  char old_sha[TXN_SHA_LEN + 1];
  TxnOp *op;

  g_assert (before == NULL || !g_str_has_suffix (before->other, "2"));
  if (before != NULL)
    g_strlcpy (old_sha, before->new_sha, sizeof old_sha);
  else if (!txn_file_sha (self->dir_fd, name, old_sha, error))
    return FALSE;
  if (strcmp (old_sha, sha) == 0)
    return TRUE;
  op = add_op (self, TXN_REPLACE, name, error);
  if (op == NULL)
    return FALSE;
  op->other
    = g_strconcat (name, ".vixfs-tmp", before == NULL ? "1" : "2", NULL);
  g_strlcpy (op->old_sha, old_sha, sizeof op->old_sha);
  g_strlcpy (op->new_sha, sha, sizeof op->new_sha);
  op->bytes = g_bytes_ref (content);
  return TRUE;
}

gboolean
txn_add_patch (Txn *self, const char *name, guint64 offset, GBytes *bytes,
               GError **error)
{
  TxnOp *op = add_op (self, TXN_PATCH, name, error);

  if (op == NULL)
    return FALSE;
  op->offset = offset;
  op->bytes = g_bytes_ref (bytes);
  return TRUE;
}

gboolean
txn_add_unlink (Txn *self, const char *name, GError **error)
{
  return add_op (self, TXN_UNLINK, name, error) != NULL;
}

gboolean
txn_add_merge (Txn *self, const char *child, const char *parent, guint32 tag,
               GError **error)
{
  TxnOp *op;

  if (!txn_check_name (TXN_MERGE, parent, error))
    return FALSE;
  op = add_op (self, TXN_MERGE, child, error);
  if (op == NULL)
    return FALSE;
  op->other = g_strdup (parent);
  op->offset = tag;
  return TRUE;
}

gboolean
txn_is_empty (const Txn *self)
{
  return self->ops->len == 0;
}

/* ---- prepare ---- */

/* Gives @fd the permissions of @like or, if NULL, of the transaction. */
static gboolean
take_owner (const Txn *self, int fd, const struct stat *like, const char *name,
            GError **error)
{
  mode_t mode = like != NULL ? like->st_mode & 07777 : self->mode;
  uid_t uid = self->uid;
  gid_t gid = self->gid;

  if (uid != (uid_t)-1 && like != NULL) {
    uid = like->st_uid;
    gid = like->st_gid;
  }
  if ((uid != (uid_t)-1 && fchown (fd, uid, gid) < 0)
      || fchmod (fd, mode) < 0) {
    vix_set_error_errno (error, errno, "permissions of %s", name);
    return FALSE;
  }
  return TRUE;
}

/* Makes @name, which must not exist, and keeps it open for its fsync(). */
static int
make_file (Txn *self, const char *name, const struct stat *like, GError **error)
{
  MadeFile *file;
  int fd = openat (self->dir_fd, name,
                   O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);

  if (fd < 0) {
    vix_set_error_errno (error, errno, "creating %s", name);
    return -1;
  }
  file = g_new0 (MadeFile, 1);
  file->name = g_strdup (name);
  file->fd = fd;
  g_ptr_array_add (self->made, file);
  return take_owner (self, fd, like, name, error) ? fd : -1;
}

static gboolean
stage (Txn *self, const TxnOp *op, GError **error)
{
  struct stat st;
  const struct stat *like = NULL;
  gsize len;
  const void *data = g_bytes_get_data (op->bytes, &len);
  int fd;

  if (fstatat (self->dir_fd, op->name, &st, AT_SYMLINK_NOFOLLOW) == 0)
    like = &st;
  /* left by a power cut; nobody else uses such a name */
  if (!txn_remove_file (self->dir_fd, op->other, error))
    return FALSE;
  fd = make_file (self, op->other, like, error);
  return fd >= 0 && txn_write_all (fd, 0, data, len, op->other, error);
}

static gboolean
check_absent (const Txn *self, const char *name, GError **error)
{
  struct stat st;

  if (fstatat (self->dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0
      && errno == ENOENT)
    return TRUE;
  g_set_error (error, VIX_ERROR, VIX_E_FILE_ALREADY_EXISTS,
               "%s: exists already and is in the way", name);
  return FALSE;
}

static gboolean
write_journal (Txn *self, GError **error)
{
  g_autoptr (GBytes) text = txn_journal_encode (self->ops, error);
  gsize len;
  const void *data;
  int fd;

  if (text == NULL)
    return FALSE;
  fd = openat (self->dir_fd, self->journal,
               O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (fd < 0) {
    vix_set_error_errno (error, errno, "creating %s", self->journal);
    return FALSE;
  }
  self->journal_fd = fd;
  self->prepared = TRUE;
  data = g_bytes_get_data (text, &len);
  return take_owner (self, fd, NULL, self->journal, error)
         && txn_write_all (fd, 0, data, len, self->journal, error);
}

gboolean
txn_prepare (Txn *self, GError **error)
{
  VIX_MAY_BLOCK ();
  g_assert (!self->prepared);
  for (guint i = 0; i < self->ops->len; i++) {
    const TxnOp *op = g_ptr_array_index (self->ops, i);

    if (op->kind == TXN_CREATE && !check_absent (self, op->name, error))
      return FALSE;
  }
  if (!write_journal (self, error))
    return FALSE;
  for (guint i = 0; i < self->ops->len; i++) {
    const TxnOp *op = g_ptr_array_index (self->ops, i);

    if (op->kind == TXN_REPLACE && !stage (self, op, error))
      return FALSE;
  }
  return TRUE;
}

int
txn_open (Txn *self, const char *name, GError **error)
{
  gboolean planned = FALSE;
  int fd;
  int copy;

  for (guint i = 0; i < self->ops->len; i++) {
    const TxnOp *op = g_ptr_array_index (self->ops, i);

    planned |= op->kind == TXN_CREATE && strcmp (op->name, name) == 0;
  }
  g_assert (self->prepared && planned);
  fd = make_file (self, name, NULL, error);
  if (fd < 0)
    return -1;
  copy = fcntl (fd, F_DUPFD_CLOEXEC, 0);
  if (copy < 0)
    vix_set_error_errno (error, errno, "opening %s", name);
  return copy;
}

gboolean
txn_write (Txn *self, const char *name, GBytes *content, GError **error)
{
  gsize len;
  const void *data = g_bytes_get_data (content, &len);
  gboolean ok;
  int fd = txn_open (self, name, error);

  if (fd < 0)
    return FALSE;
  ok = txn_write_all (fd, 0, data, len, name, error);
  close (fd);
  return ok;
}

/* ---- commit ---- */

static gboolean
sync_fd (int fd, const char *name, GError **error)
{
  if (fsync (fd) == 0)
    return TRUE;
  vix_set_error_errno (error, errno, "syncing %s", name);
  return FALSE;
}

static gboolean
sync_made (Txn *self, GError **error)
{
  for (guint i = 0; i < self->made->len; i++)
    txn_start_writeback (((MadeFile *)self->made->pdata[i])->fd);
  for (guint i = 0; i < self->made->len; i++) {
    MadeFile *file = self->made->pdata[i];

    if (!sync_fd (file->fd, file->name, error))
      return FALSE;
    /* the staged file is about to be renamed: it needs no fd any more */
    close (file->fd);
    file->fd = -1;
  }
  return TRUE;
}

static gboolean
write_word (Txn *self, const char *word, GError **error)
{
  if (!txn_write_all (self->journal_fd, TXN_STATE_OFFSET, word, strlen (word),
                      self->journal, error))
    return FALSE;
  if (fdatasync (self->journal_fd) == 0)
    return TRUE;
  vix_set_error_errno (error, errno, "syncing %s", self->journal);
  return FALSE;
}

static gboolean
commit_word (Txn *self, GError **error)
{
  txn_start_writeback (self->journal_fd);
  if (!sync_made (self, error)
      || !sync_fd (self->journal_fd, self->journal, error)
      || !txn_sync_dir (self->dir_fd, error))
    return FALSE;
  if (write_word (self, TXN_WORD_COMMIT, error))
    return TRUE;
  /* Whether the word reached the disk is unknown. Taking it back may fail
   * too: recovery finds created files missing then and undoes the rest. */
  write_word (self, TXN_WORD_PREPARE, NULL);
  return FALSE;
}

/* The plan is one replaced file: its rename is the commit. */
static gboolean
commit_by_rename (Txn *self, gboolean *ret_committed, GError **error)
{
  const TxnOp *op = g_ptr_array_index (self->ops, 0);
  gboolean merge_failed;
  struct stat st;

  if (!sync_made (self, error))
    return FALSE;
  if (txn_apply (self->dir_fd, self->ops, G_MAXUINT, &self->handlers,
                 &merge_failed, error)) {
    *ret_committed = TRUE;
    return TRUE;
  }
  /* renamed but not synced: made, if perhaps not for good */
  *ret_committed = fstatat (self->dir_fd, op->other, &st, 0) < 0;
  return FALSE;
}

/* A step that fails once is tried again: what is committed should not wait
 * for the next start because of a passing error. A merge may have run for
 * hours; that is left to the next start. */
static gboolean
carry_out (Txn *self, GError **error)
{
  g_autoptr (GError) first = NULL;
  gboolean merge_failed;

  if (txn_apply (self->dir_fd, self->ops, G_MAXUINT, &self->handlers,
                 &merge_failed, &first))
    return TRUE;
  if (!merge_failed
      && txn_apply (self->dir_fd, self->ops, G_MAXUINT, &self->handlers,
                    &merge_failed, NULL))
    return TRUE;
  g_propagate_prefixed_error (error, g_steal_pointer (&first),
                              "the change is made, its completion is tried "
                              "again at the next start: ");
  return FALSE;
}

gboolean
txn_commit (Txn *self, gboolean *ret_committed, GError **error)
{
  gboolean by_rename = self->ops->len == 1
                       && ((TxnOp *)self->ops->pdata[0])->kind == TXN_REPLACE;
  gboolean committed = FALSE;
  gboolean ok;

  VIX_MAY_BLOCK ();
  g_assert (self->prepared && !self->committed);
  if (by_rename)
    ok = commit_by_rename (self, &committed, error);
  else {
    committed = commit_word (self, error);
    ok = committed && carry_out (self, error);
  }
  self->committed = committed;
  if (ret_committed != NULL)
    *ret_committed = committed;
  /* If it cannot be removed, the next start does a finished plan again. */
  if (ok || (by_rename && committed))
    txn_remove_file (self->dir_fd, self->journal, NULL);
  return ok;
}
