/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * vix-ext.h - what a file system needs of a host and VIX does not offer.
 *
 * Conventions are those of vix.h: handles in, a VixError or a job handle out;
 * strings are UTF-8; every function may be called from any thread. Unless its
 * text says otherwise a function here answers from memory and never waits for
 * a host. Records (VixExtVM and what it points to) are immutable and counted:
 * they may be read from any thread without a lock for as long as a reference
 * is held.
 *
 * Structs only ever grow at their end; those that the caller fills start with
 * `size`, set to sizeof the struct the caller was compiled with.
 */
#ifndef VIX_EXT_H
#define VIX_EXT_H

#include <stddef.h>

#include "vix.h"

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#pragma GCC visibility push(default)
#endif

/* ------------------------------------------------------------------ *
 * Options
 * ------------------------------------------------------------------ */

enum {
  /* VixVM_CreateSnapshot: quiesce the guest's file systems first. Ignored
   * where the host cannot (VM off, no Tools): the snapshot is made all the
   * same and its record tells what it got. */
  VIXEXT_SNAPSHOT_QUIESCE = 0x00010000
};

enum {
  /* VixHost_Connect, VixExt_Connect: nothing on the host is ever changed;
   * leftovers of a killed operation are not completed either. Jobs that
   * would change something end with VIX_E_FILE_READ_ONLY. */
  VIXEXT_HOSTOPTION_READ_ONLY = 0x00010000,
  /* VixExt_Connect: take any certificate of a network host. Without it the
   * certificate is checked, VIX_HOSTOPTION_VERIFY_SSL_CERT or not. */
  VIXEXT_HOSTOPTION_INSECURE = 0x00020000
};

/* ------------------------------------------------------------------ *
 * Records: what a host holds
 * ------------------------------------------------------------------ */

/* VixExtSnapshot.flags */
enum {
  VIXEXT_SNAPSHOT_HAS_MEMORY = 0x0001, /* guest memory is part of it */
  VIXEXT_SNAPSHOT_QUIESCED = 0x0002,
  VIXEXT_SNAPSHOT_NEEDED_BY_CLONE = 0x0004 /* a linked clone reads its disks */
};

typedef struct VixExtSnapshot {
  int64 id;                /* > 0, unique within the VM, never used again */
  int64 parent;            /* id of the parent; 0: a root */
  int64 created;           /* microseconds since 1970-01-01 UTC; 0 unknown */
  const char *name;        /* as the host shows it, decoded; may be "" */
  const char *description; /* may be "" */
  int powerState;          /* VIX_POWERSTATE_* that a revert restores */
  int flags;               /* VIXEXT_SNAPSHOT_* above */
  int numDisks;            /* disks that are part of it; -1: not known, see
                            * VixExt_ListImages */
} VixExtSnapshot;

typedef struct VixExtDisk {
  const char *node;     /* "scsi0:0", "sata0:1", "ide0:0", "nvme0:0" */
  const char *fileName; /* as in the configuration */
  const char *mode;     /* "" (persistent), "independent-persistent", ... */
} VixExtDisk;

/* VixExtVM.flags */
enum {
  VIXEXT_VM_TEMPLATE = 0x0001,
  VIXEXT_VM_INACCESSIBLE = 0x0002, /* see .problem */
  VIXEXT_VM_ENCRYPTED = 0x0004,
  VIXEXT_VM_LINKED_CLONE = 0x0008, /* its base disk belongs to another VM */
  VIXEXT_VM_IN_TEAM = 0x0010,
  VIXEXT_VM_LOCKED = 0x0020 /* another program has it open */
};

typedef struct VixExtVM {
  const char *id;          /* identity on this host: the canonical .vmx
                            * path, or a moref; never reused */
  const char *const *path; /* NULL-terminated: the folders, then the VM's
                            * own name; at least one; not escaped */
  const char *displayName;
  const char *vmxPath; /* in the form VixVM_Open takes */
  const char *uuid;    /* "" unknown; else 8-4-4-4-12 lower case */
  const char *guestOS;
  const char *teamPath; /* "" unless VIXEXT_VM_IN_TEAM */
  const char *problem;  /* "" or why it cannot be worked with */
  int flags;            /* VIXEXT_VM_* above */
  int powerState;       /* VIX_POWERSTATE_* now */
  int toolsState;       /* VIX_TOOLSSTATE_* */
  int numVcpus;
  int memoryMiB;
  int hardwareVersion;   /* 0 unknown */
  int64 changed;         /* microseconds since 1970 of the last change
                          * of configuration or snapshots */
  int64 currentSnapshot; /* id; 0: none */
  size_t numDisks;
  const VixExtDisk *disks; /* by node */
  size_t numSnapshots;
  const VixExtSnapshot *snapshots; /* by ascending id */
} VixExtVM;

