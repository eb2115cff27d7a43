/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * txn-journal.h - the journal's text, and what names it may hold.
 *
 *   vixfs-journal 1 PREPARE              or COMMIT, in the same seven bytes
 *   sha256 HEX LENGTH                    of all that follows
 *   create NAME
 *   repair NAME
 *   replace NAME TEMP OLD-SHA256|- NEW-SHA256
 *   patch NAME OFFSET BASE64
 *   unlink NAME
 *   merge CHILD PARENT TAG
 *
 * Names are percent-encoded. The word is overwritten in place: it lies in the
 * first sector, so that a power cut leaves one or the other.
 */
#pragma once

#include "workstation/txn.h"

G_BEGIN_DECLS

typedef enum {
  TXN_CREATE,
  TXN_REPAIR,
  TXN_REPLACE,
  TXN_PATCH,
  TXN_UNLINK,
  TXN_MERGE
} TxnOpKind;

#define TXN_SHA_LEN 64
#define TXN_ABSENT "-"

typedef struct {
  TxnOpKind kind;
  char *name;
  char *other;                   /* REPLACE: the staged file; MERGE: parent */
  char old_sha[TXN_SHA_LEN + 1]; /* REPLACE; TXN_ABSENT if it was not there */
  char new_sha[TXN_SHA_LEN + 1];
  guint64 offset; /* PATCH; MERGE: the tag */
  GBytes *bytes;  /* PATCH; REPLACE: the new content, not in the journal */
} TxnOp;

void txn_op_free (TxnOp *op);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (TxnOp, txn_op_free)

typedef struct {
  gboolean committed;
  GPtrArray *ops; /* TxnOp */
} TxnJournal;

void txn_journal_free (TxnJournal *journal);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (TxnJournal, txn_journal_free)

/* Where the state word is, and its two values. */
#define TXN_STATE_OFFSET 16
#define TXN_WORD_PREPARE "PREPARE"
#define TXN_WORD_COMMIT "COMMIT "

/* Refuses @name for an operation of @kind: %VIX_E_FILE_NAME_INVALID. */
gboolean txn_check_name (TxnOpKind kind, const char *name, GError **error);

/* The text in state PREPARE. */
GBytes *txn_journal_encode (GPtrArray *ops, GError **error);

/* Does a journal that cannot be decoded at least claim to be committed? */
gboolean txn_journal_claims_commit (const char *data, gsize len);

/* %VIX_E_INVALID_SERIALIZED_DATA for anything that txn_journal_encode() does
 * not write. */
TxnJournal *txn_journal_decode (const char *data, gsize len, GError **error);

G_END_DECLS
