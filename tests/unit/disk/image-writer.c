/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "image-writer.h"

#include <string.h>
#include <zlib.h>

#define SECTOR 512u

void
image_put32 (GByteArray *image, gsize offset, guint32 value)
{
  g_assert_cmpuint (offset + 4, <=, image->len);
  value = GUINT32_TO_LE (value);
  memcpy (image->data + offset, &value, 4);
}

void
image_put64 (GByteArray *image, gsize offset, guint64 value)
{
  g_assert_cmpuint (offset + 8, <=, image->len);
  value = GUINT64_TO_LE (value);
  memcpy (image->data + offset, &value, 8);
}

guint32
image_get32 (const GByteArray *image, gsize offset)
{
  guint32 value;

  g_assert_cmpuint (offset + 4, <=, image->len);
  memcpy (&value, image->data + offset, 4);
  return GUINT32_FROM_LE (value);
}

guint64
image_get64 (const GByteArray *image, gsize offset)
{
  return image_get32 (image, offset)
         | (guint64)image_get32 (image, offset + 4) << 32;
}

/* Grows to @sectors sectors, with zeros. */
static void
extend (GByteArray *image, guint64 sectors)
{
  guint old = image->len;

  g_assert_cmpuint (sectors * SECTOR, >=, old);
  g_byte_array_set_size (image, (guint)(sectors * SECTOR));
  memset (image->data + old, 0, image->len - old);
}

static guint64
ceil_div (guint64 n, guint64 by)
{
  return (n + by - 1) / by;
}

guint64
image_count_grains (guint64 sectors, guint32 grain)
{
  return ceil_div (sectors, grain);
}

guint8 *
image_random_states (GRand *rand, guint64 n, gboolean zeros)
{
  static const guint8 kinds[] = { VMDK_UNALLOCATED, VMDK_DATA, VMDK_ZERO };
  guint8 *states = g_malloc (n);

  for (guint64 i = 0; i < n; i++)
    states[i] = kinds[g_rand_int_range (rand, 0, zeros ? 3 : 2)];
  return states;
}

guint8 *
image_random_content (GRand *rand, guint64 sectors)
{
  guint8 *content = g_malloc (sectors * SECTOR);

  for (guint64 i = 0; i < sectors * SECTOR; i += 4) {
    guint32 value = g_rand_int (rand);

    memcpy (content + i, &value, 4);
  }
  return content;
}

char *
image_descriptor (guint32 cid, guint32 parent_cid, const char *hint,
                  const char *create_type, guint64 sectors,
                  const char *extent_type, const char *file)
{
  g_autofree char *hint_line
    = hint != NULL ? g_strdup_printf ("parentFileNameHint=\"%s\"\n", hint)
                   : g_strdup ("");

  return g_strdup_printf ("# Disk DescriptorFile\nversion=1\nCID=%08x\n"
                          "parentCID=%08x\ncreateType=\"%s\"\n%s"
                          "# Extent description\n"
                          "RW %" G_GUINT64_FORMAT " %s \"%s\"%s\n\n"
                          "# The Disk Data Base \n#DDB\n\n"
                          "ddb.adapterType = \"lsilogic\"\n",
                          cid, parent_cid, create_type, hint_line, sectors,
                          extent_type, file,
                          strcmp (extent_type, "FLAT") == 0 ? " 0" : "");
}

/* Appends grain @i, as long as it lies on the disk, in whole grains. */
static void
append_grain (GByteArray *image, const ImageSpec *spec, guint64 i)
{
  guint64 start = i * spec->grain;
  guint64 n = MIN (spec->grain, spec->sectors - start);
  guint old = image->len;

  extend (image, old / SECTOR + spec->grain);
  memcpy (image->data + old, spec->content + start * SECTOR, (gsize)n * SECTOR);
}

static gboolean
table_is_used (const ImageSpec *spec, guint64 table)
{
  guint64 n = image_count_grains (spec->sectors, spec->grain);
  guint64 first = table * spec->per_table;

  for (guint64 i = first; i < MIN (first + spec->per_table, n); i++)
    if (spec->states[i] != VMDK_UNALLOCATED)
      return TRUE;
  return !spec->sparse_tables;
}

/* --- hosted sparse ----------------------------------------------------- */

static void
put_kdmv_header (GByteArray *image, const ImageSpec *spec, gsize at, guint64 gd,
                 guint64 rgd, guint64 overhead)
{
  gboolean stream = spec->format == IMAGE_STREAM;

  memcpy (image->data + at, "KDMV", 4);
  image_put32 (image, at + 4, stream ? 3 : 2);
  image_put32 (image, at + 8, stream ? 0x30005 : (rgd != 0 ? 7 : 5));
  image_put64 (image, at + 12, spec->sectors);
  image_put64 (image, at + 20, spec->grain);
  image_put64 (image, at + 28, spec->descriptor != NULL ? 1 : 0);
  image_put64 (image, at + 36, spec->descriptor != NULL ? 20 : 0);
  image_put32 (image, at + 44, spec->per_table);
  image_put64 (image, at + 48, rgd);
  image_put64 (image, at + 56, gd);
  image_put64 (image, at + 64, overhead);
  memcpy (image->data + at + 73, "\n \r\n", 4);
  image->data[at + 77] = stream ? 1 : 0;
}

