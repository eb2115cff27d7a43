/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <fcntl.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "times.h"

/* Snapshots that a VM has; made 1000 us after each other. */
#define N_SNAPSHOTS 4
#define CREATED(n) (1000000 + 1000 * (gint64)(n))

typedef struct {
  char *dir;
  VixExtSnapshot snapshots[N_SNAPSHOTS];
  VixExtVM vm;
  GMutex lock; /* of the next */
  GPtrArray *warnings;
} Bed;

static void
warn (const char *text, gpointer data)
{
  Bed *bed = data;

  g_mutex_lock (&bed->lock);
  g_ptr_array_add (bed->warnings, g_strdup (text));
  g_mutex_unlock (&bed->lock);
}

static void
bed_set_up (Bed *bed, gconstpointer data)
{
  bed->dir = g_dir_make_tmp ("vixfs-times.XXXXXX", NULL);
  for (guint i = 0; i < N_SNAPSHOTS; i++)
    bed->snapshots[i] = (VixExtSnapshot){ .id = i + 1, .created = CREATED (i) };
  bed->vm = (VixExtVM){ .id = "vm-7",
                        .uuid = "",
                        .numSnapshots = N_SNAPSHOTS,
                        .snapshots = bed->snapshots };
  bed->warnings = g_ptr_array_new_with_free_func (g_free);
}

static void
bed_tear_down (Bed *bed, gconstpointer data)
{
  g_autoptr (GDir) dir = g_dir_open (bed->dir, 0, NULL);
  const char *name;

  while (dir != NULL && (name = g_dir_read_name (dir)) != NULL) {
    g_autofree char *path = g_build_filename (bed->dir, name, NULL);

    g_remove (path);
  }
  g_rmdir (bed->dir);
  g_free (bed->dir);
  g_ptr_array_unref (bed->warnings);
}

static FsTimes *
open_times (Bed *bed)
{
  return fs_times_new (bed->dir, "https://esx1", warn, bed);
}

static void
put (FsTimes *times, const Bed *bed, guint n, const char *disk, gint64 changed)
{
  fs_times_put (times, &bed->vm, &bed->snapshots[n], disk, 4096, changed);
}

static gint64
get (FsTimes *times, const Bed *bed, guint n, const char *disk)
{
  return fs_times_get (times, &bed->vm, &bed->snapshots[n], disk, 4096);
}

/* (transfer full): of the only file that there is */
static char *
file_path (const Bed *bed)
{
  g_autoptr (GDir) dir = g_dir_open (bed->dir, 0, NULL);
  const char *name = g_dir_read_name (dir);

  g_assert_nonnull (name);
  g_assert_null (g_dir_read_name (dir));
  return g_build_filename (bed->dir, name, NULL);
}

static char *
file_text (const Bed *bed)
{
  g_autofree char *path = file_path (bed);
  char *text;

  g_assert_true (g_file_get_contents (path, &text, NULL, NULL));
  return text;
}

static guint
count_lines (const Bed *bed)
{
  g_autofree char *text = file_text (bed);
  guint lines = 0;

  for (const char *at = text; *at != '\0'; at++)
    lines += *at == '\n';
  return lines;
}

static void
append (const Bed *bed, const char *text, gssize len)
{
  g_autofree char *path = file_path (bed);
  FILE *file = g_fopen (path, "a");

  if (len < 0)
    len = (gssize)strlen (text);
  g_assert_cmpuint (fwrite (text, 1, (gsize)len, file), ==, len);
  fclose (file);
}

/* One line is there, of the first snapshot; nobody has the file open. */
static void
make_file (Bed *bed)
{
  FsTimes *times = open_times (bed);

  put (times, bed, 1, "scsi0:0", 7);
  fs_times_free (times);
  g_assert_cmpuint (count_lines (bed), ==, 1);
}

/* What is there tells what was noted, and that is what is wanted of it. */
static void
assert_warned (const Bed *bed, guint count, const char *text)
{
  g_assert_cmpuint (bed->warnings->len, ==, count);
  if (count > 0)
    g_assert_nonnull (strstr (bed->warnings->pdata[count - 1], text));
}

/* ---- notes ---- */

