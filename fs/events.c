/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "events.h"

#include <errno.h>

#include "json.h"

typedef struct {
  gint64 time; /* microseconds since 1970 */
  char *json;
  char *text; /* NULL: not for the log */
} Event;

typedef struct {
  FsRequest *rq;
  gsize size;
} WaitingRead;

struct FsEvents {
  GMutex lock; /* level 3: all below */
  Event ring[FS_EVENTS_KEPT];
  guint64 count; /* ever added; the next goes to ring[count % kept] */
  GPtrArray *readers;

  void (*interrupted) (guint64 id, gpointer data); /* const */
  gpointer interrupted_data;                       /* const */
};

struct FsEventsReader {
  FsEvents *events; /* const; its lock guards the rest */
  guint64 next;
  GString *pending;                /* taken from the ring, not yet read */
  GQueue waiting;                  /* (WaitingRead) */
  struct fuse_pollhandle *polling; /* NULL or to be notified */
};

/* An answer to give once the lock is released. */
typedef struct {
  FsRequest *rq;
  char *data; /* NULL: EINTR */
  gsize len;
} Answer;

FsEvents *
fs_events_new (void (*interrupted) (guint64 id, gpointer data), gpointer data)
{
  FsEvents *self = g_new0 (FsEvents, 1);

  self->interrupted = interrupted;
  self->interrupted_data = data;
  g_mutex_init (&self->lock);
  self->readers = g_ptr_array_new ();
  return self;
}

void
fs_events_free (FsEvents *self)
{
  guint i;

  if (self == NULL)
    return;
  for (i = 0; i < FS_EVENTS_KEPT; i++) {
    g_free (self->ring[i].json);
    g_free (self->ring[i].text);
  }
  g_ptr_array_unref (self->readers);
  g_mutex_clear (&self->lock);
  g_free (self);
}

/* ---- reading, with the lock held ---- */

static void
note_missed (FsEventsReader *reader, guint64 missed)
{
  FsJson json;

  fs_json_init (&json, reader->pending, FALSE);
  fs_json_begin (&json, NULL, '{');
  fs_json_time (&json, "time", g_get_real_time ());
  fs_json_string (&json, "event", "lost");
  fs_json_int (&json, "count", (gint64)missed);
  fs_json_end (&json, '}');
}

/* Takes @len bytes at least from the ring if there are as many. */
static void
fill_locked (FsEventsReader *reader, gsize len)
{
  FsEvents *self = reader->events;

  if (self->count - reader->next > FS_EVENTS_KEPT) {
    note_missed (reader, self->count - reader->next - FS_EVENTS_KEPT);
    reader->next = self->count - FS_EVENTS_KEPT;
  }
  while (reader->next < self->count && reader->pending->len < len)
    g_string_append (reader->pending,
                     self->ring[reader->next++ % FS_EVENTS_KEPT].json);
}

static char *
take_locked (FsEventsReader *reader, gsize size, gsize *ret_len)
{
  char *data;

  fill_locked (reader, size);
  *ret_len = MIN (size, reader->pending->len);
  data = g_memdup2 (reader->pending->str, *ret_len);
  g_string_erase (reader->pending, 0, (gssize)*ret_len);
  return data;
}

static gboolean
has_data_locked (const FsEventsReader *reader)
{
  return reader->pending->len > 0 || reader->next < reader->events->count;
}

/* ---- answers, without the lock ---- */

static void
give_answers (GArray *answers)
{
  guint i;

  for (i = 0; i < answers->len; i++) {
    Answer *answer = &g_array_index (answers, Answer, i);

    if (answer->data != NULL)
      fs_request_reply_data (answer->rq, answer->data, answer->len);
    else
      fs_request_reply (answer->rq, EINTR);
    fs_request_free (answer->rq);
    g_free (answer->data);
  }
}

static void
wake_reader_locked (FsEventsReader *reader, GArray *answers, GPtrArray *polls)
{
  while (!g_queue_is_empty (&reader->waiting) && has_data_locked (reader)) {
    g_autofree WaitingRead *waiting = g_queue_pop_head (&reader->waiting);
    Answer answer = { .rq = waiting->rq };

    answer.data = take_locked (reader, waiting->size, &answer.len);
    g_array_append_val (answers, answer);
  }
  if (reader->polling != NULL)
    g_ptr_array_add (polls, g_steal_pointer (&reader->polling));
}

static void
notify_polls (GPtrArray *polls)
{
  guint i;

  for (i = 0; i < polls->len; i++) {
    fuse_lowlevel_notify_poll (polls->pdata[i]);
    fuse_pollhandle_destroy (polls->pdata[i]);
  }
}

