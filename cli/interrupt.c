/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * interrupt.c - ending tidily when a signal asks for it.
 *
 * A build that is cut off anywhere harms no table, yet it would leave its
 * half-made file behind. Blocking the signals instead would make a build that
 * waits for a terminal or a FIFO deaf. So the handler notes the signal and puts
 * /dev/null in the place of the input: whoever reads it, now or next, sees its
 * end, and the builder, who asks interrupt_came(), throws the work away.
 */
#include "interrupt.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <unistd.h>

static const int signals[] = {SIGINT, SIGTERM, SIGHUP};
enum { NSIGNALS = sizeof signals / sizeof *signals };

static struct sigaction before[NSIGNALS];
static bool watching;
static volatile sig_atomic_t came;
static volatile sig_atomic_t input = -1, nothing = -1;

static void on_signal(int number) {
  int saved = errno;
  if (!came)
    came = number;
  if (input >= 0 && nothing >= 0)
    dup2(nothing, input);
  errno = saved;
}

void interrupt_watch(int fd) {
  watching = true;
  came = 0;
  nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
  input = fd;
  struct sigaction action = {.sa_handler = on_signal}; /* no SA_RESTART: reads must end */
  sigemptyset(&action.sa_mask);
  for (size_t i = 0; i < NSIGNALS; i++) {
    sigaction(signals[i], NULL, &before[i]);
    if (before[i].sa_handler != SIG_IGN)
      sigaction(signals[i], &action, NULL);
  }
}

bool interrupt_came(void) {
  return came != 0;
}

void interrupt_finish(void) {
  if (!watching)
    return;
  watching = false;
  for (size_t i = 0; i < NSIGNALS; i++)
    sigaction(signals[i], &before[i], NULL);
  input = -1;
  if (nothing >= 0)
    close(nothing);
  nothing = -1;
  if (came)
    raise(came);
}
