/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * The tests named after the remarks of CreateSnapshot's reference page check
 * what the API does of it; what becomes of disks is the providers'.
 */
#include <string.h>

#include "host-fixture.h"

static VixError
try_create (VixHandle vm, const char *name, int options, VixHandle list)
{
  return finish (
    VixVM_CreateSnapshot (vm, name, NULL, options, list, NULL, NULL));
}

static void
assert_name (VixHandle snapshot, const char *expected)
{
  char *name = snapshot_name (snapshot);

  g_assert_cmpstr (name, ==, expected);
  Vix_FreeBuffer (name);
}

/* ---- CreateSnapshot ---- */

static void
test_is_child_of_the_current (void)
{
  VixHandle host = connect_workstation ();
  VixHandle vm = open_vm (host, "one"), parent, current;
  VixHandle a = create_snapshot (vm, "a"), b = create_snapshot (vm, "b"), c;

  assert_vix (VixSnapshot_GetParent (b, &parent), VIX_OK);
  g_assert_cmpint (parent, ==, a);
  assert_vix (VixSnapshot_GetParent (a, &parent), VIX_OK);
  g_assert_cmpint (parent, ==, VIX_INVALID_HANDLE);
  assert_vix (finish (VixVM_RevertToSnapshot (vm, a, 0, 0, NULL, NULL)),
              VIX_OK);
  assert_vix (VixVM_GetCurrentSnapshot (vm, &current), VIX_OK);
  g_assert_cmpint (current, ==, a);
  c = create_snapshot (vm, "c");
  assert_vix (VixSnapshot_GetParent (c, &parent), VIX_OK);
  g_assert_cmpint (parent, ==, a);
  assert_vix (VixVM_GetCurrentSnapshot (vm, &current), VIX_OK);
  g_assert_cmpint (current, ==, c);
  disconnect_and_check (host);
}

static void
test_name_and_description_may_be_null (void)
{
  VixHandle host = connect_workstation ();
  VixHandle vm = open_vm (host, "one");
  VixHandle s = create_snapshot (vm, NULL);
  char *name = NULL, *description = NULL;

  assert_vix (Vix_GetProperties (s, VIX_PROPERTY_SNAPSHOT_DISPLAYNAME, &name,
                                 VIX_PROPERTY_SNAPSHOT_DESCRIPTION,
                                 &description, VIX_PROPERTY_NONE),
              VIX_OK);
  g_assert_cmpstr (name, ==, "");
  g_assert_cmpstr (description, ==, "");
  Vix_FreeBuffer (name);
  Vix_FreeBuffer (description);
  disconnect_and_check (host);
}

static void
test_names_need_not_be_unique (void)
{
  VixHandle host = connect_workstation ();
  VixHandle vm = open_vm (host, "one"), found = 5;
  VixHandle a = create_snapshot (vm, "same"), b = create_snapshot (vm, "same");

  g_assert_cmpint (a, !=, b);
  assert_vix (VixVM_GetNamedSnapshot (vm, "same", &found),
              VIX_E_SNAPSHOT_NONUNIQUE_NAME);
  g_assert_cmpint (found, ==, VIX_INVALID_HANDLE);
  disconnect_and_check (host);
}

static void
test_property_list_must_be_invalid_handle (void)
{
  VixHandle host = connect_workstation (), list, none;
  VixHandle vm = open_vm (host, "one");

  VixPropertyList_AllocPropertyList (host, &list, VIX_PROPERTY_NONE);
  assert_vix (try_create (vm, "s", 0, list), VIX_E_INVALID_ARG);
  assert_vix (try_create (vm, "s", 0, 999999), VIX_E_INVALID_ARG);
  assert_vix (try_create (vm, "s", 0x40, 0), VIX_E_INVALID_ARG);
  assert_vix (try_create (vm, "\xfe", 0, 0), VIX_E_INVALID_UTF8_STRING);
  assert_vix (VixVM_GetCurrentSnapshot (vm, &none), VIX_E_SNAPSHOT_NOTFOUND);
  g_assert_cmpint (none, ==, VIX_INVALID_HANDLE);
  disconnect_and_check (host);
}

