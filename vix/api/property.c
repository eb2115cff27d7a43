/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * All that is known of properties is one table: the id, the type that every
 * handle gives it, the kind of handle that has it, and for those that are not
 * stored values how it is read.
 */
#include "api/property-private.h"

#include <stdlib.h>
#include <string.h>

#include "api/call-private.h"
#include "base/error.h"
#include "core/job.h"

/* ---- the list object ---- */

typedef struct {
  VixObject object;
  VixPropertySet *values;
} VixPropertyList;

static void
list_free (VixObject *object)
{
  VixPropertyList *self = (VixPropertyList *)object;

  vix_property_set_free (self->values);
  g_free (self);
}

static const VixObjectClass list_class
  = { VIX_HANDLETYPE_PROPERTY_LIST, list_free };

VixObject *
vix_property_list_new (gpointer root, VixPropertySet *values)
{
  VixPropertyList *self = g_new0 (VixPropertyList, 1);

  self->values = values;
  vix_object_init (&self->object, &list_class, root);
  return &self->object;
}

gboolean
vix_property_list_read_string (VixHandle handle, VixPropertyID id,
                               char **ret_text, GError **error)
{
  VixPropertyList *list;
  const VixValue *value;

  *ret_text = NULL;
  if (handle == VIX_INVALID_HANDLE)
    return TRUE;
  list = vix_handle_get (handle, VIX_HANDLETYPE_PROPERTY_LIST, error);
  if (list == NULL)
    return FALSE;
  value = vix_property_set_get (list->values, id);
  if (value != NULL && value->type == VIX_PROPERTYTYPE_STRING)
    *ret_text = g_strdup (value->string);
  vix_object_unref (list);
  return TRUE;
}

/* ---- what can be asked ---- */

/* What one call reads from: the facts are looked up once for all ids. */
typedef struct {
  VixObject *object;
  const VixHost *host;
  const VixExtVM *vm;             /* owned; of VMs and snapshots */
  const VixExtSnapshot *snapshot; /* in vm */
} Source;

/* The text of strings is borrowed from the source. */
typedef union {
  int integer;
  const char *string;
} Reading;

static Reading
host_type (const Source *s)
{
  return (Reading){ .integer = s->host->type };
}

static Reading
host_api_version (const Source *s)
{
  return (Reading){ .integer = VIX_API_VERSION };
}

static Reading
host_software_version (const Source *s)
{
  return (Reading){ .string = "vixfs " VIXFS_VERSION };
}

static Reading
vm_num_vcpus (const Source *s)
{
  return (Reading){ .integer = s->vm->numVcpus };
}

static Reading
vm_vmx_path (const Source *s)
{
  return (Reading){ .string = s->vm->vmxPath };
}

static Reading
vm_team_path (const Source *s)
{
  return (Reading){ .string = s->vm->teamPath };
}

static Reading
vm_memory_size (const Source *s)
{
  return (Reading){ .integer = s->vm->memoryMiB };
}

static Reading
vm_read_only (const Source *s)
{
  return (Reading){ .integer = s->host->read_only };
}

static Reading
vm_name (const Source *s)
{
  return (Reading){ .string = s->vm->displayName };
}

static Reading
vm_guest_os (const Source *s)
{
  return (Reading){ .string = s->vm->guestOS };
}

static Reading
vm_in_team (const Source *s)
{
  return (Reading){ .integer = (s->vm->flags & VIXEXT_VM_IN_TEAM) != 0 };
}

/* Programs compare with == and expect "off" and "suspended" alone, and one
 * of the three always. */
static int
plain_power_state (int state)
{
  if (state & VIX_POWERSTATE_POWERED_ON)
    return state & ~(VIX_POWERSTATE_POWERED_OFF | VIX_POWERSTATE_SUSPENDED);
  if (state & VIX_POWERSTATE_SUSPENDED)
    return VIX_POWERSTATE_SUSPENDED;
  return VIX_POWERSTATE_POWERED_OFF;
}

