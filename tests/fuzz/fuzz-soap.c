/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * An answer of a vSphere host, from its bytes to the records of VMs. Input:
 * one byte that picks the method, one that says in which pieces the answer
 * comes, the answer.
 */
#include <stddef.h>
#include <stdint.h>

#include "vsphere/mirror.h"
#include "vsphere/session.h"
#include "vsphere/soap/envelope.h"
#include "vsphere/soap/fault.h"

int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

static gboolean
take_record (const SoapNode *record, SoapArena *arena, gpointer mirror,
             GError **error)
{
  SoapObjectUpdate update;
  SoapObjectContent content;

  if (soap_decode_struct (&soap_type_ObjectUpdate, record, arena, &update,
                          NULL))
    vsphere_mirror_apply (mirror, &update, record->cut, arena);
  else if (soap_decode_struct (&soap_type_ObjectContent, record, arena,
                               &content, error))
    vsphere_mirror_apply_content (mirror, &content, record->cut, arena);
  else
    return FALSE;
  return TRUE;
}

/* Records must be sound whatever they were made of. */
static void
check_changes (VsphereMirror *mirror)
{
  g_autoptr (GArray) changes = vsphere_mirror_take_changes (mirror, TRUE);

  for (guint i = 0; i < changes->len; i++) {
    const VixExtVM *vm = g_array_index (changes, VsphereChange, i).put;

    if (vm == NULL)
      continue;
    g_assert_nonnull (vm->path[0]);
    g_assert_true (g_utf8_validate (vm->displayName, -1, NULL));
    for (size_t j = 0; j < vm->numSnapshots; j++) {
      g_assert_cmpint (vm->snapshots[j].id, >,
                       j > 0 ? vm->snapshots[j - 1].id : 0);
      g_assert_nonnull (vsphere_vm_get_snapshot_ref (
        vsphere_mirror_get_vm (mirror, vm->id), vm->snapshots[j].id));
    }
  }
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  SoapRef object = { "X", "x" };
  SoapCall call = { .object = &object, .on_record = take_record };
  g_autoptr (VsphereMirror) mirror = vsphere_mirror_new (FALSE);
  g_autoptr (SoapDecoder) decoder = NULL;
  const char *text = (const char *)data + 2;
  size_t piece;

  if (size < 2)
    return 0;
  size -= 2;
  call.method = soap_methods[data[0] % soap_n_methods];
  call.record_data = mirror;
  soap_reply_free (
    soap_envelope_read (&call, data[1] % 2 == 0 ? 200 : 500, text, size, NULL));
  check_changes (mirror);
  vsphere_mirror_mark (mirror);
  piece = 1 + data[1] / 2;
  decoder = soap_decoder_new (call.method->records, NULL, take_record, mirror);
  for (size_t at = 0; at < size; at += piece)
    if (!soap_decoder_feed (decoder, text + at, MIN (piece, size - at), NULL))
      break;
  soap_decoder_finish (decoder, NULL);
  vsphere_mirror_sweep (mirror);
  check_changes (mirror);
  vsphere_version_choose (text, size);
  return 0;
}
