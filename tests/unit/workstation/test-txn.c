/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <glib/gstdio.h>

#include "base/error.h"
#include "workstation/txn-journal.h"
#include "workstation/txn.h"

#define JOURNAL "vm.vixfs-journal"

typedef struct {
  char *path;
  int fd;
  TxnHandlers handlers;
  guint merges;
  guint repairs;
  gboolean die_in_merge;
  gboolean fail_merge;
} Fixture;

static gboolean
on_merge (gpointer data, const char *child, const char *parent, guint32 tag,
          GError **error)
{
  Fixture *f = data;

  if (f->die_in_merge)
    _exit (7);
  f->merges++;
  g_assert_cmpstr (child, ==, "vm-000001.vmdk");
  g_assert_cmpstr (parent, ==, "vm.vmdk");
  g_assert_cmphex (tag, ==, 0xfffffff1);
  if (f->fail_merge)
    g_set_error (error, VIX_ERROR, VIX_E_FILE_ERROR, "unreadable");
  return !f->fail_merge;
}

static gboolean
on_repair (gpointer data, const char *name, GError **error)
{
  Fixture *f = data;

  g_assert_cmpstr (name, ==, "vm-000009.vmdk");
  f->repairs++;
  return TRUE;
}

static void
put (Fixture *f, const char *name, const char *text)
{
  g_autofree char *path = g_build_filename (f->path, name, NULL);

  g_assert_true (g_file_set_contents (path, text, -1, NULL));
}

static void
assert_text (Fixture *f, const char *name, const char *text)
{
  g_autofree char *path = g_build_filename (f->path, name, NULL);
  g_autofree char *found = NULL;

  g_assert_true (g_file_get_contents (path, &found, NULL, NULL));
  g_assert_cmpstr (found, ==, text);
}

static gint
compare_names (gconstpointer a, gconstpointer b)
{
  return strcmp (*(char *const *)a, *(char *const *)b);
}

/* The directory holds @names (sorted, separated by blanks), nothing else. */
static void
assert_files (Fixture *f, const char *names)
{
  g_autoptr (GDir) dir = g_dir_open (f->path, 0, NULL);
  g_autoptr (GPtrArray) found = g_ptr_array_new_with_free_func (g_free);
  g_autofree char *joined = NULL;
  const char *name;

  while ((name = g_dir_read_name (dir)) != NULL)
    g_ptr_array_add (found, g_strdup (name));
  g_ptr_array_sort (found, compare_names);
  g_ptr_array_add (found, NULL);
  joined = g_strjoinv (" ", (char **)found->pdata);
  g_assert_cmpstr (joined, ==, names);
}

static GBytes *
text_bytes (const char *text)
{
  return g_bytes_new (text, strlen (text));
}

static void
set_up (Fixture *f, gconstpointer data)
{
  f->path = g_dir_make_tmp ("txn-XXXXXX", NULL);
  f->fd = open (f->path, O_RDONLY | O_DIRECTORY);
  g_assert_cmpint (f->fd, >=, 0);
  f->handlers = (TxnHandlers){ on_merge, on_repair, f };
  put (f, "vm.vmx", "old vmx");
  put (f, "vm.vmsd", "old vmsd");
  put (f, "vm.vmdk", "0123456789");
  put (f, "vm-000001.vmdk", "child");
}

static void
tear_down (Fixture *f, gconstpointer data)
{
  g_autoptr (GDir) dir = g_dir_open (f->path, 0, NULL);
  const char *name;

  while ((name = g_dir_read_name (dir)) != NULL)
    g_assert_no_errno (unlinkat (f->fd, name, 0));
  g_assert_no_errno (g_rmdir (f->path));
  close (f->fd);
  g_free (f->path);
}

#define OLD_FILES "vm-000001.vmdk vm.vmdk vm.vmsd vm.vmx"