static void
test_options_reach_the_provider (void)
{
  VixHandle host = connect_workstation ();
  VixHandle vm = open_vm (host, "two");

  assert_vix (try_create (vm, "s", 0, 0), VIX_OK);
  g_assert_false (fake_get_log ().snapshot.memory);
  g_assert_false (fake_get_log ().snapshot.quiesce);
  assert_vix (try_create (vm, "s", VIX_SNAPSHOT_INCLUDE_MEMORY, 0), VIX_OK);
  g_assert_true (fake_get_log ().snapshot.memory);
  assert_vix (try_create (vm, "s", VIXEXT_SNAPSHOT_QUIESCE, 0), VIX_OK);
  g_assert_true (fake_get_log ().snapshot.quiesce);
  g_assert_false (fake_get_log ().snapshot.memory);
  disconnect_and_check (host);
}

static void
test_without_memory_revert_leaves_it_off (void)
{
  VixHandle host = connect_workstation ();
  VixHandle vm = open_vm (host, "two");
  VixHandle plain = create_snapshot (vm, "plain");
  VixHandle with = finish_with_handle (VixVM_CreateSnapshot (
    vm, "with", NULL, VIX_SNAPSHOT_INCLUDE_MEMORY, 0, NULL, NULL));

  assert_vix (finish (VixVM_RevertToSnapshot (vm, plain, 0, 0, NULL, NULL)),
              VIX_OK);
  g_assert_cmpint (power_state (vm), ==, VIX_POWERSTATE_POWERED_OFF);
  assert_vix (finish (VixVM_RevertToSnapshot (vm, with, 0, 0, NULL, NULL)),
              VIX_OK);
  g_assert_cmpint (power_state (vm), ==, VIX_POWERSTATE_POWERED_ON);
  assert_vix (
    finish (VixVM_RevertToSnapshot (
      vm, with, VIX_VMPOWEROP_SUPPRESS_SNAPSHOT_POWERON, 0, NULL, NULL)),
    VIX_OK);
  g_assert_true (fake_get_log ().suppress_power_on);
  g_assert_cmpint (power_state (vm), ==, VIX_POWERSTATE_POWERED_OFF);
  disconnect_and_check (host);
}

static void
test_server_keeps_one_and_overwrites_it (void)
{
  VixHandle host = connect_host (VIX_SERVICEPROVIDER_VMWARE_SERVER, 0);
  VixHandle vm = open_vm (host, "one"), current, root;
  int n = 0;

  create_snapshot (vm, "first");
  g_assert_cmpint (fake_get_log ().snapshot.replace, ==, 0);
  create_snapshot (vm, "second");
  g_assert_cmpint (fake_get_log ().snapshot.replace, ==, 1);
  assert_vix (VixVM_GetNumRootSnapshots (vm, &n), VIX_OK);
  g_assert_cmpint (n, ==, 1);
  assert_vix (VixVM_GetRootSnapshot (vm, 0, &root), VIX_OK);
  assert_vix (VixVM_GetCurrentSnapshot (vm, &current), VIX_OK);
  g_assert_cmpint (root, ==, current);
  assert_name (current, "second");
  disconnect_and_check (host);
}

/* The second host is a Server that has the VM with a series already. */
static void
test_server_adds_to_an_imported_series (void)
{
  VixHandle host = connect_host (VIX_SERVICEPROVIDER_VMWARE_SERVER, 0);
  VixHandle vm = open_vm (host, "one"), a, current;

  a = create_snapshot (vm, "a");
  fake_import_snapshot ("one", "b");
  create_snapshot (vm, "c");
  g_assert_cmpint (fake_get_log ().snapshot.replace, ==, 0);
  assert_name (a, "a");
  assert_vix (VixVM_GetCurrentSnapshot (vm, &current), VIX_OK);
  assert_name (current, "c");
  disconnect_and_check (host);
}

