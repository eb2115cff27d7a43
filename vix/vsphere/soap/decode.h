/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * decode.h - SOAP answers, taken apart while they arrive.
 *
 * What an answer repeats without bound (the objects of an inventory, the
 * updates of a set) is handed out one element at a time and forgotten; the
 * rest, which is small, stays as a tree. An answer of any length thus costs
 * the memory of its largest element. Nothing is fetched, no DTD or entity is
 * accepted, and depth, element and answer sizes have limits.
 *
 * Elements are known by local name, attributes by namespace. One thread at a
 * time.
 */
#pragma once

#include <glib.h>

#include "vsphere/soap/arena.h"

G_BEGIN_DECLS

/* An answer may be as long as an inventory of 100,000 VMs with everything in
 * it (9 KB each), and no longer. */
#define SOAP_MAX_ANSWER_BYTES (G_GUINT64_CONSTANT (1) << 30)
/* What is kept as a tree. The biggest are a virtual machine's layoutEx and
 * config, some 100 KB. */
#define SOAP_MAX_TREE_BYTES ((gsize)16 << 20)
/* Beyond this a record is cut (SoapNode.cut). A snapshot takes about 1.5 KB of
 * it, and no product takes more than 496 of them in a VM. */
#define SOAP_MAX_RECORD_BYTES ((gsize)64 << 20)
/* What may be decoded from a record beside it. */
#define SOAP_MAX_DECODED_BYTES ((gsize)32 << 20)
/* Elements within elements. A snapshot chain of 496, the most any product
 * takes, is about 510 deep. */
#define SOAP_MAX_DEPTH 1024

typedef struct SoapNode SoapNode;
struct SoapNode {
  const char *name;     /* local name */
  const char *type;     /* attribute "type": of a managed object; or NULL */
  const char *xsi_type; /* xsi:type without its prefix, or NULL */
  const char *text;     /* of an element without elements; never NULL */
  SoapNode *first;      /* child */
  SoapNode *next;       /* sibling */
  gboolean cut;         /* something within was too much and is missing */
};

/* (nullable): the first child of that name */
const SoapNode *soap_node_child (const SoapNode *self, const char *name);
/* The text of that child; %NULL if there is none. */
const char *soap_node_child_text (const SoapNode *self, const char *name);

/**
 * SoapRecordFunc:
 * @record: gone, with all that was put into @arena, when the function returns
 * @arena: for what is decoded from @record
 *
 * Returns: %FALSE with @error set to stop the answer
 */
typedef gboolean (*SoapRecordFunc) (const SoapNode *record, SoapArena *arena,
                                    gpointer data, GError **error);

/* @response: what came before the first record; gone afterwards. */
typedef void (*SoapHeadFunc) (const SoapNode *response, gpointer data);

typedef struct SoapDecoder SoapDecoder;

/**
 * soap_decoder_new:
 * @records: (nullable): which elements are records, as names below the
 *   response element: "returnval/objects"; not copied
 * @head: (nullable): called once, when the first record begins
 * @func: called for each record as soon as it is complete
 */
SoapDecoder *soap_decoder_new (const char *records, SoapHeadFunc head,
                               SoapRecordFunc func, gpointer data);
void soap_decoder_free (SoapDecoder *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (SoapDecoder, soap_decoder_free)

/* %SOAP_ERROR_MALFORMED, %SOAP_ERROR_TOO_BIG, or what @func gave. */
gboolean soap_decoder_feed (SoapDecoder *self, const char *data, gsize len,
                            GError **error);

/**
 * soap_decoder_finish:
 *
 * The answer is over.
 *
 * Returns: the first element of the Body, without records: a response or a
 *   Fault; belongs to @self
 */
const SoapNode *soap_decoder_finish (SoapDecoder *self, GError **error);

/* For what is decoded from the tree; lives as long as @self. */
SoapArena *soap_decoder_get_arena (SoapDecoder *self);

/**
 * soap_decode_plain:
 *
 * A document that is no envelope (vimServiceVersions.xml), at most 1 MiB.
 *
 * Returns: its root element, in @arena
 */
const SoapNode *soap_decode_plain (const char *data, gsize len,
                                   SoapArena *arena, GError **error);

G_END_DECLS
