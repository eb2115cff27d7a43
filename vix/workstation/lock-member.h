/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * lock-member.h - a member of VMware's lock directories, M#####.lck: who has
 * the lock, and whether that process is still there.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

#define WS_LOCK_MEMBER_BYTES 512

typedef struct {
  char name[sizeof "M00000.lck"];
  gboolean readable; /* false: nothing below is known but the name */
  char *machine;
  gint64 pid;
  gint64 start; /* 0 unknown */
  char *process;
  guint64 ticket;
  gboolean ours;
  gboolean here; /* written on this machine */
  gboolean dead; /* here, and its process is gone */
} WsLockMember;

/* (nullable): NULL if the member went away meanwhile. */
WsLockMember *ws_lock_member_read (int lck_fd, const char *name);
void ws_lock_member_free (WsLockMember *m);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (WsLockMember, ws_lock_member_free)

/* What this process writes into its own, in the lock directory @lck of
 * @dir_path. */
void ws_lock_member_format (guint64 ticket, const char *dir_path,
                            const char *lck, char text[WS_LOCK_MEMBER_BYTES]);

G_END_DECLS
