/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vsphere/soap/decode.h"

#include <string.h>

#include "vsphere/soap/fault.h"

#define ENVELOPE(body)                                                         \
  "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"                               \
  "<soapenv:Envelope"                                                          \
  " xmlns:soapenv=\"http://schemas.xmlsoap.org/soap/envelope/\""               \
  " xmlns:xsd=\"http://www.w3.org/2001/XMLSchema\""                            \
  " xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\">"                  \
  "<soapenv:Header><x>y</x></soapenv:Header>"                                  \
  "<soapenv:Body>\n" body "\n</soapenv:Body>\n</soapenv:Envelope>"

typedef struct {
  GString *seen;
  gsize max_used;
  guint n;
  guint n_cut;
  gboolean refuse;
} Records;

static gboolean
on_record (const SoapNode *record, SoapArena *arena, gpointer data,
           GError **error)
{
  Records *records = data;
  const char *obj = soap_node_child_text (record, "obj");

  records->n++;
  records->n_cut += record->cut;
  records->max_used = MAX (records->max_used, soap_arena_get_used (arena));
  if (records->seen != NULL)
    g_string_append_printf (records->seen, "%s,", obj == NULL ? "-" : obj);
  if (!records->refuse)
    return TRUE;
  g_set_error_literal (error, SOAP_ERROR, SOAP_ERROR_CANCELLED, "enough");
  return FALSE;
}

static void
on_head (const SoapNode *response, gpointer data)
{
  Records *records = data;
  const SoapNode *set = soap_node_child (response, "returnval");

  g_string_append_printf (records->seen, "[%s]",
                          soap_node_child_text (set, "version"));
}

static const SoapNode *
decode (SoapDecoder *decoder, const char *xml, gsize piece, GError **error)
{
  gsize pos, len = strlen (xml);

  for (pos = 0; pos < len; pos += piece)
    if (!soap_decoder_feed (decoder, xml + pos, MIN (piece, len - pos), error))
      return NULL;
  return soap_decoder_finish (decoder, error);
}

static void
test_tree (void)
{
  static const char xml[] = ENVELOPE (
    "<LoginResponse xmlns=\"urn:vim25\"><returnval><key>52b1</key>"
    "<userName>a &lt;&amp;&gt; b</userName><empty/><nested><x> 1 </x>"
    "</nested><c><![CDATA[<raw>]]></c></returnval></LoginResponse>");
  gsize piece;

  for (piece = 1; piece < sizeof xml; piece += 7) {
    g_autoptr (SoapDecoder) decoder = soap_decoder_new (NULL, NULL, NULL, NULL);
    g_autoptr (GError) error = NULL;
    const SoapNode *root = decode (decoder, xml, piece, &error), *value;

    g_assert_no_error (error);
    g_assert_cmpstr (root->name, ==, "LoginResponse");
    value = soap_node_child (root, "returnval");
    g_assert_cmpstr (soap_node_child_text (value, "key"), ==, "52b1");
    g_assert_cmpstr (soap_node_child_text (value, "userName"), ==, "a <&> b");
    g_assert_cmpstr (soap_node_child_text (value, "empty"), ==, "");
    g_assert_cmpstr (soap_node_child_text (value, "c"), ==, "<raw>");
    g_assert_cmpstr (
      soap_node_child_text (soap_node_child (value, "nested"), "x"), ==, " 1 ");
    g_assert_null (soap_node_child (value, "absent"));
    g_assert_null (value->next);
  }
}

