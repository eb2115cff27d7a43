/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fault.h - how a call can fail: the one GError domain of soap/, and the
 * faults that a host answers or puts into its tasks.
 *
 * An error of this domain knows more than its text: the fault, whether the
 * request may have reached the host, the HTTP status. soap_error_get_* give
 * those; they are kept by g_error_copy and g_prefix_error.
 */
#pragma once

#include <glib.h>

#include "vsphere/soap/decode.h"

G_BEGIN_DECLS

#define SOAP_ERROR (soap_error_quark ())
GQuark soap_error_quark (void);

typedef enum {
  SOAP_ERROR_URL,       /* not an address that can be called */
  SOAP_ERROR_CANCELLED, /* by the GCancellable */
  SOAP_ERROR_RESOLVE,   /* the host's name is unknown */
  SOAP_ERROR_CONNECT,   /* refused, unreachable */
  SOAP_ERROR_CONNECT_TIMEOUT,
  SOAP_ERROR_TLS,       /* no agreement with the host on how to encrypt */
  SOAP_ERROR_TRUST,     /* the host's certificate is not to be trusted */
  SOAP_ERROR_LOST,      /* the connection broke after the request began */
  SOAP_ERROR_TIMEOUT,   /* no answer, or an answer that stopped */
  SOAP_ERROR_STATUS,    /* HTTP status without a SOAP body */
  SOAP_ERROR_MALFORMED, /* the answer is no SOAP, or lacks what it must have */
  SOAP_ERROR_TOO_BIG,   /* the answer has more than we take */
  SOAP_ERROR_ARGUMENT,  /* the request cannot be expressed in XML */
  SOAP_ERROR_FAULT,     /* the host's own word; see soap_error_get_fault */
} SoapErrorCode;

/* ---- faults ---- */

/* A fault's own fields, as text: "privilegeId", "existingState", ... */
typedef struct {
  const char *name;
  const char *type; /* of a managed object reference, else "" */
  const char *value;
} SoapFaultField;

typedef struct SoapFault SoapFault;

/**
 * soap_fault_new:
 * @node: a SOAP Fault element, or a LocalizedMethodFault
 *
 * Its type without "Fault", UnexpectedFault looked through, and all its
 * sentences for people joined to one. Long texts are cut.
 */
SoapFault *soap_fault_new (const SoapNode *node);
SoapFault *soap_fault_ref (SoapFault *self);
void soap_fault_unref (SoapFault *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (SoapFault, soap_fault_unref)

/* "NotAuthenticated"; "" if the host did not say. */
const char *soap_fault_get_type (const SoapFault *self);
/* (nullable): that field of the fault */
const SoapFaultField *soap_fault_get_field (const SoapFault *self,
                                            const char *name);

/* ---- errors ---- */

/* Sets a SOAP_ERROR_FAULT whose text is "TYPE: MESSAGE". */
void soap_set_error_fault (GError **error, SoapFault *fault);

/* Whether @error is a fault of that type. */
gboolean soap_error_is_fault (const GError *error, const char *type);
/* (nullable): borrowed from @error */
SoapFault *soap_error_get_fault (const GError *error);

/* Whether the request's content had begun to leave when @error came: the
 * host may have done, or may yet do, what was asked. FALSE for faults. */
void soap_error_set_sent (GError *error, gboolean sent);
gboolean soap_error_get_sent (const GError *error);
/* The HTTP status, 0 if none came. */
void soap_error_set_status (GError *error, int status);
int soap_error_get_status (const GError *error);

/* The host was not reached or went away: another try later may do better. */
gboolean soap_error_is_transport (const GError *error);

G_END_DECLS
