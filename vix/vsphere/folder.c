/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vsphere/folder.h"

#include <string.h>

#include "base/error.h"
#include "base/lock.h"
#include "base/secret.h"
#include "vsphere/error.h"
#include "vsphere/soap/fault.h"

#define FIRST_PAUSE_MS 100
#define MAX_PAUSE_MS 5000
/* A vCenter passes each request to a host of its choice: what one of them
 * refuses another may give. */
#define MAX_REFUSALS 3
/* Of the time for an answer: how long nothing may come at all. */
#define PATIENCE 2

#define HTTP_BAD_REQUEST 400
#define HTTP_UNAUTHORIZED 401
#define HTTP_FORBIDDEN 403
#define HTTP_PAST_THE_END 416

/* ---- addresses ---- */

/* "[store] dir/file" taken apart; NULL if it is none. */
static const char *
split_path (const char *path, char **ret_store)
{
  const char *end = *path == '[' ? strchr (path, ']') : NULL;

  if (end == NULL)
    return NULL;
  *ret_store = g_strndup (path + 1, (gsize)(end - path) - 1);
  return end + 1 + strspn (end + 1, " ");
}

char *
vsphere_folder_make_url (VsphereSession *session, const char *dc_path,
                         const char *path)
{
  g_autofree char *store = NULL;
  const char *name = split_path (path, &store);
  g_autofree char *file = NULL;
  g_autofree char *ds_name = NULL;
  g_autofree char *dc = NULL;

  if (name == NULL)
    return NULL;
  file = g_uri_escape_string (name, "/", FALSE);
  ds_name = g_uri_escape_string (store, NULL, FALSE);
  dc = g_uri_escape_string (dc_path, NULL, FALSE);
  return g_strdup_printf (
    "%s/folder/%s?dcPath=%s&dsName=%s",
    soap_pool_get_base_url (vsphere_session_get_file_pool (session)), file, dc,
    ds_name);
}

/* ---- one request ---- */

static gboolean
read_once (VsphereSession *session, SoapRange *part, SoapRangeFacts *facts,
           GCancellable *cancellable, GError **error)
{
  char *cookie = vsphere_session_get_cookie (session);
  gboolean ok;

  part->cookie = cookie;
  ok = soap_range_get (vsphere_session_get_file_pool (session), part, facts,
                       cancellable, error);
  part->cookie = NULL;
  vix_secret_wipe (cookie);
  return ok;
}

VsphereParts
vsphere_folder_read_parts (VsphereSession *session, const SoapRange *file,
                           SoapPart *parts, guint n_parts,
                           SoapRangeFacts *facts, GCancellable *cancellable)
{
  char *cookie = vsphere_session_get_cookie (session);
  SoapRange range = *file;
  g_autoptr (GError) error = NULL;
  gboolean ok;

  range.cookie = cookie;
  ok = soap_range_get_parts (vsphere_session_get_file_pool (session), &range,
                             parts, n_parts, facts, cancellable, &error);
  vix_secret_wipe (cookie);
  if (ok)
    return VSPHERE_PARTS_GOT;
  if (facts->changed || g_cancellable_is_cancelled (cancellable)
      || facts->status == HTTP_UNAUTHORIZED)
    return VSPHERE_PARTS_FAILED;
  return facts->status == HTTP_BAD_REQUEST || facts->status == HTTP_PAST_THE_END
             || g_error_matches (error, SOAP_ERROR, SOAP_ERROR_MALFORMED)
           ? VSPHERE_PARTS_REFUSED
           : VSPHERE_PARTS_LOST;
}

/* Whether the datastore that @url is on can be looked at at all. */
static gboolean
may_look (VsphereSession *session, const char *url, GCancellable *cancellable)
{
  const char *folder = strstr (url, "/folder/");
  const char *query = strchr (url, '?');
  g_autofree char *listing = NULL;
  SoapRange part = { .len = 1, .unsure = TRUE };
  SoapRangeFacts facts;

  if (folder == NULL || query == NULL)
    return FALSE;
  listing = g_strdup_printf ("%.*s/folder%s", (int)(folder - url), url, query);
  part.url = listing;
  part.take = NULL;
  (void)read_once (session, &part, &facts, cancellable, NULL);
  return facts.status == 200;
}

