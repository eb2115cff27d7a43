/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * entries.h - the tree as tables: what each kind of node is, what it holds and
 * what can be done to it. ops.c finds the row and calls it; nothing compares
 * paths. A new file is a row here and a function in node-*.c.
 *
 * Functions that return an int return an errno, 0 for success. Those that take
 * an FsRequest take it over and answer it, perhaps later.
 */
#pragma once

#include <glib.h>
#include <sys/stat.h>

#include "mount.h"
#include "open.h"

G_BEGIN_DECLS

/* Collects what a directory holds, see list.c. */
typedef struct FsList FsList;

typedef struct {
  const char *name;
  FsKindId kind;
  gboolean hidden; /* resolves, but is not listed */
  /* Whether @dir has it; NULL: always. */
  gboolean (*is_present) (FsMount *mount, const FsNode *dir);
} FsEntry;

typedef struct {
  const char *name; /* for people */
  mode_t mode;      /* type, and the permissions that mean something */
  /* Its index is the alias of "snapshots" that it was reached through. */
  gboolean aliased;
  /* Its size changes without anybody being told. */
  gboolean is_volatile;
  /* Its attributes, names or content may have to be asked for. */
  gboolean may_wait;
  /* But for the content: whoever was told of its name knows the rest. */
  gboolean comes_listed;
  /* What the host did not tell of its size is 0 until it does; opening it
   * says what is wrong. */
  gboolean may_lack_size;
  /* What info.json tells is in its attributes as well. */
  gboolean has_facts;
  /* What unlink and rmdir say if nothing in the directory can go. */
  int refusal;

  /* ---- directories ---- */
  const FsEntry *entries; /* what is always called the same */
  gsize n_entries;
  /* What else there is. @after: lowest slot to list; %FALSE: @list is full. */
  int (*find) (FsMount *mount, const FsNode *dir, const char *name,
               FsNodeId *ret_id);
  /* A name may come to mean another node, while the old one stays: the kernel
   * is to ask each time. */
  gboolean names_move;
  gboolean (*list) (FsMount *mount, const FsNode *dir, guint32 after,
                    FsList *list);
  void (*make_dir) (FsMount *mount, const FsNode *dir, const char *name,
                    FsRequest *rq);
  void (*remove_dir) (FsMount *mount, const FsNode *dir, const char *name,
                      FsRequest *rq);
  void (*rename) (FsMount *mount, const FsNode *dir, const char *name,
                  const char *new_name, FsRequest *rq);
  int (*create) (FsMount *mount, const FsNode *dir, const char *name,
                 FsNodeId *ret_id);
  int (*remove) (FsMount *mount, const FsNode *dir, const char *name);

  /* ---- files and links ---- */
  /* Appends the content, or the target of a link. */
  int (*print) (FsMount *mount, const FsNode *node, GString *out);
  /* Takes @text as the new content; @rq is to be told that @len was written.
   * @text ends in NUL and has none before. */
  void (*store) (FsMount *mount, const FsNode *node, const char *text,
                 gsize len, FsRequest *rq);
  /* Opens what is no printed text. */
  int (*open) (FsMount *mount, const FsNode *node, FsOpen *open);

  /* ---- attributes ---- */
  /* (transfer full): what it is called among the VM's, or the snapshot's, of
   * its kind: goes into the inode number. %NULL result: it is gone. */
  char *(*label) (FsMount *mount, const FsNode *node);
  /* Size, blocks and time, where they are not those of a printed text. */
  int (*measure) (FsMount *mount, const FsNode *node, struct stat *attr);
  /* To measure it takes long: who only lists is not told. */
  gboolean is_costly;
  /* user.vix.description: @text NULL removes it; @flags: XATTR_*. */
  void (*describe) (FsMount *mount, const FsNode *node, const char *text,
                    int flags, FsRequest *rq);
} FsKind;

const FsKind *fs_kind (FsKindId kind);

/* (nullable): the row of @kind's table for @name, present or not. */
const FsEntry *fs_kind_entry (const FsKind *kind, const char *name);
gboolean fs_entry_is_present (const FsEntry *entry, FsMount *mount,
                              const FsNode *dir);

/* ---- the functions of the tables, by file ---- */

/* node-folder.c */
gboolean fs_folder_is_root (FsMount *mount, const FsNode *dir);
int fs_folder_find (FsMount *mount, const FsNode *dir, const char *name,
                    FsNodeId *ret_id);
gboolean fs_folder_list (FsMount *mount, const FsNode *dir, guint32 after,
                         FsList *list);

