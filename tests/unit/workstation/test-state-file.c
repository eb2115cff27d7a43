/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "workstation/state-file.h"

#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"

static GBytes *
bytes_of (const char *text)
{
  return g_bytes_new (text, strlen (text));
}

static void
fill (WsSavedState *state)
{
  state->vmx = bytes_of ("displayName = \"x\"\n");
  state->nvram = g_bytes_new ("\0\1\2", 3);
  state->vmxf = bytes_of ("<xml/>");
  state->notes = bytes_of ("a = \"1\"\n");
}

static void
assert_same (GBytes *a, GBytes *b)
{
  g_assert_true ((a == NULL) == (b == NULL));
  if (a != NULL)
    g_assert_true (g_bytes_equal (a, b));
}

static gboolean
read_vmsn (GBytes *bytes, WsSavedState *ret_state, GError **error)
{
  g_autofree char *path = NULL;
  int fd = g_file_open_tmp ("vixfs-vmsn-XXXXXX", &path, NULL);
  gsize len = g_bytes_get_size (bytes);
  gboolean ok;

  g_assert_cmpint (fd, >=, 0);
  g_unlink (path);
  g_assert_cmpint (write (fd, g_bytes_get_data (bytes, NULL), len), ==,
                   (gssize)len);
  ok = ws_vmsn_read (fd, "t.vmsn", ret_state, error);
  close (fd);
  return ok;
}

static void
test_names (void)
{
  g_autofree char *vmsn = ws_state_name ("my vm", 12, WS_STATE_VMSN);
  g_autofree char *sidecar = ws_state_name ("my vm", 12, WS_STATE_SIDECAR);

  g_assert_cmpstr (vmsn, ==, "my vm-Snapshot12.vmsn");
  g_assert_cmpstr (sidecar, ==, "my vm-Snapshot12.vixfs");
}

static void
test_sidecar (void)
{
  g_auto (WsSavedState) state = { 0 };
  g_auto (WsSavedState) back = { 0 };
  g_auto (WsSavedState) small = { 0 };
  g_auto (WsSavedState) small_back = { 0 };
  g_autoptr (GBytes) bytes = NULL;
  g_autoptr (GBytes) small_bytes = NULL;

  fill (&state);
  bytes = ws_sidecar_build (&state);
  g_assert_true (ws_sidecar_parse (bytes, "t", &back, NULL));
  assert_same (state.vmx, back.vmx);
  assert_same (state.nvram, back.nvram);
  assert_same (state.vmxf, back.vmxf);
  assert_same (state.notes, back.notes);
  small.vmx = bytes_of ("");
  small_bytes = ws_sidecar_build (&small);
  g_assert_true (ws_sidecar_parse (small_bytes, "t", &small_back, NULL));
  g_assert_cmpuint (g_bytes_get_size (small_back.vmx), ==, 0);
  g_assert_null (small_back.nvram);
}

/* Any byte changed, any byte missing or added: refused as a whole. */
static void
test_sidecar_damage (void)
{
  g_auto (WsSavedState) state = { 0 };
  g_autoptr (GBytes) good = NULL;
  gsize len, i;

  fill (&state);
  good = ws_sidecar_build (&state);
  len = g_bytes_get_size (good);
  for (i = 0; i < 2 * len + 1; i++) {
    g_autofree guint8 *copy = g_malloc (len + 1);
    gsize n = i < len ? len : i < 2 * len ? i - len : len + 1;
    g_autoptr (GBytes) bad = NULL;
    g_autoptr (GError) error = NULL;
    g_auto (WsSavedState) back = { 0 };

    memcpy (copy, g_bytes_get_data (good, NULL), len);
    copy[len] = 0;
    if (i < len)
      copy[i] ^= 0x40;
    bad = g_bytes_new (copy, n);
    g_assert_false (ws_sidecar_parse (bad, "t.vixfs", &back, &error));
    g_assert_error (error, VIX_ERROR, VIX_E_SNAPSHOT_INCONSISTENT);
    g_assert_nonnull (strstr (error->message, "t.vixfs"));
    g_assert_null (back.vmx);
  }
}

