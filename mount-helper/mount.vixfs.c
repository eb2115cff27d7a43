/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * mount.vixfs - what mount(8) runs for `mount -t vixfs SOURCE DIR -o ...` and
 * for such a line of /etc/fstab.
 *
 * mount(8) calls a helper as SOURCE DIR [-sfnv] [-N NAMESPACE] [-o OPTIONS]
 * [-t TYPE]. This one becomes `vixfs SOURCE DIR -o OPTIONS`, whose exit status
 * mount(8) then sees; vixfs knows the options that only mount(8), fstab and
 * systemd act on. It runs with the rights of the caller and changes nothing
 * itself.
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
enum { EXIT_USAGE = 1, EXIT_SYSTEM = 2 };

typedef struct {
  const char *source;
  const char *directory;
  const char *options;        /* NULL without -o */
  const char *namespace_path; /* NULL without -N */
  gboolean fake;
  gboolean verbose;
} Arguments;

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
become_vixfs (const Arguments *args)
{
  g_autofree char *program = find_vixfs ();
  const char *argv[6] = { "vixfs", args->source, args->directory };

  if (args->options != NULL) {
    argv[3] = "-o";
    argv[4] = args->options;
  }
  if (args->verbose) {
    g_autofree char *words = g_strjoinv (" ", (char **)&argv[1]);

    g_print ("mount.vixfs: %s %s\n", program, words);
  }
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
  int status = parse_arguments (argc, argv, &args);

  if (status >= 0)
    return status;
  if (args.namespace_path != NULL) {
    status = enter_namespace (args.namespace_path);
    if (status != 0)
      return status;
  }
  return become_vixfs (&args);
}