/* A plan with one step of each kind but the merge. */
static Txn *
plan_all (Fixture *f)
{
  g_autoptr (Txn) txn = txn_new (f->fd, JOURNAL, NULL, &f->handlers);
  g_autoptr (GBytes) vmx = text_bytes ("new vmx");
  g_autoptr (GBytes) vmsd = text_bytes ("new vmsd");
  g_autoptr (GBytes) patch = text_bytes ("ab");
  g_autoptr (GError) error = NULL;

  txn_add_create (txn, "vm-000002.vmdk", &error);
  g_assert_no_error (error);
  txn_add_repair (txn, "vm-000009.vmdk", &error);
  g_assert_no_error (error);
  txn_add_replace (txn, "vm.vmx", vmx, &error);
  g_assert_no_error (error);
  txn_add_replace (txn, "vm.vmsd", vmsd, &error);
  g_assert_no_error (error);
  txn_add_patch (txn, "vm.vmdk", 3, patch, &error);
  g_assert_no_error (error);
  txn_add_unlink (txn, "vm-000001.vmdk", &error);
  g_assert_no_error (error);
  return g_steal_pointer (&txn);
}

static void
prepare_all (Txn *txn)
{
  g_autoptr (GBytes) content = text_bytes ("second child");
  g_autoptr (GError) error = NULL;

  txn_prepare (txn, &error);
  g_assert_no_error (error);
  txn_write (txn, "vm-000002.vmdk", content, &error);
  g_assert_no_error (error);
}

static void
assert_old (Fixture *f)
{
  assert_files (f, OLD_FILES);
  assert_text (f, "vm.vmx", "old vmx");
  assert_text (f, "vm.vmsd", "old vmsd");
  assert_text (f, "vm.vmdk", "0123456789");
}

static void
assert_new (Fixture *f)
{
  assert_files (f, "vm-000002.vmdk vm.vmdk vm.vmsd vm.vmx");
  assert_text (f, "vm.vmx", "new vmx");
  assert_text (f, "vm.vmsd", "new vmsd");
  assert_text (f, "vm.vmdk", "012ab56789");
  assert_text (f, "vm-000002.vmdk", "second child");
}

static void
recover (Fixture *f, GError **error)
{
  g_autoptr (GError) dropped = NULL;

  txn_recover (f->fd, JOURNAL, &f->handlers, &dropped, error);
  g_assert_no_error (dropped);
}

static TxnState
peek (Fixture *f)
{
  TxnState state = TXN_STATE_NONE;

  g_assert_true (txn_peek (f->fd, JOURNAL, &state, NULL));
  return state;
}

static void
test_commit (Fixture *f, gconstpointer data)
{
  g_autoptr (Txn) txn = plan_all (f);
  g_autoptr (GError) error = NULL;
  gboolean committed = FALSE;

  prepare_all (txn);
  g_assert_cmpint (peek (f), ==, TXN_STATE_UNDO);
  txn_commit (txn, &committed, &error);
  g_assert_no_error (error);
  g_assert_true (committed);
  assert_new (f);
  g_assert_cmpint (peek (f), ==, TXN_STATE_NONE);
  g_assert_cmpuint (f->repairs, ==, 0);
}

static void
test_free_undoes (Fixture *f, gconstpointer data)
{
  Txn *txn = plan_all (f);

  assert_old (f);
  txn_free (txn);
  assert_old (f);
  g_assert_cmpuint (f->repairs, ==, 0);
  txn = plan_all (f);
  prepare_all (txn);
  txn_free (txn);
  assert_old (f);
  g_assert_cmpuint (f->repairs, ==, 1);
}

/* Runs @func in a process that ends as a killed one does. */
static void
in_killed_process (Fixture *f, void (*func) (Fixture *))
{
  pid_t pid = fork ();
  int status;

  g_assert_cmpint (pid, >=, 0);
  if (pid == 0) {
    func (f);
    _exit (7);
  }
  g_assert_cmpint (waitpid (pid, &status, 0), ==, pid);
  g_assert_true (WIFEXITED (status) && WEXITSTATUS (status) == 7);
}