static void
test_outlast (Bed *bed, gconstpointer data)
{
  FsTimes *times = open_times (bed);
  struct stat status;

  g_assert_cmpint (get (times, bed, 1, "scsi0:0"), ==, 0);
  put (times, bed, 1, "scsi0:0", 7);
  put (times, bed, 2, "ide1:0", G_MAXINT64);
  fs_times_free (times);
  times = open_times (bed);
  g_assert_cmpint (get (times, bed, 1, "scsi0:0"), ==, 7);
  g_assert_cmpint (get (times, bed, 2, "ide1:0"), ==, G_MAXINT64);
  g_assert_cmpint (stat (bed->dir, &status), ==, 0);
  g_assert_cmpuint (status.st_mode & 0777, ==, 0700);
  fs_times_free (times);
  assert_warned (bed, 0, NULL);
}

/* Each part of what an image is counts. */
static void
test_others (Bed *bed, gconstpointer data)
{
  VixExtVM other = bed->vm;
  VixExtSnapshot later = bed->snapshots[1];
  FsTimes *times = open_times (bed);
  FsTimes *elsewhere;

  put (times, bed, 1, "scsi0:0", 7);
  g_assert_cmpint (get (times, bed, 0, "scsi0:0"), ==, 0);
  g_assert_cmpint (get (times, bed, 1, "scsi0:1"), ==, 0);
  g_assert_cmpint (
    fs_times_get (times, &bed->vm, &bed->snapshots[1], "scsi0:0", 8192), ==, 0);
  later.created++;
  g_assert_cmpint (fs_times_get (times, &bed->vm, &later, "scsi0:0", 4096), ==,
                   0);
  other.id = "vm-8";
  g_assert_cmpint (
    fs_times_get (times, &other, &bed->snapshots[1], "scsi0:0", 4096), ==, 0);
  other = bed->vm;
  other.uuid = "564d5b9c-7c2e-4f0e-8f0a-2b1d3c4e5f60";
  g_assert_cmpint (
    fs_times_get (times, &other, &bed->snapshots[1], "scsi0:0", 4096), ==, 0);
  fs_times_flush (times);
  elsewhere = fs_times_new (bed->dir, "https://esx2", warn, bed);
  g_assert_cmpint (get (elsewhere, bed, 1, "scsi0:0"), ==, 0);
  fs_times_free (elsewhere);
  elsewhere = fs_times_new (bed->dir, "https://ESX1", warn, bed);
  g_assert_cmpint (get (elsewhere, bed, 1, "scsi0:0"), ==, 7);
  fs_times_free (elsewhere);
  fs_times_free (times);
}

static void
test_first_stays (Bed *bed, gconstpointer data)
{
  FsTimes *times = open_times (bed);

  put (times, bed, 1, "scsi0:0", 7);
  put (times, bed, 1, "scsi0:0", 5);
  g_assert_cmpint (get (times, bed, 1, "scsi0:0"), ==, 7);
  fs_times_free (times);
  g_assert_cmpuint (count_lines (bed), ==, 1);
}

/* What cannot be told from others later, or would not fit into a line. */
static void
test_not_noted (Bed *bed, gconstpointer data)
{
  FsTimes *times = open_times (bed);

  /* Had it a file, the directory could not be removed below. */
  put (times, bed, 1, "scsi0:0", 0);
  put (times, bed, 1, "", 7);
  put (times, bed, 1, "scsi0:0 ", 7);
  put (times, bed, 1, "scsi0\n:0", 7);
  put (times, bed, 1, "scsi0000000000:0", 7);
  fs_times_put (times, &bed->vm, &bed->snapshots[1], "scsi0:0", -1, 7);
  bed->snapshots[1].created = 0;
  put (times, bed, 1, "scsi0:0", 7);
  g_assert_cmpint (get (times, bed, 1, "scsi0:0"), ==, 0);
  fs_times_free (times);
  g_assert_cmpint (g_rmdir (bed->dir), ==, 0);
}

static void
test_in_memory (Bed *bed, gconstpointer data)
{
  FsTimes *times = fs_times_new (NULL, "", warn, bed);

  put (times, bed, 1, "scsi0:0", 7);
  fs_times_flush (times);
  fs_times_settle (times);
  g_assert_cmpint (get (times, bed, 1, "scsi0:0"), ==, 7);
  bed->vm.numSnapshots = 1;
  fs_times_see (times, &bed->vm);
  g_assert_cmpint (get (times, bed, 1, "scsi0:0"), ==, 0);
  fs_times_free (times);
}

