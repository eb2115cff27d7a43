/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * servers.h - simulators and proxies for test programs in C, which ctest.sh
 * runs: it builds what HOST_BIN holds.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct {
  GPid pid;
  char *dir;
  char *url; /* "https://127.0.0.1:PORT/sdk" */
  char *port;
  char *control;
  char *cert;
  char *sha1, *sha256;
  char *user, *password;
} BedServer;

/* @options: separated by blanks */
BedServer *bed_sim_new (const char *options);
BedServer *bed_proxy_new (const BedServer *upstream);
void bed_server_free (BedServer *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (BedServer, bed_server_free)

/* GET of a control path, "snapshot/create?vm=a&name=b"; fails the test if the
 * server says no. Returns its answer. */
char *bed_ctl (const BedServer *self, const char *format, ...)
  G_GNUC_PRINTF (2, 3);
/* Stores a file on the simulator's datastore, "[datastore] dir/name";
 * @modified: seconds since 1970; 0: now. */
void bed_put_file (const BedServer *self, const char *path, gconstpointer data,
                   gsize len, gint64 modified);
/* The number behind "KEY": in the counters, 0 if it is not there. */
gint64 bed_count (const BedServer *self, const char *key);
/* The number behind "KEY": in @json; -1 if it is not there. */
gint64 bed_number (const char *json, const char *key);

G_END_DECLS
