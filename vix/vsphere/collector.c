/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * collector.c - what to ask the property collector for, and asking it once.
 */
#include <string.h>

#include "base/error.h"
#include "vsphere/host-private.h"
#include "vsphere/soap/fault.h"

/* ---- specs ---- */

static void
add_paths (VsphereSpec *self, const char *type, const char **paths)
{
  SoapPropertySpec *prop = &self->props[self->n_props];

  g_assert (self->n_props < G_N_ELEMENTS (self->props));
  self->paths[self->n_props++] = paths;
  prop->type = type;
  prop->pathSet.items = (const char *const *)paths;
  prop->pathSet.n = g_strv_length ((char **)paths);
  self->spec.propSet.items = self->props;
  self->spec.propSet.n = self->n_props;
}

static void
add_mirror_paths (VsphereSpec *self, const char *version, const char *type,
                  gboolean files)
{
  const char **paths = vsphere_mirror_list_paths (version, type, files);

  if (paths != NULL && paths[0] != NULL)
    add_paths (self, type, paths);
  else
    g_free (paths);
}

static SoapObjectSpec *
set_objects (VsphereSpec *self, gsize n)
{
  self->objects = g_new0 (SoapObjectSpec, n);
  self->spec.objectSet.items = self->objects;
  self->spec.objectSet.n = n;
  return self->objects;
}

void
vsphere_spec_init_inventory (VsphereSpec *self, const char *version,
                             const SoapRef *view, gboolean files)
{
  SoapObjectSpec *object;

  memset (self, 0, sizeof *self);
  for (gsize i = 0; vsphere_mirror_types[i] != NULL; i++)
    add_mirror_paths (self, version, vsphere_mirror_types[i], files);
  self->traversals[0] = (SoapTraversalSpec){ .name = "view",
                                             .type = "ContainerView",
                                             .path = "view" };
  object = set_objects (self, 1);
  object->obj = *view;
  object->skip = TRUE;
  object->select.items = self->traversals;
  object->select.n = 1;
}

/* A way from one object to others, and the names of the ways to go on by. */
typedef struct {
  const char *name;
  const char *type;
  const char *path;
  const char *next[4];
} Way;

/* The ways become traversals of the one object that there is. */
static void
set_ways (VsphereSpec *self, const Way *ways, gsize n)
{
  gsize used = 0;

  g_assert (n <= G_N_ELEMENTS (self->traversals));
  for (gsize i = 0; i < n; i++) {
    SoapSelectionSpec *first = &self->selections[used];
    gsize n_next = 0;

    for (; n_next < 4 && ways[i].next[n_next] != NULL; n_next++) {
      g_assert (used < G_N_ELEMENTS (self->selections));
      self->selections[used++].name = ways[i].next[n_next];
    }
    self->traversals[i] = (SoapTraversalSpec){ .name = ways[i].name,
                                               .type = ways[i].type,
                                               .path = ways[i].path,
                                               .select = { first, n_next } };
  }
  self->objects[0].select.items = self->traversals;
  self->objects[0].select.n = n;
}

void
vsphere_spec_init_vm (VsphereSpec *self, const char *version, const SoapRef *vm,
                      gboolean files)
{
  static const Way ways[] = {
    { "folder", "Folder", "parent", { "folder", "datacenter" } },
    { "datacenter", "Datacenter", "parent", { "folder" } },
    { "vm", "VirtualMachine", "parent", { "folder", "datacenter" } },
    /* Not in the oldest versions, and last for that. */
    { "vapp", "VirtualApp", "parentFolder", { "folder", "datacenter" } },
    { "vapp2", "VirtualApp", "parentVApp", { "vapp", "vapp2" } },
    { "vm2", "VirtualMachine", "parentVApp", { "vapp", "vapp2" } },
  };
  static const char *const types[]
    = { "VirtualMachine", "Folder", "Datacenter", "VirtualApp" };
  gboolean has_vapps = vsphere_version_compare (version, "4.0") >= 0;

  memset (self, 0, sizeof *self);
  for (gsize i = 0; i < G_N_ELEMENTS (types); i++)
    add_mirror_paths (self, version, types[i], files);
  set_objects (self, 1)->obj = *vm;
  set_ways (self, ways, has_vapps ? G_N_ELEMENTS (ways) : 3);
}

static const char **
dup_paths (const char *const *paths)
{
  gsize n = g_strv_length ((char **)paths) + 1;

  return g_memdup2 (paths, n * sizeof *paths);
}

void
vsphere_spec_init_objects (VsphereSpec *self, const char *const *paths,
                           const SoapRef *objects, gsize n)
{
  SoapObjectSpec *set;

  memset (self, 0, sizeof *self);
  add_paths (self, objects[0].type, dup_paths (paths));
  set = set_objects (self, n);
  for (gsize i = 0; i < n; i++)
    set[i].obj = objects[i];
}

void
vsphere_spec_init_datacenters (VsphereSpec *self, const char *const *paths,
                               const SoapRef *root)
{
  static const Way ways[]
    = { { "folder", "Folder", "childEntity", { "folder" } } };

  memset (self, 0, sizeof *self);
  add_paths (self, "Datacenter", dup_paths (paths));
  set_objects (self, 1)->obj = *root;
  self->objects[0].skip = TRUE;
  set_ways (self, ways, G_N_ELEMENTS (ways));
}

void
vsphere_spec_clear (VsphereSpec *self)
{
  for (gsize i = 0; i < self->n_props; i++)
    g_free (self->paths[i]);
  g_free (self->objects);
  memset (self, 0, sizeof *self);
}

/* ---- views ---- */

