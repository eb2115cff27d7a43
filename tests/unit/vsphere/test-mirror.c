/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The inventory in memory, told by hand.
 */
#include "vsphere/mirror.h"

#include <string.h>

typedef struct {
  VsphereMirror *mirror;
  SoapArena *arena;
} Fixture;

static void
set_up (Fixture *self, gconstpointer data)
{
  self->mirror = vsphere_mirror_new (TRUE);
  self->arena = soap_arena_new (SOAP_MAX_DECODED_BYTES);
}

static void
tear_down (Fixture *self, gconstpointer data)
{
  vsphere_mirror_free (self->mirror);
  soap_arena_free (self->arena);
}

/* An update of "vm-1" with at most one property. */
static void
tell (Fixture *self, const char *kind, const char *name, const SoapNode *value)
{
  SoapPropertyChange change
    = { .name = name, .op = value == NULL ? "remove" : "assign", .val = value };
  SoapObjectUpdate update = { .kind = kind,
                              .obj = { "VirtualMachine", "vm-1" },
                              .changeSet = { &change, name != NULL } };

  vsphere_mirror_apply (self->mirror, &update, FALSE, self->arena);
}

static void
tell_text (Fixture *self, const char *kind, const char *name, const char *text)
{
  SoapNode value = { .name = "val", .text = text };

  tell (self, kind, name, &value);
}

/* A layoutEx with one file. */
static void
tell_file (Fixture *self, const char *size)
{
  SoapNode bytes = { .name = "size", .text = size };
  SoapNode path = { .name = "name", .text = "[ds] a/a.vmx", .next = &bytes };
  SoapNode key = { .name = "key", .text = "1", .next = &path };
  SoapNode file = { .name = "file", .text = "", .first = &key };
  SoapNode value = { .name = "val", .text = "", .first = &file };

  tell (self, "modify", "layoutEx", &value);
}

/* "put vm-1", "files vm-1", "removed vm-1", joined by blanks. */
static char *
take (Fixture *self)
{
  g_autoptr (GArray) changes = vsphere_mirror_take_changes (self->mirror, TRUE);
  GString *text = g_string_new (NULL);

  for (guint i = 0; i < changes->len; i++) {
    const VsphereChange *change = &g_array_index (changes, VsphereChange, i);

    g_string_append_printf (text, "%s%s %s", i > 0 ? " " : "",
                            change->put == NULL  ? "removed"
                            : change->files_only ? "files"
                                                 : "put",
                            change->put == NULL ? change->removed
                                                : change->put->id);
  }
  return g_string_free (text, FALSE);
}

static void
assert_takes (Fixture *self, const char *wanted)
{
  g_autofree char *text = take (self);

  g_assert_cmpstr (text, ==, wanted);
}

static const char *
problem (Fixture *self)
{
  const VsphereVm *vm = vsphere_mirror_get_vm (self->mirror, "vm-1");

  return vsphere_vm_get_record (vm)->problem;
}

static void
test_files (Fixture *self, gconstpointer data)
{
  tell_text (self, "enter", "name", "a");
  assert_takes (self, "put vm-1");
  tell_file (self, "5");
  assert_takes (self, "files vm-1");
  /* The same again is no news; nor is it after everything was told again. */
  tell_file (self, "5");
  assert_takes (self, "");
  tell_text (self, "enter", "name", "a");
  tell_file (self, "5");
  assert_takes (self, "");
  tell_file (self, "6");
  tell_text (self, "modify", "name", "b");
  assert_takes (self, "put vm-1");
  tell (self, "modify", "layoutEx", NULL);
  assert_takes (self, "files vm-1");
  tell_file (self, "6");
  tell (self, "leave", NULL, NULL);
  assert_takes (self, "removed vm-1");
}

/* What was asked for before an update came must not undo it. */
static void
test_newer (Fixture *self, gconstpointer data)
{
  const SoapRef vm = { "VirtualMachine", "vm-1" };
  const SoapRef other = { "VirtualMachine", "vm-2" };
  const SoapRef unknown = { "HostSystem", "host-1" };
  guint since = vsphere_mirror_get_serial (self->mirror);

  g_assert_false (vsphere_mirror_is_newer (self->mirror, &vm, since));
  tell_text (self, "enter", "name", "a");
  g_assert_true (vsphere_mirror_is_newer (self->mirror, &vm, since));
  g_assert_false (vsphere_mirror_is_newer (self->mirror, &other, since));
  since = vsphere_mirror_get_serial (self->mirror);
  g_assert_false (vsphere_mirror_is_newer (self->mirror, &vm, since));
  tell_text (self, "modify", "name", "b");
  g_assert_true (vsphere_mirror_is_newer (self->mirror, &vm, since));
  since = vsphere_mirror_get_serial (self->mirror);
  tell (self, "leave", NULL, NULL);
  g_assert_true (vsphere_mirror_is_newer (self->mirror, &vm, since));
  g_assert_true (vsphere_mirror_is_newer (self->mirror, &unknown, since));
}

/* One property that makes no sense is a problem until it makes sense. */
static void
test_unreadable (Fixture *self, gconstpointer data)
{
  tell_text (self, "enter", "name", "a");
  g_assert_cmpstr (problem (self), ==, "");
  tell_text (self, "modify", "summary.config.numCpu", "many");
  g_assert_nonnull (strstr (problem (self), "numCpu"));
  tell_text (self, "modify", "name", "b");
  g_assert_nonnull (strstr (problem (self), "numCpu"));
  tell_text (self, "modify", "summary.config.numCpu", "2");
  g_assert_cmpstr (problem (self), ==, "");
}

#define ADD(path, func)                                                        \
  g_test_add (path, Fixture, NULL, set_up, func, tear_down)

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  ADD ("/vsphere/mirror/files", test_files);
  ADD ("/vsphere/mirror/newer-than-what-was-asked", test_newer);
  ADD ("/vsphere/mirror/unreadable-until-readable", test_unreadable);
  return g_test_run ();
}
