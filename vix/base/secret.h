/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * secret.h - text that has to be kept and nobody else should read: a password
 * needed for the next login. It lies in pages of its own, which no core dump
 * has, no swap where the system allows that, and no child after a fork.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* (transfer full): a copy of @text, %NULL of %NULL; vix_secret_free() */
char *vix_secret_new (const char *text);
/* Wiped, then freed; %NULL is ignored. */
void vix_secret_free (char *secret);
/* For text from g_malloc: wiped, then freed. */
void vix_secret_wipe (char *text);

G_END_DECLS