/* Adds a reference and returns @vm. */
const VixExtVM *VixExt_RefVM (const VixExtVM *vm);

/* Drops a reference; NULL is ignored. */
void VixExt_UnrefVM (const VixExtVM *vm);

/* ------------------------------------------------------------------ *
 * Connecting
 * ------------------------------------------------------------------ */

typedef struct VixExtConnectParams {
  size_t size; /* sizeof(VixExtConnectParams) */
  VixServiceProvider hostType;
  const char *hostName;      /* a URL or host name; a directory (absolute) to
                              * search for local VMs; NULL as for
                              * VixHost_Connect */
  const char *userName;      /* may be NULL */
  const char *password;      /* may be NULL; copied, wiped after use */
  VixHostOptions options;    /* VIX_HOSTOPTION_*, VIXEXT_HOSTOPTION_* */
  const char *vendorLibrary; /* local VMs: path of VMware's own library to
                              * pass calls to; "none": always our own code;
                              * NULL or "auto": VMware's where installed */
  /* Network hosts: */
  const char *caFile;     /* PEM file of the authorities that certify the
                           * host; NULL: the system's */
  const char *thumbprint; /* SHA-256 or SHA-1 of the host's certificate, as
                           * VMware or openssl print it; then that is all
                           * that is asked of it. NULL: none */
  int connectTimeout;     /* ms to reach the host; 0: 10,000 */
  int answerTimeout;      /* ms from a request to its answer; 0: 60,000. A
                           * task may take as long as it likes */
  int stallTimeout;       /* ms that an answer may pause; 0: 30,000 */
  int settleTimeout;      /* ms to look for what became of a change whose
                           * answer got lost; 0: 30,000 */
  int64 cacheBytes;       /* memory for content of files that was read or is
                           * about to be; 0: 128 MiB; at least 4 MiB */
  int connections;        /* transfers of such content at once; 0: 8; at
                           * most 64 */
} VixExtConnectParams;

/*
 * VixHost_Connect with named parameters. Strings are copied. Result: the
 * host, as VIX_PROPERTY_JOB_RESULT_HANDLE. A local directory that does not
 * exist: VIX_E_FILE_NOT_FOUND; that is none: VIX_E_NOT_A_DIRECTORY.
 */
VixHandle VixExt_Connect (const VixExtConnectParams *params,
                          VixEventProc *callbackProc, void *clientData);

/*
 * What VixExt_Connect would refuse without asking the host: a host type or a
 * name that there cannot be, a thumbprint that is none, http:// without
 * VIXEXT_HOSTOPTION_INSECURE. User and password may be missing. Needs no
 * connection, starts no thread. On failure *reason, to be freed by
 * Vix_FreeBuffer, says what is wrong; else it is NULL.
 */
VixError VixExt_CheckConnect (const VixExtConnectParams *params, char **reason);

/* VixExtHostStatus.state */
enum { VIXEXT_HOST_CONNECTED = 1, VIXEXT_HOST_RECONNECTING = 2 };

typedef struct VixExtHostStatus {
  size_t size;         /* in: sizeof(VixExtHostStatus) */
  int state;           /* VIXEXT_HOST_* */
  int64 since;         /* microseconds since 1970: in this state since */
  char product[64];    /* "Workstation directory", "VMware ESXi 8.0.3", ... */
  char apiVersion[32]; /* "" where there is none */
  char problem[1024];  /* why it is reconnecting; "" while connected */
  int64 capacity;      /* bytes of the datastores behind the host */
  int64 freeSpace;     /* bytes, as an unprivileged user may use them */
  int64 numVMs;
  int64 numSnapshots;
} VixExtHostStatus;

/* Fills *status. May stat a local file system, never asks a network host. */
VixError VixExt_GetHostStatus (VixHandle host, VixExtHostStatus *status);

/* ------------------------------------------------------------------ *
 * The live inventory
 * ------------------------------------------------------------------ */

