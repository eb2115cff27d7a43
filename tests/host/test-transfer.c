/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The content of datastore files: equal bytes whatever happens on the way,
 * and an error that says why where there are none.
 */
#include <string.h>

#include "base/error.h"
#include "bed.h"
#include "vsphere/datastore.h"

#define KIB ((gsize)1024)
#define MIB (1024 * KIB)
#define FILE_BYTES (24 * MIB + 777)
#define PATH "[LocalDS_0] data/random.bin"
#define OLD 1000000000 /* a time of files that nobody wrote lately */

/* A host behind a proxy, with a file of random bytes. */
typedef struct {
  BedServer *sim;
  BedServer *proxy;
  Bed *bed;
  guint8 *data;
} Rig;

static void
hasten (VixConnectParams *params, gpointer data)
{
  params->answer_timeout_ms = 60000;
  params->stall_timeout_ms = 1000;
}

static guint8 *
make_noise (gsize len, guint32 seed)
{
  guint8 *data = g_malloc (len + sizeof seed);

  for (gsize i = 0; i < len; i += sizeof seed) {
    seed = seed * 1664525u + 1013904223u;
    memcpy (data + i, &seed, sizeof seed);
  }
  return data;
}

static Rig *
rig_new (void (*adjust) (VixConnectParams *params, gpointer data),
         gboolean watch)
{
  Rig *self = g_new0 (Rig, 1);
  g_autoptr (GError) error = NULL;

  self->sim = bed_sim_new ("-kind esx -vms 1 -snapshots 1");
  self->proxy = bed_proxy_new (self->sim);
  self->data = make_noise (FILE_BYTES, 1);
  bed_put_file (self->sim, PATH, self->data, FILE_BYTES, OLD);
  self->bed = bed_connect (self->proxy, adjust, NULL, &error);
  g_assert_no_error (error);
  if (watch)
    bed_watch (self->bed);
  return self;
}

static void
rig_free (Rig *self)
{
  bed_free (self->bed);
  bed_server_free (self->proxy);
  bed_server_free (self->sim);
  g_free (self->data);
  g_free (self);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Rig, rig_free)

static VmdkSource *
open_path (Rig *rig, const char *path, gboolean constant, GError **error)
{
  return vsphere_datastore_open (rig->bed->host, "ha-datacenter", path,
                                 constant, NULL, error);
}

static VmdkSource *
open_file (Rig *rig)
{
  g_autoptr (GError) error = NULL;
  VmdkSource *source = open_path (rig, PATH, TRUE, &error);

  g_assert_no_error (error);
  g_assert_cmpuint (source->size, ==, FILE_BYTES);
  return source;
}

/* Reads there and compares; the error if that fails. */
static GError *
check_part (Rig *rig, VmdkSource *source, gsize offset, gsize len)
{
  g_autofree guint8 *buf = g_malloc (len);
  GError *error = NULL;

  if (!source->ops->pread (source, offset, buf, len, &error))
    return error;
  g_assert_true (len == 0 || memcmp (buf, rig->data + offset, len) == 0);
  return NULL;
}

static void
check_all (Rig *rig, VmdkSource *source, gsize step)
{
  for (gsize at = 0; at < FILE_BYTES; at += step) {
    g_autoptr (GError) error
      = check_part (rig, source, at, MIN (step, FILE_BYTES - at));

    g_assert_no_error (error);
  }
}

/* Another file of that name and size is there from now on. */
static void
change_file (Rig *rig)
{
  g_free (rig->data);
  rig->data = make_noise (FILE_BYTES, 2);
  bed_put_file (rig->sim, PATH, rig->data, FILE_BYTES, OLD + 1);
}

static guint64
count_fetched (Rig *rig)
{
  return vsphere_transfer_get_fetched (
    ((VsphereHost *)rig->bed->host)->transfer);
}

/* Bytes that the host's answers were to have. */
static gint64
count_promised (Rig *rig)
{
  g_autofree char *json = bed_ctl (rig->sim, "counters");

  return bed_number (json, "content");
}