static void
die_prepared (Fixture *f)
{
  prepare_all (plan_all (f));
  _exit (7);
}

static void
test_prepared_is_undone (Fixture *f, gconstpointer data)
{
  g_autoptr (GError) error = NULL;

  in_killed_process (f, die_prepared);
  g_assert_cmpint (peek (f), ==, TXN_STATE_UNDO);
  recover (f, &error);
  g_assert_no_error (error);
  assert_old (f);
  g_assert_cmpuint (f->repairs, ==, 1);
}

/* As plan_all(), then a merge and what may only follow it. */
static Txn *
plan_merge (Fixture *f)
{
  g_autoptr (Txn) txn = txn_new (f->fd, JOURNAL, NULL, &f->handlers);
  g_autoptr (GBytes) first = text_bytes ("without the snapshot");
  g_autoptr (GBytes) second = text_bytes ("merged vmsd");
  g_autoptr (GBytes) vmx = text_bytes ("merged vmx");
  g_autoptr (GError) error = NULL;

  txn_add_replace (txn, "vm.vmsd", first, &error);
  g_assert_no_error (error);
  txn_add_merge (txn, "vm-000001.vmdk", "vm.vmdk", 0xfffffff1, &error);
  g_assert_no_error (error);
  txn_add_replace (txn, "vm.vmsd", second, &error);
  g_assert_no_error (error);
  txn_add_replace (txn, "vm.vmx", vmx, &error);
  g_assert_no_error (error);
  txn_add_unlink (txn, "vm-000001.vmdk", &error);
  g_assert_no_error (error);
  txn_prepare (txn, &error);
  g_assert_no_error (error);
  return g_steal_pointer (&txn);
}

static void
die_merging (Fixture *f)
{
  f->die_in_merge = TRUE;
  txn_commit (plan_merge (f), NULL, NULL);
}

static void
assert_merged (Fixture *f)
{
  assert_files (f, "vm.vmdk vm.vmsd vm.vmx");
  assert_text (f, "vm.vmsd", "merged vmsd");
  assert_text (f, "vm.vmx", "merged vmx");
}

static void
test_merge_goes_on (Fixture *f, gconstpointer data)
{
  g_autoptr (GError) error = NULL;

  in_killed_process (f, die_merging);
  g_assert_cmpint (peek (f), ==, TXN_STATE_REDO_LONG);
  assert_text (f, "vm.vmsd", "without the snapshot");
  assert_text (f, "vm.vmx", "old vmx");
  recover (f, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (f->merges, ==, 1);
  assert_merged (f);
}

static void
test_merge_is_dropped (Fixture *f, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GError) dropped = NULL;

  in_killed_process (f, die_merging);
  f->fail_merge = TRUE;
  txn_recover (f->fd, JOURNAL, &f->handlers, &dropped, &error);
  g_assert_no_error (error);
  g_assert_error (dropped, VIX_ERROR, VIX_E_FILE_ERROR);
  assert_files (f, OLD_FILES);
  assert_text (f, "vm.vmsd", "without the snapshot");
  assert_text (f, "vm.vmx", "old vmx");
}

static void
test_failed_merge_is_retried (Fixture *f, gconstpointer data)
{
  g_autoptr (Txn) txn = plan_merge (f);
  g_autoptr (GError) error = NULL;
  gboolean committed = FALSE;

  f->fail_merge = TRUE;
  g_assert_false (txn_commit (txn, &committed, &error));
  g_assert_error (error, VIX_ERROR, VIX_E_FILE_ERROR);
  g_assert_true (committed);
  g_clear_error (&error);
  f->fail_merge = FALSE;
  recover (f, &error);
  g_assert_no_error (error);
  assert_merged (f);
}