/* As govmomi's simulator writes it: a prefix of its own, either order. */
static void
test_types_by_namespace (void)
{
  static const char xml[] = ENVELOPE (
    "<XResponse xmlns=\"urn:vim25\">"
    "<a xmlns:XMLSchema-instance=\"http://www.w3.org/2001/XMLSchema-instance\""
    " XMLSchema-instance:type=\"ManagedObjectReference\" type=\"Folder\">"
    "folder-3</a>"
    "<b type=\"Task\" xsi:type=\"vim25:ManagedObjectReference\""
    " serverGuid=\"x\">task-1</b>"
    "<c xsi:type=\"xsd:string\">t</c>"
    "<d xmlns:e=\"urn:other\" e:type=\"foreign\">t</d>"
    "</XResponse>");
  g_autoptr (SoapDecoder) decoder = soap_decoder_new (NULL, NULL, NULL, NULL);
  g_autoptr (GError) error = NULL;
  const SoapNode *root = decode (decoder, xml, sizeof xml, &error), *node;

  g_assert_no_error (error);
  node = soap_node_child (root, "a");
  g_assert_cmpstr (node->type, ==, "Folder");
  g_assert_cmpstr (node->xsi_type, ==, "ManagedObjectReference");
  node = soap_node_child (root, "b");
  g_assert_cmpstr (node->type, ==, "Task");
  g_assert_cmpstr (node->xsi_type, ==, "ManagedObjectReference");
  node = soap_node_child (root, "c");
  g_assert_null (node->type);
  g_assert_cmpstr (node->xsi_type, ==, "string");
  node = soap_node_child (root, "d");
  g_assert_null (node->type);
  g_assert_null (node->xsi_type);
}

static void
test_records (void)
{
  static const char xml[] = ENVELOPE (
    "<WaitForUpdatesExResponse xmlns=\"urn:vim25\"><returnval>"
    "<version>17</version>"
    "<filterSet><filter type=\"PropertyFilter\">f1</filter>"
    "<objectSet><kind>enter</kind><obj type=\"VirtualMachine\">vm-1</obj>"
    "<changeSet><objectSet><obj>not a record</obj></objectSet></changeSet>"
    "</objectSet>"
    "<objectSet><kind>leave</kind><obj type=\"Folder\">g-2</obj></objectSet>"
    "</filterSet>"
    "<filterSet><filter type=\"PropertyFilter\">f2</filter>"
    "<objectSet><obj>task-3</obj></objectSet>"
    "<missingSet><obj type=\"Task\">task-4</obj></missingSet></filterSet>"
    "<objectSet><obj>elsewhere</obj></objectSet>"
    "<truncated>true</truncated></returnval></WaitForUpdatesExResponse>");
  gsize piece;

  for (piece = 1; piece < sizeof xml; piece += 11) {
    Records records = { .seen = g_string_new (NULL) };
    g_autoptr (SoapDecoder) decoder = soap_decoder_new (
      "returnval/filterSet/objectSet", on_head, on_record, &records);
    g_autoptr (GError) error = NULL;
    const SoapNode *root = decode (decoder, xml, piece, &error), *value;

    g_assert_no_error (error);
    g_assert_cmpstr (records.seen->str, ==, "[17]vm-1,g-2,task-3,");
    value = soap_node_child (root, "returnval");
    g_assert_cmpstr (soap_node_child_text (value, "truncated"), ==, "true");
    value = soap_node_child (value, "filterSet");
    g_assert_cmpstr (soap_node_child_text (value, "filter"), ==, "f1");
    g_assert_null (soap_node_child (value, "objectSet"));
    g_assert_nonnull (soap_node_child (value->next, "missingSet"));
    g_string_free (records.seen, TRUE);
  }
}

static void
test_returnval_as_record (void)
{
  static const char xml[] = ENVELOPE (
    "<RetrievePropertiesResponse><returnval><obj>1</obj></returnval>"
    "<returnval><obj>2</obj></returnval></RetrievePropertiesResponse>");
  Records records = { .seen = g_string_new (NULL) };
  g_autoptr (SoapDecoder) decoder
    = soap_decoder_new ("returnval", NULL, on_record, &records);
  g_autoptr (GError) error = NULL;
  const SoapNode *root = decode (decoder, xml, 5, &error);

  g_assert_no_error (error);
  g_assert_cmpstr (records.seen->str, ==, "1,2,");
  g_assert_null (root->first);
  g_string_free (records.seen, TRUE);
}

