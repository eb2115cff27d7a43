/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reads a datastore's file as the vSphere provider does, without a mount: what
 * the wire gives. And what bounds that: pages of any file, each asked for
 * alone, and ranges over HTTPS by libcurl and nothing else.
 *
 * usage: read-source URL THUMBPRINT PATH sequential STEP
 *        read-source URL THUMBPRINT PATH random READERS SECONDS
 *        read-source file PATH MIB READERS SECONDS [direct]
 *        read-source bare FILE-URL MIB READERS SECONDS [RANGES]
 *
 * PATH is "[datastore] dir/file" of ESXi's one datacenter. With VIXFS_USER and
 * VIXFS_PASSWORD in the environment it logs in; else the server is one that
 * has a /folder and nothing else. The last two read within the first MIB of
 * it; the last asks for RANGES pages in each request, takes a cookie from
 * COOKIE and trusts whom it talks to. Prints "MB/s CPU-seconds" or "reads/s".
 */
#include <curl/curl.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "vsphere/address.h"
#include "vsphere/transfer.h"

#define READ_BYTES 4096

/* One of several that read pages at random. */
typedef struct Reader Reader;
struct Reader {
  void (*read) (Reader *self, guint64 at);
  VsphereFile *file;
  int fd;
  CURL *easy;
  guint n_ranges; /* in a request of that */
  guint8 *page;   /* READ_BYTES, as O_DIRECT wants it */
  gsize got;
  guint64 n_pages;
  gint64 end;
  guint32 seed;
  guint64 n;
};

static void
die (const GError *error)
{
  fprintf (stderr, "%s\n", error->message);
  exit (1);
}

