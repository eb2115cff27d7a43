/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Readers that have to wait for a connection go together, and get their bytes
 * whatever a host makes of a request for several parts.
 *
 * The host holds the first two requests back, which is as many as there are
 * connections, until all other readers wait.
 */
#include <signal.h>
#include <string.h>

#include "base/error.h"
#include "tiny-server.h"
#include "vsphere/address.h"
#include "vsphere/fetch.h"

#define FILE_BYTES (64 * VSPHERE_BLOCK_BYTES + 5)
#define N_HELD 2u
#define N_READERS 10u
#define TIME "Last-Modified: Sun, 09 Sep 2001 01:46:40 GMT\r\n"
#define OTHER_TIME "Last-Modified: Sun, 09 Sep 2001 01:46:41 GMT\r\n"
#define TYPE "Content-Type: multipart/byteranges; boundary=limit\r\n"
#define NEVER_US ((gint64)3600 * G_USEC_PER_SEC)

/* What the host makes of it. */
typedef enum {
  GIVES_ALL,
  TURNS_AROUND,
  LEAVES_OUT,
  MERGES,
  IGNORES, /* 200, and never comes to the end of it */
  GIVES_FIRST,
  DOES_NOT_TAKE,
  MISUNDERSTANDS, /* 416 */
  IS_BUSY,
  HANGS_UP,
  GIVES_ANOTHER,
  WAITS,
  BREAKS_OFF, /* the first one for a single part */
  CHANGES,    /* now */
} Manner;

typedef struct {
  const char *name;
  Manner manner;
  guint refusals; /* 3: it is not asked so again */
  gboolean proven;
  int code; /* -1: readers get their bytes */
} Case;

static const Case cases[] = {
  { "gives-all", GIVES_ALL, 0, TRUE, -1 },
  { "turns-around", TURNS_AROUND, 0, TRUE, -1 },
  { "merges", MERGES, 0, TRUE, -1 },
  { "leaves-out", LEAVES_OUT, 3, FALSE, -1 },
  { "ignores", IGNORES, 3, FALSE, -1 },
  { "gives-first", GIVES_FIRST, 3, FALSE, -1 },
  { "does-not-take", DOES_NOT_TAKE, 3, FALSE, -1 },
  { "misunderstands", MISUNDERSTANDS, 3, FALSE, -1 },
  { "is-busy", IS_BUSY, 1, FALSE, -1 },
  { "hangs-up", HANGS_UP, 1, FALSE, -1 },
  { "gives-another", GIVES_ANOTHER, 0, FALSE, VIX_E_FILE_ERROR },
};

typedef struct {
  guint64 first, last;
} Span;

typedef struct {
  Manner manner;
  guint8 *data;
  TinyServer *server;
  VsphereSession *session;
  VsphereTransfer *transfer;
  VsphereFile *file;

  GMutex lock; /* all below */
  GCond changed;
  gboolean holds; /* single requests that come */
  guint n_held;
  guint n_several; /* requests for several parts ... */
  guint most;      /* ... and how many parts they were for */
  GPtrArray *answers;
} Rig;

/* ---- the host ---- */

static guint
parse_ranges (const char *request, Span *spans, guint room)
{
  const char *at = strstr (request, "\r\nRange: bytes=");
  guint n = 0;

  g_assert_nonnull (at);
  at += strlen ("\r\nRange: bytes=");
  do {
    char *end;

    g_assert_cmpuint (n, <, room);
    spans[n].first = g_ascii_strtoull (at, &end, 10);
    g_assert_true (*end == '-');
    spans[n].last = g_ascii_strtoull (end + 1, &end, 10);
    spans[n].last = MIN (spans[n].last, FILE_BYTES - 1);
    g_assert_cmpuint (spans[n].first, <=, spans[n].last);
    if (n > 0)
      g_assert_cmpuint (spans[n].first, >, spans[n - 1].last);
    n++;
    at = end + 1;
  } while (at[-1] == ',');
  return n;
}

static void
append_span (Rig *self, GString *text, const Span *span, const char *head)
{
  g_string_append (text, head);
  g_string_append_printf (text,
                          "Content-Range: bytes %" G_GUINT64_FORMAT
                          "-%" G_GUINT64_FORMAT "/%" G_GSIZE_FORMAT "\r\n\r\n",
                          span->first, span->last, FILE_BYTES);
  g_string_append_len (text, (const char *)self->data + span->first,
                       (gssize)(span->last - span->first + 1));
}

