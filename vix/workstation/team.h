/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * team.h - the .vmtm of a team of VMs (Workstation up to 7).
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/**
 * ws_team_names:
 * @path: of the .vmtm
 * @dir: (nullable): name of the directory that holds @vmx, if it is one below
 *   that of the .vmtm; %NULL: they lie in one directory
 * @vmx: file name of the configuration
 *
 * Does the team have this VM as a member? Its XML is only searched for the
 * path, with either slash, as a whole word: nothing else of it matters here.
 * FALSE for a file that cannot be read or is over 1 MiB. Blocks on I/O.
 */
gboolean ws_team_names (const char *path, const char *dir, const char *vmx);

G_END_DECLS