/* ---- what is read ---- */

static void
test_sequential (void)
{
  g_autoptr (Rig) rig = rig_new (NULL, FALSE);
  g_autoptr (VmdkSource) source = open_file (rig);
  guint64 once;

  check_all (rig, source, 128 * KIB);
  once = count_fetched (rig);
  g_assert_cmpuint (once, <, FILE_BYTES + MIB);
  /* All of it is in memory. */
  check_all (rig, source, 1000 * KIB + 1);
  g_assert_cmpuint (count_fetched (rig), ==, once);
  /* In some thirty requests, not in hundreds. */
  g_assert_cmpint (bed_count (rig->sim, "folder GET"), <, 60);
}

static void
test_end (void)
{
  g_autoptr (Rig) rig = rig_new (NULL, FALSE);
  g_autoptr (VmdkSource) source = open_file (rig);
  g_autoptr (GError) past = NULL;
  g_autoptr (GError) last = check_part (rig, source, FILE_BYTES - 1, 1);
  g_autoptr (GError) none = check_part (rig, source, FILE_BYTES, 0);
  guint8 byte;

  g_assert_no_error (last);
  g_assert_no_error (none);
  g_assert_false (source->ops->pread (source, FILE_BYTES, &byte, 1, &past));
  g_assert_error (past, VIX_ERROR, VIX_E_FILE_ERROR);
  g_assert_cmpstr (source->id, ==, PATH);
}

static void
test_random_reads_fetch_little (void)
{
  g_autoptr (Rig) rig = rig_new (NULL, FALSE);
  g_autoptr (VmdkSource) source = open_file (rig);

  for (guint i = 0; i < 20; i++) {
    gsize at = (i * 7919 % 24) * MIB + 8 * KIB;
    g_autoptr (GError) error = check_part (rig, source, at, 4 * KIB);

    g_assert_no_error (error);
  }
  g_assert_cmpuint (count_fetched (rig), <=, 20 * 16 * KIB);
}

typedef struct {
  Rig *rig;
  VmdkSource *source;
  guint32 seed;
} Reader;

static gpointer
read_at_random (gpointer data)
{
  Reader *self = data;

  for (guint i = 0; i < 200; i++) {
    gsize at, len;
    GError *error;

    self->seed = self->seed * 1664525u + 1013904223u;
    at = self->seed % FILE_BYTES;
    len = MIN (1 + (self->seed >> 8) % (i % 10 == 0 ? MIB : 20000),
               FILE_BYTES - at);
    error = check_part (self->rig, self->source, at, len);
    g_assert_no_error (error);
  }
  return NULL;
}

static gpointer
read_through (gpointer data)
{
  Reader *self = data;

  check_all (self->rig, self->source, 256 * KIB);
  return NULL;
}

static void
least_memory (VixConnectParams *params, gpointer data)
{
  params->cache_bytes = 1; /* the least there is: 4 MiB */
  params->connections = 3;
}

/* Many at once, of more than there is memory for. */
static void
test_many_readers (void)
{
  g_autoptr (Rig) rig = rig_new (least_memory, FALSE);
  g_autoptr (VmdkSource) one = open_file (rig);
  g_autoptr (VmdkSource) other = open_file (rig);
  g_autofree char *json = NULL;
  GThread *threads[16];
  Reader readers[16];

  for (guint i = 0; i < 16; i++) {
    readers[i] = (Reader){ rig, i % 2 == 0 ? one : other, i };
    threads[i] = g_thread_new ("reader", i < 12 ? read_at_random : read_through,
                               &readers[i]);
  }
  for (guint i = 0; i < 16; i++)
    g_thread_join (threads[i]);
  /* Three for files; SOAP has two at most. */
  json = bed_ctl (rig->proxy, "counters");
  g_assert_cmpint (bed_number (json, "connected"), <=, 3 + 2);
}