static void
test_redo_repeats (Fixture *f, gconstpointer data)
{
  g_autofree char *journal = g_build_filename (f->path, JOURNAL, NULL);
  g_autofree char *text = NULL;
  g_autoptr (GError) error = NULL;
  gsize len;

  in_killed_process (f, die_merging);
  g_assert_true (g_file_get_contents (journal, &text, &len, NULL));
  recover (f, &error);
  g_assert_no_error (error);
  /* as if a power cut had brought the journal back */
  g_assert_true (g_file_set_contents (journal, text, (gssize)len, NULL));
  recover (f, &error);
  g_assert_no_error (error);
  assert_merged (f);
}

/* Somebody started the VM before the merge was completed. */
static void
test_foreign_edit_drops_merge (Fixture *f, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GError) dropped = NULL;

  in_killed_process (f, die_merging);
  put (f, data, "edited by somebody");
  txn_recover (f->fd, JOURNAL, &f->handlers, &dropped, &error);
  g_assert_no_error (error);
  g_assert_error (dropped, VIX_ERROR, VIX_E_SNAPSHOT_INCONSISTENT);
  assert_text (f, data, "edited by somebody");
  if (strcmp (data, "vm.vmsd") != 0)
    assert_text (f, "vm.vmsd", "without the snapshot");
  assert_files (f, OLD_FILES);
  g_assert_cmpuint (f->merges, ==, 0);
}

/* A process killed between the commit and the first step. */
static void
die_committed (Fixture *f)
{
  int fd;

  prepare_all (plan_all (f));
  fd = openat (f->fd, JOURNAL, O_WRONLY);
  g_assert_cmpint (pwrite (fd, TXN_WORD_COMMIT, 7, TXN_STATE_OFFSET), ==, 7);
  _exit (7);
}

static void
test_committed_is_redone (Fixture *f, gconstpointer data)
{
  g_autoptr (GError) error = NULL;

  in_killed_process (f, die_committed);
  g_assert_cmpint (peek (f), ==, TXN_STATE_REDO);
  recover (f, &error);
  g_assert_no_error (error);
  assert_new (f);
  g_assert_cmpuint (f->repairs, ==, 0);
}

static void
test_foreign_edit (Fixture *f, gconstpointer data)
{
  g_autoptr (GError) error = NULL;

  in_killed_process (f, die_committed);
  put (f, "vm.vmx", "edited by somebody");
  recover (f, &error);
  g_assert_error (error, VIX_ERROR, VIX_E_SNAPSHOT_INCONSISTENT);
  g_assert_nonnull (strstr (error->message, "vm.vmx"));
  g_assert_nonnull (strstr (error->message, JOURNAL));
  assert_text (f, "vm.vmx", "edited by somebody");
  assert_text (f, "vm.vmsd", "old vmsd");
  g_assert_cmpint (peek (f), ==, TXN_STATE_REDO);
}

/* The word COMMIT was written, its sync failed, taking it back failed too,
 * and undoing had begun. */
static void
test_half_undone_commit (Fixture *f, gconstpointer data)
{
  g_autoptr (GError) error = NULL;
  int fd;

  in_killed_process (f, die_prepared);
  fd = openat (f->fd, JOURNAL, O_WRONLY);
  g_assert_cmpint (pwrite (fd, TXN_WORD_COMMIT, 7, TXN_STATE_OFFSET), ==, 7);
  close (fd);
  g_assert_no_errno (unlinkat (f->fd, "vm-000002.vmdk", 0));
  recover (f, &error);
  g_assert_no_error (error);
  assert_old (f);
}