static void
test_record_func_can_stop (void)
{
  static const char xml[] = ENVELOPE (
    "<RetrievePropertiesResponse><returnval><obj>1</obj></returnval>"
    "<returnval><obj>2</obj></returnval></RetrievePropertiesResponse>");
  Records records = { .refuse = TRUE };
  g_autoptr (SoapDecoder) decoder
    = soap_decoder_new ("returnval", NULL, on_record, &records);
  g_autoptr (GError) error = NULL;

  g_assert_null (decode (decoder, xml, sizeof xml, &error));
  g_assert_error (error, SOAP_ERROR, SOAP_ERROR_CANCELLED);
  g_assert_cmpuint (records.n, ==, 1);
}

/* 100 MB of objects cost what one of them does. */
static void
test_long_answer_takes_no_memory (void)
{
  static const char start[]
    = "<E:Envelope xmlns:E=\"http://schemas.xmlsoap.org/soap/envelope/\">"
      "<E:Body><RetrievePropertiesExResponse><returnval>";
  static const char end[]
    = "</returnval></RetrievePropertiesExResponse></E:Body></E:Envelope>";
  g_autofree char *text = g_strnfill (990, 'x');
  g_autofree char *object
    = g_strdup_printf ("<objects><obj>vm</obj><a>%s</a></objects>", text);
  Records records = { .n = 0 };
  g_autoptr (SoapDecoder) decoder
    = soap_decoder_new ("returnval/objects", NULL, on_record, &records);
  g_autoptr (GError) error = NULL;
  guint i, count = 100000;

  g_assert_true (soap_decoder_feed (decoder, start, strlen (start), &error));
  for (i = 0; i < count; i++)
    g_assert_true (
      soap_decoder_feed (decoder, object, strlen (object), &error));
  g_assert_true (soap_decoder_feed (decoder, end, strlen (end), &error));
  g_assert_nonnull (soap_decoder_finish (decoder, &error));
  g_assert_no_error (error);
  g_assert_cmpuint (records.n, ==, count);
  g_assert_cmpuint (records.max_used, <, 4096);
  g_assert_cmpuint (soap_arena_get_used (soap_decoder_get_arena (decoder)), <,
                    4096);
}

static const struct {
  const char *what;
  const char *xml;
  int code;
} hostile[] = {
  { "empty", "", SOAP_ERROR_MALFORMED },
  { "html", "<html><body>503</body></html>", SOAP_ERROR_MALFORMED },
  { "text", "Service Unavailable", SOAP_ERROR_MALFORMED },
  { "no-body", "<Envelope></Envelope>", SOAP_ERROR_MALFORMED },
  { "empty-body", "<Envelope><Body/></Envelope>", SOAP_ERROR_MALFORMED },
  { "truncated", "<Envelope><Body><XResponse><a>", SOAP_ERROR_MALFORMED },
  { "mismatched", "<Envelope><Body><a></b></Body></Envelope>",
    SOAP_ERROR_MALFORMED },
  { "entity-bomb",
    "<!DOCTYPE l [<!ENTITY a \"aaaaaaaaaa\"><!ENTITY b \"&a;&a;&a;\">]>"
    "<Envelope><Body><X>&b;</X></Body></Envelope>",
    SOAP_ERROR_MALFORMED },
  { "external-entity",
    "<!DOCTYPE l [<!ENTITY a SYSTEM \"file:///etc/passwd\">]>"
    "<Envelope><Body><X>&a;</X></Body></Envelope>",
    SOAP_ERROR_MALFORMED },
  { "external-dtd",
    "<!DOCTYPE l SYSTEM \"http://127.0.0.1:9/x.dtd\">"
    "<Envelope><Body><X/></Body></Envelope>",
    SOAP_ERROR_MALFORMED },
  { "unknown-entity", "<Envelope><Body><X>&nbsp;</X></Body></Envelope>",
    SOAP_ERROR_MALFORMED },
};

