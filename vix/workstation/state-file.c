/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "workstation/state-file.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/byte-reader.h"
#include "base/error.h"
#include "base/kv-file.h"

/* ---- names ---- */

char *
ws_state_name (const char *stem, gint64 uid, WsStateKind kind)
{
  static const char *const suffixes[WS_N_STATE_KINDS]
    = { ".vmsn", ".vmem", ".vixfs", ".vixfs-vmss", ".vixfs-vmem" };

  return g_strdup_printf ("%s-Snapshot%" G_GINT64_FORMAT "%s", stem, uid,
                          suffixes[kind]);
}

void
ws_saved_state_clear (WsSavedState *state)
{
  g_clear_pointer (&state->vmx, g_bytes_unref);
  g_clear_pointer (&state->nvram, g_bytes_unref);
  g_clear_pointer (&state->vmxf, g_bytes_unref);
  g_clear_pointer (&state->notes, g_bytes_unref);
}

static gboolean G_GNUC_PRINTF (3, 4)
  fail (GError **error, const char *label, const char *format, ...)
{
  g_autofree char *what = NULL;
  va_list args;

  va_start (args, format);
  what = g_strdup_vprintf (format, args);
  va_end (args);
  g_set_error (error, VIX_ERROR, VIX_E_SNAPSHOT_INCONSISTENT, "%s: %s", label,
               what);
  return FALSE;
}

static void
put_le16 (GByteArray *out, guint16 value)
{
  value = GUINT16_TO_LE (value);
  g_byte_array_append (out, (const guint8 *)&value, sizeof value);
}

static void
put_le32 (GByteArray *out, guint32 value)
{
  value = GUINT32_TO_LE (value);
  g_byte_array_append (out, (const guint8 *)&value, sizeof value);
}

static void
put_le64 (GByteArray *out, guint64 value)
{
  value = GUINT64_TO_LE (value);
  g_byte_array_append (out, (const guint8 *)&value, sizeof value);
}

/* @size bytes: @text, then NULs. */
static void
put_padded (GByteArray *out, const char *text, guint size)
{
  guint at = out->len;

  g_byte_array_set_size (out, at + size);
  memset (out->data + at, 0, size);
  memcpy (out->data + at, text, MIN (strlen (text), size));
}

static void
put_bytes (GByteArray *out, GBytes *bytes)
{
  g_byte_array_append (out, g_bytes_get_data (bytes, NULL),
                       (guint)g_bytes_get_size (bytes));
}

/* ---- the sidecar ---- */

#define SIDECAR_MAGIC "VIXFSSC1"
#define SIDECAR_MAX_SECTIONS 16u
#define SECTION_NAME_BYTES 16u
#define SECTION_ROW_BYTES 64u
#define SHA256_BYTES 32u

static const struct {
  const char *name;
  gsize offset;
  gsize max_bytes;
} sections[] = {
  { "vmx", G_STRUCT_OFFSET (WsSavedState, vmx), KV_FILE_MAX_BYTES },
  { "nvram", G_STRUCT_OFFSET (WsSavedState, nvram), WS_NVRAM_MAX_BYTES },
  { "vmxf", G_STRUCT_OFFSET (WsSavedState, vmxf), WS_VMXF_MAX_BYTES },
  { "notes", G_STRUCT_OFFSET (WsSavedState, notes), KV_LINE_MAX_BYTES },
};

static GBytes **
state_member (WsSavedState *state, gsize section)
{
  return &G_STRUCT_MEMBER (GBytes *, state, sections[section].offset);
}

static void
sha256 (const void *data, gsize len, guint8 *ret_digest)
{
  g_autoptr (GChecksum) checksum = g_checksum_new (G_CHECKSUM_SHA256);
  gsize digest_len = SHA256_BYTES;

  g_checksum_update (checksum, data, (gssize)len);
  g_checksum_get_digest (checksum, ret_digest, &digest_len);
}