/* node-vm.c */
gboolean fs_latest_is_present (FsMount *mount, const FsNode *dir);
int fs_info_print (FsMount *mount, const FsNode *node, GString *out);
int fs_current_print (FsMount *mount, const FsNode *node, GString *out);
int fs_power_print (FsMount *mount, const FsNode *node, GString *out);
void fs_power_store (FsMount *mount, const FsNode *node, const char *text,
                     gsize len, FsRequest *rq);
void fs_current_store (FsMount *mount, const FsNode *node, const char *text,
                       gsize len, FsRequest *rq);

/* node-disk.c */
gboolean fs_disks_are_present (FsMount *mount, const FsNode *dir);
int fs_disks_find (FsMount *mount, const FsNode *dir, const char *name,
                   FsNodeId *ret_id);
gboolean fs_disks_list (FsMount *mount, const FsNode *dir, guint32 after,
                        FsList *list);
char *fs_image_label (FsMount *mount, const FsNode *node);
int fs_image_measure (FsMount *mount, const FsNode *node, struct stat *attr);
int fs_image_open (FsMount *mount, const FsNode *node, FsOpen *open);
int fs_changes_measure (FsMount *mount, const FsNode *node, struct stat *attr);
int fs_changes_open (FsMount *mount, const FsNode *node, FsOpen *open);

/* node-since.c */
int fs_since_find (FsMount *mount, const FsNode *dir, const char *name,
                   FsNodeId *ret_id);
gboolean fs_since_list (FsMount *mount, const FsNode *dir, guint32 after,
                        FsList *list);
char *fs_older_label (FsMount *mount, const FsNode *node);
char *fs_difference_label (FsMount *mount, const FsNode *node);
int fs_difference_measure (FsMount *mount, const FsNode *node,
                           struct stat *attr);

/* node-file.c */
int fs_files_find (FsMount *mount, const FsNode *dir, const char *name,
                   FsNodeId *ret_id);
gboolean fs_files_list (FsMount *mount, const FsNode *dir, guint32 after,
                        FsList *list);
char *fs_file_label (FsMount *mount, const FsNode *node);
int fs_file_measure (FsMount *mount, const FsNode *node, struct stat *attr);
int fs_file_open (FsMount *mount, const FsNode *node, FsOpen *open);

/* node-snapshots.c */
gboolean fs_mark_memory_is_present (FsMount *mount, const FsNode *dir);
gboolean fs_mark_quiesce_is_present (FsMount *mount, const FsNode *dir);
int fs_snapshots_find (FsMount *mount, const FsNode *dir, const char *name,
                       FsNodeId *ret_id);
gboolean fs_snapshots_list (FsMount *mount, const FsNode *dir, guint32 after,
                            FsList *list);
void fs_snapshots_mkdir (FsMount *mount, const FsNode *dir, const char *name,
                         FsRequest *rq);
void fs_snapshots_rmdir (FsMount *mount, const FsNode *dir, const char *name,
                         FsRequest *rq);
void fs_snapshots_rename (FsMount *mount, const FsNode *dir, const char *name,
                          const char *new_name, FsRequest *rq);
int fs_snapshots_create (FsMount *mount, const FsNode *dir, const char *name,
                         FsNodeId *ret_id);
int fs_snapshots_remove (FsMount *mount, const FsNode *dir, const char *name);
void fs_snapshots_describe (FsMount *mount, const FsNode *node,
                            const char *text, int flags, FsRequest *rq);
int fs_mark_print (FsMount *mount, const FsNode *node, GString *out);

/* node-tree.c */
int fs_tree_print (FsMount *mount, const FsNode *node, GString *out);

/* node-snapshot.c */
gboolean fs_parent_is_present (FsMount *mount, const FsNode *dir);
gboolean fs_config_is_present (FsMount *mount, const FsNode *dir);
int fs_description_print (FsMount *mount, const FsNode *node, GString *out);
void fs_description_store (FsMount *mount, const FsNode *node, const char *text,
                           gsize len, FsRequest *rq);
int fs_parent_print (FsMount *mount, const FsNode *node, GString *out);
int fs_config_print (FsMount *mount, const FsNode *node, GString *out);
int fs_config_measure (FsMount *mount, const FsNode *node, struct stat *attr);
void fs_snapshot_describe (FsMount *mount, const FsNode *node, const char *text,
                           int flags, FsRequest *rq);

/* node-control.c */
int fs_version_print (FsMount *mount, const FsNode *node, GString *out);
int fs_hosts_print (FsMount *mount, const FsNode *node, GString *out);
int fs_jobs_print (FsMount *mount, const FsNode *node, GString *out);
int fs_log_print (FsMount *mount, const FsNode *node, GString *out);
int fs_events_open_node (FsMount *mount, const FsNode *node, FsOpen *open);
int fs_stats_print_node (FsMount *mount, const FsNode *node, GString *out);

G_END_DECLS
