/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "mount.h"

#include "vix-ext.h"
#include "watch.h"

/* The host's handle of a connection; 0 with @error. */
static VixHandle
connect_host (const FsOptions *options, const char *source, GError **error)
{
  VixExtConnectParams params = {
    .size = sizeof params,
    .hostType = VIX_SERVICEPROVIDER_VMWARE_WORKSTATION,
    .hostName = source,
    .options = options->read_only ? VIXEXT_HOSTOPTION_READ_ONLY : 0,
    .vendorLibrary = options->vendor,
  };
  VixHandle job = VixExt_Connect (&params, NULL, NULL);
  VixHandle host = VIX_INVALID_HANDLE;
  VixError code = VixJob_Wait (job, VIX_PROPERTY_JOB_RESULT_HANDLE, &host,
                               VIX_PROPERTY_NONE);

  if (VIX_FAILED (code)) {
    char *text = NULL;

    if (VIX_FAILED (Vix_GetProperties (job,
                                       VIX_PROPERTY_JOB_RESULT_EXTRA_ERROR_INFO,
                                       &text, VIX_PROPERTY_NONE)))
      text = NULL;
    g_set_error (error, G_FILE_ERROR, G_FILE_ERROR_FAILED, "%s: %s", source,
                 text != NULL && *text != '\0' ? text
                                               : Vix_GetErrorText (code, NULL));
    Vix_FreeBuffer (text);
  }
  Vix_ReleaseHandle (job);
  return host;
}

void
fs_mount_loaded (FsMount *self)
{
  g_mutex_lock (&self->loading_lock);
  self->loaded = TRUE;
  g_cond_broadcast (&self->loading_cond);
  g_mutex_unlock (&self->loading_lock);
}

static gboolean
load (FsMount *self, GError **error)
{
  VixError code = VixExt_Watch (self->host, fs_watch_event, self);

  if (VIX_FAILED (code)) {
    g_set_error (error, G_FILE_ERROR, G_FILE_ERROR_FAILED, "%s: %s",
                 self->source, Vix_GetErrorText (code, NULL));
    return FALSE;
  }
  g_mutex_lock (&self->loading_lock);
  while (!self->loaded)
    g_cond_wait (&self->loading_cond, &self->loading_lock);
  g_mutex_unlock (&self->loading_lock);
  return TRUE;
}

FsMount *
fs_mount_open (const FsOptions *options, const char *source, GError **error)
{
  VixHandle host = connect_host (options, source, error);
  FsMount *self;

  if (host == VIX_INVALID_HANDLE)
    return NULL;
  self = g_new0 (FsMount, 1);
  self->options = options;
  self->source = g_strdup (source);
  self->host = host;
  self->started = g_get_real_time () / G_USEC_PER_SEC;
  g_mutex_init (&self->loading_lock);
  g_cond_init (&self->loading_cond);
  self->tree = fs_tree_new (source);
  self->files = fs_files_new (host, self->tree);
  self->changes = fs_changes_new (self);
  self->notify = fs_notify_new (&self->stats);
  self->events = fs_events_new (fs_mount_interrupted, self);
  if (!load (self, error)) {
    fs_notify_stop (self->notify);
    fs_mount_close (self);
    return NULL;
  }
  return self;
}

void
fs_mount_close (FsMount *self)
{
  if (self == NULL)
    return;
  VixHost_Disconnect (self->host);
  Vix_ReleaseHandle (self->host);
  fs_events_free (self->events);
  fs_notify_free (self->notify);
  fs_changes_free (self->changes);
  fs_files_free (self->files);
  fs_tree_free (self->tree);
  g_mutex_clear (&self->loading_lock);
  g_cond_clear (&self->loading_cond);
  g_free (self->source);
  g_free (self);
}

/* ---- interrupts ---- */

typedef struct {
  FsMount *mount;
  guint64 request_id;
} Interrupt;

static gboolean
on_interrupt (gpointer data)
{
  const Interrupt *interrupt = data;

  fs_changes_interrupt (interrupt->mount->changes, interrupt->request_id);
  fs_events_interrupt (interrupt->mount->events, interrupt->request_id);
  return G_SOURCE_REMOVE;
}

void
fs_mount_interrupted (guint64 request_id, gpointer mount)
{
  Interrupt *interrupt = g_new (Interrupt, 1);

  *interrupt = (Interrupt){ mount, request_id };
  g_idle_add_full (G_PRIORITY_DEFAULT, on_interrupt, interrupt, g_free);
}