static void
test_team_members_snapshot_independently (void)
{
  VixHandle host = connect_workstation ();
  VixHandle member = open_vm (host, "one"), other = open_vm (host, "two");
  Bool in_team = FALSE;
  int n = -1;

  assert_vix (Vix_GetProperties (member, VIX_PROPERTY_VM_IN_VMTEAM, &in_team,
                                 VIX_PROPERTY_NONE),
              VIX_OK);
  g_assert_true (in_team == TRUE);
  create_snapshot (member, "s");
  assert_vix (VixVM_GetNumRootSnapshots (other, &n), VIX_OK);
  g_assert_cmpint (n, ==, 0);
  disconnect_and_check (host);
}

static void
test_player_is_refused (void)
{
  VixHandle host = connect_host (VIX_SERVICEPROVIDER_VMWARE_PLAYER, 0);
  VixHandle vm = open_vm (host, "one"), out = 5;
  int n = -3;

  assert_vix (try_create (vm, "s", 0, 0), VIX_E_NOT_SUPPORTED);
  g_assert_cmpint (fake_get_log ().changes, ==, 0);
  assert_vix (VixVM_GetNumRootSnapshots (vm, &n), VIX_E_NOT_SUPPORTED);
  g_assert_cmpint (n, ==, -3);
  assert_vix (VixVM_GetRootSnapshot (vm, 0, &out), VIX_E_NOT_SUPPORTED);
  g_assert_cmpint (out, ==, VIX_INVALID_HANDLE);
  assert_vix (VixVM_GetCurrentSnapshot (vm, &out), VIX_E_NOT_SUPPORTED);
  assert_vix (VixVM_GetNamedSnapshot (vm, "s", &out), VIX_E_NOT_SUPPORTED);
  assert_vix (finish (VixVM_RevertToSnapshot (vm, 0, 0, 0, NULL, NULL)),
              VIX_E_NOT_SUPPORTED);
  assert_vix (finish (VixVM_RemoveSnapshot (vm, 0, 0, NULL, NULL)),
              VIX_E_NOT_SUPPORTED);
  assert_vix (VixExt_GetSnapshot (vm, 1, &out), VIX_E_NOT_SUPPORTED);
  disconnect_and_check (host);
}

static void
test_read_only_host_is_refused (void)
{
  VixHandle host = connect_host (VIX_SERVICEPROVIDER_VMWARE_WORKSTATION,
                                 VIXEXT_HOSTOPTION_READ_ONLY);
  VixHandle vm = open_vm (host, "one");
  Bool read_only = FALSE;

  assert_vix (try_create (vm, "s", 0, 0), VIX_E_FILE_READ_ONLY);
  assert_vix (finish (VixVM_Delete (vm, 0, NULL, NULL)), VIX_E_FILE_READ_ONLY);
  assert_vix (finish (VixVM_PowerOn (vm, 0, 0, NULL, NULL)),
              VIX_E_FILE_READ_ONLY);
  assert_vix (Vix_GetProperties (vm, VIX_PROPERTY_VM_READ_ONLY, &read_only,
                                 VIX_PROPERTY_NONE),
              VIX_OK);
  g_assert_true (read_only == TRUE);
  g_assert_cmpint (fake_get_log ().changes, ==, 0);
  disconnect_and_check (host);
}

/* ---- revert and remove ---- */

static void
test_revert_arguments (void)
{
  VixHandle host = connect_workstation (), list;
  VixHandle vm = open_vm (host, "one"), other = open_vm (host, "two");
  VixHandle s = create_snapshot (vm, "s"),
            foreign = create_snapshot (other, "");

  VixPropertyList_AllocPropertyList (host, &list, VIX_PROPERTY_NONE);
  assert_vix (finish (VixVM_RevertToSnapshot (vm, 0, 0, 0, NULL, NULL)),
              VIX_E_INVALID_HANDLE);
  assert_vix (finish (VixVM_RevertToSnapshot (vm, vm, 0, 0, NULL, NULL)),
              VIX_E_NOT_SUPPORTED_ON_HANDLE_TYPE);
  assert_vix (finish (VixVM_RevertToSnapshot (vm, foreign, 0, 0, NULL, NULL)),
              VIX_E_INVALID_ARG);
  assert_vix (finish (VixVM_RevertToSnapshot (vm, s, 0, list, NULL, NULL)),
              VIX_E_INVALID_ARG);
  assert_vix (
    finish (VixVM_RevertToSnapshot (
      vm, s, VIX_VMPOWEROP_SUPPRESS_SNAPSHOT_POWERON | VIX_VMPOWEROP_LAUNCH_GUI,
      0, NULL, NULL)),
    VIX_E_INVALID_ARG);
  assert_vix (finish (VixVM_RevertToSnapshot (vm, s, VIX_VMPOWEROP_FROM_GUEST,
                                              0, NULL, NULL)),
              VIX_E_INVALID_ARG);
  assert_vix (finish (VixVM_RevertToSnapshot (vm, s, VIX_VMPOWEROP_LAUNCH_GUI,
                                              0, NULL, NULL)),
              VIX_OK);
  disconnect_and_check (host);
}

