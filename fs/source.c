/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "source.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "key-file.h"
#include "name.h"

#define HOSTS_MAX_BYTES (4 << 20)

static void
source_free (gpointer data)
{
  FsSource *self = data;

  g_free (self->name);
  g_free (self->text);
  g_free (self->origin);
  g_free (self->path);
  g_free (self->address);
  g_free (self->host);
  g_free (self->user);
  fs_host_options_clear (&self->options);
  g_free (self);
}

static gboolean
fail (GError **error, const char *what, const char *why)
{
  g_set_error (error, G_FILE_ERROR, G_FILE_ERROR_FAILED, "%s: %s", what, why);
  return FALSE;
}

/* ---- directories ---- */

char *
fs_source_resolve (const char *path, GError **error)
{
  char *real = realpath (path, NULL);
  char *resolved = NULL;
  struct stat status;
  struct statvfs size;

  /* Of a mount whose program has died the kernel goes on showing what it has
   * kept; the file system's size it has to ask for. */
  if (real == NULL || stat (real, &status) != 0 || statvfs (real, &size) != 0) {
    if (errno == ENOTCONN)
      fail (error, path,
            "a mount is here whose program has died; end it with "
            "fusermount3 -u");
    else
      fail (error, path, g_strerror (errno));
  } else if (!S_ISDIR (status.st_mode)) {
    fail (error, path, "not a directory");
  } else {
    resolved = g_strdup (real);
  }
  free (real);
  return resolved;
}

/* ---- hosts ---- */

/* The part of an address that names the machine: no scheme, user, port, path.
 * What is wrong with it is the library's to say. */
static char *
host_of (const char *address)
{
  const char *scheme = strstr (address, "://");
  const char *start = scheme != NULL ? scheme + 3 : address;
  g_autofree char *place = g_strndup (start, strcspn (start, "/?#"));
  char *end = *place == '[' ? strchr (place, ']') : strchr (place, ':');

  if (*place == '[' && end != NULL)
    end[1] = '\0';
  else if (end != NULL)
    *end = '\0';
  return g_steal_pointer (&place);
}

/* Takes "USER@" out of the address. */
static gboolean
take_user (FsSource *self, const char *text, GError **error)
{
  const char *scheme = strstr (text, "://");
  const char *start = scheme != NULL ? scheme + 3 : text;
  gsize len = strcspn (start, "/?#");
  const char *at = g_strrstr_len (start, (gssize)len, "@");
  g_autofree char *user = NULL;

  if (at == NULL) {
    self->address = g_strdup (text);
    return TRUE;
  }
  user = g_strndup (start, (gsize)(at - start));
  if (strchr (user, ':') != NULL) {
    g_autofree char *shown = g_strndup (text, (gsize)(start - text));

    explicit_bzero (user, strlen (user));
    g_set_error (error, G_FILE_ERROR, G_FILE_ERROR_FAILED,
                 "%s...%s: a password does not belong here, where everybody "
                 "reads it; name a file with -o credentials=FILE, or wait to "
                 "be asked",
                 shown, at);
    return FALSE;
  }
  self->user = g_uri_unescape_string (user, NULL);
  if (self->user == NULL || *self->user == '\0')
    return fail (error, text, "there is no user's name before the \"@\"");
  self->address = g_strdup_printf ("%.*s%s", (int)(start - text), text, at + 1);
  return TRUE;
}

/* Whether the certificates in it will do is the library's to say. */
static gboolean
check_cacert (const FsHostOptions *options, GError **error)
{
  if (options->cacert == NULL || access (options->cacert, R_OK) == 0)
    return TRUE;
  g_set_error (error, G_FILE_ERROR, G_FILE_ERROR_FAILED,
               "option \"cacert\": %s: %s", options->cacert,
               g_strerror (errno));
  return FALSE;
}

static gboolean
is_host (const char *text)
{
  return strstr (text, "://") != NULL || strchr (text, '/') == NULL;
}

/* @dir: what a relative directory is relative to */
static FsSource *
source_new (const char *name, const char *text, const char *dir,
            const FsHostOptions *options, GError **error)
{
  FsSource *self = g_new0 (FsSource, 1);
  g_autofree char *path = g_canonicalize_filename (text, dir);
  gboolean done;

  self->name = g_strdup (name);
  self->text = g_strdup (text);
  fs_host_options_copy (&self->options, options);
  self->is_local
    = strstr (text, "://") == NULL
      && (!is_host (text) || g_file_test (path, G_FILE_TEST_EXISTS));
  if (self->is_local) {
    self->path = fs_source_resolve (path, error);
    done = self->path != NULL;
    if (done && access (self->path, R_OK | X_OK) != 0)
      done = fail (error, self->path, g_strerror (errno));
  } else {
    done = take_user (self, text, error) && check_cacert (options, error);
    if (done)
      self->host = host_of (self->address);
  }
  if (!done)
    g_clear_pointer (&self, source_free);
  return self;
}

