/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * version.c - which version of the API to speak.
 */
#include <stdlib.h>

#include "vsphere/session.h"
#include "vsphere/soap/decode.h"

#define NAMESPACE "urn:vim25"
#define MAX_FIELDS 8

/* Newest first. A host that is newer than all of them lists those it still
 * speaks as prior ones. */
static const char *const known[] = {
  "9.0.0.0", "8.0.3.0", "8.0.2.0", "8.0.1.0", "8.0.0.1", "8.0.0.0", "7.0.3.2",
  "7.0.3.1", "7.0.3.0", "7.0.2.1", "7.0.2.0", "7.0.1.1", "7.0.1.0", "7.0",
  "6.8.7",   "6.7.3",   "6.7.2",   "6.7.1",   "6.7",     "6.5",     "6.0",
  "5.5",     "5.1",     "5.0",     "4.1",     "4.0",     "2.5",
};

int
vsphere_version_compare (const char *a, const char *b)
{
  for (int i = 0; i < MAX_FIELDS; i++) {
    unsigned long x = strtoul (a, (char **)&a, 10);
    unsigned long y = strtoul (b, (char **)&b, 10);

    if (x != y)
      return x < y ? -1 : 1;
    if (*a == '.')
      a++;
    if (*b == '.')
      b++;
  }
  return 0;
}

static gboolean
lists (const SoapNode *node, const char *version)
{
  for (; node != NULL; node = node->next)
    if (g_str_equal (node->name, "version")
        && g_str_equal (node->text, version))
      return TRUE;
  return FALSE;
}

static gboolean
speaks (const SoapNode *name_space, const char *version)
{
  const SoapNode *prior = soap_node_child (name_space, "priorVersions");

  return lists (name_space->first, version)
         || (prior != NULL && lists (prior->first, version));
}

const char *
vsphere_version_choose (const char *xml, gsize len)
{
  g_autoptr (SoapArena) arena = soap_arena_new (SOAP_MAX_TREE_BYTES);
  const SoapNode *root = soap_decode_plain (xml, len, arena, NULL);

  for (gsize i = 0; root != NULL && i < G_N_ELEMENTS (known); i++)
    for (const SoapNode *node = root->first; node != NULL; node = node->next)
      if (g_strcmp0 (soap_node_child_text (node, "name"), NAMESPACE) == 0
          && speaks (node, known[i]))
        return known[i];
  return NULL;
}
