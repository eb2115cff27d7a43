/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * txn.h - one change of a VM as an all-or-nothing step on the files of one
 * directory.
 *
 * A transaction is planned completely (txn_add_*), then prepared: its plan is
 * written to its journal and the new contents of replaced files are staged
 * beside them. The caller then fills the created
 * files, and txn_commit() makes the change: everything made so far becomes
 * durable, the journal's one word PREPARE becomes COMMIT (the point of no
 * return), the plan is carried out, the journal goes.
 *
 * A journal found later belongs to a killed process: PREPARE is undone, COMMIT
 * is carried out again; every step may be repeated. The caller holds the VM's
 * locks for the whole time, here and in txn_recover(). One thread at a time.
 */
#pragma once

#include <gio/gio.h>
#include <sys/stat.h>

G_BEGIN_DECLS

/* Journals hold names and a few descriptors; a plan that needs more is
 * refused, and so is a file that claims to. */
#define TXN_JOURNAL_MAX_BYTES (16u << 20)

typedef struct Txn Txn;

/* What a plan says about disks and only the caller can do. Both may be
 * repeated after a kill at any point; the disk is not open meanwhile. Either
 * may be NULL: such a step then fails. */
typedef struct {
  /* Brings all that @child holds into @parent and syncs it. Does nothing if
   * @child is gone; fails if it is not in the state @tag any more. */
  gboolean (*merge) (gpointer data, const char *child, const char *parent,
                     guint32 tag, GError **error);
  /* Makes @name sound again after a write to it was cut off. */
  gboolean (*repair) (gpointer data, const char *name, GError **error);
  gpointer data;
} TxnHandlers;

/**
 * txn_new:
 * @dir_fd: the VM's directory; borrowed, must stay open
 * @journal: name of the journal in it
 * @like: (nullable): new files get its permissions, and as root its owner
 * @handlers: copied
 *
 * Writes nothing.
 */
Txn *txn_new (int dir_fd, const char *journal, const struct stat *like,
              const TxnHandlers *handlers);

/* Undoes what was prepared unless it was committed. */
void txn_free (Txn *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (Txn, txn_free)

/*
 * The plan, carried out in this order after the commit. Names are plain names
 * in the directory; a name that is none of those this program writes to is
 * refused (%VIX_E_FILE_NAME_INVALID), the same rule that a journal is read
 * with.
 */

/* A new file, made by txn_open() or txn_write() after txn_prepare(); all of
 * them must have been made when txn_commit() is called. */
gboolean txn_add_create (Txn *self, const char *name, GError **error);

/* If undone, TxnHandlers.repair is called for @name: the caller is going to
 * write to it in a way that never changes what it means. */
gboolean txn_add_repair (Txn *self, const char *name, GError **error);

/* @name gets @content as a whole, by rename; it may be absent so far. Nothing
 * is planned if it has this content already. A name may be replaced twice,
 * with a merge in between. */
gboolean txn_add_replace (Txn *self, const char *name, GBytes *content,
                          GError **error);

/* @bytes at @offset of @name, in place. */
gboolean txn_add_patch (Txn *self, const char *name, guint64 offset,
                        GBytes *bytes, GError **error);

/* @name goes; it may be absent. */
gboolean txn_add_unlink (Txn *self, const char *name, GError **error);

/* TxnHandlers.merge. The steps planned before the first merge must be a sound
 * change by themselves: if a merge cannot be completed after a kill, or
 * somebody changed the VM before it was, what follows is dropped. */
gboolean txn_add_merge (Txn *self, const char *child, const char *parent,
                        guint32 tag, GError **error);

/* TRUE if nothing was planned. */
gboolean txn_is_empty (const Txn *self);

/* Writes the journal and stages replaced contents. */
gboolean txn_prepare (Txn *self, GError **error);

/* Makes a planned file, open for reading and writing; the caller closes it.
 * -1 on failure. */
int txn_open (Txn *self, const char *name, GError **error);

/* txn_open() and all of @content. */
gboolean txn_write (Txn *self, const char *name, GBytes *content,
                    GError **error);

/**
 * txn_commit:
 * @ret_committed: (out) (optional): set on failure too: %TRUE if the change
 *   is made and only its completion failed. The journal then stays and
 *   txn_recover() goes on with it
 *
 * Blocks on the disk. After a failure with @ret_committed %FALSE nothing has
 * changed and txn_free() removes what was prepared.
 */
gboolean txn_commit (Txn *self, gboolean *ret_committed, GError **error);

/* What a journal asks for. */
typedef enum {
  TXN_STATE_NONE,     /* there is no journal */
  TXN_STATE_UNDO,     /* prepared, or unreadable */
  TXN_STATE_REDO,     /* committed */
  TXN_STATE_REDO_LONG /* committed, with merges that may take hours */
} TxnState;

/* Looks without changing anything. @error only for what cannot be read. */
gboolean txn_peek (int dir_fd, const char *journal, TxnState *ret_state,
                   GError **error);

/**
 * txn_recover:
 * @ret_dropped: (out) (nullable): the error of a merge that could not be
 *   completed and was given up; the VM is sound without it
 * @error: %VIX_E_SNAPSHOT_INCONSISTENT if somebody changed a file after the
 *   kill such that neither way is safe; the journal stays
 *
 * Undoes or completes what a killed process left. Never follows links, opens
 * only regular files of this directory. Returns %TRUE also if there was
 * nothing to do. Blocks on the disk.
 */
gboolean txn_recover (int dir_fd, const char *journal,
                      const TxnHandlers *handlers, GError **ret_dropped,
                      GError **error);

G_END_DECLS