/* What has no room is fetched again. */
static void
test_cache_has_its_size (void)
{
  g_autoptr (Rig) rig = rig_new (least_memory, FALSE);
  g_autoptr (VmdkSource) source = open_file (rig);
  guint64 once;

  check_all (rig, source, 128 * KIB);
  once = count_fetched (rig);
  check_all (rig, source, 128 * KIB);
  g_assert_cmpuint (count_fetched (rig) - once, >=, FILE_BYTES - 4 * MIB);
}

/* The same, whatever becomes of requests on the way. */
static void
test_many_readers_and_faults (void)
{
  static const char *const rules[] = {
    "times=5&action=drop-before",
    "times=5&action=drop-middle&reset=1",
    "times=2&action=stall",
    "times=5&action=status&code=503",
    "times=5&action=header&name=Content-Type",
  };
  g_autoptr (Rig) rig = rig_new (hasten, FALSE);
  g_autoptr (VmdkSource) source = open_file (rig);
  GThread *threads[16];
  Reader readers[16];

  for (gsize i = 0; i < G_N_ELEMENTS (rules); i++)
    g_free (bed_ctl (rig->proxy, "rule?method=folder&skip=%u&%s",
                     20 * (guint)(i + 1), rules[i]));
  for (guint i = 0; i < 16; i++) {
    readers[i] = (Reader){ rig, source, 100 + i };
    threads[i] = g_thread_new ("reader", read_at_random, &readers[i]);
  }
  for (guint i = 0; i < 16; i++)
    g_thread_join (threads[i]);
}

/* ---- one transfer for all ---- */

/* While the answer is held, the second reader sends nothing. */
static void
test_one_transfer_for_two (void)
{
  g_autoptr (Rig) rig = rig_new (NULL, FALSE);
  g_autoptr (VmdkSource) source = open_file (rig);
  GThread *threads[2];
  Reader readers[2];
  gint64 before = bed_count (rig->sim, "folder GET");

  g_free (bed_ctl (rig->proxy, "rule?method=folder&action=delay&ms=500"));
  for (guint i = 0; i < 2; i++) {
    readers[i] = (Reader){ rig, source, 0 };
    threads[i]
      = g_thread_new ("reader", (GThreadFunc)read_through, &readers[i]);
  }
  for (guint i = 0; i < 2; i++)
    g_thread_join (threads[i]);
  g_assert_cmpuint (count_fetched (rig), <, FILE_BYTES + MIB);
  g_assert_cmpint (bed_count (rig->sim, "folder GET") - before, <, 60);
}

static void
test_kept_between_openings (void)
{
  g_autoptr (Rig) rig = rig_new (NULL, FALSE);
  g_autoptr (VmdkSource) first = open_file (rig);
  guint64 once;

  check_all (rig, first, MIB);
  once = count_fetched (rig);
  g_clear_pointer (&first, vmdk_source_free);
  first = open_file (rig);
  check_all (rig, first, MIB);
  g_assert_cmpuint (count_fetched (rig), ==, once);
  g_clear_pointer (&first, vmdk_source_free);
  /* Another file of that name is read anew. */
  change_file (rig);
  first = open_file (rig);
  check_all (rig, first, MIB);
  g_assert_cmpuint (count_fetched (rig), >=, once + FILE_BYTES - 16 * KIB);
}

/* ---- what goes wrong on the way ---- */

static void
test_faults_are_not_seen (gconstpointer data)
{
  g_autoptr (Rig) rig = rig_new (hasten, FALSE);
  g_autoptr (VmdkSource) source = open_file (rig);
  g_autofree char *json = NULL;

  g_free (
    bed_ctl (rig->proxy, "rule?method=folder&skip=1&%s", (const char *)data));
  check_all (rig, source, 512 * KIB);
  json = bed_ctl (rig->proxy, "rules");
  g_assert_cmpint (bed_number (json, "hits"), >, 0);
}

/* Half of an answer is lost each time: 1 + 1/2 + 1/4 + 1/8 MiB are asked for,
 * not the whole part again and again. */
