/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * decode.c - libxml2's push parser, its SAX2 events, and our own small trees.
 *
 * The parser's own tree building is not used: it has no way to let go of what
 * was read. Where an element is a record, its nodes go into an arena of its
 * own that is emptied after the record was handed out.
 */
#include "vsphere/soap/decode.h"

#include <libxml/parser.h>
#include <string.h>

#include "vsphere/soap/fault.h"
#include "vsphere/soap/sanitize.h"

#define XSI_NAMESPACE "http://www.w3.org/2001/XMLSchema-instance"
#define MAX_PLAIN_BYTES ((gsize)1 << 20)
/* Names and attribute values; the longest that vSphere has are about 60. */
#define MAX_NAME_BYTES 1024u
/* In an envelope: Envelope, Body, the response element. */
#define ENVELOPE_DEPTH 3u

/* Where a record can begin, and below it. */
#define MAX_OPEN (SOAP_MAX_DEPTH + 16)

/* An element that is open. */
typedef struct {
  SoapNode *node; /* NULL: too much, left out */
  SoapNode *last; /* its last child */
} Open;

struct SoapDecoder {
  xmlParserCtxtPtr parser;
  SoapSanitizer sanitizer;
  GString *clean;
  guint64 fed;
  gboolean plain; /* the document is the tree, there is no envelope */

  char **record_path; /* NULL: no records */
  guint n_record_path;
  SoapHeadFunc head; /* NULL: none, or called */
  SoapRecordFunc func;
  gpointer data;

  SoapArena *arena; /* of the tree */
  gboolean own_arena;
  SoapArena *record_arena;
  SoapNode *root; /* response or Fault */

  Open open[MAX_OPEN]; /* by depth; those outside the Body are not used */
  guint depth;         /* open elements of the document */
  guint base;          /* depth at which the tree, or the record, begins */
  guint record_depth;  /* depth of the open record, 0: none */
  guint path_matched;  /* open elements that match record_path */
  gboolean in_body;
  GString *text; /* of the innermost open element so far */

  GError *error; /* the first that occurred */
};

/* ---- nodes ---- */

const SoapNode *
soap_node_child (const SoapNode *self, const char *name)
{
  const SoapNode *node;

  for (node = self->first; node != NULL; node = node->next)
    if (g_str_equal (node->name, name))
      return node;
  return NULL;
}

const char *
soap_node_child_text (const SoapNode *self, const char *name)
{
  const SoapNode *child = soap_node_child (self, name);

  return child == NULL ? NULL : child->text;
}

/* ---- failing ---- */

static void G_GNUC_PRINTF (3, 4)
  fail (SoapDecoder *self, SoapErrorCode code, const char *format, ...)
{
  va_list args;

  if (self->error == NULL) {
    va_start (args, format);
    self->error = g_error_new_valist (SOAP_ERROR, (int)code, format, args);
    va_end (args);
  }
  xmlStopParser (self->parser);
}

/* Something of what is open is left out. */
static void
mark_cut (SoapDecoder *self)
{
  guint i;

  if (self->record_depth == 0)
    fail (self, SOAP_ERROR_TOO_BIG, "the answer is too big");
  for (i = self->base; i < MIN (self->depth, MAX_OPEN); i++)
    if (self->open[i].node != NULL)
      self->open[i].node->cut = TRUE;
}

/* The arena is full: a tree is refused, a record ends here. */
static void
overflow (SoapDecoder *self)
{
  mark_cut (self);
  if (self->record_depth > 0)
    soap_arena_set_limit (self->record_arena, 0);
}

/* ---- elements ---- */

static SoapArena *
current_arena (SoapDecoder *self)
{
  return self->record_depth > 0 ? self->record_arena : self->arena;
}

/* Attributes come as five pointers each: name, prefix, URI, value, its end. */
static void
take_attributes (SoapDecoder *self, SoapNode *node, int n,
                 const xmlChar **attributes)
{
  SoapArena *arena = current_arena (self);
  int i;

  for (i = 0; i < n; i++, attributes += 5) {
    const char *uri = (const char *)attributes[2];
    const char *value = (const char *)attributes[3];
    gsize len = (gsize)(attributes[4] - attributes[3]);
    gboolean xsi = g_strcmp0 (uri, XSI_NAMESPACE) == 0;
    const char *colon;

    if (!g_str_equal ((const char *)attributes[0], "type")
        || (uri != NULL && !xsi))
      continue;
    if (len > MAX_NAME_BYTES) {
      fail (self, SOAP_ERROR_MALFORMED, "an attribute is too long");
      return;
    }
    if (!xsi) {
      node->type = soap_arena_strndup (arena, value, len);
      continue;
    }
    colon = memchr (value, ':', len);
    if (colon != NULL) {
      len -= (gsize)(colon + 1 - value);
      value = colon + 1;
    }
    node->xsi_type = soap_arena_strndup (arena, value, len);
  }
}

