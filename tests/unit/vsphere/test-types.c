/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vsphere/soap/types.h"

#include <string.h>

#include "vsphere/soap/envelope.h"
#include "vsphere/soap/fault.h"

/* ---- times ---- */

static void
test_times (void)
{
  static const struct {
    const char *text;
    gint64 us;
  } good[] = {
    { "1970-01-01T00:00:00Z", 0 },
    { "2026-11-22T08:47:06Z", 1795337226000000 },
    { "2026-11-22T08:47:06", 1795337226000000 },
    { "2026-11-22T08:47:06.091265096Z", 1795337226091265 },
    { "2026-11-22T08:47:06.09Z", 1795337226090000 },
    { "2026-11-22T08:47:06.0000000000001Z", 1795337226000000 },
    { "2026-11-22T09:47:06+01:00", 1795337226000000 },
    { "2026-11-22T03:17:06.5-05:30", 1795337226500000 },
    { "2024-02-29T00:00:00Z", 1709164800000000 },
    { "2000-03-01T00:00:00Z", 951868800000000 },
    { "1969-12-31T23:59:59Z", -1000000 },
  };
  static const char *const bad[] = { "",
                                     "now",
                                     "2026-11-22",
                                     "2026-11-22 08:47:06",
                                     "2026-13-01T00:00:00Z",
                                     "2026-00-01T00:00:00Z",
                                     "2026-11-32T00:00:00Z",
                                     "2026-11-22T25:00:00Z",
                                     "2026-11-22T08:47:06X",
                                     "2026-11-22T08:47:06+1:00",
                                     "2026-11-22T08:47:06+01:00Z",
                                     "0000-01-01T00:00:00Z",
                                     "-026-01-01T00:00:00Z" };
  gint64 us;
  gsize i;

  for (i = 0; i < G_N_ELEMENTS (good); i++) {
    g_assert_true (soap_parse_time (good[i].text, &us));
    g_assert_cmpint (us, ==, good[i].us);
  }
  for (i = 0; i < G_N_ELEMENTS (bad); i++)
    g_assert_false (soap_parse_time (bad[i], &us));
}

/* ---- tables ---- */

/* What goes wrong when a row is mistyped. */
static void
test_tables (void)
{
  gsize i, j, k;

  for (i = 0; i < soap_n_types; i++) {
    const SoapType *type = soap_types[i];

    g_assert_cmpuint (type->n_fields, >, 0);
    for (j = 0; j < type->n_fields; j++) {
      g_assert_cmpuint (type->fields[j].offset, <, type->size);
      g_assert_true ((type->fields[j].sub != NULL)
                     == (type->fields[j].kind == SOAP_KIND_STRUCT
                         || type->fields[j].kind == SOAP_KIND_LIST));
      for (k = 0; k < j; k++) {
        g_assert_cmpuint (type->fields[k].offset, <, type->fields[j].offset);
        g_assert_cmpstr (type->fields[k].name, !=, type->fields[j].name);
      }
    }
  }
  for (i = 0; i < soap_n_methods; i++) {
    gboolean task = g_str_has_suffix (soap_methods[i]->name, "_Task");

    /* What starts a task changes something, and answers with the task. */
    if (task) {
      g_assert_cmpint (soap_methods[i]->effect, ==, SOAP_EFFECT_CHANGES);
      g_assert_cmpint (soap_methods[i]->result_kind, ==, SOAP_KIND_REF);
    }
    g_assert_true ((soap_methods[i]->result != NULL)
                   == (soap_methods[i]->result_kind == SOAP_KIND_STRUCT));
  }
}

/* ---- requests ---- */

static char *
request (const SoapMethod *method, const char *type, const char *value,
         gconstpointer args, GError **error)
{
  SoapRef object = { type, value };
  SoapCall call = { .method = method, .object = &object, .args = args };
  GString *out = soap_envelope_write (&call, error);
  char *body, *text;

  if (out == NULL)
    return NULL;
  body = strstr (out->str, "<soapenv:Body>");
  g_assert_nonnull (body);
  body += strlen ("<soapenv:Body>");
  text = g_strndup (body, (gsize)(strstr (body, "</soapenv:Body>") - body));
  g_string_free (out, TRUE);
  return text;
}