static void
test_remove_moves_children_up (void)
{
  VixHandle host = connect_workstation ();
  VixHandle vm = open_vm (host, "one"), current, parent, out;
  VixHandle a = create_snapshot (vm, "a"), b = create_snapshot (vm, "b");
  VixHandle c = create_snapshot (vm, "c");
  char *name = NULL;
  int n;

  assert_vix (finish (VixVM_RemoveSnapshot (vm, b, 0, NULL, NULL)), VIX_OK);
  assert_vix (VixSnapshot_GetParent (c, &parent), VIX_OK);
  g_assert_cmpint (parent, ==, a);
  /* The handle stays, the snapshot does not. */
  g_assert_cmpint (Vix_GetHandleType (b), ==, VIX_HANDLETYPE_SNAPSHOT);
  assert_vix (Vix_GetProperties (b, VIX_PROPERTY_SNAPSHOT_DISPLAYNAME, &name,
                                 VIX_PROPERTY_NONE),
              VIX_E_SNAPSHOT_NOTFOUND);
  assert_vix (VixSnapshot_GetNumChildren (b, &n), VIX_E_SNAPSHOT_NOTFOUND);
  assert_vix (VixSnapshot_GetParent (b, &out), VIX_E_SNAPSHOT_NOTFOUND);
  assert_vix (finish (VixVM_RemoveSnapshot (vm, b, 0, NULL, NULL)),
              VIX_E_SNAPSHOT_NOTFOUND);
  assert_vix (finish (VixVM_RevertToSnapshot (vm, b, 0, 0, NULL, NULL)),
              VIX_E_SNAPSHOT_NOTFOUND);
  Vix_ReleaseHandle (b);
  /* The nearest ancestor left becomes current. */
  assert_vix (finish (VixVM_RemoveSnapshot (vm, c, 0, NULL, NULL)), VIX_OK);
  assert_vix (VixVM_GetCurrentSnapshot (vm, &current), VIX_OK);
  g_assert_cmpint (current, ==, a);
  assert_vix (finish (VixVM_RemoveSnapshot (vm, a, 2, NULL, NULL)),
              VIX_E_INVALID_ARG);
  disconnect_and_check (host);
}

static void
test_remove_with_children (void)
{
  VixHandle host = connect_workstation ();
  VixHandle vm = open_vm (host, "one"), a = create_snapshot (vm, "a"), current;
  int n = -1;

  create_snapshot (vm, "b");
  assert_vix (finish (VixVM_RemoveSnapshot (vm, a, VIX_SNAPSHOT_REMOVE_CHILDREN,
                                            NULL, NULL)),
              VIX_OK);
  g_assert_true (fake_get_log ().remove_children);
  assert_vix (VixVM_GetNumRootSnapshots (vm, &n), VIX_OK);
  g_assert_cmpint (n, ==, 0);
  assert_vix (VixVM_GetCurrentSnapshot (vm, &current), VIX_E_SNAPSHOT_NOTFOUND);
  disconnect_and_check (host);
}