static Reading
vm_power_state (const Source *s)
{
  return (Reading){ .integer = plain_power_state (s->vm->powerState) };
}

static Reading
vm_is_running (const Source *s)
{
  return (Reading){ .integer
                    = (s->vm->powerState & VIX_POWERSTATE_POWERED_ON) != 0 };
}

static Reading
vm_tools_state (const Source *s)
{
  return (Reading){ .integer = s->vm->toolsState != 0
                                 ? s->vm->toolsState
                                 : VIX_TOOLSSTATE_UNKNOWN };
}

static Reading
vm_supported_features (const Source *s)
{
  gboolean many = s->host->type != VIX_SERVICEPROVIDER_VMWARE_PLAYER
                  && s->host->type != VIX_SERVICEPROVIDER_VMWARE_SERVER;

  return (Reading){ .integer = many ? VIX_VM_SUPPORT_MULTIPLE_SNAPSHOTS : 0 };
}

static Reading
snapshot_name (const Source *s)
{
  return (Reading){ .string = s->snapshot->name };
}

static Reading
snapshot_description (const Source *s)
{
  return (Reading){ .string = s->snapshot->description };
}

static Reading
snapshot_power_state (const Source *s)
{
  return (Reading){ .integer = plain_power_state (s->snapshot->powerState) };
}

static Reading
always_no (const Source *s)
{
  return (Reading){ .integer = FALSE };
}

static Reading
always_empty (const Source *s)
{
  return (Reading){ .string = "" };
}

typedef struct {
  VixPropertyID id;
  VixPropertyType type;
  VixHandleType kind;               /* NONE: in lists only */
  Reading (*read) (const Source *); /* NULL: a stored value */
} PropertyRow;

#define ROW(id, type, kind, read)                                              \
  {                                                                            \
    VIX_PROPERTY_##id, VIX_PROPERTYTYPE_##type, VIX_HANDLETYPE_##kind, read    \
  }

