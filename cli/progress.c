/* SPDX-License-Identifier: BSD-2-Clause */
/* progress.c - one line on a terminal that tells how far a long piece of work has come. */
#include "progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const int64_t second_ns = 1000000000;

static int64_t now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * second_ns + now.tv_nsec;
}

void progress_start(struct progress *progress, const char *label) {
  *progress = (struct progress){label, isatty(STDERR_FILENO) == 1, false, now_ns() + second_ns};
}

void progress_show(struct progress *progress, const char *verb, uint64_t done, uint64_t total,
                   const char *unit) {
  if (!progress->wanted)
    return;
  int64_t now = now_ns();
  if (now < progress->next_ns)
    return;
  progress->next_ns = now + second_ns / 10;
  progress->shown = true;
  if (total > 0)
    fprintf(stderr, "\r%s: %s %" PRIu64 " of %" PRIu64 " %s (%d %%)\033[K", progress->label, verb,
            done, total, unit, (int)((double)done * 100 / (double)total));
  else
    fprintf(stderr, "\r%s: %s %" PRIu64 " %s\033[K", progress->label, verb, done, unit);
}

void progress_clear(struct progress *progress) {
  if (!progress->shown)
    return;
  fputs("\r\033[K", stderr);
  progress->shown = false;
}
