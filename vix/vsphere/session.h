/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * session.h - being logged in at one host.
 *
 * All calls go through here. A call that finds the session gone logs in again
 * (once for all who wait) and is sent again: a host that says NotAuthenticated
 * did nothing. Reads are repeated when the connection failed; what changes
 * something never is, and a login that was refused is never tried again,
 * since accounts lock. Errors are SOAP_ERROR. Any thread.
 */
#pragma once

#include "core/provider.h"
#include "vsphere/address.h"
#include "vsphere/soap/envelope.h"

G_BEGIN_DECLS

typedef struct VsphereSession VsphereSession;

/* What a host says of itself, and its well-known objects. Counted, const. */
typedef struct VsphereService VsphereService;
struct VsphereService {
  SoapRef root_folder;
  SoapRef property_collector;
  SoapRef view_manager; /* .value NULL if the host has none */
  SoapRef session_manager;
  SoapRef search_index;
  SoapRef license_manager; /* .value NULL if the host has none */
  const char *full_name;   /* "VMware ESXi 8.0.3 build-24022510" */
  const char *api_version; /* of the host */
  const char *version;     /* that we speak: the newest both know */
  gboolean is_vcenter;
};

VsphereService *vsphere_service_ref (VsphereService *self);
void vsphere_service_unref (VsphereService *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VsphereService, vsphere_service_unref)
/* Whether the version spoken is @version ("4.1") or newer. */
gboolean vsphere_service_speaks (const VsphereService *self,
                                 const char *version);

/* What is wrong before anything is asked of the host: a thumbprint that is
 * none, http:// without a word that this will do. */
gboolean vsphere_session_check (const VsphereAddress *address,
                                const VixConnectParams *params, GError **error);

/**
 * vsphere_session_new:
 * @address: copied
 * @error: as of vsphere_session_check(); %VIX_E_INVALID_ARG without a password
 *
 * Does not connect. Without a user the password is a clone ticket.
 */
VsphereSession *vsphere_session_new (const VsphereAddress *address,
                                     const VixConnectParams *params,
                                     GError **error);
/* Logs out if logged in; may block for a few seconds. No call may be under
 * way. */
void vsphere_session_free (VsphereSession *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VsphereSession, vsphere_session_free)

/* Finds out what the host is and logs in. Also after the host was away, when
 * it may be another version. Blocks. */
gboolean vsphere_session_connect (VsphereSession *self,
                                  GCancellable *cancellable, GError **error);

/* (transfer full): only after vsphere_session_connect() once succeeded. */
VsphereService *vsphere_session_get_service (VsphereSession *self);
/* The host's licence, asked once after the first login, lets programs read
 * but change nothing. */
gboolean vsphere_session_is_read_only (VsphereSession *self);
/* Grows with each login: objects of an older session are gone. */
guint vsphere_session_get_generation (VsphereSession *self);
/* (transfer full): who we are, as the host spells it. */
char *vsphere_session_get_user (VsphereSession *self);
/* "host" or "host:port" */
const char *vsphere_session_get_host (const VsphereSession *self);
SoapPool *vsphere_session_get_pool (VsphereSession *self);
/* The connections for the content of files: beside those for calls. */
SoapPool *vsphere_session_get_file_pool (VsphereSession *self);
/* A moment on the host's clock that is not later than now; 0 unknown. */
gint64 vsphere_session_get_host_time (VsphereSession *self);
/* (transfer full): for requests to /folder; NULL if not logged in. */
char *vsphere_session_get_cookie (VsphereSession *self);

typedef struct {
  gboolean reserved;        /* a connection beside the pool's limit */
  gboolean as_is;           /* one request, whatever comes of it: no login, no
                             * repetition */
  int answer_ms;            /* 0: the deadline for all */
  SoapHeadFunc on_head;     /* what comes before the records; NULL: none */
  SoapRecordFunc on_record; /* may see records again if a read is repeated */
  gpointer record_data;     /* of both */
  char operation_id[40];    /* out: as the host logs it */
} VsphereCallExtra;

/**
 * vsphere_session_call:
 * @extra: (nullable)
 *
 * Calls @method on @object. Blocks.
 */
SoapReply *vsphere_session_call (VsphereSession *self, const SoapMethod *method,
                                 const SoapRef *object, gconstpointer args,
                                 VsphereCallExtra *extra,
                                 GCancellable *cancellable, GError **error);

/* A call @extra.as_is in two halves: see soap_call_begin(). Begin and push do
 * not block; vsphere_session_finish() consumes @call. */
typedef struct VsphereCall VsphereCall;
VsphereCall *vsphere_session_begin (VsphereSession *self,
                                    const SoapMethod *method,
                                    const SoapRef *object, gconstpointer args,
                                    VsphereCallExtra *extra, GError **error);
void vsphere_session_push (VsphereCall *call);
SoapReply *vsphere_session_finish (VsphereSession *self, VsphereCall *call,
                                   GCancellable *cancellable, GError **error);

/**
 * vsphere_session_renew:
 * @generation: of the session that turned out to be gone
 *
 * Logs in unless somebody did since. Blocks.
 */
gboolean vsphere_session_renew (VsphereSession *self, guint generation,
                                GCancellable *cancellable, GError **error);

/* Sleeps; shorter if cancelled. */
void vsphere_sleep (int ms, GCancellable *cancellable);

/* "8.0.3.0" against "8.0.3": <0, 0, >0, field by field. */
int vsphere_version_compare (const char *a, const char *b);
/* The newest version in a vimServiceVersions.xml that we know; NULL if none. */
const char *vsphere_version_choose (const char *xml, gsize len);

G_END_DECLS
