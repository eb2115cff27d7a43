/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vsphere/soap/fault.h"

#include <string.h>

/* A fault is shown to people and kept with jobs: more than this is noise. */
#define MAX_MESSAGE_BYTES 2048
#define MAX_FIELD_BYTES 512
#define MAX_FIELDS 16

/* ---- the error domain ---- */

typedef struct {
  SoapFault *fault;
  gboolean sent;
  int status;
} SoapErrorPrivate;

static void
soap_error_private_init (SoapErrorPrivate *priv)
{
  priv->fault = NULL;
}

static void
soap_error_private_copy (const SoapErrorPrivate *src, SoapErrorPrivate *dest)
{
  *dest = *src;
  if (dest->fault != NULL)
    soap_fault_ref (dest->fault);
}

static void
soap_error_private_clear (SoapErrorPrivate *priv)
{
  soap_fault_unref (priv->fault);
}

G_DEFINE_EXTENDED_ERROR (SoapError, soap_error)

static SoapErrorPrivate *
get_private (const GError *error)
{
  if (error == NULL || error->domain != SOAP_ERROR)
    return NULL;
  return soap_error_get_private (error);
}

SoapFault *
soap_error_get_fault (const GError *error)
{
  SoapErrorPrivate *priv = get_private (error);

  return priv == NULL ? NULL : priv->fault;
}

gboolean
soap_error_is_fault (const GError *error, const char *type)
{
  SoapFault *fault = soap_error_get_fault (error);

  return fault != NULL && g_str_equal (soap_fault_get_type (fault), type);
}

void
soap_error_set_sent (GError *error, gboolean sent)
{
  SoapErrorPrivate *priv = get_private (error);

  if (priv != NULL)
    priv->sent = sent;
}

gboolean
soap_error_get_sent (const GError *error)
{
  SoapErrorPrivate *priv = get_private (error);

  return priv != NULL && priv->sent;
}

void
soap_error_set_status (GError *error, int status)
{
  SoapErrorPrivate *priv = get_private (error);

  if (priv != NULL)
    priv->status = status;
}

int
soap_error_get_status (const GError *error)
{
  SoapErrorPrivate *priv = get_private (error);

  return priv == NULL ? 0 : priv->status;
}

gboolean
soap_error_is_transport (const GError *error)
{
  if (error == NULL || error->domain != SOAP_ERROR)
    return FALSE;
  switch ((SoapErrorCode)error->code) {
  case SOAP_ERROR_RESOLVE:
  case SOAP_ERROR_CONNECT:
  case SOAP_ERROR_CONNECT_TIMEOUT:
  case SOAP_ERROR_TLS:
  case SOAP_ERROR_TRUST:
  case SOAP_ERROR_LOST:
  case SOAP_ERROR_TIMEOUT:
  case SOAP_ERROR_STATUS:
  case SOAP_ERROR_MALFORMED:
    return TRUE;
  case SOAP_ERROR_URL:
  case SOAP_ERROR_CANCELLED:
  case SOAP_ERROR_TOO_BIG:
  case SOAP_ERROR_ARGUMENT:
  case SOAP_ERROR_FAULT:
    return FALSE;
  }
  return FALSE;
}

/* ---- faults ---- */

struct SoapFault {
  gatomicrefcount refs;
  char *type;
  char *message;
  guint n_fields;
  SoapFaultField fields[MAX_FIELDS]; /* of which we own the strings */
};

/* At most @max bytes, cut at a character. */
static char *
dup_cut (const char *text, gsize max)
{
  const char *end;

  if (strlen (text) <= max)
    return g_strdup (text);
  end = g_utf8_find_prev_char (text, text + max + 1);
  return g_strndup (text, end == NULL ? max : (gsize)(end - text));
}

/* The element whose xsi:type (or name) is the fault's type: of a SOAP Fault
 * the child of its detail, of a LocalizedMethodFault its "fault". */
static const SoapNode *
find_typed (const SoapNode *node)
{
  const SoapNode *detail = soap_node_child (node, "detail");
  const SoapNode *typed;

  if (detail == NULL)
    detail = soap_node_child (node, "Detail");
  typed = detail == NULL ? soap_node_child (node, "fault") : detail->first;
  return typed;
}