static void
test_requests (void)
{
  SoapCreateSnapshotArgs create
    = { .name = "a <&> \"b\"\r\n\303\244", .memory = TRUE };
  SoapRenameSnapshotArgs rename = { .name = "n" };
  SoapSelectionSpec select_names[] = { { .name = "f" }, { .name = "d" } };
  SoapTraversalSpec traversal = { .name = "f",
                                  .type = "Folder",
                                  .path = "childEntity",
                                  .select = { select_names, 2 } };
  SoapObjectSpec object_set = { .obj = { "Folder", "group-d1" },
                                .skip = TRUE,
                                .select = { &traversal, 1 } };
  const char *paths[] = { "name", "parent" };
  SoapPropertySpec prop_set = { .type = "Folder", .pathSet = { paths, 2 } };
  SoapPropertyFilterSpec spec
    = { .propSet = { &prop_set, 1 }, .objectSet = { &object_set, 1 } };
  SoapCreateFilterArgs filter = { .spec = &spec };
  g_autoptr (GError) error = NULL;
  g_autofree char *created
    = request (&soap_method_CreateSnapshot_Task, "VirtualMachine", "vm-<1>",
               &create, &error);
  g_autofree char *renamed
    = request (&soap_method_RenameSnapshot, "VirtualMachineSnapshot", "s",
               &rename, &error);
  g_autofree char *filtered = request (
    &soap_method_CreateFilter, "PropertyCollector", "pc", &filter, &error);
  g_autofree char *plain = request (&soap_method_CurrentTime, "ServiceInstance",
                                    "ServiceInstance", NULL, &error);

  g_assert_no_error (error);
  g_assert_cmpstr (
    created, ==,
    "<CreateSnapshot_Task xmlns=\"urn:vim25\">"
    "<_this type=\"VirtualMachine\">vm-&lt;1&gt;</_this>"
    "<name>a &lt;&amp;&gt; &quot;b&quot;&#13;\n\303\244</name>"
    "<memory>true</memory><quiesce>false</quiesce></CreateSnapshot_Task>");
  /* An empty description would wipe the one that is there. */
  g_assert_cmpstr (renamed, ==,
                   "<RenameSnapshot xmlns=\"urn:vim25\">"
                   "<_this type=\"VirtualMachineSnapshot\">s</_this>"
                   "<name>n</name></RenameSnapshot>");
  g_assert_cmpstr (
    filtered, ==,
    "<CreateFilter xmlns=\"urn:vim25\"><_this type=\"PropertyCollector\">pc"
    "</_this><spec><propSet><type>Folder</type><pathSet>name</pathSet>"
    "<pathSet>parent</pathSet></propSet><objectSet><obj type=\"Folder\">"
    "group-d1</obj><skip>true</skip><selectSet xsi:type=\"TraversalSpec\">"
    "<name>f</name><type>Folder</type><path>childEntity</path><selectSet>"
    "<name>f</name></selectSet><selectSet><name>d</name></selectSet>"
    "</selectSet></objectSet></spec><partialUpdates>false</partialUpdates>"
    "</CreateFilter>");
  g_assert_cmpstr (plain, ==,
                   "<CurrentTime xmlns=\"urn:vim25\">"
                   "<_this type=\"ServiceInstance\">ServiceInstance</_this>"
                   "</CurrentTime>");
}

static void
test_unsendable_text (void)
{
  static const char *const bad[]
    = { "a\001b", "\033", "\357\277\277", "\377", "\355\240\200" };
  gsize i;

  for (i = 0; i < G_N_ELEMENTS (bad); i++) {
    SoapRenameSnapshotArgs args = { .name = bad[i] };
    g_autoptr (GError) error = NULL;

    g_assert_null (
      request (&soap_method_RenameSnapshot, "X", "s", &args, &error));
    g_assert_error (error, SOAP_ERROR, SOAP_ERROR_ARGUMENT);
    g_assert_false (soap_error_get_sent (error));
  }
}

/* ---- answers ---- */

