/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "core/job.h"

#include "api/call-private.h"
#include "api/property-private.h"
#include "base/error.h"

static void
job_unref (VixJob *self)
{
  vix_object_unref (self);
}
G_DEFINE_AUTOPTR_CLEANUP_FUNC (VixJob, job_unref)

static VixJob *
get_job (VixHandle handle, GError **error)
{
  return vix_handle_get (handle, VIX_HANDLETYPE_JOB, error);
}

VixError
VixJob_Wait (VixHandle jobHandle, VixPropertyID firstPropertyID, ...)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (VixJob) job = get_job (jobHandle, &error);
  va_list args;

  if (job == NULL)
    return vix_error_to_public (error);
  if (!vix_job_wait (job))
    return VIX_E_UNFINISHED_JOB;
  if (vix_job_get_error (job) != NULL)
    return vix_error_to_public (vix_job_get_error (job));
  va_start (args, firstPropertyID);
  vix_write_properties (job, firstPropertyID, &args, &error);
  va_end (args);
  return vix_error_to_public (error);
}

VixError
VixJob_CheckCompletion (VixHandle jobHandle, Bool *complete)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (VixJob) job = get_job (jobHandle, &error);

  if (job == NULL)
    return vix_error_to_public (error);
  if (complete == NULL)
    return VIX_E_INVALID_ARG;
  *complete = vix_job_is_done (job) ? TRUE : FALSE;
  return VIX_OK;
}

VixError
VixJob_GetError (VixHandle jobHandle)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (VixJob) job = get_job (jobHandle, &error);

  if (job == NULL)
    return vix_error_to_public (error);
  if (!vix_job_is_done (job))
    return VIX_E_UNFINISHED_JOB;
  return vix_error_to_public (vix_job_get_error (job));
}

/* A job has one set of results: what old programs read as a list has one
 * item. */
int
VixJob_GetNumProperties (VixHandle jobHandle, int resultPropertyID)
{
  g_autoptr (VixJob) job = get_job (jobHandle, NULL);

  if (job == NULL || !vix_job_is_done (job))
    return 0;
  return vix_property_set_get (vix_job_get_results (job), resultPropertyID)
             != NULL
           ? 1
           : 0;
}

VixError
VixJob_GetNthProperties (VixHandle jobHandle, int index, int propertyID, ...)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (VixJob) job = get_job (jobHandle, &error);
  va_list args;

  if (job == NULL)
    return vix_error_to_public (error);
  if (!vix_job_is_done (job))
    return VIX_E_UNFINISHED_JOB;
  if (index != 0)
    return VIX_E_BAD_VM_INDEX;
  va_start (args, propertyID);
  vix_write_properties (job, propertyID, &args, &error);
  va_end (args);
  return vix_error_to_public (error);
}