static GString *
answer_single (Rig *self, const Span *span)
{
  GString *text = g_string_new ("HTTP/1.1 206 Partial Content\r\n");
  g_autofree char *length = g_strdup_printf (
    "Content-Length: %" G_GUINT64_FORMAT "\r\n", span->last - span->first + 1);

  g_string_append (text, self->manner == CHANGES ? OTHER_TIME : TIME);
  append_span (self, text, span, length);
  return text;
}

static guint
merge (Span *spans, guint n)
{
  guint last = 0;

  for (guint i = 1; i < n; i++)
    if (spans[i].first == spans[last].last + 1)
      spans[last].last = spans[i].last;
    else
      spans[++last] = spans[i];
  return last + 1;
}

static GString *
answer_parts (Rig *self, Span *spans, guint n)
{
  GString *text = g_string_new ("HTTP/1.1 206 Partial Content\r\n");
  g_autoptr (GString) body = g_string_new (NULL);
  gboolean turned = self->manner == TURNS_AROUND;

  if (self->manner == MERGES)
    n = merge (spans, n);
  for (guint i = 0; i < n; i++)
    if (self->manner != LEAVES_OUT || i % 2 == 0)
      append_span (self, body, &spans[turned ? n - 1 - i : i],
                   "\r\n--limit\r\nContent-Type: a/b\r\n");
  g_string_append (body, "\r\n--limit--\r\n");
  g_string_append (text, self->manner == GIVES_ANOTHER ? OTHER_TIME : TIME);
  g_string_append_printf (
    text, TYPE "Content-Length: %" G_GSIZE_FORMAT "\r\n\r\n", body->len);
  g_string_append_len (text, body->str, (gssize)body->len);
  return text;
}

/* With the lock. */
static GString *
answer_several (Rig *self, Span *spans, guint n, TinyAnswer *answer)
{
  self->n_several++;
  self->most = MAX (self->most, n);
  g_cond_broadcast (&self->changed);
  switch (self->manner) {
  case IGNORES:
    answer->hang = TRUE;
    return g_string_new ("HTTP/1.1 200 OK\r\n" TIME
                         "Content-Length: 1048581\r\n\r\nabc");
  case GIVES_FIRST:
    return answer_single (self, &spans[0]);
  case DOES_NOT_TAKE:
    return g_string_new ("HTTP/1.1 400 No\r\nContent-Length: 2\r\n\r\nno");
  case MISUNDERSTANDS:
    return g_string_new ("HTTP/1.1 416 No\r\nContent-Length: 0\r\n\r\n");
  case IS_BUSY:
    return g_string_new ("HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n");
  case HANGS_UP:
    answer->close = TRUE;
    return g_string_new ("HTTP/1.1 206 Partial Content\r\n" TIME TYPE
                         "Content-Length: 99999\r\n\r\n\r\n--limit\r\n");
  case WAITS:
    answer->hang = TRUE;
    return g_string_new (NULL);
  default:
    return answer_parts (self, spans, n);
  }
}

static void
play (guint n, const char *request, TinyAnswer *answer, gpointer data)
{
  Rig *self = data;
  Span spans[N_READERS];
  guint n_spans = parse_ranges (request, spans, N_READERS);
  GString *text;

  g_mutex_lock (&self->lock);
  if (n_spans > 1) {
    text = answer_several (self, spans, n_spans, answer);
  } else {
    self->n_held += self->holds;
    g_cond_broadcast (&self->changed);
    while (self->holds)
      g_cond_wait (&self->changed, &self->lock);
    text = answer_single (self, &spans[0]);
    if (self->manner == BREAKS_OFF) {
      self->manner = GIVES_ALL;
      answer->close = TRUE;
      g_string_truncate (text, text->len - 100);
    }
  }
  g_ptr_array_add (self->answers, text);
  answer->bytes = text->str;
  answer->len = text->len;
  g_mutex_unlock (&self->lock);
}

static void
free_answer (gpointer text)
{
  g_string_free (text, TRUE);
}

