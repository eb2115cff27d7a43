/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Usage: make-delta KIND FILE CID PARENT-CID PARENT-FILE PARENT-RAW RAW
 *
 * Writes FILE, a descriptor, and its extent beside it: what hosts have as a
 * disk's link whose guest wrote until PARENT-RAW became RAW. KIND is vmfs (a
 * base: PARENT-* are not looked at), cowd or sesparse. CIDs are hexadecimal.
 */
#include <stdlib.h>
#include <string.h>

#include "image-writer.h"

typedef struct {
  const char *kind;
  const char *create_type;
  const char *extent_type;
  const char *suffix;
  ImageFormat format;
  guint32 grain;
} Kind;

static const Kind kinds[] = {
  { "vmfs", "vmfs", "VMFS", "-flat.vmdk", 0, 0 },
  { "cowd", "vmfsSparse", "VMFSSPARSE", "-delta.vmdk", IMAGE_COWD, 1 },
  { "sesparse", "seSparse", "SESPARSE", "-sesparse.vmdk", IMAGE_SESPARSE, 8 },
};

static void
check (gboolean ok, GError *error)
{
  if (!ok)
    g_error ("%s", error->message);
}

static char *
load (const char *file, gsize *ret_len)
{
  GError *error = NULL;
  char *data = NULL;

  check (g_file_get_contents (file, &data, ret_len, &error), error);
  return data;
}

static void
save (const char *file, gconstpointer data, gsize len)
{
  GError *error = NULL;

  check (g_file_set_contents (file, data, (gssize)len, &error), error);
}

static void
write_extent (const Kind *kind, const char *file, const char *parent_file,
              const char *raw, gsize len)
{
  guint64 sectors = len / VMDK_SECTOR;
  guint64 n = image_count_grains (sectors, kind->grain);
  g_autofree guint8 *states = g_new0 (guint8, n);
  gsize parent_len = 0;
  g_autofree char *parent = load (parent_file, &parent_len);
  ImageSpec spec = { .format = kind->format,
                     .sectors = sectors,
                     .grain = kind->grain,
                     .per_table = 4096,
                     .content = (const guint8 *)raw,
                     .states = states,
                     .sparse_tables = kind->format == IMAGE_COWD };
  GByteArray *image;

  g_assert_cmpuint (parent_len, ==, len);
  for (guint64 i = 0; i < n; i++) {
    gsize at = i * kind->grain * VMDK_SECTOR;
    gsize part = MIN (len - at, (gsize)kind->grain * VMDK_SECTOR);

    states[i] = memcmp (raw + at, parent + at, part) == 0 ? VMDK_UNALLOCATED
                                                          : VMDK_DATA;
  }
  image = image_write (&spec);
  save (file, image->data, image->len);
  g_byte_array_unref (image);
}

int
main (int argc, char **argv)
{
  const Kind *kind = NULL;
  g_autofree char *stem = NULL;
  g_autofree char *extent = NULL;
  g_autofree char *extent_name = NULL;
  g_autofree char *text = NULL;
  g_autofree char *raw = NULL;
  gboolean base;
  gsize len = 0;

  g_assert_cmpint (argc, ==, 8);
  for (gsize i = 0; i < G_N_ELEMENTS (kinds); i++)
    if (strcmp (kinds[i].kind, argv[1]) == 0)
      kind = &kinds[i];
  g_assert_nonnull (kind);
  base = kind->grain == 0;
  stem = g_strndup (argv[2], strlen (argv[2]) - strlen (".vmdk"));
  extent = g_strconcat (stem, kind->suffix, NULL);
  extent_name = g_path_get_basename (extent);
  raw = load (argv[7], &len);
  text = image_descriptor ((guint32)strtoul (argv[3], NULL, 16),
                           base ? VMDK_NO_PARENT_CID
                                : (guint32)strtoul (argv[4], NULL, 16),
                           base ? NULL : argv[5], kind->create_type,
                           len / VMDK_SECTOR, kind->extent_type, extent_name);
  save (argv[2], text, strlen (text));
  if (base)
    save (extent, raw, len);
  else
    write_extent (kind, extent, argv[6], raw, len);
  return 0;
}