/* By id: searched by halves. */
static const PropertyRow rows[] = {
  ROW (META_DATA_CONTAINER, HANDLE, NONE, NULL),
  ROW (HOST_HOSTTYPE, INTEGER, HOST, host_type),
  ROW (HOST_API_VERSION, INTEGER, HOST, host_api_version),
  ROW (HOST_SOFTWARE_VERSION, STRING, HOST, host_software_version),
  ROW (VM_NUM_VCPUS, INTEGER, VM, vm_num_vcpus),
  ROW (VM_VMX_PATHNAME, STRING, VM, vm_vmx_path),
  ROW (VM_VMTEAM_PATHNAME, STRING, VM, vm_team_path),
  ROW (VM_MEMORY_SIZE, INTEGER, VM, vm_memory_size),
  ROW (VM_READ_ONLY, BOOL, VM, vm_read_only),
  ROW (VM_NAME, STRING, VM, vm_name),
  ROW (VM_GUESTOS, STRING, VM, vm_guest_os),
  ROW (VM_IN_VMTEAM, BOOL, VM, vm_in_team),
  ROW (VM_POWER_STATE, INTEGER, VM, vm_power_state),
  ROW (VM_TOOLS_STATE, INTEGER, VM, vm_tools_state),
  ROW (VM_IS_RUNNING, BOOL, VM, vm_is_running),
  ROW (VM_SUPPORTED_FEATURES, INTEGER, VM, vm_supported_features),
  ROW (VM_IS_RECORDING, BOOL, VM, always_no),
  ROW (VM_IS_REPLAYING, BOOL, VM, always_no),
  ROW (VM_SSL_ERROR, BOOL, VM, always_no),
  ROW (JOB_RESULT_ERROR_CODE, INT64, JOB, NULL),
  ROW (JOB_RESULT_VM_IN_GROUP, HANDLE, JOB, NULL),
  ROW (JOB_RESULT_USER_MESSAGE, STRING, JOB, NULL),
  ROW (JOB_RESULT_EXIT_CODE, INTEGER, JOB, NULL),
  ROW (JOB_RESULT_COMMAND_OUTPUT, STRING, JOB, NULL),
  ROW (JOB_RESULT_HANDLE, HANDLE, JOB, NULL),
  ROW (JOB_RESULT_GUEST_OBJECT_EXISTS, BOOL, JOB, NULL),
  ROW (JOB_RESULT_GUEST_PROGRAM_ELAPSED_TIME, INTEGER, JOB, NULL),
  ROW (JOB_RESULT_GUEST_PROGRAM_EXIT_CODE, INTEGER, JOB, NULL),
  ROW (JOB_RESULT_ITEM_NAME, STRING, JOB, NULL),
  ROW (JOB_RESULT_FOUND_ITEM_DESCRIPTION, STRING, JOB, NULL),
  ROW (JOB_RESULT_SHARED_FOLDER_COUNT, INTEGER, JOB, NULL),
  ROW (JOB_RESULT_SHARED_FOLDER_HOST, STRING, JOB, NULL),
  ROW (JOB_RESULT_SHARED_FOLDER_FLAGS, INTEGER, JOB, NULL),
  ROW (JOB_RESULT_PROCESS_ID, INT64, JOB, NULL),
  ROW (JOB_RESULT_PROCESS_OWNER, STRING, JOB, NULL),
  ROW (JOB_RESULT_PROCESS_COMMAND, STRING, JOB, NULL),
  ROW (JOB_RESULT_FILE_FLAGS, INTEGER, JOB, NULL),
  ROW (JOB_RESULT_PROCESS_START_TIME, INTEGER, JOB, NULL),
  ROW (JOB_RESULT_VM_VARIABLE_STRING, STRING, JOB, NULL),
  ROW (JOB_RESULT_PROCESS_BEING_DEBUGGED, BOOL, JOB, NULL),
  ROW (JOB_RESULT_SCREEN_IMAGE_SIZE, INTEGER, JOB, NULL),
  ROW (JOB_RESULT_SCREEN_IMAGE_DATA, BLOB, JOB, NULL),
  ROW (JOB_RESULT_FILE_SIZE, INT64, JOB, NULL),
  ROW (JOB_RESULT_FILE_MOD_TIME, INT64, JOB, NULL),
  ROW (JOB_RESULT_EXTRA_ERROR_INFO, STRING, JOB, NULL),
  ROW (FOUND_ITEM_LOCATION, STRING, NONE, NULL),
  ROW (SNAPSHOT_DISPLAYNAME, STRING, SNAPSHOT, snapshot_name),
  ROW (SNAPSHOT_DESCRIPTION, STRING, SNAPSHOT, snapshot_description),
  ROW (SNAPSHOT_POWERSTATE, INTEGER, SNAPSHOT, snapshot_power_state),
  ROW (SNAPSHOT_IS_REPLAYABLE, BOOL, SNAPSHOT, always_no),
  ROW (GUEST_SHAREDFOLDERS_SHARES_PATH, STRING, VM, always_empty),
  ROW (VM_ENCRYPTION_PASSWORD, STRING, NONE, NULL),
};

static int
compare_rows (const void *a, const void *b)
{
  return ((const PropertyRow *)a)->id - ((const PropertyRow *)b)->id;
}

static const PropertyRow *
find_row (VixPropertyID id, GError **error)
{
  PropertyRow key = { .id = id };
  const PropertyRow *row = NULL;

  if (id > 0)
    row = bsearch (&key, rows, G_N_ELEMENTS (rows), sizeof key, compare_rows);
  if (row == NULL)
    g_set_error (error, VIX_ERROR, VIX_E_UNRECOGNIZED_PROPERTY,
                 "property %d: there is none of that number", id);
  return row;
}

static gboolean
set_no_such (VixPropertyID id, GError **error)
{
  g_set_error (error, VIX_ERROR, VIX_E_UNRECOGNIZED_PROPERTY,
               "property %d: the object does not have it", id);
  return FALSE;
}

/* ---- reading ---- */

