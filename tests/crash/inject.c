/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * Runs a program and lets something happen at one of its system calls.
 *
 *   inject MODE N PROGRAM [ARGUMENT...]
 *
 * kill      SIGKILL when the Nth counted call begins, before it has any effect
 * kill-all  the same, and every system call counts
 * full      from the Nth call on that needs space all such fail with ENOSPC
 * error     the Nth counted call fails with EIO and has no effect
 *
 * Counting begins when the program calls prctl (INJECT_MARK, 0, ...) and ends
 * with prctl (INJECT_MARK, 1, ...). Counted are the calls that change a file
 * system (of regular files and directories only: an eventfd is none). Any N
 * above their number changes nothing: the program's end is then passed on, and
 * the number is printed to file descriptor 3 if that is open.
 *
 * Exit status: the program's; 128 + signal if it was killed; 120 for a failure
 * of this one.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <linux/ptrace.h>

#include "mark.h"

typedef enum { KILL, KILL_ALL, FULL, ERROR } Mode;

static const char *const mode_names[] = { "kill", "kill-all", "full", "error" };

/* Which argument tells the file, and what else matters. */
typedef enum {
  BY_PATH, /* changes what a path names */
  BY_FD,   /* changes what argument 0 is open on */
  BY_OPEN  /* openat: only if it creates or truncates */
} Kind;

static const struct {
  long number;
  Kind kind;
  bool allocates; /* can fail for lack of space */
} calls[] = {
  { SYS_openat, BY_OPEN, true },
  { SYS_write, BY_FD, true },
  { SYS_pwrite64, BY_FD, true },
  { SYS_writev, BY_FD, true },
  { SYS_pwritev, BY_FD, true },
  { SYS_fallocate, BY_FD, true },
  { SYS_ftruncate, BY_FD, true },
  { SYS_mkdirat, BY_PATH, true },
  { SYS_linkat, BY_PATH, true },
  { SYS_symlinkat, BY_PATH, true },
  { SYS_fsync, BY_FD, false },
  { SYS_fdatasync, BY_FD, false },
  { SYS_unlinkat, BY_PATH, false },
  { SYS_renameat2, BY_PATH, false },
  { SYS_fchmod, BY_FD, false },
  { SYS_fchown, BY_FD, false },
  { SYS_utimensat, BY_PATH, false },
#ifdef SYS_copy_file_range
  { SYS_copy_file_range, BY_PATH, true },
#endif
#ifdef SYS_renameat
  { SYS_renameat, BY_PATH, false },
#endif
#ifdef SYS_rename
  { SYS_rename, BY_PATH, false },
#endif
#ifdef SYS_unlink
  { SYS_unlink, BY_PATH, false },
#endif
#ifdef SYS_rmdir
  { SYS_rmdir, BY_PATH, false },
#endif
#ifdef SYS_mkdir
  { SYS_mkdir, BY_PATH, true },
#endif
};

/* One thread of the program, between the stops at a call's begin and end. */
typedef struct {
  pid_t tid;
  bool failing;
} Tracee;

#define MAX_TRACEES 256

static Tracee tracees[MAX_TRACEES];
static Mode mode;
static long wanted, counted;
static bool counting;
static pid_t leader;

static void
die (const char *what)
{
  perror (what);
  if (leader > 0)
    kill (leader, SIGKILL);
  exit (120);
}

static Tracee *
find_tracee (pid_t tid)
{
  Tracee *unused = NULL;
  int i;

  for (i = 0; i < MAX_TRACEES; i++) {
    if (tracees[i].tid == tid)
      return &tracees[i];
    if (tracees[i].tid == 0 && unused == NULL)
      unused = &tracees[i];
  }
  if (unused == NULL) {
    errno = EAGAIN;
    die ("too many threads");
  }
  unused->tid = tid;
  unused->failing = false;
  return unused;
}

/* Is it open on something that has a path? */
static bool
is_file (pid_t tid, unsigned long fd)
{
  char link[64], target[PATH_MAX];
  ssize_t n;

  snprintf (link, sizeof link, "/proc/%d/fd/%d", tid, (int)fd);
  n = readlink (link, target, sizeof target - 1);
  if (n <= 0)
    return false;
  target[n] = '\0';
  return target[0] == '/' && strncmp (target, "/dev/", 5) != 0;
}

static bool
counts (pid_t tid, const struct ptrace_syscall_info *info, bool *ret_allocates)
{
  size_t i;

  for (i = 0; i < sizeof calls / sizeof calls[0]; i++) {
    if ((long)info->entry.nr != calls[i].number)
      continue;
    *ret_allocates = calls[i].allocates;
    if (calls[i].kind == BY_FD)
      return is_file (tid, info->entry.args[0]);
    if (calls[i].kind == BY_OPEN)
      return (info->entry.args[2] & (O_CREAT | O_TRUNC)) != 0;
    return true;
  }
  *ret_allocates = false;
  return mode == KILL_ALL;
}