/* ---- what is gone ---- */

static void
test_gone_go (Bed *bed, gconstpointer data)
{
  VixExtVM other = bed->vm;
  FsTimes *times = open_times (bed);

  other.id = "vm-8";
  for (guint i = 0; i < N_SNAPSHOTS; i++)
    put (times, bed, i, "scsi0:0", 7 + i);
  fs_times_put (times, &other, &bed->snapshots[0], "scsi0:0", 4096, 9);
  fs_times_free (times);
  g_assert_cmpuint (count_lines (bed), ==, N_SNAPSHOTS + 1);

  /* One was removed, one is another of the same id; a VM is not shown. */
  times = open_times (bed);
  bed->snapshots[1].created += 5;
  bed->vm.numSnapshots = N_SNAPSHOTS - 1;
  fs_times_see (times, &bed->vm);
  g_assert_cmpint (get (times, bed, 0, "scsi0:0"), ==, 7);
  g_assert_cmpint (get (times, bed, 1, "scsi0:0"), ==, 0);
  g_assert_cmpint (get (times, bed, 3, "scsi0:0"), ==, 0);
  fs_times_settle (times);
  fs_times_free (times);
  g_assert_cmpuint (count_lines (bed), ==, 3);
  times = open_times (bed);
  g_assert_cmpint (get (times, bed, 2, "scsi0:0"), ==, 9);
  g_assert_cmpint (
    fs_times_get (times, &other, &bed->snapshots[0], "scsi0:0", 4096), ==, 9);
  fs_times_free (times);
  assert_warned (bed, 0, NULL);
}

static void
test_inaccessible_stay (Bed *bed, gconstpointer data)
{
  FsTimes *times;

  make_file (bed);
  times = open_times (bed);
  bed->vm.numSnapshots = 0;
  bed->vm.flags = VIXEXT_VM_INACCESSIBLE;
  fs_times_see (times, &bed->vm);
  fs_times_settle (times);
  g_assert_cmpint (get (times, bed, 1, "scsi0:0"), ==, 7);
  fs_times_free (times);
}

/* Of VMs that are not shown, only so much. */
static void
test_absent_end (Bed *bed, gconstpointer data)
{
  FsTimes *times = open_times (bed);
  VixExtVM other = bed->vm;

  put (times, bed, 1, "scsi0:0", 7);
  for (guint i = 0; i <= FS_TIMES_MAX_ABSENT; i++) {
    g_autofree char *id = g_strdup_printf ("vm-%u", i + 100);

    other.id = id;
    fs_times_put (times, &other, &bed->snapshots[0], "scsi0:0", 4096, 9);
  }
  fs_times_free (times);
  g_assert_cmpuint (count_lines (bed), ==, FS_TIMES_MAX_ABSENT + 2);
  times = open_times (bed);
  fs_times_see (times, &bed->vm);
  fs_times_settle (times);
  fs_times_free (times);
  g_assert_cmpuint (count_lines (bed), ==, 1);
}

/* While it is in use the file does not grow for good, either. */
static void
test_long_life (Bed *bed, gconstpointer data)
{
  FsTimes *times = open_times (bed);

  for (guint night = 0; night < 30000; night++) {
    bed->snapshots[1].created = CREATED (night + 10);
    fs_times_see (times, &bed->vm);
    put (times, bed, 1, "scsi0:0", 7);
    if (night % 1000 == 999)
      fs_times_flush (times);
  }
  fs_times_free (times);
  g_assert_cmpuint (count_lines (bed), <, 20000);
  times = open_times (bed);
  g_assert_cmpint (get (times, bed, 1, "scsi0:0"), ==, 7);
  fs_times_free (times);
}

/* ---- two at once ---- */

#define N_WRITERS 3
#define N_PUTS 200

typedef struct {
  Bed *bed;
  guint number;
} Writer;

