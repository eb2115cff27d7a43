/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "options.h"

#include <getopt.h>
#include <grp.h>
#include <pwd.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

typedef enum {
  OPTION_SET,     /* a gboolean becomes TRUE */
  OPTION_CLEAR,   /* a gboolean becomes FALSE */
  OPTION_STRING,  /* NAME=TEXT */
  OPTION_PATH,    /* NAME=FILE */
  OPTION_STATE,   /* NAME=DIRECTORY, or "none" or nothing, which is "" */
  OPTION_SECONDS, /* NAME=NUMBER, from 1 to a day */
  OPTION_SIZE,    /* NAME=NUMBER of bytes, or with K, M, G behind it */
  OPTION_COUNT,   /* NAME=NUMBER of connections */
  OPTION_USER,    /* NAME=NUMBER or NAME=a user's name */
  OPTION_GROUP,   /* the same for a group */
  OPTION_MODE,    /* NAME=OCTAL, permission bits */
  OPTION_KERNEL,  /* goes to the kernel as it is */
  OPTION_REMOUNT, /* an error of its own */
  OPTION_IGNORED, /* mount(8), fstab and systemd act on it, or it holds
                   * anyway */
} OptionType;

typedef struct {
  const char *name; /* "x-*": any that start with "x-" */
  OptionType type;
  gsize offset; /* of the field in FsOptions, or in FsHostOptions */
} OptionRow;

#define FIELD(f) offsetof (FsOptions, f)
#define HOST_FIELD(f) offsetof (FsHostOptions, f)

#define SECONDS_MAX 86400
#define SIZE_MIN ((guint64)4 << 20)
#define SIZE_MAX_GIB 1024
#define COUNT_MAX 64

static const OptionRow host_rows[] = {
  { "credentials", OPTION_PATH, HOST_FIELD (credentials) },
  { "cacert", OPTION_PATH, HOST_FIELD (cacert) },
  { "thumbprint", OPTION_STRING, HOST_FIELD (thumbprint) },
  { "insecure", OPTION_SET, HOST_FIELD (insecure) },
  { "connect_timeout", OPTION_SECONDS, HOST_FIELD (connect_timeout) },
  { "answer_timeout", OPTION_SECONDS, HOST_FIELD (answer_timeout) },
  { "stall_timeout", OPTION_SECONDS, HOST_FIELD (stall_timeout) },
  { "settle_timeout", OPTION_SECONDS, HOST_FIELD (settle_timeout) },
  { "cache", OPTION_SIZE, HOST_FIELD (cache) },
  { "connections", OPTION_COUNT, HOST_FIELD (connections) },
  { "vendor", OPTION_STRING, HOST_FIELD (vendor) },
};

static const OptionRow option_rows[] = {
  { "ro", OPTION_SET, FIELD (read_only) },
  { "rw", OPTION_CLEAR, FIELD (read_only) },
  { "allow_other", OPTION_SET, FIELD (allow_other) },
  { "nonempty", OPTION_SET, FIELD (nonempty) },
  { "uid", OPTION_USER, FIELD (uid) },
  { "gid", OPTION_GROUP, FIELD (gid) },
  { "umask", OPTION_MODE, FIELD (umask) },
  { "state", OPTION_STATE, FIELD (state) },

  { "remount", OPTION_REMOUNT, 0 },

  { "nosuid", OPTION_KERNEL, 0 },
  { "nodev", OPTION_KERNEL, 0 },
  { "noexec", OPTION_KERNEL, 0 },
  { "noatime", OPTION_KERNEL, 0 },
  { "nodiratime", OPTION_KERNEL, 0 },

  /* There are no devices, no set-user-ID programs and no access times. */
  { "dev", OPTION_IGNORED, 0 },
  { "suid", OPTION_IGNORED, 0 },
  { "exec", OPTION_IGNORED, 0 },
  { "atime", OPTION_IGNORED, 0 },
  { "diratime", OPTION_IGNORED, 0 },
  { "relatime", OPTION_IGNORED, 0 },
  { "norelatime", OPTION_IGNORED, 0 },
  { "strictatime", OPTION_IGNORED, 0 },
  { "nostrictatime", OPTION_IGNORED, 0 },
  { "lazytime", OPTION_IGNORED, 0 },
  { "nolazytime", OPTION_IGNORED, 0 },
  { "sync", OPTION_IGNORED, 0 },
  { "async", OPTION_IGNORED, 0 },
  { "dirsync", OPTION_IGNORED, 0 },
  { "default_permissions", OPTION_IGNORED, 0 },
  { "defaults", OPTION_IGNORED, 0 },
  { "auto", OPTION_IGNORED, 0 },
  { "noauto", OPTION_IGNORED, 0 },
  { "user", OPTION_IGNORED, 0 },
  { "nouser", OPTION_IGNORED, 0 },
  { "users", OPTION_IGNORED, 0 },
  { "nousers", OPTION_IGNORED, 0 },
  { "owner", OPTION_IGNORED, 0 },
  { "noowner", OPTION_IGNORED, 0 },
  { "group", OPTION_IGNORED, 0 },
  { "nogroup", OPTION_IGNORED, 0 },
  { "silent", OPTION_IGNORED, 0 },
  { "loud", OPTION_IGNORED, 0 },
  { "mand", OPTION_IGNORED, 0 },
  { "nomand", OPTION_IGNORED, 0 },
  { "iversion", OPTION_IGNORED, 0 },
  { "noiversion", OPTION_IGNORED, 0 },
  { "nofail", OPTION_IGNORED, 0 },
  { "_netdev", OPTION_IGNORED, 0 },
  { "comment", OPTION_IGNORED, 0 },
  { "x-*", OPTION_IGNORED, 0 },
  { "X-*", OPTION_IGNORED, 0 },
};