#define ANSWER(body)                                                           \
  "<soapenv:Envelope xmlns:soapenv=\"http://schemas.xmlsoap.org/soap/"         \
  "envelope/\" xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\">"       \
  "<soapenv:Body>" body "</soapenv:Body></soapenv:Envelope>"
#define FAULT(string, detail)                                                  \
  ANSWER ("<soapenv:Fault><faultcode>ServerFaultCode</faultcode>"              \
          "<faultstring>" string "</faultstring><detail>" detail               \
          "</detail></soapenv:Fault>")

static SoapReply *
answer (const SoapMethod *method, int status, const char *text, GError **error)
{
  SoapRef object = { "X", "x" };
  SoapCall call = { .method = method, .object = &object };

  return soap_envelope_read (&call, status, text, strlen (text), error);
}

static void
test_service_content (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (SoapReply) reply = answer (
    &soap_method_RetrieveServiceContent, 200,
    ANSWER (
      "<RetrieveServiceContentResponse xmlns=\"urn:vim25\"><returnval>"
      "<rootFolder type=\"Folder\">group-d1</rootFolder>"
      "<propertyCollector type=\"PropertyCollector\">pc</propertyCollector>"
      "<about><name>VMware vCenter Server</name><unknown>x</unknown>"
      "<apiVersion>8.0.3.0</apiVersion><apiType>VirtualCenter</apiType>"
      "</about><sessionManager type=\"SessionManager\">sm</sessionManager>"
      "</returnval></RetrieveServiceContentResponse>"),
    &error);
  const SoapServiceContent *content;

  g_assert_no_error (error);
  content = soap_reply_get_struct (reply);
  g_assert_cmpstr (content->rootFolder.type, ==, "Folder");
  g_assert_cmpstr (content->rootFolder.value, ==, "group-d1");
  g_assert_cmpstr (content->about->apiVersion, ==, "8.0.3.0");
  g_assert_null (content->about->instanceUuid);
  g_assert_null (content->viewManager.value);
}

static const struct {
  const char *what;
  const SoapMethod *method;
  int status;
  const char *text;
  int code;
  const char *says;
} bad_answers[] = {
  { "required field missing", &soap_method_RetrieveServiceContent, 200,
    ANSWER ("<RetrieveServiceContentResponse><returnval/>"
            "</RetrieveServiceContentResponse>"),
    SOAP_ERROR_MALFORMED, "ServiceContent.rootFolder" },
  { "not a time", &soap_method_Login, 200,
    ANSWER ("<LoginResponse><returnval><key>k</key><userName>u</userName>"
            "<loginTime>noon</loginTime></returnval></LoginResponse>"),
    SOAP_ERROR_MALFORMED, "noon" },
  { "another method's answer", &soap_method_CurrentTime, 200,
    ANSWER ("<LoginResponse/>"), SOAP_ERROR_MALFORMED, "LoginResponse" },
  { "not SOAP", &soap_method_CurrentTime, 200, "<html>no</html>",
    SOAP_ERROR_MALFORMED, "envelope" },
  { "a proxy's page", &soap_method_CurrentTime, 500, "<html>no</html>",
    SOAP_ERROR_STATUS, "500" },
  { "unavailable", &soap_method_CurrentTime, 503, "<html>no</html>",
    SOAP_ERROR_STATUS, "503" },
  { "unauthorized", &soap_method_CurrentTime, 401, "", SOAP_ERROR_STATUS,
    "401" },
  { "redirect", &soap_method_CurrentTime, 301, "", SOAP_ERROR_STATUS,
    "elsewhere" },
};

static void
test_bad_answers (void)
{
  gsize i;

  for (i = 0; i < G_N_ELEMENTS (bad_answers); i++) {
    g_autoptr (GError) error = NULL;

    g_test_message ("%s", bad_answers[i].what);
    g_assert_null (answer (bad_answers[i].method, bad_answers[i].status,
                           bad_answers[i].text, &error));
    g_assert_error (error, SOAP_ERROR, bad_answers[i].code);
    g_assert_nonnull (strstr (error->message, bad_answers[i].says));
    /* Who knows what was done? */
    if (bad_answers[i].status != 200)
      g_assert_cmpint (soap_error_get_status (error), ==,
                       bad_answers[i].status);
  }
}

