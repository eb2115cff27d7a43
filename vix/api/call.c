/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "api/call-private.h"

#include "base/error.h"

/* ---- what a call works on ---- */

VixCall *
vix_call_on_host (VixHandle handle, GError **error)
{
  VixHost *host = vix_handle_get (handle, VIX_HANDLETYPE_HOST, error);
  VixCall *self;

  if (host == NULL)
    return NULL;
  self = g_new0 (VixCall, 1);
  self->host = host;
  return self;
}

VixCall *
vix_call_on_vm (VixHandle handle, GError **error)
{
  VixVM *vm = vix_handle_get (handle, VIX_HANDLETYPE_VM, error);
  VixCall *self;

  if (vm == NULL)
    return NULL;
  self = g_new0 (VixCall, 1);
  self->vm = vm;
  self->host = vix_object_ref (vix_vm_get_host (vm));
  return self;
}

VixCall *
vix_call_on_snapshot (VixHandle handle, GError **error)
{
  VixSnapshot *snapshot
    = vix_handle_get (handle, VIX_HANDLETYPE_SNAPSHOT, error);
  VixCall *self;

  if (snapshot == NULL)
    return NULL;
  self = g_new0 (VixCall, 1);
  self->snapshot = snapshot;
  self->vm = vix_object_ref (vix_snapshot_get_vm (snapshot));
  self->host = vix_object_ref (vix_vm_get_host (self->vm));
  return self;
}

void
vix_call_free (VixCall *self)
{
  if (self == NULL)
    return;
  vix_object_unref (self->snapshot);
  vix_object_unref (self->vm);
  vix_object_unref (self->host);
  g_free (self->text);
  g_free (self->text2);
  g_free (self);
}

gboolean
vix_call_take_snapshot (VixCall *self, VixHandle handle, gboolean optional,
                        GError **error)
{
  if (handle == VIX_INVALID_HANDLE && optional)
    return TRUE;
  self->snapshot = vix_handle_get (handle, VIX_HANDLETYPE_SNAPSHOT, error);
  if (self->snapshot == NULL)
    return FALSE;
  if (vix_snapshot_get_vm (self->snapshot) == self->vm)
    return TRUE;
  g_set_error_literal (error, VIX_ERROR, VIX_E_INVALID_ARG,
                       "the snapshot belongs to another VM");
  return FALSE;
}

/* ---- checks ---- */

/* Bits by VixServiceProvider. */
#define ON(type) (1u << VIX_SERVICEPROVIDER_##type)

static const struct {
  const char *what;
  guint not_on;
} features[] = {
  [VIX_FEATURE_SNAPSHOTS] = { "snapshots", ON (VMWARE_PLAYER) },
  [VIX_FEATURE_CLONE]
  = { "cloning", ON (VMWARE_PLAYER) | ON (VMWARE_SERVER) | ON (VMWARE_VI_SERVER)
                   | ON (VMWARE_WORKSTATION_SHARED) },
  [VIX_FEATURE_PAUSE]
  = { "pausing", ON (VMWARE_PLAYER) | ON (VMWARE_SERVER) | ON (VMWARE_VI_SERVER)
                   | ON (VMWARE_WORKSTATION_SHARED) },
  [VIX_FEATURE_UPGRADE] = { "upgrading the hardware", ON (VMWARE_PLAYER) },
};

gboolean
vix_call_check_feature (const VixCall *self, VixFeature feature, GError **error)
{
  if ((features[feature].not_on & (1u << self->host->type)) == 0)
    return TRUE;
  g_set_error (error, VIX_ERROR, VIX_E_NOT_SUPPORTED, "%s: this product cannot",
               features[feature].what);
  return FALSE;
}

gboolean
vix_call_check_writable (const VixCall *self, GError **error)
{
  if (!self->host->read_only)
    return TRUE;
  g_set_error_literal (error, VIX_ERROR, VIX_E_FILE_READ_ONLY,
                       "the host is connected for reading only");
  return FALSE;
}

gboolean
vix_call_check_function (gconstpointer function, const char *what,
                         GError **error)
{
  if (function != NULL)
    return TRUE;
  g_set_error (error, VIX_ERROR, VIX_E_NOT_SUPPORTED,
               "%s: this host offers no way to do it", what);
  return FALSE;
}

gboolean
vix_check_no_list (VixHandle list, GError **error)
{
  if (list == VIX_INVALID_HANDLE)
    return TRUE;
  g_set_error_literal (error, VIX_ERROR, VIX_E_INVALID_ARG,
                       "the property list has to be VIX_INVALID_HANDLE");
  return FALSE;
}

gboolean
vix_check_options (int options, int allowed, GError **error)
{
  if ((options & ~allowed) == 0)
    return TRUE;
  g_set_error (error, VIX_ERROR, VIX_E_INVALID_ARG,
               "options 0x%x: 0x%x is not among them", (guint)options,
               (guint)(options & ~allowed));
  return FALSE;
}

gboolean
vix_check_text (const char *what, const char *text, gboolean required,
                GError **error)
{
  if (required && (text == NULL || *text == '\0')) {
    g_set_error (error, VIX_ERROR, VIX_E_INVALID_ARG, "%s: missing", what);
    return FALSE;
  }
  if (text != NULL && !g_utf8_validate (text, -1, NULL)) {
    g_set_error (error, VIX_ERROR, VIX_E_INVALID_UTF8_STRING,
                 "%s: not valid UTF-8", what);
    return FALSE;
  }
  return TRUE;
}

/* ---- doing it ---- */

VixHandle
vix_call_start (VixCall *self, VixCallKind kind, VixJobFunc run,
                VixEventProc *callback, gpointer client_data)
{
  g_autoptr (VixHost) host = vix_object_ref (self->host);
  gboolean queued = kind == VIX_CALL_CHANGES && self->vm != NULL;
  VixJobSpec spec = {
    .host = host,
    .scope = &host->scope,
    .queue = queued ? self->vm->queue : NULL,
    .looks = kind == VIX_CALL_LOOKS,
    .run = run,
    .data = self,
    .free_data = (GDestroyNotify)vix_call_free,
    .callback = callback,
    .client_data = client_data,
  };

  return vix_job_start (&spec);
}

VixHandle
vix_call_fail (const VixCall *self, GError **error, VixEventProc *callback,
               gpointer client_data)
{
  return vix_job_start_failed (self != NULL ? self->host : NULL,
                               self != NULL ? &self->host->scope : NULL,
                               g_steal_pointer (error), callback, client_data);
}

VixHandle
vix_call_unsupported (VixHandle handle, const char *what,
                      VixEventProc *callback, gpointer client_data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (VixCall) call = vix_call_on_vm (handle, &error);

  if (call != NULL)
    vix_call_check_function (NULL, what, &error);
  return vix_call_fail (call, &error, callback, client_data);
}

const VixExtVM *
vix_call_lookup_vm (const VixCall *self, GError **error)
{
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  VixOp op = { .cancellable = cancellable };
  VixHost *host = self->host;
  const VixExtVM *record;

  VIX_MAY_BLOCK ();
  if (!vix_scope_enter (&host->scope, error))
    return NULL;
  vix_scope_add_looker (&host->scope, cancellable);
  record = host->ops->lookup_vm (host->provider, vix_vm_get_id (self->vm), &op,
                                 error);
  vix_scope_remove_looker (&host->scope, cancellable);
  vix_scope_leave (&host->scope);
  return record;
}