static double
get_cpu (void)
{
  struct rusage usage;

  getrusage (RUSAGE_SELF, &usage);
  return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec)
         + (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static void
read_through (VsphereFile *file, gsize step)
{
  guint64 size = vsphere_file_get_size (file);
  g_autofree guint8 *buf = g_malloc (step);
  g_autoptr (GError) error = NULL;
  gint64 start = g_get_monotonic_time ();
  double cpu = get_cpu ();

  for (guint64 at = 0; at < size; at += step)
    if (!vsphere_file_read (file, at, buf, (gsize)MIN (step, size - at),
                            &error))
      die (error);
  printf ("%.1f %.3f\n",
          (double)size / (double)(g_get_monotonic_time () - start),
          get_cpu () - cpu);
}

static gpointer
read_at_random (gpointer data)
{
  Reader *self = data;
  g_autoptr (GRand) rand = g_rand_new_with_seed (self->seed);

  for (; g_get_monotonic_time () < self->end; self->n++)
    self->read (self, g_rand_int (rand) % self->n_pages * READ_BYTES);
  return NULL;
}

/* @n_readers like @model; prints what they did a second. */
static void
run_readers (const Reader *model, void (*prepare) (Reader *self, gpointer data),
             gpointer data, guint n_readers, int seconds)
{
  g_autofree Reader *readers = g_new0 (Reader, n_readers);
  g_autofree GThread **threads = g_new0 (GThread *, n_readers);
  guint64 n = 0;

  for (guint i = 0; i < n_readers; i++) {
    readers[i] = *model;
    readers[i].seed = g_random_int ();
    readers[i].end = g_get_monotonic_time () + seconds * G_USEC_PER_SEC;
    readers[i].page = g_aligned_alloc (1, READ_BYTES, READ_BYTES);
    if (prepare != NULL)
      prepare (&readers[i], data);
  }
  for (guint i = 0; i < n_readers; i++)
    threads[i] = g_thread_new ("reader", read_at_random, &readers[i]);
  for (guint i = 0; i < n_readers; i++) {
    g_thread_join (threads[i]);
    n += readers[i].n;
    g_aligned_free (readers[i].page);
    if (readers[i].easy != NULL)
      curl_easy_cleanup (readers[i].easy);
    if (readers[i].fd >= 0)
      close (readers[i].fd);
  }
  printf ("%.1f\n", (double)n / seconds);
}

/* ---- by our transfers ---- */

static void
read_source_page (Reader *self, guint64 at)
{
  g_autoptr (GError) error = NULL;

  if (!vsphere_file_read (self->file, at, self->page, READ_BYTES, &error))
    die (error);
}

static void
read_randomly (VsphereFile *file, guint n_readers, int seconds)
{
  const Reader model = { .read = read_source_page,
                         .file = file,
                         .fd = -1,
                         .n_pages = vsphere_file_get_size (file) / READ_BYTES };

  run_readers (&model, NULL, NULL, n_readers, seconds);
}

/* ---- of a file ---- */

static void
read_file_page (Reader *self, guint64 at)
{
  if (pread (self->fd, self->page, READ_BYTES, (off_t)at) == READ_BYTES)
    return;
  perror ("pread");
  exit (1);
}

/* What the kernel has of the file is of no use to it. */
static void
open_file (Reader *self, gpointer words)
{
  char **argv = words;
  int flags = O_RDONLY | (argv[4] != NULL ? O_DIRECT : 0);

  self->fd = open (argv[0], flags);
  if (self->fd < 0) {
    perror (argv[0]);
    exit (1);
  }
  posix_fadvise (self->fd, 0, 0, POSIX_FADV_DONTNEED);
  posix_fadvise (self->fd, 0, 0, POSIX_FADV_RANDOM);
}

/* ---- by libcurl alone ---- */

static size_t
on_data (char *data, size_t size, size_t n, void *user)
{
  Reader *self = user;

  self->got += size * n;
  return size * n;
}

/* Pages as far from each other as can be; an answer with several of them says
 * of each which it is. */
static void
read_bare_page (Reader *self, guint64 at)
{
  g_autoptr (GString) ranges = g_string_new (NULL);
  guint64 stride = self->n_pages / self->n_ranges * READ_BYTES;
  gsize wanted = self->n_ranges * READ_BYTES;
  CURLcode result;

  for (guint i = 0; i < self->n_ranges; i++) {
    guint64 page = (at + i * stride) % (self->n_pages * READ_BYTES);

    g_string_append_printf (ranges,
                            "%s%" G_GUINT64_FORMAT "-%" G_GUINT64_FORMAT,
                            i > 0 ? "," : "", page, page + READ_BYTES - 1);
  }
  self->got = 0;
  self->n += self->n_ranges - 1;
  curl_easy_setopt (self->easy, CURLOPT_RANGE, ranges->str);
  result = curl_easy_perform (self->easy);
  if (result == CURLE_OK
      && (self->got == wanted
          || (self->n_ranges > 1 && self->got > wanted
              && self->got < wanted + (gsize)self->n_ranges * 512)))
    return;
  fprintf (stderr, "%s, %zu bytes\n", curl_easy_strerror (result), self->got);
  exit (1);
}

static void
open_bare (Reader *self, gpointer words)
{
  char **argv = words;

  self->n_ranges = argv[4] != NULL ? (guint)MAX (atoi (argv[4]), 1) : 1;
  self->easy = curl_easy_init ();
  curl_easy_setopt (self->easy, CURLOPT_URL, argv[0]);
  curl_easy_setopt (self->easy, CURLOPT_COOKIE, g_getenv ("COOKIE"));
  curl_easy_setopt (self->easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt (self->easy, CURLOPT_FAILONERROR, 1L);
  curl_easy_setopt (self->easy, CURLOPT_SSL_VERIFYPEER, 0L);
  curl_easy_setopt (self->easy, CURLOPT_SSL_VERIFYHOST, 0L);
  curl_easy_setopt (self->easy, CURLOPT_WRITEFUNCTION, on_data);
  curl_easy_setopt (self->easy, CURLOPT_WRITEDATA, self);
}

/* ---- what to do ---- */

/* @argv: what, PATH or FILE-URL, MIB, READERS, SECONDS, perhaps "direct" or
 * RANGES, NULL; FALSE if it is none of these. */
static gboolean
read_bound (char **argv)
{
  gboolean bare = g_str_equal (argv[0], "bare");
  Reader model = { .fd = -1 };

  if (!bare && !g_str_equal (argv[0], "file"))
    return FALSE;
  model.read = bare ? read_bare_page : read_file_page;
  model.n_pages
    = g_ascii_strtoull (argv[2], NULL, 10) * 1024 * 1024 / READ_BYTES;
  run_readers (&model, bare ? open_bare : open_file, argv + 1,
               (guint)atoi (argv[3]), atoi (argv[4]));
  return TRUE;
}

int
main (int argc, char **argv)
{
  g_auto (VsphereAddress) address = { NULL };
  g_autoptr (GError) error = NULL;
  const char *user = g_getenv ("VIXFS_USER");
  VixConnectParams params
    = { .verify_ssl = TRUE,
        .user_name = user != NULL ? user : "nobody",
        .password = user != NULL ? g_getenv ("VIXFS_PASSWORD") : "none",
        .thumbprint = argc > 2 ? argv[2] : NULL };
  VsphereSession *session = NULL;
  VsphereTransfer *transfer;
  VsphereFile *file;

  if (argc < 6) {
    fprintf (stderr, "usage: read-source URL THUMBPRINT PATH sequential STEP\n"
                     "       read-source URL THUMBPRINT PATH random READERS "
                     "SECONDS\n"
                     "       read-source file PATH MIB READERS SECONDS "
                     "[direct]\n"
                     "       read-source bare FILE-URL MIB READERS SECONDS "
                     "[RANGES]\n");
    return 2;
  }
  if (read_bound (argv + 1))
    return 0;
  if (!vsphere_address_parse (argv[1], &address, &error)
      || (session = vsphere_session_new (&address, &params, &error)) == NULL
      || (user != NULL && !vsphere_session_connect (session, NULL, &error)))
    die (error);
  transfer = vsphere_transfer_new (session, 0, 0);
  file = vsphere_transfer_open (transfer, "ha-datacenter", argv[3], TRUE, NULL,
                                &error);
  if (file == NULL)
    die (error);
  if (strcmp (argv[4], "sequential") == 0)
    read_through (file, (gsize)g_ascii_strtoull (argv[5], NULL, 10));
  else
    read_randomly (file, (guint)atoi (argv[5]), argc > 6 ? atoi (argv[6]) : 3);
  vsphere_file_close (file);
  vsphere_transfer_free (transfer);
  vsphere_session_free (session);
  return 0;
}