static void
test_hostile (void)
{
  gsize i, piece;

  for (i = 0; i < G_N_ELEMENTS (hostile); i++) {
    g_test_message ("%s", hostile[i].what);
    for (piece = 1; piece < 200; piece += 13) {
      g_autoptr (SoapDecoder) decoder
        = soap_decoder_new (NULL, NULL, NULL, NULL);
      g_autoptr (GError) error = NULL;

      g_assert_null (decode (decoder, hostile[i].xml, piece, &error));
      g_assert_error (error, SOAP_ERROR, hostile[i].code);
      /* It stays failed. */
      g_clear_error (&error);
      g_assert_false (soap_decoder_feed (decoder, "<a/>", 4, &error)
                      && soap_decoder_finish (decoder, &error) != NULL);
    }
  }
}

/* Feeds @n times @text after @start; what came of it. */
static gboolean
feed_repeated (SoapDecoder *decoder, const char *start, const char *text,
               gsize n, GError **error)
{
  GString *block = g_string_new (NULL);
  gsize per_block = MAX ((gsize)65536 / strlen (text), 1);
  gboolean ok = soap_decoder_feed (decoder, start, strlen (start), error);
  gsize i;

  for (i = 0; i < per_block; i++)
    g_string_append (block, text);
  for (i = 0; ok && i < n; i += per_block)
    ok = soap_decoder_feed (decoder, block->str, block->len, error);
  g_string_free (block, TRUE);
  return ok;
}

static void
test_bombs_hit_a_limit (void)
{
  static const struct {
    const char *start;
    const char *text;
    gsize n;
  } bombs[] = {
    { "<Envelope><Body>", "<a>", 100000000 },         /* deep */
    { "<Envelope><Body><X>", "<a/>", 100000000 },     /* wide */
    { "<Envelope><Body><X>", "xxxxxxxx", 100000000 }, /* one text */
    { "<Envelope><Body><X ", "a", 100000000 },        /* one name */
    { "<Envelope><Body><X type=\"", "a", 100000000 }, /* one value */
    { "<Envelope><Body><X", " a='", 100000000 },
    { "<Envelope><Body><!--", "xxxxxxxx", 100000000 }, /* one comment */
  };
  gsize i;

  for (i = 0; i < G_N_ELEMENTS (bombs); i++) {
    g_autoptr (SoapDecoder) decoder = soap_decoder_new (NULL, NULL, NULL, NULL);
    g_autoptr (GError) error = NULL;

    g_assert_false (feed_repeated (decoder, bombs[i].start, bombs[i].text,
                                   bombs[i].n, &error));
    g_assert_nonnull (error);
    g_assert_true (error->domain == SOAP_ERROR);
    g_test_message ("%s: %s", bombs[i].text, error->message);
  }
}

/* A record that is too deep or too big is handed out without its rest. */
static void
test_giant_records_are_cut (void)
{
  static const char start[]
    = "<Envelope><Body><XResponse><returnval><objects><obj>vm</obj>";
  static const char end[]
    = "</objects><objects><obj>small</obj></objects></returnval></XResponse>"
      "</Body></Envelope>";
  GString *deep = g_string_new (NULL);
  Records records = { .seen = g_string_new (NULL) };
  g_autoptr (SoapDecoder) decoder
    = soap_decoder_new ("returnval/objects", NULL, on_record, &records);
  g_autoptr (SoapDecoder) wide
    = soap_decoder_new ("returnval/objects", NULL, on_record, &records);
  g_autoptr (GError) error = NULL;
  guint i;

  g_string_append (deep, start);
  for (i = 0; i < 2000; i++)
    g_string_append (deep, "<c>");
  for (i = 0; i < 2000; i++)
    g_string_append (deep, "</c>");
  g_string_append (deep, end);
  g_assert_nonnull (decode (decoder, deep->str, 1000, &error));
  g_assert_no_error (error);
  g_assert_cmpstr (records.seen->str, ==, "vm,small,");
  g_assert_cmpuint (records.n_cut, ==, 1);

  g_assert_true (feed_repeated (wide, start, "<a>text</a>", 2000000, &error));
  g_assert_true (soap_decoder_feed (wide, end, strlen (end), &error));
  g_assert_nonnull (soap_decoder_finish (wide, &error));
  g_assert_no_error (error);
  g_assert_cmpstr (records.seen->str, ==, "vm,small,vm,small,");
  g_assert_cmpuint (records.n_cut, ==, 2);
  g_assert_cmpuint (records.max_used, <=, SOAP_MAX_RECORD_BYTES);
  g_string_free (deep, TRUE);
  g_string_free (records.seen, TRUE);
}