GBytes *
ws_sidecar_build (const WsSavedState *state)
{
  WsSavedState *from = (WsSavedState *)state;
  GByteArray *out = g_byte_array_new ();
  guint8 digest[SHA256_BYTES];
  guint32 count = 0;
  guint64 offset;
  gsize i;

  for (i = 0; i < G_N_ELEMENTS (sections); i++)
    count += *state_member (from, i) != NULL ? 1 : 0;
  put_padded (out, SIDECAR_MAGIC, 8);
  put_le32 (out, count);
  offset = 12 + (guint64)count * SECTION_ROW_BYTES + SHA256_BYTES;
  for (i = 0; i < G_N_ELEMENTS (sections); i++) {
    GBytes *bytes = *state_member (from, i);

    if (bytes == NULL)
      continue;
    put_padded (out, sections[i].name, SECTION_NAME_BYTES);
    put_le64 (out, offset);
    put_le64 (out, g_bytes_get_size (bytes));
    sha256 (g_bytes_get_data (bytes, NULL), g_bytes_get_size (bytes), digest);
    g_byte_array_append (out, digest, sizeof digest);
    offset += g_bytes_get_size (bytes);
  }
  sha256 (out->data, out->len, digest);
  g_byte_array_append (out, digest, sizeof digest);
  for (i = 0; i < G_N_ELEMENTS (sections); i++)
    if (*state_member (from, i) != NULL)
      put_bytes (out, *state_member (from, i));
  return g_byte_array_free_to_bytes (out);
}

/* One row of the table; @next: where the previous section ended. */
static gboolean
sidecar_take_section (GBytes *bytes, const guint8 *row, guint64 *next,
                      const char *label, WsSavedState *state, GError **error)
{
  const guint8 *data = g_bytes_get_data (bytes, NULL);
  char name[SECTION_NAME_BYTES + 1] = "";
  guint8 digest[SHA256_BYTES];
  guint64 offset, len;
  ByteReader reader;
  gsize i;

  byte_reader_init (&reader, row, SECTION_ROW_BYTES);
  memcpy (name, byte_reader_take (&reader, SECTION_NAME_BYTES),
          SECTION_NAME_BYTES);
  offset = byte_reader_le64 (&reader);
  len = byte_reader_le64 (&reader);
  if (offset != *next || len > g_bytes_get_size (bytes) - offset)
    return fail (error, label, "section %.16s lies outside the file", name);
  *next = offset + len;
  sha256 (data + offset, len, digest);
  if (memcmp (digest, byte_reader_take (&reader, SHA256_BYTES), SHA256_BYTES)
      != 0)
    return fail (error, label, "section %.16s does not match its SHA-256",
                 name);
  for (i = 0; i < G_N_ELEMENTS (sections); i++) {
    GBytes **member = state_member (state, i);

    if (strcmp (name, sections[i].name) != 0)
      continue;
    if (*member != NULL || len > sections[i].max_bytes)
      return fail (error, label, "section %s is there twice or too long", name);
    *member = g_bytes_new_from_bytes (bytes, offset, len);
  }
  return TRUE;
}

gboolean
ws_sidecar_parse (GBytes *bytes, const char *label, WsSavedState *ret_state,
                  GError **error)
{
  g_auto (WsSavedState) state = { 0 };
  guint8 digest[SHA256_BYTES];
  const guint8 *magic, *table, *expected;
  guint32 count, i;
  guint64 next;
  ByteReader reader;

  byte_reader_init (&reader, g_bytes_get_data (bytes, NULL),
                    g_bytes_get_size (bytes));
  magic = byte_reader_take (&reader, 8);
  count = byte_reader_le32 (&reader);
  if (!byte_reader_ok (&reader) || memcmp (magic, SIDECAR_MAGIC, 8) != 0)
    return fail (error, label, "is no saved state of ours (magic)");
  if (count == 0 || count > SIDECAR_MAX_SECTIONS)
    return fail (error, label, "%u sections", count);
  table = byte_reader_take (&reader, count * SECTION_ROW_BYTES);
  expected = byte_reader_take (&reader, SHA256_BYTES);
  if (!byte_reader_ok (&reader))
    return fail (error, label, "is cut off in its table");
  sha256 (magic, 12 + count * SECTION_ROW_BYTES, digest);
  if (memcmp (digest, expected, SHA256_BYTES) != 0)
    return fail (error, label, "its table does not match its SHA-256");
  next = 12 + (guint64)count * SECTION_ROW_BYTES + SHA256_BYTES;
  for (i = 0; i < count; i++)
    if (!sidecar_take_section (bytes, table + (gsize)i * SECTION_ROW_BYTES,
                               &next, label, &state, error))
      return FALSE;
  if (next != g_bytes_get_size (bytes))
    return fail (error, label, "has bytes behind its last section");
  if (state.vmx == NULL)
    return fail (error, label, "holds no .vmx");
  *ret_state = state;
  memset (&state, 0, sizeof state);
  return TRUE;
}

