/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "host.h"

#include <string.h>

#include "errno-map.h"
#include "mount.h"
#include "watch.h"

/* Pauses between attempts. */
#define FIRST_PAUSE (2 * G_TIME_SPAN_SECOND)
#define LONGEST_PAUSE (60 * G_TIME_SPAN_SECOND)

struct FsHost {
  FsMount *mount;         /* const */
  guint number;           /* const */
  const FsSource *source; /* const */
  FsTimes *times;         /* const */

  /* Of the thread that connects. */
  FsCredentials *credentials; /* until connected */
  FsCredentials *refused;     /* those that the host did not take */

  GMutex lock; /* leaf: all below */
  GCond changed;
  VixHandle handle; /* once connected */
  VixHandle job;    /* connecting */
  gboolean loaded;
  gboolean tried;
  gboolean stopping;
  gboolean is_mistaken; /* no attempt will ever do: what it is to do is wrong */
  gint64 since;         /* microseconds since 1970: not connected since */
  char *problem;        /* why it is not connected */

  GThread *thread; /* of fs_host_begin(); const from there on */
};

static void
warn_of_times (const char *text, gpointer data)
{
  FsHost *self = data;

  g_warning ("%s: %s", self->source->text, text);
  fs_watch_tell (self, "times-not-kept", "reason", text);
}

/* Local VMs keep such times themselves. */
static FsTimes *
times_new (FsHost *self)
{
  g_autofree char *dir = self->source->is_local
                           ? NULL
                           : fs_times_directory (self->mount->options->state);

  return fs_times_new (dir, self->source->is_local ? "" : self->source->address,
                       warn_of_times, self);
}

FsHost *
fs_host_new (FsMount *mount, guint number, const FsSource *source,
             FsCredentials *credentials)
{
  FsHost *self = g_new0 (FsHost, 1);

  self->mount = mount;
  self->number = number;
  self->source = source;
  self->credentials = credentials;
  self->since = g_get_real_time ();
  g_mutex_init (&self->lock);
  g_cond_init (&self->changed);
  self->times = times_new (self);
  return self;
}

void
fs_host_free (FsHost *self)
{
  if (self == NULL)
    return;
  fs_times_free (self->times);
  fs_credentials_free (self->credentials);
  fs_credentials_free (self->refused);
  g_free (self->problem);
  g_mutex_clear (&self->lock);
  g_cond_clear (&self->changed);
  g_free (self);
}

VixHandle
fs_host_handle (FsHost *self)
{
  VixHandle handle;

  g_mutex_lock (&self->lock);
  handle = self->handle;
  g_mutex_unlock (&self->lock);
  return handle;
}

guint
fs_host_number (const FsHost *self)
{
  return self->number;
}

const FsSource *
fs_host_source (const FsHost *self)
{
  return self->source;
}

FsMount *
fs_host_mount (const FsHost *self)
{
  return self->mount;
}

FsTimes *
fs_host_times (const FsHost *self)
{
  return self->times;
}

/* ---- connecting ---- */

static void
fill_params (FsHost *self, VixExtConnectParams *params)
{
  fs_source_fill_params (self->source, params);
  if (self->mount->options->read_only)
    params->options |= VIXEXT_HOSTOPTION_READ_ONLY;
  if (self->credentials != NULL) {
    params->userName = self->credentials->user;
    params->password = self->credentials->password;
  }
}

static gboolean
is_login_refused (const FsHost *self, VixError code)
{
  return fs_errno_from_vix (code) == EACCES && self->credentials != NULL
         && VIX_ERROR_CODE (code) != VIX_E_NET_HTTP_SSL_SECURITY;
}

/* What the job says went wrong; of a refused login also whose password that
 * was. */
static void
set_error (FsHost *self, VixHandle job, VixError code, GError **error)
{
  const char *source = self->source->text;
  char *text = NULL;
  gboolean unknown
    = VIX_ERROR_CODE (code) == VIX_E_NET_HTTP_COULDNT_RESOLVE_HOST
      && strchr (source, '/') == NULL;

  if (VIX_FAILED (Vix_GetProperties (job,
                                     VIX_PROPERTY_JOB_RESULT_EXTRA_ERROR_INFO,
                                     &text, VIX_PROPERTY_NONE)))
    text = NULL;
  g_set_error (error, G_FILE_ERROR, G_FILE_ERROR_FAILED, "%s%s",
               text != NULL && *text != '\0' ? text
                                             : Vix_GetErrorText (code, NULL),
               unknown ? " (and there is no directory of that name here)" : "");
  Vix_FreeBuffer (text);
  if (is_login_refused (self, code) && error != NULL) {
    g_autofree char *said = (*error)->message;

    (*error)->message
      = g_strdup_printf ("%s (user \"%s\", password from %s)", said,
                         self->credentials->user, self->credentials->origin);
  }
}

