/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Where the password is, once we are logged in: in the pages that no core dump
 * has, and nowhere else in memory, in no text and in no log.
 *
 * The program runs itself once more with "--probe URL SHA-256 USER", gives it
 * the password through a pipe, and has it look for it in its own memory.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/secret.h"
#include "bed.h"
#include "vsphere/provider.h"

#define PASSWORD "Tq7-umbrella-91"
/* The probe's own notes of it must not be found. */
#define MASK 0x2a

static const char *program;

/* ---- the probe ---- */

static char masked[64];
static gsize masked_len;

static gboolean
is_there (const guint8 *at)
{
  for (gsize i = 0; i < masked_len; i++)
    if ((at[i] ^ MASK) != (guint8)masked[i])
      return FALSE;
  return TRUE;
}

/* How often the password is in [start, end). */
static int
count_in (int mem, unsigned long start, unsigned long end, guint8 *buffer)
{
  int n = 0;

  for (; start < end; start += 1 << 20) {
    gsize len = MIN (end - start, (1 << 20) + sizeof masked);
    gssize got = pread (mem, buffer, len, (off_t)start);

    for (gssize i = 0; i + (gssize)masked_len <= got && i < 1 << 20; i++)
      n += is_there (buffer + i);
  }
  return n;
}

typedef struct {
  int dumped; /* copies that a core dump would have */
  int kept;   /* and those that it would not */
} Copies;