/* The call that begins gets a number that no call has. */
static void
skip_call (pid_t tid)
{
#if defined __x86_64__
  if (ptrace (PTRACE_POKEUSER, tid,
              (void *)offsetof (struct user_regs_struct, orig_rax), -1L)
      != 0)
    die ("PTRACE_POKEUSER");
#elif defined __aarch64__
  int none = -1;
  struct iovec iov = { &none, sizeof none };

  if (ptrace (PTRACE_SETREGSET, tid, (void *)NT_ARM_SYSTEM_CALL, &iov) != 0)
    die ("PTRACE_SETREGSET");
#else
#error "say here how a system call is skipped on this processor"
#endif
}

static void
set_result (pid_t tid, long result)
{
#if defined __x86_64__
  if (ptrace (PTRACE_POKEUSER, tid,
              (void *)offsetof (struct user_regs_struct, rax), result)
      != 0)
    die ("PTRACE_POKEUSER");
#elif defined __aarch64__
  struct user_regs_struct regs;
  struct iovec iov = { &regs, sizeof regs };

  if (ptrace (PTRACE_GETREGSET, tid, (void *)NT_PRSTATUS, &iov) != 0)
    die ("PTRACE_GETREGSET");
  regs.regs[0] = (unsigned long long)result;
  if (ptrace (PTRACE_SETREGSET, tid, (void *)NT_PRSTATUS, &iov) != 0)
    die ("PTRACE_SETREGSET");
#endif
}

static void
on_entry (Tracee *t, const struct ptrace_syscall_info *info)
{
  bool allocates;

  if (info->entry.nr == SYS_prctl && info->entry.args[0] == INJECT_MARK) {
    counting = info->entry.args[1] == 0;
    return;
  }
  if (!counting || !counts (t->tid, info, &allocates)
      || (mode == FULL && !allocates))
    return;
  counted++;
  if ((mode == KILL || mode == KILL_ALL) && counted == wanted)
    kill (leader, SIGKILL);
  else if ((mode == FULL && counted >= wanted)
           || (mode == ERROR && counted == wanted)) {
    skip_call (t->tid);
    t->failing = true;
  }
}

/* Returns the signal to hand on. */
static int
on_stop (pid_t tid, int status)
{
  Tracee *t = find_tracee (tid);
  struct ptrace_syscall_info info;
  int signal = WSTOPSIG (status);

  if (signal == (SIGTRAP | 0x80)) {
    if (ptrace (PTRACE_GET_SYSCALL_INFO, tid, (void *)sizeof info, &info) < 0)
      return 0; /* it was killed meanwhile */
    if (info.op == PTRACE_SYSCALL_INFO_ENTRY)
      on_entry (t, &info);
    else if (info.op == PTRACE_SYSCALL_INFO_EXIT && t->failing) {
      set_result (tid, mode == FULL ? -ENOSPC : -EIO);
      t->failing = false;
    }
    return 0;
  }
  /* Events of ptrace, and the stop that a new thread begins with. */
  return signal == SIGTRAP || signal == SIGSTOP ? 0 : signal;
}

static int
trace (void)
{
  int status;
  pid_t tid;

  while ((tid = waitpid (-1, &status, __WALL)) > 0) {
    if (WIFSTOPPED (status)) {
      int signal = on_stop (tid, status);

      (void)ptrace (PTRACE_SYSCALL, tid, NULL, (void *)(long)signal);
      continue;
    }
    find_tracee (tid)->tid = 0;
    if (tid == leader) {
      dprintf (3, "%ld\n", counted);
      return WIFEXITED (status) ? WEXITSTATUS (status)
                                : 128 + WTERMSIG (status);
    }
  }
  die ("waitpid");
  return 120;
}

int
main (int argc, char **argv)
{
  int status;

  for (mode = KILL; mode <= ERROR; mode++)
    if (argc >= 4 && strcmp (argv[1], mode_names[mode]) == 0)
      break;
  if (argc < 4 || mode > ERROR) {
    fprintf (stderr, "usage: inject kill|kill-all|full|error N PROGRAM...\n");
    return 120;
  }
  wanted = atol (argv[2]);
  leader = fork ();
  if (leader == 0) {
    close (3);
    if (ptrace (PTRACE_TRACEME, 0, NULL, NULL) != 0 || raise (SIGSTOP) != 0)
      _exit (120);
    execv (argv[3], argv + 3);
    _exit (120);
  }
  if (leader < 0 || waitpid (leader, &status, 0) != leader)
    die ("fork");
  if (ptrace (PTRACE_SETOPTIONS, leader, NULL,
              (void *)(long)(PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE
                             | PTRACE_O_EXITKILL))
        != 0
      || ptrace (PTRACE_SYSCALL, leader, NULL, NULL) != 0)
    die ("ptrace");
  return trace ();
}
