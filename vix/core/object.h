/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * object.h - what a handle names: counted, typed objects and the one table
 * that leads from handle to object.
 *
 * An object gets its handle when it is made and keeps it until it dies. Two
 * kinds of references keep it alive: those of the library, and those that the
 * program got with the handle and gives back through it. A program can only
 * give back what it got: releasing once too often touches no reference of the
 * library. The handle works as long as the object lives and its host was not
 * disconnected.
 *
 * Handle numbers count upwards and are used again only after all others, so
 * that a number released twice does not hit somebody else's object.
 *
 * Any thread. References must be dropped with no lock held.
 */
#pragma once

#include <glib.h>

#include "vix.h"

G_BEGIN_DECLS

typedef struct VixObject VixObject;

typedef struct {
  VixHandleType type;
  /* Frees the object and drops what it holds, its parent aside. */
  void (*free) (VixObject *self);
} VixObjectClass;

/* The first member of every object. */
struct VixObject {
  const VixObjectClass *klass;
  VixObject *parent; /* const, owned; NULL for hosts and what is without */
  VixObject *root;   /* const: the host it was got through, or itself */
  VixHandle handle;  /* const */

  /* Guarded by the handle table. */
  guint refs;      /* of both kinds */
  guint lent_refs; /* those of them that the program owes */
  gboolean dead;   /* the handle leads here no more */
  char *key;       /* NULL, or under what it is found below its parent */
  VixObject *members, *next, *prev; /* of a root: what was got through it */
};

/**
 * vix_object_init:
 * @parent: (nullable): a reference is taken
 *
 * One reference of the library for the caller. If the root of @parent was
 * killed the object is born dead.
 */
void vix_object_init (VixObject *self, const VixObjectClass *klass,
                      gpointer parent);

/**
 * vix_object_publish:
 * @object: (transfer full): fresh from vix_object_init()
 *
 * Makes @object the one object of its type and @key below its parent, or frees
 * it where there is such a one.
 *
 * Returns: (transfer full): that one
 */
gpointer vix_object_publish (gpointer object, const char *key);

gpointer vix_object_ref (gpointer object);
/* %NULL is ignored. The last one frees. */
void vix_object_unref (gpointer object);

/* Adds a reference of the program's. Returns the handle, or 0 if dead. */
VixHandle vix_object_give (gpointer object);

/* All handles got through @root and its own lead nowhere from now on; the
 * program's references to them are dropped. */
void vix_object_kill (VixObject *root);

/**
 * vix_handle_get:
 * @type: %VIX_HANDLETYPE_NONE for any
 * @error: %VIX_E_INVALID_HANDLE, %VIX_E_NOT_SUPPORTED_ON_HANDLE_TYPE
 *
 * Returns: (transfer full) (nullable): the object
 */
gpointer vix_handle_get (VixHandle handle, VixHandleType type, GError **error);

/* The program's references; bad handles and those it does not own are
 * ignored. */
void vix_handle_add_ref (VixHandle handle);
void vix_handle_release (VixHandle handle);

/* How many objects live. */
guint vix_object_count (void);

G_END_DECLS