static void
test_vmsn (void)
{
  g_auto (WsSavedState) state = { 0 };
  g_auto (WsSavedState) back = { 0 };
  g_autoptr (GBytes) bytes = NULL;

  fill (&state);
  bytes = ws_vmsn_build (&state);
  g_assert_true (read_vmsn (bytes, &back, NULL));
  assert_same (state.vmx, back.vmx);
  assert_same (state.nvram, back.nvram);
  assert_same (state.vmxf, back.vmxf);
  g_assert_null (back.notes);
  g_assert_cmpmem (g_bytes_get_data (bytes, NULL), 4, "\xd2\xbe\xd2\xbe", 4);
}

/* ---- containers as others write them ---- */

typedef struct {
  GByteArray *out;
  gboolean old;
} Maker;

static void
put (Maker *m, const void *data, guint len)
{
  g_byte_array_append (m->out, data, len);
}

static void
put_n (Maker *m, guint64 value, guint len)
{
  guint64 le = GUINT64_TO_LE (value);

  put (m, &le, len);
}

static void
put_tag (Maker *m, const char *name, guint indices, guint size)
{
  guint i;

  put_n (m, strlen (name) << 8 | indices << 6 | size, 2);
  put (m, name, (guint)strlen (name));
  for (i = 0; i < indices; i++)
    put_n (m, i, 4);
}

static void
put_block (Maker *m, const char *name, guint indices, const char *value,
           guint padding)
{
  static const char zeros[64];

  put_tag (m, name, indices, 63);
  put_n (m, strlen (value), m->old ? 4 : 8);
  put_n (m, strlen (value), m->old ? 4 : 8);
  put_n (m, padding, 2);
  put (m, zeros, padding);
  put (m, value, (guint)strlen (value));
}

static void
put_header (Maker *m, guint32 magic, guint32 groups, const char *name,
            guint64 offset)
{
  char padded[64] = "";

  g_strlcpy (padded, name, sizeof padded);
  put_n (m, magic, 4);
  put_n (m, 8, 4);
  put_n (m, groups, 4);
  put (m, padded, sizeof padded);
  put_n (m, offset, 8);
  put_n (m, 0, 8);
}

static GBytes *
make_foreign (guint32 magic, gboolean old)
{
  Maker m = { g_byte_array_new (), old };

  put_header (&m, magic, 1, "Snapshot", 92);
  put_tag (&m, "inline", 0, 4);
  put_n (&m, 7, 4);
  put_block (&m, "other", 3, "0123456789", 17);
  put_block (&m, "cfgFile", 0, "a = \"b\"\n", 5);
  put_tag (&m, "nvramFile", 0, 3);
  put (&m, "xyz", 3);
  put_n (&m, 0, 2);
  return g_byte_array_free_to_bytes (m.out);
}

static void
test_vmsn_foreign (void)
{
  static const struct {
    guint32 magic;
    gboolean old;
  } rows[] = { { 0xbed2bed2, FALSE },
               { 0xbed3bed3, FALSE },
               { 0xbad1bad1, FALSE },
               { 0xbad2bad2, FALSE },
               { 0xbed0bed0, TRUE } };
  gsize i;

  for (i = 0; i < G_N_ELEMENTS (rows); i++) {
    g_autoptr (GBytes) bytes = make_foreign (rows[i].magic, rows[i].old);
    g_auto (WsSavedState) back = { 0 };
    g_autoptr (GError) error = NULL;

    read_vmsn (bytes, &back, &error);
    g_assert_no_error (error);
    g_assert_cmpmem (g_bytes_get_data (back.vmx, NULL),
                     g_bytes_get_size (back.vmx), "a = \"b\"\n", 8);
    g_assert_cmpmem (g_bytes_get_data (back.nvram, NULL),
                     g_bytes_get_size (back.nvram), "xyz", 3);
    g_assert_null (back.vmxf);
  }
}