/* ---- writing a .vmsn ---- */

#define VMSN_MAGIC 0xbed2bed2u
#define VMSN_MAGIC_OLD 0xbed0bed0u
#define VMSN_VERSION 8u
#define VMSN_HEADER_BYTES 12u
#define VMSN_GROUP_BYTES 80u
#define VMSN_GROUP_NAME_BYTES 64u
/* Real files have some tens. */
#define VMSN_MAX_GROUPS 1024u
#define VMSN_MAX_TAGS 65536u
#define VMSN_BLOCK_COMPRESSED 62u
#define VMSN_BLOCK 63u

static const struct {
  const char *tag;
  gsize offset;
  gsize max_bytes;
} vmsn_tags[] = {
  { "cfgFile", G_STRUCT_OFFSET (WsSavedState, vmx), KV_FILE_MAX_BYTES },
  { "nvramFile", G_STRUCT_OFFSET (WsSavedState, nvram), WS_NVRAM_MAX_BYTES },
  { "extendedConfigFile", G_STRUCT_OFFSET (WsSavedState, vmxf),
    WS_VMXF_MAX_BYTES },
};

static void
put_tag (GByteArray *out, const char *name, guint value_size)
{
  gsize len = strlen (name);

  put_le16 (out, (guint16)(len << 8 | value_size));
  g_byte_array_append (out, (const guint8 *)name, (guint)len);
}

static void
put_block (GByteArray *out, const char *name, const void *data, gsize len)
{
  put_tag (out, name, VMSN_BLOCK);
  put_le64 (out, len);
  put_le64 (out, len);
  put_le16 (out, 0);
  g_byte_array_append (out, data, (guint)len);
}

static GByteArray *
build_checkpoint_group (void)
{
  static const char product[256] = "vixfs";
  static const char version[256] = "1";
  GByteArray *out = g_byte_array_new ();

  put_tag (out, "fileversion", 4);
  put_le32 (out, VMSN_VERSION);
  put_block (out, "ProductName", product, sizeof product);
  put_block (out, "VersionNumber", version, sizeof version);
  put_le16 (out, 0);
  return out;
}

static GByteArray *
build_snapshot_group (const WsSavedState *state)
{
  GByteArray *out = g_byte_array_new ();
  gsize i;

  for (i = 0; i < G_N_ELEMENTS (vmsn_tags); i++) {
    GBytes *bytes = G_STRUCT_MEMBER (GBytes *, state, vmsn_tags[i].offset);

    if (bytes != NULL)
      put_block (out, vmsn_tags[i].tag, g_bytes_get_data (bytes, NULL),
                 g_bytes_get_size (bytes));
  }
  put_le16 (out, 0);
  return out;
}

