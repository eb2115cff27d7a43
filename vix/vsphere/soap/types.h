/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * types.h - the C side of fields.def: a struct for each type, a table that
 * describes it, and the two functions that go between struct and XML.
 *
 * What is decoded lives in the arena it was decoded into. A struct that is to
 * be encoded is filled by the caller and borrows all it points to. Strings of
 * an optional field are NULL if absent.
 */
#pragma once

#include <glib.h>

#include "vsphere/soap/decode.h"

G_BEGIN_DECLS

/* A managed object: type and value are compared, nothing else. */
typedef struct {
  const char *type;
  const char *value; /* NULL: unset */
} SoapRef;

/* Each list is a pointer and a number. */
typedef struct {
  const char *const *items;
  gsize n;
} SoapStrings;

typedef struct {
  const gint64 *items;
  gsize n;
} SoapInts;

typedef struct {
  const SoapRef *items;
  gsize n;
} SoapRefs;

/* ---- the structs ---- */

#define SOAP_C_STRING const char *
#define SOAP_C_BOOL gboolean
#define SOAP_C_INT gint64
#define SOAP_C_TIME gint64 /* microseconds since 1970 UTC; 0: absent */
#define SOAP_C_REF SoapRef
#define SOAP_C_ANY const SoapNode *
#define SOAP_C_TYPE const char *
#define SOAP_C_STRINGS SoapStrings
#define SOAP_C_INTS SoapInts
#define SOAP_C_REFS SoapRefs

#define BEGIN(T) typedef struct Soap##T Soap##T;
#define FIELD(T, KIND, name, FLAGS)
#define STRUCT(T, SUB, name, FLAGS)
#define LIST_AS(T, SUB, c_name, name, FLAGS)
#define END(T)
#include "vsphere/soap/fields.def"

#define BEGIN(T) struct Soap##T {
#define FIELD(T, KIND, name, FLAGS) SOAP_C_##KIND name;
#define STRUCT(T, SUB, name, FLAGS) const Soap##SUB *name;
#define LIST_AS(T, SUB, c_name, name, FLAGS)                                   \
  struct {                                                                     \
    const Soap##SUB *items;                                                    \
    gsize n;                                                                   \
  } c_name;
#define END(T)                                                                 \
  }                                                                            \
  ;
#include "vsphere/soap/fields.def"

/* ---- the tables ---- */

typedef enum {
  SOAP_KIND_STRING,
  SOAP_KIND_BOOL,
  SOAP_KIND_INT,
  SOAP_KIND_TIME,
  SOAP_KIND_REF,
  SOAP_KIND_ANY,
  SOAP_KIND_TYPE,
  SOAP_KIND_STRINGS,
  SOAP_KIND_INTS,
  SOAP_KIND_REFS,
  SOAP_KIND_STRUCT,
  SOAP_KIND_LIST
} SoapKind;

typedef enum {
  SOAP_FIELD_OPTIONAL = 0,
  SOAP_FIELD_REQUIRED = 1,
  SOAP_FIELD_POLYMORPHIC = 2
} SoapFieldFlags;

typedef struct SoapType SoapType;

typedef struct {
  const char *name;
  SoapKind kind;
  int flags;
  gsize offset;
  const SoapType *sub; /* of STRUCT and LIST */
} SoapField;

struct SoapType {
  const char *name;
  gsize size; /* of the C struct */
  const SoapField *fields;
  gsize n_fields;
};

#define BEGIN(T) extern const SoapType soap_type_##T;
#define FIELD(T, KIND, name, FLAGS)
#define STRUCT(T, SUB, name, FLAGS)
#define LIST_AS(T, SUB, c_name, name, FLAGS)
#define END(T)
#include "vsphere/soap/fields.def"

/* ---- the methods ---- */

typedef enum {
  SOAP_EFFECT_READS,
  SOAP_EFFECT_KEEPS,
  SOAP_EFFECT_CHANGES,
  SOAP_EFFECT_WAITS
} SoapEffect;

typedef struct {
  const char *name;
  const SoapType *args;   /* NULL: only the object */
  const SoapType *result; /* what the returnval is; NULL: see result_kind */
  SoapKind result_kind;   /* STRUCT, REF, TIME; ANY: it has none */
  const char *records;
  SoapEffect effect;
} SoapMethod;

#define METHOD(name, ARGS, RESULT, records, EFFECT)                            \
  extern const SoapMethod soap_method_##name;
#include "vsphere/soap/fields.def"

/* Every type and method, for tests. */
extern const SoapType *const soap_types[];
extern const gsize soap_n_types;
extern const SoapMethod *const soap_methods[];
extern const gsize soap_n_methods;

/* ---- between struct and XML ---- */

/**
 * soap_decode_struct:
 * @node: an element whose children are the fields
 * @ret_struct: (out caller-allocates): of type->size bytes
 * @error: %SOAP_ERROR_MALFORMED naming type and field, %SOAP_ERROR_TOO_BIG
 *
 * Fields that the table does not know are passed over; order does not matter.
 */
gboolean soap_decode_struct (const SoapType *type, const SoapNode *node,
                             SoapArena *arena, gpointer ret_struct,
                             GError **error);

/**
 * soap_decode_value:
 * @what: for error texts, "VirtualMachine.config.uuid"
 * @ret_value: of the C type of @kind; of a STRUCT a pointer to it
 *
 * A value by itself: a property, a returnval. A list's elements are the
 * children of @node, whatever their name. An empty reference is unset.
 */
gboolean soap_decode_value (SoapKind kind, const SoapType *sub,
                            const char *what, const SoapNode *node,
                            SoapArena *arena, gpointer ret_value,
                            GError **error);

/**
 * soap_encode_struct:
 * @out: appended to: one element for each field that is set
 * @error: %SOAP_ERROR_ARGUMENT for text that XML cannot hold
 */
gboolean soap_encode_struct (const SoapType *type, gconstpointer from,
                             GString *out, GError **error);
/* <@name type="...">...</@name> */
gboolean soap_encode_ref (const char *name, const SoapRef *ref, GString *out,
                          GError **error);
/* Escaped text. */
gboolean soap_encode_text (const char *text, GString *out, GError **error);

/* "2026-11-22T08:47:06.091265096Z" and its kin to microseconds since 1970. */
gboolean soap_parse_time (const char *text, gint64 *ret_us);

G_END_DECLS
