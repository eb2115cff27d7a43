/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "credentials.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include "key-file.h"

#define FILE_MAX_BYTES 65536
#define LINE_MAX_BYTES 4096

static void
wipe (char *secret)
{
  if (secret != NULL)
    explicit_bzero (secret, strlen (secret));
  g_free (secret);
}

void
fs_credentials_free (FsCredentials *self)
{
  if (self == NULL)
    return;
  g_free (self->user);
  wipe (self->password);
  g_free (self->origin);
  g_free (self);
}

gboolean
fs_credentials_equal (const FsCredentials *a, const FsCredentials *b)
{
  return strcmp (a->user, b->user) == 0
         && strcmp (a->password, b->password) == 0;
}

static gboolean
fail (GError **error, const char *what, const char *why)
{
  g_set_error (error, G_FILE_ERROR, G_FILE_ERROR_FAILED, "%s: %s", what, why);
  return FALSE;
}

/* ---- from a file ---- */

/* One that others can read is no secret. */
static gboolean
check_file (int fd, const char *path, GError **error)
{
  struct stat status;

  if (fstat (fd, &status) != 0)
    return fail (error, path, g_strerror (errno));
  if (!S_ISREG (status.st_mode) || status.st_size > FILE_MAX_BYTES)
    return fail (error, path, "no credentials file: not a small regular file");
  if (status.st_uid != geteuid () && status.st_uid != 0)
    return fail (error, path, "the credentials file belongs to another user");
  if ((status.st_mode & 077) != 0)
    return fail (error, path,
                 "others may read the credentials file; \"chmod 600\" it");
  return TRUE;
}

/* Not a string to wipe(): it may have a NUL anywhere, and is cut into pieces.
 */
static void
wipe_file (char *text)
{
  explicit_bzero (text, FILE_MAX_BYTES);
  g_free (text);
}

