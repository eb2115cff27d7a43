/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * name.h - names of snapshots and VMs as names of directories, and back.
 *
 * A name on a host is free text; a directory's is not. The map is one to one:
 * "/" is shown as "%2F", a "%" that is followed by two hex digits as "%25", a
 * leading "." as "%2E"; nothing else is changed. Where that is not enough (the
 * same name twice, an empty one, one over 255 bytes) the shown name ends in
 * "~ID", or "~ID.2" and so on where that is taken as well. Pure functions.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* What a directory entry can hold, without the NUL. */
#define FS_NAME_MAX 255

/**
 * fs_name_shown:
 * @name: any text
 * @id: what follows "~" where the name alone does not do: no "/", under 200
 *   bytes
 * @variant: 0: plain, if that can be; 1: NAME~ID; 2 and up: NAME~ID.2 and so
 *   on, for when NAME~ID is itself the name of something else
 *
 * A name that is empty, or that is over %FS_NAME_MAX bytes when escaped, has
 * no plain form: 0 is 1 then. The long one is cut at a character.
 *
 * Returns: (transfer full): never empty, never over %FS_NAME_MAX bytes
 */
char *fs_name_shown (const char *name, const char *id, guint variant);

/**
 * fs_name_parse:
 * @shown: as a user typed it, for something new
 * @ret_name: (out): what the host is to call it
 *
 * Returns: 0; EINVAL if @shown is not how the result would be shown, or starts
 *   with a dot; EILSEQ if it is not UTF-8 or has control characters;
 *   ENAMETOOLONG if over %FS_NAME_MAX bytes
 */
int fs_name_parse (const char *shown, char **ret_name);

/* The same for text that may hold line ends and tabs: a description. EILSEQ
 * if @len bytes at @text are not UTF-8 without NUL. */
int fs_text_check (const char *text, gsize len);

/* (transfer full): @text (nullable) for a line that people read: control
 * characters, quotes and backslashes as in C, other characters as they are. */
char *fs_text_escape (const char *text);

G_END_DECLS