GBytes *
ws_vmsn_build (const WsSavedState *state)
{
  g_autoptr (GByteArray) checkpoint = build_checkpoint_group ();
  g_autoptr (GByteArray) snapshot = build_snapshot_group (state);
  GByteArray *out = g_byte_array_new ();
  guint64 offset = VMSN_HEADER_BYTES + 2 * VMSN_GROUP_BYTES;

  put_le32 (out, VMSN_MAGIC);
  put_le32 (out, VMSN_VERSION);
  put_le32 (out, 2);
  put_padded (out, "Checkpoint", VMSN_GROUP_NAME_BYTES);
  put_le64 (out, offset);
  put_le64 (out, checkpoint->len);
  put_padded (out, "Snapshot", VMSN_GROUP_NAME_BYTES);
  put_le64 (out, offset + checkpoint->len);
  put_le64 (out, snapshot->len);
  g_byte_array_append (out, checkpoint->data, checkpoint->len);
  g_byte_array_append (out, snapshot->data, snapshot->len);
  return g_byte_array_free_to_bytes (out);
}

/* ---- reading a .vmsn ---- */

/* A cursor over the file; only headers and wanted values are ever read. */
typedef struct {
  int fd;
  const char *label;
  guint64 size;
  guint64 pos;
  gboolean old_layout;
} Vmsn;

static gboolean
vmsn_read (Vmsn *self, void *buf, gsize len, GError **error)
{
  gsize done = 0;

  if (self->pos > self->size || len > self->size - self->pos)
    return fail (error, self->label, "is cut off at byte %" G_GUINT64_FORMAT,
                 self->size);
  while (done < len) {
    gssize n = pread (self->fd, (char *)buf + done, len - done,
                      (off_t)(self->pos + done));

    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0) {
      vix_set_error_errno (error, errno, "%s: read", self->label);
      return FALSE;
    }
    if (n == 0)
      return fail (error, self->label, "shrank while it was read");
    done += (gsize)n;
  }
  self->pos += len;
  return TRUE;
}

/* Normal, old, partial, restored, not to be restored: all can be read. */
static gboolean
vmsn_magic_known (guint32 magic)
{
  static const guint32 known[]
    = { VMSN_MAGIC, VMSN_MAGIC_OLD, 0xbed3bed3u, 0xbad1bad1u, 0xbad2bad2u };
  gsize i;

  for (i = 0; i < G_N_ELEMENTS (known); i++)
    if (magic == known[i])
      return TRUE;
  return FALSE;
}

static gboolean
vmsn_find_group (Vmsn *self, const char *name, GError **error)
{
  guint8 header[VMSN_HEADER_BYTES];
  guint32 magic, groups, i;
  ByteReader reader;

  if (!vmsn_read (self, header, sizeof header, error))
    return FALSE;
  byte_reader_init (&reader, header, sizeof header);
  magic = byte_reader_le32 (&reader);
  byte_reader_skip (&reader, 4);
  groups = byte_reader_le32 (&reader);
  if (!vmsn_magic_known (magic))
    return fail (error, self->label, "is no state file (magic %08x)", magic);
  self->old_layout = magic == VMSN_MAGIC_OLD;
  if (groups > VMSN_MAX_GROUPS)
    return fail (error, self->label, "%u groups", groups);
  for (i = 0; i < groups; i++) {
    guint8 row[VMSN_GROUP_BYTES];
    char row_name[VMSN_GROUP_NAME_BYTES + 1] = "";

    if (!vmsn_read (self, row, sizeof row, error))
      return FALSE;
    memcpy (row_name, row, VMSN_GROUP_NAME_BYTES);
    if (strcmp (row_name, name) != 0)
      continue;
    byte_reader_init (&reader, row + VMSN_GROUP_NAME_BYTES, 16);
    self->pos = byte_reader_le64 (&reader);
    return TRUE;
  }
  return fail (error, self->label, "has no group %s", name);
}

/* What stands before a value. */
typedef struct {
  char name[256];
  guint value_size; /* the low six bits of the tag word */
  guint64 bytes;    /* of the value in the file */
} VmsnTag;

