/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * name.h - names of snapshots, VMs and folders as they go over the wire.
 *
 * Hosts keep "%", "/" and "\" as "%25", "%2f" and "%5c", and nothing else
 * that way. Encoding twice, or decoding what was never encoded, is how other
 * clients lose snapshots: these two are called once, at the wire.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

char *vsphere_name_encode (const char *name);
char *vsphere_name_decode (const char *wire);

G_END_DECLS
