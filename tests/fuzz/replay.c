/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Feeds whole files to a fuzz target: the kept corpus and past findings, in a
 * plain test run and without a fuzzer. Arguments are files or directories.
 */
#include <glib.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

static guint
replay_file (const char *path)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *data = NULL;
  gsize len;

  if (!g_file_get_contents (path, &data, &len, &error))
    g_error ("%s", error->message);
  g_print ("# %s\n", path);
  LLVMFuzzerTestOneInput ((const uint8_t *)data, len);
  return 1;
}

static guint
replay (const char *path)
{
  g_autoptr (GDir) dir = g_dir_open (path, 0, NULL);
  const char *name;
  guint n = 0;

  if (dir == NULL)
    return replay_file (path);
  while ((name = g_dir_read_name (dir)) != NULL) {
    g_autofree char *full = g_build_filename (path, name, NULL);

    n += replay_file (full);
  }
  return n;
}

int
main (int argc, char **argv)
{
  guint n = 0;

  LLVMFuzzerTestOneInput ((const uint8_t *)"", 0);
  for (int i = 1; i < argc; i++)
    n += replay (argv[i]);
  g_print ("1..1\n%s 1 %u inputs\n", n > 0 ? "ok" : "not ok", n);
  return n > 0 ? 0 : 1;
}