static const struct {
  const char *text;
  const char *type;
  const char *message;
  const char *field;
  const char *value;
} faults[] = {
  { FAULT ("Login failure", "<InvalidLoginFault xmlns=\"urn:vim25\""
                            " xsi:type=\"InvalidLogin\"/>"),
    "InvalidLogin", "Login failure", NULL, NULL },
  { FAULT ("", "<NotAuthenticatedFault><object type=\"Folder\">g</object>"
               "<privilegeId>System.View</privilegeId>"
               "</NotAuthenticatedFault>"),
    "NotAuthenticated", "", "privilegeId", "System.View" },
  { FAULT ("x", "<FileFaultFault xsi:type=\"FileFault\"><file>[ds] a</file>"
                "</FileFaultFault>"),
    "FileFault", "x", "file", "[ds] a" },
  { FAULT ("general", "<GenericVmConfigFaultFault xsi:type="
                      "\"GenericVmConfigFault\"><faultMessage><key>k</key>"
                      "<message>the true reason</message></faultMessage>"
                      "<faultMessage><message>general</message>"
                      "</faultMessage><reason>r</reason>"
                      "</GenericVmConfigFaultFault>"),
    "GenericVmConfigFault", "general the true reason", "reason", "r" },
  { FAULT ("u", "<UnexpectedFaultFault xsi:type=\"UnexpectedFault\">"
                "<faultName>vim.fault.Timedout</faultName>"
                "</UnexpectedFaultFault>"),
    "Timedout", "u", NULL, NULL },
  { FAULT ("s", "<TaskInProgressFault xsi:type=\"TaskInProgress\">"
                "<task type=\"Task\">task-9</task></TaskInProgressFault>"),
    "TaskInProgress", "s", "task", "task-9" },
  { FAULT ("bare", ""), "", "bare", NULL, NULL },
};

static void
test_faults (void)
{
  gsize i;

  for (i = 0; i < G_N_ELEMENTS (faults); i++) {
    g_autoptr (GError) error = NULL;
    SoapFault *fault;

    g_assert_null (
      answer (&soap_method_CurrentTime, 500, faults[i].text, &error));
    g_assert_error (error, SOAP_ERROR, SOAP_ERROR_FAULT);
    g_assert_true (soap_error_is_fault (error, faults[i].type));
    g_assert_false (soap_error_get_sent (error));
    g_assert_false (soap_error_is_transport (error));
    fault = soap_error_get_fault (error);
    g_assert_true (g_str_has_suffix (error->message, faults[i].message));
    if (faults[i].field != NULL)
      g_assert_cmpstr (soap_fault_get_field (fault, faults[i].field)->value, ==,
                       faults[i].value);
    g_assert_null (soap_fault_get_field (fault, "noSuchField"));
  }
}

static void
test_errors_keep_their_facts (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GError) copy = NULL;

  g_assert_null (
    answer (&soap_method_CurrentTime, 500, faults[1].text, &error));
  g_prefix_error (&error, "prefix: ");
  copy = g_error_copy (error);
  g_clear_error (&error);
  g_assert_true (soap_error_is_fault (copy, "NotAuthenticated"));
  g_assert_cmpstr (copy->message, ==, "prefix: NotAuthenticated");
  g_assert_cmpint (soap_error_get_status (copy), ==, 500);
}

/* A host that writes a novel into a fault. */
static void
test_faults_are_bounded (void)
{
  g_autofree char *novel = g_strnfill (100000, 'n');
  GString *text = g_string_new (NULL);
  g_autoptr (GError) error = NULL;
  SoapFault *fault;
  int i;

  g_string_append_printf (text,
                          "<e:Envelope xmlns:e=\"e\"><e:Body><e:Fault>"
                          "<faultstring>%s</faultstring><detail><XFault>",
                          novel);
  for (i = 0; i < 100; i++)
    g_string_append_printf (text, "<f%d>%s</f%d>", i, novel, i);
  g_string_append (text, "</XFault></detail></e:Fault></e:Body></e:Envelope>");
  g_assert_null (answer (&soap_method_CurrentTime, 500, text->str, &error));
  fault = soap_error_get_fault (error);
  g_assert_cmpstr (soap_fault_get_type (fault), ==, "X");
  g_assert_cmpuint (strlen (error->message), <=, strlen ("X: ") + 2048);
  g_assert_cmpuint (strlen (soap_fault_get_field (fault, "f0")->value), <=,
                    512);
  g_assert_null (soap_fault_get_field (fault, "f99"));
  g_string_free (text, TRUE);
}

