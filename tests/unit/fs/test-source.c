/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <glib/gstdio.h>
#include <string.h>

#include "source.h"

/* The library's: of hosts it has one word, and takes no thumbprint "bad". */
VixError
VixExt_CheckConnect (const VixExtConnectParams *params, char **reason)
{
  gboolean bad = g_strcmp0 (params->thumbprint, "bad") == 0
                 && params->hostType == VIX_SERVICEPROVIDER_VMWARE_VI_SERVER;

  g_assert_cmpuint (params->size, ==, sizeof *params);
  *reason = bad ? g_strdup_printf ("%s, %s", params->hostName,
                                   params->options & VIXEXT_HOSTOPTION_INSECURE
                                     ? "insecure"
                                     : "secure")
                : NULL;
  return bad ? VIX_E_INVALID_ARG : VIX_OK;
}

void
Vix_FreeBuffer (void *p)
{
  g_free (p);
}

typedef struct {
  char *dir;  /* holds vms/ */
  char *file; /* hosts.conf in it */
} Fixture;

static void
set_up (Fixture *f, gconstpointer data)
{
  g_autofree char *vms = NULL;
  g_autofree char *tmp = g_dir_make_tmp ("source-XXXXXX", NULL);

  f->dir = fs_source_resolve (tmp, NULL);
  vms = g_build_filename (f->dir, "vms", NULL);
  g_assert_cmpint (g_mkdir (vms, 0700), ==, 0);
  f->file = g_build_filename (f->dir, "hosts.conf", NULL);
}

static void
tear_down (Fixture *f, gconstpointer data)
{
  g_autofree char *vms = g_build_filename (f->dir, "vms", NULL);

  g_unlink (f->file);
  g_rmdir (vms);
  g_assert_cmpint (g_rmdir (f->dir), ==, 0);
  g_free (f->dir);
  g_free (f->file);
}

static GPtrArray *
find_with (const char *source, const char *thumbprint, GError **error)
{
  FsOptions options = { .source = (char *)source };
  g_autofree char *label = NULL;
  GPtrArray *sources;

  options.host.answer_timeout = 7;
  options.host.thumbprint = (char *)thumbprint;
  sources = fs_sources_find (&options, &label, error);
  g_assert_true ((sources != NULL) == (label != NULL));
  return sources;
}

static GPtrArray *
find (const char *source, GError **error)
{
  return find_with (source, "AA", error);
}

typedef struct {
  const char *source;
  const char *address;
  const char *host;
  const char *user;
} Address;

static const Address addresses[] = {
  { "https://root@esx1", "https://esx1", "esx1", "root" },
  { "https://esx1:8443/sdk", "https://esx1:8443/sdk", "esx1", NULL },
  { "esx1.lab.example", "esx1.lab.example", "esx1.lab.example", NULL },
  { "https://a%40b@esx1/sdk", "https://esx1/sdk", "esx1", "a@b" },
  { "https://a@b@esx1", "https://esx1", "esx1", "a@b" },
  { "https://[fe80::1]:99", "https://[fe80::1]:99", "[fe80::1]", NULL },
  { "admin@esx1:8443", "esx1:8443", "esx1", "admin" },
};

static void
test_addresses (Fixture *f, gconstpointer data)
{
  gsize i;

  for (i = 0; i < G_N_ELEMENTS (addresses); i++) {
    g_autoptr (GPtrArray) sources = find (addresses[i].source, NULL);
    const FsSource *source;

    g_assert_nonnull (sources);
    source = sources->pdata[0];
    g_assert_false (source->is_local);
    g_assert_cmpstr (source->name, ==, "");
    g_assert_cmpstr (source->address, ==, addresses[i].address);
    g_assert_cmpstr (source->host, ==, addresses[i].host);
    g_assert_cmpstr (source->user, ==, addresses[i].user);
    g_assert_cmpuint (source->options.answer_timeout, ==, 7);
  }
}

static void
test_directory (Fixture *f, gconstpointer data)
{
  g_autofree char *vms = g_build_filename (f->dir, "vms", NULL);
  g_autofree char *indirect
    = g_build_filename (f->dir, "vms", "..", "vms", NULL);
  g_autofree char *missing = g_build_filename (f->dir, "none", NULL);
  g_autoptr (GPtrArray) sources = find (indirect, NULL);
  g_autoptr (GError) error = NULL;
  const FsSource *source = sources->pdata[0];

  g_assert_true (source->is_local);
  g_assert_cmpstr (source->path, ==, vms);
  g_assert_null (find (missing, &error));
  g_assert_nonnull (strstr (error->message, missing));
  g_clear_error (&error);
  /* Nobody's host is called that. */
  g_assert_null (find ("missing.conf", &error));
  g_assert_nonnull (strstr (error->message, "missing.conf: there is no such"));
}

/* No password is taken from there, or repeated. */
static void
test_password_in_url (Fixture *f, gconstpointer data)
{
  g_autoptr (GError) error = NULL;

  g_assert_null (find ("https://root:Hush42@esx1", &error));
  g_assert_null (strstr (error->message, "Hush42"));
  g_assert_nonnull (strstr (error->message, "credentials="));
}