static SoapNode *
new_node (SoapDecoder *self, const char *name, int n_attributes,
          const xmlChar **attributes)
{
  SoapArena *arena = current_arena (self);
  gsize len = strlen (name);
  SoapNode *node;

  if (len > MAX_NAME_BYTES) {
    fail (self, SOAP_ERROR_MALFORMED, "an element's name is too long");
    return NULL;
  }
  node = soap_arena_alloc (arena, sizeof *node);
  /* The parser keeps each name once, as long as it lives: a record does not
   * live longer. */
  if (node != NULL)
    node->name
      = self->record_depth > 0 ? name : soap_arena_strndup (arena, name, len);
  if (node == NULL || node->name == NULL) {
    overflow (self);
    return NULL;
  }
  node->text = "";
  take_attributes (self, node, n_attributes, attributes);
  return node;
}

static void
link_node (SoapDecoder *self, SoapNode *node)
{
  Open *parent;

  if (self->depth == self->base) {
    if (self->record_depth == 0)
      self->root = node;
    return;
  }
  parent = &self->open[self->depth - 1];
  if (parent->node == NULL)
    return;
  if (parent->last == NULL)
    parent->node->first = node;
  else
    parent->last->next = node;
  parent->last = node;
}

/* Whether the element that starts at the present depth completes the path of
 * the records; keeps count of how much of it is open. */
static gboolean
starts_record (SoapDecoder *self, const char *name)
{
  guint level = self->depth - ENVELOPE_DEPTH;

  if (self->record_path == NULL || self->record_depth > 0
      || self->depth < ENVELOPE_DEPTH || level != self->path_matched
      || level >= self->n_record_path
      || !g_str_equal (self->record_path[level], name))
    return FALSE;
  self->path_matched++;
  return self->path_matched == self->n_record_path;
}

/* Envelope and Body are checked and not kept. */
static void
start_envelope (SoapDecoder *self, const char *name)
{
  if (self->depth == 0 && !g_str_equal (name, "Envelope"))
    fail (self, SOAP_ERROR_MALFORMED, "the answer is no SOAP envelope");
  if (self->depth == 1)
    self->in_body = g_str_equal (name, "Body");
}

/* The element that starts becomes a node, unless its parent is left out. */
static void
open_node (SoapDecoder *self, const char *name, int n_attributes,
           const xmlChar **attributes)
{
  guint index = self->depth - self->base;
  Open *open;

  if (index >= SOAP_MAX_DEPTH) {
    mark_cut (self);
    /* The parser remembers every open element: no record is that deep. */
    if (index >= 16 * SOAP_MAX_DEPTH)
      fail (self, SOAP_ERROR_TOO_BIG, "the answer is nested too deeply");
    return;
  }
  open = &self->open[self->depth];
  open->last = NULL;
  open->node = NULL;
  if (index == 0 || open[-1].node != NULL)
    open->node = new_node (self, name, n_attributes, attributes);
  if (open->node != NULL)
    link_node (self, open->node);
}

static void
start_element (void *data, const xmlChar *localname, const xmlChar *prefix,
               const xmlChar *uri, int n_namespaces, const xmlChar **namespaces,
               int n_attributes, int n_defaulted, const xmlChar **attributes)
{
  SoapDecoder *self = data;
  const char *name = (const char *)localname;

  if (self->error != NULL)
    return;
  g_string_truncate (self->text, 0);
  if (!self->plain && self->depth < ENVELOPE_DEPTH - 1) {
    start_envelope (self, name);
    self->depth++;
    return;
  }
  if (!self->plain
      && (!self->in_body
          || (self->depth == ENVELOPE_DEPTH - 1 && self->root != NULL))) {
    self->in_body = FALSE; /* a header, or something behind the response */
    self->depth++;
    return;
  }
  if (starts_record (self, name)) {
    if (self->head != NULL && self->root != NULL)
      self->head (self->root, self->data);
    self->head = NULL;
    self->record_depth = self->depth;
    self->base = self->depth;
  }
  open_node (self, name, n_attributes, attributes);
  self->depth++;
}