/* Of a VM or snapshot: what it is like now. */
static gboolean
source_look_up (Source *self, GError **error)
{
  g_autoptr (VixCall) call = NULL;

  if (self->vm != NULL)
    return TRUE;
  if (self->object->klass->type == VIX_HANDLETYPE_VM)
    call = vix_call_on_vm (self->object->handle, error);
  else
    call = vix_call_on_snapshot (self->object->handle, error);
  if (call == NULL)
    return FALSE;
  self->vm = vix_call_lookup_vm (call, error);
  if (self->vm == NULL)
    return FALSE;
  if (call->snapshot == NULL)
    return TRUE;
  self->snapshot = vix_vm_record_find_snapshot (self->vm, call->snapshot->id);
  if (self->snapshot == NULL)
    g_set_error_literal (error, VIX_ERROR, VIX_E_SNAPSHOT_NOTFOUND,
                         "the snapshot was removed");
  return self->snapshot != NULL;
}

static gboolean
read_computed (Source *self, const PropertyRow *row, VixValue *ret_value,
               GError **error)
{
  Reading reading;

  if (row->read == NULL || row->kind != self->object->klass->type)
    return set_no_such (row->id, error);
  if (row->kind != VIX_HANDLETYPE_HOST && !source_look_up (self, error))
    return FALSE;
  reading = row->read (self);
  *ret_value = (VixValue){ .id = row->id, .type = row->type };
  if (row->type == VIX_PROPERTYTYPE_STRING)
    ret_value->string = (char *)reading.string;
  else
    ret_value->integer = reading.integer;
  return TRUE;
}

static gboolean
read_stored (const Source *self, VixPropertyID id, VixValue *ret_value,
             GError **error)
{
  const VixPropertySet *set = NULL;
  const VixValue *value;

  if (self->object->klass->type == VIX_HANDLETYPE_PROPERTY_LIST) {
    set = ((VixPropertyList *)self->object)->values;
  } else if (vix_job_is_done ((VixJob *)self->object)) {
    set = vix_job_get_results ((VixJob *)self->object);
  } else {
    g_set_error_literal (error, VIX_ERROR, VIX_E_UNFINISHED_JOB,
                         "the job is not done yet");
    return FALSE;
  }
  value = vix_property_set_get (set, id);
  if (value == NULL)
    return set_no_such (id, error);
  *ret_value = *value;
  return TRUE;
}

/* @ret_value borrows from @self. */
static gboolean
source_read (Source *self, VixPropertyID id, VixValue *ret_value,
             GError **error)
{
  VixHandleType kind = self->object->klass->type;
  const PropertyRow *row = find_row (id, error);

  if (row == NULL)
    return FALSE;
  if (kind == VIX_HANDLETYPE_PROPERTY_LIST
      || (kind == VIX_HANDLETYPE_JOB && row->kind == VIX_HANDLETYPE_JOB))
    return read_stored (self, id, ret_value, error);
  return read_computed (self, row, ret_value, error);
}

/* ---- writing to the program ---- */

static gboolean
write_handle (const VixValue *value, VixHandle *to, GError **error)
{
  VixHandle handle = VIX_INVALID_HANDLE;

  if (value->object != NULL) {
    handle = vix_object_give (value->object);
    if (handle == VIX_INVALID_HANDLE) {
      g_set_error (error, VIX_ERROR, VIX_E_INVALID_HANDLE,
                   "property %d: the host of its object was disconnected",
                   value->id);
      return FALSE;
    }
  }
  *to = handle;
  return TRUE;
}

static gboolean
write_blob (const VixValue *value, int *to_size, unsigned char **to,
            GError **error)
{
  gsize size;
  gconstpointer data = g_bytes_get_data (value->blob, &size);

  if (to == NULL) {
    g_set_error (error, VIX_ERROR, VIX_E_INVALID_ARG,
                 "property %d: no pointer to write the data to", value->id);
    return FALSE;
  }
  *to_size = (int)size;
  *to = g_malloc (size + 1); /* never NULL */
  memcpy (*to, data != NULL ? data : "", size);
  return TRUE;
}

