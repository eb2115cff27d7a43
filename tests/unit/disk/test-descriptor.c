/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include <limits.h>
#include <string.h>

#include "base/error.h"
#include "disk-fixture.h"
#include "disk/descriptor.h"

static VmdkDescriptor *
parse (const char *text)
{
  g_autoptr (GError) error = NULL;
  VmdkDescriptor *d
    = vmdk_descriptor_parse (text, strlen (text), "test", &error);

  g_assert_no_error (error);
  return d;
}

static const char child_text[]
  = "# Disk DescriptorFile\n"
    "version=1\n"
    "encoding=\"windows-1252\"\n"
    "CID=69ba4f8\n"
    "parentCID=0001a2b3\n"
    "isNativeSnapshot=\"no\"\n"
    "createType=\"monolithicSparse\"\n"
    "parentFileNameHint=\"C:\\VMs\\base disk.vmdk\"\n"
    "# Extent description\n"
    "RW 2048 SPARSE \"child.vmdk\"\n"
    "\n"
    "# The Disk Data Base \n"
    "#DDB\n"
    "\n"
    "ddb.adapterType = \"lsilogic\"\n"
    "ddb.longContentID = \"0f2e4c6a8b1d3f507192736469ba4f80\"\n"
    "ddb.unknown = \"keep me\"\n";

static void
test_fields (void)
{
  g_autoptr (VmdkDescriptor) d = parse (child_text);
  const VmdkExtentLine *extent = vmdk_descriptor_get_extent (d, 0);

  g_assert_cmphex (vmdk_descriptor_get_cid (d), ==, 0x69ba4f8);
  g_assert_cmphex (vmdk_descriptor_get_parent_cid (d), ==, 0x1a2b3);
  g_assert_cmpstr (vmdk_descriptor_get_parent_hint (d), ==,
                   "C:\\VMs\\base disk.vmdk");
  g_assert_cmpstr (vmdk_descriptor_get_create_type (d), ==, "monolithicSparse");
  g_assert_cmpstr (vmdk_descriptor_get_ddb (d, "ddb.ADAPTERtype"), ==,
                   "lsilogic");
  g_assert_null (vmdk_descriptor_get_ddb (d, "ddb.uuid"));
  g_assert_cmpuint (vmdk_descriptor_get_n_extents (d), ==, 1);
  g_assert_cmpuint (vmdk_descriptor_get_capacity_sectors (d), ==, 2048);
  g_assert_cmpstr (extent->file, ==, "child.vmdk");
  g_assert_cmpint (extent->type, ==, VMDK_EXTENT_SPARSE);
}

/* CRLF, other case, blanks around "=", no quotes, NULs behind the text. */
static void
test_lenient (void)
{
  static const char text[] = "# Disk DescriptorFile\r\nVERSION = 3\r\n"
                             "  cid = AB\r\nParentCid\t=\tffffffff\r\n"
                             "createtype = vmfs\r\nrw 8 vmfs \"x.vmdk\"\r\n"
                             "parentFileNameHint = \"\"\r\n"
                             "some words that mean nothing\r\nRW\n"
                             "\0\0\0CID=1\n";
  g_autoptr (VmdkDescriptor) d
    = vmdk_descriptor_parse (text, sizeof text, "test", NULL);

  g_assert_nonnull (d);
  g_assert_cmphex (vmdk_descriptor_get_cid (d), ==, 0xab);
  g_assert_null (vmdk_descriptor_get_parent_hint (d));
  g_assert_cmpstr (vmdk_descriptor_get_create_type (d), ==, "vmfs");
  g_assert_cmpint (vmdk_descriptor_get_extent (d, 0)->type, ==,
                   VMDK_EXTENT_FLAT);
}