static void
test_single_rename (Fixture *f, gconstpointer data)
{
  g_autoptr (Txn) txn = txn_new (f->fd, JOURNAL, NULL, &f->handlers);
  g_autoptr (GBytes) vmsd = text_bytes ("new vmsd");
  g_autoptr (GError) error = NULL;
  gboolean committed = FALSE;
  struct stat st;

  g_assert_no_errno (fchmodat (f->fd, "vm.vmsd", 0640, 0));
  g_assert_true (txn_add_replace (txn, "vm.vmsd", vmsd, &error));
  g_assert_true (txn_prepare (txn, &error));
  g_assert_true (txn_commit (txn, &committed, &error));
  g_assert_no_error (error);
  g_assert_true (committed);
  assert_files (f, OLD_FILES);
  assert_text (f, "vm.vmsd", "new vmsd");
  g_assert_no_errno (fstatat (f->fd, "vm.vmsd", &st, 0));
  g_assert_cmpuint (st.st_mode & 07777, ==, 0640);
}

static void
test_same_content (Fixture *f, gconstpointer data)
{
  g_autoptr (Txn) txn = txn_new (f->fd, JOURNAL, NULL, &f->handlers);
  g_autoptr (GBytes) vmsd = text_bytes ("old vmsd");
  g_autoptr (GError) error = NULL;

  g_assert_true (txn_add_replace (txn, "vm.vmsd", vmsd, &error));
  g_assert_no_error (error);
  g_assert_true (txn_is_empty (txn));
}

static void
test_in_the_way (Fixture *f, gconstpointer data)
{
  g_autoptr (Txn) txn = txn_new (f->fd, JOURNAL, NULL, &f->handlers);
  g_autoptr (GError) error = NULL;

  g_assert_true (txn_add_create (txn, "vm-000001.vmdk", &error));
  g_assert_false (txn_prepare (txn, &error));
  g_assert_error (error, VIX_ERROR, VIX_E_FILE_ALREADY_EXISTS);
  g_clear_pointer (&txn, txn_free);
  assert_old (f);
}

static void
test_names (void)
{
  static const struct {
    const char *name;
    TxnOpKind kind;
    gboolean ok;
  } rows[] = {
    { "vm-000001.vmdk", TXN_CREATE, TRUE },
    { "vm-cl12.vmdk", TXN_CREATE, TRUE },
    { "vm-Snapshot12.vixfs", TXN_CREATE, TRUE },
    { "vm-Snapshot12.vmsn", TXN_CREATE, TRUE },
    { "vm-1234abcd.vmss", TXN_CREATE, TRUE },
    { "vm.vmdk", TXN_CREATE, FALSE },
    { "vm-000001.vmdk\n", TXN_CREATE, FALSE },
    { "vm-Snapshot.vmsn", TXN_CREATE, FALSE },
    { "../vm-000001.vmdk", TXN_CREATE, FALSE },
    { "a/vm-000001.vmdk", TXN_CREATE, FALSE },
    { "", TXN_CREATE, FALSE },
    { "vm.vmx", TXN_REPLACE, TRUE },
    { "VM.NVRAM", TXN_REPLACE, TRUE },
    { "nvram", TXN_REPLACE, TRUE },
    { ".bashrc", TXN_REPLACE, FALSE },
    { "..", TXN_REPLACE, FALSE },
    { "disk-s001.vmdk", TXN_UNLINK, TRUE },
    { "letter.txt", TXN_UNLINK, FALSE },
    { "vm.vmx", TXN_PATCH, FALSE },
    { "/vm.vmdk", TXN_MERGE, FALSE },
    { "vm.vmdk", TXN_REPAIR, TRUE },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++) {
    g_autoptr (GError) error = NULL;

    if (txn_check_name (rows[i].kind, rows[i].name, &error) != rows[i].ok)
      g_error ("row %" G_GSIZE_FORMAT ": %s", i, rows[i].name);
    if (!rows[i].ok)
      g_assert_error (error, VIX_ERROR, VIX_E_FILE_NAME_INVALID);
  }
}