static void
test_the_rest_is_asked_for (void)
{
  g_autoptr (Rig) rig = rig_new (hasten, FALSE);
  g_autoptr (VmdkSource) source = open_file (rig);
  gint64 before = count_promised (rig);
  g_autoptr (GError) error = NULL;

  g_free (
    bed_ctl (rig->proxy, "rule?method=folder&times=3&action=drop-middle"));
  error = check_part (rig, source, 4 * MIB, MIB);
  g_assert_no_error (error);
  g_assert_cmpint (count_promised (rig) - before, >, 3 * MIB / 2);
  g_assert_cmpint (count_promised (rig) - before, <, 2 * MIB);
}

/* The beginning comes in pieces then, all of one file. */
static void
test_faults_while_opening (gconstpointer data)
{
  g_autoptr (Rig) rig = rig_new (hasten, FALSE);
  g_autoptr (VmdkSource) source = NULL;
  g_autofree char *json = NULL;

  g_free (bed_ctl (rig->proxy, "rule?method=folder&%s", (const char *)data));
  source = open_file (rig);
  json = bed_ctl (rig->proxy, "rules");
  g_assert_cmpint (bed_number (json, "hits"), >, 0);
  check_all (rig, source, 512 * KIB);
}

static void
test_session_expires (void)
{
  g_autoptr (Rig) rig = rig_new (hasten, FALSE);
  g_autoptr (VmdkSource) source = open_file (rig);

  for (gsize at = 0; at < FILE_BYTES; at += 4 * MIB) {
    g_autoptr (GError) error
      = check_part (rig, source, at, MIN (4 * MIB, FILE_BYTES - at));

    g_assert_no_error (error);
    g_free (bed_ctl (rig->sim, "session/expire"));
  }
}

static gpointer
restart_twice (gpointer data)
{
  Rig *rig = data;

  g_free (bed_ctl (rig->sim, "restart?down=1000&starting=500"));
  g_free (bed_ctl (rig->proxy, "down"));
  g_free (bed_ctl (rig->proxy, "drop?reset=1"));
  g_usleep (1500000);
  g_free (bed_ctl (rig->proxy, "up"));
  return NULL;
}

/* The host goes away twice in the middle of it. */
static void
test_host_is_away (void)
{
  g_autoptr (Rig) rig = rig_new (hasten, FALSE);
  g_autoptr (VmdkSource) source = open_file (rig);
  g_autoptr (GError) error = check_part (rig, source, 0, MIB);
  GThread *thread = g_thread_new ("restart", restart_twice, rig);

  g_assert_no_error (error);
  for (gsize at = MIB; at < FILE_BYTES; at += MIB) {
    g_autoptr (GError) failure
      = check_part (rig, source, at, MIN (MIB, FILE_BYTES - at));

    g_assert_no_error (failure);
    g_usleep (100000); /* so that it lasts as long as the host is away */
  }
  g_thread_join (thread);
}

/* ---- what is refused ---- */

typedef struct {
  const char *name;
  const char *rule;
  int code;
  const char *text;
} Refusal;

static const Refusal refusals[] = {
  { "another-part",
    "action=header&name=Content-Range&value=bytes%200-16383/25166601",
    VIX_E_NET_HTTP_HTTP_RETURNED_ERROR, "another part" },
  { "no-word-on-the-part", "action=header&name=Content-Range",
    VIX_E_NET_HTTP_HTTP_RETURNED_ERROR, "which part" },
  { "all-of-it", "action=header&name=Content-Range&code=200",
    VIX_E_NET_HTTP_HTTP_RETURNED_ERROR, "all of it" },
  { "compressed", "action=header&name=Content-Encoding&value=gzip",
    VIX_E_NET_HTTP_HTTP_RETURNED_ERROR, "compressed" },
  { "redirected", "action=redirect&url=https://127.0.0.1:1/",
    VIX_E_NET_HTTP_HTTP_RETURNED_ERROR, "elsewhere" },
  { "gone", "action=status&code=404", VIX_E_FILE_NOT_FOUND, "no such file" },
  { "locked", "action=status&code=500", VIX_E_FILE_ALREADY_LOCKED,
    "running virtual machine" },
  { "other-time",
    "action=header&name=Last-Modified&value=Mon,%2001%20Jan%202024%2000:00:00%"
    "20GMT",
    VIX_E_FILE_ERROR, "changed" },
};

