/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * arena.h - memory that is given back all at once: one record of an answer,
 * or one answer, with everything that was decoded from it. Has a limit, so
 * that a host cannot make us take more. One thread at a time.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct SoapArena SoapArena;

/* @max_bytes: what all allocations together may come to. */
SoapArena *soap_arena_new (gsize max_bytes);
void soap_arena_free (SoapArena *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (SoapArena, soap_arena_free)

/* Changes the limit; what is used already stays. */
void soap_arena_set_limit (SoapArena *self, gsize max_bytes);

/* Gives everything back, keeps one block for the next use. */
void soap_arena_reset (SoapArena *self);

/* (nullable): zeroed, aligned for any type; %NULL once the limit is met. */
gpointer soap_arena_alloc (SoapArena *self, gsize size);
/* (nullable): as soap_arena_alloc for @n elements of @size bytes. */
gpointer soap_arena_alloc_n (SoapArena *self, gsize n, gsize size);
/* (nullable): NUL-terminated copy. */
const char *soap_arena_strndup (SoapArena *self, const char *text, gsize len);

gsize soap_arena_get_used (const SoapArena *self);

G_END_DECLS
