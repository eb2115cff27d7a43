/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "refuse.h"

#include <errno.h>

#include "errno-map.h"

void
fs_refuse (FsMount *mount, const FsNode *node, FsRequest *request, int code,
           const char *format, ...)
{
  g_autofree char *text = NULL;
  va_list args;

  va_start (args, format);
  text = g_strdup_vprintf (format, args);
  va_end (args);
  fs_trouble_set_error (mount->tree, node->id.slot, (VixError)code, text);
  fs_request_reply (request, fs_errno_from_vix ((VixError)code));
}

void
fs_refuse_name (FsMount *mount, const FsNode *node, FsRequest *request,
                const char *name, int number)
{
  if (number == EILSEQ)
    fs_refuse (mount, node, request, VIX_E_INVALID_UTF8_STRING,
               "the name is not UTF-8, or has control characters");
  else if (number == ENAMETOOLONG)
    fs_refuse (mount, node, request, VIX_E_FILE_NAME_TOO_LONG,
               "the name is too long");
  else
    fs_refuse (mount, node, request, VIX_E_INVALID_ARG,
               "\"%s\" is not how names are written here: a leading \".\" is "
               "%%2E, a \"/\" is %%2F, a \"%%\" before two hex digits is %%25",
               name);
}
