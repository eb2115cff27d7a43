/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * events.h - what happened, kept for .vixfs/log and handed to the readers of
 * .vixfs/events.
 *
 * The last %FS_EVENTS_KEPT events are there. A reader gets what comes after
 * its open, one JSON object a line; one that falls behind further than that
 * gets a line that says how many it missed. Any thread. Lock level 3; no
 * request is answered while it is held.
 */
#pragma once

#include <glib.h>

#include "request.h"

G_BEGIN_DECLS

#define FS_EVENTS_KEPT 1000

typedef struct FsEvents FsEvents;
typedef struct FsEventsReader FsEventsReader;

/* @interrupted: see fs_request_watch_interrupt(); is to have
 * fs_events_interrupt() called soon, from another thread. */
FsEvents *fs_events_new (void (*interrupted) (guint64 id, gpointer data),
                         gpointer data);
/* All readers are closed. */
void fs_events_free (FsEvents *self);

/**
 * fs_events_add:
 * @json: (transfer full): one object in one line, with its line end
 * @text: (nullable): the line for people, without time and line end; %NULL
 *   leaves the log alone
 */
void fs_events_add (FsEvents *self, char *json, const char *text);

/* Appends the log: "TIME TEXT", oldest first. */
void fs_events_print_log (FsEvents *self, GString *out);

FsEventsReader *fs_events_open (FsEvents *self);
/* Requests still waiting are answered with EINTR. */
void fs_events_close (FsEventsReader *reader);

/**
 * fs_events_read:
 * @rq: (transfer full): answered with up to @size bytes as soon as there are
 *   any; EAGAIN at once if there are none and @wait is %FALSE
 */
void fs_events_read (FsEventsReader *reader, FsRequest *rq, gsize size,
                     gboolean wait);

/* Whether a read would be answered at once; if not, @handle (nullable) is
 * notified when it would. @handle is consumed. */
gboolean fs_events_poll (FsEventsReader *reader,
                         struct fuse_pollhandle *handle);

/* Answers the read @request_id with EINTR if it is waiting. */
void fs_events_interrupt (FsEvents *self, guint64 request_id);

G_END_DECLS
