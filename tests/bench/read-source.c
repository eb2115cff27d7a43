/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Reads a datastore's file as the vSphere provider does, without a mount: what
 * the wire gives.
 *
 * usage: read-source URL THUMBPRINT PATH sequential STEP
 *        read-source URL THUMBPRINT PATH random READERS SECONDS
 *
 * PATH is "[datastore] dir/file" of ESXi's one datacenter. With VIXFS_USER and
 * VIXFS_PASSWORD in the environment it logs in; else the server is one that
 * has a /folder and nothing else. Prints "MB/s CPU-seconds" or "reads/s".
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "vsphere/address.h"
#include "vsphere/transfer.h"

#define READ_BYTES 4096

typedef struct {
  VsphereFile *file;
  gint64 end;
  guint32 seed;
  guint64 n;
} Reader;

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
  guint64 blocks = vsphere_file_get_size (self->file) / READ_BYTES;
  guint8 buf[READ_BYTES];
  g_autoptr (GRand) rand = g_rand_new_with_seed (self->seed);
  g_autoptr (GError) error = NULL;

  for (; g_get_monotonic_time () < self->end; self->n++) {
    guint64 at = g_rand_int (rand) % blocks * READ_BYTES;

    if (!vsphere_file_read (self->file, at, buf, sizeof buf, &error))
      die (error);
  }
  return NULL;
}

static void
read_randomly (VsphereFile *file, guint n_readers, int seconds)
{
  g_autofree Reader *readers = g_new0 (Reader, n_readers);
  g_autofree GThread **threads = g_new0 (GThread *, n_readers);
  gint64 end = g_get_monotonic_time () + seconds * G_USEC_PER_SEC;
  guint64 n = 0;

  for (guint i = 0; i < n_readers; i++) {
    readers[i] = (Reader){ file, end, i, 0 };
    threads[i] = g_thread_new ("reader", read_at_random, &readers[i]);
  }
  for (guint i = 0; i < n_readers; i++) {
    g_thread_join (threads[i]);
    n += readers[i].n;
  }
  printf ("%.1f\n", (double)n / seconds);
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
                     "SECONDS\n");
    return 2;
  }
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