/* The host's handle; 0 with @error. */
static VixHandle
connect_host (FsHost *self, VixError *ret_code, GError **error)
{
  VixExtConnectParams params;
  VixHandle host = VIX_INVALID_HANDLE;
  VixHandle job;
  gboolean stopping;

  fill_params (self, &params);
  job = VixExt_Connect (&params, NULL, NULL);
  g_mutex_lock (&self->lock);
  self->job = job;
  stopping = self->stopping;
  g_mutex_unlock (&self->lock);
  if (stopping)
    VixExt_CancelJob (job);
  *ret_code = VixJob_Wait (job, VIX_PROPERTY_JOB_RESULT_HANDLE, &host,
                           VIX_PROPERTY_NONE);
  if (VIX_FAILED (*ret_code))
    set_error (self, job, *ret_code, error);
  g_mutex_lock (&self->lock);
  self->job = VIX_INVALID_HANDLE;
  g_mutex_unlock (&self->lock);
  Vix_ReleaseHandle (job);
  return host;
}

static void
warn_of_trust (FsHost *self)
{
  g_warning ("%s: insecure: whoever answers there is believed to be the host",
             self->source->text);
  fs_watch_tell (self, "insecure", "reason",
                 "the host's certificate is not checked");
}

static void
disconnect (FsHost *self)
{
  VixHandle handle;

  g_mutex_lock (&self->lock);
  handle = self->handle;
  self->handle = VIX_INVALID_HANDLE;
  g_mutex_unlock (&self->lock);
  if (handle == VIX_INVALID_HANDLE)
    return;
  VixHost_Disconnect (handle);
  Vix_ReleaseHandle (handle);
}

static gboolean
attempt (FsHost *self, VixError *ret_code, GError **error)
{
  VixHandle handle = connect_host (self, ret_code, error);

  if (handle == VIX_INVALID_HANDLE)
    return FALSE;
  if (!self->source->is_local && self->source->options.insecure)
    warn_of_trust (self);
  g_mutex_lock (&self->lock);
  self->handle = handle;
  g_mutex_unlock (&self->lock);
  *ret_code = VixExt_Watch (handle, fs_watch_event, self);
  if (VIX_FAILED (*ret_code)) {
    disconnect (self);
    g_set_error_literal (error, G_FILE_ERROR, G_FILE_ERROR_FAILED,
                         Vix_GetErrorText (*ret_code, NULL));
    return FALSE;
  }
  g_clear_pointer (&self->credentials, fs_credentials_free);
  g_clear_pointer (&self->refused, fs_credentials_free);
  return TRUE;
}

/* Waits until it is loaded, or was seen not to be reachable now: FALSE. */
static gboolean
wait_tried (FsHost *self)
{
  gboolean loaded;

  g_mutex_lock (&self->lock);
  while (!self->tried)
    g_cond_wait (&self->changed, &self->lock);
  loaded = self->loaded;
  g_mutex_unlock (&self->lock);
  return loaded;
}

gboolean
fs_host_open (FsHost *self, GError **error)
{
  VixError code;

  if (!attempt (self, &code, error)) {
    g_prefix_error (error, "%s: ", self->source->text);
    return FALSE;
  }
  if (!wait_tried (self)) {
    VixExtHostStatus status;

    fs_host_get_status (self, &status);
    g_set_error (error, G_FILE_ERROR, G_FILE_ERROR_FAILED,
                 "%s: the connection was lost before all was loaded: %s",
                 self->source->text, status.problem);
    return FALSE;
  }
  return TRUE;
}

/* ---- in the background ---- */

static void
set_tried (FsHost *self)
{
  g_mutex_lock (&self->lock);
  self->tried = TRUE;
  g_cond_broadcast (&self->changed);
  g_mutex_unlock (&self->lock);
}

void
fs_host_lost (FsHost *self)
{
  set_tried (self);
}

