/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * error.h - where SOAP_ERROR becomes VIX_ERROR: at the functions of
 * provider.c, after everything inside has seen the fault for what it is.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* The VIX_E_* code for @error, which is of domain SOAP_ERROR. */
int vsphere_error_code (const GError *error);

/* Makes *@error one of VIX_ERROR; keeps its text, and adds what there is to
 * say about the cure. Of another domain it stays as it is. */
void vsphere_error_convert (GError **error);

G_END_DECLS
