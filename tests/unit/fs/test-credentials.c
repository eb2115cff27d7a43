/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <glib/gstdio.h>
#include <string.h>

#include "credentials.h"

#define SECRET "Hush42"

typedef struct {
  char *dir;
  char *file;
  FsSource source;
} Fixture;

static void
set_up (Fixture *f, gconstpointer data)
{
  f->dir = g_dir_make_tmp ("credentials-XXXXXX", NULL);
  f->file = g_build_filename (f->dir, "vixfs", NULL);
  f->source.text = (char *)"https://esx1";
  f->source.host = (char *)"esx1";
  g_unsetenv ("VIXFS_USER");
  g_unsetenv ("VIXFS_PASSWORD");
  g_unsetenv ("CREDENTIALS_DIRECTORY");
}

static void
tear_down (Fixture *f, gconstpointer data)
{
  g_unlink (f->file);
  g_rmdir (f->dir);
  g_free (f->dir);
  g_free (f->file);
}

static void
write_file (Fixture *f, const char *text, int mode)
{
  g_assert_true (g_file_set_contents (f->file, text, -1, NULL));
  g_assert_cmpint (g_chmod (f->file, mode), ==, 0);
}

static void
assert_found (Fixture *f, const char *user, const char *password)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (FsCredentials) found
    = fs_credentials_find (&f->source, TRUE, &error);

  g_assert_no_error (error);
  g_assert_cmpstr (found->user, ==, user);
  g_assert_cmpstr (found->password, ==, password);
}

static void
test_groups (Fixture *f, gconstpointer data)
{
  write_file (f,
              "[default]\nuser=someone\npassword=else\n"
              "[esx1]\nuser=root\npassword=" SECRET "\n",
              0600);
  f->source.options.credentials = f->file;
  assert_found (f, "root", SECRET);
  f->source.host = (char *)"esx2";
  assert_found (f, "someone", "else");
}

typedef struct {
  const char *text;
  int mode;
  const char *user;  /* in the URL; NULL */
  const char *named; /* what the error says beside the file */
} Refusal;

/* As GKeyFile has them: blanks, line ends of DOS, backslashes. */
static void
test_forms (Fixture *f, gconstpointer data)
{
  write_file (f,
              "\xef\xbb\xbf# mine\r\n[esx1]\r\n  user = root\r\n"
              "password = a\\\\b\\s=#c\r\ncolour=red\r\n",
              0600);
  f->source.options.credentials = f->file;
  assert_found (f, "root", "a\\b =#c");
}

static const Refusal refusals[] = {
  { "[esx1]\nuser=root\npassword=" SECRET "\n", 0640, NULL, "chmod 600" },
  { "[esx1]\nuser=root\npassword=" SECRET "\n", 0604, NULL, "chmod 600" },
  { "[esx1]\nuser=root\n", 0600, NULL, "[esx1] has no password" },
  { "[esx1]\nuser=root\npassword=\n", 0600, NULL, "[esx1] has no password" },
  { "[esx1]\npassword=" SECRET "\n", 0600, NULL, "[esx1] has no user" },
  { "[esx1]\nuser=root\npassword=" SECRET "\n", 0600, "admin", "\"admin\"" },
  { "[esx9]\nuser=root\npassword=" SECRET "\n", 0600, NULL, "neither [esx1]" },
  { "password " SECRET "\n", 0600, NULL, "line 1: no credentials file" },
  { "password=" SECRET "\n[esx1]\n", 0600, NULL, "line 1: no credentials" },
  { "[esx1]\nuser=root\n\n" SECRET "\n", 0600, NULL, "line 4: no cred" },
  { "[esx1]\nuser=root\npassword=" SECRET "\\q\n", 0600, NULL, "line 3: no" },
  { "", 0600, NULL, "neither [esx1]" },
};

static void
test_refusals (Fixture *f, gconstpointer data)
{
  gsize i;

  f->source.options.credentials = f->file;
  for (i = 0; i < G_N_ELEMENTS (refusals); i++) {
    g_autoptr (GError) error = NULL;

    write_file (f, refusals[i].text, refusals[i].mode);
    f->source.user = (char *)refusals[i].user;
    g_assert_null (fs_credentials_find (&f->source, TRUE, &error));
    g_assert_nonnull (strstr (error->message, f->file));
    if (strstr (error->message, refusals[i].named) == NULL)
      g_error ("\"%s\" does not say \"%s\"", error->message, refusals[i].named);
    g_assert_null (strstr (error->message, SECRET));
  }
}

static void
test_environment (Fixture *f, gconstpointer data)
{
  g_autoptr (GError) error = NULL;

  g_setenv ("VIXFS_PASSWORD", SECRET, TRUE);
  g_assert_null (fs_credentials_find (&f->source, TRUE, &error));
  g_assert_nonnull (strstr (error->message, "VIXFS_USER"));
  g_assert_null (strstr (error->message, SECRET));
  g_setenv ("VIXFS_USER", "root", TRUE);
  assert_found (f, "root", SECRET);
  f->source.user = (char *)"admin";
  assert_found (f, "admin", SECRET);
  /* A file that is named goes first. */
  write_file (f, "[default]\nuser=admin\npassword=filed\n", 0600);
  f->source.options.credentials = f->file;
  assert_found (f, "admin", "filed");
  fs_credentials_forget_environment ();
  g_assert_null (g_getenv ("VIXFS_PASSWORD"));
}

/* systemd's own directory: its modes are not ours to judge. */
static void
test_service (Fixture *f, gconstpointer data)
{
  write_file (f, "[default]\nuser=root\npassword=" SECRET "\n", 0444);
  g_setenv ("CREDENTIALS_DIRECTORY", f->dir, TRUE);
  assert_found (f, "root", SECRET);
}

static const struct {
  const char *path;
  void (*test) (Fixture *, gconstpointer);
} tests[] = {
  { "/credentials/host-goes-before-default", test_groups },
  { "/credentials/forms-of-a-file", test_forms },
  { "/credentials/bad-file-is-refused-without-its-secret", test_refusals },
  { "/credentials/environment", test_environment },
  { "/credentials/service", test_service },
};

int
main (int argc, char **argv)
{
  gsize i;

  g_test_init (&argc, &argv, NULL);
  for (i = 0; i < G_N_ELEMENTS (tests); i++)
    g_test_add (tests[i].path, Fixture, NULL, set_up, tests[i].test, tear_down);
  return g_test_run ();
}
