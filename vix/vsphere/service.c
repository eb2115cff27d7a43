/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * service.c - what the host is: which version, which objects, which licence;
 * found out while connecting.
 */
#include "vsphere/session-private.h"
#include "vsphere/soap/fault.h"

#define MAX_VERSIONS_BYTES (1u << 20)
/* What the free licence's editionKey begins with. */
#define FREE_EDITION "esxBasic"

/* ---- what the host is ---- */

typedef struct {
  VsphereService service;
  gatomicrefcount refs;
  GStringChunk *strings;
} CountedService;

VsphereService *
vsphere_service_ref (VsphereService *self)
{
  g_atomic_ref_count_inc (&((CountedService *)self)->refs);
  return self;
}

void
vsphere_service_unref (VsphereService *self)
{
  CountedService *counted = (CountedService *)self;

  if (self == NULL || !g_atomic_ref_count_dec (&counted->refs))
    return;
  g_string_chunk_free (counted->strings);
  g_free (counted);
}

gboolean
vsphere_service_speaks (const VsphereService *self, const char *version)
{
  return vsphere_version_compare (self->version, version) >= 0;
}

static const char *
keep (CountedService *self, const char *text)
{
  return text == NULL ? NULL : g_string_chunk_insert (self->strings, text);
}

static SoapRef
keep_ref (CountedService *self, const SoapRef *ref)
{
  return (SoapRef){ keep (self, ref->type), keep (self, ref->value) };
}

/* @version: negotiated, or NULL where the host has no list of versions. */
static VsphereService *
service_new (const SoapServiceContent *content, const char *version)
{
  CountedService *self = g_new0 (CountedService, 1);
  VsphereService *service = &self->service;
  const SoapAboutInfo *about = content->about;

  g_atomic_ref_count_init (&self->refs);
  self->strings = g_string_chunk_new (512);
  service->root_folder = keep_ref (self, &content->rootFolder);
  service->property_collector = keep_ref (self, &content->propertyCollector);
  service->view_manager = keep_ref (self, &content->viewManager);
  service->session_manager = keep_ref (self, &content->sessionManager);
  service->search_index = keep_ref (self, &content->searchIndex);
  service->license_manager = keep_ref (self, &content->licenseManager);
  service->full_name
    = keep (self, about->fullName != NULL ? about->fullName : about->apiType);
  service->api_version = keep (self, about->apiVersion);
  service->version = keep (self, version != NULL ? version : "2.5");
  service->is_vcenter = g_str_equal (about->apiType, "VirtualCenter");
  return service;
}

/* ---- connecting ---- */
/* ---- connecting ---- */

static gboolean
take_versions (int status, const char *data, gsize len, gpointer user,
               GError **error)
{
  GString *body = user;

  if (status == 200 && body->len + len <= MAX_VERSIONS_BYTES)
    g_string_append_len (body, data, (gssize)len);
  return TRUE;
}

/* The version to speak; NULL where the host has no list, or none of ours. */
static gboolean
negotiate (VsphereSession *self, const char **ret_version,
           GCancellable *cancellable, GError **error)
{
  g_autofree char *url = g_strconcat (soap_pool_get_base_url (self->pool),
                                      "/sdk/vimServiceVersions.xml", NULL);
  g_auto (SoapHttpAnswer) answer = { .status = 0 };
  GString *body = g_string_new (NULL);
  SoapHttpRequest request
    = { .method = "GET", .url = url, .on_data = take_versions, .user = body };
  SoapHttp *http = soap_pool_take (self->pool, TRUE, cancellable, error);
  gboolean ok
    = http != NULL
      && soap_http_perform (http, &request, &answer, cancellable, error);

  soap_pool_give (self->pool, http, TRUE);
  vsphere_session_note_date (self, &answer);
  if (ok && answer.status == 503) {
    g_set_error (error, SOAP_ERROR, SOAP_ERROR_STATUS,
                 "%s: HTTP status 503: the host's service is not available",
                 self->host);
    ok = FALSE;
  }
  if (ok)
    *ret_version = vsphere_version_choose (body->str, body->len);
  g_string_free (body, TRUE);
  return ok;
}

static gboolean
learn_service (VsphereSession *self, const char *version,
               GCancellable *cancellable, GError **error)
{
  const SoapRef instance = { "ServiceInstance", "ServiceInstance" };
  VsphereCallExtra extra = { .reserved = TRUE };
  g_autoptr (SoapReply) reply = NULL;
  const SoapServiceContent *content;
  VsphereService *old, *made;

  reply = vsphere_session_call_once (self, &soap_method_RetrieveServiceContent,
                                     &instance, NULL, &extra, NULL, NULL,
                                     cancellable, error);
  if (reply == NULL)
    return FALSE;
  content = soap_reply_get_struct (reply);
  if (content == NULL) {
    g_set_error (error, SOAP_ERROR, SOAP_ERROR_MALFORMED,
                 "%s: RetrieveServiceContent: the answer is empty", self->host);
    return FALSE;
  }
  made = service_new (content, version);
  vix_lock (&self->lock);
  old = self->service;
  self->service = made;
  vix_unlock (&self->lock);
  vsphere_service_unref (old);
  return TRUE;
}

static gboolean
take_licences (const SoapNode *record, SoapArena *arena, gpointer data,
               GError **error)
{
  SoapObjectContent content;

  if (!soap_decode_struct (&soap_type_ObjectContent, record, arena, &content,
                           error))
    return FALSE;
  for (gsize i = 0; i < content.propSet.n; i++)
    for (const SoapNode *node = content.propSet.items[i].val == NULL
                                  ? NULL
                                  : content.propSet.items[i].val->first;
         node != NULL; node = node->next) {
      const char *edition = soap_node_child_text (node, "editionKey");

      if (edition != NULL && g_str_has_prefix (edition, FREE_EDITION))
        *(gboolean *)data = TRUE;
    }
  return TRUE;
}

/* ESXi has one licence, and one of them is free and for looking only. Whether
 * that can be read or not, what is changed shows it. */
static void
learn_licence (VsphereSession *self, GCancellable *cancellable)
{
  static const char *const paths[] = { "licenses" };
  g_autoptr (VsphereService) service = vsphere_session_get_service (self);
  SoapPropertySpec property
    = { .type = "LicenseManager", .pathSet = { paths, 1 } };
  SoapObjectSpec object = { .obj = service->license_manager };
  SoapPropertyFilterSpec spec
    = { .propSet = { &property, 1 }, .objectSet = { &object, 1 } };
  SoapRetrievePropertiesArgs args = { .specSet = { &spec, 1 } };
  gboolean read_only = FALSE;
  VsphereCallExtra extra = { .reserved = TRUE,
                             .as_is = TRUE,
                             .on_record = take_licences,
                             .record_data = &read_only };

  if (service->is_vcenter || service->license_manager.value == NULL)
    return;
  soap_reply_free (vsphere_session_call (self, &soap_method_RetrieveProperties,
                                         &service->property_collector, &args,
                                         &extra, cancellable, NULL));
  vix_lock (&self->lock);
  self->read_only = read_only;
  vix_unlock (&self->lock);
}

gboolean
vsphere_session_connect (VsphereSession *self, GCancellable *cancellable,
                         GError **error)
{
  const char *version = NULL;
  guint generation = vsphere_session_get_generation (self);

  if (!negotiate (self, &version, cancellable, error)
      || !learn_service (self, version, cancellable, error)
      || !vsphere_session_renew (self, generation, cancellable, error))
    return FALSE;
  if (generation == 0)
    learn_licence (self, cancellable);
  return TRUE;
}
