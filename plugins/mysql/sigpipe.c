/* SPDX-License-Identifier: BSD-2-Clause */
/* sigpipe.c - keeps SIGPIPE from the thread while a client's library writes. */
#include "sigpipe.h"

#include <stddef.h>
#include <time.h>

static bool is_pending(void) {
  sigset_t pending;
  return sigpending(&pending) == 0 && sigismember(&pending, SIGPIPE) == 1;
}

void maria_sigpipe_block(struct sigpipe *saved) {
  sigset_t pipe;
  sigemptyset(&pipe);
  sigaddset(&pipe, SIGPIPE);
  saved->pending = is_pending();
  pthread_sigmask(SIG_BLOCK, &pipe, &saved->before);
}

void maria_sigpipe_restore(const struct sigpipe *saved) {
  const struct timespec at_once = {0, 0};
  sigset_t pipe;
  sigemptyset(&pipe);
  sigaddset(&pipe, SIGPIPE);
  if (!saved->pending && is_pending())
    sigtimedwait(&pipe, NULL, &at_once);
  pthread_sigmask(SIG_SETMASK, &saved->before, NULL);
}