static void
test_forbidden_characters_pass (void)
{
  static const char xml[]
    = "<Envelope><Body><XResponse><a>1\001&#2;\377</a></XResponse></Body>"
      "</Envelope>";
  g_autoptr (SoapDecoder) decoder = soap_decoder_new (NULL, NULL, NULL, NULL);
  g_autoptr (GError) error = NULL;
  const SoapNode *root = decode (decoder, xml, 3, &error);

  g_assert_no_error (error);
  g_assert_cmpstr (soap_node_child_text (root, "a"), ==,
                   "1\357\277\275\357\277\275\357\277\275");
}

static void
test_declared_encoding_is_ignored (void)
{
  static const char xml[]
    = "<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?>"
      "<Envelope><Body><XResponse><a>\303\244</a></XResponse></Body>"
      "</Envelope>";
  g_autoptr (SoapDecoder) decoder = soap_decoder_new (NULL, NULL, NULL, NULL);
  g_autoptr (GError) error = NULL;
  const SoapNode *root = decode (decoder, xml, sizeof xml, &error);

  g_assert_no_error (error);
  g_assert_cmpstr (soap_node_child_text (root, "a"), ==, "\303\244");
}

static void
test_plain (void)
{
  static const char xml[]
    = "<?xml version=\"1.0\"?><namespaces version=\"1.0\"><namespace>"
      "<name>urn:vim25</name><version>6.5</version></namespace></namespaces>";
  g_autoptr (SoapArena) arena = soap_arena_new (1 << 20);
  g_autoptr (GError) error = NULL;
  const SoapNode *root = soap_decode_plain (xml, strlen (xml), arena, &error);

  g_assert_no_error (error);
  g_assert_cmpstr (root->name, ==, "namespaces");
  g_assert_cmpstr (
    soap_node_child_text (soap_node_child (root, "namespace"), "version"), ==,
    "6.5");
  g_assert_null (soap_decode_plain ("", 0, arena, &error));
  g_assert_error (error, SOAP_ERROR, SOAP_ERROR_MALFORMED);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/soap/decode/answer-becomes-a-tree", test_tree);
  g_test_add_func ("/soap/decode/xsi-type-goes-by-namespace",
                   test_types_by_namespace);
  g_test_add_func ("/soap/decode/records-are-handed-out", test_records);
  g_test_add_func ("/soap/decode/returnval-can-be-a-record",
                   test_returnval_as_record);
  g_test_add_func ("/soap/decode/record-function-can-stop",
                   test_record_func_can_stop);
  g_test_add_func ("/soap/decode/long-answer-takes-no-memory",
                   test_long_answer_takes_no_memory);
  g_test_add_func ("/soap/decode/hostile-answers-are-refused", test_hostile);
  g_test_add_func ("/soap/decode/bombs-hit-a-limit", test_bombs_hit_a_limit);
  g_test_add_func ("/soap/decode/giant-records-are-cut",
                   test_giant_records_are_cut);
  g_test_add_func ("/soap/decode/forbidden-characters-become-fffd",
                   test_forbidden_characters_pass);
  g_test_add_func ("/soap/decode/declared-encoding-is-ignored",
                   test_declared_encoding_is_ignored);
  g_test_add_func ("/soap/decode/plain-document", test_plain);
  return g_test_run ();
}