static void
test_extents (void)
{
  g_autoptr (VmdkDescriptor) d
    = parse ("version=1\nCID=1\nparentCID=ffffffff\ncreateType=\"custom\"\n"
             "RW 100 FLAT \"a b.vmdk\" 63 and more\nRDONLY 5 ZERO\n"
             "RW 7 SESPARSE \"c.vmdk\" and more\nRW 9 FLAT \"d\"\n");
  const VmdkExtentLine *e = vmdk_descriptor_get_extent (d, 0);

  g_assert_cmpuint (vmdk_descriptor_get_n_extents (d), ==, 4);
  g_assert_cmpuint (vmdk_descriptor_get_capacity_sectors (d), ==, 121);
  g_assert_cmpstr (e->file, ==, "a b.vmdk");
  g_assert_cmpuint (e->offset_sectors, ==, 63);
  g_assert_cmpint (e->access, ==, VMDK_ACCESS_RW);
  e = vmdk_descriptor_get_extent (d, 1);
  g_assert_null (e->file);
  g_assert_cmpint (e->access, ==, VMDK_ACCESS_RDONLY);
  g_assert_cmpint (e->type, ==, VMDK_EXTENT_ZERO);
}

/* --- refused ----------------------------------------------------------- */

typedef struct {
  const char *name;
  const char *text;
  int code;
  const char *message;
} BadCase;

#define HEAD "version=1\nCID=1\nparentCID=ffffffff\ncreateType=\"custom\"\n"
#define INVALID VIX_E_DISK_INVALIDDISK

static const BadCase bad_cases[] = {
  { "empty", "", INVALID, "no version" },
  { "no-version", "CID=1\ncreateType=\"x\"\nRW 1 ZERO\n", INVALID,
    "no version" },
  { "no-cid", "version=1\nparentCID=2\ncreateType=\"x\"\nRW 1 ZERO\n", INVALID,
    "no CID" },
  { "no-type", "version=1\nCID=1\nRW 1 ZERO\n", INVALID, "no createType" },
  { "no-extent", HEAD, INVALID, "no extent" },
  { "version-4", "version=4\nCID=1\ncreateType=\"x\"\nRW 1 ZERO\n",
    VIX_E_DISK_UNSUPPORTEDDISKVERSION, "version=4" },
  { "version-0", "version=0\nCID=1\ncreateType=\"x\"\nRW 1 ZERO\n",
    VIX_E_DISK_UNSUPPORTEDDISKVERSION, "version=0" },
  { "unfinished-quote-of-a-key",
    "version=1\nCID=1\ncreateType=\"x\nRW 1 ZERO\n", INVALID, "no createType" },
  { "cid-of-9-digits", "version=1\nCID=123456789\n", INVALID, "content id" },
  { "cid-not-hex", "version=1\nCID=xyz\n", INVALID, "content id" },
  { "cid-negative", "version=1\nCID=-1\n", INVALID, "content id" },
  { "cid-twice", "version=1\nCID=1\nCID=1\n", INVALID, "there before" },
  { "hint-twice", HEAD "parentFileNameHint=\"a\"\nparentFileNameHint=\"b\"\n",
    INVALID, "there before" },
  { "hint-without-parent-cid", HEAD "RW 1 ZERO\nparentFileNameHint=\"a\"\n",
    VIX_E_DISK_INVALIDCHAIN, "disagree" },
  { "parent-cid-without-hint",
    "version=1\nCID=1\nparentCID=2\ncreateType=\"x\"\nRW 1 ZERO\n",
    VIX_E_DISK_INVALIDCHAIN, "disagree" },
  { "size-0", HEAD "RW 0 ZERO\n", INVALID, "bad size" },
  { "size-negative", HEAD "RW -1 ZERO\n", INVALID, "bad size" },
  { "size-of-21-digits", HEAD "RW 100000000000000000000 ZERO\n", INVALID,
    "bad size" },
  { "size-of-22-digits", HEAD "RW 1000000000000000000000 ZERO\n", INVALID,
    "bad size" },
  { "size-2^45", HEAD "RW 35184372088832 ZERO\n", INVALID, "bad size" },
  { "sum-too-large", HEAD "RW 17592186044416 ZERO\nRW 1 ZERO\n", INVALID,
    "larger than any" },
  { "no-file", HEAD "RW 1 FLAT\n", INVALID, "file name" },
  { "empty-file", HEAD "RW 1 FLAT \"\" 0\n", INVALID, "file name" },
  { "unquoted-file", HEAD "RW 1 SPARSE x.vmdk\n", INVALID, "file name" },
  { "unfinished-quote", HEAD "RW 1 SPARSE \"x.vmdk\n", INVALID, "file name" },
  { "offset-not-a-number", HEAD "RW 1 FLAT \"x\" y\n", INVALID, "bad offset" },
  { "offset-2^63", HEAD "RW 1 FLAT \"x\" 9223372036854775808\n", INVALID,
    "bad offset" },
  { "no-access", HEAD "NOACCESS 1 FLAT \"x\" 0\n", VIX_E_DISK_NOTSUPPORTED,
    "may not be read" },
  { "device", HEAD "RW 1 VMFSRDM \"x\"\n", VIX_E_DISK_UNSUPPORTEDDEVICE,
    "kind" },
  { "control-bytes-are-escaped", HEAD "RW \001\002 ZERO\n", INVALID,
    "\\001\\002" },
};