/* @ret_end: the group is over. Leaves the cursor at the value. */
static gboolean
vmsn_next_tag (Vmsn *self, VmsnTag *tag, gboolean *ret_end, GError **error)
{
  guint8 head[2] = { 0 }, sizes[18];
  guint name_len, indices, sizes_len = self->old_layout ? 10 : 18;
  ByteReader reader;

  if (!vmsn_read (self, head, sizeof head, error))
    return FALSE;
  *ret_end = head[0] == 0 && head[1] == 0;
  if (*ret_end)
    return TRUE;
  name_len = head[1];
  indices = head[0] >> 6;
  tag->value_size = head[0] & 0x3fu;
  tag->bytes = tag->value_size;
  if (!vmsn_read (self, tag->name, name_len, error))
    return FALSE;
  tag->name[name_len] = '\0';
  self->pos += (guint64)indices * 4;
  if (tag->value_size < VMSN_BLOCK_COMPRESSED)
    return TRUE;
  if (!vmsn_read (self, sizes, sizes_len, error))
    return FALSE;
  byte_reader_init (&reader, sizes, sizes_len);
  tag->bytes = self->old_layout ? byte_reader_le32 (&reader)
                                : byte_reader_le64 (&reader);
  byte_reader_skip (&reader, self->old_layout ? 4 : 8);
  self->pos += byte_reader_le16 (&reader);
  if (self->pos > self->size || tag->bytes > self->size - self->pos)
    return fail (error, self->label, "tag %s lies outside the file", tag->name);
  return TRUE;
}

/* The value at the cursor, if the tag is one of ours; else it is skipped. */
static gboolean
vmsn_take_value (Vmsn *self, const VmsnTag *tag, WsSavedState *state,
                 GError **error)
{
  guint64 end = self->pos + tag->bytes;
  gsize i;

  for (i = 0; i < G_N_ELEMENTS (vmsn_tags); i++) {
    GBytes **member = &G_STRUCT_MEMBER (GBytes *, state, vmsn_tags[i].offset);
    g_autofree char *data = NULL;

    if (strcmp (tag->name, vmsn_tags[i].tag) != 0 || *member != NULL)
      continue;
    if (tag->value_size == VMSN_BLOCK_COMPRESSED)
      return fail (error, self->label, "tag %s is compressed", tag->name);
    if (tag->bytes > vmsn_tags[i].max_bytes)
      return fail (error, self->label, "tag %s is too long", tag->name);
    data = g_malloc (tag->bytes + 1);
    if (!vmsn_read (self, data, tag->bytes, error))
      return FALSE;
    *member = g_bytes_new_take (g_steal_pointer (&data), tag->bytes);
  }
  self->pos = end;
  return TRUE;
}

/* Writers may pad the text. */
static void
strip_nuls (GBytes **bytes)
{
  gsize len;
  const char *data = g_bytes_get_data (*bytes, &len);
  GBytes *stripped;

  while (len > 0 && data[len - 1] == '\0')
    len--;
  stripped = g_bytes_new_from_bytes (*bytes, 0, len);
  g_bytes_unref (*bytes);
  *bytes = stripped;
}

gboolean
ws_vmsn_read (int fd, const char *label, WsSavedState *ret_state,
              GError **error)
{
  g_auto (WsSavedState) state = { 0 };
  Vmsn self = { .fd = fd, .label = label };
  gboolean end = FALSE;
  struct stat st;
  guint i;

  if (fstat (fd, &st) != 0) {
    vix_set_error_errno (error, errno, "%s", label);
    return FALSE;
  }
  self.size = (guint64)st.st_size;
  if (!vmsn_find_group (&self, "Snapshot", error))
    return FALSE;
  for (i = 0; !end; i++) {
    VmsnTag tag;

    if (i == VMSN_MAX_TAGS)
      return fail (error, label, "more than %u tags", VMSN_MAX_TAGS);
    if (!vmsn_next_tag (&self, &tag, &end, error))
      return FALSE;
    if (!end && !vmsn_take_value (&self, &tag, &state, error))
      return FALSE;
  }
  if (state.vmx == NULL)
    return fail (error, label, "holds no cfgFile");
  strip_nuls (&state.vmx);
  *ret_state = state;
  memset (&state, 0, sizeof state);
  return TRUE;
}
