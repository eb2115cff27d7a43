/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "disk-fixture.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"

static VmdkSource *
resolve (VmdkResolver *resolver, const char *relative_to, const char *name,
         VmdkRole role, gboolean writable, GError **error)
{
  DiskFixture *self = (DiskFixture *)resolver;
  g_autofree char *path = disk_path (self, name);
  int fd;

  g_assert_null (strchr (name, '/'));
  fd = open (path, (writable ? O_RDWR : O_RDONLY) | O_NOFOLLOW | O_CLOEXEC);
  if (fd < 0) {
    g_set_error (error, VIX_ERROR, VIX_E_FILE_NOT_FOUND, "%s: not found", name);
    return NULL;
  }
  return vmdk_source_new_fd (fd, name, writable, error);
}

void
disk_fixture_set_up (DiskFixture *self, gconstpointer data)
{
  g_autoptr (GError) error = NULL;

  self->resolver.open = resolve;
  self->dir = g_dir_make_tmp ("vmdk-XXXXXX", &error);
  g_assert_no_error (error);
  self->rand = g_rand_new_with_seed (20240501);
}

void
disk_fixture_tear_down (DiskFixture *self, gconstpointer data)
{
  g_autoptr (GDir) dir = g_dir_open (self->dir, 0, NULL);
  const char *name;

  while ((name = g_dir_read_name (dir)) != NULL) {
    g_autofree char *path = disk_path (self, name);

    g_assert_cmpint (g_unlink (path), ==, 0);
  }
  g_assert_cmpint (g_rmdir (self->dir), ==, 0);
  g_free (self->dir);
  g_rand_free (self->rand);
}

char *
disk_path (DiskFixture *self, const char *name)
{
  return g_build_filename (self->dir, name, NULL);
}

static char *
run (DiskFixture *self, const char *command)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *err = NULL;
  char *out = NULL;
  g_auto (GStrv) argv = NULL;
  int status;

  g_shell_parse_argv (command, NULL, &argv, &error);
  g_assert_no_error (error);
  g_spawn_sync (self->dir, argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, &out,
                &err, &status, &error);
  g_assert_no_error (error);
  if (!g_spawn_check_wait_status (status, NULL))
    g_error ("%.200s: %s%s", command, out, err);
  return out;
}

char *
disk_run_output (DiskFixture *self, const char *format, ...)
{
  g_autofree char *command = NULL;
  va_list args;

  va_start (args, format);
  command = g_strdup_vprintf (format, args);
  va_end (args);
  return run (self, command);
}

void
disk_run (DiskFixture *self, const char *format, ...)
{
  g_autofree char *command = NULL;
  va_list args;

  va_start (args, format);
  command = g_strdup_vprintf (format, args);
  va_end (args);
  g_free (run (self, command));
}

VmdkLink *
disk_open_link (DiskFixture *self, const char *name, gboolean writable)
{
  g_autoptr (GError) error = NULL;
  VmdkLink *link = vmdk_link_open (&self->resolver, NULL, name, VMDK_ROLE_DISK,
                                   writable, &error);

  g_assert_no_error (error);
  return link;
}

VmdkChain *
disk_open_chain (DiskFixture *self, const char *name)
{
  g_autoptr (GError) error = NULL;
  VmdkChain *chain = vmdk_chain_open (&self->resolver, NULL, name, &error);

  g_assert_no_error (error);
  return chain;
}

static VmdkSource *
create_file (DiskFixture *self, const char *name)
{
  g_autofree char *path = disk_path (self, name);
  g_autoptr (GError) error = NULL;
  int fd = open (path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  VmdkSource *source;

  g_assert_cmpint (fd, >=, 0);
  source = vmdk_source_new_fd (fd, name, TRUE, &error);
  g_assert_no_error (error);
  return source;
}

void
disk_create_child (DiskFixture *self, const char *parent, const char *name)
{
  g_autoptr (VmdkLink) link = disk_open_link (self, parent, FALSE);
  g_autoptr (VmdkSource) dest = create_file (self, name);
  g_autoptr (GError) error = NULL;

  vmdk_create_child (link, parent, name, dest, &error);
  g_assert_no_error (error);
}

static void
write_at (DiskFixture *self, const char *name, guint64 offset, GBytes *bytes)
{
  g_autofree char *path = disk_path (self, name);
  gsize len;
  const void *data = g_bytes_get_data (bytes, &len);
  int fd = open (path, O_WRONLY | O_CLOEXEC);

  g_assert_cmpint (fd, >=, 0);
  g_assert_cmpint (pwrite (fd, data, len, (off_t)offset), ==, (gssize)len);
  close (fd);
}

void
disk_set_identity (DiskFixture *self, const char *name, guint32 cid,
                   guint32 parent_cid, const char *hint)
{
  g_autoptr (VmdkLink) link = disk_open_link (self, name, FALSE);
  g_autofree char *path = disk_path (self, name);
  VmdkIdentity identity = { cid, parent_cid, hint };
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) bytes = NULL;
  guint64 offset;

  vmdk_link_plan_identity (link, &identity, &offset, &bytes, &error);
  g_assert_no_error (error);
  if (vmdk_link_is_embedded (link))
    write_at (self, name, offset, bytes);
  else {
    g_assert_cmpuint (offset, ==, 0);
    g_file_set_contents (path, g_bytes_get_data (bytes, NULL),
                         (gssize)g_bytes_get_size (bytes), &error);
    g_assert_no_error (error);
  }
}

/* --- writing and the model --------------------------------------------- */