void
fs_host_loaded (FsHost *self)
{
  g_mutex_lock (&self->lock);
  self->loaded = TRUE;
  self->tried = TRUE;
  g_cond_broadcast (&self->changed);
  g_mutex_unlock (&self->lock);
}

gboolean
fs_host_check (FsHost *self, GError **error)
{
  gboolean mistaken;

  wait_tried (self);
  g_mutex_lock (&self->lock);
  mistaken = self->is_mistaken;
  if (mistaken)
    g_set_error (error, G_FILE_ERROR, G_FILE_ERROR_FAILED, "%s: %s",
                 self->source->origin, self->problem);
  g_mutex_unlock (&self->lock);
  return !mistaken;
}

/* FALSE: the end has come. */
static gboolean
pause_attempts (FsHost *self, gint64 span)
{
  gint64 end = g_get_monotonic_time () + span;
  gboolean stopping;

  g_mutex_lock (&self->lock);
  while (!self->stopping
         && g_cond_wait_until (&self->changed, &self->lock, end))
    ;
  stopping = self->stopping;
  g_mutex_unlock (&self->lock);
  return !stopping;
}

/* Takes over what the files say now. FALSE: the host has refused just that. */
static gboolean
renew_credentials (FsHost *self)
{
  g_autoptr (FsCredentials) now = NULL;

  if (self->source->is_local)
    return TRUE;
  now = fs_credentials_read (self->source, NULL);
  if (now != NULL) {
    fs_credentials_free (self->credentials);
    self->credentials = g_steal_pointer (&now);
  }
  return self->refused == NULL
         || !fs_credentials_equal (self->refused, self->credentials);
}

/* Hosts count refused logins; the same password is not tried twice. */
static void
note_failure (FsHost *self, VixError code, const char *problem)
{
  gboolean news;

  if (is_login_refused (self, code)) {
    fs_credentials_free (self->refused);
    self->refused = g_new0 (FsCredentials, 1);
    self->refused->user = g_strdup (self->credentials->user);
    self->refused->password = g_strdup (self->credentials->password);
  }
  g_mutex_lock (&self->lock);
  self->is_mistaken
    = VIX_ERROR_CODE (code) == VIX_E_INVALID_ARG
      || VIX_ERROR_CODE (code) == VIX_E_INVALID_HOSTNAME_SPECIFICATION;
  news = g_strcmp0 (self->problem, problem) != 0;
  g_free (self->problem);
  self->problem = g_strdup (problem);
  g_mutex_unlock (&self->lock);
  if (news)
    fs_watch_tell (self, "connection-lost", "reason", problem);
}

static gpointer
run (gpointer data)
{
  FsHost *self = data;
  gint64 span = FIRST_PAUSE;

  for (;;) {
    g_autoptr (GError) error = NULL;
    VixError code = VIX_OK;

    if (renew_credentials (self)) {
      if (attempt (self, &code, &error))
        return NULL;
      note_failure (self, code, error != NULL ? error->message : "");
    }
    set_tried (self);
    if (!pause_attempts (self, span))
      return NULL;
    span = MIN (span * 2, LONGEST_PAUSE);
  }
}

void
fs_host_begin (FsHost *self)
{
  self->thread = g_thread_new ("host", run, self);
}

void
fs_host_close (FsHost *self)
{
  VixHandle job;

  g_mutex_lock (&self->lock);
  self->stopping = TRUE;
  job = self->job;
  g_cond_broadcast (&self->changed);
  g_mutex_unlock (&self->lock);
  /* It may be through meanwhile: then the handle is nobody's. */
  if (job != VIX_INVALID_HANDLE)
    VixExt_CancelJob (job);
  if (self->thread != NULL)
    g_thread_join (g_steal_pointer (&self->thread));
  disconnect (self);
}

/* ---- state ---- */

void
fs_host_get_status (FsHost *self, VixExtHostStatus *ret_status)
{
  VixHandle handle = fs_host_handle (self);
  VixExtHostStatus status = { .size = sizeof status };

  if (handle == VIX_INVALID_HANDLE
      || VIX_FAILED (VixExt_GetHostStatus (handle, &status))) {
    g_mutex_lock (&self->lock);
    status.state = VIXEXT_HOST_RECONNECTING;
    status.since = self->since;
    g_strlcpy (status.problem, self->problem != NULL ? self->problem : "",
               sizeof status.problem);
    g_mutex_unlock (&self->lock);
  }
  *ret_status = status;
}
