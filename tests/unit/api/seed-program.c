/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * As programs for VIX are written: connects to Workstation, opens the .vmx
 * of the command line, powers it on, takes a snapshot with memory.
 */
#include <stdio.h>

#include "vix.h"

int
main (int argc, char **argv)
{
  VixError err;
  VixHandle hostHandle = VIX_INVALID_HANDLE;
  VixHandle jobHandle = VIX_INVALID_HANDLE;
  VixHandle vmHandle = VIX_INVALID_HANDLE;
  VixHandle snapshotHandle = VIX_INVALID_HANDLE;

  jobHandle
    = VixHost_Connect (VIX_API_VERSION, VIX_SERVICEPROVIDER_VMWARE_WORKSTATION,
                       NULL, 0, NULL, NULL, 0, VIX_INVALID_HANDLE, NULL, NULL);
  err = VixJob_Wait (jobHandle, VIX_PROPERTY_JOB_RESULT_HANDLE, &hostHandle,
                     VIX_PROPERTY_NONE);
  if (VIX_FAILED (err))
    goto abort;
  Vix_ReleaseHandle (jobHandle);

  jobHandle = VixVM_Open (hostHandle, argc > 1 ? argv[1] : "", NULL, NULL);
  err = VixJob_Wait (jobHandle, VIX_PROPERTY_JOB_RESULT_HANDLE, &vmHandle,
                     VIX_PROPERTY_NONE);
  if (VIX_FAILED (err))
    goto abort;
  Vix_ReleaseHandle (jobHandle);

  jobHandle = VixVM_PowerOn (vmHandle, VIX_VMPOWEROP_LAUNCH_GUI,
                             VIX_INVALID_HANDLE, NULL, NULL);
  err = VixJob_Wait (jobHandle, VIX_PROPERTY_NONE);
  Vix_ReleaseHandle (jobHandle);
  printf ("power on: %d %s\n", (int)VIX_ERROR_CODE (err),
          Vix_GetErrorText (err, NULL));

  jobHandle = VixVM_CreateSnapshot (
    vmHandle, "seed", "made by the seed program", VIX_SNAPSHOT_INCLUDE_MEMORY,
    VIX_INVALID_HANDLE, NULL, NULL);
  err = VixJob_Wait (jobHandle, VIX_PROPERTY_JOB_RESULT_HANDLE, &snapshotHandle,
                     VIX_PROPERTY_NONE);

abort:
  printf ("end: %d %s\n", (int)VIX_ERROR_CODE (err),
          Vix_GetErrorText (err, NULL));
  Vix_ReleaseHandle (jobHandle);
  Vix_ReleaseHandle (snapshotHandle);
  Vix_ReleaseHandle (vmHandle);
  VixHost_Disconnect (hostHandle);
  return VIX_FAILED (err) ? 1 : 0;
}