static Rig *
rig_new (Manner manner)
{
  Rig *self = g_new0 (Rig, 1);
  g_auto (VsphereAddress) address = { NULL };
  g_autoptr (GError) error = NULL;
  VixConnectParams params = { .verify_ssl = TRUE,
                              .user_name = "nobody",
                              .password = "none",
                              .connections = N_HELD };
  gboolean ok;

  self->manner = manner;
  self->data = g_malloc (FILE_BYTES);
  for (gsize i = 0; i < FILE_BYTES; i++)
    self->data[i] = (guint8)(i / 251 + i);
  g_mutex_init (&self->lock);
  g_cond_init (&self->changed);
  self->answers = g_ptr_array_new_with_free_func (free_answer);
  self->server = tiny_server_new (TRUE, play, self);
  params.thumbprint = tiny_server_get_sha256 (self->server);
  ok = vsphere_address_parse (tiny_server_get_url (self->server), &address,
                              &error);
  g_assert_no_error (error);
  g_assert_true (ok);
  self->session = vsphere_session_new (&address, &params, &error);
  g_assert_no_error (error);
  self->transfer = vsphere_transfer_new (self->session, 0, N_HELD);
  self->file = vsphere_transfer_open (self->transfer, "dc", "[store] a/b", TRUE,
                                      NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (vsphere_file_get_size (self->file), ==, FILE_BYTES);
  return self;
}

static void
rig_free (Rig *self)
{
  vsphere_file_close (self->file);
  vsphere_transfer_free (self->transfer);
  vsphere_session_free (self->session);
  tiny_server_free (self->server);
  g_ptr_array_unref (self->answers);
  g_cond_clear (&self->changed);
  g_mutex_clear (&self->lock);
  g_free (self->data);
  g_free (self);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Rig, rig_free)

/* ---- readers ---- */

typedef struct {
  Rig *rig;
  guint64 offset;
  gsize len;
  gboolean ordered; /* not of tables */
  GCancellable *cancellable;
  GThread *thread;
  GError *error;
} Reader;

static gpointer
run_reader (gpointer data)
{
  Reader *self = data;
  g_autofree guint8 *buf = g_malloc (self->len);
  /* Nobody fetches ahead of tables. */
  gboolean (*read) (VsphereFile *, guint64, void *, gsize, GError **)
    = self->ordered ? vsphere_file_read : vsphere_file_read_table;

  if (self->cancellable != NULL)
    g_cancellable_push_current (self->cancellable);
  if (read (self->rig->file, self->offset, buf, self->len, &self->error))
    g_assert_cmpmem (buf, self->len, self->rig->data + self->offset, self->len);
  if (self->cancellable != NULL)
    g_cancellable_pop_current (self->cancellable);
  return NULL;
}

/* Far from each other but for two, one across two blocks, and one at the end of
 * the file. */
static void
place (Reader *readers, Rig *rig, guint round)
{
  for (guint i = 0; i < N_READERS; i++)
    readers[i]
      = (Reader){ .rig = rig,
                  .offset = (6 * i + 2 * round + 1) * VSPHERE_BLOCK_BYTES + 7,
                  .len = 4096,
                  .cancellable = g_cancellable_new () };
  readers[7].offset = readers[8].offset + VSPHERE_BLOCK_BYTES;
  readers[8].len = 4096;
  readers[5].len = VSPHERE_BLOCK_BYTES;
  if (round == 0)
    readers[9].offset = FILE_BYTES - readers[9].len;
}

static void
start (Reader *readers, guint first, guint n)
{
  for (guint i = first; i < first + n; i++)
    readers[i].thread = g_thread_new ("reader", run_reader, &readers[i]);
}

/* Nobody may run out of patience while the test waits for others. */
static void
make_patient (Rig *self)
{
  vix_lock (&self->transfer->lock);
  self->transfer->wait_us = NEVER_US;
  vix_unlock (&self->transfer->lock);
}

static guint
count_waiting (Rig *self)
{
  guint n;

  vix_lock (&self->transfer->lock);
  n = self->transfer->small.length;
  vix_unlock (&self->transfer->lock);
  return n;
}

static void
await_waiting (Rig *self, guint n)
{
  while (count_waiting (self) != n)
    g_usleep (1000);
}

static void
await_number (Rig *self, const guint *number, guint least)
{
  g_mutex_lock (&self->lock);
  while (*number < least)
    g_cond_wait (&self->changed, &self->lock);
  g_mutex_unlock (&self->lock);
}

static void
hold (Rig *self, gboolean holds)
{
  g_mutex_lock (&self->lock);
  self->holds = holds;
  self->n_held = 0;
  g_cond_broadcast (&self->changed);
  g_mutex_unlock (&self->lock);
}

/* All of them under way or waiting, and none that waits has left. */
static void
start_all (Rig *rig, Reader *readers)
{
  make_patient (rig);
  hold (rig, TRUE);
  start (readers, 0, N_HELD);
  await_number (rig, &rig->n_held, N_HELD);
  start (readers, N_HELD, N_READERS - N_HELD);
}

static void
finish (Reader *readers)
{
  for (guint i = 0; i < N_READERS; i++) {
    if (readers[i].thread != NULL)
      g_thread_join (readers[i].thread);
    g_object_unref (readers[i].cancellable);
  }
}

static void
test_case (gconstpointer data)
{
  const Case *self = data;
  g_autoptr (Rig) rig = rig_new (self->manner);
  Reader readers[N_READERS];

  place (readers, rig, 0);
  start_all (rig, readers);
  await_waiting (rig, N_READERS - N_HELD);
  hold (rig, FALSE);
  finish (readers);
  for (guint i = 0; i < N_READERS; i++) {
    if (self->code == -1)
      g_assert_no_error (readers[i].error);
    else if (i >= N_HELD)
      g_assert_error (readers[i].error, VIX_ERROR, self->code);
    g_clear_error (&readers[i].error);
  }
  g_assert_cmpuint (rig->n_several, ==, 1);
  g_assert_cmpuint (rig->most, ==, N_READERS - N_HELD);
  g_assert_cmpuint (rig->transfer->refusals, ==, self->refusals);
  g_assert_cmpint (rig->transfer->proven, ==, self->proven);
  g_assert_cmpuint (rig->transfer->n_small, ==, 0);
  g_assert_cmpuint (count_waiting (rig), ==, 0);
}

/* Whoever does not take several is asked for one each from then on. */
static void
test_it_is_remembered (void)
{
  g_autoptr (Rig) rig = rig_new (DOES_NOT_TAKE);
  Reader readers[N_READERS];

  for (guint round = 0; round < 2; round++) {
    place (readers, rig, round);
    start_all (rig, readers);
    if (round == 0)
      await_waiting (rig, N_READERS - N_HELD);
    hold (rig, FALSE);
    finish (readers);
    for (guint i = 0; i < N_READERS; i++)
      g_assert_no_error (readers[i].error);
    g_assert_cmpuint (rig->n_several, ==, 1);
  }
}

/* Who is cancelled leaves at once; the others get theirs. */
static void
test_one_that_waits_is_cancelled (void)
{
  g_autoptr (Rig) rig = rig_new (GIVES_ALL);
  Reader readers[N_READERS];

  place (readers, rig, 0);
  start_all (rig, readers);
  await_waiting (rig, N_READERS - N_HELD);
  g_cancellable_cancel (readers[4].cancellable);
  await_waiting (rig, N_READERS - N_HELD - 1);
  hold (rig, FALSE);
  finish (readers);
  for (guint i = 0; i < N_READERS; i++)
    if (i != 4)
      g_assert_no_error (readers[i].error);
  g_assert_error (readers[4].error, VIX_ERROR, VIX_E_CANCELLED);
  g_clear_error (&readers[4].error);
  g_assert_cmpuint (rig->most, ==, N_READERS - N_HELD - 1);
}

/* The one that asks for all of them is cancelled with those: the one that
 * waited longest. */
static void
test_the_one_that_asks_is_cancelled (void)
{
  g_autoptr (Rig) rig = rig_new (WAITS);
  Reader readers[N_READERS];

  place (readers, rig, 0);
  make_patient (rig);
  hold (rig, TRUE);
  start (readers, 0, N_HELD);
  await_number (rig, &rig->n_held, N_HELD);
  start (readers, N_HELD, 1);
  await_waiting (rig, 1);
  start (readers, N_HELD + 1, N_READERS - N_HELD - 1);
  await_waiting (rig, N_READERS - N_HELD);
  hold (rig, FALSE);
  await_number (rig, &rig->n_several, 1);
  /* One of those that it asks for leaves without ending that. */
  g_cancellable_cancel (readers[6].cancellable);
  g_thread_join (g_steal_pointer (&readers[6].thread));
  g_assert_error (readers[6].error, VIX_ERROR, VIX_E_CANCELLED);
  g_clear_error (&readers[6].error);
  g_cancellable_cancel (readers[N_HELD].cancellable);
  finish (readers);
  for (guint i = 0; i < N_READERS; i++)
    if (i != N_HELD)
      g_assert_no_error (readers[i].error);
  g_assert_error (readers[N_HELD].error, VIX_ERROR, VIX_E_CANCELLED);
  g_clear_error (&readers[N_HELD].error);
  g_assert_cmpuint (rig->n_several, ==, 1);
  g_assert_cmpuint (rig->transfer->refusals, ==, 0);
}

/* Requests that hang keep nobody for long: whoever waits goes all the same,
 * with as many as wait by then. */
static void
test_nobody_waits_for_what_hangs (void)
{
  g_autoptr (Rig) rig = rig_new (GIVES_ALL);
  Reader readers[N_READERS];

  place (readers, rig, 0);
  start_all (rig, readers);
  await_waiting (rig, N_READERS - N_HELD);
  vix_lock (&rig->transfer->lock);
  rig->transfer->wait_us = 1;
  g_cond_broadcast (
    &((VsphereFetch *)g_queue_peek_head (&rig->transfer->small))->changed);
  vix_unlock (&rig->transfer->lock);
  await_waiting (rig, 0);
  hold (rig, FALSE);
  finish (readers);
  for (guint i = 0; i < N_READERS; i++)
    g_assert_no_error (readers[i].error);
}

/* ---- pages of blocks ---- */

/* As if another small request were under way, to a host so near. */
static void
pretend (Rig *self, gint64 wait_us, guint n_small)
{
  vix_lock (&self->transfer->lock);
  self->transfer->wait_us = wait_us;
  self->transfer->n_small = n_small;
  vix_unlock (&self->transfer->lock);
}

static gsize
get_fetched (Rig *self)
{
  return (gsize)g_atomic_pointer_get (&self->transfer->n_fetched);
}

typedef struct {
  guint64 offset;
  gsize len;
  gsize fetched; /* for that */
  gboolean far, lone, of_table;
} Step;

static void
take_steps (Rig *rig, const Step *steps, gsize n)
{
  for (gsize i = 0; i < n; i++) {
    const Step *step = &steps[i];
    Reader reader = { .rig = rig,
                      .offset = step->offset,
                      .len = step->len,
                      .ordered = !step->of_table };
    gsize before = get_fetched (rig);

    pretend (rig, step->far ? NEVER_US : 1, step->lone ? 0 : 1);
    run_reader (&reader);
    pretend (rig, 1, 0);
    g_assert_no_error (reader.error);
    g_assert_cmpuint (get_fetched (rig) - before, ==, step->fetched);
  }
}

/* Where others ask, too, a near host is asked for pages; who comes back to a
 * block gets all of it, and so does everybody else. */
static void
test_scattered_reads_take_pages (void)
{
  static const guint64 block = VSPHERE_BLOCK_BYTES;
  static const Step steps[] = {
    { FILE_BYTES - 3, 3, 5 },
    { 1 * block + 4096 + 7, 100, 4096 },
    { 1 * block + 4096, 4096, 0 },
    { 1 * block + 8191, 2, VSPHERE_BLOCK_BYTES },
    { 1 * block, VSPHERE_BLOCK_BYTES, 0 },
    { 20 * block + 8000, 200, 8192 },
    /* What is known of one between others hides nothing of it. */
    { 19 * block, 3 * VSPHERE_BLOCK_BYTES, 3 * VSPHERE_BLOCK_BYTES,
      .of_table = TRUE },
    { 40 * block - 10, 20, 2 * VSPHERE_BLOCK_BYTES },
    { 10 * block, 100, VSPHERE_BLOCK_BYTES, .of_table = TRUE },
    { 28 * block, 100, VSPHERE_BLOCK_BYTES, .far = TRUE },
    { 50 * block, 100, VSPHERE_BLOCK_BYTES, .lone = TRUE },
  };
  g_autoptr (Rig) rig = rig_new (GIVES_ALL);

  take_steps (rig, steps, G_N_ELEMENTS (steps));
}

/* Answers that have a page in pieces, and a file that is another by the time
 * that the rest of the block is wanted. */
static void
test_page_breaks_off_and_file_changes (void)
{
  static const Step steps[] = {
    { 5 * VSPHERE_BLOCK_BYTES + 12288, 4096, 4096 },
  };
  g_autoptr (Rig) rig = rig_new (BREAKS_OFF);
  Reader reader = { .rig = rig, .len = 1 };

  take_steps (rig, steps, G_N_ELEMENTS (steps));
  g_assert_cmpint (rig->manner, ==, GIVES_ALL);
  rig->manner = CHANGES;
  for (guint i = 0; i < 2; i++) {
    reader.offset = steps[0].offset - 1 + i;
    run_reader (&reader);
    g_assert_error (reader.error, VIX_ERROR, VIX_E_FILE_ERROR);
    g_clear_error (&reader.error);
  }
}

/* Who wants the same page as one under way shares it; another one of that block
 * waits for it, and gets all of the block. */
static void
test_page_is_on_its_way (void)
{
  g_autoptr (Rig) rig = rig_new (GIVES_ALL);
  Reader readers[3];
  guint refs = 0;

  for (guint i = 0; i < 3; i++)
    readers[i] = (Reader){ .rig = rig,
                           .offset = 7 * VSPHERE_BLOCK_BYTES + i / 2 * 9000,
                           .len = 100,
                           .ordered = i == 0 };
  pretend (rig, 1, 1);
  hold (rig, TRUE);
  start (readers, 0, 1);
  await_number (rig, &rig->n_held, 1);
  start (readers, 1, 2);
  while (refs < 3) {
    const VsphereBlock *found;

    vix_lock (&rig->transfer->lock);
    found = vsphere_blocks_find (rig->transfer->blocks, rig->file, 7);
    refs = ((const VsphereFetch *)found->fetch)->refs;
    vix_unlock (&rig->transfer->lock);
    g_usleep (1000);
  }
  hold (rig, FALSE);
  for (guint i = 0; i < 3; i++) {
    g_thread_join (readers[i].thread);
    g_assert_no_error (readers[i].error);
  }
  g_assert_cmpuint (get_fetched (rig), ==, 4096 + VSPHERE_BLOCK_BYTES);
  pretend (rig, 1, 0);
}

/* Several in one request: whatever comes of it, what is known is right. */
static void
test_pages_together (void)
{
  static const Manner manners[]
    = { GIVES_ALL, TURNS_AROUND, LEAVES_OUT, MERGES, GIVES_FIRST, HANGS_UP };

  for (gsize i = 0; i < G_N_ELEMENTS (manners); i++) {
    g_autoptr (Rig) rig = rig_new (manners[i]);
    Reader reader = { .rig = rig, .len = 4096 };
    VsphereFetch *fetches[3];

    vix_lock (&rig->transfer->lock);
    for (guint k = 0; k < 3; k++) {
      fetches[k] = vsphere_fetch_begin_locked (rig->file, 3 + k, 1);
      vsphere_fetch_narrow_locked (
        fetches[k], (3 + k) * VSPHERE_BLOCK_BYTES + (2 - k) * 6144, 4096);
    }
    vix_unlock (&rig->transfer->lock);
    vsphere_fetch_run_several (fetches, 3, NULL);
    vix_lock (&rig->transfer->lock);
    for (guint k = 0; k < 3; k++)
      vsphere_fetch_finish_locked (fetches[k]);
    vix_unlock (&rig->transfer->lock);
    for (guint page = 0; page < 12; page++) {
      reader.offset = 3 * VSPHERE_BLOCK_BYTES + page * reader.len;
      run_reader (&reader);
      g_assert_no_error (reader.error);
    }
  }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  /* The host writes to whom hung up. */
  signal (SIGPIPE, SIG_IGN);
  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autofree char *name = g_strconcat ("/together/", cases[i].name, NULL);

    g_test_add_data_func (name, &cases[i], test_case);
  }
  g_test_add_func ("/together/it-is-remembered", test_it_is_remembered);
  g_test_add_func ("/together/one-that-waits-is-cancelled",
                   test_one_that_waits_is_cancelled);
  g_test_add_func ("/together/the-one-that-asks-is-cancelled",
                   test_the_one_that_asks_is_cancelled);
  g_test_add_func ("/together/nobody-waits-for-what-hangs",
                   test_nobody_waits_for_what_hangs);
  g_test_add_func ("/together/scattered-reads-take-pages",
                   test_scattered_reads_take_pages);
  g_test_add_func ("/together/page-breaks-off-and-file-changes",
                   test_page_breaks_off_and_file_changes);
  g_test_add_func ("/together/page-is-on-its-way", test_page_is_on_its_way);
  g_test_add_func ("/together/pages-together", test_pages_together);
  return g_test_run ();
}