/* ---- both ---- */

void
fs_source_fill_params (const FsSource *self, VixExtConnectParams *params)
{
  const FsHostOptions *options = &self->options;

  *params = (VixExtConnectParams){
    .size = sizeof *params,
    .hostType = self->is_local ? VIX_SERVICEPROVIDER_VMWARE_WORKSTATION
                               : VIX_SERVICEPROVIDER_VMWARE_VI_SERVER,
    .hostName = self->is_local ? self->path : self->address,
    .options = options->insecure ? VIXEXT_HOSTOPTION_INSECURE : 0,
    .vendorLibrary = options->vendor,
    .caFile = options->cacert,
    .thumbprint = options->thumbprint,
    .connectTimeout = (int)options->connect_timeout * 1000,
    .answerTimeout = (int)options->answer_timeout * 1000,
    .stallTimeout = (int)options->stall_timeout * 1000,
    .settleTimeout = (int)options->settle_timeout * 1000,
    .cacheBytes = (int64)options->cache,
    .connections = (int)options->connections,
  };
}

/* Whether the library can make anything of it. */
static gboolean
check_params (const FsSource *self, GError **error)
{
  VixExtConnectParams params;
  char *reason;

  fs_source_fill_params (self, &params);
  if (VIX_SUCCEEDED (VixExt_CheckConnect (&params, &reason)))
    return TRUE;
  fail (error, self->origin != NULL ? self->origin : self->text, reason);
  Vix_FreeBuffer (reason);
  return FALSE;
}

/* ---- hosts files ---- */

/* A hosts file as it is read. */
typedef struct {
  const char *path;
  char *dir; /* what relative names in it are relative to */
  const FsHostOptions *defaults;
  GPtrArray *sources;
  GHashTable *names; /* of the groups so far */

  /* The group under way; NULL before the first. */
  const char *group;
  guint line;   /* where it begins */
  char *parsed; /* the name of its directory */
  const char *url;
  guint url_line;
  FsHostOptions options;
  GHashTable *keys; /* those of it so far */
} Hosts;

/* @key: NULL where it is about the group as a whole */
static gboolean
bad_line (const Hosts *self, guint line, const char *key, const char *why,
          GError **error)
{
  g_set_error (error, G_FILE_ERROR, G_FILE_ERROR_FAILED,
               "%s: line %u: [%s]%s%s: %s", self->path, line, self->group,
               key != NULL ? " " : "", key != NULL ? key : "", why);
  return FALSE;
}

static gboolean
apply_key (FsHostOptions *options, const char *key, const char *value,
           const char *dir, GError **error)
{
  if (strcmp (key, "insecure") != 0)
    return fs_host_options_set (options, key, value, dir, error);
  if (g_ascii_strcasecmp (value, "true") == 0 || strcmp (value, "1") == 0
      || g_ascii_strcasecmp (value, "yes") == 0)
    return fs_host_options_set (options, key, NULL, dir, error);
  options->insecure = FALSE;
  if (g_ascii_strcasecmp (value, "false") == 0 || strcmp (value, "0") == 0
      || g_ascii_strcasecmp (value, "no") == 0)
    return TRUE;
  g_set_error (error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
               "\"%s\" is neither true nor false", value);
  return FALSE;
}

static gboolean
read_key (Hosts *self, guint line, const char *key, const char *value,
          GError **error)
{
  g_autoptr (GError) problem = NULL;

  if (!g_hash_table_add (self->keys, (gpointer)key))
    return bad_line (self, line, key, "it is there twice", error);
  if (strcmp (key, "url") == 0) {
    self->url = value;
    self->url_line = line;
    return TRUE;
  }
  return apply_key (&self->options, key, value, self->dir, &problem)
         || bad_line (self, line, key, problem->message, error);
}

/* Two hosts cannot have the same name. */
static gboolean
begin_group (Hosts *self, guint line, const char *group, GError **error)
{
  self->group = group;
  self->line = line;
  self->url = NULL;
  g_clear_pointer (&self->parsed, g_free);
  fs_host_options_clear (&self->options);
  fs_host_options_copy (&self->options, self->defaults);
  g_hash_table_remove_all (self->keys);
  if (!g_hash_table_add (self->names, (gpointer)group))
    return bad_line (self, line, NULL,
                     "it is there twice; two hosts cannot have the same name",
                     error);
  return fs_name_parse (group, &self->parsed) == 0
         || bad_line (self, line, NULL,
                      "this cannot be the name of a directory here: it starts "
                      "with a dot, or has a \"/\" or control characters, or is "
                      "too long",
                      error);
}