/* What the library finds wrong is told with the source as given. */
static void
test_library_refuses (Fixture *f, gconstpointer data)
{
  g_autoptr (GPtrArray) sources = find_with (f->dir, "bad", NULL);
  g_autoptr (GError) error = NULL;

  g_assert_nonnull (sources);
  g_assert_null (find_with ("https://root@h", "bad", &error));
  g_assert_cmpstr (error->message, ==, "https://root@h: https://h, secure");
}

static GPtrArray *
read_hosts (Fixture *f, const char *text, GError **error)
{
  g_assert_true (g_file_set_contents (f->file, text, -1, NULL));
  return find (f->file, error);
}

static void
test_hosts_file (Fixture *f, gconstpointer data)
{
  g_autofree char *secrets = g_build_filename (f->dir, "secrets", NULL);
  g_autofree char *vms = g_build_filename (f->dir, "vms", NULL);
  g_autoptr (GPtrArray) sources
    = read_hosts (f,
                  "[esx]\nurl=https://root@esx1\ncredentials=secrets\n"
                  "thumbprint=BB\ninsecure=true\nanswer_timeout=9\n"
                  "cache=64M\nconnections=3\n"
                  "[disk one]\nurl=vms\n",
                  NULL);
  const FsSource *esx;
  const FsSource *disk;

  g_assert_nonnull (sources);
  g_assert_cmpuint (sources->len, ==, 2);
  esx = sources->pdata[0];
  disk = sources->pdata[1];
  g_assert_cmpstr (esx->name, ==, "esx");
  g_assert_true (g_str_has_suffix (esx->origin, "hosts.conf: line 1: [esx]"));
  g_assert_cmpstr (esx->options.credentials, ==, secrets);
  g_assert_cmpstr (esx->options.thumbprint, ==, "BB");
  g_assert_cmpuint (esx->options.answer_timeout, ==, 9);
  g_assert_cmpuint (esx->options.cache, ==, 64 << 20);
  g_assert_cmpuint (esx->options.connections, ==, 3);
  g_assert_true (esx->options.insecure);
  g_assert_cmpstr (disk->name, ==, "disk one");
  g_assert_true (disk->is_local);
  g_assert_cmpstr (disk->path, ==, vms);
  g_assert_cmpstr (disk->options.thumbprint, ==, "AA");
  g_assert_false (disk->options.insecure);
}

typedef struct {
  const char *text;
  const char *named; /* what the error says beside the file */
} Refusal;

static const Refusal refusals[] = {
  { "", "no host" },
  { "url=x\n", "line 1: not a hosts file" },
  { "[a]\nurl=x\n\nfoo\n", "line 4: not a hosts file" },
  { "# c\n[a]\n", "line 2: [a] url: missing" },
  { "[a]\nurl=\n", "line 2: [a] url: missing" },
  { "[a]\nurl=https://h\ncolour=red\n", "line 3: [a] colour: unknown option" },
  { "[a]\nurl=https://h\npassword=Hush42\n",
    "line 3: [a] password: unknown option" },
  { "[a]\nurl=https://h\nanswer_timeout=soon\n",
    "line 3: [a] answer_timeout:" },
  { "[a]\nurl=https://h\ninsecure=maybe\n", "line 3: [a] insecure:" },
  { "[a]\nurl=https://h\nurl=https://i\n", "line 3: [a] url: it is there" },
  { "[a]\nurl=https://h\ncacert=no.pem\n", "no.pem: No such file" },
  { "[a]\nurl=https://u:Hush42@h\n", "line 2: [a] url:" },
  { "[a]\nurl=no/such/dir\n", "line 2: [a] url:" },
  { "\n[a]\nurl=https://u@h\nthumbprint=bad\ninsecure=yes\n",
    "line 2: [a]: https://h, insecure" },
  { "[a/b]\nurl=https://h\n", "line 1: [a/b]: this cannot be" },
  { "[.a]\nurl=https://h\n", "line 1: [.a]: this cannot be" },
  { "[a]\nurl=https://h\n[b]\nurl=https://i\n[a]\nurl=https://j\n",
    "line 5: [a]: it is there twice" },
};

static void
test_hosts_refused (Fixture *f, gconstpointer data)
{
  gsize i;

  for (i = 0; i < G_N_ELEMENTS (refusals); i++) {
    g_autoptr (GError) error = NULL;

    g_assert_null (read_hosts (f, refusals[i].text, &error));
    g_assert_nonnull (strstr (error->message, f->file));
    if (strstr (error->message, refusals[i].named) == NULL)
      g_error ("\"%s\" does not say \"%s\"", error->message, refusals[i].named);
    g_assert_null (strstr (error->message, "Hush42"));
  }
}

static const struct {
  const char *path;
  void (*test) (Fixture *, gconstpointer);
} tests[] = {
  { "/source/addresses-lose-their-user", test_addresses },
  { "/source/directories-are-resolved", test_directory },
  { "/source/password-in-url-is-refused", test_password_in_url },
  { "/source/the-library-may-refuse", test_library_refuses },
  { "/source/hosts-file", test_hosts_file },
  { "/source/bad-hosts-file-names-line-and-key", test_hosts_refused },
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