static void
test_bad (gconstpointer data)
{
  const BadCase *c = data;
  GError *error = NULL;

  g_assert_null (
    vmdk_descriptor_parse (c->text, strlen (c->text), "label", &error));
  disk_assert_error (error, c->code, c->message);
}

static void
test_long_name (void)
{
  g_autofree char *name = g_strnfill (PATH_MAX, 'x');
  g_autofree char *extent = g_strdup_printf (HEAD "RW 1 FLAT \"%s\"\n", name);
  g_autofree char *hint
    = g_strdup_printf (HEAD "parentFileNameHint=\"%s\"\n", name);
  GError *error = NULL;

  g_assert_null (
    vmdk_descriptor_parse (extent, strlen (extent), "label", &error));
  disk_assert_error (error, INVALID, "file name");
  error = NULL;
  g_assert_null (vmdk_descriptor_parse (hint, strlen (hint), "label", &error));
  disk_assert_error (error, INVALID, "file name");
}

static void
test_too_large (void)
{
  g_autofree char *text = g_strnfill (VMDK_DESCRIPTOR_MAX_BYTES + 1, '#');
  GError *error = NULL;

  g_assert_null (vmdk_descriptor_parse (text, strlen (text), "label", &error));
  disk_assert_error (error, INVALID, "larger");
}

static void
test_too_many_extents (void)
{
  g_autoptr (GString) text = g_string_new (HEAD);
  GError *error = NULL;

  for (guint i = 0; i <= VMDK_MAX_EXTENTS; i++)
    g_string_append (text, "RW 1 ZERO\n");
  g_assert_null (vmdk_descriptor_parse (text->str, text->len, "label", &error));
  disk_assert_error (error, INVALID, "too many");
}

/* --- edits ------------------------------------------------------------- */

typedef struct {
  const char *name;
  const char *before;
  VmdkIdentity identity;
  const char *after;
} EditCase;

