/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * mount.vixfs - what mount(8) runs for `mount -t vixfs SOURCE DIR -o ...` and
 * for such a line of /etc/fstab.
 *
 * mount(8) calls a helper as SOURCE DIR [-sfnv] [-N NAMESPACE] [-o OPTIONS]
 * [-t TYPE]. This one leaves out the options that concern only mount(8),
 * fstab and systemd, and becomes `vixfs SOURCE DIR -o REST`, whose exit status
 * mount(8) then sees. It runs with the rights of the caller and changes
 * nothing itself.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <glib.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* mount(8): what its exit status means */
enum { EXIT_USAGE = 1, EXIT_SYSTEM = 2, EXIT_MOUNT = 32 };

typedef struct {
  const char *source;
  const char *directory;
  const char *options;        /* NULL without -o */
  const char *namespace_path; /* NULL without -N */
  gboolean fake;
  gboolean verbose;
} Arguments;

/* Options that mount(8), fstab or systemd act on, or that say what holds
 * anyway. "=" stands for any value, "*" for any rest of the name. */
static const char *const not_for_us[] = {
  "auto",    "noauto",   "user",   "user=",      "nouser",
  "users",   "nousers",  "owner",  "noowner",    "group",
  "nogroup", "defaults", "nofail", "_netdev",    "comment=",
  "x-*",     "X-*",      "atime",  "diratime",   "relatime",
  "loud",    "silent",   "nomand", "nolazytime", "noiversion",
};

static gboolean
option_matches (const char *option, const char *pattern)
{
  gsize len = strlen (pattern);
  char last = pattern[len - 1];

  if (last == '*')
    return strncmp (option, pattern, len - 1) == 0;
  if (last == '=')
    return strncmp (option, pattern, len) == 0;
  return strcmp (option, pattern) == 0;
}

static gboolean
option_is_for_us (const char *option)
{
  gsize i;

  for (i = 0; i < G_N_ELEMENTS (not_for_us); i++) {
    if (option_matches (option, not_for_us[i]))
      return FALSE;
  }
  return *option != '\0';
}

/* The end of the option at @s: a comma that no backslash escapes, or NUL. */
static const char *
option_end (const char *s)
{
  for (; *s != '\0' && *s != ','; s++) {
    if (s[0] == '\\' && s[1] != '\0')
      s++;
  }
  return s;
}

/* What is left of @options for vixfs; "" if nothing is. *@ret_remount tells
 * whether a remount was asked for. */
static char *
filter_options (const char *options, gboolean *ret_remount)
{
  GString *rest = g_string_new (NULL);
  const char *s = options;

  *ret_remount = FALSE;
  while (s != NULL && *s != '\0') {
    const char *end = option_end (s);
    g_autofree char *option = g_strndup (s, end - s);

    if (strcmp (option, "remount") == 0)
      *ret_remount = TRUE;
    else if (option_is_for_us (option))
      g_string_append_printf (rest, "%s%s", rest->len > 0 ? "," : "", option);
    s = *end == ',' ? end + 1 : end;
  }
  return g_string_free (rest, FALSE);
}

/* Where vixfs was installed to or, in a tree that was moved as a whole, at
 * the same place relative to this program. */
static char *
find_vixfs (void)
{
  g_autofree char *self = NULL;
  g_autofree char *directory = NULL;

  if (access (VIXFS_PROGRAM, X_OK) == 0)
    return g_strdup (VIXFS_PROGRAM);
  self = g_file_read_link ("/proc/self/exe", NULL);
  if (self == NULL)
    return g_strdup (VIXFS_PROGRAM);
  directory = g_path_get_dirname (self);
  return g_build_filename (directory, VIXFS_FROM_HELPER, NULL);
}

static int
enter_namespace (const char *path)
{
  int fd = open (path, O_RDONLY | O_CLOEXEC);

  if (fd < 0 || setns (fd, CLONE_NEWNS) != 0) {
    g_printerr ("mount.vixfs: %s: cannot enter this mount namespace: %s\n",
                path, g_strerror (errno));
    return EXIT_SYSTEM;
  }
  close (fd);
  return 0;
}

static int
become_vixfs (const Arguments *args, const char *options)
{
  g_autofree char *program = find_vixfs ();
  const char *argv[6] = { "vixfs", args->source, args->directory };

  if (*options != '\0') {
    argv[3] = "-o";
    argv[4] = options;
  }
  if (args->verbose)
    g_print ("mount.vixfs: %s %s %s %s %s\n", program, args->source,
             args->directory, argv[3] != NULL ? "-o" : "", options);
  if (args->fake)
    return 0;
  execv (program, (char *const *)argv);
  g_printerr ("mount.vixfs: cannot run %s: %s; is vixfs installed?\n", program,
              g_strerror (errno));
  return EXIT_SYSTEM;
}

static const char usage[]
  = "usage: mount.vixfs SOURCE DIRECTORY [-fnsv] [-N NAMESPACE] "
    "[-o OPTIONS] [-t TYPE]\n"
    "Normally run by mount(8): mount -t vixfs SOURCE DIRECTORY\n";

/* The exit status to end with, or -1 to go on. */
static int
parse_arguments (int argc, char **argv, Arguments *args)
{
  static const struct option long_options[] = {
    { "help", no_argument, NULL, 'h' },
    { "version", no_argument, NULL, 'V' },
    { NULL, 0, NULL, 0 },
  };
  int c;

  while ((c = getopt_long (argc, argv, "fhno:st:vVN:", long_options, NULL))
         != -1) {
    switch (c) {
    case 'f':
      args->fake = TRUE;
      break;
    case 'n': /* there is no mtab to write */
    case 's': /* vixfs names what it does not know */
    case 't': /* the type is ours, or fuse.vixfs */
      break;
    case 'o':
      args->options = optarg;
      break;
    case 'v':
      args->verbose = TRUE;
      break;
    case 'N':
      args->namespace_path = optarg;
      break;
    case 'V':
      g_print ("mount.vixfs %s\n", VIXFS_VERSION);
      return 0;
    case 'h':
      g_print ("%s", usage);
      return 0;
    default:
      g_printerr ("%s", usage);
      return EXIT_USAGE;
    }
  }
  if (argc - optind != 2) {
    g_printerr ("%s", usage);
    return EXIT_USAGE;
  }
  args->source = argv[optind];
  args->directory = argv[optind + 1];
  return -1;
}

int
main (int argc, char **argv)
{
  Arguments args = { 0 };
  g_autofree char *options = NULL;
  gboolean remount;
  int status = parse_arguments (argc, argv, &args);

  if (status >= 0)
    return status;
  options = filter_options (args.options, &remount);
  if (remount) {
    g_printerr ("mount.vixfs: %s: vixfs cannot change the options of a mount; "
                "unmount it and mount it again\n",
                args.directory);
    return EXIT_MOUNT;
  }
  if (args.namespace_path != NULL) {
    status = enter_namespace (args.namespace_path);
    if (status != 0)
      return status;
  }
  return become_vixfs (&args, options);
}