static Copies
count_copies (void)
{
  Copies copies = { 0, 0 };
  guint8 *buffer = mmap (NULL, 2 << 20, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  unsigned long start = 0, end = 0;
  int mem = open ("/proc/self/mem", O_RDONLY | O_CLOEXEC), n = 0;
  g_autofree char *smaps = NULL;
  g_auto (GStrv) lines = NULL;

  g_assert_true (g_file_get_contents ("/proc/self/smaps", &smaps, NULL, NULL));
  lines = g_strsplit (smaps, "\n", -1);
  for (gsize i = 0; lines[i] != NULL; i++) {
    char mode[8];
    unsigned long from, to;

    if (sscanf (lines[i], "%lx-%lx %7s", &from, &to, mode) == 3) {
      start = from;
      end = (gsize)buffer >= from && (gsize)buffer < to ? from : to;
      n = mode[1] == 'w' ? count_in (mem, start, end, buffer) : 0;
    } else if (g_str_has_prefix (lines[i], "VmFlags:")) {
      *(strstr (lines[i], " dd") != NULL ? &copies.kept : &copies.dumped) += n;
      n = 0;
    }
  }
  close (mem);
  munmap (buffer, 2 << 20);
  return copies;
}

/* From standard input into pages that are wiped. */
static char *
read_password (void)
{
  char *page = mmap (NULL, 4096, PROT_READ | PROT_WRITE,
                     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  gssize n = read (0, page, sizeof masked);

  g_assert_cmpint (n, >, 8);
  masked_len = (gsize)n;
  for (gsize i = 0; i < masked_len; i++)
    masked[i] = (char)(page[i] ^ MASK);
  return page;
}

static int
probe (char **argv)
{
  char *password = read_password ();
  VixConnectParams params = { .host_type = VIX_SERVICEPROVIDER_VMWARE_VI_SERVER,
                              .host_name = argv[2],
                              .thumbprint = argv[3],
                              .user_name = argv[4],
                              .password = password,
                              .verify_ssl = TRUE };
  VixInventory *inventory = vix_inventory_new ();
  VixOp op = { .cancellable = g_cancellable_new () };
  g_autoptr (GError) error = NULL;
  gpointer host
    = vsphere_provider_ops.connect (&params, inventory, &op, &error);
  Copies copies;
  char *copy = g_strdup (password);

  /* A copy would be found. */
  explicit_bzero (password, 4096);
  printf ("control %d\n", count_copies ().dumped);
  vix_secret_wipe (copy);
  copies = count_copies ();
  printf ("connected %d kept %d dumped %d\n", host != NULL, copies.kept,
          copies.dumped);
  if (host != NULL) {
    vsphere_provider_ops.disconnect (host);
    copies = count_copies ();
    printf ("disconnected kept %d dumped %d\n", copies.kept, copies.dumped);
  } else {
    printf ("%s\n", error->message);
  }
  vix_inventory_free (inventory);
  g_object_unref (op.cancellable);
  return 0;
}

/* ---- the tests ---- */

/* (transfer full): what the probe printed */
static char *
run_probe (const BedServer *sim, const char *password)
{
  const char *argv[]
    = { program, "--probe", sim->url, sim->sha256, sim->user, NULL };
  g_autoptr (GSubprocess) child = NULL;
  g_autoptr (GError) error = NULL;
  char *output = NULL;

  child = g_subprocess_newv (argv,
                             G_SUBPROCESS_FLAGS_STDIN_PIPE
                               | G_SUBPROCESS_FLAGS_STDOUT_PIPE
                               | G_SUBPROCESS_FLAGS_STDERR_MERGE,
                             &error);
  g_assert_no_error (error);
  g_assert_true (g_subprocess_communicate_utf8 (child, password, NULL, &output,
                                                NULL, &error));
  g_assert_no_error (error);
  g_test_message ("%s", output);
  g_assert_true (g_subprocess_get_successful (child));
  return output;
}

static void
test_memory (void)
{
  g_autoptr (BedServer) sim
    = bed_sim_new ("-kind esx -vms 1 -password " PASSWORD);
  g_autofree char *output = run_probe (sim, PASSWORD);

  g_assert_nonnull (strstr (output, "control 1\n"));
  g_assert_nonnull (strstr (output, "connected 1 kept 1 dumped 0\n"));
  g_assert_nonnull (strstr (output, "disconnected kept 0 dumped 0\n"));
}

static void
test_refused (void)
{
  g_autoptr (BedServer) sim = bed_sim_new ("-kind esx -vms 1");
  g_autofree char *output = run_probe (sim, PASSWORD);

  g_assert_nonnull (strstr (output, "connected 0 kept 0 dumped 0\n"));
  g_assert_null (strstr (output, PASSWORD));
}

/* All that is logged for debugging, of logins that succeed and fail, of a
 * session that ends and of what goes on in it. */
static void
test_log (void)
{
  g_autoptr (BedServer) sim
    = bed_sim_new ("-kind esx -vms 1 -password " PASSWORD);
  const char *argv[] = { program,   "--log",      sim->url, sim->sha256,
                         sim->user, sim->control, NULL };
  g_autoptr (GSubprocess) child = NULL;
  g_autoptr (GSubprocessLauncher) launcher = g_subprocess_launcher_new (
    G_SUBPROCESS_FLAGS_STDIN_PIPE | G_SUBPROCESS_FLAGS_STDOUT_PIPE
    | G_SUBPROCESS_FLAGS_STDERR_MERGE);
  g_autoptr (GError) error = NULL;
  g_autofree char *output = NULL;

  g_subprocess_launcher_setenv (launcher, "G_MESSAGES_DEBUG", "all", TRUE);
  child = g_subprocess_launcher_spawnv (launcher, argv, &error);
  g_assert_no_error (error);
  g_assert_true (g_subprocess_communicate_utf8 (child, PASSWORD, NULL, &output,
                                                NULL, &error));
  g_assert_no_error (error);
  g_assert_true (g_subprocess_get_successful (child));
  g_assert_nonnull (strstr (output, "Login on SessionManager"));
  g_assert_nonnull (strstr (output, "logged in again"));
  g_assert_null (strstr (output, PASSWORD));
  g_assert_null (strstr (output, "vmware_soap_session"));
}

/* The program whose log is read. */
static int
log_all (char **argv)
{
  char *password = read_password ();
  BedServer server = { .url = argv[2],
                       .sha256 = argv[3],
                       .user = argv[4],
                       .control = argv[5],
                       .password = password };
  g_autoptr (GError) error = NULL;
  Bed *bed = bed_connect (&server, NULL, NULL, &error);
  g_autofree char *id = NULL;

  g_assert_no_error (error);
  bed_watch (bed);
  id = bed_vm_id (bed, "vm00000");
  g_assert_cmpint (bed_create (bed, id, "a", &error), >, 0);
  g_free (bed_ctl (&server, "session/expire"));
  g_assert_cmpint (bed_create (bed, id, "b", &error), >, 0);
  printf ("logged in again\n");
  bed_free (bed);
  server.password = (char *)"wrong-" PASSWORD;
  g_assert_null (bed_connect (&server, NULL, NULL, &error));
  printf ("%s\n", error->message);
  return 0;
}

int
main (int argc, char **argv)
{
  if (argc == 5 && strcmp (argv[1], "--probe") == 0)
    return probe (argv);
  if (argc == 6 && strcmp (argv[1], "--log") == 0)
    return log_all (argv);
  program = argv[0];
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/vsphere/secrets/log", test_log);
  /* Sanitizers keep what was freed, and more memory than can be read. */
  if (!SANITIZED) {
    g_test_add_func ("/vsphere/secrets/memory", test_memory);
    g_test_add_func ("/vsphere/secrets/memory-when-refused", test_refused);
  }
  return g_test_run ();
}