static void
end_record (SoapDecoder *self, SoapNode *record)
{
  g_autoptr (GError) local = NULL;

  self->record_depth = 0;
  self->base = self->plain ? 0 : ENVELOPE_DEPTH - 1;
  soap_arena_set_limit (self->record_arena,
                        SOAP_MAX_RECORD_BYTES + SOAP_MAX_DECODED_BYTES);
  if (record != NULL
      && !self->func (record, self->record_arena, self->data, &local)) {
    if (self->error == NULL)
      self->error = g_steal_pointer (&local);
    xmlStopParser (self->parser);
  }
  soap_arena_reset (self->record_arena);
  soap_arena_set_limit (self->record_arena, SOAP_MAX_RECORD_BYTES);
}

/* An element without elements has text. */
static void
end_leaf (SoapDecoder *self, SoapNode *node)
{
  const char *text;

  if (node->first != NULL || self->text->len == 0)
    return;
  text = soap_arena_strndup (current_arena (self), self->text->str,
                             self->text->len);
  if (text == NULL)
    overflow (self);
  else
    node->text = text;
}

static void
end_element (void *data, const xmlChar *localname, const xmlChar *prefix,
             const xmlChar *uri)
{
  SoapDecoder *self = data;
  SoapNode *node;
  guint level;

  if (self->error != NULL || self->depth == 0)
    return;
  self->depth--;
  if (!self->plain && (self->depth < ENVELOPE_DEPTH - 1 || !self->in_body))
    return;
  if (self->depth - self->base < SOAP_MAX_DEPTH) {
    node = self->open[self->depth].node;
    if (node != NULL)
      end_leaf (self, node);
    if (self->record_depth > 0 && self->depth == self->record_depth)
      end_record (self, node);
  }
  g_string_truncate (self->text, 0);
  level = self->depth < ENVELOPE_DEPTH ? 0 : self->depth - ENVELOPE_DEPTH;
  if (self->record_depth == 0 && self->path_matched > level)
    self->path_matched = level;
}

static void
characters (void *data, const xmlChar *text, int len)
{
  SoapDecoder *self = data;

  if (self->error != NULL || len <= 0)
    return;
  /* The same limit that a tree has, before the arena is asked. */
  if (self->text->len + (gsize)len > SOAP_MAX_RECORD_BYTES)
    fail (self, SOAP_ERROR_TOO_BIG, "a text in the answer is too long");
  else
    g_string_append_len (self->text, (const char *)text, len);
}

static void
reject_dtd (void *data, const xmlChar *name, const xmlChar *external,
            const xmlChar *system)
{
  fail (data, SOAP_ERROR_MALFORMED,
        "the answer declares a document type, which SOAP forbids");
}

static xmlEntityPtr
no_entity (void *data, const xmlChar *name)
{
  return NULL;
}

static void
ignore_message (void *data, const char *format, ...)
{
}

/* libxml2's five predefined entities need no getEntity: they are resolved
 * before it is asked. */
static const xmlSAXHandler sax_handler = {
  .initialized = XML_SAX2_MAGIC,
  .startElementNs = start_element,
  .endElementNs = end_element,
  .characters = characters,
  .ignorableWhitespace = characters,
  .cdataBlock = characters,
  .internalSubset = reject_dtd,
  .externalSubset = reject_dtd,
  .getEntity = no_entity,
  .getParameterEntity = no_entity,
  .warning = ignore_message,
  .error = ignore_message,
  .fatalError = ignore_message,
};

/* ---- the decoder ---- */

static SoapDecoder *
decoder_new (SoapArena *arena)
{
  static gsize once;
  SoapDecoder *self = g_new0 (SoapDecoder, 1);
  xmlSAXHandler sax = sax_handler;

  if (g_once_init_enter (&once)) {
    xmlInitParser ();
    g_once_init_leave (&once, 1);
  }
  self->own_arena = arena == NULL;
  self->arena = arena == NULL ? soap_arena_new (SOAP_MAX_TREE_BYTES) : arena;
  self->record_arena = soap_arena_new (SOAP_MAX_RECORD_BYTES);
  self->text = g_string_new (NULL);
  self->clean = g_string_new (NULL);
  /* The encoding is ours to say, not the document's. */
  self->parser = xmlCreatePushParserCtxt (&sax, self, NULL, 0, NULL);
  if (self->parser == NULL)
    g_error ("out of memory for an XML parser");
  xmlCtxtUseOptions (self->parser, XML_PARSE_NONET | XML_PARSE_IGNORE_ENC
                                     | XML_PARSE_NOERROR | XML_PARSE_NOWARNING);
  return self;
}

