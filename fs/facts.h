/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * facts.h - what info.json and the user.vix.* attributes of a VM's or a
 * snapshot's directory tell. One table a kind; both are read from it.
 *
 * May ask the library for the VM's files (a local disk). Any thread.
 */
#pragma once

#include <glib.h>

#include "mount.h"

G_BEGIN_DECLS

/* Appends the info.json of the VM or snapshot that @node is part of. */
void fs_facts_print (FsMount *mount, const FsNode *node, GString *out);

/**
 * fs_facts_get:
 * @name: without "user.vix."
 *
 * Text as it is, numbers in digits, yes and no as 1 and 0, lists and objects
 * as JSON.
 *
 * Returns: (transfer full) (nullable): %NULL if there is no such fact, or
 *   nothing to tell
 */
char *fs_facts_get (FsMount *mount, const FsNode *node, const char *name);

/* Appends the names of all facts that have something to tell, each with its
 * prefix and a NUL. */
void fs_facts_list (FsMount *mount, const FsNode *node, GString *out);

/* "on", "off", "suspended" */
const char *fs_power_text (int power_state);

G_END_DECLS