static char *
journal_text (const char *word, const char *body)
{
  g_autofree char *sha
    = g_compute_checksum_for_string (G_CHECKSUM_SHA256, body, -1);

  return g_strdup_printf ("vixfs-journal 1 %s\nsha256 %s %" G_GSIZE_FORMAT
                          "\n%s",
                          word, sha, strlen (body), body);
}

#define SHA_A "000000000000000000000000000000000000000000000000000000000000000a"

static void
test_hostile_bodies (void)
{
  static const char *const bodies[] = {
    "create ..%2Fvm-000001.vmdk\n",
    "create vm%00-000001.vmdk\n",
    "create %2e%2e\n",
    "create\n",
    "create vm-000001.vmdk extra\n",
    "create vm-000001.vmdk",
    "erase vm-000001.vmdk\n",
    "unlink /etc/passwd\n",
    "unlink letter.txt\n",
    ("replace vm.vmx other - " SHA_A "\n"),
    ("replace vm.vmx vm.vmx.vixfs-tmp3 - " SHA_A "\n"),
    ("replace vm.vmx vm.vmx.vixfs-tmp1%2F.. - " SHA_A "\n"),
    "replace vm.vmx vm.vmx.vixfs-tmp1 - -\n",
    ("replace vm.vmx vm.vmx.vixfs-tmp1 x " SHA_A "\n"),
    "patch vm.vmdk -1 YWI=\n",
    "patch vm.vmdk 18446744073709551615 YWI=\n",
    "patch vm.vmdk 0 \n",
    "merge vm.vmdk 1\n",
    "merge vm.vmdk ../vm.vmdk 1\n",
    "\n",
  };

  for (gsize i = 0; i < G_N_ELEMENTS (bodies); i++) {
    g_autofree char *text = journal_text ("COMMIT ", bodies[i]);
    g_autoptr (GError) error = NULL;
    g_autoptr (TxnJournal) journal
      = txn_journal_decode (text, strlen (text), &error);

    if (journal != NULL)
      g_error ("taken: %s", bodies[i]);
    g_assert_nonnull (error);
  }
}

/* Every prefix and every single changed byte is refused or means the same. */
static void
test_damaged_text (void)
{
  g_autofree char *text
    = journal_text ("PREPARE", "create vm-000001.vmdk\nunlink vm.vmdk\n"
                               "replace vm.vmx vm.vmx.vixfs-tmp1 - " SHA_A "\n"
                               "patch vm.vmdk 512 YWI=\n"
                               "merge vm-000001.vmdk vm.vmdk 7\n");
  gsize len = strlen (text);
  g_autoptr (TxnJournal) journal = txn_journal_decode (text, len, NULL);

  g_assert_nonnull (journal);
  g_assert_cmpuint (journal->ops->len, ==, 5);
  g_assert_false (journal->committed);
  for (gsize i = 0; i < len; i++) {
    g_autoptr (TxnJournal) cut = txn_journal_decode (text, i, NULL);
    g_autoptr (TxnJournal) changed = NULL;

    g_assert_null (cut);
    text[i] ^= 0x20;
    changed = txn_journal_decode (text, len, NULL);
    g_assert_null (changed);
    text[i] ^= 0x20;
  }
}

