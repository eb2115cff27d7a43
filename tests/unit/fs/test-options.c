/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <string.h>
#include <unistd.h>

#include "options.h"

/* Ends a list of arguments. */
#define END ((const char *)NULL)

/* Parses "vixfs" and the words up to NULL. */
static FsOptions *
parse (GError **error, ...)
{
  g_autoptr (GPtrArray) words = g_ptr_array_new_with_free_func (g_free);
  const char *word;
  va_list list;

  g_ptr_array_add (words, g_strdup ("vixfs"));
  va_start (list, error);
  while ((word = va_arg (list, const char *)) != NULL)
    g_ptr_array_add (words, g_strdup (word));
  va_end (list);
  g_ptr_array_add (words, NULL);
  return fs_options_parse ((int)words->len - 1, (char **)words->pdata, error);
}

static void
test_defaults (void)
{
  g_autoptr (FsOptions) options = parse (NULL, "/vms", "/mnt", END);

  g_assert_nonnull (options);
  g_assert_cmpstr (options->source, ==, "/vms");
  g_assert_cmpstr (options->mountpoint, ==, "/mnt");
  g_assert_false (options->foreground);
  g_assert_false (options->debug);
  g_assert_false (options->read_only);
  g_assert_false (options->allow_other);
  g_assert_cmpuint (options->uid, ==, geteuid ());
  g_assert_cmpuint (options->gid, ==, getegid ());
  g_assert_cmpuint (options->umask, ==, 077);
  g_assert_null (options->host.vendor);
  g_assert_cmpuint (options->kernel->len, ==, 0);
}

static void
test_all (void)
{
  g_autoptr (FsOptions) options = parse (
    NULL, "-o", "ro,allow_other,uid=12", "/vms", "-f", "-ogid=34", "/mnt", "-o",
    "umask=027,vendor=/a\\,b.so,nonempty,nosuid,noexec", END);

  g_assert_nonnull (options);
  g_assert_true (options->read_only);
  g_assert_true (options->allow_other);
  g_assert_true (options->nonempty);
  g_assert_true (options->foreground);
  g_assert_cmpuint (options->uid, ==, 12);
  g_assert_cmpuint (options->gid, ==, 34);
  g_assert_cmpuint (options->umask, ==, 027);
  g_assert_cmpstr (options->host.vendor, ==, "/a,b.so");
  g_assert_cmpuint (options->kernel->len, ==, 2);
  g_assert_cmpstr (options->kernel->pdata[0], ==, "nosuid");
}

static void
test_state (void)
{
  static const struct {
    const char *option;
    const char *state;
  } rows[] = {
    { "ro", NULL },
    { "state=", "" },
    { "state=none", "" },
    { "state=/a/../b", "/b" },
    { "state=/a,state=", "" },
  };
  g_autoptr (GError) error = NULL;

  for (guint i = 0; i < G_N_ELEMENTS (rows); i++) {
    g_autoptr (FsOptions) options
      = parse (NULL, "-o", rows[i].option, "/vms", "/mnt", END);

    g_assert_cmpstr (options->state, ==, rows[i].state);
  }
  g_assert_null (parse (&error, "-o", "state", "/vms", "/mnt", END));
  g_assert_nonnull (strstr (error->message, "\"state\""));
}

static void
test_last_wins (void)
{
  g_autoptr (FsOptions) options
    = parse (NULL, "-o", "ro,rw,umask=0,umask=022", "/vms", "/mnt", END);

  g_assert_false (options->read_only);
  g_assert_cmpuint (options->umask, ==, 022);
}

static void
test_names (void)
{
  g_autoptr (FsOptions) options
    = parse (NULL, "-o", "uid=root,gid=root", "/vms", "/mnt", END);

  g_assert_nonnull (options);
  g_assert_cmpuint (options->uid, ==, 0);
  g_assert_cmpuint (options->gid, ==, 0);
}

static void
test_generic (void)
{
  g_autoptr (FsOptions) options
    = parse (NULL, "-o",
             "defaults,rw,nosuid,nodev,noatime,_netdev,x-systemd.automount,"
             "x-gvfs-show,user,user=ann,auto,noauto,nofail,comment=a b,,",
             "/vms", "/mnt", END);

  g_assert_nonnull (options);
  g_assert_cmpuint (options->kernel->len, ==, 3);
}

static void
test_sizes (void)
{
  static const struct {
    const char *option;
    guint64 bytes;
  } rows[] = {
    { "cache=4194304", 4194304 },
    { "cache=8192K", 8388608 },
    { "cache=64M,connections=64", 67108864 },
    { "cache=1024G", G_GUINT64_CONSTANT (1099511627776) },
  };

  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++) {
    g_autoptr (FsOptions) options
      = parse (NULL, "/vms", "/mnt", "-o", rows[i].option, END);

    g_assert_nonnull (options);
    g_assert_cmpuint (options->host.cache, ==, rows[i].bytes);
    g_assert_cmpuint (options->host.connections, ==, i == 2 ? 64 : 0);
  }
}