static const OptionRow *
find_row (const OptionRow *rows, gsize count, const char *name)
{
  gsize i;

  for (i = 0; i < count; i++) {
    const char *pattern = rows[i].name;

    if (strcmp (pattern, name) == 0
        || (g_str_has_suffix (pattern, "*")
            && strncmp (pattern, name, strlen (pattern) - 1) == 0))
      return &rows[i];
  }
  return NULL;
}

static gboolean
bad_value (GError **error, const char *name, const char *value,
           const char *wanted)
{
  g_set_error (error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
               "option \"%s\": \"%s\" is not %s", name,
               value != NULL ? value : "", wanted);
  return FALSE;
}

static gboolean
parse_number (const char *value, int base, guint64 max, guint32 *ret)
{
  guint64 number;

  if (value == NULL
      || !g_ascii_string_to_unsigned (value, base, 0, max, &number, NULL))
    return FALSE;
  *ret = (guint32)number;
  return TRUE;
}

/* "256M" */
static gboolean
parse_size (const char *value, guint64 *ret)
{
  static const char units[] = "KMG";
  gsize digits = value == NULL ? 0 : strspn (value, "0123456789");
  g_autofree char *text = g_strndup (value, digits);
  const char *unit = digits > 0 && value[digits] != '\0'
                       ? strchr (units, value[digits])
                       : NULL;
  guint shift = unit != NULL ? 10 * (guint)(unit - units + 1) : 0;
  guint64 number;

  if (digits == 0 || (value[digits] != '\0' && unit == NULL)
      || (unit != NULL && value[digits + 1] != '\0')
      || !g_ascii_string_to_unsigned (
        text, 10, 0, ((guint64)SIZE_MAX_GIB << 30) >> shift, &number, NULL)
      || number << shift < SIZE_MIN)
    return FALSE;
  *ret = number << shift;
  return TRUE;
}

/* The highest number means "nobody given" to the kernel. */
static gboolean
parse_user (const char *value, uid_t *ret)
{
  const struct passwd *user;

  if (parse_number (value, 10, G_MAXUINT32 - 1, ret))
    return TRUE;
  user = value != NULL ? getpwnam (value) : NULL;
  if (user != NULL)
    *ret = user->pw_uid;
  return user != NULL;
}

static gboolean
parse_group (const char *value, gid_t *ret)
{
  const struct group *group;

  if (parse_number (value, 10, G_MAXUINT32 - 1, ret))
    return TRUE;
  group = value != NULL ? getgrnam (value) : NULL;
  if (group != NULL)
    *ret = group->gr_gid;
  return group != NULL;
}

static gboolean
set_string (char **field, const OptionRow *row, const char *value,
            const char *dir, GError **error)
{
  if (value == NULL || *value == '\0')
    return bad_value (error, row->name, value, "a value");
  g_free (*field);
  *field = row->type == OPTION_PATH ? g_canonicalize_filename (value, dir)
                                    : g_strdup (value);
  return TRUE;
}

static gboolean
set_state (char **field, const char *name, const char *value, const char *dir,
           GError **error)
{
  if (value == NULL)
    return bad_value (error, name, value, "a directory, or \"none\"");
  g_free (*field);
  *field = *value == '\0' || strcmp (value, "none") == 0
             ? g_strdup ("")
             : g_canonicalize_filename (value, dir);
  return TRUE;
}