static const EditCase edit_cases[] = {
  { "same-identity-keeps-every-byte",
    child_text,
    { 0x69ba4f8, 0x1a2b3, "C:\\VMs\\base disk.vmdk" },
    child_text },
  { "long-content-id-follows",
    "version=1\nCID=00000001\nparentCID=ffffffff\ncreateType=\"x\"\n"
    "RW 1 ZERO\nddb.longContentID = \"0123456789abcdef0123456700000001\"\n",
    { 0xabc, VMDK_NO_PARENT_CID, NULL },
    "version=1\nCID=00000abc\nparentCID=ffffffff\ncreateType=\"x\"\n"
    "RW 1 ZERO\nddb.longContentID = \"0123456789abcdef0123456700000abc\"\n" },
  { "long-content-id-of-other-form-stays",
    "version=1\nCID=1\nparentCID=ffffffff\ncreateType=\"x\"\n"
    "RW 1 ZERO\nddb.longContentID = \"77\"\n",
    { 2, VMDK_NO_PARENT_CID, NULL },
    "version=1\nCID=00000002\nparentCID=ffffffff\ncreateType=\"x\"\n"
    "RW 1 ZERO\nddb.longContentID = \"77\"\n" },
  { "long-content-id-of-other-digits-stays",
    "version=1\nCID=1\nparentCID=ffffffff\ncreateType=\"x\"\n"
    "RW 1 ZERO\nddb.longContentID = \"0123456789abcdef01234567-0000001\"\n",
    { 2, VMDK_NO_PARENT_CID, NULL },
    "version=1\nCID=00000002\nparentCID=ffffffff\ncreateType=\"x\"\n"
    "RW 1 ZERO\nddb.longContentID = \"0123456789abcdef01234567-0000001\"\n" },
  { "base-becomes-child-crlf",
    "version=1\r\nCID=1\r\nparentCID=ffffffff\r\ncreateType=\"x\"\r\n"
    "RW 1 ZERO\r\n",
    { 1, 5, "p.vmdk" },
    "version=1\r\nCID=1\r\nparentCID=00000005\r\ncreateType=\"x\"\r\n"
    "parentFileNameHint=\"p.vmdk\"\r\nRW 1 ZERO\r\n" },
  { "child-becomes-base",
    "version=1\nCID=1\nparentCID=5\nparentFileNameHint=\"p.vmdk\"\n"
    "createType=\"x\"\nRW 1 ZERO",
    { 1, VMDK_NO_PARENT_CID, NULL },
    "version=1\nCID=1\nparentCID=ffffffff\ncreateType=\"x\"\nRW 1 ZERO" },
  { "missing-lines-are-added",
    "RW 1 ZERO\nCID=1\nversion=1\ncreateType=\"x\"",
    { 9, 5, "p" },
    "RW 1 ZERO\nCID=00000009\nparentCID=00000005\nversion=1\n"
    "createType=\"x\"\nparentFileNameHint=\"p\"" },
  { "neighbouring-lines",
    "version=1\ncreateType=\"x\"\nCID=1\n"
    "ddb.longContentID=\"0123456789abcdef0123456700000001\"\nRW 1 ZERO\n",
    { 2, 3, "p" },
    "version=1\ncreateType=\"x\"\nparentFileNameHint=\"p\"\nCID=00000002\n"
    "parentCID=00000003\n"
    "ddb.longContentID=\"0123456789abcdef0123456700000002\"\nRW 1 ZERO\n" },
  { "unquoted-hint-gets-quotes",
    "version=1\nCID=1\nparentCID=2\nparentFileNameHint=old\n"
    "createType=\"x\"\nRW 1 ZERO\n",
    { 1, 2, "new name" },
    "version=1\nCID=1\nparentCID=2\nparentFileNameHint=\"new name\"\n"
    "createType=\"x\"\nRW 1 ZERO\n" },
};

static void
test_edit (gconstpointer data)
{
  const EditCase *c = data;
  g_autoptr (VmdkDescriptor) before = parse (c->before);
  g_autoptr (VmdkDescriptor) after = NULL;
  g_autoptr (GError) error = NULL;
  g_autofree char *text
    = vmdk_descriptor_with_identity (before, &c->identity, &error);

  g_assert_no_error (error);
  g_assert_cmpstr (text, ==, c->after);
  after = parse (text);
  g_assert_cmphex (vmdk_descriptor_get_cid (after), ==, c->identity.cid);
  g_assert_cmphex (vmdk_descriptor_get_parent_cid (after), ==,
                   c->identity.parent_cid);
  g_assert_cmpstr (vmdk_descriptor_get_parent_hint (after), ==,
                   c->identity.parent_hint);
}

static void
test_bad_hints (void)
{
  g_autofree char *name = g_strnfill (PATH_MAX, 'x');
  const char *const hints[] = { "", "a\"b", "a\nb", "a\177b", name };
  g_autoptr (VmdkDescriptor) d = parse (child_text);

  for (gsize i = 0; i < G_N_ELEMENTS (hints); i++) {
    VmdkIdentity identity = { 1, 2, hints[i] };
    GError *error = NULL;

    g_assert_null (vmdk_descriptor_with_identity (d, &identity, &error));
    disk_assert_error (error, VIX_E_INVALID_ARG, "cannot hold");
    error = NULL;
    g_assert_null (vmdk_descriptor_format_child (d, 1, hints[i], "ok", &error));
    disk_assert_error (error, VIX_E_INVALID_ARG, "cannot hold");
    error = NULL;
    g_assert_null (vmdk_descriptor_format_child (d, 1, "ok", hints[i], &error));
    disk_assert_error (error, VIX_E_INVALID_ARG, "cannot hold");
  }
}