static gboolean
end_group (Hosts *self, GError **error)
{
  g_autoptr (GError) problem = NULL;
  FsSource *source;

  if (self->group == NULL)
    return TRUE;
  if (self->url == NULL || *self->url == '\0')
    return bad_line (
      self, self->url == NULL ? self->line : self->url_line, "url",
      "missing: a host (https://[USER@]HOST) or a directory", error);
  source
    = source_new (self->parsed, self->url, self->dir, &self->options, &problem);
  if (source == NULL)
    return bad_line (self, self->url_line, "url", problem->message, error);
  source->origin = g_strdup_printf ("%s: line %u: [%s]", self->path, self->line,
                                    self->group);
  g_ptr_array_add (self->sources, source);
  return check_params (source, error);
}

/* @text: is cut up */
static gboolean
read_lines (Hosts *self, char *text, GError **error)
{
  FsKeyFile file;
  FsKeyFileLine line;
  const char *name;
  const char *value;

  fs_key_file_begin (&file, text);
  while ((line = fs_key_file_next (&file, &name, &value)) != FS_KEY_FILE_END) {
    if (line == FS_KEY_FILE_GROUP) {
      if (!end_group (self, error)
          || !begin_group (self, file.line, name, error))
        return FALSE;
    } else if (line == FS_KEY_FILE_KEY && self->group != NULL) {
      if (!read_key (self, file.line, name, value, error))
        return FALSE;
    } else {
      g_set_error (error, G_FILE_ERROR, G_FILE_ERROR_FAILED,
                   "%s: line %u: not a hosts file: wanted are lines KEY=VALUE "
                   "below [NAME]",
                   self->path, file.line);
      return FALSE;
    }
  }
  return end_group (self, error);
}

static char *
load_hosts_file (const char *path, GError **error)
{
  g_autoptr (GError) problem = NULL;
  g_autofree char *text = NULL;
  gsize len = 0;
  struct stat status;

  if (stat (path, &status) != 0)
    fail (error, path, g_strerror (errno));
  else if (!S_ISREG (status.st_mode) || status.st_size > HOSTS_MAX_BYTES)
    fail (error, path, "neither a directory nor a hosts file");
  else if (!g_file_get_contents (path, &text, &len, &problem))
    g_propagate_error (error, g_steal_pointer (&problem));
  else if (strlen (text) != len)
    fail (error, path, "not a hosts file: it is no text");
  else
    return g_steal_pointer (&text);
  return NULL;
}

static gboolean
read_hosts_file (const char *path, const FsHostOptions *defaults,
                 GPtrArray *sources, GError **error)
{
  g_autofree char *text = load_hosts_file (path, error);
  Hosts hosts = {
    .path = path,
    .dir = g_path_get_dirname (path),
    .defaults = defaults,
    .sources = sources,
    .names = g_hash_table_new (g_str_hash, g_str_equal),
    .keys = g_hash_table_new (g_str_hash, g_str_equal),
  };
  gboolean done = text != NULL && read_lines (&hosts, text, error);

  if (done && sources->len == 0)
    done = fail (error, path, "no host is named; each is a [NAME] with a url=");
  g_free (hosts.dir);
  g_free (hosts.parsed);
  g_hash_table_unref (hosts.names);
  g_hash_table_unref (hosts.keys);
  fs_host_options_clear (&hosts.options);
  return done;
}

/* ---- all ---- */

GPtrArray *
fs_sources_find (const FsOptions *options, char **ret_label, GError **error)
{
  g_autoptr (GPtrArray) sources = g_ptr_array_new_with_free_func (source_free);
  g_autofree char *dir = g_get_current_dir ();
  const char *text = options->source;
  FsSource *source;

  if (strstr (text, "://") == NULL && g_file_test (text, G_FILE_TEST_EXISTS)
      && !g_file_test (text, G_FILE_TEST_IS_DIR)) {
    g_autofree char *path = g_canonicalize_filename (text, dir);

    if (!read_hosts_file (path, &options->host, sources, error))
      return NULL;
    *ret_label = g_steal_pointer (&path);
    return g_steal_pointer (&sources);
  }
  if (strstr (text, "://") == NULL && g_str_has_suffix (text, ".conf")
      && !g_file_test (text, G_FILE_TEST_EXISTS)) {
    fail (error, text, "there is no such hosts file");
    return NULL;
  }
  source = source_new ("", text, dir, &options->host, error);
  if (source == NULL)
    return NULL;
  g_ptr_array_add (sources, source);
  if (!check_params (source, error))
    return NULL;
  *ret_label = g_strdup (source->is_local ? source->path : text);
  return g_steal_pointer (&sources);
}
