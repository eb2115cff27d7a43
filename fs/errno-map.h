/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * errno-map.h - the one table from VIX_E_* to errno.
 */
#pragma once

#include "vix.h"

/* What a system call says where the library says @error; 0 for VIX_OK, EIO
 * for a code without a row. */
int fs_errno_from_vix (VixError error);

/* The same for a change of the power state: to ask for the state that there is,
 * or for one that cannot follow it, is a bad argument. */
int fs_errno_from_power (VixError error);

/* "EBUSY"; "EIO" for a number that has no name. Static. */
const char *fs_errno_name (int number);