/* ---- values ---- */

static void
test_values (void)
{
  static const char xml[]
    = "<v xmlns:xsi=\"http://www.w3.org/2001/XMLSchema-instance\">"
      "<s xsi:type=\"ArrayOfString\"><string>a</string><string/></s>"
      "<i xsi:type=\"ArrayOfInt\"><int>-1</int><int>7</int></i>"
      "<r xsi:type=\"ArrayOfManagedObjectReference\">"
      "<ManagedObjectReference type=\"Task\">task-1</ManagedObjectReference>"
      "</r><unset type=\"X\"/><bad>12x</bad><b>1</b></v>";
  g_autoptr (SoapArena) arena = soap_arena_new (1 << 20);
  g_autoptr (GError) error = NULL;
  const SoapNode *v = soap_decode_plain (xml, strlen (xml), arena, &error);
  SoapStrings strings;
  SoapInts ints;
  SoapRefs refs;
  SoapRef ref;
  gint64 number;
  gboolean flag;

  g_assert_no_error (error);
  g_assert_true (soap_decode_value (SOAP_KIND_STRINGS, NULL, "s",
                                    soap_node_child (v, "s"), arena, &strings,
                                    &error));
  g_assert_cmpuint (strings.n, ==, 2);
  g_assert_cmpstr (strings.items[0], ==, "a");
  g_assert_cmpstr (strings.items[1], ==, "");
  g_assert_true (soap_decode_value (
    SOAP_KIND_INTS, NULL, "i", soap_node_child (v, "i"), arena, &ints, &error));
  g_assert_cmpint (ints.items[0], ==, -1);
  g_assert_cmpint (ints.items[1], ==, 7);
  g_assert_true (soap_decode_value (
    SOAP_KIND_REFS, NULL, "r", soap_node_child (v, "r"), arena, &refs, &error));
  g_assert_cmpuint (refs.n, ==, 1);
  g_assert_cmpstr (refs.items[0].value, ==, "task-1");
  /* The simulator's empty currentSnapshot. */
  g_assert_true (soap_decode_value (SOAP_KIND_REF, NULL, "unset",
                                    soap_node_child (v, "unset"), arena, &ref,
                                    &error));
  g_assert_null (ref.value);
  g_assert_true (soap_decode_value (
    SOAP_KIND_BOOL, NULL, "b", soap_node_child (v, "b"), arena, &flag, &error));
  g_assert_true (flag);
  g_assert_false (soap_decode_value (SOAP_KIND_INT, NULL, "X.bad",
                                     soap_node_child (v, "bad"), arena, &number,
                                     &error));
  g_assert_error (error, SOAP_ERROR, SOAP_ERROR_MALFORMED);
  g_assert_nonnull (strstr (error->message, "X.bad"));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/soap/types/times", test_times);
  g_test_add_func ("/soap/types/tables-are-sound", test_tables);
  g_test_add_func ("/soap/types/values", test_values);
  g_test_add_func ("/soap/envelope/requests", test_requests);
  g_test_add_func ("/soap/envelope/unsendable-text-is-refused",
                   test_unsendable_text);
  g_test_add_func ("/soap/envelope/service-content", test_service_content);
  g_test_add_func ("/soap/envelope/bad-answers-are-errors", test_bad_answers);
  g_test_add_func ("/soap/fault/types-and-fields", test_faults);
  g_test_add_func ("/soap/fault/errors-keep-their-facts",
                   test_errors_keep_their_facts);
  g_test_add_func ("/soap/fault/long-texts-are-cut", test_faults_are_bounded);
  return g_test_run ();
}
