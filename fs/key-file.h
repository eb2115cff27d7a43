/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * key-file.h - groups and keys as GKeyFile has them, line by line.
 *
 * GKeyFile knows no line numbers, merges what is there twice, and leaves copies
 * of all values in freed memory, passwords included. This one makes none: what
 * it gives out is in the text itself, which it cuts up.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct {
  char *next;
  guint line; /* from 1: of what was given out last */
} FsKeyFile;

typedef enum {
  FS_KEY_FILE_END,
  FS_KEY_FILE_GROUP, /* [NAME] */
  FS_KEY_FILE_KEY,   /* NAME=VALUE */
  FS_KEY_FILE_BAD,   /* anything else, but for comments and empty lines */
} FsKeyFileLine;

/* @text lives as long as what is given out. A mark of byte order in front of
 * it is left out. */
void fs_key_file_begin (FsKeyFile *self, char *text);

/* What the next line is; the names and values of bad ones are undefined. */
FsKeyFileLine fs_key_file_next (FsKeyFile *self, const char **ret_name,
                                const char **ret_value);

G_END_DECLS
