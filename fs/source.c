/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "source.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "name.h"

#define HOSTS_MAX_BYTES (4 << 20)

static void
source_free (gpointer data)
{
  FsSource *self = data;

  g_free (self->name);
  g_free (self->text);
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

  if (real == NULL || stat (real, &status) != 0) {
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
  } else {
    done = take_user (self, text, error);
    if (done)
      self->host = host_of (self->address);
  }
  if (!done)
    g_clear_pointer (&self, source_free);
  return self;
}

/* ---- hosts files ---- */

static gboolean
bad_key (GError **error, const char *file, const char *group, const char *key,
         const char *why)
{
  g_set_error (error, G_FILE_ERROR, G_FILE_ERROR_FAILED, "%s: [%s]%s%s: %s",
               file, group, key != NULL ? " " : "", key != NULL ? key : "",
               why);
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

static FsSource *
read_group (GKeyFile *file, const char *path, const char *group,
            const FsHostOptions *defaults, GError **error)
{
  g_autofree char *dir = g_path_get_dirname (path);
  g_autofree char *url = NULL;
  g_autofree char *parsed = NULL;
  g_auto (GStrv) keys = g_key_file_get_keys (file, group, NULL, NULL);
  FsHostOptions options;
  FsSource *self = NULL;
  GError *problem = NULL;
  gboolean done = TRUE;
  guint i;

  if (fs_name_parse (group, &parsed) != 0) {
    bad_key (error, path, group, NULL,
             "this cannot be the name of a directory here: it starts with a "
             "dot, or has a \"/\" or control characters, or is too long");
    return NULL;
  }
  fs_host_options_copy (&options, defaults);
  for (i = 0; done && keys != NULL && keys[i] != NULL; i++) {
    g_autofree char *value = g_key_file_get_string (file, group, keys[i], NULL);

    if (value == NULL)
      done = bad_key (error, path, group, keys[i],
                      "the value is not text as key files have it");
    else if (strcmp (keys[i], "url") == 0)
      url = g_steal_pointer (&value);
    else if (!apply_key (&options, keys[i], value, dir, &problem))
      done = bad_key (error, path, group, keys[i], problem->message);
  }
  g_clear_error (&problem);
  if (done && (url == NULL || *url == '\0'))
    done = bad_key (error, path, group, "url",
                    "missing: a host (https://[USER@]HOST) or a directory");
  if (done)
    self = source_new (parsed, url, dir, &options, &problem);
  if (problem != NULL)
    bad_key (error, path, group, "url", problem->message);
  g_clear_error (&problem);
  fs_host_options_clear (&options);
  return self;
}

/* GKeyFile merges groups of one name; here that is one host too few. */
static gboolean
groups_differ (const char *path, const char *text, GError **error)
{
  g_autoptr (GHashTable) seen
    = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  g_auto (GStrv) lines = g_strsplit (text, "\n", -1);
  guint i;

  for (i = 0; lines[i] != NULL; i++) {
    const char *end = strrchr (lines[i], ']');
    char *group;

    if (*lines[i] != '[' || end == NULL)
      continue;
    group = g_strndup (lines[i] + 1, (gsize)(end - lines[i]) - 1);
    if (g_hash_table_contains (seen, group)) {
      g_set_error (error, G_FILE_ERROR, G_FILE_ERROR_FAILED,
                   "%s: line %u: [%s] is there twice; two hosts cannot have "
                   "the same name",
                   path, i + 1, group);
      g_free (group);
      return FALSE;
    }
    g_hash_table_add (seen, group);
  }
  return TRUE;
}

static GKeyFile *
load_hosts_file (const char *path, GError **error)
{
  g_autoptr (GKeyFile) file = g_key_file_new ();
  g_autofree char *text = NULL;
  GError *problem = NULL;
  gsize len = 0;
  struct stat status;

  if (stat (path, &status) != 0) {
    fail (error, path, g_strerror (errno));
    return NULL;
  }
  if (!S_ISREG (status.st_mode) || status.st_size > HOSTS_MAX_BYTES) {
    fail (error, path, "neither a directory nor a hosts file");
    return NULL;
  }
  if (!g_file_get_contents (path, &text, &len, &problem)
      || !g_key_file_load_from_data (file, text, len, G_KEY_FILE_NONE,
                                     &problem)) {
    g_set_error (error, G_FILE_ERROR, G_FILE_ERROR_FAILED,
                 "%s: not a hosts file: %s", path, problem->message);
    g_error_free (problem);
    return NULL;
  }
  if (!groups_differ (path, text, error))
    return NULL;
  return g_steal_pointer (&file);
}

static gboolean
read_hosts_file (const char *path, const FsHostOptions *defaults,
                 GPtrArray *sources, GError **error)
{
  g_autoptr (GKeyFile) file = load_hosts_file (path, error);
  g_auto (GStrv) groups = NULL;
  guint i;

  if (file == NULL)
    return FALSE;
  groups = g_key_file_get_groups (file, NULL);
  for (i = 0; groups[i] != NULL; i++) {
    FsSource *source = read_group (file, path, groups[i], defaults, error);

    if (source == NULL)
      return FALSE;
    g_ptr_array_add (sources, source);
  }
  if (sources->len == 0)
    return fail (error, path, "no host is named; each is a [NAME] with a url=");
  return TRUE;
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
  source = source_new ("", text, dir, &options->host, error);
  if (source == NULL)
    return NULL;
  *ret_label = g_strdup (source->is_local ? source->path : text);
  g_ptr_array_add (sources, source);
  return g_steal_pointer (&sources);
}