/* ---- what a failure means ---- */

static const struct {
  int status;
  int code;
  const char *remedy;
} statuses[] = {
  { HTTP_UNAUTHORIZED, VIX_E_HOST_USER_PERMISSIONS,
    "the host lets this user log in and not read its datastores: give its "
    "role the privileges Datastore.Browse and Datastore.FileManagement (low "
    "level file operations)" },
  { HTTP_FORBIDDEN, VIX_E_HOST_USER_PERMISSIONS,
    "give the role of this user the privileges Datastore.Browse and "
    "Datastore.FileManagement (low level file operations) on the datastore" },
  { 404, VIX_E_FILE_NOT_FOUND, "the datastore has no such file" },
  { HTTP_PAST_THE_END, VIX_E_FILE_ERROR,
    "the file is shorter than it was; open it again" },
  { 500, VIX_E_FILE_ALREADY_LOCKED,
    "a running virtual machine holds the file: take a snapshot and read what "
    "that has, or power the machine off" },
  { 503, VIX_E_NET_HTTP_HTTP_RETURNED_ERROR,
    "the host's service is not available; try again later" },
};

#define LOCKED_STATUS 500

static const char *
describe_status (int status, int *ret_code)
{
  for (gsize i = 0; i < G_N_ELEMENTS (statuses); i++)
    if (statuses[i].status == status) {
      *ret_code = statuses[i].code;
      return statuses[i].remedy;
    }
  *ret_code = VIX_E_NET_HTTP_HTTP_RETURNED_ERROR;
  return status >= 300 && status < 400
           ? "the host sends us elsewhere, where our session is not to go; "
             "mount the host that has the file"
           : "see the host's log";
}

typedef struct {
  VsphereSession *session;
  const char *path;
  const SoapRange *part;
  GCancellable *cancellable;
} Place;

static void
set_error (const Place *place, const SoapRangeFacts *facts,
           const GError *failure, GError **error)
{
  const char *host = vsphere_session_get_host (place->session);
  int status = facts->status, code;
  const char *remedy;

  if (failure->domain != SOAP_ERROR) {
    g_set_error (error, failure->domain, failure->code, "%s on %s: %s",
                 place->path, host, failure->message);
    return;
  }
  if (failure->code == SOAP_ERROR_STATUS) {
    /* Hosts say both of a file that is in use. */
    if (status == HTTP_FORBIDDEN
        && may_look (place->session, place->part->url, place->cancellable))
      status = LOCKED_STATUS;
    remedy = describe_status (status, &code);
    g_set_error (error, VIX_ERROR, code, "%s on %s: HTTP status %d: %s",
                 place->path, host, facts->status, remedy);
  } else if (facts->changed) {
    g_set_error (error, VIX_ERROR, VIX_E_FILE_ERROR,
                 "%s on %s: the file was changed on the host while it was "
                 "being read; open it again",
                 place->path, host);
  } else {
    code = failure->code == SOAP_ERROR_MALFORMED
             ? VIX_E_NET_HTTP_HTTP_RETURNED_ERROR
             : vsphere_error_code (failure);
    g_set_error (error, VIX_ERROR, code, "%s on %s: %s", place->path, host,
                 failure->message);
  }
}

/* Whether another try may do better, without anybody doing anything. */
static gboolean
is_passing (const GError *failure, int status)
{
  if (failure->domain != SOAP_ERROR)
    return FALSE;
  switch (failure->code) {
  case SOAP_ERROR_RESOLVE:
  case SOAP_ERROR_CONNECT:
  case SOAP_ERROR_CONNECT_TIMEOUT:
  case SOAP_ERROR_TLS:
  case SOAP_ERROR_LOST:
  case SOAP_ERROR_TIMEOUT:
    return TRUE;
  case SOAP_ERROR_STATUS:
    return status == 408 || status == 429 || (status >= 502 && status <= 504);
  default:
    return FALSE;
  }
}

/* ---- as many as it takes ---- */