/* Each with its own, as programs have; they even replace it. */
static gpointer
write_notes (gpointer data)
{
  const Writer *writer = data;
  FsTimes *times = open_times (writer->bed);
  g_autofree char *disk = g_strdup_printf ("scsi%u:0", writer->number);

  for (guint i = 0; i < N_PUTS; i++) {
    VixExtSnapshot snapshot = { .id = 100 + i, .created = CREATED (i) };

    fs_times_put (times, &writer->bed->vm, &snapshot, disk, 4096, 1 + i);
    if (i % 50 == 0) {
      fs_times_flush (times);
      fs_times_settle (times);
    }
  }
  fs_times_free (times);
  return NULL;
}

static void
test_writers (Bed *bed, gconstpointer data)
{
  GThread *threads[N_WRITERS];
  Writer writers[N_WRITERS];
  FsTimes *times;

  make_file (bed);
  append (bed, "damage\n", -1); /* so that it is made anew */
  for (guint i = 0; i < N_WRITERS; i++) {
    writers[i] = (Writer){ bed, i };
    threads[i] = g_thread_new ("writer", write_notes, &writers[i]);
  }
  for (guint i = 0; i < N_WRITERS; i++)
    g_thread_join (threads[i]);
  times = open_times (bed);
  for (guint i = 0; i < N_WRITERS * N_PUTS; i++) {
    g_autofree char *disk = g_strdup_printf ("scsi%u:0", i % N_WRITERS);
    VixExtSnapshot snapshot
      = { .id = 100 + i / N_WRITERS, .created = CREATED (i / N_WRITERS) };

    g_assert_cmpint (fs_times_get (times, &bed->vm, &snapshot, disk, 4096), ==,
                     1 + i / N_WRITERS);
  }
  g_assert_cmpint (get (times, bed, 1, "scsi0:0"), ==, 7);
  fs_times_free (times);
}

/* What another program noted is known once something is written, and stays: it
 * may be of a snapshot that is not known here yet. */
static void
test_news_of_others (Bed *bed, gconstpointer data)
{
  FsTimes *times = open_times (bed);
  FsTimes *other = open_times (bed);

  put (other, bed, 3, "scsi0:0", 8);
  fs_times_flush (other);
  put (times, bed, 1, "scsi0:0", 7);
  fs_times_flush (times);
  g_assert_cmpint (get (times, bed, 3, "scsi0:0"), ==, 8);
  bed->vm.numSnapshots = 3;
  fs_times_see (times, &bed->vm);
  g_assert_cmpint (get (times, bed, 3, "scsi0:0"), ==, 8);
  bed->vm.numSnapshots = 4;
  fs_times_see (times, &bed->vm);
  bed->vm.numSnapshots = 3;
  fs_times_see (times, &bed->vm);
  g_assert_cmpint (get (times, bed, 3, "scsi0:0"), ==, 0);
  fs_times_free (other);
  fs_times_free (times);
}

/* ---- damage ---- */

static void
test_torn (Bed *bed, gconstpointer data)
{
  g_autofree char *whole = NULL;
  FsTimes *times;

  make_file (bed);
  whole = file_text (bed);
  append (bed, whole, (gssize)strlen (whole) / 2);
  times = open_times (bed);
  assert_warned (bed, 1, "line 2 is damaged");
  g_assert_cmpint (get (times, bed, 1, "scsi0:0"), ==, 7);
  put (times, bed, 2, "scsi0:0", 8);
  fs_times_free (times);
  times = open_times (bed);
  assert_warned (bed, 2, "line 2 is damaged");
  g_assert_cmpint (get (times, bed, 2, "scsi0:0"), ==, 8);
  fs_times_settle (times);
  fs_times_free (times);
  g_assert_cmpuint (count_lines (bed), ==, 2);
  fs_times_free (open_times (bed));
  assert_warned (bed, 2, "line 2 is damaged");
}

/* Any one byte that is another makes the line another; it is left out. */
static void
test_each_byte (Bed *bed, gconstpointer data)
{
  g_autofree char *path = NULL;
  g_autofree char *whole = NULL;
  gsize len;

  make_file (bed);
  path = file_path (bed);
  whole = file_text (bed);
  len = strlen (whole);
  for (gsize i = 0; i + 1 < len; i++) {
    g_autofree char *text = g_strdup (whole);
    FsTimes *times;

    text[i] = text[i] == '1' ? '2' : '1';
    g_assert_true (g_file_set_contents (path, text, (gssize)len, NULL));
    times = open_times (bed);
    g_assert_cmpint (get (times, bed, 1, "scsi0:0"), ==, 0);
    assert_warned (bed, (guint)i + 1, "line 1 is damaged");
    fs_times_free (times);
  }
}