/* The whole of it, FILE_MAX_BYTES and a NUL; to be wiped. */
static char *
read_file (const char *path, gboolean is_private, GError **error)
{
  int fd = open (path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  char *text = NULL;
  gsize len = 0;
  gssize got = -1;

  if (fd < 0) {
    g_set_error (error, G_FILE_ERROR, G_FILE_ERROR_FAILED,
                 "%s: the credentials file cannot be read: %s", path,
                 g_strerror (errno));
    return NULL;
  }
  if (!is_private || check_file (fd, path, error)) {
    text = g_malloc0 (FILE_MAX_BYTES + 1);
    while ((got = read (fd, text + len, FILE_MAX_BYTES - len)) > 0)
      len += (gsize)got;
    if (got < 0)
      fail (error, path, g_strerror (errno));
  }
  close (fd);
  if (got < 0)
    g_clear_pointer (&text, wipe_file);
  return text;
}

typedef struct {
  const char *user; /* in the text of the file, as all of it */
  const char *password;
  gboolean is_there;
} Group;

/* Those of [@host], and those of [default]. What a line of the file says is
 * not repeated in any text. */
static gboolean
read_groups (const char *path, char *text, const char *host, Group *ret_own,
             Group *ret_default, GError **error)
{
  FsKeyFile file;
  FsKeyFileLine line;
  Group other = { NULL, NULL, FALSE };
  Group *group = NULL;
  const char *name;
  const char *value;

  fs_key_file_begin (&file, text);
  while ((line = fs_key_file_next (&file, &name, &value)) != FS_KEY_FILE_END) {
    if (line == FS_KEY_FILE_GROUP) {
      group = strcmp (name, host) == 0        ? ret_own
              : strcmp (name, "default") == 0 ? ret_default
                                              : &other;
      group->is_there = TRUE;
    } else if (line == FS_KEY_FILE_BAD || group == NULL) {
      g_set_error (error, G_FILE_ERROR, G_FILE_ERROR_FAILED,
                   "%s: line %u: no credentials file: wanted are lines "
                   "user=NAME and password=SECRET below [%s] or [default]",
                   path, file.line, host);
      return FALSE;
    } else if (strcmp (name, "user") == 0) {
      group->user = value;
    } else if (strcmp (name, "password") == 0) {
      group->password = value;
    }
  }
  return TRUE;
}

/* [HOST], or else [default]. */
static FsCredentials *
parse_file (const FsSource *source, const char *path, char *text,
            GError **error)
{
  Group own = { NULL, NULL, FALSE };
  Group fallback = { NULL, NULL, FALSE };
  const Group *group = &own;
  const char *name = source->host;
  FsCredentials *self;

  if (!read_groups (path, text, source->host, &own, &fallback, error))
    return NULL;
  if (!own.is_there) {
    group = &fallback;
    name = "default";
  }
  if (!group->is_there) {
    g_set_error (error, G_FILE_ERROR, G_FILE_ERROR_FAILED,
                 "%s: there is neither [%s] nor [default] in it", path,
                 source->host);
  } else if (group->password == NULL || *group->password == '\0') {
    g_set_error (error, G_FILE_ERROR, G_FILE_ERROR_FAILED,
                 "%s: [%s] has no password=", path, name);
  } else if (group->user != NULL && source->user != NULL
             && strcmp (group->user, source->user) != 0) {
    g_set_error (error, G_FILE_ERROR, G_FILE_ERROR_FAILED,
                 "%s: [%s] is for the user \"%s\", but \"%s\" asks for \"%s\"",
                 path, name, group->user, source->text, source->user);
  } else if (group->user == NULL && source->user == NULL) {
    g_set_error (error, G_FILE_ERROR, G_FILE_ERROR_FAILED,
                 "%s: [%s] has no user=, and \"%s\" names none", path, name,
                 source->text);
  } else {
    self = g_new0 (FsCredentials, 1);
    self->user = g_strdup (group->user != NULL ? group->user : source->user);
    self->password = g_strdup (group->password);
    self->origin = g_strdup_printf ("%s, [%s]", path, name);
    return self;
  }
  return NULL;
}

static FsCredentials *
from_file (const FsSource *source, const char *path, gboolean is_private,
           GError **error)
{
  char *text = read_file (path, is_private, error);
  FsCredentials *self;

  if (text == NULL)
    return NULL;
  self = parse_file (source, path, text, error);
  wipe_file (text);
  return self;
}

/* What systemd hands to a service: its own to protect, so whoever may read it
 * there may read it. */
static char *
service_file (void)
{
  const char *dir = g_getenv ("CREDENTIALS_DIRECTORY");
  g_autofree char *path
    = dir != NULL ? g_build_filename (dir, "vixfs", NULL) : NULL;

  if (path == NULL || !g_file_test (path, G_FILE_TEST_EXISTS))
    return NULL;
  return g_steal_pointer (&path);
}

FsCredentials *
fs_credentials_read (const FsSource *source, GError **error)
{
  g_autofree char *path = NULL;

  if (source->options.credentials != NULL)
    return from_file (source, source->options.credentials, TRUE, error);
  path = service_file ();
  if (path != NULL)
    return from_file (source, path, FALSE, error);
  fail (error, source->text, "no credentials file is named");
  return NULL;
}

/* ---- from the environment ---- */

static FsCredentials *
from_environment (const FsSource *source, GError **error)
{
  const char *password = g_getenv ("VIXFS_PASSWORD");
  const char *user
    = source->user != NULL ? source->user : g_getenv ("VIXFS_USER");
  FsCredentials *self;

  if (user == NULL || *user == '\0') {
    fail (error, source->text,
          "VIXFS_PASSWORD is set, but no user is named; put it into the URL "
          "(USER@HOST) or into VIXFS_USER");
    return NULL;
  }
  self = g_new0 (FsCredentials, 1);
  self->user = g_strdup (user);
  self->password = g_strdup (password);
  self->origin = g_strdup ("VIXFS_PASSWORD");
  return self;
}

void
fs_credentials_forget_environment (void)
{
  char *password = getenv ("VIXFS_PASSWORD");

  /* What /proc shows as the environment is this very memory. */
  if (password != NULL)
    explicit_bzero (password, strlen (password));
  unsetenv ("VIXFS_PASSWORD");
}

/* ---- from the terminal ---- */

static volatile sig_atomic_t caught;

static void
on_signal (int number)
{
  caught = number;
}

/* A line without its end; NULL at the end, or after a signal. */
static char *
read_line (int fd)
{
  char *line = g_malloc0 (LINE_MAX_BYTES);
  gsize len = 0;
  char c = '\0';

  while (len < LINE_MAX_BYTES - 1 && caught == 0 && read (fd, &c, 1) == 1
         && c != '\n')
    line[len++] = c;
  if (c != '\n' || caught != 0)
    g_clear_pointer (&line, wipe);
  return line;
}

/* A signal must not leave the terminal without an echo. */
static char *
ask (int fd, const char *question, gboolean is_secret)
{
  static const int signals[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };
  struct sigaction action = { .sa_handler = on_signal };
  struct sigaction before[G_N_ELEMENTS (signals)];
  struct termios shown;
  struct termios hidden;
  gboolean has_modes = tcgetattr (fd, &shown) == 0;
  char *line = NULL;
  guint i;

  caught = 0;
  for (i = 0; i < G_N_ELEMENTS (signals); i++)
    sigaction (signals[i], &action, &before[i]);
  hidden = shown;
  hidden.c_lflag &= ~(tcflag_t)ECHO;
  if (is_secret && has_modes)
    tcsetattr (fd, TCSAFLUSH, &hidden);
  if (write (fd, question, strlen (question)) > 0)
    line = read_line (fd);
  if (is_secret && has_modes)
    tcsetattr (fd, TCSAFLUSH, &shown);
  if (is_secret && write (fd, "\n", 1) != 1)
    g_clear_pointer (&line, wipe);
  for (i = 0; i < G_N_ELEMENTS (signals); i++)
    sigaction (signals[i], &before[i], NULL);
  if (caught != 0)
    raise (caught);
  return line;
}

/* @is_only: the environment would do as well */
static FsCredentials *
from_terminal (const FsSource *source, gboolean is_only, GError **error)
{
  g_autoptr (FsCredentials) self = g_new0 (FsCredentials, 1);
  g_autofree char *question = NULL;
  int fd = open ("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);

  if (fd < 0) {
    /* A directory that was mistyped looks like a host. */
    g_set_error (error, G_FILE_ERROR, G_FILE_ERROR_FAILED,
                 "%s: %suser and password are needed: name a file with %s",
                 source->text,
                 strchr (source->text, '/') == NULL
                   ? "there is no directory of that name here; for a host "
                   : "",
                 is_only ? "-o credentials=FILE, set VIXFS_USER and "
                           "VIXFS_PASSWORD, or start this on a terminal"
                         : "credentials=FILE, or start this on a terminal");
    return NULL;
  }
  if (source->user != NULL) {
    self->user = g_strdup (source->user);
  } else {
    question = g_strdup_printf ("User for %s: ", source->host);
    self->user = ask (fd, question, FALSE);
    g_free (question);
  }
  question = g_strdup_printf (
    "Password for %s@%s: ", self->user != NULL ? self->user : "", source->host);
  if (self->user != NULL && *self->user != '\0')
    self->password = ask (fd, question, TRUE);
  close (fd);
  if (self->password == NULL || *self->password == '\0') {
    fail (error, source->text, "no user or no password was given");
    return NULL;
  }
  self->origin = g_strdup ("the terminal");
  return g_steal_pointer (&self);
}

/* ---- all ---- */

FsCredentials *
fs_credentials_find (const FsSource *source, gboolean is_only, GError **error)
{
  g_autofree char *service = service_file ();

  if (source->options.credentials == NULL && is_only
      && g_getenv ("VIXFS_PASSWORD") != NULL)
    return from_environment (source, error);
  if (source->options.credentials != NULL || service != NULL)
    return fs_credentials_read (source, error);
  return from_terminal (source, is_only, error);
}