enum {
  VIXEXT_EVENT_VM_ADDED = 1,      /* vm: the new record */
  VIXEXT_EVENT_VM_CHANGED = 2,    /* vm: the new record, same id */
  VIXEXT_EVENT_VM_REMOVED = 3,    /* vm: the last record */
  VIXEXT_EVENT_FILES_CHANGED = 4, /* vm: names, sizes or times of its files
                                   * changed, the record did not */
  VIXEXT_EVENT_LOADED = 5,        /* vm NULL: the first inventory is complete */
  VIXEXT_EVENT_HOST_STATE = 6     /* vm NULL: ask VixExt_GetHostStatus */
};

/*
 * Called once per event, never two at a time for one host, from any library
 * thread with no library lock held. @vm is lent: VixExt_RefVM keeps it. It
 * must not block for long: the job that caused a change is not done before
 * its events are delivered, so that a completion callback finds the inventory
 * already up to date.
 */
typedef void VixExtWatchProc (VixHandle host, int event, const VixExtVM *vm,
                              void *clientData);

/*
 * Starts loading and watching the inventory of @host, once per host handle
 * (again: VIX_E_OPERATION_ALREADY_IN_PROGRESS). Returns at once; the present
 * VMs arrive as VM_ADDED, then LOADED comes. Ends, with no event under way
 * any more, when VixHost_Disconnect returns.
 */
VixError VixExt_Watch (VixHandle host, VixExtWatchProc *proc, void *clientData);

/*
 * The newest known record of VM @id, with a reference for the caller.
 * VIX_E_VM_NOT_FOUND if the watched inventory has no such VM.
 */
VixError VixExt_LookupVM (VixHandle host, const char *id, const VixExtVM **vm);

/* ------------------------------------------------------------------ *
 * From records to handles and back
 * ------------------------------------------------------------------ */

/* The handle of VM @id of @host, as VixVM_Open gives it, to be released. */
VixError VixExt_GetVM (VixHandle host, const char *id, VixHandle *vm);

/* The handle of snapshot @id of @vm, to be released. On a host that is not
 * watched this reads the VM. */
VixError VixExt_GetSnapshot (VixHandle vm, int64 id, VixHandle *snapshot);

/* The id that the snapshot's record has. */
VixError VixExt_GetSnapshotId (VixHandle snapshot, int64 *id);

/* ------------------------------------------------------------------ *
 * Jobs
 * ------------------------------------------------------------------ */

/*
 * Asks the job to stop. A job not yet begun ends with VIX_E_CANCELLED at
 * once; one under way stops where the host can still undo it, otherwise it
 * goes on and ends with its own result. VIX_OK says only that the wish was
 * noted.
 */
VixError VixExt_CancelJob (VixHandle job);

/* 0..100, or -1 if the job cannot tell. */
VixError VixExt_GetJobProgress (VixHandle job, int *percent);

/* ------------------------------------------------------------------ *
 * Snapshots: what VIX cannot say
 * ------------------------------------------------------------------ */

/* Jobs without results. Equal name or text: VIX_OK, nothing is written. */
VixHandle VixExt_RenameSnapshot (VixHandle snapshot, const char *name,
                                 VixEventProc *callbackProc, void *clientData);
VixHandle VixExt_DescribeSnapshot (VixHandle snapshot, const char *description,
                                   VixEventProc *callbackProc,
                                   void *clientData);

/* ------------------------------------------------------------------ *
 * Files and configuration
 *
 * These may read local disks; for a network host they may block on it.
 * `snapshot` 0 means the VM itself. `message`, where not NULL, receives on
 * failure a text that names the file and what is wrong (Vix_FreeBuffer).
 * ------------------------------------------------------------------ */

/*
 * Ends such waits. A thread that uses one gets VIX_E_CANCELLED from the
 * functions below once it was interrupted, also when that was before.
 */
typedef struct VixExtInterrupt VixExtInterrupt;

VixExtInterrupt *VixExt_NewInterrupt (void);
/* Any thread; does not block. */
void VixExt_Interrupt (VixExtInterrupt *interrupt);
/* For what the calling thread does from now on; NULL: nothing ends it. */
void VixExt_UseInterrupt (VixExtInterrupt *interrupt);
/* No thread may be using it. NULL is ignored. */
void VixExt_FreeInterrupt (VixExtInterrupt *interrupt);

typedef struct VixExtFile {
  const char *name; /* one component, as the host spells it */
  int64 bytes;      /* size; of hosts of the network see VixExt_GetFileSize */
  int64 allocated;  /* bytes really occupied */
  int64 modified;   /* microseconds since 1970 UTC */
} VixExtFile;