static void
test_hostile (Bed *bed, gconstpointer data)
{
  static const char *const lines[] = {
    "",
    " ",
    "0 0 0 0 0 0 0",
    "-1 -1 -1 scsi0:0 -1 -1 -1",
    "ffffffffffffffffffff 99999999999999999999 9 scsi0:0 9 9 9",
    "0000000000000001 1 1 ../../../../etc/passwd 1 1 0000000000000001",
    "0000000000000001\t1\t1\tscsi0:0\t1\t1\t0000000000000001",
    "\xff\xfe\x80",
    "%s%s%s%n",
  };
  g_autoptr (GString) text = g_string_new (NULL);
  FsTimes *times;

  make_file (bed);
  for (guint i = 0; i < G_N_ELEMENTS (lines); i++)
    g_string_append_printf (text, "%s\n", lines[i]);
  g_string_append_len (text, "a\0b\n", 4);
  for (guint i = 0; i < 100000; i++)
    g_string_append_c (text, '1');
  append (bed, text->str, (gssize)text->len);
  times = open_times (bed);
  assert_warned (bed, 1, "line 2 is damaged and is left out, as others are");
  g_assert_cmpint (get (times, bed, 1, "scsi0:0"), ==, 7);
  fs_times_settle (times);
  fs_times_free (times);
  g_assert_cmpuint (count_lines (bed), ==, 1);
}

/* A file longer than any of ours is not all read; its notes are kept. */
static void
test_huge (Bed *bed, gconstpointer data)
{
  g_autofree char *path = NULL;
  FsTimes *times;
  struct stat status;

  make_file (bed);
  path = file_path (bed);
  g_assert_cmpint (truncate (path, (off_t)65 << 20), ==, 0);
  times = open_times (bed);
  assert_warned (bed, 1, "longer than it can be");
  g_assert_cmpint (get (times, bed, 1, "scsi0:0"), ==, 7);
  fs_times_settle (times);
  fs_times_free (times);
  g_assert_cmpint (stat (path, &status), ==, 0);
  g_assert_cmpint (status.st_size, <, 200);
}

/* ---- places that will not do ---- */

/* It is told once, and works as without a file. */
static void
assert_works_without (Bed *bed, FsTimes *times, const char *reason)
{
  put (times, bed, 1, "scsi0:0", 7);
  fs_times_flush (times);
  put (times, bed, 2, "scsi0:0", 8);
  fs_times_flush (times);
  assert_warned (bed, 1, reason);
  g_assert_cmpint (get (times, bed, 1, "scsi0:0"), ==, 7);
  g_assert_cmpint (get (times, bed, 2, "scsi0:0"), ==, 8);
  fs_times_free (times);
  assert_warned (bed, 1, reason);
}

static void
test_no_place (Bed *bed, gconstpointer data)
{
  assert_works_without (
    bed, fs_times_new ("/proc/self/nowhere/state", "h", warn, bed),
    "will not outlast this mount");
}

static void
test_no_file (Bed *bed, gconstpointer data)
{
  g_autofree char *path = NULL;

  make_file (bed);
  path = file_path (bed);
  g_assert_cmpint (g_remove (path), ==, 0);
  g_assert_cmpint (symlink ("/dev/full", path), ==, 0);
  assert_works_without (bed, open_times (bed), path);
  g_assert_cmpint (g_remove (path), ==, 0);
  g_ptr_array_set_size (bed->warnings, 0);
  g_assert_cmpint (mkfifo (path, 0600), ==, 0);
  assert_works_without (bed, open_times (bed), "not a file of vixfs");
}

/* A disk that is full, at each place within a line: no line is torn, and what
 * was not written is written when there is room. */
