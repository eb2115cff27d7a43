/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * address.h - the ways in which people name a host.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct {
  char *base_url; /* "https://host:443", never a path */
  char *host;     /* for people: "host", or "host:8333" */
  char *user;     /* from "user@host"; NULL if none */
} VsphereAddress;

/**
 * vsphere_address_parse:
 * @text: "https://[user@]host[:port][/sdk]", "http://...", or without the
 *   scheme; the host may be "[::1]"
 * @ret: (out caller-allocates)
 * @error: %VIX_E_INVALID_HOSTNAME_SPECIFICATION
 */
gboolean vsphere_address_parse (const char *text, VsphereAddress *ret,
                                GError **error);
void vsphere_address_clear (VsphereAddress *self);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (VsphereAddress, vsphere_address_clear)

G_END_DECLS
