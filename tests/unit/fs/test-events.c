/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The requests of the readers are made here, in place of libfuse's. */
#include <errno.h>
#include <string.h>

#include "events.h"

/* ---- libfuse, as far as it is called ---- */

struct fuse_req {
  GString *data;
  int error;
  gboolean answered;
};

int
fuse_reply_buf (fuse_req_t req, const char *buf, size_t size)
{
  g_string_append_len (req->data, buf, (gssize)size);
  req->answered = TRUE;
  return 0;
}

int
fuse_reply_err (fuse_req_t req, int err)
{
  req->error = err;
  req->answered = TRUE;
  return 0;
}

void
fuse_req_interrupt_func (fuse_req_t req, fuse_interrupt_func_t func, void *data)
{
}

static int polls;

int
fuse_lowlevel_notify_poll (struct fuse_pollhandle *ph)
{
  polls++;
  return 0;
}

void
fuse_pollhandle_destroy (struct fuse_pollhandle *ph)
{
  g_free (ph);
}

/* ---- helpers ---- */

static FsStats stats;

static void
no_interrupt (guint64 id, gpointer data)
{
}

static struct fuse_req *
req_new (void)
{
  struct fuse_req *req = g_new0 (struct fuse_req, 1);

  req->data = g_string_new (NULL);
  return req;
}

static void
req_free (struct fuse_req *req)
{
  g_string_free (req->data, TRUE);
  g_free (req);
}

/* Starts a read; *@ret_id tells its number. */
static struct fuse_req *
start_read (FsEventsReader *reader, gsize size, gboolean wait, guint64 *ret_id)
{
  struct fuse_req *req = req_new ();
  FsRequest *rq = fs_request_new (req, &stats, FS_OP_READ, 1, NULL);

  if (ret_id != NULL)
    *ret_id = fs_request_id (rq);
  fs_events_read (reader, rq, size, wait);
  return req;
}

static void
assert_answer (struct fuse_req *req, const char *text, int error)
{
  g_assert_true (req->answered);
  g_assert_cmpstr (req->data->str, ==, text);
  g_assert_cmpint (req->error, ==, error);
  req_free (req);
}

/* ---- tests ---- */

static void
test_read (void)
{
  FsEvents *events = fs_events_new (no_interrupt, NULL);
  FsEventsReader *reader;

  fs_events_add (events, g_strdup ("before\n"), NULL);
  reader = fs_events_open (events);
  assert_answer (start_read (reader, 100, FALSE, NULL), "", EAGAIN);
  fs_events_add (events, g_strdup ("one\n"), NULL);
  fs_events_add (events, g_strdup ("two\n"), NULL);
  assert_answer (start_read (reader, 6, FALSE, NULL), "one\ntw", 0);
  assert_answer (start_read (reader, 100, FALSE, NULL), "o\n", 0);
  fs_events_close (reader);
  fs_events_free (events);
}

static void
test_wait (void)
{
  FsEvents *events = fs_events_new (no_interrupt, NULL);
  FsEventsReader *reader = fs_events_open (events);
  struct fuse_req *req = start_read (reader, 100, TRUE, NULL);

  g_assert_false (req->answered);
  fs_events_add (events, g_strdup ("news\n"), NULL);
  assert_answer (req, "news\n", 0);
  fs_events_close (reader);
  fs_events_free (events);
}

static void
test_interrupt (void)
{
  FsEvents *events = fs_events_new (no_interrupt, NULL);
  FsEventsReader *reader = fs_events_open (events);
  guint64 id;
  struct fuse_req *one = start_read (reader, 100, TRUE, &id);
  struct fuse_req *two = start_read (reader, 100, TRUE, NULL);

  fs_events_interrupt (events, id + 12345);
  g_assert_false (one->answered);
  fs_events_interrupt (events, id);
  assert_answer (one, "", EINTR);
  g_assert_false (two->answered);
  fs_events_close (reader);
  assert_answer (two, "", EINTR);
  fs_events_free (events);
}

static void
test_poll (void)
{
  FsEvents *events = fs_events_new (no_interrupt, NULL);
  FsEventsReader *reader = fs_events_open (events);

  polls = 0;
  g_assert_false (fs_events_poll (reader, g_malloc0 (8)));
  g_assert_false (fs_events_poll (reader, g_malloc0 (8)));
  fs_events_add (events, g_strdup ("news\n"), NULL);
  g_assert_cmpint (polls, ==, 1);
  g_assert_true (fs_events_poll (reader, g_malloc0 (8)));
  g_assert_true (fs_events_poll (reader, NULL));
  fs_events_close (reader);
  fs_events_free (events);
}

static void
test_falling_behind (void)
{
  FsEvents *events = fs_events_new (no_interrupt, NULL);
  FsEventsReader *reader = fs_events_open (events);
  struct fuse_req *req;
  int i;

  for (i = 0; i < FS_EVENTS_KEPT + 7; i++)
    fs_events_add (events, g_strdup_printf ("%d\n", i), "text");
  req = start_read (reader, 1 << 20, FALSE, NULL);
  g_assert_nonnull (strstr (req->data->str, "\"event\": \"lost\""));
  g_assert_nonnull (strstr (req->data->str, "\"count\": 7}\n7\n8\n"));
  req_free (req);
  fs_events_close (reader);
  fs_events_free (events);
}

static void
test_log (void)
{
  FsEvents *events = fs_events_new (no_interrupt, NULL);
  g_autoptr (GString) out = g_string_new (NULL);
  g_auto (GStrv) lines = NULL;
  int i;

  for (i = 0; i < FS_EVENTS_KEPT + 3; i++) {
    g_autofree char *text = g_strdup_printf ("number %d", i);

    fs_events_add (events, g_strdup ("{}\n"), i % 2 == 0 ? text : NULL);
  }
  fs_events_print_log (events, out);
  lines = g_strsplit (out->str, "\n", 0);
  g_assert_cmpuint (g_strv_length (lines) - 1, ==, FS_EVENTS_KEPT / 2);
  g_assert_true (g_str_has_suffix (lines[0], "Z number 4"));
  fs_events_free (events);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/events/readers-get-what-comes-after", test_read);
  g_test_add_func ("/events/reads-wait-for-news", test_wait);
  g_test_add_func ("/events/waiting-reads-can-be-interrupted", test_interrupt);
  g_test_add_func ("/events/poll-is-notified-once", test_poll);
  g_test_add_func ("/events/who-falls-behind-is-told", test_falling_behind);
  g_test_add_func ("/events/log-keeps-the-last", test_log);
  return g_test_run ();
}