static char *
fault_type (const SoapNode *typed)
{
  const char *type = typed->xsi_type != NULL ? typed->xsi_type : typed->name;
  const char *inner;

  if (g_str_equal (type, "UnexpectedFault")) {
    inner = soap_node_child_text (typed, "faultName");
    /* "vim.fault.Timedout": its last word. */
    if (inner != NULL && *inner != '\0') {
      const char *dot = strrchr (inner, '.');

      return dup_cut (dot == NULL ? inner : dot + 1, MAX_FIELD_BYTES);
    }
  }
  /* Only the element's name carries the suffix; types such as FileFault are
   * called that. */
  if (typed->xsi_type == NULL && g_str_has_suffix (type, "Fault"))
    return g_strndup (type, MIN (strlen (type) - 5, MAX_FIELD_BYTES));
  return dup_cut (type, MAX_FIELD_BYTES);
}

static void
add_field (SoapFault *self, const SoapNode *node)
{
  SoapFaultField *field;
  const char *nested = "";

  if (self->n_fields == MAX_FIELDS)
    return;
  /* A field that is a fault itself: its type says the most. */
  if (node->first != NULL) {
    const SoapNode *inner = soap_node_child (node, "fault");

    inner = inner == NULL ? node : inner;
    nested = inner->xsi_type == NULL ? "" : inner->xsi_type;
  }
  field = &self->fields[self->n_fields++];
  field->name = dup_cut (node->name, MAX_FIELD_BYTES);
  field->type = dup_cut (node->type == NULL ? "" : node->type, MAX_FIELD_BYTES);
  field->value
    = dup_cut (node->first == NULL ? node->text : nested, MAX_FIELD_BYTES);
}

static void
add_sentence (GString *message, const char *text)
{
  g_autofree char *clean = NULL;

  if (text == NULL || message->len >= MAX_MESSAGE_BYTES)
    return;
  clean = g_strstrip (g_strdup (text));
  if (*clean == '\0' || strstr (message->str, clean) != NULL)
    return;
  if (message->len > 0)
    g_string_append_c (message, ' ');
  g_string_append (message, clean);
}

SoapFault *
soap_fault_new (const SoapNode *node)
{
  SoapFault *self = g_new0 (SoapFault, 1);
  const SoapNode *typed = find_typed (node), *child;
  GString *message = g_string_new (NULL);

  g_atomic_ref_count_init (&self->refs);
  add_sentence (message, soap_node_child_text (node, "faultstring"));
  add_sentence (message, soap_node_child_text (node, "localizedMessage"));
  if (typed != NULL) {
    self->type = fault_type (typed);
    for (child = typed->first; child != NULL; child = child->next)
      if (g_str_equal (child->name, "faultMessage"))
        add_sentence (message, soap_node_child_text (child, "message"));
      else if (!g_str_equal (child->name, "faultCause"))
        add_field (self, child);
  } else {
    self->type = g_strdup ("");
  }
  self->message = dup_cut (message->str, MAX_MESSAGE_BYTES);
  g_string_free (message, TRUE);
  return self;
}

SoapFault *
soap_fault_ref (SoapFault *self)
{
  g_atomic_ref_count_inc (&self->refs);
  return self;
}

void
soap_fault_unref (SoapFault *self)
{
  guint i;

  if (self == NULL || !g_atomic_ref_count_dec (&self->refs))
    return;
  for (i = 0; i < self->n_fields; i++) {
    g_free ((char *)self->fields[i].name);
    g_free ((char *)self->fields[i].type);
    g_free ((char *)self->fields[i].value);
  }
  g_free (self->type);
  g_free (self->message);
  g_free (self);
}

const char *
soap_fault_get_type (const SoapFault *self)
{
  return self->type;
}

const SoapFaultField *
soap_fault_get_field (const SoapFault *self, const char *name)
{
  guint i;

  for (i = 0; i < self->n_fields; i++)
    if (g_str_equal (self->fields[i].name, name))
      return &self->fields[i];
  return NULL;
}

void
soap_set_error_fault (GError **error, SoapFault *fault)
{
  SoapErrorPrivate *priv;
  const char *type = *fault->type == '\0' ? "fault" : fault->type;

  if (error == NULL)
    return;
  if (*fault->message == '\0')
    g_set_error_literal (error, SOAP_ERROR, SOAP_ERROR_FAULT, type);
  else
    g_set_error (error, SOAP_ERROR, SOAP_ERROR_FAULT, "%s: %s", type,
                 fault->message);
  priv = get_private (*error);
  priv->fault = soap_fault_ref (fault);
}