static void
test_full (Bed *bed, gconstpointer data)
{
  struct rlimit limit = { RLIM_INFINITY, RLIM_INFINITY };
  struct rlimit before;
  struct stat status;
  g_autofree char *path = NULL;

  make_file (bed);
  path = file_path (bed);
  g_assert_cmpint (stat (path, &status), ==, 0);
  g_assert_cmpint (getrlimit (RLIMIT_FSIZE, &before), ==, 0);
  limit = before;
  signal (SIGXFSZ, SIG_IGN);
  for (guint more = 0; more <= 50; more += 25) {
    FsTimes *times = open_times (bed);

    limit.rlim_cur = (rlim_t)status.st_size + more;
    g_assert_cmpint (setrlimit (RLIMIT_FSIZE, &limit), ==, 0);
    put (times, bed, 2, "scsi0:0", 8);
    fs_times_flush (times);
    assert_warned (bed, more / 25 + 1, "File too large");
    g_assert_cmpuint (count_lines (bed), ==, 1);
    if (more < 50) {
      fs_times_free (times);
      g_assert_cmpuint (count_lines (bed), ==, 1);
      g_assert_cmpint (setrlimit (RLIMIT_FSIZE, &before), ==, 0);
      continue;
    }
    g_assert_cmpint (setrlimit (RLIMIT_FSIZE, &before), ==, 0);
    put (times, bed, 3, "scsi0:0", 9);
    fs_times_free (times);
  }
  assert_warned (bed, 3, "File too large");
  g_assert_cmpuint (count_lines (bed), ==, 3);
}

/* Who keeps the lock for good holds up nobody for good. */
static void
test_locked (Bed *bed, gconstpointer data)
{
  g_autofree char *path = NULL;
  FsTimes *times;
  int fd;

  make_file (bed);
  path = file_path (bed);
  times = open_times (bed);
  fd = open (path, O_RDONLY | O_CLOEXEC);
  g_assert_cmpint (flock (fd, LOCK_EX), ==, 0);
  put (times, bed, 2, "scsi0:0", 8);
  fs_times_flush (times);
  assert_warned (bed, 1, "keeps it locked");
  close (fd);
  fs_times_free (times);
  g_assert_cmpuint (count_lines (bed), ==, 2);
}

/* ---- where it is ---- */

static void
test_directory (void)
{
  g_autofree char *none = fs_times_directory ("");
  g_autofree char *said = fs_times_directory ("/a/b");
  g_autofree char *state = NULL;
  g_autofree char *usual = NULL;

  g_assert_null (none);
  g_assert_cmpstr (said, ==, "/a/b");
  g_setenv ("XDG_STATE_HOME", "/c", TRUE);
  state = fs_times_directory (NULL);
  g_assert_cmpstr (state, ==, "/c/vixfs");
  g_setenv ("XDG_STATE_HOME", "c", TRUE);
  usual = fs_times_directory (NULL);
  if (geteuid () == 0)
    g_assert_cmpstr (usual, ==, "/var/lib/vixfs");
  else
    g_assert_true (g_str_has_suffix (usual, "/.local/state/vixfs"));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define ADD(path, function)                                                    \
  g_test_add (path, Bed, NULL, bed_set_up, function, bed_tear_down)
  ADD ("/times/they-outlast-the-program", test_outlast);
  ADD ("/times/others-do-not-get-them", test_others);
  ADD ("/times/the-first-stays", test_first_stays);
  ADD ("/times/some-are-not-noted", test_not_noted);
  ADD ("/times/without-a-file", test_in_memory);
  ADD ("/times/gone/go", test_gone_go);
  ADD ("/times/gone/inaccessible-ones-stay", test_inaccessible_stay);
  ADD ("/times/gone/absent-ones-have-a-limit", test_absent_end);
  ADD ("/times/gone/in-a-long-life", test_long_life);
  ADD ("/times/others/write-at-once", test_writers);
  ADD ("/times/others/are-heard-of", test_news_of_others);
  ADD ("/times/damage/torn-line", test_torn);
  ADD ("/times/damage/each-byte", test_each_byte);
  ADD ("/times/damage/hostile-lines", test_hostile);
  ADD ("/times/damage/huge-file", test_huge);
  ADD ("/times/place/none", test_no_place);
  ADD ("/times/place/no-file", test_no_file);
  ADD ("/times/place/full", test_full);
  ADD ("/times/place/locked", test_locked);
  g_test_add_func ("/times/place/usual", test_directory);
  return g_test_run ();
}
