/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vm-fixture.h - temporary directories with VMs in them.
 */
#pragma once

#include "base/kv-file.h"

/* A fresh directory; its canonical path, g_free. */
char *fixture_new (void);
/* Removes it and all in it, and frees the path. */
void fixture_free (char *dir);

/* Writes @text to DIR/NAME, whose directories are made; a NULL @text makes
 * the directory NAME itself. */
void fixture_write (const char *dir, const char *name, const char *text);
/* Does the same by rename, as careful programs do. */
void fixture_replace (const char *dir, const char *name, const char *text);
void fixture_unlink (const char *dir, const char *name);

/* DIR/NAME.vmx and .vmsd; @snapshots in a chain, uid 1 the root, the last one
 * current. NAME may contain directories. */
void fixture_vm (const char *dir, const char *name, int snapshots);

/* As VMware writes it for another machine: nobody can say that it is stale. */
void fixture_lock (const char *dir, const char *name);
void fixture_unlock (const char *dir, const char *name);

KvFile *fixture_kv (const char *text);
