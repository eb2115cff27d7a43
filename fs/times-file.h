/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * times-file.h - the file that times.h keeps notes in: a line each, which only
 * ever comes to its end, or the whole file is replaced by a shorter one.
 *
 * Programs that have the same host mounted share the file: whoever reads or
 * writes it holds its lock, and meets what others have added. A line says of
 * itself whether it is whole; one that is torn, by a crash or a full disk, or
 * was never ours, is left out. One thread at a time.
 */
#pragma once

#include <glib.h>
#include <sys/types.h>

G_BEGIN_DECLS

/* "scsi3:15", and what others call theirs, with the end of the string. */
#define FS_TIMES_DISK_SIZE 16
/* What is read of a file, in which a line has some 100 bytes. */
#define FS_TIMES_MAX_BYTES (64 << 20)

/* Disk @disk of snapshot @snapshot has held since @changed what it holds. */
typedef struct {
  guint64 vm;                    /* hash of what it is to its host */
  gint64 snapshot;               /* its id */
  gint64 created;                /* microseconds since 1970, as @changed */
  gint64 bytes;                  /* of the disk */
  gint64 changed;                /* not 0 */
  char disk[FS_TIMES_DISK_SIZE]; /* "scsi0:0" */
} FsTimesNote;

typedef struct {
  char *path; /* owned */
  /* How far the file has been read, and that it is still the same. */
  dev_t device;
  ino_t inode;
  off_t at;
  guint lines; /* till there, damaged ones too */
} FsTimesFile;

/* Called for each whole line that was not read before. */
typedef void FsTimesTake (const FsTimesNote *note, gpointer data);

/* Whether @disk fits into a note. */
gboolean fs_times_disk_is_valid (const char *disk);

/**
 * fs_times_file_open:
 * @make: whether to make the file, and the directories above it
 * @ret_damage: (out) (transfer full): (nullable): in words, what had to be left
 *   out
 *
 * Locks the file and reads what is new in it. Waits for others, some seconds.
 *
 * Returns: to be closed, which unlocks it; -1 with @error, which is
 *   %G_FILE_ERROR_NOENT where there is none
 */
int fs_times_file_open (FsTimesFile *self, gboolean make, FsTimesTake *take,
                        gpointer data, char **ret_damage, GError **error);

/* Adds @notes (FsTimesNote) to the file open as @fd, all or none, and sees to
 * it that they are on the disk. */
gboolean fs_times_file_append (FsTimesFile *self, int fd, const GArray *notes,
                               GError **error);

/* Has the file, open as @fd, hold @notes and no others. Its lock goes with the
 * old one: @fd is good for nothing but to be closed. */
gboolean fs_times_file_replace (FsTimesFile *self, int fd, const GArray *notes,
                                GError **error);

G_END_DECLS