static void
put_descriptor (GByteArray *image, const ImageSpec *spec)
{
  if (spec->descriptor != NULL)
    memcpy (image->data + SECTOR, spec->descriptor, strlen (spec->descriptor));
}

/* A directory at sector @at with its tables behind it; returns the next
 * sector. */
static guint64
lay_out_directory (GByteArray *image, const ImageSpec *spec, guint64 at)
{
  guint64 n = ceil_div (spec->sectors, (guint64)spec->grain * spec->per_table);
  guint64 step = ceil_div (spec->per_table * 4, SECTOR);
  guint64 next = at + ceil_div (n * 4, SECTOR);

  extend (image, next);
  for (guint64 t = 0; t < n; t++) {
    if (!table_is_used (spec, t))
      continue;
    image_put32 (image, at * SECTOR + t * 4, (guint32)next);
    next += step;
    extend (image, next);
  }
  return next;
}

static void
put_entry (GByteArray *image, const ImageSpec *spec, guint64 directory,
           guint64 grain, guint32 value)
{
  guint32 table
    = image_get32 (image, directory * SECTOR + grain / spec->per_table * 4);

  image_put32 (image, table * SECTOR + grain % spec->per_table * 4, value);
}

static GByteArray *
write_sparse (const ImageSpec *spec)
{
  GByteArray *image = g_byte_array_new ();
  guint64 n = image_count_grains (spec->sectors, spec->grain);
  guint64 rgd = 21;
  guint64 overhead;
  guint64 gd;

  extend (image, rgd);
  gd = lay_out_directory (image, spec, rgd);
  overhead = lay_out_directory (image, spec, gd);
  overhead = ceil_div (overhead, spec->grain) * spec->grain;
  extend (image, overhead);
  put_kdmv_header (image, spec, 0, gd, rgd, overhead);
  put_descriptor (image, spec);
  for (guint64 i = 0; i < n; i++) {
    guint32 entry = 1;

    if (spec->states[i] == VMDK_UNALLOCATED)
      continue;
    if (spec->states[i] == VMDK_DATA) {
      entry = image->len / SECTOR;
      append_grain (image, spec, i);
    }
    put_entry (image, spec, rgd, i, entry);
    put_entry (image, spec, gd, i, entry);
  }
  return image;
}

/* --- stream-optimized -------------------------------------------------- */

static void
append_marker (GByteArray *image, guint64 sectors, guint32 type)
{
  guint at = image->len;

  extend (image, at / SECTOR + 1);
  image_put64 (image, at, sectors);
  image_put32 (image, at + 12, type);
}

static void
append_compressed (GByteArray *image, const ImageSpec *spec, guint64 grain)
{
  guint64 start = grain * spec->grain;
  uLong bytes = spec->grain * SECTOR;
  uLongf out_bytes = compressBound (bytes);
  g_autofree guint8 *in = g_malloc0 (bytes);
  g_autofree guint8 *out = g_malloc (out_bytes);
  guint at = image->len;

  memcpy (in, spec->content + start * SECTOR,
          MIN (spec->grain, spec->sectors - start) * SECTOR);
  g_assert_cmpint (compress2 (out, &out_bytes, in, bytes, 9), ==, Z_OK);
  extend (image, ceil_div (at + 12 + out_bytes, SECTOR));
  image_put64 (image, at, start);
  image_put32 (image, at + 8, (guint32)out_bytes);
  memcpy (image->data + at + 12, out, out_bytes);
}

/* The grains of one table, then the table; returns its sector, 0 if none. */
static guint32
append_stream_table (GByteArray *image, const ImageSpec *spec, guint64 table)
{
  guint64 n = image_count_grains (spec->sectors, spec->grain);
  guint64 first = table * spec->per_table;
  g_autofree guint32 *entries = g_new0 (guint32, spec->per_table);
  guint64 sectors = ceil_div (spec->per_table * 4, SECTOR);
  guint at;

  if (!table_is_used (spec, table))
    return 0;
  for (guint64 i = first; i < MIN (first + spec->per_table, n); i++) {
    if (spec->states[i] == VMDK_DATA) {
      entries[i - first] = image->len / SECTOR;
      append_compressed (image, spec, i);
    } else if (spec->states[i] == VMDK_ZERO)
      entries[i - first] = 1;
  }
  append_marker (image, sectors, 1);
  at = image->len;
  extend (image, at / SECTOR + sectors);
  for (guint32 i = 0; i < spec->per_table; i++)
    image_put32 (image, at + i * 4, entries[i]);
  return at / SECTOR;
}

