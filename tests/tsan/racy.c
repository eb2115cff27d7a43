/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * racy.c - two threads change one number, each under a lock of its own.
 * ThreadSanitizer must report it although glib-sync.h is there.
 */
#include <gio/gio.h>

typedef struct {
  GMutex lock;
  int *number;
} Worker;

static gpointer
count (gpointer data)
{
  Worker *worker = data;
  int i;

  for (i = 0; i < 1000; i++) {
    g_mutex_lock (&worker->lock);
    *worker->number += 1;
    g_mutex_unlock (&worker->lock);
  }
  return NULL;
}

int
main (void)
{
  int number = 0;
  Worker workers[2] = { { .number = &number }, { .number = &number } };
  GThread *threads[2];
  int i;

  for (i = 0; i < 2; i++)
    threads[i] = g_thread_new ("count", count, &workers[i]);
  for (i = 0; i < 2; i++)
    g_thread_join (threads[i]);
  g_print ("racy: counted %d of 2000\n", number);
  return 0;
}