static void
assert_vmsn_refused (GByteArray *data, const char *part)
{
  g_autoptr (GBytes) bytes = g_byte_array_free_to_bytes (data);
  g_auto (WsSavedState) back = { 0 };
  g_autoptr (GError) error = NULL;

  g_assert_false (read_vmsn (bytes, &back, &error));
  g_assert_error (error, VIX_ERROR, VIX_E_SNAPSHOT_INCONSISTENT);
  g_assert_nonnull (strstr (error->message, part));
}

static void
test_vmsn_hostile (void)
{
  Maker m = { g_byte_array_new (), FALSE };
  guint i;

  put_header (&m, 0x12345678, 1, "Snapshot", 92);
  assert_vmsn_refused (m.out, "magic");
  m.out = g_byte_array_new ();
  put_header (&m, 0xbed2bed2, 0xffffffff, "Snapshot", 92);
  assert_vmsn_refused (m.out, "groups");
  m.out = g_byte_array_new ();
  put_header (&m, 0xbed2bed2, 1, "Other", 92);
  assert_vmsn_refused (m.out, "Snapshot");
  m.out = g_byte_array_new ();
  put_header (&m, 0xbed2bed2, 1, "Snapshot", G_MAXUINT64);
  assert_vmsn_refused (m.out, "cut off");
  m.out = g_byte_array_new ();
  put_header (&m, 0xbed2bed2, 1, "Snapshot", 92);
  put_tag (&m, "cfgFile", 0, 63);
  put_n (&m, G_MAXUINT64 - 10, 8);
  put_n (&m, G_MAXUINT64, 8);
  put_n (&m, 0, 2);
  assert_vmsn_refused (m.out, "cfgFile");
  m.out = g_byte_array_new ();
  put_header (&m, 0xbed2bed2, 1, "Snapshot", 92);
  put_tag (&m, "cfgFile", 0, 62);
  put_n (&m, 0, 8);
  put_n (&m, 0, 8);
  put_n (&m, 0, 2);
  assert_vmsn_refused (m.out, "compressed");
  m.out = g_byte_array_new ();
  put_header (&m, 0xbed2bed2, 1, "Snapshot", 92);
  put_n (&m, 0, 2);
  assert_vmsn_refused (m.out, "cfgFile");
  m.out = g_byte_array_new ();
  put_header (&m, 0xbed2bed2, 1, "Snapshot", 92);
  for (i = 0; i < 70000; i++)
    put_n (&m, 0x0001 << 8 | 0x01, 2), put (&m, "ax", 2);
  assert_vmsn_refused (m.out, "tags");
}

static void
test_vmsn_truncated (void)
{
  g_autoptr (GBytes) good = make_foreign (0xbed2bed2, FALSE);
  gsize i;

  for (i = 0; i < g_bytes_get_size (good); i++) {
    g_autoptr (GBytes) bad = g_bytes_new_from_bytes (good, 0, i);
    g_auto (WsSavedState) back = { 0 };

    g_assert_false (read_vmsn (bad, &back, NULL));
    g_assert_null (back.vmx);
  }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/state-file/names", test_names);
  g_test_add_func ("/state-file/sidecar-round-trip", test_sidecar);
  g_test_add_func ("/state-file/sidecar-damage-is-rejected",
                   test_sidecar_damage);
  g_test_add_func ("/state-file/vmsn-round-trip", test_vmsn);
  g_test_add_func ("/state-file/vmsn-of-others", test_vmsn_foreign);
  g_test_add_func ("/state-file/vmsn-hostile", test_vmsn_hostile);
  g_test_add_func ("/state-file/vmsn-cut-off-anywhere", test_vmsn_truncated);
  return g_test_run ();
}