/* As the reference's own example does: by index while the list shrinks. */
static void
test_indices_shift_under_removal (void)
{
  VixHandle host = connect_workstation ();
  VixHandle vm = open_vm (host, "one"), root;
  int n = 0, removed = 0;

  fake_import_root ("one", "a");
  fake_import_root ("one", "b");
  fake_import_root ("one", "c");
  assert_vix (VixVM_GetNumRootSnapshots (vm, &n), VIX_OK);
  g_assert_cmpint (n, ==, 3);
  assert_vix (VixVM_GetRootSnapshot (vm, 1, &root), VIX_OK);
  assert_name (root, "b");
  for (int i = 0; i < n; i++) {
    VixError err = VixVM_GetRootSnapshot (vm, i, &root);

    if (err != VIX_OK) {
      assert_vix (err, VIX_E_SNAPSHOT_NOTFOUND);
      g_assert_cmpint (root, ==, VIX_INVALID_HANDLE);
      continue;
    }
    assert_vix (finish (VixVM_RemoveSnapshot (vm, root, 0, NULL, NULL)),
                VIX_OK);
    removed++;
  }
  g_assert_cmpint (removed, ==, 2);
  assert_vix (VixVM_GetRootSnapshot (vm, 0, &root), VIX_OK);
  assert_name (root, "b");
  assert_vix (VixVM_GetRootSnapshot (vm, -1, &root), VIX_E_SNAPSHOT_NOTFOUND);
  disconnect_and_check (host);
}

/* ---- the tree ---- */

static void
test_walking_the_tree (void)
{
  VixHandle host = connect_workstation ();
  VixHandle vm = open_vm (host, "one"), child;
  VixHandle a = create_snapshot (vm, "a"), b = create_snapshot (vm, "b"), c;
  int n = -1;

  finish (VixVM_RevertToSnapshot (vm, a, 0, 0, NULL, NULL));
  c = create_snapshot (vm, "c");
  assert_vix (VixSnapshot_GetNumChildren (a, &n), VIX_OK);
  g_assert_cmpint (n, ==, 2);
  assert_vix (VixSnapshot_GetChild (a, 0, &child), VIX_OK);
  g_assert_cmpint (child, ==, b);
  assert_vix (VixSnapshot_GetChild (a, 1, &child), VIX_OK);
  g_assert_cmpint (child, ==, c);
  assert_vix (VixSnapshot_GetChild (a, 2, &child), VIX_E_SNAPSHOT_NOTFOUND);
  g_assert_cmpint (child, ==, VIX_INVALID_HANDLE);
  assert_vix (VixSnapshot_GetChild (a, -1, &child), VIX_E_SNAPSHOT_NOTFOUND);
  assert_vix (VixSnapshot_GetNumChildren (b, &n), VIX_OK);
  g_assert_cmpint (n, ==, 0);
  assert_vix (VixSnapshot_GetNumChildren (a, NULL), VIX_E_INVALID_ARG);
  assert_vix (VixSnapshot_GetChild (a, 0, NULL), VIX_E_INVALID_ARG);
  assert_vix (VixSnapshot_GetParent (a, NULL), VIX_E_INVALID_ARG);
  assert_vix (VixVM_GetNumRootSnapshots (vm, NULL), VIX_E_INVALID_ARG);
  assert_vix (VixVM_GetRootSnapshot (vm, 0, NULL), VIX_E_INVALID_ARG);
  assert_vix (VixVM_GetCurrentSnapshot (vm, NULL), VIX_E_INVALID_ARG);
  assert_vix (VixVM_GetNamedSnapshot (vm, "a", NULL), VIX_E_INVALID_ARG);
  disconnect_and_check (host);
}