static GByteArray *
write_stream (const ImageSpec *spec)
{
  GByteArray *image = g_byte_array_new ();
  guint64 n = ceil_div (spec->sectors, (guint64)spec->grain * spec->per_table);
  g_autofree guint32 *directory = g_new0 (guint32, n);
  guint64 gd;

  extend (image, 128);
  put_kdmv_header (image, spec, 0, G_MAXUINT64, 0, 128);
  put_descriptor (image, spec);
  for (guint64 t = 0; t < n; t++)
    directory[t] = append_stream_table (image, spec, t);
  append_marker (image, ceil_div (n * 4, SECTOR), 2);
  gd = image->len / SECTOR;
  extend (image, gd + ceil_div (n * 4, SECTOR));
  for (guint64 t = 0; t < n; t++)
    image_put32 (image, gd * SECTOR + t * 4, directory[t]);
  append_marker (image, 1, 3);
  extend (image, image->len / SECTOR + 1);
  put_kdmv_header (image, spec, image->len - SECTOR, gd, 0, 128);
  append_marker (image, 0, 0);
  return image;
}

/* --- COWD -------------------------------------------------------------- */

static GByteArray *
write_cowd (const ImageSpec *spec)
{
  GByteArray *image = g_byte_array_new ();
  guint64 n = image_count_grains (spec->sectors, spec->grain);
  guint64 next;

  g_assert_cmpuint (spec->per_table, ==, 4096);
  extend (image, 4);
  next = lay_out_directory (image, spec, 4);
  memcpy (image->data, "COWD", 4);
  image_put32 (image, 4, 1);
  image_put32 (image, 8, 3);
  image_put32 (image, 12, (guint32)spec->sectors);
  image_put32 (image, 16, spec->grain);
  image_put32 (image, 20, 4);
  image_put32 (
    image, 24,
    (guint32)ceil_div (spec->sectors, (guint64)spec->grain * spec->per_table));
  extend (image, ceil_div (next, spec->grain) * spec->grain);
  for (guint64 i = 0; i < n; i++) {
    guint32 entry = image->len / SECTOR;

    if (spec->states[i] != VMDK_DATA)
      continue;
    append_grain (image, spec, i);
    put_entry (image, spec, 4, i, entry);
  }
  image_put32 (image, 28, image->len / SECTOR);
  return image;
}

/* --- SESparse ---------------------------------------------------------- */

static void
put_part (GByteArray *image, guint word, guint64 offset, guint64 size)
{
  image_put64 (image, word * 8, offset);
  image_put64 (image, word * 8 + 8, size);
}

static guint64
se_entry (guint64 index)
{
  return G_GUINT64_CONSTANT (3) << 60 | (index & 0xfff) << 48 | index >> 12;
}

static GByteArray *
write_sesparse (const ImageSpec *spec)
{
  GByteArray *image = g_byte_array_new ();
  guint64 n = image_count_grains (spec->sectors, 8);
  guint64 n_tables = ceil_div (n, 4096);
  guint64 directory_sectors = ceil_div (n_tables * 8, SECTOR);
  guint64 tables = 16 + directory_sectors;
  guint64 grains = ceil_div (tables + n_tables * 64, 8) * 8;
  guint64 used = 0;
  guint32 n_used = 0;

  g_assert_cmpuint (spec->grain, ==, 8);
  extend (image, grains);
  image_put64 (image, 0, 0xcafebabe);
  image_put64 (image, 8, G_GUINT64_CONSTANT (0x0000000200000001));
  image_put64 (image, 16, spec->sectors);
  image_put64 (image, 24, 8);
  image_put64 (image, 32, 64);
  put_part (image, 10, 1, 1);
  put_part (image, 12, 2, 1);
  put_part (image, 14, 4, 4);
  put_part (image, 16, 16, directory_sectors);
  put_part (image, 18, tables, n_tables * 64);
  put_part (image, 20, 8, 4);
  put_part (image, 22, 12, 4);
  put_part (image, 24, grains, n * 8);
  image_put64 (image, SECTOR, 0xcafecafe);
  for (guint64 t = 0; t < n_tables; t++) {
    guint64 at = (tables + n_used * 64) * SECTOR;

    if (!table_is_used (spec, t))
      continue;
    image_put64 (image, 16 * SECTOR + t * 8,
                 G_GUINT64_CONSTANT (0x1000000000000000) | n_used++);
    for (guint64 i = t * 4096; i < MIN ((t + 1) * 4096, n); i++) {
      guint64 entry = 0;

      if (spec->states[i] == VMDK_ZERO)
        entry = (G_GUINT64_CONSTANT (1) + i % 2) << 60;
      if (spec->states[i] == VMDK_DATA) {
        entry = se_entry (used++);
        append_grain (image, spec, i);
      }
      image_put64 (image, at + i % 4096 * 8, entry);
    }
  }
  return image;
}

GByteArray *
image_write (const ImageSpec *spec)
{
  switch (spec->format) {
  case IMAGE_STREAM:
    return write_stream (spec);
  case IMAGE_COWD:
    return write_cowd (spec);
  case IMAGE_SESPARSE:
    return write_sesparse (spec);
  case IMAGE_SPARSE:
    break;
  }
  return write_sparse (spec);
}
