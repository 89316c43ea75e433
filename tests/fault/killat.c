/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * killat.c - ends a program just before a chosen change that it makes to the file system.
 *
 *     killat N SIGNAL PROGRAM [ARGUMENT...]
 *
 * Counts the system calls by which PROGRAM changes files, and sends it SIGNAL (a number) when it is
 * about to make the N-th; with N = 0, never. What is on disk changes only by these calls (and by
 * stores to mapped files, which the kernel keeps when a process dies), so running this with
 * N = 1, 2, 3 ... tries all moments that a kill can come at. Prints how many were made, or were
 * begun when the signal came. Exit status: that of PROGRAM, 128 + signal if a signal ended it.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *program = "killat";

static void die(const char *what) {
  fprintf(stderr, "%s: %s: %s\n", program, what, strerror(errno));
  exit(99);
}

/* Standard output and error are not what a build is about. */
static bool is_of_file(uint64_t fd) {
  return (int)fd > 2;
}

static bool changes_files(const struct __ptrace_syscall_info *call) {
  const uint64_t *args = call->entry.args;
  switch (call->entry.nr) {
#ifdef SYS_open
  case SYS_open:
    return (args[1] & (O_CREAT | O_TRUNC)) != 0;
  case SYS_creat:
  case SYS_unlink:
  case SYS_rename:
  case SYS_link:
  case SYS_symlink:
  case SYS_chmod:
  case SYS_chown:
  case SYS_mkdir:
  case SYS_rmdir:
    return true;
#endif
  case SYS_openat:
    return (args[2] & (O_CREAT | O_TRUNC)) != 0;
#ifdef SYS_renameat
  case SYS_renameat:
#endif
  case SYS_renameat2:
  case SYS_unlinkat:
  case SYS_linkat:
  case SYS_symlinkat:
  case SYS_mkdirat:
  case SYS_fchmodat:
  case SYS_fchownat:
  case SYS_truncate:
    return true;
  case SYS_write:
  case SYS_writev:
  case SYS_pwrite64:
  case SYS_pwritev:
  case SYS_ftruncate:
  case SYS_fallocate:
  case SYS_fchmod:
  case SYS_fchown:
  case SYS_fsync:
  case SYS_fdatasync:
    return is_of_file(args[0]);
  case SYS_copy_file_range:
    return is_of_file(args[2]);
  case SYS_msync:
  case SYS_sync_file_range:
    return true;
  default:
    return false;
  }
}

static bool about_to_change_files(pid_t pid) {
  struct __ptrace_syscall_info call = {0};
  if (ptrace(PTRACE_GET_SYSCALL_INFO, pid, sizeof call, &call) < 0)
    return false; /* gone already */
  return call.op == PTRACE_SYSCALL_INFO_ENTRY && changes_files(&call);
}

static void become(char **argv) {
  if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0)
    die("ptrace");
  raise(SIGSTOP);
  execvp(argv[0], argv);
  die(argv[0]);
}

/* The signal that a stopped thread is to get, 0 if the stop is only ours. */
static int signal_to_pass(int status) {
  int number = WSTOPSIG(status);
  if (number == (SIGTRAP | 0x80) || status >> 16 != 0 || number == SIGTRAP || number == SIGSTOP)
    return 0;
  return number;
}

/* Lets the program and its threads run until all have ended. */
static int follow(pid_t child, unsigned long target, int number, unsigned long *changes) {
  int status, result = 0;
  for (pid_t pid; (pid = waitpid(-1, &status, __WALL)) > 0;) {
    if (!WIFSTOPPED(status)) {
      if (pid == child)
        result = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
      continue;
    }
    if (WSTOPSIG(status) == (SIGTRAP | 0x80) && about_to_change_files(pid) && ++*changes == target)
      kill(child, number);
    ptrace(PTRACE_SYSCALL, pid, NULL, signal_to_pass(status));
  }
  return result;
}

int main(int argc, char **argv) {
  if (argc < 4) {
    fprintf(stderr, "usage: %s N SIGNAL PROGRAM [ARGUMENT...]\n", program);
    return 64;
  }
  pid_t child = fork();
  if (child < 0)
    die("fork");
  if (child == 0)
    become(argv + 3);
  int status;
  if (waitpid(child, &status, 0) != child || !WIFSTOPPED(status))
    die("waitpid");
  long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL | PTRACE_O_TRACECLONE |
                 PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACEEXEC;
  if (ptrace(PTRACE_SETOPTIONS, child, NULL, options) != 0 ||
      ptrace(PTRACE_SYSCALL, child, NULL, NULL) != 0)
    die("ptrace");
  unsigned long changes = 0;
  int result = follow(child, strtoul(argv[1], NULL, 10), atoi(argv[2]), &changes);
  printf("%lu\n", changes);
  return result;
}