static void
test_named (void)
{
  VixHandle host = connect_workstation ();
  VixHandle vm = open_vm (host, "one"), found;
  VixHandle a = create_snapshot (vm, "a"), b = create_snapshot (vm, "b");
  VixHandle c = create_snapshot (vm, "c"), slash, uni, a2, c2;
  struct {
    const char *name;
    VixHandle handle; /* 0: see code */
    VixError code;
  } cases[20] = { { 0 } };
  gsize n = 0;

  slash = create_snapshot (vm, "x/y\\z");
  uni = create_snapshot (vm, "grüße 你好");
  finish (VixVM_RevertToSnapshot (vm, b, 0, 0, NULL, NULL));
  a2 = create_snapshot (vm, "q/r");
  c2 = create_snapshot (vm, "c");
  cases[n++] = (typeof (*cases)){ "a", a, VIX_OK };
  cases[n++] = (typeof (*cases)){ "b", b, VIX_OK };
  cases[n++] = (typeof (*cases)){ "grüße 你好", uni, VIX_OK };
  cases[n++] = (typeof (*cases)){ "x/y\\z", slash, VIX_OK };
  cases[n++] = (typeof (*cases)){ "a/b", b, VIX_OK };
  cases[n++] = (typeof (*cases)){ "a\\b", b, VIX_OK };
  cases[n++] = (typeof (*cases)){ "a/b/c", c, VIX_OK };
  cases[n++] = (typeof (*cases)){ "b/c", c, VIX_OK };
  cases[n++] = (typeof (*cases)){ "q/r", a2, VIX_OK };
  cases[n++] = (typeof (*cases)){ "b/q/r/c", c2, VIX_OK };
  cases[n++] = (typeof (*cases)){ "c", 0, VIX_E_SNAPSHOT_NONUNIQUE_NAME };
  cases[n++] = (typeof (*cases)){ "a/c", 0, VIX_E_SNAPSHOT_NOTFOUND };
  cases[n++] = (typeof (*cases)){ "A", 0, VIX_E_SNAPSHOT_NOTFOUND };
  cases[n++] = (typeof (*cases)){ "a/b\\c", 0, VIX_E_SNAPSHOT_NOTFOUND };
  cases[n++] = (typeof (*cases)){ "/a", 0, VIX_E_SNAPSHOT_NOTFOUND };
  cases[n++] = (typeof (*cases)){ "a/b/", 0, VIX_E_SNAPSHOT_NOTFOUND };
  cases[n++] = (typeof (*cases)){ "", 0, VIX_E_INVALID_ARG };
  cases[n++] = (typeof (*cases)){ NULL, 0, VIX_E_INVALID_ARG };
  cases[n++] = (typeof (*cases)){ "\xff", 0, VIX_E_INVALID_UTF8_STRING };
  for (gsize i = 0; i < n; i++) {
    found = 5;
    g_test_message ("case %" G_GSIZE_FORMAT, i);
    assert_vix (VixVM_GetNamedSnapshot (vm, cases[i].name, &found),
                cases[i].code);
    g_assert_cmpint (found, ==, cases[i].handle);
  }
  /* The same path twice. */
  finish (VixVM_RevertToSnapshot (vm, b, 0, 0, NULL, NULL));
  create_snapshot (vm, "c");
  assert_vix (VixVM_GetNamedSnapshot (vm, "a/b/c", &found),
              VIX_E_SNAPSHOT_NONUNIQUE_NAME);
  disconnect_and_check (host);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define ADD(path, func) g_test_add_func ("/snapshot/" path, test_##func)
  ADD ("create/is-child-of-the-current", is_child_of_the_current);
  ADD ("create/name-and-description-may-be-null",
       name_and_description_may_be_null);
  ADD ("create/names-need-not-be-unique", names_need_not_be_unique);
  ADD ("create/property-list-must-be-invalid-handle",
       property_list_must_be_invalid_handle);
  ADD ("create/options-reach-the-provider", options_reach_the_provider);
  ADD ("create/without-memory-revert-leaves-it-off",
       without_memory_revert_leaves_it_off);
  ADD ("create/server-keeps-one-and-overwrites-it",
       server_keeps_one_and_overwrites_it);
  ADD ("create/server-adds-to-an-imported-series",
       server_adds_to_an_imported_series);
  ADD ("create/team-members-snapshot-independently",
       team_members_snapshot_independently);
  ADD ("create/player-is-refused", player_is_refused);
  ADD ("create/read-only-host-is-refused", read_only_host_is_refused);
  ADD ("revert/arguments", revert_arguments);
  ADD ("remove/moves-children-up", remove_moves_children_up);
  ADD ("remove/with-children", remove_with_children);
  ADD ("remove/indices-shift", indices_shift_under_removal);
  ADD ("tree/walking", walking_the_tree);
  ADD ("tree/named", named);
  return g_test_run ();
}