static void
test_hostile_files (Fixture *f, gconstpointer data)
{
  g_autofree char *text = journal_text (
    "PREPARE", "create vm-000007.vmdk\ncreate vm-000008.vmdk\n");
  g_autofree char *patch
    = journal_text ("COMMIT ", "patch vm-000007.vmdk 0 YWI=\n");
  g_autoptr (GError) error = NULL;

  /* a directory and a link are not what a journal can have made */
  g_assert_no_errno (mkdirat (f->fd, "vm-000007.vmdk", 0700));
  g_assert_no_errno (symlinkat ("vm.vmx", f->fd, "vm-000008.vmdk"));
  put (f, JOURNAL, text);
  recover (f, &error);
  g_assert_nonnull (error);
  g_clear_error (&error);
  assert_text (f, "vm.vmx", "old vmx");
  g_assert_no_errno (unlinkat (f->fd, "vm-000007.vmdk", AT_REMOVEDIR));
  /* a patch through a link */
  g_assert_no_errno (symlinkat ("vm.vmx", f->fd, "vm-000007.vmdk"));
  put (f, JOURNAL, patch);
  recover (f, &error);
  g_assert_nonnull (error);
  assert_text (f, "vm.vmx", "old vmx");
  g_assert_no_errno (unlinkat (f->fd, "vm-000007.vmdk", 0));
  /* the journal itself a link: neither read nor followed */
  g_assert_no_errno (unlinkat (f->fd, JOURNAL, 0));
  g_assert_no_errno (symlinkat ("vm.vmsd", f->fd, JOURNAL));
  g_clear_error (&error);
  recover (f, &error);
  g_assert_nonnull (error);
  assert_text (f, "vm.vmsd", "old vmsd");
}

static void
test_damaged_journals (Fixture *f, gconstpointer data)
{
  g_autofree char *text = journal_text ("COMMIT ", "unlink vm.vmdk\n");
  g_autoptr (GError) error = NULL;

  /* an empty one, one full of zeros, one cut off: nothing was committed */
  put (f, JOURNAL, "");
  recover (f, &error);
  g_assert_no_error (error);
  assert_old (f);
  put (f, JOURNAL, "vixfs-journal 1 PREPARE\nsha256 12 ");
  recover (f, &error);
  g_assert_no_error (error);
  assert_old (f);
  /* committed but unreadable is for a human */
  text[strlen (text) - 3] ^= 1;
  put (f, JOURNAL, text);
  recover (f, &error);
  g_assert_error (error, VIX_ERROR, VIX_E_SNAPSHOT_INCONSISTENT);
  assert_text (f, "vm.vmdk", "0123456789");
}

#define CASE(name, func)                                                       \
  g_test_add ("/workstation/txn/" name, Fixture, NULL, set_up, func, tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  CASE ("commit-makes-the-whole-change", test_commit);
  CASE ("freed-without-commit-leaves-nothing", test_free_undoes);
  CASE ("prepared-by-a-killed-process-is-undone", test_prepared_is_undone);
  CASE ("merge-of-a-killed-process-goes-on", test_merge_goes_on);
  CASE ("merge-that-cannot-be-completed-is-dropped", test_merge_is_dropped);
  CASE ("failed-merge-is-tried-again", test_failed_merge_is_retried);
  CASE ("redo-of-a-finished-plan-changes-nothing", test_redo_repeats);
  CASE ("foreign-edit-after-the-kill-is-respected", test_foreign_edit);
  g_test_add ("/workstation/txn/foreign-edit-of-vmx-drops-a-merge", Fixture,
              "vm.vmx", set_up, test_foreign_edit_drops_merge, tear_down);
  g_test_add ("/workstation/txn/foreign-edit-of-vmsd-drops-a-merge", Fixture,
              "vm.vmsd", set_up, test_foreign_edit_drops_merge, tear_down);
  CASE ("committed-by-a-killed-process-is-made", test_committed_is_redone);
  CASE ("half-undone-commit-is-undone", test_half_undone_commit);
  CASE ("one-file-is-replaced-by-rename-with-its-mode", test_single_rename);
  CASE ("same-content-is-no-step", test_same_content);
  CASE ("created-name-must-be-free", test_in_the_way);
  CASE ("links-and-directories-are-not-followed", test_hostile_files);
  CASE ("damaged-journals", test_damaged_journals);
  g_test_add_func ("/workstation/txn/names-by-kind", test_names);
  g_test_add_func ("/workstation/txn/hostile-bodies-are-refused",
                   test_hostile_bodies);
  g_test_add_func ("/workstation/txn/damaged-text-is-refused",
                   test_damaged_text);
  return g_test_run ();
}