typedef struct {
  const char *option;
  const char *named; /* what the error names */
} Refusal;

static const Refusal refusals[] = {
  { "frobnicate", "\"frobnicate\"" },
  { "frobnicate=1", "\"frobnicate\"" },
  { "password=x", "comes from a file" },
  { "connect_timeout=0", "\"connect_timeout\"" },
  { "connect_timeout=86401", "\"connect_timeout\"" },
  { "cache=", "\"cache\"" },
  { "cache=4095K", "4M to 1024G" },
  { "cache=1025G", "\"cache\"" },
  { "cache=18446744073709551616", "\"cache\"" },
  { "cache=17179869185G", "\"cache\"" },
  { "cache=64m", "\"cache\"" },
  { "cache=64MB", "\"cache\"" },
  { "cache=-64M", "\"cache\"" },
  { "connections=0", "\"connections\"" },
  { "connections=65", "from 1 to 64" },
  { "insecure=1", "\"insecure\"" },
  { "credentials=", "\"credentials\"" },
  { "ro,frobnicate", "\"frobnicate\"" },
  { "allow_root", "\"allow_root\"" },
  { "remount", "unmount it and mount it again" },
  { "ro=1", "\"ro\"" },
  { "uid=", "\"uid\"" },
  { "uid", "\"uid\"" },
  { "uid=-1", "\"uid\"" },
  { "uid=4294967295", "\"uid\"" },
  { "gid=no such group", "\"gid\"" },
  { "umask=8", "\"umask\"" },
  { "umask=1000", "\"umask\"" },
  { "vendor=", "\"vendor\"" },
};

static void
test_refusals (void)
{
  gsize i;

  for (i = 0; i < G_N_ELEMENTS (refusals); i++) {
    g_autoptr (GError) error = NULL;
    g_autoptr (FsOptions) options
      = parse (&error, "/vms", "/mnt", "-o", refusals[i].option, END);

    g_assert_null (options);
    g_assert_true (error->domain == G_OPTION_ERROR);
    g_assert_nonnull (strstr (error->message, refusals[i].named));
    g_assert_null (strstr (error->message, "=x"));
  }
}

static void
expect_error (FsOptions *options, GError *error, const char *text)
{
  g_assert_null (options);
  g_assert_nonnull (error);
  if (strstr (error->message, text) == NULL)
    g_error ("\"%s\" does not say \"%s\"", error->message, text);
  g_error_free (error);
}

static void
test_arguments (void)
{
  GError *error = NULL;
  FsOptions *options = parse (&error, "/vms", END);

  expect_error (options, error, "too few");
  error = NULL;
  options = parse (&error, "/vms", "/mnt", "/more", END);
  expect_error (options, error, "too many");
  error = NULL;
  options = parse (&error, "/vms", "", END);
  expect_error (options, error, "mount point");
  error = NULL;
  options = parse (&error, "-x", "/vms", "/mnt", END);
  expect_error (options, error, "\"-x\"");
  error = NULL;
  options = parse (&error, "--frob", "/vms", "/mnt", END);
  expect_error (options, error, "\"--frob\"");
  error = NULL;
  options = parse (&error, "/vms", "/mnt", "-o", END);
  expect_error (options, error, "\"-o\"");
}

static void
test_flags (void)
{
  g_autoptr (FsOptions) help = parse (NULL, "-h", END);
  g_autoptr (FsOptions) version = parse (NULL, "--version", END);
  g_autoptr (FsOptions) debug = parse (NULL, "-d", "/vms", "/mnt", END);

  g_assert_true (help->show_help);
  g_assert_true (version->show_version);
  g_assert_true (debug->debug && debug->foreground);
  g_assert_nonnull (strstr (fs_options_help (), "umask"));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/options/defaults", test_defaults);
  g_test_add_func ("/options/all-in-any-order", test_all);
  g_test_add_func ("/options/state", test_state);
  g_test_add_func ("/options/the-last-wins", test_last_wins);
  g_test_add_func ("/options/users-by-name", test_names);
  g_test_add_func ("/options/those-of-mount-and-fstab", test_generic);
  g_test_add_func ("/options/sizes-have-units", test_sizes);
  g_test_add_func ("/options/errors-name-the-option", test_refusals);
  g_test_add_func ("/options/arguments-are-counted", test_arguments);
  g_test_add_func ("/options/flags", test_flags);
  return g_test_run ();
}
