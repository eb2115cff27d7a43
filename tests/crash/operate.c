/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * One operation on a local VM through the public API, for inject.c to spoil.
 *
 *   operate VMX create NAME | revert UID | remove UID | remove-tree UID
 *                | rename UID NAME | describe UID TEXT | start
 *
 * "start" is what the next start does: connects, loads the inventory, which
 * completes or cleans what was left, and waits until no journal is there.
 * Exit status: 0 done; 1 the operation failed, its VIX code and text on stdout;
 * 2 anything else.
 */
#include <glib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "mark.h"
#include "vix-ext.h"

#define START_LIMIT_S 30

typedef struct {
  VixHandle vm;
  VixHandle snapshot; /* 0: the operation has none */
  const char *text;   /* a name or description */
} Call;

static VixHandle
create (const Call *c)
{
  return VixVM_CreateSnapshot (c->vm, c->text, "made by a test", 0,
                               VIX_INVALID_HANDLE, NULL, NULL);
}

static VixHandle
revert (const Call *c)
{
  return VixVM_RevertToSnapshot (c->vm, c->snapshot, 0, VIX_INVALID_HANDLE,
                                 NULL, NULL);
}

static VixHandle
remove_one (const Call *c)
{
  return VixVM_RemoveSnapshot (c->vm, c->snapshot, 0, NULL, NULL);
}

static VixHandle
remove_tree (const Call *c)
{
  return VixVM_RemoveSnapshot (c->vm, c->snapshot, VIX_SNAPSHOT_REMOVE_CHILDREN,
                               NULL, NULL);
}

static VixHandle
rename_it (const Call *c)
{
  return VixExt_RenameSnapshot (c->snapshot, c->text, NULL, NULL);
}

static VixHandle
describe (const Call *c)
{
  return VixExt_DescribeSnapshot (c->snapshot, c->text, NULL, NULL);
}

static const struct {
  const char *name;
  VixHandle (*start) (const Call *c);
  gboolean has_uid, has_text;
} operations[] = {
  { "create", create, FALSE, TRUE },
  { "revert", revert, TRUE, FALSE },
  { "remove", remove_one, TRUE, FALSE },
  { "remove-tree", remove_tree, TRUE, FALSE },
  { "rename", rename_it, TRUE, TRUE },
  { "describe", describe, TRUE, TRUE },
};

static int
report (VixHandle job, VixError err)
{
  char *text = NULL;

  if (VIX_SUCCEEDED (err))
    return 0;
  Vix_GetProperties (job, VIX_PROPERTY_JOB_RESULT_EXTRA_ERROR_INFO, &text,
                     VIX_PROPERTY_NONE);
  printf ("%d %s\n", (int)VIX_ERROR_CODE (err), text != NULL ? text : "");
  Vix_FreeBuffer (text);
  return 1;
}

static VixHandle
wait_handle (VixHandle job, const char *what)
{
  VixHandle handle = VIX_INVALID_HANDLE;
  VixError err = VixJob_Wait (job, VIX_PROPERTY_JOB_RESULT_HANDLE, &handle,
                              VIX_PROPERTY_NONE);

  if (VIX_FAILED (err)) {
    printf ("%s: ", what);
    (void)report (job, err);
    exit (2);
  }
  Vix_ReleaseHandle (job);
  return handle;
}

static VixHandle
connect_to (const char *dir)
{
  VixExtConnectParams params = { sizeof params };

  params.hostType = VIX_SERVICEPROVIDER_VMWARE_WORKSTATION;
  params.hostName = dir;
  params.vendorLibrary = "none";
  return wait_handle (VixExt_Connect (&params, NULL, NULL), "connecting");
}

static void
on_event (VixHandle host, int event, const VixExtVM *vm, void *loaded)
{
  if (event == VIXEXT_EVENT_LOADED)
    g_atomic_int_set ((int *)loaded, 1);
}

static gboolean
has_journal (const char *dir)
{
  GDir *d = g_dir_open (dir, 0, NULL);
  const char *name;
  gboolean found = FALSE;

  while (d != NULL && (name = g_dir_read_name (d)) != NULL)
    found = found || strstr (name, "journal") != NULL;
  g_clear_pointer (&d, g_dir_close);
  return found;
}

static int
start (VixHandle host, const char *dir)
{
  gint64 end = g_get_monotonic_time () + START_LIMIT_S * G_USEC_PER_SEC;
  int loaded = 0;

  if (VIX_FAILED (VixExt_Watch (host, on_event, &loaded)))
    return 2;
  while (!g_atomic_int_get (&loaded) || has_journal (dir)) {
    if (g_get_monotonic_time () > end) {
      printf ("not recovered within %d s\n", START_LIMIT_S);
      return 2;
    }
    g_usleep (1000);
  }
  VixHost_Disconnect (host);
  return 0;
}

static int
operate (VixHandle host, const char *vmx, int argc, char **argv)
{
  Call call = { VIX_INVALID_HANDLE, VIX_INVALID_HANDLE, NULL };
  VixHandle job;
  VixError err;
  int status;
  gsize i;

  for (i = 0; i < G_N_ELEMENTS (operations); i++)
    if (strcmp (operations[i].name, argv[0]) == 0)
      break;
  if (i == G_N_ELEMENTS (operations)
      || argc != 1 + operations[i].has_uid + operations[i].has_text)
    return 2;
  call.vm = wait_handle (VixVM_Open (host, vmx, NULL, NULL), "opening");
  if (operations[i].has_uid
      && VIX_FAILED (VixExt_GetSnapshot (
        call.vm, g_ascii_strtoll (argv[1], NULL, 10), &call.snapshot))) {
    printf ("no snapshot %s\n", argv[1]);
    return 2;
  }
  if (operations[i].has_text)
    call.text = argv[argc - 1];
  INJECT_BEGIN ();
  job = operations[i].start (&call);
  err = VixJob_Wait (job, VIX_PROPERTY_NONE);
  INJECT_END ();
  status = report (job, err);
  Vix_ReleaseHandle (job);
  Vix_ReleaseHandle (call.snapshot);
  Vix_ReleaseHandle (call.vm);
  VixHost_Disconnect (host);
  return status;
}

int
main (int argc, char **argv)
{
  g_autofree char *dir = NULL;
  VixHandle host;

  if (argc < 3)
    return 2;
  dir = g_path_get_dirname (argv[1]);
  host = connect_to (dir);
  if (strcmp (argv[2], "start") == 0)
    return start (host, dir);
  return operate (host, argv[1], argc - 2, argv + 2);
}