static gboolean
write_value (const VixValue *value, void *to, void *to_second, GError **error)
{
  if (to == NULL) {
    g_set_error (error, VIX_ERROR, VIX_E_INVALID_ARG,
                 "property %d: no pointer to write it to", value->id);
    return FALSE;
  }
  switch (value->type) {
  case VIX_PROPERTYTYPE_INTEGER:
    *(int *)to = value->integer;
    return TRUE;
  case VIX_PROPERTYTYPE_BOOL:
    *(Bool *)to = value->integer != 0;
    return TRUE;
  case VIX_PROPERTYTYPE_INT64:
    *(int64 *)to = value->int64;
    return TRUE;
  case VIX_PROPERTYTYPE_STRING:
    *(char **)to = g_strdup (value->string);
    return TRUE;
  case VIX_PROPERTYTYPE_HANDLE:
    return write_handle (value, to, error);
  case VIX_PROPERTYTYPE_BLOB:
    return write_blob (value, to, to_second, error);
  default:
    g_assert_not_reached ();
  }
}

/* The analyzer loses sight of a va_list that is passed on. */
/* NOLINTBEGIN(clang-analyzer-valist.Uninitialized) */

gboolean
vix_write_properties (gpointer object, VixPropertyID first, va_list *args,
                      GError **error)
{
  Source source = { .object = object };
  gboolean ok = TRUE;

  source.host = source.object->root->klass->type == VIX_HANDLETYPE_HOST
                  ? (VixHost *)source.object->root
                  : NULL;
  for (VixPropertyID id = first; ok && id != VIX_PROPERTY_NONE;
       id = ok ? va_arg (*args, int) : id) {
    void *to = va_arg (*args, void *), *to_second = NULL;
    VixValue value;

    ok = source_read (&source, id, &value, error);
    if (ok && value.type == VIX_PROPERTYTYPE_BLOB)
      to_second = va_arg (*args, void *);
    ok = ok && write_value (&value, to, to_second, error);
  }
  vix_vm_record_unref (source.vm);
  return ok;
}

/* NOLINTEND(clang-analyzer-valist.Uninitialized) */

VixError
Vix_GetProperties (VixHandle handle, VixPropertyID firstPropertyID, ...)
{
  g_autoptr (GError) error = NULL;
  VixObject *object = vix_handle_get (handle, VIX_HANDLETYPE_NONE, &error);
  va_list args;

  if (object == NULL)
    return vix_error_to_public (error);
  va_start (args, firstPropertyID);
  vix_write_properties (object, firstPropertyID, &args, &error);
  va_end (args);
  vix_object_unref (object);
  return vix_error_to_public (error);
}

/* For jobs the type comes from the table: programs ask before they read, and
 * reading tells whether this job set it. */
VixError
Vix_GetPropertyType (VixHandle handle, VixPropertyID propertyID,
                     VixPropertyType *propertyType)
{
  g_autoptr (GError) error = NULL;
  VixObject *object = vix_handle_get (handle, VIX_HANDLETYPE_NONE, &error);
  const PropertyRow *row;
  VixValue value;

  if (object == NULL)
    return vix_error_to_public (error);
  if (propertyType == NULL) {
    vix_object_unref (object);
    return VIX_E_INVALID_ARG;
  }
  row = find_row (propertyID, &error);
  if (propertyType == NULL && error == NULL)
    g_set_error_literal (&error, VIX_ERROR, VIX_E_INVALID_ARG, "no pointer");
  if (error == NULL) {
    if (object->klass->type == VIX_HANDLETYPE_PROPERTY_LIST)
      read_stored (&(Source){ .object = object }, propertyID, &value, &error);
    else if (row->kind != object->klass->type)
      set_no_such (propertyID, &error);
  }
  if (error == NULL)
    *propertyType = row->type;
  vix_object_unref (object);
  return vix_error_to_public (error);
}

void
Vix_FreeBuffer (void *p)
{
  free (p);
}

/* ---- VixPropertyList_AllocPropertyList ---- */