/* @base: what the row's offset is in; @dir: what paths are relative to */
static gboolean
apply_row (gpointer base, const OptionRow *row, const char *name,
           const char *value, const char *dir, GError **error)
{
  gpointer field = (char *)base + row->offset;

  switch (row->type) {
  case OPTION_SET:
  case OPTION_CLEAR:
    if (value != NULL)
      return bad_value (error, name, value, "wanted: it takes no value");
    *(gboolean *)field = row->type == OPTION_SET;
    return TRUE;
  case OPTION_STRING:
  case OPTION_PATH:
    return set_string (field, row, value, dir, error);
  case OPTION_STATE:
    return set_state (field, name, value, dir, error);
  case OPTION_SECONDS:
    return (parse_number (value, 10, SECONDS_MAX, field)
            && *(guint32 *)field > 0)
           || bad_value (error, name, value, "a number of seconds up to a day");
  case OPTION_SIZE:
    return parse_size (value, field)
           || bad_value (error, name, value,
                         "a size of 4M to 1024G, as 256M or 1G");
  case OPTION_COUNT:
    return (parse_number (value, 10, COUNT_MAX, field) && *(guint32 *)field > 0)
           || bad_value (error, name, value, "a number from 1 to 64");
  case OPTION_USER:
    return parse_user (value, field)
           || bad_value (error, name, value, "a user");
  case OPTION_GROUP:
    return parse_group (value, field)
           || bad_value (error, name, value, "a group");
  case OPTION_MODE:
    return parse_number (value, 8, 0777, field)
           || bad_value (error, name, value, "an octal number up to 777");
  case OPTION_KERNEL:
    g_ptr_array_add (((FsOptions *)base)->kernel, g_strdup (name));
    return TRUE;
  case OPTION_REMOUNT:
    g_set_error (error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                 "option \"remount\": a mount cannot be changed; unmount it "
                 "and mount it again");
    return FALSE;
  case OPTION_IGNORED:
    return TRUE;
  }
  g_return_val_if_reached (FALSE);
}

gboolean
fs_host_options_set (FsHostOptions *self, const char *name, const char *value,
                     const char *dir, GError **error)
{
  const OptionRow *row = find_row (host_rows, G_N_ELEMENTS (host_rows), name);

  if (row == NULL) {
    gboolean secret = g_str_has_prefix (name, "pass");

    g_set_error (error, G_OPTION_ERROR, G_OPTION_ERROR_UNKNOWN_OPTION,
                 "unknown option \"%s\"%s", name,
                 secret ? ": a password comes from a file that \"credentials\" "
                          "names, from VIXFS_PASSWORD, or is asked for"
                        : "");
    return FALSE;
  }
  return apply_row (self, row, name, value, dir, error);
}

static gboolean
apply_option (FsOptions *self, const char *option, GError **error)
{
  g_autofree char *name = g_strndup (option, strcspn (option, "="));
  g_autofree char *dir = g_get_current_dir ();
  const char *equals = strchr (option, '=');
  const char *value = equals != NULL ? equals + 1 : NULL;
  const OptionRow *row
    = find_row (option_rows, G_N_ELEMENTS (option_rows), name);

  if (row == NULL)
    return fs_host_options_set (&self->host, name, value, dir, error);
  return apply_row (self, row, name, value, dir, error);
}

/* "a,b=c\,d": options separated by commas; a backslash takes the next
 * character as it is. */
static gboolean
apply_list (FsOptions *self, const char *list, GError **error)
{
  g_autoptr (GString) option = g_string_new (NULL);
  const char *s;

  for (s = list;; s++) {
    if (*s == '\\' && s[1] != '\0') {
      g_string_append_c (option, *++s);
    } else if (*s != ',' && *s != '\0') {
      g_string_append_c (option, *s);
    } else {
      if (option->len > 0 && !apply_option (self, option->str, error))
        return FALSE;
      g_string_truncate (option, 0);
      if (*s == '\0')
        return TRUE;
    }
  }
}

static gboolean
take_arguments (FsOptions *self, int count, char **arguments, GError **error)
{
  if (self->show_help || self->show_version)
    return TRUE;
  if (count != 2) {
    g_set_error (error, G_OPTION_ERROR, G_OPTION_ERROR_FAILED,
                 "%s: a source and a mount point are needed (vixfs -h tells "
                 "more)",
                 count < 2 ? "too few arguments" : "too many arguments");
    return FALSE;
  }
  if (*arguments[0] == '\0' || *arguments[1] == '\0') {
    g_set_error (error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                 "the %s is empty",
                 *arguments[0] == '\0' ? "source" : "mount point");
    return FALSE;
  }
  self->source = g_strdup (arguments[0]);
  self->mountpoint = g_strdup (arguments[1]);
  return TRUE;
}

