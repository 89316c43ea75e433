/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * measure.c - runs a program a number of times and tells what each run took.
 *
 *     measure TIMES INPUT OUTPUT PROGRAM [ARGUMENT...]    time and peak memory
 *     measure private INPUT OUTPUT PROGRAM [ARGUMENT...]  one run, peak of private memory
 *
 * Prints a line for each run: exit status, wall clock and processor time in microseconds, peak
 * memory in KiB. A small program of its own, since the memory that the system tells of a child
 * is never less than what its parent had when it made it.
 *
 * Private is what is neither of files nor shared: pages of a mapped table are not counted, which
 * the system can take back at any time. It is sampled, which disturbs the time.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { SAMPLE_NS = 1000000 };

static void die(const char *what) {
  fprintf(stderr, "measure: %s: %s\n", what, strerror(errno));
  exit(99);
}

static int64_t now_us(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static int64_t to_us(struct timeval time) {
  return (int64_t)time.tv_sec * 1000000 + time.tv_usec;
}

static void become(const char *input, const char *output, char **argv) {
  int in = open(input, O_RDONLY);
  int out = open(output, O_WRONLY | O_CREAT | O_TRUNC, 0666);
  if (in < 0 || out < 0 || dup2(in, STDIN_FILENO) < 0 || dup2(out, STDOUT_FILENO) < 0)
    die(in < 0 ? input : output);
  close(in);
  close(out);
  execv(argv[0], argv);
  die(argv[0]);
}

/* KiB that belong to @p pid alone, now. */
static long private_now(pid_t pid) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/statm", (int)pid);
  FILE *file = fopen(path, "r");
  long size, resident = 0, shared = 0;
  if (!file)
    return 0;
  if (fscanf(file, "%ld %ld %ld", &size, &resident, &shared) != 3)
    resident = shared = 0;
  fclose(file);
  return (resident - shared) * (sysconf(_SC_PAGESIZE) / 1024);
}

/* Waits for the end. @return the peak of private memory if asked for it, else of all */
static long wait_for(pid_t pid, int sample, int *status, struct rusage *used) {
  long peak = 0;
  while (sample && wait4(pid, status, WNOHANG, used) == 0) {
    long now = private_now(pid);
    if (now > peak)
      peak = now;
    nanosleep(&(struct timespec){.tv_nsec = SAMPLE_NS}, NULL);
  }
  if (sample)
    return peak;
  if (wait4(pid, status, 0, used) != pid)
    die("wait4");
  return used->ru_maxrss;
}

static void run_once(const char *input, const char *output, char **argv, int sample) {
  int status;
  struct rusage used;
  int64_t begin = now_us();
  pid_t pid = fork();
  if (pid < 0)
    die("fork");
  if (pid == 0)
    become(input, output, argv);
  long peak = wait_for(pid, sample, &status, &used);
  int64_t wall = now_us() - begin;
  printf("%d %lld %lld %ld\n", WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status),
         (long long)wall, (long long)(to_us(used.ru_utime) + to_us(used.ru_stime)), peak);
}

int main(int argc, char **argv) {
  if (argc < 5) {
    fprintf(stderr, "usage: measure TIMES|private INPUT OUTPUT PROGRAM [ARGUMENT...]\n");
    return 64;
  }
  int sample = strcmp(argv[1], "private") == 0;
  for (long i = sample ? 1 : atol(argv[1]); i > 0; i--)
    run_once(argv[2], argv[3], argv + 4, sample);
  return 0;
}