static void
test_refused (gconstpointer data)
{
  const Refusal *refusal = data;
  g_autoptr (Rig) rig = rig_new (hasten, FALSE);
  g_autoptr (VmdkSource) source = open_file (rig);
  g_autoptr (GError) error = NULL;
  g_autoptr (GError) again = NULL;

  g_free (bed_ctl (rig->proxy, "rule?method=folder&times=0&%s", refusal->rule));
  error = check_part (rig, source, 12 * MIB, 4 * KIB);
  g_assert_error (error, VIX_ERROR, refusal->code);
  g_assert_nonnull (strstr (error->message, refusal->text));
  g_assert_nonnull (strstr (error->message, PATH));
  /* Only a file that was changed is not tried again. */
  g_free (bed_ctl (rig->proxy, "clear"));
  again = check_part (rig, source, 12 * MIB, 4 * KIB);
  if (refusal->code == VIX_E_FILE_ERROR)
    g_assert_error (again, VIX_ERROR, VIX_E_FILE_ERROR);
  else
    g_assert_no_error (again);
}

/* Its bytes change while it is open. */
static void
test_changed (void)
{
  g_autoptr (Rig) rig = rig_new (NULL, FALSE);
  g_autoptr (VmdkSource) source = open_file (rig);
  g_autoptr (VmdkSource) live = open_path (rig, PATH, FALSE, NULL);
  g_autoptr (GError) error = check_part (rig, source, 0, MIB);
  g_autoptr (GError) failure = NULL;
  g_autoptr (GError) none = NULL;

  g_assert_no_error (error);
  change_file (rig);
  failure = check_part (rig, source, 20 * MIB, MIB);
  g_assert_error (failure, VIX_ERROR, VIX_E_FILE_ERROR);
  g_clear_error (&failure);
  /* What had come before is not to be had any more either. */
  failure = check_part (rig, source, 0, 1);
  g_assert_error (failure, VIX_ERROR, VIX_E_FILE_ERROR);
  none = check_part (rig, live, 20 * MIB, MIB);
  g_assert_no_error (none);
  g_clear_pointer (&source, vmdk_source_free);
  source = open_file (rig);
  check_all (rig, source, MIB);
}

static void
assert_cannot_open (Rig *rig, const char *path, int code, const char *text)
{
  g_autoptr (GError) error = NULL;
  VmdkSource *source = open_path (rig, path, TRUE, &error);

  g_assert_null (source);
  g_assert_error (error, VIX_ERROR, code);
  g_assert_nonnull (strstr (error->message, text));
  g_assert_nonnull (strstr (error->message, path));
}

static void
test_not_to_be_opened (void)
{
  static const char extent[]
    = "[LocalDS_0] vm00000/vm00000-000001-sesparse.vmdk";
  static const char base[] = "[LocalDS_0] vm00000/vm00000-flat.vmdk";
  g_autoptr (Rig) rig = rig_new (hasten, TRUE);
  g_autoptr (VmdkSource) source = NULL;

  assert_cannot_open (rig, "[LocalDS_0] nowhere/a.vmdk", VIX_E_FILE_NOT_FOUND,
                      "no such file");
  assert_cannot_open (rig, "no path", VIX_E_FILE_NAME_INVALID, "[datastore]");
  /* What a running machine writes; what it reads can be read. */
  g_free (bed_ctl (rig->sim, "power?vm=vm00000&state=on"));
  assert_cannot_open (rig, extent, VIX_E_FILE_ALREADY_LOCKED, "running");
  source = open_path (rig, base, TRUE, NULL);
  g_assert_nonnull (source);
  /* A host that says 403 of a file: it is the file, or the user. */
  g_free (
    bed_ctl (rig->sim, "file?path=[LocalDS_0]%%20data/x.vmdk&status=403"));
  assert_cannot_open (rig, "[LocalDS_0] data/x.vmdk", VIX_E_FILE_ALREADY_LOCKED,
                      "running");
  g_free (bed_ctl (rig->sim, "set?deny=Datastore.FileManagement"));
  assert_cannot_open (rig, base, VIX_E_HOST_USER_PERMISSIONS,
                      "Datastore.FileManagement");
}