static gboolean
apply_flag (FsOptions *self, int flag, char **argv, GError **error)
{
  switch (flag) {
  case 'o':
    return apply_list (self, optarg, error);
  case 'f':
    return self->foreground = TRUE;
  case 'd':
    return self->foreground = self->debug = TRUE;
  case 'h':
    return self->show_help = TRUE;
  case 'V':
    return self->show_version = TRUE;
  case ':':
    g_set_error (error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                 "option \"-%c\" needs a value", optopt);
    return FALSE;
  default:
    if (optopt != 0)
      g_set_error (error, G_OPTION_ERROR, G_OPTION_ERROR_UNKNOWN_OPTION,
                   "unknown option \"-%c\"", optopt);
    else
      g_set_error (error, G_OPTION_ERROR, G_OPTION_ERROR_UNKNOWN_OPTION,
                   "unknown option \"%s\"", argv[optind - 1]);
    return FALSE;
  }
}

void
fs_host_options_copy (FsHostOptions *to, const FsHostOptions *from)
{
  *to = *from;
  to->credentials = g_strdup (from->credentials);
  to->cacert = g_strdup (from->cacert);
  to->thumbprint = g_strdup (from->thumbprint);
  to->vendor = g_strdup (from->vendor);
}

void
fs_host_options_clear (FsHostOptions *self)
{
  g_free (self->credentials);
  g_free (self->cacert);
  g_free (self->thumbprint);
  g_free (self->vendor);
  memset (self, 0, sizeof *self);
}

FsOptions *
fs_options_parse (int argc, char **argv, GError **error)
{
  static const struct option long_options[] = {
    { "help", no_argument, NULL, 'h' },
    { "version", no_argument, NULL, 'V' },
    { NULL, 0, NULL, 0 },
  };
  g_autoptr (FsOptions) self = g_new0 (FsOptions, 1);
  int flag;

  self->uid = geteuid ();
  self->gid = getegid ();
  self->umask = 077;
  self->kernel = g_ptr_array_new_with_free_func (g_free);

  optind = 0; /* starts anew, for callers that parse more than once */
  opterr = 0;
  while ((flag = getopt_long (argc, argv, ":o:fdhV", long_options, NULL))
         != -1) {
    if (!apply_flag (self, flag, argv, error))
      return NULL;
  }
  if (!take_arguments (self, argc - optind, argv + optind, error))
    return NULL;
  return g_steal_pointer (&self);
}

void
fs_options_free (FsOptions *self)
{
  if (self == NULL)
    return;
  g_free (self->source);
  g_free (self->mountpoint);
  g_free (self->state);
  fs_host_options_clear (&self->host);
  if (self->kernel != NULL)
    g_ptr_array_unref (self->kernel);
  g_free (self);
}

const char *
fs_options_help (void)
{
  return "usage: vixfs SOURCE MOUNTPOINT [-o OPTION[,OPTION]...]\n"
         "\n"
         "Shows the VMware virtual machines of SOURCE as a file system; mkdir\n"
         "VM/snapshots/NAME takes a snapshot. SOURCE is a directory that "
         "holds\n"
         "virtual machines, an ESXi host or vCenter "
         "(https://[USER@]HOST[:PORT]\n"
         "or HOST), or a file that names several of either (NAME.conf).\n"
         "\n"
         "  -f              stay in the foreground\n"
         "  -d              the same, and log every request\n"
         "  -V, --version   print the version\n"
         "  -h, --help      print this text\n"
         "\n"
         "  -o ro           change nothing\n"
         "  -o allow_other  let other users in, as the modes allow\n"
         "  -o uid=USER     owner of the tree (default: you)\n"
         "  -o gid=GROUP    its group\n"
         "  -o umask=OCTAL  permissions that nobody gets (default: 077)\n"
         "  -o nonempty     mount over a directory that is not empty\n"
         "\n"
         "Of ESXi and vCenter:\n"
         "  -o state=DIR    where times of unchanged disks are kept for later\n"
         "                  mounts (vixfs(1) tells where); \"none\": nowhere\n"
         "  -o credentials=FILE  user and password (vixfs(1) tells how); else\n"
         "                  from the environment (VIXFS_PASSWORD) or asked "
         "for\n"
         "  -o cacert=FILE  authorities that certify the host\n"
         "  -o thumbprint=HEX  the certificate that is the host's\n"
         "  -o insecure     take any certificate, or none (http://)\n"
         "  -o connect_timeout=, answer_timeout=, stall_timeout=,\n"
         "     settle_timeout=SECONDS  how long to wait for the host\n"
         "  -o cache=SIZE   memory for what is read of its files (128M)\n"
         "  -o connections=NUMBER  transfers of that at once (8)\n"
         "\n"
         "Of a directory:\n"
         "  -o vendor=PATH  VMware's own library to pass changes to;\n"
         "                  \"none\": never (default: where it is installed)\n"
         "\n"
         "Unmount with: fusermount3 -u MOUNTPOINT\n";
}
