/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* A descriptor: parsing, and that edits say what they should. */
#include <string.h>

#include "disk/descriptor.h"
#include "fuzz-disk.h"

static void
check_edit (const VmdkDescriptor *d, const VmdkIdentity *identity)
{
  g_autofree char *text = vmdk_descriptor_with_identity (d, identity, NULL);
  g_autoptr (VmdkDescriptor) again = NULL;

  g_assert (text != NULL);
  /* It may have grown beyond what is accepted, and only then be refused. */
  if (strlen (text) > VMDK_DESCRIPTOR_MAX_BYTES)
    return;
  again = vmdk_descriptor_parse (text, strlen (text), "edited", NULL);
  g_assert (again != NULL);
  g_assert (vmdk_descriptor_get_cid (again) == identity->cid);
  g_assert (vmdk_descriptor_get_parent_cid (again) == identity->parent_cid);
  g_assert (
    g_strcmp0 (vmdk_descriptor_get_parent_hint (again), identity->parent_hint)
    == 0);
  g_assert (vmdk_descriptor_get_capacity_sectors (again)
            == vmdk_descriptor_get_capacity_sectors (d));
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  static const VmdkIdentity child = { 0x12, 0x3456, "other parent.vmdk" };
  static const VmdkIdentity base = { 0x12, VMDK_NO_PARENT_CID, NULL };
  g_autoptr (VmdkDescriptor) d
    = vmdk_descriptor_parse (data, size, "input", NULL);
  g_autoptr (VmdkDescriptor) made = NULL;
  g_autofree char *text = NULL;

  if (d == NULL)
    return 0;
  check_edit (d, &child);
  check_edit (d, &base);
  text = vmdk_descriptor_format_child (d, 1, "parent", "child", NULL);
  g_assert (text != NULL);
  if (vmdk_descriptor_get_cid (d) == VMDK_NO_PARENT_CID)
    return 0;
  made = vmdk_descriptor_parse (text, strlen (text), "child", NULL);
  g_assert (made != NULL);
  g_assert (vmdk_descriptor_get_capacity_sectors (made)
            == vmdk_descriptor_get_capacity_sectors (d));
  return 0;
}