static void
await_store_type (Rig *rig, const char *type)
{
  VsphereHost *host = rig->bed->host;
  gint64 end = g_get_monotonic_time () + 60 * G_USEC_PER_SEC;
  gboolean known = FALSE;

  while (!known) {
    g_assert_cmpint (g_get_monotonic_time (), <, end);
    g_usleep (10000);
    vix_lock (&host->lock);
    known = g_strcmp0 (vsphere_mirror_get_store_type (
                         host->mirror, "ha-datacenter", "LocalDS_0"),
                       type)
            == 0;
    vix_unlock (&host->lock);
  }
}

static void
test_objects_are_no_files (void)
{
  g_autoptr (Rig) rig = rig_new (hasten, TRUE);
  g_autoptr (VmdkSource) descriptor = NULL;
  g_autofree char *reply
    = bed_ctl (rig->sim, "datastore/set?datastore=LocalDS_0&type=vsan");

  await_store_type (rig, "vsan");
  assert_cannot_open (rig, "[LocalDS_0] vm00000/vm00000-flat.vmdk",
                      VIX_E_NOT_SUPPORTED, "vSAN");
  assert_cannot_open (rig, "[LocalDS_0] vm00000/vsan://4d1e2f",
                      VIX_E_NOT_SUPPORTED, "vSAN");
  assert_cannot_open (rig, "[LocalDS_0] vm00000/none.log", VIX_E_FILE_NOT_FOUND,
                      "no such file");
  descriptor = open_path (rig, "[LocalDS_0] vm00000/vm00000.vmdk", TRUE, NULL);
  g_assert_nonnull (descriptor);
}

