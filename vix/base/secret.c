/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/secret.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static gsize
mapping_size (gsize len)
{
  gsize page = (gsize)sysconf (_SC_PAGESIZE);

  return (len / page + 1) * page;
}

char *
vix_secret_new (const char *text)
{
  gsize len, size;
  char *secret;

  if (text == NULL)
    return NULL;
  len = strlen (text);
  size = mapping_size (len);
  secret = mmap (NULL, size, PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (secret == MAP_FAILED)
    g_error ("out of memory");
  /* Without them the secret is less safe, but there. */
  (void)madvise (secret, size, MADV_DONTDUMP);
  (void)madvise (secret, size, MADV_WIPEONFORK);
  (void)mlock (secret, size);
  memcpy (secret, text, len);
  return secret;
}

void
vix_secret_free (char *secret)
{
  gsize len;

  if (secret == NULL)
    return;
  len = strlen (secret);
  explicit_bzero (secret, len);
  munmap (secret, mapping_size (len));
}

void
vix_secret_wipe (char *text)
{
  if (text != NULL)
    explicit_bzero (text, strlen (text));
  g_free (text);
}