void
fs_events_add (FsEvents *self, char *json, const char *text)
{
  g_autoptr (GArray) answers = g_array_new (FALSE, FALSE, sizeof (Answer));
  g_autoptr (GPtrArray) polls = g_ptr_array_new ();
  Event *event;
  guint i;

  g_mutex_lock (&self->lock);
  event = &self->ring[self->count++ % FS_EVENTS_KEPT];
  g_free (event->json);
  g_free (event->text);
  event->time = g_get_real_time ();
  event->json = json;
  event->text = g_strdup (text);
  for (i = 0; i < self->readers->len; i++)
    wake_reader_locked (self->readers->pdata[i], answers, polls);
  g_mutex_unlock (&self->lock);
  give_answers (answers);
  notify_polls (polls);
}

void
fs_events_print_log (FsEvents *self, GString *out)
{
  guint64 i;

  g_mutex_lock (&self->lock);
  for (i = self->count > FS_EVENTS_KEPT ? self->count - FS_EVENTS_KEPT : 0;
       i < self->count; i++) {
    const Event *event = &self->ring[i % FS_EVENTS_KEPT];
    g_autofree char *time = fs_time_text (event->time);

    if (event->text != NULL)
      g_string_append_printf (out, "%s %s\n", time, event->text);
  }
  g_mutex_unlock (&self->lock);
}

/* ---- readers ---- */

FsEventsReader *
fs_events_open (FsEvents *self)
{
  FsEventsReader *reader = g_new0 (FsEventsReader, 1);

  reader->events = self;
  reader->pending = g_string_new (NULL);
  g_queue_init (&reader->waiting);
  g_mutex_lock (&self->lock);
  reader->next = self->count;
  g_ptr_array_add (self->readers, reader);
  g_mutex_unlock (&self->lock);
  return reader;
}

void
fs_events_close (FsEventsReader *reader)
{
  g_autoptr (GArray) answers = g_array_new (FALSE, FALSE, sizeof (Answer));
  FsEvents *self = reader->events;

  g_mutex_lock (&self->lock);
  g_ptr_array_remove (self->readers, reader);
  while (!g_queue_is_empty (&reader->waiting)) {
    g_autofree WaitingRead *waiting = g_queue_pop_head (&reader->waiting);
    Answer answer = { .rq = waiting->rq };

    g_array_append_val (answers, answer);
  }
  g_mutex_unlock (&self->lock);
  give_answers (answers);
  if (reader->polling != NULL)
    fuse_pollhandle_destroy (reader->polling);
  g_string_free (reader->pending, TRUE);
  g_free (reader);
}

void
fs_events_read (FsEventsReader *reader, FsRequest *rq, gsize size,
                gboolean wait)
{
  g_autoptr (FsRequest) mine = rq;
  FsEvents *self = reader->events;
  g_autofree char *data = NULL;
  gsize len = 0;

  g_mutex_lock (&self->lock);
  if (has_data_locked (reader)) {
    data = take_locked (reader, size, &len);
  } else if (wait) {
    WaitingRead waiting = { g_steal_pointer (&mine), size };

    /* Not before: an interrupt that came already is looked for at once. */
    fs_request_watch_interrupt (rq, self->interrupted, self->interrupted_data);
    g_queue_push_tail (&reader->waiting, g_memdup2 (&waiting, sizeof waiting));
  }
  g_mutex_unlock (&self->lock);
  if (data != NULL)
    fs_request_reply_data (mine, data, len);
  else if (mine != NULL)
    fs_request_reply (mine, EAGAIN);
}

gboolean
fs_events_poll (FsEventsReader *reader, struct fuse_pollhandle *handle)
{
  FsEvents *self = reader->events;
  struct fuse_pollhandle *unused = handle;
  gboolean ready;

  g_mutex_lock (&self->lock);
  ready = has_data_locked (reader);
  if (!ready && handle != NULL) {
    unused = reader->polling;
    reader->polling = handle;
  }
  g_mutex_unlock (&self->lock);
  if (unused != NULL)
    fuse_pollhandle_destroy (unused);
  return ready;
}

static FsRequest *
remove_waiting_locked (FsEventsReader *reader, guint64 request_id)
{
  GList *link;

  for (link = reader->waiting.head; link != NULL; link = link->next) {
    WaitingRead *waiting = link->data;
    FsRequest *rq = waiting->rq;

    if (fs_request_id (rq) == request_id) {
      g_queue_delete_link (&reader->waiting, link);
      g_free (waiting);
      return rq;
    }
  }
  return NULL;
}

void
fs_events_interrupt (FsEvents *self, guint64 request_id)
{
  g_autoptr (FsRequest) rq = NULL;
  guint i;

  g_mutex_lock (&self->lock);
  for (i = 0; rq == NULL && i < self->readers->len; i++)
    rq = remove_waiting_locked (self->readers->pdata[i], request_id);
  g_mutex_unlock (&self->lock);
  if (rq != NULL)
    fs_request_reply (rq, EINTR);
}