static void
test_small_files (void)
{
  g_autoptr (Rig) rig = rig_new (NULL, FALSE);
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) empty = NULL;
  g_autoptr (GBytes) text = NULL;
  g_autoptr (GBytes) big = NULL;
  gint64 before;

  bed_put_file (rig->sim, "[LocalDS_0] data/empty", "", 0, 0);
  bed_put_file (rig->sim, "[LocalDS_0] data/text", "hello\n", 6, 0);
  empty
    = vsphere_datastore_read_all (rig->bed->host, "ha-datacenter",
                                  "[LocalDS_0] data/empty", 10, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (g_bytes_get_size (empty), ==, 0);
  before = bed_count (rig->sim, "folder GET");
  text = vsphere_datastore_read_all (rig->bed->host, "ha-datacenter",
                                     "[LocalDS_0] data/text", 10, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpmem (g_bytes_get_data (text, NULL), g_bytes_get_size (text),
                   "hello\n", 6);
  g_assert_cmpint (bed_count (rig->sim, "folder GET"), ==, before + 1);
  big = vsphere_datastore_read_all (rig->bed->host, "ha-datacenter", PATH, 10,
                                    NULL, &error);
  g_assert_null (big);
  g_assert_error (error, VIX_ERROR, VIX_E_FILE_TOO_BIG);
}

/* ---- ending ---- */

typedef struct {
  Rig *rig;
  GCancellable *cancellable;
} Canceller;

static gpointer
cancel_when_asked (gpointer data)
{
  Canceller *self = data;

  g_free (bed_ctl (self->rig->proxy, "wait?rule=1&ms=60000"));
  g_cancellable_cancel (self->cancellable);
  return NULL;
}

/* A host that never answers keeps nobody who is told to stop. */
static void
test_cancel (void)
{
  g_autoptr (Rig) rig = rig_new (NULL, FALSE);
  g_autoptr (VmdkSource) source = open_file (rig);
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  Canceller canceller = { rig, cancellable };
  g_autoptr (GError) error = NULL;
  GThread *thread;

  g_free (bed_ctl (rig->proxy, "rule?method=folder&times=0&action=blackhole"));
  thread = g_thread_new ("cancel", cancel_when_asked, &canceller);
  g_cancellable_push_current (cancellable);
  error = check_part (rig, source, 5 * MIB, 10);
  g_cancellable_pop_current (cancellable);
  g_assert_error (error, VIX_ERROR, VIX_E_CANCELLED);
  g_thread_join (thread);
}

/* Files outlive their host, to be closed. */
static void
test_disconnect (void)
{
  g_autoptr (Rig) rig = rig_new (NULL, FALSE);
  g_autoptr (VmdkSource) source = open_file (rig);
  g_autoptr (GError) error = check_part (rig, source, 0, 4 * MIB);

  g_assert_no_error (error);
  error = check_part (rig, source, 4 * MIB, 4 * MIB);
  g_assert_no_error (error);
  g_clear_pointer (&rig->bed, bed_free);
  error = check_part (rig, source, 0, 1);
  g_assert_error (error, VIX_ERROR, VIX_E_FILE_ERROR);
}

static const struct {
  const char *name;
  const char *rule;
} faults[] = {
  { "lost-before", "times=5&action=drop-before" },
  { "lost-in-the-middle", "times=8&action=drop-middle&reset=1" },
  { "stopping", "times=3&action=stall" },
  { "unavailable", "times=5&action=status&code=503" },
  { "slow-to-begin", "times=3&action=delay&ms=400" },
};

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/transfer/sequential", test_sequential);
  g_test_add_func ("/transfer/end", test_end);
  g_test_add_func ("/transfer/random-reads-fetch-little",
                   test_random_reads_fetch_little);
  g_test_add_func ("/transfer/many-readers", test_many_readers);
  g_test_add_func ("/transfer/cache-has-its-size", test_cache_has_its_size);
  g_test_add_func ("/transfer/many-readers-and-faults",
                   test_many_readers_and_faults);
  g_test_add_func ("/transfer/one-for-two", test_one_transfer_for_two);
  g_test_add_func ("/transfer/kept-between-openings",
                   test_kept_between_openings);
  for (gsize i = 0; i < G_N_ELEMENTS (faults); i++) {
    g_autofree char *name
      = g_strconcat ("/transfer/fault/", faults[i].name, NULL);

    g_test_add_data_func (name, faults[i].rule, test_faults_are_not_seen);
    g_clear_pointer (&name, g_free);
    name = g_strconcat ("/transfer/fault-while-opening/", faults[i].name, NULL);
    g_test_add_data_func (name, faults[i].rule, test_faults_while_opening);
  }
  g_test_add_func ("/transfer/the-rest-is-asked-for",
                   test_the_rest_is_asked_for);
  g_test_add_func ("/transfer/session-expires", test_session_expires);
  g_test_add_func ("/transfer/host-is-away", test_host_is_away);
  for (gsize i = 0; i < G_N_ELEMENTS (refusals); i++) {
    g_autofree char *name
      = g_strconcat ("/transfer/refused/", refusals[i].name, NULL);

    g_test_add_data_func (name, &refusals[i], test_refused);
  }
  g_test_add_func ("/transfer/changed", test_changed);
  g_test_add_func ("/transfer/not-to-be-opened", test_not_to_be_opened);
  g_test_add_func ("/transfer/objects-are-no-files", test_objects_are_no_files);
  g_test_add_func ("/transfer/small-files", test_small_files);
  g_test_add_func ("/transfer/cancel", test_cancel);
  g_test_add_func ("/transfer/disconnect", test_disconnect);
  return g_test_run ();
}