SoapDecoder *
soap_decoder_new (const char *records, SoapHeadFunc head, SoapRecordFunc func,
                  gpointer data)
{
  SoapDecoder *self = decoder_new (NULL);

  self->base = ENVELOPE_DEPTH - 1;
  if (records != NULL && func != NULL) {
    self->record_path = g_strsplit (records, "/", -1);
    self->n_record_path = g_strv_length (self->record_path);
  }
  self->head = head;
  self->func = func;
  self->data = data;
  return self;
}

void
soap_decoder_free (SoapDecoder *self)
{
  if (self == NULL)
    return;
  xmlFreeParserCtxt (self->parser);
  g_strfreev (self->record_path);
  if (self->own_arena)
    soap_arena_free (self->arena);
  soap_arena_free (self->record_arena);
  g_string_free (self->text, TRUE);
  g_string_free (self->clean, TRUE);
  g_clear_error (&self->error);
  g_free (self);
}

SoapArena *
soap_decoder_get_arena (SoapDecoder *self)
{
  return self->arena;
}

/* Hands clean bytes to the parser and turns its refusal into our error. */
static gboolean
parse_clean (SoapDecoder *self, gboolean last, GError **error)
{
  const xmlError *said;
  int rc;

  g_assert (self->clean->len <= G_MAXINT);
  rc = xmlParseChunk (self->parser, self->clean->str, (int)self->clean->len,
                      last);
  if (self->error == NULL && rc != XML_ERR_OK && rc != XML_WAR_UNDECLARED_ENTITY
      && !self->parser->wellFormed) {
    said = xmlCtxtGetLastError (self->parser);
    fail (self, SOAP_ERROR_MALFORMED, "the answer is no XML: line %d: %s",
          said == NULL ? 0 : said->line,
          said == NULL || said->message == NULL ? "error"
                                                : g_strchomp (said->message));
  }
  if (self->error == NULL)
    return TRUE;
  g_propagate_error (error, g_error_copy (self->error));
  return FALSE;
}

gboolean
soap_decoder_feed (SoapDecoder *self, const char *data, gsize len,
                   GError **error)
{
  /* libxml2 keeps what it was given last. */
  const gsize piece = (gsize)64 << 10;

  while (len > 0) {
    gsize n = MIN (len, piece);

    if (self->error != NULL) {
      g_propagate_error (error, g_error_copy (self->error));
      return FALSE;
    }
    self->fed += n;
    if (self->fed > SOAP_MAX_ANSWER_BYTES)
      fail (self, SOAP_ERROR_TOO_BIG, "the answer is too big");
    g_string_truncate (self->clean, 0);
    soap_sanitize_feed (&self->sanitizer, data, n, self->clean);
    if (!parse_clean (self, FALSE, error))
      return FALSE;
    data += n;
    len -= n;
  }
  return TRUE;
}

const SoapNode *
soap_decoder_finish (SoapDecoder *self, GError **error)
{
  if (self->error != NULL) {
    g_propagate_error (error, g_error_copy (self->error));
    return NULL;
  }
  g_string_truncate (self->clean, 0);
  soap_sanitize_finish (&self->sanitizer, self->clean);
  if (!parse_clean (self, TRUE, error))
    return NULL;
  if (self->root == NULL || self->depth != 0) {
    g_set_error_literal (error, SOAP_ERROR, SOAP_ERROR_MALFORMED,
                         "the answer has no content");
    return NULL;
  }
  return self->root;
}

const SoapNode *
soap_decode_plain (const char *data, gsize len, SoapArena *arena,
                   GError **error)
{
  g_autoptr (SoapDecoder) decoder = NULL;

  if (len > MAX_PLAIN_BYTES) {
    g_set_error_literal (error, SOAP_ERROR, SOAP_ERROR_TOO_BIG,
                         "the document is too big");
    return NULL;
  }
  decoder = decoder_new (arena);
  decoder->plain = TRUE;
  if (!soap_decoder_feed (decoder, data, len, error))
    return NULL;
  return soap_decoder_finish (decoder, error);
}