static void
test_child (void)
{
  g_autofree char *large = g_strnfill (129, 'x');
  g_autofree char *base
    = g_strconcat (HEAD "RW 77 ZERO\nddb.geometry.heads = \"255\"\n"
                        "ddb.adapterType = \"ide\"\nddb.deletable = \"true\"\n"
                        "ddb.geometry.sectors = \"6\0013\"\nddb.uuid = a\"b\n"
                        "ddb.toolsVersion = \"",
                   large, "\"\n", NULL);
  g_autoptr (VmdkDescriptor) parent = parse (base);
  g_autofree char *text = vmdk_descriptor_format_child (
    parent, 0xab12, "\xc3\xa4 b.vmdk", "c.vmdk", NULL);
  g_autoptr (VmdkDescriptor) d = parse (text);
  const char *long_cid = vmdk_descriptor_get_ddb (d, "ddb.longContentID");

  g_assert_cmphex (vmdk_descriptor_get_cid (d), ==, 0xab12);
  g_assert_cmphex (vmdk_descriptor_get_parent_cid (d), ==, 1);
  g_assert_cmpstr (vmdk_descriptor_get_parent_hint (d), ==, "\xc3\xa4 b.vmdk");
  g_assert_cmpuint (vmdk_descriptor_get_capacity_sectors (d), ==, 77);
  g_assert_cmpstr (vmdk_descriptor_get_ddb (d, "ddb.geometry.heads"), ==,
                   "255");
  g_assert_cmpstr (vmdk_descriptor_get_ddb (d, "ddb.adapterType"), ==, "ide");
  g_assert_null (vmdk_descriptor_get_ddb (d, "ddb.deletable"));
  g_assert_null (vmdk_descriptor_get_ddb (d, "ddb.uuid"));
  g_assert_null (vmdk_descriptor_get_ddb (d, "ddb.geometry.sectors"));
  g_assert_null (vmdk_descriptor_get_ddb (d, "ddb.toolsVersion"));
  g_assert_cmpuint (strlen (long_cid), ==, 32);
  g_assert_cmpstr (long_cid + 24, ==, "0000ab12");
  /* QEMU looks for these as text, in this form and order. */
  g_assert_true (strstr (text, "CID=") < strstr (text, "parentCID="));
  g_assert_nonnull (strstr (text, "\nCID=0000ab12\n"));
  g_assert_nonnull (strstr (text, "\nversion=1\n"));
  g_assert_nonnull (strstr (text, "\ncreateType=\"monolithicSparse\"\n"));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/vmdk/descriptor/fields", test_fields);
  g_test_add_func ("/vmdk/descriptor/lenient", test_lenient);
  g_test_add_func ("/vmdk/descriptor/extents", test_extents);
  for (gsize i = 0; i < G_N_ELEMENTS (bad_cases); i++) {
    g_autofree char *path
      = g_strconcat ("/vmdk/descriptor/refused/", bad_cases[i].name, NULL);

    g_test_add_data_func (path, &bad_cases[i], test_bad);
  }
  g_test_add_func ("/vmdk/descriptor/refused/long-names", test_long_name);
  g_test_add_func ("/vmdk/descriptor/refused/too-large", test_too_large);
  g_test_add_func ("/vmdk/descriptor/refused/too-many-extents",
                   test_too_many_extents);
  for (gsize i = 0; i < G_N_ELEMENTS (edit_cases); i++) {
    g_autofree char *path
      = g_strconcat ("/vmdk/descriptor/edit/", edit_cases[i].name, NULL);

    g_test_add_data_func (path, &edit_cases[i], test_edit);
  }
  g_test_add_func ("/vmdk/descriptor/edit/bad-hints", test_bad_hints);
  g_test_add_func ("/vmdk/descriptor/child", test_child);
  return g_test_run ();
}
