/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vsphere/soap/types.h"

#include <errno.h>
#include <string.h>

#include "vsphere/soap/fault.h"

/* ---- tables ---- */

#define BEGIN(T) static const SoapField fields_##T[] = {
#define FIELD(T, KIND, name, FLAGS)                                            \
  { #name, SOAP_KIND_##KIND, SOAP_FIELD_##FLAGS,                               \
    G_STRUCT_OFFSET (Soap##T, name), NULL },
#define STRUCT(T, SUB, name, FLAGS)                                            \
  { #name, SOAP_KIND_STRUCT, SOAP_FIELD_##FLAGS,                               \
    G_STRUCT_OFFSET (Soap##T, name), &soap_type_##SUB },
#define LIST_AS(T, SUB, c_name, name, FLAGS)                                   \
  { #name, SOAP_KIND_LIST, SOAP_FIELD_##FLAGS,                                 \
    G_STRUCT_OFFSET (Soap##T, c_name), &soap_type_##SUB },
#define END(T)                                                                 \
  }                                                                            \
  ;                                                                            \
  const SoapType soap_type_##T                                                 \
    = { #T, sizeof (Soap##T), fields_##T, G_N_ELEMENTS (fields_##T) };
#include "vsphere/soap/fields.def"

#define BEGIN(T) &soap_type_##T,
#define FIELD(T, KIND, name, FLAGS)
#define STRUCT(T, SUB, name, FLAGS)
#define LIST_AS(T, SUB, c_name, name, FLAGS)
#define END(T)
const SoapType *const soap_types[] = {
#include "vsphere/soap/fields.def"
};
const gsize soap_n_types = G_N_ELEMENTS (soap_types);

/* Results that are no struct look like types of these names. */
#define soap_result_None NULL, SOAP_KIND_ANY
#define soap_result_Ref NULL, SOAP_KIND_REF
#define soap_result_ServiceContent &soap_type_ServiceContent, SOAP_KIND_STRUCT
#define soap_result_UserSession &soap_type_UserSession, SOAP_KIND_STRUCT
#define soap_result_UpdateSet &soap_type_UpdateSet, SOAP_KIND_STRUCT
#define soap_result_RetrieveResult &soap_type_RetrieveResult, SOAP_KIND_STRUCT

static const SoapType soap_type_None;

#define METHOD(name, ARGS, RESULT, records, EFFECT)                            \
  const SoapMethod soap_method_##name                                          \
    = { #name, &soap_type_##ARGS, soap_result_##RESULT, records,               \
        SOAP_EFFECT_##EFFECT };
#include "vsphere/soap/fields.def"

#define METHOD(name, ARGS, RESULT, records, EFFECT) &soap_method_##name,
const SoapMethod *const soap_methods[] = {
#include "vsphere/soap/fields.def"
};
const gsize soap_n_methods = G_N_ELEMENTS (soap_methods);

static const gsize kind_sizes[] = {
  [SOAP_KIND_STRING] = sizeof (SOAP_C_STRING),
  [SOAP_KIND_BOOL] = sizeof (SOAP_C_BOOL),
  [SOAP_KIND_INT] = sizeof (SOAP_C_INT),
  [SOAP_KIND_TIME] = sizeof (SOAP_C_TIME),
  [SOAP_KIND_REF] = sizeof (SOAP_C_REF),
  [SOAP_KIND_ANY] = sizeof (SOAP_C_ANY),
  [SOAP_KIND_TYPE] = sizeof (SOAP_C_TYPE),
};

/* Which single kind a list is made of. */
static SoapKind
element_kind (SoapKind list)
{
  switch (list) {
  case SOAP_KIND_STRINGS:
    return SOAP_KIND_STRING;
  case SOAP_KIND_INTS:
    return SOAP_KIND_INT;
  case SOAP_KIND_REFS:
    return SOAP_KIND_REF;
  case SOAP_KIND_LIST:
    return SOAP_KIND_STRUCT;
  default:
    return list;
  }
}

static gboolean
is_list (SoapKind kind)
{
  return element_kind (kind) != kind;
}

/* ---- time ---- */

/* @n digits at *@p as a number. */
static gboolean
take_digits (const char **p, guint n, gint64 *ret)
{
  gint64 value = 0;

  for (; n > 0; n--, (*p)++) {
    if (!g_ascii_isdigit (**p))
      return FALSE;
    value = value * 10 + (**p - '0');
  }
  *ret = value;
  return TRUE;
}

static gboolean
take_char (const char **p, char c)
{
  if (**p != c)
    return FALSE;
  (*p)++;
  return TRUE;
}

/* Days from 1970-01-01 in the proleptic Gregorian calendar: years start in
 * March, so that the leap day is the last one. */
static gint64
days_from_date (gint64 year, gint64 month, gint64 day)
{
  gint64 shifted = month <= 2 ? year - 1 : year;
  gint64 day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;

  return shifted * 365 + shifted / 4 - shifted / 100 + shifted / 400
         + day_of_year - 719468;
}

/* "Z", "+hh:mm", "-hh:mm" or nothing, to the end of the text. */
static gboolean
take_zone (const char *p, gint64 *ret_seconds)
{
  gint64 hours, minutes, sign = *p == '-' ? -1 : 1;

  *ret_seconds = 0;
  if (*p == '\0' || g_str_equal (p, "Z"))
    return TRUE;
  if (*p != '+' && *p != '-')
    return FALSE;
  p++;
  if (!take_digits (&p, 2, &hours) || !take_char (&p, ':')
      || !take_digits (&p, 2, &minutes) || *p != '\0' || hours > 14
      || minutes > 59)
    return FALSE;
  *ret_seconds = sign * (hours * 3600 + minutes * 60);
  return TRUE;
}

gboolean
soap_parse_time (const char *text, gint64 *ret_us)
{
  const char *p = text;
  gint64 year, month, day, hour, minute, second, zone, fraction = 0;
  gint64 unit = 100000;

  if (!take_digits (&p, 4, &year) || !take_char (&p, '-')
      || !take_digits (&p, 2, &month) || !take_char (&p, '-')
      || !take_digits (&p, 2, &day) || !take_char (&p, 'T')
      || !take_digits (&p, 2, &hour) || !take_char (&p, ':')
      || !take_digits (&p, 2, &minute) || !take_char (&p, ':')
      || !take_digits (&p, 2, &second))
    return FALSE;
  if (*p == '.')
    for (p++; g_ascii_isdigit (*p); p++, unit /= 10)
      fraction += unit * (*p - '0');
  if (!take_zone (p, &zone) || year < 1 || month < 1 || month > 12 || day < 1
      || day > 31 || hour > 24 || minute > 59 || second > 60)
    return FALSE;
  *ret_us
    = ((days_from_date (year, month, day) * 24 + hour) * 60 + minute) * 60;
  *ret_us = (*ret_us + second - zone) * G_USEC_PER_SEC + fraction;
  return TRUE;
}

/* ---- decoding ---- */

/* What is decoded, for errors. An inventory has a million fields: their names
 * are put together when one is needed. */
typedef struct {
  const char *type; /* NULL: only the name */
  const char *name;
} What;

static char *
spell (const What *what)
{
  return what->type == NULL ? g_strdup (what->name)
                            : g_strconcat (what->type, ".", what->name, NULL);
}

static gboolean
bad_value (const What *what, const char *expected, const char *text,
           GError **error)
{
  g_autofree char *start = g_strndup (text, 40);
  g_autofree char *spelt = spell (what);

  g_set_error (error, SOAP_ERROR, SOAP_ERROR_MALFORMED, "%s: \"%s\" is not %s",
               spelt, start, expected);
  return FALSE;
}

static gboolean
too_big (const What *what, GError **error)
{
  g_autofree char *spelt = spell (what);

  g_set_error (error, SOAP_ERROR, SOAP_ERROR_TOO_BIG,
               "%s: the answer is too big", spelt);
  return FALSE;
}

static gboolean
decode_bool (const What *what, const char *text, gboolean *ret, GError **error)
{
  if (g_str_equal (text, "true") || g_str_equal (text, "1"))
    *ret = TRUE;
  else if (g_str_equal (text, "false") || g_str_equal (text, "0"))
    *ret = FALSE;
  else
    return bad_value (what, "true or false", text, error);
  return TRUE;
}

static gboolean
decode_struct_pointer (const SoapType *sub, const SoapNode *node,
                       SoapArena *arena, gconstpointer *ret, GError **error)
{
  gpointer made = soap_arena_alloc (arena, sub->size);

  if (made == NULL)
    return too_big (&(What){ .name = sub->name }, error);
  if (!soap_decode_struct (sub, node, arena, made, error))
    return FALSE;
  *ret = made;
  return TRUE;
}

/* A value that is no list. */
static gboolean
decode_single (SoapKind kind, const SoapType *sub, const What *what,
               const SoapNode *node, SoapArena *arena, gpointer ret,
               GError **error)
{
  SoapRef *ref = ret;

  switch (kind) {
  case SOAP_KIND_STRING:
    *(const char **)ret = node->text;
    return TRUE;
  case SOAP_KIND_BOOL:
    return decode_bool (what, node->text, ret, error);
  case SOAP_KIND_INT:
    if (!g_ascii_string_to_signed (node->text, 10, G_MININT64, G_MAXINT64, ret,
                                   NULL))
      return bad_value (what, "a number", node->text, error);
    return TRUE;
  case SOAP_KIND_TIME:
    if (!soap_parse_time (node->text, ret))
      return bad_value (what, "a time", node->text, error);
    return TRUE;
  case SOAP_KIND_REF:
    ref->type = node->type == NULL ? "" : node->type;
    ref->value = *node->text == '\0' ? NULL : node->text;
    return TRUE;
  case SOAP_KIND_ANY:
    *(const SoapNode **)ret = node;
    return TRUE;
  case SOAP_KIND_TYPE:
    *(const char **)ret = node->xsi_type;
    return TRUE;
  case SOAP_KIND_STRUCT:
    return decode_struct_pointer (sub, node, arena, ret, error);
  default:
    g_return_val_if_reached (FALSE);
  }
}

/* All lists have the layout of SoapStrings. Of @parent's children those named
 * @name are elements; all of them if @name is NULL. */
static gboolean
decode_list (SoapKind kind, const SoapType *sub, const What *what,
             const char *name, const SoapNode *parent, SoapArena *arena,
             SoapStrings *ret, GError **error)
{
  SoapKind single = element_kind (kind);
  gsize size = kind == SOAP_KIND_LIST ? sub->size : kind_sizes[single];
  const SoapNode *node;
  gsize n = 0;
  char *items;

  for (node = parent->first; node != NULL; node = node->next)
    if (name == NULL || g_str_equal (node->name, name))
      n++;
  items = soap_arena_alloc_n (arena, n, size);
  if (items == NULL)
    return too_big (what, error);
  ret->items = (gpointer)items;
  ret->n = n;
  for (node = parent->first; node != NULL; node = node->next) {
    if (name != NULL && !g_str_equal (node->name, name))
      continue;
    if (kind == SOAP_KIND_LIST
          ? !soap_decode_struct (sub, node, arena, items, error)
          : !decode_single (single, sub, what, node, arena, items, error))
      return FALSE;
    items += size;
  }
  return TRUE;
}

gboolean
soap_decode_value (SoapKind kind, const SoapType *sub, const char *what,
                   const SoapNode *node, SoapArena *arena, gpointer ret_value,
                   GError **error)
{
  What named = { .name = what };

  if (is_list (kind))
    return decode_list (kind, sub, &named, NULL, node, arena, ret_value, error);
  return decode_single (kind, sub, &named, node, arena, ret_value, error);
}

/* The child of that name; the search begins at *@next, behind the one that was
 * found before, since hosts send fields in the order that they have here. */
static const SoapNode *
find_child (const SoapNode *node, const char *name, const SoapNode **next)
{
  const SoapNode *child;

  for (child = *next; child != NULL; child = child->next)
    if (g_str_equal (child->name, name))
      break;
  if (child == NULL)
    child = soap_node_child (node, name);
  if (child != NULL)
    *next = child->next;
  return child;
}

static gboolean
decode_field (const SoapType *type, const SoapField *field,
              const SoapNode *node, const SoapNode **next, SoapArena *arena,
              gpointer ret, GError **error)
{
  const What what = { type->name, field->name };
  const SoapNode *child;

  if (is_list (field->kind))
    return decode_list (field->kind, field->sub, &what, field->name, node,
                        arena, ret, error);
  if (field->kind == SOAP_KIND_TYPE)
    return decode_single (field->kind, NULL, &what, node, arena, ret, error);
  child = find_child (node, field->name, next);
  if (child != NULL
      && !decode_single (field->kind, field->sub, &what, child, arena, ret,
                         error))
    return FALSE;
  if ((field->flags & SOAP_FIELD_REQUIRED) != 0
      && (child == NULL
          || (field->kind == SOAP_KIND_REF
              && ((SoapRef *)ret)->value == NULL))) {
    g_set_error (error, SOAP_ERROR, SOAP_ERROR_MALFORMED,
                 "%s.%s is missing in the answer", type->name, field->name);
    return FALSE;
  }
  return TRUE;
}

gboolean
soap_decode_struct (const SoapType *type, const SoapNode *node,
                    SoapArena *arena, gpointer ret_struct, GError **error)
{
  const SoapNode *next = node->first;
  gsize i;

  memset (ret_struct, 0, type->size);
  for (i = 0; i < type->n_fields; i++)
    if (!decode_field (type, &type->fields[i], node, &next, arena,
                       (char *)ret_struct + type->fields[i].offset, error))
      return FALSE;
  return TRUE;
}

/* ---- encoding ---- */

gboolean
soap_encode_text (const char *text, GString *out, GError **error)
{
  const char *p;

  if (!g_utf8_validate (text, -1, NULL)) {
    g_set_error_literal (error, SOAP_ERROR, SOAP_ERROR_ARGUMENT,
                         "text that is not UTF-8 cannot be sent");
    return FALSE;
  }
  for (p = text; *p != '\0'; p = g_utf8_next_char (p)) {
    gunichar c = g_utf8_get_char (p);

    if ((c < 0x20 && c != '\t' && c != '\n' && c != '\r') || c == 0xFFFE
        || c == 0xFFFF) {
      g_set_error (error, SOAP_ERROR, SOAP_ERROR_ARGUMENT,
                   "text with the control character U+%04X cannot be sent", c);
      return FALSE;
    }
    if (c == '&')
      g_string_append (out, "&amp;");
    else if (c == '<')
      g_string_append (out, "&lt;");
    else if (c == '>')
      g_string_append (out, "&gt;");
    else if (c == '"')
      g_string_append (out, "&quot;");
    else if (c == '\r') /* a parser would make it a line feed */
      g_string_append (out, "&#13;");
    else
      g_string_append_len (out, p, g_utf8_next_char (p) - p);
  }
  return TRUE;
}

static gboolean
encode_element (const char *name, const char *text, GString *out,
                GError **error)
{
  g_string_append_printf (out, "<%s>", name);
  if (!soap_encode_text (text, out, error))
    return FALSE;
  g_string_append_printf (out, "</%s>", name);
  return TRUE;
}

gboolean
soap_encode_ref (const char *name, const SoapRef *ref, GString *out,
                 GError **error)
{
  g_string_append_printf (out, "<%s type=\"", name);
  if (!soap_encode_text (ref->type, out, error))
    return FALSE;
  g_string_append (out, "\">");
  if (!soap_encode_text (ref->value, out, error))
    return FALSE;
  g_string_append_printf (out, "</%s>", name);
  return TRUE;
}

static gboolean
encode_single (const SoapField *field, SoapKind kind, gconstpointer from,
               GString *out, GError **error)
{
  gboolean required = (field->flags & SOAP_FIELD_REQUIRED) != 0;
  const char *text = NULL;
  char number[32];

  switch (kind) {
  case SOAP_KIND_STRING:
    text = *(const char *const *)from;
    return text == NULL || encode_element (field->name, text, out, error);
  case SOAP_KIND_BOOL:
    if (*(const gboolean *)from || required)
      g_string_append_printf (out, "<%s>%s</%s>", field->name,
                              *(const gboolean *)from ? "true" : "false",
                              field->name);
    return TRUE;
  case SOAP_KIND_INT:
    g_snprintf (number, sizeof number, "%" G_GINT64_FORMAT,
                *(const gint64 *)from);
    if (*(const gint64 *)from != 0 || required)
      return encode_element (field->name, number, out, error);
    return TRUE;
  case SOAP_KIND_REF:
    if (((const SoapRef *)from)->value == NULL)
      return TRUE;
    return soap_encode_ref (field->name, from, out, error);
  default: /* the rest is only ever read */
    g_return_val_if_reached (FALSE);
  }
}

static gboolean
encode_nested (const SoapField *field, gconstpointer from, GString *out,
               GError **error)
{
  g_string_append_printf (out, "<%s", field->name);
  if ((field->flags & SOAP_FIELD_POLYMORPHIC) != 0)
    g_string_append_printf (out, " xsi:type=\"%s\"", field->sub->name);
  g_string_append_c (out, '>');
  if (!soap_encode_struct (field->sub, from, out, error))
    return FALSE;
  g_string_append_printf (out, "</%s>", field->name);
  return TRUE;
}

static gboolean
encode_list (const SoapField *field, const SoapStrings *list, GString *out,
             GError **error)
{
  SoapKind single = element_kind (field->kind);
  gsize size
    = field->kind == SOAP_KIND_LIST ? field->sub->size : kind_sizes[single];
  const char *item = (gconstpointer)list->items;
  gsize i;

  for (i = 0; i < list->n; i++, item += size)
    if (field->kind == SOAP_KIND_LIST
          ? !encode_nested (field, item, out, error)
          : !encode_single (field, single, item, out, error))
      return FALSE;
  return TRUE;
}

gboolean
soap_encode_struct (const SoapType *type, gconstpointer from, GString *out,
                    GError **error)
{
  gsize i;
  gboolean ok;

  for (i = 0; i < type->n_fields; i++) {
    const SoapField *field = &type->fields[i];
    gconstpointer value = (const char *)from + field->offset;

    if (is_list (field->kind))
      ok = encode_list (field, value, out, error);
    else if (field->kind == SOAP_KIND_STRUCT)
      ok = *(const gconstpointer *)value == NULL
           || encode_nested (field, *(const gconstpointer *)value, out, error);
    else
      ok = encode_single (field, field->kind, value, out, error);
    if (!ok) {
      g_prefix_error (error, "%s: ", field->name);
      return FALSE;
    }
  }
  return TRUE;
}
