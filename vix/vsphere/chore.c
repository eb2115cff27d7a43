/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "vsphere/chore.h"

typedef struct {
  const SoapMethod *method;
  const char *type; /* static */
  char *value;
} Chore;

static void
chore_free (gpointer data)
{
  Chore *chore = data;

  g_free (chore->value);
  g_free (chore);
}

static void
run_chore (gpointer data, gpointer user)
{
  Chore *chore = data;
  VsphereHost *host = user;
  SoapRef object = { chore->type, chore->value };
  VsphereCallExtra extra = { .as_is = TRUE, .reserved = TRUE };

  soap_reply_free (vsphere_session_call (host->session, chore->method, &object,
                                         NULL, &extra, NULL, NULL));
  chore_free (chore);
}

GThreadPool *
vsphere_chores_new (VsphereHost *host)
{
  return g_thread_pool_new_full (run_chore, host, chore_free, 1, FALSE, NULL);
}

void
vsphere_chores_free (GThreadPool *chores)
{
  if (chores != NULL)
    g_thread_pool_free (chores, TRUE, TRUE);
}

void
vsphere_chore_push (VsphereHost *host, const SoapMethod *method,
                    const char *type, const char *value)
{
  Chore *chore = g_new (Chore, 1);

  chore->method = method;
  chore->type = type;
  chore->value = g_strdup (value);
  g_thread_pool_push (host->chores, chore, NULL);
}
