/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * A program may become a daemon before its first call. This one makes no call
 * of GLib either, which has threads of its own.
 */
#include <dirent.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vix.h"

static int
count_entries (const char *path)
{
  DIR *dir = opendir (path);
  int n = 0;

  while (dir != NULL && readdir (dir) != NULL)
    n++;
  if (dir != NULL)
    closedir (dir);
  return n - 2;
}

static int
use_library (void)
{
  VixHandle host = VIX_INVALID_HANDLE, vm = VIX_INVALID_HANDLE;
  VixHandle job
    = VixHost_Connect (VIX_API_VERSION, VIX_SERVICEPROVIDER_VMWARE_WORKSTATION,
                       NULL, 0, NULL, NULL, 0, VIX_INVALID_HANDLE, NULL, NULL);
  VixError err = VixJob_Wait (job, VIX_PROPERTY_JOB_RESULT_HANDLE, &host,
                              VIX_PROPERTY_NONE);

  Vix_ReleaseHandle (job);
  if (err != VIX_OK)
    return 1;
  job = VixVM_Open (host, "/vms/one/one.vmx", NULL, NULL);
  err
    = VixJob_Wait (job, VIX_PROPERTY_JOB_RESULT_HANDLE, &vm, VIX_PROPERTY_NONE);
  Vix_ReleaseHandle (job);
  Vix_ReleaseHandle (vm);
  VixHost_Disconnect (host);
  return err == VIX_OK ? 0 : 2;
}

static void
report (int number, int ok, const char *name)
{
  printf ("%s %d - %s\n", ok ? "ok" : "not ok", number, name);
}

int
main (void)
{
  int threads = count_entries ("/proc/self/task");
  int status[2] = { -1, -1 };

  setbuf (stdout, NULL);
  report (1, threads <= 1 + SANITIZER_THREADS, "no-thread-at-load");
  for (int i = 0; i < 2; i++) {
    pid_t child = fork ();

    if (child == 0)
      _exit (use_library ());
    waitpid (child, &status[i], 0);
  }
  report (2, status[0] == 0, "works-in-a-child");
  report (3, status[1] == 0, "works-in-another-child");
  report (4, use_library () == 0, "and-then-in-the-parent");
  puts ("1..4");
  return 0;
}