static gboolean
take_string (VixPropertySet *set, VixPropertyID id, const char *text,
             GError **error)
{
  if (!vix_check_text ("a string of the property list", text, FALSE, error))
    return FALSE;
  vix_property_set_add_string (set, id, text);
  return TRUE;
}

static gboolean
take_handle (VixPropertySet *set, VixPropertyID id, VixHandle handle,
             GError **error)
{
  VixObject *object = NULL;

  if (handle != VIX_INVALID_HANDLE) {
    object = vix_handle_get (handle, VIX_HANDLETYPE_NONE, error);
    if (object == NULL)
      return FALSE;
  }
  vix_property_set_take_object (set, id, object);
  return TRUE;
}

static gboolean
take_blob (VixPropertySet *set, VixPropertyID id, int size, const void *data,
           GError **error)
{
  if (size < 0 || (size > 0 && data == NULL)) {
    g_set_error (error, VIX_ERROR, VIX_E_INVALID_ARG,
                 "property %d: %d bytes of nothing", id, size);
    return FALSE;
  }
  vix_property_set_take_blob (set, id, g_bytes_new (data, (gsize)size));
  return TRUE;
}

/* NOLINTBEGIN(clang-analyzer-valist.Uninitialized): as above */

/* Reads id, value, id, value, ... into a new set. */
static VixPropertySet *
collect_values (VixPropertyID first, va_list *args, GError **error)
{
  g_autoptr (VixPropertySet) set = vix_property_set_new ();
  gboolean ok = TRUE;

  for (VixPropertyID id = first; ok && id != VIX_PROPERTY_NONE;
       id = ok ? va_arg (*args, int) : id) {
    const PropertyRow *row = find_row (id, error);
    int number;

    if (row == NULL)
      return NULL;
    switch (row->type) {
    case VIX_PROPERTYTYPE_INTEGER:
    case VIX_PROPERTYTYPE_BOOL:
      vix_property_set_add_int (set, id, row->type, va_arg (*args, int));
      break;
    case VIX_PROPERTYTYPE_INT64:
      vix_property_set_add_int64 (set, id, va_arg (*args, int64));
      break;
    case VIX_PROPERTYTYPE_STRING:
      ok = take_string (set, id, va_arg (*args, const char *), error);
      break;
    case VIX_PROPERTYTYPE_HANDLE:
      ok = take_handle (set, id, va_arg (*args, int), error);
      break;
    case VIX_PROPERTYTYPE_BLOB:
      number = va_arg (*args, int);
      ok = take_blob (set, id, number, va_arg (*args, const void *), error);
      break;
    default:
      g_assert_not_reached ();
    }
  }
  return ok ? g_steal_pointer (&set) : NULL;
}

/* NOLINTEND(clang-analyzer-valist.Uninitialized) */

VixError
VixPropertyList_AllocPropertyList (VixHandle hostHandle,
                                   VixHandle *resultHandle, int firstPropertyID,
                                   ...)
{
  g_autoptr (GError) error = NULL;
  VixObject *object, *list;
  VixPropertySet *set;
  va_list args;

  if (resultHandle == NULL)
    return VIX_E_INVALID_ARG;
  *resultHandle = VIX_INVALID_HANDLE;
  object = vix_handle_get (hostHandle, VIX_HANDLETYPE_NONE, &error);
  if (object == NULL)
    return vix_error_to_public (error);
  va_start (args, firstPropertyID);
  set = collect_values (firstPropertyID, &args, &error);
  va_end (args);
  if (set != NULL) {
    list = vix_property_list_new (
      object->root->klass->type == VIX_HANDLETYPE_HOST ? object->root : NULL,
      set);
    *resultHandle = vix_object_give (list);
    vix_object_unref (list);
    if (*resultHandle == VIX_INVALID_HANDLE)
      g_set_error_literal (&error, VIX_ERROR, VIX_E_INVALID_HANDLE,
                           "the host was disconnected");
  }
  vix_object_unref (object);
  return vix_error_to_public (error);
}