GByteArray *
disk_model_new (guint64 bytes)
{
  GByteArray *model = g_byte_array_new ();

  g_byte_array_set_size (model, (guint)bytes);
  if (bytes > 0)
    memset (model->data, 0, (gsize)bytes);
  return model;
}

GByteArray *
disk_model_copy (const GByteArray *model)
{
  GByteArray *copy = g_byte_array_new ();

  g_byte_array_append (copy, model->data, model->len);
  return copy;
}

void
disk_write (DiskFixture *self, const char *name, GByteArray *model,
            guint64 offset, guint64 len, guint8 value)
{
  disk_run (self,
            "qemu-io -t unsafe -f vmdk -c 'write -P %u %" G_GUINT64_FORMAT
            " %" G_GUINT64_FORMAT "' %s",
            value, offset, len, name);
  memset (model->data + offset, value, (gsize)len);
}

/* Mostly short, sometimes across several grains; sectors, sometimes bytes. */
static void
pick_range (GRand *rand, guint size, guint *ret_offset, guint *ret_len)
{
  guint unit = g_rand_int_range (rand, 0, 4) == 0 ? 1 : 512;
  guint most = g_rand_int_range (rand, 0, 5) == 0 ? 400000 : 20000;
  guint offset = (guint)g_rand_int_range (rand, 0, (gint32)size);
  guint len = (guint)g_rand_int_range (rand, 1, (gint32)most);

  offset -= offset % unit;
  len = (len + unit - 1) / unit * unit;
  *ret_offset = offset;
  *ret_len = MIN (len, size - offset);
}

void
disk_write_random (DiskFixture *self, const char *name, GByteArray *model,
                   guint n)
{
  g_autoptr (GString) command = g_string_new ("qemu-io -t unsafe -f vmdk");

  for (guint i = 0; i < n; i++) {
    guint8 value = (guint8)g_rand_int_range (self->rand, 0, 256);
    guint offset;
    guint len;

    pick_range (self->rand, model->len, &offset, &len);
    g_string_append_printf (command, " -c 'write -P %u %u %u'", value, offset,
                            len);
    memset (model->data + offset, value, len);
  }
  disk_run (self, "%s %s", command->str, name);
}

/* --- judging ----------------------------------------------------------- */

static void
assert_bytes (const char *name, const guint8 *got, const guint8 *want,
              gsize len, guint64 offset)
{
  if (memcmp (got, want, len) == 0)
    return;
  for (gsize i = 0; i < len; i++)
    if (got[i] != want[i])
      g_error ("%s: byte %" G_GUINT64_FORMAT " is %02x, not %02x", name,
               offset + i, got[i], want[i]);
}

static void
assert_map (VmdkChain *chain, const char *name, const GByteArray *model)
{
  guint64 offset = 0;

  while (offset < model->len) {
    g_autoptr (GError) error = NULL;
    VmdkState state;
    guint64 n;

    vmdk_chain_map (chain, offset, model->len - offset, &state, &n, &error);
    g_assert_no_error (error);
    g_assert_cmpint (state, !=, VMDK_UNALLOCATED);
    g_assert_cmpuint (n, >, 0);
    g_assert_cmpuint (n, <=, model->len - offset);
    for (guint64 i = 0; state == VMDK_ZERO && i < n; i++)
      if (model->data[offset + i] != 0)
        g_error ("%s: byte %" G_GUINT64_FORMAT " is mapped as zero", name,
                 offset + i);
    offset += n;
  }
}

void
disk_assert_chain (DiskFixture *self, const char *name, const GByteArray *model)
{
  g_autoptr (VmdkChain) chain = disk_open_chain (self, name);
  g_autofree guint8 *buf = g_malloc (model->len);
  gsize offset = 0;

  g_assert_cmpuint (vmdk_chain_get_capacity (chain), ==, model->len);
  while (offset < model->len) {
    gsize n = (gsize)g_rand_int_range (self->rand, 1, 3000000);
    g_autoptr (GError) error = NULL;

    n = MIN (n, model->len - offset);
    vmdk_chain_read (chain, offset, buf + offset, n, &error);
    g_assert_no_error (error);
    offset += n;
  }
  assert_bytes (name, buf, model->data, model->len, 0);
  assert_map (chain, name, model);
}

void
disk_assert_qemu (DiskFixture *self, const char *name, const GByteArray *model)
{
  g_autoptr (VmdkLink) link = disk_open_link (self, name, FALSE);
  g_autofree char *path = disk_path (self, "judge.raw");
  g_autofree char *raw = NULL;
  g_autoptr (GError) error = NULL;
  gsize len;

  if (vmdk_link_is_embedded (link))
    disk_run (self, "qemu-img check -q -f vmdk %s", name);
  disk_run (self, "qemu-img convert -f vmdk -O raw %s judge.raw", name);
  g_file_get_contents (path, &raw, &len, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (len, ==, model->len);
  assert_bytes ("qemu-img", (const guint8 *)raw, model->data, len, 0);
  g_assert_cmpint (g_unlink (path), ==, 0);
}

void
disk_assert_content (DiskFixture *self, const char *name,
                     const GByteArray *model)
{
  disk_assert_chain (self, name, model);
  disk_assert_qemu (self, name, model);
}

void
disk_assert_error (GError *error, int code, const char *text)
{
  g_assert_error (error, VIX_ERROR, code);
  if (strstr (error->message, text) == NULL)
    g_error ("\"%s\" is not in \"%s\"", text, error->message);
  g_error_free (error);
}