/*
 * The VM's files, or those that snapshot @snapshot owns: the extents and
 * descriptors frozen by it, its state and memory files. Sorted by name. One
 * buffer for all, to be freed with Vix_FreeBuffer.
 */
VixError VixExt_ListFiles (VixHandle host, const char *vmId, int64 snapshot,
                           VixExtFile **files, size_t *count, char **message);

/* The .vmx text, now or as of the snapshot. Vix_FreeBuffer(*text). With text
 * NULL only its length, which may be known without asking. */
VixError VixExt_GetConfig (VixHandle host, const char *vmId, int64 snapshot,
                           char **text, size_t *length, char **message);

typedef struct VixExtReader VixExtReader;

/*
 * Opens a listed file for reading. VIX_E_FILE_ALREADY_LOCKED for a file that
 * the running VM writes.
 */
VixError VixExt_OpenFile (VixHandle host, const char *vmId, int64 snapshot,
                          const char *name, VixExtReader **reader,
                          char **message);

/* How many bytes it was when it was opened. Of a file that can differ from what
 * VixExt_ListFiles says: hosts of the network list what files take on the
 * datastore, which is less for thin disks, and 0 for small files on VMFS. */
int64 VixExt_GetFileSize (const VixExtReader *reader);

/* Reads up to @length bytes at @offset; *done < length only at the end. Any
 * number of threads at once. *message: (may be NULL) in words, to be freed
 * with Vix_FreeBuffer. */
VixError VixExt_ReadFile (VixExtReader *reader, int64 offset, void *buffer,
                          size_t length, size_t *done, char **message);

/*
 * The run from @offset on, which lies before the end, that is data (*isData
 * not 0) or a hole, which reads as zeros; at most @length bytes.
 */
VixError VixExt_MapFile (VixExtReader *reader, int64 offset, int64 length,
                         int *isData, int64 *run, char **message);

/* NULL is ignored. */
void VixExt_CloseFile (VixExtReader *reader);

/* ------------------------------------------------------------------ *
 * Disks of snapshots
 * ------------------------------------------------------------------ */

/* A disk as the guest had it when the snapshot was taken: whole and flat,
 * whatever its chain is made of. */
typedef struct VixExtImage {
  const char *node;    /* "scsi0:0" */
  int64 bytes;         /* capacity */
  int64 allocated;     /* bytes that are not holes */
  int64 changedBy;     /* id of the newest snapshot, this one or an ancestor,
                        * whose content differs from its parent's */
  int64 changed;       /* microseconds since 1970: since when the content is
                        * that, if longer than @changedBy is there, as one that
                        * is gone changed it; 0: as long */
  const char *problem; /* "" or why it cannot be read; then the sizes are 0 */
  VixError error;      /* of the problem; VIX_OK: there is none */
} VixExtImage;

/* The disks that are part of @snapshot, by node. One buffer for all, to be
 * freed with Vix_FreeBuffer. May read local disks. */
VixError VixExt_ListImages (VixHandle host, const char *vmId, int64 snapshot,
                            VixExtImage **images, size_t *count,
                            char **message);

/* Opens the disk that was @node. VIX_E_DISK_* naming the file for a damaged
 * chain. The snapshot must not be removed while it is open. */
VixError VixExt_OpenImage (VixHandle host, const char *vmId, int64 snapshot,
                           const char *node, VixExtReader **reader,
                           char **message);

/*
 * As VixExt_OpenImage, but only what may differ from the disk that was @node
 * in snapshot @older is data, zeros that are new included; all else is a hole,
 * and the bytes there are equal in both. The two snapshots may be on different
 * branches. @older 0, or a snapshot without such a disk: what is data at all.
 * Found from the disks' tables alone. Neither snapshot may be removed while it
 * is open.
 */
VixError VixExt_OpenChanges (VixHandle host, const char *vmId, int64 older,
                             int64 snapshot, const char *node,
                             VixExtReader **reader, char **message);

/* ------------------------------------------------------------------ *
 * Errors
 * ------------------------------------------------------------------ */

/* "VIX_E_DISK_FULL"; "VIX_E_FAIL" for a code that has no name. Static. */
const char *VixExt_GetErrorName (VixError err);

/* ------------------------------------------------------------------ *
 * Counting
 * ------------------------------------------------------------------ */

/* How many objects the library holds in memory, for tests and statistics. */
int VixExt_CountHandles (void);

#if defined(__GNUC__)
#pragma GCC visibility pop
#endif

#ifdef __cplusplus
}
#endif

#endif /* VIX_EXT_H */