typedef struct {
  gint64 give_up_at; /* monotonic */
  gint64 patience_us;
  int pause_ms;
  int n_refusals;
  int n_logins; /* since something came */
} Patience;

static void
patience_renew (Patience *self)
{
  self->give_up_at = g_get_monotonic_time () + self->patience_us;
  self->pause_ms = FIRST_PAUSE_MS;
  self->n_refusals = self->n_logins = 0;
}

static gboolean
pause_before_next (Patience *self, GCancellable *cancellable)
{
  gint64 left_us = self->give_up_at - g_get_monotonic_time ();

  if (left_us <= 0 || g_cancellable_is_cancelled (cancellable))
    return FALSE;
  vsphere_sleep ((int)MIN (self->pause_ms, left_us / 1000 + 1), cancellable);
  self->pause_ms = MIN (self->pause_ms * 2, MAX_PAUSE_MS);
  return !g_cancellable_is_cancelled (cancellable);
}

/* Whether to send the request again; else *@failure says why not. */
static gboolean
try_again (const Place *place, Patience *patience, guint generation,
           const SoapRangeFacts *facts, GError **failure)
{
  gboolean is_status
    = g_error_matches (*failure, SOAP_ERROR, SOAP_ERROR_STATUS);
  gboolean passing;

  if (is_status && facts->status == HTTP_UNAUTHORIZED
      && patience->n_logins == 0) {
    g_autoptr (GError) refused = NULL;

    patience->n_logins++;
    if (vsphere_session_renew (place->session, generation, place->cancellable,
                               &refused))
      return TRUE;
    g_prefix_error (&refused, "the session ended: ");
    passing = is_passing (refused, soap_error_get_status (refused));
    vsphere_error_convert (&refused);
    g_clear_error (failure);
    *failure = g_steal_pointer (&refused);
    patience->n_logins -= passing;
    return passing && pause_before_next (patience, place->cancellable);
  }
  if (is_status
      && (facts->status == LOCKED_STATUS || facts->status == HTTP_FORBIDDEN))
    return ++patience->n_refusals < MAX_REFUSALS
           && pause_before_next (patience, place->cancellable);
  return is_passing (*failure, facts->status)
         && pause_before_next (patience, place->cancellable);
}

/* What is left of @rest after an answer that broke off. Where it told which
 * file that was, the rest has to be of the same. */
static void
move_on (SoapRange *rest, const SoapRangeFacts *facts)
{
  if (facts->done == 0)
    return;
  if (rest->unsure) {
    rest->unsure = FALSE;
    rest->size = facts->size;
    rest->modified = facts->modified;
    rest->len = (gsize)MIN (rest->len, facts->size - rest->offset);
  }
  rest->offset += facts->done;
  rest->len -= facts->done;
}

gboolean
vsphere_folder_read (VsphereSession *session, const char *path,
                     const SoapRange *part, gboolean patient,
                     SoapRangeFacts *facts, GCancellable *cancellable,
                     GError **error)
{
  const Place place = { session, path, part, cancellable };
  const SoapDeadlines *deadlines
    = soap_pool_get_deadlines (vsphere_session_get_file_pool (session));
  Patience patience
    = { .patience_us = (gint64)deadlines->answer_ms * 1000 * PATIENCE };
  SoapRange rest = *part;
  gsize done = 0;

  VIX_MAY_BLOCK ();
  patience_renew (&patience);
  for (;;) {
    guint generation = vsphere_session_get_generation (session);
    g_autoptr (GError) failure = NULL;
    gboolean ok = read_once (session, &rest, facts, cancellable, &failure);

    if (facts->done > 0)
      patience_renew (&patience);
    move_on (&rest, facts);
    done += facts->done;
    facts->done = done;
    /* Perhaps only the answer's end was lost. */
    if (ok || rest.len == 0)
      return TRUE;
    if (patient && try_again (&place, &patience, generation, facts, &failure))
      continue;
    if (g_cancellable_is_cancelled (cancellable))
      g_set_error (error, VIX_ERROR, VIX_E_CANCELLED, "%s: cancelled", path);
    else
      set_error (&place, facts, failure, error);
    return FALSE;
  }
}