char *
vsphere_create_view (VsphereHost *host, GCancellable *cancellable,
                     GError **error)
{
  g_autoptr (VsphereService) service
    = vsphere_session_get_service (host->session);
  const char *types[8];
  SoapCreateContainerViewArgs args = { .container = service->root_folder,
                                       .type = { types, 0 },
                                       .recursive = TRUE };
  g_autoptr (SoapReply) reply = NULL;

  /* A type that the host does not know is refused. */
  for (gsize i = 0; vsphere_mirror_types[i] != NULL; i++) {
    g_autofree const char **paths = vsphere_mirror_list_paths (
      service->version, vsphere_mirror_types[i], FALSE);

    if (paths[0] != NULL)
      types[args.type.n++] = vsphere_mirror_types[i];
  }
  reply = vsphere_session_call (host->session, &soap_method_CreateContainerView,
                                &service->view_manager, &args, NULL,
                                cancellable, error);
  if (reply == NULL)
    return NULL;
  if (soap_reply_get_ref (reply)->value == NULL)
    g_set_error_literal (error, SOAP_ERROR, SOAP_ERROR_MALFORMED,
                         "CreateContainerView: the answer names no view");
  return g_strdup (soap_reply_get_ref (reply)->value);
}

/* ---- retrieving ---- */

gboolean
vsphere_lacks_session (const SoapMissingProperty *missing, gsize n)
{
  for (gsize i = 0; i < n; i++) {
    const SoapNode *fault = missing[i].fault;

    /* A LocalizedMethodFault around the fault itself. */
    if (fault != NULL && soap_node_child (fault, "fault") != NULL)
      fault = soap_node_child (fault, "fault");
    if (fault != NULL && g_strcmp0 (fault->xsi_type, "NotAuthenticated") == 0)
      return TRUE;
  }
  return FALSE;
}

const SoapNode *
vsphere_content_get (const SoapObjectContent *content, const char *path)
{
  for (gsize i = 0; i < content->propSet.n; i++)
    if (g_str_equal (content->propSet.items[i].name, path))
      return content->propSet.items[i].val;
  return NULL;
}

typedef struct {
  VsphereContentFunc func;
  gpointer data;
  gboolean lacks_session;
} Retrieval;

static gboolean
on_record (const SoapNode *record, SoapArena *arena, gpointer data,
           GError **error)
{
  Retrieval *self = data;
  SoapObjectContent content;

  if (!soap_decode_struct (&soap_type_ObjectContent, record, arena, &content,
                           error))
    return FALSE;
  if (vsphere_lacks_session (content.missingSet.items, content.missingSet.n))
    self->lacks_session = TRUE;
  else
    self->func (&content, record->cut, arena, self->data);
  return TRUE;
}

/* (transfer full) (nullable): the token that the answer ends with. */
static char *
token_of (SoapReply *reply)
{
  const SoapRetrieveResult *result = soap_reply_get_struct (reply);

  return result == NULL ? NULL : g_strdup (result->token);
}

static gboolean
retrieve_pages (VsphereHost *host, const SoapRef *collector,
                const VsphereSpec *spec, VsphereCallExtra *extra,
                GCancellable *cancellable, GError **error)
{
  SoapRetrieveOptions options = { .maxObjects = 0 };
  SoapRetrievePropertiesExArgs first
    = { .specSet = { &spec->spec, 1 }, .options = &options };
  g_autofree char *token = NULL;
  SoapReply *reply
    = vsphere_session_call (host->session, &soap_method_RetrievePropertiesEx,
                            collector, &first, extra, cancellable, error);

  while (reply != NULL) {
    g_free (token);
    token = token_of (reply);
    soap_reply_free (reply);
    if (token == NULL)
      return TRUE;
    reply = vsphere_session_call (
      host->session, &soap_method_ContinueRetrievePropertiesEx, collector,
      &(SoapTokenArgs){ .token = token }, extra, cancellable, error);
  }
  return FALSE;
}

static gboolean
retrieve_once (VsphereHost *host, const VsphereSpec *spec,
               VsphereCallExtra *extra, GCancellable *cancellable,
               GError **error)
{
  g_autoptr (VsphereService) service
    = vsphere_session_get_service (host->session);
  SoapRetrievePropertiesArgs args = { .specSet = { &spec->spec, 1 } };
  g_autoptr (SoapReply) reply = NULL;

  if (vsphere_service_speaks (service, "4.1"))
    return retrieve_pages (host, &service->property_collector, spec, extra,
                           cancellable, error);
  reply = vsphere_session_call (host->session, &soap_method_RetrieveProperties,
                                &service->property_collector, &args, extra,
                                cancellable, error);
  return reply != NULL;
}

gboolean
vsphere_retrieve (VsphereHost *host, const VsphereSpec *spec,
                  VsphereContentFunc func, gpointer data,
                  GCancellable *cancellable, GError **error)
{
  Retrieval retrieval = { func, data, FALSE };
  VsphereCallExtra extra
    = { .on_record = on_record, .record_data = &retrieval };
  guint generation = vsphere_session_get_generation (host->session);

  if (!retrieve_once (host, spec, &extra, cancellable, error))
    return FALSE;
  if (!retrieval.lacks_session)
    return TRUE;
  /* The session was gone, and the host kept it to itself. */
  retrieval.lacks_session = FALSE;
  if (!vsphere_session_renew (host->session, generation, cancellable, error)
      || !retrieve_once (host, spec, &extra, cancellable, error))
    return FALSE;
  if (!retrieval.lacks_session)
    return TRUE;
  g_set_error (error, VIX_ERROR, VIX_E_AUTHENTICATION_FAIL,
               "%s: the host keeps saying that nobody is logged in",
               vsphere_session_get_host (host->session));
  return FALSE;
}
